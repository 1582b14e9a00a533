// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of addresses and ports as intervals of big-endian keys. One code serves
 * ports, IPv4 and IPv6: a key is a number of len bytes, and a set is sorted by
 * len, then by key.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interval.h"
#include "util.h"

/**
 * interval_step() - the key behind or before a key
 * @key: the key, changed
 * @len: its bytes
 * @by: 1 or -1
 *
 * Return: false if it went round.
 */
bool interval_step(uint8_t *key, uint8_t len, int by)
{
	for (int i = len - 1; i >= 0; i--) {
		key[i] = (uint8_t)(key[i] + by);
		if (key[i] != (by > 0 ? 0x00 : 0xff))
			return true;
	}
	return false;
}

static const char *parse_key(const char *text, uint8_t *key, uint8_t *len)
{
	if (inet_pton(AF_INET, text, key) == 1)
		*len = KEY_IPV4;
	else if (inet_pton(AF_INET6, text, key) == 1)
		*len = KEY_IPV6;
	else
		return "this is no IPv4 or IPv6 address; names are not resolved";
	return NULL;
}

static bool parse_number(const char *text, unsigned int max, unsigned int *out)
{
	unsigned int v = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (unsigned int)(*text - '0');
		if (v > max)
			return false;
	}
	*out = v;
	return true;
}

static const char *parse_prefix(const char *text, struct interval *iv)
{
	unsigned int bits;

	if (!parse_number(text, iv->len * 8u, &bits))
		return iv->len == KEY_IPV4 ? "the length of an IPv4 prefix is 0 to 32"
					   : "the length of an IPv6 prefix is 0 to 128";
	memcpy(iv->hi, iv->lo, iv->len);
	for (unsigned int b = bits; b < iv->len * 8u; b++) {
		uint8_t bit = (uint8_t)(0x80 >> b % 8);

		if (iv->lo[b / 8] & bit)
			return "the address has bits set behind the length of its prefix";
		iv->hi[b / 8] |= bit;
	}
	return NULL;
}

static const char *check_order(const struct interval *iv)
{
	return memcmp(iv->lo, iv->hi, iv->len) > 0 ? "the range ends before it begins" : NULL;
}

/**
 * interval_parse_addr() - read ADDRESS, PREFIX/LENGTH or FIRST-LAST
 * @text: what to read
 * @iv: the interval
 *
 * Return: NULL, or what is wrong with it.
 */
const char *interval_parse_addr(const char *text, struct interval *iv)
{
	char buf[INTERVAL_TEXT_MAX];
	const char *why;
	uint8_t len;
	char *sep;

	memset(iv, 0, sizeof(*iv));
	if (strlen(text) >= sizeof(buf))
		return "this is no IPv4 or IPv6 address; names are not resolved";
	strcpy(buf, text);
	sep = strpbrk(buf, "/-");
	if (!sep) {
		why = parse_key(buf, iv->lo, &iv->len);
		memcpy(iv->hi, iv->lo, sizeof(iv->hi));
		return why;
	}
	if (*sep == '/') {
		*sep = '\0';
		why = parse_key(buf, iv->lo, &iv->len);
		return why ? why : parse_prefix(sep + 1, iv);
	}
	*sep = '\0';
	why = parse_key(buf, iv->lo, &iv->len);
	if (!why)
		why = parse_key(sep + 1, iv->hi, &len);
	if (why)
		return why;
	if (len != iv->len)
		return "a range has both ends in IPv4 or both in IPv6";
	return check_order(iv);
}

/**
 * interval_parse_ports() - read PORT or FIRST-LAST
 * @text: what to read
 * @iv: the interval
 *
 * Return: NULL, or what is wrong with it.
 */
const char *interval_parse_ports(const char *text, struct interval *iv)
{
	static const char why[] = "a port is a number from 1 to 65535, a range of them FIRST-LAST";
	unsigned int lo, hi;
	char buf[16];
	char *sep;

	memset(iv, 0, sizeof(*iv));
	if (strlen(text) >= sizeof(buf))
		return why;
	strcpy(buf, text);
	sep = strchr(buf, '-');
	if (sep)
		*sep = '\0';
	if (!parse_number(buf, 65535, &lo) || !parse_number(sep ? sep + 1 : buf, 65535, &hi) ||
	    !lo || !hi)
		return why;
	iv->len = KEY_PORT;
	iv->lo[0] = (uint8_t)(lo >> 8);
	iv->lo[1] = (uint8_t)lo;
	iv->hi[0] = (uint8_t)(hi >> 8);
	iv->hi[1] = (uint8_t)hi;
	return check_order(iv);
}

/* The length of the prefix that the interval is, or -1. */
static int prefix_length(const struct interval *iv)
{
	unsigned int bits = iv->len * 8u, b = 0;

	while (b < bits && !((iv->lo[b / 8] ^ iv->hi[b / 8]) & 0x80 >> b % 8))
		b++;
	for (unsigned int i = b; i < bits; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);

		if ((iv->lo[i / 8] & bit) || !(iv->hi[i / 8] & bit))
			return -1;
	}
	return (int)b;
}

/**
 * interval_format() - write an interval as interval_parse_addr() or interval_parse_ports() reads it
 * @iv: the interval
 * @buf: where to
 *
 * Return: @buf.
 */
char *interval_format(const struct interval *iv, char buf[INTERVAL_TEXT_MAX])
{
	int af = iv->len == KEY_IPV4 ? AF_INET : AF_INET6;
	char lo[INET6_ADDRSTRLEN] = "", hi[INET6_ADDRSTRLEN] = "";
	bool single = !memcmp(iv->lo, iv->hi, iv->len);
	int bits = prefix_length(iv);

	if (iv->len == KEY_PORT) {
		snprintf(lo, sizeof(lo), "%u", iv->lo[0] << 8 | iv->lo[1]);
		snprintf(hi, sizeof(hi), "%u", iv->hi[0] << 8 | iv->hi[1]);
		bits = -1;
	} else {
		inet_ntop(af, iv->lo, lo, sizeof(lo));
		inet_ntop(af, iv->hi, hi, sizeof(hi));
	}
	if (single)
		snprintf(buf, INTERVAL_TEXT_MAX, "%s", lo);
	else if (bits >= 0)
		snprintf(buf, INTERVAL_TEXT_MAX, "%s/%d", lo, bits);
	else
		snprintf(buf, INTERVAL_TEXT_MAX, "%s-%s", lo, hi);
	return buf;
}

/**
 * intervals_add() - put an interval into a set
 * @set: the set; to be merged before it is used
 * @iv: the interval
 */
void intervals_add(struct intervals *set, const struct interval *iv)
{
	if (set->n == set->room) {
		size_t room = set->room ? set->room * 2 : 8;

		set->v = mem_grow(set->v, set->n * sizeof(*set->v), room * sizeof(*set->v));
		set->room = room;
	}
	set->v[set->n++] = *iv;
}

static int interval_cmp(const void *a, const void *b)
{
	const struct interval *x = a, *y = b;

	return x->len != y->len ? x->len - y->len : memcmp(x->lo, y->lo, x->len);
}

/* Does y, which does not begin before x, overlap x or begin right behind it? */
static bool interval_touches(const struct interval *x, const struct interval *y)
{
	uint8_t next[KEY_MAX];

	if (x->len != y->len)
		return false;
	memcpy(next, x->hi, x->len);
	return !interval_step(next, x->len, 1) || memcmp(y->lo, next, x->len) <= 0;
}

/**
 * intervals_merge() - sort a set and unite what overlaps or touches
 * @set: the set
 */
void intervals_merge(struct intervals *set)
{
	struct interval *last = NULL;
	size_t n = 0;

	if (!set->n)
		return;
	qsort(set->v, set->n, sizeof(*set->v), interval_cmp);
	for (size_t i = 0; i < set->n; i++) {
		if (last && interval_touches(last, &set->v[i])) {
			if (memcmp(set->v[i].hi, last->hi, last->len) > 0)
				memcpy(last->hi, set->v[i].hi, last->len);
			continue;
		}
		last = &set->v[n++];
		*last = set->v[i];
	}
	set->n = n;
}

static bool interval_overlaps(const struct interval *a, const struct interval *b)
{
	return a->len == b->len && memcmp(a->lo, b->hi, a->len) <= 0 &&
	       memcmp(b->lo, a->hi, a->len) <= 0;
}

/* What of iv is left without cut: nothing, one or two pieces into out. */
static void cut_out(struct intervals *out, const struct interval *iv, const struct interval *cut)
{
	struct interval piece;

	if (!interval_overlaps(iv, cut)) {
		intervals_add(out, iv);
		return;
	}
	if (memcmp(iv->lo, cut->lo, iv->len) < 0) {
		piece = *iv;
		memcpy(piece.hi, cut->lo, iv->len);
		interval_step(piece.hi, iv->len, -1);
		intervals_add(out, &piece);
	}
	if (memcmp(cut->hi, iv->hi, iv->len) < 0) {
		piece = *iv;
		memcpy(piece.lo, cut->hi, iv->len);
		interval_step(piece.lo, iv->len, 1);
		intervals_add(out, &piece);
	}
}

/**
 * intervals_subtract() - take a set out of another
 * @set: the set that shrinks; merged afterwards
 * @less: what is taken out
 */
void intervals_subtract(struct intervals *set, const struct intervals *less)
{
	for (size_t i = 0; i < less->n; i++) {
		struct intervals left = { 0 };

		for (size_t j = 0; j < set->n; j++)
			cut_out(&left, &set->v[j], &less->v[i]);
		*set = left;
	}
	intervals_merge(set);
}

/**
 * intervals_cover() - does a merged set hold all of an interval?
 * @set: the set
 * @iv: the interval
 *
 * Return: true if so.
 */
bool intervals_cover(const struct intervals *set, const struct interval *iv)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct interval *s = &set->v[i];

		if (s->len == iv->len && memcmp(s->lo, iv->lo, iv->len) <= 0 &&
		    memcmp(iv->hi, s->hi, iv->len) <= 0)
			return true;
	}
	return false;
}

/**
 * intervals_have() - has a set keys of this kind?
 * @set: the set
 * @len: KEY_*
 *
 * Return: true if so.
 */
bool intervals_have(const struct intervals *set, uint8_t len)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->v[i].len == len)
			return true;
	return false;
}

/**
 * intervals_equal() - are two merged sets the same?
 * @a: one
 * @b: the other
 *
 * Return: true if so.
 */
bool intervals_equal(const struct intervals *a, const struct intervals *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].len != b->v[i].len ||
		    memcmp(a->v[i].lo, b->v[i].lo, a->v[i].len) ||
		    memcmp(a->v[i].hi, b->v[i].hi, a->v[i].len))
			return false;
	return true;
}
