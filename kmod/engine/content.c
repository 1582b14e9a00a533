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

/* Everything behind the message's own header section is body to the rules. */
static void leave_top(struct esmtp_feed *f, struct esmtp_content *c)
{
	if (!c->top)
		return;
	c->top = false;
	load_limit(f, c);
}

/* A line has ended that may have been a boundary. */
static void boundary_line(struct esmtp_feed *f, struct esmtp_content *c)
{
	enum mime_line line;

	if (!esmtp_mime_line_alive(&c->mime))
		return;
	line = esmtp_mime_line_end(&c->mime);
	if (line == MIME_LINE_TEXT)
		return;
	/* also where the empty line is missing: servers put one there */
	c->in_header = false;
	leave_top(f, c);
	if (line == MIME_LINE_PART)
		enter_section(c, true);
}

/* The empty line behind a header section; true = the connection closes. */
static bool section_end(struct esmtp_feed *f, struct esmtp_content *c)
{
	if (esmtp_mime_field_end(f))
		return true;
	c->in_header = false;
	leave_top(f, c);
	if (esmtp_mime_section_end(&c->mime))
		enter_section(c, false);
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
		if (!c->in_header || !esmtp_mime_field_end(f))
			f->pos++;
		return true;
	}
	if (judge_line(f, c))
		return true;
	if (c->in_header && (c->state == LINE_START || dot)) {
		if (section_end(f, c))
			return true;
	} else {
		boundary_line(f, c);
	}
	c->state = LINE_START;
	c->strict = c->cr;
	c->cr = false;
	c->line_len = 0;
	c->limit = c->first_limit;
	f->pos++;
	return false;
}

/* A byte of a field's name, or behind it. */
static void name_byte(struct esmtp_content *c, u8 b)
{
	if (b == ':' && c->name_len)
		c->field = esmtp_mime_field(&c->mime, c->name, c->name_len) ?
			   FIELD_VALUE : FIELD_IGNORED;
	else if (is_blank(b))
		c->field = FIELD_BLANK;
	else if (c->field == FIELD_BLANK || b <= ' ' || b == ':' || b >= 0x7f ||
		 c->name_len == sizeof(c->name))
		c->field = FIELD_IGNORED;
	else
		c->name[c->name_len++] = b;
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
	if (esmtp_mime_field_end(f))
		return true;
	esmtp_mime_line_start(&c->mime);
	c->field = FIELD_NAME;
	c->name_len = 0;
	return false;
}

/* A byte of a line in a header section; true = the connection closes. */
static bool header_byte(struct esmtp_feed *f, struct esmtp_content *c, u8 b,
			bool first)
{
	if (first && field_start(f, c, b))
		return true;
	if (esmtp_mime_line_alive(&c->mime))
		esmtp_mime_line_byte(&c->mime, b);
	if (c->field == FIELD_VALUE)
		return esmtp_mime_value(f, b);
	if (c->field != FIELD_IGNORED)
		name_byte(c, b);
	return false;
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
	       (!c->in_header || c->field == FIELD_IGNORED) &&
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
		len = plain_span(f->data + f->pos, span);
		f->pos += len;
		c->line_len += len;
		if (len == span || !lines ||
		    !is_plain_end(f->data + f->pos, end - f->pos))
			return;
		f->pos += 2;
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
 * esmtp_content_begin() - a message starts
 * @c: state, any bytes but @c->chunk
 * @bdat: the content ends by count, not by CR LF . CR LF
 *
 * Called once for a message that comes in several BDAT chunks.
 */
void esmtp_content_begin(struct esmtp_content *c, bool bdat)
{
	c->state = LINE_START;
	c->fresh = true;
	c->top = true;
	c->bdat = bdat;
	c->cr = false;
	c->strict = true;
	c->name_len = 0;
	c->line_len = 0;
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
	return done || !c->chunk;
}
