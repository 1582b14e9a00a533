# SPDX-License-Identifier: GPL-2.0-only
"""Generic netlink by hand: messages as they are on the wire, refusals with all they say."""
import errno
import os
import re
import socket
import struct

NETLINK_GENERIC = 16
SOL_NETLINK, ADD_MEMBERSHIP, CAP_ACK, EXT_ACK = 270, 1, 10, 11
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP = 1, 2, 4, 16, 0x300
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_F_NESTED = 1 << 15
GENL_ID_CTRL, CTRL_CMD_GETFAMILY = 16, 3


def header_enums(path):
    """Every enum and every plain number of the uapi header, by name."""
    text = re.sub(r"/\*.*?\*/", "", open(path, encoding="utf-8").read(), flags=re.S)
    names = {}
    for name, value in re.findall(r"#define (\w+)\s+(\d+)\s", text):
        names[name] = int(value)
    for body in re.findall(r"enum \w+ \{(.*?)\}", text, flags=re.S):
        value = 0
        for word in re.findall(r"\w+", body):
            names[word] = value
            value += 1
    return names


class Attr:
    """An attribute; bad=True marks the one that a refusal is to point at."""

    def __init__(self, kind, value=b"", bad=False, nested=None):
        self.kind, self.value, self.bad = kind, value, bad
        self.nested = isinstance(value, (list, tuple)) if nested is None else nested

    def encode(self, at, marks):
        if self.bad:
            marks.append(at)
        data = self.value
        if isinstance(data, (list, tuple)):
            data = encode(data, at + 4, marks)
        kind = self.kind | (NLA_F_NESTED if self.nested else 0)
        raw = struct.pack("=HH", len(data) + 4, kind) + data
        return raw + bytes(-len(raw) % 4)


def encode(attrs, at, marks):
    raw = b""
    for attr in attrs:
        raw += attr.encode(at + len(raw), marks)
    return raw


def u8(kind, value, **kw):
    return Attr(kind, struct.pack("=B", value), **kw)


def u32(kind, value, **kw):
    return Attr(kind, struct.pack("=I", value), **kw)


def u64(kind, value, **kw):
    return Attr(kind, struct.pack("=Q", value), **kw)


def text(kind, value, **kw):
    return Attr(kind, value.encode() + b"\0", **kw)


def parse(raw):
    """The attributes of a nest in order: (type, value)."""
    found = []
    while len(raw) >= 4:
        length, kind = struct.unpack_from("=HH", raw)
        if length < 4:
            break
        found.append((kind & 0x3fff, raw[4:length]))
        raw = raw[(length + 3) & ~3:]
    return found


def number(raw):
    return int.from_bytes(raw, "little")


class Refusal(Exception):
    """An error answer: errno, sentence, offset of the bad attribute, type and nest of the missing one."""

    def __init__(self, code, tlvs):
        self.errno = code
        self.sentence = tlvs.get(1, b"").rstrip(b"\0").decode()
        self.offset = number(tlvs[2]) if 2 in tlvs else None
        self.miss_type = number(tlvs[5]) if 5 in tlvs else None
        self.miss_nest = number(tlvs[6]) if 6 in tlvs else None
        super().__init__(f"{errno.errorcode.get(code, code)} {self.sentence!r} at {self.offset}")


class Message:
    def __init__(self, kind, flags, seq, body):
        self.kind, self.flags, self.seq, self.body = kind, flags, seq, body
        self.cmd = body[0] if len(body) >= 4 else None
        self.attrs = parse(body[4:])


class Socket:
    """A generic netlink socket of the namespace that the process is in."""

    def __init__(self, family="esmtp", bufsize=1 << 17):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.sock.setsockopt(SOL_NETLINK, EXT_ACK, 1)
        self.sock.setsockopt(SOL_NETLINK, CAP_ACK, 1)
        self.sock.bind((0, 0))
        self.sock.settimeout(20)
        self.bufsize, self.seq, self.pending = bufsize, os.getpid(), []
        self.marks = []
        self.family, self.groups = GENL_ID_CTRL, {}
        if family:
            self._find(family)

    def close(self):
        self.sock.close()

    def _find(self, name):
        answer = self.request(CTRL_CMD_GETFAMILY, [text(2, name)], version=2)[0]
        attrs = dict(answer.attrs)
        self.family = number(attrs[1])
        for _, group in parse(attrs.get(7, b"")):
            one = dict(parse(group))
            self.groups[one[1].rstrip(b"\0").decode()] = number(one[2])

    def join(self, group):
        self.sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.groups[group])

    def send(self, cmd, attrs=(), flags=NLM_F_ACK, version=1, reserved=0, tail=b""):
        self.seq += 1
        self.marks = []
        body = struct.pack("=BBH", cmd, version, reserved) + encode(attrs, 20, self.marks) + tail
        self.sock.send(struct.pack("=IHHII", 16 + len(body), self.family, NLM_F_REQUEST | flags,
                                   self.seq, 0) + body)

    def receive(self):
        """One message; more of the same datagram wait for the next call."""
        if not self.pending:
            raw = self.sock.recv(self.bufsize)
            while len(raw) >= 16:
                length, kind, flags, seq, _ = struct.unpack_from("=IHHII", raw)
                self.pending.append(Message(kind, flags, seq, raw[16:length]))
                raw = raw[(length + 3) & ~3:]
        return self.pending.pop(0)

    def collect(self, dump=False):
        """Answers up to the end of the request; raises Refusal."""
        answers = []
        while True:
            m = self.receive()
            if m.seq != self.seq:
                continue
            if m.kind == NLMSG_DONE:
                self.done_flags = m.flags
                return answers
            if m.kind != NLMSG_ERROR:
                answers.append(m)
                continue
            code = -struct.unpack_from("=i", m.body)[0]
            if code:
                skip = 20 if m.flags & NLM_F_CAPPED else 4 + struct.unpack_from("=I", m.body, 4)[0]
                raise Refusal(code, dict(parse(m.body[skip:])) if m.flags & NLM_F_ACK_TLVS else {})
            if not dump:
                return answers

    def request(self, cmd, attrs=(), **kw):
        self.send(cmd, attrs, **kw)
        return self.collect()

    def dump(self, cmd, attrs=()):
        self.send(cmd, attrs, flags=NLM_F_DUMP)
        return self.collect(dump=True)
