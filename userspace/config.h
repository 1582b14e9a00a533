/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_CONFIG_H
#define ESMTPCTL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "../include/uapi/linux/netfilter/nf_conntrack_esmtp.h"
#include "automaton.h"
#include "cond.h"
#include "erec.h"
#include "interval.h"

/**
 * struct rule - one match line of a policy
 * @loc: where it was written
 * @conds: its conditions; all must hold
 * @n_conds: how many
 * @action: enum esmtp_action
 * @log: an event is sent too
 * @code: of a reply, 0 = none was given
 * @text: of a reply, NULL = none was given
 * @rate: of a limited rate: so many
 * @seconds: in this time: 1 or 60
 * @burst: and so many at once
 * @count: times fired, when read from the kernel
 */
struct rule {
	struct location loc;
	struct cond conds[ESMTP_CONDS_MAX];
	unsigned int n_conds;
	uint8_t action;
	bool log;
	uint16_t code;
	const char *text;
	uint32_t rate;
	uint32_t seconds;
	uint32_t burst;
	uint64_t count;
};

#define SLOT_ANY 255
#define LOG_LEVEL_ANY 255
#define LOG_GROUP_NONE (-1)

/**
 * struct policy - one policy, from a file or from the kernel
 * @next: the one behind it
 * @loc: where it was written
 * @name: its name
 * @description: text for people, or NULL
 * @slot: the one asked for or had, or SLOT_ANY
 * @log_level: 0 to ESMTP_LOG_NONE, or LOG_LEVEL_ANY
 * @log_group: of nfnetlink_log, or LOG_GROUP_NONE
 * @flags: ESMTP_POLICY_F_*
 * @verbs: bit = enum esmtp_verb
 * @rules: in order
 * @n_rules: how many
 * @n_inherited: those of them, at the beginning, that are another policy's
 * @counters: by enum esmtp_policy_counter
 * @events: by enum esmtp_event_type
 */
struct policy {
	struct policy *next;
	struct location loc;
	const char *name;
	const char *description;
	uint8_t slot;
	uint8_t log_level;
	int32_t log_group;
	uint32_t flags;
	uint64_t verbs;
	struct rule *rules;
	unsigned int n_rules;
	unsigned int n_inherited;
	uint64_t counters[ESMTP_PC_MAX + 1];
	uint64_t events[ESMTP_EVENT_MAX + 1];
};

/**
 * struct names - a list of words: interface names, expressions, domains
 * @v: the words
 * @n: how many
 */
struct names {
	const char **v;
	size_t n;
};

enum table_kind {
	TABLE_REGEX,
	TABLE_DOMAINS,
};

/**
 * struct table - texts that a rule can ask for by a name
 * @next: the one behind it
 * @loc: where it was written
 * @kind: what it was made from
 * @name: its name
 * @words: expressions or domains
 * @nocase: letters of expressions stand for both cases
 * @addresses: a list that has whole addresses
 * @id: its number in the module; from 1
 * @blob: what the module takes; empty if it was read from the module
 */
struct table {
	struct table *next;
	struct location loc;
	enum table_kind kind;
	const char *name;
	struct names words;
	bool nocase;
	bool addresses;
	uint32_t id;
	struct blob blob;
};

/**
 * struct named_set - addresses or ports with a name of their own
 * @next: the one behind it
 * @loc: where its name was written
 * @name: its name
 * @keys: what is in it, merged; all addresses or all ports, never none
 * @exempt: its hosts are exempt
 */
struct named_set {
	struct named_set *next;
	struct location loc;
	const char *name;
	struct intervals keys;
	bool exempt;
};

/* The lines of a class, in the order in which they are listed. */
enum class_line {
	CLASS_HOST,
	CLASS_SADDR,
	CLASS_DADDR,
	CLASS_DPORT,
	CLASS_IIFNAME,
	CLASS_OIFNAME,
	CLASS_LINES,
};

/**
 * struct class - a choice of connections
 * @next: the one behind it
 * @loc: where it was written
 * @name: its name
 * @lines: bit = enum class_line that it has; all of them must hold
 * @keys: addresses and ports of the lines up to CLASS_DPORT
 * @refs: names of the sets that they come from, or NULL
 * @ifnames: of the lines behind it
 */
struct class {
	struct class *next;
	struct location loc;
	const char *name;
	unsigned int lines;
	struct intervals keys[CLASS_DPORT + 1];
	const char *refs[CLASS_DPORT + 1];
	struct names ifnames[2];
};

enum inspect_kind {
	INSPECT_EXEMPT,		/* class NAME exempt */
	INSPECT_POLICY,		/* class NAME policy NAME, default policy NAME */
	INSPECT_NONE,		/* default none */
};

/**
 * struct inspect - one line of the inspect list
 * @next: the one behind it
 * @loc: where it was written
 * @kind: what becomes of the connections
 * @class: name of the class, or NULL for default
 * @policy: name of the policy of INSPECT_POLICY
 * @connections: to one server at a time, 0 = any number
 * @embryonic: half-open ones of one server, 0 = any number
 * @refuse: further ones are dropped, not answered by a cookie
 */
struct inspect {
	struct inspect *next;
	struct location loc;
	enum inspect_kind kind;
	const char *class;
	const char *policy;
	uint32_t connections;
	uint32_t embryonic;
	bool refuse;
};

#define CONNECTIONS_MAX 65535
#define EMBRYONIC_LINES	255	/* whose half-open connections can be told apart, see ESMTP_CT_LABEL_EMBRYONIC */

/**
 * struct config - a whole configuration
 * @tables: in the order of the file
 * @policies: in the order of the file, or of their slots
 * @sets: in the order of the file
 * @classes: in the order of the file
 * @exempt: hosts that are never inspected, beside those of named sets
 * @inspect: the list; NULL = no connection is chosen here
 * @ports: inspected where a class has no dport
 * @ports_ref: name of the set that they come from, or NULL
 * @pickup_pass: connections whose start was not seen pass
 * @exempt_loc: where the exempt hosts were written
 */
struct config {
	struct table *tables;
	struct policy *policies;
	struct named_set *sets;
	struct class *classes;
	struct intervals exempt;
	struct inspect *inspect;
	struct intervals ports;
	const char *ports_ref;
	bool pickup_pass;
	struct location exempt_loc;
};

struct table *config_table(const struct config *c, const char *name);
void config_add_table(struct config *c, struct table *t);
struct policy *config_policy(const struct config *c, const char *name);
struct named_set *config_set(const struct config *c, const char *name);
struct class *config_class(const struct config *c, const char *name);
bool config_exempts(const struct config *c);
bool config_limits(const struct config *c);
bool config_cookies(const struct config *c);
unsigned int config_policies(const struct config *c);
void config_take_slots(struct config *c);
void config_all_ports(const struct config *c, struct intervals *all);
void config_default_port(struct intervals *ports);
void names_sort(struct names *names);
const char *class_line_name(enum class_line line);

#endif
