#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""What inspection does, shown to a person: each step is done without it, then with it, and printed in two columns.

Ends with an error when anything shown is not as it must be.
"""
import textwrap

from lab import Segment
from mta import *

WIDTH = 46		# of a column
EXEMPT = CLIENT4B
wrong = []


class Wire:
    """What reaches the server of what the client says, read from the server's interface."""

    def __init__(self):
        with inside("server"):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.sock.bind(("s0", 0x0800))
        self.sock.setblocking(False)

    def read(self):
        said = b""
        with contextlib.suppress(BlockingIOError):
            while True:
                raw, where = self.sock.recvfrom(1 << 17)
                seg = Segment(raw, False)
                if where[2] != socket.PACKET_OUTGOING and seg.tcp and seg.dport == 25:
                    said += seg.payload
        return said.decode("latin-1").rstrip()


def mail(header):
    return (f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=client.test; s=demo;\r\n"
            f"\th=from:to:subject:date:message-id:content-type:mime-version;\r\n\tb={'k4Zr' * 60}\r\n"
            f"From: a@client.test\r\nTo: user1@server.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n{header}"
            "Content-Type: text/plain; charset=utf-8\r\n\r\n"
            "Grüße!\r\n.\r\nSTARTTLS\r\nMAIL FROM:<a|b>\r\n220 and 250-STARTTLS are nothing but text here.\r\n"
            ).encode() + b"long line " * 95 + b"\r\n"


#
# The steps: each returns the lines to be shown.
#
def greeting(source=None):
    with Client(SERVER4, source=source) as c:
        got = c.reply()
        c.quit()
    return [got]


def exempt():
    with Client(SERVER4, source=EXEMPT) as c:
        return [c.expect(220), *[line for line in c.expect(250, "EHLO client.test").split("\n") if "SMTPUTF8" in line],
                c.say("STARTTLS")]


def ehlo():
    with Client(SERVER4) as c:
        got = c.hello()
        c.quit()
    return got.split("\n")


def command(line):
    with Client(SERVER4) as c:
        c.hello()
        wire = Wire()
        got = c.say(line)
        return [f"client:       {line}", f"server reads: {wire.read()}", *got.split("\n")]


def starttls():
    return command("STARTTLS")


def unknown_verb():
    return command("XFORWARD NAME=elsewhere")


def delivered():
    content = mail("")
    before = mails("user1")
    with Client(SERVER4) as c:
        c.hello()
        c.mail(content)
        c.quit()
    got = arrived("user1", before + 1)
    got = got[got.index(b"DKIM-Signature:"):]
    return [f"{what} {len(data)} bytes, sha256 {sha256(data)[:16]}…"
            for what, data in (("sent:   ", content), ("arrived:", got))]


def long_header():
    content = mail(f"X-Long: {'x' * 1192}\r\n")
    behind = len(maillog())
    with Client(SERVER4) as c:
        c.hello()
        c.expect(250, "MAIL FROM:<a@client.test>")
        c.expect(250, "RCPT TO:<user1@server.test>")
        c.expect(354, "DATA")
        c.send(stuffed(content))
        c.sock.settimeout(5)
        try:
            answer = re.sub("as .*", "", c.reply())
        except (socket.timeout, ConnectionError, EOFError):
            answer = "(silence)"
    with contextlib.suppress(AssertionError):
        wait_for(2, lambda: "lost connection" in maillog()[behind:])
    lost = re.search(r"lost connection after \w+", maillog()[behind:])
    return [f"client sees: {answer}", f"server logs: {lost.group(0) if lost else 'nothing wrong'}"]


#
# What must be shown: one function each, of the two columns.
#
def stars(text):
    """What an ASA leaves standing: 2, 0, and a blank right behind a 0."""
    return "".join(c if c in "20" or (c == " " and text[i - 1:i] == "0") else "*" for i, c in enumerate(text))


def masked_greeting(a, b):
    return a[0].startswith("220 server.test ESMTP") and b == ["220 " + stars(a[0][4:])]


def masked_keywords(a, b):
    tls = [n for n, line in enumerate(a) if line[4:] == "STARTTLS"]
    return tls and b[tls[0]][4:] == "XXXXXXXA" and a[0] == b[0] and [len(x) for x in a] == [len(x) for x in b] and \
        all(x == y or re.fullmatch(r"250[- ]X*[A-Z]", y) for x, y in zip(a, b))


def refused(code):
    def good(a, b):
        line = a[0].split(None, 1)[1]
        return a[1].endswith(line) and a[2].startswith(code) and b[1].endswith(" " + "X" * len(line)) and \
            b[2][:3] in ("500", "502")
    return good


def byte_for_byte(a, b):
    return a == b and a[0].split(":")[1].strip() == a[1].split(":")[1].strip()


def closed(a, b):
    return "250 " in a[0] and "nothing" in a[1] and "silence" in b[0] and "lost connection after DATA" in b[1]


def untouched(a, b):
    return a == b and "server.test" in b[0] and len(b) == 3 and b[2].startswith("220")


STEPS = (
    ("The server's greeting", greeting, masked_greeting),
    ("The reply to EHLO", ehlo, masked_keywords),
    ("STARTTLS, which was not offered", starttls, refused("220")),
    ("A verb that ASA does not know", unknown_verb, refused("250")),
    ("A mail, signed, with all that looks like SMTP in it", delivered, byte_for_byte),
    ("A mail with a header line of 1200 characters", long_header, closed),
    (f"An exempt host, {EXEMPT}: greeting, a keyword, STARTTLS", exempt, untouched),
)


def show(left, right):
    for a, b in zip(left + [""] * (len(right) - len(left)), right + [""] * (len(left) - len(right))):
        rows = [textwrap.wrap(x, WIDTH, subsequent_indent="  ", break_on_hyphens=False) or [""] for x in (a, b)]
        for n in range(max(map(len, rows))):
            cells = [r[n] if n < len(r) else "" for r in rows]
            print(f"  {cells[0]:{WIDTH}} | {cells[1]}".rstrip())


def attempt(step):
    try:
        return step()
    except (AssertionError, Failed, OSError, EOFError, ValueError, LookupError) as e:
        return [f"{type(e).__name__}: {e}"]


def judge(good, left, right):
    try:
        return good(left, right)
    except (LookupError, ValueError):
        return False


def counted():
    c = counters()
    want = {"default.events.banner-masked": 6, "default.events.command-masked": 2, "default.rule.4": 1,
            "default.closed": 1}
    for key, value in want.items():
        if c.get(key) != value:
            wrong.append(f"counter {key} is {c.get(key)}, not {value}")


def main():
    print(f"\nclient {CLIENT4} -- router with nf_conntrack_esmtp -- server {SERVER4} with Postfix\n", flush=True)
    shell("""lab_up
        postfix_set server 'smtpd_banner=$myhostname ESMTP Postfix (2026)' 'smtpd_authorized_xforward_hosts=10.0.0.0/8'
        postfix_up server""")
    without = [attempt(step) for _, step, _ in STEPS]
    said = rules() + run("router", "esmtpctl", "add", "exempt", EXEMPT)
    events = Monitor()

    print(f"  {'WITHOUT INSPECTION':{WIDTH}} | WITH INSPECTION")
    for (title, step, good), left in zip(STEPS, without):
        right = attempt(step)
        print(f"\n{title}\n{'-' * (2 * WIDTH + 5)}")
        show(left, right)
        if not judge(good, left, right):
            wrong.append(title)
            print("  NOT AS IT MUST BE")
        sys.stdout.flush()

    print(f"\n# esmtpctl -f {CONF}\n{said.strip()}")
    print(f"\n# esmtpctl monitor\n{chr(10).join(events.lines(3))}")
    events.stop()
    print(f"\n# esmtpctl list counters\n{run('router', 'esmtpctl', 'list', 'counters').rstrip()}\n")
    counted()
    if wrong:
        print("Not as it must be: " + "; ".join(wrong))
        sys.exit(1)
    print("Everything is as it must be.")


main()
