#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""Entries that lose their helper and die: nobody tells the module."""
import errno
import os
import socket
import struct
import time

import lab
from genl import Attr, encode
from lab import ACK, MONITOR, RAW, SERVER, SYN, begin, content, counters, inspect, joined, listen, raw_pair, rules

CT_NEW, CT_DELETE = 0x100, 0x102
N = 2000


def conntrack(kind, c, *attrs):
    """A message of ctnetlink about an entry, in the router. Returns the error number."""
    tuple_ = Attr(1, [Attr(1, [Attr(1, socket.inet_aton(c.address)), Attr(2, c.dst)]),
                      Attr(2, [Attr(1, b"\6"), Attr(2, struct.pack(">H", c.sport)), Attr(3, struct.pack(">H", c.dport))])])
    body = struct.pack(">BBH", socket.AF_INET, 0, 0) + encode([tuple_, *attrs], 0, [])
    with lab.ns("router"), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as nl:
        nl.send(struct.pack("=IHHII", 16 + len(body), kind, 5, 1, 0) + body)
        return -struct.unpack_from("=i", nl.recv(4096), 16)[0]


def take_off(c):
    """The helper off an entry."""
    return conntrack(CT_NEW, c, Attr(5, [Attr(1, b"\0")]))


def orphan(c):
    """An entry that loses its helper and is deleted: nobody tells us."""
    for error in take_off(c), conntrack(CT_DELETE, c):
        assert error == 0, os.strerror(error)


def test_kept():
    """where the kernel takes no helper off an entry its death is always told"""
    live = counters()["live"]
    c, s = raw_pair()
    begin(c, s)
    assert counters()["live"] == live + 1
    assert take_off(c) == errno.EOPNOTSUPP
    assert conntrack(CT_DELETE, c) == 0
    assert counters()["live"] == live


def test_helper_taken_off():
    """an entry that loses its helper and dies is forgotten, and nobody else's entry pays for it"""
    os.sched_setaffinity(0, {0})
    live = counters()["live"]
    pairs = []
    for _ in range(12):
        c, s = raw_pair()
        begin(c, s)
        content(c, s)
        c.send(b"x" * 100, seq=c.snd + 50)
        s.want(b"x" * 100, seq=s.rcv + 50)
        pairs.append((c, s))
    for c, _ in pairs:
        orphan(c)
    with listen(port=26) as lst:
        others = [joined(lst, SERVER[False], port=26) for _ in range(60)]
        print(f"    entries gone, sessions left: {counters()['live'] - live}")
        time.sleep(72)
        lines = [x for x in lab.run("router", "cat", "/proc/net/nf_conntrack").split("\n") if "dport=26" in x]
        closed = [x for x in lines if " CLOSE " in x]
        print(f"    {len(lines)} entries of others, {len(closed)} of them in CLOSE", *closed[:2], sep="\n    ")
        left = counters()["live"] - live
        for a, b in others:
            a.close()
            b.close()
    assert not closed and left <= 0, (len(closed), left)


def holes():
    """N connections in mode monitor with a byte ahead of a gap: four packets each, and nobody listens."""
    c = lab.Raw("client", 1, RAW["server"][False], 25)
    s = lab.Raw("server", 25, RAW["client"][False], 1, 2000000)
    start = time.monotonic()
    for port in range(10000, 10000 + N):
        c.sport = s.dport = port
        c.snd, s.snd = 1000000, 2000000
        c.send(flags=SYN)
        s.rcv = 1000001
        s.send(flags=SYN | ACK)
        c.rcv = 2000001
        c.send(flags=ACK)
        c.send(b"x", seq=1000050)
    print(f"    {N} connections in {time.monotonic() - start:.1f} s, live {counters()['live']}", flush=True)
    return start


def busy():
    """Jiffies that all CPUs have been busy in the kernel, and those of idling."""
    v = open("/proc/stat", encoding="ascii").readline().split()
    return int(v[3]), int(v[4])


def orphans(start):
    c = lab.Raw("client", 1, RAW["server"][False], 25)
    for c.sport in range(10000, 10000 + N):
        orphan(c)
    print(f"    all done after {time.monotonic() - start:.1f} s, live {counters()['live']}", flush=True)


def test_reaper_and_namespace():
    """their namespace goes while their gaps are due: nothing is busy with them for ever, and the module can go"""
    rules(inspect(MONITOR))
    start = holes()
    orphans(start)
    lab.sh("ip netns del router")
    time.sleep(max(10, start + 75 - time.monotonic()))
    before = busy()
    time.sleep(5)
    system, idle = (b - a for a, b in zip(before, busy()))
    assert system < idle, f"in 5 s {system} jiffies in the kernel, {idle} idle"
    lab.sh("timeout 20 rmmod nf_conntrack_esmtp")


def test_namespace_waits():
    """a namespace whose entries have died unheard ends at once, not when the reaper comes"""
    lab.sh("lab_down")
    lab.up()
    rules(inspect())
    lab.sh("modprobe -r nfnetlink_queue")
    c, s = raw_pair()       # the first session there is: the reaper comes in five seconds
    start = time.monotonic()
    begin(c, s)
    assert take_off(c) == 0
    lab.sh("ip netns del router")
    time.sleep(0.5)
    # It has to wait until no namespace is just ending.
    lab.sh("modprobe nfnetlink_queue")
    took = time.monotonic() - start
    print(f"    {took:.1f} s", flush=True)
    assert took < 4.5, f"{took:.1f} s"


def can_be_taken_off():
    c, s = raw_pair()
    begin(c, s)
    return take_off(c) != errno.EOPNOTSUPP


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    if can_be_taken_off():
        lab.tests(test_helper_taken_off, test_reaper_and_namespace, test_namespace_waits)
    else:
        lab.tests(test_kept)
