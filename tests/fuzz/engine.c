// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any dialogue under any policy, by the harness of the unit tests, which holds every call against its contract
 * (edits in order and of equal length, none in content, nothing behind a verdict) and every cut against the
 * uncut run: events, verdict, what passed, what was content.
 *
 * The input: three bytes of policy, one of cuts, then pieces: a byte with direction and length, and so many
 * bytes. A length of 63 is up to the end of the line.
 */
#include "policy.h"

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
	h.tokens = data[3] % 4;
	harness_run(&h, steps, n, (struct cut){ CUT_NONE, 0 });
	harness_one_cut(&h, steps, n, (struct cut){ CUT_BYTES, 0 });
	harness_one_cut(&h, steps, n, (struct cut){ CUT_AT, cuts % all });
	harness_one_cut(&h, steps, n, (struct cut){ CUT_RANDOM, cuts });
	harness_free(&h);
	return 0;
}
