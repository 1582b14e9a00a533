// SPDX-License-Identifier: GPL-2.0-only
/* What the module says it has inspected: lines of its tracepoint, put together for each connection. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "evade.h"

#define TRACEFS	"/sys/kernel/tracing/"
#define EVENT	"esmtp_inspected: "

static int pipe_fd = -1;
static char buffer[1 << 17];
static u32 filled;

static bool put(const char *name, const char *value)
{
	char path[128];
	int fd;
	bool ok;

	snprintf(path, sizeof(path), TRACEFS "%s", name);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ok = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	if (!ok)
		fprintf(stderr, "evade: %s: %m\n", path);
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Events of two processors come in their order only by a clock that both share. */
bool trace_open(void)
{
	if (!put("tracing_on", "0") || !put("buffer_size_kb", "24576") || !put("trace_clock", "global") ||
	    !put("trace", "") || !put("events/esmtp/esmtp_inspected/enable", "1") || !put("tracing_on", "1"))
		return false;
	pipe_fd = open(TRACEFS "trace_pipe", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return pipe_fd >= 0;
}

static u32 field(const char *line, const char *name, bool *ok)
{
	const char *p = strstr(line, name);

	if (!p) {
		*ok = false;
		return 0;
	}
	return strtoul(p + strlen(name), NULL, 10);
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void place(struct conn *c, struct bytes *b, u32 off, const char *hex)
{
	for (; digit(hex[0]) >= 0 && digit(hex[1]) >= 0; hex += 2, off++) {
		if (off >= b->size) {
			snprintf(c->odd, sizeof(c->odd), "traced at %u, where nobody sent anything", off);
			return;
		}
		c->twice += b->seen[off];
		b->data[off] = digit(hex[0]) << 4 | digit(hex[1]);
		b->seen[off] = 1;
		if (off + 1 > b->end)
			b->end = off + 1;
	}
}

/* One line of the pipe. False if events were lost. */
static bool take_line(char *line)
{
	char *p = strstr(line, EVENT), *data;
	bool ok = true, client;
	u32 port, off;
	struct conn *c;

	if (!p)
		return !strstr(line, "LOST");
	totals.events++;
	client = strstr(p, "dir=client");
	port = field(p, "cport=", &ok);
	off = field(p, " off=", &ok);
	data = strstr(p, " data=");
	if (!ok || !data)
		return false;
	c = conn_of(port);
	if (c)
		place(c, &c->traced[!client], off, data + 6);
	return true;
}

static bool take_lines(void)
{
	char *p = buffer, *lf;
	bool ok = true;

	while ((lf = memchr(p, '\n', buffer + filled - p))) {
		*lf = 0;
		ok &= take_line(p);
		p = lf + 1;
	}
	filled -= p - buffer;
	memmove(buffer, p, filled);
	return ok && filled < sizeof(buffer);
}

/* Reads what there is. False if anything of it was lost or is not understood. */
bool trace_drain(void)
{
	ssize_t n;

	if (pipe_fd < 0)
		return true;
	while ((n = read(pipe_fd, buffer + filled, sizeof(buffer) - filled)) > 0) {
		filled += n;
		if (!take_lines())
			return false;
	}
	return n < 0 && errno == EAGAIN;
}
