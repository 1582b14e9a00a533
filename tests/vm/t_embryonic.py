#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 240
"""Half-open connections: at the limit, over it, back again; each server for itself, behind DNAT too."""
import time

import lab
from lab import ACK, RST, SYN, POLICY, counters, grows, rules, run, same

N = 3
SECOND = {False: "10.0.2.78", True: "fd00:2::78"}
DIALLED = {False: "10.0.9.1", True: "fd00:9::1"}
NAT = """table inet forwards {
	chain pre {
		type nat hook prerouting priority dstnat
		ip daddr 10.0.9.1 dnat ip to 10.0.2.77
		ip6 daddr fd00:9::1 dnat ip6 to fd00:2::77
	}
}
"""


def limit(lines=f"default policy default embryonic {N} refuse", before=""):
    run("router", "conntrack", "-D", "-p", "tcp", check=False)
    rules("flush ruleset\n" + POLICY + before + "\ninspect {\n" + lines + "\n}\n")


class Half:
    """A connection that is made step by step: both ends send nothing by themselves."""

    def __init__(self, v6=False, server=None, dialled=None, port=25):
        lab._port += 1
        address = server or lab.RAW["server"][v6]
        self.c = lab.Raw("client", lab._port, dialled or address, port)
        self.s = lab.Raw("server", port, lab.RAW["client"][v6], lab._port, 2000000, address=address)

    def syn(self, seconds=5):
        """Returns whether the server gets it."""
        self.c.send(flags=SYN, seq=self.c.isn)
        seg = self.s.get(seconds)
        assert seg is None or seg.flags == SYN, f"{seg}"
        self.s.rcv = self.c.isn + 1
        return seg is not None

    def synack(self):
        self.s.send(flags=SYN | ACK, seq=self.s.isn)
        seg = self.c.get(5)
        assert seg and seg.flags == SYN | ACK, f"{seg}"
        self.c.rcv = self.s.isn + 1
        return self

    def ack(self):
        self.c.send(flags=ACK)
        assert self.s.get(5), "the ACK did not come"

    def close(self):
        self.c.close()
        self.s.close()


def opened(**kw):
    h = Half(**kw)
    assert h.syn(), f"the SYN of {kw} did not pass"
    return h.synack()


def fill(n=N, **kw):
    return [opened(**kw) for _ in range(n)]


def is_refused(h=None, **kw):
    h = h or Half(**kw)
    with grows(embryonic=1):
        assert not h.syn(0.3), "the SYN has passed"
    return h


def test_limit():
    """as many as allowed, the SYN of the next is dropped and counted; it passes when there is room"""
    for v6 in False, True:
        limit()
        mine = fill(v6=v6)
        over = is_refused(v6=v6)
        is_refused(over)
        for h in mine:
            assert h.syn(), "a SYN that is repeated belongs to one that is counted"
            h.synack()
        is_refused(over)
        mine[0].ack()
        assert over.syn(), "there is room for one"
        over.synack()
        is_refused(v6=v6)


def test_unanswered():
    """what the server has not answered does not count; what it then answers does"""
    for v6 in False, True:
        limit()
        mine = [Half(v6) for _ in range(2 * N)]
        assert all(h.syn() for h in mine)
        for h in mine[:N]:
            h.synack()
        is_refused(v6=v6)
        is_refused(mine[-1])


def timeout(seconds):
    run("router", "sysctl", "-qw", f"net.netfilter.nf_conntrack_tcp_timeout_syn_recv={seconds}")


def test_ends():
    """a reset of either end makes room, and so does the end of the entry, by time or by hand"""
    for v6 in False, True:
        limit()
        mine = fill(v6=v6)
        is_refused(v6=v6)
        mine[0].c.send(flags=RST, seq=mine[0].c.snd)
        mine.append(opened(v6=v6))
        is_refused(v6=v6)
        mine[1].s.send(flags=RST | ACK, seq=mine[1].s.snd)
        mine.append(opened(v6=v6))
        is_refused(v6=v6)
        run("router", "conntrack", "-D", "-f", "ipv6" if v6 else "ipv4", "-p", "tcp", "--sport", str(mine[2].c.sport))
        mine.append(opened(v6=v6))
        is_refused(v6=v6)
        timeout(5)
        limit()
        mine = fill(v6=v6)
        is_refused(v6=v6)
        timeout(60)
        time.sleep(6)
        # A dead entry goes when somebody looks at it.
        run("router", "conntrack", "-L", "-f", "ipv6" if v6 else "ipv4", "-p", "tcp")
        fill(v6=v6)
        is_refused(v6=v6)


def test_servers():
    """each server has its own count, by its own address, whatever was dialled; so has each line"""
    run("router", "nft", "-f", "-", text=NAT)
    try:
        for v6 in False, True:
            limit()
            fill(v6=v6)
            is_refused(v6=v6)
            fill(v6=v6, server=SECOND[v6])
            is_refused(v6=v6, server=SECOND[v6])
            limit()
            fill(2, v6=v6, dialled=DIALLED[v6])
            fill(1, v6=v6)
            is_refused(v6=v6, dialled=DIALLED[v6])
            is_refused(v6=v6)
            limit(f"class a policy default embryonic {N} refuse\ndefault policy default embryonic 1 refuse",
                  f"class a {{ dport 26; }}\nexempt {{ {SECOND[v6]} }}\n")
            fill(1, v6=v6)
            is_refused(v6=v6)
            fill(N, v6=v6, port=26)
            is_refused(v6=v6, port=26)
            fill(2 * N, v6=v6, server=SECOND[v6])
    finally:
        run("router", "nft", "delete table inet forwards")


def test_local():
    """a server on the router has its limit too"""
    for v6 in False, True:
        limit()
        to = "fd00:1::1" if v6 else "10.0.1.1"
        with lab.listen("router", v6):
            for n in range(N + 1):
                c = lab.Raw("client", 20000 + n, to, 25)
                with grows(embryonic=n // N):
                    c.send(flags=SYN, seq=c.isn)
                    seg = c.get(0.5)
                    assert (seg is not None) == (n < N), f"{n}: {seg}"
                c.close()


def test_with_connections():
    """the two limits know nothing of each other"""
    limit(f"default policy default connections {2 * N + 1} embryonic {N} refuse")
    mine = fill()
    is_refused()
    for h in mine:
        h.ack()
    mine += fill()
    is_refused()
    mine[-1].ack()
    fill(1)
    with grows(embryonic=0, table__over_limit=1):
        assert not Half().syn(), "one more than 'connections' has passed"


def test_inspected():
    """a connection that was counted is inspected as any other"""
    limit()
    for v6 in False, True:
        h = opened(v6=v6)
        h.ack()
        h.s.rcv, h.c.snd = h.c.isn + 1, h.c.isn + 1
        lab.begin(h.c, h.s)
        lab.talk(h.c, h.s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_reload():
    """what is half-open keeps the limit that it began with, counts under the new one, and is listed"""
    limit()
    mine = fill()
    rules("flush ruleset\n" + POLICY + f"\ninspect {{ default policy default embryonic {N + 1} refuse; }}\n")
    mine += fill(1)
    is_refused()
    text = run("router", "esmtpctl", "list", "ruleset")
    assert f"\tdefault policy default embryonic {N + 1} refuse\n" in text, text
    rules(text)
    same(text, run("router", "esmtpctl", "list", "ruleset"))
    run("router", "esmtpctl", "check")
    for h in mine:
        h.ack()
    fill(N + 1)
    is_refused()


def test_flood():
    """a thousand half-open ones that go leave nothing behind"""
    limit("default policy default embryonic 65535 refuse")
    before = counters()["embryonic"]
    for _ in range(20):
        for h in fill(10) + fill(5, server=SECOND[False]):
            h.close()
    limit()
    fill(N)
    is_refused()
    same(1, counters()["embryonic"] - before)


def test_unload():
    """the module goes and comes while connections are half-open"""
    limit()
    fill(N)
    run("router", "esmtpctl", "unload")
    limit()
    fill(N)
    is_refused()


if __name__ == "__main__":
    lab.up()
    mac = ":".join(f"{b:02x}" for b in lab.hardware("server", "s0"))
    for second in SECOND.values():
        run("router", "ip", "neigh", "replace", second, "lladdr", mac, "dev", "rs", "nud", "permanent")
    lab.tests(*(f for name, f in list(globals().items()) if name.startswith("test_")))
