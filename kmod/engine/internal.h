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
	OWED_BDAT_LAST,		/* ends the message, and the transaction with it */
	OWED_AUTH,
	OWED_STARTTLS,
	OWED_MASKED,		/* a line that was X-ed */
	OWED_OTHER,
};

/* How the rest of a command's line is read. */
enum esmtp_argument {
	ARG_ANY,
	ARG_SENDER,		/* path.c, and its length is measured */
	ARG_RECIPIENT,		/* path.c */
	ARG_CHUNK,		/* BDAT's number */
};

#define ESMTP_NO_WORD		0xffu
#define ESMTP_NO_KEYWORD	0xffu

/**
 * struct esmtp_word - what the engine knows by name: a verb, an EHLO keyword or both
 * @name: in upper case
 * @len: of @name
 * @verb: enum esmtp_verb, ESMTP_VERB_OTHER = it is no verb
 * @keyword: enum esmtp_keyword, ESMTP_NO_KEYWORD = it is no keyword with a rule of its own
 * @owed: enum esmtp_what that the verb's line owes
 * @argument: enum esmtp_argument of the verb's line
 */
struct esmtp_word {
	const char *name;
	u8 len;
	u8 verb;
	u8 keyword;
	u8 owed;
	u8 argument;
};

/* tables.c: words are told apart byte by byte, as a set of those that are still possible. */
extern const struct esmtp_word esmtp_words[];
/* the words that are verbs, or keywords */
u64 esmtp_words_verbs(void);
u64 esmtp_words_keywords(void);
/* those of @alive that have @c, in either case, at @pos */
u64 esmtp_words_next(u64 alive, unsigned int pos, u8 c);
/* the one of @alive that is @len long, ESMTP_NO_WORD = none */
u8 esmtp_words_exact(u64 alive, unsigned int len);
/* the subset of @alive whose verb is in @verbs */
u64 esmtp_words_of_verbs(u64 alive, u64 verbs);

/**
 * struct esmtp_feed - one call of esmtp_engine_feed(), handed down
 * @e: engine
 * @p: policy
 * @r: result
 * @data: bytes offered
 * @len: how many
 * @pos: how many are taken; every reader moves it
 * @line: offset of the first byte of the current line that can still be held back or edited
 * @text: the same of the current reply line's text, behind code and separator
 * @dir: direction
 * @sink: hears of events
 * @made: @event has one that is not told yet
 * @event: see esmtp_emit()
 */
struct esmtp_feed {
	struct esmtp_engine *e;
	const struct esmtp_policy *p;
	struct esmtp_result *r;
	const u8 *data;
	u32 len;
	u32 pos;
	u32 line;
	u32 text;
	enum esmtp_dir dir;
	struct esmtp_sink *sink;
	bool made;
	struct esmtp_event event;
};

/* engine.c: results. None of them acts in mode monitor, where only events remain. */
bool esmtp_monitoring(const struct esmtp_feed *f);
/* room for what one more byte can cause; false = stop here, the caller comes again. Always
 * true at the start of a call.
 */
bool esmtp_room(const struct esmtp_feed *f);
/* the same for a line, so that none that is in reach as a whole is cut by the result */
bool esmtp_room_line(const struct esmtp_feed *f);
/* overwrite @len bytes at @off; refused (P1) while r->content. What an earlier edit of this call
 * wants from @off on is replaced.
 */
void esmtp_edit(struct esmtp_feed *f, u32 off, u32 len, u8 byte);
/* Returns the event for more to be filled in, never NULL; it is told when the next one is made, or by esmtp_tell() */
struct esmtp_event *esmtp_emit(struct esmtp_feed *f, enum esmtp_event_type type,
			       enum esmtp_action action, bool log);
/* tell the last event made; every call of the engine ends with it */
void esmtp_tell(struct esmtp_feed *f);
/* the offending bytes of an event */
void esmtp_event_text(struct esmtp_event *ev, const u8 *text, u32 len);
/* what may be told of the client's line, and that an event is about it */
const u8 *esmtp_line_text(const struct esmtp_feed *f);
u8 esmtp_line_len(const struct esmtp_feed *f);
void esmtp_event_line(const struct esmtp_feed *f, struct esmtp_event *ev);
/* hold everything from @pos on; in mode monitor nothing */
void esmtp_hold(struct esmtp_feed *f);
/* close, or latch while a reply is owed and the client is the culprit (f->e->closed_by: the rule); f->pos goes back to
 * f->line so that nothing of the violating line that is in reach passes (in content it stays). Returns true unless
 * monitoring.
 */
bool esmtp_close(struct esmtp_feed *f, enum esmtp_verdict verdict);
/* runs a latched verdict once nothing is owed */
void esmtp_close_latched(struct esmtp_feed *f);

/* rules.c: the conditions of a policy, against what is read. Those that fire return true if the connection
 * closes: stop reading at once.
 */
bool esmtp_has_not(const struct esmtp_policy *p, enum esmtp_match match);
/* smallest limit ≥ @now among the conditions of kind @match, ESMTP_U32_MAX = none: fire when the counter exceeds it */
u32 esmtp_next_limit(const struct esmtp_policy *p, enum esmtp_match match, u32 now);
/* what was met in this scope before does not hold any more */
void esmtp_scope_begin(struct esmtp_feed *f, enum esmtp_scope scope);
/* the counter has just become @value: meets every condition of this kind whose limit is @value - 1, in order,
 * with @text as offending text
 */
bool esmtp_fire(struct esmtp_feed *f, enum esmtp_match match, u32 value,
		const u8 *text, u8 text_len);
/* the same for a counter that jumped from @from to @value */
bool esmtp_fire_jump(struct esmtp_feed *f, enum esmtp_match match, u32 from,
		     u32 value, const u8 *text, u8 text_len);
/* what is counted has ended with @value: meets every "not" whose limit it did not exceed */
bool esmtp_fire_within(struct esmtp_feed *f, enum esmtp_match match, u32 value,
		       const u8 *text, u8 text_len);
/* a word of a set's kind has been read; *@mask is set if it is to be masked */
bool esmtp_fire_member(struct esmtp_feed *f, enum esmtp_match match,
		       unsigned int member, const u8 *text, u8 text_len,
		       bool *mask);
/* it is known whether what a condition asks has happened */
bool esmtp_fire_fact(struct esmtp_feed *f, enum esmtp_match match,
		     bool happened, u32 value, u32 limit, const u8 *text,
		     u8 text_len);
/* something odd: an event, and rules about it */
bool esmtp_anomaly(struct esmtp_feed *f, enum esmtp_event_type type,
		   enum esmtp_anomaly anomaly, u32 value, const u8 *text,
		   u8 text_len);
/* a text that rules hold against tables: begins, goes on, has ended; @live are the tables' states */
void esmtp_tables_start(const struct esmtp_policy *p, enum esmtp_text text,
			u16 *live);
void esmtp_tables_byte(const struct esmtp_policy *p, enum esmtp_text text,
		       u16 *live, u8 b);
bool esmtp_fire_text(struct esmtp_feed *f, enum esmtp_match match,
		     const u16 *live, const u8 *text, u8 text_len);
/* a recipient has been read; @abroad: bit = table that does not have all of its hosts */
bool esmtp_fire_relay(struct esmtp_feed *f, u8 abroad);
bool esmtp_fire_name(struct esmtp_feed *f, u8 ends, bool odd, const u8 *text,
		     u8 text_len);
/* fields of the message's header: whether their value is wanted, at its end, and at the end of all */
bool esmtp_wants_field(const struct esmtp_policy *p, const u8 *name, u8 len);
bool esmtp_fire_field(struct esmtp_feed *f);
bool esmtp_fire_no_field(struct esmtp_feed *f);

static inline u8 esmtp_lower(u8 c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* bit = enum esmtp_verb that passes */
u64 esmtp_allowed_verbs(const struct esmtp_policy *p);

/* whether a condition with a set is met by a member of it */
static inline bool esmtp_cond_wants(const struct esmtp_cond *c,
				    unsigned int member)
{
	return !(c->set & 1ull << member) == c->negate;
}

/* command.c: reads client lines in PHASE_COMMAND and PHASE_AUTH; reply.c: reads the server's lines. */
void esmtp_command_read(struct esmtp_feed *f);
void esmtp_auth_read(struct esmtp_feed *f);
void esmtp_reply_read(struct esmtp_feed *f);
/* no part of a reply has been read whose end is still to come */
bool esmtp_between_replies(const struct esmtp_engine *e);

/* rate.c: NULL, or what is wrong with a rate */
const char *esmtp_rate_check(const struct esmtp_rate *r);

/* path.c: the bytes of a MAIL or RCPT line behind the verb. */
void esmtp_path_begin(struct esmtp_feed *f);
bool esmtp_path_byte(struct esmtp_feed *f, u8 c);	/* at f->pos; true = the connection closes */
bool esmtp_path_end(struct esmtp_feed *f);		/* at the line's LF; true = the connection closes */

/* relay.c: where the address of a recipient leads. */
void esmtp_relay_begin(struct esmtp_feed *f);
void esmtp_relay_again(struct esmtp_feed *f);
void esmtp_relay_byte(struct esmtp_feed *f, u8 b);
void esmtp_relay_close(struct esmtp_feed *f);
bool esmtp_relay_end(struct esmtp_feed *f);		/* at the line's LF; true = the connection closes */

/* dialogue.c: what commands owe and replies change. */
bool esmtp_owe(struct esmtp_feed *f, enum esmtp_what what);	/* false = queue is full */
bool esmtp_owed_full(const struct esmtp_engine *e);
bool esmtp_is_owed(const struct esmtp_engine *e);
enum esmtp_what esmtp_oldest(const struct esmtp_engine *e);
void esmtp_unowe_chunk(struct esmtp_engine *e);	/* takes back a BDAT whose chunk will not come to its end */
bool esmtp_rcpt(struct esmtp_feed *f);		/* one more recipient; true = the connection closes */
bool esmtp_rcpts_done(struct esmtp_feed *f);	/* DATA or BDAT: there are no more; true = the connection closes */
void esmtp_command_done(struct esmtp_feed *f, enum esmtp_what what);
bool esmtp_chunk_begin(struct esmtp_feed *f, u64 size, bool last);	/* true = the connection closes */
void esmtp_content_done(struct esmtp_feed *f);
void esmtp_wait_read(struct esmtp_feed *f);	/* client bytes in PHASE_WAIT */
void esmtp_reply_done(struct esmtp_feed *f, u16 code, bool unknown);	/* @unknown: no such recipient */

/* content.c: reads message content; @f->r->content is set by the caller.
 * esmtp_content_begin(): a message starts (DATA accepted, or first BDAT chunk), @bdat = ends by count; the caller
 * sets @c->chunk for every chunk, before or after it.
 * esmtp_content_read(): moves f->pos; returns true when the end (dot line, or chunk) was read, f->pos
 * is then just behind it. A closing rule ends it too: then f->r->verdict is set, or the verdict is latched, and f->pos
 * stands on the byte that broke the rule, which does not pass. False with bytes left: the result is full.
 */
void esmtp_content_begin(struct esmtp_content *c, bool bdat);
bool esmtp_content_read(struct esmtp_feed *f);
bool esmtp_message_done(struct esmtp_feed *f);	/* rules about all of it; true = the connection closes */

/* What a line turned out to be. */
enum mime_line {
	MIME_LINE_TEXT,
	MIME_LINE_PART,		/* a boundary: a header section follows */
	MIME_LINE_CLOSE,	/* the last one of a multipart: text follows */
};

/* mime.c: fields of a header section, byte by byte, and boundary lines. Called by content.c only.
 * Line ends inside a folded field are not handed in; the blank that folds it is.
 */
void esmtp_mime_begin(struct esmtp_mime *m);		/* a message starts */
void esmtp_mime_section(struct esmtp_mime *m, bool part); /* a header section starts, @part = behind a boundary */
bool esmtp_mime_field(struct esmtp_mime *m, const u8 *name, u8 len); /* a name up to the colon; true = its value is wanted */
bool esmtp_mime_value(struct esmtp_feed *f, u8 c);	/* mime_param.c: a byte of it; true = the connection closes */
bool esmtp_mime_field_end(struct esmtp_feed *f);	/* true = the connection closes */
bool esmtp_mime_section_end(struct esmtp_mime *m);	/* empty line; true = a header section follows at once (message/rfc822) */
void esmtp_mime_line_start(struct esmtp_mime *m);	/* a line starts */
void esmtp_mime_line_byte(struct esmtp_mime *m, u8 c);	/* one of its bytes, while esmtp_mime_line_alive() */
enum mime_line esmtp_mime_line_end(struct esmtp_mime *m);

/* the line can still become a boundary */
static inline bool esmtp_mime_line_alive(const struct esmtp_mime *m)
{
	return m->alive;
}

#endif /* _ESMTP_ENGINE_INTERNAL_H */
