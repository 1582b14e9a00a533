/* SPDX-License-Identifier: GPL-2.0-only */
/* One inspected connection, from its first payload byte to the death of its conntrack entry. */
#ifndef _ESMTP_SESSION_H
#define _ESMTP_SESSION_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/netfilter/nf_conntrack.h>

#include "../include/esmtp/engine.h"
#include "net.h"
#include "packet.h"
#include "policy.h"

/**
 * struct esmtp_chunk - bytes that were passed and are not acknowledged yet
 * @node: in esmtp_flow.chunks, in order of sequence numbers, not overlapping
 * @seq: of @data[0]
 * @len: bytes of @data in use
 * @size: bytes of @data
 * @truesize: what the chunk is charged with
 * @content: message content, perhaps with commands: a repeat with other bytes is an attack
 * @early: passed ahead of the stream and not inspected yet
 * @tail: what of an end of message may stand at the end of early bytes: ESMTP_END_*
 * @data: the bytes as they were passed, edits included
 */
struct esmtp_chunk {
	struct list_head node;
	u32 seq;
	u32 len;
	u32 size;
	u32 truesize;
	bool content;
	bool early;
	u8 tail;
	u8 data[];
};

/* Bits of esmtp_flow.flags. */
#define FLOW_FIN	BIT(0)	/* a FIN has passed at @next */
#define FLOW_STAMPED	BIT(1)	/* @stamp is known */
#define FLOW_BARRIER	BIT(2)	/* @barrier is known */

/**
 * struct esmtp_flow - one direction of a session; all under the session's lock
 * @chunks: struct esmtp_chunk; without gaps up to @next, early ones behind it
 * @dst: route of the last packet: leads to the receiver of this direction; may be NULL
 * @mark: of that packet
 * @iif: interface that it came in by
 * @first: sequence number of the direction's first byte
 * @next: sequence number of the next byte to be inspected, in bypass of the first that was not
 * @acked: what the receiver has acknowledged, as far as that has come by
 * @right: right edge of the receiver's window
 * @edge: the same as its sender was told it
 * @retained: truesize of @chunks; also read without the lock to skip them
 * @early: truesize of the early ones
 * @gap_since: jiffies since when the gap at @next is as it is, while @early is not 0
 * @barrier: sequence number of early bytes that may hold the end of a message: nothing
 *	     passes early from there on
 * @stamp: the sender's clock at the last segment that its receiver took it from (RFC 7323)
 * @stamp_at: jiffies of that
 * @n_chunks: elements of @chunks
 * @flags: FLOW_*
 * @scale: of the windows that the receiver advertises
 */
struct esmtp_flow {
	struct list_head chunks;
	struct dst_entry *dst;
	u32 mark;
	int iif;
	u32 first;
	u32 next;
	u32 acked;
	u32 right;
	u32 edge;
	u32 retained;
	u32 early;
	u32 gap_since;
	u32 barrier;
	u32 stamp;
	u32 stamp_at;
	u16 n_chunks;
	u8 flags;
	u8 scale;
};

/* Life of a session. It only ever moves down this list. */
enum esmtp_session_state {
	SESSION_OPEN,		/* every byte goes through the engine */
	SESSION_BYPASS,		/* inspection has ended; what is retained is still compared */
	SESSION_CLOSED,		/* by a verdict: drops both directions */
	SESSION_DEAD,		/* its conntrack entry is gone */
};

/* How far our last reply has come. */
enum esmtp_answer_state {
	ANSWER_NONE,		/* the client gets none */
	ANSWER_SENT,		/* not acknowledged yet */
	ANSWER_ACKED,		/* the client's FIN is waited for */
	ANSWER_OVER,		/* who still speaks gets a RST */
};

/**
 * struct esmtp_answer - the last reply of a connection, in the server's stead
 * @work: sends it; holds a reference of the session while queued
 * @due: jiffies of the next round
 * @bytes: of the server's that the client has not acknowledged, then the reply; the work frees them
 * @len: how many
 * @seq: sequence number of @bytes[0]
 * @acked: what the client has acknowledged
 * @ack: what we acknowledge of the client's
 * @edge: right edge of the window that the client was told of
 * @tsval: the server's clock
 * @tsecr: the client's
 * @state: enum esmtp_answer_state
 * @tries: rounds so far
 * @ack_due: the client has sent something that is to be acknowledged
 */
struct esmtp_answer {
	struct delayed_work work;
	unsigned long due;
	u8 *bytes;
	u32 len;
	u32 seq;
	u32 acked;
	u32 ack;
	u32 edge;
	u32 tsval;
	u32 tsecr;
	u8 state;
	u8 tries;
	bool ack_due;
};

/**
 * struct esmtp_closing - what a closed session has to say: RSTs, and perhaps a reply
 * @reset: sends them; holds a reference of the session while queued
 * @rst_seq: sequence number, by direction (the receiver is that direction's)
 * @rst_left: how many more may be sent, by direction
 * @rst_due: bit = direction in which one is to be sent
 * @ct: the session's entry, with a reference, while any is
 * @answer: of ESMTP_CLOSE_REPLY
 */
struct esmtp_closing {
	struct delayed_work reset;
	struct nf_conn *ct;
	u32 rst_seq[ESMTP_DIRS];
	u8 rst_left[ESMTP_DIRS];
	u8 rst_due;
	struct esmtp_answer answer;
};

/**
 * struct esmtp_session - one inspected connection
 * @lock: with bottom halves off; protects all that follows up to @latched_at
 * @newest: the furthest that the server's clock has been seen, once its flow is FLOW_STAMPED
 * @state: enum esmtp_session_state; also read without the lock
 * @verdict: enum esmtp_verdict that closed it
 * @stamped: both ends have agreed on timestamps; never changes
 * @installed: it hangs in its entry, or has; without the lock
 * @born: seconds since boot when it was made; never changes
 * @was_closed: @closing is in use and @engine is not; never taken back
 * @flow: indexed by enum esmtp_dir
 * @ct: its entry, with a reference; NULL once that is being destroyed
 * @latched_at: jiffies when a verdict began to wait for replies, 0 = none does
 * @ref: one for the conntrack entry, one for each work of @closing while it is queued
 * @engine: the dialogue; a closed session has none
 * @closing: takes its place, so that an open one needs no room for it
 * @rcu: frees it, once it is in no list
 * @node: in one of the lists of sessions as long as the session exists; that list's lock
 * @id: larger than that of every session in front of it in the list
 * @en: namespace, NULL once that is being torn down; written under the list's lock
 * @policy: counted reference; never changes
 */
struct esmtp_session {
	spinlock_t lock;
	u32 newest;
	u8 state;
	u8 verdict;
	bool stamped;
	bool was_closed;
	bool installed;
	u32 born;
	struct esmtp_flow flow[ESMTP_DIRS];
	struct nf_conn *ct;
	u32 latched_at;
	refcount_t ref;
	union {
		struct esmtp_engine engine;
		struct esmtp_closing closing;
	};
	union {
		struct rcu_head rcu;
		struct list_head node;
	};
	u64 id;
	struct esmtp_net *en;
	struct esmtp_ns_policy *policy;
};

/* Bit numbers of esmtp_help.seen. */
enum esmtp_seen {
	ESMTP_ISN_CLIENT,
	ESMTP_ISN_SERVER,
	ESMTP_BETWEEN,		/* the two ends are behind different interfaces */
	ESMTP_SYN_STAMPED,	/* a SYN with new_isn offered timestamps */
	ESMTP_STAMPED,		/* and the SYN/ACK took them up */
	ESMTP_HALF_OPEN,	/* it is counted as half-open (embryonic.c) */
};

/**
 * struct esmtp_help - what the helper keeps in the conntrack entry itself
 * @session: NULL before the first payload byte, ESMTP_TOMBSTONE once the entry is being destroyed
 * @isn: initial sequence numbers, by direction
 * @new_isn: of a SYN on a connection that seems to exist; counts if the server takes it up
 * @syn_left_by: interface that the SYN left by
 * @seen: bits by enum esmtp_seen; SYN and SYN/ACK may be looked at on two CPUs at once
 */
struct esmtp_help {
	struct esmtp_session *session;
	u32 isn[ESMTP_DIRS];
	u32 new_isn;
	int syn_left_by;
	unsigned long seen;
};

#define ESMTP_TOMBSTONE ((struct esmtp_session *)1UL)

/* What a sender may be told of its receiver's window before there is a session. */
#define ESMTP_FIRST_WINDOW 0xffffu

/* session.c */
/** esmtp_sessions_init() - before anything can make a session; 0 or -ENOMEM */
int esmtp_sessions_init(void);

/**
 * esmtp_sessions_exit() - free every session, whatever the state of its entry
 *
 * Context: process; no packet may reach help() any more, all namespaces have exited.
 */
void esmtp_sessions_exit(void);

/** esmtp_sessions_destroy() - last of all: every RCU callback of ours has run */
void esmtp_sessions_destroy(void);

/**
 * esmtp_sessions_net_exit() - the namespace goes, and its sessions with it
 * @en: namespace
 *
 * Context: process; an RCU grace period must follow before its counters are freed.
 */
void esmtp_sessions_net_exit(struct esmtp_net *en);

/**
 * esmtp_session_find() - the session of a packet with payload, made if there is none
 * @en: namespace
 * @ct: its entry
 * @hd: the helper's data in it
 * @slot: the helper's number
 *
 * Context: packet path, RCU. Return: NULL if the packet must be dropped (and that is
 * counted).
 */
struct esmtp_session *esmtp_session_find(struct esmtp_net *en,
					 struct nf_conn *ct,
					 struct esmtp_help *hd, u8 slot);

/**
 * esmtp_session_detach() - the entry dies, or begins a new connection
 * @hd: the helper's data in it
 * @mark: left in the session's place: ESMTP_TOMBSTONE or NULL; a tombstone stays
 *
 * Context: any, under RCU; the session's lock is not held.
 */
void esmtp_session_detach(struct esmtp_help *hd, struct esmtp_session *mark);

/**
 * esmtp_session_entry() - the session's conntrack entry, if it still is
 * @s: session
 *
 * destroy() tells when the entry dies; but not where somebody has taken the helper off it
 * before, as ctnetlink can, nor while the module goes. The session's reference keeps the memory.
 *
 * Context: RCU. Return: the entry with a reference of the caller's, or NULL once it is dying.
 */
struct nf_conn *esmtp_session_entry(const struct esmtp_session *s);

/**
 * struct esmtp_session_cursor - how far somebody who looks at all sessions has come
 * @id: of the last one in its list; 0 = none yet
 * @list: number of the list
 */
struct esmtp_session_cursor {
	u64 id;
	u32 list;
};

/**
 * esmtp_session_next() - the next session of a namespace
 * @en: namespace
 * @cur: how far we are; zeroed at first; moved to the session, or to the end
 * @last: (MAYBE NULL) the session before, with a reference that is given back: saves looking for the place
 *
 * A session that is there all the time is found once. No lock is held over more than a few sessions.
 * Context: process. Return: a session, with a reference, or NULL at the end.
 */
struct esmtp_session *esmtp_session_next(const struct esmtp_net *en,
					 struct esmtp_session_cursor *cur,
					 struct esmtp_session *last);

/** esmtp_session_put() - give a reference back; any context, the session's lock not held */
void esmtp_session_put(struct esmtp_session *s);

/* All that follows is called with the session's lock held. */

/* chunk.c: what is retained, within bounds */
/**
 * esmtp_chunk_allowed() - how many bytes that come next in the stream may be read
 * @s: session
 * @fl: one of its flows
 * @want: how many are there
 * @content: of what kind they are
 *
 * Return: as many as can be retained, even if they turn out to be of two kinds; 0 = a bound is reached,
 * counted.
 */
u32 esmtp_chunk_allowed(struct esmtp_session *s, struct esmtp_flow *fl,
			u32 want, bool content);

/**
 * esmtp_chunk_room() - room for content that comes next in the stream
 * @s: session
 * @fl: one of its flows
 * @want: how many bytes; they are allowed
 * @room: set to where they may be read from and are to be appended from
 *
 * Return: how many there is room for; 0 = there is no memory, counted.
 */
u32 esmtp_chunk_room(struct esmtp_session *s, struct esmtp_flow *fl, u32 want,
		     u8 **room);

/**
 * esmtp_chunk_reserve() - room for lines that come next in the stream
 * @s: session
 * @fl: one of its flows
 * @want: how many bytes; they are allowed
 *
 * Before they are read: what was read and cannot be retained could not be told from its repeat.
 *
 * Return: false if there is no memory, counted.
 */
bool esmtp_chunk_reserve(struct esmtp_session *s, struct esmtp_flow *fl,
			 u32 want);

/**
 * esmtp_chunk_append() - bytes have been read: the stream goes on
 * @fl: flow
 * @bytes: they, as they pass
 * @len: how many; there is room for them, by esmtp_chunk_room() or esmtp_chunk_reserve()
 * @content: of what kind they are
 */
void esmtp_chunk_append(struct esmtp_flow *fl, const u8 *bytes, u32 len,
			bool content);

/**
 * esmtp_chunk_early() - a chunk for bytes ahead of the stream
 * @s: session
 * @fl: one of its flows
 * @seq: of the first byte
 * @len: how many; no other chunk has any of them
 *
 * Return: the chunk in its place, its bytes not yet there, or NULL, counted.
 */
struct esmtp_chunk *esmtp_chunk_early(struct esmtp_session *s,
				      struct esmtp_flow *fl, u32 seq, u32 len);

/** esmtp_chunk_inspected() - an early chunk has had its turn */
void esmtp_chunk_inspected(struct esmtp_flow *fl, struct esmtp_chunk *c);

/** esmtp_chunk_first_early() - the early chunk that is next in the stream, or NULL */
struct esmtp_chunk *esmtp_chunk_first_early(const struct esmtp_flow *fl);

/** esmtp_chunk_free() - give a chunk of @fl back */
void esmtp_chunk_free(struct esmtp_session *s, struct esmtp_flow *fl,
		      struct esmtp_chunk *c);

/** esmtp_chunk_window() - how many bytes a direction of @s may have under way */
u32 esmtp_chunk_window(const struct esmtp_session *s);

/** esmtp_flow_free() - give back all that a flow of @s retains */
void esmtp_flow_free(struct esmtp_session *s, struct esmtp_flow *fl);

/* receiver.c: TCP as the receiver of a packet sees it */
/**
 * esmtp_receivable() - whether its receiver would take the packet
 * @s: session
 * @pkt: packet; what is beyond the receiver's window is cut off
 *
 * Return: false if it would not: nothing of it may be remembered. Counted.
 */
bool esmtp_receivable(struct esmtp_session *s, struct esmtp_packet *pkt);

/**
 * esmtp_flow_acked() - what the receiver has is needed no more
 * @s: session
 * @fl: one of its flows
 * @ack: sequence number up to which it was acknowledged; while the session is open by a packet that
 *	esmtp_receivable() has let by, so no further than what has passed
 */
void esmtp_flow_acked(struct esmtp_session *s, struct esmtp_flow *fl, u32 ack);

/**
 * esmtp_ack_counts() - whether the receiver of a packet believes its acknowledgement and its window
 * @s: session
 * @pkt: packet that esmtp_receivable() has let by, if the session is open
 *
 * Some do not that is in front of their window (a keep-alive), and what it acknowledges comes again.
 *
 * Return: true if all do.
 */
bool esmtp_ack_counts(const struct esmtp_session *s,
		      const struct esmtp_packet *pkt);

/** esmtp_flow_end() - the number that the receiver of @fl expects: behind all that has passed */
static inline u32 esmtp_flow_end(const struct esmtp_flow *fl)
{
	return fl->next + !!(fl->flags & FLOW_FIN);
}

/**
 * esmtp_window_lower() - tell the sender of no more window than may be retained
 * @s: session
 * @pkt: packet of the receiver
 *
 * Return: 0 or -ENOMEM, then the packet must not pass.
 */
int esmtp_window_lower(struct esmtp_session *s, struct esmtp_packet *pkt);

/**
 * esmtp_window_first() - the same for a packet without payload before there is a session
 * @en: namespace
 * @ct: entry
 * @pkt: packet
 *
 * No lock is needed. Return: 0 or -ENOMEM, then the packet must not pass.
 */
int esmtp_window_first(struct esmtp_net *en, const struct nf_conn *ct,
		       struct esmtp_packet *pkt);

/* early.c: segments ahead of the stream */
/**
 * esmtp_early_packet() - a packet that begins behind the next byte
 * @s: session
 * @pkt: packet; what of it is known already was compared
 *
 * Return: NF_ACCEPT: a copy is kept; NF_DROP: it may not pass yet, counted.
 */
unsigned int esmtp_early_packet(struct esmtp_session *s,
				struct esmtp_packet *pkt);

/**
 * esmtp_early_turn() - the stream has come to bytes that have passed early: inspect them
 * @s: session
 * @dir: direction
 * @gap: number of the byte that the receiver waits for
 * @notes: events go here
 *
 * Return: false if more than a log was wanted in them: the session is closed, and
 * nothing from @gap on may pass.
 */
bool esmtp_early_turn(struct esmtp_session *s, enum esmtp_dir dir, u32 gap,
		      struct list_head *notes);

/* stream.c */
/**
 * esmtp_stream_packet() - compare, inspect, retain and edit one packet of an open session
 * @s: session
 * @pkt: packet
 * @notes: events go here
 *
 * Return: NF_ACCEPT (perhaps edited or cut) or NF_DROP.
 */
unsigned int esmtp_stream_packet(struct esmtp_session *s,
				 struct esmtp_packet *pkt,
				 struct list_head *notes);

/**
 * esmtp_stream_feed() - let the engine read, count the bytes and what it finds
 * @s: session; its lock is held
 * @dir: direction
 * @bytes: what comes next in it
 * @len: how many
 * @r: result
 * @notes: events go here
 *
 * Return: how many were taken.
 */
u32 esmtp_stream_feed(struct esmtp_session *s, enum esmtp_dir dir,
		      const u8 *bytes, u32 len, struct esmtp_result *r,
		      struct list_head *notes);

/** esmtp_stream_follow() - do what a result says about the session; its bytes are retained */
void esmtp_stream_follow(struct esmtp_session *s, const struct esmtp_result *r,
			 struct list_head *notes);

/** esmtp_stream_trace() - bytes of @dir from @seq on have been inspected, as they pass on */
void esmtp_stream_trace(const struct esmtp_session *s, enum esmtp_dir dir,
			u32 seq, const u8 *bytes, u32 len, bool content);

/** esmtp_stream_note() - count and note an event that is not the engine's */
void esmtp_stream_note(struct esmtp_session *s, enum esmtp_dir dir,
		       enum esmtp_event_type type, enum esmtp_action action,
		       struct list_head *notes);

/**
 * esmtp_stream_close() - close both ends for a reason of the stream's own
 * @s: session
 * @dir: direction that gave it
 * @why: event
 * @notes: events go here
 */
void esmtp_stream_close(struct esmtp_session *s, enum esmtp_dir dir,
			enum esmtp_event_type why, struct list_head *notes);

/* segment.c: segments of our own */
/**
 * struct esmtp_way - the way to one end, with a reference
 * @dst: route, or NULL: one is looked for
 * @mark: of the packets that go there
 * @iif: interface that they come in by
 */
struct esmtp_way {
	struct dst_entry *dst;
	u32 mark;
	int iif;
};

/**
 * struct esmtp_segment - a segment sent to one end in the other's name
 * @dir: direction that it travels in
 * @flags: TCPHDR_*
 * @stamped: it has a timestamp
 * @window: as it stands in the header, not scaled
 * @seq: sequence number, before any adjustment
 * @ack: acknowledgement number, in the receiver's terms
 * @tsval: the sender's clock
 * @tsecr: the receiver's clock, echoed
 * @data: payload
 * @len: bytes of it
 */
struct esmtp_segment {
	enum esmtp_dir dir;
	u8 flags;
	bool stamped;
	u16 window;
	u32 seq;
	u32 ack;
	u32 tsval;
	u32 tsecr;
	const u8 *data;
	u32 len;
};

/**
 * esmtp_flow_route() - remember the way to the receiver of a direction, for segments of ours
 * @fl: the direction; the session's lock is held
 * @skb: a packet that goes there, already routed
 */
void esmtp_flow_route(struct esmtp_flow *fl, const struct sk_buff *skb);

/**
 * esmtp_way_get() - the way to the receiver of a direction
 * @s: session; its lock is held
 * @dir: direction
 * @way: filled in; esmtp_way_put() is due
 */
void esmtp_way_get(const struct esmtp_session *s, enum esmtp_dir dir,
		   struct esmtp_way *way);

/** esmtp_way_put() - give the reference of @way back */
void esmtp_way_put(struct esmtp_way *way);

/**
 * esmtp_segment_send() - build a segment and send it
 * @en: namespace
 * @ct: entry
 * @way: to its receiver
 * @seg: what it is
 *
 * Context: RCU, bottom halves off, no lock held. Return: false if there is no memory or no route.
 */
bool esmtp_segment_send(struct esmtp_net *en, struct nf_conn *ct,
			const struct esmtp_way *way, struct esmtp_segment seg);

/* closing.c */
/** esmtp_closing_init() - make the work queue; 0 or -ENOMEM */
int esmtp_closing_init(void);

/** esmtp_closing_exit() - drain the work queue; every session is gone */
void esmtp_closing_exit(void);

/** esmtp_closing_queue() - see mod_delayed_work() */
bool esmtp_closing_queue(struct delayed_work *work, unsigned long delay);

/**
 * esmtp_closing_reset_client() - from now on the client gets RSTs
 * @s: closed session; its lock is held
 * @seq: number that it expects
 * @now: the first one at once, else when it speaks
 */
void esmtp_closing_reset_client(struct esmtp_session *s, u32 seq, bool now);

/** esmtp_closing_cancel() - RSTs that are not on their way yet stay unsent; process context */
void esmtp_closing_cancel(struct esmtp_session *s);

/**
 * esmtp_close_session() - the session closes now
 * @s: session; its lock is held
 * @verdict: how; the first one counts
 * @notes: an event goes here
 *
 * RSTs are queued, what is retained is freed, the entry becomes a tombstone.
 */
void esmtp_close_session(struct esmtp_session *s, enum esmtp_verdict verdict,
			 struct list_head *notes);

/** esmtp_closed_count() - a packet was dropped or cut because of the verdict */
void esmtp_closed_count(struct esmtp_session *s);

/**
 * esmtp_closed_packet() - a packet of a closed session
 * @s: session; its lock is not held
 * @pkt: packet: the caller drops it, its sender is perhaps told once more
 */
void esmtp_closed_packet(struct esmtp_session *s,
			 const struct esmtp_packet *pkt);

/* answer.c: the last reply of a connection */
/**
 * esmtp_answer_begin() - send the reply of a rule, until it is acknowledged
 * @s: session that is being closed; its flows are as they were
 * @rule: index of the rule
 *
 * What cannot be sent is counted, and the client gets a RST.
 */
void esmtp_answer_begin(struct esmtp_session *s, u16 rule);

/** esmtp_answer_taken() - bytes of the packet that closed, or came later, need not be sent again */
void esmtp_answer_taken(struct esmtp_session *s, const struct esmtp_packet *pkt);

/**
 * esmtp_answer_packet() - a packet of a session that is closed by a reply
 * @s: session
 * @pkt: packet
 *
 * Return: false if it is none of the client's that has to do with the reply.
 */
bool esmtp_answer_packet(struct esmtp_session *s,
			 const struct esmtp_packet *pkt);

/**
 * esmtp_answer_abort() - the entry dies, and a reply that is not acknowledged with it
 * @s: session; its lock is held
 *
 * Any context. Return: true if a reference of the session is to be given back.
 */
bool esmtp_answer_abort(struct esmtp_session *s);

/** esmtp_answer_cancel() - a reply that is not on its way yet stays unsent; process context, no lock held */
void esmtp_answer_cancel(struct esmtp_session *s);

#endif /* _ESMTP_SESSION_H */
