// SPDX-License-Identifier: GPL-2.0-only
/*
 * Conditions of rules: what they compare, and how they are written.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cond.h"
#include "language.h"
#include "names.h"
#include "util.h"

/**
 * struct set_kind - what a match with a set compares
 * @members: how many there may be
 * @name: of a member
 * @find: a member by its name, -1 = none
 */
struct set_kind {
	unsigned int members;
	const char *(*name)(unsigned int member);
	int (*find)(const char *word);
};

static const struct set_kind sets[ESMTP_MATCH_MAX + 1] = {
	[ESMTP_MATCH_EHLO_KEYWORD] = { __ESMTP_KW_MAX, keyword_name, keyword_find },
	[ESMTP_MATCH_CMD_VERB] = { __ESMTP_VERB_MAX, verb_name, verb_find },
	[ESMTP_MATCH_MIME_ENCODING] = { __ESMTP_ENC_MAX, encoding_name, encoding_find },
	[ESMTP_MATCH_ANOMALY] = { __ESMTP_ANOMALY_MAX, anomaly_name, anomaly_find },
};

/**
 * cond_has_set() - whether conditions of a kind compare with a set
 * @match: enum esmtp_match
 *
 * Return: true if they do.
 */
bool cond_has_set(uint8_t match)
{
	return match <= ESMTP_MATCH_MAX && sets[match].members;
}

/**
 * cond_has_table() - whether conditions of a kind compare a text with a table
 * @match: enum esmtp_match
 *
 * Return: true if they do.
 */
bool cond_has_table(uint8_t match)
{
	return match == ESMTP_MATCH_SENDER_TEXT || match == ESMTP_MATCH_RECIPIENT_TEXT ||
	       match == ESMTP_MATCH_MAIL_RELAY || match == ESMTP_MATCH_MIME_TYPE_TEXT ||
	       match == ESMTP_MATCH_MIME_FILENAME_TEXT || match == ESMTP_MATCH_HEADER_TEXT;
}

/**
 * cond_has_limit() - whether conditions of a kind compare with a limit
 * @match: enum esmtp_match
 *
 * Return: true if they do.
 */
bool cond_has_limit(uint8_t match)
{
	return !cond_has_set(match) && !cond_has_table(match) && match != ESMTP_MATCH_DECLARED_SIZE &&
	       match != ESMTP_MATCH_SPECIAL_CHARACTER;
}

/**
 * cond_of_command() - where conditions of a kind are met
 * @match: enum esmtp_match
 *
 * Return: true if it is by the client's commands, or by what they come to; false if it is within
 * content, or by what the server says.
 */
bool cond_of_command(uint8_t match)
{
	switch (match) {
	case ESMTP_MATCH_CMD_LINE_LENGTH:
	case ESMTP_MATCH_CMD_RCPT_COUNT:
	case ESMTP_MATCH_SENDER_LENGTH:
	case ESMTP_MATCH_CMD_VERB:
	case ESMTP_MATCH_INVALID_RCPT_COUNT:
	case ESMTP_MATCH_SENDER_TEXT:
	case ESMTP_MATCH_RECIPIENT_TEXT:
	case ESMTP_MATCH_MAIL_RELAY:
	case ESMTP_MATCH_SPECIAL_CHARACTER:
		return true;
	default:
		return false;
	}
}

/**
 * cond_same() - whether two conditions are one
 * @a: one
 * @b: the other
 *
 * Return: true if they hold for the same.
 */
bool cond_same(const struct cond *a, const struct cond *b)
{
	return a->match == b->match && a->negate == b->negate && a->limit == b->limit &&
	       a->set == b->set && a->table == b->table && !strcasecmp(a->field, b->field);
}

/**
 * cond_members() - how many members a set may have
 * @match: enum esmtp_match
 *
 * Return: their number, 0 if the match has no set.
 */
unsigned int cond_members(uint8_t match)
{
	return cond_has_set(match) ? sets[match].members : 0;
}

/**
 * cond_member_name() - a member of a set
 * @match: enum esmtp_match, one that has a set
 * @member: its number
 *
 * Return: its word.
 */
const char *cond_member_name(uint8_t match, unsigned int member)
{
	return sets[match].name(member);
}

/**
 * cond_member_find() - a member of a set by its word
 * @match: enum esmtp_match, one that has a set
 * @word: in any case
 *
 * Return: its number, or -1.
 */
int cond_member_find(uint8_t match, const char *word)
{
	return sets[match].find(word);
}

static void append(char *buf, const char *text)
{
	size_t len = strlen(buf);

	snprintf(buf + len, COND_TEXT_MAX - len, "%s", text);
}

/**
 * cond_expected() - all members of a set, for a sentence
 * @match: enum esmtp_match, one that has a set
 * @buf: where to
 *
 * Return: @buf.
 */
char *cond_expected(uint8_t match, char buf[COND_TEXT_MAX])
{
	unsigned int n = sets[match].members;

	*buf = '\0';
	for (unsigned int i = 0; i < n; i++) {
		append(buf, i == 0 ? "" : i == n - 1 ? " or " : ", ");
		append(buf, cond_member_name(match, i));
	}
	return buf;
}

static void append_set(char *buf, const struct cond *c, enum cond_style style)
{
	bool braces = style == COND_OURS && c->set & (c->set - 1);
	const char *sep = braces ? " { " : " ";

	for (unsigned int i = 0; i < sets[c->match].members; i++) {
		if (!(c->set & 1ull << i))
			continue;
		append(buf, sep);
		append(buf, cond_member_name(c->match, i));
		sep = braces ? ", " : " ";
	}
	append(buf, braces ? " }" : "");
}

/* As in a file, a name that says something else there stands in quotes. */
static void append_field(char *buf, const struct cond *c, enum cond_style style)
{
	const char *quote = style == COND_ASA || language_is_word(c->field) ? "" : "\"";

	append(buf, " ");
	append(buf, quote);
	append(buf, c->field);
	append(buf, quote);
}

/**
 * cond_format() - a condition as it is written
 * @c: the condition; members that are not known are left out
 * @style: who reads it
 * @buf: where to
 *
 * Return: @buf.
 */
char *cond_format(const struct cond *c, enum cond_style style, char buf[COND_TEXT_MAX])
{
	char limit[24];

	*buf = '\0';
	append(buf, c->negate ? "not " : "");
	append(buf, style == COND_ASA ? match_asa_name(c->match) : match_name(c->match));
	if (*c->field)
		append_field(buf, c, style);
	if (cond_has_table(c->match)) {
		if (c->match != ESMTP_MATCH_MAIL_RELAY)
			append(buf, c->list ? " domains" : " regex");
		append(buf, " ");
		append(buf, c->table_name ? c->table_name : "?");
	} else if (cond_has_set(c->match)) {
		append_set(buf, c, style);
	} else if (cond_has_limit(c->match)) {
		snprintf(limit, sizeof(limit), style == COND_ASA ? " gt %u" : " > %u", c->limit);
		append(buf, limit);
	}
	return buf;
}
