// SPDX-License-Identifier: GPL-2.0-only
/* Segments of our own, as kmod/segment.c builds them, byte by byte. */
#include <kunit/test.h>

#include "../kmod/segment.c"
#include "model.h"

#define DATA_MAX	513u

static const u8 src6[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
static const u8 dst6[16] = { 0x20, 1, 0xd, 0xb8, 0, 7, [15] = 0xfe };
static const u8 src4[4] = { 192, 0, 2, 1 };
static const u8 dst4[4] = { 198, 51, 100, 77 };

/* IP header, without its checksum, and TCP header, without its own. */
static const u8 ip4[20] = { 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 77 };
static const u8 tcp[20] = { 0, 25, 0xc0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x19, 0xab, 0xcd };
static const u8 stamp[12] = { 1, 1, 8, 10, 0xa0, 0xa1, 0xa2, 0xa3, 0xb0, 0xb1, 0xb2, 0xb3 };

static u32 put_ip(u8 *to, bool ipv6, u32 len)
{
	if (!ipv6) {
		memcpy(to, ip4, sizeof(ip4));
		put_unaligned_be16(sizeof(ip4) + len, to + 2);
		return sizeof(ip4);
	}
	memset(to, 0, 40);
	to[0] = 0x60;
	put_unaligned_be16(len, to + 4);
	to[6] = IPPROTO_TCP;
	to[7] = 64;
	memcpy(to + 8, src6, 16);
	memcpy(to + 24, dst6, 16);
	return 40;
}

static void ends_fill(struct ends *ends, bool ipv6)
{
	memcpy(&ends->src, ipv6 ? src6 : src4, ipv6 ? 16 : 4);
	memcpy(&ends->dst, ipv6 ? dst6 : dst4, ipv6 ? 16 : 4);
	ends->sport = htons(25);
	ends->dport = htons(0xc001);
}

/* The checksums are wanted to be right, whatever they are. Returns the length. */
static u32 wanted(u8 *to, bool ipv6, const struct esmtp_segment *seg)
{
	u32 opt = seg->stamped ? sizeof(stamp) : 0;
	u32 thoff = put_ip(to, ipv6, sizeof(tcp) + opt + seg->len);
	u8 *th = to + thoff;

	memcpy(th, tcp, sizeof(tcp));
	th[12] += opt << 2;
	memcpy(th + sizeof(tcp), stamp, opt);
	memcpy(th + sizeof(tcp) + opt, seg->data, seg->len);
	return thoff + sizeof(tcp) + opt + seg->len;
}

static void one(struct kunit *test, bool ipv6, const struct esmtp_segment *seg,
		u8 *want)
{
	u32 thoff = ipv6 ? 40 : 20, len = wanted(want, ipv6, seg);
	struct ends ends = {};
	struct sk_buff *skb;

	ends_fill(&ends, ipv6);
	skb = ipv6 ? build6(&ends, seg) : build4(&ends, seg);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_ASSERT_EQ(test, skb->len, len);
	KUNIT_ASSERT_FALSE(test, skb_is_nonlinear(skb));

	KUNIT_EXPECT_EQ_MSG(test, model_sum(skb->data, ipv6, skb->data + thoff, len - thoff), 0xffff,
			    "checksum, IPv%d, %u bytes", ipv6 ? 6 : 4, seg->len);
	if (!ipv6)
		KUNIT_EXPECT_EQ(test, ip_fast_csum(skb->data, 5), 0);
	memset(skb->data + thoff + 16, 0, 2);
	if (!ipv6)
		memset(skb->data + 10, 0, 2);
	KUNIT_EXPECT_EQ_MSG(test, memcmp(skb->data, want, len), 0,
			    "bytes, IPv%d, %u of payload: got %*ph", ipv6 ? 6 : 4, seg->len,
			    64, skb->data);
	KUNIT_EXPECT_EQ(test, skb->protocol, htons(ipv6 ? ETH_P_IPV6 : ETH_P_IP));
	KUNIT_EXPECT_TRUE(test, skb->ip_summed == CHECKSUM_NONE);
	KUNIT_EXPECT_EQ(test, skb_network_offset(skb), 0);
	KUNIT_EXPECT_EQ(test, skb_transport_offset(skb), thoff);
	kfree_skb(skb);
}

static void test_built(struct kunit *test)
{
	u8 *data = kunit_kzalloc(test, DATA_MAX, GFP_KERNEL);
	u8 *want = kunit_kzalloc(test, DATA_MAX + 100, GFP_KERNEL);
	struct esmtp_segment seg = {
		.flags = TCPHDR_ACK | TCPHDR_PSH | TCPHDR_FIN,
		.window = 0xabcd, .seq = 0x01020304, .ack = 0x05060708,
		.tsval = 0xa0a1a2a3, .tsecr = 0xb0b1b2b3, .data = data,
	};
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, data);
	KUNIT_ASSERT_NOT_NULL(test, want);
	for (i = 0; i < DATA_MAX; i++)
		data[i] = i * 3 + 0x71;
	for (i = 0; i < 4; i++) {
		seg.stamped = i & 1;
		for (seg.len = 0; seg.len <= DATA_MAX; seg.len += 1 + seg.len / 8)
			one(test, i & 2, &seg, want);
	}
}

static struct kunit_case segment_cases[] = {
	KUNIT_CASE(test_built),
	{}
};

struct kunit_suite segment_suite = {
	.name = "segment",
	.test_cases = segment_cases,
};
