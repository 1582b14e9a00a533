// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is retained of a direction: the bytes that were passed and are not acknowledged, in
 * chunks, within bounds.
 *
 * Each direction of a connection has a budget, each namespace a pool, and there is
 * one pool for all. What has passed ahead of the stream may use half of each. Bytes
 * that come next in the stream get room for a segment even where a bound is
 * reached, if nothing else of theirs is retained: so no direction ever stands still, least of all
 * one with a gap that only this segment fills.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "session.h"

#define CHUNK_MIN	256u	/* header included */
#define CHUNK_MAX	16384u
#define EARLY_MIN	2048u	/* so that small segments far apart make no long list */
#define MIXED_FROM	128u	/* chunks of one direction: from then on one may have both kinds */
#define SMALL_REST	192u	/* less of a chunk is not worth a copy */
#define RESERVE		2048u
#define WINDOW_MIN	(2 * RESERVE)

static unsigned int retain_max = 1 << 20;
module_param(retain_max, uint, 0644);
MODULE_PARM_DESC(retain_max,
		 "bytes in flight retained in each direction of a connection");

static unsigned long pool_max = 256UL << 20;
module_param(pool_max, ulong, 0644);
MODULE_PARM_DESC(pool_max, "bytes in flight retained in a namespace");

static unsigned long total_max = 512UL << 20;
module_param(total_max, ulong, 0644);
MODULE_PARM_DESC(total_max, "bytes in flight retained in all namespaces");

/* In all namespaces, those that are gone included. */
static atomic_long_t total;

/*
 * Whether @size more bytes exceed a bound; of early bytes: half of it.
 * Returns the counter of the bound, or 0.
 */
static enum esmtp_ns_counter exceeded(const struct esmtp_session *s,
				      const struct esmtp_flow *fl, u32 size,
				      bool early)
{
	if (fl->retained + size > READ_ONCE(retain_max) ||
	    (early && fl->early + size > READ_ONCE(retain_max) / 2))
		return ESMTP_NC_RETAIN_FULL;
	if (atomic_long_read(&s->en->retained) + size >
	    READ_ONCE(pool_max) >> early)
		return ESMTP_NC_POOL_FULL;
	if (atomic_long_read(&total) + size > READ_ONCE(total_max) >> early)
		return ESMTP_NC_TOTAL_FULL;
	return 0;
}

static void charge(struct esmtp_session *s, struct esmtp_flow *fl, long size)
{
	struct esmtp_net *en = READ_ONCE(s->en);

	WRITE_ONCE(fl->retained, fl->retained + size);
	atomic_long_add(size, &total);
	if (en)
		atomic_long_add(size, &en->retained);
}

/* What the allocator would round it up to anyway. */
static u32 chunk_size(u32 bytes, u32 least)
{
	u32 size = sizeof(struct esmtp_chunk) + bytes;

	return roundup_pow_of_two(clamp(size, least, CHUNK_MAX));
}

static struct esmtp_chunk *chunk_new(struct esmtp_session *s,
				     struct esmtp_flow *fl, u32 size,
				     struct list_head *behind, u32 seq)
{
	struct esmtp_chunk *c = kmalloc(size, GFP_ATOMIC | __GFP_NOWARN);

	if (!c) {
		esmtp_count(s->en, ESMTP_NC_NO_MEMORY);
		return NULL;
	}
	*c = (struct esmtp_chunk) {
		.seq = seq,
		.size = size - sizeof(*c),
		.truesize = size,
	};
	list_add(&c->node, behind);
	fl->n_chunks++;
	charge(s, fl, size);
	return c;
}

void esmtp_chunk_free(struct esmtp_session *s, struct esmtp_flow *fl,
		      struct esmtp_chunk *c)
{
	list_del(&c->node);
	fl->n_chunks--;
	if (c->early)
		fl->early -= c->truesize;
	charge(s, fl, -(long)c->truesize);
	kfree(c);
}

void esmtp_flow_free(struct esmtp_session *s, struct esmtp_flow *fl)
{
	struct esmtp_chunk *c, *tmp;

	list_for_each_entry_safe(c, tmp, &fl->chunks, node)
		esmtp_chunk_free(s, fl, c);
}

/* The chunk at the end of what was inspected, or NULL. */
static struct esmtp_chunk *last_inspected(const struct esmtp_flow *fl)
{
	struct esmtp_chunk *c;

	list_for_each_entry_reverse(c, &fl->chunks, node)
		if (!c->early)
			return c;
	return NULL;
}

/* A chunk behind all that was inspected. The more is under way, the larger, so that the list stays short. */
static struct esmtp_chunk *chunk_next(struct esmtp_session *s,
				      struct esmtp_flow *fl, u32 bytes)
{
	struct esmtp_chunk *last = last_inspected(fl);
	u32 least = clamp((fl->next - fl->acked) / 32, CHUNK_MIN, CHUNK_MAX);

	return chunk_new(s, fl, chunk_size(bytes, least),
			 last ? &last->node : &fl->chunks, fl->next);
}

/*
 * How many more bytes of a kind @c can hold. Chunks of BDAT can be of one octet: where there are many chunks
 * commands share theirs with content, and are judged by its rule when they are repeated.
 */
static u32 rest(const struct esmtp_flow *fl, const struct esmtp_chunk *c,
		bool content)
{
	if (!c || (c->len && c->content != content && fl->n_chunks < MIXED_FROM))
		return 0;
	return c->size - c->len;
}

u32 esmtp_chunk_allowed(struct esmtp_session *s, struct esmtp_flow *fl,
			u32 want, bool content)
{
	const struct esmtp_chunk *c;
	enum esmtp_ns_counter full;
	u32 some;

	want = min_t(u32, want, CHUNK_MAX - sizeof(*c));
	full = exceeded(s, fl, chunk_size(want, CHUNK_MIN), false);
	if (!full)
		return want;
	c = last_inspected(fl);
	some = c ? rest(fl, c, content) : RESERVE - sizeof(*c);
	/* Who got only some comes again for the rest. */
	if (!some)
		esmtp_count(s->en, full);
	return min(want, some);
}

u32 esmtp_chunk_room(struct esmtp_session *s, struct esmtp_flow *fl, u32 want,
		     u8 **room)
{
	struct esmtp_chunk *c = last_inspected(fl);

	if (rest(fl, c, true) < min(want, SMALL_REST)) {
		c = chunk_next(s, fl, want);
		if (!c)
			return 0;
	}
	*room = c->data + c->len;
	return min(want, rest(fl, c, true));
}

bool esmtp_chunk_reserve(struct esmtp_session *s, struct esmtp_flow *fl,
			 u32 want)
{
	return rest(fl, last_inspected(fl), false) >= want ||
	       chunk_next(s, fl, want);
}

void esmtp_chunk_append(struct esmtp_flow *fl, const u8 *bytes, u32 len,
			bool content)
{
	struct esmtp_chunk *c = last_inspected(fl);

	if (!len)
		return;
	/* Content has been read in its place. */
	if (bytes != c->data + c->len)
		memcpy(c->data + c->len, bytes, len);
	c->content |= content;
	c->len += len;
	fl->next += len;
}

/* The chunk that begins at or before @seq, or NULL. */
static struct esmtp_chunk *chunk_before(const struct esmtp_flow *fl, u32 seq)
{
	struct esmtp_chunk *c;

	list_for_each_entry_reverse(c, &fl->chunks, node)
		if (!after(c->seq, seq))
			return c;
	return NULL;
}

struct esmtp_chunk *esmtp_chunk_early(struct esmtp_session *s,
				      struct esmtp_flow *fl, u32 seq, u32 len)
{
	struct esmtp_chunk *prev = chunk_before(fl, seq);
	u32 size = chunk_size(len, EARLY_MIN);
	u8 tail = ESMTP_END_UNKNOWN;
	enum esmtp_ns_counter full;
	struct esmtp_chunk *c;

	if (prev && prev->early && prev->seq + prev->len == seq) {
		if (prev->size > prev->len)
			return prev;
		/* Many segments come one behind the other. */
		if (!exceeded(s, fl, CHUNK_MAX, true))
			size = CHUNK_MAX;
		tail = prev->tail;
	}
	full = exceeded(s, fl, size, true);
	if (full) {
		esmtp_count(s->en, full);
		return NULL;
	}
	c = chunk_new(s, fl, size, prev ? &prev->node : &fl->chunks, seq);
	if (!c)
		return NULL;
	c->early = true;
	c->tail = tail;
	fl->early += size;
	return c;
}

void esmtp_chunk_inspected(struct esmtp_flow *fl, struct esmtp_chunk *c)
{
	c->early = false;
	fl->early -= c->truesize;
}

struct esmtp_chunk *esmtp_chunk_first_early(const struct esmtp_flow *fl)
{
	struct esmtp_chunk *c, *first = NULL;

	if (!fl->early)
		return NULL;
	list_for_each_entry_reverse(c, &fl->chunks, node) {
		if (!c->early)
			break;
		first = c;
	}
	return first;
}

/*
 * Three eighths of the budget: all of it can be retained, and also half of it as early bytes,
 * which chunks that are not full make larger. Less, when the pools run low.
 */
u32 esmtp_chunk_window(const struct esmtp_session *s)
{
	long left = min_t(long, READ_ONCE(pool_max) -
				atomic_long_read(&s->en->retained),
			  READ_ONCE(total_max) - atomic_long_read(&total));
	long own = READ_ONCE(retain_max) / 8 * 3;

	return max_t(long, WINDOW_MIN, min(own, left / 16));
}
