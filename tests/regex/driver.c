// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes tables and runs them, for run. Lines on standard input, words in hexadecimal:
 *   regex FLAGS EXPRESSION...	makes a table; FLAGS: i or -. Answer: "ok STATES BYTES" or "error AT SENTENCE"
 *   domains ELEMENT...		the same of a list
 *   text TEXT			answer: 1 or 0, by the last table, the text cut anywhere
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/esmtp/table.h"
#include "regex.h"
#include "trie.h"
#include "util.h"

static struct esmtp_table *table;

static unsigned int nibble(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The bytes of a word, in memory of just their size; a NUL stands behind them. */
static char *unhex(const char *word, size_t *len)
{
	char *bytes;

	*len = strlen(word) / 2;
	bytes = malloc(*len + 1);
	for (size_t i = 0; i < *len; i++)
		bytes[i] = (char)(nibble(word[2 * i]) << 4 | nibble(word[2 * i + 1]));
	bytes[*len] = '\0';
	return bytes;
}

/* The table moves to memory of just its size, so that the sanitizer sees a step beside it. */
static void take(const struct blob *blob)
{
	const char *why;

	free(table);
	table = malloc(blob->len);
	memcpy(table, blob->data, blob->len);
	why = esmtp_table_check(table, (uint32_t)blob->len);
	if (why) {
		printf("bad table: %s\n", why);
		exit(1);
	}
	printf("ok %u %zu\n", table->n_states, blob->len);
}

static void make_regex(char *words)
{
	bool nocase = *strtok(words, " ") == 'i';
	struct regex_branch *all = NULL, **tail = &all;
	struct regex_error e = { 0, NULL };
	struct blob blob;
	size_t len;
	char *word;

	while ((word = strtok(NULL, " "))) {
		char *text = unhex(word, &len);
		struct regex *tree = regex_parse(text, nocase, &e);

		*tail = tree ? regex_branches(tree, &e) : NULL;
		free(text);
		if (!*tail) {
			printf("error %u %s\n", e.at, e.why);
			return;
		}
		while (*tail)
			tail = &(*tail)->next;
	}
	if (regex_table(all, &blob, &e.why))
		take(&blob);
	else
		printf("error 0 %s\n", e.why);
}

static void make_domains(char *words)
{
	const char *why = NULL;
	struct domains d;
	struct blob blob;
	size_t len;

	domains_init(&d);
	for (char *word = strtok(words, " "); word && !why; word = strtok(NULL, " ")) {
		char *text = unhex(word, &len);

		why = domains_add(&d, text);
		free(text);
	}
	if (why)
		printf("error 0 %s\n", why);
	else if (domains_table(&d, &blob) == AUTOMATON_OK)
		take(&blob);
	else
		printf("error 0 no table\n");
}

static uint16_t feed(uint16_t state, const char *text, size_t len)
{
	while (len--)
		state = esmtp_table_next(table, state, (uint8_t)*text++);
	return state;
}

static void run_text(const char *word)
{
	size_t len, cut;
	char *text = unhex(word, &len);
	uint16_t state;
	bool stuck;

	cut = len ? (size_t)rand() % len : 0;
	state = feed(esmtp_table_start(table), text, cut);
	stuck = esmtp_table_stuck(table, state);
	if (stuck && feed(state, text + cut, len - cut) != state)
		printf("stuck is not stuck\n");
	state = feed(state, text + cut, len - cut);
	printf("%d\n", esmtp_table_accepts(table, state));
	free(text);
}

int main(void)
{
	static char line[1 << 22];

	while (fgets(line, sizeof(line), stdin)) {
		struct mem_mark mark = mem_mark();

		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "regex ", 6))
			make_regex(line + 6);
		else if (!strncmp(line, "domains ", 8))
			make_domains(line + 8);
		else if (!strncmp(line, "text ", 5))
			run_text(line + 5);
		fflush(stdout);
		mem_release_since(mark);
	}
	free(table);
	return 0;
}
