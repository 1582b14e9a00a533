// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP as the receiver of a packet sees it: what it would take, what it has, and how much more
 * it wants.
 *
 * What a receiver does not take must not be remembered here: else a stranger could have his
 * bytes compared with the sender's. Conntrack has looked before, but at
 * less: it knows no timestamps, takes a little more than the window, and can be told to be liberal.
 * (Checksums are help()'s business.)
 */
#include <net/netfilter/nf_conntrack.h>
#include <net/tcp.h>

#include "session.h"

/* RFC 7323 §5.5: after that much idle time a clock of microseconds may have gone half round. */
#define STAMP_LIFE	(2147u * HZ)
/* As conntrack has it: no window is taken to be smaller when old ACKs are judged. */
#define ACK_WINDOW_MIN	66000u

void esmtp_flow_acked(struct esmtp_session *s, struct esmtp_flow *fl, u32 ack)
{
	struct esmtp_chunk *c, *tmp;

	if (after(ack, fl->acked))
		fl->acked = ack;
	list_for_each_entry_safe(c, tmp, &fl->chunks, node) {
		if (after(c->seq + c->len, ack))
			return;
		esmtp_chunk_free(s, fl, c);
	}
}

/* RFC 9293 §3.10.7.4: of a packet in front of the window nothing counts, neither its ACK nor its window. */
bool esmtp_ack_counts(const struct esmtp_session *s,
		      const struct esmtp_packet *pkt)
{
	return pkt->has_ack &&
	       !before(pkt->seq + pkt->len + pkt->fin,
		       s->flow[pkt->dir].acked);
}

/* RFC 5961 §5.2 */
static bool ack_ok(const struct esmtp_session *s,
		   const struct esmtp_packet *pkt)
{
	const struct esmtp_flow *fl = &s->flow[!pkt->dir];
	u32 window;

	if (!pkt->has_ack)
		return false;
	window = max(READ_ONCE(s->ct->proto.tcp.seen[pkt->dir].td_maxwin),
		     ACK_WINDOW_MIN);
	return !after(pkt->ack, esmtp_flow_end(fl)) &&
	       !before(pkt->ack, fl->acked - window);
}

/* RFC 7323 §5.3. Receivers forgive one tick. */
static bool stamp_ok(const struct esmtp_flow *fl,
		     const struct esmtp_options *opt)
{
	if (!opt->stamped)
		return false;
	if (!(fl->flags & FLOW_STAMPED) ||
	    (u32)jiffies - fl->stamp_at > STAMP_LIFE)
		return true;
	return (s32)(fl->stamp - opt->tsval) <= 1;
}

/* RFC 7323 §4.3: the clock is taken from what touches the last ACK, and only forward. */
static void note_stamp(struct esmtp_flow *fl, const struct esmtp_packet *pkt,
		       const struct esmtp_options *opt)
{
	if (after(pkt->seq, fl->acked) ||
	    before(pkt->seq + pkt->len, fl->acked))
		return;
	if (fl->flags & FLOW_STAMPED && (s32)(opt->tsval - fl->stamp) < 0 &&
	    (u32)jiffies - fl->stamp_at <= STAMP_LIFE)
		return;
	fl->stamp = opt->tsval;
	fl->stamp_at = (u32)jiffies;
	fl->flags |= FLOW_STAMPED;
}

/* RFC 7323 §5.2: what we say in the sender's name must not look older than what it has said. */
static void note_newest(struct esmtp_session *s, enum esmtp_dir dir,
			const struct esmtp_options *opt)
{
	if (dir == ESMTP_DIR_SERVER &&
	    (!(s->flow[dir].flags & FLOW_STAMPED) ||
	     (s32)(opt->tsval - s->newest) > 0))
		s->newest = opt->tsval;
}

/* A FIN in the middle of what has passed already is nobody's. */
static bool fin_ok(const struct esmtp_flow *fl, const struct esmtp_packet *pkt)
{
	return !pkt->fin || !before(pkt->seq + pkt->len, fl->next);
}

/*
 * Cut off what is beyond the window. One byte at a closed window is a probe: whether the
 * receiver takes it nobody knows, so it is read and remembered like any other. Without payload
 * nothing of a packet beyond the window (a FIN has a number, too) is taken, its ACK neither.
 * Returns false if nothing is left.
 */
static bool trim(struct esmtp_session *s, const struct esmtp_flow *fl,
		 struct esmtp_packet *pkt)
{
	u32 limit = fl->right + (fl->right == fl->acked);

	if (!after(pkt->seq + pkt->len, limit + !pkt->len))
		return true;
	esmtp_count(s->en, ESMTP_NC_OUTSIDE);
	return before(pkt->seq, limit) &&
	       !esmtp_packet_cut(pkt, limit - pkt->seq);
}

bool esmtp_receivable(struct esmtp_session *s, struct esmtp_packet *pkt)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	struct esmtp_options opt;

	if (s->stamped)
		esmtp_packet_options(pkt, &opt);
	if (!ack_ok(s, pkt) || !fin_ok(fl, pkt) ||
	    (s->stamped && !stamp_ok(fl, &opt))) {
		esmtp_count(s->en, ESMTP_NC_STALE);
		return false;
	}
	if (pkt->len && fl->flags & FLOW_FIN &&
	    after(pkt->seq + pkt->len, fl->next)) {
		esmtp_count(s->en, ESMTP_NC_BEHIND_FIN);
		/* The FIN's own number with a byte that means nothing: a keep-alive. */
		return pkt->len == 1 && pkt->seq == fl->next &&
		       !esmtp_packet_cut(pkt, 0);
	}
	if (!trim(s, fl, pkt))
		return false;
	if (s->stamped) {
		note_newest(s, pkt->dir, &opt);
		note_stamp(fl, pkt, &opt);
	}
	return true;
}

/*
 * Lower the window of @pkt so that its right edge is at @allowed, which is behind its ACK, or a
 * little behind that where the scale cannot say it. Returns 0 or -ENOMEM.
 */
static int lower(struct esmtp_net *en, struct esmtp_packet *pkt, u32 allowed,
		 u8 scale)
{
	u32 window = DIV_ROUND_UP(allowed - pkt->ack, 1u << scale);

	if (window >= pkt->window)
		return 0;
	esmtp_count(en, ESMTP_NC_WINDOW);
	return esmtp_packet_set_window(pkt, window);
}

int esmtp_window_lower(struct esmtp_session *s, struct esmtp_packet *pkt)
{
	struct esmtp_flow *fl = &s->flow[!pkt->dir];
	u32 edge = pkt->ack + ((u32)pkt->window << fl->scale);
	u32 allowed;
	int err;

	if (after(edge, fl->right) && esmtp_ack_counts(s, pkt))
		fl->right = edge;
	allowed = after(pkt->ack, fl->acked) ? pkt->ack : fl->acked;
	allowed += esmtp_chunk_window(s);
	if (before(allowed, fl->edge))
		allowed = fl->edge;
	err = lower(s->en, pkt, allowed, fl->scale);
	edge = pkt->ack + ((u32)pkt->window << fl->scale);
	if (after(edge, fl->edge))
		fl->edge = edge;
	return err;
}

int esmtp_window_first(struct esmtp_net *en, const struct nf_conn *ct,
		       struct esmtp_packet *pkt)
{
	u8 scale = READ_ONCE(ct->proto.tcp.seen[pkt->dir].td_scale);

	return lower(en, pkt, pkt->ack + ESMTP_FIRST_WINDOW, scale);
}
