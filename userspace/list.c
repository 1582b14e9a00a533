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

/**
 * read_policies() - read the running policies
 * @g: the socket
 * @c: gets the policies
 * @generation: of the configuration, or NULL
 * @errors: why not
 *
 * Return: true if they were read.
 */
bool read_policies(struct genl *g, struct config *c, uint64_t *generation, struct erecs *errors)
{
	struct kerror ke;
	struct dump d;
	int err = 0;

	/* A commit that falls into the dump makes it void. */
	for (int i = 0; i < READ_TRIES; i++) {
		memset(&d, 0, sizeof(d));
		err = genl_talk(g, genl_request(g, ESMTP_CMD_POLICY_GET, NLM_F_DUMP),
				wire_get_policy, &d, &ke);
		if (err != -EINTR)
			break;
	}
	if (err)
		erec_add(errors, NULL, "the policies cannot be read: %s", kerror_text(&ke));
	c->policies = d.policies;
	if (generation)
		*generation = d.generation;
	return !err;
}

/* The module keeps the statement that a table came from, as we print it. */
static bool read_source(const struct table_source *s, struct config *c, struct erecs *errors)
{
	struct input *in = mem_alloc(sizeof(*in));
	struct ast ast;

	*in = (struct input){ "the module's table", s->text, s->len };
	if (s->len != s->size || !language_parse(in, &ast, errors) || !ast.head ||
	    (ast.head->kind != STMT_REGEX && ast.head->kind != STMT_DOMAINS)) {
		erec_add(errors, NULL, "the source of table %s is not esmtpctl's", s->name);
		return false;
	}
	config_add_table(c, table_of_stmt(ast.head));
	return true;
}

/**
 * read_tables() - read the sources of the running tables
 * @g: the socket
 * @c: gets the tables
 * @errors: why not
 *
 * Return: true if they were read.
 */
bool read_tables(struct genl *g, struct config *c, struct erecs *errors)
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
	for (const struct table_source *s = sources; s && !err; s = s->next)
		if (!read_source(s, c, errors))
			return false;
	return !err;
}

/**
 * read_status() - read the state and counters of the namespace
 * @g: the socket
 * @s: the state
 * @errors: why not
 *
 * Return: true if it was read.
 */
bool read_status(struct genl *g, struct status *s, struct erecs *errors)
{
	struct kerror ke;

	memset(s, 0, sizeof(*s));
	s->version = "?";
	if (!genl_talk(g, genl_request(g, ESMTP_CMD_STATUS_GET, NLM_F_ACK), wire_get_status, s, &ke))
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
	ok = nft_read(&t, &r->errors) && read_tables(&g, &t.config, &r->errors) &&
	     read_policies(&g, &t.config, NULL, &r->errors);
	genl_close(&g);
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
	if (nft_read(&t, &ignored))
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
	ok = read_policies(&g, &c, NULL, &r->errors) && read_status(&g, &s, &r->errors);
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
	ok = read_policies(&g, &c, NULL, &r->errors);
	genl_close(&g);
	if (!ok)
		return false;
	r->o.ops->begin(&r->o);
	for (const struct policy *p = c.policies; p; p = p->next)
		r->o.ops->slot(&r->o, p);
	r->o.ops->end(&r->o);
	return true;
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
	r->o.ops->exempt(&r->o, &t.config.exempt);
	r->o.ops->end(&r->o);
	return true;
}

/**
 * command_reset_counters() - esmtpctl reset counters
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_reset_counters(struct request *r)
{
	struct kerror ke;
	struct genl g;
	int err;

	if (!genl_open(&g, &r->errors))
		return false;
	err = genl_talk(&g, genl_request(&g, ESMTP_CMD_COUNTERS_RESET, NLM_F_ACK), NULL, NULL, &ke);
	genl_close(&g);
	if (err) {
		erec_add(&r->errors, NULL, "%s", kerror_text(&ke));
		return false;
	}
	return nft_reset_counters(&r->errors);
}
