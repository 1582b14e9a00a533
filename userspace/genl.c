// SPDX-License-Identifier: GPL-2.0-only
/*
 * Generic netlink by hand: the family, requests, answers and their errors.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <time.h>

#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"
#include "genl.h"
#include "module.h"

#define ANSWER_SIZE 65536

static int on_group(const struct nlattr *attr, void *data)
{
	const struct nlattr **tb = data;

	if (mnl_attr_get_type(attr) <= CTRL_ATTR_MCAST_GRP_MAX)
		tb[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

static void parse_groups(const struct nlattr *groups, struct genl *g)
{
	const struct nlattr *pos;

	mnl_attr_for_each_nested(pos, groups) {
		const struct nlattr *tb[CTRL_ATTR_MCAST_GRP_MAX + 1] = { 0 };

		mnl_attr_parse_nested(pos, on_group, tb);
		if (tb[CTRL_ATTR_MCAST_GRP_NAME] && tb[CTRL_ATTR_MCAST_GRP_ID] &&
		    !strcmp(mnl_attr_get_str(tb[CTRL_ATTR_MCAST_GRP_NAME]), ESMTP_GENL_MCGRP))
			g->group = mnl_attr_get_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
	}
}

static int on_family(const struct nlmsghdr *nlh, void *data)
{
	struct genl *g = data;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
			g->family = mnl_attr_get_u16(attr);
		else if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GROUPS)
			parse_groups(attr, g);
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *request_new(struct genl *g, uint16_t family, uint8_t cmd, uint8_t ver,
				    uint16_t flags)
{
	struct nlmsghdr *nlh;
	struct genlmsghdr *genl;

	memset(g->buf, 0, sizeof(g->buf));
	nlh = mnl_nlmsg_put_header(g->buf);
	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++g->seq;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = ver;
	return nlh;
}

static int find_family(struct genl *g)
{
	struct kerror ke;
	struct nlmsghdr *nlh = request_new(g, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1, NLM_F_ACK);

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, ESMTP_GENL_NAME);
	return genl_talk(g, nlh, on_family, g, &ke);
}

static bool open_socket(struct genl *g, struct erecs *errors)
{
	int one = 1;

	g->nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!g->nl || mnl_socket_bind(g->nl, 0, MNL_SOCKET_AUTOPID) < 0) {
		erec_add(errors, NULL, "netlink does not work here: %s", strerror(errno));
		genl_close(g);
		return false;
	}
	/* Older kernels lack them; then there is only errno. */
	mnl_socket_setsockopt(g->nl, NETLINK_EXT_ACK, &one, sizeof(one));
	mnl_socket_setsockopt(g->nl, NETLINK_CAP_ACK, &one, sizeof(one));
	g->seq = (uint32_t)time(NULL);
	return true;
}

/**
 * genl_open() - reach the module, which is loaded if need be
 * @g: the socket
 * @errors: why not
 *
 * Return: true if it answers.
 */
bool genl_open(struct genl *g, struct erecs *errors)
{
	int err;

	memset(g, 0, sizeof(*g));
	if (!open_socket(g, errors))
		return false;
	/* The kernel loads the module by itself where its loader works. */
	err = find_family(g);
	if (!err)
		return true;
	if (module_load(errors)) {
		err = find_family(g);
		if (!err)
			return true;
		erec_add(errors, NULL, "%s is loaded but does not answer: %s", MODULE_NAME,
			 strerror(-err));
	}
	genl_close(g);
	return false;
}

/**
 * genl_close() - give the socket back
 * @g: the socket; a stage that belongs to it is gone
 */
void genl_close(struct genl *g)
{
	if (g->nl)
		mnl_socket_close(g->nl);
	g->nl = NULL;
}

/**
 * genl_listen() - receive events from now on, and whether the module goes
 * @g: the socket
 * @errors: why not
 *
 * Return: true if it worked.
 */
bool genl_listen(struct genl *g, struct erecs *errors)
{
	int size = 4 << 20, group = (int)g->group, families = GENL_ID_CTRL;

	if (mnl_socket_setsockopt(g->nl, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ||
	    mnl_socket_setsockopt(g->nl, NETLINK_ADD_MEMBERSHIP, &families, sizeof(families)) < 0) {
		erec_add(errors, NULL, "cannot listen to events: %s", errno == EPERM ?
			 "this needs root, or CAP_NET_ADMIN in this network namespace" :
			 strerror(errno));
		return false;
	}
	if (setsockopt(mnl_socket_get_fd(g->nl), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(mnl_socket_get_fd(g->nl), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return true;
}

/**
 * genl_gone() - whether a message says that the module has gone
 * @g: a socket that listens
 * @nlh: what it has received
 *
 * Return: true if nothing comes any more, also when the module is loaded again.
 */
bool genl_gone(const struct genl *g, const struct nlmsghdr *nlh)
{
	const struct genlmsghdr *genl = mnl_nlmsg_get_payload(nlh);
	struct genl named = { 0 };

	if (nlh->nlmsg_type != GENL_ID_CTRL || nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*genl)) ||
	    genl->cmd != CTRL_CMD_DELFAMILY)
		return false;
	on_family(nlh, &named);
	return named.family == g->family;
}

/**
 * genl_request() - begin a message to the module
 * @g: the socket, whose buffer is used
 * @cmd: enum esmtp_cmd
 * @flags: NLM_F_* beside NLM_F_REQUEST
 *
 * Return: the message.
 */
struct nlmsghdr *genl_request(struct genl *g, uint8_t cmd, uint16_t flags)
{
	return request_new(g, g->family, cmd, ESMTP_GENL_VERSION, flags);
}

/* Returns 1 = more to come, 0 = done. Refusals and broken dumps stand in ke. */
static int take_message(const struct nlmsghdr *nlh, bool dump, mnl_cb_t cb, void *data,
			struct kerror *ke)
{
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		ke->err = EINTR;
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
		kerror_parse(nlh, ke);
		return 0;
	case NLMSG_DONE:
		return dump ? 0 : 1;
	case NLMSG_NOOP:
		return 1;
	}
	if (cb && !ke->err)
		cb(nlh, data);
	return 1;
}

static int take_answer(struct genl *g, uint32_t seq, bool dump, mnl_cb_t cb, void *data,
		       struct kerror *ke)
{
	static uint64_t buf[ANSWER_SIZE / sizeof(uint64_t)];
	ssize_t got = mnl_socket_recvfrom(g->nl, buf, sizeof(buf));
	const struct nlmsghdr *nlh = (void *)buf;
	int len = (int)got;

	if (got < 0 && errno == EINTR)
		return 1;
	if (got < 0) {
		ke->err = errno;
		return 0;
	}
	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
		if (nlh->nlmsg_seq == seq && !take_message(nlh, dump, cb, data, ke))
			return 0;
	return 1;
}

/**
 * genl_talk() - send a request and take its answers
 * @g: the socket
 * @nlh: the request; with NLM_F_DUMP, or NLM_F_ACK so that it has an end
 * @cb: called with each answer
 * @data: for @cb
 * @ke: the refusal
 *
 * Return: 0, or the negative errno of @ke; -EINTR when a dump must be repeated.
 */
int genl_talk(struct genl *g, struct nlmsghdr *nlh, mnl_cb_t cb, void *data, struct kerror *ke)
{
	bool dump = nlh->nlmsg_flags & NLM_F_DUMP;

	memset(ke, 0, sizeof(*ke));
	if (mnl_socket_sendto(g->nl, nlh, nlh->nlmsg_len) < 0) {
		ke->err = errno;
		return -errno;
	}
	while (take_answer(g, nlh->nlmsg_seq, dump, cb, data, ke))
		;
	return -ke->err;
}
