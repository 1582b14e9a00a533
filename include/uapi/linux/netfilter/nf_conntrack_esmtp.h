/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * The netlink language of nf_conntrack_esmtp. This header is its manual.
 *
 * Family "esmtp", version 1. Everything is per network namespace: the one the
 * socket was opened in. Changes need CAP_NET_ADMIN in the user namespace that
 * owns it; reading needs nothing; the "events" group needs CAP_NET_ADMIN.
 * Unknown attributes are refused. Every refusal, but for want of permission or
 * memory, carries an extended ACK whose sentence says why and, where it is due to
 * an attribute, whose offset names it (where one is missing: the nest).
 *
 * ESMTP_CMD_STATUS_GET
 *	do: ESMTP_A_ABSOLUTE or nothing. Answer: ESMTP_A_VERSION,
 *	ESMTP_A_GENERATION, ESMTP_A_SESSIONS, ESMTP_A_COUNTERS (the namespace's
 *	own counters, each a u64 attribute whose type is an enum
 *	esmtp_ns_counter).
 *
 * ESMTP_CMD_STAGE_BEGIN
 *	Opens a stage: a configuration under preparation that belongs to this
 *	socket and is thrown away when the socket closes. One stage a
 *	namespace: -EBUSY while another socket has one. A second BEGIN on the
 *	same socket empties the stage.
 *
 * ESMTP_CMD_STAGE_POLICY
 *	One ESMTP_A_POLICY is checked, allocated and added to the stage. It
 *	needs ESMTP_A_POLICY_NAME and ESMTP_A_POLICY_VERBS; no flag is set and
 *	no rule there but what is sent. A policy may be sent in parts: messages
 *	with a name that is staged already append their rules to it and carry
 *	nothing else. Answer: ESMTP_A_POLICY with ESMTP_A_POLICY_NAME and
 *	ESMTP_A_POLICY_SLOT, the slot that it will have: the one asked for, else
 *	the one that the running policy of this name has, else the lowest free
 *	one; one that a running policy has counts as free only if there is no
 *	other. So send policies that ask for a slot first. A refused message
 *	leaves the stage as it was. -EBUSY while open connections use policies
 *	of ESMTP_GENERATIONS_MAX configurations before the running one.
 *
 * ESMTP_CMD_STAGE_TABLE
 *	A piece of one ESMTP_A_TABLE, which recognises texts for rules to match, is
 *	added to the stage. The first piece has all attributes; those that follow have
 *	ESMTP_A_TABLE_ID, ESMTP_A_TABLE_OFFSET and ESMTP_A_TABLE_DATA. The data of
 *	all pieces, in order and without gaps, is the table, whose format is
 *	described in include/esmtp/table.h, and behind it the source that it was
 *	made from, which is kept for ESMTP_CMD_TABLE_GET and never looked at. With its
 *	last piece the table is verified; if it is bad it is refused and gone from the
 *	stage. Any other refused message leaves the stage as it was. Policies that
 *	use a table come behind it.
 *
 * ESMTP_CMD_STAGE_COMMIT
 *	The staged policies and tables replace all running ones; ESMTP_A_GENERATION
 *	becomes the namespace's generation, 0 only if nothing is staged, which
 *	is the empty configuration. Nothing can fail once the message has been
 *	accepted. Connections keep the policy that they began with. A policy of
 *	a name that was running goes on with its counters and events, a rule
 *	that says the same as one of that policy (several: in their order) with
 *	its count, and what the older connections do counts there too; all
 *	else begins at zero. With the flag ESMTP_A_CHECK_ONLY, which needs no
 *	generation, nothing changes and the stage is gone.
 *
 * ESMTP_CMD_STAGE_ABORT
 *	Throws the stage away.
 *
 * ESMTP_CMD_POLICY_GET
 *	dump: one ESMTP_A_POLICY a message, in order of slots, with counters.
 *	A policy with many rules comes in parts as it may be staged: messages
 *	with a name seen before hold ESMTP_A_POLICY_SLOT and further rules.
 *	Every message carries ESMTP_A_GENERATION; NLM_F_DUMP_INTR says that a
 *	commit fell into the dump. With ESMTP_A_ABSOLUTE in the request no reset
 *	is seen.
 *
 * ESMTP_CMD_TABLE_GET
 *	dump: the sources of the tables, in the order in which they were staged, in
 *	messages with ESMTP_A_GENERATION and ESMTP_A_TABLE: all attributes, of which
 *	ESMTP_A_TABLE_DATA is a piece of the source and ESMTP_A_TABLE_OFFSET its place
 *	there. NLM_F_DUMP_INTR as above.
 *
 * ESMTP_CMD_COUNTERS_RESET
 *	do: from now on the counters of the namespace and its policies, or with
 *	ESMTP_A_POLICY { ESMTP_A_POLICY_NAME } those of one policy, are told as
 *	if they began at zero now; not to those who ask with ESMTP_A_ABSOLUTE.
 *	For them they never go back while the policy or rule is there.
 *
 * ESMTP_CMD_EVENT
 *	Sent to the group "events" for each event that is to be logged:
 *	the ESMTP_A_EVENT_* attributes inside ESMTP_A_EVENT. What they say of the
 *	policy is that of the connection's, which may not be running any more.
 *
 * ESMTP_CMD_SESSION_GET
 *	dump, needs CAP_NET_ADMIN: one ESMTP_A_SESSION a message for each
 *	inspected connection of the namespace, closed ones included as long as
 *	connection tracking knows them, in no particular order. Each is read as
 *	it is at one moment, but not all at the same: a connection that is there
 *	from the start of the dump to its end comes exactly once, one that comes
 *	or goes meanwhile at most once.
 */
#ifndef _UAPI_NF_CONNTRACK_ESMTP_H
#define _UAPI_NF_CONNTRACK_ESMTP_H

#define ESMTP_GENL_NAME		"esmtp"
#define ESMTP_GENL_VERSION	1
#define ESMTP_GENL_MCGRP	"events"

#define ESMTP_SLOTS		8	/* helpers esmtp, esmtp-1 … esmtp-7 */
#define ESMTP_HELPER_NAME	"esmtp"
#define ESMTP_CT_LABEL_BIT	127	/* connlabel of inspected connections */
/*
 * 24 bits of the connlabel, lowest first: how many half-open connections a server may have (16, 0 =
 * any number), and a number of what says so (8), whose connections are counted together.
 */
#define ESMTP_CT_LABEL_EMBRYONIC 96
/* Further ones are to be proved by a cookie; nft says so, and the module that this one is further. */
#define ESMTP_CT_LABEL_COOKIES	120
#define ESMTP_CT_LABEL_OVER	121
/* Where it says so, in the hooks forward and input: behind the first two labels. */
#define ESMTP_PRI_EMBRYONIC	8
#define ESMTP_POLICY_NAME_MAX	40	/* characters, as in ASA */
#define ESMTP_DESCRIPTION_MAX	200	/* characters, as in ASA */
#define ESMTP_RULES_MAX		1024	/* rules in one policy */
#define ESMTP_FIELD_NAME_MAX	64	/* letters of a header field's name */
#define ESMTP_CONDS_MAX		8	/* conditions in one rule */
#define ESMTP_LOG_NONE		8	/* no line in the kernel's log */
#define ESMTP_GENERATIONS_MAX	16	/* older configurations that connections may still use */
#define ESMTP_EVENT_TEXT_MAX	64	/* bytes of offending text in an event */
#define ESMTP_TABLES_LIVE	8	/* tables that the rules of a policy hold one text against */
#define ESMTP_TABLES_MAX	256	/* tables in one configuration */
#define ESMTP_TABLE_SIZE_MAX	1048576	/* bytes of one table, and of one source */
#define ESMTP_TABLES_SIZE_MAX	4194304	/* bytes of all tables and sources of one configuration */
#define ESMTP_REPLY_TEXT_MAX	200	/* characters behind the code of a reply */
#define ESMTP_RATE_MAX		10000	/* of a rate, and of a burst */
#define ESMTP_REPLY_CODE	554	/* of a reply whose rule names none */

enum esmtp_cmd {
	ESMTP_CMD_UNSPEC,
	ESMTP_CMD_STATUS_GET,
	ESMTP_CMD_STAGE_BEGIN,
	ESMTP_CMD_STAGE_POLICY,
	ESMTP_CMD_STAGE_COMMIT,
	ESMTP_CMD_STAGE_ABORT,
	ESMTP_CMD_POLICY_GET,
	ESMTP_CMD_COUNTERS_RESET,
	ESMTP_CMD_STAGE_TABLE,
	ESMTP_CMD_TABLE_GET,
	ESMTP_CMD_EVENT,
	ESMTP_CMD_SESSION_GET,
	__ESMTP_CMD_MAX,
};
#define ESMTP_CMD_MAX (__ESMTP_CMD_MAX - 1)

/* Top level. */
enum esmtp_attr {
	ESMTP_A_UNSPEC,
	ESMTP_A_PAD,
	ESMTP_A_VERSION,	/* string: version of the module */
	ESMTP_A_GENERATION,	/* u64: of the configuration, 0 = none */
	ESMTP_A_CHECK_ONLY,	/* flag */
	ESMTP_A_POLICY,		/* nest: enum esmtp_policy_attr */
	ESMTP_A_SESSIONS,	/* u32: inspected connections, tombstones included */
	ESMTP_A_COUNTERS,	/* nest: u64 attributes, type = enum esmtp_ns_counter */
	ESMTP_A_EVENT,		/* nest: enum esmtp_event_attr */
	ESMTP_A_TABLE,		/* nest: enum esmtp_table_attr */
	ESMTP_A_SESSION,	/* nest: enum esmtp_session_attr */
	ESMTP_A_ABSOLUTE,	/* flag: counters since they were made, not since the last reset */
	__ESMTP_A_MAX,
};
#define ESMTP_A_MAX (__ESMTP_A_MAX - 1)

enum esmtp_policy_attr {
	ESMTP_A_POLICY_UNSPEC,
	ESMTP_A_POLICY_PAD,
	ESMTP_A_POLICY_NAME,		/* string, 1 … ESMTP_POLICY_NAME_MAX of [A-Za-z0-9_.-] */
	ESMTP_A_POLICY_SLOT,		/* u8, 0 … ESMTP_SLOTS - 1 */
	ESMTP_A_POLICY_DESCRIPTION,	/* string, up to ESMTP_DESCRIPTION_MAX */
	ESMTP_A_POLICY_FLAGS,		/* u32: ESMTP_POLICY_F_* */
	ESMTP_A_POLICY_VERBS,		/* u64: bit = enum esmtp_verb that passes */
	ESMTP_A_POLICY_RULES,		/* nest: ESMTP_A_RULE, repeated, in order */
	ESMTP_A_POLICY_COUNTERS,	/* answers only: u64 attributes, type = enum esmtp_policy_counter */
	ESMTP_A_POLICY_EVENTS,		/* answers only: u64 attributes, type = enum esmtp_event_type */
	ESMTP_A_POLICY_LOG_LEVEL,	/* u8: of its lines in the kernel's log, 0 … 7 as for printk, or ESMTP_LOG_NONE; absent = by event */
	ESMTP_A_POLICY_LOG_GROUP,	/* u16: nfnetlink_log group that gets the packets of its events, too; absent = none */
	__ESMTP_A_POLICY_MAX,
};
#define ESMTP_A_POLICY_MAX (__ESMTP_A_POLICY_MAX - 1)

enum esmtp_rule_list_attr {
	ESMTP_A_RULE_LIST_UNSPEC,
	ESMTP_A_RULE,			/* nest: enum esmtp_rule_attr */
	__ESMTP_A_RULE_LIST_MAX,
};
#define ESMTP_A_RULE_LIST_MAX (__ESMTP_A_RULE_LIST_MAX - 1)

enum esmtp_rule_attr {
	ESMTP_A_RULE_UNSPEC,
	ESMTP_A_RULE_PAD,
	ESMTP_A_RULE_CONDS,		/* nest: ESMTP_A_COND, repeated, 1 … ESMTP_CONDS_MAX; all must hold */
	ESMTP_A_RULE_ACTION,		/* u8: enum esmtp_action */
	ESMTP_A_RULE_LOG,		/* flag: an event is sent too */
	ESMTP_A_RULE_COUNT,		/* answers only, u64: times fired */
	ESMTP_A_RULE_CODE,		/* u16: 400 … 459, 500 … 559; ACTION_REPLY only, absent = ESMTP_REPLY_CODE */
	ESMTP_A_RULE_TEXT,		/* string, 1 … ESMTP_REPLY_TEXT_MAX printable ASCII: what stands behind it; ACTION_REPLY only, absent = what was wrong */
	ESMTP_A_RULE_RATE,		/* u32: 1 … ESMTP_RATE_MAX; ACTION_RATE_LIMIT only, as the next two; all are needed */
	ESMTP_A_RULE_RATE_SECONDS,	/* u32: in this time, 1 or 60 */
	ESMTP_A_RULE_RATE_BURST,	/* u32: and so often at once, 1 … ESMTP_RATE_MAX */
	__ESMTP_A_RULE_MAX,
};
#define ESMTP_A_RULE_MAX (__ESMTP_A_RULE_MAX - 1)

enum esmtp_cond_list_attr {
	ESMTP_A_COND_LIST_UNSPEC,
	ESMTP_A_COND,			/* nest: enum esmtp_cond_attr */
	__ESMTP_A_COND_LIST_MAX,
};
#define ESMTP_A_COND_LIST_MAX (__ESMTP_A_COND_LIST_MAX - 1)

enum esmtp_cond_attr {
	ESMTP_A_COND_UNSPEC,
	ESMTP_A_COND_PAD,
	ESMTP_A_COND_MATCH,		/* u8: enum esmtp_match */
	ESMTP_A_COND_NOT,		/* flag: it holds where it would not */
	ESMTP_A_COND_LIMIT,		/* u32: it holds above; matches of a counter */
	ESMTP_A_COND_SET,		/* u64: bit = member, any of which it wants; matches of a set */
	ESMTP_A_COND_TABLE,		/* u32: number of a complete table of the stage; matches of a text */
	ESMTP_A_COND_FIELD,		/* string, 1 … ESMTP_FIELD_NAME_MAX: name of a field; HEADER_TEXT only */
	__ESMTP_A_COND_MAX,
};
#define ESMTP_A_COND_MAX (__ESMTP_A_COND_MAX - 1)

enum esmtp_table_attr {
	ESMTP_A_TABLE_UNSPEC,
	ESMTP_A_TABLE_ID,		/* u32: the table's, unlike any other's of the stage */
	ESMTP_A_TABLE_NAME,		/* string, as a policy's; unlike any other table's */
	ESMTP_A_TABLE_SIZE,		/* u32: bytes of the table, 1 … ESMTP_TABLE_SIZE_MAX */
	ESMTP_A_TABLE_SOURCE_SIZE,	/* u32: bytes of its source, 0 … ESMTP_TABLE_SIZE_MAX */
	ESMTP_A_TABLE_OFFSET,		/* u32: of ESMTP_A_TABLE_DATA */
	ESMTP_A_TABLE_DATA,		/* binary: a piece */
	__ESMTP_A_TABLE_MAX,
};
#define ESMTP_A_TABLE_MAX (__ESMTP_A_TABLE_MAX - 1)

enum esmtp_event_attr {
	ESMTP_A_EVENT_UNSPEC,
	ESMTP_A_EVENT_PAD,
	ESMTP_A_EVENT_TYPE,		/* u16: enum esmtp_event_type */
	ESMTP_A_EVENT_ACTION,		/* u8: enum esmtp_action */
	ESMTP_A_EVENT_FROM_SERVER,	/* flag: in a response, else in a request */
	ESMTP_A_EVENT_FAMILY,		/* u8: AF_INET, AF_INET6 */
	ESMTP_A_EVENT_SADDR,		/* binary 4 or 16: the client, before NAT */
	ESMTP_A_EVENT_DADDR,		/* binary 4 or 16: the server, before NAT */
	ESMTP_A_EVENT_SPORT,		/* be16 */
	ESMTP_A_EVENT_DPORT,		/* be16 */
	ESMTP_A_EVENT_POLICY,		/* string: name */
	ESMTP_A_EVENT_RULE,		/* u32: position in the policy from 1; absent = no rule */
	ESMTP_A_EVENT_COND,		/* nest: enum esmtp_cond_attr: its condition that was met last */
	ESMTP_A_EVENT_VALUE,		/* u32: seen */
	ESMTP_A_EVENT_LIMIT,		/* u32: allowed */
	ESMTP_A_EVENT_TEXT,		/* binary, up to ESMTP_EVENT_TEXT_MAX: offending bytes, raw */
	ESMTP_A_EVENT_TIME,		/* u64: nanoseconds since 1970 */
	ESMTP_A_EVENT_LOST,		/* u64: events lost so far in this namespace */
	ESMTP_A_EVENT_TABLE,		/* string: name of the table of the condition that was met last */
	ESMTP_A_EVENT_GENERATION,	/* u64: of the configuration that the policy came with */
	ESMTP_A_EVENT_SENDER,		/* binary: start of the last MAIL's address, raw; absent = there was none */
	ESMTP_A_EVENT_SENDER_CUT,	/* flag: there is more of it */
	ESMTP_A_EVENT_MONITOR,		/* flag: the policy only looks, so ESMTP_A_EVENT_ACTION was not done */
	ESMTP_A_EVENT_TABLE_KIND,	/* string: the word for that table in a rule, "regex" or "domains" */
	__ESMTP_A_EVENT_MAX,
};
#define ESMTP_A_EVENT_MAX (__ESMTP_A_EVENT_MAX - 1)

enum esmtp_session_attr {
	ESMTP_A_SESSION_UNSPEC,
	ESMTP_A_SESSION_PAD,
	ESMTP_A_SESSION_FAMILY,		/* u8: AF_INET, AF_INET6 */
	ESMTP_A_SESSION_SADDR,		/* binary 4 or 16: the client, before NAT */
	ESMTP_A_SESSION_DADDR,		/* binary 4 or 16: the server, before NAT */
	ESMTP_A_SESSION_SPORT,		/* be16 */
	ESMTP_A_SESSION_DPORT,		/* be16 */
	ESMTP_A_SESSION_PHASE,		/* u8: enum esmtp_session_phase */
	ESMTP_A_SESSION_POLICY,		/* string: name */
	ESMTP_A_SESSION_GENERATION,	/* u64: of the configuration that this policy came with */
	ESMTP_A_SESSION_RCPTS,		/* u32: recipients accepted in this transaction */
	ESMTP_A_SESSION_MESSAGE,	/* u64: bytes read of the message that is under way, without what makes dots transparent */
	ESMTP_A_SESSION_KEPT_CLIENT,	/* u32: memory for the client's bytes not acknowledged yet */
	ESMTP_A_SESSION_KEPT_SERVER,	/* u32: the same of the server's */
	ESMTP_A_SESSION_AGE,		/* u32: seconds since a first byte was inspected */
	__ESMTP_A_SESSION_MAX,
};
#define ESMTP_A_SESSION_MAX (__ESMTP_A_SESSION_MAX - 1)

/* Where a connection stands; with ESMTP_PHASE_TLS and later ones nothing is known of mail. */
enum esmtp_session_phase {
	ESMTP_PHASE_UNSPEC,
	ESMTP_PHASE_GREETING,	/* before the end of the greeting */
	ESMTP_PHASE_COMMAND,	/* commands and replies */
	ESMTP_PHASE_ANSWER,	/* behind DATA, STARTTLS or AUTH: their answer decides */
	ESMTP_PHASE_AUTH,	/* a line for AUTH */
	ESMTP_PHASE_CONTENT,	/* a message */
	ESMTP_PHASE_LATCHED,	/* a verdict waits until the replies that are owed have passed */
	ESMTP_PHASE_TLS,	/* after 220 to STARTTLS: inspection has ended */
	ESMTP_PHASE_UNREAD,	/* mode monitor could not read on: inspection has ended */
	ESMTP_PHASE_CLOSED,	/* closed by a verdict */
	__ESMTP_PHASE_MAX,
};
#define ESMTP_PHASE_MAX (__ESMTP_PHASE_MAX - 1)

/*
 * What a condition compares: a counter with a limit, a word with a set, a text with a table, or
 * nothing else: it happens or not. Lengths of lines are counted without their line end.
 */
enum esmtp_match {
	ESMTP_MATCH_UNSPEC,
	ESMTP_MATCH_CMD_LINE_LENGTH,
	ESMTP_MATCH_CMD_RCPT_COUNT,
	ESMTP_MATCH_BODY_LINE_LENGTH,
	ESMTP_MATCH_HEADER_LINE_LENGTH,
	ESMTP_MATCH_SENDER_LENGTH,
	ESMTP_MATCH_MIME_FILENAME_LENGTH,
	ESMTP_MATCH_EHLO_KEYWORD,		/* set of enum esmtp_keyword */
	ESMTP_MATCH_CMD_VERB,			/* set of enum esmtp_verb */
	ESMTP_MATCH_BODY_LENGTH,		/* bytes behind the empty line, line ends included */
	ESMTP_MATCH_HEADER_LENGTH,		/* bytes up to it */
	ESMTP_MATCH_HEADER_TO_COUNT,		/* To fields */
	ESMTP_MATCH_HEADER_COUNT,		/* fields */
	ESMTP_MATCH_MESSAGE_SIZE,		/* bytes of the message, without what makes dots transparent */
	ESMTP_MATCH_DECLARED_SIZE,		/* more of them than MAIL said; compares with nothing else */
	ESMTP_MATCH_MIME_ENCODING,		/* set of enum esmtp_encoding */
	ESMTP_MATCH_REPLY_LINE_LENGTH,
	ESMTP_MATCH_INVALID_RCPT_COUNT,		/* recipients that the server does not know, in the connection */
	ESMTP_MATCH_ANOMALY,			/* set of enum esmtp_anomaly */
	ESMTP_MATCH_SENDER_TEXT,		/* table: the address in MAIL, without its brackets */
	ESMTP_MATCH_RECIPIENT_TEXT,		/* table: the address in RCPT, of any of a message's */
	ESMTP_MATCH_MIME_TYPE_TEXT,		/* table: the media type, in lower case */
	ESMTP_MATCH_HEADER_TEXT,		/* table: values of the message's fields of a name, unfolded */
	ESMTP_MATCH_SPECIAL_CHARACTER,		/* | ` or NUL in a line of MAIL or RCPT; compares with nothing else */
	ESMTP_MATCH_MAIL_RELAY,			/* table: domains; the way of an address in RCPT leads elsewhere */
	ESMTP_MATCH_MIME_FILENAME_TEXT,		/* table: the name of an attachment, decoded */
	__ESMTP_MATCH_MAX,
};
#define ESMTP_MATCH_MAX (__ESMTP_MATCH_MAX - 1)

enum esmtp_action {
	ESMTP_ACTION_COUNT,	/* only counts (and logs) */
	ESMTP_ACTION_MASK,	/* X; a rule whose only condition is EHLO_KEYWORD or CMD_VERB */
	ESMTP_ACTION_DROP,	/* close: silence to the client, RST to the server */
	ESMTP_ACTION_RESET,	/* close: RST to both */
	ESMTP_ACTION_REPLY,	/* close: one reply and FIN to the client, RST to the server; CMD_* and SENDER_* only */
	ESMTP_ACTION_RATE_LIMIT, /* over the rate: REPLY with 421; within it the rule does not fire */
	__ESMTP_ACTION_MAX,
};
#define ESMTP_ACTION_MAX (__ESMTP_ACTION_MAX - 1)

/* Parameters of a policy that are on or off. */
#define ESMTP_POLICY_F_MASK_BANNER	(1u << 0)	/* banner mask */
#define ESMTP_POLICY_F_TLS_ALLOW	(1u << 1)	/* tls allow: STARTTLS passes, inspection ends with its 220 */
#define ESMTP_POLICY_F_MONITOR		(1u << 2)	/* mode monitor: counts and logs, alters and holds nothing */
#define ESMTP_POLICY_F_BLANK_BRACKETS	(1u << 3)	/* stray-brackets blank: < > out of place in a path become a blank */
#define ESMTP_POLICY_F_NO_PIPELINING	(1u << 4)	/* pipelining deny: the keyword is masked */
#define ESMTP_POLICY_F_TLS_LOG		(1u << 5)	/* tls allow log: an event says that TLS has begun */
#define ESMTP_POLICY_F_ALL		(0x3fu)

/* Keywords of the EHLO reply. OTHERS is whatever is not listed. */
enum esmtp_keyword {
	ESMTP_KW_OTHERS,
	ESMTP_KW_8BITMIME,
	ESMTP_KW_AUTH,		/* AUTH and AUTH= */
	ESMTP_KW_BINARYMIME,
	ESMTP_KW_CHECKPOINT,
	ESMTP_KW_DSN,
	ESMTP_KW_ENHANCEDSTATUSCODES,
	ESMTP_KW_ETRN,
	ESMTP_KW_PIPELINING,
	ESMTP_KW_SIZE,
	ESMTP_KW_VRFY,
	__ESMTP_KW_MAX,
};
#define ESMTP_KW_ALL ((1ull << __ESMTP_KW_MAX) - 1)

/* Command verbs. OTHER is whatever is not listed. */
enum esmtp_verb {
	ESMTP_VERB_OTHER,
	ESMTP_VERB_AUTH,
	ESMTP_VERB_DATA,
	ESMTP_VERB_EHLO,
	ESMTP_VERB_ETRN,
	ESMTP_VERB_HELO,
	ESMTP_VERB_HELP,
	ESMTP_VERB_MAIL,
	ESMTP_VERB_NOOP,
	ESMTP_VERB_QUIT,
	ESMTP_VERB_RCPT,
	ESMTP_VERB_RSET,
	ESMTP_VERB_SAML,
	ESMTP_VERB_SEND,
	ESMTP_VERB_SOML,
	ESMTP_VERB_VRFY,
	ESMTP_VERB_STARTTLS,
	ESMTP_VERB_BDAT,
	__ESMTP_VERB_MAX,
};
#define ESMTP_VERBS_ALL	((1ull << __ESMTP_VERB_MAX) - 1)
/* The 7 + 8 verbs of ASA: AUTH … VRFY. */
#define ESMTP_VERBS_ASA	((1ull << ESMTP_VERB_STARTTLS) - (1ull << ESMTP_VERB_AUTH))

/* Content-Transfer-Encoding, RFC 2045 section 6. OTHERS is whatever is not listed. */
enum esmtp_encoding {
	ESMTP_ENC_OTHERS,
	ESMTP_ENC_7BIT,
	ESMTP_ENC_8BIT,
	ESMTP_ENC_BASE64,
	ESMTP_ENC_BINARY,
	ESMTP_ENC_QUOTED_PRINTABLE,
	__ESMTP_ENC_MAX,
};
#define ESMTP_ENC_ALL	((1ull << __ESMTP_ENC_MAX) - 1)

/* What is odd, and can be given an action by a rule. */
enum esmtp_anomaly {
	ESMTP_ANOMALY_TRUNCATED,	/* unknown verb of fewer than four letters */
	ESMTP_ANOMALY_VERB_LENGTH,	/* unknown verb of more, or with what is no letter */
	ESMTP_ANOMALY_BARE_LF,
	ESMTP_ANOMALY_BARE_CR,
	ESMTP_ANOMALY_NUL,		/* in a command */
	ESMTP_ANOMALY_EIGHT_BIT,	/* in a command */
	ESMTP_ANOMALY_EARLY_TALKER,
	ESMTP_ANOMALY_EARLY_CONTENT,
	ESMTP_ANOMALY_UNEXPECTED_REPLY,
	ESMTP_ANOMALY_REPLY_SYNTAX,
	ESMTP_ANOMALY_PIPELINING,	/* a command before the answer to another one, where that was not offered */
	__ESMTP_ANOMALY_MAX,
};
#define ESMTP_ANOMALY_ALL	((1ull << __ESMTP_ANOMALY_MAX) - 1)

/* What the engine sees. Each type has a counter in each policy. */
enum esmtp_event_type {
	ESMTP_EVENT_UNSPEC,
	ESMTP_EVENT_RULE,		/* a rule fired: 108004, log alone 108005 */
	ESMTP_EVENT_BANNER_MASKED,	/* one per greeting; counted, never sent */
	ESMTP_EVENT_CMD_MASKED,		/* a verb that is not allowed was X-ed: 108004 */
	ESMTP_EVENT_PIPE,		/* | in MAIL or RCPT, closed: 108003 */
	ESMTP_EVENT_BRACKET_BLANKED,	/* < or > out of place: 108002 */
	ESMTP_EVENT_TLS_STARTED,	/* 220 to STARTTLS: 108007 */
	ESMTP_EVENT_BYPASS,		/* 354/334/220/2xx to a command that cannot earn it, closed */
	ESMTP_EVENT_VERB_LENGTH,	/* unknown verb that has not four letters */
	ESMTP_EVENT_BARE_LF,		/* command or reply ended by LF alone */
	ESMTP_EVENT_BARE_CR,		/* CR without LF in a command */
	ESMTP_EVENT_EARLY_TALK,		/* client spoke before the greeting */
	ESMTP_EVENT_UNEXPECTED_REPLY,	/* reply that no command is owed, 421 excepted */
	ESMTP_EVENT_REPLY_SYNTAX,	/* line that does not begin with three digits */
	ESMTP_EVENT_EARLY_CONTENT,	/* bytes behind DATA before its answer */
	ESMTP_EVENT_KEYWORD_MASKED,	/* EHLO keyword of a verb that does not pass, X-ed without a rule; never sent */
	ESMTP_EVENT_CONFLICT,		/* content repeated with other bytes, closed */
	ESMTP_EVENT_EARLY_ALTERED,	/* more than a log was wanted in bytes that had left early, closed */
	ESMTP_EVENT_HOLE,		/* a gap in content was not filled for a minute, closed */
	ESMTP_EVENT_NUL,		/* a NUL in a command */
	ESMTP_EVENT_EIGHT_BIT,		/* a byte above 127 in a command; never sent */
	ESMTP_EVENT_PIPELINING,		/* commands before answers that were not offered, once a connection */
	ESMTP_EVENT_TERMINATED,		/* closed by a verdict, which had an event of its own if it was to be logged: 507003 */
	__ESMTP_EVENT_MAX,
};
#define ESMTP_EVENT_MAX (__ESMTP_EVENT_MAX - 1)

enum esmtp_policy_counter {
	ESMTP_PC_UNSPEC,
	ESMTP_PC_PACKETS,	/* packets with payload given to the engine or compared with what was passed */
	ESMTP_PC_BYTES,		/* payload bytes inspected, repeats not counted */
	ESMTP_PC_CONNECTIONS,	/* connections on which a first byte was inspected */
	ESMTP_PC_CLOSED,	/* connections closed by a verdict */
	ESMTP_PC_DROP,		/* packets dropped, or held back whole, after action drop or reply */
	ESMTP_PC_RESET_DROP,	/* the same after action reset */
	__ESMTP_PC_MAX,
};
#define ESMTP_PC_MAX (__ESMTP_PC_MAX - 1)

/* Counters of the namespace: why packets did not pass or not as they came. */
enum esmtp_ns_counter {
	ESMTP_NC_UNSPEC,
	ESMTP_NC_NO_POLICY,	/* dropped: slot without a policy */
	ESMTP_NC_NO_STATE,	/* dropped: start of the connection was not seen */
	ESMTP_NC_NO_HELPER,	/* dropped: labelled for inspection, but no helper of ours */
	ESMTP_NC_NO_MEMORY,	/* dropped or cut: allocation failed */
	ESMTP_NC_EARLY,		/* dropped: segment ahead of the stream */
	ESMTP_NC_STALE,		/* dropped: not what the peer could have sent or would accept */
	ESMTP_NC_REPEAT,	/* repeated segments seen */
	ESMTP_NC_REWRITTEN,	/* repeats made equal to what was passed */
	ESMTP_NC_HELD,		/* packets cut: the rest waits for an answer */
	ESMTP_NC_SYN_DATA,	/* data on a SYN cut off */
	ESMTP_NC_TOMBSTONE,	/* dropped: connection was closed by a verdict */
	ESMTP_NC_RST_SENT,
	ESMTP_NC_RST_FAILED,	/* no route or no memory for a RST */
	ESMTP_NC_CONFLICT,	/* closed: content repeated with other bytes */
	ESMTP_NC_URGENT,	/* urgent pointer cleared */
	ESMTP_NC_EVENTS_LOST,
	ESMTP_NC_EARLY_PASSED,	/* content passed ahead of the stream, a copy was kept */
	ESMTP_NC_EARLY_CLOSED,	/* closed: more than a log was wanted in what had passed early */
	ESMTP_NC_HOLE,		/* closed: a gap was not filled for a minute */
	ESMTP_NC_OUTSIDE,	/* dropped or cut: bytes beyond the receiver's window */
	ESMTP_NC_BEHIND_FIN,	/* dropped: bytes behind the end of the stream */
	ESMTP_NC_WINDOW,	/* windows lowered to what may be retained */
	ESMTP_NC_MPTCP,		/* MPTCP options taken off, further subflows dropped */
	ESMTP_NC_BRIDGED,	/* dropped: bridged, not routed */
	ESMTP_NC_RETAIN_FULL,	/* dropped or cut: the budget of the connection is used up */
	ESMTP_NC_POOL_FULL,	/* dropped or cut: that of the namespace */
	ESMTP_NC_TOTAL_FULL,	/* dropped or cut: that of all namespaces */
	ESMTP_NC_SESSIONS_FULL,	/* dropped: too many connections in the namespace */
	ESMTP_NC_SESSIONS_TOTAL_FULL, /* dropped: too many connections in all namespaces */
	ESMTP_NC_REPLY_SENT,	/* connections closed by a reply of ours */
	ESMTP_NC_REPLY_ACKED,	/* replies that the client has acknowledged */
	ESMTP_NC_REPLY_FAILED,	/* replies that could not be sent, or were not acknowledged */
	ESMTP_NC_EMBRYONIC,	/* dropped: SYN to a server that has as many half-open connections as it may */
	__ESMTP_NC_MAX,
};
#define ESMTP_NC_MAX (__ESMTP_NC_MAX - 1)

#endif /* _UAPI_NF_CONNTRACK_ESMTP_H */
