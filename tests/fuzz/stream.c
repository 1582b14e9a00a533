// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any segments of any dialogue through the module's packet path as it is (kmod/helper.c, session.c, stream.c and what
 * they call), held against a model that sorts bytes (stream_model.c).
 *
 * The input: three bytes of policy, one of the connection's shape, one of bounds, then steps. A step's first byte:
 *
 *	0dnnnnnn	somebody says n bytes, which follow, in a segment of their own; 63: up to the end of the line;
 *			62: the same, but it is not sent; 61, 60: lines of 64 bytes, as many as the next byte says, sent or not
 *	1dmmmmmm	a segment of what was said: from where and how long say two bytes, what is odd about it these bits
 *
 * d is the direction. A segment without length is an acknowledgement, or with odd bits lets time pass.
 */
#include "stream.h"
#include "policy.h"

#define INPUT_MAX	4096
#define STAMP_LIFE	(2147u * HZ)	/* RFC 7323 §5.5 */

/* What is odd about a segment. */
#define ODD_OTHER	1	/* other bytes than those said */
#define ODD_LOST	2	/* it gets lost behind the module */
#define ODD_FIN		4
#define ODD_FAR		8	/* it begins far from what is due */
#define ODD_LONG	16
#define ODD_STALE	32	/* no receiver takes it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/**
 * struct input - what is left of it
 * @p: next byte
 * @len: how many
 */
struct input {
	const u8 *p;
	size_t len;
};

static struct segment seg;

static u8 next(struct input *in)
{
	return in->len ? in->len--, *in->p++ : 0;
}

/* A clock is wrong where there is one that is known, and was heard not too long ago. */
static enum stale stale_of(enum esmtp_dir dir, u8 salt)
{
	const struct esmtp_session *s = module_session();
	enum stale stale = 1 + salt % (__STALE_MAX - 1);

	if (stale < STALE_CLOCK || (s && s->stamped && s->flow[dir].flags & FLOW_STAMPED &&
				    (stale == STALE_NO_CLOCK || (u32)jiffies - s->flow[dir].stamp_at <= STAMP_LIFE)))
		return stale;
	return STALE_NO_ACK;
}

static void send(enum esmtp_dir dir, u32 at, u32 len, u8 odd, u8 salt)
{
	static const char other[] = "\r\n.\r\nSTARTTLS\r\nEXPN x\r\nMAIL FROM:<|a@b>\r\n250 2.0.0 ok\r\n";
	struct stream *st = &model.stream[dir];
	u32 i;

	seg.dir = dir;
	seg.at = at;
	seg.len = len;
	seg.fin = odd & ODD_FIN;
	seg.stale = odd & ODD_STALE ? stale_of(dir, salt) : STALE_NOT;
	if (seg.stale == STALE_BEFORE) {
		seg.len = 0;
		seg.fin = false;
	}
	for (i = 0; i < seg.len; i++)
		seg.bytes[i] = odd & ODD_OTHER ? (u8)other[(at + i + salt) % (sizeof(other) - 1)] : st->said[at + i];
	if (seg.stale == STALE_NOT) {
		model.forged |= (odd & ODD_OTHER) != 0;
		st->fin |= seg.fin;
	}
	module_pass(&seg, odd & ODD_LOST);
}

static void put(struct stream *st, const u8 *bytes, u32 len)
{
	len = min(len, STREAM_MAX - st->n_said);
	memcpy(st->said + st->n_said, bytes, len);
	st->n_said += len;
}

static void say(struct input *in, enum esmtp_dir dir, u8 n)
{
	static const char line[] = "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWX\r\n";
	struct stream *st = &model.stream[dir];
	u32 from = st->n_said, len = n;
	const u8 *lf;
	u8 lines;

	if (n == 60 || n == 61) {
		for (lines = next(in); lines; lines--)
			put(st, (const u8 *)line, 64);
	} else {
		lf = n > 61 && in->len ? memchr(in->p, '\n', in->len) : NULL;
		if (n > 61)
			len = lf ? (u32)(lf + 1 - in->p) : (u32)in->len;
		len = (u32)min((size_t)len, in->len);
		put(st, in->p, len);
		in->p += len;
		in->len -= len;
	}
	if (n != 60 && n != 62 && st->n_said > from)
		send(dir, from, st->n_said - from, 0, 0);
}

static void odd_segment(struct input *in, enum esmtp_dir dir, u8 odd)
{
	const struct stream *st = &model.stream[dir];
	u8 from = next(in), n = next(in);
	s32 at = (s32)st->n_got - 64 + from * (odd & ODD_FAR ? 16 : 1);
	u32 len = n * (odd & ODD_LONG ? 16u : 1u);

	if (!n && odd && !(odd & ODD_FIN)) {
		kernel_run((1u + from) * HZ);
		return;
	}
	at = clamp(at, 0, (s32)st->n_said);
	len = min(len, st->n_said - (u32)at);
	if (!len && !n && !(odd & ODD_FIN))
		at = (s32)st->n_got;
	send(dir, (u32)at, len, odd, n ^ from);
}

/* Both ends are honest now, and patient, and there is memory. */
static void settle(void)
{
	u32 before, after_all = 0;
	enum esmtp_dir dir;

	kernel_memory.until_failure = -1;
	do {
		before = after_all;
		after_all = 0;
		for (dir = 0; dir < ESMTP_DIRS; dir++) {
			const struct stream *st = &model.stream[dir];
			u32 n = min(st->n_said - min(st->n_got, st->n_said), 1400u);

			send(dir, min(st->n_got, st->n_said), n, 0, 0);
			send(!dir, model.stream[!dir].n_got, 0, 0, 0);
			after_all += model.stream[0].n_got + model.stream[1].n_got + model.stream[dir].n_read;
		}
	} while (before != after_all);
}

static void make_shape(struct shape *sh, const struct esmtp_policy *policy, u8 what, u8 bounds)
{
	static const u8 scale[] = { 0, 1, 4, 7 };
	static const unsigned int retain[] = { 1 << 20, 32768, 16384, 8192 };
	static const unsigned long pool[] = { 256 << 20, 32768, 8192, 4096 };
	u32 isn = what & 32 ? 0xfffffff0u : 0x12345678u;

	*sh = (struct shape){
		.policy = policy,
		.ipv6 = what & 1,
		.stamped = what & 2,
		.scale = scale[what >> 2 & 3],
		.window = what & 16 ? 2048u : 65408u,
		.isn = { isn, ~isn - 100 },
		.partial = what & 64,
		.scattered = what & 128,
		.retain = retain[bounds & 3],
		.pool = pool[bounds >> 2 & 3],
		.others = (bounds >> 2 & 3) == 3 ? 4096 : 0,
		.refused = (bounds >> 4) * 4 - 1,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data + 5, len - 5 };
	struct harness h;
	struct shape sh;
	u8 step;

	if (len < 6 || len > INPUT_MAX)
		return 0;
	harness_init(&h);
	make_policy(&h, (u32)(data[0] | data[1] << 8 | data[2] << 16));
	make_shape(&sh, &h.policy, data[3], data[4]);
	model_begin(&sh);
	module_begin(&sh);
	while (in.len) {
		step = next(&in);
		if (step & 128)
			odd_segment(&in, step >> 6 & 1, step & 63);
		else
			say(&in, step >> 6 & 1, step & 63);
	}
	settle();
	model_end(module_session());
	module_end();
	harness_free(&h);
	return 0;
}
