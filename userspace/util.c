// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that lives as long as the command. A command reads one file or one
 * answer of the kernel, prints, and ends: everything is given back together.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util.h"

/**
 * struct chunk - memory that is given back at the end only
 * @next: the chunk before
 * @used: bytes of @data in use
 * @size: bytes of @data
 * @data: the bytes
 */
struct chunk {
	struct chunk *next;
	size_t used;
	size_t size;
	max_align_t data[];
};

#define CHUNK_SIZE 65536u

static struct chunk *chunks;

static struct chunk *chunk_new(size_t size)
{
	struct chunk *c;

	if (size < CHUNK_SIZE)
		size = CHUNK_SIZE;
	c = malloc(sizeof(*c) + size);
	if (!c) {
		fputs("esmtpctl: out of memory\n", stderr);
		exit(1);
	}
	c->used = 0;
	c->size = size;
	c->next = chunks;
	chunks = c;
	return c;
}

/**
 * mem_alloc() - zeroed memory that lives until mem_release()
 * @size: bytes
 *
 * Return: the memory, never NULL: the command ends when there is none.
 */
void *mem_alloc(size_t size)
{
	const size_t align = _Alignof(max_align_t);
	struct chunk *c = chunks;
	void *p;

	size = (size + align - 1) / align * align;
	if (!c || c->size - c->used < size)
		c = chunk_new(size);
	p = (char *)c->data + c->used;
	c->used += size;
	return memset(p, 0, size);
}

/**
 * mem_grow() - a larger copy of a piece of memory
 * @old: the piece, or NULL
 * @old_size: its bytes
 * @new_size: bytes wanted; those behind @old_size are zero
 *
 * Return: the copy; @old stays valid.
 */
void *mem_grow(const void *old, size_t old_size, size_t new_size)
{
	void *p = mem_alloc(new_size);

	if (old_size)
		memcpy(p, old, old_size);
	return p;
}

/**
 * mem_strndup() - copy of the first bytes of a string
 * @s: the bytes
 * @len: how many
 *
 * Return: the copy, ended by a NUL.
 */
char *mem_strndup(const char *s, size_t len)
{
	char *p = mem_alloc(len + 1);

	if (len)
		memcpy(p, s, len);
	return p;
}

/**
 * mem_strdup() - copy of a string
 * @s: the string
 *
 * Return: the copy.
 */
char *mem_strdup(const char *s)
{
	return mem_strndup(s, strlen(s));
}

/**
 * mem_printf() - a formatted string
 * @fmt: as in printf()
 *
 * Return: the string.
 */
char *mem_printf(const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	p = mem_alloc((size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

/**
 * mem_release() - give everything back
 */
void mem_release(void)
{
	struct chunk *c;

	while ((c = chunks)) {
		chunks = c->next;
		free(c);
	}
}

/**
 * mem_mark() - remember what is in use now
 *
 * Return: the mark.
 */
struct mem_mark mem_mark(void)
{
	return (struct mem_mark){ chunks, chunks ? chunks->used : 0 };
}

/**
 * mem_release_since() - give back what was taken since a mark
 * @mark: the mark
 */
void mem_release_since(struct mem_mark mark)
{
	struct chunk *c;

	while ((c = chunks) && c != mark.chunk) {
		chunks = c->next;
		free(c);
	}
	if (chunks)
		chunks->used = mark.used;
}

/**
 * now_ms() - a clock that only runs forward
 *
 * Return: milliseconds.
 */
uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/**
 * sleep_ms() - wait
 * @ms: milliseconds
 */
void sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}
