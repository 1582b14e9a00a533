// SPDX-License-Identifier: GPL-2.0-only
/*
 * A connection keeps the policy that it began with, so a configuration lives on until the
 * last of its connections has gone. How many may is bounded: somebody who loads a
 * file every second would fill memory with policies.
 */
#include <linux/bug.h>
#include <linux/slab.h>

#include "generation.h"
#include "net.h"

struct esmtp_generation *esmtp_generation_new(void)
{
	struct esmtp_generation *g = kzalloc(sizeof(*g), GFP_KERNEL_ACCOUNT);

	if (g)
		refcount_set(&g->ref, 1);
	return g;
}

struct esmtp_generation *esmtp_generation_get(struct esmtp_generation *g)
{
	refcount_inc(&g->ref);
	return g;
}

void esmtp_generation_put(struct esmtp_generation *g)
{
	if (g && refcount_dec_and_test(&g->ref))
		kfree(g);
}

/* Nobody is read by it any more. A closed connection only counts what it drops, for minutes yet. */
static bool is_over(const struct esmtp_generation *g)
{
	return !atomic_read(&g->users);
}

/* Forget those that are over; returns how many are not. */
static unsigned int in_use(struct esmtp_net *en)
{
	unsigned int i, n = 0;

	for (i = 0; i < ESMTP_GENERATIONS_ROOM; i++) {
		if (!en->old[i])
			continue;
		if (is_over(en->old[i])) {
			esmtp_generation_put(en->old[i]);
			en->old[i] = NULL;
			continue;
		}
		n++;
	}
	return n;
}

bool esmtp_generations_full(struct esmtp_net *en)
{
	return in_use(en) >= ESMTP_GENERATIONS_MAX;
}

void esmtp_generations_commit(struct esmtp_net *en, struct esmtp_generation *g)
{
	struct esmtp_generation *old = en->current_gen;
	unsigned int i;

	en->current_gen = g;
	if (!old || is_over(old)) {
		esmtp_generation_put(old);
		return;
	}
	in_use(en);
	for (i = 0; i < ESMTP_GENERATIONS_ROOM; i++) {
		if (!en->old[i]) {
			en->old[i] = old;
			return;
		}
	}
	WARN_ON_ONCE(1);
	esmtp_generation_put(old);
}

void esmtp_generations_drop(struct esmtp_net *en)
{
	unsigned int i;

	esmtp_generation_put(en->current_gen);
	for (i = 0; i < ESMTP_GENERATIONS_ROOM; i++)
		esmtp_generation_put(en->old[i]);
}
