/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_GENL_H
#define ESMTPCTL_GENL_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "erec.h"
#include "kerror.h"

/**
 * struct genl - a socket to the module
 * @nl: the socket; NULL = not open
 * @seq: number of the last request
 * @family: number of the family "esmtp"
 * @group: number of its multicast group "events"
 * @buf: for requests
 */
struct genl {
	struct mnl_socket *nl;
	uint32_t seq;
	uint16_t family;
	uint32_t group;
	uint64_t buf[4096];
};

bool genl_open(struct genl *g, struct erecs *errors);
void genl_close(struct genl *g);
bool genl_listen(struct genl *g, struct erecs *errors);
bool genl_gone(const struct genl *g, const struct nlmsghdr *nlh);
struct nlmsghdr *genl_request(struct genl *g, uint8_t cmd, uint16_t flags);
int genl_talk(struct genl *g, struct nlmsghdr *nlh, mnl_cb_t cb, void *data,
	      struct kerror *ke);

#endif
