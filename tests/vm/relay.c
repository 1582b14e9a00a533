// SPDX-License-Identifier: GPL-2.0-only
/*
 * A line that delays, loses and reorders, the same way every time.
 *
 *	relay SEED LOSS REORDER DELAY EXTRA A:B...
 *
 * Every frame that comes in by interface A leaves by B after DELAY microseconds, and the other way round.
 * LOSS and REORDER are millionths: of the TCP segments, so many are lost, so many are delayed by EXTRA
 * microseconds more. The pairs need no addresses; offloads must be off, a frame is what a wire would carry.
 *
 * netem decides by its own random numbers, packet by packet, so what one more packet does to everything behind it
 * cannot be told from what the packet itself does. Here the bytes decide. Each 1448 bytes of a direction's stream have
 * a point somewhere in them; a segment that covers the point meets the fate that a hash gives to (seed, pair,
 * direction, point, how often it was covered before), however the stream is cut into segments and whenever they are sent. For
 * a pure acknowledgement its number stands for the point.
 *
 * Prints "ready", and when a signal ends it one line for each pair and direction.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>

#define MAX_PAIRS	4
#define MAX_FRAME	2048
#define MAX_QUEUE	16384
#define BLOCK		1448u
#define BLOCKS		65536u

/* One direction of a pair: from one interface to the other. */
struct way {
	int in, out;
	uint32_t salt;
	/* of the connection that was opened last */
	uint32_t isn, peer_isn;
	uint32_t acked;
	unsigned int acked_again;
	uint32_t highest;
	uint8_t seen[BLOCKS];
	/* what is printed */
	unsigned long frames, segments, lost, late, again, overtaken;
	unsigned long acks, acks_lost, acks_late;
};

struct frame {
	uint64_t due, order;
	struct way *way;
	unsigned int len;
	uint8_t data[MAX_FRAME];
};

struct segment {
	const struct tcphdr *tcp;
	uint32_t seq, ack, len;
};

enum fate { PASS, LATE, LOST };

static uint64_t seed, delay, extra;
static uint32_t loss, reorder;
static struct way ways[2 * MAX_PAIRS];
static unsigned int n_ways;
static struct frame frames[MAX_QUEUE], *unused[MAX_QUEUE], *heap[MAX_QUEUE];
static unsigned int n_unused, n_heap;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint64_t hash(const struct way *w, uint32_t a, uint32_t b)
{
	return mix(mix(seed << 16 | w->salt) ^ ((uint64_t)a << 32 | b));
}

static enum fate fate(const struct way *w, uint32_t what, uint32_t again)
{
	uint32_t draw = hash(w, what, again) % 1000000;

	if (draw < loss)
		return LOST;
	return draw < loss + reorder ? LATE : PASS;
}

/*
 * Frames by the time at which they are due: a binary heap.
 */
static bool before(const struct frame *a, const struct frame *b)
{
	return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void put(struct frame *f)
{
	unsigned int i = n_heap++, up;

	for (; i && before(f, heap[up = (i - 1) / 2]); i = up)
		heap[i] = heap[up];
	heap[i] = f;
}

static struct frame *take(void)
{
	struct frame *first = heap[0], *last = heap[--n_heap];
	unsigned int i = 0, down;

	while ((down = 2 * i + 1) < n_heap) {
		if (down + 1 < n_heap && before(heap[down + 1], heap[down]))
			down++;
		if (!before(heap[down], last))
			break;
		heap[i] = heap[down];
		i = down;
	}
	heap[i] = last;
	return first;
}

/*
 * What a frame is. No extension headers, no fragments: nothing here sends them.
 */
static bool parse(const uint8_t *data, unsigned int len, struct segment *seg)
{
	const struct ether_header *eth = (const void *)data;
	const struct ip *v4 = (const void *)(eth + 1);
	const struct ip6_hdr *v6 = (const void *)(eth + 1);
	unsigned int head, total;

	if (len < sizeof(*eth) + sizeof(*v4))
		return false;
	if (eth->ether_type == htons(ETHERTYPE_IP) && v4->ip_p == IPPROTO_TCP) {
		head = v4->ip_hl * 4;
		total = ntohs(v4->ip_len);
	} else if (eth->ether_type == htons(ETHERTYPE_IPV6) &&
		   v6->ip6_nxt == IPPROTO_TCP) {
		head = sizeof(*v6);
		total = head + ntohs(v6->ip6_plen);
	} else {
		return false;
	}
	if (sizeof(*eth) + total > len || total < head + sizeof(*seg->tcp))
		return false;
	seg->tcp = (const void *)(data + sizeof(*eth) + head);
	seg->seq = ntohl(seg->tcp->seq);
	seg->ack = ntohl(seg->tcp->ack_seq);
	seg->len = total - head - seg->tcp->doff * 4;
	return true;
}

static void opened(struct way *w, struct way *back, uint32_t isn)
{
	if (w->isn == isn)
		return;
	w->isn = isn;
	back->peer_isn = isn;
	w->highest = 0;
	memset(w->seen, 0, sizeof(w->seen));
}

static enum fate data_fate(struct way *w, uint32_t from, uint32_t to)
{
	enum fate worst = PASS, one;
	bool again = false;
	uint32_t block, point;

	for (block = from / BLOCK; block <= to / BLOCK && block < BLOCKS; block++) {
		point = block * BLOCK + hash(w, block, UINT32_MAX) % BLOCK;
		if (point < from || point >= to)
			continue;
		again = again || w->seen[block];
		one = fate(w, block, w->seen[block]);
		if (w->seen[block] < UINT8_MAX)
			w->seen[block]++;
		if (one > worst)
			worst = one;
	}
	w->segments++;
	w->again += again;
	w->lost += worst == LOST;
	w->late += worst == LATE;
	return worst;
}

static enum fate ack_fate(struct way *w, uint32_t ack)
{
	enum fate one;

	w->acked_again = ack == w->acked ? w->acked_again + 1 : 0;
	w->acked = ack;
	one = fate(w, ~ack, w->acked_again);
	w->acks++;
	w->acks_lost += one == LOST;
	w->acks_late += one == LATE;
	return one;
}

/* Openings and ends are spared: what is measured lies between them. */
static enum fate judge(struct way *w, struct way *back, const uint8_t *data,
		       unsigned int len)
{
	struct segment seg;

	w->frames++;
	if (!parse(data, len, &seg))
		return PASS;
	if (seg.tcp->syn)
		opened(w, back, seg.seq);
	if (seg.tcp->syn || seg.tcp->rst)
		return PASS;
	if (seg.len)
		return data_fate(w, seg.seq - w->isn - 1,
				 seg.seq - w->isn - 1 + seg.len);
	return seg.tcp->fin ? PASS : ack_fate(w, seg.ack - w->peer_isn);
}

/* Has a later segment left before this one? */
static void note_order(struct way *w, const struct frame *f)
{
	struct segment seg;
	uint32_t at;

	if (!parse(f->data, f->len, &seg) || !seg.len)
		return;
	at = seg.seq - w->isn;
	if (at < w->highest)
		w->overtaken++;
	else
		w->highest = at;
}

static void receive(struct way *w, struct way *back)
{
	static uint64_t order;
	struct frame *f;
	enum fate one;
	ssize_t n;

	for (;;) {
		if (!n_unused) {
			fprintf(stderr, "relay: queue full\n");
			exit(1);
		}
		f = unused[n_unused - 1];
		n = recv(w->in, f->data, sizeof(f->data), MSG_DONTWAIT | MSG_TRUNC);
		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENETDOWN))
			return;
		if (n < 0)
			die("recv");
		if ((size_t)n > sizeof(f->data)) {
			fprintf(stderr, "relay: %zd bytes in one frame\n", n);
			exit(1);
		}
		one = judge(w, back, f->data, n);
		if (one == LOST)
			continue;
		n_unused--;
		f->len = n;
		f->way = w;
		f->order = order++;
		f->due = now() + delay + (one == LATE ? extra : 0);
		put(f);
	}
}

/* Send what is due. Returns how long until the next is, or -1. */
static int64_t send_due(void)
{
	struct frame *f;
	uint64_t t;

	while (n_heap) {
		t = now();
		if (heap[0]->due > t)
			return heap[0]->due - t;
		f = take();
		note_order(f->way, f);
		if (send(f->way->out, f->data, f->len, 0) < 0)
			die("send");
		unused[n_unused++] = f;
	}
	return -1;
}

static int open_interface(const char *name)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(name),
	};
	struct packet_mreq all = {
		.mr_ifindex = to.sll_ifindex,
		.mr_type = PACKET_MR_PROMISC,
	};
	int one = 1, size = 64 << 20, fd;

	if (!to.sll_ifindex)
		die(name);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&to, sizeof(to)))
		die(name);
	return fd;
}

static void open_pair(char *names)
{
	char *second = strchr(names, ':');
	struct way *w = ways + n_ways;

	if (!second || n_ways == 2 * MAX_PAIRS) {
		fprintf(stderr, "relay: %s?\n", names);
		exit(2);
	}
	*second++ = '\0';
	w[0].in = w[1].out = open_interface(names);
	w[1].in = w[0].out = open_interface(second);
	w[0].salt = n_ways++;
	w[1].salt = n_ways++;
}

/* What the kernel could not queue for us was lost, but not by us. */
static unsigned int dropped(const struct way *w)
{
	struct tpacket_stats st = {0};
	socklen_t len = sizeof(st);

	getsockopt(w->in, SOL_PACKET, PACKET_STATISTICS, &st, &len);
	return st.tp_drops;
}

static void report(void)
{
	const struct way *w;

	for (w = ways; w < ways + n_ways; w++)
		printf("pair %d way %d frames %lu segments %lu lost %lu late %lu again %lu overtaken %lu acks %lu acks-lost %lu acks-late %lu dropped %u\n",
		       w->salt / 2, w->salt % 2, w->frames, w->segments, w->lost,
		       w->late, w->again, w->overtaken, w->acks, w->acks_lost,
		       w->acks_late, dropped(w));
}

/* Until @signals can be read. */
static void work(int signals)
{
	struct pollfd fds[2 * MAX_PAIRS + 1];
	struct timespec t, *wait;
	int64_t left;
	unsigned int i;

	for (i = 0; i < n_ways; i++)
		fds[i] = (struct pollfd){ .fd = ways[i].in, .events = POLLIN };
	fds[n_ways] = (struct pollfd){ .fd = signals, .events = POLLIN };
	while (!fds[n_ways].revents) {
		left = send_due();
		t = (struct timespec){ left / 1000000000, left % 1000000000 };
		wait = left < 0 ? NULL : &t;
		if (ppoll(fds, n_ways + 1, wait, NULL) <= 0)
			continue;
		for (i = 0; i < n_ways; i++)
			if (fds[i].revents)
				receive(ways + i, ways + (i ^ 1));
	}
}

int main(int argc, char **argv)
{
	sigset_t set;
	int i, signals;

	if (argc < 7) {
		fprintf(stderr, "usage: relay SEED LOSS REORDER DELAY EXTRA A:B...\n");
		return 2;
	}
	seed = strtoull(argv[1], NULL, 10);
	loss = strtoul(argv[2], NULL, 10);
	reorder = strtoul(argv[3], NULL, 10);
	delay = strtoull(argv[4], NULL, 10) * 1000;
	extra = strtoull(argv[5], NULL, 10) * 1000;
	for (i = 6; i < argc; i++)
		open_pair(argv[i]);
	for (i = 0; i < MAX_QUEUE; i++)
		unused[n_unused++] = frames + i;
	/* A frame leaves when it is due, not when it suits the timers. */
	prctl(PR_SET_TIMERSLACK, 1);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, 0);
	if (signals < 0)
		die("signalfd");
	puts("ready");
	fflush(stdout);
	work(signals);
	report();
	return 0;
}
