#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 400
"""Senders and recipients by regex and domains, with a real Postfix behind: who gets through, what is counted and said."""
from mta import *

POLICY = """flush ruleset
regex news "@(lists|news)\\.client\\.test$" nocase
regex secret { "^secret@", "^(user1|root)\\+secret@" }
domains partners { client.test, .partner.test, boss@other.test }
policy default {
	banner keep
	match sender-address regex news drop log
	match not sender-address domains partners recipient-address regex secret reset log
	match not recipient-address regex local log
}
regex local "@server\\.test\\.?$"
inspect { default policy default }
"""
OPEN = "flush ruleset\npolicy default {\n\tbanner keep\n}\ninspect { default policy default }\n"


def hello(server):
    c = Client(server)
    c.hello()
    return c


def said(counted, monitor, title, rule, extra=None, words=None):
    """What was counted and, if @words, the one line of the monitor."""
    seen = said.seen
    counted.exactly(f"{title}: counted", {"default.connections": 1, **({f"default.rule.{rule}": 1} if rule else {}),
                                          **(extra or {})})
    with check(f"{title}: monitor"):
        lines = monitor.lines(seen + bool(words))[seen:]
        said.seen += len(lines)
        same(bool(words), len(lines), f"lines {lines}")
        assert not words or words in lines[0], f"{lines[0]}\nhas not {words}"


said.seen = 0
users("user1", "secret", "arriving")
shell("lab_up; postfix_up server")
rules(POLICY)
monitor = Monitor()
counted = Counted()

for server in (SERVER4, SERVER6):
    family = 6 if ":" in server else 4
    with check(f"IPv{family}: a mail of a partner arrives"), hello(server) as c:
        c.mail(b"Subject: x\r\n\r\ntext\r\n", to=["arriving@server.test"])
        c.quit()
        arrived("arriving", 1 if family == 4 else 2)
    diff = counted.moved()
    common = {k: v for k, v in diff.items() if k.startswith("default.events.")}
    same_rules = [k for k in diff if ".rule." in k]
    equal(f"IPv{family}: a mail of a partner: no rule fires", [], same_rules)

    for title, typed in (("in one piece", False), ("letter by letter", True)):
        name = f"IPv{family}: sender of the list, {title}"
        with check(name), hello(server) as c:
            line = "MAIL FROM:<Someone@News.Client.TEST> SIZE=100"
            if typed:
                for letter in line + "\r\n":
                    c.send(letter)
                    time.sleep(0.005)
            else:
                c.send(line + "\r\n")
            same("silence", c.ending(1))
        said(counted, monitor, name, 1, {**common, "default.closed": 1},
             "Dropped connection for ESMTP Request")
    name = f"IPv{family}: senders that only look like it"
    with check(name), hello(server) as c:
        for sender in ("x@news.client.test.org", "x@news.client.tes", "news@client.test", "@lists.client.test:a@b.test"):
            c.expect(250, f"MAIL FROM:<{sender}>")
            c.expect(250, "RSET")
        c.quit()
    said(counted, monitor, name, None, common)

    name = f"IPv{family}: a stranger to the secret one"
    with check(name), hello(server) as c:
        c.expect(250, "MAIL FROM:<stranger@else.test>")
        c.expect(250, "RCPT TO:<user1@server.test>")
        c.send("RCPT TO:<secret@server.test>\r\n")
        same("reset", c.ending(3))
    said(counted, monitor, name, 2, {**common, "default.closed": 1}, "Reset connection for ESMTP Request")
    with check(f"{name}: the kernel's words"):
        assert "matched Class 2: recipient-address regex secret" in monitor.text.decode().splitlines()[-1], monitor.text
    name = f"IPv{family}: partners to the secret one"
    with check(name), hello(server) as c:
        for sender in ("boss@other.test", "BOSS@Other.Test.", "x@a.partner.test", "a@client.test"):
            c.expect(250, f"MAIL FROM:<{sender}>")
            c.expect(250, "RCPT TO:<secret@server.test>")
            c.expect(250, "RSET")
        c.quit()
    said(counted, monitor, name, None, common)
    name = f"IPv{family}: what was met belongs to its transaction"
    with check(name), hello(server) as c:
        c.expect(250, "MAIL FROM:<stranger@else.test>")
        c.expect(250, "RSET")
        c.expect(250, "MAIL FROM:<boss@other.test>")
        c.expect(250, "RCPT TO:<secret@server.test>")
        c.quit()
    said(counted, monitor, name, None, common)
    name = f"IPv{family}: a recipient elsewhere is logged"
    with check(name), hello(server) as c:
        c.expect(250, "MAIL FROM:<a@client.test>")
        c.expect("", "RCPT TO:<x@elsewhere.test>")
        c.quit()
    said(counted, monitor, name, 3, common, "matched Class 3: not recipient-address regex local")

with check("a connection keeps its tables over a reload, and they are given back behind it"), hello(SERVER4) as c:
    for _ in range(5):
        rules(OPEN)
        rules(POLICY)
    rules(OPEN)
    with hello(SERVER4) as fresh:
        fresh.expect(250, "MAIL FROM:<x@news.client.test>")
        fresh.quit()
    c.expect(250, "MAIL FROM:<a@client.test>")
    c.expect(250, "RSET")
    c.send("MAIL FROM:<x@news.client.test>\r\n")
    same("silence", c.ending(1))
with check("the listing is what was loaded"):
    rules(POLICY)
    listed = run("router", "esmtpctl", "list", "ruleset")
    for line in POLICY.splitlines():
        if line.startswith("\tmatch"):
            assert line in listed.splitlines(), f"{line} is not in\n{listed}"
    rules(listed)
    same(listed, run("router", "esmtpctl", "list", "ruleset"))
    text = run("router", "esmtpctl", "list", "counters")
    assert "match not sender-address domains partners recipient-address regex secret" in text, text
with check("no packet had a bad checksum"):
    same([0, 0], [csum_errors(n) for n in ("client", "server")])
monitor.stop()
finish()
