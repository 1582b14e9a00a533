#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# clock: instructions
# limit: 900
"""100,000 exempt prefixes: one transaction takes them, and they cost a packet what ten cost. A new connection is looked up
in a tree, once for each place where a host may stand: a few steps more. Time is executed instructions: the clock of this
machine."""
import ipaddress
import random

from mta import *

N = 100_000
PACKETS, CONNECTIONS = 1500, 150
POLICY = "flush ruleset\npolicy default { banner mask }\ninspect { default policy default }\n"


def prefixes(count):
    """Of many lengths, none next to another: half of each family."""
    rnd, found = random.Random(7), []
    for n in range(count // 2):
        found.append(f"{ipaddress.IPv4Address((44 << 24) + n * 256)}/{rnd.randrange(25, 33)}")
        found.append(f"{ipaddress.IPv6Address((0x20010db8 << 96) + (n << 80))}/{rnd.randrange(49, 129)}")
    return found


def load(count):
    start = time.monotonic()
    rules(POLICY + "exempt {\n" + ",\n".join(prefixes(count) + [CLIENT4B, CLIENT6B]) + "\n}\n")
    return time.monotonic() - start


class Echo(threading.Thread):
    """A server on port 25 that is no mail server: its connections are exempt, or hear one byte."""

    def __init__(self, address):
        super().__init__(daemon=True)
        with inside("server"):
            self.sock = socket.create_server((address, 25), family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                                             backlog=64)
        self.start()

    def run(self):
        while True:
            s, _ = self.sock.accept()
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                data = s.recv(64)
                if not data:
                    break
                s.sendall(data)
            s.close()


def connect(target, source):
    with inside("client"):
        s = socket.socket(socket.AF_INET6 if ":" in target else socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.bind((source, 0))
    s.connect((target, 25))
    return s


def packets(target, source):
    """Instructions that a packet there and one back take, on an exempt connection."""
    with connect(target, source) as s:
        for n in range(PACKETS + 100):
            if n == 100:
                start = time.monotonic_ns()
            s.sendall(b"x")
            assert s.recv(1) == b"x"
        return (time.monotonic_ns() - start) / PACKETS


def connections(target, source):
    """Instructions that a connection takes that only opens and closes."""
    for n in range(CONNECTIONS + 20):
        if n == 20:
            start = time.monotonic_ns()
        s = connect(target, source)
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
        s.close()
    return (time.monotonic_ns() - start) / CONNECTIONS


WAYS = {"IPv4, exempt": (SERVER4, CLIENT4B), "IPv6, exempt": (SERVER6, CLIENT6B)}
OPENED = dict(WAYS, **{"IPv4, inspected": (SERVER4, CLIENT4), "IPv6, inspected": (SERVER6, CLIENT6)})


def measure():
    """Twice; a boot's first round is dropped."""
    found = {}
    for _ in range(2):
        found = {"packet, " + k: packets(*v) for k, v in WAYS.items()}
        found.update({"connection, " + k: connections(*v) for k, v in OPENED.items()})
    return found


shell("lab_up")
Echo(SERVER4), Echo(SERVER6)
load(10)
few = measure()
with check(f"{N} prefixes in one transaction"):
    took = load(N)
    print(f"      {took:.1f} s of instructions", flush=True)
    text = run("router", "esmtpctl", "list", "exempt")
    same(N + 2, text.count(",") + 1)
    run("router", "esmtpctl", "check")
with check("every one of them is listed as it was written"):
    listed = set(dict(listing("exempt"))["exempt"])
    want = {str(ipaddress.ip_network(p)).removesuffix("/32").removesuffix("/128") for p in prefixes(N)}
    same(set(), want - listed)
    same({CLIENT4B, CLIENT6B}, listed - want)
many = measure()
for what, cost in few.items():
    with check(f"{what}: " + ("as with ten" if what.startswith("packet") else "at most 5 % more than with ten")):
        print(f"      {cost:.0f} instructions with 10 prefixes, {many[what]:.0f} with {N}", flush=True)
        assert many[what] < cost * (1.01 if what.startswith("packet") else 1.05), what
with check("one more at run time, one out of the middle, and away"):
    run("router", "esmtpctl", "add", "exempt", "198.51.100.1")
    run("router", "esmtpctl", "delete", "exempt", "198.51.100.1", CLIENT4B)
    text = run("router", "esmtpctl", "list", "exempt")
    assert "198.51.100.1" not in text and CLIENT4B not in text and CLIENT6B in text
    same(N + 1, text.count(",") + 1)
with check(f"another file in place of it, and {N} again"):
    load(10)
    load(N)
    run("router", "esmtpctl", "flush", "ruleset")
finish()
