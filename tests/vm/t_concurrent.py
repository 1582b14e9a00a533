#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""Both CPUs at work on one connection; policies, exempt hosts and counters change under full traffic."""
import contextlib
import threading
import time

import lab
from lab import counters, inspect, rules
from load import NETWORK, OPEN, POLICY, Load, expect

ALL = "mail", "slow", "bdat", "pipelined", "closed"
WHOLE = ALL[:-1]            # those that nobody closes
EXEMPT = [NETWORK[v6][0] + "3" for v6 in (False, True)]
CPUS = """
table inet cpus {
	counter client0 { }
	counter client1 { }
	counter server0 { }
	counter server1 { }
	chain postrouting {
		type filter hook postrouting priority 10
		tcp dport 25 meta cpu 0 counter name client0
		tcp dport 25 meta cpu 1 counter name client1
		tcp sport 25 meta cpu 0 counter name server0
		tcp sport 25 meta cpu 1 counter name server1
	}
}
"""


def forget():
    """No entries any more: so no sessions either."""
    lab.run("router", "conntrack", "-F")
    end = time.monotonic() + 5
    while counters()["live"] and time.monotonic() < end:
        time.sleep(0.05)
    assert counters()["live"] == 0, f"{counters()['live']} sessions are left"


@contextlib.contextmanager
def apart():
    """The router works on the client's packets on one CPU and on the server's on the other."""
    queue = "/sys/class/net/{}/queues/rx-0/rps_cpus"
    for dev, mask in ("rc", 1), ("rs", 2):
        lab.run("router", "ip", "netns", "exec", "router", "sh", "-c", f"echo {mask} >{queue.format(dev)}")
    lab.nft(CPUS)
    try:
        yield
    finally:
        lab.nft("delete table inet cpus")
        for dev in "rc", "rs":
            lab.run("router", "ip", "netns", "exec", "router", "sh", "-c", f"echo 0 >{queue.format(dev)}")


def cpu_counters():
    found = {}
    for line in lab.run("router", "nft", "list", "counters").splitlines():
        words = line.split()
        if words[:1] == ["counter"]:
            name = words[1]
        elif words[:1] == ["packets"]:
            found[name] = int(words[1])
    return found


def test_both_directions():
    """both directions of a connection on two CPUs at once: chunks go, replies come, all arrive byte for byte"""
    for offloads in "on", "off":
        lab.sh("offloads " + offloads)
        rules(inspect(POLICY))
        rules("flush ruleset\n")
        rules(inspect(POLICY))
        forget()
        with apart():
            with Load("chunks", "pipelined", limit=50) as load:
                load.wait()
            on = cpu_counters()
        expect(load.results, masked=100)
        assert on["client0"] > 500 and on["server1"] > 500, on
        assert on["client1"] < on["client0"] / 10 and on["server0"] < on["server1"] / 10, on
        now = counters()
        want = sum(r["bytes"] for r in load.results)
        assert (now["connections"], now["bytes"], now["closed"]) == (100, want, 0), f"{now}, not {want} bytes"
    lab.sh("offloads on")
    forget()


def test_policies_swapped():
    """another file is loaded again and again: each connection keeps its policy to its end, none is cut"""
    rules(inspect(POLICY))
    with Load(*ALL) as load:
        load.more(20)
        for i in range(12):
            rules(inspect(POLICY if i % 2 else OPEN))
            load.more(8)
    expect(load.results, masked=30, open=30)
    for kind in ALL:
        assert any(r["kind"] == kind for r in load.results), f"there was no {kind}"
    forget()


def test_exempt_changed():
    """exempt hosts come and go: others are masked always, theirs are wholly masked or not at all"""
    rules(inspect(POLICY))
    with Load(*WHOLE) as load:
        for _ in range(8):
            lab.run("router", "esmtpctl", "add", "exempt", *EXEMPT)
            load.more(6)
            lab.run("router", "esmtpctl", "delete", "exempt", *EXEMPT)
            load.more(6)
    expect([r for r in load.results if r["source"] not in EXEMPT], masked=20)
    expect([r for r in load.results if r["source"] in EXEMPT], masked=10, open=10)
    forget()


def listing(stop, seen):
    while not stop.is_set():
        seen.append(counters())


def test_counters_reset():
    """counters are reset and listed at the same time: none is below zero, none is lost afterwards"""
    rules(inspect(POLICY))
    stop, seen = threading.Event(), []
    reader = threading.Thread(target=listing, args=(stop, seen))
    with Load(*ALL) as load:
        reader.start()
        try:
            for _ in range(15):
                lab.run("router", "esmtpctl", "reset", "counters")
                load.more(4)
        finally:
            stop.set()
            reader.join()
    expect(load.results, masked=50)
    wrong = [(k, v) for c in seen for k, v in c.items() if isinstance(v, int) and not 0 <= v < 1 << 62]
    assert not wrong, f"{wrong[:5]} in {len(seen)} lists"
    assert len(seen) > 10, "nobody has listed"
    lab.run("router", "esmtpctl", "reset", "counters")
    with Load(*WHOLE, limit=20) as load:
        load.wait()
    assert counters()["connections"] == 40, counters()
    forget()


if __name__ == "__main__":
    lab.up()
    lab.tests(test_both_directions, test_policies_swapped, test_exempt_changed, test_counters_reset)
