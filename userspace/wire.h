/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's netlink language: building and reading messages. */
#ifndef ESMTPCTL_WIRE_H
#define ESMTPCTL_WIRE_H

#include <libmnl/libmnl.h>

#include "config.h"
#include "event.h"
#include "session.h"
#include "status.h"

#define WIRE_RULES_MAX	64	/* rules in one message: with the longest texts half of struct genl's buffer */
#define WIRE_PIECE_MAX	24576	/* bytes of a table in one message */

/**
 * struct attr_places - which statement an attribute of a message came from
 * @n: how many are known
 * @at: their first and last byte, from the start of the message, and the statement's place
 */
struct attr_places {
	unsigned int n;
	struct {
		uint32_t first;
		uint32_t last;
		const struct location *loc;
	} at[WIRE_RULES_MAX + 8];
};

/**
 * struct dump - what a dump of policies came to
 * @generation: of the configuration
 * @policies: the policies, in order of slots
 */
struct dump {
	uint64_t generation;
	struct policy *policies;
};

/**
 * struct table_source - a table as the module keeps it for a listing
 * @next: the one behind it
 * @name: its name
 * @id: its number
 * @text: its statement
 * @len: bytes of @text so far
 * @size: bytes of @text when all have come
 */
struct table_source {
	struct table_source *next;
	const char *name;
	uint32_t id;
	char *text;
	size_t len;
	size_t size;
};

size_t wire_put_table(struct nlmsghdr *nlh, const struct table *t, const struct blob *source,
		      size_t offset);
int wire_get_table(const struct nlmsghdr *nlh, void *list);
void wire_put_policy(struct nlmsghdr *nlh, const struct policy *p, unsigned int first,
		     struct attr_places *places);
const struct location *wire_place(const struct attr_places *places, uint32_t offset);
int wire_get_slot(const struct nlmsghdr *nlh, void *slot);
int wire_get_policy(const struct nlmsghdr *nlh, void *dump);
int wire_get_status(const struct nlmsghdr *nlh, void *status);
bool wire_get_session(const struct nlmsghdr *nlh, struct session *s);
bool wire_get_event(const struct nlmsghdr *nlh, struct event *e);

#endif
