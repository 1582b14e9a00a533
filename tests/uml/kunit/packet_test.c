// SPDX-License-Identifier: GPL-2.0-only
/* kmod/packet.c and kmod/options.c, on packets of every kind. */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <net/tcp.h>

#include "model.h"

#define ROUNDS		3000
#define STEPS		6
#define JUMBO		70001u

static const char * const shapes[] = { "linear", "cloned", "paged", "frag list" };
static const char * const states[] = { "none", "unnecessary", "complete", "partial" };

static void complain(struct kunit *test, const struct model *m,
		     const char *fault, const char *after)
{
	const struct model_kind *k = &m->kind;

	KUNIT_FAIL(test, "after %s %s is wrong: IPv%d%s, %s%s, checksum %s, %u bytes in segments of %u",
		   after, fault, k->ipv6 ? 6 : 4, k->ext ? " with a header more" : "",
		   shapes[k->shape], k->skew ? " at an odd address" : "",
		   states[k->summed], k->len, k->gso);
}

/* False is said once; who hears it stops. */
static bool right(struct kunit *test, const struct model *m, const char *after)
{
	const char *fault = model_fault(m) ?: model_sent_fault(m);

	if (fault)
		complain(test, m, fault, after);
	return !fault;
}

static struct model *packet(struct kunit *test, const struct model_kind *kind,
			    u16 wrong)
{
	struct model *m = model_new(kind, wrong);

	KUNIT_ASSERT_NOT_NULL(test, m);
	return m;
}

/* Overwrites bytes of the payload with others. */
static int overwrite(struct model *m, u32 off, u32 len)
{
	u8 *to = m->bytes + m->payload + off;
	u32 i;

	for (i = 0; i < len; i++)
		to[i] = to[i] * 5 + 0x83;
	return esmtp_packet_write(&m->pkt, off, to, len);
}

static int cut(struct model *m, u32 keep)
{
	model_cut(m, keep);
	return esmtp_packet_cut(&m->pkt, keep);
}

static bool writes(struct kunit *test, const struct model_kind *kind, u16 wrong)
{
	u32 len = kind->len, i;
	const u32 ranges[][2] = {
		{ 0, 0 }, { 0, 1 }, { len - 1, 1 }, { len / 2 | 1, len / 3 }, { len / 4 & ~1u, len / 2 }, { 0, len },
	};
	struct model *m;
	bool good = true;

	for (i = 0; i < ARRAY_SIZE(ranges) && good; i++) {
		if (ranges[i][0] + ranges[i][1] > len)
			continue;
		m = packet(test, kind, wrong);
		good = right(test, m, "nothing") &&
		       !overwrite(m, ranges[i][0], ranges[i][1]) &&
		       right(test, m, "a write") &&
		       !overwrite(m, ranges[i][0], ranges[i][1]) &&
		       right(test, m, "a write at the same place");
		model_free(m);
	}
	return good;
}

static void test_writes(struct kunit *test)
{
	struct model_kind kind = {};

	while (model_next(&kind))
		if (!writes(test, &kind, 0))
			return;
}

/* Who has broken a packet on the way finds it broken when it arrives. */
static void test_wrong_stays_wrong(struct kunit *test)
{
	static const u16 wrong[] = { 1, 0x0100, 0x8000, 0xfffe };
	struct model_kind kind = {};
	u32 i;

	while (model_next(&kind)) {
		if (kind.summed == CHECKSUM_PARTIAL)
			continue;
		for (i = 0; i < ARRAY_SIZE(wrong); i++)
			if (!writes(test, &kind, wrong[i]))
				return;
	}
}

static bool cuts(struct kunit *test, const struct model_kind *kind)
{
	const u32 keeps[] = {
		0, 1, 2, kind->gso - 1, kind->gso, kind->gso + 1,
		2 * kind->gso, kind->len / 2 | 1, kind->len - 2, kind->len - 1,
	};
	bool good = true;
	struct model *m;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(keeps) && good; i++) {
		if (keeps[i] >= kind->len)
			continue;
		m = packet(test, kind, 0);
		good = !cut(m, keeps[i]) && right(test, m, "a cut");
		if (good && keeps[i] > 1)
			good = !overwrite(m, 1, keeps[i] - 1) &&
			       right(test, m, "a write before the cut") &&
			       !cut(m, 1) && right(test, m, "a second cut");
		KUNIT_EXPECT_FALSE(test, m->pkt.fin);
		model_free(m);
	}
	return good;
}

static void test_cuts(struct kunit *test)
{
	struct model_kind kind = {};

	while (model_next(&kind))
		if (!cuts(test, &kind))
			return;
}

static u32 below(struct rnd_state *rnd, u32 n)
{
	return prandom_u32_state(rnd) % n;
}

static void random_kind(struct rnd_state *rnd, struct model_kind *kind)
{
	*kind = (struct model_kind) {
		.shape = below(rnd, MODEL_SHAPES),
		.summed = below(rnd, CHECKSUM_PARTIAL + 1),
		.ipv6 = below(rnd, 2),
		.ext = below(rnd, 2),
		.skew = below(rnd, 2),
		.len = 1 + below(rnd, below(rnd, 4) ? 100 : 9000),
	};
	if (kind->len > 2 && below(rnd, 2))
		kind->gso = 1 + below(rnd, kind->len - 1);
	/* No packet has more segments than that. */
	if (kind->gso && kind->len / kind->gso > 60)
		kind->gso = 0;
}

static bool step(struct kunit *test, struct model *m, struct rnd_state *rnd)
{
	u32 off = below(rnd, m->len + 1);

	if (off < m->len && !below(rnd, 3))
		return !cut(m, off) && right(test, m, "a cut among others");
	return !overwrite(m, off, below(rnd, m->len - off + 1)) &&
	       right(test, m, "a write among others");
}

static void test_series(struct kunit *test)
{
	struct model_kind kind;
	struct rnd_state rnd;
	bool good = true;
	struct model *m;
	u32 i, n;

	prandom_seed_state(&rnd, 25);
	for (i = 0; i < ROUNDS && good; i++) {
		random_kind(&rnd, &kind);
		m = packet(test, &kind, 0);
		for (n = 0; n < STEPS && good; n++)
			good = step(test, m, &rnd);
		model_free(m);
	}
}

static void test_sum_ok(struct kunit *test)
{
	struct model_kind kind = {};
	bool trusted, good, bad;
	struct model *m;

	while (model_next(&kind)) {
		trusted = kind.summed == CHECKSUM_UNNECESSARY ||
			  kind.summed == CHECKSUM_PARTIAL;
		m = packet(test, &kind, 0);
		good = esmtp_packet_sum_ok(&m->pkt);
		model_free(m);
		m = packet(test, &kind, 0x0200);
		bad = esmtp_packet_sum_ok(&m->pkt);
		if (!good || bad != trusted)
			complain(test, m, "what is said of the checksum", "nothing");
		model_free(m);
		if (!good || bad != trusted)
			return;
	}
}

/* Fields of the header. */
static bool fields(struct kunit *test, struct model *m)
{
	struct tcphdr *th = model_tcp(m);

	th->window = htons(0x1234);
	if (esmtp_packet_set_window(&m->pkt, 0x1234) ||
	    !right(test, m, "a new window"))
		return false;
	th->fin = 0;
	if (esmtp_packet_clear_fin(&m->pkt) || !right(test, m, "FIN off"))
		return false;
	/* Off is off. */
	th->urg = 0;
	th->urg_ptr = 0;
	return !esmtp_packet_clear_urgent(&m->pkt) &&
	       right(test, m, "URG off");
}

static void test_fields(struct kunit *test)
{
	static const u8 urgent[] = { 0x39, 0x7f, 0xff, 0, 0, 0x12, 0x34 };
	struct model_kind kind = {};
	struct model *m;
	bool good = true;

	while (good && model_next(&kind)) {
		m = packet(test, &kind, 0);
		/* URG on, by the function that writes anything; bytes 16 and 17 are the checksum. */
		good = !esmtp_packet_overwrite(&m->pkt, 13, urgent, 3) &&
		       !esmtp_packet_overwrite(&m->pkt, 18, urgent + 5, 2);
		memcpy((u8 *)model_tcp(m) + 13, urgent, 3);
		memcpy((u8 *)model_tcp(m) + 18, urgent + 5, 2);
		good = good && right(test, m, "URG on") && fields(test, m);
		KUNIT_EXPECT_FALSE(test, m->pkt.fin || m->pkt.urg);
		KUNIT_EXPECT_EQ(test, m->pkt.window, 0x1234);
		model_free(m);
	}
}

/* 12 bytes of options, what is read of them, what they are with MPTCP overwritten. */
static const struct options_case {
	u8 was[12], is[12];
	struct esmtp_options said;
} options_cases[] = {
	{ { 1, 1, 8, 10, 0xde, 0xad, 0, 1, 0, 0, 0, 9 },
	  { 1, 1, 8, 10, 0xde, 0xad, 0, 1, 0, 0, 0, 9 },
	  { .stamped = true, .tsval = 0xdead0001 } },
	{ { 30, 12, 0x10, 0, 1, 2, 3, 4, 5, 6, 7, 8 },
	  { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 },
	  { .mptcp = true, .mptcp_join = true } },
	{ { 30, 4, 0x01, 0, 2, 4, 5, 0xb4, 30, 3, 0x20, 1 },
	  { 1, 1, 1, 1, 2, 4, 5, 0xb4, 1, 1, 1, 1 },
	  { .mptcp = true } },
	/* Behind the end nothing is read; nor behind a length that cannot be. */
	{ { 0, 30, 4, 0x10, 2, 1, 1, 1, 1, 1, 1, 1 },
	  { 0, 30, 4, 0x10, 2, 1, 1, 1, 1, 1, 1, 1 }, {} },
	{ { 30, 1, 30, 4, 0x10, 2, 1, 1, 1, 1, 1, 1 },
	  { 30, 1, 30, 4, 0x10, 2, 1, 1, 1, 1, 1, 1 }, {} },
	{ { 1, 1, 1, 1, 1, 1, 1, 1, 30, 5, 0x10, 0 },
	  { 1, 1, 1, 1, 1, 1, 1, 1, 30, 5, 0x10, 0 }, {} },
	{ { 8, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 30 },
	  { 8, 9, 0, 0, 0, 0, 0, 0, 0, 1, 1, 30 }, {} },
};

static bool options_right(struct kunit *test, struct model *m,
			  const struct options_case *c)
{
	struct esmtp_options said;
	u8 *at = m->bytes + m->thoff + sizeof(struct tcphdr);

	memcpy(at, c->was, sizeof(c->was));
	if (esmtp_packet_overwrite(&m->pkt, 20, c->was, sizeof(c->was)) ||
	    !right(test, m, "other options"))
		return false;
	esmtp_packet_options(&m->pkt, &said);
	KUNIT_EXPECT_EQ(test, said.stamped, c->said.stamped);
	KUNIT_EXPECT_EQ(test, said.tsval, c->said.tsval);
	KUNIT_EXPECT_EQ(test, said.mptcp, c->said.mptcp);
	KUNIT_EXPECT_EQ(test, said.mptcp_join, c->said.mptcp_join);
	memcpy(at, c->is, sizeof(c->is));
	return !esmtp_packet_blank_mptcp(&m->pkt) &&
	       right(test, m, "MPTCP off");
}

static void test_options(struct kunit *test)
{
	struct model_kind kind = {};
	struct model *m;
	bool good = true;
	u32 i;

	while (good && model_next(&kind)) {
		for (i = 0; i < ARRAY_SIZE(options_cases) && good; i++) {
			m = packet(test, &kind, 0);
			good = options_right(test, m, &options_cases[i]);
			model_free(m);
		}
	}
}

/* IPv6 packets over 64 KiB have a header that those under it must not have. */
static void test_jumbo(struct kunit *test)
{
	static const u32 keeps[] = { JUMBO - 1, 0x10000 - 32, 0x10000 - 33, 1449, 1448, 1, 0 };
	struct model_kind kind = {
		.summed = CHECKSUM_PARTIAL, .ipv6 = true, .ext = true, .gso = 1448, .len = JUMBO,
	};
	bool good = true;
	struct model *m;
	u32 i;

	for (; kind.shape < MODEL_SHAPES && good; kind.shape++) {
		for (i = 0; i < ARRAY_SIZE(keeps) && good; i++) {
			m = packet(test, &kind, 0);
			good = right(test, m, "nothing") &&
			       !overwrite(m, JUMBO / 2, 99) &&
			       right(test, m, "a write") && !cut(m, keeps[i]) &&
			       right(test, m, "a cut");
			model_free(m);
		}
	}
}

/* What is no part of the packet, any more or at all, is not written. The kernel warns of each function once. */
static void test_beyond(struct kunit *test)
{
	struct model_kind kind = {};
	struct model *m;
	bool good = true;

	while (good && model_next(&kind)) {
		if (kind.len < 3)
			continue;
		m = packet(test, &kind, 0);
		KUNIT_EXPECT_EQ(test, cut(m, 2), 0);
		good = esmtp_packet_write(&m->pkt, 2, "x", 1) == -EINVAL &&
		       esmtp_packet_write(&m->pkt, 1, "xy", 2) == -EINVAL &&
		       esmtp_packet_write(&m->pkt, 3, "", 0) == -EINVAL &&
		       esmtp_packet_write(&m->pkt, 1, "x", -1) == -EINVAL &&
		       esmtp_packet_cut(&m->pkt, 2) == -EINVAL &&
		       esmtp_packet_cut(&m->pkt, 3) == -EINVAL;
		if (!good)
			complain(test, m, "the answer", "a write or cut behind the end");
		good = good && right(test, m, "writes and cuts behind the end");
		model_free(m);
	}
}

static void test_no_header(struct kunit *test)
{
	struct model_kind kind = { .len = 5 };
	struct model *m = packet(test, &kind, 0);
	struct sk_buff *skb = m->pkt.skb;
	struct tcphdr *th = (struct tcphdr *)(skb->data + m->thoff);
	struct esmtp_packet pkt;
	u32 doff;

	for (doff = 0; doff < 16; doff++) {
		th->doff = doff;
		KUNIT_EXPECT_EQ(test, doff >= 5 && doff * 4 <= skb->len - m->thoff,
				esmtp_packet_parse(&pkt, skb, m->thoff, ESMTP_DIR_SERVER, false));
	}
	KUNIT_EXPECT_FALSE(test, esmtp_packet_parse(&pkt, skb, skb->len - 19, ESMTP_DIR_SERVER, false));
	model_free(m);
}

static struct kunit_case packet_cases[] = {
	KUNIT_CASE(test_writes),
	KUNIT_CASE(test_wrong_stays_wrong),
	KUNIT_CASE(test_cuts),
	KUNIT_CASE(test_series),
	KUNIT_CASE(test_sum_ok),
	KUNIT_CASE(test_fields),
	KUNIT_CASE(test_options),
	KUNIT_CASE(test_jumbo),
	KUNIT_CASE(test_beyond),
	KUNIT_CASE(test_no_header),
	{}
};

static struct kunit_suite packet_suite = {
	.name = "packet",
	.test_cases = packet_cases,
};

kunit_test_suites(&packet_suite, &segment_suite);

MODULE_DESCRIPTION("tests of the parts of nf_conntrack_esmtp that touch packets");
MODULE_LICENSE("GPL");
