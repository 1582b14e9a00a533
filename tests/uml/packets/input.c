// SPDX-License-Identifier: GPL-2.0-only
/* An input as digits, which are read back, and in words. */
#include <ctype.h>
#include <string.h>

#include "packets.h"

static u32 put(char *to, const void *from, u32 n)
{
	static const char digit[] = "0123456789abcdef";
	const u8 *p = from;
	u32 i;

	for (i = 0; i < n; i++) {
		*to++ = digit[p[i] >> 4];
		*to++ = digit[p[i] & 15];
	}
	return 2 * n;
}

/* Returns the length; the end is a newline. */
u32 input_print(const struct input *in, char *to)
{
	u32 len = put(to, in, 2), i;

	for (i = 0; i < in->n; i++)
		len += put(to + len, &in->steps[i], STEP_HEAD + in->steps[i].n);
	to[len] = '\n';
	to[len + 1] = 0;
	return len + 1;
}

static bool get(const char **hex, void *to, u32 n)
{
	u8 *p = to;
	u32 i;

	for (i = 0; i < n; i++, *hex += 2)
		if (sscanf(*hex, "%2hhx", &p[i]) != 1 || !isxdigit((*hex)[1]))
			return false;
	return true;
}

static bool step_ok(const struct step *st)
{
	return st->kind < KINDS && st->dir <= SERVER && st->odd < 1u << ODDS && st->option < wire_options() &&
	       st->n <= DATA_MAX;
}

bool input_parse(struct input *in, const char *hex)
{
	u32 i;

	memset(in, 0, sizeof(*in));
	if (!get(&hex, in, 2) || in->n > STEPS_MAX)
		return false;
	for (i = 0; i < in->n; i++)
		if (!get(&hex, &in->steps[i], STEP_HEAD) || !step_ok(&in->steps[i]) ||
		    !get(&hex, in->steps[i].data, in->steps[i].n))
			return false;
	return !*hex || isspace(*hex);
}

void print_bytes(FILE *f, const u8 *p, u32 n)
{
	fputs(" \"", f);
	for (; n; n--, p++)
		if (*p == '\r')
			fputs("\\r", f);
		else if (*p == '\n')
			fputs("\\n", f);
		else if (*p < 32 || *p > 126 || *p == '"' || *p == '\\')
			fprintf(f, "\\x%02x", *p);
		else
			fputc(*p, f);
	fputc('"', f);
}

static void explain_step(FILE *f, const struct step *st)
{
	static const char * const kinds[] = { "says", "again", "bare", "opens", "pause" };
	static const char * const odds[] = {
		"other", "unsent", "reverse", "big", "partial", "wrong-sum", "old-timestamp", "no-timestamp",
		"window-0", "window-1", "twice", "pieces", "back" };
	u32 i;

	fprintf(f, "  %s %s", st->dir ? "server" : "client", kinds[st->kind]);
	for (i = 0; i < ODDS; i++)
		if (st->odd & 1u << i)
			fprintf(f, " %s", odds[i]);
	if (st->kind == KIND_AGAIN)
		fprintf(f, " at %d len %u", st->at, st->len);
	if (st->kind == KIND_OPEN)
		fprintf(f, " at %d", st->at);
	if (st->flags)
		fprintf(f, " flags ^%02x", st->flags);
	if (st->option)
		fprintf(f, " option %u", st->option);
	if (st->cut)
		fprintf(f, " cut %u", st->cut);
	if (st->ack)
		fprintf(f, " ack %+d", st->ack);
	if (st->repeat)
		fprintf(f, " %u times", st->repeat + 1);
	if (st->n)
		print_bytes(f, st->data, st->n);
	fputc('\n', f);
}

void input_explain(FILE *f, const struct input *in)
{
	static const char * const words[] = { " IPv6", " stamped", " scaled", " wraps", " syn-option", " cold" };
	u32 i;

	fprintf(f, "  policy %u", in->shape >> 6);
	for (i = 0; i < ARRAY_LEN(words); i++)
		if (in->shape & 1u << i)
			fputs(words[i], f);
	fputc('\n', f);
	for (i = 0; i < in->n; i++)
		explain_step(f, &in->steps[i]);
}
