// SPDX-License-Identifier: GPL-2.0-only
/*
 * Schedules: what a client says, and in which segments.
 *
 * The bytes of the stages are the true ones. A step sends some of them, or other bytes in
 * their place; whatever the steps left out is repeated until it is acknowledged. So a step can be
 * taken away from any schedule and it still comes to its end.
 */
#include <string.h>

#include "evade.h"

/* How a schedule goes about it. */
struct taste {
	u32 wild;		/* per cent of segments with something odd beside them */
	bool other_commands, other_content;
	bool pipelined, early;
	bool rude;		/* FINs, RSTs and SYNs that may end it */
	u8 cuts;
};

static const char *const masked[] = {
	"STARTTLS\r\n", "XEXCH50 1 2\r\n", "starttls\r\n", "StartTLS now\r\n", "EXPN list\r\n", "XEXCH50\r\n", "HELPME\r\n",
	"TURN\r\n", "X-EXPS LOGIN\r\n", "MAI FROM:<x@c.test>\r\n", "VERB\r\n", "XCLIENT NAME=a\r\n",
};

static const char *const harmless[] = {
	"NOOP\r\n", "RSET\r\n", "VRFY b@s.test\r\n", "NOOP a few words more\r\n", "HELP\r\n", "ETRN s.test\r\n", "noop\r\n",
};

/* Same length or shorter than what they take the place of. */
static const char *const evil[] = {
	"STARTTLS\r\n", "XEXCH50 9 9\r\n", "NOOP\r\nSTARTTLS\r\n", "\r\nXEXCH50 2\r\n", "RSET\r\nEXPN a\r\n", "STARTTLS ",
	"X\r\n", "\r\n",
};

static const char *const body[] = {
	"STARTTLS\r\n", "XEXCH50 1 2\r\n", "..\r\n", "..dot\r\n", ".. two\r\n", "\r\n", "EXPN list\r\n", "RCPT TO:<x@y.test>\r\n",
	"a bare\nLF\r\n", "a bare\rCR\r\n", "250 ok\r\n", "-- \r\n", "QUIT\r\n",
};

static void say(struct schedule *s, const char *text)
{
	u32 n = strlen(text);

	if (s->len + n > TEXT_MAX)
		return;
	memcpy(s->text + s->len, text, n);
	s->len += n;
	s->stages[s->n_stages - 1].len += n;
}

static bool begin_stage(struct schedule *s, bool early)
{
	if (s->n_stages == STAGES_MAX)
		return false;
	s->stages[s->n_stages].off = s->len;
	s->stages[s->n_stages].len = 0;
	s->stages[s->n_stages++].early = early;
	return true;
}

/* A command of its own stage, or of the one before where that is allowed. */
static void command(struct schedule *s, const struct taste *t, const char *text)
{
	u64 *r = &s->seed;

	if (!t->pipelined || !s->n_stages || chance(r, 20))
		begin_stage(s, t->pipelined && chance(r, 50));
	say(s, text);
}

static void some_others(struct schedule *s, const struct taste *t, u32 percent)
{
	u64 *r = &s->seed;

	if (chance(r, percent))
		command(s, t, masked[rnd(r, ARRAY_LEN(masked))]);
	if (chance(r, percent / 2))
		command(s, t, harmless[rnd(r, ARRAY_LEN(harmless))]);
}

static void body_line(struct schedule *s)
{
	u64 *r = &s->seed;
	u32 n, i, kind = rnd(r, 100);
	char line[2300];

	if (kind < 40) {
		say(s, body[rnd(r, ARRAY_LEN(body))]);
		return;
	}
	n = kind < 95 ? between(r, 1, 90) : between(r, 900, 2200);
	for (i = 0; i < n; i++)
		line[i] = "abcdefghijklmnopqrstuvwxyz 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ.,;:"[rnd(r, 67)];
	if (line[0] == '.')
		line[0] = '-';
	memcpy(line + n, "\r\n", 3);
	say(s, line);
}

static void message(struct schedule *s, u32 size)
{
	u32 start = s->len;

	say(s, "From: a@c.test\r\nTo: b@s.test\r\nSubject: ");
	body_line(s);
	say(s, "\r\n");
	while (s->len - start < size)
		body_line(s);
}

/* A chunk's bytes are counted when they are there: the line is put in front of them. */
static void chunk(struct schedule *s, const struct taste *t, u32 size, bool last)
{
	char line[32];
	u32 start, n, len;

	begin_stage(s, false);
	start = s->len;
	message(s, size);
	len = s->len - start;
	n = snprintf(line, sizeof(line), "BDAT %u%s\r\n", len, last ? " LAST" : "");
	if (s->len + n > TEXT_MAX)
		return;
	memmove(s->text + start + n, s->text + start, len);
	memcpy(s->text + start, line, n);
	s->len += n;
	s->stages[s->n_stages - 1].len += n;
	if (!t->early && s->n_stages < STAGES_MAX) {
		/* The line alone, then its octets: they need not wait. */
		s->stages[s->n_stages - 1].len = n;
		s->stages[s->n_stages].off = start + n;
		s->stages[s->n_stages].len = len;
		s->stages[s->n_stages++].early = true;
	}
}

static u32 message_size(u64 *r)
{
	u32 kind = rnd(r, 100);

	return kind < 60 ? between(r, 1, 500) : kind < 90 ? between(r, 500, 2500) : between(r, 2500, 7000);
}

static void mail(struct schedule *s, const struct taste *t)
{
	u64 *r = &s->seed;
	u32 i, n = between(r, 1, 3);

	command(s, t, "MAIL FROM:<a@c.test>\r\n");
	some_others(s, t, 25);
	for (i = 0; i < n; i++)
		command(s, t, "RCPT TO:<b@s.test>\r\n");
	some_others(s, t, 15);
	if (chance(r, 20)) {
		if (chance(r, 50))
			chunk(s, t, message_size(r) / 2, false);
		chunk(s, t, message_size(r), true);
		return;
	}
	command(s, t, "DATA\r\n");
	if (!t->early)
		begin_stage(s, false);
	else if (chance(r, 50))
		begin_stage(s, true);
	if (!chance(r, 5))
		message(s, message_size(r));
	say(s, ".\r\n");
}

static void login(struct schedule *s, const struct taste *t)
{
	begin_stage(s, false);
	if (chance(&s->seed, 50)) {
		say(s, "AUTH PLAIN AGEAYgBj\r\n");
		return;
	}
	say(s, "AUTH LOGIN\r\n");
	begin_stage(s, t->early);
	say(s, "STARTTLS\r\n");		/* is data here, not a command */
	begin_stage(s, t->early);
	say(s, "cGFzcw==\r\n");
}

static void dialogue(struct schedule *s, const struct taste *t)
{
	u64 *r = &s->seed;
	struct taste now = *t;
	u32 i, mails = chance(r, 25) ? 2 : 1;

	now.pipelined = false;
	command(s, &now, chance(r, 80) ? "EHLO c.test\r\n" : "HELO c.test\r\n");
	some_others(s, &now, 40);
	if (chance(r, 10))
		login(s, &now);
	for (i = 0; i < mails; i++) {
		if (t->pipelined)
			begin_stage(s, false);
		mail(s, t);
		some_others(s, t, 20);
	}
	command(s, t, "QUIT\r\n");
	s->fin_last = chance(r, 15);
}

/*
 * Segments.
 */
static struct step *add(struct schedule *s, u32 stage, u32 off, u32 len)
{
	static struct step spare;
	struct step *st = s->n_steps < STEPS_MAX ? &s->steps[s->n_steps++] : &spare;

	memset(st, 0, sizeof(*st));
	st->stage = stage;
	st->off = off;
	st->len = len < SEGMENT_MAX ? len : SEGMENT_MAX;
	return st;
}

/* Bytes that take the place of true ones: some changed, or what nobody may slip in. */
static void make_other(struct schedule *s, struct step *st)
{
	u64 *r = &s->seed;
	const u8 *now = s->text + s->stages[st->stage].off + st->off;
	const char *word = evil[rnd(r, ARRAY_LEN(evil))];
	u32 i, at, n = strlen(word);

	if (s->n_pool + st->len > POOL_MAX)
		return;
	st->other = true;
	st->pool = s->n_pool;
	memcpy(s->pool + st->pool, now, st->len);
	s->n_pool += st->len;
	if (chance(r, 60)) {
		at = chance(r, 50) ? 0 : rnd(r, st->len);
		for (i = 0; i < n && at + i < st->len; i++)
			s->pool[st->pool + at + i] = word[i];
		return;
	}
	for (i = rnd(r, 4); i < st->len; i += between(r, 1, 6))
		if (s->pool[st->pool + i] >= ' ')
			s->pool[st->pool + i] = "STARLXZabz 09"[rnd(r, 13)];
}

static bool may_be_other(const struct schedule *s, const struct taste *t, const struct step *st, const u8 *map)
{
	u32 i, at = s->stages[st->stage].off + st->off;

	for (i = at; i < at + st->len; i++)
		if (map[i])
			return t->other_content;
	return t->other_commands;
}

static void odd_number(struct schedule *s, struct step *st)
{
	u64 *r = &s->seed;

	switch (rnd(r, 5)) {
	case 0:
		st->shift = between(r, 150000, 1000000);
		break;
	case 1:
		st->shift = 0x40000000;
		break;
	case 2:
		st->shift = -(s32)between(r, 1, 2000);
		break;
	case 3:
		st->shift = -(s32)between(r, 100000, 1000000);
		break;
	default:
		st->shift = between(r, 1, 400);
		break;
	}
}

/* Within reach of the server's window: true bytes would be taken at a wrong place. */
static bool is_taken(const struct step *st)
{
	return st->shift && st->shift > -100000 && st->shift < 150000;
}

static void odd_segment(struct schedule *s, const struct taste *t, u32 stage, const u8 *map)
{
	static const u32 marks[] = { MARK_TTL, MARK_SUM, MARK_OLD_TS, MARK_NO_TS, MARK_NO_ACK, MARK_URG, MARK_MD5 };
	u64 *r = &s->seed;
	u32 n = s->stages[stage].len, off, kind = rnd(r, 100);
	struct step *st;

	off = rnd(r, n);
	st = add(s, stage, off, between(r, 1, n - off));
	if (kind < 45)
		st->marks = marks[rnd(r, ARRAY_LEN(marks))];
	else if (kind < 53)
		st->ack = between(r, 1, 3) == 1 ? (s32)between(r, 1, 100000) : -(s32)between(r, 1, 200);
	else if (kind < 61)
		odd_number(s, st);
	if (is_taken(st))
		st->len = 0;
	if (kind >= 61 && kind < 66 && (t->rude || !(t->other_content || s->fin_last))) {
		st->marks = MARK_SYN;
		st->len = 0;
	} else if (kind >= 66 && kind < 71) {
		st->marks = MARK_RST;
		odd_number(s, st);
		if ((!st->shift || is_taken(st)) && !t->rude)
			st->shift += st->shift < 0 ? -200000 : 200000;
		st->len = chance(r, 50) ? 0 : st->len;
	} else if (kind >= 71 && kind < 75) {
		st->marks = MARK_WIN0;
		st->len = 0;
	} else if (kind >= 75 && kind < 79) {
		st->off = 0;		/* a keep-alive: one byte that was there, or none */
		st->shift = -1;
		st->len = 0;
	} else if (kind == 79 && t->rude) {
		st->marks = MARK_FIN;
	}
	if (st->len && may_be_other(s, t, st, map) && chance(r, 60))
		make_other(s, st);
	if (st->len && chance(r, 10))
		st->marks |= marks[rnd(r, ARRAY_LEN(marks))];
}

static u32 next_cut(u64 *r, u8 how, const u8 *text, u32 left)
{
	u32 i;

	switch (how) {
	case 0:
		return left;
	case 1:
		return between(r, 1, left < 600 ? left : 600);
	case 2:
		return left <= 60 || chance(r, 10) ? 1 : between(r, 1, left);
	case 3:
		for (i = 1; i < left && text[i - 1] != '\n'; i++)
			;
		i += rnd(r, 5);
		return i > 2 ? i - 2 : 1;
	default:
		return between(r, 1, 30);
	}
}

static void shuffle(struct schedule *s, u32 from, u32 swaps)
{
	u32 a, b, n = s->n_steps - from;
	struct step tmp;

	for (; swaps && n > 1; swaps--) {
		a = from + rnd(&s->seed, n);
		b = from + rnd(&s->seed, n);
		tmp = s->steps[a];
		s->steps[a] = s->steps[b];
		s->steps[b] = tmp;
	}
}

static void segments(struct schedule *s, const struct taste *t, u32 stage, const u8 *map)
{
	u64 *r = &s->seed;
	u32 n = s->stages[stage].len, off = 0, len, from = s->n_steps;
	const u8 *text = s->text + s->stages[stage].off;
	u8 how = chance(r, 70) ? t->cuts : rnd(r, 5);

	if (n > 3000)
		how %= 2;
	for (; off < n; off += len) {
		if (chance(r, t->wild))
			odd_segment(s, t, stage, map);
		len = next_cut(r, how, text + off, n - off);
		if (len > n - off)
			len = n - off;
		if (len > SEGMENT_MAX)
			len = SEGMENT_MAX;
		if (!chance(r, t->wild / 3))
			add(s, stage, off, len);
		if (chance(r, t->wild / 6)) {
			add(s, stage, 0, between(r, 1, 40))->pause = true;
		}
	}
	if (t->wild && chance(r, 50))
		odd_segment(s, t, stage, map);
	if (chance(r, t->wild))
		shuffle(s, from, between(r, 1, s->n_steps - from + 1));
}

/* Which bytes are message content, or decide where it ends: other bytes there may close the connection. */
static bool is_line(const u8 *p, u32 len, const char *verb)
{
	u32 i, n = strlen(verb);

	for (i = 0; i < n; i++)
		if (i >= len || (p[i] & ~0x20) != (u8)verb[i])
			return false;
	return n < len && (p[n] == ' ' || p[n] == '\r');
}

static u32 line_len(const u8 *p, u32 len)
{
	const u8 *lf = memchr(p, '\n', len);

	return lf ? lf - p + 1 : len;
}

static u32 data_len(const u8 *p, u32 len)
{
	u32 at = 0;

	while (at < len) {
		u32 n = line_len(p + at, len - at);
		bool dot = n == 3 && !memcmp(p + at, ".\r\n", 3) && (!at || p[at - 2] == '\r');

		at += n;
		if (dot)
			break;
	}
	return at;
}

void schedule_content(const struct schedule *s, u8 *map)
{
	u32 at = 0, n, size = 0;

	memset(map, 0, s->len);
	while (at < s->len) {
		const u8 *p = s->text + at;

		n = line_len(p, s->len - at);
		if (is_line(p, n, "DATA")) {
			size = data_len(p + n, s->len - at - n);
			memset(map + at + n, 1, size);
			n += size;
		} else if (is_line(p, n, "BDAT")) {
			for (size = 0, p += 5; *p >= '0' && *p <= '9'; p++)
				size = size * 10 + *p - '0';
			n = n + size > s->len - at ? s->len - at : n + size;
			memset(map + at, 1, n);
		}
		at += n;
	}
}

bool schedule_has_other(const struct schedule *s)
{
	u32 i;

	for (i = 0; i < s->n_steps; i++)
		if (s->steps[i].other)
			return true;
	return false;
}

/*
 * A FIN in front of the end or a RST that may be within reach: conntrack can take the connection for
 * closed, and what comes later for nobody's.
 */
static bool may_be_cut(const struct schedule *s, const struct step *st)
{
	u32 at = s->stages[st->stage].off + st->off;

	if (st->marks & MARK_RST)
		return !st->shift || is_taken(st);
	return st->marks & MARK_FIN && (at + st->len != s->len || st->other) && (!st->shift || is_taken(st));
}

/* On a line in front of content. Where its end is another byte content begins, and then ends, elsewhere. */
static bool leads_to_content(const struct schedule *s, u32 at, const u8 *map)
{
	u32 next = at + line_len(s->text + at, s->len - at);

	return next < s->len && map[next];
}

/* Other bytes in content, or where it begins, may close it. */
static bool may_be_closed(const struct schedule *s, const struct step *st, const u8 *map)
{
	u32 i, at = s->stages[st->stage].off + st->off;

	if (is_taken(st) && st->len && st->shift != -1)
		return true;
	if (!st->other)
		return false;
	for (i = at; i < at + st->len; i++)
		if (map[i] || leads_to_content(s, i, map))
			return true;
	return false;
}

/* A line that passes as it is, wherever it stands. */
static bool is_plain(const u8 *p, u32 len)
{
	static const char *const verbs[] = { "MAIL", "RCPT", "NOOP", "RSET", "QUIT", "VRFY", "HELP", "ETRN", "HELO", "EHLO" };
	u32 i;

	for (i = 0; i < ARRAY_LEN(verbs); i++)
		if (is_line(p, len, verbs[i]))
			return true;
	return false;
}

static bool has_other_in(const struct schedule *s, u32 from, u32 to)
{
	u32 i, at;

	for (i = 0; i < s->n_steps; i++) {
		at = s->stages[s->steps[i].stage].off + s->steps[i].off;
		if (s->steps[i].other && at < to && at + s->steps[i].len > from)
			return true;
	}
	return false;
}

/*
 * What follows the end of a message without waiting for the answer may come ahead of that end, and pass as content. If
 * it turns out to be a command that does not pass as it is, the connection has to be closed.
 */
static bool may_follow_early(const struct schedule *s, u32 from, u32 to, const u8 *map)
{
	u32 at = from, n;

	while (at < to && !(map[at] && (at + 1 == to || !map[at + 1])))
		at++;
	if (at + 1 >= to)
		return false;
	if (has_other_in(s, at + 1, to))
		return true;
	for (at++; at < to; at += n) {
		n = line_len(s->text + at, to - at);
		if (map[at] || !is_plain(s->text + at, n))
			return true;
	}
	return false;
}

static bool any_follows_early(const struct schedule *s, const u8 *map)
{
	u32 i, k;

	for (i = 0; i < s->n_stages; i = k) {
		for (k = i + 1; k < s->n_stages && s->stages[k].early; k++)
			;
		if (may_follow_early(s, s->stages[i].off, s->stages[k - 1].off + s->stages[k - 1].len, map))
			return true;
	}
	return false;
}

void schedule_judge(struct schedule *s)
{
	static u8 map[TEXT_MAX];
	bool syn = false;
	u32 i;

	schedule_content(s, map);
	s->expect = any_follows_early(s, map) ? EXPECT_ANY : EXPECT_END;
	for (i = 0; i < s->n_steps; i++) {
		const struct step *st = &s->steps[i];

		if (st->pause)
			continue;
		syn |= !!(st->marks & MARK_SYN);
		if (may_be_cut(s, st))
			s->expect = EXPECT_CUT;
		else if (s->expect == EXPECT_END && may_be_closed(s, st, map))
			s->expect = EXPECT_ANY;
	}
	/* A SYN behind the end makes conntrack forget the connection, with RSTs that are still due. */
	if (syn && (s->fin_last || s->expect == EXPECT_ANY))
		s->expect = EXPECT_CUT;
}

void schedule_make(struct schedule *s, u64 seed, u32 index)
{
	static const u32 wild[] = { 0, 5, 15, 15, 30, 60 };
	static const u16 windows[] = { 65535, 65535, 65535, 4000, 536, 100 };
	static u8 map[TEXT_MAX];
	struct taste t = { 0 };
	u64 *r = &s->seed;
	u32 i;

	memset(s, 0, offsetof(struct schedule, text));
	s->index = index;
	s->seed = mix(seed, index);
	snprintf(s->name, sizeof(s->name), "schedule %u", index);
	s->v6 = rnd(r, 2);
	if (opt.family)
		s->v6 = opt.family == 6;
	s->timestamps = rnd(r, 2);
	s->scale = rnd(r, 2);
	s->slow = chance(r, 10);
	s->window = windows[rnd(r, ARRAY_LEN(windows))];
	s->acks = chance(r, 60) ? ACKS_ALL : chance(r, 50) ? ACKS_LATE : ACKS_LOSSY;
	s->isn = chance(r, 30) ? -between(r, 1, 3000) : (u32)prng_next(r);
	t.wild = wild[rnd(r, ARRAY_LEN(wild))];
	t.other_commands = chance(r, 55);
	t.other_content = t.other_commands && chance(r, 40);
	t.pipelined = chance(r, 40);
	t.early = chance(r, 25);
	t.rude = chance(r, 15);
	t.cuts = rnd(r, 5);
	dialogue(s, &t);
	schedule_content(s, map);
	for (i = 0; i < s->n_stages; i++)
		if (s->stages[i].len)
			segments(s, &t, i, map);
	schedule_judge(s);
}
