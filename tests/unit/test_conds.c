// SPDX-License-Identifier: GPL-2.0-only
/* Rules with "not" and with several conditions, and rules about verbs. */
#define _GNU_SOURCE
#include "harness.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(v) (1ull << (v))
#define HEAD S("220 mx\r\n"), C("EHLO a\r\n"), S("250 ok\r\n")
#define MAIL C("MAIL FROM:<a@b.example>\r\n"), S("250 ok\r\n")
#define RCPT C("RCPT TO:<c@d.example>\r\n"), S("250 ok\r\n")
#define TEXT C("DATA\r\n"), S("354 go\r\n"), C("A: b\r\nSubject: 12345\r\n\r\n12345678\r\n123\r\n\r\n.\r\n"), \
	     S("250 ok\r\n")

/* No rule; one is made by the test. The banner is left alone. */
static void begin(struct harness *h)
{
	harness_init(h);
	harness_no_rules(h);
	h->policy.flags = 0;
}

/* The steps in every cut, and what they came to. */
static void run(struct harness *h, const struct step *steps, size_t n,
		const char *events)
{
	harness_all_cuts(h, steps, n, 20);
	harness_expect_events(h, events);
	harness_free(h);
}

#define RUN(h, events, ...) do {					\
	const struct step steps_[] = { __VA_ARGS__ };			\
									\
	run(h, steps_, N(steps_), events);				\
} while (0)

static void test_not_line_length(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 6, ESMTP_ACTION_COUNT,
		     true);
	harness_not(&h);
	RUN(&h, "rule#0:6(EHLO) rule#0:4(NOOP)", HEAD, C("NOOP\r\n"),
	    S("250 ok\r\n"), C("NOOP 12\r\n"));
}

static void test_not_closes_before_the_end(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_SENDER_LENGTH, 11, ESMTP_ACTION_DROP, true);
	harness_not(&h);
	harness_run(&h, (const struct step[]){ HEAD,
		    C("NOOP\r\nMAIL FROM:<a@b.example>\r\n"),
		    S("250 ok\r\n") }, 5, (struct cut){ CUT_NONE, 0 });
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	harness_expect(&h, ESMTP_DIR_CLIENT, "EHLO a\r\nNOOP\r\n");
	harness_free(&h);
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_SENDER_LENGTH, 11, ESMTP_ACTION_DROP, true);
	harness_not(&h);
	RUN(&h, "rule#0:11(MAIL)", HEAD, C("MAIL FROM:<12@b.example>\r\n"),
	    S("250 ok\r\n"), MAIL);
}

static void test_not_rcpt_count(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 1, ESMTP_ACTION_COUNT,
		     true);
	harness_not(&h);
	RUN(&h, "rule#0:1(DATA)", HEAD, MAIL, RCPT, RCPT, TEXT, MAIL, RCPT, TEXT);
}

static void test_not_in_content(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_HEADER_LINE_LENGTH, 5, ESMTP_ACTION_COUNT,
		     true);
	harness_not(&h);
	harness_rule(&h, ESMTP_MATCH_BODY_LINE_LENGTH, 5, ESMTP_ACTION_COUNT,
		     true);
	harness_not(&h);
	/* the empty line between them is neither's; that in the body is one of it */
	RUN(&h, "rule#0:4(A) rule#1:3 rule#1", HEAD, MAIL, RCPT, TEXT);
}

static void test_not_filename(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_MIME_FILENAME_LENGTH, 3,
		     ESMTP_ACTION_COUNT, true);
	harness_not(&h);
	RUN(&h, "rule#0:3(filename) rule#0:2(name) rule#0:3(filename)",
	    HEAD, MAIL, RCPT, C("DATA\r\n"), S("354 go\r\n"),
	    C("Content-Disposition: a; filename=abc; x=\"ab\"\r\n"
	      "Content-Type: a/b; name=ab; name=abcd\r\n"
	      "Content-Disposition: a; filename*1=b; filename*0=ac\r\n"
	      "Content-Disposition: a; filename*1=bbb; filename*0=ac\r\n"
	      "\r\n.\r\n"));
}

static void test_verb_masked(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB,
		     BIT(ESMTP_VERB_NOOP) | BIT(ESMTP_VERB_VRFY),
		     ESMTP_ACTION_MASK, true);
	harness_run(&h, (const struct step[]){ HEAD, C("VRFY abc\r\n"),
		    S("500 no\r\n"), C("NOOP\r\n"), S("500 no\r\n"),
		    C("RSET\r\n") }, 8, (struct cut){ CUT_NONE, 0 });
	harness_expect(&h, ESMTP_DIR_CLIENT,
		       "EHLO a\r\nXXXXXXXX\r\nXXXX\r\nRSET\r\n");
	harness_free(&h);
	begin(&h);
	h.policy.verbs = ESMTP_VERBS_ALL;
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, BIT(ESMTP_VERB_VRFY),
		     ESMTP_ACTION_MASK, true);
	RUN(&h, "rule#0(VRFY) verb-length(VRFYING)", HEAD, C("VRFY abc\r\n"),
	    S("500 no\r\n"), C("VRFYING a\r\n"), S("500 no\r\n"));
}

/* The server must never read a verb that is masked, however it comes. */
static void test_masked_verb_never_passes(void **state)
{
	static const struct step steps[] = {
		HEAD, C("VRFY root\r\n"), S("500 no\r\n"),
	};
	struct harness h;
	u32 cut;

	(void)state;
	for (cut = 0; cut < 40; cut++) {
		begin(&h);
		h.policy.verbs = ESMTP_VERBS_ALL;
		harness_rule(&h, ESMTP_MATCH_CMD_VERB, BIT(ESMTP_VERB_VRFY),
			     ESMTP_ACTION_MASK, true);
		harness_run(&h, steps, N(steps),
			    (struct cut){ cut ? CUT_AT : CUT_BYTES, cut });
		assert_null(memmem(h.out[0].p, h.out[0].n, "VRFY", 4));
		assert_int_equal(h.out[0].n, h.in[0].n);
		harness_free(&h);
	}
}

/* A keyword whose verb a rule masks must not be offered. */
static void test_masked_verb_is_not_offered(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, BIT(ESMTP_VERB_VRFY),
		     ESMTP_ACTION_MASK, true);
	harness_run(&h, (const struct step[]){ S("220 mx\r\n"), C("EHLO a\r\n"),
		    S("250-mx\r\n250-VRFY\r\n250 ETRN\r\n") }, 3,
		    (struct cut){ CUT_NONE, 0 });
	harness_expect(&h, ESMTP_DIR_SERVER,
		       "220 mx\r\n250-mx\r\n250-XXXA\r\n250 ETRN\r\n");
	harness_free(&h);
}

static void test_verb_allow_list(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	h.policy.verbs = ESMTP_VERBS_ALL;
	harness_rule(&h, ESMTP_MATCH_CMD_VERB,
		     BIT(ESMTP_VERB_EHLO) | BIT(ESMTP_VERB_NOOP),
		     ESMTP_ACTION_RESET, true);
	harness_not(&h);
	RUN(&h, "rule#0(TURN)", HEAD, C("NOOP\r\n"), S("250 ok\r\n"),
	    C("TURN\r\nNOOP\r\n"));
}

static void test_per_verb_line_length(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB,
		     BIT(ESMTP_VERB_MAIL) | BIT(ESMTP_VERB_NOOP),
		     ESMTP_ACTION_COUNT, true);
	harness_cond(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 8);
	RUN(&h, "rule#0:9(NOOP)", HEAD, C("NOOP 12345\r\n"), S("250 ok\r\n"),
	    C("RSET 12345\r\n"), S("250 ok\r\n"), C("NOOP 123\r\n"));
}

static void test_verb_without_a_long_line(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, BIT(ESMTP_VERB_NOOP),
		     ESMTP_ACTION_COUNT, true);
	harness_cond_not(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 8);
	RUN(&h, "rule#0:8(NOOP)", HEAD, C("NOOP 1234\r\n"), S("250 ok\r\n"),
	    C("RSET\r\n"), S("250 ok\r\n"), C("NOOP 123\r\n"));
}

/* What was met in the envelope holds for the message, and not for the next one. */
static void test_sender_and_content(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_SENDER_LENGTH, 11, ESMTP_ACTION_COUNT,
		     true);
	harness_cond(&h, ESMTP_MATCH_BODY_LINE_LENGTH, 7);
	RUN(&h, "rule#0:8", HEAD, MAIL, RCPT, TEXT,
	    C("MAIL FROM:<longer@b.example>\r\n"), S("250 ok\r\n"), RCPT, TEXT,
	    MAIL, RCPT, TEXT);
}

static void test_three_conditions_in_any_order(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_BODY_LINE_LENGTH, 7, ESMTP_ACTION_COUNT,
		     true);
	harness_cond_not(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 1);
	harness_cond(&h, ESMTP_MATCH_HEADER_LINE_LENGTH, 13);
	RUN(&h, "rule#0:8", HEAD, MAIL, RCPT, TEXT, MAIL, RCPT, RCPT, TEXT);
}

/* Rules of one match in their order; nothing behind one that closes. */
static void test_order(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, BIT(ESMTP_VERB_NOOP),
		     ESMTP_ACTION_COUNT, true);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, BIT(ESMTP_VERB_NOOP),
		     ESMTP_ACTION_RESET, true);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, BIT(ESMTP_VERB_NOOP),
		     ESMTP_ACTION_DROP, true);
	RUN(&h, "rule#0(NOOP) rule#1(NOOP)", HEAD, C("NOOP\r\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_line_length),
		cmocka_unit_test(test_not_closes_before_the_end),
		cmocka_unit_test(test_not_rcpt_count),
		cmocka_unit_test(test_not_in_content),
		cmocka_unit_test(test_not_filename),
		cmocka_unit_test(test_verb_masked),
		cmocka_unit_test(test_masked_verb_never_passes),
		cmocka_unit_test(test_masked_verb_is_not_offered),
		cmocka_unit_test(test_verb_allow_list),
		cmocka_unit_test(test_per_verb_line_length),
		cmocka_unit_test(test_verb_without_a_long_line),
		cmocka_unit_test(test_sender_and_content),
		cmocka_unit_test(test_three_conditions_in_any_order),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
