// SPDX-License-Identifier: GPL-2.0-only
/*
 * Putting a configuration into the kernel: stage in the module, then the nft
 * table in one transaction, then the module's commit, which hardly can fail any more.
 * Until the transaction nothing has changed; if the commit fails all the same, the
 * table is made again as it was.
 */
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "commands.h"
#include "module.h"
#include "nft.h"
#include "util.h"

/* Unlike any other, in all likelihood; soon after boot there may be no random numbers yet. */
static uint64_t generation_new(void)
{
	struct timespec ts;
	uint64_t g = 0;

	if (getrandom(&g, sizeof(g), GRND_NONBLOCK) != sizeof(g)) {
		clock_gettime(CLOCK_REALTIME, &ts);
		g = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	}
	return g ? g : 1;
}

#define SAY_MAX 20	/* elements of a set that are said */

static void say_set(FILE *f, const struct intervals *set)
{
	char buf[INTERVAL_TEXT_MAX];

	for (size_t i = 0; i < set->n && i < SAY_MAX; i++)
		fprintf(f, "%s%s", i ? ", " : " ", interval_format(&set->v[i], buf));
	if (set->n > SAY_MAX)
		fprintf(f, " and %zu more", set->n - SAY_MAX);
}

static void say_inspect(FILE *f, const struct config *c, const struct inspect *l)
{
	const struct class *k = l->class ? config_class(c, l->class) : NULL;
	const char *all = l != c->inspect || config_exempts(c) ? "All other" : "All";
	bool own_ports = k && k->lines & 1u << CLASS_DPORT;

	if (l->kind == INSPECT_NONE) {
		fprintf(f, "%s connections pass uninspected.\n", all);
		return;
	}
	if (l->kind == INSPECT_EXEMPT) {
		fprintf(f, "Connections of class %s are never inspected.\n", l->class);
		return;
	}
	if (l->class)
		fprintf(f, "Connections of class %s to port", l->class);
	else
		fprintf(f, "%s connections to port", all);
	say_set(f, own_ports ? &k->keys[CLASS_DPORT] : &c->ports);
	fprintf(f, " are inspected by policy %s from now on", l->policy);
	if (l->connections)
		fprintf(f, ", at most %u at a time to one server", l->connections);
	if (l->embryonic)
		fprintf(f, ", at most %u half-open at one server%s", l->embryonic,
			l->refuse ? "" : " before cookies are asked for");
	fputs(".\n", f);
}

/* Said once, when there was no table before: nobody shall be inspected without knowing. */
static void say_first(FILE *f, const struct config *c)
{
	for (const struct named_set *s = c->sets; s; s = s->next)
		if (s->exempt)
			fprintf(f, "Never inspected are the hosts of set %s.\n", s->name);
	if (c->exempt.n) {
		fputs("Never inspected are the hosts", f);
		say_set(f, &c->exempt);
		fputs(".\n", f);
	}
	for (const struct inspect *l = c->inspect; l; l = l->next)
		say_inspect(f, c, l);
	if (!c->inspect)
		fputs("There is no inspect list: only connections that a table of your own gives a helper are inspected, see 'esmtpctl list policies'.\n",
		      f);
}

/* The kernel may have done it although its answer did not reach us. */
static bool table_is(uint64_t generation)
{
	struct erecs ignored;
	struct nft_table t;

	erec_init(&ignored);
	return nft_read(&t, &ignored) && t.present == !!generation && t.generation == generation;
}

static bool module_is(uint64_t generation)
{
	struct erecs ignored;
	struct status s;
	struct genl g;
	bool ok;

	erec_init(&ignored);
	if (!genl_open(&g, &ignored))
		return false;
	ok = read_status(&g, &s, false, &ignored) && s.generation == generation;
	genl_close(&g);
	return ok;
}

/* Without a configuration: no table. */
static bool put_table(const struct config *c, uint64_t generation, bool check,
		      const struct guard *keep, struct erecs *errors)
{
	struct nft_batch b;
	struct erecs why;
	bool ok;

	if (!nft_begin(&b, errors))
		return false;
	if (c)
		nft_put_table(&b, c, generation, keep);
	else
		nft_delete_table(&b);
	erec_init(&why);
	ok = nft_commit(&b, check, &why) || (!check && table_is(generation));
	nft_end(&b);
	if (!ok)
		erec_take(errors, &why);
	return ok;
}

static bool commit(struct genl *g, uint64_t generation, bool check, struct erecs *errors)
{
	struct erecs why;

	erec_init(&why);
	if (stage_commit(g, generation, check, &why) || (!check && module_is(generation)))
		return true;
	erec_take(errors, &why);
	return false;
}

/* A table that somebody has changed may name policies that the module does not have. */
static bool complete(const struct config *c)
{
	for (const struct inspect *l = c->inspect; l; l = l->next)
		if (l->policy && !config_policy(c, l->policy))
			return false;
	return true;
}

/* The module keeps what it has: so must the table. */
static void go_back(const struct nft_table *old, struct erecs *errors)
{
	bool ok = complete(&old->config) &&
		  put_table(old->present ? &old->config : NULL, old->generation, false,
			    &old->guard, errors);

	if (ok)
		erec_add(errors, NULL,
			 "the module has kept its policies, and table inet %s is again what it was: nothing has changed",
			 NFT_TABLE);
	else
		erec_add(errors, NULL,
			 "table inet %s is new but the module has kept its policies: load again, 'esmtpctl check' says what differs",
			 NFT_TABLE);
}

/* The two steps that belong together: no signal may come between them. */
static bool put_and_commit(struct genl *g, const struct config *c, uint64_t generation, bool check,
			   const struct nft_table *old, struct erecs *errors)
{
	sigset_t all, before;
	bool ok;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	ok = put_table(c, generation, check, &old->guard, errors);
	if (ok && !commit(g, generation, check, errors)) {
		ok = false;
		if (!check)
			go_back(old, errors);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	return ok;
}

/* What runs while we have the stage, to go back to. */
static bool read_running(struct genl *g, struct nft_table *old, struct erecs *errors)
{
	return nft_read(old, errors) && read_policies(g, &old->config, NULL, false, errors);
}

static bool stage_and_put(struct genl *g, struct config *c, bool check, struct request *r)
{
	uint64_t generation = generation_new();
	struct nft_table old;

	if (!stage_begin(g, &r->errors) || !stage_tables(g, c, &r->errors) ||
	    !stage_policies(g, c, &r->errors) ||
	    !read_running(g, &old, &r->errors) ||
	    !put_and_commit(g, c, generation, check, &old, &r->errors))
		return false;
	if (!check && !old.present)
		say_first(r->o.f, c);
	return true;
}

/**
 * load() - make a configuration the running one
 * @c: the configuration
 * @check: only ask the kernel whether it could
 * @r: where to print and to put errors
 *
 * Return: true if it runs, or could.
 */
bool load(struct config *c, bool check, struct request *r)
{
	struct genl g;
	bool ok;

	if (!c->tables && !c->policies && !c->classes && !c->sets && !c->exempt.n && !c->inspect)
		return check || load_nothing(&r->errors);
	if (!genl_open(&g, &r->errors))
		return false;
	ok = stage_and_put(&g, c, check, r);
	genl_close(&g);
	return ok;
}

/**
 * load_nothing() - remove table and policies
 * @errors: why not
 *
 * The module is not loaded for this.
 *
 * Return: true if nothing is configured any more.
 */
bool load_nothing(struct erecs *errors)
{
	struct nft_table old;
	struct genl g;
	bool ok;

	if (!module_loaded())
		return put_table(NULL, 0, false, NULL, errors);
	if (!genl_open(&g, errors))
		return false;
	ok = stage_begin(&g, errors) && read_running(&g, &old, errors) &&
	     put_and_commit(&g, NULL, 0, false, &old, errors);
	genl_close(&g);
	return ok;
}

/**
 * command_flush_ruleset() - esmtpctl flush ruleset
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_flush_ruleset(struct request *r)
{
	return load_nothing(&r->errors);
}

/**
 * command_unload() - esmtpctl unload
 * @r: the request
 *
 * Return: true if the module is gone.
 */
bool command_unload(struct request *r)
{
	return load_nothing(&r->errors) && (!module_loaded() || module_remove(&r->errors));
}
