# SPDX-License-Identifier: GPL-2.0-only
"""A listener of nfnetlink_log, as ulogd is one."""
import select
import socket
import struct

from lab import ns

NETLINK_NETFILTER, ULOG = 12, 4
MSG_PACKET, MSG_CONFIG = ULOG << 8, ULOG << 8 | 1
CFG_CMD, CFG_MODE, BIND, COPY_PACKET = 1, 2, 1, 2
PACKET_HDR, INDEV, OUTDEV, PAYLOAD, PREFIX = 1, 4, 5, 9, 10


def attrs(raw):
    found = {}
    while len(raw) >= 4:
        length, kind = struct.unpack_from("=HH", raw)
        found[kind & 0x3fff] = raw[4:length]
        raw = raw[(length + 3) & ~3:]
    return found


class Group:
    """A group and its packets."""

    def __init__(self, group, name="router"):
        with ns(name):
            self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.sock.bind((0, 0))
        self.group = group
        self.ask(CFG_CMD, struct.pack("=B", BIND))
        self.ask(CFG_MODE, struct.pack(">IBB", 0xffff, COPY_PACKET, 0))

    def ask(self, kind, data):
        attr = struct.pack("=HH", 4 + len(data), kind) + data
        attr += bytes(-len(attr) % 4)
        body = struct.pack(">BBH", 0, 0, self.group) + attr
        self.sock.send(struct.pack("=IHHII", 16 + len(body), MSG_CONFIG, 5, 1, 0) + body)
        raw = self.sock.recv(65536)
        kind, = struct.unpack_from("=H", raw, 4)
        code, = struct.unpack_from("=i", raw, 16)
        assert kind == 2 and code == 0, f"nfnetlink_log refuses: {code}"

    def packet(self, seconds=5):
        """The attributes of the next packet, or None."""
        if not select.select([self.sock], [], [], seconds)[0]:
            return None
        raw = self.sock.recv(65536)
        length, kind = struct.unpack_from("=IH", raw)
        assert kind == MSG_PACKET, kind
        return attrs(raw[20:length])

    def close(self):
        self.sock.close()
