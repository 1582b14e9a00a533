#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 240
"""mail-relay: where recipients lead, who may relay, and by which class. The server takes everything."""
from mta import *

POLICY = """flush ruleset
domains own {{ server.test, .server.test, b\u00fccher.test, "[10.0.2.2]" }}
class inside {{ iifname rs }}
policy outgoing {{
	banner keep
}}
policy incoming {{
	banner keep
	mail-relay own {action}
}}
inspect {{
	class inside policy outgoing
	default policy incoming
}}
"""
LOCAL = ("a@server.test", "A@SERVER.Test.", "a@x.server.test", "a@[10.0.2.2]", "postmaster", "Postmaster", "a",
         "@server.test,@x.server.test:a@server.test", "a%server.test@x.server.test", "server.test!a@server.test",
         "a@xn--bcher-kva.test", "a@b\u00fccher.test", "\"a b\"@server.test")
ABROAD = ("a@else.test", "a@server.test.else", "a@xserver.test", "a@[10.0.2.3]", "@else.test:a@server.test",
          "@server.test:a@else.test", "a%else.test@server.test", "a%else.test%server.test@server.test", "a%else.test",
          "else.test!a@server.test", "else.test!a", "a@else.test@server.test", "\"a@else.test\"@server.test",
          "\"a%else.test\"@server.test", "a@", "a@buecher.test", "a@else.test .server.test", "a@else.test(.server.test",
          "\"a@else.test>.server.test", "else.test x.server.test!a", "a\\>@else.test", "a@server.test>@else.test")
DENIED = "550 5.7.1 relaying denied"


class Login(Server):
    """Knows one password."""

    def answer(self, line):
        if line.startswith("AUTH PLAIN"):
            return "235 2.7.0 welcome\r\n" if line.endswith(" AGEAcGFzcw==") else "535 5.7.8 no\r\n"
        return super().answer(line)


def begun(to, **kw):
    c = Client(to, **kw)
    c.hello()
    c.expect(250, "MAIL FROM:<a@else.test>")
    return c


shell("lab_up")
server = Login()
rules(POLICY.format(action='reply 550 "5.7.1 relaying denied" log'))
monitor = Monitor()
counted = Counted()
lines = 0

for to in (SERVER4, SERVER6):
    family = 6 if ":" in to else 4
    with check(f"IPv{family}: every way that stays at home is open"), begun(to) as c:
        for rcpt in LOCAL:
            c.expect(250, f"RCPT TO:<{rcpt}>")
        c.quit()
        same(len(LOCAL), sum(x.startswith("RCPT") for x in server.session().lines))
    diff = counted.moved()
    equal(f"IPv{family}: no rule has fired", [], [k for k in diff if ".rule." in k])
    for rcpt in ABROAD:
        for typed in False, True:
            with check(f"IPv{family}: {rcpt} is refused, {'letter by letter' if typed else 'in one piece'}"), \
                    begun(to) as c:
                line = f"RCPT TO:<{rcpt}>"
                same(DENIED, c.type(line) if typed else c.say(line))
                same("end", c.ending(5))
                server.session().wait()
                assert not server.session().data.endswith(b"\r\nRCPT TO:<" + rcpt.encode() + b">\r\n"), "it was read whole"
    counted.exactly(f"IPv{family}: they are counted", {
        key: 2 * len(ABROAD) for key in ("incoming.connections", "incoming.closed", "incoming.rule.1",
                                         "incoming.events.keyword-masked", "module.reply-sent", "module.reply-acked")})
    lines += 2 * len(ABROAD)
    with check(f"IPv{family}: and said, as ASA says it"):
        said = monitor.lines(lines)
        same(lines, len(said))
        for line in said:
            assert "ASA-4-108004" in line and "mail-relay own" in line and "sender <a@else.test>" in line, line
    with check(f"IPv{family}: who has authenticated may relay, who tried may not"), begun(to) as c:
        c.expect(250, "RSET")
        c.expect(235, "AUTH PLAIN AGEAcGFzcw==")
        c.expect(250, "MAIL FROM:<a@else.test>")
        c.expect(250, "RCPT TO:<a@else.test>")
        c.quit()
        with begun(to) as d:
            d.expect(250, "RSET")
            d.expect(535, "AUTH PLAIN AGEAd3Jvbmc=")
            d.expect(250, "MAIL FROM:<a@else.test>")
            same(DENIED, d.say("RCPT TO:<a@else.test>"))
    lines += 1
    counted.moved()

with check("inside and outside by class: from inside everything goes"):
    far = Server("client")
    for to in CLIENT4, CLIENT6:
        with begun(to, name="server") as c:
            c.expect(250, "RCPT TO:<a@else.test>")
            c.quit()
counted.exactly("inside: counted", {"outgoing.connections": 2, "outgoing.events.keyword-masked": 2})
with check("mail-relay drop, reset, continue"):
    for action, end in (("drop log", "silence"), ("reset", "reset"), ("log", "250 2.0.0 fine")):
        rules(POLICY.format(action=action))
        with begun(SERVER4) as c:
            c.send("RCPT TO:<a@else.test>\r\n")
            same(end, c.line() if end[0] == "2" else c.ending(2))
with check("the listing is what was loaded"):
    listed = run("router", "esmtpctl", "list", "ruleset")
    assert "\tmail-relay own log\n" in listed, listed
    rules(listed)
    same(listed, run("router", "esmtpctl", "list", "ruleset"))
    text = run("router", "esmtpctl", "list", "counters")
    assert re.search(r"^ *mail-relay own\n *log, packet 1$", text, re.M), text
with check("no packet had a bad checksum"):
    same([0, 0], [csum_errors(n) for n in ("client", "server")])
monitor.stop()
finish()
