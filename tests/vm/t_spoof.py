#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
"""Segments that an end sends to itself in the other's name, to have its bytes taken for something else."""
import socket

import lab
from t_links import vrf
from lab import ACK, RAW, SYN, Raw, begin, grows, inspect, raw_pair, rules, run, talk


def double(side, peer):
    """Who speaks for the peer from this side's wire."""
    other = "server" if side == "client" else "client"
    end = Raw(side, peer.sport, RAW[side][peer.v6], peer.dport, address=RAW[other][peer.v6])
    end.snd, end.rcv = peer.snd, peer.rcv
    return end


def test_ack():
    """an ACK in the server's name does not arrive: what it covers stays what it was"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(b"NOOP abc\r\n")
        s.want(b"NOOP abc\r\n")
        with grows(stale=1, rewritten=1):
            double("client", s).send(flags=ACK)
            assert c.get(0.3) is None
            c.send(b"STARTTLS\r\n", seq=c.snd - 10)
            s.want(b"NOOP abc\r\n", seq=s.rcv - 10)
        s.ack()
        talk(s, c, b"250 ok\r\n")


def test_reply():
    """a 354 in the server's name does not arrive: commands are not taken for content"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(b"DATA\r\n")
        s.want(b"DATA\r\n")
        with grows(stale=1):
            double("client", s).send(b"354 go\r\n")
            c.silent()
        c.send(b"STARTTLS\r\n")
        s.want(b"")
        c.snd -= 10
        talk(s, c, b"503 no\r\n")
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def proxied(v6):
    """Two ends whose connection a synproxy of ours opens: as many as may be are half-open."""
    half, peer = Raw("client", 29999, RAW["server"][v6], 25), Raw("server", 25, RAW["client"][v6], 29999)
    half.send(flags=SYN)
    assert peer.get(1), "no SYN came to the server"
    peer.rcv = half.snd
    peer.send(flags=SYN | ACK)
    assert half.get(1), "no SYN/ACK came to the client"
    lab._port += 1
    c = Raw("client", lab._port, RAW["server"][v6], 25, 1000000)
    s = Raw("server", 25, RAW["client"][v6], lab._port, 2000000)
    with grows(table__cookies=1, table__cookie_answers=1):
        c.send(flags=SYN, options=lab.option(lab.MSS, b"\5\xb4"))
        c.rcv = c.get().seq + 1 & 0xffffffff
        c.ack()
        s.rcv = s.get().seq + 1 & 0xffffffff
        s.send(flags=SYN | ACK)
        assert s.get().flags == ACK and c.get().flags == ACK
    assert s.snd != c.rcv, "nothing is translated"
    return c, s


def test_proxied():
    """nor anything of these where a synproxy opened the connection; what passed would tell how it translates"""
    for v6 in False, True:
        rules(inspect().replace("policy default\n", "policy default embryonic 1\n"))
        c, s = proxied(v6)
        with grows(stale=1):
            double("client", s).send(b"220 not mx\r\n")
            c.silent()
        begin(c, s)
        c.send(b"NOOP abc\r\n")
        s.want(b"NOOP abc\r\n")
        with grows(stale=1, rewritten=1):
            double("client", s).send(flags=ACK)
            assert c.get(0.3) is None
            c.send(b"STARTTLS\r\n", seq=c.snd - 10)
            s.want(b"NOOP abc\r\n", seq=s.rcv - 10)
        s.ack()
        talk(s, c, b"250 ok\r\n")
        run("router", "conntrack", "-D", "-p", "tcp", "-f", "ipv6" if v6 else "ipv4")
    rules(inspect())


def test_command():
    """nor does a command in the client's name, sent by the server"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        with grows(stale=1):
            double("server", c).send(b"DATA\r\n")
            s.silent()
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def here(v6):
    """A client on this machine, and a server."""
    address = "fd00:2::1" if v6 else "10.0.2.1"
    with lab.ns("router"):
        c = socket.socket(lab.family(v6), socket.SOCK_STREAM)
    c.bind((address, 0))
    s = Raw("server", 25, address, c.getsockname()[1], 2000000)
    c.setblocking(False)
    c.connect_ex((RAW["server"][v6], 25))
    s.rcv = s.get().seq + 1
    s.send(flags=SYN | ACK)
    assert s.get().flags == ACK
    c.settimeout(10)
    return c, s


def test_own_command():
    """nor a command in the name of this machine, sent by the server that it speaks to: answers are not taken for others"""
    for v6 in False, True:
        c, s = here(v6)
        s.send(b"220 mx\r\n")
        lab.same(lab.read(c, 8), b"220 **\r\n")
        c.sendall(b"EHLO c\r\n")
        s.want(b"EHLO c\r\n")
        s.ack()
        other = Raw("server", c.getsockname()[1], RAW["server"][v6], 25, address=c.getsockname()[0])
        other.snd, other.rcv = s.rcv, s.snd
        # IPv4 drops what comes in its own name before that.
        with grows(stale=int(v6)):
            other.send(b"DATA\r\n")
            s.silent()
        s.send(b"250-mx\r\n250 STARTTLS\r\n")
        lab.same(lab.read(c, 22), b"250-mx\r\n250 XXXXXXXA\r\n")
        c.close()


def test_vrf_spoof():
    """in a VRF too, a 354 in the server's name does not arrive"""
    bad = []
    with vrf():
        for v6 in False, True:
            c, s = raw_pair(v6)
            begin(c, s)
            c.send(b"DATA\r\n")
            s.want(b"DATA\r\n")
            double("client", s).send(b"354 go\r\n")
            seg = c.get(1)
            c.send(b"STARTTLS\r\nVRFY uninspected\r\n")
            there = s.get(1)
            bad.append((v6, seg, there))
    assert not any(there and b"STARTTLS" in there.payload for _, _, there in bad), bad


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    lab.tests(test_ack, test_reply, test_command, test_proxied, test_own_command, test_vrf_spoof)
