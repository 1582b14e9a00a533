#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
# withstands
"""Packets that are larger than a segment, up to BIG TCP's: edited in their middle, cut, compared, with their pieces in
pages and in lists of packets."""
import contextlib
import functools
import os
import socket
import struct

import lab
from lab import SERVER, at_length, connect, greeted, grows, inspect, listen, mailed, met, quiet, read, rules, said, same
from mta import csum_errors

BIG = 185000
LIMIT = 65536 + 40          # the longest packet without BIG TCP, and more than its headers
LINKS = (("client", "c0"), ("router", "rc"), ("router", "rs"), ("server", "s0"))
GSO_IPV4, GRO_IPV4 = 63, 64     # IFLA_*, which Debian's ip does not know yet
NEWLINK, GETLINK = 16, 18
RCVBUF, SNDBUF = 33, 32         # SO_*FORCE


def link(name, dev, kind, *attributes):
    """RTM_NEWLINK or RTM_GETLINK by hand. The answer."""
    with lab.ns(name):
        index = socket.if_nametoindex(dev)
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    body = struct.pack("BxHiII", 0, 0, index, 0, 0)
    body += b"".join(struct.pack("HHI", 8, number, value) for number, value in attributes)
    with s:
        s.send(struct.pack("IHHII", 16 + len(body), kind, 5 if kind == NEWLINK else 1, 0, 0) + body)
        return s.recv(1 << 16)


def set_ipv4_sizes(name, dev, size):
    err = struct.unpack_from("i", link(name, dev, NEWLINK, (GSO_IPV4, size), (GRO_IPV4, size)), 16)[0]
    assert not err, os.strerror(-err)


def has_big_ipv4():
    """The kernel has such a size of its own for IPv4."""
    answer, at = link("client", "c0", GETLINK), 32
    while at < len(answer):
        length, number = struct.unpack_from("HH", answer, at)
        if number == GSO_IPV4:
            return True
        at += (length + 3) & ~3
    return False


def refused():
    """Packets that the server's kernel has not taken for their headers' sake."""
    lines = lab.run("server", "cat", "/proc/net/snmp6").split("\n")
    errors = {line.split()[0]: int(line.split()[1]) for line in lines if line}
    return errors["Ip6InHdrErrors"], errors["Ip6InTruncatedPkts"], csum_errors("server")


@contextlib.contextmanager
def big(size=BIG):
    """BIG TCP on every link. The server takes every packet: none comes a second time for its headers' sake."""
    before = refused()
    for name, dev in LINKS:
        lab.run(name, "ip", "link", "set", dev, "gso_max_size", str(size), "gro_max_size", str(size))
        set_ipv4_sizes(name, dev, size)
    try:
        yield
        assert refused() == before, f"header errors, truncated, checksums: {refused()}, before {before}"
    finally:
        for name, dev in LINKS:
            lab.run(name, "ip", "link", "set", dev, "gso_max_size", "65536", "gro_max_size", "65536")
            set_ipv4_sizes(name, dev, 65536)


def pair(lst, v6):
    """Real ends with large buffers and a congestion window that has grown; greeted."""
    c = connect(SERVER[v6])
    s, _ = lst.accept()
    for end in c, s:
        end.settimeout(60)
        end.setsockopt(socket.SOL_SOCKET, SNDBUF, 1 << 21)
    greeted(c, s)
    return c, s


def listening(v6):
    lst = listen(v6=v6)
    lst.setsockopt(socket.SOL_SOCKET, RCVBUF, 1 << 21)
    return lst


def at_once(c, data):
    """As few packets as TCP makes of it."""
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    c.sendall(data)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def sends(c, data, s, want):
    at_length(c, data, s, want, at_once)


def mail(c, s, message):
    mailed(c, s, message, at_once)


def held(c, s, message):
    """A mail whose content follows DATA at once, and has to wait for 354."""
    said(c, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\n", s)
    said(s, b"250 ok\r\n250 ok\r\n", c)
    at_once(c, b"DATA\r\n" + message)
    same(read(s, 6), b"DATA\r\n")
    quiet(s, 0.3)
    said(s, b"354 go\r\n", c)
    same(read(s, len(message)), message)


def text(n):
    return b"Subject: big\r\n\r\n".join(b"line %09d\r\n" % i for i in range(n // 16)) + b".\r\n"


def big_cases():
    yield True
    if has_big_ipv4():
        yield False


def over(v6):
    return f"meta nfproto ipv{6 if v6 else 4} tcp dport 25 meta length > {LIMIT}"


def test_big_mail():
    """a mail in packets of more than 64 KiB arrives as it was sent"""
    with big():
        for v6 in big_cases():
            with listening(v6) as lst, met(large=over(v6)) as count:
                c, s = pair(lst, v6)
                with grows(closed=0, conflict=0):
                    for _ in range(3):
                        mail(c, s, text(1 << 20))
                need(count("large"), f"no packet was over {LIMIT} bytes: nothing was tested")
                said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
                c.close()
                s.close()


def first_bytes(word):
    """An nft match: this stands behind a TCP header with timestamps."""
    return f"@th,256,{8 * len(word)} 0x{word.hex()}"


class Unmet(AssertionError):
    """What a test is about did not happen: how large packets are, the sender decides by what it thinks of the path."""


def need(met_it, why):
    if not met_it:
        raise Unmet(why)


def patient(f):
    """A test that begins anew, a few times, when what it is about did not happen."""
    @functools.wraps(f)
    def tries():
        for _ in range(4):
            try:
                return f()
            except Unmet:
                pass
        return f()
    return tries


def big_held(v6, message):
    """Whether DATA was in a large packet: the sender decides, by what it thinks of the path."""
    with listening(v6) as lst, met(held=over(v6) + " " + first_bytes(b"DATA\r\n")) as count:
        c, s = pair(lst, v6)
        mail(c, s, text(1 << 20))
        said(c, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\n", s)
        said(s, b"250 ok\r\n250 ok\r\n", c)
        with grows(held=(1, 99), closed=0, event__early_content=1):
            at_once(c, b"DATA\r\n" + message)
            same(read(s, 6), b"DATA\r\n")
            quiet(s, 0.7)
        met_one = count("held")
        said(s, b"354 go\r\n", c)
        same(read(s, len(message)), message)
        said(s, b"250 ok\r\n", c)
        said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
        c.close()
        s.close()
        return met_one


def test_big_held():
    """DATA and content in one packet of more than 64 KiB: the content waits for 354"""
    message = text(130000)
    with big():
        for v6 in big_cases():
            need(big_held(v6, message), "DATA was in no large packet: nothing was tested")


def test_big_edits():
    """commands of more than 64 KiB in one packet are edited at their places"""
    noop = b"NOOP " + b"x" * 503 + b"\r\n"
    commands = noop * 150 + b"STARTTLS\r\n" * 50 + noop * 20 + b"EXPN root\r\n" * 20
    want = commands.replace(b"STARTTLS", b"XXXXXXXX").replace(b"EXPN root", b"XXXXXXXXX")
    with big():
        for v6 in big_cases():
            with listening(v6) as lst, met(large=over(v6)) as count:
                c, s = pair(lst, v6)
                mail(c, s, text(1 << 20))
                before = count("large")
                with grows(closed=0, event__command_masked=70):
                    sends(c, commands, s, want)
                need(count("large") > before, "no packet was large: nothing was tested")
                said(s, b"250 ok\r\n" * 150 + b"500 what\r\n" * 50 + b"250 ok\r\n" * 20 + b"500 what\r\n" * 20, c)
                said(c, b"QUIT\r\n", s)
                c.close()
                s.close()


def test_big_end():
    """the end of a mail and commands to be masked in one packet of more than 64 KiB"""
    message = text(120000)
    behind = b"STARTTLS\r\nMAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\nDATA\r\n"
    with big():
        for v6 in big_cases():
            with listening(v6) as lst, met(large=over(v6)) as count:
                c, s = pair(lst, v6)
                mail(c, s, text(1 << 20))
                said(c, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\nDATA\r\n", s)
                said(s, b"250 ok\r\n250 ok\r\n354 go\r\n", c)
                before = count("large")
                at_once(c, message + behind + message)
                want = message + behind.replace(b"STARTTLS", b"XXXXXXXX")
                same(read(s, len(want)), want)
                quiet(s, 0.5)
                need(count("large") > before, "no packet was large: nothing was tested")
                said(s, b"250 ok\r\n500 what\r\n250 ok\r\n250 ok\r\n354 go\r\n", c)
                same(read(s, len(message)), message)
                c.close()
                s.close()


def test_big_shapes():
    """packets of more than 64 KiB that must be cut into segments on the way out, and summed there"""
    with big():
        for features in ("tso",), ("tso", "gso"), ("tso", "gso", "tx"), ("sg", "tso", "gso", "tx"):
            for feature in features:
                lab.run("router", "ethtool", "-K", "rs", feature, "off", check=False)
            try:
                for v6 in big_cases():
                    with listening(v6) as lst, met(large=over(v6)) as count:
                        c, s = pair(lst, v6)
                        mail(c, s, text(1 << 20))
                        need(count("large"), "no packet was large: nothing was tested")
                        held(c, s, text(100000))
                        c.close()
                        s.close()
            finally:
                lab.run("router", "ethtool", "-K", "rs", "tx", "on", "sg", "on", "tso", "on", "gso", "on")


@contextlib.contextmanager
def merging(as_list):
    """The client sends plain segments, the router makes large ones of them: in pages, or as a list of packets."""
    lab.run("client", "ethtool", "-K", "c0", "tso", "off", "gso", "off")
    lab.run("router", "ethtool", "-K", "rc", "gro", "on", "rx-gro-list", "on" if as_list else "off")
    try:
        yield
    finally:
        lab.run("router", "ethtool", "-K", "rc", "gro", "off", "rx-gro-list", "off")
        lab.run("client", "ethtool", "-K", "c0", "tso", "on", "gso", "on")


def test_merged():
    """packets that the router has merged, in pages and as a list, with BIG TCP's limits: all of it as above"""
    commands = b"NOOP\r\n" * 1000 + b"STARTTLS\r\n" * 1000
    with big():
        for as_list in False, True:
            for v6 in False, True:
                with merging(as_list), listening(v6) as lst, met(merged="tcp dport 25 meta length > 4000") as count:
                    c, s = pair(lst, v6)
                    mail(c, s, text(1 << 20))
                    sends(c, commands, s, commands.replace(b"STARTTLS", b"XXXXXXXX"))
                    said(s, b"250 ok\r\n" * 1000 + b"500 what\r\n" * 1000, c)
                    mail(c, s, text(300000))
                    held(c, s, text(100000))
                    need(count("merged"), "no packet was merged: nothing was tested")
                    c.close()
                    s.close()


def hurry():
    """The client sends as much at once as it can, from the start and however slow the machine is. Its segments leave
    room for 8 bytes: older kernels put a header into packets over 64 KiB and count it for each segment when they
    forward."""
    lab.run("client", "sysctl", "-qw", "net.ipv4.tcp_tso_rtt_log=20", "net.ipv4.tcp_pacing_ss_ratio=1000",
            "net.ipv4.tcp_no_metrics_save=1")
    lab.run("client", "ip", "route", "change", "default", "via", "10.0.1.1", "rto_min", "30ms", "initcwnd", "500")
    lab.run("client", "ip", "-6", "route", "change", "default", "via", "fd00:1::1", "rto_min", "30ms",
            "initcwnd", "500", "mtu", "1492")


if __name__ == "__main__":
    lab.up()
    hurry()
    rules(inspect())
    lab.tests(*(patient(f) for name, f in list(globals().items()) if name.startswith("test_")))
