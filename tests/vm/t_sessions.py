#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 300
"""list sessions: what is said of each connection in each phase, and of hundreds, while others come and go."""
import resource
import threading

from lab import *

TLS = POLICY.replace("tls deny", "tls allow").replace("policy default", "policy open")
FILE = f"""flush ruleset
{POLICY}
{TLS}
class open {{ dport 2525 }}
inspect {{
	class open policy open
	default policy default
}}
"""


def sessions():
    out = json.loads(run("router", "esmtpctl", "-j", "list", "sessions"))["esmtp"]
    return [o["session"] for o in out if "session" in o]


def by_port():
    found = {s["client"]["port"]: s for s in sessions()}
    assert len(found) == len(sessions()), "a session is listed twice"
    return found


def gone():
    """Nothing is left of the connections of before."""
    run("router", "conntrack", "-D", "-p", "tcp", check=False)
    end = time.monotonic() + 20
    while sessions():
        assert time.monotonic() < end, "sessions do not go"
        time.sleep(0.2)


def generation():
    for o in json.loads(run("router", "esmtpctl", "-j", "list", "counters"))["esmtp"]:
        if "module" in o:
            return o["module"]["generation"]
    raise AssertionError("no module")


def one(sock):
    return by_port()[sock.getsockname()[1]]


def phase(sock, name, rcpts=0, message=0):
    s = one(sock)
    got = s["phase"], s["recipients"], s["message-bytes"]
    assert got == (name, rcpts, message), f"{got}, not {(name, rcpts, message)}"
    return s


def greeted(lst, to, port=25):
    c, s = joined(lst, to, port=port)
    said(s, b"220 mx\r\n", c, b"220 **\r\n")
    said(c, b"EHLO c\r\n", s)
    said(s, b"250 mx\r\n", c)
    return c, s


def phases():
    """each phase of a connection, with its recipients and bytes"""
    gone()
    lst = listen()
    with lst:
        c, s = joined(lst, SERVER[False])
        s.sendall(b"220-m")
        read(c, 5)
        phase(c, "greeting")
        said(s, b"x\r\n220 mx\r\n", c, b"*\r\n220 **\r\n")
        said(c, b"EHLO c\r\n", s)
        said(s, b"250 mx\r\n", c)
        phase(c, "command")
        said(c, b"MAIL FROM:<a@c.test>\r\n", s)
        said(s, b"250 ok\r\n", c)
        for n in range(3):
            said(c, b"RCPT TO:<b@s.test>\r\n", s)
            said(s, b"250 ok\r\n", c)
        said(c, b"DATA\r\n", s)
        phase(c, "answer", 3)
        said(s, b"354 go\r\n", c)
        phase(c, "content", 3)
        said(c, b"Subject: x\r\n\r\n" + b"y" * 986, s)
        entry = phase(c, "content", 3, 1000)
        said(c, b"\r\n.\r\n", s)
        said(s, b"250 ok\r\n", c)
        phase(c, "command")
        assert entry["client"] == {"address": CLIENT[False], "port": c.getsockname()[1]}, entry
        assert entry["server"] == {"address": SERVER[False], "port": 25}, entry
        assert entry["policy"] == "default" and entry["generation"] == generation(), entry
        said(c, b"AUTH PLAIN\r\n", s)
        said(s, b"334 \r\n", c)
        phase(c, "auth")
        c.close()
        s.close()


def verdicts():
    """a connection that a verdict waits for, then closes; it stays listed"""
    gone()
    with listen() as lst:
        c, s = greeted(lst, SERVER[False])
        said(c, b"MAIL FROM:<a@c.test>\r\n", s)
        c.sendall(b"RCPT TO:<|>\r\n")
        time.sleep(0.3)
        phase(c, "latched")
        s.sendall(b"250 ok\r\n")
        read(c, 8)
        end = time.monotonic() + 5
        while one(c)["phase"] != "closed" and time.monotonic() < end:
            time.sleep(0.1)
        entry = phase(c, "closed")
        assert entry["kept-bytes"] == {"client": 0, "server": 0}, entry
        c.close()
        s.close()


def tls():
    """behind 220 to STARTTLS; before NAT and over IPv6"""
    gone()
    nft("table ip nat_test {\nchain pre {\ntype nat hook prerouting priority dstnat\n"
        "ip daddr 10.0.2.99 dnat to 10.0.2.2\n}\n}\n")
    try:
        with listen(port=2525) as lst, listen(v6=True, port=2525) as lst6:
            c, s = greeted(lst, "10.0.2.99", 2525)
            said(c, b"STARTTLS\r\n", s)
            said(s, b"220 go\r\n", c)
            entry = phase(c, "tls")
            assert entry["server"] == {"address": "10.0.2.99", "port": 2525}, entry
            assert entry["policy"] == "open", entry
            c6, s6 = greeted(lst6, SERVER[True], 2525)
            entry = phase(c6, "command")
            ours = c6.getsockname()[0]
            assert entry["client"]["address"] == ours, entry
            text = run("router", "esmtpctl", "list", "sessions").splitlines()
            assert len(text) == 2, text
            want = rf"{re.escape(ours)}/{c6.getsockname()[1]} to {re.escape(SERVER[True])}/2525, " \
                   r"policy open, phase command, recipients 0, message 0, kept \d+ \d+, age \d+"
            assert any(re.fullmatch(want, line) for line in text), text
            for sock in (c, s, c6, s6):
                sock.close()
    finally:
        run("router", "nft", "delete table ip nat_test")


def kept_and_age():
    """memory kept of each direction, seconds, and the policy's generation over a reload"""
    gone()
    c, s = raw_pair()
    begin(c, s)
    port = c.sport
    before = by_port()[port]
    c.send(b"NOOP 1\r\n")
    s.want(b"NOOP 1\r\n")
    after = by_port()[port]
    assert after["kept-bytes"]["client"] > before["kept-bytes"]["client"], (before, after)
    assert after["kept-bytes"]["server"] == before["kept-bytes"]["server"] == 0, (before, after)
    s.ack()
    c.get()
    assert by_port()[port]["kept-bytes"]["client"] == 0
    s.send(b"250 ok\r\n")
    c.want(b"250 ok\r\n")
    assert by_port()[port]["kept-bytes"]["server"] > 0
    rules(FILE)
    assert generation() != before["generation"]
    time.sleep(2)
    later = by_port()[port]
    assert later["generation"] == before["generation"], later
    assert before["age"] + 2 <= later["age"] <= before["age"] + 30, (before, later)
    c.close()
    s.close()


def many():
    """six hundred connections: each is listed once, however many come and go meanwhile"""
    gone()
    stop = threading.Event()
    busy = []

    def churn():
        n = 0
        while not stop.is_set():
            c, s = joined(other, SERVER[False], port=2525)
            s.sendall(b"220 mx\r\n")
            read(c, 8)
            for sock in (c, s):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
            n += 1
        busy.append(n)

    with listen() as lst, listen(port=2525) as other:
        pairs = [joined(lst, SERVER[False]) for _ in range(600)]
        for c, s in pairs:
            s.sendall(b"220 mx\r\n")
        for c, s in pairs:
            read(c, 8)
        want = {c.getsockname()[1] for c, _ in pairs}
        t = threading.Thread(target=churn)
        t.start()
        try:
            for _ in range(8):
                ports = [s["client"]["port"] for s in sessions() if s["server"]["port"] == 25]
                assert len(ports) == len(set(ports)), "one is listed twice"
                assert set(ports) == want, f"{len(ports)} sessions are listed, not {len(want)}"
        finally:
            stop.set()
            t.join()
        assert busy and busy[0] > 5, busy
        for c, s in pairs:
            c.close()
            s.close()


def elsewhere():
    """another namespace has none; who has no rights is told so"""
    assert json.loads(run("client", "esmtpctl", "-j", "list", "sessions"))["esmtp"][1:] == []
    said_ = run("router", "setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all",
                "esmtpctl", "list", "sessions", check=False)
    assert re.fullmatch(r"Error: the sessions cannot be read: .*(root|permitted).*\n", said_), said_


def size():
    """a session is at most 1024 bytes"""
    with open("/sys/kernel/slab/esmtp_session/object_size", encoding="ascii") as f:
        n = int(f.read())
    print(f"# sizeof(struct esmtp_session) is {n}")
    assert n <= 1024, n


resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
up()
rules(FILE)
tests(phases, verdicts, tls, kept_and_age, many, elsewhere, *([] if DEBUG_KERNEL else [size]))
