# SPDX-License-Identifier: GPL-2.0-only
# The test bed itself, without inspection: if this fails, nothing else means anything.
. ./lib.sh

lab_up
expect "IPv4 passes" on client ping -qc 1 -W 5 $server4
expect "IPv6 passes" on client ping -qc 1 -W 5 $server6
expect "offloads off" offloads off
expect "offloads on" offloads on
expect "Postfix starts" postfix_up server

postfix_relay client $server4
expect "Postfix starts as a sender" postfix_up client
postfix_send client a@client.test user1@server.test <<E
Subject: hello

hello
E
delivered()
{
	[ "$(mails server user1)" = "$1" ]
}
expect "a mail arrives" wait_for 30 delivered 1
refuse "the sender sees no firewall" maillog client "enabling PIX workarounds"

expect "NAT" nat both
greeting()
{
	on client timeout 10 bash -c "read -r l <>/dev/tcp/$1/25 && echo \"\$l\""
}
equal "greeting through IPv4 NAT" "220 server.test ESMTP"$'\r' "$(greeting $router4)"
equal "greeting through IPv6 NAT" "220 server.test ESMTP"$'\r' "$(greeting $router6)"
expect "the server sees the router" maillog server "connect from unknown\[10.0.2.1\]"
expect "NAT off" nat off
