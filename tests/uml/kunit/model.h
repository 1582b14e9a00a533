/* SPDX-License-Identifier: GPL-2.0-only */
/* Packets of every kind, and what has to be in them: sums and lengths found the slow way. */
#ifndef _ESMTP_MODEL_H
#define _ESMTP_MODEL_H

#include "../kmod/packet.h"

struct kunit_suite;

/* How a packet lies in memory. */
enum model_shape {
	MODEL_LINEAR,
	MODEL_CLONED,		/* linear, and a clone has to keep its bytes */
	MODEL_PAGED,		/* pieces of odd length in pages, which somebody else may have, too */
	MODEL_FRAG_LIST,
	MODEL_SHAPES,
};

/**
 * struct model_kind - a kind of packet
 * @shape: enum model_shape
 * @summed: CHECKSUM_*
 * @ipv6: 1; 0 = IPv4
 * @ext: 1: with a header more: IPv4's options, IPv6's hop-by-hop header
 * @skew: 1: its first byte is at an odd address
 * @gso: bytes of payload in a segment; 0 = it is one
 * @len: bytes of payload; over 64 KiB by IPv6 with @ext: with a jumbo payload option
 */
struct model_kind {
	u8 shape;
	u8 summed;
	u8 ipv6;
	u8 ext;
	u8 skew;
	u16 gso;
	u32 len;
};

/**
 * struct model - a packet, and what it has to be
 * @kind: as it was made
 * @bytes: what the packet has to hold, but for its TCP checksum
 * @was: what it held first
 * @thoff: offset of the TCP header in @bytes
 * @payload: offset of the payload in @bytes
 * @len: bytes of payload
 * @wrong: by how much the checksum is wrong; 0 = it is right
 * @summed: what skb->ip_summed has to be
 * @pkt: the packet
 * @clone: of MODEL_CLONED
 */
struct model {
	struct model_kind kind;
	u8 *bytes;
	u8 *was;
	u32 thoff;
	u32 payload;
	u32 len;
	u16 wrong;
	u8 summed;
	struct esmtp_packet pkt;
	struct sk_buff *clone;
};

/**
 * model_next() - the next kind that there is
 * @kind: all zero: gets the first one
 *
 * Return: false behind the last one.
 */
bool model_next(struct model_kind *kind);

/**
 * model_new() - a packet with ACK, PSH, FIN and a timestamp
 * @kind: what kind
 * @wrong: by how much its checksum is wrong; not for CHECKSUM_PARTIAL
 *
 * Return: what model_free() takes, or NULL.
 */
struct model *model_new(const struct model_kind *kind, u16 wrong);

/** model_free() - the packet as well */
void model_free(struct model *m);

/** model_tcp() - the TCP header that @m has to have */
struct tcphdr *model_tcp(const struct model *m);

/** model_cut() - say that the packet has been cut to @keep bytes of payload */
void model_cut(struct model *m, u32 keep);

/**
 * model_fault() - what is wrong with the packet
 * @m: model
 *
 * Looks at its bytes, sums and lengths, and at what skb and struct esmtp_packet say of it.
 * Return: NULL if nothing is.
 */
const char *model_fault(const struct model *m);

/**
 * model_sent_fault() - what is wrong with what leaves the machine
 * @m: model
 *
 * The kernel makes its checksum, or segments; of those too.
 * Return: NULL if nothing is.
 */
const char *model_sent_fault(const struct model *m);

/**
 * model_sum() - what a segment and its pseudo header add up to
 * @ip: IP header, without any between it and the segment
 * @ipv6: else IPv4
 * @tcp: segment
 * @len: bytes of it
 *
 * Return: 0xffff if its checksum is right.
 */
u16 model_sum(const u8 *ip, bool ipv6, const u8 *tcp, u32 len);

/* Of segment_test.c; packet_test.c is the module's beginning. */
extern struct kunit_suite segment_suite;

#endif /* _ESMTP_MODEL_H */
