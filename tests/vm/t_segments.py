#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
# withstands
"""Segments that the receiver would not take, or takes in part: they are not remembered, and nothing passes on them."""
import contextlib
import socket
import struct
import time

import lab
from lab import (ACK, FIN, PSH, RST, SCALE, SERVER, SYN, URG, begin, content, envelope, greeted, grows,
                 half_raw, counters, handshake, inspect, joined, listen, mailed, met, option, raw_pair, read, rules, said, same, talk)

CONNTRACK = "net.netfilter.nf_conntrack_"


@contextlib.contextmanager
def conntrack(name, value):
    """Conntrack is lazier for a while."""
    before = lab.run("router", "sysctl", "-n", CONNTRACK + name).strip()
    lab.run("router", "sysctl", "-qw", f"{CONNTRACK}{name}={value}")
    try:
        yield
    finally:
        lab.run("router", "sysctl", "-qw", f"{CONNTRACK}{name}={before}")


def refused(a, b, data, flags=ACK | PSH, **kw):
    """a sends it, nothing of it arrives, and a goes on as if it had not."""
    snd = a.snd
    a.send(data, flags=flags, **kw)
    a.snd = snd
    b.silent(0.2)


#
# RST and FIN.
#
def test_rst_data():
    """data on a RST is cut off, the RST passes"""
    for v6 in False, True:
        for state in begin, lambda c, s: (begin(c, s), content(c, s)):
            for a, b in ("c", "s"), ("s", "c"):
                pair = dict(zip("cs", raw_pair(v6)))
                state(pair["c"], pair["s"])
                a, b = pair[a], pair[b]
                a.send(b"STARTTLS\r\n", flags=RST | ACK | PSH)
                seg = b.get()
                assert seg and seg.flags & RST and not seg.payload and seg.extra == 0, f"{seg}"
                assert seg.seq == b.rcv and seg.sum_ok, f"{seg}"


def test_fin_data():
    """data on a FIN is inspected, edited, held, and the FIN waits with it"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(b"STARTTLS\r\n", flags=FIN | ACK | PSH)
        seg = s.want(b"XXXXXXXX\r\n")
        assert seg.flags & FIN, f"{seg}"
        s.rcv += 1
        talk(s, c, b"500 what\r\n")
        s.send(b"221 bye\r\n", flags=FIN | ACK | PSH)
        seg = c.want(b"221 bye\r\n")
        assert seg.flags & FIN, f"{seg}"
        c, s = raw_pair(v6)
        begin(c, s)
        envelope(c, s)
        c.send(b"DATA\r\nx\r\n.\r\n", flags=FIN | ACK | PSH)
        seg = s.want(b"DATA\r\n")
        assert not seg.flags & FIN, f"{seg}"


def test_half_closed_client():
    """the client has closed its half: what the server still says is inspected and arrives"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(b"EHLO c\r\n", flags=FIN | ACK | PSH)
        s.want(b"EHLO c\r\n")
        s.rcv += 1
        s.ack()
        talk(s, c, b"250-mx\r\n250-STARTTLS\r\n250 SIZE\r\n", b"250-mx\r\n250-XXXXXXXA\r\n250 SIZE\r\n")
        s.send(b"421 bye\r\n", flags=FIN | ACK | PSH)
        assert c.want(b"421 bye\r\n").flags & FIN


def test_half_closed_server():
    """the server has closed its half: what the client still says is inspected and arrives"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        s.send(b"421 bye\r\n", flags=FIN | ACK | PSH)
        assert c.want(b"421 bye\r\n").flags & FIN
        c.rcv += 1
        c.ack()
        s.drain()
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
        c.send(b"QUIT\r\n", flags=FIN | ACK | PSH)
        assert s.want(b"QUIT\r\n").flags & FIN


def test_behind_fin():
    """behind a FIN that has passed no new byte does, whatever its number"""
    for v6 in False, True:
        for a, b in ("c", "s"), ("s", "c"):
            pair = dict(zip("cs", raw_pair(v6)))
            begin(pair["c"], pair["s"])
            a, b = pair[a], pair[b]
            line = b"NOOP\r\n" if a is pair["c"] else b"421 bye\r\n"
            a.send(line, flags=FIN | ACK | PSH)
            assert b.want(line).flags & FIN
            end = a.snd - 1
            with grows(behind_fin=3):
                for off in -1, 0, 5:
                    refused(a, b, b"EXPN root\r\n", seq=end + 1 + off)
            # A repeat that is longer than what was sent: the old bytes and their FIN, or nothing.
            a.send(line + b"EXPN root\r\n", seq=end - len(line))
            seg = b.get(0.3)
            assert seg is None or seg.payload in (line, b""), f"{seg}"
            a.snd = end + 1
            a.send(line, flags=FIN | ACK | PSH, seq=end - len(line))
            seg = b.want(line, seq=end - len(line))
            assert seg.flags & FIN, f"the FIN cannot be repeated: {seg}"


def test_behind_fin_content():
    """behind a FIN in content nothing passes early either"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        content(c, s)
        c.send(b"Subject: x\r\n", flags=FIN | ACK | PSH)
        assert s.want(b"Subject: x\r\n").flags & FIN
        with grows(behind_fin=2, early_passed=0):
            refused(c, s, b"more\r\n")
            refused(c, s, b"more\r\n", seq=c.snd + 100)


def test_fin_alone_early():
    """a FIN ahead of the stream does not pass, in content neither; with its gap filled it does"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        content(c, s)
        with grows(early=1, early_passed=0):
            refused(c, s, b"", flags=FIN | ACK, seq=c.snd + 6)
        talk(c, s, b"abcd\r\n")
        c.send(flags=FIN | ACK)
        seg = s.get()
        assert seg and seg.flags & FIN, f"{seg}"


#
# Windows.
#
GREETED = len(b"HELO c\r\n")
IN_CONTENT = GREETED + len(b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\nDATA\r\n")


def closing_in(v6, room, state=None, **kw):
    """The server takes so many bytes more."""
    c, s = raw_pair(v6, room=room + (IN_CONTENT if state else GREETED), **kw)
    begin(c, s)
    if state:
        state(c, s)
    return c, s


def reopen(c, s):
    s.right = None
    s.ack()
    c.drain()


def test_zero_window():
    """a closed window: a probe of one byte passes, inspected; a probe of none passes"""
    for v6 in False, True:
        c, s = closing_in(v6, 0)
        c.send(b"S")
        s.want(b"S")
        # The receiver does not take it; it comes again, and with it the others.
        s.rcv -= 1
        s.ack()
        assert c.get().window == 0
        c.send(flags=ACK, seq=c.snd - 1)
        seg = s.get()
        assert seg and not seg.payload, f"{seg}"
        c.send(b"S", seq=s.rcv)
        s.want(b"S")
        reopen(c, s)
        c.send(b"TARTTLS\r\n")
        s.want(b"XXXXXXX\r\n")


def test_zero_window_probes_other():
    """probes of one byte with other bytes each are the first one each time"""
    for v6 in False, True:
        c, s = closing_in(v6, 0)
        c.send(b"N")
        s.want(b"N")
        for byte in b"SEX":
            c.send(bytes([byte]), seq=c.snd - 1)
            s.want(b"N", seq=c.snd - 1)


def test_zero_window_more():
    """a closed window: of more than one byte only the first passes"""
    for v6 in False, True:
        c, s = closing_in(v6, 0)
        with grows(outside_window=1):
            c.send(b"NOOP\r\n")
            s.want(b"N")
        s.rcv -= 1
        c.snd = s.rcv
        reopen(c, s)
        talk(c, s, b"NOOP\r\n")


def test_zero_window_content():
    """a closed window in content: a probe passes, a probe with another byte closes"""
    for v6 in False, True:
        c, s = closing_in(v6, 0, content)
        c.send(b"S")
        s.want(b"S")
        c.send(b"S", seq=c.snd - 1)
        s.want(b"S", seq=c.snd - 1)
        with grows(conflict=1, closed=1):
            c.send(b"T", seq=c.snd - 1)
            s.reset()


def test_window_edge():
    """of a segment over the edge of the window only what is inside passes, whatever the scale"""
    for v6 in False, True:
        for scale in 0, 3:
            options = option(SCALE, bytes([scale]))
            c, s = raw_pair(v6, room=GREETED + 16, options=options, answer=options)
            s.scale = scale
            begin(c, s)
            line = b"NOOP abcdefghijklmnop\r\n"
            with grows(outside_window=1):
                c.send(line)
                s.want(line[:16])
            reopen(c, s)
            c.send(line[16:], seq=s.rcv)
            s.want(line[16:])


def test_window_edge_other():
    """what was cut off at the edge may be something else when it comes again"""
    for v6 in False, True:
        c, s = closing_in(v6, 6)
        with grows(outside_window=1, rewritten=0, conflict=0):
            c.send(b"NOOP\r\nSTARTTLS\r\n")
            s.want(b"NOOP\r\n")
            reopen(c, s)
            c.send(b"MAIL FROM:<a@c.test>\r\n", seq=s.rcv)
            s.want(b"MAIL FROM:<a@c.test>\r\n")


def test_window_outside():
    """wholly outside of the window, in content: nothing passes early, nothing is remembered"""
    for liberal in 0, 1:
        with conntrack("tcp_be_liberal", liberal):
            for v6 in False, True:
                c, s = closing_in(v6, 1000, content)
                start = c.snd
                for ahead in 1000, 1001, 5000, 1 << 20, 1 << 30:
                    with grows(early_passed=0):
                        refused(c, s, b"outside\r\n", seq=start + ahead)
                c.snd = start
                talk(c, s, b"Subject: x\r\n")
                reopen(c, s)
                with grows(conflict=0, early_passed=1):
                    c.send(b"inside!\r\n", seq=start + 1000)
                    s.want(b"inside!\r\n", seq=start + 1000)


def test_window_early_edge():
    """an early segment over the edge of the window is cut there"""
    for v6 in False, True:
        c, s = closing_in(v6, 100, content)
        start = c.snd
        with grows(early_passed=1, outside_window=1):
            c.send(b"y" * 60, seq=start + 50)
            s.want(b"y" * 50, seq=start + 50)
        c.send(b"Subject: " + b"x" * 41, seq=start)
        s.want(b"Subject: " + b"x" * 41)
        assert s.rcv == start + 100, "the gap does not meet what came early"


#
# Keep-alive.
#
def test_keep_alive():
    """keep-alives with one old byte and with none pass, answered or not, and change nothing"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        for state in (lambda: None, lambda: content(c, s)):
            state()
            for a, b in (c, s), (s, c):
                for data in b"", b"\0", b"X":
                    a.send(data, seq=a.snd - 1)
                    seg = b.get()
                    assert seg and seg.seq == (a.snd - 1) & 0xffffffff and len(seg.payload) == len(data), f"{seg}"
                    b.ack()
                    seg = a.get()
                    assert seg and not seg.payload, f"{seg}"
        talk(c, s, b"Subject: x\r\n")


def test_keep_alive_unread():
    """an old byte that is not acknowledged yet is what it was; in content another one closes"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        c.send(b"NOOP\r\n")
        s.want(b"NOOP\r\n")
        with grows(rewritten=1):
            c.send(b"\0", seq=c.snd - 1)
            s.want(b"\n", seq=c.snd - 1)
        s.ack()
        talk(s, c, b"250 ok\r\n")
        c.drain()
        content(c, s)
        c.send(b"Subject: x\r\n")
        s.want(b"Subject: x\r\n")
        with grows(conflict=1, closed=1):
            c.send(b"\0", seq=c.snd - 1)
            s.reset()


#
# Numbers around 2^32.
#
REPAIR, REPAIR_QUEUE, QUEUE_SEQ = 19, 20, 21


def connected_at(seq, to):
    """A kernel's socket whose first number is this one."""
    with lab.ns("client"):
        c = socket.socket(lab.family(":" in to))
    c.settimeout(60)
    for what, value in (REPAIR, 1), (REPAIR_QUEUE, 2), (QUEUE_SEQ, seq), (REPAIR, -1 & 0xffffffff):
        c.setsockopt(socket.IPPROTO_TCP, what, struct.pack("I", value))
    c.connect((to, 25))
    return c


def test_wrap():
    """two kernels, and the numbers end within a mail: it arrives whole, and what follows is masked"""
    message = b"Subject: wrap\r\n\r\n" + b"0123456789abcdef\r\n" * 12000 + b".\r\n"
    for v6, offloads in (False, "on"), (True, "off"), (True, "on"):
        lab.sh("offloads " + offloads)
        number = "tcp dport 25 tcp sequence"
        with listen(v6=v6) as lst, met(before=number + " > 4294867296", behind=number + " < 200000") as count:
            c = connected_at((1 << 32) - 60000, SERVER[v6])
            s, _ = lst.accept()
            s.settimeout(60)
            greeted(c, s)
            mailed(c, s, message)
            said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
            c.close()
            s.close()
            assert count("before") and count("behind"), "the numbers did not end: nothing was tested"


def test_wrap_early():
    """a gap, an early segment and an end of message on both sides of the end of the numbers"""
    message = b"Subject: x\r\n\r\n" + b"a line of text\r\n" * 20 + b".\r\n"
    for back in range(40, 60 + len(message), 37):
        for v6 in False, True:
            c, s = raw_pair(v6, client_isn=(1 << 32) - 100 - back)
            begin(c, s)
            content(c, s)
            start = c.snd
            with grows(early_passed=1, early=1):
                c.send(message[100:200], seq=start + 100)
                s.want(message[100:200], seq=start + 100)
                c.send(message[-3:], seq=start + len(message) - 3)
                s.silent(0.1)
            c.send(message[:100], seq=start)
            s.want(message[:100])
            assert s.rcv == (start + 200) & 0xffffffff, s.rcv
            c.send(message[200:], seq=start + 200)
            s.want(message[200:])
            s.ack()
            c.drain()
            talk(s, c, b"250 ok\r\n")
            talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


#
# Timestamps.
#
def stamped(v6, state=None):
    c, s = raw_pair(v6, stamps=True)
    begin(c, s)
    if state:
        state(c, s)
    for end in c, s:
        end.stamp += 1000
    for a, b in (c, s), (s, c):
        a.ack()
        b.get()
    return c, s


def test_stale_stamp():
    """a segment with an older timestamp (PAWS) is not remembered: neither in commands nor in content"""
    for v6 in False, True:
        for state in None, content:
            c, s = stamped(v6, state)
            # One tick is forgiven, as receivers do.
            for back in 2, 500, 1 << 30:
                with grows(stale=1):
                    refused(c, s, b"DATA x\r\n", stamp=c.stamp - back)
            with grows(rewritten=0, conflict=0):
                talk(c, s, b"NOOP abc\r\n")


def test_stale_stamp_server():
    """a segment of the server with an older timestamp does not pass"""
    for v6 in False, True:
        c, s = stamped(v6)
        talk(c, s, b"EHLO c\r\n")
        with grows(stale=1):
            refused(s, c, b"250 STARTTLS\r\n", stamp=s.stamp - 2)
        talk(s, c, b"250 mx\r\n")


def test_stale_stamp_repeat():
    """a repeat with an older timestamp does not pass, with a newer one it does"""
    for v6 in False, True:
        c, s = stamped(v6)
        c.send(b"NOOP\r\n")
        s.want(b"NOOP\r\n")
        s.ack()
        with grows(stale=1):
            refused(c, s, b"NOOP\r\n", seq=c.snd - 6, stamp=c.stamp - 900)
        c.send(b"NOOP\r\n", seq=c.snd - 6, stamp=c.stamp + 1)
        s.want(b"NOOP\r\n", seq=c.snd - 6)


def test_stamp_wraps():
    """timestamps go over 2^32: the next one is newer"""
    for v6 in False, True:
        c, s = stamped(v6)
        # By steps of less than half of the numbers.
        for stamp in 1 << 30, (1 << 31) - 5, 3 << 30, (1 << 32) - 2:
            c.stamp = stamp
            talk(c, s, b"NOOP\r\n")
            talk(s, c, b"250 ok\r\n")
        c.stamp = 3
        with grows(stale=0):
            talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
        with grows(stale=1):
            refused(c, s, b"NOOP\r\n", stamp=(1 << 32) - 2)


def test_early_stamp():
    """the timestamp of a segment ahead of the stream does not make those before it stale"""
    for v6 in False, True:
        c, s = stamped(v6, content)
        start = c.snd
        with grows(stale=0, early_passed=1):
            c.send(b"second\r\n", seq=start + 7, stamp=c.stamp + 50)
            s.want(b"second\r\n", seq=start + 7)
            c.send(b"first\r\n", seq=start, stamp=c.stamp + 1)
            s.want(b"first\r\n")


def test_no_stamp():
    """a segment without timestamp where they were negotiated does not pass; a RST does"""
    for v6 in False, True:
        for state in None, content:
            c, s = stamped(v6, state)
            with grows(stale=2):
                refused(c, s, b"DATA x\r\n", stamp=None)
                refused(s, c, b"250 ok\r\n", stamp=None)
            talk(c, s, b"NOOP abc\r\n")
            c.send(flags=RST, stamp=None)
            seg = s.get()
            assert seg and seg.flags & RST, f"{seg}"


def test_stamp_one_side():
    """timestamps that only one end has offered are not in use"""
    stamp = lab.option(lab.STAMP, bytes(8))
    stamp = b"\1\1" + stamp[:10]
    for v6 in False, True:
        for options, answer in (stamp, b""), (b"", stamp):
            c, s = raw_pair(v6, options=options, answer=answer)
            with grows(stale=0):
                begin(c, s)
                talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_stamp_kernel():
    """what the router calls stale a kernel does not take either"""
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s = half_raw(lst, v6, stamps=True)
            c.stamp += 5000
            c.send(b"NOOP\r\n")
            same(read(s, 6), b"NOOP\r\n")
            c.send(b"XOOP\r\n", stamp=c.stamp - 2)
            c.snd -= 6
            c.send(b"RSET\r\n")
            same(read(s, 6), b"RSET\r\n")


#
# Acknowledgements, flags, checksums.
#
def test_ack_ahead():
    """bytes on an ACK of what was never sent do not pass, and are not remembered"""
    for liberal in 0, 1:
        with conntrack("tcp_be_liberal", liberal):
            for v6 in False, True:
                for state in None, content:
                    c, s = raw_pair(v6)
                    begin(c, s)
                    if state:
                        state(c, s)
                    counter = {"stale": 3} if liberal else {"table__invalid": 3}
                    with grows(**counter):
                        for far in 1, 5000, 1 << 30:
                            refused(c, s, b"DATA x\r\n", ack=c.rcv + far)
                    with grows(rewritten=0, conflict=0):
                        talk(c, s, b"NOOP abc\r\n")


def test_ack_held():
    """bytes of the other side that were cut off and not passed cannot be acknowledged"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        envelope(c, s)
        c.send(b"DATA\r\nSubject: x\r\n")
        s.want(b"DATA\r\n")
        with grows(stale=1):
            refused(s, c, b"354 go\r\n", ack=s.rcv + 5)
        talk(s, c, b"354 go\r\n")


def test_ack_old():
    """bytes on an ACK that is older than any window do not pass; on one that is a little old they do"""
    for liberal in 0, 1:
        with conntrack("tcp_be_liberal", liberal):
            for v6 in False, True:
                for state in None, content:
                    c, s = raw_pair(v6)
                    begin(c, s)
                    if state:
                        state(c, s)
                    # Conntrack may have found it first.
                    with grows(stale=2 if liberal else (0, 2), table__invalid=0 if liberal else (0, 2)):
                        for far in 70000, 1 << 30:
                            refused(c, s, b"DATA x\r\n", ack=c.rcv - far)
                    with grows(stale=0, rewritten=0, conflict=0):
                        c.send(b"NOOP abc\r\n", ack=c.rcv - 10)
                        s.want(b"NOOP abc\r\n")


def test_no_ack_flag():
    """a segment without ACK flag does not pass"""
    for liberal in 0, 1:
        with conntrack("tcp_be_liberal", liberal):
            for v6 in False, True:
                for state in None, content:
                    c, s = raw_pair(v6)
                    begin(c, s)
                    if state:
                        state(c, s)
                    for flags in PSH, 0, FIN, FIN | PSH, URG, PSH | URG:
                        refused(c, s, b"DATA x\r\n", flags=flags)
                    with grows(rewritten=0, conflict=0):
                        talk(c, s, b"NOOP abc\r\n")


def test_unchecked_sum():
    """a wrong checksum is found also where conntrack does not look (nf_conntrack_checksum=0)"""
    with conntrack("checksum", 0):
        for v6 in False, True:
            for state in None, content:
                c, s = raw_pair(v6)
                begin(c, s)
                if state:
                    state(c, s)
                with grows(stale=3, table__invalid=0):
                    for spoil in 1, 0x100, 0xffff:
                        refused(c, s, b"DATA x\r\n", spoil=spoil)
                with grows(rewritten=0, conflict=0):
                    talk(c, s, b"NOOP abc\r\n")
                with grows(stale=1):
                    refused(s, c, b"354 go\r\n", spoil=0x100)


def test_unchecked_sum_fin():
    """a FIN with a wrong checksum ends nothing (nf_conntrack_checksum=0)"""
    with conntrack("checksum", 0):
        for v6 in False, True:
            for state in None, content:
                c, s = raw_pair(v6)
                begin(c, s)
                if state:
                    state(c, s)
                c.send(flags=FIN | ACK, spoil=0x100)
                c.snd -= 1
                s.get(0.2)
                with grows(behind_fin=0):
                    talk(c, s, b"NOOP abc\r\n")


def test_unchecked_sum_syn():
    """a SYN inside a connection with a wrong checksum begins nothing (nf_conntrack_checksum=0)"""
    with conntrack("checksum", 0):
        for v6 in False, True:
            c, s = raw_pair(v6)
            begin(c, s)
            c.send(flags=SYN, seq=c.snd + 50000, spoil=0x100)
            c.snd = s.rcv
            s.get(0.2)
            talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_half_closed_first():
    """a client that half closes before the greeting still gets it"""
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s = joined(lst, SERVER[v6])
            c.shutdown(socket.SHUT_WR)
            assert s.recv(10) == b""
            s.sendall(b"220 mx ESMTP\r\n")
            before = counters()["stale"]
            c.settimeout(5)
            try:
                got = read(c, 14)
            except socket.timeout:
                got = f"nothing, stale grew by {counters()['stale'] - before}"
            assert got == b"220 ********\r\n", got


def test_data_behind_first_fin():
    """behind a FIN that has passed before the greeting no new bytes pass"""
    c, s = raw_pair()
    c.send(flags=FIN | ACK)
    assert s.get().flags & FIN
    s.send(b"220 mx ESMTP\r\n", ack=s.rcv)
    c.want(b"220 ********\r\n")
    with grows(behind_fin=1):
        c.send(b"HELO c\r\n")
        s.silent()


def test_keepalive_behind_fin():
    """a keep-alive with one byte of garbage passes in a half closed connection"""
    c, s = raw_pair()
    begin(c, s)
    c.send(flags=FIN | ACK)
    assert s.get().flags & FIN
    s.rcv += 1
    s.ack()
    c.drain()
    # RFC 9293, 3.8.4: SEG.SEQ = SND.NXT-1, and it may have one byte.
    c.send(b"\0", flags=ACK, seq=c.snd - 1)
    assert s.get(1), "it did not pass"


def test_probe_leaves_nothing():
    """a monitor's probe that connects and closes leaves no socket behind on the server"""
    with listen() as lst:
        for _ in range(5):
            c, s = joined(lst, SERVER[False])
            c.close()
            assert s.recv(1) == b""
            try:
                s.sendall(b"220 mx ESMTP\r\n")
            except OSError:
                pass
            s.close()
        time.sleep(10)
        left = lab.run("server", "ss", "-Htno", "sport", "=", ":25", "and", "dst", lab.CLIENT[False])
    assert not left.strip(), left


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    lab.tests(*(f for name, f in list(globals().items()) if name.startswith("test_")))
