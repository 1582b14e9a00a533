// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: made at the first payload byte, gone with their conntrack entry.
 *
 * An entry that was never confirmed is freed without a word to its helper, so nothing is
 * allocated for a SYN. At unload kernels do not tell either: every session is in a list of
 * ours, and that list is what unloading frees.
 */
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_core.h>

#include "event.h"
#include "session.h"

#define REAP_EVERY	(5 * HZ)
#define LATCH_MAX	(60 * HZ)	/* for a server that owes a reply and is silent */
#define REAP_BATCH	16

static unsigned int sessions_max = 65536;
module_param(sessions_max, uint, 0644);
MODULE_PARM_DESC(sessions_max, "inspected connections in a namespace");

unsigned int esmtp_retain_max = 1 << 20;
module_param_named(retain_max, esmtp_retain_max, uint, 0644);
MODULE_PARM_DESC(retain_max,
		 "bytes in flight retained in each direction of a connection");

unsigned long esmtp_pool_max = 256UL << 20;
module_param_named(pool_max, esmtp_pool_max, ulong, 0644);
MODULE_PARM_DESC(pool_max, "bytes in flight retained in a namespace");

/* Protects every list of sessions; inside a session's lock. */
static DEFINE_SPINLOCK(esmtp_sessions_lock);
/* Sessions whose namespace has gone before their entry. */
static LIST_HEAD(orphans);

static void session_free(struct esmtp_session *s)
{
	struct esmtp_net *en;

	spin_lock_bh(&esmtp_sessions_lock);
	list_del(&s->node);
	en = s->en;
	if (en)
		atomic_dec(&en->n_sessions);
	spin_unlock_bh(&esmtp_sessions_lock);
	esmtp_policy_put(s->policy);
	kfree_rcu(s, rcu);
}

void esmtp_session_put(struct esmtp_session *s)
{
	if (refcount_dec_and_test(&s->ref))
		session_free(s);
}

/* The entry's share of a session ends. A packet that still holds the session sees DEAD. */
static void session_kill(struct esmtp_session *s)
{
	enum esmtp_dir dir;
	bool was_alive;

	spin_lock_bh(&s->lock);
	was_alive = s->state != SESSION_DEAD;
	WRITE_ONCE(s->state, SESSION_DEAD);
	s->ct = NULL;
	for (dir = 0; was_alive && dir < ESMTP_DIRS; dir++) {
		esmtp_flow_free(s, &s->flow[dir]);
		dst_release(s->flow[dir].dst);
		s->flow[dir].dst = NULL;
	}
	spin_unlock_bh(&s->lock);
	if (was_alive)
		esmtp_session_put(s);
}

void esmtp_session_detach(struct esmtp_help *hd, struct esmtp_session *mark)
{
	struct esmtp_session *s = READ_ONCE(hd->session);

	/* A tombstone stays: a session made now would never be told that its entry has died. */
	do {
		if (s == ESMTP_TOMBSTONE)
			return;
	} while (!try_cmpxchg(&hd->session, &s, mark));
	if (s)
		session_kill(s);
}

static struct esmtp_session *session_alloc(struct esmtp_net *en,
					   struct nf_conn *ct,
					   const struct esmtp_help *hd)
{
	struct esmtp_session *s;
	enum esmtp_dir dir;

	s = kzalloc(sizeof(*s), GFP_ATOMIC | __GFP_NOWARN);
	if (!s)
		return NULL;
	spin_lock_init(&s->lock);
	refcount_set(&s->ref, 1);
	esmtp_engine_init(&s->engine);
	esmtp_closing_session_init(s);
	for (dir = 0; dir < ESMTP_DIRS; dir++) {
		INIT_LIST_HEAD(&s->flow[dir].chunks);
		s->flow[dir].first = hd->isn[dir] + 1;
		s->flow[dir].next = s->flow[dir].first;
	}
	s->ct = ct;
	s->en = en;
	return s;
}

static bool session_enlist(struct esmtp_net *en, struct esmtp_session *s)
{
	bool ok;

	spin_lock_bh(&esmtp_sessions_lock);
	ok = !en->dying && atomic_read(&en->n_sessions) < sessions_max;
	if (ok) {
		list_add_tail(&s->node, &en->sessions);
		atomic_inc(&en->n_sessions);
	}
	spin_unlock_bh(&esmtp_sessions_lock);
	return ok;
}

static struct esmtp_session *session_create(struct esmtp_net *en,
					    struct nf_conn *ct,
					    struct esmtp_help *hd, u8 slot)
{
	struct esmtp_ns_policy *policy;
	struct esmtp_session *s, *other;

	if (!nf_ct_is_confirmed(ct) ||
	    (hd->seen & ESMTP_ISN_BOTH) != ESMTP_ISN_BOTH) {
		esmtp_count(en, ESMTP_NC_NO_STATE);
		return NULL;
	}
	policy = esmtp_policy_get(en, slot);
	if (!policy) {
		esmtp_count(en, ESMTP_NC_NO_POLICY);
		return NULL;
	}
	s = session_alloc(en, ct, hd);
	if (!s || !session_enlist(en, s)) {
		esmtp_count(en, ESMTP_NC_NO_MEMORY);
		esmtp_policy_put(policy);
		kfree(s);
		return NULL;
	}
	s->policy = policy;

	other = cmpxchg(&hd->session, NULL, s);
	if (other) {
		/* The other direction was first, or the entry has just died. */
		session_kill(s);
		return other;
	}
	esmtp_policy_count(policy, ESMTP_PC_CONNECTIONS, 1);
	return s;
}

struct esmtp_session *esmtp_session_find(struct esmtp_net *en,
					 struct nf_conn *ct,
					 struct esmtp_help *hd, u8 slot)
{
	struct esmtp_session *s = READ_ONCE(hd->session);

	if (!s)
		s = session_create(en, ct, hd, slot);
	if (s == ESMTP_TOMBSTONE) {
		esmtp_count(en, ESMTP_NC_TOMBSTONE);
		return NULL;
	}
	return s;
}

static bool latch_expired(const struct esmtp_session *s)
{
	unsigned long since = READ_ONCE(s->latched_at);

	return since && time_after(jiffies, since + LATCH_MAX);
}

static unsigned int reap_collect(struct esmtp_net *en,
				 struct esmtp_session **batch)
{
	struct esmtp_session *s;
	unsigned int n = 0;

	spin_lock_bh(&esmtp_sessions_lock);
	list_for_each_entry(s, &en->sessions, node) {
		if (n == REAP_BATCH)
			break;
		if (latch_expired(s) && refcount_inc_not_zero(&s->ref))
			batch[n++] = s;
	}
	spin_unlock_bh(&esmtp_sessions_lock);
	return n;
}

static void reap(struct work_struct *work)
{
	struct esmtp_net *en = container_of(to_delayed_work(work),
					    struct esmtp_net, reaper);
	struct esmtp_session *batch[REAP_BATCH];
	unsigned int n, i;

	do {
		n = reap_collect(en, batch);
		for (i = 0; i < n; i++) {
			spin_lock_bh(&batch[i]->lock);
			if (latch_expired(batch[i]))
				esmtp_close_session(batch[i],
					esmtp_engine_latched(&batch[i]->engine));
			spin_unlock_bh(&batch[i]->lock);
			esmtp_session_put(batch[i]);
		}
	} while (n == REAP_BATCH);
	queue_delayed_work(system_power_efficient_wq, &en->reaper, REAP_EVERY);
}

void esmtp_sessions_net_init(struct esmtp_net *en)
{
	INIT_LIST_HEAD(&en->sessions);
	INIT_DELAYED_WORK(&en->reaper, reap);
	queue_delayed_work(system_power_efficient_wq, &en->reaper, REAP_EVERY);
}

void esmtp_sessions_net_exit(struct esmtp_net *en)
{
	struct esmtp_session *s;

	cancel_delayed_work_sync(&en->reaper);
	spin_lock_bh(&esmtp_sessions_lock);
	WRITE_ONCE(en->dying, true);
	spin_unlock_bh(&esmtp_sessions_lock);
	/* Who looked before is done after this: nobody uses s->en but under RCU. */
	synchronize_rcu();
	spin_lock_bh(&esmtp_sessions_lock);
	list_for_each_entry(s, &en->sessions, node)
		WRITE_ONCE(s->en, NULL);
	list_splice_init(&en->sessions, &orphans);
	spin_unlock_bh(&esmtp_sessions_lock);
}

void esmtp_sessions_exit(void)
{
	struct esmtp_session *s;

	for (;;) {
		spin_lock_bh(&esmtp_sessions_lock);
		s = list_first_entry_or_null(&orphans, struct esmtp_session,
					     node);
		if (s && !refcount_inc_not_zero(&s->ref)) {
			/* Its last user is just taking it out. */
			spin_unlock_bh(&esmtp_sessions_lock);
			cond_resched();
			continue;
		}
		spin_unlock_bh(&esmtp_sessions_lock);
		if (!s)
			return;
		esmtp_closing_cancel(s);
		session_kill(s);
		esmtp_session_put(s);
	}
}
