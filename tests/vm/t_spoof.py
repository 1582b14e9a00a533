#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
"""Segments that an end sends to itself in the other's name, to have its bytes taken for something else."""
import lab
from t_links import vrf
from lab import ACK, RAW, Raw, begin, grows, inspect, raw_pair, rules, talk


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


def test_command():
    """nor does a command in the client's name, sent by the server"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        with grows(stale=1):
            double("server", c).send(b"DATA\r\n")
            s.silent()
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


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
    lab.tests(test_ack, test_reply, test_command, test_vrf_spoof)
