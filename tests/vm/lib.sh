# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Sourced by every test in the VM.
#
#     +-----------+            +----------------------+            +-----------+
#     |  client   |            |        router        |            |  server   |
#     |           |            |  nf_conntrack_esmtp  |            |           |
#     |        c0 |------------| rc                rs |------------| s0        |
#     +-----------+            +----------------------+            +-----------+
#      10.0.1.2/24              10.0.1.1      10.0.2.1               10.0.2.2/24
#      fd00:1::2/64             fd00:1::1    fd00:2::1              fd00:2::2/64
#
# Each box is a network namespace, each line a pair of veth. Client and server have more addresses for exempt and other
# hosts: 10.0.1.3, 10.0.2.3, fd00:1::3, fd00:2::3.
#
# "lab_up relayed" cuts both lines in two: the inner ends c1, rc1, rs1 and s1 (named after their peers) are in a namespace
# "wire" of their own, and nothing passes until a relay there does it.

client4=10.0.1.2 client6=fd00:1::2 server4=10.0.2.2 server6=fd00:2::2
router4=10.0.1.1 router6=fd00:1::1
client4b=10.0.1.3 client6b=fd00:1::3 server4b=10.0.2.3 server6b=fd00:2::3
export client4 client6 server4 server6 router4 router6 client4b client6b server4b server6b

# on NAMESPACE COMMAND...
on()
{
	ip netns exec "$@"
}

now()
{
	local up
	read -r up _ </proc/uptime
	printf '%s\n' "$up"
}

#
# Results. One line each; tests/vm/run counts them.
#
_since=$(now)

result()
{
	local up
	up=$(now)
	printf '%s # %s s\n' "$1" "$(awk -v a="$_since" -v b="$up" 'BEGIN { printf "%.1f", b - a }')"
	_since=$up
}

ok()
{
	result "ok $*"
}

# not_ok NAME [EXPLANATION...]
not_ok()
{
	result "not ok $1"
	[ $# -lt 2 ] || printf '%s\n' "${@:2}" | sed 's/^/    /'
}

# expect NAME COMMAND...: ok when the command succeeds; else what it said is shown
expect()
{
	local out
	if out=$("${@:2}" 2>&1); then
		ok "$1"
	else
		not_ok "$1" "failed: ${*:2}" "$out"
	fi
}

# refuse NAME COMMAND...: ok when the command fails
refuse()
{
	local out
	if out=$("${@:2}" 2>&1); then
		not_ok "$1" "succeeded: ${*:2}" "$out"
	else
		ok "$1"
	fi
}

# equal NAME EXPECTED FOUND
equal()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "expected: $2" "found:    $3"
	fi
}

# wait_for SECONDS COMMAND...: until it succeeds; fails when time is over
wait_for()
{
	local end
	end=$(($(date +%s) + $1))
	until "${@:2}" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.1
	done
}

#
# The kernel's log. What stands in it when a test begins is not the test's.
#
kernel_log_start()
{
	dmesg --clear
}

# kernel_log_bad: lines that no kernel may print: whatever it calls a warning or worse, and what has such words in it at any
# level. Not ours are the taint of a module that is not the kernel's own, netlink's words for malformed messages, TCP's remarks
# about a full listener and about packets put together from fragments that are longer than a segment ("suspect GRO"), and
# clocks and timers that find the emulated machine slow.
kernel_log_bad()
{
	local other='taint|netlink: .*(leftover|attribute type)|(nla_validate_parse|validate_nla): [0-9]+ callbacks suppressed|Possible SYN flooding|suspect GRO|clocksource|hrtimer: interrupt took|perf: interrupt took'
	{
		dmesg -l emerg,alert,crit,err,warn | grep -vE "$other"
		dmesg | grep -E 'WARNING|BUG|Oops|Call Trace|UBSAN|KASAN|KCSAN|INFO: (possible|task|rcu)|possible (recursive|circular|irq)|general protection|unregister_netdevice: waiting|refcount_t|scheduling while atomic|unreferenced object|segfault'
	} | grep .
}

# kernel_log_check NAME: one result
kernel_log_check()
{
	local bad
	if bad=$(kernel_log_bad); then
		not_ok "$1" "$bad" "--- the log:" "$(dmesg | tail -n 60)"
	else
		ok "$1"
	fi
}

#
# The network.
#
# lab_up [relayed]
lab_up()
{
	local n
	for n in client router server; do
		ip netns add $n
		on $n sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 \
			net.ipv6.conf.default.accept_ra=0
		ip -n $n link set lo up
	done
	if [ "${1:-}" = relayed ]; then
		lines_cut
	else
		ip link add c0 netns client type veth peer name rc netns router
		ip link add s0 netns server type veth peer name rs netns router
	fi
	ip -n client -b - <<-E
		addr add $client4/24 dev c0
		addr add $client4b/24 dev c0
		addr add $client6/64 dev c0 nodad
		addr add $client6b/64 dev c0 nodad
		link set c0 up
		route add default via 10.0.1.1
		route add default via fd00:1::1
	E
	ip -n server -b - <<-E
		addr add $server4/24 dev s0
		addr add $server4b/24 dev s0
		addr add $server6/64 dev s0 nodad
		addr add $server6b/64 dev s0 nodad
		link set s0 up
		route add default via 10.0.2.1
		route add default via fd00:2::1
	E
	ip -n router -b - <<-E
		addr add 10.0.1.1/24 dev rc
		addr add 10.0.2.1/24 dev rs
		addr add fd00:1::1/64 dev rc nodad
		addr add fd00:2::1/64 dev rs nodad
		link set rc up
		link set rs up
	E
	on router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
}

# lines_cut: each end of a line gets a peer in "wire"
lines_cut()
{
	local inner outer
	ip netns add wire
	on wire sysctl -qw net.ipv6.conf.default.disable_ipv6=1
	for inner in c1 rc1 rs1 s1; do
		case $inner in
		c1) outer="c0 netns client" ;;
		s1) outer="s0 netns server" ;;
		*) outer="${inner%1} netns router" ;;
		esac
		# shellcheck disable=SC2086
		ip link add $outer type veth peer name $inner netns wire
		ip -n wire link set $inner up
	done
}

# lab_down: ends every process in the namespaces and removes them
lab_down()
{
	local n p
	for n in client router server wire; do
		for p in $(ip netns pids $n 2>/dev/null); do
			kill -KILL "$p" 2>/dev/null
		done
	done
	for n in client router server wire; do
		# A socket of its own that is still saying goodbye keeps a namespace for minutes, and its table the module.
		ip netns exec $n nft flush ruleset 2>/dev/null
		ip netns del $n 2>/dev/null
	done
	rm -rf /run/postfix-*
	return 0
}

# offloads on|off: segmentation, receive merging and checksums, on both ends of both lines
offloads()
{
	on client ethtool -K c0 tx "$1" sg "$1" tso "$1" gso "$1" gro "$1" >/dev/null
	on server ethtool -K s0 tx "$1" sg "$1" tso "$1" gso "$1" gro "$1" >/dev/null
	on router ethtool -K rc tx "$1" sg "$1" tso "$1" gso "$1" gro "$1" >/dev/null
	on router ethtool -K rs tx "$1" sg "$1" tso "$1" gso "$1" gro "$1" >/dev/null
}

# nat off | dnat | masquerade | both: on the router. dnat: its address towards the client, port 25, is the server's.
# masquerade: the server sees the router as the client.
nat()
{
	local dnat='' masquerade=''
	on router nft 'table inet labnat; delete table inet labnat'
	case $1 in
	off) return ;;
	dnat | both)
		dnat="iifname rc ip daddr $router4 tcp dport 25 dnat ip to $server4
			iifname rc ip6 daddr $router6 tcp dport 25 dnat ip6 to $server6" ;;&
	masquerade | both) masquerade="oifname rs masquerade" ;;
	esac
	on router nft -f - <<-E
		table inet labnat {
			chain prerouting {
				type nat hook prerouting priority dstnat
				$dnat
			}
			chain postrouting {
				type nat hook postrouting priority srcnat
				$masquerade
			}
		}
	E
}

#
# Postfix, one instance for each namespace: /etc/postfix-NAME, its queue, its log /var/log/mail-NAME.log. The master is
# started itself: the "postfix" command runs a minute of shell scripts here. Everything is delivered into /var/mail of
# the instance: /var/mail-NAME/USER.
#
postfix_config()
{
	local name=$1 d=/etc/postfix-$1 q=/var/spool/postfix-$1
	[ ! -e "$d" ] || return 0
	mkdir -p "$d" "$q" "/var/lib/postfix-$name" "/var/mail-$name"
	cp /etc/postfix/{dynamicmaps.cf,postfix-files} "$d/" 2>/dev/null
	cp -r /etc/postfix/*.d "$d/" 2>/dev/null
	# No chroot: it would want copies of half of /etc.
	awk '/^[a-z]/ && NF >= 8 { $5 = "n" } { print }' /etc/postfix/master.cf >"$d/master.cf"
	cat >"$d/main.cf" <<-E
		compatibility_level = 3.6
		queue_directory = $q
		data_directory = /var/lib/postfix-$name
		mail_spool_directory = /var/mail-$name
		maillog_file = /var/log/mail-$name.log
		syslog_name = postfix-$name
		multi_instance_name = postfix-$name
		myhostname = $name.test
		mydestination = $name.test, localhost
		mynetworks = 127.0.0.0/8, [::1]/128, 10.0.0.0/8, [fd00::]/16
		inet_interfaces = all
		inet_protocols = all
		smtpd_banner = \$myhostname ESMTP
		smtpd_peername_lookup = no
		smtpd_client_connection_rate_limit = 0
		smtpd_error_sleep_time = 0
		smtpd_tls_security_level = may
		smtpd_tls_cert_file = /etc/ssl/test.pem
		smtpd_tls_key_file = /etc/ssl/test.key
		smtp_tls_security_level = may
		smtp_pix_workaround_threshold_time = 0
		smtp_host_lookup = native
		disable_dns_lookups = yes
		smtputf8_enable = yes
		message_size_limit = 52428800
		mailbox_size_limit = 0
		alias_maps =
		alias_database =
		local_recipient_maps =
		home_mailbox =
		mailbox_transport =
		biff = no
	E
	(
		cd "$q" || exit
		mkdir -p active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace
		chown postfix active bounce corrupt defer deferred flush hold incoming maildrop private public saved trace
		chown root pid
		chgrp postdrop maildrop public
		chmod 700 active bounce corrupt defer deferred flush hold incoming private saved trace
		chmod 730 maildrop
		chmod 710 public
	)
	chown postfix:postfix "/var/lib/postfix-$name"
	chown root:mail "/var/mail-$name"
	chmod 2775 "/var/mail-$name"
	: >"/var/log/mail-$name.log"
	postconf -e "alternate_config_directories = $(echo /etc/postfix-* | tr ' ' ,)"
}

# postfix_set NAME PARAMETER=VALUE...: before postfix_up, or followed by postfix_reload
postfix_set()
{
	postfix_config "$1"
	postconf -c "/etc/postfix-$1" -e "${@:2}"
}

listening()
{
	on "$1" ss -Hltn "sport = :$2" | grep -q .
}

# postfix_up NAMESPACE [NAME]: NAME is that of the namespace unless given
postfix_up()
{
	local ns=$1 name=${2:-$1}
	postfix_config "$name"
	on "$ns" /usr/lib/postfix/sbin/master -w -c "/etc/postfix-$name" </dev/null >/dev/null 2>&1
	wait_for 30 listening "$ns" 25 || {
		echo "Postfix does not listen in $ns:"
		cat "/var/log/mail-$name.log"
		return 1
	}
}

# Who runs already still has the old parameters.
postfix_reload()
{
	local master pid before
	master=$(tr -d ' ' <"/var/spool/postfix-$1/pid/master.pid")
	mapfile -t before < <(pgrep -P "$master")
	kill -HUP "$master"
	for pid in "${before[@]}"; do
		wait_for 10 process_gone "$pid"
	done
}

postfix_down()
{
	local pid
	pid=$(tr -d ' ' <"/var/spool/postfix-$1/pid/master.pid") || return 0
	kill "$pid" 2>/dev/null
	wait_for 10 process_gone "$pid"
}

process_gone()
{
	! kill -0 "$1" 2>/dev/null
}

# postfix_relay NAME ADDRESS: send everything that is not local to this server, by address
postfix_relay()
{
	postfix_set "$1" "relayhost=[$2]" "default_transport=smtp"
}

# postfix_send NAME FROM TO... <message: hand a message to the instance's queue
postfix_send()
{
	local name=$1 from=$2
	shift 2
	sendmail -C "/etc/postfix-$name" -oi -f "$from" "$@"
}

# maillog NAME PATTERN: does the instance's log hold a line of this pattern?
maillog()
{
	grep -E -- "$2" "/var/log/mail-$1.log"
}

# mailbox NAME USER: the messages that the instance has delivered
mailbox()
{
	cat "/var/mail-$1/$2" 2>/dev/null
}

mails()
{
	mailbox "$1" "$2" | grep -c '^From '
}

#
# The module and its tool.
#
module_loaded()
{
	grep -q '^nf_conntrack_esmtp ' /proc/modules
}

# rules NAMESPACE <file: put a configuration into force there
rules()
{
	on "$1" esmtpctl -f /dev/stdin
}
