#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""How a connection is closed: silence, RSTs that are accepted, verdicts that wait for replies, what comes later."""
import contextlib
import errno
import re
import socket
import subprocess
import time

import lab
from lab import (ACK, FIN, RESETTING, RST, SERVER, begin, content, grows, inspect, is_reset, listen, opened, quiet,
                 raw_pair, read, rules, said, same, talk)

LONG = b"NOOP " + b"x" * 508 + b"\r\n"         # 513 bytes without its end
RETRIES = 4            # of a client until it gives up, as the kernel counts them: six seconds
FORWARD_DROP = """
table inet closed {
	chain output {
		type filter hook output priority 0; policy drop;
		oifname "lo" accept
		meta l4proto ipv6-icmp accept
	}
}
"""


def test_drop():
    """drop: the client hears nothing, the server gets a RST at once"""
    rules(inspect())
    with listen() as l4, listen(v6=True) as l6:
        clients = []
        for lst, v6 in (l4, False), (l6, True):
            c, s = opened(lst, SERVER[v6])
            with grows(closed=1, drop=(1, 20), reset_drop=0, rst_sent=1):
                c.sendall(LONG)
                start = time.monotonic()
                is_reset(s, 2)
                assert time.monotonic() - start < 1, "not at once"
            clients.append(c)
        for c in clients:
            quiet(c, 2)
            assert tcp_state(c) == 1, "the client's socket has changed its state"
            c.close()


def tcp_state(sock):
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def test_drop_silence():
    """drop: no segment at all reaches the client, not for what it sends again either"""
    rules(inspect())
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(LONG)
        s.reset()
        for _ in range(4):
            c.send(LONG, seq=c.snd - len(LONG))
        c.send(b"QUIT\r\n")
        c.send(flags=ACK | FIN)
        seg = c.get(1)
        assert seg is None, f"the client received {seg}"
        s.silent(0)


def reset_both(c, s, data):
    c.sendall(data)
    is_reset(s, 5)
    is_reset(c, 5)


def test_reset():
    """reset: both ends get a RST that they accept"""
    # Counters of its own: what ends of dropped connections still send counts elsewhere.
    lab.run("router", "esmtpctl", "flush", "ruleset")
    rules(inspect(RESETTING))
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s = opened(lst, SERVER[v6])
            with grows(closed=1, drop=0, reset_drop=(1, 9), rst_sent=(2, 4)):
                reset_both(c, s, LONG)


def test_reset_output_closed():
    """reset: also where the router's own OUTPUT chain lets nothing out"""
    rules(inspect(RESETTING))
    lab.nft(FORWARD_DROP)
    try:
        for v6 in False, True:
            with listen(v6=v6) as lst:
                c, s = opened(lst, SERVER[v6])
                reset_both(c, s, LONG)
    finally:
        lab.run("router", "nft", "delete table inet closed")


def test_reset_nat():
    """reset: behind DNAT and masquerading both ends know the addresses"""
    rules(inspect(RESETTING))
    lab.sh("nat both")
    try:
        for v6, to in (False, "10.0.1.1"), (True, "fd00:1::1"):
            with listen(v6=v6) as lst:
                c, s = opened(lst, to)
                assert s.getpeername()[0] == ("fd00:2::1" if v6 else "10.0.2.1"), s.getpeername()
                reset_both(c, s, LONG)
    finally:
        lab.sh("nat off")


# Arguments of ip; those that add to the rules are taken back.
ROUTES = ["route add 10.0.1.0/24 dev rc table 100", "route add 10.0.2.0/24 dev rs table 100",
          "-6 route add fd00:1::/64 dev rc table 100", "-6 route add fd00:2::/64 dev rs table 100",
          "rule add priority 100 fwmark 0x19 lookup 100", "-6 rule add priority 100 fwmark 0x19 lookup 100",
          "rule add priority 200 to 10.0.0.0/8 unreachable", "-6 rule add priority 200 to fd00::/16 unreachable"]
MARKS = """
table inet marks {
	chain prerouting {
		type filter hook prerouting priority mangle
		meta l4proto tcp meta mark set 0x19
	}
}
"""


@contextlib.contextmanager
def policy_routing():
    """Only what has a mark finds a way; the router's own packets have none."""
    try:
        for line in ROUTES:
            lab.run("router", "ip", *line.split())
        lab.nft(MARKS)
        for to in "10.0.1.2", "fd00:2::2":
            assert "nreachable" in lab.run("router", "ip", "route", "get", to, check=False), "a way without a mark"
        yield
    finally:
        lab.run("router", "nft", "delete table inet marks", check=False)
        for line in ROUTES:
            lab.run("router", "ip", *line.replace("add", "del").split(), check=False)


def test_reset_marked():
    """reset: where only packets with a mark find a way, and the router's own have none"""
    rules(inspect(RESETTING))
    with policy_routing():
        for v6 in False, True:
            with listen(v6=v6) as lst, grows(closed=1, rst_failed=0):
                c, s = opened(lst, SERVER[v6])
                reset_both(c, s, LONG)


def test_reset_marked_first():
    """the same for an end that nothing but a handshake has passed to"""
    rules(inspect(RESETTING))
    with policy_routing():
        for v6 in False, True:
            c, s = raw_pair(v6)
            with grows(closed=1, rst_failed=0):
                s.send(b"354 go\r\n")
                c.reset()
                s.reset()


def test_reset_local():
    """reset: the router itself is the server, and is the client"""
    rules(inspect(RESETTING))
    for closed in False, True:
        if closed:
            lab.nft(FORWARD_DROP.replace('oifname "lo" accept', 'oifname "lo" accept\ntcp dport 25 accept\ntcp sport 25 accept'))
        for v6, near, far in (False, "10.0.1.1", "10.0.2.2"), (True, "fd00:1::1", "fd00:2::2"):
            with listen("router", v6) as lst:
                c, s = opened(lst, near)
                reset_both(c, s, LONG)
            with listen("server", v6) as lst:
                c, s = opened(lst, far, name="router")
                reset_both(c, s, LONG)
            with listen("router", v6) as lst:
                c, s = opened(lst, near, name="router")
                reset_both(c, s, LONG)
    lab.run("router", "nft", "delete table inet closed")


def test_reset_content():
    """reset: in content, both RSTs have the number that is expected"""
    rules(inspect(RESETTING))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        content(c, s)
        first = b"Subject: a\r\nX-Long: " + b"y" * 500
        c.send(first)
        s.want(first)
        c.send(b"y" * 600 + b"\r\n\r\n.\r\n")
        seg = s.get()
        # What stands before the byte that is too much may have passed.
        passed = seg.payload
        assert len(first) - 20 + 8 + len(passed) <= 998 and passed == b"y" * len(passed), f"{seg}"
        s.rcv += len(passed)
        s.reset()
        c.reset()


def test_challenge():
    """a RST that was lost, or answered by a challenge ACK, is sent again with the number asked for"""
    rules(inspect(RESETTING))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(LONG)
        s.reset()
        c.reset()
        for end in s, c:
            end.drain()
            end.rcv -= 3
            end.ack()
            end.reset()
        for _ in range(20):
            s.ack()
        s.get(0.5)
        n = 0
        while s.get(0.2):
            n += 1
        assert n < 10, f"{n} RSTs: no bound"


# At each end, in front of its own TCP.
LOSES = """
table inet loses { }
delete table inet loses
table inet loses {
	chain loses {
		type filter hook prerouting priority raw
		tcp flags & rst == rst numgen inc mod 2 == 0 counter drop
	}
}
"""


def test_lost_rst():
    """real ends whose first RST is lost get another one when they speak next"""
    rules(inspect(RESETTING))
    ends = "client", "server"
    try:
        for v6 in False, True:
            for name in ends:
                lab.nft(LOSES, name)
            with listen(v6=v6) as lst:
                c, s = opened(lst, SERVER[v6])
                # On a slow machine the four of holes() end meanwhile.
                with grows(closed=1, rst_sent=(4, 9 + 8)):
                    c.sendall(LONG)
                    is_reset(c, 5)      # it has sent its line again
                    # A client that sends its line a third time has had the server reset again.
                    with contextlib.suppress(ConnectionResetError):
                        s.sendall(b"421 bye\r\n")
                        is_reset(s, 5)
            for name in ends:
                assert "counter packets 0 " not in lab.run(name, "nft", "list", "table", "inet", "loses"), "no RST was lost"
    finally:
        for name in ends:
            lab.run(name, "nft", "delete table inet loses", check=False)


def test_last_retransmission():
    """after drop the tombstone outlives all that a real client sends again until it gives up"""
    rules(inspect())
    # An entry that is not a tombstone of ours would be gone long before the client's last try.
    lab.run("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_close=1")
    lab.run("client", "sysctl", "-qw", f"net.ipv4.tcp_retries2={RETRIES}")
    try:
        ends = []
        with listen() as l4, listen(v6=True) as l6:
            for lst, v6 in (l4, False), (l6, True):
                c, s = opened(lst, SERVER[v6])
                ends.append((c, s, c.getsockname()[1]))
        with grows(drop=(3 * RETRIES, 20 * RETRIES), connections=0):
            for c, s, _ in ends:
                c.settimeout(None)
                c.sendall(LONG)
                is_reset(s, 5)
            start = time.monotonic()
            for c, _, _ in ends:
                gives_up(c)
            took = time.monotonic() - start
        assert took > 2.5, f"the client gave up after {took:.1f} s: before an entry dies"
        for c, s, port in ends:
            entry = lab.run("router", "conntrack", "-L", "-p", "tcp", "--sport", str(port), "-f",
                            "ipv6" if c.family == socket.AF_INET6 else "ipv4")
            left = re.search(r"tcp +6 (\d+) CLOSE", entry)
            # Had it died, the client's next try would have been the table's: no SYN, no new entry.
            assert left and int(left.group(1)) > 250, entry
            c.close()
            s.close()
    finally:
        lab.run("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_close=10")
        lab.run("client", "sysctl", "-qw", "net.ipv4.tcp_retries2=15")


def gives_up(sock):
    try:
        got = sock.recv(100)
    except (TimeoutError, OSError) as e:
        assert e.errno in (errno.ETIMEDOUT, errno.EHOSTUNREACH), e
        return
    raise AssertionError(f"the client received {got!r}")


def test_latched():
    """a verdict waits until the replies that are owed have reached the client"""
    for policy in lab.POLICY, RESETTING:
        rules(inspect(policy))
        for v6 in False, True:
            with listen(v6=v6) as lst:
                latched(lst, SERVER[v6], policy is RESETTING)


def latched(lst, to, reset):
    c, s = opened(lst, to)
    said(c, b"MAIL FROM:<a@c.test>\r\n", s)
    c.sendall(b"RCPT TO:<b@s.test>\r\nRCPT TO:<c@s.test>\r\n" + LONG + b"QUIT\r\n")
    same(read(s, 40), b"RCPT TO:<b@s.test>\r\nRCPT TO:<c@s.test>\r\n")
    quiet(s, 0.5)
    for reply in b"250 sender ok\r\n", b"250-one\r\n250 ok\r\n":
        said(s, reply, c)
        quiet(s, 0.2)
    s.sendall(b"550 no such user\r\n")
    same(read(c, 18), b"550 no such user\r\n")
    is_reset(s, 5)
    if reset:
        is_reset(c, 5)
    else:
        quiet(c, 1)
    c.close()


def test_latched_accepted():
    """the 250 to a message gets through before the violation behind it closes"""
    rules(inspect())
    c, s = raw_pair()
    begin(c, s)
    content(c, s)
    c.send(b"Subject: x\r\n\r\n.\r\n" + LONG)
    s.want(b"Subject: x\r\n\r\n.\r\n")
    s.ack()
    s.silent(0.5)
    c.send(LONG, seq=s.rcv)
    s.silent(0.2)
    c.drain()
    s.send(b"250 accepted\r\n")
    c.want(b"250 accepted\r\n")
    s.reset()


def test_pipe():
    """a bar in an address closes, and nothing of its line has passed"""
    rules(inspect())
    c, s = raw_pair()
    begin(c, s)
    with grows(event__pipe=1, closed=1):
        c.send(b'MAIL FROM:<"|sh"@c.test>\r\n')
        seg = s.reset()
        assert seg.seq == s.rcv


def test_late_data():
    """data behind a RST meets the tombstone"""
    for policy in lab.POLICY, RESETTING:
        # Counters of its own: ends of other dropped connections may still send.
        lab.run("router", "esmtpctl", "flush", "ruleset")
        rules(inspect(policy))
        for v6 in False, True:
            c, s = raw_pair(v6)
            begin(c, s)
            c.send(LONG)
            s.reset()
            if policy is RESETTING:
                c.reset()
            key = "reset_drop" if policy is RESETTING else "drop"
            with grows(**{key: 3, "table__not_syn": 0}):
                c.send(b"EXPN root\r\n", seq=c.snd - len(LONG))
                c.send(b"EXPN root\r\n")
                s.send(b"250 ok\r\n")
            for end in c, s:
                for seg in iter(lambda: end.get(0.2), None):
                    assert seg.flags & RST and end is s or policy is RESETTING, f"{seg}"


def test_late_data_deleted():
    """data of a connection whose entry was deleted opens no entry and does not pass"""
    rules(inspect(RESETTING))
    lab.end_orphans()
    for v6 in False, True:
        for killed in True, False:
            c, s = raw_pair(v6)
            begin(c, s)
            if killed:
                c.send(LONG)
                s.reset()
                c.reset()
            lab.run("router", "conntrack", "-D", "-p", "tcp", "--sport", str(c.sport), "-f", "ipv6" if v6 else "ipv4")
            with grows(table__not_syn=3, table__invalid=1, table__pickup=0):
                c.send(b"EXPN root\r\n")
                c.send(flags=ACK)
                c.send(flags=ACK | FIN)
                s.send(b"250 ok\r\n")
                s.silent(0.2)
                c.silent(0.2)


def test_same_port():
    """a new connection by the same ports works at once"""
    rules(inspect(RESETTING))
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s = opened(lst, SERVER[v6], sport=40001)
            reset_both(c, s, LONG)
            c.close()
            s.close()
            start = time.monotonic()
            c, s = opened(lst, SERVER[v6], sport=40001)
            assert time.monotonic() - start < 1, "not at once"
            said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
            c.close()
            s.close()


def test_same_port_dropped():
    """after drop the client's new connection by the same port is inspected from its start"""
    rules(inspect())
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(LONG)
        s.reset()
        c.drain()
        s.drain()
        c2 = lab.Raw("client", c.sport, lab.RAW["server"][v6], 25, 77000000)
        s2 = lab.Raw("server", 25, lab.RAW["client"][v6], c.sport, 88000000)
        with grows(connections=1):
            lab.handshake(c2, s2)
            begin(c2, s2)
        c2.send(b"STARTTLS\r\n")
        s2.want(b"XXXXXXXX\r\n")


def test_overtaken():
    """RSTs that are due when a SYN takes the closed connection's place reach both ends all the same"""
    rules(inspect(RESETTING))
    first = 0
    for v6 in (False, True) * 5:
        c, s = raw_pair(v6)
        begin(c, s)
        c.drain()
        with grows(rst_sent=2, rst_failed=0):
            for packet in c.packet(ACK | lab.PSH, LONG), c.packet(lab.SYN, seq=77000000):
                c.sock.sendto(packet, c.to)
            seg = s.get()
            first += seg.flags == lab.SYN
            if seg.flags == lab.SYN:
                s.reset()
            else:
                assert seg.flags & RST and seg.seq == s.rcv, f"{seg}"
                seg = s.get()
                assert seg and seg.flags == lab.SYN, f"{seg}"
            c.reset()
    assert first, "no SYN was there before the RST: nothing was tested"


def test_reply_not_earned():
    """2xx to a line of Xs, 354 to what is not DATA: withheld, both ends closed"""
    rules(inspect())
    for command, seen, reply in ((b"STARTTLS\r\n", b"XXXXXXXX\r\n", b"220 go\r\n"),
                                 (b"DATAXX\r\n", b"XXXXXX\r\n", b"354 go\r\n"),
                                 (b"NOOP\r\n", b"NOOP\r\n", b"334 go\r\n")):
        c, s = raw_pair()
        begin(c, s)
        talk(c, s, command, seen)
        with grows(event__bypass=1, closed=1):
            s.send(reply)
            c.reset()
            s.reset()


def test_first_bytes_close():
    """a server whose first bytes close is told, though nothing has passed to it yet"""
    rules(inspect())
    for v6 in False, True:
        c, s = raw_pair(v6)
        with grows(event__bypass=1, closed=1, rst_sent=(2, 4), rst_failed=0):
            s.send(b"354 go\r\n")
            c.reset()
            s.reset()


def silent_servers():
    """Connections with a latched verdict whose servers say nothing any more."""
    rules(inspect(RESETTING))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(b"RSET\r\n" + LONG)
        s.want(b"RSET\r\n")
        waiting.append((c, s, time.monotonic()))


waiting = []


def holes():
    """Mails of which a part is missing; in one it comes, in one only the first of two."""
    rules(inspect())
    message = b"Subject: gap\r\n\r\n" + b"a line of text\r\n" * 40
    for v6 in False, True:
        for filled in 0, 1, 2:
            c, s = raw_pair(v6)
            begin(c, s)
            content(c, s)
            start = c.snd
            for a in 100, 300:
                c.send(message[a:a + 100], seq=start + a)
                s.want(message[a:a + 100], seq=start + a)
            for a in (0, 200)[:filled]:
                c.send(message[a:a + 100], seq=start + a)
                s.want(message[a:a + 100], seq=start + a)
            open_holes.append((c, s, filled, time.monotonic()))
    with lab.ns("router"), open(EVENTS, "w", encoding="ascii") as f:
        subprocess.Popen(["esmtpctl", "monitor"], stdout=f)     # lab_down ends it


open_holes = []
EVENTS = "/tmp/hole-events"


def test_hole():
    """a gap in content that nobody fills for a minute closes the connection; one that was filled does not"""
    first = open_holes[0][3]
    while not lab.counters()["hole"] and time.monotonic() - first < 80:
        time.sleep(0.5)
    assert time.monotonic() - first > 58, "too early"
    for c, s, filled, _ in open_holes:
        if filled < 2:
            s.reset(14)
            c.reset()
    assert lab.counters()["hole"] == 4, lab.counters()["hole"]
    # They are counted at a policy that was replaced meanwhile.
    with open(EVENTS, encoding="ascii") as f:
        events = [line for line in f if "-108112" in line]
    assert len(events) == 4, events
    for c, s, filled, _ in open_holes:
        if filled == 2:
            talk(c, s, b".\r\n")
            talk(s, c, b"250 ok\r\n")
            talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_silent_server():
    """a server that owes a reply and says nothing ends the wait after a minute"""
    for c, s, since in waiting:
        while time.monotonic() - since < 59:
            for end in c, s:
                end.silent(0.5)
        s.reset(12)
        c.reset(2)
        assert time.monotonic() - since > 59, "too early"


if __name__ == "__main__":
    lab.up()
    silent_servers()
    holes()
    lab.tests(test_drop, test_drop_silence, test_reset, test_reset_output_closed, test_reset_nat, test_reset_marked,
              test_reset_marked_first, test_reset_local, test_lost_rst, test_last_retransmission,
              test_reset_content, test_challenge, test_latched, test_latched_accepted, test_pipe, test_late_data,
              test_late_data_deleted, test_same_port, test_same_port_dropped, test_overtaken, test_reply_not_earned,
              test_first_bytes_close, test_hole, test_silent_server)
