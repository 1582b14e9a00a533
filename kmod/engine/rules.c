// SPDX-License-Identifier: GPL-2.0-only
/* The rules of a policy: when one fires, what it does, and whether they make sense. */
#include "internal.h"

/* What one byte can cause must fit into one result, so few rules may fire at once. */
#define SAME_LIMIT_MAX		2
#define SAME_KEYWORD_MAX	4
#define RCPT_RULES_MAX		4	/* a refused RSET can make their counter jump */
#define FILENAME_RULES_MAX	4	/* so can an encoded word without an end */

/**
 * esmtp_next_limit() - the limit that a growing counter meets next
 * @p: policy
 * @match: kind of rule
 * @now: the counter
 *
 * Return: the smallest limit that is not below @now, ESMTP_U32_MAX if there is none.
 */
u32 esmtp_next_limit(const struct esmtp_policy *p, enum esmtp_match match,
		     u32 now)
{
	u32 i, next = ESMTP_U32_MAX;

	for (i = 0; i < p->n_rules; i++)
		if (p->rules[i].match == match && p->rules[i].limit >= now &&
		    p->rules[i].limit < next)
			next = p->rules[i].limit;
	return next;
}

static bool closing(const struct esmtp_rule *rule)
{
	return rule->action == ESMTP_ACTION_DROP ||
	       rule->action == ESMTP_ACTION_RESET;
}

static struct esmtp_event *emit_rule(struct esmtp_feed *f, u32 i,
				     const u8 *text, u8 text_len)
{
	const struct esmtp_rule *rule = &f->p->rules[i];
	struct esmtp_event *ev;

	ev = esmtp_emit(f, ESMTP_EVENT_RULE, rule->action, rule->log);
	ev->rule = i;
	esmtp_event_text(ev, text, text_len);
	return ev;
}

static bool close_by(struct esmtp_feed *f, const struct esmtp_rule *rule)
{
	return esmtp_close(f, rule->action == ESMTP_ACTION_DROP ?
			      ESMTP_CLOSE_DROP : ESMTP_CLOSE_RESET);
}

/**
 * esmtp_fire_jump() - a counter went over limits
 * @f: call
 * @match: kind of rule
 * @from: the counter before; rules with a limit below it have fired
 * @value: the counter now
 * @text: offending text
 * @text_len: its length
 *
 * Nothing runs behind a rule that closes, in mode monitor neither: there the
 * events are those that would have been.
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_jump(struct esmtp_feed *f, enum esmtp_match match, u32 from,
		     u32 value, const u8 *text, u8 text_len)
{
	const struct esmtp_rule *rule;
	struct esmtp_event *ev;
	u32 i;

	for (i = 0; i < f->p->n_rules; i++) {
		rule = &f->p->rules[i];
		if (rule->match != match || rule->limit < from ||
		    rule->limit >= value)
			continue;
		ev = emit_rule(f, i, text, text_len);
		ev->value = value;
		ev->limit = rule->limit;
		if (closing(rule))
			return close_by(f, rule);
	}
	return false;
}

/**
 * esmtp_fire() - a counter has grown by one
 * @f: call
 * @match: kind of rule
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
 * esmtp_allowed_verbs() - which verbs pass
 * @p: policy; one that allows verbs it does not know allows all
 *
 * Return: bit = enum esmtp_verb.
 */
u64 esmtp_allowed_verbs(const struct esmtp_policy *p)
{
	if (p->verbs & 1ull << ESMTP_VERB_OTHER)
		return ESMTP_VERBS_ALL;
	if (p->flags & ESMTP_POLICY_F_TLS_ALLOW)
		return p->verbs | 1ull << ESMTP_VERB_STARTTLS;
	return p->verbs;
}

/**
 * esmtp_masked_keywords() - which keywords of the EHLO reply are masked
 * @p: policy
 *
 * A keyword's fate is the first rule about it that does more than count.
 *
 * Return: bit = enum esmtp_keyword.
 */
u32 esmtp_masked_keywords(const struct esmtp_policy *p)
{
	u32 i, decided = 0, masked = 0;

	for (i = 0; i < p->n_rules; i++) {
		if (p->rules[i].match != ESMTP_MATCH_EHLO_KEYWORD ||
		    p->rules[i].action == ESMTP_ACTION_COUNT)
			continue;
		if (p->rules[i].action == ESMTP_ACTION_MASK)
			masked |= p->rules[i].keywords & ~decided;
		decided |= p->rules[i].keywords;
	}
	return masked;
}

/**
 * esmtp_fire_keyword() - a keyword of the EHLO reply has been read
 * @f: call
 * @keyword: which
 * @text: as sent
 * @text_len: its length
 * @mask: set if its line is to be masked
 *
 * Return: true if the connection closes.
 */
bool esmtp_fire_keyword(struct esmtp_feed *f, enum esmtp_keyword keyword,
			const u8 *text, u8 text_len, bool *mask)
{
	const struct esmtp_rule *rule;
	u32 i;

	for (i = 0; i < f->p->n_rules; i++) {
		rule = &f->p->rules[i];
		if (rule->match != ESMTP_MATCH_EHLO_KEYWORD ||
		    !(rule->keywords & 1u << keyword))
			continue;
		emit_rule(f, i, text, text_len);
		if (closing(rule))
			return close_by(f, rule);
		if (rule->action == ESMTP_ACTION_MASK) {
			*mask = true;
			return false;
		}
	}
	return false;
}

static const char *check_keyword_rule(const struct esmtp_rule *rule)
{
	if (!rule->keywords)
		return "rule names no keyword";
	if (rule->keywords & ~ESMTP_KW_ALL)
		return "unknown keyword";
	if (rule->limit)
		return "rule about keywords has a limit";
	return NULL;
}

static const char *check_number_rule(const struct esmtp_rule *rule)
{
	if (rule->keywords)
		return "only ehlo-reply-parameter takes keywords";
	if (rule->action == ESMTP_ACTION_MASK)
		return "only ehlo-reply-parameter can be masked";
	if (rule->limit == ESMTP_U32_MAX)
		return "limit can never be exceeded";
	return NULL;
}

static const char *check_rule(const struct esmtp_rule *rule)
{
	if (rule->match == ESMTP_MATCH_UNSPEC || rule->match > ESMTP_MATCH_MAX)
		return "unknown kind of match";
	if (rule->action > ESMTP_ACTION_MAX)
		return "unknown action";
	if (rule->match == ESMTP_MATCH_EHLO_KEYWORD)
		return check_keyword_rule(rule);
	return check_number_rule(rule);
}

/* Counts, among the rules up to and with @n, those that can fire at the same byte as it. */
static const char *check_crowd(const struct esmtp_policy *p, u32 n)
{
	const struct esmtp_rule *rule = &p->rules[n], *other;
	u32 i, k, same = 0, kind = 0, keyword[__ESMTP_KW_MAX] = { 0 };

	for (i = 0; i <= n; i++) {
		other = &p->rules[i];
		if (other->match != rule->match)
			continue;
		kind++;
		same += other->limit == rule->limit;
		for (k = 0; k < __ESMTP_KW_MAX; k++)
			keyword[k] += rule->keywords & other->keywords &
				      1u << k ? 1 : 0;
	}
	for (k = 0; k < __ESMTP_KW_MAX; k++)
		if (keyword[k] > SAME_KEYWORD_MAX)
			return "more than four rules about one keyword";
	if (rule->match == ESMTP_MATCH_EHLO_KEYWORD)
		return NULL;
	if (same > SAME_LIMIT_MAX)
		return "more than two rules with the same match and limit";
	if (rule->match == ESMTP_MATCH_CMD_RCPT_COUNT && kind > RCPT_RULES_MAX)
		return "more than four rules about the number of recipients";
	if (rule->match == ESMTP_MATCH_MIME_FILENAME_LENGTH &&
	    kind > FILENAME_RULES_MAX)
		return "more than four rules about the length of file names";
	return NULL;
}

/**
 * esmtp_policy_check() - see engine.h
 * @p: policy from a stranger
 * @bad: index of the first bad rule, or ESMTP_NO_RULE
 *
 * Return: NULL or what is wrong.
 */
const char *esmtp_policy_check(const struct esmtp_policy *p, u32 *bad)
{
	const char *why;
	u32 i;

	*bad = ESMTP_NO_RULE;
	if (p->flags & ~ESMTP_POLICY_F_ALL)
		return "unknown flag";
	if (p->verbs & ~ESMTP_VERBS_ALL)
		return "unknown verb";
	if (p->n_rules > ESMTP_RULES_MAX)
		return "too many rules";
	for (i = 0; i < p->n_rules; i++) {
		why = check_rule(&p->rules[i]);
		if (!why)
			why = check_crowd(p, i);
		if (why) {
			*bad = i;
			return why;
		}
	}
	return NULL;
}
