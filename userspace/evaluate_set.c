// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets as they were written: addresses, ports, names of interfaces, and sets that
 * have a name, which other lines refer to as @NAME.
 */
#include <string.h>

#include "evaluate.h"
#include "util.h"

#define IFNAME_MAX 15

static bool name_char(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

/**
 * evaluate_name() - may a policy, set or class have this name?
 * @w: the name
 * @what: has it
 * @errors: why not
 *
 * Letters first: nft reads such a name without quotes.
 *
 * Return: true if it may.
 */
bool evaluate_name(const struct word *w, const char *what, struct erecs *errors)
{
	const char *s = w->text;

	if (!((*s >= 'A' && *s <= 'Z') || (*s >= 'a' && *s <= 'z'))) {
		erec_add(errors, &w->loc, "the name of a %s begins with a letter", what);
		return false;
	}
	if (strlen(s) > ESMTP_POLICY_NAME_MAX) {
		erec_add(errors, &w->loc, "the name of a %s has at most %d characters", what,
			 ESMTP_POLICY_NAME_MAX);
		return false;
	}
	while (name_char(*s))
		s++;
	if (*s) {
		erec_add(errors, &w->loc, "the name of a %s has only letters, digits, '_', '-' and '.'",
			 what);
		return false;
	}
	return true;
}

static bool check_not_empty(const struct words *words, struct erecs *errors)
{
	if (!words->head)
		erec_add(errors, &words->loc, "the set is empty");
	return words->head;
}

static const char *kind(bool ports)
{
	return ports ? "ports" : "addresses";
}

/* Statements are read in any order, but of a set others must be able to know what it is. */
static const struct named_set *find_set(const struct word *w, bool ports, const struct config *c,
					struct erecs *errors)
{
	const struct named_set *s = config_set(c, w->text + 1);

	if (!w->text[1])
		erec_add(errors, &w->loc, "behind @ stands the name of a set");
	else if (!s)
		erec_add(errors, &w->loc, "there is no set %s", w->text + 1);
	else if (!location_before(&s->loc, &w->loc))
		erec_add(errors, &w->loc, "set %s is defined only behind this line", s->name);
	else if (s->keys.n && ports != (s->keys.v[0].len == KEY_PORT))
		erec_add(errors, &w->loc, "set %s has %s, here belong %s", s->name, kind(!ports),
			 kind(ports));
	else
		return s;
	return NULL;
}

static void add_key(const struct word *w, bool ports, struct intervals *set, struct erecs *errors)
{
	struct interval iv;
	const char *why;

	if (*w->text == '@')
		why = "a named set stands alone, without braces and others beside it";
	else
		why = ports ? interval_parse_ports(w->text, &iv) : interval_parse_addr(w->text, &iv);
	if (why)
		erec_add(errors, &w->loc, "%s", why);
	else
		intervals_add(set, &iv);
}

/**
 * evaluate_keys() - a set of addresses or ports, or @NAME of one
 * @words: what was written
 * @ports: of ports
 * @c: the configuration, with the named sets
 * @set: gets the intervals, merged; those of a named set are shared with it
 * @ref: gets the name of a named set
 * @errors: what is wrong
 */
void evaluate_keys(const struct words *words, bool ports, const struct config *c,
		   struct intervals *set, const char **ref, struct erecs *errors)
{
	const struct named_set *s;

	if (!check_not_empty(words, errors))
		return;
	if (words->head == words->tail && *words->head->text == '@' && !words->braces) {
		s = find_set(words->head, ports, c, errors);
		if (s) {
			*set = s->keys;
			*ref = s->name;
		}
		return;
	}
	for (const struct word *w = words->head; w; w = w->next)
		add_key(w, ports, set, errors);
	intervals_merge(set);
}

static bool check_ifname(const struct word *w, struct erecs *errors)
{
	size_t len = strlen(w->text), stem = len && w->text[len - 1] == '*' ? len - 1 : len;

	if (*w->text == '@') {
		erec_add(errors, &w->loc,
			 "a named set has addresses or ports; names of interfaces stand here themselves");
		return false;
	}
	if (len == 1 && !stem) {
		erec_add(errors, &w->loc, "'*' is every interface: leave the line out");
		return false;
	}
	if (len < 1 || len > IFNAME_MAX || strcspn(w->text, "/:*\" \t") < stem ||
	    !strcmp(w->text, ".") || !strcmp(w->text, "..")) {
		erec_add(errors, &w->loc,
			 "this is no name of an interface: 1 to 15 characters, no '/', ':' or blank, '*' only at the end");
		return false;
	}
	return true;
}

/* "eth*" covers "eth0" and "eth1*". */
static bool ifname_covers(const char *a, const char *b)
{
	size_t stem = strlen(a) - 1;

	return a[stem] == '*' ? !strncmp(a, b, stem) : !strcmp(a, b);
}

static void add_ifname(struct names *names, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++)
		if (ifname_covers(names->v[i], name))
			return;
	for (size_t i = 0; i < names->n; i++)
		if (!ifname_covers(name, names->v[i]))
			names->v[n++] = names->v[i];
	names->v[n++] = name;
	names->n = n;
}

/**
 * evaluate_ifnames() - a set of names of interfaces
 * @words: what was written
 * @names: gets the names, sorted; what another covers is left out
 * @errors: what is wrong
 */
void evaluate_ifnames(const struct words *words, struct names *names, struct erecs *errors)
{
	size_t n = 0;

	if (!check_not_empty(words, errors))
		return;
	for (const struct word *w = words->head; w; w = w->next)
		n++;
	names->v = mem_alloc((n + 1) * sizeof(*names->v));
	names->n = 0;
	for (const struct word *w = words->head; w; w = w->next)
		if (check_ifname(w, errors))
			add_ifname(names, w->text);
	names_sort(names);
}

/* A port is what has only digits, of a range before the hyphen. */
static bool looks_like_port(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && (!text[digits] || text[digits] == '-');
}

/**
 * evaluate_set() - a named set; its first element says of what
 * @stmt: the statement
 * @c: gets it
 * @errors: what is wrong
 */
void evaluate_set(const struct stmt *stmt, struct config *c, struct erecs *errors)
{
	struct named_set *s = mem_alloc(sizeof(*s)), **tail = &c->sets;
	bool ports;

	evaluate_name(stmt->name, "set", errors);
	if (config_set(c, stmt->name->text)) {
		erec_add(errors, &stmt->name->loc, "set %s exists already", stmt->name->text);
		return;
	}
	s->loc = stmt->name->loc;
	s->name = stmt->name->text;
	while (*tail)
		tail = &(*tail)->next;
	*tail = s;
	if (!check_not_empty(&stmt->words, errors))
		return;
	ports = looks_like_port(stmt->words.head->text);
	for (const struct word *w = stmt->words.head; w; w = w->next)
		if (looks_like_port(w->text) != ports && *w->text != '@')
			erec_add(errors, &w->loc, "set %s has %s: %s do not go with them", s->name,
				 kind(ports), kind(!ports));
		else
			add_key(w, ports, &s->keys, errors);
	intervals_merge(&s->keys);
}
