// SPDX-License-Identifier: GPL-2.0-only
/* Tables: put together from pieces, verified with the last one, kept with what they came from. */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "netlink.h"
#include "ns_table.h"
#include "policy.h"

const struct nla_policy esmtp_table_attrs[ESMTP_A_TABLE_MAX + 1] = {
	[ESMTP_A_TABLE_ID] = { .type = NLA_U32 },
	[ESMTP_A_TABLE_NAME] = { .type = NLA_STRING,
				 .len = ESMTP_POLICY_NAME_MAX },
	[ESMTP_A_TABLE_SIZE] = { .type = NLA_U32 },
	[ESMTP_A_TABLE_SOURCE_SIZE] = { .type = NLA_U32 },
	[ESMTP_A_TABLE_OFFSET] = { .type = NLA_U32 },
	[ESMTP_A_TABLE_DATA] = { .type = NLA_BINARY },
};

static u32 whole(const struct esmtp_ns_table *t)
{
	return t->size + t->source_size;
}

const char *esmtp_table_kind(const struct esmtp_table *table)
{
	const struct esmtp_ns_table *t = esmtp_table_ns(table);
	static const char domains[] = "domains ";

	return t->source_size >= sizeof(domains) - 1 &&
	       !memcmp(t->data + t->size, domains, sizeof(domains) - 1) ?
	       "domains" : "regex";
}

static struct esmtp_ns_table *table_find(const struct esmtp_table_set *set,
					 u32 id)
{
	u32 i;

	for (i = 0; set && i < set->n; i++)
		if (set->v[i]->id == id)
			return set->v[i];
	return NULL;
}

/* @why must live as long as the module. */
static int refuse(struct netlink_ext_ack *extack, const struct nlattr *bad,
		  int err, const char *why)
{
	extack->_msg = why;
	NL_SET_BAD_ATTR(extack, bad);
	return err;
}

/* The attributes that a piece has to have, from and to these types. */
static int need(const struct nlattr *nest, struct nlattr **tb, int from, int to,
		struct netlink_ext_ack *extack, const char *why)
{
	int i;

	for (i = from; i <= to; i++) {
		if (tb[i])
			continue;
		NL_SET_ERR_ATTR_MISS(extack, nest, i);
		return refuse(extack, nest, -EINVAL, why);
	}
	return 0;
}

/* The limits that one more table meets. */
static int room_check(const struct esmtp_table_set *set, struct nlattr **tb,
		      struct netlink_ext_ack *extack)
{
	u32 size = nla_get_u32(tb[ESMTP_A_TABLE_SIZE]);
	u32 source = nla_get_u32(tb[ESMTP_A_TABLE_SOURCE_SIZE]);

	if (!size)
		return refuse(extack, tb[ESMTP_A_TABLE_SIZE], -EINVAL,
			      "the table is empty");
	if (size > ESMTP_TABLE_SIZE_MAX)
		return refuse(extack, tb[ESMTP_A_TABLE_SIZE], -E2BIG,
			      "a table has at most " __stringify(ESMTP_TABLE_SIZE_MAX) " bytes");
	if (source > ESMTP_TABLE_SIZE_MAX)
		return refuse(extack, tb[ESMTP_A_TABLE_SOURCE_SIZE], -E2BIG,
			      "the source of a table has at most " __stringify(ESMTP_TABLE_SIZE_MAX) " bytes");
	if (set->n == ESMTP_TABLES_MAX)
		return refuse(extack, tb[ESMTP_A_TABLE_ID], -ENOSPC,
			      "a configuration has at most " __stringify(ESMTP_TABLES_MAX) " tables");
	if (set->bytes + size + source > ESMTP_TABLES_SIZE_MAX)
		return refuse(extack, tb[ESMTP_A_TABLE_SIZE], -ENOSPC,
			      "all tables and their sources have at most " __stringify(ESMTP_TABLES_SIZE_MAX) " bytes");
	return 0;
}

static int name_check(const struct esmtp_table_set *set,
		      const struct nlattr *name,
		      struct netlink_ext_ack *extack)
{
	u32 i;

	for (i = 0; i < set->n; i++)
		if (!nla_strcmp(name, set->v[i]->name))
			return refuse(extack, name, -EEXIST,
				      "another table has this name");
	return 0;
}

/* A table of which nothing has come yet, with one reference, in no set. */
static struct esmtp_ns_table *table_new(const struct esmtp_table_set *set,
					struct nlattr **tb,
					struct netlink_ext_ack *extack)
{
	u32 size = nla_get_u32(tb[ESMTP_A_TABLE_SIZE]);
	u32 source = nla_get_u32(tb[ESMTP_A_TABLE_SOURCE_SIZE]);
	struct esmtp_ns_table *t;
	int err = name_check(set, tb[ESMTP_A_TABLE_NAME], extack);

	if (err)
		return ERR_PTR(err);
	t = kvzalloc(struct_size(t, data, size + source), GFP_KERNEL_ACCOUNT);
	if (!t)
		return ERR_PTR(-ENOMEM);
	kref_init(&t->ref);
	t->id = nla_get_u32(tb[ESMTP_A_TABLE_ID]);
	t->size = size;
	t->source_size = source;
	err = esmtp_name_parse(t->name, tb[ESMTP_A_TABLE_NAME], extack);
	if (!err)
		return t;
	kvfree(t);
	return ERR_PTR(err);
}

/* A later piece repeats nothing of what the first one said. */
static int later_check(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	int i;

	for (i = ESMTP_A_TABLE_NAME; i <= ESMTP_A_TABLE_SOURCE_SIZE; i++)
		if (tb[i])
			return refuse(extack, tb[i], -EEXIST,
				      "a table with this number is staged already: only data can be added");
	return 0;
}

static int data_check(const struct esmtp_ns_table *t, struct nlattr **tb,
		      struct netlink_ext_ack *extack)
{
	const struct nlattr *data = tb[ESMTP_A_TABLE_DATA];

	if (nla_get_u32(tb[ESMTP_A_TABLE_OFFSET]) != t->have)
		return refuse(extack, tb[ESMTP_A_TABLE_OFFSET], -EINVAL,
			      "the pieces of a table come in order, without gaps");
	if (!nla_len(data))
		return refuse(extack, data, -EINVAL,
			      "a piece of a table is empty");
	if (nla_len(data) > whole(t) - t->have)
		return refuse(extack, data, -E2BIG,
			      "there is more data than the table and its source have");
	return 0;
}

static void set_add(struct esmtp_table_set *set, struct esmtp_ns_table *t)
{
	set->v[set->n++] = t;
	set->bytes += whole(t);
}

static void set_remove(struct esmtp_table_set *set, struct esmtp_ns_table *t)
{
	u32 i = 0;

	while (set->v[i] != t)
		i++;
	memmove(&set->v[i], &set->v[i + 1],
		(--set->n - i) * sizeof(set->v[0]));
	set->bytes -= whole(t);
	esmtp_table_put(t);
}

/* The table is in the set. */
static int data_take(struct esmtp_table_set *set, struct esmtp_ns_table *t,
		     struct nlattr **tb, struct netlink_ext_ack *extack)
{
	const struct nlattr *data = tb[ESMTP_A_TABLE_DATA];
	const char *why;

	memcpy(t->data + t->have, nla_data(data), nla_len(data));
	t->have += nla_len(data);
	if (t->have < whole(t))
		return 0;
	why = esmtp_table_check(t->data, t->size);
	if (!why)
		return 0;
	set_remove(set, t);
	return refuse(extack, data, -EINVAL, why);
}

static int piece_first(struct esmtp_table_set *set, const struct nlattr *nest,
		       struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct esmtp_ns_table *t;
	int err;

	err = need(nest, tb, ESMTP_A_TABLE_NAME, ESMTP_A_TABLE_SOURCE_SIZE,
		   extack, "the first piece of a table needs its name, its size and that of its source");
	if (!err)
		err = room_check(set, tb, extack);
	if (err)
		return err;
	t = table_new(set, tb, extack);
	if (IS_ERR(t))
		return PTR_ERR(t);
	err = data_check(t, tb, extack);
	if (err) {
		esmtp_table_put(t);
		return err;
	}
	set_add(set, t);
	return data_take(set, t, tb, extack);
}

int esmtp_table_piece(struct esmtp_table_set *set, const struct nlattr *nest,
		      struct nlattr **tb, struct netlink_ext_ack *extack)
{
	struct esmtp_ns_table *t;
	int err;

	err = need(nest, tb, ESMTP_A_TABLE_ID, ESMTP_A_TABLE_ID, extack,
		   "a table needs a number");
	if (!err)
		err = need(nest, tb, ESMTP_A_TABLE_OFFSET, ESMTP_A_TABLE_DATA,
			   extack, "a piece of a table needs data and its place");
	if (err)
		return err;
	t = table_find(set, nla_get_u32(tb[ESMTP_A_TABLE_ID]));
	if (!t)
		return piece_first(set, nest, tb, extack);
	err = later_check(tb, extack);
	if (!err)
		err = data_check(t, tb, extack);
	return err ? err : data_take(set, t, tb, extack);
}

bool esmtp_tables_complete(const struct esmtp_table_set *set)
{
	u32 i;

	for (i = 0; set && i < set->n; i++)
		if (set->v[i]->have < whole(set->v[i]))
			return false;
	return true;
}

struct esmtp_ns_table *esmtp_table_get(const struct esmtp_table_set *set,
				       u32 id)
{
	struct esmtp_ns_table *t = table_find(set, id);

	if (!t || t->have < whole(t))
		return NULL;
	kref_get(&t->ref);
	return t;
}

static bool takes_the_same(const struct esmtp_ns_table *a,
			   const struct esmtp_ns_table *b)
{
	return a->size == b->size && !strcmp(a->name, b->name) &&
	       !memcmp(a->data, b->data, a->size);
}

void esmtp_tables_pair(struct esmtp_table_set *set,
		       const struct esmtp_table_set *old)
{
	u32 i, j;

	for (i = 0; set && i < set->n; i++)
		for (j = 0; old && j < old->n; j++)
			if (takes_the_same(set->v[i], old->v[j]))
				set->v[i]->before = old->v[j];
}

static void table_release(struct kref *ref)
{
	kvfree(container_of(ref, struct esmtp_ns_table, ref));
}

void esmtp_table_put(struct esmtp_ns_table *t)
{
	if (t)
		kref_put(&t->ref, table_release);
}

void esmtp_tables_free(struct esmtp_table_set *set)
{
	u32 i;

	if (!set)
		return;
	for (i = 0; i < set->n; i++)
		esmtp_table_put(set->v[i]);
	kfree(set);
}

/**
 * struct dump_cursor - how far a dump of tables has come; in netlink_callback.ctx
 * @table: next one
 * @offset: of its source; not 0 = a part of it has been sent
 */
struct dump_cursor {
	u32 table;
	u32 offset;
};

#define PIECE_MIN 1024	/* bytes of a source that are worth the rest of a message */

/* Returns how much of the source was put, or -EMSGSIZE. */
static int put_table(struct sk_buff *skb, const struct esmtp_ns_table *t,
		     u32 offset)
{
	struct nlattr *nest = nla_nest_start(skb, ESMTP_A_TABLE);
	u32 left = t->source_size - offset;
	int room;

	if (!nest ||
	    nla_put_u32(skb, ESMTP_A_TABLE_ID, t->id) ||
	    nla_put_string(skb, ESMTP_A_TABLE_NAME, t->name) ||
	    nla_put_u32(skb, ESMTP_A_TABLE_SIZE, t->size) ||
	    nla_put_u32(skb, ESMTP_A_TABLE_SOURCE_SIZE, t->source_size) ||
	    nla_put_u32(skb, ESMTP_A_TABLE_OFFSET, offset))
		return -EMSGSIZE;
	/* An attribute's length has 16 bits, that of the nest too. */
	room = min_t(int, skb_tailroom(skb), S16_MAX) - NLA_HDRLEN -
	       NLA_ALIGNTO;
	if (room < (int)min_t(u32, left, PIECE_MIN))
		return -EMSGSIZE;
	left = min_t(u32, left, room);
	if (nla_put(skb, ESMTP_A_TABLE_DATA, left,
		    t->data + t->size + offset))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return left;
}

/* One message; moves the cursor. */
static int dump_one(struct sk_buff *skb, struct netlink_callback *cb,
		    struct esmtp_net *en, const struct esmtp_ns_table *t)
{
	struct dump_cursor *cur = (void *)cb->ctx;
	int put;
	void *hdr;

	hdr = genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			  &esmtp_genl_family, NLM_F_MULTI, ESMTP_CMD_TABLE_GET);
	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	put = nla_put_u64_64bit(skb, ESMTP_A_GENERATION, en->generation,
				ESMTP_A_PAD);
	if (!put)
		put = put_table(skb, t, cur->offset);
	if (put < 0) {
		genlmsg_cancel(skb, hdr);
		return put;
	}
	genlmsg_end(skb, hdr);
	cur->offset += put;
	if (cur->offset == t->source_size) {
		cur->table++;
		cur->offset = 0;
	}
	return 0;
}

int esmtp_tables_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct esmtp_net *en = esmtp_net(sock_net(cb->skb->sk));
	struct dump_cursor *cur = (void *)cb->ctx;
	int err = 0;

	BUILD_BUG_ON(sizeof(*cur) > sizeof(cb->ctx));
	mutex_lock(&en->config);
	cb->seq = en->commits + 1;
	/* The rest of a source that was exchanged meanwhile is no part of the new one. */
	if (cb->prev_seq && cb->prev_seq != cb->seq && cur->offset) {
		cur->table++;
		cur->offset = 0;
	}
	while (!err && en->tables && cur->table < en->tables->n)
		err = dump_one(skb, cb, en, en->tables->v[cur->table]);
	mutex_unlock(&en->config);
	return skb->len ? skb->len : err;
}
