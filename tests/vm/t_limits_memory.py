#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""What a connection, a namespace and all of them together may hold: each bound does what it says, and counts alone."""
import contextlib
import os
import select
import socket
import struct
import threading
import time

import lab
from lab import ACK, SERVER, SYN, at_length, begin, connect, content, counters, inspect, listen, raw_pair, read, rules, said, same, talk
from t_bounds import parameter
from t_lifecycle import real

BOUNDS = ("retain-full", "pool-full", "total-full", "sessions-full", "sessions-total-full", "no-memory")
SLAB = "/sys/kernel/slab/"
LINE = b"0123456789abcde\r\n"
FAR = {False: "10.0.2.78", True: "fd00:2::78"}      # servers that the router lets by, for connections that others inspect
SECOND = "client"                                    # the second namespace that inspects: its own connections


@contextlib.contextmanager
def only(name, bound=None, least=1, **other):
    """Of all bounds this one is met in a namespace, at least so often; without one none is."""
    before = counters(name=name)
    yield
    after = counters(name=name)
    grown = {k: after[k] - before[k] for k in BOUNDS if after[k] != before[k]}
    assert set(grown) == ({bound} if bound else set()), f"{name}: bounds met are {grown}, not {bound}"
    assert not bound or grown[bound] >= least, f"{grown}"
    for key, by in other.items():
        key = key.replace("_", "-")
        assert after[key] - before[key] == by, f"{key} grew by {after[key] - before[key]}, not {by}"


def forget():
    """Nothing is retained from tests before."""
    for name in "router", SECOND:
        lab.run(name, "conntrack", "-F")
    time.sleep(0.2)


def in_content(v6=False):
    c, s = raw_pair(v6)
    begin(c, s)
    content(c, s)
    return c, s


def fill(c, s, size, most=40):
    """Segments of content that nobody acknowledges, until one does not pass whole. Bytes that passed."""
    passed = 0
    for _ in range(most):
        c.send((LINE * 100)[:size])
        seg = s.get(0.3)
        if seg and seg.payload:
            passed += len(seg.payload)
        if not seg or len(seg.payload) < size:
            break
    return passed


def test_retain_max():
    """the budget of a connection: what is over it is cut, its neighbours have theirs"""
    rules(inspect())
    with parameter("retain_max", 20000):
        for v6 in False, True:
            c, s = in_content(v6)
            with only("router", "retain-full", closed=0):
                passed = fill(c, s, 1000)
            assert 10000 <= passed < 20000, f"{passed} bytes passed with a budget of 20000"
            d, t = in_content(v6)
            with only("router", closed=0):
                assert fill(d, t, 1000, most=8) == 8000
            # Acknowledged bytes make room.
            s.rcv += passed
            s.ack()
            c.snd = s.rcv
            with only("router", closed=0):
                assert fill(c, s, 1000, most=8) == 8000


def test_early_budget():
    """half of the budget is for what comes early: the rest of it still passes in order"""
    rules(inspect())
    with parameter("retain_max", 40000):
        for v6 in False, True:
            c, s = in_content(v6)
            start = c.snd
            with only("router", "retain-full", closed=0):
                c.snd += 1000
                passed = fill(c, s, 1000)
            assert 8000 <= passed <= 20000, f"{passed} early bytes passed with half a budget of 20000"
            with only("router", closed=0):
                c.send((LINE * 100)[:1000], seq=start)
                s.want((LINE * 100)[:1000], seq=start)


def test_pool_max():
    """the pool of a namespace: others have used it up, and each connection still gets a segment through, also a gap's"""
    rules(inspect())
    for v6 in False, True:
        forget()
        # With a segment ahead of a gap; with bytes that are acknowledged; with nothing yet.
        c, s = in_content(v6)
        gap, start = (LINE * 100)[:1400], c.snd
        d, t = in_content(v6)
        talk(d, t, gap)
        with parameter("pool_max", 60000):
            c.snd += 1400
            c.send(gap)
            s.want(gap, seq=start + 1400)
            early, behind = in_content(v6)
            early.snd += 100
            assert fill(early, behind, 1000, most=10) == 10000
            with only("router", "pool-full", closed=0):
                while True:
                    e, f = in_content(v6)
                    if fill(e, f, 1400, most=10) < 14000:
                        break
            with only("router", closed=0):
                s.rcv = start
                c.send(gap, seq=start)
                s.want(gap, seq=start)
                d.send(gap)
                t.want(gap)
            with only("router", "pool-full", closed=0):
                d.send(gap)
                assert len(t.get().payload) < 1400, "all of it passed"


def far_up():
    """A second namespace that inspects: what it sends to hosts that the first lets by."""
    mac = ":".join(f"{b:02x}" for b in lab.hardware("server", "s0"))
    for address in FAR.values():
        lab.run("router", "ip", "neigh", "replace", address, "lladdr", mac, "dev", "rs", "nud", "permanent")
    lab.rules(inspect(), SECOND)
    rules(inspect() + f"exempt {{ {', '.join(FAR.values())} }}\n")


def far(v6, sport):
    """A connection of the second namespace: a real client, and a server by hand. In content."""
    s = lab.Raw("server", 25, lab.CLIENT[v6], sport, 5000000, address=FAR[v6])
    made = []
    thread = threading.Thread(target=lambda: made.append(connect(FAR[v6], sport=sport, source=lab.CLIENT[v6])))
    thread.start()
    s.rcv = s.get().seq + 1
    s.send(flags=SYN | ACK, options=struct.pack(">BBH", 2, 4, 1440))
    thread.join()
    c = made[0]
    for reply, want, line in ((b"220 mx ESMTP\r\n", b"220 ********\r\n", b"HELO c\r\n"),
                              (b"250 mx\r\n", None, b"MAIL FROM:<a@c.test>\r\n"), (b"250 ok\r\n", None, b"RCPT TO:<b@s.test>\r\n"), (b"250 ok\r\n", None, b"DATA\r\n")):
        s.send(reply)
        same(read(c, len(reply)), want or reply)
        c.sendall(line)
        s.want(line)
        s.ack()
    s.send(b"354 go\r\n")
    same(read(c, 8), b"354 go\r\n")
    return c, s


def test_total_max():
    """the bound of all namespaces: what one of them holds the other cannot have, and gets when it is free"""
    far_up()
    for v6 in False, True:
        forget()
        c, s = far(v6, 41000)
        d, t = in_content(v6)
        with parameter("total_max", 60000):
            with only(SECOND, closed=0), only("router", closed=0, connections=0):
                c.sendall(LINE * 1200)
                time.sleep(0.3)
            with only("router", "total-full", closed=0), only(SECOND):
                passed = fill(d, t, 1400)
            # The other's congestion window is ten segments.
            assert 0 < passed < 60000 - 14400, f"{passed} bytes passed beside 14400 of the other"
            # A gap's segment passes.
            t.rcv += passed
            t.ack()
            d.snd = t.rcv
            with only("router", closed=0):
                assert fill(d, t, 1400, most=1) == 1400
            lab.run(SECOND, "conntrack", "-D", "-p", "tcp", "--sport", "41000", "-f", "ipv6" if v6 else "ipv4")
            t.rcv += 1400
            t.ack()
            with only("router", closed=0):
                assert fill(d, t, 1400, most=36) == 36 * 1400 > passed
        c.close()


def test_sessions_max():
    """connections of a namespace: one over the bound does not pass, and is counted; later it does"""
    forget()
    with parameter("sessions_max", counters()["live"] + 2):
        pairs = [raw_pair(v6) for v6 in (False, True, True)]
        for c, s in pairs[:2]:
            begin(c, s)
        c, s = pairs[2]
        over_bound(c, s, "sessions-full",
                   lambda: lab.run("router", "conntrack", "-D", "-p", "tcp", "--sport", str(pairs[0][0].sport)))


def over_bound(c, s, bound, free):
    with only("router", bound, least=2, connections=0):
        s.send(b"220 mx ESMTP\r\n")
        c.silent(0.2)
        c.send(b"HELO c\r\n")
        s.silent(0.2)
    s.snd -= 14
    c.snd -= 8
    free()
    time.sleep(0.2)
    with only("router", connections=1):
        begin(c, s)


def test_sessions_total():
    """connections of all namespaces: those of one count for the other"""
    far_up()
    forget()
    a, b = far(False, 42000), far(True, 42001)
    with parameter("sessions_total", 3):
        with only("router"):
            begin(*raw_pair())
        over_bound(*raw_pair(True), "sessions-total-full",
                   lambda: lab.run(SECOND, "conntrack", "-D", "-p", "tcp", "--sport", "42000"))
    for c, _ in a, b:
        c.close()


#
# Back-pressure.
#
@contextlib.contextmanager
def one_processor():
    """With two of them packets overtake one another on the way to where they are looked at."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Windows(threading.Thread):
    """What the packets of a server say that its window is: (ack, window in bytes), as they pass a device."""

    def __init__(self, name, dev, v6, sent):
        super().__init__()
        with lab.ns(name):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.sock.bind((dev, 3))
        self.v6, self.sent, self.scale, self.seen, self.ended = v6, sent, 0, [], threading.Event()

    def run(self):
        while not self.ended.is_set():
            if select.select([self.sock], [], [], 0.1)[0]:
                raw, where = self.sock.recvfrom(1 << 17)
                if (where[1] == 0x86dd) == self.v6 and (where[2] == socket.PACKET_OUTGOING) == self.sent:
                    self.note(lab.Segment(raw, self.v6), raw)

    def note(self, seg, raw):
        if not seg.tcp or seg.sport != 25:
            return
        if seg.flags & SYN:
            options = raw[(40 if self.v6 else (raw[0] & 15) * 4) + 20:]
            at = options.index(b"\3\3")
            self.scale = options[at + 2]
        elif seg.flags & ACK:
            self.seen.append((seg.ack, seg.window << self.scale))

    def stop(self):
        self.ended.set()
        self.join()
        self.sock.close()


def test_back_pressure():
    """a receiver's window is lowered to what may be retained, so that a fast sender over a long way loses nothing"""
    rules(inspect())
    for name in "client", "server":
        lab.run(name, "sysctl", "-qw", "net.ipv4.tcp_rmem=4096 4000000 8000000", "net.ipv4.tcp_wmem=4096 4000000 8000000")
        lab.run(name, "tc", "qdisc", "add", "dev", lab.DEVICE[name][0], "root", "netem", "delay", "20ms", "limit", "100000")
    try:
        for v6, budget in (False, 128 << 10), (True, 512 << 10):
            with parameter("retain_max", budget), only("router", closed=0, held=0, early=0, outside_window=0, conflict=0):
                with one_processor():
                    lowered(v6, budget)
    finally:
        for name in "client", "server":
            lab.run(name, "tc", "qdisc", "del", "dev", lab.DEVICE[name][0], "root")


def lowered(v6, budget):
    message = b"Subject: x\r\n\r\n" + LINE * (budget // 2) + b".\r\n"
    told, meant = Windows("client", "c0", v6, False), Windows("server", "s0", v6, True)
    for w in told, meant:
        w.start()
    before = counters()
    with listen(v6=v6) as lst:
        c, s = real(lst, SERVER[v6], 9)
        at_length(c, message, s)
        said(s, b"250 ok\r\n", c)
        said(c, b"QUIT\r\n", s)
        c.close()
        s.close()
    for w in told, meant:
        w.stop()
    after = counters()
    assert after["window-lowered"] > before["window-lowered"], "no window was lowered"
    assert meant.scale == told.scale > 0, f"scales {meant.scale} and {told.scale}"
    for a, b in zip(told.seen, told.seen[1:]):
        assert lab.reaches(sum(b), sum(a)), f"the right edge moves back: ACK and window are {a}, then {b}"
    most, wanted = max(w for _, w in told.seen), max(w for _, w in meant.seen)
    assert wanted > 2 * budget, f"the server offers {wanted} only"
    assert most <= max(budget // 2, 66000), f"the client is offered {most} with a budget of {budget}"
    # The most that is on its way at a time is near the window: the sender was really held by it.
    assert len(told.seen) > 20, f"{len(told.seen)} packets of the server were seen"
    print(f"# budget {budget}: the server offers up to {wanted}, the client hears of {most}", flush=True)


#
# What an idle connection holds.
#
def slab(cache, what):
    with open(f"{SLAB}{cache}/{what}", encoding="ascii") as f:
        return int(f.read().split()[0])


def held():
    """Bytes of the sessions' cache in use; of the general ones that retained bytes come from."""
    caches = [n for n in os.listdir(SLAB) if n.startswith("kmalloc-") and n[8:] in ("256", "512", "1k", "2k", "4k", "8k", "16k")]
    for name in ["esmtp_session"] + caches:
        with open(f"{SLAB}{name}/shrink", "w", encoding="ascii") as f:
            f.write("1")
    with open("/proc/slabinfo", encoding="ascii") as f:
        used = {w[0]: int(w[1]) for w in map(str.split, f) if w[1].isdigit()}
    sessions = used["esmtp_session"] if "esmtp_session" in used else slab("esmtp_session", "objects")
    return sessions, sum(used[n] * slab(n, "slab_size") for n in caches)


def test_idle():
    """a connection in message content with nothing on its way holds less than 1 KiB"""
    rules(inspect())
    forget()
    rules("flush ruleset\n", SECOND)
    each = slab("esmtp_session", "slab_size")
    n = 300
    with listen() as l4, listen(v6=True) as l6:
        warm = [real(lst, SERVER[v6], 10) for lst, v6 in ((l4, False), (l6, True)) * 10]
        time.sleep(0.5)
        before = held()
        ends = [real((l4, l6)[i % 2], SERVER[bool(i % 2)], 10) for i in range(n)]
        assert counters()["live"] == n + len(warm), counters()["live"]
        time.sleep(1)           # for the last ACKs
        after = held()
        sessions, other = after[0] - before[0], after[1] - before[1]
        # Sockets of both ends are in this machine too: they need some of the general caches' objects.
        print(f"# {n} connections in content: {sessions} sessions of {each} bytes, {sessions * each / n:.0f} bytes each; "
              f"general caches grew by {other / n:.0f} bytes each", flush=True)
        assert sessions >= n * 0.9, f"{sessions} sessions were counted for {n} connections"
        assert sessions * each / n < 1024, f"{sessions * each / n} bytes for each connection"
        # The same with a segment on its way: what is retained can be seen by this means.
        idle = held()[1]
        for c, s in (in_content() for _ in range(30)):
            c.send((LINE * 100)[:1400])
            s.want((LINE * 100)[:1400])
        flying = held()[1] - idle
        assert flying > 30 * 1400, f"30 segments on their way took {flying} bytes only"
        assert other < n * 400, f"general caches grew by {other} bytes: retained bytes are kept"
        for pair in warm + ends:
            for end in pair:
                end.close()


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    lab.tests(test_retain_max, test_early_budget, test_pool_max, test_total_max, test_sessions_max, test_sessions_total,
              test_back_pressure, test_idle)
