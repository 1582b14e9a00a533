// SPDX-License-Identifier: GPL-2.0-only
/*
 * Client lines in command position, byte by byte.
 *
 * A byte passes as soon as it is read, for its sender may wait for its
 * ACK. So a verb's bytes pass while they can still become one that is allowed; from
 * the byte that rules it out on, all that has not passed becomes X. In a
 * line that came in one piece that is all of it.
 */
#include "internal.h"

enum command_state {
	CMD_START,		/* no byte of the line yet */
	CMD_WORD,		/* in the verb */
	CMD_ARGUMENT,		/* behind it */
};

/* BDAT SP number [SP LAST] */
enum bdat_state {
	BDAT_BEFORE,		/* blanks before the number */
	BDAT_NUMBER,
	BDAT_BEHIND,		/* blanks behind the number */
	BDAT_L, BDAT_LA, BDAT_LAS, BDAT_LAST,	/* letters so far */
	BDAT_END,		/* blanks behind LAST */
	BDAT_BAD,
};

#define BDAT_SIZE_MAX 0x7fffffffu

static bool is_blank(u8 c)
{
	return c == ' ' || c == '\t';
}

static bool is_letter(u8 c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/**
 * esmtp_line_text() - what may be told of the client's line: MAIL and RCPT as far as read, the verb of others
 * @f: call
 *
 * Return: its bytes, as many as esmtp_line_len() says.
 */
const u8 *esmtp_line_text(const struct esmtp_feed *f)
{
	const struct esmtp_engine *e = f->e;

	return e->cmd.told ? e->line.text : e->cmd.word;
}

/** esmtp_line_len() - length of that, in bytes */
u8 esmtp_line_len(const struct esmtp_feed *f)
{
	const struct esmtp_engine *e = f->e;
	const struct esmtp_command *c = &e->cmd;

	if (c->told)
		return e->line.len;
	/* it may be a password */
	if (e->quiet && c->index == ESMTP_NO_WORD)
		return 0;
	return c->word_len < ESMTP_WORD_MAX ? c->word_len : ESMTP_WORD_MAX;
}

/* Returns true if the connection closes. */
static bool odd(struct esmtp_feed *f, enum esmtp_event_type type,
		enum esmtp_anomaly anomaly)
{
	return esmtp_anomaly(f, type, anomaly, 0, esmtp_line_text(f),
			     esmtp_line_len(f));
}

/**
 * esmtp_event_line() - an event is about the client's line
 * @f: call
 * @ev: event
 */
void esmtp_event_line(const struct esmtp_feed *f, struct esmtp_event *ev)
{
	esmtp_event_text(ev, esmtp_line_text(f), esmtp_line_len(f));
}

/*
 * A command before the answer to another one: the server must have offered that (RFC 2920). Before
 * the greeting it is early talk. So many clients do it that only who asks is told. Returns true if
 * the connection closes.
 */
static bool pipelined(struct esmtp_feed *f)
{
	struct esmtp_engine *e = f->e;

	if (!(f->p->anomalies & 1ull << ESMTP_ANOMALY_PIPELINING))
		return false;
	if (e->offered || e->pipelined || !e->greeted || !esmtp_is_owed(e))
		return false;
	e->pipelined = true;
	return esmtp_anomaly(f, ESMTP_EVENT_PIPELINING,
			     ESMTP_ANOMALY_PIPELINING, 0, NULL, 0);
}

/* Returns true if the connection closes. */
static bool start_line(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;

	memset(c, 0, sizeof(*c));
	f->line = f->pos;
	c->state = CMD_WORD;
	c->index = ESMTP_NO_WORD;
	c->alive = esmtp_words_verbs();
	esmtp_scope_begin(f, ESMTP_SCOPE_COMMAND);
	c->limit = esmtp_next_limit(f->p, ESMTP_MATCH_CMD_LINE_LENGTH, 0);
	return pipelined(f);
}

/* One more byte that is not of the line's end. Returns true if the connection closes. */
static bool count_byte(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;

	if (c->len == ESMTP_U32_MAX || ++c->len <= c->limit)
		return false;
	c->limit = esmtp_next_limit(f->p, ESMTP_MATCH_CMD_LINE_LENGTH, c->len);
	return esmtp_fire(f, ESMTP_MATCH_CMD_LINE_LENGTH, c->len,
			  esmtp_line_text(f), esmtp_line_len(f));
}

/*
 * The verb is none that passes. What of the line is in reach, from @from on, is
 * overwritten now, and what follows as it is taken.
 */
static void rule_out(struct esmtp_feed *f, u32 from)
{
	f->e->cmd.masked = true;
	esmtp_edit(f, from, f->pos - from, 'X');
}

/* Whether the verb so far can still become one that passes. */
static bool can_pass(const struct esmtp_feed *f)
{
	u64 verbs = esmtp_allowed_verbs(f->p);

	return verbs & 1ull << ESMTP_VERB_OTHER ||
	       esmtp_words_of_verbs(f->e->cmd.alive, verbs);
}

/*
 * The byte at f->pos makes the verb one that does not pass, and the next one is out of reach: when
 * that shows that the verb ended here, this one would have been passed. If it goes on, it was
 * masked in vain; but nobody has a verb that begins with another one.
 */
static bool is_last_chance(const struct esmtp_feed *f)
{
	const struct esmtp_command *c = &f->e->cmd;
	u8 i;

	if (f->pos + 1 < f->len)
		return false;
	i = esmtp_words_exact(c->alive, c->word_len);
	return i != ESMTP_NO_WORD &&
	       !(esmtp_allowed_verbs(f->p) & 1ull << esmtp_words[i].verb);
}

static void word_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;

	if (c->word_len < ESMTP_WORD_MAX)
		c->word[c->word_len] = b;
	c->alive = esmtp_words_next(c->alive, c->word_len, b);
	if (c->word_len < 0xff)
		c->word_len++;
	if (!is_letter(b))
		c->odd = true;
	if (!c->masked && (!can_pass(f) || is_last_chance(f)))
		rule_out(f, f->line);
}

/* An allowed verb has ended; begins what reads the rest. Returns true if the connection closes. */
static bool argument_begin(struct esmtp_feed *f)
{
	const struct esmtp_word *w = &esmtp_words[f->e->cmd.index];

	switch (w->argument) {
	case ARG_SENDER:
		esmtp_path_begin(f);
		return false;
	case ARG_RECIPIENT:
		esmtp_path_begin(f);
		return esmtp_rcpt(f);
	case ARG_CHUNK:
		return !f->e->bdat_open && esmtp_rcpts_done(f);
	default:
		return w->owed == OWED_DATA && esmtp_rcpts_done(f);
	}
}

/*
 * Rules about the verb, and whether it passes at all. Bytes from @from on are in reach of a mask.
 * Returns true if the connection closes.
 */
static bool judge_verb(struct esmtp_feed *f, u32 from)
{
	struct esmtp_command *c = &f->e->cmd;
	unsigned int verb = ESMTP_VERB_OTHER;
	bool mask = false;

	if (c->index != ESMTP_NO_WORD)
		verb = esmtp_words[c->index].verb;
	if (esmtp_fire_member(f, ESMTP_MATCH_CMD_VERB, verb, esmtp_line_text(f),
			      esmtp_line_len(f), &mask))
		return true;
	if (!mask && !(esmtp_allowed_verbs(f->p) & 1ull << verb)) {
		mask = true;
		esmtp_event_line(f, esmtp_emit(f, ESMTP_EVENT_CMD_MASKED,
					       ESMTP_ACTION_MASK, true));
	}
	if (mask && !c->masked)
		rule_out(f, from);
	return false;
}

/*
 * The verb has ended in front of f->pos; bytes from @from on are in reach of a
 * mask. Returns true if the connection closes.
 */
static bool word_end(struct esmtp_feed *f, u32 from)
{
	struct esmtp_command *c = &f->e->cmd;
	bool known;

	c->state = CMD_ARGUMENT;
	c->index = esmtp_words_exact(c->alive, c->word_len);
	known = c->index != ESMTP_NO_WORD;
	if (judge_verb(f, from))
		return true;
	if (!known && (c->word_len != 4 || c->odd) &&
	    odd(f, ESMTP_EVENT_VERB_LENGTH,
		c->word_len < 4 && !c->odd ? ESMTP_ANOMALY_TRUNCATED :
					     ESMTP_ANOMALY_VERB_LENGTH))
		return true;
	/* What is X-ed means nothing; in mode monitor it keeps its meaning. */
	if (c->masked && !esmtp_monitoring(f)) {
		if (known && esmtp_words[c->index].owed == OWED_AUTH)
			f->e->quiet = true;
		c->index = ESMTP_NO_WORD;
	}
	if (c->index == ESMTP_NO_WORD)
		return false;
	f->e->quiet = false;
	return argument_begin(f);
}

/*
 * A digit of the chunk size. Servers that cannot hold a number refuse it and read on, or take
 * what is left of it: what not all of them understand is no number.
 */
static u8 bdat_digit(struct esmtp_command *c, u8 digit)
{
	c->number = c->number * 10 + digit;
	return c->number > BDAT_SIZE_MAX ? BDAT_BAD : BDAT_NUMBER;
}

static u8 bdat_next(struct esmtp_command *c, u8 b)
{
	static const u8 last[] = { 'L', 'A', 'S', 'T' };
	u8 upper = b & ~0x20;

	switch (c->bdat) {
	case BDAT_BEFORE:
	case BDAT_NUMBER:
		if (b >= '0' && b <= '9')
			return bdat_digit(c, b - '0');
		if (!is_blank(b))
			return BDAT_BAD;
		return c->bdat == BDAT_NUMBER ? BDAT_BEHIND : BDAT_BEFORE;
	case BDAT_BEHIND:
		if (is_blank(b))
			return BDAT_BEHIND;
		return upper == 'L' ? BDAT_L : BDAT_BAD;
	case BDAT_L:
	case BDAT_LA:
	case BDAT_LAS:
		return upper == last[c->bdat - BDAT_L + 1] ? c->bdat + 1 :
							     BDAT_BAD;
	case BDAT_LAST:
	case BDAT_END:
		return is_blank(b) ? BDAT_END : BDAT_BAD;
	default:
		return BDAT_BAD;
	}
}

/* A byte behind the verb. Returns true if the connection closes. */
static bool argument_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;

	if (c->index == ESMTP_NO_WORD)
		return false;
	switch (esmtp_words[c->index].argument) {
	case ARG_SENDER:
	case ARG_RECIPIENT:
		return esmtp_path_byte(f, b);
	case ARG_CHUNK:
		c->bdat = bdat_next(c, b);
		return false;
	default:
		return false;
	}
}

/*
 * The CR before f->pos was no line end but a byte of the line.
 * Returns true if the connection closes.
 */
static bool bare_cr(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;

	c->cr = false;
	if (odd(f, ESMTP_EVENT_BARE_CR, ESMTP_ANOMALY_BARE_CR) || count_byte(f))
		return true;
	/* a line that begins with it has no verb; the CR may have passed */
	if (c->state == CMD_WORD)
		return word_end(f, f->pos);
	return argument_byte(f, '\r');
}

static enum esmtp_what line_owes(const struct esmtp_feed *f)
{
	const struct esmtp_command *c = &f->e->cmd;

	if (c->masked && !esmtp_monitoring(f))
		return OWED_MASKED;
	if (c->index == ESMTP_NO_WORD)
		return OWED_OTHER;
	return esmtp_words[c->index].owed;
}

/* Rules about the whole line, at its LF. Returns true if the connection closes. */
static bool judge_line(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;

	if (c->index != ESMTP_NO_WORD &&
	    (esmtp_words[c->index].argument == ARG_SENDER ||
	     esmtp_words[c->index].argument == ARG_RECIPIENT) &&
	    esmtp_path_end(f))
		return true;
	return esmtp_fire_within(f, ESMTP_MATCH_CMD_LINE_LENGTH, c->len,
				 esmtp_line_text(f), esmtp_line_len(f));
}

/* The line's LF. Returns true if the connection closes. */
static bool line_end(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;
	enum esmtp_what what;
	bool chunk, last;
	u64 size;

	if (!c->cr && odd(f, ESMTP_EVENT_BARE_LF, ESMTP_ANOMALY_BARE_LF))
		return true;
	/* an empty line passes: servers refuse it by themselves */
	if (c->state == CMD_WORD && c->word_len &&
	    word_end(f, f->line))
		return true;
	if (judge_line(f))
		return true;
	f->pos++;
	what = line_owes(f);
	chunk = c->index != ESMTP_NO_WORD &&
		esmtp_words[c->index].argument == ARG_CHUNK &&
		(c->bdat == BDAT_NUMBER || c->bdat == BDAT_BEHIND ||
		 c->bdat == BDAT_LAST || c->bdat == BDAT_END);
	last = c->bdat == BDAT_LAST || c->bdat == BDAT_END;
	size = c->number;
	memset(c, 0, sizeof(*c));
	if (chunk)
		return esmtp_chunk_begin(f, size, last);
	esmtp_command_done(f, what);
	return false;
}

/* Bytes that no command should have, each told once a line. Returns true if the connection closes. */
static bool odd_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;

	if (!b && !c->nul) {
		c->nul = true;
		return odd(f, ESMTP_EVENT_NUL, ESMTP_ANOMALY_NUL);
	}
	if (b & 0x80 && !c->eight_bit) {
		c->eight_bit = true;
		return odd(f, ESMTP_EVENT_EIGHT_BIT, ESMTP_ANOMALY_EIGHT_BIT);
	}
	return false;
}

/* A byte that is neither CR nor LF. Returns true if the connection closes. */
static bool plain_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;

	if (odd_byte(f, b) || count_byte(f))
		return true;
	if (c->state == CMD_WORD && !is_blank(b)) {
		word_byte(f, b);
	} else if (c->state == CMD_WORD) {
		if (word_end(f, f->line))
			return true;
	} else if (argument_byte(f, b)) {
		return true;
	}
	if (c->masked)
		esmtp_edit(f, f->pos, 1, 'X');
	f->pos++;
	return false;
}

/* Takes the byte at f->pos. Returns true if the connection closes. */
static bool take_byte(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;
	u8 b = f->data[f->pos];

	if (c->state == CMD_START && start_line(f))
		return true;
	if (b == '\n')
		return line_end(f);
	if (c->cr && bare_cr(f))
		return true;
	if (b != '\r')
		return plain_byte(f, b);
	if (c->state == CMD_WORD && c->word_len &&
	    word_end(f, f->line))
		return true;
	c->cr = true;
	f->pos++;
	return false;
}

/**
 * esmtp_command_read() - read client lines in command position
 * @f: call
 *
 * Returns when the bytes are used up, the result is full, the line has changed the
 * phase, or the connection waits or closes.
 */
void esmtp_command_read(struct esmtp_feed *f)
{
	struct esmtp_engine *e = f->e;

	while (f->pos < f->len && e->phase == PHASE_COMMAND) {
		if (f->pos && !(e->cmd.state == CMD_START ?
				esmtp_room_line(f) : esmtp_room(f)))
			return;
		if (e->cmd.state == CMD_START && esmtp_owed_full(e) &&
		    !esmtp_monitoring(f)) {
			esmtp_hold(f);
			return;
		}
		if (take_byte(f))
			return;
	}
}

/**
 * esmtp_auth_read() - read the client's line behind a 334
 * @f: call
 *
 * It is data, whatever it looks like, of any length, and nobody's business.
 */
void esmtp_auth_read(struct esmtp_feed *f)
{
	while (f->pos < f->len) {
		if (f->data[f->pos++] != '\n')
			continue;
		esmtp_command_done(f, OWED_AUTH);
		return;
	}
}
