#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 240
"""Inspection behind nft's synproxy, which opens the connection to the server by itself and shifts its numbers."""
import lab
from mta import *

# The ACK of a cookie opens no connection that the guard knows: who sets up a synproxy by himself says so.
CONF_PROXY = """flush ruleset
policy default { banner mask; tls deny; match ehlo-reply-parameter others mask; match header line length > 998 reset; }
policy refuse { tls deny; match cmd line length > 200 reply 554 "no"; }
inspect { pickup pass; class second policy refuse; default policy default; }
class second { daddr { 10.0.2.3, fd00:2::3 } }
"""
PROXY = """table inet proxy {
	chain forward {
		type filter hook forward priority 20
		tcp dport 25 tcp flags & (fin | syn | rst | ack) == syn ct state new counter synproxy mss 1440 wscale 7 timestamp sack-perm
		tcp dport 25 tcp flags & (fin | syn | rst | ack) == ack ct state new,invalid counter synproxy mss 1440 wscale 7 timestamp sack-perm
	}
}
"""
LONG = b"Subject: x\r\nX-Long: " + b"x" * 1200 + b"\r\n\r\ntext\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"".join(b"%09d of many lines\r\n" % i for i in range(16384))
ROUTE = ((SERVER4, SERVER4B, CLIENT4), (SERVER6, SERVER6B, CLIENT6))


def entries():
    return run("router", "conntrack", "-L", "-p", "tcp").splitlines()


def mailed(target, peer, content):
    """One mail, greeting and keywords masked, STARTTLS X-ed, all of it as it was sent."""
    with Client(target, timeout=20) as c:
        greeting = c.reply()
        assert set(greeting[4:]) <= set("* ") and greeting.startswith("220 "), greeting
        got = c.expect(250, "EHLO client.test")
        assert "STARTTLS" not in got and "X" * EHLO_MASKED in got, got
        assert not c.say("STARTTLS").startswith("2"), "STARTTLS is taken"
        c.mail(content)
        c.quit()
    s = server.session()
    s.wait()
    same(peer, s.peer, "peer")
    assert s.messages == [stuffed(content)], "not what was sent"
    assert "XXXXXXXX" in s.lines, s.lines


def stamps(packets, sport):
    """The timestamps of what came from the server's port, in order."""
    found = []
    for raw, where in packets:
        seg = lab.Segment(raw, where[1] == 0x86dd)
        if where[2] != socket.PACKET_OUTGOING and seg.tcp and (seg.sport, seg.dport) == (25, sport):
            stamp = seg.option(lab.STAMP)
            assert stamp, f"no timestamp in {seg}"
            found.append(int.from_bytes(stamp[:4], "big"))
    return found


def replied(target):
    """By us in the server's stead. Its clock goes on: PAWS alone would take half of all wrong ones."""
    with inside("client"):
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    wire.bind(("c0", 3))
    with wire, Client(target, timeout=10) as c:
        sport = c.sock.getsockname()[1]
        c.hello()
        c.expect(554, "NOOP " + "x" * 300)
        same("end", c.ending(10))
        wire.setblocking(False)
        packets = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packets.append(wire.recvfrom(1 << 16))
    same("reset", server.session().wait())
    clock = stamps(packets, sport)
    assert len(clock) > 4, clock
    # Two processors may hand over two packets the other way round.
    for earlier, later in zip(clock, clock[1:]):
        assert (later - earlier + 100) % (1 << 32) < 60000, f"the server's clock: {clock}"


shell("lab_up")
server = Server()
run("router", "esmtpctl", "-f", "-", stdin=CONF_PROXY)
run("router", "nft", "-f", "-", stdin=PROXY)

for target, second, peer in ROUTE:
    way = "IPv6" if ":" in target else "IPv4"
    with check(f"{way}: a mail, masked and X-ed as without; the connection has the helper"):
        before = counters()
        mailed(target, peer, b"Subject: small\r\n\r\ntext\r\n")
        after = counters()
        same(before.get("module.no-state", 0), after.get("module.no-state", 0), "no-state")
        assert any("helper=esmtp" in e for e in entries()), entries()
    with check(f"{way}: a large one"):
        mailed(target, peer, LARGE)
    with check(f"{way}: a reset has numbers that both ends take"):
        with Client(target, timeout=10) as c:
            c.hello()
            c.expect(250, "MAIL FROM:<a@client.test>")
            c.expect(250, "RCPT TO:<user1@server.test>")
            c.expect(354, "DATA")
            c.send(LONG)
            same("reset", c.ending(10))
        same("reset", server.session().wait())
    with check(f"{way}: a reply of ours has numbers and timestamps that the client takes"):
        for _ in range(4):
            replied(second)
with check("an ACK without a cookie of ours opens nothing"):
    before = len(server.sessions)
    lab.run("router", "conntrack", "-D", "-p", "tcp", check=False)
    for v6 in False, True:
        c = lab.Raw("client", 40001, lab.SERVER[v6], 25)
        for n in range(8):
            c.send(flags=lab.ACK, seq=5000000 + n, ack=1 << n)
        time.sleep(0.5)
        c.close()
    same(before, len(server.sessions), "sessions")
    assert not any("sport=40001" in e for e in entries()), entries()
finish()
