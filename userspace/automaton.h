/* SPDX-License-Identifier: GPL-2.0-only */
/* Automata, from the states and edges of whoever makes them to a table of the module. */
#ifndef ESMTPCTL_AUTOMATON_H
#define ESMTPCTL_AUTOMATON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct nfa_edge - a way from one state to another
 * @from: the one
 * @to: the other
 * @lo: by this byte
 * @hi: up to this one
 */
struct nfa_edge {
	uint32_t from;
	uint32_t to;
	uint8_t lo;
	uint8_t hi;
};

/**
 * struct nfa - an automaton in which a byte may lead to several states
 * @flags: of each state: NFA_STARTS, NFA_ACCEPTS
 * @n_states: how many
 * @edges: in any order
 * @n_edges: how many
 */
struct nfa {
	uint8_t *flags;
	uint32_t n_states;
	struct nfa_edge *edges;
	uint32_t n_edges;
};

#define NFA_STARTS	1u
#define NFA_ACCEPTS	2u

/**
 * struct blob - a table as the module takes it
 * @data: a struct esmtp_table
 * @len: its bytes
 */
struct blob {
	void *data;
	size_t len;
};

uint32_t nfa_state(struct nfa *a, uint8_t flags);
void nfa_edge(struct nfa *a, uint32_t from, uint8_t lo, uint8_t hi, uint32_t to);

enum automaton_result {
	AUTOMATON_OK,
	AUTOMATON_STATES,	/* it has too many states */
	AUTOMATON_SIZE,		/* its table is too large */
};

enum automaton_result automaton_table(const struct nfa *a, uint32_t states_max, struct blob *blob);

#endif
