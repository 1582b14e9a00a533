#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 300
"""What becomes of counters: over reloads and resets, for one reader and another; and how many configurations live on."""
import subprocess

import prometheus
from lab import *

NOOP, LONG = b"NOOP " + b"n" * 5 + b"\r\n", b"NOOP " + b"n" * 25 + b"\r\n"
RULES = ("match cmd line length > 8 log", "match cmd line length > 20 log")


def conf(*lines, name="default", more=""):
    body = "\n\t".join(("banner keep", *lines))
    return f"flush ruleset\npolicy {name} {{\n\t{body}\n}}\n{more}\ninspect {{ default policy {name} }}\n"


def absolute():
    return prometheus.samples(run("router", "esmtpctl", "metrics"))


def rule_counts(policy="default", option="-j"):
    for o in json.loads(run("router", "esmtpctl", option, "list", "counters"))["esmtp"]:
        if "counters" in o and o["counters"]["policy"] == policy:
            return [r["count"] for r in o["counters"]["rules"]]
    raise AssertionError(f"no policy {policy}")


def open_one(lst):
    c, s = joined(lst, SERVER[False])
    said(s, b"220 mx\r\n", c)
    said(c, b"HELO c\r\n", s)
    said(s, b"250 mx\r\n", c)
    return c, s


def noop(c, s, line):
    said(c, line, s)
    said(s, b"250 ok\r\n", c)


def gone():
    run("router", "conntrack", "-D", "-p", "tcp", check=False)
    end = time.monotonic() + 20
    while counters()["live"]:
        assert time.monotonic() < end, "connections do not go"
        time.sleep(0.2)


def reload_keeps():
    """an unchanged rule and a policy's own counters go on over a reload, also by older connections"""
    rules(conf(*RULES))
    run("router", "esmtpctl", "reset", "counters")
    with listen() as lst:
        c, s = open_one(lst)
        noop(c, s, NOOP)
        noop(c, s, LONG)
        same(rule_counts(), [2, 1])
        before = counters()
        same((before["connections"], before["event.rule"]), (1, 3))
        assert before["packets"] >= 7, before
        # Another rule in front, the two in the other order, one with another action.
        rules(conf("match body line length > 99 log", RULES[1], RULES[0], "match cmd line length > 21 log"))
        same(rule_counts(), [0, 1, 2, 0])
        after = counters()
        same((after["connections"], after["event.rule"]), (1, 3))
        assert after["packets"] >= before["packets"], (before, after)
        noop(c, s, LONG)                        # by the older policy
        same(rule_counts(), [0, 2, 3, 0])
        d, t = open_one(lst)                    # by the new one
        noop(d, t, LONG)
        same(rule_counts(), [0, 3, 4, 1])
        # What is not there any more has lost its count; what says something else has none.
        rules(conf(RULES[0].replace(" log", " reset log")))
        same(rule_counts(), [0])
        rules(conf(*RULES))
        same(rule_counts(), [0, 0])
        same(counters()["connections"], 2)
        for sock in (c, s, d, t):
            sock.close()


def spelling():
    """the name of a header's field is the same in capitals"""
    def spelled(field):
        return conf(f"match header {field} regex buy log", more='regex buy "buy"')
    rules(spelled("Subject"))
    with listen() as lst:
        c, s = open_one(lst)
        c.sendall(b"DATA\r\n")
        read(s, 6)
        s.sendall(b"354 go\r\n")
        read(c, 8)
        c.sendall(b"Subject: buy\r\n\r\n.\r\n")
        read(s, 19)
        same(rule_counts(), [1])
        rules(spelled("SUBJECT"))
        same(rule_counts(), [1])
        c.close()
        s.close()


def names():
    """another name is another policy; a policy that moves to another slot is the same"""
    both = "policy other {\n\tbanner keep\n\tslot 5\n\tmatch cmd line length > 8 log\n}\n"
    rules(conf(*RULES))
    gone()
    with listen() as lst:
        c, s = open_one(lst)
        noop(c, s, NOOP)
        n = rule_counts()
        rules(conf(*RULES, more=both))
        same(rule_counts(), n)
        same(rule_counts("other"), [0])
        rules(conf("slot 3", *RULES, more=both.replace("slot 5", "slot 0")))
        same(rule_counts(), n)
        c.close()
        s.close()


def readers():
    """a reset is seen by 'list counters' alone; a reload after it, too"""
    rules(conf(*RULES))
    gone()
    with listen() as lst:
        c, s = open_one(lst)
        noop(c, s, LONG)
        before, listed = absolute(), rule_counts(option="-jA")
        assert all(n > 0 for n in listed), listed
        run("router", "esmtpctl", "reset", "counters")
        same(rule_counts(), [0, 0])
        same(rule_counts(option="-jA"), listed)
        went_back = {k: v for k, v in absolute().items() if k[0].endswith("_total") and v < before.get(k, 0)}
        assert not went_back, went_back
        now = counters()
        assert not (left := {k: v for k, v in now.items() if isinstance(v, int) and v and k not in ("live", "slot")}), left
        noop(c, s, LONG)
        same(rule_counts(), [1, 1])
        rules(conf(*RULES))
        same(rule_counts(), [1, 1])
        same(rule_counts(option="-jA"), [n + 1 for n in listed])
        # The text has the same figures in both ways.
        text = run("router", "esmtpctl", "-A", "list", "counters")
        assert f"packet {listed[0] + 1}\n" in text, text
        for sock in (c, s):
            sock.close()


def guard_count(option):
    for o in json.loads(run("router", "esmtpctl", option, "list", "counters"))["esmtp"]:
        if "table" in o:
            return o["table"]["not-syn"]
    raise AssertionError("no table")


def guard_readers():
    """so it is with the counters of the nft table, also where two reset at once while a third loads"""
    def stray():
        raw = Raw("client", 40000, RAW["server"][False], 25)
        raw.send(flags=ACK)
        raw.close()

    rules(conf(*RULES))
    stray()
    before = guard_count("-jA")
    assert before["packets"] and before["bytes"], before
    run("router", "esmtpctl", "reset", "counters")
    for _ in range(2):
        same(guard_count("-j"), {"packets": 0, "bytes": 0})
        same(guard_count("-jA"), before)
        same(absolute()["esmtp_table_packets_total", ("counter", "not-syn")], before["packets"])
        rules(conf(*RULES))
    stray()
    same(guard_count("-j")["packets"], 1)
    same(guard_count("-jA")["packets"], before["packets"] + 1)
    with ns("router"):
        # pylint: disable-next=consider-using-with
        many = [subprocess.Popen(["esmtpctl", "reset", "counters"]) for _ in range(2)]
        rules(conf(*RULES))
        assert not any(p.wait() for p in many)
    same(guard_count("-j")["packets"], 0)
    same(guard_count("-jA")["packets"], before["packets"] + 1)
    # As a version before had it: nothing is known of a reset.
    run("router", "nft", "delete counter inet esmtp not-syn-at-reset")
    same(guard_count("-j"), guard_count("-jA"))
    run("router", "esmtpctl", "reset", "counters")
    same(guard_count("-j")["packets"], 0)


def metrics():
    """metrics has what list counters has, for who has no rights too"""
    rules(conf(*RULES))
    got = absolute()
    for o in json.loads(run("router", "esmtpctl", "-jA", "list", "counters"))["esmtp"]:
        if "counters" in o:
            p = o["counters"]
            for key in ("packets", "bytes", "connections", "closed", "drop", "reset-drop"):
                name = f"esmtp_policy_{key.replace('-', '_')}_total"
                same(got[name, ("policy", p["policy"])], p[key], name)
            for key, n in p["events"].items():
                same(got["esmtp_policy_events_total", ("event", key), ("policy", p["policy"])], n, key)
            for i, r in enumerate(p["rules"]):
                key = ("esmtp_rule_matches_total", ("action", "continue"), ("log", "true"),
                       ("match", RULES[i][6:].replace(" log", "")), ("policy", p["policy"]), ("rule", str(i + 1)))
                same(got[key], r["count"], key)
        if "module" in o:
            for key, n in o["module"]["counters"].items():
                same(got["esmtp_namespace_total", ("counter", key)], n, key)
            same(got["esmtp_sessions",], o["module"]["connections"])
        if "table" in o:
            for key, n in o["table"].items():
                same(got["esmtp_table_packets_total", ("counter", key)], n["packets"], key)
    nobody = prometheus.samples(run("router", "setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all",
                                    "--inh-caps=-all", "esmtpctl", "metrics"))
    same(set(got) - set(nobody), {k for k in got if k[0] == "esmtp_table_packets_total"})
    run("router", "esmtpctl", "flush", "ruleset")
    assert ("esmtp_sessions",) in absolute()


def closed_ones():
    """a connection that was closed by a rule is known for minutes, but uses no configuration"""
    run("router", "esmtpctl", "flush", "ruleset")
    gone()
    with listen() as lst:
        for n in range(18):
            out = run("router", "esmtpctl", "-f", "-", text=conf(f"match cmd line length > {10 + n} reset"))
            assert "Error" not in out, out
            c, s = open_one(lst)
            c.sendall(LONG)
            is_reset(c)
            c.close()
            s.close()
    assert counters()["live"] == 18, counters()["live"]


def generations():
    """sixteen older configurations may be in use; a further one is refused until a connection ends"""
    run("router", "esmtpctl", "flush", "ruleset")
    gone()
    with listen() as lst:
        pairs = []
        for n in range(17):
            rules(conf(f"match cmd line length > {100 + n} log"))
            pairs.append(open_one(lst))
        for option in ("-f", "-cf"):
            out = run("router", "esmtpctl", option, "-", text=conf("match cmd line length > 200 log"), check=False)
            assert "Error: policy default: connections still use 16 older configurations: load again when some of these " \
                "connections have ended\n" in out, out
        listed = run("router", "esmtpctl", "list", "ruleset")
        assert "> 116 log" in listed and "> 200" not in listed, listed
        run("router", "esmtpctl", "check")
        # Each still counts by its own policy, and one more connection works.
        pairs.append(open_one(lst))
        # Two connections of one configuration: it is in use until both have gone.
        port = pairs[0][0].getsockname()[1]
        run("router", "conntrack", "-D", "-p", "tcp", "--orig-port-src", str(port))
        end = time.monotonic() + 10
        while True:
            out = run("router", "esmtpctl", "-f", "-", text=conf("match cmd line length > 200 log"), check=False)
            if not out:
                break
            assert time.monotonic() < end, out
            time.sleep(0.2)
        out = run("router", "esmtpctl", "-f", "-", text=conf("match cmd line length > 201 log"), check=False)
        assert "connections still use 16" in out, out
        # The empty one always works, and then there is no other before they have gone.
        run("router", "esmtpctl", "flush", "ruleset")
        run("router", "esmtpctl", "flush", "ruleset")
        out = run("router", "esmtpctl", "-f", "-", text=conf(), check=False)
        assert "connections still use 16" in out, out
        gone()
        rules(conf())
        for pair in pairs:
            for sock in pair:
                sock.close()


up()
tests(reload_keeps, spelling, names, readers, guard_readers, metrics, closed_ones, generations)
