// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects as JSON: { "esmtp": [ { "metainfo": … }, object, … ] }; of events
 * one object a line.
 */
#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

#include "names.h"
#include "output.h"
#include "util.h"

#define JSON_SCHEMA_VERSION 2

static void add(struct output *o, const char *key, json_t *value)
{
	json_array_append_new(o->json, json_pack("{s:o}", key, value));
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

/* As text: readers of JSON take large numbers for floating point. */
static json_t *generation_json(uint64_t generation)
{
	return json_sprintf("%llu", (unsigned long long)generation);
}

static void begin(struct output *o)
{
	o->json = json_array();
	add(o, "metainfo", json_pack("{s:s, s:i}", "version", version, "json_schema_version",
				     JSON_SCHEMA_VERSION));
}

static void end(struct output *o)
{
	json_t *root = json_pack("{s:o}", "esmtp", (json_t *)o->json);

	json_dumpf(root, o->f, JSON_COMPACT);
	fputc('\n', o->f);
	fflush(o->f);
	json_decref(root);
	o->json = NULL;
}

static json_t *set_json(const struct intervals *set)
{
	json_t *a = json_array();
	char buf[INTERVAL_TEXT_MAX];

	for (size_t i = 0; i < set->n; i++)
		json_array_append_new(a, json_string(interval_format(&set->v[i], buf)));
	return a;
}

/* JSON is UTF-8; a description, an expression or the name of an interface is whatever somebody typed. */
static json_t *text_json(const char *s)
{
	json_t *j = json_string(s);
	char *copy;

	if (j)
		return j;
	copy = mem_strdup(s);
	for (char *p = copy; *p; p++)
		if (*p & 0x80)
			*p = '?';
	return json_string(copy);
}

static json_t *ifnames_json(const struct names *names)
{
	json_t *a = json_array();

	for (size_t i = 0; i < names->n; i++)
		json_array_append_new(a, text_json(names->v[i]));
	return a;
}

static json_t *verbs_json(uint64_t verbs)
{
	json_t *a = json_array();

	for (unsigned int v = 0; v < __ESMTP_VERB_MAX; v++)
		if (verbs & 1ull << v)
			json_array_append_new(a, json_string(verb_name(v)));
	return a;
}

static json_t *members_json(const struct cond *c)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < cond_members(c->match); i++)
		if (c->set & 1ull << i)
			json_array_append_new(a, json_string(cond_member_name(c->match, i)));
	return a;
}

static json_t *cond_json(const struct cond *c)
{
	json_t *j = json_object();

	json_object_set_new(j, "match", json_string(match_key(c->match)));
	json_object_set_new(j, "not", json_boolean(c->negate));
	if (*c->field)
		json_object_set_new(j, "field", json_string(c->field));
	if (cond_has_table(c->match))
		json_object_set_new(j, c->list ? "domains" : "regex",
				    json_string(c->table_name ? c->table_name : "?"));
	else if (cond_has_set(c->match))
		json_object_set_new(j, "set", members_json(c));
	else if (cond_has_limit(c->match))
		json_object_set_new(j, "limit", number(c->limit));
	return j;
}

static json_t *rule_json(const struct rule *r, bool counters)
{
	json_t *j = json_object(), *conds = json_array();

	for (unsigned int i = 0; i < r->n_conds; i++)
		json_array_append_new(conds, cond_json(&r->conds[i]));
	json_object_set_new(j, "conditions", conds);
	json_object_set_new(j, "action", json_string(action_key(r->action)));
	if (r->action == ESMTP_ACTION_REPLY)
		json_object_set_new(j, "code", number(r->code ? r->code : ESMTP_REPLY_CODE));
	if (r->text)
		json_object_set_new(j, "text", text_json(r->text));
	if (r->action == ESMTP_ACTION_RATE_LIMIT)
		json_object_set_new(j, "rate", json_pack("{s:o, s:s, s:o}", "events", number(r->rate),
							 "per", r->seconds == 1 ? "second" : "minute",
							 "burst", number(r->burst)));
	json_object_set_new(j, "log", json_boolean(r->log));
	if (counters)
		json_object_set_new(j, "count", number(r->count));
	return j;
}

static json_t *rules_json(const struct policy *p, bool counters)
{
	json_t *a = json_array();

	for (unsigned int i = 0; i < p->n_rules; i++)
		json_array_append_new(a, rule_json(&p->rules[i], counters));
	return a;
}

static void table(struct output *o, const struct table *t)
{
	json_t *j = json_object(), *words = json_array();
	bool regex = t->kind == TABLE_REGEX;

	for (size_t i = 0; i < t->words.n; i++)
		json_array_append_new(words, text_json(t->words.v[i]));
	json_object_set_new(j, "name", json_string(t->name));
	json_object_set_new(j, regex ? "expressions" : "elements", words);
	if (regex)
		json_object_set_new(j, "nocase", json_boolean(t->nocase));
	add(o, regex ? "regex" : "domains", j);
}

static void policy(struct output *o, const struct policy *p)
{
	json_t *j = json_object();

	json_object_set_new(j, "name", json_string(p->name));
	if (p->description)
		json_object_set_new(j, "description", text_json(p->description));
	if (p->slot != SLOT_ANY)
		json_object_set_new(j, "slot", number(p->slot));
	json_object_set_new(j, "banner", json_string(p->flags & ESMTP_POLICY_F_MASK_BANNER ?
						     "mask" : "keep"));
	json_object_set_new(j, "tls", json_string(p->flags & ESMTP_POLICY_F_TLS_ALLOW ?
						  "allow" : "deny"));
	json_object_set_new(j, "tls-log", json_boolean(p->flags & ESMTP_POLICY_F_TLS_LOG));
	json_object_set_new(j, "mode", json_string(p->flags & ESMTP_POLICY_F_MONITOR ?
						   "monitor" : "enforce"));
	if (p->log_level != LOG_LEVEL_ANY)
		json_object_set_new(j, "log-level", json_string(log_level_name(p->log_level)));
	if (p->log_group != LOG_GROUP_NONE)
		json_object_set_new(j, "log-group", json_integer(p->log_group));
	json_object_set_new(j, "stray-brackets",
			    json_string(p->flags & ESMTP_POLICY_F_BLANK_BRACKETS ?
					"blank" : "keep"));
	json_object_set_new(j, "pipelining",
			    json_string(p->flags & ESMTP_POLICY_F_NO_PIPELINING ?
					"deny" : "allow"));
	json_object_set_new(j, "verbs", verbs_json(p->verbs));
	json_object_set_new(j, "rules", rules_json(p, false));
	add(o, "policy", j);
}

static json_t *ref_json(const char *ref)
{
	return json_sprintf("@%s", ref);
}

static void set(struct output *o, const struct named_set *s)
{
	add(o, "set", json_pack("{s:s, s:s, s:o}", "name", s->name, "type",
				intervals_have(&s->keys, KEY_PORT) ? "port" : "address",
				"elements", set_json(&s->keys)));
}

static void exempt(struct output *o, const struct config *c)
{
	json_t *a = set_json(&c->exempt);

	for (const struct named_set *s = c->sets; s; s = s->next)
		if (s->exempt)
			json_array_append_new(a, ref_json(s->name));
	add(o, "exempt", a);
}

static json_t *class_line_json(const struct class *k, unsigned int line)
{
	if (line > CLASS_DPORT)
		return ifnames_json(&k->ifnames[line - CLASS_IIFNAME]);
	return k->refs[line] ? ref_json(k->refs[line]) : set_json(&k->keys[line]);
}

static void class(struct output *o, const struct class *k)
{
	json_t *j = json_object();

	json_object_set_new(j, "name", json_string(k->name));
	for (unsigned int line = 0; line < CLASS_LINES; line++)
		if (k->lines & 1u << line)
			json_object_set_new(j, class_line_name((enum class_line)line),
					    class_line_json(k, line));
	add(o, "class", j);
}

static void inspect(struct output *o, const struct config *c)
{
	json_t *list = json_array(), *j;

	for (const struct inspect *l = c->inspect; l; l = l->next) {
		j = json_object();
		if (l->class)
			json_object_set_new(j, "class", json_string(l->class));
		else
			json_object_set_new(j, "default", json_true());
		if (l->kind == INSPECT_POLICY)
			json_object_set_new(j, "policy", json_string(l->policy));
		else
			json_object_set_new(j, l->kind == INSPECT_EXEMPT ? "exempt" : "none",
					    json_true());
		if (l->connections)
			json_object_set_new(j, "connections", number(l->connections));
		if (l->embryonic) {
			json_object_set_new(j, "embryonic", number(l->embryonic));
			if (l->refuse)
				json_object_set_new(j, "refuse", json_true());
		}
		json_array_append_new(list, j);
	}
	add(o, "inspect", json_pack("{s:o, s:s, s:o}", "ports",
				    c->ports_ref ? ref_json(c->ports_ref) : set_json(&c->ports),
				    "pickup", c->pickup_pass ? "pass" : "drop", "list", list));
}

static void slot(struct output *o, const struct policy *p)
{
	char helper[HELPER_NAME_MAX];

	add(o, "policy", json_pack("{s:s, s:i, s:s}", "name", p->name, "slot", p->slot,
				   "helper", helper_name(p->slot, helper)));
}

static void policy_counters(struct output *o, const struct policy *p)
{
	json_t *j = json_object(), *events = json_object();

	json_object_set_new(j, "policy", json_string(p->name));
	json_object_set_new(j, "slot", number(p->slot));
	for (unsigned int n = 1; n <= ESMTP_PC_MAX; n++)
		if (policy_counter_name(n))
			json_object_set_new(j, policy_counter_name(n)->key,
					    number(p->counters[n]));
	for (unsigned int t = 1; t <= ESMTP_EVENT_MAX; t++)
		if (event_name(t))
			json_object_set_new(events, event_name(t)->key, number(p->events[t]));
	json_object_set_new(j, "events", events);
	json_object_set_new(j, "rules", rules_json(p, true));
	add(o, "counters", j);
}

static void status(struct output *o, const struct status *s)
{
	json_t *j = json_object(), *counters = json_object();

	json_object_set_new(j, "version", json_string(s->version));
	json_object_set_new(j, "generation", generation_json(s->generation));
	json_object_set_new(j, "connections", number(s->sessions));
	for (unsigned int n = 1; n <= ESMTP_NC_MAX; n++)
		if (ns_counter_name(n))
			json_object_set_new(counters, ns_counter_name(n)->key,
					    number(s->counters[n]));
	json_object_set_new(j, "counters", counters);
	add(o, "module", j);
}

static void guard(struct output *o, const struct guard *g)
{
	json_t *j = json_object();

	if (!g->present) {
		json_decref(j);
		return;
	}
	for (enum guard_counter n = 0; n < GUARD_COUNTERS; n++)
		json_object_set_new(j, guard_counter_name(n),
				    json_pack("{s:o, s:o}", "packets", number(g->now[n].packets),
					      "bytes", number(g->now[n].bytes)));
	add(o, "table", j);
}

static json_t *endpoint_json(uint8_t family, const uint8_t *addr, uint16_t port)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (family == AF_INET || family == AF_INET6)
		inet_ntop(family, addr, text, sizeof(text));
	return json_pack("{s:s, s:i}", "address", text, "port", port);
}

static void session(struct output *o, const struct session *s)
{
	json_t *j = json_object();

	json_object_set_new(j, "client", endpoint_json(s->family, s->client, s->client_port));
	json_object_set_new(j, "server", endpoint_json(s->family, s->server, s->server_port));
	json_object_set_new(j, "policy", json_string(s->policy));
	json_object_set_new(j, "generation", generation_json(s->generation));
	json_object_set_new(j, "phase", json_string(phase_name(s->phase)));
	json_object_set_new(j, "recipients", number(s->rcpts));
	json_object_set_new(j, "message-bytes", number(s->message));
	json_object_set_new(j, "kept-bytes", json_pack("{s:o, s:o}", "client",
						       number(s->kept_client), "server",
						       number(s->kept_server)));
	json_object_set_new(j, "age", number(s->age));
	add(o, "session", j);
}

static void event_rule(json_t *j, const struct event *e)
{
	if (e->rule) {
		json_object_set_new(j, "rule", number(e->rule));
		json_object_set_new(j, "condition", cond_json(&e->cond));
	}
	if (e->has_value)
		json_object_set_new(j, "value", number(e->value));
}

static void event(struct output *o, const struct event *e)
{
	const struct event_name *name = event_name(e->type);
	char text[EVENT_ESCAPED_MAX], line[EVENT_LINE_MAX], time[EVENT_TIME_MAX];
	json_t *j = json_object();

	if (e->time)
		json_object_set_new(j, "time", json_string(event_time(e, time)));
	json_object_set_new(j, "number", number(event_number(e)));
	json_object_set_new(j, "severity", number(event_severity(e)));
	json_object_set_new(j, "type", json_string(name ? name->key : "unknown"));
	json_object_set_new(j, "action", json_string(action_key(e->action)));
	json_object_set_new(j, "direction", json_string(e->from_server ? "response" : "request"));
	json_object_set_new(j, "client", endpoint_json(e->family, e->client, e->client_port));
	json_object_set_new(j, "server", endpoint_json(e->family, e->server, e->server_port));
	json_object_set_new(j, "policy", json_string(e->policy));
	json_object_set_new(j, "mode", json_string(e->monitor ? "monitor" : "enforce"));
	event_rule(j, e);
	json_object_set_new(j, "generation", generation_json(e->generation));
	json_object_set_new(j, "text", json_string(event_escape(e, text)));
	if (e->has_sender) {
		json_object_set_new(j, "sender", json_string(event_sender(e, text)));
		json_object_set_new(j, "sender-cut", json_boolean(e->sender_cut));
	}
	json_object_set_new(j, "lost", number(e->lost));
	json_object_set_new(j, "message", json_string(event_line(e, line)));
	j = json_pack("{s:o}", "event", j);
	json_dumpf(j, o->f, JSON_COMPACT);
	fputc('\n', o->f);
	fflush(o->f);
	json_decref(j);
}

static void fault(struct output *o, const char *sentence)
{
	add(o, "fault", json_string(sentence));
}

const struct output_ops output_json = {
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
