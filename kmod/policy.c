// SPDX-License-Identifier: GPL-2.0-only
/* Policies: made from attributes, counted, freed when their last session is gone. */
#include <linux/bottom_half.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "policy.h"
#include "rule.h"

static_assert(ESMTP_VERBS_ALL <= U32_MAX, "nla_policy masks have 32 bits");
static_assert(ESMTP_SLOTS <= U8_MAX);
static_assert(ESMTP_RULES_MAX < ESMTP_NO_RULE);

const struct nla_policy esmtp_policy_attrs[ESMTP_A_POLICY_MAX + 1] = {
	[ESMTP_A_POLICY_NAME] = { .type = NLA_STRING,
				  .len = ESMTP_POLICY_NAME_MAX },
	[ESMTP_A_POLICY_SLOT] = NLA_POLICY_MAX(NLA_U8, ESMTP_SLOTS - 1),
	[ESMTP_A_POLICY_DESCRIPTION] = { .type = NLA_STRING,
					 .len = ESMTP_DESCRIPTION_MAX },
	[ESMTP_A_POLICY_FLAGS] = NLA_POLICY_MASK(NLA_U32, ESMTP_POLICY_F_ALL),
	[ESMTP_A_POLICY_VERBS] = NLA_POLICY_MASK(NLA_U64, (u32)ESMTP_VERBS_ALL),
	[ESMTP_A_POLICY_RULES] = NLA_POLICY_NESTED(esmtp_rule_list_attrs),
	[ESMTP_A_POLICY_COUNTERS] = ESMTP_ANSWERS_ONLY,
	[ESMTP_A_POLICY_EVENTS] = ESMTP_ANSWERS_ONLY,
};

/* Length of a string attribute without the NUL that may end it. */
static int text_len(const struct nlattr *nla)
{
	const char *s = nla_data(nla);
	int len = nla_len(nla);

	return len && !s[len - 1] ? len - 1 : len;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

int esmtp_name_parse(char *name, const struct nlattr *nla,
		     struct netlink_ext_ack *extack)
{
	const char *s = nla_data(nla);
	int i, len = text_len(nla);

	if (!len)
		return esmtp_refuse(extack, nla, "the name is empty");
	for (i = 0; i < len; i++)
		if (!is_name_char(s[i]))
			return esmtp_refuse(extack, nla,
				      "a name has only letters, digits, '_', '.' and '-'");
	memcpy(name, s, len);
	return 0;
}

static int description_parse(char *description, const struct nlattr *nla,
			     struct netlink_ext_ack *extack)
{
	const u8 *s = nla_data(nla);
	int i, len = text_len(nla);

	for (i = 0; i < len; i++)
		if (s[i] < ' ' || s[i] == 0x7f)
			return esmtp_refuse(extack, nla,
				      "a description has no control characters");
	memcpy(description, s, len);
	return 0;
}

/* Point at rule @i of the list, or at the list itself if it has no such rule. */
static const struct nlattr *rule_attr(const struct nlattr *list, u32 i)
{
	const struct nlattr *nla;
	int rem;

	if (list)
		nla_for_each_nested(nla, list, rem)
			if (!i--)
				return nla;
	return list;
}

/* What the engine says of the policy as it would be, of which @old rules came earlier. */
static int rules_check(struct esmtp_policy *engine, u32 old,
		       const struct nlattr *list,
		       struct netlink_ext_ack *extack)
{
	u32 bad = ESMTP_NO_RULE;
	const char *why = esmtp_policy_prepare(engine, &bad);

	if (!why)
		return 0;
	return esmtp_refuse(extack,
			    rule_attr(list, bad < old ? U32_MAX : bad - old),
			    why);
}

static void rules_free(struct esmtp_ns_policy *p)
{
	kvfree(p->engine.rules);
	kvfree(p->engine.conds);
	kvfree(p->engine.order);
	kvfree(p->fired);
	kvfree(p->fired_base);
	kvfree(p->full);
}

/* Room for @n; on failure rules_free() is due all the same. */
static bool rules_alloc(struct esmtp_ns_policy *p, struct esmtp_rule_size n)
{
	struct esmtp_policy *e = &p->engine;

	e->rules = kvcalloc(n.rules, sizeof(*e->rules), GFP_KERNEL_ACCOUNT);
	e->conds = kvcalloc(n.conds, sizeof(*e->conds), GFP_KERNEL_ACCOUNT);
	e->order = kvcalloc(n.conds, sizeof(*e->order), GFP_KERNEL_ACCOUNT);
	p->fired = kvcalloc(n.rules, sizeof(*p->fired), GFP_KERNEL_ACCOUNT);
	p->fired_base = kvcalloc(n.rules, sizeof(*p->fired_base),
				 GFP_KERNEL_ACCOUNT);
	p->full = kvcalloc(n.rules, sizeof(*p->full), GFP_KERNEL_ACCOUNT);
	return e->rules && e->conds && e->order && p->fired && p->fired_base &&
	       p->full;
}

static void rules_copy(struct esmtp_policy *to, const struct esmtp_policy *from)
{
	if (from->n_rules)
		memcpy(to->rules, from->rules,
		       from->n_rules * sizeof(*to->rules));
	if (from->n_conds)
		memcpy(to->conds, from->conds,
		       from->n_conds * sizeof(*to->conds));
	to->n_rules = from->n_rules;
	to->n_conds = from->n_conds;
}

static int rules_grow(struct esmtp_ns_policy *p, struct esmtp_rule_size n,
		      const struct esmtp_table_set *tables,
		      const struct nlattr *list, struct netlink_ext_ack *extack)
{
	struct esmtp_ns_policy *grown;
	u32 old = p->engine.n_rules;
	int err = -ENOMEM;

	grown = kmemdup(p, sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!grown)
		return -ENOMEM;
	if (!rules_alloc(grown, n))
		goto out;
	rules_copy(&grown->engine, &p->engine);
	err = esmtp_rules_parse(&grown->engine, tables, list, extack);
	if (!err)
		err = rules_check(&grown->engine, old, list, extack);
	if (err) {
		/* Those of the conditions before are the old ones'. */
		esmtp_rules_put_tables(&grown->engine, p->engine.n_conds);
		esmtp_rules_forget(&grown->engine, old);
		goto out;
	}
	swap(p->engine, grown->engine);
	swap(p->fired, grown->fired);
	swap(p->fired_base, grown->fired_base);
	swap(p->full, grown->full);
out:
	rules_free(grown);
	kfree(grown);
	return err;
}

int esmtp_policy_append(struct esmtp_ns_policy *p,
			const struct esmtp_table_set *tables,
			const struct nlattr *list,
			struct netlink_ext_ack *extack)
{
	struct esmtp_rule_size n = esmtp_rules_size(list);

	n.rules += p->engine.n_rules;
	n.conds += p->engine.n_conds;
	if (n.rules > ESMTP_RULES_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, list,
				    "a policy has at most " __stringify(ESMTP_RULES_MAX) " rules");
		return -E2BIG;
	}
	return rules_grow(p, n, tables, list, extack);
}

static struct esmtp_policy_stats __percpu *stats_alloc(void)
{
	struct esmtp_policy_stats __percpu *stats;
	int cpu;

	stats = alloc_percpu_gfp(struct esmtp_policy_stats, GFP_KERNEL_ACCOUNT);
	if (!stats)
		return NULL;
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(stats, cpu)->syncp);
	return stats;
}

static void policy_free(struct esmtp_ns_policy *p)
{
	free_percpu(p->stats);
	esmtp_rules_put_tables(&p->engine, 0);
	esmtp_rules_forget(&p->engine, 0);
	rules_free(p);
	kfree(p);
}

static int params_parse(struct esmtp_ns_policy *p, struct nlattr **tb,
			struct netlink_ext_ack *extack)
{
	int err;

	p->engine.verbs = nla_get_u64(tb[ESMTP_A_POLICY_VERBS]);
	if (tb[ESMTP_A_POLICY_FLAGS])
		p->engine.flags = nla_get_u32(tb[ESMTP_A_POLICY_FLAGS]);
	if (tb[ESMTP_A_POLICY_DESCRIPTION]) {
		err = description_parse(p->description,
					tb[ESMTP_A_POLICY_DESCRIPTION], extack);
		if (err)
			return err;
	}
	return esmtp_name_parse(p->name, tb[ESMTP_A_POLICY_NAME], extack);
}

struct esmtp_ns_policy *esmtp_policy_build(const struct nlattr *nest,
					   struct nlattr **tb, u8 slot,
					   const struct esmtp_table_set *tables,
					   struct netlink_ext_ack *extack)
{
	struct esmtp_ns_policy *p;
	int err;

	if (!tb[ESMTP_A_POLICY_VERBS]) {
		err = esmtp_missing(extack, nest, ESMTP_A_POLICY_VERBS,
			      "a policy needs the verbs that pass");
		return ERR_PTR(err);
	}
	p = kzalloc(sizeof(*p), GFP_KERNEL_ACCOUNT);
	if (!p)
		return ERR_PTR(-ENOMEM);
	kref_init(&p->ref);
	p->slot = slot;
	err = params_parse(p, tb, extack);
	if (!err)
		err = esmtp_policy_append(p, tables, tb[ESMTP_A_POLICY_RULES],
					  extack);
	if (err)
		goto out;
	p->stats = stats_alloc();
	if (p->stats)
		return p;
	err = -ENOMEM;
out:
	policy_free(p);
	return ERR_PTR(err);
}

struct esmtp_ns_policy *esmtp_policy_get(struct esmtp_net *en, u8 slot)
{
	struct esmtp_ns_policy *p;

	rcu_read_lock();
	p = rcu_dereference(en->slot[slot]);
	if (p && !kref_get_unless_zero(&p->ref))
		p = NULL;
	rcu_read_unlock();
	return p;
}

static void policy_free_rcu(struct rcu_head *rcu)
{
	policy_free(container_of(rcu, struct esmtp_ns_policy, rcu));
}

static void policy_release(struct kref *ref)
{
	struct esmtp_ns_policy *p = container_of(ref, struct esmtp_ns_policy, ref);

	call_rcu(&p->rcu, policy_free_rcu);
}

void esmtp_policy_put(struct esmtp_ns_policy *p)
{
	if (p)
		kref_put(&p->ref, policy_release);
}

struct esmtp_ns_policy *esmtp_policy_running(struct esmtp_net *en, u8 slot)
{
	return rcu_dereference_protected(en->slot[slot],
					 lockdep_is_held(&en->config));
}

struct esmtp_ns_policy *esmtp_policy_find(struct esmtp_net *en,
					  const struct nlattr *name)
{
	struct esmtp_ns_policy *p;
	u8 slot;

	for (slot = 0; slot < ESMTP_SLOTS; slot++) {
		p = esmtp_policy_running(en, slot);
		if (p && !nla_strcmp(name, p->name))
			return p;
	}
	return NULL;
}

/* The caller keeps bottom halves off: a softirq must not count in between. */
static void stats_add(struct esmtp_policy_stats *s, u64_stats_t *v, u64 n)
{
	u64_stats_update_begin(&s->syncp);
	u64_stats_add(v, n);
	u64_stats_update_end(&s->syncp);
}

void esmtp_policy_count(struct esmtp_ns_policy *p, enum esmtp_policy_counter c,
			u64 n)
{
	struct esmtp_policy_stats *s;

	local_bh_disable();
	s = this_cpu_ptr(p->stats);
	stats_add(s, &s->pc[c], n);
	local_bh_enable();
}

void esmtp_policy_count_event(struct esmtp_ns_policy *p,
			      const struct esmtp_event *ev)
{
	struct esmtp_policy_stats *s;

	if (WARN_ON_ONCE(ev->type >= __ESMTP_EVENT_MAX))
		return;
	local_bh_disable();
	s = this_cpu_ptr(p->stats);
	stats_add(s, &s->event[ev->type], 1);
	local_bh_enable();
	if (ev->rule < p->engine.n_rules)
		atomic64_inc(&p->fired[ev->rule]);
}

static u64 stats_read(const struct esmtp_policy_stats *s, const u64_stats_t *v)
{
	unsigned int start;
	u64 n;

	do {
		start = u64_stats_fetch_begin(&s->syncp);
		n = u64_stats_read(v);
	} while (u64_stats_fetch_retry(&s->syncp, start));
	return n;
}

/* Since the policy was made, not since the last reset. */
static void sums_raw(const struct esmtp_ns_policy *p, u64 *sum)
{
	const struct esmtp_policy_stats *s;
	int cpu, i;

	memset(sum, 0, ESMTP_POLICY_SUMS * sizeof(*sum));
	for_each_possible_cpu(cpu) {
		s = per_cpu_ptr(p->stats, cpu);
		for (i = 0; i < __ESMTP_PC_MAX; i++)
			sum[i] += stats_read(s, &s->pc[i]);
		for (i = 0; i < __ESMTP_EVENT_MAX; i++)
			sum[__ESMTP_PC_MAX + i] += stats_read(s, &s->event[i]);
	}
}

void esmtp_policy_sums(const struct esmtp_ns_policy *p, u64 *sum)
{
	int i;

	sums_raw(p, sum);
	for (i = 0; i < ESMTP_POLICY_SUMS; i++)
		sum[i] -= p->base[i];
}

u64 esmtp_policy_fired(const struct esmtp_ns_policy *p, u32 i)
{
	return (u64)atomic64_read(&p->fired[i]) - p->fired_base[i];
}

void esmtp_policy_reset(struct esmtp_ns_policy *p)
{
	u32 i;

	sums_raw(p, p->base);
	for (i = 0; i < p->engine.n_rules; i++)
		p->fired_base[i] = atomic64_read(&p->fired[i]);
}

void esmtp_policies_drop(struct esmtp_net *en)
{
	u8 slot;

	for (slot = 0; slot < ESMTP_SLOTS; slot++)
		esmtp_policy_put(unrcu_pointer(xchg(&en->slot[slot], NULL)));
}
