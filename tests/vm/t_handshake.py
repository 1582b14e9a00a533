#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
"""How a connection begins: options that would lead past the router, bytes before they count, old ports taken again."""
import errno
import socket
import struct
import time

import lab
from lab import (ACK, FAST_OPEN, FIN, MPTCP, MSS, RST, SACK_OK, SCALE, STAMP, SYN, begin, connect, content, grows,
                 handshake, inspect, listen, option, raw_pair, read, rules, said, same, talk)

CAPABLE = option(MPTCP, b"\x01\x81")                                 # version 1, on a SYN
CAPABLE_KEY = option(MPTCP, b"\x01\x81" + b"KEYKEY01")               # on a SYN/ACK; on a SYN in version 0
JOIN = option(MPTCP, b"\x10\x01" + struct.pack(">II", 7, 9))
JOIN_ANSWER = option(MPTCP, b"\x10\x01" + bytes(12))
IPPROTO_MPTCP, SOL_MPTCP, MPTCP_INFO = 262, 284, 1


def ends(v6=False, **kw):
    """Two Raw ends that nothing connects yet."""
    lab._port += 1
    c = lab.Raw("client", lab._port, lab.RAW["server"][v6], 25, 1000000, **kw)
    s = lab.Raw("server", 25, lab.RAW["client"][v6], lab._port, 2000000)
    c.strict = s.strict = True
    return c, s


def passes(a, b, flags, options, want, data=b""):
    """A segment of the handshake arrives with these options, without data and with a right checksum."""
    a.send(data, flags=flags, options=options, seq=a.isn)
    a.snd = a.isn + 1
    seg = b.want(b"", seq=a.isn)
    assert seg.flags == flags, f"{seg}"
    same(seg.options, want, "options:")
    assert seg.extra == 0, f"{seg.extra} bytes behind the packet"
    b.rcv = a.isn + 1


def test_mptcp():
    """the MPTCP option on SYN and SYN/ACK becomes NOPs; the others stay"""
    around = option(MSS, b"\x05\xb4"), option(SACK_OK) + option(SCALE, b"\x07") + option(STAMP, bytes(8))
    for v6 in False, True:
        for capable in CAPABLE, CAPABLE_KEY, option(MPTCP, b"\x00\x81" + b"KEYKEY01"):
            for before, behind in (b"", b""), (around[0], b""), (b"", around[1]), around:
                if len(before + capable + behind) > 40 or len(before + behind) % 4:
                    continue
                c, s = ends(v6)
                nops = before + b"\1" * len(capable) + behind
                with grows(mptcp=2):
                    passes(c, s, SYN, before + capable + behind, nops)
                    passes(s, c, SYN | ACK, before + capable + behind, nops)
                c.stamp = s.stamp = 10 if behind else None
                c.ack()
                s.want(b"")
                begin(c, s)
                talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_mptcp_data():
    """a SYN with both data and the MPTCP option loses both"""
    for v6 in False, True:
        c, s = ends(v6)
        with grows(mptcp=1, syn_data=1):
            passes(c, s, SYN, CAPABLE, b"\1" * len(CAPABLE), data=b"EHLO c\r\n")


def test_mptcp_join():
    """a SYN that would join a subflow does not pass"""
    for v6 in False, True:
        c, s = ends(v6)
        for options in JOIN, option(MSS, b"\x05\xb4") + JOIN, b"\1\1" + JOIN[:12] + b"\1\1":
            with grows(mptcp=1):
                c.send(flags=SYN, options=options, seq=c.isn)
                assert s.get(0.3) is None, "the SYN has passed"
        passes(c, s, SYN, b"", b"")
        with grows(mptcp=1):
            s.send(flags=SYN | ACK, options=JOIN_ANSWER, seq=s.isn)
            seg = c.get(0.3)
            assert seg is None or seg.option(MPTCP) is None, f"{seg} {seg.options}"


def mptcp_socket(name, v6):
    with lab.ns(name):
        return socket.socket(lab.family(v6), socket.SOCK_STREAM, IPPROTO_MPTCP)


def fallen_back(sock):
    """The kernel says so: MPTCP was asked for and is not spoken."""
    try:
        sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 512)
    except OSError:
        return True
    return False


def mptcp_pair(v6, to, port):
    with mptcp_socket("server", v6) as lst:
        if v6:
            lst.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        lst.bind(("::" if v6 else "0.0.0.0", port))
        lst.listen()
        lst.settimeout(10)
        c = mptcp_socket("client", v6)
        c.settimeout(10)
        c.connect((to, port))
        s, _ = lst.accept()
        s.settimeout(10)
    return c, s


def test_mptcp_kernel():
    """two kernels that want MPTCP talk plain TCP, and are inspected"""
    for v6 in False, True:
        c, s = mptcp_pair(v6, lab.SERVER[v6], 26)
        said(c, b"EHLO\r\n", s)
        assert not fallen_back(c), "the kernels speak no MPTCP where nobody inspects"
        c.close()
        s.close()
        c, s = mptcp_pair(v6, lab.SERVER[v6], 25)
        said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
        said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
        assert fallen_back(c) and fallen_back(s), "MPTCP is spoken"
        c.close()
        s.close()


def test_fast_open_option():
    """a Fast Open cookie passes, the data with it does not; it passes when it is sent again"""
    cookie = option(FAST_OPEN, b"12345678") + b"\1\1"
    cookie = cookie[:len(cookie) // 4 * 4]
    for v6 in False, True:
        c, s = ends(v6)
        with grows(syn_data=1):
            passes(c, s, SYN, cookie, cookie, data=b"EHLO c\r\n")
        passes(s, c, SYN | ACK, b"", b"")
        talk(c, s, b"EHLO c\r\n")


def test_fast_open_cookie():
    """kernels with a Fast Open cookie: nothing is read twice or unread"""
    for name in "client", "server":
        lab.run(name, "sysctl", "-qw", "net.ipv4.tcp_fastopen=3")
    for v6 in False, True:
        with listen(v6=v6) as lst:
            lst.setsockopt(socket.IPPROTO_TCP, 23, 16)      # TCP_FASTOPEN
            fast_open(lst, v6)
            with grows(syn_data=1):
                fast_open(lst, v6)


def fast_open(lst, v6):
    with lab.ns("client"):
        c = socket.socket(lab.family(v6))
    c.sendto(b"STARTTLS\r\n", socket.MSG_FASTOPEN, (lab.SERVER[v6], 25))
    c.settimeout(20)
    s, _ = lst.accept()
    s.settimeout(20)
    same(read(s, 10), b"XXXXXXXX\r\n")
    said(s, b"220 mx ESMTP\r\n500 what\r\n", c, b"220 ********\r\n500 what\r\n")
    said(c, b"QUIT\r\n", s)
    c.close()
    s.close()


def test_syn_again():
    """a SYN that is repeated, or begins anew with another number, before the server answers"""
    for v6 in False, True:
        for isn in 1000000, 3000000, 1000000 + (1 << 30):
            c, s = ends(v6)
            for _ in range(2):
                passes(c, s, SYN, b"", b"")
            c.isn = c.snd = isn
            passes(c, s, SYN, b"", b"")
            s.rcv = (isn + 1) & 0xffffffff
            c.snd = (isn + 1) & 0xffffffff
            for _ in range(2):
                passes(s, c, SYN | ACK, b"", b"")
            c.ack()
            s.want(b"")
            begin(c, s)
            talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_finished():
    """a port is taken again after both ends have closed: the new dialogue is inspected from its start"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        content(c, s)
        finish(c, s)
        for by_rst in False, True:
            with grows(connections=1):
                reopen(c, s)
                begin(c, s)
            talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
            if by_rst:
                c.send(flags=RST | ACK)
                seg = s.get()
                assert seg and seg.flags & RST, f"{seg}"
            else:
                finish(c, s)
        with grows(connections=1):
            reopen(c, s)
            begin(c, s)
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def reopen(c, s):
    """The same ports, other numbers."""
    c.drain()
    s.drain()
    c.isn, s.isn = c.snd + 100000, s.snd + 200000
    c.snd, s.snd = c.isn, s.isn
    handshake(c, s)


def finish(c, s):
    """Both ends close, one after the other."""
    for a, b in (c, s), (s, c):
        a.send(flags=FIN | ACK)
        seg = b.get()
        while seg and not seg.flags & FIN:
            seg = b.get()
        assert seg, "no FIN"
        b.rcv = (seg.seq + 1) & 0xffffffff
        b.ack()
    s.drain()
    c.drain()


def connect_again(to, sport):
    """By a port that the last connection had, when its last segment is acknowledged."""
    for _ in range(100):
        try:
            return connect(to, sport=sport)
        except OSError as e:
            if e.errno != errno.EADDRNOTAVAIL:
                raise
        time.sleep(0.1)
    raise AssertionError("the port is not free")


def test_finished_kernel():
    """kernels take a port again out of TIME-WAIT, and are inspected"""
    for v6 in False, True:
        with listen(v6=v6) as lst:
            for _ in range(3):
                c = connect_again(lab.SERVER[v6], 41000)
                s, _ = lst.accept()
                s.settimeout(20)
                said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
                said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
                s.close()           # it keeps the TIME-WAIT
                assert c.recv(10) == b""
                c.close()


def both_begin(c, s):
    """Each end sends a SYN of its own and sees the other's."""
    passes(c, s, SYN, b"", b"")
    s.send(flags=SYN, seq=s.isn)
    seg = c.get()
    assert seg and seg.flags == SYN, f"{seg}"
    c.rcv = s.isn + 1


def test_both_open():
    """both ends open at once: the roles are those of the ports, and both are inspected"""
    for v6 in False, True:
        c, s = ends(v6)
        both_begin(c, s)
        for a, b in (c, s), (s, c):
            a.send(flags=SYN | ACK, seq=a.isn)
            seg = b.get()
            assert seg and seg.flags == SYN | ACK, f"{seg}"
        begin(c, s)
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_split_handshake():
    """a handshake in four steps, without SYN/ACK of the server: no byte passes, counted"""
    for v6 in False, True:
        c, s = ends(v6)
        both_begin(c, s)
        c.send(flags=SYN | ACK, seq=c.isn)
        seg = s.get()
        assert seg and seg.flags == SYN | ACK, f"{seg}"
        s.ack()
        c.want(b"")
        with grows(no_state=2):
            s.send(b"220 mx ESMTP\r\n")
            c.silent()
            c.send(b"STARTTLS\r\n")
            s.silent()


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    lab.tests(*(f for name, f in list(globals().items()) if name.startswith("test_")))
