// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains in other letters than ASCII: the module compares bytes, so it is given both spellings
 * (RFC 5890: the A-label, and the U-label as UTF-8 of SMTPUTF8).
 */
#define _GNU_SOURCE
#include <idn2.h>
#include <stdbool.h>
#include <string.h>

#include "idn.h"
#include "util.h"

static bool is_ascii(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

/**
 * idn_forms() - the two spellings of a domain
 * @domain: one of them, or with capitals, or not composed: UTF-8
 * @ascii: set to the A-label
 * @unicode: set to the U-label
 *
 * Both are @domain where it has no letter that needs it.
 *
 * Return: NULL, or what is wrong with the domain.
 */
const char *idn_forms(const char *domain, char **ascii, char **unicode)
{
	char *a = NULL, *u = NULL;
	int err;

	/* Names that need no conversion may have what no IDN has: underscores, "--" anywhere. */
	*ascii = *unicode = mem_strdup(domain);
	if (is_ascii(domain) && !strcasestr(domain, "xn--"))
		return NULL;
	err = idn2_to_ascii_8z(domain, &a, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (err == IDN2_OK)
		err = idn2_to_unicode_8z8z(a, &u, 0);
	if (err == IDN2_OK) {
		*ascii = mem_strdup(a);
		*unicode = mem_strdup(u);
	}
	idn2_free(a);
	idn2_free(u);
	return err == IDN2_OK ? NULL : mem_printf("this is no domain: %s", idn2_strerror(err));
}
