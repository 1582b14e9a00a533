/* SPDX-License-Identifier: GPL-2.0-only */
/* State of one network namespace. */
#ifndef _ESMTP_NET_H
#define _ESMTP_NET_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/u64_stats_sync.h>
#include <net/net_namespace.h>

#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"
#include "generation.h"

#define ESMTP_HALF_OPEN_BUCKETS	512

struct esmtp_ns_policy;
struct esmtp_stage;
struct esmtp_table_set;

/**
 * struct esmtp_ns_counters - one CPU's share of the namespace's counters
 * @v: indexed by enum esmtp_ns_counter
 * @syncp: makes 64 bits whole on 32-bit machines
 */
struct esmtp_ns_counters {
	u64_stats_t v[__ESMTP_NC_MAX];
	struct u64_stats_sync syncp;
};

/**
 * struct esmtp_net - what the module keeps for one network namespace
 * @net: the namespace; valid from init to exit
 * @slot: running policies; written under @config, read under RCU
 * @config: serialises configuration: @slot, @tables, @stage, @generation, @guarded
 * @tables: of the running configuration, or NULL; @config
 * @stage: configuration under preparation, or NULL; @config
 * @generation: number of the configuration, 0 = none; written under @config
 * @current_gen: the configuration, NULL = it is empty; @config
 * @old: configurations before it that connections still use, and others; @config
 * @commits: configurations put in force so far; tells dumps of a change; @config
 * @guarded: the guard hooks are registered; @config
 * @dying: the namespace goes: nothing is inspected or counted any more
 * @n_sessions: sessions of the namespace
 * @retained: bytes that all its sessions retain (truesize)
 * @counters: per CPU
 * @base: sums at the last reset, subtracted when read; @config
 * @event_seq: of events sent
 * @half_open: counts of half-open connections (embryonic.c); written under @half_open_lock, read under RCU
 * @half_open_lock: servers come and go
 * @n_half_open: counts in @half_open; @half_open_lock
 * @half_open_seed: of their hash
 * @half_open_gone: no further one; @half_open_lock
 */
struct esmtp_net {
	struct net *net;
	struct esmtp_ns_policy __rcu *slot[ESMTP_SLOTS];
	struct mutex config;
	struct esmtp_table_set *tables;
	struct esmtp_stage *stage;
	u64 generation;
	struct esmtp_generation *current_gen;
	struct esmtp_generation *old[ESMTP_GENERATIONS_ROOM];
	u32 commits;
	bool guarded;
	bool dying;
	atomic_t n_sessions;
	atomic_long_t retained;
	struct esmtp_ns_counters __percpu *counters;
	u64 base[__ESMTP_NC_MAX];
	atomic_t event_seq;
	struct hlist_head half_open[ESMTP_HALF_OPEN_BUCKETS];
	spinlock_t half_open_lock;
	u32 n_half_open;
	u32 half_open_seed;
	bool half_open_gone;
};

/**
 * esmtp_net() - the module's state of a namespace
 * @net: (NOT NULL) a namespace that is not being torn down by our own exit
 *
 * Return: never NULL.
 */
struct esmtp_net *esmtp_net(const struct net *net);

/**
 * esmtp_count() - add one to a counter of the namespace; softirq or process context
 * @en: namespace
 * @c: which
 */
void esmtp_count(struct esmtp_net *en, enum esmtp_ns_counter c);

/**
 * esmtp_net_sums() - all counters of the namespace
 * @en: namespace; @en->config held
 * @absolute: since it was made, not since the last reset
 * @sum: __ESMTP_NC_MAX elements
 */
void esmtp_net_sums(struct esmtp_net *en, bool absolute, u64 *sum);

/** esmtp_net_reset() - counters of the namespace to zero; @en->config held */
void esmtp_net_reset(struct esmtp_net *en);

/**
 * esmtp_guard_on() - register the hooks that drop what is labelled but has no helper
 * @en: namespace; @en->config held
 *
 * Idempotent; the hooks stay until the namespace or the module goes.
 * Return: 0 or -errno.
 */
int esmtp_guard_on(struct esmtp_net *en);

/** esmtp_guard_off() - the namespace goes: no guard; an RCU grace period must follow */
void esmtp_guard_off(struct esmtp_net *en);

#endif /* _ESMTP_NET_H */
