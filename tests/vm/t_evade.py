#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands evade/cases.c
"""TCP evasions, judged from outside: random schedules, and fixed cases for each known way (tests/vm/evade).

ESMTP_SEED=N repeats a run; MINUTES=N plays random schedules for so long and nothing else."""
# limit: 1200
import os
import re
import socket
import subprocess
import sys
import threading
import time

import lab
from lab import ACK, PSH, SERVER, SYN, begin, joined, listen, quiet, read, said, same, talk

SEED = os.environ.get("ESMTP_SEED") or str(time.time_ns() // 1000000)
MINUTES = int(os.environ.get("MINUTES") or 0)
SCHEDULES = 200 if lab.DEBUG_KERNEL else 1000
# Without the rules that close a connection for lengths: only TCP gives reasons to.
POLICY = """
policy default {
	banner mask
	tls deny
	verbs { auth, bdat, data, ehlo, etrn, helo, help, mail, noop, quit, rcpt, rset, saml, send, soml, vrfy }
	match body line length > 998 log
	match ehlo-reply-parameter others mask
}
"""
# Tiny segments over IPv4 without timestamps go by the router's back door: nobody inspects them. (Packets of 41 to 43
# bytes; those of 40 bear no data, those of 44 are SYNs.)
WEAK = """
qdisc add dev rc ingress
""" + "".join(f"filter add dev rc parent ffff: protocol ip u32 match ip protocol 6 0xff match ip dport 25 0xffff "
              f"match u16 {value} {mask} at 2 action mirred egress redirect dev rs\n"
              for value, mask in (("0x0029", "0xffff"), ("0x002a", "0xfffe")))
MESSAGE = b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\nSTARTTLS\r\n" * 4000 + b".\r\n"


next_port = "10000"


def evade(*words, text=None):
    """A client port comes again when all others had their turn. For 200 s the server may hold a socket in LAST_ACK, and an
    entry that a stray SYN has left in SYN_SENT is blind for 120 s to a SYN with a lower number."""
    global next_port
    done = subprocess.run(["/job/evade", "--port", next_port, *words], input=text, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    end = re.search("^next port ([0-9]+)$", done.stdout, re.M)
    assert end, f"exit code {done.returncode}\n{done.stdout}"
    next_port = end[1]
    return done.returncode, done.stdout


def tcp_counters():
    """What the server's kernel and the router's conntrack say of themselves, for who looks for why a schedule failed."""
    found = {}
    for name in "snmp", "netstat":
        lines = lab.run("server", "cat", "/proc/net/" + name).splitlines()
        for keys, values in zip(lines[::2], lines[1::2]):
            if "Tcp" in keys:
                found.update(zip(keys.split()[1:], map(int, values.split()[1:])))
    for line in lab.run("router", "conntrack", "-S").splitlines():
        for name, value in re.findall(r"([a-z_]+)=(\d+)", line):
            if name != "cpu":
                found[name] = found.get(name, 0) + int(value)
    return found


def random_schedules(offloads, *words):
    lab.sh("offloads " + offloads)
    before, kernels = lab.counters(), tcp_counters()
    code, text = evade("--seed", SEED, *words)
    after = lab.counters()
    if code:
        text += f"server and conntrack: {({k: v - kernels[k] for k, v in tcp_counters().items() if v != kernels[k]})}\n"
    grown = {k: v - before[k] for k, v in after.items() if isinstance(v, int) and v != before[k]}
    last = [x for x in text.splitlines() if x.startswith("seed ")]
    print(f"# offloads {offloads}: {''.join(last)}\n# {grown}", flush=True)
    assert not code, f"exit code {code}\n{text}"


def test_random_on():
    """random schedules, offloads on: nothing uninspected is read, every connection comes to its end"""
    random_schedules("on", "--count", str(SCHEDULES // 2))


def test_random_off():
    """random schedules, offloads off: nothing uninspected is read, every connection comes to its end"""
    random_schedules("off", "--from", str(SCHEDULES // 2), "--count", str(SCHEDULES // 2))


def test_soak():
    """random schedules for as long as was asked for"""
    start, failed = 0, []
    end = time.monotonic() + MINUTES * 60
    while time.monotonic() < end:
        seconds = min(60, max(1, int(end - time.monotonic())))
        try:
            random_schedules("off" if start // 1000000 % 2 else "on", "--from", str(start), "--seconds", str(seconds))
        except AssertionError as e:
            failed.append(str(e))
            print(e, flush=True)
        start += 1000000
    assert not failed, "\n".join(failed)


def test_fixed():
    """the fixed cases were all tried"""
    code, text = evade("--cases")
    print(text, end="", flush=True)
    assert code in range(0, 100) and len(re.findall("^(?:not )?ok ", text, re.M)) >= 30, code


def mac_of(name, dev):
    return ":".join(f"{b:02x}" for b in lab.hardware(name, dev))


def move_server(mac):
    """The server's address on the wire."""
    lab.run("server", "ip", "link", "set", "s0", "address", mac)
    lab.run("router", "ip", "neigh", "flush", "dev", "rs")


def test_weak_set_up():
    """a way round the module is found, made small, and found again by what was printed"""
    lab.sh("offloads on")
    own = mac_of("server", "s0")
    move_server(mac_of("router", "rc"))     # what is only redirected keeps the address that it was sent to
    lab.run("router", "tc", "-b", "-", text=WEAK)
    try:
        code, text = evade("--seed", "1", "--family", "4", "--count", "60")
        assert code == 1 and "failed: schedule" in text, f"exit code {code}\n{text}"
        shrunk = min((x.split("\n---")[0] for x in text.split("as small as it still fails\n--- ")[1:]), key=len)
        why, schedule = shrunk.split("\nschedule ", 1)
        schedule = "schedule " + schedule
        print("# found: " + shrunk.replace("\n", "\n#   "))
        assert schedule.count("\nseg ") <= 12 and schedule.count("\nstage ") <= 8, text
        # Where it hangs on how the true bytes are repeated, not every time.
        assert any(evade("--schedule", "-", text=schedule)[0] == 1 for _ in range(5)), "what was printed does not fail"
    finally:
        lab.run("router", "tc", "qdisc", "del", "dev", "rc", "ingress")
        move_server(own)
    code, text = evade("--schedule", "-", text=schedule)
    assert code == 0, f"it fails without the back door, too: {why}\n{text}"


def test_other_end_of_data():
    """a DATA whose line ends elsewhere, for other bytes were first: content too ends elsewhere, and is closed for others"""
    cut = "".join(f"seg {n} 1\n" for n in range(5))
    for fam in 4, 6:
        text = f"family {fam}\nisn 1000000\nstage \"DATA\\r\\n\"\n{cut}" \
               'seg 0 6 other "D\\r\\nXEX"\nstage ".\\r\\n"\nstage "QUIT\\r\\n"\nseg 2 3 other "XEX"\n'
        with lab.grows(conflict=1):
            code, said_ = evade("--schedule", "-", text=text)
        assert code == 0, said_


#
# What a schedule cannot say.
#
def test_syn_data():
    """commands on a SYN, on a SYN/ACK and by TCP Fast Open are not read uninspected"""
    for v6 in False, True:
        lab._port += 1
        c = lab.Raw("client", lab._port, lab.RAW["server"][v6], 25)
        s = lab.Raw("server", 25, lab.RAW["client"][v6], lab._port, 5000)
        c.send(b"STARTTLS\r\n", flags=SYN, seq=c.isn)
        assert s.want(b"").flags == SYN
        s.rcv = c.snd = c.isn + 1
        s.send(b"220 mx ESMTP\r\n", flags=SYN | ACK)
        assert c.want(b"").flags == SYN | ACK
        c.rcv = s.snd = s.isn + 1
        c.ack()
        begin(c, s)
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
    for name in "client", "server":
        lab.run(name, "sysctl", "-qw", "net.ipv4.tcp_fastopen=1543")
    for v6 in False, True:
        with listen(v6=v6) as lst:
            with lab.ns("client"):
                c = socket.socket(lab.family(v6))
            c.settimeout(20)
            c.sendto(b"STARTTLS\r\n", socket.MSG_FASTOPEN, (SERVER[v6], 25))
            s, _ = lst.accept()
            s.settimeout(20)
            same(read(s, 10), b"XXXXXXXX\r\n")
            c.close()
            s.close()


def test_other_handshakes():
    """simultaneous open and open by four segments: what goes through is inspected"""
    for v6 in False, True:
        for four in False, True:
            lab._port += 1
            c = lab.Raw("client", lab._port, lab.RAW["server"][v6], 25)
            s = lab.Raw("server", 25, lab.RAW["client"][v6], lab._port, 5000)
            c.send(flags=SYN)
            s.rcv = c.isn + 1
            s.get()
            if four:
                s.send(flags=ACK)
            s.send(flags=SYN)
            c.get(0.3)
            c.rcv, s.snd = s.isn + 1, s.isn + 1
            c.send(flags=SYN | ACK, seq=c.isn)
            c.snd = c.isn + 1
            s.get(0.3)
            s.send(flags=ACK)
            c.send(flags=ACK)
            c.drain()
            s.drain()
            unread(s, c, b"220 mx ESMTP\r\n", b"220 ********\r\n")
            unread(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def unread(a, b, data, want):
    """What a says reaches b as it is wanted, or not at all."""
    for _ in range(3):
        a.send(data, seq=a.snd)
        a.snd = (a.snd - len(data)) & 0xffffffff
        seg = b.get(0.2)
        while seg:
            assert seg.payload in (b"", want), f"{seg}"
            seg = b.get(0.1)
    a.snd = (a.snd + len(data)) & 0xffffffff
    b.rcv = a.snd


def test_fragments():
    """overlapping fragments, and fragments of an MTU of 68: the server reads what was inspected"""
    good, evil = b"NOOP abcdefghijklmnopqrstuvwxyz\r\n", b"STARTTLS\r\nMAIL FROM:<a@c.test>\r\n"
    idents = iter(range(1, 10000))
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s = half_raw(lst, v6)
            size = 24 if v6 else 16
            for order in range(6):
                ident = next(idents)
                pieces = [list(c.fragments(c.packet(ACK | PSH, data), size, ident)) for data in (good, evil)]
                mixed = pieces[0][:1] + pieces[1][1:] + pieces[0][1:] if order % 2 else pieces[1][:2] + pieces[0]
                for one in mixed[order:] + mixed[:order]:
                    c.sock.sendto(one, c.to)
                s.settimeout(0.3)
                try:
                    got = s.recv(100)
                except TimeoutError:
                    got = b""
                assert got in (b"", good, b"XXXXXXXX\r\n" + evil[10:]), got
                s.settimeout(10)
                c.snd += len(got)
                c.drain()
            line = b"STARTTLS " + b"z" * 200 + b"\r\n"
            for order in (lambda f: f), (lambda f: f[::-1]), (lambda f: f[1::2] + f[::2]):
                # 68 bytes: 48 behind the header of IPv4, of IPv6 with that of fragments 24 at least.
                c.send(line, fragments=(24 if v6 else 48, order), ident=next(idents))
                same(read(s, len(line)), b"X" * (len(line) - 2) + b"\r\n")
                c.drain()
            s.close()


def half_raw(lst, v6):
    """A client by hand and a real server, greeted."""
    lab._port += 1
    c = lab.Raw("client", lab._port, SERVER[v6], 25)
    c.send(flags=SYN)
    c.rcv = c.want(b"").seq + 1
    c.ack()
    s, _ = lst.accept()
    s.settimeout(10)
    s.sendall(b"220 mx ESMTP\r\n")
    c.want(b"220 ********\r\n")
    c.ack()
    return c, s


def test_big_packets():
    """packets of up to 64 KiB, made by GSO or put together by GRO, are inspected whole"""
    for on in ("on", "off"):
        lab.sh("offloads " + on)
        if on == "off":
            lab.run("router", "ethtool", "-K", "rc", "gro", "on")
        for v6 in False, True:
            with listen(v6=v6) as lst:
                c, s = joined(lst, SERVER[v6])
                said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
                lines = b"NOOP\r\n" * 3000 + b"STARTTLS\r\n" * 3000
                sender = threading.Thread(target=c.sendall, args=(lines + b"DATA\r\n" + MESSAGE,))
                sender.start()
                same(read(s, len(lines) + 6), lines.replace(b"STARTTLS", b"XXXXXXXX") + b"DATA\r\n")
                quiet(s, 0.2)
                said(s, b"250 ok\r\n" * 3000 + b"500 what\r\n" * 3000 + b"354 go\r\n", c)
                same(read(s, len(MESSAGE)), MESSAGE)
                sender.join()
                c.close()
                s.close()
    lab.sh("offloads on")


def test_midstream():
    """what begins in the middle, or is seen in one direction only, does not pass"""
    for v6 in False, True:
        lab._port += 1
        c = lab.Raw("client", lab._port, lab.RAW["server"][v6], 25)
        s = lab.Raw("server", 25, lab.RAW["client"][v6], lab._port, 5000)
        c.rcv, s.rcv = s.isn + 1, c.isn + 1
        for _ in range(3):
            c.send(b"STARTTLS\r\n", seq=c.isn + 1)
            s.send(b"220 mx ESMTP\r\n", seq=s.isn + 1)
            c.send(flags=SYN | ACK, seq=c.isn)
        for one in c, s:
            seg = one.get(0.3)
            assert seg is None, f"{seg}"
        # A SYN, and then the client alone: the server's answers take another way.
        lab._port += 1
        c = lab.Raw("client", lab._port, lab.RAW["server"][v6], 25)
        s = lab.Raw("server", 25, lab.RAW["client"][v6], lab._port, 5000)
        c.send(flags=SYN)
        s.want(b"")
        c.rcv = s.isn + 1
        c.send(flags=ACK)
        unread(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def set_up():
    lab.up()
    lab.rules(f"flush ruleset\n{POLICY}\ninspect {{\n\tports {{ 25, 26 }}\n\tdefault policy default\n}}\n")
    # Thousands of connections in a minute, each with its entry.
    lab.run("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=5")
    # Whatever the server finds odd it answers at once, as often as it comes.
    for name, value in ("tcp_invalid_ratelimit", "0"), ("tcp_challenge_ack_limit", "1000000"):
        lab.run("server", "sysctl", "-qw", f"net.ipv4.{name}={value}")


if __name__ == "__main__":
    print(f"# ESMTP_SEED={SEED}", flush=True)
    set_up()
    if MINUTES:
        lab.tests(test_soak)
    lab.tests(test_fixed, test_random_on, test_random_off, test_weak_set_up,
              test_other_end_of_data, test_syn_data, test_other_handshakes,
              test_fragments, test_big_packets, test_midstream)
