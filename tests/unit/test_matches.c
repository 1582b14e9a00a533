// SPDX-License-Identifier: GPL-2.0-only
/* Each match that counts or chooses: at its limit, one past it, and turned round. */
#define _GNU_SOURCE
#include "harness.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(v) (1ull << (v))
#define HEAD S("220 mx\r\n"), C("EHLO a\r\n"), S("250 ok\r\n")
#define MAIL(more) C("MAIL FROM:<a@b.example>" more "\r\n"), S("250 ok\r\n")
#define RCPT C("RCPT TO:<c@d.example>\r\n"), S("250 ok\r\n")
#define DATA C("DATA\r\n"), S("354 go\r\n")

/* The message is 6 + 7 + 2 bytes of header and 5 + 3 + 4 of body, of which a dot is not counted. */
#define MESSAGE		"To: a\r\nB: cd\r\n\r\n123\r\n..x\r\ny\r\n.\r\n"
#define HEADER_SIZE	14
#define BODY_SIZE	12
#define SIZE		(HEADER_SIZE + 2 + BODY_SIZE)

/* The only rule is one of this match; what it came to in every cut of the steps. */
static void one_rule(enum esmtp_match match, u64 arg, bool negate,
		     const struct step *steps, size_t n, const char *events)
{
	struct harness h;

	harness_init(&h);
	harness_no_rules(&h);
	h.policy.flags = 0;
	h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
	harness_rule(&h, match, arg, ESMTP_ACTION_COUNT, true);
	if (negate)
		harness_not(&h);
	harness_all_cuts(&h, steps, n, 20);
	harness_expect_events(&h, events);
	harness_free(&h);
}

#define ONE_RULE(match, arg, negate, events, ...) do {			\
	const struct step steps_[] = { __VA_ARGS__ };			\
									\
	one_rule(match, arg, negate, steps_, N(steps_), events);	\
} while (0)

/* The same under a rule that closes: how it ends, and what of the client's bytes has passed. */
static void closes(enum esmtp_match match, u64 arg, bool negate,
		   const struct step *steps, size_t n, const char *passed_end)
{
	struct harness h;
	size_t len = strlen(passed_end);

	harness_init(&h);
	harness_no_rules(&h);
	h.policy.flags = 0;
	h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
	harness_rule(&h, match, arg, ESMTP_ACTION_RESET, true);
	if (negate)
		harness_not(&h);
	harness_all_cuts(&h, steps, n, 20);
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	assert_true(h.out[0].n >= len);
	assert_memory_equal(h.out[0].p + h.out[0].n - len, passed_end, len);
	harness_free(&h);
}

#define CLOSES(match, arg, negate, passed_end, ...) do {		\
	const struct step steps_[] = { __VA_ARGS__ };			\
									\
	closes(match, arg, negate, steps_, N(steps_), passed_end);	\
} while (0)

static void test_header_length(void **state)
{
	(void)state;
	ONE_RULE(ESMTP_MATCH_HEADER_LENGTH, HEADER_SIZE, false, "", HEAD,
		 MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_HEADER_LENGTH, HEADER_SIZE - 1, false, "rule#0:14",
		 HEAD, MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_HEADER_LENGTH, HEADER_SIZE, true, "rule#0:14",
		 HEAD, MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_HEADER_LENGTH, HEADER_SIZE - 1, true, "", HEAD,
		 MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	CLOSES(ESMTP_MATCH_HEADER_LENGTH, 8, false, "To: a\r\nB", HEAD,
	       MAIL(""), RCPT, DATA, C(MESSAGE));
}

static void test_body_length(void **state)
{
	(void)state;
	ONE_RULE(ESMTP_MATCH_BODY_LENGTH, BODY_SIZE, false, "", HEAD,
		 MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_BODY_LENGTH, BODY_SIZE - 1, false, "rule#0:12",
		 HEAD, MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_BODY_LENGTH, BODY_SIZE, true, "rule#0:12",
		 HEAD, MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	/* a message of a header alone has a body too, of nothing */
	ONE_RULE(ESMTP_MATCH_BODY_LENGTH, 5, true, "rule#0", HEAD, MAIL(""),
		 RCPT, DATA, C("A: b\r\n.\r\n"), S("250 ok\r\n"));
	/* withheld is at least the last byte, without which the message is none */
	CLOSES(ESMTP_MATCH_BODY_LENGTH, BODY_SIZE, true, "y\r\n.\r", HEAD,
	       MAIL(""), RCPT, DATA, C(MESSAGE));
}

static void test_message_size(void **state)
{
	(void)state;
	ONE_RULE(ESMTP_MATCH_MESSAGE_SIZE, SIZE, false, "", HEAD,
		 MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_MESSAGE_SIZE, SIZE - 1, false, "rule#0:28",
		 HEAD, MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_MESSAGE_SIZE, SIZE, true, "rule#0:28",
		 HEAD, MAIL(""), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_MESSAGE_SIZE, 9, false, "rule#0:10", HEAD,
		 MAIL(""), RCPT, C("BDAT 6\r\n123456"), S("250 ok\r\n"),
		 C("BDAT 4 LAST\r\n7890"), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_MESSAGE_SIZE, 10, true, "rule#0:10", HEAD,
		 MAIL(""), RCPT, C("BDAT 6\r\n123456"), S("250 ok\r\n"),
		 C("BDAT 4 LAST\r\n7890"), S("250 ok\r\n"));
}

static void test_declared_size(void **state)
{
	(void)state;
	ONE_RULE(ESMTP_MATCH_DECLARED_SIZE, 0, false, "rule#0:28 rule#0:28",
		 HEAD, MAIL(" SIZE=28 BODY=7BIT"), RCPT, DATA, C(MESSAGE),
		 S("250 ok\r\n"), MAIL(" BODY=8BITMIME size=27"), RCPT, DATA,
		 C(MESSAGE), S("250 ok\r\n"), MAIL(" SIZE=1"), RCPT, DATA,
		 C(MESSAGE), S("250 ok\r\n"), MAIL(""), RCPT, DATA, C(MESSAGE),
		 S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_DECLARED_SIZE, 0, false, "rule#0:28", HEAD,
		 C("MAIL FROM: a@b.example XSIZE=1 SIZE=12\r\n"),
		 S("250 ok\r\n"), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_DECLARED_SIZE, 0, false, "rule#0:28", HEAD,
		 C("MAIL FROM:a@b.example \t SIZE=27  X\r\n"), S("250 ok\r\n"), RCPT, DATA,
		 C(MESSAGE), S("250 ok\r\n"));
	/* numbers that are none, or too large, say nothing */
	ONE_RULE(ESMTP_MATCH_DECLARED_SIZE, 0, false, "", HEAD,
		 MAIL(" SIZE=1x"), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"),
		 MAIL(" SIZE=+1"), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"),
		 MAIL(" {IZE=1 SI~E=1"), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"),
		 MAIL(" SIZE=99999999999999999999"), RCPT, DATA, C(MESSAGE),
		 S("250 ok\r\n"), MAIL(" SIZE=0"), RCPT, DATA, C(MESSAGE),
		 S("250 ok\r\n"), MAIL(" SIZE"), RCPT, DATA, C(MESSAGE),
		 S("250 ok\r\n"), C("MAIL FROM:<SIZE=1@b.example>\r\n"),
		 S("250 ok\r\n"), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_DECLARED_SIZE, 0, true, "rule#0:28", HEAD,
		 MAIL(" SIZE=28"), RCPT, DATA, C(MESSAGE), S("250 ok\r\n"));
	CLOSES(ESMTP_MATCH_DECLARED_SIZE, 0, false, "\r\n.\r", HEAD,
	       MAIL(" SIZE=27"), RCPT, DATA, C(MESSAGE));
	/* the last chunk, its last byte, or where it has none the command */
	CLOSES(ESMTP_MATCH_DECLARED_SIZE, 0, false, "BDAT 4 LAST\r\nabc", HEAD,
	       MAIL(" SIZE=3"), RCPT, C("BDAT 4 LAST\r\nabcd"));
	ONE_RULE(ESMTP_MATCH_DECLARED_SIZE, 0, false, "rule#0:4", HEAD,
		 MAIL(" SIZE=3"), RCPT, C("BDAT 4\r\nabcd"), S("250 ok\r\n"),
		 C("BDAT 0 LAST\r\n"), S("250 ok\r\n"));
}

static void test_empty_last_chunk_is_withheld(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_no_rules(&h);
	h.policy.flags = 0;
	h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
	harness_rule(&h, ESMTP_MATCH_DECLARED_SIZE, 0, ESMTP_ACTION_RESET, true);
	harness_run(&h, (const struct step[]){ HEAD, MAIL(" SIZE=3"), RCPT,
		    C("BDAT 4\r\nabcd"), S("250 ok\r\n"),
		    C("BDAT 0 LAST\r\n") }, 10, (struct cut){ CUT_NONE, 0 });
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	assert_memory_equal(h.out[0].p + h.out[0].n - 4, "abcd", 4);
	harness_free(&h);
}

#define FIELDS "To: a\r\nFrom: b\r\nTO : c,\r\n to: d\r\nX-To: e\r\n\r\nTo: f\r\n.\r\n"

static void test_fields(void **state)
{
	(void)state;
	ONE_RULE(ESMTP_MATCH_HEADER_TO_COUNT, 1, false, "rule#0:2(TO)", HEAD,
		 MAIL(""), RCPT, DATA, C(FIELDS), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_HEADER_TO_COUNT, 2, false, "", HEAD, MAIL(""),
		 RCPT, DATA, C(FIELDS), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_HEADER_TO_COUNT, 2, true, "rule#0:2", HEAD,
		 MAIL(""), RCPT, DATA, C(FIELDS), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_HEADER_COUNT, 3, false, "rule#0:4", HEAD, MAIL(""),
		 RCPT, DATA, C(FIELDS), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_HEADER_COUNT, 4, false, "", HEAD, MAIL(""), RCPT,
		 DATA, C(FIELDS), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_HEADER_COUNT, 4, true, "rule#0:4 rule#0", HEAD,
		 MAIL(""), RCPT, DATA, C(FIELDS), S("250 ok\r\n"), MAIL(""),
		 RCPT, DATA, C("\r\nA: b\r\n.\r\n"), S("250 ok\r\n"));
}

static void test_encoding(void **state)
{
	static const char name[] =
		"rule#0(base64) rule#0(x-foo) rule#0(base64) rule#0(base64x) rule#0(9bit) "
		"rule#0(octets) rule#0(quoted-printably)";
	u64 want = BIT(ESMTP_ENC_BASE64) | BIT(ESMTP_ENC_OTHERS);

	(void)state;
#define FIELD "Content-Transfer-Encoding: "
#define PARTS FIELD "BASE64\r\n" FIELD "7bit\r\n" FIELD "8BIT ; a=b\r\n"	\
	      FIELD "x-foo\r\n" FIELD "binary\r\n" FIELD "Quoted-Printable\r\n"	\
	      FIELD "(a comment) base64 (more)\r\n" FIELD "base\r\n 64x=1\r\n"	\
	      FIELD "9bit\r\n" FIELD "octets\r\n" FIELD "quoted-printably\r\n\r\n.\r\n"
	ONE_RULE(ESMTP_MATCH_MIME_ENCODING, want, false, name, HEAD, MAIL(""),
		 RCPT, DATA, C(PARTS), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_MIME_ENCODING, want, true,
		 "rule#0(7bit) rule#0(8bit) rule#0(binary) rule#0(quoted-printable)",
		 HEAD, MAIL(""), RCPT, DATA, C(PARTS), S("250 ok\r\n"));
}

static void test_reply_line(void **state)
{
	(void)state;
	ONE_RULE(ESMTP_MATCH_REPLY_LINE_LENGTH, 8, false,
		 "rule#0:9 rule#0:10 bare-lf", S("220 4567\r\n"), C("EHLO a\r\n"),
		 S("250-45678\r\n250 ok\r\n"), C("NOOP\r\n"),
		 S("250 4567\r8\n"));
	ONE_RULE(ESMTP_MATCH_REPLY_LINE_LENGTH, 8, true, "rule#0:8 rule#0:6",
		 S("220 4567\r\n"), C("EHLO a\r\n"),
		 S("250-45678\r\n250 ok\r\n"));
}

static void test_invalid_recipients(void **state)
{
	(void)state;
	ONE_RULE(ESMTP_MATCH_INVALID_RCPT_COUNT, 4, false, "rule#0:5(RCPT)",
		 HEAD, MAIL(""),
		 C("RCPT TO:<a>\r\n"), S("550 5.1.1 unknown\r\n"),
		 C("RCPT TO:<a>\r\n"), S("550 unknown\r\n"),
		 C("RCPT TO:<a>\r\n"), S("450 4.1.1 later\r\n"),
		 C("RCPT TO:<a>\r\n"), S("550 5.7.1 denied\r\n"),
		 C("RCPT TO:<a>\r\n"), S("554 5.7.1 denied\r\n"),
		 C("RCPT TO:<a>\r\n"), S("550-5.7.1 no\r\n550 5.1.10 null MX\r\n"),
		 C("RCPT TO:<a>\r\n"), S("553\r\n"),
		 C("RCPT TO:<a>\r\n"), S("550 5.11.1 other\r\n"),
		 C("VRFY a\r\n"), S("550 5.1.1 unknown\r\n"),
		 C("RCPT TO:<a>\r\n"), S("551 5.1.6 moved\r\n"));
	/* what begins like RFC 3463 and goes on otherwise says nothing */
	ONE_RULE(ESMTP_MATCH_INVALID_RCPT_COUNT, 1, false, "rule#0:2(RCPT)",
		 HEAD, MAIL(""),
		 C("RCPT TO:<a>\r\n"), S("550 5.x\r\n"),
		 C("RCPT TO:<a>\r\n"), S("550 5.7 of 10\r\n"));
	ONE_RULE(ESMTP_MATCH_INVALID_RCPT_COUNT, 1, true,
		 "rule#0(DATA) rule#0:1(DATA)", HEAD, MAIL(""), RCPT, DATA,
		 C(".\r\n"), S("250 ok\r\n"), MAIL(""),
		 C("RCPT TO:<a>\r\n"), S("550 5.1.1 unknown\r\n"), RCPT, DATA,
		 C(".\r\n"), S("250 ok\r\n"), MAIL(""),
		 C("RCPT TO:<a>\r\n"), S("550 5.1.1 unknown\r\n"), RCPT, DATA);
}

#define ANOMALY(name, events, ...) \
	ONE_RULE(ESMTP_MATCH_ANOMALY, BIT(ESMTP_ANOMALY_##name), false, \
		 events, __VA_ARGS__)

static void test_anomalies(void **state)
{
	(void)state;
	ANOMALY(TRUNCATED, "masked(NO) verb-length(NO) rule#0(NO)", HEAD,
		C("NO\r\n"), S("500 no\r\n"));
	ANOMALY(VERB_LENGTH, "masked(NOOPS) verb-length(NOOPS) rule#0(NOOPS)",
		HEAD, C("NOOPS\r\n"), S("500 no\r\n"));
	ANOMALY(BARE_LF, "bare-lf(NOOP) rule#0(NOOP)", HEAD, C("NOOP\n"),
		S("250 ok\r\n"));
	ANOMALY(BARE_LF, "bare-lf rule#0", HEAD, C("NOOP\r\n"), S("250 ok\n"));
	ANOMALY(BARE_CR, "bare-cr(NOOP) rule#0(NOOP)", HEAD, C("NOOP a\rb\r\n"),
		S("250 ok\r\n"));
	ANOMALY(NUL, "nul(NOOP) rule#0(NOOP)", HEAD, C("NOOP a\0b\0\r\n"),
		S("250 ok\r\n"));
	ANOMALY(EIGHT_BIT, "eight-bit(NOOP) rule#0(NOOP)", HEAD,
		C("NOOP \xc3\xa4\r\n"), S("250 ok\r\n"));
	ANOMALY(EARLY_TALKER, "early-talk rule#0", C("EHLO a\r\n"),
		S("220 mx\r\n"));
	ANOMALY(UNEXPECTED_REPLY, "unexpected:250 rule#0", HEAD,
		S("250 again\r\n"));
	ANOMALY(REPLY_SYNTAX, "syntax rule#0", HEAD, S("hello\r\n"));
}

static void test_pipelining(void **state)
{
	const struct step offered[] = {
		S("220 mx\r\n"), C("EHLO a\r\n"),
		S("250-mx\r\n250 PIPELINING\r\n"), C("NOOP\r\nRSET\r\n"),
		S("250 ok\r\n250 ok\r\n"),
	};
	struct harness h;

	(void)state;
	ANOMALY(PIPELINING, "pipelining rule#0", HEAD,
		C("NOOP\r\nNOOP\r\nNOOP\r\n"), S("250 ok\r\n250 ok\r\n"));
	ANOMALY(PIPELINING, "", HEAD, C("NOOP\r\n"), S("250 ok\r\n"),
		C("RSET\r\n"), S("250 ok\r\n"));
	one_rule(ESMTP_MATCH_ANOMALY, BIT(ESMTP_ANOMALY_PIPELINING), false,
		 offered, N(offered), "");
	/* denied, it is not offered */
	harness_init(&h);
	harness_no_rules(&h);
	h.policy.flags = ESMTP_POLICY_F_NO_PIPELINING;
	harness_all_cuts(&h, offered, N(offered), 20);
	harness_expect_events(&h, "keyword(PIPELINING) pipelining");
	assert_null(memmem(h.out[1].p, h.out[1].n, "PIPELINING", 10));
	harness_free(&h);
}

static void test_special_characters(void **state)
{
	(void)state;
	ONE_RULE(ESMTP_MATCH_SPECIAL_CHARACTER, 0, false, "rule#0:96(MAIL)",
		 HEAD, C("MAIL FROM:<a`b`c@d>\r\n"), S("250 ok\r\n"), RCPT,
		 C("NOOP `\r\n"), S("250 ok\r\n"));
	ONE_RULE(ESMTP_MATCH_SPECIAL_CHARACTER, 0, true, "rule#0(RCPT) rule#0(RCPT)", HEAD,
		 C("MAIL FROM:<a`b@d>\r\n"), S("250 ok\r\n"), RCPT, RCPT);
	ONE_RULE(ESMTP_MATCH_SPECIAL_CHARACTER, 0, false,
		 "rule#0:124(RCPT) pipe(RCPT)", HEAD, MAIL(""),
		 C("RCPT TO:<a|b>\r\n"));
	CLOSES(ESMTP_MATCH_SPECIAL_CHARACTER, 0, false, "RSET\r\n", HEAD,
	       C("RSET\r\n"), S("250 ok\r\n"), C("MAIL FROM:<`id`>\r\n"));
}

/* Too few recipients, or too few unknown ones: known where the message begins. */
static void test_too_few_recipients_close(void **state)
{
	(void)state;
	CLOSES(ESMTP_MATCH_CMD_RCPT_COUNT, 1, true, "RCPT TO:<c@d.example>\r\n",
	       HEAD, MAIL(""), RCPT, C("DATA\r\n"));
	CLOSES(ESMTP_MATCH_CMD_RCPT_COUNT, 1, true, "RCPT TO:<c@d.example>\r\n",
	       HEAD, MAIL(""), RCPT, C("BDAT 1 LAST\r\na"));
	CLOSES(ESMTP_MATCH_INVALID_RCPT_COUNT, 1, true,
	       "RCPT TO:<c@d.example>\r\n", HEAD, MAIL(""), RCPT,
	       C("DATA\r\n"));
}

static void test_anomalies_close(void **state)
{
	struct harness h;

	(void)state;
	CLOSES(ESMTP_MATCH_ANOMALY, BIT(ESMTP_ANOMALY_BARE_LF), false,
	       "EHLO a\r\n", HEAD, C("NOOP\n"));
	CLOSES(ESMTP_MATCH_ANOMALY, BIT(ESMTP_ANOMALY_UNEXPECTED_REPLY), false,
	       "EHLO a\r\n", HEAD, S("250 again\r\n"));
	CLOSES(ESMTP_MATCH_ANOMALY, BIT(ESMTP_ANOMALY_REPLY_SYNTAX), false,
	       "EHLO a\r\n", HEAD, S("hello\r\n"));
	CLOSES(ESMTP_MATCH_ANOMALY, BIT(ESMTP_ANOMALY_BARE_CR), false,
	       "EHLO a\r\n", HEAD, C("NOOP \rx\r\n"));
	CLOSES(ESMTP_MATCH_ANOMALY, BIT(ESMTP_ANOMALY_PIPELINING), false,
	       "NOOP\r\n", HEAD, C("NOOP\r\nNOOP\r\n"), S("250 ok\r\n"));
	/* the line of DATA was lawful, and its answer comes first */
	harness_init(&h);
	harness_rule(&h, ESMTP_MATCH_ANOMALY,
		     BIT(ESMTP_ANOMALY_EARLY_CONTENT), ESMTP_ACTION_DROP, true);
	harness_run(&h, (const struct step[]){ HEAD, MAIL(""), RCPT,
		    C("DATA\r\nA: b\r\n") }, 8, (struct cut){ CUT_NONE, 0 });
	assert_int_equal(h.verdict, ESMTP_PASS);
	assert_memory_equal(h.out[0].p + h.out[0].n - 6, "DATA\r\n", 6);
	harness_say(&h, ESMTP_DIR_SERVER, "354 go\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	harness_free(&h);
	/* nobody who talks early is heard */
	harness_init(&h);
	harness_rule(&h, ESMTP_MATCH_ANOMALY,
		     BIT(ESMTP_ANOMALY_EARLY_TALKER), ESMTP_ACTION_DROP, true);
	harness_say(&h, ESMTP_DIR_CLIENT, "EHLO a\r\n");
	harness_say(&h, ESMTP_DIR_SERVER, "220 mx\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	assert_int_equal(h.out[0].n, 0);
	harness_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_length),
		cmocka_unit_test(test_body_length),
		cmocka_unit_test(test_message_size),
		cmocka_unit_test(test_declared_size),
		cmocka_unit_test(test_empty_last_chunk_is_withheld),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_encoding),
		cmocka_unit_test(test_reply_line),
		cmocka_unit_test(test_invalid_recipients),
		cmocka_unit_test(test_anomalies),
		cmocka_unit_test(test_anomalies_close),
		cmocka_unit_test(test_too_few_recipients_close),
		cmocka_unit_test(test_pipelining),
		cmocka_unit_test(test_special_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
