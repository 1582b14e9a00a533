#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 1200
"""No memory while packets pass: nothing passes uninspected, nothing leaks, and what was short for a moment goes on."""
import contextlib
import subprocess
import time

import failslab
import lab
from lab import SERVER, counters, inspect, listen, rules
from load import CLIENT, SERVER as SERVES, Connection, Dialogue
from nflog import Group

SOURCE = {False: "10.0.1.2", True: "fd00:1::2"}
LINE = b"0123456789abcde\r\n"
RULES = lab.RESETTING.replace("tls deny", "tls deny\n\tverbs { auth, data, ehlo, helo, help, mail, noop, quit, rcpt, rset, bdat }")
REPLYING = RULES.replace("cmd line length > 512 reset", "cmd line length > 512 reply 554")
# Who asks for memory while packets pass; a function that is gone or never asks fails its test.
SITES = {"esmtp_session_find": "a session",
         "esmtp_stream_packet": "lines to be read", "chunk_new": "content and edits to be retained",
         "make_writable": "a packet of our own to write into", "esmtp_event_note": "an event to be told",
         "esmtp_netlink_event": "a message to who listens"}
# Of these nothing but a message is lost.
ONLY_TOLD = "esmtp_event_note", "esmtp_netlink_event"
# Who has the kernel ask, by which of its functions.
BY_KERNEL = {"group_note": "nf_log_packet", "find_route": "nf_route"}
TO_CLOSE = {"alloc": "a RST of our own", "esmtp_answer_begin": "an answer in the server's stead"}


def mail():
    """A mail with something to mask, to edit, to log and to retain."""
    d = Dialogue("mail")
    d.begin(lambda: 0)
    d.say(CLIENT, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
    d.say(SERVES, b"500 what\r\n")
    d.say(CLIENT, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\nDATA\r\n")
    d.say(SERVES, b"250 ok\r\n250 ok\r\n354 go\r\n")
    d.say(CLIENT, b"Subject: x\r\n\r\n" + b"x" * 1200 + b"\r\n" + LINE * 2000 + b".\r\n")
    d.say(SERVES, b"250 ok\r\n")
    return d


def violation():
    """A line that is too long, which closes."""
    d = Dialogue("violation")
    d.begin(lambda: 0)
    d.steps[CLIENT].append((len(d.sent[SERVES]), 0, b"NOOP " + b"x" * 600 + b"\r\n"))
    d.resets = True
    return d


def passed(dialogue, v6, patience):
    """Plays it; what came of it. Whatever the kernel did, each end has got the beginning of what it was to get."""
    with listen(v6=v6) as lst:
        lst.setblocking(False)
        with lab.ns("client"):
            conn = Connection(dialogue, SERVER[v6], SOURCE[v6])
        try:
            while not conn.work(time.monotonic(), patience):
                with contextlib.suppress(BlockingIOError):
                    conn.accepted(lst.accept()[0])
                time.sleep(0.002)
            verdict = conn.verdict()
        finally:
            conn.close()
    for who in CLIENT, SERVES:
        end = conn.ends[not who]
        got = bytes(end.got) if end else b""
        lab.same(got, dialogue.masked[who][:len(got)], "of what is inspected there came")
    return verdict


def forget():
    lab.run("router", "conntrack", "-F")
    time.sleep(0.2)


def for_a_moment(site, times, dialogue):
    """Fails at a site, a few times, with both families. The mail arrives all the same."""
    for v6 in False, True:
        forget()
        with failslab.short(site, times) as failed:
            before = counters()["no-memory"]
            verdict = passed(dialogue(), v6, 20)
            assert failed(), f"{site}: no allocation has failed: {verdict}"
            if dialogue is mail:
                assert verdict["ended"] == "well", f"{site}: {failed()} allocations have failed: {verdict}"
                assert site in ONLY_TOLD or counters()["no-memory"] > before, f"{site}: not counted"


def for_good(site, dialogue):
    """Fails again and again: the connection does not get far, and then another one does."""
    for v6 in False, True:
        forget()
        with failslab.short(site, -1):
            passed(dialogue(), v6, 2)
        forget()
        assert passed(mail(), v6, 20)["ended"] == "well", "no mail passes afterwards"


def site_test(site, what, dialogue):
    def test():
        rules(inspect(REPLYING if site == "esmtp_answer_begin" else RULES))
        for times in 1, 3:
            for_a_moment(site, times, dialogue)
        for_good(site, dialogue)
    test.__doc__ = f"no memory for {what}"
    test.__name__ = f"test_{site}"
    return test


def test_half_open():
    """no memory to count a half-open connection: the server's answer is dropped, and passes when it comes again"""
    rules(inspect(RULES).replace("\tdefault policy default", "\tdefault policy default embryonic 9 refuse"))
    for v6 in False, True:
        forget()
        before = counters()["no-memory"]
        with failslab.short("esmtp_embryonic_packet", 1) as failed:
            verdict = passed(mail(), v6, 20)
            assert failed() == 1, f"no allocation has failed: {verdict}"
        assert verdict["ended"] == "well", verdict
        assert counters()["no-memory"] == before + 1, "not counted"


def test_entry():
    """no memory for what conntrack notes of a connection: its SYN is dropped, counted, and passes when it comes again"""
    notes = failslab.of_kernel("nf_ct_ext_add")
    for pickup in "drop", "pass":
        rules(inspect(RULES).replace("inspect {", f"inspect {{\n\tpickup {pickup}"))
        for times in 1, 2, 3, 4, 6:
            for v6 in False, True:
                forget()
                with failslab.within(*notes, times) as failed:
                    verdict = passed(mail(), v6, 20)
                    assert failed(), "no allocation has failed"
                assert verdict["ended"] == "well", f"{failed()} allocations have failed: {verdict}"
        for v6 in False, True:
            forget()
            before = counters()
            with failslab.within(*notes, -1):
                passed(mail(), v6, 2)
            after = counters()
            assert after["connections"] == before["connections"], "a connection without notes"
            assert after["table.no-memory"] > before["table.no-memory"], "not counted"
            assert passed(mail(), v6, 20)["ended"] == "well", "no mail passes afterwards"


def kernel_log():
    return subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE, text=True).stdout


def log_everywhere(value):
    """Other namespaces than the first one tell the kernel's log nothing, unless this is set."""
    subprocess.run(["sysctl", "-qw", f"net.netfilter.nf_log_all_netns={value}"], check=True)


def test_log():
    """no memory for a line in the kernel's log: that lines are missing is said"""
    rules(inspect(RULES))
    log_everywhere(1)
    try:
        for v6 in False, True:
            forget()
            subprocess.run(["dmesg", "--clear"], check=True)
            with failslab.short("esmtp_event_send", -1):
                verdict = passed(mail(), v6, 20)
            assert verdict["ended"] == "well", verdict
            assert "%ASA-" not in kernel_log(), kernel_log()
            passed(violation(), v6, 20)
            assert "lines suppressed" in kernel_log(), kernel_log()
    finally:
        log_everywhere(0)


def test_log_packet():
    """no memory for a packet that is to be logged: the mail arrives, and the next ones are logged"""
    rules(inspect(RULES.replace("tls deny", "tls deny\n\tlog group 7", 1)))
    group = Group(7)
    for v6 in False, True:
        forget()
        with failslab.within(*failslab.of_kernel(BY_KERNEL["group_note"]), 1000) as failed:
            verdict = passed(mail(), v6, 20)
            assert failed(), "no allocation has failed"
        assert verdict["ended"] == "well", verdict
        assert not group.packet(0.2), "a packet without memory"
        passed(mail(), v6, 20)
        assert group.packet(), "nothing is logged afterwards"
        while group.packet(0.2):
            pass
    group.close()


def bad_greeting():
    """A server whose first bytes close: nothing has passed to it that a route could be taken from."""
    d = Dialogue("bad greeting")
    d.steps[SERVES].append((0, 0, b"354 go\r\n"))
    d.resets = True
    return d


def test_route():
    """no memory for the route of a RST: it is counted, nothing passes, and afterwards one is sent"""
    rules(inspect(RULES))
    route = failslab.of_kernel(BY_KERNEL["find_route"])
    # Of IPv6 the route that the SYN has taken is found again, which wants none.
    for times in 1, 1000:
        forget()
        # A route that was found before is used again.
        lab.run("router", "ip", "route", "flush", "cache")
        before = counters()["rst-failed"]
        with failslab.within(*route, times) as failed:
            passed(bad_greeting(), False, 2)
            assert failed(), "no allocation has failed"
        assert counters()["rst-failed"] > before, "not counted"
    forget()
    before = counters()["rst-sent"]
    passed(bad_greeting(), False, 2)
    assert counters()["rst-sent"] >= before + 2, "no RSTs afterwards"


def test_nothing():
    """no memory for anything"""
    rules(inspect(RULES))
    for dialogue in mail, violation:
        for times in 1, 3, 10:
            for v6 in False, True:
                forget()
                with failslab.short(None, times) as failed:
                    passed(dialogue(), v6, 20)
                    assert failed(), "no allocation has failed"
        for_good(None, dialogue)


def main():
    lab.up()
    rules(inspect(RULES))
    # Somebody listens to events.
    with lab.ns("router"), subprocess.Popen(["esmtpctl", "monitor"], stdout=subprocess.DEVNULL) as monitor:
        try:
            lab.tests(*(site_test(site, what, mail) for site, what in SITES.items()),
                      *(site_test(site, what, violation) for site, what in TO_CLOSE.items()),
                      test_half_open, test_entry, test_log, test_log_packet, test_route,
                      test_nothing)
        finally:
            monitor.kill()


if __name__ == "__main__":
    main()
