// SPDX-License-Identifier: GPL-2.0-only
/*
 * The messages. This file is compiled into esmtpctl, too, so that the kernel's log and
 * "esmtpctl monitor" say the same in the same words.
 */
#include "../include/esmtp/message.h"

#ifdef __KERNEL__
#include <linux/kernel.h>
#else
#include <stdarg.h>
#include <stdio.h>
#endif

/* ASA's numbers end before this, but for those of other parts of it; ours begin behind it. */
#define OURS		108100u
#define OURS_END	108199u		/* an event that has no name here */

/**
 * struct kind - what is said of a type of event
 * @number: of the message where something was done
 * @severity: of it
 * @sentence: what was seen; NULL where the message has words of its own
 */
struct kind {
	unsigned int number;
	unsigned int severity;
	const char *sentence;
};

static const struct kind kinds[__ESMTP_EVENT_MAX] = {
	[ESMTP_EVENT_RULE] = { 108004, 4 },
	[ESMTP_EVENT_BANNER_MASKED] = { 108004, 4, "greeting masked" },
	[ESMTP_EVENT_CMD_MASKED] = { 108004, 4, "command not allowed" },
	[ESMTP_EVENT_PIPE] = { 108003, 2, "| in an address" },
	[ESMTP_EVENT_BRACKET_BLANKED] = {
		108002, 2, "< or > out of place in an address" },
	[ESMTP_EVENT_TLS_STARTED] = { 108007, 6, "TLS started" },
	[ESMTP_EVENT_BYPASS] = {
		108101, 2, "reply that the command cannot have earned" },
	[ESMTP_EVENT_VERB_LENGTH] = {
		108102, 4, "unknown verb that has not four letters" },
	[ESMTP_EVENT_BARE_LF] = { 108103, 4, "line ended by LF alone" },
	[ESMTP_EVENT_BARE_CR] = { 108104, 4, "CR without LF in a command" },
	[ESMTP_EVENT_EARLY_TALK] = {
		108105, 4, "client spoke before the greeting" },
	[ESMTP_EVENT_UNEXPECTED_REPLY] = {
		108106, 4, "reply that no command is owed" },
	[ESMTP_EVENT_REPLY_SYNTAX] = { 108107, 4, "line that is no SMTP reply" },
	[ESMTP_EVENT_EARLY_CONTENT] = {
		108108, 5, "content sent before the answer to DATA" },
	[ESMTP_EVENT_KEYWORD_MASKED] = {
		108004, 4, "keyword of a command that is not allowed" },
	[ESMTP_EVENT_CONFLICT] = {
		108109, 2, "content repeated with other bytes" },
	[ESMTP_EVENT_EARLY_ALTERED] = {
		108111, 2, "content that had passed early breaks a rule" },
	[ESMTP_EVENT_HOLE] = {
		108112, 2, "gap in content not filled for a minute" },
	[ESMTP_EVENT_NUL] = { 108113, 4, "NUL in a command" },
	[ESMTP_EVENT_EIGHT_BIT] = { 108114, 6, "byte above 127 in a command" },
	[ESMTP_EVENT_PIPELINING] = {
		108115, 5, "command before the answer to another one, which was not offered" },
	[ESMTP_EVENT_TERMINATED] = { 507003, 4 },
};

/**
 * struct line - a line that is being written
 * @p: its end
 * @left: room there, the NUL included
 */
struct line {
	char *p;
	size_t left;
};

static __printf(2, 3) void put(struct line *l, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(l->p, l->left, fmt, args);
	va_end(args);
	if (n < 0)
		return;
	if ((size_t)n >= l->left)
		n = (int)l->left - 1;
	l->p += n;
	l->left -= (size_t)n;
}

static const struct kind *kind_of(u16 type)
{
	static const struct kind unknown = { OURS_END, 5, NULL };

	return type < __ESMTP_EVENT_MAX && kinds[type].number ? &kinds[type] :
								&unknown;
}

/* ASA has other numbers for what was only logged; our own numbers say what was seen. */
static const struct kind *kind_of_subject(const struct esmtp_subject *s)
{
	static const struct kind received = { 108005, 6, NULL };
	static const struct kind oversize = { 108006, 7, NULL };
	const struct kind *k = kind_of(s->type);

	if (!s->only_seen || k->number != 108004)
		return k;
	return s->oversize ? &oversize : &received;
}

unsigned int esmtp_message_number(const struct esmtp_subject *s)
{
	return kind_of_subject(s)->number;
}

unsigned int esmtp_message_severity(const struct esmtp_subject *s)
{
	return kind_of_subject(s)->severity;
}

const char *esmtp_message_origin(unsigned int number)
{
	return number > OURS && number <= OURS_END ? "ESMTP" : "ASA";
}

char *esmtp_message_escape(char *buf, const u8 *bytes, u32 len)
{
	char *p = buf;
	u32 i;

	for (i = 0; i < len; i++) {
		u8 c = bytes[i];

		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			*p++ = (char)c;
		else
			p += sprintf(p, "\\x%02x", c);
	}
	*p = '\0';
	return buf;
}

static const char *did(const struct esmtp_message *m)
{
	switch (m->monitor ? ESMTP_ACTION_COUNT : m->action) {
	case ESMTP_ACTION_DROP:
		return "Dropped connection for";
	case ESMTP_ACTION_RESET:
		return "Reset connection for";
	case ESMTP_ACTION_REPLY:
		return "Closed connection with a reply for";
	case ESMTP_ACTION_RATE_LIMIT:
		return "Rate limit exceeded by";
	case ESMTP_ACTION_MASK:
		return m->type == ESMTP_EVENT_CMD_MASKED ?
			"Masked command for" : "Masked header flags for";
	default:
		return "Received";
	}
}

/* The source is who sent what was seen. */
static void put_action(struct line *l, const struct esmtp_message *m)
{
	put(l, "ESMTP %s: %s ESMTP %s from %s to %s; ",
	    m->type == ESMTP_EVENT_RULE ? "Classification" : "Parameter",
	    did(m), m->from_server ? "Response" : "Request",
	    m->from_server ? m->server : m->client,
	    m->from_server ? m->client : m->server);
	if (m->type == ESMTP_EVENT_RULE)
		put(l, "matched Class %u: %s", m->rule, m->criterion);
	else if (kind_of(m->type)->sentence)
		put(l, "%s", kind_of(m->type)->sentence);
	else
		put(l, "event %u", m->type);
}

/* The reasons are ASA's, but for the reply that it cannot give. */
static const char *why_terminated(u8 action)
{
	switch (action) {
	case ESMTP_ACTION_RESET:
		return "inspector drop reset";
	case ESMTP_ACTION_REPLY:
		return "inspector disconnected, replied to client";
	default:
		return "inspector disconnected, dropped packet";
	}
}

static void put_oversize(struct line *l, const struct esmtp_message *m)
{
	put(l, "Detected ESMTP size violation from %s to %s; declared size is: %u, actual size is %u",
	    m->client, m->server, m->limit, m->value);
}

static void put_terminated(struct line *l, const struct esmtp_message *m)
{
	put(l, "tcp flow from %s to %s terminated by inspection engine, reason - %s.",
	    m->client, m->server, why_terminated(m->action));
}

/* Returns true if the offending bytes are part of the message. */
static bool put_sentence(struct line *l, const struct esmtp_message *m)
{
	if (m->oversize &&
	    esmtp_message_only_seen(m->action, m->monitor)) {
		put_oversize(l, m);
		return false;
	}
	/* What these say has been done is not done by a policy that only looks. */
	if (m->monitor && m->type != ESMTP_EVENT_TLS_STARTED) {
		put_action(l, m);
		return false;
	}
	switch (m->type) {
	case ESMTP_EVENT_BRACKET_BLANKED:
		put(l, "SMTP replaced string: out %s in %s data: %s",
		    m->client_host, m->server_host, m->text);
		return true;
	case ESMTP_EVENT_PIPE:
		put(l, "Terminating ESMTP connection; malicious pattern detected in the mail address from %s to %s. Mail Address:%s",
		    m->client, m->server, m->text);
		return true;
	case ESMTP_EVENT_TLS_STARTED:
		put(l, "TLS started on ESMTP session between client %s and server %s",
		    m->client, m->server);
		return false;
	case ESMTP_EVENT_TERMINATED:
		put_terminated(l, m);
		return false;
	default:
		put_action(l, m);
		return false;
	}
}

char *esmtp_message_print(char *buf, const struct esmtp_message *m)
{
	const struct esmtp_subject s = {
		m->type, esmtp_message_only_seen(m->action, m->monitor),
		m->oversize };
	unsigned int number = esmtp_message_number(&s);
	struct line l = { buf, ESMTP_LINE_MAX };
	bool said;

	put(&l, "%%%s-%u-%u: ", esmtp_message_origin(number),
	    esmtp_message_severity(&s), number);
	said = put_sentence(&l, m);
	put(&l, " (policy %s%s", m->policy, m->monitor ? ", mode monitor" : "");
	if (m->value && number != 108006)
		put(&l, ", seen %u", m->value);
	if (*m->text && !said)
		put(&l, ", \"%s\"", m->text);
	if (m->has_sender)
		put(&l, ", sender <%s>%s", m->sender,
		    m->sender_cut ? " cut" : "");
	put(&l, ")");
	return buf;
}
