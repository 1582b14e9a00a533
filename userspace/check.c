// SPDX-License-Identifier: GPL-2.0-only
/*
 * Do the module and the nft table belong together? Nothing is repaired here:
 * loading a file does that.
 */
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "module.h"
#include "nft.h"
#include "util.h"

/**
 * struct checked - what is compared
 * @t: the table
 * @c: the module's policies
 * @s: the module's state
 * @r: the request
 * @faults: found so far
 */
struct checked {
	struct nft_table t;
	struct config c;
	struct status s;
	struct request *r;
	unsigned int faults;
};

static void fault(struct checked *k, const char *sentence)
{
	k->r->o.ops->fault(&k->r->o, sentence);
	k->faults++;
}

static void check_generation(struct checked *k)
{
	if (!k->t.present && k->s.generation)
		fault(k, "The module has a configuration but there is no table inet esmtp: nothing is chosen for inspection here.");
	else if (k->t.present && !k->s.generation)
		fault(k, "There is a table inet esmtp but the module has no configuration: the connections that it chooses are dropped.");
	else if (k->t.present && k->t.generation != k->s.generation)
		fault(k, mem_printf("Table inet esmtp is of generation %" PRIu64 ", the module's policies of %" PRIu64 ".",
				    k->t.generation, k->s.generation));
}

static void check_helpers(struct checked *k)
{
	unsigned int slots = 0;

	for (const struct policy *p = k->c.policies; p; p = p->next) {
		slots |= 1u << p->slot;
		if (!k->t.present)
			continue;
		if (!(k->t.helpers & 1u << p->slot))
			fault(k, mem_printf("Policy %s in slot %u has no ct helper in table inet esmtp.",
					    p->name, p->slot));
		else if (strcmp(k->t.helper_names[p->slot], p->name))
			fault(k, mem_printf("Slot %u has policy %s, but its ct helper in table inet esmtp is named %s.",
					    p->slot, p->name, k->t.helper_names[p->slot]));
	}
	for (unsigned int slot = 0; slot < ESMTP_SLOTS; slot++)
		if (k->t.helpers & 1u << slot & ~slots)
			fault(k, mem_printf("ct helper %s in table inet esmtp is slot %u, which has no policy: its connections are dropped.",
					    k->t.helper_names[slot], slot));
}

static void check_inspect(struct checked *k)
{
	if (k->t.dormant)
		fault(k, "Table inet esmtp is dormant: nothing is chosen for inspection here.");
	if (k->t.guarded.n && !k->t.config.inspect)
		fault(k, "The rules of table inet esmtp have been flushed: nothing is chosen for inspection here.");
	for (const struct inspect *l = k->t.config.inspect; l; l = l->next)
		if (l->policy && !config_policy(&k->c, l->policy))
			fault(k, mem_printf("The inspect list names policy %s, which the module does not have.",
					    l->policy));
}

static bool read_both(struct checked *k, struct erecs *errors)
{
	struct genl g;
	bool ok;

	if (!nft_read(&k->t, errors))
		return false;
	if (!module_loaded() && !k->t.present)
		return true;
	if (!genl_open(&g, errors))
		return false;
	ok = read_policies(&g, &k->c, NULL, false, errors) &&
	     read_status(&g, &k->s, false, errors);
	genl_close(&g);
	return ok;
}

/**
 * command_check() - esmtpctl check
 * @r: the request
 *
 * Return: true if they belong together.
 */
bool command_check(struct request *r)
{
	struct checked k = { .r = r };

	if (!read_both(&k, &r->errors))
		return false;
	r->o.ops->begin(&r->o);
	check_generation(&k);
	check_helpers(&k);
	check_inspect(&k);
	r->o.ops->end(&r->o);
	return !k.faults;
}
