// SPDX-License-Identifier: GPL-2.0-only
/*
 * packets --seeds FILE --seconds S [--seed N] [--note FILE] [--places FILE]
 * packets --input HEX
 *
 * Run in the debug kernel by t_fuzz_packets.py, which makes lines, rules and seeds: inputs, one a line. What is
 * printed of an input that shows something wrong is what --input reads, and so is what stands in the note, which is
 * the one that is being played: it outlives the kernel. The last line has the figures; places are written as addr2line
 * reads them, for who wants to know where nothing comes by.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "packets.h"

#define CORPUS_MAX	8192u
#define NEWEST		16u		/* of the corpus, which are taken more often */
#define TRIES		5u		/* what hangs on the clock is not wrong each time */

/**
 * struct kept - an input of the corpus
 * @in: with its steps and no room for more
 * @cost: packets
 */
struct kept {
	struct input *in;
	u32 cost;
};

static struct kept corpus[CORPUS_MAX];
static const struct kept *reached[CORPUS_MAX];	/* those that came by a new place, not only by a new step between two */
static u32 n_corpus, n_reached, n_played, n_sent;
static int note = -1;
static u64 state;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* On its way to the host before anything else: a file of the host's knows no sync but one of its disk. */
static void note_input(const struct input *in)
{
	static char text[HEX_MAX];
	u32 len;

	if (note < 0)
		return;
	len = input_print(in, text);
	if (pwrite(note, text, len, 0) != (ssize_t)len ||
	    sync_file_range(note, 0, len, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER))
		perror("note");
}

static const char *play(const struct input *in, u32 *fresh)
{
	u64 before = conn_packets();
	const char *why;

	note_input(in);
	n_played++;
	why = conn_play(in, fresh);
	n_sent = conn_packets() - before;
	return why;
}

static u32 size_of(const struct input *in)
{
	return offsetof(struct input, steps) + in->n * sizeof(in->steps[0]);
}

/* places: how many there were before it. */
static void keep(const struct input *in, u32 places)
{
	struct kept *k = &corpus[n_corpus];

	if (n_corpus == CORPUS_MAX)
		return;
	k->in = malloc(size_of(in));
	k->cost = n_sent;
	memcpy(k->in, in, size_of(in));
	n_corpus++;
	if (cover_places() > places)
		reached[n_reached++] = k;
}

static u32 newest(u32 n)
{
	u32 from = n > NEWEST ? n - NEWEST : 0;

	return from + rnd(&state, n - from);
}

static const struct kept *one_of(void)
{
	switch (rnd(&state, 3)) {
	case 0:
		return &corpus[newest(n_corpus)];
	case 1:
		if (n_reached)
			return reached[newest(n_reached)];
		/* fallthrough */
	default:
		return &corpus[rnd(&state, n_corpus)];
	}
}

/* The newest ones, and those of few packets, are taken more often. */
static const struct input *any(void)
{
	const struct kept *one = one_of(), *other = one_of();

	return other->cost < one->cost ? other->in : one->in;
}

static void make(struct input *in)
{
	const struct input *one = any();

	memcpy(in, one, size_of(one));
	mutate(in, any(), &state);
}

/*
 * What is wrong.
 */
static const char *play_often(const struct input *in)
{
	const char *why = NULL;
	u32 fresh;
	u32 i;

	for (i = 0; i < TRIES && !why; i++)
		why = play(in, &fresh);
	return why;
}

/* Without the steps that it does not take. */
static void shrink(struct input *in)
{
	struct input less;
	u32 at;

	for (at = in->n; at--;) {
		less = *in;
		less.n--;
		memmove(&less.steps[at], &less.steps[at + 1], (less.n - at) * sizeof(less.steps[0]));
		if (play_often(&less))
			*in = less;
	}
}

static void report(struct input in, const char *why)
{
	static char text[HEX_MAX];
	const char *again;

	printf("wrong: %s\n", why);
	input_print(&in, text);
	printf("input %s", text);
	shrink(&in);
	input_print(&in, text);
	printf("as small as it still shows:\ninput %s", text);
	input_explain(stdout, &in);
	conn_say(true);
	again = play_often(&in);
	conn_say(false);
	if (again)
		printf("%s\n", again);
	else
		printf("it does not show again: %s\n", why);
	fflush(stdout);
}

/*
 * The run.
 */
static bool read_seeds(const char *path)
{
	static char line[HEX_MAX + 1];
	static struct input in;
	FILE *f = fopen(path, "r");
	const char *why;
	u32 fresh, places;

	while (f && fgets(line, sizeof(line), f)) {
		if (!input_parse(&in, line)) {
			fprintf(stderr, "packets: no input: %s", line);
			return false;
		}
		places = cover_places();
		why = play(&in, &fresh);
		if (why) {
			report(in, why);
			return false;
		}
		keep(&in, places);
	}
	if (f)
		fclose(f);
	return n_corpus;
}

static bool write_places(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f)
		cover_print(f);
	return f && !fclose(f);
}

static int search(const char *seeds, double seconds, u64 seed)
{
	static struct input in;
	double start = now();
	u32 by_seeds, steps_by_seeds, n_seeds, n_wrong = 0, fresh, places;
	const char *why;

	state = seed;
	if (!read_seeds(seeds))
		return 2;
	by_seeds = cover_places();
	steps_by_seeds = cover_steps();
	n_seeds = n_corpus;
	while (now() - start < seconds && n_wrong < 3) {
		make(&in);
		places = cover_places();
		why = play(&in, &fresh);
		if (why) {
			report(in, why);
			n_wrong++;
		} else if (fresh) {
			in.n = fresh < in.n ? fresh : in.n;
			keep(&in, places);
		}
	}
	printf("seed %llu: %u connections and %llu packets in %.1f s; %u places (%u by seeds; %u for the client, %u for the server), "
	       "%u steps between them (%u by seeds), %u inputs kept (%u seeds), %u wrong\n",
	       (unsigned long long)seed, n_played, (unsigned long long)conn_packets(), now() - start, cover_places(), by_seeds,
	       cover_places_of(CLIENT), cover_places_of(SERVER), cover_steps(), steps_by_seeds, n_corpus, n_seeds, n_wrong);
	return n_wrong != 0;
}

static int repeat(const char *hex)
{
	static struct input in;
	const char *why;

	if (!input_parse(&in, hex)) {
		fprintf(stderr, "packets: no input: %s\n", hex);
		return 2;
	}
	input_explain(stdout, &in);
	fflush(stdout);
	conn_say(true);
	why = play_often(&in);
	printf("%s\n", why ? why : "nothing is wrong");
	return why != NULL;
}

static const struct option words[] = {
	{ "seeds", 1, NULL, 's' }, { "seconds", 1, NULL, 't' }, { "seed", 1, NULL, 'n' }, { "note", 1, NULL, 'o' },
	{ "places", 1, NULL, 'p' },	{ "input", 1, NULL, 'i' }, { 0 },
};

int main(int argc, char **argv)
{
	const char *seeds = NULL, *hex = NULL, *note_name = NULL, *places = NULL;
	double seconds = 10;
	u64 seed = 1;
	int c;

	while ((c = getopt_long(argc, argv, "", words, NULL)) != -1) {
		switch (c) {
		case 's': seeds = optarg; break;
		case 't': seconds = atof(optarg); break;
		case 'n': seed = strtoull(optarg, NULL, 10); break;
		case 'o': note_name = optarg; break;
		case 'p': places = optarg; break;
		case 'i': hex = optarg; break;
		default: return 2;
		}
	}
	if (!seeds == !hex) {
		fprintf(stderr, "usage: see the head of main.c\n");
		return 2;
	}
	if (note_name)
		note = open(note_name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (!wire_open() || !cover_open() || (note_name && note < 0)) {
		perror("packets: cannot begin");
		return 2;
	}
	if (hex)
		return repeat(hex);
	c = search(seeds, seconds, seed);
	return places && !write_places(places) ? 2 : c;
}
