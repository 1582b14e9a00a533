/* SPDX-License-Identifier: GPL-2.0-only */
/* Events on their way from a packet to those who listen. */
#ifndef _ESMTP_EVENT_H
#define _ESMTP_EVENT_H

#include <linux/list.h>
#include <net/netfilter/nf_conntrack.h>

#include "policy.h"

/**
 * esmtp_event_note() - count an event now, and keep it for sending if it is to be logged
 * @en: namespace
 * @list: of notes that esmtp_event_send() will send
 * @p: the connection's policy
 * @dir: where it happened
 * @ev: (NOT NULL) what happened
 * @sender: (MAYBE NULL) envelope sender of the connection
 *
 * Context: softirq, under a session's lock. A note that cannot be allocated is counted
 * as lost.
 */
void esmtp_event_note(struct esmtp_net *en, struct list_head *list,
		      struct esmtp_ns_policy *p, enum esmtp_dir dir,
		      const struct esmtp_event *ev,
		      const struct esmtp_sender *sender);

/**
 * esmtp_event_send() - send and free the notes
 * @en: namespace
 * @list: of notes; empty afterwards
 * @p: the policy they were noted for; the caller holds a reference
 * @orig: tuple of the connection's original direction
 * @skb: (MAYBE NULL) the packet that they were noted for; the group gets it
 *
 * To the netlink group "events" where somebody listens, and as one line each to the kernel's
 * log, rate-limited; other namespaces than the first write there only if
 * net.netfilter.nf_log_all_netns is set.
 * And where the policy has a group, the packet to nfnetlink_log's.
 * Context: softirq or process, RCU, no lock held.
 */
void esmtp_event_send(struct esmtp_net *en, struct list_head *list,
		      const struct esmtp_ns_policy *p,
		      const struct nf_conntrack_tuple *orig, struct sk_buff *skb);

#endif /* _ESMTP_EVENT_H */
