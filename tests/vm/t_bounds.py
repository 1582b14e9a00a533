#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
"""Bounds: bytes under way in a connection and in all, connections, a slot without a policy."""
import os

import lab
from t_early import CHUNKS
from lab import POLICY, SERVER, begin, content, envelope, grows, inspect, listen, mailed, opened, raw_pair, rules, said, same, talk

OPTIONS = "/etc/modprobe.d/esmtp-test.conf"
PARAMETERS = "/sys/module/nf_conntrack_esmtp/parameters/"
OWN_TABLE = """
table inet own {
	ct helper slot3 {
		type "esmtp-3" protocol tcp
	}
	chain choose {
		type filter hook postrouting priority 0
		tcp dport 25 ct state new ct helper set "slot3"
	}
}
"""


class parameter:
    """A parameter of the module has another value for a while."""

    def __init__(self, name, value):
        self.path, self.value = PARAMETERS + name, value

    def write(self, value):
        with open(self.path, "w", encoding="ascii") as f:
            f.write(str(value))

    def __enter__(self):
        with open(self.path, encoding="ascii") as f:
            self.before = f.read().strip()
        self.write(self.value)

    def __exit__(self, *_):
        self.write(self.before)


def test_own_table():
    """a slot without a policy drops what a person's own table sends there; with one it is inspected"""
    lab.run("router", "rmmod", "nf_conntrack_esmtp", check=False)
    assert not os.path.exists(PARAMETERS), "the module is loaded"
    with open(OPTIONS, "w", encoding="ascii") as f:
        f.write("options nf_conntrack_esmtp retain_max=6000\n")
    try:
        lab.nft(OWN_TABLE)
        assert os.path.exists(PARAMETERS), "naming the helper did not load the module"
    finally:
        os.unlink(OPTIONS)
    for v6 in False, True:
        c, s = raw_pair(v6)
        with grows(no_policy=3):
            s.send(b"220 mx ESMTP\r\n")
            c.send(b"HELO c\r\n")
            s.send(b"220 mx ESMTP\r\n", seq=s.snd - 14)
            c.silent()
            s.silent()
    rules("policy third {\n\tslot 3\n\tbanner mask\n}\n")
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
    assert lab.counters("third")["connections"] == 2
    lab.run("router", "nft", "delete table inet own")


def burst(v6, message, patience=60):
    """A mail in one go through the kernel's sockets; a command to be masked behind it."""
    with listen(v6=v6) as lst:
        c, s = opened(lst, SERVER[v6])
        c.settimeout(patience)
        s.settimeout(patience)
        mailed(c, s, message)
        said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
        c.close()
        s.close()


MESSAGE = b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 6000 + b".\r\n"


def test_retain_max():
    """more bytes under way than may be retained are cut, and the mail still arrives"""
    rules(inspect())
    with open(PARAMETERS + "retain_max", encoding="ascii") as f:
        assert f.read() == "6000\n", "the module has not taken its option"
    for v6 in False, True:
        with grows(retain_full=(1, 9999), held=(1, 9999), no_memory=0, pool_full=0, closed=0, conflict=0):
            burst(v6, MESSAGE)
    parameter("retain_max", 0).write(1 << 20)


def test_retain_exact():
    """what is cut has not passed, what has passed is the beginning"""
    rules(inspect())
    with parameter("retain_max", 2500):
        c, s = raw_pair()
        begin(c, s)
        content(c, s)
        data = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 200
        got = b""
        for i in range(0, 3600, 1200):
            c.send(data[i:i + 1200])
            seg = s.get(0.3)
            if seg:
                assert seg.seq == s.rcv or not seg.payload, f"{seg} leaves a gap"
                got += seg.payload
                s.rcv += len(seg.payload)
        assert 1200 <= len(got) <= 2500, len(got)
        same(got, data[:len(got)])
        s.ack()
        c.drain()
        c.send(data[len(got):len(got) + 1200], seq=s.rcv)
        s.want(data[len(got):len(got) + 1200])


def test_retain_kind():
    """commands behind the end of data pass when the bound is reached just there"""
    rules(inspect())
    with parameter("retain_max", 520):
        for v6 in False, True:
            c, s = raw_pair(v6)
            begin(c, s)
            content(c, s)
            with grows(no_memory=0, retain_full=0, closed=0):
                c.send(b"a: b\r\n\r\nx\r\n")
                s.want(b"a: b\r\n\r\nx\r\n")
                c.send(b".\r\nSTARTTLS\r\n")
                s.want(b".\r\nXXXXXXXX\r\n")
                s.ack()
                talk(s, c, b"250 ok\r\n500 what\r\n")


def test_pool_max():
    """the same bound for all connections together"""
    rules(inspect())
    with parameter("pool_max", 6000):
        with grows(pool_full=(1, 9999), no_memory=0, closed=0):
            burst(False, MESSAGE)
    assert lab.counters()["conflict"] == 0


def test_pool_used_up():
    """where others have used up all of it every connection still has room for a segment"""
    rules(inspect())
    with parameter("pool_max", 0):
        for v6 in False, True:
            c, s = raw_pair(v6)
            begin(c, s)
            with grows(pool_full=1, no_memory=0, closed=0):
                talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
                talk(s, c, b"500 what\r\n")
                c.send(b"NOOP " + b"x" * 400 + b"\r\n")
                s.want()
                line = b"NOOP " + b"y" * 100 + b"\r\n"
                c.send(line)
                seg = s.get(0.3)        # what the first one's room still holds
                got = seg.payload if seg else b""
                assert len(got) < len(line) and line.startswith(got), got
                s.rcv += len(got)
                s.ack()
                c.snd = s.rcv
                talk(c, s, line[len(got):])


def test_sessions_max():
    """connections over the bound: their bytes do not pass, counted; later ones do"""
    rules(inspect())
    live = lab.counters()["live"]
    with parameter("sessions_max", live + 2):
        pairs = [raw_pair() for _ in range(3)]
        for c, s in pairs[:2]:
            begin(c, s)
        c, s = pairs[2]
        with grows(sessions_full=2, no_memory=0, connections=0):
            s.send(b"220 mx ESMTP\r\n")
            c.silent(0.2)
            c.send(b"HELO c\r\n")
            s.silent(0.2)
    s.snd -= 14
    c.snd -= 8
    begin(c, s)


def test_chunks_of_one():
    """a segment of small chunks is not cut while next to nothing is under way"""
    rules(inspect(CHUNKS))
    c, s = raw_pair()
    begin(c, s)
    envelope(c, s)
    data = b"BDAT 1\r\nX" * 150
    with grows(retain_full=0):
        c.send(data)
        seg = s.get(3)
        print(f"    {len(seg.payload)} of {len(data)} bytes passed")
        assert seg.payload == data
    rules(inspect())


def test_small_chunks_window():
    """what the window allows may be under way, in chunks of 1000 octets too"""
    rules(inspect(POLICY.replace("policy default {", "policy default {\n\tverbs { ehlo helo mail rcpt data bdat quit rset noop }")))
    c, s = raw_pair()
    begin(c, s)
    one = b"BDAT 100\r\n" + b"0123456789abcdef0123456789abcdef0123456789abcdef\r\n" * 2
    data = one * 500
    passed = 0
    for at in range(0, len(data), 1320):
        c.send(data[at:at + 1320])
        seg = s.get(0.3)
        if not seg:
            break
        passed += len(seg.payload)
    rules(inspect())
    assert passed == len(data), f"{passed} bytes of {len(data)} passed, the window was 65535, the budget is 1 MiB"


if __name__ == "__main__":
    lab.up()
    lab.tests(test_own_table, test_retain_max, test_retain_exact, test_retain_kind, test_pool_max, test_pool_used_up, test_sessions_max,
              test_chunks_of_one, test_small_chunks_window)
