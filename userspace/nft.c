// SPDX-License-Identifier: GPL-2.0-only
/*
 * nf_tables over netlink: transactions, and questions.
 *
 * A transaction is a batch of messages between BATCH_BEGIN and BATCH_END. The
 * kernel does all of it or nothing. Without the END it only finds out whether it
 * could, and lets everything be: so a check asks the kernel itself.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "nft.h"
#include "util.h"

#define PAGE_BYTES	(1u << 17)	/* of a batch; one message never is longer than half */
#define ANSWER_SIZE	(1u << 16)

static struct mnl_socket *open_socket(struct erecs *errors)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int one = 1;

	if (nl && mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) == 0) {
		mnl_socket_setsockopt(nl, NETLINK_EXT_ACK, &one, sizeof(one));
		mnl_socket_setsockopt(nl, NETLINK_CAP_ACK, &one, sizeof(one));
		return nl;
	}
	erec_add(errors, NULL, "netlink to netfilter does not work here: %s", strerror(errno));
	if (nl)
		mnl_socket_close(nl);
	return NULL;
}

/**
 * nft_begin() - begin a transaction
 * @b: the transaction
 * @errors: why not
 *
 * Return: true if it has begun; then nft_end() must follow some time.
 */
bool nft_begin(struct nft_batch *b, struct erecs *errors)
{
	memset(b, 0, sizeof(*b));
	b->nl = open_socket(errors);
	if (!b->nl)
		return false;
	b->batch = nftnl_batch_alloc(PAGE_BYTES / 2, PAGE_BYTES / 2);
	if (!b->batch) {
		erec_add(errors, NULL, "out of memory");
		nft_end(b);
		return false;
	}
	b->seq = (uint32_t)time(NULL);
	nftnl_batch_begin(nftnl_batch_buffer(b->batch), b->seq++);
	nft_message_done(b);
	return true;
}

static void note(struct nft_batch *b, uint32_t seq, const char *what)
{
	if (b->n_notes == b->room) {
		size_t room = b->room ? b->room * 2 : 64;

		b->notes = mem_grow(b->notes, b->n_notes * sizeof(*b->notes),
				    room * sizeof(*b->notes));
		b->room = room;
	}
	b->notes[b->n_notes++] = (struct nft_note){ seq, b->loc, what };
}

/**
 * nft_message() - begin a message of the transaction
 * @b: the transaction
 * @type: NFT_MSG_*
 * @flags: NLM_F_* beside NLM_F_REQUEST
 * @what: what it makes, for an error
 *
 * Return: the message; nft_message_done() ends it.
 */
struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type, uint16_t flags, const char *what)
{
	note(b, b->seq, what);
	return nftnl_nlmsg_build_hdr(nftnl_batch_buffer(b->batch), type, NFPROTO_INET, flags,
				     b->seq++);
}

/**
 * nft_message_done() - the message is complete
 * @b: the transaction
 */
void nft_message_done(struct nft_batch *b)
{
	nftnl_batch_update(b->batch);
}

static ssize_t send_batch(struct nft_batch *b)
{
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	int fd = mnl_socket_get_fd(b->nl), n = nftnl_batch_iovec_len(b->batch);
	struct iovec *iov = mem_alloc((size_t)n * sizeof(*iov));
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to),
			      .msg_iov = iov, .msg_iovlen = (size_t)n };
	int size = 0;

	nftnl_batch_iovec(b->batch, iov, (uint32_t)n);
	for (int i = 0; i < n; i++)
		size += (int)iov[i].iov_len;
	size = size * 2 + (1 << 18);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return sendmsg(fd, &msg, 0);
}

static const struct nft_note *find_note(const struct nft_batch *b, uint32_t seq)
{
	for (size_t i = 0; i < b->n_notes; i++)
		if (b->notes[i].seq == seq)
			return &b->notes[i];
	return NULL;
}

static void say(const struct nft_batch *b, const struct kerror *ke, struct erecs *errors)
{
	const struct nft_note *n = find_note(b, ke->seq);

	if (ke->err == EPERM)
		erec_add(errors, NULL, "%s", kerror_text(ke));
	else
		erec_add(errors, n ? n->loc : NULL, "nf_tables refuses %s: %s",
			 n ? n->what : "the table", kerror_text(ke));
}

/* The kernel has answered by the time sendmsg() returns: what is not there will never come. */
static void take_answers(const struct nft_batch *b, struct erecs *errors)
{
	static uint64_t buf[ANSWER_SIZE / sizeof(uint64_t)];
	int fd = mnl_socket_get_fd(b->nl);
	const struct nlmsghdr *nlh;
	struct kerror ke;
	ssize_t got;
	int len;

	while ((got = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		len = (int)got;
		for (nlh = (void *)buf; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			kerror_parse(nlh, &ke);
			if (ke.err)
				say(b, &ke, errors);
			if (ke.err == EPERM)
				return;
		}
	}
	if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
		erec_add(errors, NULL, "nf_tables: %s", strerror(errno));
}

/**
 * nft_commit() - do all of it, or nothing
 * @b: the transaction
 * @check: nothing, only find out whether it could be done
 * @errors: what the kernel refuses
 *
 * Return: true if nothing was refused.
 */
bool nft_commit(struct nft_batch *b, bool check, struct erecs *errors)
{
	unsigned int before = errors->count;

	if (!check) {
		nftnl_batch_end(nftnl_batch_buffer(b->batch), b->seq++);
		nft_message_done(b);
	}
	if (send_batch(b) < 0) {
		erec_add(errors, NULL, "nf_tables: %s", strerror(errno));
		return false;
	}
	take_answers(b, errors);
	return errors->count == before;
}

/**
 * nft_end() - give everything back
 * @b: the transaction
 */
void nft_end(struct nft_batch *b)
{
	if (b->batch)
		nftnl_batch_free(b->batch);
	if (b->nl)
		mnl_socket_close(b->nl);
	memset(b, 0, sizeof(*b));
}

/* Returns 1 = more to come, 0 = done; *err is the negative errno. */
static int take_question(struct mnl_socket *nl, bool dump, mnl_cb_t cb, void *data, int *err)
{
	static uint64_t buf[ANSWER_SIZE / sizeof(uint64_t)];
	ssize_t got = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	const struct nlmsghdr *nlh = (void *)buf;
	int len = (int)got;
	struct kerror ke;

	if (got < 0) {
		*err = -errno;
		return 0;
	}
	for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
			*err = -EINTR;
		if (nlh->nlmsg_type == NLMSG_DONE)
			return 0;
		if (nlh->nlmsg_type == NLMSG_ERROR) {
			kerror_parse(nlh, &ke);
			*err = -ke.err;
			return 0;
		}
		cb(nlh, data);
		if (!dump)
			return 0;
	}
	return 1;
}

/**
 * nft_ask() - ask nf_tables something
 * @type: NFT_MSG_GET*
 * @flags: NLM_F_DUMP, or 0 for one object
 * @fill: puts attributes into the question, or NULL
 * @arg: for @fill
 * @cb: called with each answer
 * @data: for @cb
 *
 * Return: 0, or a negative errno; -EINTR when something changed meanwhile.
 */
int nft_ask(uint16_t type, uint16_t flags, void (*fill)(struct nlmsghdr *nlh, const void *arg),
	    const void *arg, mnl_cb_t cb, void *data)
{
	static uint64_t buf[512];
	struct erecs ignored;
	struct mnl_socket *nl;
	struct nlmsghdr *nlh;
	int err = 0;

	erec_init(&ignored);
	nl = open_socket(&ignored);
	if (!nl)
		return -errno;
	memset(buf, 0, sizeof(buf));
	nlh = nftnl_nlmsg_build_hdr((char *)buf, type, NFPROTO_INET, flags, 1);
	if (fill)
		fill(nlh, arg);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		err = -errno;
	else
		while (take_question(nl, flags & NLM_F_DUMP, cb, data, &err))
			;
	mnl_socket_close(nl);
	return err;
}
