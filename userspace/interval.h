/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_INTERVAL_H
#define ESMTPCTL_INTERVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEY_PORT	2	/* bytes of a key: also says what it is */
#define KEY_IPV4	4
#define KEY_IPV6	16
#define KEY_MAX		16

#define INTERVAL_TEXT_MAX 100

/**
 * struct interval - addresses or ports, both ends included
 * @len: bytes of a key: KEY_*
 * @lo: the first, in network order
 * @hi: the last
 */
struct interval {
	uint8_t len;
	uint8_t lo[KEY_MAX];
	uint8_t hi[KEY_MAX];
};

/**
 * struct intervals - a set of intervals
 * @v: the elements
 * @n: how many
 * @room: how many fit into @v
 */
struct intervals {
	struct interval *v;
	size_t n;
	size_t room;
};

const char *interval_parse_addr(const char *text, struct interval *iv);
const char *interval_parse_ports(const char *text, struct interval *iv);
char *interval_format(const struct interval *iv, char buf[INTERVAL_TEXT_MAX]);
bool interval_step(uint8_t *key, uint8_t len, int by);

void intervals_add(struct intervals *set, const struct interval *iv);
void intervals_merge(struct intervals *set);
void intervals_subtract(struct intervals *set, const struct intervals *less);
bool intervals_cover(const struct intervals *set, const struct interval *iv);
bool intervals_equal(const struct intervals *a, const struct intervals *b);
bool intervals_have(const struct intervals *set, uint8_t len);

#endif
