// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables: what a good one recognises, in any cut; each number of a forged one; random
 * changes, which are refused or do no harm. Blobs lie in memory of just their size, so that the
 * sanitizer sees a step beside them.
 */
#include "harness.h"

#include "../../include/esmtp/table.h"

/* Classes of the table below: everything else, a, b. */
enum { ELSE, A, B, CLASSES };

/* A search for "ab", and "b" alone, by hand: dead, begin, "b", other, behind an a, found. */
enum { DEAD, BEGIN, ONLY_B, OTHER, BEHIND_A, FOUND, STATES };

static const u16 delta[STATES][CLASSES] = {
	[BEGIN] = { OTHER, BEHIND_A, ONLY_B },
	[ONLY_B] = { OTHER, BEHIND_A, OTHER },
	[OTHER] = { OTHER, BEHIND_A, OTHER },
	[BEHIND_A] = { OTHER, BEHIND_A, FOUND },
	[FOUND] = { FOUND, FOUND, FOUND },
};

/* The same in the reference's words. */
static bool wanted(const u8 *text, size_t n)
{
	size_t i;

	if (n == 1 && text[0] == 'b')
		return true;
	for (i = 0; i + 1 < n; i++)
		if (text[i] == 'a' && text[i + 1] == 'b')
			return true;
	return false;
}

static struct esmtp_table_row *rows(struct esmtp_table *t)
{
	return (struct esmtp_table_row *)(t + 1);
}

static struct esmtp_table_entry *entries(struct esmtp_table *t)
{
	return (struct esmtp_table_entry *)(rows(t) + t->n_states);
}

/* Entries that differ from the row's otherwise, and unused ones in between. */
static struct esmtp_table *table(u32 *len)
{
	u32 s, c, n = STATES * CLASSES;
	struct esmtp_table *t;

	*len = sizeof(*t) + STATES * sizeof(struct esmtp_table_row) +
	       n * sizeof(struct esmtp_table_entry);
	t = calloc(1, *len);
	t->magic = ESMTP_TABLE_MAGIC;
	t->n_entries = n;
	t->n_states = STATES;
	t->n_classes = CLASSES;
	t->start = BEGIN;
	t->class['a'] = A;
	t->class['b'] = B;
	for (s = 0; s < STATES; s++) {
		rows(t)[s].base = s * CLASSES;
		rows(t)[s].otherwise = delta[s][ELSE];
		for (c = 0; c < CLASSES; c++)
			if (delta[s][c] != delta[s][ELSE])
				entries(t)[s * CLASSES + c] = (struct esmtp_table_entry){ s, delta[s][c] };
	}
	rows(t)[DEAD].flags = ESMTP_TABLE_STUCK;
	rows(t)[ONLY_B].flags = ESMTP_TABLE_ACCEPTS;
	rows(t)[FOUND].flags = ESMTP_TABLE_ACCEPTS | ESMTP_TABLE_STUCK;
	return t;
}

static u16 run(const struct esmtp_table *t, u16 state, const u8 *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		state = esmtp_table_next(t, state, text[i]);
	return state;
}

static void test_good(void **unused)
{
	u32 len, seed = harness_seed(), i, n, cut;
	struct esmtp_table *t = table(&len);
	u32 found = 0;
	u16 state;
	u8 text[8];

	(void)unused;
	assert_null(esmtp_table_check(t, len));
	for (i = 0; i < 20000; i++) {
		n = harness_random(&seed) % (sizeof(text) + 1);
		for (cut = 0; cut < n; cut++)
			text[cut] = "abx\xff"[harness_random(&seed) % 4];
		cut = n ? harness_random(&seed) % n : 0;
		state = run(t, esmtp_table_start(t), text, cut);
		if (esmtp_table_stuck(t, state))
			assert_int_equal(esmtp_table_accepts(t, state), wanted(text, n));
		state = run(t, state, text + cut, n - cut);
		assert_int_equal(esmtp_table_accepts(t, state), wanted(text, n));
		found += wanted(text, n);
	}
	assert_in_range(found, 2000, 18000);
	free(t);
}

static void test_dead(void **unused)
{
	u32 len, b;
	struct esmtp_table *t = table(&len);

	(void)unused;
	for (b = 0; b < 256; b++)
		assert_int_equal(esmtp_table_next(t, ESMTP_TABLE_DEAD, b), ESMTP_TABLE_DEAD);
	assert_true(esmtp_table_stuck(t, ESMTP_TABLE_DEAD));
	assert_false(esmtp_table_accepts(t, ESMTP_TABLE_DEAD));
	free(t);
}

/**
 * struct forgery - one number that is wrong
 * @off: of it
 * @size: of it
 * @value: what it becomes
 * @why: the refusal, NULL = it is no wrong number
 */
struct forgery {
	u32 off;
	u32 size;
	u32 value;
	const char *why;
};

#define HEAD(field, v, why) { offsetof(struct esmtp_table, field), \
	sizeof(((struct esmtp_table *)0)->field), v, why }
#define ROW(s, field, v, why) { sizeof(struct esmtp_table) + (s) * sizeof(struct esmtp_table_row) + \
	offsetof(struct esmtp_table_row, field), sizeof(((struct esmtp_table_row *)0)->field), v, why }
#define ENTRY(i, field, v, why) { sizeof(struct esmtp_table) + STATES * sizeof(struct esmtp_table_row) + \
	(i) * sizeof(struct esmtp_table_entry) + offsetof(struct esmtp_table_entry, field), 2, v, why }
#define CLASS_OF(b, v, why) { offsetof(struct esmtp_table, class) + (b), 1, v, why }

static const struct forgery forgeries[] = {
	HEAD(magic, 0, "this is no table, or one of another byte order"),
	HEAD(magic, 0x31427445, "this is no table, or one of another byte order"),
	HEAD(reserved, 1, "a reserved field of the table is not 0"),
	HEAD(n_states, 0, "the table has no state but the dead one"),
	HEAD(n_states, 1, "the table has no state but the dead one"),
	HEAD(n_states, STATES - 1, "the table is not as long as its header says"),
	HEAD(n_states, STATES + 1, "the table is not as long as its header says"),
	HEAD(n_states, 0xffff, "the table is not as long as its header says"),
	HEAD(start, STATES - 1, NULL),
	HEAD(start, STATES, "the table starts in a state that it does not have"),
	HEAD(start, 0xffff, "the table starts in a state that it does not have"),
	HEAD(n_classes, 0, "the table has no class or more than 256"),
	HEAD(n_classes, CLASSES - 1, "a byte of the table has a class that does not exist"),
	HEAD(n_classes, CLASSES + 1, "a state's entries are not all within the table"),	/* the last row's */
	HEAD(n_classes, 257, "the table has no class or more than 256"),
	HEAD(n_classes, 0xffff, "the table has no class or more than 256"),
	HEAD(n_classes, 256, "the table has fewer entries than classes"),
	HEAD(n_entries, 0, "the table has fewer entries than classes"),
	HEAD(n_entries, CLASSES - 1, "the table has fewer entries than classes"),
	HEAD(n_entries, STATES * CLASSES - 1, "the table is not as long as its header says"),
	HEAD(n_entries, STATES * CLASSES + 1, "the table is not as long as its header says"),
	HEAD(n_entries, 0xffffffff, "the table is not as long as its header says"),
	/* the same in 32 bits */
	HEAD(n_entries, 0x40000000 + STATES * CLASSES, "the table is not as long as its header says"),
	CLASS_OF(0, CLASSES - 1, NULL),
	CLASS_OF(0, CLASSES, "a byte of the table has a class that does not exist"),
	CLASS_OF(255, CLASSES, "a byte of the table has a class that does not exist"),
	CLASS_OF(255, 0xff, "a byte of the table has a class that does not exist"),
	ROW(DEAD, flags, 0, "state 0 of the table is not dead"),
	ROW(DEAD, flags, ESMTP_TABLE_ACCEPTS, "state 0 of the table is not dead"),
	ROW(DEAD, flags, ESMTP_TABLE_ACCEPTS | ESMTP_TABLE_STUCK, "state 0 of the table is not dead"),
	ROW(DEAD, otherwise, FOUND, "a state is said to be stuck and is not"),
	ROW(BEGIN, flags, 4, "a state has an unknown flag"),
	ROW(BEGIN, flags, 0x8000, "a state has an unknown flag"),
	ROW(BEGIN, flags, ESMTP_TABLE_STUCK, "a state is said to be stuck and is not"),
	ROW(BEHIND_A, flags, ESMTP_TABLE_STUCK, "a state is said to be stuck and is not"),
	ROW(BEGIN, otherwise, STATES - 1, NULL),
	ROW(BEGIN, otherwise, STATES, "a state leads to one that the table does not have"),
	ROW(FOUND, otherwise, 0xffff, "a state leads to one that the table does not have"),
	ROW(FOUND, otherwise, BEGIN, "a state is said to be stuck and is not"),
	ROW(BEGIN, base, STATES * CLASSES - CLASSES, NULL),
	ROW(BEGIN, base, STATES * CLASSES - CLASSES + 1, "a state's entries are not all within the table"),
	ROW(FOUND, base, STATES * CLASSES, "a state's entries are not all within the table"),
	ROW(FOUND, base, 0xffffffff, "a state's entries are not all within the table"),
	ENTRY(0, owner, STATES - 1, "a state is said to be stuck and is not"),
	ENTRY(0, owner, STATES, "an entry belongs to a state that the table does not have"),
	ENTRY(STATES * CLASSES - 1, owner, 0xffff, "an entry belongs to a state that the table does not have"),
	ENTRY(0, next, BEGIN, "state 0 of the table is not dead"),		/* nobody's */
	ENTRY(BEGIN * CLASSES + A, next, STATES - 1, NULL),
	ENTRY(BEGIN * CLASSES + A, next, STATES, "an entry leads to a state that the table does not have"),
	ENTRY(BEGIN * CLASSES + A, next, 0xffff, "an entry leads to a state that the table does not have"),
	ENTRY(BEGIN * CLASSES + A, owner, FOUND, "a state is said to be stuck and is not"),
	ENTRY(BEGIN * CLASSES + A, owner, DEAD, "state 0 of the table is not dead"),
};

static void test_forged(void **unused)
{
	const struct forgery *f = forgeries;
	struct esmtp_table *t;
	const char *why;
	u32 len, i;

	(void)unused;
	for (i = 0; i < sizeof(forgeries) / sizeof(*f); i++, f++) {
		t = table(&len);
		memcpy((u8 *)t + f->off, &f->value, f->size);
		why = esmtp_table_check(t, len);
		if (!f->why)
			assert_null(why);
		else if (!why || strcmp(why, f->why))
			fail_msg("forgery %u: %s, not \"%s\"", i, why ? why : "accepted", f->why);
		free(t);
	}
}

/* Each length but the right one; also where there is no whole header to read. */
static void test_lengths(void **unused)
{
	struct esmtp_table *t, *cut;
	u32 len, n;

	(void)unused;
	t = table(&len);
	for (n = 0; n < len; n++) {
		cut = malloc(n ? n : 1);
		memcpy(cut, t, n);
		assert_string_equal(esmtp_table_check(cut, n), n < sizeof(*t) ? "the table is shorter than its header" :
				    "the table is not as long as its header says");
		free(cut);
	}
	cut = calloc(1, len + 4);
	memcpy(cut, t, len);
	assert_string_equal(esmtp_table_check(cut, len + 1), "the table is not as long as its header says");
	assert_string_equal(esmtp_table_check(cut, len + 4), "the table is not as long as its header says");
	memmove((u8 *)cut + 2, t, len);
	assert_string_equal(esmtp_table_check((u8 *)cut + 2, len), "the table is not aligned");
	free(cut);
	free(t);
}

/* All that can be asked of a table that was let through: every state, every byte. */
static void run_all(const struct esmtp_table *t)
{
	u32 s, b;
	u16 next;

	assert_in_range(esmtp_table_start(t), 0, t->n_states - 1);
	for (s = 0; s < t->n_states; s++) {
		(void)esmtp_table_accepts(t, s);
		for (b = 0; b < 256; b++) {
			next = esmtp_table_next(t, s, b);
			assert_in_range(next, 0, t->n_states - 1);
			if (esmtp_table_stuck(t, s))
				assert_int_equal(next, s);
		}
	}
}

static void test_mutated(void **unused)
{
	u32 seed = harness_seed(), len, i, k, at, accepted = 0, refused = 0;
	struct esmtp_table *t;

	(void)unused;
	for (i = 0; i < 20000; i++) {
		t = table(&len);
		for (k = harness_random(&seed) % 4; k < 4; k++) {
			at = harness_random(&seed) % len;
			((u8 *)t)[at] = harness_random(&seed) % 3 ? harness_random(&seed) % 8 :
								   harness_random(&seed);
		}
		if (esmtp_table_check(t, len)) {
			refused++;
		} else {
			accepted++;
			run_all(t);
		}
		free(t);
	}
	assert_true(accepted > 1000);
	assert_true(refused > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_dead),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
