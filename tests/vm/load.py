# SPDX-License-Identifier: GPL-2.0-only
"""Mails in all phases, many at a time, from a process for each CPU: each connection's bytes are compared at both ends."""
import contextlib
import multiprocessing
import os
import random
import selectors
import socket
import time

import lab

CLIENT, SERVER = 0, 1
NETWORK = {False: ("10.0.1.", "10.0.2."), True: ("fd00:1::", "fd00:2::")}
# What a policy has to allow for all of it; it resets.
POLICY = lab.RESETTING.replace("tls deny", "tls deny\n\tverbs { auth, data, ehlo, etrn, helo, help, mail, noop, quit, rcpt, "
                               "rset, vrfy, bdat }")
# The same, and it masks nothing.
OPEN = lab.RESETTING.replace("banner mask", "banner keep\n\tverbs any").replace("tls deny", "tls allow").replace(
    "match ehlo-reply-parameter others mask", "")


class Dialogue:
    """What the two ends of a connection say: steps of each are (bytes that must have come before, pause, bytes).
    Each end's bytes as they are sent, and as inspection makes them look to the other."""

    def __init__(self, kind):
        self.kind, self.steps, self.sent, self.masked = kind, ([], []), [b"", b""], [b"", b""]
        self.resets = False

    def say(self, who, data, masked=None, pause=0, after=None):
        """after: so many bytes of the other end, else all that it has said."""
        need = len(self.sent[not who]) if after is None else after
        self.steps[who].append((need, pause, data))
        self.sent[who] += data
        self.masked[who] += data if masked is None else masked

    def begin(self, pause):
        self.say(SERVER, b"220 mx ESMTP\r\n", b"220 ********\r\n", pause())
        self.say(CLIENT, b"EHLO c\r\n", pause=pause())
        self.say(SERVER, b"250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"250-mx\r\n250-PIPELINING\r\n250 XXXXXXXA\r\n", pause())


def lines(chance, size):
    """Message lines of so many bytes in all, or a few more."""
    text = b"Subject: x\r\n\r\n"
    while len(text) < size:
        text += b"%07d " % chance.randrange(10 ** 7) * chance.randrange(1, 9) + b"\r\n"
    return text


def mail(chance, pause=lambda: 0):
    """Command by command, and a message behind 354."""
    d = Dialogue("mail")
    d.begin(pause)
    d.say(CLIENT, b"STARTTLS\r\n", b"XXXXXXXX\r\n", pause())
    d.say(SERVER, b"500 what\r\n", None, pause())
    d.say(CLIENT, b"MAIL FROM:<a@c.test>\r\nRCPT TO:<b@s.test>\r\n", None, pause())
    d.say(SERVER, b"250 ok\r\n250 ok\r\n", None, pause())
    d.say(CLIENT, b"DATA\r\n", None, pause())
    d.say(SERVER, b"354 go\r\n", None, pause())
    text = lines(chance, chance.choice((100, 3000, 30000)))
    half = chance.randrange(len(text))
    d.say(CLIENT, text[:half], None, pause())
    d.say(CLIENT, text[half:] + b".\r\n", None, pause())
    d.say(SERVER, b"250 ok\r\n", None, pause())
    d.say(CLIENT, b"QUIT\r\n", None, pause())
    d.say(SERVER, b"221 bye\r\n", None, pause())
    return d


def slow(chance):
    """The same with pauses, so that anything may happen in between."""
    d = mail(chance, lambda: chance.random() * 0.3)
    d.kind = "slow"
    return d


def bdat(chance, sizes=(1, 2000, 8000), n=3, kind="bdat"):
    """Chunks and commands in one go; a reply to each comes back while the next are on their way."""
    d = Dialogue(kind)
    d.begin(lambda: 0)
    greeted = len(d.sent[SERVER])
    for _ in range(3):
        requests = [(b"EXPN\r\n", b"XXXX\r\n", b"500 what\r\n"), (b"MAIL FROM:<a@c.test>\r\n", None, b"250 ok\r\n"),
                    (b"RCPT TO:<b@s.test>\r\n", None, b"250-ok\r\n250 ok\r\n"),
                    (b"HELP\r\n", None, b"214-" + b"y" * 60 + b"\r\n" + b"214-help\r\n" * 30 + b"214 end\r\n")]
        for i in range(n):
            chunk, last = lines(chance, chance.choice(sizes)), b" LAST" if i == n - 1 else b""
            requests.append((b"BDAT %d%s\r\n" % (len(chunk), last) + chunk, None, b"250 chunk\r\n"))
        for data, masked, reply in requests:
            d.say(CLIENT, data, masked, after=greeted)
            d.say(SERVER, reply)
    d.say(CLIENT, b"QUIT\r\n", after=greeted)
    d.say(SERVER, b"221 bye\r\n")
    return d


def chunks(chance):
    """Many of them, so that something travels both ways nearly always."""
    return bdat(chance, (1, 300, 1000, 3000), 41, "chunks")


def pipelined(chance):
    """Commands in one go, some of which are masked."""
    d = Dialogue("pipelined")
    d.begin(lambda: 0)
    greeted = len(d.sent[SERVER])
    for _ in range(30):
        if chance.random() < 0.5:
            d.say(CLIENT, b"NOOP\r\n", after=greeted)
            d.say(SERVER, b"250 ok\r\n")
        else:
            d.say(CLIENT, b"EXPN\r\n", b"XXXX\r\n", after=greeted)
            d.say(SERVER, b"500 what\r\n")
    return d


def closed(chance):
    """A violation at the end, which resets both."""
    d = Dialogue("closed")
    d.begin(lambda: 0)
    d.say(CLIENT, b"NOOP\r\n" * chance.randrange(1, 4))
    d.say(SERVER, b"250 ok\r\n" * (d.sent[CLIENT].count(b"NOOP")))
    need = len(d.sent[SERVER])
    d.steps[CLIENT].append((need, 0, b"NOOP " + b"x" * 600 + b"\r\n"))
    d.resets = True
    return d


KINDS = {f.__name__: f for f in (mail, slow, bdat, chunks, pipelined, closed)}


class End:
    def __init__(self, sock, steps):
        self.sock, self.steps, self.at, self.out, self.got = sock, steps, 0, b"", bytearray()
        self.due, self.end = 0, ""

    def feed(self, now):
        """What may be sent by now."""
        while not self.out and self.at < len(self.steps) and len(self.got) >= self.steps[self.at][0]:
            need, pause, data = self.steps[self.at]
            if pause and not self.due:
                self.due = now + pause
            if self.due > now:
                return
            # What waits for nothing more goes in one piece, as senders do it.
            self.out, self.due, self.at = data, 0, self.at + 1
            while self.at < len(self.steps) and self.steps[self.at][0] <= len(self.got) and not self.steps[self.at][1]:
                self.out += self.steps[self.at][2]
                self.at += 1

    def work(self, now):
        """Receives and sends what it can. True: something has moved."""
        before = len(self.got), len(self.out), self.at
        try:
            with contextlib.suppress(BlockingIOError):
                while not self.end:
                    part = self.sock.recv(1 << 16)
                    self.got += part
                    if not part:
                        self.end = "fin"
            self.feed(now)
            with contextlib.suppress(BlockingIOError):
                while self.out:
                    self.out = self.out[self.sock.send(self.out):]
                    self.feed(now)
        except OSError as e:
            self.end = self.end if self.end == "fin" else type(e).__name__
        return before != (len(self.got), len(self.out), self.at)


class Connection:
    """One of them, with both ends; verdict() once it is over."""

    def __init__(self, dialogue, to, source):
        self.dialogue, self.source, self.start, self.moved = dialogue, source, time.monotonic(), time.monotonic()
        sock = socket.socket(lab.family(":" in to))
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.bind((source, 0))
        self.port = sock.getsockname()[1]
        sock.connect_ex((to, 25))
        self.ends = [End(sock, dialogue.steps[CLIENT]), None]

    def accepted(self, sock):
        sock.setblocking(False)
        self.ends[SERVER] = End(sock, self.dialogue.steps[SERVER])

    def work(self, now, patience):
        """True when it is over."""
        for end in self.ends:
            if end and end.work(now) or end and end.due:
                self.moved = now
        if not self.ends[SERVER]:
            return bool(self.ends[CLIENT].end) or now - self.moved > patience
        if self.dialogue.resets:
            over = all(end.end for end in self.ends)
        else:
            over = any(end.end for end in self.ends) or all(
                len(self.ends[who].got) >= len(self.dialogue.sent[not who]) for who in (CLIENT, SERVER))
        return over or now - self.moved > patience

    def close(self):
        for end in self.ends:
            if end:
                end.sock.close()

    def verdict(self):
        """How it looked: masked, open (as it was sent), mixed (some of its bytes so, some so) or other; how it ended."""
        d, looks, full = self.dialogue, set(), True
        for who in CLIENT, SERVER:
            got = bytes(self.ends[not who].got) if self.ends[not who] else b""
            sent, masked = d.sent[who], d.masked[who]
            full &= len(got) == len(sent)
            if got == masked[:len(got)]:
                looks |= {"masked"} if got != sent[:len(got)] else set()
            elif got == sent[:len(got)]:
                looks |= {"open"}
            elif len(got) <= len(sent) and all(g in (m, s) for g, m, s in zip(got, masked, sent)):
                looks |= {"mixed"}
            else:
                looks |= {"other"}
        look = looks.pop() if len(looks) == 1 else "other" if "other" in looks else "mixed" if looks else "none"
        reset = [bool(end) and end.end == "ConnectionResetError" for end in self.ends]
        if d.resets:
            ended = "well" if full and all(reset) else "cut"
        else:
            ended = "well" if full else "cut"
        return {"kind": d.kind, "source": self.source, "start": self.start, "over": time.monotonic(), "look": look, "ended": ended,
                "bytes": sum(len(end.got) for end in self.ends if end),
                "why": [end and (len(end.got), end.end, end.at) for end in self.ends]}


class Worker:
    """A process on one CPU. It talks to addresses of the server that are its own."""

    def __init__(self, number, pipe, done, kinds, slots, limit, patience):
        os.sched_setaffinity(0, {number % os.cpu_count()})
        self.pipe, self.done, self.kinds, self.slots, self.left, self.patience = pipe, done, kinds, slots, limit, patience
        self.chance = random.Random(number)
        self.to = [NETWORK[v6][1] + str(2 + number) for v6 in (False, True)]
        self.listeners = [lab.listen(v6=v6, address=to) for v6, to in zip((False, True), self.to)]
        for lst in self.listeners:
            lst.setblocking(False)
        self.open, self.results, self.waiting = [], [], {}

    def accept(self):
        for lst in self.listeners:
            with contextlib.suppress(BlockingIOError):
                while True:
                    sock, peer = lst.accept()
                    conn = self.waiting.pop((peer[0], peer[1]), None)
                    if conn:
                        conn.accepted(sock)
                    else:
                        sock.close()

    def fill(self):
        while self.left and len(self.open) < self.slots:
            v6 = self.chance.random() < 0.5
            source = NETWORK[v6][0] + str(self.chance.choice((2, 3)))
            try:
                conn = Connection(KINDS[self.chance.choice(self.kinds)](self.chance), self.to[v6], source)
            except OSError:     # the client's addresses have gone with the router
                self.left = 0
                return
            self.waiting[source, conn.port] = conn
            self.open.append(conn)
            self.left -= 1

    def run(self):
        with lab.ns("client"):      # the listeners are the server's already
            while self.open or self.left:
                if self.pipe.poll():
                    self.pipe.recv()
                    self.left = 0
                self.fill()
                self.round()
        self.pipe.send(self.results)

    def round(self):
        self.accept()
        now, moved = time.monotonic(), False
        for conn in self.open[:]:
            at = conn.moved
            if conn.work(now, self.patience):
                self.results.append(conn.verdict())
                conn.close()
                self.open.remove(conn)
                self.waiting.pop((conn.source, conn.port), None)
                with self.done.get_lock():
                    self.done.value += 1
            moved |= conn.moved != at
        if not moved:
            time.sleep(0.002)


def _work(*args):
    Worker(*args).run()


class Load:
    """While this lasts there is traffic. Then .results are there, and open connections have come to their end."""

    def __init__(self, *kinds, slots=10, limit=1 << 30, patience=20, workers=2):
        fork = multiprocessing.get_context("fork")
        self.done = fork.Value("i", 0)
        self.pipes, self.processes, self.results = [], [], None
        patience *= lab.SLOWER
        for i in range(workers):
            ours, theirs = fork.Pipe()
            self.pipes.append(ours)
            self.processes.append(fork.Process(target=_work, args=(i, theirs, self.done, kinds, slots, limit, patience)))

    def __enter__(self):
        for p in self.processes:
            p.start()
        return self

    def more(self, n, seconds=60):
        """Until so many more connections have come to their end."""
        want, end = self.done.value + n, time.monotonic() + seconds * lab.SLOWER
        while self.done.value < want:
            assert time.monotonic() < end, f"{self.done.value - want + n} connections in {seconds} s"
            time.sleep(0.02)

    def wait(self):
        """For the end of those that were asked for."""
        self.results = [r for pipe in self.pipes for r in pipe.recv()]
        return self.results

    def __exit__(self, *_):
        if self.results is None:
            for pipe in self.pipes:
                with contextlib.suppress(BrokenPipeError):      # it came to its end by itself
                    pipe.send("stop")
            self.wait()
        for p in self.processes:
            p.join(5)
            p.kill()


def expect(results, ended=("well",), **looks):
    """Every connection ended so; of each look there are so many at least, of those not named none."""
    wrong = [r for r in results if r["ended"] not in ended or r["look"] not in looks]
    assert not wrong, f"{len(wrong)} of {len(results)}: {wrong[:3]}"
    for look, least in looks.items():
        n = sum(r["look"] == look for r in results)
        assert n >= least, f"{n} connections looked {look}, of {len(results)}"
