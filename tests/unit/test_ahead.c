// SPDX-License-Identifier: GPL-2.0-only
/* Bytes that come before their turn: what may pass, and where a message may end. */
#include "harness.h"

static u8 scan(u8 before, const char *text)
{
	return esmtp_end_scan(before, (const u8 *)text, strlen(text));
}

static enum esmtp_ahead ahead(struct harness *h, enum esmtp_dir dir, u64 *left)
{
	return esmtp_engine_ahead(&h->engine, &h->policy, dir, left);
}

static void client(struct harness *h, const char *text)
{
	harness_say(h, ESMTP_DIR_CLIENT, text);
}

static void server(struct harness *h, const char *text)
{
	harness_say(h, ESMTP_DIR_SERVER, text);
}

static void test_only_content_goes_ahead(void **state)
{
	struct harness h;
	u64 left;

	(void)state;
	harness_init(&h);
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_NOT);
	server(&h, "220\r\n");
	client(&h, "DATA\r\n");
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_NOT);
	server(&h, "354\r\n");
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_DOTTED);
	assert_int_equal(ahead(&h, ESMTP_DIR_SERVER, &left), ESMTP_AHEAD_NOT);
	assert_true(esmtp_engine_content_left(&h.engine) == ~0ull);
	client(&h, "Subject: x\r\n\r\n.");
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_DOTTED);
	client(&h, "\r\n");
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_NOT);
	harness_free(&h);
}

/* What closes, once the reply to an earlier command has come, lets nothing go ahead of it. */
static void test_nothing_goes_ahead_of_a_verdict(void **state)
{
	struct harness h;
	u64 left;

	(void)state;
	harness_init(&h);
	h.policy.verbs |= 1ull << ESMTP_VERB_BDAT;
	harness_rule(&h, ESMTP_MATCH_MESSAGE_SIZE, 2, ESMTP_ACTION_DROP, true);
	server(&h, "220\r\n");
	client(&h, "NOOP\r\nBDAT 10\r\nab");
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_COUNTED);
	client(&h, "c");
	assert_int_equal(h.verdict, ESMTP_PASS);
	assert_int_equal(h.engine.latched, ESMTP_CLOSE_DROP);
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_NOT);
	harness_free(&h);
}

static void test_chunks_go_ahead_to_their_end(void **state)
{
	struct harness h;
	u64 left;

	(void)state;
	harness_init(&h);
	h.policy.verbs |= 1ull << ESMTP_VERB_BDAT;
	server(&h, "220\r\n");
	client(&h, "BDAT 10\r\nabc");
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_COUNTED);
	assert_int_equal(left, 7);
	assert_int_equal(esmtp_engine_content_left(&h.engine), 7);
	client(&h, "defghij");
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_NOT);
	harness_free(&h);
}

static void test_monitor_holds_nothing(void **state)
{
	struct harness h;
	u64 left;

	(void)state;
	harness_init(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	assert_int_equal(ahead(&h, ESMTP_DIR_CLIENT, &left), ESMTP_AHEAD_ANY);
	assert_int_equal(ahead(&h, ESMTP_DIR_SERVER, &left), ESMTP_AHEAD_ANY);
	harness_free(&h);
}

static void test_end_in_every_cut(void **state)
{
	static const char end[] = "\r\n.\r\n";
	char text[8];
	unsigned int i;

	(void)state;
	/* what is missing in front may have been there */
	for (i = 0; i < 5; i++)
		assert_int_equal(scan(ESMTP_END_UNKNOWN, end + i),
				 ESMTP_END_FOUND);
	/* and is remembered from piece to piece */
	for (i = 1; i < 5; i++) {
		memcpy(text, end, i);
		text[i] = 0;
		assert_false(scan(0, text) & ESMTP_END_FOUND);
		assert_int_equal(scan(scan(0, text), end + i), ESMTP_END_FOUND);
	}
	assert_int_equal(scan(0, "a\r\n.\r\nQUIT\r\n"), ESMTP_END_FOUND);
	assert_int_equal(scan(0, "\r\r\n.\r\n"), ESMTP_END_FOUND);
}

static void test_no_end(void **state)
{
	static const char *const text[] = {
		"a\n.\n", "a\r\n..\r\n", "a\r\n.a\r\n", "a\r.\r", "a\n.\r\n",
		"a\r\n.\r\r\n", "a\r\n \r\n", "\n\r\n.", "",
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(text) / sizeof(*text); i++)
		assert_false(scan(0, text[i]) & ESMTP_END_FOUND);
	assert_false(scan(ESMTP_END_UNKNOWN, "ab\r\n.") & ESMTP_END_FOUND);
	assert_false(scan(ESMTP_END_UNKNOWN, "..\r\n") & ESMTP_END_FOUND);
}

/* Where the engine finds the end, the scan of any piece that holds its last byte does, too. */
static void test_agrees_with_the_engine(void **state)
{
	static const char letters[] = { '\r', '\n', '.', 'a' };
	u32 seed = harness_seed(), taken, cut, ends = 0;
	unsigned int round, i, n;
	struct esmtp_result r;
	struct esmtp_engine e;
	struct harness h;
	u8 data[12];

	(void)state;
	harness_init(&h);
	harness_to_content(&h);
	for (round = 0; round < 100000; round++) {
		n = 1 + harness_random(&seed) % sizeof(data);
		for (i = 0; i < n; i++)
			data[i] = letters[harness_random(&seed) % sizeof(letters)];
		e = h.engine;
		taken = esmtp_engine_feed(&e, &h.policy, ESMTP_DIR_CLIENT, data,
					  n, &h.sink, &r);
		if (!e.n_owed) {
			assert_int_equal(taken, n);
			/* nor does a scan of all find one that is not there */
			assert_false(esmtp_end_scan(ESMTP_END_CRLF, data, n) &
				     ESMTP_END_FOUND);
			continue;
		}
		ends++;
		for (cut = 0; cut < taken; cut++)
			assert_int_equal(esmtp_end_scan(ESMTP_END_UNKNOWN,
							data + cut, taken - cut),
					 ESMTP_END_FOUND);
	}
	assert_true(ends > 1000);
	harness_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_content_goes_ahead),
		cmocka_unit_test(test_nothing_goes_ahead_of_a_verdict),
		cmocka_unit_test(test_chunks_go_ahead_to_their_end),
		cmocka_unit_test(test_monitor_holds_nothing),
		cmocka_unit_test(test_end_in_every_cut),
		cmocka_unit_test(test_no_end),
		cmocka_unit_test(test_agrees_with_the_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
