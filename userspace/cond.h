/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_COND_H
#define ESMTPCTL_COND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"

/**
 * struct cond - one condition of a rule
 * @match: enum esmtp_match
 * @negate: it holds where it would not
 * @limit: it holds above this; matches of a counter
 * @set: bit = member; matches of a set
 * @table: number of the table; matches of a text
 * @table_name: its name, or NULL where only the number is known
 * @field: name of the field whose value is the text, empty where it is none's
 * @list: it is a list of domains, not a regex
 */
struct cond {
	uint8_t match;
	bool negate;
	uint32_t limit;
	uint64_t set;
	uint32_t table;
	const char *table_name;
	char field[ESMTP_FIELD_NAME_MAX + 1];
	bool list;
};

/* Who reads it: us, in the rule language, or a person who knows ASA. */
enum cond_style {
	COND_OURS,
	COND_ASA,
};

#define COND_TEXT_MAX 512

bool cond_has_set(uint8_t match);
bool cond_has_limit(uint8_t match);
bool cond_has_table(uint8_t match);
bool cond_of_command(uint8_t match);
bool cond_same(const struct cond *a, const struct cond *b);
unsigned int cond_members(uint8_t match);
const char *cond_member_name(uint8_t match, unsigned int member);
int cond_member_find(uint8_t match, const char *word);
char *cond_expected(uint8_t match, char buf[COND_TEXT_MAX]);
char *cond_format(const struct cond *c, enum cond_style style, char buf[COND_TEXT_MAX]);

#endif
