// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes that come before their turn: may they pass?
 *
 * A receiver cannot read them before the gap in front of them is filled, and the
 * gap does not pass before it and they have been read here. What remains is
 * that they cannot be altered any more. So content may go ahead, for it never is;
 * commands and replies may not, nor the end of a message, behind which commands begin.
 */
#include "internal.h"

/**
 * esmtp_engine_in_content() - see engine.h
 * @e: state
 * @dir: direction
 *
 * Return: true if it is.
 */
bool esmtp_engine_in_content(const struct esmtp_engine *e, enum esmtp_dir dir)
{
	return dir == ESMTP_DIR_CLIENT && e->phase == PHASE_CONTENT;
}

/**
 * esmtp_engine_content_left() - see engine.h
 * @e: state
 *
 * Return: at most so many octets.
 */
u64 esmtp_engine_content_left(const struct esmtp_engine *e)
{
	return e->content.bdat ? e->content.chunk : ~0ull;
}

/**
 * esmtp_engine_ahead() - see engine.h
 * @e: state
 * @p: policy
 * @dir: direction
 * @left: octets of the chunk
 *
 * Return: the rule.
 */
enum esmtp_ahead esmtp_engine_ahead(const struct esmtp_engine *e,
				    const struct esmtp_policy *p,
				    enum esmtp_dir dir, u64 *left)
{
	*left = 0;
	if (p->flags & ESMTP_POLICY_F_MONITOR)
		return ESMTP_AHEAD_ANY;
	if (!esmtp_engine_in_content(e, dir) || e->latched)
		return ESMTP_AHEAD_NOT;
	if (!e->content.bdat)
		return ESMTP_AHEAD_DOTTED;
	*left = e->content.chunk;
	return ESMTP_AHEAD_COUNTED;
}

/**
 * esmtp_end_scan() - see engine.h
 * @before: what may stand in front
 * @data: bytes
 * @len: how many
 *
 * Return: what may stand in front of what follows.
 */
u8 esmtp_end_scan(u8 before, const u8 *data, u32 len)
{
	u8 now = before, was;
	u32 i;

	for (i = 0; i < len; i++) {
		was = now;
		now = 0;
		switch (data[i]) {
		case '\r':
			now = ESMTP_END_CR;
			if (was & ESMTP_END_DOT)
				now |= ESMTP_END_DOT_CR;
			break;
		case '\n':
			if (was & ESMTP_END_DOT_CR)
				return ESMTP_END_FOUND;
			if (was & ESMTP_END_CR)
				now = ESMTP_END_CRLF;
			break;
		case '.':
			if (was & ESMTP_END_CRLF)
				now = ESMTP_END_DOT;
			break;
		}
	}
	return now;
}
