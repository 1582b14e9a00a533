// SPDX-License-Identifier: GPL-2.0-only
/*
 * The engine's face: one call takes bytes of one direction and comes to a result.
 *
 * feed → command.c, path.c   client lines
 *      → content.c, mime.c   message
 *      → reply.c             server lines
 * dialogue.c joins the two directions, rules.c compares with the policy.
 */
#include "internal.h"

/* What one byte, and what a line can cause; only a line full of brackets can need more. */
#define EDITS_A_BYTE	4
#define EDITS_A_LINE	16

/**
 * esmtp_monitoring() - mode monitor: only look
 * @f: call
 *
 * Return: true if nothing may be altered, held or closed.
 */
bool esmtp_monitoring(const struct esmtp_feed *f)
{
	return f->p->flags & ESMTP_POLICY_F_MONITOR;
}

/**
 * esmtp_room() - whether the result has room for what one more byte can cause
 * @f: call
 *
 * Return: false to stop the call at f->pos.
 */
bool esmtp_room(const struct esmtp_feed *f)
{
	return f->r->n_edits + EDITS_A_BYTE <= ESMTP_EDITS_MAX;
}

/**
 * esmtp_room_line() - whether the result has room for what one more line can cause
 * @f: call
 *
 * Return: false to stop the call at f->pos, where a line begins.
 */
bool esmtp_room_line(const struct esmtp_feed *f)
{
	return f->r->n_edits + EDITS_A_LINE <= ESMTP_EDITS_MAX;
}

/* Takes back what edits want from @off on. */
static void trim_edits(struct esmtp_result *r, u32 off)
{
	struct esmtp_edit *last;

	while (r->n_edits) {
		last = &r->edits[r->n_edits - 1];
		if (last->off + last->len <= off)
			return;
		if (last->off < off) {
			last->len = off - last->off;
			return;
		}
		r->n_edits--;
	}
}

/**
 * esmtp_edit() - overwrite bytes of this call
 * @f: call
 * @off: first byte
 * @len: how many
 * @byte: with what
 *
 * Edits come in rising order, but one may overwrite the tail of those before.
 */
void esmtp_edit(struct esmtp_feed *f, u32 off, u32 len, u8 byte)
{
	struct esmtp_result *r = f->r;
	struct esmtp_edit *last;

	if (!len || r->content || esmtp_monitoring(f))
		return;
	trim_edits(r, off);
	if (r->n_edits) {
		last = &r->edits[r->n_edits - 1];
		if (last->byte == byte && last->off + last->len == off) {
			last->len += len;
			return;
		}
	}
	if (r->n_edits == ESMTP_EDITS_MAX)
		return;
	last = &r->edits[r->n_edits++];
	last->off = off;
	last->len = len;
	last->byte = byte;
}

/**
 * esmtp_emit() - something happened
 * @f: call
 * @type: what
 * @action: taken, or what would be in mode monitor
 * @log: to be sent too
 *
 * Return: the event, to be filled in further.
 */
struct esmtp_event *esmtp_emit(struct esmtp_feed *f, enum esmtp_event_type type,
			       enum esmtp_action action, bool log)
{
	struct esmtp_event *ev = &f->event;

	esmtp_tell(f);
	f->made = true;
	memset(ev, 0, sizeof(*ev));
	ev->type = type;
	ev->rule = ESMTP_NO_RULE;
	ev->cond = ESMTP_NO_RULE;
	ev->action = action;
	ev->log = log;
	return ev;
}

/**
 * esmtp_tell() - the last event made is complete
 * @f: call
 */
void esmtp_tell(struct esmtp_feed *f)
{
	if (f->made)
		f->sink->event(f->sink, &f->event);
	f->made = false;
}

/**
 * esmtp_event_text() - the offending bytes of an event
 * @ev: event
 * @text: bytes as they came
 * @len: how many; cut to ESMTP_TEXT_MAX
 */
void esmtp_event_text(struct esmtp_event *ev, const u8 *text, u32 len)
{
	if (len > ESMTP_TEXT_MAX)
		len = ESMTP_TEXT_MAX;
	if (len)
		memcpy(ev->text, text, len);
	ev->text_len = len;
}

/**
 * esmtp_hold() - what is not taken waits for the other side
 * @f: call
 */
void esmtp_hold(struct esmtp_feed *f)
{
	if (!esmtp_monitoring(f))
		f->r->hold = true;
}

static void close_now(struct esmtp_feed *f, u8 verdict)
{
	f->e->closed = verdict;
	f->r->verdict = verdict;
	f->r->hold = false;
}

/*
 * A reply of ours stands where one of the server's would: not within one of those, and not where
 * the client sends content. Else the next stronger outcome.
 */
static u8 feasible(const struct esmtp_feed *f, u8 verdict, bool between)
{
	if (verdict == ESMTP_CLOSE_REPLY &&
	    (!between || f->e->phase == PHASE_CONTENT))
		return ESMTP_CLOSE_RESET;
	return verdict;
}

/* A client's line that must not pass. */
static void close_client(struct esmtp_feed *f, u8 verdict)
{
	struct esmtp_engine *e = f->e;

	if (esmtp_is_owed(e)) {
		e->latched = verdict;
		f->r->hold = true;
	} else {
		close_now(f, feasible(f, verdict, esmtp_between_replies(e)));
	}
}

/* Returns true if a reply that has just ended shall pass, and the client be told behind it. */
static bool latch_behind_reply(struct esmtp_feed *f, u8 verdict)
{
	struct esmtp_engine *e = f->e;

	if (f->dir != ESMTP_DIR_SERVER || !esmtp_between_replies(e) ||
	    feasible(f, e->latched ? e->latched : verdict, true) !=
	    ESMTP_CLOSE_REPLY)
		return false;
	e->latched = ESMTP_CLOSE_REPLY;
	return true;
}

/**
 * esmtp_close() - the current line broke a rule that closes
 * @f: call
 * @verdict: how
 *
 * While the server owes replies a client that breaks a rule is only silenced:
 * else a reply to an earlier command would be lost, and a message
 * that was accepted would be sent again. A server that breaks one is cut off at once;
 * but where the client is to get a reply for what the server's reply has shown of it, that one
 * passes first (esmtp_reply_done() looks for what is latched).
 *
 * Return: true if reading must stop, false in mode monitor.
 */
bool esmtp_close(struct esmtp_feed *f, enum esmtp_verdict verdict)
{
	struct esmtp_engine *e = f->e;

	if (esmtp_monitoring(f))
		return false;
	if (latch_behind_reply(f, verdict))
		return true;
	if (f->r->content) {
		/* the chunk will not be completed, so nobody answers it */
		if (e->content.bdat)
			esmtp_unowe_chunk(e);
	} else {
		f->pos = f->line;
		trim_edits(f->r, f->pos);
	}
	if (f->dir == ESMTP_DIR_SERVER)
		close_now(f, feasible(f, e->latched ? e->latched : verdict,
				      false));
	else
		close_client(f, verdict);
	return true;
}

/* Nothing is owed but the answer to the DATA, AUTH or STARTTLS that the client waits behind; no run has two of those. */
static bool only_waited_for(const struct esmtp_engine *e)
{
	return e->phase == PHASE_WAIT && e->n_owed == 1;
}

/**
 * esmtp_close_latched() - a reply has ended: run the verdict that waits, if it was the last
 * @f: call
 *
 * A reply of ours comes in the place of one that would have the client send content, a secret
 * or TLS next.
 */
void esmtp_close_latched(struct esmtp_feed *f)
{
	struct esmtp_engine *e = f->e;

	if (!e->latched || e->closed)
		return;
	if (!esmtp_is_owed(e) ||
	    (e->latched == ESMTP_CLOSE_REPLY && only_waited_for(e)))
		close_now(f, feasible(f, e->latched, true));
}

static void read_content(struct esmtp_feed *f)
{
	f->r->content = true;
	if (esmtp_content_read(f) && !f->r->verdict && !f->r->hold)
		esmtp_content_done(f);
}

/*
 * Bytes taken by one call are of one nature, so the call ends where content begins or ends. Only
 * commands are edited, and esmtp_command_read() sees to the room for it.
 */
static void read_client(struct esmtp_feed *f)
{
	while (f->pos < f->len && !f->r->hold && !f->r->verdict) {
		switch (f->e->phase) {
		case PHASE_COMMAND:
			esmtp_command_read(f);
			if (f->e->phase == PHASE_COMMAND)
				return;
			break;
		case PHASE_AUTH:
			esmtp_auth_read(f);
			break;
		case PHASE_WAIT:
			esmtp_wait_read(f);
			break;
		case PHASE_CONTENT:
			if (!f->pos)
				read_content(f);
			return;
		default:	/* PHASE_BYPASS begins with a reply, and is not read */
			return;
		}
	}
}

/**
 * esmtp_engine_init() - see engine.h
 * @e: state
 */
void esmtp_engine_init(struct esmtp_engine *e)
{
	memset(e, 0, sizeof(*e));
	e->phase = PHASE_COMMAND;
	e->waiting = OWED_OTHER;
	e->closed_by = ESMTP_NO_RULE;
	e->n_owed = 1;
	e->owed[0].what = OWED_GREETING;
	e->owed[0].count = 1;
}

static void read_bytes(struct esmtp_feed *f)
{
	struct esmtp_engine *e = f->e;

	if (f->dir == ESMTP_DIR_SERVER) {
		esmtp_reply_read(f);
		return;
	}
	if (e->latched) {
		f->r->hold = true;
		return;
	}
	if (!e->greeted && !e->early_talk) {
		e->early_talk = true;
		if (esmtp_anomaly(f, ESMTP_EVENT_EARLY_TALK,
				  ESMTP_ANOMALY_EARLY_TALKER, 0, NULL, 0))
			return;
	}
	read_client(f);
}

/**
 * esmtp_engine_feed() - see engine.h
 * @e: state
 * @p: policy
 * @dir: direction
 * @data: bytes
 * @len: how many
 * @sink: hears of events
 * @r: result
 *
 * Return: how many were taken.
 */
u32 esmtp_engine_feed(struct esmtp_engine *e, const struct esmtp_policy *p,
		      enum esmtp_dir dir, const u8 *data, u32 len,
		      struct esmtp_sink *sink, struct esmtp_result *r)
{
	struct esmtp_feed f;

	memset(r, 0, offsetof(struct esmtp_result, edits));
	r->verdict = e->closed;
	if (!len || e->closed)
		return 0;
	if (e->phase == PHASE_BYPASS) {
		r->bypass = true;
		return len;
	}
	memset(&f, 0, offsetof(struct esmtp_feed, event));
	f.e = e;
	f.p = p;
	f.r = r;
	f.data = data;
	f.len = len;
	f.dir = dir;
	f.sink = sink;
	read_bytes(&f);
	esmtp_tell(&f);
	return f.pos;
}
