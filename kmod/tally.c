// SPDX-License-Identifier: GPL-2.0-only
/* The counters of policies and rules; they go from one generation to the next. */
#include <linux/bitmap.h>
#include <linux/bottom_half.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/u64_stats_sync.h>

#include "ns_table.h"
#include "policy.h"

/**
 * struct stats - one CPU's share of a policy's counters
 * @pc: indexed by enum esmtp_policy_counter
 * @event: indexed by enum esmtp_event_type
 * @syncp: makes 64 bits whole on 32-bit machines
 */
struct stats {
	u64_stats_t pc[__ESMTP_PC_MAX];
	u64_stats_t event[__ESMTP_EVENT_MAX];
	struct u64_stats_sync syncp;
};

/**
 * struct esmtp_totals - counters of a policy, and of those of its name before it
 * @ref: one by each of these policies
 * @stats: per CPU
 * @base: sums of @stats at the last reset: pc, then event; the namespace's config mutex
 */
struct esmtp_totals {
	refcount_t ref;
	struct stats __percpu *stats;
	u64 base[ESMTP_POLICY_SUMS];
};

/**
 * struct esmtp_fired - counter of a rule, and of equal ones before it
 * @ref: one by each of these rules
 * @n: times it fired
 * @base: @n at the last reset; the namespace's config mutex
 */
struct esmtp_fired {
	refcount_t ref;
	atomic64_t n;
	u64 base;
};

struct esmtp_totals *esmtp_totals_alloc(void)
{
	struct esmtp_totals *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);
	int cpu;

	if (!t)
		return NULL;
	refcount_set(&t->ref, 1);
	t->stats = alloc_percpu_gfp(struct stats, GFP_KERNEL_ACCOUNT);
	if (!t->stats) {
		kfree(t);
		return NULL;
	}
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(t->stats, cpu)->syncp);
	return t;
}

static struct esmtp_totals *totals_get(struct esmtp_totals *t)
{
	refcount_inc(&t->ref);
	return t;
}

void esmtp_totals_put(struct esmtp_totals *t)
{
	if (!t || !refcount_dec_and_test(&t->ref))
		return;
	free_percpu(t->stats);
	kfree(t);
}

static struct esmtp_fired *fired_new(void)
{
	struct esmtp_fired *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (f)
		refcount_set(&f->ref, 1);
	return f;
}

static struct esmtp_fired *fired_get(struct esmtp_fired *f)
{
	refcount_inc(&f->ref);
	return f;
}

static void fired_put(struct esmtp_fired *f)
{
	if (f && refcount_dec_and_test(&f->ref))
		kfree(f);
}

struct esmtp_fired **esmtp_fired_alloc(u32 n, struct esmtp_fired **old,
				       u32 n_old)
{
	struct esmtp_fired **fired;
	u32 i;

	fired = kvcalloc(n, sizeof(*fired), GFP_KERNEL_ACCOUNT);
	if (!fired)
		return NULL;
	for (i = 0; i < n; i++) {
		fired[i] = i < n_old ? fired_get(old[i]) : fired_new();
		if (!fired[i]) {
			esmtp_fired_free(fired, i);
			return NULL;
		}
	}
	return fired;
}

void esmtp_fired_free(struct esmtp_fired **fired, u32 n)
{
	u32 i;

	for (i = 0; fired && i < n; i++)
		fired_put(fired[i]);
	kvfree(fired);
}

/* What the conditions of a rule of old and of a new one ask; see esmtp_tables_pair(). */
static bool same_table(const struct esmtp_table *old,
		       const struct esmtp_table *table)
{
	if (!old || !table)
		return old == table;
	return esmtp_table_ns(table)->before == esmtp_table_ns(old);
}

static bool same_cond(const struct esmtp_cond *a, const struct esmtp_cond *b)
{
	return a->match == b->match && a->negate == b->negate &&
	       a->limit == b->limit && a->set == b->set &&
	       a->field_len == b->field_len &&
	       !strncasecmp((const char *)a->field, (const char *)b->field,
			    a->field_len) &&
	       same_table(a->table, b->table);
}

static bool same_answer(const struct esmtp_rule *a, const struct esmtp_rule *b)
{
	return a->code == b->code && a->text_len == b->text_len &&
	       !a->text == !b->text &&
	       (!a->text || !memcmp(a->text, b->text, a->text_len));
}

static bool same_rule(const struct esmtp_policy *p, const struct esmtp_rule *a,
		      const struct esmtp_policy *q, const struct esmtp_rule *b)
{
	u8 i;

	if (a->action != b->action || a->log != b->log ||
	    a->n_conds != b->n_conds || !same_answer(a, b) ||
	    memcmp(&a->rate, &b->rate, sizeof(a->rate)))
		return false;
	for (i = 0; i < a->n_conds; i++)
		if (!same_cond(&p->conds[a->first + i], &q->conds[b->first + i]))
			return false;
	return true;
}

/* The first rule of @old from number @from on, once around, that says what @rule of @p does and is not taken yet. */
static u32 rule_find(const struct esmtp_policy *old, u32 from,
		     const struct esmtp_policy *p, const struct esmtp_rule *rule,
		     const unsigned long *taken)
{
	u32 n = old->n_rules, k, i;

	for (k = 0; k < n; k++) {
		i = (from + k) % n;
		if (!test_bit(i, taken) &&
		    same_rule(old, &old->rules[i], p, rule))
			return i;
	}
	return n;
}

/*
 * Rules that say the same take over in their order: a search goes on behind the last one that was found, so
 * that it is short where little has changed, and all of them are equal to each other.
 */
void esmtp_policy_inherit(struct esmtp_ns_policy *p,
			  const struct esmtp_ns_policy *old)
{
	DECLARE_BITMAP(taken, ESMTP_RULES_MAX) = { };
	u32 i, j, next = 0;

	esmtp_totals_put(p->totals);
	p->totals = totals_get(old->totals);
	for (i = 0; i < p->engine.n_rules; i++) {
		cond_resched();
		j = rule_find(&old->engine, next, &p->engine,
			      &p->engine.rules[i], taken);
		if (j == old->engine.n_rules)
			continue;
		__set_bit(j, taken);
		next = j + 1;
		fired_put(p->fired[i]);
		p->fired[i] = fired_get(old->fired[j]);
	}
}

/* The caller keeps bottom halves off: a softirq must not count in between. */
static void stats_add(struct stats *s, u64_stats_t *v, u64 n)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_add(v, n);
	u64_stats_update_end(&s->syncp);
}

void esmtp_policy_count(struct esmtp_ns_policy *p, enum esmtp_policy_counter c,
			u64 n)
{
	struct stats *s;

	local_bh_disable();
	s = this_cpu_ptr(p->totals->stats);
	stats_add(s, &s->pc[c], n);
	local_bh_enable();
}

void esmtp_policy_count_event(struct esmtp_ns_policy *p,
			      const struct esmtp_event *ev)
{
	struct stats *s;

	if (WARN_ON_ONCE(ev->type >= __ESMTP_EVENT_MAX))
		return;
	local_bh_disable();
	s = this_cpu_ptr(p->totals->stats);
	stats_add(s, &s->event[ev->type], 1);
	local_bh_enable();
	if (ev->rule < p->engine.n_rules)
		atomic64_inc(&p->fired[ev->rule]->n);
}

static u64 stats_read(const struct stats *s, const u64_stats_t *v)
{
	unsigned int start;
	u64 n;

	do {
		start = u64_stats_fetch_begin(&s->syncp);
		n = u64_stats_read(v);
	} while (u64_stats_fetch_retry(&s->syncp, start));
	return n;
}

/* Since the counters were made, not since the last reset. */
static void sums_raw(const struct esmtp_totals *t, u64 *sum)
{
	const struct stats *s;
	int cpu, i;

	memset(sum, 0, ESMTP_POLICY_SUMS * sizeof(*sum));
	for_each_possible_cpu(cpu) {
		s = per_cpu_ptr(t->stats, cpu);
		for (i = 0; i < __ESMTP_PC_MAX; i++)
			sum[i] += stats_read(s, &s->pc[i]);
		for (i = 0; i < __ESMTP_EVENT_MAX; i++)
			sum[__ESMTP_PC_MAX + i] += stats_read(s, &s->event[i]);
	}
}

void esmtp_policy_sums(const struct esmtp_ns_policy *p, bool absolute, u64 *sum)
{
	int i;

	sums_raw(p->totals, sum);
	for (i = 0; !absolute && i < ESMTP_POLICY_SUMS; i++)
		sum[i] -= p->totals->base[i];
}

u64 esmtp_policy_fired(const struct esmtp_ns_policy *p, u32 i, bool absolute)
{
	const struct esmtp_fired *f = p->fired[i];

	return (u64)atomic64_read(&f->n) - (absolute ? 0 : f->base);
}

void esmtp_policy_reset(struct esmtp_ns_policy *p)
{
	u32 i;

	sums_raw(p->totals, p->totals->base);
	for (i = 0; i < p->engine.n_rules; i++)
		p->fired[i]->base = atomic64_read(&p->fired[i]->n);
}
