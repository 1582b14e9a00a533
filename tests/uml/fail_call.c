// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into a program: one allocation of the kernel fails in one of the program's netlink calls.
 *
 *   FAIL_CALL=K FAIL_NTH=N FAIL_SAID=FILE LD_PRELOAD=fail_call.so PROGRAM...
 *
 * Calls that send and receive are counted from 1. In the Kth the Nth allocation fails. FILE then has how many more there would have
 * had to be: 0 where one has failed. With K = 0 it has how many calls there were.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATH "/proc/thread-self/fail-nth"

static int number(const char *name)
{
	const char *value = getenv(name);

	return value ? atoi(value) : 0;
}

/* The program's own errno is that of its call. */
static void say(const char *text, size_t len)
{
	int saved = errno, fd = open(getenv("FAIL_SAID"), O_WRONLY | O_CREAT, 0600);

	if (fd < 0 || write(fd, text, len) < 0)
		abort();
	close(fd);
	errno = saved;
}

static int calls;

__attribute__((destructor)) static void say_calls(void)
{
	char text[16];

	if (!number("FAIL_CALL"))
		say(text, snprintf(text, sizeof(text), "%d", calls));
}

/* The file that arms this call, or -1. */
static int arm(void)
{
	char text[16];
	int fd, len;

	if (++calls != number("FAIL_CALL"))
		return -1;
	fd = open(PATH, O_RDWR);
	len = snprintf(text, sizeof(text), "%d", number("FAIL_NTH"));
	if (fd < 0 || write(fd, text, len) != len)
		abort();
	return fd;
}

static void disarm(int fd)
{
	int saved = errno;
	char text[16];
	ssize_t len;

	if (fd < 0)
		return;
	len = pread(fd, text, sizeof(text), 0);
	if (len < 0 || pwrite(fd, "0", 1, 0) != 1)
		abort();
	close(fd);
	say(text, len);
	errno = saved;
}

static long call(long nr, int sock, const void *p, size_t len, int flags, const void *addr, void *addrlen)
{
	int fd = arm();
	long got = syscall(nr, sock, p, len, flags, addr, addrlen);

	disarm(fd);
	return got;
}

ssize_t sendto(int sock, const void *buf, size_t len, int flags, const struct sockaddr *addr, socklen_t addrlen)
{
	return call(SYS_sendto, sock, buf, len, flags, addr, (void *)(long)addrlen);
}

ssize_t sendmsg(int sock, const struct msghdr *msg, int flags)
{
	return call(SYS_sendmsg, sock, msg, flags, 0, NULL, NULL);
}

ssize_t recvmsg(int sock, struct msghdr *msg, int flags)
{
	return call(SYS_recvmsg, sock, msg, flags, 0, NULL, NULL);
}
