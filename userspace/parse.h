/* SPDX-License-Identifier: GPL-2.0-only */
/* What scanner and grammar share. */
#ifndef ESMTPCTL_PARSE_H
#define ESMTPCTL_PARSE_H

#include "ast.h"

/**
 * struct parse - one run of the parser
 * @in: the text
 * @ast: what comes out
 * @errors: what was wrong
 * @scanner: flex's state
 * @line: where the scanner stands
 * @column: where the scanner stands
 * @depth: of braces within a set of values
 * @values: the name that is read next has values behind it
 * @match: a match line is being read: names there have no values behind them
 * @verbs: "verbs" was the last word: it may be followed by "add" or "remove"
 * @finished: the separator before the end of the file was given
 * @token: text of the last token, for messages
 */
struct parse {
	const struct input *in;
	struct ast *ast;
	struct erecs *errors;
	void *scanner;
	unsigned int line;
	unsigned int column;
	unsigned int depth;
	bool values;
	bool match;
	bool verbs;
	bool finished;
	const char *token;
};

#endif
