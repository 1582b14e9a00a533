/* SPDX-License-Identifier: GPL-2.0-only */
/* The few types and memory functions that the engine stands on, in every build. */
#ifndef _ESMTP_TYPES_H
#define _ESMTP_TYPES_H

#ifdef __KERNEL__
#include <linux/string.h>
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#endif

#define ESMTP_U32_MAX 0xffffffffu

#endif /* _ESMTP_TYPES_H */
