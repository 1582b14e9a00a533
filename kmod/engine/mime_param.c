// SPDX-License-Identifier: GPL-2.0-only
/*
 * Values of Content-Type and Content-Disposition: the type, and parameters.
 *
 * Read generously: what some reader of mail may take for a file name is
 * measured as one. Text behind a quoted string and blanks inside a token belong
 * to the value; only comments and what stands around the value do not.
 */
#include "mime.h"

static bool starts_with(const struct esmtp_mime *m, const char *s, u8 len)
{
	return m->scratch_len >= len && !memcmp(m->scratch, s, len);
}

/* No name has so many pieces: 64 KiB are allowed for a field. */
#define PIECE_MAX	6553

#define STARTS_WITH(m, s) starts_with(m, s, sizeof(s) - 1)
#define IS_WORD(m, s) \
	((m)->scratch_len == sizeof(s) - 1 && STARTS_WITH(m, s))

static void begin_name(struct esmtp_mime *m)
{
	m->state = MIME_IN_NAME;
	m->param = MIME_PARAM_NONE;
	m->scratch_len = 0;
	m->stars = 0;
	m->number = 0;
}

/**
 * esmtp_mime_param_begin() - the value of a field starts
 * @m: state
 */
void esmtp_mime_param_begin(struct esmtp_mime *m)
{
	begin_name(m);
	m->first = true;
	m->multipart = false;
	m->quoted = false;
	m->escape = false;
	m->comment = 0;
	m->joined[MIME_PARAM_NAME] = 0;
	m->joined[MIME_PARAM_FILENAME] = 0;
	m->boundary_len = 0;
	m->word = WORD_NONE;
	m->next = 0;
}

/* Content-Transfer-Encoding has been read. True = the connection closes. */
static bool judge_encoding(struct esmtp_feed *f, const struct esmtp_mime *m)
{
	enum esmtp_encoding enc = ESMTP_ENC_OTHERS;
	bool mask = false;
	u8 len = m->scratch_len;

	if (IS_WORD(m, "7bit"))
		enc = ESMTP_ENC_7BIT;
	else if (IS_WORD(m, "8bit"))
		enc = ESMTP_ENC_8BIT;
	else if (IS_WORD(m, "base64"))
		enc = ESMTP_ENC_BASE64;
	else if (IS_WORD(m, "binary"))
		enc = ESMTP_ENC_BINARY;
	else if (IS_WORD(m, "quoted-printable"))
		enc = ESMTP_ENC_QUOTED_PRINTABLE;
	return esmtp_fire_member(f, ESMTP_MATCH_MIME_ENCODING, enc, m->scratch,
				 len, &mask);
}

/* The type has been read. Every kind of message begins with header fields. True = the connection closes. */
static bool end_type(struct esmtp_feed *f, struct esmtp_mime *m)
{
	m->first = false;
	if (m->field == MIME_FIELD_ENCODING)
		return judge_encoding(f, m);
	if (m->field != MIME_FIELD_TYPE)
		return false;
	if (esmtp_fire_text(f, ESMTP_MATCH_MIME_TYPE_TEXT, m->live, m->scratch,
			    m->scratch_len))
		return true;
	m->typed = true;
	m->multipart = STARTS_WITH(m, "multipart");
	if (STARTS_WITH(m, "message/"))
		m->message = true;
	if (m->depth < ESMTP_MIME_DEPTH) {
		m->digest &= ~(1u << m->depth);
		if (IS_WORD(m, "multipart/digest"))
			m->digest |= 1u << m->depth;
	}
	return false;
}

static void number_digit(struct esmtp_mime *m, u8 c)
{
	if (m->number < PIECE_MAX)
		m->number = m->number * 10 + c - '0';
}

/* filename*0*: what stands behind the first star. */
static void star_byte(struct esmtp_mime *m, u8 c)
{
	const u8 both = MIME_STAR_PIECE | MIME_STAR_ENCODED;

	if (c == '*' && !(m->stars & MIME_STAR)) {
		m->stars = MIME_STAR | MIME_STAR_ENCODED;
	} else if (c == '*' && !(m->stars & MIME_STAR_ENCODED)) {
		m->stars |= MIME_STAR_ENCODED;
	} else if (c >= '0' && c <= '9' &&
		   (m->stars & both) != both) {
		m->stars &= ~MIME_STAR_ENCODED;
		m->stars |= MIME_STAR_PIECE;
		if (c != '0')
			m->stars |= MIME_STAR_LATER;
		number_digit(m, c);
	} else {
		m->stars |= MIME_STAR_BAD;
	}
}

static enum mime_param find_param(const struct esmtp_mime *m)
{
	if (m->stars & MIME_STAR_BAD)
		return MIME_PARAM_NONE;
	if (IS_WORD(m, "filename"))
		return MIME_PARAM_FILENAME;
	if (IS_WORD(m, "name"))
		return MIME_PARAM_NAME;
	if (IS_WORD(m, "boundary") && m->multipart)
		return MIME_PARAM_BOUNDARY;
	return MIME_PARAM_NONE;
}

/* A further piece of the boundary takes the open one back to lengthen it; one that could not be kept has no length. */
static void begin_boundary(struct esmtp_mime *m)
{
	if (!(m->stars & MIME_STAR_LATER)) {
		m->boundary_len = 0;
		return;
	}
	if (m->boundary_len)
		m->depth--;
	else
		m->param = MIME_PARAM_NONE;
}

/* True = the connection closes. */
static bool begin_value(struct esmtp_feed *f, struct esmtp_mime *m)
{
	m->param = find_param(m);
	m->first = false;
	m->state = MIME_IN_VALUE;
	m->started = false;
	m->gap = 0;
	m->skipped = 0;
	if (m->param == MIME_PARAM_BOUNDARY)
		begin_boundary(m);
	else if (m->param != MIME_PARAM_NONE && esmtp_mime_name_open(f))
		return true;
	if (m->param != MIME_PARAM_NONE)
		esmtp_mime_decode_begin(f);
	return false;
}

/* Of the type, or of a parameter's name. */
static void letter(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	if (m->first && m->field == MIME_FIELD_TYPE)
		esmtp_tables_byte(f->p, ESMTP_TEXT_MIME_TYPE, m->live, c);
	if (m->scratch_len < sizeof(m->scratch))
		m->scratch[m->scratch_len++] = c;
}

/* True = the connection closes. */
static bool name_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	if (m->first &&
	    (c == ';' || (c == '=' && m->field == MIME_FIELD_ENCODING)) &&
	    end_type(f, m))
		return true;
	if (mime_is_blank(c))
		return false;
	if (c == ';')
		begin_name(m);
	else if (c == '=')
		return begin_value(f, m);
	else if (c == '(')
		m->comment = 1;
	else if (c == '*' || m->stars)
		star_byte(m, c);
	else
		letter(f, m, esmtp_lower(c));
	return false;
}

/* Bytes of a comment count for nothing, unless it never ends. */
static void comment_byte(struct esmtp_mime *m, u8 c)
{
	if (m->skipped < ESMTP_U32_MAX)
		m->skipped++;
	if (m->escape)
		m->escape = false;
	else if (c == '\\')
		m->escape = true;
	else if (c == '(' && m->comment < 0xff)
		m->comment++;
	else if (c == ')')
		m->comment--;
}

/* A byte of the value as it is meant: quotes and comments are gone. */
static bool put(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	m->started = true;
	if (m->param == MIME_PARAM_NONE)
		return false;
	if (m->param != MIME_PARAM_BOUNDARY &&
	    m->scratch_len < sizeof(m->scratch))
		m->scratch[m->scratch_len++] = c;
	/* behind an encoded word the decoder decides about blanks */
	while (m->gap && m->word != WORD_AFTER) {
		m->gap--;
		if (esmtp_mime_decode(f, ' '))
			return true;
	}
	return esmtp_mime_decode(f, c);
}

/*
 * The boundary is complete, and open from now on if it can be kept; if not, names in its parts are
 * not found, and may be any. Returns true if the connection closes.
 */
static bool open_boundary(struct esmtp_feed *f, struct esmtp_mime *m)
{
	static const u8 word[] = { 'b', 'o', 'u', 'n', 'd', 'a', 'r', 'y' };
	u8 len = m->boundary_len, room;
	const u8 *bytes = esmtp_mime_next_boundary(m, &room);

	if (len > room) {
		m->boundary_len = 0;
		return esmtp_fire_name(f, 0, true, word, sizeof(word));
	}
	while (len && mime_is_blank(bytes[len - 1]))
		len--;
	m->boundary_len = len;
	if (!len)
		return false;
	m->len[m->depth++] = len;
	/* should the field name another one: of the same kind of multipart */
	if (m->depth < ESMTP_MIME_DEPTH) {
		m->digest &= ~(1u << m->depth);
		if (m->digest & (1u << (m->depth - 1)))
			m->digest |= 1u << m->depth;
	}
	return false;
}

/* A file name is complete. */
static bool judge_name(struct esmtp_feed *f, enum mime_param param, u32 len)
{
	bool file = param == MIME_PARAM_FILENAME;

	return esmtp_fire_within(f, ESMTP_MATCH_MIME_FILENAME_LENGTH, len,
				 esmtp_mime_name_text(file), file ? 8 : 4);
}

static bool end_value(struct esmtp_feed *f, struct esmtp_mime *m)
{
	if (m->param == MIME_PARAM_NONE)
		return false;
	if (esmtp_mime_decode_end(f))
		return true;
	if (m->param == MIME_PARAM_BOUNDARY)
		return open_boundary(f, m);
	if (!(m->stars & MIME_STAR_PIECE))
		return judge_name(f, m->param, m->name_len) ||
		       esmtp_mime_name_end(f);
	m->joined[m->param] = m->name_len;
	return false;
}

static void quote(struct esmtp_feed *f, struct esmtp_mime *m, bool on)
{
	if (m->started)
		esmtp_mime_name_stop(f);
	m->quoted = on;
	m->started = true;
}

static bool quoted_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	if (m->escape) {
		m->escape = false;
		return put(f, m, c);
	}
	if (c == '\\')
		m->escape = true;
	else if (c == '"')
		quote(f, m, false);
	else
		return put(f, m, c);
	return false;
}

static bool value_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	bool in_word = m->word >= WORD_CHARSET && m->word <= WORD_Q_END;

	if (c == ';') {
		if (end_value(f, m))
			return true;
		begin_name(m);
	} else if (c == '"') {
		quote(f, m, true);
	} else if (mime_is_blank(c)) {
		if (m->started && !m->gap)
			esmtp_mime_name_stop(f);
		if (m->started && m->gap < ESMTP_U32_MAX)
			m->gap++;
	} else if (c == '(' && !(m->param != MIME_PARAM_NONE && in_word)) {
		if (m->started)
			esmtp_mime_name_stop(f);
		m->comment = 1;
		m->skipped = 1;
	} else {
		return put(f, m, c);
	}
	return false;
}

/**
 * esmtp_mime_value() - a byte of the value of a field that is wanted
 * @f: the call
 * @c: the byte; line ends are left out
 *
 * Return: true if the connection closes.
 */
bool esmtp_mime_value(struct esmtp_feed *f, u8 c)
{
	struct esmtp_mime *m = &f->e->content.mime;

	if (m->comment)
		comment_byte(m, c);
	else if (m->state == MIME_IN_NAME)
		return name_byte(f, m, c);
	else if (m->quoted)
		return quoted_byte(f, m, c);
	else
		return value_byte(f, m, c);
	return false;
}

/* So are those that came in pieces, which may be in any order. */
static bool judge_pieces(struct esmtp_feed *f, const struct esmtp_mime *m)
{
	u8 param;

	for (param = MIME_PARAM_NAME; param <= MIME_PARAM_FILENAME; param++)
		if (m->joined[param] && judge_name(f, param, m->joined[param]))
			return true;
	return m->next && esmtp_mime_name_end(f);
}

/**
 * esmtp_mime_param_end() - the value of a field has ended
 * @f: the call
 *
 * Return: true if the connection closes.
 */
bool esmtp_mime_param_end(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;

	if (m->first && end_type(f, m))
		return true;
	if (m->state == MIME_IN_VALUE && end_value(f, m))
		return true;
	return judge_pieces(f, m);
}
