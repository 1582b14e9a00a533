/* SPDX-License-Identifier: GPL-2.0-only */
/* The network of lib.sh and lab.py. */
#ifndef EVADE_NET_H
#define EVADE_NET_H

#include <stdbool.h>

#define CLIENT4	"10.0.1.77"
#define CLIENT6	"fd00:1::77"
#define SERVER4	"10.0.2.2"
#define SERVER6	"fd00:2::2"

#define TTL_WANTED	32		/* less is not taken by the server: IP_MINTTL */

#define TCP_FIN	1
#define TCP_SYN	2
#define TCP_RST	4
#define TCP_PSH	8
#define TCP_ACK	16
#define TCP_URG	32

bool enter(const char *name);

#endif
