/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only place that knows how kernels differ. HAVE_* come from Kbuild, which asks the
 * headers; no version numbers.
 */
#ifndef _ESMTP_COMPAT_H
#define _ESMTP_COMPAT_H

#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_helper.h>

#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"

/**
 * esmtp_compat_helper_init() - fill a helper's template
 * @h: template; fields not named here are zero afterwards on some kernels
 * @family: AF_INET or AF_INET6
 * @slot: makes name and port differ: "esmtp", "esmtp-1" …
 * @name: what nft says
 * @policy: of expectations; kernels want one even where nothing is expected
 * @help: the packet function
 */
static inline void
esmtp_compat_helper_init(struct nf_conntrack_helper *h, u8 family, u8 slot,
			 const char *name,
			 const struct nf_conntrack_expect_policy *policy,
			 int (*help)(struct sk_buff *skb, unsigned int protoff,
				     struct nf_conn *ct,
				     enum ip_conntrack_info ctinfo))
{
#ifdef HAVE_HELPER_INIT_PORT
	/* Kernels with ports want them unique per family; nothing else uses them. */
	nf_ct_helper_init(h, family, IPPROTO_TCP, ESMTP_HELPER_NAME, 25,
			  25 + slot, slot, policy, 0, help, NULL, THIS_MODULE);
#else
	nf_ct_helper_init(h, family, IPPROTO_TCP, name, policy, 0, help, NULL,
			  THIS_MODULE);
#endif
}

/**
 * esmtp_compat_helper_register() - register a template
 * @tmpl: template
 * @reg: set to what was registered: the template itself or the kernel's copy
 *
 * Return: 0 or -errno.
 */
static inline int
esmtp_compat_helper_register(struct nf_conntrack_helper *tmpl,
			     struct nf_conntrack_helper **reg)
{
#ifdef HAVE_HELPER_PTR_REGISTER
	return nf_conntrack_helper_register(tmpl, reg);
#else
	int err = nf_conntrack_helper_register(tmpl);

	if (!err)
		*reg = tmpl;
	return err;
#endif
}

/** esmtp_compat_refresh() - let an entry live for @extra jiffies from now */
static inline void esmtp_compat_refresh(struct nf_conn *ct,
					const struct sk_buff *skb, u32 extra)
{
#ifdef HAVE_CT_REFRESH_SKB
	nf_ct_refresh(ct, skb, extra);
#else
	nf_ct_refresh(ct, extra);
#endif
}

#endif /* _ESMTP_COMPAT_H */
