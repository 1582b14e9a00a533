# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by the scripts beside it.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${ESMTP_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/nf_conntrack_esmtp}

# A user's own paths may lack sbin, where modprobe, mke2fs and chroot are.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive

# The suite that the host is, and those that have newer kernels, in the order in which a version is looked for.
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-bookworm}")
newer='trixie forky'
# Kernels that all of it is tested with.
promised='6.1 6.12 7.2 7.3'

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

# is_own NAME: one of the debug kernels, which scripts/image builds from source
is_own()
{
	[ "$1" = uml ] || [ "$1" = debug ]
}

# arch_of KERNEL: ARCH= of a debug kernel
arch_of()
{
	case $1 in
	uml) echo um ;;
	debug) echo x86 ;;
	esac
}

# kernel_named START: the whole version of a kernel that we have headers of; nothing: that of the test VM; debug kernels
# have no other names
kernel_named()
{
	local v s
	! is_own "$1" || { printf '%s\n' "$1"; return; }
	v=$(vm_kernel)
	case $v in
	"$1"*) printf '%s\n' "$v" && return ;;
	esac
	for s in $newer; do
		v=$(kernels_of "$s" | awk -v start="$1" 'index($0, start) == 1 { v = $0 } END { print v }')
		[ -z "$v" ] || break
	done
	[ -n "$v" ] || die "no headers of a kernel $1"
	printf '%s\n' "$v"
}

# kernels_of SUITE: versions of the kernels that we have from it, oldest first
kernels_of()
{
	local dir
	[ "$1" != "$suite" ] || { vm_kernel; return; }
	dir=$("$top/scripts/image" headers "$1") && [ -n "$dir" ] || die "no headers of $1"
	# shellcheck disable=SC2012
	ls "$dir/usr/src" | sed -n 's/^linux-headers-\(.*-cloud-amd64\)$/\1/p' | sort -V
}

# suite_of VERSION: where a kernel comes from, by its whole version
suite_of()
{
	local s
	! is_own "$1" || set -- "$(vm_kernel)"
	for s in $suite $newer; do
		! kernels_of "$s" | grep -qxF "$1" || { printf '%s\n' "$s"; return; }
	done
	die "no headers of a kernel $1"
}

# copy_sources FROM TO: the module's sources as they are now. Only a file that differs is new to make, whatever its age; one
# that went away starts the copy over.
copy_sources()
{
	local from=$1 to=$2 list f
	list=$(cd "$from" && find Kbuild kmod include -name '*.[ch]' -o -name Kbuild | sort)
	if [ "$list" != "$(cat "$to/.list" 2>/dev/null)" ]; then
		rm -rf "$to"
		mkdir -p "$to"
		printf '%s\n' "$list" >"$to/.list"
	fi
	for f in $list; do
		cmp -s "$from/$f" "$to/$f" || install -D -m 644 "$from/$f" "$to/$f"
	done
}

# A test in the VM with this line runs on the instruction clock (scripts/vm -i).
on_clock='^# clock: instructions$'
