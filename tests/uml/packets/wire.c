// SPDX-License-Identifier: GPL-2.0-only
/* Segments on the lines to client and server: made, sent, read. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packets.h"

#define OPTIONS_MAX	40u
#define TTL		64
#define NET_HEAD	sizeof(struct virtio_net_hdr)

/* As t_fuzz_packets.py gives them. A client's last byte says which one it is. */
static const u8 address4[2][4] = { { 10, 3, 1, 2 }, { 10, 3, 2, 2 } };
static const u8 address6[2][16] = { { 0xfd, 3, 0, 1, [15] = 2 }, { 0xfd, 3, 0, 2, [15] = 2 } };
static int lines[2], conntrack;

/*
 * Options that a segment may have besides those that are due. Some are malformed.
 */
struct option_text {
	u8 n;
	const char *bytes;
};

#define OPTION(text)	{ sizeof(text) - 1, text }

static const struct option_text options[] = {
	OPTION(""),
	OPTION("\1\1\1\1"),					/* NOPs */
	OPTION("\0\0\0\0"),					/* the end */
	OPTION("\1\1\5\12\0\0\0\1\0\0\0\2"),			/* SACK */
	OPTION("\4\2\1\1"),					/* SACK permitted */
	OPTION("\36\14\0\1\1\2\3\4\5\6\7\10"),			/* MPTCP: capable */
	OPTION("\36\14\20\1\0\0\0\1\0\0\0\2"),			/* MPTCP: joins */
	OPTION("\36\0\1\1"),					/* MPTCP, of length 0 */
	OPTION("\1\1\23\22" "0123456789abcdef"),		/* MD5 */
	OPTION("\42\4\1\2"),					/* fast open */
	OPTION("\1\1\10\12\0\0\0\1\0\0\0\1"),			/* a timestamp of long ago */
	OPTION("\10\50\1\1"),					/* a timestamp that is too long */
	OPTION("\3\3\16\1"),					/* window scale */
	OPTION("\2\4\0\1"),					/* a segment size of 1 */
	OPTION("\377\1\377\377"),				/* a length of 1 */
	OPTION("\36\377\0\0"),					/* beyond the header */
};

u32 wire_options(void)
{
	return ARRAY_LEN(options);
}

static int open_line(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), size = NET_HEAD;

	strcpy(r.ifr_name, name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) || ioctl(fd, TUNSETVNETHDRSZ, &size) ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6))
		return -1;
	return fd;
}

static bool enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 || setns(fd, CLONE_NEWNET);

	if (fd >= 0)
		close(fd);
	return !err;
}

bool wire_open(void)
{
	if (!enter("/run/netns/router"))
		return false;
	lines[CLIENT] = open_line("fc");
	lines[SERVER] = open_line("fs");
	conntrack = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_NETFILTER);
	return lines[CLIENT] >= 0 && lines[SERVER] >= 0 && conntrack >= 0;
}

static u32 sum_of(const u8 *p, u32 len, u32 sum)
{
	u32 i;

	for (i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += p[len - 1] << 8;
	return sum;
}

static u16 fold(u32 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void put16(u8 *p, u16 v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put32(u8 *p, u32 v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static u16 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static u32 get32(const u8 *p)
{
	return (u32)get16(p) << 16 | get16(p + 2);
}

static void put_address(bool v6, u8 side, u8 host, u8 *p)
{
	memcpy(p, v6 ? address6[side] : address4[side], v6 ? 16 : 4);
	if (side == CLIENT)
		p[v6 ? 15 : 3] += host;
}

/* Of the pseudo header; not complemented. */
static u16 pseudo_sum(bool v6, const u8 *addresses, u32 len)
{
	return fold(sum_of(addresses, v6 ? 32 : 8, IPPROTO_TCP + fold(len)));
}

static u32 put_options(const struct packet *p, u8 *to)
{
	const struct option_text *odd = &options[p->option];
	u32 n = 0;

	if (p->opening) {
		memcpy(to, "\2\4\5\170", 4);
		n = 4;
	}
	if (p->opening && p->scaled) {
		memcpy(to + n, (u8[]){ 1, 3, 3, SCALE }, 4);
		n += 4;
	}
	if (p->stamped && !(p->odd & ODD_NO_TS)) {
		memcpy(to + n, "\1\1\10\12", 4);
		put32(to + n + 4, p->ts - (p->odd & ODD_OLD_TS ? 100000 : 0));
		put32(to + n + 8, p->ts_echo);
		n += 12;
	}
	if (n + odd->n <= OPTIONS_MAX) {
		memcpy(to + n, odd->bytes, odd->n);
		n += odd->n;
	}
	return n;
}

/* Header and payload, with the sum of the pseudo header instead of one. Returns the length. */
static u32 put_tcp(const struct packet *p, u8 *tcp, u16 pseudo_of(const struct packet *p, u32 len))
{
	u32 n;

	memset(tcp, 0, 20);
	n = 20 + put_options(p, tcp + 20);
	put16(tcp, p->dir == CLIENT ? p->port : PORT_SMTP);
	put16(tcp + 2, p->dir == CLIENT ? PORT_SMTP : p->port);
	put32(tcp + 4, p->seq);
	put32(tcp + 8, p->ack);
	tcp[12] = n / 4 << 4;
	tcp[13] = p->flags;
	put16(tcp + 14, p->window);
	if (p->flags & TCP_URG)
		put16(tcp + 18, 1);
	memcpy(tcp + n, p->data, p->len);
	put16(tcp + 16, pseudo_of(p, n + p->len));
	return n + p->len;
}

static u16 pseudo_of(const struct packet *p, u32 len)
{
	u8 addresses[32];

	put_address(p->v6, p->dir, p->host, addresses);
	put_address(p->v6, !p->dir, p->host, addresses + (p->v6 ? 16 : 4));
	return pseudo_sum(p->v6, addresses, len);
}

/* frag: as it stands in an IPv4 header. Returns the length. */
static u32 put_ip(const struct packet *p, u8 *ip, u32 len, u16 frag, u8 proto)
{
	if (p->v6) {
		put32(ip, 6u << 28 | p->tag);
		put16(ip + 4, len);
		ip[6] = proto;
		ip[7] = TTL;
		put_address(true, p->dir, p->host, ip + 8);
		put_address(true, !p->dir, p->host, ip + 24);
		return 40;
	}
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + len);
	put16(ip + 4, p->tag);
	put16(ip + 6, frag);
	ip[8] = TTL;
	ip[9] = proto;
	put_address(false, p->dir, p->host, ip + 12);
	put_address(false, !p->dir, p->host, ip + 16);
	put16(ip + 10, ~fold(sum_of(ip, 20, 0)));
	return 20;
}

static void send_raw(const struct packet *p, const u8 *raw, u32 len)
{
	u8 line = p->odd & ODD_BACK ? !p->dir : p->dir;

	/* What the kernel refuses it refuses; that nothing arrives at all the tests would see. */
	if (write(lines[line], raw, len) < 0)
		return;
}

/* In two fragments. */
static void send_pieces(const struct packet *p, const u8 *tcp, u32 len)
{
	static u8 raw[NET_HEAD + 48 + STREAM_MAX + 64];
	u32 cut = len / 16 * 8, i, off, n, head;
	u8 *ip = raw + NET_HEAD;

	memset(raw, 0, NET_HEAD);
	for (i = 0; i < 2; i++) {
		off = i ? cut : 0;
		n = i ? len - cut : cut;
		head = put_ip(p, ip, n + (p->v6 ? 8 : 0), off / 8 | (i ? 0 : 0x2000), p->v6 ? 44 : IPPROTO_TCP);
		if (p->v6) {
			memset(ip + head, 0, 8);
			ip[head] = IPPROTO_TCP;
			put16(ip + head + 2, off | !i);
			put32(ip + head + 4, p->tag);
			head += 8;
		}
		memcpy(ip + head, tcp + off, n);
		send_raw(p, raw, NET_HEAD + head + n);
	}
}

static void put_net_head(const struct packet *p, u8 *raw, u32 ip_len, u32 tcp_head)
{
	struct virtio_net_hdr h = { 0 };

	if (p->gso || p->odd & ODD_PARTIAL) {
		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = ip_len;
		h.csum_offset = 16;
	}
	if (p->gso) {
		h.gso_type = p->v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		h.gso_size = p->gso;
		h.hdr_len = ip_len + tcp_head;
	}
	memcpy(raw, &h, sizeof(h));
}

void wire_send(const struct packet *p)
{
	static u8 raw[NET_HEAD + 40 + 60 + STREAM_MAX], *ip = raw + NET_HEAD, tcp[60 + STREAM_MAX];
	u32 len = put_tcp(p, tcp, pseudo_of), head;
	/* Nobody sends fragments whose sum is still to be made, nor a wrong one that is. */
	bool partial = (p->gso || p->odd & ODD_PARTIAL) && !(p->odd & ODD_PIECES);

	if (!partial)
		put16(tcp + 16, ~fold(sum_of(tcp, len, 0)));
	if (!partial && p->odd & ODD_SUM)
		tcp[17] ^= 0x55;
	if (p->odd & ODD_PIECES && len >= 16) {
		send_pieces(p, tcp, len);
		return;
	}
	head = put_ip(p, ip, len, 0x4000, IPPROTO_TCP);
	put_net_head(p, raw, head, (tcp[12] >> 4) * 4);
	memcpy(ip + head, tcp, len);
	send_raw(p, raw, NET_HEAD + head + len);
}

/*
 * What leaves.
 */
/* partial: it has the sum of the pseudo header so far. */
static bool sum_ok(bool partial, bool v6, const u8 *addresses, const u8 *tcp, u32 len)
{
	u16 pseudo = pseudo_sum(v6, addresses, len);

	return partial ? get16(tcp + 16) == pseudo : fold(sum_of(tcp, len, pseudo)) == 0xffff;
}

static const char *check_gso(const struct virtio_net_hdr *h, bool v6, u32 len)
{
	if (!h->gso_type)
		return NULL;
	if ((h->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) != (v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4))
		return "a packet of segments is of another kind";
	return h->gso_size && len > h->gso_size ? NULL : "a packet of segments has but one";
}

static void parse_tcp(struct packet *p, const u8 *tcp, u32 len)
{
	u32 head = (tcp[12] >> 4) * 4;

	p->port = get16(p->dir == CLIENT ? tcp : tcp + 2);
	p->seq = get32(tcp + 4);
	p->ack = get32(tcp + 8);
	p->flags = tcp[13];
	p->window = get16(tcp + 14);
	p->data = tcp + head;
	p->len = len - head;
}

/* Returns where the TCP header is, or 0: this is none, or a fragment. */
static u32 parse_ip(struct packet *p, const u8 *ip, u32 len, const char **why)
{
	u32 total;

	if (len < 20 || (ip[0] >> 4 != 4 && ip[0] >> 4 != 6))
		return 0;
	p->v6 = ip[0] >> 4 == 6;
	if (p->v6 ? ip[6] != IPPROTO_TCP : ip[9] != IPPROTO_TCP || get16(ip + 6) & 0x3fff)
		return 0;
	total = p->v6 ? 40 + get16(ip + 4) : get16(ip + 2);
	if (total != len)
		*why = "the length in the IP header is wrong";
	else if (!p->v6 && (ip[0] != 0x45 || fold(sum_of(ip, 20, 0)) != 0xffff))
		*why = "the IP header is wrong";
	p->tag = p->v6 ? get16(ip + 2) : get16(ip + 4);
	return p->v6 ? 40 : 20;
}

int wire_read(u8 dir, struct packet *p, const char **why)
{
	static u8 raw[NET_HEAD + 60 + 65536];
	ssize_t n = read(lines[dir], raw, sizeof(raw));
	struct virtio_net_hdr h;
	u8 *ip = raw + NET_HEAD;
	u32 head, len;

	*why = NULL;
	if (n < (ssize_t)NET_HEAD)
		return -1;
	memset(p, 0, sizeof(*p));
	p->dir = !dir;
	memcpy(&h, raw, sizeof(h));
	head = parse_ip(p, ip, n - NET_HEAD, why);
	if (!head)
		return 0;
	len = n - NET_HEAD - head;
	if (len < 20 || ip[head + 12] >> 4 < 5 || (ip[head + 12] >> 4) * 4u > len) {
		*why = "the TCP header is wrong";
		return 1;
	}
	parse_tcp(p, ip + head, len);
	p->host = (p->v6 ? ip[dir == CLIENT ? 39 : 23] : ip[dir == CLIENT ? 19 : 15]) - 2;
	p->bad_sum = !sum_ok(h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, p->v6, ip + (p->v6 ? 8 : 12), ip + head, len);
	if (!*why)
		*why = check_gso(&h, p->v6, p->len);
	return 1;
}

/*
 * ctnetlink.
 */
static struct nlattr *nest(u8 *msg, u32 *len, u16 type)
{
	struct nlattr *a = (struct nlattr *)(msg + *len);

	a->nla_type = type | NLA_F_NESTED;
	*len += NLA_HDRLEN;
	return a;
}

static void nest_end(u8 *msg, u32 len, struct nlattr *a)
{
	a->nla_len = msg + len - (u8 *)a;
}

static void attr(u8 *msg, u32 *len, u16 type, const void *data, u16 n)
{
	struct nlattr *a = (struct nlattr *)(msg + *len);

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + n;
	memcpy(a + 1, data, n);
	*len += NLA_ALIGN(a->nla_len);
}

static void put_tuple(u8 *msg, u32 *len, bool v6, u8 host, u16 port)
{
	struct nlattr *tuple = nest(msg, len, CTA_TUPLE_ORIG), *part;
	u8 address[16], ports[2][2], proto = IPPROTO_TCP;
	u32 n = v6 ? 16 : 4;

	part = nest(msg, len, CTA_TUPLE_IP);
	put_address(v6, CLIENT, host, address);
	attr(msg, len, v6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC, address, n);
	put_address(v6, SERVER, host, address);
	attr(msg, len, v6 ? CTA_IP_V6_DST : CTA_IP_V4_DST, address, n);
	nest_end(msg, *len, part);
	part = nest(msg, len, CTA_TUPLE_PROTO);
	put16(ports[0], port);
	put16(ports[1], PORT_SMTP);
	attr(msg, len, CTA_PROTO_NUM, &proto, 1);
	attr(msg, len, CTA_PROTO_SRC_PORT, ports[0], 2);
	attr(msg, len, CTA_PROTO_DST_PORT, ports[1], 2);
	nest_end(msg, *len, part);
	nest_end(msg, *len, tuple);
}

void wire_forget(bool v6, u8 host, u16 port)
{
	u8 msg[256] __attribute__((aligned(8))) = { 0 };
	struct nlmsghdr *h = (struct nlmsghdr *)msg;
	struct nfgenmsg *g = (struct nfgenmsg *)(h + 1);
	u32 len = NLMSG_LENGTH(sizeof(*g));

	g->nfgen_family = v6 ? AF_INET6 : AF_INET;
	put_tuple(msg, &len, v6, host, port);
	*h = (struct nlmsghdr){
		.nlmsg_len = len, .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE, .nlmsg_flags = NLM_F_REQUEST };
	/* That there was none is an answer, too. */
	if (send(conntrack, msg, len, 0) < 0 || recv(conntrack, msg, sizeof(msg), 0) < 0)
		return;
}
