#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
"""Every rule of the default policy over the wire, at its limit and one above it: who sees what, what is counted.

With the shipped action over IPv4, with reset over IPv6.
"""
from mta import *


def message(header="Subject: x", body="body"):
    return f"From: a@client.test\r\n{header}\r\n\r\n{body}\r\n".encode()


def filename(n):
    return message("MIME-Version: 1.0\r\nContent-Type: application/pdf\r\n"
                   f"Content-Disposition: attachment;\r\n\tfilename=\"{'f' * (n - 4)}.pdf\"")


class Rule:
    """One rule of the policy and how to come to its limit: what is sent last may break it."""

    def __init__(self, number, name, limit, last, prelude=(), content=False):
        self.number, self.name, self.limit = number, name, limit
        self.last, self.prelude, self.content = last, prelude, content


ENVELOPE = ("MAIL FROM:<a@client.test>", "RCPT TO:<b@server.test>", "DATA")
RULES = (
    Rule(1, "cmd line length", 512, lambda n: f"NOOP {'n' * (n - 5)}\r\n".encode()),
    Rule(2, "cmd RCPT count", 100, lambda n: b"RCPT TO:<last@server.test>\r\n",
         prelude=("MAIL FROM:<a@client.test>", *(f"RCPT TO:<r{n}@server.test>" for n in range(99)))),
    Rule(3, "body line length", 998, lambda n: message(body="first\r\n" + "b" * n), ENVELOPE, content=True),
    Rule(4, "header line length", 998, lambda n: message(f"X-Long: {'h' * (n - 8)}"), ENVELOPE, content=True),
    Rule(5, "sender-address length", 320, lambda n: f"MAIL FROM:<{'s' * (n - 7)}@a.test>\r\n".encode()),
    Rule(6, "MIME filename length", 255, filename, ENVELOPE, content=True),
)


def prepare(server, rule, above):
    """A dialogue up to the bytes in question. Returns the client, the session and what was sent up to there."""
    c = Client(server)
    c.hello()
    before = "EHLO client.test\r\n"
    prelude = rule.prelude
    if rule.number == 2 and above:
        prelude += ("RCPT TO:<r99@server.test>",)
    if len(prelude) > 3:
        text = "".join(line + "\r\n" for line in prelude)
        c.send(text)
        for _ in prelude:
            same("250", c.reply()[:3])
        before += text
    else:
        for line in prelude:
            same("354" if line == "DATA" else "250", c.say(line)[:3])
            before += line + "\r\n"
    return c, mta.session(), before.encode()


def at_limit(server, rule):
    c, s, before = prepare(server, rule, False)
    with c:
        last = rule.last(rule.limit)
        last = stuffed(last) if rule.content else last
        c.send(last)
        same("250", c.reply()[:3])
        c.quit()
        same("end", s.wait())
        same(before + last + b"QUIT\r\n", s.data, "the server's bytes")


def above_limit(server, rule, action):
    c, s, before = prepare(server, rule, True)
    with c:
        last = rule.last(rule.limit + 1)
        last = stuffed(last) if rule.content else last
        c.send(last)
        same("silence" if action == "drop" else "reset", c.ending(1))
        same("reset", s.wait(5), "the server's end")
        if action == "drop":
            # Whatever the client says now, it stays alone with it.
            c.send(b"\r\n.\r\nQUIT\r\n")
            same("silence", c.ending(0.3))
    got = s.data
    assert (before + last).startswith(got), f"the server read what was not sent: {got[len(before) - 40:]!r}"
    if rule.content:
        bad = last.index(b"X-Long") if rule.number == 4 else last.index(b"\tfilename")
        assert len(before) + bad <= len(got) < len(before) + bad + rule.limit + 20, (len(before), bad, len(got))
    else:
        same(before, got, "the server's bytes")
    same([], s.messages)


def only_logs(server, rule):
    c, s, before = prepare(server, rule, False)
    with c:
        last = stuffed(rule.last(rule.limit + 1))
        c.send(last)
        same("250", c.reply()[:3])
        c.quit()
        same("end", s.wait())
        same(before + last + b"QUIT\r\n", s.data, "the server's bytes")


def event(family, rule, action, value):
    """The line that monitor must have for it."""
    did, number = {"drop": ("Dropped connection for", "4-108004"), "reset": ("Reset connection for", "4-108004"),
                   "log": ("Received", "6-108005")}[action]
    a, b = {4: (CLIENT4, SERVER4), 6: (CLIENT6, SERVER6)}[family]
    return (rf"%ASA-{number}: ESMTP Classification: {did} ESMTP Request from {a}/\d+ to {b}/25; "
            rf"matched Class {rule.number}: {rule.name} gt {rule.limit} \(policy default, seen {value}")


shell("lab_up")
mta = Server()
rules()
monitor, objects = Monitor(), Monitor("-j")
counted = Counted()
for family, server, action in ((4, SERVER4, "drop"), (6, SERVER6, "reset")):
    if action == "reset":
        # What the older connections still do counts nowhere then.
        run("router", "esmtpctl", "flush", "ruleset")
        rules(re.sub(r"\bdrop log", "reset log", conf()))
        counted = Counted()
    greeting = {"default.connections": 1, "default.events.banner-masked": 1, "default.rule.7": 3}
    for rule in RULES:
        name = f"IPv{family}: {rule.name} {rule.limit}"
        with check(f"{name} passes"):
            at_limit(server, rule)
        counted.exactly(f"{name}: nothing counted", greeting)
        seen = len(monitor.text.splitlines())
        if rule.number == 3:
            with check(f"{name}, one more: passes, logged"):
                only_logs(server, rule)
            counted.exactly(f"{name}, one more: counted", {**greeting, f"default.rule.{rule.number}": 1})
        else:
            with check(f"{name}, one more: {action}"):
                above_limit(server, rule, action)
            diff = counted.exactly(f"{name}, one more: counted",
                                   {**greeting, f"default.rule.{rule.number}": 1, "default.closed": 1})
            mine, other = ("drop", "reset-drop") if action == "drop" else ("reset-drop", "drop")
            equal(f"{name}, one more: packets stopped", (True, 0),
                  (diff.get("default." + mine, 0) > 0, diff.get("default." + other, 0)))
        with check(f"{name}, one more: monitor"):
            lines = monitor.lines(seen + 1)[seen:]
            wanted = event(family, rule, "log" if rule.number == 3 else action, rule.limit + 1)
            same(1, len(lines), f"lines {lines}")
            assert re.search(wanted, lines[0]), f"{lines[0]}\nis not {wanted}"
with check("monitor -j says the same"):
    lines = monitor.lines(1)
    events = [json.loads(line)["event"] for line in objects.lines(len(lines))]
    same(lines, [e["message"] for e in events])
    last = events[-1]
    want = {"number": 108004, "severity": 4, "type": "rule", "action": "reset", "direction": "request",
            "policy": "default", "rule": 6, "value": 256,
            "condition": {"match": "mime-filename-length", "not": False, "limit": 255},
            "client": {"address": CLIENT6, "port": last["client"]["port"]}, "server": {"address": SERVER6, "port": 25},
            "text": "filename", "lost": 0}
    same(want, {k: last.get(k) for k in want})
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", last["time"]), last["time"]
finish()
