// SPDX-License-Identifier: GPL-2.0-only
/*
 * What golden lines cannot reach: intervals against a naive set, messages to and
 * from the module without one, events as lines. Prints "ok NAME" or "not ok NAME".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "event.h"
#include "interval.h"
#include "kerror.h"
#include "metrics.h"
#include "output.h"
#include "util.h"
#include "wire.h"

#define PORTS 65536

static bool failed;

static void result(const char *name, bool ok)
{
	printf("%s %s\n", ok ? "ok" : "not ok", name);
	failed |= !ok;
}

static void same(const char *name, const char *want, const char *got)
{
	if (strcmp(want, got))
		printf("want: %s\ngot:  %s\n", want, got);
	result(name, !strcmp(want, got));
}

static struct interval ports(unsigned int lo, unsigned int hi)
{
	struct interval iv = { .len = KEY_PORT };

	iv.lo[0] = (uint8_t)(lo >> 8);
	iv.lo[1] = (uint8_t)lo;
	iv.hi[0] = (uint8_t)(hi >> 8);
	iv.hi[1] = (uint8_t)hi;
	return iv;
}

static unsigned int number(const uint8_t *key)
{
	return (unsigned int)(key[0] << 8 | key[1]);
}

/* Merged means: rising, and at least one key between two intervals. */
static bool equal_sets(const struct intervals *set, const bool *naive)
{
	static bool seen[PORTS];
	unsigned int end = 0;

	memset(seen, 0, sizeof(seen));
	for (size_t i = 0; i < set->n; i++) {
		if (i && number(set->v[i].lo) <= end + 1)
			return false;
		end = number(set->v[i].hi);
		for (unsigned int k = number(set->v[i].lo); k <= end; k++)
			seen[k] = true;
	}
	return !memcmp(seen, naive, sizeof(seen));
}

static struct interval random_ports(unsigned int span)
{
	unsigned int lo = (unsigned int)rand() % PORTS, hi = lo + (unsigned int)rand() % span;

	if (rand() % 50 == 0)
		lo = 0;
	return ports(lo, hi < PORTS && rand() % 50 ? hi : PORTS - 1);
}

static bool one_round(unsigned int span)
{
	struct intervals set = { 0 }, less = { 0 };
	static bool naive[PORTS];
	struct interval iv;

	memset(naive, 0, sizeof(naive));
	for (int i = rand() % 60; i >= 0; i--) {
		iv = random_ports(span);
		intervals_add(&set, &iv);
		memset(naive + number(iv.lo), 1, number(iv.hi) - number(iv.lo) + 1);
	}
	intervals_merge(&set);
	if (!equal_sets(&set, naive) || !intervals_cover(&set, &iv))
		return false;
	for (int i = rand() % 20; i >= 0; i--) {
		iv = random_ports(span);
		intervals_add(&less, &iv);
		memset(naive + number(iv.lo), 0, number(iv.hi) - number(iv.lo) + 1);
	}
	intervals_subtract(&set, &less);
	return equal_sets(&set, naive) && !intervals_cover(&set, &iv);
}

static void test_intervals(void)
{
	static const unsigned int spans[] = { 1, 3, 100, 5000, 65536 };
	bool ok = true;

	srand(1);
	for (size_t s = 0; s < ARRAY_SIZE(spans); s++)
		for (int i = 0; i < 100; i++) {
			ok &= one_round(spans[s]);
			mem_release();
		}
	result("intervals: 500 random sets, united and split, against a naive set", ok);
}

static void test_families(void)
{
	static const char *const add[] = { "::/1", "128.0.0.0/1", "8000::/1", "0.0.0.0/1" };
	struct intervals set = { 0 }, less = { 0 };
	char buf[INTERVAL_TEXT_MAX];
	struct interval iv;

	for (size_t i = 0; i < ARRAY_SIZE(add); i++) {
		interval_parse_addr(add[i], &iv);
		intervals_add(&set, &iv);
	}
	intervals_merge(&set);
	result("intervals: halves of both families make both wholes", set.n == 2);
	same("intervals: all of IPv4", "0.0.0.0/0", interval_format(&set.v[0], buf));
	same("intervals: all of IPv6", "::/0", interval_format(&set.v[1], buf));
	interval_parse_addr("0.0.0.0/0", &iv);
	intervals_add(&less, &iv);
	intervals_subtract(&set, &less);
	result("intervals: taking IPv4 away leaves IPv6",
	       set.n == 1 && set.v[0].len == KEY_IPV6 && !intervals_have(&set, KEY_IPV4));
	interval_parse_addr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", &iv);
	less.n = 0;
	intervals_add(&less, &iv);
	intervals_subtract(&set, &less);
	same("intervals: the last address taken away",
	     "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", interval_format(&set.v[0], buf));
	mem_release();
}

static const char *longest_text(void)
{
	char *text = mem_alloc(ESMTP_REPLY_TEXT_MAX + 1);

	memset(text, 'x', ESMTP_REPLY_TEXT_MAX);
	return text;
}

static struct policy *policy_new(unsigned int n_rules)
{
	struct policy *p = mem_alloc(sizeof(*p));

	p->name = "strict";
	p->description = "a word";
	p->slot = 3;
	p->log_level = 4;
	p->log_group = 65535;
	p->flags = ESMTP_POLICY_F_TLS_ALLOW;
	p->verbs = ESMTP_VERBS_ASA;
	p->n_rules = n_rules;
	p->rules = mem_alloc((n_rules + 1) * sizeof(*p->rules));
	for (unsigned int i = 0; i < n_rules; i++) {
		bool keywords = i % 5 == 4, reply = i % 5 == 3;

		p->rules[i] = (struct rule){
			.loc = { .first_line = i + 2, .first_column = 2, .last_line = i + 2, .last_column = 9 },
			.conds = {
				{ .match = keywords ? ESMTP_MATCH_EHLO_KEYWORD :
						      ESMTP_MATCH_CMD_LINE_LENGTH,
				  .limit = keywords ? 0 : 1000 + i, .set = keywords ? 6 : 0,
				  .negate = i % 7 == 3 },
				{ .match = ESMTP_MATCH_CMD_VERB, .set = 1ull << 40 | i },
			},
			.n_conds = 1 + i % 2,
			.action = i % 3 ? ESMTP_ACTION_DROP : ESMTP_ACTION_COUNT, .log = i % 2,
		};
		if (i % 11 == 5)
			p->rules[i].conds[0] = (struct cond){ .match = ESMTP_MATCH_RECIPIENT_TEXT,
							      .table = i + 1, .negate = i % 2 };
		if (reply)
			p->rules[i].action = ESMTP_ACTION_REPLY;
		if (i % 5 == 2) {
			p->rules[i].action = ESMTP_ACTION_RATE_LIMIT;
			p->rules[i].rate = i + 1;
			p->rules[i].seconds = i % 2 ? 1 : 60;
			p->rules[i].burst = i + 2;
		}
		if (reply && i % 2)
			p->rules[i].code = (uint16_t)(400 + i % 60);
		if (reply && i % 3)
			p->rules[i].text = longest_text();
	}
	return p;
}

static struct nlmsghdr *message_new(void *buf, size_t size, uint8_t cmd)
{
	struct nlmsghdr *nlh;
	struct genlmsghdr *genl;

	memset(buf, 0, size);
	nlh = mnl_nlmsg_put_header(buf);
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	return nlh;
}

static bool same_policy(const struct policy *a, const struct policy *b)
{
	if (!b || strcmp(a->name, b->name) || strcmp(a->description, b->description) ||
	    a->slot != b->slot || a->log_level != b->log_level || a->log_group != b->log_group || a->flags != b->flags || a->verbs != b->verbs ||
	    a->n_rules != b->n_rules)
		return false;
	for (unsigned int i = 0; i < a->n_rules; i++) {
		const struct rule *x = &a->rules[i], *y = &b->rules[i];

		if (x->n_conds != y->n_conds || !cond_same(&x->conds[0], &y->conds[0]) ||
		    (x->n_conds > 1 && !cond_same(&x->conds[1], &y->conds[1])) ||
		    x->action != y->action || x->log != y->log || x->code != y->code ||
		    x->rate != y->rate || x->seconds != y->seconds || x->burst != y->burst ||
		    !x->text != !y->text || (x->text && strcmp(x->text, y->text)))
			return false;
	}
	return true;
}

/* The pieces of a table that is sent, joined, are the table and its source. */
static void test_table(size_t size, size_t source_size)
{
	struct table t = { .name = "t", .id = 7, .blob = { mem_alloc(size), size } };
	struct blob source = { mem_alloc(source_size + 1), source_size };
	char *joined = mem_alloc(size + source_size + 1), name[64];
	const struct nlattr *attr, *data;
	static uint64_t buf[4096];
	struct nlmsghdr *nlh;
	size_t at = 0, len;
	bool ok = true;

	for (size_t i = 0; i < size + source_size; i++)
		((char *)(i < size ? t.blob.data : source.data))[i < size ? i : i - size] = (char)rand();
	while (at < size + source_size) {
		nlh = message_new(buf, sizeof(buf), ESMTP_CMD_STAGE_TABLE);
		len = wire_put_table(nlh, &t, &source, at);
		data = NULL;
		mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr) + MNL_ATTR_HDRLEN)
			if (mnl_attr_get_type(attr) == ESMTP_A_TABLE_DATA)
				data = attr;
		ok &= len && data && mnl_attr_get_payload_len(data) == len &&
		      nlh->nlmsg_len < sizeof(buf) && at + len <= size + source_size;
		if (!ok)
			break;
		memcpy(joined + at, mnl_attr_get_payload(data), len);
		at += len;
	}
	snprintf(name, sizeof(name), "wire: table of %zu bytes, source of %zu, in pieces", size, source_size);
	result(name, ok && !memcmp(joined, t.blob.data, size) &&
	       !memcmp(joined + size, source.data, source_size));
	mem_release();
}

/* Two sources, the first in two pieces; one that lies about its size; a gap. */
static void test_sources(void)
{
	static const struct {
		const char *name, *text;
		uint32_t size, offset;
	} pieces[] = {
		{ "a", "regex a", 11, 0 }, { "b", "x", 1, 0 }, { "a", " \"x\"", 11, 7 },
		{ "c", "0123456789", 4, 0 }, { "d", "y", 9, 3 }, { "e", "z", ESMTP_TABLE_SIZE_MAX + 1, 0 },
	};
	struct table_source *list = NULL;
	static uint64_t buf[512];
	char got[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		struct nlmsghdr *nlh = message_new(buf, sizeof(buf), ESMTP_CMD_TABLE_GET);
		struct nlattr *nest = mnl_attr_nest_start(nlh, ESMTP_A_TABLE);

		mnl_attr_put_strz(nlh, ESMTP_A_TABLE_NAME, pieces[i].name);
		mnl_attr_put_u32(nlh, ESMTP_A_TABLE_SOURCE_SIZE, pieces[i].size);
		mnl_attr_put_u32(nlh, ESMTP_A_TABLE_OFFSET, pieces[i].offset);
		mnl_attr_put(nlh, ESMTP_A_TABLE_DATA, strlen(pieces[i].text), pieces[i].text);
		mnl_attr_nest_end(nlh, nest);
		wire_get_table(nlh, &list);
	}
	for (const struct table_source *s = list; s; s = s->next)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s=%s %zu/%zu;", s->name, s->text,
			 s->len, s->size);
	same("wire: sources of tables, in pieces", "a=regex a \"x\" 11/11;b=x 1/1;c=0123 4/4;d= 0/9;", got);
	mem_release();
}

/* What is sent is read by what reads a dump, in parts as well. */
static void test_policy(unsigned int n_rules)
{
	struct policy *p = policy_new(n_rules);
	static uint64_t buf[4096];
	struct dump d = { 0 };
	unsigned int first = 0, longest = 0;
	struct nlmsghdr *nlh;
	char name[64];

	do {
		nlh = message_new(buf, sizeof(buf), ESMTP_CMD_STAGE_POLICY);
		wire_put_policy(nlh, p, first, NULL);
		if (nlh->nlmsg_len > longest)
			longest = nlh->nlmsg_len;
		wire_get_policy(nlh, &d);
		first += WIRE_RULES_MAX;
	} while (first < p->n_rules);
	snprintf(name, sizeof(name), "wire: policy of %u rules there and back", n_rules);
	result(name, same_policy(p, d.policies) && !d.policies->next && longest < sizeof(buf));
	mem_release();
}

static void test_places(void)
{
	struct policy *p = policy_new(20);
	const struct location *loc;
	struct attr_places places;
	static uint64_t buf[4096];
	struct nlmsghdr *nlh;
	bool ok = true;

	p->loc.first_line = 1;
	nlh = message_new(buf, sizeof(buf), ESMTP_CMD_STAGE_POLICY);
	wire_put_policy(nlh, p, 0, &places);
	result("wire: a place for each rule and the policy", places.n == 21);
	for (unsigned int i = 0; i < 20; i++) {
		loc = wire_place(&places, places.at[i].first + 8);
		ok &= loc && loc->first_line == i + 2;
	}
	result("wire: an attribute of a rule leads to its line", ok);
	loc = wire_place(&places, MNL_NLMSG_HDRLEN + sizeof(struct genlmsghdr) + 4);
	result("wire: the name leads to the policy", loc && loc->first_line == 1);
	result("wire: nothing is known of what is behind", !wire_place(&places, nlh->nlmsg_len));
	mem_release();
}

static struct event event_new(uint16_t type, uint8_t action, const char *text)
{
	struct event e = { .type = type, .action = action, .family = AF_INET,
			   .client = { 10, 0, 1, 2 }, .server = { 10, 0, 2, 2 },
			   .client_port = 49536, .server_port = 25, .policy = "default",
			   .time = 1767225600123456789ull };

	e.text_len = strlen(text);
	memcpy(e.text, text, e.text_len);
	return e;
}

static void line(const char *name, const struct event *e, const char *want)
{
	char buf[EVENT_LINE_MAX];

	same(name, want, event_line(e, buf));
}

static void test_rule_lines(void)
{
	struct event e = event_new(ESMTP_EVENT_RULE, ESMTP_ACTION_DROP, "Subject");

	e.rule = 4;
	e.cond = (struct cond){ .match = ESMTP_MATCH_HEADER_LINE_LENGTH, .limit = 998 };
	e.has_value = true;
	e.value = 999;
	line("event: 108004", &e,
	     "%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from 10.0.1.2/49536 to 10.0.2.2/25; matched Class 4: header line length gt 998 (policy default, seen 999, \"Subject\")");
	e.action = ESMTP_ACTION_RESET;
	e.text_len = 0;
	line("event: 108004, reset", &e,
	     "%ASA-4-108004: ESMTP Classification: Reset connection for ESMTP Request from 10.0.1.2/49536 to 10.0.2.2/25; matched Class 4: header line length gt 998 (policy default, seen 999)");
	e.action = ESMTP_ACTION_COUNT;
	line("event: 108005", &e,
	     "%ASA-6-108005: ESMTP Classification: Received ESMTP Request from 10.0.1.2/49536 to 10.0.2.2/25; matched Class 4: header line length gt 998 (policy default, seen 999)");
	e.action = ESMTP_ACTION_DROP;
	e.monitor = true;
	line("event: of a policy that only looks", &e,
	     "%ASA-6-108005: ESMTP Classification: Received ESMTP Request from 10.0.1.2/49536 to 10.0.2.2/25; matched Class 4: header line length gt 998 (policy default, mode monitor, seen 999)");
	e = event_new(ESMTP_EVENT_RULE, ESMTP_ACTION_MASK, "CHUNKING");
	e.rule = 7;
	e.cond = (struct cond){ .match = ESMTP_MATCH_EHLO_KEYWORD };
	e.from_server = true;
	line("event: 108004 of a response", &e,
	     "%ASA-4-108004: ESMTP Classification: Masked header flags for ESMTP Response from 10.0.2.2/25 to 10.0.1.2/49536; matched Class 7: ehlo-reply-parameter (policy default, \"CHUNKING\")");
	e.cond.set = 1u << ESMTP_KW_OTHERS | 1u << ESMTP_KW_VRFY;
	line("event: with the rule's keywords", &e,
	     "%ASA-4-108004: ESMTP Classification: Masked header flags for ESMTP Response from 10.0.2.2/25 to 10.0.1.2/49536; matched Class 7: ehlo-reply-parameter others vrfy (policy default, \"CHUNKING\")");
}

static void test_lines(void)
{
	struct event e = event_new(ESMTP_EVENT_BRACKET_BLANKED, ESMTP_ACTION_MASK, "<<a>");

	line("event: 108002", &e,
	     "%ASA-2-108002: SMTP replaced string: out 10.0.1.2 in 10.0.2.2 data: <<a> (policy default)");
	e = event_new(ESMTP_EVENT_PIPE, ESMTP_ACTION_DROP, "|id");
	line("event: 108003", &e,
	     "%ASA-2-108003: Terminating ESMTP connection; malicious pattern detected in the mail address from 10.0.1.2/49536 to 10.0.2.2/25. Mail Address:|id (policy default)");
	e = event_new(ESMTP_EVENT_TLS_STARTED, ESMTP_ACTION_COUNT, "");
	line("event: 108007", &e,
	     "%ASA-6-108007: TLS started on ESMTP session between client 10.0.1.2/49536 and server 10.0.2.2/25 (policy default)");
	e.monitor = true;
	line("event: 108007 of a policy that only looks", &e,
	     "%ASA-6-108007: TLS started on ESMTP session between client 10.0.1.2/49536 and server 10.0.2.2/25 (policy default, mode monitor)");
	e = event_new(ESMTP_EVENT_PIPE, ESMTP_ACTION_RESET, "RCPT");
	e.monitor = true;
	line("event: what would have been 108003", &e,
	     "%ASA-2-108003: ESMTP Parameter: Received ESMTP Request from 10.0.1.2/49536 to 10.0.2.2/25; | in an address (policy default, mode monitor, \"RCPT\")");
	e = event_new(ESMTP_EVENT_TERMINATED, ESMTP_ACTION_DROP, "");
	line("event: 507003 after drop", &e,
	     "%ASA-4-507003: tcp flow from 10.0.1.2/49536 to 10.0.2.2/25 terminated by inspection engine, reason - inspector disconnected, dropped packet. (policy default)");
	e.action = ESMTP_ACTION_RESET;
	e.has_sender = true;
	line("event: 507003 after reset, the sender is empty", &e,
	     "%ASA-4-507003: tcp flow from 10.0.1.2/49536 to 10.0.2.2/25 terminated by inspection engine, reason - inspector drop reset. (policy default, sender <>)");
	memcpy(e.sender, "a\x1b@c", 4);
	e.sender_len = 4;
	e.sender_cut = true;
	line("event: a sender that is cut", &e,
	     "%ASA-4-507003: tcp flow from 10.0.1.2/49536 to 10.0.2.2/25 terminated by inspection engine, reason - inspector drop reset. (policy default, sender <a\\x1b@c> cut)");
	e = event_new(ESMTP_EVENT_CMD_MASKED, ESMTP_ACTION_MASK, "EXPN");
	line("event: a command", &e,
	     "%ASA-4-108004: ESMTP Parameter: Masked command for ESMTP Request from 10.0.1.2/49536 to 10.0.2.2/25; command not allowed (policy default, \"EXPN\")");
	e = event_new(ESMTP_EVENT_BARE_LF, ESMTP_ACTION_COUNT, "a\r\n\\\"\x1b[2J\xff");
	line("event: what the peer sent is harmless", &e,
	     "%ESMTP-4-108103: ESMTP Parameter: Received ESMTP Request from 10.0.1.2/49536 to 10.0.2.2/25; line ended by LF alone (policy default, \"a\\x0d\\x0a\\x5c\\x22\\x1b[2J\\xff\")");
	e = event_new(999, ESMTP_ACTION_COUNT, "");
	line("event: of a newer module", &e,
	     "%ESMTP-5-108199: ESMTP Parameter: Received ESMTP Request from 10.0.1.2/49536 to 10.0.2.2/25; event 999 (policy default)");
}

/* The longest of everything, on all types: bounded, and no sanitizer objects. */
static void test_longest(void)
{
	char buf[EVENT_LINE_MAX];
	struct event e;
	size_t longest = 0;

	for (uint16_t type = 0; type <= ESMTP_EVENT_MAX + 1; type++) {
		memset(&e, 0xff, sizeof(e));
		e.type = type;
		e.family = AF_INET6;
		e.from_server = e.has_value = e.monitor = e.cond.negate = true;
		e.text_len = sizeof(e.text);
		e.sender_len = sizeof(e.sender);
		e.has_sender = e.sender_cut = true;
		memset(e.policy, 'p', sizeof(e.policy));
		e.policy[sizeof(e.policy) - 1] = '\0';
		event_line(&e, buf);
		if (strlen(buf) > longest)
			longest = strlen(buf);
	}
	result("event: the longest line fits", longest < EVENT_LINE_MAX - 1);
}

static void put_event(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, ESMTP_A_EVENT), *cond;

	mnl_attr_put_u16(nlh, ESMTP_A_EVENT_TYPE, ESMTP_EVENT_RULE);
	mnl_attr_put_u8(nlh, ESMTP_A_EVENT_ACTION, ESMTP_ACTION_DROP);
	mnl_attr_put(nlh, ESMTP_A_EVENT_FROM_SERVER, 0, NULL);
	mnl_attr_put_u8(nlh, ESMTP_A_EVENT_FAMILY, AF_INET6);
	mnl_attr_put(nlh, ESMTP_A_EVENT_SADDR, 16, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	mnl_attr_put(nlh, ESMTP_A_EVENT_DADDR, 4, "short");
	mnl_attr_put_u16(nlh, ESMTP_A_EVENT_SPORT, htons(40000));
	mnl_attr_put_u16(nlh, ESMTP_A_EVENT_DPORT, htons(25));
	mnl_attr_put_strz(nlh, ESMTP_A_EVENT_POLICY, "p");
	mnl_attr_put_u32(nlh, ESMTP_A_EVENT_RULE, 2);
	cond = mnl_attr_nest_start(nlh, ESMTP_A_EVENT_COND);
	mnl_attr_put_u8(nlh, ESMTP_A_COND_MATCH, ESMTP_MATCH_CMD_RCPT_COUNT);
	mnl_attr_put(nlh, ESMTP_A_COND_NOT, 0, NULL);
	mnl_attr_nest_end(nlh, cond);
	mnl_attr_put_u32(nlh, ESMTP_A_EVENT_VALUE, 101);
	mnl_attr_put_u32(nlh, ESMTP_A_EVENT_LIMIT, 100);
	mnl_attr_put(nlh, ESMTP_A_EVENT_TEXT, 4, "RCPT");
	mnl_attr_put_u64(nlh, ESMTP_A_EVENT_LOST, 7);
	mnl_attr_put_u64(nlh, ESMTP_A_EVENT_GENERATION, 99);
	mnl_attr_put(nlh, ESMTP_A_EVENT_SENDER, 8, "a@c.test");
	mnl_attr_put(nlh, ESMTP_A_EVENT_SENDER_CUT, 0, NULL);
	mnl_attr_put_u32(nlh, 60000 & NLA_TYPE_MASK, 1);
	mnl_attr_nest_end(nlh, nest);
}

static void test_event(void)
{
	static uint64_t buf[512];
	struct nlmsghdr *nlh = message_new(buf, sizeof(buf), ESMTP_CMD_EVENT);
	struct event e;

	put_event(nlh);
	result("wire: an event is read", wire_get_event(nlh, &e) && e.lost == 7 && e.generation == 99);
	line("wire: and printed; what has a wrong length is left out", &e,
	     "%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Response from ::/25 to 2001:db8::1/40000; matched Class 2: not cmd RCPT count gt 100 (policy p, seen 101, \"RCPT\", sender <a@c.test> cut)");
	nlh = message_new(buf, sizeof(buf), ESMTP_CMD_STATUS_GET);
	result("wire: another message is no event", !wire_get_event(nlh, &e));
}

static void put_session(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, ESMTP_A_SESSION);

	mnl_attr_put_u8(nlh, ESMTP_A_SESSION_FAMILY, AF_INET);
	mnl_attr_put(nlh, ESMTP_A_SESSION_SADDR, 4, "\x0a\0\1\2");
	mnl_attr_put(nlh, ESMTP_A_SESSION_DADDR, 4, "\x0a\0\2\2");
	mnl_attr_put_u16(nlh, ESMTP_A_SESSION_SPORT, htons(40000));
	mnl_attr_put_u16(nlh, ESMTP_A_SESSION_DPORT, htons(25));
	mnl_attr_put_u8(nlh, ESMTP_A_SESSION_PHASE, ESMTP_PHASE_CONTENT);
	mnl_attr_put_strz(nlh, ESMTP_A_SESSION_POLICY, "strict");
	mnl_attr_put_u64(nlh, ESMTP_A_SESSION_GENERATION, UINT64_MAX);
	mnl_attr_put_u32(nlh, ESMTP_A_SESSION_RCPTS, 3);
	mnl_attr_put_u64(nlh, ESMTP_A_SESSION_MESSAGE, 5000000000ull);
	mnl_attr_put_u32(nlh, ESMTP_A_SESSION_KEPT_CLIENT, 4096);
	mnl_attr_put_u32(nlh, ESMTP_A_SESSION_KEPT_SERVER, 256);
	mnl_attr_put_u32(nlh, ESMTP_A_SESSION_AGE, 77);
	mnl_attr_nest_end(nlh, nest);
}

/* What a format prints of a session, and of nothing else. */
static void session_printed(const char *name, const struct output_ops *ops, const struct session *s,
			    const char *want)
{
	struct output o = { .ops = ops };
	char *text = NULL;
	size_t size;

	o.f = open_memstream(&text, &size);
	ops->begin(&o);
	ops->session(&o, s);
	ops->end(&o);
	fclose(o.f);
	same(name, want, text);
	free(text);
}

static void test_session(void)
{
	static uint64_t buf[512];
	struct nlmsghdr *nlh = message_new(buf, sizeof(buf), ESMTP_CMD_SESSION_GET);
	struct session s;

	put_session(nlh);
	result("wire: a session is read", wire_get_session(nlh, &s));
	session_printed("session: a line", &output_text, &s,
			"10.0.1.2/40000 to 10.0.2.2/25, policy strict, phase content, recipients 3, message 5000000000, kept 4096 256, age 77\n");
	session_printed("session: JSON", &output_json, &s,
			"{\"esmtp\":[{\"metainfo\":{\"version\":\"0.1.0\",\"json_schema_version\":2}},"
			"{\"session\":{\"client\":{\"address\":\"10.0.1.2\",\"port\":40000},"
			"\"server\":{\"address\":\"10.0.2.2\",\"port\":25},\"policy\":\"strict\","
			"\"generation\":\"18446744073709551615\",\"phase\":\"content\",\"recipients\":3,"
			"\"message-bytes\":5000000000,\"kept-bytes\":{\"client\":4096,\"server\":256},"
			"\"age\":77}}]}\n");
	nlh = message_new(buf, sizeof(buf), ESMTP_CMD_STATUS_GET);
	result("wire: another message is no session", !wire_get_session(nlh, &s));
}

/* A dump, cut anywhere and with any byte changed: it may be nonsense, it must not hurt. */
static void test_hostile(void)
{
	static uint64_t buf[4096], copy[4096];
	struct nlmsghdr *nlh = message_new(buf, sizeof(buf), ESMTP_CMD_POLICY_GET);
	struct nlmsghdr *bad = (void *)copy;
	struct dump d = { 0 };
	struct status s;
	struct session session;
	struct event e;

	wire_put_policy(nlh, policy_new(5), 0, NULL);
	put_event(nlh);
	put_session(nlh);
	for (uint32_t i = MNL_NLMSG_HDRLEN; i < nlh->nlmsg_len; i++)
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, buf, sizeof(buf));
			((uint8_t *)copy)[i] ^= (uint8_t)(1 << bit);
			wire_get_policy(bad, &d);
			wire_get_status(bad, &s);
			wire_get_event(bad, &e);
			wire_get_session(bad, &session);
			bad->nlmsg_len = i;
			wire_get_policy(bad, &d);
		}
	result("wire: any bit of a message turned, and any cut", true);
	mem_release();
}

static void test_refusal(void)
{
	static uint64_t buf[64];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlmsgerr *e = mnl_nlmsg_put_extra_header(nlh, sizeof(*e));
	struct kerror ke;

	nlh->nlmsg_type = NLMSG_ERROR;
	nlh->nlmsg_flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
	e->error = -EINVAL;
	e->msg.nlmsg_seq = 42;
	e->msg.nlmsg_len = 4000;
	mnl_attr_put_strz(nlh, NLMSGERR_ATTR_MSG, "no such thing");
	mnl_attr_put_u32(nlh, NLMSGERR_ATTR_OFFS, 36);
	kerror_parse(nlh, &ke);
	result("refusal: number, place and sentence",
	       ke.err == EINVAL && ke.seq == 42 && ke.offset == 36 &&
	       !strcmp(kerror_text(&ke), "no such thing"));
	nlh->nlmsg_flags = NLM_F_ACK_TLVS;
	kerror_parse(nlh, &ke);
	result("refusal: longer than it is", ke.err == EINVAL && !ke.offset);
	ke = (struct kerror){ .err = EPERM };
	result("refusal: without privilege", strstr(kerror_text(&ke), "CAP_NET_ADMIN"));
}

static void test_label(void)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	metrics_label(f, "a\"b\\c\nd {,}=");
	fclose(f);
	same("metrics: what a label may not have is escaped", "\"a\\\"b\\\\c\\nd {,}=\"", text);
	free(text);
}

/* For a reader of the format: every family, and names with what has to be escaped. */
static int print_metrics(void)
{
	struct policy *p = policy_new(10), *q = policy_new(0);
	struct config c = { .policies = p };
	struct status s = { .version = "1.\"2\"\\", .generation = UINT64_MAX, .sessions = 3 };
	struct guard g = { .present = true, .now = { { 1, 0 }, { 2, 0 }, { 3, 0 }, { UINT64_MAX, 0 } } };

	p->next = q;
	q->name = "back\\slash";
	for (unsigned int i = 0; i < 10; i++)
		p->rules[i].count = i;
	metrics_print(stdout, &c, &s, &g);
	mem_release();
	return 0;
}

/* Every number that a message can have, done or only seen. */
static int print_messages(void)
{
	for (uint16_t type = 1; type <= ESMTP_EVENT_MAX; type++)
		for (int i = 0; i < 4; i++) {
			const struct esmtp_subject s = { type, i & 1, i & 2 };
			unsigned int number = esmtp_message_number(&s);

			printf("%%%s-%u-%u\n", esmtp_message_origin(number),
			       esmtp_message_severity(&s), number);
		}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--messages"))
		return print_messages();
	if (argc > 1 && !strcmp(argv[1], "--metrics"))
		return print_metrics();
	test_intervals();
	test_families();
	test_table(1, 0);
	test_table(WIRE_PIECE_MAX, 1);
	test_table(WIRE_PIECE_MAX + 1, WIRE_PIECE_MAX + 1);
	test_table(100000, 50000);
	test_sources();
	test_policy(0);
	test_policy(1);
	test_policy(WIRE_RULES_MAX);
	test_policy(WIRE_RULES_MAX + 1);
	test_policy(ESMTP_RULES_MAX);
	test_places();
	test_rule_lines();
	test_lines();
	test_longest();
	test_event();
	test_session();
	test_hostile();
	test_refusal();
	test_label();
	mem_release();
	return failed;
}
