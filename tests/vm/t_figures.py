#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 200
"""What the figures of list counters count, to the packet: both ends send by hand, so nothing is repeated by itself."""
from lab import *

LIMIT = 20
SHORT, LONG = b"NOOP " + b"n" * 15 + b"\r\n", b"NOOP " + b"n" * 16 + b"\r\n"


def conf(action):
    return inspect(POLICY.replace("> 512 drop log", f"> {LIMIT} {action} log")
                   .replace("> 998 drop log", f"> 998 {action} log"))


def fresh(action):
    """No counters of before, no connections."""
    run("router", "esmtpctl", "flush", "ruleset")
    run("router", "conntrack", "-D", "-p", "tcp", check=False)
    rules(conf(action))


def packets():
    """packet: each with payload that was read or compared, repeats too; no acknowledgement, nothing unreceivable"""
    fresh("drop")
    with grows(packets=3, connections=1, event__banner_masked=1, drop=0, reset_drop=0, bytes=14 + 8 + 8):
        c, s = raw_pair()
        begin(c, s)
    with grows(packets=1, bytes=len(SHORT)):
        talk(c, s, SHORT)
    with grows(packets=2, bytes=0, repeat=2):
        for _ in range(2):
            c.send(SHORT, seq=c.snd - len(SHORT))
            s.want(SHORT, seq=c.snd - len(SHORT))
    with grows(packets=0):
        for _ in range(3):
            c.ack()
            s.ack()
        time.sleep(0.2)
    with grows(packets=0, table__invalid=1):
        c.send(b"NOOP\r\n", seq=c.snd, ack=c.rcv + 100000)
        time.sleep(0.2)
    c.close()
    s.close()


def dropped(action, mine, other):
    fresh(action)
    c, s = raw_pair()
    begin(c, s)
    content(c, s)
    before = counters()["rules"]
    # One packet: a line that passes, and one that does not. It is cut.
    with grows(**{"packets": 1, mine: 1, other: 0, "closed": 1, "event__terminated": 1}):
        c.send(b"A: b\r\nB: " + b"x" * 996 + b"\r\n")
        s.want()
        time.sleep(0.3)
    after = counters()["rules"]
    assert [b - a for a, b in zip(before, after)] == [0, 0, 0, 1, 0, 0, 0], (before, after)
    # From then on every packet of both, whatever is in it; none is inspected.
    with grows(**{"packets": 0, mine: 5, other: 0, "closed": 0}):
        c.send(LONG, seq=c.snd - len(LONG))
        c.send(LONG, seq=c.snd - len(LONG))
        c.ack()
        s.send(b"250 ok\r\n")
        s.ack()
        time.sleep(0.3)
    c.close()
    s.close()


def drop():
    """drop: what does not pass, or is cut, because of action drop, from the violation on, in both directions"""
    fresh("drop")
    c, s = raw_pair()
    begin(c, s)
    with grows(packets=1, drop=1, reset_drop=0, closed=1):
        c.send(LONG)
        time.sleep(0.3)
    c.close()
    s.close()
    dropped("drop", "drop", "reset_drop")


def reset_drop():
    """reset-drop: the same after action reset"""
    dropped("reset", "reset_drop", "drop")


def waits():
    """what waits for an answer is cut, and no drop before the connection is closed"""
    fresh("drop")
    c, s = raw_pair()
    begin(c, s)
    talk(c, s, b"NOOP\r\n")
    with grows(packets=1, drop=0, held=1, closed=0, event__rule=1):
        c.send(LONG)
        s.silent()
    with grows(packets=1, drop=0, closed=1, event__rule=0):
        s.send(b"250 ok\r\n")
        c.want(b"250 ok\r\n")
        time.sleep(0.3)
    with grows(packets=0, drop=1):
        c.send(LONG, seq=c.snd - len(LONG))
        time.sleep(0.3)
    c.close()
    s.close()


def rows():
    """the rows and figures of ASA's show service-policy, in its order, then ours"""
    fresh("drop")
    c, s = raw_pair()
    talk(s, c, b"220 mx ESMTP\r\n", b"220 ********\r\n")
    talk(c, s, b"EHLO c\r\n")
    talk(s, c, b"250-mx\r\n250-STARTTLS\r\n250-SIZE\r\n250 X-A\r\n", b"250-mx\r\n250-XXXXXXXA\r\n250-SIZE\r\n250 XXB\r\n")
    c.send(LONG)
    time.sleep(0.3)
    got = run("router", "esmtpctl", "list", "counters").split("\n\n")[0].splitlines()
    want = ["Inspect: esmtp default, packet 4, drop 1, reset-drop 0",
            "  mask-banner, count 1",
            f"  match cmd line length gt {LIMIT}", "    drop-connection log, packet 1",
            "  match cmd RCPT count gt 100", "    drop-connection log, packet 0",
            "  match body line length gt 998", "    log, packet 0",
            "  match header line length gt 998", "    drop-connection log, packet 0",
            "  match sender-address length gt 320", "    drop-connection log, packet 0",
            "  match MIME filename length gt 255", "    drop-connection log, packet 0",
            "  match ehlo-reply-parameter others", "    mask, packet 2",
            "  bytes inspected, count 63", "  connections inspected, count 1", "  connections closed, count 1"]
    assert got == want, "\n".join(got)
    c.close()
    s.close()


up()
rules(conf("drop"))
tests(packets, drop, reset_drop, waits, rows)
