// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables from strangers. Whatever a flag or a count says: every number is held against its
 * bound here, once, so that running a table needs no check at all.
 */
#include "../../include/esmtp/table.h"

/* Everything that the lengths of the parts depend on. */
static const char *check_header(const struct esmtp_table *t, u32 len)
{
	u64 want;

	if (t->magic != ESMTP_TABLE_MAGIC)
		return "this is no table, or one of another byte order";
	if (t->reserved)
		return "a reserved field of the table is not 0";
	if (t->n_states < 2)
		return "the table has no state but the dead one";
	if (t->n_classes < 1 || t->n_classes > ESMTP_TABLE_BYTES)
		return "the table has no class or more than 256";
	if (t->n_entries < t->n_classes)
		return "the table has fewer entries than classes";
	if (t->start >= t->n_states)
		return "the table starts in a state that it does not have";
	want = sizeof(*t) +
	       (u64)t->n_states * sizeof(struct esmtp_table_row) +
	       (u64)t->n_entries * sizeof(struct esmtp_table_entry);
	if (want != len)
		return "the table is not as long as its header says";
	return NULL;
}

static const char *check_classes(const struct esmtp_table *t)
{
	u32 i;

	for (i = 0; i < ESMTP_TABLE_BYTES; i++)
		if (t->class[i] >= t->n_classes)
			return "a byte of the table has a class that does not exist";
	return NULL;
}

static const char *check_rows(const struct esmtp_table *t)
{
	const struct esmtp_table_row *row = esmtp_table_rows(t);
	u32 i;

	for (i = 0; i < t->n_states; i++) {
		if (row[i].base > t->n_entries - t->n_classes)
			return "a state's entries are not all within the table";
		if (row[i].otherwise >= t->n_states)
			return "a state leads to one that the table does not have";
		if (row[i].flags & ~ESMTP_TABLE_FLAGS)
			return "a state has an unknown flag";
		if (row[i].flags & ESMTP_TABLE_STUCK && row[i].otherwise != i)
			return "a state is said to be stuck and is not";
	}
	/* what is stuck leads to itself, see above */
	if (row[ESMTP_TABLE_DEAD].flags != ESMTP_TABLE_STUCK)
		return "state 0 of the table is not dead";
	return NULL;
}

static const char *check_entries(const struct esmtp_table *t)
{
	const struct esmtp_table_row *row = esmtp_table_rows(t);
	const struct esmtp_table_entry *entry = esmtp_table_entries(t);
	u32 i;

	for (i = 0; i < t->n_entries; i++) {
		if (entry[i].owner >= t->n_states)
			return "an entry belongs to a state that the table does not have";
		if (entry[i].next >= t->n_states)
			return "an entry leads to a state that the table does not have";
		if (entry[i].owner == ESMTP_TABLE_DEAD &&
		    entry[i].next != ESMTP_TABLE_DEAD)
			return "state 0 of the table is not dead";
		if (row[entry[i].owner].flags & ESMTP_TABLE_STUCK &&
		    entry[i].next != entry[i].owner)
			return "a state is said to be stuck and is not";
	}
	return NULL;
}

/**
 * esmtp_table_check() - see table.h
 * @blob: bytes from a stranger
 * @len: how many
 *
 * Return: NULL or what is wrong.
 */
const char *esmtp_table_check(const void *blob, u32 len)
{
	const struct esmtp_table *t = blob;
	const char *why;

	if ((unsigned long)blob % sizeof(u32))
		return "the table is not aligned";
	if (len < sizeof(*t))
		return "the table is shorter than its header";
	why = check_header(t, len);
	if (!why)
		why = check_classes(t);
	if (!why)
		why = check_rows(t);
	if (!why)
		why = check_entries(t);
	return why;
}
