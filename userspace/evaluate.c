// SPDX-License-Identifier: GPL-2.0-only
/*
 * From what was written to what is meant: names are looked up, values read,
 * defaults filled in, and what makes no sense is refused with a sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "evaluate.h"
#include "language.h"
#include "names.h"
#include "util.h"

static void evaluate_class_line(const struct item *item, struct class *k, const struct config *c,
				struct erecs *errors)
{
	unsigned int bit = 1u << item->value;

	if (k->lines & bit) {
		erec_add(errors, &item->loc, "class %s has a line %s already: write { A, B }",
			 k->name, class_line_name((enum class_line)item->value));
		return;
	}
	k->lines |= bit;
	if (item->value > CLASS_DPORT)
		evaluate_ifnames(&item->words, &k->ifnames[item->value - CLASS_IIFNAME], errors);
	else
		evaluate_keys(&item->words, item->value == CLASS_DPORT, c, &k->keys[item->value],
			      &k->refs[item->value], errors);
}

/* A connection is IPv4 or IPv6: lines that have nothing in common exclude each other. */
static bool class_possible(const struct class *k)
{
	bool v4 = true, v6 = true;

	for (int line = CLASS_HOST; line <= CLASS_DADDR; line++) {
		if (!k->keys[line].n)
			continue;
		v4 &= intervals_have(&k->keys[line], KEY_IPV4);
		v6 &= intervals_have(&k->keys[line], KEY_IPV6);
	}
	return v4 || v6;
}

static void evaluate_class(const struct stmt *stmt, struct config *c, struct erecs *errors)
{
	struct class *k = mem_alloc(sizeof(*k)), **tail = &c->classes;
	unsigned int before = errors->count;

	evaluate_name(stmt->name, "class", errors);
	if (config_class(c, stmt->name->text)) {
		erec_add(errors, &stmt->name->loc, "class %s exists already", stmt->name->text);
		return;
	}
	k->loc = stmt->name->loc;
	k->name = stmt->name->text;
	for (const struct item *i = stmt->items.head; i; i = i->next)
		evaluate_class_line(i, k, c, errors);
	if (!stmt->items.head && !stmt->items.broken)
		erec_add(errors, &k->loc, "class %s has no line that says what belongs to it", k->name);
	else if (errors->count == before && !class_possible(k))
		erec_add(errors, &k->loc,
			 "nothing can belong to class %s: one line has only IPv4, another only IPv6 addresses",
			 k->name);
	while (*tail)
		tail = &(*tail)->next;
	*tail = k;
}

static uint32_t limit_number(const struct word *w, struct erecs *errors)
{
	unsigned long v = strlen(w->text) > 9 ? 0 : strtoul(w->text, NULL, 10);

	if (v >= 1 && v <= CONNECTIONS_MAX)
		return (uint32_t)v;
	erec_add(errors, &w->loc, "expected a number of connections from 1 to %d", CONNECTIONS_MAX);
	return 0;
}

static void inspect_policy(const struct item *item, struct inspect *l, const struct config *c,
			   struct erecs *errors)
{
	if (!config_policy(c, item->arg->text))
		erec_add(errors, &item->arg->loc, "there is no policy %s", item->arg->text);
	l->policy = item->arg->text;
	if (item->connections)
		l->connections = limit_number(item->connections, errors);
	if (item->embryonic)
		l->embryonic = limit_number(item->embryonic, errors);
	l->refuse = item->refuse;
}

static bool by_iifname(const struct config *c, const char *name)
{
	const struct class *k = name ? config_class(c, name) : NULL;

	return k && k->lines & 1u << CLASS_IIFNAME;
}

static void inspect_line(const struct item *item, struct config *c, struct inspect ***tail,
			 struct erecs *errors)
{
	struct inspect *l = mem_alloc(sizeof(*l));
	unsigned int n = 0;

	l->loc = item->loc;
	l->kind = (enum inspect_kind)item->value;
	for (const struct inspect *o = c->inspect; o; o = o->next, n++) {
		if (!o->class)
			erec_add(errors, &item->loc,
				 "nothing reaches this line: default stands before it");
		else if (item->word && !strcmp(o->class, item->word->text))
			erec_add(errors, &item->loc,
				 "nothing reaches this line: class %s has one before it", o->class);
	}
	if (item->word) {
		if (!config_class(c, item->word->text))
			erec_add(errors, &item->word->loc, "there is no class %s", item->word->text);
		l->class = item->word->text;
	}
	if (l->kind == INSPECT_POLICY)
		inspect_policy(item, l, c, errors);
	if (l->embryonic && n >= EMBRYONIC_LINES)
		erec_add(errors, &item->embryonic->loc, "embryonic can stand in the first %d lines only",
			 EMBRYONIC_LINES);
	if (l->embryonic && !l->refuse && by_iifname(c, l->class))
		erec_add(errors, &item->embryonic->loc,
			 "class %s has iifname, and what synproxy sends comes in nowhere: write embryonic %u refuse",
			 l->class, l->embryonic);
	**tail = l;
	*tail = &l->next;
}

static void inspect_ports(const struct item *item, struct config *c, bool *seen,
			  struct erecs *errors)
{
	if (*seen) {
		erec_add(errors, &item->loc, "ports are given already: write ports { A, B }");
		return;
	}
	*seen = true;
	c->ports.n = 0;
	evaluate_keys(&item->words, true, c, &c->ports, &c->ports_ref, errors);
}

/* A list without a default line inspects nothing else: it is said, so that a listing says it. */
static void inspect_finish(struct config *c, struct inspect **tail, const struct stmt *stmt,
			   struct erecs *errors)
{
	struct inspect *l;

	if (!c->inspect && stmt->items.broken)
		return;
	if (!c->inspect) {
		erec_add(errors, &stmt->loc,
			 "inspect has no line: 'default policy NAME' inspects all, 'class NAME policy NAME' some");
		return;
	}
	for (l = c->inspect; l; l = l->next)
		if (!l->class)
			return;
	l = mem_alloc(sizeof(*l));
	l->loc = stmt->loc;
	l->kind = INSPECT_NONE;
	*tail = l;
}

static void evaluate_inspect(const struct stmt *stmt, struct config *c, struct erecs *errors)
{
	struct inspect **tail = &c->inspect;
	bool ports = false, pickup = false;

	if (c->inspect) {
		erec_add(errors, &stmt->loc, "there is an inspect list already: one list, first match wins");
		return;
	}
	for (const struct item *i = stmt->items.head; i; i = i->next) {
		if (i->kind == ITEM_PORTS) {
			inspect_ports(i, c, &ports, errors);
		} else if (i->kind == ITEM_PICKUP) {
			if (pickup)
				erec_add(errors, &i->loc, "pickup is given already");
			pickup = true;
			c->pickup_pass = i->value;
		} else {
			inspect_line(i, c, &tail, errors);
		}
	}
	inspect_finish(c, tail, stmt, errors);
}

static void evaluate_exempt(const struct stmt *stmt, struct config *c, struct erecs *errors)
{
	struct intervals hosts = { 0 };
	const char *ref = NULL;

	evaluate_keys(&stmt->words, false, c, &hosts, &ref, errors);
	if (ref) {
		config_set(c, ref)->exempt = true;
		return;
	}
	for (size_t i = 0; i < hosts.n; i++)
		intervals_add(&c->exempt, &hosts.v[i]);
	intervals_merge(&c->exempt);
	c->exempt_loc = stmt->loc;
}

/* First what others refer to, then those others: the order of a file is free. */
static void evaluate_kind(const struct ast *ast, enum stmt_kind kind, struct config *c,
			  struct erecs *errors)
{
	for (const struct stmt *s = ast->head; s; s = s->next) {
		if (s->kind != kind)
			continue;
		switch (kind) {
		case STMT_FLUSH:
			if (s != ast->head)
				erec_add(errors, &s->loc, "flush ruleset stands first or not at all");
			break;
		case STMT_POLICY:
			evaluate_name(s->name, "policy", errors);
			evaluate_policy(s, c, errors);
			break;
		case STMT_SET:
			evaluate_set(s, c, errors);
			break;
		case STMT_CLASS:
			evaluate_class(s, c, errors);
			break;
		case STMT_EXEMPT:
			evaluate_exempt(s, c, errors);
			break;
		case STMT_INSPECT:
			evaluate_inspect(s, c, errors);
			break;
		default:
			break;
		}
	}
}

static void evaluate_tables(const struct ast *ast, struct config *c, struct erecs *errors)
{
	for (const struct stmt *s = ast->head; s; s = s->next) {
		if (s->kind != STMT_REGEX && s->kind != STMT_DOMAINS)
			continue;
		evaluate_name(s->name, s->kind == STMT_REGEX ? "regex" : "list", errors);
		evaluate_table(s, c, errors);
	}
}

/**
 * language_evaluate() - find out what a file means
 * @ast: what was written
 * @c: what it means
 * @errors: what makes no sense
 *
 * Return: true if all makes sense.
 */
bool language_evaluate(const struct ast *ast, struct config *c, struct erecs *errors)
{
	unsigned int before = errors->count;

	memset(c, 0, sizeof(*c));
	config_default_port(&c->ports);
	if (!ast->head)
		erec_add(errors, &ast->end,
			 "there is no statement; 'flush ruleset' alone empties the configuration");
	evaluate_kind(ast, STMT_FLUSH, c, errors);
	evaluate_tables(ast, c, errors);
	evaluate_kind(ast, STMT_POLICY, c, errors);
	evaluate_kind(ast, STMT_SET, c, errors);
	evaluate_kind(ast, STMT_CLASS, c, errors);
	evaluate_kind(ast, STMT_EXEMPT, c, errors);
	evaluate_kind(ast, STMT_INSPECT, c, errors);
	return errors->count == before;
}
