/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef ESMTPCTL_UTIL_H
#define ESMTPCTL_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

void *mem_alloc(size_t size);
void *mem_grow(const void *old, size_t old_size, size_t new_size);
char *mem_strndup(const char *s, size_t len);
char *mem_strdup(const char *s);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void mem_release(void);

/**
 * struct mem_mark - a point in time
 * @chunk: that was in use
 * @used: bytes of it
 */
struct mem_mark {
	void *chunk;
	size_t used;
};

struct mem_mark mem_mark(void);
void mem_release_since(struct mem_mark mark);

uint64_t now_ms(void);
void sleep_ms(unsigned int ms);

#endif
