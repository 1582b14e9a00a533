/* SPDX-License-Identifier: GPL-2.0-only */
/* The tables of a configuration: staged in pieces, verified, used by policies, dumped. */
#ifndef _ESMTP_NS_TABLE_H
#define _ESMTP_NS_TABLE_H

#include <linux/kref.h>
#include <net/netlink.h>

#include "../include/esmtp/table.h"
#include "net.h"

/**
 * struct esmtp_ns_table - a table; immutable once it is complete
 * @ref: one by the set that it is in, one by each policy that uses it
 * @id: by which policies name it while they are staged
 * @size: bytes of the table
 * @source_size: bytes of its source
 * @have: bytes that have come, of both
 * @before: table of the configuration before it of the same name that takes the same texts, or NULL; compared,
 *	    never followed, while this one is put in force
 * @name: NUL-terminated
 * @data: the table, behind it its source
 */
struct esmtp_ns_table {
	struct kref ref;
	u32 id;
	u32 size;
	u32 source_size;
	u32 have;
	const struct esmtp_ns_table *before;
	char name[ESMTP_POLICY_NAME_MAX + 1];
	u8 data[] __aligned(sizeof(u64));
};

/**
 * struct esmtp_table_set - the tables of one configuration; the namespace's config mutex
 * @n: how many
 * @bytes: of all tables and sources, those that are still to come included
 * @v: one reference each, in the order in which they were staged
 */
struct esmtp_table_set {
	u32 n;
	u32 bytes;
	struct esmtp_ns_table *v[ESMTP_TABLES_MAX];
};

/** esmtp_table_engine() - a complete table as the engine has it */
static inline const struct esmtp_table *
esmtp_table_engine(const struct esmtp_ns_table *t)
{
	return (const struct esmtp_table *)t->data;
}

/** esmtp_table_ns() - the table that an engine's table is the data of */
static inline struct esmtp_ns_table *
esmtp_table_ns(const struct esmtp_table *table)
{
	return (struct esmtp_ns_table *)
		((char *)table - offsetof(struct esmtp_ns_table, data));
}

/** esmtp_table_kind() - the word for a table in a rule: what its source begins with */
const char *esmtp_table_kind(const struct esmtp_table *table);

/* What ESMTP_A_TABLE may hold in ESMTP_CMD_STAGE_TABLE. */
extern const struct nla_policy esmtp_table_attrs[ESMTP_A_TABLE_MAX + 1];

/**
 * esmtp_table_piece() - take a piece of a table
 * @set: that the table is in, or comes into
 * @nest: (NOT NULL) ESMTP_A_TABLE
 * @tb: (NOT NULL) its attributes by type, validated by esmtp_table_attrs
 * @extack: says why not
 *
 * The last piece of a bad table takes it out of the set; any other refusal leaves the set as it
 * was. Context: process. Return: 0 or -errno.
 */
int esmtp_table_piece(struct esmtp_table_set *set, const struct nlattr *nest,
		      struct nlattr **tb, struct netlink_ext_ack *extack);

/** esmtp_tables_complete() - whether no table of a set lacks a piece; NULL is a set of none */
bool esmtp_tables_complete(const struct esmtp_table_set *set);

/**
 * esmtp_table_get() - the table that a policy names
 * @set: (MAYBE NULL) tables of the same stage
 * @id: ESMTP_A_TABLE_ID
 *
 * Return: a reference to a complete table, or NULL.
 */
struct esmtp_ns_table *esmtp_table_get(const struct esmtp_table_set *set,
				       u32 id);

/**
 * esmtp_tables_pair() - find the tables that are what they were before
 * @set: (MAYBE NULL) tables of the stage
 * @old: (MAYBE NULL) those that are running
 *
 * Context: process. Each table is compared once, however many rules use it.
 */
void esmtp_tables_pair(struct esmtp_table_set *set,
		       const struct esmtp_table_set *old);

/** esmtp_table_put() - give a reference back; any context; NULL is nothing */
void esmtp_table_put(struct esmtp_ns_table *t);

/** esmtp_tables_free() - give a set and its references back; NULL is nothing */
void esmtp_tables_free(struct esmtp_table_set *set);

/**
 * esmtp_tables_dump() - the dump of ESMTP_CMD_TABLE_GET
 * @skb: answer
 * @cb: of the dump
 *
 * Return: as a dumpit callback.
 */
int esmtp_tables_dump(struct sk_buff *skb, struct netlink_callback *cb);

#endif /* _ESMTP_NS_TABLE_H */
