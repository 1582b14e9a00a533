// SPDX-License-Identifier: GPL-2.0-only
/* File names in MIME headers: every way to write them, wherever they stand. */
#include "content_run.h"
#include "../../kmod/engine/mime.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define FILENAME ESMTP_MATCH_MIME_FILENAME_LENGTH
#define LIMIT 255

static const u32 one_rule[][2] = { { FILENAME, LIMIT } };

/* Fields that give a file name of @n bytes. */

static void cd(struct text *t, const char *s)
{
	adds(t, "Content-Disposition: attachment; ");
	adds(t, s);
}

static void form_token(struct text *t, size_t n)
{
	cd(t, "filename=");
	addc(t, 'a', n);
	adds(t, "\r\n");
}

static void form_quoted(struct text *t, size_t n)
{
	cd(t, "filename=\"");
	addc(t, 'a', n - 4);
	adds(t, " ;()\"; size=1\r\n");
}

static void form_escaped(struct text *t, size_t n)
{
	cd(t, "filename=\"");
	for (; n; n--)
		adds(t, n & 1 ? "\\\"" : "\\\\");
	adds(t, "\"\r\n");
}

/* The line end goes, the blank behind it stays. */
static void form_folded(struct text *t, size_t n)
{
	cd(t, "\r\n\tfilename\r\n =\r\n \"");
	addc(t, 'a', n / 2);
	adds(t, "\r\n ");
	addc(t, 'b', n - n / 2 - 1);
	adds(t, "\"\r\n");
}

static void form_spaced(struct text *t, size_t n)
{
	adds(t, "CONTENT-DISPOSITION : inline ;FileName = ");
	addc(t, 'a', n);
	adds(t, "  ; x=y\r\n");
}

static void form_comments(struct text *t, size_t n)
{
	adds(t, "Content-Disposition: (a;b=\"c) attachment (((x)\\)y)\\(z);"
	     " (d) filename (e) = (f(g)) ");
	addc(t, 'a', n);
	adds(t, " (h)(i\\)) ; (j)\r\n");
}

static void form_8bit(struct text *t, size_t n)
{
	cd(t, "filename=\"");
	addc(t, '\xc3', n);
	adds(t, "\"\r\n");
}

static void form_type_name(struct text *t, size_t n)
{
	adds(t, "Content-Type: application/pdf; name=\"");
	addc(t, 'a', n);
	adds(t, "\"\r\n");
}

static void form_broken_token(struct text *t, size_t n)
{
	cd(t, "filename=a b  c d ");
	addc(t, 'a', n - 9);
	adds(t, " ; z\r\n");
}

static void form_open_quote(struct text *t, size_t n)
{
	cd(t, "filename=\"; ");
	addc(t, 'a', n - 2);
	adds(t, "\r\n");
}

static void form_behind_quote(struct text *t, size_t n)
{
	cd(t, "filename=\"ab\"cd \"e\"");
	addc(t, 'a', n - 6);
	adds(t, "\r\n");
}

static void form_ext(struct text *t, size_t n)
{
	cd(t, "filename*=utf-8'en'");
	for (; n; n--)
		adds(t, n % 3 ? "%E3" : "a");
	adds(t, "\r\n");
}

static void form_ext_bare(struct text *t, size_t n)
{
	cd(t, "filename*=''");
	for (; n; n--)
		adds(t, n % 3 ? "'" : "%aF");
	adds(t, ";filename*\r\n");
}

static void form_ext_no_charset(struct text *t, size_t n)
{
	cd(t, "filename*=");
	addc(t, 'a', n);
	adds(t, "\r\n");
}

static void form_ext_short_no_charset(struct text *t, size_t n)
{
	cd(t, "filename*0*=");
	addc(t, 'a', 20);
	adds(t, "; filename*1=");
	addc(t, 'a', n - 20);
	adds(t, "\r\n");
}

/* Percent signs without two digits behind them. */
static void form_ext_broken(struct text *t, size_t n)
{
	cd(t, "filename*=utf-8''%%41%zz%4z%");
	addc(t, 'x', n - 11);
	adds(t, "%4\r\n");
}

static void form_pieces(struct text *t, size_t n)
{
	cd(t, "filename*0=");
	addc(t, 'a', 30);
	adds(t, ";\r\n filename*1=\"");
	addc(t, 'b', 30);
	adds(t, "\";\r\n filename*2=");
	addc(t, 'c', n - 60);
	adds(t, "\r\n");
}

static void form_pieces_ext(struct text *t, size_t n)
{
	size_t i;

	cd(t, "filename*0*=utf-8''");
	for (i = 0; i < n; i++) {
		if (i && i % 25 == 0) {
			char s[40];

			snprintf(s, sizeof(s), ";\r\n\tfilename*%zu%s=", i / 25,
				 i % 2 ? "" : "*");
			adds(t, s);
		}
		adds(t, i / 25 % 2 || i % 3 ? "a" : "%20");
	}
	adds(t, "\r\n");
}

static void form_pieces_backwards(struct text *t, size_t n)
{
	cd(t, "filename*12=\"");
	addc(t, 'a', n - 40);
	adds(t, "\"; name=b; filename*1*=%41%41%41%41%41%41%41%41%41%41"
	     ";filename*0*=us-ascii''");
	addc(t, 'a', 30);
	adds(t, "\r\n");
}

static void base64(struct text *t, size_t n)
{
	static const char two[] = "YWE=", one[] = "YQ==";

	for (; n >= 3; n -= 3)
		adds(t, "YWFh");
	if (n)
		adds(t, n == 2 ? two : one);
}

static void form_word_b(struct text *t, size_t n)
{
	cd(t, "filename=\"=?UTF-8?B?");
	base64(t, n);
	adds(t, "?=\"\r\n");
}

static void form_word_b_unpadded(struct text *t, size_t n)
{
	cd(t, "filename=\"=?UTF-8?b?");
	base64(t, n);
	while (t->p[t->n - 1] == '=')
		t->n--;
	adds(t, "?=\"\r\n");
}

static void form_word_b_token(struct text *t, size_t n)
{
	cd(t, "filename==?UTF-8?B?");
	base64(t, n);
	adds(t, "?=; x=y\r\n");
}

static void form_word_q(struct text *t, size_t n)
{
	cd(t, "filename=\"=?iso-8859-1*en?Q?");
	for (; n; n--)
		adds(t, n % 4 == 0 ? "=E4" : n % 4 == 1 ? "_" : "x");
	adds(t, "?=\"\r\n");
}

/* Bytes that are no letters of base64 stand for nothing. */
static void form_word_b_noise(struct text *t, size_t n)
{
	cd(t, "filename=\"=?UTF-8?B?{~");
	base64(t, n);
	adds(t, "|\xe4?=\"\r\n");
}

static void words(struct text *t, size_t n, const char *between)
{
	size_t left, part;

	for (left = n; left; left -= part) {
		part = left < 20 ? left : 20;
		if (left != n)
			adds(t, between);
		if (left / 20 % 2) {
			adds(t, "=?utf-8?b?");
			base64(t, part);
		} else {
			adds(t, "=?us-ascii?q?");
			addc(t, 'x', part - 1);
			adds(t, "=3f");
		}
		adds(t, "?=");
	}
}

static void form_words_quoted(struct text *t, size_t n)
{
	cd(t, "filename=\"");
	words(t, n, "   ");
	adds(t, " \"\r\n");
}

static void form_words_tabs(struct text *t, size_t n)
{
	cd(t, "filename=\"");
	words(t, n, "\t");
	adds(t, "\"\r\n");
}

static void form_words_folded(struct text *t, size_t n)
{
	cd(t, "filename=\"");
	words(t, n, "\r\n ");
	adds(t, "\"\r\n");
}

static void form_words_bare(struct text *t, size_t n)
{
	cd(t, "filename=");
	words(t, n, "\r\n\t ");
	adds(t, "  \r\n");
}

static void form_words_touching(struct text *t, size_t n)
{
	cd(t, "filename=\"");
	words(t, n, "");
	adds(t, "\"\r\n");
}

static void form_words_quoted_each(struct text *t, size_t n)
{
	cd(t, "filename=\"");
	words(t, n, "\" \"");
	adds(t, "\"\r\n");
}

/* Blanks between a word and plain text do count. */
static void form_word_and_text(struct text *t, size_t n)
{
	cd(t, "filename=\"ab =?utf-8?q?cd?=  ef ");
	words(t, n - 10, " ");
	adds(t, "\"\r\n");
}

/* No end: what was decoded counts as it came. */
static void form_word_open(struct text *t, size_t n)
{
	cd(t, "filename=\"=?utf-8?B?");
	addc(t, 'A', n - 10);
	adds(t, "\"\r\n");
}

static void form_word_open_q(struct text *t, size_t n)
{
	cd(t, "filename=\"=?utf-8?Q?=41=41");
	addc(t, 'A', n - 17);
	adds(t, "?\"\r\n");
}

/* Heads that are none. */
static void form_word_none(struct text *t, size_t n)
{
	cd(t, "filename=\"=a==?=?x=?utf-8?x?=?utf 8?B?=?u?Bx");
	addc(t, 'A', n - 35);
	adds(t, "=\"\r\n");
}

static void form_word_long_head(struct text *t, size_t n)
{
	cd(t, "filename==?");
	addc(t, 'A', n - 2);
	adds(t, "\r\n");
}

/* Question marks inside that end nothing, and digits of no number. */
static void form_word_q_marks(struct text *t, size_t n)
{
	cd(t, "filename=\"=?u?q?a??b?c=4z=zz=4?=");
	addc(t, 'x', n - 14);
	adds(t, "\"\r\n");
}

static void form_comment_open(struct text *t, size_t n)
{
	cd(t, "filename=(");
	addc(t, 'x', n - 1);
	adds(t, "\r\n");
}

static void form_no_type(struct text *t, size_t n)
{
	adds(t, "Content-Disposition: filename=");
	addc(t, 'x', n);
	adds(t, "\r\n");
}

static void form_bare_cr(struct text *t, size_t n)
{
	cd(t, "filename=\"\ra\r");
	addc(t, 'x', n - 3);
	adds(t, "\"\r\n");
}

static void form_bare_lf(struct text *t, size_t n)
{
	adds(t, "Content-Disposition: x;\n filename=\"\n\t");
	addc(t, 'x', n - 1);
	adds(t, "\"\n");
}

static void form_stuffed(struct text *t, size_t n)
{
	adds(t, ".Content-Disposition: x;\r\n. filename=\"");
	addc(t, 'x', n - 2);
	adds(t, "\r\n.\t.\"\r\n");
}

typedef void form_fn(struct text *t, size_t n);

#define FORM(f) { f, #f }

static const struct {
	form_fn *make;
	const char *name;
} forms[] = {
	FORM(form_token), FORM(form_quoted), FORM(form_escaped),
	FORM(form_folded), FORM(form_spaced), FORM(form_comments),
	FORM(form_8bit), FORM(form_type_name), FORM(form_broken_token),
	FORM(form_open_quote), FORM(form_behind_quote), FORM(form_ext),
	FORM(form_ext_bare), FORM(form_ext_no_charset),
	FORM(form_ext_short_no_charset), FORM(form_ext_broken),
	FORM(form_pieces), FORM(form_pieces_ext), FORM(form_pieces_backwards),
	FORM(form_word_b), FORM(form_word_b_unpadded),
	FORM(form_word_b_token), FORM(form_word_b_noise), FORM(form_word_q), FORM(form_words_quoted),
	FORM(form_words_tabs), FORM(form_words_folded), FORM(form_words_bare),
	FORM(form_words_touching), FORM(form_words_quoted_each),
	FORM(form_word_and_text), FORM(form_word_open),
	FORM(form_word_open_q), FORM(form_word_none),
	FORM(form_word_long_head), FORM(form_word_q_marks),
	FORM(form_comment_open), FORM(form_no_type), FORM(form_bare_cr),
	FORM(form_bare_lf), FORM(form_stuffed),
};

/* The only event is that a name of @value bytes was seen. */
static void expect_one(const struct run *r, u32 value, const char *text,
		       const char *what, size_t n)
{
	bool good = r->n == (value ? 1 : 0);

	if (good && value)
		good = r->fires[0].ev.value == value &&
		       r->fires[0].ev.text_len == strlen(text) &&
		       !memcmp(r->fires[0].ev.text, text, strlen(text));
	if (good)
		return;
	fprintf(stderr, "%s %zu: wanted %s %u\n", what, n, text, value);
	run_dump("got", r);
	fail_msg("wrong length of a file name");
}

static void test_forms(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i, n;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		for (n = LIMIT - 1; n <= LIMIT + 1; n++) {
			adds(&t, "From: x\r\n");
			forms[i].make(&t, n);
			adds(&t, "To: y\r\n\r\n.\r\n");
			run_text(&r, &h, &t);
			expect_one(&r, n > LIMIT ? n : 0,
				   forms[i].make == form_type_name ? "name" :
				   "filename", forms[i].name, n);
			assert_int_equal(r.end, t.n);
			text_free(&t);
		}
	}
}

/* Headers of @depth nested multiparts, down to where the innermost part begins. */
static void nest(struct text *t, u32 depth, const char *const *types,
		 const char *quote)
{
	char s[200];
	u32 i;

	for (i = 0; i < depth; i++) {
		snprintf(s, sizeof(s),
			 "Content-Type: %s; charset=x;\r\n boundary=%sb%u%s\r\n"
			 "X: y\r\n\r\npreamble\r\n--b%u\r\n", types[i % 3],
			 quote, i, quote, i);
		adds(t, s);
	}
}

static const char * const multiparts[] = {
	"multipart/mixed", "Multipart/Alternative", "multipart/x-y",
};

static void test_nested(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i, n;
	u32 depth;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		depth = 1 + i % ESMTP_MIME_DEPTH;
		for (n = LIMIT; n <= LIMIT + 1; n++) {
			nest(&t, depth, multiparts, i & 1 ? "\"" : "");
			forms[i].make(&t, n);
			adds(&t, "\r\nbody\r\n--b0--\r\n.\r\n");
			run_text(&r, &h, &t);
			expect_one(&r, n > LIMIT ? n : 0,
				   forms[i].make == form_type_name ? "name" :
				   "filename", forms[i].name, n);
			assert_int_equal(r.end, t.n);
			text_free(&t);
		}
	}
}

static void test_every_depth(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	u32 depth;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (depth = 1; depth <= ESMTP_MIME_DEPTH + 2; depth++) {
		nest(&t, depth, multiparts, "\"");
		form_quoted(&t, 256);
		adds(&t, "\r\n");
		run_text(&r, &h, &t);
		/* deeper parts are body */
		expect_one(&r, depth > ESMTP_MIME_DEPTH ? 0 : 256, "filename",
			   "depth", depth);
		/* the outer ones are still known */
		adds(&t, "x\r\n--b0\r\n");
		form_type_name(&t, 300);
		adds(&t, "\r\n");
		run_text(&r, &h, &t);
		assert_int_equal(r.n, depth > ESMTP_MIME_DEPTH ? 1 : 2);
		assert_int_equal(r.fires[r.n - 1].ev.text_len, 4);
		text_free(&t);
	}
}

/* There is room for three of the longest, or for five of those that mailers make. */
static void test_long_boundaries(void **state)
{
	static const u32 lens[] = { 44, 45, 70, 71 };
	static const u32 known[] = { 5, 4, 3, 0 };
	struct text t = { 0 };
	struct harness h;
	struct run r;
	u32 i, k;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		for (k = 0; k < ESMTP_MIME_DEPTH; k++) {
			adds(&t, "Content-Type: multipart/mixed; boundary=");
			addc(&t, 'a' + k, lens[i]);
			adds(&t, "\r\n");
		}
		adds(&t, "\r\n");
		for (k = 0; k < ESMTP_MIME_DEPTH; k++) {
			adds(&t, "--");
			addc(&t, 'a' + ESMTP_MIME_DEPTH - 1 - k, lens[i]);
			adds(&t, "\r\n");
			form_quoted(&t, 256);
			adds(&t, "\r\n\r\n");
		}
		run_text(&r, &h, &t);
		assert_int_equal(r.n, known[i]);
		text_free(&t);
	}
}

/**
 * struct structure_case - a message with one name of 256 bytes in it at @
 * @p: the message; "@" stands for a Content-Disposition field with that name
 * @seen: it is in a header
 */
struct structure_case {
	const char *p;
	bool seen;
};

#define MIXED(b) "Content-Type: multipart/mixed; boundary=" b "\r\n"

static const struct structure_case structure_cases[] = {
	{ "@\r\n", true },
	{ "\r\n@\r\n", false },
	{ "A: b\r\n\r\n@\r\n", false },
	{ "A: b\r\n @\r\n", false },
	{ "DKIM-Signature: v=1; h=From:Content-Type:@\r\n", false },
	{ "DKIM-Signature: v=1; h=From:\r\n\t@\r\n", false },
	{ "X-@\r\n", false },
	{ "A: b\n@\r\n", true },
	{ "A: b\rX@\r\n", false },
	/* messages */
	{ "Content-Type: message/rfc822\r\n\r\n@\r\n", true },
	{ "Content-Type: Message/RFC822; a=b\r\n\r\nA: b\r\n@\r\n", true },
	{ "Content-Type: (c) message/rfc822 (d)\r\n\r\n@\r\n", true },
	{ "Content-Type: message/global\r\n\r\n@\r\n", true },
	{ "Content-Type: message/rfc822\r\n\r\n\r\n@\r\n", false },
	{ "Content-Type: text/plain\r\n\r\n@\r\n", false },
	{ "Content-Type: text/message/rfc822\r\n\r\n@\r\n", false },
	{ "Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\n@\r\n", true },
	{ "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\n@\r\n", false },
	{ "Content-Type: message/rfc822\r\n\r\n" MIXED("b") "\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\r\n--b\r\n@\r\n", true },
	/* digests: parts are messages unless they say something else */
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n@\r\n", true },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nA: b\r\n\r\n@\r\n", false },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n@\r\n", false },
	{ "Content-Type: multipart/digesty; boundary=b\r\n\r\n--b\r\n\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b\r\n\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b\r\nContent-Type: multipart/digest; boundary=c\r\n\r\n--c\r\n\r\n@", true },
	{ "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n" MIXED("c") "\r\n--c\r\n\r\n@", false },
	/* boundary lines */
	{ MIXED("b") "\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b \t\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\r\n@\r\n", true },
	{ MIXED("b") "\r\n.--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n-b\r\n@\r\n", false },
	{ MIXED("b") "\r\nb\r\n@\r\n", false },
	{ MIXED("b") "\r\n --b\r\n@\r\n", false },
	{ MIXED("b") "\r\nx--b\r\n@\r\n", false },
	{ MIXED("b") "\r\n---b\r\n@\r\n", false },
	{ MIXED("b") "\r\n--B\r\n@\r\n", false },
	{ MIXED("b") "\r\n--bb\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b-\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b -\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b x\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b -\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b --\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b--\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b--\r\n--b\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b-- \r\n--b\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b--x\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b---\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\n\r\nx\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--\r\n@\r\n", false },
	/* without the empty line */
	{ MIXED("b") "--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\nA: b\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\nA: b\r\n--b--\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b\r\n" MIXED("c") "--c\r\n@\r\n", true },
	/* how the boundary is written */
	{ MIXED("\"b c\"") "\r\n--b c\r\n@\r\n", true },
	{ MIXED("\"b\\\"c\"") "\r\n--b\"c\r\n@\r\n", true },
	{ MIXED("\"b \"") "\r\n--b\r\n@\r\n", true },
	{ MIXED("b (c)") "\r\n--b\r\n@\r\n", true },
	{ MIXED("b ; x=y") "\r\n--b\r\n@\r\n", true },
	{ MIXED("=?x?=") "\r\n--=?x?=\r\n@\r\n", true },
	{ MIXED("\"=?u?q?b?=\"") "\r\n--=?u?q?b?=\r\n@\r\n", true },
	{ MIXED("\"\"") "\r\n--\r\n@\r\n", false },
	{ MIXED("") "\r\n--\r\n@\r\n", false },
	{ "Content-Type: multipart/mixed;\r\n\tBOUNDARY=\r\n\tb\r\n\r\n--b\r\n@\r\n", true },
	{ "Content-Type: multipart/mixed; boundary*=us-ascii'en'b%63\r\n\r\n--bc\r\n@\r\n", true },
	{ "Content-Type: multipart/mixed; boundary*0=b; boundary*1=\"c\"\r\n\r\n--bc\r\n@\r\n", true },
	{ "Content-Type: multipart/mixed; boundary*0=b; boundary*1=\"c\"\r\n\r\n--b\r\n@\r\n", false },
	{ "Content-Type: multipart/mixed; boundary*1=b\r\n\r\n--b\r\n@\r\n", false },
	{ "Content-Type: text/plain; boundary=b\r\n\r\n--b\r\n@\r\n", false },
	{ "Content-Disposition: multipart/mixed; boundary=b\r\n\r\n--b\r\n@\r\n", false },
	{ "Content-Type: multipart/mixed\r\n\r\n--b\r\n@\r\n", false },
	/* two of them: either may be meant */
	{ MIXED("b") MIXED("c") "\r\n--b\r\n@\r\n", true },
	{ MIXED("b") MIXED("c") "\r\n--c\r\n@\r\n", true },
	{ MIXED("b; boundary=c") "\r\n--b\r\n@\r\n", true },
	{ MIXED("b; boundary=c") "\r\n--c\r\n@\r\n", true },
	{ MIXED("b") "Content-Type: text/plain\r\n\r\n--b\r\n@\r\n", true },
	/* prefixes and equals */
	{ MIXED("b") "\r\n--b\r\n" MIXED("bb") "\r\n--bb\r\n@\r\n", true },
	{ MIXED("bb") "\r\n--bb\r\n" MIXED("b") "\r\n--b\r\n@\r\n", true },
	{ MIXED("bb") "\r\n--bb\r\n" MIXED("b") "\r\n--b--\r\n--b\r\n@\r\n", false },
	{ MIXED("bb") "\r\n--bb\r\n" MIXED("b") "\r\n--b--\r\n--bb\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\n" MIXED("b--") "\r\n--b--\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\n" MIXED("b") "\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\n" MIXED("b") "\r\n--b--\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\n" MIXED("b") "\r\n--b--\r\n--b--\r\n--b\r\n@\r\n", false },
	/* an outer one closes the inner */
	{ MIXED("b") "\r\n--b\r\n" MIXED("c") "\r\n--c\r\n\r\n--b\r\n\r\n--c\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b\r\n" MIXED("c") "\r\n--c\r\n\r\n--b\r\n@\r\n", true },
	{ MIXED("b") "\r\n--b\r\n" MIXED("c") "\r\n--c--\r\n@\r\n", false },
	{ MIXED("b") "\r\n--b\r\n" MIXED("c") "\r\n--b--\r\n--c\r\n@\r\n", false },
};

static void test_structure(void **state)
{
	const char *p, *at;
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (i = 0; i < ARRAY_SIZE(structure_cases); i++) {
		p = structure_cases[i].p;
		at = strchr(p, '@');
		add(&t, p, at - p);
		form_quoted(&t, 256);
		t.n -= 2;
		adds(&t, at + 1);
		run_text(&r, &h, &t);
		expect_one(&r, structure_cases[i].seen ? 256 : 0, "filename",
			   p, i);
		text_free(&t);
	}
}

/* Boundaries of 69, 70 and 71 bytes. */
static void test_boundary_length(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t n, k;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (n = 69; n <= 300; n += n < 71 ? 1 : 229) {
		for (k = n - 1; k <= n + 1; k++) {
			adds(&t, "Content-Type: multipart/x; boundary=\"");
			addc(&t, 'b', n);
			adds(&t, "\"\r\n\r\n--");
			addc(&t, 'b', k);
			adds(&t, "\r\n");
			form_token(&t, 256);
			run_text(&r, &h, &t);
			expect_one(&r, n <= 70 && k == n ? 256 : 0, "filename",
				   "boundary", n);
			text_free(&t);
		}
	}
}

/* A boundary of @n bytes in pieces, written as %62, is open if a line of @k is one of it. */
static void coded_boundary(const char *charset, size_t pieces, size_t n, size_t k, bool open)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	char name[32];
	size_t i, p;

	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	adds(&t, "Content-Type: multipart/x");
	for (p = 0; p < pieces; p++) {
		snprintf(name, sizeof(name), pieces > 1 ? ";\r\n\tboundary*%zu*=" : ";\r\n\tboundary*=", p);
		adds(&t, name);
		if (!p)
			adds(&t, charset);
		for (i = 0; i < n / pieces; i++)
			adds(&t, "%62");
	}
	adds(&t, "\r\n\r\n--");
	addc(&t, 'b', k);
	adds(&t, "\r\n");
	form_token(&t, 256);
	run_text(&r, &h, &t);
	expect_one(&r, open ? 256 : 0, "filename", charset, n);
	text_free(&t);
}

/* Nothing is written behind the room that a boundary has, however it is spelled. */
static void test_coded_boundary_length(void **state)
{
	char name[66];

	(void)state;
	coded_boundary("us-ascii''", 1, 69, 69, true);
	coded_boundary("us-ascii''", 1, 70, 70, true);
	coded_boundary("us-ascii''", 1, 71, 71, false);
	coded_boundary("us-ascii''", 1, 71, 70, false);
	coded_boundary("us-ascii''", 1, 300, 70, false);
	coded_boundary("us-ascii''", 2, 70, 70, true);
	coded_boundary("us-ascii''", 2, 72, 72, false);
	coded_boundary("us-ascii''", 2, 72, 70, false);
	/* the first piece alone is too long: there is nothing to lengthen */
	coded_boundary("us-ascii''", 2, 160, 70, false);
	/* no name of a charset is so long */
	memset(name, 'u', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	coded_boundary(name, 1, 5, 5, false);
}

/* Each measured for itself, a second one anew. */
static void test_many_names(void **state)
{
	static const struct {
		const char *field;
		u32 lens[3];	/* what fires */
	} cases[] = {
		{ "Content-Disposition: a; filename=%; filename=%", { 6, 6 } },
		{ "Content-Disposition: a; filename=abc; filename=abc", { 0 } },
		{ "Content-Disposition: a; filename=abc; filename*=u''abc", { 0 } },
		{ "Content-Disposition: a; filename*0=abc; filename*1=abc", { 6 } },
		{ "Content-Disposition: a; filename*0=abc; name*1=abc", { 0 } },
		{ "Content-Disposition: a; filename*0=abc; name*0=abc; filename*1=abc", { 6 } },
		{ "Content-Disposition: a; filename*0=abc; filename=abc; filename*1=ab", { 0 } },
		{ "Content-Disposition: a; filename*0=%; filename*1=%", { 6 } },
		{ "Content-Disposition: a; filename*0=abc\r\nContent-Disposition: a; filename*1=abc", { 0 } },
		{ "Content-Type: a/b; name=%\r\nContent-Disposition: a; filename=%", { 6, 6 } },
		{ "Content-Type: a/b; name=%; filename=%", { 6, 6 } },
		{ "Content-Disposition: a; filename=abc\r\n\r%", { 0 } },
		{ "Content-Disposition: a; filename=abc\r\n\tabc", { 7 } },
		{ "Content-Disposition: a; filename==?u?q?(abc)?=", { 0 } },
		{ "Content-Disposition: a; filename==?u?q?(abcd)?=", { 6 } },
		{ "Content-Disposition: a; filename==?u?B?QQ==QQ==QQ==QQ==QQ==?=", { 0 } },
		{ "Content-Type: a/b; xname=%; filenamex=%; file=%", { 0 } },
		{ "Content-Type: a/b; filename*x=%; filename**=%; filename*0*0=%; *=%", { 0 } },
		{ "Content-Type: a/b; x=\"; name=%\"; name=abc", { 0 } },
		{ "Content-Type: a/b; x=\"\\\"; name=%\"; name=abc", { 0 } },
		{ "Content-Type: a/b; x=(; name=%); name=abc", { 0 } },
		{ "Content-Type: a/b; (; name=%); name=abc", { 0 } },
		{ "Content-Type: a/b; x; name=%", { 6 } },
		{ "Content-Type: a/b;; ;name=%", { 6 } },
		{ "Content-Type: a/b; name=\"\"; filename=", { 0 } },
		{ "Content-Language: a/b; name=%", { 0 } },
		{ "Content-Typ: a/b; name=%", { 0 } },
		{ "Content-Types: a/b; name=%", { 0 } },
		{ "Content-Disposition-And-More: a/b; name=%", { 0 } },
	};
	static const u32 rules[][2] = { { FILENAME, 5 } };
	struct text t = { 0 };
	struct harness h;
	struct run r;
	const char *p;
	size_t i, k;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (p = cases[i].field; *p; p++)
			if (*p == '%')
				adds(&t, "abcdefg");
			else
				add(&t, p, 1);
		adds(&t, "\r\n\r\n");
		run_text(&r, &h, &t);
		for (k = 0; cases[i].lens[k]; k++)
			;
		if (r.n != k)
			fprintf(stderr, "case %zu\n", i);
		assert_int_equal(r.n, k);
		text_free(&t);
	}
}

/* Several limits, each at its byte. */
static void test_many_limits(void **state)
{
	static const u32 rules[][2] = {
		{ FILENAME, 20 }, { FILENAME, 3 }, { FILENAME, 10 },
		{ FILENAME, 3 },
	};
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t at;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	cd(&t, "filename=\"");
	at = t.n;
	addc(&t, 'a', 20);
	adds(&t, "\"\r\n\r\n");
	run_text(&r, &h, &t);
	assert_int_equal(r.n, 3);
	assert_int_equal(r.fires[0].ev.rule, 1);
	assert_int_equal(r.fires[0].lo, at + 3);
	assert_int_equal(r.fires[1].ev.rule, 3);
	assert_int_equal(r.fires[1].lo, at + 3);
	assert_int_equal(r.fires[2].ev.rule, 2);
	assert_int_equal(r.fires[2].lo, at + 10);
	text_free(&t);
	/* a word without an end makes up for all of them at once */
	cd(&t, "filename=\"=?utf-8?B?AAAAAAAAAAA\"");
	at = t.n - 1;
	adds(&t, "\r\nA: b\r\n");
	run_text(&r, &h, &t);
	assert_int_equal(r.n, 4);
	assert_int_equal(r.fires[3].ev.rule, 0);
	assert_int_equal(r.fires[3].ev.value, 21);
	assert_int_equal(r.fires[3].lo, at + 3);
	text_free(&t);
}

/* What begins like an encoding but goes on too long is not waited for. */
static void test_no_waiting(void **state)
{
	static const char * const heads[] = { "filename==?", "filename*=aa" };
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		cd(&t, heads[i]);
		addc(&t, 'a', LIMIT - 1);
		run_text(&r, &h, &t);
		expect_one(&r, 256, "filename", heads[i], 256);
		assert_int_equal(r.fires[0].lo, t.n - 1);
		text_free(&t);
	}
}

/* The end of data ends the field too: the last byte does not pass. */
static void test_end_in_header(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	form_word_open(&t, 256);
	adds(&t, ".\r\n");
	run_text(&r, &h, &t);
	expect_one(&r, 256, "filename", "open word", 256);
	assert_int_equal(r.fires[0].lo, t.n - 1);
	assert_int_equal(r.end, t.n);
	text_free(&t);
}

/* Many rules that one byte fires at once, two of them for a bare CR before it: none may be lost. */
static void test_many_at_once(void **state)
{
	static const u32 rules[][2] = {
		{ FILENAME, 1 }, { FILENAME, 2 }, { FILENAME, 3 },
		{ FILENAME, 4 }, { ESMTP_MATCH_HEADER_LINE_LENGTH, 49 },
		{ ESMTP_MATCH_HEADER_LINE_LENGTH, 49 },
		{ ESMTP_MATCH_HEADER_LINE_LENGTH, 50 },
		{ ESMTP_MATCH_HEADER_LINE_LENGTH, 50 }, { FILENAME, 9 },
		{ FILENAME, 5 }, { FILENAME, 6 },
	};
	struct text t = { 0 };
	struct harness h;
	struct run r;
	size_t i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	cd(&t, "filename=\"=?");
	addc(&t, 'a', 4);
	adds(&t, "\r ");
	run_text(&r, &h, &t);
	assert_int_equal(r.n, 10);
	for (i = 0; i < r.n; i++)
		assert_int_equal(r.fires[i].lo, t.n - 1);
	text_free(&t);
}

/* Where a name of 28 Japanese letters is 252 bytes on the wire and 84 in truth. */
static void test_japanese(void **state)
{
	static const u32 rules[][2] = { { FILENAME, 83 }, { FILENAME, 84 } };
	struct text t = { 0 };
	struct harness h;
	struct run r;
	u32 i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	cd(&t, "filename*=UTF-8''");
	for (i = 0; i < 28; i++)
		adds(&t, "%E3%81%82");
	adds(&t, "\r\n\r\n");
	run_text(&r, &h, &t);
	expect_one(&r, 84, "filename", "japanese", 84);
	text_free(&t);
}

/* Depths and lengths beyond every counter. */
static void test_beyond_bounds(void **state)
{
	static const char * const parts[] = {
		"(", "((", "\\", "\"", "=?", "=?a?b?", "=?a?q?=", "%", "*", " ",
		"filename*0*=", "; ", "boundary=b;", "'", "?", "a", ")",
	};
	struct text t = { 0 };
	struct harness h;
	struct run r, all;
	struct msg m;
	u32 seed = 7;
	size_t i, k;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		adds(&t, "Content-Type: multipart/digest; boundary=x; filename=");
		for (k = 0; k < 5000; k++)
			adds(&t, parts[i]);
		adds(&t, "\r\nContent-Disposition: ");
		for (k = 0; k < 5000; k++)
			adds(&t, parts[i]);
		adds(&t, "\r\n\r\n--x\r\n");
		form_token(&t, 256);
		m = (struct msg){ .p = t.p, .n = t.n };
		run_msg(&r, &h, &m, next_byte, NULL);
		run_msg(&all, &h, &m, next_all, NULL);
		same_run(&r, &all, &m, "uncut", i);
		run_msg(&all, &h, &m, next_random, &seed);
		same_run(&r, &all, &m, "random", i);
		assert_true(r.n >= 1);
		assert_int_equal(r.fires[r.n - 1].ev.value, 256);
		text_free(&t);
	}
}

/* Where no boundary is open nothing is part of a digest, whatever is said of the section. */
static void test_no_part_of_nothing(void **state)
{
	struct esmtp_mime m = { .part = true, .digest = 0xff };

	(void)state;
	assert_false(esmtp_mime_section_end(&m));
	m.depth = 1;
	assert_true(esmtp_mime_section_end(&m));
}

/* Only of a name there is a reading as it stands. The states of a boundary's tables, if it had any, would be others. */
static void test_boundary_has_no_reading(void **state)
{
	struct harness h;
	struct esmtp_mime *m = &h.engine.content.mime;
	struct esmtp_feed f = { .e = &h.engine, .p = &h.policy };
	u16 live;

	(void)state;
	harness_init(&h);
	harness_no_rules(&h);
	harness_rule(&h, ESMTP_MATCH_MIME_FILENAME_TEXT, 0, ESMTP_ACTION_COUNT, true);
	harness_prepare(&h);
	m->param = MIME_PARAM_FILENAME;
	esmtp_mime_name_begin(&f);
	esmtp_mime_name_fork(&f);
	live = m->live[0];
	m->param = MIME_PARAM_BOUNDARY;
	esmtp_mime_name_raw(&f, 'a');
	assert_int_equal(m->spare[0], live);
	m->spare[0] = 0xffff;
	esmtp_mime_name_join(&f);
	assert_int_equal(m->live[0], live);
	m->spare[0] = live;
	m->param = MIME_PARAM_FILENAME;
	esmtp_mime_name_raw(&f, 'a');
	esmtp_mime_name_join(&f);
	assert_int_not_equal(m->live[0], live);
	harness_free(&h);
}

/* A chain of messages in messages is no deeper than one. */
static void test_endless_messages(void **state)
{
	struct text t = { 0 };
	struct harness h;
	struct run r;
	struct msg m;
	u32 i;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, one_rule, ARRAY_SIZE(one_rule));
	for (i = 0; i < 2000; i++)
		adds(&t, "Content-Type: message/rfc822\r\n\r\n");
	form_token(&t, 256);
	m = (struct msg){ .p = t.p, .n = t.n };
	run_msg(&r, &h, &m, next_all, NULL);
	expect_one(&r, 256, "filename", "chain", 0);
	text_free(&t);
}

/* What two blanks and a long file name look like in a real mail. */
static void test_real_mail(void **state)
{
	static const char mail[] =
		"Received: from a.example by b.example;\r\n"
		"\tSun, 22 Nov 2026 12:00:00 +0000\r\n"
		"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s1;\r\n"
		"\th=From:To:Subject:MIME-Version:\r\n"
		"\t Content-Type:\r\n"
		"\t Content-Disposition: x; filename=abcdefghijklmnopq;\r\n"
		"\tbh=AAAA; b=BBBB\r\n"
		"Subject: =?utf-8?B?w6TDtsO8?=\r\n"
		"MIME-Version: 1.0\r\n"
		"Content-Type: multipart/mixed;\r\n"
		"\tboundary=\"----=_NextPart_000_0001_01D8.ABCD\"\r\n"
		"\r\n"
		"This is a multi-part message in MIME format.\r\n"
		"\r\n"
		"------=_NextPart_000_0001_01D8.ABCD\r\n"
		"Content-Type: multipart/alternative; boundary=\"=_alt 0\"\r\n"
		"\r\n"
		"--=_alt 0\r\n"
		"Content-Type: text/plain; charset=utf-8\r\n"
		"\r\n"
		"-- \r\nSignature\r\n"
		"Content-Disposition: x; filename=abcdefghijklmnopq\r\n"
		"--=_alt 0--\r\n"
		"\r\n"
		"------=_NextPart_000_0001_01D8.ABCD\r\n"
		"Content-Type: application/pdf;\r\n"
		" name*0*=utf-8''%C3%A4%C3%B6;\r\n"
		" name*1=.pdf\r\n"
		"Content-Transfer-Encoding: base64\r\n"
		"Content-Disposition: attachment;\r\n"
		" filename=\"=?utf-8?B?w6TDtsO8?=\r\n =?utf-8?Q?_x.pdf?=\"\r\n"
		"\r\n"
		"JVBERi0xLjQK\r\n"
		"------=_NextPart_000_0001_01D8.ABCD--\r\n"
		".\r\n";
	static const u32 rules[][2] = {
		{ FILENAME, 7 }, { FILENAME, 8 }, { FILENAME, 11 },
		{ FILENAME, 12 },
	};
	struct msg m = { .p = mail, .n = sizeof(mail) - 1 };
	struct harness h;
	struct run r;

	(void)state;
	set_rules(&h, ESMTP_ACTION_COUNT, rules, ARRAY_SIZE(rules));
	run_both(&r, &h, &m, 50);
	/* 8 bytes of name, 12 of filename */
	assert_int_equal(r.n, 4);
	assert_int_equal(r.fires[0].ev.value, 8);
	assert_int_equal(r.fires[0].ev.text_len, 4);
	assert_int_equal(r.fires[1].ev.value, 8);
	assert_int_equal(r.fires[2].ev.value, 9);
	assert_int_equal(r.fires[3].ev.value, 12);
	assert_int_equal(r.end, m.n);
}

/* Through the whole engine, under the default policy. */
static void test_through_engine(void **state)
{
	struct text t = { 0 };
	struct harness h;
	size_t n;

	(void)state;
	for (n = 255; n <= 256; n++) {
		harness_init(&h);
		harness_to_content(&h);
		nest(&t, 2, multiparts, "\"");
		form_pieces_ext(&t, n);
		adds(&t, "\r\nx\r\n.\r\n");
		harness_feed(&h, ESMTP_DIR_CLIENT, t.p, t.n);
		assert_int_equal(harness_fired(&h, RULE_FILENAME), n > 255);
		assert_int_equal(h.verdict, n > 255 ? ESMTP_CLOSE_DROP :
			ESMTP_PASS);
		harness_free(&h);
		text_free(&t);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_every_depth),
		cmocka_unit_test(test_long_boundaries),
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_boundary_length),
		cmocka_unit_test(test_coded_boundary_length),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_many_limits),
		cmocka_unit_test(test_no_waiting),
		cmocka_unit_test(test_end_in_header),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_japanese),
		cmocka_unit_test(test_beyond_bounds),
		cmocka_unit_test(test_no_part_of_nothing),
		cmocka_unit_test(test_boundary_has_no_reading),
		cmocka_unit_test(test_endless_messages),
		cmocka_unit_test(test_real_mail),
		cmocka_unit_test(test_through_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
