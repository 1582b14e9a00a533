#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 180
"""Exempt hosts: by file and at run time, as client and as server, both families, behind DNAT; they get no helper."""
from mta import *

PLAIN, STARS = "220 server.test ESMTP", "220 *****************"


def greeting(target, source=None):
    with Client(target, source=source) as c:
        got = c.reply()
        c.quit()
    return got


def helper_of(target, source):
    """That of an open connection."""
    run("router", "conntrack", "-F")
    with Client(target, source=source) as c:
        c.reply()
        found = helpers()
        c.quit()
    assert len(found) == 1, found
    return found[0]


def exempt():
    text = run("router", "esmtpctl", "list", "exempt")
    return re.findall(r"[0-9a-f.:]+(?:/\d+)?(?:-[0-9a-f.:]+)?", text.replace("exempt", ""))


shell("lab_up; nat dnat")
Server()
rules()
counted = Counted()
WAYS = ((SERVER4, CLIENT4, CLIENT4B), (SERVER6, CLIENT6, CLIENT6B), (ROUTER4, CLIENT4, CLIENT4B),
        (ROUTER6, CLIENT6, CLIENT6B))

with check("nobody is exempt"):
    same([], exempt())
    for target, a, b in WAYS:
        same([STARS] * 2, [greeting(target, a), greeting(target, b)], target)
    same(["esmtp"] * 2, [helper_of(SERVER4, CLIENT4), helper_of(SERVER6, CLIENT6)])

with check("add two clients at run time"), Client(SERVER4, source=CLIENT4B) as before:
    same(STARS, before.reply())
    run("router", "esmtpctl", "add", "exempt", CLIENT4B, CLIENT6B)
    same({CLIENT4B, CLIENT6B}, set(exempt()))
    assert "XXXXXXXA" in before.expect(250, "EHLO x"), "a connection that was inspected goes on so"
    before.quit()
with check("they are exempt, directly and behind DNAT; others are not"):
    for target, a, b in WAYS:
        same([STARS, PLAIN], [greeting(target, a), greeting(target, b)], target)
with check("exempt connections have no helper"):
    for target, a, b in WAYS:
        same(["esmtp", ""], [helper_of(target, a), helper_of(target, b)], target)
with check("exempt connections carry everything"), Client(SERVER4, source=CLIENT4B) as c:
    c.expect(220)
    assert "250-STARTTLS" in c.expect(250, "EHLO x")
    c.expect(250, "MAIL FROM:<a|b>")
    c.expect(250, "NOOP " + "n" * 600)
    c.quit()
with check("delete one of them"):
    run("router", "esmtpctl", "delete", "exempt", CLIENT4B)
    same([CLIENT6B], exempt())
    same([STARS, PLAIN], [greeting(SERVER4, CLIENT4B), greeting(SERVER6, CLIENT6B)])
    run("router", "esmtpctl", "delete", "exempt", CLIENT6B)
    same(STARS, greeting(SERVER6, CLIENT6B))

with check("a connection that began exempt goes on so when its host is not exempt any more"):
    run("router", "esmtpctl", "add", "exempt", CLIENT4B)
    with Client(SERVER4, source=CLIENT4B, timeout=5) as c:
        same(PLAIN, c.reply())
        run("router", "esmtpctl", "delete", "exempt", CLIENT4B)
        c.expect(250, "NOOP")
        rules()
        c.expect(250, "NOOP")
        c.quit()
with check("a connection that no class chose goes on so when one does"):
    rules("flush ruleset\npolicy default { banner mask }\nclass other { host 192.0.2.1 }\n"
          "inspect { class other policy default }\n")
    with Client(SERVER6, timeout=5) as c:
        same(PLAIN, c.reply())
        rules()
        c.expect(250, "NOOP")
        c.quit()
    same(STARS, greeting(SERVER6))

with check("a server, by its real address also behind DNAT"):
    run("router", "esmtpctl", "add", "exempt", SERVER4, SERVER6)
    same([PLAIN] * 4, [greeting(target, a) for target, a, _ in WAYS])
    same([""] * 4, [helper_of(target, a) for target, a, _ in WAYS])
    same(STARS, greeting(SERVER4B, CLIENT4))
    run("router", "esmtpctl", "delete", "exempt", SERVER4, SERVER6)
    same([STARS] * 4, [greeting(target, a) for target, a, _ in WAYS])

with check("networks; one host taken out of the middle"):
    run("router", "esmtpctl", "add", "exempt", "10.0.1.0/24", "fd00:1::/64")
    same([PLAIN] * 4, [greeting(target, a) for target, a, _ in WAYS])
    # The router's own address is dialled where there is DNAT.
    run("router", "esmtpctl", "delete", "exempt", CLIENT4, CLIENT6, ROUTER4, ROUTER6)
    same([STARS, PLAIN] * 4, [greeting(target, source) for target, a, b in WAYS for source in (a, b)])
    run("router", "esmtpctl", "add", "exempt", CLIENT4, CLIENT6, ROUTER4, ROUTER6)
    same(["10.0.1.0/24", "fd00:1::/64"], exempt())

with check("the list is in the ruleset, and a file brings its own"):
    assert re.search(r"(?m)^exempt \{ 10\.0\.1\.0/24, fd00:1::/64 \}", run("router", "esmtpctl", "list", "ruleset"))
    rules(conf() + f"\nexempt {{ {CLIENT4B} }}\n")
    same([CLIENT4B], exempt())
    same([STARS, PLAIN], [greeting(SERVER4, a) for a in (CLIENT4, CLIENT4B)])
with check("what is no address is refused"):
    for bad in ("10.0.1", "300.1.1.1", "10.0.0.0/33", "fd00::/129", "server.test", "10.0.0.9-10.0.0.1", ""):
        assert run("router", "esmtpctl", "add", "exempt", bad, fails=True).strip(), bad
    same([CLIENT4B], exempt())
with check("nothing is to be deleted"):
    same("Error: 192.0.2.1 is not exempt, or not all of it\n", run("router", "esmtpctl", "delete", "exempt", "192.0.2.1",
                                                                   fails=True))
    same([CLIENT4B], exempt())
with check("hosts of a named set: exempt, listed by its name, not deleted one by one"):
    rules(conf() + f"\nset friends {{ {CLIENT4B}, {SERVER6}, 192.0.2.0/28 }}\nexempt @friends\nexempt {CLIENT6B}\n")
    same([STARS, PLAIN], [greeting(SERVER4, a) for a in (CLIENT4, CLIENT4B)])
    same([PLAIN, PLAIN, STARS], [greeting(SERVER6), greeting(ROUTER6), greeting(SERVER4)])
    same(f"exempt @friends\nexempt {CLIENT6B}", run("router", "esmtpctl", "list", "exempt").strip())
    said = run("router", "esmtpctl", "delete", "exempt", CLIENT4B, fails=True)
    same(f"Error: {CLIENT4B} is exempt by set friends, which only a file changes\n", said)
    run("router", "esmtpctl", "delete", "exempt", CLIENT6B)
    same("exempt @friends", run("router", "esmtpctl", "list", "exempt").strip())
    rules(conf() + f"\nexempt {{ {CLIENT4B} }}\n")
with check("JSON"):
    same([("exempt", [CLIENT4B])], listing("exempt"))
finish()
