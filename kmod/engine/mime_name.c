// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of files against tables.
 *
 * A name is read while it comes, as it is meant: without quotes and comments, decoded. As long as
 * an encoded word is open it is also read as it stands, since it may turn out to be none. NULs are left
 * out: what is UTF-16 reads as its letters.
 *
 * Readers of mail differ in where a name ends: at a quote, at a blank, at a comment. For a rule that looks for
 * something all these are ends; for one with "not" the name is the whole. A name whose pieces do not come
 * in their order, or whose quote or comment never ends, is held for one that every rule is about.
 */
#include "mime.h"

/* What @code is while %XX or =XX is read. */
enum {
	CODE_NONE,
	CODE_MARK = 0x80,	/* % or = */
	CODE_DIGIT = 0xc0,	/* and a digit, which is in the lower bits */
};

static bool is_name(const struct esmtp_mime *m)
{
	return m->param <= MIME_PARAM_FILENAME;
}

/**
 * esmtp_mime_name_begin() - nothing of the name has been read yet
 * @f: call
 */
void esmtp_mime_name_begin(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;

	if (!is_name(m))
		return;
	esmtp_tables_start(f->p, ESMTP_TEXT_MIME_FILENAME, m->live);
	m->ends = 0;
	m->code = CODE_NONE;
}

/**
 * esmtp_mime_name_open() - a value starts that is a name, or a piece of one
 * @f: call
 *
 * Return: true if the connection closes.
 */
bool esmtp_mime_name_open(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;
	bool piece = m->stars & MIME_STAR_PIECE;

	m->scratch_len = 0;
	if (piece && m->next && m->number == m->next &&
	    m->param == m->piece_of) {
		m->next++;
		return false;
	}
	if (m->next && esmtp_mime_name_end(f))
		return true;
	esmtp_mime_name_begin(f);
	m->odd = piece && m->number;
	m->next = piece ? (u16)(m->number + 1) : 0;
	m->piece_of = m->param;
	return false;
}

/**
 * esmtp_mime_name_byte() - a byte of a name, as it is meant
 * @f: call
 * @c: the byte
 */
void esmtp_mime_name_byte(struct esmtp_feed *f, u8 c)
{
	struct esmtp_mime *m = &f->e->content.mime;

	if (c && is_name(m))
		esmtp_tables_byte(f->p, ESMTP_TEXT_MIME_FILENAME, m->live, c);
}

static u8 mark_of(const struct esmtp_mime *m)
{
	return m->word >= WORD_EXT_CHARSET ? '%' : '=';
}

/**
 * esmtp_mime_name_uncode() - what was read of %XX or =XX stands for itself
 * @f: call
 */
void esmtp_mime_name_uncode(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;
	u8 code = m->code;

	m->code = CODE_NONE;
	if (code >= CODE_MARK)
		esmtp_mime_name_byte(f, mark_of(m));
	if (code >= CODE_DIGIT)
		esmtp_mime_name_byte(f, "0123456789abcdef"[code & 0xf]);
}

/**
 * esmtp_mime_name_coded() - a byte of a name in which %XX or =XX stands for a byte
 * @f: call
 * @c: the byte as it came
 */
void esmtp_mime_name_coded(struct esmtp_feed *f, u8 c)
{
	struct esmtp_mime *m = &f->e->content.mime;
	int digit = mime_hex_digit(c);

	if (!is_name(m))
		return;
	if (m->code >= CODE_DIGIT && digit >= 0) {
		esmtp_mime_name_byte(f, (u8)(m->code << 4 | digit));
		m->code = CODE_NONE;
		return;
	}
	if (m->code == CODE_MARK && digit >= 0) {
		m->code = (u8)(CODE_DIGIT | digit);
		return;
	}
	esmtp_mime_name_uncode(f);
	if (c == mark_of(m))
		m->code = CODE_MARK;
	else
		esmtp_mime_name_byte(f, c);
}

/**
 * esmtp_mime_name_fork() - an encoded word may begin: from here on the name is read in two ways
 * @f: call
 */
void esmtp_mime_name_fork(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;

	memcpy(m->spare, m->live, sizeof(m->spare));
}

/**
 * esmtp_mime_name_raw() - a byte as it stands, if the word is none
 * @f: call
 * @c: the byte
 */
void esmtp_mime_name_raw(struct esmtp_feed *f, u8 c)
{
	struct esmtp_mime *m = &f->e->content.mime;

	if (c && is_name(m))
		esmtp_tables_byte(f->p, ESMTP_TEXT_MIME_FILENAME, m->spare, c);
}

/**
 * esmtp_mime_name_join() - the word is none: the name is what stands there
 * @f: call
 */
void esmtp_mime_name_join(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;

	m->code = CODE_NONE;
	if (is_name(m))
		memcpy(m->live, m->spare, sizeof(m->live));
}

static u8 accepting(const struct esmtp_feed *f, const u16 *live)
{
	u8 i, set = 0;

	for (i = 0; i < f->p->n_live[ESMTP_TEXT_MIME_FILENAME]; i++)
		if (esmtp_table_accepts(f->p->live[ESMTP_TEXT_MIME_FILENAME][i],
					live[i]))
			set |= 1u << i;
	return set;
}

/**
 * esmtp_mime_name_stop() - to somebody the name may end here
 * @f: call
 */
void esmtp_mime_name_stop(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;

	if (!is_name(m))
		return;
	m->ends |= accepting(f, m->live);
	if (m->word > WORD_AFTER && m->word <= WORD_Q_END)
		m->ends |= accepting(f, m->spare);
}

/**
 * esmtp_mime_name_end() - a name has ended
 * @f: call
 *
 * Return: true if the connection closes.
 */
bool esmtp_mime_name_end(struct esmtp_feed *f)
{
	struct esmtp_mime *m = &f->e->content.mime;
	bool odd = m->odd || m->quoted || m->comment;
	bool file = m->piece_of == MIME_PARAM_FILENAME;

	if (!m->next)
		return esmtp_fire_name(f, m->ends, odd, m->scratch,
				       m->scratch_len);
	m->next = 0;
	return esmtp_fire_name(f, m->ends, odd, esmtp_mime_name_text(file),
			       file ? 8 : 4);
}
