// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saying no: RSTs with numbers that each end accepts, and the tombstone.
 *
 * A RST is built from the entry's tuples as its receiver knows the addresses, and
 * leaves by the route of the packets that went there before: so NAT, policy
 * routing and a closed OUTPUT chain do not matter. It is sent a moment later, from
 * process context, so that bytes passed by the same packet are there first and no
 * lock is held. A receiver that answers (a challenge ACK, RFC 5961, or data sent again)
 * says which number it expects and gets another one.
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
#include <net/route.h>
#include <net/tcp.h>

#include "compat.h"
#include "session.h"

#define RST_MAX		8		/* to one side */
#define RST_DELAY	1		/* jiffies */
#define TOMBSTONE_LIFE	(300 * HZ)	/* outlives the last retransmission */

static struct workqueue_struct *closing_wq;

/**
 * struct rst_ends - addresses and ports of a RST, on the wire where it is received
 * @src: the peer, as the receiver knows it
 * @dst: the receiver
 * @sport: port of @src
 * @dport: port of @dst
 */
struct rst_ends {
	union nf_inet_addr src, dst;
	__be16 sport, dport;
};

/*
 * @dir is the direction the RST travels in. Its receiver knows itself by the other
 * direction's source and its peer by that direction's destination.
 */
static void rst_ends(const struct nf_conn *ct, enum esmtp_dir dir,
		     struct rst_ends *ends)
{
	const struct nf_conntrack_tuple *t;

	t = nf_ct_tuple(ct, dir == ESMTP_DIR_CLIENT ? IP_CT_DIR_REPLY :
						      IP_CT_DIR_ORIGINAL);
	ends->src = t->dst.u3;
	ends->sport = t->dst.u.tcp.port;
	ends->dst = t->src.u3;
	ends->dport = t->src.u.tcp.port;
}

static struct sk_buff *rst_alloc(unsigned int ip_len)
{
	struct sk_buff *skb;

	skb = alloc_skb(LL_MAX_HEADER + ip_len + sizeof(struct tcphdr),
			GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER);
	skb_reset_network_header(skb);
	skb_put_zero(skb, ip_len);
	skb_set_transport_header(skb, ip_len);
	skb_put_zero(skb, sizeof(struct tcphdr));
	return skb;
}

static struct tcphdr *rst_tcp(struct sk_buff *skb, const struct rst_ends *ends,
			      u32 seq)
{
	struct tcphdr *th = tcp_hdr(skb);

	th->source = ends->sport;
	th->dest = ends->dport;
	th->seq = htonl(seq);
	th->doff = sizeof(*th) / 4;
	th->rst = 1;
	return th;
}

static struct sk_buff *rst_build4(const struct rst_ends *ends, u32 seq)
{
	struct sk_buff *skb = rst_alloc(sizeof(struct iphdr));
	struct tcphdr *th;
	struct iphdr *iph;

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
	th = rst_tcp(skb, ends, seq);
	th->check = tcp_v4_check(sizeof(*th), iph->saddr, iph->daddr,
				 csum_partial(th, sizeof(*th), 0));
	skb->protocol = htons(ETH_P_IP);
	return skb;
}

static struct sk_buff *rst_build6(const struct rst_ends *ends, u32 seq)
{
	struct sk_buff *skb = rst_alloc(sizeof(struct ipv6hdr));
	struct ipv6hdr *ip6;
	struct tcphdr *th;

	if (!skb)
		return NULL;
	ip6 = ipv6_hdr(skb);
	ip6->version = 6;
	ip6->payload_len = htons(sizeof(*th));
	ip6->nexthdr = IPPROTO_TCP;
	ip6->hop_limit = IPDEFTTL;
	ip6->saddr = ends->src.in6;
	ip6->daddr = ends->dst.in6;
	th = rst_tcp(skb, ends, seq);
	th->check = csum_ipv6_magic(&ip6->saddr, &ip6->daddr, sizeof(*th),
				    IPPROTO_TCP,
				    csum_partial(th, sizeof(*th), 0));
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

static void rst_deliver(struct net *net, struct sk_buff *skb, int iif)
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
static struct dst_entry *rst_route(struct net *net, const struct rst_ends *ends,
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

/*
 * RELATED with the entry attached: conntrack and NAT leave it alone (its addresses are
 * final, and NAT maps them onto themselves), a ruleset sees what it is, help() and the
 * guard let it by.
 */
static void rst_send(struct esmtp_net *en, struct nf_conn *ct,
		     enum esmtp_dir dir, const struct esmtp_flow *fl, u32 seq)
{
	u8 family = nf_ct_l3num(ct);
	struct sk_buff *skb = NULL;
	struct dst_entry *dst;
	struct rst_ends ends;

	rst_ends(ct, dir, &ends);
	dst = fl->dst ? dst_clone(fl->dst) :
			rst_route(en->net, &ends, family, fl->mark);
	if (dst)
		skb = family == AF_INET6 ? rst_build6(&ends, seq) :
					   rst_build4(&ends, seq);
	if (!skb) {
		dst_release(dst);
		esmtp_count(en, ESMTP_NC_RST_FAILED);
		return;
	}
	skb_dst_set(skb, dst);
	skb->mark = fl->mark;
	nf_conntrack_get(&ct->ct_general);
	nf_ct_set(skb, ct, dir == ESMTP_DIR_CLIENT ? IP_CT_RELATED :
						     IP_CT_RELATED_REPLY);
	esmtp_count(en, ESMTP_NC_RST_SENT);
	if (delivers(skb)) {
		rst_deliver(en->net, skb, fl->iif);
		return;
	}
	skb->dev = skb_dst(skb)->dev;
	dst_output(en->net, NULL, skb);
}

static void rst_work(struct work_struct *work)
{
	struct esmtp_session *s = container_of(to_delayed_work(work),
					       struct esmtp_session,
					       closing.reset);
	struct esmtp_flow fl[ESMTP_DIRS] = {};
	u32 seq[ESMTP_DIRS];
	struct esmtp_net *en;
	struct nf_conn *ct;
	unsigned long due;
	int dir;

	rcu_read_lock();
	spin_lock_bh(&s->lock);
	due = s->closing.rst_due;
	s->closing.rst_due = 0;
	ct = s->closing.ct;
	s->closing.ct = NULL;
	for_each_set_bit(dir, &due, ESMTP_DIRS) {
		seq[dir] = s->closing.rst_seq[dir];
		/* Where nothing has passed yet, marks are mostly the connection's. */
		fl[dir].mark = s->flow[s->flow[dir].dst ? dir : !dir].mark;
		fl[dir].iif = s->flow[dir].iif;
		if (s->flow[dir].dst && dst_hold_safe(s->flow[dir].dst))
			fl[dir].dst = s->flow[dir].dst;
	}
	spin_unlock_bh(&s->lock);

	local_bh_disable();
	en = READ_ONCE(s->en);
	for_each_set_bit(dir, &due, ESMTP_DIRS) {
		if (ct && en)
			rst_send(en, ct, dir, &fl[dir], seq[dir]);
		dst_release(fl[dir].dst);
	}
	local_bh_enable();
	rcu_read_unlock();

	if (ct)
		nf_ct_put(ct);
	esmtp_session_put(s);
}

/*
 * The entry may die before the RST leaves: a SYN takes the place of one that is closed. Its
 * tuples and its NAT are needed all the same.
 */
static void rst_due(struct esmtp_session *s, enum esmtp_dir dir, u32 seq)
{
	struct esmtp_closing *cl = &s->closing;

	if (!cl->rst_left[dir])
		return;
	cl->rst_left[dir]--;
	cl->rst_seq[dir] = seq;
	cl->rst_due |= BIT(dir);
	if (!cl->ct) {
		nf_conntrack_get(&s->ct->ct_general);
		cl->ct = s->ct;
	}
	refcount_inc(&s->ref);
	if (!queue_delayed_work(closing_wq, &cl->reset, RST_DELAY))
		refcount_dec(&s->ref);
}

static void live_on(struct nf_conn *ct, const struct sk_buff *skb)
{
	esmtp_compat_refresh(ct, skb, TOMBSTONE_LIFE);
}

/*
 * The entry stays, for the next segment would open one without helper; but a new connection by
 * the same ports may take its place, as after any RST: conntrack deletes a closed entry at a
 * SYN if it has seen somebody close it.
 */
static void bury(struct nf_conn *ct)
{
	unsigned int dir;

	nf_ct_set_closing(&ct->ct_general);
	spin_lock_bh(&ct->lock);
	for (dir = 0; dir < IP_CT_DIR_MAX; dir++)
		ct->proto.tcp.seen[dir].flags |= IP_CT_TCP_FLAG_CLOSE_INIT;
	spin_unlock_bh(&ct->lock);
	live_on(ct, NULL);
}

void esmtp_close_session(struct esmtp_session *s, enum esmtp_verdict verdict)
{
	struct nf_conn *ct;

	if (s->state >= SESSION_CLOSED)
		return;
	s->latched_at = 0;
	s->verdict = verdict;
	WRITE_ONCE(s->state, SESSION_CLOSED);
	esmtp_policy_count(s->policy, ESMTP_PC_CLOSED, 1);

	/* From here on nobody asks the engine any more. */
	s->was_closed = true;
	s->closing = (struct esmtp_closing) {
		/* The server always hears of it: else its process waits for minutes. */
		.rst_left[ESMTP_DIR_CLIENT] = RST_MAX,
		.rst_left[ESMTP_DIR_SERVER] =
			verdict == ESMTP_CLOSE_RESET ? RST_MAX : 0,
	};
	INIT_DELAYED_WORK(&s->closing.reset, rst_work);
	rst_due(s, ESMTP_DIR_CLIENT, esmtp_flow_end(&s->flow[ESMTP_DIR_CLIENT]));
	rst_due(s, ESMTP_DIR_SERVER, esmtp_flow_end(&s->flow[ESMTP_DIR_SERVER]));
	esmtp_flow_free(s, &s->flow[ESMTP_DIR_CLIENT]);
	esmtp_flow_free(s, &s->flow[ESMTP_DIR_SERVER]);

	rcu_read_lock();
	ct = esmtp_session_entry(s);
	if (ct) {
		bury(ct);
		nf_ct_put(ct);
	}
	rcu_read_unlock();
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

void esmtp_closed_count(struct esmtp_session *s)
{
	esmtp_policy_count(s->policy, s->verdict == ESMTP_CLOSE_RESET ?
			   ESMTP_PC_RESET_DROP : ESMTP_PC_DROP, 1);
}

void esmtp_closed_packet(struct esmtp_session *s,
			 const struct esmtp_packet *pkt)
{
	spin_lock_bh(&s->lock);
	if (s->state == SESSION_CLOSED) {
		esmtp_closed_count(s);
		/* Who still speaks says which number it expects. */
		if (pkt->has_ack && !pkt->rst)
			rst_due(s, !pkt->dir, pkt->ack);
		if (s->ct)
			live_on(s->ct, pkt->skb);
	}
	spin_unlock_bh(&s->lock);
}

void esmtp_closing_cancel(struct esmtp_session *s)
{
	if (!s->was_closed || !cancel_delayed_work_sync(&s->closing.reset))
		return;
	if (s->closing.ct)
		nf_ct_put(s->closing.ct);
	esmtp_session_put(s);
}

int esmtp_closing_init(void)
{
	closing_wq = alloc_workqueue("esmtp_closing", WQ_UNBOUND, 0);
	return closing_wq ? 0 : -ENOMEM;
}

void esmtp_closing_exit(void)
{
	destroy_workqueue(closing_wq);
}
