# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced in the VM by what is run there first: the module goes where modprobe looks, the tool into the path.

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
}
