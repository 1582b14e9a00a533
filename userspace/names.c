// SPDX-License-Identifier: GPL-2.0-only
/*
 * The words for the numbers of the netlink language, in one place: the rule
 * language, the listings, JSON and the log take them from here.
 */
#include <stdio.h>
#include <strings.h>

#include "config.h"
#include "names.h"
#include "util.h"

#ifndef ESMTPCTL_VERSION
#define ESMTPCTL_VERSION "0.1.0"
#endif

const char version[] = ESMTPCTL_VERSION;

static const struct {
	const char *name;
	const char *asa;
	const char *key;
} matches[ESMTP_MATCH_MAX + 1] = {
	[ESMTP_MATCH_CMD_LINE_LENGTH] = {
		"cmd line length", "cmd line length", "cmd-line-length" },
	[ESMTP_MATCH_CMD_RCPT_COUNT] = {
		"cmd rcpt count", "cmd RCPT count", "cmd-rcpt-count" },
	[ESMTP_MATCH_BODY_LINE_LENGTH] = {
		"body line length", "body line length", "body-line-length" },
	[ESMTP_MATCH_HEADER_LINE_LENGTH] = {
		"header line length", "header line length", "header-line-length" },
	[ESMTP_MATCH_SENDER_LENGTH] = {
		"sender-address length", "sender-address length", "sender-address-length" },
	[ESMTP_MATCH_MIME_FILENAME_LENGTH] = {
		"mime filename length", "MIME filename length", "mime-filename-length" },
	[ESMTP_MATCH_EHLO_KEYWORD] = {
		"ehlo-reply-parameter", "ehlo-reply-parameter", "ehlo-reply-parameter" },
	[ESMTP_MATCH_CMD_VERB] = { "cmd verb", "cmd verb", "cmd-verb" },
	[ESMTP_MATCH_BODY_LENGTH] = { "body length", "body length", "body-length" },
	[ESMTP_MATCH_HEADER_LENGTH] = { "header length", "header length", "header-length" },
	[ESMTP_MATCH_HEADER_TO_COUNT] = {
		"header to-fields count", "header to-fields count", "header-to-fields-count" },
	[ESMTP_MATCH_HEADER_COUNT] = { "header count", "header count", "header-count" },
	[ESMTP_MATCH_MESSAGE_SIZE] = { "message size", "message size", "message-size" },
	[ESMTP_MATCH_DECLARED_SIZE] = {
		"message size > declared", "message size gt declared", "message-size-declared" },
	[ESMTP_MATCH_MIME_ENCODING] = { "mime encoding", "mime encoding", "mime-encoding" },
	[ESMTP_MATCH_REPLY_LINE_LENGTH] = {
		"reply line length", "reply line length", "reply-line-length" },
	[ESMTP_MATCH_INVALID_RCPT_COUNT] = {
		"invalid-recipients count", "invalid-recipients count", "invalid-recipients-count" },
	[ESMTP_MATCH_ANOMALY] = { "anomaly", "anomaly", "anomaly" },
	[ESMTP_MATCH_SENDER_TEXT] = { "sender-address", "sender-address", "sender-address" },
	[ESMTP_MATCH_RECIPIENT_TEXT] = {
		"recipient-address", "recipient-address", "recipient-address" },
	[ESMTP_MATCH_MAIL_RELAY] = { "mail-relay", "mail-relay", "mail-relay" },
	[ESMTP_MATCH_MIME_TYPE_TEXT] = { "mime filetype", "MIME filetype", "mime-filetype" },
	[ESMTP_MATCH_MIME_FILENAME_TEXT] = { "mime filename", "MIME filename", "mime-filename" },
	[ESMTP_MATCH_HEADER_TEXT] = { "header", "header", "header" },
	[ESMTP_MATCH_SPECIAL_CHARACTER] = {
		"special-character", "special-character", "special-character" },
};

static const struct {
	const char *name;
	const char *asa;
	const char *key;
} actions[ESMTP_ACTION_MAX + 1] = {
	[ESMTP_ACTION_COUNT] = { "continue", "", "continue" },
	[ESMTP_ACTION_MASK] = { "mask", "mask", "mask" },
	[ESMTP_ACTION_DROP] = { "drop", "drop-connection", "drop" },
	[ESMTP_ACTION_RESET] = { "reset", "reset", "reset" },
	[ESMTP_ACTION_REPLY] = { "reply", "reply", "reply" },
	[ESMTP_ACTION_RATE_LIMIT] = { "rate-limit", "rate-limit", "rate-limit" },
};

static const char *const keywords[__ESMTP_KW_MAX] = {
	[ESMTP_KW_OTHERS] = "others",
	[ESMTP_KW_8BITMIME] = "8bitmime",
	[ESMTP_KW_AUTH] = "auth",
	[ESMTP_KW_BINARYMIME] = "binarymime",
	[ESMTP_KW_CHECKPOINT] = "checkpoint",
	[ESMTP_KW_DSN] = "dsn",
	[ESMTP_KW_ENHANCEDSTATUSCODES] = "enhancedstatuscodes",
	[ESMTP_KW_ETRN] = "etrn",
	[ESMTP_KW_PIPELINING] = "pipelining",
	[ESMTP_KW_SIZE] = "size",
	[ESMTP_KW_VRFY] = "vrfy",
};

static const char *const verbs[__ESMTP_VERB_MAX] = {
	[ESMTP_VERB_OTHER] = "other",
	[ESMTP_VERB_AUTH] = "auth",
	[ESMTP_VERB_DATA] = "data",
	[ESMTP_VERB_EHLO] = "ehlo",
	[ESMTP_VERB_ETRN] = "etrn",
	[ESMTP_VERB_HELO] = "helo",
	[ESMTP_VERB_HELP] = "help",
	[ESMTP_VERB_MAIL] = "mail",
	[ESMTP_VERB_NOOP] = "noop",
	[ESMTP_VERB_QUIT] = "quit",
	[ESMTP_VERB_RCPT] = "rcpt",
	[ESMTP_VERB_RSET] = "rset",
	[ESMTP_VERB_SAML] = "saml",
	[ESMTP_VERB_SEND] = "send",
	[ESMTP_VERB_SOML] = "soml",
	[ESMTP_VERB_VRFY] = "vrfy",
	[ESMTP_VERB_STARTTLS] = "starttls",
	[ESMTP_VERB_BDAT] = "bdat",
};

static const char *const encodings[__ESMTP_ENC_MAX] = {
	[ESMTP_ENC_OTHERS] = "others",
	[ESMTP_ENC_7BIT] = "7bit",
	[ESMTP_ENC_8BIT] = "8bit",
	[ESMTP_ENC_BASE64] = "base64",
	[ESMTP_ENC_BINARY] = "binary",
	[ESMTP_ENC_QUOTED_PRINTABLE] = "quoted-printable",
};

static const char *const anomalies[__ESMTP_ANOMALY_MAX] = {
	[ESMTP_ANOMALY_TRUNCATED] = "truncated",
	[ESMTP_ANOMALY_VERB_LENGTH] = "verb-length",
	[ESMTP_ANOMALY_BARE_LF] = "bare-lf",
	[ESMTP_ANOMALY_BARE_CR] = "bare-cr",
	[ESMTP_ANOMALY_NUL] = "nul",
	[ESMTP_ANOMALY_EIGHT_BIT] = "eight-bit",
	[ESMTP_ANOMALY_EARLY_TALKER] = "early-talker",
	[ESMTP_ANOMALY_EARLY_CONTENT] = "early-content",
	[ESMTP_ANOMALY_UNEXPECTED_REPLY] = "unexpected-reply",
	[ESMTP_ANOMALY_REPLY_SYNTAX] = "reply-syntax",
	[ESMTP_ANOMALY_PIPELINING] = "pipelining",
};

static const char *const log_levels[ESMTP_LOG_NONE + 1] = {
	"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
	[ESMTP_LOG_NONE] = "none",
};

static const char *const phases[ESMTP_PHASE_MAX + 1] = {
	[ESMTP_PHASE_GREETING] = "greeting",
	[ESMTP_PHASE_COMMAND] = "command",
	[ESMTP_PHASE_ANSWER] = "answer",
	[ESMTP_PHASE_AUTH] = "auth",
	[ESMTP_PHASE_CONTENT] = "content",
	[ESMTP_PHASE_LATCHED] = "latched",
	[ESMTP_PHASE_TLS] = "tls",
	[ESMTP_PHASE_UNREAD] = "unread",
	[ESMTP_PHASE_CLOSED] = "closed",
};

static const struct counter_name policy_counters[ESMTP_PC_MAX + 1] = {
	[ESMTP_PC_PACKETS] = { "packets", "packet" },
	[ESMTP_PC_BYTES] = { "bytes", "bytes inspected" },
	[ESMTP_PC_CONNECTIONS] = { "connections", "connections inspected" },
	[ESMTP_PC_CLOSED] = { "closed", "connections closed" },
	[ESMTP_PC_DROP] = { "drop", "drop" },
	[ESMTP_PC_RESET_DROP] = { "reset-drop", "reset-drop" },
};

static const struct counter_name ns_counters[ESMTP_NC_MAX + 1] = {
	[ESMTP_NC_NO_POLICY] = { "no-policy", "dropped, slot without a policy" },
	[ESMTP_NC_NO_STATE] = { "no-state", "dropped, start of the connection not seen" },
	[ESMTP_NC_NO_HELPER] = { "no-helper", "dropped, chosen for inspection but without helper" },
	[ESMTP_NC_NO_MEMORY] = { "no-memory", "dropped or cut, no memory" },
	[ESMTP_NC_EARLY] = { "early", "dropped, segment ahead of the stream" },
	[ESMTP_NC_STALE] = { "stale", "dropped, outside of what the peer accepts" },
	[ESMTP_NC_REPEAT] = { "repeat", "repeated segments" },
	[ESMTP_NC_REWRITTEN] = { "rewritten", "repeats made equal to what was passed" },
	[ESMTP_NC_HELD] = { "held", "packets cut to wait for an answer" },
	[ESMTP_NC_SYN_DATA] = { "syn-data", "data on a SYN cut off" },
	[ESMTP_NC_TOMBSTONE] = { "tombstone", "dropped, connection was closed before" },
	[ESMTP_NC_RST_SENT] = { "rst-sent", "resets sent" },
	[ESMTP_NC_RST_FAILED] = { "rst-failed", "resets that could not be sent" },
	[ESMTP_NC_CONFLICT] = { "conflict", "closed, content repeated with other bytes" },
	[ESMTP_NC_URGENT] = { "urgent", "urgent pointers cleared" },
	[ESMTP_NC_EVENTS_LOST] = { "events-lost", "events lost" },
	[ESMTP_NC_EARLY_PASSED] = { "early-passed", "content passed ahead of the stream" },
	[ESMTP_NC_EARLY_CLOSED] = {
		"early-closed", "closed, content that had passed early was to be altered" },
	[ESMTP_NC_HOLE] = { "hole", "closed, gap not filled for a minute" },
	[ESMTP_NC_OUTSIDE] = { "outside-window", "dropped or cut, beyond the receiver's window" },
	[ESMTP_NC_BEHIND_FIN] = { "behind-fin", "dropped, behind the end of the stream" },
	[ESMTP_NC_WINDOW] = { "window-lowered", "windows lowered to what may be retained" },
	[ESMTP_NC_MPTCP] = { "mptcp", "MPTCP options and subflows removed" },
	[ESMTP_NC_BRIDGED] = { "bridged", "dropped, bridged and not routed" },
	[ESMTP_NC_RETAIN_FULL] = { "retain-full", "dropped or cut, retain_max reached" },
	[ESMTP_NC_POOL_FULL] = { "pool-full", "dropped or cut, pool_max reached" },
	[ESMTP_NC_TOTAL_FULL] = { "total-full", "dropped or cut, total_max reached" },
	[ESMTP_NC_SESSIONS_FULL] = { "sessions-full", "dropped, sessions_max reached" },
	[ESMTP_NC_SESSIONS_TOTAL_FULL] = {
		"sessions-total-full", "dropped, sessions_total reached" },
	[ESMTP_NC_REPLY_SENT] = { "reply-sent", "replies sent in the server's stead" },
	[ESMTP_NC_REPLY_ACKED] = { "reply-acked", "of these acknowledged by the client" },
	[ESMTP_NC_EMBRYONIC] = { "embryonic", "dropped, server has as many half-open connections as it may" },
	[ESMTP_NC_REPLY_FAILED] = { "reply-failed", "replies that did not reach the client" },
};

/* What the messages say is in kmod/message.c. */
static const struct event_name events[ESMTP_EVENT_MAX + 1] = {
	[ESMTP_EVENT_RULE] = { "rule", "rules fired" },
	[ESMTP_EVENT_BANNER_MASKED] = { "banner-masked", "greetings masked" },
	[ESMTP_EVENT_CMD_MASKED] = { "command-masked", "commands masked" },
	[ESMTP_EVENT_PIPE] = { "pipe", "connections closed for | in an address" },
	[ESMTP_EVENT_BRACKET_BLANKED] = { "bracket-blanked", "stray brackets blanked" },
	[ESMTP_EVENT_TLS_STARTED] = { "tls-started", "TLS sessions started" },
	[ESMTP_EVENT_BYPASS] = { "bypass", "replies that would end inspection" },
	[ESMTP_EVENT_VERB_LENGTH] = { "verb-length", "verbs that have not four letters" },
	[ESMTP_EVENT_BARE_LF] = { "bare-lf", "lines ended by LF alone" },
	[ESMTP_EVENT_BARE_CR] = { "bare-cr", "CR without LF in commands" },
	[ESMTP_EVENT_EARLY_TALK] = { "early-talk", "clients that spoke before the greeting" },
	[ESMTP_EVENT_UNEXPECTED_REPLY] = { "unexpected-reply", "replies that no command is owed" },
	[ESMTP_EVENT_REPLY_SYNTAX] = { "reply-syntax", "replies that are not SMTP" },
	[ESMTP_EVENT_EARLY_CONTENT] = {
		"early-content", "content sent before the answer to DATA" },
	[ESMTP_EVENT_KEYWORD_MASKED] = {
		"keyword-masked", "EHLO keywords masked whose verb does not pass" },
	[ESMTP_EVENT_CONFLICT] = {
		"conflict", "connections closed for content repeated with other bytes" },
	[ESMTP_EVENT_EARLY_ALTERED] = {
		"early-altered", "connections closed for content that had passed early" },
	[ESMTP_EVENT_HOLE] = { "hole", "connections closed for a gap in content" },
	[ESMTP_EVENT_TERMINATED] = { "terminated", "connections terminated" },
	[ESMTP_EVENT_NUL] = { "nul", "NULs in commands" },
	[ESMTP_EVENT_EIGHT_BIT] = { "eight-bit", "bytes above 127 in commands" },
	[ESMTP_EVENT_PIPELINING] = { "pipelining", "clients that did not wait for answers" },
};

/**
 * helper_name() - the conntrack helper of a slot
 * @slot: the slot
 * @buf: where to
 *
 * Return: @buf.
 */
char *helper_name(unsigned int slot, char buf[HELPER_NAME_MAX])
{
	if (slot)
		snprintf(buf, HELPER_NAME_MAX, ESMTP_HELPER_NAME "-%u", slot);
	else
		snprintf(buf, HELPER_NAME_MAX, ESMTP_HELPER_NAME);
	return buf;
}

/**
 * match_name() - a match in the rule language
 * @match: enum esmtp_match
 *
 * Return: its words.
 */
const char *match_name(uint8_t match)
{
	return match <= ESMTP_MATCH_MAX && matches[match].name ? matches[match].name : "unknown";
}

/**
 * match_asa_name() - a match as ASA writes it
 * @match: enum esmtp_match
 *
 * Return: its words.
 */
const char *match_asa_name(uint8_t match)
{
	return match <= ESMTP_MATCH_MAX && matches[match].asa ? matches[match].asa : "unknown";
}

/**
 * match_key() - a match in JSON
 * @match: enum esmtp_match
 *
 * Return: its name.
 */
const char *match_key(uint8_t match)
{
	return match <= ESMTP_MATCH_MAX && matches[match].key ? matches[match].key : "unknown";
}

/**
 * action_name() - an action in the rule language
 * @action: enum esmtp_action
 *
 * Return: its word.
 */
const char *action_name(uint8_t action)
{
	return action <= ESMTP_ACTION_MAX ? actions[action].name : "unknown";
}

/**
 * action_asa_name() - an action as ASA writes it
 * @action: enum esmtp_action
 *
 * Return: its word, empty where only a log may follow.
 */
const char *action_asa_name(uint8_t action)
{
	return action <= ESMTP_ACTION_MAX ? actions[action].asa : "unknown";
}

/**
 * action_key() - an action in JSON
 * @action: enum esmtp_action
 *
 * Return: its name.
 */
const char *action_key(uint8_t action)
{
	return action <= ESMTP_ACTION_MAX ? actions[action].key : "unknown";
}

/**
 * keyword_name() - a keyword of the EHLO reply
 * @keyword: enum esmtp_keyword
 *
 * Return: its word.
 */
const char *keyword_name(unsigned int keyword)
{
	return keyword < __ESMTP_KW_MAX ? keywords[keyword] : "unknown";
}

static int find(const char *const *list, unsigned int n, const char *word)
{
	for (unsigned int i = 0; i < n; i++)
		if (!strcasecmp(list[i], word))
			return (int)i;
	return -1;
}

/**
 * keyword_find() - look a keyword of the EHLO reply up
 * @word: its word, or one that ASA has for it
 *
 * Return: enum esmtp_keyword, or -1.
 */
int keyword_find(const char *word)
{
	if (!strcasecmp(word, "ecode"))
		return ESMTP_KW_ENHANCEDSTATUSCODES;
	if (!strcasecmp(word, "binaryname"))
		return ESMTP_KW_BINARYMIME;
	return find(keywords, ARRAY_SIZE(keywords), word);
}

/**
 * verb_name() - a command verb
 * @verb: enum esmtp_verb
 *
 * Return: its word.
 */
const char *verb_name(unsigned int verb)
{
	return verb < __ESMTP_VERB_MAX ? verbs[verb] : "unknown";
}

/**
 * verb_find() - look a command verb up
 * @word: its word
 *
 * Return: enum esmtp_verb, or -1.
 */
int verb_find(const char *word)
{
	return find(verbs, ARRAY_SIZE(verbs), word);
}

/**
 * policy_counter_name() - names of a policy's counter
 * @counter: enum esmtp_policy_counter
 *
 * Return: the names, or NULL for a counter that this tool does not know.
 */
const struct counter_name *policy_counter_name(unsigned int counter)
{
	return counter <= ESMTP_PC_MAX && policy_counters[counter].key ? &policy_counters[counter]
									: NULL;
}

/**
 * ns_counter_name() - names of a namespace's counter
 * @counter: enum esmtp_ns_counter
 *
 * Return: the names, or NULL for a counter that this tool does not know.
 */
const struct counter_name *ns_counter_name(unsigned int counter)
{
	return counter <= ESMTP_NC_MAX && ns_counters[counter].key ? &ns_counters[counter] : NULL;
}

/**
 * log_level_name() - a level of the kernel's log
 * @level: 0 to 7, or ESMTP_LOG_NONE
 *
 * Return: its word.
 */
const char *log_level_name(uint8_t level)
{
	return level <= ESMTP_LOG_NONE ? log_levels[level] : "unknown";
}

/**
 * log_level_find() - look a level up
 * @word: its word, or one that nft or syslog has for it
 *
 * Return: the level, or -1.
 */
int log_level_find(const char *word)
{
	if (!strcasecmp(word, "warn"))
		return log_level_find("warning");
	if (!strcasecmp(word, "error"))
		return log_level_find("err");
	return find(log_levels, ARRAY_SIZE(log_levels), word);
}

/**
 * phase_name() - where a connection stands
 * @phase: enum esmtp_session_phase
 *
 * Return: its word.
 */
const char *phase_name(uint8_t phase)
{
	return phase <= ESMTP_PHASE_MAX && phases[phase] ? phases[phase] : "unknown";
}

/**
 * event_name() - names of a type of event
 * @type: enum esmtp_event_type
 *
 * Return: the names, or NULL for a type that this tool does not know.
 */
const struct event_name *event_name(unsigned int type)
{
	return type <= ESMTP_EVENT_MAX && events[type].key ? &events[type] : NULL;
}

/**
 * encoding_name() - a Content-Transfer-Encoding
 * @encoding: enum esmtp_encoding
 *
 * Return: its word.
 */
const char *encoding_name(unsigned int encoding)
{
	return encoding < __ESMTP_ENC_MAX ? encodings[encoding] : "unknown";
}

/**
 * encoding_find() - a Content-Transfer-Encoding by its word
 * @word: in any case
 *
 * Return: enum esmtp_encoding, or -1.
 */
int encoding_find(const char *word)
{
	return find(encodings, ARRAY_SIZE(encodings), word);
}

/**
 * anomaly_name() - what is odd
 * @anomaly: enum esmtp_anomaly
 *
 * Return: its word.
 */
const char *anomaly_name(unsigned int anomaly)
{
	return anomaly < __ESMTP_ANOMALY_MAX ? anomalies[anomaly] : "unknown";
}

/**
 * anomaly_find() - what is odd, by its word
 * @word: in any case
 *
 * Return: enum esmtp_anomaly, or -1.
 */
int anomaly_find(const char *word)
{
	return find(anomalies, ARRAY_SIZE(anomalies), word);
}
