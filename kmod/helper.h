/* SPDX-License-Identifier: GPL-2.0-only */
/* The conntrack helpers esmtp, esmtp-1 … */
#ifndef _ESMTP_HELPER_H
#define _ESMTP_HELPER_H

#include <net/netfilter/nf_conntrack_helper.h>

/** esmtp_helpers_init() - register all names for both families; 0 or -errno */
int esmtp_helpers_init(void);

/** esmtp_helpers_exit() - unregister: no packet is in help() and no destroy() runs afterwards */
void esmtp_helpers_exit(void);

/** esmtp_helper_is_ours() - whether @h is one that this load registered; any context */
bool esmtp_helper_is_ours(const struct nf_conntrack_helper *h);

#endif /* _ESMTP_HELPER_H */
