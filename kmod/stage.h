/* SPDX-License-Identifier: GPL-2.0-only */
/* A configuration under preparation; how it takes effect. */
#ifndef _ESMTP_STAGE_H
#define _ESMTP_STAGE_H

#include <net/netlink.h>

#include "net.h"

/*
 * Theory of operation
 *
 * A stage is a second set of slots, filled message by message by the one socket that
 * opened it, known by its port id. All that can fail – parsing, checking, allocating –
 * happens while it is filled. To commit is to exchange eight pointers.
 * All functions take the namespace's config mutex, so they need process context.
 */

/**
 * struct esmtp_staged - what became of a policy
 * @name: its name
 * @slot: that it will have
 */
struct esmtp_staged {
	char name[ESMTP_POLICY_NAME_MAX + 1];
	u8 slot;
};

/**
 * esmtp_stage_begin() - open a stage, or empty the one this socket has
 * @en: namespace
 * @portid: of the socket
 * @extack: says why not
 *
 * Return: 0, -EBUSY while another socket has a stage, -ENOMEM.
 */
int esmtp_stage_begin(struct esmtp_net *en, u32 portid,
		      struct netlink_ext_ack *extack);

/**
 * esmtp_stage_policy() - add a policy, or rules to a policy that is staged
 * @en: namespace
 * @portid: of the socket
 * @nest: (NOT NULL) ESMTP_A_POLICY, validated by esmtp_policy_attrs
 * @staged: set to what became of it
 * @extack: says why not
 *
 * Return: 0 or -errno; then the stage is as it was before.
 */
int esmtp_stage_policy(struct esmtp_net *en, u32 portid,
		       const struct nlattr *nest, struct esmtp_staged *staged,
		       struct netlink_ext_ack *extack);

/**
 * esmtp_stage_table() - add a piece of a table
 * @en: namespace
 * @portid: of the socket
 * @nest: (NOT NULL) ESMTP_A_TABLE, validated by esmtp_table_attrs
 * @extack: says why not
 *
 * Return: 0 or -errno; see esmtp_table_piece().
 */
int esmtp_stage_table(struct esmtp_net *en, u32 portid,
		      const struct nlattr *nest,
		      struct netlink_ext_ack *extack);

/**
 * esmtp_stage_check() - end a stage without any effect
 * @en: namespace
 * @portid: of the socket
 * @extack: says why not
 *
 * Return: 0 if it could have been committed, else -errno with the stage still there.
 */
int esmtp_stage_check(struct esmtp_net *en, u32 portid,
		      struct netlink_ext_ack *extack);

/**
 * esmtp_stage_abort() - throw a stage away
 * @en: namespace
 * @portid: of the socket
 * @extack: says why not
 *
 * Return: 0, or -errno if this socket has none.
 */
int esmtp_stage_abort(struct esmtp_net *en, u32 portid,
		      struct netlink_ext_ack *extack);

/**
 * esmtp_stage_commit() - put a stage in force
 * @en: namespace
 * @portid: of the socket
 * @generation: (NOT NULL) ESMTP_A_GENERATION: the configuration's from now on
 * @extack: says why not
 *
 * Return: 0, or -errno with nothing changed and the stage still there.
 */
int esmtp_stage_commit(struct esmtp_net *en, u32 portid,
		       const struct nlattr *generation,
		       struct netlink_ext_ack *extack);

/**
 * esmtp_stage_close() - a socket is gone: throw its stage away if it has one
 * @en: namespace
 * @portid: of the socket
 */
void esmtp_stage_close(struct esmtp_net *en, u32 portid);

#endif /* _ESMTP_STAGE_H */
