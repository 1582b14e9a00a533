// SPDX-License-Identifier: GPL-2.0-only
/* The rules of a policy before it is used: whether they make sense, and what is worked out once. */
#include "internal.h"

/**
 * struct match_info - a kind of match
 * @operand: enum esmtp_operand
 * @scope: enum esmtp_scope: for how long it holds
 * @mask: a rule with it can mask
 * @reply: a rule with it can reply: it is met by the client's commands, or by what they come to
 * @no_not: sentence that says why it cannot be negated, or NULL
 * @all: what its set may have
 * @text: enum esmtp_text; matches of a text
 */
struct match_info {
	u8 operand;
	u8 scope;
	bool mask;
	bool reply;
	const char *no_not;
	u64 all;
	u8 text;
};

#define LIMIT(s, ...) { .operand = ESMTP_OPERAND_LIMIT, .scope = ESMTP_SCOPE_##s, ##__VA_ARGS__ }
#define SET(s, members, ...) { .operand = ESMTP_OPERAND_SET, .scope = ESMTP_SCOPE_##s, \
			       .all = members, ##__VA_ARGS__ }
#define TEXT(s, what, ...) { .operand = ESMTP_OPERAND_TABLE, .scope = ESMTP_SCOPE_##s, \
			     .text = ESMTP_TEXT_##what, ##__VA_ARGS__ }

/* A new match is a line here, and a call of an esmtp_fire…() where what it measures is read. */
static const struct match_info matches[__ESMTP_MATCH_MAX] = {
	[ESMTP_MATCH_CMD_LINE_LENGTH] = LIMIT(COMMAND, .reply = true),
	[ESMTP_MATCH_CMD_RCPT_COUNT] = LIMIT(TRANSACTION, .reply = true),
	[ESMTP_MATCH_BODY_LINE_LENGTH] = LIMIT(MESSAGE),
	[ESMTP_MATCH_HEADER_LINE_LENGTH] = LIMIT(MESSAGE),
	[ESMTP_MATCH_SENDER_LENGTH] = LIMIT(TRANSACTION, .reply = true),
	[ESMTP_MATCH_MIME_FILENAME_LENGTH] = LIMIT(PART),
	[ESMTP_MATCH_EHLO_KEYWORD] = SET(REPLY, ESMTP_KW_ALL, .mask = true),
	[ESMTP_MATCH_CMD_VERB] = SET(COMMAND, ESMTP_VERBS_ALL, .mask = true,
		.reply = true),
	[ESMTP_MATCH_BODY_LENGTH] = LIMIT(MESSAGE),
	[ESMTP_MATCH_HEADER_LENGTH] = LIMIT(MESSAGE),
	[ESMTP_MATCH_HEADER_TO_COUNT] = LIMIT(MESSAGE),
	[ESMTP_MATCH_HEADER_COUNT] = LIMIT(MESSAGE),
	[ESMTP_MATCH_MESSAGE_SIZE] = LIMIT(MESSAGE),
	[ESMTP_MATCH_DECLARED_SIZE] = {
		.operand = ESMTP_OPERAND_NONE, .scope = ESMTP_SCOPE_MESSAGE },
	[ESMTP_MATCH_MIME_ENCODING] = SET(PART, ESMTP_ENC_ALL),
	[ESMTP_MATCH_REPLY_LINE_LENGTH] = LIMIT(REPLY),
	[ESMTP_MATCH_INVALID_RCPT_COUNT] = LIMIT(CONNECTION, .reply = true),
	[ESMTP_MATCH_SPECIAL_CHARACTER] = {
		.operand = ESMTP_OPERAND_NONE, .scope = ESMTP_SCOPE_TRANSACTION,
		.reply = true },
	[ESMTP_MATCH_ANOMALY] = SET(CONNECTION, ESMTP_ANOMALY_ALL,
		.no_not = "no anomaly can be waited for to be absent"),
	[ESMTP_MATCH_SENDER_TEXT] = TEXT(TRANSACTION, SENDER, .reply = true),
	[ESMTP_MATCH_RECIPIENT_TEXT] = TEXT(TRANSACTION, RECIPIENT,
		.reply = true),
	[ESMTP_MATCH_MAIL_RELAY] = TEXT(TRANSACTION, RELAY, .reply = true),
	[ESMTP_MATCH_MIME_TYPE_TEXT] = TEXT(PART, MIME_TYPE),
	[ESMTP_MATCH_MIME_FILENAME_TEXT] = TEXT(PART, MIME_FILENAME),
	[ESMTP_MATCH_HEADER_TEXT] = TEXT(MESSAGE, HEADER),
};

/**
 * esmtp_match_operand() - see engine.h
 * @match: kind
 *
 * Return: enum esmtp_operand.
 */
enum esmtp_operand esmtp_match_operand(enum esmtp_match match)
{
	if (match >= __ESMTP_MATCH_MAX)
		return ESMTP_OPERAND_NONE;
	return (enum esmtp_operand)matches[match].operand;
}

static const char *check_text(const struct esmtp_cond *c)
{
	if (c->limit || c->set)
		return "this match has a table, not a limit or a set";
	if (!c->table)
		return "the table is missing";
	return NULL;
}

static const char *check_set(const struct esmtp_cond *c)
{
	if (c->limit)
		return "this match has a set, not a limit";
	if (!c->set)
		return "the set is empty";
	if (c->set & ~matches[c->match].all)
		return "the set has a member that is not known";
	return NULL;
}

static const char *check_counter(const struct esmtp_cond *c)
{
	if (c->set)
		return "this match has a limit, not a set";
	if (c->limit == ESMTP_U32_MAX)
		return "limit can never be exceeded";
	return NULL;
}

static const char *check_field(const struct esmtp_cond *c)
{
	u8 i;

	if (c->match != ESMTP_MATCH_HEADER_TEXT)
		return c->field_len ? "this match is not about a field" : NULL;
	if (!c->field_len)
		return "the name of the field is missing";
	if (c->field_len > ESMTP_FIELD_NAME_MAX)
		return "the name of the field is too long";
	for (i = 0; i < c->field_len; i++)
		if (c->field[i] <= ' ' || c->field[i] >= 0x7f ||
		    c->field[i] == ':')
			return "no field can have this name";
	return NULL;
}

static const char *check_cond(const struct esmtp_cond *c)
{
	const char *why;

	if (c->match == ESMTP_MATCH_UNSPEC || c->match > ESMTP_MATCH_MAX)
		return "unknown kind of match";
	why = check_field(c);
	if (why)
		return why;
	if (c->negate && matches[c->match].no_not)
		return matches[c->match].no_not;
	if (esmtp_match_operand(c->match) == ESMTP_OPERAND_TABLE)
		return check_text(c);
	if (c->table)
		return "this match has no table";
	switch (esmtp_match_operand(c->match)) {
	case ESMTP_OPERAND_SET:
		return check_set(c);
	case ESMTP_OPERAND_LIMIT:
		return check_counter(c);
	default:
		return c->set || c->limit ?
		       "this match compares with nothing" : NULL;
	}
}

/* Whether a mask hits the word is known when the word is, so nothing else can be waited for. */
static const char *check_mask(const struct esmtp_policy *p,
			      const struct esmtp_rule *rule)
{
	if (rule->n_conds > 1)
		return "a rule that masks has one condition";
	if (!matches[p->conds[rule->first].match].mask)
		return "only ehlo-reply-parameter and cmd verb can be masked";
	return NULL;
}

static bool is_reply_code(u16 code)
{
	return (code >= 400 && code < 460) || (code >= 500 && code < 560);
}

static bool is_reply_text(const char *text, u8 len)
{
	u8 i;

	for (i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~' || text[i] == '"')
			return false;
	return len && len <= ESMTP_REPLY_TEXT_MAX;
}

/* A reply stands where one of the server's could: not within content, nor for what the server says. */
static const char *check_reply(const struct esmtp_policy *p,
			       const struct esmtp_rule *rule)
{
	u32 i;

	if (rule->code && !is_reply_code(rule->code))
		return "the code of a reply is 400 to 459 or 500 to 559";
	if (rule->text && !is_reply_text(rule->text, rule->text_len))
		return "the text of a reply is 1 to 200 printable ASCII characters without quotes";
	for (i = 0; i < rule->n_conds; i++)
		if (!matches[p->conds[rule->first + i].match].reply)
			return "a reply stands between commands: all conditions of its rule are about what the client's commands say or come to";
	return NULL;
}

static const char *check_rate(const struct esmtp_policy *p,
			      const struct esmtp_rule *rule)
{
	const char *why = esmtp_rate_check(&rule->rate);

	return why ? why : check_reply(p, rule);
}

static const char *check_rule(const struct esmtp_policy *p,
			      const struct esmtp_rule *rule)
{
	const char *why;
	u32 i;

	if (rule->action > ESMTP_ACTION_MAX)
		return "unknown action";
	if (!rule->n_conds)
		return "a rule needs a condition";
	if (rule->n_conds > ESMTP_CONDS_MAX)
		return "too many conditions in one rule";
	if (rule->first > p->n_conds ||
	    rule->n_conds > p->n_conds - rule->first)
		return "a rule's conditions are missing";
	for (i = 0; i < rule->n_conds; i++) {
		why = check_cond(&p->conds[rule->first + i]);
		if (why)
			return why;
	}
	if (rule->action != ESMTP_ACTION_REPLY && (rule->code || rule->text))
		return "only a reply has a code and a text";
	if (rule->action != ESMTP_ACTION_RATE_LIMIT &&
	    (rule->rate.events || rule->rate.seconds || rule->rate.burst))
		return "only rate-limit has a rate";
	if (rule->action == ESMTP_ACTION_MASK)
		return check_mask(p, rule);
	if (rule->action == ESMTP_ACTION_REPLY)
		return check_reply(p, rule);
	if (rule->action == ESMTP_ACTION_RATE_LIMIT)
		return check_rate(p, rule);
	return NULL;
}

/* Tables of one kind of text run side by side, each once. Returns false: too many. */
static bool place_table(struct esmtp_policy *p, struct esmtp_cond *c)
{
	u8 text = matches[c->match].text, i = 0;

	if (!c->table)
		return true;
	while (i < p->n_live[text] && p->live[text][i] != c->table)
		i++;
	if (i == ESMTP_TABLES_LIVE)
		return false;
	if (i == p->n_live[text])
		p->live[text][p->n_live[text]++] = c->table;
	c->live = i;
	return true;
}

/* Returns false: too many. */
static bool place_tables(struct esmtp_policy *p, const struct esmtp_rule *rule)
{
	u32 i;

	for (i = 0; i < rule->n_conds; i++)
		if (!place_table(p, &p->conds[rule->first + i]))
			return false;
	return true;
}

/* Conditions know their rule and, where that has several, have a bit each. Returns false: too many. */
static bool place_conds(struct esmtp_policy *p, u32 n, u32 *held)
{
	struct esmtp_rule *rule = &p->rules[n];
	struct esmtp_cond *c;
	u32 i;

	rule->held = 0;
	for (i = 0; i < rule->n_conds; i++) {
		c = &p->conds[rule->first + i];
		c->rule = n;
		c->held = ESMTP_HELD_NONE;
		if (rule->n_conds == 1)
			continue;
		if (*held == ESMTP_HELD_MAX)
			return false;
		c->held = (*held)++;
		rule->held |= 1ull << c->held;
	}
	return true;
}

static void sort_conds(struct esmtp_policy *p)
{
	u32 match, i, n = 0;

	p->negated = 0;
	for (match = 0; match < __ESMTP_MATCH_MAX; match++) {
		p->first[match] = n;
		for (i = 0; i < p->n_conds; i++)
			if (p->conds[i].match == match) {
				p->order[n++] = i;
				p->negated |= (u64)p->conds[i].negate << match;
			}
	}
	p->first[match] = n;
}

/* What begins with each scope ends what was met in it, or within it. */
static void sum_scopes(struct esmtp_policy *p)
{
	static const u8 inner[ESMTP_SCOPES] = {
		[ESMTP_SCOPE_TRANSACTION] = 1 << ESMTP_SCOPE_TRANSACTION |
					    1 << ESMTP_SCOPE_MESSAGE |
					    1 << ESMTP_SCOPE_PART,
		[ESMTP_SCOPE_MESSAGE] = 1 << ESMTP_SCOPE_MESSAGE |
					1 << ESMTP_SCOPE_PART,
		[ESMTP_SCOPE_PART] = 1 << ESMTP_SCOPE_PART,
		[ESMTP_SCOPE_COMMAND] = 1 << ESMTP_SCOPE_COMMAND,
		[ESMTP_SCOPE_REPLY] = 1 << ESMTP_SCOPE_REPLY,
	};
	const struct esmtp_cond *c;
	u32 i, scope;

	memset(p->scope, 0, sizeof(p->scope));
	for (i = 0; i < p->n_conds; i++) {
		c = &p->conds[i];
		if (c->held == ESMTP_HELD_NONE)
			continue;
		for (scope = 0; scope < ESMTP_SCOPES; scope++)
			if (inner[scope] & 1u << matches[c->match].scope)
				p->scope[scope] |= 1ull << c->held;
	}
}

/* A member's fate is the first rule about it, and about nothing else, that does more than count. */
static u64 masked_members(const struct esmtp_policy *p, enum esmtp_match match)
{
	u64 wanted, decided = 0, masked = 0;
	const struct esmtp_rule *rule;
	const struct esmtp_cond *c;
	u32 i;

	for (i = p->first[match]; i < p->first[match + 1]; i++) {
		c = &p->conds[p->order[i]];
		rule = &p->rules[c->rule];
		if (rule->n_conds > 1 || rule->action == ESMTP_ACTION_COUNT ||
		    rule->action == ESMTP_ACTION_RATE_LIMIT)
			continue;
		wanted = c->negate ? matches[match].all & ~c->set : c->set;
		if (rule->action == ESMTP_ACTION_MASK)
			masked |= wanted & ~decided;
		decided |= wanted;
	}
	return masked;
}

/* All that conditions of a match with a set ask for; none of them is negated. */
static u64 asked_for(const struct esmtp_policy *p, enum esmtp_match match)
{
	u64 set = 0;
	u32 i;

	for (i = p->first[match]; i < p->first[match + 1]; i++)
		set |= p->conds[p->order[i]].set;
	return set;
}

/**
 * esmtp_policy_prepare() - see engine.h
 * @p: policy from a stranger
 * @bad: index of the first bad rule, or ESMTP_NO_RULE
 *
 * Return: NULL or what is wrong.
 */
const char *esmtp_policy_prepare(struct esmtp_policy *p, u32 *bad)
{
	const char *why;
	u32 i, held = 0;

	*bad = ESMTP_NO_RULE;
	if (p->flags & ~ESMTP_POLICY_F_ALL)
		return "unknown flag";
	if (p->verbs & ~ESMTP_VERBS_ALL)
		return "unknown verb";
	if (p->n_rules > ESMTP_RULES_MAX)
		return "too many rules";
	memset(p->n_live, 0, sizeof(p->n_live));
	for (i = 0; i < p->n_rules; i++) {
		*bad = i;
		why = check_rule(p, &p->rules[i]);
		if (why)
			return why;
		if (!place_conds(p, i, &held))
			return "the rules with several conditions have more than 64 of them";
		if (!place_tables(p, &p->rules[i]))
			return "the rules hold one kind of text against more than 8 tables";
	}
	*bad = ESMTP_NO_RULE;
	sort_conds(p);
	if (p->first[ESMTP_MATCH_HEADER_TEXT + 1] -
	    p->first[ESMTP_MATCH_HEADER_TEXT] > ESMTP_FIELD_CONDS_MAX)
		return "the rules have more than 32 conditions about fields of the header";
	sum_scopes(p);
	p->masked_keywords = masked_members(p, ESMTP_MATCH_EHLO_KEYWORD);
	if (p->flags & ESMTP_POLICY_F_NO_PIPELINING)
		p->masked_keywords |= 1ull << ESMTP_KW_PIPELINING;
	p->anomalies = asked_for(p, ESMTP_MATCH_ANOMALY);
	if (p->flags & ESMTP_POLICY_F_NO_PIPELINING)
		p->anomalies |= 1ull << ESMTP_ANOMALY_PIPELINING;
	p->masked_verbs = masked_members(p, ESMTP_MATCH_CMD_VERB);
	return NULL;
}
