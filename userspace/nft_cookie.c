// SPDX-License-Identifier: GPL-2.0-only
/*
 * SYN cookies for servers that have as many half-open connections as they may.
 *
 *	forward-, input-cookies		9: behind the module, which labels such a SYN
 *
 * Its SYN is answered by synproxy; it has passed the filters, and its entry goes with it. What
 * answers the cookie belongs to no connection: the guard would drop it, but for destinations that
 * have sent cookies lately, which are in a timed set. All that the guard lets pass for that ends
 * here: synproxy drops what has no cookie. The connection that it then opens begins in the hook output.
 *
 * Not behind DNAT: the answer would not be translated as its SYN was. There the module drops.
 */
#include <netinet/tcp.h>

#include "nft_expr.h"
#include "util.h"

#define LIFE	(120 * 1000u)	/* of an entry in milliseconds, as cookies have it */
#define WSCALE	7		/* what servers of this kernel take by default */

static const struct {
	uint8_t len;
	const char *set;
	uint16_t mss;
} families[] = {
	{ KEY_IPV4, "cookies4", 1460 },
	{ KEY_IPV6, "cookies6", 1440 },
};

/**
 * nft_put_cookie_sets() - make the sets of what has sent cookies lately
 * @b: the transaction
 */
void nft_put_cookie_sets(struct nft_batch *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		nft_put_timed_set(b, families[i].set, families[i].len, LIFE);
}

static void put_proxy(struct nft_batch *b, struct nftnl_rule *r, enum guard_counter counter,
		      uint16_t mss)
{
	expr_object(r, NFT_OBJECT_COUNTER, guard_counter_name(counter));
	expr_synproxy(r, mss, WSCALE);
	rule_put(b, r, guard_counter_name(counter));
}

static void expr_answer(struct nftnl_rule *r)
{
	expr_ct_state(r, CT_STATE_NEW | CT_STATE_INVALID);
	expr_tcp_flags(r, TH_ACK);
}

/**
 * nft_put_cookie_chain() - make the rules of a chain that sends cookies and takes them
 * @b: the transaction
 * @chain: the chain
 */
void nft_put_cookie_chain(struct nft_batch *b, const char *chain)
{
	struct nftnl_rule *r;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		r = rule_new(chain);
		expr_ct_labelled(r, ESMTP_CT_LABEL_OVER);
		expr_is_syn(r, true);
		expr_ct_no_dnat(r);
		expr_dialled_keep(r, families[i].len, families[i].set);
		put_proxy(b, r, GUARD_COOKIES, families[i].mss);

		r = rule_new(chain);
		expr_answer(r);
		expr_dialled_in(r, families[i].len, families[i].set);
		put_proxy(b, r, GUARD_ANSWERS, families[i].mss);
	}
}

/**
 * nft_put_cookie_answers() - make the rules that spare what may answer a cookie
 * @b: the transaction
 * @chain: in the hook prerouting, where it is spared from the guard, or input
 *
 * It is kept in the set, so that it cannot leave it on its way to the rules that end it.
 */
void nft_put_cookie_answers(struct nft_batch *b, const char *chain)
{
	struct nftnl_rule *r;

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		r = rule_new(chain);
		expr_answer(r);
		expr_dialled_in(r, families[i].len, families[i].set);
		expr_dialled_keep(r, families[i].len, families[i].set);
		expr_verdict(r, NFT_RETURN, NULL);
		rule_put(b, r, "may answer a cookie");
	}
}

/**
 * nft_put_cookie_own() - make the rule that lets the cookie go to the client
 * @b: the transaction
 * @chain: in the hook postrouting
 */
void nft_put_cookie_own(struct nft_batch *b, const char *chain)
{
	struct nftnl_rule *r = rule_new(chain);

	expr_ct_labelled(r, ESMTP_CT_LABEL_OVER);
	expr_ct_state(r, CT_STATE_ESTABLISHED);
	expr_tcp_flags(r, TH_SYN | TH_ACK);
	expr_verdict(r, NFT_RETURN, NULL);
	rule_put(b, r, "a cookie");
}
