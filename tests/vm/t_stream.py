#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# withstands
"""Segments: repeated, early, held back, on a SYN, urgent, in conflict, around the end of the numbers."""
import socket
import threading
import time

import lab
from lab import (ACK, FIN, PSH, RST, SERVER, SYN, URG, begin, content, envelope, grows, handshake, is_reset, joined,
                 listen, mailed, opened, quiet, raw_pair, read, said, same, talk)


def cuts(data):
    """In one piece, in every two, in single bytes."""
    yield [data]
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
    yield [data[i:i + 1] for i in range(len(data))]


def again(a, b, data, want, pieces=None):
    """a sends again what stands at a.snd - len(data); b receives it there as want says."""
    start = at = (a.snd - len(data)) & 0xffffffff
    for piece in pieces or [data]:
        a.send(piece, seq=at)
        off = (at - start) & 0xffffffff
        b.want(want[off:off + len(piece)], seq=at)
        at = (at + len(piece)) & 0xffffffff


def test_repeated_greeting():
    """a repeated greeting is masked again, however it is cut"""
    first, rest = b"220-mx.s.test ESMTP 2002\r\n220 ", b"welcome 0 to it\r\n"
    want = b"220-" + b"*" * 16 + b"2002\r\n220 " + b"********0 *****\r\n"
    c, s = raw_pair()
    with grows(rewritten=(100, 140)):
        s.send(first)
        c.want(want[:len(first)])
        s.send(rest)
        c.want(want[len(first):])
        for pieces in cuts(first + rest):
            again(s, c, first + rest, want, pieces)
    c.ack()
    talk(c, s, b"QUIT\r\n")


def test_repeated_keywords():
    """a repeated EHLO reply is masked again, half acknowledged too"""
    reply = b"250-mx\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250-XYZ a b\r\n250 CHUNKING\r\n"
    want = b"250-mx\r\n250-SIZE 1000\r\n250-XXXXXXXA\r\n250-XXXXXXB\r\n250 XXXXXXXC\r\n"
    for v6 in False, True:
        c, s = raw_pair(v6)
        talk(s, c, b"220 mx ESMTP\r\n", b"220 ********\r\n")
        talk(c, s, b"EHLO c\r\n")
        s.send(reply)
        c.want(want)
        for pieces in cuts(reply):
            again(s, c, reply, want, pieces)
        c.send(flags=ACK, ack=c.rcv - 20)
        again(s, c, reply, want)
        again(s, c, reply, want, [reply[:30], reply[30:]])
        c.ack()
        talk(c, s, b"QUIT\r\n")


def test_repeated_command():
    """a repeated command of Xs is the same again, also joined with the next"""
    c, s = raw_pair()
    begin(c, s)
    line, want = b"STARTTLS\r\n", b"XXXXXXXX\r\n"
    c.send(line)
    s.want(want)
    for pieces in cuts(line):
        again(c, s, line, want, pieces)
    start = c.snd - len(line)
    c.send(line + b"NOOP\r\n", seq=start)
    s.want(want + b"NOOP\r\n", seq=start)
    c.send(line[5:] + b"NOOP\r\nRSET\r\n", seq=start + 5)
    s.want(want[5:] + b"NOOP\r\nRSET\r\n", seq=start + 5)
    talk(s, c, b"500 what\r\n250 ok\r\n250 ok\r\n")


def test_typed_command():
    """a command typed letter by letter is the same when it comes again in one piece"""
    c, s = raw_pair()
    begin(c, s)
    line = b"STARTTLS\r\n"
    got = b""
    for i in range(len(line)):
        c.send(line[i:i + 1])
        got += s.want().payload
    same(got, b"SXXXXXXX\r\n")
    for pieces in cuts(line):
        again(c, s, line, got, pieces)
    talk(s, c, b"500 what\r\n")


def test_other_command():
    """a command repeated with other bytes is overwritten"""
    c, s = raw_pair()
    begin(c, s)
    c.send(b"NOOP abcdef\r\n")
    s.want(b"NOOP abcdef\r\n")
    with grows(rewritten=2, repeat=2, conflict=0):
        c.send(b"STARTTLS\r\n\r\n\n", seq=c.snd - 13)
        s.want(b"NOOP abcdef\r\n", seq=c.snd - 13)
        c.send(b"STARTTLS\r\n\r\n\nQUIT\r\n", seq=c.snd - 13)
        s.want(b"NOOP abcdef\r\nQUIT\r\n", seq=c.snd - 19)


def test_early():
    """a segment ahead of the stream does not pass; its repeat does"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        with grows(early=3):
            c.send(b"ROM:<a@c.test>\r\n", seq=c.isn + 1 + 8 + 6)
            c.snd = c.isn + 1 + 8
            s.silent()
            c.send(b"MAIL F")
            s.want(b"MAIL F")
            c.send(b"ROM:<a@c.test>\r\n")
            s.want(b"ROM:<a@c.test>\r\n")
            s.ack()
            c.drain()
            s.send(b" ok\r\n", seq=s.snd + 3)
            s.snd -= 8
            c.silent()
            c.send(flags=ACK | FIN, seq=c.snd + 1)
            c.snd -= 2
            s.silent()
        talk(s, c, b"250 ok\r\n")


def test_data_and_content():
    """content in one packet with DATA waits for 354"""
    message = b"Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n"
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        envelope(c, s)
        with grows(held=(4, 5), event__early_content=1):
            c.send(b"DATA\r\n" + message, flags=ACK | PSH | FIN)
            seg = s.want(b"DATA\r\n")
            assert seg.flags == ACK and seg.extra == 0, f"{seg} {seg.extra}"
            s.ack()
            s.silent(1)
            start = s.rcv - 6
            c.send(b"DATA\r\n" + message, seq=start)
            s.want(b"DATA\r\n", seq=start)
            c.send(message, seq=start + 6)
            c.send(message[:10], seq=start + 6)
            s.silent()
            c.drain()
        s.send(b"354 go\r\n")
        c.want(b"354 go\r\n")
        c.ack()
        c.send(message, seq=start + 6, flags=ACK | PSH | FIN)
        seg = s.want(message)
        assert seg.flags & FIN, f"FIN is gone: {seg}"
        s.ack()
        s.send(b"250 ok\r\n221 bye\r\n", ack=s.rcv + 1)
        c.drain()


def test_refused_data():
    """what stands behind a refused DATA is read as commands"""
    c, s = raw_pair()
    begin(c, s)
    c.send(b"DATA\r\nRSET\r\nXEXCH50 1 2\r\n.\r\n")
    s.want(b"DATA\r\n")
    s.ack()
    s.silent()
    c.drain()
    talk(s, c, b"554 no valid recipients\r\n")
    c.send(b"RSET\r\nXEXCH50 1 2\r\n.\r\n", seq=s.rcv)
    s.want(b"RSET\r\nXXXXXXXXXXX\r\nX\r\n")
    s.ack()
    talk(s, c, b"250 ok\r\n500 what\r\n500 what\r\n")
    c.drain()
    s.drain()
    content(c, s)
    talk(c, s, b"STARTTLS\r\n.\r\n")


def test_one_big_send():
    """content sent with DATA in one go by a real sender waits for 354"""
    message = b"Subject: big\r\n\r\n" + b"0123456789abcdef\r\n" * 3500 + b".\r\n"
    for v6, offloads in (False, "on"), (True, "off"), (True, "on"):
        lab.sh("offloads " + offloads)
        with listen(v6=v6) as lst:
            c, s = opened(lst, SERVER[v6])
            said(c, b"MAIL FROM:<a@c.test>\r\n", s)
            said(s, b"250 ok\r\n", c)
            said(c, b"RCPT TO:<b@s.test>\r\n", s)
            said(s, b"250 ok\r\n", c)
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 18)
            c.sendall(b"DATA\r\n" + message)
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            same(read(s, 6), b"DATA\r\n")
            quiet(s, 1)
            said(s, b"354 go\r\n", c)
            same(read(s, len(message)), message)
            said(s, b"250 ok\r\n", c)
            said(c, b"QUIT\r\n", s)
            c.close()
            assert s.recv(10) == b""
            s.close()


def test_syn_data():
    """data on a SYN or SYN/ACK is cut off"""
    for v6 in False, True:
        lab._port += 1
        c = lab.Raw("client", lab._port, lab.RAW["server"][v6], 25)
        s = lab.Raw("server", 25, lab.RAW["client"][v6], lab._port, 5000)
        c.strict = s.strict = True
        with grows(syn_data=3):
            for data in b"EHLO c\r\n", b"x":
                c.send(data, flags=SYN | PSH, seq=c.isn)
                seg = s.want(b"")
                assert seg.flags & ~PSH == SYN and seg.seq == c.isn and seg.extra == 0, f"{seg}"
            c.snd, s.rcv = c.isn + 1, c.isn + 1
            s.send(b"220 mx ESMTP\r\n", flags=SYN | ACK)
            s.snd = s.isn + 1
            seg = c.want(b"", seq=s.isn)
            assert seg.flags == SYN | ACK, f"{seg}"
            c.rcv = s.isn + 1
            c.ack()
            s.want(b"")
        begin(c, s)


def test_fast_open():
    """TCP Fast Open: the bytes come behind the handshake"""
    for name in "client", "server":
        lab.run(name, "sysctl", "-qw", "net.ipv4.tcp_fastopen=1543")    # both sides, no cookies
    lst = listen()
    with lab.ns("client"):
        c = socket.socket()
    c.settimeout(20)
    with grows(syn_data=1):
        c.sendto(b"HELO c\r\n", socket.MSG_FASTOPEN, (SERVER[False], 25))
        s, _ = lst.accept()
        s.settimeout(20)
        same(read(s, 8), b"HELO c\r\n")
    said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
    for sock in lst, c, s:
        sock.close()


def test_urgent():
    """the urgent flag is cleared, the bytes are inspected"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        with grows(urgent=2):
            c.send(b"NOOP\r\n", flags=ACK | PSH | URG, urg=3)
            seg = s.want(b"NOOP\r\n")
            assert not seg.flags & URG and not seg.urg, f"{seg} {seg.urg}"
            c.send(b"STARTTLS\r\n", flags=ACK | PSH | URG, urg=1)
            seg = s.want(b"XXXXXXXX\r\n")
            assert not seg.flags & URG and not seg.urg, f"{seg} {seg.urg}"


def test_wrong_checksum():
    """a segment with a wrong checksum is neither read nor passed"""
    c, s = raw_pair()
    begin(c, s)
    with grows(table__invalid=1):
        c.send(b"XXXX\r\n", spoil=0x100)
        c.snd -= 6
        s.silent()
    talk(c, s, b"NOOP\r\n")


def test_conflict():
    """content repeated with other bytes closes the connection"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        content(c, s)
        c.send(b"Subject: one\r\n\r\nfirst line\r\n")
        s.want(b"Subject: one\r\n\r\nfirst line\r\n")
        again(c, s, b"Subject: one\r\n\r\nfirst line\r\n", b"Subject: one\r\n\r\nfirst line\r\n",
              [b"Subject: one\r\n", b"\r\nfirst", b" line\r\n"])
        with grows(conflict=1, closed=1, event__conflict=1):
            c.send(b"Subject: one\r\n\r\nother line\r\n", seq=c.snd - 28)
            s.reset()
            c.reset()


def test_conflict_joined():
    """new content in one segment with old content that differs does not pass"""
    c, s = raw_pair()
    begin(c, s)
    content(c, s)
    c.send(b"Subject: one\r\n")
    s.want(b"Subject: one\r\n")
    with grows(conflict=1):
        c.send(b"Subject: two\r\nX: y\r\n", seq=c.snd - 14)
        s.reset()


def test_end_of_numbers():
    """a mail over the end of the sequence numbers, everything sent twice"""
    message = b"Subject: x\r\n\r\n" + b"a line of text\r\n" * 100 + b".\r\n"
    for back in 3, 20, 60, 900:
        for v6 in False, True:
            c, s = raw_pair(v6, client_isn=(1 << 32) - back, server_isn=(1 << 32) - back // 3 - 2)
            begin(c, s)
            content(c, s)
            at = 0
            while at < len(message):
                piece = message[at:at + 200]
                c.send(piece)
                s.want(piece)
                again(c, s, piece, piece)
                again(c, s, piece, piece, [piece[:50], piece[50:]])
                s.ack()
                at += len(piece)
            c.drain()
            talk(s, c, b"250 ok\r\n")
            c.send(b"STARTTLS\r\n")
            s.want(b"XXXXXXXX\r\n")
            again(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_syn_inside():
    """a SYN inside a connection changes nothing until the server takes it up; then all begins anew"""
    for v6 in False, True:
        c, s = raw_pair(v6)
        begin(c, s)
        old = c.snd, s.snd
        c.send(b"EHLO x\r\n", flags=SYN, seq=c.snd + 50000)
        seg = s.get()
        assert seg and seg.flags == SYN and not seg.payload, f"{seg}"
        c.snd = old[0]
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
        talk(s, c, b"500 what\r\n")
        c.snd += 70000
        s.snd += 90000
        with grows(connections=1):
            handshake(c, s)
            begin(c, s)
        c.send(b"STARTTLS\r\n")
        s.want(b"XXXXXXXX\r\n")
        again(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
        s.ack()
        c.drain()


def test_false_rst():
    """behind a RST that its receiver does not take nothing passes uninspected"""
    for v6 in False, True:
        for off in 0, 1, 100, 30000, -5:
            c, s = raw_pair(v6)
            begin(c, s)
            c.send(flags=RST, seq=c.snd + off)
            s.get(0.1)
            c.snd = s.rcv
            c.send(b"STARTTLS\r\n")
            seg = s.get(0.2)
            assert seg is None or seg.payload in (b"", b"XXXXXXXX\r\n"), f"{seg}"


def test_false_ack():
    """an acknowledgement of what was never sent, or from outside of the window, frees nothing; nor do bytes there count"""
    lab.run("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_be_liberal=1")
    try:
        for v6 in False, True:
            c, s = raw_pair(v6)
            s.send(b"220 mx ESMTP\r\n")
            c.want(b"220 ********\r\n")
            c.send(flags=ACK, ack=c.rcv + 1000)
            again(s, c, b"220 mx ESMTP\r\n", b"220 ********\r\n")
            s.drain()
            for far in 100000, 1 << 30, (1 << 31) - 20:
                for flags in ACK, ACK | FIN:
                    with grows(outside_window=1):
                        c.send(flags=flags, seq=c.isn + 1 + far, ack=c.rcv)
                        s.silent(0.1)
                    c.snd = c.isn + 1
                again(s, c, b"220 mx ESMTP\r\n", b"220 ********\r\n")
                s.drain()
                c.send(b"STARTTLS\r\n", seq=c.isn + 1 + far)
                s.silent(0.1)
                c.snd = c.isn + 1
            talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")
    finally:
        lab.run("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_be_liberal=0")


def test_unheard_ack():
    """an acknowledgement that its receiver does not hear of, or not believe, frees nothing: what is repeated is edited again"""
    line, want = b"220 mx ESMTP\r\n", b"220 ********\r\n"
    for v6 in False, True:
        c, s = raw_pair(v6)
        s.send(line)
        c.want(want)
        # A keep-alive, in front of the window: it passes.
        c.send(flags=ACK, seq=c.isn, ack=c.rcv)
        assert s.get(1), "a keep-alive does not pass"
        again(s, c, line, want)
        # A command ahead of its turn, a FIN: neither does.
        for data, flags in (b"NOOP\r\n", ACK | PSH), (b"", ACK | FIN):
            c.send(data, flags=flags, seq=c.isn + 101, ack=c.rcv)
            s.silent(0.2)
            again(s, c, line, want)
        c.snd = c.isn + 1
        talk(c, s, b"STARTTLS\r\n", b"XXXXXXXX\r\n")


def test_pipelined():
    """more commands in one go than replies can be noted for; both directions at once"""
    lines = [b"NOOP\r\n", b"STARTTLS\r\n", b"RSET\r\n"] * 30
    want = b"".join(lines).replace(b"STARTTLS", b"XXXXXXXX")
    for v6 in False, True:
        with listen(v6=v6) as lst:
            c, s = joined(lst, SERVER[v6])
            said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
            got = []
            with grows(held=(1, 9999), closed=0):
                server = threading.Thread(target=answer, args=(s, len(want), got))
                server.start()
                c.sendall(b"".join(lines))
                replies = read(c, 8 * 60 + 10 * 30)
                server.join()
            same(got[0], want)
            same(replies, b"250 ok\r\n500 what\r\n250 ok\r\n" * 30)


def answer(s, n, got):
    """Answers each line as soon as it is there."""
    seen = b""
    answered = 0
    while len(seen) < n:
        seen += s.recv(1000)
        lines = seen.split(b"\r\n")[:-1]
        s.sendall(b"".join(b"500 what\r\n" if x.startswith(b"X") else b"250 ok\r\n" for x in lines[answered:]))
        answered = len(lines)
    got.append(seen)


def test_losses():
    """a mail with packets lost before and behind the router"""
    lossy = "table inet lossy {{ chain lossy {{ type filter hook prerouting priority -500; tcp {} 25 numgen inc mod {} == 2 drop; }}; }}"
    message = b"Subject: x\r\n\r\n" + bytes(range(48, 112)) * 12 + b"\r\n" + b"0123456789\r\n" * 4000 + b".\r\n"
    lab.nft(lossy.format("dport", 11), "server")
    lab.nft(lossy.format("sport", 9), "client")
    lab.nft(lossy.format("dport", 13), "router")
    try:
        with grows(repeat=(3, 9999), conflict=0, closed=0):
            for v6 in False, True:
                lossy_mail(v6, message)
    finally:
        for name in "server", "client", "router":
            lab.run(name, "nft", "delete table inet lossy")


def lossy_mail(v6, message):
    with listen(v6=v6) as lst:
        c, s = joined(lst, SERVER[v6])
        c.settimeout(60)
        s.settimeout(60)
        said(s, b"220 mx ESMTP\r\n", c, b"220 ********\r\n")
        said(c, b"EHLO c\r\n", s)
        said(s, b"250-mx\r\n250 STARTTLS\r\n", c, b"250-mx\r\n250 XXXXXXXA\r\n")
        said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
        said(s, b"500 what\r\n", c)
        mailed(c, s, message)
        c.close()
        s.close()


if __name__ == "__main__":
    lab.up()
    lab.rules(lab.inspect())
    lab.tests(test_repeated_greeting, test_repeated_keywords, test_repeated_command, test_typed_command,
              test_other_command, test_early, test_data_and_content, test_refused_data, test_one_big_send,
              test_syn_data, test_fast_open, test_urgent, test_wrong_checksum, test_conflict,
              test_conflict_joined, test_end_of_numbers, test_syn_inside, test_false_rst, test_false_ack,
              test_pipelined, test_losses)
