/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A dialogue run through the engine, as the stream layer would run it: what is
 * held back is offered again after the other side has spoken, a full result is
 * followed by another call, nothing is offered after the end. Every call is checked
 * against the contract of esmtp_engine_feed(); a breach ends the test program.
 *
 *	struct harness h;
 *
 *	harness_init(&h);			default policy
 *	harness_say(&h, ESMTP_DIR_SERVER, "220 mx\r\n");
 *	...
 *	assert_int_equal(h.verdict, ESMTP_PASS);
 *	harness_free(&h);
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../include/esmtp/engine.h"
#include "../../kmod/engine/internal.h"

#define HARNESS_RULES 32
#define HARNESS_CONDS 96

/* Rules of the default policy, by position. */
enum {
	RULE_CMD_LINE,		/* > 512 drop log */
	RULE_RCPT,		/* > 100 drop log */
	RULE_BODY_LINE,		/* > 998 log */
	RULE_HEADER_LINE,	/* > 998 drop log */
	RULE_SENDER,		/* > 320 drop log */
	RULE_FILENAME,		/* > 255 drop log */
	RULE_OTHERS,		/* others mask */
	RULES_DEFAULT,
};

/**
 * struct bytes - a growing array
 * @p: the bytes
 * @n: how many
 */
struct bytes {
	u8 *p;
	size_t n;
};

/**
 * struct step - bytes that one side sends at once
 * @dir: who
 * @data: what
 * @len: how many
 */
struct step {
	enum esmtp_dir dir;
	const char *data;
	size_t len;
};

/* Steps of a dialogue from string literals (a NUL inside is fine). */
#define C(s) { ESMTP_DIR_CLIENT, s, sizeof(s) - 1 }
#define S(s) { ESMTP_DIR_SERVER, s, sizeof(s) - 1 }

/**
 * struct harness - one connection
 * @policy: its policy; change it, and @rules, before the first byte
 * @rules: the policy's rules
 * @conds: their conditions
 * @order: for the policy
 * @sink: for the engine; h->events and h->event_dir get what it is told
 * @dir: direction that is being offered
 * @engine: the engine
 * @in: everything that was offered
 * @out: everything that passed, edits applied
 * @content: for each byte of @out[ESMTP_DIR_CLIENT] whether it was content
 * @held: offered and not yet taken
 * @events: all events so far
 * @event_dir: in whose direction each was found
 * @n_events: how many
 * @n_edits: edits so far
 * @n_calls: calls of the engine so far
 * @lines: harness_events() shows all that is told of MAIL and RCPT, not the verb alone
 * @tokens: how often a rule that limits a rate is within it
 * @n_asked: how often that was asked so far
 * @verdict: ESMTP_PASS = open
 * @bypass: inspection has ended
 */
struct harness {
	struct esmtp_policy policy;
	struct esmtp_rule rules[HARNESS_RULES];
	struct esmtp_cond conds[HARNESS_CONDS];
	u16 order[HARNESS_CONDS];
	struct esmtp_sink sink;
	enum esmtp_dir dir;
	struct esmtp_engine engine;
	struct bytes in[ESMTP_DIRS];
	struct bytes out[ESMTP_DIRS];
	bool lines;
	struct bytes content;
	struct bytes held[ESMTP_DIRS];
	struct esmtp_event *events;
	enum esmtp_dir *event_dir;
	u32 n_events;
	u32 n_edits;
	u32 n_calls;
	u32 tokens;
	u32 n_asked;
	enum esmtp_verdict verdict;
	bool bypass;
};

void harness_init(struct harness *h);	/* before the greeting, default policy */
void harness_free(struct harness *h);

/* Without any rule. */
void harness_no_rules(struct harness *h);
/* Appends a rule; returns its position. @arg is the limit, or the set of a match that has one. A match of a text gets a
 * table of its own.
 */
u32 harness_rule(struct harness *h, enum esmtp_match match, u64 arg,
		 enum esmtp_action action, bool log);
/* Appends a condition to the last rule. */
void harness_cond(struct harness *h, enum esmtp_match match, u64 arg);
/* The same, which holds where it would not; and the last condition becomes such a one. */
void harness_cond_not(struct harness *h, enum esmtp_match match, u64 arg);
void harness_not(struct harness *h);
/* The only condition of a rule. */
struct esmtp_cond *harness_cond_of(const struct harness *h, u32 rule);
/* Makes the policy ready: done before bytes are fed, and by whoever calls the engine. */
void harness_prepare(struct harness *h);

void harness_feed(struct harness *h, enum esmtp_dir dir, const void *data,
		  size_t len);
void harness_say(struct harness *h, enum esmtp_dir dir, const char *text);
void harness_repeat(struct harness *h, enum esmtp_dir dir, char c, size_t n);
/* Greeting, HELO, MAIL, RCPT, DATA, 354: the next client byte is content.
 * Leaves out what passed so far, so that h->out[] begins with the content.
 */
void harness_to_content(struct harness *h);

/* How many events there were of this type, or of this rule. */
u32 harness_count(const struct harness *h, enum esmtp_event_type type);
u32 harness_fired(const struct harness *h, u32 rule);
/* Last event of this type, NULL = none. */
const struct esmtp_event *harness_last(const struct harness *h,
				       enum esmtp_event_type type);
/* All events so far as a line of text, "banner rule#6(STARTTLS) bypass:354": type, #rule, :value,
 * (text); to be freed.
 */
char *harness_events(const struct harness *h);
void harness_expect_events(const struct harness *h, const char *text);
/* What passed is this. */
void harness_expect(const struct harness *h, enum esmtp_dir dir,
		    const char *text);

/* How a dialogue is cut. */
enum cut_kind {
	CUT_NONE,
	CUT_AT,		/* the step that holds byte @arg of the dialogue is cut there */
	CUT_BYTES,	/* single bytes */
	CUT_RANDOM,	/* random pieces, seed @arg */
};

struct cut {
	enum cut_kind kind;
	u32 arg;
};

/* Runs the steps; @h is initialised, with its policy as wanted. */
void harness_run(struct harness *h, const struct step *steps, size_t n,
		 struct cut cut);

/* Runs the steps in a cut under the policy of @model, which has run them uncut, and compares the two. */
void harness_one_cut(const struct harness *model, const struct step *steps,
		     size_t n, struct cut cut);

/* The promise that outcomes do not depend on cuts: runs the steps under the policy of @model (initialised and
 * unused) uncut, cut into two at every position, in single bytes and in
 * @random random ways, and compares events, verdict and what passed. Leaves the uncut run in @model.
 */
void harness_all_cuts(struct harness *model, const struct step *steps,
		      size_t n, u32 random);

/* Seed of random tests: $ESMTP_SEED or the clock; printed once. */
u32 harness_seed(void);
u32 harness_random(u32 *state);

#endif /* HARNESS_H */
