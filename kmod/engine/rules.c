// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of a policy while a connection is read: which conditions are met, which rules fire, and
 * what that does. prepare.c has made them ready.
 *
 * Conditions are looked at where what they measure is read, those of one match in the order of the
 * rules. A rule with several fires when the last of them is met, and again each time that one of
 * them is met while the others hold.
 */
#include "internal.h"

static u32 cond_index(const struct esmtp_policy *p, enum esmtp_match match,
		      u32 i)
{
	return p->order[p->first[match] + i];
}

static u32 n_conds_of(const struct esmtp_policy *p, enum esmtp_match match)
{
	return p->first[match + 1] - p->first[match];
}

/**
 * esmtp_has_not() - whether a policy has a condition of a kind with "not"
 * @p: policy
 * @match: kind
 *
 * Return: true if it has.
 */
bool esmtp_has_not(const struct esmtp_policy *p, enum esmtp_match match)
{
	return p->negated & 1ull << match;
}

/**
 * esmtp_next_limit() - the limit that a growing counter meets next
 * @p: policy
 * @match: kind of condition
 * @now: the counter
 *
 * Return: the smallest limit that is not below @now, ESMTP_U32_MAX if there is none.
 */
u32 esmtp_next_limit(const struct esmtp_policy *p, enum esmtp_match match,
		     u32 now)
{
	u32 i, n = n_conds_of(p, match), next = ESMTP_U32_MAX;
	const struct esmtp_cond *c;

	for (i = 0; i < n; i++) {
		c = &p->conds[cond_index(p, match, i)];
		if (!c->negate && c->limit >= now && c->limit < next)
			next = c->limit;
	}
	return next;
}

/**
 * esmtp_scope_begin() - what was met within the one before does not hold any more
 * @f: call
 * @scope: what begins
 */
void esmtp_scope_begin(struct esmtp_feed *f, enum esmtp_scope scope)
{
	f->e->held &= ~f->p->scope[scope];
}

static bool closes(const struct esmtp_rule *rule)
{
	return rule->action == ESMTP_ACTION_DROP ||
	       rule->action == ESMTP_ACTION_RESET ||
	       rule->action == ESMTP_ACTION_REPLY ||
	       rule->action == ESMTP_ACTION_RATE_LIMIT;
}

static enum esmtp_verdict verdict_of(const struct esmtp_rule *rule)
{
	switch (rule->action) {
	case ESMTP_ACTION_DROP:
		return ESMTP_CLOSE_DROP;
	case ESMTP_ACTION_REPLY:
	case ESMTP_ACTION_RATE_LIMIT:
		return ESMTP_CLOSE_REPLY;
	default:
		return ESMTP_CLOSE_RESET;
	}
}

/* A verdict that is latched already stays the one of the rule that wanted it. */
static bool close_by(struct esmtp_feed *f, u16 rule)
{
	if (!f->e->latched)
		f->e->closed_by = rule;
	return esmtp_close(f, verdict_of(&f->p->rules[rule]));
}

/* Notes that a condition is met. Returns whether its rule fires. */
static bool completes(struct esmtp_engine *e, const struct esmtp_rule *rule,
		      const struct esmtp_cond *c)
{
	if (c->held == ESMTP_HELD_NONE)
		return true;
	e->held |= 1ull << c->held;
	return (e->held & rule->held) == rule->held;
}

/* A rule that limits a rate does nothing as long as that is kept. */
static bool is_within_rate(struct esmtp_feed *f, u16 rule)
{
	return f->p->rules[rule].action == ESMTP_ACTION_RATE_LIMIT &&
	       f->sink->within_rate(f->sink, rule);
}

/**
 * struct met - how a condition was met
 * @value: seen, 0 if there is none
 * @limit: allowed, 0 if there is none
 * @text: offending text
 * @text_len: its length
 */
struct met {
	u32 value;
	u32 limit;
	const u8 *text;
	u8 text_len;
};

/*
 * Condition @i is met. Returns true if nothing may run behind its rule: it closes, in mode monitor
 * too, where the events are those that would have been.
 */
static bool meet(struct esmtp_feed *f, u32 i, const struct met *met)
{
	const struct esmtp_cond *c = &f->p->conds[i];
	const struct esmtp_rule *rule = &f->p->rules[c->rule];
	struct esmtp_event *ev;

	if (!completes(f->e, rule, c) || is_within_rate(f, c->rule))
		return false;
	ev = esmtp_emit(f, ESMTP_EVENT_RULE, rule->action, rule->log);
	ev->rule = c->rule;
	ev->cond = i;
	ev->value = met->value;
	ev->limit = met->limit ? met->limit : c->limit;
	esmtp_event_text(ev, met->text, met->text_len);
	return closes(rule);
}

/* The same, and the connection closes by it. @closed is set if it does: not in mode monitor. */
static bool meet_and_close(struct esmtp_feed *f, u32 i, const struct met *met,
			   bool *closed)
{
	if (!meet(f, i, met))
		return false;
	*closed = close_by(f, f->p->conds[i].rule);
	return true;
}

/**
 * esmtp_fire_jump() - a counter went over limits
 * @f: call
 * @match: kind of condition
 * @from: the counter before; conditions with a limit below it have been met
 * @value: the counter now
 * @text: offending text
 * @text_len: its length
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_jump(struct esmtp_feed *f, enum esmtp_match match, u32 from,
		     u32 value, const u8 *text, u8 text_len)
{
	const struct met met = { value, 0, text, text_len };
	u32 i, k, n = n_conds_of(f->p, match);
	const struct esmtp_cond *c;
	bool closed = false;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, match, k);
		c = &f->p->conds[i];
		if (c->negate || c->limit < from || c->limit >= value)
			continue;
		if (meet_and_close(f, i, &met, &closed))
			break;
	}
	return closed;
}

/**
 * esmtp_fire() - a counter has grown by one
 * @f: call
 * @match: kind of condition
 * @value: the counter now
 * @text: offending text
 * @text_len: its length
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire(struct esmtp_feed *f, enum esmtp_match match, u32 value,
		const u8 *text, u8 text_len)
{
	return esmtp_fire_jump(f, match, value - 1, value, text, text_len);
}

/**
 * esmtp_fire_within() - what a counter measures has ended: conditions with "not" and a limit
 * @f: call
 * @match: kind of condition
 * @value: the counter at its end
 * @text: offending text
 * @text_len: its length
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_within(struct esmtp_feed *f, enum esmtp_match match, u32 value,
		       const u8 *text, u8 text_len)
{
	const struct met met = { value, 0, text, text_len };
	u32 i, k, n = n_conds_of(f->p, match);
	const struct esmtp_cond *c;
	bool closed = false;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, match, k);
		c = &f->p->conds[i];
		if (!c->negate || value > c->limit)
			continue;
		if (meet_and_close(f, i, &met, &closed))
			break;
	}
	return closed;
}

/**
 * esmtp_fire_member() - a word has been read: conditions with a set
 * @f: call
 * @match: kind of condition
 * @member: bit of the word in the set, its number
 * @text: as it came
 * @text_len: its length
 * @mask: set if it is to be masked; no later rule is looked at then
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_member(struct esmtp_feed *f, enum esmtp_match match,
		       unsigned int member, const u8 *text, u8 text_len,
		       bool *mask)
{
	const struct met met = { 0, 0, text, text_len };
	u32 i, k, n = n_conds_of(f->p, match);
	const struct esmtp_cond *c;
	bool closed = false;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, match, k);
		c = &f->p->conds[i];
		if (!esmtp_cond_wants(c, member))
			continue;
		if (meet_and_close(f, i, &met, &closed))
			break;
		if (f->p->rules[c->rule].action == ESMTP_ACTION_MASK) {
			*mask = true;
			break;
		}
	}
	return closed;
}

/**
 * esmtp_fire_fact() - it is known whether something happened: conditions that compare with nothing
 * @f: call
 * @match: kind of condition
 * @happened: it did
 * @value: seen
 * @limit: allowed
 * @text: offending text
 * @text_len: its length
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_fact(struct esmtp_feed *f, enum esmtp_match match,
		     bool happened, u32 value, u32 limit, const u8 *text,
		     u8 text_len)
{
	const struct met met = { value, limit, text, text_len };
	u32 i, k, n = n_conds_of(f->p, match);
	bool closed = false;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, match, k);
		if (f->p->conds[i].negate != happened &&
		    meet_and_close(f, i, &met, &closed))
			break;
	}
	return closed;
}

/**
 * esmtp_anomaly() - something odd was seen
 * @f: call
 * @type: event
 * @anomaly: what rules call it
 * @value: seen
 * @text: offending text
 * @text_len: its length
 *
 * Return: true if the connection closes.
 */
bool esmtp_anomaly(struct esmtp_feed *f, enum esmtp_event_type type,
		   enum esmtp_anomaly anomaly, u32 value, const u8 *text,
		   u8 text_len)
{
	struct esmtp_event *ev;
	bool mask = false;

	ev = esmtp_emit(f, type, ESMTP_ACTION_COUNT,
			type != ESMTP_EVENT_EIGHT_BIT);
	ev->value = value;
	esmtp_event_text(ev, text, text_len);
	return esmtp_fire_member(f, ESMTP_MATCH_ANOMALY, anomaly, text,
				 text_len, &mask);
}

/**
 * esmtp_tables_start() - a text begins
 * @p: policy
 * @text: which
 * @live: set to the states of its tables
 */
void esmtp_tables_start(const struct esmtp_policy *p, enum esmtp_text text,
			u16 *live)
{
	u32 i;

	for (i = 0; i < p->n_live[text]; i++)
		live[i] = esmtp_table_start(p->live[text][i]);
}

/**
 * esmtp_tables_byte() - one more byte of a text
 * @p: policy
 * @text: which
 * @live: states of its tables
 * @b: the byte
 */
void esmtp_tables_byte(const struct esmtp_policy *p, enum esmtp_text text,
		       u16 *live, u8 b)
{
	u32 i;

	for (i = 0; i < p->n_live[text]; i++)
		live[i] = esmtp_table_next(p->live[text][i], live[i], b);
}

/**
 * esmtp_fire_text() - a text has ended: conditions with a table
 * @f: call
 * @match: kind of condition
 * @live: states of the text's tables
 * @text: offending text
 * @text_len: its length
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_text(struct esmtp_feed *f, enum esmtp_match match,
		     const u16 *live, const u8 *text, u8 text_len)
{
	const struct met met = { 0, 0, text, text_len };
	u32 i, k, n = n_conds_of(f->p, match);
	const struct esmtp_cond *c;
	bool closed = false;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, match, k);
		c = &f->p->conds[i];
		if (esmtp_table_accepts(c->table, live[c->live]) == c->negate)
			continue;
		if (meet_and_close(f, i, &met, &closed))
			break;
	}
	return closed;
}

/**
 * esmtp_fire_relay() - a recipient has been read: conditions with a list of domains
 * @f: call
 * @abroad: bit = table that does not have all hosts of its address
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_relay(struct esmtp_feed *f, u8 abroad)
{
	const struct met met = { 0, 0, esmtp_line_text(f), esmtp_line_len(f) };
	u32 i, k, n = n_conds_of(f->p, ESMTP_MATCH_MAIL_RELAY);
	const struct esmtp_cond *c;
	bool closed = false;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, ESMTP_MATCH_MAIL_RELAY, k);
		c = &f->p->conds[i];
		if (!(abroad & 1u << c->live) != c->negate)
			continue;
		if (meet_and_close(f, i, &met, &closed))
			break;
	}
	return closed;
}

/**
 * esmtp_fire_name() - the name of a file has ended: conditions with a table
 * @f: call
 * @ends: bit = table that it would be in if it ended before
 * @odd: nobody can say what it is: it is held for one that every condition is about
 * @text: the name
 * @text_len: its length
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_name(struct esmtp_feed *f, u8 ends, bool odd, const u8 *text,
		     u8 text_len)
{
	u32 i, k, n = n_conds_of(f->p, ESMTP_MATCH_MIME_FILENAME_TEXT);
	const u16 *live = f->e->content.mime.live;
	const struct met met = { 0, 0, text, text_len };
	const struct esmtp_cond *c;
	bool closed = false, is_in;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, ESMTP_MATCH_MIME_FILENAME_TEXT, k);
		c = &f->p->conds[i];
		is_in = esmtp_table_accepts(c->table, live[c->live]);
		if (!odd && is_in == c->negate &&
		    (c->negate || !(ends & 1u << c->live)))
			continue;
		if (meet_and_close(f, i, &met, &closed))
			break;
	}
	return closed;
}

static bool is_field(const struct esmtp_cond *c, const u8 *name, u8 len)
{
	u8 i;

	if (c->field_len != len)
		return false;
	for (i = 0; i < len; i++)
		if (esmtp_lower(c->field[i]) != esmtp_lower(name[i]))
			return false;
	return true;
}

/**
 * esmtp_wants_field() - whether a policy has a condition about fields of a name
 * @p: policy
 * @name: as it came
 * @len: its length
 *
 * Return: true if it has.
 */
bool esmtp_wants_field(const struct esmtp_policy *p, const u8 *name, u8 len)
{
	u32 k, n = n_conds_of(p, ESMTP_MATCH_HEADER_TEXT);

	for (k = 0; k < n; k++)
		if (is_field(&p->conds[cond_index(p, ESMTP_MATCH_HEADER_TEXT,
						  k)], name, len))
			return true;
	return false;
}

/**
 * esmtp_fire_field() - a field of the header has ended
 * @f: call
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_field(struct esmtp_feed *f)
{
	u32 i, k, n = n_conds_of(f->p, ESMTP_MATCH_HEADER_TEXT);
	struct esmtp_content *ct = &f->e->content;
	const struct met met = { 0, 0, ct->name, ct->name_len };
	const struct esmtp_cond *c;
	bool closed = false;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, ESMTP_MATCH_HEADER_TEXT, k);
		c = &f->p->conds[i];
		if (!is_field(c, ct->name, ct->name_len) ||
		    !esmtp_table_accepts(c->table, ct->live[c->live]))
			continue;
		ct->met |= 1u << k;
		if (!c->negate && meet_and_close(f, i, &met, &closed))
			break;
	}
	return closed;
}

/**
 * esmtp_fire_no_field() - the header has ended: conditions with "not", which no field has met
 * @f: call
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_no_field(struct esmtp_feed *f)
{
	u32 i, k, n = n_conds_of(f->p, ESMTP_MATCH_HEADER_TEXT);
	const struct esmtp_cond *c;
	struct met met = { 0 };
	bool closed = false;

	for (k = 0; k < n; k++) {
		i = cond_index(f->p, ESMTP_MATCH_HEADER_TEXT, k);
		c = &f->p->conds[i];
		if (!c->negate || f->e->content.met & 1u << k)
			continue;
		met.text = c->field;
		met.text_len = c->field_len;
		if (meet_and_close(f, i, &met, &closed))
			break;
	}
	return closed;
}

/**
 * esmtp_allowed_verbs() - which verbs pass
 * @p: policy
 *
 * Return: bit = enum esmtp_verb.
 */
u64 esmtp_allowed_verbs(const struct esmtp_policy *p)
{
	u64 verbs = p->verbs;

	if (p->flags & ESMTP_POLICY_F_TLS_ALLOW)
		verbs |= 1ull << ESMTP_VERB_STARTTLS;
	return verbs & ~p->masked_verbs;
}
