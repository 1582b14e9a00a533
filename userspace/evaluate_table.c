// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a regular expression or a list of domains means: a table for the module.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "evaluate.h"
#include "regex.h"
#include "trie.h"
#include "util.h"

static int word_cmp(const void *a, const void *b)
{
	return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

/* Domains are listed in order, each once. */
static void sort_unique(struct names *words)
{
	size_t n = 0;

	qsort(words->v, words->n, sizeof(*words->v), word_cmp);
	for (size_t i = 0; i < words->n; i++)
		if (!n || strcasecmp(words->v[n - 1], words->v[i]))
			words->v[n++] = words->v[i];
	words->n = n;
}

/**
 * table_of_stmt() - a statement as a table, without what the module takes
 * @stmt: STMT_REGEX or STMT_DOMAINS
 *
 * Return: the table.
 */
struct table *table_of_stmt(const struct stmt *stmt)
{
	struct table *t = mem_alloc(sizeof(*t));
	size_t n = 0;

	t->loc = stmt->name->loc;
	t->kind = stmt->kind == STMT_REGEX ? TABLE_REGEX : TABLE_DOMAINS;
	t->name = stmt->name->text;
	t->nocase = stmt->nocase;
	for (const struct word *w = stmt->words.head; w; w = w->next)
		n++;
	t->words.v = mem_alloc((n + 1) * sizeof(*t->words.v));
	for (const struct word *w = stmt->words.head; w; w = w->next)
		t->words.v[t->words.n++] = w->text;
	if (t->kind == TABLE_DOMAINS)
		sort_unique(&t->words);
	return t;
}

/* The place of a character of a string; behind its quote. */
static struct location place_in(const struct word *w, uint32_t at)
{
	struct location loc = w->loc;

	loc.first_column += at + 1;
	if (loc.first_column > loc.last_column)
		loc.first_column = loc.last_column;
	loc.last_column = loc.first_column;
	return loc;
}

/* All expressions as one list of branches, or NULL. */
static struct regex_branch *read_expressions(const struct stmt *stmt, struct erecs *errors)
{
	struct regex_branch *all = NULL, **tail = &all;
	unsigned int before = errors->count;
	struct regex_error e;
	struct location loc;
	struct regex *tree;

	for (const struct word *w = stmt->words.head; w; w = w->next) {
		tree = regex_parse(w->text, stmt->nocase, &e);
		*tail = tree ? regex_branches(tree, &e) : NULL;
		if (!*tail) {
			loc = place_in(w, e.at);
			erec_add(errors, &loc, "%s", e.why);
		}
		while (*tail)
			tail = &(*tail)->next;
	}
	return errors->count == before ? all : NULL;
}

static void make_regex(const struct stmt *stmt, struct table *t, struct erecs *errors)
{
	struct regex_branch *branches = read_expressions(stmt, errors);
	const char *why;

	if (branches && !regex_table(branches, &t->blob, &why))
		erec_add(errors, &stmt->words.loc, "%s", why);
}

static void make_domains(const struct stmt *stmt, struct table *t, struct erecs *errors)
{
	unsigned int before = errors->count;
	enum automaton_result result;
	struct domains d;
	const char *why;

	if (!stmt->words.head)
		erec_add(errors, &stmt->words.loc, "the set is empty");
	domains_init(&d);
	for (const struct word *w = stmt->words.head; w; w = w->next) {
		t->addresses |= !!strchr(w->text, '@');
		why = domains_add(&d, w->text);
		if (why)
			erec_add(errors, &w->loc, "%s", why);
	}
	if (errors->count != before)
		return;
	result = domains_table(&d, &t->blob);
	if (result == AUTOMATON_STATES)
		erec_add(errors, &stmt->words.loc,
			 "a list of this length needs more than 65535 states: write two lists");
	else if (result != AUTOMATON_OK)
		erec_add(errors, &stmt->words.loc,
			 "the table of this list is larger than %d KiB: write two lists",
			 ESMTP_TABLE_SIZE_MAX / 1024);
}

/**
 * evaluate_table() - add a table to a configuration
 * @stmt: what was written
 * @c: the configuration
 * @errors: what makes no sense
 */
void evaluate_table(const struct stmt *stmt, struct config *c, struct erecs *errors)
{
	struct table *t;

	if (config_table(c, stmt->name->text)) {
		erec_add(errors, &stmt->name->loc, "there is a regex or a list %s already",
			 stmt->name->text);
		return;
	}
	t = table_of_stmt(stmt);
	if (t->kind == TABLE_REGEX)
		make_regex(stmt, t, errors);
	else
		make_domains(stmt, t, errors);
	config_add_table(c, t);
	if (t->id > ESMTP_TABLES_MAX)
		erec_add(errors, &t->loc, "there are at most %d regex and lists", ESMTP_TABLES_MAX);
}
