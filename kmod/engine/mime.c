// SPDX-License-Identifier: GPL-2.0-only
/*
 * MIME structure: header sections, and the boundaries between them.
 *
 * A boundary is open from the field that names it on, not only from the empty
 * line behind it, and boundary lines are looked for in header sections too:
 * servers and readers put the missing empty line in. So what they may take
 * for a part is always one here. Two Content-Type fields in one section, or
 * two boundaries in one field, are all open, because readers disagree about
 * which one counts.
 */
#include "mime.h"

/**
 * esmtp_mime_begin() - a message starts
 * @m: state, any bytes
 */
void esmtp_mime_begin(struct esmtp_mime *m)
{
	m->field = MIME_FIELD_NONE;
	m->depth = 0;
	m->digest = 0;
	m->alive = 0;
	esmtp_mime_section(m, false);
}

/**
 * esmtp_mime_section() - a header section starts
 * @m: state
 * @part: behind a boundary line, not at the start of a message
 */
void esmtp_mime_section(struct esmtp_mime *m, bool part)
{
	m->field = MIME_FIELD_NONE;
	m->typed = false;
	m->message = false;
	m->part = part;
}

static bool is_named(const u8 *name, u8 len, const char *lower, u8 lower_len)
{
	u8 i;

	if (len != lower_len)
		return false;
	for (i = 0; i < len; i++)
		if (esmtp_lower(name[i]) != (u8)lower[i])
			return false;
	return true;
}

#define IS_NAMED(name, len, lower) \
	is_named(name, len, lower, sizeof(lower) - 1)

/**
 * esmtp_mime_field() - a field's name was read, up to the colon
 * @m: state
 * @name: the name in any case, without blanks
 * @len: how many bytes
 *
 * Return: whether the field's value is wanted.
 */
bool esmtp_mime_field(struct esmtp_mime *m, const u8 *name, u8 len)
{
	if (IS_NAMED(name, len, "content-type"))
		m->field = MIME_FIELD_TYPE;
	else if (IS_NAMED(name, len, "content-disposition"))
		m->field = MIME_FIELD_DISPOSITION;
	else if (IS_NAMED(name, len, "content-transfer-encoding"))
		m->field = MIME_FIELD_ENCODING;
	else
		return false;
	esmtp_mime_param_begin(m);
	return true;
}

/**
 * esmtp_mime_field_end() - no further line belongs to the field
 * @f: the call; @f->pos is the byte that shows it
 *
 * Return: true if the connection closes.
 */
bool esmtp_mime_field_end(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;

	if (m->field == MIME_FIELD_NONE)
		return false;
	if (esmtp_mime_param_end(f))
		return true;
	m->field = MIME_FIELD_NONE;
	return false;
}

/**
 * esmtp_mime_section_end() - the empty line behind a header section was read
 * @m: state
 *
 * Return: true if the body that follows is a message, so that another header
 * section begins at once. Parts of a multipart/digest are messages unless they
 * say something else.
 */
bool esmtp_mime_section_end(struct esmtp_mime *m)
{
	if (m->message)
		return true;
	return m->part && !m->typed && m->depth &&
	       (m->digest & (1u << (m->depth - 1)));
}

/**
 * esmtp_mime_next_boundary() - where the bytes of the boundary that is being read stand
 * @m: state
 * @room: set to how many there is room for
 *
 * Return: the first of them.
 */
u8 *esmtp_mime_next_boundary(struct esmtp_mime *m, u8 *room)
{
	u8 i, at = 0;

	for (i = 0; i < m->depth; i++)
		at += m->len[i];
	*room = ESMTP_BOUNDARIES - at;
	if (*room > ESMTP_BOUNDARY_MAX)
		*room = ESMTP_BOUNDARY_MAX;
	if (m->depth == ESMTP_MIME_DEPTH)
		*room = 0;
	return m->open + at;
}

/**
 * esmtp_mime_line_start() - a line starts
 * @m: state
 */
void esmtp_mime_line_start(struct esmtp_mime *m)
{
	m->alive = (1u << m->depth) - 1;
	m->pos = 0;
}

/* What stands behind the boundary so far, and whether it can be one still. */
static bool tail_byte(u8 *tail, u8 c)
{
	/* a stray CR before the line end is a blank to most readers */
	if (mime_is_blank(c) || c == '\r') {
		if (*tail == TAIL_EMPTY)
			*tail = TAIL_BLANK;
		return *tail != TAIL_DASH;
	}
	if (c != '-' || *tail == TAIL_BLANK || *tail == TAIL_CLOSE)
		return false;
	*tail = *tail == TAIL_EMPTY ? TAIL_DASH : TAIL_CLOSE;
	return true;
}

/**
 * esmtp_mime_line_byte() - a byte of a line that can still become a boundary
 * @m: state
 * @c: the byte
 */
void esmtp_mime_line_byte(struct esmtp_mime *m, u8 c)
{
	const u8 *open = m->open;
	u8 at, i;

	if (m->pos < 2) {
		if (c != '-')
			m->alive = 0;
		m->pos++;
		memset(m->tail, TAIL_EMPTY, sizeof(m->tail));
		return;
	}
	at = m->pos - 2;
	for (i = 0; i < m->depth; open += m->len[i++]) {
		if (!(m->alive & (1u << i)))
			continue;
		if (at < m->len[i] ? c != open[at] :
				     !tail_byte(&m->tail[i], c))
			m->alive &= ~(1u << i);
	}
	if (at < ESMTP_BOUNDARY_MAX)
		m->pos++;
}

/**
 * esmtp_mime_line_end() - a line has ended that could still become a boundary
 * @m: state
 *
 * An outer boundary closes the inner ones. Of equal ones the innermost is
 * meant.
 *
 * Return: what the line was.
 */
enum mime_line esmtp_mime_line_end(struct esmtp_mime *m)
{
	u8 i;

	for (i = m->depth; i-- > 0;) {
		if (!(m->alive & (1u << i)) || m->pos < m->len[i] + 2 ||
		    m->tail[i] == TAIL_DASH)
			continue;
		m->alive = 0;
		if (m->tail[i] == TAIL_CLOSE) {
			m->depth = i;
			return MIME_LINE_CLOSE;
		}
		m->depth = i + 1;
		return MIME_LINE_PART;
	}
	m->alive = 0;
	return MIME_LINE_TEXT;
}
