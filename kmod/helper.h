/* SPDX-License-Identifier: GPL-2.0-only */
/* The conntrack helpers esmtp, esmtp-1 … */
#ifndef _ESMTP_HELPER_H
#define _ESMTP_HELPER_H

#include <net/netfilter/nf_conntrack_helper.h>

int esmtp_helpers_init(void);
/* No packet is in help() and no destroy() runs once this returns. */
void esmtp_helpers_exit(void);

/* Whether @h is one that this load of the module registered; any context. */
bool esmtp_helper_is_ours(const struct nf_conntrack_helper *h);

#endif /* _ESMTP_HELPER_H */
