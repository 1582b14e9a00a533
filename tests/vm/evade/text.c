// SPDX-License-Identifier: GPL-2.0-only
/*
 * Schedules as text, to be read by people and given back:
 *
 *	schedule 17
 *	family 6
 *	timestamps
 *	isn 4294967000
 *	stage "EHLO c.test\r\n"
 *	seg 0 4
 *	seg 4 9 other "XYZ\r\nNOOP" ttl
 *	pause 20
 *	stage early "QUIT\r\n"
 */
#include <stdlib.h>
#include <string.h>

#include "evade.h"

static const struct {
	const char *name;
	u32 mark;
} mark_names[] = {
	{ "ttl", MARK_TTL }, { "sum", MARK_SUM }, { "old-timestamp", MARK_OLD_TS }, { "no-timestamp", MARK_NO_TS },
	{ "no-ack", MARK_NO_ACK }, { "fin", MARK_FIN }, { "rst", MARK_RST }, { "urg", MARK_URG }, { "syn", MARK_SYN },
	{ "md5", MARK_MD5 }, { "closed-window", MARK_WIN0 },
};

static void print_quoted(FILE *f, const u8 *p, u32 len)
{
	u32 i;

	fputc('"', f);
	for (i = 0; i < len; i++) {
		if (p[i] == '\r')
			fputs("\\r", f);
		else if (p[i] == '\n')
			fputs("\\n", f);
		else if (p[i] == '"' || p[i] == '\\')
			fprintf(f, "\\%c", p[i]);
		else if (p[i] < ' ' || p[i] > '~')
			fprintf(f, "\\x%02x", p[i]);
		else
			fputc(p[i], f);
	}
	fputc('"', f);
}

static void print_step(FILE *f, const struct schedule *s, const struct step *st)
{
	u32 i;

	if (st->pause) {
		fprintf(f, "pause %u\n", st->len);
		return;
	}
	fprintf(f, "seg %u %u", st->off, st->len);
	if (st->other) {
		fputs(" other ", f);
		print_quoted(f, s->pool + st->pool, st->len);
	}
	for (i = 0; i < ARRAY_LEN(mark_names); i++)
		if (st->marks & mark_names[i].mark)
			fprintf(f, " %s", mark_names[i].name);
	if (st->shift)
		fprintf(f, " shift %d", st->shift);
	if (st->ack)
		fprintf(f, " ack %d", st->ack);
	fputc('\n', f);
}

void schedule_print(FILE *f, const struct schedule *s)
{
	static const char *const acks[] = { "all", "late", "lossy" };
	u32 i, k;

	fprintf(f, "%s\nfamily %d\nisn %u\nrandom %llu\nwindow %u\nacks %s\n", s->name, s->v6 ? 6 : 4, s->isn,
		(unsigned long long)s->seed, s->window, acks[s->acks]);
	fprintf(f, "%s%s%s%s", s->timestamps ? "timestamps\n" : "", s->scale ? "scale\n" : "", s->slow ? "slow\n" : "",
		s->fin_last ? "fin-last\n" : "");
	for (i = 0; i < s->n_stages; i++) {
		fprintf(f, "stage %s", s->stages[i].early ? "early " : "");
		print_quoted(f, s->text + s->stages[i].off, s->stages[i].len);
		fputc('\n', f);
		for (k = 0; k < s->n_steps; k++)
			if (s->steps[k].stage == i)
				print_step(f, s, &s->steps[k]);
	}
}

/*
 * Reading.
 */
struct reader {
	const char *p, *why;
};

static void blanks(struct reader *r)
{
	while (*r->p == ' ' || *r->p == '\t')
		r->p++;
}

/* The next word is this one: it is taken. */
static bool word(struct reader *r, const char *w)
{
	size_t n = strlen(w);

	blanks(r);
	if (strncmp(r->p, w, n) || (r->p[n] && !strchr(" \t\n", r->p[n])))
		return false;
	r->p += n;
	blanks(r);
	return true;
}

static long long number(struct reader *r)
{
	char *end;
	long long v = *r->p == '-' ? strtoll(r->p, &end, 10) : (long long)strtoull(r->p, &end, 10);

	if (end == r->p)
		r->why = "a number is missing";
	r->p = end;
	blanks(r);
	return v;
}

static int quoted_byte(struct reader *r)
{
	char hex[3];

	if (*r->p != '\\')
		return (u8)*r->p++;
	r->p += 2;
	switch (r->p[-1]) {
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case 'x':
		memcpy(hex, r->p, 2);
		hex[2] = 0;
		r->p += 2;
		return strtoul(hex, NULL, 16);
	default:
		return (u8)r->p[-1];
	}
}

static u32 quoted(struct reader *r, u8 *out, u32 room)
{
	u32 n = 0;

	if (*r->p != '"') {
		r->why = "a string is missing";
		return 0;
	}
	for (r->p++; *r->p && *r->p != '\n' && *r->p != '"' && n < room; n++)
		out[n] = quoted_byte(r);
	if (*r->p != '"')
		r->why = "a string does not end";
	else
		r->p++;
	blanks(r);
	return n;
}

static void read_stage(struct schedule *s, struct reader *r)
{
	struct stage *st = &s->stages[s->n_stages];

	if (s->n_stages == STAGES_MAX) {
		r->why = "too many stages";
		return;
	}
	s->n_stages++;
	st->early = word(r, "early");
	st->off = s->len;
	st->len = quoted(r, s->text + s->len, TEXT_MAX - s->len);
	s->len += st->len;
}

/* What the server has to have read in the end; several lines add up. */
static void read_want(struct schedule *s, struct reader *r)
{
	u32 n;

	if (!s->n_want)
		s->want = s->n_pool;
	n = quoted(r, s->pool + s->n_pool, POOL_MAX - s->n_pool);
	s->n_pool += n;
	s->n_want += n;
}

static bool read_mark(struct step *st, struct reader *r)
{
	u32 i;

	for (i = 0; i < ARRAY_LEN(mark_names); i++)
		if (word(r, mark_names[i].name)) {
			st->marks |= mark_names[i].mark;
			return true;
		}
	return false;
}

static void read_step(struct schedule *s, struct reader *r, bool pause)
{
	struct step *st = &s->steps[s->n_steps];

	if (s->n_steps == STEPS_MAX || !s->n_stages) {
		r->why = "no stage, or too many segments";
		return;
	}
	s->n_steps++;
	memset(st, 0, sizeof(*st));
	st->stage = s->n_stages - 1;
	st->pause = pause;
	if (!pause)
		st->off = number(r);
	st->len = number(r);
	while (!pause && !r->why && *r->p && *r->p != '\n') {
		if (word(r, "other")) {
			st->other = true;
			st->pool = s->n_pool;
			if (quoted(r, s->pool + s->n_pool, POOL_MAX - s->n_pool) != st->len)
				r->why = "the other bytes are not as many";
			s->n_pool += st->len;
		} else if (word(r, "shift")) {
			st->shift = number(r);
		} else if (word(r, "ack")) {
			st->ack = number(r);
		} else if (!read_mark(st, r)) {
			r->why = "unknown word";
		}
	}
	if (!pause && st->off + st->len > s->stages[st->stage].len)
		r->why = "the segment is not inside of its stage";
}

/* A segment for each byte of the stage. */
static void read_bytewise(struct schedule *s, struct reader *r)
{
	u32 i, n = s->n_stages ? s->stages[s->n_stages - 1].len : 0;

	if (!n || s->n_steps + n > STEPS_MAX) {
		r->why = "no stage, or too many segments";
		return;
	}
	for (i = 0; i < n; i++) {
		struct step *st = &s->steps[s->n_steps++];

		memset(st, 0, sizeof(*st));
		st->stage = s->n_stages - 1;
		st->off = i;
		st->len = 1;
	}
}

static void read_head(struct schedule *s, struct reader *r)
{
	if (word(r, "family"))
		s->v6 = number(r) == 6;
	else if (word(r, "isn"))
		s->isn = number(r);
	else if (word(r, "random"))
		s->seed = number(r);
	else if (word(r, "window"))
		s->window = number(r);
	else if (word(r, "acks"))
		s->acks = word(r, "late") ? ACKS_LATE : word(r, "lossy") ? ACKS_LOSSY : word(r, "all") ? ACKS_ALL : ACKS_ALL;
	else if (word(r, "timestamps"))
		s->timestamps = true;
	else if (word(r, "scale"))
		s->scale = true;
	else if (word(r, "slow"))
		s->slow = true;
	else if (word(r, "fin-last"))
		s->fin_last = true;
	else
		r->why = "unknown word";
}

static void read_line(struct schedule *s, struct reader *r)
{
	if (word(r, "schedule"))
		s->index = number(r);
	else if (word(r, "stage"))
		read_stage(s, r);
	else if (word(r, "seg"))
		read_step(s, r, false);
	else if (word(r, "pause"))
		read_step(s, r, true);
	else if (word(r, "bytewise"))
		read_bytewise(s, r);
	else if (word(r, "reads"))
		read_want(s, r);
	else
		read_head(s, r);
	if (!r->why && *r->p && *r->p != '\n')
		r->why = "something stands behind the end of the line";
}

/* What a fixed case expects: "must-close", "may-close", "must-end"; nothing = by its segments. */
bool schedule_parse(struct schedule *s, const char *text, const char **why)
{
	struct reader r = { .p = text };
	bool must = false, may = false, end = false;

	memset(s, 0, offsetof(struct schedule, text));
	s->window = 65535;
	while (*r.p && !r.why) {
		blanks(&r);
		if (word(&r, "must-close"))
			must = true;
		else if (word(&r, "may-close"))
			may = true;
		else if (word(&r, "must-end"))
			end = true;
		else if (*r.p && *r.p != '\n' && *r.p != '#')
			read_line(s, &r);
		r.p += strcspn(r.p, "\n");
		r.p += *r.p == '\n';
	}
	snprintf(s->name, sizeof(s->name), "schedule %u", s->index);
	schedule_judge(s);
	if (may)
		s->expect = EXPECT_CUT;
	if (end)
		s->expect = EXPECT_END;
	if (must)
		s->expect = EXPECT_CLOSED;
	*why = r.why;
	return !r.why && s->n_stages;
}
