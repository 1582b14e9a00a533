// SPDX-License-Identifier: GPL-2.0-only
/*
 * One connection: what its ends send, as an input says, and what of it leaves.
 *
 * What must hold, whatever was sent: a packet leaves as it came but for what inspection may do to it; bytes that leave
 * again are those that left before, until their receiver has acknowledged them; checksums and lengths are right.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "packets.h"

#define PORT_FIRST	10000u
#define PORTS		50000u
#define ALIVE		32u		/* connections that conntrack knows */
#define PAUSE_US	3000
#define WINDOW		65535u
#define SHOWN		40u		/* bytes of a packet */
/* What conntrack is told of may be altered as it likes: closed, put on again. */
#define POLICY_TLS	1		/* behind STARTTLS nobody looks */
#define POLICY_MONITOR	2		/* other bytes pass */

/**
 * struct way - what one end sends, and what has left of it
 * @isn: number before its first byte
 * @next: how many bytes it has said
 * @fin: it has ended
 * @said: these bytes
 * @got: how many have left without a gap
 * @acked: how many the other end has acknowledged
 * @ts: clock
 * @left: bytes that have left
 * @has: which ones
 * @pieces: which ones may have left in fragments, which nobody puts together here
 */
struct way {
	u32 isn, next;
	bool fin;
	u8 said[STREAM_MAX];
	u32 got, acked;
	u32 ts;
	u8 left[STREAM_MAX];
	bool has[STREAM_MAX];
	bool pieces[STREAM_MAX];
};

/**
 * struct past - a connection that conntrack may still know
 * @port: client's, 0 = none
 * @v6: family
 * @host: client
 */
struct past {
	u16 port;
	bool v6;
	u8 host;
};

static struct way ways[2];
static const struct input *input;
static struct packet sent;		/* the last one */
static bool judged;			/* numbers are those that both ends began with */
static bool loud;
static u16 port, tag;
static const char *wrong;
static bool found;			/* a new place, since it was last asked */
static u64 n_packets;

void conn_say(bool on)
{
	loud = on;
}

u64 conn_packets(void)
{
	return n_packets;
}

static void explain(const char *what, const struct packet *p)
{
	if (!loud)
		return;
	printf("    %s %s flags %02x seq %u+%u ack %u window %u tag %u", what, p->dir ? "server" : "client", p->flags,
	       p->seq - ways[p->dir].isn, p->len, p->ack - ways[!p->dir].isn, p->window, p->tag);
	print_bytes(stdout, p->data, p->len < SHOWN ? p->len : SHOWN);
	putchar('\n');
}

static void is_wrong(const char *why)
{
	if (!wrong)
		wrong = why;
}

/*
 * What leaves.
 */
static bool edit_ok(u8 byte)
{
	return byte == '*' || byte == ' ' || (byte >= 'A' && byte <= 'Z');
}

/* Bytes of the packet that was sent just now, which has left. */
static void judge_packet(const struct packet *p)
{
	u8 may = TCP_URG | (p->len < sent.len || sent.flags & TCP_FIN ? TCP_FIN | TCP_PSH : 0);

	if (p->seq != sent.seq || p->dir != sent.dir)
		is_wrong("a packet has left with another number");
	else if (p->len > sent.len)
		is_wrong("a packet has grown");
	else if ((p->flags ^ sent.flags) & ~may || p->flags & ~sent.flags)
		is_wrong("a packet has left with other flags");
	else if (p->ack != sent.ack)
		is_wrong("a packet has left with another acknowledgement");
	else if (p->window > sent.window)
		is_wrong("a window has grown");
}

static void judge_byte(const struct way *w, const struct packet *p, u32 i, u32 off)
{
	if (w->has[off]) {
		if (off >= w->acked && w->left[off] != p->data[i])
			is_wrong("other bytes have left than before");
	} else if (!w->pieces[off] && p->tag == sent.tag && i < sent.len && p->data[i] != sent.data[i] && !edit_ok(p->data[i])) {
		is_wrong("a byte was altered that no edit makes");
	}
}

static void note_bytes(const struct packet *p)
{
	struct way *w = &ways[p->dir];
	bool compared = judged && input->shape >> 6 != POLICY_TLS && input->shape >> 6 != POLICY_MONITOR;
	u32 off = p->seq - w->isn - 1 + !!(p->flags & TCP_SYN), i;

	for (i = 0; i < p->len && off + i < STREAM_MAX; i++) {
		if (compared)
			judge_byte(w, p, i, off + i);
		w->left[off + i] = p->data[i];
		w->has[off + i] = true;
	}
	while (w->got < STREAM_MAX && w->has[w->got])
		w->got++;
}

/* Where nobody inspects, a wrong checksum is none of ours. */
static bool sum_ok(const struct packet *p)
{
	return !p->bad_sum || (p->tag == sent.tag && sent.odd & ODD_SUM && !judged);
}

static void note_packet(const struct packet *p)
{
	explain("left", p);
	if (!sum_ok(p))
		is_wrong("the checksum is wrong");
	if (p->port != port || p->v6 != (input->shape & SHAPE_V6) || p->host != input->shape >> 6)
		return;
	if (p->tag == sent.tag && judged)
		judge_packet(p);
	if (!(p->flags & TCP_RST))
		note_bytes(p);
}

/* Up to the packet that was sent just now, or all that there is. */
static void read_line(u8 dir, bool all)
{
	struct packet p;
	const char *why;
	int what;

	while ((what = wire_read(dir, &p, &why)) >= 0) {
		if (why)
			is_wrong(why);
		else if (what)
			note_packet(&p);
		if (!all && what && p.tag == sent.tag)
			return;
	}
}

static void read_lines(void)
{
	read_line(CLIENT, true);
	read_line(SERVER, true);
}

/*
 * What is sent.
 */
static u32 acknowledgement(u8 dir, const struct step *st)
{
	struct way *other = &ways[!dir];
	u32 ack = other->got + st->ack;

	/* What was never said is not acknowledged. */
	if (ack <= other->next && ack > other->acked)
		other->acked = ack;
	return other->isn + 1 + ack + (other->fin && other->got == other->next);
}

static u32 window_of(const struct step *st)
{
	if (st->odd & ODD_WINDOW_0)
		return 0;
	return st->odd & ODD_WINDOW_1 ? 1 : WINDOW;
}

static void note_pieces(const struct packet *p)
{
	struct way *w = &ways[p->dir];
	u32 off = p->seq - w->isn - 1, i;

	if (!(p->odd & ODD_PIECES))
		return;
	for (i = 0; i < p->len && off + i < STREAM_MAX; i++)
		w->pieces[off + i] = true;
}

static void transmit(struct packet *p)
{
	tag = tag == 0xffff ? 1 : tag + 1;
	p->tag = tag;
	sent = *p;
	explain("sent", p);
	note_pieces(p);
	cover_begin();
	wire_send(p);
	found |= cover_end(p->dir);
	n_packets++;
	read_line(p->odd & ODD_BACK ? p->dir : !p->dir, false);
}

static void send_segment(const struct step *st, u8 flags, u32 off, const u8 *data, u32 len, u32 gso)
{
	struct way *w = &ways[st->dir];
	struct packet p = {
		.v6 = input->shape & SHAPE_V6,
		.dir = st->dir,
		.host = input->shape >> 6,
		.port = port,
		.odd = st->odd,
		.flags = flags ^ st->flags,
		.option = st->option,
		.seq = w->isn + 1 + off,
		.window = window_of(st),
		.gso = gso,
		.stamped = input->shape & SHAPE_STAMPED,
		.ts = w->ts++,
		.ts_echo = ways[!st->dir].ts,
		.data = data,
		.len = len,
	};

	p.ack = p.flags & TCP_ACK ? acknowledgement(st->dir, st) : 0;
	if (p.flags & TCP_SYN)
		judged = false;
	w->fin |= p.flags & TCP_FIN;
	transmit(&p);
	if (st->odd & ODD_TWICE)
		transmit(&p);
}

/* Bytes of a direction, in segments. */
static void send_bytes(const struct step *st, u32 off, const u8 *data, u32 len)
{
	u32 size = st->cut ? st->cut : SEGMENT_MAX, n, i, at;

	if (st->odd & ODD_BIG) {
		send_segment(st, TCP_ACK | TCP_PSH, off, data, len, len > size ? size : 0);
		return;
	}
	/* Nobody waits for a thousand segments. */
	if (size < len / 64)
		size = len / 64;
	n = (len + size - 1) / size;
	for (i = 0; i < n && !wrong; i++) {
		at = (st->odd & ODD_REVERSE ? n - 1 - i : i) * size;
		send_segment(st, TCP_ACK | TCP_PSH, off + at, data + at, len - at < size ? len - at : size, 0);
	}
}

static void say(const struct step *st)
{
	struct way *w = &ways[st->dir];
	u32 from = w->next, i;

	for (i = 0; i <= st->repeat && w->next + st->n <= STREAM_MAX; i++) {
		memcpy(w->said + w->next, st->data, st->n);
		w->next += st->n;
	}
	if (w->next > from && !(st->odd & ODD_UNSENT))
		send_bytes(st, from, w->said + from, w->next - from);
}

static void say_again(const struct step *st)
{
	static u8 other[STREAM_MAX];
	const struct way *w = &ways[st->dir];
	s32 at = (s32)w->next + st->at;
	u32 len = st->len, i;

	if (at < 0)
		at = 0;
	if ((u32)at >= w->next)
		return;
	if (len > w->next - at)
		len = w->next - at;
	memcpy(other, w->said + at, len);
	for (i = 0; st->odd & ODD_OTHER && i < len && i < st->n; i++)
		other[i] = st->data[i];
	send_bytes(st, at, other, len);
}

/* SYN, SYN/ACK: bytes on it are none of the stream's. */
static void open_way(const struct step *st)
{
	struct way *w = &ways[st->dir];
	struct packet p = {
		.v6 = input->shape & SHAPE_V6,
		.dir = st->dir,
		.host = input->shape >> 6,
		.port = port,
		.odd = st->odd,
		.flags = (st->dir == SERVER ? TCP_SYN | TCP_ACK : TCP_SYN) ^ st->flags,
		.option = st->option,
		.seq = w->isn,
		.window = window_of(st),
		.stamped = input->shape & SHAPE_STAMPED,
		.opening = true,
		.scaled = input->shape & SHAPE_SCALED,
		.ts = w->ts++,
		.ts_echo = st->dir == SERVER ? ways[CLIENT].ts : 0,
		.data = st->data,
		.len = st->n,
	};

	p.ack = p.flags & TCP_ACK ? ways[!st->dir].isn + 1 : 0;
	transmit(&p);
}

static void open_anew(const struct step *st)
{
	struct way *w = &ways[st->dir];

	judged = false;
	w->isn += st->at;
	w->next = w->got = w->acked = 0;
	w->fin = false;
	memset(w->has, 0, sizeof(w->has));
	memset(w->pieces, 0, sizeof(w->pieces));
	open_way(st);
}

/* By three segments, as everybody does. */
static void handshake(void)
{
	struct step st = { .kind = KIND_OPEN, .dir = CLIENT, .option = input->shape & SHAPE_SYN_OPT ? 5 : 0 };

	open_way(&st);
	st = (struct step){ .kind = KIND_OPEN, .dir = SERVER };
	open_way(&st);
	st = (struct step){ .kind = KIND_BARE, .dir = CLIENT };
	send_segment(&st, TCP_ACK, 0, NULL, 0, 0);
}

static void play_step(const struct step *st)
{
	switch (st->kind) {
	case KIND_SAY:
		say(st);
		break;
	case KIND_AGAIN:
		say_again(st);
		break;
	case KIND_BARE:
		send_segment(st, TCP_ACK, ways[st->dir].next + st->at, NULL, 0, 0);
		break;
	case KIND_OPEN:
		open_anew(st);
		break;
	default:
		usleep(PAUSE_US);
		read_lines();
	}
}

/* Conntrack is not to have them all, and who is closed has time for what is still to be sent. */
static void forget_oldest(void)
{
	static struct past past[ALIVE];
	static u32 n;
	struct past *p = &past[n++ % ALIVE];

	cover_begin();
	if (p->port)
		wire_forget(p->v6, p->host, p->port);
	cover_end(CLIENT);
	*p = (struct past){ .port = port, .v6 = input->shape & SHAPE_V6, .host = input->shape >> 6 };
}

static void begin(const struct input *in)
{
	static u32 n;
	u8 dir;

	input = in;
	port = PORT_FIRST + n++ % PORTS;
	wrong = NULL;
	found = false;
	judged = !(in->shape & SHAPE_COLD);
	for (dir = CLIENT; dir <= SERVER; dir++) {
		struct way *w = &ways[dir];

		memset(w->has, 0, sizeof(w->has));
		memset(w->pieces, 0, sizeof(w->pieces));
		w->next = w->got = w->acked = 0;
		w->fin = false;
		w->isn = in->shape & SHAPE_WRAP ? 0xfffffff0u - dir : 1000000u + 5000000u * dir;
		w->ts = 1000000u;
	}
}

const char *conn_play(const struct input *in, u32 *fresh)
{
	u32 i;

	begin(in);
	forget_oldest();
	if (!(in->shape & SHAPE_COLD))
		handshake();
	*fresh = found;
	for (i = 0; i < in->n && !wrong; i++) {
		found = false;
		play_step(&in->steps[i]);
		if (found)
			*fresh = i + 1;
	}
	read_lines();
	return wrong;
}
