// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's side of a load: a stage that belongs to our socket, filled and then
 * made the running configuration in one step. While we have it nobody else
 * can have one, so it is also the lock that keeps two loads apart.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "output.h"
#include "util.h"
#include "wire.h"

#define LOCK_WAIT_MS	10000
#define LOCK_PAUSE_MS	50

/**
 * stage_begin() - open a stage, waiting while somebody else has one
 * @g: the socket that it will belong to
 * @errors: why not
 *
 * Return: true if we have it.
 */
bool stage_begin(struct genl *g, struct erecs *errors)
{
	uint64_t end = now_ms() + LOCK_WAIT_MS;
	struct kerror ke;
	int err;

	for (;;) {
		err = genl_talk(g, genl_request(g, ESMTP_CMD_STAGE_BEGIN, NLM_F_ACK), NULL, NULL, &ke);
		if (err != -EBUSY || now_ms() >= end)
			break;
		sleep_ms(LOCK_PAUSE_MS);
	}
	if (err == -EBUSY)
		erec_add(errors, NULL,
			 "somebody else is changing the configuration for more than %d seconds; nothing was changed here",
			 LOCK_WAIT_MS / 1000);
	else if (err)
		erec_add(errors, NULL, "%s", kerror_text(&ke));
	return !err;
}

/* What the module keeps of a table for a listing: its statement. To be freed. */
static struct blob table_source(const struct table *t)
{
	struct output o = { .ops = &output_text };
	struct blob source = { NULL, 0 };
	char *text = NULL;

	o.f = open_memstream(&text, &source.len);
	if (!o.f)
		return source;
	o.ops->begin(&o);
	o.ops->table(&o, t);
	fclose(o.f);
	source.data = text;
	return source;
}

static bool stage_table(struct genl *g, const struct table *t, const struct blob *source,
			struct erecs *errors)
{
	struct nlmsghdr *nlh;
	struct kerror ke;
	size_t at = 0;

	while (at < t->blob.len + source->len) {
		nlh = genl_request(g, ESMTP_CMD_STAGE_TABLE, NLM_F_ACK);
		at += wire_put_table(nlh, t, source, at);
		if (!genl_talk(g, nlh, NULL, NULL, &ke))
			continue;
		erec_add(errors, &t->loc, "%s: %s", t->name, kerror_text(&ke));
		return false;
	}
	return true;
}

/**
 * stage_tables() - put all tables of a configuration into the stage
 * @g: the socket that has it
 * @c: the configuration
 * @errors: what the module refuses
 *
 * Return: true if it took all of them.
 */
bool stage_tables(struct genl *g, const struct config *c, struct erecs *errors)
{
	bool ok = true;

	for (const struct table *t = c->tables; t && ok; t = t->next) {
		struct blob source = table_source(t);

		ok = source.data && stage_table(g, t, &source, errors);
		if (!source.data)
			erec_add(errors, &t->loc, "there is no memory for the source of %s", t->name);
		free(source.data);
	}
	return ok;
}

static void say(const struct policy *p, const struct attr_places *places, const struct kerror *ke,
		struct erecs *errors)
{
	const struct location *loc = ke->offset ? wire_place(places, ke->offset) : NULL;

	erec_add(errors, loc ? loc : &p->loc, "policy %s: %s", p->name, kerror_text(ke));
}

static bool stage_policy(struct genl *g, struct policy *p, struct erecs *errors)
{
	uint8_t slot = p->slot;
	struct attr_places places;
	struct nlmsghdr *nlh;
	unsigned int first = 0;
	struct kerror ke;

	do {
		nlh = genl_request(g, ESMTP_CMD_STAGE_POLICY, NLM_F_ACK);
		wire_put_policy(nlh, p, first, &places);
		if (genl_talk(g, nlh, wire_get_slot, &slot, &ke)) {
			say(p, &places, &ke, errors);
			return false;
		}
		first += WIRE_RULES_MAX;
	} while (first < p->n_rules);
	p->slot = slot;
	return true;
}

/**
 * stage_policies() - put all policies of a configuration into the stage
 * @g: the socket that has it
 * @c: the configuration; its policies get their slots
 * @errors: what the module refuses
 *
 * Those with a slot of their own go first, or another would be given it.
 *
 * Return: true if it took all of them.
 */
bool stage_policies(struct genl *g, struct config *c, struct erecs *errors)
{
	unsigned int before = errors->count;
	struct policy *free[ESMTP_SLOTS] = { NULL };
	unsigned int n = 0;

	for (struct policy *p = c->policies; p; p = p->next)
		if (p->slot != SLOT_ANY)
			stage_policy(g, p, errors);
		else if (n < ESMTP_SLOTS)
			free[n++] = p;
	for (unsigned int i = 0; i < n; i++)
		stage_policy(g, free[i], errors);
	return errors->count == before;
}

/**
 * stage_commit() - the stage becomes the running configuration
 * @g: the socket that has it
 * @generation: number of the configuration, 0 = none
 * @check: it does not; the stage is gone
 * @errors: why not
 *
 * Return: true if it did.
 */
bool stage_commit(struct genl *g, uint64_t generation, bool check, struct erecs *errors)
{
	struct nlmsghdr *nlh = genl_request(g, ESMTP_CMD_STAGE_COMMIT, NLM_F_ACK);
	struct kerror ke;

	mnl_attr_put_u64(nlh, ESMTP_A_GENERATION, generation);
	if (check)
		mnl_attr_put(nlh, ESMTP_A_CHECK_ONLY, 0, NULL);
	if (!genl_talk(g, nlh, NULL, NULL, &ke))
		return true;
	erec_add(errors, NULL, "%s", kerror_text(&ke));
	return false;
}
