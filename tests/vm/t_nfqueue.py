#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""Packets parked in a queue of nft, on their way to the helper: entries are deleted and taken over meanwhile, order is lost."""
import random
import threading
import time

import lab
from lab import ACK, PSH, RST, SERVER, SYN, URG, begin, content, counters, grows, handshake, inspect, joined, listen, mailed, \
    raw_pair, rules, said, same, talk
from nfqueue import DATA, NF_ACCEPT, NF_DROP, PLACES, Queue, Rule, delete_entry, unread

EVERY = [(place, v6) for place in PLACES for v6 in (False, True)]


def test_goes_on():
    """a packet that waits in a queue is inspected when it goes on, a dropped one comes again"""
    rules(inspect())
    for place in PLACES:
        with Queue() as q, Rule(place, DATA):
            for v6 in False, True:
                c, s = raw_pair(v6)
                begin(c, s)
                c.send(b"STARTTLS\r\n")
                packet, = q.park()
                same(packet.tcp().payload, b"STARTTLS\r\n", "in the queue")
                s.silent(0.1)
                assert q.verdict(packet, NF_DROP)
                c.send(b"STARTTLS\r\n", seq=c.snd - 10)
                packet, = q.park()
                assert q.verdict(packet, NF_ACCEPT)
                s.want(b"XXXXXXXX\r\n")
                assert not q.verdict(packet), "it is still in the queue"


def test_entry_deleted():
    """the entry is deleted under a parked packet: it does not pass, with or without a session"""
    rules(inspect())
    for place in PLACES:
        with Queue() as q, Rule(place, DATA):
            for v6, begun in (False, True), (False, False), (True, True), (True, False):
                c, s = raw_pair(v6)
                if begun:
                    begin(c, s)
                with grows(tombstone=1, connections=0):
                    c.send(b"STARTTLS\r\n")
                    packet, = q.park()
                    delete_entry(c)
                    assert q.verdict(packet), "it was not in the queue any more"
                    unread(s)


def test_deleted_in_content():
    """the same in message content, with bytes retained, and the other direction is parked too"""
    rules(inspect())
    for place in PLACES:
        with Queue() as q, Rule(place, "tcp flags & (psh | urg) == psh | urg"):
            for v6 in False, True:
                c, s = raw_pair(v6)
                begin(c, s)
                content(c, s)
                c.send(b"Subject: x\r\n\r\nretained\r\n")
                s.want(b"Subject: x\r\n\r\nretained\r\n")
                with grows(tombstone=2):
                    c.send(b".\r\nSTARTTLS\r\n", flags=ACK | PSH | URG)
                    s.send(b"220 go\r\n", flags=ACK | PSH | URG)
                    packets = q.park(2)
                    delete_entry(c)
                    for packet in packets:
                        assert q.verdict(packet)
                    unread(s)
                    unread(c)


def test_syn_parked():
    """a SYN waits unconfirmed, and its repeat: one of them opens the connection, which is inspected"""
    rules(inspect())
    for place in PLACES:
        with Queue() as q, Rule(place, "tcp dport 25 tcp flags syn"):
            for v6 in False, True:
                for first, second in (NF_ACCEPT, NF_ACCEPT), (NF_DROP, NF_ACCEPT), (NF_ACCEPT, NF_DROP):
                    with grows(connections=1):
                        syn_twice(q, v6, first, second)


def syn_twice(q, v6, first, second):
    lab._port += 1
    c = lab.Raw("client", lab._port, lab.RAW["server"][v6], 25)
    s = lab.Raw("server", 25, lab.RAW["client"][v6], lab._port, 2000000)
    c.send(flags=SYN)
    c.send(flags=SYN, seq=c.isn)
    packets = q.park(2)
    assert s.get(0) is None, "a SYN is not parked"
    for packet, what in zip(packets, (first, second)):
        assert q.verdict(packet, what)
    assert s.get(1), "no SYN has passed"
    s.drain()
    s.rcv = c.snd
    s.send(flags=SYN | ACK)
    seg = c.get()
    assert seg and seg.flags == SYN | ACK, seg
    c.rcv = seg.seq + 1
    c.ack()
    s.drain()
    begin(c, s)
    talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_syn_flushed():
    """all entries are deleted under a parked SYN, and nobody ever answers: nothing is left"""
    rules(inspect())
    for place in PLACES:
        with Queue() as q, Rule(place, "tcp dport 25 tcp flags syn"):
            for v6 in False, True:
                lab.Raw("client", 29999, lab.RAW["server"][v6], 25).send(flags=SYN)
                packet, = q.park()
                lab.run("router", "conntrack", "-F")
                assert q.verdict(packet)
            lab.run("router", "conntrack", "-F")
            assert counters()["live"] == 0


def test_taken_over():
    """a packet of an old connection comes out of the queue into a new one by the same ports: it is inspected, or not read"""
    rules(inspect())
    for place, v6 in ("prerouting", False), ("guard", True), ("helper", False), ("helper", True):
        # The new one begins far behind the old one; so that the old packet is next; so that it is ahead.
        for behind in 70000, -9, -200:
            taken_over(place, v6, behind)
        taken_over(place, v6, -9, ended=delete_entry)
        taken_over(place, v6, 70000, ended=lambda c: c.send(flags=RST, seq=c.snd - 10))


def taken_over(place, v6, behind, ended=None):
    c, s = raw_pair(v6)
    begin(c, s)
    with Queue() as q, Rule(place, DATA) as rule:
        c.send(b"STARTTLS\r\n")
        packet, = q.park()
        rule.stop()
        if ended:
            ended(c)
        c.snd = (packet.tcp().seq + behind) & 0xffffffff
        s.snd += 100        # so little that what the old packet acknowledges is not yet far too old
        c.drain()
        s.drain()
        handshake(c, s)
        begin(c, s)
        assert q.verdict(packet), "it was not in the queue any more"
        seg = s.get(0.2)
        if behind == -9 and not ended:
            assert seg and seg.payload == b"XXXXXXXX\r\n", f"{seg} of the old connection, as if it were next"
            return
        assert seg is None or s.has(seg), f"{seg} of the old connection"
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_rst_parked():
    """a RST of ours waits in a queue: it is right when it goes on, also when its entry is gone"""
    rules(inspect(lab.RESETTING))
    with Queue() as q:
        for v6 in False, True:
            for place in "guard", "helper":
                for deleted in False, True:
                    c, s = raw_pair(v6)
                    begin(c, s)
                    with Rule(place, "tcp flags & rst == rst"), grows(tombstone=0):
                        c.send(b"NOOP " + b"x" * 508 + b"\r\n")
                        packets = q.park(2)
                        assert all(p.tcp().flags & RST for p in packets)
                        if deleted:
                            delete_entry(c)
                        for packet in packets:
                            assert q.verdict(packet)
                        s.reset()
                        c.reset()


def shuffling(q, stop, seen):
    """Lets packets go on, those that wait at the same time in any order."""
    chance = random.Random(25)
    while not stop.is_set():
        time.sleep(0.01)
        while q.receive(0):
            pass
        while q.packets:
            seen.append(len(q.packets))
            q.verdict(q.packets.pop(chance.randrange(len(q.packets))))


def test_shuffled():
    """a mail whose packets leave the queue in any order, and from another CPU, arrives byte for byte"""
    message = b"Subject: x\r\n\r\n" + b"".join(b"%06d 0123456789abcdef\r\n" % i for i in range(6000)) + b".\r\n"
    rules(inspect())
    for place, v6 in EVERY:
        lab.sh("offloads " + ("on" if v6 else "off"))
        stop, seen = threading.Event(), []
        with Queue(large=False) as q, listen(v6=v6) as lst, Rule(place, "tcp dport 25", "tcp sport 25"):
            reader = threading.Thread(target=shuffling, args=(q, stop, seen))
            reader.start()
            try:
                mail(lst, SERVER[v6], message)
            finally:
                stop.set()
                reader.join()
        assert len(seen) > 50 and max(seen) > 3, f"{len(seen)} packets were parked, at most {max(seen)} at a time"
    lab.sh("offloads on")


def mail(lst, to, message):
    c, s = joined(lst, to)
    said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
    lines = b"NOOP\r\nSTARTTLS\r\n" * 8
    said(c, lines, s, lines.replace(b"STARTTLS", b"XXXXXXXX"))
    said(s, b"250 ok\r\n500 what\r\n" * 8, c)
    mailed(c, s, message)
    c.close()
    s.close()


if __name__ == "__main__":
    lab.up()
    lab.tests(test_goes_on, test_entry_deleted, test_deleted_in_content, test_syn_parked, test_syn_flushed, test_taken_over,
              test_rst_parked, test_shuffled)
