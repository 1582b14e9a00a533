// SPDX-License-Identifier: GPL-2.0-only
/*
 * Message content: lines, header and body, and where it ends.
 *
 * Content is read strictly: CR LF . CR LF ends it, and nothing else does. A
 * bare LF is a line end only where lines are measured or a header field may
 * start, because half of the servers take it for one and counting on over it
 * would raise false alarms. No byte waits for a later one and none is altered.
 *
 * Every byte makes one step of a small state machine, so that cuts cannot
 * matter. Bytes that cannot mean anything, which is most of a body, are skipped
 * over a word at a time; skipping does what the single steps would do.
 */
#include "internal.h"

enum content_state {
	LINE_START,		/* no byte of the line yet */
	LINE_DOT,		/* one dot, which the server takes away */
	LINE_TEXT,
};

enum content_field {
	FIELD_IGNORED,		/* what follows up to the next field is not ours */
	FIELD_NAME,
	FIELD_BLANK,		/* between the name and its colon */
	FIELD_VALUE,
};

/* The value of a field that is held against tables. */
enum content_text {
	TEXT_NONE,
	TEXT_BEFORE,		/* blanks before it */
	TEXT_VALUE,
};

#define ONES	0x0101010101010101ull
#define HIGHS	0x8080808080808080ull

static bool is_blank(u8 c)
{
	return c == ' ' || c == '\t';
}

/* Which rules measure the current line. */
static enum esmtp_match line_kind(const struct esmtp_content *c)
{
	return c->top ? ESMTP_MATCH_HEADER_LINE_LENGTH :
			ESMTP_MATCH_BODY_LINE_LENGTH;
}

/*
 * The rules of a policy do not change under a connection, so the limit that a
 * line meets first is looked up once for the header and once for the body.
 */
static void load_limit(const struct esmtp_feed *f, struct esmtp_content *c)
{
	c->first_limit = esmtp_next_limit(f->p, line_kind(c), 0);
	c->limit = c->first_limit;
}

/* How many bytes stand before the first CR or LF. */
static u32 plain_span(const u8 *p, u32 len)
{
	u64 word, lf, cr;
	u32 i = 0;

	for (; len - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, p + i, sizeof(word));
		lf = word ^ (ONES * '\n');
		cr = word ^ (ONES * '\r');
		/* a byte that is zero in either borrows into its high bit */
		if ((((lf - ONES) & ~lf) | ((cr - ONES) & ~cr)) & HIGHS)
			break;
	}
	while (i < len && p[i] != '\n' && p[i] != '\r')
		i++;
	return i;
}

/* The limits on the size of the message, and of the half of it that is being read. */
static void load_sizes(const struct esmtp_feed *f, struct esmtp_content *c)
{
	u32 half = c->top ? c->size : c->size > c->body ? c->size - c->body : 0;
	u32 limit = esmtp_next_limit(f->p, c->top ? ESMTP_MATCH_HEADER_LENGTH :
						    ESMTP_MATCH_BODY_LENGTH,
				     half);

	c->size_limit = esmtp_next_limit(f->p, ESMTP_MATCH_MESSAGE_SIZE,
					 c->size);
	if (!c->top && limit > ESMTP_U32_MAX - c->body)
		limit = ESMTP_U32_MAX;
	else if (!c->top)
		limit += c->body;
	if (limit < c->size_limit)
		c->size_limit = limit;
}

/* The message has become larger by @n, and larger than some limit. True = the connection closes. */
static bool judge_sizes(struct esmtp_feed *f, struct esmtp_content *c, u32 n)
{
	u32 from = c->size - n, half = c->top ? 0 : c->body;

	load_sizes(f, c);
	if (esmtp_fire_jump(f, ESMTP_MATCH_MESSAGE_SIZE, from, c->size, NULL,
			    0))
		return true;
	if (c->size <= half)
		return false;
	return esmtp_fire_jump(f, c->top ? ESMTP_MATCH_HEADER_LENGTH :
					   ESMTP_MATCH_BODY_LENGTH,
			       from > half ? from - half : 0, c->size - half,
			       NULL, 0);
}

/* @n more bytes of the message; true = the connection closes. */
static bool grow(struct esmtp_feed *f, struct esmtp_content *c, u32 n)
{
	if (c->size > ESMTP_U32_MAX - n)
		return false;
	c->size += n;
	return c->size > c->size_limit && judge_sizes(f, c, n);
}

/* One more byte of the line; true = the connection closes. */
static bool count_byte(struct esmtp_feed *f, struct esmtp_content *c)
{
	enum esmtp_match kind = line_kind(c);

	if (c->line_len == ESMTP_U32_MAX)
		return false;
	c->line_len++;
	if (c->line_len <= c->limit)
		return false;
	c->limit = esmtp_next_limit(f->p, kind, c->line_len);
	return esmtp_fire(f, kind, c->line_len, c->name,
			  c->top ? c->name_len : 0);
}

/* Another header section, of a part or of a message within the message. */
static void enter_section(struct esmtp_content *c, bool part)
{
	c->in_header = true;
	c->field = FIELD_IGNORED;
	esmtp_mime_section(&c->mime, part);
}

/* The message's own header is complete. True = the connection closes. */
static bool judge_header(struct esmtp_feed *f, const struct esmtp_content *c)
{
	return esmtp_fire_within(f, ESMTP_MATCH_HEADER_LENGTH, c->size, NULL,
				 0) ||
	       esmtp_fire_within(f, ESMTP_MATCH_HEADER_TO_COUNT, c->to_fields,
				 NULL, 0) ||
	       esmtp_fire_within(f, ESMTP_MATCH_HEADER_COUNT, c->fields, NULL,
				 0) ||
	       esmtp_fire_no_field(f);
}

/* No further line belongs to the field. True = the connection closes. */
static bool field_end(struct esmtp_feed *f, struct esmtp_content *c)
{
	bool text = c->text;

	c->text = TEXT_NONE;
	return (text && esmtp_fire_field(f)) || esmtp_mime_field_end(f);
}

/*
 * Everything behind the message's own header section, and the line end at f->pos, is body to
 * the rules. True = the connection closes.
 */
static bool leave_top(struct esmtp_feed *f, struct esmtp_content *c)
{
	if (!c->top)
		return false;
	if (judge_header(f, c))
		return true;
	c->top = false;
	c->body = c->size + 1 + c->cr;
	load_limit(f, c);
	load_sizes(f, c);
	return false;
}

/* A line has ended that may have been a boundary. True = the connection closes. */
static bool boundary_line(struct esmtp_feed *f, struct esmtp_content *c)
{
	enum mime_line line;

	if (!esmtp_mime_line_alive(&c->mime))
		return false;
	line = esmtp_mime_line_end(&c->mime);
	if (line == MIME_LINE_TEXT)
		return false;
	/* also where the empty line is missing: servers put one there */
	c->in_header = false;
	if (leave_top(f, c))
		return true;
	if (line == MIME_LINE_PART) {
		esmtp_scope_begin(f, ESMTP_SCOPE_PART);
		enter_section(c, true);
	}
	return false;
}

/* The empty line behind a header section; true = the connection closes. */
static bool section_end(struct esmtp_feed *f, struct esmtp_content *c)
{
	if (field_end(f, c))
		return true;
	c->in_header = false;
	if (leave_top(f, c))
		return true;
	if (esmtp_mime_section_end(&c->mime)) {
		esmtp_scope_begin(f, ESMTP_SCOPE_PART);
		enter_section(c, false);
	}
	return false;
}

/*
 * Rules about a whole line. The empty line behind a header is none of it.
 * Returns true if the connection closes.
 */
static bool judge_line(struct esmtp_feed *f, const struct esmtp_content *c)
{
	if (c->top && c->state == LINE_START)
		return false;
	return esmtp_fire_within(f, line_kind(c), c->line_len, c->name,
				 c->top ? c->name_len : 0);
}

/* An LF, bare or not. True = end of data, or the connection closes. */
static bool line_end(struct esmtp_feed *f, struct esmtp_content *c)
{
	bool dot = c->state == LINE_DOT && c->strict;

	if (dot && c->cr) {
		if (!esmtp_message_done(f))
			f->pos++;
		return true;
	}
	if (judge_line(f, c))
		return true;
	if (c->in_header && (c->state == LINE_START || dot)) {
		if (section_end(f, c))
			return true;
	} else if (boundary_line(f, c)) {
		return true;
	}
	if (grow(f, c, 1 + c->cr))
		return true;
	c->state = LINE_START;
	c->strict = c->cr;
	c->cr = false;
	c->line_len = 0;
	c->limit = c->first_limit;
	f->pos++;
	return false;
}

/* The colon behind a field's name. True = the connection closes. */
static bool name_end(struct esmtp_feed *f, struct esmtp_content *c)
{
	c->field = esmtp_mime_field(&c->mime, c->name, c->name_len) ?
		   FIELD_VALUE : FIELD_IGNORED;
	esmtp_tables_start(f->p, ESMTP_TEXT_MIME_TYPE, c->mime.live);
	if (c->top && esmtp_wants_field(f->p, c->name, c->name_len)) {
		c->text = TEXT_BEFORE;
		esmtp_tables_start(f->p, ESMTP_TEXT_HEADER, c->live);
	}
	if (!c->top || c->name_len != 2 || (c->name[0] | 0x20) != 't' ||
	    (c->name[1] | 0x20) != 'o' || c->to_fields == ESMTP_U32_MAX)
		return false;
	c->to_fields++;
	return esmtp_fire(f, ESMTP_MATCH_HEADER_TO_COUNT, c->to_fields, c->name,
			  c->name_len);
}

/* A byte of a field's name, or behind it. True = the connection closes. */
static bool name_byte(struct esmtp_feed *f, struct esmtp_content *c, u8 b)
{
	if (b == ':' && c->name_len)
		return name_end(f, c);
	if (is_blank(b))
		c->field = FIELD_BLANK;
	else if (c->field == FIELD_BLANK || b <= ' ' || b == ':' || b >= 0x7f ||
		 c->name_len == sizeof(c->name))
		c->field = FIELD_IGNORED;
	else
		c->name[c->name_len++] = b;
	return false;
}

/* A byte of a value; what folds it is a blank of it. */
static void text_byte(struct esmtp_feed *f, struct esmtp_content *c, u8 b)
{
	if (c->text == TEXT_BEFORE && is_blank(b))
		return;
	c->text = TEXT_VALUE;
	esmtp_tables_byte(f->p, ESMTP_TEXT_HEADER, c->live, b);
}

/* The first byte of a header line; true = the connection closes. */
static bool field_start(struct esmtp_feed *f, struct esmtp_content *c, u8 b)
{
	if (is_blank(b)) {
		/* the field goes on, but a name does not */
		if (c->field != FIELD_VALUE)
			c->field = FIELD_IGNORED;
		return false;
	}
	if (field_end(f, c))
		return true;
	esmtp_mime_line_start(&c->mime);
	c->field = FIELD_NAME;
	c->name_len = 0;
	if (!c->top || c->fields == ESMTP_U32_MAX)
		return false;
	c->fields++;
	return esmtp_fire(f, ESMTP_MATCH_HEADER_COUNT, c->fields, NULL, 0);
}

/* A byte of a line in a header section; true = the connection closes. */
static bool header_byte(struct esmtp_feed *f, struct esmtp_content *c, u8 b,
			bool first)
{
	if (first && field_start(f, c, b))
		return true;
	if (esmtp_mime_line_alive(&c->mime))
		esmtp_mime_line_byte(&c->mime, b);
	if (c->text)
		text_byte(f, c, b);
	if (c->field == FIELD_VALUE)
		return esmtp_mime_value(f, b);
	return c->field != FIELD_IGNORED && name_byte(f, c, b);
}

/* A byte of a line that is no part of its end; true = the connection closes. */
static bool line_byte(struct esmtp_feed *f, struct esmtp_content *c, u8 b)
{
	bool first = c->state != LINE_TEXT;

	if (b == '.' && c->state == LINE_START && !c->bdat) {
		/* not part of what the server reads, but of the line's length */
		c->state = LINE_DOT;
		return count_byte(f, c);
	}
	c->state = LINE_TEXT;
	if (grow(f, c, 1))
		return true;
	if (c->in_header) {
		if (header_byte(f, c, b, first))
			return true;
	} else {
		if (first)
			esmtp_mime_line_start(&c->mime);
		if (esmtp_mime_line_alive(&c->mime))
			esmtp_mime_line_byte(&c->mime, b);
	}
	return count_byte(f, c);
}

/* Takes one byte; true = end of data, or the connection closes. */
static bool take_byte(struct esmtp_feed *f, struct esmtp_content *c)
{
	u8 b = f->data[f->pos];

	if (b == '\n')
		return line_end(f, c);
	if (c->cr) {
		/* it was no line end, so it was a byte of the line */
		c->cr = false;
		if (line_byte(f, c, '\r'))
			return true;
	}
	if (b == '\r')
		c->cr = true;
	else if (line_byte(f, c, b))
		return true;
	f->pos++;
	return false;
}

/* No byte of the line from here on means anything but its end. */
static bool is_dull(const struct esmtp_content *c)
{
	return c->state == LINE_TEXT && !c->cr &&
	       (!c->in_header || c->field == FIELD_IGNORED) && !c->text &&
	       !esmtp_mime_line_alive(&c->mime);
}

/* At @p a line ends and another one begins that is plain text. */
static bool is_plain_end(const u8 *p, u32 len)
{
	if (len < 3 || p[0] != '\r' || p[1] != '\n')
		return false;
	return p[2] > '.' ||
	       (p[2] != '.' && p[2] != '-' && p[2] != '\r' && p[2] != '\n');
}

/*
 * Takes bytes that are dull, and in a body also whole lines unless each is judged, up to the next
 * byte that needs a step of its own: often a limit, a dot or a dash.
 */
static void skip_dull(struct esmtp_feed *f, struct esmtp_content *c, u32 end)
{
	bool lines = !c->in_header &&
		     !esmtp_has_not(f->p, ESMTP_MATCH_BODY_LINE_LENGTH);
	u32 span, len;

	for (;;) {
		span = end - f->pos;
		if (span > c->limit - c->line_len)
			span = c->limit - c->line_len;
		if (span > c->size_limit - c->size)
			span = c->size_limit - c->size;
		len = plain_span(f->data + f->pos, span);
		f->pos += len;
		c->line_len += len;
		c->size += len;
		if (len == span || !lines ||
		    !is_plain_end(f->data + f->pos, end - f->pos))
			return;
		if (c->size_limit - c->size < 2)
			return;
		f->pos += 2;
		c->size += 2;
		c->line_len = 0;
		c->limit = c->first_limit;
	}
}

/* Reads up to @end; true = end of data, or the connection closes. */
static bool read_upto(struct esmtp_feed *f, struct esmtp_content *c, u32 end)
{
	if (c->fresh) {
		c->fresh = false;
		load_limit(f, c);
		load_sizes(f, c);
	}
	while (f->pos < end) {
		if (is_dull(c)) {
			skip_dull(f, c, end);
			if (f->pos == end)
				break;
		}
		if (take_byte(f, c))
			return true;
	}
	return false;
}

/**
 * esmtp_message_done() - the message has come to its end, which does not pass before this is known
 * @f: call
 *
 * Return: true if the connection closes.
 */
bool esmtp_message_done(struct esmtp_feed *f)
{
	struct esmtp_content *c = &f->e->content;
	u32 declared = f->e->declared;

	if (c->in_header && field_end(f, c))
		return true;
	if (leave_top(f, c))
		return true;
	if (esmtp_fire_within(f, ESMTP_MATCH_BODY_LENGTH,
			      c->size > c->body ? c->size - c->body : 0, NULL,
			      0) ||
	    esmtp_fire_within(f, ESMTP_MATCH_MESSAGE_SIZE, c->size, NULL, 0))
		return true;
	return declared && declared != ESMTP_U32_MAX &&
	       esmtp_fire_fact(f, ESMTP_MATCH_DECLARED_SIZE, c->size > declared,
			       c->size, declared, NULL, 0);
}

/**
 * esmtp_content_begin() - a message starts
 * @c: state, any bytes
 * @bdat: the content ends by count, not by CR LF . CR LF
 *
 * Called once for a message that comes in several BDAT chunks.
 */
void esmtp_content_begin(struct esmtp_content *c, bool bdat)
{
	memset(c, 0, offsetof(struct esmtp_content, mime));
	c->state = LINE_START;
	c->text = TEXT_NONE;
	c->fresh = true;
	c->top = true;
	c->bdat = bdat;
	c->strict = true;
	esmtp_mime_begin(&c->mime);
	enter_section(c, false);
}

/**
 * esmtp_content_read() - read content, up to its end or to the end of the bytes
 * @f: the call; @f->pos is moved, and nothing else of the packet is touched
 *
 * The header line rules measure the message's own header section, up to its
 * empty line; everything behind it, headers of MIME parts and of messages
 * within the message included, is measured by the body line rules. Lengths are
 * of physical lines, without their line end and with a stuffed dot. A CR counts
 * when the byte behind it shows that it is bare. A rule fires once a line, at
 * the byte that is one too many.
 *
 * Return: true if the content has ended just before @f->pos, or, when the
 * connection closes, at @f->pos, a byte that does not pass. False if more
 * bytes are needed.
 */
bool esmtp_content_read(struct esmtp_feed *f)
{
	struct esmtp_content *c = &f->e->content;
	u32 start = f->pos;
	u32 end = f->len;
	bool done;

	if (c->bdat && c->chunk < end - start)
		end = start + (u32)c->chunk;
	done = read_upto(f, c, end);
	if (!c->bdat)
		return done;
	c->chunk -= f->pos - start;
	if (!done && !c->chunk && f->pos > start && !f->e->bdat_open &&
	    esmtp_message_done(f)) {
		/* without its last byte the message is none */
		f->pos--;
		return true;
	}
	return done || !c->chunk;
}
