// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: made at the first payload byte, gone with their conntrack entry.
 *
 * An entry that was never confirmed is freed without a word to its helper, so nothing is
 * allocated for a SYN. At unload kernels do not tell either: every session is in one of our
 * lists, and these lists are what unloading frees. Their locks are held while a session is
 * put in, taken out or looked at by the reaper, never for a packet of a session that is there.
 */
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_helper.h>
#include <net/tcp.h>

#include "event.h"
#include "session.h"

#define REAP_EVERY	(5 * HZ)
#define LATCH_MAX	(60u * HZ)	/* for a server that owes a reply and is silent */
#define GAP_MAX		(60u * HZ)	/* for a sender that does not fill a gap */
#define REAP_BATCH	16
#define LOOK_BATCH	64		/* sessions that a list is locked for, for who looks at all of them */

static unsigned int sessions_max = 65536;
module_param(sessions_max, uint, 0644);
MODULE_PARM_DESC(sessions_max, "inspected connections in a namespace");

static unsigned int sessions_total = 262144;
module_param(sessions_total, uint, 0644);
MODULE_PARM_DESC(sessions_total, "inspected connections in all namespaces");

/**
 * struct session_list - one of the lists that hold all sessions
 * @lock: protects @head and the en of its sessions; inside a session's lock
 * @head: struct esmtp_session, with rising ids
 * @last_id: that was given to a session
 */
struct session_list {
	spinlock_t lock;
	struct list_head head;
	u64 last_id;
} ____cacheline_aligned_in_smp;

#define LIST_BITS	6

static struct session_list lists[1 << LIST_BITS];
static atomic_t n_sessions;
static struct kmem_cache *cache;

static struct session_list *list_of(const struct esmtp_session *s)
{
	return &lists[hash_ptr(s, LIST_BITS)];
}

static void session_free_rcu(struct rcu_head *rcu)
{
	kmem_cache_free(cache, container_of(rcu, struct esmtp_session, rcu));
}

static void session_free(struct esmtp_session *s)
{
	struct session_list *l = list_of(s);
	struct esmtp_net *en;

	spin_lock_bh(&l->lock);
	list_del(&s->node);
	en = s->en;
	if (en)
		atomic_dec(&en->n_sessions);
	spin_unlock_bh(&l->lock);
	atomic_dec(&n_sessions);
	/* As late as this: RSTs that are due when the entry goes still need their way. */
	dst_release(s->flow[ESMTP_DIR_CLIENT].dst);
	dst_release(s->flow[ESMTP_DIR_SERVER].dst);
	esmtp_policy_put(s->policy);
	if (s->was_closed)
		kfree(s->closing.answer.bytes);
	call_rcu(&s->rcu, session_free_rcu);
}

void esmtp_session_put(struct esmtp_session *s)
{
	if (refcount_dec_and_test(&s->ref))
		session_free(s);
}

struct nf_conn *esmtp_session_entry(const struct esmtp_session *s)
{
	struct nf_conn *ct = READ_ONCE(s->ct);

	if (!ct || !refcount_inc_not_zero(&ct->ct_general.use))
		return NULL;
	smp_acquire__after_ctrl_dep();
	/* The session may just have given it back, and it may be another one by now. */
	if (READ_ONCE(s->ct) == ct && !nf_ct_is_dying(ct))
		return ct;
	nf_ct_put(ct);
	return NULL;
}

/* The entry's share of a session ends. A packet that still holds the session sees DEAD. */
static void session_kill(struct esmtp_session *s)
{
	struct nf_conn *ct;
	enum esmtp_dir dir;
	bool was_alive, aborted;

	spin_lock_bh(&s->lock);
	was_alive = s->state != SESSION_DEAD;
	if (was_alive && !s->was_closed)
		esmtp_generation_unuse(s->policy->generation);
	WRITE_ONCE(s->state, SESSION_DEAD);
	ct = s->ct;
	WRITE_ONCE(s->ct, NULL);
	for (dir = 0; was_alive && dir < ESMTP_DIRS; dir++)
		esmtp_flow_free(s, &s->flow[dir]);
	aborted = was_alive && esmtp_answer_abort(s);
	spin_unlock_bh(&s->lock);
	if (ct)
		nf_ct_put(ct);
	if (aborted)
		esmtp_session_put(s);
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

static void reap(struct work_struct *work);
static DECLARE_DELAYED_WORK(reaper, reap);

static void reap_soon(void)
{
	queue_delayed_work(system_power_efficient_wq, &reaper, REAP_EVERY);
}

static bool expired(u32 since, u32 life)
{
	return (u32)jiffies - since > life;
}

static bool latch_expired(const struct esmtp_session *s)
{
	u32 since = READ_ONCE(s->latched_at);

	return since && expired(since, LATCH_MAX);
}

static bool gap_expired(const struct esmtp_flow *fl)
{
	return READ_ONCE(fl->early) &&
	       expired(READ_ONCE(fl->gap_since), GAP_MAX);
}

static bool is_due(const struct esmtp_session *s)
{
	return latch_expired(s) || gap_expired(&s->flow[ESMTP_DIR_CLIENT]) ||
	       gap_expired(&s->flow[ESMTP_DIR_SERVER]);
}

/* Nobody has told that the entry has died. */
static bool is_orphan(const struct esmtp_session *s)
{
	struct nf_conn *ct = esmtp_session_entry(s);

	if (ct)
		nf_ct_put(ct);
	return !ct;
}

/* What is found here is dealt with below, or the next look would find it again. */
static bool is_work(const struct esmtp_session *s)
{
	const struct esmtp_net *en = READ_ONCE(s->en);

	if (!READ_ONCE(s->installed) || READ_ONCE(s->state) == SESSION_DEAD)
		return false;
	if (is_orphan(s))
		return true;
	return en && !READ_ONCE(en->dying) &&
	       READ_ONCE(s->state) == SESSION_OPEN && is_due(s);
}

/* Sessions of a list that need something done, with a reference each; RCU. */
static unsigned int reap_collect(struct session_list *l,
				 struct esmtp_session **batch)
{
	struct esmtp_session *s;
	unsigned int n = 0;

	spin_lock_bh(&l->lock);
	list_for_each_entry(s, &l->head, node) {
		if (n == REAP_BATCH)
			break;
		if (is_work(s) && refcount_inc_not_zero(&s->ref))
			batch[n++] = s;
	}
	spin_unlock_bh(&l->lock);
	return n;
}

/* Mode monitor closes nothing: what cannot be read goes on unread, counted. */
static void give_up(struct esmtp_session *s, enum esmtp_dir dir,
		    struct list_head *notes)
{
	esmtp_count(s->en, ESMTP_NC_HOLE);
	if (s->policy->engine.flags & ESMTP_POLICY_F_MONITOR)
		WRITE_ONCE(s->state, SESSION_BYPASS);
	else
		esmtp_stream_close(s, dir, ESMTP_EVENT_HOLE, notes);
}

/* Where the server owes a reply and is silent, one of ours would be taken for it. */
static enum esmtp_verdict unanswered(const struct esmtp_session *s)
{
	enum esmtp_verdict verdict = esmtp_engine_latched(&s->engine);

	return verdict == ESMTP_CLOSE_REPLY ? ESMTP_CLOSE_RESET : verdict;
}

static void reap_due(struct esmtp_session *s, struct esmtp_net *en,
		     const struct nf_conn *ct)
{
	LIST_HEAD(notes);
	enum esmtp_dir dir;

	spin_lock_bh(&s->lock);
	for (dir = 0; dir < ESMTP_DIRS; dir++)
		if (s->state == SESSION_OPEN && gap_expired(&s->flow[dir]))
			give_up(s, dir, &notes);
	if (s->state == SESSION_OPEN && latch_expired(s))
		esmtp_close_session(s, unanswered(s), &notes);
	spin_unlock_bh(&s->lock);
	esmtp_event_send(en, &notes, s->policy,
			 nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), NULL);
}

static void reap_session(struct esmtp_session *s)
{
	struct esmtp_net *en = READ_ONCE(s->en);
	struct nf_conn *ct = esmtp_session_entry(s);

	if (!ct)
		session_kill(s);
	else if (en && !READ_ONCE(en->dying))
		reap_due(s, en, ct);
	if (ct)
		nf_ct_put(ct);
}

static void reap_list(struct session_list *l)
{
	struct esmtp_session *batch[REAP_BATCH];
	unsigned int n, i;

	do {
		rcu_read_lock();
		n = reap_collect(l, batch);
		for (i = 0; i < n; i++) {
			reap_session(batch[i]);
			esmtp_session_put(batch[i]);
		}
		rcu_read_unlock();
		cond_resched();
	} while (n == REAP_BATCH);
}

static void reap(struct work_struct *work)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lists); i++)
		reap_list(&lists[i]);
	if (atomic_read(&n_sessions))
		reap_soon();
}

static void flow_init(struct esmtp_session *s, enum esmtp_dir dir,
		      const struct esmtp_help *hd)
{
	const struct ip_ct_tcp_state *seen = s->ct->proto.tcp.seen;
	struct esmtp_flow *fl = &s->flow[dir];

	INIT_LIST_HEAD(&fl->chunks);
	fl->first = hd->isn[dir] + 1;
	fl->next = fl->first;
	fl->acked = fl->first;
	fl->scale = READ_ONCE(seen[!dir].td_scale);
	fl->right = READ_ONCE(seen[dir].td_maxend);
	/* No ACK of the receiver yet: there is but the window of its SYN. */
	if (fl->right == fl->first)
		fl->right += READ_ONCE(seen[!dir].td_maxwin);
	/* The sender was told no more than this, see esmtp_window_first(). */
	fl->edge = fl->first + ESMTP_FIRST_WINDOW;
	if (before(fl->right, fl->edge))
		fl->edge = fl->right;
}

static struct esmtp_session *session_alloc(struct esmtp_net *en,
					   struct nf_conn *ct,
					   const struct esmtp_help *hd)
{
	struct esmtp_session *s;
	enum esmtp_dir dir;

	s = kmem_cache_zalloc(cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!s) {
		esmtp_count(en, ESMTP_NC_NO_MEMORY);
		return NULL;
	}
	spin_lock_init(&s->lock);
	refcount_set(&s->ref, 1);
	esmtp_engine_init(&s->engine);
	nf_conntrack_get(&ct->ct_general);
	s->ct = ct;
	s->en = en;
	s->born = (u32)ktime_get_seconds();
	s->stamped = test_bit(ESMTP_STAMPED, &hd->seen);
	for (dir = 0; dir < ESMTP_DIRS; dir++)
		flow_init(s, dir, hd);
	return s;
}

/* Returns false if there are too many; counted. */
static bool session_enlist(struct esmtp_net *en, struct esmtp_session *s)
{
	struct session_list *l = list_of(s);
	bool ok;

	if (atomic_inc_return(&en->n_sessions) > READ_ONCE(sessions_max)) {
		esmtp_count(en, ESMTP_NC_SESSIONS_FULL);
		goto undo;
	}
	if (atomic_inc_return(&n_sessions) > READ_ONCE(sessions_total)) {
		esmtp_count(en, ESMTP_NC_SESSIONS_TOTAL_FULL);
		goto undo_total;
	}
	spin_lock_bh(&l->lock);
	ok = !en->dying;
	if (ok) {
		s->id = ++l->last_id;
		list_add_tail(&s->node, &l->head);
	}
	spin_unlock_bh(&l->lock);
	if (ok)
		return true;

undo_total:
	atomic_dec(&n_sessions);
undo:
	atomic_dec(&en->n_sessions);
	return false;
}

static struct esmtp_session *session_create(struct esmtp_net *en,
					    struct nf_conn *ct,
					    struct esmtp_help *hd, u8 slot)
{
	struct esmtp_ns_policy *policy;
	struct esmtp_session *s, *other;

	if (!nf_ct_is_confirmed(ct) ||
	    !test_bit(ESMTP_ISN_CLIENT, &hd->seen) ||
	    !test_bit(ESMTP_ISN_SERVER, &hd->seen)) {
		esmtp_count(en, ESMTP_NC_NO_STATE);
		return NULL;
	}
	policy = esmtp_policy_get(en, slot);
	if (!policy) {
		esmtp_count(en, ESMTP_NC_NO_POLICY);
		return NULL;
	}
	s = session_alloc(en, ct, hd);
	if (!s)
		goto no_session;
	s->policy = policy;
	esmtp_generation_use(policy->generation);
	if (!session_enlist(en, s))
		goto no_room;
	reap_soon();

	other = cmpxchg(&hd->session, NULL, s);
	if (other) {
		/* The other direction was first, or the entry has just died. */
		session_kill(s);
		return other;
	}
	WRITE_ONCE(s->installed, true);
	esmtp_policy_count(policy, ESMTP_PC_CONNECTIONS, 1);
	return s;

no_room:
	esmtp_generation_unuse(policy->generation);
	nf_ct_put(ct);
	kmem_cache_free(cache, s);
no_session:
	esmtp_policy_put(policy);
	return NULL;
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

/* Sessions that belonged to @en until now, with a reference each. */
static unsigned int net_exit_collect(struct session_list *l,
				     const struct esmtp_net *en,
				     struct esmtp_session **batch)
{
	struct esmtp_session *s;
	unsigned int n = 0;

	spin_lock_bh(&l->lock);
	list_for_each_entry(s, &l->head, node) {
		if (n == REAP_BATCH)
			break;
		if (s->en != en)
			continue;
		WRITE_ONCE(s->en, NULL);
		if (refcount_inc_not_zero(&s->ref))
			batch[n++] = s;
	}
	spin_unlock_bh(&l->lock);
	return n;
}

/*
 * As if the entry died now. If it has died without a word, nobody else gives its
 * reference back before the reaper looks, and conntrack waits for that without a pause.
 */
static void session_net_exit(struct esmtp_session *s)
{
	struct nf_conn *ct;
	struct esmtp_help *hd;

	spin_lock_bh(&s->lock);
	ct = s->ct;
	if (ct)
		nf_conntrack_get(&ct->ct_general);
	spin_unlock_bh(&s->lock);
	if (!ct)
		return;
	hd = nfct_help_data(ct);
	if (cmpxchg(&hd->session, s, ESMTP_TOMBSTONE) == s)
		session_kill(s);
	nf_ct_put(ct);
}

void esmtp_sessions_net_exit(struct esmtp_net *en)
{
	struct esmtp_session *batch[REAP_BATCH];
	unsigned int n, i, at;

	/* Who looked before is done after the grace period: nobody uses s->en but under RCU. */
	WRITE_ONCE(en->dying, true);
	synchronize_rcu();
	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		do {
			n = net_exit_collect(&lists[i], en, batch);
			for (at = 0; at < n; at++) {
				session_net_exit(batch[at]);
				esmtp_session_put(batch[at]);
			}
			cond_resched();
		} while (n == REAP_BATCH);
	}
}

/* Its turn comes: it is @en's, stands in its entry, and lies behind the place that was reached. */
static bool is_next(const struct esmtp_session *s, const struct esmtp_net *en,
		    u64 id)
{
	return s->id > id && s->en == en && READ_ONCE(s->installed) &&
	       READ_ONCE(s->state) != SESSION_DEAD;
}

/*
 * Up to LOOK_BATCH sessions of a list further than @last, whose reference is given back. Returns one with a
 * reference, which need not be what is looked for; NULL at the end of the list.
 */
static struct esmtp_session *list_step(struct session_list *l,
				       const struct esmtp_net *en, u64 id,
				       struct esmtp_session *last)
{
	struct esmtp_session *s = last, *found = NULL;
	unsigned int n = 0;

	spin_lock_bh(&l->lock);
	s = list_prepare_entry(s, &l->head, node);
	list_for_each_entry_continue(s, &l->head, node) {
		n++;
		if (n < LOOK_BATCH && !is_next(s, en, id))
			continue;
		/* One whose last user is just taking it out is no place to stop at. */
		if (refcount_inc_not_zero(&s->ref)) {
			found = s;
			break;
		}
	}
	spin_unlock_bh(&l->lock);
	if (last)
		esmtp_session_put(last);
	return found;
}

struct esmtp_session *esmtp_session_next(const struct esmtp_net *en,
					 struct esmtp_session_cursor *cur,
					 struct esmtp_session *last)
{
	for (; cur->list < ARRAY_SIZE(lists); cur->list++, cur->id = 0) {
		do {
			cond_resched();
			last = list_step(&lists[cur->list], en, cur->id, last);
			if (last && is_next(last, en, cur->id)) {
				cur->id = last->id;
				return last;
			}
		} while (last);
	}
	return NULL;
}

/* A reference to any session of a list, or NULL if it is empty. */
static struct esmtp_session *session_any(struct session_list *l)
{
	struct esmtp_session *s;

	for (;;) {
		spin_lock_bh(&l->lock);
		s = list_first_entry_or_null(&l->head, struct esmtp_session,
					     node);
		if (!s || refcount_inc_not_zero(&s->ref))
			break;
		/* Its last user is just taking it out. */
		spin_unlock_bh(&l->lock);
		cond_resched();
	}
	spin_unlock_bh(&l->lock);
	return s;
}

void esmtp_sessions_exit(void)
{
	struct esmtp_session *s;
	unsigned int i;

	cancel_delayed_work_sync(&reaper);
	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		while ((s = session_any(&lists[i]))) {
			esmtp_closing_cancel(s);
			session_kill(s);
			esmtp_session_put(s);
		}
	}
}

int esmtp_sessions_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		spin_lock_init(&lists[i].lock);
		INIT_LIST_HEAD(&lists[i].head);
	}
	cache = KMEM_CACHE(esmtp_session, 0);
	return cache ? 0 : -ENOMEM;
}

void esmtp_sessions_destroy(void)
{
	kmem_cache_destroy(cache);
}
