// SPDX-License-Identifier: GPL-2.0-only
/* Message content: where it ends, how long its lines are, however it is cut. */
#define _GNU_SOURCE
#include "content_run.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define HEADER ESMTP_MATCH_HEADER_LINE_LENGTH
#define BODY ESMTP_MATCH_BODY_LINE_LENGTH
#define FILENAME ESMTP_MATCH_MIME_FILENAME_LENGTH

static const u32 asa_rules[][2] = {
	{ HEADER, 998 }, { BODY, 998 }, { FILENAME, 255 },
};

static const u32 small_rules[][2] = {
	{ HEADER, 30 }, { BODY, 7 }, { HEADER, 12 }, { BODY, 20 },
	{ FILENAME, 4 }, { BODY, 7 }, { FILENAME, 9 },
};

static void expect_fire(const struct run *r, size_t i, u32 rule, u32 value,
			size_t at, const char *text)
{
	if (i >= r->n || r->fires[i].ev.rule != rule ||
	    r->fires[i].ev.value != value || r->fires[i].lo != at ||
	    r->fires[i].ev.text_len != strlen(text) ||
	    memcmp(r->fires[i].ev.text, text, strlen(text))) {
		fprintf(stderr, "wanted as %zu: rule %u value %u at %zu \"%s\"\n",
			i, rule, value, at, text);
		run_dump("got", r);
		fail_msg("another rule fired");
	}
}

/**
 * struct end_case - where a message ends
 * @p: message
 * @n: how long
 * @end: offset behind its end, NOT_ENDED = it goes on
 */
struct end_case {
	const char *p;
	size_t n;
	size_t end;
};

#define ENDS(s, behind)	{ s behind, sizeof(s behind) - 1, sizeof(s) - 1 }
#define GOES_ON(s)	{ s, sizeof(s) - 1, NOT_ENDED }

static const struct end_case end_cases[] = {
	ENDS(".\r\n", ""),
	ENDS(".\r\n", "MAIL FROM:<a@b>\r\n"),
	ENDS("\r\n.\r\n", "VRFY x\r\n"),
	ENDS("a\r\n.\r\n", "\r\n.\r\n"),
	ENDS("A: b\r\n\r\nc\r\n.\r\n", ".\r\n"),
	ENDS("A: b\r\n.\r\n", "QUIT\r\n"),
	/* odd, and yet an end for strict servers */
	ENDS("a\r\r\n.\r\n", "x"),
	ENDS("a\0\r\n.\r\n", "x"),
	ENDS("a\r\n.\r\n", "\0"),
	ENDS("a\n\r\n.\r\n", "x"),
	/* ends for some servers only */
	GOES_ON("a\n.\n"),
	GOES_ON("a\n.\r"),
	GOES_ON("a\r.\n"),
	GOES_ON("a\r.\r"),
	GOES_ON("a\n.\r\n"),
	GOES_ON("a\r.\r\n"),
	GOES_ON("a\r\n.\n"),
	GOES_ON("a\r\n.\r"),
	GOES_ON("a\r\n.\rx\n"),
	GOES_ON("a\r\n.\r\r\n"),
	GOES_ON("a\r\r\n.\r\r\n"),
	GOES_ON("a\r\n\0.\r\n"),
	GOES_ON("a\r\n.\0\r\n"),
	GOES_ON("a\r\0\n.\r\n"),
	GOES_ON("a\r\n.\r\0\n"),
	GOES_ON(".\n"),
	GOES_ON(".\r"),
	GOES_ON("\n.\r\n"),
	/* must pass */
	GOES_ON("a\r\n..\r\n"),
	GOES_ON("a\r\n.x\r\n"),
	GOES_ON("a\n..\n"),
	GOES_ON("a\r\n. \r\n"),
	GOES_ON("a\r\n .\r\n"),
	GOES_ON("a.\r\n"),
	GOES_ON("a\r\n...\r\n"),
	GOES_ON("..\r\n"),
};

/* Each case first in the content, in a header, in a body and behind 64 KiB. */
static void test_end_of_data(void **state)
{
	static const char * const heads[] = { "", "A: b\r\n", "A: b\r\n\r\n" };
	const struct end_case *e;
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i, k, end;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, asa_rules, ARRAY_SIZE(asa_rules));
	for (i = 0; i < ARRAY_SIZE(end_cases); i++) {
		e = &end_cases[i];
		for (k = 0; k < ARRAY_SIZE(heads); k++) {
			adds(&t, heads[k]);
			end = e->end == NOT_ENDED ? e->end : e->end + t.n;
			/* behind a CR LF even a lone dot line ends */
			add(&t, e->p, e->n);
			run_text(&r, &h, &t);
			if (r.end != end) {
				fprintf(stderr, "case %zu head %zu\n", i, k);
				run_dump("got", &r);
			}
			assert_int_equal(r.end, end);
			assert_int_equal(r.n, 0);
			text_free(&t);
		}
	}
}

static void test_end_behind_much(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	struct msg m;
	size_t i, k, cut;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, asa_rules, ARRAY_SIZE(asa_rules));
	for (i = 0; i < ARRAY_SIZE(end_cases); i++) {
		adds(&t, "A: b\r\n\r\n");
		for (k = 0; k < 1000; k++)
			adds(&t, "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk\r\n");
		k = t.n;
		add(&t, end_cases[i].p, end_cases[i].n);
		m = (struct msg){ .p = t.p, .n = t.n };
		for (cut = k - 2; cut < t.n; cut++) {
			run_msg(&r, &h, &m, next_two, &cut);
			assert_int_equal(r.end, end_cases[i].end == NOT_ENDED ?
					 NOT_ENDED : k + end_cases[i].end);
			assert_int_equal(r.n, 0);
		}
		text_free(&t);
	}
}

/* Two messages on one connection: nothing of the first is left in the second. */
static void test_second_message(void **state)
{
	struct harness h;
	struct run r;
	static const char head[] =
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: ";
	struct msg one = { .p = head, .n = sizeof(head) - 1 };
	struct msg two = { .p = ".\r\n", .n = 3 };

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, asa_rules, ARRAY_SIZE(asa_rules));
	run_msg(&r, &h, &one, next_all, NULL);
	assert_int_equal(r.end, NOT_ENDED);
	esmtp_content_begin(&h.engine.content, false);
	run_msg(&r, &h, &two, next_all, NULL);
	assert_int_equal(r.end, 3);
}

static void test_header_length(void **state)
{
	static const char * const ends[] = { "\r\n", "\n" };
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t n, k;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, asa_rules, ARRAY_SIZE(asa_rules));
	for (k = 0; k < ARRAY_SIZE(ends); k++) {
		for (n = 997; n <= 999; n++) {
			adds(&t, "A: b\r\nX-Long: ");
			addc(&t, 'x', n - 8);
			adds(&t, ends[k]);
			adds(&t, "B: c\r\n\r\n.\r\n");
			run_text(&r, &h, &t);
			assert_int_equal(r.n, n > 998 ? 1 : 0);
			if (r.n)
				expect_fire(&r, 0, 0, 999, 6 + 998, "X-Long");
			assert_int_equal(r.end, t.n);
			text_free(&t);
		}
	}
}

/* Each physical line of a folded field counts for itself. */
static void test_header_folded(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, asa_rules, ARRAY_SIZE(asa_rules));
	adds(&t, "References: x\r\n");
	for (i = 0; i < 5; i++) {
		adds(&t, i & 1 ? " " : "\t");
		addc(&t, 'r', 997);
		adds(&t, "\r\n");
	}
	adds(&t, " ");
	addc(&t, 'r', 998);
	adds(&t, "\r\n\r\n.\r\n");
	run_text(&r, &h, &t);
	assert_int_equal(r.n, 1);
	expect_fire(&r, 0, 0, 999, 15 + 5 * 1000 + 998, "References");
	assert_int_equal(r.end, t.n);
	text_free(&t);
}

static void test_body_length(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t n, at;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, asa_rules, ARRAY_SIZE(asa_rules));
	for (n = 997; n <= 999; n++) {
		adds(&t, "A: b\r\n\r\n");
		at = t.n;
		addc(&t, 'x', n);
		adds(&t, "\r\n");
		addc(&t, 'y', n);
		adds(&t, "\r\n.\r\n");
		run_text(&r, &h, &t);
		assert_int_equal(r.n, n > 998 ? 2 : 0);
		if (r.n) {
			expect_fire(&r, 0, 1, 999, at + 998, "");
			expect_fire(&r, 1, 1, 999, at + 1001 + 998, "");
		}
		assert_int_equal(r.end, t.n);
		text_free(&t);
	}
}

/* Once a line and rule, several rules of a kind, the same limit twice. */
static void test_many_limits(void **state)
{
	static const u32 rules[][2] = {
		{ BODY, 10 }, { BODY, 5 }, { BODY, 10 }, { BODY, 0 },
		{ BODY, 6 }, { HEADER, 3 }, { BODY, 100 },
	};
	struct text t = { 0 };
	struct harness h;
	struct run r;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	adds(&t, "A: b\r\n\r\n");
	addc(&t, 'x', 50);
	adds(&t, "\r\n\r\nab\r\n.\r\n");
	run_text(&r, &h, &t);
	assert_int_equal(r.n, 8);
	expect_fire(&r, 0, 5, 4, 3, "A");
	expect_fire(&r, 1, 3, 1, 8, "");
	expect_fire(&r, 2, 1, 6, 13, "");
	expect_fire(&r, 3, 4, 7, 14, "");
	expect_fire(&r, 4, 0, 11, 18, "");
	expect_fire(&r, 5, 2, 11, 18, "");
	expect_fire(&r, 6, 3, 1, 8 + 54, "");
	/* the dot line is a line too */
	expect_fire(&r, 7, 3, 1, 8 + 58, "");
	assert_int_equal(r.end, t.n);
	text_free(&t);
}

/* A CR counts when it turns out bare; a stuffed dot counts. */
static void test_what_counts(void **state)
{
	static const u32 rules[][2] = { { BODY, 4 } };
	static const struct {
		const char *body;
		int at;		/* offset of the firing, -1 = none */
	} cases[] = {
		{ "abcd\r\n", -1 }, { "abcde\r\n", 4 }, { "abcd\n", -1 },
		{ "abc\r\r\n", -1 }, { "abcd\r\r\n", 5 }, { "abcd\rx", 5 },
		{ "ab\rc\r\n", -1 }, { "ab\rcd\r\n", 4 }, { "\r\r\r\r\r\n", -1 },
		{ "\r\r\r\r\r\r\n", 5 }, { ".abc\r\n", -1 }, { ".abcd\r\n", 4 },
		{ "....\r\n", -1 }, { ".....\r\n", 4 }, { "abcd\r", -1 },
		{ "ab\ncd\nef\n", -1 }, { "ab\n\rcdef\n", 7 },
		{ ".\rabc\n", 4 }, { "\0\0\0\0\r\n", -1 },
		{ "--abc\r\n", 4 }, { "\xff\xfe\x0d\x80\r\n", -1 },
	};
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		adds(&t, "\r\n");
		if (cases[i].body[0])
			adds(&t, cases[i].body);
		else
			add(&t, cases[i].body, 6);
		run_text(&r, &h, &t);
		if (r.n != (cases[i].at >= 0))
			fprintf(stderr, "case %zu\n", i);
		assert_int_equal(r.n, cases[i].at >= 0);
		if (r.n)
			expect_fire(&r, 0, 0, 5, 2 + cases[i].at, "");
		text_free(&t);
	}
}

/* Where the header ends, seen by which kind of rule fires. */
static void test_header_end(void **state)
{
	static const u32 rules[][2] = { { HEADER, 10 }, { BODY, 10 } };
	static const struct {
		const char *head;
		bool header;
	} cases[] = {
		{ "", true }, { "A: b\r\n", true }, { "A: b\n", true },
		{ "\r\n", false }, { "\n", false }, { "A: b\r\n\r\n", false },
		{ "A: b\n\n", false }, { "A: b\r\n\n", false },
		{ "A: b\n\r\n", false }, { "A: b\r\n \r\n", true },
		{ "A: b\r\n\t\r\n", true }, { "A: b\r\r\n", true },
		{ "A: b\r\n\r\r\n", true }, { "A: b\r\n\rx\r\n", true },
		{ "no colon\r\n", true }, { "A: b\r\n..\r\n", true },
		/* a stuffed dot is taken away, and the line behind it is empty */
		{ "A: b\r\n.\n", false }, { "A: b\n.\n", true },
		{ "A: b\n.\r\n", true },
	};
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		adds(&t, cases[i].head);
		adds(&t, "Xyz: 56789_\r\n");
		run_text(&r, &h, &t);
		if (r.n != 1 || r.fires[0].ev.rule != !cases[i].header)
			fprintf(stderr, "case %zu\n", i);
		assert_int_equal(r.n, 1);
		expect_fire(&r, 0, !cases[i].header, 11, t.n - 3,
			    cases[i].header ? "Xyz" : "");
		text_free(&t);
	}
}

/* The name that an event shows: as it came, cut, the field's on folded lines. */
static void test_field_name(void **state)
{
	static const u32 rules[][2] = { { HEADER, 90 } };
	static const char x[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
				"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	static const char * const cases[][2] = {
		{ "Subject: ", "Subject" },
		{ "X-A: 1\r\nsUBJECT:", "sUBJECT" },
		{ "Subject : ", "Subject" },
		{ "X-Folded: 1\r\n ", "X-Folded" },
		{ "X-A-Name-That-Is-Longer-Than-Is-Kept-By-Anybody-Who-Reads-Mail-For-A-Living: ",
		  "X-A-Name-That-Is-Longer-Than-Is-Kept-By-Anybody-Who-Reads-Mail-F" },
		{ "bad name: ", "bad" },
		{ ": ", "" },
		{ ".Stuffed: ", "Stuffed" },
	};
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		adds(&t, cases[i][0]);
		adds(&t, x);
		adds(&t, "\r\n");
		run_text(&r, &h, &t);
		assert_int_equal(r.n, 1);
		expect_fire(&r, 0, 0, 91, r.fires[0].lo, cases[i][1]);
		text_free(&t);
	}
}

/* Header lines of parts and of messages within the message are body lines. */
static void test_only_top_header(void **state)
{
	static const u32 rules[][2] = { { HEADER, 60 }, { BODY, 60 } };
	static const char * const heads[] = {
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n",
		"Content-Type: multipart/mixed; boundary=b\r\n--b\r\n",
		"Content-Type: message/rfc822\r\n\r\n",
	};
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		adds(&t, heads[i]);
		adds(&t, "X-Long: ");
		addc(&t, 'x', 53);
		adds(&t, "\r\n\r\n.\r\n");
		run_text(&r, &h, &t);
		assert_int_equal(r.n, 1);
		expect_fire(&r, 0, 1, 61, strlen(heads[i]) + 60, "");
		text_free(&t);
	}
}

static void run_chunks(struct run *r, struct harness *h, struct text *t,
		       u32 step)
{
	struct msg m = { .p = t->p, .n = t->n };
	size_t at, n;

	for (at = 0; at < t->n; at += n) {
		n = m.n_chunks + 1 < CHUNKS_MAX && step < t->n - at ? step :
								      t->n - at;
		m.chunks[m.n_chunks++] = n;
	}
	run_both(r, h, &m, 4);
}

/* Borders of chunks anywhere; nothing but the count ends. */
static void test_bdat(void **state)
{
	static const u32 rules[][2] = {
		{ HEADER, 60 }, { BODY, 12 }, { FILENAME, 6 },
	};
	struct text t = { 0 };
	struct harness h;
	struct run r;
	u32 step;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	adds(&t, "Content-Disposition: x; filename=\"abcdefg\"\r\n"
	     "\r\n0123456789\r\n.\r\n0123456789ab\r\n.\r\n.0123456789ab\r\r\n");
	for (step = 1; step <= t.n; step++) {
		run_chunks(&r, &h, &t, step);
		assert_int_equal(r.n, 2);
		expect_fire(&r, 0, 2, 7, 40, "filename");
		expect_fire(&r, 1, 1, 13, t.n - 4, "");
		assert_int_equal(r.end, t.n);
	}
	text_free(&t);
}

/* A chunk that is smaller than what stands behind it. */
static void test_bdat_border(void **state)
{
	struct harness h;
	struct esmtp_content *c = &h.engine.content;
	struct esmtp_result res = { .content = true };
	struct esmtp_feed f = {
		.e = &h.engine, .p = &h.policy, .r = &res,
		.data = (const u8 *)"abcdeQUIT\r\n", .len = 11,
	};

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, asa_rules, ARRAY_SIZE(asa_rules));
	harness_prepare(&h);
	esmtp_content_begin(c, true);
	c->chunk = 5;
	assert_true(esmtp_content_read(&f));
	assert_int_equal(f.pos, 5);
	assert_int_equal(c->chunk, 0);
	/* an empty chunk takes nothing */
	assert_true(esmtp_content_read(&f));
	assert_int_equal(f.pos, 5);
	/* the largest that can be announced */
	c->chunk = ~0ull;
	assert_false(esmtp_content_read(&f));
	assert_int_equal(f.pos, 11);
	assert_true(c->chunk == ~0ull - 6);
}

static const char * const tokens[] = {
	"\r\n", "\r\n", "\r\n", "\n", "\r", ".", ".\r\n", "\r\n.\r\n", "..",
	"a", "abcdef", "0123456789abcdef0", " ", "\t", ":", "Subject: x", "--",
	"--b", "--b--", "\r\n--b\r\n", "\r\n--bb\r\n", "\r\n\r\n",
	"Content-Type: ", "content-disposition: ", "multipart/mixed",
	"; boundary=b", "; boundary=\"bb\"", "; boundary=\"b\\b\"",
	"message/rfc822", "; filename=", "; filename*=", "; filename*0=",
	"; filename*1*=", "; name=", "\"", "\\", "(", ")", ";", "utf-8''",
	"'", "%41", "%4", "%", "=?utf-8?B?", "=?utf-8?q?", "?=", "QUJDREVG",
	"=41", "_", "=", "?", "\r\n ", "\r\n\t", "h=Content-Type:", "x; ",
};

static void random_message(struct text *t, u32 *seed)
{
	u32 n = 1 + harness_random(seed) % 40;
	const char *token;

	while (n--) {
		if (harness_random(seed) % 60 == 0) {
			addc(t, 0, 1);
			continue;
		}
		token = tokens[harness_random(seed) % ARRAY_SIZE(tokens)];
		adds(t, token);
	}
}

/* Whatever it is, it comes to the same however it is cut. */
static void test_random_cuts(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run exact, other;
	struct msg m;
	u32 i, k, was, seed = harness_seed();

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, small_rules, ARRAY_SIZE(small_rules));
	for (i = 0; i < 20000; i++) {
		random_message(&t, &seed);
		m = (struct msg){ .p = t.p, .n = t.n };
		if (i % 3 == 0) {
			m.n_chunks = 2;
			m.chunks[0] = harness_random(&seed) % (t.n + 1);
			m.chunks[1] = t.n - m.chunks[0];
		}
		for (k = 0; k < h.policy.n_rules; k++)
			h.rules[k].action = i & 1 ? ESMTP_ACTION_COUNT :
						    ESMTP_ACTION_DROP;
		run_msg(&exact, &h, &m, next_byte, NULL);
		run_msg(&other, &h, &m, next_all, NULL);
		same_run(&exact, &other, &m, "uncut", i);
		was = seed;
		run_msg(&other, &h, &m, next_random, &seed);
		same_run(&exact, &other, &m, "random", was);
		text_free(&t);
	}
}

/* Every message of the random kind, cut in two at every position. */
static void test_random_in_two(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	u32 i, seed = harness_seed() ^ 0x5bd1e995u;

	(void)state;
	seed = seed ? seed : 1;
	set_rules(&h, ESMTP_ACTION_COUNT, small_rules, ARRAY_SIZE(small_rules));
	for (i = 0; i < 1500; i++) {
		random_message(&t, &seed);
		run_text(&r, &h, &t);
		text_free(&t);
	}
}

/* What a plain reader of whole messages would say: no state, no skipping. */
static void model_line(struct run *r, const struct harness *h, const char *p,
		       size_t start, size_t len, size_t total, bool header)
{
	enum esmtp_match kind = header ? HEADER : BODY;
	size_t at, k;
	u32 limit, i;

	for (limit = 0; limit < len; limit++) {
		at = start + limit;
		/* a bare CR is known by the byte behind it */
		at += p[at] == '\r';
		if (at >= total)
			continue;
		for (i = 0; i < h->policy.n_rules; i++) {
			if (harness_cond_of(h, i)->match != kind ||
			    harness_cond_of(h, i)->limit != limit)
				continue;
			k = r->n++;
			r->fires[k].ev.rule = i;
			r->fires[k].ev.value = limit + 1;
			r->fires[k].lo = at;
		}
	}
}

static void model(struct run *r, const struct harness *h, const char *p,
		  size_t n)
{
	const char *dot = memmem(p, n, "\r\n.\r\n", 5);
	size_t start, stop, len;
	bool header = true;

	memset(r, 0, sizeof(*r));
	r->end = dot ? (size_t)(dot - p) + 5 : NOT_ENDED;
	if (n >= 3 && !memcmp(p, ".\r\n", 3))
		r->end = 3;
	if (dot || r->end == 3)
		n = r->end;
	for (start = 0; start < n; start = stop + 1) {
		for (stop = start; stop < n && p[stop] != '\n'; stop++)
			;
		len = stop - start;
		if (len && p[stop - 1] == '\r')
			len--;
		model_line(r, h, p, start, len, n, header);
		if (stop < n && (!len || (len == 1 && p[start] == '.' &&
		    (!start || (start > 1 && p[start - 2] == '\r')))))
			header = false;
	}
}

static size_t random_plain(char *p, u32 *seed)
{
	static const char bytes[] = "\r\n.\r\n\n\r\n\r\0a:b";
	u32 i, dense = harness_random(seed) % 12;
	size_t n = 1 + harness_random(seed) % 160;

	for (i = 0; i < n; i++)
		p[i] = harness_random(seed) % 12 <= dense ?
		       (char)('a' + harness_random(seed) % 26) :
		       bytes[harness_random(seed) % (sizeof(bytes) - 1)];
	/* two bytes of an end are rare alone, so help */
	if (n > 20 && harness_random(seed) % 2)
		memcpy(p + harness_random(seed) % (n - 5), "\r\n.\r\n", 5);
	return n;
}

static void test_against_model(void **state)
{
	static const u32 rules[][2] = {
		{ HEADER, 9 }, { BODY, 8 }, { BODY, 9 }, { HEADER, 30 },
		{ BODY, 25 }, { BODY, 3 },
	};
	struct run want, got;
	struct harness h;
	struct msg m;
	char p[160];
	u32 i, k, seed = harness_seed() ^ 0xc2b2ae35u;

	(void)state;
	seed = seed ? seed : 1;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	for (i = 0; i < 50000; i++) {
		m = (struct msg){ .p = p, .n = random_plain(p, &seed) };
		model(&want, &h, p, m.n);
		run_msg(&got, &h, &m, next_byte, NULL);
		assert_int_equal(got.end, want.end);
		assert_int_equal(got.n, want.n);
		for (k = 0; k < got.n; k++) {
			assert_int_equal(got.fires[k].ev.rule,
					 want.fires[k].ev.rule);
			assert_int_equal(got.fires[k].ev.value,
					 want.fires[k].ev.value);
			assert_int_equal(got.fires[k].lo, want.fires[k].lo);
		}
		want = got;
		run_msg(&got, &h, &m, next_all, NULL);
		same_run(&want, &got, &m, "uncut", i);
	}
}

/* Many events in one packet: none is lost. */
static void test_many_events(void **state)
{
	static const u32 rules[][2] = { { BODY, 3 } };
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	adds(&t, "\r\n");
	for (i = 0; i < 40; i++)
		adds(&t, "abcd\r\n");
	adds(&t, ".\r\n");
	run_text(&r, &h, &t);
	assert_int_equal(r.n, 40);
	assert_int_equal(r.end, t.n);
	text_free(&t);
}

/* The whole path: a closing rule, and what passed up to it. */
static void test_through_engine(void **state)
{
	struct text t = { 0 };
	struct harness h;

	(void)state;
	harness_init(&h);
	harness_to_content(&h);
	adds(&t, "A: b\r\nB: ");
	addc(&t, 'x', 1200);
	adds(&t, "\r\n");
	harness_feed(&h, ESMTP_DIR_CLIENT, t.p, t.n);
	assert_int_equal(h.verdict, ESMTP_CLOSE_DROP);
	assert_int_equal(harness_fired(&h, RULE_HEADER_LINE), 1);
	assert_int_equal(h.out[ESMTP_DIR_CLIENT].n, 6 + 998);
	harness_free(&h);
	text_free(&t);
}

/* In mode monitor the rule is counted and everything passes. */
static void test_monitor(void **state)
{
	struct text t = { 0 };
	struct harness h;

	(void)state;
	harness_init(&h);
	h.policy.flags |= ESMTP_POLICY_F_MONITOR;
	harness_to_content(&h);
	adds(&t, "B: ");
	addc(&t, 'x', 1200);
	adds(&t, "\r\n\r\n.\r\n");
	harness_feed(&h, ESMTP_DIR_CLIENT, t.p, t.n);
	assert_int_equal(h.verdict, ESMTP_PASS);
	assert_int_equal(harness_fired(&h, RULE_HEADER_LINE), 1);
	assert_int_equal(h.out[ESMTP_DIR_CLIENT].n, t.n);
	harness_free(&h);
	text_free(&t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_end_of_data),
		cmocka_unit_test(test_end_behind_much),
		cmocka_unit_test(test_second_message),
		cmocka_unit_test(test_header_length),
		cmocka_unit_test(test_header_folded),
		cmocka_unit_test(test_body_length),
		cmocka_unit_test(test_many_limits),
		cmocka_unit_test(test_what_counts),
		cmocka_unit_test(test_header_end),
		cmocka_unit_test(test_field_name),
		cmocka_unit_test(test_only_top_header),
		cmocka_unit_test(test_bdat),
		cmocka_unit_test(test_bdat_border),
		cmocka_unit_test(test_random_cuts),
		cmocka_unit_test(test_random_in_two),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_many_events),
		cmocka_unit_test(test_through_engine),
		cmocka_unit_test(test_monitor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
