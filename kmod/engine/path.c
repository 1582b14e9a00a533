// SPDX-License-Identifier: GPL-2.0-only
/*
 * The path of MAIL and RCPT: "FROM:" or "TO:", an address in brackets, parameters.
 *
 * Clients write it with blanks where none belong, without brackets, or with a name in
 * front of them, and servers understand that; so does this.
 */
#include "internal.h"

enum path_state {
	PATH_KEYWORD,		/* before the colon, where brackets open a path too */
	PATH_BEFORE,		/* blanks behind it */
	PATH_INSIDE,		/* between the brackets */
	PATH_INSIDE_QUOTED,
	PATH_INSIDE_ESCAPED,
	PATH_BARE,		/* an address without brackets */
	PATH_BARE_QUOTED,
	PATH_BARE_ESCAPED,
	PATH_GAP,		/* a blank behind that: brackets may still come */
	PATH_WORD,		/* a later word: a parameter, or it was all a name */
	PATH_BEHIND,		/* right behind the closing bracket */
	PATH_PARAMETERS,	/* < and > mean nothing here: AUTH=<> */
};

static bool is_blank(u8 c)
{
	return c == ' ' || c == '\t';
}

static bool is_sender(const struct esmtp_command *c)
{
	return esmtp_words[c->index].argument == ARG_SENDER;
}

/* How much of "SIZE=" at the start of a parameter has been read. */
enum size_state {
	SIZE_NUMBER = 5,
	SIZE_OTHER,		/* another parameter, up to the next blank */
};

/* RFC 1870: what MAIL says of the message's size. A number that is none says nothing. */
static void size_byte(struct esmtp_feed *f, u8 b)
{
	static const u8 word[] = { 'S', 'I', 'Z', 'E', '=' };
	struct esmtp_command *c = &f->e->cmd;
	u64 size = f->e->declared;

	if (is_blank(b)) {
		c->size = 0;
	} else if (c->size < SIZE_NUMBER) {
		if (b >= 'a' && b <= 'z')
			b -= 'a' - 'A';
		c->size = b == word[c->size] ? c->size + 1 : SIZE_OTHER;
		if (c->size == SIZE_NUMBER)
			f->e->declared = 0;
	} else if (c->size == SIZE_NUMBER) {
		size = size * 10 + (b - '0');
		if (b < '0' || b > '9' || size > ESMTP_U32_MAX) {
			size = ESMTP_U32_MAX;
			c->size = SIZE_OTHER;
		}
		f->e->declared = size;
	}
}

static enum esmtp_text text_of(const struct esmtp_command *c)
{
	return is_sender(c) ? ESMTP_TEXT_SENDER : ESMTP_TEXT_RECIPIENT;
}

/* What rules about the line tell of it. A chunk of BDAT before it needs the room: then it is the verb. */
static void line_begin(struct esmtp_engine *e)
{
	struct esmtp_command *c = &e->cmd;

	if (e->bdat_open)
		return;
	c->told = true;
	e->line.len = c->word_len;
	memcpy(e->line.text, c->word, c->word_len);
}

/* One more byte of it. What stood behind the verb is a blank there. */
static void line_byte(struct esmtp_engine *e, u8 b)
{
	struct esmtp_line *line = &e->line;

	if (!e->cmd.told)
		return;
	if (line->len == e->cmd.word_len)
		line->text[line->len++] = ' ';
	if (line->len < ESMTP_TEXT_MAX)
		line->text[line->len++] = b;
}

/**
 * esmtp_path_begin() - MAIL or RCPT has been read
 * @f: call
 */
void esmtp_path_begin(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;

	line_begin(f->e);
	c->path = PATH_KEYWORD;
	c->path_len = 0;
	c->path_limit = ESMTP_U32_MAX;
	esmtp_tables_start(f->p, text_of(c), c->live);
	if (!is_sender(c)) {
		esmtp_relay_begin(f);
		return;
	}
	esmtp_scope_begin(f, ESMTP_SCOPE_TRANSACTION);
	f->e->declared = ESMTP_U32_MAX;
	c->path_limit = esmtp_next_limit(f->p, ESMTP_MATCH_SENDER_LENGTH, 0);
	f->e->sender.len = 0;
	f->e->sender.known = true;
}

/* The address begins, perhaps again: what stood before was a name. */
static void open_path(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;

	c->path = PATH_INSIDE;
	c->path_len = 0;
	esmtp_tables_start(f->p, text_of(c), c->live);
	if (!is_sender(c)) {
		esmtp_relay_again(f);
		return;
	}
	c->path_limit = esmtp_next_limit(f->p, ESMTP_MATCH_SENDER_LENGTH, 0);
	f->e->sender.len = 0;
}

static void keep_sender(struct esmtp_sender *s, u8 b)
{
	s->known = true;
	if (s->len < ESMTP_SENDER_MAX)
		s->text[s->len] = b;
	if (s->len <= ESMTP_SENDER_MAX)
		s->len++;
}

/* One more byte of the address. Returns true if the connection closes. */
static bool count_path(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;

	esmtp_tables_byte(f->p, text_of(c), c->live, b);
	if (is_sender(c))
		keep_sender(&f->e->sender, b);
	else
		esmtp_relay_byte(f, b);
	if (c->path_len == ESMTP_U32_MAX || ++c->path_len <= c->path_limit)
		return false;
	c->path_limit = esmtp_next_limit(f->p, ESMTP_MATCH_SENDER_LENGTH,
					 c->path_len);
	return esmtp_fire(f, ESMTP_MATCH_SENDER_LENGTH, c->path_len,
			  esmtp_line_text(f), esmtp_line_len(f));
}

static void blank_bracket(struct esmtp_feed *f)
{
	struct esmtp_event *ev;

	if (!(f->p->flags & ESMTP_POLICY_F_BLANK_BRACKETS))
		return;
	ev = esmtp_emit(f, ESMTP_EVENT_BRACKET_BLANKED, ESMTP_ACTION_MASK,
			true);
	esmtp_event_line(f, ev);
	esmtp_edit(f, f->pos, 1, ' ');
}

/*
 * The states inside an address; @inside says which of the two threes.
 * Returns true if the byte closed it.
 */
static bool address_byte(struct esmtp_feed *f, u8 b, bool inside)
{
	struct esmtp_command *c = &f->e->cmd;
	u8 first = inside ? PATH_INSIDE : PATH_BARE;

	if (c->path == first + 2) {			/* escaped */
		c->path = first + 1;
	} else if (c->path == first + 1) {		/* quoted */
		if (b == '\\')
			c->path = first + 2;
		else if (b == '"')
			c->path = first;
	} else if (b == '"') {
		c->path = first + 1;
	} else if (inside ? b == '>' : is_blank(b)) {
		c->path = inside ? PATH_BEHIND : PATH_GAP;
		if (!is_sender(c))
			esmtp_relay_close(f);
		return true;
	} else if (b == '<' || b == '>') {
		blank_bracket(f);
	}
	return false;
}

/* Before the colon of RCPT, where it may be missing. */
static void keyword_byte(struct esmtp_feed *f, u8 b)
{
	if (b == ':')
		esmtp_relay_again(f);
	else if (b != '<')
		esmtp_relay_byte(f, b);
}

/* Before an address. Returns true if the byte is the first of a bare one. */
static bool before_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;
	bool first = c->path == PATH_BEFORE && b != '<' && b != '>' &&
		     !is_blank(b);

	if (c->path == PATH_KEYWORD && !is_sender(c))
		keyword_byte(f, b);
	if (b == '<')
		open_path(f);
	else if (b == '>')
		blank_bracket(f);
	else if (c->path == PATH_KEYWORD && b == ':')
		c->path = PATH_BEFORE;
	else if (c->path == PATH_GAP && !is_blank(b))
		c->path = PATH_WORD;
	if (c->path == PATH_WORD && is_sender(c))
		size_byte(f, b);
	return first;
}

/* Behind an address. */
static void behind_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;

	if (c->path != PATH_BEHIND && is_sender(c))
		size_byte(f, b);
	if (c->path == PATH_BEHIND && !is_sender(c) && !is_blank(b) &&
	    b != '<' && b != '>')
		esmtp_relay_byte(f, b);
	if (c->path == PATH_WORD && is_blank(b))
		c->path = PATH_GAP;
	else if (c->path == PATH_BEHIND && is_blank(b))
		c->path = PATH_PARAMETERS;
	else if (c->path == PATH_BEHIND && (b == '<' || b == '>'))
		blank_bracket(f);
}

/**
 * esmtp_path_byte() - a byte of the line behind MAIL or RCPT
 * @f: call; the byte is at f->pos, or it is the CR before that, which was bare
 * @b: the byte
 *
 * Return: true if the connection closes.
 */
bool esmtp_path_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;
	struct esmtp_event *ev;

	line_byte(f->e, b);
	if ((b == '|' || b == '`' || !b) && !c->special) {
		c->special = true;
		if (esmtp_fire_fact(f, ESMTP_MATCH_SPECIAL_CHARACTER, true, b,
				    0, esmtp_line_text(f), esmtp_line_len(f)))
			return true;
	}
	if (b == '|' && !c->pipe) {
		c->pipe = true;
		ev = esmtp_emit(f, ESMTP_EVENT_PIPE, ESMTP_ACTION_RESET, true);
		esmtp_event_line(f, ev);
		if (esmtp_close(f, ESMTP_CLOSE_RESET))
			return true;
	}
	switch (c->path) {
	case PATH_INSIDE:
	case PATH_INSIDE_QUOTED:
	case PATH_INSIDE_ESCAPED:
		return !address_byte(f, b, true) && count_path(f, b);
	case PATH_BARE:
	case PATH_BARE_QUOTED:
	case PATH_BARE_ESCAPED:
		return !address_byte(f, b, false) && count_path(f, b);
	case PATH_KEYWORD:
	case PATH_BEFORE:
	case PATH_GAP:
		if (!before_byte(f, b))
			return false;
		c->path = PATH_BARE;
		address_byte(f, b, false);
		return count_path(f, b);
	default:
		behind_byte(f, b);
		return false;
	}
}

/**
 * esmtp_path_end() - the line of MAIL or RCPT has ended
 * @f: call
 *
 * Return: true if the connection closes.
 */
bool esmtp_path_end(struct esmtp_feed *f)
{
	const struct esmtp_command *c = &f->e->cmd;

	if (!c->special &&
	    esmtp_fire_fact(f, ESMTP_MATCH_SPECIAL_CHARACTER, false, 0, 0,
			    esmtp_line_text(f), esmtp_line_len(f)))
		return true;
	if (is_sender(c) &&
	    esmtp_fire_within(f, ESMTP_MATCH_SENDER_LENGTH, c->path_len,
			      esmtp_line_text(f), esmtp_line_len(f)))
		return true;
	if (!is_sender(c) && esmtp_relay_end(f))
		return true;
	return esmtp_fire_text(f, is_sender(c) ? ESMTP_MATCH_SENDER_TEXT :
						 ESMTP_MATCH_RECIPIENT_TEXT,
			       c->live, esmtp_line_text(f), esmtp_line_len(f));
}
