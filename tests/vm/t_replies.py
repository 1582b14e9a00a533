#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
# limit: 900
"""The server's direction: greetings, replies and long EHLO replies, cut anywhere, out of order, repeated, in one piece.

What is to arrive is computed here, from the bytes and the places where a segment begins, by other means than the engine's."""
import random
import socket
import struct

import lab
from lab import ACK, PSH, begin, grows, inspect, raw_pair, rules, same, talk

ALLOWED = [b"8BITMIME", b"AUTH", b"BINARYMIME", b"CHECKPOINT", b"DSN", b"ENHANCEDSTATUSCODES", b"ETRN", b"PIPELINING",
           b"SIZE", b"VRFY"]
# Masked at the first byte, at the second, at the last, by a byte too much; short ones, with words behind, in small letters.
MASKED = [b"STARTTLS", b"XCLIENT NAME ADDR", b"CHUNKING", b"SMTPUTF8", b"SIZES 100", b"vrfying", b"X", b"SIZ", b"8BITMIMES X",
          b"DSN2", b"EXPN", b"HELP", b"AUTHX LOGIN", b"ETR N"]


#
# What is to arrive.
#
def keyword_of(text):
    word = text.split(b" ")[0]
    return b"AUTH" if word[:5].upper() == b"AUTH=" else word


def known_at(word):
    """How many bytes of a masked keyword show that it is none of those allowed; one more: only its end does."""
    for n in range(1, len(word) + 1):
        if not any(k.startswith(word[:n].upper()) for k in ALLOWED):
            return n
    return len(word) + 1


def keyword_line(text, cuts, letter):
    """text: behind "250-". cuts: at which of its bytes a segment begins; len(text) is the CR. What left before its keyword was known
    is as it was sent. The letter needs the last byte and the CR in one segment."""
    word = keyword_of(text)
    if word.upper() in ALLOWED:
        return text
    known = known_at(word)          # this byte, counted from 1, decides
    first = max([cut for cut in cuts if cut < known], default=0)
    seen = text[:first] + b"X" * (len(text) - first)
    if len(text) not in cuts and first < len(text):
        seen = seen[:-1] + letter
    return seen


def ehlo_seen(reply, cuts):
    """An EHLO reply as it is to arrive when segments begin at cuts."""
    out, at, masked = [], 0, 0
    for n, line in enumerate(reply.split(b"\r\n")[:-1]):
        text = line[4:]
        inside = [cut - at - 4 for cut in cuts if at + 4 < cut <= at + len(line)]
        if n:
            if keyword_of(text).upper() not in ALLOWED:
                text = keyword_line(text, inside, bytes([65 + masked % 26]))
                masked += 1
        out.append(line[:4] + text)
        at += len(line) + 2
    return b"\r\n".join(out) + b"\r\n"


def greeting_seen(text):
    """ASA's: 2, 0, and a blank behind a 0 stay. text: one line without its code."""
    return bytes(b if b in b"20" or b == 32 and n and text[n - 1] == 48 else 42 for n, b in enumerate(text))


def ehlo_reply(lines, seed):
    """So many lines, every fifth masked, the others allowed, in random order."""
    rnd = random.Random(seed)
    words = []
    for n in range(lines):
        word = MASKED[n // 5 % len(MASKED)] if n % 5 == 2 else rnd.choice(ALLOWED)
        words.append(word if n % 5 == 2 or rnd.random() < 0.5 else word + b" " + b"abcdef 123"[:rnd.randrange(10)])
    return b"250-mx\r\n" + b"".join(b"250-" + w + b"\r\n" for w in words[:-1]) + b"250 " + words[-1] + b"\r\n"


SHORT = b"250-mx.s.test\r\n" + b"".join(b"250-" + w + b"\r\n" for w in MASKED + [b"AUTH=LOGIN", b"size 1"]) + b"250 DSN\r\n"
LONG = ehlo_reply(150, 1)


#
# Segments.
#
def pieces(data, cuts):
    ends = sorted(set(cuts) - {0, len(data)}) + [len(data)]
    return [(a, b) for a, b in zip([0] + ends, ends)]


def in_order(s, c, data, cuts, want):
    """s sends data in segments that begin at cuts; c has to receive what stands there in want."""
    for a, b in pieces(data, cuts):
        s.send(data[a:b])
        c.want(want[a:b])
    c.ack()
    s.drain()


def asked(c, s, command=b"EHLO c\r\n"):
    c.send(command)
    s.want(command)
    s.ack()
    c.drain()


def hello(v6):
    c, s = raw_pair(v6)
    talk(s, c, b"220 mx ESMTP\r\n", b"220 ********\r\n")
    return c, s


def test_greeting():
    """a greeting of several lines, cut anywhere and in single bytes"""
    texts = [b"mx20.s.test ESMTP 2002 0 x0  y", b"", b"20 00 2", b"no spam, please: 0 0"]
    data = b"".join(b"220" + (b"-" if n < 3 else b" ") + x + b"\r\n" for n, x in enumerate(texts))
    want = b"".join(b"220" + (b"-" if n < 3 else b" ") + greeting_seen(x) + b"\r\n" for n, x in enumerate(texts))
    for v6 in False, True:
        for cuts in [[]] + [[n] for n in range(1, len(data), 1 + 2 * v6)] + [range(len(data))]:
            c, s = raw_pair(v6)
            in_order(s, c, data, cuts, want)
            talk(c, s, b"NOOP\r\n")
            c.close()
            s.close()


def test_replies():
    """replies to an envelope, to DATA, to a message, cut anywhere: what follows is read as it should be"""
    replies = [b"250 sender ok\r\n", b"250-one\r\n250 two\r\n", b"354-go\r\n354 on\r\n", b"250-taken\r\n250 2.0.0 ok\r\n", b"500 what\r\n"]
    turns = [b"MAIL FROM:<a@c.test>\r\n", b"RCPT TO:<b@s.test>\r\n", b"DATA\r\n", b"STARTTLS\r\n354 x\r\n.\r\n", b"STARTTLS\r\n"]
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        for cut in [*range(1, 25), None]:
            for said_first, reply in zip(turns, replies):
                c.send(said_first)
                s.want(b"XXXXXXXX\r\n" if said_first == b"STARTTLS\r\n" else said_first)
                s.ack()
                c.drain()
                in_order(s, c, reply, range(len(reply)) if cut is None else [min(cut, len(reply))], reply)


def test_data_waits():
    """content waits for the last byte of 354, wherever the reply is cut"""
    reply = b"354-go\r\n354 on\r\n"
    for v6 in False, True:
        for cut in range(1, len(reply)):
            c, s = raw_pair(v6)
            begin(c, s)
            lab.envelope(c, s)
            c.send(b"DATA\r\nSTARTTLS\r\n.\r\n")
            s.want(b"DATA\r\n")
            start = s.rcv
            s.ack()
            c.drain()
            s.send(reply[:cut])
            c.want(reply[:cut])
            c.send(b"STARTTLS\r\n.\r\n", seq=start)
            s.silent(0.02)
            s.send(reply[cut:])
            c.want(reply[cut:])
            c.send(b"STARTTLS\r\n.\r\n", seq=start)
            s.want(b"STARTTLS\r\n.\r\n")
            c.close()
            s.close()


def test_starttls():
    """220 to STARTTLS ends inspection with its last byte, wherever it is cut"""
    reply, behind = b"220-go\r\n220 on\r\n", b"EXPN x\r\n\x16\x03"
    rules(inspect(lab.POLICY.replace("tls deny", "tls allow")))
    try:
        with grows(event__tls_started=2 * (len(reply) - 1)):
            for v6 in False, True:
                for cut in range(1, len(reply)):
                    c, s = hello(v6)
                    asked(c, s, b"STARTTLS\r\n")
                    in_order(s, c, reply[:cut], range(cut) if cut % 2 else [], reply)
                    c.send(behind)
                    c.snd -= len(behind)
                    s.silent(0.02)
                    in_order(s, c, reply[cut:], [], reply[cut:])
                    c.send(behind)
                    s.want(behind)
                    c.close()
                    s.close()
    finally:
        rules(inspect())


def test_every_cut():
    """an EHLO reply with all kinds of keywords, cut in two at each byte, and in single bytes"""
    for v6 in False, True:
        c, s = hello(v6)
        for cuts in [[]] + [[n] for n in range(1, len(SHORT))] + [range(len(SHORT))]:
            asked(c, s)
            in_order(s, c, SHORT, cuts, ehlo_seen(SHORT, cuts))


def test_random_cuts():
    """an EHLO reply of 150 lines in segments of all lengths, and in single bytes"""
    for v6 in False, True:
        c, s = hello(v6)
        for seed in range(12):
            rnd = random.Random(seed)
            # No segment may be longer than a link takes.
            cuts = rnd.sample(range(1, len(LONG)), rnd.choice((1, 3, 10, 60, 200))) + [1000, 2000]
            asked(c, s)
            in_order(s, c, LONG, cuts, ehlo_seen(LONG, cuts))
        asked(c, s)
        in_order(s, c, LONG, range(len(LONG)), ehlo_seen(LONG, range(len(LONG))))


def shuffled(c, s, rnd):
    """Segments as a lossy line brings them: any part of the reply, from any place, again and again. One ahead of the stream
    is not to arrive; any other is, and what it brings for the first time is inspected as one piece."""
    base, end, cuts, got = s.snd, 0, [], []
    while end < len(LONG):
        a = max(0, min(len(LONG) - 1, end + rnd.randrange(-400, 150)))
        if rnd.random() < 0.4:
            a = end
        b = min(len(LONG), a + rnd.randrange(1, 300))
        s.send(LONG[a:b], seq=base + a)
        if a > end:
            continue
        if b > end:
            cuts.append(end)
            end = b
        seg = c.get()
        assert seg and seg.seq == (base + a) & 0xffffffff and len(seg.payload) == b - a, f"{seg} is not {a} to {b}"
        got.append((a, b, seg.payload))
    want = ehlo_seen(LONG, cuts)
    for a, b, payload in got:
        same(payload, want[a:b], f"{a} to {b}: the client received")
    s.snd = base + len(LONG)
    c.rcv = s.snd
    c.ack()
    s.drain()


def test_any_order():
    """an EHLO reply of 150 lines in overlapping, early and repeated segments"""
    for v6 in False, True:
        c, s = hello(v6)
        with grows(early=(20, 999), repeat=(50, 9999), rewritten=(50, 9999), conflict=0, closed=0):
            for seed in range(8):
                asked(c, s)
                shuffled(c, s, random.Random(seed))
                c.silent(0)


def send_large(end, data, mss=1400):
    """One packet that the sender's device would have to cut into segments of mss, its checksum not yet computed."""
    packet = end.packet(ACK | PSH, data)
    head = 40 if end.v6 else 20
    pseudo = end.src + end.dst + struct.pack(">II", len(packet) - head, 6)
    packet = packet[:head + 16] + struct.pack(">H", ~lab.checksum(pseudo) & 0xffff) + packet[head + 18:]
    ether = lab.hardware("router", "rs") + lab.hardware("server", "s0") + struct.pack(">H", end.proto)
    # flags: sum from csum_start on; kind: TCP over IPv4 or IPv6
    vnet = struct.pack("=BBHHHH", 1, 4 if end.v6 else 1, 14 + head + 20, mss, 14 + head, 16)
    with lab.ns("server"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        sock.setsockopt(263, 15, 1)         # SOL_PACKET, PACKET_VNET_HDR
        sock.bind(("s0", end.proto))
        sock.send(vnet + ether + packet)
    end.snd = (end.snd + len(data)) & 0xffffffff


def large_packets(lines):
    """It leaves the router as one, or in segments."""
    for state in "on", "off":
        lab.sh("offloads on")
        lab.run("client", "ethtool", "-K", "c0", "gro", state)
        lab.run("router", "ethtool", "-K", "rc", "tx", state, "sg", state, "tso", state, "gso", state)
        for v6 in False, True:
            c, s = hello(v6)
            asked(c, s)
            # Without, the router has to sum it; with, nobody has yet.
            c.strict = state == "off"
            one_packet(c, s, ehlo_reply(lines, 2), state == "on")
    lab.sh("offloads on")


def one_packet(c, s, reply, whole):
    want, got, n = ehlo_seen(reply, []), b"", 0
    with grows(packets=1, held=0, closed=0):
        send_large(s, reply)
        while len(got) < len(want):
            got += c.want().payload
            n += 1
    same(got, want)
    assert n == (1 if whole else -(-len(want) // 1400)), f"{n} segments arrived"
    c.ack()
    talk(c, s, b"NOOP\r\n")


def test_large_packet():
    """an EHLO reply of 500 lines in one large packet"""
    large_packets(500)


def test_larger_packet():
    """an EHLO reply of 1500 lines, 300 of them masked, in one large packet: no bound is near"""
    with grows(retain_full=0):
        large_packets(1500)


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    lab.tests(test_greeting, test_replies, test_data_waits, test_starttls, test_every_cut, test_random_cuts,
              test_any_order, test_large_packet, test_larger_packet)
