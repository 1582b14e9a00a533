/* SPDX-License-Identifier: GPL-2.0-only */
/* What the kernel says when it refuses something. */
#ifndef ESMTPCTL_KERROR_H
#define ESMTPCTL_KERROR_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct kerror - a refusal
 * @err: errno, 0 = there is none
 * @text: the kernel's sentence, or empty
 * @offset: of the attribute that is meant, from the start of the message; 0 = none
 * @seq: number of the message that was refused
 */
struct kerror {
	int err;
	char text[256];
	uint32_t offset;
	uint32_t seq;
};

void kerror_parse(const struct nlmsghdr *nlh, struct kerror *ke);
const char *kerror_text(const struct kerror *ke);

#endif
