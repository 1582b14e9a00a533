// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's netlink language. What the kernel sends is read with the same
 * care as what a stranger sends: a newer module may say more than this tool knows.
 */
#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <string.h>

#include "util.h"
#include "wire.h"

#define ATTRS_MAX 64

/**
 * struct attrs - attributes of one level, by type
 * @max: the largest type wanted
 * @tb: the attributes
 */
struct attrs {
	uint16_t max;
	const struct nlattr *tb[ATTRS_MAX + 1];
};

static void place(struct attr_places *places, uint32_t first, const struct nlmsghdr *nlh,
		  const struct location *loc)
{
	if (!places || places->n == ARRAY_SIZE(places->at))
		return;
	places->at[places->n].first = first;
	places->at[places->n].last = nlh->nlmsg_len - 1;
	places->at[places->n].loc = loc;
	places->n++;
}

static void put_cond(struct nlmsghdr *nlh, const struct cond *c)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, ESMTP_A_COND);

	mnl_attr_put_u8(nlh, ESMTP_A_COND_MATCH, c->match);
	if (c->negate)
		mnl_attr_put(nlh, ESMTP_A_COND_NOT, 0, NULL);
	if (*c->field)
		mnl_attr_put_strz(nlh, ESMTP_A_COND_FIELD, c->field);
	if (cond_has_table(c->match))
		mnl_attr_put_u32(nlh, ESMTP_A_COND_TABLE, c->table);
	else if (cond_has_set(c->match))
		mnl_attr_put_u64(nlh, ESMTP_A_COND_SET, c->set);
	else if (cond_has_limit(c->match))
		mnl_attr_put_u32(nlh, ESMTP_A_COND_LIMIT, c->limit);
	mnl_attr_nest_end(nlh, nest);
}

static void put_rule(struct nlmsghdr *nlh, const struct rule *r, struct attr_places *places)
{
	uint32_t first = nlh->nlmsg_len;
	struct nlattr *nest = mnl_attr_nest_start(nlh, ESMTP_A_RULE);
	struct nlattr *conds = mnl_attr_nest_start(nlh, ESMTP_A_RULE_CONDS);

	for (unsigned int i = 0; i < r->n_conds; i++)
		put_cond(nlh, &r->conds[i]);
	mnl_attr_nest_end(nlh, conds);
	mnl_attr_put_u8(nlh, ESMTP_A_RULE_ACTION, r->action);
	if (r->log)
		mnl_attr_put(nlh, ESMTP_A_RULE_LOG, 0, NULL);
	if (r->code)
		mnl_attr_put_u16(nlh, ESMTP_A_RULE_CODE, r->code);
	if (r->text)
		mnl_attr_put_strz(nlh, ESMTP_A_RULE_TEXT, r->text);
	if (r->action == ESMTP_ACTION_RATE_LIMIT) {
		mnl_attr_put_u32(nlh, ESMTP_A_RULE_RATE, r->rate);
		mnl_attr_put_u32(nlh, ESMTP_A_RULE_RATE_SECONDS, r->seconds);
		mnl_attr_put_u32(nlh, ESMTP_A_RULE_RATE_BURST, r->burst);
	}
	mnl_attr_nest_end(nlh, nest);
	place(places, first, nlh, &r->loc);
}

static void put_parameters(struct nlmsghdr *nlh, const struct policy *p)
{
	if (p->slot != SLOT_ANY)
		mnl_attr_put_u8(nlh, ESMTP_A_POLICY_SLOT, p->slot);
	if (p->description)
		mnl_attr_put_strz(nlh, ESMTP_A_POLICY_DESCRIPTION, p->description);
	if (p->log_level != LOG_LEVEL_ANY)
		mnl_attr_put_u8(nlh, ESMTP_A_POLICY_LOG_LEVEL, p->log_level);
	if (p->log_group != LOG_GROUP_NONE)
		mnl_attr_put_u16(nlh, ESMTP_A_POLICY_LOG_GROUP, (uint16_t)p->log_group);
	mnl_attr_put_u32(nlh, ESMTP_A_POLICY_FLAGS, p->flags);
	mnl_attr_put_u64(nlh, ESMTP_A_POLICY_VERBS, p->verbs);
}

/**
 * wire_put_policy() - put a policy, or a further part of it, into a message
 * @nlh: the message
 * @p: the policy
 * @first: its first rule in this part; up to WIRE_RULES_MAX follow
 * @places: where what came from, or NULL
 */
void wire_put_policy(struct nlmsghdr *nlh, const struct policy *p, unsigned int first,
		     struct attr_places *places)
{
	uint32_t start = nlh->nlmsg_len;
	struct nlattr *nest = mnl_attr_nest_start(nlh, ESMTP_A_POLICY), *rules;
	unsigned int end = first + WIRE_RULES_MAX;

	if (places)
		places->n = 0;
	mnl_attr_put_strz(nlh, ESMTP_A_POLICY_NAME, p->name);
	if (!first)
		put_parameters(nlh, p);
	rules = mnl_attr_nest_start(nlh, ESMTP_A_POLICY_RULES);
	for (unsigned int i = first; i < p->n_rules && i < end; i++)
		put_rule(nlh, &p->rules[i], places);
	mnl_attr_nest_end(nlh, rules);
	mnl_attr_nest_end(nlh, nest);
	place(places, start, nlh, &p->loc);
}

/**
 * wire_place() - the statement that an attribute came from
 * @places: of the message
 * @offset: of the attribute, from the start of the message; 0 = not known
 *
 * Return: its place, or NULL.
 */
const struct location *wire_place(const struct attr_places *places, uint32_t offset)
{
	/* The innermost ones were noted first. */
	for (unsigned int i = 0; i < places->n; i++)
		if (offset >= places->at[i].first && offset <= places->at[i].last)
			return places->at[i].loc;
	return NULL;
}

static int on_attr(const struct nlattr *attr, void *data)
{
	struct attrs *a = data;

	if (mnl_attr_get_type(attr) <= a->max)
		a->tb[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static void parse_top(const struct nlmsghdr *nlh, struct attrs *a)
{
	*a = (struct attrs){ .max = ESMTP_A_MAX };
	mnl_attr_parse(nlh, sizeof(struct genlmsghdr), on_attr, a);
}

static bool parse_nest(const struct attrs *in, uint16_t type, struct attrs *a, uint16_t max)
{
	*a = (struct attrs){ .max = max };
	if (in->tb[type])
		mnl_attr_parse_nested(in->tb[type], on_attr, a);
	return in->tb[type];
}

static const struct nlattr *sized(const struct attrs *a, uint16_t type, size_t size)
{
	const struct nlattr *attr = a->tb[type];

	return attr && mnl_attr_get_payload_len(attr) == size ? attr : NULL;
}

static uint64_t get_u64(const struct attrs *a, uint16_t type)
{
	return sized(a, type, 8) ? mnl_attr_get_u64(a->tb[type]) : 0;
}

static uint32_t get_u32(const struct attrs *a, uint16_t type)
{
	return sized(a, type, 4) ? mnl_attr_get_u32(a->tb[type]) : 0;
}

static uint16_t get_u16(const struct attrs *a, uint16_t type)
{
	return sized(a, type, 2) ? mnl_attr_get_u16(a->tb[type]) : 0;
}

static uint16_t get_be16(const struct attrs *a, uint16_t type)
{
	return ntohs(get_u16(a, type));
}

static uint8_t get_u8(const struct attrs *a, uint16_t type)
{
	return sized(a, type, 1) ? mnl_attr_get_u8(a->tb[type]) : 0;
}

/* A copy of at most size - 1 bytes, ended by a NUL. */
static void get_string(const struct attrs *a, uint16_t type, char *buf, size_t size)
{
	const struct nlattr *attr = a->tb[type];
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(buf, mnl_attr_get_payload(attr), len);
	buf[len] = '\0';
}

static void get_counters(const struct attrs *in, uint16_t type, uint64_t *counters, uint16_t max)
{
	struct attrs a;

	parse_nest(in, type, &a, max);
	for (uint16_t i = 1; i <= max; i++)
		if (a.tb[i])
			counters[i] = get_u64(&a, i);
}

/**
 * wire_get_slot() - read the answer to ESMTP_CMD_STAGE_POLICY
 * @nlh: the answer
 * @slot: u8: the slot of the policy
 *
 * Return: MNL_CB_OK.
 */
int wire_get_slot(const struct nlmsghdr *nlh, void *slot)
{
	struct attrs top, policy;

	parse_top(nlh, &top);
	if (parse_nest(&top, ESMTP_A_POLICY, &policy, ESMTP_A_POLICY_MAX))
		*(uint8_t *)slot = get_u8(&policy, ESMTP_A_POLICY_SLOT);
	return MNL_CB_OK;
}

static struct rule *rule_append(struct policy *p)
{
	/* Grown by doubling: the room is the next power of two. */
	if (!(p->n_rules & (p->n_rules - 1)))
		p->rules = mem_grow(p->rules, p->n_rules * sizeof(*p->rules),
				    (p->n_rules ? p->n_rules * 2 : 1) * sizeof(*p->rules));
	return &p->rules[p->n_rules++];
}

static void get_cond(const struct attrs *a, struct cond *c)
{
	c->match = get_u8(a, ESMTP_A_COND_MATCH);
	c->negate = a->tb[ESMTP_A_COND_NOT];
	c->limit = get_u32(a, ESMTP_A_COND_LIMIT);
	c->set = get_u64(a, ESMTP_A_COND_SET);
	c->table = get_u32(a, ESMTP_A_COND_TABLE);
	get_string(a, ESMTP_A_COND_FIELD, c->field, sizeof(c->field));
}

static void get_conds(const struct nlattr *conds, struct rule *r)
{
	const struct nlattr *pos;

	r->n_conds = 0;
	mnl_attr_for_each_nested(pos, conds) {
		struct attrs a = { .max = ESMTP_A_COND_MAX };

		if (r->n_conds == ESMTP_CONDS_MAX)
			return;
		mnl_attr_parse_nested(pos, on_attr, &a);
		get_cond(&a, &r->conds[r->n_conds++]);
	}
}

static void get_reply(const struct attrs *a, struct rule *r)
{
	char text[ESMTP_REPLY_TEXT_MAX + 1];

	r->code = get_u16(a, ESMTP_A_RULE_CODE);
	get_string(a, ESMTP_A_RULE_TEXT, text, sizeof(text));
	if (*text)
		r->text = mem_strdup(text);
}

static void get_rules(const struct nlattr *rules, struct policy *p)
{
	const struct nlattr *pos;

	mnl_attr_for_each_nested(pos, rules) {
		struct attrs a = { .max = ESMTP_A_RULE_MAX };
		struct rule *r = rule_append(p);

		mnl_attr_parse_nested(pos, on_attr, &a);
		memset(r->conds, 0, sizeof(r->conds));
		r->n_conds = 0;
		if (a.tb[ESMTP_A_RULE_CONDS])
			get_conds(a.tb[ESMTP_A_RULE_CONDS], r);
		r->action = get_u8(&a, ESMTP_A_RULE_ACTION);
		r->log = a.tb[ESMTP_A_RULE_LOG];
		get_reply(&a, r);
		r->rate = get_u32(&a, ESMTP_A_RULE_RATE);
		r->seconds = get_u32(&a, ESMTP_A_RULE_RATE_SECONDS);
		r->burst = get_u32(&a, ESMTP_A_RULE_RATE_BURST);
		r->count = get_u64(&a, ESMTP_A_RULE_COUNT);
	}
}

static struct policy *policy_append(struct dump *d, const char *name)
{
	struct policy **tail = &d->policies;

	for (; *tail; tail = &(*tail)->next)
		if (!strcmp((*tail)->name, name))
			return *tail;
	*tail = mem_alloc(sizeof(**tail));
	(*tail)->name = mem_strdup(name);
	return *tail;
}

static void get_parameters(const struct attrs *a, struct policy *p)
{
	char description[ESMTP_DESCRIPTION_MAX + 1];

	get_string(a, ESMTP_A_POLICY_DESCRIPTION, description, sizeof(description));
	p->description = *description ? mem_strdup(description) : NULL;
	p->log_level = a->tb[ESMTP_A_POLICY_LOG_LEVEL] ? get_u8(a, ESMTP_A_POLICY_LOG_LEVEL)
						       : LOG_LEVEL_ANY;
	p->log_group = sized(a, ESMTP_A_POLICY_LOG_GROUP, 2) ?
		mnl_attr_get_u16(a->tb[ESMTP_A_POLICY_LOG_GROUP]) : LOG_GROUP_NONE;
	p->flags = get_u32(a, ESMTP_A_POLICY_FLAGS);
	p->verbs = get_u64(a, ESMTP_A_POLICY_VERBS);
	get_counters(a, ESMTP_A_POLICY_COUNTERS, p->counters, ESMTP_PC_MAX);
	get_counters(a, ESMTP_A_POLICY_EVENTS, p->events, ESMTP_EVENT_MAX);
}

/**
 * wire_get_policy() - read one message of a dump of policies
 * @nlh: the message
 * @dump: struct dump: what has come so far
 *
 * A policy with many rules comes in parts: the further ones have only a name and rules.
 *
 * Return: MNL_CB_OK.
 */
int wire_get_policy(const struct nlmsghdr *nlh, void *dump)
{
	char name[ESMTP_POLICY_NAME_MAX + 1];
	struct dump *d = dump;
	struct attrs top, a;
	struct policy *p;

	parse_top(nlh, &top);
	d->generation = get_u64(&top, ESMTP_A_GENERATION);
	if (!parse_nest(&top, ESMTP_A_POLICY, &a, ESMTP_A_POLICY_MAX))
		return MNL_CB_OK;
	get_string(&a, ESMTP_A_POLICY_NAME, name, sizeof(name));
	p = policy_append(d, name);
	if (a.tb[ESMTP_A_POLICY_SLOT])
		p->slot = get_u8(&a, ESMTP_A_POLICY_SLOT);
	if (a.tb[ESMTP_A_POLICY_FLAGS])
		get_parameters(&a, p);
	if (a.tb[ESMTP_A_POLICY_RULES])
		get_rules(a.tb[ESMTP_A_POLICY_RULES], p);
	return MNL_CB_OK;
}

/* What of a table and the source behind it begins at an offset, up to a piece. */
static size_t piece(const struct table *t, const struct blob *source, size_t offset,
		    const char **data)
{
	bool table = offset < t->blob.len;
	const struct blob *b = table ? &t->blob : source;
	size_t at = table ? offset : offset - t->blob.len;

	*data = (const char *)b->data + at;
	return b->len - at < WIRE_PIECE_MAX ? b->len - at : WIRE_PIECE_MAX;
}

/**
 * wire_put_table() - put a piece of a table into a message
 * @nlh: the message
 * @t: the table
 * @source: what it was made from
 * @offset: of the piece, in the table and the source behind it
 *
 * Return: the bytes of the piece.
 */
size_t wire_put_table(struct nlmsghdr *nlh, const struct table *t, const struct blob *source,
		      size_t offset)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, ESMTP_A_TABLE);
	const char *data;
	size_t len;

	mnl_attr_put_u32(nlh, ESMTP_A_TABLE_ID, t->id);
	if (!offset) {
		mnl_attr_put_strz(nlh, ESMTP_A_TABLE_NAME, t->name);
		mnl_attr_put_u32(nlh, ESMTP_A_TABLE_SIZE, (uint32_t)t->blob.len);
		mnl_attr_put_u32(nlh, ESMTP_A_TABLE_SOURCE_SIZE, (uint32_t)source->len);
	}
	mnl_attr_put_u32(nlh, ESMTP_A_TABLE_OFFSET, (uint32_t)offset);
	len = piece(t, source, offset, &data);
	mnl_attr_put(nlh, ESMTP_A_TABLE_DATA, len, data);
	mnl_attr_nest_end(nlh, nest);
	return len;
}

static struct table_source *source_append(struct table_source **list, const char *name,
					  uint32_t size)
{
	struct table_source *s;

	while (*list)
		list = &(*list)->next;
	s = mem_alloc(sizeof(*s));
	s->name = mem_strdup(name);
	s->size = size;
	s->text = mem_alloc((size_t)size + 1);
	*list = s;
	return s;
}

static struct table_source *source_find(struct table_source *s, const char *name)
{
	while (s && strcmp(s->name, name))
		s = s->next;
	return s;
}

/**
 * wire_get_table() - read one message of a dump of tables
 * @nlh: the message
 * @list: struct table_source *: what has come so far
 *
 * A long source comes in pieces, in order.
 *
 * Return: MNL_CB_OK.
 */
int wire_get_table(const struct nlmsghdr *nlh, void *list)
{
	char name[ESMTP_POLICY_NAME_MAX + 1];
	struct table_source **sources = list, *s;
	struct attrs top, a;
	size_t len;

	parse_top(nlh, &top);
	if (!parse_nest(&top, ESMTP_A_TABLE, &a, ESMTP_A_TABLE_MAX))
		return MNL_CB_OK;
	get_string(&a, ESMTP_A_TABLE_NAME, name, sizeof(name));
	s = source_find(*sources, name);
	if (!s && get_u32(&a, ESMTP_A_TABLE_SOURCE_SIZE) <= ESMTP_TABLE_SIZE_MAX)
		s = source_append(sources, name, get_u32(&a, ESMTP_A_TABLE_SOURCE_SIZE));
	if (s)
		s->id = get_u32(&a, ESMTP_A_TABLE_ID);
	if (!s || !a.tb[ESMTP_A_TABLE_DATA] || get_u32(&a, ESMTP_A_TABLE_OFFSET) != s->len)
		return MNL_CB_OK;
	len = mnl_attr_get_payload_len(a.tb[ESMTP_A_TABLE_DATA]);
	if (len > s->size - s->len)
		len = s->size - s->len;
	memcpy(s->text + s->len, mnl_attr_get_payload(a.tb[ESMTP_A_TABLE_DATA]), len);
	s->len += len;
	return MNL_CB_OK;
}

/**
 * wire_get_status() - read the answer to ESMTP_CMD_STATUS_GET
 * @nlh: the answer
 * @status: struct status
 *
 * Return: MNL_CB_OK.
 */
int wire_get_status(const struct nlmsghdr *nlh, void *status)
{
	struct status *s = status;
	struct attrs top;
	char text[64];

	parse_top(nlh, &top);
	get_string(&top, ESMTP_A_VERSION, text, sizeof(text));
	s->version = mem_strdup(text);
	s->generation = get_u64(&top, ESMTP_A_GENERATION);
	s->sessions = get_u32(&top, ESMTP_A_SESSIONS);
	get_counters(&top, ESMTP_A_COUNTERS, s->counters, ESMTP_NC_MAX);
	return MNL_CB_OK;
}

static void get_address(const struct attrs *a, uint16_t type, uint8_t family, uint8_t addr[16])
{
	size_t len = family == AF_INET ? 4 : 16;

	if (sized(a, type, len))
		memcpy(addr, mnl_attr_get_payload(a->tb[type]), len);
}

/**
 * wire_get_session() - read one message of a dump of sessions
 * @nlh: the message
 * @s: the session
 *
 * Return: true if the message is one.
 */
bool wire_get_session(const struct nlmsghdr *nlh, struct session *s)
{
	struct attrs top, a;

	memset(s, 0, sizeof(*s));
	parse_top(nlh, &top);
	if (!parse_nest(&top, ESMTP_A_SESSION, &a, ESMTP_A_SESSION_MAX))
		return false;
	s->family = get_u8(&a, ESMTP_A_SESSION_FAMILY);
	get_address(&a, ESMTP_A_SESSION_SADDR, s->family, s->client);
	get_address(&a, ESMTP_A_SESSION_DADDR, s->family, s->server);
	s->client_port = get_be16(&a, ESMTP_A_SESSION_SPORT);
	s->server_port = get_be16(&a, ESMTP_A_SESSION_DPORT);
	s->phase = get_u8(&a, ESMTP_A_SESSION_PHASE);
	get_string(&a, ESMTP_A_SESSION_POLICY, s->policy, sizeof(s->policy));
	s->generation = get_u64(&a, ESMTP_A_SESSION_GENERATION);
	s->rcpts = get_u32(&a, ESMTP_A_SESSION_RCPTS);
	s->message = get_u64(&a, ESMTP_A_SESSION_MESSAGE);
	s->kept_client = get_u32(&a, ESMTP_A_SESSION_KEPT_CLIENT);
	s->kept_server = get_u32(&a, ESMTP_A_SESSION_KEPT_SERVER);
	s->age = get_u32(&a, ESMTP_A_SESSION_AGE);
	return true;
}

/* Up to @max bytes as they are; returns how many. */
static size_t get_bytes(const struct attrs *a, uint16_t type, uint8_t *buf, size_t max)
{
	const struct nlattr *attr = a->tb[type];
	size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;

	if (len > max)
		len = max;
	if (len)
		memcpy(buf, mnl_attr_get_payload(attr), len);
	return len;
}

/* The condition of an event says what its table is called, and what it is. */
static void get_event_cond(const struct attrs *a, struct event *e)
{
	char kind[sizeof("domains")];
	struct attrs cond;

	if (parse_nest(a, ESMTP_A_EVENT_COND, &cond, ESMTP_A_COND_MAX))
		get_cond(&cond, &e->cond);
	/* What MAIL has declared is no limit of the condition's. */
	e->cond.limit = get_u32(a, ESMTP_A_EVENT_LIMIT);
	get_string(a, ESMTP_A_EVENT_TABLE, e->table, sizeof(e->table));
	e->cond.table_name = *e->table ? e->table : NULL;
	get_string(a, ESMTP_A_EVENT_TABLE_KIND, kind, sizeof(kind));
	e->cond.list = !strcmp(kind, "domains");
}

static void get_event(const struct attrs *a, struct event *e)
{
	e->type = get_u16(a, ESMTP_A_EVENT_TYPE);
	e->action = get_u8(a, ESMTP_A_EVENT_ACTION);
	e->from_server = a->tb[ESMTP_A_EVENT_FROM_SERVER];
	e->family = get_u8(a, ESMTP_A_EVENT_FAMILY);
	get_address(a, ESMTP_A_EVENT_SADDR, e->family, e->client);
	get_address(a, ESMTP_A_EVENT_DADDR, e->family, e->server);
	e->client_port = get_be16(a, ESMTP_A_EVENT_SPORT);
	e->server_port = get_be16(a, ESMTP_A_EVENT_DPORT);
	get_string(a, ESMTP_A_EVENT_POLICY, e->policy, sizeof(e->policy));
	e->rule = get_u32(a, ESMTP_A_EVENT_RULE);
	e->monitor = a->tb[ESMTP_A_EVENT_MONITOR];
	get_event_cond(a, e);
	e->has_value = a->tb[ESMTP_A_EVENT_VALUE];
	e->value = get_u32(a, ESMTP_A_EVENT_VALUE);
	e->time = get_u64(a, ESMTP_A_EVENT_TIME);
	e->lost = get_u64(a, ESMTP_A_EVENT_LOST);
	e->text_len = get_bytes(a, ESMTP_A_EVENT_TEXT, e->text, sizeof(e->text));
	e->generation = get_u64(a, ESMTP_A_EVENT_GENERATION);
	e->has_sender = a->tb[ESMTP_A_EVENT_SENDER];
	e->sender_cut = a->tb[ESMTP_A_EVENT_SENDER_CUT];
	e->sender_len = get_bytes(a, ESMTP_A_EVENT_SENDER, e->sender, sizeof(e->sender));
}

/**
 * wire_get_event() - read an event
 * @nlh: the message
 * @e: the event
 *
 * Return: true if the message is one.
 */
bool wire_get_event(const struct nlmsghdr *nlh, struct event *e)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct attrs top, a;

	memset(e, 0, sizeof(*e));
	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*genl)) || genl->cmd != ESMTP_CMD_EVENT)
		return false;
	parse_top(nlh, &top);
	if (!parse_nest(&top, ESMTP_A_EVENT, &a, ESMTP_A_EVENT_MAX))
		return false;
	get_event(&a, e);
	return true;
}
