// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rates: a bucket of tokens, kept as the time at which it is full again. So one number is all
 * there is to change, and whoever changes it needs no lock. The clock is the caller's.
 */
#include "internal.h"

#define SECOND 1000000u		/* in microseconds */

/**
 * esmtp_rate_take() - see engine.h
 * @r: rate
 * @full: when the bucket is full again
 * @now: microseconds
 * @next: when it will be
 *
 * Return: false if there is no token.
 */
bool esmtp_rate_take(const struct esmtp_rate *r, u64 full, u64 now, u64 *next)
{
	u64 token = SECOND * r->seconds / r->events;
	u64 from = full > now ? full : now;

	if (from + token - now > token * r->burst)
		return false;
	*next = from + token;
	return true;
}

/**
 * esmtp_rate_check() - whether a rate makes sense
 * @r: rate from a stranger
 *
 * Return: NULL or what is wrong.
 */
const char *esmtp_rate_check(const struct esmtp_rate *r)
{
	if (r->seconds != 1 && r->seconds != 60)
		return "a rate is for a second or for a minute";
	if (!r->events || r->events > ESMTP_RATE_MAX)
		return "a rate is 1 to 10000";
	if (!r->burst || r->burst > ESMTP_RATE_MAX)
		return "a burst is 1 to 10000";
	return NULL;
}
