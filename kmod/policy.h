/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy in force: rules and parameters. */
#ifndef _ESMTP_POLICY_H
#define _ESMTP_POLICY_H

#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <net/netlink.h>

#include "../include/esmtp/engine.h"
#include "generation.h"
#include "net.h"
#include "tally.h"

/**
 * struct esmtp_ns_policy - a policy of a namespace; immutable but for its counters
 * @ref: one by the slot, one by each session
 * @rcu: frees it
 * @engine: what the engine reads
 * @generation: of the configuration that it came with; one reference
 * @slot: number of the helper it is bound to
 * @log_level: of its lines in the kernel's log, ESMTP_LOG_NONE or ESMTP_LOG_DEFAULT
 * @log_group: nfnetlink_log group
 * @log_packets: that group gets packets, and we have a reference of its modules
 * @name: NUL-terminated
 * @description: NUL-terminated, may be empty
 * @totals: its own counters, one reference
 * @fired: counter of each rule by its index, one reference each
 * @n_fired: elements of @fired
 * @full: when each rule's bucket is full again, in microseconds; those that limit a rate
 */
struct esmtp_ns_policy {
	struct kref ref;
	struct rcu_head rcu;
	struct esmtp_policy engine;
	struct esmtp_generation *generation;
	u8 slot;
	u8 log_level;
	u16 log_group;
	bool log_packets;
	char name[ESMTP_POLICY_NAME_MAX + 1];
	char description[ESMTP_DESCRIPTION_MAX + 1];
	struct esmtp_totals *totals;
	struct esmtp_fired **fired;
	u32 n_fired;
	atomic64_t *full;
};

/* What was done stands out from what was only seen. */
#define ESMTP_LOG_DEFAULT (ESMTP_LOG_NONE + 1)

/* What ESMTP_A_POLICY may hold in ESMTP_CMD_STAGE_POLICY. */
extern const struct nla_policy esmtp_policy_attrs[ESMTP_A_POLICY_MAX + 1];

/**
 * esmtp_name_parse() - read the name of a policy or a table
 * @name: room for ESMTP_POLICY_NAME_MAX characters; zeroed
 * @nla: (NOT NULL) a string of at most as many
 * @extack: says why not
 *
 * Return: 0 or -EINVAL.
 */
int esmtp_name_parse(char *name, const struct nlattr *nla,
		     struct netlink_ext_ack *extack);

/**
 * esmtp_policy_build() - make a policy that nobody else sees yet
 * @nest: (NOT NULL) ESMTP_A_POLICY
 * @tb: (NOT NULL) its attributes by type, validated by esmtp_policy_attrs
 * @slot: that it will have
 * @tables: (MAYBE NULL) those of its stage
 * @generation: that it will belong to
 * @extack: says why not
 *
 * Context: process. Return: a policy with one reference, or ERR_PTR().
 */
struct esmtp_ns_policy *esmtp_policy_build(const struct nlattr *nest,
					   struct nlattr **tb, u8 slot,
					   const struct esmtp_table_set *tables,
					   struct esmtp_generation *generation,
					   struct netlink_ext_ack *extack);

/**
 * esmtp_policy_append() - add rules to a policy that nobody else sees yet
 * @p: policy; unchanged when this fails
 * @tables: (MAYBE NULL) those of its stage
 * @list: (MAYBE NULL) ESMTP_A_POLICY_RULES
 * @extack: says why not
 *
 * Context: process. Return: 0 or -errno.
 */
int esmtp_policy_append(struct esmtp_ns_policy *p,
			const struct esmtp_table_set *tables,
			const struct nlattr *list,
			struct netlink_ext_ack *extack);

/**
 * esmtp_policy_get() - the policy that is bound to a slot
 * @en: namespace
 * @slot: 0 … ESMTP_SLOTS - 1
 *
 * Context: any. Return: a reference, or NULL if the slot has none.
 */
struct esmtp_ns_policy *esmtp_policy_get(struct esmtp_net *en, u8 slot);

/** esmtp_policy_put() - give a reference back; any context; NULL is nothing */
void esmtp_policy_put(struct esmtp_ns_policy *p);

/** esmtp_policy_running() - the policy in a slot, or NULL; @en->config held */
struct esmtp_ns_policy *esmtp_policy_running(struct esmtp_net *en, u8 slot);

/**
 * esmtp_policy_find() - the running policy of a name
 * @en: namespace; @en->config held
 * @name: (NOT NULL) ESMTP_A_POLICY_NAME
 *
 * Return: the policy, without a reference, or NULL.
 */
struct esmtp_ns_policy *esmtp_policy_find(struct esmtp_net *en,
					  const struct nlattr *name);

/**
 * esmtp_policy_within_rate() - whether a rule is within its rate now
 * @p: policy
 * @i: index of a rule with ESMTP_ACTION_RATE_LIMIT
 *
 * Any context. Return: true if it is; then a token of its bucket is gone.
 */
bool esmtp_policy_within_rate(struct esmtp_ns_policy *p, u32 i);

/** esmtp_policies_drop() - the slots of a namespace that goes give their policies back */
void esmtp_policies_drop(struct esmtp_net *en);

#endif /* _ESMTP_POLICY_H */
