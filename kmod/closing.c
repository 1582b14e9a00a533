// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saying no: RSTs with numbers that each end accepts, and the tombstone.
 *
 * A RST (segment.c builds it) is sent a moment later, from process context, so that bytes
 * passed by the same packet are there first and no lock is held. A receiver that answers (a
 * challenge ACK, RFC 5961, or data sent again) says which number it expects and gets another
 * one.
 */
#include <net/netfilter/nf_conntrack_core.h>
#include <net/tcp.h>

#include "compat.h"
#include "session.h"

#define RST_MAX		8		/* to one side */
#define RST_DELAY	1		/* jiffies */
#define TOMBSTONE_LIFE	(300 * HZ)	/* outlives the last retransmission */

static struct workqueue_struct *closing_wq;

static void rst_send(struct esmtp_net *en, struct nf_conn *ct,
		     enum esmtp_dir dir, const struct esmtp_way *way, u32 seq)
{
	const struct esmtp_segment rst = {
		.dir = dir,
		.seq = seq,
		.flags = TCPHDR_RST,
	};

	esmtp_count(en, esmtp_segment_send(en, ct, way, rst) ?
			ESMTP_NC_RST_SENT : ESMTP_NC_RST_FAILED);
}

static void rst_work(struct work_struct *work)
{
	struct esmtp_session *s = container_of(to_delayed_work(work),
					       struct esmtp_session,
					       closing.reset);
	struct esmtp_way way[ESMTP_DIRS] = {};
	u32 seq[ESMTP_DIRS];
	struct esmtp_net *en;
	struct nf_conn *ct;
	unsigned long due;
	int dir;

	rcu_read_lock();
	spin_lock_bh(&s->lock);
	due = s->closing.rst_due;
	s->closing.rst_due = 0;
	ct = s->closing.ct;
	s->closing.ct = NULL;
	for_each_set_bit(dir, &due, ESMTP_DIRS) {
		seq[dir] = s->closing.rst_seq[dir];
		esmtp_way_get(s, dir, &way[dir]);
	}
	spin_unlock_bh(&s->lock);

	local_bh_disable();
	en = READ_ONCE(s->en);
	for_each_set_bit(dir, &due, ESMTP_DIRS) {
		if (ct && en)
			rst_send(en, ct, dir, &way[dir], seq[dir]);
		esmtp_way_put(&way[dir]);
	}
	local_bh_enable();
	rcu_read_unlock();

	if (ct)
		nf_ct_put(ct);
	esmtp_session_put(s);
}

/*
 * The entry may die before the RST leaves: a SYN takes the place of one that is closed. Its
 * tuples and its NAT are needed all the same.
 */
static void rst_due(struct esmtp_session *s, enum esmtp_dir dir, u32 seq)
{
	struct esmtp_closing *cl = &s->closing;

	if (!cl->rst_left[dir])
		return;
	cl->rst_left[dir]--;
	cl->rst_seq[dir] = seq;
	cl->rst_due |= BIT(dir);
	if (!cl->ct) {
		nf_conntrack_get(&s->ct->ct_general);
		cl->ct = s->ct;
	}
	refcount_inc(&s->ref);
	if (!queue_delayed_work(closing_wq, &cl->reset, RST_DELAY))
		refcount_dec(&s->ref);
}

bool esmtp_closing_queue(struct delayed_work *work, unsigned long delay)
{
	return mod_delayed_work(closing_wq, work, delay);
}

void esmtp_closing_reset_client(struct esmtp_session *s, u32 seq, bool now)
{
	s->closing.rst_left[ESMTP_DIR_SERVER] = RST_MAX;
	if (now)
		rst_due(s, ESMTP_DIR_SERVER, seq);
}

static void live_on(struct nf_conn *ct, const struct sk_buff *skb)
{
	esmtp_compat_refresh(ct, skb, TOMBSTONE_LIFE);
}

/*
 * The entry stays, for the next segment would open one without helper; but a new connection by
 * the same ports may take its place, as after any RST: conntrack deletes a closed entry at a
 * SYN if it has seen somebody close it. It knows nothing of what we say in the server's stead:
 * what the client answers to that is not invalid.
 */
static void bury(struct nf_conn *ct, bool answered)
{
	unsigned int dir;

	nf_ct_set_closing(&ct->ct_general);
	spin_lock_bh(&ct->lock);
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		ct->proto.tcp.seen[dir].flags |= IP_CT_TCP_FLAG_CLOSE_INIT;
	if (answered)
		ct->proto.tcp.seen[IP_CT_DIR_ORIGINAL].flags |=
			IP_CT_TCP_FLAG_BE_LIBERAL;
	spin_unlock_bh(&ct->lock);
	live_on(ct, NULL);
}

static enum esmtp_action action_of(enum esmtp_verdict verdict)
{
	switch (verdict) {
	case ESMTP_CLOSE_RESET:
		return ESMTP_ACTION_RESET;
	case ESMTP_CLOSE_REPLY:
		return ESMTP_ACTION_REPLY;
	default:
		return ESMTP_ACTION_DROP;
	}
}

void esmtp_close_session(struct esmtp_session *s, enum esmtp_verdict verdict,
			 struct list_head *notes)
{
	u16 rule = s->engine.closed_by;
	struct nf_conn *ct;

	if (s->state >= SESSION_CLOSED)
		return;
	esmtp_stream_note(s, ESMTP_DIR_CLIENT, ESMTP_EVENT_TERMINATED,
			  action_of(verdict), notes);
	s->latched_at = 0;
	WRITE_ONCE(s->verdict, verdict);
	WRITE_ONCE(s->state, SESSION_CLOSED);
	esmtp_policy_count(s->policy, ESMTP_PC_CLOSED, 1);

	/* From here on nobody asks the engine any more. */
	s->was_closed = true;
	esmtp_generation_unuse(s->policy->generation);
	s->closing = (struct esmtp_closing) {
		/* The server always hears of it: else its process waits for minutes. */
		.rst_left[ESMTP_DIR_CLIENT] = RST_MAX,
		.rst_left[ESMTP_DIR_SERVER] =
			verdict == ESMTP_CLOSE_RESET ? RST_MAX : 0,
	};
	INIT_DELAYED_WORK(&s->closing.reset, rst_work);
	rst_due(s, ESMTP_DIR_CLIENT, esmtp_flow_end(&s->flow[ESMTP_DIR_CLIENT]));
	rst_due(s, ESMTP_DIR_SERVER, esmtp_flow_end(&s->flow[ESMTP_DIR_SERVER]));
	if (verdict == ESMTP_CLOSE_REPLY)
		esmtp_answer_begin(s, rule);
	esmtp_flow_free(s, &s->flow[ESMTP_DIR_CLIENT]);
	esmtp_flow_free(s, &s->flow[ESMTP_DIR_SERVER]);

	rcu_read_lock();
	ct = esmtp_session_entry(s);
	if (ct) {
		bury(ct, verdict == ESMTP_CLOSE_REPLY);
		nf_ct_put(ct);
	}
	rcu_read_unlock();
}

void esmtp_closed_count(struct esmtp_session *s)
{
	esmtp_policy_count(s->policy, s->verdict == ESMTP_CLOSE_RESET ?
			   ESMTP_PC_RESET_DROP : ESMTP_PC_DROP, 1);
}

void esmtp_closed_packet(struct esmtp_session *s,
			 const struct esmtp_packet *pkt)
{
	spin_lock_bh(&s->lock);
	if (s->state == SESSION_CLOSED) {
		esmtp_closed_count(s);
		/* Who still speaks says which number it expects. */
		if (!esmtp_answer_packet(s, pkt) && pkt->has_ack && !pkt->rst)
			rst_due(s, !pkt->dir, pkt->ack);
		if (s->ct)
			live_on(s->ct, pkt->skb);
	}
	spin_unlock_bh(&s->lock);
}

void esmtp_closing_cancel(struct esmtp_session *s)
{
	if (!s->was_closed)
		return;
	if (s->verdict == ESMTP_CLOSE_REPLY)
		esmtp_answer_cancel(s);
	if (!cancel_delayed_work_sync(&s->closing.reset))
		return;
	if (s->closing.ct)
		nf_ct_put(s->closing.ct);
	esmtp_session_put(s);
}

int esmtp_closing_init(void)
{
	closing_wq = alloc_workqueue("esmtp_closing", WQ_UNBOUND, 0);
	return closing_wq ? 0 : -ENOMEM;
}

void esmtp_closing_exit(void)
{
	destroy_workqueue(closing_wq);
}
