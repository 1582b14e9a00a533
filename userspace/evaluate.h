/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_EVALUATE_H
#define ESMTPCTL_EVALUATE_H

#include "ast.h"
#include "config.h"

struct table *table_of_stmt(const struct stmt *stmt);
void evaluate_table(const struct stmt *stmt, struct config *c, struct erecs *errors);
void evaluate_policy(const struct stmt *stmt, struct config *c, struct erecs *errors);

/* evaluate_set.c */
bool evaluate_name(const struct word *w, const char *what, struct erecs *errors);
void evaluate_set(const struct stmt *stmt, struct config *c, struct erecs *errors);
void evaluate_keys(const struct words *words, bool ports, const struct config *c,
		   struct intervals *set, const char **ref, struct erecs *errors);
void evaluate_ifnames(const struct words *words, struct names *names, struct erecs *errors);

#endif
