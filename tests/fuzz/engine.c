// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any dialogue under any policy, by the harness of the unit tests, which holds every call against its contract
 * (edits in order and of equal length, none in content, nothing behind a verdict) and every cut against the
 * uncut run: events, verdict, what passed, what was content.
 *
 * The input: three bytes of policy, one of cuts, then pieces: a byte with direction and length, and so many
 * bytes. A length of 63 is up to the end of the line.
 */
#include "../unit/harness.h"

#define RULES_MAX	6
#define STEPS_MAX	256
#define INPUT_MAX	4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static size_t next_step(const u8 *data, size_t len, struct step *s)
{
	size_t n = data[0] & 63;
	const u8 *lf;

	if (n == 63) {
		lf = memchr(data + 1, '\n', len - 1);
		n = lf ? (size_t)(lf - data) : len - 1;
	}
	s->dir = data[0] & 64 ? ESMTP_DIR_SERVER : ESMTP_DIR_CLIENT;
	s->data = (const char *)data + 1;
	s->len = n < len - 1 ? n : len - 1;
	return 1 + s->len;
}

static u64 argument(enum esmtp_match match, u32 from)
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

/* One kind of match after the other, by a walk that the input begins. */
static void make_policy(struct harness *h, u32 what)
{
	static const enum esmtp_action actions[] = {
		ESMTP_ACTION_COUNT, ESMTP_ACTION_DROP, ESMTP_ACTION_RESET, ESMTP_ACTION_COUNT };
	u32 n = (what >> 16) % (RULES_MAX + 1);
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
		harness_rule(h, match, argument(match, what >> 4), actions[what >> 28 & 3], what & 1);
		if (what & 2 && match != ESMTP_MATCH_ANOMALY)
			harness_not(h);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct step steps[STEPS_MAX];
	struct harness h;
	size_t n = 0, at;
	u32 cuts, all = 0;

	if (len < 5 || len > INPUT_MAX)
		return 0;
	for (at = 4; at < len && n < STEPS_MAX; n++) {
		at += next_step(data + at, len - at, &steps[n]);
		all += (u32)steps[n].len;
	}
	if (!all)
		return 0;
	cuts = 1u + data[3];
	harness_init(&h);
	make_policy(&h, (u32)(data[0] | data[1] << 8 | data[2] << 16));
	harness_run(&h, steps, n, (struct cut){ CUT_NONE, 0 });
	harness_one_cut(&h, steps, n, (struct cut){ CUT_BYTES, 0 });
	harness_one_cut(&h, steps, n, (struct cut){ CUT_AT, cuts % all });
	harness_one_cut(&h, steps, n, (struct cut){ CUT_RANDOM, cuts });
	harness_free(&h);
	return 0;
}
