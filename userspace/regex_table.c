// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the tree of an expression to a table. libfa makes an automaton of it, in its own
 * words; it has no limit of its own and a short expression can keep it busy for hours, so all
 * of this happens in a child with little time and memory, which writes the table to a pipe.
 */
#include <errno.h>
#include <fa.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"
#include "regex.h"
#include "util.h"

/**
 * struct text - an expression in libfa's words
 * @s: bytes, NUL among them
 * @len: how many
 * @room: of @s
 */
struct text {
	char *s;
	size_t len;
	size_t room;
};

static void put(struct text *t, const char *s, size_t len)
{
	if (t->len + len > t->room) {
		t->s = mem_grow(t->s, t->len, (t->len + len) * 2);
		t->room = (t->len + len) * 2;
	}
	memcpy(t->s + t->len, s, len);
	t->len += len;
}

static void put_string(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

static bool is_special(unsigned int c)
{
	return !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
}

static void put_byte(struct text *t, unsigned int c)
{
	char byte = (char)c;

	if (is_special(c))
		put(t, "\\", 1);
	put(t, &byte, 1);
}

/* Whether a byte is itself as an end of a range in libfa's brackets. */
static bool ends_range(unsigned int c)
{
	return !strchr("[]^-\\", (int)c) || !c;
}

static void put_range(struct text *t, unsigned int lo, unsigned int hi, const char **sep)
{
	char bracket[] = { '[', (char)lo, '-', (char)hi, ']' };

	put_string(t, *sep);
	*sep = "|";
	if (lo == hi)
		put_byte(t, lo);
	else
		put(t, bracket, sizeof(bracket));
}

/* libfa compares ends as signed characters: no range goes over the middle. */
static void put_set(struct text *t, const bool *set)
{
	const char *sep = "(";

	for (unsigned int lo = 0, hi; lo < 256; lo = hi + 1) {
		hi = lo;
		if (!set[lo])
			continue;
		while (ends_range(lo) && hi + 1 < 256 && set[hi + 1] && hi != 0x7f &&
		       ends_range(hi + 1))
			hi++;
		put_range(t, lo, hi, &sep);
	}
	put_string(t, ")");
}

static void put_tree(struct text *t, const struct regex *n);

static void put_repeat(struct text *t, const struct regex *n)
{
	char times[32];

	put_string(t, "(");
	put_tree(t, n->child);
	if (n->max == REGEX_NO_MAX)
		snprintf(times, sizeof(times), "){%u,}", n->min);
	else
		snprintf(times, sizeof(times), "){%u,%u}", n->min, n->max);
	put_string(t, n->min == 0 && n->max == REGEX_NO_MAX ? ")*" : times);
}

static void put_tree(struct text *t, const struct regex *n)
{
	const char *sep = "(";

	switch (n->kind) {
	case REGEX_SET:
		put_set(t, n->set);
		break;
	case REGEX_REPEAT:
		put_repeat(t, n);
		break;
	case REGEX_ALT:
		for (const struct regex *c = n->child; c; c = c->next, sep = "|") {
			put_string(t, sep);
			put_tree(t, c);
		}
		put_string(t, ")");
		break;
	case REGEX_CAT:
		for (const struct regex *c = n->child; c; c = c->next)
			put_tree(t, c);
		break;
	default:	/* anchors are gone by now */
		put_string(t, "()");
	}
}

/* What of the branches has these anchors, as one expression. Returns false if nothing has. */
static bool put_branches(struct text *t, const struct regex_branch *b, bool begin, bool end)
{
	const char *sep = "(";

	memset(t, 0, sizeof(*t));
	for (; b; b = b->next) {
		if (b->begin != begin || b->end != end)
			continue;
		put_string(t, sep);
		put_tree(t, b->tree);
		sep = "|";
	}
	put_string(t, ")");
	return t->len > 1;
}

/**
 * struct joined - the automata of all branches, in one
 * @a: that one
 * @search: the state of who has not begun to match
 * @found: the state of who has matched
 */
struct joined {
	struct nfa a;
	uint32_t search;
	uint32_t found;
};

static int pointer_cmp(const void *a, const void *b)
{
	const struct state *x = *(struct state *const *)a, *y = *(struct state *const *)b;

	return (x > y) - (x < y);
}

/**
 * struct states - states of libfa and their numbers here
 * @v: the states, sorted
 * @n: how many
 * @base: number of the first
 */
struct states {
	struct state **v;
	size_t n;
	uint32_t base;
};

static uint32_t number(const struct states *s, struct state *state)
{
	struct state **at = bsearch(&state, s->v, s->n, sizeof(*s->v), pointer_cmp);

	return s->base + (uint32_t)(at - s->v);
}

static void collect(struct fa *fa, struct states *s)
{
	size_t i = 0;

	s->n = 0;
	for (struct state *st = fa_state_initial(fa); st; st = fa_state_next(st))
		s->n++;
	s->v = mem_alloc(s->n * sizeof(struct state *));
	for (struct state *st = fa_state_initial(fa); st; st = fa_state_next(st))
		s->v[i++] = st;
	qsort(s->v, s->n, sizeof(struct state *), pointer_cmp);
}

/* Who searches may begin at any byte what others begin with the text. */
static void join_state(struct joined *j, const struct states *s, struct state *st, bool search,
		       bool end)
{
	uint32_t from = number(s, st);
	unsigned char lo, hi;
	struct state *to;

	for (size_t i = 0; i < fa_state_num_trans(st); i++) {
		if (fa_state_trans(st, i, &to, &lo, &hi))
			continue;
		nfa_edge(&j->a, from, lo, hi, number(s, to));
		if (search)
			nfa_edge(&j->a, j->search, lo, hi, number(s, to));
	}
	if (!fa_state_is_accepting(st))
		return;
	j->a.flags[from] |= NFA_ACCEPTS;
	if (search)
		j->a.flags[j->search] |= NFA_ACCEPTS;
	if (!end)
		nfa_edge(&j->a, from, 0, 255, j->found);
}

static void join(struct joined *j, struct fa *fa, bool begin, bool end)
{
	struct state *first = fa_state_initial(fa);
	struct states s = { .base = j->a.n_states };

	collect(fa, &s);
	for (size_t i = 0; i < s.n; i++)
		nfa_state(&j->a, s.v[i] == first ? NFA_STARTS : 0);
	for (size_t i = 0; i < s.n; i++)
		join_state(j, &s, s.v[i], s.v[i] == first && !begin, end);
}

static const char *too_large(void)
{
	return mem_printf("it takes more than %d MiB of memory to make a table of this", REGEX_MEMORY_MAX);
}

static const char *compile(const struct regex_branch *branches, struct blob *blob)
{
	struct joined j = { { 0 }, 0, 0 };
	struct fa *fa;
	struct text t;
	int err;

	j.search = nfa_state(&j.a, NFA_STARTS);
	j.found = nfa_state(&j.a, NFA_ACCEPTS);
	nfa_edge(&j.a, j.search, 0, 255, j.search);
	nfa_edge(&j.a, j.found, 0, 255, j.found);
	for (unsigned int k = 0; k < 4; k++) {
		if (!put_branches(&t, branches, k & 1, k & 2))
			continue;
		fa = NULL;
		err = fa_compile(t.s, t.len, &fa);
		/* What is wrong was refused long before: it has no memory. */
		if (err || !fa)
			return too_large();
		join(&j, fa, k & 1, k & 2);
		fa_free(fa);
	}
	switch (automaton_table(&j.a, REGEX_STATES_MAX, blob)) {
	case AUTOMATON_OK:
		return NULL;
	case AUTOMATON_STATES:
		return mem_printf("this needs more than %d states: fewer repetitions that can begin anywhere, or fewer expressions, need less",
				  REGEX_STATES_MAX);
	default:
		return mem_printf("the table of this is larger than %d KiB",
				  ESMTP_TABLE_SIZE_MAX / 1024);
	}
}

static bool write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t done;

	for (; len; p += done, len -= (size_t)done) {
		done = write(fd, p, len);
		if (done < 0 && errno == EINTR)
			done = 0;
		else if (done <= 0)
			return false;
	}
	return true;
}

static void limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit l = { soft, hard };

	setrlimit(resource, &l);
}

#ifdef __SANITIZE_ADDRESS__
#define MEMORY_LIMITED 0	/* its shadow alone is beyond any limit */
#else
#define MEMORY_LIMITED 1
#endif

/* In the child: a letter, then a table or a sentence. */
static void child(int fd, const struct regex_branch *branches)
{
	sigset_t none;
	struct blob blob;
	const char *why;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGALRM, SIG_DFL);
	alarm(REGEX_WALL_MAX);
	limit(RLIMIT_CORE, 0, 0);
	limit(RLIMIT_CPU, REGEX_CPU_MAX, REGEX_CPU_MAX + 1);
	if (MEMORY_LIMITED)
		limit(RLIMIT_AS, (rlim_t)REGEX_MEMORY_MAX << 20, (rlim_t)REGEX_MEMORY_MAX << 20);
	/* What has no memory says so on standard error, and that is said better below. */
	close(STDERR_FILENO);
	why = compile(branches, &blob);
	if (why)
		blob = (struct blob){ (char *)why, strlen(why) };
	_exit(!write_all(fd, why ? "E" : "T", 1) || !write_all(fd, blob.data, blob.len));
}

static size_t read_all(int fd, char *buf, size_t room)
{
	size_t len = 0;
	ssize_t got;

	while (len < room) {
		got = read(fd, buf + len, room - len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
	}
	return len;
}

/* Why a child has ended without an answer. */
static const char *died(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
		return mem_printf("it takes more than %d seconds of computing to make a table of this",
				  REGEX_CPU_MAX);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		return mem_printf("it takes more than %d seconds to make a table of this", REGEX_WALL_MAX);
	if (WIFSIGNALED(status))
		return mem_printf("libfa fails at this expression (signal %d)", WTERMSIG(status));
	return too_large();
}

static bool take_answer(char *buf, size_t len, int status, struct blob *blob, const char **why)
{
	bool whole = WIFEXITED(status) && !WEXITSTATUS(status) && len > 1;

	if (whole && *buf == 'E') {
		*why = mem_strndup(buf + 1, len - 1);
		return false;
	}
	if (!whole) {
		*why = died(status);
		return false;
	}
	blob->len = len - 1;
	blob->data = mem_grow(buf + 1, len - 1, len - 1);
	return true;
}

/**
 * regex_table() - make the table of some branches
 * @branches: they all become one table
 * @blob: set to the table
 * @why: set to the reason if there is none
 *
 * Return: true if there is a table.
 */
bool regex_table(const struct regex_branch *branches, struct blob *blob, const char **why)
{
	size_t room = ESMTP_TABLE_SIZE_MAX + 1, len;
	char *buf = malloc(room);
	int fds[2], status;
	pid_t pid = -1;
	bool ok;

	if (!buf || pipe(fds)) {
		free(buf);
		*why = "there is no memory or no file descriptor left";
		return false;
	}
	fflush(NULL);	/* a child that ends by exit() would write it again */
	pid = fork();
	if (!pid) {
		close(fds[0]);
		child(fds[1], branches);
	}
	close(fds[1]);
	len = pid > 0 ? read_all(fds[0], buf, room) : 0;
	close(fds[0]);
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0)
		*why = "no process can be started that makes the table";
	ok = pid > 0 && take_answer(buf, len, status, blob, why);
	free(buf);
	return ok;
}
