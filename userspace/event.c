// SPDX-License-Identifier: GPL-2.0-only
/*
 * An event as a line of a log, with ASA's number and wording where ASA has a
 * message for it.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "event.h"
#include "names.h"

#define ENDPOINT_MAX 64

/* What ASA has 108005 for. */
static bool only_logged(const struct event *e)
{
	if (e->type != ESMTP_EVENT_RULE && e->type != ESMTP_EVENT_CMD_MASKED)
		return false;
	return e->monitor || e->action == ESMTP_ACTION_COUNT;
}

/**
 * event_number() - number of the message
 * @e: the event
 *
 * Return: ASA's number, or one of ours.
 */
unsigned int event_number(const struct event *e)
{
	const struct event_name *n = event_name(e->type);

	if (only_logged(e))
		return 108005;
	return n ? n->number : 108199;
}

/**
 * event_severity() - severity of the message
 * @e: the event
 *
 * Return: 0 (worst) to 7.
 */
unsigned int event_severity(const struct event *e)
{
	const struct event_name *n = event_name(e->type);

	if (only_logged(e))
		return 6;
	return n ? n->severity : 5;
}

/**
 * event_escape() - the offending bytes, fit for a terminal and a log
 * @e: the event
 * @buf: where to
 *
 * Return: @buf.
 */
char *event_escape(const struct event *e, char buf[EVENT_ESCAPED_MAX])
{
	char *p = buf;

	for (size_t i = 0; i < e->text_len; i++) {
		uint8_t c = e->text[i];

		if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"')
			*p++ = (char)c;
		else
			p += sprintf(p, "\\x%02x", c);
	}
	*p = '\0';
	return buf;
}

/**
 * event_time() - when it was
 * @e: the event
 * @buf: where to
 *
 * Return: @buf: the time in UTC, as RFC 3339 writes it.
 */
char *event_time(const struct event *e, char buf[EVENT_TIME_MAX])
{
	time_t t = (time_t)(e->time / 1000000000u);
	char date[24] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf, EVENT_TIME_MAX, "%s.%06uZ", date,
		 (unsigned int)(e->time % 1000000000u / 1000u));
	return buf;
}

static const char *endpoint(const struct event *e, bool server, bool port, char buf[ENDPOINT_MAX])
{
	const uint8_t *addr = server ? e->server : e->client;
	char text[INET6_ADDRSTRLEN] = "?";

	if (e->family == AF_INET || e->family == AF_INET6)
		inet_ntop(e->family, addr, text, sizeof(text));
	if (port)
		snprintf(buf, ENDPOINT_MAX, "%s/%u", text,
			 server ? e->server_port : e->client_port);
	else
		snprintf(buf, ENDPOINT_MAX, "%s", text);
	return buf;
}

static const char *did(const struct event *e)
{
	switch (e->monitor ? ESMTP_ACTION_COUNT : e->action) {
	case ESMTP_ACTION_DROP:
		return "Dropped connection for";
	case ESMTP_ACTION_RESET:
		return "Reset connection for";
	case ESMTP_ACTION_REPLY:
		return "Closed connection with a reply for";
	case ESMTP_ACTION_RATE_LIMIT:
		return "Rate limit exceeded by";
	case ESMTP_ACTION_MASK:
		return e->type == ESMTP_EVENT_RULE ? "Masked header flags for"
						   : "Masked command for";
	default:
		return "Received";
	}
}

/* "ESMTP Request from A/P to B/Q": the source is who sent what was seen. */
static int put_flow(char *p, size_t size, const struct event *e)
{
	char from[ENDPOINT_MAX], to[ENDPOINT_MAX];

	return snprintf(p, size, "ESMTP %s from %s to %s", e->from_server ? "Response" : "Request",
			endpoint(e, e->from_server, true, from),
			endpoint(e, !e->from_server, true, to));
}

static int put_rule(char *p, size_t size, const struct event *e)
{
	char cond[COND_TEXT_MAX];
	int n = snprintf(p, size, "ESMTP Classification: %s ", did(e));

	n += put_flow(p + n, size - (size_t)n, e);
	n += snprintf(p + n, size - (size_t)n, "; matched Class %u: %s", e->rule,
		      cond_format(&e->cond, COND_ASA, cond));
	return n;
}

static int put_anomaly(char *p, size_t size, const struct event *e)
{
	const struct event_name *name = event_name(e->type);
	int n = snprintf(p, size, "ESMTP Parameter: %s ", did(e));

	n += put_flow(p + n, size - (size_t)n, e);
	if (name)
		n += snprintf(p + n, size - (size_t)n, "; %s", name->sentence);
	else
		n += snprintf(p + n, size - (size_t)n, "; event %u", e->type);
	return n;
}

/* What the message of this type says; the offending bytes are part of some. */
static int put_message(char *p, size_t size, const struct event *e)
{
	char a[ENDPOINT_MAX], b[ENDPOINT_MAX], text[EVENT_ESCAPED_MAX];

	event_escape(e, text);
	switch (e->type) {
	case ESMTP_EVENT_RULE:
		return put_rule(p, size, e);
	case ESMTP_EVENT_BRACKET_BLANKED:
		return snprintf(p, size, "SMTP replaced string: out %s in %s data: %s",
				endpoint(e, false, false, a), endpoint(e, true, false, b), text);
	case ESMTP_EVENT_PIPE:
		return snprintf(p, size,
				"Terminating ESMTP connection; malicious pattern detected in the mail address from %s to %s. Mail Address:%s",
				endpoint(e, false, true, a), endpoint(e, true, true, b), text);
	case ESMTP_EVENT_TLS_STARTED:
		return snprintf(p, size,
				"TLS started on ESMTP session between client %s and server %s",
				endpoint(e, false, true, a), endpoint(e, true, true, b));
	default:
		return put_anomaly(p, size, e);
	}
}

/* What ASA does not say stands behind its sentence, in brackets. */
static void put_extra(char *p, size_t size, const struct event *e)
{
	char text[EVENT_ESCAPED_MAX];
	int n = snprintf(p, size, " (policy %s%s", e->policy, e->monitor ? ", mode monitor" : "");

	if (e->has_value && e->value)
		n += snprintf(p + n, size - (size_t)n, ", seen %u", e->value);
	if (e->text_len && e->type != ESMTP_EVENT_BRACKET_BLANKED && e->type != ESMTP_EVENT_PIPE)
		n += snprintf(p + n, size - (size_t)n, ", \"%s\"", event_escape(e, text));
	snprintf(p + n, size - (size_t)n, ")");
}

/**
 * event_line() - the event as one line
 * @e: the event
 * @buf: where to
 *
 * Return: @buf, without a line end.
 */
char *event_line(const struct event *e, char buf[EVENT_LINE_MAX])
{
	unsigned int number = event_number(e);
	int n;

	n = snprintf(buf, EVENT_LINE_MAX, "%%%s-%u-%u: ", number > 108100 ? "ESMTP" : "ASA",
		     event_severity(e), number);
	n += put_message(buf + n, EVENT_LINE_MAX - (size_t)n, e);
	put_extra(buf + n, EVENT_LINE_MAX - (size_t)n, e);
	return buf;
}
