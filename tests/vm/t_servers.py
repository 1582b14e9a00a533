#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 120
"""What servers say: greetings of all kinds, long EHLO replies, AUTH, and those that would end inspection."""
import base64

from mta import *


class Scripted(Server):
    """Says what stands in .script: a greeting, then an answer to each line, byte by byte if told."""

    def __init__(self):
        self.script, self.slow, self.read, self.end = [], False, [], None
        super().__init__()

    def play(self, *script, slow=False):
        self.script, self.slow, self.read = list(script), slow, []

    def _talk(self, sock, s):
        f = sock.makefile("rb")
        for n, text in enumerate(self.script):
            if n:
                line = f.readline()
                if not line:
                    return
                s.lines.append(line.rstrip(b"\r\n").decode("latin-1"))
            for piece in ([text[i:i + 1] for i in range(len(text))] if self.slow else [text]):
                sock.sendall(piece.encode("latin-1"))
                if self.slow:
                    time.sleep(0.005)
        f.read()


def greeting(text, slow=False):
    """As it arrives, line by line."""
    server.play(text, slow=slow)
    with Client(SERVER4) as c:
        return c.reply().split("\n")


def ehlo(*words):
    server.play("220 x\r\n", "".join(f"250{'- '[n == len(words)]}{w}\r\n" for n, w in enumerate(("me",) + words)))
    with Client(SERVER6) as c:
        return [line[4:] for line in c.hello().split("\n")[1:]]


shell("lab_up")
server = Scripted()
rules()
counted = Counted()
GREETED = {"default.connections": 1, "default.events.banner-masked": 1}

for slow in (False, True):
    how = "byte by byte" if slow else "in one piece"
    with check(f"greetings, {how}"):
        same(["220 *****"], greeting("220 a b c\r\n", slow))
        same(["220-*********2", "220-", "220-0 **", "220 **********"],
             greeting("220-mail.net 2\r\n220-\r\n220-0 ab\r\n220 over there\r\n", slow))
    with check(f"no greetings, {how}"):
        for line in ("554 no mail from you", "421 later", "250 odd"):
            same([line], greeting(line + "\r\n", slow))
counted.exactly("greetings: counted", {"default.connections": 10, "default.events.banner-masked": 4})

with check("later 220 replies are not masked"):
    server.play("220 one\r\n", "220 two 2\r\n", "250-a\r\n250 STARTTLS\r\n", "221 x\r\n")
    with Client(SERVER4) as c:
        same("220 ***", c.reply())
        same("220 two 2", c.say("NOOP"))
        # Only the reply to EHLO has keywords.
        same("250-a\n250 STARTTLS", c.say("HELO x"))
        same("221 x", c.say("QUIT"))
counted.exactly("later 220: counted", GREETED)

with check("keywords: which are masked, and with which letter"):
    known = ["8bitmime", "AUTH=LOGIN PLAIN", "auth LOGIN", "BINARYMIME", "CHECKPOINT", "DSN", "EnhancedStatusCodes",
             "ETRN", "PIPELINING", "SIZE", "SIZE 1000", "VRFY"]
    same(known, ehlo(*known))
    same(["XXXXXXXA", "XB", "C", "XXXXXXXXXXD", "XXXXXXE", "XXXF", "XXXXXXXXXG"],
         ehlo("starttls", "XX", "X", "SIZES 1000x", "VRFYING", "DSNX", "X-A STARTS"))
    same(["X" * 5 + chr(ord("A") + n % 26) for n in range(30)], ehlo(*(f"KEYW{n:02}" for n in range(30))))
counted.exactly("keywords: counted", {"default.connections": 3, "default.events.banner-masked": 3,
                                      "default.rule.7": 37})
with check("each EHLO reply begins with A"):
    server.play("220 x\r\n", *["250-me\r\n250 HELP\r\n"] * 3)
    with Client(SERVER4) as c:
        c.expect(220)
        same(["250-me\n250 XXXA"] * 3, [c.say("EHLO x") for _ in range(3)])
counted.exactly("three replies: counted", {**GREETED, "default.rule.7": 3})

with check("AUTH: what looks like commands is data"):
    login = [base64.b64encode(x.encode()).decode() for x in ("STARTTLS", "password")]
    server.play("220 x\r\n", "250-me\r\n250 AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "235 in\r\n",
                "502 what\r\n", "334 \r\n", "501 no\r\n", "334 \r\n", "334 \r\n", "535 no\r\n", "502 no\r\n")
    with Client(SERVER4) as c:
        c.hello()
        said = ["AUTH LOGIN", *login, "STARTTLS", "AUTH PLAIN", "*", "auth plain", "STARTTLS", "QUIT x", "XYZW"]
        same(["334", "334", "235", "502", "334", "501", "334", "334", "535", "502"], [c.say(x)[:3] for x in said])
        same([*said[:3], "XXXXXXXX", *said[4:9], "XXXX"], server.session().lines[1:])
counted.exactly("AUTH: counted", {**GREETED, "default.events.command-masked": 2})

for title, script, lines in (
        ("250 to a line of Xs", ["250 fine\r\n"], ["XYZW"]),
        ("220 to STARTTLS", ["220 go ahead\r\n"], ["STARTTLS"]),
        ("354 to NOOP", ["354 go on\r\n"], ["NOOP"]),
        ("334 to MAIL", ["334 \r\n"], ["MAIL FROM:<a@b>"])):
    with check(f"{title} is withheld, both are reset"):
        server.play("220 x\r\n", *script)
        with Client(SERVER4) as c:
            c.expect(220)
            c.send(lines[0] + "\r\n")
            same("reset", c.ending(5))
            same("reset", server.session().wait(5))
    counted.exactly(f"{title}: counted", {**GREETED, "default.events.bypass": 1, "default.closed": 1,
                                          "default.events.command-masked": lines[0] in ("XYZW", "STARTTLS")})

with check("oddities pass and are counted"):
    server.play("220 x\r\n", "250 one\r\n250 two\r\n", "what\r\n250 three\n", "502 end\r\n")
    with Client(SERVER4) as c:
        c.expect(220)
        same("250 one", c.say("NOOP"))
        same("250 two", c.reply())
        c.send("NOOP\n")
        same(["what", "250 three"], [c.line(), c.line()])
        same("502 end", c.say("NO\rOP"))
        same(["NOOP", "NOOP"], server.session().lines[:2])
counted.exactly("oddities: counted", {
    **GREETED, "default.events.unexpected-reply": 1, "default.events.reply-syntax": 1, "default.events.bare-lf": 2,
    "default.events.bare-cr": 1, "default.events.command-masked": 1, "default.events.verb-length": 1})

with check("tls deny alone hides STARTTLS, and what a rule names is hidden, wherever the reply is cut"):
    reply = "250-me\r\n250-STARTTLS\r\n250-VRFY\r\n250 SIZE\r\n"
    for policy, want in (("tls deny", ["XXXXXXXA", "VRFY", "SIZE"]),
                         ("tls deny; match ehlo-reply-parameter vrfy mask", ["XXXXXXXA", "XXXB", "SIZE"])):
        rules(f"flush ruleset\npolicy default {{ {policy} }}\ninspect {{ default policy default }}\n")
        same(want, ehlo("STARTTLS", "VRFY", "SIZE"))
        server.play("220 x\r\n", reply, slow=True)
        with Client(SERVER4) as c:
            got = [line[4:] for line in c.hello().split("\n")[1:]]
        # Of a keyword that has left in part the rest is hidden.
        for a, b, word in zip(want, got, ("STARTTLS", "VRFY", "SIZE")):
            same(len(a), len(b))
            assert b == word if a == word else b != word, f"{got} for {want}"
rules()
counted = Counted()

with check("a client that speaks first is noted and served"):
    server.play("", "220 x\r\n250 y\r\n")
    with Client(SERVER4) as c:
        c.send("NOOP\r\n")
        same(["220 *", "250 y"], [c.reply(), c.reply()])
counted.exactly("speaking first: counted", {**GREETED, "default.events.early-talk": 1})
finish()
