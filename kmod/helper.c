// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conntrack's face: every packet of an inspected connection comes through help(), the SYN
 * included, as the last thing before the wire or the local socket.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/netfilter.h>
#include <net/dst_metadata.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_seqadj.h>
#include <net/netfilter/nf_conntrack_synproxy.h>
#include <net/tcp.h>

#include "compat.h"
#include "event.h"
#include "embryonic.h"
#include "helper.h"
#include "session.h"

#define FAMILIES 2

/* Nothing is ever expected, but kernels do not take NULL. */
static const struct nf_conntrack_expect_policy expect_nothing = {
	.max_expected	= 1,
	.timeout	= 60,
};

static struct nf_conntrack_helper template[FAMILIES][ESMTP_SLOTS];
static struct nf_conntrack_helper *registered[FAMILIES][ESMTP_SLOTS];
/* The module goes: nothing is looked at, and nothing passes, until its helpers are gone. */
static bool leaving;

/* "esmtp" is slot 0, "esmtp-3" is slot 3. */
static u8 slot_of(const struct nf_conntrack_helper *h)
{
	const unsigned int base = sizeof(ESMTP_HELPER_NAME) - 1;

	return h->name[base] == '-' ? h->name[base + 1] - '0' : 0;
}

bool esmtp_helper_is_ours(const struct nf_conntrack_helper *h)
{
	unsigned int family, slot;

	for (family = 0; family < FAMILIES; family++)
		for (slot = 0; slot < ESMTP_SLOTS; slot++)
			if (h == READ_ONCE(registered[family][slot]))
				return true;
	return false;
}

/* The interface that a packet came by, 0 = it is this machine's own. */
static int came_by(const struct esmtp_packet *pkt)
{
	const struct sk_buff *skb = pkt->skb;
	int iif;

	if (!skb->skb_iif)
		return 0;
	/* In a VRF skb_iif names the VRF. */
	iif = pkt->ipv6 ? IP6CB(skb)->iif : IPCB(skb)->iif;
	return iif ?: skb->skb_iif;
}

/* The interface that a packet leaves by. */
static int leaves_by(const struct esmtp_packet *pkt)
{
	const struct dst_entry *dst = skb_dst(pkt->skb);

	return dst ? dst->dev->ifindex : 0;
}

/* Leaves by the interface that it came by. */
static bool turns_back(const struct esmtp_packet *pkt)
{
	int iif = came_by(pkt);

	return iif && leaves_by(pkt) == iif;
}

/*
 * Whether the SYN tells that its two ends are behind different interfaces. One of this machine's is
 * behind none, but what it says to itself turns back; and synproxy's may be anybody's.
 */
static bool is_between(const struct nf_conn *ct,
		       const struct esmtp_packet *pkt)
{
	const struct dst_entry *dst = skb_dst(pkt->skb);

	if (came_by(pkt))
		return !turns_back(pkt);
	return dst && !(dst->dev->flags & IFF_LOOPBACK) &&
	       !netif_is_l3_master(dst->dev) && !nfct_synproxy(ct);
}

/*
 * A SYN counts while the connection is being opened. Later it may be a trick to move our idea
 * of the numbers: it counts only if the server takes it up with a new number of its own.
 */
static void note_syn(struct esmtp_help *hd, const struct nf_conn *ct,
		     const struct esmtp_packet *pkt, bool stamped)
{
	if (pkt->seq != hd->new_isn)
		clear_bit(ESMTP_SYN_STAMPED, &hd->seen);
	hd->new_isn = pkt->seq;
	if (stamped)
		set_bit(ESMTP_SYN_STAMPED, &hd->seen);
	if (test_bit(ESMTP_ISN_SERVER, &hd->seen))
		return;
	hd->isn[ESMTP_DIR_CLIENT] = pkt->seq;
	hd->syn_left_by = leaves_by(pkt);
	if (is_between(ct, pkt))
		set_bit(ESMTP_BETWEEN, &hd->seen);
	set_bit(ESMTP_ISN_CLIENT, &hd->seen);
}

/* Both ends agree on these numbers, and on timestamps in every segment or none. */
static void note_numbers(struct esmtp_help *hd, u32 server, bool stamped)
{
	bool known = test_bit(ESMTP_ISN_SERVER, &hd->seen);

	if (known && server == hd->isn[ESMTP_DIR_SERVER] &&
	    hd->new_isn == hd->isn[ESMTP_DIR_CLIENT])
		return;
	hd->isn[ESMTP_DIR_CLIENT] = hd->new_isn;
	hd->isn[ESMTP_DIR_SERVER] = server;
	if (stamped && test_bit(ESMTP_SYN_STAMPED, &hd->seen))
		set_bit(ESMTP_STAMPED, &hd->seen);
	else
		clear_bit(ESMTP_STAMPED, &hd->seen);
	/* The numbers are there before the bit that says so. */
	smp_mb__before_atomic();
	set_bit(ESMTP_ISN_SERVER, &hd->seen);
	/* The entry is taken over by a new connection; who comes now finds its numbers. */
	if (known)
		esmtp_session_detach(hd, NULL);
}

static void note_synack(struct esmtp_help *hd, const struct esmtp_packet *pkt,
			bool stamped)
{
	if (test_bit(ESMTP_ISN_CLIENT, &hd->seen) &&
	    pkt->ack == hd->new_isn + 1)
		note_numbers(hd, pkt->seq, stamped);
}

/*
 * Where nft's synproxy opens the connection, the SYN/ACK ends there, just before us. What it
 * answers to the server comes by, in the server's own numbers. It is sent by this machine: what a
 * client sends came by an interface.
 */
static void note_proxy_ack(struct esmtp_help *hd,
			   const struct esmtp_packet *pkt)
{
	struct esmtp_options opt;

	if (!pkt->has_ack || pkt->len || pkt->fin || pkt->rst ||
	    test_bit(ESMTP_ISN_SERVER, &hd->seen) ||
	    !test_bit(ESMTP_ISN_CLIENT, &hd->seen) ||
	    pkt->seq != hd->new_isn + 1)
		return;
	esmtp_packet_options(pkt, &opt);
	note_numbers(hd, pkt->ack - 1, opt.stamped);
}

/*
 * The SYN came by no interface that would tell where the client is. What synproxy then says to the
 * client does, before anything else passes.
 */
static void note_synproxy(struct esmtp_help *hd, const struct nf_conn *ct,
			  const struct esmtp_packet *pkt)
{
	if (pkt->skb->skb_iif || !nfct_synproxy(ct))
		return;
	if (pkt->dir == ESMTP_DIR_CLIENT)
		note_proxy_ack(hd, pkt);
	else if (leaves_by(pkt) != hd->syn_left_by)
		set_bit(ESMTP_BETWEEN, &hd->seen);
}

/* Returns false: drop. */
static bool no_memory(struct esmtp_net *en)
{
	esmtp_count(en, ESMTP_NC_NO_MEMORY);
	return false;
}

/*
 * What would pass beside us: bytes of a further subflow, and bytes on a SYN, which would be
 * read before anybody has proved anything (they are sent again). Returns false to drop.
 */
static bool plain_syn(struct esmtp_net *en, struct esmtp_packet *pkt,
		      const struct esmtp_options *opt)
{
	if (opt->mptcp) {
		esmtp_count(en, ESMTP_NC_MPTCP);
		if (opt->mptcp_join)
			return false;
		if (esmtp_packet_blank_mptcp(pkt))
			return no_memory(en);
	}
	if (pkt->len) {
		esmtp_count(en, ESMTP_NC_SYN_DATA);
		if (esmtp_packet_cut(pkt, 0))
			return no_memory(en);
	}
	return true;
}

static unsigned int handshake(struct esmtp_net *en, const struct nf_conn *ct,
			      struct esmtp_help *hd, struct esmtp_packet *pkt)
{
	struct esmtp_session *s = READ_ONCE(hd->session);
	struct esmtp_options opt;

	if (s == ESMTP_TOMBSTONE ||
	    (s && READ_ONCE(s->state) == SESSION_DEAD)) {
		esmtp_count(en, ESMTP_NC_TOMBSTONE);
		return NF_DROP;
	}
	if (s && READ_ONCE(s->state) == SESSION_CLOSED) {
		esmtp_closed_packet(s, pkt);
		return NF_DROP;
	}
	/* A SYN/ACK is of one that may be, or it is a cookie. */
	if (!pkt->has_ack && esmtp_embryonic_over(en, ct, hd)) {
		esmtp_count(en, ESMTP_NC_EMBRYONIC);
		return NF_DROP;
	}
	esmtp_packet_options(pkt, &opt);
	if (!plain_syn(en, pkt, &opt))
		return NF_DROP;
	if (pkt->dir == ESMTP_DIR_CLIENT && !pkt->has_ack)
		note_syn(hd, ct, pkt, opt.stamped);
	else if (pkt->dir == ESMTP_DIR_SERVER && pkt->has_ack)
		note_synack(hd, pkt, opt.stamped);
	return NF_ACCEPT;
}

/* Nothing in this packet that anybody has to look at: inspection has ended. */
static bool idle(const struct esmtp_session *s, const struct esmtp_packet *pkt)
{
	return READ_ONCE(s->state) == SESSION_BYPASS &&
	       !READ_ONCE(s->flow[pkt->dir].retained) &&
	       !READ_ONCE(s->flow[!pkt->dir].retained);
}

static unsigned int locked(struct esmtp_session *s, struct esmtp_packet *pkt,
			   struct list_head *notes)
{
	esmtp_flow_route(&s->flow[pkt->dir], pkt->skb);
	if (pkt->rst)
		return NF_ACCEPT;
	return esmtp_stream_packet(s, pkt, notes);
}

/*
 * What the client says to a closed connection that we end in the server's stead has been received,
 * by us. A client on this machine takes a packet that was dropped for one that was never sent, and
 * an acknowledgement of it for a forgery.
 */
static unsigned int dropped(const struct esmtp_session *s,
			    const struct esmtp_packet *pkt)
{
	if (pkt->dir != ESMTP_DIR_CLIENT ||
	    READ_ONCE(s->state) != SESSION_CLOSED ||
	    READ_ONCE(s->verdict) != ESMTP_CLOSE_REPLY)
		return NF_DROP;
	kfree_skb(pkt->skb);
	return NF_STOLEN;
}

static unsigned int established(struct esmtp_net *en, struct nf_conn *ct,
				struct esmtp_session *s,
				struct esmtp_packet *pkt)
{
	unsigned int verdict = NF_DROP;
	LIST_HEAD(notes);
	u8 state;

	if (idle(s, pkt))
		return NF_ACCEPT;

	spin_lock_bh(&s->lock);
	state = s->state;
	if (state < SESSION_CLOSED)
		verdict = locked(s, pkt, &notes);
	spin_unlock_bh(&s->lock);
	esmtp_event_send(en, &notes, s->policy,
			 nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL), pkt->skb);
	if (state == SESSION_CLOSED)
		esmtp_closed_packet(s, pkt);
	else if (state == SESSION_DEAD)
		esmtp_count(en, ESMTP_NC_TOMBSTONE);
	return verdict == NF_DROP ? dropped(s, pkt) : verdict;
}

/*
 * Not routed by this machine but passed on by a bridge: br_netfilter shows it to the hooks of
 * IP, or a bridge's own conntrack calls us. Its packets may go around the hooks again, or
 * out by several ports: what was held, cut or masked could not be relied upon.
 */
static bool is_bridged(const struct sk_buff *skb)
{
	if (skb_valid_dst(skb) && !(skb_dst(skb)->flags & DST_FAKE_RTABLE))
		return false;
	pr_notice_once("bridged connections are not inspected, their packets are dropped: choose only routed ones, or exempt them\n");
	return true;
}

/* Where sequence numbers are adjusted behind us, an ACK is in the receiver's terms until then. */
static void untranslate(const struct nf_conn *ct, enum ip_conntrack_info ctinfo,
			struct esmtp_packet *pkt)
{
	if (test_bit(IPS_SEQ_ADJUST_BIT, &ct->status))
		pkt->ack -= nf_ct_seq_offset(ct, !CTINFO2DIR(ctinfo),
					     pkt->ack - 1);
}

/* What need not be there is taken off. Returns false to drop. */
static bool tidy(struct esmtp_net *en, struct esmtp_packet *pkt)
{
	if (pkt->urg) {
		esmtp_count(en, ESMTP_NC_URGENT);
		if (esmtp_packet_clear_urgent(pkt))
			return no_memory(en);
	}
	/* A RST may have a text (RFC 9293 §3.5.3); nobody reads it, so nobody should have to. */
	if (pkt->rst && pkt->len && esmtp_packet_cut(pkt, 0))
		return no_memory(en);
	return true;
}

static int help(struct sk_buff *skb, unsigned int protoff, struct nf_conn *ct,
		enum ip_conntrack_info ctinfo)
{
	struct esmtp_net *en = esmtp_net(nf_ct_net(ct));
	const struct nf_conn_help *ext = nfct_help(ct);
	struct nf_conntrack_helper *h;
	struct esmtp_session *s;
	struct esmtp_packet pkt;
	struct esmtp_help *hd;

	/* ICMP errors, and RSTs of our own. */
	if (ctinfo == IP_CT_RELATED || ctinfo == IP_CT_RELATED_REPLY)
		return NF_ACCEPT;
	if (READ_ONCE(leaving) || READ_ONCE(en->dying))
		return NF_DROP;
	if (!ext) {
		esmtp_count(en, ESMTP_NC_NO_HELPER);
		return NF_DROP;
	}
	if (is_bridged(skb)) {
		esmtp_count(en, ESMTP_NC_BRIDGED);
		return NF_DROP;
	}
	h = rcu_dereference(ext->helper);
	hd = nfct_help_data(ct);
	if (!h || !hd ||
	    !esmtp_packet_parse(&pkt, skb, protoff,
				CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL ?
				ESMTP_DIR_CLIENT : ESMTP_DIR_SERVER,
				nf_ct_l3num(ct) == AF_INET6)) {
		esmtp_count(en, ESMTP_NC_NO_STATE);
		return NF_DROP;
	}
	/*
	 * Sent by one end to itself in the other's name: an ACK of what the other has
	 * not read, or an answer that it never gave. IPv6 has no reverse path filter.
	 */
	if (test_bit(ESMTP_BETWEEN, &hd->seen) && turns_back(&pkt)) {
		esmtp_count(en, ESMTP_NC_STALE);
		return NF_DROP;
	}
	/* No receiver takes what has a wrong sum; where conntrack was told not to look, we do. */
	if (!nf_ct_net(ct)->ct.sysctl_checksum && !esmtp_packet_sum_ok(&pkt)) {
		esmtp_count(en, ESMTP_NC_STALE);
		return NF_DROP;
	}
	if (!esmtp_embryonic_packet(en, ct, hd)) {
		esmtp_count(en, ESMTP_NC_NO_MEMORY);
		return NF_DROP;
	}
	if (pkt.syn)
		return handshake(en, ct, hd, &pkt);
	if (!tidy(en, &pkt))
		return NF_DROP;
	note_synproxy(hd, ct, &pkt);
	/* Nothing is allocated before there is something to read, or an end to remember. */
	if (!pkt.len && !pkt.fin && !READ_ONCE(hd->session))
		return !esmtp_window_first(en, ct, &pkt) || no_memory(en) ?
			NF_ACCEPT : NF_DROP;
	untranslate(ct, ctinfo, &pkt);
	s = esmtp_session_find(en, ct, hd, slot_of(h));
	return s ? established(en, ct, s, &pkt) : NF_DROP;
}

/* The entry is being deleted. Not called for one that was never confirmed, nor after unregistering. */
static void destroy(struct nf_conn *ct)
{
	struct esmtp_help *hd;

	if (!nfct_help(ct))
		return;
	hd = nfct_help_data(ct);
	esmtp_embryonic_destroy(esmtp_net(nf_ct_net(ct)), ct, hd);
	esmtp_session_detach(hd, ESMTP_TOMBSTONE);
}

static void helpers_unregister(unsigned int n)
{
	struct nf_conntrack_helper **reg = &registered[0][0];

	/* Unregistering takes seconds; no packet makes, finds or closes a session meanwhile. */
	WRITE_ONCE(leaving, true);
	synchronize_rcu();
	/*
	 * While still registered: later kernels keep the structure as long as an entry
	 * refers to it and would call into a module that is gone.
	 */
	for (unsigned int i = 0; i < n; i++)
		WRITE_ONCE(reg[i]->destroy, NULL);
	while (n--) {
		nf_conntrack_helper_unregister(reg[n]);
		WRITE_ONCE(reg[n], NULL);
	}
	/* destroy() is called under RCU: whoever saw it before is through after this. */
	synchronize_rcu();
}

int esmtp_helpers_init(void)
{
	static const u8 family[FAMILIES] = { AF_INET, AF_INET6 };
	char name[NF_CT_HELPER_NAME_LEN];
	unsigned int n, slot;
	int err;

	NF_CT_HELPER_BUILD_BUG_ON(sizeof(struct esmtp_help));

	for (n = 0; n < FAMILIES * ESMTP_SLOTS; n++) {
		struct nf_conntrack_helper *h = &template[0][0] + n;

		slot = n % ESMTP_SLOTS;
		snprintf(name, sizeof(name), slot ? "%s-%u" : "%s",
			 ESMTP_HELPER_NAME, slot);
		esmtp_compat_helper_init(h, family[n / ESMTP_SLOTS], slot, name,
					 &expect_nothing, help);
		h->destroy = destroy;
		err = esmtp_compat_helper_register(h, &registered[0][0] + n);
		if (err) {
			pr_err("helper %s cannot be registered: %d\n", name,
			       err);
			helpers_unregister(n);
			return err;
		}
	}
	return 0;
}

void esmtp_helpers_exit(void)
{
	helpers_unregister(FAMILIES * ESMTP_SLOTS);
}
