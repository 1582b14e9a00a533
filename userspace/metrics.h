/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_METRICS_H
#define ESMTPCTL_METRICS_H

#include <stdio.h>

#include "config.h"
#include "status.h"

void metrics_print(FILE *f, const struct config *c, const struct status *s, const struct guard *g);
void metrics_label(FILE *f, const char *value);

#endif
