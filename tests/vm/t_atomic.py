#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 1800
"""A configuration is taken as a whole or not at all, whichever step fails: messages to the kernel, and
answers, in turn."""
from mta import *

CALLS = ("sendto", "sendmsg", "recvmsg", "recvfrom")
OLD = """flush ruleset
policy default { banner mask; match cmd line length > 100 drop log; }
policy two { tls allow; slot 4; }
set some { 192.0.2.0/24, 2001:db8::/48 }
class a { saddr @some; iifname "rc*" }
class b { daddr 198.51.100.1; dport { 25, 2525 } }
exempt @some
exempt 203.0.113.1
inspect { ports { 25, 26 }; pickup pass; class a exempt; class b policy two connections 7; default policy default }
"""
NEW = """flush ruleset
policy default { banner keep; }
policy three { mode monitor; }
policy four { verbs any; }
class a { host 192.0.2.9 }
exempt 203.0.113.2
inspect { class a policy four; default policy three connections 9 }
"""
FILES = {"old": OLD, "new": NEW}
for name, text in FILES.items():
    with open(f"/tmp/{name}.conf", "w", encoding="ascii") as f:
        f.write(text)


def state():
    """What runs: as the tool lists it, and as nft does."""
    return re.sub(r"packets \d+ bytes \d+", "packets N",
                  run("router", "sh", "-c", "esmtpctl list ruleset; nft list ruleset"))


def consistent():
    return run("router", "sh", "-c", "esmtpctl check; true") == ""


def traced(command, *options):
    """Under strace; the exit code (negative: a signal) and what it said. It need not print what Netlink messages mean, nor
    be woken on another CPU: either takes longer than the command."""
    with inside("router"):
        p = subprocess.run(["taskset", "-c", "0", "strace", "-qq", "-o", "/tmp/trace", "-e", "raw=all", "-e",
                            "trace=" + ",".join(CALLS), *options, "esmtpctl", *command],
                           text=True, capture_output=True, check=False)
    return p.returncode, p.stdout + p.stderr


def calls(command):
    """How often it makes each call."""
    traced(command)
    with open("/tmp/trace", encoding="utf-8", errors="replace") as f:
        text = f.read()
    return {c: len(re.findall(rf"(?m)^{c}\(", text)) for c in CALLS}


def chosen(count, last):
    """The first one, one of the many in the middle that ask what is there, and the last ones, which change it."""
    return sorted({1, count // 2} - {0} | set(range(max(1, count - last + 1), count + 1)))


def each_step(command, before, prepare, how, last=3):
    """The command with one call failing, for each call: (call, n, exit code, output, what runs then)."""
    prepare()
    found = calls(command)
    assert found["sendto"] and found["sendmsg"] and found["recvmsg"] + found["recvfrom"], found
    prepare()
    for call, count in found.items():
        for n in chosen(count, last) if count else ():
            code, said = traced(command, "-e", f"inject={call}:{how}:when={n}")
            after = state()
            yield call, n, code, said, after
            if after != before:
                prepare()


def whole_or_not(title, command, prepare, last=2):
    with check(title):
        prepare()
        before = state()
        run("router", "esmtpctl", *command)
        wanted = state()
        steps = taken = 0
        for call, n, code, said, after in each_step(command, before, prepare, "error=ENOBUFS", last):
            where = f"{call} {n}: exit code {code}\n{said}"
            steps += 1
            assert code in (0, 1), where
            if code == 0:
                taken += 1
                same(wanted, after, where)
            else:
                same(before, after, where)
                assert said.strip(), where
            # The same text may come of a table and policies that do not know each other.
            assert consistent(), where
        assert steps >= 8 and taken < steps, (steps, taken)
        print(f"      {steps} steps have failed, {taken} times the tool has got over it", flush=True)


def load(name):
    run("router", "esmtpctl", "-f", f"/tmp/{name}.conf")


shell("lab_up")
Server()
whole_or_not("a file in place of another: messages and answers are lost in turn", ("-f", "/tmp/new.conf"),
             lambda: load("old"), 100)
whole_or_not("the first file", ("-f", "/tmp/new.conf"), lambda: run("router", "esmtpctl", "flush", "ruleset"))
whole_or_not("flush ruleset", ("flush", "ruleset"), lambda: load("old"))
whole_or_not("add exempt", ("add", "exempt", "203.0.113.9", "2001:db8:9::1"), lambda: load("old"))

with check("-c changes nothing, whatever fails"):
    load("old")
    before = state()
    for call, n, code, said, after in each_step(("-c", "-f", "/tmp/new.conf"), before, lambda: None, "error=ENOBUFS", 2):
        same(before, after, f"{call} {n}: exit code {code}\n{said}")
        assert consistent()

with check("a signal at each step: all of the one file or all of the other"):
    load("new")
    wanted = state()
    load("old")
    before = state()
    ended = 0
    for call, n, code, said, after in each_step(("-f", "/tmp/new.conf"), before, lambda: load("old"), "signal=TERM"):
        where = f"{call} {n}: exit code {code}\n{said}"
        ended += code != 0
        assert after in (before, wanted), f"{where}\n{after}"
        assert consistent(), where
    assert ended, "no signal has arrived"

with check("killed at each step: check says where the two sides differ, and loading again repairs it"):
    load("old")
    before, found = state(), {True: 0, False: 0}
    for call, n, code, said, after in each_step(("-f", "/tmp/new.conf"), before, lambda: load("old"), "signal=KILL"):
        ok_now = consistent()
        found[ok_now] += 1
        assert ok_now == (after in (before, wanted)), f"{call} {n}: {after}"
        if not ok_now:
            load("old")
            assert consistent()
    assert found[True] and found[False] <= 2, found

with check("the commit does not reach the module: the table is put back, nothing has changed"):
    load("old")
    before = state()
    code, said = traced(("-f", "/tmp/new.conf"), "-e", "inject=sendto:error=ENOBUFS:when=" +
                        str(calls(("-c", "-f", "/tmp/new.conf"))["sendto"]))
    same(1, code, said)
    assert "nothing has changed" in said, said
    same(before, state())
with check("the nft table refuses: the module's policies stay"):
    load("old")
    before = state()
    deny = "flush ruleset\npolicy p { }\ninspect { default policy p }\n" + "".join(
        f"class k{n} {{ host 192.0.2.{n} }}\n" for n in range(3))
    code, said = traced(("-f", "/tmp/new.conf"), "-e", "inject=sendmsg:error=EPERM:when=1")
    same(1, code, said)
    same(before, state())
    rules(deny)
    load("old")
    same(before, state())

with check("eight at once, of two files: one after the other, or busy; what runs is one of them"):
    load("new")
    wanted = state()
    load("old")
    before = state()
    with inside("router"):
        many = [subprocess.Popen(["esmtpctl", "-f", f"/tmp/{('old', 'new')[n % 2]}.conf"], stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True) for n in range(8)]
    for p in many:
        said = p.communicate(timeout=60)[0]
        assert p.returncode == 0 or "somebody else" in said, said
    assert state() in (before, wanted)
    assert consistent()
finish()
