/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_COMMANDS_H
#define ESMTPCTL_COMMANDS_H

#include "config.h"
#include "genl.h"
#include "output.h"

/**
 * struct request - what the user wants
 * @o: where and how to print
 * @errors: what went wrong
 * @absolute: counters as if nothing had ever been reset
 * @args: the words behind the command
 * @n_args: how many
 */
struct request {
	struct output o;
	struct erecs errors;
	bool absolute;
	char **args;
	int n_args;
};

/* Each returns true if all went well; what did not stands in the errors. */
bool command_list_ruleset(struct request *r);
bool command_list_counters(struct request *r);
bool command_list_policies(struct request *r);
bool command_list_sessions(struct request *r);
bool command_list_classes(struct request *r);
bool command_list_exempt(struct request *r);
bool command_reset_counters(struct request *r);
bool command_add_exempt(struct request *r);
bool command_delete_exempt(struct request *r);
bool command_flush_ruleset(struct request *r);
bool command_metrics(struct request *r);
bool command_check(struct request *r);
bool command_monitor(struct request *r);
bool command_unload(struct request *r);

/* load.c */
bool load(struct config *c, bool check, struct request *r);
bool load_nothing(struct erecs *errors);

/* stage.c */
bool stage_begin(struct genl *g, struct erecs *errors);
bool stage_tables(struct genl *g, const struct config *c, struct erecs *errors);
bool stage_policies(struct genl *g, struct config *c, struct erecs *errors);
bool stage_commit(struct genl *g, uint64_t generation, bool check, struct erecs *errors);

/* list.c */
bool read_policies(struct genl *g, struct config *c, uint64_t *generation, bool absolute,
		   struct erecs *errors);
bool read_status(struct genl *g, struct status *s, bool absolute, struct erecs *errors);

#endif
