// SPDX-License-Identifier: GPL-2.0-only
/*
 * Deterministic automata: sets of states become states, states that cannot be told
 * apart become one, rows are laid over each other.
 */
#include <stdlib.h>
#include <string.h>

#include "../include/esmtp/table.h"
#include "dfa.h"
#include "util.h"

/**
 * struct sets - the sets of states of an automaton that have been met
 * @a: the automaton
 * @first: of each of its states, its first edge in @edges
 * @edges: sorted by the state that they leave
 * @pool: the elements of all sets
 * @used: how many
 * @room: of @pool
 * @at: of each set, its first element; behind the last one, @used
 * @n: sets
 * @limit: of @n; @at has room for them
 * @slots: sets by a hash of their elements, 0 = free, else number + 1
 * @mask: slots but one
 */
struct sets {
	const struct nfa *a;
	uint32_t *first;
	struct nfa_edge *edges;
	uint32_t *pool;
	size_t used;
	size_t room;
	size_t *at;
	uint32_t n;
	uint32_t limit;
	uint32_t *slots;
	uint32_t mask;
};

#define NO_SET UINT32_MAX

static int edge_cmp(const void *a, const void *b)
{
	const struct nfa_edge *x = a, *y = b;

	return (x->from > y->from) - (x->from < y->from);
}

static int number_cmp(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void sets_init(struct sets *s, const struct nfa *a, uint32_t limit)
{
	uint32_t state, e = 0, slots = 1;

	memset(s, 0, sizeof(*s));
	s->a = a;
	s->edges = mem_grow(a->edges, a->n_edges * sizeof(*s->edges),
			    (a->n_edges + 1) * sizeof(*s->edges));
	qsort(s->edges, a->n_edges, sizeof(*s->edges), edge_cmp);
	s->first = mem_alloc((a->n_states + 1) * sizeof(*s->first));
	for (state = 0; state <= a->n_states; state++) {
		while (e < a->n_edges && s->edges[e].from < state)
			e++;
		s->first[state] = e;
	}
	while (slots < limit)
		slots *= 2;
	s->mask = slots * 2 - 1;
	s->slots = mem_alloc(((size_t)s->mask + 1) * sizeof(*s->slots));
	s->at = mem_alloc(((size_t)limit + 1) * sizeof(*s->at));
	s->limit = limit;
}

static uint32_t hash(const uint32_t *v, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ v[i]) * 0x100000001b3u;
	return (uint32_t)(h ^ h >> 32);
}

static bool same_set(const struct sets *s, uint32_t set, const uint32_t *v, size_t n)
{
	return s->at[set + 1] - s->at[set] == n &&
	       !memcmp(s->pool + s->at[set], v, n * sizeof(*v));
}

/* The number of a set whose elements rise; NO_SET = there are too many. */
static uint32_t set_number(struct sets *s, const uint32_t *v, size_t n)
{
	uint32_t slot = hash(v, n) & s->mask;

	for (; s->slots[slot]; slot = (slot + 1) & s->mask)
		if (same_set(s, s->slots[slot] - 1, v, n))
			return s->slots[slot] - 1;
	if (s->n == s->limit)
		return NO_SET;
	if (s->used + n > s->room) {
		s->room = s->room * 2 + n + 1024;
		s->pool = mem_grow(s->pool, s->used * sizeof(*v), s->room * sizeof(*v));
	}
	if (n)
		memcpy(s->pool + s->used, v, n * sizeof(*v));
	s->used += n;
	s->slots[slot] = ++s->n;
	s->at[s->n] = s->used;
	return s->n - 1;
}

/* Bytes that no edge tells apart are one class. */
static void classes_make(const struct nfa *a, struct dfa *d)
{
	bool cut[257] = { false };

	for (uint32_t i = 0; i < a->n_edges; i++) {
		cut[a->edges[i].lo] = true;
		cut[a->edges[i].hi + 1] = true;
	}
	d->n_classes = 1;
	for (unsigned int b = 1; b < 256; b++) {
		d->n_classes += cut[b];
		d->class[b] = (uint8_t)(d->n_classes - 1);
	}
}

/**
 * struct targets - where a set leads by one class, while it is being found out
 * @v: states
 * @n: how many
 */
struct targets {
	uint32_t *v;
	size_t n;
};

/* Returns false if there are too many sets. */
static bool expand(struct sets *s, struct dfa *d, uint32_t set, struct targets *by, uint32_t *row)
{
	size_t end = s->at[set + 1];

	for (uint32_t c = 0; c < d->n_classes; c++)
		by[c].n = 0;
	for (size_t i = s->at[set]; i < end; i++)
		for (uint32_t e = s->first[s->pool[i]]; e < s->first[s->pool[i] + 1]; e++)
			for (uint32_t c = d->class[s->edges[e].lo]; c <= d->class[s->edges[e].hi]; c++)
				by[c].v[by[c].n++] = s->edges[e].to;
	for (uint32_t c = 0; c < d->n_classes; c++) {
		size_t n = 0;

		qsort(by[c].v, by[c].n, sizeof(*by[c].v), number_cmp);
		for (size_t i = 0; i < by[c].n; i++)
			if (!n || by[c].v[i] != by[c].v[n - 1])
				by[c].v[n++] = by[c].v[i];
		row[c] = set_number(s, by[c].v, n);
		if (row[c] == NO_SET)
			return false;
	}
	return true;
}

/* The widest row of edges that a class can have: every edge once. */
static struct targets *targets_new(const struct sets *s, const struct dfa *d)
{
	struct targets *by = mem_alloc(d->n_classes * sizeof(*by));
	uint32_t *wide = mem_alloc(d->n_classes * sizeof(*wide));

	for (uint32_t e = 0; e < s->a->n_edges; e++)
		for (uint32_t c = d->class[s->edges[e].lo]; c <= d->class[s->edges[e].hi]; c++)
			wide[c]++;
	for (uint32_t c = 0; c < d->n_classes; c++)
		by[c].v = mem_alloc((wide[c] + 1) * sizeof(*by[c].v));
	return by;
}

static uint32_t start_set(struct sets *s)
{
	uint32_t *v = mem_alloc((s->a->n_states + 1) * sizeof(*v)), n = 0;

	for (uint32_t i = 0; i < s->a->n_states; i++)
		if (s->a->flags[i] & NFA_STARTS)
			v[n++] = i;
	return set_number(s, v, n);
}

static void accepts_make(const struct sets *s, struct dfa *d)
{
	d->accepts = mem_alloc(s->n * sizeof(*d->accepts));
	for (uint32_t set = 0; set < s->n; set++)
		for (size_t i = s->at[set]; i < s->at[set + 1]; i++)
			d->accepts[set] |= s->a->flags[s->pool[i]] & NFA_ACCEPTS;
}

/**
 * dfa_make() - make an automaton deterministic
 * @a: the automaton
 * @states_max: states that the result may have
 * @d: set to the result
 *
 * Return: false if it would have more.
 */
bool dfa_make(const struct nfa *a, uint32_t states_max, struct dfa *d)
{
	size_t room = 0;
	struct targets *by;
	struct sets s;

	memset(d, 0, sizeof(*d));
	classes_make(a, d);
	sets_init(&s, a, states_max);
	by = targets_new(&s, d);
	set_number(&s, NULL, 0);	/* the dead state is the set without an element */
	d->start = start_set(&s);
	for (uint32_t set = 0; set < s.n; set++) {
		if (set == room) {
			d->next = mem_grow(d->next, room * d->n_classes * sizeof(*d->next),
					   (room * 2 + 64) * d->n_classes * sizeof(*d->next));
			room = room * 2 + 64;
		}
		if (!expand(&s, d, set, by, d->next + (size_t)set * d->n_classes))
			return false;
	}
	d->n_states = s.n;
	accepts_make(&s, d);
	return true;
}

static const uint32_t *dfa_row(const struct dfa *d, uint32_t state)
{
	return d->next + (size_t)state * d->n_classes;
}

/**
 * struct partition - states that could not be told apart so far
 * @block: of each state
 * @n: blocks
 */
struct partition {
	uint32_t *block;
	uint32_t n;
};

static uint32_t state_hash(const struct dfa *d, const struct partition *p, uint32_t state)
{
	uint64_t h = p->block[state];

	for (uint32_t c = 0; c < d->n_classes; c++)
		h = (h ^ p->block[dfa_row(d, state)[c]]) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h ^ h >> 32);
}

static bool same_states(const struct dfa *d, const struct partition *p, uint32_t a, uint32_t b)
{
	if (p->block[a] != p->block[b])
		return false;
	for (uint32_t c = 0; c < d->n_classes; c++)
		if (p->block[dfa_row(d, a)[c]] != p->block[dfa_row(d, b)[c]])
			return false;
	return true;
}

/* Blocks are numbered as their first states come: that of the dead state is 0. */
static void refine(const struct dfa *d, const struct partition *p, struct partition *finer,
		   uint32_t *slots, uint32_t mask)
{
	memset(slots, 0, ((size_t)mask + 1) * sizeof(*slots));
	finer->n = 0;
	for (uint32_t state = 0; state < d->n_states; state++) {
		uint32_t slot = state_hash(d, p, state) & mask;

		while (slots[slot] && !same_states(d, p, slots[slot] - 1, state))
			slot = (slot + 1) & mask;
		if (slots[slot]) {
			finer->block[state] = finer->block[slots[slot] - 1];
			continue;
		}
		slots[slot] = state + 1;
		finer->block[state] = finer->n++;
	}
}

static void merge_states(struct dfa *d, const struct partition *p)
{
	uint32_t n = 0;

	/* A block's first state has a number not below the block's. */
	for (uint32_t state = 0; state < d->n_states; state++) {
		if (p->block[state] != n)
			continue;
		d->accepts[n] = d->accepts[state];
		for (uint32_t c = 0; c < d->n_classes; c++)
			d->next[(size_t)n * d->n_classes + c] = p->block[dfa_row(d, state)[c]];
		n++;
	}
	d->start = p->block[d->start];
	d->n_states = n;
}

static bool same_classes(const struct dfa *d, uint32_t a, uint32_t b)
{
	for (uint32_t state = 0; state < d->n_states; state++)
		if (dfa_row(d, state)[a] != dfa_row(d, state)[b])
			return false;
	return true;
}

/* Classes that do the same in every state become one: upper and lower case, say. */
static void merge_classes(struct dfa *d)
{
	uint32_t *next, keep[256], to[256], n = 0, k;

	for (uint32_t c = 0; c < d->n_classes; c++) {
		for (k = 0; k < n && !same_classes(d, keep[k], c); k++)
			;
		if (k == n)
			keep[n++] = c;
		to[c] = k;
	}
	next = mem_alloc((size_t)d->n_states * n * sizeof(*next));
	for (uint32_t state = 0; state < d->n_states; state++)
		for (k = 0; k < n; k++)
			next[(size_t)state * n + k] = dfa_row(d, state)[keep[k]];
	for (unsigned int b = 0; b < 256; b++)
		d->class[b] = (uint8_t)to[d->class[b]];
	d->next = next;
	d->n_classes = n;
}

/**
 * dfa_minimise() - leave only states that can be told apart
 * @d: automaton, all of whose states can be reached; its state 0 stays dead
 */
void dfa_minimise(struct dfa *d)
{
	struct partition p, finer;
	uint32_t slots = 1, *table;

	while (slots < d->n_states)
		slots *= 2;
	table = mem_alloc(slots * 2 * sizeof(*table));
	p.block = mem_alloc(d->n_states * sizeof(*p.block));
	finer.block = mem_alloc(d->n_states * sizeof(*finer.block));
	for (uint32_t state = 0; state < d->n_states; state++)
		p.block[state] = d->accepts[state];
	p.n = 0;
	for (;;) {
		uint32_t *old = p.block, before = p.n;

		refine(d, &p, &finer, table, slots * 2 - 1);
		p = finer;
		finer.block = old;
		if (p.n == before)
			break;
	}
	merge_states(d, &p);
	merge_classes(d);
}

/* The successor that most classes of a state have. */
static uint32_t usual(const struct dfa *d, uint32_t state)
{
	const uint32_t *row = dfa_row(d, state);
	uint32_t best = row[0], best_n = 0;

	for (uint32_t c = 0; c < d->n_classes && best_n <= d->n_classes / 2; c++) {
		uint32_t n = 0;

		for (uint32_t k = c; k < d->n_classes; k++)
			n += row[k] == row[c];
		if (n > best_n) {
			best = row[c];
			best_n = n;
		}
	}
	return best;
}

/**
 * struct packing - rows that are being laid over each other
 * @d: the automaton
 * @entry: the entries
 * @room: of @entry
 * @n: entries up to the last that somebody may read
 * @free: no entry before it is looked at again
 */
struct packing {
	const struct dfa *d;
	struct esmtp_table_entry *entry;
	size_t room;
	size_t n;
	size_t free;
};

#define HOLES 512	/* holes this far behind are left alone: they cost more than they save */

static bool fits(const struct packing *p, size_t base, const uint8_t *class, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (base + class[i] < p->room && p->entry[base + class[i]].owner)
			return false;
	return true;
}

static size_t find_base(struct packing *p, const uint8_t *class, uint32_t n)
{
	size_t base = p->free > class[0] ? p->free - class[0] : 0;

	while (!fits(p, base, class, n))
		base++;
	if (base > p->free + HOLES)
		p->free = base - HOLES;
	return base;
}

/* Puts a state's unusual transitions where they fit. */
static size_t place(struct packing *p, uint32_t state, uint32_t otherwise)
{
	const uint32_t *row = dfa_row(p->d, state);
	uint8_t class[256];
	uint32_t n = 0;
	size_t base;

	for (uint32_t c = 0; c < p->d->n_classes; c++)
		if (row[c] != otherwise)
			class[n++] = (uint8_t)c;
	if (!n)
		return 0;
	base = find_base(p, class, n);
	if (base + p->d->n_classes > p->room) {
		p->entry = mem_grow(p->entry, p->room * sizeof(*p->entry),
				    (p->room * 2 + 512) * sizeof(*p->entry));
		p->room = p->room * 2 + 512;
	}
	if (base + p->d->n_classes > p->n)
		p->n = base + p->d->n_classes;
	for (uint32_t i = 0; i < n; i++)
		p->entry[base + class[i]] = (struct esmtp_table_entry){ (uint16_t)state,
									 (uint16_t)row[class[i]] };
	while (p->free < p->n && p->entry[p->free].owner)
		p->free++;
	return base;
}

static void fill_rows(struct packing *p, struct esmtp_table_row *row)
{
	for (uint32_t state = 0; state < p->d->n_states; state++) {
		uint32_t otherwise = usual(p->d, state);

		row[state].otherwise = (uint16_t)otherwise;
		row[state].flags = p->d->accepts[state] ? ESMTP_TABLE_ACCEPTS : 0;
		row[state].base = (uint32_t)place(p, state, otherwise);
	}
}

static void mark_stuck(const struct dfa *d, struct esmtp_table_row *row)
{
	for (uint32_t state = 0; state < d->n_states; state++) {
		uint32_t c = 0;

		while (c < d->n_classes && dfa_row(d, state)[c] == state)
			c++;
		if (c == d->n_classes)
			row[state].flags |= ESMTP_TABLE_STUCK;
	}
}

/**
 * dfa_pack() - make a table
 * @d: automaton of at most 65535 states and two at least
 * @table: set to the table
 *
 * Return: its bytes.
 */
size_t dfa_pack(const struct dfa *d, void **table)
{
	struct packing p = { .d = d, .n = d->n_classes, .room = d->n_classes };
	struct esmtp_table_row *row = mem_alloc(d->n_states * sizeof(*row));
	size_t rows = d->n_states * sizeof(*row), entries, len;
	struct esmtp_table *t;

	p.entry = mem_alloc(p.room * sizeof(*p.entry));
	fill_rows(&p, row);
	mark_stuck(d, row);
	entries = p.n * sizeof(*p.entry);
	len = sizeof(*t) + rows + entries;
	t = mem_alloc(len);
	t->magic = ESMTP_TABLE_MAGIC;
	t->n_entries = (uint32_t)p.n;
	t->n_states = (uint16_t)d->n_states;
	t->start = (uint16_t)d->start;
	t->n_classes = (uint16_t)d->n_classes;
	memcpy(t->class, d->class, sizeof(t->class));
	memcpy(t + 1, row, rows);
	memcpy((char *)(t + 1) + rows, p.entry, entries);
	*table = t;
	return len;
}
