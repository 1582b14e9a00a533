# SPDX-License-Identifier: GPL-2.0-only
"""Recorded dialogues played again between two real sockets, many at a time.

A dialogue is a list of events: this side sends these bytes. An event is over when the other side has
received as many bytes as were sent; so nothing depends on time. expected() says what the policy "default"
makes of a dialogue, found out anew from the words of the policy."""
import glob
import hashlib
import json
import os
import random
import selectors
import socket
import time

import lab

ASA = "AUTH DATA EHLO ETRN HELO HELP MAIL NOOP QUIT RCPT RSET SAML SEND SOML VRFY".encode().split()
KNOWN = "8BITMIME AUTH BINARYMIME CHECKPOINT DSN ENHANCEDSTATUSCODES ETRN PIPELINING SIZE VRFY".encode().split()


class Dialogue:
    def __init__(self, name, events, kind="ordinary"):
        self.name, self.events, self.kind = name, events, kind

    def bytes(self, side):
        return b"".join(data for d, data in self.events if d == side)

    def cut(self):
        """In single bytes, each of which arrives before the next is sent."""
        return Dialogue(self.name + ", in single bytes",
                        [(d, data[i:i + 1]) for d, data in self.events for i in range(len(data))], self.kind)

    def torn(self, seed):
        """In pieces of chance sizes."""
        chance, events = random.Random(seed), []
        for d, data in self.events:
            while data:
                n = min(len(data), chance.choice((1, 2, 3, 7, 50, 1000, 30000)))
                events.append((d, data[:n]))
                data = data[n:]
        return Dialogue(self.name + ", in pieces", events, self.kind)

    def joined(self):
        """What one side sends in a row in one piece."""
        events = []
        for d, data in self.events:
            if events and events[-1][0] == d:
                data = events.pop()[1] + data
            events.append((d, data))
        return Dialogue(self.name + ", joined", events, self.kind)


def load(folder):
    found = []
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="ascii") as f:
            j = json.load(f)
        d = Dialogue(j["name"], [(e["dir"], bytes.fromhex(e["hex"])) for e in j["events"]], j["kind"])
        for side, word in ("C", "client"), ("S", "server"):
            assert hashlib.sha256(d.bytes(side)).hexdigest() == j[word + "_sha256"], path
        found.append(d)
    return found


class Play:
    """One dialogue between two sockets that do not block."""

    def __init__(self, dialogue, client, server):
        self.dialogue = dialogue
        self.sock = {"C": client, "S": server}
        self.got = {"C": bytearray(), "S": bytearray()}
        self.sent = {"C": 0, "S": 0}
        self.error = {"C": None, "S": None}
        self.at, self.off = 0, 0

    def done(self):
        return self.at == len(self.dialogue.events) or all(self.error.values())

    def receive(self, side):
        """False when there is no more."""
        try:
            data = self.sock[side].recv(1 << 18)
        except BlockingIOError:
            return True
        except OSError as e:
            self.error[side] = e.strerror
            return False
        if not data:
            self.error[side] = "end"
            return False
        self.got[side] += data
        return True

    def step(self):
        """Goes on as far as it can. Returns the side that has more to write, or None."""
        while self.at < len(self.dialogue.events):
            side, data = self.dialogue.events[self.at]
            while self.off < len(data):
                try:
                    n = self.sock[side].send(data[self.off:self.off + (1 << 18)])
                except BlockingIOError:
                    return side
                except OSError as e:
                    self.error[side] = self.error[side] or e.strerror
                    return None
                self.off += n
                self.sent[side] += n
            if len(self.got["S" if side == "C" else "C"]) < self.sent[side]:
                return None
            self.at, self.off = self.at + 1, 0
        return None


def play(dialogues, to, listener, patience=10, name="client"):
    """Plays all at once. patience: seconds without a byte after which what is not over is left as it is."""
    selector = selectors.DefaultSelector()
    plays, writing = [], {}
    for d in dialogues:
        c, s = lab.joined(listener, to, name=name)
        c.setblocking(False)
        s.setblocking(False)
        p = Play(d, c, s)
        plays.append(p)
        for side in "CS":
            selector.register(p.sock[side], selectors.EVENT_READ, (p, side))

    def proceed(p):
        side = p.step()
        if side != writing.get(p):
            if writing.get(p) and not p.error[writing[p]]:
                selector.modify(p.sock[writing[p]], selectors.EVENT_READ, (p, writing[p]))
            if side and not p.error[side]:
                selector.modify(p.sock[side], selectors.EVENT_READ | selectors.EVENT_WRITE, (p, side))
            writing[p] = side

    for p in plays:
        proceed(p)
    quiet_since = time.monotonic()
    while not all(p.done() for p in plays) and time.monotonic() - quiet_since < patience:
        for key, mask in selector.select(0.2):
            p, side = key.data
            quiet_since = time.monotonic()
            if mask & selectors.EVENT_READ and not p.receive(side):
                selector.unregister(key.fileobj)
            proceed(p)
    for p in plays:
        for sock in p.sock.values():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            sock.close()
    selector.close()
    return plays


def left(line, words):
    """How many letters of a line have gone, one by one, before it was sure that it begins with none of the words."""
    n = 0
    while n < len(line) and any(w.startswith(line[:n + 1].upper()) for w in words):
        n += 1
    return n


class Expected:
    """What policy default lets through of a dialogue whose client speaks in turn. No limit is looked at.
    typed: every byte came in a segment of its own."""

    def __init__(self, dialogue, typed=False):
        self.typed = typed
        self.out = {"C": bytearray(), "S": bytearray()}     # as sent by C, by S
        self.pending = {"C": b"", "S": b""}
        self.owed = ["GREETING"]
        self.state, self.closed = "command", False
        self.keywords = self.lines = 0
        for side, data in dialogue.events:
            if self.closed:
                return
            self.pending[side] += data
            while self.line(side) and not self.closed:
                pass
        for side in "CS":
            if not self.closed:
                self.out[side] += self.pending[side]

    def line(self, side):
        if side == "C" and self.state == "wait":
            return False
        line, end, rest = self.pending[side].partition(b"\r\n")
        if not end:
            return False
        self.pending[side] = rest
        self.out[side] += (self.command if side == "C" else self.reply)(line)
        if not self.closed:
            self.out[side] += end
        return True

    def command(self, line):
        if self.state == "content":
            if line == b".":
                self.state = "command"
                self.owed.append("END")
            return line
        if self.state == "auth":
            self.state = "wait"
            self.owed.append("AUTH")
            return line
        verb = line.split(b" ")[0].upper()
        if verb not in ASA:
            self.owed.append("X")
            n = left(line, ASA) if self.typed else 0
            return line[:n] + b"X" * (len(line) - n)
        self.owed.append(verb.decode())
        if verb in (b"DATA", b"AUTH"):
            self.state = "wait"
        return line

    def reply(self, line):
        code, text, what = line[:3], line[4:], self.owed[0] if self.owed else None
        if what == "X" and code[:1] == b"2":
            self.closed = True
            return line[:2] if self.typed else b""
        if what == "GREETING" and code == b"220":
            text = b"".join(text[i:i + 1] if text[i:i + 1] in b"20" or text[i:i + 1] == b" " and (line[3:])[i:i + 1] == b"0"
                            else b"*" for i in range(len(text)))
        if what == "EHLO" and code == b"250" and self.lines and text:
            word = text.replace(b"=", b" ").split(b" ")[0].upper()
            if word not in KNOWN:
                n = left(text, KNOWN) if self.typed else 0
                last = b"X" if self.typed else b"%c" % (65 + self.keywords % 26)
                text = text[:n] + b"X" * (len(text) - n - 1) + last
                self.keywords += 1
        self.lines += 1
        if line[3:4] != b"-":
            self.lines = self.keywords = 0
            self.answered(what, code)
        return line[:4] + text

    def answered(self, what, code):
        if self.owed:
            self.owed.pop(0)
        if what == "DATA":
            self.state = "content" if code == b"354" else "command"
        if what == "AUTH":
            self.state = "auth" if code == b"334" else "command"
        while self.line("C"):
            pass
