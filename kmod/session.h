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
 * @node: in esmtp_flow.chunks, in order of sequence numbers, without gaps
 * @seq: of @data[0]
 * @len: bytes of @data in use
 * @size: bytes of @data
 * @truesize: what the chunk is charged with
 * @content: message content: a repeat with other bytes is an attack
 * @data: the bytes as they were passed, edits included
 */
struct esmtp_chunk {
	struct list_head node;
	u32 seq;
	u32 len;
	u32 size;
	u32 truesize;
	bool content;
	u8 data[];
};

/**
 * struct esmtp_flow - one direction of a session; all under the session's lock
 * @first: sequence number of the direction's first byte
 * @next: sequence number of the next byte to be inspected
 * @retained: truesize of @chunks; also read without the lock to skip it
 * @chunks: struct esmtp_chunk
 * @dst: route of the last packet: leads to the receiver of this direction; may be NULL
 * @mark: of that packet
 * @iif: interface that it came in by
 */
struct esmtp_flow {
	u32 first;
	u32 next;
	u32 retained;
	struct list_head chunks;
	struct dst_entry *dst;
	u32 mark;
	int iif;
};

/* Life of a session. It only ever moves down this list. */
enum esmtp_session_state {
	SESSION_OPEN,		/* every byte goes through the engine */
	SESSION_BYPASS,		/* inspection has ended; what is retained is still compared */
	SESSION_CLOSED,		/* by a verdict: drops both directions */
	SESSION_DEAD,		/* its conntrack entry is gone */
};

/**
 * struct esmtp_session - one inspected connection
 * @lock: with bottom halves off; protects all that follows up to @reset
 * @engine: the dialogue
 * @flow: indexed by enum esmtp_dir
 * @ct: its entry; NULL once that is being destroyed
 * @state: enum esmtp_session_state; also read without the lock
 * @verdict: enum esmtp_verdict that closed it
 * @latched_at: jiffies when a verdict began to wait for replies, 0 = none does
 * @rst_due: bit = enum esmtp_dir of a RST that is to be sent (its receiver is that
 *	     direction's)
 * @rst_seq: its sequence number, by direction
 * @rst_left: how many more may be sent, by direction
 * @reset: sends RSTs; holds a reference of the session and of @ct while queued
 * @ref: one for the conntrack entry, one for @reset while it is queued
 * @rcu: frees it
 * @node: in esmtp_net.sessions or, once the namespace goes, among the orphans, as long
 *	  as the session exists; esmtp_sessions_lock
 * @en: namespace, NULL once that is being torn down; written under esmtp_sessions_lock
 * @policy: counted reference; never changes
 */
struct esmtp_session {
	spinlock_t lock;
	struct esmtp_engine engine;
	struct esmtp_flow flow[ESMTP_DIRS];
	struct nf_conn *ct;
	u8 state;
	u8 verdict;
	unsigned long latched_at;
	u8 rst_due;
	u8 rst_left[ESMTP_DIRS];
	u32 rst_seq[ESMTP_DIRS];
	struct delayed_work reset;
	refcount_t ref;
	struct rcu_head rcu;
	struct list_head node;
	struct esmtp_net *en;
	struct esmtp_ns_policy *policy;
};

#define ESMTP_ISN_CLIENT	BIT(0)
#define ESMTP_ISN_SERVER	BIT(1)
#define ESMTP_ISN_BOTH		(ESMTP_ISN_CLIENT | ESMTP_ISN_SERVER)
#define ESMTP_BETWEEN		BIT(2)	/* the two ends are behind different interfaces */

/**
 * struct esmtp_help - what the helper keeps in the conntrack entry itself
 * @session: NULL before the first payload byte, ESMTP_TOMBSTONE once the entry is being destroyed
 * @isn: initial sequence numbers, by direction
 * @new_isn: of a SYN on a connection that seems to exist; counts if the server takes it up
 * @seen: ESMTP_ISN_*, ESMTP_BETWEEN
 */
struct esmtp_help {
	struct esmtp_session *session;
	u32 isn[ESMTP_DIRS];
	u32 new_isn;
	u8 seen;
};

#define ESMTP_TOMBSTONE ((struct esmtp_session *)1UL)

/* Charged to the namespace and bounded: module parameters. */
extern unsigned int esmtp_retain_max;
extern unsigned long esmtp_pool_max;

/* session.c */
/**
 * esmtp_sessions_exit() - free every session, whatever the state of its entry
 *
 * Context: process; no packet may reach help() any more, all namespaces have exited.
 */
void esmtp_sessions_exit(void);

/** esmtp_sessions_net_init() - list and reaper of a new namespace */
void esmtp_sessions_net_init(struct esmtp_net *en);

/**
 * esmtp_sessions_net_exit() - the namespace goes: its sessions forget it
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

/** esmtp_session_put() - give a reference back; any context, the session's lock not held */
void esmtp_session_put(struct esmtp_session *s);

/* stream.c; all with the session's lock held */
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
 * esmtp_flow_acked() - what the receiver has is needed no more
 * @s: session
 * @fl: one of its flows
 * @ack: sequence number up to which it was acknowledged
 */
void esmtp_flow_acked(struct esmtp_session *s, struct esmtp_flow *fl, u32 ack);

/** esmtp_flow_free() - give back all that a flow of @s retains */
void esmtp_flow_free(struct esmtp_session *s, struct esmtp_flow *fl);

/* closing.c */
/** esmtp_closing_init() - make the work queue; 0 or -ENOMEM */
int esmtp_closing_init(void);

/** esmtp_closing_exit() - drain the work queue; every session is gone */
void esmtp_closing_exit(void);

/** esmtp_closing_session_init() - a new session's work item */
void esmtp_closing_session_init(struct esmtp_session *s);

/** esmtp_closing_cancel() - RSTs that are not on their way yet stay unsent; process context */
void esmtp_closing_cancel(struct esmtp_session *s);

/**
 * esmtp_close_session() - the session closes now
 * @s: session; its lock is held
 * @verdict: how; the first one counts
 *
 * RSTs are queued, what is retained is freed, the entry becomes a tombstone.
 */
void esmtp_close_session(struct esmtp_session *s, enum esmtp_verdict verdict);

/**
 * esmtp_flow_route() - remember the way to the receiver of a direction, for a RST
 * @fl: the direction; the session's lock is held
 * @skb: a packet that goes there, already routed
 */
void esmtp_flow_route(struct esmtp_flow *fl, const struct sk_buff *skb);

/** esmtp_closed_count() - a packet was dropped or cut because of the verdict */
void esmtp_closed_count(struct esmtp_session *s);

/**
 * esmtp_closed_packet() - a packet of a closed session
 * @s: session; its lock is not held
 * @pkt: packet: the caller drops it, its sender is perhaps told once more
 */
void esmtp_closed_packet(struct esmtp_session *s,
			 const struct esmtp_packet *pkt);

#endif /* _ESMTP_SESSION_H */
