/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As much of the kernel as the way of a packet through the module needs, in a program of one thread. All headers of
 * the kernel that kmod/ includes are this, skb.h and conntrack.h. What is given here does what the kernel's does as
 * far as one thread can tell; a warning ends the program, and so does a lock that is taken twice.
 */
#ifndef KERNEL_BASE_H
#define KERNEL_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;
typedef u16 __be16, __sum16;
typedef u32 __be32, __wsum;

#define __init
#define __exit
#define __percpu
#define __rcu
#define __aligned(n)	__attribute__((aligned(n)))
#define __printf(a, b)	__attribute__((format(printf, a, b)))
#define ____cacheline_aligned_in_smp

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define BIT(n)		(1UL << (n))
#define READ_ONCE(x)	(x)
#define WRITE_ONCE(x, v) ((x) = (v))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define min(a, b)	({ __auto_type a_ = (a); __auto_type b_ = (b); a_ < b_ ? a_ : b_; })
#define max(a, b)	({ __auto_type a_ = (a); __auto_type b_ = (b); a_ > b_ ? a_ : b_; })
#define min_t(t, a, b)	min((t)(a), (t)(b))
#define max_t(t, a, b)	max((t)(a), (t)(b))
#define clamp(v, a, b)	min(max(v, a), b)
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define WARN_ON_ONCE(x)	({ bool bad_ = (x); if (bad_) kernel_bug(#x, __FILE__, __LINE__); bad_; })
#define pr_err(...)	fprintf(stderr, __VA_ARGS__)
#define pr_notice_once(...) ((void)0)

/** kernel_bug() - what must not be true is: ends the program */
_Noreturn void kernel_bug(const char *what, const char *file, int line);

static inline u32 roundup_pow_of_two(u32 n)
{
	return n < 2 ? 1 : 1u << (32 - __builtin_clz(n - 1));
}

/* Parameters of the module, to be set by whoever runs it: "extern unsigned int *const param_retain_max;". */
#define module_param(name, type, mode) typeof(name) *const param_##name = &name
#define MODULE_PARM_DESC(name, text) extern int module_parm_desc
#define THIS_MODULE NULL

/* Byte order and unaligned numbers. */
#define htons(x)	__builtin_bswap16(x)
#define ntohs(x)	__builtin_bswap16(x)
#define htonl(x)	__builtin_bswap32(x)
#define ntohl(x)	__builtin_bswap32(x)

static inline u32 get_unaligned_be32(const u8 *p)
{
	return (u32)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static inline void put_unaligned_be32(u32 v, u8 *p)
{
	v = htonl(v);
	memcpy(p, &v, sizeof(v));
}

/* Bits, one thread. */
#define smp_mb__before_atomic() ((void)0)
#define smp_acquire__after_ctrl_dep() ((void)0)
#define test_bit(n, p)	(*(p) >> (n) & 1)
#define set_bit(n, p)	((void)(*(p) |= BIT(n)))
#define clear_bit(n, p)	((void)(*(p) &= ~BIT(n)))
#define for_each_set_bit(bit, p, size) \
	for ((bit) = 0; (bit) < (int)(size); (bit)++) if (test_bit(bit, p))
#define cmpxchg(p, old, new) ({ typeof(*(p)) was_ = *(p); if (was_ == (old)) *(p) = (new); was_; })
#define try_cmpxchg(p, old, new) ({ bool same_ = *(p) == *(old); if (same_) *(p) = (new); else *(old) = *(p); same_; })

typedef struct { int counter; } atomic_t;
typedef struct { long counter; } atomic_long_t;
typedef struct { s64 counter; } atomic64_t;
typedef struct { int refs; } refcount_t;

#define atomic_read(a)		((a)->counter)
#define atomic_inc(a)		((void)(a)->counter++)
#define atomic_dec(a)		((void)(a)->counter--)
#define atomic_inc_return(a)	(++(a)->counter)
#define atomic_long_read(a)	((a)->counter)
#define atomic_long_add(n, a)	((void)((a)->counter += (n)))

static inline void refcount_set(refcount_t *r, int n)
{
	r->refs = n;
}

static inline bool refcount_inc_not_zero(refcount_t *r)
{
	return r->refs && r->refs++;
}

static inline void refcount_inc(refcount_t *r)
{
	WARN_ON_ONCE(r->refs <= 0);
	r->refs++;
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	WARN_ON_ONCE(r->refs <= 0);
	return !--r->refs;
}

static inline void refcount_dec(refcount_t *r)
{
	WARN_ON_ONCE(refcount_dec_and_test(r));
}

struct kref { refcount_t refcount; };

/* Lists. */
struct list_head { struct list_head *next, *prev; };
struct hlist_head { void *first; };

#define LIST_HEAD(name) struct list_head name = { &(name), &(name) }

static inline void INIT_LIST_HEAD(struct list_head *h)
{
	h->next = h->prev = h;
}

static inline void list_add(struct list_head *n, struct list_head *behind)
{
	n->next = behind->next;
	n->prev = behind;
	behind->next->prev = n;
	behind->next = n;
}

static inline void list_add_tail(struct list_head *n, struct list_head *h)
{
	list_add(n, h->prev);
}

static inline void list_del(struct list_head *n)
{
	n->next->prev = n->prev;
	n->prev->next = n->next;
	n->next = n->prev = NULL;
}

#define list_entry(p, type, m)	container_of(p, type, m)
#define list_first_entry_or_null(h, type, m) ((h)->next == (h) ? NULL : list_entry((h)->next, type, m))
#define list_prepare_entry(p, h, m) ((p) ? (p) : list_entry(h, typeof(*(p)), m))
#define list_for_each_entry_continue(p, h, m) \
	for (p = list_entry(p->m.next, typeof(*p), m); &p->m != (h); p = list_entry(p->m.next, typeof(*p), m))
#define list_for_each_entry(p, h, m) \
	for (p = list_entry((h)->next, typeof(*p), m); &p->m != (h); p = list_entry(p->m.next, typeof(*p), m))
#define list_for_each_entry_reverse(p, h, m) \
	for (p = list_entry((h)->prev, typeof(*p), m); &p->m != (h); p = list_entry(p->m.prev, typeof(*p), m))
#define list_for_each_entry_safe(p, n, h, m) \
	for (p = list_entry((h)->next, typeof(*p), m), n = list_entry(p->m.next, typeof(*p), m); &p->m != (h); \
	     p = n, n = list_entry(n->m.next, typeof(*n), m))

/* Memory: blocks of exactly their size, counted; one of them can be refused. */
typedef unsigned int gfp_t;

#define GFP_ATOMIC	0u
#define __GFP_NOWARN	0u

/**
 * struct kernel_memory - what the module has
 * @blocks: how many
 * @bytes: of them
 * @until_failure: the one after so many more fails, once; negative: none does
 */
struct kernel_memory {
	long blocks;
	long bytes;
	long until_failure;
};

extern struct kernel_memory kernel_memory;

/** kernel_refuses() - whether there is no memory now */
bool kernel_refuses(void);

void *kmalloc(size_t size, gfp_t flags);
void kfree(const void *p);

struct kmem_cache { size_t size; };

#define KMEM_CACHE(type, flags)	({ static struct kmem_cache cache_ = { sizeof(struct type) }; &cache_; })
#define kmem_cache_destroy(c)	((void)(c))
#define kmem_cache_free(c, p)	kfree(p)

void *kmem_cache_zalloc(struct kmem_cache *cache, gfp_t flags);

/* Locks, and what is done later: all of it when kernel_run() is called. */
typedef struct { bool held; } spinlock_t;

struct mutex { bool held; };

static inline void spin_lock_init(spinlock_t *l)
{
	l->held = false;
}

static inline void spin_lock_bh(spinlock_t *l)
{
	WARN_ON_ONCE(l->held);
	l->held = true;
}

static inline void spin_unlock_bh(spinlock_t *l)
{
	WARN_ON_ONCE(!l->held);
	l->held = false;
}

struct rcu_head {
	struct rcu_head *next;
	void (*func)(struct rcu_head *head);
};

#define rcu_read_lock()		((void)0)
#define rcu_read_unlock()	((void)0)
#define rcu_dereference(p)	(p)
#define synchronize_rcu()	((void)0)
#define local_bh_disable()	((void)0)
#define local_bh_enable()	((void)0)
#define cond_resched()		((void)0)

void call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));

struct workqueue_struct { int unused; };

struct work_struct { void (*func)(struct work_struct *work); };

/**
 * struct delayed_work - work for later
 * @work: what
 * @next: of those that wait
 * @due: jiffies
 * @pending: it waits
 */
struct delayed_work {
	struct work_struct work;
	struct delayed_work *next;
	unsigned long due;
	bool pending;
};

#define WQ_UNBOUND		0
#define alloc_workqueue(name, flags, max) (&kernel_wq)
#define destroy_workqueue(wq)	((void)(wq))
#define system_power_efficient_wq (&kernel_wq)
#define to_delayed_work(w)	container_of(w, struct delayed_work, work)
#define INIT_DELAYED_WORK(w, f)	(*(w) = (struct delayed_work){ .work.func = (f) })
#define DECLARE_DELAYED_WORK(name, f) struct delayed_work name = { .work.func = (f) }
#define cancel_delayed_work_sync(w) cancel_delayed_work(w)

extern struct workqueue_struct kernel_wq;

bool queue_delayed_work(struct workqueue_struct *wq, struct delayed_work *work, unsigned long delay);
bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work, unsigned long delay);
bool cancel_delayed_work(struct delayed_work *work);

#define HZ 100

extern unsigned long jiffies;

#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)
#define ktime_get_seconds()	((s64)(jiffies / HZ))

/** kernel_run() - time passes, and what falls due is done: RCU callbacks at once */
void kernel_run(unsigned long ticks);

/* What is declared and not used on a packet's way. */
typedef struct { u64 v; } u64_stats_t;

struct u64_stats_sync { int unused; };
struct nla_policy { int unused; };
struct nlattr;
struct netlink_ext_ack;
struct netlink_callback;

/* One bucket: an address must not make a run another. */
#define hash_ptr(p, bits)	((void)(p), (bits) - (bits))

/* The one tracepoint: whoever runs the module hears of it. */
#define TP_PROTO(...)	__VA_ARGS__
#define TP_ARGS(...)	__VA_ARGS__
#define TRACE_EVENT(name, proto, ...) void trace_##name(proto)
#define trace_esmtp_inspected_enabled() true

#endif /* KERNEL_BASE_H */
