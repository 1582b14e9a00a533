// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which places of the module this task comes by (Documentation/dev-tools/kcov.rst). Only the module is compiled to
 * tell, and only what runs in a task is told of, not softirqs and work items.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/kcov.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "packets.h"

#define MODULE		"nf_conntrack_esmtp"
#define ENTRIES		(1u << 18)
#define TEXT_MAX	(1u << 21)
#define STEP_BITS	20

static u64 *entries;			/* the first one says how many follow */
static u64 text;
static u32 text_len;
static u8 places[TEXT_MAX];		/* bit: on behalf of whom */
static u8 steps[1u << STEP_BITS];
static u32 n_places, n_places_of[2], n_steps;

/* Where the module is. */
static bool find_text(void)
{
	char line[512], name[64];
	FILE *f = fopen("/proc/modules", "r");
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%63s %u %*s %*s %*s %lx", name, &text_len, &text) == 3 && !strcmp(name, MODULE);
	if (f)
		fclose(f);
	return found && text && text_len <= TEXT_MAX;
}

bool cover_open(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);

	if (fd < 0 || !find_text() || ioctl(fd, KCOV_INIT_TRACE, ENTRIES))
		return false;
	entries = mmap(NULL, ENTRIES * sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return entries != MAP_FAILED && !ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC);
}

void cover_begin(void)
{
	__atomic_store_n(&entries[0], 0, __ATOMIC_RELAXED);
}

static bool note_place(u32 at, u8 dir)
{
	bool fresh = !places[at];

	if (!(places[at] & 1u << dir)) {
		n_places += fresh;
		n_places_of[dir]++;
		places[at] |= 1u << dir;
	}
	return fresh;
}

static bool note_step(u32 from, u32 to)
{
	u32 at = (from * 0x9e3779b1u ^ to * 0x85ebca6bu) >> (32 - STEP_BITS);

	if (steps[at])
		return false;
	steps[at] = 1;
	n_steps++;
	return true;
}

bool cover_end(u8 dir)
{
	u64 n = __atomic_load_n(&entries[0], __ATOMIC_RELAXED), i;
	u32 last = 0, at;
	bool fresh = false;

	for (i = 1; i <= n; i++) {
		if (entries[i] - text >= text_len)
			continue;
		at = entries[i] - text;
		fresh |= note_place(at, dir);
		fresh |= note_step(last, at);
		last = at;
	}
	return fresh;
}

u32 cover_places(void)
{
	return n_places;
}

u32 cover_places_of(u8 dir)
{
	return n_places_of[dir];
}

u32 cover_steps(void)
{
	return n_steps;
}

/* As addresses in the module's file, for addr2line. */
void cover_print(FILE *f)
{
	u32 at;

	for (at = 0; at < text_len; at++)
		if (places[at])
			fprintf(f, "0x%x\n", at);
}
