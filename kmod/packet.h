/* SPDX-License-Identifier: GPL-2.0-only */
/* One TCP packet: read, overwrite, cut short. */
#ifndef _ESMTP_PACKET_H
#define _ESMTP_PACKET_H

#include <linux/skbuff.h>
#include <linux/tcp.h>

#include "../include/esmtp/engine.h"

/**
 * struct esmtp_packet - a TCP packet at the end of netfilter's path
 * @skb: the packet; its pointers go stale with every write
 * @thoff: offset of the TCP header from skb->data
 * @payload: offset of the payload from skb->data
 * @len: bytes of payload
 * @seq: of the first byte, host order, before any adjustment
 * @ack: acknowledgement number, host order; valid if @has_ack
 * @window: as it stands in the header, not scaled
 * @dir: ESMTP_DIR_CLIENT = from the side that opened the connection
 * @ipv6: else IPv4
 * @syn: flag of the TCP header
 * @fin: flag of the TCP header
 * @rst: flag of the TCP header
 * @has_ack: flag of the TCP header
 * @urg: flag of the TCP header
 */
struct esmtp_packet {
	struct sk_buff *skb;
	unsigned int thoff;
	unsigned int payload;
	u32 len;
	u32 seq;
	u32 ack;
	u16 window;
	enum esmtp_dir dir;
	bool ipv6;
	bool syn;
	bool fin;
	bool rst;
	bool has_ack;
	bool urg;
};

/**
 * esmtp_packet_parse() - read the TCP header
 * @pkt: filled in
 * @skb: packet
 * @thoff: offset of its TCP header
 * @dir: its direction
 * @ipv6: its family
 *
 * Return: false if the header is not whole.
 */
bool esmtp_packet_parse(struct esmtp_packet *pkt, struct sk_buff *skb,
			unsigned int thoff, enum esmtp_dir dir, bool ipv6);

/**
 * esmtp_packet_write() - overwrite payload, keep the checksum right
 * @pkt: packet
 * @off: of the first byte in the payload
 * @data: new bytes
 * @len: how many; @off + @len ≤ @pkt->len
 *
 * The bytes are made private first: clones (a sender's queue, a capture) keep theirs.
 * Return: 0 or -ENOMEM, then nothing was written.
 */
int esmtp_packet_write(struct esmtp_packet *pkt, u32 off, const u8 *data,
		       u32 len);

/**
 * esmtp_packet_overwrite() - overwrite bytes of the segment, keep the checksum right
 * @pkt: packet
 * @off: of the first byte, from the start of the TCP header
 * @data: new bytes
 * @len: how many; they are within the segment
 *
 * Return: 0 or -ENOMEM, then nothing was written.
 */
int esmtp_packet_overwrite(struct esmtp_packet *pkt, unsigned int off,
			   const u8 *data, unsigned int len);

/**
 * esmtp_packet_cut() - shorten the payload at its end
 * @pkt: packet
 * @keep: bytes of payload that stay, < @pkt->len
 *
 * FIN and PSH go off, for they belong to the end that is cut off.
 * Return: 0 or -ENOMEM, then the packet must not pass.
 */
int esmtp_packet_cut(struct esmtp_packet *pkt, u32 keep);

/**
 * esmtp_packet_clear_urgent() - turn URG off
 * @pkt: packet
 *
 * What is urgent is taken out of the stream by some receivers and not by others.
 * Return: 0 or -ENOMEM, then the packet must not pass.
 */
int esmtp_packet_clear_urgent(struct esmtp_packet *pkt);

/**
 * esmtp_packet_clear_fin() - turn FIN off
 * @pkt: packet
 *
 * Return: 0 or -ENOMEM, then the packet must not pass.
 */
int esmtp_packet_clear_fin(struct esmtp_packet *pkt);

/**
 * esmtp_packet_set_window() - write another window
 * @pkt: packet
 * @window: not scaled
 *
 * Return: 0 or -ENOMEM, then nothing was written.
 */
int esmtp_packet_set_window(struct esmtp_packet *pkt, u16 window);

/**
 * esmtp_packet_sum_ok() - add the checksum up
 * @pkt: packet
 *
 * Return: false if it is wrong. One that hardware vouches for, or that is still to be made, is right.
 */
bool esmtp_packet_sum_ok(const struct esmtp_packet *pkt);

/**
 * struct esmtp_options - what is of interest among a segment's TCP options
 * @stamped: it has a timestamp (RFC 7323)
 * @tsval: the sender's clock
 * @mptcp: it has an MPTCP option (RFC 8684)
 * @mptcp_join: one of them opens a further subflow
 */
struct esmtp_options {
	bool stamped;
	u32 tsval;
	bool mptcp;
	bool mptcp_join;
};

/** esmtp_packet_options() - read the TCP options of @pkt; what is malformed ends them */
void esmtp_packet_options(const struct esmtp_packet *pkt,
			  struct esmtp_options *opt);

/**
 * esmtp_packet_blank_mptcp() - overwrite MPTCP options with NOPs
 * @pkt: packet
 *
 * Return: 0 or -ENOMEM, then the packet must not pass.
 */
int esmtp_packet_blank_mptcp(struct esmtp_packet *pkt);

#endif /* _ESMTP_PACKET_H */
