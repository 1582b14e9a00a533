# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced in the VM by run. What the kernel's memory scanner, kmemleak, finds after the tests, with the module gone; only a debug
# kernel has one.

_kmemleak=/sys/kernel/debug/kmemleak

# A debug kernel without one has something to say, too.
leaks_scanned()
{
	[ -w "$_kmemleak" ] || [[ $(uname -r) == *-debug ]]
}

# leaks_found: what nothing points to. Kernel 6.1 itself loses the name of a cache that it could not make.
leaks_found()
{
	awk '
		function flush() { if (text !~ /sysfs_slab_add/) printf "%s", text; text = "" }
		/^unreferenced object/ { flush() }
		{ text = text $0 "\n" }
		END { flush() }' "$_kmemleak"
}

# leaks_check NAME: one result. An object counts once it is five seconds old, and when two scans have found it unchanged.
leaks_check()
{
	local found
	_since=$(now)
	lab_down
	if module_loaded && ! wait_for 60 rmmod nf_conntrack_esmtp; then
		not_ok "$1" "the module cannot be unloaded"
		return
	fi
	for _ in 1 2; do
		sleep 6
		# It turns itself off when it has no memory for what it notes.
		echo scan >"$_kmemleak" || { not_ok "$1" "nobody looks for leaks any more"; return; }
	done
	found=$(leaks_found)
	if [ -n "$found" ]; then
		not_ok "$1" "$found"
	else
		ok "$1"
	fi
}
