// SPDX-License-Identifier: GPL-2.0-only
/*
 * Errors and their places. They are collected, so that one run shows all that
 * is wrong with a file, and printed with the line and carets under it.
 */
#include <stdarg.h>
#include <string.h>

#include "erec.h"
#include "util.h"

#define EREC_MAX 20	/* more help nobody */

/**
 * location_before() - of two places, is this the first?
 * @a: this
 * @b: the other
 *
 * Return: true if it was read before the other.
 */
bool location_before(const struct location *a, const struct location *b)
{
	return a->order < b->order;
}

/**
 * erec_init() - begin an empty list
 * @es: the list
 */
void erec_init(struct erecs *es)
{
	es->head = NULL;
	es->tail = &es->head;
	es->count = 0;
}

/**
 * erec_add() - note an error
 * @es: the list
 * @loc: its place, or NULL
 * @fmt: the sentence, as in printf()
 */
void erec_add(struct erecs *es, const struct location *loc, const char *fmt, ...)
{
	struct erec *e = mem_alloc(sizeof(*e));
	char buf[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	e->text = mem_strdup(buf);
	if (loc)
		e->loc = *loc;
	*es->tail = e;
	es->tail = &e->next;
	es->count++;
}

/**
 * erec_take() - put errors behind others
 * @es: the list
 * @more: what comes behind; not to be used any more
 */
void erec_take(struct erecs *es, const struct erecs *more)
{
	if (!more->count)
		return;
	*es->tail = more->head;
	es->tail = more->tail;
	es->count += more->count;
}

static const char *line_of(const struct input *in, unsigned int line, size_t *len)
{
	const char *p = in->text, *end = in->text + in->len, *nl;

	while (--line && p < end) {
		nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : end;
	}
	nl = memchr(p, '\n', (size_t)(end - p));
	*len = (size_t)((nl ? nl : end) - p);
	if (*len && p[*len - 1] == '\r')
		--*len;
	return p;
}

/* What could move the cursor is not repeated on a terminal; a tab is kept so that the carets stand right. */
static void print_line(FILE *f, const char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];

		fputc((c >= 0x20 && c != 0x7f) || c == '\t' ? c : '?', f);
	}
	fputc('\n', f);
}

/* Of a character of UTF-8 the first byte takes a place on a terminal, the others none. */
static bool takes_place(const char *line, size_t len, size_t at)
{
	return at >= len || ((unsigned char)line[at] & 0xc0) != 0x80;
}

static void print_carets(FILE *f, const char *line, size_t len, const struct location *loc)
{
	size_t first = loc->first_column - 1, last;

	last = loc->last_line > loc->first_line ? len : loc->last_column;
	if (last > len)
		last = len;
	for (size_t i = 0; i < first; i++)
		if (takes_place(line, len, i))
			fputc(i < len && line[i] == '\t' ? '\t' : ' ', f);
	do {
		if (takes_place(line, len, first))
			fputc('^', f);
	} while (++first < last);
	fputc('\n', f);
}

static void print_one(FILE *f, const struct erec *e)
{
	const struct location *loc = &e->loc;
	const char *line;
	size_t len;

	if (!loc->in) {
		fprintf(f, "Error: %s\n", e->text);
		return;
	}
	fprintf(f, "%s:%u:%u-%u: Error: %s\n", loc->in->name, loc->first_line, loc->first_column,
		loc->last_line > loc->first_line ? loc->first_column : loc->last_column, e->text);
	line = line_of(loc->in, loc->first_line, &len);
	print_line(f, line, len);
	print_carets(f, line, len, loc);
}

/**
 * erec_print() - print all errors
 * @es: the list
 * @f: where to
 */
void erec_print(const struct erecs *es, FILE *f)
{
	unsigned int n = 0;

	for (const struct erec *e = es->head; e; e = e->next) {
		if (n++ == EREC_MAX) {
			fprintf(f, "and %u more errors\n", es->count - EREC_MAX);
			return;
		}
		print_one(f, e);
	}
}
