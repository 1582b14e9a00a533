// SPDX-License-Identifier: GPL-2.0-only
/* See base.h and skb.h. */
#include <malloc.h>

#include "skb.h"

struct kernel_memory kernel_memory = { .until_failure = -1 };
struct workqueue_struct kernel_wq;
unsigned long jiffies;

static struct delayed_work *waiting;
static struct rcu_head *graced;

void kernel_bug(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

bool kernel_refuses(void)
{
	if (kernel_memory.until_failure < 0)
		return false;
	return !kernel_memory.until_failure--;
}

void *kmalloc(size_t size, gfp_t flags)
{
	void *p;

	(void)flags;
	if (kernel_refuses())
		return NULL;
	p = malloc(size);
	/* What is not written must not be read. */
	memset(p, 0xa5, size);
	kernel_memory.blocks++;
	kernel_memory.bytes += (long)malloc_usable_size(p);
	return p;
}

void kfree(const void *p)
{
	if (!p)
		return;
	kernel_memory.blocks--;
	kernel_memory.bytes -= (long)malloc_usable_size((void *)p);
	free((void *)p);
}

void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t flags)
{
	void *p = kmalloc(cache->size, flags);

	return p ? memset(p, 0, cache->size) : NULL;
}

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
	*head = (struct rcu_head){ graced, func };
	graced = head;
}

bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *work, unsigned long delay)
{
	(void)wq;
	if (work->pending)
		return false;
	work->pending = true;
	work->due = jiffies + delay;
	work->next = waiting;
	waiting = work;
	return true;
}

bool cancel_delayed_work(struct delayed_work *work)
{
	struct delayed_work **at = &waiting;

	if (!work->pending)
		return false;
	while (*at != work)
		at = &(*at)->next;
	*at = work->next;
	work->pending = false;
	return true;
}

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work, unsigned long delay)
{
	bool was = cancel_delayed_work(work);

	queue_delayed_work(wq, work, delay);
	return was;
}

static void grace(void)
{
	struct rcu_head *head;

	while ((head = graced)) {
		graced = head->next;
		head->func(head);
	}
}

/* The work that is due first, not later than @until; or NULL. */
static struct delayed_work *next_work(unsigned long until)
{
	struct delayed_work *w, *first = NULL;

	for (w = waiting; w; w = w->next)
		if (time_after_eq(until, w->due) && (!first || time_after_eq(first->due, w->due)))
			first = w;
	return first;
}

void kernel_run(unsigned long ticks)
{
	unsigned long until = jiffies + ticks;
	struct delayed_work *w;

	grace();
	while ((w = next_work(until))) {
		if (time_after_eq(w->due, jiffies))
			jiffies = w->due;
		cancel_delayed_work(w);
		w->work.func(&w->work);
		grace();
	}
	jiffies = until;
}

static u8 *block(const u8 *bytes, unsigned int len)
{
	u8 *p = malloc(len ? len : 1);

	if (len)
		memcpy(p, bytes, len);
	return p;
}

struct sk_buff *skb_make(const u8 *bytes, unsigned int len, unsigned int linear)
{
	struct sk_buff *skb = calloc(1, sizeof(*skb));

	skb->len = len;
	skb->head_len = min(linear, len);
	skb->data = block(bytes, skb->head_len);
	skb->rest = block(bytes + skb->head_len, len - skb->head_len);
	return skb;
}

void skb_destroy(struct sk_buff *skb)
{
	free(skb->data);
	free(skb->rest);
	free(skb);
}

int skb_copy_bits(const struct sk_buff *skb, unsigned int off, void *to, unsigned int len)
{
	unsigned int n = off < skb->head_len ? min(len, skb->head_len - off) : 0;

	if (off > skb->len || len > skb->len - off)
		return -EFAULT;
	if (n)
		memcpy(to, skb->data + off, n);
	if (len > n)
		memcpy((u8 *)to + n, skb->rest + (off + n - skb->head_len), len - n);
	return 0;
}

const void *skb_header_pointer(const struct sk_buff *skb, unsigned int off, unsigned int len, void *buf)
{
	if (off <= skb->head_len && len <= skb->head_len - off)
		return skb->data + off;
	return skb_copy_bits(skb, off, buf, len) ? NULL : buf;
}

/* The bytes from @linear on go to the block of their own. */
static void divide(struct sk_buff *skb, unsigned int linear)
{
	u8 *all = malloc(skb->len + 1);
	unsigned int len = skb->len;

	skb_copy_bits(skb, 0, all, len);
	free(skb->data);
	free(skb->rest);
	skb->head_len = linear;
	skb->data = block(all, linear);
	skb->rest = block(all + linear, len - linear);
	free(all);
}

int skb_ensure_writable(struct sk_buff *skb, unsigned int len)
{
	if (len > skb->len || kernel_refuses())
		return -ENOMEM;
	divide(skb, max(len, skb->head_len));
	return 0;
}

int pskb_trim_rcsum(struct sk_buff *skb, unsigned int len)
{
	unsigned int linear = min(len, skb->head_len);

	if (len >= skb->len)
		return 0;
	if (kernel_refuses())
		return -ENOMEM;
	skb->len = len;
	divide(skb, linear);
	return 0;
}

__wsum csum_block_add(__wsum sum, __wsum other, unsigned int off)
{
	u64 both = (u64)sum + (off & 1 ? other >> 8 | other << 24 : other);

	return (__wsum)(both + (both >> 32));
}

__wsum csum_partial(const void *p, int len, __wsum sum)
{
	const u8 *b = p;
	u64 all = sum;

	for (int i = 0; i < len; i++)
		all += i & 1 ? (u64)b[i] << 8 : b[i];
	while (all >> 32)
		all = (u32)all + (all >> 32);
	return (__wsum)all;
}

__wsum skb_checksum(const struct sk_buff *skb, unsigned int off, unsigned int len, __wsum sum)
{
	u8 *p = malloc(len + 1);

	skb_copy_bits(skb, off, p, len);
	sum = csum_partial(p, (int)len, sum);
	free(p);
	return sum;
}

__sum16 csum_fold(__wsum sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__sum16)~sum;
}

static __wsum pseudo(const void *saddr, const void *daddr, int size, u32 len, u8 proto, __wsum sum)
{
	const __be32 tail[2] = { htonl(len), htonl(proto) };

	sum = csum_partial(saddr, size, sum);
	sum = csum_partial(daddr, size, sum);
	return csum_partial(tail, sizeof(tail), sum);
}

__sum16 csum_tcpudp_magic(__be32 saddr, __be32 daddr, u32 len, u8 proto, __wsum sum)
{
	return csum_fold(pseudo(&saddr, &daddr, sizeof(saddr), len, proto, sum));
}

__sum16 csum_ipv6_magic(const struct in6_addr *saddr, const struct in6_addr *daddr, u32 len, u8 proto, __wsum sum)
{
	return csum_fold(pseudo(saddr, daddr, sizeof(*saddr), len, proto, sum));
}

void ip_send_check(struct iphdr *iph)
{
	iph->check = 0;
	iph->check = csum_fold(csum_partial(iph, iph->ihl * 4, 0));
}
