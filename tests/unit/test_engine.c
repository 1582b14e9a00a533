// SPDX-License-Identifier: GPL-2.0-only
/* Waiting, closing, the queue of replies owed, and random dialogues. */
#include "harness.h"

#define BIT(v) (1ull << (v))

static void server(struct harness *h, const char *text)
{
	harness_say(h, ESMTP_DIR_SERVER, text);
}

static void client(struct harness *h, const char *text)
{
	harness_say(h, ESMTP_DIR_CLIENT, text);
}

static void begin(struct harness *h)
{
	harness_init(h);
	server(h, "220\r\n");
}

/* One call by hand: what the stream layer sees. The events of this call alone are left. */
static u32 feed(struct harness *h, enum esmtp_dir dir, const char *text,
		struct esmtp_result *r)
{
	harness_prepare(h);
	memset(r, 0xa5, sizeof(*r));
	h->n_events = 0;
	return esmtp_engine_feed(&h->engine, &h->policy, dir, (const u8 *)text,
				 strlen(text), &h->sink, r);
}

static void test_data_waits(void **state)
{
	struct esmtp_result r;
	struct harness h;

	(void)state;
	begin(&h);
	/* taken right up to the LF of DATA, and what is behind it is held */
	assert_int_equal(feed(&h, 0, "NOOP\r\nDATA\r\nSubject: x\r\n", &r), 12);
	assert_true(r.hold);
	assert_false(r.content);
	assert_int_equal(h.n_events, 1);
	assert_int_equal(h.events[0].type, ESMTP_EVENT_EARLY_CONTENT);
	assert_int_equal(feed(&h, 0, "Subject: x\r\n", &r), 0);
	assert_true(r.hold);
	assert_int_equal(h.n_events, 0);
	assert_int_equal(feed(&h, 1, "250 ok\r\n354-go\r\n", &r), 16);
	assert_int_equal(feed(&h, 0, "S", &r), 0);
	assert_true(r.hold);
	assert_int_equal(feed(&h, 1, "354 on\r\n", &r), 8);
	assert_int_equal(feed(&h, 0, "Subject: x\r\n.\r\nXFOO\r\n", &r), 15);
	assert_true(r.content);
	assert_false(r.hold);
	assert_int_equal(r.n_edits, 0);
	assert_int_equal(feed(&h, 0, "XFOO\r\n", &r), 6);
	assert_false(r.content);
	assert_int_equal(r.n_edits, 1);
	harness_free(&h);
}

static void test_nothing_is_taken_of_nothing(void **state)
{
	struct esmtp_result r;
	struct harness h;

	(void)state;
	begin(&h);
	assert_int_equal(feed(&h, 0, "", &r), 0);
	assert_false(r.hold);
	assert_int_equal(r.verdict, ESMTP_PASS);
	assert_int_equal(h.n_events, 0);
	assert_int_equal(feed(&h, 1, "", &r), 0);
	harness_free(&h);
}

/* Edits of content are refused by the engine itself, whoever asks. */
static void test_content_has_no_edits(void **state)
{
	struct esmtp_result r = { .content = true };
	struct harness h;
	struct esmtp_feed f = { .e = &h.engine, .p = &h.policy, .r = &r };

	(void)state;
	harness_init(&h);
	esmtp_edit(&f, 0, 5, 'X');
	assert_int_equal(r.n_edits, 0);
	r.content = false;
	esmtp_edit(&f, 0, 5, 'X');
	assert_int_equal(r.n_edits, 1);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	esmtp_edit(&f, 5, 5, 'X');
	assert_int_equal(r.edits[0].len, 5);
	harness_free(&h);
}

/* Nor does it hold anything in mode monitor, nor tell more than an event has room for. */
static void test_guards(void **state)
{
	struct esmtp_result r = { 0 };
	struct esmtp_event ev = { 0 };
	u8 text[ESMTP_TEXT_MAX + 1];
	struct harness h;
	struct esmtp_feed f = { .e = &h.engine, .p = &h.policy, .r = &r };

	(void)state;
	harness_init(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	esmtp_hold(&f);
	assert_false(r.hold);
	h.policy.flags &= ~ESMTP_POLICY_F_MONITOR;
	esmtp_hold(&f);
	assert_true(r.hold);
	memset(text, 'x', sizeof(text));
	esmtp_event_text(&ev, text, sizeof(text));
	assert_int_equal(ev.text_len, ESMTP_TEXT_MAX);
	assert_memory_equal(ev.text, text, ESMTP_TEXT_MAX);
	harness_free(&h);
}

/* A chunk is taken back, and nothing else that is owed. */
static void test_only_a_chunk_is_taken_back(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	client(&h, "NOOP\r\n");
	esmtp_unowe_chunk(&h.engine);
	assert_int_equal(h.engine.n_owed, 1);
	assert_int_equal(h.engine.owed[0].count, 1);
	harness_free(&h);
}

static void test_edits(void **state)
{
	struct esmtp_result r = { 0 };
	struct harness h;
	struct esmtp_feed f = { .e = &h.engine, .p = &h.policy, .r = &r };
	u32 i;

	(void)state;
	harness_init(&h);
	esmtp_edit(&f, 0, 0, 'X');
	assert_int_equal(r.n_edits, 0);
	esmtp_edit(&f, 2, 3, 'X');
	esmtp_edit(&f, 5, 3, 'X');	/* joined */
	assert_int_equal(r.n_edits, 1);
	esmtp_edit(&f, 7, 1, 'A');	/* replaces the tail */
	assert_int_equal(r.n_edits, 2);
	assert_int_equal(r.edits[0].len, 5);
	assert_int_equal(r.edits[1].off, 7);
	esmtp_edit(&f, 2, 1, 'B');	/* replaces all */
	assert_int_equal(r.n_edits, 1);
	assert_int_equal(r.edits[0].byte, 'B');
	assert_int_equal(r.edits[0].len, 1);
	for (i = 0; i < 100; i++)
		esmtp_edit(&f, 10 + 2 * i, 1, 'X');
	assert_int_equal(r.n_edits, ESMTP_EDITS_MAX);
	harness_free(&h);
}

/* A line can need more edits than a result has; it goes on in the next. */
static void test_more_edits_than_a_result_has(void **state)
{
	static const char kept[] = "220 2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*2*\r\n";
	static const char blanked[] = "MAIL FROM:<a> b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l\r\n";
	static const struct step steps[] = {
		S("220 2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a\r\n"),
		C("MAIL FROM:<a>>b>c>d>e>f>g>h>i>j>k>l>m>n>o>p>q>r>s>t>u>v>w>x>y>z>a>b>c>d>e>f>g>h>i>j>k>l\r\n"),
	};
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_all_cuts(&h, steps, sizeof(steps) / sizeof(*steps), 50);
	harness_expect(&h, ESMTP_DIR_SERVER, kept);
	harness_expect(&h, ESMTP_DIR_CLIENT, blanked);
	assert_true(h.n_edits > 2 * ESMTP_EDITS_MAX);
	harness_free(&h);
}

static void test_queue_is_full(void **state)
{
	static const char line[] = "NOOP\r\nRSET\r\n";
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	for (i = 0; i < ESMTP_OWED_MAX; i++)
		client(&h, line);
	/* 32 runs of one; the 33rd command waits until one is gone */
	assert_int_equal(h.out[0].n, ESMTP_OWED_MAX * 6);
	server(&h, "250 ok\r");
	assert_int_equal(h.out[0].n, ESMTP_OWED_MAX * 6);
	server(&h, "\n");
	assert_int_equal(h.out[0].n, ESMTP_OWED_MAX * 6 + 6);
	for (i = 1; i < 2 * ESMTP_OWED_MAX; i++)
		server(&h, "250 ok\r\n");
	assert_int_equal(h.out[0].n, h.in[0].n);
	assert_int_equal(h.n_events, 0);
	assert_false(esmtp_is_owed(&h.engine));
	harness_free(&h);
}

/* Mode monitor reads ahead of the answers, and they come in another order than guessed. */
static void test_guesses(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	harness_no_rules(&h);
	/* two DATAs, two AUTHs and a STARTTLS in flight, then their answers */
	client(&h, "DATA\r\n.\r\nDATA\r\n.\r\nAUTH LOGIN\r\na\r\n"
	       "AUTH LOGIN\r\nb\r\n");
	server(&h, "503 1\r\n354 2\r\n250 3\r\n334 4\r\n535 5\r\n334 6\r\n"
	       "235 7\r\n");
	client(&h, "STARTTLS\r\n");
	server(&h, "501 8\r\n250 9\r\n");
	client(&h, "NOOP\r\n");
	server(&h, "250 9\r\n");
	client(&h, "DATA\r\n");
	server(&h, "354 10\r\n");
	client(&h, "XFOO\r\n.\r\nXFOO\r\n");
	assert_int_equal(harness_count(&h, ESMTP_EVENT_CMD_MASKED), 2);
	assert_string_equal((const char *)
		harness_last(&h, ESMTP_EVENT_CMD_MASKED)->text, "XFOO");
	assert_int_equal(h.out[0].n, h.in[0].n);
	harness_free(&h);

	/* a late answer to what was taken for a password is not one to DATA */
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	client(&h, "AUTH LOGIN\r\nx\r\n");
	server(&h, "535 1\r\n");
	client(&h, "DATA\r\n");
	server(&h, "500 2\r\n354 3\r\n");
	client(&h, "XFOO\r\n.\r\n");
	server(&h, "250 4\r\n");
	/* a message that is guessed begins with a header, as any other */
	client(&h, "DATA\r\nx: y\r\n\r\n");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 1000);
	client(&h, "\r\n.\r\nDATA\r\n");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 1000);
	harness_expect_events(&h, "early-content rule#2:999 early-content "
			      "rule#3:999("
			      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx)");
	harness_free(&h);
}

/* A chunk that has begun behind such a message is none of it, and goes on when DATA is refused. */
static void test_guess_ends_before_a_chunk(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
	client(&h, "DATA\r\nx: y\r\n.\r\nBDAT 10\r\nabc");
	server(&h, "503 no\r\n");
	client(&h, "defghijNOOP\r\n");
	server(&h, "250 chunk\r\n250 noop\r\n");
	harness_expect_events(&h, "early-content");
	assert_false(esmtp_is_owed(&h.engine));
	harness_free(&h);
}

/* The answer to a DATA whose content has ended says nothing of another command that is waited for. */
static void test_guess_ends_before_another_wait(void **state)
{
	static const char *const next[] = { "DATA\r\n", "AUTH LOGIN\r\n", "STARTTLS\r\n" };
	struct harness h;
	u32 i;

	(void)state;
	for (i = 0; i < 3; i++) {
		begin(&h);
		h.policy.flags |= ESMTP_POLICY_F_MONITOR;
		h.policy.verbs |= BIT(ESMTP_VERB_STARTTLS);
		client(&h, "DATA\r\nx: y\r\n.\r\n");
		client(&h, next[i]);
		server(&h, "503 no\r\n");
		assert_int_equal(h.engine.n_owed, 1);
		server(&h, i ? "454 no\r\n" : "354 go\r\n");
		client(&h, i ? "" : "x: y\r\n.\r\n");
		client(&h, "EXPN\r\n");
		server(&h, i ? "" : "250 taken\r\n");
		server(&h, "252 perhaps\r\n");
		/* what follows a refused AUTH may be a password, so it is not told */
		harness_expect_events(&h, i == 1 ? "early-content masked" :
				      "early-content masked(EXPN)");
		assert_false(esmtp_is_owed(&h.engine));
		harness_free(&h);
	}
}

/* Equal commands are one run, however many: here more than a run can count. */
static void test_queue_counts(void **state)
{
	struct esmtp_result r;
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	for (i = 0; i < 70000; i++)
		assert_int_equal(feed(&h, 0, "NOOP\r\n", &r), 6);
	assert_int_equal(feed(&h, 0, "DATA\r\n", &r), 6);
	for (i = 0; i < 70000; i++)
		assert_int_equal(feed(&h, 1, "250 ok\r\n", &r), 8);
	assert_int_equal(feed(&h, 1, "354 go\r\n", &r), 8);
	assert_int_equal(h.n_events, 0);
	assert_false(esmtp_is_owed(&h.engine));
	assert_int_equal(feed(&h, 0, "x", &r), 1);
	assert_true(r.content);
	harness_free(&h);
}

/* Mode monitor cannot hold: it forgets what they were, not how many. */
static void test_queue_in_monitor(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	for (i = 0; i < 100; i++)
		client(&h, "NOOP\r\nRSET\r\n");
	assert_int_equal(h.out[0].n, h.in[0].n);
	for (i = 0; i < 200; i++)
		server(&h, "250 ok\r\n");
	assert_int_equal(h.n_events, 0);
	assert_false(esmtp_is_owed(&h.engine));
	assert_int_equal(h.engine.resets_owed, 0);
	harness_free(&h);
}

/* Where even the last run is full there is nothing left to count by; the bytes pass all the same. */
static void test_queue_overflows_in_monitor(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	for (i = 0; i < ESMTP_OWED_MAX / 2; i++)
		client(&h, "NOOP\r\nRSET\r\n");
	for (i = 0; i < ESMTP_OWED_RUN_MAX + 100; i++)
		client(&h, "RSET\r\n");
	assert_int_equal(h.engine.n_owed, ESMTP_OWED_MAX);
	assert_int_equal(h.engine.owed[ESMTP_OWED_MAX - 1].count, ESMTP_OWED_RUN_MAX);
	assert_int_equal(h.out[0].n, h.in[0].n);
	for (i = 0; i < ESMTP_OWED_MAX + ESMTP_OWED_RUN_MAX - 1; i++)
		server(&h, "250 ok\r\n");
	assert_false(esmtp_is_owed(&h.engine));
	assert_int_equal(h.engine.resets_owed, 0);
	assert_int_equal(h.n_events, 0);
	harness_free(&h);
}

/*
 * Nor can it tell there that an end of data is one. If the DATA before it is refused, it is not taken back; the server
 * answers what it takes for a command in its stead.
 */
static void test_queue_forgets_an_end_of_data(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	for (i = 0; i < ESMTP_OWED_MAX / 2 - 1; i++)
		client(&h, "NOOP\r\nRSET\r\n");
	client(&h, "NOOP\r\nDATA\r\n.\r\n");
	assert_int_equal(h.engine.n_owed, ESMTP_OWED_MAX);
	for (i = 0; i < ESMTP_OWED_MAX - 1; i++)
		server(&h, "250 ok\r\n");
	server(&h, "503 no\r\n");
	assert_true(esmtp_is_owed(&h.engine));
	server(&h, "500 what is a dot\r\n");
	assert_false(esmtp_is_owed(&h.engine));
	client(&h, "EXPN\r\n");
	harness_expect_events(&h, "early-content masked(EXPN)");
	harness_free(&h);
}

/* Nor that a reply is one to STARTTLS: so that is not waited for, and what follows is read. */
static void test_queue_forgets_starttls(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	h.policy.verbs |= BIT(ESMTP_VERB_STARTTLS);
	for (i = 0; i < ESMTP_OWED_MAX / 2; i++)
		client(&h, "NOOP\r\nRSET\r\n");
	client(&h, "STARTTLS\r\nEXPN\r\n");
	for (i = 0; i < ESMTP_OWED_MAX; i++)
		server(&h, "250 ok\r\n");
	server(&h, "454 no\r\n252 perhaps\r\n");
	client(&h, "EXPN\r\n");
	server(&h, "252 perhaps\r\n");
	harness_expect_events(&h, "masked(EXPN) masked(EXPN)");
	assert_false(esmtp_is_owed(&h.engine));
	harness_free(&h);
}

/* A counter that has come to its top stays there, and no rule is asked again. */
static void test_counters_stop(void **state)
{
	struct harness h;
	struct esmtp_content *c = &h.engine.content;

	(void)state;
	begin(&h);
	client(&h, "NOOP x");
	h.engine.cmd.len = ESMTP_U32_MAX;
	client(&h, "x");
	assert_int_equal(h.engine.cmd.len, ESMTP_U32_MAX);
	client(&h, "\r\n");
	server(&h, "250 o");
	h.engine.reply.len = ESMTP_U32_MAX;
	server(&h, "k");
	assert_int_equal(h.engine.reply.len, ESMTP_U32_MAX);
	server(&h, "\r\n250-");
	h.engine.reply.lines = 0xffff;
	server(&h, "\r\n");
	assert_int_equal(h.engine.reply.lines, 0xffff);
	harness_free(&h);

	begin(&h);
	client(&h, "MAIL FROM:<a");
	h.engine.cmd.path_len = ESMTP_U32_MAX;
	client(&h, "b");
	assert_int_equal(h.engine.cmd.path_len, ESMTP_U32_MAX);
	client(&h, ">\r\nRCPT TO:<a>\r\n");
	h.engine.rcpt_invalid = ESMTP_U32_MAX;
	server(&h, "250 ok\r\n550 5.1.1 who\r\n");
	assert_int_equal(h.engine.rcpt_invalid, ESMTP_U32_MAX);
	harness_free(&h);

	harness_init(&h);
	harness_to_content(&h);
	c->fields = ESMTP_U32_MAX;
	c->to_fields = ESMTP_U32_MAX;
	client(&h, "To: a");
	assert_int_equal(c->fields, ESMTP_U32_MAX);
	assert_int_equal(c->to_fields, ESMTP_U32_MAX);
	client(&h, "\r\n\r\nb");
	c->line_len = ESMTP_U32_MAX;
	c->size = ESMTP_U32_MAX;
	client(&h, "c");
	assert_int_equal(c->line_len, ESMTP_U32_MAX);
	assert_int_equal(c->size, ESMTP_U32_MAX);
	client(&h, "\r\n.\r\n");
	assert_int_equal(h.out[0].n, h.in[0].n);
	assert_int_equal(h.verdict, ESMTP_PASS);
	harness_free(&h);
}

/* The same for what is counted of a file name: it is as long as can be said, and never short again. */
static void test_counters_of_names_stop(void **state)
{
	struct harness h;
	struct esmtp_mime *m = &h.engine.content.mime;

	(void)state;
	harness_init(&h);
	harness_cond_of(&h, RULE_FILENAME)->limit = ESMTP_U32_MAX - 1;
	harness_to_content(&h);
	/* blanks in a token, a comment that does not end */
	client(&h, "Content-Type: a/b; name=a ");
	m->gap = ESMTP_U32_MAX;
	client(&h, " ");
	assert_int_equal(m->gap, ESMTP_U32_MAX);
	client(&h, "; name=a (b");
	m->skipped = ESMTP_U32_MAX;
	client(&h, "c");
	assert_int_equal(m->skipped, ESMTP_U32_MAX);
	assert_int_equal(h.n_events, 0);
	client(&h, "\r\nA");
	assert_int_equal(m->name_len, ESMTP_U32_MAX);
	harness_expect_events(&h, "rule#5:4294967295(name)");
	harness_free(&h);

	/* blanks behind an encoded word that may be in front of another one, which is none */
	harness_init(&h);
	harness_cond_of(&h, RULE_FILENAME)->limit = ESMTP_U32_MAX - 1;
	harness_to_content(&h);
	client(&h, "Content-Type: a/b; name=\"=?u?q?a?= ");
	m->gap = ESMTP_U32_MAX;
	client(&h, "\t");
	assert_int_equal(m->gap, ESMTP_U32_MAX);
	client(&h, "=");
	assert_int_equal(h.n_events, 0);
	client(&h, "b");
	harness_expect_events(&h, "rule#5:4294967295(name)");
	harness_free(&h);
}

/* A pipe is reported once a line. */
static void test_pipes_in_monitor(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	client(&h, "MAIL FROM:\t<a|b|c>\r\nRCPT\tTO:<|a>\t\r\n");
	harness_expect_events(&h, "pipe(MAIL) pipe(RCPT)");
	assert_int_equal(h.out[0].n, h.in[0].n);
	harness_free(&h);
}

static void test_first_verdict_wins(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	client(&h, "NOOP\r\nNOOP\r\nNOOP ");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 600);
	assert_int_equal(esmtp_engine_latched(&h.engine), ESMTP_CLOSE_DROP);
	client(&h, "MAIL FROM:<|>\r\n");
	assert_int_equal(h.verdict, ESMTP_PASS);
	/* a server's violation does not wait, but the verdict stays */
	server(&h, "250 ok\r\n354 go\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	harness_expect(&h, ESMTP_DIR_SERVER, "220\r\n250 ok\r\n");
	harness_expect_events(&h, "rule#0:513(NOOP) bypass:354");
	harness_free(&h);
}

static void test_latched_before_the_greeting(void **state)
{
	struct harness h;

	(void)state;
	harness_init(&h);
	client(&h, "MAIL FROM:<|>\r\n");
	assert_int_equal(h.out[0].n, 0);
	server(&h, "220-a\r\n220 b\r\n250 never\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	harness_expect(&h, ESMTP_DIR_SERVER, "220-*\r\n220 *\r\n");
	harness_free(&h);
}

/* The line's first part has left: the rest does not, nor its end. */
static void test_close_in_mid_line(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	client(&h, "MAIL FROM:<a");
	client(&h, "b|c>\r\nNOOP\r\n");
	harness_expect(&h, ESMTP_DIR_CLIENT, "MAIL FROM:<a");
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	harness_free(&h);
}

/* Edits of the line that closes are taken back with it; those before stay. */
static void test_close_takes_edits_back(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	client(&h, "XFOO\r\nMAIL FROM:<<a|>\r\n");
	harness_expect(&h, ESMTP_DIR_CLIENT, "XXXX\r\n");
	harness_expect_events(&h, "masked(XFOO) bracket(MAIL) pipe(MAIL)");
	server(&h, "500 what\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_RESET);
	harness_free(&h);
}

/* A chunk that breaks a rule is never answered; what was sent before it is. */
static void test_close_in_a_chunk(void **state)
{
	struct harness h;
	u32 owed;

	(void)state;
	for (owed = 0; owed < 2; owed++) {
		begin(&h);
		h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
		if (owed)
			client(&h, "NOOP\r\n");
		client(&h, "BDAT 5000 LAST\r\nX: ");
		harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 2000);
		assert_int_equal(harness_fired(&h, RULE_HEADER_LINE), 1);
		if (owed) {
			assert_int_equal(h.verdict, ESMTP_PASS);
			server(&h, "250 ok\r\n");
		}
		assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
		assert_int_equal(h.out[0].n, owed * 6 + 16 + 998);
		harness_free(&h);
	}
}

/* One chunk of two breaks a rule: the first is answered, and for that the end waits. */
static void test_close_in_the_second_chunk(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
	client(&h, "BDAT 3\r\nX: BDAT 5000\r\n");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 2000);
	assert_int_equal(h.verdict, ESMTP_PASS);
	assert_int_equal(esmtp_engine_latched(&h.engine), ESMTP_CLOSE_DROP);
	server(&h, "250 ok\r\n250 never seen\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	harness_expect(&h, ESMTP_DIR_SERVER, "220\r\n250 ok\r\n");
	harness_free(&h);
}

/* A last chunk that breaks a rule ends no transaction: answers to recipients before it are still of this one. */
static void test_close_in_the_last_chunk(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
	client(&h, "MAIL FROM:<a@a>\r\nRCPT TO:<b@b>\r\nRCPT TO:<c@c>\r\nBDAT 5000 LAST\r\nX: ");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 2000);
	server(&h, "250 a\r\n250 b\r\n");
	assert_int_equal(h.verdict, ESMTP_PASS);
	assert_int_equal(h.engine.rcpt_accepted, 1);
	assert_int_equal(h.engine.rcpt_sent, 0);
	server(&h, "250 c\r\n250 never seen\r\n");
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	harness_expect(&h, ESMTP_DIR_SERVER, "220\r\n250 a\r\n250 b\r\n250 c\r\n");
	harness_expect_events(&h, "rule#3:999(X)");
	harness_free(&h);
}

/* Chunks are one message: header, lines and the file name's section go on over them. */
static void test_chunks_are_one_message(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
	client(&h, "BDAT 600\r\n");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 600);
	server(&h, "250 ok\r\n");
	client(&h, "BDAT 600\r\n");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 398);
	assert_int_equal(h.n_events, 0);
	client(&h, "x");
	assert_int_equal(harness_fired(&h, RULE_HEADER_LINE), 1);
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	harness_free(&h);
}

/* What ends a message, so that the next chunk begins one: it has a header again. */
static void test_chunks_begin_a_message(void **state)
{
	static const struct {
		const char *first, *answer, *then, *answer2;
		u32 header;
	} cases[] = {
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n", "", "", 0 },
		{ "BDAT 6 LAST\r\na\r\n\r\nb", "250 ok\r\n", "", "", 1 },
		{ "BDAT 6\r\na\r\n\r\nb", "554 no\r\n", "", "", 1 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n", "RSET\r\n",
		  "250 ok\r\n", 1 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n", "RSET\r\n", "", 1 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n", "EHLO a\r\n",
		  "250 ok\r\n", 1 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n", "HELO a\r\n",
		  "250 ok\r\n", 1 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n", "EHLO a\r\n",
		  "501 no\r\n", 0 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n", "NOOP\r\n",
		  "250 ok\r\n", 0 },
		/* in flight: the second chunk is behind the RSET, the third goes on */
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n",
		  "RSET\r\nBDAT 4\r\n\r\n\r\n", "", 0 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n",
		  "RSET\r\nBDAT 4\r\n\r\n\r\n", "250 ok\r\n", 0 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n",
		  "DATA\r\n", "503 no\r\n", 0 },
		{ "BDAT 6\r\na\r\n\r\nb", "250 ok\r\n",
		  "DATA\r\nx:y\r\n\r\n.\r\n", "354 go\r\n", 1 },
	};
	struct harness h;
	u32 i, monitor;

	(void)state;
	for (monitor = 0; monitor < 2; monitor++)
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(&h);
		h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
		if (monitor)
			h.policy.flags |= ESMTP_POLICY_F_MONITOR;
		client(&h, cases[i].first);
		server(&h, cases[i].answer);
		client(&h, cases[i].then);
		server(&h, cases[i].answer2);
		client(&h, "BDAT 2000 LAST\r\n");
		harness_repeat(&h, ESMTP_DIR_CLIENT, 'x', 1500);
		assert_int_equal(harness_fired(&h, RULE_HEADER_LINE),
				 cases[i].header);
		assert_int_equal(harness_fired(&h, RULE_BODY_LINE),
				 !cases[i].header);
		harness_free(&h);
	}
}

/* What is pipelined behind BDAT LAST belongs to the next transaction. */
static void test_rcpt_behind_the_last_chunk(void **state)
{
	struct harness h;
	u32 i;

	(void)state;
	begin(&h);
	h.policy.verbs |= BIT(ESMTP_VERB_BDAT);
	for (i = 0; i < 60; i++)
		client(&h, "RCPT TO:<a@a>\r\n");
	client(&h, "BDAT 0 LAST\r\n");
	for (i = 0; i < 60; i++)
		client(&h, "RCPT TO:<a@a>\r\n");
	for (i = 0; i < 60; i++)
		server(&h, "250 ok\r\n");
	server(&h, "554 no\r\n");	/* over all the same */
	for (i = 0; i < 60; i++)
		server(&h, "250 ok\r\n");
	for (i = 0; i < 40; i++)
		client(&h, "RCPT TO:<a@a>\r\n");
	assert_int_equal(h.n_events, 0);
	client(&h, "RCPT TO:<a@a>\r\n");
	harness_expect_events(&h, "rule#1:101(RCPT)");
	harness_free(&h);
}

/* No event, ever, has what a client sends for AUTH. */
static void test_no_secrets(void **state)
{
	static const char * const dialogues[][6] = {
		{ "AUTH LOGIN\r\n", "500 no\r\n", "c2VjcmV0\r\n", "500\r\n",
		  "c2VjcmV0c2VjcmV0\n", "500\r\n" },
		{ "AUTH LOGIN\r\nc2VjcmV0\r\nc2VjcmV0\r\n", "535 no\r\n",
		  "", "500 a\r\n", "", "500 b\r\n" },
		{ "AUTH LOGIN\r\n", "334 a\r\n", "c2VjcmV0\r\n", "535 b\r\n",
		  "c2VjcmV0\r x\r\n", "500 b\r\n" },
		{ "AUTH PLAIN c2VjcmV0|\r\n", "535 a\r\n", " c2VjcmV0\r\n",
		  "500\r\n", "c2VjcmV0:\r\n", "500 b\r\n" },
		{ "AUTH LOGIN\r\n", "500 no\r\n", "c2VjcmV0c2VjcmV0c2VjcmV0"
		  "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\r\n",
		  "500\r\n", "", "" },
		{ "AUTH PLAIN c2VjcmV0\n", "334 \r\n", "c2VjcmV0|\n",
		  "503 x\r\n", "\rc2VjcmV0\r\n", "500\r\n" },
	};
	struct harness h;
	char *events;
	u32 i, k, flags, verbs;

	(void)state;
	for (flags = 0; flags < 2; flags++)
	for (verbs = 0; verbs < 2; verbs++)
	for (i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		begin(&h);
		if (flags)
			h.policy.flags |= ESMTP_POLICY_F_MONITOR;
		if (verbs)
			h.policy.verbs &= ~BIT(ESMTP_VERB_AUTH);
		harness_cond_of(&h, RULE_CMD_LINE)->limit = 40;
		for (k = 0; k < 6; k += 2) {
			client(&h, dialogues[i][k]);
			server(&h, dialogues[i][k + 1]);
		}
		events = harness_events(&h);
		assert_null(strstr(events, "c2Vj"));
		free(events);
		harness_free(&h);
	}
}

/* Text of an event is cut, never overrun; so are all counters of length. */
static void test_endless_words(void **state)
{
	struct harness h;

	(void)state;
	begin(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_EHLO_KEYWORD, 1, ESMTP_ACTION_MASK, true);
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'W', 5000);
	client(&h, "\r\n");
	server(&h, "500 what\r\n");
	harness_expect_events(&h, "masked(WWWWWWWWWWWWWWWWWWWW) verb-length(WWWWWWWWWWWWWWWWWWWW)");
	client(&h, "EHLO a\r\n");
	server(&h, "250-");
	harness_repeat(&h, ESMTP_DIR_SERVER, 'a', 100000);
	server(&h, "\r\n250-");
	harness_repeat(&h, ESMTP_DIR_SERVER, 'K', 100000);
	server(&h, "\r\n25");
	harness_repeat(&h, ESMTP_DIR_SERVER, '5', 100000);
	server(&h, "\r\n");
	assert_int_equal(h.out[1].n, h.in[1].n);
	assert_int_equal(harness_fired(&h, 0), 1);
	/* a word of 256 bytes is not one of none, nor one of 4 + 256 EHLO */
	client(&h, "MAIL");
	harness_repeat(&h, ESMTP_DIR_CLIENT, 'W', 256);
	client(&h, " FROM:<|>\r\n");
	assert_int_equal(harness_count(&h, ESMTP_EVENT_PIPE), 0);
	harness_free(&h);
}

/* After 220 to STARTTLS the rest of that call passes, and all behind it, unread. */
static void test_bypass(void **state)
{
	struct esmtp_result r;
	struct harness h;

	(void)state;
	begin(&h);
	h.policy.flags |= ESMTP_POLICY_F_TLS_ALLOW | ESMTP_POLICY_F_TLS_LOG;
	assert_int_equal(feed(&h, 0, "STARTTLS\r\nx", &r), 10);
	assert_true(r.hold);
	assert_false(r.bypass);
	assert_int_equal(h.n_events, 0);
	assert_int_equal(feed(&h, 1, "220-a\r\n", &r), 7);
	assert_false(r.bypass);
	assert_int_equal(feed(&h, 1, "220 b\r\n354 junk", &r), 15);
	assert_true(r.bypass);
	assert_int_equal(h.n_events, 1);
	assert_int_equal(h.events[0].type, ESMTP_EVENT_TLS_STARTED);
	assert_true(h.events[0].log);
	assert_int_equal(feed(&h, 0, "x|\n", &r), 3);
	assert_true(r.bypass);
	assert_int_equal(feed(&h, 1, "354 x\n", &r), 6);
	assert_true(r.bypass);
	assert_int_equal(h.n_events, 0);
	harness_free(&h);
}

/* What is logged and what is only counted, and the action that goes with it. */
static void test_logging(void **state)
{
	static const struct {
		bool log;
		u8 action;
	} want[] = {
		[ESMTP_EVENT_RULE] = { false, ESMTP_ACTION_MASK },
		[ESMTP_EVENT_BANNER_MASKED] = { false, ESMTP_ACTION_MASK },
		[ESMTP_EVENT_CMD_MASKED] = { true, ESMTP_ACTION_MASK },
		[ESMTP_EVENT_PIPE] = { true, ESMTP_ACTION_RESET },
		[ESMTP_EVENT_BRACKET_BLANKED] = { true, ESMTP_ACTION_MASK },
		[ESMTP_EVENT_TLS_STARTED] = { false, ESMTP_ACTION_COUNT },
		[ESMTP_EVENT_BYPASS] = { true, ESMTP_ACTION_RESET },
		[ESMTP_EVENT_VERB_LENGTH] = { true, ESMTP_ACTION_COUNT },
		[ESMTP_EVENT_BARE_LF] = { true, ESMTP_ACTION_COUNT },
		[ESMTP_EVENT_BARE_CR] = { true, ESMTP_ACTION_COUNT },
		[ESMTP_EVENT_EARLY_TALK] = { true, ESMTP_ACTION_COUNT },
		[ESMTP_EVENT_UNEXPECTED_REPLY] = { true, ESMTP_ACTION_COUNT },
		[ESMTP_EVENT_REPLY_SYNTAX] = { true, ESMTP_ACTION_COUNT },
		[ESMTP_EVENT_EARLY_CONTENT] = { true, ESMTP_ACTION_COUNT },
		[ESMTP_EVENT_KEYWORD_MASKED] = { false, ESMTP_ACTION_MASK },
	};
	const struct esmtp_event *ev;
	struct harness h;
	u32 type;

	(void)state;
	harness_init(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	h.policy.verbs &= ~BIT(ESMTP_VERB_VRFY);
	client(&h, "EHLO a\r\n");
	server(&h, "220 mx\r\n250-mx\r\n250-HELP\r\njunk\n250-VRFY\r\n250 ok\r\n"
	       "250 x\r\n");
	client(&h, "MAIL FROM:<|>>\r\nFOO\r \n");
	server(&h, "354 a\r\n500 b\r\n");
	client(&h, "DATA\r\nx\r\n.\r\n");
	server(&h, "354 a\r\n250 b\r\n");
	client(&h, "STARTTLS\r\n");
	server(&h, "220 go\r\n");
	/* what comes behind is not the engine's but the stream's */
	for (type = 1; type < ESMTP_EVENT_CONFLICT; type++) {
		ev = harness_last(&h, type);
		assert_non_null(ev);
		assert_int_equal(ev->log, want[type].log);
		assert_int_equal(ev->action, want[type].action);
	}
	harness_free(&h);
}

/* One of the things that the two sides may say, and in what random policy. */
static const struct step says[] = {
	C("NOOP\r\n"), C("EHLO a\r\n"), C("HELO a\r\n"), C("RSET\r\n"),
	C("MAIL FROM:<a@a>\r\n"), C("RCPT TO:<b@b>\r\n"), C("DATA\r\n"),
	C("AUTH LOGIN\r\n"), C("AUTH PLAIN AAAA\r\n"), C("dXNlcg==\r\n"),
	C("*\r\n"), C("STARTTLS\r\n"), C("XFOO bar\r\n"), C("DATAX\n"),
	C("mail from:<<a\"<\\\"b\"@c>> AUTH=<>\r\n"), C("RCPT TO:a>b c <d>\r\n"),
	C("Subject: x\r\n\r\n"), C(".\r\n"), C("..\r\n.\r\nNOOP\r\n"), C("\r\n"),
	C("BDAT 6\r\n.\r\nXF\n"), C("BDAT 0 LAST\r\n"), C("BDAT 3 LAST\r\nx: "),
	C("BDAT 5x\r\n"), C("VRFY\rfoo\r\r\n"), C("\n"), C("QU"), C("IT\r\n"),
	C("MAIL FROM:<012345678901234567890123456789>\r\n"), C("\r"),
	C("Content-Type: a/b; name=\"012345678901234567890\"\r\n\r\n"),
	C("RCPT TO:<a|b>\r\n"), C(" FOO\r\n"), C("\x80\0\r\n"),
	S("250 ok\r\n"), S("250-a\r\n250-SIZE 5\r\n250-STARTTLS\r\n250 AUTH=X\r\n"),
	S("354 go\r\n"), S("334 \r\n"), S("220 go on 20 0 x\r\n"), S("221\r\n"),
	S("503 no\r\n"), S("421 bye\r\n"), S("250-CHUNKING\n"), S("junk\r\n"),
	S("25"), S("0-PIPELINING a\r\n"), S("550 \r"), S("\n"), S("235 in\r\n"),
	S("220-ESMTP\r\n220 0 0 2\r\n"), S("354-a\r\n"), S("\r\n"),
};

static u64 random_arg(u32 match, u32 *seed)
{
	switch (match) {
	case ESMTP_MATCH_EHLO_KEYWORD:
		return 1 + harness_random(seed) % ESMTP_KW_ALL;
	case ESMTP_MATCH_CMD_VERB:
		return 1 + harness_random(seed) % ESMTP_VERBS_ALL;
	case ESMTP_MATCH_MIME_ENCODING:
		return 1 + harness_random(seed) % ESMTP_ENC_ALL;
	case ESMTP_MATCH_ANOMALY:
		return 1 + harness_random(seed) % ESMTP_ANOMALY_ALL;
	default:
		break;
	}
	return harness_random(seed) % 32;
}

/* Of those that need no table, which test_texts.c has. */
static u32 random_match(u32 *seed)
{
	u32 match;

	do {
		match = 1 + harness_random(seed) % ESMTP_MATCH_MAX;
	} while (esmtp_match_operand(match) == ESMTP_OPERAND_TABLE);
	return match;
}

static void random_cond(struct harness *h, u32 *seed)
{
	u32 match = random_match(seed);

	harness_cond(h, match, random_arg(match, seed));
	if (!(harness_random(seed) % 4) && match != ESMTP_MATCH_ANOMALY)
		harness_not(h);
}

static void random_rule(struct harness *h, u32 *seed)
{
	u32 match = random_match(seed);
	u32 action = harness_random(seed) % (ESMTP_ACTION_MAX + 1);
	bool word = match == ESMTP_MATCH_EHLO_KEYWORD ||
		    match == ESMTP_MATCH_CMD_VERB;
	bool several = !(harness_random(seed) % 3);

	/* mostly a connection that lives */
	if (harness_random(seed) % 4)
		action &= ESMTP_ACTION_MASK;
	if (action == ESMTP_ACTION_MASK && (several || !word))
		action = ESMTP_ACTION_COUNT;
	harness_rule(h, match, random_arg(match, seed), action,
		     harness_random(seed) & 1);
	if (action == ESMTP_ACTION_RATE_LIMIT)
		h->rules[h->policy.n_rules - 1].rate =
			(struct esmtp_rate){ 1, 1, 1 };
	h->tokens = harness_random(seed) % 4;
	if (!(harness_random(seed) % 4) && match != ESMTP_MATCH_ANOMALY)
		harness_not(h);
	while (several && h->rules[h->policy.n_rules - 1].n_conds < 3) {
		random_cond(h, seed);
		several = harness_random(seed) & 1;
	}
}

/* Rules about content or the server's words cannot reply. */
static void tame_replies(struct harness *h)
{
	u32 bad;

	h->policy.rules = h->rules;
	h->policy.conds = h->conds;
	h->policy.order = h->order;
	while (esmtp_policy_prepare(&h->policy, &bad)) {
		assert_true(bad < h->policy.n_rules);
		assert_true(h->rules[bad].action >= ESMTP_ACTION_REPLY);
		h->rules[bad].action = ESMTP_ACTION_RESET;
		h->rules[bad].rate = (struct esmtp_rate){ 0 };
	}
}

static void random_policy(struct harness *h, u32 *seed)
{
	u32 i, n = harness_random(seed) % 8;

	harness_no_rules(h);
	for (i = 0; i < n; i++)
		random_rule(h, seed);
	tame_replies(h);
	h->policy.flags = harness_random(seed) & ESMTP_POLICY_F_ALL;
	if (harness_random(seed) % 4)
		h->policy.flags &= ~ESMTP_POLICY_F_MONITOR;
	if (harness_random(seed) & 1)
		h->policy.verbs |= BIT(ESMTP_VERB_BDAT);
	if (!(harness_random(seed) % 8))
		h->policy.verbs = ESMTP_VERBS_ALL;
}

/*
 * Steps at random. What the client may send behind a wait depends on the server's answer having
 * come, so a step of the server ends with its line: two replies in one step could
 * answer what has not left the client yet.
 */
static u32 random_steps(struct step *steps, u32 max, u32 *seed)
{
	u32 i, n = 5 + harness_random(seed) % (max - 5);
	struct step say = S("220 mx\r\n");
	const char *lf;

	for (i = 0; i < n; i++) {
		if (!say.len)
			say = says[harness_random(seed) %
				   (sizeof(says) / sizeof(says[0]))];
		steps[i] = say;
		lf = memchr(say.data, '\n', say.len);
		if (say.dir == ESMTP_DIR_SERVER && lf)
			steps[i].len = lf + 1 - say.data;
		say.data += steps[i].len;
		say.len -= steps[i].len;
	}
	return n;
}

static void test_random(void **state)
{
	u32 seed = harness_seed(), i, n;
	const char *runs = getenv("ESMTP_RUNS");
	struct step steps[30];
	struct harness h;

	(void)state;
	for (i = runs ? strtoul(runs, NULL, 0) : 400; i > 0; i--) {
		harness_init(&h);
		random_policy(&h, &seed);
		n = random_steps(steps, 30, &seed);
		harness_all_cuts(&h, steps, n, 10);
		harness_free(&h);
	}
}

/* Any bytes at all: nothing breaks, and the contract holds in each call. */
static void test_noise(void **state)
{
	static const char words[] = "EHLOMAILRCPTDATABDAT 250-354 \r\n<>|\".:*";
	u32 seed = harness_seed(), i, k, n;
	u8 bytes[64] = { 0 };
	struct harness h;

	(void)state;
	for (i = 0; i < 300; i++) {
		harness_init(&h);
		random_policy(&h, &seed);
		for (k = 0; k < 100; k++) {
			n = harness_random(&seed) % sizeof(bytes);
			while (n--)
				bytes[n] = harness_random(&seed) % 8 ?
					   (u8)words[harness_random(&seed) %
						     (sizeof(words) - 1)] :
					   (u8)harness_random(&seed);
			harness_feed(&h, harness_random(&seed) & 1, bytes,
				     harness_random(&seed) % sizeof(bytes));
		}
		harness_free(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_data_waits),
		cmocka_unit_test(test_nothing_is_taken_of_nothing),
		cmocka_unit_test(test_content_has_no_edits),
		cmocka_unit_test(test_guards),
		cmocka_unit_test(test_only_a_chunk_is_taken_back),
		cmocka_unit_test(test_edits),
		cmocka_unit_test(test_more_edits_than_a_result_has),
		cmocka_unit_test(test_queue_is_full),
		cmocka_unit_test(test_queue_counts),
		cmocka_unit_test(test_guesses),
		cmocka_unit_test(test_guess_ends_before_a_chunk),
		cmocka_unit_test(test_guess_ends_before_another_wait),
		cmocka_unit_test(test_queue_in_monitor),
		cmocka_unit_test(test_queue_overflows_in_monitor),
		cmocka_unit_test(test_queue_forgets_an_end_of_data),
		cmocka_unit_test(test_queue_forgets_starttls),
		cmocka_unit_test(test_counters_stop),
		cmocka_unit_test(test_counters_of_names_stop),
		cmocka_unit_test(test_pipes_in_monitor),
		cmocka_unit_test(test_first_verdict_wins),
		cmocka_unit_test(test_latched_before_the_greeting),
		cmocka_unit_test(test_close_in_mid_line),
		cmocka_unit_test(test_close_takes_edits_back),
		cmocka_unit_test(test_close_in_a_chunk),
		cmocka_unit_test(test_close_in_the_second_chunk),
		cmocka_unit_test(test_close_in_the_last_chunk),
		cmocka_unit_test(test_chunks_are_one_message),
		cmocka_unit_test(test_chunks_begin_a_message),
		cmocka_unit_test(test_rcpt_behind_the_last_chunk),
		cmocka_unit_test(test_no_secrets),
		cmocka_unit_test(test_endless_words),
		cmocka_unit_test(test_bypass),
		cmocka_unit_test(test_logging),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
