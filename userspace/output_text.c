// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects as text: the ruleset as -f reads it, counters as ASA's "show
 * service-policy inspect esmtp" prints them, events as lines of a log.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "names.h"
#include "output.h"

static void begin(struct output *o)
{
	o->any = false;
}

static void end(struct output *o)
{
	fflush(o->f);
}

static void gap(struct output *o)
{
	if (o->any)
		fputc('\n', o->f);
	o->any = true;
}

#define SET_ROW 4	/* elements in a line of a long set */

/* One element stands bare, some in braces, many in lines of their own. */
static void put_set(struct output *o, const struct intervals *set, const char *indent)
{
	bool rows = set->n > SET_ROW;
	char buf[INTERVAL_TEXT_MAX];

	if (set->n == 1) {
		fprintf(o->f, "%s", interval_format(&set->v[0], buf));
		return;
	}
	fputs(rows ? "{" : "{ ", o->f);
	for (size_t i = 0; i < set->n; i++) {
		if (rows && i % SET_ROW == 0)
			fprintf(o->f, "%s\n%s\t", i ? "," : "", indent);
		else if (i)
			fputs(", ", o->f);
		fputs(interval_format(&set->v[i], buf), o->f);
	}
	fprintf(o->f, "%s%s}", rows ? "\n" : " ", rows ? indent : "");
}

/* Quotes are for what a reader would take apart otherwise. */
static void put_word(struct output *o, const struct table *t, size_t i)
{
	const char *s = t->words.v[i];
	bool quoted = t->kind == TABLE_REGEX || strpbrk(s, "{},;#> \t");

	fprintf(o->f, quoted ? "\"%s\"" : "%s", s);
}

static void put_words(struct output *o, const struct table *t)
{
	size_t row = t->kind == TABLE_REGEX ? 1 : SET_ROW;

	if (t->words.n == 1) {
		put_word(o, t, 0);
		return;
	}
	fputs("{", o->f);
	for (size_t i = 0; i < t->words.n; i++) {
		if (i % row == 0)
			fprintf(o->f, "%s\n\t", i ? "," : "");
		else
			fputs(", ", o->f);
		put_word(o, t, i);
	}
	fputs("\n}", o->f);
}

static void table(struct output *o, const struct table *t)
{
	gap(o);
	fprintf(o->f, "%s %s ", t->kind == TABLE_REGEX ? "regex" : "domains", t->name);
	put_words(o, t);
	fputs(t->nocase ? " nocase\n" : "\n", o->f);
}

static void put_ifnames(struct output *o, const struct names *names)
{
	if (names->n == 1) {
		fprintf(o->f, "\"%s\"", names->v[0]);
		return;
	}
	fputs("{ ", o->f);
	for (size_t i = 0; i < names->n; i++)
		fprintf(o->f, "%s\"%s\"", i ? ", " : "", names->v[i]);
	fputs(" }", o->f);
}

static void put_verbs(struct output *o, uint64_t verbs)
{
	const uint64_t tls = 1ull << ESMTP_VERB_STARTTLS;

	if ((verbs & ~tls) == ESMTP_VERBS_ASA)
		return;
	if ((verbs | tls) == ESMTP_VERBS_ALL) {
		fputs("\tverbs any\n", o->f);
		return;
	}
	fputs("\tverbs {", o->f);
	for (unsigned int v = 1; v < __ESMTP_VERB_MAX; v++)
		if (verbs & 1ull << v)
			fprintf(o->f, " %s", verb_name(v));
	if (verbs & 1ull << ESMTP_VERB_OTHER)
		fprintf(o->f, " %s", verb_name(ESMTP_VERB_OTHER));
	fputs(" }\n", o->f);
}

static void put_conds(struct output *o, const struct rule *r, enum cond_style style)
{
	char buf[COND_TEXT_MAX];

	for (unsigned int i = 0; i < r->n_conds; i++)
		fprintf(o->f, "%s%s", i ? " " : "", cond_format(&r->conds[i], style, buf));
}

/* Rules that ASA has as parameters. */
static bool is_parameter(const struct rule *r)
{
	return r->n_conds == 1 && !r->conds[0].negate &&
	       (r->conds[0].match == ESMTP_MATCH_SPECIAL_CHARACTER ||
		r->conds[0].match == ESMTP_MATCH_MAIL_RELAY);
}

/* The verdict with what belongs to it, and log. */
static void put_action(struct output *o, const struct rule *r, const char *action)
{
	fputs(action, o->f);
	if (r->code)
		fprintf(o->f, " %u", r->code);
	if (r->text)
		fprintf(o->f, " \"%s\"", r->text);
	if (r->action == ESMTP_ACTION_RATE_LIMIT)
		fprintf(o->f, " %u/%s burst %u", r->rate, r->seconds == 1 ? "second" : "minute",
			r->burst);
	if (r->log)
		fprintf(o->f, "%slog", *action ? " " : "");
}

static void put_rule(struct output *o, const struct rule *r)
{
	fputs(is_parameter(r) ? "\t" : "\tmatch ", o->f);
	put_conds(o, r, COND_OURS);
	fputc(' ', o->f);
	put_action(o, r, r->action == ESMTP_ACTION_COUNT && r->log ? "" : action_name(r->action));
	fputc('\n', o->f);
}

static void policy(struct output *o, const struct policy *p)
{
	gap(o);
	fprintf(o->f, "policy %s {\n", p->name);
	if (p->description)
		fprintf(o->f, "\tdescription \"%s\"\n", p->description);
	if (p->slot != SLOT_ANY)
		fprintf(o->f, "\tslot %u\n", p->slot);
	fprintf(o->f, "\tbanner %s\n", p->flags & ESMTP_POLICY_F_MASK_BANNER ? "mask" : "keep");
	fprintf(o->f, "\ttls %s%s\n", p->flags & ESMTP_POLICY_F_TLS_ALLOW ? "allow" : "deny",
		p->flags & ESMTP_POLICY_F_TLS_LOG ? " log" : "");
	if (p->flags & ESMTP_POLICY_F_MONITOR)
		fputs("\tmode monitor\n", o->f);
	if (p->log_level != LOG_LEVEL_ANY)
		fprintf(o->f, "\tlog level %s\n", log_level_name(p->log_level));
	if (p->log_group != LOG_GROUP_NONE)
		fprintf(o->f, "\tlog group %d\n", p->log_group);
	put_verbs(o, p->verbs);
	if (p->flags & ESMTP_POLICY_F_BLANK_BRACKETS)
		fputs("\tstray-brackets blank\n", o->f);
	if (p->flags & ESMTP_POLICY_F_NO_PIPELINING)
		fputs("\tpipelining deny\n", o->f);
	for (unsigned int i = 0; i < p->n_rules; i++)
		put_rule(o, &p->rules[i]);
	fputs("}\n", o->f);
}

/* A named set is one in braces, with one element too. */
static void set(struct output *o, const struct named_set *s)
{
	char buf[INTERVAL_TEXT_MAX];

	gap(o);
	fprintf(o->f, "set %s ", s->name);
	if (s->keys.n == 1)
		fprintf(o->f, "{ %s }", interval_format(&s->keys.v[0], buf));
	else
		put_set(o, &s->keys, "");
	fputc('\n', o->f);
}

static void exempt(struct output *o, const struct config *c)
{
	if (!config_exempts(c))
		return;
	gap(o);
	for (const struct named_set *s = c->sets; s; s = s->next)
		if (s->exempt)
			fprintf(o->f, "exempt @%s\n", s->name);
	if (!c->exempt.n)
		return;
	fputs("exempt ", o->f);
	put_set(o, &c->exempt, "");
	fputc('\n', o->f);
}

static void put_ref_or_set(struct output *o, const char *ref, const struct intervals *keys)
{
	if (ref)
		fprintf(o->f, "@%s", ref);
	else
		put_set(o, keys, "\t");
}

static void class(struct output *o, const struct class *k)
{
	gap(o);
	fprintf(o->f, "class %s {\n", k->name);
	for (unsigned int line = 0; line < CLASS_LINES; line++) {
		if (!(k->lines & 1u << line))
			continue;
		fprintf(o->f, "\t%s ", class_line_name((enum class_line)line));
		if (line <= CLASS_DPORT)
			put_ref_or_set(o, k->refs[line], &k->keys[line]);
		else
			put_ifnames(o, &k->ifnames[line - CLASS_IIFNAME]);
		fputc('\n', o->f);
	}
	fputs("}\n", o->f);
}

static void inspect(struct output *o, const struct config *c)
{
	gap(o);
	fputs("inspect {\n\tports ", o->f);
	put_ref_or_set(o, c->ports_ref, &c->ports);
	fprintf(o->f, "\n\tpickup %s\n", c->pickup_pass ? "pass" : "drop");
	for (const struct inspect *l = c->inspect; l; l = l->next) {
		fprintf(o->f, "\t%s%s", l->class ? "class " : "default",
			l->class ? l->class : "");
		switch (l->kind) {
		case INSPECT_EXEMPT:
			fputs(" exempt\n", o->f);
			break;
		case INSPECT_POLICY:
			fprintf(o->f, " policy %s", l->policy);
			if (l->connections)
				fprintf(o->f, " connections %u", l->connections);
			if (l->embryonic)
				fprintf(o->f, " embryonic %u%s", l->embryonic,
					l->refuse ? " refuse" : "");
			fputc('\n', o->f);
			break;
		case INSPECT_NONE:
			fputs(" none\n", o->f);
			break;
		}
	}
	fputs("}\n", o->f);
}

static void slot(struct output *o, const struct policy *p)
{
	char helper[HELPER_NAME_MAX];

	fprintf(o->f, "policy %s, slot %u: ct helper %s { type \"%s\" protocol tcp; }\n",
		p->name, p->slot, p->name, helper_name(p->slot, helper));
}

static void put_rule_counter(struct output *o, const struct rule *r)
{
	fputs(is_parameter(r) ? "  " : "  match ", o->f);
	put_conds(o, r, COND_ASA);
	fputs("\n    ", o->f);
	put_action(o, r, action_asa_name(r->action));
	fprintf(o->f, ", packet %" PRIu64 "\n", r->count);
}

static void put_counter(struct output *o, const char *text, const char *unit, uint64_t count)
{
	if (count || o->all)
		fprintf(o->f, "  %s, %s %" PRIu64 "\n", text, unit, count);
}

static void policy_counters(struct output *o, const struct policy *p)
{
	gap(o);
	fprintf(o->f, "Inspect: esmtp %s, packet %" PRIu64 ", drop %" PRIu64 ", reset-drop %" PRIu64 "\n",
		p->name, p->counters[ESMTP_PC_PACKETS], p->counters[ESMTP_PC_DROP],
		p->counters[ESMTP_PC_RESET_DROP]);
	if (p->flags & ESMTP_POLICY_F_MASK_BANNER)
		fprintf(o->f, "  mask-banner, count %" PRIu64 "\n", p->events[ESMTP_EVENT_BANNER_MASKED]);
	if (p->flags & ESMTP_POLICY_F_TLS_ALLOW)
		fprintf(o->f, "  allow-tls, count %" PRIu64 "\n", p->events[ESMTP_EVENT_TLS_STARTED]);
	for (unsigned int i = 0; i < p->n_rules; i++)
		put_rule_counter(o, &p->rules[i]);
	for (unsigned int t = ESMTP_EVENT_CMD_MASKED; t <= ESMTP_EVENT_MAX; t++)
		if (t != ESMTP_EVENT_TLS_STARTED && t != ESMTP_EVENT_TERMINATED && event_name(t))
			put_counter(o, event_name(t)->text, "count", p->events[t]);
	for (unsigned int n = ESMTP_PC_BYTES; n <= ESMTP_PC_CLOSED; n++)
		if (policy_counter_name(n))
			put_counter(o, policy_counter_name(n)->text, "count", p->counters[n]);
}

static void status(struct output *o, const struct status *s)
{
	gap(o);
	fprintf(o->f, "Module: nf_conntrack_esmtp %s, generation %" PRIu64 ", connections %u\n",
		s->version, s->generation, s->sessions);
	for (unsigned int n = 1; n <= ESMTP_NC_MAX; n++)
		if (ns_counter_name(n))
			put_counter(o, ns_counter_name(n)->text, "count", s->counters[n]);
}

static void guard(struct output *o, const struct guard *g)
{
	if (!g->present)
		return;
	gap(o);
	fputs("Table: inet esmtp\n", o->f);
	for (enum guard_counter n = 0; n < GUARD_COUNTERS; n++)
		put_counter(o, guard_counter_text(n), "packet", g->now[n].packets);
}

static const char *address(uint8_t family, const uint8_t *addr, char buf[INET6_ADDRSTRLEN])
{
	if ((family != AF_INET && family != AF_INET6) ||
	    !inet_ntop(family, addr, buf, INET6_ADDRSTRLEN))
		return "?";
	return buf;
}

static void session(struct output *o, const struct session *s)
{
	char client[INET6_ADDRSTRLEN], server[INET6_ADDRSTRLEN];

	fprintf(o->f, "%s/%u to %s/%u, policy %s, phase %s, recipients %u, message %" PRIu64
		", kept %u %u, age %u\n",
		address(s->family, s->client, client), s->client_port,
		address(s->family, s->server, server), s->server_port,
		s->policy, phase_name(s->phase), s->rcpts, s->message, s->kept_client,
		s->kept_server, s->age);
}

static void event(struct output *o, const struct event *e)
{
	char line[EVENT_LINE_MAX], time[EVENT_TIME_MAX];

	if (o->time && e->time)
		fprintf(o->f, "%s ", event_time(e, time));
	fprintf(o->f, "%s\n", event_line(e, line));
	fflush(o->f);
}

static void fault(struct output *o, const char *sentence)
{
	fprintf(o->f, "%s\n", sentence);
}

const struct output_ops output_text = {
	.begin = begin,
	.table = table,
	.policy = policy,
	.set = set,
	.exempt = exempt,
	.class = class,
	.inspect = inspect,
	.slot = slot,
	.policy_counters = policy_counters,
	.status = status,
	.guard = guard,
	.session = session,
	.event = event,
	.fault = fault,
	.end = end,
};
