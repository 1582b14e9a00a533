#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
# withstands
"""Segments ahead of a lost one, in content: they pass with a copy kept, and nobody reads a byte of them that is not
inspected."""
import contextlib

import lab
from lab import (ACK, FIN, POLICY, PSH, RESETTING, begin, content, envelope, grows, half_raw, inspect, is_reset,
                 listen, quiet, raw_pair, read, rules, same, talk)

END = b"\r\n.\r\n"
HEAD = b"Subject: early\r\n\r\n"
PARAMETERS = "/sys/module/nf_conntrack_esmtp/parameters/"
HEADING = "policy default {"
CHUNKS = POLICY.replace(HEADING, HEADING + "\n\tverbs { ehlo helo mail rcpt data bdat quit rset noop }")
WATCHING = POLICY.replace(HEADING, HEADING + "\n\tmode monitor")
TLS = POLICY.replace("tls deny", "tls allow")


def lines(n):
    """Content of whole lines, each of 16 bytes and unlike the others."""
    return b"".join(b"row %09d \r\n" % i for i in range(n))


class Mail:
    """Raw ends in content, and a message whose pieces are sent by their place in it."""

    def __init__(self, v6, message, state=content, **kw):
        self.c, self.s = raw_pair(v6, **kw)
        begin(self.c, self.s)
        state(self.c, self.s)
        self.message, self.start = message, self.c.snd

    def send(self, a, b, **kw):
        self.c.send(self.message[a:b], seq=self.start + a, **kw)

    def passes(self, a, b, **kw):
        self.send(a, b, **kw)
        self.s.want(self.message[a:b], seq=self.start + a)

    def early(self, a, b):
        """It passes although what lies before it is missing."""
        with grows(early_passed=1, early=0):
            self.passes(a, b)

    def refused(self, a, b, **kw):
        with grows(early=1, early_passed=0):
            self.send(a, b, **kw)
            self.s.silent(0.2)

    def withheld(self, a, b, end):
        """What of it passes stops before the byte at this place, which may end the message."""
        with grows(early=1, conflict=0):
            self.send(a, b)
            seg = self.s.get(0.2)
            while seg:
                at = (seg.seq - self.start) & 0xffffffff
                same(seg.payload, self.message[at:at + len(seg.payload)])
                assert at + len(seg.payload) <= end, f"{seg} reaches over the end of the message"
                self.s.take(seg)
                seg = self.s.get(0.2)

    def has(self, upto):
        """The server has all up to there."""
        assert (self.s.rcv - self.start) & 0xffffffff == upto, f"the server has {(self.s.rcv - self.start)}, not {upto}"

    def ends(self, upto=None):
        """What is still missing comes, is answered, and commands are read as commands."""
        upto = len(self.message) if upto is None else upto
        at = (self.s.rcv - self.start) & 0xffffffff
        if at < upto:
            self.passes(at, upto)
        self.has(upto)
        self.c.snd = self.s.rcv
        self.s.ack()
        self.c.drain()
        talk(self.s, self.c, b"250 ok\r\n")
        talk(self.c, self.s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


BODY = HEAD + lines(60)
MESSAGE = BODY + b".\r\n"


#
# What passes early.
#
def test_passed():
    """an early segment passes as it came, and when its gap is filled all has arrived"""
    for v6 in False, True:
        m = Mail(v6, MESSAGE)
        m.early(300, 500)
        m.passes(0, 300)
        m.has(500)
        m.ends()


def test_not_readable():
    """a receiving kernel hands out no early byte before its gap is filled, and then every byte once"""
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s, start = real(lst, v6)
            c.send(MESSAGE[300:500], seq=start + 300)
            c.send(MESSAGE[700:], seq=start + 700)
            quiet(s)
            c.send(MESSAGE[:300], seq=start)
            same(read(s, 500), MESSAGE[:500])
            quiet(s, 0.2)
            c.send(MESSAGE[500:700], seq=start + 500)
            same(read(s, 200), MESSAGE[500:700])
            c.send(MESSAGE[700:], seq=start + 700)
            same(read(s, len(MESSAGE) - 700), MESSAGE[700:])
            s.sendall(b"250 ok\r\n")
            c.send(b"STARTTLS\r\n", seq=start + len(MESSAGE))
            same(read(s, 10), b"XXXXXXXX\r\n")


def real(lst, v6, **kw):
    """A Raw client and a real server in content; the number of its first byte."""
    c, s = half_raw(lst, v6, **kw)
    for line, reply in ((b"HELO c\r\n", b"250 mx\r\n"), (b"MAIL FROM:<a@c.test>\r\n", b"250 ok\r\n"),
                        (b"RCPT TO:<b@s.test>\r\n", b"250 ok\r\n"), (b"DATA\r\n", b"354 go\r\n")):
        c.send(line)
        same(read(s, len(line)), line)
        s.sendall(reply)
        c.want(reply)
        c.ack()
    return c, s, c.snd


def test_commands():
    """ahead of the stream in commands nothing passes, nor from the server at any time"""
    for v6 in False, True:
        m = Mail(v6, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\n", state=lambda c, s: None)
        m.refused(22, 42)
        m.passes(0, 22)
        m.passes(22, 42)
        m = Mail(v6, MESSAGE)
        start = m.s.snd
        with grows(early=1, early_passed=0):
            m.s.send(b"0 ok\r\n", seq=start + 2)
            m.c.silent(0.2)


def test_waiting():
    """content ahead of a DATA that is not answered does not pass"""
    for v6 in False, True:
        m = Mail(v6, b"DATA\r\n" + MESSAGE, state=envelope)
        m.refused(300, 500)
        m.passes(0, 6)
        m.refused(300, 500)
        m.s.ack()
        m.c.drain()
        talk(m.s, m.c, b"354 go\r\n")
        m.early(300, 500)
        m.passes(6, 300)
        m.ends()


def test_acknowledged():
    """selective acknowledgements and ACKs behind early bytes arrive as they are"""
    for v6 in False, True:
        m = Mail(v6, MESSAGE)
        m.early(300, 500)
        block = (m.start + 300).to_bytes(4, "big") + (m.start + 500).to_bytes(4, "big")
        m.s.send(flags=ACK, options=b"\1\1" + lab.option(5, block)[:10])
        seg = m.c.get()
        assert seg and seg.ack == m.start and seg.option(5) == block, f"{seg} {seg.options}"
        m.passes(0, 300)
        m.s.ack()
        seg = m.c.get()
        assert seg and seg.ack == m.start + 500, f"{seg}"
        m.ends()


#
# Filling the gap.
#
GAPS = {"one segment": [(0, 300)], "three": [(0, 100), (100, 200), (200, 300)],
        "into what came early": [(0, 350)], "over all of it": [(0, 500)], "over it and on": [(0, 600)],
        "overlapping each other": [(0, 200), (100, 280), (250, 320)], "a byte at its edge": [(0, 299), (299, 300)]}


def test_gap_shapes():
    """a gap filled by one segment, by more, by ones that overlap each other and what came early"""
    for v6 in False, True:
        for name, pieces in GAPS.items():
            m = Mail(v6, MESSAGE)
            m.early(300, 500)
            with grows(early=0, conflict=0, closed=0):
                for a, b in pieces:
                    m.passes(a, b)
            m.has(max(500, pieces[-1][1]))
            m.ends()


def test_two_holes():
    """two holes and three: filled in any order; only what is without gap counts"""
    for v6 in False, True:
        for order in [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)]:
            m = Mail(v6, MESSAGE)
            for a in 100, 300, 500:
                m.early(a, a + 100)
            for hole in order:
                a = hole * 200
                m.passes(a, a + 100)
            m.has(600)
            m.ends()


def test_overlapping_early():
    """early segments that overlap each other with the same bytes, in any order"""
    for v6 in False, True:
        # None of them begins with the end of a line.
        for pieces in ([(300, 500), (410, 600)], [(410, 600), (300, 500)], [(300, 600), (410, 500)],
                       [(410, 500), (300, 600)]):
            m = Mail(v6, MESSAGE)
            with grows(early=0, conflict=0, closed=0):
                for a, b in pieces:
                    m.passes(a, b)
            m.passes(0, 300)
            m.has(600)
            m.ends()


def test_repeated():
    """an early segment repeated as it was passes again, cut otherwise too"""
    for v6 in False, True:
        m = Mail(v6, MESSAGE)
        m.early(300, 500)
        with grows(conflict=0, closed=0, early=0):
            for a, b in (300, 500), (300, 400), (350, 450), (499, 500):
                m.passes(a, b)
        m.passes(0, 300)
        with grows(conflict=0, closed=0):
            for a, b in (300, 500), (0, 500), (250, 350):
                m.passes(a, b)
        m.ends()


def other(data):
    return bytes(b ^ 1 if b > 32 else b for b in data)


def test_repeated_other():
    """an early segment repeated with other bytes closes the connection"""
    for v6 in False, True:
        for a, b in (300, 500), (300, 310), (450, 600), (200, 310), (499, 500):
            m = Mail(v6, MESSAGE)
            m.early(300, 500)
            with grows(conflict=1, closed=1, event__conflict=1):
                m.c.send(other(MESSAGE[a:b]), seq=m.start + a)
                m.s.reset(seq=m.start)
                m.c.reset()


def test_gap_other():
    """a gap filled over its edge with bytes that are not those that came early closes, and is not readable"""
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s, start = real(lst, v6)
            c.send(MESSAGE[300:500], seq=start + 300)
            quiet(s, 0.3)
            with grows(conflict=1, closed=1):
                c.send(MESSAGE[:300] + other(MESSAGE[300:310]), seq=start)
                is_reset(s)


def test_order():
    """two neighbours of a mail's segments change places: a receiving kernel reads the mail, nothing closes"""
    size = 120
    message = HEAD + lines(26) + b".\r\n"
    places = range(0, len(message), size)
    for v6 in False, True:
        with listen(v6=v6) as lst:
            for i in range(len(places) - 1):
                c, s, start = real(lst, v6)
                order = list(places)
                order[i], order[i + 1] = order[i + 1], order[i]
                with grows(closed=0, conflict=0):
                    # What was refused comes once more.
                    for a in order + list(places):
                        c.send(message[a:a + size], seq=start + a)
                    same(read(s, len(message)), message)
                s.sendall(b"250 ok\r\n")
                c.send(b"STARTTLS\r\n", seq=start + len(message))
                same(read(s, 10), b"XXXXXXXX\r\n")
                s.close()


def test_fin():
    """an early segment with a FIN does not pass"""
    for v6 in False, True:
        m = Mail(v6, MESSAGE)
        m.refused(300, 500, flags=FIN | ACK | PSH)
        m.early(200, 300)
        m.passes(0, 200)
        m.passes(300, 500)
        m.early(700, 800)
        m.passes(500, 700)
        m.ends()


#
# The end of the message.
#
def test_end_splits():
    """CR LF . CR LF over a gap and what is early, at every place: the end never passes early"""
    body = BODY[:-2]
    message = body + END
    for v6 in False, True:
        for split in range(5):
            m = Mail(v6, message)
            at, last = len(body) + split, len(message) - 1
            m.withheld(at, len(message), last)
            m.passes(0, at - 205)
            m.withheld(at, len(message), last)
            # The bytes before it are known now, though not in order.
            m.early(at - 105, at)
            m.withheld(at, len(message), last)
            m.passes(at - 205, at - 105)
            m.ends()


def test_end_inside():
    """an early segment with the end in it passes at most up to there, and nothing behind it"""
    for v6 in False, True:
        message = MESSAGE + b"NOOP\r\nRSET\r\n"
        for a in 300, 700, len(MESSAGE) - 6:
            m = Mail(v6, message)
            m.withheld(a, len(message), len(MESSAGE) - 1)
            m.refused(len(MESSAGE), len(message))
            m.refused(len(message) - 6, len(message))
            m.passes(200, 300)
            m.passes(0, 200)
            m.passes(300, len(message))
            m.has(len(message))


def test_end_by_bytes():
    """the end in early segments of one byte: the last never passes early"""
    body = BODY[:-2]
    message = body + END
    for v6 in False, True:
        m = Mail(v6, message)
        at = len(body) - 20
        m.early(at, at + 10)
        for i in range(at + 10, len(message) - 1):
            # Behind bytes that are known not to fit.
            m.early(i, i + 1)
        m.refused(len(message) - 1, len(message))
        m.passes(0, at)
        m.has(len(message) - 1)
        m.ends()


def may_end(data):
    """The place of the first byte that ends a message, if what is before the data fits."""
    for i in range(len(data)):
        if data[:i + 1].endswith(END) or END.endswith(data[:i + 1]):
            return i
    return None


def test_unknown_before():
    """bytes that would be an end only with what is missing before them do not pass"""
    ends = (b"\n.\r\n", b".\r\n", b"\r\n", b"\n", b".\r\nQUIT\r\n", b"\r\nx", b"\nx", b"x\r\n.\r\n",
            b"x\r\n.\r\nRSET\r\n")
    others = b"x\r\n", b"..\r\n", b"\r", b".", b".\r", b"x\r\n..\r\n", b"x\n.\n", b"x\r\n.\r", b"x\r.\r\n"
    head = b"a: b\r\n\r\n" + b"c" * 50
    for v6 in False, True:
        for data in ends:
            m = Mail(v6, head + data)
            m.withheld(len(head), len(head + data), len(head) + may_end(data))
        for data in others:
            m = Mail(v6, head + data + END)
            m.early(len(head), len(head + data))


def test_behind_refused():
    """what lies behind a refused segment does not pass either, until that one has come"""
    for v6 in False, True:
        message = MESSAGE[:-3] + b".\r\nNOOP\r\nRSET\r\nNOOP\r\n"
        m = Mail(v6, message)
        end = len(MESSAGE)
        m.withheld(500, end, end - 1)
        m.refused(end, end + 6)
        m.refused(end + 12, end + 18)
        m.passes(300, 500)
        m.passes(0, 300)
        m.passes(500, end)
        # Commands now: they wait for their turn.
        m.refused(end + 6, end + 12)
        m.passes(end, end + 6)


#
# The end lies in the gap: what came early was commands.
#
def behind_end(v6, commands):
    """A mail whose end is missing, and commands that have passed for content."""
    m = Mail(v6, MESSAGE + commands)
    m.passes(0, len(MESSAGE) - 30)
    m.early(len(MESSAGE), len(MESSAGE + commands))
    return m


def test_commands_early():
    """the end was in the gap: allowed commands that came early are read as commands and stay"""
    for v6 in False, True:
        m = behind_end(v6, b"NOOP\r\nRSET\r\n")
        with grows(closed=0, early_closed=0, rewritten=0):
            m.passes(len(MESSAGE) - 30, len(MESSAGE))
        m.has(len(MESSAGE) + 12)
        m.s.ack()
        m.c.drain()
        talk(m.s, m.c, b"250 ok\r\n250 ok\r\n250 ok\r\n")
        talk(m.c, m.s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
        m = behind_end(v6, b"QUIT\r\n")
        m.passes(len(MESSAGE) - 30, len(MESSAGE))
        m.s.ack()
        m.c.drain()
        talk(m.s, m.c, b"250 ok\r\n221 bye\r\n")


ALTERED = [b"STARTTLS\r\n", b"NOOP\r\nEXPN root\r\n", b"MAIL FROM:<a>b@c.test>\r\n", b'MAIL FROM:<"|sh"@c.test>\r\n',
           b"NOOP " + b"x" * 508 + b"\r\n"]


def test_commands_altered():
    """the end was in the gap: commands to be masked or refused that came early close, and are not readable"""
    for v6 in False, True:
        for policy in POLICY, RESETTING:
            rules(inspect(policy))
            for commands in ALTERED:
                m = behind_end(v6, commands)
                with grows(early_closed=1, event__early_altered=1, closed=1):
                    m.send(len(MESSAGE) - 30, len(MESSAGE))
                    m.s.reset(seq=m.start + len(MESSAGE) - 30)
                    m.c.reset()
    rules(inspect())


def test_commands_waiting():
    """the end was in the gap: content behind a DATA that came early closes"""
    for v6 in False, True:
        m = behind_end(v6, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\nDATA\r\nSubject: two\r\n")
        with grows(early_closed=1, closed=1):
            m.send(len(MESSAGE) - 30, len(MESSAGE))
            m.s.reset(seq=m.start + len(MESSAGE) - 30)
            m.c.reset()


def test_commands_unread():
    """a receiving kernel hands out nothing of a STARTTLS that came early, nor the end before it"""
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s, start = real(lst, v6)
            c.send(MESSAGE[:700], seq=start)
            same(read(s, 700), MESSAGE[:700])
            c.send(b"STARTTLS\r\nEHLO x\r\n", seq=start + len(MESSAGE))
            quiet(s, 0.3)
            c.send(MESSAGE[700:], seq=start + 700)
            is_reset(s)


#
# Rules that close.
#
LONG = b"X-Long: " + b"y" * 1100 + b"\r\n\r\n"


def test_violation_early():
    """a header line too long in early bytes: closed, and the server reads nothing of it"""
    message = b"Subject: x\r\n" + LONG + b"body\r\n.\r\n"
    for policy in POLICY, RESETTING:
        rules(inspect(policy))
        for v6 in False, True:
            with listen(v6=v6) as lst:
                c, s, start = real(lst, v6)
                c.send(message[:12], seq=start)
                same(read(s, 12), message[:12])
                c.send(message[500:1130], seq=start + 500)
                quiet(s, 0.3)
                before = lab.counters()["rules"][3]
                with grows(early_closed=1, closed=1):
                    c.send(message[12:500], seq=start + 12)
                    is_reset(s)
                assert lab.counters()["rules"][3] == before + 1, "not counted at its rule"
    rules(inspect())


def test_violation_in_gap():
    """a header line too long in the gap is the rule's own, and what came early is never readable"""
    message = b"Subject: x\r\n" + LONG + b"body\r\n" * 40 + b".\r\n"
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s, start = real(lst, v6)
            c.send(message[1130:1200], seq=start + 1130)
            quiet(s, 0.3)
            with grows(early_closed=0, closed=1, drop=(1, 9)):
                c.send(message[:1130], seq=start)
                # What stands before the byte that is too much may have passed.
                got = b""
                with contextlib.suppress(ConnectionResetError):
                    while len(got) < 1200:
                        got += s.recv(2000) or b"the end"
            same(got, message[:len(got)])
            assert len(got) <= 12 + 998, len(got)


def test_log_early():
    """a rule that only logs is counted for early bytes as for others, once"""
    message = HEAD + b"z" * 1500 + b"\r\n.\r\n"
    for v6 in False, True:
        m = Mail(v6, message)
        before = lab.counters()["rules"][2]
        m.early(800, 1400)
        assert lab.counters()["rules"][2] == before, "counted before it is known what it belongs to"
        m.passes(0, 800)
        m.passes(0, 1400)
        assert lab.counters()["rules"][2] == before + 1, lab.counters()["rules"]
        m.ends()


#
# BDAT.
#
def chunk(n, last=b""):
    def state(c, s):
        envelope(c, s)
        talk(c, s, b"BDAT %d%s\r\n" % (n, last))
    return state


def test_bdat():
    """within a BDAT chunk early segments pass, whatever looks like an end in them"""
    rules(inspect(CHUNKS))
    body = HEAD + b"x\r\n.\r\nNOOP\r\n" * 30
    for v6 in False, True:
        m = Mail(v6, body + b"NOOP\r\n", state=chunk(len(body), b" LAST"))
        m.early(100, 200)
        m.early(200, len(body) - 50)
        m.early(len(body) - 50, len(body))
        m.passes(0, 100)
        m.has(len(body))
        m.ends(len(body))


def test_bdat_border():
    """over the border of a chunk only what is inside passes early, outside of it nothing"""
    rules(inspect(CHUNKS))
    body = HEAD + lines(30)
    message = body + b"BDAT 10\r\n0123456789NOOP\r\n"
    for v6 in False, True:
        for state in chunk(len(body)), chunk(len(body), b" LAST"):
            m = Mail(v6, message, state=state)
            end = len(body)
            m.refused(end, end + 9)
            m.refused(end + 9, end + 19)
            with grows(early_passed=1):
                m.send(end - 10, end + 9)
                m.s.want(body[-10:], seq=m.start + end - 10)
            m.passes(0, end - 10)
            m.has(end)


def test_bdat_second():
    """a second chunk whose line is in the gap: what looks like its bytes does not pass early"""
    rules(inspect(CHUNKS))
    body = HEAD + lines(10)
    message = body + b"BDAT 32\r\n" + lines(2) + b"BDAT 0 LAST\r\n"
    for v6 in False, True:
        m = Mail(v6, message, state=chunk(len(body)))
        end = len(body)
        m.passes(0, end - 20)
        m.refused(end + 9, end + 25)
        m.passes(end - 20, end + 9)
        m.early(end + 25, end + 41)
        m.passes(end + 9, end + 25)
        m.has(end + 41)
        m.passes(end + 41, len(message))
    rules(inspect())


#
# Bounds.
#
def parameter(name, value):
    with open(PARAMETERS + name, encoding="ascii") as f:
        before = f.read().strip()
    with open(PARAMETERS + name, "w", encoding="ascii") as f:
        f.write(str(value))
    return before


def test_half_of_budget():
    """early copies take at most half of what may be retained; the gap still passes, then the rest"""
    message = HEAD + lines(5000) + b".\r\n"
    before = parameter("retain_max", 100000)
    try:
        for v6 in False, True:
            m = Mail(v6, message)
            with grows(retain_full=(1, 99), early=(1, 99)):
                at = fill(m)
            assert 20000 <= at - 1000 <= 50000, f"{at - 1000} bytes passed early"
            with grows(closed=0):
                m.passes(0, 1000)
            m.has(at)
            m.s.ack()
            m.c.drain()
            m.passes(at, at + 1000)
    finally:
        parameter("retain_max", before)


def fill(m):
    """Early segments until none passes any more. Where that is."""
    for at in range(1000, 60000, 1000):
        m.send(at, at + 1000)
    upto = 1000
    for seg in iter(lambda: m.s.get(1), None):
        assert seg.seq - m.start == upto, f"{seg} leaves a gap"
        m.s.take(seg)
        upto += len(seg.payload)
    return upto


#
# Mode monitor, and TLS.
#
def test_monitor():
    """mode monitor: what would have closed passes, early or not, and is reported"""
    rules(inspect(WATCHING))
    message = b"Subject: x\r\n" + LONG + b"body\r\n.\r\n"
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s, start = real(lst, v6, want=b"220 mx ESMTP\r\n")
            before = lab.counters()["rules"][3]
            with grows(early_closed=0, closed=0, early_passed=1):
                c.send(message[500:1100], seq=start + 500)
                quiet(s, 0.3)
                c.send(message[:500], seq=start)
                same(read(s, 1100), message[:1100])
                c.send(message[1100:] + b"STARTTLS\r\n", seq=start + 1100)
                same(read(s, len(message) - 1090), message[1100:] + b"STARTTLS\r\n")
            assert lab.counters()["rules"][3] == before + 1
    rules(inspect())


def test_monitor_commands():
    """mode monitor: a STARTTLS that came early, its end of message in the gap, passes too"""
    rules(inspect(WATCHING))
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s, start = real(lst, v6, want=b"220 mx ESMTP\r\n")
            with grows(early_closed=0, closed=0, early_passed=1):
                c.send(b"STARTTLS\r\n", seq=start + len(MESSAGE))
                quiet(s, 0.2)
                c.send(MESSAGE, seq=start)
                same(read(s, len(MESSAGE) + 10), MESSAGE + b"STARTTLS\r\n")
    rules(inspect())


def test_bypass():
    """after 220 to STARTTLS everything passes as it comes"""
    rules(inspect(TLS))
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        talk(c, s, b"STARTTLS\r\n")
        talk(s, c, b"220 go\r\n")
        for a, b in (c, s), (s, c):
            start = a.snd
            with grows(early=0, early_passed=0):
                a.send(b"\x16\x03\x01 second", seq=start + 10)
                b.want(b"\x16\x03\x01 second", seq=start + 10)
                a.send(b"0123456789", seq=start)
                b.want(b"0123456789", seq=start)
    rules(inspect())


def test_monitor_alters():
    """mode monitor alters no byte of content"""
    rules(inspect(WATCHING))
    c, s = raw_pair()
    begin(c, s, want=b"220 mx ESMTP\r\n")
    content(c, s)
    c.send(b"Subject: one\r\n")
    s.want(b"Subject: one\r\n")
    c.send(b"Subject: two\r\n", seq=c.snd - 14)
    seg = s.want(seq=s.rcv - 14)
    rules(inspect())
    assert seg.payload == b"Subject: two\r\n", f"{seg}"


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    # Gaps that a test leaves, which nobody closes, are given up after a minute, in the middle of another one.
    lab.tests(*(f for name, f in list(globals().items()) if name.startswith("test_")),
              before=lambda: lab.run("router", "conntrack", "-D", "-p", "tcp", check=False))
