#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 180
"""The tool on a live router: what it changes and what it leaves alone, two at once, check, unload."""
from mta import *

OTHERS = """table inet mine {
	set smtp {
		type inet_service
		flags interval
		elements = { 25, 80-90 }
	}
	counter everything { }
	chain forward {
		type filter hook forward priority 0; policy accept
		tcp dport @smtp counter name everything accept
	}
}
table ip filter {
	chain forward {
		type filter hook forward priority 5
		counter
	}
}
table ip6 esmtp {
	chain x {
		accept
	}
}
"""
BROKEN = """policy default {
	banner mask
	match cmd line lenght > 512 drop
}
inspect { default policy default }
"""
RICH = """flush ruleset
policy default {
	description "all lines"
	banner keep
	tls allow
	match cmd line length > 100 drop log
	match body line length > 1000 log
	match ehlo-reply-parameter { vrfy, etrn } mask log
}
policy look {
	mode monitor
	verbs { ehlo helo mail rcpt data quit }
	stray-brackets blank
	match header line length > 10 reset
}
class inbound { iifname "rc"; daddr { 10.0.2.0/24, fd00:2::/64 }; dport { 25, 2525 } }
class one { host 10.0.1.77 }
set servers { 10.0.2.9, fd00:2::/96 }
set mail { 25, 587 }
set guests { 203.0.113.0/24 }
class some { iifname { "rc*", rs }; daddr @servers; dport @mail }
exempt @guests
exempt { 192.0.2.1, 198.51.100.0/24, 2001:db8::/32 }
inspect {
	pickup pass
	class one exempt
	class some exempt
	class inbound policy look connections 9
	default policy default connections 65535
}
"""


def ctl(*argv, **kw):
    return run("router", "esmtpctl", *argv, **kw)


def tables():
    """All tables but ours."""
    text = run("router", "nft", "list", "ruleset")
    text = re.sub(r"(?ms)^table inet esmtp \{.*?^\}\n", "", text)
    return re.sub(r"packets \d+ bytes \d+", "packets N", text)


def ours():
    return re.sub(r"packets \d+ bytes \d+", "packets N", run("router", "nft", "list", "table", "inet", "esmtp"))


def greeting():
    with Client(SERVER4) as c:
        got = c.reply()
        c.quit()
    return got


shell("lab_up")
Server()
run("router", "nft", "-f", "-", stdin=OTHERS)
before = tables()

with check("-c needs no running rules and leaves none"):
    ctl("-c", "-f", CONF)
    same(before, tables())
    assert "table inet esmtp" not in run("router", "nft", "list", "tables")
    same([], [kind for kind, _ in listing("policies")])
    same("220 server.test ESMTP", greeting())
with check("-f leaves the user's tables alone"):
    rules()
    same(before, tables())
    same("220 *****************", greeting())
with check("check finds nothing wrong"):
    ctl("check")

with check("-c on running rules changes nothing"):
    was, counts = ours(), counters()
    ctl("-c", "-f", "/dev/stdin", stdin=RICH)
    same(was, ours())
    same(counts["default.connections"], counters()["default.connections"])
    same("220 *****************", greeting())
with check("a bad file: place, caret, what was expected; the rules stay"):
    text, listed = ours(), ctl("list", "ruleset")
    for option in (("-f",), ("-c", "-f")):
        said = ctl(*option, "/dev/stdin", stdin=BROKEN, fails=True)
        assert re.search(r"/dev/stdin:3:17-22: .*lenght", said), said
        assert "\tmatch cmd line lenght > 512 drop\n" in said and "^^^^^^" in said and "length" in said, said
    same(text, ours())
    same(listed, ctl("list", "ruleset"))
    same("220 *****************", greeting())
with check("a file that only the kernel can refuse: the rules stay"):
    crowd = "flush ruleset\npolicy default {\n" + "".join(
        f"match cmd line length > 512 {a}\n" for a in ("log", "log", "log")) + "}\ninspect { default policy default }\n"
    for option in (("-f",), ("-c", "-f")):
        assert ctl(*option, "/dev/stdin", stdin=crowd, fails=True).strip()
    same(text, ours())
    same(listed, ctl("list", "ruleset"))
    same("220 *****************", greeting())

for name, config in (("the shipped file", conf()), ("a rich one", RICH)):
    with check(f"list ruleset of {name} is what -f reads"):
        rules(config)
        once = ctl("list", "ruleset")
        # It is no addition to what runs.
        rules("flush ruleset\n" + once)
        same(once, ctl("list", "ruleset"))
        table = ours()
        ctl("flush", "ruleset")
        rules(once)
        same(once, ctl("list", "ruleset"))
        same(table, ours())
        ctl("check")
with check("what is listed brings its slots back, whatever was loaded in between"):
    rules(conf())
    once = ctl("list", "ruleset")
    ctl("flush", "ruleset")
    rules("policy other { banner keep; }\npolicy third { slot 5; }\n")
    rules(once)
    same(once, ctl("list", "ruleset"))
    assert 'ct helper default { type "esmtp" protocol tcp; }' in ctl("list", "policies")
    rules(RICH)
with check("a rich one, in words"):
    got = ctl("list", "ruleset")
    for words in ("policy default {", 'description "all lines"', "banner keep", "tls allow", "mode monitor",
                  "match cmd line length > 100 drop log", "match header line length > 10 reset", "pickup pass",
                  "class inbound policy look connections 9", "class one exempt", 'iifname "rc"', "10.0.2.0/24", "2525",
                  "198.51.100.0/24", "2001:db8::/32"):
        assert words in got, f"no {words!r} in\n{got}"
with check("list policies has the line for a table of one's own"):
    got = ctl("list", "policies")
    assert re.search(r'type "esmtp-1" protocol tcp', got), got

with check("two at once: one after the other, or one of them says busy"):
    rules()
    with inside("router"):
        both = [subprocess.Popen(["esmtpctl", "-f", CONF], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                for _ in range(4)]
    results = [(p.wait(30), p.stdout.read()) for p in both]
    assert any(code == 0 for code, _ in results), results
    for code, said in results:
        assert code in (0, 1) and (code == 0 or said.strip()), results
    ctl("check")
    same("220 *****************", greeting())
with check("check tells when the table is gone"):
    run("router", "nft", "delete", "table", "inet", "esmtp")
    said = run("router", "sh", "-c", "esmtpctl check 2>&1; echo code $?")
    assert "code 1" in said and len(said.splitlines()) >= 2, said
    same(before, tables())
with check("check tells when the table is dormant, or its rules are flushed; loading again repairs it"):
    for change, fault in (
            ("add table inet esmtp { flags dormant; }",
             "Table inet esmtp is dormant: nothing is chosen for inspection here."),
            ("flush table inet esmtp",
             "The rules of table inet esmtp have been flushed: nothing is chosen for inspection here.")):
        rules()
        ctl("check")
        run("router", "nft", change)
        same("220 server.test ESMTP", greeting())
        said = run("router", "sh", "-c", "esmtpctl check 2>&1; echo code $?")
        assert "code 1" in said and fault in said, said
    run("router", "nft", "delete", "table", "inet", "esmtp")
with check("loading again repairs it"):
    rules()
    ctl("check")
    same("220 *****************", greeting())

with check("flush ruleset: nothing is inspected, the user's tables are there, the module stays"):
    said = ctl("flush", "ruleset")
    same(before, tables())
    assert "table inet esmtp" not in run("router", "nft", "list", "tables")
    same("220 server.test ESMTP", greeting())
    assert "nf_conntrack_esmtp " in open("/proc/modules", encoding="ascii").read()
with check("flush ruleset twice"):
    ctl("flush", "ruleset")
with check("unload with rules in force and a connection open"):
    rules()
    with Client(SERVER4) as c:
        c.hello()
        ctl("unload")
        assert "nf_conntrack_esmtp " not in open("/proc/modules", encoding="ascii").read()
        same(before, tables())
    same("220 server.test ESMTP", greeting())
with check("unload twice"):
    ctl("unload")
with check("without the module: one sentence, or an empty list"):
    for what in ("counters", "policies", "exempt", "ruleset"):
        said = run("router", "sh", "-c", f"esmtpctl list {what} 2>&1; true")
        assert len(said.splitlines()) <= 1, (what, said)
with check("the tool loads it again"):
    rules()
    same("220 *****************", greeting())
    ctl("unload")
with check("without privileges: one sentence"):
    said = run("router", "setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
               "esmtpctl", "-f", CONF, fails=True)
    same(1, len(said.strip().splitlines()), said)
    assert re.search(r"root|privilege|CAP_NET_ADMIN|permi", said), said
finish()
