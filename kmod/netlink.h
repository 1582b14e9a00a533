/* SPDX-License-Identifier: GPL-2.0-only */
/* The generic netlink family "esmtp". */
#ifndef _ESMTP_NETLINK_H
#define _ESMTP_NETLINK_H

#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack_tuple.h>

#include "net.h"

#define ESMTP_VERSION "0.1.0"

extern struct genl_family esmtp_genl_family;

/** esmtp_netlink_init() - register the family; namespaces must be ready; 0 or -errno */
int esmtp_netlink_init(void);

/** esmtp_netlink_exit() - unregister: no configuration or event goes out or in afterwards */
void esmtp_netlink_exit(void);

/**
 * esmtp_netlink_event() - send a message to those who listen to events
 * @en: namespace
 * @fill: puts the attributes into the message; 0 or -errno
 * @arg: for @fill
 *
 * Does nothing where nobody listens. Context: softirq or process.
 * Return: false if the event is lost.
 */
bool esmtp_netlink_event(struct esmtp_net *en,
			 int (*fill)(struct sk_buff *skb, const void *arg),
			 const void *arg);

/**
 * esmtp_netlink_put_ends() - put the ends of a connection into a message
 * @skb: message
 * @t: tuple
 * @type: of the attribute for the family; those for source and destination address, source and
 *	  destination port follow
 *
 * Return: 0 or -EMSGSIZE.
 */
int esmtp_netlink_put_ends(struct sk_buff *skb,
			   const struct nf_conntrack_tuple *t, int type);

/** esmtp_session_get_dumpit() - ESMTP_CMD_SESSION_GET (session_dump.c) */
int esmtp_session_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb);

/** esmtp_stage_drop() - a namespace goes: throw its stage away; process context */
void esmtp_stage_drop(struct esmtp_net *en);

#endif /* _ESMTP_NETLINK_H */
