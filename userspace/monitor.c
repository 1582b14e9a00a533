// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events as they come.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "util.h"
#include "wire.h"

#define MESSAGE_SIZE 65536

#define POLICIES_AGE_MS 1000

/**
 * struct monitor - what is remembered between events
 * @r: the request
 * @ask: a socket for questions
 * @c: the policies, as they were lately
 * @read: when that was, in milliseconds; 0 = never
 * @mark: memory before they were read
 * @lost: events lost so far; UINT64_MAX = not known
 */
struct monitor {
	struct request *r;
	struct genl ask;
	struct config c;
	uint64_t read;
	struct mem_mark mark;
	uint64_t lost;
};

/* An event says which policy and rule; what these are like is asked for now and then. */
static void read_again(struct monitor *m)
{
	struct erecs ignored;

	if (m->read && now_ms() - m->read < POLICIES_AGE_MS)
		return;
	mem_release_since(m->mark);
	erec_init(&ignored);
	m->c.policies = NULL;
	read_policies(&m->ask, &m->c, NULL, false, &ignored);
	m->read = now_ms();
}

static void complete(struct monitor *m, struct event *e)
{
	const struct policy *p;
	const struct rule *r;

	read_again(m);
	p = config_policy(&m->c, e->policy);
	if (!p)
		return;
	e->monitor = p->flags & ESMTP_POLICY_F_MONITOR;
	r = e->rule && e->rule <= p->n_rules ? &p->rules[e->rule - 1] : NULL;
	for (unsigned int i = 0; r && i < r->n_conds; i++)
		if (r->conds[i].match == e->cond.match && r->conds[i].limit == e->cond.limit &&
		    (!*e->table || (r->conds[i].table_name &&
				    !strcmp(r->conds[i].table_name, e->table))))
			e->cond = r->conds[i];
}

static void take_events(struct monitor *m, const void *buf, ssize_t got)
{
	const struct nlmsghdr *nlh = buf;
	int len = (int)got;
	struct event e;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (!wire_get_event(nlh, &e))
			continue;
		if (e.lost > m->lost)
			fprintf(stderr, "esmtpctl: %" PRIu64 " events lost in the kernel\n",
				e.lost - m->lost);
		m->lost = e.lost;
		complete(m, &e);
		m->r->o.ops->event(&m->r->o, &e);
	}
}

static void listen_on(struct monitor *m, struct genl *g)
{
	static uint64_t buf[MESSAGE_SIZE / sizeof(uint64_t)];
	ssize_t got;

	while (!ferror(m->r->o.f)) {
		got = mnl_socket_recvfrom(g->nl, buf, sizeof(buf));
		if (got >= 0) {
			take_events(m, buf, got);
		} else if (errno == ENOBUFS) {
			fputs("esmtpctl: events lost: they came faster than they could be printed\n",
			      stderr);
		} else if (errno != EINTR) {
			erec_add(&m->r->errors, NULL, "events cannot be read: %s", strerror(errno));
			return;
		}
	}
}

/**
 * command_monitor() - esmtpctl monitor
 * @r: the request
 *
 * It ends when nobody reads any more, or by a signal.
 *
 * Return: false when it ended.
 */
bool command_monitor(struct request *r)
{
	struct monitor m = { .r = r, .lost = UINT64_MAX };
	struct genl g;

	if (!genl_open(&g, &r->errors))
		return false;
	if (genl_listen(&g, &r->errors) && genl_open(&m.ask, &r->errors)) {
		m.mark = mem_mark();
		listen_on(&m, &g);
		genl_close(&m.ask);
	}
	genl_close(&g);
	return false;
}
