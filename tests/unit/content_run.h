/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Content alone, without a dialogue around it: a message is given to
 * esmtp_content_read() in pieces, and what fired is noted together with where.
 * The place of a firing is known to the byte when single bytes are given; any
 * other run must have it in the piece that holds this byte.
 */
#ifndef CONTENT_RUN_H
#define CONTENT_RUN_H

#include "harness.h"

#define FIRES_MAX	64
#define CHUNKS_MAX	16
#define NOT_ENDED	((size_t)-1)

/**
 * struct text - a growing message
 * @p: its bytes
 * @n: how many
 */
struct text {
	char *p;
	size_t n;
};

/**
 * struct fire - a rule that fired
 * @ev: its event
 * @lo: offset of the first byte of the call that reported it
 * @hi: offset behind the last
 */
struct fire {
	struct esmtp_event ev;
	size_t lo;
	size_t hi;
};

/**
 * struct run - what a message came to
 * @fires: rules in the order in which they fired
 * @n: how many
 * @end: offset behind the end of data, NOT_ENDED = none was seen
 * @closed: offset of the byte at which the connection closed, or NOT_ENDED
 */
struct run {
	struct fire fires[FIRES_MAX];
	size_t n;
	size_t end;
	size_t closed;
};

/**
 * struct msg - a message under test
 * @p: bytes
 * @n: how many
 * @chunks: BDAT chunk sizes; they make up @n
 * @n_chunks: how many, 0 = not BDAT
 */
struct msg {
	const char *p;
	size_t n;
	u32 chunks[CHUNKS_MAX];
	u32 n_chunks;
};

static inline void add(struct text *t, const void *p, size_t n)
{
	t->p = realloc(t->p, t->n + n + 1);
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = 0;
}

static inline void adds(struct text *t, const char *s)
{
	add(t, s, strlen(s));
}

static inline void addc(struct text *t, char c, size_t n)
{
	while (n--)
		add(t, &c, 1);
}

static inline void text_free(struct text *t)
{
	free(t->p);
	memset(t, 0, sizeof(*t));
}

/* A policy whose rules are given as match, limit pairs. */
static inline void set_rules(struct harness *h, enum esmtp_action action,
			     const u32 (*rules)[2], u32 n)
{
	u32 i;

	memset(h, 0, sizeof(*h));
	for (i = 0; i < n; i++)
		harness_rule(h, rules[i][0], rules[i][1], action, true);
}

/* Hears what one call causes. */
struct fires_sink {
	struct esmtp_sink sink;
	struct run *run;
	size_t before;
};

static inline void note_fire(struct esmtp_sink *sink,
			     const struct esmtp_event *ev)
{
	struct run *run = ((struct fires_sink *)sink)->run;

	assert_int_equal(ev->type, ESMTP_EVENT_RULE);
	assert_true(run->n < FIRES_MAX);
	run->fires[run->n++].ev = *ev;
}

static inline void place_fires(struct fires_sink *s, size_t lo, size_t hi)
{
	for (; s->before < s->run->n; s->before++) {
		s->run->fires[s->before].lo = lo;
		s->run->fires[s->before].hi = hi;
	}
}

/* One call; returns how many bytes were taken, and whether it was the end. */
static inline u32 run_call(struct run *run, struct harness *h, const u8 *p,
			   size_t base, u32 len, bool *end)
{
	struct esmtp_result r = { .content = true };
	u8 *copy = malloc(len);	/* exactly as long, for ASan */
	struct fires_sink fires = { { .event = note_fire }, run, run->n };
	struct esmtp_feed f = {
		.e = &h->engine, .p = &h->policy, .r = &r, .data = copy,
		.len = len, .dir = ESMTP_DIR_CLIENT, .sink = &fires.sink,
	};

	memcpy(copy, p + base, len);
	*end = esmtp_content_read(&f);
	esmtp_tell(&f);
	assert_memory_equal(copy, p + base, len);
	free(copy);
	assert_true(f.pos <= len);
	assert_int_equal(r.n_edits, 0);
	assert_false(r.hold);
	place_fires(&fires, base, base + f.pos + (r.verdict != ESMTP_PASS));
	if (r.verdict) {
		assert_true(*end);
		assert_true(f.pos < len);
		run->closed = base + f.pos;
	} else if (!*end) {
		assert_int_equal(f.pos, len);
	}
	return f.pos;
}

/* Runs a message; @next(arg, at, left) says how long the piece at offset @at is. */
static inline void run_msg(struct run *run, struct harness *h,
			   const struct msg *m,
			   size_t (*next)(void *arg, size_t at, size_t left),
			   void *arg)
{
	struct esmtp_content *c = &h->engine.content;
	size_t at = 0, piece_end = 0;
	u32 chunk = 0;
	bool end;

	harness_prepare(h);
	memset(run, 0, sizeof(*run));
	run->end = NOT_ENDED;
	run->closed = NOT_ENDED;
	memset(&h->engine, 0, sizeof(h->engine));
	memset(c, 0xa5, sizeof(*c));
	h->engine.bdat_open = m->n_chunks > 1;
	esmtp_content_begin(c, m->n_chunks);
	c->chunk = m->n_chunks ? m->chunks[0] : 0;
	while (at < m->n) {
		if (at == piece_end)
			piece_end = at + next(arg, at, m->n - at);
		at += run_call(run, h, (const u8 *)m->p, at, piece_end - at,
			       &end);
		if (run->closed != NOT_ENDED)
			return;
		if (!end)
			continue;
		if (++chunk >= m->n_chunks) {
			run->end = at;
			return;
		}
		c->chunk = m->chunks[chunk];
		h->engine.bdat_open = chunk + 1 < m->n_chunks;
	}
}

static inline size_t next_all(void *arg, size_t at, size_t left)
{
	(void)arg, (void)at;
	return left;
}

static inline size_t next_byte(void *arg, size_t at, size_t left)
{
	(void)arg, (void)at, (void)left;
	return 1;
}

static inline size_t next_two(void *arg, size_t at, size_t left)
{
	size_t cut = *(size_t *)arg;

	return at < cut && cut - at < left ? cut - at : left;
}

static inline size_t next_random(void *arg, size_t at, size_t left)
{
	u32 n = harness_random(arg);

	(void)at;
	n = n & 3 ? 1 + (n >> 2) % 9 : 1 + (n >> 2) % 200;
	return n < left ? n : left;
}

static inline void run_dump(const char *what, const struct run *r)
{
	size_t i;

	fprintf(stderr, "%s: end %zd closed %zd\n", what, (ssize_t)r->end,
		(ssize_t)r->closed);
	for (i = 0; i < r->n; i++)
		fprintf(stderr, "\trule %u value %u \"%.*s\" in %zu..%zu\n",
			r->fires[i].ev.rule, r->fires[i].ev.value,
			r->fires[i].ev.text_len, r->fires[i].ev.text,
			r->fires[i].lo, r->fires[i].hi);
}

static inline bool same_fire(const struct fire *exact, const struct fire *b)
{
	return !memcmp(&exact->ev, &b->ev, sizeof(b->ev)) &&
	       exact->lo >= b->lo && exact->hi <= b->hi;
}

/* @exact was run in single bytes. */
static inline void same_run(const struct run *exact, const struct run *b,
			    const struct msg *m, const char *how, size_t arg)
{
	bool same = exact->n == b->n && exact->end == b->end &&
		    exact->closed == b->closed;
	size_t i;

	for (i = 0; same && i < exact->n; i++)
		same = same_fire(&exact->fires[i], &b->fires[i]);
	if (same)
		return;
	run_dump("single bytes", exact);
	run_dump(how, b);
	fprintf(stderr, "cut %zu; message:\n", arg);
	for (i = 0; i < m->n; i++)
		fprintf(stderr, m->p[i] < ' ' || m->p[i] > '~' ? "\\x%02x" :
			"%c", (u8)m->p[i]);
	fail_msg("the outcome depends on the cut");
}

/*
 * Runs @m uncut, in single bytes, in two at every position and in @rounds random
 * ways; all must come to the same, which is left in @exact.
 */
static inline void run_cuts(struct run *exact, struct harness *h,
			    const struct msg *m, u32 rounds)
{
	struct run other;
	u32 seed = 0x9e3779b9u;
	size_t cut;

	run_msg(exact, h, m, next_byte, NULL);
	run_msg(&other, h, m, next_all, NULL);
	same_run(exact, &other, m, "uncut", 0);
	for (cut = 1; cut < m->n; cut++) {
		run_msg(&other, h, m, next_two, &cut);
		same_run(exact, &other, m, "in two", cut);
	}
	while (rounds--) {
		u32 was = seed;

		run_msg(&other, h, m, next_random, &seed);
		same_run(exact, &other, m, "random", was);
	}
}

/* The same under rules that count and under rules that close: the first firing is where it closes. */
static inline void run_both(struct run *exact, struct harness *h,
			    const struct msg *m, u32 rounds)
{
	struct run closing;
	u32 i;

	for (i = 0; i < h->policy.n_rules; i++)
		h->rules[i].action = ESMTP_ACTION_RESET;
	run_cuts(&closing, h, m, rounds);
	for (i = 0; i < h->policy.n_rules; i++)
		h->rules[i].action = ESMTP_ACTION_COUNT;
	run_cuts(exact, h, m, rounds);
	assert_int_equal(closing.n, exact->n ? 1 : 0);
	if (!exact->n) {
		assert_int_equal(closing.end, exact->end);
		return;
	}
	assert_int_equal(closing.closed, exact->fires[0].lo);
	assert_int_equal(closing.fires[0].ev.rule, exact->fires[0].ev.rule);
	assert_int_equal(closing.fires[0].ev.value, exact->fires[0].ev.value);
}

static inline void run_text(struct run *exact, struct harness *h,
			    const struct text *t)
{
	struct msg m = { .p = t->p, .n = t->n };

	run_both(exact, h, &m, 4);
}

#endif /* CONTENT_RUN_H */
