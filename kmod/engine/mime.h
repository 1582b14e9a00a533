/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files that read MIME share: mime.c, mime_param.c, mime_decode.c. */
#ifndef _ESMTP_ENGINE_MIME_H
#define _ESMTP_ENGINE_MIME_H

#include "internal.h"

enum mime_field {
	MIME_FIELD_NONE,	/* not one of ours */
	MIME_FIELD_TYPE,
	MIME_FIELD_DISPOSITION,
	MIME_FIELD_ENCODING,
};

enum mime_state {
	MIME_IN_NAME,		/* of a parameter; at first the type itself */
	MIME_IN_VALUE,
};

/* The first two are places in struct esmtp_mime's @joined. */
enum mime_param {
	MIME_PARAM_NAME,
	MIME_PARAM_FILENAME,
	MIME_PARAM_BOUNDARY,
	MIME_PARAM_NONE,
};

#define MIME_STAR		0x01	/* name*… */
#define MIME_STAR_PIECE		0x02	/* name*0 */
#define MIME_STAR_LATER		0x04	/* name*1, name*2 … */
#define MIME_STAR_ENCODED	0x08	/* name*, name*0*: %XX, the first piece with charset'language' */
#define MIME_STAR_BAD		0x10

/*
 * Where in a value that is encoded. Up to WORD_Q_END the encoded words of
 * RFC 2047, =?charset?B?text?=, behind it RFC 2231.
 */
enum mime_word {
	WORD_NONE,
	WORD_AFTER,		/* a word has ended; blanks up to the next do not count */
	WORD_EQUALS,		/* = */
	WORD_CHARSET,		/* =? */
	WORD_ENCODING,		/* =?charset? */
	WORD_B_LETTER,		/* =?charset?B */
	WORD_Q_LETTER,
	WORD_B,			/* =?charset?B? */
	WORD_B_END,		/* and the ? that may end it */
	WORD_Q,
	WORD_Q_DIGIT1,		/* = in its text */
	WORD_Q_DIGIT2,
	WORD_Q_END,
	WORD_EXT_CHARSET,	/* charset' and language' */
	WORD_EXT,
	WORD_EXT_DIGIT1,	/* % */
	WORD_EXT_DIGIT2,
};

/* What a line holds behind its boundary. */
enum mime_tail {
	TAIL_EMPTY,
	TAIL_BLANK,
	TAIL_DASH,
	TAIL_CLOSE,		/* -- and blanks */
};

static inline bool mime_is_blank(u8 c)
{
	return c == ' ' || c == '\t';
}

/* Returns -1 if @c is no hexadecimal digit. */
static inline int mime_hex_digit(u8 c)
{
	c = esmtp_lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* mime.c */
u8 *esmtp_mime_next_boundary(struct esmtp_mime *m, u8 *room);

/* mime_decode.c: what the bytes of a parameter's value stand for. */
const u8 *esmtp_mime_name_text(bool file);		/* "filename" or "name" */
void esmtp_mime_decode_begin(struct esmtp_feed *f);
bool esmtp_mime_decode(struct esmtp_feed *f, u8 c);	/* true = the connection closes */
bool esmtp_mime_decode_end(struct esmtp_feed *f);	/* true = the connection closes */

/* mime_name.c: the name of a file against tables. */
bool esmtp_mime_name_open(struct esmtp_feed *f);	/* true = the connection closes */
void esmtp_mime_name_begin(struct esmtp_feed *f);
void esmtp_mime_name_byte(struct esmtp_feed *f, u8 c);	/* as it is meant */
void esmtp_mime_name_coded(struct esmtp_feed *f, u8 c);	/* it may be of %XX or =XX */
void esmtp_mime_name_uncode(struct esmtp_feed *f);
void esmtp_mime_name_fork(struct esmtp_feed *f);
void esmtp_mime_name_raw(struct esmtp_feed *f, u8 c);	/* as it stands */
void esmtp_mime_name_join(struct esmtp_feed *f);
void esmtp_mime_name_stop(struct esmtp_feed *f);
bool esmtp_mime_name_end(struct esmtp_feed *f);		/* true = the connection closes */

/* mime_param.c */
void esmtp_mime_param_begin(struct esmtp_mime *m);	/* a value of a field starts */
bool esmtp_mime_param_end(struct esmtp_feed *f);	/* true = the connection closes */

#endif /* _ESMTP_ENGINE_MIME_H */
