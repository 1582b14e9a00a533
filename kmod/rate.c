// SPDX-License-Identifier: GPL-2.0-only
/* The buckets of rules that limit a rate: one for all connections of the policy, without a lock. */
#include <linux/ktime.h>

#include "policy.h"

bool esmtp_policy_within_rate(struct esmtp_ns_policy *p, u32 i)
{
	u64 now = ktime_to_us(ktime_get());
	u64 next;
	s64 full = atomic64_read(&p->full[i]);

	do {
		if (!esmtp_rate_take(&p->engine.rules[i].rate, full, now,
				     &next))
			return false;
	} while (!atomic64_try_cmpxchg(&p->full[i], &full, next));
	return true;
}
