// SPDX-License-Identifier: GPL-2.0-only
/* One TCP packet: read, overwrite, cut short. */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
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

int esmtp_packet_write(struct esmtp_packet *pkt, u32 off, const u8 *data,
		       u32 len)
{
	unsigned int at = pkt->payload + off;
	struct tcphdr *th;
	__wsum sum;
	u8 *p;

	if (WARN_ON_ONCE(off > pkt->len || len > pkt->len - off))
		return -EINVAL;
	if (make_writable(pkt, at + len))
		return -ENOMEM;

	p = pkt->skb->data + at;
	th = header(pkt);
	/*
	 * With CHECKSUM_PARTIAL only the pseudo header is summed yet. In every
	 * other state the sum follows the bytes by difference, so that a wrong one
	 * stays wrong; CHECKSUM_COMPLETE's sum over all stays what it was.
	 * TCP headers are of even length: parity counts from the payload.
	 */
	if (pkt->skb->ip_summed != CHECKSUM_PARTIAL) {
		sum = ~csum_unfold(th->check);
		sum = csum_block_sub(sum, csum_partial(p, len, 0), off);
		sum = csum_block_add(sum, csum_partial(data, len, 0), off);
		th->check = csum_fold(sum);
	}
	memcpy(p, data, len);
	return 0;
}

static void set_ip_length(struct esmtp_packet *pkt)
{
	struct sk_buff *skb = pkt->skb;
	struct iphdr *iph;
	struct ipv6hdr *ip6;

	if (pkt->ipv6) {
		ip6 = ipv6_hdr(skb);
		ip6->payload_len = htons(skb->len - skb_network_offset(skb) -
					 sizeof(*ip6));
		return;
	}
	iph = ip_hdr(skb);
	iph->tot_len = htons(skb->len - skb_network_offset(skb));
	ip_send_check(iph);
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
	    pskb_trim_rcsum(pkt->skb, pkt->payload + keep))
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
	struct tcphdr *th;
	__be16 before[2], after[2];
	__wsum sum;

	if (make_writable(pkt, pkt->payload))
		return -ENOMEM;
	th = header(pkt);
	before[0] = ((__be16 *)th)[6];	/* the word with the flags */
	before[1] = th->urg_ptr;
	th->urg = 0;
	th->urg_ptr = 0;
	after[0] = ((__be16 *)th)[6];
	after[1] = 0;
	if (pkt->skb->ip_summed != CHECKSUM_PARTIAL) {
		sum = ~csum_unfold(th->check);
		sum = csum_sub(sum, csum_partial(before, sizeof(before), 0));
		sum = csum_add(sum, csum_partial(after, sizeof(after), 0));
		th->check = csum_fold(sum);
	}
	pkt->urg = false;
	return 0;
}
