#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 300
"""Messages: the kernel's log and monitor say the same, with sender and generation; 507003 for what is closed."""
import mta
from lab import *


def log_lines(since):
    out = subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[since:]
    return [x.split("nf_conntrack_esmtp: ", 1)[1] for x in out if "nf_conntrack_esmtp: %" in x]


def log_end():
    return len(subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines())


def greeted(lst):
    c, s = joined(lst, SERVER[False])
    said(s, b"220 mx\r\n", c, b"220 **\r\n")
    said(c, b"HELO c\r\n", s)
    said(s, b"250 mx\r\n", c)
    return c, s


def generation():
    for o in json.loads(run("router", "esmtpctl", "-j", "list", "counters"))["esmtp"]:
        if "module" in o:
            return o["module"]["generation"]
    raise AssertionError("no module")


def both(want, seen, since):
    """Exactly these lines, as patterns, in monitor and in the kernel's log."""
    lines = monitor.lines(seen + len(want))[seen:]
    time.sleep(0.3)
    lines = monitor.lines(0)[seen:]
    assert len(lines) == len(want), lines
    for line, pattern in zip(lines, want):
        assert re.fullmatch(pattern, line), f"{line}\nis not {pattern}"
    logged = log_lines(since)
    assert logged == lines, f"{logged}\nis not {lines}"


FLOW = rf"{re.escape(CLIENT[False])}/\d+ to {re.escape(SERVER[False])}/25"


def dropped():
    """a rule that drops and logs: its message, then 507003, with the sender"""
    seen, since = len(monitor.text.splitlines()), log_end()
    with listen() as lst:
        c, s = greeted(lst)
        said(c, b"MAIL FROM:<anna@client.test>\r\n", s)
        said(s, b"250 ok\r\n", c)
        c.sendall(b"NOOP " + b"n" * 508 + b"\r\n")
        both([rf"%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from {FLOW}; "
              r"matched Class 1: cmd line length gt 512 \(policy default, seen 513, \"NOOP\", sender "
              r"<anna@client.test>\)",
              rf"%ASA-4-507003: tcp flow from {FLOW} terminated by inspection engine, reason - inspector "
              r"disconnected, dropped packet\. \(policy default, sender <anna@client.test>\)"], seen, since)
        e = json.loads(objects.lines(seen + 2)[seen])["event"]
        assert e["generation"] == generation() and e["sender"] == "anna@client.test", e
        assert e["sender-cut"] is False, e
        c.close()
        s.close()


def masked():
    """a command that is masked, and a keyword that a rule masks with log; a long sender is cut"""
    rules(inspect(POLICY.replace("others mask", "others mask log")))
    seen, since = len(monitor.text.splitlines()), log_end()
    with listen() as lst:
        c, s = joined(lst, SERVER[False])
        said(s, b"220 mx\r\n", c, b"220 **\r\n")
        said(c, b"EHLO c\r\n", s)
        said(s, b"250-mx\r\n250 X-ODD\r\n", c, b"250-mx\r\n250 XXXXA\r\n")
        said(c, b"MAIL FROM:<" + b"z" * 40 + b"@c>\r\n", s)
        said(s, b"250 ok\r\n", c)
        said(c, b"EXPN x\r\n", s, b"XXXXXX\r\n")
        said(s, b"500 ?\r\n", c)
        back = rf"{re.escape(SERVER[False])}/25 to {re.escape(CLIENT[False])}/\d+"
        both([rf"%ASA-4-108004: ESMTP Classification: Masked header flags for ESMTP Response from {back}; "
              r"matched Class 7: ehlo-reply-parameter others \(policy default, \"X-ODD\"\)",
              rf"%ASA-4-108004: ESMTP Parameter: Masked command for ESMTP Request from {FLOW}; command not allowed "
              r"\(policy default, \"EXPN\", sender <z{31}> cut\)"], seen, since)
        c.close()
        s.close()


def silent_rule():
    """a rule without log that resets: only 507003"""
    rules(inspect("policy default {\n\tmatch cmd line length > 20 reset\n}\n"))
    seen, since = len(monitor.text.splitlines()), log_end()
    with listen() as lst, grows(event__terminated=1, closed=1):
        c, s = greeted(lst)
        c.sendall(b"NOOP " + b"n" * 20 + b"\r\n")
        both([rf"%ASA-4-507003: tcp flow from {FLOW} terminated by inspection engine, reason - inspector drop "
              r"reset\. \(policy default\)"], seen, since)
        c.close()
        s.close()


def only_looks():
    """mode monitor: what would have been done, and nothing is terminated"""
    rules(inspect(MONITOR.replace("mode monitor\n", "mode monitor\n\tmatch cmd line length > 20 drop log\n")))
    seen, since = len(monitor.text.splitlines()), log_end()
    with listen() as lst, grows(event__terminated=0, closed=0):
        c, s = joined(lst, SERVER[False])
        said(s, b"220 mx\r\n", c)
        said(c, b"HELO c\r\n", s)
        said(s, b"250 mx\r\n", c)
        said(c, b"NOOP " + b"n" * 20 + b"\r\n", s)
        said(s, b"250 ok\r\n", c)
        said(c, b"MAIL FROM:<a|b>\r\n", s)
        both([rf"%ASA-6-108005: ESMTP Classification: Received ESMTP Request from {FLOW}; matched Class 1: cmd "
              r"line length gt 20 \(policy default, mode monitor, seen 21, \"NOOP\"\)",
              rf"%ASA-2-108003: ESMTP Parameter: Received ESMTP Request from {FLOW}; \| in an address "
              r"\(policy default, mode monitor, \"MAIL FROM:<a\|\", sender <.*>\)"], seen, since)
        c.close()
        s.close()


def tables():
    """rules with a list, an expression, and mail-relay, in their own words"""
    rules("domains own { server.test }\nregex odd \"^odd@\"\n" + inspect(
        "policy default {\n\tmatch not sender-address domains own log\n\tmatch sender-address regex odd log\n"
        "\tmail-relay own log\n}\n").split("\n", 1)[1])
    seen, since = len(monitor.text.splitlines()), log_end()
    with listen() as lst:
        c, s = greeted(lst)
        said(c, b"MAIL FROM:<odd@c>\r\n", s)
        said(s, b"250 ok\r\n", c)
        said(c, b"RCPT TO:<a@b>\r\n", s)
        both([rf"%ASA-6-108005: ESMTP Classification: Received ESMTP Request from {FLOW}; matched Class {n}: {what} "
              rf"\(policy default, \"{line}\", sender <odd@c>\)"
              for n, what, line in ((1, "not sender-address domains own", "MAIL FROM:<odd@c>"),
                                    (2, "sender-address regex odd", "MAIL FROM:<odd@c>"),
                                    (3, "mail-relay own", "RCPT TO:<a@b>"))], seen, since)
        c.close()
        s.close()


def older():
    """a connection keeps its policy over a reload, and what is said of it is about that one"""
    verb = "policy default {\n\tmatch cmd verb %s log\n\tmatch cmd line length > 20 %s log\n%s}\n"
    rules(inspect(verb % ("{ vrfy, help }", "drop", "")))
    with listen() as lst:
        c, s = greeted(lst)
        rules(inspect(verb % ("{ noop, vrfy }", "reset", "\tmode monitor\n")))
        seen, since = len(monitor.text.splitlines()), log_end()
        said(c, b"VRFY a\r\n", s)
        said(s, b"252 a\r\n", c)
        c.sendall(b"NOOP " + b"n" * 20 + b"\r\n")
        both([rf"%ASA-6-108005: ESMTP Classification: Received ESMTP Request from {FLOW}; matched Class 1: cmd verb "
              r"help vrfy \(policy default, \"VRFY\"\)",
              rf"%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from {FLOW}; matched Class 2: "
              r"cmd line length gt 20 \(policy default, seen 21, \"NOOP\"\)",
              rf"%ASA-4-507003: tcp flow from {FLOW} terminated by inspection engine, reason - inspector "
              r"disconnected, dropped packet\. \(policy default\)"], seen, since)
        e = json.loads(objects.lines(seen + 2)[seen + 1])["event"]
        assert e["mode"] == "enforce" and e["number"] == 108004, e
        c.close()
        s.close()


def oversize():
    """more bytes than MAIL has declared: ASA's own message where it is only logged"""
    text = b"Subject: x\r\n\r\n" + b"x" * 86 + b"\r\n"
    for action, want in (("log", rf"%ASA-7-108006: Detected ESMTP size violation from {FLOW}; declared size is: 99, "
                                 r"actual size is 102 \(policy default, sender <a@c>\)"),
                         ("drop log", rf"%ASA-4-108004: ESMTP Classification: Dropped connection for ESMTP Request from {FLOW}; "
                                      r"matched Class 1: message size gt declared \(policy default, seen 102, sender "
                                      r"<a@c>\)")):
        rules(inspect(f"policy default {{\n\tmatch message size > declared {action}\n}}\n"))
        seen, since = len(monitor.text.splitlines()), log_end()
        for declared, lines in (102, []), (99, [want]):
            with listen() as lst:
                c, s = greeted(lst)
                said(c, b"MAIL FROM:<a@c> SIZE=%d\r\n" % declared, s)
                said(s, b"250 ok\r\n", c)
                said(c, b"RCPT TO:<a@b>\r\n", s)
                said(s, b"250 ok\r\n", c)
                said(c, b"DATA\r\n", s)
                said(s, b"354 ok\r\n", c)
                c.sendall(text + b".\r\n")
                closing = [r"%ASA-4-507003: .*"] if lines and action != "log" else []
                both(lines + closing, seen, since)
                c.close()
                s.close()


def content():
    """rules about what is in a message say the field, the type, and the file's name"""
    rules("regex exe \"\\.exe$\"\nregex zip \"zip\"\nregex buy \"buy\"\n" + inspect(
        "policy default {\n\tmatch mime filename regex exe log\n\tmatch mime filetype regex zip log\n"
        "\tmatch header Subject regex buy log\n}\n").split("\n", 1)[1])
    seen, since = len(monitor.text.splitlines()), log_end()
    with listen() as lst:
        c, s = greeted(lst)
        said(c, b"DATA\r\n", s)
        said(s, b"354 ok\r\n", c)
        c.sendall(b"Subject: buy\r\nContent-Type: application/zip\r\n"
                  b"Content-Disposition: attachment; filename=\"a.b.exe\"\r\n\r\n.\r\n")
        both([rf"%ASA-6-108005: ESMTP Classification: Received ESMTP Request from {FLOW}; matched Class {n}: {what} "
              rf"\(policy default, \"{text}\"\)"
              for n, what, text in ((3, "header Subject regex buy", "Subject"),
                                    (2, "MIME filetype regex zip", "application/zip"),
                                    (1, "MIME filename regex exe", "a.b.exe"))], seen, since)
        c.close()
        s.close()


up()
with open("/proc/sys/net/netfilter/nf_log_all_netns", "w", encoding="ascii") as f:
    f.write("1")
rules(inspect())
monitor, objects = mta.Monitor(closings=True), mta.Monitor("-j", closings=True)
tests(dropped, masked, silent_rule, only_looks, tables, older, oversize, content)
