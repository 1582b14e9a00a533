// SPDX-License-Identifier: GPL-2.0-only
/*
 * A rule about a message closes the connection at the byte that decides: wherever in the reader that byte is met, it does
 * not pass, all before it has, and the rule has fired once, in every cut.
 */
#define _GNU_SOURCE
#include "harness.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define BIT(v) (1ull << (v))
#define TO_DATA "EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"

/**
 * struct place - where it closes
 * @match: of the rule
 * @arg: its limit or set
 * @negate: it says "not"
 * @passes: of the message
 * @rest: behind it
 */
struct place {
	enum esmtp_match match;
	u64 arg;
	bool negate;
	const char *passes;
	const char *rest;
};

static void closes(const struct place *p)
{
	char text[512], client[1024];
	struct step steps[] = {
		S("220 mx\r\n"), C("EHLO a\r\n"), S("250 ok\r\n"), C("MAIL FROM:<a@b.example>\r\n"), S("250 ok\r\n"),
		C("RCPT TO:<c@d.example>\r\n"), S("250 ok\r\n"), C("DATA\r\n"), S("354 go\r\n"), C(""),
	};
	struct harness h;

	steps[N(steps) - 1].data = text;
	steps[N(steps) - 1].len = snprintf(text, sizeof(text), "%s%s", p->passes, p->rest);
	snprintf(client, sizeof(client), "%s%s", TO_DATA, p->passes);
	harness_init(&h);
	harness_no_rules(&h);
	h.policy.flags = 0;
	harness_rule(&h, p->match, p->arg, ESMTP_ACTION_RESET, true);
	if (p->negate)
		harness_not(&h);
	harness_all_cuts(&h, steps, N(steps), 20);
	harness_expect(&h, ESMTP_DIR_CLIENT, client);
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	assert_int_equal(harness_fired(&h, 0), 1);
	harness_free(&h);
}

static void all_close(const struct place *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		closes(&p[i]);
}

#define TYPE "Content-Type: "
#define MIXED TYPE "multipart/mixed; boundary=b\r\n"
#define NAME "Content-Disposition: a; filename="

/* A header ends with an empty line, with a boundary or with the message. */
static void test_header(void **state)
{
	static const struct place places[] = {
		{ ESMTP_MATCH_HEADER_LENGTH, 90, true, "A: b\r\n\r", "\nc\r\n.\r\n" },
		{ ESMTP_MATCH_HEADER_LENGTH, 90, true, MIXED "--b\r", "\n\r\nc\r\n.\r\n" },
		{ ESMTP_MATCH_HEADER_LENGTH, 90, true, "A: b\r\n.\r", "\n" },
		{ ESMTP_MATCH_HEADER_TO_COUNT, 0, true, "A: b\r\n\r", "\nc\r\n.\r\n" },
		{ ESMTP_MATCH_HEADER_TO_COUNT, 0, true, "A: b\r\n.\r", "\n" },
		{ ESMTP_MATCH_HEADER_TO_COUNT, 1, false, "To: a\r\nA: b\r\nto", ": b\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_HEADER_COUNT, 1, true, "A: b\r\n\r", "\nc\r\n.\r\n" },
		{ ESMTP_MATCH_HEADER_COUNT, 1, false, "A: b\r\n c\r\n", "B: c\r\n\r\n.\r\n" },
	};

	(void)state;
	all_close(places, N(places));
}

/* Sizes are met within a line, at its end, and, if the message is too small, at its end. */
static void test_sizes(void **state)
{
	static const struct place places[] = {
		{ ESMTP_MATCH_MESSAGE_SIZE, 3, false, "A: ", "b\r\n\r\nc\r\n.\r\n" },
		{ ESMTP_MATCH_MESSAGE_SIZE, 5, false, "A: b\r", "\n\r\nc\r\n.\r\n" },
		{ ESMTP_MATCH_MESSAGE_SIZE, 7, false, "A: b\r\n\r", "\nc\r\n.\r\n" },
		{ ESMTP_MATCH_MESSAGE_SIZE, 99, true, "A: b\r\n\r\nc\r\n.\r", "\n" },
		{ ESMTP_MATCH_BODY_LENGTH, 2, false, "A: b\r\n\r\nc\r", "\nd\r\n.\r\n" },
		{ ESMTP_MATCH_BODY_LENGTH, 4, false, "A: b\r\n\r\nc\r\nd\r", "\n.\r\n" },
		{ ESMTP_MATCH_BODY_LENGTH, 5, false, "A: b\r\n\r\nc\r\nd\r", "\n.\r\n" },
		{ ESMTP_MATCH_BODY_LENGTH, 99, true, "A: b\r\n\r\nc\r\n.\r", "\n" },
		{ ESMTP_MATCH_BODY_LINE_LENGTH, 2, true, "A: b\r\n\r\ncde\r\nf\r", "\n.\r\n" },
	};

	(void)state;
	all_close(places, N(places));
}

/* The text of a type is known with what ends it; the test's own table wants an odd number of odd letters. */
static void test_types(void **state)
{
	static const struct place places[] = {
		{ ESMTP_MATCH_MIME_TYPE_TEXT, 0, false, TYPE "b/b", "; c=d\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_TYPE_TEXT, 0, false, TYPE "b/b\r\n", "B: c\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_TYPE_TEXT, 0, false, TYPE "b/b\r\n\r", "\n.\r\n" },
		{ ESMTP_MATCH_MIME_TYPE_TEXT, 0, false, TYPE "b/b\r\n.\r", "\n" },
		{ ESMTP_MATCH_MIME_ENCODING, BIT(ESMTP_ENC_BASE64), false, "Content-Transfer-Encoding: base64\r\n\r", "\n.\r\n" },
		{ ESMTP_MATCH_MIME_ENCODING, BIT(ESMTP_ENC_BASE64), false, "Content-Transfer-Encoding: base64", ";\r\n\r\n.\r\n" },
	};

	(void)state;
	all_close(places, N(places));
}

/* A file name is too long by a byte as it stands, by one that an encoding stands for, or by what was none in the end. */
static void test_names(void **state)
{
	static const struct place places[] = {
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 2, false, NAME "ab", "c\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 2, false, NAME "a ", "b c\r\n\r\n.\r\n" },
		/* the blank is the byte too many, but only with the next one it is known to count */
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 1, false, NAME "a ", "b c\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 2, true, NAME "ab", "; x=y\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 9, true, NAME "ab\r\n", "B: c\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 2, false, NAME "=?u?q?ab", "c?=\r\n\r\n.\r\n" },
		/* a question mark that ends no word, and a =4 that is no number, count with the byte behind them */
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 2, false, NAME "=?u?q?a?", "bc?=\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 1, false, NAME "=?u?q?a?", "b?=\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 1, false, NAME "=?u?q?=4", "x?=\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 1, false, NAME "=?u?b?+/", "+/?=\r\n\r\n.\r\n" },
		/* blanks behind a word count if no word follows, and so does the byte that shows it */
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 2, false, NAME "=?u?q?a?=  ", "b\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 3, false, NAME "=?u?q?a?=  ", "b\r\n\r\n.\r\n" },
		/* what began like a word and is none */
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 1, false, NAME "=?", ";\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 3, false, NAME "=?u?", "x\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 4, false, NAME "=?u?", "x\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 2, false, NAME "=?u\r\n", "B: c\r\n\r\n.\r\n" },
		/* RFC 2231: %X without its second digit, no charset at all, pieces */
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 1, false, "Content-Disposition: a; filename*=''%4", "x\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 1, false, "Content-Disposition: a; filename*=''%4", "; x=y\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 1, false, "Content-Disposition: a; filename*=ab", ";\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 9, true,
		  "Content-Disposition: a; filename*0=ab; filename*1=c\r\n", "B: c\r\n\r\n.\r\n" },
		/* a comment that never ends is none */
		{ ESMTP_MATCH_MIME_FILENAME_LENGTH, 2, false, NAME "a (b\r\n", "B: c\r\n\r\n.\r\n" },
		/* the text: with its end, with the name behind it, with the header's end */
		{ ESMTP_MATCH_MIME_FILENAME_TEXT, 0, false, NAME "a", ";\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_TEXT, 0, false,
		  "Content-Disposition: a; filename*0=a; name", "=b\r\n\r\n.\r\n" },
		{ ESMTP_MATCH_MIME_FILENAME_TEXT, 0, false,
		  "Content-Disposition: a; filename*0=a; filename*1=b\r\n\r", "\n.\r\n" },
	};

	(void)state;
	all_close(places, N(places));
}

/* The size is that of the header, and the rule about it counts there and not again where the body begins. */
static void test_size_met_with_the_header(void **state)
{
	const struct step steps[] = { C("A: b\r\n\r\nc\r\n.\r\n") };
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_MESSAGE_SIZE, 7, ESMTP_ACTION_COUNT, true);
	harness_rule(&h, ESMTP_MATCH_BODY_LENGTH, 2, ESMTP_ACTION_COUNT, true);
	harness_to_content(&h);
	harness_run(&h, steps, N(steps), (struct cut){ CUT_BYTES, 0 });
	harness_expect_events(&h, "rule#0:8 rule#1:3");
	harness_free(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_size_met_with_the_header),
	};

	return cmocka_run_group_tests_name("closing", tests, NULL, NULL);
}
