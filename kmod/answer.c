// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last reply of a connection: we end it in the server's stead.
 *
 * The server is told by a RST. The client gets what the server said and it has not acknowledged,
 * our reply behind it, and a FIN; all that again until it acknowledges the FIN, or until we
 * give up and reset it. What it still sends is acknowledged and thrown away: else it would
 * repeat the line that broke the rule, and never come to its own FIN.
 *
 * Segments leave from a work item, so that bytes passed by the packet that closed are there first
 * and no lock is held.
 */
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/tcp.h>

#include "session.h"

#define DELAY		1		/* jiffies */
#define TRIES		5		/* waits of 1, 2, 4, 8 and 16 s */
#define LINGER		(30 * HZ)	/* for the client's FIN, once ours is acknowledged */
#define PENDING_MAX	4096u		/* bytes of the server's in front of our reply */
#define PIECE		512u		/* with timestamps within the smallest MSS of IPv4 */
#define WINDOW_MIN	16384u		/* for what the client has still to say */

/* The number behind our FIN. */
static u32 end_of(const struct esmtp_answer *a)
{
	return a->seq + a->len + 1;
}

static void wake(struct esmtp_session *s, unsigned long delay)
{
	refcount_inc(&s->ref);
	/* It has a reference already where it was queued, and takes none where it is cancelled. */
	if (esmtp_closing_queue(&s->closing.answer.work, delay))
		refcount_dec(&s->ref);
}

/* Copy what of the server's bytes the client has not acknowledged. */
static void copy_pending(const struct esmtp_flow *fl, u8 *to, u32 from)
{
	const struct esmtp_chunk *c;
	u32 skip;

	list_for_each_entry(c, &fl->chunks, node) {
		if (c->early)
			return;
		if (!after(c->seq + c->len, from))
			continue;
		skip = before(c->seq, from) ? from - c->seq : 0;
		memcpy(to + (c->seq + skip - from), c->data + skip,
		       c->len - skip);
	}
}

/* The bytes to be sent, or NULL. */
static u8 *make_bytes(struct esmtp_session *s, u16 rule, u32 *len)
{
	const struct esmtp_flow *fl = &s->flow[ESMTP_DIR_SERVER];
	u32 pending = fl->next - fl->acked;
	u8 *bytes;

	/* Behind a FIN of the server's nothing can be said. */
	if (fl->flags & FLOW_FIN || pending > PENDING_MAX ||
	    rule >= s->policy->engine.n_rules)
		return NULL;
	bytes = kmalloc(pending + ESMTP_ANSWER_MAX, GFP_ATOMIC | __GFP_NOWARN);
	if (!bytes)
		return NULL;
	copy_pending(fl, bytes, fl->acked);
	*len = pending + esmtp_answer_write(&s->policy->engine, rule,
					    bytes + pending);
	return bytes;
}

/* The client has not got it, as far as we know. */
static void failed(struct esmtp_session *s)
{
	s->closing.answer.state = ANSWER_OVER;
	esmtp_count(s->en, ESMTP_NC_REPLY_FAILED);
}

/* It is to hear at least that the connection is over. */
static void give_up(struct esmtp_session *s)
{
	failed(s);
	esmtp_closing_reset_client(s, s->closing.answer.acked, true);
}

/* What the client may still send, as our segments tell it. Right edges are never moved back. */
static u16 window(const struct esmtp_session *s)
{
	const struct esmtp_answer *a = &s->closing.answer;
	u32 room = WINDOW_MIN;

	if (after(a->edge, a->ack + room))
		room = a->edge - a->ack;
	return min(DIV_ROUND_UP(room, 1u << s->flow[ESMTP_DIR_CLIENT].scale),
		   0xffffu);
}

/**
 * struct round - what one run of the work sends, noted under the lock
 * @seg: what all segments have in common
 * @from: first byte to be sent
 * @bytes: of the answer
 * @len: how many it has
 * @data: bytes from @from on and a FIN, else just an acknowledgement
 */
struct round {
	struct esmtp_segment seg;
	u32 from;
	const u8 *bytes;
	u32 len;
	bool data;
};

static void note_round(const struct esmtp_session *s, struct round *r,
		       bool data)
{
	const struct esmtp_answer *a = &s->closing.answer;

	*r = (struct round) {
		.seg = {
			.dir = ESMTP_DIR_SERVER,
			.flags = TCPHDR_ACK,
			.stamped = s->stamped,
			.window = window(s),
			.seq = end_of(a),
			.ack = a->ack,
			.tsval = a->tsval,
			.tsecr = a->tsecr,
		},
		.from = a->acked - a->seq,
		.bytes = a->bytes,
		.len = a->len,
		.data = data,
	};
}

/* Where there is no memory or no route the next round is due all the same. */
static void send_round(struct esmtp_net *en, struct nf_conn *ct,
		       const struct esmtp_way *way, const struct round *r)
{
	struct esmtp_segment seg = r->seg;
	u32 start = seg.seq - 1 - r->len;
	u32 at = r->from;
	bool ok;

	if (!r->data) {
		esmtp_segment_send(en, ct, way, seg);
		return;
	}
	do {
		seg.seq = start + at;
		seg.len = min(r->len - at, PIECE);
		seg.data = r->bytes + at;
		at += seg.len;
		if (at == r->len)
			seg.flags |= TCPHDR_PSH | TCPHDR_FIN;
		ok = esmtp_segment_send(en, ct, way, seg);
	} while (ok && at < r->len);
}

/* Returns true if there is something to send. */
static bool next_round(struct esmtp_session *s, struct round *r)
{
	struct esmtp_answer *a = &s->closing.answer;
	bool due = time_after_eq(jiffies, a->due);
	bool data = due && a->state == ANSWER_SENT;

	if (data && a->tries == TRIES)
		give_up(s);
	if (a->state != ANSWER_SENT) {
		kfree(a->bytes);
		a->bytes = NULL;
	}
	if (due && a->state == ANSWER_ACKED) {
		a->state = ANSWER_OVER;
		esmtp_closing_reset_client(s, 0, false);
	}
	if (a->state == ANSWER_OVER)
		return false;
	note_round(s, r, data);
	if (data)
		a->due = jiffies + (HZ << a->tries++);
	data |= a->ack_due;
	a->ack_due = false;
	wake(s, max(1L, (long)(a->due - jiffies)));
	return data;
}

static void answer_work(struct work_struct *work)
{
	struct esmtp_session *s = container_of(to_delayed_work(work),
					       struct esmtp_session,
					       closing.answer.work);
	struct esmtp_way way = {};
	struct esmtp_net *en;
	struct nf_conn *ct;
	struct round r;
	bool send;

	rcu_read_lock();
	spin_lock_bh(&s->lock);
	ct = esmtp_session_entry(s);
	en = READ_ONCE(s->en);
	send = ct && en && !READ_ONCE(en->dying) && next_round(s, &r);
	if (send)
		esmtp_way_get(s, ESMTP_DIR_SERVER, &way);
	spin_unlock_bh(&s->lock);

	local_bh_disable();
	if (send)
		send_round(en, ct, &way, &r);
	esmtp_way_put(&way);
	local_bh_enable();
	rcu_read_unlock();

	if (ct)
		nf_ct_put(ct);
	esmtp_session_put(s);
}

void esmtp_answer_begin(struct esmtp_session *s, u16 rule)
{
	const struct esmtp_flow *client = &s->flow[ESMTP_DIR_CLIENT];
	const struct esmtp_flow *server = &s->flow[ESMTP_DIR_SERVER];
	struct esmtp_answer *a = &s->closing.answer;

	INIT_DELAYED_WORK(&a->work, answer_work);
	a->seq = server->acked;
	a->acked = server->acked;
	a->ack = esmtp_flow_end(client);
	a->edge = client->edge;
	a->tsval = s->newest;
	a->tsecr = client->stamp;
	a->bytes = make_bytes(s, rule, &a->len);
	if (!a->bytes ||
	    (s->stamped && !(server->flags & FLOW_STAMPED))) {
		a->acked = esmtp_flow_end(server);
		give_up(s);
		return;
	}
	a->state = ANSWER_SENT;
	a->due = jiffies;
	esmtp_count(s->en, ESMTP_NC_REPLY_SENT);
	wake(s, DELAY);
}

void esmtp_answer_taken(struct esmtp_session *s, const struct esmtp_packet *pkt)
{
	struct esmtp_answer *a = &s->closing.answer;
	u32 end = pkt->seq + pkt->len + pkt->fin;

	if (pkt->dir == ESMTP_DIR_CLIENT &&
	    !after(pkt->seq, a->ack) && after(end, a->ack))
		a->ack = end;
}

static void acknowledged(struct esmtp_session *s)
{
	struct esmtp_answer *a = &s->closing.answer;

	a->state = ANSWER_ACKED;
	a->due = jiffies + LINGER;
	a->ack_due = true;
	esmtp_count(s->en, ESMTP_NC_REPLY_ACKED);
}

/* Timestamps that were agreed on are in every segment. Returns false if this one has none. */
static bool note_stamp(struct esmtp_session *s, const struct esmtp_packet *pkt)
{
	struct esmtp_answer *a = &s->closing.answer;
	struct esmtp_options opt;

	if (!s->stamped)
		return true;
	esmtp_packet_options(pkt, &opt);
	if (opt.stamped && !after(pkt->seq, a->ack) &&
	    (s32)(opt.tsval - a->tsecr) > 0)
		a->tsecr = opt.tsval;
	return opt.stamped;
}

bool esmtp_answer_packet(struct esmtp_session *s,
			 const struct esmtp_packet *pkt)
{
	struct esmtp_answer *a = &s->closing.answer;

	if (pkt->dir != ESMTP_DIR_CLIENT || pkt->syn ||
	    (a->state != ANSWER_SENT && a->state != ANSWER_ACKED))
		return false;
	if (pkt->rst) {
		/* It knows no such connection any more. */
		if (a->state == ANSWER_SENT && !before(pkt->seq, a->ack))
			failed(s);
		return true;
	}
	if (!pkt->has_ack || after(pkt->ack, end_of(a)) || !note_stamp(s, pkt))
		return true;
	esmtp_answer_taken(s, pkt);
	if (after(pkt->ack, a->acked))
		a->acked = pkt->ack;
	if (a->state == ANSWER_SENT && a->acked == end_of(a))
		acknowledged(s);
	if (pkt->len || pkt->fin || pkt->seq != a->ack)
		a->ack_due = true;
	if (a->ack_due)
		wake(s, DELAY);
	return true;
}

bool esmtp_answer_abort(struct esmtp_session *s)
{
	struct esmtp_net *en = READ_ONCE(s->en);
	struct esmtp_answer *a = &s->closing.answer;

	if (s->verdict != ESMTP_CLOSE_REPLY)
		return false;
	if (a->state == ANSWER_SENT && en && !READ_ONCE(en->dying))
		esmtp_count(en, ESMTP_NC_REPLY_FAILED);
	a->state = ANSWER_OVER;
	return cancel_delayed_work(&a->work);
}

void esmtp_answer_cancel(struct esmtp_session *s)
{
	if (cancel_delayed_work_sync(&s->closing.answer.work))
		esmtp_session_put(s);
}
