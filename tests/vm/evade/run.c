// SPDX-License-Identifier: GPL-2.0-only
/* The loop: many connections at once, each with its own schedule. */
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "evade.h"
#include "run.h"

#define LINGER	400u		/* how long the other side of a closed connection has to hear of it */

static int epoll = -1;
static struct conn *ports[65536];
static u16 next_port;

struct conn *conn_of(u16 port)
{
	return ports[port];
}

u16 run_port(void)
{
	return next_port;
}

bool run_open(void)
{
	struct epoll_event ev = { .events = EPOLLIN };
	u32 i;

	next_port = opt.port;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || !wire_open())
		return false;
	for (i = 0; i < 2; i++) {
		ev.data.u64 = wire_fd(i);
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, wire_fd(i), &ev))
			return false;
	}
	return server_open(epoll) && (!opt.trace || trace_open());
}

static bool bytes_new(struct bytes *b, u32 size)
{
	b->size = size;
	b->data = malloc(size);
	b->seen = calloc(size, 1);
	return b->data && b->seen;
}

static void bytes_free(struct bytes *b)
{
	free(b->data);
	free(b->seen);
}

static void conn_free(struct conn *c)
{
	ports[c->port] = NULL;
	server_free(c);
	bytes_free(&c->got);
	bytes_free(&c->traced[0]);
	bytes_free(&c->traced[1]);
	memset(c, 0, sizeof(*c));
}

static bool conn_new(struct conn *c, const struct schedule *s, struct verdict *v)
{
	memset(c, 0, sizeof(*c));
	memset(v, 0, sizeof(*v));
	c->s = s;
	c->v = v;
	do {
		next_port = next_port >= 60000 ? 10000 : next_port + 1;
	} while (ports[next_port]);
	c->port = next_port;
	ports[c->port] = c;
	c->srv.read = malloc(TEXT_MAX);
	c->srv.phases = malloc(TEXT_MAX);
	c->srv.out = malloc(OUT_MAX);
	c->srv.maskable = malloc(OUT_MAX);
	if (!c->srv.read || !c->srv.phases || !c->srv.out || !c->srv.maskable)
		return false;
	return bytes_new(&c->got, OUT_MAX) && bytes_new(&c->traced[0], TEXT_MAX) && bytes_new(&c->traced[1], OUT_MAX);
}

/* Whether it is over, and how. */
static enum outcome outcome_of(const struct conn *c)
{
	const struct server *v = &c->srv;

	/* What comes behind the last ACK may be answered by a RST. */
	if (v->eof && v->n_read == c->s->len && v->written == v->n_out && c->rcv == v->n_out && c->fin_seen)
		return OUT_COMPLETE;
	if (c->reset || v->reset)
		return OUT_CLOSED;
	if (v->eof && v->n_read < c->s->len)
		return OUT_ENDED;
	return OUT_NONE;
}

/*
 * Stuck is who has not moved for a while: a busy machine may take long for all of it. A server whose SYN/ACK was not
 * answered within a second waits 3 s before it sends again (RFC 6298, 5.7), then 6 and 12: a client may lose three.
 */
static bool is_stuck(struct conn *c, u64 now)
{
	u32 progress = c->una + c->rcv + c->srv.n_read + c->stage + c->open + c->srv.accepted;
	u32 patience = c->s->acks == ACKS_LOSSY ? 2 * opt.deadline : opt.deadline;

	if (progress != c->progress) {
		c->progress = progress;
		c->moved_at = now;
	}
	return now - c->moved_at >= (c->s->expect == EXPECT_CUT ? opt.deadline / 3 : patience);
}

static bool is_over(struct conn *c, u64 now)
{
	enum outcome out = outcome_of(c);

	c->v->outcome = out;
	if (out == OUT_COMPLETE || (c->reset && c->srv.reset))
		return true;
	if (out != OUT_NONE) {
		if (!c->over_at)
			c->over_at = now + LINGER;
		return now >= c->over_at;
	}
	if (!is_stuck(c, now))
		return false;
	c->v->outcome = OUT_STUCK;
	return true;
}

static void events(u64 now)
{
	struct epoll_event ev[64];
	int i, n = epoll_wait(epoll, ev, 64, 0);
	struct conn *c;

	for (i = 0; i < n; i++) {
		u32 port = ev[i].data.u64 >> 32;

		if (port) {
			c = ports[port];
			if (c)
				server_ready(c, now);
		} else if (server_is_listener((int)ev[i].data.u64)) {
			server_accept((int)ev[i].data.u64);
		}
	}
	wire_receive(false);
	wire_receive(true);
}

/* Nothing happens before: no timer ends earlier. */
static void sleep_until(u64 next, u64 now)
{
	struct epoll_event ev;

	if (next > now)
		epoll_wait(epoll, &ev, 1, next - now < 1000 ? next - now : 1000);
}

static bool fill(struct runner *r, u64 now)
{
	u32 i;

	for (i = 0; i < r->parallel && !r->dry; i++) {
		struct slot *sl = &r->slots[i];

		if (sl->busy)
			continue;
		if (!r->next(r, &sl->schedule)) {
			r->dry = true;
			break;
		}
		if (!conn_new(&sl->conn, &sl->schedule, &sl->verdict))
			return false;
		sl->busy = true;
		r->busy++;
		client_start(&sl->conn, now);
	}
	return true;
}

static u64 advance(struct runner *r, u64 now, u32 *over)
{
	u64 next = now + 1000, t;
	struct conn *c;
	u32 i;

	for (i = 0; i < r->parallel; i++) {
		c = &r->slots[i].conn;
		if (!r->slots[i].busy)
			continue;
		if (c->s->slow || (c->srv.accepted && c->srv.written < c->srv.n_out))
			server_ready(c, now);
		client_run(c, now);
		t = c->s->slow ? c->srv.next_read : next;
		if (t > client_next(c))
			t = client_next(c);
		if (c->over_at && c->over_at < t)
			t = c->over_at;
		if (t < next)
			next = t;
		c->done = is_over(c, now);
		*over += c->done;
	}
	return next > now ? next : now + 1;
}

static bool judge_over(struct runner *r)
{
	u32 i;

	/* What was traced of them is there; what was lost may be of any. */
	if (!trace_drain()) {
		fprintf(stderr, "evade: events of the tracepoint were lost\n");
		return false;
	}
	for (i = 0; i < r->parallel; i++) {
		struct slot *sl = &r->slots[i];

		if (!sl->busy || !sl->conn.done)
			continue;
		judge(&sl->conn);
		conn_free(&sl->conn);
		sl->busy = false;
		r->busy--;
		r->done(r, &sl->schedule, &sl->verdict);
	}
	return true;
}

/* Plays everything that next() gives. */
bool run(struct runner *r)
{
	u64 now, next;
	u32 over;

	r->slots = calloc(r->parallel, sizeof(*r->slots));
	if (!r->slots)
		return false;
	for (;;) {
		now = now_ms();
		if (!fill(r, now))
			return false;
		if (!r->busy)
			break;
		over = 0;
		events(now);
		next = advance(r, now_ms(), &over);
		if (over) {
			if (!judge_over(r))
				return false;
			continue;
		}
		sleep_until(next, now_ms());
	}
	free(r->slots);
	r->slots = NULL;
	return true;
}
