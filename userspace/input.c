// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a file of statements.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "language.h"
#include "util.h"

#define FIRST_SIZE 65536u

static bool read_all(int fd, struct input *in)
{
	size_t room = FIRST_SIZE;
	ssize_t got;

	in->text = mem_alloc(room);
	in->len = 0;
	for (;;) {
		/* One byte stays for the NUL behind the text. */
		if (in->len + 1 == room) {
			in->text = mem_grow(in->text, in->len, room * 2);
			room *= 2;
		}
		got = read(fd, in->text + in->len, room - in->len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		in->len += (size_t)got;
		if (in->len > INT_MAX / 4) {
			errno = EFBIG;
			return false;
		}
	}
	in->text[in->len] = '\0';
	return !got;
}

/**
 * input_read() - read a file
 * @path: its name, or "-" for standard input
 * @in: what was read
 *
 * Return: false with errno set if it cannot be read.
 */
bool input_read(const char *path, struct input *in)
{
	bool is_stdin = !strcmp(path, "-"), ok;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = { 0 };

	*in = (struct input){ .name = is_stdin ? "<stdin>" : path, .file = true };
	if (fd < 0)
		return false;
	ok = !fstat(fd, &st) && read_all(fd, in);
	in->dev = st.st_dev;
	in->ino = st.st_ino;
	if (!is_stdin)
		close(fd);
	return ok;
}
