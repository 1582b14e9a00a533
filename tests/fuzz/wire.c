// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes as what the module says to the tool: they are read within their bounds, and what was
 * read can be printed. A newer module, or a forger in its place, says what it likes.
 *
 * The input: a byte that chooses who reads, and messages behind netlink's header, each with its length in two bytes.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/genetlink.h>

#include "../../userspace/output.h"
#include "../../userspace/util.h"
#include "../../userspace/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/**
 * struct reading - what was read so far
 * @dump: policies
 * @slot: of one
 * @tables: sources of tables
 * @status: the module's
 */
struct reading {
	struct dump dump;
	uint32_t slot;
	struct table_source *tables;
	struct status status;
};

static void print(const struct output_ops *ops, const struct nlmsghdr *nlh, FILE *f)
{
	struct output o = { .f = f, .ops = ops, .time = true };
	char line[EVENT_LINE_MAX];
	struct session s;
	struct event e;

	if (wire_get_event(nlh, &e)) {
		if (strlen(event_line(&e, line)) >= sizeof(line))
			abort();
		ops->event(&o, &e);
	}
	if (ops == &output_text && wire_get_session(nlh, &s))
		ops->session(&o, &s);
}

static void read_message(uint8_t who, const struct nlmsghdr *nlh, struct reading *r, FILE *nowhere)
{
	switch (who % 5) {
	case 0:
		wire_get_policy(nlh, &r->dump);
		break;
	case 1:
		wire_get_table(nlh, &r->tables);
		for (const struct table_source *t = r->tables; t; t = t->next)
			if (t->len > t->size)
				abort();
		break;
	case 2:
		wire_get_status(nlh, &r->status);
		break;
	case 3:
		wire_get_slot(nlh, &r->slot);
		break;
	default:
		print(&output_text, nlh, nowhere);
		print(&output_json, nlh, nowhere);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reading r = { 0 };
	static FILE *nowhere;
	struct nlmsghdr *nlh;
	const uint8_t who = len ? *data : 0;
	size_t n;

	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	for (data++, len -= !!len; len > 2 && len < 65536; data += n, len -= n) {
		n = (size_t)(data[0] | data[1] << 8);
		data += 2;
		len -= 2;
		n = n < len ? n : len;
		/* What is shorter never gets that far; attributes are padded, and libmnl counts on that. */
		n &= ~(size_t)(NLMSG_ALIGNTO - 1);
		if (n < sizeof(struct genlmsghdr))
			break;
		/* A block of exactly this size, for the sanitizer. */
		nlh = malloc(sizeof(*nlh) + n);
		*nlh = (struct nlmsghdr){ .nlmsg_len = (uint32_t)(sizeof(*nlh) + n) };
		memcpy(nlh + 1, data, n);
		read_message(who, nlh, &r, nowhere);
		free(nlh);
	}
	mem_release();
	return 0;
}
