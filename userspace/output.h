/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is printed goes through one table of functions per format: a listing
 * hands over the same objects in the same order, as rules or as JSON.
 */
#ifndef ESMTPCTL_OUTPUT_H
#define ESMTPCTL_OUTPUT_H

#include <stdio.h>

#include "config.h"
#include "event.h"
#include "session.h"
#include "status.h"

/**
 * struct output - where and how to print
 * @f: the stream
 * @all: counters that are zero too
 * @time: events with their time
 * @any: something was printed already
 * @ops: the format
 * @json: the array that is being filled; of the JSON format
 */
struct output {
	FILE *f;
	bool all;
	bool time;
	bool any;
	const struct output_ops *ops;
	void *json;
};

/**
 * struct output_ops - a format
 * @begin: before the first object
 * @table: one regex or list
 * @policy: one policy
 * @set: one named set
 * @exempt: the exempt hosts of a configuration
 * @class: one class
 * @inspect: the inspect list
 * @slot: a policy as a line for somebody's own table
 * @policy_counters: the counters of a policy
 * @status: the module's state and counters
 * @guard: the counters of the nft table
 * @session: one inspected connection
 * @event: one event, complete by itself, without begin and end
 * @fault: a sentence about something that does not agree
 * @end: behind the last object
 */
struct output_ops {
	void (*begin)(struct output *o);
	void (*table)(struct output *o, const struct table *t);
	void (*policy)(struct output *o, const struct policy *p);
	void (*set)(struct output *o, const struct named_set *s);
	void (*exempt)(struct output *o, const struct config *c);
	void (*class)(struct output *o, const struct class *k);
	void (*inspect)(struct output *o, const struct config *c);
	void (*slot)(struct output *o, const struct policy *p);
	void (*policy_counters)(struct output *o, const struct policy *p);
	void (*status)(struct output *o, const struct status *s);
	void (*guard)(struct output *o, const struct guard *g);
	void (*session)(struct output *o, const struct session *s);
	void (*event)(struct output *o, const struct event *e);
	void (*fault)(struct output *o, const char *sentence);
	void (*end)(struct output *o);
};

extern const struct output_ops output_text;
extern const struct output_ops output_json;

void output_ruleset(struct output *o, const struct config *c);

#endif
