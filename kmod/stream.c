// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP → ordered bytes and back.
 *
 * Theory of operation
 *
 * Each direction keeps the bytes that were passed and are not acknowledged, as
 * they were passed. A new segment is copied there first, the engine reads the
 * copy and edits fall into it; then the packet is made equal to the copy. A
 * repeat goes the same way without the engine: so what is sent again is what
 * was sent before, and nobody can change bytes under the engine's eyes.
 *
 * A segment ahead of the stream is dropped: its sender repeats it. What the
 * engine does not take is cut off the packet's end, never dropped with it: a
 * packet dropped whole comes back the same for ever.
 */
#include <linux/netfilter.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "event.h"
#include "session.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

#define CHUNK_MIN	192u
#define CHUNK_MAX	16384u
#define COMPARE_STEP	128u
/* What a direction with nothing retained gets even where the namespace's pool is used up. */
#define RESERVE		2048u

static void chunk_free(struct esmtp_session *s, struct esmtp_flow *fl,
		       struct esmtp_chunk *c)
{
	struct esmtp_net *en = READ_ONCE(s->en);

	list_del(&c->node);
	WRITE_ONCE(fl->retained, fl->retained - c->truesize);
	if (en)
		atomic_long_sub(c->truesize, &en->retained);
	kfree(c);
}

void esmtp_flow_free(struct esmtp_session *s, struct esmtp_flow *fl)
{
	struct esmtp_chunk *c, *tmp;

	list_for_each_entry_safe(c, tmp, &fl->chunks, node)
		chunk_free(s, fl, c);
}

void esmtp_flow_acked(struct esmtp_session *s, struct esmtp_flow *fl, u32 ack)
{
	struct esmtp_chunk *c, *tmp;

	/* An acknowledgement of what was never sent frees nothing; in bypass nobody counts any more. */
	if (after(ack, fl->next)) {
		if (s->state != SESSION_BYPASS)
			return;
		ack = fl->next;
	}
	list_for_each_entry_safe(c, tmp, &fl->chunks, node) {
		if (after(c->seq + c->len, ack))
			return;
		chunk_free(s, fl, c);
	}
}

static bool within_bounds(const struct esmtp_session *s,
			  const struct esmtp_flow *fl, u32 size)
{
	return fl->retained + size <= esmtp_retain_max &&
	       atomic_long_read(&s->en->retained) + size <= esmtp_pool_max;
}

/*
 * @must: whatever the bounds. The engine has taken the bytes already, or the direction
 * would stand still for as long as others use up the pool.
 */
static struct esmtp_chunk *chunk_new(struct esmtp_session *s,
				     struct esmtp_flow *fl, u32 bytes,
				     bool must)
{
	u32 size = sizeof(struct esmtp_chunk) + bytes;
	struct esmtp_chunk *c;

	if (!must && !within_bounds(s, fl, size))
		return NULL;
	c = kmalloc(size, GFP_ATOMIC | __GFP_NOWARN);
	if (!c)
		return NULL;
	c->seq = fl->next;
	c->len = 0;
	c->size = bytes;
	c->truesize = size;
	c->content = false;
	list_add_tail(&c->node, &fl->chunks);
	WRITE_ONCE(fl->retained, fl->retained + size);
	atomic_long_add(size, &s->en->retained);
	return c;
}

/*
 * Room for @want more bytes at the end of the flow. Returns how many may be written to
 * @out; 0 = a bound was reached or there is no memory.
 */
static u32 chunk_room(struct esmtp_session *s, struct esmtp_flow *fl, u32 want,
		      struct esmtp_chunk **out)
{
	struct esmtp_chunk *c;

	if (!list_empty(&fl->chunks)) {
		c = list_last_entry(&fl->chunks, struct esmtp_chunk, node);
		/* A line should be read in one piece: no use of a small rest. */
		if (c->size - c->len >= min(want, CHUNK_MIN)) {
			*out = c;
			return min(want, c->size - c->len);
		}
	}

	c = chunk_new(s, fl, clamp(want, CHUNK_MIN, CHUNK_MAX), false);
	if (!c && list_empty(&fl->chunks))
		c = chunk_new(s, fl, clamp(want, CHUNK_MIN, RESERVE), true);
	if (!c)
		return 0;
	*out = c;
	return min(want, c->size);
}

/*
 * The engine's bytes are in @c behind c->len. If they are content and the chunk's are not, or
 * the other way round, they move to a chunk of their own: one chunk, one rule for repeats.
 * That may exceed the bounds, by no more than a head and the room left in @c.
 */
static bool chunk_append(struct esmtp_session *s, struct esmtp_flow *fl,
			 struct esmtp_chunk *c, u32 taken, bool content)
{
	struct esmtp_chunk *own;

	if (c->len && c->content != content) {
		u8 *from = c->data + c->len;
		u32 left = taken;

		while (left) {
			u32 size = min(left, CHUNK_MAX);

			own = chunk_new(s, fl, size, true);
			if (!own)
				return false;
			own->content = content;
			memcpy(own->data, from, size);
			own->len = size;
			fl->next += size;
			from += size;
			left -= size;
		}
		return true;
	}
	c->content = content;
	c->len += taken;
	fl->next += taken;
	return true;
}

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

static void note_events(struct esmtp_session *s, enum esmtp_dir dir,
			const struct esmtp_result *r, struct list_head *notes)
{
	u8 i;

	for (i = 0; i < r->n_events; i++)
		esmtp_event_note(s->en, notes, s->policy, dir, &r->events[i]);
}

/* The stream's own reasons to close. */
static void close_for(struct esmtp_session *s, enum esmtp_dir dir,
		      enum esmtp_event_type why, struct list_head *notes)
{
	const struct esmtp_event ev = {
		.type = why,
		.rule = ESMTP_NO_RULE,
		.action = ESMTP_ACTION_RESET,
		.log = true,
	};

	esmtp_event_note(s->en, notes, s->policy, dir, &ev);
	esmtp_close_session(s, ESMTP_CLOSE_RESET);
}

/* What the result says about the session, once its bytes are safely retained. */
static void follow_result(struct esmtp_session *s, const struct esmtp_result *r)
{
	if (r->verdict != ESMTP_PASS) {
		esmtp_close_session(s, r->verdict);
	} else if (r->bypass) {
		WRITE_ONCE(s->state, SESSION_BYPASS);
	} else if (esmtp_engine_latched(&s->engine) != ESMTP_PASS) {
		if (!s->latched_at)
			s->latched_at = jiffies | 1;
	}
}

/* For who wants to see what was inspected. The tuple's ports are those before NAT. */
static void trace_bytes(const struct esmtp_session *s, enum esmtp_dir dir,
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

/* Inspect the part of a packet that has not been seen before. Returns 0 or -errno: do not pass. */
static int take_fresh(struct esmtp_session *s, struct esmtp_packet *pkt,
		      u32 off, struct list_head *notes)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	struct esmtp_chunk *c, *filled = NULL;
	struct esmtp_result r;
	u32 room, taken;
	u8 *copy;
	int err = 0;

	while (off < pkt->len && s->state == SESSION_OPEN && !err) {
		room = chunk_room(s, fl, pkt->len - off, &c);
		if (!room) {
			esmtp_count(s->en, ESMTP_NC_NO_MEMORY);
			return 0;
		}
		copy = c->data + c->len;
		/* The engine may stop at every line: what it left is there already. */
		if (c != filled &&
		    skb_copy_bits(pkt->skb, pkt->payload + off, copy, room))
			return -EFAULT;
		filled = c;

		taken = esmtp_engine_feed(&s->engine, &s->policy->engine,
					  pkt->dir, copy, room, &r);
		note_events(s, pkt->dir, &r, notes);
		esmtp_policy_count(s->policy, ESMTP_PC_BYTES, taken);
		err = apply_edits(pkt, off, copy, &r);
		trace_bytes(s, pkt->dir, fl->next, copy, taken, r.content);
		if (!chunk_append(s, fl, c, taken, r.content)) {
			/* Not retained, so a repeat could not be judged. */
			close_for(s, pkt->dir, ESMTP_EVENT_NOT_RETAINED, notes);
			return -ENOMEM;
		}
		if (!c->len)
			chunk_free(s, fl, c);
		off += taken;
		follow_result(s, &r);
		if (r.hold)
			break;
		if (WARN_ON_ONCE(!taken && s->state == SESSION_OPEN)) {
			esmtp_close_session(s, ESMTP_CLOSE_RESET);
			return -EINVAL;
		}
	}
	return err;
}

/* Make @len bytes of a packet equal to what was passed. Returns 0 or -errno. */
static int compare(struct esmtp_session *s, struct esmtp_packet *pkt, u32 off,
		   const struct esmtp_chunk *c, u32 from, u32 len, bool *wrote)
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
		if (c->content &&
		    !(s->policy->engine.flags & ESMTP_POLICY_F_MONITOR))
			return -EBADMSG;
		err = esmtp_packet_write(pkt, off, c->data + from, n);
		if (err)
			return err;
		*wrote = true;
	}
	return 0;
}

/*
 * The first @len bytes of the packet were passed before. What is not retained any more has
 * been acknowledged: its receiver does not read it again.
 */
static int repeat(struct esmtp_session *s, struct esmtp_packet *pkt, u32 len,
		  struct list_head *notes)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	struct esmtp_chunk *c;
	bool wrote = false;
	u32 end = pkt->seq + len, from, to;
	int err = 0;

	esmtp_count(s->en, ESMTP_NC_REPEAT);
	list_for_each_entry(c, &fl->chunks, node) {
		from = before(c->seq, pkt->seq) ? pkt->seq : c->seq;
		to = before(c->seq + c->len, end) ? c->seq + c->len : end;
		if (!before(from, to))
			continue;
		err = compare(s, pkt, from - pkt->seq, c, from - c->seq,
			      to - from, &wrote);
		if (err)
			break;
	}
	if (wrote)
		esmtp_count(s->en, ESMTP_NC_REWRITTEN);
	if (err == -EBADMSG) {
		esmtp_count(s->en, ESMTP_NC_CONFLICT);
		close_for(s, pkt->dir, ESMTP_EVENT_CONFLICT, notes);
	}
	return err;
}

/* Cut off what was not taken. */
static unsigned int pass(struct esmtp_session *s, struct esmtp_packet *pkt)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	u32 keep = fl->next - pkt->seq;

	if (s->state == SESSION_BYPASS || keep >= pkt->len)
		return NF_ACCEPT;
	if (s->state == SESSION_CLOSED) {
		esmtp_closed_count(s);
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

unsigned int esmtp_stream_packet(struct esmtp_session *s,
				 struct esmtp_packet *pkt,
				 struct list_head *notes)
{
	struct esmtp_flow *fl = &s->flow[pkt->dir];
	s32 ahead = pkt->seq - fl->next;
	u32 old = 0;
	int err = 0;

	if (pkt->has_ack)
		esmtp_flow_acked(s, &s->flow[!pkt->dir], pkt->ack);
	if (!pkt->len && !pkt->fin)
		return NF_ACCEPT;
	if (ahead > 0 && s->state == SESSION_OPEN) {
		esmtp_count(s->en, ESMTP_NC_EARLY);
		return NF_DROP;
	}
	if (pkt->len)
		esmtp_policy_count(s->policy, ESMTP_PC_PACKETS, 1);

	if (ahead < 0) {
		old = min_t(u32, pkt->len, -ahead);
		if (old)
			err = repeat(s, pkt, old, notes);
	}
	if (!err && old < pkt->len && s->state == SESSION_OPEN)
		err = take_fresh(s, pkt, old, notes);
	if (err) {
		if (err == -ENOMEM)
			esmtp_count(s->en, ESMTP_NC_NO_MEMORY);
		return NF_DROP;
	}
	return pass(s, pkt);
}
