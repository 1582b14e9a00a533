// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mail that is to be relayed: a recipient whose way leads to a host that a list does not have.
 *
 * What an address says of its way is read as the most credulous server reads it. In
 *
 *	@a,@b:c!user%d@e
 *
 * a and b are on the route (RFC 5321 appendix C), e gets the mail, gives it to d, and that one to c. Each of
 * them must be in the list: a server that takes e for its own name may look at what stands in front.
 * Quotes and backslashes are bytes like others here, so that "user%d"@e is held for what many
 * servers make of it; a host with a quote is in no list. An address without any host, postmaster too, is
 * the server's own.
 */
#include "internal.h"

static void part_begin(struct esmtp_feed *f, bool is_host)
{
	struct esmtp_command *c = &f->e->cmd;

	c->is_host = is_host;
	/* A list has whole addresses, of which this is the end. */
	esmtp_tables_start(f->p, ESMTP_TEXT_RELAY, c->hops);
	esmtp_tables_byte(f->p, ESMTP_TEXT_RELAY, c->hops, '@');
}

/* A host on the way is known. */
static void host_end(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;
	u32 i;

	for (i = 0; i < f->p->n_live[ESMTP_TEXT_RELAY]; i++)
		if (!esmtp_table_accepts(f->p->live[ESMTP_TEXT_RELAY][i],
					 c->hops[i]))
			c->abroad |= 1u << i;
}

/**
 * esmtp_relay_begin() - RCPT has been read
 * @f: call
 */
void esmtp_relay_begin(struct esmtp_feed *f)
{
	f->e->cmd.abroad = 0;
	part_begin(f, false);
}

/**
 * esmtp_relay_again() - the address of a recipient begins in its brackets
 * @f: call
 *
 * What stood in front was a name. If that has hosts, somebody may take it for the address.
 */
void esmtp_relay_again(struct esmtp_feed *f)
{
	if (f->e->cmd.is_host)
		host_end(f);
	part_begin(f, false);
}

/**
 * esmtp_relay_byte() - a byte of it
 * @f: call; the byte is not in the path's length yet
 * @b: the byte
 */
void esmtp_relay_byte(struct esmtp_feed *f, u8 b)
{
	struct esmtp_command *c = &f->e->cmd;

	if (!f->p->n_live[ESMTP_TEXT_RELAY])
		return;
	if (!c->path_len)
		c->in_route = b == '@';
	/* Elsewhere a colon may be part of an address literal. */
	if (b != '@' && b != '%' && b != '!' &&
	    !(c->in_route && (b == ',' || b == ':'))) {
		esmtp_tables_byte(f->p, ESMTP_TEXT_RELAY, c->hops, b);
		return;
	}
	if (c->is_host || b == '!')
		host_end(f);
	if (b == ':')
		c->in_route = false;
	part_begin(f, b == '@' || b == '%');
}

/**
 * esmtp_relay_end() - the line of RCPT has ended
 * @f: call
 *
 * Who has authenticated may relay.
 *
 * Return: true if the connection closes.
 */
bool esmtp_relay_end(struct esmtp_feed *f)
{
	const struct esmtp_command *c = &f->e->cmd;

	if (!f->p->n_live[ESMTP_TEXT_RELAY])
		return false;
	if (c->is_host)
		host_end(f);
	return esmtp_fire_relay(f, f->e->authenticated ? 0 : c->abroad);
}
