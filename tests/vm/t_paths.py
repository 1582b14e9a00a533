#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
"""Every way through the router and to the router: both families, NAT, both directions, the router itself as either
end, offloads on and off. On each the same is masked, and the mail arrives as it was sent, with right checksums."""
import concurrent.futures
import random
import struct

from mta import *

HOSTS = {"client": {4: CLIENT4, 6: CLIENT6}, "server": {4: SERVER4, 6: SERVER6}}
# The router's address as that side knows it.
ROUTER = {"client": {4: ROUTER4, 6: ROUTER6}, "server": {4: INNER4, 6: INNER6}}
DEVICE = {"client": "rc", "server": "rs"}
WORDS = {4: "ip", 6: "ip6"}
WAYS = (("client", "server"), ("server", "client"))


def nat(kind):
    """On the router, for both directions: dnat makes its address on the near side that of the far host, masquerade
    hides the near host."""
    text = "table inet labnat\ndelete table inet labnat\ntable inet labnat {\n"
    if kind in ("dnat", "both"):
        text += "chain prerouting { type nat hook prerouting priority dstnat;\n"
        text += "".join(f"iifname {DEVICE[near]} {WORDS[f]} daddr {ROUTER[near][f]} tcp dport 25 "
                        f"dnat {WORDS[f]} to {HOSTS[far][f]}\n" for near, far in WAYS for f in (4, 6)) + "}\n"
    if kind in ("masquerade", "both"):
        text += "chain postrouting { type nat hook postrouting priority srcnat;\n"
        text += "".join(f"iifname {DEVICE[near]} oifname {DEVICE[far]} masquerade\n" for near, far in WAYS) + "}\n"
    run("router", "nft", "-f", "-", stdin=text + "}\n")


def message(size):
    rnd = random.Random(size)
    lines = []
    while size > 0:
        n = rnd.randrange(0, 900)
        lines.append("".join(rnd.choices("abc.XSTARTL *\t", k=8)) * (n // 8))
        size -= n
    return "Subject: paths\r\n\r\n".encode() + "\r\n".join(lines).encode() + b"\r\n"


MAIL = message(60000)


def dialogue(title, client, target, peer, server):
    """One connection with all kinds of edits and a mail. peer is the client's address as the server must see it."""
    hello = "EHLO " + re.sub(r"\W+", ".", title)
    with Client(target, name=client) as c:
        same("220 *****************", c.expect(220))
        got = c.expect(250, hello)
        same(["XXXXXXXA", "XXXXXXXB", "XXXXXXXC"], [w[4:] for w in got.split("\n") if "XX" in w])
        c.expect(502, "STARTTLS")
        # Everything at once: the content is cut off behind DATA, also within one large packet.
        c.send(b"MAIL FROM:<a@client.test>\r\nRCPT TO:<b@server.test>\r\nDATA\r\n" + stuffed(MAIL))
        same(["250", "250", "354", "250"], [c.reply()[:3] for _ in range(4)])
        c.quit()
    s = next(s for s in servers[server].sessions if s.lines[:1] == [hello])
    same("end", s.wait())
    same(peer, s.peer, "the client's address")
    same("XXXXXXXX", s.lines[1])
    same(sha256(stuffed(MAIL)), sha256(s.messages[0]), "the mail's sum")


n_dialogues = 0


def at_once(cases):
    """Dialogues side by side, for each of them waits for a repeated segment. One result each."""
    global n_dialogues
    with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
        futures = [(case[0], pool.submit(dialogue, *case)) for case in cases]
    for title, future in futures:
        n_dialogues += 1
        with check(title):
            future.result()


def offloads(state):
    """on: packets come large and without checksum, and stay so. off: neither. split: they come so, and the router
    has to cut and sum them. merged: they come small and summed, and the router makes large ones of them."""
    shell("offloads " + ("off" if state == "merged" else "on" if state == "split" else state))
    for dev in ("rc", "rs"):
        if state == "split":
            run("router", "ethtool", "-K", dev, "tx", "off", "sg", "off", "tso", "off", "gso", "off")
        if state == "merged":
            run("router", "ethtool", "-K", dev, "gro", "on")


def spoilt_segment():
    """A SYN with a wrong checksum to a port that is not inspected: does the receiver tell?"""
    src, dst = socket.inet_aton(CLIENT4), socket.inet_aton(SERVER4)
    tcp = struct.pack(">HHIIBBHHH", 1000, 26, 1, 0, 5 << 4, 2, 1000, 0x1234, 0)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 6, 0, src, dst)
    with inside("client"), socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.sendto(ip + tcp, (SERVER4, 0))


shell("lab_up")
servers = {name: Server(name) for name in ("client", "router", "server")}
rules()
offloads("off")
with check("a receiver counts wrong checksums"):
    before = csum_errors("server")
    spoilt_segment()
    wait_for(5, lambda: csum_errors("server") == before + 1)

base = {name: csum_errors(name) for name in servers}
counted = Counted()
for state in ("off", "on", "split", "merged"):
    offloads(state)
    for kind in ("off", "dnat", "masquerade", "both") if state in ("on", "off") else ("off", "both"):
        nat(kind)
        at_once([(f"IPv{f}, offloads {state}, {near} to {far}, NAT {kind}", near,
                  ROUTER[near][f] if kind in ("dnat", "both") else HOSTS[far][f],
                  ROUTER[far][f] if kind in ("masquerade", "both") else HOSTS[near][f], far)
                 for near, far in WAYS for f in (4, 6)])
    nat("off")
    at_once([(f"IPv{f}, offloads {state}, {end} to a server on the router", end, ROUTER[end][f], HOSTS[end][f], "router")
             for end in HOSTS for f in (4, 6)] +
            [(f"IPv{f}, offloads {state}, a client on the router to {end}", "router", HOSTS[end][f], ROUTER[end][f], end)
             for end in HOSTS for f in (4, 6)])
    equal(f"offloads {state}: no segment had a wrong checksum", dict.fromkeys(servers, 0),
          {name: csum_errors(name) - n for name, n in base.items()})

diff = counted.exactly("counted", {
    "default.connections": n_dialogues, "default.events.banner-masked": n_dialogues,
    "default.rule.7": EHLO_MASKED * n_dialogues, "default.events.command-masked": n_dialogues,
    "default.events.early-content": n_dialogues})
equal("content waited on each", True, diff.get("module.held", 0) >= n_dialogues)
finish()
