// SPDX-License-Identifier: GPL-2.0-only
/* A new beginning for those who list counters; those who record them see none. */
#include <string.h>

#include "commands.h"
#include "genl.h"
#include "kerror.h"
#include "nft.h"

/* In the table of nft. */
static bool reset_guard(struct erecs *errors)
{
	struct nft_table t;
	struct nft_batch b;
	bool ok;

	if (!nft_read(&t, errors))
		return false;
	if (!t.present)
		return true;
	memcpy(t.guard.base, t.guard.now, sizeof(t.guard.base));
	if (!nft_begin(&b, errors))
		return false;
	nft_put_bases(&b, &t.guard);
	ok = nft_commit(&b, false, errors);
	nft_end(&b);
	return ok;
}

static bool reset_module(struct genl *g, struct erecs *errors)
{
	struct kerror ke;

	if (!genl_talk(g, genl_request(g, ESMTP_CMD_COUNTERS_RESET, NLM_F_ACK), NULL, NULL, &ke))
		return true;
	erec_add(errors, NULL, "%s", kerror_text(&ke));
	return false;
}

/**
 * command_reset_counters() - esmtpctl reset counters
 * @r: the request
 *
 * Return: true if it worked.
 */
bool command_reset_counters(struct request *r)
{
	struct genl g;
	bool ok;

	if (!genl_open(&g, &r->errors))
		return false;
	/* The stage stays empty and is thrown away: it keeps a load from replacing the table meanwhile. */
	ok = stage_begin(&g, &r->errors) && reset_guard(&r->errors) &&
	     reset_module(&g, &r->errors);
	genl_close(&g);
	return ok;
}
