#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""Entries, the module and the namespace go under full traffic: nothing crashes, nothing leaks, nothing passes half inspected."""
import contextlib
import threading
import time

import lab
from lab import inspect, rules
from load import OPEN, POLICY, Load, expect
from nfqueue import Queue, Rule
from t_lifecycle import loaded, memory, unload

ALL = "mail", "slow", "bdat", "pipelined", "closed"
WHOLE = ALL[:-1]            # those that nobody closes


def parking(q, stop, counts):
    """Every fourth packet rests for a while, and comes back from a process."""
    parked = []
    while not stop.is_set() or parked:
        q.receive(0.02)
        parked += [(time.monotonic(), p) for p in q.packets]
        q.packets.clear()
        while parked and (stop.is_set() or parked[0][0] < time.monotonic() - 0.05):
            counts[q.verdict(parked.pop(0)[1])] += 1


@contextlib.contextmanager
def parked(counts):
    with Queue() as q, Rule("helper", "tcp dport 25 numgen random mod 4 == 0", "tcp sport 25 numgen random mod 4 == 0"):
        stop = threading.Event()
        thread = threading.Thread(target=parking, args=(q, stop, counts))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def test_parked():
    """packets rest in a queue in front of the helper: under reloads, then with their entries deleted, then unloaded"""
    rules(inspect(POLICY))
    counts = {True: 0, False: 0}
    with parked(counts):
        # Not those that are reset: what is parked is dropped at a reload, a RST too, and who says nothing gets no other.
        with Load(*WHOLE, slots=5) as load:
            for i in range(5):
                rules(inspect(POLICY if i % 2 else OPEN))
                load.more(4)
        expect(load.results, masked=5, open=5)
        assert counts[True] > 100, f"parked packets that went on, and that were gone: {counts}"
        rules(inspect(POLICY))
        with Load(*WHOLE, slots=5, patience=2) as load:
            for _ in range(5):
                load.more(4)
                lab.run("router", "conntrack", "-F")
        expect(load.results, ended=("well", "cut"), masked=5, none=0)
        with Load(*WHOLE, slots=5, patience=2) as load:
            load.more(5)
            lab.run("router", "esmtpctl", "unload")
            load.more(5)
        expect(load.results, ended=("well", "cut"), masked=1, open=1, mixed=0, none=0)


def test_unloaded():
    """the module goes, after its table, and comes again: what is wholly inside of a time is as that time wants it"""
    unload()
    seen, times = [], []
    for i in range(3):
        with Load(*WHOLE, patience=2) as load:
            load.more(10)
            rules(inspect(POLICY))
            start = time.monotonic()
            load.more(50)       # the first are those that are older than the table
            end = time.monotonic()
            rules("flush ruleset\n")
            if i % 2:
                lab.run("router", "esmtpctl", "unload")
            else:
                lab.run("router", "rmmod", "nf_conntrack_esmtp")
            gone = time.monotonic()
            load.more(40)
        assert not loaded()
        expect([r for r in load.results if r["start"] > start and r["over"] < end], masked=5)
        expect([r for r in load.results if r["start"] > gone or r["over"] < start - 5], open=5)
        # The rest has met a change: with pickup drop those are closed that are older than the table.
        expect(load.results, ended=("well", "cut"), masked=5, open=5, mixed=0, none=0)
        lab.run("router", "conntrack", "-F")
        time.sleep(0.5)
        seen.append(memory())
    grown = {k: seen[-1][k] - seen[0][k] for k in seen[-1]}
    assert max(grown.values()) < 80, f"grown by {grown}: {seen}"


def test_namespace_gone():
    """the router's namespace goes under traffic, and then the module"""
    rules(inspect(POLICY))
    with Load(*ALL, patience=2) as load:
        load.more(30)
        start = time.monotonic()
        lab.sh("ip netns del router")
        # It takes its time. The client's line goes with it, and its addresses: then no connection begins any more.
        while "does not exist" not in lab.run("client", "ip", "link", "show", "c0", check=False):
            assert time.monotonic() - start < 120, "the namespace is still there"
            time.sleep(0.1)
    expect([r for r in load.results if r["over"] < start], masked=20)
    # While a namespace goes it routes a moment longer than it filters; what began before is not seen unmasked then either.
    # What begins in that moment may be filtered for a part of its life.
    expect([r for r in load.results if r["start"] < start], ended=("well", "cut"), masked=20, none=0)
    expect(load.results, ended=("well", "cut"), masked=20, none=1, open=0, mixed=0, other=0)
    lab.sh("lab_down")
    lab.up()
    end = time.monotonic() + 20
    while loaded() and time.monotonic() < end:
        lab.run("client", "rmmod", "nf_conntrack_esmtp", check=False)
        time.sleep(0.2)
    assert not loaded(), "the module is still there"


if __name__ == "__main__":
    lab.up()
    lab.tests(test_parked, test_unloaded, test_namespace_gone)
