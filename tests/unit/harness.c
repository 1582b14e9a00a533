// SPDX-License-Identifier: GPL-2.0-only
/* See harness.h. */
#include <time.h>
#include "harness.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static void append(struct bytes *b, const void *p, size_t n)
{
	if (!n)
		return;
	b->p = realloc(b->p, b->n + n);
	assert_non_null(b->p);
	memcpy(b->p + b->n, p, n);
	b->n += n;
}

static void cut_front(struct bytes *b, size_t n)
{
	b->n -= n;
	memmove(b->p, b->p + n, b->n);
}

/* Texts with an odd number of odd bytes: each byte may change what is accepted. */
static const struct esmtp_table *odd_table(void)
{
	static struct {
		struct esmtp_table head;
		struct esmtp_table_row row[3];
		struct esmtp_table_entry entry[4];
	} t = {
		.head = { .magic = ESMTP_TABLE_MAGIC, .n_entries = 4, .n_states = 3, .start = 1, .n_classes = 2 },
		.row = { { 0, 0, ESMTP_TABLE_STUCK }, { 0, 1, 0 }, { 2, 2, ESMTP_TABLE_ACCEPTS } },
		.entry = { [1] = { 1, 2 }, [3] = { 2, 1 } },
	};
	u32 b;

	for (b = 0; b < ESMTP_TABLE_BYTES; b++)
		t.head.class[b] = b & 1;
	assert_null(esmtp_table_check(&t, sizeof(t)));
	return &t.head;
}

void harness_cond(struct harness *h, enum esmtp_match match, u64 arg)
{
	struct esmtp_cond *c = &h->conds[h->policy.n_conds];

	assert_true(h->policy.n_conds < HARNESS_CONDS);
	memset(c, 0, sizeof(*c));
	c->match = match;
	if (esmtp_match_operand(match) == ESMTP_OPERAND_TABLE)
		c->table = odd_table();
	else if (esmtp_match_operand(match) == ESMTP_OPERAND_SET)
		c->set = arg;
	else if (esmtp_match_operand(match) == ESMTP_OPERAND_LIMIT)
		c->limit = arg;
	h->policy.n_conds++;
	h->rules[h->policy.n_rules - 1].n_conds++;
}

void harness_not(struct harness *h)
{
	h->conds[h->policy.n_conds - 1].negate = true;
}

void harness_cond_not(struct harness *h, enum esmtp_match match, u64 arg)
{
	harness_cond(h, match, arg);
	harness_not(h);
}

u32 harness_rule(struct harness *h, enum esmtp_match match, u64 arg,
		 enum esmtp_action action, bool log)
{
	struct esmtp_rule *rule = &h->rules[h->policy.n_rules];

	assert_true(h->policy.n_rules < HARNESS_RULES);
	memset(rule, 0, sizeof(*rule));
	rule->first = h->policy.n_conds;
	rule->action = action;
	rule->log = log;
	h->policy.n_rules++;
	harness_cond(h, match, arg);
	return h->policy.n_rules - 1;
}

struct esmtp_cond *harness_cond_of(const struct harness *h, u32 rule)
{
	assert_true(rule < h->policy.n_rules);
	assert_int_equal(h->rules[rule].n_conds, 1);
	return (struct esmtp_cond *)&h->conds[h->rules[rule].first];
}

void harness_no_rules(struct harness *h)
{
	h->policy.n_rules = 0;
	h->policy.n_conds = 0;
}

/* What the policy points to is this harness's. */
static void bind(struct harness *h)
{
	h->policy.rules = h->rules;
	h->policy.conds = h->conds;
	h->policy.order = h->order;
}

void harness_prepare(struct harness *h)
{
	const char *why;
	u32 bad;

	bind(h);
	why = esmtp_policy_prepare(&h->policy, &bad);
	if (why)
		fail_msg("rule %u: %s", bad, why);
}

static bool within_rate(struct esmtp_sink *sink, u16 rule)
{
	struct harness *h = (struct harness *)
		((char *)sink - offsetof(struct harness, sink));

	assert_int_equal(h->policy.rules[rule].action, ESMTP_ACTION_RATE_LIMIT);
	return h->n_asked++ < h->tokens;
}

static void hear(struct esmtp_sink *sink, const struct esmtp_event *ev)
{
	struct harness *h = (struct harness *)
		((char *)sink - offsetof(struct harness, sink));
	u32 n = h->n_events + 1;

	assert_in_range(ev->type, 1, ESMTP_EVENT_MAX);
	assert_true(ev->text_len <= ESMTP_TEXT_MAX);
	if (ev->type == ESMTP_EVENT_RULE) {
		assert_true(ev->rule < h->policy.n_rules);
		assert_int_equal(h->conds[ev->cond].rule, ev->rule);
	} else {
		assert_int_equal(ev->rule, ESMTP_NO_RULE);
		assert_int_equal(ev->cond, ESMTP_NO_RULE);
	}
	h->events = realloc(h->events, n * sizeof(*h->events));
	h->event_dir = realloc(h->event_dir, n * sizeof(*h->event_dir));
	h->events[h->n_events] = *ev;
	h->event_dir[h->n_events++] = h->dir;
}

void harness_init(struct harness *h)
{
	memset(h, 0, sizeof(*h));
	h->policy.verbs = ESMTP_VERBS_ASA;
	h->policy.flags = ESMTP_POLICY_F_MASK_BANNER |
			  ESMTP_POLICY_F_BLANK_BRACKETS;
	h->sink.event = hear;
	h->sink.within_rate = within_rate;
	harness_rule(h, ESMTP_MATCH_CMD_LINE_LENGTH, 512,
		     ESMTP_ACTION_DROP, true);
	harness_rule(h, ESMTP_MATCH_CMD_RCPT_COUNT, 100,
		     ESMTP_ACTION_DROP, true);
	harness_rule(h, ESMTP_MATCH_BODY_LINE_LENGTH, 998,
		     ESMTP_ACTION_COUNT, true);
	harness_rule(h, ESMTP_MATCH_HEADER_LINE_LENGTH, 998,
		     ESMTP_ACTION_DROP, true);
	harness_rule(h, ESMTP_MATCH_SENDER_LENGTH, 320,
		     ESMTP_ACTION_DROP, true);
	harness_rule(h, ESMTP_MATCH_MIME_FILENAME_LENGTH, 255,
		     ESMTP_ACTION_DROP, true);
	harness_rule(h, ESMTP_MATCH_EHLO_KEYWORD, 1u << ESMTP_KW_OTHERS,
		     ESMTP_ACTION_MASK, false);
	/* The engine must not count on zeroed memory. */
	memset(&h->engine, 0xa5, sizeof(h->engine));
	esmtp_engine_init(&h->engine);
}

void harness_free(struct harness *h)
{
	int d;

	for (d = 0; d < ESMTP_DIRS; d++) {
		free(h->in[d].p);
		free(h->out[d].p);
		free(h->held[d].p);
	}
	free(h->content.p);
	free(h->events);
	free(h->event_dir);
	memset(h, 0, sizeof(*h));
}

static void check_result(const struct harness *h, const struct esmtp_result *r,
			 u32 took, u32 len)
{
	u32 end = 0, i;

	assert_true(took <= len);
	assert_true(r->n_edits <= ESMTP_EDITS_MAX);
	for (i = 0; i < r->n_edits; i++) {
		assert_true(r->edits[i].off >= end);
		assert_true(r->edits[i].len > 0);
		end = r->edits[i].off + r->edits[i].len;
		assert_true(end <= took);
	}
	if (r->content)
		assert_int_equal(r->n_edits, 0);
	if (!r->hold && !r->verdict)
		assert_true(took > 0);
	if (h->policy.flags & ESMTP_POLICY_F_MONITOR) {
		assert_int_equal(r->n_edits, 0);
		assert_false(r->hold);
		assert_int_equal(r->verdict, ESMTP_PASS);
	}
}

/* The engine counts what can end a transaction as it comes and goes; the queue says whether it counted right. */
static void check_owed(const struct esmtp_engine *e)
{
	static const bool resets[OWED_OTHER + 1] = {
		[OWED_EHLO] = true, [OWED_HELO] = true, [OWED_MAIL] = true, [OWED_RSET] = true,
		[OWED_END_OF_DATA] = true, [OWED_BDAT_LAST] = true,
	};
	u32 i, n = 0;

	assert_true(e->n_owed <= ESMTP_OWED_MAX);
	for (i = 0; i < e->n_owed; i++) {
		assert_in_range(e->owed[i].count, 1, ESMTP_OWED_RUN_MAX);
		assert_true(e->owed[i].what <= OWED_OTHER);
		if (resets[e->owed[i].what])
			n += e->owed[i].count;
	}
	assert_int_equal(e->resets_owed, n);
}

static void pass_bytes(struct harness *h, enum esmtp_dir dir, u8 *p, u32 n,
		       const struct esmtp_result *r)
{
	u8 content = r->content;
	u32 i;

	for (i = 0; i < r->n_edits; i++)
		memset(p + r->edits[i].off, r->edits[i].byte, r->edits[i].len);
	append(&h->out[dir], p, n);
	if (dir == ESMTP_DIR_CLIENT)
		for (i = 0; i < n; i++)
			append(&h->content, &content, 1);
}

/* One call; returns whether to call again. The bytes lie in a block of exactly their size, for ASan. */
static bool call(struct harness *h, enum esmtp_dir dir)
{
	struct bytes *held = &h->held[dir];
	struct esmtp_result r;
	u32 took, len = held->n;
	u8 *copy;

	if (!len || h->verdict)
		return false;
	copy = malloc(len);
	memcpy(copy, held->p, len);
	memset(&r, 0xa5, sizeof(r));
	h->dir = dir;
	took = esmtp_engine_feed(&h->engine, &h->policy, dir, copy, len,
				 &h->sink, &r);
	h->n_calls++;
	assert_memory_equal(copy, held->p, len);
	check_result(h, &r, took, len);
	check_owed(&h->engine);
	h->n_edits += r.n_edits;
	pass_bytes(h, dir, copy, took, &r);
	free(copy);
	cut_front(held, took);
	if (r.bypass)
		h->bypass = true;
	h->verdict = r.verdict;
	if (h->verdict) {
		u32 n_events = h->n_events;

		/* closed for good, in both directions */
		for (dir = 0; dir < ESMTP_DIRS; dir++) {
			memset(&r, 0xa5, sizeof(r));
			assert_int_equal(esmtp_engine_feed(&h->engine,
				&h->policy, dir, (const u8 *)"x", 1, &h->sink,
				&r), 0);
			assert_int_equal(r.verdict, h->verdict);
			assert_int_equal(h->n_events, n_events);
		}
	}
	return !r.hold && !r.verdict;
}

void harness_feed(struct harness *h, enum esmtp_dir dir, const void *data,
		  size_t len)
{
	enum esmtp_dir other = dir == ESMTP_DIR_CLIENT ? ESMTP_DIR_SERVER :
							 ESMTP_DIR_CLIENT;

	harness_prepare(h);
	append(&h->in[dir], data, len);
	append(&h->held[dir], data, len);
	while (call(h, dir))
		;
	while (call(h, other))
		;
}

void harness_say(struct harness *h, enum esmtp_dir dir, const char *text)
{
	harness_feed(h, dir, text, strlen(text));
}

void harness_repeat(struct harness *h, enum esmtp_dir dir, char c, size_t n)
{
	char *p = malloc(n + 1);

	memset(p, c, n);
	harness_feed(h, dir, p, n);
	free(p);
}

void harness_to_content(struct harness *h)
{
	static const struct step steps[] = {
		S("220 2\r\n"),
		C("HELO a.example\r\n"), S("250 ok\r\n"),
		C("MAIL FROM:<a@example.org>\r\n"), S("250 ok\r\n"),
		C("RCPT TO:<b@example.org>\r\n"), S("250 ok\r\n"),
		C("DATA\r\n"), S("354 go\r\n"),
	};
	size_t i;
	int d;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		harness_feed(h, steps[i].dir, steps[i].data, steps[i].len);
	for (d = 0; d < ESMTP_DIRS; d++) {
		assert_int_equal(h->out[d].n, h->in[d].n);
		h->in[d].n = 0;
		h->out[d].n = 0;
	}
	h->content.n = 0;
}

u32 harness_count(const struct harness *h, enum esmtp_event_type type)
{
	u32 i, n = 0;

	for (i = 0; i < h->n_events; i++)
		n += h->events[i].type == type;
	return n;
}

u32 harness_fired(const struct harness *h, u32 rule)
{
	u32 i, n = 0;

	for (i = 0; i < h->n_events; i++)
		n += h->events[i].type == ESMTP_EVENT_RULE &&
		     h->events[i].rule == rule;
	return n;
}

const struct esmtp_event *harness_last(const struct harness *h,
				       enum esmtp_event_type type)
{
	u32 i;

	for (i = h->n_events; i > 0; i--)
		if (h->events[i - 1].type == type)
			return &h->events[i - 1];
	return NULL;
}

static void print_bytes(const char *what, const u8 *p, size_t n)
{
	size_t i;

	fprintf(stderr, "%s (%zu): \"", what, n);
	for (i = 0; i < n; i++) {
		if (p[i] == '\n')
			fprintf(stderr, "\\n\n\t");
		else if (p[i] == '\r')
			fprintf(stderr, "\\r");
		else if (p[i] < 32 || p[i] > 126)
			fprintf(stderr, "\\x%02x", p[i]);
		else
			fputc(p[i], stderr);
	}
	fprintf(stderr, "\"\n");
}

static void print_events(const char *what, const struct harness *h)
{
	const struct esmtp_event *ev;
	u32 i;

	fprintf(stderr, "%s: %u events, verdict %d\n", what, h->n_events,
		h->verdict);
	for (i = 0; i < h->n_events; i++) {
		ev = &h->events[i];
		fprintf(stderr, "\t%s type %u rule %u value %u limit %u action %u log %d text \"%.*s\"\n",
			h->event_dir[i] ? "S" : "C", ev->type, ev->rule,
			ev->value, ev->limit, ev->action, ev->log,
			ev->text_len, (const char *)ev->text);
	}
}

/* How much of an event's text is shown. */
static int shown(const struct harness *h, const struct esmtp_event *ev)
{
	bool line = ev->text_len > 5 &&
		    (!strncasecmp((const char *)ev->text, "MAIL ", 5) ||
		     !strncasecmp((const char *)ev->text, "RCPT ", 5));

	return line && !h->lines ? 4 : ev->text_len;
}

char *harness_events(const struct harness *h)
{
	static const char * const names[] = {
		[ESMTP_EVENT_RULE] = "rule",
		[ESMTP_EVENT_BANNER_MASKED] = "banner",
		[ESMTP_EVENT_CMD_MASKED] = "masked",
		[ESMTP_EVENT_PIPE] = "pipe",
		[ESMTP_EVENT_BRACKET_BLANKED] = "bracket",
		[ESMTP_EVENT_TLS_STARTED] = "tls",
		[ESMTP_EVENT_BYPASS] = "bypass",
		[ESMTP_EVENT_VERB_LENGTH] = "verb-length",
		[ESMTP_EVENT_BARE_LF] = "bare-lf",
		[ESMTP_EVENT_BARE_CR] = "bare-cr",
		[ESMTP_EVENT_EARLY_TALK] = "early-talk",
		[ESMTP_EVENT_UNEXPECTED_REPLY] = "unexpected",
		[ESMTP_EVENT_REPLY_SYNTAX] = "syntax",
		[ESMTP_EVENT_EARLY_CONTENT] = "early-content",
		[ESMTP_EVENT_KEYWORD_MASKED] = "keyword",
		[ESMTP_EVENT_CONFLICT] = "conflict",
		[ESMTP_EVENT_NUL] = "nul",
		[ESMTP_EVENT_EIGHT_BIT] = "eight-bit",
		[ESMTP_EVENT_PIPELINING] = "pipelining",
	};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	const struct esmtp_event *ev;
	u32 i;

	for (i = 0; i < h->n_events; i++) {
		ev = &h->events[i];
		fprintf(out, "%s%s", i ? " " : "", names[ev->type]);
		if (ev->rule != ESMTP_NO_RULE)
			fprintf(out, "#%u", ev->rule);
		if (ev->value)
			fprintf(out, ":%u", ev->value);
		if (ev->text_len)
			fprintf(out, "(%.*s)", shown(h, ev),
				(const char *)ev->text);
	}
	fclose(out);
	return text;
}

void harness_expect_events(const struct harness *h, const char *text)
{
	char *events = harness_events(h);

	assert_string_equal(events, text);
	free(events);
}

void harness_expect(const struct harness *h, enum esmtp_dir dir,
		    const char *text)
{
	const struct bytes *out = &h->out[dir];

	if (out->n != strlen(text) ||
	    (out->n && memcmp(out->p, text, out->n))) {
		print_bytes("expected", (const u8 *)text, strlen(text));
		print_bytes("passed", out->p, out->n);
		print_events("run", h);
		fail_msg("what passed is not what was expected");
	}
}

static size_t dialogue_len(const struct step *steps, size_t n)
{
	size_t i, len = 0;

	for (i = 0; i < n; i++)
		len += steps[i].len;
	return len;
}

u32 harness_random(u32 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

u32 harness_seed(void)
{
	static u32 seed;
	const char *env = getenv("ESMTP_SEED");

	if (!seed) {
		seed = env ? strtoul(env, NULL, 0) : (u32)time(NULL);
		seed = seed ? seed : 1;
		fprintf(stderr, "# ESMTP_SEED=%u\n", seed);
	}
	return seed;
}

static size_t piece_len(struct cut cut, size_t left, u32 *state)
{
	size_t n;

	switch (cut.kind) {
	case CUT_BYTES:
		return 1;
	case CUT_RANDOM:
		n = harness_random(state);
		/* often tiny, sometimes all */
		n = n & 7 ? 1 + (n >> 3) % 6 : 1 + (n >> 3) % left;
		return n < left ? n : left;
	default:
		return left;
	}
}

void harness_run(struct harness *h, const struct step *steps, size_t n,
		 struct cut cut)
{
	size_t i, at, piece, pos = 0;
	u32 state = cut.arg ? cut.arg : 1;

	for (i = 0; i < n; i++) {
		for (at = 0; at < steps[i].len; at += piece) {
			piece = piece_len(cut, steps[i].len - at, &state);
			if (cut.kind == CUT_AT && cut.arg > pos + at &&
			    cut.arg < pos + at + piece)
				piece = cut.arg - pos - at;
			harness_feed(h, steps[i].dir, steps[i].data + at,
				     piece);
		}
		pos += steps[i].len;
	}
}

static bool same_event(const struct esmtp_event *a, const struct esmtp_event *b)
{
	return a->type == b->type && a->rule == b->rule &&
	       a->value == b->value && a->limit == b->limit &&
	       a->action == b->action && a->log == b->log &&
	       a->text_len == b->text_len &&
	       !memcmp(a->text, b->text, a->text_len);
}

/* The next event of a direction from @i on. */
static u32 next_event(const struct harness *h, u32 i, enum esmtp_dir dir)
{
	while (i < h->n_events && h->event_dir[i] != dir)
		i++;
	return i;
}

/* Events of one direction in their order. Between the two there is none: what was held goes on between two replies
 * that came in one piece, or behind both.
 */
static const char *differ_in_events(const struct harness *a,
				    const struct harness *b)
{
	enum esmtp_dir dir;
	u32 i, k;

	if (a->n_events != b->n_events)
		return "number of events";
	for (dir = 0; dir < ESMTP_DIRS; dir++) {
		for (i = next_event(a, 0, dir), k = next_event(b, 0, dir);
		     i < a->n_events && k < b->n_events;
		     i = next_event(a, i + 1, dir),
		     k = next_event(b, k + 1, dir))
			if (!same_event(&a->events[i], &b->events[k]))
				return "an event";
		if (i < a->n_events || k < b->n_events)
			return "number of events of a direction";
	}
	return NULL;
}

/* Bytes up to the end of the last complete line. */
static size_t complete(const struct bytes *b)
{
	size_t n = b->n;

	while (n && b->p[n - 1] != '\n')
		n--;
	return n;
}

/* How far into a line it may be decided that it is masked: a reply's code and a word. Before that, bytes may have gone
 * ahead.
 */
#define AHEAD_MAX	(4 + ESMTP_WORD_MAX)

/**
 * struct line - of two runs that are compared
 * @len: bytes before this one
 * @masked: it is masked where its uncut twin is not: "VRFYING" that was cut behind "VRFY" could have been that;
 *	then all the rest of it is
 * @edited: one of its bytes is, so what follows has not gone ahead
 */
struct line {
	size_t len;
	bool masked;
	bool edited;
};

/* What passed is what passed uncut, but for first letters that had gone ahead; a keyword without them needs no letter
 * that makes it another than those before.
 */
static bool same_byte(const struct line *line, u8 said, u8 uncut, u8 cut)
{
	bool end = said == '\r' || said == '\n';

	if (line->masked)
		return cut == (end ? said : 'X');
	if (cut == uncut)
		return true;
	if (cut == 'X' && !end &&
	    (uncut != said || line->len < AHEAD_MAX))
		return true;
	return cut == said && line->len < AHEAD_MAX && !line->edited;
}

/* So many bytes have passed in both runs. */
static size_t both(const struct harness *a, const struct harness *b, int dir)
{
	return a->out[dir].n < b->out[dir].n ? a->out[dir].n : b->out[dir].n;
}

static bool same_bytes(const struct harness *model, const struct harness *h,
		       int dir)
{
	struct line line = { 0 };
	u8 said, uncut, cut;
	size_t i;

	for (i = 0; i < both(model, h, dir); i++) {
		said = h->in[dir].p[i];
		uncut = model->out[dir].p[i];
		cut = h->out[dir].p[i];
		if (!same_byte(&line, said, uncut, cut))
			return false;
		line.len++;
		line.edited |= cut != said;
		line.masked |= cut == 'X' && uncut == said && cut != said;
		if (said == '\n')
			line = (struct line){ 0 };
	}
	return true;
}

/* A line is masked only in the cut run, see struct line. */
static bool masked_in_vain(const struct harness *model, const struct harness *h)
{
	const u8 *said = h->in[ESMTP_DIR_CLIENT].p;
	const u8 *uncut = model->out[ESMTP_DIR_CLIENT].p;
	const u8 *cut = h->out[ESMTP_DIR_CLIENT].p;
	size_t i;

	for (i = 0; i < both(model, h, ESMTP_DIR_CLIENT); i++)
		if (uncut[i] == said[i] && cut[i] != said[i])
			return true;
	return false;
}

static bool content_altered(const struct harness *h)
{
	const struct bytes *out = &h->out[ESMTP_DIR_CLIENT];
	size_t i;

	for (i = 0; i < out->n; i++)
		if (h->content.p[i] &&
		    out->p[i] != h->in[ESMTP_DIR_CLIENT].p[i])
			return true;
	return false;
}

/* What passed is of equal length. Of a connection that was closed all before the violating line has passed, and how
 * much of that line depends on the cut; but never its end.
 */
static const char *differ_in_extent(const struct harness *model,
				    const struct harness *h, int dir)
{
	const struct bytes *a = &model->out[dir], *b = &h->out[dir];
	size_t i;

	if (complete(a) != complete(b))
		return "complete lines";
	if (b->n != a->n && !model->verdict && !model->engine.latched)
		return "number of bytes";
	if (dir == ESMTP_DIR_SERVER)
		return same_bytes(model, h, dir) ? NULL : "bytes";
	for (i = 0; i < both(model, h, dir); i++)
		if (model->content.p[i] != h->content.p[i])
			return "what is content";
	return NULL;
}

static void print_cond(const struct esmtp_cond *c)
{
	fprintf(stderr, "\t\t%smatch %u limit %u set 0x%llx\n",
		c->negate ? "not " : "", c->match, c->limit,
		(unsigned long long)c->set);
}

static void print_run(const struct harness *model, const struct step *steps,
		      size_t n)
{
	const struct esmtp_rule *rule;
	size_t i, k;

	fprintf(stderr, "policy: flags 0x%x verbs 0x%llx\n",
		model->policy.flags, (unsigned long long)model->policy.verbs);
	for (i = 0; i < model->policy.n_rules; i++) {
		rule = &model->rules[i];
		fprintf(stderr, "\trule %zu: action %u\n", i, rule->action);
		for (k = 0; k < rule->n_conds; k++)
			print_cond(&model->conds[rule->first + k]);
	}
	for (i = 0; i < n; i++)
		print_bytes(steps[i].dir ? "S" : "C",
			    (const u8 *)steps[i].data, steps[i].len);
}

static void compare(const struct harness *model, const struct harness *h,
		    const char *how, const struct step *steps, size_t n)
{
	const char *what = NULL;

	if (content_altered(h))
		what = "content, which was altered";
	else if (!same_bytes(model, h, ESMTP_DIR_CLIENT))
		what = "bytes";
	/* What is said of a line that was masked in vain is about another line: all may be another from there on. */
	else if (masked_in_vain(model, h))
		return;
	if (!what && model->verdict != h->verdict)
		what = "verdict";
	if (!what && model->engine.latched != h->engine.latched)
		what = "latched verdict";
	if (!what && model->engine.closed_by != h->engine.closed_by)
		what = "rule that closed";
	if (!what && model->bypass != h->bypass)
		what = "bypass";
	if (!what)
		what = differ_in_events(model, h);
	if (!what)
		what = differ_in_extent(model, h, ESMTP_DIR_CLIENT);
	if (!what)
		what = differ_in_extent(model, h, ESMTP_DIR_SERVER);
	if (!what)
		return;
	print_run(model, steps, n);
	print_events("uncut", model);
	print_bytes("client, uncut", model->out[0].p, model->out[0].n);
	print_bytes("server, uncut", model->out[1].p, model->out[1].n);
	print_events(how, h);
	print_bytes("client, cut", h->out[0].p, h->out[0].n);
	print_bytes("server, cut", h->out[1].p, h->out[1].n);
	fail_msg("%s: the runs differ in %s", how, what);
}

void harness_one_cut(const struct harness *model, const struct step *steps,
		     size_t n, struct cut cut)
{
	struct harness h;
	char how[64];

	harness_init(&h);
	h.policy = model->policy;
	h.tokens = model->tokens;
	memcpy(h.rules, model->rules, sizeof(h.rules));
	memcpy(h.conds, model->conds, sizeof(h.conds));
	harness_run(&h, steps, n, cut);
	snprintf(how, sizeof(how), "cut kind %d, argument %u", cut.kind,
		 cut.arg);
	compare(model, &h, how, steps, n);
	harness_free(&h);
}

void harness_all_cuts(struct harness *model, const struct step *steps,
		      size_t n, u32 random)
{
	u32 i, len = dialogue_len(steps, n), state = harness_seed();

	harness_run(model, steps, n, (struct cut){ CUT_NONE, 0 });
	for (i = 1; i < len; i++)
		harness_one_cut(model, steps, n, (struct cut){ CUT_AT, i });
	harness_one_cut(model, steps, n, (struct cut){ CUT_BYTES, 0 });
	for (i = 0; i < random; i++)
		harness_one_cut(model, steps, n,
			(struct cut){ CUT_RANDOM, harness_random(&state) });
}
