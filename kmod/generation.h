/* SPDX-License-Identifier: GPL-2.0-only */
/* Configurations that are gone, but for the connections that began with them. */
#ifndef _ESMTP_GENERATION_H
#define _ESMTP_GENERATION_H

#include <linux/atomic.h>
#include <linux/refcount.h>

#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"

/* One more: the empty configuration is never refused, and the last one takes a place then. */
#define ESMTP_GENERATIONS_ROOM (ESMTP_GENERATIONS_MAX + 1)

/**
 * struct esmtp_generation - a configuration, as long as anything of it is in use
 * @ref: one by the namespace or the stage, one by each of its policies
 * @users: connections that are read by one of them
 * @number: ESMTP_A_GENERATION; set when it takes effect
 */
struct esmtp_generation {
	refcount_t ref;
	atomic_t users;
	u64 number;
};

struct esmtp_net;

/** esmtp_generation_new() - one reference, or NULL; process context */
struct esmtp_generation *esmtp_generation_new(void);

/** esmtp_generation_get() - one more reference */
struct esmtp_generation *esmtp_generation_get(struct esmtp_generation *g);

/** esmtp_generation_put() - give a reference back; any context; NULL is nothing */
void esmtp_generation_put(struct esmtp_generation *g);

/** esmtp_generation_use() - a connection begins to be read by a policy of it; any context */
static inline void esmtp_generation_use(struct esmtp_generation *g)
{
	atomic_inc(&g->users);
}

/** esmtp_generation_unuse() - it is not any more: it has ended or is closed; any context */
static inline void esmtp_generation_unuse(struct esmtp_generation *g)
{
	atomic_dec(&g->users);
}

/** esmtp_generations_full() - whether as many old ones as may be are in use; @en->config held */
bool esmtp_generations_full(struct esmtp_net *en);

/**
 * esmtp_generations_commit() - another configuration is the running one
 * @en: namespace; @en->config held
 * @g: (MAYBE NULL) it; the caller's reference; NULL = the empty one
 *
 * Cannot fail: there is room where esmtp_generations_full() said so.
 */
void esmtp_generations_commit(struct esmtp_net *en, struct esmtp_generation *g);

/** esmtp_generations_drop() - the namespace goes and forgets them */
void esmtp_generations_drop(struct esmtp_net *en);

#endif /* _ESMTP_GENERATION_H */
