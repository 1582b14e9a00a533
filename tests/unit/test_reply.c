// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules that answer in the server's stead: when, after which replies, and with what words.
 */
#define _GNU_SOURCE
#include "harness.h"

/* One rule that replies, and nothing else. */
static void begin(struct harness *h, enum esmtp_match match, u32 limit)
{
	harness_init(h);
	harness_no_rules(h);
	harness_rule(h, ESMTP_MATCH_CMD_LINE_LENGTH, 400, ESMTP_ACTION_COUNT,
		     false);
	harness_rule(h, match, limit, ESMTP_ACTION_REPLY, true);
}

/* The rule fired once and the client gets a reply for it. */
static void expect_reply(const struct harness *h)
{
	const struct esmtp_event *ev = harness_last(h, ESMTP_EVENT_RULE);

	assert_int_equal(harness_fired(h, 1), 1);
	assert_int_equal(ev->action, ESMTP_ACTION_REPLY);
	assert_int_equal(h->verdict, ESMTP_CLOSE_REPLY);
	assert_int_equal(h->engine.closed_by, 1);
}

static void expect_passed(const struct harness *h, const char *client,
			  const char *server)
{
	harness_expect(h, ESMTP_DIR_CLIENT, client);
	harness_expect(h, ESMTP_DIR_SERVER, server);
}

static void test_at_once(void **state)
{
	const struct step steps[] = {
		S("220\r\n"), C("NOOP\r\n"), S("250 ok\r\n"),
		C("MAIL FROM:<12345678901>\r\nRCPT TO:<a@b>\r\n"),
		S("250 never seen\r\n"),
	};
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_SENDER_LENGTH, 10);
	harness_all_cuts(&h, steps, 5, 50);
	expect_reply(&h);
	expect_passed(&h, "NOOP\r\n", "220\r\n250 ok\r\n");
	harness_free(&h);
}

/* A pipelined client reads the replies that it is owed, and then ours. */
static void test_latched(void **state)
{
	const struct step steps[] = {
		S("220\r\n"), C("MAIL FROM:<a@b>\r\n"), S("250 ok\r\n"),
		C("RCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n"),
		S("250-one\r\n250 ok\r\n"), C("QUIT\r\n"),
		S("550 unknown\r\n250 never seen\r\n"),
	};
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 2);
	harness_all_cuts(&h, steps, 7, 100);
	expect_reply(&h);
	expect_passed(&h, "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\n",
		      "220\r\n250 ok\r\n250-one\r\n250 ok\r\n550 unknown\r\n");
	harness_free(&h);
	/* and while one is owed nothing has closed */
	begin(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 2);
	harness_run(&h, steps, 6, (struct cut){ CUT_NONE, 0 });
	assert_int_equal(h.verdict, ESMTP_PASS);
	assert_int_equal(esmtp_engine_latched(&h.engine), ESMTP_CLOSE_REPLY);
	harness_free(&h);
}

static void test_before_the_greeting(void **state)
{
	const struct step steps[] = {
		C("MAIL FROM:<12345678901>\r\n"), S("220-a\r\n"), S("220 b\r\n"),
	};
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_SENDER_LENGTH, 10);
	h.policy.flags = 0;
	harness_all_cuts(&h, steps, 3, 20);
	expect_reply(&h);
	expect_passed(&h, "", "220-a\r\n220 b\r\n");
	harness_free(&h);
}

static void test_behind_a_message(void **state)
{
	const struct step steps[] = {
		S("220\r\n"), C("DATA\r\n"), S("354 go\r\n"),
		C("Subject: x\r\n\r\ny\r\n.\r\nMAIL FROM:<12345678901>\r\n"),
		S("250 accepted\r\n"),
	};
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_SENDER_LENGTH, 10);
	harness_all_cuts(&h, steps, 5, 50);
	expect_reply(&h);
	expect_passed(&h, "DATA\r\nSubject: x\r\n\r\ny\r\n.\r\n",
		      "220\r\n354 go\r\n250 accepted\r\n");
	harness_free(&h);
}

static void test_monitor(void **state)
{
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_SENDER_LENGTH, 10);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	harness_say(&h, ESMTP_DIR_SERVER, "220\r\n");
	harness_say(&h, ESMTP_DIR_CLIENT, "MAIL FROM:<12345678901>\r\n");
	assert_int_equal(harness_fired(&h, 1), 1);
	assert_int_equal(h.verdict, ESMTP_PASS);
	expect_passed(&h, "MAIL FROM:<12345678901>\r\n", "220\r\n");
	harness_free(&h);
}

/* Where a part of the server's reply has left, ours would be read as its rest. */
static void test_within_a_reply(void **state)
{
	static const char *const parts[] = { "4", "421 bye", "421-bye\r\n" };
	struct harness h;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&h, ESMTP_MATCH_SENDER_LENGTH, 10);
		harness_say(&h, ESMTP_DIR_SERVER, "220\r\n");
		harness_say(&h, ESMTP_DIR_SERVER, parts[i]);
		harness_say(&h, ESMTP_DIR_CLIENT, "MAIL FROM:<12345678901>\r\n");
		assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
		assert_int_equal(harness_fired(&h, 1), 1);
		harness_free(&h);
	}
}

/* A RSET that is refused: a recipient turns out to be one too many by the reply to it. */
#define LATE S("220\r\n"), C("MAIL FROM:<a@b>\r\n"), S("250 ok\r\n"), \
	     C("RCPT TO:<a@b>\r\n"), S("250 ok\r\n"), \
	     C("RSET\r\nRCPT TO:<c@d>\r\n"), S("503 no\r\n")

static void test_seen_in_a_reply(void **state)
{
	const struct step steps[] = {
		LATE, C("NOOP\r\n"), S("250-a\r\n250 b\r\n"), C("QUIT\r\n"),
		S("250 noop\r\n250 never seen\r\n"),
	};
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 1);
	harness_all_cuts(&h, steps, sizeof(steps) / sizeof(*steps), 100);
	expect_reply(&h);
	expect_passed(&h, "MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRSET\r\n"
		      "RCPT TO:<c@d>\r\nNOOP\r\n",
		      "220\r\n250 ok\r\n250 ok\r\n503 no\r\n250-a\r\n250 b\r\n"
		      "250 noop\r\n");
	harness_free(&h);
}

/* A harvest of addresses: the last reply that is owed is the client's, and DATA gets ours. */
static void test_invalid_recipients(void **state)
{
	const struct step steps[] = {
		S("220\r\n"),
		C("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<b@b>\r\n"
		  "RCPT TO:<c@b>\r\nRCPT TO:<d@b>\r\nDATA\r\n"),
		S("250 ok\r\n550 5.1.1 a\r\n550-5.1.1 b\r\n550 5.1.1 b\r\n"),
		S("250 c\r\n"), S("550 5.1.1 d\r\n354 go\r\n"),
	};
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_INVALID_RCPT_COUNT, 1);
	harness_all_cuts(&h, steps, 5, 50);
	expect_reply(&h);
	harness_expect(&h, ESMTP_DIR_SERVER,
		       "220\r\n250 ok\r\n550 5.1.1 a\r\n550-5.1.1 b\r\n"
		       "550 5.1.1 b\r\n250 c\r\n550 5.1.1 d\r\n");
	harness_free(&h);
}

/*
 * What is in flight behind it would make the client send content, a password or TLS: a reply of
 * ours comes instead.
 */
static void late_case(const char *command, const char *reply)
{
	const struct step steps[] = {
		LATE, { ESMTP_DIR_CLIENT, command, strlen(command) },
		S("250 ok\r\n"), { ESMTP_DIR_SERVER, reply, strlen(reply) },
	};
	struct harness h;

	begin(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 1);
	h.policy.flags |= ESMTP_POLICY_F_TLS_ALLOW;
	harness_all_cuts(&h, steps, sizeof(steps) / sizeof(*steps), 20);
	expect_reply(&h);
	harness_expect(&h, ESMTP_DIR_SERVER,
		       "220\r\n250 ok\r\n250 ok\r\n503 no\r\n250 ok\r\n");
	harness_free(&h);
}

static void test_instead_of_an_invitation(void **state)
{
	const struct step steps[] = {
		LATE, C("BDAT 10\r\nabc"), S("250 ok\r\n"), C("defghij"),
	};
	struct harness h;

	(void)state;
	late_case("DATA\r\n", "354 go\r\n");
	late_case("AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n");
	late_case("STARTTLS\r\n", "220 go\r\n");
	/* content that is under way already is not interrupted by a reply */
	begin(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 1);
	h.policy.verbs = ESMTP_VERBS_ALL;
	harness_all_cuts(&h, steps, sizeof(steps) / sizeof(*steps), 20);
	assert_int_equal(harness_fired(&h, 1), 1);
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	harness_free(&h);
}

/* A server that breaks the dialogue while a reply of ours waits ends it for both. */
static void test_latched_and_bypass(void **state)
{
	const struct step steps[] = {
		S("220\r\n"), C("NOOP\r\nMAIL FROM:<12345678901>\r\n"),
		S("250-go\r\n354 go\r\n"),
	};
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_SENDER_LENGTH, 10);
	harness_all_cuts(&h, steps, 3, 20);
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	harness_free(&h);
}

/*
 * A client that is silenced shows by what it sent before that it breaks another rule: that closes at once, as the first
 * one said. If the first one has a reply, the client gets it, but only behind all that it is owed.
 */
static void test_latched_and_seen_in_a_reply(void **state)
{
	const struct step steps[] = {
		S("220\r\n"), C("MAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@d>\r\nMAIL FROM:<12345678901>\r\n"),
		S("250 ok\r\n550 5.1.1 a\r\n"), S("250 c\r\n250 never seen\r\n"),
	};
	struct harness h;

	(void)state;
	begin(&h, ESMTP_MATCH_INVALID_RCPT_COUNT, 0);
	h.rules[1].action = ESMTP_ACTION_RESET;
	harness_rule(&h, ESMTP_MATCH_SENDER_LENGTH, 10, ESMTP_ACTION_DROP, true);
	harness_all_cuts(&h, steps, 4, 50);
	harness_expect_events(&h, "rule#2:11(MAIL) rule#1:1(RCPT)");
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	assert_int_equal(h.engine.closed_by, 2);
	harness_expect(&h, ESMTP_DIR_SERVER, "220\r\n250 ok\r\n");
	harness_free(&h);

	begin(&h, ESMTP_MATCH_INVALID_RCPT_COUNT, 0);
	h.rules[1].action = ESMTP_ACTION_RESET;
	harness_rule(&h, ESMTP_MATCH_SENDER_LENGTH, 10, ESMTP_ACTION_REPLY, true);
	harness_all_cuts(&h, steps, 4, 50);
	assert_int_equal(h.verdict, ESMTP_CLOSE_REPLY);
	assert_int_equal(h.engine.closed_by, 2);
	harness_expect(&h, ESMTP_DIR_SERVER, "220\r\n250 ok\r\n550 5.1.1 a\r\n250 c\r\n");
	harness_free(&h);
}

/* Within the rate a rule does nothing, and the next ones do; over it the client is told to come again. */
static void test_rate(void **state)
{
	const struct step steps[] = {
		S("220\r\n"), C("NOOP\r\nNOOP\r\n"), S("250 1\r\n250 2\r\n"),
		C("NOOP\r\nNOOP\r\n"), S("250 3\r\n250 never seen\r\n"),
	};
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, 1u << ESMTP_VERB_NOOP,
		     ESMTP_ACTION_RATE_LIMIT, true);
	h.rules[0].rate = (struct esmtp_rate){ 10, 60, 3 };
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, 1u << ESMTP_VERB_NOOP,
		     ESMTP_ACTION_COUNT, true);
	h.tokens = 3;
	harness_all_cuts(&h, steps, 5, 50);
	assert_int_equal(h.n_asked, 4);
	harness_expect_events(&h, "rule#1(NOOP) rule#1(NOOP) rule#1(NOOP) rule#0(NOOP)");
	assert_int_equal(h.verdict, ESMTP_CLOSE_REPLY);
	assert_int_equal(h.engine.closed_by, 0);
	harness_expect(&h, ESMTP_DIR_SERVER,
		       "220\r\n250 1\r\n250 2\r\n250 3\r\n");
	harness_free(&h);
	/* mode monitor only says so */
	harness_init(&h);
	harness_no_rules(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	harness_rule(&h, ESMTP_MATCH_CMD_VERB, 1u << ESMTP_VERB_NOOP,
		     ESMTP_ACTION_RATE_LIMIT, true);
	h.rules[0].rate = (struct esmtp_rate){ 10, 60, 3 };
	h.tokens = 1;
	harness_run(&h, steps, 5, (struct cut){ CUT_NONE, 0 });
	assert_int_equal(harness_fired(&h, 0), 3);
	assert_int_equal(h.verdict, ESMTP_PASS);
	harness_free(&h);
}

/* The words of the only rule of @h. */
static void expect_answer(struct harness *h, const char *want)
{
	u8 line[ESMTP_ANSWER_MAX];
	u32 len;

	harness_prepare(h);
	len = esmtp_answer_write(&h->policy, 0, line);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
}

static struct esmtp_rule *one_rule(struct harness *h, enum esmtp_match match,
				   u64 arg)
{
	harness_init(h);
	harness_no_rules(h);
	harness_rule(h, match, arg, ESMTP_ACTION_REPLY, false);
	return &h->rules[0];
}

static void test_words(void **state)
{
	char text[ESMTP_REPLY_TEXT_MAX + 1], want[300];
	struct esmtp_rule *rule;
	struct harness h;

	(void)state;
	rule = one_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 512);
	expect_answer(&h, "554 5.7.1 command line longer than 512\r\n");
	rule->code = 421;
	expect_answer(&h, "421 4.7.1 command line longer than 512\r\n");
	harness_cond(&h, ESMTP_MATCH_CMD_VERB, 1u << ESMTP_VERB_VRFY);
	expect_answer(&h, "421 4.7.1 refused by policy\r\n");
	rule = one_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 512);
	harness_not(&h);
	expect_answer(&h, "554 5.7.1 refused by policy\r\n");
	rule = one_rule(&h, ESMTP_MATCH_CMD_VERB, 1u << ESMTP_VERB_VRFY);
	rule->code = 502;
	expect_answer(&h, "502 5.7.1 command not allowed\r\n");
	one_rule(&h, ESMTP_MATCH_INVALID_RCPT_COUNT, 7);
	expect_answer(&h, "554 5.7.1 number of unknown recipients over 7\r\n");
	rule = one_rule(&h, ESMTP_MATCH_CMD_RCPT_COUNT, 0);
	expect_answer(&h, "554 5.7.1 number of recipients over 0\r\n");
	one_rule(&h, ESMTP_MATCH_SPECIAL_CHARACTER, 0);
	expect_answer(&h, "554 5.7.1 special character in an address\r\n");
	one_rule(&h, ESMTP_MATCH_SENDER_TEXT, 0);
	expect_answer(&h, "554 5.7.1 sender address not allowed\r\n");
	one_rule(&h, ESMTP_MATCH_RECIPIENT_TEXT, 0);
	expect_answer(&h, "554 5.7.1 recipient address not allowed\r\n");
	one_rule(&h, ESMTP_MATCH_MAIL_RELAY, 0);
	expect_answer(&h, "554 5.7.1 relaying not allowed\r\n");
	rule = one_rule(&h, ESMTP_MATCH_SENDER_LENGTH, ESMTP_U32_MAX - 1);
	rule->code = 550;
	expect_answer(&h, "550 5.7.1 sender address longer than 4294967294\r\n");
	rule->action = ESMTP_ACTION_RATE_LIMIT;
	rule->code = 0;
	rule->rate = (struct esmtp_rate){ 10, 1, 20 };
	expect_answer(&h, "421 4.7.1 more than 10 a second, try again later\r\n");
	rule->rate.seconds = 60;
	expect_answer(&h, "421 4.7.1 more than 10 a minute, try again later\r\n");
	rule->action = ESMTP_ACTION_REPLY;
	rule->rate = (struct esmtp_rate){ 0 };
	rule->code = 550;
	rule->text = "5.1.7 go away";
	rule->text_len = 13;
	expect_answer(&h, "550 5.1.7 go away\r\n");
	memset(text, 'x', sizeof(text));
	text[ESMTP_REPLY_TEXT_MAX] = '\0';
	rule->text = text;
	rule->text_len = ESMTP_REPLY_TEXT_MAX;
	snprintf(want, sizeof(want), "550 %s\r\n", text);
	assert_int_equal(strlen(want), ESMTP_ANSWER_MAX);
	expect_answer(&h, want);
	harness_free(&h);
}

/* No policy has a longer text, for it is checked; were it not, nothing would be written behind the line. */
static void test_words_that_do_not_fit(void **state)
{
	u8 *line = malloc(ESMTP_ANSWER_MAX);	/* exactly as long, for ASan */
	char text[255], want[ESMTP_ANSWER_MAX + 1];
	struct esmtp_rule *rule;
	struct harness h;

	(void)state;
	rule = one_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 512);
	harness_prepare(&h);
	memset(text, 'x', sizeof(text));
	rule->text = text;
	rule->text_len = sizeof(text);
	snprintf(want, sizeof(want), "554 %.*s\r\n", ESMTP_REPLY_TEXT_MAX, text);
	assert_int_equal(esmtp_answer_write(&h.policy, 0, line), ESMTP_ANSWER_MAX);
	assert_memory_equal(line, want, ESMTP_ANSWER_MAX);
	free(line);
	harness_free(&h);
}

static void check(struct harness *h, const char *want)
{
	const char *why;
	u32 bad;

	h->policy.rules = h->rules;
	h->policy.conds = h->conds;
	h->policy.order = h->order;
	why = esmtp_policy_prepare(&h->policy, &bad);
	assert_int_equal(bad, want ? 0 : ESMTP_NO_RULE);
	if (want)
		assert_string_equal(why, want);
	else
		assert_null(why);
}

static const char place[] =
	"a reply stands between commands: all conditions of its rule are about what the client's commands say or come to";

static void test_check_code(void **state)
{
	static const char code[] = "the code of a reply is 400 to 459 or 500 to 559";
	struct esmtp_rule *rule;
	struct harness h;
	u32 i;

	(void)state;
	rule = one_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 512);
	for (i = 0; i < 1000; i++) {
		rule->code = i;
		check(&h, !i || (i >= 400 && i < 460) ||
			  (i >= 500 && i < 560) ? NULL : code);
	}
	harness_free(&h);
}

static void test_check_text(void **state)
{
	static const char text[] =
		"the text of a reply is 1 to 200 printable ASCII characters without quotes";
	static const char only[] = "only a reply has a code and a text";
	char full[ESMTP_REPLY_TEXT_MAX + 1];
	struct esmtp_rule *rule;
	struct harness h;
	u32 i;

	(void)state;
	rule = one_rule(&h, ESMTP_MATCH_CMD_LINE_LENGTH, 512);
	rule->text_len = 1;
	for (i = 1; i < 256; i++) {
		char c = i;

		rule->text = &c;
		check(&h, i >= ' ' && i <= '~' && i != '"' ? NULL : text);
	}
	rule->text = "";
	rule->text_len = 0;
	check(&h, text);
	memset(full, 'x', sizeof(full));
	rule->text = full;
	rule->text_len = ESMTP_REPLY_TEXT_MAX;
	check(&h, NULL);
	rule->text_len = ESMTP_REPLY_TEXT_MAX + 1;
	check(&h, text);
	rule->text = NULL;
	rule->action = ESMTP_ACTION_DROP;
	check(&h, NULL);
	rule->code = 554;
	check(&h, only);
	rule->code = 0;
	rule->text = "x";
	rule->text_len = 1;
	check(&h, only);
	harness_free(&h);
}

static void test_check_rate(void **state)
{
	struct esmtp_rule *rule;
	struct harness h;

	(void)state;
	rule = one_rule(&h, ESMTP_MATCH_CMD_VERB, 1);
	rule->action = ESMTP_ACTION_RATE_LIMIT;
	check(&h, "a rate is for a second or for a minute");
	rule->rate = (struct esmtp_rate){ 1, 60, 1 };
	check(&h, NULL);
	rule->code = 421;
	check(&h, "only a reply has a code and a text");
	rule->code = 0;
	rule->action = ESMTP_ACTION_DROP;
	check(&h, "only rate-limit has a rate");
	one_rule(&h, ESMTP_MATCH_BODY_LINE_LENGTH, 1)->rate =
		(struct esmtp_rate){ 1, 1, 1 };
	h.rules[0].action = ESMTP_ACTION_RATE_LIMIT;
	check(&h, place);
	harness_free(&h);
}

/* Kinds of match that a reply can stand behind. */
static bool has_place(enum esmtp_match match)
{
	switch (match) {
	case ESMTP_MATCH_CMD_LINE_LENGTH:
	case ESMTP_MATCH_CMD_RCPT_COUNT:
	case ESMTP_MATCH_SENDER_LENGTH:
	case ESMTP_MATCH_CMD_VERB:
	case ESMTP_MATCH_INVALID_RCPT_COUNT:
	case ESMTP_MATCH_SENDER_TEXT:
	case ESMTP_MATCH_RECIPIENT_TEXT:
	case ESMTP_MATCH_MAIL_RELAY:
	case ESMTP_MATCH_SPECIAL_CHARACTER:
		return true;
	default:
		return false;
	}
}

/* What the last condition needs besides, if it is about a field. */
static void name_field(struct harness *h)
{
	struct esmtp_cond *c = &h->conds[h->policy.n_conds - 1];

	if (c->match != ESMTP_MATCH_HEADER_TEXT)
		return;
	memcpy(c->field, "To", 2);
	c->field_len = 2;
}

static void test_check_place(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	for (i = 1; i <= ESMTP_MATCH_MAX; i++) {
		one_rule(&h, i, 1);
		name_field(&h);
		check(&h, has_place(i) ? NULL : place);
		/* nor in company of one that it can */
		one_rule(&h, ESMTP_MATCH_SENDER_LENGTH, 1);
		harness_cond(&h, i, 1);
		name_field(&h);
		check(&h, has_place(i) ? NULL : place);
		harness_free(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_latched),
		cmocka_unit_test(test_before_the_greeting),
		cmocka_unit_test(test_behind_a_message),
		cmocka_unit_test(test_monitor),
		cmocka_unit_test(test_within_a_reply),
		cmocka_unit_test(test_seen_in_a_reply),
		cmocka_unit_test(test_invalid_recipients),
		cmocka_unit_test(test_instead_of_an_invitation),
		cmocka_unit_test(test_latched_and_bypass),
		cmocka_unit_test(test_latched_and_seen_in_a_reply),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_that_do_not_fit),
		cmocka_unit_test(test_check_code),
		cmocka_unit_test(test_check_text),
		cmocka_unit_test(test_check_rate),
		cmocka_unit_test(test_check_place),
	};

	return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
