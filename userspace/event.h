/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_EVENT_H
#define ESMTPCTL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cond.h"
#include "../include/esmtp/message.h"

#define EVENT_POLICY_MAX (ESMTP_POLICY_NAME_MAX + 1)
#define EVENT_LINE_MAX ESMTP_LINE_MAX
#define EVENT_TIME_MAX 40
#define EVENT_ESCAPED_MAX ESMTP_ESCAPED(ESMTP_EVENT_TEXT_MAX)

/**
 * struct event - one event, decoded
 * @type: enum esmtp_event_type
 * @action: enum esmtp_action
 * @from_server: seen in a response
 * @family: AF_INET, AF_INET6
 * @client: address
 * @server: address
 * @client_port: in host order
 * @server_port: in host order
 * @policy: name
 * @rule: position from 1; 0 = none
 * @cond: of the rule: the one that was met last
 * @table: name of its table, or empty
 * @monitor: the policy only looks, so nothing was done
 * @has_value: @value is known
 * @value: seen
 * @text: offending bytes
 * @text_len: how many
 * @time: nanoseconds since 1970; 0 = not known
 * @lost: events lost so far
 * @generation: of the configuration that the policy came with
 * @has_sender: @sender is known
 * @sender_cut: it is only the beginning
 * @sender: envelope sender
 * @sender_len: how many bytes
 */
struct event {
	uint16_t type;
	uint8_t action;
	bool from_server;
	uint8_t family;
	uint8_t client[16];
	uint8_t server[16];
	uint16_t client_port;
	uint16_t server_port;
	char policy[EVENT_POLICY_MAX];
	uint32_t rule;
	struct cond cond;
	char table[EVENT_POLICY_MAX];
	bool monitor;
	bool has_value;
	uint32_t value;
	uint8_t text[ESMTP_EVENT_TEXT_MAX];
	size_t text_len;
	uint64_t time;
	uint64_t lost;
	uint64_t generation;
	bool has_sender;
	bool sender_cut;
	uint8_t sender[ESMTP_EVENT_TEXT_MAX];
	size_t sender_len;
};

unsigned int event_number(const struct event *e);
unsigned int event_severity(const struct event *e);
char *event_escape(const struct event *e, char buf[EVENT_ESCAPED_MAX]);
char *event_sender(const struct event *e, char buf[EVENT_ESCAPED_MAX]);
char *event_time(const struct event *e, char buf[EVENT_TIME_MAX]);
char *event_line(const struct event *e, char buf[EVENT_LINE_MAX]);

#endif
