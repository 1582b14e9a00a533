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
 *   - neither: the result has no room for more edits or the bytes change their nature
 *     (command → content); call again at once with the rest.
 * Events are told to the sink as they happen.
 * The edits of one result are within the bytes taken by that call and never
 * change their number. Bytes taken by a call with r->content set have no edits.
 */
#ifndef _ESMTP_ENGINE_H
#define _ESMTP_ENGINE_H

#include "table.h"
#include "types.h"
#include "../uapi/linux/netfilter/nf_conntrack_esmtp.h"

enum esmtp_dir {
	ESMTP_DIR_CLIENT,	/* client → server */
	ESMTP_DIR_SERVER,	/* server → client */
	ESMTP_DIRS,
};

#define ESMTP_HELD_MAX		64	/* conditions in rules that have several, in one policy */
#define ESMTP_HELD_NONE		0xffu

/**
 * struct esmtp_cond - one condition of a rule
 * @table: what the text has to be one of; matches of a text only
 * @set: bit = member that it wants; matches of a set only
 * @limit: it holds above this; matches of a counter only
 * @match: enum esmtp_match
 * @negate: it holds where it would not
 * @held: its bit in struct esmtp_engine's @held, ESMTP_HELD_NONE = its rule has but this one; by
 *        esmtp_policy_prepare()
 * @rule: its rule's index; by esmtp_policy_prepare()
 * @live: index of @table among those of its kind of text; by esmtp_policy_prepare()
 * @field_len: letters of @field
 * @field: name of the field whose value is the text, in any case; ESMTP_MATCH_HEADER_TEXT only
 */
struct esmtp_cond {
	const struct esmtp_table *table;
	u64 set;
	u32 limit;
	u8 match;
	bool negate;
	u8 held;
	u16 rule;
	u8 live;
	u8 field_len;
	u8 field[ESMTP_FIELD_NAME_MAX];
};

#define ESMTP_FIELD_CONDS_MAX	32	/* conditions about fields of the header, in one policy */

/**
 * struct esmtp_rate - how often something may happen
 * @events: so often, 1 … ESMTP_RATE_MAX
 * @seconds: in this time, 1 or 60
 * @burst: and so often at once, 1 … ESMTP_RATE_MAX
 */
struct esmtp_rate {
	u32 events;
	u32 seconds;
	u32 burst;
};

/**
 * struct esmtp_rule - one match line of a policy: all its conditions must hold
 * @held: their bits, 0 where there is but one; by esmtp_policy_prepare()
 * @first: index of its first condition
 * @n_conds: how many it has, 1 … ESMTP_CONDS_MAX
 * @action: enum esmtp_action
 * @log: an event is wanted too
 * @text_len: bytes of @text
 * @code: of ESMTP_ACTION_REPLY, 0 = ESMTP_REPLY_CODE
 * @text: of ESMTP_ACTION_REPLY: what stands behind the code; NULL = what was wrong
 * @rate: of ESMTP_ACTION_RATE_LIMIT, else zero
 */
struct esmtp_rule {
	u64 held;
	u16 first;
	u8 n_conds;
	u8 action;
	bool log;
	u8 text_len;
	u16 code;
	const char *text;
	struct esmtp_rate rate;
};

/*
 * For how long a condition holds once it has been met: until the next one of these begins. What
 * begins inside of another ends with it.
 */
enum esmtp_scope {
	ESMTP_SCOPE_CONNECTION,
	ESMTP_SCOPE_TRANSACTION,
	ESMTP_SCOPE_MESSAGE,
	ESMTP_SCOPE_PART,	/* of the message, by MIME */
	ESMTP_SCOPE_COMMAND,	/* a line of the client's */
	ESMTP_SCOPE_REPLY,	/* a line of the server's */
	ESMTP_SCOPES,
};

/* Texts that are held against tables while they are read. */
enum esmtp_text {
	ESMTP_TEXT_SENDER,
	ESMTP_TEXT_RECIPIENT,
	ESMTP_TEXT_RELAY,	/* hosts in the address of a recipient */
	ESMTP_TEXT_MIME_TYPE,
	ESMTP_TEXT_MIME_FILENAME,
	ESMTP_TEXT_HEADER,
	ESMTP_TEXTS,
};

/**
 * struct esmtp_policy - what the engine reads of a policy; immutable while any connection uses it
 * @verbs: bit = enum esmtp_verb that passes
 * @flags: ESMTP_POLICY_F_*
 * @n_rules: elements of @rules
 * @n_conds: elements of @conds and @order
 * @rules: in the order of the configuration
 * @conds: those of the rules, in their order
 * @order: indices of @conds by match, and for one match in the order of the rules
 * @first: where in @order those of a match begin; behind them those of the next
 * @negated: bit = enum esmtp_match that has a condition with "not"
 * @scope: bits of what a scope's begin ends
 * @live: tables that one text is held against, by enum esmtp_text, each once
 * @n_live: how many
 * @anomalies: bit = enum esmtp_anomaly that a rule is about
 * @masked_verbs: bit = enum esmtp_verb that a rule masks
 * @masked_keywords: bit = enum esmtp_keyword that a rule masks
 *
 * The caller sets all up to @conds and the room for @order, esmtp_policy_prepare() the rest.
 */
struct esmtp_policy {
	u64 verbs;
	u32 flags;
	u32 n_rules;
	u32 n_conds;
	struct esmtp_rule *rules;
	struct esmtp_cond *conds;
	u16 *order;
	u16 first[ESMTP_MATCH_MAX + 2];
	u64 negated;
	u64 scope[ESMTP_SCOPES];
	const struct esmtp_table *live[ESMTP_TEXTS][ESMTP_TABLES_LIVE];
	u8 n_live[ESMTP_TEXTS];
	u64 anomalies;
	u64 masked_verbs;
	u64 masked_keywords;
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

#define ESMTP_TEXT_MAX 64

/**
 * struct esmtp_event - something to be counted, and perhaps logged
 * @type: enum esmtp_event_type
 * @rule: index into the policy's rules, or ESMTP_NO_RULE
 * @cond: index into the policy's conditions of the one that was met last, or ESMTP_NO_RULE
 * @value: seen (a length, a count, a reply code), 0 if there is none
 * @limit: allowed, 0 if there is none
 * @action: enum esmtp_action that was taken, or would be in mode monitor
 * @log: to be sent, not only counted
 * @text_len: bytes of @text
 * @text: the offending bytes as they came, cut: verb, line of MAIL or RCPT, keyword, field name
 */
struct esmtp_event {
	u16 type;
	u16 rule;
	u16 cond;
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
	ESMTP_CLOSE_REPLY,	/* esmtp_answer_write() and FIN to the client, RST to the server */
};

/**
 * struct esmtp_sink - who hears of events, while the bytes are being read
 * @event: takes one; it lives no longer than the call
 * @within_rate: a rule with ESMTP_ACTION_RATE_LIMIT would fire: true if it is within its rate
 *
 * One byte can cause any number of them.
 */
struct esmtp_sink {
	void (*event)(struct esmtp_sink *sink, const struct esmtp_event *ev);
	bool (*within_rate)(struct esmtp_sink *sink, u16 rule);
};

#define ESMTP_EDITS_MAX		32

/**
 * struct esmtp_result - what one call of esmtp_engine_feed() came to
 * @n_edits: elements of @edits
 * @hold: the bytes not taken wait for the other side
 * @content: the bytes taken are message content: they have no edits
 * @bypass: inspection of both directions has ended (after 220 to STARTTLS);
 *          everything later passes without being offered
 * @verdict: enum esmtp_verdict; not ESMTP_PASS = closed now
 * @edits: in rising order of offset, not overlapping
 */
struct esmtp_result {
	u8 n_edits;
	bool hold;
	bool content;
	bool bypass;
	u8 verdict;
	struct esmtp_edit edits[ESMTP_EDITS_MAX];
};

#define ESMTP_SENDER_MAX	31

/**
 * struct esmtp_sender - envelope sender of a transaction
 * @len: bytes of the address so far, at most ESMTP_SENDER_MAX + 1, which says that it is cut
 * @known: a MAIL has come
 * @text: its first bytes, as they came
 */
struct esmtp_sender {
	u8 len:7;
	u8 known:1;
	u8 text[ESMTP_SENDER_MAX];
};

#define ESMTP_OWED_MAX		32
#define ESMTP_OWED_RUN_MAX	0xfff

/**
 * struct esmtp_owed - run of equal commands whose replies are owed
 * @what: enum esmtp_what (engine/internal.h)
 * @count: how many, 1 … ESMTP_OWED_RUN_MAX
 */
struct esmtp_owed {
	u16 what:4;
	u16 count:12;
};

#define ESMTP_WORD_MAX		20

/**
 * struct esmtp_command - the client's line that is being read, in command position
 * @alive: bit = entry of the table of words that the verb so far can still become
 * @number: chunk size of BDAT so far
 * @len: bytes of the line so far, without its line end
 * @limit: the line length limit that is met next, ESMTP_U32_MAX = none
 * @path_len: bytes inside the path's brackets so far
 * @path_limit: the path length limit that is met next, ESMTP_U32_MAX = none
 * @live: states of the tables that the path is held against
 * @hops: the same for the host that is being read within it (engine/relay.c)
 * @abroad: bit = table of @hops that some host was not in
 * @state: enum command_state (engine/command.c)
 * @index: the verb's entry in the table of words, once it is known
 * @path: enum path_state of MAIL and RCPT (engine/path.c)
 * @bdat: enum bdat_state of BDAT (engine/command.c)
 * @word_len: bytes of the verb so far, saturating
 * @odd: the verb has a byte that is no letter
 * @cr: the last byte was a CR
 * @masked: the line is being X-ed
 * @pipe: a | was counted in this line
 * @nul: so was a NUL
 * @eight_bit: so was a byte above 127
 * @special: so was a character that an address should not have
 * @is_host: what is being read within a recipient is a host
 * @in_route: it is of the source route
 * @escape: the last byte within a recipient was a backslash
 * @told: struct esmtp_engine has what may be told of the line
 * @host: enum host_state of what is being read within a recipient (engine/relay.c)
 * @size: how much of "SIZE=" of MAIL has been read (engine/path.c)
 * @word: the verb as typed, cut
 */
struct esmtp_command {
	u64 alive;
	u64 number;
	u32 len;
	u32 limit;
	u32 path_len;
	u32 path_limit;
	u16 live[ESMTP_TABLES_LIVE];
	u16 hops[ESMTP_TABLES_LIVE];
	u8 abroad;
	u8 state;
	u8 index;
	u8 path;
	u8 bdat;
	u8 word_len;
	bool odd:1;
	bool cr:1;
	bool masked:1;
	bool pipe:1;
	bool nul:1;
	bool eight_bit:1;
	bool special:1;
	bool is_host:1;
	bool in_route:1;
	bool escape:1;
	bool told:1;
	u8 host;
	u8 size;
	u8 word[ESMTP_WORD_MAX];
};

/**
 * struct esmtp_reply - the server's line that is being read
 * @alive: bit = entry of the table of words that the keyword so far can still become
 * @len: bytes of the line so far, without its line end
 * @limit: the line length limit that is met next, ESMTP_U32_MAX = none
 * @code: of this line, as far as read
 * @first: code of the first line of this reply, 0 before it is known
 * @lines: complete lines of this reply, saturating
 * @masked: EHLO keyword lines masked in this reply: picks the letter
 * @state: enum reply_state (engine/reply.c)
 * @text: enum text_state (engine/reply.c): how the text behind the code is read
 * @digits: of the code, so far
 * @enhanced: enum enhanced_state: what the text begins with (engine/reply.c)
 * @last: byte before, for "a blank right after 0" and CR LF
 * @more: separator was '-'
 * @mask: this line's text is being overwritten
 * @banner: BANNER_MASKED was counted
 * @bypass: BYPASS was counted for this reply
 * @word_len: bytes of the keyword so far, saturating
 * @word: the keyword as sent, cut
 */
struct esmtp_reply {
	u64 alive;
	u32 len;
	u32 limit;
	u16 code;
	u16 first;
	u16 lines;
	u16 masked;
	u8 state;
	u8 text;
	u8 digits;
	u8 enhanced;
	u8 last;
	bool more:1;
	bool mask:1;
	bool banner:1;
	bool bypass:1;
	u8 word_len;
	u8 word[ESMTP_WORD_MAX];
};

#define ESMTP_MIME_DEPTH	5
#define ESMTP_BOUNDARY_MAX	70	/* RFC 2046 §5.1.1 */
#define ESMTP_BOUNDARIES	220	/* bytes of all that are open; common ones have 30 to 45 */

/**
 * struct esmtp_mime - MIME structure of the message that is being read
 * @field: enum mime_field (engine/mime.h) whose value is being read
 * @state: enum mime_state: in the name or in the value of a parameter
 * @param: enum mime_param whose value is being read
 * @stars: MIME_STAR_*: what RFC 2231 hangs on the parameter's name
 * @first: the token before the first ';' is being read: the type
 * @started: the parameter's value has begun
 * @quoted: inside a quoted string
 * @escape: behind a backslash
 * @comment: depth of ( ), saturating
 * @typed: the current header section has a Content-Type
 * @message: it announces a message: another header section follows at once
 * @multipart: the field that is being read announces a multipart
 * @part: the section was begun by a boundary line
 * @word: enum mime_word: where in an encoded word or in %XX
 * @bits: bits, letters or a digit of it, by @word
 * @base64: those bits
 * @scratch_len: letters of the type or of the parameter's name, or bytes of a file's, saturating
 * @scratch: these letters, lower case, cut; those of a file's name as they came
 * @live: states of the tables of ESMTP_TEXT_MIME_TYPE, and then of ESMTP_TEXT_MIME_FILENAME
 * @spare: the same for a file name that is no encoded word, while it may be one
 * @ends: bit = table that the name would be in if it ended where somebody may take it to end
 * @code: what has come of %XX or =XX (engine/mime_name.c)
 * @odd: nobody can say what the name is
 * @piece_of: enum mime_param of the pieces that are being read
 * @number: of a piece: filename*@number=
 * @next: the number of the piece that is to come, 0 = there are no pieces
 * @boundary_len: bytes of the boundary that is being read, saturating
 * @depth: boundaries that are open
 * @digest: bit = open boundary of a multipart/digest
 * @alive: bit = open boundary that the line so far can still become
 * @pos: bytes of that line, saturating
 * @tail: enum mime_tail: what stands behind each boundary
 * @len: lengths of the open boundaries
 * @open: their bytes, one behind the other, innermost last, and then those of the one being read
 * @name_len: decoded bytes of the file name so far
 * @limit: the file name limit that is met next, ESMTP_U32_MAX = none
 * @joined: pieces (filename*0=, *1= …) summed up, of name and of filename
 * @raw: bytes not counted yet that count as they are if no word comes of them
 * @done: bytes of an unfinished encoded word that are counted
 * @gap: blanks that count if the value goes on
 * @skipped: bytes of a comment, which count if it never ends
 */
struct esmtp_mime {
	u8 field;
	u8 state;
	u8 param;
	u8 stars;
	bool first:1;
	bool started:1;
	bool quoted:1;
	bool escape:1;
	u8 comment;
	bool typed:1;
	bool message:1;
	bool multipart:1;
	bool part:1;
	u8 word;
	u8 bits;
	u8 scratch_len;
	u8 scratch[24];
	u16 live[ESMTP_TABLES_LIVE];
	u16 spare[ESMTP_TABLES_LIVE];
	u16 base64;
	u16 number;
	u16 next;
	u8 ends;
	u8 code;
	u8 piece_of;
	bool odd:1;
	u8 boundary_len;
	u8 depth;
	u8 digest;
	u8 alive;
	u8 pos;
	u8 tail[ESMTP_MIME_DEPTH];
	u8 len[ESMTP_MIME_DEPTH];
	u8 open[ESMTP_BOUNDARIES];
	u32 name_len;
	u32 limit;
	u32 joined[2];
	u32 raw;
	u32 done;
	u32 gap;
	u32 skipped;
};

/**
 * struct esmtp_content - the message that is being read
 * @state: enum content_state (engine/content.c): where in the line
 * @field: enum content_field: where in the header field
 * @text: the field's value is held against tables, and whether it has begun: enum content_text
 * @fresh: no byte of the message was read yet
 * @in_header: in a header section (of the message or of a MIME part)
 * @top: that section is the message's own
 * @bdat: the content ends by count, not by CR LF . CR LF
 * @cr: the last byte was a CR, and whether it is bare is not known yet
 * @strict: the line stands behind CR LF, not behind a bare LF
 * @name_len: letters of the field name so far, cut
 * @name: the field name as it came, cut
 * @line_len: bytes of the physical line so far, without its line end
 * @limit: the line limit that is met next, ESMTP_U32_MAX = none
 * @first_limit: the line limit that a new line meets first
 * @live: states of the tables of ESMTP_TEXT_HEADER
 * @met: bit = condition with ESMTP_MATCH_HEADER_TEXT, in their order, that a field has met
 * @size: bytes of the message so far, without what makes dots transparent
 * @size_limit: the size at which some limit of header, body or message is met next, ESMTP_U32_MAX = none
 * @body: where in it the body begins
 * @fields: fields of the message's header
 * @to_fields: those that are named To
 * @chunk: octets of a BDAT chunk that are still to come; set by the caller
 * @mime: see struct esmtp_mime
 */
struct esmtp_content {
	u8 state;
	u8 field;
	u8 text;
	bool fresh:1;
	bool in_header:1;
	bool top:1;
	bool bdat:1;
	bool cr:1;
	bool strict:1;
	u8 name_len;
	u8 name[ESMTP_FIELD_NAME_MAX];
	u32 line_len;
	u32 limit;
	u32 first_limit;
	u16 live[ESMTP_TABLES_LIVE];
	u32 met;
	u32 size;
	u32 size_limit;
	u32 body;
	u32 fields;
	u32 to_fields;
	u64 chunk;
	struct esmtp_mime mime;
};

/**
 * struct esmtp_line - what may be told of the client's line that is being read
 * @len: bytes of @text
 * @text: its first bytes
 */
struct esmtp_line {
	u8 len;
	u8 text[ESMTP_TEXT_MAX];
};

/**
 * struct esmtp_engine - the dialogue of one connection
 * @held: conditions of rules with several that have been met, see enum esmtp_scope
 * @phase: enum esmtp_phase (engine/internal.h), of the client's direction
 * @waiting: enum esmtp_what whose answer decides what the client's bytes are
 * @n_owed: elements of @owed
 * @closed: enum esmtp_verdict that was reached; nothing passes any more
 * @latched: enum esmtp_verdict that runs when no reply is owed any more
 * @greeted: the greeting has been read to its end
 * @early_talk: EARLY_TALK was counted
 * @early_content: EARLY_CONTENT was counted for this DATA
 * @bdat_open: a message that came by BDAT is not complete
 * @offered: the server has offered PIPELINING, and it was not masked
 * @pipelined: PIPELINING was counted
 * @authenticated: an AUTH was answered by 235
 * @quiet: AUTH has just failed: what follows may be a password that comes too late
 * @closed_by: index of the rule behind @closed or @latched, or ESMTP_NO_RULE
 * @resets_owed: commands owed that can end a transaction (RSET, EHLO, HELO, MAIL, end of data)
 * @rcpt_over: recipients of this transaction at their highest: rules below have fired
 * @rcpt_over_next: the same of the transaction behind the commands in @resets_owed
 * @rcpt_accepted: recipients accepted in this transaction
 * @rcpt_invalid: recipients that the server did not know
 * @declared: size of the message by MAIL, ESMTP_U32_MAX = not said, or larger
 * @rcpt_sent: RCPT commands sent behind the last such command and not answered
 * @sender: of the last MAIL, until its transaction has ended
 * @cmd: client's line
 * @reply: server's line
 * @content: message
 * @line: MAIL or RCPT, outside a message, while @cmd.told
 * @owed: commands whose replies are owed, oldest first
 */
struct esmtp_engine {
	u64 held;
	u8 phase;
	u8 waiting;
	u8 n_owed;
	u8 closed;
	u8 latched;
	bool greeted:1;
	bool early_talk:1;
	bool early_content:1;
	bool bdat_open:1;
	bool authenticated:1;
	bool quiet:1;
	bool offered:1;
	bool pipelined:1;
	u16 closed_by;
	u32 resets_owed;
	u32 rcpt_over;
	u32 rcpt_over_next;
	u32 rcpt_accepted;
	u32 rcpt_invalid;
	u32 declared;
	u32 rcpt_sent;
	struct esmtp_sender sender;
	struct esmtp_command cmd;
	struct esmtp_reply reply;
	struct esmtp_owed owed[ESMTP_OWED_MAX];
	union {
		struct esmtp_content content;
		struct esmtp_line line;
	};
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
 * @sink: hears of events
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
		      struct esmtp_sink *sink, struct esmtp_result *r);

/** esmtp_engine_latched() - the verdict that waits for replies, ESMTP_PASS = none */
static inline enum esmtp_verdict
esmtp_engine_latched(const struct esmtp_engine *e)
{
	return (enum esmtp_verdict)e->latched;
}

/**
 * enum esmtp_ahead - whether bytes may pass that come before their turn
 * @ESMTP_AHEAD_NOT: no: they may have to be altered, held or judged as a line
 * @ESMTP_AHEAD_COUNTED: those that the count of a BDAT chunk covers
 * @ESMTP_AHEAD_DOTTED: those in which the message cannot end, see esmtp_end_scan()
 * @ESMTP_AHEAD_ANY: all; nothing is altered or held (mode monitor)
 */
enum esmtp_ahead {
	ESMTP_AHEAD_NOT,
	ESMTP_AHEAD_COUNTED,
	ESMTP_AHEAD_DOTTED,
	ESMTP_AHEAD_ANY,
};

/**
 * esmtp_engine_ahead() - what may be done with bytes that lie ahead of those fed so far
 * @e: state
 * @p: policy
 * @dir: direction
 * @left: set to the octets that the chunk still has, ESMTP_AHEAD_COUNTED only
 *
 * Such bytes are fed later, in their turn. They cannot be altered, held or kept from passing
 * then: if the result wants that, the connection closes.
 *
 * Return: the rule for them, as far as it is known before the bytes in between.
 */
enum esmtp_ahead esmtp_engine_ahead(const struct esmtp_engine *e,
				    const struct esmtp_policy *p,
				    enum esmtp_dir dir, u64 *left);

/**
 * esmtp_engine_in_content() - whether the next byte of a direction is message content
 * @e: state
 * @dir: direction
 *
 * Return: false for commands, replies, and where an answer decides.
 */
bool esmtp_engine_in_content(const struct esmtp_engine *e, enum esmtp_dir dir);

/**
 * esmtp_engine_content_left() - how much content is still to come, at most
 * @e: state; in content
 *
 * Return: octets left of a BDAT chunk, all ones where the end is not counted.
 */
u64 esmtp_engine_content_left(const struct esmtp_engine *e);

/**
 * struct esmtp_summary - a connection in a few words
 * @size: of the message that is under way, as far as it has been read; 0 = there is none
 * @rcpts: recipients accepted in this transaction
 * @phase: enum esmtp_session_phase, ESMTP_PHASE_GREETING … ESMTP_PHASE_TLS
 */
struct esmtp_summary {
	u32 size;
	u32 rcpts;
	u8 phase;
};

/**
 * esmtp_engine_summary() - say where a connection stands
 * @e: state
 * @sum: filled in
 */
void esmtp_engine_summary(const struct esmtp_engine *e,
			  struct esmtp_summary *sum);

/* States of esmtp_end_scan(), one bit each. */
#define ESMTP_END_CR		(1u << 0)	/* CR */
#define ESMTP_END_CRLF		(1u << 1)	/* CR LF */
#define ESMTP_END_DOT		(1u << 2)	/* CR LF . */
#define ESMTP_END_DOT_CR	(1u << 3)	/* CR LF . CR */
#define ESMTP_END_UNKNOWN	(0xfu)		/* what stands before is not known */
#define ESMTP_END_FOUND		(1u << 4)	/* the end may be in these bytes */

/**
 * esmtp_end_scan() - whether the end of a message may be in a piece of it
 * @before: bits of what may stand in front of the piece
 * @data: the piece
 * @len: its length
 *
 * Return: bits of what may stand in front of the bytes behind the piece, with
 * ESMTP_END_FOUND if CR LF . CR LF may end in it; then no other bit counts.
 */
u8 esmtp_end_scan(u8 before, const u8 *data, u32 len);

/**
 * esmtp_rate_take() - take a token out of a rate's bucket
 * @r: rate
 * @full: when the bucket is full again; 0 at the start
 * @now: microseconds
 * @next: set to when it will be full
 *
 * Return: false if there is none: the bucket stays as it is.
 */
bool esmtp_rate_take(const struct esmtp_rate *r, u64 full, u64 now, u64 *next);

/* The longest reply of ours: code, blank, text, CR LF. */
#define ESMTP_ANSWER_MAX (4 + ESMTP_REPLY_TEXT_MAX + 2)

/**
 * esmtp_answer_write() - the reply that a rule gives in the server's stead
 * @p: policy
 * @rule: index of a rule with ESMTP_ACTION_REPLY
 * @line: filled in: one line with its CR LF
 *
 * Return: its length.
 */
u32 esmtp_answer_write(const struct esmtp_policy *p, u16 rule,
		       u8 line[ESMTP_ANSWER_MAX]);

/* What a condition compares with. */
enum esmtp_operand {
	ESMTP_OPERAND_LIMIT,
	ESMTP_OPERAND_SET,
	ESMTP_OPERAND_TABLE,
	ESMTP_OPERAND_NONE,
};

/** esmtp_match_operand() - what conditions of a kind compare with */
enum esmtp_operand esmtp_match_operand(enum esmtp_match match);

/**
 * esmtp_policy_prepare() - check a policy's rules and make them ready for use
 * @p: policy from a stranger; may be prepared again when it has grown
 * @bad: set to the index of the first bad rule, or ESMTP_NO_RULE
 *
 * Return: NULL if it is good, else a sentence that says what is wrong.
 */
const char *esmtp_policy_prepare(struct esmtp_policy *p, u32 *bad);

#endif /* _ESMTP_ENGINE_H */
