// SPDX-License-Identifier: GPL-2.0-only
/* Segments by hand on the client's line: made, sent, received. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/ethernet.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "evade.h"
#include "net.h"

#define TTL_USUAL	64
#define TTL_SHORT	8		/* the server wants TTL_WANTED */

static int fds[2];
static struct sockaddr_ll router[2];
static u8 local[2][16], remote[2][16];

/* Everything opened until the next call belongs to this namespace. */
bool enter(const char *name)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	err = setns(fd, CLONE_NEWNET);
	close(fd);
	return !err;
}

static bool hardware(const char *dev, u8 *mac)
{
	struct ifreq r = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	strncpy(r.ifr_name, dev, sizeof(r.ifr_name) - 1);
	err = ioctl(fd, SIOCGIFHWADDR, &r);
	memcpy(mac, r.ifr_hwaddr.sa_data, 6);
	close(fd);
	return !err;
}

static bool open_one(bool v6, const u8 *mac)
{
	int size = 16 << 20;
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_ll *to = &router[v6];

	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	to->sll_family = AF_PACKET;
	to->sll_protocol = htons(v6 ? ETH_P_IPV6 : ETH_P_IP);
	to->sll_ifindex = if_nametoindex("c0");
	if (bind(fd, (struct sockaddr *)to, sizeof(*to)))
		return false;
	to->sll_halen = 6;
	memcpy(to->sll_addr, mac, 6);
	fds[v6] = fd;
	return true;
}

bool wire_open(void)
{
	u8 mac[6];

	inet_pton(AF_INET, CLIENT4, local[0]);
	inet_pton(AF_INET6, CLIENT6, local[1]);
	inet_pton(AF_INET, SERVER4, remote[0]);
	inet_pton(AF_INET6, SERVER6, remote[1]);
	return enter("router") && hardware("rc", mac) && enter("client") && open_one(false, mac) && open_one(true, mac);
}

int wire_fd(bool v6)
{
	return fds[v6];
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
	return ~sum;
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

static u32 get16(const u8 *p)
{
	return p[0] << 8 | p[1];
}

static u32 get32(const u8 *p)
{
	return get16(p) << 16 | get16(p + 2);
}

/* A timestamp, in four times three bytes with two that mean nothing. */
static u32 put_timestamp(const struct conn *c, u8 *p, u32 marks)
{
	u32 value = c->ts_base + (u32)now_ms();

	if (marks & MARK_OLD_TS)
		value -= 100000;
	memcpy(p, "\1\1\10\12", 4);
	put32(p + 4, value);
	put32(p + 8, c->ts_recent);
	return 12;
}

static u32 put_options(const struct conn *c, u8 *p, bool opening, u32 marks)
{
	u32 n = 0;

	if (opening) {
		memcpy(p, "\2\4\5\170", 4);
		n = 4;
		if (c->s->scale) {
			memcpy(p + n, "\1\3\3\2", 4);
			n += 4;
		}
	}
	if (opening ? c->s->timestamps : c->peer_ts && !(marks & MARK_NO_TS))
		n += put_timestamp(c, p + n, marks);
	if (marks & MARK_MD5) {
		memset(p + n, 0x5a, 20);
		memcpy(p + n, "\1\1\23\22", 4);
		n += 20;
	}
	return n;
}

static u32 put_ip(bool v6, u8 *p, u32 len, u8 ttl)
{
	if (v6) {
		put32(p, 6u << 28);
		put16(p + 4, len);
		p[6] = IPPROTO_TCP;
		p[7] = ttl;
		memcpy(p + 8, local[1], 16);
		memcpy(p + 24, remote[1], 16);
		return 40;
	}
	memset(p, 0, 20);
	p[0] = 0x45;
	put16(p + 2, 20 + len);
	p[6] = 0x40;
	p[8] = ttl;
	p[9] = IPPROTO_TCP;
	memcpy(p + 12, local[0], 4);
	memcpy(p + 16, remote[0], 4);
	put16(p + 10, fold(sum_of(p, 20, 0)));
	return 20;
}

static u16 tcp_sum(bool v6, const u8 *tcp, u32 len)
{
	u32 n = v6 ? 16 : 4;
	u32 sum = sum_of(local[v6], n, 0);

	sum = sum_of(remote[v6], n, sum) + IPPROTO_TCP + len;
	return fold(sum_of(tcp, len, sum));
}

static u32 window_of(const struct conn *c, u32 flags, u32 marks)
{
	if (marks & MARK_WIN0)
		return 0;
	return c->s->scale && c->peer_scale && !(flags & TCP_SYN) ? c->s->window >> 2 : c->s->window;
}

/* An acknowledgement of what was never sent counts for nobody. */
static void note_ack(struct conn *c, u32 flags, const struct step *odd)
{
	u32 off = c->rcv + odd->ack;

	if (flags & TCP_ACK && off <= c->srv.n_out && off > c->acked)
		c->acked = off;
}

/* @seq: of the first byte. @odd: what the schedule wants to be odd about it, or NULL. */
void wire_send(struct conn *c, u32 seq, u32 flags, const u8 *data, u32 len, const struct step *odd)
{
	static const struct step none;
	u8 packet[2048], tcp[1600] = { 0 };
	bool v6 = c->s->v6, opening = (flags & TCP_SYN) && !c->open;
	u32 marks, n, head, ack;

	odd = odd ? odd : &none;
	marks = odd->marks;
	n = 20 + put_options(c, tcp + 20, opening, marks);
	note_ack(c, flags, odd);
	put16(tcp, c->port);
	put16(tcp + 2, c->s->slow ? PORT_SLOW : PORT_FAST);
	put32(tcp + 4, seq + odd->shift);
	ack = c->rcv_isn + 1 + c->rcv + c->fin_seen + odd->ack;
	put32(tcp + 8, flags & TCP_ACK ? ack : 0);
	tcp[12] = n / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, window_of(c, flags, marks));
	put16(tcp + 18, flags & TCP_URG ? (len ? len : 1) : 0);
	if (len)
		memcpy(tcp + n, data, len);
	put16(tcp + 16, tcp_sum(v6, tcp, n + len) ^ (marks & MARK_SUM ? 0x0100 : 0));
	head = put_ip(v6, packet, n + len, marks & MARK_TTL ? TTL_SHORT : TTL_USUAL);
	memcpy(packet + head, tcp, n + len);
	if (sendto(fds[v6], packet, head + n + len, 0, (struct sockaddr *)&router[v6], sizeof(router[v6])) < 0)
		snprintf(c->odd, sizeof(c->odd), "a segment could not be sent: %m");
	totals.segments++;
}

void wire_ack(struct conn *c)
{
	wire_send(c, c->s->isn + 1 + client_at(c), TCP_ACK, NULL, 0, NULL);
	c->ack_at = 0;
}

/* What the options say; the rest of them does not matter here. */
static void read_options(struct conn *c, const u8 *p, u32 len, bool opening)
{
	u32 i = 0, n;

	while (i < len && p[i]) {
		if (p[i] == 1) {
			i++;
			continue;
		}
		n = i + 1 < len ? p[i + 1] : 0;
		if (n < 2 || i + n > len)
			return;
		if (p[i] == 8 && n == 10) {
			c->ts_recent = get32(p + i + 2);
			c->peer_ts |= opening;
		} else if (p[i] == 3 && n == 3 && opening) {
			c->peer_scale = true;
			c->snd_scale = p[i + 2];
		}
		i += n;
	}
}

static void read_segment(bool v6, const u8 *p, u32 len)
{
	u32 head = v6 ? 40 : (p[0] & 15) * 4u, off, window, total;
	struct conn *c;
	const u8 *tcp = p + head;

	if (len < head + 20 || (v6 ? p[6] : p[9]) != IPPROTO_TCP)
		return;
	total = v6 ? 40 + get16(p + 4) : get16(p + 2);
	off = (tcp[12] >> 4) * 4;
	if (total > len || total < head + off || memcmp(p + (v6 ? 24 : 16), local[v6], v6 ? 16 : 4))
		return;
	c = conn_of(get16(tcp + 2));
	if (!c || c->s->v6 != v6 || get16(tcp) != (c->s->slow ? PORT_SLOW : PORT_FAST))
		return;
	read_options(c, tcp + 20, off - 20, tcp[13] & TCP_SYN);
	window = get16(tcp + 14) << (tcp[13] & TCP_SYN ? 0 : c->snd_scale);
	client_segment(c, tcp[13], get32(tcp + 4), get32(tcp + 8), window, tcp + off, total - head - off);
}

void wire_receive(bool v6)
{
	static u8 packet[1 << 17];
	ssize_t n;

	while ((n = recv(fds[v6], packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		if (n >= 20)
			read_segment(v6, packet, n);
}
