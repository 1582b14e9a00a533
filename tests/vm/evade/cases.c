// SPDX-License-Identifier: GPL-2.0-only
/* One schedule for each known way round an inspecting router; see text.c for the language. */
#include "evade.h"

const struct fixed_case cases[] = {
	{ "other bytes behind the true ones of a command do not reach the server",
	  "stage \"EHLO c.test\\r\\n\"\n"
	  "stage \"NOOP abcdef\\r\\n\"\n"
	  "seg 0 13\n"
	  "seg 0 13 other \"STARTTLS\\r\\nXX\\n\"\n"
	  "stage \"QUIT\\r\\n\"\n"
	  "reads \"EHLO c.test\\r\\nNOOP abcdef\\r\\nQUIT\\r\\n\"\n" },
};

const u32 n_cases = ARRAY_LEN(cases);
