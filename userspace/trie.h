/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of domains and addresses. */
#ifndef ESMTPCTL_TRIE_H
#define ESMTPCTL_TRIE_H

#include "automaton.h"

/**
 * struct domains - a list of domains and addresses on its way to a table
 * @a: the automaton so far
 * @child: of each state of @a, its first child
 * @sibling: of each state of @a, the next child of its parent
 * @byte: of each state of @a, the byte that leads to it
 * @root: where the three kinds of elements begin, by enum domains_kind
 */
struct domains {
	struct nfa a;
	uint32_t *child;
	uint32_t *sibling;
	uint8_t *byte;
	uint32_t root[3];
};

void domains_init(struct domains *d);
const char *domains_add(struct domains *d, const char *element);
enum automaton_result domains_table(const struct domains *d, struct blob *blob);

#endif
