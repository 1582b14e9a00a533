#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 300
"""Cookies for a server that has as many half-open connections as it may: who answers them gets through, inspected."""
import lab
from mta import *

N, FLOOD = 3, 400
CONF_COOKIES = """flush ruleset
policy default { banner mask; tls deny; match ehlo-reply-parameter others mask; match cmd line length > 200 reply 554 "no"; }
%s
inspect { %s; }
"""
DIALLED = {False: "10.0.9.1", True: "fd00:9::1"}
SPARE = {False: "10.0.1.79", True: "fd00:1::79"}
NAT = """table inet forwards {
	chain pre {
		type nat hook prerouting priority dstnat
		ip daddr 10.0.9.1 dnat ip to 10.0.2.2
		ip6 daddr fd00:9::1 dnat ip6 to fd00:2::2
	}
}
"""
TEXT = b"Subject: x\r\n\r\n" + b"".join(b"%09d of many lines\r\n" % i for i in range(4096))
port = 20000


def load(line=f"default policy default embryonic {N}", before=""):
    lab.run("router", "conntrack", "-D", "-p", "tcp", check=False)
    rules(CONF_COOKIES % (before, line))


def entries(v6=False):
    out = run("router", "conntrack", "-L", "-f", "ipv6" if v6 else "ipv4", "-p", "tcp")
    return [e for e in out.splitlines() if "SYN_" in e]


def half():
    return len(run("server", "ss", "-Htan", "state", "syn-recv").splitlines())


def grown(before, key):
    return counters().get(key, 0) - before.get(key, 0)


class Syns:
    """A client that says SYN and never anything else; its answers go to an address that nobody has."""

    def __init__(self, v6, to=None):
        self.v6, self.raw = v6, lab.Raw("client", 1, to or lab.SERVER[v6], 25)

    def send(self, n):
        global port
        for _ in range(n):
            port += 1
            self.raw.sport = port
            self.raw.send(flags=lab.SYN, seq=port << 8, options=b"\2\4\5\xb4")
            time.sleep(0.001)


def fill(v6, **kw):
    """As many half-open as may be, each counted before the next one."""
    s = Syns(v6, **kw)
    for n in range(N):
        s.send(1)
        wait_for(5, lambda: len([e for e in entries(v6) if "SYN_RECV" in e]) > n)
    return s


def through(target, peer, which=-1, s=None):
    with Client(target, timeout=15) as c:
        greeting = c.reply()
        assert greeting.startswith("220 ") and set(greeting[4:]) <= set("* "), greeting
        assert "STARTTLS" not in c.expect(250, "EHLO client.test")
        assert not c.say("STARTTLS").startswith("2"), "STARTTLS is taken"
        c.mail(TEXT)
        c.quit()
    got = (s or server).session(which)
    got.wait()
    same(peer, got.peer, "peer")
    assert got.messages == [stuffed(TEXT)], "not what was sent"
    assert "XXXXXXXX" in got.lines, got.lines


shell("lab_up")
lab.neighbours()
server, inner = Server(), Server("router")
run("server", "sysctl", "-qw", "net.ipv4.tcp_syncookies=0", "net.ipv4.tcp_synack_retries=6")

for v6, target, peer in (False, SERVER4, CLIENT4), (True, SERVER6, CLIENT6):
    family = "IPv6" if v6 else "IPv4"
    load()
    before = counters()
    others = half()
    with check(f"{family}: under the limit no cookie is sent"):
        through(target, peer)
        syns = fill(v6)
        same(0, grown(before, "table.cookies"), "cookies")
    with check(f"{family}: over it each SYN gets one, none has an entry, none reaches the server"):
        syns.send(FLOOD)
        wait_for(10, lambda: grown(before, "table.cookies") == FLOOD)
        assert len(entries(v6)) == N, entries(v6)
        same(N, half() - others, "half-open at the server")
        same(0, grown(before, "module.embryonic"), "dropped")
    for loose in 1, 0:
        with check(f"{family}: who answers one gets through meanwhile, and is inspected; tcp_loose {loose}"):
            run("router", "sysctl", "-qw", f"net.netfilter.nf_conntrack_tcp_loose={loose}")
            flood = threading.Thread(target=syns.send, args=(FLOOD,))
            flood.start()
            answers = counters()
            through(target, peer)
            flood.join()
            assert grown(answers, "table.cookie-answers") >= 1
            same(0, grown(answers, "module.no-state"), "no-state")
            assert len(entries(v6)) == N, entries(v6)
            with Client(target, timeout=10) as c:
                c.hello()
                c.expect(554, "NOOP " + "x" * 300)
    run("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_loose=1")
    with check(f"{family}: an answer to no cookie opens nothing, with data or without, and is counted"):
        answers, had = counters(), len(server.sessions)
        for n in range(8):
            syns.raw.send(b"HELO x\r\n" if n & 1 else b"", flags=lab.ACK, seq=77 + n, ack=1 << n)
        time.sleep(0.5)
        same(8, grown(answers, "table.cookie-answers"), "cookie-answers")
        same(had, len(server.sessions), "sessions")
    with check(f"{family}: packets of an exempt host that belong to no connection pass all the same"):
        spare = SPARE[v6]
        mac = ":".join(f"{b:02x}" for b in lab.hardware("client", "c0"))
        run("router", "ip", "neigh", "replace", spare, "lladdr", mac, "dev", "rc", "nud", "permanent")
        for before_, line in (f"exempt {{ {spare} }}", "default"), (f"class old {{ saddr {spare}; }}",
                                                                   "class old exempt; default"):
            load(f"{line} policy default embryonic {N}", before_)
            fill(v6).send(1)
            again = counters()
            raw = lab.Raw("client", port, target, 25, address=spare)
            raw.send(b"NOOP\r\n")
            seg = raw.get(2)
            assert seg and seg.flags & lab.RST, f"the server has not answered: {seg}"
            same(0, grown(again, "table.cookie-answers"), "cookie-answers")
        load()
        syns = fill(v6)
    with check(f"{family}: where one has ended the next SYN passes without a cookie"):
        run("router", "conntrack", "-D", "-f", "ipv6" if v6 else "ipv4", "-p", "tcp", "--state", "SYN_RECV")
        again = counters()
        through(target, peer)
        same(0, grown(again, "table.cookies"), "cookies")
    with check(f"{family}: behind DNAT it is dropped and counted instead"):
        run("router", "nft", "-f", "-", stdin=NAT)
        load()
        syns = fill(v6, to=DIALLED[v6])
        again = counters()
        syns.send(5)
        wait_for(5, lambda: grown(again, "module.embryonic") == 5)
        same(0, grown(again, "table.cookies"), "cookies")
        assert len(entries(v6)) == N, entries(v6)
        run("router", "nft", "delete table inet forwards")
    with check(f"{family}: 'connections' does not count what a cookie answers"):
        load(f"default policy default connections {N + 2} embryonic {N}")
        syns = fill(v6)
        again = counters()
        syns.send(FLOOD)
        through(target, peer)
        same(0, grown(again, "table.over-limit"), "over-limit")
    with check(f"{family}: a server on the router"):
        load()
        here = INNER6 if v6 else INNER4
        syns = fill(v6, to=here)
        again = counters()
        through(here, peer, s=inner)
        assert grown(again, "table.cookies") >= 1
        assert len(entries(v6)) == N, entries(v6)

with check("it is listed, taken again, and shown by nft; cookies of before a reload open nothing"):
    load("class a policy default embryonic 7; default policy default connections 9 embryonic 3 refuse", "class a { dport 26; }")
    text = run("router", "esmtpctl", "list", "ruleset")
    assert "\tclass a policy default embryonic 7\n" in text, text
    rules(text)
    same(text, run("router", "esmtpctl", "list", "ruleset"))
    run("router", "esmtpctl", "check")
    assert "synproxy" in run("router", "nft", "list", "table", "inet", "esmtp")
with check("the module goes and comes"):
    load()
    fill(False)
    run("router", "esmtpctl", "unload")
    load()
    through(SERVER4, CLIENT4)
finish()
