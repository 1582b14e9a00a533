// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading the table back: classes from the names of the sets, the inspect list
 * from the comments of the rules in the chain "classify".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "nft.h"
#include "nft_udata.h"
#include "util.h"

#define READ_TRIES	10

/**
 * struct set_info - a set, from a dump
 * @name: its name
 * @comment: its comment, or NULL
 * @interval: two elements are one interval
 */
struct set_info {
	const char *name;
	const char *comment;
	bool interval;
};

/**
 * struct set_infos - the sets of the table, in the order in which they were made
 * @v: the sets
 * @n: how many
 * @room: of @v
 */
struct set_infos {
	struct set_info *v;
	size_t n;
	size_t room;
};

/**
 * struct element - one element of an interval set
 * @key: its key
 * @len: its bytes
 * @end: an interval ends before it
 */
struct element {
	uint8_t key[KEY_MAX];
	uint8_t len;
	bool end;
};

/**
 * struct elements - all elements of a set
 * @v: the elements
 * @n: how many
 * @room: of @v
 */
struct elements {
	struct element *v;
	size_t n;
	size_t room;
};

static void fill_table(struct nlmsghdr *nlh, const void *arg)
{
	(void)arg;
	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, NFT_TABLE);
}

static int on_udata(const struct nftnl_udata *attr, void *data)
{
	struct nft_table *t = data;
	uint8_t len = nftnl_udata_len(attr);
	const void *value = nftnl_udata_get(attr);

	switch (nftnl_udata_type(attr)) {
	case TABLE_UDATA_GENERATION:
		if (len == sizeof(t->generation))
			memcpy(&t->generation, value, sizeof(t->generation));
		break;
	case TABLE_UDATA_VERSION:
		t->version = mem_strndup(value, len);
		break;
	case TABLE_UDATA_PICKUP:
		t->config.pickup_pass = len == 1 && *(const uint8_t *)value;
		break;
	}
	return 0;
}

static int on_table(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_table *nt = nftnl_table_alloc();
	struct nft_table *t = data;
	const void *udata;
	uint32_t len;

	if (nftnl_table_nlmsg_parse(nlh, nt) == 0) {
		t->present = true;
		t->dormant = nftnl_table_get_u32(nt, NFTNL_TABLE_FLAGS) & NFT_TABLE_F_DORMANT;
		udata = nftnl_table_get_data(nt, NFTNL_TABLE_USERDATA, &len);
		if (udata)
			nftnl_udata_parse(udata, len, on_udata, t);
	}
	nftnl_table_free(nt);
	return MNL_CB_OK;
}

static void read_counter(struct nftnl_obj *o, struct nft_table *t)
{
	const char *name = nftnl_obj_get_str(o, NFTNL_OBJ_NAME);
	const struct guard_count count = {
		.packets = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_PKTS),
		.bytes = nftnl_obj_get_u64(o, NFTNL_OBJ_CTR_BYTES),
	};

	for (enum guard_counter n = 0; n < GUARD_COUNTERS; n++) {
		if (!strcmp(name, guard_counter_name(n)))
			t->guard.now[n] = count;
		if (!strcmp(name, nft_base_name(n)))
			t->guard.base[n] = count;
	}
}

static void read_helper(struct nftnl_obj *o, struct nft_table *t)
{
	const char *type = nftnl_obj_get_str(o, NFTNL_OBJ_CT_HELPER_NAME);
	unsigned int slot = 0;

	if (!type || (strcmp(type, ESMTP_HELPER_NAME) &&
		      sscanf(type, ESMTP_HELPER_NAME "-%u", &slot) != 1) || slot >= ESMTP_SLOTS)
		return;
	t->helpers |= 1u << slot;
	t->helper_names[slot] = mem_strdup(nftnl_obj_get_str(o, NFTNL_OBJ_NAME));
}

static int on_object(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_obj *o = nftnl_obj_alloc();
	struct nft_table *t = data;

	if (nftnl_obj_nlmsg_parse(nlh, o) == 0 &&
	    nftnl_obj_get_u32(o, NFTNL_OBJ_FAMILY) == NFPROTO_INET &&
	    !strcmp(nftnl_obj_get_str(o, NFTNL_OBJ_TABLE), NFT_TABLE)) {
		if (nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE) == NFT_OBJECT_COUNTER)
			read_counter(o, t);
		else if (nftnl_obj_get_u32(o, NFTNL_OBJ_TYPE) == NFT_OBJECT_CT_HELPER)
			read_helper(o, t);
	}
	nftnl_obj_free(o);
	return MNL_CB_OK;
}

static void fill_objects(struct nlmsghdr *nlh, const void *type)
{
	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, NFT_TABLE);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(*(const uint32_t *)type));
}

static int ask_objects(uint16_t msg, uint32_t type, struct nft_table *t)
{
	return nft_ask(msg, NLM_F_DUMP, fill_objects, &type, on_object, t);
}

static void fill_sets(struct nlmsghdr *nlh, const void *arg)
{
	(void)arg;
	mnl_attr_put_strz(nlh, NFTA_SET_TABLE, NFT_TABLE);
}

static int on_set_udata(const struct nftnl_udata *attr, void *data)
{
	struct set_info *info = data;

	if (nftnl_udata_type(attr) == NFTNL_UDATA_SET_COMMENT)
		info->comment = mem_strndup(nftnl_udata_get(attr), nftnl_udata_len(attr));
	return 0;
}

static struct set_info *set_info_new(struct set_infos *all)
{
	if (all->n == all->room) {
		size_t room = all->room ? all->room * 2 : 16;

		all->v = mem_grow(all->v, all->n * sizeof(*all->v), room * sizeof(*all->v));
		all->room = room;
	}
	return &all->v[all->n++];
}

static int on_set(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_set *s = nftnl_set_alloc();
	struct set_infos *all = data;
	struct set_info *info;
	const void *udata;
	uint32_t len;

	if (nftnl_set_nlmsg_parse(nlh, s) == 0 &&
	    !strcmp(nftnl_set_get_str(s, NFTNL_SET_TABLE), NFT_TABLE)) {
		info = set_info_new(all);
		*info = (struct set_info){
			.name = mem_strdup(nftnl_set_get_str(s, NFTNL_SET_NAME)),
			.interval = nftnl_set_get_u32(s, NFTNL_SET_FLAGS) & NFT_SET_INTERVAL,
		};
		udata = nftnl_set_get_data(s, NFTNL_SET_USERDATA, &len);
		if (udata)
			nftnl_udata_parse(udata, len, on_set_udata, info);
	}
	nftnl_set_free(s);
	return MNL_CB_OK;
}

static int element_take(struct nftnl_set_elem *e, void *data)
{
	struct elements *all = data;
	struct element *el;
	const void *key;
	uint32_t len;

	key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);
	if (!key || len > KEY_MAX)
		return 0;
	if (all->n == all->room) {
		size_t room = all->room ? all->room * 2 : 64;

		all->v = mem_grow(all->v, all->n * sizeof(*all->v), room * sizeof(*all->v));
		all->room = room;
	}
	el = &all->v[all->n++];
	memset(el, 0, sizeof(*el));
	memcpy(el->key, key, len);
	el->len = (uint8_t)len;
	el->end = nftnl_set_elem_is_set(e, NFTNL_SET_ELEM_FLAGS) &&
		  nftnl_set_elem_get_u32(e, NFTNL_SET_ELEM_FLAGS) & NFT_SET_ELEM_INTERVAL_END;
	return 0;
}

static int on_elements(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_set *s = nftnl_set_alloc();

	if (nftnl_set_elems_nlmsg_parse(nlh, s) == 0)
		nftnl_set_elem_foreach(s, element_take, data);
	nftnl_set_free(s);
	return MNL_CB_OK;
}

static void fill_elements(struct nlmsghdr *nlh, const void *name)
{
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, name);
}

static int element_cmp(const void *a, const void *b)
{
	const struct element *x = a, *y = b;
	int c = memcmp(x->key, y->key, KEY_MAX);

	return c ? c : y->end - x->end;
}

static void close_interval(struct intervals *set, struct interval *iv, const struct element *end)
{
	if (end) {
		memcpy(iv->hi, end->key, iv->len);
		interval_step(iv->hi, iv->len, -1);
	} else {
		memset(iv->hi, 0xff, iv->len);
	}
	intervals_add(set, iv);
}

static void to_intervals(struct elements *all, uint8_t len, struct intervals *set)
{
	struct interval iv = { .len = len };
	bool open = false;

	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), element_cmp);
	for (size_t i = 0; i < all->n; i++) {
		const struct element *e = &all->v[i];

		if (open) {
			close_interval(set, &iv, e);
			open = false;
		}
		if (!e->end) {
			memcpy(iv.lo, e->key, len);
			open = true;
		}
	}
	if (open)
		close_interval(set, &iv, NULL);
	intervals_merge(set);
}

static const char *to_name(const uint8_t *key, bool star)
{
	const char *name = (const char *)key;

	return mem_printf("%.*s%s", (int)strnlen(name, KEY_MAX), name, star ? "*" : "");
}

/* Of an interval the end says whether it is one name or all with a common beginning. */
static void to_names(struct elements *all, bool interval, struct names *names)
{
	uint8_t next[KEY_MAX];
	bool star;

	names->v = mem_alloc((all->n + 1) * sizeof(*names->v));
	names->n = 0;
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), element_cmp);
	for (size_t i = 0; i < all->n; i++) {
		if (all->v[i].end)
			continue;
		memcpy(next, all->v[i].key, KEY_MAX);
		interval_step(next, KEY_MAX, 1);
		star = interval && (i + 1 == all->n || memcmp(next, all->v[i + 1].key, KEY_MAX));
		names->v[names->n++] = to_name(all->v[i].key, star);
	}
	names_sort(names);
}

static int ask_elements(const char *name, struct elements *all)
{
	return nft_ask(NFT_MSG_GETSETELEM, NLM_F_DUMP, fill_elements, name, on_elements, all);
}

static int read_keys(const char *name, uint8_t len, struct intervals *set)
{
	struct elements all = { 0 };
	int err = ask_elements(name, &all);

	to_intervals(&all, len, set);
	return err;
}

static struct class *class_get(struct config *c, const char *name)
{
	struct class **tail = &c->classes;

	for (; *tail; tail = &(*tail)->next)
		if (!strcmp((*tail)->name, name))
			return *tail;
	*tail = mem_alloc(sizeof(**tail));
	(*tail)->name = name;
	return *tail;
}

static const char *ref_of(const struct set_info *set)
{
	return set->comment && *set->comment == '@' ? set->comment + 1 : NULL;
}

static int read_class_keys(const struct set_info *set, uint8_t len, enum class_line line,
			   struct class *k, const struct config *c)
{
	const struct named_set *s;

	if (!ref_of(set))
		return read_keys(set->name, len, &k->keys[line]);
	s = config_set(c, ref_of(set));
	if (!s)
		return 0;
	k->refs[line] = s->name;
	k->keys[line] = s->keys;
	return 0;
}

static int read_class_line(const struct set_info *set, const char *word, enum class_line line,
			   struct class *k, const struct config *c)
{
	size_t len = strlen(class_line_name(line));
	struct elements all = { 0 };
	int err;

	k->lines |= 1u << line;
	if (line == CLASS_DPORT)
		return read_class_keys(set, KEY_PORT, line, k, c);
	if (line < CLASS_DPORT)
		return read_class_keys(set, word[len] == '4' ? KEY_IPV4 : KEY_IPV6, line, k, c);
	err = ask_elements(set->name, &all);
	to_names(&all, set->interval, &k->ifnames[line - CLASS_IIFNAME]);
	return err;
}

/* "class.NAME.LINE" with the family behind lines of addresses; a NAME may have dots. */
static int read_class_set(const struct set_info *set, struct config *c)
{
	const char *name = set->name + strlen("class."), *dot = strrchr(name, '.');
	struct class *k;

	if (!dot || dot == name)
		return 0;
	k = class_get(c, mem_strndup(name, (size_t)(dot - name)));
	for (enum class_line line = CLASS_HOST; line < CLASS_LINES; line++)
		if (!strncmp(dot + 1, class_line_name(line), strlen(class_line_name(line))))
			return read_class_line(set, dot + 1, line, k, c);
	return 0;
}

static struct named_set *named_set_get(struct config *c, const char *name)
{
	struct named_set **tail = &c->sets;

	for (; *tail; tail = &(*tail)->next)
		if (!strcmp((*tail)->name, name))
			return *tail;
	*tail = mem_alloc(sizeof(**tail));
	(*tail)->name = name;
	return *tail;
}

/* "set.NAME.KIND" */
static int read_named_set(const struct set_info *set, struct config *c)
{
	const char *name = set->name + strlen("set."), *dot = strrchr(name, '.');
	struct named_set *s;

	if (!dot || dot == name)
		return 0;
	s = named_set_get(c, mem_strndup(name, (size_t)(dot - name)));
	s->exempt |= set->comment && !strcmp(set->comment, "exempt");
	return read_keys(set->name, !strcmp(dot, ".ipv4") ? KEY_IPV4 :
			 !strcmp(dot, ".ipv6") ? KEY_IPV6 : KEY_PORT, &s->keys);
}

static int read_set(const struct set_info *set, struct nft_table *t)
{
	struct config *c = &t->config;

	if (!strcmp(set->name, NFT_GUARDED))
		return read_keys(NFT_GUARDED, KEY_PORT, &t->guarded);
	if (!strcmp(set->name, NFT_EXEMPT4))
		return read_keys(NFT_EXEMPT4, KEY_IPV4, &c->exempt);
	if (!strcmp(set->name, NFT_EXEMPT6))
		return read_keys(NFT_EXEMPT6, KEY_IPV6, &c->exempt);
	if (!strcmp(set->name, NFT_PORTS)) {
		c->ports_ref = ref_of(set);
		return read_keys(NFT_PORTS, KEY_PORT, &c->ports);
	}
	if (!strncmp(set->name, "set.", strlen("set.")))
		return read_named_set(set, c);
	if (!strncmp(set->name, "class.", strlen("class.")))
		return read_class_set(set, c);
	return 0;
}

static int read_sets(struct nft_table *t)
{
	struct set_infos all = { 0 };
	int err = nft_ask(NFT_MSG_GETSET, NLM_F_DUMP, fill_sets, NULL, on_set, &all);

	for (size_t i = 0; i < all.n && !err; i++)
		err = read_set(&all.v[i], t);
	return err;
}

/* A comment of the chain "classify" → a line of the list. */
static void read_inspect(const char *comment, struct config *c)
{
	char class[NFT_SET_NAME_MAX] = "", policy[NFT_SET_NAME_MAX] = "", what[16] = "";
	struct inspect l = { 0 }, **tail = &c->inspect, *last = NULL;

	if (sscanf(comment, "class %127s policy %127s", class, policy) == 2)
		l.kind = INSPECT_POLICY;
	else if (sscanf(comment, "class %127s %15s", class, what) == 2 && !strcmp(what, "exempt"))
		l.kind = INSPECT_EXEMPT;
	else if (sscanf(comment, "default policy %127s", policy) == 1)
		l.kind = INSPECT_POLICY;
	else if (!strcmp(comment, "default none"))
		l.kind = INSPECT_NONE;
	else
		return;
	l.class = *class ? mem_strdup(class) : NULL;
	l.policy = *policy ? mem_strdup(policy) : NULL;
	for (; *tail; tail = &(*tail)->next)
		last = *tail;
	/* A line of several rules has the same comment at each. */
	if (last && last->class && l.class && !strcmp(last->class, l.class))
		return;
	*tail = mem_alloc(sizeof(l));
	**tail = l;
}

static int on_comment(const struct nftnl_udata *attr, void *data)
{
	if (nftnl_udata_type(attr) == NFTNL_UDATA_RULE_COMMENT)
		read_inspect(mem_strndup(nftnl_udata_get(attr), nftnl_udata_len(attr)), data);
	return 0;
}

static int on_rule(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	const void *udata;
	uint32_t len;

	if (nftnl_rule_nlmsg_parse(nlh, r) == 0 &&
	    !strcmp(nftnl_rule_get_str(r, NFTNL_RULE_TABLE), NFT_TABLE) &&
	    !strcmp(nftnl_rule_get_str(r, NFTNL_RULE_CHAIN), "classify")) {
		udata = nftnl_rule_get_data(r, NFTNL_RULE_USERDATA, &len);
		if (udata)
			nftnl_udata_parse(udata, len, on_comment, data);
	}
	nftnl_rule_free(r);
	return MNL_CB_OK;
}

/* The line whose limits of this kind stand in the chain, or NULL. */
static struct inspect *line_of_chain(const char *chain, const char *kind, struct config *c)
{
	size_t len = strlen(kind);
	const char *class = !strncmp(chain, kind, len) && chain[len] == '.' ? chain + len + 1 : NULL;
	bool rest = !strncmp(chain, "default-", strlen("default-")) &&
		    !strcmp(chain + strlen("default-"), kind);

	for (struct inspect *l = c->inspect; l && (class || rest); l = l->next)
		if (l->class ? class && !strcmp(l->class, class) : rest)
			return l;
	return NULL;
}

static void take_limit(const char *chain, const char *comment, struct config *c)
{
	struct inspect *l;
	uint32_t n;

	l = line_of_chain(chain, "limit", c);
	if (l && sscanf(comment, "connections %" SCNu32, &n) == 1)
		l->connections = n;
	l = line_of_chain(chain, "embryonic", c);
	if (l && sscanf(comment, "embryonic %" SCNu32, &n) == 1) {
		l->embryonic = n;
		l->refuse = strstr(comment, " refuse");
	}
}

static int on_limit_comment(const struct nftnl_udata *attr, void *data)
{
	const char **comment = data;

	if (nftnl_udata_type(attr) == NFTNL_UDATA_RULE_COMMENT)
		*comment = mem_strndup(nftnl_udata_get(attr), nftnl_udata_len(attr));
	return 0;
}

static int on_limit_rule(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	const char *comment = NULL;
	const void *udata;
	uint32_t len;

	if (nftnl_rule_nlmsg_parse(nlh, r) == 0 &&
	    !strcmp(nftnl_rule_get_str(r, NFTNL_RULE_TABLE), NFT_TABLE)) {
		udata = nftnl_rule_get_data(r, NFTNL_RULE_USERDATA, &len);
		if (udata)
			nftnl_udata_parse(udata, len, on_limit_comment, &comment);
		if (comment)
			take_limit(nftnl_rule_get_str(r, NFTNL_RULE_CHAIN), comment, data);
	}
	nftnl_rule_free(r);
	return MNL_CB_OK;
}

static void fill_table_rules(struct nlmsghdr *nlh, const void *arg)
{
	(void)arg;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFT_TABLE);
}

static void fill_rules(struct nlmsghdr *nlh, const void *arg)
{
	(void)arg;
	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, NFT_TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, "classify");
}

static int read_once(struct nft_table *t)
{
	int err;

	memset(t, 0, sizeof(*t));
	err = nft_ask(NFT_MSG_GETTABLE, 0, fill_table, NULL, on_table, t);
	if (err == -ENOENT)
		return 0;
	if (!err)
		err = ask_objects(NFT_MSG_GETOBJ, NFT_OBJECT_COUNTER, t);
	if (!err)
		err = ask_objects(NFT_MSG_GETOBJ, NFT_OBJECT_CT_HELPER, t);
	if (!err)
		err = read_sets(t);
	if (!err)
		err = nft_ask(NFT_MSG_GETRULE, NLM_F_DUMP, fill_rules, NULL, on_rule, &t->config);
	if (!err)
		err = nft_ask(NFT_MSG_GETRULE, NLM_F_DUMP, fill_table_rules, NULL, on_limit_rule,
			      &t->config);
	t->guard.present = t->present;
	return err;
}

/**
 * nft_read() - read the table
 * @t: what it holds; not present if there is none
 * @errors: why it cannot be read
 *
 * Return: true if it was read, or is not there.
 */
bool nft_read(struct nft_table *t, struct erecs *errors)
{
	struct kerror ke = { 0 };
	int err = 0;

	/* Deleted or changed meanwhile: from the beginning. */
	for (int i = 0; i < READ_TRIES; i++) {
		err = read_once(t);
		if (err != -EINTR && err != -ENOENT)
			break;
	}
	if (!err)
		return true;
	ke.err = -err;
	if (err == -EPERM)
		erec_add(errors, NULL, "reading table inet %s is %s", NFT_TABLE, kerror_text(&ke));
	else
		erec_add(errors, NULL, "table inet %s cannot be read: %s", NFT_TABLE,
			 kerror_text(&ke));
	return false;
}
