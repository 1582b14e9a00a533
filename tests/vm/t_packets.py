#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
"""Packets of other shapes: fragments, options of IP and TCP, extension headers. All are edited, held and cut as usual."""
import itertools
import socket

import lab
from lab import (ACK, PSH, SERVER, begin, envelope, grows, half_raw, inspect, joined, listen, quiet, raw_pair, read,
                 rules, said, same)

idents = itertools.count(1000)


def line(c, s, data, want, reply, **kw):
    c.send(data, **kw)
    same(read(s, len(want)), want)
    s.sendall(reply)
    c.want(reply)
    c.ack()


ORDERS = {"in order": lambda f: f, "backwards": lambda f: f[::-1], "even, then odd": lambda f: f[::2] + f[1::2]}


def test_fragments():
    """commands in fragments are read as one, edited and passed"""
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s = half_raw(lst, v6)
            # IPv6 wants the whole TCP header in the first fragment.
            for size in (24, 32, 48) if v6 else (8, 24, 32):
                for order in ORDERS.values():
                    cut = {"fragments": (size, order)}
                    line(c, s, b"NOOP abcdefgh\r\nSTARTTLS\r\n", b"NOOP abcdefgh\r\nXXXXXXXX\r\n",
                         b"250 ok\r\n500 what\r\n", ident=next(idents), **cut)


def test_fragments_held():
    """DATA and content in one packet in fragments: the content waits"""
    message = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 200 + b".\r\n"
    for v6 in False, True:
        for size in 40, 1000:
            with listen(v6=v6) as lst:
                c, s = half_raw(lst, v6)
                start = c.snd
                with grows(held=1):
                    c.send(b"DATA\r\n" + message, fragments=(size, ORDERS["backwards"]), ident=next(idents))
                    same(read(s, 6), b"DATA\r\n")
                    quiet(s)
                s.sendall(b"354 go\r\n")
                c.drain()
                c.rcv += 8
                c.send(message, seq=start + 6, fragments=(size, ORDERS["even, then odd"]), ident=next(idents))
                same(read(s, len(message)), message)
                c.drain()
                c.snd = start + 6 + len(message)
                s.sendall(b"250 ok\r\n")
                c.want(b"250 ok\r\n")


# What was meant, what is slipped in, and how that is to look. The second pair has the same words of 16 bits in
# another order, so that fragments of both make a packet whose checksum is right.
OVERLAPS = [(b"NOOP abcdefghijklmnopqrstuvwxyz\r\n", b"STARTTLS\r\nMAIL FROM:<a@c.test>\r\n", None),
            (b"NOOP 1234567ARSTLSTT abcde\r\nNOOP\r\n", b"NOOP 1234567\r\nSTARTTLS abcdeNOOP\r\n",
             b"NOOP 1234567\r\nXXXXXXXXXXXXXXXXXX\r\n")]


def overlapping(lst, v6, first, pair):
    """Fragments of the one, of which the first so many come before those of the other. What the server gets of them."""
    good, evil, masked = pair
    c, s = half_raw(lst, v6)
    ident = next(idents)
    # IPv6 wants the whole TCP header in the first fragment.
    good, bad = [list(c.fragments(c.packet(ACK | PSH, data), 24 if v6 else 16, ident)) for data in (good, evil)]
    for piece in good[:first] + bad[1:3] + good[first:]:
        c.sock.sendto(piece, c.to)
    s.settimeout(0.5)
    try:
        got = s.recv(1000)
    except TimeoutError:
        got = b""
    assert got in (b"", pair[0], masked), got
    # Whichever it was, the connection goes on behind it.
    s.settimeout(10)
    c.snd += len(got)
    c.drain()
    line(c, s, b"NOOP and then\r\nSTARTTLS\r\n", b"NOOP and then\r\nXXXXXXXX\r\n",
         b"500 what\r\n" * (got.count(b"\r\n") + 2))
    quiet(s, 0.1)
    return got


def test_fragments_overlap():
    """overlapping fragments with other bytes: the server gets what was read, or nothing of them"""
    for v6 in False, True:
        with listen(v6=v6) as lst:
            for first in 1, 2:
                for pair in OVERLAPS:
                    overlapping(lst, v6, first, pair)


def test_ip_options():
    """options of IPv4 and extension headers of IPv6 in front of what is edited and cut"""
    extra = {False: [b"\1" * 4, b"\x94\4\0\0" + b"\1" * 8],
             True: [bytes([60, 0, 1, 4, 0, 0, 0, 0]), bytes([0, 0, 5, 2, 0, 0, 1, 0]), bytes([60, 2, 0x1e, 20]) + bytes(20)]}
    for v6 in False, True:
        for options in extra[v6]:
            with listen(v6=v6) as lst:
                c, s = half_raw(lst, v6)
                line(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n", b"500 what\r\n", ip_options=options)
                line(c, s, b"STARTTLS\r\nNOOP\r\n", b"XXXXXXXX\r\nNOOP\r\n", b"500 what\r\n250 ok\r\n", ip_options=options)
                c.send(b"DATA\r\nSubject: x\r\n", ip_options=options)
                same(read(s, 6), b"DATA\r\n")
                quiet(s, 0.3)


def test_tcp_options():
    """options of TCP of every length, in front of what is edited and cut"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        envelope(c, s)
        for n in range(4, 44, 4):
            options = b"\1" * (n - 1) + b"\0"
            c.send(b"STARTTLS\r\n", options=options)
            s.want(b"XXXXXXXX\r\n")
            s.send(b"500 what\r\n", options=options)
            c.want(b"500 what\r\n")
        c.send(b"DATA\r\nSubject: x\r\n", options=b"\1" * 40)
        seg = s.want(b"DATA\r\n")
        assert seg.extra == 0, f"{seg.extra} bytes behind the packet"


def test_odd_places():
    """edits at odd and even offsets leave right checksums"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        for n in range(9):
            c.send(b"NOOP" + b" " * n + b"\r\nSTARTTLS\r\nEXPN x\r\nNOOP\r\n")
            s.want(b"NOOP" + b" " * n + b"\r\nXXXXXXXX\r\nXXXXXX\r\nNOOP\r\n")
            s.send(b"250 ok\r\n500 what\r\n500 what\r\n250 ok\r\n")
            c.want(b"250 ok\r\n500 what\r\n500 what\r\n250 ok\r\n")


def test_merged():
    """packets that the router has merged on arrival, also as a list of packets"""
    message = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 3000 + b".\r\n"
    many = 1000
    lab.run("client", "ethtool", "-K", "c0", "tso", "off", "gso", "off")
    for merge in "off", "on":
        lab.run("router", "ethtool", "-K", "rc", "gro", "on", "rx-gro-list", merge)
        for v6 in False, True:
            with listen(v6=v6) as lst:
                c, s = joined(lst, SERVER[v6])
                said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
                said(c, b"NOOP\r\n" * many + b"STARTTLS\r\n" * many, s, b"NOOP\r\n" * many + b"XXXXXXXX\r\n" * many)
                said(s, b"250 ok\r\n" * many + b"500 what\r\n" * many, c)
                c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
                c.sendall(b"DATA\r\n" + message)
                same(read(s, 6), b"DATA\r\n")
                quiet(s, 0.3)
                said(s, b"354 go\r\n", c)
                same(read(s, len(message)), message)
                c.close()
                s.close()
    lab.run("router", "ethtool", "-K", "rc", "rx-gro-list", "off")
    lab.run("client", "ethtool", "-K", "c0", "tso", "on", "gso", "on")


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    lab.tests(test_fragments, test_fragments_held, test_fragments_overlap, test_ip_options, test_tcp_options,
              test_odd_places, test_merged)
