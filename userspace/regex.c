// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dialect: POSIX's extended regular expressions, with the escapes that people know.
 * What has another meaning elsewhere, or none here, is refused rather than guessed.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "regex.h"
#include "util.h"

/**
 * struct reader - an expression that is being read
 * @text: the expression
 * @pos: of the next character
 * @len: of the expression
 * @depth: of groups
 * @nocase: letters stand for both cases
 * @e: why it is refused; e->why is NULL so far
 */
struct reader {
	const char *text;
	uint32_t pos;
	uint32_t len;
	uint32_t depth;
	bool nocase;
	struct regex_error *e;
};

static void *refuse(struct reader *r, uint32_t at, const char *why)
{
	if (!r->e->why)
		*r->e = (struct regex_error){ at, why };
	return NULL;
}

static struct regex *node_new(enum regex_kind kind, uint32_t at)
{
	struct regex *n = mem_alloc(sizeof(*n));

	n->kind = kind;
	n->at = at;
	return n;
}

static bool more(const struct reader *r)
{
	return r->pos < r->len;
}

static unsigned char peek(const struct reader *r)
{
	return (unsigned char)r->text[r->pos];
}

static void set_range(bool *set, unsigned int lo, unsigned int hi)
{
	for (unsigned int b = lo; b <= hi; b++)
		set[b] = true;
}

static const struct {
	const char *name;
	const char *ranges;	/* pairs of first and last */
} named_sets[] = {
	{ "alpha", "AZaz" }, { "digit", "09" }, { "alnum", "AZaz09" }, { "upper", "AZ" },
	{ "lower", "az" }, { "xdigit", "09AFaf" }, { "space", "\t\r  " }, { "blank", "\t\t  " },
	{ "punct", "!/:@[`{~" }, { "print", " ~" }, { "graph", "!~" }, { "cntrl", "\1\x1f\x7f\x7f" },
};

static bool set_named(bool *set, const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(named_sets); i++) {
		const char *r = named_sets[i].ranges;

		if (strlen(named_sets[i].name) != len || strncmp(named_sets[i].name, name, len))
			continue;
		for (; *r; r += 2)
			set_range(set, (unsigned char)r[0], (unsigned char)r[1]);
		/* A string cannot hold it. */
		set[0] |= !strcmp(named_sets[i].name, "cntrl");
		return true;
	}
	return false;
}

static void set_invert(bool *set)
{
	for (unsigned int b = 0; b < 256; b++)
		set[b] = !set[b];
}

static void set_fold(bool *set)
{
	for (unsigned int c = 'a'; c <= 'z'; c++)
		set[c] = set[c - 'a' + 'A'] = set[c] || set[c - 'a' + 'A'];
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? strchr(digits, c | 0x20) : NULL;

	if (!p || ((c | 0x20) != c && c < 'A'))
		return -1;
	return (int)(p - digits);
}

static bool is_letter_or_digit(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* \d and its like; *many says that it is more than one byte. Behind the backslash. */
static bool read_letter_escape(struct reader *r, bool *set, bool *many)
{
	unsigned char c = peek(r);

	*many = true;
	switch (c | 0x20) {
	case 'd':
		set_named(set, "digit", 5);
		break;
	case 'w':
		set_named(set, "alnum", 5);
		set['_'] = true;
		break;
	case 's':
		set_named(set, "space", 5);
		break;
	default:
		return false;
	}
	if (!(c & 0x20))
		set_invert(set);
	r->pos++;
	return true;
}

static bool read_hex(struct reader *r, bool *set, unsigned int *byte)
{
	uint32_t at = r->pos - 1;
	int hi = r->pos + 1 < r->len ? hex_digit(r->text[r->pos + 1]) : -1;
	int lo = r->pos + 2 < r->len ? hex_digit(r->text[r->pos + 2]) : -1;

	if (hi < 0 || lo < 0) {
		refuse(r, at, "\\x needs two hexadecimal digits");
		return false;
	}
	*byte = (unsigned int)(hi << 4 | lo);
	set[*byte] = true;
	r->pos += 3;
	return true;
}

/* Behind a backslash. *many: it is more than one byte, else it is @byte. */
static bool read_escape(struct reader *r, bool *set, bool *many, unsigned int *byte)
{
	static const char controls[] = "n\nr\rt\tf\fv\va\a";
	unsigned char c;

	*many = false;
	if (!more(r)) {
		refuse(r, r->pos - 1, "a backslash stands at the end of the expression");
		return false;
	}
	c = peek(r);
	if (c == 'x')
		return read_hex(r, set, byte);
	if (read_letter_escape(r, set, many))
		return true;
	*byte = c;
	if (is_letter_or_digit(c)) {
		const char *p = controls;

		while (*p && (unsigned char)*p != c)
			p += 2;
		if (!*p) {
			refuse(r, r->pos - 1,
			       "this escape is not known here: there are \\d \\w \\s \\D \\W \\S \\xHH \\n \\r \\t \\f \\v \\a, and a backslash before any other sign");
			return false;
		}
		*byte = (unsigned char)p[1];
	}
	set[*byte] = true;
	r->pos++;
	return true;
}

/* [:alpha:], at its first bracket. */
static bool read_named(struct reader *r, bool *set)
{
	const char *name = r->text + r->pos + 2, *end = strstr(name, ":]");

	if (r->text[r->pos + 1] != ':') {
		refuse(r, r->pos, "[. .] and [= =] are not known here");
		return false;
	}
	if (!end || !set_named(set, name, (size_t)(end - name))) {
		refuse(r, r->pos,
		       "there are [:alpha:] [:digit:] [:alnum:] [:upper:] [:lower:] [:xdigit:] [:space:] [:blank:] [:punct:] [:print:] [:graph:] [:cntrl:]");
		return false;
	}
	r->pos = (uint32_t)(end + 2 - r->text);
	return true;
}

/* One end of a range, or a set of its own. */
static bool read_member(struct reader *r, bool *set, bool *many, unsigned int *byte)
{
	unsigned char c = peek(r);

	*many = false;
	if (c == '[' && r->pos + 1 < r->len && strchr(":.=", r->text[r->pos + 1])) {
		*many = true;
		return read_named(r, set);
	}
	if (c >= 0x80) {
		refuse(r, r->pos, "in brackets stands only ASCII; a byte beyond it is \\xHH");
		return false;
	}
	r->pos++;
	if (c == '\\')
		return read_escape(r, set, many, byte);
	set[c] = true;
	*byte = c;
	return true;
}

static bool read_range(struct reader *r, bool *set)
{
	bool many, other[256] = { false };
	unsigned int lo = 0, hi = 0;
	uint32_t at = r->pos;

	if (!read_member(r, set, &many, &lo))
		return false;
	if (r->pos + 1 >= r->len || peek(r) != '-' || r->text[r->pos + 1] == ']')
		return true;
	if (!many) {
		r->pos++;
		if (!read_member(r, other, &many, &hi))
			return false;
	}
	if (many) {
		refuse(r, at, "a set is no end of a range");
		return false;
	}
	if (lo > hi) {
		refuse(r, at, "the range runs backwards");
		return false;
	}
	set_range(set, lo, hi);
	return true;
}

/* Behind the bracket. */
static struct regex *read_brackets(struct reader *r)
{
	struct regex *n = node_new(REGEX_SET, r->pos - 1);
	bool invert = more(r) && peek(r) == '^', any = false;
	uint32_t first;

	r->pos += invert;
	for (first = r->pos; more(r) && (peek(r) != ']' || r->pos == first);)
		if (!read_range(r, n->set))
			return NULL;
	if (!more(r))
		return refuse(r, n->at, "the bracket is not closed");
	r->pos++;
	if (r->nocase)
		set_fold(n->set);
	if (invert)
		set_invert(n->set);
	for (unsigned int b = 0; b < 256; b++)
		any |= n->set[b];
	return any ? n : refuse(r, n->at, "no byte is in this set");
}

static struct regex *read_alternatives(struct reader *r);

/* Behind the parenthesis. */
static struct regex *read_group(struct reader *r)
{
	uint32_t at = r->pos - 1;
	struct regex *n;

	if (more(r) && peek(r) == '?')
		return refuse(r, at, "groups that begin with (? are not known here; a plain group does");
	if (++r->depth > REGEX_DEPTH_MAX)
		return refuse(r, at, "there are more than 50 groups in each other");
	n = read_alternatives(r);
	r->depth--;
	if (!n)
		return NULL;
	if (!more(r))
		return refuse(r, at, "the parenthesis is not closed");
	r->pos++;
	return n;
}

static void append(struct regex *parent, struct regex *child)
{
	struct regex **tail = &parent->child;

	while (*tail)
		tail = &(*tail)->next;
	*tail = child;
}

static struct regex *byte_new(struct reader *r, uint32_t at, unsigned char c)
{
	struct regex *n = node_new(REGEX_SET, at);

	n->set[c] = true;
	if (r->nocase)
		set_fold(n->set);
	return n;
}

/* How many bytes follow the first one of a character, UTF-8. */
static unsigned int bytes_behind(unsigned char first)
{
	if (first < 0xc0)
		return 0;
	return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

/* A character of several bytes is repeated as a whole. */
static struct regex *read_character(struct reader *r)
{
	struct regex *n = byte_new(r, r->pos, peek(r)), *cat;
	unsigned int behind = bytes_behind(peek(r));

	r->pos++;
	if (!behind)
		return n;
	cat = node_new(REGEX_CAT, r->pos - 1);
	append(cat, n);
	for (; behind && more(r) && (peek(r) & 0xc0) == 0x80; behind--, r->pos++)
		append(cat, byte_new(r, r->pos, peek(r)));
	return cat;
}

static struct regex *read_escaped(struct reader *r)
{
	struct regex *n = node_new(REGEX_SET, r->pos - 1);
	unsigned int byte = 0;
	bool many;

	if (!read_escape(r, n->set, &many, &byte))
		return NULL;
	if (r->nocase && !many)
		set_fold(n->set);
	return n;
}

static struct regex *read_atom(struct reader *r)
{
	uint32_t at = r->pos;
	struct regex *n;

	switch (peek(r)) {
	case '(':
		r->pos++;
		return read_group(r);
	case '[':
		r->pos++;
		return read_brackets(r);
	case '\\':
		r->pos++;
		return read_escaped(r);
	case '.':
		r->pos++;
		n = node_new(REGEX_SET, at);
		set_range(n->set, 0, 255);
		return n;
	case '^':
		r->pos++;
		return node_new(REGEX_BEGIN, at);
	case '$':
		r->pos++;
		return node_new(REGEX_END, at);
	case '*':
	case '+':
	case '?':
	case '{':
		return refuse(r, at, "there is nothing in front of it to repeat; the sign itself has a backslash");
	default:
		return read_character(r);
	}
}

/* Digits up to REGEX_REPEAT_MAX; @n stays if there are none. */
static bool read_times(struct reader *r, uint32_t *n)
{
	uint32_t at = r->pos, v = 0;

	if (!more(r) || peek(r) < '0' || peek(r) > '9')
		return true;
	for (; more(r) && peek(r) >= '0' && peek(r) <= '9'; r->pos++)
		if (v <= REGEX_REPEAT_MAX)
			v = v * 10 + peek(r) - '0';
	if (v > REGEX_REPEAT_MAX) {
		refuse(r, at, "a repetition counts to 255 at most");
		return false;
	}
	*n = v;
	return true;
}

/* At the brace. */
static bool read_braces(struct reader *r, struct regex *n)
{
	uint32_t at = r->pos++;

	n->min = REGEX_NO_MAX;
	if (!read_times(r, &n->min))
		return false;
	n->max = n->min;
	if (more(r) && peek(r) == ',') {
		r->pos++;
		n->max = REGEX_NO_MAX;
		if (!read_times(r, &n->max))
			return false;
	}
	if (!more(r) || peek(r) != '}' || n->min == REGEX_NO_MAX) {
		refuse(r, at, "a repetition is {2}, {2,} or {2,5}; the brace itself is \\{");
		return false;
	}
	r->pos++;
	if (n->max < n->min)
		refuse(r, at, "the repetition's second number is below its first");
	return n->max >= n->min;
}

static bool is_repetition(const struct reader *r)
{
	return more(r) && strchr("*+?{", peek(r)) && peek(r);
}

static struct regex *read_repeated(struct reader *r)
{
	struct regex *atom = read_atom(r), *n;

	if (!atom || !is_repetition(r))
		return atom;
	if (atom->kind == REGEX_BEGIN || atom->kind == REGEX_END)
		return refuse(r, r->pos, "^ and $ cannot be repeated");
	n = node_new(REGEX_REPEAT, r->pos);
	n->child = atom;
	n->min = peek(r) == '+';
	n->max = peek(r) == '?' ? 1 : REGEX_NO_MAX;
	if (peek(r) != '{')
		r->pos++;
	else if (!read_braces(r, n))
		return NULL;
	if (is_repetition(r))
		return refuse(r, r->pos, "a repetition is not repeated again; put a group around it");
	return n;
}

static struct regex *read_sequence(struct reader *r)
{
	struct regex *cat = node_new(REGEX_CAT, r->pos), **tail = &cat->child;

	while (more(r) && peek(r) != '|' && peek(r) != ')') {
		*tail = read_repeated(r);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
	}
	if (!cat->child)
		cat->kind = REGEX_EMPTY;
	return cat;
}

static struct regex *read_alternatives(struct reader *r)
{
	struct regex *alt = node_new(REGEX_ALT, r->pos), **tail = &alt->child;

	for (;;) {
		*tail = read_sequence(r);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
		if (!more(r) || peek(r) != '|')
			break;
		r->pos++;
	}
	if (!r->depth && more(r))
		return refuse(r, r->pos, "this parenthesis closes nothing");
	return alt;
}

/* With repetitions written out; what is above the limit need not be exact. */
static uint32_t tree_size(const struct regex *n)
{
	uint32_t sum = n->kind == REGEX_SET, times;

	for (const struct regex *c = n->child; c && sum <= REGEX_SIZE_MAX; c = c->next)
		sum += tree_size(c);
	if (n->kind != REGEX_REPEAT)
		return sum;
	times = n->max == REGEX_NO_MAX ? n->min + 1 : n->max;
	return sum > REGEX_SIZE_MAX ? sum : sum * (times ? times : 1);
}

/**
 * regex_parse() - read an expression
 * @text: the expression
 * @nocase: letters stand for both cases
 * @e: why it is refused
 *
 * Return: its tree, or NULL.
 */
struct regex *regex_parse(const char *text, bool nocase, struct regex_error *e)
{
	struct reader r = { .text = text, .len = (uint32_t)strlen(text), .nocase = nocase, .e = e };
	struct regex *tree;

	e->why = NULL;
	if (!r.len)
		return refuse(&r, 0, "the expression is empty: it would match everything");
	if (r.len > REGEX_LENGTH_MAX)
		return refuse(&r, 0, "an expression has at most 1024 characters");
	tree = read_alternatives(&r);
	if (tree && tree_size(tree) > REGEX_SIZE_MAX)
		return refuse(&r, 0, "with its repetitions written out the expression has more than 4096 characters");
	return tree;
}

/**
 * struct split - a tree that is being split by its anchors
 * @head: the branches so far
 * @tail: where the next is hung
 * @n: how many
 * @e: why it is refused
 */
struct split {
	struct regex_branch *head;
	struct regex_branch **tail;
	unsigned int n;
	struct regex_error *e;
};

static const struct regex *find_anchor(const struct regex *n)
{
	const struct regex *found = NULL;

	if (n->kind == REGEX_BEGIN || n->kind == REGEX_END)
		return n;
	for (const struct regex *c = n->child; c && !found; c = c->next)
		found = find_anchor(c);
	return found;
}

static struct regex *last_child(struct regex *cat)
{
	struct regex *c = cat->child;

	while (c && c->next)
		c = c->next;
	return c;
}

/* A copy of a sequence's own nodes, with one child replaced by others or by nothing. */
static struct regex *replaced(const struct regex *cat, const struct regex *old, struct regex *by)
{
	struct regex *copy = node_new(REGEX_CAT, cat->at), **tail = &copy->child;

	for (const struct regex *c = cat->child; c; c = c->next) {
		const struct regex *from = c == old ? by : c;

		/* What stands for the old one is a sequence: its children come in its place. */
		if (c == old && by)
			from = by->child;
		for (; from; from = c == old ? from->next : NULL) {
			*tail = mem_grow(from, sizeof(*from), sizeof(*from));
			(*tail)->next = NULL;
			tail = &(*tail)->next;
		}
	}
	return copy;
}

static bool split_sequence(struct split *s, struct regex *cat, bool begin, bool end);

/* A group at an edge of a sequence: each of its alternatives is a branch. */
static bool split_group(struct split *s, struct regex *cat, struct regex *alt, bool begin, bool end)
{
	for (struct regex *c = alt->child; c; c = c->next)
		if (!split_sequence(s, replaced(cat, alt, c), begin, end))
			return false;
	return true;
}

static bool add_branch(struct split *s, struct regex *cat, bool begin, bool end)
{
	const struct regex *anchor = find_anchor(cat);
	struct regex_branch *b;

	if (anchor) {
		*s->e = (struct regex_error){ anchor->at, anchor->kind == REGEX_BEGIN ?
			"^ stands only where a text can begin; the sign itself is \\^" :
			"$ stands only where a text can end; the sign itself is \\$" };
		return false;
	}
	if (s->n == REGEX_BRANCHES_MAX) {
		*s->e = (struct regex_error){ cat->at, "there are more than 64 alternatives because of ^ and $" };
		return false;
	}
	if (!cat->child)
		cat->kind = REGEX_EMPTY;
	b = mem_alloc(sizeof(*b));
	*b = (struct regex_branch){ NULL, cat, begin, end };
	*s->tail = b;
	s->tail = &b->next;
	s->n++;
	return true;
}

static bool split_sequence(struct split *s, struct regex *cat, bool begin, bool end)
{
	struct regex *first = cat->child, *last = last_child(cat);

	if (!first || !find_anchor(cat))
		return add_branch(s, cat, begin, end);
	if (first->kind == REGEX_BEGIN)
		return split_sequence(s, replaced(cat, first, NULL), true, end);
	if (last->kind == REGEX_END)
		return split_sequence(s, replaced(cat, last, NULL), begin, true);
	if (first->kind == REGEX_ALT && find_anchor(first))
		return split_group(s, cat, first, begin, end);
	if (last->kind == REGEX_ALT && find_anchor(last))
		return split_group(s, cat, last, begin, end);
	return add_branch(s, cat, begin, end);
}

/**
 * regex_branches() - split a tree so that anchors stand at the edges only
 * @tree: from regex_parse()
 * @e: why that cannot be
 *
 * Return: the branches, or NULL.
 */
struct regex_branch *regex_branches(struct regex *tree, struct regex_error *e)
{
	struct regex *plain = node_new(REGEX_ALT, tree->at), **tail = &plain->child, *next;
	struct split s = { .e = e };

	s.tail = &s.head;
	e->why = NULL;
	for (struct regex *c = tree->child; c; c = next) {
		next = c->next;
		if (find_anchor(c)) {
			if (!split_sequence(&s, c, false, false))
				return NULL;
			continue;
		}
		/* Those without any, however many they are, are one branch. */
		c->next = NULL;
		*tail = c;
		tail = &c->next;
	}
	if (plain->child && !add_branch(&s, plain, false, false))
		return NULL;
	return s.head;
}
