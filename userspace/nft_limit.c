// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections that one server may have at a time.
 *
 *	forward-, input-, output-embryonic	7: behind filters, which may refuse it before it counts
 *	    embryonic				the inspect list again, for SYNs only
 *		embryonic.NAME			the module is told the limit
 *	forward-, input-, output-limits		10
 *	    limits				the inspect list again, for SYNs only
 *		limit.NAME			counted at the server's real address, refused over the limit
 *
 * They are counted where a reset can be sent, which is not where they are classified. A count goes
 * down when an entry has gone, or is in TIME_WAIT or CLOSE, as it is behind a verdict. Those that are half-open
 * the module counts.
 */
#include <stdio.h>
#include <string.h>

#include <linux/netfilter.h>

#include "nft_expr.h"
#include "util.h"

static const uint8_t families[] = { KEY_IPV4, KEY_IPV6 };

/**
 * nft_line_chain() - the name of a chain that a line of the inspect list leads to
 * @kind: what is in it
 * @l: the line
 *
 * Return: the name.
 */
char *nft_line_chain(const char *kind, const struct inspect *l)
{
	return l->class ? mem_printf("%s.%s", kind, l->class) : mem_printf("default-%s", kind);
}

/**
 * nft_limits_chain() - the chain with the limit of a line
 * @list: NFT_LIMITS or NFT_EMBRYONIC
 * @l: the line of the inspect list
 *
 * Return: its name, or NULL if it has no such limit.
 */
const char *nft_limits_chain(const char *list, const struct inspect *l)
{
	if (!strcmp(list, NFT_EMBRYONIC))
		return l->embryonic ? nft_line_chain("embryonic", l) : NULL;
	return l->connections ? nft_line_chain("limit", l) : NULL;
}

static const char *count_set(const struct inspect *l, uint8_t len)
{
	const char *suffix = len == KEY_IPV4 ? "4" : "6";

	return l->class ? mem_printf("limit.%s.connections%s", l->class, suffix)
			: mem_printf("default-connections%s", suffix);
}

/**
 * nft_put_limit_sets() - make the sets in which connections are counted
 * @b: the transaction
 * @c: the configuration
 */
void nft_put_limit_sets(struct nft_batch *b, const struct config *c)
{
	for (const struct inspect *l = c->inspect; l; l = l->next) {
		b->loc = &l->loc;
		for (size_t i = 0; l->connections && i < ARRAY_SIZE(families); i++)
			nft_put_count_set(b, count_set(l, families[i]), families[i]);
	}
	b->loc = NULL;
}

/* An address of the other family fails to load: the rule ends. */
static void put_connections(struct nft_batch *b, const struct inspect *l, uint8_t len)
{
	struct nftnl_rule *r = rule_new(nft_line_chain("limit", l));

	expr_connections_over(r, len == KEY_IPV4 ? NFT_CT_SRC_IP : NFT_CT_SRC_IP6, IP_CT_DIR_REPLY,
			      count_set(l, len), l->connections);
	expr_object(r, NFT_OBJECT_COUNTER, guard_counter_name(GUARD_CONNECTIONS));
	expr_reset(r);
	rule_put(b, r, mem_printf("connections %u", l->connections));
}

#define COOKIES	(1u << (ESMTP_CT_LABEL_COOKIES - ESMTP_CT_LABEL_EMBRYONIC))

/* The module counts those that are half-open, and finds their limit and their line in the label. */
static void put_embryonic(struct nft_batch *b, const struct inspect *l, uint32_t line)
{
	struct nftnl_rule *r = rule_new(nft_line_chain("embryonic", l));

	/* It begins with one limit. In the hook input it is chosen already. */
	expr_ct_unlabelled(r, ESMTP_CT_LABEL_EMBRYONIC, ESMTP_CT_LABEL_OVER);
	expr_set_label_value(r, ESMTP_CT_LABEL_EMBRYONIC,
			     (l->refuse ? 0 : COOKIES) | line << 16 | l->embryonic);
	rule_put(b, r, mem_printf("embryonic %u%s", l->embryonic, l->refuse ? " refuse" : ""));
}

/**
 * nft_put_limit_chains() - make the rules that count connections
 * @b: the transaction
 * @c: the configuration; the chains are there
 */
void nft_put_limit_chains(struct nft_batch *b, const struct config *c)
{
	uint32_t line = 0;

	for (const struct inspect *l = c->inspect; l; l = l->next) {
		b->loc = &l->loc;
		line++;
		if (l->embryonic)
			put_embryonic(b, l, line);
		for (size_t i = 0; l->connections && i < ARRAY_SIZE(families); i++)
			put_connections(b, l, families[i]);
	}
	b->loc = NULL;
}
