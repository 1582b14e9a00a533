// SPDX-License-Identifier: GPL-2.0-only
/*
 * Automata of any origin: collected state by state, made deterministic, small and
 * a table.
 */
#include <stdlib.h>
#include <string.h>

#include "../include/esmtp/table.h"
#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"
#include "automaton.h"
#include "dfa.h"
#include "util.h"

/* Room doubles, so it is a matter of the count when there is none left. */
static void *room_for_one(void *array, uint32_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return mem_grow(array, n * size, (n ? n * 2 : 1) * size);
}

/**
 * nfa_state() - one more state
 * @a: automaton
 * @flags: NFA_STARTS, NFA_ACCEPTS
 *
 * Return: its number.
 */
uint32_t nfa_state(struct nfa *a, uint8_t flags)
{
	a->flags = room_for_one(a->flags, a->n_states, sizeof(*a->flags));
	a->flags[a->n_states] = flags;
	return a->n_states++;
}

/**
 * nfa_edge() - one more edge
 * @a: automaton
 * @from: state
 * @lo: by this byte
 * @hi: up to this one
 * @to: state
 */
void nfa_edge(struct nfa *a, uint32_t from, uint8_t lo, uint8_t hi, uint32_t to)
{
	a->edges = room_for_one(a->edges, a->n_edges, sizeof(*a->edges));
	a->edges[a->n_edges++] = (struct nfa_edge){ from, to, lo, hi };
}

/* A deterministic automaton may be larger before it is minimised; this bounds the work. */
#define RAW_FACTOR 8

/**
 * automaton_table() - make a table of an automaton
 * @a: automaton
 * @states_max: states that the table may have
 * @blob: set to the table
 *
 * Return: AUTOMATON_OK, or why there is no table.
 */
enum automaton_result automaton_table(const struct nfa *a, uint32_t states_max, struct blob *blob)
{
	struct dfa d;

	if (!dfa_make(a, states_max * RAW_FACTOR, &d))
		return AUTOMATON_STATES;
	dfa_minimise(&d);
	if (d.n_states > states_max)
		return AUTOMATON_STATES;
	blob->len = dfa_pack(&d, &blob->data);
	return blob->len <= ESMTP_TABLE_SIZE_MAX ? AUTOMATON_OK : AUTOMATON_SIZE;
}
