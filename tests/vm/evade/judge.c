// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verdict on a connection. Three witnesses: what the server's application read, what the
 * client got, what the module said it had inspected. And what needs no witness: nobody
 * may read what was never sent, nor a command that is not allowed.
 */
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "evade.h"

static bool fail(struct conn *c, const char *format, ...)
{
	va_list args;

	if (c->v->failed)
		return true;
	c->v->failed = true;
	va_start(args, format);
	vsnprintf(c->v->why, sizeof(c->v->why), format, args);
	va_end(args);
	return true;
}

/*
 * The trace.
 */
static void compare_read(struct conn *c)
{
	const struct bytes *t = &c->traced[0];
	const struct server *v = &c->srv;
	u32 i;

	for (i = 0; i < v->n_read; i++) {
		if (!t->seen[i] && fail(c, "uninspected: the server read byte %u, which was not traced", i))
			return;
		if (t->data[i] != v->read[i] &&
		    fail(c, "uninspected: the server read %02x at %u, but %02x was traced", v->read[i], i, t->data[i]))
			return;
	}
	for (i = 0; i < t->end; i++)
		if (!t->seen[i] && fail(c, "trace: a gap at %u of the client's direction", i))
			return;
	if (c->v->outcome == OUT_COMPLETE && t->end != v->n_read)
		fail(c, "trace: %u bytes of the client traced, %u read", t->end, v->n_read);
	totals.bytes += v->n_read;
}

static void compare_got(struct conn *c)
{
	const struct bytes *t = &c->traced[1], *g = &c->got;
	u32 i;

	for (i = 0; i < g->end; i++) {
		if (!g->seen[i])
			continue;
		if (!t->seen[i] && fail(c, "uninspected: the client got byte %u, which was not traced", i))
			return;
		if (t->data[i] != g->data[i] &&
		    fail(c, "uninspected: the client got %02x at %u, but %02x was traced", g->data[i], i, t->data[i]))
			return;
	}
	totals.bytes += g->end;
	if (c->twice)
		fail(c, "trace: %u bytes traced a second time", c->twice);
}

/*
 * What was sent.
 */
static bool was_sent(const struct schedule *s, u32 off, u8 b)
{
	const struct step *st;
	u32 at;

	if (off < s->len && s->text[off] == b)
		return true;
	for (st = s->steps; st < s->steps + s->n_steps; st++) {
		if (st->pause || !st->len)
			continue;
		at = off - (s->stages[st->stage].off + st->off + st->shift);
		if (at >= st->len)
			continue;
		if ((st->other ? s->pool[st->pool + at] : s->text[off - st->shift]) == b)
			return true;
	}
	return false;
}

static const char *const allowed[] = {
	"AUTH", "BDAT", "DATA", "EHLO", "ETRN", "HELO", "HELP", "MAIL", "NOOP", "QUIT", "RCPT", "RSET", "SAML", "SEND", "SOML",
	"VRFY",
};

/* The verb is allowed, as a whole; or as far as its bytes go. */
static bool is_allowed(const u8 *p, u32 n, bool whole)
{
	u32 i;

	for (i = 0; i < ARRAY_LEN(allowed); i++)
		if ((whole ? n == strlen(allowed[i]) : n <= strlen(allowed[i])) &&
		    !strncasecmp((const char *)p, allowed[i], n))
			return true;
	return false;
}

/* A line of commands that the server read, its LF not counted. */
static void judge_line(struct conn *c, u32 off, u32 n)
{
	const u8 *p = c->srv.read + off;
	u32 i, verb = 0;

	while (verb < n && p[verb] != ' ' && p[verb] != '\t' && p[verb] != '\r')
		verb++;
	if (is_allowed(p, verb, true)) {
		for (i = 0; i < n; i++)
			if (!was_sent(c->s, off + i, p[i]) &&
			    fail(c, "the server read %02x at %u, in an allowed command; nobody sent that", p[i], off + i))
				return;
		return;
	}
	for (i = 0; i < n && is_allowed(p, i + 1, false); i++)
		if (!was_sent(c->s, off + i, p[i]) && p[i] != 'X' &&
		    fail(c, "the server read %02x at %u; nobody sent that", p[i], off + i))
			return;
	for (; i < n; i++)
		if (p[i] != 'X' && p[i] != '\r' &&
		    fail(c, "command: the server read \"%.*s\" at %u, which is not allowed", (int)(n < 60 ? n : 60), p, off))
			return;
}

static void judge_read(struct conn *c)
{
	const struct server *v = &c->srv;
	u32 i, line = 0;

	for (i = 0; i < v->n_read; i++) {
		if (v->phases[i] == PHASE_COMMAND) {
			if (v->read[i] == '\n' || i + 1 == v->n_read) {
				judge_line(c, line, i - line + (v->read[i] != '\n'));
				line = i + 1;
			}
			continue;
		}
		line = i + 1;
		if (!was_sent(c->s, i, v->read[i]) &&
		    fail(c, "content: the server read %02x at %u; nobody sent that", v->read[i], i))
			return;
	}
}

/*
 * What the client got.
 */
static void judge_keyword(struct conn *c, u32 from, u32 to)
{
	const struct bytes *g = &c->got;
	bool same = true;
	u32 i;

	for (i = from; i < to; i++) {
		if (!g->seen[i])
			return;
		same = same && g->data[i] == c->srv.out[i];
		if (g->data[i] != c->srv.out[i] && (g->data[i] < 'A' || g->data[i] > 'Z'))
			fail(c, "keyword: %02x at %u", g->data[i], i);
	}
	if (same)
		fail(c, "keyword: \"%.*s\" at %u is not masked", (int)(to - from), c->srv.out + from, from);
}

static void judge_got(struct conn *c)
{
	const struct server *v = &c->srv;
	const struct bytes *g = &c->got;
	u32 i, to;

	for (i = 0; i < g->end; i++) {
		if (!g->seen[i])
			continue;
		if (i >= v->n_out && fail(c, "the client got byte %u, which nobody wrote", i))
			return;
		if (!v->maskable[i] && g->data[i] != v->out[i] &&
		    fail(c, "the client got %02x at %u, the server wrote %02x", g->data[i], i, v->out[i]))
			return;
		if (v->maskable[i] == 1 && g->data[i] != '*' && !strchr("20 ", g->data[i]) &&
		    fail(c, "greeting: %02x at %u is not masked", g->data[i], i))
			return;
	}
	for (i = 0; i < v->n_out && i < g->end; i = to) {
		for (to = i + 1; to < v->n_out && v->maskable[to] == v->maskable[i]; to++)
			;
		if (v->maskable[i] == 2 && to <= g->end)
			judge_keyword(c, i, to);
	}
}

/* One that was made small may not. */
static bool says_quit(const struct schedule *s)
{
	return s->len >= 6 && !memcmp(s->text + s->len - 6, "QUIT\r\n", 6);
}

static bool says_bye(const struct server *v)
{
	return v->n_out >= 9 && !memcmp(v->out + v->n_out - 9, "221 bye\r\n", 9);
}

static void judge_end(struct conn *c)
{
	const struct schedule *s = c->s;
	const struct server *v = &c->srv;

	switch (c->v->outcome) {
	case OUT_COMPLETE:
		if (s->expect == EXPECT_CLOSED)
			fail(c, "it came to its end, but had to be closed");
		if (says_quit(s) && !schedule_has_other(s) && !says_bye(v))
			fail(c, "QUIT was not answered");
		return;
	case OUT_CLOSED:
		if (s->expect == EXPECT_END)
			fail(c, "closed for no reason: %u of %u bytes read, %s", v->n_read, s->len,
			     c->reset && v->reset ? "both have a RST" : c->reset ? "the client has a RST" : "the server has a RST");
		return;
	case OUT_ENDED:
		if (s->expect != EXPECT_CUT)
			fail(c, "the server saw the end after %u of %u bytes", v->n_read, s->len);
		return;
	default:
		if (s->expect == EXPECT_CUT)
			return;
		fail(c, "stuck in stage %u of %u: %u of %u bytes read, %u sent, %u acknowledged, window %u; the client got %u of %u%s%s%s",
		     c->stage, s->n_stages, v->n_read, s->len, c->limit, c->una, c->snd_wnd, c->rcv, v->n_out,
		     v->eof ? ", the server had the FIN" : "", v->accepted ? "" : ", not accepted",
		     c->open ? "" : ", no SYN/ACK came");
		if (c->rst_count)
			snprintf(c->v->why + strlen(c->v->why), sizeof(c->v->why) - strlen(c->v->why),
				 "; %u RSTs with a wrong number, the last at %u", c->rst_count, c->rst_at);
	}
}

static void judge_want(struct conn *c)
{
	const struct schedule *s = c->s;
	u32 i;

	for (i = 0; i < s->n_want && i < c->srv.n_read; i++)
		if (c->srv.read[i] != s->pool[s->want + i] &&
		    fail(c, "the server read %02x at %u, not %02x", c->srv.read[i], i, s->pool[s->want + i]))
			return;
	if (s->n_want && s->n_want != c->srv.n_read)
		fail(c, "the server read %u bytes, not %u", c->srv.n_read, s->n_want);
}

void judge(struct conn *c)
{
	if (c->odd[0])
		fail(c, "%s", c->odd);
	judge_read(c);
	judge_got(c);
	if (opt.trace) {
		compare_read(c);
		compare_got(c);
	}
	judge_end(c);
	judge_want(c);
	totals.schedules++;
	totals.complete += c->v->outcome == OUT_COMPLETE;
	totals.closed += c->v->outcome == OUT_CLOSED;
	totals.ended += c->v->outcome == OUT_ENDED;
	totals.stuck += c->v->outcome == OUT_STUCK;
}
