// SPDX-License-Identifier: GPL-2.0-only
/* Rules and their conditions: from attributes, and back. */
#include <linux/slab.h>

#include "rule.h"

static_assert(ESMTP_RULES_MAX * ESMTP_CONDS_MAX < ESMTP_NO_RULE);

static const struct nla_policy cond_attrs[ESMTP_A_COND_MAX + 1] = {
	[ESMTP_A_COND_MATCH] = NLA_POLICY_RANGE(NLA_U8, ESMTP_MATCH_UNSPEC + 1,
						ESMTP_MATCH_MAX),
	[ESMTP_A_COND_NOT] = { .type = NLA_FLAG },
	[ESMTP_A_COND_LIMIT] = { .type = NLA_U32 },
	[ESMTP_A_COND_SET] = { .type = NLA_U64 },
	[ESMTP_A_COND_TABLE] = { .type = NLA_U32 },
	[ESMTP_A_COND_FIELD] = { .type = NLA_STRING,
				 .len = ESMTP_FIELD_NAME_MAX },
};

static const struct nla_policy cond_list_attrs[ESMTP_A_COND_LIST_MAX + 1] = {
	[ESMTP_A_COND] = NLA_POLICY_NESTED(cond_attrs),
};

static const struct nla_policy rule_attrs[ESMTP_A_RULE_MAX + 1] = {
	[ESMTP_A_RULE_CONDS] = NLA_POLICY_NESTED(cond_list_attrs),
	[ESMTP_A_RULE_ACTION] = NLA_POLICY_MAX(NLA_U8, ESMTP_ACTION_MAX),
	[ESMTP_A_RULE_LOG] = { .type = NLA_FLAG },
	[ESMTP_A_RULE_COUNT] = ESMTP_ANSWERS_ONLY,
	[ESMTP_A_RULE_CODE] = { .type = NLA_U16 },
	[ESMTP_A_RULE_TEXT] = { .type = NLA_STRING,
				.len = ESMTP_REPLY_TEXT_MAX },
	[ESMTP_A_RULE_RATE] = NLA_POLICY_RANGE(NLA_U32, 1, ESMTP_RATE_MAX),
	[ESMTP_A_RULE_RATE_SECONDS] = { .type = NLA_U32 },
	[ESMTP_A_RULE_RATE_BURST] = NLA_POLICY_RANGE(NLA_U32, 1,
						     ESMTP_RATE_MAX),
};

const struct nla_policy esmtp_rule_list_attrs[ESMTP_A_RULE_LIST_MAX + 1] = {
	[ESMTP_A_RULE] = NLA_POLICY_NESTED(rule_attrs),
};

int esmtp_refuse(struct netlink_ext_ack *extack, const struct nlattr *bad,
		 const char *why)
{
	extack->_msg = why;
	NL_SET_BAD_ATTR(extack, bad);
	return -EINVAL;
}

int esmtp_missing(struct netlink_ext_ack *extack, const struct nlattr *nest,
		  int attr, const char *why)
{
	NL_SET_ERR_ATTR_MISS(extack, nest, attr);
	return esmtp_refuse(extack, nest, why);
}

/* A match of a text takes a table, and nothing else does. */
static int table_fits(const struct nlattr *nest, struct nlattr **tb,
		      struct netlink_ext_ack *extack)
{
	u8 match = nla_get_u8(tb[ESMTP_A_COND_MATCH]);
	bool text = esmtp_match_operand(match) == ESMTP_OPERAND_TABLE;

	if (!text && tb[ESMTP_A_COND_TABLE])
		return esmtp_refuse(extack, tb[ESMTP_A_COND_TABLE],
				    "this match has no table");
	if (text && tb[ESMTP_A_COND_LIMIT])
		return esmtp_refuse(extack, tb[ESMTP_A_COND_LIMIT],
				    "this match has a table, not a limit");
	if (text && tb[ESMTP_A_COND_SET])
		return esmtp_refuse(extack, tb[ESMTP_A_COND_SET],
				    "this match has a table, not a set");
	if (text && !tb[ESMTP_A_COND_TABLE])
		return esmtp_missing(extack, nest, ESMTP_A_COND_TABLE,
				     "this match needs a table");
	return 0;
}

/* A match takes what it compares with, and nothing else. */
static int cond_fits(const struct nlattr *nest, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	enum esmtp_operand want;
	int err;

	if (!tb[ESMTP_A_COND_MATCH])
		return esmtp_missing(extack, nest, ESMTP_A_COND_MATCH,
				     "a condition needs a match");
	err = table_fits(nest, tb, extack);
	if (err || tb[ESMTP_A_COND_TABLE])
		return err;
	want = esmtp_match_operand(nla_get_u8(tb[ESMTP_A_COND_MATCH]));
	if (want != ESMTP_OPERAND_LIMIT && tb[ESMTP_A_COND_LIMIT])
		return esmtp_refuse(extack, tb[ESMTP_A_COND_LIMIT],
				    "this match has no limit");
	if (want != ESMTP_OPERAND_SET && tb[ESMTP_A_COND_SET])
		return esmtp_refuse(extack, tb[ESMTP_A_COND_SET],
				    "this match has no set");
	if (want == ESMTP_OPERAND_SET && !tb[ESMTP_A_COND_SET])
		return esmtp_missing(extack, nest, ESMTP_A_COND_SET,
				     "this match needs a set");
	if (want == ESMTP_OPERAND_LIMIT && !tb[ESMTP_A_COND_LIMIT])
		return esmtp_missing(extack, nest, ESMTP_A_COND_LIMIT,
				     "this match needs a limit");
	return 0;
}

static int cond_table(struct esmtp_cond *c,
		      const struct esmtp_table_set *tables,
		      const struct nlattr *id, struct netlink_ext_ack *extack)
{
	struct esmtp_ns_table *t = esmtp_table_get(tables, nla_get_u32(id));

	if (!t)
		return esmtp_refuse(extack, id,
				    "no complete table with this number is staged");
	c->table = esmtp_table_engine(t);
	return 0;
}

/* What a name may have is esmtp_policy_prepare()'s business; a NUL may end it. */
static void field_parse(struct esmtp_cond *c, const struct nlattr *nla)
{
	const char *name = nla_data(nla);
	int len = nla_len(nla);

	if (len && !name[len - 1])
		len--;
	memcpy(c->field, name, len);
	c->field_len = len;
}

static int cond_parse(struct esmtp_cond *c,
		      const struct esmtp_table_set *tables,
		      const struct nlattr *nest,
		      struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ESMTP_A_COND_MAX + 1];
	int err;

	err = nla_parse_nested(tb, ESMTP_A_COND_MAX, nest, cond_attrs, extack);
	if (!err)
		err = cond_fits(nest, tb, extack);
	if (err)
		return err;

	c->match = nla_get_u8(tb[ESMTP_A_COND_MATCH]);
	c->negate = nla_get_flag(tb[ESMTP_A_COND_NOT]);
	if (tb[ESMTP_A_COND_LIMIT])
		c->limit = nla_get_u32(tb[ESMTP_A_COND_LIMIT]);
	if (tb[ESMTP_A_COND_SET])
		c->set = nla_get_u64(tb[ESMTP_A_COND_SET]);
	if (tb[ESMTP_A_COND_FIELD])
		field_parse(c, tb[ESMTP_A_COND_FIELD]);
	if (tb[ESMTP_A_COND_TABLE])
		return cond_table(c, tables, tb[ESMTP_A_COND_TABLE], extack);
	return 0;
}

static int conds_parse(struct esmtp_policy *p, struct esmtp_rule *rule,
		       const struct esmtp_table_set *tables,
		       const struct nlattr *list,
		       struct netlink_ext_ack *extack)
{
	const struct nlattr *nla;
	int rem, err;

	rule->first = p->n_conds;
	nla_for_each_nested(nla, list, rem) {
		if (rule->n_conds == ESMTP_CONDS_MAX)
			return esmtp_refuse(extack, nla,
					    "a rule has at most " __stringify(ESMTP_CONDS_MAX) " conditions");
		err = cond_parse(&p->conds[p->n_conds], tables, nla, extack);
		if (err)
			return err;
		p->n_conds++;
		rule->n_conds++;
	}
	return 0;
}

/* Length of a string attribute without the NUL that may end it. */
static int text_len(const struct nlattr *nla)
{
	const char *s = nla_data(nla);
	int len = nla_len(nla);

	return len && !s[len - 1] ? len - 1 : len;
}

/* What the engine cannot tell from an attribute that is not there is refused here. */
static int reply_parse(struct esmtp_rule *rule, struct nlattr **tb,
		       struct netlink_ext_ack *extack)
{
	const struct nlattr *code = tb[ESMTP_A_RULE_CODE];
	const struct nlattr *text = tb[ESMTP_A_RULE_TEXT];

	if (code && !nla_get_u16(code))
		return esmtp_refuse(extack, code,
				    "the code of a reply is 400 to 459 or 500 to 559");
	if (code)
		rule->code = nla_get_u16(code);
	if (!text)
		return 0;
	rule->text_len = text_len(text);
	if (!rule->text_len)
		return esmtp_refuse(extack, text,
				    "the text of a reply is empty");
	rule->text = kmemdup(nla_data(text), rule->text_len,
			     GFP_KERNEL_ACCOUNT);
	return rule->text ? 0 : -ENOMEM;
}

static u32 get_number(const struct nlattr *nla)
{
	return nla ? nla_get_u32(nla) : 0;
}

static int rule_parse(struct esmtp_policy *p,
		      const struct esmtp_table_set *tables,
		      const struct nlattr *nest,
		      struct netlink_ext_ack *extack)
{
	struct esmtp_rule *rule = &p->rules[p->n_rules];
	struct nlattr *tb[ESMTP_A_RULE_MAX + 1];
	int err;

	err = nla_parse_nested(tb, ESMTP_A_RULE_MAX, nest, rule_attrs, extack);
	if (err)
		return err;
	if (!tb[ESMTP_A_RULE_CONDS])
		return esmtp_missing(extack, nest, ESMTP_A_RULE_CONDS,
				     "a rule needs a condition");
	if (!tb[ESMTP_A_RULE_ACTION])
		return esmtp_missing(extack, nest, ESMTP_A_RULE_ACTION,
				     "a rule needs an action");
	rule->action = nla_get_u8(tb[ESMTP_A_RULE_ACTION]);
	rule->log = nla_get_flag(tb[ESMTP_A_RULE_LOG]);
	rule->rate = (struct esmtp_rate) {
		.events = get_number(tb[ESMTP_A_RULE_RATE]),
		.seconds = get_number(tb[ESMTP_A_RULE_RATE_SECONDS]),
		.burst = get_number(tb[ESMTP_A_RULE_RATE_BURST]),
	};
	err = conds_parse(p, rule, tables, tb[ESMTP_A_RULE_CONDS], extack);
	if (!err)
		err = reply_parse(rule, tb, extack);
	if (!err)
		p->n_rules++;
	return err;
}

void esmtp_rules_forget(struct esmtp_policy *p, u32 first)
{
	u32 i;

	for (i = first; i < p->n_rules; i++)
		kfree(p->rules[i].text);
}

static u32 conds_count(const struct nlattr *rule)
{
	const struct nlattr *nla, *conds = NULL;
	u32 n = 0;
	int rem;

	/* Of attributes of one type the parser takes the last. */
	nla_for_each_nested(nla, rule, rem)
		if (nla_type(nla) == ESMTP_A_RULE_CONDS)
			conds = nla;
	if (conds)
		nla_for_each_nested(nla, conds, rem)
			n++;
	return n;
}

struct esmtp_rule_size esmtp_rules_size(const struct nlattr *list)
{
	struct esmtp_rule_size n = {};
	const struct nlattr *nla;
	int rem;

	if (!list)
		return n;
	nla_for_each_nested(nla, list, rem) {
		n.rules++;
		n.conds += conds_count(nla);
	}
	return n;
}

int esmtp_rules_parse(struct esmtp_policy *p,
		      const struct esmtp_table_set *tables,
		      const struct nlattr *list,
		      struct netlink_ext_ack *extack)
{
	const struct nlattr *nla;
	int rem, err;

	if (!list)
		return 0;
	nla_for_each_nested(nla, list, rem) {
		err = rule_parse(p, tables, nla, extack);
		if (err)
			return err;
	}
	return 0;
}

void esmtp_rules_put_tables(const struct esmtp_policy *p, u32 from)
{
	u32 i;

	for (i = from; i < p->n_conds; i++)
		if (p->conds[i].table)
			esmtp_table_put(esmtp_table_ns(p->conds[i].table));
}

static int put_text(struct sk_buff *skb, const struct esmtp_cond *c)
{
	if (c->field_len &&
	    nla_put(skb, ESMTP_A_COND_FIELD, c->field_len, c->field))
		return -EMSGSIZE;
	return nla_put_u32(skb, ESMTP_A_COND_TABLE,
			   esmtp_table_ns(c->table)->id);
}

int esmtp_cond_put(struct sk_buff *skb, int attr, const struct esmtp_cond *c)
{
	struct nlattr *nest = nla_nest_start(skb, attr);
	int err = 0;

	if (!nest || nla_put_u8(skb, ESMTP_A_COND_MATCH, c->match) ||
	    (c->negate && nla_put_flag(skb, ESMTP_A_COND_NOT)))
		return -EMSGSIZE;
	switch (esmtp_match_operand(c->match)) {
	case ESMTP_OPERAND_SET:
		err = nla_put_u64_64bit(skb, ESMTP_A_COND_SET, c->set,
					ESMTP_A_COND_PAD);
		break;
	case ESMTP_OPERAND_TABLE:
		err = put_text(skb, c);
		break;
	case ESMTP_OPERAND_LIMIT:
		err = nla_put_u32(skb, ESMTP_A_COND_LIMIT, c->limit);
		break;
	default:
		break;
	}
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}

static int put_conds(struct sk_buff *skb, const struct esmtp_policy *p,
		     const struct esmtp_rule *rule)
{
	struct nlattr *nest = nla_nest_start(skb, ESMTP_A_RULE_CONDS);
	u32 i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < rule->n_conds; i++)
		if (esmtp_cond_put(skb, ESMTP_A_COND,
				   &p->conds[rule->first + i]))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_reply(struct sk_buff *skb, const struct esmtp_rule *rule)
{
	if (rule->code && nla_put_u16(skb, ESMTP_A_RULE_CODE, rule->code))
		return -EMSGSIZE;
	return rule->text ? nla_put(skb, ESMTP_A_RULE_TEXT, rule->text_len,
				    rule->text) : 0;
}

static int put_rate(struct sk_buff *skb, const struct esmtp_rate *r)
{
	if (!r->events)
		return 0;
	return nla_put_u32(skb, ESMTP_A_RULE_RATE, r->events) ||
	       nla_put_u32(skb, ESMTP_A_RULE_RATE_SECONDS, r->seconds) ||
	       nla_put_u32(skb, ESMTP_A_RULE_RATE_BURST, r->burst) ?
	       -EMSGSIZE : 0;
}

int esmtp_rule_put(struct sk_buff *skb, const struct esmtp_policy *p, u32 i,
		   u64 fired)
{
	const struct esmtp_rule *rule = &p->rules[i];
	struct nlattr *nest = nla_nest_start(skb, ESMTP_A_RULE);

	if (!nest)
		return -EMSGSIZE;
	if (put_conds(skb, p, rule) ||
	    nla_put_u8(skb, ESMTP_A_RULE_ACTION, rule->action) ||
	    (rule->log && nla_put_flag(skb, ESMTP_A_RULE_LOG)) ||
	    put_reply(skb, rule) || put_rate(skb, &rule->rate) ||
	    nla_put_u64_64bit(skb, ESMTP_A_RULE_COUNT, fired,
			      ESMTP_A_RULE_PAD)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}
