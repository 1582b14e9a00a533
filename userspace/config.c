// SPDX-License-Identifier: GPL-2.0-only
/*
 * The evaluated configuration: what a file means, and what is read back.
 */
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "util.h"

/**
 * config_table() - look a table up
 * @c: the configuration
 * @name: its name
 *
 * Return: the table, or NULL.
 */
struct table *config_table(const struct config *c, const char *name)
{
	for (struct table *t = c->tables; t; t = t->next)
		if (!strcmp(t->name, name))
			return t;
	return NULL;
}

/**
 * config_add_table() - add a table behind the others
 * @c: the configuration
 * @t: the table; gets the next number
 */
void config_add_table(struct config *c, struct table *t)
{
	struct table **tail = &c->tables;

	for (t->id = 1; *tail; tail = &(*tail)->next)
		t->id++;
	*tail = t;
}

/**
 * config_policy() - look a policy up
 * @c: the configuration
 * @name: its name
 *
 * Return: the policy, or NULL.
 */
struct policy *config_policy(const struct config *c, const char *name)
{
	for (struct policy *p = c->policies; p; p = p->next)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

/**
 * config_set() - look a named set up
 * @c: the configuration
 * @name: its name
 *
 * Return: the set, or NULL.
 */
struct named_set *config_set(const struct config *c, const char *name)
{
	for (struct named_set *s = c->sets; s; s = s->next)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/**
 * config_exempts() - is any host exempt?
 * @c: the configuration
 *
 * Return: true if so.
 */
bool config_exempts(const struct config *c)
{
	for (const struct named_set *s = c->sets; s; s = s->next)
		if (s->exempt)
			return true;
	return c->exempt.n;
}

/**
 * config_class() - look a class up
 * @c: the configuration
 * @name: its name
 *
 * Return: the class, or NULL.
 */
struct class *config_class(const struct config *c, const char *name)
{
	for (struct class *k = c->classes; k; k = k->next)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

/**
 * config_limits() - does a line of the inspect list limit connections?
 * @c: the configuration
 *
 * Return: true if so.
 */
bool config_limits(const struct config *c)
{
	for (const struct inspect *l = c->inspect; l; l = l->next)
		if (l->connections || l->embryonic)
			return true;
	return false;
}

/**
 * config_cookies() - does one ask for cookies?
 * @c: the configuration
 *
 * Return: true if so.
 */
bool config_cookies(const struct config *c)
{
	for (const struct inspect *l = c->inspect; l; l = l->next)
		if (l->embryonic && !l->refuse)
			return true;
	return false;
}

/**
 * config_policies() - count the policies
 * @c: the configuration
 *
 * Return: how many.
 */
unsigned int config_policies(const struct config *c)
{
	unsigned int n = 0;

	for (const struct policy *p = c->policies; p; p = p->next)
		n++;
	return n;
}

static bool slot_taken(const struct config *c, uint8_t slot)
{
	for (const struct policy *p = c->policies; p; p = p->next)
		if (p->slot == slot)
			return true;
	return false;
}

static struct policy *take_lowest(struct policy **list)
{
	struct policy **lowest = list, *p;

	for (struct policy **i = list; *i; i = &(*i)->next)
		if ((*i)->slot < (*lowest)->slot)
			lowest = i;
	p = *lowest;
	*lowest = p->next;
	p->next = NULL;
	return p;
}

/**
 * config_take_slots() - give policies the slots, and the order, that the module gives them where nothing runs
 * @c: the configuration
 */
void config_take_slots(struct config *c)
{
	struct policy *left = c->policies, **tail = &c->policies;

	for (struct policy *p = c->policies; p; p = p->next)
		for (uint8_t slot = 0; p->slot == SLOT_ANY && slot < ESMTP_SLOTS; slot++)
			if (!slot_taken(c, slot))
				p->slot = slot;
	while (left) {
		*tail = take_lowest(&left);
		tail = &(*tail)->next;
	}
}

/**
 * config_all_ports() - every port on which something is inspected
 * @c: the configuration
 * @all: an empty set, filled and merged
 */
void config_all_ports(const struct config *c, struct intervals *all)
{
	const struct intervals *ports;
	const struct class *k;

	for (const struct inspect *l = c->inspect; l; l = l->next) {
		if (l->kind != INSPECT_POLICY)
			continue;
		k = l->class ? config_class(c, l->class) : NULL;
		ports = k && k->lines & 1u << CLASS_DPORT ? &k->keys[CLASS_DPORT] : &c->ports;
		for (size_t i = 0; i < ports->n; i++)
			intervals_add(all, &ports->v[i]);
	}
	intervals_merge(all);
}

/**
 * config_default_port() - the ports of a configuration that names none
 * @ports: an empty set
 */
void config_default_port(struct intervals *ports)
{
	struct interval iv;

	interval_parse_ports("25", &iv);
	intervals_add(ports, &iv);
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/**
 * names_sort() - bring names into the order in which they are listed
 * @names: the names
 */
void names_sort(struct names *names)
{
	if (names->n)
		qsort(names->v, names->n, sizeof(*names->v), name_cmp);
}

/**
 * class_line_name() - the word that a line of a class begins with
 * @line: the line
 *
 * Return: the word.
 */
const char *class_line_name(enum class_line line)
{
	static const char *const names[] = {
		[CLASS_HOST] = "host",
		[CLASS_SADDR] = "saddr",
		[CLASS_DADDR] = "daddr",
		[CLASS_DPORT] = "dport",
		[CLASS_IIFNAME] = "iifname",
		[CLASS_OIFNAME] = "oifname",
	};

	return line < CLASS_LINES ? names[line] : "?";
}
