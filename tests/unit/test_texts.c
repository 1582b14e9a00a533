// SPDX-License-Identifier: GPL-2.0-only
/* Rules that hold addresses against tables: what is fed to a table, when it is asked, in every cut. */
#define _GNU_SOURCE
#include "harness.h"

#include "../../include/esmtp/table.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define HEAD S("220 mx\r\n"), C("EHLO a\r\n"), S("250 ok\r\n")
#define OK S("250 ok\r\n")

/**
 * struct wide - a table with a class for each byte, as large as the longest word needs
 * @head: what a table begins with
 * @row: and goes on with
 * @entry: and ends with
 */
struct wide {
	struct esmtp_table head;
	struct esmtp_table_row row[40];
	struct esmtp_table_entry entry[40][256];
};

/* State 1 + i: the last i bytes of the text are the first i of the word, or, if @exact, all bytes are. */
static u16 follow(const char *word, size_t i, u8 b, bool exact)
{
	char seen[64];
	size_t k;

	if (word[i] && (u8)word[i] == b)
		return 2 + i;
	if (exact)
		return ESMTP_TABLE_DEAD;
	if (!word[i])
		return 1 + i;
	memcpy(seen, word, i);
	seen[i] = b;
	for (k = i; k; k--)
		if (!memcmp(seen + i + 1 - k, word, k))
			break;
	return 1 + k;
}

/* Texts that have @word in them, or that are it. The same table has the same address. */
static const struct esmtp_table *table_of(const char *word, bool exact)
{
	struct wide *t = calloc(1, sizeof(*t));
	size_t n = strlen(word), i;
	u32 b;

	assert_true(n < 38);
	t->head.magic = ESMTP_TABLE_MAGIC;
	t->head.n_states = 40;
	t->head.n_entries = 40 * 256;
	t->head.n_classes = 256;
	t->head.start = 1;
	for (b = 0; b < 256; b++)
		t->head.class[b] = b;
	for (i = 0; i < 40; i++)
		t->row[i].base = i * 256;
	t->row[0].flags = ESMTP_TABLE_STUCK;
	t->row[1 + n].flags = ESMTP_TABLE_ACCEPTS;
	for (i = 0; i <= n; i++)
		for (b = 0; b < 256; b++)
			t->entry[1 + i][b] = (struct esmtp_table_entry){ 1 + i, follow(word, i, b, exact) };
	assert_null(esmtp_table_check(t, sizeof(*t)));
	return &t->head;
}

/* No rule; one is made by the test. */
static void begin(struct harness *h)
{
	harness_init(h);
	harness_no_rules(h);
	h->policy.flags = 0;
}

static struct esmtp_cond *last_cond(struct harness *h)
{
	return &h->conds[h->policy.n_conds - 1];
}

static void rule(struct harness *h, enum esmtp_match match, const struct esmtp_table *t,
		 enum esmtp_action action)
{
	harness_rule(h, match, 0, action, true);
	last_cond(h)->table = t;
}

static void cond(struct harness *h, enum esmtp_match match, const struct esmtp_table *t)
{
	harness_cond(h, match, 0);
	last_cond(h)->table = t;
}

static void free_tables(struct harness *h)
{
	u32 i, k;

	for (i = 0; i < h->policy.n_conds; i++) {
		for (k = 0; k < i && h->conds[k].table != h->conds[i].table; k++)
			;
		if (k == i)
			free((void *)h->conds[i].table);
	}
}

/* The steps in every cut, and what they came to. */
static void run(struct harness *h, const struct step *steps, size_t n, const char *events)
{
	harness_all_cuts(h, steps, n, 20);
	harness_expect_events(h, events);
	free_tables(h);
	harness_free(h);
}

#define RUN(h, events, ...) do {					\
	const struct step steps_[] = { __VA_ARGS__ };			\
									\
	run(h, steps_, N(steps_), events);				\
} while (0)

/* One MAIL line; whether a table that knows just @address finds it there. */
static void sender_is(const char *line, const char *address, bool found)
{
	struct step steps[] = { HEAD, { ESMTP_DIR_CLIENT, line, strlen(line) }, OK };
	struct harness h;

	begin(&h);
	rule(&h, ESMTP_MATCH_SENDER_TEXT, table_of(address, true), ESMTP_ACTION_COUNT);
	run(&h, steps, N(steps), found ? "rule#0(MAIL)" : "");
}

static void test_what_the_address_is(void **state)
{
	(void)state;
	sender_is("MAIL FROM:<a@b.example>\r\n", "a@b.example", true);
	sender_is("MAIL FROM:<a@b.exampl>\r\n", "a@b.example", false);
	sender_is("MAIL FROM:<a@b.examplee>\r\n", "a@b.example", false);
	sender_is("MAIL FROM:<a@b.example> SIZE=5 BODY=7BIT\r\n", "a@b.example", true);
	sender_is("MAIL FROM: <a@b.example>\r\n", "a@b.example", true);
	sender_is("MAIL FROM:a@b.example\r\n", "a@b.example", true);
	sender_is("MAIL FROM: a@b.example SIZE=5\r\n", "a@b.example", true);
	sender_is("MAIL FROM:<>\r\n", "", true);
	sender_is("MAIL FROM:<> RET=HDRS\r\n", "", true);
	sender_is("MAIL FROM:<x>\r\n", "", false);
	sender_is("MAIL\r\n", "", true);
	sender_is("MAIL FROM:\r\n", "", true);
	/* what stands before the brackets was a name */
	sender_is("MAIL FROM:a@b.example <c@d.example>\r\n", "c@d.example", true);
	sender_is("MAIL FROM:a@b.example <c@d.example>\r\n", "a@b.example", false);
	sender_is("MAIL FROM:a@b.example <>\r\n", "", true);
	sender_is("MAIL <a@b.example>\r\n", "a@b.example", true);
	/* quoted as it is written */
	sender_is("MAIL FROM:<\"a>b\"@c>\r\n", "\"a>b\"@c", true);
	sender_is("MAIL FROM:<\"a\\\">b\"@c>\r\n", "\"a\\\">b\"@c", true);
}

static void test_found_anywhere(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	rule(&h, ESMTP_MATCH_SENDER_TEXT, table_of("aab", false), ESMTP_ACTION_COUNT);
	RUN(&h, "rule#0(MAIL) rule#0(MAIL)", HEAD, C("MAIL FROM:<aaab@c>\r\n"), OK, C("RSET\r\n"), OK,
	    C("MAIL FROM:<aab>\r\n"), OK, C("RSET\r\n"), OK, C("MAIL FROM:<aacb@c> AUTH=aab\r\n"), OK,
	    C("RCPT TO:<aab@x>\r\n"), OK);
}

/* Nothing of the line's end passes, so the server never has the command. */
static void test_drop_and_reset(void **state)
{
	static const struct step steps[] = { HEAD, C("NOOP\r\n"), OK, C("MAIL FROM:<x@news.example>\r\nRSET\r\n") };
	static const enum esmtp_action actions[] = { ESMTP_ACTION_DROP, ESMTP_ACTION_RESET };
	struct harness h;
	u32 i;

	(void)state;
	for (i = 0; i < 2; i++) {
		begin(&h);
		rule(&h, ESMTP_MATCH_SENDER_TEXT, table_of("@news.", false), actions[i]);
		harness_all_cuts(&h, steps, N(steps), 20);
		harness_expect_events(&h, "rule#0(MAIL)");
		assert_int_equal(h.verdict, i ? ESMTP_CLOSE_RESET : ESMTP_CLOSE_DROP);
		harness_expect(&h, ESMTP_DIR_CLIENT, "EHLO a\r\nNOOP\r\n");
		free_tables(&h);
		harness_free(&h);
	}
}

static void test_recipients(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	rule(&h, ESMTP_MATCH_RECIPIENT_TEXT, table_of("b@c", true), ESMTP_ACTION_COUNT);
	RUN(&h, "rule#0(RCPT) rule#0(RCPT)", HEAD, C("MAIL FROM:<b@c>\r\n"), OK, C("RCPT TO:<a@c>\r\n"), OK,
	    C("RCPT TO:<b@c>\r\nRCPT TO: b@c NOTIFY=NEVER\r\n"), OK, OK, C("RCPT TO:<b@cc>\r\n"), OK);
}

/* One RCPT line under a rule about relaying, with a list of one host, "own". */
static void relays(const char *line, bool yes)
{
	struct step steps[] = { HEAD, C("MAIL FROM:<a@far>\r\n"), OK, { ESMTP_DIR_CLIENT, line, strlen(line) }, OK };
	struct harness h;

	begin(&h);
	rule(&h, ESMTP_MATCH_MAIL_RELAY, table_of("@own", true), ESMTP_ACTION_COUNT);
	run(&h, steps, N(steps), yes ? "rule#0(RCPT)" : "");
}

static void test_relay(void **state)
{
	(void)state;
	relays("RCPT TO:<a@own>\r\n", false);
	relays("RCPT TO: a@own NOTIFY=NEVER\r\n", false);
	relays("RCPT TO:<a@far>\r\n", true);
	relays("RCPT TO: a@far\r\n", true);
	relays("RCPT TO:<a@>\r\n", true);
	relays("RCPT TO:<a@[192.0.2.1]>\r\n", true);
	/* no host: the server's own */
	relays("RCPT TO:<Postmaster>\r\n", false);
	relays("RCPT TO:<a>\r\n", false);
	relays("RCPT TO:<a,b:c>\r\n", false);
	relays("RCPT TO:<>\r\n", false);
	relays("RCPT\r\n", false);
	/* the whole way */
	relays("RCPT TO:<@own,@own:a@own>\r\n", false);
	relays("RCPT TO:<@far,@own:a@own>\r\n", true);
	relays("RCPT TO:<@own,@far:a@own>\r\n", true);
	relays("RCPT TO:<@own:a@far>\r\n", true);
	relays("RCPT TO:<@own:a>\r\n", false);
	relays("RCPT TO:<@far:a>\r\n", true);
	relays("RCPT TO:<@far\r\n", true);
	relays("RCPT TO:<a%own@own>\r\n", false);
	relays("RCPT TO:<a%far@own>\r\n", true);
	relays("RCPT TO:<a%far%own@own>\r\n", true);
	relays("RCPT TO:<a%far>\r\n", true);
	relays("RCPT TO:<own!a@own>\r\n", false);
	relays("RCPT TO:<far!a@own>\r\n", true);
	relays("RCPT TO:<own!far!a@own>\r\n", true);
	relays("RCPT TO:<far!a>\r\n", true);
	relays("RCPT TO:<a@far@own>\r\n", true);
	relays("RCPT TO:<a@own@own>\r\n", false);
	/* what quotes hide from one server, another one sees */
	relays("RCPT TO:<\"a b\"@own>\r\n", false);
	relays("RCPT TO:<\"a@far\"@own>\r\n", true);
	relays("RCPT TO:<\"a%far\"@own>\r\n", true);
	relays("RCPT TO:<\"far!a\"@own>\r\n", true);
	relays("RCPT TO:<a\\@far@own>\r\n", true);
	/* a name in front of the brackets */
	relays("RCPT TO: A B <a@own>\r\n", false);
	relays("RCPT TO:a@far <a@own>\r\n", true);
	relays("RCPT TO:a@own <a@far>\r\n", true);
}

/* Under a list of what is below "own". */
static void relays_below(const char *line, size_t len, bool yes)
{
	struct step steps[] = { HEAD, C("MAIL FROM:<a@far>\r\n"), OK, { ESMTP_DIR_CLIENT, line, len }, OK };
	struct wide *t = (struct wide *)table_of(".own", false);
	struct harness h;
	u32 b;

	/* as a list has it: the text ends with that */
	for (b = 0; b < 256; b++)
		t->entry[5][b].next = b == '.' ? 2 : 1;
	begin(&h);
	rule(&h, ESMTP_MATCH_MAIL_RELAY, &t->head, ESMTP_ACTION_COUNT);
	harness_all_cuts(&h, steps, N(steps), 20);
	assert_int_equal(harness_fired(&h, 0), yes);
	free_tables(&h);
	harness_free(&h);
}

#define BELOW(line, yes) relays_below(line, sizeof(line) - 1, yes)

/* What no host's name has may end it, for some server. */
static void test_relay_below(void **state)
{
	(void)state;
	BELOW("RCPT TO:<a@x.own>\r\n", false);
	BELOW("RCPT TO:<a@X-1_y.z.own>\r\n", false);
	BELOW("RCPT TO:<a@b\xc3\xbc.own>\r\n", false);
	BELOW("RCPT TO:<@x.own:y.own!a%z.own@w.own>\r\n", false);
	BELOW("RCPT TO:<\"a b\"@x.own>\r\n", false);
	BELOW("RCPT TO:<a\0b@x.own>\r\n", false);
	BELOW("RCPT TO:<a@far>\r\n", true);
	BELOW("RCPT TO:<a@far\0.own>\r\n", true);
	BELOW("RCPT TO:<a@far\r.own>\r\n", true);
	BELOW("RCPT TO:<a@far .own>\r\n", true);
	BELOW("RCPT TO:<a@far,.own>\r\n", true);
	BELOW("RCPT TO:<a@far;.own>\r\n", true);
	BELOW("RCPT TO:<a@far:.own>\r\n", true);
	BELOW("RCPT TO:<a@far(.own>\r\n", true);
	BELOW("RCPT TO:<a@far\\.own>\r\n", true);
	BELOW("RCPT TO:<a%far\0.own>\r\n", true);
	BELOW("RCPT TO:<far x.own!a>\r\n", true);
	BELOW("RCPT TO:<@far .own:a@x.own>\r\n", true);
	/* a quote that does not end, and one that a server does not see */
	BELOW("RCPT TO:<\"a@far>.own\r\n", true);
	BELOW("RCPT TO:\"<a@far>.own\r\n", true);
	/* a literal is itself or nothing */
	BELOW("RCPT TO:<a@[192.0.2.1].own>\r\n", true);
	BELOW("RCPT TO:<a@[far.own>\r\n", true);
	BELOW("RCPT TO:<a@x[.own>\r\n", true);
}

/* Where the address seems to end, a server may read on. */
static void test_relay_end(void **state)
{
	(void)state;
	relays("RCPT TO:<a\\>@far>\r\n", true);
	relays("RCPT TO:<a\\> @far>\r\n", true);
	relays("RCPT TO:<a\\>b @far>\r\n", true);
	relays("RCPT TO:a\\ b@far\r\n", true);
	relays("RCPT TO:a\\ <b@own>\r\n", true);
	relays("RCPT TO:<a\\b@own>\r\n", false);
	relays("RCPT TO:<\"a\\\">\\\\\"@own>\r\n", false);
	relays("RCPT TO:<a@own>@far\r\n", true);
	relays("RCPT TO:<a>@far\r\n", true);
	relays("RCPT TO:<a@own>.far\r\n", true);
	relays("RCPT TO:<a@own>,<b@far>\r\n", true);
	relays("RCPT TO:<a@own><b@far>\r\n", true);
	relays("RCPT TO:<a@own>>\r\n", false);
	relays("RCPT TO:<a@own> ORCPT=rfc822;b@far\r\n", false);
	/* and begin before it should */
	relays("RCPT TO a@far\r\n", true);
	relays("RCPT a@far\r\n", true);
	relays("RCPT a@far:<a@own>\r\n", true);
	relays("RCPT TO :<a@own>\r\n", false);
	relays("RCPT TO<a@own>\r\n", false);
}

/* Every colon but that of a route is a part of its host. */
static void test_relay_literal(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	rule(&h, ESMTP_MATCH_MAIL_RELAY, table_of("@[IPv6:::1]", true), ESMTP_ACTION_COUNT);
	RUN(&h, "rule#0(RCPT)", HEAD, C("MAIL FROM:<a@far>\r\n"), OK, C("RCPT TO:<a@[IPv6:::1]>\r\n"), OK,
	    C("RCPT TO:<a@[IPv6:::2]>\r\n"), OK);
}

/* Each recipient is looked at for itself, with "not" too, and two lists side by side. */
static void test_relay_rules(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	rule(&h, ESMTP_MATCH_MAIL_RELAY, table_of("@own", true), ESMTP_ACTION_COUNT);
	rule(&h, ESMTP_MATCH_MAIL_RELAY, table_of("@far", true), ESMTP_ACTION_COUNT);
	harness_not(&h);
	rule(&h, ESMTP_MATCH_MAIL_RELAY, h.conds[1].table, ESMTP_ACTION_DROP);
	RUN(&h, "rule#0(RCPT) rule#1(RCPT) rule#2(RCPT)", HEAD, C("MAIL FROM:<a@far>\r\n"), OK,
	    C("RCPT TO:<a@far>\r\n"), OK, C("RCPT TO:<a@own>\r\n"));
}

/* The answer that says so is the server's, to AUTH: no other 235 counts. */
static void test_relay_authenticated(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	rule(&h, ESMTP_MATCH_MAIL_RELAY, table_of("@own", true), ESMTP_ACTION_COUNT);
	RUN(&h, "rule#0(RCPT) rule#0(RCPT)", HEAD, C("AUTH PLAIN abc\r\n"), S("535 no\r\n"), C("NOOP\r\n"), S("235 ok\r\n"),
	    C("MAIL FROM:<a@far>\r\n"), OK, C("RCPT TO:<a@far>\r\n"), S("235 ok\r\n"), C("RSET\r\n"), OK,
	    C("AUTH LOGIN\r\n"), S("334 VXNlcg==\r\n"), C("abc\r\n"), S("535 no\r\n"), C("MAIL FROM:<a@far>\r\n"), OK,
	    C("RCPT TO:<a@far>\r\n"), OK, C("RSET\r\n"), OK, C("AUTH LOGIN\r\n"), S("334 VXNlcg==\r\n"),
	    C("abc\r\n"), S("334 UGFzcw==\r\n"), C("abc\r\n"), S("235 ok\r\n"), C("MAIL FROM:<a@far>\r\n"), OK,
	    C("RCPT TO:<a@far>\r\n"), OK);
}

static void test_not(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	rule(&h, ESMTP_MATCH_SENDER_TEXT, table_of("@b", false), ESMTP_ACTION_COUNT);
	harness_not(&h);
	RUN(&h, "rule#0(MAIL) rule#0(MAIL)", HEAD, C("MAIL FROM:<a@b>\r\n"), OK, C("RSET\r\n"), OK,
	    C("MAIL FROM:<a@c>\r\n"), OK, C("RSET\r\n"), OK, C("MAIL FROM:<>\r\n"), OK);
}

/* Both hold in one transaction; the next begins anew. */
static void test_both(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	rule(&h, ESMTP_MATCH_SENDER_TEXT, table_of("s", true), ESMTP_ACTION_COUNT);
	cond(&h, ESMTP_MATCH_RECIPIENT_TEXT, table_of("r", true));
	RUN(&h, "rule#0(RCPT)", HEAD, C("MAIL FROM:<s>\r\n"), OK, C("RCPT TO:<x>\r\nRCPT TO:<r>\r\n"), OK, OK,
	    C("RSET\r\n"), OK, C("MAIL FROM:<x>\r\n"), OK, C("RCPT TO:<r>\r\n"), OK);
}

/* As many as may be side by side, for each kind of text; the same one counts once. */
static void test_live(void **state)
{
	const struct esmtp_table *first;
	char word[8] = "a@x";
	struct harness h;
	const char *why;
	u32 i, bad;

	(void)state;
	begin(&h);
	for (i = 0; i < ESMTP_TABLES_LIVE; i++) {
		word[0] = 'a' + i;
		rule(&h, ESMTP_MATCH_SENDER_TEXT, table_of(word, true), ESMTP_ACTION_COUNT);
		rule(&h, ESMTP_MATCH_RECIPIENT_TEXT, table_of(word, true), ESMTP_ACTION_COUNT);
	}
	first = h.conds[0].table;
	rule(&h, ESMTP_MATCH_SENDER_TEXT, first, ESMTP_ACTION_COUNT);
	RUN(&h, "rule#14(MAIL) rule#5(RCPT) rule#0(MAIL) rule#16(MAIL)", HEAD, C("MAIL FROM:<h@x>\r\n"), OK,
	    C("RCPT TO:<c@x>\r\n"), OK, C("RSET\r\n"), OK, C("MAIL FROM:<a@x>\r\n"), OK);
	begin(&h);
	for (i = 0; i <= ESMTP_TABLES_LIVE; i++)
		rule(&h, ESMTP_MATCH_SENDER_TEXT, table_of("x", true), ESMTP_ACTION_COUNT);
	h.policy.rules = h.rules;
	h.policy.conds = h.conds;
	h.policy.order = h.order;
	why = esmtp_policy_prepare(&h.policy, &bad);
	assert_string_equal(why, "the rules hold one kind of text against more than 8 tables");
	assert_int_equal(bad, ESMTP_TABLES_LIVE);
	free_tables(&h);
	harness_free(&h);
}

/* A rule with one condition is refused with these words. */
static void refused(const struct esmtp_cond *cond, const char *want)
{
	struct harness h;
	u32 bad;

	begin(&h);
	rule(&h, cond->match, cond->table, ESMTP_ACTION_COUNT);
	*last_cond(&h) = *cond;
	h.policy.rules = h.rules;
	h.policy.conds = h.conds;
	h.policy.order = h.order;
	assert_string_equal(esmtp_policy_prepare(&h.policy, &bad), want);
	assert_int_equal(bad, 0);
	harness_free(&h);
}

static void test_refused(void **state)
{
	struct esmtp_cond c = { .match = ESMTP_MATCH_SENDER_TEXT };
	const struct esmtp_table *t = table_of("x", true);

	(void)state;
	refused(&c, "the table is missing");
	c.table = t;
	c.limit = 5;
	refused(&c, "this match has a table, not a limit or a set");
	c.limit = 0;
	c.set = 5;
	refused(&c, "this match has a table, not a limit or a set");
	refused(&(struct esmtp_cond){ .match = ESMTP_MATCH_SENDER_LENGTH, .table = t }, "this match has no table");
	free((void *)t);
}

/* The name of a header's field: of which match, how long, of which bytes. */
static void test_refused_fields(void **state)
{
	struct esmtp_cond c = { .match = ESMTP_MATCH_HEADER_TEXT, .table = table_of("x", true) };
	static const char bad[] = " \x7f:\n\x80";

	(void)state;
	refused(&c, "the name of the field is missing");
	memset(c.field, 'x', sizeof(c.field));
	c.field_len = ESMTP_FIELD_NAME_MAX + 1;
	refused(&c, "the name of the field is too long");
	c.field_len = ESMTP_FIELD_NAME_MAX;
	for (u32 i = 0; bad[i]; i++) {
		c.field[ESMTP_FIELD_NAME_MAX - 1] = bad[i];
		refused(&c, "no field can have this name");
	}
	c.match = ESMTP_MATCH_SENDER_TEXT;
	refused(&c, "this match is not about a field");
	free((void *)c.table);
}

/* Conditions about fields of the header, as many as there may be and one more; the table is the same. */
static void test_many_fields(void **state)
{
	const struct esmtp_table *t = table_of("x", true);
	struct harness h;
	u32 bad, i;

	(void)state;
	for (i = ESMTP_FIELD_CONDS_MAX; i <= ESMTP_FIELD_CONDS_MAX + 1; i++) {
		begin(&h);
		while (h.policy.n_conds < i) {
			if (h.policy.n_conds % 2)
				cond(&h, ESMTP_MATCH_HEADER_TEXT, t);
			else
				rule(&h, ESMTP_MATCH_HEADER_TEXT, t, ESMTP_ACTION_COUNT);
			last_cond(&h)->field[0] = 'X';
			last_cond(&h)->field_len = 1;
		}
		h.policy.rules = h.rules;
		h.policy.conds = h.conds;
		h.policy.order = h.order;
		if (i == ESMTP_FIELD_CONDS_MAX)
			assert_null(esmtp_policy_prepare(&h.policy, &bad));
		else
			assert_string_equal(esmtp_policy_prepare(&h.policy, &bad),
					    "the rules have more than 32 conditions about fields of the header");
		assert_int_equal(bad, ESMTP_NO_RULE);
		harness_free(&h);
	}
	free((void *)t);
}

/* Random addresses against the C library, in random cuts. */
static void test_random(void **state)
{
	u32 seed = harness_seed(), i, k, n, found = 0;
	char line[64], address[16];
	struct harness h;

	(void)state;
	for (i = 0; i < 300; i++) {
		n = harness_random(&seed) % 14;
		for (k = 0; k < n; k++)
			address[k] = "ab@."[harness_random(&seed) % 4];
		address[k] = 0;
		snprintf(line, sizeof(line), "MAIL FROM:<%s>\r\n", address);
		begin(&h);
		rule(&h, ESMTP_MATCH_SENDER_TEXT, table_of("ab@", false), ESMTP_ACTION_COUNT);
		harness_run(&h, (const struct step[]){ HEAD, { ESMTP_DIR_CLIENT, line, strlen(line) } }, 4,
			    (struct cut){ CUT_RANDOM, i });
		assert_int_equal(harness_fired(&h, 0), !!strstr(address, "ab@"));
		found += !!strstr(address, "ab@");
		free_tables(&h);
		harness_free(&h);
	}
	assert_in_range(found, 10, 290);
}

#define CONTENT C("MAIL FROM:<a@b>\r\n"), OK, C("RCPT TO:<c@d>\r\n"), OK,	\
		C("DATA\r\n"), S("354 go\r\n")

static void field_rule(struct harness *h, const char *field, const struct esmtp_table *t, bool negate)
{
	struct esmtp_cond *c;

	rule(h, ESMTP_MATCH_HEADER_TEXT, t, ESMTP_ACTION_COUNT);
	c = last_cond(h);
	c->field_len = strlen(field);
	memcpy(c->field, field, c->field_len);
	c->negate = negate;
}

/* One header; what a rule about a field that knows just @value comes to. */
static void field_is(const char *field, const char *header, const char *value, bool negate, const char *events)
{
	struct step steps[] = { HEAD, CONTENT,
				{ ESMTP_DIR_CLIENT, header, strlen(header) }, OK };
	struct harness h;

	begin(&h);
	field_rule(&h, field, table_of(value, true), negate);
	run(&h, steps, N(steps), events);
}

static void subject_is(const char *header, const char *value, bool negate, const char *events)
{
	field_is("Subject", header, value, negate, events);
}

#define TAIL56 "-Of-The-Name-That-Is-As-Long-As-A-Rule-Knows-It-To-Be-XX"

static void test_fields(void **state)
{
	(void)state;
	subject_is("Subject: a b\r\n\r\n.\r\n", "a b", false, "rule#0(Subject)");
	subject_is("sUBJECT  :\t  a b\r\n\r\n.\r\n", "a b", false, "rule#0(sUBJECT)");
	subject_is("A: b\r\nSubject: a\r\n b\r\nC: d\r\n\r\n.\r\n", "a b", false, "rule#0(Subject)");
	subject_is("Subject:\r\n a b\r\n.\r\n", "a b", false, "rule#0(Subject)");
	subject_is("Subject: a b\r\nSubject: a b\r\n\r\n.\r\n", "a b", false,
		   "rule#0(Subject) rule#0(Subject)");
	subject_is("Subject: a bc\r\nX-Subject: a b\r\n\r\nSubject: a b\r\n.\r\n", "a b", false, "");
	subject_is("Subject: a b\r\n\r\n.\r\n", "a b", true, "");
	subject_is("Subject: a\r\n\r\n.\r\n", "a b", true, "rule#0(Subject)");
	subject_is("A: b\r\n\r\nSubject: a b\r\n.\r\n", "a b", true, "rule#0(Subject)");
	subject_is(".\r\n", "a b", true, "rule#0(Subject)");
	subject_is("Subject: a\r\nSubject: a b\r\n\r\n.\r\n", "a b", true, "");
	field_is("X-Letter" TAIL56, "X-Letter" TAIL56 ": a\r\n\r\n.\r\n", "a", false,
		 "rule#0(X-Letter" TAIL56 ")");
	field_is("X-Letter" TAIL56, "X-Letter" TAIL56 "X: a\r\n\r\n.\r\n", "a", false, "");
}

/* Of a field's value not a byte behind its line end passes if a rule about it closes. */
static void test_field_closes(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	field_rule(&h, "Subject", table_of("a b", true), false);
	h.rules[0].action = ESMTP_ACTION_RESET;
	harness_run(&h, (const struct step[]){ HEAD, CONTENT,
		    C("Subject: a\r\n b\r\nC: d\r\n\r\n.\r\n") }, 10, (struct cut){ CUT_NONE, 0 });
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	assert_memory_equal(h.out[0].p + h.out[0].n - 6, "\r\n b\r\n", 6);
	free_tables(&h);
	harness_free(&h);
}

/* Each rule is about its own field, also where another is as long. */
static void test_two_fields(void **state)
{
	const struct step steps[] = { HEAD, CONTENT, C("To: a\r\nCc: b\r\nBcc: a\r\n\r\n.\r\n"), OK };
	struct harness h;

	(void)state;
	begin(&h);
	field_rule(&h, "Cc", table_of("b", true), false);
	field_rule(&h, "To", table_of("a", true), false);
	field_rule(&h, "bcc", table_of("b", true), false);
	run(&h, steps, N(steps), "rule#1(To) rule#0(Cc)");
}

/* That no field is so is known with the header's end, which does not pass then. */
static void test_no_field_closes(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	field_rule(&h, "Subject", table_of("a b", true), true);
	h.rules[0].action = ESMTP_ACTION_RESET;
	harness_run(&h, (const struct step[]){ HEAD, CONTENT,
		    C("Subject: a\r\n\r\nb\r\n.\r\n") }, 10, (struct cut){ CUT_NONE, 0 });
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	assert_memory_equal(h.out[0].p + h.out[0].n - 5, " a\r\n\r", 5);
	free_tables(&h);
	harness_free(&h);
}

static void type_is(const char *header, const char *type, const char *events)
{
	struct step steps[] = { HEAD, CONTENT,
				{ ESMTP_DIR_CLIENT, header, strlen(header) }, OK };
	struct harness h;

	begin(&h);
	rule(&h, ESMTP_MATCH_MIME_TYPE_TEXT, table_of(type, true), ESMTP_ACTION_COUNT);
	run(&h, steps, N(steps), events);
}

static void test_media_types(void **state)
{
	static const char type[] = "application/x-msdownload";

	(void)state;
	type_is("Content-Type: application/x-msdownload\r\n\r\n.\r\n", type, "rule#0(application/x-msdownload)");
	type_is("Content-Type:\r\n Application(c) / X-MSDownload ; name=a\r\n\r\n.\r\n", type,
		"rule#0(application/x-msdownload)");
	type_is("Content-Type: application/x-msdownloads\r\n\r\n.\r\n", type, "");
	type_is("Content-Type: a/b; x=application/x-msdownload\r\n\r\n.\r\n", type, "");
	type_is("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
		"Content-Type: application/x-msdownload\r\n\r\n--x--\r\n.\r\n", type,
		"rule#0(application/x-msdownload)");
	type_is("Content-Type: a/b\r\n\r\nContent-Type: application/x-msdownload\r\n.\r\n", type, "");
}

/* The header of a part, and how often a file of that name is in it, and one of another name. */
static void names(const char *header, const char *name, u64 are, u64 are_not)
{
	struct step steps[] = { HEAD, CONTENT, { ESMTP_DIR_CLIENT, header, strlen(header) },
				C("\r\n\r\n.\r\n"), OK };
	const struct esmtp_table *t = table_of(name, true);
	struct harness h;

	begin(&h);
	rule(&h, ESMTP_MATCH_MIME_FILENAME_TEXT, t, ESMTP_ACTION_COUNT);
	rule(&h, ESMTP_MATCH_MIME_FILENAME_TEXT, t, ESMTP_ACTION_COUNT);
	last_cond(&h)->negate = true;
	harness_all_cuts(&h, steps, N(steps), 20);
	if (harness_fired(&h, 0) != are || harness_fired(&h, 1) != are_not)
		print_error("%s: %llu is %s, %llu is not\n", header, (unsigned long long)harness_fired(&h, 0), name,
			    (unsigned long long)harness_fired(&h, 1));
	assert_int_equal(harness_fired(&h, 0), are);
	assert_int_equal(harness_fired(&h, 1), are_not);
	free_tables(&h);
	harness_free(&h);
}

#define CD "Content-Disposition: attachment; "

static void test_file_names(void **state)
{
	(void)state;
	names(CD "filename=a.exe", "a.exe", 1, 0);
	names(CD "filename=\"a.exe\"", "a.exe", 1, 0);
	names(CD "filename=\"a\\.e\\x\\e\"", "a.exe", 1, 0);
	names(CD "filename=a.exe; size=5", "a.exe", 1, 0);
	names(CD "filename = a.exe ; size=5", "a.exe", 1, 0);
	names("Content-Type: a/b; name=a.exe", "a.exe", 1, 0);
	names("Content-Type:a/b;\r\n\tname=\"a.exe\"\r\n" CD "filename=b", "a.exe", 1, 1);
	names(CD "filename=\"a b.exe\"", "a b.exe", 1, 0);
	names(CD "filename=a.ex", "a.exe", 0, 1);
	names(CD "filename=A.EXE", "a.exe", 0, 1);
	names(CD "filenames=a.exe", "a.exe", 0, 0);
	names("Content-Type: a/b", "a.exe", 0, 0);
	names("X-Disposition: attachment; filename=a.exe", "a.exe", 0, 0);
	names("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" CD "filename=a.exe", "a.exe", 1, 0);
	names("Content-Type: text/plain\r\n\r\n" CD "filename=a.exe", "a.exe", 0, 0);
}

static void test_encoded_file_names(void **state)
{
	(void)state;
	/* RFC 2047 */
	names(CD "filename=\"=?utf-8?B?YS5leGU=?=\"", "a.exe", 1, 0);
	names(CD "filename==?utf-8?b?YS5leGU?=", "a.exe", 1, 0);
	names(CD "filename=\"=?utf-8?Q?a=2Ee=78e?=\"", "a.exe", 1, 0);
	names(CD "filename=\"=?utf-8?q?a_b=20c?=\"", "a b c", 1, 0);
	names(CD "filename=\"=?x?Q?a.?= =?y?B?ZXhl?=\"", "a.exe", 1, 0);
	names(CD "filename=\"=?x?Q?a.?=\r\n  =?y?B?ZXhl?=\"", "a.exe", 1, 0);
	names(CD "filename=\"=?x?Q?a?=.exe\"", "a.exe", 1, 0);
	names(CD "filename=\"a.=?x?Q?exe?=\"", "a.exe", 1, 0);
	names(CD "filename=\"=?x?Q?a?= .exe\"", "a .exe", 1, 0);
	names(CD "filename=\"=?utf-16le?B?YQAuAGUAeABlAA==?=\"", "a.exe", 1, 0);
	/* no words */
	names(CD "filename=\"a=b.exe\"", "a=b.exe", 1, 0);
	names(CD "filename=\"=?a.exe\"", "=?a.exe", 1, 0);
	names(CD "filename=\"=?a?b.exe\"", "=?a?b.exe", 1, 0);
	names(CD "filename=\"=?a?Q.exe\"", "=?a?Q.exe", 1, 0);
	names(CD "filename=\"==?x?Q?a?=\"", "=a", 1, 0);
	names(CD "filename=\"=?x?Q?a?= =b\"", "a =b", 1, 0);
	names(CD "filename=\"=?x?Q?a?==\"", "a=", 1, 0);
	/* a word that does not end is one to some */
	names(CD "filename=\"=?x?Q?a.exe\"", "a.exe", 1, 1);
	names(CD "filename=\"=?x?Q?a.exe\"", "=?x?Q?a.exe", 1, 0);
	names(CD "filename=\"=?x?B?YS5leGU=\"", "a.exe", 1, 1);
	/* within words */
	names(CD "filename=\"=?x?Q?a=4?=\"", "a=4", 1, 0);
	names(CD "filename=\"=?x?Q?a=?=\"", "a=", 1, 0);
	names(CD "filename=\"=?x?Q?a=g?=\"", "a=g", 1, 0);
	names(CD "filename=\"=?x?Q?a==41?=\"", "a=A", 1, 0);
	names(CD "filename=\"=?x?Q?a?b?\?=\"", "a?b?", 1, 0);
	/* RFC 2231 */
	names(CD "filename*=utf-8''a%2eexe", "a.exe", 1, 0);
	names(CD "filename*=utf-8'en'a%2Eex%65", "a.exe", 1, 0);
	names(CD "filename*=a%2eexe", "a.exe", 1, 0);
	names(CD "filename*=us'a.exe", "us'a.exe", 1, 0);
	names(CD "filename*=''a%2", "a%2", 1, 0);
	names(CD "filename*=''a%2x%", "a%2x%", 1, 0);
	names(CD "filename*=''a%%41", "a%A", 1, 0);
	names(CD "filename=\"a%2eexe\"", "a%2eexe", 1, 0);
	names(CD "filename=b; filename*=''a.exe", "a.exe", 1, 1);
}

static void test_file_names_in_pieces(void **state)
{
	(void)state;
	names(CD "filename*0=a.; filename*1=exe", "a.exe", 1, 0);
	names(CD "filename*0*=''a%2e; filename*1=e; filename*2*=%78e", "a.exe", 1, 0);
	names(CD "filename*0=\"a.\";\r\n size=5; filename*1=exe; x=y", "a.exe", 1, 0);
	names(CD "filename*0=a.; filename*1=ex", "a.exe", 0, 1);
	names("Content-Type: a/b; name*0=a.; name*1=exe", "a.exe", 1, 0);
	/* beside one for others */
	names(CD "filename=b; filename*0=a.; filename*1=exe", "a.exe", 1, 1);
	names(CD "filename*0=a.; filename*1=exe; filename=b", "a.exe", 1, 1);
	names(CD "filename*0=a.exe; name*0=b", "a.exe", 1, 1);
	/* a digit of %XX is in one piece with it */
	names(CD "filename*0*=''a%2; filename*1*=eexe", "a%2eexe", 1, 0);
	/* in no order: it may be any name. In front of that stands what has come */
	names(CD "filename*1=exe; filename*0=a.", "b", 1, 2);
	names(CD "filename*0=a; filename*2=c", "b", 1, 2);
	names(CD "filename*0=a; name=c; filename*1=b", "b", 1, 3);
	names(CD "filename*0=a; filename*0=b", "b", 1, 1);
	names(CD "filename*9=a; filename*10=b", "b", 1, 1);
	names(CD "filename*99999999999=a; filename*99999999999=b", "x", 2, 2);
	names(CD "filename*0=a; filename*1=b\r\n" CD "filename*2=c", "ab", 2, 1);
}

static void test_where_file_names_end(void **state)
{
	(void)state;
	/* to some; with "not" it is the whole */
	names(CD "filename=\"a.exe\" b", "a.exe", 1, 1);
	names(CD "filename=\"a.exe\" b", "a.exe b", 1, 0);
	names(CD "filename=a.exe b", "a.exe", 1, 1);
	names(CD "filename=a.exe\"b\"", "a.exe", 1, 1);
	names(CD "filename=a.exe(b)c", "a.exe", 1, 1);
	names(CD "filename=a.exe(b)c", "a.exec", 1, 0);
	names(CD "filename=a.exe (b)", "a.exe", 1, 0);
	names(CD "filename=\"a.exe b\"", "a.exe", 0, 1);
	names(CD "filename=b.exe a.exe", "a.exe", 0, 1);
	/* nobody can say */
	names(CD "filename=\"a; b=c", "x", 1, 1);
	names(CD "filename=a(b; c=d", "x", 1, 1);
	names(CD "filename=a; b=\"c", "x", 0, 1);
}

/* A multipart whose parts are not found: they may have any name. */
static void test_file_names_too_deep(void **state)
{
	(void)state;
#define IN(b) "Content-Type: multipart/mixed; boundary=" b "\r\n\r\n--" b "\r\n"
#define TEN "0123456789"
	names(IN("a") IN("b") IN("c") IN("d") IN("e") CD "filename=x", "x", 1, 0);
	names(IN("a") IN("b") IN("c") IN("d") IN("e") CD "filename=x", "y", 0, 1);
	names(IN("a") IN("b") IN("c") IN("d") IN("e") IN("f"), "x", 1, 1);
	names(IN(TEN TEN TEN TEN TEN TEN TEN), "x", 0, 0);
	names(IN(TEN TEN TEN TEN TEN TEN TEN "0"), "x", 1, 1);
	names(IN("a" TEN TEN TEN TEN TEN) IN("b" TEN TEN TEN TEN TEN) IN("c" TEN TEN TEN TEN TEN)
	      IN("d" TEN TEN TEN TEN TEN TEN) CD "filename=x", "x", 1, 0);
	names(IN("a" TEN TEN TEN TEN TEN) IN("b" TEN TEN TEN TEN TEN) IN("c" TEN TEN TEN TEN TEN)
	      IN("d" TEN TEN TEN TEN TEN TEN TEN) CD "filename=x", "y", 1, 1);
	/* of types the same is not known, but what they are is */
	names("Content-Type: text/plain; boundary=" TEN TEN TEN TEN TEN TEN TEN "0", "x", 0, 0);
#undef TEN
#undef IN
}

static void test_file_name_closes(void **state)
{
	const struct esmtp_table *t = table_of("exe", false);
	struct harness h;

	(void)state;
	begin(&h);
	rule(&h, ESMTP_MATCH_MIME_FILENAME_TEXT, t, ESMTP_ACTION_DROP);
	RUN(&h, "rule#0(=?x?B?YS5leGU?=)", HEAD, CONTENT,
	    C(CD "filename=\"=?x?B?YS5leGU?=\"; size=5\r\n\r\n.\r\n"));
	/* at what shows that it has ended */
	begin(&h);
	rule(&h, ESMTP_MATCH_MIME_FILENAME_TEXT, table_of("exe", false), ESMTP_ACTION_DROP);
	RUN(&h, "rule#0(filename)", HEAD, CONTENT,
	    C(CD "filename*0=ex;\r\n filename*1=e\r\n\r\n.\r\n"));
	/* of the same part */
	begin(&h);
	rule(&h, ESMTP_MATCH_MIME_FILENAME_TEXT, table_of("exe", false), ESMTP_ACTION_COUNT);
	cond(&h, ESMTP_MATCH_MIME_TYPE_TEXT, table_of("zip", false));
	RUN(&h, "rule#0(b.exe)", HEAD, CONTENT,
	    C("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" CD "filename=a.exe\r\n\r\n--x\r\n"
	      "Content-Type: a/zip\r\n" CD "filename=b.exe\r\n\r\n--x--\r\n.\r\n"), OK);
}

/* What an event says of the line: as much of it as was read, and nothing of a password. */
static void test_what_is_told(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	h.lines = true;
	rule(&h, ESMTP_MATCH_RECIPIENT_TEXT, table_of("b@c", false), ESMTP_ACTION_COUNT);
	RUN(&h, "rule#0(RCPT TO:<b@c> NOTIFY=NEVER) rule#0(rcpt to: b@c)", HEAD,
	    C("RCPT TO:<b@c> NOTIFY=NEVER\r\n"), OK, C("rcpt\tto: b@c\r\n"), OK);
	/* no more than the room */
	begin(&h);
	h.lines = true;
	rule(&h, ESMTP_MATCH_RECIPIENT_TEXT, table_of("b@c", false), ESMTP_ACTION_COUNT);
	RUN(&h, "rule#0(RCPT TO:<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa)", HEAD,
	    C("RCPT TO:<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab@c>\r\n"), OK);
	/* a message that is under way has that room */
	begin(&h);
	h.lines = true;
	h.policy.verbs |= 1ull << ESMTP_VERB_BDAT;
	rule(&h, ESMTP_MATCH_RECIPIENT_TEXT, table_of("b@c", false), ESMTP_ACTION_COUNT);
	RUN(&h, "rule#0(RCPT) rule#0(RCPT TO:<b@c>)", HEAD, C("BDAT 3\r\na: "), OK, C("RCPT TO:<b@c>\r\n"), OK,
	    C("BDAT 4 LAST\r\nb\r\n."), OK, C("RCPT TO:<b@c>\r\n"), OK);
	/* and the other way round */
	begin(&h);
	h.lines = true;
	field_rule(&h, "a", table_of("b", false), false);
	rule(&h, ESMTP_MATCH_RECIPIENT_TEXT, table_of("b@c", false), ESMTP_ACTION_COUNT);
	RUN(&h, "rule#0(a) rule#1(RCPT TO:<b@c>) rule#0(a)", HEAD,
	    C("DATA\r\n"), S("354 go\r\n"), C("a: b\r\n\r\n.\r\n"), OK,
	    C("RCPT TO:<b@c>\r\n"), OK, C("DATA\r\n"), S("354 go\r\n"), C("a: b\r\n\r\n.\r\n"), OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_the_address_is),
		cmocka_unit_test(test_found_anywhere),
		cmocka_unit_test(test_drop_and_reset),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_relay_below),
		cmocka_unit_test(test_relay_end),
		cmocka_unit_test(test_relay_literal),
		cmocka_unit_test(test_relay_rules),
		cmocka_unit_test(test_relay_authenticated),
		cmocka_unit_test(test_not),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_live),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_fields),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_field_closes),
		cmocka_unit_test(test_two_fields),
		cmocka_unit_test(test_no_field_closes),
		cmocka_unit_test(test_media_types),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_encoded_file_names),
		cmocka_unit_test(test_file_names_in_pieces),
		cmocka_unit_test(test_where_file_names_end),
		cmocka_unit_test(test_file_names_too_deep),
		cmocka_unit_test(test_file_name_closes),
		cmocka_unit_test(test_what_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
