#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""TCP evasions, judged from outside: random schedules and one fixed case for each known way (tests/vm/evade).

ESMTP_SEED=N repeats a run, MINUTES=N plays random schedules for so long and nothing else."""
# limit: 400
import os
import subprocess
import sys
import time

import lab

EVADE = "/job/evade"
SEED = os.environ.get("ESMTP_SEED") or str(time.time_ns() // 1000000)
SCHEDULES = 1000
# Nothing but the closed connection for other bytes in content: what is left out would close for its own reasons.
POLICY = """
policy default {
	banner mask
	tls deny
	verbs { auth, bdat, data, ehlo, etrn, helo, help, mail, noop, quit, rcpt, rset, saml, send, soml, vrfy }
	match body line length > 998 log
	match ehlo-reply-parameter others mask
}
"""
TRACE = ["--no-trace"] if not os.path.exists("/sys/kernel/tracing/events/esmtp") else []


def evade(*words, text=None):
    done = subprocess.run([EVADE, *words, *TRACE], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    return done.returncode, done.stdout


def random_schedules(start, count, offloads):
    lab.sh("offloads " + offloads)
    before = lab.counters()
    code, said = evade("--seed", SEED, "--from", str(start), "--count", str(count))
    grown = {k: v - before[k] for k, v in lab.counters().items() if isinstance(v, int) and v != before[k]}
    print(f"# offloads {offloads}: {said.splitlines()[-1] if not code else ''}\n# {grown}", flush=True)
    assert not code, said


def test_random_on():
    """random schedules, offloads on: nothing uninspected is read, every connection comes to its end"""
    random_schedules(0, SCHEDULES // 2, "on")


def test_random_off():
    """random schedules, offloads off: nothing uninspected is read, every connection comes to its end"""
    random_schedules(SCHEDULES // 2, SCHEDULES // 2, "off")


def begin():
    lab.up()
    lab.rules(f"flush ruleset\n{POLICY}\ninspect {{\n\tports {{ 25, 26 }}\n\tdefault policy default\n}}\n")
    lab.run("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=5",
            "net.netfilter.nf_conntrack_tcp_timeout_close=10")
    with open("/proc/sys/net/netfilter/nf_conntrack_max", "w", encoding="ascii") as f:
        f.write("65536")
    # A segment that ends at the server is answered, not thrown away unread.
    for name, value in ("tcp_invalid_ratelimit", "0"), ("tcp_challenge_ack_limit", "1000000"):
        lab.run("server", "sysctl", "-qw", f"net.ipv4.{name}={value}")


def fixed():
    code, said = evade("--cases")
    print(said, end="", flush=True)
    return code


if __name__ == "__main__":
    print(f"# seed {SEED}", flush=True)
    begin()
    failed = fixed()
    try:
        lab.tests(test_random_on, test_random_off)
    finally:
        sys.exit(1 if failed else sys.exc_info()[1].code)
