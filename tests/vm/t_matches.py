#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 400
"""Every match on a real connection: at its limit nothing, one past it the rule; turned round; with other conditions; each action."""
import lab
from lab import inspect, rules, same
from mta import Monitor

HELLO = [("S", b"220 mx\r\n"), ("C", b"EHLO c.test\r\n"), ("S", b"250-mx\r\n250 SIZE 1000\r\n")]
ENVELOPE = [("C", b"MAIL FROM:<a@c.test> SIZE=37\r\n"), ("S", b"250 ok\r\n"), ("C", b"RCPT TO:<b@s.test>\r\n"), ("S", b"250 ok\r\n"),
            ("C", b"RCPT TO:<c@s.test>\r\n"), ("S", b"550 5.1.1 who?\r\n")]
DATA = [("C", b"DATA\r\n"), ("S", b"354 go\r\n")]
# A header of 6 + 13 bytes, an empty line, a body of 17: the dot that makes the other transparent does not count.
TEXT = [("C", b"To: b\r\nSubject: abc\r\n\r\n1234567890\r\n..a\r\n.\r\n"), ("S", b"250 ok\r\n")]
FILE = [("C", b"Content-Type: a/b; name=\"abcdefgh\"\r\nContent-Transfer-Encoding: base64\r\n\r\n.\r\n"), ("S", b"250 ok\r\n")]
MAIL = HELLO + ENVELOPE + DATA

# Match; what it is just not; what it just is; the dialogue; its words in an event.
CASES = [
    ("cmd line length > {}", 28, 27, HELLO + ENVELOPE, "cmd line length gt 27"),
    ("cmd rcpt count > {}", 2, 1, MAIL[:-1], 'cmd RCPT count gt 1'),
    ("sender-address length > {}", 8, 7, HELLO + ENVELOPE, 'sender-address length gt 7'),
    ("header line length > {}", 12, 11, MAIL + TEXT, 'header line length gt 11'),
    ("body line length > {}", 10, 9, MAIL + TEXT, 'body line length gt 9'),
    ("header length > {}", 21, 20, MAIL + TEXT, 'header length gt 20'),
    ("body length > {}", 16, 15, MAIL + TEXT, 'body length gt 15'),
    ("message size > {}", 39, 38, MAIL + TEXT, 'message size gt 38'),
    ("header to-fields count > {}", 1, None, MAIL + TEXT, None),
    ("header count > {}", 2, 1, MAIL + TEXT, 'header count gt 1'),
    ("mime filename length > {}", 8, 7, MAIL + FILE, 'MIME filename length gt 7'),
    ("reply line length > {}", 14, 13, HELLO + ENVELOPE, 'reply line length gt 13'),
    ("invalid-recipients count > {}", 1, None, HELLO + ENVELOPE, None),
    ("message size > declared", None, "", MAIL + TEXT, None),
    ("cmd verb {}", "vrfy", "rcpt", HELLO + ENVELOPE, 'cmd verb rcpt'),
    ("ehlo-reply-parameter {}", "others", "size", HELLO, 'ehlo-reply-parameter size'),
    ("mime encoding {}", "{ 7bit others }", "base64", MAIL + FILE, 'mime encoding base64'),
    ("anomaly {}", "bare-lf", "truncated", HELLO + [("C", b"NO\r\n")], 'anomaly truncated'),
]


def policy(*lines):
    return inspect("policy default {\n\tbanner keep\n\tverbs any\n" + "".join(f"\t{line}\n" for line in lines) + "}\n")


class Connection:
    """A dialogue over two real sockets; it ends where one of them is reset."""

    def __init__(self, v6=False):
        self.listener = lab.listen(v6=v6)
        self.c, self.s = lab.joined(self.listener, lab.SERVER[v6])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in (self.c, self.s, self.listener):
            sock.close()

    def step(self, side, data, want=None):
        sender, receiver = (self.c, self.s) if side == "C" else (self.s, self.c)
        sender.sendall(data)
        same(lab.read(receiver, len(data)), data if want is None else want)

    def play(self, steps):
        for side, data in steps:
            self.step(side, data)

    def until_reset(self, steps):
        """Plays; both ends are reset before its end, and nobody has got all of it."""
        got = {"C": b"", "S": b""}
        try:
            for side, data in steps:
                sender, receiver = (self.c, self.s) if side == "C" else (self.s, self.c)
                sender.sendall(data)
                while len(got[side]) < sum(len(d) for s, d in steps[:steps.index((side, data)) + 1] if s == side):
                    part = receiver.recv(65536)
                    assert part, "the connection ended without a reset"
                    got[side] += part
        except (ConnectionResetError, BrokenPipeError):
            pass
        else:
            raise AssertionError("all of it has passed")
        for side in "CS":
            sent = b"".join(d for s, d in steps if s == side)
            assert sent.startswith(got[side]), f"{side}: {got[side]!r}"
        return got


def fired():
    return lab.counters()["rules"]


def case(n, match, at, past, steps, event):
    v6 = bool(n % 2)
    quiet = [f"match {match.format(at)} reset log"] if at is not None else []
    loud = [f"match {match.format(past)} log", f"match not {match.format(past)} continue"][:2 - match.startswith("anomaly")] \
        if past is not None else []
    rules(policy(*quiet, *loud))
    monitor = Monitor()
    with Connection(v6) as link:
        link.play(steps)
    counts = fired()
    assert not quiet or counts[0] == 0, f"{quiet} fired at its limit: {counts}"
    if past is not None:
        assert counts[len(quiet)] >= 1, f"{loud[0]} did not fire: {counts}"
        words = f"matched Class {len(quiet) + 1}: {event} " if event else "declared size is: 37, actual size is 39"
        assert monitor.lines_with(words), monitor.lines(0)
    monitor.stop()
    if past is None:
        return
    rules(policy(f"match {match.format(past)} reset"))
    with Connection(v6) as link:
        link.until_reset(steps)
    same(str(fired()), "[1]")


def test_matches():
    """Every match: at its limit, one past it, and closing"""
    for n, (match, at, past, steps, event) in enumerate(CASES):
        try:
            case(n, match, at, past, steps, event)
        except Exception as e:
            raise AssertionError(f"{match}: {type(e).__name__}: {e}") from e


def test_counts_past_their_limits():
    """Counts of two: fields named To, and recipients that do not exist"""
    rules(policy("match header to-fields count > 1 reset"))
    with Connection() as link:
        link.play(MAIL)
        link.until_reset([("C", b"To: a\r\nTo: b\r\n\r\n.\r\n")])
    same(str(fired()), "[1]")
    rules(policy("match invalid-recipients count > 1 reset"))
    with Connection(True) as link:
        link.play(HELLO + ENVELOPE)
        link.play([("C", b"RCPT TO:<d@s.test>\r\n"), ("S", b"550 5.7.1 not you\r\n"),
                   ("C", b"RCPT TO:<d@s.test>\r\n"), ("S", b"450 4.1.1 later\r\n")])
        link.until_reset([("C", b"RCPT TO:<e@s.test>\r\n"), ("S", b"550 5.1.1 who?\r\n")])
    same(str(fired()), "[1]")


def test_not():
    """With not: an allow list of verbs, and a limit from below at the end of the line"""
    rules(policy("match not cmd verb { ehlo, noop } reset"))
    with Connection() as link:
        link.play(HELLO + [("C", b"NOOP\r\n"), ("S", b"250 ok\r\n")])
        got = link.until_reset([("C", b"RSET\r\n")])
        same(got["C"], b"")
    rules(policy("match not cmd line length > 5 reset"))
    with Connection(True) as link:
        link.play(HELLO)
        got = link.until_reset([("C", b"NOOP\r\n")])
        same(got["C"], b"")
    same(str(fired()), "[1]")


def test_several():
    """Several conditions: a limit for one verb, a sender and the size of his message"""
    rules(policy("match cmd verb noop cmd line length > 6 drop", "match sender-address length > 7 body length > 15 log"))
    with Connection() as link:
        link.play(HELLO + [("C", b"NOOP x\r\n"), ("S", b"250 ok\r\n")] + ENVELOPE + DATA + TEXT)
        same(str(fired()), "[0, 1]")
        link.play([("C", b"MAIL FROM:<a@c.te>\r\n"), ("S", b"250 ok\r\n"), *ENVELOPE[2:4], *DATA, *TEXT])
        same(str(fired()), "[0, 1]")
        link.c.sendall(b"NOOP xy\r\n")
        lab.is_reset(link.s)
        lab.quiet(link.c)
    same(str(fired()), "[1, 1]")


def test_masked_verbs():
    """A verb that a rule masks arrives as Xs, and its keyword is not offered"""
    rules(policy("match cmd verb { vrfy, etrn } mask log"))
    with Connection() as link:
        link.play(HELLO[:2])
        link.step("S", b"250-mx\r\n250-VRFY\r\n250 SIZE\r\n", b"250-mx\r\n250-XXXA\r\n250 SIZE\r\n")
        link.step("C", b"VRFY root\r\n", b"XXXXXXXXX\r\n")
        link.step("S", b"500 what?\r\n")
        for letter in (b"V", b"R", b"F"):
            link.step("C", letter)
        link.step("C", b"Y", b"X")
        link.step("C", b" root\r\n", b"XXXXX\r\n")
    same(str(fired()), "[2]")


def test_fields():
    """Header fields and media types by regular expressions, folded and cut; a field that must be there"""
    def told(line):
        rules(policy(line).replace("policy default", 'regex bad "casino|lottery$" nocase\n'
                                   'regex exe "^application/(x-)?msdownload$"\npolicy default', 1))

    text = [("C", b"To: b\r\nSubject: the big\r\n LOTT"), ("C", b"ERY\r\nContent-Type:"),
            ("C", b" application/x-msdownload; name=a\r\n\r\nSubject: casino\r\n.\r\n"), ("S", b"250 ok\r\n")]
    for n, line in enumerate(("header Subject regex bad", "mime filetype regex exe", "not header From regex bad")):
        told(f"match {line} log")
        with Connection(bool(n % 2)) as link:
            link.play(MAIL + text)
        same(str(fired()), "[1]")
        told(f"match {line} reset")
        with Connection(bool(n % 2)) as link:
            link.until_reset(MAIL + text)
        same(str(fired()), "[1]")
    for line in ("header To regex bad", "not header Subject regex bad", "header From regex bad"):
        told(f"match {line} reset")
        with Connection() as link:
            link.play(MAIL + text)
        same(str(fired()), "[0]")


NAMES = (("filename=a.exe", True), ("filename=\"a.exe.pdf\"", False), ("name=a.exe", True), ("filename*=utf-8''a%2EeXe", True),
         ("filename=\"=?utf-8?B?YS5leGU=?=\"", True), ("filename*0=\"a.e\";\r\n filename*1=xe", True),
         ("filename*1=xe; filename*0=a.e", True), ("filename=\"a.exe\" .txt", True), ("filename=\"=?utf-8?Q?a.exe_b?=\"", False))


def test_file_names():
    """Names of attachments by regular expressions, however they are written; the one that is meant never arrives whole"""
    def told(line):
        rules(policy(line).replace("policy default", 'regex exe "\\.exe$" nocase\npolicy default', 1))

    def mail(name):
        where = "Content-Disposition: attachment; " if name.startswith("file") else "Content-Type: a/b; "
        return [("C", b"To: b\r\n" + where.encode()), ("C", name.encode()), ("C", b"\r\n\r\nx\r\n.\r\n"), ("S", b"250 ok\r\n")]

    for n, (name, bad) in enumerate(NAMES):
        told("match mime filename regex exe log")
        with Connection(bool(n % 2)) as link:
            link.play(MAIL + mail(name))
        same(str(fired()), f"[{int(bad)}]")
        if bad:
            told("match mime filename regex exe reset")
            with Connection(bool(n % 2)) as link:
                link.until_reset(MAIL + mail(name))
            same(str(fired()), "[1]")
    told("match not mime filename regex exe reset")
    with Connection() as link:
        link.play(MAIL + mail("filename=a.exe"))
    same(str(fired()), "[0]")
    with Connection(True) as link:
        link.until_reset(MAIL + mail("filename=a.ex"))
    same(str(fired()), "[1]")


def test_parameters():
    """Parameters: pipelining that is not offered, special characters, and a policy that inherits"""
    rules(policy("pipelining deny", "match anomaly pipelining reset"))
    with Connection() as link:
        link.play(HELLO[:2])
        link.step("S", b"250-mx\r\n250 PIPELINING\r\n", b"250-mx\r\n250 XXXXXXXXXA\r\n")
        link.c.sendall(b"NOOP\r\n")
        same(lab.read(link.s, 6), b"NOOP\r\n")
        link.c.sendall(b"NOOP\r\n")
        lab.quiet(link.s)
        # What is owed comes first.
        link.s.sendall(b"250 ok\r\n")
        same(lab.read(link.c, 8), b"250 ok\r\n")
        lab.is_reset(link.c)
    same(str(fired()), "[1]")
    rules(policy("special-character drop log"))
    with Connection(True) as link:
        link.play(HELLO)
        link.c.sendall(b"MAIL FROM:<`id`@c.test>\r\n")
        lab.is_reset(link.s)
    same(str(fired()), "[1]")
    rules(inspect("policy base {\n banner keep\n verbs any\n match cmd verb vrfy reset\n}\n"
                  "policy default {\n inherit base\n verbs remove etrn\n match cmd verb vrfy log\n}\n"))
    with Connection() as link:
        link.play(HELLO + [("C", b"VRFY a\r\n"), ("S", b"252 ok\r\n")])
        link.step("C", b"ETRN a\r\n", b"XXXXXX\r\n")
    same(str(fired()), "[1]")


def test_tls_is_told():
    """That TLS has begun is counted, and with tls allow log an event says it"""
    tls = HELLO + [("C", b"STARTTLS\r\n"), ("S", b"220 go\r\n"), ("C", b"\x16\x03\x01")]
    for n, (line, told) in enumerate((("tls allow", 0), ("tls allow log", 1))):
        rules(policy(line, "match cmd verb ehlo log"))
        monitor = Monitor()
        with lab.grows(event__tls_started=1), Connection(bool(n)) as link:
            link.play(tls)
        assert monitor.lines_with("cmd verb ehlo"), monitor.lines(0)
        lines = [line for line in monitor.lines(1 + told, 3) if line.startswith("%ASA-6-108007: TLS started on ESMTP session")]
        assert len(lines) == told, monitor.lines(0)
        monitor.stop()


lab.up()
lab.tests(test_tls_is_told, test_fields, test_file_names, test_parameters, test_matches, test_counts_past_their_limits, test_not, test_several, test_masked_verbs)
