/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_MODULE_H
#define ESMTPCTL_MODULE_H

#include <stdbool.h>

#include "erec.h"

#define MODULE_NAME "nf_conntrack_esmtp"

bool module_loaded(void);
bool module_load(struct erecs *errors);
bool module_remove(struct erecs *errors);

#endif
