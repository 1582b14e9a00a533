/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_STATUS_H
#define ESMTPCTL_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"

/**
 * struct status - what the module says of itself in this namespace
 * @version: its version
 * @generation: of its configuration, 0 = none
 * @sessions: inspected connections
 * @counters: by enum esmtp_ns_counter
 */
struct status {
	const char *version;
	uint64_t generation;
	uint32_t sessions;
	uint64_t counters[ESMTP_NC_MAX + 1];
};

enum guard_counter {
	GUARD_INVALID,
	GUARD_UNTRACKED,
	GUARD_NOT_SYN,
	GUARD_PICKUP,
	GUARD_NO_MEMORY,
	GUARD_CONNECTIONS,
	GUARD_COOKIES,
	GUARD_ANSWERS,
	GUARD_COUNTERS,
};

/**
 * struct guard - counters of the nft table
 * @present: there is a table
 * @now: by enum guard_counter
 * @base: what they were at the last reset
 */
struct guard {
	bool present;
	struct guard_count {
		uint64_t packets;
		uint64_t bytes;
	} now[GUARD_COUNTERS], base[GUARD_COUNTERS];
};

const char *guard_counter_name(enum guard_counter counter);
const char *guard_counter_text(enum guard_counter counter);
void guard_since_reset(struct guard *g);

#endif
