// SPDX-License-Identifier: GPL-2.0-only
/* Staged configuration: one stage a namespace, owned by a socket. */
#include <linux/slab.h>

#include "netlink.h"
#include "ns_table.h"
#include "policy.h"
#include "stage.h"

/**
 * struct esmtp_stage - a configuration under preparation; the namespace's config mutex
 * @portid: of the socket that owns it
 * @generation: that it will be; one reference
 * @slot: staged policies, one reference each
 * @tables: staged tables, or NULL
 */
struct esmtp_stage {
	u32 portid;
	struct esmtp_generation *generation;
	struct esmtp_ns_policy *slot[ESMTP_SLOTS];
	struct esmtp_table_set *tables;
};

static void stage_empty(struct esmtp_stage *st)
{
	u8 slot;

	for (slot = 0; slot < ESMTP_SLOTS; slot++) {
		esmtp_policy_put(st->slot[slot]);
		st->slot[slot] = NULL;
	}
	esmtp_tables_free(st->tables);
	st->tables = NULL;
}

static void stage_free(struct esmtp_net *en)
{
	struct esmtp_stage *st = en->stage;

	if (!st)
		return;
	WRITE_ONCE(en->stage, NULL);
	stage_empty(st);
	esmtp_generation_put(st->generation);
	kfree(st);
}

static bool is_busy(const struct esmtp_net *en, u32 portid,
		    struct netlink_ext_ack *extack)
{
	if (!en->stage || en->stage->portid == portid)
		return false;
	NL_SET_ERR_MSG(extack,
		       "another process is loading a configuration; try again");
	return true;
}

/* The stage of this socket, or ERR_PTR(). */
static struct esmtp_stage *stage_get(struct esmtp_net *en, u32 portid,
				     struct netlink_ext_ack *extack)
{
	if (is_busy(en, portid, extack))
		return ERR_PTR(-EBUSY);
	if (!en->stage) {
		NL_SET_ERR_MSG(extack, "this socket has not begun a stage");
		return ERR_PTR(-ENOENT);
	}
	return en->stage;
}

static int stage_open(struct esmtp_net *en, u32 portid,
		      struct netlink_ext_ack *extack)
{
	struct esmtp_stage *st;

	if (is_busy(en, portid, extack))
		return -EBUSY;
	if (en->stage) {
		stage_empty(en->stage);
		return 0;
	}
	st = kzalloc(sizeof(*st), GFP_KERNEL_ACCOUNT);
	if (!st)
		return -ENOMEM;
	st->generation = esmtp_generation_new();
	if (!st->generation) {
		kfree(st);
		return -ENOMEM;
	}
	st->portid = portid;
	WRITE_ONCE(en->stage, st);
	return 0;
}

int esmtp_stage_begin(struct esmtp_net *en, u32 portid,
		      struct netlink_ext_ack *extack)
{
	int err;

	mutex_lock(&en->config);
	err = stage_open(en, portid, extack);
	mutex_unlock(&en->config);
	return err;
}

static struct esmtp_ns_policy *staged_find(const struct esmtp_stage *st,
					   const struct nlattr *name)
{
	u8 slot;

	for (slot = 0; slot < ESMTP_SLOTS; slot++)
		if (st->slot[slot] && !nla_strcmp(name, st->slot[slot]->name))
			return st->slot[slot];
	return NULL;
}

/* Lowest slot that nothing staged has, nor, if @unused, a running policy. */
static int slot_lowest(struct esmtp_net *en, bool unused)
{
	u8 slot;

	for (slot = 0; slot < ESMTP_SLOTS; slot++)
		if (!en->stage->slot[slot] &&
		    !(unused && esmtp_policy_running(en, slot)))
			return slot;
	return -ENOSPC;
}

/*
 * Slots are sticky. So a new name does not get a running policy's slot while there is
 * another: the running policy may be staged later, and helpers that a person's own table
 * names should not change their meaning in silence.
 */
static int slot_choose(struct esmtp_net *en, struct nlattr **tb,
		       struct netlink_ext_ack *extack)
{
	const struct nlattr *asked = tb[ESMTP_A_POLICY_SLOT];
	struct esmtp_ns_policy *running;
	int slot;

	if (asked) {
		slot = nla_get_u8(asked);
		if (!en->stage->slot[slot])
			return slot;
		NL_SET_ERR_MSG_ATTR(extack, asked,
				    "another policy has this slot");
		return -EEXIST;
	}
	running = esmtp_policy_find(en, tb[ESMTP_A_POLICY_NAME]);
	if (running && !en->stage->slot[running->slot])
		return running->slot;
	slot = slot_lowest(en, true);
	if (slot < 0)
		slot = slot_lowest(en, false);
	if (slot < 0)
		NL_SET_ERR_MSG_ATTR(extack, tb[ESMTP_A_POLICY_NAME],
				    "all " __stringify(ESMTP_SLOTS) " slots are taken");
	return slot;
}

/* A further part of a policy has nothing but its name and rules. */
static int part_check(struct nlattr **tb, struct netlink_ext_ack *extack)
{
	int i;

	for (i = 0; i <= ESMTP_A_POLICY_MAX; i++) {
		if (!tb[i] || i == ESMTP_A_POLICY_NAME ||
		    i == ESMTP_A_POLICY_RULES)
			continue;
		NL_SET_ERR_MSG_ATTR(extack, tb[i],
				    "a policy of this name is staged already: only rules can be added");
		return -EEXIST;
	}
	return 0;
}

static struct esmtp_ns_policy *stage_part(const struct esmtp_stage *st,
					  struct esmtp_ns_policy *p,
					  struct nlattr **tb,
					  struct netlink_ext_ack *extack)
{
	int err = part_check(tb, extack);

	if (!err)
		err = esmtp_policy_append(p, st->tables,
					  tb[ESMTP_A_POLICY_RULES], extack);
	return err ? ERR_PTR(err) : p;
}

static struct esmtp_ns_policy *stage_add(struct esmtp_net *en,
					 const struct nlattr *nest,
					 struct nlattr **tb,
					 struct netlink_ext_ack *extack)
{
	struct esmtp_ns_policy *p;
	int slot;

	/* Here and not when it is put in force, which must not fail: nobody else can do that meanwhile. */
	if (esmtp_generations_full(en)) {
		NL_SET_ERR_MSG_ATTR(extack, nest,
				    "connections still use " __stringify(ESMTP_GENERATIONS_MAX) " older configurations: load again when some of these connections have ended");
		return ERR_PTR(-EBUSY);
	}
	slot = slot_choose(en, tb, extack);
	if (slot < 0)
		return ERR_PTR(slot);
	p = esmtp_policy_build(nest, tb, slot, en->stage->tables,
			       en->stage->generation, extack);
	if (!IS_ERR(p))
		en->stage->slot[slot] = p;
	return p;
}

static int stage_put(struct esmtp_net *en, u32 portid,
		     const struct nlattr *nest, struct nlattr **tb,
		     struct esmtp_staged *staged,
		     struct netlink_ext_ack *extack)
{
	struct esmtp_stage *st = stage_get(en, portid, extack);
	struct esmtp_ns_policy *p;

	if (IS_ERR(st))
		return PTR_ERR(st);
	p = staged_find(st, tb[ESMTP_A_POLICY_NAME]);
	if (p)
		p = stage_part(st, p, tb, extack);
	else
		p = stage_add(en, nest, tb, extack);
	if (IS_ERR(p))
		return PTR_ERR(p);
	strscpy(staged->name, p->name, sizeof(staged->name));
	staged->slot = p->slot;
	return 0;
}

int esmtp_stage_policy(struct esmtp_net *en, u32 portid,
		       const struct nlattr *nest, struct esmtp_staged *staged,
		       struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ESMTP_A_POLICY_MAX + 1];
	int err;

	err = nla_parse_nested(tb, ESMTP_A_POLICY_MAX, nest,
			       esmtp_policy_attrs, extack);
	if (err)
		return err;
	if (!tb[ESMTP_A_POLICY_NAME]) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "a policy needs a name");
		NL_SET_ERR_ATTR_MISS(extack, nest, ESMTP_A_POLICY_NAME);
		return -EINVAL;
	}
	mutex_lock(&en->config);
	err = stage_put(en, portid, nest, tb, staged, extack);
	mutex_unlock(&en->config);
	return err;
}

static int piece_put(struct esmtp_net *en, u32 portid,
		     const struct nlattr *nest, struct nlattr **tb,
		     struct netlink_ext_ack *extack)
{
	struct esmtp_stage *st = stage_get(en, portid, extack);

	if (IS_ERR(st))
		return PTR_ERR(st);
	if (!st->tables)
		st->tables = kzalloc(sizeof(*st->tables), GFP_KERNEL_ACCOUNT);
	if (!st->tables)
		return -ENOMEM;
	return esmtp_table_piece(st->tables, nest, tb, extack);
}

int esmtp_stage_table(struct esmtp_net *en, u32 portid,
		      const struct nlattr *nest, struct netlink_ext_ack *extack)
{
	struct nlattr *tb[ESMTP_A_TABLE_MAX + 1];
	int err;

	err = nla_parse_nested(tb, ESMTP_A_TABLE_MAX, nest, esmtp_table_attrs,
			       extack);
	if (err)
		return err;
	mutex_lock(&en->config);
	err = piece_put(en, portid, nest, tb, extack);
	mutex_unlock(&en->config);
	return err;
}

static int tables_ready(const struct esmtp_stage *st,
			struct netlink_ext_ack *extack)
{
	if (esmtp_tables_complete(st->tables))
		return 0;
	NL_SET_ERR_MSG(extack, "a table of the stage is not complete");
	return -EINVAL;
}

static int check_and_free(struct esmtp_net *en, u32 portid,
			  struct netlink_ext_ack *extack)
{
	struct esmtp_stage *st = stage_get(en, portid, extack);
	int err;

	if (IS_ERR(st))
		return PTR_ERR(st);
	err = tables_ready(st, extack);
	if (!err)
		stage_free(en);
	return err;
}

int esmtp_stage_check(struct esmtp_net *en, u32 portid,
		      struct netlink_ext_ack *extack)
{
	int err;

	mutex_lock(&en->config);
	err = check_and_free(en, portid, extack);
	mutex_unlock(&en->config);
	return err;
}

int esmtp_stage_abort(struct esmtp_net *en, u32 portid,
		      struct netlink_ext_ack *extack)
{
	struct esmtp_stage *st;

	mutex_lock(&en->config);
	st = stage_get(en, portid, extack);
	if (!IS_ERR(st))
		stage_free(en);
	mutex_unlock(&en->config);
	return PTR_ERR_OR_ZERO(st);
}

static bool stage_is_empty(const struct esmtp_stage *st)
{
	return !memchr_inv(st->slot, 0, sizeof(st->slot)) &&
	       !(st->tables && st->tables->n);
}

/* What a commit still needs before it cannot fail any more. */
static int commit_ready(struct esmtp_net *en, const struct nlattr *generation,
			struct netlink_ext_ack *extack)
{
	int err = tables_ready(en->stage, extack);

	if (err)
		return err;
	/* Nothing is chosen for inspection by an empty configuration. */
	if (stage_is_empty(en->stage))
		return 0;
	if (!nla_get_u64(generation)) {
		NL_SET_ERR_MSG_ATTR(extack, generation,
				    "generation 0 means that there is no configuration");
		return -EINVAL;
	}
	err = esmtp_guard_on(en);
	if (err)
		NL_SET_ERR_MSG(extack,
			       "the hooks that guard inspected connections could not be registered");
	return err;
}

/* Policies of the same name go on counting where those before them do. */
static void counters_keep(struct esmtp_net *en)
{
	struct esmtp_ns_policy *p, *old;
	u8 slot, i;

	esmtp_tables_pair(en->stage->tables, en->tables);
	for (slot = 0; slot < ESMTP_SLOTS; slot++) {
		p = en->stage->slot[slot];
		for (i = 0; p && i < ESMTP_SLOTS; i++) {
			old = esmtp_policy_running(en, i);
			if (old && !strcmp(old->name, p->name))
				esmtp_policy_inherit(p, old);
		}
	}
}

static void generation_commit(struct esmtp_net *en, u64 number)
{
	struct esmtp_stage *st = en->stage;
	struct esmtp_generation *g = NULL;

	if (!stage_is_empty(st)) {
		st->generation->number = number;
		g = esmtp_generation_get(st->generation);
	}
	esmtp_generations_commit(en, g);
	en->generation = number;
}

/* The stage gets the policies and tables that were running. */
static void slots_swap(struct esmtp_net *en)
{
	u8 slot;

	for (slot = 0; slot < ESMTP_SLOTS; slot++)
		en->stage->slot[slot] =
			rcu_replace_pointer(en->slot[slot],
					    en->stage->slot[slot],
					    lockdep_is_held(&en->config));
	swap(en->tables, en->stage->tables);
}

int esmtp_stage_commit(struct esmtp_net *en, u32 portid,
		       const struct nlattr *generation,
		       struct netlink_ext_ack *extack)
{
	struct esmtp_stage *st;
	int err;

	mutex_lock(&en->config);
	st = stage_get(en, portid, extack);
	err = PTR_ERR_OR_ZERO(st);
	if (!err)
		err = commit_ready(en, generation, extack);
	if (!err) {
		generation_commit(en, nla_get_u64(generation));
		counters_keep(en);
		slots_swap(en);
		en->commits++;
		stage_free(en);
	}
	mutex_unlock(&en->config);
	return err;
}

void esmtp_stage_close(struct esmtp_net *en, u32 portid)
{
	/* Most sockets that close have nothing to do with us. */
	if (!READ_ONCE(en->stage))
		return;
	mutex_lock(&en->config);
	if (en->stage && en->stage->portid == portid)
		stage_free(en);
	mutex_unlock(&en->config);
}

void esmtp_stage_drop(struct esmtp_net *en)
{
	mutex_lock(&en->config);
	stage_free(en);
	mutex_unlock(&en->config);
}
