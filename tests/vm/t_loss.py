#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# clock: instructions
# limit: 3000
"""A mail of 20 MB over lossy lines: the helper costs no time.

Both lines of the lab go through relay.c: losses between client and router are holes and early segments for the helper,
those between router and server are repeats. The relay lets the bytes' positions decide, so a mail meets the same losses with the
helper and without it; time is executed instructions, idle time is skipped. What is left between two runs of one seed is
when things happen: a millisecond here moves TCP's timers and its congestion window there. Of about 150 losses each has its
share of that, and it averages out: runs of one seed without helper differ by about 3 %. A helper that drops
early segments takes four times as long."""
import hashlib
import random
import ssl
import subprocess
import threading
import time

import lab
from lab import SERVER, inspect, rules

SIZE, MSS = 20_000_000, 1448
# Of each of the two lines, in millionths and microseconds. From end to end 1 % is lost, 3 % comes later than what follows,
# and either direction takes 40 ms.
LOSS, REORDER, DELAY, EXTRA = 5000, 15000, 20000, 8000
AT_MOST = 1.15
TLS = lab.POLICY.replace("tls deny", "tls allow")


def message():
    """Lines of all lengths, some with dots in front."""
    rnd = random.Random(20)
    text = rnd.randbytes(SIZE // 2).hex().encode()
    lines, at = [b"Subject: 20 MB\r\n"], 0
    while at < len(text):
        n = rnd.randrange(1, 150)
        lines.append((b".." if rnd.random() < 0.02 else b"") + text[at:at + n])
        at += n
    return b"\r\n".join(lines) + b"\r\n.\r\n"


#
# The lines.
#
class Relay:
    """Both lines, while one connection lives."""

    def __init__(self, seed):
        command = ["/job/bin/relay"] + [str(n) for n in (seed, LOSS, REORDER, DELAY, EXTRA)] + ["c1:rc1", "rs1:s1"]
        with lab.ns("wire"):
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n", "the relay does not start"

    def stop(self):
        """What it did to the segments of each line, client to server; and in all."""
        self.process.terminate()
        out = self.process.communicate(timeout=60)[0]
        assert self.process.returncode == 0, f"the relay ended with {self.process.returncode}"
        found = []
        for text in out.splitlines():
            words = text.split()
            found.append({k: int(v) for k, v in zip(words[::2], words[1::2])})
        assert len(found) == 4 and not any(w["dropped"] for w in found), out
        return [w for w in found if not w["way"]]


def check_losses(ways):
    """On both lines, and together at least 1 % and 3 % of the mail's segments. The seeds were chosen so."""
    for w in ways:
        print(f"      line {w['pair']}: {w['segments']} segments, {w['lost']} lost, {w['late']} late, {w['overtaken']} "
              f"overtaken, {w['again']} sent again", flush=True)
        assert w["lost"] > 50 and w["late"] > 150 and w["overtaken"] > 100, w
    full = len(MAIL) / MSS
    assert sum(w["lost"] for w in ways) > 0.01 * full and sum(w["late"] for w in ways) > 0.03 * full, ways


#
# The ends: the kernel's own TCP, OpenSSL.
#
def line(sock):
    got = b""
    while not got.endswith(b"\r\n"):
        part = sock.recv(1 if not got else 4096)
        assert part, "the connection ended"
        got += part
    return got


def reply(sock):
    got = line(sock)
    while got.rsplit(b"\r\n", 2)[-2][3:4] == b"-":
        got += line(sock)
    return got


def say(sock, text, code):
    sock.sendall(text)
    got = reply(sock)
    assert got.startswith(code), f"{text}: {got}"


class Server(threading.Thread):
    def __init__(self, listener, tls, n):
        super().__init__(daemon=True)
        self.listener, self.tls, self.n, self.got, self.error = listener, tls, n, bytearray(n), None
        self.start()

    def run(self):
        try:
            self.serve()
        except Exception as e:      # for the client's thread to raise
            self.error = e

    def serve(self):
        s, _ = self.listener.accept()
        s.settimeout(None)
        s.sendall(b"220 mx ESMTP\r\n")
        while True:
            command = line(s)[:4].upper()
            if command == b"EHLO":
                s.sendall(b"250-mx\r\n250-SIZE 50000000\r\n250-STARTTLS\r\n250 PIPELINING\r\n")
            elif command == b"STAR":
                s.sendall(b"220 go\r\n")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain("/etc/ssl/test.pem", "/etc/ssl/test.key")
                s = context.wrap_socket(s, server_side=True)
            elif command == b"DATA":
                s.sendall(b"354 go\r\n")
                self.content(s)
                s.sendall(b"250 accepted\r\n")
            elif command == b"QUIT":
                s.sendall(b"221 bye\r\n")
                s.close()
                return
            else:
                s.sendall(b"250 ok\r\n")

    def content(self, s):
        view, at = memoryview(self.got), 0
        while at < self.n:
            n = s.recv_into(view[at:], min(self.n - at, 1 << 18))
            assert n, f"the connection ended after {at} bytes"
            at += n


def send(v6, tls, mail):
    """Seconds from the greeting's first byte to the reply to the message; the server's copy."""
    with lab.listen(v6=v6) as listener:
        listener.settimeout(None)
        server = Server(listener, tls, len(mail))
        c = lab.connect(SERVER[v6])
        c.settimeout(None)
        reply(c)
        start = time.monotonic()
        say(c, b"EHLO c\r\n", b"250")
        if tls:
            say(c, b"STARTTLS\r\n", b"220")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            c = context.wrap_socket(c)
            say(c, b"EHLO c\r\n", b"250")
        say(c, b"MAIL FROM:<a@c.test>\r\n", b"250")
        say(c, b"RCPT TO:<b@s.test>\r\n", b"250")
        say(c, b"DATA\r\n", b"354")
        c.sendall(mail)
        got = reply(c)
        seconds = time.monotonic() - start
        assert got == b"250 accepted\r\n", got
        say(c, b"QUIT\r\n", b"221")
        server.join(60)
        c.close()
        if server.error:
            raise server.error
        return seconds, server.got


def measured(seed, v6, tls, helper):
    """Seconds that the mail takes, and the counters that have grown."""
    rules(inspect(TLS if tls else lab.POLICY) if helper else "flush ruleset\n")
    before = lab.counters() if helper else {}
    relay = Relay(seed)
    seconds, got = send(v6, tls, MAIL)
    # The last acknowledgements are under way: what comes after the relay's end would trouble the next connection.
    time.sleep(3)
    ways = relay.stop()
    after = lab.counters() if helper else {}
    print(f"    seed {seed}, IPv{'64'[not v6]}, {'TLS' if tls else 'clear'}, {'with' if helper else 'no'} helper: {seconds:.2f} s",
          flush=True)
    check_losses(ways)
    assert hashlib.sha256(got).digest() == SUM, "another message arrived"
    return seconds, {k: after[k] - v for k, v in before.items() if isinstance(v, int) and after[k] != v}


def compared(seed, v6, tls):
    """Without the helper and with it; what it has counted."""
    without, _ = measured(seed, v6, tls, False)
    seconds, grown = measured(seed, v6, tls, True)
    print(f"      ratio {seconds / without:.3f}, counted: " + ", ".join(f"{k} {v}" for k, v in grown.items()), flush=True)
    assert grown["connections"] == 1, grown
    assert not {"conflict", "closed", "no-memory", "early-closed", "hole", "table.invalid"} & set(grown), grown
    assert seconds <= AT_MOST * without, f"{seconds:.1f} s, and {without:.1f} s without the helper"
    return grown


MAIL = message()
SUM = hashlib.sha256(MAIL).digest()


def test_clear():
    """a mail in clear takes as long with the helper as without it"""
    for seed, v6 in (5, False), (20, True):
        grown = compared(seed, v6, False)
        assert grown["bytes"] > len(MAIL) and grown["repeat"] > 40, grown
        assert grown.get("early-passed", 0) > 200, grown


def test_tls():
    """a mail inside TLS takes as long with the helper as without it"""
    grown = compared(21, True, True)
    assert grown["event.tls-started"] == 1 and grown["bytes"] < 1000, grown


if __name__ == "__main__":
    lab.sh("lab_up relayed; offloads off")
    for name in "client", "server":
        # What one connection has learnt about the way must not help the next.
        lab.run(name, "sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1")
    lab.tests(test_clear, test_tls)
