// SPDX-License-Identifier: GPL-2.0-only
/*
 * Acknowledgements of netlink, with the extended ones' sentence and offset.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include "kerror.h"

static void parse_attrs(const struct nlmsghdr *nlh, unsigned int offset, struct kerror *ke)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, offset) {
		switch (mnl_attr_get_type(attr)) {
		case NLMSGERR_ATTR_MSG:
			snprintf(ke->text, sizeof(ke->text), "%.*s",
				 (int)mnl_attr_get_payload_len(attr), mnl_attr_get_str(attr));
			break;
		case NLMSGERR_ATTR_OFFS:
			if (mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
				ke->offset = mnl_attr_get_u32(attr);
			break;
		}
	}
}

/**
 * kerror_parse() - read an acknowledgement
 * @nlh: message of type NLMSG_ERROR
 * @ke: what it says
 */
void kerror_parse(const struct nlmsghdr *nlh, struct kerror *ke)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
	unsigned int offset = sizeof(*e);

	memset(ke, 0, sizeof(*ke));
	if (nlh->nlmsg_len < mnl_nlmsg_size(sizeof(*e))) {
		ke->err = EBADMSG;
		return;
	}
	ke->err = -e->error;
	ke->seq = e->msg.nlmsg_seq;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
		offset += e->msg.nlmsg_len - MNL_NLMSG_HDRLEN;
	if (mnl_nlmsg_size(offset) <= nlh->nlmsg_len)
		parse_attrs(nlh, offset, ke);
}

/**
 * kerror_text() - what is wrong, for people
 * @ke: the refusal
 *
 * Return: the kernel's own sentence if it gave one, else that of errno.
 */
const char *kerror_text(const struct kerror *ke)
{
	if (ke->err == EPERM && !*ke->text)
		return "not permitted: this needs root, or CAP_NET_ADMIN in this network namespace";
	return *ke->text ? ke->text : strerror(ke->err);
}
