/* SPDX-License-Identifier: GPL-2.0-only */
/* Connection tracking: one entry and its helper. */
#ifndef KERNEL_CONNTRACK_H
#define KERNEL_CONNTRACK_H

#include "skb.h"

enum { NF_DROP, NF_ACCEPT, NF_STOLEN };
enum { IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY, IP_CT_DIR_MAX };
enum ip_conntrack_info { IP_CT_ESTABLISHED, IP_CT_RELATED, IP_CT_NEW, IP_CT_IS_REPLY, IP_CT_RELATED_REPLY };

#define CTINFO2DIR(info)		((info) >= IP_CT_IS_REPLY ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL)
#define IPS_SEQ_ADJUST_BIT		6
#define IP_CT_TCP_FLAG_CLOSE_INIT	0x04
#define IP_CT_TCP_FLAG_BE_LIBERAL	0x08
#define NF_CT_HELPER_NAME_LEN		16
#define NF_CT_HELPER_BUILD_BUG_ON(size)	((void)(size))

struct net { struct { u8 sysctl_checksum; } ct; };

struct nf_conntrack_tuple { struct { union { struct { __be16 port; } tcp; } u; } src, dst; };

struct ip_ct_tcp_state {
	u32 td_end, td_maxend, td_maxwin;
	u8 td_scale, flags;
};

struct nf_conn_help;
struct nf_conn_synproxy;
struct nf_hook_state;

/**
 * struct nf_conn - an entry
 * @ct_general: its references
 * @lock: of @proto
 * @status: bits
 * @net: namespace
 * @family: of its addresses
 * @tuple: by direction
 * @proto: what is known of TCP
 * @helper: its helper and that one's data
 * @dying: it is being deleted
 */
struct nf_conn {
	struct { refcount_t use; } ct_general;
	spinlock_t lock;
	unsigned long status;
	struct net *net;
	u8 family;
	struct nf_conntrack_tuple tuple[IP_CT_DIR_MAX];
	struct { struct { struct ip_ct_tcp_state seen[IP_CT_DIR_MAX]; } tcp; } proto;
	struct nf_conn_help *helper;
	bool dying;
};

struct nf_conntrack_expect_policy { unsigned int max_expected, timeout; };

struct nf_conntrack_helper {
	char name[NF_CT_HELPER_NAME_LEN];
	u8 family;
	int (*help)(struct sk_buff *skb, unsigned int protoff, struct nf_conn *ct, enum ip_conntrack_info ctinfo);
	void (*destroy)(struct nf_conn *ct);
};

struct nf_conn_help {
	struct nf_conntrack_helper *helper;
	u64 data[4];
};

#define nf_ct_tuple(ct, dir)		(&(ct)->tuple[dir])
#define nf_ct_net(ct)			((ct)->net)
#define nf_ct_l3num(ct)			((ct)->family)
#define nf_ct_get(skb, info)		((void)(info), (struct nf_conn *)NULL)
#define nf_ct_is_confirmed(ct)		true
#define nf_ct_is_dying(ct)		((ct)->dying)
#define nf_ct_set_closing(general)	((void)(general))
#define nf_ct_refresh(ct, extra)	((void)(ct))
#define nf_ct_seq_offset(ct, dir, seq)	0
#define nfct_synproxy(ct)		((struct nf_conn_synproxy *)NULL)
#define nfct_help(ct)			((ct)->helper)
#define nfct_help_data(ct)		((void *)(ct)->helper->data)
#define nf_conntrack_get(general)	refcount_inc(&(general)->use)

static inline void nf_ct_put(struct nf_conn *ct)
{
	refcount_dec(&ct->ct_general.use);
}

static inline void nf_ct_helper_init(struct nf_conntrack_helper *h, u8 family, int proto, const char *name,
				     const struct nf_conntrack_expect_policy *policy, int data_len,
				     int (*help)(struct sk_buff *skb, unsigned int protoff, struct nf_conn *ct,
						 enum ip_conntrack_info ctinfo),
				     void *from_nlattr, void *module)
{
	(void)proto, (void)policy, (void)data_len, (void)from_nlattr, (void)module;
	*h = (struct nf_conntrack_helper){ .family = family, .help = help };
	snprintf(h->name, sizeof(h->name), "%s", name);
}

/** nf_conntrack_helper_register() - whoever runs the module takes note of its helpers */
int nf_conntrack_helper_register(struct nf_conntrack_helper *h);

static inline void nf_conntrack_helper_unregister(struct nf_conntrack_helper *h)
{
	(void)h;
}

#endif /* KERNEL_CONNTRACK_H */
