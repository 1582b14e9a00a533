// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP segments of our own, sent to one end in the other's name.
 *
 * They are built from the entry's tuples as the receiver knows the addresses, and leave by the
 * route of the packets that went there before: so NAT, policy routing and a closed OUTPUT chain
 * do not matter.
 */
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netfilter.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/ipv6.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/route.h>
#include <net/tcp.h>

#include "session.h"

/**
 * struct ends - addresses and ports of a segment, on the wire where it is received
 * @src: the peer, as the receiver knows it
 * @dst: the receiver
 * @sport: port of @src
 * @dport: port of @dst
 */
struct ends {
	union nf_inet_addr src, dst;
	__be16 sport, dport;
};

/*
 * @dir is the direction the segment travels in. Its receiver knows itself by the other
 * direction's source and its peer by that direction's destination.
 */
static void ends_of(const struct nf_conn *ct, enum esmtp_dir dir,
		    struct ends *ends)
{
	const struct nf_conntrack_tuple *t;

	t = nf_ct_tuple(ct, dir == ESMTP_DIR_CLIENT ? IP_CT_DIR_REPLY :
						      IP_CT_DIR_ORIGINAL);
	ends->src = t->dst.u3;
	ends->sport = t->dst.u.tcp.port;
	ends->dst = t->src.u3;
	ends->dport = t->src.u.tcp.port;
}

static unsigned int options_len(const struct esmtp_segment *seg)
{
	return seg->stamped ? TCPOLEN_TSTAMP_ALIGNED : 0;
}

/* With an empty IP header of @ip_len; the rest is zero, too, up to the payload. */
static struct sk_buff *alloc(const struct esmtp_segment *seg,
			     unsigned int ip_len)
{
	unsigned int tcp_len = sizeof(struct tcphdr) + options_len(seg);
	struct sk_buff *skb;

	skb = alloc_skb(LL_MAX_HEADER + ip_len + tcp_len + seg->len,
			GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_network_header(skb);
	skb_put_zero(skb, ip_len);
	skb_set_transport_header(skb, ip_len);
	skb_put_zero(skb, tcp_len);
	if (seg->len)
		skb_put_data(skb, seg->data, seg->len);
	return skb;
}

static void put_stamp(struct tcphdr *th, const struct esmtp_segment *seg)
{
	__be32 *opt = (__be32 *)(th + 1);

	*opt++ = htonl((TCPOPT_NOP << 24) | (TCPOPT_NOP << 16) |
		       (TCPOPT_TIMESTAMP << 8) | TCPOLEN_TIMESTAMP);
	*opt++ = htonl(seg->tsval);
	*opt = htonl(seg->tsecr);
}

/* All but the checksum. Returns the length of header and payload. */
static unsigned int put_tcp(struct sk_buff *skb, const struct ends *ends,
			    const struct esmtp_segment *seg)
{
	struct tcphdr *th = tcp_hdr(skb);

	th->source = ends->sport;
	th->dest = ends->dport;
	th->seq = htonl(seg->seq);
	th->ack_seq = htonl(seg->ack);
	th->doff = (sizeof(*th) + options_len(seg)) / 4;
	tcp_flag_byte(th) = seg->flags;
	th->window = htons(seg->window);
	if (seg->stamped)
		put_stamp(th, seg);
	return th->doff * 4 + seg->len;
}

static struct sk_buff *build4(const struct ends *ends,
			      const struct esmtp_segment *seg)
{
	struct sk_buff *skb = alloc(seg, sizeof(struct iphdr));
	struct iphdr *iph;
	unsigned int len;

	if (!skb)
		return NULL;
	iph = ip_hdr(skb);
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tot_len = htons(skb->len);
	iph->frag_off = htons(IP_DF);
	iph->ttl = IPDEFTTL;
	iph->protocol = IPPROTO_TCP;
	iph->saddr = ends->src.ip;
	iph->daddr = ends->dst.ip;
	ip_send_check(iph);
	len = put_tcp(skb, ends, seg);
	tcp_hdr(skb)->check = tcp_v4_check(len, iph->saddr, iph->daddr,
					   csum_partial(tcp_hdr(skb), len, 0));
	skb->protocol = htons(ETH_P_IP);
	return skb;
}

static struct sk_buff *build6(const struct ends *ends,
			      const struct esmtp_segment *seg)
{
	struct sk_buff *skb = alloc(seg, sizeof(struct ipv6hdr));
	struct ipv6hdr *ip6;
	unsigned int len;

	if (!skb)
		return NULL;
	ip6 = ipv6_hdr(skb);
	ip6->version = 6;
	ip6->nexthdr = IPPROTO_TCP;
	ip6->hop_limit = IPDEFTTL;
	ip6->saddr = ends->src.in6;
	ip6->daddr = ends->dst.in6;
	len = put_tcp(skb, ends, seg);
	ip6->payload_len = htons(len);
	tcp_hdr(skb)->check = csum_ipv6_magic(&ip6->saddr, &ip6->daddr, len,
					      IPPROTO_TCP,
					      csum_partial(tcp_hdr(skb), len, 0));
	skb->protocol = htons(ETH_P_IPV6);
	IP6CB(skb)->nhoff = offsetof(struct ipv6hdr, nexthdr);
	return skb;
}

/* An IPv4 route that was found for an incoming packet can deliver, not send. */
static bool delivers(const struct sk_buff *skb)
{
	const struct rtable *rt = skb_rtable(skb);

	return skb->protocol == htons(ETH_P_IP) && rt_is_input_route(rt) &&
	       rt->rt_type == RTN_LOCAL;
}

static void deliver(struct net *net, struct sk_buff *skb, int iif)
{
	struct net_device *dev = dev_get_by_index_rcu(net, iif);

	skb->dev = dev ?: skb_dst(skb)->dev;
	skb->skb_iif = skb->dev->ifindex;
	IPCB(skb)->iif = skb->dev->ifindex;
	skb->pkt_type = PACKET_HOST;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	dst_input(skb);
}

/* For an end that nothing but a handshake has passed to: a server whose first bytes close. */
static struct dst_entry *find_route(struct net *net, const struct ends *ends,
				    u8 family, u32 mark)
{
	struct flowi fl = {};
	struct dst_entry *dst;

	if (family == AF_INET6) {
		fl.u.ip6.daddr = ends->dst.in6;
		fl.u.ip6.flowi6_mark = mark;
	} else {
		fl.u.ip4.daddr = ends->dst.ip;
		fl.u.ip4.flowi4_mark = mark;
	}
	return nf_route(net, &dst, &fl, false, family) ? NULL : dst;
}

void esmtp_flow_route(struct esmtp_flow *fl, const struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb);

	fl->mark = skb->mark;
	fl->iif = skb->skb_iif;
	if (dst == fl->dst || !dst || !dst_hold_safe(dst))
		return;
	dst_release(fl->dst);
	fl->dst = dst;
}

void esmtp_way_get(const struct esmtp_session *s, enum esmtp_dir dir,
		   struct esmtp_way *way)
{
	struct dst_entry *dst = s->flow[dir].dst;

	/* Where nothing has passed yet, marks are mostly the connection's. */
	way->mark = s->flow[dst ? dir : !dir].mark;
	way->iif = s->flow[dir].iif;
	way->dst = dst && dst_hold_safe(dst) ? dst : NULL;
}

void esmtp_way_put(struct esmtp_way *way)
{
	dst_release(way->dst);
	way->dst = NULL;
}

/*
 * Sequence numbers are the sender's own until somebody adjusts them. For the original direction
 * that is done behind us; RELATED packets of the other one are let by.
 */
static void adjust(const struct nf_conn *ct, struct esmtp_segment *seg)
{
	const struct nf_conn_synproxy *proxy = nfct_synproxy(ct);

	if (seg->dir == ESMTP_DIR_SERVER &&
	    test_bit(IPS_SEQ_ADJUST_BIT, &ct->status))
		seg->seq += nf_ct_seq_offset(ct, IP_CT_DIR_REPLY, seg->seq);
	/* We know the server's clock as the client sees it; synproxy takes its offset off once more. */
	if (seg->dir == ESMTP_DIR_SERVER && proxy)
		seg->tsval += proxy->tsoff;
}

/*
 * RELATED with the entry attached: conntrack and NAT leave it alone (its addresses are
 * final, and NAT maps them onto themselves), a ruleset sees what it is, help() and the
 * guard let it by.
 */
bool esmtp_segment_send(struct esmtp_net *en, struct nf_conn *ct,
			const struct esmtp_way *way, struct esmtp_segment seg)
{
	u8 family = nf_ct_l3num(ct);
	struct sk_buff *skb = NULL;
	struct dst_entry *dst;
	struct ends ends;

	ends_of(ct, seg.dir, &ends);
	adjust(ct, &seg);
	dst = way->dst ? dst_clone(way->dst) :
			 find_route(en->net, &ends, family, way->mark);
	if (dst)
		skb = family == AF_INET6 ? build6(&ends, &seg) :
					   build4(&ends, &seg);
	if (!skb) {
		dst_release(dst);
		return false;
	}
	skb_dst_set(skb, dst);
	skb->mark = way->mark;
	nf_conntrack_get(&ct->ct_general);
	nf_ct_set(skb, ct, seg.dir == ESMTP_DIR_CLIENT ? IP_CT_RELATED :
							 IP_CT_RELATED_REPLY);
	if (delivers(skb)) {
		deliver(en->net, skb, way->iif);
		return true;
	}
	skb->dev = skb_dst(skb)->dev;
	dst_output(en->net, NULL, skb);
	return true;
}
