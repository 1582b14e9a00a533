/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_NFT_H
#define ESMTPCTL_NFT_H

#include <libmnl/libmnl.h>
#include <libnftnl/batch.h>
#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "kerror.h"
#include "status.h"

#define NFT_TABLE	"esmtp"
#define NFT_EXEMPT4	"exempt4"
#define NFT_EXEMPT6	"exempt6"
#define NFT_PORTS	"ports"
#define NFT_GUARDED	"guarded-ports"

#define NFT_SET_NAME_MAX	128	/* of a set of ours, with the NUL */

/**
 * struct nft_note - what one message of a batch is about
 * @seq: its number
 * @loc: the statement that it came from, or NULL
 * @what: what it makes
 */
struct nft_note {
	uint32_t seq;
	const struct location *loc;
	const char *what;
};

/**
 * struct nft_batch - a transaction under preparation
 * @nl: the socket
 * @batch: the messages
 * @seq: number of the last one
 * @notes: what they are about
 * @n_notes: how many
 * @room: of @notes
 * @loc: noted with the next messages
 */
struct nft_batch {
	struct mnl_socket *nl;
	struct nftnl_batch *batch;
	uint32_t seq;
	struct nft_note *notes;
	size_t n_notes;
	size_t room;
	const struct location *loc;
};

/**
 * struct nft_table - what is read back of the table
 * @present: there is one
 * @dormant: its chains are switched off
 * @guarded: ports on which its inspect list chooses connections
 * @generation: of the configuration that made it
 * @version: of the tool that made it
 * @helpers: bit = slot that it has a helper object for
 * @helper_names: their names, by slot
 * @config: classes, exempt hosts, the inspect list; no policies
 * @guard: its counters
 */
struct nft_table {
	bool present;
	bool dormant;
	struct intervals guarded;
	uint64_t generation;
	const char *version;
	unsigned int helpers;
	const char *helper_names[ESMTP_SLOTS];
	struct config config;
	struct guard guard;
};

/* nft.c: the socket, batches, dumps */
bool nft_begin(struct nft_batch *b, struct erecs *errors);
struct nlmsghdr *nft_message(struct nft_batch *b, uint16_t type, uint16_t flags, const char *what);
void nft_message_done(struct nft_batch *b);
bool nft_commit(struct nft_batch *b, bool check, struct erecs *errors);
void nft_end(struct nft_batch *b);
int nft_ask(uint16_t type, uint16_t flags, void (*fill)(struct nlmsghdr *nlh, const void *arg),
	    const void *arg, mnl_cb_t cb, void *data);

/* nft_set.c: sets and their elements */
bool nft_set_name(char *buf, size_t size, const struct class *k, enum class_line line, uint8_t len);
bool nft_named_set(char *buf, size_t size, const struct named_set *s, uint8_t len);
void nft_put_key_set(struct nft_batch *b, const char *name, uint8_t len,
		     const struct intervals *set, const char *comment);
void nft_put_ref_set(struct nft_batch *b, const struct class *k, enum class_line line);
void nft_put_timed_set(struct nft_batch *b, const char *name, uint8_t len, uint64_t timeout);
void nft_put_count_set(struct nft_batch *b, const char *name, uint8_t len);
void nft_put_ifname_set(struct nft_batch *b, const char *name, const struct names *names);
void nft_put_elements(struct nft_batch *b, const char *name, uint8_t len,
		      const struct intervals *set);
void nft_flush_set(struct nft_batch *b, const char *name);

/* nft_table.c: the whole table */
void nft_put_table(struct nft_batch *b, const struct config *c, uint64_t generation,
		   const struct guard *keep);
void nft_delete_table(struct nft_batch *b);
const char *nft_base_name(enum guard_counter counter);
void nft_put_bases(struct nft_batch *b, const struct guard *g);

/* nft_chain.c: its chains and rules */
void nft_put_chains(struct nft_batch *b, const struct config *c);

/* nft_limit.c: how many connections a server may have */
#define NFT_LIMITS	"limits"
#define NFT_EMBRYONIC	"embryonic"
char *nft_line_chain(const char *kind, const struct inspect *l);
const char *nft_limits_chain(const char *list, const struct inspect *l);
void nft_put_limit_sets(struct nft_batch *b, const struct config *c);
void nft_put_limit_chains(struct nft_batch *b, const struct config *c);

/* nft_cookie.c: who has to prove himself by a cookie */
void nft_put_cookie_sets(struct nft_batch *b);
void nft_put_cookie_chain(struct nft_batch *b, const char *chain);
void nft_put_cookie_answers(struct nft_batch *b, const char *chain);
void nft_put_cookie_own(struct nft_batch *b, const char *chain);

/* nft_read.c: reading it back */
bool nft_read(struct nft_table *t, struct erecs *errors);

#endif
