// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of the table. Addresses and ports are interval sets, in which each
 * interval is two elements: its first key, and behind its last key one with the flag
 * "interval end". What reaches to the largest key has no end.
 */
#include <libnftnl/set.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "nft.h"
#include "util.h"

#define IFNAME_BYTES 16

#define PORT_REG 4	/* bytes of a port behind an address: a register */

/* Elements in one message: attributes are shorter than 64 KiB. */
#define ELEMENTS_MAX 512u

/* nft's numbers for the types of keys: they make the set readable there. */
enum nft_datatype {
	NFT_TYPE_IPADDR = 7,
	NFT_TYPE_IP6ADDR = 8,
	NFT_TYPE_PORT = 13,
	NFT_TYPE_BITS = 6,	/* of each in the type of a key of several */
	NFT_TYPE_IFNAME = 41,
};

/* nft's numbers for orders of bytes. */
enum nft_byteorder {
	NFT_HOST_ENDIAN = 1,
	NFT_BIG_ENDIAN = 2,
};

static const char *kind_suffix(uint8_t len)
{
	return len == KEY_IPV4 ? "ipv4" : len == KEY_IPV6 ? "ipv6" : "port";
}

static void ref_name(char *buf, size_t size, const char *name, uint8_t len)
{
	snprintf(buf, size, "set.%s.%s", name, kind_suffix(len));
}

/**
 * nft_named_set() - the set that a named set is
 * @buf: where to
 * @size: its bytes
 * @s: the named set
 * @len: KEY_* of the elements; addresses have a set for each family
 *
 * Return: true if it has such elements.
 */
bool nft_named_set(char *buf, size_t size, const struct named_set *s, uint8_t len)
{
	ref_name(buf, size, s->name, len);
	return intervals_have(&s->keys, len);
}

static void line_name(char *buf, size_t size, const struct class *k, enum class_line line,
		      uint8_t len)
{
	const char *suffix = line >= CLASS_DPORT ? "" : len == KEY_IPV4 ? "4" : "6";

	snprintf(buf, size, "class.%s.%s%s", k->name, class_line_name(line), suffix);
}

/**
 * nft_set_name() - the set to look into for one line of a class
 * @buf: where to
 * @size: its bytes
 * @k: the class
 * @line: the line
 * @len: KEY_* of the elements; addresses have a set for each family
 *
 * Return: true if the class has such elements.
 */
bool nft_set_name(char *buf, size_t size, const struct class *k, enum class_line line, uint8_t len)
{
	if (!(k->lines & 1u << line))
		return false;
	if (line <= CLASS_DPORT && !intervals_have(&k->keys[line], len))
		return false;
	if (line <= CLASS_DPORT && k->refs[line])
		ref_name(buf, size, k->refs[line], len);
	else
		line_name(buf, size, k, line, len);
	return true;
}

static struct nftnl_set *set_new(struct nft_batch *b, const char *name, uint32_t flags,
				 uint32_t type, uint32_t len)
{
	struct nftnl_set *s = nftnl_set_alloc();

	nftnl_set_set_str(s, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, name);
	nftnl_set_set_u32(s, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_u32(s, NFTNL_SET_ID, b->seq);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, flags);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, len);
	/*
	 * Sets that the kernel fills are given no size: that rules may put 65,535 elements into them is its
	 * own default, and for a size it would take a hash table of 1 MiB at once, for each of the sets.
	 */
	return s;
}

static void set_send(struct nft_batch *b, struct nftnl_set *s, const char *name,
		     enum nft_byteorder order, const char *comment)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);
	struct nlmsghdr *nlh;

	nftnl_udata_put_u32(udata, NFTNL_UDATA_SET_KEYBYTEORDER, order);
	if (comment)
		nftnl_udata_put_strz(udata, NFTNL_UDATA_SET_COMMENT, comment);
	nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(udata),
			   nftnl_udata_buf_len(udata));
	nlh = nft_message(b, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, mem_printf("set %s", name));
	nftnl_set_nlmsg_build_payload(nlh, s);
	nft_message_done(b);
	nftnl_udata_buf_free(udata);
	nftnl_set_free(s);
}

static void put_set(struct nft_batch *b, const char *name, uint32_t flags, uint32_t type,
		    uint32_t len, enum nft_byteorder order, const char *comment)
{
	set_send(b, set_new(b, name, flags, type, len), name, order, comment);
}

static struct nftnl_set *elements_new(const char *name)
{
	struct nftnl_set *s = nftnl_set_alloc();

	nftnl_set_set_str(s, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(s, NFTNL_SET_NAME, name);
	return s;
}

static void element_add(struct nftnl_set *s, const void *key, uint32_t len, uint32_t flags)
{
	struct nftnl_set_elem *e = nftnl_set_elem_alloc();

	nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, len);
	if (flags)
		nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_FLAGS, flags);
	nftnl_set_elem_add(s, e);
}

static void elements_send(struct nft_batch *b, struct nftnl_set *s, const char *name)
{
	struct nlmsghdr *nlh = nft_message(b, NFT_MSG_NEWSETELEM, NLM_F_CREATE | NLM_F_EXCL,
					   mem_printf("elements of set %s", name));

	nftnl_set_elems_nlmsg_build_payload(nlh, s);
	nft_message_done(b);
	nftnl_set_free(s);
}

/**
 * nft_put_elements() - add intervals to a set
 * @b: the transaction
 * @name: of the set
 * @len: KEY_*; others in @set are left out
 * @set: the intervals, merged
 */
void nft_put_elements(struct nft_batch *b, const char *name, uint8_t len,
		      const struct intervals *set)
{
	struct nftnl_set *s = NULL;
	uint8_t end[KEY_MAX];
	unsigned int n = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct interval *iv = &set->v[i];

		if (iv->len != len)
			continue;
		if (!s)
			s = elements_new(name);
		element_add(s, iv->lo, len, 0);
		memcpy(end, iv->hi, len);
		if (interval_step(end, len, 1))
			element_add(s, end, len, NFT_SET_ELEM_INTERVAL_END);
		if (++n % ELEMENTS_MAX == 0) {
			elements_send(b, s, name);
			s = NULL;
		}
	}
	if (s)
		elements_send(b, s, name);
}

static void put_key_set(struct nft_batch *b, const char *name, uint8_t len, const char *comment)
{
	uint32_t type = len == KEY_IPV4 ? NFT_TYPE_IPADDR :
			len == KEY_IPV6 ? NFT_TYPE_IP6ADDR : NFT_TYPE_PORT;

	put_set(b, name, NFT_SET_INTERVAL, type, len, NFT_BIG_ENDIAN, comment);
}

/**
 * nft_put_key_set() - make a set of addresses or ports
 * @b: the transaction
 * @name: of the set
 * @len: KEY_*; others in @set are left out
 * @set: the intervals, merged
 * @comment: what a listing has to know besides, or NULL
 */
void nft_put_key_set(struct nft_batch *b, const char *name, uint8_t len,
		     const struct intervals *set, const char *comment)
{
	put_key_set(b, name, len, comment);
	nft_put_elements(b, name, len, set);
}

/**
 * nft_put_count_set() - make a set that the kernel fills, with a count at each address
 * @b: the transaction
 * @name: of the set
 * @len: KEY_*
 */
void nft_put_count_set(struct nft_batch *b, const char *name, uint8_t len)
{
	put_set(b, name, NFT_SET_EVAL, len == KEY_IPV4 ? NFT_TYPE_IPADDR : NFT_TYPE_IP6ADDR, len,
		NFT_BIG_ENDIAN, NULL);
}

/**
 * nft_put_timed_set() - make a set of addresses with a port that the kernel fills, and forgets again
 * @b: the transaction
 * @name: of the set
 * @len: KEY_*, of the address
 * @timeout: milliseconds
 */
void nft_put_timed_set(struct nft_batch *b, const char *name, uint8_t len, uint64_t timeout)
{
	uint32_t type = len == KEY_IPV4 ? NFT_TYPE_IPADDR : NFT_TYPE_IP6ADDR;
	struct nftnl_set *s = set_new(b, name, NFT_SET_EVAL | NFT_SET_TIMEOUT,
				      type << NFT_TYPE_BITS | NFT_TYPE_PORT, len + PORT_REG);

	nftnl_set_set_u64(s, NFTNL_SET_TIMEOUT, timeout);
	set_send(b, s, name, NFT_BIG_ENDIAN, NULL);
}

/**
 * nft_put_ref_set() - make an empty set that says of which named set a line of a class is
 * @b: the transaction
 * @k: the class
 * @line: the line
 *
 * Rules look into the named set. This one keeps the class, and its place among the others, for
 * a listing.
 */
void nft_put_ref_set(struct nft_batch *b, const struct class *k, enum class_line line)
{
	uint8_t len = k->keys[line].v[0].len;
	char name[NFT_SET_NAME_MAX];

	line_name(name, sizeof(name), k, line, len);
	put_key_set(b, name, len, mem_printf("@%s", k->refs[line]));
}

/* All names that begin with what stands before the star: an interval. */
static void ifname_add(struct nftnl_set *s, const char *name, bool interval)
{
	size_t stem = strlen(name);
	bool star = name[stem - 1] == '*';
	uint8_t key[IFNAME_BYTES] = { 0 };

	memcpy(key, name, stem - star);
	element_add(s, key, sizeof(key), 0);
	if (interval && interval_step(key, star ? (uint8_t)(stem - 1) : sizeof(key), 1))
		element_add(s, key, sizeof(key), NFT_SET_ELEM_INTERVAL_END);
}

static bool any_star(const struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (strchr(names->v[i], '*'))
			return true;
	return false;
}

/**
 * nft_put_ifname_set() - make a set of names of interfaces
 * @b: the transaction
 * @name: of the set
 * @names: the interfaces
 */
void nft_put_ifname_set(struct nft_batch *b, const char *name, const struct names *names)
{
	bool interval = any_star(names);
	struct nftnl_set *s = NULL;

	put_set(b, name, interval ? NFT_SET_INTERVAL : 0, NFT_TYPE_IFNAME, IFNAME_BYTES,
		NFT_HOST_ENDIAN, NULL);
	for (size_t i = 0; i < names->n; i++) {
		if (!s)
			s = elements_new(name);
		ifname_add(s, names->v[i], interval);
		if ((i + 1) % ELEMENTS_MAX == 0) {
			elements_send(b, s, name);
			s = NULL;
		}
	}
	if (s)
		elements_send(b, s, name);
}

/**
 * nft_flush_set() - take all elements out of a set
 * @b: the transaction
 * @name: of the set
 */
void nft_flush_set(struct nft_batch *b, const char *name)
{
	struct nftnl_set *s = elements_new(name);
	struct nlmsghdr *nlh = nft_message(b, NFT_MSG_DELSETELEM, 0, mem_printf("set %s", name));

	nftnl_set_elems_nlmsg_build_payload(nlh, s);
	nft_message_done(b);
	nftnl_set_free(s);
}
