// SPDX-License-Identifier: GPL-2.0-only
/*
 * All counters in the text format of Prometheus, for the textfile collector of
 * node_exporter. They are absolute: whoever resets the counters of 'list counters' leaves no
 * gap here.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "cond.h"
#include "metrics.h"
#include "names.h"
#include "nft.h"

/* A family's own lines; its samples follow at once. */
static void family(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/**
 * metrics_label() - print a label's value
 * @f: where to
 * @value: the value
 */
void metrics_label(FILE *f, const char *value)
{
	fputc('"', f);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', f);
		if (*value == '\n')
			fputs("\\n", f);
		else
			fputc(*value, f);
	}
	fputc('"', f);
}

/* Up to two labels, in braces or behind a comma; the second may be missing. */
static void labelled(FILE *f, const char *name, const char *label, const char *value,
		     const char *label2, const char *value2, uint64_t n)
{
	fprintf(f, "%s{%s=", name, label);
	metrics_label(f, value);
	if (label2) {
		fprintf(f, ",%s=", label2);
		metrics_label(f, value2);
	}
	fprintf(f, "} %" PRIu64 "\n", n);
}

/* Where a key of JSON has -, a metric's name has _. */
static const char *policy_family(const char *key, char *buf, size_t size)
{
	snprintf(buf, size, "esmtp_policy_%s_total", key);
	for (char *p = buf; *p; p++)
		if (*p == '-')
			*p = '_';
	return buf;
}

static const char *const policy_help[ESMTP_PC_MAX + 1] = {
	[ESMTP_PC_PACKETS] = "Packets with payload that were inspected or compared.",
	[ESMTP_PC_BYTES] = "Bytes of payload that were inspected, repeats not counted.",
	[ESMTP_PC_CONNECTIONS] = "Connections on which a first byte was inspected.",
	[ESMTP_PC_CLOSED] = "Connections closed by a verdict.",
	[ESMTP_PC_DROP] = "Packets that did not pass because of action drop, reply or rate-limit.",
	[ESMTP_PC_RESET_DROP] = "Packets that did not pass because of action reset.",
};

static void put_policies(FILE *f, const struct config *c)
{
	const struct counter_name *name;
	char buf[64];

	for (unsigned int n = 1; n <= ESMTP_PC_MAX; n++) {
		name = policy_counter_name(n);
		if (!name)
			continue;
		policy_family(name->key, buf, sizeof(buf));
		family(f, buf, "counter", policy_help[n] ? policy_help[n] : name->text);
		for (const struct policy *p = c->policies; p; p = p->next)
			labelled(f, buf, "policy", p->name, NULL, NULL, p->counters[n]);
	}
}

static void put_events(FILE *f, const struct config *c)
{
	const char *name = "esmtp_policy_events_total";

	family(f, name, "counter", "What was seen, by policy and kind of event.");
	for (const struct policy *p = c->policies; p; p = p->next)
		for (unsigned int t = 1; t <= ESMTP_EVENT_MAX; t++)
			if (event_name(t))
				labelled(f, name, "policy", p->name, "event", event_name(t)->key,
					 p->events[t]);
}

static void put_rule(FILE *f, const char *name, const struct policy *p, unsigned int i)
{
	const struct rule *r = &p->rules[i];
	char buf[COND_TEXT_MAX];
	char *match = NULL;
	size_t size;
	FILE *m = open_memstream(&match, &size);

	if (!m)
		return;
	for (unsigned int k = 0; k < r->n_conds; k++)
		fprintf(m, "%s%s", k ? " " : "", cond_format(&r->conds[k], COND_OURS, buf));
	fclose(m);
	fprintf(f, "%s{policy=", name);
	metrics_label(f, p->name);
	fprintf(f, ",rule=\"%u\",match=", i + 1);
	metrics_label(f, match);
	fprintf(f, ",action=\"%s\",log=\"%s\"} %" PRIu64 "\n", action_key(r->action),
		r->log ? "true" : "false", r->count);
	free(match);
}

static void put_rules(FILE *f, const struct config *c)
{
	const char *name = "esmtp_rule_matches_total";

	family(f, name, "counter", "Times a rule fired, by policy and its position there.");
	for (const struct policy *p = c->policies; p; p = p->next)
		for (unsigned int i = 0; i < p->n_rules; i++)
			put_rule(f, name, p, i);
}

static void put_module(FILE *f, const struct status *s)
{
	const char *name = "esmtp_module_info";
	char generation[24];

	snprintf(generation, sizeof(generation), "%" PRIu64, s->generation);
	family(f, name, "gauge", "Version of the module and generation of its configuration.");
	labelled(f, name, "version", s->version, "generation", generation, 1);
	name = "esmtp_sessions";
	family(f, name, "gauge", "Connections that are inspected, or were closed and are still known.");
	fprintf(f, "%s %u\n", name, s->sessions);
	name = "esmtp_namespace_total";
	family(f, name, "counter", "Counters of the network namespace, as 'esmtpctl -j list counters' names them.");
	for (unsigned int n = 1; n <= ESMTP_NC_MAX; n++)
		if (ns_counter_name(n))
			labelled(f, name, "counter", ns_counter_name(n)->key, NULL, NULL,
				 s->counters[n]);
}

static void put_guard(FILE *f, const struct guard *g)
{
	const char *name = "esmtp_table_packets_total";

	if (!g->present)
		return;
	family(f, name, "counter", "Packets counted by the guard of table inet esmtp.");
	for (enum guard_counter n = 0; n < GUARD_COUNTERS; n++)
		labelled(f, name, "counter", guard_counter_name(n), NULL, NULL,
			 g->now[n].packets);
}

/**
 * metrics_print() - print everything that is counted
 * @f: where to
 * @c: the policies, with counters
 * @s: the module's state
 * @g: the counters of the nft table
 */
void metrics_print(FILE *f, const struct config *c, const struct status *s, const struct guard *g)
{
	put_module(f, s);
	if (c->policies) {
		put_policies(f, c);
		put_events(f, c);
		put_rules(f, c);
	}
	put_guard(f, g);
}

/**
 * command_metrics() - esmtpctl metrics
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_metrics(struct request *r)
{
	struct config c = { 0 };
	struct erecs ignored;
	struct nft_table t;
	struct status s;
	struct genl g;
	bool ok;

	if (!genl_open(&g, &r->errors))
		return false;
	ok = read_policies(&g, &c, NULL, true, &r->errors) &&
	     read_status(&g, &s, true, &r->errors);
	genl_close(&g);
	if (!ok)
		return false;
	/* Reading nft needs privileges; without them its part is left out. */
	erec_init(&ignored);
	if (!nft_read(&t, &ignored))
		t.guard.present = false;
	metrics_print(r->o.f, &c, &s, &t.guard);
	return true;
}
