# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced in the VM by what is run there first: the module goes where modprobe looks, the tool into the path.

# The kernel patches code on its way past netfilter's hooks when the first of a kind comes and when the last one goes. QEMU now and
# then runs such a place half patched, which ends in "Oops: int3". So some hooks stay, where nobody else is.
keep_hooks()
{
	local family hook _
	for family in inet bridge; do
		echo "table $family stay {"
		for hook in prerouting input forward output postrouting; do
			echo "chain $hook { type filter hook $hook priority 0; }"
		done
		echo "}"
	done >/run/hooks.nft
	(unshare -n sh -c 'nft -f /run/hooks.nft && echo done; exec sleep infinity' </dev/null >/run/hooks.log 2>&1 &)
	for _ in {1..100}; do
		! grep -qx done /run/hooks.log || return 0
		sleep 0.1
	done
	cat /run/hooks.log
	return 1
}

prepare()
{
	local dir
	dir=/lib/modules/$(uname -r)/extra
	mkdir -p "$dir"
	cp /job/nf_conntrack_esmtp.ko "$dir/" && depmod && cp /job/esmtpctl /usr/sbin/ || return 1
	[ ! -e /job/esmtp.conf ] || cp /job/esmtp.conf /etc/esmtp.conf
	modprobe -a nf_conntrack nf_tables nft_ct veth || return 1
	# A machine of this size has room for 8,192 entries. Tests that come and go as fast as they can leave more in TIME_WAIT.
	echo 65536 >/proc/sys/net/netfilter/nf_conntrack_max
	# With one processor that did not come, tests of what two do at once would say nothing.
	[ "$(nproc)" = "$(getconf _NPROCESSORS_CONF)" ] || { echo "only $(nproc) processors"; return 1; }
	[ "$(nproc)" = 1 ] || keep_hooks
}
