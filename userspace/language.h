/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_LANGUAGE_H
#define ESMTPCTL_LANGUAGE_H

#include "ast.h"
#include "config.h"

bool input_read(const char *path, struct input *in);
bool language_is_word(const char *text);
bool language_parse(const struct input *in, struct ast *ast, struct erecs *errors);
bool language_evaluate(const struct ast *ast, struct config *c, struct erecs *errors);

#endif
