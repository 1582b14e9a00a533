#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
"""What is edited is a copy: captures on the way in, and the queue of a sender on the router, keep the original."""
import socket
import struct
import time

import lab
from lab import SERVER, grows, inspect, joined, listen, opened, read, rules, said, same

TCP_INFO = 11
EHLO = b"250-mx\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 CHUNKING\r\n"
EHLO_MASKED = b"250-mx\r\n250-SIZE 1000\r\n250-XXXXXXXA\r\n250 XXXXXXXB\r\n"


class Capture:
    """The payloads that come in by a device of the router, in order, each byte once."""

    def __init__(self, dev, v6):
        self.v6 = v6
        with lab.ns("router"):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 23)    # SO_RCVBUFFORCE
        self.sock.bind((dev, 0x86dd if v6 else 0x0800))

    def payload(self):
        """Read only now: had the packet been edited in place, it would show."""
        self.sock.setblocking(False)
        start, found = None, {}
        while True:
            try:
                raw, where = self.sock.recvfrom(1 << 17)
            except BlockingIOError:
                break
            seg = lab.Segment(raw, self.v6)
            if where[2] == socket.PACKET_OUTGOING or not seg.tcp:
                continue
            if seg.flags & lab.SYN:
                start = seg.seq + 1
            for i, b in enumerate(seg.payload):
                found.setdefault((seg.seq - start + i) & 0xffffffff, b)
        self.sock.close()
        assert sorted(found) == list(range(len(found))), "the capture has gaps"
        return bytes(found[i] for i in range(len(found)))


def info(sock):
    """State, unacknowledged segments, retransmissions in all."""
    raw = sock.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 104)
    return raw[0], struct.unpack_from("=I", raw, 24)[0], struct.unpack_from("=I", raw, 100)[0]


def dialogue(c, s, many):
    """Returns what each side has sent."""
    said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
    said(c, b"EHLO c\r\n", s)
    said(s, EHLO, c, EHLO_MASKED)
    said(c, b"NOOP\r\n" * many + b"STARTTLS\r\n" * many, s, b"NOOP\r\n" * many + b"XXXXXXXX\r\n" * many)
    return b"EHLO c\r\n" + b"NOOP\r\n" * many + b"STARTTLS\r\n" * many, b"220 mx ESMTP\r\n" + EHLO


def test_capture():
    """a capture on the way in shows what was sent, small and large, offloads on and off"""
    for offloads in "on", "off":
        lab.sh("offloads " + offloads)
        for v6 in False, True:
            for many in 1, 1000:
                with listen(v6=v6) as lst:
                    taps = Capture("rc", v6), Capture("rs", v6)
                    c, s = joined(lst, SERVER[v6])
                    sent = dialogue(c, s, many)
                    c.close()
                    s.close()
                for tap, want, which in zip(taps, sent, ("client's side", "server's side")):
                    same(tap.payload(), want, f"the capture on the {which} has")
    lab.sh("offloads on")


def lost(name, direction):
    """Packets of the mail connection are lost in a namespace, behind the router."""
    lab.nft(f"table inet lost {{ chain lost {{ type filter hook prerouting priority -500; tcp {direction} 25 "
            "tcp flags & (syn | psh) == psh drop; }; }", name)


def found(name):
    lab.run(name, "nft", "delete table inet lost")


def repaired(sender, data, receiver, want, where, direction):
    """The first copies are lost behind the router; what comes at last is edited in the same way."""
    lost(where, direction)
    try:
        before = info(sender)[2]
        sender.sendall(data)
        end = time.monotonic() + 5
        while info(sender)[2] == before and time.monotonic() < end:
            time.sleep(0.02)
    finally:
        found(where)
    assert info(sender)[2] > before, "nothing was lost"
    same(read(receiver, len(want)), want)
    end = time.monotonic() + 5
    while info(sender)[1] and time.monotonic() < end:
        time.sleep(0.02)
    state, unacked, _ = info(sender)
    assert (state, unacked) == (1, 0), f"the sender is in state {state} with {unacked} segments under way"


def test_local_client():
    """a client on the router: its queue keeps the original, what it repeats is edited again"""
    for v6 in False, True:
        for many in 1, 1000:
            with listen(v6=v6) as lst:
                c, s = opened(lst, SERVER[v6], name="router")
                with grows(rewritten=(1, 99), conflict=0):
                    repaired(c, b"NOOP\r\n" * many + b"STARTTLS\r\n" * many, s,
                             b"NOOP\r\n" * many + b"XXXXXXXX\r\n" * many, "server", "dport")
                said(s, b"250 ok\r\n" * many + b"500 what\r\n" * many, c)
                said(c, b"QUIT\r\n", s)
                c.close()
                assert s.recv(1) == b""


def test_local_server():
    """a server on the router: the same with its greeting and EHLO reply"""
    for v6, near in (False, "10.0.1.1"), (True, "fd00:1::1"):
        with listen("router", v6) as lst:
            c, s = joined(lst, near)
            with grows(rewritten=(2, 20), conflict=0):
                repaired(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n", "client", "sport")
                said(c, b"EHLO c\r\n", s)
                repaired(s, EHLO, c, EHLO_MASKED, "client", "sport")
            said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")


def test_local_held():
    """a client on the router whose content is held back keeps it and sends it later"""
    message = b"Subject: x\r\n\r\n" + b"STARTTLS\r\n" * 4000 + b".\r\n"
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s = opened(lst, SERVER[v6], name="router")
            c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
            c.sendall(b"DATA\r\n" + message)
            same(read(s, 6), b"DATA\r\n")
            lab.quiet(s, 0.5)
            said(s, b"354 go\r\n", c)
            same(read(s, len(message)), message)
            said(s, b"250 ok\r\n", c)
            said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")


if __name__ == "__main__":
    lab.up()
    rules(inspect())
    lab.tests(test_capture, test_local_client, test_local_server, test_local_held)
