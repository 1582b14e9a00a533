// SPDX-License-Identifier: GPL-2.0-only
/* The client by hand: plays a schedule, repeats what is not acknowledged, acknowledges what comes. */
#include <string.h>

#include "evade.h"
#include "net.h"

#define RTO_FIRST	60u
#define RTO_MAX		800u
#define REPEATS		4u		/* segments in one go */

void client_start(struct conn *c, u64 now)
{
	c->moved_at = now;
	c->prng = c->s->seed;
	c->ts_base = (u32)prng_next(&c->prng);
	c->rto = 500;
	c->rto_at = now + c->rto;
	c->syn_sent = true;
	wire_send(c, c->s->isn, TCP_SYN, NULL, 0, NULL);
}

/* Everything sent so far was read, and every answer has come. */
static bool is_answered(const struct conn *c, u32 upto)
{
	return c->srv.accepted && c->srv.n_read >= upto && c->srv.written == c->srv.n_out && c->rcv >= c->srv.n_out;
}

/*
 * Where a segment without bytes stands: at the highest number that was used, for the server takes a window from no
 * lower one, but not outside of its own window.
 */
u32 client_at(const struct conn *c)
{
	if (c->high > c->una + c->snd_wnd)
		return c->una + c->snd_wnd;
	return c->high > c->una ? c->high : c->una;
}

static void note_number(struct conn *c, u32 off, u32 len, const struct step *odd)
{
	u32 at = off + len + (c->fin_sent && off + len == c->s->len);

	if (odd && odd->shift)
		at = off + odd->shift;
	if (at > c->high && at <= c->una + c->snd_wnd)
		c->high = at;
}

static void send_range(struct conn *c, u32 off, u32 len, const u8 *data, const struct step *odd)
{
	const struct schedule *s = c->s;
	u32 flags = TCP_ACK | (len ? TCP_PSH : 0), marks = odd ? odd->marks : 0;
	bool last = s->fin_last && off + len == s->len && len && !(odd && odd->shift);

	if (marks & MARK_NO_ACK)
		flags &= ~TCP_ACK;
	if (marks & MARK_FIN || last)
		flags |= TCP_FIN;
	if (marks & MARK_RST)
		flags |= TCP_RST;
	if (marks & MARK_URG)
		flags |= TCP_URG;
	if (marks & MARK_SYN)
		flags = (flags & ~(TCP_PSH | TCP_ACK)) | TCP_SYN;
	if (flags & TCP_FIN && off + len == s->len)
		c->fin_sent = true;
	if (marks & MARK_WIN0 && !len)
		off = client_at(c);
	else
		note_number(c, off, len, odd);
	wire_send(c, s->isn + 1 + off, flags, data, len, odd);
	if (marks & MARK_WIN0)
		c->ack_at = now_ms() + 20;	/* open it again */
}

static void play_step(struct conn *c, const struct step *st, u64 now)
{
	const struct schedule *s = c->s;
	u32 off = s->stages[st->stage].off + st->off, len = st->len, edge = c->una + c->snd_wnd;

	if (st->pause) {
		c->wake = now + st->len;
		return;
	}
	/* Beyond the window only on purpose: conntrack takes no ACK of what the server reads there. */
	if (!st->shift && off + len > edge)
		len = off < edge ? edge - off : 0;
	if (len || !st->len)
		send_range(c, off, len, st->other ? s->pool + st->pool : s->text + off, st);
}

/* The steps of the stages that may be played now. */
static void play(struct conn *c, u64 now)
{
	const struct schedule *s = c->s;

	while (c->stage < s->n_stages && now >= c->wake) {
		const struct stage *st = &s->stages[c->stage];

		if (!c->started) {
			if (!(st->early && c->stage) && !is_answered(c, st->off))
				return;
			c->started = true;
			c->step = 0;
			c->rto = RTO_FIRST;
		}
		while (c->step < s->n_steps && s->steps[c->step].stage != c->stage)
			c->step++;
		if (c->step < s->n_steps) {
			play_step(c, &s->steps[c->step++], now);
			continue;
		}
		c->limit = st->off + st->len;
		c->rto_at = now + c->rto;
		c->stage++;
		c->started = false;
	}
}

/* True bytes from the first one that is not acknowledged on, cut anyhow. */
static void repeat(struct conn *c, u32 many)
{
	const struct schedule *s = c->s;
	u32 at = c->una, end = c->limit, len;

	if (end - at > c->snd_wnd)
		end = at + (c->snd_wnd ? c->snd_wnd : 1);
	for (; many && at < end; many--, at += len) {
		len = end - at;
		if (chance(&c->prng, 30))
			len = between(&c->prng, 1, len);
		if (len > SEGMENT_MAX)
			len = SEGMENT_MAX;
		send_range(c, at, len, s->text + at, NULL);
	}
	c->recover = at;
}

static void finish(struct conn *c)
{
	c->fin_sent = true;
	note_number(c, c->s->len, 0, NULL);
	wire_send(c, c->s->isn + 1 + c->s->len, TCP_FIN | TCP_ACK, NULL, 0, NULL);
}

static void time_out(struct conn *c, u64 now)
{
	const struct schedule *s = c->s;

	c->rto = c->rto * 2 < RTO_MAX ? c->rto * 2 : RTO_MAX;
	c->rto_at = now + c->rto;
	if (!c->open)
		wire_send(c, s->isn, TCP_SYN, NULL, 0, NULL);
	else if (c->una < c->limit)
		repeat(c, REPEATS);
	else if (c->fin_sent && !c->fin_seen)
		finish(c);
}

void client_run(struct conn *c, u64 now)
{
	const struct schedule *s = c->s;

	if (c->reset)
		return;
	if (c->open)
		play(c, now);
	if (c->ack_at && now >= c->ack_at)
		wire_ack(c);
	if (c->open && !c->fin_sent && c->stage == s->n_stages && is_answered(c, s->len)) {
		finish(c);
		c->rto = RTO_FIRST;
		c->rto_at = now + c->rto;
	}
	if (now >= c->rto_at)
		time_out(c, now);
}

u64 client_next(const struct conn *c)
{
	u64 t = c->rto_at;

	if (c->ack_at && c->ack_at < t)
		t = c->ack_at;
	if (c->open && c->stage < c->s->n_stages && c->wake && c->wake < t)
		t = c->wake;
	return t;
}

/*
 * Bytes of the server, at this offset: the same as before? Those that were acknowledged may be others: no
 * receiver reads them again.
 */
static void compare(struct conn *c, u32 off, const u8 *data, u32 len)
{
	struct bytes *b = &c->got;
	u32 i;

	if (off + len > b->size) {
		snprintf(c->odd, sizeof(c->odd), "the client got %u bytes at %u, which nobody wrote", len, off);
		return;
	}
	for (i = 0; i < len; i++) {
		if (b->seen[off + i] && off + i >= c->acked && b->data[off + i] != data[i] && !c->odd[0])
			snprintf(c->odd, sizeof(c->odd), "the server's byte %u came as %02x, and again as %02x", off + i,
				 b->data[off + i], data[i]);
		if (!b->seen[off + i])
			b->data[off + i] = data[i];
		b->seen[off + i] = 1;
	}
	if (off + len > b->end)
		b->end = off + len;
}

static void take_ack(struct conn *c, u32 ack, u32 window)
{
	u32 off = ack - (c->s->isn + 1);

	if (off > c->s->len + c->fin_sent) {
		return;
	}
	if (off > c->s->len)
		off = c->s->len;
	c->snd_wnd = window;
	if (off <= c->una)
		return;
	c->una = off;
	c->rto = RTO_FIRST;
	c->rto_at = now_ms() + c->rto;
	if (off >= c->limit || !c->recover)
		c->recover = 0;
	else if (off >= c->recover)
		repeat(c, REPEATS);
}

static void acknowledge(struct conn *c)
{
	if (c->s->acks == ACKS_LATE && chance(&c->prng, 60)) {
		if (!c->ack_at)
			c->ack_at = now_ms() + between(&c->prng, 1, 45);
		return;
	}
	wire_ack(c);
}

static void take_data(struct conn *c, u32 flags, u32 off, const u8 *data, u32 len)
{
	u32 end = off + len;

	if (len)
		compare(c, off, data, len);
	if (c->s->acks == ACKS_LOSSY && c->lost < 3 && chance(&c->prng, 35)) {
		c->lost++;
		if (end <= c->rcv || chance(&c->prng, 50) || !len)
			return;
		end = off + rnd(&c->prng, len);
		flags &= ~TCP_FIN;
	}
	if (off <= c->rcv && end > c->rcv)
		c->rcv = end;
	if (flags & TCP_FIN && end == c->rcv)
		c->fin_seen = true;
	acknowledge(c);
}

static void opened(struct conn *c, u32 seq, u32 ack, u32 window)
{
	if (c->open || ack != c->s->isn + 1)
		return;
	c->rcv_isn = seq;
	c->open = true;
	c->snd_wnd = window;
	c->rto = RTO_FIRST;
	c->rto_at = now_ms() + c->rto;
}

void client_segment(struct conn *c, u32 flags, u32 seq, u32 ack, u32 window, const u8 *data, u32 len)
{
	u32 off = seq - (c->rcv_isn + 1);

	if (c->reset || !c->syn_sent)
		return;
	if ((flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
		opened(c, seq, ack, window);
		wire_ack(c);
		return;
	}
	if (!c->open)
		return;
	if (flags & TCP_RST) {
		c->reset = off == c->rcv + c->fin_seen;
		c->rst_count += !c->reset;
		c->rst_at = off;
		return;
	}
	if (flags & TCP_ACK)
		take_ack(c, ack, window);
	if (off > 0x80000000u) {
		if (len)
			compare(c, 0, data + 1, len - 1);
		wire_ack(c);			/* a probe below what there was */
	} else if (len || flags & TCP_FIN) {
		take_data(c, flags, off, data, len);
	} else if (off < c->rcv) {
		wire_ack(c);
	}
}
