// SPDX-License-Identifier: GPL-2.0-only
/* Rates: how many tokens there are, at which moment. */
#define _GNU_SOURCE
#include "harness.h"

#define SECOND 1000000ull

/* How many tokens can be taken at once at @now. */
static u32 drain(const struct esmtp_rate *r, u64 *full, u64 now)
{
	u32 n = 0;

	while (esmtp_rate_take(r, *full, now, full))
		assert_true(++n <= ESMTP_RATE_MAX);
	return n;
}

static void test_burst(void **state)
{
	struct esmtp_rate r = { .events = 10, .seconds = 1, .burst = 20 };
	u64 full = 0, now = 5 * SECOND;

	(void)state;
	assert_int_equal(drain(&r, &full, now), 20);
	assert_int_equal(drain(&r, &full, now + SECOND / 10 - 1), 0);
	assert_int_equal(drain(&r, &full, now + SECOND / 10), 1);
	assert_int_equal(drain(&r, &full, now + SECOND), 9);
	/* never more than the burst, however long it rested */
	assert_int_equal(drain(&r, &full, now + 1000 * SECOND), 20);
	r.burst = 1;
	full = 0;
	assert_int_equal(drain(&r, &full, now), 1);
}

/* What is over the rate takes nothing: it does not keep the bucket empty. */
static void test_over(void **state)
{
	const struct esmtp_rate r = { .events = 1, .seconds = 60, .burst = 1 };
	u64 full = 0, next = 77, now;

	(void)state;
	assert_true(esmtp_rate_take(&r, full, SECOND, &full));
	for (now = SECOND; now < 61 * SECOND; now += SECOND / 2) {
		assert_false(esmtp_rate_take(&r, full, now, &next));
		assert_int_equal(next, 77);
	}
	assert_true(esmtp_rate_take(&r, full, 61 * SECOND, &full));
}

/* In the long run it is what was asked for, for every number. */
static void test_mean(void **state)
{
	static const u32 events[] = { 1, 3, 7, 100, 999, 7001, ESMTP_RATE_MAX };
	u64 full, now, n;
	u32 i, k;

	(void)state;
	for (i = 0; i < sizeof(events) / sizeof(*events); i++)
	for (k = 1; k <= 60; k += 59) {
		const struct esmtp_rate r = {
			.events = events[i], .seconds = k, .burst = 5,
		};

		full = 0;
		for (n = 0, now = SECOND; now < SECOND + 10 * k * SECOND;
		     now += 50)
			n += esmtp_rate_take(&r, full, now, &full);
		assert_in_range(n, 10ull * r.events,
				10ull * r.events * 101 / 100 + r.burst);
	}
}

/* A clock that another CPU has read a little later does no harm. */
static void test_clock_back(void **state)
{
	const struct esmtp_rate r = { .events = 1, .seconds = 1, .burst = 2 };
	u64 full = 0;

	(void)state;
	assert_true(esmtp_rate_take(&r, full, 10 * SECOND, &full));
	assert_false(esmtp_rate_take(&r, full, 10 * SECOND - 1, &full));
	assert_true(esmtp_rate_take(&r, full, 10 * SECOND, &full));
	assert_false(esmtp_rate_take(&r, full, 10 * SECOND, &full));
}

static void test_check(void **state)
{
	struct esmtp_rate r = { .events = 1, .seconds = 1, .burst = 1 };

	(void)state;
	assert_null(esmtp_rate_check(&r));
	r.seconds = 60;
	r.events = r.burst = ESMTP_RATE_MAX;
	assert_null(esmtp_rate_check(&r));
	r.events = ESMTP_RATE_MAX + 1;
	assert_string_equal(esmtp_rate_check(&r), "a rate is 1 to 10000");
	r.events = 0;
	assert_string_equal(esmtp_rate_check(&r), "a rate is 1 to 10000");
	r.events = 1;
	r.burst = 0;
	assert_string_equal(esmtp_rate_check(&r), "a burst is 1 to 10000");
	r.burst = ESMTP_RATE_MAX + 1;
	assert_string_equal(esmtp_rate_check(&r), "a burst is 1 to 10000");
	r.burst = 1;
	r.seconds = 2;
	assert_string_equal(esmtp_rate_check(&r),
			    "a rate is for a second or for a minute");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_mean),
		cmocka_unit_test(test_clock_back),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
