#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 1800
"""No memory while the tool is at work: allocations of the kernel fail one by one, at each place of the module and in netlink calls
of the tool. A configuration is taken as a whole or not at all, and the tool says what happened. With MINUTES=N each allocation of
each call fails, which takes an hour or so, else those of some calls."""
import os
import re
import subprocess

import failslab
import lab

SAID = "/tmp/fail-said"
PRELOAD = "/job/fail_call.so"
EACH = bool(os.environ.get("MINUTES"))
SITES = ("esmtp_stage_begin", "esmtp_generation_new", "esmtp_policy_build", "rules_grow", "esmtp_rules_parse", "esmtp_table_piece",
         "esmtp_stage_table", "esmtp_fired_alloc", "esmtp_totals_alloc", "answer_new")
OLD = """flush ruleset
policy default { banner mask; match cmd line length > 100 drop log; }
policy two { tls allow; slot 4; }
class a { saddr { 192.0.2.0/24, 2001:db8::/48 }; iifname "rc*" }
exempt 203.0.113.1
inspect { ports { 25, 26 }; class a exempt; default policy default }
"""
NEW = """flush ruleset
regex bad "casino|lottery$" nocase
policy default { banner keep; match header Subject regex bad log; match sender-address length > 60 reply 421 log }
policy three { mode monitor; match cmd rcpt count > 2 reply 452 "4.5.3 two will do" log }
class a { host 192.0.2.9 }
exempt 203.0.113.2
inspect { class a policy default connections 5 embryonic 7; default policy three connections 9 }
"""


def tool(*words, call=0, nth=0):
    """Exit code, what it said, and how many more allocations there would have had to be; without a call how many calls it makes."""
    if os.path.exists(SAID):
        os.unlink(SAID)
    env = dict(os.environ, LD_PRELOAD=PRELOAD, FAIL_CALL=str(call), FAIL_NTH=str(nth), FAIL_SAID=SAID)
    with lab.ns("router"):
        done = subprocess.run(["esmtpctl", *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
    if not os.path.exists(SAID):
        return done.returncode, done.stdout, None
    with open(SAID, encoding="ascii") as f:
        return done.returncode, done.stdout, int(f.read())


def load(text):
    lab.rules(text)


def state():
    """What runs: as the tool lists it, and as nft does."""
    return re.sub(r"packets \d+ bytes \d+", "packets N",
                  lab.run("router", "sh", "-c", "esmtpctl list ruleset; nft list ruleset; esmtpctl check"))


def some_calls(words):
    """The first, and the last ones, which change something; or each."""
    count = tool(*words)[2]
    assert count > 8, count
    return range(1, count + 1) if EACH else sorted({1, *range(count - 3, count + 1)})


def step(nth):
    return 1 if EACH else max(1, nth // 4)


def sweep(words, prepare):
    """The first allocations of these calls in turn, and some of the many behind. Nothing but the whole or what was there before
    runs then."""
    prepare()
    before = state()
    calls = some_calls(words)
    wanted = state()
    prepare()
    failed = got_over = 0
    for call in calls:
        nth = 1
        while True:
            code, said, more = tool(*words, call=call, nth=nth)
            where = f"allocation {nth} of call {call}: exit code {code}\n{said}"
            assert code in (0, 1), where
            assert code == 0 or said.strip(), where + "without a word"
            lab.same(state().encode(), (before if code else wanted).encode(), where)
            if code == 0:
                prepare()
            if more != 0:
                break
            failed += 1
            got_over += code == 0
            nth += step(nth)
    print(f"    {failed} allocations have failed in {len(calls)} calls; {got_over} times the tool has got over it", flush=True)
    assert failed > len(calls), "hardly any allocation has failed"
    failslab.forget_log()


def test_sites():
    """each place of the module that asks for memory: the file is refused, and what was there stays"""
    load(OLD)
    before = state()
    for site in SITES:
        with failslab.short(site, 1) as failed:
            code, said, _ = tool("-f", "/tmp/new.conf")
            assert failed() == 1, f"{site} asks for none: exit code {code}\n{said}"
        assert code == 1 and "memory" in said, f"{site}: exit code {code}\n{said}"
        lab.same(state().encode(), before.encode(), site)
    failslab.forget_log()


def test_hooks():
    """no memory for the hooks that guard inspected connections: the file is refused, and nothing is inspected"""
    # The first asks for conntrack's hooks, which the second has.
    for others in "", "table inet mine { chain c { type filter hook input priority 0; ct state new; }; }":
        load("flush ruleset\n")
        lab.run("router", "nft", others)
        before = state()
        with failslab.short("esmtp_guard_on", 1) as failed:
            code, said, _ = tool("-f", "/tmp/new.conf")
            assert failed() == 1, f"exit code {code}\n{said}"
        assert code == 1 and "the hooks that guard inspected connections could not be registered" in said, said
        lab.same(state().encode(), before.encode(), "without hooks")
    lab.run("router", "nft", "delete table inet mine")
    failslab.forget_log()


def test_file():
    """a file in place of another"""
    sweep(("-f", "/tmp/new.conf"), lambda: load(OLD))


def test_flush():
    """flush ruleset"""
    sweep(("flush", "ruleset"), lambda: load(OLD))


def test_list():
    """what is asked for is answered, or the tool says why not"""
    load(NEW)
    code, whole, count = tool("list", "ruleset")
    assert code == 0 and count, whole
    call = nth = 1
    while call <= count:
        code, said, more = tool("list", "ruleset", call=call, nth=nth)
        assert said.strip() if code == 1 else said == whole, f"allocation {nth} of call {call}: exit code {code}\n{said}"
        call, nth = (call, nth + step(nth)) if more == 0 else (call + (1 if EACH else max(1, count // 6)), 1)
    failslab.forget_log()


if __name__ == "__main__":
    failslab.every_kind()
    lab.up()
    with open("/tmp/new.conf", "w", encoding="ascii") as f:
        f.write(NEW)
    lab.tests(test_sites, test_hooks, test_file, test_flush, test_list)
