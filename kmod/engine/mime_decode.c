// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the bytes of a file name or boundary stand for.
 *
 * File names are only counted: plain bytes, encoded words of RFC 2047 and %XX
 * of RFC 2231. Boundaries are kept. A form that turns out malformed counts byte
 * by byte as it came. Nothing that was counted is ever taken back, since a
 * rule may have fired on it: bytes whose meaning is open are counted late.
 */
#include "mime.h"

/* No charset is longer; longer ones are no encoding but a name. */
#define CHARSET_MAX	64

/**
 * esmtp_mime_name_text() - the name of the parameter that names a file, for events
 * @file: it is filename, not name
 *
 * Return: 8 letters, or 4.
 */
const u8 *esmtp_mime_name_text(bool file)
{
	static const u8 texts[] = "filename";

	return file ? texts : texts + 4;
}

/* @n more bytes of a file name; true = the connection closes. */
static bool count_name(struct esmtp_feed *f, struct esmtp_mime *m, u32 n)
{
	bool file = m->param == MIME_PARAM_FILENAME;
	u32 total = m->name_len + n;

	if (total < n)
		total = ESMTP_U32_MAX;
	while (total > m->limit) {
		m->name_len = m->limit + 1;
		m->limit = esmtp_next_limit(f->p,
					    ESMTP_MATCH_MIME_FILENAME_LENGTH,
					    m->name_len);
		if (esmtp_fire(f, ESMTP_MATCH_MIME_FILENAME_LENGTH,
			       m->name_len, esmtp_mime_name_text(file),
			       file ? 8 : 4))
			return true;
	}
	m->name_len = total;
	return false;
}

static void keep_byte(struct esmtp_mime *m, u8 c)
{
	u8 room, *bytes = esmtp_mime_next_boundary(m, &room);

	if (m->boundary_len < room)
		bytes[m->boundary_len] = c;
	if (m->boundary_len < 0xff)
		m->boundary_len++;
}

/* One byte more, which is @c where it is kept. */
static bool emit(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	if (m->param != MIME_PARAM_BOUNDARY)
		return count_name(f, m, 1);
	keep_byte(m, c);
	return false;
}

/* What a letter of base64 stands for, -1 = it is none. */
static int base64_value(u8 c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* A byte outside any encoding. */
static bool plain_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	if (c != '=' || m->param == MIME_PARAM_BOUNDARY) {
		esmtp_mime_name_byte(f, c);
		return emit(f, m, c);
	}
	esmtp_mime_name_fork(f);
	esmtp_mime_name_raw(f, c);
	m->raw = 1;
	m->done = 0;
	m->word = WORD_EQUALS;
	return false;
}

/* Behind an encoded word: blanks count unless another word follows. */
static bool after_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	u32 gap = m->gap;

	esmtp_mime_name_raw(f, c);
	if (mime_is_blank(c)) {
		if (gap < ESMTP_U32_MAX)
			m->gap++;
		return false;
	}
	m->gap = 0;
	if (c == '=') {
		m->raw = gap < ESMTP_U32_MAX ? gap + 1 : gap;
		m->done = 0;
		m->word = WORD_EQUALS;
		return false;
	}
	m->word = WORD_NONE;
	esmtp_mime_name_join(f);
	return count_name(f, m, gap) || count_name(f, m, 1);
}

/* What comes behind @word if @c stands there, WORD_NONE = no encoded word. */
static enum mime_word head_next(struct esmtp_mime *m, u8 c)
{
	switch (m->word) {
	case WORD_EQUALS:
		m->bits = 0;
		return c == '?' ? WORD_CHARSET : WORD_NONE;
	case WORD_CHARSET:
		if (c == '?')
			return WORD_ENCODING;
		if (mime_is_blank(c) || m->bits == CHARSET_MAX)
			return WORD_NONE;
		m->bits++;
		return WORD_CHARSET;
	case WORD_ENCODING:
		if (esmtp_lower(c) == 'b')
			return WORD_B_LETTER;
		return esmtp_lower(c) == 'q' ? WORD_Q_LETTER : WORD_NONE;
	default:
		m->bits = 0;
		if (c != '?')
			return WORD_NONE;
		return m->word == WORD_B_LETTER ? WORD_B : WORD_Q;
	}
}

/* A byte of =?charset?B? */
static bool head_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	m->word = head_next(m, c);
	if (m->word == WORD_NONE) {
		esmtp_mime_name_join(f);
		return count_name(f, m, m->raw) || plain_byte(f, m, c);
	}
	esmtp_mime_name_raw(f, c);
	m->raw++;
	return false;
}

/* An encoded word is one: the name goes on from what it stands for. */
static void word_end(struct esmtp_feed *f, struct esmtp_mime *m)
{
	esmtp_mime_name_uncode(f);
	m->word = WORD_AFTER;
	esmtp_mime_name_fork(f);
}

/* A byte of an encoded word's text counts. */
static bool text_byte(struct esmtp_feed *f, struct esmtp_mime *m)
{
	m->done++;
	return count_name(f, m, 1);
}

static bool base64_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	int value = base64_value(c);

	esmtp_mime_name_raw(f, c);
	m->raw++;
	if (m->word == WORD_B_END && c == '=') {
		word_end(f, m);
		return false;
	}
	m->word = c == '?' ? WORD_B_END : WORD_B;
	if (c == '=')
		m->bits = 0;
	if (value < 0)
		return false;
	m->base64 = (u16)(m->base64 << 6 | value);
	m->bits += 6;
	if (m->bits < 8)
		return false;
	m->bits -= 8;
	esmtp_mime_name_byte(f, (u8)(m->base64 >> m->bits));
	return text_byte(f, m);
}

/* What the byte before, at @word, has left open; true = the connection closes. */
static bool q_open(struct esmtp_feed *f, struct esmtp_mime *m, u8 word)
{
	/* ?x: a question mark that ends nothing. =4x: a digit of no number */
	m->word = WORD_Q;
	return (word == WORD_Q_END || word == WORD_Q_DIGIT2) &&
	       text_byte(f, m);
}

static bool q_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	u8 word = m->word;

	esmtp_mime_name_raw(f, c);
	m->raw++;
	if (word == WORD_Q_END && c == '=') {
		word_end(f, m);
		return false;
	}
	if (word == WORD_Q_END)
		esmtp_mime_name_coded(f, '?');
	if (c != '?')
		esmtp_mime_name_coded(f, c == '_' ? ' ' : c);
	/* the byte that =XX stands for was counted at its = */
	if (word == WORD_Q_DIGIT1 && mime_hex_digit(c) >= 0) {
		m->word = WORD_Q_DIGIT2;
		return false;
	}
	if (word == WORD_Q_DIGIT2 && mime_hex_digit(c) >= 0) {
		m->word = WORD_Q;
		return false;
	}
	if (q_open(f, m, word))
		return true;
	if (c == '?') {
		m->word = WORD_Q_END;
		return false;
	}
	if (c == '=')
		m->word = WORD_Q_DIGIT1;
	return text_byte(f, m);
}

/* charset'language' counts for nothing, unless it is neither. */
static bool ext_charset(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	u32 raw;

	esmtp_mime_name_coded(f, c);
	if (c == '\'' && ++m->bits == 2) {
		esmtp_mime_name_begin(f);
		m->raw = 0;
		m->word = WORD_EXT;
		return false;
	}
	raw = ++m->raw;
	if (raw <= CHARSET_MAX)
		return false;
	m->raw = 0;
	m->word = WORD_EXT;
	if (m->param != MIME_PARAM_BOUNDARY)
		return count_name(f, m, raw);
	m->boundary_len = 0xff;
	return false;
}

/* The second digit of %XX, whose byte was counted at the %. */
static void ext_digit2(struct esmtp_mime *m, u8 digit)
{
	u8 room, *bytes = esmtp_mime_next_boundary(m, &room);

	m->word = WORD_EXT;
	if (m->param == MIME_PARAM_BOUNDARY && m->boundary_len &&
	    m->boundary_len <= room)
		bytes[m->boundary_len - 1] = m->bits << 4 | digit;
}

static bool ext_byte(struct esmtp_feed *f, struct esmtp_mime *m, u8 c)
{
	int digit = mime_hex_digit(c);

	if (m->word == WORD_EXT_CHARSET)
		return ext_charset(f, m, c);
	esmtp_mime_name_coded(f, c);
	if (m->word == WORD_EXT_DIGIT1 && digit >= 0) {
		m->bits = digit;
		m->word = WORD_EXT_DIGIT2;
		return false;
	}
	if (m->word == WORD_EXT_DIGIT2) {
		if (digit >= 0) {
			ext_digit2(m, digit);
			return false;
		}
		if (emit(f, m, "0123456789abcdef"[m->bits]))
			return true;
	}
	m->word = c == '%' ? WORD_EXT_DIGIT1 : WORD_EXT;
	return emit(f, m, c);
}

/**
 * esmtp_mime_decode_begin() - the value of a parameter that is wanted starts
 * @f: the call
 *
 * Pieces (filename*0=, filename*1= …) go on where the last one ended, in
 * whatever order they come; every other value starts anew.
 */
void esmtp_mime_decode_begin(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;

	m->word = WORD_NONE;
	if (m->stars & MIME_STAR_ENCODED)
		m->word = m->stars & MIME_STAR_LATER ? WORD_EXT :
						       WORD_EXT_CHARSET;
	m->bits = 0;
	m->base64 = 0;
	m->raw = 0;
	m->done = 0;
	if (m->param == MIME_PARAM_BOUNDARY)
		return;
	m->name_len = m->stars & MIME_STAR_PIECE ? m->joined[m->param] : 0;
	m->limit = esmtp_next_limit(f->p, ESMTP_MATCH_MIME_FILENAME_LENGTH,
				    m->name_len);
}

/**
 * esmtp_mime_decode() - a byte of a parameter that is wanted
 * @f: the call
 * @c: the byte, with quoting and comments taken away
 *
 * Return: true if the connection closes.
 */
bool esmtp_mime_decode(struct esmtp_feed *f, u8 c)
{
	struct esmtp_mime *m = &f->e->content.mime;

	if (m->word == WORD_NONE)
		return plain_byte(f, m, c);
	if (m->word == WORD_AFTER)
		return after_byte(f, m, c);
	if (m->word < WORD_B)
		return head_byte(f, m, c);
	if (m->word < WORD_Q)
		return base64_byte(f, m, c);
	if (m->word <= WORD_Q_END)
		return q_byte(f, m, c);
	return ext_byte(f, m, c);
}

/**
 * esmtp_mime_decode_end() - the value has ended; what was open counts as it came
 * @f: the call
 *
 * Return: true if the connection closes.
 */
bool esmtp_mime_decode_end(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;
	u8 word = m->word;

	if (m->param == MIME_PARAM_BOUNDARY) {
		m->word = WORD_NONE;
		return false;
	}
	esmtp_mime_name_uncode(f);
	m->word = WORD_NONE;
	if (word >= WORD_EQUALS && word <= WORD_Q_END) {
		/* to somebody it is one, though it does not end */
		esmtp_mime_name_stop(f);
		esmtp_mime_name_join(f);
		if (count_name(f, m, m->raw - m->done))
			return true;
	}
	if (word == WORD_EXT_CHARSET && count_name(f, m, m->raw))
		return true;
	if (word == WORD_EXT_DIGIT2 && count_name(f, m, 1))
		return true;
	return m->comment && count_name(f, m, m->skipped);
}
