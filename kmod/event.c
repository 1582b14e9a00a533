// SPDX-License-Identifier: GPL-2.0-only
/* Events: counted at once, told after the locks are gone. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <net/netfilter/nf_log.h>

#include "event.h"
#include "netlink.h"
#include "ns_table.h"

/* Notes that one packet may leave behind. */
#define NOTES_MAX 64

/**
 * struct note - an event that is to be told
 * @list: of notes of one packet
 * @number: its place in the list, from 1
 * @dir: where it happened
 * @time: nanoseconds since 1970
 * @ev: what happened
 */
struct note {
	struct list_head list;
	u16 number;
	u8 dir;
	u64 time;
	struct esmtp_event ev;
};

/**
 * struct telling - a note with what else is to be said of it
 * @en: namespace
 * @note: event
 * @p: policy of the connection
 * @orig: tuple of its original direction
 */
struct telling {
	struct esmtp_net *en;
	const struct note *note;
	const struct esmtp_ns_policy *p;
	const struct nf_conntrack_tuple *orig;
};

static struct note *note_new(struct list_head *list)
{
	struct note *note;
	u16 number = 1;

	if (!list_empty(list))
		number += list_last_entry(list, struct note, list)->number;
	if (number > NOTES_MAX)
		return NULL;
	note = kmalloc(sizeof(*note), GFP_ATOMIC | __GFP_NOWARN);
	if (note)
		note->number = number;
	return note;
}

void esmtp_event_note(struct esmtp_net *en, struct list_head *list,
		      struct esmtp_ns_policy *p, enum esmtp_dir dir,
		      const struct esmtp_event *ev)
{
	struct note *note;

	esmtp_policy_count_event(p, ev);
	if (!ev->log)
		return;
	note = note_new(list);
	if (!note) {
		esmtp_count(en, ESMTP_NC_EVENTS_LOST);
		return;
	}
	note->dir = dir;
	note->time = ktime_get_real_ns();
	note->ev = *ev;
	note->ev.text_len = min_t(u8, ev->text_len, ESMTP_TEXT_MAX);
	list_add_tail(&note->list, list);
}

/* Not since the last reset: a listener compares it with what it saw before. */
static u64 events_lost(const struct esmtp_net *en)
{
	const struct esmtp_ns_counters *c;
	unsigned int start;
	u64 n, sum = 0;
	int cpu;

	for_each_possible_cpu(cpu) {
		c = per_cpu_ptr(en->counters, cpu);
		do {
			start = u64_stats_fetch_begin(&c->syncp);
			n = u64_stats_read(&c->v[ESMTP_NC_EVENTS_LOST]);
		} while (u64_stats_fetch_retry(&c->syncp, start));
		sum += n;
	}
	return sum;
}

/* The condition that was met last when a rule fired, or NULL. */
static const struct esmtp_cond *cond_of(const struct telling *t)
{
	u16 i = t->note->ev.cond;

	return i < t->p->engine.n_conds ? &t->p->engine.conds[i] : NULL;
}

static int put_event(struct sk_buff *skb, const struct telling *t)
{
	const struct esmtp_event *ev = &t->note->ev;
	const struct esmtp_cond *cond = cond_of(t);

	if (nla_put_u16(skb, ESMTP_A_EVENT_TYPE, ev->type) ||
	    nla_put_u8(skb, ESMTP_A_EVENT_ACTION, ev->action) ||
	    (t->note->dir == ESMTP_DIR_SERVER &&
	     nla_put_flag(skb, ESMTP_A_EVENT_FROM_SERVER)) ||
	    nla_put_string(skb, ESMTP_A_EVENT_POLICY, t->p->name) ||
	    nla_put_u32(skb, ESMTP_A_EVENT_VALUE, ev->value) ||
	    nla_put_u32(skb, ESMTP_A_EVENT_LIMIT, ev->limit) ||
	    (ev->text_len &&
	     nla_put(skb, ESMTP_A_EVENT_TEXT, ev->text_len, ev->text)) ||
	    nla_put_u64_64bit(skb, ESMTP_A_EVENT_TIME, t->note->time,
			      ESMTP_A_EVENT_PAD) ||
	    nla_put_u64_64bit(skb, ESMTP_A_EVENT_LOST, events_lost(t->en),
			      ESMTP_A_EVENT_PAD))
		return -EMSGSIZE;
	if (cond &&
	    (nla_put_u32(skb, ESMTP_A_EVENT_RULE, ev->rule + 1) ||
	     nla_put_u8(skb, ESMTP_A_EVENT_MATCH, cond->match)))
		return -EMSGSIZE;
	if (cond && cond->table &&
	    nla_put_string(skb, ESMTP_A_EVENT_TABLE,
			   esmtp_table_ns(cond->table)->name))
		return -EMSGSIZE;
	return esmtp_netlink_put_ends(skb, t->orig, ESMTP_A_EVENT_FAMILY);
}

static int event_fill(struct sk_buff *skb, const void *arg)
{
	struct nlattr *nest = nla_nest_start(skb, ESMTP_A_EVENT);
	int err;

	if (!nest)
		return -EMSGSIZE;
	err = put_event(skb, arg);
	if (!err)
		nla_nest_end(skb, nest);
	return err;
}

/*
 * The kernel's log. The sentences and numbers are those of Cisco ASA where it has one, so
 * that what reads its logs can read ours; what we know beyond them follows in brackets.
 */

/* "address/port" */
#define ENDPOINT_LEN sizeof("xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:xxxx/65535")
/* every byte of the text as \xNN */
#define ESCAPED_LEN (4 * ESMTP_TEXT_MAX + 1)
#define REASON_LEN 96
#define DETAIL_LEN (ESMTP_POLICY_NAME_MAX + ESCAPED_LEN + 64)

static const char *const match_words[__ESMTP_MATCH_MAX] = {
	[ESMTP_MATCH_CMD_LINE_LENGTH] = "cmd line length",
	[ESMTP_MATCH_CMD_RCPT_COUNT] = "cmd RCPT count",
	[ESMTP_MATCH_BODY_LINE_LENGTH] = "body line length",
	[ESMTP_MATCH_HEADER_LINE_LENGTH] = "header line length",
	[ESMTP_MATCH_SENDER_LENGTH] = "sender-address length",
	[ESMTP_MATCH_MIME_FILENAME_LENGTH] = "MIME filename length",
	[ESMTP_MATCH_EHLO_KEYWORD] = "ehlo-reply-parameter",
	[ESMTP_MATCH_CMD_VERB] = "cmd verb",
	[ESMTP_MATCH_BODY_LENGTH] = "body length",
	[ESMTP_MATCH_HEADER_LENGTH] = "header length",
	[ESMTP_MATCH_HEADER_TO_COUNT] = "header to-fields count",
	[ESMTP_MATCH_HEADER_COUNT] = "header count",
	[ESMTP_MATCH_MESSAGE_SIZE] = "message size",
	[ESMTP_MATCH_DECLARED_SIZE] = "message size gt declared",
	[ESMTP_MATCH_MIME_ENCODING] = "mime encoding",
	[ESMTP_MATCH_REPLY_LINE_LENGTH] = "reply line length",
	[ESMTP_MATCH_INVALID_RCPT_COUNT] = "invalid-recipients count",
	[ESMTP_MATCH_ANOMALY] = "anomaly",
	[ESMTP_MATCH_SENDER_TEXT] = "sender-address regex",
	[ESMTP_MATCH_RECIPIENT_TEXT] = "recipient-address regex",
	[ESMTP_MATCH_MIME_TYPE_TEXT] = "mime filetype regex",
	[ESMTP_MATCH_HEADER_TEXT] = "header regex",
	[ESMTP_MATCH_SPECIAL_CHARACTER] = "special-character",
};

static const char *const action_words[__ESMTP_ACTION_MAX] = {
	[ESMTP_ACTION_COUNT] = "Received",
	[ESMTP_ACTION_MASK] = "Masked header flags for",
	[ESMTP_ACTION_DROP] = "Dropped connection for",
	[ESMTP_ACTION_RESET] = "Reset connection for",
	[ESMTP_ACTION_REPLY] = "Closed connection with a reply for",
	[ESMTP_ACTION_RATE_LIMIT] = "Rate limit exceeded by",
};

static const char *const event_words[__ESMTP_EVENT_MAX] = {
	[ESMTP_EVENT_BANNER_MASKED] = "greeting",
	[ESMTP_EVENT_CMD_MASKED] = "command that is not allowed",
	[ESMTP_EVENT_PIPE] = "| in an address",
	[ESMTP_EVENT_BRACKET_BLANKED] = "< or > out of place in an address",
	[ESMTP_EVENT_TLS_STARTED] = "TLS started",
	[ESMTP_EVENT_BYPASS] = "reply that its command cannot earn",
	[ESMTP_EVENT_VERB_LENGTH] = "verb that has not four letters",
	[ESMTP_EVENT_BARE_LF] = "line ended by LF alone",
	[ESMTP_EVENT_BARE_CR] = "CR without LF",
	[ESMTP_EVENT_EARLY_TALK] = "client spoke before the greeting",
	[ESMTP_EVENT_UNEXPECTED_REPLY] = "reply that no command is owed",
	[ESMTP_EVENT_REPLY_SYNTAX] = "reply without a code",
	[ESMTP_EVENT_EARLY_CONTENT] = "content before the answer to DATA",
	[ESMTP_EVENT_KEYWORD_MASKED] = "keyword of a command that is not allowed",
	[ESMTP_EVENT_CONFLICT] = "content repeated with other bytes",
	[ESMTP_EVENT_NOT_RETAINED] = "no memory for what was read",
	[ESMTP_EVENT_EARLY_ALTERED] = "content that had passed early",
	[ESMTP_EVENT_HOLE] = "gap in content",
	[ESMTP_EVENT_NUL] = "NUL in a command",
	[ESMTP_EVENT_EIGHT_BIT] = "byte above 127 in a command",
	[ESMTP_EVENT_PIPELINING] = "command before the answer to another one, which was not offered",
};

static void endpoint_print(char *buf, u16 family, const union nf_inet_addr *addr,
			   __be16 port)
{
	if (family == NFPROTO_IPV4)
		scnprintf(buf, ENDPOINT_LEN, "%pI4/%u", &addr->ip, ntohs(port));
	else
		scnprintf(buf, ENDPOINT_LEN, "%pI6c/%u", &addr->in6,
			  ntohs(port));
}

/* The peer's bytes: nothing but printable ASCII, and no quote that could end them. */
static void text_print(char *buf, const struct esmtp_event *ev)
{
	u8 i, c;

	for (i = 0; i < ev->text_len; i++) {
		c = ev->text[i];
		if (c >= ' ' && c < 0x7f && c != '"' && c != '\\')
			*buf++ = c;
		else
			buf += sprintf(buf, "\\x%02x", c);
	}
	*buf = '\0';
}

/* ASA's further_info. */
static void reason_print(char *buf, const struct telling *t)
{
	const struct esmtp_event *ev = &t->note->ev;
	const struct esmtp_cond *cond = cond_of(t);

	const char *negate = cond && cond->negate ? "not " : "";

	if (!cond)
		scnprintf(buf, REASON_LEN, "%s",
			  event_words[ev->type] ?: "unknown");
	else if (cond->table)
		scnprintf(buf, REASON_LEN, "matched Class %u: %s%s %s",
			  ev->rule + 1, negate, match_words[cond->match],
			  esmtp_table_ns(cond->table)->name);
	else if (esmtp_match_operand(cond->match) != ESMTP_OPERAND_LIMIT)
		scnprintf(buf, REASON_LEN, "matched Class %u: %s%s",
			  ev->rule + 1, negate, match_words[cond->match]);
	else
		scnprintf(buf, REASON_LEN, "matched Class %u: %s%s gt %u",
			  ev->rule + 1, negate, match_words[cond->match],
			  cond->limit);
}

/* Whatever the log is filtered by: what was done stands out from what was only seen. */
static __printf(2, 3) void print_line(bool done, const char *fmt, ...)
{
	struct va_format line = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	line.va = &args;
	if (done)
		pr_notice("%pV\n", &line);
	else
		pr_info("%pV\n", &line);
	va_end(args);
}

static bool is_monitor(const struct telling *t)
{
	return t->p->engine.flags & ESMTP_POLICY_F_MONITOR;
}

/* What ASA does not say. */
static void detail_print(char *buf, const struct telling *t, const char *text)
{
	const struct esmtp_event *ev = &t->note->ev;
	int n;

	n = scnprintf(buf, DETAIL_LEN, "policy %s%s", t->p->name,
		      is_monitor(t) ? ", mode monitor" : "");
	if (ev->value)
		n += scnprintf(buf + n, DETAIL_LEN - n, ", seen %u", ev->value);
	if (*text)
		scnprintf(buf + n, DETAIL_LEN - n, ", \"%s\"", text);
}

/* 108004, or 108005 if nothing was done but to log. */
static void print_action(const struct telling *t, const char *client,
			 const char *server, const char *text)
{
	const struct esmtp_event *ev = &t->note->ev;
	bool response = t->note->dir == ESMTP_DIR_SERVER;
	u8 action = is_monitor(t) ? ESMTP_ACTION_COUNT : ev->action;
	bool done = action != ESMTP_ACTION_COUNT;
	char reason[REASON_LEN], detail[DETAIL_LEN];

	if (WARN_ON_ONCE(action >= __ESMTP_ACTION_MAX))
		return;
	reason_print(reason, t);
	detail_print(detail, t, text);
	print_line(done, "%%ESMTP-%s: ESMTP %s: %s ESMTP %s from %s to %s; %s (%s)",
		   done ? "4-108004" : "6-108005",
		   ev->type == ESMTP_EVENT_RULE ? "Classification" : "Parameter",
		   action_words[action], response ? "Response" : "Request",
		   response ? server : client, response ? client : server,
		   reason, detail);
}

/* The sentence of an event that was acted on. */
static void print_acted(const struct telling *t, const char *client,
			const char *server, const char *text)
{
	switch (t->note->ev.type) {
	case ESMTP_EVENT_BRACKET_BLANKED:
		print_line(true,
			   "%%ESMTP-2-108002: SMTP replaced string: out %s in %s data: \"%s\" (policy %s)",
			   client, server, text, t->p->name);
		break;
	case ESMTP_EVENT_PIPE:
		print_line(true,
			   "%%ESMTP-2-108003: Terminating ESMTP connection; malicious pattern detected in the mail address from %s to %s. Mail Address: \"%s\" (policy %s)",
			   client, server, text, t->p->name);
		break;
	case ESMTP_EVENT_TLS_STARTED:
		print_line(false,
			   "%%ESMTP-6-108007: TLS started on ESMTP session between client %s and server %s (policy %s)",
			   client, server, t->p->name);
		break;
	default:
		print_action(t, client, server, text);
	}
}

static void print_note(const struct telling *t)
{
	const struct nf_conntrack_tuple *o = t->orig;
	char client[ENDPOINT_LEN], server[ENDPOINT_LEN], text[ESCAPED_LEN];

	endpoint_print(client, o->src.l3num, &o->src.u3, o->src.u.tcp.port);
	endpoint_print(server, o->src.l3num, &o->dst.u3, o->dst.u.tcp.port);
	text_print(text, &t->note->ev);
	if (is_monitor(t))
		print_action(t, client, server, text);
	else
		print_acted(t, client, server, text);
}

/* Lines that were not printed; the next one says how many. */
static atomic_t lines_missed;

static void log_note(const struct telling *t)
{
	static struct ratelimit_state limit =
		RATELIMIT_STATE_INIT_FLAGS(limit, 5 * HZ, 20,
					   RATELIMIT_MSG_ON_RELEASE);
	int missed;

	if (!__ratelimit(&limit)) {
		atomic_inc(&lines_missed);
		return;
	}
	missed = atomic_xchg(&lines_missed, 0);
	if (missed)
		pr_info("%d lines suppressed\n", missed);
	print_note(t);
}

void esmtp_event_send(struct esmtp_net *en, struct list_head *list,
		      const struct esmtp_ns_policy *p,
		      const struct nf_conntrack_tuple *orig)
{
	bool log = net_eq(en->net, &init_net) || sysctl_nf_log_all_netns;
	struct telling t = { .en = en, .p = p, .orig = orig };
	struct note *note, *next;

	list_for_each_entry_safe(note, next, list, list) {
		t.note = note;
		if (!esmtp_netlink_event(en, event_fill, &t))
			esmtp_count(en, ESMTP_NC_EVENTS_LOST);
		if (log)
			log_note(&t);
		kfree(note);
	}
	INIT_LIST_HEAD(list);
}
