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

/**
 * struct monitor - what is remembered between events
 * @r: the request
 * @lost: events lost so far; UINT64_MAX = not known
 */
struct monitor {
	struct request *r;
	uint64_t lost;
};

/* Returns false if no more will come. */
static bool take_events(struct monitor *m, const struct genl *g, const void *buf, ssize_t got)
{
	const struct nlmsghdr *nlh = buf;
	int len = (int)got;
	struct event e;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (genl_gone(g, nlh)) {
			erec_add(&m->r->errors, NULL, "the module has been unloaded: no more events come");
			return false;
		}
		if (nlh->nlmsg_type != g->family || !wire_get_event(nlh, &e))
			continue;
		if (e.lost > m->lost)
			fprintf(stderr, "esmtpctl: %" PRIu64 " events lost in the kernel\n",
				e.lost - m->lost);
		m->lost = e.lost;
		m->r->o.ops->event(&m->r->o, &e);
	}
	return true;
}

static void listen_on(struct monitor *m, struct genl *g)
{
	static uint64_t buf[MESSAGE_SIZE / sizeof(uint64_t)];
	ssize_t got;

	while (!ferror(m->r->o.f)) {
		got = mnl_socket_recvfrom(g->nl, buf, sizeof(buf));
		if (got >= 0) {
			if (!take_events(m, g, buf, got))
				return;
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
 * It ends when nobody reads any more, when the module goes, or by a signal.
 *
 * Return: false when it ended.
 */
bool command_monitor(struct request *r)
{
	struct monitor m = { .r = r, .lost = UINT64_MAX };
	struct genl g;

	if (!genl_open(&g, &r->errors))
		return false;
	if (genl_listen(&g, &r->errors))
		listen_on(&m, &g);
	genl_close(&g);
	return false;
}
