// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exempt hosts come and go: the sets are changed where they are, in one
 * transaction, and nothing else is touched.
 */
#include <string.h>

#include "commands.h"
#include "nft.h"

static bool parse_args(struct request *r, struct intervals *set)
{
	for (int i = 0; i < r->n_args; i++) {
		size_t len = strlen(r->args[i]);
		struct interval iv;
		const char *why;

		/* As in a set: "A, B". */
		if (len && r->args[i][len - 1] == ',')
			r->args[i][len - 1] = '\0';
		why = interval_parse_addr(r->args[i], &iv);
		if (why)
			erec_add(&r->errors, NULL, "'%s': %s", r->args[i], why);
		else
			intervals_add(set, &iv);
	}
	if (!r->n_args)
		erec_add(&r->errors, NULL, "which hosts? expected addresses, prefixes or ranges");
	intervals_merge(set);
	return !r->errors.count;
}

/* The exempt set that a host is in by its name, or NULL. */
static const struct named_set *named(const struct config *c, const struct interval *iv)
{
	for (const struct named_set *s = c->sets; s; s = s->next)
		if (s->exempt && intervals_cover(&s->keys, iv))
			return s;
	return NULL;
}

static bool take_away(struct config *c, const struct intervals *less, struct erecs *errors)
{
	char buf[INTERVAL_TEXT_MAX];

	for (size_t i = 0; i < less->n; i++) {
		const struct named_set *s = named(c, &less->v[i]);

		if (s)
			erec_add(errors, NULL, "%s is exempt by set %s, which only a file changes",
				 interval_format(&less->v[i], buf), s->name);
		else if (!intervals_cover(&c->exempt, &less->v[i]))
			erec_add(errors, NULL, "%s is not exempt, or not all of it",
				 interval_format(&less->v[i], buf));
	}
	if (errors->count)
		return false;
	intervals_subtract(&c->exempt, less);
	return true;
}

static bool is_exempt_now(const struct intervals *want)
{
	struct erecs ignored;
	struct nft_table t;

	erec_init(&ignored);
	return nft_read(&t, &ignored) && t.present && intervals_equal(&t.config.exempt, want);
}

static bool write_back(const struct intervals *exempt, const struct intervals *changed,
		       struct erecs *errors)
{
	struct nft_batch b;
	struct erecs why;
	bool ok;

	if (!nft_begin(&b, errors))
		return false;
	for (int v6 = 0; v6 < 2; v6++) {
		const char *name = v6 ? NFT_EXEMPT6 : NFT_EXEMPT4;
		uint8_t len = v6 ? KEY_IPV6 : KEY_IPV4;

		if (!intervals_have(changed, len))
			continue;
		nft_flush_set(&b, name);
		nft_put_elements(&b, name, len, exempt);
	}
	erec_init(&why);
	/* The kernel may have done it although its answer did not reach us. */
	ok = nft_commit(&b, false, &why) || is_exempt_now(exempt);
	nft_end(&b);
	if (!ok)
		erec_take(errors, &why);
	return ok;
}

static bool change(struct request *r, const struct intervals *set, bool add)
{
	struct nft_table t;

	if (!nft_read(&t, &r->errors))
		return false;
	if (!t.present) {
		erec_add(&r->errors, NULL,
			 "nothing is loaded, so nothing is inspected: load a file first, 'esmtpctl -f FILE'");
		return false;
	}
	if (!add && !take_away(&t.config, set, &r->errors))
		return false;
	for (size_t i = 0; add && i < set->n; i++)
		intervals_add(&t.config.exempt, &set->v[i]);
	intervals_merge(&t.config.exempt);
	return write_back(&t.config.exempt, set, &r->errors);
}

static bool change_locked(struct request *r, bool add)
{
	struct intervals set = { 0 };
	struct genl g;
	bool ok;

	if (!parse_args(r, &set) || !genl_open(&g, &r->errors))
		return false;
	/* The stage stays empty and is thrown away: it only keeps others out. */
	ok = stage_begin(&g, &r->errors) && change(r, &set, add);
	genl_close(&g);
	return ok;
}

/**
 * command_add_exempt() - esmtpctl add exempt ADDRESS...
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_add_exempt(struct request *r)
{
	return change_locked(r, true);
}

/**
 * command_delete_exempt() - esmtpctl delete exempt ADDRESS...
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_delete_exempt(struct request *r)
{
	return change_locked(r, false);
}
