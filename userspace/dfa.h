/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_DFA_H
#define ESMTPCTL_DFA_H

#include "automaton.h"

/**
 * struct dfa - a deterministic automaton; state 0 is dead
 * @n_states: how many
 * @start: the state of a text without a byte
 * @n_classes: how many kinds of bytes there are
 * @class: of each byte
 * @accepts: of each state
 * @next: n_classes states for each state
 */
struct dfa {
	uint32_t n_states;
	uint32_t start;
	uint32_t n_classes;
	uint8_t class[256];
	bool *accepts;
	uint32_t *next;
};

bool dfa_make(const struct nfa *a, uint32_t states_max, struct dfa *d);
void dfa_minimise(struct dfa *d);
size_t dfa_pack(const struct dfa *d, void **table);

#endif
