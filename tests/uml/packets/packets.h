/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packets: sequences of TCP segments through the module as it is, on the way that conntrack and nft give them, led by
 * what of the module they reach (KCOV).
 *
 * Two tun devices of the router stand for the lines to client and server. What is written to one is received, routed,
 * inspected and sent out by the other within write(), in the writer's task, which is where KCOV looks. So after each
 * packet it is known which places of the module it came by, and what has become of it.
 *
 * An input is a connection: how its ends are (struct input), and what they send (struct step). mutate.c makes inputs
 * of others, conn.c plays one and judges what leaves, main.c keeps those that came by a place as none did before.
 */
#ifndef PACKETS_H
#define PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint8_t u8;
typedef int8_t s8;
typedef uint16_t u16;
typedef int16_t s16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;

#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

#define CLIENT		0
#define SERVER		1
#define POLICIES	4		/* a client's address chooses one */

#define TCP_FIN		1
#define TCP_SYN		2
#define TCP_RST		4
#define TCP_PSH		8
#define TCP_ACK		16
#define TCP_URG		32

/*
 * Inputs.
 */
#define STEPS_MAX	48u
#define DATA_MAX	250u
#define STREAM_MAX	65536u		/* bytes of a direction */
#define SEGMENT_MAX	1400u

enum kind {
	KIND_SAY,			/* the next bytes of a direction */
	KIND_AGAIN,			/* bytes that were said already */
	KIND_BARE,			/* no bytes */
	KIND_OPEN,			/* SYN or SYN/ACK with other numbers */
	KIND_PAUSE,			/* the kernel's own work has time */
	KINDS,
};

enum odd {
	ODD_OTHER	= 1 << 0,	/* the step's bytes stand for those that were said */
	ODD_UNSENT	= 1 << 1,	/* said, but not sent yet */
	ODD_REVERSE	= 1 << 2,	/* the last segment first */
	ODD_BIG		= 1 << 3,	/* all in a packet that is still to be cut into segments */
	ODD_PARTIAL	= 1 << 4,	/* the checksum is still to be made */
	ODD_SUM		= 1 << 5,	/* it is wrong */
	ODD_OLD_TS	= 1 << 6,	/* timestamp of long ago */
	ODD_NO_TS	= 1 << 7,	/* none, though they are agreed on */
	ODD_WINDOW_0	= 1 << 8,
	ODD_WINDOW_1	= 1 << 9,
	ODD_TWICE	= 1 << 10,
	ODD_PIECES	= 1 << 11,	/* in fragments */
	ODD_BACK	= 1 << 12,	/* by the other end's line */
	ODDS		= 13,
};

/**
 * struct step - one thing that an end does
 * @kind: enum kind
 * @dir: who
 * @odd: enum odd
 * @at: of bytes said again: where they begin, from the next one on; of KIND_OPEN: how far the numbers move
 * @len: of bytes said again: how many
 * @flags: of TCP, those that are other than usual
 * @option: which one of the wire's list, 0 = none
 * @cut: segments have so many bytes, 0 = SEGMENT_MAX
 * @repeat: how often more the bytes are said
 * @ack: added to the acknowledgement
 * @n: bytes of @data
 * @data: bytes
 */
struct step {
	u8 kind;
	u8 dir;
	u16 odd;
	s16 at;
	u16 len;
	u8 flags;
	u8 option;
	u8 cut;
	u8 repeat;
	s8 ack;
	u8 n;
	u8 data[DATA_MAX];
};

#define STEP_HEAD	offsetof(struct step, data)

enum shape {
	SHAPE_V6	= 1 << 0,
	SHAPE_STAMPED	= 1 << 1,
	SHAPE_SCALED	= 1 << 2,
	SHAPE_WRAP	= 1 << 3,	/* numbers begin just below 2^32 */
	SHAPE_SYN_OPT	= 1 << 4,	/* the SYN has an odd option */
	SHAPE_COLD	= 1 << 5,	/* nobody opens but the steps */
	SHAPE_POLICY	= 3 << 6,
};

struct input {
	u8 shape;
	u8 n;
	struct step steps[STEPS_MAX];
};

/* input.c: as text: what is said of it to a person, and what is read back */
bool input_parse(struct input *in, const char *hex);
u32 input_print(const struct input *in, char *to);
void input_explain(FILE *f, const struct input *in);
void print_bytes(FILE *f, const u8 *p, u32 n);

#define HEX_MAX		(2 * (2 + STEPS_MAX * sizeof(struct step)) + 2)

/* mutate.c */
u64 prng_next(u64 *state);
u32 rnd(u64 *state, u32 n);
void mutate(struct input *in, const struct input *other, u64 *state);

/*
 * Packets, wire.c.
 */
/**
 * struct packet - a TCP segment on one of the lines
 * @v6: family
 * @dir: who sends it, or where it is read: whose packets come out there
 * @host: the client's number
 * @port: the client's port
 * @tag: what it is known by behind the module; 0: none of ours
 * @odd: enum odd
 * @flags: TCP's
 * @option: see struct step
 * @seq: number
 * @ack: acknowledgement
 * @window: as it stands in the header
 * @gso: bytes of a segment, 0 = it is one
 * @stamped: has a timestamp
 * @opening: has the options of a SYN
 * @scaled: these have a window scale
 * @ts: timestamp, and
 * @ts_echo: the other's
 * @bad_sum: its checksum is wrong, as read
 * @data: payload
 * @len: of it
 */
struct packet {
	bool v6;
	u8 dir;
	u8 host;
	u16 port;
	u16 tag;
	u16 odd;
	u8 flags;
	u8 option;
	u32 seq, ack;
	u16 window;
	u16 gso;
	bool stamped, opening, scaled, bad_sum;
	u32 ts, ts_echo;
	const u8 *data;
	u32 len;
};

#define PORT_SMTP	25
#define SCALE		2

bool wire_open(void);
void wire_send(const struct packet *p);
/* A packet that has left, of the line to an end; -1: there is none, 0: none that is TCP, else 1. why: it is malformed. */
int wire_read(u8 dir, struct packet *p, const char **why);
/* Conntrack forgets a connection. */
void wire_forget(bool v6, u8 host, u16 port);
u32 wire_options(void);

/*
 * KCOV, cover.c.
 */
bool cover_open(void);
void cover_begin(void);
/* What the task came by since then; dir: on behalf of whom. Returns whether any place or step from place to place is new. */
bool cover_end(u8 dir);
u32 cover_places(void);
u32 cover_places_of(u8 dir);
u32 cover_steps(void);
void cover_print(FILE *f);

/* conn.c: plays an input. Returns NULL, or what must not be. fresh: how many steps it takes to come by all that is new, 0 = nothing is. */
const char *conn_play(const struct input *in, u32 *fresh);
void conn_say(bool loud);
u64 conn_packets(void);

#endif
