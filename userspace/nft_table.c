// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table "inet esmtp" from beginning to end. All that says which connections
 * are inspected stands in it, readable with nft and read back by a listing.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/object.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "names.h"
#include "nft.h"
#include "nft_udata.h"
#include "util.h"

static struct nftnl_table *table_new(void)
{
	struct nftnl_table *t = nftnl_table_alloc();

	nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, NFPROTO_INET);
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, NFT_TABLE);
	return t;
}

static void table_send(struct nft_batch *b, uint16_t type, uint16_t flags, struct nftnl_table *t)
{
	struct nlmsghdr *nlh = nft_message(b, type, flags, "table inet " NFT_TABLE);

	nftnl_table_nlmsg_build_payload(nlh, t);
	nft_message_done(b);
	nftnl_table_free(t);
}

/**
 * nft_delete_table() - delete the table with all that is in it, if there is one
 * @b: the transaction
 *
 * Only what exists can be deleted, so it is made first: that does nothing if it exists.
 */
void nft_delete_table(struct nft_batch *b)
{
	table_send(b, NFT_MSG_NEWTABLE, NLM_F_CREATE, table_new());
	table_send(b, NFT_MSG_DELTABLE, 0, table_new());
}

static void put_table(struct nft_batch *b, const struct config *c, uint64_t generation)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	struct nftnl_table *t = table_new();
	uint8_t pickup = c->pickup_pass;

	nftnl_udata_put_strz(udata, NFTNL_UDATA_TABLE_COMMENT, "made by esmtpctl, which replaces it");
	nftnl_udata_put(udata, TABLE_UDATA_GENERATION, sizeof(generation), &generation);
	nftnl_udata_put_strz(udata, TABLE_UDATA_VERSION, version);
	nftnl_udata_put(udata, TABLE_UDATA_PICKUP, sizeof(pickup), &pickup);
	nftnl_table_set_data(t, NFTNL_TABLE_USERDATA, nftnl_udata_buf_data(udata),
			     nftnl_udata_buf_len(udata));
	table_send(b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, t);
	nftnl_udata_buf_free(udata);
}

static struct nftnl_obj *object_new(const char *name, uint32_t type)
{
	struct nftnl_obj *o = nftnl_obj_alloc();

	nftnl_obj_set_str(o, NFTNL_OBJ_TABLE, NFT_TABLE);
	nftnl_obj_set_str(o, NFTNL_OBJ_NAME, name);
	nftnl_obj_set_u32(o, NFTNL_OBJ_TYPE, type);
	return o;
}

static void object_send(struct nft_batch *b, uint16_t type, uint16_t flags, struct nftnl_obj *o,
			const char *what)
{
	struct nlmsghdr *nlh = nft_message(b, type, flags, what);

	nftnl_obj_nlmsg_build_payload(nlh, o);
	nft_message_done(b);
	nftnl_obj_free(o);
}

static void put_helper(struct nft_batch *b, const struct policy *p)
{
	struct nftnl_obj *o = object_new(p->name, NFT_OBJECT_CT_HELPER);
	char helper[HELPER_NAME_MAX];

	helper_name(p->slot, helper);
	nftnl_obj_set_str(o, NFTNL_OBJ_CT_HELPER_NAME, helper);
	nftnl_obj_set_u16(o, NFTNL_OBJ_CT_HELPER_L3PROTO, NFPROTO_INET);
	nftnl_obj_set_u8(o, NFTNL_OBJ_CT_HELPER_L4PROTO, IPPROTO_TCP);
	b->loc = &p->loc;
	object_send(b, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL, o,
		    mem_printf("ct helper %s, type \"%s\"", p->name, helper));
	b->loc = NULL;
}

/**
 * nft_base_name() - the name of what remembers a counter's value at the last reset
 * @counter: the counter
 *
 * Return: the name.
 */
const char *nft_base_name(enum guard_counter counter)
{
	return mem_printf("%s-at-reset", guard_counter_name(counter));
}

static void put_counter(struct nft_batch *b, uint16_t flags, const char *name,
			const struct guard_count *count)
{
	struct nftnl_obj *o = object_new(name, NFT_OBJECT_COUNTER);

	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_PKTS, count->packets);
	nftnl_obj_set_u64(o, NFTNL_OBJ_CTR_BYTES, count->bytes);
	object_send(b, NFT_MSG_NEWOBJ, NLM_F_CREATE | flags, o, mem_printf("counter %s", name));
}

/**
 * nft_put_bases() - remember the counters' values at the last reset, in place of those before
 * @b: the transaction
 * @g: their values
 *
 * The counters themselves go on, for those who record them. No rule refers to what remembers them.
 */
void nft_put_bases(struct nft_batch *b, const struct guard *g)
{
	const char *name;

	for (enum guard_counter n = 0; n < GUARD_COUNTERS; n++) {
		name = nft_base_name(n);
		/* Only what exists can be deleted, and a counter cannot be changed. */
		put_counter(b, 0, name, &g->base[n]);
		object_send(b, NFT_MSG_DELOBJ, 0, object_new(name, NFT_OBJECT_COUNTER),
			    mem_printf("counter %s", name));
		put_counter(b, NLM_F_EXCL, name, &g->base[n]);
	}
}

/* Counters go on counting over a reload. */
static void put_counters(struct nft_batch *b, const struct guard *keep)
{
	for (enum guard_counter n = 0; n < GUARD_COUNTERS; n++)
		put_counter(b, NLM_F_EXCL, guard_counter_name(n), &keep->now[n]);
	nft_put_bases(b, keep);
}

static const uint8_t kinds[] = { KEY_IPV4, KEY_IPV6, KEY_PORT };

static void put_named_set(struct nft_batch *b, const struct named_set *s)
{
	char name[NFT_SET_NAME_MAX];

	b->loc = &s->loc;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (nft_named_set(name, sizeof(name), s, kinds[i]))
			nft_put_key_set(b, name, kinds[i], &s->keys, s->exempt ? "exempt" : NULL);
	b->loc = NULL;
}

static void put_class_sets(struct nft_batch *b, const struct class *k)
{
	char set[NFT_SET_NAME_MAX];

	b->loc = &k->loc;
	for (enum class_line line = CLASS_HOST; line <= CLASS_DPORT; line++) {
		if (k->refs[line]) {
			nft_put_ref_set(b, k, line);
			continue;
		}
		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			if (nft_set_name(set, sizeof(set), k, line, kinds[i]))
				nft_put_key_set(b, set, kinds[i], &k->keys[line], NULL);
	}
	for (enum class_line line = CLASS_IIFNAME; line < CLASS_LINES; line++)
		if (nft_set_name(set, sizeof(set), k, line, 0))
			nft_put_ifname_set(b, set, &k->ifnames[line - CLASS_IIFNAME]);
	b->loc = NULL;
}

/* The ports are copied from a named set: the guarded ones are made from them, too. */
static void put_port_sets(struct nft_batch *b, const struct config *c)
{
	struct intervals all = { 0 };

	config_all_ports(c, &all);
	nft_put_key_set(b, NFT_PORTS, KEY_PORT, &c->ports,
			c->ports_ref ? mem_printf("@%s", c->ports_ref) : NULL);
	nft_put_key_set(b, NFT_GUARDED, KEY_PORT, &all, NULL);
}

/**
 * nft_put_table() - make the table, in place of the one that may be there
 * @b: the transaction
 * @c: the configuration; its policies have their slots
 * @generation: of the configuration
 * @keep: what the counters begin with
 */
void nft_put_table(struct nft_batch *b, const struct config *c, uint64_t generation,
		   const struct guard *keep)
{
	nft_delete_table(b);
	put_table(b, c, generation);
	for (const struct policy *p = c->policies; p; p = p->next)
		put_helper(b, p);
	put_counters(b, keep);
	b->loc = &c->exempt_loc;
	nft_put_key_set(b, NFT_EXEMPT4, KEY_IPV4, &c->exempt, NULL);
	nft_put_key_set(b, NFT_EXEMPT6, KEY_IPV6, &c->exempt, NULL);
	b->loc = NULL;
	put_port_sets(b, c);
	for (const struct named_set *s = c->sets; s; s = s->next)
		put_named_set(b, s);
	for (const struct class *k = c->classes; k; k = k->next)
		put_class_sets(b, k);
	nft_put_limit_sets(b, c);
	if (config_cookies(c))
		nft_put_cookie_sets(b);
	if (c->inspect)
		nft_put_chains(b, c);
}
