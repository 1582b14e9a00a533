// SPDX-License-Identifier: GPL-2.0-only
/*
 * Any bytes as a table, and a text for it. What the module would take runs within its bounds, says "stuck" only of
 * a state that nothing leads out of, and does not mind how the text is cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../include/esmtp/table.h"

#define TEXT_LEN 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static void run(const struct esmtp_table *t, const uint8_t *text)
{
	uint16_t state = esmtp_table_start(t), stuck = 0;
	bool is_stuck = false;

	for (int i = 0; i < TEXT_LEN; i++) {
		state = esmtp_table_next(t, state, text[i]);
		if (state >= t->n_states || (is_stuck && state != stuck))
			abort();
		is_stuck = esmtp_table_stuck(t, state);
		stuck = state;
		(void)esmtp_table_accepts(t, state);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	void *table;

	if (len < TEXT_LEN)
		return 0;
	/* A block of exactly this size, for the sanitizer. */
	table = malloc(len - TEXT_LEN ? len - TEXT_LEN : 1);
	memcpy(table, data + TEXT_LEN, len - TEXT_LEN);
	if (!esmtp_table_check(table, (uint32_t)(len - TEXT_LEN)))
		run(table, data);
	free(table);
	return 0;
}

/* Half of the tables keep a head that fits their length: else nearly all are refused for that. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct esmtp_table head;
	size_t rows;

	size = LLVMFuzzerMutate(data, size, max);
	if (seed & 1 || size < TEXT_LEN + sizeof(head))
		return size;
	memcpy(&head, data + TEXT_LEN, sizeof(head));
	rows = size - TEXT_LEN - sizeof(head);
	head.magic = ESMTP_TABLE_MAGIC;
	head.reserved = 0;
	head.n_states = (uint16_t)(2 + head.n_states % (rows / sizeof(struct esmtp_table_row) + 1));
	if (rows / sizeof(struct esmtp_table_row) < head.n_states)
		return size;
	rows -= head.n_states * sizeof(struct esmtp_table_row);
	head.n_entries = (uint32_t)(rows / sizeof(struct esmtp_table_entry));
	head.n_classes = (uint16_t)(1 + head.n_classes % 4);
	for (int i = 0; i < 256; i++)
		head.class[i] %= head.n_classes;
	memcpy(data + TEXT_LEN, &head, sizeof(head));
	return size - rows % sizeof(struct esmtp_table_entry);
}
