// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes as a table, and a text for it. What the module would take runs within its bounds, from every state by
 * every byte, and says "stuck" only of a state that nothing leads out of.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/esmtp/table.h"

#define TEXT_LEN 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* Bytes of one class do the same everywhere; this one has been seen to. */
static void step(const struct esmtp_table *t, uint16_t state, uint8_t byte)
{
	uint16_t next = esmtp_table_next(t, state, byte);

	if (next >= t->n_states)
		abort();
	if (next != state && (esmtp_table_stuck(t, state) || state == ESMTP_TABLE_DEAD))
		abort();
}

static void run_all(const struct esmtp_table *t)
{
	bool seen[ESMTP_TABLE_BYTES] = { false };

	for (int byte = 0; byte < ESMTP_TABLE_BYTES; byte++) {
		/* whatever the table says of its class, a byte of the last one is a byte */
		if (seen[t->class[byte]] && byte < ESMTP_TABLE_BYTES - 1)
			continue;
		seen[t->class[byte]] = true;
		for (uint32_t state = 0; state < t->n_states; state++)
			step(t, (uint16_t)state, (uint8_t)byte);
	}
	if (esmtp_table_accepts(t, ESMTP_TABLE_DEAD) || !esmtp_table_stuck(t, ESMTP_TABLE_DEAD))
		abort();
}

static void run(const struct esmtp_table *t, const uint8_t *text)
{
	uint16_t state = esmtp_table_start(t);

	for (int i = 0; i < TEXT_LEN; i++)
		state = esmtp_table_next(t, state, text[i]);
	(void)esmtp_table_accepts(t, state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	void *table;

	if (len < TEXT_LEN)
		return 0;
	/* A block of exactly this size, for the sanitizer. */
	table = malloc(len - TEXT_LEN ? len - TEXT_LEN : 1);
	memcpy(table, data + TEXT_LEN, len - TEXT_LEN);
	if (!esmtp_table_check(table, (uint32_t)(len - TEXT_LEN))) {
		run(table, data);
		run_all(table);
	}
	free(table);
	return 0;
}

/* Rows and entries as they have to be; but in the row or entry @broken a number may be a little too large, or not fit the flags. */
static void mend(struct esmtp_table *t, uint32_t broken)
{
	struct esmtp_table_row *row = (struct esmtp_table_row *)(t + 1);
	struct esmtp_table_entry *entry = (struct esmtp_table_entry *)(row + t->n_states);

	for (uint32_t i = 0; i < t->n_states; i++) {
		row[i].base %= t->n_entries - t->n_classes + 1 + (i == broken);
		row[i].flags = i || i == broken ? row[i].flags & ESMTP_TABLE_FLAGS : ESMTP_TABLE_STUCK;
		if (i == broken || !(row[i].flags & ESMTP_TABLE_STUCK))
			row[i].otherwise %= t->n_states + (i == broken);
		else
			row[i].otherwise = (uint16_t)i;
	}
	for (uint32_t i = 0; i < t->n_entries; i++) {
		bool off = t->n_states + i == broken;

		entry[i].owner %= t->n_states + (off && entry[i].next & 1);
		if (off || !(row[entry[i].owner].flags & ESMTP_TABLE_STUCK))
			entry[i].next %= t->n_states + off;
		else
			entry[i].next = entry[i].owner;
	}
}

/* One that a state comes by leads anywhere. */
static void mislead(struct esmtp_table *t, uint32_t state, uint32_t class)
{
	struct esmtp_table_row *row = (struct esmtp_table_row *)(t + 1);
	struct esmtp_table_entry *entry = (struct esmtp_table_entry *)(row + t->n_states);

	entry += row[state].base + class;
	entry->owner = (uint16_t)state;
	entry->next %= t->n_states + 1;
}

/*
 * Half of the tables get a head that fits their length: else nearly all are refused for that. Half of those are
 * mended but for one place, so that each check alone stands between them and the run.
 */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct esmtp_table *t;
	uint32_t most;
	size_t rows;

	size = LLVMFuzzerMutate(data, size, max);
	if (seed & 1 || size < TEXT_LEN + sizeof(*t) + 2 * sizeof(struct esmtp_table_row) + 4 * sizeof(struct esmtp_table_entry))
		return size;
	rows = size - TEXT_LEN - sizeof(*t);
	t = malloc(sizeof(*t) + rows);
	memcpy(t, data + TEXT_LEN, sizeof(*t) + rows);
	t->magic = ESMTP_TABLE_MAGIC;
	t->reserved = 0;
	t->n_classes = (uint16_t)(1 + t->n_classes % 4);
	rows -= 4 * sizeof(struct esmtp_table_entry);
	most = (uint32_t)(rows / sizeof(struct esmtp_table_row) - 1);
	t->n_states = (uint16_t)(2 + t->n_states % (seed & 32 && most > 3 ? 3 : most));
	t->start %= t->n_states + (seed >> 4 & 1);
	rows -= t->n_states * sizeof(struct esmtp_table_row);
	t->n_entries = (uint32_t)(4 + rows / sizeof(struct esmtp_table_entry));
	for (int i = 0; i < ESMTP_TABLE_BYTES; i++)
		if (i != (int)(seed >> 8) % ESMTP_TABLE_BYTES)
			t->class[i] %= t->n_classes;
	size -= rows % sizeof(struct esmtp_table_entry);
	if (seed & 2) {
		mend(t, seed & 12 ? ~0u : (seed >> 7) % (t->n_states + t->n_entries));
		if (seed & 8)
			mislead(t, seed & 64 ? ESMTP_TABLE_DEAD : (seed >> 7) % t->n_states, (seed >> 20) % t->n_classes);
	}
	memcpy(data + TEXT_LEN, t, size - TEXT_LEN);
	free(t);
	return size;
}
