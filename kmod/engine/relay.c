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
 * servers make of it. An address without any host, postmaster too, is the server's own.
 *
 * Servers differ, too, in where an address ends. A list with .example.org accepts whatever ends so; to a server
 * that stops at a NUL, a blank or a bracket that stands in quotes for us, that is another host. So a host has
 * letters, digits, and what else names are made of, or it is in no list. And an address whose end may have been escaped, or that
 * has more behind its bracket, leads wherever that says.
 */
#include "internal.h"

enum host_state {
	HOST_EMPTY,
	HOST_NAME,
	HOST_LITERAL,		/* [192.0.2.1 */
	HOST_LITERAL_END,	/* the same with its ] */
	HOST_BAD,
};

static bool is_name_byte(u8 b)
{
	return (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
	       (b >= '0' && b <= '9') || b == '-' || b == '.' || b == '_' ||
	       b >= 0x80;
}

static enum host_state host_next(u8 host, u8 b)
{
	if (host == HOST_LITERAL)
		return b == ']' ? HOST_LITERAL_END : HOST_LITERAL;
	if (host == HOST_EMPTY && b == '[')
		return HOST_LITERAL;
	if ((host == HOST_EMPTY || host == HOST_NAME) && is_name_byte(b))
		return HOST_NAME;
	return HOST_BAD;
}

static void part_begin(struct esmtp_feed *f, bool is_host)
{
	struct esmtp_command *c = &f->e->cmd;

	c->is_host = is_host;
	c->host = HOST_EMPTY;
	/* A list has whole addresses, of which this is the end. */
	esmtp_tables_start(f->p, ESMTP_TEXT_RELAY, c->hops);
	esmtp_tables_byte(f->p, ESMTP_TEXT_RELAY, c->hops, '@');
}

/* A host on the way is known. */
static void host_end(struct esmtp_feed *f)
{
	struct esmtp_command *c = &f->e->cmd;
	bool bad = c->host != HOST_NAME && c->host != HOST_LITERAL_END;
	u32 i;

	for (i = 0; i < f->p->n_live[ESMTP_TEXT_RELAY]; i++)
		if (bad ||
		    !esmtp_table_accepts(f->p->live[ESMTP_TEXT_RELAY][i],
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
	f->e->cmd.escape = false;
	part_begin(f, false);
}

/**
 * esmtp_relay_again() - the address of a recipient begins, behind TO: or in its brackets
 * @f: call
 *
 * What stood in front was a word or a name. If that has hosts, somebody may take it for the address.
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
	c->escape = b == '\\';
	if (!c->path_len)
		c->in_route = b == '@';
	/* Elsewhere a colon may be part of an address literal. */
	if (b != '@' && b != '%' && b != '!' &&
	    !(c->in_route && (b == ',' || b == ':'))) {
		c->host = host_next(c->host, b);
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
 * esmtp_relay_close() - a bracket or a blank closes the address
 * @f: call
 *
 * Unless a backslash in front of it takes that from it, as in RFC 821, and the host is still to come.
 */
void esmtp_relay_close(struct esmtp_feed *f)
{
	if (f->e->cmd.escape)
		f->e->cmd.abroad = 0xff;
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
