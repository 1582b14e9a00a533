// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments ahead of the stream.
 *
 * Of content they pass at once and a copy is kept: their receiver cannot read them before the
 * gap in front of them is filled, but it can acknowledge them selectively, so its sender
 * repeats what was lost and nothing else. The segment that fills the gap passes only
 * when the copies behind it have been inspected, too. What was wrong with them
 * cannot be mended any more: then the gap never passes, and the connection closes.
 *
 * The end of a message never goes ahead, nor what lies behind a place that it may be at: that
 * would be commands.
 */
#include <linux/netfilter.h>
#include <net/tcp.h>

#include "event.h"
#include "session.h"

/* The room in @c is @n bytes of the packet from @off on: may they pass? */
static bool may_pass(struct esmtp_chunk *c, u32 n, enum esmtp_ahead ahead)
{
	u8 tail;

	if (ahead != ESMTP_AHEAD_DOTTED)
		return true;
	tail = esmtp_end_scan(c->tail, c->data + c->len, n);
	if (tail & ESMTP_END_FOUND)
		return false;
	c->tail = tail;
	return true;
}

/*
 * Copy bytes @off … @end of the packet, of which no chunk has any. Returns how far that went: what
 * is behind may not pass.
 */
static u32 copy_range(struct esmtp_session *s, struct esmtp_packet *pkt,
		      u32 off, u32 end, enum esmtp_ahead ahead)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	struct esmtp_chunk *c;
	u32 n;

	for (; off < end; off += n) {
		c = esmtp_chunk_early(s, fl, pkt->seq + off, end - off);
		if (!c)
			return off;
		n = min(end - off, c->size - c->len);
		if (skb_copy_bits(pkt->skb, pkt->payload + off,
				  c->data + c->len, n))
			break;
		if (!may_pass(c, n, ahead)) {
			fl->barrier = pkt->seq + off;
			fl->flags |= FLOW_BARRIER;
			break;
		}
		c->content = ahead != ESMTP_AHEAD_ANY;
		c->len += n;
	}
	if (off < end && !c->len)
		esmtp_chunk_free(s, fl, c);
	return off;
}

/* The first chunk that ends behind @seq, or NULL. */
static struct esmtp_chunk *chunk_behind(const struct esmtp_flow *fl, u32 seq)
{
	struct esmtp_chunk *c, *found = NULL;

	list_for_each_entry_reverse(c, &fl->chunks, node) {
		if (!after(c->seq + c->len, seq))
			break;
		found = c;
	}
	return found;
}

/* Copy what is new of bytes 0 … @end of the packet. Returns how far that went. */
static u32 copy_new(struct esmtp_session *s, struct esmtp_packet *pkt, u32 end,
		    enum esmtp_ahead ahead)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	const struct esmtp_chunk *c;
	u32 off = 0, upto;

	while (off < end) {
		c = chunk_behind(fl, pkt->seq + off);
		if (c && !after(c->seq, pkt->seq + off)) {
			off = min(end, c->seq + c->len - pkt->seq);
			continue;
		}
		upto = c ? min(end, c->seq - pkt->seq) : end;
		off = copy_range(s, pkt, off, upto, ahead);
		if (off < upto)
			break;
	}
	return off;
}

/* How many bytes of the packet the rule lets pass, as far as it does not depend on them. */
static u32 reach(struct esmtp_flow *fl, const struct esmtp_packet *pkt,
		 enum esmtp_ahead ahead, u64 left)
{
	u32 gap = pkt->seq - fl->next;

	if (ahead == ESMTP_AHEAD_NOT || pkt->fin)
		return 0;
	if (ahead == ESMTP_AHEAD_COUNTED)
		return left <= gap ? 0 : min_t(u64, pkt->len, left - gap);
	if (fl->flags & FLOW_BARRIER && !after(fl->barrier, fl->next))
		fl->flags &= ~FLOW_BARRIER;
	if (ahead != ESMTP_AHEAD_DOTTED || !(fl->flags & FLOW_BARRIER))
		return pkt->len;
	if (!before(pkt->seq, fl->barrier))
		return 0;
	return min(pkt->len, fl->barrier - pkt->seq);
}

unsigned int esmtp_early_packet(struct esmtp_session *s,
				struct esmtp_packet *pkt)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	enum esmtp_ahead ahead;
	u32 keep;
	u64 left;

	ahead = esmtp_engine_ahead(&s->engine, &s->policy->engine, pkt->dir,
				   &left);
	keep = reach(fl, pkt, ahead, left);
	if (keep && !fl->early)
		fl->gap_since = (u32)jiffies;
	keep = copy_new(s, pkt, keep, ahead);
	if (keep < pkt->len || !keep)
		esmtp_count(s->en, ESMTP_NC_EARLY);
	if (!keep || (keep < pkt->len && esmtp_packet_cut(pkt, keep)))
		return NF_DROP;
	esmtp_count(s->en, ESMTP_NC_EARLY_PASSED);
	return NF_ACCEPT;
}

/* More than a log is wanted in bytes that have left: they must not become readable. */
static bool too_late(struct esmtp_session *s, enum esmtp_dir dir, u32 gap,
		     enum esmtp_verdict verdict, struct list_head *notes)
{
	/* The receiver's next number is where the gap begins. */
	s->flow[dir].next = gap;
	esmtp_count(s->en, ESMTP_NC_EARLY_CLOSED);
	if (verdict == ESMTP_PASS)
		esmtp_stream_close(s, dir, ESMTP_EVENT_EARLY_ALTERED, notes);
	else
		esmtp_close_session(s, verdict, notes);
	return false;
}

bool esmtp_early_turn(struct esmtp_session *s, enum esmtp_dir dir, u32 gap,
		      struct list_head *notes)
{
	struct esmtp_flow *fl = &s->flow[dir];
	struct esmtp_result r;
	struct esmtp_chunk *c;
	u32 at, taken;

	while (s->state == SESSION_OPEN &&
	       (c = esmtp_chunk_first_early(fl)) && c->seq == fl->next) {
		for (at = 0; at < c->len; at += taken) {
			taken = esmtp_stream_feed(s, dir, c->data + at,
						  c->len - at, &r, notes);
			if (r.verdict != ESMTP_PASS || r.n_edits || r.hold ||
			    !taken)
				return too_late(s, dir, gap, r.verdict, notes);
			esmtp_stream_trace(s, dir, c->seq + at, c->data + at,
					   taken, r.content);
			esmtp_stream_follow(s, &r, notes);
		}
		esmtp_chunk_inspected(fl, c);
		fl->next += c->len;
		fl->gap_since = (u32)jiffies;
	}
	return true;
}
