/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * evade: TCP evasions against an inspecting router, judged from outside.
 *
 * One process. Raw clients send from an address that no kernel has, a server on kernel
 * sockets reads as any application would, and what the module says it inspected comes
 * from its tracepoint. judge.c compares the three.
 */
#ifndef EVADE_H
#define EVADE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))
#define STAGES_MAX	64
#define STEPS_MAX	1024
#define TEXT_MAX	32768u
#define POOL_MAX	49152u
#define OUT_MAX		65536u		/* bytes that the server may write on a connection */
#define SEGMENT_MAX	1400u

#define PORT_FAST	25
#define PORT_SLOW	26		/* reads late, into a small buffer */

/*
 * What is odd about a segment.
 */
enum mark {
	MARK_TTL	= 1 << 0,	/* passes the router, not taken by the server */
	MARK_SUM	= 1 << 1,	/* wrong checksum */
	MARK_OLD_TS	= 1 << 2,	/* timestamp of long ago, where they are negotiated */
	MARK_NO_TS	= 1 << 3,	/* none, though negotiated */
	MARK_NO_ACK	= 1 << 4,	/* no ACK flag */
	MARK_FIN	= 1 << 5,
	MARK_RST	= 1 << 6,
	MARK_URG	= 1 << 7,
	MARK_SYN	= 1 << 8,
	MARK_MD5	= 1 << 9,	/* option of RFC 2385; the server has no key */
	MARK_WIN0	= 1 << 10,	/* window closed */
};

/* One segment, or a pause. */
struct step {
	u16 stage;
	bool pause;
	bool other;		/* bytes of the pool and not the stage's own */
	u32 marks;
	u32 off, len;		/* in the stage; len of a pause: milliseconds */
	s32 shift;		/* added to the sequence number */
	s32 ack;		/* added to the acknowledgement */
	u32 pool;		/* where the other bytes are */
};

/* What is said in one go. Unless early, everything before it is read and answered first. */
struct stage {
	u32 off, len;
	bool early;
};

enum expect {
	EXPECT_END,		/* comes to its end */
	EXPECT_ANY,		/* may be closed as well */
	EXPECT_CUT,		/* may fall silent as well, for conntrack has lost sight of it */
	EXPECT_CLOSED,		/* must be closed */
};

enum acks {
	ACKS_ALL,
	ACKS_LATE,
	ACKS_LOSSY,		/* some of what comes is taken as lost, some as cut */
};

struct schedule {
	char name[96];
	u32 index;
	u64 seed;		/* of what is decided on the way: repeats, cuts of replies */
	bool v6, timestamps, scale, slow, fin_last;
	u8 acks, expect;
	u16 window;
	u32 isn;
	u32 n_stages, n_steps, len, n_pool;
	u32 want, n_want;	/* in the pool: what the server has to have read; n_want 0 = no word on that */
	struct stage stages[STAGES_MAX];
	struct step steps[STEPS_MAX];
	u8 text[TEXT_MAX];
	u8 pool[POOL_MAX];
};

enum outcome {
	OUT_NONE,
	OUT_COMPLETE,		/* everything read and answered */
	OUT_CLOSED,		/* a RST came to either side */
	OUT_ENDED,		/* the server saw a FIN before the end */
	OUT_STUCK,		/* time is over */
};

struct verdict {
	enum outcome outcome;
	bool failed;
	char why[400];
};

/* What one side has of a direction: bytes by offset. */
struct bytes {
	u8 *data;
	u8 *seen;
	u32 size, end;		/* behind the last byte that is there */
};

enum phase { PHASE_COMMAND, PHASE_CONTENT, PHASE_CHUNK, PHASE_AUTH };

struct server {
	int fd;
	bool accepted, eof, reset, closed;
	enum phase phase;
	u32 left;		/* octets of the chunk, lines of AUTH */
	u32 state;		/* content: of the end's five bytes how many */
	u32 line;		/* offset of the current line */
	u8 *read;		/* what the application has read */
	u8 *phases;		/* how it took each byte: enum phase */
	u32 n_read;
	u8 *out;		/* what it has answered */
	u8 *maskable;		/* 1 = may be edited, 2 = and must be */
	u32 n_out, written;
	u64 next_read;
};

struct conn {
	const struct schedule *s;
	struct verdict *v;
	u64 prng;
	u16 port;
	bool open, syn_sent, fin_sent, fin_seen, reset, done, peer_scale, peer_ts;
	u32 una, limit, recover, high;	/* offsets in the client's stream; high: of the highest segment */
	u32 rcv_isn, rcv;		/* rcv: offset in the server's stream */
	u32 acked;			/* the highest such that any segment has acknowledged, also one that got lost */
	u32 snd_wnd, ts_base, ts_recent;
	u8 snd_scale, lost;
	u32 stage, step;
	bool started;
	u64 moved_at, wake, rto_at, rto, ack_at, over_at;
	u32 progress;			/* as it was at moved_at */
	struct server srv;
	struct bytes got;		/* from the server */
	struct bytes traced[2];		/* client's direction, server's */
	u32 twice;			/* bytes that were traced a second time */
	u32 rst_count, rst_at;		/* RSTs with a wrong number that came to the client; of the last */
	char odd[160];			/* first thing seen on the wire that must not be */
};

struct options {
	u64 seed;
	u32 from, count, parallel, deadline, seconds, family;	/* family: 4, 6, 0 = both */
	u16 port;
	bool trace, cases, print;
	const char *file;
};

struct totals {
	u64 schedules, segments, closed, ended, complete, bytes, stuck, events;
};

extern struct options opt;
extern struct totals totals;

/* prng.c */
u64 prng_next(u64 *state);
u32 rnd(u64 *state, u32 n);
u32 between(u64 *state, u32 low, u32 high);
bool chance(u64 *state, u32 percent);
u64 mix(u64 a, u64 b);
u64 now_us(void);
u64 now_ms(void);

/* schedule.c */
void schedule_make(struct schedule *s, u64 seed, u32 index);
void schedule_content(const struct schedule *s, u8 *map);
bool schedule_has_other(const struct schedule *s);
void schedule_judge(struct schedule *s);

/* text.c */
void schedule_print(FILE *f, const struct schedule *s);
bool schedule_parse(struct schedule *s, const char *text, const char **why);

/* cases.c */
struct fixed_case {
	const char *name, *text;
};

extern const struct fixed_case cases[];
extern const u32 n_cases;

/* wire.c */
bool wire_open(void);
int wire_fd(bool v6);
void wire_send(struct conn *c, u32 seq, u32 flags, const u8 *data, u32 len, const struct step *odd);
void wire_ack(struct conn *c);
void wire_receive(bool v6);

/* client.c */
void client_start(struct conn *c, u64 now);
void client_run(struct conn *c, u64 now);
u64 client_next(const struct conn *c);
u32 client_at(const struct conn *c);
void client_segment(struct conn *c, u32 flags, u32 seq, u32 ack, u32 window, const u8 *data, u32 len);

/* server.c */
bool server_open(int epoll);
void server_accept(int listener);
bool server_is_listener(int fd);
void server_ready(struct conn *c, u64 now);
void server_free(struct conn *c);

/* trace.c */
bool trace_open(void);
bool trace_drain(void);

/* judge.c */
void judge(struct conn *c);

/* run.c */
bool run_open(void);
struct conn *conn_of(u16 port);

/* shrink.c */
bool shrink(struct schedule *s, struct verdict *v);

#endif
