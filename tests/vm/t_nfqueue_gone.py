#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""Packets parked in a queue of nft, on their way to the helper, while table, module and namespace go."""
import contextlib
import os
import time

import lab
from lab import SYN, begin, content, inspect, raw_pair, rules
from nfqueue import DATA, PLACES, Queue, Rule, delete_entry, unread

EVERY = [(place, v6) for place in PLACES for v6 in (False, True)]
# Another user of conntrack, whose hooks are there without our table too.
TRACKED = "table inet tracked { chain tracked { type filter hook forward priority 10; ct state new counter; }; }"


def loaded():
    return os.path.exists("/sys/module/nf_conntrack_esmtp")


def rmmod(seconds=20):
    """Without a word to esmtpctl: nobody removes tables first."""
    end = time.monotonic() + seconds
    while loaded() and time.monotonic() < end:
        said_ = lab.run("client", "rmmod", "nf_conntrack_esmtp", check=False)
        time.sleep(0.1)
    assert not loaded(), said_


def test_table_gone():
    """without the table what is parked is dropped or inspected, and the connection is inspected to its end"""
    lab.nft(TRACKED)
    for place, v6 in EVERY:
        table_gone(place, v6)


def test_table_gone_alone():
    """the same where nothing else in the namespace uses conntrack"""
    lab.nft("table inet tracked\ndelete table inet tracked\n")
    for place, v6 in EVERY:
        table_gone(place, v6)


def table_gone(place, v6):
    rules(inspect())
    with Queue() as q, Rule(place, DATA):
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(b"STARTTLS\r\n")
        packet, = q.park()
        rules("flush ruleset\n")
        # Kernels drop what is parked anywhere when a hook goes away.
        parked = q.verdict(packet)
        seg = s.get(0.2)
        assert not seg or parked and seg.payload == b"XXXXXXXX\r\n", f"{place}: {seg}"
        c.send(b"STARTTLS\r\n", seq=c.snd - 10)
        packet, = q.park()
        assert q.verdict(packet)
        seg = s.get()
        assert seg and seg.payload == b"XXXXXXXX\r\n", f"{place}: {seg}"


def test_unloaded():
    """the module goes while data, SYN and RST are parked behind its table: no way for them to come back to it"""
    for place in PLACES:
        rules(inspect(lab.RESETTING))
        with Queue() as q:
            ends = []
            for v6 in False, True:
                c, s = raw_pair(v6)
                begin(c, s)
                content(c, s)
                d, t = raw_pair(v6)
                begin(d, t)
                ends += [(c, s), (d, t)]
            with Rule(place, "tcp dport 25 tcp flags & (psh | syn | rst) != 0"):
                rules("flush ruleset\n")
                for c, s in ends:
                    c.send(b"STARTTLS\r\n")
                    lab.Raw("client", c.sport + 10000, lab.RAW["server"][c.v6], 25).send(flags=SYN)
                packets = q.park(8)
                delete_entry(ends[1][0])
                delete_entry(ends[3][0])
                rmmod()
                # Nobody refuses; kernels drop what is parked when the module's hooks go.
                back = [p for p in packets if q.verdict(p)]
                print(f"# {place}: {len(back)} of {len(packets)} went on when the module had gone", flush=True)
                for _, s in ends:
                    for seg in iter(lambda: s.get(0.1), None):
                        assert back or not seg.payload, f"{seg} was not in the queue"


OWN = """table inet own {
	ct helper slot3 { type "esmtp-3" protocol tcp; }
	chain choose { type filter hook postrouting priority 0; tcp dport 25 ct state new ct helper set "slot3"; }
}
"""


def test_unloaded_own_table():
    """a SYN and data with a helper from a person's own table are parked when the module goes, and go on later"""
    lab.nft("table inet tracked\ndelete table inet tracked\n")
    rules("flush ruleset\n")
    rmmod()
    for v6 in False, True:
        lab.nft(OWN + TRACKED)
        with Queue() as q, Rule("helper", DATA, "tcp dport 25 tcp flags syn tcp sport > 40000"):
            c, s = raw_pair(v6)
            c.send(b"STARTTLS\r\n")
            lab.Raw("client", c.sport + 20000, lab.RAW["server"][v6], 25).send(flags=SYN)
            packets = q.park(2)
            # No hook goes now. Newer point releases drop what is parked when the object goes that names the helper,
            # others up to 7.1 when the helper does.
            lab.nft("flush chain inet own choose\ndelete ct helper inet own slot3")
            rmmod()
            back = [p for p in packets if q.verdict(p)]
            print(f"# own table: {len(back)} of 2 went on when the module had gone", flush=True)
            s.drain()
            rules(inspect())
            c.send(b"STARTTLS\r\n", seq=c.snd - 10)
            unread(s)
        lab.nft("delete table inet own\ndelete table inet tracked")
        rules("flush ruleset\n")
        rmmod()


def test_namespace_gone():
    """the router's namespace goes with packets in its queue, then the module"""
    for place in PLACES:
        lab.sh("lab_down")
        lab.up()
        rules(inspect())
        q = Queue()
        pairs = [raw_pair(v6) for v6 in (False, True)]
        for c, s in pairs:
            begin(c, s)
        lab.nft(Rule(place, "tcp dport 25 tcp flags & (psh | syn) != 0").text)
        for c, s in pairs:
            c.send(b"STARTTLS\r\n")
            lab.Raw("client", c.sport + 10000, lab.RAW["server"][c.v6], 25).send(flags=SYN)
        q.park(4)
        # The socket of the queue keeps the namespace alive; with it the packets go, and then the namespace.
        lab.sh("ip netns del router")
        q.close()
        for c, s in pairs:
            with contextlib.suppress(OSError):      # its device has gone with the router's
                unread(s)
        rmmod()
    lab.sh("lab_down")
    lab.up()


if __name__ == "__main__":
    lab.up()
    lab.tests(test_table_gone, test_table_gone_alone, test_unloaded, test_unloaded_own_table, test_namespace_gone)
