// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a policy means.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "evaluate.h"
#include "names.h"
#include "util.h"

/**
 * struct seen - which lines a policy has had
 * @lines: bit = enum item_kind
 * @verbs: the line with verbs, or NULL
 * @named: the verbs that it names
 * @tls: the line with tls, or NULL
 */
struct seen {
	unsigned int lines;
	const struct item *verbs;
	uint64_t named;
	const struct item *tls;
};

static bool read_number(const struct word *w, unsigned long long min, unsigned long long max,
			const char *what, struct erecs *errors, uint32_t *out)
{
	char *end;
	unsigned long long v = strtoull(w->text, &end, 10);

	if (strlen(w->text) > 18 || *end || v < min || v > max) {
		erec_add(errors, &w->loc, "%s is a number from %llu to %llu", what, min, max);
		return false;
	}
	*out = (uint32_t)v;
	return true;
}

static void policy_description(const struct item *item, struct policy *p, struct erecs *errors)
{
	const char *s = item->word->text;

	if (strlen(s) > ESMTP_DESCRIPTION_MAX) {
		erec_add(errors, &item->word->loc, "a description has at most %d bytes",
			 ESMTP_DESCRIPTION_MAX);
		return;
	}
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f) {
			erec_add(errors, &item->word->loc, "a description has no control characters");
			return;
		}
	p->description = *item->word->text ? item->word->text : NULL;
}

static void policy_slot(const struct item *item, const struct config *c, struct policy *p,
			struct erecs *errors)
{
	uint32_t slot;

	if (!read_number(item->word, 0, ESMTP_SLOTS - 1, "a slot", errors, &slot))
		return;
	for (const struct policy *o = c->policies; o; o = o->next)
		if (o->slot == slot)
			erec_add(errors, &item->loc, "slot %u belongs to policy %s", slot, o->name);
	p->slot = (uint8_t)slot;
}

static void policy_log_level(const struct item *item, struct policy *p, struct erecs *errors)
{
	int level = log_level_find(item->word->text);

	if (level < 0)
		erec_add(errors, &item->word->loc,
			 "unknown level '%s', expected emerg, alert, crit, err, warning, notice, info, debug or none",
			 item->word->text);
	else
		p->log_level = (uint8_t)level;
}

static void policy_log_group(const struct item *item, struct policy *p, struct erecs *errors)
{
	uint32_t group;

	if (read_number(item->word, 0, UINT16_MAX, "a log group", errors, &group))
		p->log_group = (int32_t)group;
}

static void policy_flag(struct policy *p, uint32_t flag, int on)
{
	if (on)
		p->flags |= flag;
	else
		p->flags &= ~flag;
}

/* The verbs of a line, as a set. */
static uint64_t verbs_read(const struct item *item, struct erecs *errors)
{
	const struct word *first = item->words.head;
	uint64_t set = 0;

	if (first && !first->next && !strcasecmp(first->text, "asa"))
		return ESMTP_VERBS_ASA;
	if (first && !first->next && !strcasecmp(first->text, "any"))
		return ESMTP_VERBS_ALL;
	for (const struct word *w = first; w; w = w->next) {
		int verb = verb_find(w->text);

		if (verb < 0)
			erec_add(errors, &w->loc,
				 "unknown verb '%s', expected asa, any, or a set of auth, data, ehlo, etrn, helo, help, mail, noop, quit, rcpt, rset, saml, send, soml, vrfy, starttls, bdat and other",
				 w->text);
		else if (set & 1ull << verb)
			erec_add(errors, &w->loc, "verb %s stands twice in the set", verb_name((unsigned int)verb));
		else
			set |= 1ull << verb;
	}
	return set;
}

static void policy_verbs(const struct item *item, struct policy *p, struct seen *seen,
			 struct erecs *errors)
{
	uint64_t set = verbs_read(item, errors);

	seen->verbs = item;
	seen->named = set;
	if (!item->words.head && item->value != VERBS_REPLACE)
		erec_add(errors, &item->words.loc, "the set is empty");
	if (item->value == VERBS_ADD)
		p->verbs |= set;
	else if (item->value == VERBS_REMOVE)
		p->verbs &= ~set;
	else
		p->verbs = set;
	if (!p->verbs)
		erec_add(errors, &item->words.loc, "the set is empty: no command would pass");
}

/* What the other policy has, but its name, description and slot, which are its own. */
static void policy_inherit(const struct item *item, const struct config *c, struct policy *p,
			   const struct seen *seen, struct erecs *errors)
{
	const struct policy *from = config_policy(c, item->word->text);

	if (!from) {
		erec_add(errors, &item->word->loc, "no policy %s stands above", item->word->text);
		return;
	}
	if (seen->lines & ~(1u << ITEM_DESCRIPTION | 1u << ITEM_SLOT | 1u << ITEM_INHERIT)) {
		erec_add(errors, &item->loc, "what is inherited must stand before lines that change it");
		return;
	}
	p->flags = from->flags;
	p->verbs = from->verbs;
	p->log_level = from->log_level;
	p->log_group = from->log_group;
	p->n_rules = p->n_inherited = from->n_rules;
	memcpy(p->rules, from->rules, from->n_rules * sizeof(*p->rules));
}

static void cond_set(const struct cond_item *item, struct cond *c, struct erecs *errors)
{
	char expected[COND_TEXT_MAX];

	if (!item->words.head)
		erec_add(errors, &item->words.loc, "the set is empty");
	for (const struct word *w = item->words.head; w; w = w->next) {
		int member = cond_member_find(c->match, w->text);

		if (member < 0)
			erec_add(errors, &w->loc, "unknown word '%s', expected %s", w->text,
				 cond_expected(c->match, expected));
		else if (c->set & 1ull << member)
			erec_add(errors, &w->loc, "%s stands twice in the set",
				 cond_member_name(c->match, (unsigned int)member));
		else
			c->set |= 1ull << member;
	}
}

static void cond_table(const struct cond_item *item, const struct config *c, struct cond *cond,
		       struct erecs *errors)
{
	const struct table *t = config_table(c, item->table->text);

	if (!t) {
		erec_add(errors, &item->table->loc, "there is no %s %s", item->list ? "domains" : "regex",
			 item->table->text);
		return;
	}
	if (item->list != (t->kind == TABLE_DOMAINS)) {
		erec_add(errors, &item->table->loc, "%s is no %s: write '%s %s'", t->name,
			 item->list ? "domains" : "regex", item->list ? "regex" : "domains", t->name);
		return;
	}
	if (item->match == ESMTP_MATCH_MAIL_RELAY && t->addresses)
		erec_add(errors, &item->table->loc, "mail-relay asks where mail goes: %s has addresses, not only domains",
			 t->name);
	cond->table = t->id;
	cond->table_name = t->name;
	cond->list = item->list;
}

/* RFC 5322 section 3.6.8: printable, and no colon. */
static void cond_field(const struct word *w, struct cond *c, struct erecs *errors)
{
	size_t len = strlen(w->text);

	if (!len || len > ESMTP_FIELD_NAME_MAX) {
		erec_add(errors, &w->loc, "the name of a field has 1 to %d letters", ESMTP_FIELD_NAME_MAX);
		return;
	}
	for (const char *s = w->text; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f || *s == ':') {
			erec_add(errors, &w->loc, "no field can have this name");
			return;
		}
	memcpy(c->field, w->text, len + 1);
}

static void rule_cond(const struct cond_item *item, const struct config *config, struct rule *r,
		      struct erecs *errors)
{
	unsigned int before = errors->count;
	struct cond *c = &r->conds[r->n_conds];

	if (r->n_conds == ESMTP_CONDS_MAX) {
		erec_add(errors, &item->loc, "a rule has at most %d conditions", ESMTP_CONDS_MAX);
		return;
	}
	*c = (struct cond){ .match = (uint8_t)item->match, .negate = item->negate };
	if (c->negate && c->match == ESMTP_MATCH_ANOMALY)
		erec_add(errors, &item->loc, "no anomaly can be waited for to be absent");
	if (item->field)
		cond_field(item->field, c, errors);
	if (cond_has_table(c->match))
		cond_table(item, config, c, errors);
	else if (cond_has_set(c->match))
		cond_set(item, c, errors);
	else if (cond_has_limit(c->match))
		read_number(item->limit, 1, UINT32_MAX - 1, "a limit", errors, &c->limit);
	for (unsigned int i = 0; i < r->n_conds && errors->count == before; i++)
		if (cond_same(&r->conds[i], c))
			erec_add(errors, &item->loc, "the rule has this condition already");
	r->n_conds++;
}

/* Whether a mask hits the word is known when the word is, so nothing else can be waited for. */
static void check_mask(const struct item *item, const struct rule *r, struct erecs *errors)
{
	if (r->action != ESMTP_ACTION_MASK)
		return;
	if (r->conds[0].match != ESMTP_MATCH_EHLO_KEYWORD &&
	    r->conds[0].match != ESMTP_MATCH_CMD_VERB)
		erec_add(errors, &item->loc,
			 "mask is for ehlo-reply-parameter and cmd verb; expected drop, reset or log");
	else if (r->n_conds > 1)
		erec_add(errors, &item->loc,
			 "a rule that masks has one condition: the word must be known by itself");
}

static void reply_code(const struct word *w, struct rule *r, struct erecs *errors)
{
	unsigned long code = strlen(w->text) == 3 ? strtoul(w->text, NULL, 10) : 0;

	if ((code < 400 || code > 459) && (code < 500 || code > 559))
		erec_add(errors, &w->loc, "the code of a reply is 400 to 459 or 500 to 559");
	r->code = (uint16_t)code;
}

static void reply_text(const struct word *w, struct rule *r, struct erecs *errors)
{
	size_t len = strlen(w->text);

	for (const char *s = w->text; *s; s++)
		if (*s < ' ' || *s > '~')
			len = 0;
	if (!len || len > ESMTP_REPLY_TEXT_MAX)
		erec_add(errors, &w->loc, "the text of a reply is 1 to %d printable ASCII characters",
			 ESMTP_REPLY_TEXT_MAX);
	r->text = w->text;
}

#define BURST_DEFAULT 5		/* as nft has it */

/* N/second or N/minute. */
static void read_rate(const struct word *w, struct rule *r, struct erecs *errors)
{
	char *end;
	unsigned long n = strtoul(w->text, &end, 10);

	if (!strcasecmp(end, "/second"))
		r->seconds = 1;
	else if (!strcasecmp(end, "/minute"))
		r->seconds = 60;
	if (!isdigit((unsigned char)*w->text) || !r->seconds || !n || n > ESMTP_RATE_MAX)
		erec_add(errors, &w->loc,
			 "a rate is N/second or N/minute, where N is a number from 1 to %d", ESMTP_RATE_MAX);
	r->rate = (uint32_t)n;
}

static void rule_rate(const struct item *item, struct rule *r, struct erecs *errors)
{
	r->burst = BURST_DEFAULT;
	read_rate(item->rate, r, errors);
	if (item->burst)
		read_number(item->burst, 1, ESMTP_RATE_MAX, "a burst", errors, &r->burst);
}

/* A reply has its place between commands, and who is over a rate gets one. */
static void check_reply(const struct item *item, struct rule *r, struct erecs *errors)
{
	if (r->action != ESMTP_ACTION_REPLY && r->action != ESMTP_ACTION_RATE_LIMIT)
		return;
	if (item->rate)
		rule_rate(item, r, errors);
	if (item->code)
		reply_code(item->code, r, errors);
	if (item->text)
		reply_text(item->text, r, errors);
	for (unsigned int i = 0; i < r->n_conds; i++)
		if (!cond_of_command(r->conds[i].match)) {
			erec_add(errors, &item->loc,
				 "%s stands between commands: each match of the line must be about what the client's commands say; expected drop, reset or log",
				 action_name(r->action));
			return;
		}
}

static bool same_matches(const struct rule *a, const struct rule *b)
{
	if (a->n_conds != b->n_conds)
		return false;
	for (unsigned int i = 0; i < a->n_conds; i++)
		if (!cond_same(&a->conds[i], &b->conds[i]))
			return false;
	return true;
}

/* Behind a rule that limits a rate there is work for another one: what is within it. */
static bool same_rule(const struct rule *a, const struct rule *b)
{
	return same_matches(a, b) &&
	       (a->action != ESMTP_ACTION_RATE_LIMIT || b->action == ESMTP_ACTION_RATE_LIMIT);
}

/* What the rules hold one kind of text against runs side by side in the kernel. */
static void check_live(const struct item *item, const struct policy *p, uint8_t match,
		       struct erecs *errors)
{
	uint32_t seen[ESMTP_TABLES_LIVE];
	unsigned int n = 0, k;

	for (unsigned int i = 0; i <= p->n_rules; i++)
		for (unsigned int j = 0; j < p->rules[i].n_conds; j++) {
			const struct cond *c = &p->rules[i].conds[j];

			if (c->match != match)
				continue;
			for (k = 0; k < n && seen[k] != c->table; k++)
				;
			if (k == ESMTP_TABLES_LIVE) {
				erec_add(errors, &item->loc,
					 "more than %d regex and domains for %s in one policy: put several expressions into one regex",
					 ESMTP_TABLES_LIVE, match_name(match));
				return;
			}
			if (k == n)
				seen[n++] = c->table;
		}
}

static bool is_relay(const struct rule *r)
{
	return r->n_conds == 1 && r->conds[0].match == ESMTP_MATCH_MAIL_RELAY && !r->conds[0].negate;
}

static bool same_relay(const struct rule *a, const struct rule *b)
{
	return is_relay(a) && is_relay(b);
}

static bool replaces_one(struct policy *p, const struct rule *r,
			 bool (*same)(const struct rule *a, const struct rule *b))
{
	for (unsigned int i = 0; i < p->n_inherited; i++)
		if (same(&p->rules[i], r) && location_before(&p->rules[i].loc, &p->loc)) {
			p->rules[i] = *r;
			return true;
		}
	return false;
}

/*
 * A line with the match of one that was inherited takes its place; mail-relay with any other list
 * does. Of a limited rate and a line behind it, the one that could not stand beside it.
 */
static bool replaces_inherited(struct policy *p, const struct rule *r)
{
	return replaces_one(p, r, same_rule) || replaces_one(p, r, same_relay) ||
	       replaces_one(p, r, same_matches);
}

static void policy_match(const struct item *item, const struct config *config, struct policy *p,
			 struct erecs *errors)
{
	unsigned int before = errors->count;
	struct rule *r = &p->rules[p->n_rules];

	*r = (struct rule){ .loc = item->loc, .action = (uint8_t)item->action, .log = item->log };
	for (const struct cond_item *c = item->conds; c; c = c->next)
		rule_cond(c, config, r, errors);
	for (unsigned int i = 0; i < r->n_conds && errors->count == before; i++)
		if (cond_has_table(r->conds[i].match))
			check_live(item, p, r->conds[i].match, errors);
	if (errors->count == before)
		check_mask(item, r, errors);
	if (errors->count == before)
		check_reply(item, r, errors);
	if (replaces_inherited(p, r))
		return;
	for (unsigned int i = 0; i < p->n_rules && errors->count == before; i++)
		if (same_rule(&p->rules[i], r))
			erec_add(errors, &item->loc, "line %u has the same match",
				 p->rules[i].loc.first_line);
	if (p->n_rules < ESMTP_RULES_MAX)
		p->n_rules++;
	else if (errors->count == before)
		erec_add(errors, &item->loc, "a policy has at most %d match lines", ESMTP_RULES_MAX);
}

static void policy_line(const struct item *item, const struct config *c, struct policy *p,
			struct seen *seen, struct erecs *errors)
{
	if (item->kind != ITEM_MATCH && seen->lines & 1u << item->kind)
		erec_add(errors, &item->loc, "policy %s has such a line already", p->name);
	switch (item->kind) {
	case ITEM_DESCRIPTION:
		policy_description(item, p, errors);
		break;
	case ITEM_SLOT:
		policy_slot(item, c, p, errors);
		break;
	case ITEM_BANNER:
		policy_flag(p, ESMTP_POLICY_F_MASK_BANNER, item->value);
		break;
	case ITEM_TLS:
		policy_flag(p, ESMTP_POLICY_F_TLS_ALLOW, item->value & ESMTP_POLICY_F_TLS_ALLOW);
		policy_flag(p, ESMTP_POLICY_F_TLS_LOG, item->value & ESMTP_POLICY_F_TLS_LOG);
		seen->tls = item;
		break;
	case ITEM_MODE:
		policy_flag(p, ESMTP_POLICY_F_MONITOR, item->value);
		break;
	case ITEM_LOG_LEVEL:
		policy_log_level(item, p, errors);
		break;
	case ITEM_LOG_GROUP:
		policy_log_group(item, p, errors);
		break;
	case ITEM_BRACKETS:
		policy_flag(p, ESMTP_POLICY_F_BLANK_BRACKETS, item->value);
		break;
	case ITEM_PIPELINING:
		policy_flag(p, ESMTP_POLICY_F_NO_PIPELINING, item->value);
		break;
	case ITEM_VERBS:
		policy_verbs(item, p, seen, errors);
		break;
	case ITEM_INHERIT:
		policy_inherit(item, c, p, seen, errors);
		break;
	case ITEM_MATCH:
		policy_match(item, c, p, errors);
		break;
	default:
		break;
	}
	seen->lines |= 1u << item->kind;
}

/* A line of verbs that names STARTTLS and tls deny cannot both be meant; nor can tls allow and a set without it. */
static void check_tls(const struct policy *p, const struct seen *seen, struct erecs *errors)
{
	bool allow = p->flags & ESMTP_POLICY_F_TLS_ALLOW;
	const struct word *first = seen->verbs ? seen->verbs->words.head : NULL;
	bool named = seen->named & 1ull << ESMTP_VERB_STARTTLS;

	if (!first || !strcasecmp(first->text, "asa") || !strcasecmp(first->text, "any"))
		return;
	if (seen->verbs->value != VERBS_REMOVE && named && !allow)
		erec_add(errors, &seen->verbs->loc,
			 "starttls would be refused all the same: it needs 'tls allow'");
	if (allow && (seen->verbs->value == VERBS_REMOVE ? named :
		      seen->verbs->value == VERBS_REPLACE && !named))
		erec_add(errors, seen->tls && seen->verbs->value == VERBS_REPLACE ?
			 &seen->tls->loc : &seen->verbs->loc,
			 "'tls allow' needs starttls in the set of verbs");
}

/* One truth in the kernel: the verb passes if and only if TLS is allowed. */
static void unify_tls(struct policy *p, struct erecs *errors)
{
	bool any = p->verbs;

	p->verbs &= ~(1ull << ESMTP_VERB_STARTTLS);
	if (p->flags & ESMTP_POLICY_F_TLS_ALLOW)
		p->verbs |= 1ull << ESMTP_VERB_STARTTLS;
	if (any && !p->verbs)
		erec_add(errors, &p->loc, "without starttls no command would pass");
}

static void policy_link(const struct policy *p, struct config *c, struct erecs *errors)
{
	struct policy **tail = &c->policies;

	if (config_policies(c) == ESMTP_SLOTS)
		erec_add(errors, &p->loc, "there are %d slots: no room for another policy", ESMTP_SLOTS);
	while (*tail)
		tail = &(*tail)->next;
	*tail = (struct policy *)p;
}

/* How many it can come to: those that it has and may inherit, of which some take the place of others. */
static unsigned int count_matches(const struct stmt *stmt, const struct config *c)
{
	const struct policy *from;
	unsigned int n = 0;

	for (const struct item *i = stmt->items.head; i; i = i->next) {
		n += i->kind == ITEM_MATCH;
		from = i->kind == ITEM_INHERIT ? config_policy(c, i->word->text) : NULL;
		n += from ? from->n_rules : 0;
	}
	return n < ESMTP_RULES_MAX ? n : ESMTP_RULES_MAX;
}

/**
 * evaluate_policy() - add a policy to a configuration
 * @stmt: what was written
 * @c: the configuration
 * @errors: what makes no sense
 */
void evaluate_policy(const struct stmt *stmt, struct config *c, struct erecs *errors)
{
	struct policy *p = mem_alloc(sizeof(*p));
	struct seen seen = { 0 };

	if (config_policy(c, stmt->name->text)) {
		erec_add(errors, &stmt->name->loc, "policy %s exists already", stmt->name->text);
		return;
	}
	p->loc = stmt->name->loc;
	p->name = stmt->name->text;
	p->slot = SLOT_ANY;
	p->log_level = LOG_LEVEL_ANY;
	p->log_group = LOG_GROUP_NONE;
	p->flags = ESMTP_POLICY_F_MASK_BANNER;
	p->verbs = ESMTP_VERBS_ASA;
	/* One more: where a line is read before it is known whether it takes another one's place. */
	p->rules = mem_alloc(((size_t)count_matches(stmt, c) + 1) * sizeof(*p->rules));
	for (const struct item *i = stmt->items.head; i; i = i->next)
		policy_line(i, c, p, &seen, errors);
	check_tls(p, &seen, errors);
	unify_tls(p, errors);
	policy_link(p, c, errors);
}
