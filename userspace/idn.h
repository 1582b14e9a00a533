/* SPDX-License-Identifier: GPL-2.0-only */
/* Domains in other letters than ASCII. */
#ifndef ESMTPCTL_IDN_H
#define ESMTPCTL_IDN_H

const char *idn_forms(const char *domain, char **ascii, char **unicode);

#endif
