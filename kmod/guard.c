// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last look before an entry is confirmed: a connection that the ruleset labelled for
 * inspection, but that has no helper of ours, does not pass. So it is when the module was
 * reloaded under an open connection, or when the helper's extension could not be allocated.
 */
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_labels.h>

#include "embryonic.h"
#include "helper.h"
#include "net.h"

/* Just before conntrack's own last hook, which runs helpers and confirms. */
#define PRI_GUARD (INT_MAX - 2)

static bool labelled(const struct nf_conn *ct)
{
	const struct nf_conn_labels *labels = nf_ct_labels_find(ct);

	return labels && test_bit(ESMTP_CT_LABEL_BIT, labels->bits);
}

static unsigned int guard_hook(void *priv, struct sk_buff *skb,
			       const struct nf_hook_state *state)
{
	enum ip_conntrack_info ctinfo;
	struct nf_conn *ct = nf_ct_get(skb, &ctinfo);
	const struct nf_conntrack_helper *h;
	const struct nf_conn_help *ext;

	if (!ct || nf_ct_protonum(ct) != IPPROTO_TCP || !labelled(ct))
		return NF_ACCEPT;
	ext = nfct_help(ct);
	h = ext ? rcu_dereference(ext->helper) : NULL;
	if (h && esmtp_helper_is_ours(h))
		return NF_ACCEPT;
	esmtp_count(esmtp_net(state->net), ESMTP_NC_NO_HELPER);
	return NF_DROP;
}

#define GUARD(family, at) { \
	.hook = guard_hook, .pf = family, .hooknum = at, .priority = PRI_GUARD \
}

#define EMBRYONIC(family, at) { \
	.hook = esmtp_embryonic_hook, .pf = family, .hooknum = at, \
	.priority = ESMTP_PRI_EMBRYONIC \
}

static const struct nf_hook_ops guard_ops[] = {
	GUARD(NFPROTO_IPV4, NF_INET_POST_ROUTING),
	GUARD(NFPROTO_IPV4, NF_INET_LOCAL_IN),
	GUARD(NFPROTO_IPV6, NF_INET_POST_ROUTING),
	GUARD(NFPROTO_IPV6, NF_INET_LOCAL_IN),
	EMBRYONIC(NFPROTO_IPV4, NF_INET_FORWARD),
	EMBRYONIC(NFPROTO_IPV4, NF_INET_LOCAL_IN),
	EMBRYONIC(NFPROTO_IPV6, NF_INET_FORWARD),
	EMBRYONIC(NFPROTO_IPV6, NF_INET_LOCAL_IN),
};

int esmtp_guard_on(struct esmtp_net *en)
{
	int err;

	if (en->guarded)
		return 0;
	/*
	 * Conntrack looks at packets while somebody asks it to. Our connections are inspected to
	 * their end, also when the table that chose them has gone.
	 */
	err = nf_ct_netns_get(en->net, NFPROTO_INET);
	if (err)
		return err;
	err = nf_register_net_hooks(en->net, guard_ops, ARRAY_SIZE(guard_ops));
	if (err) {
		nf_ct_netns_put(en->net, NFPROTO_INET);
		return err;
	}
	en->guarded = true;
	return 0;
}

void esmtp_guard_off(struct esmtp_net *en)
{
	if (!en->guarded)
		return;
	nf_unregister_net_hooks(en->net, guard_ops, ARRAY_SIZE(guard_ops));
	nf_ct_netns_put(en->net, NFPROTO_INET);
	en->guarded = false;
}
