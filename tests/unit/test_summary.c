// SPDX-License-Identifier: GPL-2.0-only
/* Where a connection stands, as those who list connections are told. */
#include "harness.h"

/* What is said of a connection now. */
static void stands(const struct harness *h, u8 phase, u32 rcpts, u32 size)
{
	struct esmtp_summary sum;

	memset(&sum, 0xff, sizeof(sum));
	esmtp_engine_summary(&h->engine, &sum);
	assert_int_equal(sum.phase, phase);
	assert_int_equal(sum.rcpts, rcpts);
	assert_int_equal(sum.size, size);
}

static void client(struct harness *h, const char *text)
{
	harness_say(h, ESMTP_DIR_CLIENT, text);
}

static void server(struct harness *h, const char *text)
{
	harness_say(h, ESMTP_DIR_SERVER, text);
}

static void test_message(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	stands(&h, ESMTP_PHASE_GREETING, 0, 0);
	server(&h, "220-mx\r\n");
	stands(&h, ESMTP_PHASE_GREETING, 0, 0);
	server(&h, "220 mx\r\n");
	stands(&h, ESMTP_PHASE_COMMAND, 0, 0);
	client(&h, "HELO c\r\n");
	server(&h, "250 mx\r\n");
	client(&h, "MAIL FROM:<a@c>\r\n");
	server(&h, "250 ok\r\n");
	client(&h, "RCPT TO:<b@s>\r\n");
	stands(&h, ESMTP_PHASE_COMMAND, 0, 0);
	server(&h, "250 ok\r\n");
	client(&h, "RCPT TO:<c@s>\r\n");
	server(&h, "550 no\r\n");
	stands(&h, ESMTP_PHASE_COMMAND, 1, 0);
	client(&h, "DATA\r\n");
	stands(&h, ESMTP_PHASE_ANSWER, 1, 0);
	server(&h, "354 go\r\n");
	stands(&h, ESMTP_PHASE_CONTENT, 1, 0);
	client(&h, "A: b\r\n\r\n..x\r\n");
	stands(&h, ESMTP_PHASE_CONTENT, 1, 12);
	client(&h, ".\r\n");
	stands(&h, ESMTP_PHASE_COMMAND, 1, 0);
	server(&h, "250 ok\r\n");
	stands(&h, ESMTP_PHASE_COMMAND, 0, 0);
	harness_free(&h);
}

/* The next message is counted from its own start. */
static void test_next_message(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_to_content(&h);
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 500);
	stands(&h, ESMTP_PHASE_CONTENT, 1, 500);
	client(&h, "\r\n.\r\n");
	server(&h, "250 ok\r\n");
	client(&h, "MAIL FROM:<a@c>\r\nRCPT TO:<b@s>\r\n");
	server(&h, "250 ok\r\n250 ok\r\n");
	client(&h, "DATA\r\n");
	server(&h, "354 go\r\n");
	client(&h, "y");
	stands(&h, ESMTP_PHASE_CONTENT, 1, 1);
	harness_free(&h);
}

/* A message in chunks is under way between them, too. */
static void test_chunks(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	h.policy.verbs = ESMTP_VERBS_ALL;
	server(&h, "220 mx\r\n");
	client(&h, "EHLO c\r\n");
	server(&h, "250-mx\r\n250 CHUNKING\r\n");
	client(&h, "MAIL FROM:<a@c>\r\n");
	server(&h, "250 ok\r\n");
	client(&h, "RCPT TO:<b@s>\r\n");
	server(&h, "250 ok\r\n");
	client(&h, "BDAT 7\r\nA: b\r\n\r");
	/* the CR counts with what follows it */
	stands(&h, ESMTP_PHASE_COMMAND, 1, 6);
	client(&h, "BDAT 4 LAST\r\n\n");
	stands(&h, ESMTP_PHASE_CONTENT, 1, 8);
	client(&h, "xyz");
	stands(&h, ESMTP_PHASE_COMMAND, 1, 0);
	harness_free(&h);
}

static void test_auth_and_tls(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	h.policy.verbs = ESMTP_VERBS_ALL;
	h.policy.flags |= ESMTP_POLICY_F_TLS_ALLOW;
	server(&h, "220 mx\r\n");
	client(&h, "EHLO c\r\n");
	server(&h, "250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n");
	client(&h, "AUTH PLAIN\r\n");
	stands(&h, ESMTP_PHASE_ANSWER, 0, 0);
	server(&h, "334 \r\n");
	stands(&h, ESMTP_PHASE_AUTH, 0, 0);
	client(&h, "AGEAYg==\r\n");
	server(&h, "535 no\r\n");
	stands(&h, ESMTP_PHASE_COMMAND, 0, 0);
	client(&h, "MAIL FROM:<a@c>\r\n");
	server(&h, "250 ok\r\n");
	client(&h, "RCPT TO:<b@s>\r\n");
	server(&h, "250 ok\r\n");
	stands(&h, ESMTP_PHASE_COMMAND, 1, 0);
	client(&h, "STARTTLS\r\n");
	server(&h, "220 go\r\n");
	stands(&h, ESMTP_PHASE_TLS, 0, 0);
	harness_free(&h);
}

/* A rule has closed the connection, but the reply to MAIL has not come yet. */
static void test_latched(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	server(&h, "220 mx\r\n");
	client(&h, "HELO c\r\n");
	server(&h, "250 mx\r\n");
	client(&h, "MAIL FROM:<a@c>\r\n");
	client(&h, "RCPT TO:<b|c@s>\r\n");
	stands(&h, ESMTP_PHASE_LATCHED, 0, 0);
	assert_int_equal(h.verdict, ESMTP_PASS);
	harness_free(&h);
}

static void sender_is(const struct harness *h, const char *text)
{
	const struct esmtp_sender *s = &h->engine.sender;

	assert_int_equal(s->known, !!text);
	if (!text)
		return;
	assert_int_equal(s->len, strlen(text));
	assert_memory_equal(s->text, text, strlen(text));
}

/* The envelope sender is that of the last MAIL until its transaction has ended. */
static void test_sender(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	server(&h, "220 mx\r\n");
	client(&h, "HELO c\r\n");
	server(&h, "250 mx\r\n");
	sender_is(&h, NULL);
	client(&h, "MAIL FROM:<a@c.test> SIZE=1\r\n");
	sender_is(&h, "a@c.test");
	server(&h, "250 ok\r\n");
	client(&h, "RCPT TO:<b@s.test>\r\n");
	server(&h, "250 ok\r\n");
	sender_is(&h, "a@c.test");
	client(&h, "RSET\r\n");
	sender_is(&h, "a@c.test");
	server(&h, "250 ok\r\n");
	sender_is(&h, NULL);
	client(&h, "MAIL FROM:<>\r\n");
	sender_is(&h, "");
	server(&h, "250 ok\r\n");
	client(&h, "RSET\r\nMAIL FROM: \"x\" <y@c>\r\n");
	sender_is(&h, "y@c");
	/* The next transaction is under way when the end of this one is answered. */
	server(&h, "250 ok\r\n");
	sender_is(&h, "y@c");
	server(&h, "250 ok\r\n");
	sender_is(&h, "y@c");
	client(&h, "MAIL FROM:bare@c.test\r\n");
	sender_is(&h, "bare@c.test");
	harness_free(&h);
}

/* As much as is kept, and one byte more. */
static void test_long_sender(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	server(&h, "220 mx\r\n");
	client(&h, "HELO c\r\n");
	server(&h, "250 mx\r\n");
	client(&h, "MAIL FROM:<");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', ESMTP_SENDER_MAX);
	assert_int_equal(h.engine.sender.len, ESMTP_SENDER_MAX);
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'y', 200);
	assert_int_equal(h.engine.sender.len, ESMTP_SENDER_MAX + 1);
	assert_int_equal(h.engine.sender.text[ESMTP_SENDER_MAX - 1], 'x');
	harness_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_next_message),
		cmocka_unit_test(test_chunks),
		cmocka_unit_test(test_auth_and_tls),
		cmocka_unit_test(test_latched),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_long_sender),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
