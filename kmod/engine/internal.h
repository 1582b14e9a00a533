/* SPDX-License-Identifier: GPL-2.0-only */
/* What the engine's files share. Nothing outside kmod/engine includes this. */
#ifndef _ESMTP_ENGINE_INTERNAL_H
#define _ESMTP_ENGINE_INTERNAL_H

#include "../../include/esmtp/engine.h"

/* How the client's bytes are read. */
enum esmtp_phase {
	PHASE_COMMAND,
	PHASE_WAIT,		/* behind DATA, STARTTLS, AUTH: the answer decides */
	PHASE_AUTH,		/* the line is data for AUTH */
	PHASE_CONTENT,		/* message, after 354 or BDAT */
	PHASE_BYPASS,		/* after 220 to STARTTLS */
};

/* For what a reply is owed. */
enum esmtp_what {
	OWED_GREETING,
	OWED_EHLO,
	OWED_HELO,
	OWED_MAIL,
	OWED_RCPT,
	OWED_RSET,
	OWED_DATA,
	OWED_END_OF_DATA,
	OWED_BDAT,
	OWED_AUTH,
	OWED_STARTTLS,
	OWED_MASKED,		/* a line that was X-ed */
	OWED_OTHER,
};

/**
 * struct esmtp_feed - one call of esmtp_engine_feed(), handed down
 * @e: engine
 * @p: policy
 * @r: result
 * @data: bytes offered
 * @len: how many
 * @pos: how many are taken; every reader moves it
 * @line: offset of the first byte of the current line that can still be held back or edited
 * @dir: direction
 */
struct esmtp_feed {
	struct esmtp_engine *e;
	const struct esmtp_policy *p;
	struct esmtp_result *r;
	const u8 *data;
	u32 len;
	u32 pos;
	u32 line;
	enum esmtp_dir dir;
};

/* engine.c: results. None of them acts in mode monitor, where only events remain. */
bool esmtp_monitoring(const struct esmtp_feed *f);
/* room for one more line's edits and events; false = stop here, the caller comes again */
bool esmtp_room(const struct esmtp_feed *f);
/* overwrite @len bytes at @off; refused (P1) while r->content */
void esmtp_edit(struct esmtp_feed *f, u32 off, u32 len, u8 byte);
/* Returns the event for more to be filled in, never NULL (a full array counts in its last element) */
struct esmtp_event *esmtp_emit(struct esmtp_feed *f, enum esmtp_event_type type,
			       enum esmtp_action action, bool log);
/* hold everything from @pos on; in mode monitor nothing */
void esmtp_hold(struct esmtp_feed *f);
/* close, or latch while a reply is owed and the client is the culprit; f->pos goes back to
 * f->line so that nothing of the violating line that is in reach passes. Returns true unless monitoring.
 */
bool esmtp_close(struct esmtp_feed *f, enum esmtp_verdict verdict);

/* rules.c: the rules of a policy against a growing counter. */
/* smallest limit ≥ @now among the rules of kind @match, ESMTP_U32_MAX = none: fire when the counter exceeds it */
u32 esmtp_next_limit(const struct esmtp_policy *p, enum esmtp_match match, u32 now);
/* the counter has just become @value: fires every rule of this kind whose limit is @value - 1, in order,
 * with @text as offending text; returns true if the connection closes (stop reading at once)
 */
bool esmtp_fire(struct esmtp_feed *f, enum esmtp_match match, u32 value,
		const u8 *text, u8 text_len);

/* command.c: reads client lines in PHASE_COMMAND and PHASE_AUTH; reply.c: reads the server's lines. */
void esmtp_command_read(struct esmtp_feed *f);
void esmtp_reply_read(struct esmtp_feed *f);

/* dialogue.c: what commands owe and replies change. */
bool esmtp_owe(struct esmtp_feed *f, enum esmtp_what what);	/* false = queue is full */
bool esmtp_is_owed(const struct esmtp_engine *e);
enum esmtp_what esmtp_oldest(const struct esmtp_engine *e);
void esmtp_reply_done(struct esmtp_feed *f, u16 code);

/* content.c: reads message content; @f->r->content is set by the caller.
 * esmtp_content_begin(): a message starts (DATA accepted, or first BDAT chunk), @bdat = ends by count.
 * esmtp_content_read(): moves f->pos; returns true when the end (dot line, or chunk) was read, f->pos
 * is then just behind it. A closing rule ends it too: then f->r->verdict is set and f->pos stands on the byte that
 * broke the rule, which does not pass.
 */
void esmtp_content_begin(struct esmtp_content *c, bool bdat);
bool esmtp_content_read(struct esmtp_feed *f);

/* mime.c: fields of a header section, byte by byte, and boundary lines. Called by content.c only.
 * Line ends inside a folded field are not handed in; the blank that folds it is.
 */
void esmtp_mime_begin(struct esmtp_mime *m);		/* a message starts */
void esmtp_mime_section(struct esmtp_mime *m);		/* a header section starts */
void esmtp_mime_field(struct esmtp_mime *m, const u8 *name, u8 len); /* a field's name was read, up to the colon */
bool esmtp_mime_value(struct esmtp_feed *f, u8 c);	/* a byte of its value; true = the connection closes */
bool esmtp_mime_field_end(struct esmtp_feed *f);	/* true = the connection closes */
bool esmtp_mime_section_end(struct esmtp_mime *m);	/* empty line; true = a header section follows at once (message/rfc822) */
void esmtp_mime_line_start(struct esmtp_mime *m);	/* a body line starts */
void esmtp_mime_line_byte(struct esmtp_mime *m, u8 c);	/* one of its bytes, while esmtp_mime_line_alive() */
bool esmtp_mime_line_alive(const struct esmtp_mime *m);	/* the line can still become a boundary */
bool esmtp_mime_line_end(struct esmtp_mime *m);		/* true = it was a boundary and a header section follows */

#endif /* _ESMTP_ENGINE_INTERNAL_H */
