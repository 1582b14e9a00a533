/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An event as a line of a log, the same in the kernel's log and in what esmtpctl prints: with
 * the number and the words of Cisco ASA where it has a message for it, and what we know beyond
 * them in brackets behind.
 */
#ifndef _ESMTP_MESSAGE_H
#define _ESMTP_MESSAGE_H

#include "types.h"
#include "../uapi/linux/netfilter/nf_conntrack_esmtp.h"

/* Room for @n bytes that a peer sent, made printable: each may become \xNN. */
#define ESMTP_ESCAPED(n)	(4 * (n) + 1)

/* Room for every line. */
#define ESMTP_LINE_MAX		1024

/**
 * struct esmtp_subject - what of an event decides about the number of its message
 * @type: enum esmtp_event_type
 * @only_seen: nothing was done but to log, see esmtp_message_only_seen()
 * @oversize: a rule has found more bytes than MAIL had declared
 */
struct esmtp_subject {
	u16 type;
	bool only_seen;
	bool oversize;
};

/**
 * struct esmtp_message - what is said of an event
 * @type: enum esmtp_event_type
 * @action: enum esmtp_action
 * @from_server: seen in a response
 * @monitor: the policy only looks, so nothing was done
 * @rule: position in the policy from 1, 0 = no rule
 * @oversize: see struct esmtp_subject
 * @value: seen, 0 = nothing that could be said
 * @limit: allowed; used if @oversize
 * @criterion: of the rule, in ASA's words
 * @policy: name
 * @client: "address/port"
 * @server: the same
 * @client_host: "address"
 * @server_host: the same
 * @text: offending bytes, made printable; may be empty
 * @sender: envelope sender, made printable
 * @has_sender: it is known: <> is one
 * @sender_cut: there was more of it
 */
struct esmtp_message {
	u16 type;
	u8 action;
	bool from_server;
	bool monitor;
	bool has_sender;
	bool sender_cut;
	bool oversize;
	u32 rule;
	u32 value;
	u32 limit;
	const char *criterion;
	const char *policy;
	const char *client;
	const char *server;
	const char *client_host;
	const char *server_host;
	const char *text;
	const char *sender;
};

/**
 * esmtp_message_number() - number of a message
 * @s: what it is about
 *
 * Return: ASA's number, or one of ours behind 108100.
 */
unsigned int esmtp_message_number(const struct esmtp_subject *s);

/** esmtp_message_severity() - how bad: 0 (worst) to 7; see esmtp_message_number() */
unsigned int esmtp_message_severity(const struct esmtp_subject *s);

/** esmtp_message_oversize() - whether a condition that was met says so; see struct esmtp_subject */
static inline bool esmtp_message_oversize(u8 match, bool negate)
{
	return match == ESMTP_MATCH_DECLARED_SIZE && !negate;
}

/** esmtp_message_origin() - "ASA" or "ESMTP": whose number it is */
const char *esmtp_message_origin(unsigned int number);

/** esmtp_message_only_seen() - whether an event's action left everything as it was */
static inline bool esmtp_message_only_seen(u8 action, bool monitor)
{
	return monitor || action == ESMTP_ACTION_COUNT;
}

/**
 * esmtp_message_escape() - make bytes of a peer fit for a terminal and a log
 * @buf: ESMTP_ESCAPED(@len) bytes
 * @bytes: they
 * @len: how many
 *
 * Return: @buf.
 */
char *esmtp_message_escape(char *buf, const u8 *bytes, u32 len);

/**
 * esmtp_message_print() - the line, without a line end
 * @buf: ESMTP_LINE_MAX bytes
 * @m: message
 *
 * Return: @buf.
 */
char *esmtp_message_print(char *buf, const struct esmtp_message *m);

#endif /* _ESMTP_MESSAGE_H */
