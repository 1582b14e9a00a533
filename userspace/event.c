// SPDX-License-Identifier: GPL-2.0-only
/*
 * An event as a line of a log. What it says is in kmod/message.c, which the module has, too.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "event.h"
#include "names.h"

#define ENDPOINT_MAX 64

static struct esmtp_subject subject(const struct event *e)
{
	return (struct esmtp_subject){
		.type = e->type,
		.only_seen = esmtp_message_only_seen(e->action, e->monitor),
		.oversize = esmtp_message_oversize(e->cond.match, e->cond.negate),
	};
}

/**
 * event_number() - number of the message
 * @e: the event
 *
 * Return: ASA's number, or one of ours.
 */
unsigned int event_number(const struct event *e)
{
	const struct esmtp_subject s = subject(e);

	return esmtp_message_number(&s);
}

/**
 * event_severity() - severity of the message
 * @e: the event
 *
 * Return: 0 (worst) to 7.
 */
unsigned int event_severity(const struct event *e)
{
	const struct esmtp_subject s = subject(e);

	return esmtp_message_severity(&s);
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
	return esmtp_message_escape(buf, e->text, (uint32_t)e->text_len);
}

/**
 * event_sender() - the envelope sender, fit for a terminal and a log
 * @e: the event
 * @buf: where to
 *
 * Return: @buf.
 */
char *event_sender(const struct event *e, char buf[EVENT_ESCAPED_MAX])
{
	return esmtp_message_escape(buf, e->sender, (uint32_t)e->sender_len);
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

/**
 * event_line() - the event as one line
 * @e: the event
 * @buf: where to
 *
 * Return: @buf, without a line end.
 */
char *event_line(const struct event *e, char buf[EVENT_LINE_MAX])
{
	char client[ENDPOINT_MAX], server[ENDPOINT_MAX], hosts[2][ENDPOINT_MAX];
	char match[COND_TEXT_MAX], text[EVENT_ESCAPED_MAX], sender[EVENT_ESCAPED_MAX];
	const struct esmtp_message m = {
		.type = e->type,
		.action = e->action,
		.from_server = e->from_server,
		.monitor = e->monitor,
		.has_sender = e->has_sender,
		.sender_cut = e->sender_cut,
		.oversize = subject(e).oversize,
		.rule = e->rule,
		.limit = e->cond.limit,
		.value = e->has_value ? e->value : 0,
		.criterion = cond_format(&e->cond, COND_ASA, match),
		.policy = e->policy,
		.client = endpoint(e, false, true, client),
		.server = endpoint(e, true, true, server),
		.client_host = endpoint(e, false, false, hosts[0]),
		.server_host = endpoint(e, true, false, hosts[1]),
		.text = event_escape(e, text),
		.sender = event_sender(e, sender),
	};

	return esmtp_message_print(buf, &m);
}
