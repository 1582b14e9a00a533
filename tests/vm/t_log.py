#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 300
"""log level and log group of a policy: at which level the kernel logs, and what ulogd would be given."""
from lab import *
from nflog import INDEV, OUTDEV, PACKET_HDR, PAYLOAD, PREFIX, Group


def conf(*lines):
    return inspect("policy default {\n\tbanner keep\n" + "".join(f"\t{line}\n" for line in lines) +
                   "\tmatch cmd line length > 20 log\n\tmatch ehlo-reply-parameter others mask log\n}\n")


def log_since(n=None):
    """What the kernel has logged since then, with levels; without n: where the log ends."""
    out = subprocess.run(["dmesg", "-r"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return len(out) if n is None else [x for x in out[n:] if "nf_conntrack_esmtp: %" in x]


def greeted(lst, v6=False):
    c, s = joined(lst, SERVER[v6])
    said(s, b"220 mx\r\n", c)
    said(c, b"EHLO c\r\n", s)
    said(s, b"250 mx\r\n", c)
    return c, s


def too_long(c, s):
    said(c, b"NOOP " + b"n" * 20 + b"\r\n", s)
    said(s, b"250 ok\r\n", c)


def levels():
    """each level is that of the policy's lines; none: there is none"""
    with listen() as lst:
        for n, level in enumerate(("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")):
            time.sleep(0.6)                             # 20 lines in 5 seconds
            rules(conf(f"log level {level}"))
            since = log_since()
            c, s = greeted(lst)
            too_long(c, s)
            time.sleep(0.2)
            got = log_since(since)
            assert len(got) == 1 and got[0].startswith(f"<{n}>"), (level, got)
            assert "%ASA-6-108005: " in got[0], got
            c.close()
            s.close()
        rules(conf("log level none"))
        since = log_since()
        with grows(event__rule=1):
            c, s = greeted(lst)
            too_long(c, s)
        time.sleep(0.3)
        assert log_since(since) == [], log_since(since)
        c.close()
        s.close()
    forget_ours()


def forget_ours():
    """A line of ours at a bad level is no fault here; any other line is."""
    bad = subprocess.run(["dmesg", "-l", "emerg,alert,crit,err,warn"], check=True, stdout=subprocess.PIPE,
                         text=True).stdout.splitlines()
    assert not [x for x in bad if "nf_conntrack_esmtp: %" not in x and "taint" not in x], bad
    subprocess.run(["dmesg", "--clear"], check=True)


def by_event():
    """without a level: notice for what was done, info for what was seen"""
    rules(conf())
    since = log_since()
    with listen() as lst:
        c, s = joined(lst, SERVER[False])
        said(s, b"220 mx\r\n", c)
        said(c, b"EHLO c\r\n", s)
        said(s, b"250-mx\r\n250 X-A\r\n", c, b"250-mx\r\n250 XXA\r\n")
        too_long(c, s)
        time.sleep(0.3)
        got = [(line[:3], re.search(r"%\S+-(\d+):", line)[1]) for line in log_since(since)]
        assert got == [("<5>", "108004"), ("<6>", "108005")], got
        c.close()
        s.close()


def group():
    """the group gets the packet of an event, behind our edits, with number, policy and rule; others get none"""
    rules(conf("log level none", "log group 7"))
    mine, other = Group(7), Group(8)
    with listen() as lst, listen(v6=True) as lst6:
        for v6, l in ((False, lst), (True, lst6)):
            c, s = joined(l, SERVER[v6])
            said(s, b"220 mx\r\n", c)
            said(c, b"EHLO c\r\n", s)
            said(s, b"250-mx\r\n250 X-A\r\n", c, b"250-mx\r\n250 XXA\r\n")
            p = mine.packet()
            same(p[PREFIX], b"ASA-108004 policy default rule 2 \0")
            assert p[PAYLOAD].endswith(b"250-mx\r\n250 XXA\r\n"), p[PAYLOAD]
            too_long(c, s)
            p = mine.packet()
            same(p[PREFIX], b"ASA-108005 policy default rule 1 \0")
            assert p[PAYLOAD].endswith(b"n\r\n"), p[PAYLOAD]
            assert p[PAYLOAD][0] >> 4 == (6 if v6 else 4), p[PAYLOAD]
            proto, hook = struct.unpack_from(">HB", p[PACKET_HDR])
            assert (proto, hook) == (0x86dd if v6 else 0x0800, 4), p[PACKET_HDR]
            with ns("router"):
                index = {socket.if_nametoindex(n): n for n in ("rc", "rs")}
            ways = [index.get(struct.unpack(">I", p[k])[0]) for k in (INDEV, OUTDEV)]
            assert ways == ["rc", "rs"], ways
            c.close()
            s.close()
    assert mine.packet(0.5) is None
    assert other.packet(0.2) is None
    rules(conf("log group 8"))
    with listen() as lst:
        c, s = greeted(lst)
        too_long(c, s)
        assert other.packet()[PREFIX].startswith(b"ASA-108005")
        assert mine.packet(0.5) is None
        c.close()
        s.close()
    mine.close()
    other.close()


def without_event():
    """an event without a rule, of a packet that does not pass, to this machine itself"""
    rules(conf("log group 9"))
    mine = Group(9)
    with listen("router") as lst:
        c = connect("10.0.1.1")
        s, _ = lst.accept()
        s.settimeout(20)
        said(s, b"220 mx\r\n", c)
        said(c, b"HELO c\r\n", s)
        said(s, b"250 mx\r\n", c)
        c.sendall(b"MAIL FROM:<a|b>\r\n")
        first, second = mine.packet(), mine.packet()
        same(first[PREFIX], b"ASA-108003 policy default \0")
        same(second[PREFIX], b"ASA-507003 policy default \0")
        _, hook = struct.unpack_from(">HB", first[PACKET_HDR])
        assert hook == 1 and OUTDEV not in first, first
        c.close()
        s.close()
    mine.close()


def listing():
    """both are listed as they are read, in JSON too, and the logger's module is let go"""
    rules(conf("log level crit", "log group 12"))
    text = run("router", "esmtpctl", "list", "ruleset")
    assert "\tlog level crit\n\tlog group 12\n" in text, text
    p = [o["policy"] for o in json.loads(run("router", "esmtpctl", "-j", "list", "ruleset"))["esmtp"]
         if "policy" in o][0]
    assert (p["log-level"], p["log-group"]) == ("crit", 12), p
    rules(text)
    assert run("router", "esmtpctl", "list", "ruleset") == text
    run("router", "esmtpctl", "flush", "ruleset")
    run("router", "conntrack", "-D", "-p", "tcp", check=False)
    # What is compiled into the kernel does not go.
    if not os.path.exists("/sys/module/nfnetlink_log/initstate"):
        return
    end = time.monotonic() + 20
    while subprocess.run(["rmmod", "nfnetlink_log"], check=False, stderr=subprocess.DEVNULL).returncode:
        assert time.monotonic() < end, "nfnetlink_log is still in use"
        time.sleep(0.2)


up()
# The kernel loads it by itself where its loader works.
subprocess.run(["modprobe", "nfnetlink_log"], check=True)
with open("/proc/sys/net/netfilter/nf_log_all_netns", "w", encoding="ascii") as f:
    f.write("1")
tests(levels, by_event, group, without_event, listing)
