// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events as they come.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "commands.h"
#include "wire.h"

#define MESSAGE_SIZE 65536

static void take_events(struct request *r, const void *buf, ssize_t got, uint64_t *lost)
{
	const struct nlmsghdr *nlh = buf;
	int len = (int)got;
	struct event e;

	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (!wire_get_event(nlh, &e))
			continue;
		if (*lost != UINT64_MAX && e.lost > *lost)
			fprintf(stderr, "esmtpctl: %" PRIu64 " events lost in the kernel\n",
				e.lost - *lost);
		*lost = e.lost;
		r->o.ops->event(&r->o, &e);
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
	static uint64_t buf[MESSAGE_SIZE / sizeof(uint64_t)];
	uint64_t lost = UINT64_MAX;
	struct genl g;
	ssize_t got;

	if (!genl_open(&g, &r->errors))
		return false;
	if (!genl_listen(&g, &r->errors)) {
		genl_close(&g);
		return false;
	}
	while (!ferror(r->o.f)) {
		got = mnl_socket_recvfrom(g.nl, buf, sizeof(buf));
		if (got < 0 && errno == ENOBUFS) {
			fputs("esmtpctl: events lost: they came faster than they could be printed\n",
			      stderr);
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			erec_add(&r->errors, NULL, "netlink: %s", strerror(errno));
			break;
		}
		take_events(r, buf, got, &lost);
	}
	genl_close(&g);
	return false;
}
