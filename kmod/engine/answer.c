// SPDX-License-Identifier: GPL-2.0-only
/* The reply that a rule gives in the server's stead. */
#include "internal.h"

/**
 * struct line - a line that is being put together
 * @at: its bytes
 * @len: how many there are
 */
struct line {
	u8 *at;
	u32 len;
};

/* Nothing is cut: texts are checked with their policy, and words of ours are short. But nothing is ever written behind @at. */
static void put(struct line *l, const char *text, u32 len)
{
	if (len > ESMTP_ANSWER_MAX - 2 - l->len)
		len = ESMTP_ANSWER_MAX - 2 - l->len;
	memcpy(l->at + l->len, text, len);
	l->len += len;
}

static void put_word(struct line *l, const char *word)
{
	u32 len = 0;

	while (word[len])
		len++;
	put(l, word, len);
}

static void put_number(struct line *l, u32 n)
{
	char digits[10];
	u32 i = sizeof(digits);

	do {
		digits[--i] = '0' + n % 10;
		n /= 10;
	} while (n);
	put(l, digits + i, sizeof(digits) - i);
}

static void put_rate(struct line *l, const struct esmtp_rate *r)
{
	put_word(l, "more than ");
	put_number(l, r->events);
	put_word(l, r->seconds == 1 ? " a second" : " a minute");
	put_word(l, ", try again later");
}

/* A limit of ours has nothing to do with what the client sends: it may come again. */
static u16 code_of(const struct esmtp_rule *r)
{
	if (r->action == ESMTP_ACTION_RATE_LIMIT)
		return 421;
	return r->code ? r->code : ESMTP_REPLY_CODE;
}

/* For the person who reads it in a bounce: what was wrong, and what would have been right. */
static void put_reason(struct line *l, const struct esmtp_policy *p,
		       const struct esmtp_rule *rule)
{
	const struct esmtp_cond *c = &p->conds[rule->first];

	switch (rule->n_conds > 1 || c->negate ? 0 : c->match) {
	case ESMTP_MATCH_CMD_LINE_LENGTH:
		put_word(l, "command line longer than ");
		break;
	case ESMTP_MATCH_CMD_RCPT_COUNT:
		put_word(l, "number of recipients over ");
		break;
	case ESMTP_MATCH_SENDER_LENGTH:
		put_word(l, "sender address longer than ");
		break;
	case ESMTP_MATCH_INVALID_RCPT_COUNT:
		put_word(l, "number of unknown recipients over ");
		break;
	case ESMTP_MATCH_CMD_VERB:
		put_word(l, "command not allowed");
		return;
	case ESMTP_MATCH_SPECIAL_CHARACTER:
		put_word(l, "special character in an address");
		return;
	case ESMTP_MATCH_SENDER_TEXT:
		put_word(l, "sender address not allowed");
		return;
	case ESMTP_MATCH_RECIPIENT_TEXT:
		put_word(l, "recipient address not allowed");
		return;
	case ESMTP_MATCH_MAIL_RELAY:
		put_word(l, "relaying not allowed");
		return;
	default:
		put_word(l, "refused by policy");
		return;
	}
	put_number(l, c->limit);
}

/**
 * esmtp_answer_write() - see engine.h
 * @p: policy
 * @rule: index of a rule
 * @line: filled in
 *
 * Return: its length.
 */
u32 esmtp_answer_write(const struct esmtp_policy *p, u16 rule,
		       u8 line[ESMTP_ANSWER_MAX])
{
	const struct esmtp_rule *r = &p->rules[rule];
	u16 code = code_of(r);
	struct line l = { .at = line };

	put_number(&l, code);
	put(&l, " ", 1);
	if (r->text) {
		put(&l, r->text, r->text_len);
	} else {
		put_number(&l, code / 100);
		put_word(&l, ".7.1 ");
		if (r->action == ESMTP_ACTION_RATE_LIMIT)
			put_rate(&l, &r->rate);
		else
			put_reason(&l, p, r);
	}
	line[l.len++] = '\r';
	line[l.len++] = '\n';
	return l.len;
}
