/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_AST_H
#define ESMTPCTL_AST_H

#include <stdbool.h>

#include "erec.h"

/**
 * struct word - one word as it was written
 * @next: the one behind it in a set
 * @loc: its place
 * @text: its characters; of a string those between the quotes
 */
struct word {
	struct word *next;
	struct location loc;
	const char *text;
};

/**
 * struct words - a set of words
 * @head: the first
 * @tail: the last
 * @loc: from its first to its last brace
 * @braces: it has some
 */
struct words {
	struct word *head;
	struct word *tail;
	struct location loc;
	bool braces;
};

/**
 * struct cond_item - one condition of a match line
 * @next: the one behind it
 * @loc: its place
 * @match: enum esmtp_match
 * @negate: "not" stands before it
 * @limit: what it is compared with, or NULL
 * @words: the members of its set
 * @table: the name of its table, or NULL
 * @list: that is a list of domains
 * @field: the name of the field that it is about, or NULL
 */
struct cond_item {
	struct cond_item *next;
	struct location loc;
	int match;
	bool negate;
	struct word *limit;
	struct words words;
	struct word *table;
	bool list;
	struct word *field;
};

enum item_kind {
	ITEM_DESCRIPTION,	/* word */
	ITEM_SLOT,		/* word */
	ITEM_BANNER,		/* value: mask */
	ITEM_TLS,		/* value: allow */
	ITEM_MODE,		/* value: monitor */
	ITEM_LOG_LEVEL,		/* word */
	ITEM_LOG_GROUP,		/* word */
	ITEM_BRACKETS,		/* value: blank */
	ITEM_PIPELINING,	/* value: deny */
	ITEM_VERBS,		/* words; value: enum verbs_how */
	ITEM_INHERIT,		/* word: name of a policy */
	ITEM_MATCH,		/* conds; action, log */
	ITEM_CLASS_LINE,	/* value: enum class_line; words */
	ITEM_INSPECT,		/* value: enum inspect_kind; word: class, or NULL; arg: policy */
	ITEM_PICKUP,		/* value: pass */
	ITEM_PORTS,		/* words */
};

/* What a line with verbs does with those that there are. */
enum verbs_how {
	VERBS_REPLACE,
	VERBS_ADD,
	VERBS_REMOVE,
};

/**
 * struct item - one line of a block
 * @next: the one behind it
 * @loc: its place
 * @kind: what it is
 * @value: see enum item_kind
 * @action: enum esmtp_action
 * @log: an event is wanted
 * @code: of a reply, or NULL
 * @text: of a reply, or NULL
 * @rate: of a limited rate, or NULL
 * @burst: of a limited rate, or NULL
 * @word: see enum item_kind
 * @arg: see enum item_kind
 * @words: see enum item_kind
 * @conds: see enum item_kind
 * @connections: of ITEM_INSPECT, or NULL
 * @embryonic: the same
 * @refuse: with @embryonic
 */
struct item {
	struct item *next;
	struct location loc;
	enum item_kind kind;
	int value;
	int action;
	bool log;
	struct word *code;
	struct word *text;
	struct word *rate;
	struct word *burst;
	struct word *word;
	struct word *arg;
	struct words words;
	struct cond_item *conds;
	struct word *connections;
	struct word *embryonic;
	bool refuse;
};

/**
 * struct items - the lines of a block
 * @head: the first
 * @tail: the last
 * @broken: there were others that could not be read
 */
struct items {
	struct item *head;
	struct item *tail;
	bool broken;
};

enum stmt_kind {
	STMT_FLUSH,
	STMT_REGEX,
	STMT_DOMAINS,
	STMT_POLICY,
	STMT_SET,
	STMT_EXEMPT,
	STMT_CLASS,
	STMT_INSPECT,
};

/**
 * struct stmt - one statement of a file
 * @next: the one behind it
 * @loc: its place, of a block that of its first line
 * @kind: what it is
 * @name: of a table, policy, set or class
 * @words: of STMT_REGEX, STMT_DOMAINS, STMT_SET, STMT_EXEMPT
 * @nocase: of STMT_REGEX
 * @items: of a block
 */
struct stmt {
	struct stmt *next;
	struct location loc;
	enum stmt_kind kind;
	struct word *name;
	struct words words;
	bool nocase;
	struct items items;
};

/**
 * struct ast - a file as it was written
 * @head: first statement
 * @tail: last statement
 * @end: the place behind the last character
 * @words: how many were read
 */
struct ast {
	struct stmt *head;
	struct stmt *tail;
	struct location end;
	unsigned int words;
};

#endif
