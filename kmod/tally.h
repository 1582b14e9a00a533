/* SPDX-License-Identifier: GPL-2.0-only */
/* What a policy and its rules have seen and done. */
#ifndef _ESMTP_TALLY_H
#define _ESMTP_TALLY_H

#include "../include/esmtp/engine.h"

/*
 * Theory of operation
 *
 * Counters outlive the policies that count in them. When a configuration takes another's place, a
 * policy of the same name takes over the old one's totals, and a rule that says the same as one of the old
 * policy that one's counter: old and new count in the same place then, since connections
 * keep the old policy to their end. Nothing is ever set back: a reset remembers where the
 * counter stood, and that is subtracted for those who want to see it.
 */

struct esmtp_ns_policy;
struct esmtp_totals;
struct esmtp_fired;

/* Elements of esmtp_policy_sums(): enum esmtp_policy_counter, then enum esmtp_event_type. */
#define ESMTP_POLICY_SUMS (__ESMTP_PC_MAX + __ESMTP_EVENT_MAX)

/** esmtp_totals_alloc() - counters of a policy at zero, one reference; NULL = no memory; process context */
struct esmtp_totals *esmtp_totals_alloc(void);

/** esmtp_totals_put() - give a reference back; nobody counts in it by this policy; any context; NULL is nothing */
void esmtp_totals_put(struct esmtp_totals *t);

/**
 * esmtp_fired_alloc() - an array with a counter for each rule
 * @n: elements
 * @old: (MAYBE NULL) counters that the first ones are to be
 * @n_old: how many
 *
 * Context: process. Return: NULL if there is no memory.
 */
struct esmtp_fired **esmtp_fired_alloc(u32 n, struct esmtp_fired **old,
				       u32 n_old);

/** esmtp_fired_free() - give back an array of @n counters; any context; NULL is nothing */
void esmtp_fired_free(struct esmtp_fired **fired, u32 n);

/**
 * esmtp_policy_inherit() - take over the counters of the policy before
 * @p: policy that nobody counts in yet
 * @old: policy of the same name
 *
 * The tables of both configurations are paired. Cannot fail. Context: process.
 */
void esmtp_policy_inherit(struct esmtp_ns_policy *p,
			  const struct esmtp_ns_policy *old);

/** esmtp_policy_count() - add @n to a counter; softirq or process context */
void esmtp_policy_count(struct esmtp_ns_policy *p, enum esmtp_policy_counter c,
			u64 n);

/** esmtp_policy_count_event() - count an event by its type and its rule; any context */
void esmtp_policy_count_event(struct esmtp_ns_policy *p,
			      const struct esmtp_event *ev);

/**
 * esmtp_policy_sums() - counters of a policy
 * @p: policy; the namespace's config mutex is held
 * @absolute: since they were made, not since the last reset
 * @sum: ESMTP_POLICY_SUMS elements
 */
void esmtp_policy_sums(const struct esmtp_ns_policy *p, bool absolute, u64 *sum);

/** esmtp_policy_fired() - times rule @i fired, see esmtp_policy_sums(); config mutex held */
u64 esmtp_policy_fired(const struct esmtp_ns_policy *p, u32 i, bool absolute);

/** esmtp_policy_reset() - those who do not ask for absolute values see zero; config mutex held */
void esmtp_policy_reset(struct esmtp_ns_policy *p);

#endif /* _ESMTP_TALLY_H */
