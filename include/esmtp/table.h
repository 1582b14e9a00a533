/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tables that recognise texts: a regular expression or a list of words, made into a
 * deterministic automaton by who has the time, run byte by byte by who has not.
 *
 * A state is one u16 a text, so a text may come in any pieces. A table comes from a
 * stranger: esmtp_table_check() looks at every number in it before anybody else does, and
 * what it lets through cannot be run out of bounds.
 *
 * Format
 *
 * One block of memory in host byte order, aligned as an u32, without any gap:
 *   struct esmtp_table		the header
 *   struct esmtp_table_row	@n_states of them
 *   struct esmtp_table_entry	@n_entries of them
 * A byte is mapped to a class, since most bytes do the same everywhere; what ignores
 * case, or digits, does it there. The rows lie over each other: the transition of
 * state s by class c is in entry row[s].base + c if that entry belongs to s, else it
 * is row[s].otherwise. So a row with few exceptions takes little room, be it one of a list of
 * a thousand words or one of a search.
 *
 * State 0 is dead: it leads to itself, accepts nothing and says that it is stuck. Entries of
 * nobody belong to it.
 */
#ifndef _ESMTP_TABLE_H
#define _ESMTP_TABLE_H

#include "types.h"

#define ESMTP_TABLE_MAGIC	0x45744231u	/* tells a foreign byte order, too */
#define ESMTP_TABLE_BYTES	256
#define ESMTP_TABLE_DEAD	0

#define ESMTP_TABLE_ACCEPTS	(1u << 0)	/* a text that ends here is one of ours */
#define ESMTP_TABLE_STUCK	(1u << 1)	/* every byte leads back to this state */
#define ESMTP_TABLE_FLAGS	(0x3u)

/**
 * struct esmtp_table - what a table begins with
 * @magic: ESMTP_TABLE_MAGIC
 * @n_entries: entries behind the rows
 * @n_states: rows behind this header, 2 … 0xffff
 * @start: state of a text without a byte
 * @n_classes: 1 … ESMTP_TABLE_BYTES
 * @reserved: 0
 * @class: of each byte
 */
struct esmtp_table {
	u32 magic;
	u32 n_entries;
	u16 n_states;
	u16 start;
	u16 n_classes;
	u16 reserved;
	u8 class[ESMTP_TABLE_BYTES];
};

/**
 * struct esmtp_table_row - a state
 * @base: its entries are from here on, one a class; all of them lie within the table
 * @otherwise: the state behind it where an entry belongs to another
 * @flags: ESMTP_TABLE_ACCEPTS, ESMTP_TABLE_STUCK
 */
struct esmtp_table_row {
	u32 base;
	u16 otherwise;
	u16 flags;
};

/**
 * struct esmtp_table_entry - a transition that is not the row's usual one
 * @owner: the state that it belongs to
 * @next: the state behind it
 */
struct esmtp_table_entry {
	u16 owner;
	u16 next;
};

/**
 * esmtp_table_check() - verify a table completely
 * @blob: bytes from a stranger
 * @len: how many
 *
 * Return: NULL if @blob is a struct esmtp_table that can be run, else a sentence that says
 * what is wrong.
 */
const char *esmtp_table_check(const void *blob, u32 len);

static inline const struct esmtp_table_row *
esmtp_table_rows(const struct esmtp_table *t)
{
	return (const struct esmtp_table_row *)(t + 1);
}

static inline const struct esmtp_table_entry *
esmtp_table_entries(const struct esmtp_table *t)
{
	return (const struct esmtp_table_entry *)
		(esmtp_table_rows(t) + t->n_states);
}

/** esmtp_table_start() - the state of a text of which no byte has come */
static inline u16 esmtp_table_start(const struct esmtp_table *t)
{
	return t->start;
}

/**
 * esmtp_table_next() - one more byte of a text
 * @t: (NOT NULL) table that was checked
 * @state: from esmtp_table_start() or this function, with the same table
 * @byte: the byte
 *
 * Return: the state behind it.
 */
static inline u16 esmtp_table_next(const struct esmtp_table *t, u16 state,
				   u8 byte)
{
	const struct esmtp_table_row *row = esmtp_table_rows(t) + state;
	const struct esmtp_table_entry *entry =
		esmtp_table_entries(t) + row->base + t->class[byte];

	return entry->owner == state ? entry->next : row->otherwise;
}

/** esmtp_table_accepts() - whether a text that ends in this state is one of the table's */
static inline bool esmtp_table_accepts(const struct esmtp_table *t, u16 state)
{
	return esmtp_table_rows(t)[state].flags & ESMTP_TABLE_ACCEPTS;
}

/** esmtp_table_stuck() - whether no further byte can change anything */
static inline bool esmtp_table_stuck(const struct esmtp_table *t, u16 state)
{
	return esmtp_table_rows(t)[state].flags & ESMTP_TABLE_STUCK;
}

#endif /* _ESMTP_TABLE_H */
