// SPDX-License-Identifier: GPL-2.0-only
/*
 * What joins the two directions: which replies are owed, and what they change.
 *
 * A command changes nothing by being sent. Its reply does, and replies come in the order of
 * the commands; those in flight behind it are judged by what they would mean if
 * it is accepted, and again when it was not.
 */
#include "internal.h"

/* Recipients of a transaction whose end is in flight were all judged when they were sent. */
#define RCPT_JUDGED ESMTP_U32_MAX

/* Commands that end a transaction when they are accepted, or by their reply alone. */
static bool is_reset(enum esmtp_what what)
{
	switch (what) {
	case OWED_EHLO:
	case OWED_HELO:
	case OWED_MAIL:
	case OWED_RSET:
	case OWED_END_OF_DATA:
	case OWED_BDAT_LAST:
		return true;
	default:
		return false;
	}
}

static bool is_end_of_data(enum esmtp_what what)
{
	return what == OWED_END_OF_DATA || what == OWED_BDAT_LAST;
}

static bool is_chunk(enum esmtp_what what)
{
	return what == OWED_BDAT || what == OWED_BDAT_LAST;
}

/* Commands that throw away a message of which chunks have come. */
static bool drops_chunks(enum esmtp_what what)
{
	return what == OWED_RSET || what == OWED_EHLO || what == OWED_HELO;
}

/**
 * esmtp_is_owed() - whether the server owes a reply
 * @e: engine
 *
 * Return: true if it does.
 */
bool esmtp_is_owed(const struct esmtp_engine *e)
{
	return e->n_owed;
}

/**
 * esmtp_owed_full() - whether one command more may not fit
 * @e: engine
 *
 * Return: true if the client must wait.
 */
bool esmtp_owed_full(const struct esmtp_engine *e)
{
	return e->n_owed == ESMTP_OWED_MAX;
}

/**
 * esmtp_oldest() - what the next reply answers
 * @e: engine that is owed a reply
 *
 * Return: enum esmtp_what.
 */
enum esmtp_what esmtp_oldest(const struct esmtp_engine *e)
{
	return e->owed[0].what;
}

static enum esmtp_what newest(const struct esmtp_engine *e)
{
	return e->owed[e->n_owed - 1].what;
}

static bool push(struct esmtp_engine *e, enum esmtp_what what)
{
	struct esmtp_owed *run;

	if (e->n_owed) {
		run = &e->owed[e->n_owed - 1];
		if (run->what == what && run->count < ESMTP_OWED_RUN_MAX) {
			run->count++;
			return true;
		}
	}
	if (e->n_owed == ESMTP_OWED_MAX)
		return false;
	run = &e->owed[e->n_owed++];
	run->what = what;
	run->count = 1;
	return true;
}

static enum esmtp_what pop(struct esmtp_engine *e)
{
	enum esmtp_what what = esmtp_oldest(e);

	if (!--e->owed[0].count) {
		e->n_owed--;
		memmove(&e->owed[0], &e->owed[1],
			e->n_owed * sizeof(e->owed[0]));
	}
	return what;
}

/**
 * esmtp_owe() - a command has been read: a reply is owed
 * @f: call
 * @what: for what
 *
 * If the queue is full, which happens in mode monitor alone, for that cannot make the
 * client wait, it is counted as one more of the newest: the number of replies
 * stays right.
 *
 * Return: false if even that cannot be counted.
 */
bool esmtp_owe(struct esmtp_feed *f, enum esmtp_what what)
{
	struct esmtp_engine *e = f->e;

	if (esmtp_owed_full(e))
		what = newest(e);
	if (!push(e, what))
		return false;
	if (is_reset(what)) {
		e->resets_owed++;
		e->rcpt_sent = 0;
		e->rcpt_over_next = 0;
	} else if (what == OWED_RCPT) {
		e->rcpt_sent++;
	}
	return true;
}

/**
 * esmtp_unowe_chunk() - the chunk that is being read will not come to its end
 * @e: engine
 *
 * Nobody will answer it, so no verdict may wait for that.
 */
void esmtp_unowe_chunk(struct esmtp_engine *e)
{
	struct esmtp_owed *run;

	if (!e->n_owed)
		return;
	run = &e->owed[e->n_owed - 1];
	if (!is_chunk(run->what))
		return;
	if (is_reset(run->what))
		e->resets_owed--;
	if (!--run->count)
		e->n_owed--;
}

/**
 * esmtp_rcpt() - the verb of a RCPT has been read
 * @f: call
 *
 * Counted are those accepted and those in flight; behind a command in flight that would
 * end the transaction only those sent behind it.
 *
 * Return: true if the connection closes.
 */
bool esmtp_rcpt(struct esmtp_feed *f)
{
	struct esmtp_engine *e = f->e;
	u32 *over = e->resets_owed ? &e->rcpt_over_next : &e->rcpt_over;
	u32 count = e->rcpt_sent + 1, from = *over;

	if (!e->resets_owed)
		count += e->rcpt_accepted;
	if (count <= from)
		return false;
	*over = count;
	return esmtp_fire_jump(f, ESMTP_MATCH_CMD_RCPT_COUNT, from, count,
			       esmtp_line_text(f), esmtp_line_len(f));
}

/**
 * esmtp_rcpts_done() - a message follows, so the transaction has all its recipients
 * @f: call
 *
 * Return: true if the connection closes.
 */
bool esmtp_rcpts_done(struct esmtp_feed *f)
{
	const struct esmtp_engine *e = f->e;
	u32 count = e->rcpt_sent;

	if (!e->resets_owed)
		count += e->rcpt_accepted;
	return esmtp_fire_within(f, ESMTP_MATCH_CMD_RCPT_COUNT, count,
				 esmtp_line_text(f), esmtp_line_len(f)) ||
	       esmtp_fire_within(f, ESMTP_MATCH_INVALID_RCPT_COUNT,
				 e->rcpt_invalid, esmtp_line_text(f),
				 esmtp_line_len(f));
}

/* A message begins, unlike a further chunk of one. */
static void message_begin(struct esmtp_feed *f, bool bdat)
{
	esmtp_scope_begin(f, ESMTP_SCOPE_MESSAGE);
	esmtp_content_begin(&f->e->content, bdat);
}

/**
 * esmtp_command_done() - a client's line has been read to its end
 * @f: call
 * @what: it owes
 */
void esmtp_command_done(struct esmtp_feed *f, enum esmtp_what what)
{
	struct esmtp_engine *e = f->e;

	/* mode monitor: a reply that will not be known as its answer would never end the wait */
	if (what == OWED_STARTTLS && esmtp_owed_full(e))
		what = OWED_OTHER;
	esmtp_owe(f, what);
	if (drops_chunks(what))
		esmtp_scope_begin(f, ESMTP_SCOPE_TRANSACTION);
	if (what != OWED_DATA && what != OWED_AUTH && what != OWED_STARTTLS)
		return;
	e->phase = PHASE_WAIT;
	e->waiting = what;
	e->early_content = false;
}

static bool in_flight(const struct esmtp_engine *e, enum esmtp_what what)
{
	u8 i;

	for (i = 0; i < e->n_owed; i++)
		if (e->owed[i].what == what)
			return true;
	return false;
}

/* Whether one of those is in flight, with no chunk behind it yet. */
static bool behind_drop(const struct esmtp_engine *e)
{
	u8 i;

	for (i = e->n_owed; i > 0; i--) {
		if (is_chunk(e->owed[i - 1].what))
			return false;
		if (drops_chunks(e->owed[i - 1].what))
			return true;
	}
	return false;
}

/**
 * esmtp_chunk_begin() - a good BDAT line has been read
 * @f: call
 * @size: octets that follow
 * @last: they are the message's last
 *
 * A message goes on over its chunks; the line and field that a chunk cuts, too.
 *
 * Return: true if the connection closes.
 */
bool esmtp_chunk_begin(struct esmtp_feed *f, u64 size, bool last)
{
	struct esmtp_engine *e = f->e;

	if (!e->bdat_open || behind_drop(e))
		message_begin(f, true);
	/* nothing follows that could be withheld instead */
	if (last && !size && esmtp_message_done(f))
		return true;
	esmtp_owe(f, last ? OWED_BDAT_LAST : OWED_BDAT);
	e->bdat_open = !last;
	e->content.chunk = size;
	if (size)
		e->phase = PHASE_CONTENT;
	return false;
}

/**
 * esmtp_content_done() - the end of a message or chunk has been read
 * @f: call
 */
void esmtp_content_done(struct esmtp_feed *f)
{
	f->e->phase = PHASE_COMMAND;
	if (!f->e->content.bdat)
		esmtp_owe(f, OWED_END_OF_DATA);
}

/**
 * esmtp_wait_read() - client bytes while an answer decides what they are
 * @f: call
 *
 * Mode monitor cannot wait: it takes the answer to be yes until it comes.
 */
void esmtp_wait_read(struct esmtp_feed *f)
{
	struct esmtp_engine *e = f->e;

	if (e->waiting == OWED_DATA && !e->early_content) {
		e->early_content = true;
		f->line = f->pos;
		if (esmtp_anomaly(f, ESMTP_EVENT_EARLY_CONTENT,
				  ESMTP_ANOMALY_EARLY_CONTENT, 0, NULL, 0))
			return;
	}
	if (!esmtp_monitoring(f)) {
		esmtp_hold(f);
		return;
	}
	switch (e->waiting) {
	case OWED_DATA:
		e->bdat_open = false;
		message_begin(f, false);
		e->phase = PHASE_CONTENT;
		break;
	case OWED_AUTH:
		e->phase = PHASE_AUTH;
		break;
	default:
		f->pos = f->len;
		break;
	}
}

static void begin_commands(struct esmtp_engine *e)
{
	e->phase = PHASE_COMMAND;
	memset(&e->cmd, 0, sizeof(e->cmd));
}

/* What mode monitor took for content, if it goes on, and not a chunk behind it. */
static bool is_guessing(const struct esmtp_engine *e)
{
	return e->phase == PHASE_CONTENT && !e->content.bdat;
}

/*
 * Mode monitor may have read on to the end of the content, and to another command that is
 * waited for.
 */
static void data_answered(struct esmtp_feed *f, bool yes)
{
	struct esmtp_engine *e = f->e;
	bool waited = e->waiting == OWED_DATA && !in_flight(e, OWED_DATA);

	if (waited)
		e->waiting = OWED_OTHER;
	if (yes) {
		if (!waited || e->phase != PHASE_WAIT)
			return;
		e->bdat_open = false;
		message_begin(f, false);
		e->phase = PHASE_CONTENT;
	} else if (waited && (e->phase == PHASE_WAIT || is_guessing(e))) {
		begin_commands(e);
	} else if (e->n_owed && esmtp_oldest(e) == OWED_END_OF_DATA) {
		/* what was taken for content has no end that is answered */
		pop(e);
		e->resets_owed--;
	}
}

static void auth_answered(struct esmtp_engine *e, u16 code)
{
	if (code != 334)
		e->quiet = code / 100 != 2;
	if (code == 235)
		e->authenticated = true;
	/* mode monitor may be lines ahead, and already wait for something else */
	if (e->waiting != OWED_AUTH)
		return;
	if (code == 334) {
		e->phase = PHASE_AUTH;
		return;
	}
	e->waiting = OWED_OTHER;
	begin_commands(e);
}

static void starttls_answered(struct esmtp_feed *f, u16 code)
{
	struct esmtp_engine *e = f->e;

	if (e->waiting != OWED_STARTTLS)
		return;
	e->waiting = OWED_OTHER;
	if (code != 220) {
		begin_commands(e);
		return;
	}
	e->phase = PHASE_BYPASS;
	esmtp_emit(f, ESMTP_EVENT_TLS_STARTED, ESMTP_ACTION_COUNT,
		   f->p->flags & ESMTP_POLICY_F_TLS_LOG);
}

/* A command that can end the transaction has been answered. */
static void reset_answered(struct esmtp_engine *e, enum esmtp_what what,
			   bool ended)
{
	e->resets_owed--;
	if (!ended) {
		if (!e->resets_owed && e->rcpt_over == RCPT_JUDGED)
			e->rcpt_over = e->rcpt_accepted;
		return;
	}
	/* unless another MAIL is in flight behind it */
	if (what != OWED_MAIL && !e->resets_owed)
		e->sender.known = false;
	e->rcpt_accepted = 0;
	e->rcpt_over = e->resets_owed ? RCPT_JUDGED : e->rcpt_over_next;
}

static const u8 rcpt_word[] = { 'R', 'C', 'P', 'T' };

static void rcpt_unknown(struct esmtp_feed *f)
{
	struct esmtp_engine *e = f->e;

	if (e->rcpt_invalid == ESMTP_U32_MAX)
		return;
	e->rcpt_invalid++;
	esmtp_fire(f, ESMTP_MATCH_INVALID_RCPT_COUNT, e->rcpt_invalid,
		   rcpt_word, sizeof(rcpt_word));
}

static void rcpt_answered(struct esmtp_feed *f, bool accepted)
{
	struct esmtp_engine *e = f->e;
	u32 from = e->rcpt_over;

	/* with a reset in flight it was sent before that, and is not counted there */
	if (!e->resets_owed && e->rcpt_sent)
		e->rcpt_sent--;
	if (!accepted)
		return;
	e->rcpt_accepted++;
	if (e->rcpt_accepted <= from)
		return;
	/* sent behind a reset that was refused: not judged for this transaction */
	e->rcpt_over = e->rcpt_accepted;
	esmtp_fire_jump(f, ESMTP_MATCH_CMD_RCPT_COUNT, from, e->rcpt_accepted,
			rcpt_word, sizeof(rcpt_word));
}

/* Effects of the reply to @what. */
static void answered(struct esmtp_feed *f, enum esmtp_what what, u16 code,
		     bool unknown)
{
	struct esmtp_engine *e = f->e;
	bool accepted = code / 100 == 2;

	if (is_reset(what))
		reset_answered(e, what, accepted || is_end_of_data(what));
	/* what is in flight behind it began a message of its own, and the newest chunk is not the last */
	if (accepted ? drops_chunks(what) : what == OWED_BDAT)
		e->bdat_open = e->bdat_open && in_flight(e, OWED_BDAT);
	switch (what) {
	case OWED_GREETING:
		e->greeted = true;
		break;
	case OWED_RCPT:
		rcpt_answered(f, accepted);
		if (unknown)
			rcpt_unknown(f);
		break;
	case OWED_DATA:
		data_answered(f, code == 354);
		break;
	case OWED_AUTH:
		auth_answered(e, code);
		break;
	case OWED_STARTTLS:
		starttls_answered(f, code);
		break;
	default:
		break;
	}
}

/**
 * esmtp_reply_done() - a reply has been read to its end
 * @f: call
 * @code: of its last line
 * @unknown: by its code and text a recipient does not exist
 */
void esmtp_reply_done(struct esmtp_feed *f, u16 code, bool unknown)
{
	if (!esmtp_is_owed(f->e)) {
		/* 421 may come at any time */
		if (code == 421)
			return;
		esmtp_anomaly(f, ESMTP_EVENT_UNEXPECTED_REPLY,
			      ESMTP_ANOMALY_UNEXPECTED_REPLY, code, NULL, 0);
		return;
	}
	answered(f, pop(f->e), code, unknown);
	esmtp_close_latched(f);
}
