/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules as nf_tables' machine sees them: loads into a register, comparisons, verdicts. */
#ifndef ESMTPCTL_NFT_EXPR_H
#define ESMTPCTL_NFT_EXPR_H

#include <libnftnl/rule.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stdint.h>

#include "nft.h"

struct nftnl_rule *rule_new(const char *chain);
void rule_put(struct nft_batch *b, struct nftnl_rule *r, const char *comment);

void expr_meta_is(struct nftnl_rule *r, uint32_t key, const void *value, uint32_t len);
void expr_meta_in(struct nftnl_rule *r, uint32_t key, const char *set);
void expr_ct_in(struct nftnl_rule *r, uint32_t key, uint8_t dir, const char *set);
void expr_ct_state(struct nftnl_rule *r, uint32_t states);
void expr_ct_direction(struct nftnl_rule *r, uint8_t dir);
void expr_ct_undecided(struct nftnl_rule *r);
void expr_ct_unlabelled(struct nftnl_rule *r, unsigned int first, unsigned int last);
void expr_payload_in(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len,
		     const char *set);
void expr_is_syn(struct nftnl_rule *r, bool syn);
void expr_tcp_flags(struct nftnl_rule *r, uint8_t flags);
void expr_ct_labelled(struct nftnl_rule *r, unsigned int bit);
void expr_ct_no_dnat(struct nftnl_rule *r);
void expr_dialled_in(struct nftnl_rule *r, uint8_t len, const char *set);
void expr_dialled_keep(struct nftnl_rule *r, uint8_t len, const char *set);
void expr_synproxy(struct nftnl_rule *r, uint16_t mss, uint8_t wscale);
void expr_set_label(struct nftnl_rule *r, unsigned int bit);
void expr_set_label_value(struct nftnl_rule *r, unsigned int first, uint32_t value);
void expr_object(struct nftnl_rule *r, uint32_t type, const char *name);
void expr_connections_over(struct nftnl_rule *r, uint32_t key, uint8_t dir, const char *set,
			   uint32_t limit);
void expr_reset(struct nftnl_rule *r);
void expr_verdict(struct nftnl_rule *r, int verdict, const char *chain);

/* Connlabel of connections on inspected ports that no line had chosen when they began. */
#define LABEL_PASSED_BIT	(ESMTP_CT_LABEL_BIT - 1)

#define CT_STATE_INVALID	NF_CT_STATE_INVALID_BIT
#define CT_STATE_ESTABLISHED	NF_CT_STATE_BIT(IP_CT_ESTABLISHED)
#define CT_STATE_RELATED	NF_CT_STATE_BIT(IP_CT_RELATED)
#define CT_STATE_NEW		NF_CT_STATE_BIT(IP_CT_NEW)
#define CT_STATE_UNTRACKED	NF_CT_STATE_UNTRACKED_BIT

#endif
