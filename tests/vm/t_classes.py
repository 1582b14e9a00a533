#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 150
"""Which connections are inspected, and by which policy: classes, ports, slots, tables of one's own."""
from mta import *

PLAIN, STARS = "220 server.test ESMTP", "220 *****************"
POLICIES = """flush ruleset
policy default { banner mask; match ehlo-reply-parameter others mask; }
policy keep { banner keep; match ehlo-reply-parameter others mask; }
policy third { slot 5; banner mask; tls allow; }
"""


def seen(target, source=None, name="client", port=25):
    """By which policy: that is what the client sees of it."""
    with Client(target, name=name, source=source, port=port) as c:
        got = c.reply()
        tls = "250-STARTTLS" in c.expect(250, "EHLO x")
        refused = c.say("XYZW").startswith("502")
        reached = server_of(target).session().lines[-1]
        c.quit()
    assert refused
    if reached == "XYZW":
        same(PLAIN, got)
        return None
    same("XXXX", reached)
    if got == PLAIN:
        assert not tls
        return "keep"
    same(STARS, got)
    return "third" if tls else "default"


def server_of(target):
    return servers["client" if target in (CLIENT4, CLIENT6, CLIENT4B) else "router" if target == INNER4 else "server"]


def inspect(classes, lines):
    rules(POLICIES + classes + "\ninspect {\n" + lines + "\n}\n")


def counts():
    return {k.split(".")[0]: v for k, v in counters().items() if k.endswith(".connections")}


def expect(title, *cases):
    """One result for many connections: (policy, target, …)."""
    with check(title):
        for want, target, *args in cases:
            options = args[0] if args else {}
            same(want, seen(target, **options), f"{target} {options}")


shell("lab_up; nat dnat")
servers = {name: Server(name) for name in ("client", "router", "server")}
other = Server("server", port=2525)
B = {"source": CLIENT4B}
BACK = {"name": "server"}

with check("a class by the server's address; the policy of each class"):
    inspect(f"class a {{ daddr {SERVER4} }}\nclass b {{ daddr {{ {SERVER4B}, {SERVER6} }} }}",
            "class a policy keep\nclass b policy third\ndefault policy default")
    same(["keep", "third", "third", "default"], [seen(t) for t in (SERVER4, SERVER4B, SERVER6, SERVER6B)])
    same({"default": 1, "keep": 1, "third": 2}, counts())
    # The policy's slot is the helper's name.
    same({"esmtp", "esmtp-1", "esmtp-5"}, set(helpers()))
expect("what is dialled, not where it goes", ("default", ROUTER4))

with check("a class by the client's address, none as default"):
    inspect(f"class a {{ saddr {{ {CLIENT4}, {CLIENT6} }} }}", "class a policy default\ndefault none")
expect("and what it chooses", ("default", SERVER4), ("default", SERVER6), ("default", ROUTER4), (None, SERVER4, B),
       (None, CLIENT4, BACK))

with check("a class by a host, as either end"):
    inspect(f"class a {{ host {{ {CLIENT4B}, {SERVER4} }} }}", "class a policy default")
expect("and what it chooses", ("default", SERVER4), ("default", SERVER4B, B), ("default", CLIENT4B, BACK),
       ("default", ROUTER4), (None, SERVER4B), (None, SERVER6))

with check("classes by interfaces"):
    inspect("class in { iifname rc; oifname rs }\nclass out { iifname rs }\nclass here { iifname rc }",
            "class in policy default\nclass out policy keep\nclass here policy third")
expect("and what they choose", ("default", SERVER4), ("default", SERVER6), ("keep", CLIENT4, BACK),
       ("keep", CLIENT6, BACK), ("third", INNER4), (None, SERVER4, {"name": "router"}))
with check("a class by one interface: nobody else's replies are taken for old connections"):
    inspect("class in { iifname rc }\nclass never { oifname other }", "class in policy default\nclass never policy keep")
expect("and what it chooses", ("default", SERVER4), ("default", SERVER6), (None, CLIENT4, BACK), (None, CLIENT6, BACK),
       (None, CLIENT4, {"name": "router"}), (None, SERVER4, {"name": "router"}), ("default", INNER4))
with check("classes by interfaces with a common beginning"):
    inspect("class in { iifname { r*, zz0 }; oifname rs }\nclass other { iifname rs*; oifname { none*, rc } }",
            "class in policy default\nclass other policy keep")
    same(["other", "in"], [k["name"] for kind, k in listing("ruleset") if kind == "class"][::-1])
    same([(kind, o) for kind, o in listing("ruleset") if kind in ("class", "set")], listing("classes"))
    assert run("router", "esmtpctl", "list", "classes").strip() in run("router", "esmtpctl", "list", "ruleset")
    assert 'iifname { "r*", "zz0" }' in run("router", "esmtpctl", "list", "ruleset")
    assert '"r*"' in run("router", "nft", "list", "set", "inet", "esmtp", "class.in.iifname")
expect("and what they choose", ("default", SERVER4), ("default", SERVER6), ("keep", CLIENT4, BACK),
       ("keep", CLIENT6, BACK), (None, INNER4), (None, SERVER4, {"name": "router"}))
with check("an old connection is known by its replies, too"):
    run("router", "esmtpctl", "flush", "ruleset")
    with Client(SERVER4) as c:
        same(PLAIN, c.reply())
        inspect("class in { iifname rc; oifname rs }", "class in policy default")
        before = counters()["table.pickup"]
        servers["server"].session().sock.sendall(b"250 more\r\n")
        wait_for(5, lambda: counters()["table.pickup"] > before)
        same("silence", c.ending(0.5))

with check("all lines of a class must hold; the first class wins"):
    inspect(f"class a {{ saddr {CLIENT4B}; daddr {SERVER4} }}\nclass b {{ saddr {CLIENT4B} }}\n"
            f"class c {{ daddr {SERVER4} }}",
            "class a exempt\nclass b policy keep\nclass c policy third\ndefault policy default")
expect("and what they choose", (None, SERVER4, B), ("keep", SERVER4B, B), ("third", SERVER4), ("default", SERVER4B))

SETS = f"""set clients {{ {CLIENT4B}, {CLIENT6B}, 192.0.2.0/24 }}
set ones {{ {SERVER4}, {SERVER6}/128 }}
set ports {{ 24-25, 2525 }}
set six {{ {CLIENT6} }}
set unused {{ 192.0.2.1 }}
"""
with check("named sets: one for two classes, both families, ports, exempt hosts"):
    inspect(SETS + "class a { saddr @clients; daddr @ones }\nclass b { host @clients; dport @ports }\n"
            "class c { dport @ports }\nexempt @six\nexempt 192.0.2.9\n",
            "ports @ports\nclass a policy keep\nclass b policy third\nclass c policy default")
    once = run("router", "esmtpctl", "list", "ruleset")
    for line in ("saddr @clients", "daddr @ones", "host @clients", "dport @ports", "exempt @six", "exempt 192.0.2.9",
                 "set unused { 192.0.2.1 }", "ports @ports"):
        assert line in once, (line, once)
    table = run("router", "nft", "list", "table", "inet", "esmtp")
    rules(once)
    same(once, run("router", "esmtpctl", "list", "ruleset"))
    numbers = re.compile(r"packets \d+ bytes \d+|generation.*")
    same(numbers.sub("", table), numbers.sub("", run("router", "nft", "list", "table", "inet", "esmtp")))
    run("router", "esmtpctl", "check")
    same(["192.0.2.9", "@six"], dict(listing("exempt"))["exempt"])
expect("and what they choose", ("keep", SERVER4, B), ("keep", SERVER6, {"source": CLIENT6B}), ("third", SERVER4B, B),
       ("default", SERVER4), (None, SERVER6, {"source": CLIENT6}))
with check("a named set is one set: what nft puts into it is meant everywhere"):
    run("router", "nft", "add", "element", "inet", "esmtp", "set.clients.ipv4", f"{{ {CLIENT4} }}")
    same(["keep", "third"], [seen(SERVER4), seen(SERVER4B)])

with check("ports: of a class, and of all"):
    inspect("class a { dport 2525 }", "ports 25\nclass a policy keep\ndefault policy default")
expect("and what they choose", ("default", SERVER4), ("default", SERVER6))
with check("port 2525"):
    with Client(SERVER4, port=2525) as c:
        same(PLAIN, c.reply())
        c.say("XYZW")
        same(["XXXX"], other.session().lines)
        c.quit()
with check("a port that is not inspected"):
    inspect("", "ports 25\ndefault policy default")
    with Client(SERVER4, port=2525) as c:
        same(PLAIN, c.reply())
        c.say("XYZW")
        same(["XYZW"], other.session().lines)
        c.quit()

with check("a table of one's own, by the line of list policies"):
    rules(POLICIES)
    same(None, seen(SERVER4))
    lines = run("router", "esmtpctl", "list", "policies").splitlines()
    objects = "\n".join(line.split(": ", 1)[1] for line in lines)
    run("router", "nft", "-f", "-", stdin=f"""table inet mine {{
        {objects}
        chain forward {{
            type filter hook forward priority 0
            ip daddr {SERVER4} tcp dport 25 ct helper set "third"
            ip6 daddr {SERVER6} tcp dport 25 ct helper set "keep"
        }}
    }}
    """)
expect("and what it chooses", ("third", SERVER4), ("keep", SERVER6), (None, SERVER4B))
with check("it is there after a reload, and its policies keep their slots"):
    rules(POLICIES.replace("policy keep {", "policy one { banner keep; }\npolicy keep {"))
    assert 'esmtp-1" protocol' in [x for x in run("router", "esmtpctl", "list", "policies").splitlines()
                                   if x.startswith("policy keep,")][0]
    same(["third", "keep"], [seen(SERVER4), seen(SERVER6)])
    run("router", "nft", "delete", "table", "inet", "mine")

MANY = "policy default { }\n" + "".join(
    f"class c{n} {{ host 192.0.{n // 256}.{n % 256}; dport {n + 1}; iifname x{n} }}\n" for n in range(300)) + "inspect {\n" + "".join(
    f"class c{n} policy default connections {n + 1}{' embryonic 5 refuse' if n < 200 else ''}\n" for n in range(300)) + "}\n"


def available():
    """KiB that the kernel could still give."""
    with open("/proc/meminfo", encoding="ascii") as f:
        return int(re.search(r"MemAvailable: +(\d+)", f.read())[1])


with check("300 classes with limits cost little memory, the kernel's and the tool's, and are listed and loaded again"):
    def small(words, stdin=""):
        return run("router", "prlimit", f"--as={64 << 20}", "esmtpctl", *words.split(), stdin=stdin)
    before = available()
    small("-f -", MANY)
    assert before - available() < 100 << 10, before - available()
    many = small("list ruleset")
    same(run("router", "esmtpctl", "-p", "-f", "-", stdin=MANY), many)
    small("-f -", many)
    same(many, small("list ruleset"))
    assert re.search(r"size 65535\b", run("router", "nft", "list", "set", "inet", "esmtp", "limit.c0.connections4"))
    small("-f -", POLICIES)

with check("nine policies do not fit into eight slots"):
    run("router", "esmtpctl", "-f", "/dev/stdin", fails=True,
        stdin="flush ruleset\n" + "".join(f"policy p{n} {{ banner keep; }}\n" for n in range(9)))
    rules("flush ruleset\n" + "".join(f"policy p{n} {{ banner keep; }}\n" for n in range(8)))
    same(8, len(listing("policies")))
finish()
