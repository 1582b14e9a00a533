// SPDX-License-Identifier: GPL-2.0-only
/*
 * evade [--seed N] [--from I] [--count N | --seconds S | --only I] [--parallel N]
 *	 [--family 4 | --family 6] [--port P] [--deadline MS] [--no-trace] [--print]
 * evade --cases
 * evade --schedule FILE		(- is standard input)
 *
 * Run in the network of lab.py, with rules that inspect ports 25 and 26. Schedule I of a seed is
 * always the same. What fails is run again alone, made small and printed in the form that
 * --schedule reads. A line with the seed counts, the last one says which client port would be the
 * next; the exit code is 1 if anything failed.
 */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "evade.h"
#include "run.h"

#define KEPT	2u		/* failures that are made small */

struct options opt = { .count = 100, .parallel = 64, .deadline = 15000, .trace = true };
struct totals totals;

struct failures {
	u32 given, n;
	u64 until;
	struct schedule *kept[KEPT];
	struct verdict verdicts[KEPT];
	struct schedule *single;	/* from a file */
};

static bool next_random(struct runner *r, struct schedule *s)
{
	struct failures *f = r->data;

	if (f->single) {
		memcpy(s, f->single, sizeof(*s));
		return !f->given++;
	}
	if (f->until ? now_ms() >= f->until : f->given == opt.count)
		return false;
	schedule_make(s, opt.seed, opt.from + f->given++);
	return true;
}

static void random_done(struct runner *r, const struct schedule *s, const struct verdict *v)
{
	struct failures *f = r->data;

	if (!v->failed)
		return;
	printf("failed: schedule %u: %s\n", s->index, v->why);
	fflush(stdout);
	if (f->n < KEPT) {
		f->kept[f->n] = malloc(sizeof(*s));
		memcpy(f->kept[f->n], s, sizeof(*s));
		f->verdicts[f->n] = *v;
	}
	f->n++;
}

static void explain(struct schedule *s, struct verdict *v)
{
	struct totals before = totals;
	u32 index = s->index;
	bool again = shrink(s, v);

	totals = before;
	printf("--- schedule %u of seed %llu, %s\n--- %s\n", index, (unsigned long long)opt.seed,
	       again ? "as small as it still fails" : "does not fail again", v->why);
	schedule_print(stdout, s);
	printf("---\n");
	fflush(stdout);
}

static void summary(u64 start, u32 failed)
{
	printf("seed %llu: %llu schedules, %u failed, %llu segments sent, %llu complete, %llu closed, %llu ended early, "
	       "%llu stuck, %llu bytes compared in %llu events, %.1f s\n", (unsigned long long)opt.seed,
	       (unsigned long long)totals.schedules, failed, (unsigned long long)totals.segments,
	       (unsigned long long)totals.complete, (unsigned long long)totals.closed, (unsigned long long)totals.ended,
	       (unsigned long long)totals.stuck, (unsigned long long)totals.bytes, (unsigned long long)totals.events,
	       (now_ms() - start) / 1000.0);
}

static int play_random(struct schedule *single)
{
	struct failures f = { .single = single };
	struct runner r = { .parallel = opt.parallel, .next = next_random, .done = random_done, .data = &f };
	u64 start = now_ms();
	u32 i;

	if (opt.seconds)
		f.until = start + opt.seconds * 1000ull;
	if (!run(&r))
		return 2;
	summary(start, f.n);
	for (i = 0; i < f.n && i < KEPT; i++)
		explain(f.kept[i], &f.verdicts[i]);
	return f.n || !totals.schedules;
}

/*
 * The fixed cases: each with both families, with and without timestamps.
 */
struct case_run {
	u32 variant, n_failed;
	const struct fixed_case *fixed;
};

static bool next_variant(struct runner *r, struct schedule *s)
{
	struct case_run *cr = r->data;
	const char *why;
	bool wants;

	if (cr->variant == 4)
		return false;
	if (!schedule_parse(s, cr->fixed->text, &why)) {
		printf("not ok %s\n    %s\n", cr->fixed->name, why);
		exit(2);
	}
	wants = s->timestamps;
	s->v6 = cr->variant & 1;
	s->timestamps = wants || cr->variant & 2;
	s->index = cr->variant++;
	return true;
}

static void variant_done(struct runner *r, const struct schedule *s, const struct verdict *v)
{
	struct case_run *cr = r->data;

	if (!v->failed)
		return;
	if (!cr->n_failed++)
		printf("not ok %s\n", cr->fixed->name);
	printf("    IPv%d%s: %s\n", s->v6 ? 6 : 4, s->timestamps ? ", timestamps" : "", v->why);
}

static int play_cases(void)
{
	u32 i, failed = 0;

	for (i = 0; i < n_cases; i++) {
		struct case_run cr = { .fixed = &cases[i] };
		struct runner r = { .parallel = 4, .next = next_variant, .done = variant_done, .data = &cr };
		u64 start = now_ms();

		if (!run(&r))
			return 2;
		if (!cr.n_failed)
			printf("ok %s # %.1f s\n", cr.fixed->name, (now_ms() - start) / 1000.0);
		fflush(stdout);
		failed += !!cr.n_failed;
	}
	return failed;
}

static bool read_file(struct schedule *s)
{
	static char text[1 << 20];
	FILE *f = strcmp(opt.file, "-") ? fopen(opt.file, "r") : stdin;
	const char *why = "cannot be read";
	size_t n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (n && schedule_parse(s, text, &why))
		return true;
	fprintf(stderr, "evade: %s: %s\n", opt.file, why ? why : "no stage");
	return false;
}

static const struct option words[] = {
	{ "seed", 1, NULL, 's' }, { "from", 1, NULL, 'f' }, { "count", 1, NULL, 'n' }, { "only", 1, NULL, 'o' },
	{ "seconds", 1, NULL, 't' }, { "parallel", 1, NULL, 'p' }, { "port", 1, NULL, 'P' }, { "deadline", 1, NULL, 'd' },
	{ "family", 1, NULL, '6' },
	{ "no-trace", 0, NULL, 'T' }, { "print", 0, NULL, 'v' }, { "cases", 0, NULL, 'c' }, { "schedule", 1, NULL, 'S' }, { 0 },
};

static bool read_options(int argc, char **argv)
{
	int c;

	opt.seed = time(NULL);
	opt.port = 10000 + now_us() % 40000;
	while ((c = getopt_long(argc, argv, "", words, NULL)) != -1) {
		unsigned long long v = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (c) {
		case 's': opt.seed = v; break;
		case 'f': opt.from = v; break;
		case 'n': opt.count = v; break;
		case 'o': opt.from = v; opt.count = 1; break;
		case 't': opt.seconds = v; break;
		case 'p': opt.parallel = v; break;
		case 'P': opt.port = v; break;
		case 'd': opt.deadline = v; break;
		case '6': opt.family = v; break;
		case 'T': opt.trace = false; break;
		case 'v': opt.print = true; break;
		case 'c': opt.cases = true; break;
		case 'S': opt.file = optarg; break;
		default: return false;
		}
	}
	return optind == argc && opt.parallel;
}

int main(int argc, char **argv)
{
	static struct schedule s;
	int code;

	if (!read_options(argc, argv)) {
		fprintf(stderr, "usage: see the head of main.c\n");
		return 2;
	}
	if (opt.file && !read_file(&s))
		return 2;
	if (opt.print) {
		if (!opt.file)
			schedule_make(&s, opt.seed, opt.from);
		schedule_print(stdout, &s);
		return 0;
	}
	if (!run_open()) {
		fprintf(stderr, "evade: cannot begin: %m\n");
		return 2;
	}
	code = opt.cases ? play_cases() : play_random(opt.file ? &s : NULL);
	printf("next port %u\n", run_port());
	return code;
}
