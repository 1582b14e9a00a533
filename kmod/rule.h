/* SPDX-License-Identifier: GPL-2.0-only */
/* Rules as netlink attributes. */
#ifndef _ESMTP_RULE_H
#define _ESMTP_RULE_H

#include <net/netlink.h>

#include "../include/esmtp/engine.h"
#include "ns_table.h"

#define ESMTP_ANSWERS_ONLY \
	{ .type = NLA_REJECT, .reject_message = "only answers carry this" }

/**
 * struct esmtp_rule_size - how much a list of rules is
 * @rules: rules
 * @conds: conditions in all of them
 */
struct esmtp_rule_size {
	u32 rules;
	u32 conds;
};

/* What ESMTP_A_POLICY_RULES may hold in ESMTP_CMD_STAGE_POLICY. */
extern const struct nla_policy
	esmtp_rule_list_attrs[ESMTP_A_RULE_LIST_MAX + 1];

/**
 * esmtp_refuse() - say why
 * @extack: there
 * @bad: (MAYBE NULL) attribute that is wrong
 * @why: sentence; must live as long as the module: the macros for this want a literal
 *
 * Return: -EINVAL.
 */
int esmtp_refuse(struct netlink_ext_ack *extack, const struct nlattr *bad,
		 const char *why);

/** esmtp_missing() - the same for an attribute that @nest lacks */
int esmtp_missing(struct netlink_ext_ack *extack, const struct nlattr *nest,
		  int attr, const char *why);

/**
 * esmtp_rules_size() - what a list needs room for
 * @list: (MAYBE NULL) ESMTP_A_POLICY_RULES
 *
 * Return: numbers that are not too large, for a message is not.
 */
struct esmtp_rule_size esmtp_rules_size(const struct nlattr *list);

/**
 * esmtp_rules_parse() - append a list to the rules of a policy
 * @p: policy that has room for it
 * @tables: (MAYBE NULL) those of its stage
 * @list: (MAYBE NULL) ESMTP_A_POLICY_RULES
 * @extack: says why not
 *
 * What the rules mean is esmtp_policy_prepare()'s business. Conditions that were appended have a
 * reference to their table, also when this fails: see esmtp_rules_put_tables().
 *
 * Context: process. Return: 0, -EINVAL or -ENOMEM; those up to the bad one are appended then.
 */
int esmtp_rules_parse(struct esmtp_policy *p,
		      const struct esmtp_table_set *tables,
		      const struct nlattr *list,
		      struct netlink_ext_ack *extack);

/**
 * esmtp_rules_put_tables() - give back the tables that conditions have
 * @p: policy
 * @from: the first of these conditions; all behind it are
 */
void esmtp_rules_put_tables(const struct esmtp_policy *p, u32 from);

/**
 * esmtp_rules_forget() - free what rules have for themselves
 * @p: policy
 * @first: the first of them; to the last
 */
void esmtp_rules_forget(struct esmtp_policy *p, u32 first);

/**
 * esmtp_cond_put() - a nest of enum esmtp_cond_attr
 * @skb: answer or event
 * @attr: type of the nest
 * @c: condition of a prepared policy
 *
 * Return: 0, or -EMSGSIZE: the caller takes away what there is of it.
 */
int esmtp_cond_put(struct sk_buff *skb, int attr, const struct esmtp_cond *c);

/**
 * esmtp_rule_put() - ESMTP_A_RULE of an answer
 * @skb: answer
 * @p: policy
 * @i: which rule
 * @fired: times it fired
 *
 * Return: 0, or -EMSGSIZE: nothing of it is there.
 */
int esmtp_rule_put(struct sk_buff *skb, const struct esmtp_policy *p, u32 i,
		   u64 fired);

#endif /* _ESMTP_RULE_H */
