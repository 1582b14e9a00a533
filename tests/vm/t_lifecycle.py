#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""Tables and modules come and go under open connections: nothing passes uninspected, nothing leaks or crashes."""
import os
import re
import threading
import time

import lab
from lab import ACK, FIN, RAW, SERVER, SYN, at_length, begin, connect, content, counters, envelope, grows, inspect, joined, listen, \
    quiet, raw_pair, read, rules, said, same, talk
from mta import Monitor

LONG = b"NOOP " + b"x" * 508 + b"\r\n"
TLS = lab.POLICY.replace("tls deny", "tls allow").replace("policy default", "policy tls").replace("mask\n}", "log\n}")
MESSAGE = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 300 + b".\r\n"


def loaded():
    return os.path.exists("/sys/module/nf_conntrack_esmtp")


def unload():
    if loaded():
        lab.run("router", "esmtpctl", "unload")
    assert not loaded(), "the module is still there: " + open("/proc/modules", encoding="ascii").read()


def flush():
    """No table: nothing is inspected."""
    rules("flush ruleset\n")


def nothing(c, s, **counted):
    """Bytes of neither side pass, and they are counted."""
    with grows(**counted):
        c.send(b"STARTTLS\r\n")
        c.snd -= 10
        s.send(b"250 ok\r\n")
        s.snd -= 8
        s.silent(0.2)
        c.silent(0.2)


# Somebody else's use of conntrack, so that entries are older than our table.
TRACKED = "table inet tracked { chain tracked { type filter hook forward priority 10; ct state new counter; }; }"


def test_pickup():
    """a connection that is older than the table does not pass, whether or not it is tracked"""
    unload()
    c, s = raw_pair()
    rules(inspect())
    nothing(c, s, table__not_syn=2)
    flush()
    lab.nft(TRACKED)
    for v6 in False, True:
        c, s = raw_pair(v6)
        talk(s, c, b"220 mx ESMTP\r\n")
        d, t = raw_pair(v6)
        rules(inspect())
        nothing(c, s, table__pickup=2)
        nothing(d, t, table__pickup=2)
        c.send(flags=ACK | FIN)
        assert s.get(0.2) is None
        flush()


def test_pickup_pass():
    """pickup pass lets it go on, and inspects new ones"""
    flush()
    for v6 in False, True:
        c, s = raw_pair(v6)
        talk(s, c, b"220 mx ESMTP\r\n")
        rules(inspect(lines="\tpickup pass"))
        with grows(table__pickup=(2, 4), connections=0):
            talk(c, s, b"STARTTLS\r\n")
            talk(s, c, b"220 go\r\n")
        with grows(table__pickup=0, connections=1):
            c, s = raw_pair(v6)
            begin(c, s)
            talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
        flush()


# In front of conntrack: the connections of the Raw ends are not tracked.
NOTRACK = "table inet untracked { chain untracked { type filter hook prerouting priority raw; " + "".join(
    f"{ip} saddr {RAW[a][v6]} {ip} daddr {RAW[b][v6]} tcp {port} 25 notrack; " for ip, v6 in (("ip", False), ("ip6", True))
    for a, b, port in (("client", "server", "dport"), ("server", "client", "sport"))) + "}; }"


def test_untracked():
    """what somebody keeps from conntrack does not pass, and is counted; others are inspected as ever"""
    rules(inspect())
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        lab.nft(NOTRACK)
        try:
            nothing(c, s, table__untracked=2)
            d = lab.Raw("client", c.sport + 20000, RAW["server"][v6], 25)
            t = lab.Raw("server", 25, RAW["client"][v6], d.sport)
            with grows(table__untracked=2, connections=0):
                d.send(flags=SYN)
                assert t.get(0.2) is None
                t.send(flags=SYN | ACK)
                assert d.get(0.2) is None
            with listen(v6=v6) as lst, grows(table__untracked=0, connections=1):
                close([real(lst, SERVER[v6], 3)])
        finally:
            lab.nft("delete table inet untracked")
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def real(lst, to, upto, **kw):
    """A real connection that has come to a point of its mail."""
    c, s = joined(lst, to, **kw)
    steps = [(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n"), (c, b"EHLO c\r\n", s, None),
             (s, b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n", c, b"250-mx\r\n250-PIPELINING\r\n250 XXXXXXXA\r\n"),
             (c, b"MAIL FROM:<a@c.test>\r\n", s, None), (s, b"250 ok\r\n", c, None),
             (c, b"RCPT TO:<b@s.test>\r\n", s, None), (s, b"250 ok\r\n", c, None),
             (c, b"DATA\r\n", s, None), (s, b"354 go\r\n", c, None), (c, MESSAGE[:2000], s, None)]
    for sender, data, receiver, want in steps[:upto]:
        said(sender, data, receiver, want)
    return c, s


def test_rules_reloaded():
    """new rules in the middle of a mail cut nothing; it keeps the policy that it began with"""
    rules(inspect())
    for v6 in False, True:
        with listen(v6=v6) as lst:
            ends = [real(lst, SERVER[v6], n) for n in range(11)]
            mail = real(lst, SERVER[v6], 10)
            rules(inspect(lab.MONITOR))
            rules(inspect(TLS + lab.RESETTING))
            said(mail[0], MESSAGE[2000:], mail[1])
            said(mail[1], b"250 ok\r\n", mail[0])
            said(mail[0], b"STARTTLS\r\n", mail[1], b"XXXXXXXX\r\n")
            said(mail[1], b"500 what\r\n", mail[0])
            c, s = ends[3]
            said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
            c, s = ends[0]
            said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
            for c, s in ends + [mail]:
                c.close()
                s.close()
            rules(inspect())


def test_module_reloaded():
    """the module is unloaded and loaded in the middle of a mail: nothing of the old connection passes"""
    rules(inspect())
    pairs = []
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        content(c, s)
        d, t = raw_pair(v6)
        begin(d, t)
        pairs += [(c, s), (d, t), raw_pair(v6)]
    unload()
    rules(inspect())
    before = counters()
    for c, s in pairs:
        c.send(b"STARTTLS\r\n")
        s.send(b"250 ok\r\n")
        c.send(flags=ACK | FIN)
        s.silent(0.2)
        c.silent(0)
    after = counters()
    stopped = sum(after[k] - before[k] for k in ("no-helper", "table.pickup", "table.not-syn", "table.invalid"))
    assert stopped == 18, f"18 packets did not pass, {stopped} were counted"
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)


def all_phases(lst, v6, n):
    """n connections with their ends: real ones, and some by hand that leave bytes retained, held, latched, closed."""
    ends = [real(lst, SERVER[v6], i % 11) for i in range(n)]
    c, s = raw_pair(v6)
    s.send(b"220 mx ESMTP\r\n")
    c.want(b"220 ********\r\n")
    ends.append((c, s))
    c, s = raw_pair(v6)
    begin(c, s)
    content(c, s)
    for i in range(0, len(MESSAGE) - 3, 1000):
        c.send(MESSAGE[i:i + 1000])
    ends.append((c, s))
    c, s = raw_pair(v6)
    begin(c, s)
    c.send(b"DATA\r\nSubject: held\r\n")
    s.want(b"DATA\r\n")
    ends.append((c, s))
    c, s = raw_pair(v6)
    begin(c, s)
    c.send(b"NOOP\r\n" + LONG)
    s.want(b"NOOP\r\n")
    ends.append((c, s))
    c, s = raw_pair(v6)
    begin(c, s)
    c.send(LONG)
    s.reset()
    ends.append((c, s))
    return ends


def close(ends):
    for pair in ends:
        for end in pair:
            end.close()


def test_unload_monitored():
    """who listens to events is told that the module has gone"""
    rules(inspect())
    monitor = Monitor()
    unload()
    assert monitor.process.wait(10) == 1
    said_last = monitor.lines(1)
    assert said_last == ["Error: the module has been unloaded: no more events come"], said_last


def test_unload_open():
    """the module is unloaded with 200 connections open in every phase"""
    rules(inspect())
    live = counters()["live"]
    with listen() as l4, listen(v6=True) as l6:
        ends = all_phases(l4, False, 95) + all_phases(l6, True, 95)
        assert counters()["live"] >= live + 180, counters()["live"]
        start = time.monotonic()
        unload()
        took = time.monotonic() - start
        # Nobody asks for inspection any more: they go on as they are.
        c, s = ends[3]
        said(c, b"STARTTLS\r\n", s)
        close(ends)
    assert took < 20, f"unloading took {took:.1f} s"


def test_tls():
    """a connection that went over to TLS is not looked at, and survives new rules"""
    rules(inspect(TLS).replace("default policy default", "default policy tls"))
    with listen() as lst:
        c, s = joined(lst, SERVER[False])
        said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
        said(c, b"EHLO c\r\n", s)
        said(s, b"250-mx\r\n250 STARTTLS\r\n", c)
        said(c, b"STARTTLS\r\n", s)
        said(s, b"220 go\r\n", c)
        secret = bytes(range(256)) * 300 + b"\r\nSTARTTLS\r\n"
        at_length(c, secret, s)
        rules(inspect())
        said(s, b"|<>\r\n" * 10, c)
        close([(c, s)])


def test_namespace_gone():
    """the namespace of the router goes away with open connections, then the module"""
    rules(inspect())
    with listen() as l4, listen(v6=True) as l6:
        ends = all_phases(l4, False, 20) + all_phases(l6, True, 20)
        lab.sh("ip netns del router")
        close(ends)
    end = time.monotonic() + 20
    while time.monotonic() < end and "rc" in lab.run("client", "ip", "link"):
        if "c0" not in lab.run("client", "ip", "link"):
            break
        time.sleep(0.1)
    lab.sh("lab_down")
    lab.up()
    # The namespace is freed a moment later; the module can go when nobody names it any more.
    end = time.monotonic() + 20
    while loaded() and time.monotonic() < end:
        lab.run("router", "rmmod", "nf_conntrack_esmtp", check=False)
        time.sleep(0.2)
    assert not loaded(), "the module is still there"


def traffic(stop, greetings, lst, to):
    while not stop.is_set():
        try:
            c = connect(to, timeout=1)
        except OSError:
            continue
        try:
            # There may be others before it that their clients have given up.
            s, peer = lst.accept()
            while peer[1] != c.getsockname()[1]:
                s.close()
                s, peer = lst.accept()
        except OSError:
            c.close()
            continue
        c.settimeout(0.5)
        s.settimeout(0.5)
        try:
            s.sendall(b"220 mx ESMTP\r\n")
            greetings.append(c.recv(100))
            c.sendall(b"NOOP\r\nSTARTTLS\r\n" * 20)
            s.recv(1000)
        except OSError:
            pass
        c.close()
        s.close()


def test_unload_under_traffic():
    """loading and unloading with connections coming and going all the time"""
    unload()
    open_, masked = b"220 mx ESMTP\r\n", b"220 ********\r\n"
    stop = threading.Event()
    threads = []
    lists = [listen(), listen(v6=True)]
    greetings = [[], []]
    for lst, got, v6 in zip(lists, greetings, (False, True)):
        lst.settimeout(1)
        threads.append(threading.Thread(target=traffic, args=(stop, got, lst, SERVER[v6])))
        threads[-1].start()
    try:
        time.sleep(0.5)
        before = [len(got) for got in greetings]
        for _ in range(3):
            rules(inspect())
            time.sleep(0.7)
            unload()
        during = [got[n:] for got, n in zip(greetings, before)]
    finally:
        stop.set()
        for t in threads:
            t.join()
        for lst in lists:
            lst.close()
    failures = [g for got in greetings for g in got if g not in (open_, masked)]
    assert not failures, failures[:3]
    assert min(before) > 0, f"greetings before, of each family: {before}"
    counts = [(got.count(open_), got.count(masked)) for got in during]
    assert min(sum(c) for c in counts) > 0 and min(c[1] for c in counts) > 0, f"greetings open and masked: {counts}"


def memory():
    """Objects in use by the caches that sessions and what hangs on them come from; kB of per-CPU memory."""
    caches = "/sys/kernel/slab/"
    for name in os.listdir(caches):
        if name.startswith(("kmalloc-", "nf_conntrack")):
            with open(caches + name + "/shrink", "w", encoding="ascii") as f:
                f.write("1")
    with open("/proc/slabinfo", encoding="ascii") as f:
        found = {w[0]: int(w[1]) for w in map(str.split, f) if re.match(r"kmalloc-(512|[1248]+k|16k)$|nf_conntrack$", w[0])}
    with open("/proc/meminfo", encoding="ascii") as f:
        found["percpu"] = int(re.search(r"Percpu: +(\d+)", f.read()).group(1))
    return found


def test_no_leak():
    """loaded and unloaded again and again with connections: memory does not grow, and no entry is kept"""
    unload()
    seen, entries = [], []
    with listen() as lst:
        for _ in range(5):
            rules(inspect())
            ends = all_phases(lst, False, 45)
            unload()
            close(ends)
            lab.run("router", "conntrack", "-F")
            time.sleep(0.3)
            entries.append(int(lab.run("router", "sysctl", "-n", "net.netfilter.nf_conntrack_count")))
            seen.append(memory())
    # 50 connections a round: one lost object for each would be 150.
    assert max(entries) < 10, f"entries that nothing flushes: {entries}"
    grown = {k: seen[-1][k] - seen[1][k] for k in seen[-1]}
    assert max(grown.values()) < 80, f"grown by {grown}: {seen}"


if __name__ == "__main__":
    lab.up()
    lab.tests(test_pickup, test_pickup_pass, test_untracked, test_rules_reloaded, test_module_reloaded, test_unload_monitored,
              test_unload_open, test_tls, test_namespace_gone, test_unload_under_traffic, test_no_leak)
