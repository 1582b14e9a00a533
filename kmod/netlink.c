// SPDX-License-Identifier: GPL-2.0-only
/* The generic netlink family "esmtp": what its header promises. */
#include <linux/module.h>
#include <linux/notifier.h>
#include <net/sock.h>

#include "netlink.h"
#include "ns_table.h"
#include "policy.h"
#include "rule.h"
#include "stage.h"

/* Room in an answer for everything that is not a list of rules. */
#define ANSWER_SIZE NLMSG_GOODSIZE

/* Cleared before the family goes: its group's number may then become another's. */
static bool family_up;

static struct sk_buff *answer_new(struct genl_info *info, void **hdr)
{
	struct sk_buff *skb = genlmsg_new(ANSWER_SIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*hdr = genlmsg_put_reply(skb, info, &esmtp_genl_family, 0,
				 info->genlhdr->cmd);
	if (*hdr)
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static int answer_send(struct sk_buff *skb, void *hdr, struct genl_info *info,
		       int err)
{
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

static int put_address(struct sk_buff *skb, int type, u16 family,
		       const union nf_inet_addr *addr)
{
	if (family == NFPROTO_IPV4)
		return nla_put_in_addr(skb, type, addr->ip);
	return nla_put_in6_addr(skb, type, &addr->in6);
}

int esmtp_netlink_put_ends(struct sk_buff *skb,
			   const struct nf_conntrack_tuple *t, int type)
{
	u16 family = t->src.l3num;

	if (nla_put_u8(skb, type, family) ||
	    put_address(skb, type + 1, family, &t->src.u3) ||
	    put_address(skb, type + 2, family, &t->dst.u3) ||
	    nla_put_be16(skb, type + 3, t->src.u.tcp.port) ||
	    nla_put_be16(skb, type + 4, t->dst.u.tcp.port))
		return -EMSGSIZE;
	return 0;
}

/* A nest of u64 whose types are their indices; type 0 is never a counter. */
static int put_counters(struct sk_buff *skb, int type, const u64 *sum, int n)
{
	struct nlattr *nest = nla_nest_start(skb, type);
	int i;

	if (!nest)
		return -EMSGSIZE;
	for (i = 1; i < n; i++)
		if (nla_put_u64_64bit(skb, i, sum[i], 0))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_status(struct sk_buff *skb, struct esmtp_net *en, bool absolute)
{
	u64 sum[__ESMTP_NC_MAX];
	u64 generation;

	mutex_lock(&en->config);
	esmtp_net_sums(en, absolute, sum);
	generation = en->generation;
	mutex_unlock(&en->config);

	if (nla_put_string(skb, ESMTP_A_VERSION, ESMTP_VERSION) ||
	    nla_put_u64_64bit(skb, ESMTP_A_GENERATION, generation,
			      ESMTP_A_PAD) ||
	    nla_put_u32(skb, ESMTP_A_SESSIONS, atomic_read(&en->n_sessions)))
		return -EMSGSIZE;
	return put_counters(skb, ESMTP_A_COUNTERS, sum, __ESMTP_NC_MAX);
}

static int status_get_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct esmtp_net *en = esmtp_net(genl_info_net(info));
	struct sk_buff *answer;
	void *hdr;

	answer = answer_new(info, &hdr);
	if (!answer)
		return -ENOMEM;
	return answer_send(answer, hdr, info, put_status(answer, en, info->attrs[ESMTP_A_ABSOLUTE]));
}

static int stage_begin_doit(struct sk_buff *skb, struct genl_info *info)
{
	return esmtp_stage_begin(esmtp_net(genl_info_net(info)),
				 info->snd_portid, info->extack);
}

static int put_staged(struct sk_buff *skb, const struct esmtp_staged *staged)
{
	struct nlattr *nest = nla_nest_start(skb, ESMTP_A_POLICY);

	if (!nest ||
	    nla_put_string(skb, ESMTP_A_POLICY_NAME, staged->name) ||
	    nla_put_u8(skb, ESMTP_A_POLICY_SLOT, staged->slot))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* The attribute ESMTP_A_POLICY, or NULL with the refusal's words set. */
static struct nlattr *policy_required(struct genl_info *info)
{
	if (!GENL_REQ_ATTR_CHECK(info, ESMTP_A_POLICY))
		return info->attrs[ESMTP_A_POLICY];
	GENL_SET_ERR_MSG(info, "a policy is missing");
	return NULL;
}

static int stage_policy_doit(struct sk_buff *skb, struct genl_info *info)
{
	const struct nlattr *nest = policy_required(info);
	struct esmtp_staged staged = { };
	struct sk_buff *answer;
	void *hdr;
	int err;

	if (!nest)
		return -EINVAL;
	/* First, so that nothing fails once the policy is staged. */
	answer = answer_new(info, &hdr);
	if (!answer)
		return -ENOMEM;
	err = esmtp_stage_policy(esmtp_net(genl_info_net(info)),
				 info->snd_portid, nest, &staged, info->extack);
	if (!err)
		err = put_staged(answer, &staged);
	return answer_send(answer, hdr, info, err);
}

static int stage_table_doit(struct sk_buff *skb, struct genl_info *info)
{
	if (GENL_REQ_ATTR_CHECK(info, ESMTP_A_TABLE)) {
		GENL_SET_ERR_MSG(info, "a table is missing");
		return -EINVAL;
	}
	return esmtp_stage_table(esmtp_net(genl_info_net(info)),
				 info->snd_portid, info->attrs[ESMTP_A_TABLE],
				 info->extack);
}

static int stage_commit_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct esmtp_net *en = esmtp_net(genl_info_net(info));

	if (info->attrs[ESMTP_A_CHECK_ONLY])
		return esmtp_stage_check(en, info->snd_portid, info->extack);
	if (GENL_REQ_ATTR_CHECK(info, ESMTP_A_GENERATION)) {
		GENL_SET_ERR_MSG(info, "a commit needs a generation");
		return -EINVAL;
	}
	return esmtp_stage_commit(en, info->snd_portid,
				  info->attrs[ESMTP_A_GENERATION],
				  info->extack);
}

static int stage_abort_doit(struct sk_buff *skb, struct genl_info *info)
{
	return esmtp_stage_abort(esmtp_net(genl_info_net(info)),
				 info->snd_portid, info->extack);
}

/**
 * struct dump_cursor - how far a dump of policies has come; in netlink_callback.ctx
 * @slot: next one
 * @rule: next one of its policy; not 0 = a part of the policy has been sent
 * @absolute: counters since they were made
 */
struct dump_cursor {
	u32 slot;
	u32 rule;
	bool absolute;
};

/* As many rules as there is room for from number @first on; returns the next one. */
static int put_rules(struct sk_buff *skb, const struct esmtp_ns_policy *p,
		     const struct dump_cursor *cur)
{
	struct nlattr *nest = nla_nest_start(skb, ESMTP_A_POLICY_RULES);
	u32 i = cur->rule;

	if (!nest)
		return -EMSGSIZE;
	while (i < p->engine.n_rules &&
	       !esmtp_rule_put(skb, &p->engine, i,
			       esmtp_policy_fired(p, i, cur->absolute)))
		i++;
	nla_nest_end(skb, nest);
	/* A part without a rule says nothing, unless the policy has none. */
	return i == cur->rule && i < p->engine.n_rules ? -EMSGSIZE : i;
}

static int put_params(struct sk_buff *skb, const struct esmtp_ns_policy *p,
		      bool absolute)
{
	u64 sum[ESMTP_POLICY_SUMS];
	int err;

	if (nla_put_string(skb, ESMTP_A_POLICY_DESCRIPTION, p->description) ||
	    nla_put_u32(skb, ESMTP_A_POLICY_FLAGS, p->engine.flags) ||
	    nla_put_u64_64bit(skb, ESMTP_A_POLICY_VERBS, p->engine.verbs,
			      ESMTP_A_POLICY_PAD))
		return -EMSGSIZE;
	if ((p->log_level <= ESMTP_LOG_NONE &&
	     nla_put_u8(skb, ESMTP_A_POLICY_LOG_LEVEL, p->log_level)) ||
	    (p->log_packets &&
	     nla_put_u16(skb, ESMTP_A_POLICY_LOG_GROUP, p->log_group)))
		return -EMSGSIZE;
	esmtp_policy_sums(p, absolute, sum);
	err = put_counters(skb, ESMTP_A_POLICY_COUNTERS, sum, __ESMTP_PC_MAX);
	if (err)
		return err;
	return put_counters(skb, ESMTP_A_POLICY_EVENTS, sum + __ESMTP_PC_MAX,
			    __ESMTP_EVENT_MAX);
}

/* Returns the number of the next rule of the policy, or -EMSGSIZE. */
static int put_policy(struct sk_buff *skb, const struct esmtp_ns_policy *p,
		      const struct dump_cursor *cur)
{
	struct nlattr *nest = nla_nest_start(skb, ESMTP_A_POLICY);
	int next;

	if (!nest ||
	    nla_put_string(skb, ESMTP_A_POLICY_NAME, p->name) ||
	    nla_put_u8(skb, ESMTP_A_POLICY_SLOT, p->slot) ||
	    (!cur->rule && put_params(skb, p, cur->absolute)))
		return -EMSGSIZE;
	next = put_rules(skb, p, cur);
	if (next >= 0)
		nla_nest_end(skb, nest);
	return next;
}

/* One message; moves the cursor. */
static int dump_policy(struct sk_buff *skb, struct netlink_callback *cb,
		       struct esmtp_net *en, const struct esmtp_ns_policy *p)
{
	struct dump_cursor *cur = (void *)cb->ctx;
	int next;
	void *hdr;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &esmtp_genl_family, NLM_F_MULTI,
			  ESMTP_CMD_POLICY_GET);
	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	next = nla_put_u64_64bit(skb, ESMTP_A_GENERATION, en->generation,
				 ESMTP_A_PAD);
	if (!next)
		next = put_policy(skb, p, cur);
	if (next < 0) {
		genlmsg_cancel(skb, hdr);
		return next;
	}
	genlmsg_end(skb, hdr);
	cur->rule = next;
	return 0;
}

static int dump_slots(struct sk_buff *skb, struct netlink_callback *cb,
		      struct esmtp_net *en)
{
	struct dump_cursor *cur = (void *)cb->ctx;
	const struct esmtp_ns_policy *p;
	int err;

	for (; cur->slot < ESMTP_SLOTS; cur->slot++, cur->rule = 0) {
		p = esmtp_policy_running(en, cur->slot);
		if (!p)
			continue;
		do {
			err = dump_policy(skb, cb, en, p);
			if (err)
				return err;
		} while (cur->rule < p->engine.n_rules);
	}
	return 0;
}

static int policy_get_dumpit(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct esmtp_net *en = esmtp_net(sock_net(cb->skb->sk));
	struct dump_cursor *cur = (void *)cb->ctx;
	int err;

	BUILD_BUG_ON(sizeof(*cur) > sizeof(cb->ctx));
	cur->absolute = nlmsg_find_attr(cb->nlh, GENL_HDRLEN, ESMTP_A_ABSOLUTE);
	mutex_lock(&en->config);
	cb->seq = en->commits + 1;
	/* The rest of a policy that was exchanged meanwhile is no part of the new one. */
	if (cb->prev_seq && cb->prev_seq != cb->seq && cur->rule) {
		cur->slot++;
		cur->rule = 0;
	}
	err = dump_slots(skb, cb, en);
	mutex_unlock(&en->config);
	return skb->len ? skb->len : err;
}

static int reset_one(struct esmtp_net *en, const struct nlattr *nest,
		     struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ESMTP_A_POLICY_NAME + 1];
	struct esmtp_ns_policy *p;
	int err;

	err = nla_parse_nested(tb, ESMTP_A_POLICY_NAME, nest, NULL, extack);
	if (err)
		return err;
	if (!tb[ESMTP_A_POLICY_NAME]) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "the policy's name is missing");
		NL_SET_ERR_ATTR_MISS(extack, nest, ESMTP_A_POLICY_NAME);
		return -EINVAL;
	}
	p = esmtp_policy_find(en, tb[ESMTP_A_POLICY_NAME]);
	if (!p) {
		NL_SET_ERR_MSG_ATTR(extack, tb[ESMTP_A_POLICY_NAME],
				    "no policy of this name is running");
		return -ENOENT;
	}
	esmtp_policy_reset(p);
	return 0;
}

static int reset_all(struct esmtp_net *en)
{
	struct esmtp_ns_policy *p;
	u8 slot;

	esmtp_net_reset(en);
	for (slot = 0; slot < ESMTP_SLOTS; slot++) {
		p = esmtp_policy_running(en, slot);
		if (p)
			esmtp_policy_reset(p);
	}
	return 0;
}

static int counters_reset_doit(struct sk_buff *skb, struct genl_info *info)
{
	struct esmtp_net *en = esmtp_net(genl_info_net(info));
	const struct nlattr *nest = info->attrs[ESMTP_A_POLICY];
	int err;

	mutex_lock(&en->config);
	err = nest ? reset_one(en, nest, info->extack) : reset_all(en);
	mutex_unlock(&en->config);
	return err;
}

static const struct nla_policy stage_policy_attrs[ESMTP_A_POLICY + 1] = {
	[ESMTP_A_POLICY] = NLA_POLICY_NESTED(esmtp_policy_attrs),
};

static const struct nla_policy stage_table_attrs[ESMTP_A_TABLE + 1] = {
	[ESMTP_A_TABLE] = NLA_POLICY_NESTED(esmtp_table_attrs),
};

static const struct nla_policy stage_commit_attrs[ESMTP_A_CHECK_ONLY + 1] = {
	[ESMTP_A_GENERATION] = { .type = NLA_U64 },
	[ESMTP_A_CHECK_ONLY] = { .type = NLA_FLAG },
};

static const struct nla_policy policy_name_attrs[ESMTP_A_POLICY_NAME + 1] = {
	[ESMTP_A_POLICY_NAME] = { .type = NLA_STRING,
				  .len = ESMTP_POLICY_NAME_MAX },
};

static const struct nla_policy counters_reset_attrs[ESMTP_A_POLICY + 1] = {
	[ESMTP_A_POLICY] = NLA_POLICY_NESTED(policy_name_attrs),
};

static const struct nla_policy absolute_attrs[ESMTP_A_ABSOLUTE + 1] = {
	[ESMTP_A_ABSOLUTE] = { .type = NLA_FLAG },
};

/*
 * What a policy does not list is refused. Operations that take nothing have this one from the
 * family: the kernel's own for that purpose is shorter than maxattr on some kernels.
 */
static const struct nla_policy no_attrs[ESMTP_A_MAX + 1] = { };

static const struct genl_ops operations[] = {
	{
		.cmd = ESMTP_CMD_STATUS_GET,
		.policy = absolute_attrs,
		.maxattr = ARRAY_SIZE(absolute_attrs) - 1,
		.doit = status_get_doit,
	}, {
		.cmd = ESMTP_CMD_STAGE_BEGIN,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = stage_begin_doit,
	}, {
		.cmd = ESMTP_CMD_STAGE_POLICY,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = stage_policy_attrs,
		.maxattr = ARRAY_SIZE(stage_policy_attrs) - 1,
		.doit = stage_policy_doit,
	}, {
		.cmd = ESMTP_CMD_STAGE_TABLE,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = stage_table_attrs,
		.maxattr = ARRAY_SIZE(stage_table_attrs) - 1,
		.doit = stage_table_doit,
	}, {
		.cmd = ESMTP_CMD_STAGE_COMMIT,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = stage_commit_attrs,
		.maxattr = ARRAY_SIZE(stage_commit_attrs) - 1,
		.doit = stage_commit_doit,
	}, {
		.cmd = ESMTP_CMD_STAGE_ABORT,
		.flags = GENL_UNS_ADMIN_PERM,
		.doit = stage_abort_doit,
	}, {
		.cmd = ESMTP_CMD_POLICY_GET,
		.policy = absolute_attrs,
		.maxattr = ARRAY_SIZE(absolute_attrs) - 1,
		.dumpit = policy_get_dumpit,
	}, {
		.cmd = ESMTP_CMD_TABLE_GET,
		.dumpit = esmtp_tables_dump,
	}, {
		.cmd = ESMTP_CMD_COUNTERS_RESET,
		.flags = GENL_UNS_ADMIN_PERM,
		.policy = counters_reset_attrs,
		.maxattr = ARRAY_SIZE(counters_reset_attrs) - 1,
		.doit = counters_reset_doit,
	}, {
		.cmd = ESMTP_CMD_SESSION_GET,
		.flags = GENL_UNS_ADMIN_PERM,
		.dumpit = esmtp_session_get_dumpit,
	},
};

enum { GROUP_EVENTS };

static const struct genl_multicast_group groups[] = {
	[GROUP_EVENTS] = {
		.name = ESMTP_GENL_MCGRP,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

/* Namespaces need not wait for each other: esmtp_net.config is the lock. */
struct genl_family esmtp_genl_family = {
	.name = ESMTP_GENL_NAME,
	.version = ESMTP_GENL_VERSION,
	.policy = no_attrs,
	.maxattr = ARRAY_SIZE(no_attrs) - 1,
	.netnsok = true,
	.parallel_ops = true,
	.module = THIS_MODULE,
	.ops = operations,
	.n_ops = ARRAY_SIZE(operations),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

static int event_multicast(struct esmtp_net *en,
			   int (*fill)(struct sk_buff *skb, const void *arg),
			   const void *arg)
{
	struct sk_buff *skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_ATOMIC);
	void *hdr;

	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put(skb, 0, atomic_inc_return(&en->event_seq),
			  &esmtp_genl_family, 0, ESMTP_CMD_EVENT);
	if (!hdr || fill(skb, arg)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_multicast_netns(&esmtp_genl_family, en->net, skb, 0,
				       GROUP_EVENTS, GFP_ATOMIC);
}

bool esmtp_netlink_event(struct esmtp_net *en,
			 int (*fill)(struct sk_buff *skb, const void *arg),
			 const void *arg)
{
	int err = 0;

	rcu_read_lock();
	if (READ_ONCE(family_up) &&
	    genl_has_listeners(&esmtp_genl_family, en->net, GROUP_EVENTS))
		err = event_multicast(en, fill, arg);
	rcu_read_unlock();
	return !err || err == -ESRCH;	/* the last listener has just left */
}

static int socket_event(struct notifier_block *nb, unsigned long event,
			void *data)
{
	const struct netlink_notify *n = data;

	if (event == NETLINK_URELEASE && n->protocol == NETLINK_GENERIC)
		esmtp_stage_close(esmtp_net(n->net), n->portid);
	return NOTIFY_DONE;
}

static struct notifier_block socket_notifier = {
	.notifier_call = socket_event,
};

int esmtp_netlink_init(void)
{
	int err;

	err = netlink_register_notifier(&socket_notifier);
	if (err)
		return err;
	err = genl_register_family(&esmtp_genl_family);
	if (err) {
		netlink_unregister_notifier(&socket_notifier);
		return err;
	}
	WRITE_ONCE(family_up, true);
	return 0;
}

void esmtp_netlink_exit(void)
{
	WRITE_ONCE(family_up, false);
	synchronize_rcu();
	genl_unregister_family(&esmtp_genl_family);
	netlink_unregister_notifier(&socket_notifier);
}

MODULE_ALIAS_GENL_FAMILY(ESMTP_GENL_NAME);
