// SPDX-License-Identifier: GPL-2.0-only
/* A small SMTP server on kernel sockets. It keeps every byte that it reads, and how it took it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "evade.h"
#include "net.h"

static int listeners[4], poller;

static int listen_on(bool v6, u16 port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int on = 1, ttl = TTL_WANTED, size = 2048, fd;

	fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (port == PORT_SLOW)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (v6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
		if (setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &ttl, sizeof(ttl)) ||
		    bind(fd, (struct sockaddr *)&six, sizeof(six)))
			return -1;
	} else if (setsockopt(fd, IPPROTO_IP, IP_MINTTL, &ttl, sizeof(ttl)) ||
		   bind(fd, (struct sockaddr *)&four, sizeof(four))) {
		return -1;
	}
	return listen(fd, 1024) ? -1 : fd;
}

bool server_open(int epoll)
{
	struct epoll_event ev = { .events = EPOLLIN };
	u32 i;

	poller = epoll;
	if (!enter("server"))
		return false;
	for (i = 0; i < 4; i++) {
		listeners[i] = listen_on(i & 1, i & 2 ? PORT_SLOW : PORT_FAST);
		ev.data.u64 = listeners[i];
		if (listeners[i] < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listeners[i], &ev))
			return false;
	}
	return true;
}

bool server_is_listener(int fd)
{
	u32 i;

	for (i = 0; i < 4; i++)
		if (listeners[i] == fd)
			return true;
	return false;
}

/*
 * Answers.
 */
static void answer(struct server *v, const char *text, u8 maskable)
{
	u32 n = strlen(text);

	if (v->n_out + n > OUT_MAX)
		return;
	memcpy(v->out + v->n_out, text, n);
	memset(v->maskable + v->n_out, maskable, n);
	v->n_out += n;
}

/* A keyword of the EHLO reply. */
static void offer(struct server *v, const char *keyword, u8 maskable, bool last)
{
	answer(v, last ? "250 " : "250-", 0);
	answer(v, keyword, maskable);
	answer(v, "\r\n", 0);
}

static void greet(struct server *v)
{
	answer(v, "220 ", 0);
	answer(v, "mx.s.test ESMTP 2002 ready", 1);
	answer(v, "\r\n", 0);
}

static void offer_all(struct server *v)
{
	answer(v, "250-mx.s.test\r\n", 0);
	offer(v, "PIPELINING", 0, false);
	offer(v, "STARTTLS", 2, false);
	offer(v, "SIZE 1000000", 0, false);
	offer(v, "XEXCH50", 2, false);
	offer(v, "AUTH LOGIN PLAIN", 0, false);
	offer(v, "X-EXPS NTLM", 2, false);
	offer(v, "CHUNKING", 2, false);
	offer(v, "8BITMIME", 0, true);
}

static void begin_chunk(struct conn *c, const u8 *p, u32 n)
{
	struct server *v = &c->srv;
	u32 i = 4, size = 0, digits = 0;

	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '9' && size < 1000000; i++, digits++)
		size = size * 10 + p[i] - '0';
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	if (n - i >= 4 && !strncasecmp((const char *)p + i, "LAST", 4))
		i += 4;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	if (!digits || i != n) {
		answer(v, "501 what\r\n", 0);
		return;
	}
	v->left = size;
	if (size)
		v->phase = PHASE_CHUNK;
	else
		answer(v, "250 ok\r\n", 0);
}

static void begin_auth(struct server *v, const u8 *p, u32 n)
{
	if (n == 10 && !strncasecmp((const char *)p, "AUTH LOGIN", n)) {
		v->phase = PHASE_AUTH;
		v->left = 2;
		answer(v, "334 VXNlcm5hbWU6\r\n", 0);
	} else {
		answer(v, "235 ok\r\n", 0);
	}
}

static bool is_verb(const u8 *p, u32 n, const char *verb)
{
	u32 i = 0;

	while (i < n && p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
		i++;
	return i == strlen(verb) && !strncasecmp((const char *)p, verb, i);
}

/* @n: without its end. */
static void command(struct conn *c, const u8 *p, u32 n)
{
	static const char *const fine[] = { "HELO", "MAIL", "RCPT", "NOOP", "RSET", "VRFY", "HELP", "ETRN", "SEND", "SOML", "SAML" };
	struct server *v = &c->srv;
	u32 i;

	if (is_verb(p, n, "EHLO")) {
		offer_all(v);
	} else if (is_verb(p, n, "DATA")) {
		v->phase = PHASE_CONTENT;
		v->state = 2;
		answer(v, "354 go\r\n", 0);
	} else if (is_verb(p, n, "BDAT")) {
		begin_chunk(c, p, n);
	} else if (is_verb(p, n, "AUTH")) {
		begin_auth(v, p, n);
	} else if (is_verb(p, n, "QUIT")) {
		answer(v, "221 bye\r\n", 0);
	} else {
		for (i = 0; i < ARRAY_LEN(fine); i++)
			if (is_verb(p, n, fine[i])) {
				answer(v, "250 ok\r\n", 0);
				return;
			}
		answer(v, "500 what\r\n", 0);
	}
}

/* How many of CR LF . CR LF stand there, with this byte. */
static u32 end_state(u32 state, u8 b)
{
	static const char end[] = "\r\n.\r\n";

	if (b == (u8)end[state])
		return state + 1;
	return b == '\r' ? 1 : 0;
}

static void line_done(struct conn *c, u32 off)
{
	struct server *v = &c->srv;
	u32 n = off - v->line;

	if (n && v->read[off - 1] == '\r')
		n--;
	if (v->phase == PHASE_COMMAND) {
		command(c, v->read + v->line, n);
	} else if (--v->left) {
		answer(v, "334 UGFzc3dvcmQ6\r\n", 0);
	} else {
		v->phase = PHASE_COMMAND;
		answer(v, "235 ok\r\n", 0);
	}
	v->line = off + 1;
}

static void take_byte(struct conn *c, u32 off)
{
	struct server *v = &c->srv;
	u8 b = v->read[off];

	v->phases[off] = v->phase;
	switch (v->phase) {
	case PHASE_CONTENT:
		v->state = end_state(v->state, b);
		if (v->state < 5)
			return;
		break;
	case PHASE_CHUNK:
		if (--v->left)
			return;
		break;
	default:
		if (b == '\n')
			line_done(c, off);
		return;
	}
	v->phase = PHASE_COMMAND;
	v->line = off + 1;
	answer(v, "250 taken\r\n", 0);
}

static void take(struct conn *c, const u8 *data, u32 n)
{
	struct server *v = &c->srv;
	u32 i;

	for (i = 0; i < n && v->n_read < TEXT_MAX; i++) {
		v->read[v->n_read] = data[i];
		take_byte(c, v->n_read++);
	}
	if (i < n)
		snprintf(c->odd, sizeof(c->odd), "the server read more than anybody sent");
}

/*
 * Sockets.
 */
static void write_out(struct conn *c)
{
	struct server *v = &c->srv;
	u32 n;
	ssize_t done;

	while (v->written < v->n_out) {
		n = v->n_out - v->written;
		if (v->written < 300 && chance(&c->prng, 40))
			n = between(&c->prng, 1, n);
		done = send(v->fd, v->out + v->written, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done <= 0) {
			if (errno != EAGAIN)
				v->reset = true;
			return;
		}
		v->written += done;
	}
}

static void shut(struct server *v)
{
	if (v->closed)
		return;
	close(v->fd);
	v->closed = true;
}

void server_ready(struct conn *c, u64 now)
{
	struct server *v = &c->srv;
	u8 data[4096];
	ssize_t n = 0;
	u32 room = c->s->slow ? between(&c->prng, 1, 400) : sizeof(data);

	if (!v->accepted || v->closed || now < v->next_read)
		return;
	n = recv(v->fd, data, room, MSG_DONTWAIT);
	if (n > 0)
		take(c, data, n);
	else if (!n)
		v->eof = true;
	else if (errno != EAGAIN)
		v->reset = true;
	if (c->s->slow)
		v->next_read = now + between(&c->prng, 1, 15);
	if (!v->reset)
		write_out(c);
	if (v->reset || (v->eof && v->written == v->n_out))
		shut(v);
}

static u16 port_of(const struct sockaddr_storage *a)
{
	if (a->ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)a)->sin6_port);
	return ntohs(((const struct sockaddr_in *)a)->sin_port);
}

static void accepted(int fd, u16 port)
{
	struct conn *c = conn_of(port);
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = (u64)port << 32 };
	int on = 1;

	if (!c || c->srv.accepted) {
		close(fd);
		return;
	}
	c->srv.fd = fd;
	c->srv.accepted = true;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!c->s->slow)
		epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev);
	greet(&c->srv);
	write_out(c);
}

void server_accept(int listener)
{
	struct sockaddr_storage from;
	socklen_t len;
	int fd;

	for (;;) {
		len = sizeof(from);
		fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		accepted(fd, port_of(&from));
	}
}

void server_free(struct conn *c)
{
	if (c->srv.accepted)
		shut(&c->srv);
	free(c->srv.read);
	free(c->srv.phases);
	free(c->srv.out);
	free(c->srv.maskable);
}
