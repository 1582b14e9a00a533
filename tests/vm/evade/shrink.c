// SPDX-License-Identifier: GPL-2.0-only
/*
 * A failing schedule is made as small as it can be (delta debugging): steps go by halves, quarters and
 * so on, then stages, odd things of single steps, and lines of text, as long as it fails in the same way.
 * All candidates of a round run at the same time.
 */
#include <stdlib.h>
#include <string.h>

#include "evade.h"
#include "run.h"

#define CANDIDATES	48u
#define AGAIN		8u		/* times at once that it is run again */
#define SECONDS		45u

struct round {
	struct schedule *list;
	struct verdict verdicts[CANDIDATES];
	u32 k[CANDIDATES];	/* what was taken away */
	u32 n, given;
};

static bool next_candidate(struct runner *r, struct schedule *s)
{
	struct round *ro = r->data;

	if (ro->given == ro->n)
		return false;
	memcpy(s, &ro->list[ro->given], sizeof(*s));
	s->index = ro->given++;
	return true;
}

static void candidate_done(struct runner *r, const struct schedule *s, const struct verdict *v)
{
	struct round *ro = r->data;

	ro->verdicts[s->index] = *v;
}

static bool play_round(struct round *ro)
{
	struct runner r = { .parallel = ro->n, .next = next_candidate, .done = candidate_done, .data = ro };

	ro->given = 0;
	return run(&r);
}

/* Failures are alike when they begin with the same word. */
static bool is_alike(const struct verdict *a, const struct verdict *b)
{
	size_t n = strcspn(a->why, " ");

	return a->failed && b->failed && !strncmp(a->why, b->why, n + 1);
}

static void drop_steps(struct schedule *s, u32 from, u32 n)
{
	if (from >= s->n_steps)
		return;
	if (n > s->n_steps - from)
		n = s->n_steps - from;
	memmove(&s->steps[from], &s->steps[from + n], (s->n_steps - from - n) * sizeof(*s->steps));
	s->n_steps -= n;
}

/* @off: in the stage. Steps that reach behind it go, too. */
static void drop_text(struct schedule *s, u32 stage, u32 off, u32 n)
{
	u32 at = s->stages[stage].off + off, i;

	memmove(s->text + at, s->text + at + n, s->len - at - n);
	s->len -= n;
	s->stages[stage].len -= n;
	for (i = stage + 1; i < s->n_stages; i++)
		s->stages[i].off -= n;
	for (i = s->n_steps; i-- > 0;) {
		struct step *st = &s->steps[i];

		if (st->stage != stage || st->pause || st->off + st->len <= off)
			continue;
		if (st->off >= off + n)
			st->off -= n;
		else
			drop_steps(s, i, 1);
	}
}

static void drop_stage(struct schedule *s, u32 stage)
{
	u32 i;

	for (i = s->n_steps; i-- > 0;)
		if (s->steps[i].stage == stage)
			drop_steps(s, i, 1);
	drop_text(s, stage, 0, s->stages[stage].len);
	for (i = 0; i < s->n_steps; i++)
		s->steps[i].stage -= s->steps[i].stage > stage;
	memmove(&s->stages[stage], &s->stages[stage + 1], (s->n_stages - stage - 1) * sizeof(*s->stages));
	s->n_stages--;
}

/* One way to make it simpler for each @k; false = there are no more of this kind. */
static bool simpler_step(struct schedule *s, u32 k)
{
	struct step *st = &s->steps[k / 5];

	if (k / 5 >= s->n_steps)
		return false;
	switch (k % 5) {
	case 0:
		st->marks &= st->marks - 1;
		break;
	case 1:
		st->other = false;
		break;
	case 2:
		st->shift = 0;
		break;
	case 3:
		st->ack = 0;
		break;
	default:
		st->len = st->other || st->pause ? st->len : st->len / 2;
		break;
	}
	return true;
}

static bool simpler_head(struct schedule *s, u32 k)
{
	switch (k) {
	case 0:
		s->timestamps = false;
		return true;
	case 1:
		s->scale = false;
		return true;
	case 2:
		s->slow = false;
		return true;
	case 3:
		s->fin_last = false;
		return true;
	case 4:
		s->acks = ACKS_ALL;
		return true;
	case 5:
		s->window = 65535;
		return true;
	case 6:
		s->isn = 1000000;
		return true;
	default:
		return false;
	}
}

static bool fewer_stages(struct schedule *s, u32 k)
{
	if (k >= s->n_stages || s->n_stages == 1)
		return false;
	drop_stage(s, k);
	return true;
}

/* Without the k-th line of the whole. */
static bool fewer_lines(struct schedule *s, u32 k)
{
	u32 i, at, n;

	for (i = 0; i < s->n_stages; i++) {
		for (at = 0; at < s->stages[i].len; at += n) {
			const u8 *p = s->text + s->stages[i].off + at;
			const u8 *lf = memchr(p, '\n', s->stages[i].len - at);

			n = lf ? lf - p + 1 : s->stages[i].len - at;
			if (!k--) {
				drop_text(s, i, at, n);
				return true;
			}
		}
	}
	return false;
}

static u32 width;

static bool fewer_steps(struct schedule *s, u32 k)
{
	if (k * width >= s->n_steps)
		return false;
	drop_steps(s, k * width, width);
	return true;
}

static bool is_same(const struct schedule *a, const struct schedule *b)
{
	return !memcmp(a, b, offsetof(struct schedule, text)) && !memcmp(a->text, b->text, a->len);
}

/* From the k-th way on. Returns the way behind the last that is among the candidates. */
static u32 candidates(struct round *ro, const struct schedule *s, bool (*simpler)(struct schedule *s, u32 k), u32 k)
{
	struct schedule *one;

	for (ro->n = 0; ro->n < CANDIDATES; k++) {
		one = &ro->list[ro->n];
		memcpy(one, s, sizeof(*s));
		if (!simpler(one, k))
			break;
		if (is_same(one, s))
			continue;
		schedule_judge(one);
		ro->k[ro->n++] = k;
	}
	return k;
}

/*
 * Tries all of one kind in rounds and keeps the first that still fails, until none does. What was tried
 * before that one need not be tried again.
 */
static bool reduce(struct schedule *s, struct verdict *v, struct round *ro, bool (*simpler)(struct schedule *s, u32 k),
		   u64 until)
{
	u32 k = 0, end, i;

	while (now_ms() < until) {
		end = candidates(ro, s, simpler, k);
		if (!ro->n)
			return true;
		if (!play_round(ro))
			return false;
		for (i = 0; i < ro->n && !is_alike(v, &ro->verdicts[i]); i++)
			;
		if (i == ro->n) {
			k = end;
			continue;
		}
		k = ro->k[i];
		memcpy(s, &ro->list[i], sizeof(*s));
		*v = ro->verdicts[i];
	}
	return true;
}

/* False if it did not fail again. */
bool shrink(struct schedule *s, struct verdict *v)
{
	struct round *ro = calloc(1, sizeof(*ro));
	u64 until = now_ms() + SECONDS * 1000;
	u32 deadline = opt.deadline;
	bool again = false;
	u32 i;

	ro->list = malloc(CANDIDATES * sizeof(*ro->list));
	for (ro->n = 0; ro->n < AGAIN; ro->n++)
		memcpy(&ro->list[ro->n], s, sizeof(*s));
	play_round(ro);
	for (i = 0; i < AGAIN && !again; i++)
		again = is_alike(v, &ro->verdicts[i]);
	if (again) {
		/* Who hangs needs time to show it, others do not. */
		opt.deadline = deadline / (strncmp(v->why, "stuck", 5) ? 10 : 3);
		for (width = (s->n_steps + 1) / 2; width; width /= 2)
			reduce(s, v, ro, fewer_steps, until);
		reduce(s, v, ro, fewer_stages, until);
		reduce(s, v, ro, fewer_lines, until);
		width = 1;
		reduce(s, v, ro, fewer_steps, until);
		reduce(s, v, ro, simpler_step, until);
		reduce(s, v, ro, simpler_head, until);
		opt.deadline = deadline;
	}
	free(ro->list);
	free(ro);
	return again;
}
