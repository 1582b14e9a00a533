/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection through the module, and what its ends make of it: the parts of the fuzzer "stream".
 *
 * stream.c reads the input; stream_module.c is what stands around the packet path of kmod/ and lets a
 * segment through it; stream_model.c is the model that all is held against.
 */
#ifndef FUZZ_STREAM_H
#define FUZZ_STREAM_H

#include "kernel/conntrack.h"

#include "../../kmod/session.h"

#define STREAM_MAX	32760u
#define NEVER		UINT32_MAX

/**
 * struct shape - of a connection, before its first packet
 * @policy: under which it is read
 * @ipv6: its family
 * @stamped: timestamps were agreed on
 * @partial: checksums are still to be made
 * @scattered: payloads stand in fragments
 * @scale: of the windows that both ends advertise
 * @window: how many bytes an end takes ahead
 * @isn: initial sequence numbers
 * @retain: bound of a direction
 * @pool: bound of all
 * @others: what other connections have of it
 * @refused: the block of memory after so many is refused; negative: none is
 */
struct shape {
	const struct esmtp_policy *policy;
	bool ipv6;
	bool stamped;
	bool partial;
	bool scattered;
	u8 scale;
	u32 window;
	u32 isn[ESMTP_DIRS];
	unsigned int retain;
	unsigned long pool;
	long others;
	long refused;
};

/* What is wrong with a segment: no receiver takes it. */
enum stale {
	STALE_NOT,
	STALE_ACK_AHEAD,	/* acknowledges what was never sent */
	STALE_ACK_OLD,		/* acknowledges less than any window ago */
	STALE_NO_ACK,
	STALE_OUTSIDE,		/* behind the window */
	STALE_BEFORE,		/* in front of it, a keep-alive: passes, but what it acknowledges comes again */
	STALE_CLOCK,		/* timestamp of long ago, where they were agreed on */
	STALE_NO_CLOCK,		/* none */
	__STALE_MAX,
};

/**
 * struct segment - what an end, or somebody in its name, sends
 * @dir: direction
 * @at: offset of the first byte in the stream
 * @bytes: payload
 * @len: how many
 * @syn: flag; then @at means nothing
 * @fin: flag
 * @stale: enum stale
 */
struct segment {
	enum esmtp_dir dir;
	u32 at;
	u8 bytes[STREAM_MAX];
	u32 len;
	bool syn;
	bool fin;
	enum stale stale;
};

/**
 * struct stream - one direction as the model has it, by offsets from the first byte
 * @said: what its sender has to say
 * @n_said: how much
 * @wanted: what the engine has read, edited as it wants; of the call under way
 * @n_wanted: how much
 * @read: what was inspected, as it was to pass
 * @content: whether it was content
 * @n_read: how much
 * @left: bytes that have passed, in their turn or early
 * @has_left: whether
 * @kept: bytes that came early and were copied, and then did not pass because there was no memory to cut the packet
 * @has_kept: whether
 * @got: bytes that the receiver has
 * @has_got: whether
 * @n_got: so many without a gap: the application has read them
 * @edge: how far the receiver would take bytes
 * @told: right edge of the window that the sender was told of
 * @free: the offset from which inspection has ended (STARTTLS); NEVER = it has not
 * @hold: the engine waits for the other side
 * @fin: the sender has said it, somewhere
 * @fin_at: and it was received here; NEVER = it was not
 */
struct stream {
	u8 said[STREAM_MAX];
	u32 n_said;
	u8 wanted[STREAM_MAX];
	u32 n_wanted;
	u8 read[STREAM_MAX];
	bool content[STREAM_MAX];
	u32 n_read;
	u8 left[STREAM_MAX];
	bool has_left[STREAM_MAX];
	u8 kept[STREAM_MAX];
	bool has_kept[STREAM_MAX];
	u8 got[STREAM_MAX];
	bool has_got[STREAM_MAX];
	u32 n_got;
	u32 edge;
	u32 told;
	u32 free;
	bool hold;
	bool fin;
	u32 fin_at;
};

/**
 * struct model - the connection as it must look from outside
 * @shape: of it
 * @stream: by direction
 * @now: the segment that is being looked at
 * @monitor: the policy alters nothing, whatever comes
 * @forged: a segment has had other bytes than its end's
 */
struct model {
	struct shape shape;
	struct stream stream[ESMTP_DIRS];
	const struct segment *now;
	bool monitor;
	bool forged;
};

extern struct model model;

#define must(x)	WARN_ON_ONCE(!(x))

/* stream_model.c */
void model_begin(const struct shape *shape);
/* A segment has passed, as @len of its bytes and perhaps its FIN; and it was received. */
void model_passed(const struct segment *seg, const u8 *bytes, u32 len, bool fin);
/* So much of one passes before its turn, of which the engine has said this (with the octets of a chunk). */
void model_early(const struct segment *seg, u32 len, enum esmtp_ahead ahead, u64 chunk);
/* One that came before its turn does not pass because a block of memory was refused. */
void model_refused(const struct segment *seg);
void model_received(const struct segment *seg, const u8 *bytes, u32 len, bool fin);
/* The module has sent bytes of its own in the server's name. */
void model_answered(u32 at, const u8 *bytes, u32 len);
/* Time may have passed. */
void model_follow(const struct esmtp_session *s);
/* A packet is through: what holds at any time. */
void model_check(const struct esmtp_session *s, long bytes, long pool);
/* Nobody has anything more to say. */
void model_end(const struct esmtp_session *s);

/* stream_module.c */
void module_begin(const struct shape *shape);
/* Let a segment through; true if (part of) it has passed, then it is received unless it is @lost on the way. */
bool module_pass(const struct segment *seg, bool lost);
/* The session, or NULL where there is none. */
const struct esmtp_session *module_session(void);
u64 module_count(enum esmtp_ns_counter c);
u64 module_events(enum esmtp_event_type type);
/* The entry dies: nothing may remain. */
void module_end(void);

#endif /* FUZZ_STREAM_H */
