// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stands around the packet path: connection tracking, policies, counters, the wire. Segments become packets, go
 * through helper.c as conntrack would have it, and what has become of them is read off the packet.
 */
#include "stream.h"

#include "../../kmod/embryonic.h"
#include "../../kmod/event.h"
#include "../../kmod/helper.h"

#define PORT		25
#define OPTIONS		12u
#define GSO_SIZE	500u

extern unsigned int *const param_retain_max;
extern unsigned long *const param_pool_max;

static struct net net;
static struct esmtp_net en;
static struct esmtp_generation generation;
static struct esmtp_ns_policy policy;
static struct nf_conntrack_helper *helpers[2];
static struct nf_conn ct;
static struct nf_conn_help ext;
static struct net_device dev[ESMTP_DIRS] = { { 1, 0 }, { 2, 0 } };
static struct dst_entry route[ESMTP_DIRS];
static u64 counters[__ESMTP_NC_MAX];
static u64 events[__ESMTP_EVENT_MAX];
static u32 clock[ESMTP_DIRS];
static u32 asked;

u64 module_count(enum esmtp_ns_counter c)
{
	return counters[c];
}

u64 module_events(enum esmtp_event_type type)
{
	return events[type];
}

/* The module's surroundings. */
struct esmtp_net *esmtp_net(const struct net *n)
{
	must(n == &net);
	return &en;
}

void esmtp_count(struct esmtp_net *n, enum esmtp_ns_counter c)
{
	must(n == &en && c > 0 && c < __ESMTP_NC_MAX);
	counters[c]++;
}

struct esmtp_ns_policy *esmtp_policy_get(struct esmtp_net *n, u8 slot)
{
	must(n == &en && !slot);
	refcount_inc(&policy.ref.refcount);
	return &policy;
}

void esmtp_policy_put(struct esmtp_ns_policy *p)
{
	refcount_dec(&p->ref.refcount);
}

bool esmtp_policy_within_rate(struct esmtp_ns_policy *p, u32 i)
{
	must(i < p->engine.n_rules && p->engine.rules[i].action == ESMTP_ACTION_RATE_LIMIT);
	return ++asked & 3;
}

void esmtp_policy_count(struct esmtp_ns_policy *p, enum esmtp_policy_counter c, u64 n)
{
	must(p == &policy && c < __ESMTP_PC_MAX);
	(void)n;
}

void esmtp_event_note(struct esmtp_net *n, struct list_head *list, struct esmtp_ns_policy *p, enum esmtp_dir dir,
		      const struct esmtp_event *ev, const struct esmtp_sender *sender)
{
	(void)list, (void)dir, (void)sender;
	must(n == &en && p == &policy && ev->type < __ESMTP_EVENT_MAX);
	events[ev->type]++;
}

void esmtp_event_send(struct esmtp_net *n, struct list_head *list, const struct esmtp_ns_policy *p,
		      const struct nf_conntrack_tuple *orig, struct sk_buff *skb)
{
	(void)n, (void)list, (void)p, (void)orig, (void)skb;
}

bool esmtp_embryonic_over(struct esmtp_net *n, const struct nf_conn *c, const struct esmtp_help *hd)
{
	(void)n, (void)c, (void)hd;
	return false;
}

bool esmtp_embryonic_packet(struct esmtp_net *n, const struct nf_conn *c, struct esmtp_help *hd)
{
	(void)n, (void)c, (void)hd;
	return true;
}

void esmtp_embryonic_destroy(struct esmtp_net *n, const struct nf_conn *c, struct esmtp_help *hd)
{
	(void)n, (void)c, (void)hd;
}

int nf_conntrack_helper_register(struct nf_conntrack_helper *h)
{
	if (!strcmp(h->name, ESMTP_HELPER_NAME))
		helpers[h->family == AF_INET6] = h;
	return 0;
}

/* segment.c: the wire for segments of the module's own. */
void esmtp_flow_route(struct esmtp_flow *fl, const struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb);

	if (dst == fl->dst || !dst_hold_safe(dst))
		return;
	dst_release(fl->dst);
	fl->dst = dst;
}

void esmtp_way_get(const struct esmtp_session *s, enum esmtp_dir dir, struct esmtp_way *way)
{
	way->dst = s->flow[dir].dst;
	if (way->dst)
		dst_hold_safe(way->dst);
}

void esmtp_way_put(struct esmtp_way *way)
{
	dst_release(way->dst);
}

bool esmtp_segment_send(struct esmtp_net *n, struct nf_conn *c, const struct esmtp_way *way, struct esmtp_segment seg)
{
	(void)way;
	must(n == &en && c == &ct && c->ct_general.use.refs > 0);
	must(seg.flags & TCPHDR_RST || (seg.dir == ESMTP_DIR_SERVER && seg.flags & TCPHDR_ACK));
	if (seg.len)
		model_answered(seg.seq - model.shape.isn[seg.dir] - 1, seg.data, seg.len);
	return true;
}

/* A segment as a packet. */
static u32 put_header(const struct segment *seg, u8 *buf)
{
	const struct shape *sh = &model.shape;
	struct ipv6hdr ip6 = { .version = 6, .nexthdr = IPPROTO_TCP };
	struct iphdr ip = { .version = 4, .ihl = 5, .protocol = IPPROTO_TCP };
	u32 len = sizeof(struct tcphdr) + OPTIONS * sh->stamped + seg->len;

	if (sh->ipv6) {
		ip6.payload_len = htons(len);
		memset(ip6.saddr.s6_addr, 1 + seg->dir, sizeof(ip6.saddr));
		memset(ip6.daddr.s6_addr, 2 - seg->dir, sizeof(ip6.daddr));
		memcpy(buf, &ip6, sizeof(ip6));
		return sizeof(ip6);
	}
	ip.tot_len = htons(sizeof(ip) + len);
	ip.saddr = htonl(0x0a000001u + seg->dir);
	ip.daddr = htonl(0x0a000002u - seg->dir);
	ip_send_check(&ip);
	memcpy(buf, &ip, sizeof(ip));
	return sizeof(ip);
}

static void put_stamp(const struct segment *seg, u8 *p)
{
	/* Some stand still, and segments may overtake one another by a tick. */
	u32 now = clock[seg->dir] += seg->at % 5 ? 1 : 0;

	memset(p, TCPOPT_NOP, OPTIONS);
	if (seg->stale == STALE_NO_CLOCK)
		return;
	p[2] = TCPOPT_TIMESTAMP;
	p[3] = TCPOLEN_TIMESTAMP;
	put_unaligned_be32(seg->stale == STALE_CLOCK ? now - 100000 : now - (seg->at % 7 == 3), p + 4);
	put_unaligned_be32(clock[!seg->dir], p + 8);
}

/* The acknowledgement of what its sender has got, as it is or not. */
static u32 ack_of(const struct segment *seg)
{
	const struct stream *other = &model.stream[!seg->dir];
	u32 ack = model.shape.isn[!seg->dir] + 1 + other->n_got + (other->n_got == other->fin_at);

	if (seg->stale == STALE_BEFORE)
		return model.shape.isn[!seg->dir] + 1 + other->n_read;
	if (seg->stale == STALE_ACK_AHEAD)
		return ack + STREAM_MAX + 2;
	if (seg->stale == STALE_ACK_OLD)
		return ack - STREAM_MAX - (66000u << model.shape.scale) - 2 * model.shape.window;
	return ack;
}

/* Who has said its last says the number behind it. */
static u32 seq_of(const struct segment *seg)
{
	bool over = !seg->len && !seg->fin && model.stream[seg->dir].fin_at <= seg->at;

	return model.shape.isn[seg->dir] + 1 + seg->at + over;
}

static void put_tcp(const struct segment *seg, u8 *buf)
{
	const struct shape *sh = &model.shape;
	struct tcphdr th = {
		.source = htons(seg->dir ? PORT : 40000),
		.dest = htons(seg->dir ? 40000 : PORT),
		.seq = htonl(seg->syn ? sh->isn[seg->dir] : seq_of(seg)),
		.ack_seq = htonl(ack_of(seg)),
		.doff = (sizeof(th) + OPTIONS * sh->stamped) / 4,
		.fin = seg->fin,
		.syn = seg->syn,
		.psh = seg->len != 0,
		.ack = seg->stale != STALE_NO_ACK,
		.window = htons(sh->window >> (seg->syn ? 0 : sh->scale)),
	};

	if (seg->syn) {
		th.ack = seg->dir;
		th.ack_seq = htonl(seg->dir ? sh->isn[!seg->dir] + 1 : 0);
	}
	if (seg->stale == STALE_BEFORE)
		th.seq = htonl(sh->isn[seg->dir]);
	if (seg->stale == STALE_OUTSIDE)
		th.seq = htonl(sh->isn[seg->dir] + 1 + seg->at + 2 * sh->window + 2 * STREAM_MAX);
	memcpy(buf, &th, sizeof(th));
	if (sh->stamped)
		put_stamp(seg, buf + sizeof(th));
	memcpy(buf + th.doff * 4, seg->bytes, seg->len);
}

static __sum16 sum_of(const u8 *buf, u32 len, u32 thoff, __wsum rest)
{
	const struct ipv6hdr *ip6 = (const void *)buf;
	const struct iphdr *ip = (const void *)buf;

	if (model.shape.ipv6)
		return csum_ipv6_magic(&ip6->saddr, &ip6->daddr, len - thoff, IPPROTO_TCP, rest);
	return csum_tcpudp_magic(ip->saddr, ip->daddr, len - thoff, IPPROTO_TCP, rest);
}

static struct sk_buff *make_packet(const struct segment *seg, u32 *thoff)
{
	static u8 buf[STREAM_MAX + 128] __aligned(4);
	const struct shape *sh = &model.shape;
	struct tcphdr *th;
	struct sk_buff *skb;
	u32 headers, len;

	*thoff = put_header(seg, buf);
	put_tcp(seg, buf + *thoff);
	th = (struct tcphdr *)(buf + *thoff);
	headers = *thoff + th->doff * 4;
	len = headers + seg->len;
	th->check = sh->partial ? (__sum16)~sum_of(buf, len, *thoff, 0) :
				  sum_of(buf, len, *thoff, csum_partial(th, (int)(len - *thoff), 0));
	skb = skb_make(buf, len, sh->scattered ? headers + seg->len % 7 : len);
	skb->ip_summed = sh->partial ? CHECKSUM_PARTIAL : CHECKSUM_NONE;
	skb->dst = &route[seg->dir];
	skb->skb_iif = dev[!seg->dir].ifindex;
	skb->cb.iif = skb->skb_iif;
	if (seg->len > GSO_SIZE)
		skb->shared = (struct skb_shared_info){ GSO_SIZE, (u16)DIV_ROUND_UP(seg->len, GSO_SIZE) };
	return skb;
}

/* What conntrack has seen before the helper. */
static void track(const struct segment *seg)
{
	struct ip_ct_tcp_state *seen = ct.proto.tcp.seen;
	u32 edge = model.shape.isn[!seg->dir] + 1 + model.stream[!seg->dir].n_got + model.shape.window;

	if (seg->stale != STALE_NOT)
		return;
	seen[seg->dir].td_scale = model.shape.scale;
	seen[seg->dir].td_maxwin = max(seen[seg->dir].td_maxwin, model.shape.window);
	if (!seen[!seg->dir].td_maxend || after(edge, seen[!seg->dir].td_maxend))
		seen[!seg->dir].td_maxend = edge;
	model.stream[!seg->dir].edge = max(model.stream[!seg->dir].edge,
					   model.stream[!seg->dir].n_got + model.shape.window);
}

/* The sender of the other direction is told of no less than it was, and of no more than there is. */
static void check_window(const struct segment *seg, const struct tcphdr *th)
{
	struct stream *other = &model.stream[!seg->dir];
	u32 window = ntohs(th->window), ack = ntohl(th->ack_seq) - model.shape.isn[!seg->dir] - 1, edge, real;

	if (seg->syn || seg->stale != STALE_NOT)
		return;
	must(window <= model.shape.window >> model.shape.scale);
	edge = ack + (window << model.shape.scale);
	real = ack + (model.shape.window >> model.shape.scale << model.shape.scale);
	must(edge >= min(other->told, real));
	other->told = max(other->told, edge);
}

/* The packet is whole in itself. */
static void check_packet(const struct sk_buff *skb, const u8 *buf, u32 thoff)
{
	const struct tcphdr *th = (const void *)(buf + thoff);
	const struct ipv6hdr *ip6 = (const void *)buf;
	const struct iphdr *ip = (const void *)buf;
	u32 len = skb->len - thoff - th->doff * 4;

	must(ntohs(model.shape.ipv6 ? ip6->payload_len : ip->tot_len) ==
	     skb->len - (model.shape.ipv6 ? sizeof(*ip6) : 0));
	must(model.shape.ipv6 || !csum_fold(csum_partial(ip, sizeof(*ip), 0)));
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		must(th->check == (__sum16)~sum_of(buf, skb->len, thoff, 0));
	else
		must(!sum_of(buf, skb->len, thoff, csum_partial(th, (int)(skb->len - thoff), 0)));
	must(!skb_is_gso(skb) || (len > GSO_SIZE && skb->shared.gso_segs == DIV_ROUND_UP(len, GSO_SIZE)));
}

/**
 * struct early - what the engine has to say of a segment before it is looked at
 * @ahead: enum esmtp_ahead
 * @chunk: octets that a chunk has left
 * @is: its turn has not come
 */
struct early {
	enum esmtp_ahead ahead;
	u64 chunk;
	bool is;
};

static struct early early_of(const struct segment *seg)
{
	const struct esmtp_session *s = module_session();
	struct early early = { 0 };

	if (!s || s->state != SESSION_OPEN || !seg->len || seg->at <= model.stream[seg->dir].n_read)
		return early;
	early.is = true;
	early.ahead = esmtp_engine_ahead(&s->engine, &policy.engine, seg->dir, &early.chunk);
	return early;
}

static void passed(const struct segment *seg, const struct sk_buff *skb, u32 thoff, struct early early, bool lost)
{
	static u8 buf[STREAM_MAX + 128] __aligned(4);
	const struct tcphdr *th = (const void *)(buf + thoff);
	u32 start;

	skb_copy_bits(skb, 0, buf, skb->len);
	check_packet(skb, buf, thoff);
	start = thoff + th->doff * 4;
	must(th->syn == seg->syn);
	must(seg->syn || seg->stale != STALE_NOT || ntohl(th->seq) == seq_of(seg));
	check_window(seg, th);
	if (seg->stale != STALE_NOT || seg->syn)
		return;
	model_passed(seg, buf + start, skb->len - start, th->fin);
	if (early.is)
		model_early(seg, skb->len - start, early.ahead, early.chunk);
	if (!lost)
		model_received(seg, buf + start, skb->len - start, th->fin);
}

const struct esmtp_session *module_session(void)
{
	const struct esmtp_help *hd = (const void *)ext.data;

	return hd->session;
}

bool module_pass(const struct segment *seg, bool lost)
{
	const struct esmtp_session *s = module_session();
	bool stale = seg->stale != STALE_NOT && seg->stale != STALE_BEFORE && s && s->state == SESSION_OPEN;
	struct esmtp_flow flow = s ? s->flow[!seg->dir] : (struct esmtp_flow){ 0 };
	struct early early = early_of(seg);
	u32 thoff, n_read = model.stream[seg->dir].n_read;
	struct sk_buff *skb = make_packet(seg, &thoff);
	long bytes = kernel_memory.bytes, until = kernel_memory.until_failure;
	int verdict;

	track(seg);
	if (s)
		model_follow(s);
	model.now = seg;
	verdict = ext.helper->help(skb, thoff, &ct, seg->dir ? IP_CT_IS_REPLY : IP_CT_ESTABLISHED);
	model.now = NULL;
	if (verdict == NF_ACCEPT)
		passed(seg, skb, thoff, early, lost);
	else if (early.is && seg->stale == STALE_NOT && until >= 0 && kernel_memory.until_failure < 0)
		model_refused(seg);
	skb_destroy(skb);
	/* Nothing is remembered of what its receiver does not take, what it acknowledges neither. */
	if (stale) {
		must(verdict != NF_ACCEPT && n_read == model.stream[seg->dir].n_read && kernel_memory.bytes <= bytes);
		must(s->flow[!seg->dir].acked == flow.acked && s->flow[!seg->dir].right == flow.right);
	}
	/* What does not pass acknowledges nothing; nor does what comes from before the window, a keep-alive. */
	if (s && s->state == SESSION_OPEN && ((early.is && verdict != NF_ACCEPT) || seg->stale == STALE_BEFORE))
		must(s->flow[!seg->dir].acked == flow.acked);
	if (s && s->state == SESSION_OPEN && seg->stale == STALE_BEFORE)
		must(s->flow[!seg->dir].right == flow.right);
	if (module_session())
		model_check(module_session(), kernel_memory.bytes, en.retained.counter - model.shape.others);
	return verdict == NF_ACCEPT;
}

static void handshake(void)
{
	static struct segment seg;
	enum esmtp_dir dir;

	for (dir = 0; dir < ESMTP_DIRS; dir++) {
		seg = (struct segment){ .dir = dir, .syn = true };
		must(module_pass(&seg, false));
	}
	seg = (struct segment){ .dir = ESMTP_DIR_CLIENT };
	must(module_pass(&seg, false));
}

static void module_init(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	must(!esmtp_sessions_init() && !esmtp_closing_init() && !esmtp_helpers_init());
}

void module_begin(const struct shape *shape)
{
	enum esmtp_dir dir;

	module_init();
	jiffies = 1000 * HZ;
	memset(counters, 0, sizeof(counters));
	memset(events, 0, sizeof(events));
	asked = 0;
	net.ct.sysctl_checksum = 0;
	memset(&en, 0, sizeof(en));
	en.net = &net;
	en.retained.counter = shape->others;
	memset(&generation, 0, sizeof(generation));
	memset(&policy, 0, sizeof(policy));
	refcount_set(&policy.ref.refcount, 1);
	policy.engine = *shape->policy;
	policy.generation = &generation;
	for (dir = 0; dir < ESMTP_DIRS; dir++) {
		route[dir] = (struct dst_entry){ .dev = &dev[dir], .refs = 1 };
		clock[dir] = 0x7fffff00u;
	}
	memset(&ext, 0, sizeof(ext));
	ext.helper = helpers[shape->ipv6];
	memset(&ct, 0, sizeof(ct));
	refcount_set(&ct.ct_general.use, 1);
	ct.net = &net;
	ct.family = shape->ipv6 ? AF_INET6 : AF_INET;
	ct.helper = &ext;
	*param_retain_max = shape->retain;
	*param_pool_max = shape->pool;
	handshake();
	kernel_memory.until_failure = shape->refused;
}

void module_end(void)
{
	enum esmtp_dir dir;

	kernel_memory.until_failure = -1;
	ct.dying = true;
	ext.helper->destroy(&ct);
	/* Long enough for whatever still waits. */
	kernel_run(120 * HZ);
	must(!kernel_memory.blocks && !kernel_memory.bytes);
	must(en.retained.counter == model.shape.others && !en.n_sessions.counter && !generation.users.counter);
	must(ct.ct_general.use.refs == 1 && policy.ref.refcount.refs == 1);
	for (dir = 0; dir < ESMTP_DIRS; dir++)
		must(route[dir].refs == 1);
}
