// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lists of domains and addresses, as tries that share what is equal at the beginning;
 * making them deterministic and small shares what is equal at the end. A thousand
 * elements are some thousand states, in milliseconds.
 *
 * A whole address is held against the list: user@dom is that address, dom every
 * address of that domain, .dom every address of a domain below it. The domain stands
 * behind the last @; a route in front of the address (@a,@b:user@dom) is no part of it.
 * Of an internationalised domain both spellings are in the list.
 */
#include <string.h>

#include "idn.h"
#include "trie.h"
#include "util.h"

#define ELEMENT_MAX 320	/* octets of an address: 64, @, 255 */
#define STATES_MAX 65535

enum domains_kind {
	KIND_ADDRESS,
	KIND_DOMAIN,
	KIND_BELOW,
};

static void *room_for_one(void *array, uint32_t n, size_t size)
{
	if (n & (n - 1))
		return array;
	return mem_grow(array, n * size, (n ? n * 2 : 1) * size);
}

static uint32_t state_new(struct domains *d, uint8_t flags)
{
	uint32_t n = d->a.n_states;

	d->child = room_for_one(d->child, n, sizeof(*d->child));
	d->sibling = room_for_one(d->sibling, n, sizeof(*d->sibling));
	d->byte = room_for_one(d->byte, n, sizeof(*d->byte));
	d->child[n] = 0;
	d->sibling[n] = 0;
	d->byte[n] = 0;
	return nfa_state(&d->a, flags);
}

static void edge_but_at(struct domains *d, uint32_t from, uint32_t to)
{
	nfa_edge(&d->a, from, 0, '@' - 1, to);
	nfa_edge(&d->a, from, '@' + 1, 255, to);
}

/**
 * domains_init() - begin a list
 * @d: the list
 */
void domains_init(struct domains *d)
{
	uint32_t local, first, route, inner;

	memset(d, 0, sizeof(*d));
	d->root[KIND_ADDRESS] = state_new(d, NFA_STARTS);
	/* Any @ may be the last one: where another follows, what was taken for a domain ends. */
	local = state_new(d, NFA_STARTS);
	nfa_edge(&d->a, local, 0, 255, local);
	d->root[KIND_DOMAIN] = state_new(d, 0);
	nfa_edge(&d->a, local, '@', '@', d->root[KIND_DOMAIN]);
	/* Behind any dot of the domain that is not its first byte. */
	inner = state_new(d, 0);
	d->root[KIND_BELOW] = state_new(d, 0);
	edge_but_at(d, d->root[KIND_DOMAIN], inner);
	edge_but_at(d, inner, inner);
	nfa_edge(&d->a, inner, '.', '.', d->root[KIND_BELOW]);
	/* A route: "@" anything ":", and the address begins. */
	first = state_new(d, NFA_STARTS);
	route = state_new(d, 0);
	nfa_edge(&d->a, first, '@', '@', route);
	nfa_edge(&d->a, route, 0, 255, route);
	nfa_edge(&d->a, route, ':', ':', d->root[KIND_ADDRESS]);
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

/* One byte further down, in either case. */
static uint32_t descend(struct domains *d, uint32_t state, uint8_t c)
{
	uint32_t child;

	c = lower(c);
	for (child = d->child[state]; child; child = d->sibling[child])
		if (d->byte[child] == c)
			return child;
	child = state_new(d, 0);
	d->byte[child] = c;
	d->sibling[child] = d->child[state];
	d->child[state] = child;
	nfa_edge(&d->a, state, c, c, child);
	if (c >= 'a' && c <= 'z')
		nfa_edge(&d->a, state, (uint8_t)(c + 'A' - 'a'), (uint8_t)(c + 'A' - 'a'), child);
	return child;
}

static bool has_control(const char *s)
{
	while ((uint8_t)*s >= ' ' && *s != 0x7f)
		s++;
	return *s;
}

/* A domain without the dot that may end it, or NULL and the reason. */
static const char *check_domain(const char *s, size_t n)
{
	if (!n)
		return "the domain is missing";
	if (n > 255)
		return "a domain has at most 255 characters";
	if (*s == '[')
		return s[n - 1] == ']' && n > 2 ? NULL : "the address in brackets does not end";
	for (size_t i = 0; i < n; i++) {
		uint8_t c = lower((uint8_t)s[i]);

		if (c == '.' && (!i || s[i - 1] == '.'))
			return "a label of the domain is empty";
		if (c != '.' && c != '-' && c != '_' && c < 0x80 && !(c >= 'a' && c <= 'z') &&
		    !(c >= '0' && c <= '9'))
			return "a domain has only letters, digits, '-', '_' and dots";
	}
	return NULL;
}

static uint32_t descend_all(struct domains *d, uint32_t state, const char *s)
{
	while (*s)
		state = descend(d, state, (uint8_t)*s++);
	return state;
}

/* @user is empty, or ends with its @. */
static void add(struct domains *d, enum domains_kind kind, const char *user, const char *domain)
{
	uint32_t state = descend_all(d, descend_all(d, d->root[kind], user), domain);

	d->a.flags[state] |= NFA_ACCEPTS;
	/* example.org. is example.org */
	state = descend(d, state, '.');
	d->a.flags[state] |= NFA_ACCEPTS;
}

/**
 * domains_add() - add an element to a list
 * @d: the list
 * @element: user@dom, dom or .dom
 *
 * Return: NULL, or what is wrong with the element.
 */
const char *domains_add(struct domains *d, const char *element)
{
	const char *at = strrchr(element, '@'), *domain = at ? at + 1 : element, *why;
	enum domains_kind kind = at ? KIND_ADDRESS : *element == '.' ? KIND_BELOW : KIND_DOMAIN;
	const char *user = at ? mem_strndup(element, (size_t)(domain - element)) : "";
	size_t n = strlen(element);
	char *ascii, *unicode;

	if (n > ELEMENT_MAX)
		return "an address has at most 320 characters";
	if (has_control(element))
		return "an address has no control characters";
	if (at == element)
		return "a domain stands without @ here";
	if (kind == KIND_BELOW)
		domain++;
	if (n && element[n - 1] == '.' && domain < element + n)
		n--;
	why = check_domain(domain, (size_t)(element + n - domain));
	if (!why)
		why = idn_forms(mem_strndup(domain, (size_t)(element + n - domain)), &ascii, &unicode);
	if (why)
		return why;
	add(d, kind, user, ascii);
	add(d, kind, user, unicode);
	return NULL;
}

/**
 * domains_table() - make the table of a list
 * @d: the list
 * @blob: set to the table
 *
 * Return: AUTOMATON_OK, or why there is no table.
 */
enum automaton_result domains_table(const struct domains *d, struct blob *blob)
{
	return automaton_table(&d->a, STATES_MAX, blob);
}
