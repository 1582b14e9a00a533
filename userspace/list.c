// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the kernel and printing what was read.
 */
#include <errno.h>
#include <string.h>

#include "commands.h"
#include "evaluate.h"
#include "language.h"
#include "module.h"
#include "nft.h"
#include "util.h"
#include "wire.h"

#define READ_TRIES 10

/*
 * The module keeps the statement that a table came from, as we print it. One that somebody else has
 * put there has no words here.
 */
static void read_source(const struct table_source *s, struct config *c)
{
	struct input *in = mem_alloc(sizeof(*in));
	struct table *t = mem_alloc(sizeof(*t));
	struct erecs ignored;
	struct ast ast;

	erec_init(&ignored);
	*in = (struct input){ .name = "module", .text = s->text, .len = s->len };
	if (s->len == s->size && language_parse(in, &ast, &ignored) && ast.head &&
	    (ast.head->kind == STMT_REGEX || ast.head->kind == STMT_DOMAINS))
		t = table_of_stmt(ast.head);
	t->name = s->name;
	config_add_table(c, t);
	t->id = s->id;
}

/* The sources of the running tables. */
static bool read_tables(struct genl *g, struct config *c, struct erecs *errors)
{
	struct table_source *sources = NULL;
	struct kerror ke;
	int err = 0;

	for (int i = 0; i < READ_TRIES; i++) {
		sources = NULL;
		err = genl_talk(g, genl_request(g, ESMTP_CMD_TABLE_GET, NLM_F_DUMP),
				wire_get_table, &sources, &ke);
		if (err != -EINTR)
			break;
	}
	if (err)
		erec_add(errors, NULL, "the tables cannot be read: %s", kerror_text(&ke));
	c->tables = NULL;
	for (const struct table_source *s = sources; s && !err; s = s->next)
		read_source(s, c);
	return !err;
}

/* Conditions come with the number of their table; people know its name. */
static void name_tables(struct policy *p, const struct config *c)
{
	const struct table *t;

	for (unsigned int i = 0; i < p->n_rules; i++)
		for (unsigned int j = 0; j < p->rules[i].n_conds; j++) {
			struct cond *cond = &p->rules[i].conds[j];

			for (t = c->tables; t && t->id != cond->table; t = t->next)
				;
			if (!t || !cond_has_table(cond->match))
				continue;
			cond->table_name = t->name;
			cond->list = t->kind == TABLE_DOMAINS;
		}
}

static struct nlmsghdr *request_counters(struct genl *g, uint8_t cmd, uint16_t flags, bool absolute)
{
	struct nlmsghdr *nlh = genl_request(g, cmd, flags);

	if (absolute)
		mnl_attr_put(nlh, ESMTP_A_ABSOLUTE, 0, NULL);
	return nlh;
}

/**
 * read_policies() - read the running policies and tables
 * @g: the socket
 * @c: gets them
 * @generation: of the configuration, or NULL
 * @absolute: counters as if nothing had ever been reset
 * @errors: why not
 *
 * Return: true if they were read.
 */
bool read_policies(struct genl *g, struct config *c, uint64_t *generation, bool absolute,
		   struct erecs *errors)
{
	struct kerror ke;
	struct dump d;
	int err = 0;

	if (!read_tables(g, c, errors))
		return false;
	/* A commit that falls into the dump makes it void. */
	for (int i = 0; i < READ_TRIES; i++) {
		memset(&d, 0, sizeof(d));
		err = genl_talk(g, request_counters(g, ESMTP_CMD_POLICY_GET, NLM_F_DUMP, absolute),
				wire_get_policy, &d, &ke);
		if (err != -EINTR)
			break;
	}
	if (err)
		erec_add(errors, NULL, "the policies cannot be read: %s", kerror_text(&ke));
	c->policies = d.policies;
	for (struct policy *p = c->policies; p; p = p->next)
		name_tables(p, c);
	if (generation)
		*generation = d.generation;
	return !err;
}

/**
 * read_status() - read the state and counters of the namespace
 * @g: the socket
 * @s: the state
 * @absolute: counters as if nothing had ever been reset
 * @errors: why not
 *
 * Return: true if it was read.
 */
bool read_status(struct genl *g, struct status *s, bool absolute, struct erecs *errors)
{
	struct kerror ke;

	memset(s, 0, sizeof(*s));
	s->version = "?";
	if (!genl_talk(g, request_counters(g, ESMTP_CMD_STATUS_GET, NLM_F_ACK, absolute),
		       wire_get_status, s, &ke))
		return true;
	erec_add(errors, NULL, "the module's state cannot be read: %s", kerror_text(&ke));
	return false;
}

/**
 * command_list_ruleset() - esmtpctl list ruleset
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_list_ruleset(struct request *r)
{
	struct nft_table t;
	struct genl g;
	bool ok;

	if (!genl_open(&g, &r->errors))
		return false;
	ok = nft_read(&t, &r->errors) && read_policies(&g, &t.config, NULL, false, &r->errors);
	genl_close(&g);
	for (const struct table *k = t.config.tables; ok && k; k = k->next)
		if (!k->words.n) {
			erec_add(&r->errors, NULL, "the source of table %s is not esmtpctl's", k->name);
			ok = false;
		}
	if (ok)
		output_ruleset(&r->o, &t.config);
	return ok;
}

/* Reading the module needs no privilege, reading nft does: then its part is left out. */
static void list_guard(struct request *r)
{
	struct erecs ignored;
	struct nft_table t;

	erec_init(&ignored);
	if (!nft_read(&t, &ignored))
		return;
	if (!r->absolute)
		guard_since_reset(&t.guard);
	r->o.ops->guard(&r->o, &t.guard);
}

/**
 * command_list_counters() - esmtpctl list counters
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_list_counters(struct request *r)
{
	struct config c = { 0 };
	struct status s;
	struct genl g;
	bool ok;

	if (!genl_open(&g, &r->errors))
		return false;
	ok = read_policies(&g, &c, NULL, r->absolute, &r->errors) &&
	     read_status(&g, &s, r->absolute, &r->errors);
	genl_close(&g);
	if (!ok)
		return false;
	r->o.ops->begin(&r->o);
	for (const struct policy *p = c.policies; p; p = p->next)
		r->o.ops->policy_counters(&r->o, p);
	r->o.ops->status(&r->o, &s);
	list_guard(r);
	r->o.ops->end(&r->o);
	return true;
}

/**
 * command_list_policies() - esmtpctl list policies
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_list_policies(struct request *r)
{
	struct config c = { 0 };
	struct genl g;
	bool ok;

	if (!genl_open(&g, &r->errors))
		return false;
	ok = read_policies(&g, &c, NULL, false, &r->errors);
	genl_close(&g);
	if (!ok)
		return false;
	r->o.ops->begin(&r->o);
	for (const struct policy *p = c.policies; p; p = p->next)
		r->o.ops->slot(&r->o, p);
	r->o.ops->end(&r->o);
	return true;
}

static int on_session(const struct nlmsghdr *nlh, void *data)
{
	struct request *r = data;
	struct session s;

	if (wire_get_session(nlh, &s))
		r->o.ops->session(&r->o, &s);
	return MNL_CB_OK;
}

/**
 * command_list_sessions() - esmtpctl list sessions
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_list_sessions(struct request *r)
{
	struct kerror ke;
	struct genl g;
	int err;

	if (!genl_open(&g, &r->errors))
		return false;
	r->o.ops->begin(&r->o);
	err = genl_talk(&g, genl_request(&g, ESMTP_CMD_SESSION_GET, NLM_F_DUMP), on_session, r, &ke);
	genl_close(&g);
	if (err)
		erec_add(&r->errors, NULL, "the sessions cannot be read: %s", kerror_text(&ke));
	else
		r->o.ops->end(&r->o);
	return !err;
}

/**
 * command_list_exempt() - esmtpctl list exempt
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_list_exempt(struct request *r)
{
	struct nft_table t;

	if (!nft_read(&t, &r->errors))
		return false;
	r->o.ops->begin(&r->o);
	r->o.ops->exempt(&r->o, &t.config);
	r->o.ops->end(&r->o);
	return true;
}

/**
 * command_list_classes() - esmtpctl list classes
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_list_classes(struct request *r)
{
	struct nft_table t;

	if (!nft_read(&t, &r->errors))
		return false;
	r->o.ops->begin(&r->o);
	for (const struct named_set *s = t.config.sets; s; s = s->next)
		r->o.ops->set(&r->o, s);
	for (const struct class *k = t.config.classes; k; k = k->next)
		r->o.ops->class(&r->o, k);
	r->o.ops->end(&r->o);
	return true;
}
