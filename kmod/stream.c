// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP → ordered bytes and back.
 *
 * Theory of operation
 *
 * Each direction keeps the bytes that were passed and are not acknowledged, as
 * they were passed (chunk.c). Of a new segment the engine reads a copy,
 * edits fall into that, and the packet is made equal to it. A
 * repeat goes the same way without the engine: so what is sent again is what
 * was sent before, and nobody can change bytes under the engine's eyes.
 *
 * What the receiver would not take is not looked at (receiver.c). A segment
 * ahead of the stream passes if it is content, and is read when its turn comes (early.c);
 * else it is dropped, and its sender repeats it. What the engine does not take is cut off the
 * packet's end, never dropped with it: a packet dropped whole comes back the same for ever.
 */
#include <linux/netfilter.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "event.h"
#include "session.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define COMPARE_STEP	128u

/* Edits fall into the copy first: it is what every repeat will be compared with. */
static int apply_edits(struct esmtp_packet *pkt, u32 off, u8 *copy,
		       const struct esmtp_result *r)
{
	const struct esmtp_edit *e;
	int err = 0;

	if (WARN_ON_ONCE(r->content && r->n_edits))
		return -EINVAL;
	for (e = r->edits; e < r->edits + r->n_edits; e++)
		memset(copy + e->off, e->byte, e->len);
	for (e = r->edits; e < r->edits + r->n_edits && !err; e++)
		err = esmtp_packet_write(pkt, off + e->off, copy + e->off,
					 e->len);
	return err;
}

/**
 * struct stream_sink - events of one call of the engine
 * @sink: for the engine
 * @s: session
 * @dir: direction that is read
 * @notes: they go there
 */
struct stream_sink {
	struct esmtp_sink sink;
	struct esmtp_session *s;
	enum esmtp_dir dir;
	struct list_head *notes;
};

static void hear(struct esmtp_sink *sink, const struct esmtp_event *ev)
{
	struct stream_sink *to = container_of(sink, struct stream_sink, sink);

	esmtp_event_note(to->s->en, to->notes, to->s->policy, to->dir, ev,
			 &to->s->engine.sender);
}

static bool within_rate(struct esmtp_sink *sink, u16 rule)
{
	struct stream_sink *to = container_of(sink, struct stream_sink, sink);

	return esmtp_policy_within_rate(to->s->policy, rule);
}

u32 esmtp_stream_feed(struct esmtp_session *s, enum esmtp_dir dir,
		      const u8 *bytes, u32 len, struct esmtp_result *r,
		      struct list_head *notes)
{
	struct stream_sink to = {
		.sink.event = hear,
		.sink.within_rate = within_rate,
		.s = s,
		.dir = dir,
		.notes = notes,
	};
	u32 taken;

	taken = esmtp_engine_feed(&s->engine, &s->policy->engine, dir, bytes,
				  len, &to.sink, r);
	esmtp_policy_count(s->policy, ESMTP_PC_BYTES, taken);
	return taken;
}

void esmtp_stream_note(struct esmtp_session *s, enum esmtp_dir dir,
		       enum esmtp_event_type type, enum esmtp_action action,
		       struct list_head *notes)
{
	const struct esmtp_event ev = {
		.type = type,
		.rule = ESMTP_NO_RULE,
		.cond = ESMTP_NO_RULE,
		.action = action,
		.log = true,
	};

	/* A closed session has no engine any more. */
	esmtp_event_note(s->en, notes, s->policy, dir, &ev,
			 s->was_closed ? NULL : &s->engine.sender);
}

void esmtp_stream_close(struct esmtp_session *s, enum esmtp_dir dir,
			enum esmtp_event_type why, struct list_head *notes)
{
	esmtp_stream_note(s, dir, why, ESMTP_ACTION_RESET, notes);
	esmtp_close_session(s, ESMTP_CLOSE_RESET, notes);
}

void esmtp_stream_follow(struct esmtp_session *s, const struct esmtp_result *r,
			 struct list_head *notes)
{
	if (r->verdict != ESMTP_PASS) {
		esmtp_close_session(s, r->verdict, notes);
	} else if (r->bypass) {
		WRITE_ONCE(s->state, SESSION_BYPASS);
	} else if (esmtp_engine_latched(&s->engine) != ESMTP_PASS) {
		if (!s->latched_at)
			s->latched_at = (u32)jiffies | 1;
	}
}

/* The ports are those before NAT. */
void esmtp_stream_trace(const struct esmtp_session *s, enum esmtp_dir dir,
			u32 seq, const u8 *bytes, u32 len, bool content)
{
	const struct nf_conntrack_tuple *t;
	u32 n;

	if (!trace_esmtp_inspected_enabled() || !s->ct)
		return;
	t = nf_ct_tuple(s->ct, IP_CT_DIR_ORIGINAL);
	for (; len; seq += n, bytes += n, len -= n) {
		n = min(len, ESMTP_TRACE_BYTES);
		trace_esmtp_inspected(ntohs(t->src.u.tcp.port),
				      ntohs(t->dst.u.tcp.port),
				      dir == ESMTP_DIR_SERVER,
				      seq - s->flow[dir].first, content, bytes,
				      n);
	}
}

/*
 * Let the engine read @len bytes that stand at @copy and are bytes *@off … of the packet. It may
 * stop at every line and goes on from there, but not where commands turn into content or content
 * into commands. What it took is retained. *@off moves on by that. Returns 0; -EAGAIN: what is left
 * waits; or -errno: do not pass.
 */
static int read_bytes(struct esmtp_session *s, struct esmtp_packet *pkt,
		      u32 *off, u8 *copy, u32 len, struct list_head *notes)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	bool content = esmtp_engine_in_content(&s->engine, pkt->dir);
	struct esmtp_result r;
	u32 taken;
	int err;

	do {
		taken = esmtp_stream_feed(s, pkt->dir, copy, len, &r, notes);
		err = apply_edits(pkt, *off, copy, &r);
		esmtp_stream_trace(s, pkt->dir, fl->next, copy, taken,
				   r.content);
		esmtp_chunk_append(fl, copy, taken, r.content);
		*off += taken;
		copy += taken;
		len -= taken;
		esmtp_stream_follow(s, &r, notes);
		if (r.hold)
			return err ?: -EAGAIN;
		if (WARN_ON_ONCE(!taken && s->state == SESSION_OPEN)) {
			esmtp_close_session(s, ESMTP_CLOSE_RESET, notes);
			return -EINVAL;
		}
	} while (!err && len && s->state == SESSION_OPEN &&
		 esmtp_engine_in_content(&s->engine, pkt->dir) == content);
	return err;
}

/* Lines are read from a copy of their own, so that each can be read in one piece. */
static int take_lines(struct esmtp_session *s, struct esmtp_packet *pkt,
		      u32 *off, u32 len, struct list_head *notes)
{
	u8 *copy;
	int err = -EFAULT;

	if (!esmtp_chunk_reserve(s, &s->flow[pkt->dir], len))
		return -EAGAIN;
	copy = kmalloc(len, GFP_ATOMIC | __GFP_NOWARN);
	if (!copy) {
		esmtp_count(s->en, ESMTP_NC_NO_MEMORY);
		return -EAGAIN;
	}
	if (!skb_copy_bits(pkt->skb, pkt->payload + *off, copy, len))
		err = read_bytes(s, pkt, off, copy, len, notes);
	kfree(copy);
	return err;
}

/* Content is read where it is retained. */
static int take_content(struct esmtp_session *s, struct esmtp_packet *pkt,
			u32 *off, u32 len, struct list_head *notes)
{
	u8 *room;

	len = esmtp_chunk_room(s, &s->flow[pkt->dir], len, &room);
	if (!len)
		return -EAGAIN;
	if (skb_copy_bits(pkt->skb, pkt->payload + *off, room, len))
		return -EFAULT;
	return read_bytes(s, pkt, off, room, len, notes);
}

/*
 * Inspect bytes @off … @end of a packet, which come next in the stream. They may be taken in
 * part: fl->next tells. Returns 0 or -errno: do not pass.
 */
static int take_fresh(struct esmtp_session *s, struct esmtp_packet *pkt,
		      u32 off, u32 end, struct list_head *notes)
{
	bool content;
	u32 len;
	int err = 0;

	while (off < end && s->state == SESSION_OPEN && !err) {
		content = esmtp_engine_in_content(&s->engine, pkt->dir);
		len = end - off;
		if (content)
			len = min_t(u64, len, esmtp_engine_content_left(&s->engine));
		len = esmtp_chunk_allowed(s, &s->flow[pkt->dir], len, content);
		if (!len)
			return 0;
		err = content ? take_content(s, pkt, &off, len, notes) :
				take_lines(s, pkt, &off, len, notes);
	}
	return err == -EAGAIN ? 0 : err;
}

/*
 * Inspect what of the packet comes next in the stream, and then what has passed early and comes
 * behind it: the packet must not pass before. Returns 0 or -errno: do not pass.
 */
static int take(struct esmtp_session *s, struct esmtp_packet *pkt,
		struct list_head *notes)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	const struct esmtp_chunk *early;
	u32 gap = fl->next, off, end;
	int err;

	while (s->state == SESSION_OPEN) {
		off = fl->next - pkt->seq;
		if (off >= pkt->len)
			break;
		early = esmtp_chunk_first_early(fl);
		end = pkt->len;
		if (early)
			end = min(end, early->seq - pkt->seq);
		err = take_fresh(s, pkt, off, end, notes);
		if (err)
			return err;
		if (fl->next != pkt->seq + off)
			fl->gap_since = (u32)jiffies;
		if (s->state != SESSION_OPEN || fl->next != pkt->seq + end)
			break;
		if (!esmtp_early_turn(s, pkt->dir, gap, notes)) {
			esmtp_closed_count(s);
			return -EBADMSG;
		}
	}
	return 0;
}

/*
 * Compare @len bytes of a packet with what was passed, and make them equal where that is allowed.
 * Returns 0; -EBADMSG: they differ and may not be altered; or -ENOMEM.
 */
static int compare(struct esmtp_packet *pkt, u32 off,
		   const struct esmtp_chunk *c, u32 from, u32 len, bool alter,
		   bool *wrote)
{
	u8 seen[COMPARE_STEP];
	u32 n;
	int err;

	for (; len; off += n, from += n, len -= n) {
		n = min(len, COMPARE_STEP);
		if (skb_copy_bits(pkt->skb, pkt->payload + off, seen, n))
			return -EFAULT;
		if (!memcmp(seen, c->data + from, n))
			continue;
		if (!alter)
			return -EBADMSG;
		err = esmtp_packet_write(pkt, off, c->data + from, n);
		if (err)
			return err;
		*wrote = true;
	}
	return 0;
}

/* Other bytes where nothing may be altered. Mode monitor only says so. Returns 0 or -EBADMSG. */
static int conflict(struct esmtp_session *s, enum esmtp_dir dir,
		    struct list_head *notes)
{
	esmtp_count(s->en, ESMTP_NC_CONFLICT);
	if (s->policy->engine.flags & ESMTP_POLICY_F_MONITOR) {
		esmtp_stream_note(s, dir, ESMTP_EVENT_CONFLICT,
				  ESMTP_ACTION_COUNT, notes);
		return 0;
	}
	esmtp_stream_close(s, dir, ESMTP_EVENT_CONFLICT, notes);
	return -EBADMSG;
}

/*
 * What of the packet has passed before, in its turn or early, must be the same again. What is
 * not retained any more has been acknowledged: its receiver does not read it again.
 * Returns 0 or -errno: do not pass.
 */
static int repeat(struct esmtp_session *s, struct esmtp_packet *pkt,
		  struct list_head *notes)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	bool monitor = s->policy->engine.flags & ESMTP_POLICY_F_MONITOR;
	bool wrote = false, known = before(pkt->seq, fl->next);
	u32 end = pkt->seq + pkt->len, from, to;
	struct esmtp_chunk *c;
	int err = 0;

	list_for_each_entry_reverse(c, &fl->chunks, node) {
		if (!after(c->seq + c->len, pkt->seq))
			break;
		from = before(c->seq, pkt->seq) ? pkt->seq : c->seq;
		to = before(c->seq + c->len, end) ? c->seq + c->len : end;
		if (!before(from, to))
			continue;
		known = true;
		err = compare(pkt, from - pkt->seq, c, from - c->seq, to - from,
			      !c->content && !monitor, &wrote);
		if (err)
			break;
	}
	if (known)
		esmtp_count(s->en, ESMTP_NC_REPEAT);
	if (wrote)
		esmtp_count(s->en, ESMTP_NC_REWRITTEN);
	return err == -EBADMSG ? conflict(s, pkt->dir, notes) : err;
}

/* All of the packet passes. Its FIN does not where there is something to be said behind it. */
static unsigned int pass_whole(struct esmtp_session *s,
			       struct esmtp_packet *pkt)
{
	if (pkt->fin && s->state == SESSION_CLOSED &&
	    s->verdict == ESMTP_CLOSE_REPLY && esmtp_packet_clear_fin(pkt)) {
		esmtp_count(s->en, ESMTP_NC_NO_MEMORY);
		return NF_DROP;
	}
	if (pkt->fin)
		s->flow[pkt->dir].flags |= FLOW_FIN;
	return NF_ACCEPT;
}

/* Cut off what was not taken. */
static unsigned int pass(struct esmtp_session *s, struct esmtp_packet *pkt)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	u32 keep = fl->next - pkt->seq;

	if (s->state == SESSION_BYPASS)
		return NF_ACCEPT;
	if (keep > pkt->len && pkt->fin) {
		/* What came early is behind it. */
		esmtp_count(s->en, ESMTP_NC_STALE);
		return NF_DROP;
	}
	if (keep >= pkt->len)
		return pass_whole(s, pkt);
	if (s->state == SESSION_CLOSED) {
		esmtp_closed_count(s);
		esmtp_answer_taken(s, pkt);
		if (!keep)
			return NF_DROP;
	}
	if (esmtp_packet_cut(pkt, keep)) {
		esmtp_count(s->en, ESMTP_NC_NO_MEMORY);
		return NF_DROP;
	}
	if (s->state == SESSION_OPEN)
		esmtp_count(s->en, ESMTP_NC_HELD);
	return NF_ACCEPT;
}

/* Payload or FIN. */
static unsigned int segment(struct esmtp_session *s, struct esmtp_packet *pkt,
			    struct list_head *notes)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	int err = 0;

	if (pkt->len) {
		esmtp_policy_count(s->policy, ESMTP_PC_PACKETS, 1);
		err = repeat(s, pkt, notes);
	}
	if (!err && s->state == SESSION_OPEN) {
		if (after(pkt->seq, fl->next))
			return esmtp_early_packet(s, pkt);
		err = take(s, pkt, notes);
	}
	if (err) {
		if (err == -ENOMEM)
			esmtp_count(s->en, ESMTP_NC_NO_MEMORY);
		return NF_DROP;
	}
	return pass(s, pkt);
}

unsigned int esmtp_stream_packet(struct esmtp_session *s,
				 struct esmtp_packet *pkt,
				 struct list_head *notes)
{
	bool open = s->state == SESSION_OPEN, early;
	struct esmtp_flow *other = &s->flow[!pkt->dir];
	unsigned int verdict;

	if (open && !esmtp_receivable(s, pkt))
		return NF_DROP;
	early = open && (pkt->len || pkt->fin) &&
		after(pkt->seq, s->flow[pkt->dir].next);
	if (!early && esmtp_ack_counts(s, pkt))
		esmtp_flow_acked(s, other, pkt->ack);
	if (open && esmtp_window_lower(s, pkt)) {
		esmtp_count(s->en, ESMTP_NC_NO_MEMORY);
		return NF_DROP;
	}
	if (!pkt->len && !pkt->fin)
		return NF_ACCEPT;
	verdict = segment(s, pkt, notes);
	/* Ahead of its turn it may not pass: then nobody hears of its ACK, and all that comes again. */
	if (early && verdict == NF_ACCEPT)
		esmtp_flow_acked(s, other, pkt->ack);
	return verdict;
}
