# SPDX-License-Identifier: GPL-2.0-only
"""A queue of nft that holds packets until it is told what becomes of them."""
import errno
import select
import socket
import struct
import time

import lab

NETLINK_NETFILTER, NFNL_SUBSYS_QUEUE = 12, 3
PACKET, VERDICT, CONFIG = 0, 1, 2                           # messages
CFG_CMD, CFG_PARAMS, CFG_MAXLEN, CFG_MASK, CFG_FLAGS = 1, 2, 3, 4, 5
CMD_BIND, COPY_PACKET, FLAG_GSO = 1, 2, 4
PACKET_HDR, VERDICT_HDR, PAYLOAD = 1, 2, 10                 # attributes
NF_DROP, NF_ACCEPT = 0, 1
NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 1, 4, 2

# Where a queue may stand: hook, priority. What is in "helper" has passed the guard of the module and is to be read by the
# helper, next to last of all hooks; what is in "guard" has both before it.
PLACES = {"prerouting": ("prerouting", -140), "forward": ("forward", 0), "guard": ("postrouting", (1 << 31) - 4),
          "helper": ("postrouting", (1 << 31) - 2)}


def attribute(kind, value):
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


class Packet:
    """id: the kernel's number of it; payload: from its IP header on."""

    def __init__(self, raw):
        found = {}
        while len(raw) >= 4:
            length, kind = struct.unpack_from("=HH", raw)
            found[kind & 0x3fff] = raw[4:length]
            raw = raw[(length + 3) & ~3:]
        self.id, _, self.hook = struct.unpack_from(">IHB", found[PACKET_HDR])
        self.payload = found.get(PAYLOAD, b"")

    def tcp(self):
        return lab.Segment(self.payload, self.payload[0] >> 4 == 6)


class Queue:
    """What a rule "queue num N" of a namespace sends here. One thread at a time."""

    def __init__(self, number=25, name="router", most=65536, large=True):
        """large: packets that are larger than the line takes come whole, else cut into segments."""
        self.number, self.name, self.seq, self.packets, self.answers = number, name, 0, [], {}
        with lab.ns(name):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.sock.bind((0, 0))
        self.config(attribute(CFG_CMD, struct.pack(">BBH", CMD_BIND, 0, 0)))
        self.config(attribute(CFG_PARAMS, struct.pack(">IB", 0xffff, COPY_PACKET)) +
                    attribute(CFG_MAXLEN, struct.pack(">I", most)) +
                    attribute(CFG_FLAGS, struct.pack(">I", FLAG_GSO if large else 0)) + attribute(CFG_MASK, struct.pack(">I", FLAG_GSO)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def request(self, message, attrs):
        """Sends a message; the errno of the kernel's answer, 0 if all is well."""
        self.seq += 1
        body = struct.pack(">BBH", 0, 0, self.number) + attrs
        self.sock.send(struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_QUEUE << 8 | message, NLM_F_REQUEST | NLM_F_ACK,
                                   self.seq, 0) + body)
        while self.seq not in self.answers:
            assert self.receive(5), "the kernel does not answer"
        return self.answers.pop(self.seq)

    def config(self, attrs):
        code = self.request(CONFIG, attrs)
        assert not code, f"queue {self.number}: {errno.errorcode.get(code, code)}"

    def receive(self, seconds):
        """Takes up one datagram; False: none came."""
        if not select.select([self.sock], [], [], seconds)[0]:
            return False
        raw = self.sock.recv(1 << 18)
        while len(raw) >= 16:
            length, kind, _, seq, _ = struct.unpack_from("=IHHII", raw)
            if kind == NLMSG_ERROR:
                self.answers[seq] = -struct.unpack_from("=i", raw, 16)[0]
            elif kind == NFNL_SUBSYS_QUEUE << 8 | PACKET:
                self.packets.append(Packet(raw[20:length]))
            raw = raw[(length + 3) & ~3:]
        return True

    def park(self, n=1, seconds=3):
        """The next n packets: they are in the queue now, and the kernel says so too."""
        end = time.monotonic() + seconds
        while len(self.packets) < n:
            assert self.receive(max(0, end - time.monotonic())), f"{len(self.packets)} packets are parked, not {n}"
        assert self.waiting() >= n, f"the kernel knows of {self.waiting()} parked packets, not {n}"
        taken, self.packets = self.packets[:n], self.packets[n:]
        return taken

    def waiting(self):
        """How many packets the kernel has in this queue."""
        for line in lab.run(self.name, "cat", "/proc/net/netfilter/nfnetlink_queue").splitlines():
            number, _, waiting = [int(w) for w in line.split()[:3]]
            if number == self.number:
                return waiting
        raise AssertionError(f"there is no queue {self.number}")

    def verdict(self, packet, what=NF_ACCEPT):
        """Goes on, or is dropped. False: it is not in the queue any more."""
        code = self.request(VERDICT, attribute(VERDICT_HDR, struct.pack(">II", what, packet.id)))
        assert code in (0, errno.ENOENT), errno.errorcode.get(code, code)
        return not code


# Matches what the tests send to be masked.
DATA = "tcp dport 25 @th,160,80 0x" + b"STARTTLS\r\n".hex()


class Rule:
    """Packets that match go to a queue, in a place, for as long as this lasts; then what is still parked is dropped."""

    def __init__(self, place, *matches, number=25):
        hook, priority = PLACES[place]
        # Kernels note how many hooks a packet has passed, and warn when one is dropped where there are fewer
        # left now, because a table has gone: empty chains behind ours make up for those.
        behind = "".join(f"chain behind{i} {{ type filter hook {hook} priority {(1 << 31) - 1}; }}; " for i in range(5))
        queues = "".join(f"meta l4proto tcp {match} queue num {number}; " for match in matches)
        self.text = f"table inet parked {{ {behind}chain parked {{ type filter hook {hook} priority {priority}; {queues}}}; }}"

    def __enter__(self):
        lab.nft(self.text)
        return self

    def stop(self):
        """No more packets; those that are parked stay, for the hook does."""
        lab.nft("flush chain inet parked parked")

    def __exit__(self, *_):
        lab.run("router", "nft", "delete table inet parked", check=False)


def delete_entry(c):
    lab.run("router", "conntrack", "-D", "-p", "tcp", "--sport", str(c.sport), "-f", "ipv6" if c.v6 else "ipv4")


def unread(s):
    """Nothing of what was parked has reached the server, or nothing that it would read a second time."""
    for seg in iter(lambda: s.get(0.2), None):
        assert not seg.payload or s.has(seg), f"{seg} passed uninspected"
