// SPDX-License-Identifier: GPL-2.0-only
/*
 * The model: bytes sorted by their place in the stream, the first of each that a receiver gets counts.
 *
 * Whatever is sent, and in whatever order: what the engine reads is what passes, each byte once and in order; a
 * receiver's application reads nothing that was not inspected; what is sent again passes as it did before; early
 * bytes are read by the engine before anybody can; what is retained is within its bounds.
 */
#include "stream.h"

struct model model;

/* What the module need not have counted against a bound: a change of kind costs a chunk, and the last one a rest. */
#define CHUNK_LEAST	512u
#define SLACK		4096u

void model_begin(const struct shape *shape)
{
	enum esmtp_dir dir;

	for (dir = 0; dir < ESMTP_DIRS; dir++) {
		struct stream *st = &model.stream[dir];

		memset(st->has_left, 0, sizeof(st->has_left));
		memset(st->has_got, 0, sizeof(st->has_got));
		memset(st->has_kept, 0, sizeof(st->has_kept));
		st->n_said = st->n_wanted = st->n_read = st->n_got = 0;
		st->edge = st->told = 0;
		st->free = st->fin_at = NEVER;
		st->hold = st->fin = false;
	}
	model.shape = *shape;
	model.now = NULL;
	model.monitor = shape->policy->flags & ESMTP_POLICY_F_MONITOR;
	model.forged = false;
}

/* What the engine is given must be the next bytes, and those that a receiver would take at this place. */
static void check_fed(const struct stream *st, const u8 *bytes, u32 len)
{
	const struct segment *now = model.now;
	u32 i, at;

	must(now && st->n_read + len <= STREAM_MAX);
	for (i = 0; i < len; i++) {
		at = st->n_read + i;
		if (st->has_left[at]) {
			must(bytes[i] == st->left[at] || model.monitor);
			continue;
		}
		if (st->has_kept[at] && bytes[i] == st->kept[at])
			continue;
		must(at >= now->at && at - now->at < now->len);
		must(bytes[i] == now->bytes[at - now->at] || model.monitor);
	}
}

u32 __real_esmtp_engine_feed(struct esmtp_engine *e, const struct esmtp_policy *p, enum esmtp_dir dir,
			     const u8 *data, u32 len, struct esmtp_sink *sink, struct esmtp_result *r);
u32 __wrap_esmtp_engine_feed(struct esmtp_engine *e, const struct esmtp_policy *p, enum esmtp_dir dir,
			     const u8 *data, u32 len, struct esmtp_sink *sink, struct esmtp_result *r);

/* The linker puts this in the engine's place. */
u32 __wrap_esmtp_engine_feed(struct esmtp_engine *e, const struct esmtp_policy *p, enum esmtp_dir dir,
			     const u8 *data, u32 len, struct esmtp_sink *sink, struct esmtp_result *r)
{
	struct stream *st = &model.stream[dir];
	const struct esmtp_edit *edit;
	u32 taken;

	check_fed(st, data, len);
	taken = __real_esmtp_engine_feed(e, p, dir, data, len, sink, r);
	must(taken <= len && !(r->content && r->n_edits));
	memcpy(st->wanted + st->n_read, data, taken);
	for (edit = r->edits; edit < r->edits + r->n_edits; edit++)
		memset(st->wanted + st->n_read + edit->off, edit->byte, edit->len);
	st->n_wanted = st->n_read + taken;
	st->hold = r->hold;
	if (r->bypass) {
		model.stream[dir].free = st->n_wanted;
		model.stream[!dir].free = model.stream[!dir].n_read;
	}
	return taken;
}

void trace_esmtp_inspected(u16 cport, u16 sport, bool server, u32 off, bool content, const u8 *bytes, u32 len)
{
	struct stream *st = &model.stream[server];

	(void)cport, (void)sport;
	must(off == st->n_read && off + len <= st->n_wanted);
	must(!memcmp(bytes, st->wanted + off, len));
	memcpy(st->read + off, bytes, len);
	memset(st->content + off, content, len);
	st->n_read += len;
}

/* Edited as it was, or as it came where it goes early; never other bytes than before. */
static bool may_pass(const struct stream *st, const struct segment *seg, u32 at, u8 byte)
{
	if (at < st->n_got || at >= st->free)
		return true;
	if (at < st->n_read)
		return byte == st->read[at];
	return byte == (st->has_left[at] ? st->left[at] : seg->bytes[at - seg->at]);
}

/* The end of a message stands in what has left. */
static bool has_end(const struct stream *st, u32 from, u32 to)
{
	u32 at, n = 0;

	for (at = from; at < to && n < 5; at++)
		n = !st->has_left[at] ? 0 : st->left[at] == "\r\n.\r\n"[n] ? n + 1 : st->left[at] == '\r';
	return n == 5;
}

void model_early(const struct segment *seg, u32 len, enum esmtp_ahead ahead, u64 chunk)
{
	const struct stream *st = &model.stream[seg->dir];

	must(ahead != ESMTP_AHEAD_NOT);
	must(ahead != ESMTP_AHEAD_COUNTED || seg->at + len <= st->n_read + chunk);
	must(ahead != ESMTP_AHEAD_DOTTED || !has_end(st, max(seg->at, st->n_read + 4) - 4, min(seg->at + len + 4, STREAM_MAX)));
}

void model_passed(const struct segment *seg, const u8 *bytes, u32 len, bool fin)
{
	struct stream *st = &model.stream[seg->dir];
	u32 i, at;

	must(len <= seg->len && (!fin || (seg->fin && len == seg->len)));
	for (i = 0; i < len; i++) {
		at = seg->at + i;
		must(model.monitor || may_pass(st, seg, at, bytes[i]));
		/* What its receiver would not take is cut off; a byte at a closed window is a probe. */
		must(at <= st->edge || at >= st->free);
		if (st->has_left[at])
			continue;
		st->has_left[at] = true;
		st->left[at] = bytes[i];
	}
}

void model_refused(const struct segment *seg)
{
	struct stream *st = &model.stream[seg->dir];
	u32 at;

	for (at = seg->at; at < seg->at + seg->len; at++) {
		if (st->has_left[at] || st->has_kept[at])
			continue;
		st->has_kept[at] = true;
		st->kept[at] = seg->bytes[at - seg->at];
	}
}

void model_received(const struct segment *seg, const u8 *bytes, u32 len, bool fin)
{
	struct stream *st = &model.stream[seg->dir];
	u32 i, at;

	for (i = 0; i < len; i++) {
		at = seg->at + i;
		if (at < st->n_got || at >= st->edge || at >= st->fin_at || st->has_got[at])
			continue;
		st->has_got[at] = true;
		st->got[at] = bytes[i];
	}
	if (fin && seg->at <= st->n_got && seg->at + len >= st->n_got && st->fin_at == NEVER)
		st->fin_at = seg->at + len;
	while (st->n_got < STREAM_MAX && st->has_got[st->n_got]) {
		at = st->n_got++;
		/* The application reads it. */
		must(at >= st->free || at < st->n_read);
		must(at >= st->free || st->got[at] == st->read[at] || (model.monitor && model.forged));
	}
}

void model_answered(u32 at, const u8 *bytes, u32 len)
{
	const struct stream *st = &model.stream[ESMTP_DIR_SERVER];
	u32 i;

	for (i = 0; i < len && at + i < st->n_read; i++)
		must(bytes[i] == st->read[at + i]);
}

/* Pieces of one kind among what may still be retained. */
static u32 n_runs(const struct stream *st, u32 from)
{
	u32 n = 1, at;

	for (at = from + 1; at < st->n_read; at++)
		n += st->content[at] != st->content[at - 1];
	return n;
}

static void check_flow(const struct stream *st, const struct esmtp_flow *fl)
{
	u32 bound = model.shape.retain + n_runs(st, fl->acked - fl->first) * CHUNK_LEAST + SLACK;

	must(fl->retained <= bound);
	must(fl->early <= model.shape.retain / 2 && fl->early <= fl->retained);
}

/* A policy that alters nothing gives a gap up that is not filled, and looks at nothing any more. */
void model_follow(const struct esmtp_session *s)
{
	struct stream *st;

	for (st = model.stream; s->state == SESSION_BYPASS && st < model.stream + ESMTP_DIRS; st++) {
		must(st->free < NEVER || model.monitor);
		st->free = min(st->free, st->n_read);
	}
}

void model_check(const struct esmtp_session *s, long bytes, long pool)
{
	const struct esmtp_flow *fl = s->flow;
	long retained = 0;
	enum esmtp_dir dir;

	if (s->state >= SESSION_CLOSED) {
		must(!pool);
		return;
	}
	for (dir = 0; dir < ESMTP_DIRS; dir++) {
		check_flow(&model.stream[dir], &fl[dir]);
		retained += fl[dir].retained;
		/* Nothing in between was left out. */
		if (s->state == SESSION_OPEN)
			must(fl[dir].next - fl[dir].first == model.stream[dir].n_read);
	}
	must(pool == retained && bytes == retained + (long)sizeof(*s));
}

void model_end(const struct esmtp_session *s)
{
	const struct stream *st;

	if (!model.forged && !model.monitor) {
		must(!module_events(ESMTP_EVENT_CONFLICT) && !module_count(ESMTP_NC_CONFLICT));
		must(!module_count(ESMTP_NC_REWRITTEN) || s);
	}
	if (!s || s->state != SESSION_OPEN || s->latched_at)
		return;
	/* No direction stands still but for the other's answer. */
	for (st = model.stream; st < model.stream + ESMTP_DIRS; st++)
		must(st->hold || st->fin || st->n_got == st->n_said);
}
