// SPDX-License-Identifier: GPL-2.0-only
/*
 * The chains of the table.
 *
 *	prerouting, output	-150: behind conntrack, before NAT: the guard
 *	    guard		what has no connection, or would open one in the
 *				middle, on an inspected port: dropped, counted
 *	postrouting, input	0: both interfaces are known, nothing is confirmed
 *	    classify		the inspect list, first match wins
 *		policy.NAME	helper and label for a SYN; pickup for the rest
 *
 *	forward, input, output	7 to 10: see nft_limit.c and nft_cookie.c
 *
 * A connection that has its label, of those chosen or of those not chosen, passes
 * all of this with one comparison.
 * Classes look at the original tuple, at what was dialled; a host also at the
 * source of the replies, that is the server behind DNAT. INVALID packets have no
 * tuple: the guard looks at their own addresses and ports, which are the real ones
 * because NAT does not touch such packets.
 */
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/chain.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>

#include "nft_expr.h"
#include "util.h"

#define CHAIN_NAME_MAX	64

#define CHAIN_CLASSIFY	"classify"
#define CHAIN_GUARD	"guard"

static const struct {
	const char *name;
	uint32_t hook;
	int32_t priority;
} base_chains[] = {
	{ "prerouting", NF_INET_PRE_ROUTING, NF_IP_PRI_MANGLE },
	{ "output", NF_INET_LOCAL_OUT, NF_IP_PRI_MANGLE },
	{ "input", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER },
	{ "postrouting", NF_INET_POST_ROUTING, NF_IP_PRI_FILTER },
};

/* Made where there are limits. */
static const struct {
	const char *name;
	uint32_t hook;
	int32_t priority;
	const char *list;
} limit_chains[] = {
	{ "forward-embryonic", NF_INET_FORWARD, ESMTP_PRI_EMBRYONIC - 1, NFT_EMBRYONIC },
	{ "input-embryonic", NF_INET_LOCAL_IN, ESMTP_PRI_EMBRYONIC - 1, NFT_EMBRYONIC },
	{ "output-embryonic", NF_INET_LOCAL_OUT, ESMTP_PRI_EMBRYONIC - 1, NFT_EMBRYONIC },
	{ "forward-limits", NF_INET_FORWARD, NF_IP_PRI_FILTER + 10, NFT_LIMITS },
	{ "input-limits", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER + 10, NFT_LIMITS },
	{ "output-limits", NF_INET_LOCAL_OUT, NF_IP_PRI_FILTER + 10, NFT_LIMITS },
};

/* Before the limits: what a cookie answers is no connection yet. */
static const struct {
	const char *name;
	uint32_t hook;
} cookie_chains[] = {
	{ "forward-cookies", NF_INET_FORWARD },
	{ "input-cookies", NF_INET_LOCAL_IN },
};

#define PRI_COOKIES (ESMTP_PRI_EMBRYONIC + 1)

/* Where an address of a class is looked for. */
enum side {
	ORIG_SADDR,
	ORIG_DADDR,
	REPLY_SADDR,
	PACKET_SADDR,
	PACKET_DADDR,
};

static struct nftnl_chain *chain_new(const char *name)
{
	struct nftnl_chain *c = nftnl_chain_alloc();

	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, NFT_TABLE);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	return c;
}

static void chain_put(struct nft_batch *b, struct nftnl_chain *c)
{
	struct nlmsghdr *nlh = nft_message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL,
					   mem_printf("chain %s",
						      nftnl_chain_get_str(c, NFTNL_CHAIN_NAME)));

	nftnl_chain_nlmsg_build_payload(nlh, c);
	nft_message_done(b);
	nftnl_chain_free(c);
}

static void put_base_chain(struct nft_batch *b, const char *name, uint32_t hook, int32_t priority)
{
	struct nftnl_chain *c = chain_new(name);

	nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, hook);
	nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, priority);
	nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, "filter");
	nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	chain_put(b, c);
}

static char *policy_chain(const struct policy *p, char buf[CHAIN_NAME_MAX])
{
	snprintf(buf, CHAIN_NAME_MAX, "policy.%s", p->name);
	return buf;
}

/* An address of this family is in a set. A tuple of the other family fails to load: no match. */
static void expr_addr_in(struct nftnl_rule *r, enum side side, uint8_t len, const char *set)
{
	const uint8_t nfproto = len == KEY_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	const uint32_t src = len == KEY_IPV4 ? NFT_CT_SRC_IP : NFT_CT_SRC_IP6;
	const uint32_t dst = len == KEY_IPV4 ? NFT_CT_DST_IP : NFT_CT_DST_IP6;
	uint32_t offset = len == KEY_IPV4 ? 12 : 8;

	switch (side) {
	case ORIG_SADDR:
		expr_ct_in(r, src, IP_CT_DIR_ORIGINAL, set);
		break;
	case ORIG_DADDR:
		expr_ct_in(r, dst, IP_CT_DIR_ORIGINAL, set);
		break;
	case REPLY_SADDR:
		expr_ct_in(r, src, IP_CT_DIR_REPLY, set);
		break;
	case PACKET_DADDR:
		offset += len;
		/* fall through */
	case PACKET_SADDR:
		expr_meta_is(r, NFT_META_NFPROTO, &nfproto, 1);
		expr_payload_in(r, NFT_PAYLOAD_NETWORK_HEADER, offset, len, set);
		break;
	}
}

static void put_exempt_rule(struct nft_batch *b, const char *chain, enum side side, uint8_t len,
			    const char *set)
{
	struct nftnl_rule *r = rule_new(chain);

	expr_addr_in(r, side, len, set);
	expr_verdict(r, NFT_RETURN, NULL);
	rule_put(b, r, "exempt host");
}

static void put_exempt(struct nft_batch *b, const struct config *c, const char *chain,
		       enum side first, enum side last)
{
	static const uint8_t families[] = { KEY_IPV4, KEY_IPV6 };
	char set[NFT_SET_NAME_MAX];

	for (enum side side = first; side <= last; side++)
		for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
			put_exempt_rule(b, chain, side, families[i], i ? NFT_EXEMPT6 : NFT_EXEMPT4);
			for (const struct named_set *s = c->sets; s; s = s->next)
				if (s->exempt && nft_named_set(set, sizeof(set), s, families[i]))
					put_exempt_rule(b, chain, side, families[i], set);
		}
}

/* All address lines of a class for one family; false if the class has a line without that family. */
static bool expr_class_addrs(struct nftnl_rule *r, const struct class *k, uint8_t len,
			     enum side host, enum side saddr, enum side daddr)
{
	const enum side sides[] = { host, saddr, daddr };
	char set[NFT_SET_NAME_MAX];

	for (enum class_line line = CLASS_HOST; line <= CLASS_DADDR; line++) {
		if (!(k->lines & 1u << line))
			continue;
		if (!nft_set_name(set, sizeof(set), k, line, len))
			return false;
		expr_addr_in(r, sides[line], len, set);
	}
	return true;
}

/* Nothing else comes here; it is said so that nft can print what follows in words. */
static void expr_tcp(struct nftnl_rule *r)
{
	const uint8_t tcp = IPPROTO_TCP;

	expr_meta_is(r, NFT_META_L4PROTO, &tcp, 1);
}

static void expr_dialled(struct nftnl_rule *r, const char *set)
{
	expr_tcp(r);
	expr_ct_in(r, NFT_CT_PROTO_DST, IP_CT_DIR_ORIGINAL, set);
}

static bool has_ifnames(const struct class *k)
{
	return k && k->lines & (1u << CLASS_IIFNAME | 1u << CLASS_OIFNAME);
}

/* A reply comes in where the connection goes out. */
static void expr_ifnames(struct nftnl_rule *r, const struct class *k, uint8_t dir)
{
	const bool reply = dir == IP_CT_DIR_REPLY;
	char set[NFT_SET_NAME_MAX];

	expr_ct_direction(r, dir);
	if (nft_set_name(set, sizeof(set), k, CLASS_IIFNAME, 0))
		expr_meta_in(r, reply ? NFT_META_OIFNAME : NFT_META_IIFNAME, set);
	if (nft_set_name(set, sizeof(set), k, CLASS_OIFNAME, 0))
		expr_meta_in(r, reply ? NFT_META_IIFNAME : NFT_META_OIFNAME, set);
}

static void expr_class_rest(struct nftnl_rule *r, const struct class *k, bool inspected,
			    uint8_t dir)
{
	char set[NFT_SET_NAME_MAX];

	if (k && nft_set_name(set, sizeof(set), k, CLASS_DPORT, KEY_PORT))
		expr_dialled(r, set);
	else if (inspected)
		expr_dialled(r, NFT_PORTS);
	if (has_ifnames(k))
		expr_ifnames(r, k, dir);
}

static const char *inspect_comment(const struct inspect *l)
{
	if (l->kind == INSPECT_NONE)
		return "default none";
	if (l->kind == INSPECT_EXEMPT)
		return mem_printf("class %s exempt", l->class);
	return l->class ? mem_printf("class %s policy %s", l->class, l->policy)
			: mem_printf("default policy %s", l->policy);
}

/* Where a line leads to: its policy, its limits, or nowhere. */
static const char *inspect_target(const char *chain, const struct config *c,
				  const struct inspect *l, char buf[CHAIN_NAME_MAX])
{
	if (!strcmp(chain, NFT_LIMITS) || !strcmp(chain, NFT_EMBRYONIC))
		return nft_limits_chain(chain, l);
	return l->kind == INSPECT_POLICY ? policy_chain(config_policy(c, l->policy), buf) : NULL;
}

static void finish_inspect(struct nft_batch *b, struct nftnl_rule *r, const struct config *c,
			   const struct inspect *l, const struct class *k, uint8_t dir)
{
	const char *target, *chain = nftnl_rule_get_str(r, NFTNL_RULE_CHAIN);
	char buf[CHAIN_NAME_MAX];

	expr_class_rest(r, k, l->kind == INSPECT_POLICY, dir);
	target = inspect_target(chain, c, l, buf);
	expr_verdict(r, target ? NFT_GOTO : NFT_RETURN, target);
	rule_put(b, r, inspect_comment(l));
}

/* One rule for each family and each place where a host may stand. */
static void put_inspect_way(struct nft_batch *b, const char *chain, const struct config *c,
			    const struct inspect *l, const struct class *k, uint8_t dir)
{
	unsigned int addrs = 1u << CLASS_HOST | 1u << CLASS_SADDR | 1u << CLASS_DADDR;

	if (!k || !(k->lines & addrs)) {
		finish_inspect(b, rule_new(chain), c, l, k, dir);
		return;
	}
	for (int v6 = 0; v6 < 2; v6++)
		for (enum side host = ORIG_SADDR; host <= REPLY_SADDR; host++) {
			struct nftnl_rule *r = rule_new(chain);

			if (host > ORIG_SADDR && !(k->lines & 1u << CLASS_HOST))
				nftnl_rule_free(r);
			else if (expr_class_addrs(r, k, v6 ? KEY_IPV6 : KEY_IPV4, host, ORIG_SADDR,
						  ORIG_DADDR))
				finish_inspect(b, r, c, l, k, dir);
			else
				nftnl_rule_free(r);
		}
}

/* Tuples are the same for both ways of a connection, interfaces are not. */
static void put_inspect(struct nft_batch *b, const char *chain, const struct config *c,
			const struct inspect *l, bool replies)
{
	const struct class *k = l->class ? config_class(c, l->class) : NULL;

	b->loc = &l->loc;
	put_inspect_way(b, chain, c, l, k, IP_CT_DIR_ORIGINAL);
	if (replies && has_ifnames(k))
		put_inspect_way(b, chain, c, l, k, IP_CT_DIR_REPLY);
	b->loc = NULL;
}

static void put_classify(struct nft_batch *b, const struct config *c)
{
	put_exempt(b, c, CHAIN_CLASSIFY, ORIG_SADDR, REPLY_SADDR);
	for (const struct inspect *l = c->inspect; l; l = l->next)
		put_inspect(b, CHAIN_CLASSIFY, c, l, true);
}

static void put_limits_jump(struct nft_batch *b, const char *chain, const char *list)
{
	struct nftnl_rule *r = rule_new(chain);

	expr_ct_state(r, CT_STATE_NEW);
	expr_dialled(r, NFT_GUARDED);
	expr_is_syn(r, true);
	expr_verdict(r, NFT_JUMP, list);
	rule_put(b, r, NULL);
}

static void put_limits_list(struct nft_batch *b, const struct config *c, const char *list)
{
	chain_put(b, chain_new(list));
	for (const struct inspect *l = c->inspect; l; l = l->next)
		if (nft_limits_chain(list, l))
			chain_put(b, chain_new(nft_limits_chain(list, l)));
	put_exempt(b, c, list, ORIG_SADDR, REPLY_SADDR);
	for (const struct inspect *l = c->inspect; l; l = l->next)
		put_inspect(b, list, c, l, false);
}

static void put_limits(struct nft_batch *b, const struct config *c)
{
	put_limits_list(b, c, NFT_EMBRYONIC);
	put_limits_list(b, c, NFT_LIMITS);
	nft_put_limit_chains(b, c);
	for (size_t i = 0; i < ARRAY_SIZE(limit_chains); i++) {
		put_base_chain(b, limit_chains[i].name, limit_chains[i].hook,
			       limit_chains[i].priority);
		put_limits_jump(b, limit_chains[i].name, limit_chains[i].list);
	}
}

static struct nftnl_rule *rule_about_syn(const char *chain)
{
	struct nftnl_rule *r = rule_new(chain);

	expr_ct_state(r, CT_STATE_NEW);
	expr_tcp(r);
	expr_is_syn(r, true);
	return r;
}

/*
 * Helper and label are two notes on an entry, and nft says nothing when there is no memory for
 * one. Without helper the module drops what has the label; without label nobody
 * would know the connection again.
 */
static void put_policy_rules(struct nft_batch *b, const struct config *c, const struct policy *p)
{
	char chain[CHAIN_NAME_MAX];
	struct nftnl_rule *r;

	policy_chain(p, chain);
	b->loc = &p->loc;
	r = rule_about_syn(chain);
	expr_object(r, NFT_OBJECT_CT_HELPER, p->name);
	expr_set_label(r, ESMTP_CT_LABEL_BIT);
	rule_put(b, r, "inspected from its first packet on");

	r = rule_about_syn(chain);
	expr_ct_undecided(r);
	expr_object(r, NFT_OBJECT_COUNTER, guard_counter_name(GUARD_NO_MEMORY));
	expr_verdict(r, NF_DROP, NULL);
	rule_put(b, r, "cannot be noted");

	r = rule_about_syn(chain);
	expr_verdict(r, NFT_RETURN, NULL);
	rule_put(b, r, NULL);

	r = rule_new(chain);
	expr_ct_state(r, CT_STATE_NEW | CT_STATE_ESTABLISHED);
	expr_object(r, NFT_OBJECT_COUNTER, guard_counter_name(GUARD_PICKUP));
	expr_verdict(r, c->pickup_pass ? NFT_RETURN : NF_DROP, NULL);
	rule_put(b, r, "its start was not seen");
	b->loc = NULL;
}

/*
 * A connection is chosen when it begins, or never: else it would be cut when its host is not
 * exempt any more, or when a class comes to mean it, for being older than that.
 */
static void put_choice(struct nft_batch *b, const char *chain)
{
	struct nftnl_rule *r = rule_new(chain);

	expr_dialled(r, NFT_GUARDED);
	expr_ct_undecided(r);
	expr_verdict(r, NFT_JUMP, CHAIN_CLASSIFY);
	rule_put(b, r, NULL);

	r = rule_new(chain);
	expr_ct_state(r, CT_STATE_NEW);
	expr_dialled(r, NFT_GUARDED);
	expr_is_syn(r, true);
	expr_ct_undecided(r);
	expr_set_label(r, LABEL_PASSED_BIT);
	rule_put(b, r, "not chosen");
}

/* Nearly all packets leave at the first rule. */
static void put_guard_jumps(struct nft_batch *b, const char *chain, bool cookies)
{
	struct nftnl_rule *r = rule_new(chain);

	expr_ct_state(r, CT_STATE_ESTABLISHED | CT_STATE_RELATED);
	expr_verdict(r, NFT_RETURN, NULL);
	rule_put(b, r, NULL);
	if (cookies)
		nft_put_cookie_answers(b, chain);
	for (uint32_t offset = 0; offset <= 2; offset += 2) {
		r = rule_new(chain);
		expr_tcp(r);
		expr_payload_in(r, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 2, NFT_GUARDED);
		expr_verdict(r, NFT_JUMP, CHAIN_GUARD);
		rule_put(b, r, NULL);
	}
}

/* The class as the packet's own addresses show it, read in its direction or in the other one. */
static void put_spared_class_way(struct nft_batch *b, const char *chain, const struct inspect *l,
				 const struct class *k, bool back, enum side host)
{
	enum side src = back ? PACKET_DADDR : PACKET_SADDR;
	enum side dst = back ? PACKET_SADDR : PACKET_DADDR;
	struct nftnl_rule *r;

	for (int v6 = 0; v6 < 2; v6++) {
		r = rule_new(chain);
		if (!expr_class_addrs(r, k, v6 ? KEY_IPV6 : KEY_IPV4, host, src, dst)) {
			nftnl_rule_free(r);
			continue;
		}
		expr_verdict(r, NFT_RETURN, NULL);
		rule_put(b, r, inspect_comment(l));
	}
}

static void put_spared_class(struct nft_batch *b, const char *chain, const struct inspect *l,
			     const struct class *k)
{
	bool host = k->lines & 1u << CLASS_HOST;
	bool ends = k->lines & (1u << CLASS_SADDR | 1u << CLASS_DADDR);

	b->loc = &l->loc;
	for (int back = 0; back <= ends; back++) {
		put_spared_class_way(b, chain, l, k, back, PACKET_SADDR);
		if (host)
			put_spared_class_way(b, chain, l, k, back, PACKET_DADDR);
	}
	b->loc = NULL;
}

/* Only addresses decide whether a class is exempt here: without a tuple nothing else is sure. */
static void put_spared_classes(struct nft_batch *b, const struct config *c, const char *chain)
{
	const unsigned int unsure = 1u << CLASS_DPORT | 1u << CLASS_IIFNAME | 1u << CLASS_OIFNAME;
	const struct class *k;

	/* Behind a policy nothing is sure either: it may be meant by that. */
	for (const struct inspect *l = c->inspect; l && l->kind == INSPECT_EXEMPT; l = l->next) {
		k = config_class(c, l->class);
		if (!(k->lines & unsure))
			put_spared_class(b, chain, l, k);
	}
}

/* What is exempt, as far as its packets tell. */
static void put_spared(struct nft_batch *b, const struct config *c, const char *chain)
{
	put_exempt(b, c, chain, PACKET_SADDR, PACKET_DADDR);
	put_spared_classes(b, c, chain);
}

static void put_cookies(struct nft_batch *b, const struct config *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(cookie_chains); i++) {
		put_base_chain(b, cookie_chains[i].name, cookie_chains[i].hook, PRI_COOKIES);
		put_spared(b, c, cookie_chains[i].name);
		nft_put_cookie_chain(b, cookie_chains[i].name);
	}
}

static void put_guard_verdict(struct nft_batch *b, uint32_t state, enum guard_counter counter,
			      int verdict)
{
	struct nftnl_rule *r = rule_new(CHAIN_GUARD);

	expr_ct_state(r, state);
	if (counter == GUARD_NOT_SYN) {
		expr_tcp(r);
		expr_is_syn(r, false);
	}
	expr_object(r, NFT_OBJECT_COUNTER, guard_counter_name(counter));
	expr_verdict(r, verdict, NULL);
	rule_put(b, r, NULL);
}

/* Who turns tracking off on the loopback does it for all of it; nobody is between. */
static void put_guard_loopback(struct nft_batch *b, uint32_t key)
{
	static const char lo[16] = "lo";
	struct nftnl_rule *r = rule_new(CHAIN_GUARD);

	expr_ct_state(r, CT_STATE_UNTRACKED);
	expr_meta_is(r, key, lo, sizeof(lo));
	expr_verdict(r, NFT_RETURN, NULL);
	rule_put(b, r, NULL);
}

/* Nothing here is about the SYN of a new connection: it spares the sets. */
static void put_guard_syn(struct nft_batch *b)
{
	struct nftnl_rule *r = rule_new(CHAIN_GUARD);

	expr_ct_state(r, CT_STATE_NEW);
	expr_tcp(r);
	expr_is_syn(r, true);
	expr_verdict(r, NFT_RETURN, NULL);
	rule_put(b, r, NULL);
}

static void put_guard(struct nft_batch *b, const struct config *c)
{
	put_guard_syn(b);
	put_spared(b, c, CHAIN_GUARD);
	put_guard_loopback(b, NFT_META_IIFNAME);
	put_guard_loopback(b, NFT_META_OIFNAME);
	put_guard_verdict(b, CT_STATE_INVALID, GUARD_INVALID, NF_DROP);
	put_guard_verdict(b, CT_STATE_UNTRACKED, GUARD_UNTRACKED, NF_DROP);
	put_guard_verdict(b, CT_STATE_NEW, GUARD_NOT_SYN, c->pickup_pass ? NFT_RETURN : NF_DROP);
}

/**
 * nft_put_chains() - make the chains and rules that choose and guard connections
 * @b: the transaction
 * @c: the configuration; its sets and objects are in the transaction already
 */
void nft_put_chains(struct nft_batch *b, const struct config *c)
{
	char chain[CHAIN_NAME_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(base_chains); i++)
		put_base_chain(b, base_chains[i].name, base_chains[i].hook,
			       base_chains[i].priority);
	chain_put(b, chain_new(CHAIN_CLASSIFY));
	chain_put(b, chain_new(CHAIN_GUARD));
	for (const struct policy *p = c->policies; p; p = p->next)
		chain_put(b, chain_new(policy_chain(p, chain)));
	for (const struct policy *p = c->policies; p; p = p->next)
		put_policy_rules(b, c, p);
	put_classify(b, c);
	if (config_limits(c))
		put_limits(b, c);
	put_guard(b, c);
	if (config_cookies(c)) {
		put_cookies(b, c);
		nft_put_cookie_own(b, "postrouting");
	}
	put_guard_jumps(b, "prerouting", config_cookies(c));
	put_guard_jumps(b, "output", false);
	/* Before it is taken for one whose start was not seen. */
	if (config_cookies(c))
		nft_put_cookie_answers(b, "input");
	put_choice(b, "input");
	put_choice(b, "postrouting");
}
