/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoint esmtp:esmtp_inspected: the bytes that the engine has read, in the order of the
 * stream, as they pass on: edits included. What a receiver reads can be held against it.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM esmtp

#if !defined(_ESMTP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _ESMTP_TRACE_H

#include <linux/tracepoint.h>

/* Bytes of one event: as hexadecimal digits they must fit the tracer's line. */
#define ESMTP_TRACE_BYTES 512u

TRACE_EVENT(esmtp_inspected,
	TP_PROTO(u16 cport, u16 sport, bool server, u32 off, bool content,
		 const u8 *bytes, u32 len),
	TP_ARGS(cport, sport, server, off, content, bytes, len),
	TP_STRUCT__entry(
		__field(u16, cport)
		__field(u16, sport)
		__field(bool, server)
		__field(bool, content)
		__field(u32, off)
		__field(u32, len)
		__dynamic_array(u8, bytes, len)
	),
	TP_fast_assign(
		__entry->cport = cport;
		__entry->sport = sport;
		__entry->server = server;
		__entry->content = content;
		__entry->off = off;
		__entry->len = len;
		memcpy(__get_dynamic_array(bytes), bytes, len);
	),
	TP_printk("cport=%u sport=%u dir=%s off=%u content=%d data=%s",
		  __entry->cport, __entry->sport,
		  __entry->server ? "server" : "client", __entry->off,
		  __entry->content,
		  __print_hex_str(__get_dynamic_array(bytes), __entry->len))
);

#endif /* _ESMTP_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
