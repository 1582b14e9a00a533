// SPDX-License-Identifier: GPL-2.0-only
/*
 * esmtpctl: the configuration of nf_conntrack_esmtp.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "language.h"
#include "names.h"
#include "util.h"

/**
 * struct command - what can be asked for
 * @words: the command, one or two words
 * @args: what follows, or NULL
 * @run: does it
 * @help: says it
 */
struct command {
	const char *words[2];
	const char *args;
	bool (*run)(struct request *r);
	const char *help;
};

static const struct command commands[] = {
	{ { "list", "ruleset" }, NULL, command_list_ruleset, "the configuration, as -f reads it" },
	{ { "list", "counters" }, NULL, command_list_counters, "what the policies have seen and done" },
	{ { "list", "policies" }, NULL, command_list_policies, "policies, and their helpers for your own nft tables" },
	{ { "list", "classes" }, NULL, command_list_classes, "classes, and the named sets that they refer to" },
	{ { "list", "sessions" }, NULL, command_list_sessions, "connections that are being inspected" },
	{ { "list", "exempt" }, NULL, command_list_exempt, "hosts that are never inspected" },
	{ { "reset", "counters" }, NULL, command_reset_counters, "'list counters' begins at zero" },
	{ { "add", "exempt" }, "ADDRESS...", command_add_exempt, "inspect these hosts no more" },
	{ { "delete", "exempt" }, "ADDRESS...", command_delete_exempt, "inspect these hosts again" },
	{ { "flush", "ruleset" }, NULL, command_flush_ruleset, "remove the configuration: nothing is inspected" },
	{ { "metrics", NULL }, NULL, command_metrics, "all counters, for Prometheus" },
	{ { "check", NULL }, NULL, command_check, "do the module and the nft table belong together?" },
	{ { "monitor", NULL }, NULL, command_monitor, "print events as they come" },
	{ { "unload", NULL }, NULL, command_unload, "flush, then remove the module" },
};

enum {
	OPT_FILE = 'f',
	OPT_CHECK = 'c',
	OPT_PRINT = 'p',
	OPT_JSON = 'j',
	OPT_ALL = 'a',
	OPT_ABSOLUTE = 'A',
	OPT_TIME = 't',
	OPT_HELP = 'h',
	OPT_VERSION = 'V',
};

static const struct {
	struct option opt;
	const char *arg;
	const char *help;
} options[] = {
	{ { "file", required_argument, NULL, OPT_FILE }, "FILE",
	  "load FILE ('-': standard input) in place of the whole configuration" },
	{ { "check", no_argument, NULL, OPT_CHECK }, NULL,
	  "with -f: let the kernel check FILE, change nothing" },
	{ { "print", no_argument, NULL, OPT_PRINT }, NULL,
	  "with -f: print FILE as 'list ruleset' would, without asking the kernel" },
	{ { "json", no_argument, NULL, OPT_JSON }, NULL, "print JSON" },
	{ { "all", no_argument, NULL, OPT_ALL }, NULL, "counters that are zero too" },
	{ { "absolute", no_argument, NULL, OPT_ABSOLUTE }, NULL,
	  "counters as if nothing had ever been reset" },
	{ { "time", no_argument, NULL, OPT_TIME }, NULL, "monitor: begin each line with the time" },
	{ { "help", no_argument, NULL, OPT_HELP }, NULL, "print this" },
	{ { "version", no_argument, NULL, OPT_VERSION }, NULL, "print the version" },
};

/**
 * struct invocation - the command line
 * @file: of -f, or NULL
 * @in: what it holds; errors point into it
 * @check: -c
 * @print: -p
 * @r: the rest
 */
struct invocation {
	const char *file;
	struct input in;
	bool check;
	bool print;
	struct request r;
};

static void help(void)
{
	char buf[64];

	fputs("Usage: esmtpctl [OPTION...] COMMAND\n"
	      "       esmtpctl [-c | -p] -f FILE\n\nOptions:\n", stdout);
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		snprintf(buf, sizeof(buf), "-%c, --%s%s%s", options[i].opt.val, options[i].opt.name,
			 options[i].arg ? " " : "", options[i].arg ? options[i].arg : "");
		printf("  %-28s%s\n", buf, options[i].help);
	}
	fputs("\nCommands:\n", stdout);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		snprintf(buf, sizeof(buf), "%s%s%s%s%s", c->words[0], c->words[1] ? " " : "",
			 c->words[1] ? c->words[1] : "", c->args ? " " : "", c->args ? c->args : "");
		printf("  %-28s%s\n", buf, c->help);
	}
	fputs("\nThe rule language is described in esmtp.conf(5).\n", stdout);
}

/* Returns 0 to go on, else the exit code plus 1. */
static int take_option(struct invocation *inv, int opt)
{
	switch (opt) {
	case OPT_FILE:
		if (inv->file) {
			fputs("esmtpctl: one file at a time: a file is the whole configuration\n", stderr);
			return 2;
		}
		inv->file = optarg;
		return 0;
	case OPT_CHECK:
		inv->check = true;
		return 0;
	case OPT_PRINT:
		inv->print = true;
		return 0;
	case OPT_JSON:
		inv->r.o.ops = &output_json;
		return 0;
	case OPT_ALL:
		inv->r.o.all = true;
		return 0;
	case OPT_ABSOLUTE:
		inv->r.absolute = true;
		return 0;
	case OPT_TIME:
		inv->r.o.time = true;
		return 0;
	case OPT_HELP:
		help();
		return 1;
	case OPT_VERSION:
		printf("esmtpctl %s\n", version);
		return 1;
	}
	fputs("Try 'esmtpctl --help'.\n", stderr);
	return 2;
}

static int take_options(struct invocation *inv, int argc, char **argv)
{
	struct option longopts[ARRAY_SIZE(options) + 1] = { 0 };
	char shortopts[ARRAY_SIZE(options) * 2 + 1], *s = shortopts;
	int opt, done;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		longopts[i] = options[i].opt;
		*s++ = (char)options[i].opt.val;
		if (options[i].opt.has_arg)
			*s++ = ':';
	}
	*s = '\0';
	while ((opt = getopt_long(argc, argv, shortopts, longopts, NULL)) >= 0) {
		done = take_option(inv, opt);
		if (done)
			return done;
	}
	return 0;
}

static const struct command *find_command(char **args, int n)
{
	for (size_t i = 0; n && i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->words[0], args[0]))
			continue;
		if (!c->words[1] || (n > 1 && !strcmp(c->words[1], args[1])))
			return c;
	}
	return NULL;
}

static bool run_command(struct invocation *inv, char **args, int n)
{
	const struct command *c = find_command(args, n);
	int words;

	if (!c) {
		fputs(n ? "esmtpctl: unknown command:" : "esmtpctl: a command is missing", stderr);
		for (int i = 0; i < n; i++)
			fprintf(stderr, " %s", args[i]);
		fputs("\nTry 'esmtpctl --help'.\n", stderr);
		return false;
	}
	words = c->words[1] ? 2 : 1;
	if (!c->args && n > words) {
		fprintf(stderr, "esmtpctl: '%s' is too much behind the command\n", args[words]);
		return false;
	}
	inv->r.args = args + words;
	inv->r.n_args = n - words;
	return c->run(&inv->r);
}

static bool run_file(struct invocation *inv)
{
	struct erecs *errors = &inv->r.errors;
	struct config c;
	struct ast ast;
	bool ok;

	if (!input_read(inv->file, &inv->in)) {
		erec_add(errors, NULL, "%s cannot be read: %s", inv->file, strerror(errno));
		return false;
	}
	/* What could be understood is evaluated all the same: all errors at once. */
	ok = language_parse(&inv->in, &ast, errors);
	if (ok || ast.head)
		ok &= language_evaluate(&ast, &c, errors);
	if (!ok)
		return false;
	if (!inv->print)
		return load(&c, inv->check, &inv->r);
	config_take_slots(&c);
	output_ruleset(&inv->r.o, &c);
	return true;
}

static bool run(struct invocation *inv, int argc, char **argv)
{
	char **args = argv + optind;
	int n = argc - optind;

	if (!inv->file && (inv->check || inv->print)) {
		fputs("esmtpctl: -c and -p need a file: -f FILE\n", stderr);
		return false;
	}
	if (inv->file && n) {
		fputs("esmtpctl: either -f FILE or a command, not both\n", stderr);
		return false;
	}
	return inv->file ? run_file(inv) : run_command(inv, args, n);
}

/* Whether what was printed has arrived; nobody who closed the pipe wants to hear of it. */
static bool finish_output(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return true;
	if (errno != EPIPE)
		fprintf(stderr, "esmtpctl: standard output: %s\n", strerror(errno));
	return false;
}

int main(int argc, char **argv)
{
	struct invocation inv = { .r.o.ops = &output_text };
	bool ok;
	int done;

	if (getuid() != geteuid() || getgid() != getegid()) {
		fputs("esmtpctl: not with set-user-ID or set-group-ID\n", stderr);
		return EXIT_FAILURE;
	}
	/* A load must not die half way because nobody reads what it says. */
	signal(SIGPIPE, SIG_IGN);
	/* Errors are lines: not a system call for each of their letters. */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	argv[0] = (char *)"esmtpctl";	/* getopt's messages begin like ours */
	inv.r.o.f = stdout;
	erec_init(&inv.r.errors);
	done = take_options(&inv, argc, argv);
	ok = done ? done == 1 : run(&inv, argc, argv);
	ok &= finish_output();
	erec_print(&inv.r.errors, stderr);
	mem_release();
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
