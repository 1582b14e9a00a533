#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
"""A client, the shipped policy, Postfix: what each of the two sees, byte for byte, and what is counted."""
import random
import re
import smtplib

from mta import *

MASKED = {"default.connections": 1, "default.events.banner-masked": 1}


def keywords(reply):
    return [line[4:] for line in reply.split("\n")[1:]]


def masked(words):
    """The keywords of an EHLO reply as they must arrive."""
    known = {"8BITMIME", "AUTH", "BINARYMIME", "CHECKPOINT", "DSN", "ENHANCEDSTATUSCODES", "ETRN", "PIPELINING",
             "SIZE", "VRFY"}
    out, letter = [], ord("A")
    for w in words:
        if w.split()[0].split("=")[0].upper() in known:
            out.append(w)
        else:
            out.append("X" * (len(w) - 1) + chr(letter))
            letter += 1
    return out


def strange_mail():
    """Everything in it that a careless reader of SMTP takes for something else."""
    rnd = random.Random(25)
    b64 = "".join(rnd.choices("ABCDEFabcdef0123456789+/", k=344))
    return ("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/simple; d=client.test; s=2026;\r\n"
            "\th=from:to:subject:date:message-id:content-type:content-disposition:filename\r\n"
            f"\t:mime-version; bh={b64[:43]}=; b={b64[:70]}\r\n\t {b64[70:140]}\r\n\t {b64[140:]}==\r\n"
            "From: a@client.test\r\nTo: user1@server.test\r\nSubject: =?utf-8?q?STARTTLS_=E2=9C=93?=\r\n"
            f"X-Long: {'l' * 900}\r\n"
            "References: " + "\r\n ".join(f"<{n}.{b64[:40]}@client.test>" for n in range(40)) + "\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"--=b1\"\r\n\r\n"
            "----=b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            "STARTTLS\r\nEHLO nobody\r\n220 server\r\n250-STARTTLS\r\nMAIL FROM:<a|b>\r\nRCPT TO:<<x>>\r\n"
            ".\r\n..\r\n. .\r\n.QUIT\r\nXXXXXXXA ****\r\n").encode() + \
        "Grüße, 2 × ½ — ✓ \x01\x02\x7f\r\n".encode() + b"\r\n\r\n" + \
        b"b" * 998 + b"\r\n" + \
        (f"----=b1\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n"
         f"Content-Disposition: attachment; filename=\"report.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
         + "\r\n".join(b64[:76] for _ in range(300)) + "\r\n----=b1--\r\n").encode()


users("typed", "user4", "user6", "other", "pipe", "early", "lib", "swaks", "never")
shell("lab_up; postfix_up server")
with Client(SERVER4) as c:
    plain_greeting = c.expect(220)
    plain_ehlo = c.expect(250, "EHLO client.test")
    plain_help = c.say("HELP")      # newer ones have it
    c.expect(220, "STARTTLS")
equal("without rules nothing is masked", ("220 server.test ESMTP", True),
      (plain_greeting, "STARTTLS" in keywords(plain_ehlo)))

with check("the first load says who is inspected"):
    said = rules()
    assert "25" in said, said or "nothing"
monitor = Monitor()
counted = Counted()
equal("counters begin at zero", {}, {k: v for k, v in counted.before.items() if v and not k.startswith("table.")})
words = keywords(plain_ehlo)
n_masked = sum(a != b for a, b in zip(words, masked(words)))

n_bytes = 0
for server, family in ((SERVER4, "IPv4"), (SERVER6, "IPv6")):
    with check(f"{family}: greeting and EHLO reply"), Client(server) as c:
        same("220 " + "*" * len(plain_greeting[4:]), c.expect(220))
        got = c.expect(250, "EHLO client.test")
        same(plain_ehlo.split("\n")[0], got.split("\n")[0])
        same(masked(words), keywords(got))
        assert "XXXXXXXA" in keywords(got)
        same(["esmtp"], list(set(helpers())))
        c.quit()
        n_bytes = c.sent + c.received
    counted.exactly(f"{family}: counted", {**MASKED, "default.rule.7": n_masked, "default.bytes": n_bytes})

with check("verbs that pass"), Client(SERVER4) as c:
    c.expect(220)
    c.expect(250, "HELO client.test")
    for line, code in (("NOOP", 250), ("noop", 250), ("NoOp x", 250), ("RSET", 250), ("VRFY user1@server.test", 252),
                       ("ETRN server.test", ""), ("HELP", plain_help), ("AUTH PLAIN", 503), ("SEND FROM:<>", 50),
                       ("SOML FROM:<>", 50), ("SAML FROM:<>", 50), ("RCPT TO:<a@server.test>", 503),
                       ("DATA", 503), ("MAIL FROM:<>", 250), ("RSET", 250)):
        c.expect(code, line)
    c.quit()
counted.exactly("verbs that pass: counted", MASKED)

with check("verbs that do not pass"), Client(SERVER4) as c:
    c.hello()
    for line in ("STARTTLS", "starttls", "StartTLS", "XEXCH50 2 2", "BDAT 0 LAST", "EXPN root", "TURN", "XCLIENT NAME=x",
                 "EHL", "NOOPS", "EHLOO x"):
        got = c.say(line)
        assert got[:3] in ("500", "502"), f"{got!r} to {line!r}"
    c.expect(250, "NOOP")
    c.quit()
counted.exactly("verbs that do not pass: counted",
                {**MASKED, "default.rule.7": n_masked, "default.events.command-masked": 11,
                 "default.events.verb-length": 5})

with check("letter by letter: STARTTLS fails, EHLO works, a mail arrives"), Client(SERVER4) as c:
    c.expect(220)
    got = c.type("EHLO client.test")
    same(masked(words), keywords(got))
    got = c.type("STARTTLS")
    assert got[:3] in ("500", "502"), got
    got = c.type("startTLS now")
    assert got[:3] in ("500", "502"), got
    same("250", c.type("mail from:<a@client.test>")[:3])
    same("250", c.type("rcpt to:<typed@server.test>")[:3])
    same("354", c.type("data")[:3])
    same("250", c.type("Subject: typed\r\n\r\n.. slowly\r\n.")[:3])
    same("221", c.type("quit")[:3])
with check("letter by letter: the mail is as it was typed"):
    got = arrived("typed", 1)
    assert got.endswith(b"Subject: typed\r\n\r\n. slowly\r\n"), got
counted.exactly("letter by letter: counted",
                {**MASKED, "default.rule.7": n_masked, "default.events.command-masked": 2})

strange = strange_mail()
for server, user in ((SERVER4, "user4"), (SERVER6, "user6")):
    with check(f"two strange mails on one connection to {server}"), Client(server) as c:
        c.hello()
        c.mail(strange, to=[user + "@server.test"])
        c.mail(strange, to=[user + "@server.test", "other@server.test"])
        c.quit()
with check("they arrive byte for byte"):
    for user in ("user4", "user6"):
        arrived(user, 2)
        for part in re.split(rb"(?m)^From a@client.test.*\n", mailbox(user))[1:]:
            same(sha256(strange), sha256(part[part.index(b"DKIM-Signature:"):-1].replace(b"\n", b"\r\n")))
    arrived("other", 2)
counted.exactly("strange mails: counted", {"default.connections": 2, "default.events.banner-masked": 2,
                                           "default.rule.7": 2 * n_masked})

with check("pipelined MAIL, RCPT, DATA; content in the same packet"), Client(SERVER4) as c:
    c.hello()
    c.send("MAIL FROM:<a@client.test>\r\nRCPT TO:<pipe@server.test>\r\nRCPT TO:<pipe@server.test>\r\nDATA\r\n")
    for code in ("250", "250", "250", "354"):
        same(code, c.reply()[:3])
    c.send(b"Subject: pipelined\r\n\r\none\r\n.\r\nRSET\r\nQUIT\r\n")
    for code in ("250", "250", "221"):
        same(code, c.reply()[:3])
counted.exactly("pipelined: counted", {**MASKED, "default.rule.7": n_masked})

with check("content sent before 354 waits, and arrives"), Client(SERVER4) as c:
    c.hello()
    c.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<early@server.test>\r\nDATA\r\nSubject: early\r\n\r\nSTARTTLS\r\n.\r\n")
    for code in ("250", "250", "354", "250"):
        same(code, c.reply()[:3])
    c.quit()
    assert arrived("early", 1).endswith(b"Subject: early\r\n\r\nSTARTTLS\r\n")
diff = counted.exactly("content before 354: counted",
                       {**MASKED, "default.rule.7": n_masked, "default.events.early-content": 1})
equal("content before 354 was held", True, diff.get("module.held", 0) > 0)

with check("a refused DATA leaves commands commands"), Client(SERVER4) as c:
    c.hello()
    c.expect(250, "MAIL FROM:<a@client.test>")
    c.expect(5, "DATA")
    got = c.say("STARTTLS")
    assert got[:3] in ("500", "502"), got
    c.expect(250, "RSET")
    c.quit()
counted.exactly("a refused DATA: counted",
                {**MASKED, "default.rule.7": n_masked, "default.events.command-masked": 1})

with check("smtplib"):
    with inside("client"):
        with smtplib.SMTP(SERVER4, timeout=30, local_hostname="client.test") as s:
            s.ehlo()
            assert not s.has_extn("starttls") and s.has_extn("size") and s.has_extn("pipelining"), s.esmtp_features
            s.sendmail("a@client.test", ["lib@server.test"], b"Subject: lib\r\n\r\n.dot\r\n")
    assert arrived("lib", 1).endswith(b"Subject: lib\r\n\r\n.dot\r\n")
counted.exactly("smtplib: counted", {**MASKED, "default.rule.7": n_masked})

with check("swaks sees no STARTTLS and sends in clear"):
    out = run("client", "swaks", "--server", SERVER4, "--from", "a@client.test", "--to", "swaks@server.test",
              "--tls-optional", "--helo", "client.test", "--body", "from swaks", "--timeout", "60")
    assert "STARTTLS" not in out and "XXXXXXXA" in out, out
    assert b"from swaks" in arrived("swaks", 1)
counted.exactly("swaks: counted", {**MASKED, "default.rule.7": n_masked})

with check("an address with a bar closes both sides"), Client(SERVER4) as c:
    c.hello()
    c.send("MAIL FROM:<a|b@client.test>\r\n")
    same("reset", c.ending(5))
    wait_for(10, lambda: "lost connection after EHLO" in maillog())
counted.exactly("the bar: counted", {**MASKED, "default.rule.7": n_masked, "default.events.pipe": 1,
                                     "default.closed": 1})

with check("brackets out of place become blanks"), Client(SERVER4) as c:
    c.hello()
    c.say("MAIL FROM:<a<b@client.test>")
    c.say("RSET")
    c.quit()
counted.exactly("brackets: counted", {**MASKED, "default.rule.7": n_masked, "default.events.bracket-blanked": 1})

with check("a line of 999 in the header closes: silence for the client, RST for the server"), Client(SERVER4) as c:
    c.hello()
    c.expect(250, "MAIL FROM:<a@client.test>")
    c.expect(250, "RCPT TO:<never@server.test>")
    c.expect(354, "DATA")
    c.send(b"Subject: x\r\nX-Long: " + b"l" * 991 + b"\r\n\r\nbody\r\n.\r\n")
    same("silence", c.ending(2))
    wait_for(10, lambda: "lost connection after DATA" in maillog())
    same(0, mails("never"))
counted.exactly("the long line: counted", {**MASKED, "default.rule.7": n_masked, "default.rule.4": 1,
                                           "default.closed": 1})

with check("monitor has a line for each, with ASA's numbers"):
    text = monitor.lines(1, seconds=2)
    joined = "\n".join(text)
    for number, n in (("%ASA-4-108004: ESMTP Parameter: Masked command for ESMTP Request", 14),
                      ("%ASA-2-108003: Terminating ESMTP connection; malicious pattern detected in the mail address", 1),
                      ("%ASA-2-108002: SMTP replaced string: ", 1),
                      ("matched Class 4: header line length gt 998", 1)):
        same(n, sum(number in line for line in text), f"lines with {number!r} in\n{joined}\n")
    assert re.search(r"(?m)^(\S+Z )?%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from "
                     r"10\.0\.1\.2/\d+ to 10\.0\.2\.2/25; matched Class 4: header line length gt 998 "
                     r"\(policy default, seen 999, \"X-Long\", sender <a@client\.test>\)$", joined), joined
monitor.stop()

with check("list counters looks like ASA's"):
    out = run("router", "esmtpctl", "list", "counters")
    for pattern in (r"^Inspect: esmtp default, packet \d+, drop \d+, reset-drop \d+$", r"^  mask-banner, count \d+$",
                    r"^  match header line length gt 998\n    drop-connection log, packet 1$",
                    r"^  match cmd RCPT count gt 100\n    drop-connection log, packet 0$",
                    r"^  match ehlo-reply-parameter others\n    mask, packet \d+$"):
        assert re.search("(?m)" + pattern, out), f"no {pattern!r} in\n{out}"



def reset_leaves_nothing():
    """A connection that was closed before may still speak, so not at once."""
    run("router", "esmtpctl", "reset", "counters")
    return not any(counters().values())


with check("reset counters"):
    assert any(counters().values())
    wait_for(60, reset_leaves_nothing)
finish()
