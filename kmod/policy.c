// SPDX-License-Identifier: GPL-2.0-only
/* Policies: made from attributes, counted, freed when their last session is gone. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <net/netfilter/nf_log.h>

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
	[ESMTP_A_POLICY_LOG_LEVEL] = NLA_POLICY_MAX(NLA_U8, ESMTP_LOG_NONE),
	[ESMTP_A_POLICY_LOG_GROUP] = { .type = NLA_U16 },
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
	esmtp_fired_free(p->fired, p->n_fired);
	kvfree(p->engine.rules);
	kvfree(p->engine.conds);
	kvfree(p->engine.order);
	kvfree(p->full);
}

/* Room for @n, with the counters that @old has; on failure rules_free() is due all the same. */
static bool rules_alloc(struct esmtp_ns_policy *p, struct esmtp_rule_size n,
			const struct esmtp_ns_policy *old)
{
	struct esmtp_policy *e = &p->engine;

	e->rules = kvcalloc(n.rules, sizeof(*e->rules), GFP_KERNEL_ACCOUNT);
	e->conds = kvcalloc(n.conds, sizeof(*e->conds), GFP_KERNEL_ACCOUNT);
	e->order = kvcalloc(n.conds, sizeof(*e->order), GFP_KERNEL_ACCOUNT);
	p->full = kvcalloc(n.rules, sizeof(*p->full), GFP_KERNEL_ACCOUNT);
	p->fired = esmtp_fired_alloc(n.rules, old->fired, old->n_fired);
	p->n_fired = n.rules;
	return e->rules && e->conds && e->order && p->full && p->fired;
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
	if (!rules_alloc(grown, n, p))
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
	swap(p->n_fired, grown->n_fired);
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

static void policy_free(struct esmtp_ns_policy *p)
{
	if (p->log_packets)
		nf_logger_put(NFPROTO_INET, NF_LOG_TYPE_ULOG);
	esmtp_totals_put(p->totals);
	esmtp_rules_put_tables(&p->engine, 0);
	esmtp_rules_forget(&p->engine, 0);
	rules_free(p);
	kfree(p);
}

/* The logger's module is loaded now if it is not there, and stays. */
static int log_parse(struct esmtp_ns_policy *p, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	const struct nlattr *group = tb[ESMTP_A_POLICY_LOG_GROUP];

	p->log_level = ESMTP_LOG_DEFAULT;
	if (tb[ESMTP_A_POLICY_LOG_LEVEL])
		p->log_level = nla_get_u8(tb[ESMTP_A_POLICY_LOG_LEVEL]);
	if (!group)
		return 0;
	if (nf_logger_find_get(NFPROTO_INET, NF_LOG_TYPE_ULOG)) {
		NL_SET_ERR_MSG_ATTR(extack, group,
				    "the kernel has no nfnetlink_log, which a log group needs");
		return -ENOENT;
	}
	p->log_group = nla_get_u16(group);
	p->log_packets = true;
	return 0;
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
	err = log_parse(p, tb, extack);
	if (err)
		return err;
	return esmtp_name_parse(p->name, tb[ESMTP_A_POLICY_NAME], extack);
}

struct esmtp_ns_policy *esmtp_policy_build(const struct nlattr *nest,
					   struct nlattr **tb, u8 slot,
					   const struct esmtp_table_set *tables,
					   struct esmtp_generation *generation,
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
	p->totals = esmtp_totals_alloc();
	if (p->totals) {
		p->generation = esmtp_generation_get(generation);
		return p;
	}
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

	esmtp_generation_put(p->generation);
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

void esmtp_policies_drop(struct esmtp_net *en)
{
	u8 slot;

	for (slot = 0; slot < ESMTP_SLOTS; slot++)
		esmtp_policy_put(unrcu_pointer(xchg(&en->slot[slot], NULL)));
}
