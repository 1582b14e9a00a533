// SPDX-License-Identifier: GPL-2.0-only
/* Everything that the engine knows by name. A new verb or keyword is one line here. */
#include "internal.h"

#define WORD(n, v, k, o, a) { .name = n, .len = sizeof(n) - 1, .verb = v, \
			      .keyword = k, .owed = o, .argument = a }
/* A verb that is no keyword of the EHLO reply, or none with rules of its own. */
#define VERB(n, v, o, a) WORD(n, v, ESMTP_NO_KEYWORD, o, a)
/* A keyword that is no verb. */
#define KEYWORD(n, k) WORD(n, ESMTP_VERB_OTHER, k, OWED_OTHER, ARG_ANY)

const struct esmtp_word esmtp_words[] = {
	WORD("AUTH", ESMTP_VERB_AUTH, ESMTP_KW_AUTH, OWED_AUTH, ARG_ANY),
	WORD("ETRN", ESMTP_VERB_ETRN, ESMTP_KW_ETRN, OWED_OTHER, ARG_ANY),
	WORD("VRFY", ESMTP_VERB_VRFY, ESMTP_KW_VRFY, OWED_OTHER, ARG_ANY),
	/* A keyword of "others", but "tls allow" lets it through. */
	WORD("STARTTLS", ESMTP_VERB_STARTTLS, ESMTP_KW_OTHERS,
	     OWED_STARTTLS, ARG_ANY),

	VERB("BDAT", ESMTP_VERB_BDAT, OWED_OTHER, ARG_CHUNK),
	VERB("DATA", ESMTP_VERB_DATA, OWED_DATA, ARG_ANY),
	VERB("EHLO", ESMTP_VERB_EHLO, OWED_EHLO, ARG_ANY),
	VERB("HELO", ESMTP_VERB_HELO, OWED_HELO, ARG_ANY),
	VERB("HELP", ESMTP_VERB_HELP, OWED_OTHER, ARG_ANY),
	VERB("MAIL", ESMTP_VERB_MAIL, OWED_MAIL, ARG_SENDER),
	VERB("NOOP", ESMTP_VERB_NOOP, OWED_OTHER, ARG_ANY),
	VERB("QUIT", ESMTP_VERB_QUIT, OWED_OTHER, ARG_ANY),
	VERB("RCPT", ESMTP_VERB_RCPT, OWED_RCPT, ARG_RECIPIENT),
	VERB("RSET", ESMTP_VERB_RSET, OWED_RSET, ARG_ANY),
	/* RFC 821 section 3.4: MAIL by other names */
	VERB("SAML", ESMTP_VERB_SAML, OWED_MAIL, ARG_SENDER),
	VERB("SEND", ESMTP_VERB_SEND, OWED_MAIL, ARG_SENDER),
	VERB("SOML", ESMTP_VERB_SOML, OWED_MAIL, ARG_SENDER),

	KEYWORD("8BITMIME", ESMTP_KW_8BITMIME),
	KEYWORD("BINARYMIME", ESMTP_KW_BINARYMIME),
	KEYWORD("CHECKPOINT", ESMTP_KW_CHECKPOINT),
	KEYWORD("DSN", ESMTP_KW_DSN),
	KEYWORD("ENHANCEDSTATUSCODES", ESMTP_KW_ENHANCEDSTATUSCODES),
	KEYWORD("PIPELINING", ESMTP_KW_PIPELINING),
	KEYWORD("SIZE", ESMTP_KW_SIZE),
};

#define N_WORDS (sizeof(esmtp_words) / sizeof(esmtp_words[0]))

/* Sets of words are the bits of a u64, and ESMTP_NO_WORD is no index. */
_Static_assert(N_WORDS <= 64, "too many words for a set");

/**
 * esmtp_words_verbs() - the words that are verbs
 *
 * Return: a set of words.
 */
u64 esmtp_words_verbs(void)
{
	u64 set = 0;
	u8 i;

	for (i = 0; i < N_WORDS; i++)
		if (esmtp_words[i].verb != ESMTP_VERB_OTHER)
			set |= 1ull << i;
	return set;
}

/**
 * esmtp_words_keywords() - the words that are keywords of the EHLO reply
 *
 * Return: a set of words.
 */
u64 esmtp_words_keywords(void)
{
	u64 set = 0;
	u8 i;

	for (i = 0; i < N_WORDS; i++)
		if (esmtp_words[i].keyword != ESMTP_NO_KEYWORD)
			set |= 1ull << i;
	return set;
}

/**
 * esmtp_words_of_verbs() - the words whose verb is in a policy's set
 * @alive: set of words
 * @verbs: bit = enum esmtp_verb
 *
 * Return: a subset of @alive.
 */
u64 esmtp_words_of_verbs(u64 alive, u64 verbs)
{
	u8 i;

	for (i = 0; i < N_WORDS; i++)
		if (!(verbs & 1ull << esmtp_words[i].verb))
			alive &= ~(1ull << i);
	return alive;
}

/**
 * esmtp_words_next() - one more byte of a word
 * @alive: words that the bytes before can become
 * @pos: the byte's place in the word
 * @c: the byte, letters in any case
 *
 * Return: words that it can still become.
 */
u64 esmtp_words_next(u64 alive, unsigned int pos, u8 c)
{
	u8 i;

	if (c >= 'a' && c <= 'z')
		c -= 'a' - 'A';
	for (i = 0; i < N_WORDS; i++)
		if (pos >= esmtp_words[i].len ||
		    (u8)esmtp_words[i].name[pos] != c)
			alive &= ~(1ull << i);
	return alive;
}

/**
 * esmtp_words_exact() - the word has ended
 * @alive: words that it can become
 * @len: its length
 *
 * Return: the word's index, or ESMTP_NO_WORD.
 */
u8 esmtp_words_exact(u64 alive, unsigned int len)
{
	u8 i;

	for (i = 0; i < N_WORDS; i++)
		if (alive & 1ull << i && esmtp_words[i].len == len)
			return i;
	return ESMTP_NO_WORD;
}
