// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each rule one below its limit, at it and one above, and what each action does.
 */
#define _GNU_SOURCE
#include "harness.h"

#define BIT(v) (1u << (v))

/* A text of @n times @c between @before and @behind; to be freed. */
static char *padded(const char *before, char c, size_t n, const char *behind)
{
	size_t b = strlen(before), e = strlen(behind);
	char *text = malloc(b + n + e + 1);

	memcpy(text, before, b);
	memset(text + b, c, n);
	memcpy(text + b + n, behind, e + 1);
	return text;
}

static void server(struct harness *h, const char *text)
{
	harness_say(h, ESMTP_DIR_SERVER, text);
}

static void client(struct harness *h, const char *text)
{
	harness_say(h, ESMTP_DIR_CLIENT, text);
}

/* Default policy, the greeting is behind us. */
static void begin(struct harness *h)
{
	harness_init(h);
	server(h, "220\r\n");
}

/* The rule fired @times, with this value, and the connection is closed or not. */
static void expect_rule(const struct harness *h, u32 rule, u32 times, u32 value,
			enum esmtp_verdict verdict)
{
	const struct esmtp_event *ev = harness_last(h, ESMTP_EVENT_RULE);

	assert_int_equal(harness_fired(h, rule), times);
	assert_int_equal(harness_count(h, ESMTP_EVENT_RULE), times);
	assert_int_equal(h->verdict, verdict);
	if (!times)
		return;
	assert_int_equal(ev->value, value);
	assert_int_equal(ev->limit, harness_cond_of(h, rule)->limit);
	assert_int_equal(ev->action, h->rules[rule].action);
	assert_int_equal(ev->log, h->rules[rule].log);
}

/* Runs "greeting, @before, filler of @n, @behind" in every cut. The greeting's reply leaves nothing owed,
 * so a closing rule closes at once.
 */
static void length_case(const char *before, size_t n, const char *behind,
			u32 rule, u32 value)
{
	char *line = padded(before, 'x', n, behind);
	const struct step steps[] = {
		S("220\r\n"),
		{ ESMTP_DIR_CLIENT, line, strlen(line) },
	};
	struct harness h;

	harness_init(&h);
	harness_all_cuts(&h, steps, 2, 20);
	expect_rule(&h, rule, value ? 1 : 0, value,
		    value ? ESMTP_CLOSE_DROP : ESMTP_PASS);
	if (value)
		harness_expect(&h, ESMTP_DIR_CLIENT, "");
	else
		assert_int_equal(h.out[ESMTP_DIR_CLIENT].n, strlen(line));
	harness_free(&h);
	free(line);
}

static void test_cmd_line(void **state)
{
	(void)state;
	length_case("NOOP ", 506, "\r\n", RULE_CMD_LINE, 0);
	length_case("NOOP ", 507, "\r\n", RULE_CMD_LINE, 0);
	length_case("NOOP ", 508, "\r\n", RULE_CMD_LINE, 513);
	/* the line end does not count, however it is written */
	length_case("NOOP ", 507, "\n", RULE_CMD_LINE, 0);
	length_case("NOOP ", 508, "\n", RULE_CMD_LINE, 513);
	length_case("NOOP ", 508, "", RULE_CMD_LINE, 513);
	length_case("NOOP ", 2000, "\r\n", RULE_CMD_LINE, 513);
	/* lines that are masked, and words without end */
	length_case("XFOO ", 507, "\r\n", RULE_CMD_LINE, 0);
	length_case("XFOO ", 508, "\r\n", RULE_CMD_LINE, 513);
	length_case("", 512, "\r\n", RULE_CMD_LINE, 0);
	length_case("", 513, "\r\n", RULE_CMD_LINE, 513);
	/* other lines do not add up */
	length_case("NOOP\r\nNOOP ", 507, "\r\n", RULE_CMD_LINE, 0);
}

static void test_cmd_line_bare_cr(void **state)
{
	struct harness h;

	(void)state;
	/* a CR counts once the next byte shows that it is bare */
	begin(&h);
	client(&h, "NOOP ");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 506);
	client(&h, "\r");
	expect_rule(&h, RULE_CMD_LINE, 0, 0, ESMTP_PASS);
	client(&h, "x");
	expect_rule(&h, RULE_CMD_LINE, 1, 513, ESMTP_CLOSE_DROP);
	harness_free(&h);
	/* and may itself be the byte too many, also before a verb */
	begin(&h);
	client(&h, "NOOP ");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 507);
	client(&h, "\r");
	expect_rule(&h, RULE_CMD_LINE, 0, 0, ESMTP_PASS);
	client(&h, "x");
	expect_rule(&h, RULE_CMD_LINE, 1, 513, ESMTP_CLOSE_DROP);
	harness_free(&h);
	begin(&h);
	harness_cond_of(&h, RULE_CMD_LINE)->limit = 0;
	client(&h, "\r");
	expect_rule(&h, RULE_CMD_LINE, 0, 0, ESMTP_PASS);
	client(&h, "x");
	expect_rule(&h, RULE_CMD_LINE, 1, 1, ESMTP_CLOSE_DROP);
	harness_free(&h);
	begin(&h);
	client(&h, "NOOP ");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 505);
	client(&h, "\rx\r\n");
	expect_rule(&h, RULE_CMD_LINE, 0, 0, ESMTP_PASS);
	harness_free(&h);
}

static void test_cmd_line_text(void **state)
{
	struct harness h;
	char *line = padded("mail from:<a@a> ", 'x', 600, "\r\n");

	(void)state;
	begin(&h);
	client(&h, "NOOP\r\n");
	server(&h, "250 ok\r\n");
	client(&h, line);
	expect_rule(&h, RULE_CMD_LINE, 1, 513, ESMTP_CLOSE_DROP);
	harness_expect_events(&h, "rule#0:513(mail)");
	harness_expect(&h, ESMTP_DIR_CLIENT, "NOOP\r\n");
	harness_free(&h);
	free(line);
}

static void test_auth_is_not_measured(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	client(&h, "AUTH GSSAPI\r\n");
	server(&h, "334 \r\n");
	harness_repeat(&h, ESMTP_DIR_CLIENT, '|', 13000);
	client(&h, "\r\n");
	server(&h, "235 ok\r\n");
	assert_int_equal(h.n_events, 0);
	assert_int_equal(h.out[0].n, h.in[0].n);
	/* but AUTH's own line is a command */
	client(&h, "AUTH PLAIN ");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 501);
	assert_int_equal(h.n_events, 0);
	client(&h, "x");
	harness_expect_events(&h, "rule#0:513(AUTH)");
	harness_free(&h);
}

static void test_sender(void **state)
{
	(void)state;
	length_case("MAIL FROM:<", 319, "> SIZE=5\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM:<", 320, "> SIZE=5\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM:<", 321, "> SIZE=5\r\n", RULE_SENDER, 321);
	length_case("mail from: <", 321, ">\r\n", RULE_SENDER, 321);
	length_case("MAIL FROM:", 320, " SIZE=5\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM:", 321, "\r\n", RULE_SENDER, 321);
	length_case("MAIL FROM:\"", 319, "\"\r\n", RULE_SENDER, 321);
	length_case("MAIL FROM:\"", 318, "\"\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM:<\"a>b\\\"> ", 312, "\">\r\n", RULE_SENDER, 321);
	length_case("MAIL FROM:<\"a>b\\\"> ", 311, "\">\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM:Bob Bob <", 321, ">\r\n", RULE_SENDER, 321);
	length_case("MAIL FROM:a@a X=<", 321, ">\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM:Bob <", 320, ">\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM<", 321, ">\r\n", RULE_SENDER, 321);
	length_case("MAIL FROM::", 320, "\r\n", RULE_SENDER, 321);
	length_case("MAIL FROM::", 319, "\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM: >", 320, "\r\n", RULE_SENDER, 0);
	length_case("MAIL FROM:<\r", 320, ">\r\n", RULE_SENDER, 321);
	length_case("SEND FROM:<", 321, ">\r\n", RULE_SENDER, 321);
	length_case("SOML FROM:<", 321, ">\r\n", RULE_SENDER, 321);
	length_case("SAML FROM:<", 320, ">\r\n", RULE_SENDER, 0);
	/* neither parameters nor recipients */
	length_case("MAIL FROM:<a@a> X=", 400, "\r\n", RULE_SENDER, 0);
	length_case("RCPT TO:<", 400, ">\r\n", RULE_SENDER, 0);
	length_case("MAIL ", 400, "\r\n", RULE_SENDER, 0);
	length_case("VRFY <", 400, ">\r\n", RULE_SENDER, 0);
}

/* @n recipients with their replies. */
static void rcpts(struct harness *h, u32 n, const char *reply)
{
	while (n--) {
		client(h, "RCPT TO:<b@b>\r\n");
		if (reply)
			server(h, reply);
	}
}

static void mail(struct harness *h)
{
	client(h, "MAIL FROM:<a@a>\r\n");
	server(h, "250 ok\r\n");
}

static void test_rcpt(void **state)
{
	struct harness h;
	u32 n;

	(void)state;
	for (n = 99; n <= 101; n++) {
		begin(&h);
		mail(&h);
		rcpts(&h, n, "250 ok\r\n");
		if (n <= 100)
			expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
		else
			expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_CLOSE_DROP);
		harness_free(&h);
	}
}

static void test_rcpt_pipelined(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	client(&h, "MAIL FROM:<a@a>\r\n");
	rcpts(&h, 100, NULL);
	expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
	/* it fires at the byte behind the verb; the line does not pass */
	client(&h, "RCPT");
	expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
	client(&h, "\tTO:<b@b>\r\nDATA\r\n");
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_PASS);
	assert_int_equal(esmtp_engine_latched(&h.engine), ESMTP_CLOSE_DROP);
	assert_int_equal(h.out[0].n, 17 + 100 * 15 + 4);
	for (i = 0; i < 100; i++)
		server(&h, "250 ok\r\n");
	assert_int_equal(h.verdict, ESMTP_PASS);
	server(&h, "250 ok\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	harness_free(&h);
}

/* The verb may end with the line, or with a CR that is none. */
static void test_rcpt_ends(void **state)
{
	static const char * const ends[] = { "RCPT\r\n", "RCPT\n", "RCPT\rx\r\n" };
	struct harness h;
	u32 i, k;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&h);
		for (k = 0; k < 100; k++) {
			client(&h, ends[i]);
			server(&h, "250 ok\r\n");
		}
		assert_int_equal(harness_fired(&h, RULE_RCPT), 0);
		client(&h, ends[i]);
		assert_int_equal(harness_fired(&h, RULE_RCPT), 1);
		assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
		assert_int_equal(h.out[0].n, 100 * strlen(ends[i]));
		harness_free(&h);
	}
}

static void test_rcpt_refused_do_not_count(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	mail(&h);
	rcpts(&h, 60, "250 ok\r\n");
	rcpts(&h, 300, "550 no\r\n");
	rcpts(&h, 40, "251 elsewhere\r\n");
	expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
	rcpts(&h, 1, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_CLOSE_DROP);
	harness_free(&h);
}

static void test_rcpt_transactions(void **state)
{
	static const char * const resets[] = {
		"RSET\r\n", "EHLO a\r\n", "HELO a\r\n", "MAIL FROM:<>\r\n",
	};
	struct harness h;
	u32 i;

	(void)state;
	for (i = 0; i < 4; i++) {
		begin(&h);
		mail(&h);
		rcpts(&h, 100, "250 ok\r\n");
		/* refused: the transaction goes on */
		client(&h, resets[i]);
		server(&h, "503 no\r\n");
		client(&h, resets[i]);
		server(&h, "250 ok\r\n");
		rcpts(&h, 100, "250 ok\r\n");
		expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
		client(&h, resets[i]);
		server(&h, "503 no\r\n");
		rcpts(&h, 1, "250 ok\r\n");
		expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_CLOSE_DROP);
		harness_free(&h);
	}
}

static void test_rcpt_end_of_data(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	mail(&h);
	rcpts(&h, 100, "250 ok\r\n");
	client(&h, "DATA\r\n");
	server(&h, "503 no\r\n");	/* ends nothing */
	client(&h, "DATA\r\n");
	server(&h, "354 go\r\n");
	client(&h, "x: y\r\n\r\n.\r\n");
	server(&h, "554 refused, but over\r\n");
	mail(&h);
	rcpts(&h, 100, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
	client(&h, "DATA\r\n");
	server(&h, "503 no\r\n");
	rcpts(&h, 1, NULL);
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_CLOSE_DROP);
	harness_free(&h);
}

static void test_rcpt_behind_a_reset_in_flight(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	mail(&h);
	rcpts(&h, 60, NULL);
	client(&h, "RSET\r\nMAIL FROM:<b@b>\r\n");
	rcpts(&h, 60, NULL);
	expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
	for (i = 0; i < 60 + 2 + 60; i++)
		server(&h, "250 ok\r\n");
	rcpts(&h, 40, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
	rcpts(&h, 1, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_CLOSE_DROP);
	harness_free(&h);
}

static void test_rcpt_late(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	/* the reset was refused: they belong to one transaction after all */
	begin(&h);
	mail(&h);
	rcpts(&h, 60, "250 ok\r\n");
	client(&h, "RSET\r\n");
	rcpts(&h, 60, NULL);
	server(&h, "503 no\r\n");
	for (i = 0; i < 40; i++)
		server(&h, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
	server(&h, "250 ok\r\n250 never seen\r\n");
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_CLOSE_DROP);
	assert_int_equal(h.event_dir[0], ESMTP_DIR_SERVER);
	harness_free(&h);
	/* once */
	begin(&h);
	h.rules[RULE_RCPT].action = ESMTP_ACTION_COUNT;
	mail(&h);
	rcpts(&h, 60, "250 ok\r\n");
	client(&h, "RSET\r\n");
	rcpts(&h, 60, NULL);
	server(&h, "503 no\r\n");
	for (i = 0; i < 60; i++)
		server(&h, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_PASS);
	harness_free(&h);
}

/* Two resets in flight, of which the second is refused: what is between them goes on. */
static void test_rcpt_between_resets(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	client(&h, "RSET\r\n");
	rcpts(&h, 60, NULL);
	client(&h, "RSET\r\n");
	for (i = 0; i < 61; i++)
		server(&h, "250 ok\r\n");
	server(&h, "503 no\r\n");
	rcpts(&h, 40, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 0, 0, ESMTP_PASS);
	rcpts(&h, 1, NULL);
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_CLOSE_DROP);
	harness_free(&h);
}

static void test_rcpt_jump(void **state)
{
	struct harness h;

	(void)state;
	/* and when one more is sent before they are answered, it is counted in */
	begin(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 30, ESMTP_ACTION_COUNT,
		     false);
	h.rules[RULE_RCPT].action = ESMTP_ACTION_COUNT;
	mail(&h);
	rcpts(&h, 60, "250 ok\r\n");
	client(&h, "RSET\r\n");
	rcpts(&h, 50, NULL);
	server(&h, "503 no\r\n");
	rcpts(&h, 1, NULL);
	/* 30 fired twice, for either of what might have been two transactions */
	harness_expect_events(&h, "rule#7:31(RCPT) rule#7:31(RCPT) rule#1:111(RCPT)");
	harness_free(&h);
}

static void test_rcpt_once(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	h.rules[RULE_RCPT].action = ESMTP_ACTION_COUNT;
	client(&h, "MAIL FROM:<a@a>\r\n");
	rcpts(&h, 150, NULL);
	client(&h, "RSET\r\nMAIL FROM:<b@b>\r\n");
	rcpts(&h, 50, NULL);
	for (i = 0; i < 1 + 150 + 2 + 50; i++)
		server(&h, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_PASS);
	/* 100, one refused, again 100, again 101: still one */
	rcpts(&h, 51, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 2, 101, ESMTP_PASS);
	rcpts(&h, 51, "550 no\r\n");
	expect_rule(&h, RULE_RCPT, 2, 101, ESMTP_PASS);
	harness_free(&h);
	/* fired for those sent, of which most are then refused; a refused RSET changes nothing */
	begin(&h);
	h.rules[RULE_RCPT].action = ESMTP_ACTION_COUNT;
	mail(&h);
	rcpts(&h, 101, NULL);
	for (i = 0; i < 101; i++)
		server(&h, i < 50 ? "250 ok\r\n" : "550 no\r\n");
	client(&h, "RSET\r\n");
	server(&h, "503 no\r\n");
	rcpts(&h, 51, "250 ok\r\n");
	expect_rule(&h, RULE_RCPT, 1, 101, ESMTP_PASS);
	harness_free(&h);
}

/* A message of @before, filler, @behind in a whole dialogue. */
static void content_case(const char *before, size_t n, const char *behind,
			 u32 rule, u32 value, enum esmtp_verdict verdict)
{
	char *text = padded(before, 'x', n, behind);
	const struct step steps[] = {
		S("220\r\n"), C("HELO a\r\n"), S("250 mx\r\n"),
		C("MAIL FROM:<a@a>\r\n"), S("250 ok\r\n"),
		C("RCPT TO:<b@b>\r\n"), S("250 ok\r\n"),
		C("DATA\r\n"), S("354 go\r\n"),
		{ ESMTP_DIR_CLIENT, text, strlen(text) },
		S("250 ok\r\n"), C("QUIT\r\n"), S("221 bye\r\n"),
	};
	struct harness h;

	harness_init(&h);
	harness_all_cuts(&h, steps, sizeof(steps) / sizeof(steps[0]), 20);
	expect_rule(&h, rule, value ? 1 : 0, value, verdict);
	if (verdict == ESMTP_PASS)
		assert_int_equal(h.out[0].n, h.in[0].n);
	else	/* the end of data has not passed, nor the line's own end */
		assert_true(h.out[0].n < h.in[0].n - strlen(behind));
	harness_free(&h);
	free(text);
}

static void test_content(void **state)
{
	static const char part[] =
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
		"Content-Disposition: attachment;\r\n filename=\"";

	(void)state;
	content_case("X: ", 994, "\r\n\r\nb\r\n.\r\n", RULE_HEADER_LINE, 0,
		     ESMTP_PASS);
	content_case("X: ", 995, "\r\n\r\nb\r\n.\r\n", RULE_HEADER_LINE, 0,
		     ESMTP_PASS);
	content_case("X: ", 996, "\r\n\r\nb\r\n.\r\n", RULE_HEADER_LINE, 999,
		     ESMTP_CLOSE_DROP);
	content_case("X: y\r\n\r\n", 997, "\r\n.\r\n", RULE_BODY_LINE, 0,
		     ESMTP_PASS);
	content_case("X: y\r\n\r\n", 998, "\r\n.\r\n", RULE_BODY_LINE, 0,
		     ESMTP_PASS);
	content_case("X: y\r\n\r\n", 999, "\r\n.\r\n", RULE_BODY_LINE, 999,
		     ESMTP_PASS);
	content_case(part, 254, "\"\r\n\r\n--b--\r\n.\r\n", RULE_FILENAME, 0,
		     ESMTP_PASS);
	content_case(part, 255, "\"\r\n\r\n--b--\r\n.\r\n", RULE_FILENAME, 0,
		     ESMTP_PASS);
	content_case(part, 256, "\"\r\n\r\n--b--\r\n.\r\n", RULE_FILENAME, 256,
		     ESMTP_CLOSE_DROP);
}

/* Every kind of numeric rule with every action. */
static void test_actions(void **state)
{
	static const enum esmtp_verdict verdicts[] = {
		[ESMTP_ACTION_COUNT] = ESMTP_PASS,
		[ESMTP_ACTION_DROP] = ESMTP_CLOSE_DROP,
		[ESMTP_ACTION_RESET] = ESMTP_CLOSE_RESET,
	};
	static const struct {
		enum esmtp_match match;
		const char *text;
		bool content;
	} kinds[] = {
		{ ESMTP_MATCH_CMD_LINE_LENGTH, "NOOP 678901\r\n", false },
		{ ESMTP_MATCH_SENDER_LENGTH, "MAIL FROM:<123456789@1>\r\n", false },
		{ ESMTP_MATCH_HEADER_LINE_LENGTH, "X: 45678901\r\n\r\n", true },
		{ ESMTP_MATCH_BODY_LINE_LENGTH, "\r\n12345678901\r\n", true },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH,
		  "Content-Type: a/b; name=12345678901\r\n\r\n", true },
	};
	struct harness h;
	u32 kind, action, monitor;
	bool log;

	(void)state;
	for (kind = 0; kind < sizeof(kinds) / sizeof(kinds[0]); kind++)
	for (action = 0; action <= ESMTP_ACTION_MAX; action++)
	for (monitor = 0; monitor < 2; monitor++) {
		/* replies have tests of their own */
		if (action == ESMTP_ACTION_MASK || action >= ESMTP_ACTION_REPLY)
			continue;
		log = kind & 1;
		harness_init(&h);
		harness_no_rules(&h);
		if (monitor)
			h.policy.flags |= ESMTP_POLICY_F_MONITOR;
		server(&h, "220\r\n");
		if (kinds[kind].content)
			harness_to_content(&h);
		harness_rule(&h, kinds[kind].match, 10, action, log);
		client(&h, kinds[kind].text);
		expect_rule(&h, 0, 1, 11, monitor ? ESMTP_PASS :
						    verdicts[action]);
		harness_free(&h);
	}
}

static void test_several_rules(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 20, ESMTP_ACTION_RESET, true);
	harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 10, ESMTP_ACTION_COUNT, false);
	harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 10, ESMTP_ACTION_COUNT, true);
	harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 20, ESMTP_ACTION_DROP, true);
	server(&h, "220\r\n");
	client(&h, "NOOP 67890\r\nNOOP 678901\r\n");
	harness_expect_events(&h, "rule#1:11(NOOP) rule#2:11(NOOP)");
	server(&h, "250 ok\r\n250 ok\r\n");
	client(&h, "NOOP 678901234567890\r\nNOOP 6789012345678901\r\n");
	/* nothing runs behind a rule that closes; there is one reply to wait for */
	harness_expect_events(&h, "rule#1:11(NOOP) rule#2:11(NOOP) "
			      "rule#1:11(NOOP) rule#2:11(NOOP) "
			      "rule#1:11(NOOP) rule#2:11(NOOP) rule#0:21(NOOP)");
	assert_int_equal(h.verdict, ESMTP_PASS);
	server(&h, "250 ok\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	harness_free(&h);
}

static void expect_without(const struct harness *h, const char *words)
{
	const struct bytes *out = &h->out[ESMTP_DIR_SERVER];

	assert_null(memmem(out->p, out->n, words, strlen(words)));
}

static void keyword_case(struct harness *h, const char *reply,
			 const char *passed, const char *events)
{
	const struct step steps[] = {
		S("220\r\n"), C("EHLO a\r\n"),
		{ ESMTP_DIR_SERVER, reply, strlen(reply) },
	};

	harness_all_cuts(h, steps, 3, 20);
	harness_expect(h, ESMTP_DIR_SERVER, passed);
	harness_expect_events(h, events);
}

static void test_keyword_rules(void **state)
{
	static const char cut_reply[] =
		"250-mx\r\n250-STARTTLS\r\n250-VRFY\r\n250 SIZE\r\n";
	struct harness h;

	(void)state;
	/* every known keyword by its own bit */
	harness_init(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD,
		     ESMTP_KW_ALL & ~BIT(ESMTP_KW_OTHERS), ESMTP_ACTION_MASK,
		     true);
	keyword_case(&h,
		     "250-mx\r\n250-8BITMIME\r\n250-AUTH=X\r\n250-AUTH Y\r\n"
		     "250-BINARYMIME\r\n250-CHECKPOINT\r\n250-DSN\r\n"
		     "250-ENHANCEDSTATUSCODES\r\n250-ETRN\r\n250-PIPELINING\r\n"
		     "250-SIZE\r\n250-VRFY\r\n250-STARTTLS\r\n250 AUTHX\r\n",
		     "220\r\n"
		     "250-mx\r\n250-XXXXXXXA\r\n250-XXXXXB\r\n250-XXXXXC\r\n"
		     "250-XXXXXXXXXD\r\n250-XXXXXXXXXE\r\n250-XXF\r\n"
		     "250-XXXXXXXXXXXXXXXXXXG\r\n250-XXXH\r\n250-XXXXXXXXXI\r\n"
		     "250-XXXJ\r\n250-XXXK\r\n250-XXXXXXXL\r\n250 AUTHX\r\n",
		     "rule#0(8BITMIME) rule#0(AUTH) rule#0(AUTH) "
		     "rule#0(BINARYMIME) rule#0(CHECKPOINT) rule#0(DSN) "
		     "rule#0(ENHANCEDSTATUSCODES) rule#0(ETRN) "
		     "rule#0(PIPELINING) rule#0(SIZE) rule#0(VRFY) "
		     "keyword(STARTTLS)");
	harness_free(&h);

	/* no rule about them: what is X-ed when asked for is not offered */
	harness_init(&h);
	harness_no_rules(&h);
	h.policy.verbs &= ~BIT(ESMTP_VERB_AUTH);
	keyword_case(&h, "250-mx\r\n250-AUTH=PLAIN\r\n250-HELP\r\n"
		     "250-VRFY\r\n250-Auth a b\r\n250 STARTTLS\r\n",
		     "220\r\n250-mx\r\n250-XXXXXXXXXA\r\n250-HELP\r\n"
		     "250-VRFY\r\n250-XXXXXXXB\r\n250 XXXXXXXC\r\n",
		     "keyword(AUTH) keyword(Auth) keyword(STARTTLS)");
	harness_free(&h);
	harness_init(&h);
	harness_no_rules(&h);
	h.policy.flags |= ESMTP_POLICY_F_TLS_ALLOW;
	keyword_case(&h, "250-mx\r\n250 STARTTLS\r\n",
		     "220\r\n250-mx\r\n250 STARTTLS\r\n", "");
	harness_free(&h);

	/* a keyword that has left before its end was seen is none any more */
	for (size_t cut = 1; cut < sizeof(cut_reply) - 1; cut++) {
		harness_init(&h);
		harness_no_rules(&h);
		harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD, BIT(ESMTP_KW_VRFY),
			     ESMTP_ACTION_MASK, false);
		harness_say(&h, ESMTP_DIR_SERVER, "220\r\n");
		harness_say(&h, ESMTP_DIR_CLIENT, "EHLO a\r\n");
		harness_feed(&h, ESMTP_DIR_SERVER, cut_reply, cut);
		harness_feed(&h, ESMTP_DIR_SERVER, cut_reply + cut,
			     sizeof(cut_reply) - 1 - cut);
		expect_without(&h, "STARTTLS\r\n");
		expect_without(&h, "VRFY\r\n");
		harness_expect_events(&h, "keyword(STARTTLS) rule#0(VRFY)");
		harness_free(&h);
	}

	/* in order: counted, then masked, and nothing behind that */
	harness_init(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD, BIT(ESMTP_KW_SIZE),
		     ESMTP_ACTION_COUNT, true);
	harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD, BIT(ESMTP_KW_SIZE) |
		     BIT(ESMTP_KW_OTHERS), ESMTP_ACTION_MASK, false);
	harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD, BIT(ESMTP_KW_SIZE),
		     ESMTP_ACTION_DROP, true);
	keyword_case(&h, "250-mx\r\n250-SIZE 5\r\n250 DSN\r\n",
		     "220\r\n250-mx\r\n250-XXXXXA\r\n250 DSN\r\n",
		     "rule#0(SIZE) rule#1(SIZE)");
	harness_free(&h);

	/* a keyword that ends at a bare LF is one too */
	harness_init(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD, BIT(ESMTP_KW_SIZE),
		     ESMTP_ACTION_RESET, true);
	keyword_case(&h, "250-mx\r\n250-DSN\n250-SIZE\n250 X\r\n",
		     "220\r\n250-mx\r\n250-DSN\n", "bare-lf bare-lf rule#0(SIZE)");
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	harness_free(&h);

	/* a rule that closes decides before one that masks */
	harness_init(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD, BIT(ESMTP_KW_OTHERS),
		     ESMTP_ACTION_RESET, true);
	harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD, BIT(ESMTP_KW_OTHERS),
		     ESMTP_ACTION_MASK, true);
	keyword_case(&h, "250-mx\r\n250-DSN\r\n250-HELP\r\n250 X\r\n",
		     "220\r\n250-mx\r\n250-DSN\r\n", "rule#0(HELP)");
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	harness_free(&h);
}

/* What has passed of a keyword stays; the rest is overwritten as soon as it is ruled out. */
static void test_keyword_pieces(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	client(&h, "EHLO a\r\n");
	server(&h, "250-mx\r\n250-S");
	server(&h, "T");
	server(&h, "ARTTLS\r");
	server(&h, "\n250-PIPE");
	server(&h, "CONNECT a");
	server(&h, "b\r\n250-AU");
	server(&h, "TH\r\n250-ENH");
	server(&h, "ANCED");
	server(&h, "\r\n250 CH");
	server(&h, "UNKING x\n");
	harness_expect(&h, ESMTP_DIR_SERVER,
		       "220\r\n250-mx\r\n250-SXXXXXXA\r\n250-PIPEXXXXXXXXXB\r\n"
		       "250-AUTH\r\n250-ENHANCED\r\n250 CHXXXXXXXD\n");
	harness_expect_events(&h, "rule#6(STARTTLS) rule#6(PIPECONNECT) "
			      "rule#6(ENHANCED) rule#6(CHUNKING) bare-lf");
	harness_free(&h);
}

/* The second of two rules has this only condition. */
static void check(const char *want, u32 bad, u32 match, u32 limit, u64 set,
		  u32 action)
{
	struct esmtp_rule rules[2] = {
		{ .first = 0, .n_conds = 1, .action = ESMTP_ACTION_MASK },
		{ .first = 1, .n_conds = 1, .action = action },
	};
	struct esmtp_cond conds[2] = {
		{ .match = ESMTP_MATCH_EHLO_KEYWORD, .set = 1 },
		{ .match = match, .limit = limit, .set = set },
	};
	u16 order[2];
	struct esmtp_policy p = {
		.n_rules = 2, .rules = rules, .n_conds = 2, .conds = conds,
		.order = order,
	};
	const char *why;
	u32 got = 77;

	why = esmtp_policy_prepare(&p, &got);
	assert_int_equal(got, bad);
	if (want)
		assert_string_equal(why, want);
	else
		assert_null(why);
}

static void check_counter(u32 m)
{
	check(NULL, ESMTP_NO_RULE, m, 0, 0, ESMTP_ACTION_COUNT);
	check(NULL, ESMTP_NO_RULE, m, 5, 0, ESMTP_ACTION_DROP);
	check(NULL, ESMTP_NO_RULE, m, 5, 0, ESMTP_ACTION_RESET);
	check("only ehlo-reply-parameter and cmd verb can be masked", 1, m, 5,
	      0, ESMTP_ACTION_MASK);
	check("this match has a limit, not a set", 1, m, 5, 1,
	      ESMTP_ACTION_DROP);
	check("limit can never be exceeded", 1, m, ESMTP_U32_MAX, 0,
	      ESMTP_ACTION_DROP);
	check("unknown action", 1, m, 5, 0, ESMTP_ACTION_MAX + 1);
}

static void check_set(u32 m, u64 all)
{
	check(NULL, ESMTP_NO_RULE, m, 0, all, ESMTP_ACTION_DROP);
	check(NULL, ESMTP_NO_RULE, m, 0, 1, ESMTP_ACTION_MASK);
	check("the set is empty", 1, m, 0, 0, ESMTP_ACTION_MASK);
	check("the set has a member that is not known", 1, m, 0, all + 1,
	      ESMTP_ACTION_MASK);
	check("this match has a set, not a limit", 1, m, 1, 1,
	      ESMTP_ACTION_MASK);
}

static void test_policy_rules(void **state)
{
	u32 m;

	(void)state;
	for (m = 1; m < ESMTP_MATCH_EHLO_KEYWORD; m++)
		check_counter(m);
	check_set(ESMTP_MATCH_EHLO_KEYWORD, ESMTP_KW_ALL);
	check_set(ESMTP_MATCH_CMD_VERB, ESMTP_VERBS_ALL);
	check(NULL, ESMTP_NO_RULE, ESMTP_MATCH_SPECIAL_CHARACTER, 0, 0, ESMTP_ACTION_DROP);
	check("this match compares with nothing", 1, ESMTP_MATCH_SPECIAL_CHARACTER, 5, 0, ESMTP_ACTION_DROP);
	check("this match compares with nothing", 1, ESMTP_MATCH_DECLARED_SIZE, 0, 1, ESMTP_ACTION_DROP);
	check("unknown kind of match", 1, 0, 5, 0, 0);
	check("unknown kind of match", 1, ESMTP_MATCH_MAX + 1, 5, 0, 0);
}

static void test_policy_parameters(void **state)
{
	static struct esmtp_rule many[ESMTP_RULES_MAX + 1];
	static struct esmtp_cond conds[ESMTP_RULES_MAX + 1];
	static u16 order[ESMTP_RULES_MAX + 1];
	struct esmtp_policy p = {
		.rules = many, .conds = conds, .order = order,
	};
	u32 bad, i;

	(void)state;
	assert_null(esmtp_policy_prepare(&p, &bad));
	assert_int_equal(bad, ESMTP_NO_RULE);
	p.flags = ESMTP_POLICY_F_ALL + 1;
	assert_string_equal(esmtp_policy_prepare(&p, &bad), "unknown flag");
	p.flags = ESMTP_POLICY_F_ALL;
	p.verbs = ESMTP_VERBS_ALL + 1;
	assert_string_equal(esmtp_policy_prepare(&p, &bad), "unknown verb");
	p.verbs = ESMTP_VERBS_ALL;
	assert_null(esmtp_policy_prepare(&p, &bad));
	for (i = 0; i <= ESMTP_RULES_MAX; i++) {
		many[i] = (struct esmtp_rule){ .first = i, .n_conds = 1 };
		conds[i] = (struct esmtp_cond){
			.match = ESMTP_MATCH_CMD_LINE_LENGTH, .limit = i,
		};
	}
	p.n_conds = ESMTP_RULES_MAX;
	p.n_rules = ESMTP_RULES_MAX;
	assert_null(esmtp_policy_prepare(&p, &bad));
	p.n_conds++;
	p.n_rules++;
	assert_string_equal(esmtp_policy_prepare(&p, &bad), "too many rules");
}

static void test_policy_conditions(void **state)
{
	struct harness h;
	u32 i, k, bad;

	(void)state;
	harness_init(&h);
	harness_no_rules(&h);
	harness_prepare(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, 1, ESMTP_ACTION_MASK, true);
	harness_cond(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 9);
	assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
			    "a rule that masks has one condition");
	h.rules[0].action = ESMTP_ACTION_DROP;
	assert_null(esmtp_policy_prepare(&h.policy, &bad));
	h.rules[0].n_conds = 0;
	assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
			    "a rule needs a condition");
	h.rules[0].n_conds = 3;
	assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
			    "a rule's conditions are missing");
	h.rules[0].first = 0xffff;
	assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
			    "a rule's conditions are missing");
	h.rules[0].n_conds = ESMTP_CONDS_MAX + 1;
	assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
			    "too many conditions in one rule");
	/* 64 conditions in rules with several, and any number of rules with one */
	harness_no_rules(&h);
	for (i = 0; i < 8; i++) {
		harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, i,
			     ESMTP_ACTION_COUNT, true);
		harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, i,
			     ESMTP_ACTION_COUNT, true);
		for (k = 1; k < 8; k++)
			harness_cond(&h, ESMTP_MATCH_CMD_LINE_LENGTH, k);
	}
	assert_null(esmtp_policy_prepare(&h.policy, &bad));
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, 1, ESMTP_ACTION_COUNT, true);
	assert_null(esmtp_policy_prepare(&h.policy, &bad));
	harness_cond(&h, ESMTP_MATCH_CMD_VERB, 1);
	assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
			    "the rules with several conditions have more than 64 of them");
	assert_int_equal(bad, 16);
	harness_free(&h);
}

/* A policy of one rule with this condition. */
static void refuses(const char *want, struct esmtp_cond cond)
{
	struct esmtp_rule rule = { .n_conds = 1 };
	u16 order;
	struct esmtp_policy p = {
		.n_rules = 1, .rules = &rule, .n_conds = 1, .conds = &cond,
		.order = &order,
	};
	const char *why;
	u32 bad;

	why = esmtp_policy_prepare(&p, &bad);
	assert_int_equal(bad, want ? 0 : ESMTP_NO_RULE);
	if (want)
		assert_string_equal(why, want);
	else
		assert_null(why);
}

static void test_policy_operands(void **state)
{
	static const char nothing[] = "this match compares with nothing";
	struct harness h;

	(void)state;
	assert_int_equal(esmtp_match_operand(ESMTP_MATCH_MAX + 1),
			 ESMTP_OPERAND_NONE);
	refuses(NULL, (struct esmtp_cond){
		.match = ESMTP_MATCH_SPECIAL_CHARACTER });
	refuses(nothing, (struct esmtp_cond){
		.match = ESMTP_MATCH_SPECIAL_CHARACTER, .limit = 1 });
	refuses(nothing, (struct esmtp_cond){
		.match = ESMTP_MATCH_SPECIAL_CHARACTER, .set = 1 });
	refuses(NULL, (struct esmtp_cond){
		.match = ESMTP_MATCH_ANOMALY, .set = 1 });
	refuses("no anomaly can be waited for to be absent",
		(struct esmtp_cond){ .match = ESMTP_MATCH_ANOMALY, .set = 1,
				     .negate = true });
	/* a table where none belongs, and a reply in one of a text */
	harness_init(&h);
	harness_rule(&h, ESMTP_MATCH_SENDER_TEXT, 0, ESMTP_ACTION_COUNT, true);
	refuses("this match has no table", (struct esmtp_cond){
		.match = ESMTP_MATCH_CMD_LINE_LENGTH,
		.table = harness_cond_of(&h, h.policy.n_rules - 1)->table });
	harness_free(&h);
}

static void refuses_field(const char *want, const char *name, u8 len)
{
	struct esmtp_cond cond = { .match = ESMTP_MATCH_HEADER_TEXT };
	struct harness h;

	harness_init(&h);
	harness_rule(&h, ESMTP_MATCH_HEADER_TEXT, 0, ESMTP_ACTION_COUNT, true);
	cond.table = harness_cond_of(&h, h.policy.n_rules - 1)->table;
	cond.field_len = len;
	memcpy(cond.field, name, strlen(name));
	refuses(want, cond);
	harness_free(&h);
}

static void test_policy_fields(void **state)
{
	static const char none[] = "no field can have this name";
	struct harness h;
	u32 i, bad;

	(void)state;
	refuses_field(NULL, "!~", 2);
	refuses_field("the name of the field is missing", "", 0);
	refuses_field("the name of the field is too long", "To",
		      ESMTP_FIELD_NAME_MAX + 1);
	refuses_field(none, "a b", 3);
	refuses_field(none, "a\x7f", 2);
	refuses_field(none, "a:", 2);
	refuses("this match is not about a field", (struct esmtp_cond){
		.match = ESMTP_MATCH_CMD_LINE_LENGTH, .field_len = 1,
		.field = "a" });
	harness_init(&h);
	harness_no_rules(&h);
	for (i = 0; i < HARNESS_RULES; i++) {
		harness_rule(&h, ESMTP_MATCH_HEADER_TEXT, 0, ESMTP_ACTION_COUNT,
			     true);
		h.conds[i].field_len = 1;
		h.conds[i].field[0] = 'a';
	}
	harness_prepare(&h);
	harness_cond(&h, ESMTP_MATCH_HEADER_TEXT, 0);
	h.conds[i].field_len = 1;
	h.conds[i].field[0] = 'a';
	assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
		"the rules have more than 32 conditions about fields of the header");
	harness_free(&h);
}

static void test_policy_rates(void **state)
{
	struct harness h;
	u32 i, bad;

	(void)state;
	for (i = 0; i < 3; i++) {
		harness_init(&h);
		harness_prepare(&h);
		h.rules[0].rate = (struct esmtp_rate){ i == 0, i == 1, i == 2 };
		assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
				    "only rate-limit has a rate");
		assert_int_equal(bad, 0);
		harness_free(&h);
	}
}

/* All that can fire at one byte, at once: no event is lost. */
static void test_no_event_is_lost(void **state)
{
	const struct step steps[] = {
		S("220\r\n"),
		C("XFOOB\r\nNOOP\nMAIL \rF:<aaaa>\n\nRCPT \r>>>>>><<<<<\r>\r\n"
		  "RCPT\rTO\rTO\r\r\rTO<aaaaaaaaaaaaaaaaa>\n"),
	};
	struct harness h;
	u32 i;

	(void)state;
	harness_init(&h);
	harness_no_rules(&h);
	for (i = 0; i < 12; i++) {
		harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, i,
			     ESMTP_ACTION_COUNT, true);
		harness_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, i,
			     ESMTP_ACTION_COUNT, true);
	}
	for (i = 0; i < 3; i++)
		harness_rule(&h, ESMTP_MATCH_SENDER_LENGTH, i,
			     ESMTP_ACTION_COUNT, true);
	for (i = 0; i < 4; i++)
		harness_rule(&h, ESMTP_MATCH_CMD_RCPT_COUNT, i,
			     ESMTP_ACTION_COUNT, true);
	harness_all_cuts(&h, steps, 2, 50);
	/* lines of 5, 4, 14, 0, 19 and 33 bytes, each limit below twice */
	i = 2 * (5 + 4 + 12 + 0 + 12 + 12) + 3 + 2;
	assert_int_equal(harness_count(&h, ESMTP_EVENT_RULE), i);
	assert_int_equal(harness_count(&h, ESMTP_EVENT_BARE_CR), 1 + 2 + 5);
	assert_int_equal(harness_count(&h, ESMTP_EVENT_BARE_LF), 4);
	assert_int_equal(harness_count(&h, ESMTP_EVENT_BRACKET_BLANKED), 10);
	assert_int_equal(harness_count(&h, ESMTP_EVENT_CMD_MASKED), 1);
	assert_int_equal(harness_count(&h, ESMTP_EVENT_VERB_LENGTH), 1);
	harness_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cmd_line),
		cmocka_unit_test(test_cmd_line_bare_cr),
		cmocka_unit_test(test_cmd_line_text),
		cmocka_unit_test(test_auth_is_not_measured),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_rcpt),
		cmocka_unit_test(test_rcpt_pipelined),
		cmocka_unit_test(test_rcpt_ends),
		cmocka_unit_test(test_rcpt_refused_do_not_count),
		cmocka_unit_test(test_rcpt_transactions),
		cmocka_unit_test(test_rcpt_end_of_data),
		cmocka_unit_test(test_rcpt_behind_a_reset_in_flight),
		cmocka_unit_test(test_rcpt_late),
		cmocka_unit_test(test_rcpt_between_resets),
		cmocka_unit_test(test_rcpt_jump),
		cmocka_unit_test(test_rcpt_once),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_several_rules),
		cmocka_unit_test(test_keyword_rules),
		cmocka_unit_test(test_keyword_pieces),
		cmocka_unit_test(test_policy_parameters),
		cmocka_unit_test(test_policy_rules),
		cmocka_unit_test(test_policy_conditions),
		cmocka_unit_test(test_policy_operands),
		cmocka_unit_test(test_policy_fields),
		cmocka_unit_test(test_policy_rates),
		cmocka_unit_test(test_no_event_is_lost),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
