/* SPDX-License-Identifier: GPL-2.0-only */
/* Half-open connections of a server, and how many it may have. */
#ifndef _ESMTP_EMBRYONIC_H
#define _ESMTP_EMBRYONIC_H

#include "session.h"

/** esmtp_embryonic_init() - a namespace begins */
void esmtp_embryonic_init(struct esmtp_net *en);

/** esmtp_embryonic_exit() - it ends; no packet is in help(), but entries may still be deleted */
void esmtp_embryonic_exit(struct esmtp_net *en);

/**
 * esmtp_embryonic_over() - may this SYN pass?
 * @en: namespace
 * @ct: its entry; locks none, any context
 * @hd: what the helper keeps in it
 *
 * Return: true if the server has as many half-open connections as it may, and this is none of them.
 */
bool esmtp_embryonic_over(struct esmtp_net *en, const struct nf_conn *ct,
			  const struct esmtp_help *hd);

/**
 * esmtp_embryonic_hook() - mark the first SYN of one more than allowed, where a cookie is to answer it
 *
 * The entry is not confirmed, so a label is all there is to set; nft's synproxy takes it from there.
 */
unsigned int esmtp_embryonic_hook(void *priv, struct sk_buff *skb,
				  const struct nf_hook_state *state);

/**
 * esmtp_embryonic_packet() - follow the state that connection tracking has of an entry
 * @en: namespace
 * @ct: entry; under RCU
 * @hd: what the helper keeps in it
 *
 * Return: false if there is no room to count it: drop.
 */
bool esmtp_embryonic_packet(struct esmtp_net *en, const struct nf_conn *ct,
			    struct esmtp_help *hd);

/** esmtp_embryonic_destroy() - the entry goes, in whatever state */
void esmtp_embryonic_destroy(struct esmtp_net *en, const struct nf_conn *ct,
			     struct esmtp_help *hd);

#endif /* _ESMTP_EMBRYONIC_H */
