// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets of every kind, and what has to be in them. Nothing here shares code with the module, nor
 * the kernel's functions for checksums: these add 16 bits after 16 bits (RFC 1071).
 */
#include <linux/netdevice.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "model.h"

#define HEADROOM	128u
#define TCP_LEN		32u	/* with a timestamp */
#define EXT4_LEN	4u
#define EXT6_LEN	8u
#define INLINE_MAX	3u	/* bytes of payload beside the headers of one in pages */
#define PIECES		8u
#define SEGMENT		536u

static const u32 lens[] = { 1, 2, 9, 1448, 5001 };

/* Counts one digit up; false if it was the last one, then it is the first again. */
static bool next(u8 *digit, u8 n)
{
	*digit = (*digit + 1) % n;
	return *digit;
}

bool model_next(struct model_kind *kind)
{
	u8 i = 0;

	if (!kind->len) {
		kind->len = lens[0];
		return true;
	}
	if (!kind->gso && kind->len > SEGMENT) {
		kind->gso = SEGMENT;
		return true;
	}
	kind->gso = 0;
	while (lens[i] != kind->len)
		i++;
	if (next(&i, ARRAY_SIZE(lens))) {
		kind->len = lens[i];
		return true;
	}
	kind->len = lens[0];
	return next(&kind->shape, MODEL_SHAPES) ||
	       next(&kind->summed, CHECKSUM_PARTIAL + 1) ||
	       next(&kind->ipv6, 2) || next(&kind->ext, 2) ||
	       next(&kind->skew, 2);
}

static u64 add(const u8 *p, u32 len, u64 sum)
{
	u32 i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	return sum;
}

static u16 fold(u64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static u64 pseudo(const u8 *ip, bool ipv6, u32 len)
{
	return add(ip + (ipv6 ? 8 : 12), ipv6 ? 32 : 8,
		   IPPROTO_TCP + (u64)len);
}

u16 model_sum(const u8 *ip, bool ipv6, const u8 *tcp, u32 len)
{
	return fold(add(tcp, len, pseudo(ip, ipv6, len)));
}

struct tcphdr *model_tcp(const struct model *m)
{
	return (struct tcphdr *)(m->bytes + m->thoff);
}

static bool is_jumbo(const struct model *m)
{
	return m->kind.ipv6 && m->thoff > 40 && m->bytes[42] == 0xc2;
}

/* What the IP headers say of the length. */
static void put_lengths(const struct model *m)
{
	u32 total = m->payload + m->len;
	u8 *ip = m->bytes;

	if (m->kind.ipv6) {
		total -= 40;
		put_unaligned_be16(total > 0xffff ? 0 : total, ip + 4);
		if (is_jumbo(m))
			put_unaligned_be32(total, ip + 44);
		return;
	}
	put_unaligned_be16(total > 0xffff ? 0 : total, ip + 2);
	put_unaligned_be16(0, ip + 10);
	put_unaligned_be16(~fold(add(ip, m->thoff, 0)), ip + 10);
}

static void put_ip4(const struct model *m)
{
	static const u8 ip[] = {
		0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0,
		192, 0, 2, 1, 198, 51, 100, 77,
	};
	static const u8 ext[EXT4_LEN] = { 1, 1, 1, 0 };

	memcpy(m->bytes, ip, sizeof(ip));
	if (m->kind.ext) {
		m->bytes[0]++;
		memcpy(m->bytes + sizeof(ip), ext, sizeof(ext));
	}
}

static void put_ip6(const struct model *m)
{
	static const u8 ip[] = {
		0x60, 0, 0, 0, 0, 0, 6, 64,
		0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0x20, 1, 0xd, 0xb8, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe,
	};
	static const u8 padding[EXT6_LEN] = { 6, 0, 1, 4 };
	static const u8 jumbo[EXT6_LEN] = { 6, 0, 0xc2, 4 };

	memcpy(m->bytes, ip, sizeof(ip));
	if (m->kind.ext) {
		m->bytes[6] = 0;
		memcpy(m->bytes + sizeof(ip), m->len > 0xffff ? jumbo : padding,
		       EXT6_LEN);
	}
}

static void put_tcp(const struct model *m)
{
	static const u8 tcp[TCP_LEN] = {
		0xc0, 1, 0, 25, 0xff, 0xff, 0xff, 0xf0, 0, 1, 2, 3,
		0x80, 0x19, 0x7f, 0xff, 0, 0, 0, 0,
		1, 1, 8, 10, 0xde, 0xad, 0, 1, 0, 0, 0, 9,
	};
	u32 i;

	memcpy(m->bytes + m->thoff, tcp, sizeof(tcp));
	for (i = 0; i < m->len; i++)
		m->bytes[m->payload + i] = i * 7 + (i >> 8) + 0x41;
}

static void put_sum(const struct model *m)
{
	u32 len = TCP_LEN + m->len;
	u8 *tcp = m->bytes + m->thoff;
	u16 sum;

	if (m->kind.summed == CHECKSUM_PARTIAL)
		sum = fold(pseudo(m->bytes, m->kind.ipv6, len));
	else
		sum = fold((u16)~model_sum(m->bytes, m->kind.ipv6, tcp, len) +
			   (u64)m->wrong);
	put_unaligned_be16(sum, tcp + 16);
}

/* Bytes @from … @total of @m, in pages. */
static bool add_pages(struct sk_buff *skb, const struct model *m, u32 from,
		      u32 total)
{
	u32 step = DIV_ROUND_UP(total - from, PIECES) | 1, n;
	struct page *page;

	for (; from < total; from += n) {
		n = min(step, total - from);
		page = alloc_pages(GFP_KERNEL | __GFP_COMP, get_order(n + 1));
		if (!page)
			return false;
		memcpy(page_address(page) + 1, m->bytes + from, n);
		skb_add_rx_frag(skb, skb_shinfo(skb)->nr_frags, page, 1, n,
				page_size(page));
	}
	return true;
}

/* The same in a list of other packets without headers. */
static bool add_list(struct sk_buff *skb, const struct model *m, u32 from,
		     u32 total)
{
	struct sk_buff **next = &skb_shinfo(skb)->frag_list;
	u32 step = DIV_ROUND_UP(total - from, PIECES) | 1, n;

	for (; from < total; from += n) {
		n = min(step, total - from);
		*next = alloc_skb(n, GFP_KERNEL);
		if (!*next)
			return false;
		skb_put_data(*next, m->bytes + from, n);
		skb->len += n;
		skb->data_len += n;
		skb->truesize += (*next)->truesize;
		next = &(*next)->next;
	}
	return true;
}

static void set_state(struct sk_buff *skb, const struct model *m)
{
	skb->protocol = htons(m->kind.ipv6 ? ETH_P_IPV6 : ETH_P_IP);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, m->thoff);
	skb->ip_summed = m->kind.summed;
	if (m->kind.summed == CHECKSUM_PARTIAL) {
		skb->csum_start = skb_headroom(skb) + m->thoff;
		skb->csum_offset = offsetof(struct tcphdr, check);
	} else if (m->kind.summed == CHECKSUM_COMPLETE) {
		skb->csum = (__force __wsum)htons(fold(add(m->bytes, skb->len, 0)));
	}
	if (m->kind.gso) {
		skb_shinfo(skb)->gso_size = m->kind.gso;
		skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(m->len, m->kind.gso);
		skb_shinfo(skb)->gso_type = m->kind.ipv6 ? SKB_GSO_TCPV6 :
							   SKB_GSO_TCPV4;
	}
}

static struct sk_buff *make_skb(const struct model *m)
{
	u32 total = m->payload + m->len, linear = total;
	struct sk_buff *skb;
	bool whole = true;

	if (m->kind.shape == MODEL_PAGED || m->kind.shape == MODEL_FRAG_LIST)
		linear = m->payload + min(m->len, INLINE_MAX);
	skb = alloc_skb(HEADROOM + linear, GFP_KERNEL);
	if (!skb)
		return NULL;
	skb_reserve(skb, HEADROOM - m->kind.skew);
	skb_put_data(skb, m->bytes, linear);
	if (m->kind.shape == MODEL_PAGED)
		whole = add_pages(skb, m, linear, total);
	else if (m->kind.shape == MODEL_FRAG_LIST)
		whole = add_list(skb, m, linear, total);
	if (!whole) {
		kfree_skb(skb);
		return NULL;
	}
	set_state(skb, m);
	return skb;
}

/* Bytes and packet; false if there is no memory. */
static bool fill(struct model *m)
{
	struct sk_buff *skb;

	m->bytes = kzalloc(m->payload + m->len, GFP_KERNEL);
	if (!m->bytes)
		return false;
	if (m->kind.ipv6)
		put_ip6(m);
	else
		put_ip4(m);
	put_tcp(m);
	put_lengths(m);
	put_sum(m);
	m->was = kmemdup(m->bytes, m->payload + m->len, GFP_KERNEL);
	skb = m->was ? make_skb(m) : NULL;
	if (!skb)
		return false;
	esmtp_packet_parse(&m->pkt, skb, m->thoff, ESMTP_DIR_CLIENT,
			   m->kind.ipv6);
	if (m->kind.shape == MODEL_CLONED)
		m->clone = skb_clone(skb, GFP_KERNEL);
	return m->clone || m->kind.shape != MODEL_CLONED;
}

struct model *model_new(const struct model_kind *kind, u16 wrong)
{
	struct model *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return NULL;
	m->kind = *kind;
	m->wrong = wrong;
	m->summed = kind->summed;
	m->len = kind->len;
	m->thoff = kind->ipv6 ? 40 : 20;
	if (kind->ext)
		m->thoff += kind->ipv6 ? EXT6_LEN : EXT4_LEN;
	m->payload = m->thoff + TCP_LEN;
	if (!fill(m)) {
		model_free(m);
		return NULL;
	}
	return m;
}

void model_free(struct model *m)
{
	if (!m)
		return;
	kfree_skb(m->pkt.skb);
	kfree_skb(m->clone);
	kfree(m->was);
	kfree(m->bytes);
	kfree(m);
}

void model_cut(struct model *m, u32 keep)
{
	struct tcphdr *th = model_tcp(m);

	th->fin = 0;
	th->psh = 0;
	m->len = keep;
	m->wrong = 0;
	if (m->summed != CHECKSUM_PARTIAL)
		m->summed = CHECKSUM_NONE;
	/* A jumbo header goes where it is not needed. */
	if (is_jumbo(m) && m->payload + keep - 40 - EXT6_LEN <= 0xffff) {
		memmove(m->bytes + 40, m->bytes + 40 + EXT6_LEN,
			TCP_LEN + keep);
		m->bytes[6] = IPPROTO_TCP;
		m->thoff -= EXT6_LEN;
		m->payload -= EXT6_LEN;
	}
	put_lengths(m);
}

static const char *sum_fault(const struct model *m, const u8 *got)
{
	const struct sk_buff *skb = m->pkt.skb;
	u32 len = TCP_LEN + m->len;
	const u8 *tcp = got + m->thoff;

	if (skb->ip_summed != m->summed)
		return "ip_summed";
	if (m->summed == CHECKSUM_PARTIAL) {
		if (skb_checksum_start_offset(skb) != m->thoff ||
		    skb->csum_offset != 16)
			return "where the checksum is to be";
		if (get_unaligned_be16(tcp + 16) !=
		    fold(pseudo(got, m->kind.ipv6, len)))
			return "the sum of the pseudo header";
		return NULL;
	}
	if (model_sum(got, m->kind.ipv6, tcp, len) != (m->wrong ?: 0xffff))
		return "the checksum";
	if (m->summed == CHECKSUM_COMPLETE &&
	    ntohs((__force __be16)~csum_fold(skb->csum)) !=
	    fold(add(got, skb->len, 0)))
		return "the sum of all bytes";
	return NULL;
}

static const char *gso_fault(const struct model *m)
{
	const struct skb_shared_info *info = skb_shinfo(m->pkt.skb);

	if (m->kind.gso && m->len > m->kind.gso) {
		if (info->gso_size != m->kind.gso)
			return "gso_size";
		if (info->gso_segs != DIV_ROUND_UP(m->len, m->kind.gso))
			return "gso_segs";
		return NULL;
	}
	return info->gso_size || info->gso_segs || info->gso_type ?
		       "that it has segments" : NULL;
}

static const char *bytes_fault(const struct model *m, u8 *got)
{
	const struct esmtp_packet *pkt = &m->pkt;
	u32 total = m->payload + m->len, sum = m->thoff + 16;

	if (pkt->thoff != m->thoff || pkt->payload != m->payload ||
	    pkt->len != m->len)
		return "what struct esmtp_packet says";
	if (pkt->skb->len != total ||
	    skb_copy_bits(pkt->skb, 0, got, total))
		return "the length";
	if (skb_network_header(pkt->skb) != pkt->skb->data)
		return "where the network header is";
	if (memcmp(got, m->bytes, m->thoff))
		return "the IP header";
	if (memcmp(got + m->thoff, m->bytes + m->thoff, 16) ||
	    memcmp(got + sum + 2, m->bytes + sum + 2, m->payload - sum - 2))
		return "the TCP header";
	if (memcmp(got + m->payload, m->bytes + m->payload, m->len))
		return "the payload";
	return NULL;
}

/* What others have of it is not to change. */
static const char *clone_fault(const struct model *m, u8 *got)
{
	u32 total;

	if (!m->clone)
		return NULL;
	total = m->clone->len;
	if (skb_copy_bits(m->clone, 0, got, total) ||
	    memcmp(got, m->was, total))
		return "the clone";
	return NULL;
}

const char *model_fault(const struct model *m)
{
	u8 *got = kmalloc(m->payload + m->kind.len + EXT6_LEN, GFP_KERNEL);
	const char *fault;

	if (!got)
		return "memory";
	fault = bytes_fault(m, got) ?: sum_fault(m, got) ?: gso_fault(m) ?:
		clone_fault(m, got);
	kfree(got);
	return fault;
}

/* A segment as it leaves: bytes *@off … of the payload. */
static const char *segment_fault(const struct model *m, struct sk_buff *seg,
				 u32 *off)
{
	u32 thoff = m->thoff, len, said;
	const u8 *ip;

	/* Segments have no jumbo header. */
	if (m->kind.gso && m->len > m->kind.gso && is_jumbo(m))
		thoff -= EXT6_LEN;
	if (skb_linearize(seg))
		return "memory";
	ip = skb_pull(seg, ETH_HLEN);
	len = seg->len - thoff - TCP_LEN;
	said = m->kind.ipv6 ? get_unaligned_be16(ip + 4) + 40 :
			      get_unaligned_be16(ip + 2);
	if (said != seg->len)
		return "the length of what is sent";
	if (!m->kind.ipv6 && fold(add(ip, thoff, 0)) != 0xffff)
		return "the IP checksum of what is sent";
	if (model_sum(ip, m->kind.ipv6, ip + thoff, TCP_LEN + len) != 0xffff)
		return "the checksum of what is sent";
	if (len > m->len - *off ||
	    memcmp(ip + thoff + TCP_LEN, m->bytes + m->payload + *off, len))
		return "the payload of what is sent";
	*off += len;
	return NULL;
}

/* With an Ethernet header: that there is one is taken for granted where a jumbo header is taken off. */
static struct sk_buff *make_segments(struct sk_buff *skb)
{
	struct sk_buff *segs;

	memset(skb_push(skb, ETH_HLEN), 0, ETH_HLEN);
	skb_reset_mac_header(skb);
	if (skb_is_gso(skb)) {
		segs = skb_gso_segment(skb, 0);
		kfree_skb(skb);
		return segs;
	}
	if (!skb_checksum_help(skb))
		return skb;
	kfree_skb(skb);
	return NULL;
}

const char *model_sent_fault(const struct model *m)
{
	const char *fault = NULL;
	struct sk_buff *skb, *next;
	u32 off = 0;

	if (m->summed != CHECKSUM_PARTIAL)
		return NULL;
	skb = skb_copy(m->pkt.skb, GFP_KERNEL);
	if (!skb)
		return "memory";
	skb = make_segments(skb);
	if (IS_ERR_OR_NULL(skb))
		return "that it can be sent";
	for (; skb; skb = next) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		fault = fault ?: segment_fault(m, skb, &off);
		kfree_skb(skb);
	}
	if (!fault && off != m->len)
		fault = "how much is sent";
	return fault;
}
