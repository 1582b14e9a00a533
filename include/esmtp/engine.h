/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SMTP engine: bytes in → edits, events, a verdict out.
 *
 * Plain C on fixed-width types: no allocation, no clock, no locks, no packets. The
 * caller serialises the calls for one connection, in the order in which the
 * two directions reached it: that order is input.
 *
 * Theory of operation
 *
 * The caller offers bytes of one direction, in order, each byte once, with
 * esmtp_engine_feed(). The engine takes as many as it can and says how many.
 * When it takes fewer than offered:
 *   - r->hold is set: what is left waits for the other side and must not pass
 *     now. Offer it again when it is repeated.
 *   - r->verdict is set: what is left must never pass; the connection closes.
 *   - neither: the result is full or the bytes change their nature (command →
 *     content); call again at once with the rest.
 * The edits of one result are within the bytes taken by that call and never
 * change their number. Bytes taken by a call with r->content set have no edits.
 */
#ifndef _ESMTP_ENGINE_H
#define _ESMTP_ENGINE_H

#include "types.h"
#include "../uapi/linux/netfilter/nf_conntrack_esmtp.h"

enum esmtp_dir {
	ESMTP_DIR_CLIENT,	/* client → server */
	ESMTP_DIR_SERVER,	/* server → client */
	ESMTP_DIRS,
};

/**
 * struct esmtp_rule - one match line of a policy
 * @limit: fires above it; unused by ESMTP_MATCH_EHLO_KEYWORD
 * @keywords: bit = enum esmtp_keyword; ESMTP_MATCH_EHLO_KEYWORD only
 * @match: enum esmtp_match
 * @action: enum esmtp_action
 * @log: an event is wanted too
 */
struct esmtp_rule {
	u32 limit;
	u32 keywords;
	u8 match;
	u8 action;
	bool log;
};

/**
 * struct esmtp_policy - what the engine reads of a policy; immutable while any connection uses it
 * @verbs: bit = enum esmtp_verb that passes
 * @flags: ESMTP_POLICY_F_*
 * @n_rules: elements of @rules
 * @rules: in the order of the configuration
 */
struct esmtp_policy {
	u64 verbs;
	u32 flags;
	u32 n_rules;
	const struct esmtp_rule *rules;
};

#define ESMTP_NO_RULE 0xffffu

/**
 * struct esmtp_edit - bytes of this call to be overwritten
 * @off: of the first, from the start of the bytes offered
 * @len: how many
 * @byte: with what
 */
struct esmtp_edit {
	u32 off;
	u32 len;
	u8 byte;
};

#define ESMTP_TEXT_MAX 32

/**
 * struct esmtp_event - something to be counted, and perhaps logged
 * @type: enum esmtp_event_type
 * @rule: index into the policy's rules, or ESMTP_NO_RULE
 * @value: seen (a length, a count, a reply code), 0 if there is none
 * @limit: allowed, 0 if there is none
 * @action: enum esmtp_action that was taken, or would be in mode monitor
 * @log: to be sent, not only counted
 * @text_len: bytes of @text
 * @text: the offending bytes as they came, cut: verb, keyword, field name
 */
struct esmtp_event {
	u16 type;
	u16 rule;
	u32 value;
	u32 limit;
	u8 action;
	bool log;
	u8 text_len;
	u8 text[ESMTP_TEXT_MAX];
};

enum esmtp_verdict {
	ESMTP_PASS,
	ESMTP_CLOSE_DROP,	/* silence to the client, RST to the server */
	ESMTP_CLOSE_RESET,	/* RST to both */
};

#define ESMTP_EDITS_MAX		32
#define ESMTP_EVENTS_MAX	8

/**
 * struct esmtp_result - what one call of esmtp_engine_feed() came to
 * @n_edits: elements of @edits
 * @n_events: elements of @events
 * @hold: the bytes not taken wait for the other side
 * @content: the bytes taken are message content: they have no edits
 * @bypass: inspection of both directions has ended (after 220 to STARTTLS);
 *          everything later passes without being offered
 * @verdict: enum esmtp_verdict; not ESMTP_PASS = closed now
 * @edits: in rising order of offset, not overlapping
 * @events: in the order in which they happened
 */
struct esmtp_result {
	u8 n_edits;
	u8 n_events;
	bool hold;
	bool content;
	bool bypass;
	u8 verdict;
	struct esmtp_edit edits[ESMTP_EDITS_MAX];
	struct esmtp_event events[ESMTP_EVENTS_MAX];
};

#define ESMTP_OWED_MAX 32

/**
 * struct esmtp_owed - run of equal commands whose replies are owed
 * @what: enum esmtp_what (engine/internal.h)
 * @count: how many
 */
struct esmtp_owed {
	u8 what;
	u16 count;
};

/**
 * struct esmtp_command - the client's line that is being read, in command position
 * @len: bytes of the line so far, without its line end
 * @match: bit = entry of the verb table that the bytes so far can still become
 * @state: enum command_state (engine/command.c)
 * @verb: enum esmtp_verb once it is known
 * @word: letters of the verb so far, upper case
 * @word_len: how many
 * @cr: the last byte was a CR
 * @left: a byte of this line was taken by an earlier call and is beyond reach
 * @masked: the line is being X-ed
 * @path: enum path_state of MAIL and RCPT (engine/path.c)
 * @path_len: bytes inside the path's brackets so far
 * @number: chunk size of BDAT so far
 * @flag: state of the rest of the line, by verb
 */
struct esmtp_command {
	u32 len;
	u32 match;
	u8 state;
	u8 verb;
	u8 word[12];
	u8 word_len;
	bool cr;
	bool left;
	bool masked;
	u8 path;
	u8 flag;
	u32 path_len;
	u64 number;
};

/**
 * struct esmtp_reply - the server's line that is being read
 * @len: bytes of the line so far
 * @code: of this line, as far as read
 * @first: code of the first line of this reply, 0 before it is known
 * @lines: complete lines of this reply, saturating
 * @masked: EHLO keyword lines masked in this reply: picks the letter
 * @state: enum reply_state (engine/reply.c)
 * @last: byte before, for "a blank right after 0" and CR LF
 * @more: separator was '-'
 * @mask: this line's text is being overwritten
 * @match: keywords that the text so far can still become
 * @word: keyword so far, upper case
 * @word_len: how many
 */
struct esmtp_reply {
	u32 len;
	u16 code;
	u16 first;
	u16 lines;
	u16 masked;
	u8 state;
	u8 last;
	bool more;
	bool mask;
	u32 match;
	u8 word[20];
	u8 word_len;
};

#define ESMTP_MIME_DEPTH	5
#define ESMTP_BOUNDARY_MAX	70	/* RFC 2046 §5.1.1 */

/**
 * struct esmtp_mime - MIME structure of the message that is being read
 * @state: of the field parser (engine/mime.c)
 * @field: which field is being read
 * @depth: multiparts that are open
 * @next_len: length of the boundary that the current header section announces, 0 = none
 * @message: the current header section announces message/rfc822
 * @multipart: the current header section announces a multipart
 * @quoted: inside a quoted string; @escape: after a backslash in it; @comment: depth of ( )
 * @escape: see @quoted
 * @comment: see @quoted
 * @ext: how the value is encoded: plain, RFC 2231, encoded word
 * @scratch: letters of a name or of an encoded word's head
 * @scratch_len: how many
 * @name_len: decoded bytes of the file name so far, continued pieces joined
 * @bits: base64 decoding state
 * @pos: byte of the boundary line matched so far
 * @alive: bit = open boundary that the line so far still matches
 * @len: lengths of open boundaries
 * @open: their bytes, innermost last, and behind them the announced one
 */
struct esmtp_mime {
	u8 state;
	u8 field;
	u8 depth;
	u8 next_len;
	bool message;
	bool multipart;
	bool quoted;
	bool escape;
	u8 comment;
	u8 ext;
	u8 scratch_len;
	u8 pos;
	u8 alive;
	u8 bits;
	u8 len[ESMTP_MIME_DEPTH];
	u8 scratch[40];
	u32 name_len;
	u8 open[ESMTP_MIME_DEPTH + 1][ESMTP_BOUNDARY_MAX];
};

/**
 * struct esmtp_content - the message that is being read
 * @state: enum content_state (engine/content.c): where in the line, header or body
 * @in_header: in a header section (of the message or of a MIME part)
 * @top: that section is the message's own
 * @line_len: bytes of the physical line so far, without its line end
 * @limit: the line limit that is met next, ESMTP_U32_MAX = none
 * @name_len: letters of the field name so far
 * @name: the field name, lower case, cut
 * @chunk: octets of a BDAT chunk that are still to come
 * @bdat: the content ends by count, not by CR LF . CR LF
 * @mime: see struct esmtp_mime
 */
struct esmtp_content {
	u8 state;
	bool in_header;
	bool top;
	bool bdat;
	u8 name_len;
	u8 name[24];
	u32 line_len;
	u32 limit;
	u64 chunk;
	struct esmtp_mime mime;
};

/**
 * struct esmtp_engine - the dialogue of one connection
 * @phase: enum esmtp_phase (engine/internal.h), of the client's direction
 * @n_owed: elements of @owed
 * @closed: enum esmtp_verdict that was reached; nothing passes any more
 * @latched: enum esmtp_verdict that runs when no reply is owed any more
 * @greeted: the greeting has been read to its end
 * @early_logged: EARLY_TALK was counted
 * @rcpt_over: the recipient rules of this transaction that have fired: highest count
 * @resets_owed: commands owed that end a transaction by their 2xx (RSET, EHLO, HELO, MAIL)
 * @rcpt_accepted: recipients accepted in this transaction
 * @rcpt_sent: RCPT commands sent behind the last such command and not answered
 * @cmd: client's line
 * @reply: server's line
 * @content: message
 * @owed: commands whose replies are owed, oldest first
 */
struct esmtp_engine {
	u8 phase;
	u8 n_owed;
	u8 closed;
	u8 latched;
	bool greeted;
	bool early_logged;
	u16 resets_owed;
	u32 rcpt_over;
	u32 rcpt_accepted;
	u32 rcpt_sent;
	struct esmtp_command cmd;
	struct esmtp_reply reply;
	struct esmtp_owed owed[ESMTP_OWED_MAX];
	struct esmtp_content content;
};

/**
 * esmtp_engine_init() - begin a connection, before the greeting
 * @e: state, any bytes
 */
void esmtp_engine_init(struct esmtp_engine *e);

/**
 * esmtp_engine_feed() - offer bytes of one direction
 * @e: state
 * @p: policy, the same for the whole connection
 * @dir: where they come from
 * @data: the bytes as the sender sent them; only read
 * @len: how many
 * @r: result, any bytes; overwritten
 *
 * A client line that is read to its end within one call is judged as a whole;
 * so offer a packet's payload in one call where possible.
 *
 * Return: how many bytes were taken, 0 … @len; see the theory of operation for fewer than
 * @len. After a verdict, or while one is latched, no client byte is taken.
 */
u32 esmtp_engine_feed(struct esmtp_engine *e, const struct esmtp_policy *p,
		      enum esmtp_dir dir, const u8 *data, u32 len,
		      struct esmtp_result *r);

/** esmtp_engine_latched() - the verdict that waits for replies, ESMTP_PASS = none */
static inline enum esmtp_verdict
esmtp_engine_latched(const struct esmtp_engine *e)
{
	return (enum esmtp_verdict)e->latched;
}

/**
 * esmtp_policy_check() - whether a policy's rules make sense
 * @p: policy from a stranger
 * @bad: set to the index of the first bad rule, or ESMTP_NO_RULE
 *
 * Return: NULL if it is good, else a sentence that says what is wrong.
 */
const char *esmtp_policy_check(const struct esmtp_policy *p, u32 *bad);

#endif /* _ESMTP_ENGINE_H */
