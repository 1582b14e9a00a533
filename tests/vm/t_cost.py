#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# clock: instructions
# limit: 20000 (of this clock, see below)
"""What a mail and a packet cost, against router.baseline: in executed instructions, the clock of this machine. Counted
is all that happens, at both ends too, so each figure stands beside that of a router that only forwards, and of one that
tracks and filters. Median of three rounds, behind one that is dropped: in it programs are read from the disk, and while
this machine waits for the host its clock leaps from timer to timer, sometimes for minutes."""
import contextlib
import socket
import statistics
import time

import figures
import lab
from mta import *

ROUNDS = 3
# A router's own rules. They stay in place for what follows.
FILTER = """
table inet filter {
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state invalid drop
		ct state established,related accept
		iifname "rc" tcp dport 25 accept
	}
}
"""
WAYS = "plain", "conntrack", "exempt", "default"
KINDS = "1 KB mail", "1 MB mail", "packet"
# From boot to boot a figure changes by up to 0.5 %. A difference of two has the noise of both in a far smaller number: it
# changes by up to 1.5 %.
BEYOND = "default beyond conntrack"
BOUNDS = {f"{kind}, {BEYOND}": 0.05 for kind in KINDS}


def mails(size, count):
    run("client", "smtp-source", "-m", str(count), "-l", str(size), "-f", "a@client.test", "-t", "b@server.test",
        f"{SERVER4}:25")


def packets(count):
    """Each of them there and back: a command in one, its reply in the other."""
    with Client(SERVER4) as c:
        c.hello()
        for _ in range(count // 2):
            c.sock.sendall(b"NOOP\r\n")
            assert c.sock.recv(64).startswith(b"250"), "no reply"


def cost(work, *args, few, more):
    """Instructions of one, without what a beginning costs: the difference of few and more."""
    took = []
    for n in few, more:
        start = time.monotonic_ns()
        work(*args, n)
        took.append(time.monotonic_ns() - start)
    return (took[1] - took[0]) / (more - few)


def choose(way):
    """In the order of WAYS: each has what the one before it has, and more."""
    if way == "conntrack":
        run("router", "nft", "-f", "-", stdin=FILTER)
    elif way != "plain":
        with open(CONF, encoding="utf-8") as f:
            exempt = f"\nexempt {{ {SERVER4} }}\n" if way == "exempt" else ""
            run("router", "esmtpctl", "-f", "-", stdin=f.read() + exempt)


def taken(way):
    """The way that was asked for is the one that was taken."""
    entries = run("router", "conntrack", "-L", "-p", "tcp")
    same(way != "plain", "dport=25 " in entries, f"{way}: tracked")
    if way in ("exempt", "default"):
        same(way == "default", lab.counters()["packets"] > 0, f"{way}: inspected")


def round_of(way):
    run("router", "conntrack", "-F")
    found = {"1 KB mail": cost(mails, 1024, few=10, more=60), "1 MB mail": cost(mails, 1 << 20, few=1, more=3),
             "packet": cost(packets, few=100, more=600)}
    taken(way)
    return found


def measure():
    """Medians, by name."""
    found = {}
    for way in WAYS:
        choose(way)
        rounds = [round_of(way) for _ in range(1 + ROUNDS)][1:]
        for kind in KINDS:
            got = [r[kind] for r in rounds]
            found[kind, way] = statistics.median(got)
            print(f"      {kind}, {way}: rounds within {100 * (max(got) / min(got) - 1):.2f} %", flush=True)
    table = {}
    for kind in KINDS:
        table.update({f"{kind}, {way}": found[kind, way] for way in WAYS})
        table[f"{kind}, {BEYOND}"] = found[kind, "default"] - found[kind, "conntrack"]
    return table


shell("lab_up")
with inside("server"):
    sink = subprocess.Popen(["smtp-sink", "-u", "nobody", f"{SERVER4}:25", "100"])
with inside("client"):
    for _ in range(100):
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((SERVER4, 25)):
            break
        time.sleep(0.1)
with check("figures are taken on the way that they are of"):
    found = measure()
    baseline = "/job/router.baseline"
    head = f"{figures.compiler('/job/nf_conntrack_esmtp.ko')}, Linux {os.uname().release}"
    if os.environ.get("WRITE"):
        baseline = "/job/out/router.baseline"
        figures.save(baseline, head, found)
    figures.compare(baseline, head, found, BOUNDS)
sink.kill()
finish()
