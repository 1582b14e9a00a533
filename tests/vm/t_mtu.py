#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""Small links, a small path behind the router, and one that becomes small while a mail is under way.

    client ── router ── server ── far      "far" is one hop behind the server's box, which routes, too

Where a segment is too large for a link in front of the router, the helper never sees it. Behind the router it has passed and
comes again in smaller ones: repeats that are cut otherwise."""
import fcntl
import functools
import random
import socket
import struct
import threading
import time

import lab
from lab import inspect, listen, quiet, read, run, rules, said, same

FAR = {False: "10.0.3.2", True: "fd00:3::2"}
SMALL = {False: 576, True: 1280}
LINKS = ("client", "c0"), ("router", "rc"), ("router", "rs"), ("server", "s0")
# Keywords on many lines, so that the reply needs several packets. Each twelfth is masked.
MASKED = ("STARTTLS", "XCLIENT NAME ADDR", "CHUNKING", "SMTPUTF8")


def ehlo_reply():
    sent, want = [b"250-mx"], [b"250-mx"]
    for n in range(96):
        word = MASKED[n // 12 % 4] if n % 12 == 5 else f"SIZE {n:030}"
        sent.append(b"250-" + word.encode())
        want.append(b"250-" + (b"X" * (len(word) - 1) + bytes([65 + n // 12]) if n % 12 == 5 else word.encode()))
    return tuple(b"\r\n".join(x) + b"\r\n250 DSN\r\n" for x in (sent, want))


REPLY, REPLY_SEEN = ehlo_reply()


@functools.cache
def message(size):
    rnd = random.Random(size)
    lines = [b"Subject: small\r\n"]
    while size > 0:
        n = rnd.randrange(0, 120)
        lines.append(rnd.choice((b"", b"", b"", b"..", b"STARTTLS ")) + rnd.randbytes(n // 2).hex().encode())
        size -= n
    return b"\r\n".join(lines) + b"\r\n.\r\n"


#
# The way.
#
FAR_UP = """
set -e
ip netns add far
ip link add f0 netns far type veth peer name sf netns server
ip -n far -b - <<-E
	link set lo up
	addr add 10.0.3.2/24 dev f0
	addr add fd00:3::2/64 dev f0 nodad
	link set f0 up
	route add default via 10.0.3.1
	route add default via fd00:3::1
E
ip -n server -b - <<-E
	addr add 10.0.3.1/24 dev sf
	addr add fd00:3::1/64 dev sf nodad
	link set sf up
E
ip -n router -b - <<-E
	route add 10.0.3.0/24 via 10.0.2.2
	route add fd00:3::/64 via fd00:2::2
E
on server sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
"""


def far_up():
    """One more box, behind the server's."""
    lab.sh(FAR_UP)


def far_down():
    run("client", "ip", "netns", "del", "far", check=False)


def forget(v6):
    """What the ends have learnt about the path."""
    for name in "client", "far":
        run(name, "ip", "-6" if v6 else "-4", "route", "flush", "cache")


class Narrow:
    """The route by which a box sends on to an end has a small MTU: what does not fit is answered by ICMP."""

    def __init__(self, v6, box, *route):
        self.v6, self.box, self.route = v6, box, route

    def set(self, *mtu):
        run(self.box, "ip", "-6" if self.v6 else "-4", "route", "replace", *self.route, *mtu)

    def __enter__(self):
        self.set("mtu", str(SMALL[self.v6]))

    def __exit__(self, *_):
        self.set()
        forget(self.v6)


# The hop towards far that is small: behind the router, or the router's own.
def behind(v6):
    # The metric is that of the route which is there.
    return Narrow(v6, "server", *(("fd00:3::/64", "metric", "256") if v6 else ("10.0.3.0/24",)), "dev", "sf")


def at_router(v6):
    return Narrow(v6, "router", *(("fd00:3::/64", "via", "fd00:2::2") if v6 else ("10.0.3.0/24", "via", "10.0.2.2")))


def path_mtu(sock):
    return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64), 60)[0]


def offloads(state):
    lab.sh("offloads " + state)
    for name, dev in ("far", "f0"), ("server", "sf"):
        run(name, "ethtool", "-K", dev, *[x for f in ("tx", "sg", "tso", "gso", "gro") for x in (f, state)], check=False)


#
# A dialogue with every kind of edit and a mail.
#
def connected(to, near, far):
    with listen(far, ":" in to) as lst:
        c, s = lab.joined(lst, to, name=near)
    for sock in c, s:
        sock.settimeout(30)
        # Most of a mail has to wait for its reader: the path changes before it is sent.
        for which in socket.SO_SNDBUF, socket.SO_RCVBUF:
            sock.setsockopt(socket.SOL_SOCKET, which, 1 << 17)
    return c, s


def greeted(c, s):
    """Masked greeting, masked keywords on many lines, STARTTLS X-ed, an envelope."""
    said(s, b"220 mx ESMTP 2002\r\n", c, b"220 *********2002\r\n")
    said(c, b"EHLO c\r\n", s)
    said(s, REPLY, c, REPLY_SEEN)
    said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
    said(s, b"500 what\r\n", c)
    said(c, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\n", s)
    said(s, b"250 ok\r\n250 ok\r\n", c)


def sending(sock, data):
    thread = threading.Thread(target=sock.sendall, args=(data,), daemon=True)
    thread.start()
    return thread


def finished(c, s, thread):
    thread.join(30)
    assert not thread.is_alive(), "the sender has not ended"
    said(s, b"250 taken\r\n", c)
    said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
    said(s, b"500 what\r\n", c)
    said(c, b"QUIT\r\n", s)
    said(s, b"221 bye\r\n", c)
    c.close()
    assert s.recv(10) == b"", "more behind QUIT"
    s.close()


def whole_mail(to, near, far, mail):
    """Content follows DATA at once and waits for 354. Returns the path MTU that either end saw in the end."""
    c, s = connected(to, near, far)
    greeted(c, s)
    with lab.grows(held=(1, 9999), conflict=0, closed=0, event__early_content=1):
        thread = sending(c, b"DATA\r\n" + mail)
        same(read(s, 6), b"DATA\r\n")
        quiet(s, 0.4)
        said(s, b"354 go\r\n", c)
        same(read(s, len(mail)), mail)
    found = path_mtu(c), path_mtu(s)
    finished(c, s, thread)
    return found


def test_small_path():
    """a smaller path behind the router, and at it: what was passed comes again in smaller segments"""
    mail = message(200000)
    for v6 in False, True:
        for where, repeats in (behind, (1, 9999)), (at_router, (0, 9999)):
            with where(v6), lab.grows(repeat=repeats):
                found, _ = whole_mail(FAR[v6], "client", "far", mail)
                assert found == SMALL[v6], f"{where.__name__}: {found}"


def test_small_path_replies():
    """the same for the server's direction: a long reply comes again in smaller segments, masked the same"""
    for v6 in False, True:
        # The client is far now: the server's replies meet the small hop behind the router.
        with behind(v6), lab.grows(repeat=(1, 9999)):
            _, found = whole_mail(lab.CLIENT[v6], "far", "client", message(20000))
            assert found == SMALL[v6], f"{found}"


def lowered(v6, where, mail):
    """The MTU changes when the receiver has read a third of the mail and the sender has more under way."""
    c, s = connected(FAR[v6], "client", "far")
    greeted(c, s)
    said(c, b"DATA\r\n", s)
    said(s, b"354 go\r\n", c)
    assert path_mtu(c) == 1500, "the path is small already"
    thread = sending(c, mail)
    got = read(s, len(mail) // 3)
    with where(v6):
        got += read(s, len(mail) - len(got))
        assert path_mtu(c) == SMALL[v6], "the sender has not learnt of it"
    same(got, mail)
    finished(c, s, thread)


def test_lowered():
    """a path that becomes smaller while content flows, behind the router and at it"""
    mail = message(1000000)
    for v6 in False, True:
        for where, repeats in (behind, (1, 9999)), (at_router, (0, 9999)):
            with lab.grows(repeat=repeats, conflict=0, closed=0):
                lowered(v6, where, mail)


def links(mtu):
    for name, dev in LINKS:
        with lab.ns(name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            fcntl.ioctl(s, 0x8922, struct.pack("16si20x", dev.encode(), mtu))       # SIOCSIFMTU


def test_lowered_links():
    """the links themselves become smaller while content flows, and larger again"""
    mail = message(1000000)
    for v6 in True, False:
        with lab.grows(conflict=0, closed=0):
            c, s = connected(lab.SERVER[v6], "client", "server")
            greeted(c, s)
            said(c, b"DATA\r\n", s)
            said(s, b"354 go\r\n", c)
            thread = sending(c, mail)
            got = read(s, len(mail) // 4)
            links(1280)
            got += read(s, len(mail) // 4)
            links(1500)
            forget(v6)
            got += read(s, len(mail) - len(got))
            same(got, mail)
            finished(c, s, thread)


def test_offloads_off():
    """all of that without offloads"""
    offloads("off")
    test_small_path()
    test_small_path_replies()
    test_lowered()
    test_lowered_links()


def test_small_links():
    """a mail over links of 1280, 576 and 68 bytes: each packet in fragments where TCP's segments do not fit"""
    for mtu, size, families in (1280, 200000, (False, True)), (576, 100000, (False,)), (68, 10000, (False,)):
        # The kernel takes IPv6 off the smaller ones.
        links(mtu)
        mail = message(size)
        for state in "on", "off":
            offloads(state)
            for v6 in families:
                whole_mail(lab.SERVER[v6], "client", "server", mail)


if __name__ == "__main__":
    lab.up()
    far_up()
    rules(inspect())
    try:
        lab.tests(test_small_path, test_small_path_replies, test_lowered, test_lowered_links, test_offloads_off,
                  test_small_links)
    finally:
        far_down()
