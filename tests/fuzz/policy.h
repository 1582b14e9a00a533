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

/* One kind of match after the other, by a walk that the input begins; @actions are four. */
static inline void make_policy(struct harness *h, u32 what, const enum esmtp_action *actions)
{
	u32 n = (what >> 16) % (RULES_MAX + 1);
	enum esmtp_action action;
	enum esmtp_match match;

	h->policy.flags = what & ESMTP_POLICY_F_ALL;
	h->policy.verbs = what & 0x8000 ? ESMTP_VERBS_ALL : ESMTP_VERBS_ASA;
	harness_no_rules(h);
	while (n--) {
		what = what * 1103515245 + 12345;
		match = 1 + (what >> 16) % ESMTP_MATCH_MAX;
		/* Of a field it has to be said which; pieces of a line that was masked in part differ by the cut. */
		if (match == ESMTP_MATCH_HEADER_TEXT)
			continue;
		action = actions[what >> 28 & 3];
		/* What is edited by rules. */
		if (what & 4 && (match == ESMTP_MATCH_EHLO_KEYWORD || match == ESMTP_MATCH_CMD_VERB))
			action = ESMTP_ACTION_MASK;
		harness_rule(h, match, argument(match, what >> 4), action, what & 1);
		if (what & 2 && match != ESMTP_MATCH_ANOMALY)
			harness_not(h);
	}
}

#endif /* FUZZ_POLICY_H */
