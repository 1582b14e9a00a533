// SPDX-License-Identifier: GPL-2.0-only
/* Random numbers that the same seed always gives (splitmix64), and the clock. */
#include <time.h>

#include "evade.h"

u64 prng_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

u32 rnd(u64 *state, u32 n)
{
	return n ? (prng_next(state) >> 16) % n : 0;
}

/* Both ends included. */
u32 between(u64 *state, u32 low, u32 high)
{
	return low + rnd(state, high - low + 1);
}

bool chance(u64 *state, u32 percent)
{
	return rnd(state, 100) < percent;
}

u64 mix(u64 a, u64 b)
{
	u64 state = a ^ (b + 1) * 0xd6e8feb86659fd93ull;

	return prng_next(&state);
}

u64 now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ull + t.tv_nsec / 1000;
}

u64 now_ms(void)
{
	return now_us() / 1000;
}
