/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_EREC_H
#define ESMTPCTL_EREC_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/**
 * struct input - a text with statements
 * @name: what messages call it
 * @text: its bytes, ended by a NUL
 * @len: how many
 * @includer: the input that includes it, or NULL
 * @file: it is a file, with these numbers; only such may include others
 * @dev: of its file system
 * @ino: of itself
 */
struct input {
	const char *name;
	char *text;
	size_t len;
	const struct input *includer;
	bool file;
	dev_t dev;
	ino_t ino;
};

/**
 * struct location - where something stands in an input
 * @in: the input; NULL = it stands nowhere
 * @order: how many words were read before it, of all inputs
 * @first_line: from 1
 * @first_column: from 1
 * @last_line: of the last character
 * @last_column: of the last character
 */
struct location {
	const struct input *in;
	unsigned int order;
	unsigned int first_line;
	unsigned int first_column;
	unsigned int last_line;
	unsigned int last_column;
};

/**
 * struct erec - one error
 * @next: the one behind it
 * @loc: its place
 * @text: the sentence
 */
struct erec {
	struct erec *next;
	struct location loc;
	const char *text;
};

/**
 * struct erecs - errors in the order in which they were found
 * @head: the first
 * @tail: where the next is hung
 * @count: how many
 */
struct erecs {
	struct erec *head;
	struct erec **tail;
	unsigned int count;
};

bool location_before(const struct location *a, const struct location *b);
void erec_init(struct erecs *es);
void erec_add(struct erecs *es, const struct location *loc, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void erec_take(struct erecs *es, const struct erecs *more);
void erec_print(const struct erecs *es, FILE *f);

#endif
