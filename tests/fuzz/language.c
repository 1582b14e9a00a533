// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any text as a configuration. What is refused has a sentence for each reason; what is taken has a
 * listing that is read again, and is its own.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/language.h"
#include "../../userspace/output.h"
#include "../../userspace/util.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void die(const char *what, const char *text)
{
	fprintf(stderr, "%s:\n%s\n", what, text);
	abort();
}

/* The listing, or NULL where there are errors. */
static char *listing(char *text, size_t len, FILE *nowhere)
{
	const struct input in = { .name = "input", .text = text, .len = len };
	struct config c = { 0 };
	struct erecs errors;
	struct ast ast = { 0 };
	size_t size;
	struct output o = { .ops = &output_text };
	char *out = NULL;
	bool ok;

	erec_init(&errors);
	ok = language_parse(&in, &ast, &errors);
	/* What could be understood is evaluated all the same. */
	if (ok || ast.head)
		ok &= language_evaluate(&ast, &c, &errors);
	if (!ok) {
		if (!errors.count || !errors.head || !*errors.head->text)
			die("refused without a word", text);
		erec_print(&errors, nowhere);
		return NULL;
	}
	o.f = open_memstream(&out, &size);
	output_ruleset(&o, &c);
	fclose(o.f);
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static FILE *nowhere;
	char *text, *first, *second;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	/* A scanner ends at a NUL; expressions are compiled in a child, which is not what is looked for. */
	if (len > TEXT_MAX || memchr(data, 0, len))
		return 0;
	text = strndup((const char *)data, len);
	if (strcasestr(text, "regex")) {
		free(text);
		return 0;
	}
	first = listing(text, len, nowhere);
	/* An empty configuration has no listing, and an empty file is refused. */
	if (first && *first) {
		second = listing(first, strlen(first), nowhere);
		if (!second || strcmp(first, second))
			die("the listing is not its own", first);
		free(second);
	}
	free(first);
	free(text);
	mem_release();
	return 0;
}
