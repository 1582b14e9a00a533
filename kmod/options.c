// SPDX-License-Identifier: GPL-2.0-only
/* The options of a TCP header: timestamps are read, MPTCP is taken off. */
#include <net/tcp.h>

#include "packet.h"

#define OPTIONS_MAX	40u
#define OPTION_MPTCP	30
#define MPTCP_JOIN	1	/* subtype, RFC 8684 §3.2 */

/* The options, whole: in the packet where they are in one piece, else in @buf. */
static const u8 *options(const struct esmtp_packet *pkt, u8 *buf,
			 unsigned int *len)
{
	unsigned int at = pkt->thoff + sizeof(struct tcphdr);

	*len = pkt->payload - at;
	return *len ? skb_header_pointer(pkt->skb, at, *len, buf) : NULL;
}

/*
 * The option at @p, of which @left bytes are there. Returns its length; 0 = here the options
 * end: what receivers make of the rest differs, so nobody relies on it.
 */
static unsigned int option_len(const u8 *p, unsigned int left)
{
	if (*p == TCPOPT_EOL)
		return 0;
	if (*p == TCPOPT_NOP)
		return 1;
	if (left < 2 || p[1] < 2 || p[1] > left)
		return 0;
	return p[1];
}

static void note_option(const u8 *p, unsigned int len,
			struct esmtp_options *opt)
{
	if (*p == TCPOPT_TIMESTAMP && len == TCPOLEN_TIMESTAMP) {
		opt->stamped = true;
		opt->tsval = get_unaligned_be32(p + 2);
	} else if (*p == OPTION_MPTCP) {
		opt->mptcp = true;
		if (len > 2 && p[2] >> 4 == MPTCP_JOIN)
			opt->mptcp_join = true;
	}
}

void esmtp_packet_options(const struct esmtp_packet *pkt,
			  struct esmtp_options *opt)
{
	unsigned int left, len;
	u8 buf[OPTIONS_MAX];
	const u8 *p;

	*opt = (struct esmtp_options) {};
	p = options(pkt, buf, &left);
	if (!p)
		return;
	for (; left; p += len, left -= len) {
		len = option_len(p, left);
		if (!len)
			return;
		note_option(p, len, opt);
	}
}

int esmtp_packet_blank_mptcp(struct esmtp_packet *pkt)
{
	u8 buf[OPTIONS_MAX], blank[OPTIONS_MAX];
	unsigned int left, len, size;
	const u8 *from;
	u8 *p = blank;

	from = options(pkt, buf, &size);
	if (!from)
		return 0;
	memcpy(blank, from, size);
	for (left = size; left; p += len, left -= len) {
		len = option_len(p, left);
		if (!len)
			break;
		if (*p == OPTION_MPTCP)
			memset(p, TCPOPT_NOP, len);
	}
	return esmtp_packet_overwrite(pkt, sizeof(struct tcphdr), blank, size);
}
