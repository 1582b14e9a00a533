// SPDX-License-Identifier: GPL-2.0-only
/* Inputs made of others. */
#include <string.h>

#include "packets.h"

#define LATEST	4u

/* splitmix64 */
u64 prng_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

u32 rnd(u64 *state, u32 n)
{
	return n ? (prng_next(state) >> 16) % n : 0;
}

static bool chance(u64 *state, u32 percent)
{
	return rnd(state, 100) < percent;
}

static const char * const words[2][64] = { {
	"EHLO c.test\r\n", "HELO c\r\n", "MAIL FROM:<a@c.test>\r\n", "MAIL FROM:<a@c.test> SIZE=100 BODY=8BITMIME\r\n",
	"MAIL FROM:<>\r\n", "RCPT TO:<b@s.test>\r\n", "RCPT TO:<b@s.test> NOTIFY=NEVER\r\n", "DATA\r\n", "RSET\r\n", "QUIT\r\n",
	"NOOP\r\n", "STARTTLS\r\n", "VRFY a\r\n", "EXPN a\r\n", "HELP\r\n", "ETRN c\r\n", "TURN\r\n", "AUTH PLAIN AGEAYg==\r\n",
	"AUTH LOGIN\r\n", "YQ==\r\n", "*\r\n", "BDAT 20\r\n", "BDAT 5 LAST\r\n", "BDAT 0 LAST\r\n", "BDAT 99999999999\r\n",
	".\r\n", "\r\n.\r\n", "\r\n", "\r", "\n", "..", ".", "Subject: x\r\n", "To: a, b\r\n", "Subject: casino\r\n folded\r\n",
	"Content-Type: multipart/mixed; boundary=\"b b\"\r\n", "--b b\r\n", "--b b--\r\n", "Content-Type: text/plain; name*0=\"a\"\r\n",
	"Content-Disposition: attachment; filename=\"=?utf-8?B?YS5leGU=?=\"\r\n", "filename*=utf-8''a%2eexe",
	"Content-Transfer-Encoding: base64\r\n", "X", "|", "<", ">", "<<a>b@c>\r\n", "@x,@y:a@b", "a%b@c", "\"q q\"@c.test", "\0", "\200",
	"0123456789abcdef0123456789abcdef", "SIZE=", "AUTH", "X-A: b\r\n", "b@other.test", "MAIL", "SAML FROM:<a@b>\r\n", "`",
}, {
	"220 mx ESMTP\r\n", "220-mx\r\n", "220 ", "250 ok\r\n", "250-mx.test\r\n", "250 2.1.5 Ok\r\n", "250-SIZE 1000\r\n", "250-8BITMIME\r\n",
	"250-STARTTLS\r\n", "250-AUTH PLAIN LOGIN\r\n", "250-PIPELINING\r\n", "250-CHUNKING\r\n", "250-XNEW a b\r\n", "250 DSN\r\n",
	"354 go\r\n", "334 \r\n", "334 VXNlcm5hbWU6\r\n", "235 2.7.0 ok\r\n", "220 ready\r\n", "221 bye\r\n", "421 4.7.1 later\r\n", "500 what\r\n",
	"502 no\r\n", "503 5.5.1 bad sequence\r\n", "535 no\r\n", "550 5.1.1 unknown\r\n", "550 no\r\n", "553 5.1.3 x\r\n", "554 no\r\n", "251 ok\r\n",
	"252 ok\r\n", "250", "250-", "25", "xyz\r\n", "\r\n", "\r", "\n", "999 x\r\n", "100 x\r\n", " ", "-", "0123456789abcdef0123456789abcdef",
	"250-ENHANCEDSTATUSCODES\r\n", "250-VRFY\r\n", "250 HELP\r\n", "454 4.7.0 no\r\n", "501 x\r\n", "\0", "\377",
} };

/* A word without a letter is the byte 0. */
static u32 word(u8 dir, u64 *state, const char **text)
{
	u32 n = 0;

	while (n < ARRAY_LEN(words[0]) && words[dir][n])
		n++;
	*text = words[dir][rnd(state, n)];
	return **text ? strlen(*text) : 1;
}

static void insert_bytes(struct step *st, u32 at, const char *text, u32 n)
{
	if (n > DATA_MAX - st->n)
		return;
	memmove(st->data + at + n, st->data + at, st->n - at);
	memcpy(st->data + at, text, n);
	st->n += n;
}

static void insert_word(struct step *st, u32 at, u64 *state)
{
	const char *text;
	u32 n = word(st->dir, state, &text);

	insert_bytes(st, at, text, n);
}

static void random_odd(struct step *st, u64 *state)
{
	st->odd ^= 1u << rnd(state, ODDS);
}

static void random_flag(struct step *st, u64 *state)
{
	st->flags ^= 1u << rnd(state, 6);
}

static void random_place(struct step *st, u64 *state)
{
	static const s16 span[] = { 4, 40, 400, 3000 };
	s16 n = span[rnd(state, ARRAY_LEN(span))];

	st->at = st->kind == KIND_AGAIN ? -(s16)rnd(state, n) : (s16)rnd(state, 2 * n) - n;
	st->len = chance(state, 50) ? (u16)-st->at : rnd(state, n + 1);
}

static void random_step(struct step *st, u64 *state)
{
	static const u8 kinds[] = { KIND_SAY, KIND_SAY, KIND_SAY, KIND_SAY, KIND_SAY, KIND_AGAIN, KIND_AGAIN, KIND_AGAIN,
				    KIND_BARE, KIND_BARE };
	u32 n;

	memset(st, 0, sizeof(*st));
	st->kind = chance(state, 5) ? rnd(state, KINDS) : kinds[rnd(state, ARRAY_LEN(kinds))];
	st->dir = rnd(state, 2);
	random_place(st, state);
	for (n = rnd(state, 4); n && (st->kind == KIND_SAY || chance(state, 20)); n--)
		insert_word(st, st->n, state);
	if (chance(state, 50))
		random_odd(st, state);
	if (chance(state, 15))
		random_flag(st, state);
	if (chance(state, 5))
		st->option = rnd(state, wire_options());
	if (chance(state, 10))
		st->ack = (s8)rnd(state, 256);
}

static void step_insert(struct input *in, u32 at, const struct step *st)
{
	if (in->n == STEPS_MAX)
		return;
	memmove(&in->steps[at + 1], &in->steps[at], (in->n - at) * sizeof(*st));
	in->steps[at] = *st;
	in->n++;
}

static void step_delete(struct input *in, u32 at)
{
	in->n--;
	memmove(&in->steps[at], &in->steps[at + 1], (in->n - at) * sizeof(in->steps[0]));
}

/* Bytes of one step. */
static void mutate_bytes(struct step *st, u64 *state)
{
	u32 at = rnd(state, st->n + 1), n;

	switch (rnd(state, st->n ? 5 : 1)) {
	case 0:
		insert_word(st, at, state);
		break;
	case 1:
		n = 1 + rnd(state, st->n - at ? st->n - at : 1);
		n = n > st->n - at ? st->n - at : n;
		memmove(st->data + at, st->data + at + n, st->n - at - n);
		st->n -= n;
		break;
	case 2:
		st->data[rnd(state, st->n)] = rnd(state, 256);
		break;
	case 3:
		st->data[rnd(state, st->n)] ^= 1u << rnd(state, 8);
		break;
	default:
		st->n = at;
	}
}

static void mutate_fields(struct step *st, u64 *state)
{
	static const u8 cuts[] = { 0, 1, 2, 7, 16, 64, 200 };

	switch (rnd(state, 12)) {
	case 0:
	case 1:
	case 8:
	case 9:
		random_odd(st, state);
		break;
	case 2:
		random_flag(st, state);
		break;
	case 3:
		st->option = rnd(state, wire_options());
		break;
	case 4:
		st->cut = cuts[rnd(state, ARRAY_LEN(cuts))];
		break;
	case 5:
		st->repeat = rnd(state, chance(state, 20) ? 256 : 4);
		break;
	case 6:
		st->ack = chance(state, 50) ? 0 : (s8)rnd(state, 256);
		break;
	case 7:
		st->dir ^= 1;
		break;
	default:
		random_place(st, state);
	}
}

/* The beginning of one and the end of the other. */
static void splice(struct input *in, const struct input *other, u64 *state)
{
	u32 keep = rnd(state, in->n + 1), from = rnd(state, other->n + 1);
	u32 n = other->n - from;

	if (n > STEPS_MAX - keep)
		n = STEPS_MAX - keep;
	memcpy(&in->steps[keep], &other->steps[from], n * sizeof(in->steps[0]));
	in->n = keep + n;
}

static void mutate_order(struct input *in, u32 at, u64 *state)
{
	struct step st = in->steps[at];

	switch (rnd(state, 4)) {
	case 0:
		step_delete(in, at);
		break;
	case 1:
		step_insert(in, at, &st);
		break;
	case 2:
		step_delete(in, at);
		step_insert(in, rnd(state, in->n + 1), &st);
		break;
	default:
		/* In two, as two segments. */
		if (st.n < 2)
			return;
		st.n = 1 + rnd(state, st.n - 1);
		in->steps[at].n -= st.n;
		memmove(in->steps[at].data, in->steps[at].data + st.n, in->steps[at].n);
		step_insert(in, at, &st);
	}
}

/* What a step says comes late: behind something that is said after it. */
static void mutate_late(struct input *in, u32 at, u64 *state)
{
	struct step *late = &in->steps[at], ahead, again = { .kind = KIND_AGAIN, .dir = late->dir };

	if (late->kind != KIND_SAY || !late->n || in->n + 2u > STEPS_MAX)
		return;
	late->odd |= ODD_UNSENT;
	random_step(&ahead, state);
	ahead.kind = KIND_SAY;
	ahead.dir = late->dir;
	if (!ahead.n)
		insert_word(&ahead, 0, state);
	again.len = late->n * (late->repeat + 1);
	again.at = -again.len - ahead.n;
	step_insert(in, at + 1, &ahead);
	step_insert(in, at + 2, &again);
}

/* What was kept ends where it came by something new, so there it leads further most often. */
static u32 any_place(u32 n, u64 *state)
{
	u32 from = n > LATEST && rnd(state, 2) ? n - LATEST : 0;

	return from + rnd(state, n - from);
}

void mutate(struct input *in, const struct input *other, u64 *state)
{
	u32 times = 1u << rnd(state, 3), at;
	struct step st;

	while (times--) {
		at = any_place(in->n, state);
		switch (in->n ? rnd(state, 17) : 0) {
		case 0:
		case 1:
		case 2:
			random_step(&st, state);
			step_insert(in, any_place(in->n + 1, state), &st);
			break;
		case 3:
			splice(in, other, state);
			break;
		case 4:
			in->shape ^= 1u << (chance(state, 10) ? 5 : rnd(state, 8));
			break;
		case 5:
		case 6:
		case 7:
			mutate_order(in, at, state);
			break;
		case 8:
		case 9:
		case 10:
		case 11:
			mutate_fields(&in->steps[at], state);
			break;
		case 12:
			mutate_late(in, at, state);
			break;
		default:
			mutate_bytes(&in->steps[at], state);
		}
	}
}
