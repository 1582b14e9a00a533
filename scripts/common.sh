# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by the scripts beside it.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${ESMTP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nf_conntrack_esmtp}

# A user's own paths may lack sbin, where modprobe, mke2fs and chroot are.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

say()
{
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die()
{
	say "$@"
	exit 1
}

# packages SECTION: the names that scripts/packages lists there.
packages()
{
	awk -v want="[$1]" '/^\[/ { on = $0 == want; next } on && /^[^#]/' "$top/scripts/packages"
}

# The kernel of the test VM: the newest Debian cloud kernel that headers are installed for.
vm_kernel()
{
	local d
	# shellcheck disable=SC2012 # names of packages, nothing odd in them
	d=$(ls -d /usr/src/linux-headers-*-cloud-amd64 2>/dev/null | sort -V | tail -n 1)
	[ -n "$d" ] || die "no cloud kernel headers: run scripts/setup"
	printf '%s\n' "${d#/usr/src/linux-headers-}"
}

# kernel_named START: the whole version of a kernel that we have headers of; nothing: that of the test VM
kernel_named()
{
	local v
	v=$(vm_kernel)
	case $v in
	"$1"*) printf '%s\n' "$v" && return ;;
	esac
	# shellcheck disable=SC2012
	v=$(ls "$("$top/scripts/image" headers)/usr/src" | sed -n 's/^linux-headers-\(.*-cloud-amd64\)$/\1/p' |
		sort -V | awk -v start="$1" 'index($0, start) == 1 { v = $0 } END { print v }')
	[ -n "$v" ] || die "no headers of a kernel $1"
	printf '%s\n' "$v"
}

# A test in the VM with this line runs on the instruction clock (scripts/vm -i).
on_clock='^# clock: instructions$'
