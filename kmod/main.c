// SPDX-License-Identifier: GPL-2.0-only
/* nf_conntrack_esmtp: what is set up and in which order, and the counters of a namespace. */
#include <linux/module.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "embryonic.h"
#include "helper.h"
#include "netlink.h"
#include "ns_table.h"
#include "policy.h"
#include "session.h"

static unsigned int esmtp_net_id __read_mostly;

struct esmtp_net *esmtp_net(const struct net *net)
{
	return net_generic(net, esmtp_net_id);
}

void esmtp_count(struct esmtp_net *en, enum esmtp_ns_counter c)
{
	struct esmtp_ns_counters *cpu;

	local_bh_disable();
	cpu = this_cpu_ptr(en->counters);
	u64_stats_update_begin(&cpu->syncp);
	u64_stats_inc(&cpu->v[c]);
	u64_stats_update_end(&cpu->syncp);
	local_bh_enable();
}

static void sums_raw(struct esmtp_net *en, u64 *sum)
{
	u64 v[__ESMTP_NC_MAX];
	unsigned int start, c;
	int cpu;

	memset(sum, 0, sizeof(v));
	for_each_possible_cpu(cpu) {
		struct esmtp_ns_counters *s = per_cpu_ptr(en->counters, cpu);

		do {
			start = u64_stats_fetch_begin(&s->syncp);
			for (c = 0; c < __ESMTP_NC_MAX; c++)
				v[c] = u64_stats_read(&s->v[c]);
		} while (u64_stats_fetch_retry(&s->syncp, start));
		for (c = 0; c < __ESMTP_NC_MAX; c++)
			sum[c] += v[c];
	}
}

void esmtp_net_sums(struct esmtp_net *en, bool absolute, u64 *sum)
{
	unsigned int c;

	sums_raw(en, sum);
	for (c = 0; !absolute && c < __ESMTP_NC_MAX; c++)
		sum[c] -= en->base[c];
}

void esmtp_net_reset(struct esmtp_net *en)
{
	sums_raw(en, en->base);
}

static int __net_init net_init(struct net *net)
{
	struct esmtp_net *en = esmtp_net(net);
	int cpu;

	en->counters = alloc_percpu(struct esmtp_ns_counters);
	if (!en->counters)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		u64_stats_init(&per_cpu_ptr(en->counters, cpu)->syncp);
	en->net = net;
	mutex_init(&en->config);
	esmtp_embryonic_init(en);
	return 0;
}

static void __net_exit net_pre_exit(struct net *net)
{
	struct esmtp_net *en = esmtp_net(net);

	esmtp_guard_off(en);
	esmtp_stage_drop(en);
	esmtp_sessions_net_exit(en);
}

static void __net_exit net_exit(struct net *net)
{
	struct esmtp_net *en = esmtp_net(net);

	esmtp_policies_drop(en);
	esmtp_tables_free(en->tables);
	esmtp_generations_drop(en);
	esmtp_embryonic_exit(en);
	free_percpu(en->counters);
}

static struct pernet_operations net_ops = {
	.init		= net_init,
	.pre_exit	= net_pre_exit,
	.exit		= net_exit,
	.id		= &esmtp_net_id,
	.size		= sizeof(struct esmtp_net),
};

static int __init esmtp_init(void)
{
	int err;

	err = esmtp_sessions_init();
	if (err)
		return err;
	err = esmtp_closing_init();
	if (err)
		goto undo_sessions;
	err = register_pernet_subsys(&net_ops);
	if (err)
		goto undo_closing;
	err = esmtp_helpers_init();
	if (err)
		goto undo_net;
	err = esmtp_netlink_init();
	if (err)
		goto undo_helpers;
	return 0;

undo_helpers:
	esmtp_helpers_exit();
undo_net:
	unregister_pernet_subsys(&net_ops);
	esmtp_sessions_exit();
undo_closing:
	esmtp_closing_exit();
undo_sessions:
	rcu_barrier();
	esmtp_sessions_destroy();
	return err;
}

static void __exit esmtp_exit(void)
{
	esmtp_netlink_exit();
	esmtp_helpers_exit();
	unregister_pernet_subsys(&net_ops);
	esmtp_sessions_exit();
	esmtp_closing_exit();
	rcu_barrier();
	esmtp_sessions_destroy();
}

module_init(esmtp_init);
module_exit(esmtp_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("ESMTP inspection as a connection tracking helper");
MODULE_VERSION(ESMTP_VERSION);
/* One alias a name: nft names the helper, the kernel loads the module. */
MODULE_ALIAS_NFCT_HELPER("esmtp");
MODULE_ALIAS_NFCT_HELPER("esmtp-1");
MODULE_ALIAS_NFCT_HELPER("esmtp-2");
MODULE_ALIAS_NFCT_HELPER("esmtp-3");
MODULE_ALIAS_NFCT_HELPER("esmtp-4");
MODULE_ALIAS_NFCT_HELPER("esmtp-5");
MODULE_ALIAS_NFCT_HELPER("esmtp-6");
MODULE_ALIAS_NFCT_HELPER("esmtp-7");
