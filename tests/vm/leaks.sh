# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced in the VM by run. What the kernel's memory scanner, kmemleak, finds after the tests, with the module gone; only a debug
# kernel has one.

_kmemleak=/sys/kernel/debug/kmemleak
_leaks_from=$(now)

leaks_scanned()
{
	[ -w "$_kmemleak" ]
}

# leaks_found: what is younger than the tests and nothing points to
leaks_found()
{
	awk -v most="$(awk -v a="$_leaks_from" -v b="$(now)" 'BEGIN { print b - a }')" '
		/^unreferenced object/ { head = $0; next }
		head != "" { match($0, /age [0-9.]+s/); show = substr($0, RSTART + 4, RLENGTH - 5) < most; if (show) print head; head = "" }
		show' "$_kmemleak"
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
		echo scan >"$_kmemleak"
	done
	found=$(leaks_found)
	if [ -n "$found" ]; then
		not_ok "$1" "$found"
	else
		ok "$1"
	fi
}
