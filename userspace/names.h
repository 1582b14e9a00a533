/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_NAMES_H
#define ESMTPCTL_NAMES_H

#include <stdint.h>

/**
 * struct counter_name - how a counter is called
 * @key: in JSON
 * @text: in a listing
 */
struct counter_name {
	const char *key;
	const char *text;
};

/**
 * struct event_name - how an event is called
 * @key: in JSON
 * @text: in a listing of counters, in the plural
 */
struct event_name {
	const char *key;
	const char *text;
};

#define HELPER_NAME_MAX 24

extern const char version[];

char *helper_name(unsigned int slot, char buf[HELPER_NAME_MAX]);
const char *match_name(uint8_t match);
const char *match_asa_name(uint8_t match);
const char *match_key(uint8_t match);
const char *action_name(uint8_t action);
const char *action_asa_name(uint8_t action);
const char *action_key(uint8_t action);
const char *keyword_name(unsigned int keyword);
int keyword_find(const char *word);
const char *verb_name(unsigned int verb);
int verb_find(const char *word);
const char *encoding_name(unsigned int encoding);
int encoding_find(const char *word);
const char *anomaly_name(unsigned int anomaly);
int anomaly_find(const char *word);
const struct counter_name *policy_counter_name(unsigned int counter);
const struct counter_name *ns_counter_name(unsigned int counter);
const char *log_level_name(uint8_t level);
int log_level_find(const char *word);
const char *phase_name(uint8_t phase);
const struct event_name *event_name(unsigned int type);

#endif
