// SPDX-License-Identifier: GPL-2.0-only
/*
 * Half-open connections: the server has answered the SYN, the client has not answered that.
 *
 * Each server has a count for each line of the inspect list that limits them. It goes up where an entry of
 * connection tracking is seen in SYN_RECV, and down where it is seen in another state or dies. The
 * limit and the line's number come in the connlabel that nft gave the entry with its first SYN: so a
 * connection keeps those that it began with, and nothing has to be looked up.
 *
 * Counts are looked up under RCU and changed atomically. One that nobody uses stays where it is until
 * somebody needs its bucket: a server that has one half-open connection soon has the next.
 */
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_synproxy.h>

#include "embryonic.h"
#include "net.h"

#define COUNTS_MAX	65535	/* servers and lines, in a namespace */
#define DEAD		(-1)	/* @half_open of a count that is being freed */

/**
 * struct esmtp_half_open - the half-open connections of a server by one line
 * @node: in the namespace's table
 * @rcu: for freeing
 * @server: its own address, behind NAT
 * @line: number of the line
 * @half_open: how many, or DEAD
 */
struct esmtp_half_open {
	struct hlist_node node;
	struct rcu_head rcu;
	union nf_inet_addr server;
	u8 line;
	atomic_t half_open;
};

/* What the entry's label says: 16 bits of limit, and behind them 8 of line. */
static u32 label_of(const struct nf_conn *ct)
{
	const struct nf_conn_labels *labels = nf_ct_labels_find(ct);

	if (!labels)
		return 0;
	return labels->bits[BIT_WORD(ESMTP_CT_LABEL_EMBRYONIC)] >>
		(ESMTP_CT_LABEL_EMBRYONIC % BITS_PER_LONG) & 0xffffff;
}

static const union nf_inet_addr *server_of(const struct nf_conn *ct)
{
	return &ct->tuplehash[IP_CT_DIR_REPLY].tuple.src.u3;
}

static struct hlist_head *bucket_of(struct esmtp_net *en,
				    const struct nf_conn *ct, u8 line)
{
	u32 hash = jhash2(server_of(ct)->all, ARRAY_SIZE(server_of(ct)->all),
			  en->half_open_seed ^ line);

	return &en->half_open[hash % ESMTP_HALF_OPEN_BUCKETS];
}

static struct esmtp_half_open *find(struct hlist_head *bucket,
				    const struct nf_conn *ct, u8 line)
{
	struct esmtp_half_open *h;

	hlist_for_each_entry_rcu(h, bucket, node, true)
		if (h->line == line &&
		    nf_inet_addr_cmp(&h->server, server_of(ct)))
			return h;
	return NULL;
}

/* Returns false if it is being freed. */
static bool get(struct esmtp_half_open *h)
{
	return atomic_add_unless(&h->half_open, 1, DEAD);
}

static void forget(struct esmtp_net *en, struct esmtp_half_open *h)
{
	hlist_del_rcu(&h->node);
	kfree_rcu(h, rcu);
	en->n_half_open--;
}

static void sweep(struct esmtp_net *en, struct hlist_head *bucket)
{
	struct esmtp_half_open *h;
	struct hlist_node *next;

	hlist_for_each_entry_safe(h, next, bucket, node)
		if (atomic_cmpxchg(&h->half_open, 0, DEAD) == 0)
			forget(en, h);
}

/* The first half-open connection of a server. Returns false if there is no room. */
static bool add(struct esmtp_net *en, struct hlist_head *bucket,
		const struct nf_conn *ct, u8 line)
{
	struct esmtp_half_open *h;
	bool ok = false;

	spin_lock_bh(&en->half_open_lock);
	h = find(bucket, ct, line);
	if (h && get(h)) {
		ok = true;
		goto out;
	}
	sweep(en, bucket);
	if (en->half_open_gone || en->n_half_open == COUNTS_MAX)
		goto out;
	h = kzalloc(sizeof(*h), GFP_ATOMIC | __GFP_NOWARN);
	if (!h)
		goto out;
	h->server = *server_of(ct);
	h->line = line;
	atomic_set(&h->half_open, 1);
	hlist_add_head_rcu(&h->node, bucket);
	en->n_half_open++;
	ok = true;
out:
	spin_unlock_bh(&en->half_open_lock);
	return ok;
}

static void put(struct esmtp_net *en, const struct nf_conn *ct)
{
	u8 line = label_of(ct) >> 16;
	struct esmtp_half_open *h = find(bucket_of(en, ct, line), ct, line);

	/* The namespace may have gone before its entries. */
	if (h)
		atomic_dec(&h->half_open);
}

/* The server has as many as it may. */
static bool full(struct esmtp_net *en, const struct nf_conn *ct)
{
	u32 label = label_of(ct);
	struct esmtp_half_open *h;

	if (!(label & 0xffff))
		return false;
	h = find(bucket_of(en, ct, label >> 16), ct, label >> 16);
	return h && atomic_read(&h->half_open) >= (int)(label & 0xffff);
}

bool esmtp_embryonic_over(struct esmtp_net *en, const struct nf_conn *ct,
			  const struct esmtp_help *hd)
{
	/* Its client has proved itself to synproxy already. */
	if (test_bit(ESMTP_HALF_OPEN, &hd->seen) || nfct_synproxy(ct) ||
	    READ_ONCE(ct->proto.tcp.state) != TCP_CONNTRACK_SYN_SENT)
		return false;
	return full(en, ct);
}

unsigned int esmtp_embryonic_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	struct nf_conn_labels *labels;

	if (!ct || ctinfo != IP_CT_NEW || nf_ct_is_confirmed(ct) ||
	    nf_ct_protonum(ct) != IPPROTO_TCP || nfct_synproxy(ct))
		return NF_ACCEPT;
	labels = nf_ct_labels_find(ct);
	if (labels && test_bit(ESMTP_CT_LABEL_COOKIES, labels->bits) &&
	    full(esmtp_net(state->net), ct))
		set_bit(ESMTP_CT_LABEL_OVER, labels->bits);
	return NF_ACCEPT;
}

bool esmtp_embryonic_packet(struct esmtp_net *en, const struct nf_conn *ct,
			    struct esmtp_help *hd)
{
	bool is = READ_ONCE(ct->proto.tcp.state) == TCP_CONNTRACK_SYN_RECV;
	struct esmtp_half_open *h;
	struct hlist_head *bucket;
	u32 label;

	if (is == test_bit(ESMTP_HALF_OPEN, &hd->seen))
		return true;
	if (!is) {
		esmtp_embryonic_destroy(en, ct, hd);
		return true;
	}
	label = label_of(ct);
	if (!(label & 0xffff))
		return true;
	bucket = bucket_of(en, ct, label >> 16);
	h = find(bucket, ct, label >> 16);
	if (!(h && get(h)) && !add(en, bucket, ct, label >> 16))
		return false;
	/* Who sees the bit finds it counted. */
	smp_mb__before_atomic();
	if (test_and_set_bit(ESMTP_HALF_OPEN, &hd->seen))
		put(en, ct);
	return true;
}

void esmtp_embryonic_destroy(struct esmtp_net *en, const struct nf_conn *ct,
			     struct esmtp_help *hd)
{
	if (test_and_clear_bit(ESMTP_HALF_OPEN, &hd->seen))
		put(en, ct);
}

void esmtp_embryonic_init(struct esmtp_net *en)
{
	en->half_open_seed = get_random_u32();
	spin_lock_init(&en->half_open_lock);
}

void esmtp_embryonic_exit(struct esmtp_net *en)
{
	struct esmtp_half_open *h;
	struct hlist_node *next;
	unsigned int i;

	spin_lock_bh(&en->half_open_lock);
	en->half_open_gone = true;
	for (i = 0; i < ESMTP_HALF_OPEN_BUCKETS; i++)
		hlist_for_each_entry_safe(h, next, &en->half_open[i], node)
			forget(en, h);
	spin_unlock_bh(&en->half_open_lock);
}
