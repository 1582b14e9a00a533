/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets. The first bytes are linear, the rest stands in a block of its own as page fragments do: nobody reads
 * it but by copying. To make bytes writable moves the linear ones, so that a pointer that went stale is noticed.
 */
#ifndef KERNEL_SKB_H
#define KERNEL_SKB_H

#include "base.h"

struct net_device { int ifindex; unsigned int flags; };

struct dst_entry {
	struct net_device *dev;
	unsigned short flags;
	int refs;
};

#define DST_FAKE_RTABLE		1
#define IFF_LOOPBACK		8
#define netif_is_l3_master(dev)	false

static inline bool dst_hold_safe(struct dst_entry *dst)
{
	dst->refs++;
	return true;
}

static inline void dst_release(struct dst_entry *dst)
{
	if (dst)
		dst->refs--;
}

enum { CHECKSUM_NONE, CHECKSUM_UNNECESSARY, CHECKSUM_COMPLETE, CHECKSUM_PARTIAL };

struct skb_shared_info { unsigned short gso_size, gso_segs; };

/**
 * struct sk_buff - a packet; the IP header is at @data
 * @data: linear bytes, a block of exactly their number
 * @head_len: how many
 * @rest: the others, likewise
 * @len: of all
 * @shared: of GSO
 * @cb: of the IP layers
 * @dst: route
 * @mark: of the packet
 * @skb_iif: interface that it came in by
 * @ip_summed: CHECKSUM_*
 */
struct sk_buff {
	u8 *data;
	unsigned int head_len;
	u8 *rest;
	unsigned int len;
	struct skb_shared_info shared;
	struct { int iif, nhoff; } cb;
	struct dst_entry *dst;
	u32 mark;
	int skb_iif;
	u8 ip_summed;
};

#define skb_shinfo(skb)			(&(skb)->shared)
#define skb_is_gso(skb)			((skb)->shared.gso_size != 0)
#define skb_gso_reset(skb)		((void)((skb)->shared = (struct skb_shared_info){ 0 }))
#define skb_dst(skb)			((skb)->dst)
#define skb_valid_dst(skb)		((skb)->dst)
#define skb_has_frag_list(skb)		false
#define skb_linearize(skb)		skb_ensure_writable(skb, (skb)->len)
#define skb_network_offset(skb)		((void)(skb), 0)
#define skb_reset_network_header(skb)	((void)(skb))
#define ip_hdr(skb)			((struct iphdr *)(skb)->data)
#define ipv6_hdr(skb)			((struct ipv6hdr *)(skb)->data)
#define IPCB(skb)			(&(skb)->cb)
#define IP6CB(skb)			(&(skb)->cb)
#define kfree_skb(skb)			((void)(skb))

/* No packet has a jumbo header here. */
#define __skb_pull(skb, n)		kernel_bug("jumbo", __FILE__, __LINE__)

struct sk_buff *skb_make(const u8 *bytes, unsigned int len, unsigned int linear);
void skb_destroy(struct sk_buff *skb);
const void *skb_header_pointer(const struct sk_buff *skb, unsigned int off, unsigned int len, void *buf);
int skb_copy_bits(const struct sk_buff *skb, unsigned int off, void *to, unsigned int len);
int skb_ensure_writable(struct sk_buff *skb, unsigned int len);
int pskb_trim_rcsum(struct sk_buff *skb, unsigned int len);

/* The Internet checksum. */
__wsum csum_partial(const void *p, int len, __wsum sum);
__wsum skb_checksum(const struct sk_buff *skb, unsigned int off, unsigned int len, __wsum sum);
__sum16 csum_fold(__wsum sum);
__wsum csum_block_add(__wsum sum, __wsum other, unsigned int off);

#define csum_unfold(sum)		((__wsum)(sum))
#define csum_block_sub(sum, other, off)	csum_block_add(sum, ~(other), off)

struct in6_addr { u8 s6_addr[16]; };

struct iphdr {
	u8 ihl:4, version:4;
	u8 tos;
	__be16 tot_len, id, frag_off;
	u8 ttl, protocol;
	__sum16 check;
	__be32 saddr, daddr;
};

struct ipv6hdr {
	u8 priority:4, version:4;
	u8 flow_lbl[3];
	__be16 payload_len;
	u8 nexthdr, hop_limit;
	struct in6_addr saddr, daddr;
};

#define IPPROTO_TCP	6
#define NEXTHDR_HOP	0
#define IPV6_TLV_JUMBO	194
#define AF_INET		2
#define AF_INET6	10

__sum16 csum_tcpudp_magic(__be32 saddr, __be32 daddr, u32 len, u8 proto, __wsum sum);
__sum16 csum_ipv6_magic(const struct in6_addr *saddr, const struct in6_addr *daddr, u32 len, u8 proto, __wsum sum);
void ip_send_check(struct iphdr *iph);

struct tcphdr {
	__be16 source, dest;
	__be32 seq, ack_seq;
	u16 res1:4, doff:4, fin:1, syn:1, rst:1, psh:1, ack:1, urg:1, ece:1, cwr:1;
	__be16 window;
	__sum16 check;
	__be16 urg_ptr;
};

#define tcp_flag_byte(th)	(((u8 *)(th))[13])
#define TCPHDR_FIN		0x01
#define TCPHDR_RST		0x04
#define TCPHDR_PSH		0x08
#define TCPHDR_ACK		0x10
#define TCPHDR_URG		0x20
#define TCPOPT_NOP		1
#define TCPOPT_EOL		0
#define TCPOPT_TIMESTAMP	8
#define TCPOLEN_TIMESTAMP	10
#define before(a, b)		((s32)((u32)(a) - (u32)(b)) < 0)
#define after(a, b)		before(b, a)

#endif /* KERNEL_SKB_H */
