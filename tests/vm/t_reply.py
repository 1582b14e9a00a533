#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""Action reply: the client reads one reply of ours and the end, whatever is lost on the way; the server gets a RST."""
import contextlib
import select
import smtplib
import socket
import struct
import threading
import time

import lab
from lab import (ACK, FIN, PSH, RST, SERVER, STAMP, begin, grows, half_raw, inspect, is_reset, joined, listen, met, quiet,
                 raw_pair, read, rules, said, same, talk)
from t_closing import FORWARD_DROP, LONG, opened, policy_routing

POLICY = """
policy default {
	banner mask
	match cmd line length > 512            reply log
	match cmd rcpt count > 2               reply 452 "4.5.3 two will do" log
	match sender-address length > 60       reply 421
	match ehlo-reply-parameter others      mask
}
"""
TOO_LONG = b"554 5.7.1 command line longer than 512\r\n"
TOO_MANY = b"452 4.5.3 two will do\r\n"
SENDER = b"421 4.7.1 sender address longer than 60\r\n"
SENT = dict(closed=1, reply_sent=1, reply_acked=1, reply_failed=0, table__invalid=0, drop=(1, 9))


def ends(sock, want):
    """Exactly this, and then the end of the stream."""
    same(read(sock, len(want) + 100), want)


def states(port, name="client"):
    return [line.split()[0] for line in
            lab.run(name, "ss", "-Hatn", f"( sport = :{port} and dport = :25 )").splitlines()]


def vanishes(sock):
    """Its close is acknowledged: nothing is left of it but what every end leaves."""
    port = sock.getsockname()[1]
    sock.close()
    end = time.monotonic() + 3
    while set(states(port)) - {"TIME-WAIT"} and time.monotonic() < end:
        time.sleep(0.05)
    assert not set(states(port)) - {"TIME-WAIT"}, states(port)


def replied(lst, to, **kw):
    """A real client breaks a rule between commands."""
    c, s = opened(lst, to, **kw)
    with grows(**SENT):
        c.sendall(LONG)
        start = time.monotonic()
        is_reset(s, 5)
        assert time.monotonic() - start < 1, "the server was not told at once"
        ends(c, TOO_LONG)
        assert time.monotonic() - start < 1, "the client was not told at once"
        time.sleep(0.2)
    return c


def settled(acked, seconds=8):
    """So many replies have been acknowledged."""
    end = time.monotonic() + seconds
    while lab.counters()["reply-acked"] < acked and time.monotonic() < end:
        time.sleep(0.1)


def families():
    for v6 in False, True:
        with listen(v6=v6) as lst:
            yield v6, lst


def test_reply():
    """reply: the client reads the reply and the end, the server gets a RST at once"""
    rules(inspect(POLICY))
    for v6, lst in families():
        vanishes(replied(lst, SERVER[v6]))


def test_no_stamps():
    """the same where no timestamps were agreed on"""
    rules(inspect(POLICY))
    lab.run("client", "sysctl", "-qw", "net.ipv4.tcp_timestamps=0")
    try:
        for v6, lst in families():
            vanishes(replied(lst, SERVER[v6]))
    finally:
        lab.run("client", "sysctl", "-qw", "net.ipv4.tcp_timestamps=1")


def test_output_closed():
    """the same where the router's own OUTPUT chain lets nothing out"""
    rules(inspect(POLICY))
    lab.nft(FORWARD_DROP)
    try:
        for v6, lst in families():
            vanishes(replied(lst, SERVER[v6]))
    finally:
        lab.run("router", "nft", "delete table inet closed")


def test_nat():
    """the same behind DNAT and masquerading"""
    rules(inspect(POLICY))
    lab.sh("nat both")
    try:
        for v6, lst in families():
            vanishes(replied(lst, "fd00:1::1" if v6 else "10.0.1.1"))
    finally:
        lab.sh("nat off")


def test_marked():
    """the same where only packets with a mark find a way"""
    rules(inspect(POLICY))
    with policy_routing():
        for v6, lst in families():
            vanishes(replied(lst, SERVER[v6]))


def test_local():
    """the same where the router itself is the server, or the client"""
    rules(inspect(POLICY))
    for v6, near, far in (False, "10.0.1.1", "10.0.2.2"), (True, "fd00:1::1", "fd00:2::2"):
        with listen("router", v6) as lst:
            vanishes(replied(lst, near))
            replied(lst, near, name="router").close()
        with listen("server", v6) as lst:
            replied(lst, far, name="router").close()


def test_pipelined():
    """a client that pipelines reads the replies that it is owed, and then ours"""
    rules(inspect(POLICY))
    for v6, lst in families():
        c, s = opened(lst, SERVER[v6])
        said(c, b"MAIL FROM:<a@c.test>\r\n", s)
        with grows(**SENT):
            c.sendall(b"RCPT TO:<1@s.test>\r\nRCPT TO:<2@s.test>\r\nRCPT TO:<3@s.test>\r\nDATA\r\n")
            same(read(s, 40), b"RCPT TO:<1@s.test>\r\nRCPT TO:<2@s.test>\r\n")
            quiet(s, 0.3)
            quiet(c, 0.1)
            said(s, b"250 sender ok\r\n", c)
            said(s, b"250-one\r\n250 ok\r\n", c)
            quiet(c, 0.3)
            s.sendall(b"550 no such user\r\n")
            ends(c, b"550 no such user\r\n" + TOO_MANY)
            is_reset(s, 5)
            time.sleep(0.3)
        vanishes(c)


def test_half_closed():
    """a client that sends its FIN with the line, or right behind it, reads the reply all the same"""
    rules(inspect(POLICY))
    for v6, lst in families():
        c, s = opened(lst, SERVER[v6])
        with grows(**SENT):
            c.sendall(b"MAIL FROM:<" + b"a" * 61 + b">\r\n")
            c.shutdown(socket.SHUT_WR)
            is_reset(s, 5)
            ends(c, SENDER)
            time.sleep(0.2)
        vanishes(c)


def loses(what):
    return f"table inet loses {{\nchain loses {{\ntype filter hook prerouting priority raw\n{what} counter drop\n}}\n}}\n"


@contextlib.contextmanager
def lost(what, name="client"):
    """Nothing of this kind arrives as long as this lasts."""
    lab.nft(loses(what), name)
    try:
        yield
        assert "counter packets 0 " not in lab.run(name, "nft", "list", "table", "inet", "loses"), "nothing was lost"
    finally:
        lab.run(name, "nft", "delete table inet loses")


def test_lost():
    """a reply that is lost is sent again"""
    rules(inspect(POLICY))
    for v6, lst in families():
        c, s = opened(lst, SERVER[v6])
        with grows(**SENT):
            with lost("tcp sport 25 tcp flags & fin == fin"):
                c.sendall(LONG)
                is_reset(s, 5)
                quiet(c, 0.6)
            ends(c, TOO_LONG)
            time.sleep(0.2)
        vanishes(c)


def test_lost_ack():
    """a client whose acknowledgement is lost gets the reply again, and acknowledges again"""
    rules(inspect(POLICY))
    for v6, lst in families():
        c, s = opened(lst, SERVER[v6])
        acked = lab.counters()["reply-acked"]
        with grows(**SENT):
            with lost("iifname rc tcp dport 25 meta length < 100", "router"):
                c.sendall(LONG)
                is_reset(s, 5)
                ends(c, TOO_LONG)
                time.sleep(0.5)
            settled(acked + 1)
        vanishes(c)


def test_lost_reply_before():
    """what the server said last and was lost reaches the client with ours"""
    rules(inspect(POLICY))
    for v6, lst in families():
        c, s = opened(lst, SERVER[v6])
        c.sendall(b"NOOP\r\n" + LONG)
        same(read(s, 6), b"NOOP\r\n")
        with grows(**SENT):
            with lost("tcp sport 25"):
                s.sendall(b"250 noop\r\n")
                is_reset(s, 5)
                quiet(c, 0.5)
            ends(c, b"250 noop\r\n" + TOO_LONG)
            time.sleep(0.3)
        vanishes(c)


def test_closed_client():
    """a client that has gone already answers with a RST: counted, and no more is sent"""
    rules(inspect(POLICY))
    for v6, lst in families():
        c, s = opened(lst, SERVER[v6])
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with grows(reply_sent=1, reply_acked=0, reply_failed=1):
            with lost("tcp sport 25"):
                c.sendall(LONG)
                is_reset(s, 5)
                # Its own RST does not get far.
                with lost("iifname rc tcp dport 25 tcp flags & rst == rst", "router"):
                    c.close()
                    time.sleep(0.2)
            time.sleep(4)


def numbers(c, stamp=None):
    """Our reply as a Raw client sees it."""
    seg = c.get()
    while seg and not seg.payload:
        seg = c.get()
    assert seg and seg.sum_ok, seg
    assert seg.seq == c.rcv and seg.ack == c.snd, f"{seg}, wanted {c.rcv}, {c.snd}"
    assert seg.flags == ACK | PSH | FIN and not seg.urg and not seg.extra, seg
    same(seg.payload, TOO_LONG)
    got = seg.option(STAMP)
    assert (got is None) == (stamp is None), seg.options
    if got:
        assert struct.unpack(">II", got) == stamp, struct.unpack(">II", got)
    return seg


def test_numbers():
    """numbers, acknowledgement and timestamps are those that the client expects of the server"""
    rules(inspect(POLICY))
    for v6 in False, True:
        for stamps in False, True:
            c, s = raw_pair(v6, stamps=stamps, server_isn=0xffffffe0)
            begin(c, s)
            if stamps:
                c.stamp, s.stamp = 1010, 5020
                s.ack()
                c.get()
            with grows(reply_sent=1, reply_acked=1):
                c.send(LONG)
                seg = numbers(c, (5020, 1010) if stamps else None)
                assert 0x4000 <= seg.window, seg.window
                s.reset()
                c.rcv = (seg.seq + len(seg.payload) + 1) & 0xffffffff
                c.ack()
                c.silent(0.3)
            # What it repeats, and its FIN, is acknowledged; the server hears nothing of it.
            for data, flags, seq in ((LONG, ACK | PSH, c.snd - len(LONG)), (b"QUIT\r\n", ACK | PSH, None),
                                     (b"", ACK | FIN, None), (b"", ACK | FIN, "again")):
                if seq == "again":
                    seq = c.snd - 1
                c.send(data, flags=flags, seq=seq)
                seg = c.get()
                assert seg and seg.flags == ACK and seg.ack == c.snd and seg.seq == c.rcv, f"{seg}"
            s.silent(0.2)


def test_gap():
    """what the client sends behind a gap is not acknowledged before the gap is filled"""
    rules(inspect(POLICY))
    c, s = raw_pair()
    begin(c, s)
    c.send(LONG)
    seg = numbers(c)
    s.reset()
    c.rcv = seg.seq + len(seg.payload) + 1
    start = c.snd
    c.send(b"QUIT\r\n", seq=start + 6)
    seg = c.get()
    assert seg and seg.flags == ACK and seg.ack == start, f"{seg}"
    c.send(b"NOOP\r\n", seq=start)
    seg = c.get()
    assert seg and seg.flags == ACK and seg.ack == start + 6, f"{seg}"


def test_newest_stamp():
    """the reply's timestamp is no older than any that the client has seen of the server"""
    rules(inspect(POLICY))
    c, s = raw_pair(stamps=True)
    begin(c, s)
    # Two pipelined replies; of the second segment the router has not seen the first acknowledged.
    c.send(b"NOOP\r\nNOOP\r\n" + LONG)
    s.want(b"NOOP\r\nNOOP\r\n")
    s.send(b"250 one\r\n", stamp=6000)
    s.send(b"250 two\r\n", stamp=6100)
    got = b""
    while len(got) < 18 + len(TOO_LONG):
        seg = c.get()
        assert seg, got
        if seg.payload and seg.seq == c.rcv + len(got):
            got += seg.payload
            last = seg
        elif seg.payload and lab.reaches(seg.seq + len(seg.payload), c.rcv + len(got) + 1):
            got += seg.payload[c.rcv + len(got) - seg.seq:]
            last = seg
    same(got, b"250 one\r\n250 two\r\n" + TOO_LONG)
    assert struct.unpack(">II", last.option(STAMP))[0] == 6100, last.option(STAMP)
    c.rcv += len(got) + 1
    c.ack()


def test_server_speaks():
    """a server that still speaks gets another RST, the client nothing of it"""
    rules(inspect(POLICY))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(LONG)
        numbers(c)
        s.reset()
        s.send(b"250 late\r\n")
        s.reset()
        c.rcv += len(TOO_LONG) + 1
        c.ack()
        c.silent(0.3)


def test_server_has_ended():
    """where the server has sent its FIN nothing can be said any more: both get a RST"""
    rules(inspect(POLICY))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        s.send(flags=ACK | FIN)
        seg = c.get()
        assert seg and seg.flags & FIN, seg
        c.rcv += 1
        with grows(reply_sent=0, reply_failed=1, closed=1):
            c.send(LONG)
            c.reset()
            s.reset()


def test_server_ends_with_reply():
    """a FIN on the last reply that is owed does not stand in front of ours"""
    rules(inspect(POLICY))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(b"NOOP\r\n" + LONG)
        s.want(b"NOOP\r\n")
        with grows(**SENT):
            s.send(b"250 noop\r\n", flags=ACK | PSH | FIN)
            seg = c.want(b"250 noop\r\n")
            assert not seg.flags & FIN, seg
            c.ack()
            while seg and not seg.payload.endswith(TOO_LONG):
                seg = c.get()
            assert seg and seg.flags & FIN and seg.seq + len(seg.payload) == c.rcv + len(TOO_LONG), seg
            s.reset()
            c.rcv += len(TOO_LONG) + 1
            c.ack()
            c.silent(0.3)


def test_deleted():
    """an entry that is deleted ends the reply, counted"""
    rules(inspect(POLICY))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        with grows(reply_sent=1, reply_acked=0, reply_failed=1):
            c.send(LONG)
            numbers(c)
            s.reset()
            lab.run("router", "conntrack", "-D", "-p", "tcp", "--sport", str(c.sport), "-f", "ipv6" if v6 else "ipv4")
            time.sleep(1.5)


def test_within_a_reply():
    """within a reply of the server's ours has no place: both get a RST"""
    rules(inspect(POLICY))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        s.send(b"421-bye\r\n421")
        c.want(b"421-bye\r\n421")
        c.ack()
        with grows(reply_sent=0, reply_failed=0, closed=1):
            c.send(LONG)
            c.reset()
            s.reset()


def test_monitor():
    """mode monitor: the line passes, and is reported"""
    rules(inspect(POLICY.replace("banner mask", "banner keep\n\tmode monitor")))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s, want=b"220 mx ESMTP\r\n")
        with grows(reply_sent=0, closed=0, event__rule=1):
            talk(c, s, LONG)


def test_same_port():
    """a new connection by the same ports works at once"""
    rules(inspect(POLICY))
    for v6, lst in families():
        for _ in range(2):
            c = replied(lst, SERVER[v6], sport=40001)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            c.close()


def test_many():
    """a hundred clients at once: each reads its reply and the end"""
    rules(inspect(POLICY))
    with listen() as lst:
        pairs = [opened(lst, SERVER[False]) for _ in range(100)]
        failures = []

        def one(c, s):
            try:
                c.sendall(LONG)
                ends(c, TOO_LONG)
                is_reset(s, 5)
            except (OSError, AssertionError) as e:
                failures.append(e)
        with grows(closed=100, reply_sent=100, reply_acked=100, reply_failed=0, table__invalid=0):
            threads = [threading.Thread(target=one, args=pair) for pair in pairs]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            time.sleep(0.5)
        assert not failures, failures[:3]
        for c, s in pairs:
            c.close()
            s.close()


def test_reload():
    """a reply that waits for its acknowledgement outlives its policy"""
    rules(inspect(POLICY))
    for v6, lst in families():
        c, s = opened(lst, SERVER[v6])
        with lost("tcp sport 25 tcp flags & fin == fin"):
            c.sendall(LONG)
            is_reset(s, 5)
            rules(inspect())
        ends(c, TOO_LONG)
        rules(inspect(POLICY))


def test_unacknowledged():
    """a reply that is not acknowledged is sent 5 times within 15 s, after 31 s comes a RST"""
    rules(inspect(POLICY))
    waiting = []
    with grows(reply_sent=2, reply_acked=0, reply_failed=2):
        for v6 in False, True:
            c, s = raw_pair(v6)
            begin(c, s)
            c.send(LONG)
            waiting.append((c, time.monotonic()))
            numbers(c)
            s.reset()
        for c, since in waiting:
            times = 1
            while True:
                seg = c.get(max(0, since + 36 - time.monotonic()))
                assert seg, f"no RST; {times} replies"
                if seg.flags & RST:
                    break
                if seg.payload:
                    same(seg.payload, TOO_LONG)
                    times += 1
            assert times == 5, times
            assert seg.seq == c.rcv, f"{seg}, wanted {c.rcv}"
            assert time.monotonic() - waiting[0][1] > 30, "too early"


LIMITED = """
policy default {
	match cmd verb noop                    rate-limit 6/minute burst 4 log
	match cmd verb noop                    log
}
"""
OVER = b"421 4.7.1 more than 6 a minute, try again later\r\n"


def test_rate():
    """rate-limit: a burst passes, what is over it gets 421, for all connections together; later there is room again"""
    rules(inspect(LIMITED))
    with listen() as l4, listen(v6=True) as l6:
        open_ends = [opened(lst, SERVER[v6]) for lst, v6 in ((l4, False), (l6, True)) for _ in range(2)]
        with grows(event__rule=5, closed=1, reply_sent=1, reply_acked=1):
            for c, s in open_ends:
                said(c, b"NOOP\r\n", s)
                said(s, b"250 ok\r\n", c)
            start = time.monotonic()
            c, s = open_ends[0]
            c.sendall(b"NOOP\r\n")
            ends(c, OVER)
            is_reset(s, 5)
            time.sleep(0.2)
        assert time.monotonic() - start < 9, "too slow to tell"
        assert lab.counters()["rules"] == [1, 4], lab.counters()["rules"]
        time.sleep(max(0, start + 10.5 - time.monotonic()))
        c, s = open_ends[1]
        said(c, b"NOOP\r\n", s)
        for c, s in open_ends:
            c.close()
            s.close()


def test_rate_cpus():
    """rate-limit: many at once draw no more than there is"""
    # Counters of its own: an equal rule would go on with those of one before it.
    lab.run("router", "esmtpctl", "flush", "ruleset")
    rules(inspect(LIMITED.replace("6/minute burst 4", "1/minute burst 50")))
    with listen() as lst:
        pairs = [opened(lst, SERVER[False]) for _ in range(100)]
        for c, _ in pairs:
            c.sendall(b"NOOP\r\n")
        time.sleep(1)
        over = sum(bool(c.recv(4096)) for c, _ in pairs if select.select([c], [], [], 0)[0])
        assert over == 50, over
        assert lab.counters()["rules"] == [50, 50], lab.counters()["rules"]
        for c, s in pairs:
            c.close()
            s.close()


def test_postfix():
    """smtplib to Postfix: the code and text of the rule, then the connection is over"""
    rules(inspect(POLICY))
    lab.sh("postfix_up server")
    for v6 in False, True:
        with lab.ns("client"):
            c = smtplib.SMTP(SERVER[v6], local_hostname="client.test", timeout=20)
        c.ehlo()
        with grows(**SENT):
            code, text = c.mail("a" * 61 + "@client.test")
            same((code, text), (421, SENDER[4:-2]))
            try:
                c.docmd("NOOP")
                raise AssertionError("the connection is still open")
            except smtplib.SMTPServerDisconnected:
                pass
            time.sleep(0.3)
        with lab.ns("client"):
            c = smtplib.SMTP(SERVER[v6], local_hostname="client.test", timeout=20)
        try:
            c.sendmail("a@client.test", [f"user{n}@server.test" for n in range(1, 4)], "Subject: x\r\n\r\nx\r\n")
            raise AssertionError("the mail was accepted")
        except smtplib.SMTPSenderRefused as e:
            raise AssertionError(e) from e
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPServerDisconnected, smtplib.SMTPDataError):
            pass


if __name__ == "__main__":
    lab.up()
    lab.tests(test_reply, test_no_stamps, test_output_closed, test_nat, test_marked, test_local, test_pipelined,
              test_half_closed, test_lost, test_lost_ack, test_lost_reply_before, test_closed_client, test_numbers,
              test_gap, test_newest_stamp, test_server_speaks, test_server_has_ended,
              test_server_ends_with_reply, test_deleted, test_within_a_reply,
              test_monitor, test_same_port, test_many, test_reload, test_unacknowledged, test_rate, test_rate_cpus,
              test_postfix)
