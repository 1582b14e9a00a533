# SPDX-License-Identifier: GPL-2.0-only
"""What the Python tests share: the network of lib.sh, sockets in its namespaces, TCP ends that send
exactly the segments a test wants, counters, results."""
import contextlib
import ctypes
import fcntl
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
# A kernel that looks for faults of its own: several times slower, and what has locks in it is larger.
DEBUG_KERNEL = os.uname().release.endswith("-debug")
SLOWER = 4 if DEBUG_KERNEL else 1
CLIENT = {False: "10.0.1.2", True: "fd00:1::2"}
SERVER = {False: "10.0.2.2", True: "fd00:2::2"}
# Addresses that no kernel has: what is sent there only a Raw end answers.
RAW = {"client": {False: "10.0.1.77", True: "fd00:1::77"},
       "server": {False: "10.0.2.77", True: "fd00:2::77"}}
DEVICE = {"client": ("c0", "rc"), "server": ("s0", "rs")}

POLICY = """
policy default {
	banner mask
	tls deny
	stray-brackets blank
	match cmd line length > 512 drop log
	match cmd rcpt count > 100 drop log
	match body line length > 998 log
	match header line length > 998 drop log
	match sender-address length > 320 drop log
	match mime filename length > 255 drop log
	match ehlo-reply-parameter others mask
}
"""
# The same, but it resets where the other drops.
RESETTING = POLICY.replace(" drop log", " reset log")
MONITOR = "policy default {\n\tmode monitor\n\tbanner keep\n\tverbs any\n\ttls allow\n}\n"


def inspect(policy=POLICY, lines=""):
    return f"flush ruleset\n{policy}\ninspect {{\n\tdefault policy default\n{lines}\n}}\n"


#
# Namespaces.
#
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE = 33
_home = os.open("/proc/self/ns/net", os.O_RDONLY)


def _setns(fd):
    if libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def ns(name):
    """Sockets made and programs started inside belong to this namespace. Of this thread alone."""
    fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        _setns(fd)
    finally:
        os.close(fd)
    try:
        yield
    finally:
        _setns(_home)


def run(name, *command, text=None, check=True):
    with ns(name):
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def sh(script):
    """Commands of lib.sh."""
    done = subprocess.run(["bash", "-c", ". ./lib.sh\n" + script], cwd=HERE, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise AssertionError(f"{script}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def nft(text, name="router"):
    return run(name, "nft", "-f", "-", text=text)


def end_orphans():
    """Ends that nobody has open any more and that still send what was not answered do so no longer."""
    for end in "client", "server":
        run(end, "ss", "-tKH", "state", "fin-wait-1", "state", "closing", "state", "last-ack", check=False)


def rules(text, name="router"):
    """Loads a file. Connections that tests before have left to themselves may use too many older ones: then they go, their ends
    first, for without an entry what they send again is counted as nobody's."""
    out = run(name, "esmtpctl", "-f", "-", text=text, check=False)
    if "older configurations" in out:
        end_orphans()
        run(name, "conntrack", "-D", "-p", "tcp", check=False)
        out = run(name, "esmtpctl", "-f", "-", text=text)
    assert "Error" not in out, out
    return out


def up():
    """The network, with a way from the router to the Raw ends; lost packets are sent again soon."""
    sh("lab_up")
    for name, v4, v6 in ("client", "10.0.1.1", "fd00:1::1"), ("server", "10.0.2.1", "fd00:2::1"):
        run(name, "ip", "route", "change", "default", "via", v4, "rto_min", "30ms")
        run(name, "ip", "-6", "route", "change", "default", "via", v6, "rto_min", "30ms")
    neighbours()


def neighbours():
    """The router's way to the Raw ends; again when its links had another master."""
    for side, (dev, behind) in DEVICE.items():
        mac = ":".join(f"{b:02x}" for b in hardware(side, dev))
        for address in RAW[side].values():
            run("router", "ip", "neigh", "replace", address, "lladdr", mac, "dev", behind, "nud", "permanent")


def hardware(name, dev):
    with ns(name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        return fcntl.ioctl(s, 0x8927, struct.pack("16s16x", dev.encode()))[18:24]


#
# Counters, all in one: "held" of the module, "drop" of the policy, "event.pipe", "table.not-syn".
#
def counters(policy="default", name="router"):
    found = {}
    for entry in json.loads(run(name, "esmtpctl", "-j", "list", "counters"))["esmtp"]:
        if "module" in entry:
            found.update(entry["module"]["counters"])
            found["live"] = entry["module"]["connections"]
        if "counters" in entry and entry["counters"]["policy"] == policy:
            c = entry["counters"]
            found.update({"event." + k: v for k, v in c["events"].items()})
            found.update({k: v for k, v in c.items() if isinstance(v, int)})
            found["rules"] = [r["count"] for r in c["rules"]]
        if "table" in entry:
            found.update({"table." + k: v["packets"] for k, v in entry["table"].items()})
    return found


@contextlib.contextmanager
def grows(**want):
    """The counters named grow by so much; a tuple: at least and at most. _ stands for -, __ for a dot."""
    before = counters()
    yield
    after = counters()
    for key, by in want.items():
        key = key.replace("__", ".").replace("_", "-")
        grown = after[key] - before[key]
        low, high = by if isinstance(by, tuple) else (by, by)
        if not low <= grown <= high:
            other = {k: after[k] - v for k, v in before.items() if isinstance(v, int) and after[k] != v}
            raise AssertionError(f"counter {key} grew by {grown}, not {by}; grown are {other}")


@contextlib.contextmanager
def met(**matches):
    """A function that tells how many forwarded packets the nft match of this name has met."""
    nft("table inet met {\n" + "".join(f"chain {name} {{\ntype filter hook forward priority 0\n{match} counter\n}}\n"
                                       for name, match in matches.items()) + "}\n")
    try:
        yield lambda name: int(re.search(r"packets (\d+)", run("router", "nft", "list", "chain", "inet", "met",
                                                               name))[1])
    finally:
        run("router", "nft", "delete table inet met")


#
# The kernel's own TCP.
#
def family(v6):
    return socket.AF_INET6 if v6 else socket.AF_INET


def listen(name="server", v6=False, port=25, address=None):
    with ns(name):
        s = socket.socket(family(v6), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if v6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address or ("::" if v6 else "0.0.0.0"), port))
    s.listen(512)
    s.settimeout(20)
    return s


def connect(to, port=25, name="client", sport=0, source=None, timeout=20):
    v6 = ":" in to
    with ns(name):
        s = socket.socket(family(v6), socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.settimeout(timeout)
    if sport or source:
        s.bind((source or ("::" if v6 else "0.0.0.0"), sport))
    s.connect((to, port))
    return s


def joined(listener, to, **kw):
    """Both ends of a new connection: the client's, the server's."""
    c = connect(to, **kw)
    s, _ = listener.accept()
    s.settimeout(20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return c, s


def read(sock, n):
    """Exactly n bytes, or what there is until the end."""
    got = b""
    while len(got) < n:
        part = sock.recv(n - len(got))
        if not part:
            break
        got += part
    return got


def said(sender, data, receiver, want=None):
    """One end sends, the other receives it; want: as it is to look there."""
    want = data if want is None else want
    sender.sendall(data)
    got = read(receiver, len(want))
    same(got, want)


def at_length(sender, data, receiver, want=None, send=socket.socket.sendall):
    """The same for more than fits into sockets: the other end reads while it is sent."""
    thread = threading.Thread(target=send, args=(sender, data))
    thread.start()
    got = read(receiver, len(data))
    thread.join()
    same(got, data if want is None else want)


def greeted(c, s):
    """Greeting and HELO."""
    said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
    said(c, b"HELO c\r\n", s)
    said(s, b"250 mx\r\n", c)


def opened(listener, to, **kw):
    """joined() and greeted()."""
    c, s = joined(listener, to, **kw)
    greeted(c, s)
    return c, s


def mailed(c, s, message, send=socket.socket.sendall):
    """A mail, its content sent in one go and read byte for byte."""
    said(c, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\nDATA\r\n", s)
    said(s, b"250 ok\r\n250 ok\r\n354 go\r\n", c)
    at_length(c, message, s, send=send)
    said(s, b"250 ok\r\n", c)


def same(got, want, what="received"):
    if got == want:
        return
    at = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
    low = max(0, at - 40)
    raise AssertionError(f"{what} {len(got)} bytes, not {len(want)}; differs at {at}:\n"
                         f"  is    …{got[low:at + 60]!r}\n  wants …{want[low:at + 60]!r}")


def quiet(sock, seconds=0.5):
    """Nothing arrives and the connection stays open."""
    if select.select([sock], [], [], seconds)[0]:
        raise AssertionError(f"expected silence, but there is {sock.recv(100)!r}")


def is_reset(sock, seconds=10):
    """ECONNRESET comes, with nothing before it."""
    sock.settimeout(seconds)
    try:
        got = sock.recv(100)
    except ConnectionResetError:
        return
    except socket.timeout as e:
        raise AssertionError(f"no RST within {seconds} s") from e
    raise AssertionError(f"no RST but {got!r}")


#
# TCP by hand.
#
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = 1, 2, 4, 8, 16, 32, 64, 128
MSS, SCALE, SACK_OK, STAMP, MPTCP, FAST_OPEN = 2, 3, 4, 8, 30, 34     # options


def option(kind, data=b""):
    """One option, filled up with NOPs."""
    raw = bytes([kind, 2 + len(data)]) + data
    return raw + b"\1" * (-len(raw) % 4)


def reaches(a, b):
    """Sequence number a is b, or behind it."""
    return (a - b) & 0xffffffff < 1 << 31


def checksum(data):
    if len(data) & 1:
        data += b"\0"
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Segment:
    def __init__(self, raw, v6):
        if v6:
            length, at = struct.unpack_from(">H", raw, 4)[0] + 40, 40
            self.src, self.dst, proto = raw[8:24], raw[24:40], raw[6]
            self.tos = struct.unpack_from(">H", raw)[0] >> 4 & 0xff
        else:
            length, at = struct.unpack_from(">H", raw, 2)[0], (raw[0] & 15) * 4
            self.src, self.dst, proto, self.tos = raw[12:16], raw[16:20], raw[9], raw[1]
        self.tcp = proto == 6
        if not self.tcp:
            return
        self.extra = len(raw) - length      # bytes behind the packet's own end
        raw = raw[at:length]
        (self.sport, self.dport, self.seq, self.ack, off, self.flags, self.window, self.sum,
         self.urg) = struct.unpack_from(">HHIIBBHHH", raw)
        self.options, self.payload = raw[20:(off >> 4) * 4], raw[(off >> 4) * 4:]
        pseudo = self.src + self.dst + struct.pack(">II", len(raw), 6)
        self.sum_ok = checksum(pseudo + raw) == 0

    def option(self, kind):
        """The data of an option, or None."""
        at = 0
        while at < len(self.options) and self.options[at]:
            if self.options[at] == kind:
                return self.options[at + 2:at + self.options[at + 1]]
            at += 1 if self.options[at] == 1 else self.options[at + 1]
        return None

    def __repr__(self):
        flags = "".join(c for i, c in enumerate("FSRPAUEC") if self.flags & 1 << i)
        return f"<{flags} seq {self.seq} ack {self.ack} {self.payload[:60]!r}>"


class Raw:
    """One end of a TCP connection. Nothing is sent but what the test sends."""

    def __init__(self, side, sport, to, dport, isn=1000000, address=None):
        self.v6 = ":" in to
        self.side, self.sport, self.dport = side, sport, dport
        self.address = address or RAW[side][self.v6]
        self.src = socket.inet_pton(family(self.v6), self.address)
        self.dst = socket.inet_pton(family(self.v6), to)
        self.snd, self.rcv, self.isn = isn, 0, isn
        self.window = 65535     # as it stands in the header
        self.right = None       # or the window's right edge, which does not move by itself
        self.scale = 0          # then
        self.stamp = None       # of what is sent, once timestamps are in use
        self.echo = 0           # the peer's last
        self.early = []         # what came ahead of rcv: (start, end)
        self.strict = False     # checksums on the wire are complete
        dev, behind = DEVICE[side]
        self.proto = 0x86dd if self.v6 else 0x0800
        self.to = (dev, self.proto, 0, 0, hardware("router", behind))
        with ns(side):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        # It gets what comes for the others too, and a test may not read for a minute.
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 22)
        self.sock.bind((dev, self.proto))

    def close(self):
        self.sock.close()

    def packet(self, flags, data=b"", seq=None, ack=None, urg=0, options=b"", spoil=0, ip_options=b"", tos=0,
               window=None, stamp=True):
        """stamp: True for the timestamp that is due, else its value, or None for no such option."""
        seq = (self.snd if seq is None else seq) & 0xffffffff
        stamp = self.stamp if stamp is True else stamp
        if window is None:
            window = self.window if self.right is None else (self.right - self.rcv & 0xffffffff) >> self.scale
        if stamp is not None:
            options = b"\1\1" + struct.pack(">BBII", STAMP, 10, stamp & 0xffffffff, self.echo) + options
        ack = self.rcv if ack is None else ack
        if not flags & ACK:
            ack = 0
        raw = struct.pack(">HHIIBBHHH", self.sport, self.dport, seq, ack & 0xffffffff,
                          (20 + len(options)) // 4 << 4, flags, window, 0, urg) + options + data
        total = checksum(self.src + self.dst + struct.pack(">II", len(raw), 6) + raw) ^ spoil
        return self.ip(raw[:16] + struct.pack(">H", total) + raw[18:], 6, options=ip_options, tos=tos)

    def ip(self, raw, proto, options=b"", ident=0, frag=0x4000, tos=0):
        """options: IPv4's, or a whole extension header of IPv6 whose first byte is filled in."""
        if self.v6:
            if options:
                raw, proto = bytes([proto]) + options[1:] + raw, options[0]
            return struct.pack(">IHBB", 6 << 28 | tos << 20, len(raw), proto, 64) + self.src + self.dst + raw
        head = struct.pack(">BBHHHBBH", 0x45 + len(options) // 4, tos, 20 + len(options) + len(raw), ident, frag,
                           64, proto, 0) + self.src + self.dst + options
        return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + raw

    def fragments(self, packet, size, ident):
        """A packet in fragments of so many bytes."""
        head = 40 if self.v6 else 20
        proto, raw = packet[6 if self.v6 else 9], packet[head:]
        for at in range(0, len(raw), size):
            piece, more = raw[at:at + size], at + size < len(raw)
            if self.v6:
                yield self.ip(struct.pack(">BBHI", proto, 0, at | more, ident) + piece, 44)
            else:
                yield self.ip(piece, proto, ident=ident, frag=at // 8 | more << 13)

    def send(self, data=b"", flags=ACK | PSH, seq=None, fragments=None, ident=0, **kw):
        """A segment; without seq it is the next one. Moves on by what is new. fragments: in what order
        the list of fragments goes, each with so many bytes."""
        start = self.snd if seq is None else seq
        packet = self.packet(flags, data, seq, **kw)
        for one in fragments[1](list(self.fragments(packet, fragments[0], ident))) if fragments else [packet]:
            self.sock.sendto(one, self.to)
        end = start + len(data) + bool(flags & SYN) + bool(flags & FIN)
        if reaches(end, self.snd):
            self.snd = end & 0xffffffff

    def get(self, seconds=3):
        """The next segment of this connection, or None."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if not select.select([self.sock], [], [], max(0, left))[0]:
                return None
            raw, where = self.sock.recvfrom(1 << 17)
            if where[2] == socket.PACKET_OUTGOING:
                continue
            seg = Segment(raw, self.v6)
            if (seg.tcp and seg.src == self.dst and seg.dst == self.src and
                    (seg.sport, seg.dport) == (self.dport, self.sport)):
                stamp = seg.option(STAMP)
                self.echo = struct.unpack_from(">I", stamp)[0] if stamp else self.echo
                return seg

    def has(self, seg):
        """All of it was received before: its sender had not seen the ACK yet."""
        return reaches(self.rcv, seg.seq + len(seg.payload))

    def take(self, seg):
        """Moves on by a segment, and by what came before it and lies behind it."""
        self.early.append((seg.seq, seg.seq + len(seg.payload)))
        for _ in list(self.early):
            for start, end in self.early:
                if reaches(self.rcv, start) and not reaches(self.rcv, end):
                    self.rcv = end & 0xffffffff
        self.early = [(start, end) for start, end in self.early if not reaches(self.rcv, end)]

    def want(self, data=None, seconds=3, seq=None):
        """The next segment, which has this payload; seq: there, perhaps early, else it is the next one. What only
        acknowledges counts when there is to be no payload; what is repeated, where seq says so."""
        seg = self.get(seconds)
        while data and seg and not seg.flags & (SYN | RST | FIN) and (
                not seg.payload or (seq is None and self.has(seg))):
            seg = self.get(seconds)
        assert seg, f"no segment came to the {self.side}, expected was {data!r}"
        assert not seg.flags & RST, f"{self.side}: {seg}, expected was {data!r}"
        assert seg.sum_ok or not self.strict, f"{seg}: wrong checksum"
        if data is not None:
            same(seg.payload, data, f"the {self.side} received")
        if seq is not None:
            assert seg.seq == seq & 0xffffffff, f"{seg} is not at {seq}"
        elif seg.payload:
            assert seg.seq == self.rcv, f"{seg} is not at {self.rcv}"
        if seg.payload:
            self.take(seg)
        return seg

    def ack(self):
        self.send(flags=ACK)

    def silent(self, seconds=0.3):
        """No segment with payload, FIN or RST comes."""
        end = time.monotonic() + seconds
        while True:
            seg = self.get(max(0, end - time.monotonic()))
            if seg is None:
                return
            assert not seg.payload and not seg.flags & (RST | FIN), f"the {self.side} received {seg}"

    def reset(self, seconds=3, seq=None):
        """A RST comes, with the number that is expected."""
        end = time.monotonic() + seconds
        while True:
            seg = self.get(max(0, end - time.monotonic()))
            assert seg, f"no RST came to the {self.side}"
            if seg.flags & RST:
                break
            assert not seg.payload, f"no RST but {seg}"
        want = self.rcv if seq is None else seq & 0xffffffff
        assert seg.seq == want, f"{seg}: its number is not {want}"
        return seg

    def drain(self):
        while self.get(0):
            pass


_port = 30000


def raw_pair(v6=False, port=25, sport=None, client_isn=1000000, server_isn=2000000, room=None, **kw):
    """Two Raw ends, connected. room: the server takes so many bytes, and no more before it says so."""
    global _port
    _port += 1
    sport = sport or _port
    c = Raw("client", sport, RAW["server"][v6], port, client_isn)
    s = Raw("server", port, RAW["client"][v6], sport, server_isn)
    c.strict = s.strict = True
    if room is not None:
        s.right = client_isn + 1 + room
    handshake(c, s, **kw)
    return c, s


def half_raw(lst, v6, to=None, isn=1000000, want=b"220 ********\r\n", **kw):
    """A Raw client and a real server, greeted."""
    global _port
    _port += 1
    c = Raw("client", _port, to or SERVER[v6], 25, isn)
    handshake(c, None, **kw)
    s, _ = lst.accept()
    s.settimeout(10)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.sendall(b"220 mx ESMTP\r\n")
    c.want(want)
    c.ack()
    return c, s


def handshake(c, s, stamps=False, options=b"", answer=b""):
    """s: None for a real server, which answers by itself. stamps: timestamps are negotiated. options and
    answer stand on SYN and SYN/ACK."""
    c.stamp = 1000 if stamps else None
    c.send(flags=SYN, options=options)
    if s:
        seg = s.get()
        assert seg and seg.flags == SYN and not seg.payload, f"SYN: {seg}"
        s.rcv = (seg.seq + 1) & 0xffffffff
        s.stamp = 5000 if stamps else None
        s.send(flags=SYN | ACK, options=answer)
    seg = c.get()
    assert seg and seg.flags == SYN | ACK and not seg.payload, f"SYN/ACK: {seg}"
    c.rcv = (seg.seq + 1) & 0xffffffff
    if not s:
        return c.ack()
    c.ack()
    seg = s.get()
    assert seg and seg.flags == ACK, f"ACK: {seg}"


def talk(c, s, data, want=None, acked=True):
    """c sends data in one segment, s receives it, as want says, and acknowledges it."""
    c.send(data)
    s.want(data if want is None else want)
    if acked:
        s.ack()
        seg = c.get()
        assert seg and not seg.payload and seg.flags == ACK, f"ACK: {seg}"


def begin(c, s, greeting=b"220 mx ESMTP\r\n", want=b"220 ********\r\n"):
    """Greeting and HELO, all acknowledged."""
    talk(s, c, greeting, want)
    talk(c, s, b"HELO c\r\n")
    talk(s, c, b"250 mx\r\n")


def envelope(c, s):
    talk(c, s, b"MAIL FROM:<a@c.test>\r\n")
    talk(s, c, b"250 ok\r\n")
    talk(c, s, b"RCPT TO:<b@s.test>\r\n")
    talk(s, c, b"250 ok\r\n")


def content(c, s):
    """An envelope, and 354 to DATA."""
    envelope(c, s)
    talk(c, s, b"DATA\r\n")
    talk(s, c, b"354 go\r\n")


#
# Results.
#
def tests(*functions, before=None):
    """Runs functions, with another one before each; the name of each is the first line of its docstring."""
    failed = 0
    chosen = os.environ.get("ONLY")
    for f in functions:
        if chosen and chosen not in f.__name__:
            continue
        start, name = time.monotonic(), f.__doc__.split("\n")[0].rstrip(".")
        try:
            if before:
                before()
            f()
            line, why = f"ok {name}", ""
        except Exception:
            failed += 1
            line, why = f"not ok {name}", traceback.format_exc()
        print(f"{line} # {time.monotonic() - start:.1f} s", flush=True)
        for text in why.splitlines():
            print("    " + text, flush=True)
    sys.exit(1 if failed else 0)
