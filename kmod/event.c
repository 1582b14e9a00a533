// SPDX-License-Identifier: GPL-2.0-only
/* Events: counted at once, told after the locks are gone. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/netdevice.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <net/dst.h>
#include <net/netfilter/nf_log.h>

#include "../include/esmtp/message.h"
#include "event.h"
#include "netlink.h"
#include "ns_table.h"
#include "rule.h"

/* Notes that one packet may leave behind. */
#define NOTES_MAX 64

/**
 * struct note - an event that is to be told
 * @list: of notes of one packet
 * @number: its place in the list, from 1
 * @dir: where it happened
 * @time: nanoseconds since 1970
 * @ev: what happened
 * @sender: of the transaction, known or not
 */
struct note {
	struct list_head list;
	u16 number;
	u8 dir;
	u64 time;
	struct esmtp_event ev;
	struct esmtp_sender sender;
};

/**
 * struct telling - a note with what else is to be said of it
 * @en: namespace
 * @note: event
 * @p: policy of the connection
 * @orig: tuple of its original direction
 * @skb: the packet that it was seen in, or NULL
 */
struct telling {
	struct esmtp_net *en;
	const struct note *note;
	const struct esmtp_ns_policy *p;
	const struct nf_conntrack_tuple *orig;
	struct sk_buff *skb;
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
		      const struct esmtp_event *ev,
		      const struct esmtp_sender *sender)
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
	if (sender)
		note->sender = *sender;
	else
		note->sender.known = false;
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

static bool is_monitor(const struct telling *t)
{
	return t->p->engine.flags & ESMTP_POLICY_F_MONITOR;
}

static u8 sender_len(const struct esmtp_sender *s)
{
	return min_t(u8, s->len, ESMTP_SENDER_MAX);
}

static int put_sender(struct sk_buff *skb, const struct esmtp_sender *s)
{
	if (!s->known)
		return 0;
	if (nla_put(skb, ESMTP_A_EVENT_SENDER, sender_len(s), s->text) ||
	    (s->len > ESMTP_SENDER_MAX &&
	     nla_put_flag(skb, ESMTP_A_EVENT_SENDER_CUT)))
		return -EMSGSIZE;
	return 0;
}

/* All of it: the running policy may be another one by now. */
static int put_cond(struct sk_buff *skb, const struct telling *t)
{
	const struct esmtp_cond *cond = cond_of(t);

	if (!cond)
		return 0;
	if (nla_put_u32(skb, ESMTP_A_EVENT_RULE, t->note->ev.rule + 1) ||
	    esmtp_cond_put(skb, ESMTP_A_EVENT_COND, cond))
		return -EMSGSIZE;
	if (cond->table &&
	    (nla_put_string(skb, ESMTP_A_EVENT_TABLE,
			    esmtp_table_ns(cond->table)->name) ||
	     nla_put_string(skb, ESMTP_A_EVENT_TABLE_KIND,
			    esmtp_table_kind(cond->table))))
		return -EMSGSIZE;
	return 0;
}

static int put_event(struct sk_buff *skb, const struct telling *t)
{
	const struct esmtp_event *ev = &t->note->ev;

	if (nla_put_u16(skb, ESMTP_A_EVENT_TYPE, ev->type) ||
	    nla_put_u8(skb, ESMTP_A_EVENT_ACTION, ev->action) ||
	    (t->note->dir == ESMTP_DIR_SERVER &&
	     nla_put_flag(skb, ESMTP_A_EVENT_FROM_SERVER)) ||
	    (is_monitor(t) && nla_put_flag(skb, ESMTP_A_EVENT_MONITOR)) ||
	    nla_put_string(skb, ESMTP_A_EVENT_POLICY, t->p->name) ||
	    nla_put_u32(skb, ESMTP_A_EVENT_VALUE, ev->value) ||
	    nla_put_u32(skb, ESMTP_A_EVENT_LIMIT, ev->limit) ||
	    (ev->text_len &&
	     nla_put(skb, ESMTP_A_EVENT_TEXT, ev->text_len, ev->text)) ||
	    nla_put_u64_64bit(skb, ESMTP_A_EVENT_TIME, t->note->time,
			      ESMTP_A_EVENT_PAD) ||
	    nla_put_u64_64bit(skb, ESMTP_A_EVENT_LOST, events_lost(t->en),
			      ESMTP_A_EVENT_PAD) ||
	    nla_put_u64_64bit(skb, ESMTP_A_EVENT_GENERATION,
			      t->p->generation->number, ESMTP_A_EVENT_PAD) ||
	    put_sender(skb, &t->note->sender))
		return -EMSGSIZE;
	if (put_cond(skb, t))
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

/* The kernel's log. Its lines are those of "esmtpctl monitor", see message.c. */

#define HOST_LEN	sizeof("xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:xxxx")
#define ENDPOINT_LEN	(HOST_LEN + sizeof("/65535"))
#define CRITERION_LEN	256

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
	[ESMTP_MATCH_SENDER_TEXT] = "sender-address",
	[ESMTP_MATCH_RECIPIENT_TEXT] = "recipient-address",
	[ESMTP_MATCH_MIME_TYPE_TEXT] = "MIME filetype",
	[ESMTP_MATCH_HEADER_TEXT] = "header",
	[ESMTP_MATCH_SPECIAL_CHARACTER] = "special-character",
	[ESMTP_MATCH_MAIL_RELAY] = "mail-relay",
	[ESMTP_MATCH_MIME_FILENAME_TEXT] = "MIME filename",
};

static const char *const keyword_words[__ESMTP_KW_MAX] = {
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

static const char *const verb_words[__ESMTP_VERB_MAX] = {
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

static const char *const encoding_words[__ESMTP_ENC_MAX] = {
	[ESMTP_ENC_OTHERS] = "others",
	[ESMTP_ENC_7BIT] = "7bit",
	[ESMTP_ENC_8BIT] = "8bit",
	[ESMTP_ENC_BASE64] = "base64",
	[ESMTP_ENC_BINARY] = "binary",
	[ESMTP_ENC_QUOTED_PRINTABLE] = "quoted-printable",
};

static const char *const anomaly_words[__ESMTP_ANOMALY_MAX] = {
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

/**
 * struct printed - a message and the words that it is made of
 * @m: message
 * @client: see struct esmtp_message
 * @server: the same
 * @client_host: the same
 * @server_host: the same
 * @criterion: the same
 * @text: the same
 * @sender: the same
 * @line: all of it
 */
struct printed {
	struct esmtp_message m;
	char client[ENDPOINT_LEN];
	char server[ENDPOINT_LEN];
	char client_host[HOST_LEN];
	char server_host[HOST_LEN];
	char criterion[CRITERION_LEN];
	char text[ESMTP_ESCAPED(ESMTP_TEXT_MAX)];
	char sender[ESMTP_ESCAPED(ESMTP_SENDER_MAX)];
	char line[ESMTP_LINE_MAX];
};

static void endpoint_print(char *host, char *endpoint, u16 family,
			   const union nf_inet_addr *addr, __be16 port)
{
	if (family == NFPROTO_IPV4)
		scnprintf(host, HOST_LEN, "%pI4", &addr->ip);
	else
		scnprintf(host, HOST_LEN, "%pI6c", &addr->in6);
	scnprintf(endpoint, ENDPOINT_LEN, "%s/%u", host, ntohs(port));
}

/**
 * struct words - names of the members of a set
 * @v: they
 * @n: how many
 */
struct words {
	const char *const *v;
	unsigned int n;
};

static const struct words set_words[__ESMTP_MATCH_MAX] = {
	[ESMTP_MATCH_EHLO_KEYWORD] = { keyword_words, __ESMTP_KW_MAX },
	[ESMTP_MATCH_CMD_VERB] = { verb_words, __ESMTP_VERB_MAX },
	[ESMTP_MATCH_MIME_ENCODING] = { encoding_words, __ESMTP_ENC_MAX },
	[ESMTP_MATCH_ANOMALY] = { anomaly_words, __ESMTP_ANOMALY_MAX },
};

static void set_print(char *buf, int size, const struct esmtp_cond *cond)
{
	const struct words *words = &set_words[cond->match];
	unsigned int k;
	int n = 0;

	*buf = '\0';
	for (k = 0; k < words->n; k++)
		if (cond->set & BIT_ULL(k) && words->v[k])
			n += scnprintf(buf + n, size - n, " %s", words->v[k]);
}

static void criterion_print(char *buf, const struct esmtp_cond *cond)
{
	int n = scnprintf(buf, CRITERION_LEN, "%s%s",
			  cond->negate ? "not " : "", match_words[cond->match]);

	switch (esmtp_match_operand(cond->match)) {
	case ESMTP_OPERAND_LIMIT:
		scnprintf(buf + n, CRITERION_LEN - n, " gt %u", cond->limit);
		break;
	case ESMTP_OPERAND_SET:
		set_print(buf + n, CRITERION_LEN - n, cond);
		break;
	case ESMTP_OPERAND_TABLE:
		if (cond->field_len)
			n += scnprintf(buf + n, CRITERION_LEN - n, " %.*s",
				       cond->field_len, cond->field);
		if (cond->table && cond->match != ESMTP_MATCH_MAIL_RELAY)
			n += scnprintf(buf + n, CRITERION_LEN - n, " %s",
				       esmtp_table_kind(cond->table));
		if (cond->table)
			scnprintf(buf + n, CRITERION_LEN - n, " %s",
				  esmtp_table_ns(cond->table)->name);
		break;
	case ESMTP_OPERAND_NONE:
		break;
	}
}

static bool is_oversize(const struct esmtp_cond *cond)
{
	return cond && esmtp_message_oversize(cond->match, cond->negate);
}

static void message_fill(struct printed *p, const struct telling *t)
{
	const struct nf_conntrack_tuple *o = t->orig;
	const struct esmtp_event *ev = &t->note->ev;
	const struct esmtp_sender *s = &t->note->sender;
	const struct esmtp_cond *cond = cond_of(t);

	endpoint_print(p->client_host, p->client, o->src.l3num, &o->src.u3,
		       o->src.u.tcp.port);
	endpoint_print(p->server_host, p->server, o->src.l3num, &o->dst.u3,
		       o->dst.u.tcp.port);
	p->criterion[0] = '\0';
	if (cond)
		criterion_print(p->criterion, cond);
	p->m = (struct esmtp_message) {
		.type = ev->type,
		.action = ev->action,
		.from_server = t->note->dir == ESMTP_DIR_SERVER,
		.monitor = is_monitor(t),
		.has_sender = s->known,
		.sender_cut = s->len > ESMTP_SENDER_MAX,
		.oversize = is_oversize(cond),
		.rule = cond ? ev->rule + 1 : 0,
		.value = ev->value,
		.limit = ev->limit,
		.criterion = p->criterion,
		.policy = t->p->name,
		.client = p->client,
		.server = p->server,
		.client_host = p->client_host,
		.server_host = p->server_host,
		.text = esmtp_message_escape(p->text, ev->text, ev->text_len),
		.sender = esmtp_message_escape(p->sender, s->text,
					       sender_len(s)),
	};
	esmtp_message_print(p->line, &p->m);
}

/* Lines that were not printed; the next one says how many. */
static atomic_t lines_missed;

/* What was done stands out from what was only seen, unless the policy says at which level. */
static u8 level_of(const struct telling *t)
{
	if (t->p->log_level != ESMTP_LOG_DEFAULT)
		return t->p->log_level;
	return esmtp_message_only_seen(t->note->ev.action, is_monitor(t)) ?
		LOGLEVEL_INFO : LOGLEVEL_NOTICE;
}

static void print_note(const struct telling *t)
{
	struct printed *p = kmalloc(sizeof(*p), GFP_ATOMIC | __GFP_NOWARN);

	if (!p) {
		atomic_inc(&lines_missed);
		return;
	}
	message_fill(p, t);
	/* Not by one of pr_*(): which level it is only the policy knows. */
	_printk(KERN_SOH "%c" KBUILD_MODNAME ": %s\n", '0' + level_of(t),
		p->line);
	kfree(p);
}

static void log_note(const struct telling *t)
{
	static struct ratelimit_state limit =
		RATELIMIT_STATE_INIT_FLAGS(limit, 5 * HZ, 20,
					   RATELIMIT_MSG_ON_RELEASE);
	int missed;

	if (t->p->log_level == ESMTP_LOG_NONE)
		return;
	if (!__ratelimit(&limit)) {
		atomic_inc(&lines_missed);
		return;
	}
	missed = atomic_xchg(&lines_missed, 0);
	if (missed)
		pr_info("%d lines suppressed\n", missed);
	print_note(t);
}

/*
 * nfnetlink_log: the packet that the event was seen in, as it is behind our edits, with what happened as its
 * prefix, which has 127 characters at most. What ulogd makes of it is its configuration's affair.
 */
static void group_note(const struct telling *t)
{
	const struct nf_loginfo info = {
		.type = NF_LOG_TYPE_ULOG,
		.u.ulog.group = t->p->log_group,
		.u.ulog.qthreshold = 1,
	};
	const struct esmtp_event *ev = &t->note->ev;
	const struct esmtp_subject subject = {
		ev->type, esmtp_message_only_seen(ev->action, is_monitor(t)),
		is_oversize(cond_of(t)) };
	unsigned int number = esmtp_message_number(&subject);
	const struct net_device *out = skb_dst(t->skb) ?
		skb_dst(t->skb)->dev : NULL;
	bool here = !out || out->flags & IFF_LOOPBACK;
	char rule[16] = "";

	if (cond_of(t))
		scnprintf(rule, sizeof(rule), " rule %u", ev->rule + 1);
	nf_log_packet(t->en->net, t->orig->src.l3num,
		      here ? NF_INET_LOCAL_IN : NF_INET_POST_ROUTING, t->skb,
		      dev_get_by_index_rcu(t->en->net, t->skb->skb_iif),
		      here ? NULL : out, &info, "%s-%u policy %s%s ",
		      esmtp_message_origin(number), number, t->p->name, rule);
}

void esmtp_event_send(struct esmtp_net *en, struct list_head *list,
		      const struct esmtp_ns_policy *p,
		      const struct nf_conntrack_tuple *orig, struct sk_buff *skb)
{
	bool log = net_eq(en->net, &init_net) || sysctl_nf_log_all_netns;
	struct telling t = { .en = en, .p = p, .orig = orig, .skb = skb };
	struct note *note, *next;

	list_for_each_entry_safe(note, next, list, list) {
		t.note = note;
		if (!esmtp_netlink_event(en, event_fill, &t))
			esmtp_count(en, ESMTP_NC_EVENTS_LOST);
		if (log)
			log_note(&t);
		if (p->log_packets && skb)
			group_note(&t);
		kfree(note);
	}
	INIT_LIST_HEAD(list);
}
