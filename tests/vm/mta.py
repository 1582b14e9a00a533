# SPDX-License-Identifier: GPL-2.0-only
"""What the tests about mail share: a client and a server with nothing between the test and the wire, Postfix's
mailboxes and log, counters over a time, events, results.

A process is expensive in the VM and a socket is not: one process plays clients and servers in all namespaces.
"""
import contextlib
import errno
import hashlib
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
import traceback

from lab import ns as inside
from lab import sh as shell

CLIENT4, CLIENT6, CLIENT4B, CLIENT6B = "10.0.1.2", "fd00:1::2", "10.0.1.3", "fd00:1::3"
SERVER4, SERVER6, SERVER4B, SERVER6B = "10.0.2.2", "fd00:2::2", "10.0.2.3", "fd00:2::3"
ROUTER4, ROUTER6 = "10.0.1.1", "fd00:1::1"		# towards the client
INNER4, INNER6 = "10.0.2.1", "fd00:2::1"		# towards the server
SOURCE6 = {"client": CLIENT6, "server": SERVER6}	# of several the kernel would take the newest
CONF = "/etc/esmtp.conf"


class Failed(Exception):
    """A command ended with an error, or without one where it should have."""


def run(name, *argv, stdin="", fails=False):
    """Output of a command in a namespace; with fails=True it must fail, and what it complains of is returned."""
    with inside(name):
        p = subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)
    if fails != (p.returncode != 0):
        raise Failed(f"{' '.join(argv)}: exit code {p.returncode}\n{p.stdout}{p.stderr}")
    return p.stderr if fails else p.stdout


#
# Results.
#
_since = time.monotonic()
failures = 0


def _result(line):
    global _since
    up = time.monotonic()
    print(f"{line} # {up - _since:.1f} s", flush=True)
    _since = up


def ok(name):
    _result(f"ok {name}")


def not_ok(name, *lines):
    global failures
    failures += 1
    _result(f"not ok {name}")
    for text in lines:
        for line in str(text).splitlines():
            print("    " + line, flush=True)


def equal(name, want, got):
    if want == got:
        ok(name)
    else:
        not_ok(name, f"expected: {want!r}", f"found:    {got!r}")


def same(want, got, what="found"):
    """Inside a check."""
    assert want == got, f"{what}: {got!r}\nexpected: {want!r}"


@contextlib.contextmanager
def check(name):
    """One result: ok unless what is done here raises an exception."""
    try:
        yield
    except (AssertionError, Failed, OSError, EOFError, ValueError, LookupError) as e:
        where = " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}"
                           for f in reversed(traceback.extract_tb(e.__traceback__)))
        not_ok(name, f"{type(e).__name__}: {e}", "at " + where)
    else:
        ok(name)


def finish():
    sys.exit(1 if failures else 0)


def wait_for(seconds, condition, *args):
    """Until it returns something true, which is returned."""
    end = time.monotonic() + seconds
    while True:
        got = condition(*args)
        if got:
            return got
        assert time.monotonic() < end, f"{getattr(condition, '__name__', condition)}: not within {seconds} s"
        time.sleep(0.05)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


#
# The client's side.
#
class Client:
    """Sends what it is told and tells what it sees."""

    def __init__(self, host, name="client", source=None, timeout=30, port=25):
        with inside(name):
            self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        source = source or SOURCE6.get(name) if ":" in host else source
        if source:
            self.sock.bind((source, 0))
        self.sock.connect((host, port))
        self.timeout = timeout
        self.buffer = b""
        self.sent = self.received = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        self.sock.sendall(data)
        self.sent += len(data)

    def line(self):
        while b"\n" not in self.buffer:
            got = self.sock.recv(65536)
            if not got:
                raise EOFError("the connection has ended")
            self.received += len(got)
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r").decode("latin-1")

    def reply(self):
        """One reply, its lines joined by newlines."""
        lines = [self.line()]
        while lines[-1][3:4] == "-":
            lines.append(self.line())
        return "\n".join(lines)

    def say(self, line):
        """A command; returns its reply."""
        self.send(line + "\r\n")
        return self.reply()

    def expect(self, code, line=None):
        """Greeting, or the reply to a command: its code must begin so."""
        got = self.reply() if line is None else self.say(line)
        assert got.startswith(str(code)), f"{got!r} to {line!r}, not {code}"
        return got

    def type(self, line):
        """Letter by letter, each in a packet of its own."""
        for c in (line + "\r\n").encode():
            self.send(bytes([c]))
            time.sleep(0.01)
        return self.reply()

    def hello(self, name="client.test"):
        self.expect(220)
        return self.expect(250, "EHLO " + name)

    def mail(self, content, sender="a@client.test", to=("user1@server.test",)):
        """One message: content with CR LF, without the dot. Returns the last reply."""
        self.expect(250, f"MAIL FROM:<{sender}>")
        for rcpt in to:
            self.expect(250, f"RCPT TO:<{rcpt}>")
        self.expect(354, "DATA")
        self.send(stuffed(content))
        return self.expect(250)

    def quit(self):
        self.expect(221, "QUIT")
        assert not self.sock.recv(1), "more behind 221"

    def ending(self, seconds):
        """What one sees: silence, reset, end, or bytes."""
        if self.buffer:
            return repr(self.buffer)
        self.sock.settimeout(seconds)
        try:
            got = self.sock.recv(65536)
        except socket.timeout:
            return "silence"
        except ConnectionResetError:
            return "reset"
        finally:
            self.sock.settimeout(self.timeout)
        return repr(got) if got else "end"


def stuffed(content):
    """As DATA wants it: dots doubled, and the dot behind."""
    assert content.endswith(b"\r\n")
    return re.sub(rb"(?m)^\.", b"..", content) + b".\r\n"


def unstuffed(wire):
    assert wire.endswith(b"\r\n.\r\n")
    return re.sub(rb"(?m)^\.\.", b".", wire[:-3])


#
# The server's side.
#
class Session:
    """What a server got on one connection."""

    def __init__(self, sock, peer):
        self.sock, self.peer = sock, peer
        self.data = b""			# everything
        self.lines = []			# commands
        self.messages = []		# contents as they came, the last dot included
        self.sent = 0
        self.ended = None		# "end", "reset"

    def wait(self, seconds=20):
        wait_for(seconds, lambda: self.ended)
        return self.ended


EHLO = ("server.test", "PIPELINING", "SIZE 52428800", "VRFY", "ETRN", "STARTTLS", "AUTH PLAIN LOGIN",
        "ENHANCEDSTATUSCODES", "8BITMIME", "DSN", "SMTPUTF8", "CHUNKING")
EHLO_MASKED = 3


class Server:
    """Takes everything and tells the test exactly what it was."""

    def __init__(self, name="server", port=25, greeting="220 server.test ESMTP\r\n", ehlo=EHLO):
        self.greeting, self.ehlo, self.sessions = greeting, ehlo, []
        with inside(name):
            self.listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("::", port))
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # A thread in accept() holds it open: the listening has to end first.
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def session(self, n=-1):
        return self.sessions[n]

    def _accept(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except OSError:
                return
            s = Session(sock, peer[0].replace("::ffff:", ""))
            self.sessions.append(s)
            threading.Thread(target=self._serve, args=(sock, s), daemon=True).start()

    def _serve(self, sock, s):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._talk(sock, s)
            s.ended = "end"
        except ConnectionResetError:
            s.ended = "reset"
        except OSError as e:
            s.ended = errno.errorcode.get(e.errno, str(e))
        finally:
            sock.close()

    def _talk(self, sock, s):
        rest, content, seen = bytearray(), False, 0
        self._send(sock, s, self.greeting)
        while True:
            got = sock.recv(262144)
            if not got:
                return
            s.data += got
            rest += got
            out = ""
            while True:
                if content:
                    at = 0 if rest.startswith(b".\r\n") else rest.find(b"\r\n.\r\n", max(0, seen - 4)) + 2
                    if at == 1:
                        seen = len(rest)
                        break
                    s.messages.append(bytes(rest[:at + 3]))
                    del rest[:at + 3]
                    content, seen = False, 0
                    out += "250 2.0.0 taken\r\n"
                    continue
                line, lf, _ = rest.partition(b"\n")
                if not lf:
                    break
                del rest[:len(line) + 1]
                line = line.rstrip(b"\r").decode("latin-1")
                s.lines.append(line)
                out += self.answer(line)
                content = line[:4].upper() == "DATA"
                if line[:4].upper() == "QUIT":
                    self._send(sock, s, out)
                    return
            if out:
                self._send(sock, s, out)

    @staticmethod
    def _send(sock, s, text):
        s.sent += len(text)
        sock.sendall(text.encode())

    def answer(self, line):
        verb = line[:4].upper()
        if verb == "EHLO":
            return "".join(f"250{'-' if n + 1 < len(self.ehlo) else ' '}{k}\r\n" for n, k in enumerate(self.ehlo))
        if verb == "DATA":
            return "354 go on\r\n"
        if verb == "QUIT":
            return "221 2.0.0 bye\r\n"
        if verb in ("HELO", "MAIL", "RCPT", "RSET", "NOOP", "VRFY", "HELP", "ETRN"):
            return "250 2.0.0 fine\r\n"
        return "502 5.5.2 not known\r\n"


#
# The module and its tool.
#
def rules(text=None, name="router"):
    """Put a configuration into force, the shipped one unless given. Returns what the tool says."""
    if text is None:
        return run(name, "esmtpctl", "-f", CONF)
    return run(name, "esmtpctl", "-f", "/dev/stdin", stdin=text)


def conf():
    with open(CONF, encoding="utf-8") as f:
        return f.read()


def listing(*what, name="router"):
    """Objects of a listing as (kind, object)."""
    found = json.loads(run(name, "esmtpctl", "-j", "list", *what))["esmtp"]
    return [item for o in found for item in o.items() if item[0] != "metainfo"]


def counters(name="router"):
    """{ "default.connections": n, "default.events.pipe": n, "default.rule.4": n, "module.early": n, … }"""
    flat = {}
    for kind, o in listing("counters", name=name):
        if kind == "counters":
            policy = o["policy"]
            for key, value in o.items():
                if isinstance(value, int) and key != "slot":
                    flat[f"{policy}.{key}"] = value
            for key, value in o["events"].items():
                flat[f"{policy}.events.{key}"] = value
            for n, rule in enumerate(o["rules"], 1):
                flat[f"{policy}.rule.{n}"] = rule["count"]
        elif kind == "module":
            for key, value in o["counters"].items():
                flat[f"module.{key}"] = value
        elif kind == "table":
            for key, value in o.items():
                flat[f"table.{key}"] = value["packets"]
    return flat


# What depends on how TCP cuts, repeats and, with two CPUs, reorders, not on what was said.
VAGUE = re.compile(r"\.(packets|bytes|drop|reset-drop)$|"
                   r"^module\.(repeat|rewritten|held|tombstone|rst-sent|early|early-passed)$|^table\.")
# An ACK that another CPU overtook is older than what its receiver has: seldom, and of no consequence.
OVERTAKEN, OVERTAKEN_OF_CONNECTIONS = 2, 0.05


class Counted:
    """Counters over a time: none may move but those that are named, and those in VAGUE."""

    def __init__(self, name="router"):
        self.name = name
        self.before = counters(name)

    def moved(self):
        now = counters(self.name)
        diff = {k: v - self.before.get(k, 0) for k, v in now.items() if v != self.before.get(k, 0)}
        self.before = now
        return diff

    def exactly(self, title, want):
        """One result. The number of events is that of the rules, and each that is closed is one terminated. Returns all that
        has moved."""
        want = {k: v for k, v in want.items() if v}
        want.update({k.replace(".closed", ".events.terminated"): v for k, v in want.items() if k.endswith(".closed")})
        for policy in {k.split(".")[0] for k in want if ".rule." in k}:
            want[policy + ".events.rule"] = sum(v for k, v in want.items() if k.startswith(policy + ".rule."))
        try:
            diff = self.moved()
        except (Failed, ValueError, LookupError) as e:
            not_ok(title, e)
            return {}
        connections = sum(v for k, v in want.items() if k.endswith(".connections"))
        if diff.get("module.stale", 0) <= OVERTAKEN + connections * OVERTAKEN_OF_CONNECTIONS:
            diff.pop("module.stale", None)
        equal(title, want, {k: diff[k] for k in sorted(diff) if k in want or not VAGUE.search(k)})
        return diff


class Monitor:
    """esmtpctl monitor, from now on. closings: also the 507003 that each connection has that is closed."""

    def __init__(self, *options, name="router", closings=False):
        self.closings = closings
        with inside(name):
            # pylint: disable-next=consider-using-with
            self.process = subprocess.Popen(["esmtpctl", *options, "monitor"], stdout=subprocess.PIPE,
                                            stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = b""
        # Events before it is a member of the group would be missed.
        wait_for(20, self._listens)

    def _listens(self):
        assert self.process.poll() is None, f"monitor ended: {self.process.stdout.read()!r}"
        with open(f"/proc/{self.process.pid}/net/netlink", encoding="ascii") as f:
            rows = [line.split() for line in f][1:]
        return any(r[1] == "16" and r[2] == str(self.process.pid) and int(r[3], 16) for r in rows)

    def lines(self, n, seconds=10):
        """Waits until there are that many; all that have come."""
        end = time.monotonic() + seconds
        while self.text.count(b"\n") < n and time.monotonic() < end:
            if select.select([self.process.stdout], [], [], 0.2)[0]:
                got = self.process.stdout.read()
                if not got:
                    break
                self._add(got)
        time.sleep(0.2)
        self._add(self.process.stdout.read() or b"")
        return self.text.decode().splitlines()

    def lines_with(self, words):
        """Waits until there is one with these words; all such."""
        end = time.monotonic() + 20
        n, found = 1, []
        while not found and time.monotonic() < end:
            lines = self.lines(n, 1)
            n, found = len(lines) + 1, [line for line in lines if words in line]
        return found

    def _add(self, got):
        self.text += got
        if not self.closings:
            self.text = b"".join(x for x in self.text.splitlines(keepends=True) if b"507003: tcp flow" not in x or
                                 not x.endswith(b"\n"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def helpers(name="router"):
    """The helper of each connection of port 25 there, "" without."""
    found = []
    for family in ("ipv4", "ipv6"):
        for line in run(name, "conntrack", "-L", "-f", family, "-p", "tcp").splitlines():
            if re.search(r"[sd]port=25\b", line):
                m = re.search(r"helper=(\S+)", line)
                found.append(m.group(1) if m else "")
    return found


#
# Mail that has arrived at a Postfix of lib.sh.
#
def users(*names):
    """Postfix delivers to users that exist. adduser takes seconds here."""
    with open("/etc/passwd", "a", encoding="ascii") as f:
        for n, name in enumerate(names, 3000):
            f.write(f"{name}:x:{n}:{n}::/nonexistent:/usr/sbin/nologin\n")


def mailbox(user, name="server"):
    try:
        with open(f"/var/mail-{name}/{user}", "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def mails(user, name="server"):
    return len(re.findall(rb"(?m)^From ", mailbox(user, name)))


def last_mail(user, name="server"):
    """The newest message with all its headers, with CR LF."""
    text = mailbox(user, name)
    at = text.rfind(b"\nFrom ")
    text = text[at + 1:] if at >= 0 else text
    assert text.endswith(b"\n\n"), text[-40:]
    return text[:-1].replace(b"\n", b"\r\n")


def arrived(user, n, seconds=30, name="server"):
    """Waits for the n-th message; that one."""
    wait_for(seconds, lambda: mails(user, name) >= n and mailbox(user, name).endswith(b"\n\n"))
    same(n, mails(user, name), "messages")
    return last_mail(user, name)


def maillog(name="server"):
    with open(f"/var/log/mail-{name}.log", encoding="utf-8", errors="replace") as f:
        return f.read()


def csum_errors(name):
    """Segments that TCP there has refused for their checksum."""
    rows = [line.split() for line in run(name, "cat", "/proc/net/snmp").splitlines() if line.startswith("Tcp:")]
    return int(rows[1][rows[0].index("InCsumErrors")])
