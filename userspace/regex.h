/* SPDX-License-Identifier: GPL-2.0-only */
/* Regular expressions: our dialect, read into a tree; the tree into a table. */
#ifndef ESMTPCTL_REGEX_H
#define ESMTPCTL_REGEX_H

#include "automaton.h"

enum regex_kind {
	REGEX_EMPTY,
	REGEX_SET,	/* one byte of a set */
	REGEX_BEGIN,	/* ^ */
	REGEX_END,	/* $ */
	REGEX_CAT,	/* children one behind the other */
	REGEX_ALT,	/* one of the children */
	REGEX_REPEAT,	/* the only child, min … max times */
};

#define REGEX_NO_MAX UINT32_MAX

/**
 * struct regex - a node of an expression's tree
 * @kind: what it is
 * @at: offset of its first character in the expression
 * @next: the next child of its parent
 * @child: its first child
 * @min: REGEX_REPEAT: times at least
 * @max: REGEX_REPEAT: times at most, or REGEX_NO_MAX
 * @set: REGEX_SET: the bytes
 */
struct regex {
	enum regex_kind kind;
	uint32_t at;
	struct regex *next;
	struct regex *child;
	uint32_t min;
	uint32_t max;
	bool set[256];
};

/**
 * struct regex_error - why an expression is refused
 * @at: offset of the character that is wrong
 * @why: the sentence
 */
struct regex_error {
	uint32_t at;
	const char *why;
};

/**
 * struct regex_branch - an alternative of an expression
 * @next: the next one
 * @tree: without any anchor
 * @begin: it matches at the beginning of a text only
 * @end: it matches at the end of a text only
 */
struct regex_branch {
	struct regex_branch *next;
	struct regex *tree;
	bool begin;
	bool end;
};

struct regex *regex_parse(const char *text, bool nocase, struct regex_error *e);
struct regex_branch *regex_branches(struct regex *tree, struct regex_error *e);
bool regex_table(const struct regex_branch *branches, struct blob *blob, const char **why);

#define REGEX_LENGTH_MAX	1024	/* characters of an expression */
#define REGEX_DEPTH_MAX		50	/* groups in groups */
#define REGEX_REPEAT_MAX	255	/* times in braces */
#define REGEX_SIZE_MAX		4096	/* characters of an expression with its repetitions written out */
#define REGEX_BRANCHES_MAX	64	/* alternatives that differ in their anchors */
#define REGEX_STATES_MAX	4096	/* of a table */
#define REGEX_CPU_MAX		5	/* seconds to make it */
#define REGEX_WALL_MAX		10	/* the same on the clock on the wall */
#define REGEX_MEMORY_MAX	512	/* MiB */

#endif
