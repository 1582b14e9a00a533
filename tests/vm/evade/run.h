/* SPDX-License-Identifier: GPL-2.0-only */
/* Runs of schedules: where they come from, who wants to know of each. */
#ifndef EVADE_RUN_H
#define EVADE_RUN_H

#include "evade.h"

struct slot {
	bool busy;
	struct conn conn;
	struct verdict verdict;
	struct schedule schedule;
};

struct runner {
	u32 parallel, busy;
	bool dry;
	struct slot *slots;
	/* The next schedule; false when there is none. */
	bool (*next)(struct runner *r, struct schedule *s);
	void (*done)(struct runner *r, const struct schedule *s, const struct verdict *v);
	void *data;
};

bool run(struct runner *r);

/* The port before the one that the next connection has: --port for who goes on where this ended. */
u16 run_port(void);

#endif
