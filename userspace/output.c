// SPDX-License-Identifier: GPL-2.0-only
/*
 * What all formats share: which objects a ruleset has, in which order, and the
 * names of the nft table's counters.
 */
#include "output.h"

/**
 * output_ruleset() - print a configuration
 * @o: where and how
 * @c: the configuration
 */
void output_ruleset(struct output *o, const struct config *c)
{
	o->ops->begin(o);
	for (const struct table *t = c->tables; t; t = t->next)
		o->ops->table(o, t);
	for (const struct policy *p = c->policies; p; p = p->next)
		o->ops->policy(o, p);
	for (const struct named_set *s = c->sets; s; s = s->next)
		o->ops->set(o, s);
	o->ops->exempt(o, c);
	for (const struct class *k = c->classes; k; k = k->next)
		o->ops->class(o, k);
	if (c->inspect)
		o->ops->inspect(o, c);
	o->ops->end(o);
}

static const char *const guard_names[GUARD_COUNTERS][2] = {
	[GUARD_INVALID] = { "invalid", "dropped, invalid for connection tracking" },
	[GUARD_UNTRACKED] = { "untracked", "dropped, not tracked" },
	[GUARD_NOT_SYN] = { "not-syn", "first packets of a connection that are no SYN" },
	[GUARD_CONNECTIONS] = { "over-limit", "connections refused, over the limit of their class" },
	[GUARD_COOKIES] = { "cookies", "SYNs answered by a cookie" },
	[GUARD_ANSWERS] = { "cookie-answers", "packets looked at for a cookie" },
	[GUARD_PICKUP] = { "pickup", "packets of connections whose start was not seen" },
	[GUARD_NO_MEMORY] = { "no-memory", "SYNs dropped, no memory to note that they are inspected" },
};

/**
 * guard_since_reset() - count from the last reset on
 * @g: counters as if nothing had ever been reset; changed
 */
void guard_since_reset(struct guard *g)
{
	for (enum guard_counter n = 0; n < GUARD_COUNTERS; n++) {
		g->now[n].packets -= g->base[n].packets;
		g->now[n].bytes -= g->base[n].bytes;
	}
}

/**
 * guard_counter_name() - the name of a counter in the nft table
 * @counter: the counter
 *
 * Return: its name.
 */
const char *guard_counter_name(enum guard_counter counter)
{
	return guard_names[counter][0];
}

/**
 * guard_counter_text() - a counter of the nft table in a listing
 * @counter: the counter
 *
 * Return: its words.
 */
const char *guard_counter_text(enum guard_counter counter)
{
	return guard_names[counter][1];
}
