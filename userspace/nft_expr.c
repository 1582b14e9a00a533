// SPDX-License-Identifier: GPL-2.0-only
/*
 * Expressions of nf_tables. Everything goes through register 1: one load, one
 * comparison. A load that fails, of a tuple without connection, say, ends the rule.
 */
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_synproxy.h>

#include "nft_expr.h"
#include "util.h"

#define LABEL_BYTES	16
#define TCP_FLAGS_AT	13	/* offset of the byte with the flags */
#define COMMENT_MAX	127

/**
 * rule_new() - begin a rule
 * @chain: its chain
 *
 * Return: the rule; rule_put() ends it.
 */
struct nftnl_rule *rule_new(const char *chain)
{
	struct nftnl_rule *r = nftnl_rule_alloc();

	nftnl_rule_set_str(r, NFTNL_RULE_TABLE, NFT_TABLE);
	nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	nftnl_rule_set_u32(r, NFTNL_RULE_FAMILY, NFPROTO_INET);
	return r;
}

/**
 * rule_put() - the rule is complete: put it into the transaction
 * @b: the transaction
 * @r: the rule
 * @comment: shown by nft, or NULL
 */
void rule_put(struct nft_batch *b, struct nftnl_rule *r, const char *comment)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	struct nlmsghdr *nlh;

	if (comment && strlen(comment) <= COMMENT_MAX) {
		nftnl_udata_put_strz(udata, NFTNL_UDATA_RULE_COMMENT, comment);
		nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(udata),
				    nftnl_udata_buf_len(udata));
	}
	nlh = nft_message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
			  comment ? comment : "a rule");
	nftnl_rule_nlmsg_build_payload(nlh, r);
	nft_message_done(b);
	nftnl_udata_buf_free(udata);
	nftnl_rule_free(r);
}

static void compare(struct nftnl_rule *r, uint32_t op, const void *value, uint32_t len)
{
	struct nftnl_expr *e = nftnl_expr_alloc("cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, value, len);
	nftnl_rule_add_expr(r, e);
}

static void mask(struct nftnl_rule *r, const void *bits, uint32_t len)
{
	static const uint8_t zero[LABEL_BYTES];
	struct nftnl_expr *e = nftnl_expr_alloc("bitwise");

	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, bits, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, len);
	nftnl_rule_add_expr(r, e);
}

static void lookup(struct nftnl_rule *r, const char *set)
{
	struct nftnl_expr *e = nftnl_expr_alloc("lookup");

	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	nftnl_rule_add_expr(r, e);
}

static void load_meta(struct nftnl_rule *r, uint32_t key)
{
	struct nftnl_expr *e = nftnl_expr_alloc("meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
	nftnl_rule_add_expr(r, e);
}

static struct nftnl_expr *load_ct(struct nftnl_rule *r, uint32_t key)
{
	struct nftnl_expr *e = nftnl_expr_alloc("ct");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	nftnl_rule_add_expr(r, e);
	return e;
}

static void load_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = nftnl_expr_alloc("payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	nftnl_rule_add_expr(r, e);
}

/**
 * expr_meta_is() - a property of the packet has a value
 * @r: the rule
 * @key: NFT_META_*
 * @value: the value
 * @len: its bytes
 */
void expr_meta_is(struct nftnl_rule *r, uint32_t key, const void *value, uint32_t len)
{
	load_meta(r, key);
	compare(r, NFT_CMP_EQ, value, len);
}

/**
 * expr_meta_in() - a property of the packet is in a set
 * @r: the rule
 * @key: NFT_META_*
 * @set: the set
 */
void expr_meta_in(struct nftnl_rule *r, uint32_t key, const char *set)
{
	load_meta(r, key);
	lookup(r, set);
}

/**
 * expr_ct_in() - a part of the connection's tuple is in a set
 * @r: the rule
 * @key: NFT_CT_*
 * @dir: IP_CT_DIR_*
 * @set: the set
 */
void expr_ct_in(struct nftnl_rule *r, uint32_t key, uint8_t dir, const char *set)
{
	struct nftnl_expr *e = load_ct(r, key);

	nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, dir);
	lookup(r, set);
}

/**
 * expr_ct_state() - the connection is in one of these states
 * @r: the rule
 * @states: CT_STATE_*
 */
void expr_ct_state(struct nftnl_rule *r, uint32_t states)
{
	const uint32_t zero = 0;

	load_ct(r, NFT_CT_STATE);
	mask(r, &states, sizeof(states));
	compare(r, NFT_CMP_NEQ, &zero, sizeof(zero));
}

/**
 * expr_ct_direction() - the packet goes this way of its connection
 * @r: the rule
 * @dir: IP_CT_DIR_*
 */
void expr_ct_direction(struct nftnl_rule *r, uint8_t dir)
{
	load_ct(r, NFT_CT_DIRECTION);
	compare(r, NFT_CMP_EQ, &dir, sizeof(dir));
}

/* The kernel keeps labels as an array of longs. */
static void label_bit(uint8_t bits[LABEL_BYTES], unsigned int bit)
{
	const unsigned int width = sizeof(unsigned long) * CHAR_BIT;
	unsigned long words[LABEL_BYTES / sizeof(unsigned long)];

	memcpy(words, bits, LABEL_BYTES);
	words[bit / width] |= 1ul << bit % width;
	memcpy(bits, words, LABEL_BYTES);
}

/**
 * expr_ct_undecided() - the connection has none of our labels
 * @r: the rule
 */
void expr_ct_undecided(struct nftnl_rule *r)
{
	expr_ct_unlabelled(r, LABEL_PASSED_BIT, ESMTP_CT_LABEL_BIT);
}

/**
 * expr_ct_unlabelled() - the connection has none of some labels
 * @r: the rule
 * @first: of the labels
 * @last: of the labels
 */
void expr_ct_unlabelled(struct nftnl_rule *r, unsigned int first, unsigned int last)
{
	static const uint8_t zero[LABEL_BYTES];
	uint8_t bits[LABEL_BYTES] = { 0 };

	for (unsigned int bit = first; bit <= last; bit++)
		label_bit(bits, bit);
	load_ct(r, NFT_CT_LABELS);
	mask(r, bits, sizeof(bits));
	compare(r, NFT_CMP_EQ, zero, sizeof(zero));
}

/**
 * expr_payload_in() - a field of a header is in a set
 * @r: the rule
 * @base: NFT_PAYLOAD_*_HEADER
 * @offset: of the field
 * @len: its bytes
 * @set: the set
 */
void expr_payload_in(struct nftnl_rule *r, uint32_t base, uint32_t offset, uint32_t len,
		     const char *set)
{
	load_payload(r, base, offset, len);
	lookup(r, set);
}

/**
 * expr_is_syn() - the packet opens a connection, or does not
 * @r: the rule
 * @syn: it does
 */
void expr_is_syn(struct nftnl_rule *r, bool syn)
{
	const uint8_t which = TH_FIN | TH_SYN | TH_RST | TH_ACK, want = TH_SYN;

	load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_AT, 1);
	mask(r, &which, 1);
	compare(r, syn ? NFT_CMP_EQ : NFT_CMP_NEQ, &want, 1);
}

/**
 * expr_tcp_flags() - of FIN, SYN, RST and ACK the packet has these
 * @r: the rule
 * @flags: TH_*
 */
void expr_tcp_flags(struct nftnl_rule *r, uint8_t flags)
{
	const uint8_t which = TH_FIN | TH_SYN | TH_RST | TH_ACK;

	load_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_AT, 1);
	mask(r, &which, 1);
	compare(r, NFT_CMP_EQ, &flags, 1);
}

/**
 * expr_ct_labelled() - the connection has a label
 * @r: the rule
 * @bit: of the label
 */
void expr_ct_labelled(struct nftnl_rule *r, unsigned int bit)
{
	static const uint8_t zero[LABEL_BYTES];
	uint8_t bits[LABEL_BYTES] = { 0 };

	label_bit(bits, bit);
	load_ct(r, NFT_CT_LABELS);
	mask(r, bits, sizeof(bits));
	compare(r, NFT_CMP_NEQ, zero, sizeof(zero));
}

/**
 * expr_ct_no_dnat() - what was dialled is the server's own address
 * @r: the rule
 */
void expr_ct_no_dnat(struct nftnl_rule *r)
{
	const uint32_t dnat = IPS_DST_NAT, zero = 0;

	load_ct(r, NFT_CT_STATUS);
	mask(r, &dnat, sizeof(dnat));
	compare(r, NFT_CMP_EQ, &zero, sizeof(zero));
}

/* Address and port side by side, from the first register on. */
static void load_dialled(struct nftnl_rule *r, uint8_t len)
{
	const uint8_t nfproto = len == KEY_IPV4 ? NFPROTO_IPV4 : NFPROTO_IPV6, tcp = IPPROTO_TCP;
	const struct {
		uint32_t base, offset, len, reg;
	} fields[] = {
		{ NFT_PAYLOAD_NETWORK_HEADER, len == KEY_IPV4 ? 16 : 24, len, NFT_REG32_00 },
		{ NFT_PAYLOAD_TRANSPORT_HEADER, 2, KEY_PORT, NFT_REG32_00 + len / 4 },
	};

	expr_meta_is(r, NFT_META_NFPROTO, &nfproto, 1);
	expr_meta_is(r, NFT_META_L4PROTO, &tcp, 1);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct nftnl_expr *e = nftnl_expr_alloc("payload");

		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, fields[i].base);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, fields[i].offset);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, fields[i].len);
		nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, fields[i].reg);
		nftnl_rule_add_expr(r, e);
	}
}

/**
 * expr_dialled_in() - the packet's destination, address and port, is in a set
 * @r: the rule
 * @len: KEY_*, of the address
 * @set: the set
 */
void expr_dialled_in(struct nftnl_rule *r, uint8_t len, const char *set)
{
	load_dialled(r, len);
	lookup(r, set);
}

/**
 * expr_dialled_keep() - put the packet's destination into a timed set, or keep it there for longer
 * @r: the rule; it ends if the set is full
 * @len: KEY_*, of the address
 * @set: the set
 */
void expr_dialled_keep(struct nftnl_rule *r, uint8_t len, const char *set)
{
	struct nftnl_expr *e;

	load_dialled(r, len);
	e = nftnl_expr_alloc("dynset");
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_rule_add_expr(r, e);
}

/**
 * expr_synproxy() - answer a SYN by a cookie, or open the connection for an answer to one; else drop
 * @r: the rule
 * @mss: told to clients
 * @wscale: the same
 */
void expr_synproxy(struct nftnl_rule *r, uint16_t mss, uint8_t wscale)
{
	struct nftnl_expr *e = nftnl_expr_alloc("synproxy");

	nftnl_expr_set_u16(e, NFTNL_EXPR_SYNPROXY_MSS, mss);
	nftnl_expr_set_u8(e, NFTNL_EXPR_SYNPROXY_WSCALE, wscale);
	nftnl_expr_set_u32(e, NFTNL_EXPR_SYNPROXY_FLAGS,
			   NF_SYNPROXY_OPT_MSS | NF_SYNPROXY_OPT_WSCALE |
			   NF_SYNPROXY_OPT_SACK_PERM | NF_SYNPROXY_OPT_TIMESTAMP);
	nftnl_rule_add_expr(r, e);
}

/**
 * expr_set_label_value() - write a number into labels of the connection; others stay
 * @r: the rule; none of the bits is set yet
 * @first: label of the number's lowest bit
 * @value: the number
 */
void expr_set_label_value(struct nftnl_rule *r, unsigned int first, uint32_t value)
{
	struct nftnl_expr *e = nftnl_expr_alloc("immediate");
	uint8_t bits[LABEL_BYTES] = { 0 };

	for (unsigned int i = 0; i < 32; i++)
		if (value & 1u << i)
			label_bit(bits, first + i);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, bits, sizeof(bits));
	nftnl_rule_add_expr(r, e);
	e = nftnl_expr_alloc("ct");
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_LABELS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_SREG, NFT_REG_1);
	nftnl_rule_add_expr(r, e);
}

/**
 * expr_set_label() - give the connection a label; others stay
 * @r: the rule
 * @bit: of the label
 */
void expr_set_label(struct nftnl_rule *r, unsigned int bit)
{
	expr_set_label_value(r, bit, 1);
}

/**
 * expr_object() - use an object: count, or set the helper
 * @r: the rule
 * @type: NFT_OBJECT_*
 * @name: of the object
 */
void expr_object(struct nftnl_rule *r, uint32_t type, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc("objref");

	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, type);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, name);
	nftnl_rule_add_expr(r, e);
}

/* Counts the connection at its element of the set, and goes on only if there are more than limit. */
static struct nftnl_expr *count_over(uint32_t limit)
{
	struct nftnl_expr *e = nftnl_expr_alloc("connlimit");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CONNLIMIT_COUNT, limit);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
	return e;
}

/**
 * expr_connections_over() - with this one there are more connections than allowed
 * @r: the rule
 * @key: NFT_CT_*: those are counted together that have this in common
 * @dir: IP_CT_DIR_*, of @key
 * @set: keeps the counts; dynamic
 * @limit: so many are allowed
 */
void expr_connections_over(struct nftnl_rule *r, uint32_t key, uint8_t dir, const char *set,
			   uint32_t limit)
{
	struct nftnl_expr *e = load_ct(r, key);

	nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, dir);
	e = nftnl_expr_alloc("dynset");
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, set);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_add_expr(e, NFTNL_EXPR_DYNSET_EXPR, count_over(limit));
	nftnl_rule_add_expr(r, e);
}

/**
 * expr_reset() - answer with a TCP reset, and drop
 * @r: the rule
 */
void expr_reset(struct nftnl_rule *r)
{
	struct nftnl_expr *e = nftnl_expr_alloc("reject");

	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, 0);
	nftnl_rule_add_expr(r, e);
}

/**
 * expr_verdict() - what becomes of the packet
 * @r: the rule
 * @verdict: NF_DROP, NFT_RETURN, NFT_JUMP, NFT_GOTO
 * @chain: of the last two
 */
void expr_verdict(struct nftnl_rule *r, int verdict, const char *chain)
{
	struct nftnl_expr *e = nftnl_expr_alloc("immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
	nftnl_rule_add_expr(r, e);
}
