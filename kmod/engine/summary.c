// SPDX-License-Identifier: GPL-2.0-only
/* Where a connection stands, for those who list connections. */
#include "internal.h"

static u8 phase_of(const struct esmtp_engine *e)
{
	if (e->latched)
		return ESMTP_PHASE_LATCHED;
	switch (e->phase) {
	case PHASE_WAIT:
		return ESMTP_PHASE_ANSWER;
	case PHASE_AUTH:
		return ESMTP_PHASE_AUTH;
	case PHASE_CONTENT:
		return ESMTP_PHASE_CONTENT;
	case PHASE_BYPASS:
		return ESMTP_PHASE_TLS;
	default:
		return e->greeted ? ESMTP_PHASE_COMMAND : ESMTP_PHASE_GREETING;
	}
}

/**
 * esmtp_engine_summary() - see engine.h
 * @e: state
 * @sum: filled in
 */
void esmtp_engine_summary(const struct esmtp_engine *e,
			  struct esmtp_summary *sum)
{
	memset(sum, 0, sizeof(*sum));
	sum->phase = phase_of(e);
	/* What was said before TLS does not count behind it. */
	if (sum->phase == ESMTP_PHASE_TLS)
		return;
	sum->rcpts = e->rcpt_accepted;
	/* Between two chunks of BDAT the message is under way, too. */
	if (e->phase == PHASE_CONTENT || e->bdat_open)
		sum->size = e->content.size;
}
