#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
# withstands
"""Links of other kinds, marks of congestion, what is bridged, and the router itself as an end."""
import contextlib
import socket

import lab
from lab import (ACK, CWR, ECE, PSH, RAW, RESETTING, SYN, begin, connect, envelope, grows, half_raw,
                 inspect, is_reset, joined, listen, quiet, raw_pair, read, rules, said, same, talk)
from mta import csum_errors

ECT1, ECT0, CE = 1, 2, 3


#
# Congestion.
#
def ecn_pair(v6):
    """Raw ends that have agreed on ECN."""
    lab._port += 1
    c = lab.Raw("client", lab._port, RAW["server"][v6], 25)
    s = lab.Raw("server", 25, RAW["client"][v6], lab._port, 2000000)
    c.strict = s.strict = True
    for a, b, flags in (c, s, SYN | ECE | CWR), (s, c, SYN | ACK | ECE):
        a.send(flags=flags)
        seg = b.get()
        assert seg and seg.flags == flags, f"{seg}"
        b.rcv = seg.seq + 1
    c.ack()
    s.want(b"")
    begin(c, s)
    return c, s


def test_ecn():
    """ECT and CE marks stay on packets that are edited and cut"""
    for v6 in False, True:
        c, s = ecn_pair(v6)
        for tos in ECT1, ECT0, CE, 0xb8 | CE:
            c.send(b"STARTTLS\r\n", tos=tos)
            seg = s.want(b"XXXXXXXX\r\n")
            assert seg.tos == tos, f"{seg.tos} is not {tos}"
            s.send(b"500 what\r\n", tos=tos)
            assert c.want(b"500 what\r\n").tos == tos
        envelope(c, s)
        for tos in ECT0, CE:
            c.send(b"DATA\r\nSubject: x\r\n", seq=s.rcv, tos=tos)
            seg = s.want(b"DATA\r\n")
            assert seg.tos == tos and seg.extra == 0, f"{seg.tos} is not {tos}"
            s.send(b"500 what\r\n", ack=s.rcv)
            c.want(b"500 what\r\n")
            c.snd = s.rcv


def test_ecn_flags():
    """ECE and CWR stay on segments that are edited and cut"""
    for v6 in False, True:
        c, s = ecn_pair(v6)
        for flags in ECE, CWR, ECE | CWR:
            c.send(b"STARTTLS\r\n", flags=ACK | PSH | flags)
            seg = s.want(b"XXXXXXXX\r\n")
            assert seg.flags == ACK | PSH | flags, f"{seg}"
            talk(s, c, b"500 what\r\n")
        envelope(c, s)
        c.send(b"DATA\r\nSubject: x\r\n", flags=ACK | PSH | ECE | CWR)
        seg = s.want(b"DATA\r\n")
        assert seg.flags & (ECE | CWR) == ECE | CWR, f"{seg}"


# Newer kernels do not let a rule write the second byte of an IPv6 header alone. With the first go the class, which is
# 0, and four bits of the flow label, which nobody looks at.
MARKS = """
table inet marks {
	chain marks {
		type filter hook prerouting priority 0
		ip ecn ect0 tcp dport 25 numgen inc mod 2 == 0 ip ecn set ce
		ip6 ecn ect0 tcp dport 25 numgen inc mod 2 == 0 @nh,0,16 set 0x6030
	}
}
"""


def test_ecn_kernel():
    """two kernels with ECN, every other packet marked on the way: a mail arrives, and both noticed"""
    for name in "client", "server":
        lab.run(name, "sysctl", "-qw", "net.ipv4.tcp_ecn=1")
    lab.nft(MARKS)
    try:
        for v6 in False, True:
            before = marked("server", v6)
            with listen(v6=v6) as lst, \
                    lab.met(echo="tcp sport 25 tcp flags & (syn | ecn) == ecn",
                            reduced="tcp dport 25 tcp flags & (syn | cwr) == cwr") as met:
                dialogue(lst, lab.SERVER[v6])
                assert met("echo") and met("reduced"), f"ECE {met('echo')} times, CWR {met('reduced')} times"
            assert marked("server", v6) > before, "no packet was marked: nothing was tested"
    finally:
        lab.run("router", "nft", "delete table inet marks")
        for name in "client", "server":
            lab.run(name, "sysctl", "-qw", "net.ipv4.tcp_ecn=2")


def marked(name, v6):
    """Packets with CE that have arrived there."""
    if v6:
        lines = lab.run(name, "cat", "/proc/net/snmp6").split("\n")
        return next(int(line.split()[1]) for line in lines if line.startswith("Ip6InCEPkts"))
    rows = [line.split() for line in lab.run(name, "cat", "/proc/net/netstat").split("\n") if line.startswith("IpExt:")]
    return int(rows[1][rows[0].index("InCEPkts")])


MESSAGE = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 3000 + b".\r\n"


def dialogue(lst, to, **kw):
    """A mail between two kernels: the greeting and a keyword masked, a command X-ed, content held."""
    c, s = joined(lst, to, **kw)
    said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
    said(c, b"EHLO c\r\n", s)
    said(s, b"250-mx\r\n250 STARTTLS\r\n", c, b"250-mx\r\n250 XXXXXXXA\r\n")
    said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
    said(s, b"500 what\r\n", c)
    said(c, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\n", s)
    said(s, b"250 ok\r\n250 ok\r\n", c)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
    c.sendall(b"DATA\r\n" + MESSAGE)
    same(read(s, 6), b"DATA\r\n")
    quiet(s, 0.3)
    said(s, b"354 go\r\n", c)
    same(read(s, len(MESSAGE)), MESSAGE)
    said(s, b"250 ok\r\n", c)
    peer = s.getpeername()[0]
    c.close()
    s.close()
    return peer


def refusal(lst, to, **kw):
    """A connection is reset, and both ends know."""
    c, s = joined(lst, to, **kw)
    said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
    c.sendall(b"NOOP " + b"x" * 508 + b"\r\n")
    is_reset(s)
    is_reset(c)


#
# VLANs and VRFs.
#
VLANS = {"client": ("c0", "rc", 10, "10.1.1.%d", "fd01:1::%d"), "server": ("s0", "rs", 20, "10.1.2.%d", "fd01:2::%d")}


@contextlib.contextmanager
def vlans():
    """Client and server each in a VLAN; the router is in both."""
    for side, (dev, behind, number, v4, v6) in VLANS.items():
        other = VLANS["server" if side == "client" else "client"]
        for name, parent, host in (side, dev, 2), ("router", behind, 1):
            own = f"{parent}.{number}"
            lab.run(name, "ip", "link", "add", "link", parent, "name", own, "type", "vlan", "id", str(number))
            lab.run(name, "ip", "addr", "add", v4 % host + "/24", "dev", own)
            lab.run(name, "ip", "addr", "add", v6 % host + "/64", "dev", own, "nodad")
            lab.run(name, "ip", "link", "set", own, "up")
        lab.run(side, "ip", "route", "add", other[3] % 0 + "/24", "via", v4 % 1)
        lab.run(side, "ip", "-6", "route", "add", (other[4] % 0)[:-1] + "/64", "via", v6 % 1)
    try:
        yield {False: "10.1.2.2", True: "fd01:2::2"}
    finally:
        for side, (dev, behind, number, _, _) in VLANS.items():
            lab.run(side, "ip", "link", "del", f"{dev}.{number}")
            lab.run("router", "ip", "link", "del", f"{behind}.{number}")


NAT = """
table inet nat {
	chain prerouting {
		type nat hook prerouting priority dstnat
		iifname "%s" meta nfproto ipv4 tcp dport 25 dnat ip to %s
		iifname "%s" meta nfproto ipv6 tcp dport 25 dnat ip6 to %s
	}
	chain postrouting {
		type nat hook postrouting priority srcnat
		oifname "%s" masquerade
	}
}
"""


def both_ways(server, near, ins, outs):
    """Dialogue and refusal, then the same behind DNAT and masquerading."""
    rules(inspect(RESETTING))
    for v6 in False, True:
        with listen(v6=v6) as lst:
            dialogue(lst, server[v6])
            refusal(lst, server[v6])
    lab.nft(NAT % (ins, server[False], ins, server[True], outs))
    try:
        for v6 in False, True:
            with listen(v6=v6) as lst:
                client = dialogue(lst, near[v6])
                assert client not in (near[v6], server[v6]) and not client.endswith("1.2"), client
                refusal(lst, near[v6])
    finally:
        lab.run("router", "nft", "delete table inet nat")
        rules(inspect())


def test_vlan():
    """mail between two VLANs, with offloads and without, plain and behind both kinds of NAT"""
    for state in "off", "on":
        lab.sh("offloads " + state)
        with vlans() as server:
            both_ways(server, {False: "10.1.1.1", True: "fd01:1::1"}, "rc.10", "rs.20")


@contextlib.contextmanager
def vrf():
    """The router's links are in a VRF."""
    lab.run("router", "ip", "link", "add", "blue", "type", "vrf", "table", "100")
    lab.run("router", "ip", "link", "set", "blue", "up")
    try:
        masters("master", "blue")
        yield
    finally:
        masters("nomaster")
        lab.run("router", "ip", "link", "del", "blue")


def masters(*words):
    """The links change over; the kernel takes their addresses of IPv6 away."""
    for dev, address in ("rc", "fd00:1::1/64"), ("rs", "fd00:2::1/64"):
        lab.run("router", "ip", "link", "set", dev, *words)
        lab.run("router", "ip", "addr", "replace", address, "dev", dev, "nodad")
    lab.neighbours()


def test_vrf():
    """links in a VRF of the router, plain and behind both kinds of NAT"""
    with vrf():
        both_ways(lab.SERVER, {False: "10.0.1.1", True: "fd00:1::1"}, "rc", "rs")


#
# Bridges.
#
@contextlib.contextmanager
def bridge():
    """Client and server in one network; the router is a bridge between them."""
    lab.run("router", "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    for dev in "rc", "rs":
        lab.run("router", "ip", "link", "set", dev, "master", "br0")
    lab.run("router", "ip", "link", "set", "br0", "up")
    for name, dev, host in ("client", "c0", 2), ("server", "s0", 3):
        lab.run(name, "ip", "addr", "add", f"10.9.0.{host}/24", "dev", dev)
        lab.run(name, "ip", "addr", "add", f"fd09::{host}/64", "dev", dev, "nodad")
    try:
        yield {False: "10.9.0.3", True: "fd09::3"}
    finally:
        lab.run("router", "ip", "link", "del", "br0")
        for name, dev, host in ("client", "c0", 2), ("server", "s0", 3):
            lab.run(name, "ip", "addr", "del", f"10.9.0.{host}/24", "dev", dev)
            lab.run(name, "ip", "addr", "del", f"fd09::{host}/64", "dev", dev)


def said_in_log():
    """The module's sentences about bridged frames, with their level."""
    lines = lab.run("router", "dmesg", "-x").split("\n")
    return [line for line in lines if "esmtp" in line and "bridge" in line]


def no_way(to):
    """A connection does not come about, and the module has counted why."""
    with grows(bridged=(1, 99), closed=0):
        try:
            connect(to, timeout=1.5).close()
        except OSError:
            return
    raise AssertionError("there is a connection")


def bridged_one_sentence(server):
    before = len(said_in_log())
    for v6 in False, True:
        with listen(v6=v6), listen(v6=v6, port=26):
            connect(server[v6], port=26).close()
            no_way(server[v6])
    lines = said_in_log()
    assert lines, "nothing in the kernel's log"
    assert len(lines) - before <= 1, lines
    assert all(line.split(":")[1].strip() == "notice" for line in lines), lines
    assert all(line.endswith(" nf_conntrack_esmtp: bridged connections are not inspected, their packets are dropped: choose "
                             "only routed ones, or exempt them") for line in lines), lines


def test_bridge_iptables():
    """frames that br_netfilter shows to the rules of IP are dropped, counted, and the log says why"""
    with bridge() as server:
        lab.run("router", "modprobe", "br_netfilter")
        for word in "iptables", "ip6tables":
            lab.run("router", "sysctl", "-qw", f"net.bridge.bridge-nf-call-{word}=1")
        try:
            bridged_one_sentence(server)
        finally:
            for word in "iptables", "ip6tables":
                lab.run("router", "sysctl", "-qw", f"net.bridge.bridge-nf-call-{word}=0")


BRIDGE_TABLE = """
table bridge own {
	ct helper four {
		type "esmtp" protocol tcp
		l3proto ip
	}
	ct helper six {
		type "esmtp" protocol tcp
		l3proto ip6
	}
	chain forward {
		type filter hook forward priority 0
		ip protocol tcp tcp dport 25 ct state new ct helper set "four"
		ip6 nexthdr tcp tcp dport 25 ct state new ct helper set "six"
	}
}
"""


def test_bridge_table():
    """frames that a bridge's own table gives the helper are dropped, counted, and the log says why"""
    with bridge() as server:
        lab.nft(BRIDGE_TABLE)
        try:
            bridged_one_sentence(server)
        finally:
            lab.run("router", "nft", "delete table bridge own")


def test_bridge_free():
    """bridged frames without a helper pass"""
    with bridge() as server:
        for v6 in False, True:
            with listen(v6=v6) as lst, grows(bridged=0):
                c, s = joined(lst, server[v6])
                said(c, b"STARTTLS\r\n", s)
                c.close()
                s.close()


#
# The router's own mail.
#
NEAR = {False: "10.0.1.1", True: "fd00:1::1"}
INNER = {False: "10.0.2.1", True: "fd00:2::1"}


def test_router_receives():
    """the router's own server reads edited and cut packets whose checksum conntrack has computed"""
    before = csum_errors("router")
    for v6 in False, True:
        with listen("router", v6) as lst:
            c, s = half_raw(lst, v6, to=NEAR[v6])
            for data, want in ((b"EHLO c\r\n", None), (b"STARTTLS\r\n", b"XXXXXXXX\r\n"),
                               (b"NOOP a\r\nEXPN b\r\n", b"NOOP a\r\nXXXXXX\r\n"),
                               (b"NOOP\r\nSTARTTLS\r\n", b"NOOP\r\nXXXXXXXX\r\n"), (b"MAIL FROM:<a@c.test>\r\n", None),
                               (b"RCPT TO:<b@s.test>\r\n", None)):
                c.send(data)
                same(read(s, len(data)), want or data)
                replies = b"500 what\r\n" * data.count(b"\r\n") if want else b"250 ok\r\n"
                s.sendall(replies)
                c.want(replies)
                c.ack()
            start = c.snd
            c.send(b"DATA\r\n" + b"Subject: x\r\n\r\n" + b"odd" * 333 + b"\r\n.\r\n")
            same(read(s, 6), b"DATA\r\n")
            quiet(s, 0.3)
            s.sendall(b"354 go\r\n")
            c.want(b"354 go\r\n")
            c.drain()
            c.send(b"Subject: x\r\n\r\n" + b"odd" * 333 + b"\r\n.\r\n", seq=start + 6)
            same(read(s, 1018), b"Subject: x\r\n\r\n" + b"odd" * 333 + b"\r\n.\r\n")
            s.close()
    assert csum_errors("router") == before, "the router's TCP has found wrong checksums"


def test_router_receives_early():
    """the router's own server reads what came early only with its gap"""
    before = csum_errors("router")
    message = b"Subject: x\r\n\r\n" + b"odd line 01234\r\n" * 40 + b".\r\n"
    for v6 in False, True:
        with listen("router", v6) as lst:
            c, s = half_raw(lst, v6, to=NEAR[v6])
            for data, reply in ((b"HELO c\r\n", b"250 ok\r\n"), (b"MAIL FROM:<a@c.test>\r\n", b"250 ok\r\n"),
                                (b"RCPT TO:<b@s.test>\r\n", b"250 ok\r\n"), (b"DATA\r\n", b"354 go\r\n")):
                c.send(data)
                same(read(s, len(data)), data)
                s.sendall(reply)
                c.want(reply)
                c.ack()
            start = c.snd
            with grows(early_passed=1):
                c.send(message[200:400], seq=start + 200)
                quiet(s, 0.2)
            c.send(message[:200], seq=start)
            same(read(s, 400), message[:400])
            c.send(message[400:], seq=start + 400)
            same(read(s, len(message) - 400), message[400:])
            s.close()
    assert csum_errors("router") == before, "the router's TCP has found wrong checksums"


def test_router_sends():
    """the router's own client reads masked answers whose checksum conntrack has computed"""
    before = csum_errors("router")
    for v6 in False, True:
        lab._port += 1
        s = lab.Raw("server", 25, INNER[v6], lab._port, 2000000)
        with lab.ns("router"):
            c = socket.socket(lab.family(v6))
        with c:
            c.setblocking(False)
            c.bind((INNER[v6], lab._port))
            with contextlib.suppress(BlockingIOError):
                c.connect((RAW["server"][v6], 25))
            seg = s.get()
            assert seg and seg.flags & SYN, f"{seg}"
            s.rcv = seg.seq + 1
            s.send(flags=SYN | ACK)
            s.want(b"")
            c.settimeout(10)
            for command, seen, reply, want in (
                    (b"", b"", b"220 mx ESMTP 2002\r\n", b"220 *********2002\r\n"),
                    (b"EHLO c\r\n", None, b"250-mx\r\n250-STARTTLS\r\n250-x y\r\n250 CHUNKING\r\n",
                     b"250-mx\r\n250-XXXXXXXA\r\n250-XXB\r\n250 XXXXXXXC\r\n"),
                    (b"STARTTLS\r\n", b"XXXXXXXX\r\n", b"500 what\r\n", None)):
                if command:
                    c.sendall(command)
                    s.want(seen or command)
                s.send(reply)
                same(read(c, len(reply)), want or reply)
                s.drain()
    assert csum_errors("router") == before, "the router's TCP has found wrong checksums"


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    lab.tests(*(f for name, f in list(globals().items()) if name.startswith("test_")))
