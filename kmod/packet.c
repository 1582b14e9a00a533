// SPDX-License-Identifier: GPL-2.0-only
/* One TCP packet: read, overwrite, cut short. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/tcp.h>

#include "packet.h"

bool esmtp_packet_parse(struct esmtp_packet *pkt, struct sk_buff *skb,
			unsigned int thoff, enum esmtp_dir dir, bool ipv6)
{
	const struct tcphdr *th;
	struct tcphdr buf;
	unsigned int hlen;

	th = skb_header_pointer(skb, thoff, sizeof(buf), &buf);
	if (!th)
		return false;
	hlen = th->doff * 4;
	if (hlen < sizeof(*th) || thoff + hlen > skb->len)
		return false;

	*pkt = (struct esmtp_packet) {
		.skb = skb,
		.thoff = thoff,
		.payload = thoff + hlen,
		.len = skb->len - thoff - hlen,
		.seq = ntohl(th->seq),
		.ack = ntohl(th->ack_seq),
		.window = ntohs(th->window),
		.dir = dir,
		.ipv6 = ipv6,
		.syn = th->syn,
		.fin = th->fin,
		.rst = th->rst,
		.has_ack = th->ack,
		.urg = th->urg,
	};
	return true;
}

static struct tcphdr *header(const struct esmtp_packet *pkt)
{
	return (struct tcphdr *)(pkt->skb->data + pkt->thoff);
}

/*
 * Make the first @upto bytes linear and private. A chain of packets (GRO by frag list) is
 * segmented by its members' own headers, so it is flattened as a whole.
 */
static int make_writable(struct esmtp_packet *pkt, unsigned int upto)
{
	struct sk_buff *skb = pkt->skb;

	if (skb_has_frag_list(skb) && skb_linearize(skb))
		return -ENOMEM;
	return skb_ensure_writable(skb, upto) ? -ENOMEM : 0;
}

/*
 * Overwrite @len bytes at @off of the segment, header included, and keep the checksum right.
 * With CHECKSUM_PARTIAL only the pseudo header is summed yet. In every other state the sum
 * follows the bytes by difference, so that a wrong one stays wrong; CHECKSUM_COMPLETE's sum
 * over all stays what it was.
 */
int esmtp_packet_overwrite(struct esmtp_packet *pkt, unsigned int off,
			   const u8 *data, unsigned int len)
{
	struct tcphdr *th;
	__wsum sum;
	u8 *p;

	if (make_writable(pkt, pkt->thoff + max(off + len, 20u)))
		return -ENOMEM;

	p = pkt->skb->data + pkt->thoff + off;
	th = header(pkt);
	if (pkt->skb->ip_summed != CHECKSUM_PARTIAL) {
		sum = ~csum_unfold(th->check);
		sum = csum_block_sub(sum, csum_partial(p, len, 0), off);
		sum = csum_block_add(sum, csum_partial(data, len, 0), off);
		th->check = csum_fold(sum);
	}
	memcpy(p, data, len);
	return 0;
}

int esmtp_packet_write(struct esmtp_packet *pkt, u32 off, const u8 *data,
		       u32 len)
{
	if (WARN_ON_ONCE(off > pkt->len || len > pkt->len - off))
		return -EINVAL;
	return esmtp_packet_overwrite(pkt, pkt->payload - pkt->thoff + off,
				      data, len);
}

/* Of a header's field of 16 bits; packets that are larger (BIG TCP) have 0 there. */
static __be16 short_length(u32 len)
{
	return htons(len > 0xffff ? 0 : len);
}

static void set_ip_length(struct esmtp_packet *pkt)
{
	struct sk_buff *skb = pkt->skb;
	u32 len = skb->len - skb_network_offset(skb);
	struct iphdr *iph;

	if (pkt->ipv6) {
		ipv6_hdr(skb)->payload_len =
			short_length(len - sizeof(struct ipv6hdr));
		return;
	}
	iph = ip_hdr(skb);
	iph->tot_len = short_length(len);
	ip_send_check(iph);
}

/* Hop-by-hop header with nothing but a jumbo payload option (RFC 2675). */
#define JUMBO_LEN 8u

static bool has_jumbo(const struct esmtp_packet *pkt)
{
	const struct ipv6hdr *ip6 = ipv6_hdr(pkt->skb);
	const u8 *hop = (const u8 *)(ip6 + 1);

	return pkt->ipv6 && ip6->nexthdr == NEXTHDR_HOP &&
	       pkt->thoff >= skb_network_offset(pkt->skb) + sizeof(*ip6) +
			     JUMBO_LEN &&
	       !hop[1] && hop[2] == IPV6_TLV_JUMBO;
}

/*
 * Kernels that carry IPv6 packets over 64 KiB with a jumbo header take it off when they cut
 * them into segments, but only off packets that are still so large.
 * Returns 0, or -EINVAL if the header cannot be taken off here.
 */
static int shrink_jumbo(struct esmtp_packet *pkt)
{
	struct sk_buff *skb = pkt->skb;
	enum ip_conntrack_info ctinfo;
	const struct nf_conn *ct;
	struct ipv6hdr *ip6;
	u32 len;

	if (!has_jumbo(pkt))
		return 0;
	ip6 = ipv6_hdr(skb);
	len = skb->len - skb_network_offset(skb) - sizeof(*ip6);
	if (len - JUMBO_LEN > 0xffff) {
		put_unaligned_be32(len, (u8 *)(ip6 + 1) + 4);
		return 0;
	}
	/* Who adjusts sequence numbers behind us has noted where the TCP header is. */
	ct = nf_ct_get(skb, &ctinfo);
	if (skb_network_offset(skb) ||
	    (ct && test_bit(IPS_SEQ_ADJUST_BIT, &ct->status)))
		return -EINVAL;
	ip6->nexthdr = *(u8 *)(ip6 + 1);
	memmove(skb->data + JUMBO_LEN, skb->data, sizeof(*ip6));
	__skb_pull(skb, JUMBO_LEN);
	skb_reset_network_header(skb);
	if (IP6CB(skb)->nhoff == sizeof(*ip6))
		IP6CB(skb)->nhoff = offsetof(struct ipv6hdr, nexthdr);
	pkt->thoff -= JUMBO_LEN;
	pkt->payload -= JUMBO_LEN;
	return 0;
}

static __sum16 pseudo_sum(const struct esmtp_packet *pkt, u32 len, __wsum sum)
{
	const struct iphdr *iph = ip_hdr(pkt->skb);
	const struct ipv6hdr *ip6 = ipv6_hdr(pkt->skb);

	if (pkt->ipv6)
		return csum_ipv6_magic(&ip6->saddr, &ip6->daddr, len,
				       IPPROTO_TCP, sum);
	return csum_tcpudp_magic(iph->saddr, iph->daddr, len, IPPROTO_TCP, sum);
}

static void sum_anew(struct esmtp_packet *pkt)
{
	struct sk_buff *skb = pkt->skb;
	u32 len = skb->len - pkt->thoff;
	struct tcphdr *th = header(pkt);

	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		th->check = ~pseudo_sum(pkt, len, 0);
		return;
	}
	th->check = 0;
	th->check = pseudo_sum(pkt, len, skb_checksum(skb, pkt->thoff, len, 0));
	skb->ip_summed = CHECKSUM_NONE;
}

/* A GSO packet of one segment would be thrown away by segmentation. */
static void fix_gso(struct esmtp_packet *pkt)
{
	struct sk_buff *skb = pkt->skb;
	unsigned int size = skb_shinfo(skb)->gso_size;

	if (!skb_is_gso(skb))
		return;
	if (pkt->len <= size)
		skb_gso_reset(skb);
	else
		skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(pkt->len, size);
}

int esmtp_packet_cut(struct esmtp_packet *pkt, u32 keep)
{
	struct tcphdr *th;

	if (WARN_ON_ONCE(keep >= pkt->len))
		return -EINVAL;
	if (make_writable(pkt, pkt->payload) ||
	    pskb_trim_rcsum(pkt->skb, pkt->payload + keep) ||
	    shrink_jumbo(pkt))
		return -ENOMEM;

	pkt->len = keep;
	pkt->fin = false;
	th = header(pkt);
	th->fin = 0;
	th->psh = 0;
	set_ip_length(pkt);
	sum_anew(pkt);
	fix_gso(pkt);
	return 0;
}

int esmtp_packet_clear_urgent(struct esmtp_packet *pkt)
{
	static const u8 none[2];
	u8 flags;

	if (make_writable(pkt, pkt->payload))
		return -ENOMEM;
	flags = tcp_flag_byte(header(pkt)) & ~TCPHDR_URG;
	if (esmtp_packet_overwrite(pkt, 13, &flags, 1) ||
	    esmtp_packet_overwrite(pkt, offsetof(struct tcphdr, urg_ptr), none, 2))
		return -ENOMEM;
	pkt->urg = false;
	return 0;
}

int esmtp_packet_clear_fin(struct esmtp_packet *pkt)
{
	u8 flags;

	if (make_writable(pkt, pkt->payload))
		return -ENOMEM;
	flags = tcp_flag_byte(header(pkt)) & ~TCPHDR_FIN;
	if (esmtp_packet_overwrite(pkt, 13, &flags, 1))
		return -ENOMEM;
	pkt->fin = false;
	return 0;
}

int esmtp_packet_set_window(struct esmtp_packet *pkt, u16 window)
{
	__be16 value = htons(window);

	if (esmtp_packet_overwrite(pkt, offsetof(struct tcphdr, window), (u8 *)&value,
		      sizeof(value)))
		return -ENOMEM;
	pkt->window = window;
	return 0;
}

bool esmtp_packet_sum_ok(const struct esmtp_packet *pkt)
{
	const struct sk_buff *skb = pkt->skb;
	u32 len = skb->len - pkt->thoff;

	if (skb->ip_summed == CHECKSUM_PARTIAL ||
	    skb->ip_summed == CHECKSUM_UNNECESSARY)
		return true;
	return !pseudo_sum(pkt, len, skb_checksum(skb, pkt->thoff, len, 0));
}
