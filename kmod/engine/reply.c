// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's lines, byte by byte: greeting, replies, keywords of the EHLO reply.
 *
 * A reply is lines that begin with three digits; all but its last have a '-'
 * behind them. What does not begin so is passed, counted, and changes nothing.
 */
#include "internal.h"

enum reply_state {
	REPLY_START,		/* no byte of the line yet */
	REPLY_CODE,
	REPLY_SEPARATOR,
	REPLY_TEXT,
	REPLY_JUNK,		/* a line without a code */
};

/* How the text behind code and separator is read. */
enum text_state {
	TEXT_PLAIN,
	TEXT_BANNER,
	TEXT_KEYWORD,		/* in the keyword of an EHLO line */
	TEXT_MASKED,		/* behind one that is masked */
};

/* What the text of an answer to RCPT begins with, RFC 3463: 5.1.x is about the address. */
enum enhanced_state {
	ENHANCED_START,
	ENHANCED_CLASS,		/* 5 */
	ENHANCED_DOT,		/* 5. */
	ENHANCED_ONE,		/* 5.1 */
	ENHANCED_NUMBER,	/* 5. and another number */
	/* nothing changes from here on */
	ENHANCED_NONE,		/* no such code */
	ENHANCED_ADDRESS,
	ENHANCED_OTHER,
};

static u8 enhanced_next(u8 state, u8 b)
{
	bool digit = b >= '0' && b <= '9';

	switch (state) {
	case ENHANCED_START:
		return b == '5' ? ENHANCED_CLASS : ENHANCED_NONE;
	case ENHANCED_CLASS:
		return b == '.' ? ENHANCED_DOT : ENHANCED_NONE;
	case ENHANCED_DOT:
		if (b == '1')
			return ENHANCED_ONE;
		return digit ? ENHANCED_NUMBER : ENHANCED_NONE;
	case ENHANCED_ONE:
	case ENHANCED_NUMBER:
		if (digit)
			return ENHANCED_NUMBER;
		if (b != '.')
			return ENHANCED_NONE;
		return state == ENHANCED_ONE ? ENHANCED_ADDRESS :
					       ENHANCED_OTHER;
	default:
		return state;
	}
}

/* The server does not know the recipient: not a refusal for a time, nor by its policy. */
static bool unknown_recipient(const struct esmtp_reply *rp)
{
	return (rp->code == 550 || rp->code == 551 || rp->code == 553) &&
	       rp->enhanced != ENHANCED_OTHER;
}

/* Returns true if the connection closes. */
static bool junk_line(struct esmtp_feed *f)
{
	f->e->reply.state = REPLY_JUNK;
	return esmtp_anomaly(f, ESMTP_EVENT_REPLY_SYNTAX,
			     ESMTP_ANOMALY_REPLY_SYNTAX, 0, NULL, 0);
}

/* @n more bytes that are not of the line's end. Returns true if the connection closes. */
static bool count_bytes(struct esmtp_feed *f, u32 n)
{
	struct esmtp_reply *rp = &f->e->reply;
	u32 from = rp->len;

	if (from > ESMTP_U32_MAX - n)
		return false;
	rp->len += n;
	if (rp->len <= rp->limit)
		return false;
	rp->limit = esmtp_next_limit(f->p, ESMTP_MATCH_REPLY_LINE_LENGTH,
				     rp->len);
	return esmtp_fire_jump(f, ESMTP_MATCH_REPLY_LINE_LENGTH, from, rp->len,
			       NULL, 0);
}

/* A code that makes a server that was fooled, or is in on it, take commands for something else. */
static bool is_bypass(const struct esmtp_engine *e, u16 code)
{
	if (!esmtp_is_owed(e))
		return code == 354 || code == 334;
	if (code == 354)
		return esmtp_oldest(e) != OWED_DATA;
	if (code == 334)
		return esmtp_oldest(e) != OWED_AUTH;
	return esmtp_oldest(e) == OWED_MASKED && code / 100 == 2;
}

/* The code has been read. Returns true if the connection closes. */
static bool code_known(struct esmtp_feed *f)
{
	struct esmtp_reply *rp = &f->e->reply;
	struct esmtp_event *ev;

	rp->state = REPLY_SEPARATOR;
	if (!rp->first)
		rp->first = rp->code;
	if (!is_bypass(f->e, rp->code) || rp->bypass)
		return false;
	rp->bypass = true;
	ev = esmtp_emit(f, ESMTP_EVENT_BYPASS, ESMTP_ACTION_RESET, true);
	ev->value = rp->code;
	return esmtp_close(f, ESMTP_CLOSE_RESET);
}

/* A byte of the code. Returns true if the connection closes. */
static bool code_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_reply *rp = &f->e->reply;

	if (b < '0' || b > '9')
		return junk_line(f);
	rp->code = rp->code * 10 + (b - '0');
	if (++rp->digits < 3)
		return false;
	return code_known(f);
}

/* The text begins behind f->pos. */
static void begin_text(struct esmtp_feed *f)
{
	struct esmtp_reply *rp = &f->e->reply;
	const struct esmtp_engine *e = f->e;

	rp->state = REPLY_TEXT;
	f->text = f->pos + 1;
	if (!esmtp_is_owed(e))
		return;
	if (esmtp_oldest(e) == OWED_GREETING && rp->first == 220 &&
	    f->p->flags & ESMTP_POLICY_F_MASK_BANNER)
		rp->text = TEXT_BANNER;
	if (esmtp_oldest(e) == OWED_EHLO && rp->code == 250 && rp->lines) {
		rp->text = TEXT_KEYWORD;
		rp->alive = esmtp_words_keywords();
		rp->word_len = 0;
		rp->mask = false;
	}
}

/* What every PIX and ASA left standing: 2, 0, and a blank right behind a 0. */
static void banner_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_reply *rp = &f->e->reply;

	if (b == '2' || b == '0' || b == '\r' || (b == ' ' && rp->last == '0'))
		return;
	if (!rp->banner) {
		rp->banner = true;
		esmtp_emit(f, ESMTP_EVENT_BANNER_MASKED, ESMTP_ACTION_MASK,
			   false);
	}
	esmtp_edit(f, f->pos, 1, '*');
}

/* STARTTLS is judged by "tls allow" alone where that is given. */
static bool is_free(const struct esmtp_feed *f, const struct esmtp_word *w)
{
	return w->verb == ESMTP_VERB_STARTTLS &&
	       f->p->flags & ESMTP_POLICY_F_TLS_ALLOW;
}

/* A server must not offer what is X-ed when it is asked for. */
static bool is_refused(const struct esmtp_feed *f, const struct esmtp_word *w)
{
	return w->verb != ESMTP_VERB_OTHER &&
	       !(esmtp_allowed_verbs(f->p) & 1ull << w->verb);
}

/* Whether the bytes so far can still become a keyword that is not masked. */
static bool can_pass(const struct esmtp_feed *f, u64 alive)
{
	u64 masked = f->p->masked_keywords;
	const struct esmtp_word *w;

	if (!(masked & 1ull << ESMTP_KW_OTHERS))
		return true;
	for (w = esmtp_words; alive; alive >>= 1, w++)
		if (alive & 1 && (is_free(f, w) ||
				  (!(masked & 1ull << w->keyword) &&
				   !is_refused(f, w))))
			return true;
	return false;
}

static void mask_from(struct esmtp_feed *f, u32 end)
{
	f->e->reply.mask = true;
	esmtp_edit(f, f->text, end - f->text, 'X');
}

/* The keyword ended in front of f->pos. Returns true if the connection closes. */
static bool keyword_end(struct esmtp_feed *f)
{
	struct esmtp_reply *rp = &f->e->reply;
	u8 i = esmtp_words_exact(rp->alive, rp->word_len);
	u8 len = rp->word_len < ESMTP_WORD_MAX ? rp->word_len : ESMTP_WORD_MAX;
	enum esmtp_keyword keyword = ESMTP_KW_OTHERS;
	bool mask = false;

	rp->text = TEXT_PLAIN;
	if (!rp->word_len)
		return false;
	if (i != ESMTP_NO_WORD) {
		if (is_free(f, &esmtp_words[i]))
			return false;
		keyword = esmtp_words[i].keyword;
	}
	if (keyword == ESMTP_KW_PIPELINING &&
	    !(f->p->masked_keywords & 1ull << keyword))
		f->e->offered = true;
	if (esmtp_fire_member(f, ESMTP_MATCH_EHLO_KEYWORD, keyword, rp->word,
			      len, &mask))
		return true;
	if (!mask && i != ESMTP_NO_WORD &&
	    (is_refused(f, &esmtp_words[i]) ||
	     f->p->masked_keywords & 1ull << keyword)) {
		esmtp_event_text(esmtp_emit(f, ESMTP_EVENT_KEYWORD_MASKED,
					    ESMTP_ACTION_MASK, false),
				 rp->word, len);
		mask = true;
	}
	if (!mask)
		return false;
	rp->text = TEXT_MASKED;
	if (!rp->mask)
		mask_from(f, f->pos);
	return false;
}

/* "AUTH=LOGIN" is AUTH to clients that knew it before it was a standard. */
static bool ends_keyword(const struct esmtp_reply *rp, u8 b)
{
	u8 i;

	if (b == ' ' || b == '\r')
		return true;
	if (b != '=')
		return false;
	i = esmtp_words_exact(rp->alive, rp->word_len);
	return i != ESMTP_NO_WORD && esmtp_words[i].keyword == ESMTP_KW_AUTH;
}

/* The text has ended in front of f->pos: the letter, if its last byte is in reach. */
static void put_letter(struct esmtp_feed *f)
{
	if (f->pos > f->text)
		esmtp_edit(f, f->pos - 1, 1, 'A' + f->e->reply.masked % 26);
}

/*
 * The bytes so far are a keyword that is masked, and the next one is out of reach: when that
 * shows that the keyword ended here, this one would have been passed. If it goes on, it was
 * masked in vain; but nobody has a keyword that begins with another one.
 */
static bool is_last_chance(const struct esmtp_feed *f)
{
	const struct esmtp_reply *rp = &f->e->reply;
	const struct esmtp_word *w;
	u8 i;

	if (f->pos + 1 < f->len)
		return false;
	i = esmtp_words_exact(rp->alive, rp->word_len);
	if (i == ESMTP_NO_WORD)
		return false;
	w = &esmtp_words[i];
	return !is_free(f, w) &&
	       (f->p->masked_keywords & 1ull << w->keyword ||
		is_refused(f, w));
}

/* A byte of an EHLO line's keyword. Returns true if the connection closes. */
static bool keyword_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_reply *rp = &f->e->reply;

	if (ends_keyword(rp, b))
		return keyword_end(f);
	if (rp->word_len < ESMTP_WORD_MAX)
		rp->word[rp->word_len] = b;
	rp->alive = esmtp_words_next(rp->alive, rp->word_len, b);
	if (rp->word_len < 0xff)
		rp->word_len++;
	if (!rp->mask && (!can_pass(f, rp->alive) || is_last_chance(f)))
		mask_from(f, f->pos + 1);
	else if (rp->mask)
		esmtp_edit(f, f->pos, 1, 'X');
	return false;
}

/* A byte of the text. Returns true if the connection closes. */
static bool text_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_reply *rp = &f->e->reply;

	rp->enhanced = enhanced_next(rp->enhanced, b);
	if (rp->text == TEXT_BANNER)
		banner_byte(f, b);
	if (rp->text == TEXT_KEYWORD && keyword_byte(f, b))
		return true;
	if (rp->text != TEXT_MASKED)
		return false;
	if (b != '\r')
		esmtp_edit(f, f->pos, 1, 'X');
	else if (rp->last != '\r')
		put_letter(f);
	return false;
}

/* The next line begins; the reply goes on unless this was its last. */
static void next_line(struct esmtp_reply *rp, bool done)
{
	u16 first = done ? 0 : rp->first;
	u16 lines = done ? 0 : rp->lines;
	u16 masked = done ? 0 : rp->masked;
	bool banner = !done && rp->banner;
	bool bypass = !done && rp->bypass;

	memset(rp, 0, sizeof(*rp));
	rp->first = first;
	rp->lines = lines;
	rp->masked = masked;
	rp->banner = banner;
	rp->bypass = bypass;
}

/* The line's LF. Returns true if the connection closes. */
static bool line_end(struct esmtp_feed *f)
{
	struct esmtp_reply *rp = &f->e->reply;
	u16 code = rp->code;
	bool more = rp->more, unknown = unknown_recipient(rp);

	if (rp->state < REPLY_SEPARATOR && junk_line(f))
		return true;
	if (rp->last != '\r' &&
	    esmtp_anomaly(f, ESMTP_EVENT_BARE_LF, ESMTP_ANOMALY_BARE_LF, 0,
			  NULL, 0))
		return true;
	if (esmtp_fire_within(f, ESMTP_MATCH_REPLY_LINE_LENGTH, rp->len, NULL,
			      0))
		return true;
	if (rp->text == TEXT_KEYWORD && keyword_end(f))
		return true;
	if (rp->text == TEXT_MASKED) {
		if (rp->last != '\r')
			put_letter(f);
		rp->masked++;
	}
	f->pos++;
	if (rp->state == REPLY_JUNK) {
		next_line(rp, false);
		return false;
	}
	if (rp->lines < 0xffff)
		rp->lines++;
	next_line(rp, !more);
	if (!more)
		esmtp_reply_done(f, code, unknown);
	return f->r->verdict;
}

/* Takes the byte at f->pos. Returns true if the connection closes. */
static bool take_byte(struct esmtp_feed *f)
{
	struct esmtp_reply *rp = &f->e->reply;
	u8 b = f->data[f->pos];

	if (rp->state == REPLY_START) {
		f->line = f->pos;
		rp->state = REPLY_CODE;
		rp->limit = esmtp_next_limit(f->p,
					     ESMTP_MATCH_REPLY_LINE_LENGTH, 0);
		esmtp_scope_begin(f, ESMTP_SCOPE_REPLY);
	}
	if (b == '\n')
		return line_end(f);
	/* a CR counts when it is no line's end */
	if (b != '\r' && count_bytes(f, 1 + (rp->last == '\r')))
		return true;
	if (rp->state == REPLY_CODE) {
		if (code_byte(f, b))
			return true;
	} else if (rp->state == REPLY_SEPARATOR) {
		rp->more = b == '-';
		begin_text(f);
		/* "250" CR LF: no separator, no text; the CR is kept as such a byte */
	} else if (rp->state == REPLY_TEXT && text_byte(f, b)) {
		return true;
	}
	rp->last = b;
	f->pos++;
	return false;
}

/**
 * esmtp_between_replies() - whether the server is at the start of a reply
 * @e: engine
 *
 * Return: false if a part of one has been read.
 */
bool esmtp_between_replies(const struct esmtp_engine *e)
{
	return e->reply.state == REPLY_START && !e->reply.lines;
}

/**
 * esmtp_reply_read() - read the server's lines
 * @f: call
 *
 * Returns when the bytes are used up, the result is full, or the connection closes.
 */
void esmtp_reply_read(struct esmtp_feed *f)
{
	struct esmtp_engine *e = f->e;

	while (f->pos < f->len) {
		if (f->pos && !esmtp_room(f))
			return;
		/* no call must end within a line that may be masked */
		if (f->pos && e->reply.state == REPLY_START &&
		    !esmtp_room_line(f))
			return;
		if (take_byte(f))
			return;
		if (e->phase == PHASE_BYPASS) {
			f->r->bypass = true;
			f->pos = f->len;
		}
	}
}
