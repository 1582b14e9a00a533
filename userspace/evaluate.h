/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_EVALUATE_H
#define ESMTPCTL_EVALUATE_H

#include "ast.h"
#include "config.h"

struct table *table_of_stmt(const struct stmt *stmt);
void evaluate_table(const struct stmt *stmt, struct config *c, struct erecs *errors);
void evaluate_policy(const struct stmt *stmt, struct config *c, struct erecs *errors);

#endif
