/* SPDX-License-Identifier: GPL-2.0-only */
/* A policy made of three bytes of an input. */
#ifndef FUZZ_POLICY_H
#define FUZZ_POLICY_H

#include "../unit/harness.h"

#define RULES_MAX	6

static inline u64 argument(enum esmtp_match match, u32 from)
{
	switch (match) {
	case ESMTP_MATCH_EHLO_KEYWORD:
		return (from & ESMTP_KW_ALL) ?: 1;
	case ESMTP_MATCH_CMD_VERB:
		return (from & ESMTP_VERBS_ALL) ?: 1;
	case ESMTP_MATCH_MIME_ENCODING:
		return (from & ESMTP_ENC_ALL) ?: 1;
	case ESMTP_MATCH_ANOMALY:
		return (from & ESMTP_ANOMALY_ALL) ?: 1;
	default:
		return 1 + from % 60;
	}
}

/* A condition about a field says which. */
static inline void name_field(struct harness *h, u32 from)
{
	static const char * const names[] = { "Subject", "To", "x", "Content-Type" };
	struct esmtp_cond *c = &h->conds[h->policy.n_conds - 1];
	const char *name = names[from % 4];

	if (c->match != ESMTP_MATCH_HEADER_TEXT)
		return;
	c->field_len = (u8)strlen(name);
	memcpy(c->field, name, c->field_len);
}

static inline void make_rule(struct harness *h, u32 what)
{
	static const enum esmtp_action actions[] = {
		ESMTP_ACTION_COUNT, ESMTP_ACTION_DROP, ESMTP_ACTION_RESET, ESMTP_ACTION_COUNT,
		ESMTP_ACTION_MASK, ESMTP_ACTION_REPLY, ESMTP_ACTION_RATE_LIMIT, ESMTP_ACTION_COUNT };
	enum esmtp_match match = 1 + (what >> 16) % ESMTP_MATCH_MAX;
	enum esmtp_action action = actions[what >> 28 & 7];
	u32 rule;

	/* What is edited by rules. */
	if (what & 4 && (match == ESMTP_MATCH_EHLO_KEYWORD || match == ESMTP_MATCH_CMD_VERB))
		action = ESMTP_ACTION_MASK;
	rule = harness_rule(h, match, argument(match, what >> 4), action, what & 1);
	name_field(h, what >> 4);
	if (action == ESMTP_ACTION_RATE_LIMIT)
		h->rules[rule].rate = (struct esmtp_rate){ 1, 60, 1 };
	if (what & 2)
		harness_not(h);
	if (!(what & 8))
		return;
	match = 1 + (what >> 12) % ESMTP_MATCH_MAX;
	harness_cond(h, match, argument(match, what >> 8));
	name_field(h, what >> 8);
}

/* Of what does not go together in the rule, something else: its action, then its conditions. */
static inline void mend_rule(struct esmtp_rule *rule, struct esmtp_cond *c)
{
	if (rule->action != ESMTP_ACTION_COUNT) {
		rule->action = ESMTP_ACTION_COUNT;
		rule->rate = (struct esmtp_rate){ 0 };
	} else if (c->negate) {
		c->negate = false;
	} else if (rule->n_conds > 1) {
		rule->n_conds = 1;
	} else {
		abort();
	}
}

/* One rule after the other, by a walk that the input begins. */
static inline void make_policy(struct harness *h, u32 what)
{
	u32 n = (what >> 16) % (RULES_MAX + 1), state = what | 1u << 31, bad;

	h->policy.flags = what & ESMTP_POLICY_F_ALL;
	h->policy.verbs = what & 0x8000 ? ESMTP_VERBS_ALL : ESMTP_VERBS_ASA;
	harness_no_rules(h);
	while (n--) {
		make_rule(h, harness_random(&state));
	}
	h->policy.rules = h->rules;
	h->policy.conds = h->conds;
	h->policy.order = h->order;
	while (esmtp_policy_prepare(&h->policy, &bad))
		mend_rule(&h->rules[bad], &h->conds[h->rules[bad].first]);
}

#endif /* FUZZ_POLICY_H */
