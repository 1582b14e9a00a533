/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy in force: rules, parameters, counters. */
#ifndef _ESMTP_POLICY_H
#define _ESMTP_POLICY_H

#include <linux/kref.h>
#include <linux/rcupdate.h>
#include <linux/u64_stats_sync.h>
#include <net/netlink.h>

#include "../include/esmtp/engine.h"
#include "net.h"

/* Elements of esmtp_policy_sums(): enum esmtp_policy_counter, then enum esmtp_event_type. */
#define ESMTP_POLICY_SUMS (__ESMTP_PC_MAX + __ESMTP_EVENT_MAX)

/**
 * struct esmtp_policy_stats - one CPU's share of a policy's counters
 * @pc: indexed by enum esmtp_policy_counter
 * @event: indexed by enum esmtp_event_type
 * @syncp: makes 64 bits whole on 32-bit machines
 */
struct esmtp_policy_stats {
	u64_stats_t pc[__ESMTP_PC_MAX];
	u64_stats_t event[__ESMTP_EVENT_MAX];
	struct u64_stats_sync syncp;
};

/**
 * struct esmtp_ns_policy - a policy of a namespace; immutable but for its counters
 * @ref: one by the slot, one by each session
 * @rcu: frees it
 * @engine: what the engine reads
 * @generation: of the configuration that it came with; set before it is bound
 * @slot: number of the helper it is bound to
 * @name: NUL-terminated
 * @description: NUL-terminated, may be empty
 * @stats: per CPU
 * @base: sums of @stats at the last reset: pc, then event; the namespace's config mutex
 * @fired: times each rule fired, by its index
 * @fired_base: the same at the last reset; the namespace's config mutex
 * @full: when each rule's bucket is full again, in microseconds; those that limit a rate
 */
struct esmtp_ns_policy {
	struct kref ref;
	struct rcu_head rcu;
	struct esmtp_policy engine;
	u64 generation;
	u8 slot;
	char name[ESMTP_POLICY_NAME_MAX + 1];
	char description[ESMTP_DESCRIPTION_MAX + 1];
	struct esmtp_policy_stats __percpu *stats;
	u64 base[ESMTP_POLICY_SUMS];
	atomic64_t *fired;
	u64 *fired_base;
	atomic64_t *full;
};

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
 * @extack: says why not
 *
 * Context: process. Return: a policy with one reference, or ERR_PTR().
 */
struct esmtp_ns_policy *esmtp_policy_build(const struct nlattr *nest,
					   struct nlattr **tb, u8 slot,
					   const struct esmtp_table_set *tables,
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

/** esmtp_policy_count() - add @n to a counter; softirq or process context */
void esmtp_policy_count(struct esmtp_ns_policy *p, enum esmtp_policy_counter c,
			u64 n);

/** esmtp_policy_count_event() - count an event by its type and its rule; any context */
void esmtp_policy_count_event(struct esmtp_ns_policy *p,
			      const struct esmtp_event *ev);

/**
 * esmtp_policy_sums() - counters of a policy since the last reset
 * @p: policy; the namespace's config mutex is held
 * @sum: ESMTP_POLICY_SUMS elements
 */
void esmtp_policy_sums(const struct esmtp_ns_policy *p, u64 *sum);

/** esmtp_policy_fired() - times rule @i fired since the last reset; config mutex held */
u64 esmtp_policy_fired(const struct esmtp_ns_policy *p, u32 i);

/**
 * esmtp_policy_within_rate() - whether a rule is within its rate now
 * @p: policy
 * @i: index of a rule with ESMTP_ACTION_RATE_LIMIT
 *
 * Any context. Return: true if it is; then a token of its bucket is gone.
 */
bool esmtp_policy_within_rate(struct esmtp_ns_policy *p, u32 i);

/** esmtp_policy_reset() - counters of a policy to zero; config mutex held */
void esmtp_policy_reset(struct esmtp_ns_policy *p);

/** esmtp_policies_drop() - the slots of a namespace that goes give their policies back */
void esmtp_policies_drop(struct esmtp_net *en);

#endif /* _ESMTP_POLICY_H */
