#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 300
# module: kcov
"""Any segments of any connection, led by the places of the module that they come by (tests/uml/packets), while the kernel watches
memory and locks. What leaves must be what came but for what inspection does, and the same when it comes again.

MINUTES=N goes on for so long, ESMTP_SEED=N begins with another one, ESMTP_INPUT=DIGITS plays what was printed."""
import glob
import json
import os
import re
import struct
import subprocess
import time

import lab

PROGRAM = "/job/packets"
MODULE = "nf_conntrack_esmtp"
SEED = os.environ.get("ESMTP_SEED") or str(time.time_ns() // 1000000)
INPUT = os.environ.get("ESMTP_INPUT")
SECONDS = int(os.environ.get("MINUTES") or 0) * 60 or 24
SEEDS = "/tmp/seeds"
# What is played stands here: a file of the host's, whom it tells when the kernel stops.
NOTE = "/host/note"
# What was reached: addr2line -f -e .build/uml-kcov/nf_conntrack_esmtp.ko < FILE
PLACES = "/job/out/places-"
# By the client's address: what packets.h calls policy 0 to 3.
RULES = r"""flush ruleset
regex bad "casino|lottery$" nocase
domains ours { s.test, .s.test }
policy default {
	banner mask
	tls deny
	verbs add { bdat }
	special-character reply 553 log
	mail-relay ours reply 550 "5.7.1 no" log
	match cmd line length > 100 drop log
	match cmd rcpt count > 3 reply 452 log
	match header line length > 200 reset log
	match body line length > 200 log
	match sender-address length > 40 reset log
	match mime filename length > 20 reset log
	match header Subject regex bad reset log
	match ehlo-reply-parameter others mask
}
policy open {
	banner keep
	tls allow log
	verbs any
	match message size > declared log
	match mime filetype regex bad log
	match mime encoding { base64, others } log
	match anomaly { bare-lf, bare-cr, nul, eight-bit, early-talker, unexpected-reply, reply-syntax } log
}
policy watch {
	mode monitor
	banner keep
	verbs any
	tls allow
	match cmd line length > 50 drop log
	match body length > 100 reset log
}
policy strict {
	inherit default
	pipelining deny
	match cmd verb mail rate-limit 10/second burst 5 log
	match anomaly pipelining drop log
	match invalid-recipients count > 1 drop log
	match reply line length > 60 reset log
	match header count > 4 reset log
	match header to-fields count > 1 reset log
	match sender-address regex bad reply 550 log
	match recipient-address domains ours log
	match cmd verb vrfy mask
	match not cmd verb { ehlo, helo, mail, rcpt, data, bdat, rset, noop, quit, vrfy } cmd line length > 20 drop log
}
class open { saddr { 10.3.1.3, fd03:1::3 } }
class watch { saddr { 10.3.1.4, fd03:1::4 } }
class strict { saddr { 10.3.1.5, fd03:1::5 } }
inspect {
	class open policy open
	class watch policy watch
	class strict policy strict connections 1000 embryonic 20 refuse
	default policy default
}
"""
LINES = """
ip tuntap add dev fc mode tun vnet_hdr
ip tuntap add dev fs mode tun vnet_hdr
ip addr add 10.3.1.1/24 dev fc
ip addr add 10.3.2.1/24 dev fs
ip addr add fd03:1::1/64 dev fc nodad
ip addr add fd03:2::1/64 dev fs nodad
ip link set fc up
ip link set fs up
"""
# See enum kind, enum shape and struct step of packets.h.
KIND_SAY = 0
SHAPES = 0x00, 0x07, 0x42, 0x81, 0xc5, 0xc0
STEPS_MAX, DATA_MAX = 48, 250


def a_seed(shape, events):
    """What both ends say, in their order."""
    steps = []
    for direction, data in events:
        for at in range(0, len(data), DATA_MAX):
            piece = data[at:at + DATA_MAX]
            steps.append(struct.pack("=BBHhHBBBBbB", KIND_SAY, direction, 0, 0, 0, 0, 0, 0, 0, 0, len(piece)) + piece)
    steps = steps[:STEPS_MAX]
    return (struct.pack("=BB", shape, len(steps)) + b"".join(steps)).hex()


def put_seeds():
    """Every dialogue that was recorded, in each shape by turns."""
    found = []
    for i, name in enumerate(sorted(glob.glob("/job/dialogues/*.json"))):
        with open(name, encoding="ascii") as f:
            events = [(event["dir"] == "S", bytes.fromhex(event["hex"])) for event in json.load(f)["events"]]
        found += [a_seed(SHAPES[(i + j) % len(SHAPES)], events) for j in range(2)]
    assert len(found) > 10, "the dialogues are not there"
    with open(SEEDS, "w", encoding="ascii") as f:
        f.write("\n".join(found) + "\n")


def play(*words):
    """Exit code and what was printed, as it comes."""
    said = []
    with subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace") as p:
        for line in p.stdout:
            said.append(line)
            print("# " + line, end="", flush=True)
    return p.returncode, "".join(said)


def search(seconds, name):
    """Goes on for so long. It comes by much more than the seeds do, for both ends, and nothing is wrong."""
    code, said = play("--seeds", SEEDS, "--seconds", str(seconds), "--seed", SEED, "--note", NOTE, "--places", PLACES + name)
    assert code == 0, f"exit code {code}\n{said}"
    figures = re.search(r"(\d+) connections .* (\d+) places \((\d+) by seeds; (\d+) for the client, (\d+) for the server\)", said)
    assert figures, said
    played, places, by_seeds, client, server = map(int, figures.groups())
    assert played > 10 * seconds, f"{played} connections in {seconds} s"
    assert by_seeds > 1000, f"the seeds come by {by_seeds} places"
    assert places > by_seeds * 1.1, f"{by_seeds} places by seeds, and no more than {places} by all"
    assert min(client, server) > places / 4, f"{client} places for the client, {server} for the server"


def test_as_always():
    """conntrack as it is: what leaves is what came but for edits, and the same again"""
    search(SECONDS / 2, "always")


def test_liberal():
    """conntrack looks neither at windows nor at checksums: the same"""
    lab.run("router", "sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_be_liberal=1", "net.netfilter.nf_conntrack_checksum=0")
    search(SECONDS / 2, "liberal")


def test_input():
    """the input that was printed"""
    for liberal in 0, 1:
        lab.run("router", "sysctl", "-qw", f"net.netfilter.nf_conntrack_tcp_be_liberal={liberal}",
                f"net.netfilter.nf_conntrack_checksum={1 - liberal}")
        code, said = play("--input", INPUT)
        assert code == 0, f"exit code {code}\n{said}"


def remove():
    if os.path.exists("/sys/module/" + MODULE):
        subprocess.run(["rmmod", MODULE], check=True)


def set_up():
    """The router has another two lines, and the module that tells where it comes by."""
    lab.up()
    lab.run("router", "sh", "-ec", LINES)
    remove()
    subprocess.run(["insmod", "/job/kcov.ko"], check=True)
    lab.rules(RULES)
    put_seeds()


def take_down():
    lab.run("router", "nft", "flush", "ruleset")
    lab.run("router", "conntrack", "-F")
    remove()


if __name__ == "__main__":
    print(f"# ESMTP_SEED={SEED}", flush=True)
    set_up()
    try:
        lab.tests(*([test_input] if INPUT else [test_as_always, test_liberal]))
    finally:
        take_down()
