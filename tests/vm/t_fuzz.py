#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 400
"""Netlink messages that nobody would send: 24,000 of them, from a printed seed, against the module while mail goes through it."""
import random
import select
import struct

import lab
from genl import NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, encode
from t_netlink import *
from t_tables import GOOD, Table, available, data, ident, sizes, sources, stage_table, table, tname

globals().update(header_enums(HEADER))       # those that begin with __, too
SEED = int(os.environ.get("ESMTP_SEED") or time.time_ns() % (1 << 32))
ROUNDS, DATAGRAMS, MESSAGES = 24, 40, 25
rnd = random.Random(SEED)
EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 40, 41, 64, 127, 128, 200, 255, 256, 400, 512, 554, 1023, 1024, 10000, 65535, 1 << 20,
         (1 << 31) - 1, 1 << 31, (1 << 32) - 2, (1 << 32) - 1, 1 << 32, (1 << 63), (1 << 64) - 1)
SETS = {ESMTP_MATCH_EHLO_KEYWORD: __ESMTP_KW_MAX, ESMTP_MATCH_CMD_VERB: __ESMTP_VERB_MAX,
        ESMTP_MATCH_MIME_ENCODING: __ESMTP_ENC_MAX, ESMTP_MATCH_ANOMALY: __ESMTP_ANOMALY_MAX}
FACTS = (ESMTP_MATCH_DECLARED_SIZE, ESMTP_MATCH_SPECIAL_CHARACTER)
TEXTS = (ESMTP_MATCH_SENDER_TEXT, ESMTP_MATCH_RECIPIENT_TEXT, ESMTP_MATCH_MIME_TYPE_TEXT, ESMTP_MATCH_HEADER_TEXT,
         ESMTP_MATCH_MAIL_RELAY, ESMTP_MATCH_MIME_FILENAME_TEXT)
MASKED = (ESMTP_MATCH_EHLO_KEYWORD, ESMTP_MATCH_CMD_VERB)
ANSWERED = (ESMTP_MATCH_CMD_LINE_LENGTH, ESMTP_MATCH_CMD_RCPT_COUNT, ESMTP_MATCH_SENDER_LENGTH, ESMTP_MATCH_CMD_VERB,
            ESMTP_MATCH_INVALID_RCPT_COUNT, ESMTP_MATCH_SPECIAL_CHARACTER, ESMTP_MATCH_SENDER_TEXT, ESMTP_MATCH_RECIPIENT_TEXT,
            ESMTP_MATCH_MAIL_RELAY)
COMMANDS = tuple(n for n in range(1, __ESMTP_CMD_MAX) if n != ESMTP_CMD_EVENT)
STEPS = (("S", b"220 mx\r\n"), ("C", b"EHLO c\r\n"), ("S", b"250-mx\r\n250-SIZE 5\r\n250 X\r\n"), ("C", b"MAIL FROM:<ab@c> SIZE=9\r\n"),
         ("S", b"250 ok\r\n"), ("C", b"RCPT TO:<b@ab>\r\nNO|OP \xff\0\n"), ("S", b"250 ok\r\n250 ok\r\n"), ("C", b"DATA\r\n"), ("S", b"354 go\r\n"),
         ("C", b"To: ab\r\nContent-Type: a/b; name*0*=''ab; name*1=\"=?x?Q?b?=\"\r\n\r\nab\r\n..\r\n.\r\n"), ("S", b"550 5.1.1 no\r\n"))


#
# What is right.
#
def a_condition(tables, among=range(1, __ESMTP_MATCH_MAX)):
    m = rnd.choice(among)
    attrs = [match(m)]
    if m in SETS:
        attrs.append(members(rnd.randrange(1, 1 << SETS[m])))
    elif m in TEXTS:
        attrs.append(u32(ESMTP_A_COND_TABLE, rnd.choice(tables)))
        if m == ESMTP_MATCH_HEADER_TEXT:
            attrs.append(text(ESMTP_A_COND_FIELD, rnd.choice(("To", "content-type", "x" * 64))))
    elif m not in FACTS:
        attrs.append(limit(rnd.choice((0, 1, 5, 10, 27, 512, (1 << 32) - 2))))
    if m != ESMTP_MATCH_ANOMALY and rnd.random() < 0.3:
        attrs.append(Attr(ESMTP_A_COND_NOT))
    return cond(*attrs)


def an_action():
    """What a rule does, what belongs to that, and the matches that it may stand with."""
    kind = rnd.randrange(10)
    if kind == 0:
        return [action(ESMTP_ACTION_MASK)], MASKED
    if kind == 1:
        said = [code(rnd.choice((450, 554))), words(b"5.7.1 not so" + bytes(rnd.randrange(2)))]
        return [action(ESMTP_ACTION_REPLY), *rnd.sample(said, rnd.randrange(3))], ANSWERED
    if kind == 2:
        return [action(ESMTP_ACTION_RATE_LIMIT), *rate(rnd.choice((1, 60)), rnd.choice((1, 60)), rnd.choice((1, 3)))], ANSWERED
    return [action(rnd.choice((ESMTP_ACTION_COUNT,) * 4 + (ESMTP_ACTION_DROP, ESMTP_ACTION_RESET)))], range(1, __ESMTP_MATCH_MAX)


def a_rule(tables):
    does, among = an_action()
    many = [a_condition(tables, among) for _ in range(1 if among is MASKED else rnd.choice((1, 1, 1, 2)))]
    return rule(conds(*many), *does, *([Attr(ESMTP_A_RULE_LOG)] if rnd.random() < 0.3 else []))


def a_policy(called, tables):
    more = [u32(ESMTP_A_POLICY_FLAGS, rnd.randrange(POLICY_FLAGS + 1)), text(ESMTP_A_POLICY_DESCRIPTION, "x" * rnd.randrange(200)),
            u8(ESMTP_A_POLICY_LOG_LEVEL, rnd.randrange(8)), Attr(ESMTP_A_POLICY_LOG_GROUP, struct.pack("=H", rnd.randrange(1 << 16)))]
    return policy(name(called), verbs(rnd.randrange(1 << __ESMTP_VERB_MAX)), *rnd.sample(more, rnd.randrange(5)),
                  rules(*(a_rule(tables) for _ in range(rnd.randrange(12)))))


def a_table(n):
    return [table(ident(n), tname(f"t{n}"), *sizes(len(GOOD), 5), *data(0, GOOD + b"a\nb c"))]


def corpus():
    """Right messages of every kind: command, flags, payload."""
    dumps = (ESMTP_CMD_POLICY_GET, ESMTP_CMD_TABLE_GET, ESMTP_CMD_SESSION_GET)
    found = [(cmd, NLM_F_ACK, b"") for cmd in COMMANDS] + [(cmd, NLM_F_DUMP, b"") for cmd in dumps]
    found += [(ESMTP_CMD_STAGE_BEGIN, NLM_F_ACK, b"")] * 20
    found += [(ESMTP_CMD_STAGE_COMMIT, NLM_F_ACK, encode([u64(ESMTP_A_GENERATION, n)], 20, [])) for n in (1, 1 << 40)]
    found += [(ESMTP_CMD_STAGE_COMMIT, NLM_F_ACK, encode([Attr(ESMTP_A_CHECK_ONLY)], 20, []))]
    found += [(cmd, flags, encode([Attr(ESMTP_A_ABSOLUTE)], 20, [])) for cmd, flags in
              ((ESMTP_CMD_STATUS_GET, NLM_F_ACK), (ESMTP_CMD_POLICY_GET, NLM_F_DUMP))]
    found += [(ESMTP_CMD_STAGE_TABLE, NLM_F_ACK, encode(a_table(n), 20, [])) for n in range(1, 9)]
    found += [(ESMTP_CMD_STAGE_POLICY, NLM_F_ACK, encode([a_policy(f"p{n}", range(1, 9))], 20, [])) for n in range(60)]
    return found


#
# What is wrong.
#
def edge(size):
    return (rnd.choice(EDGES) & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def damaged(raw, other):
    """A few changes: bits, numbers, lengths and types of attributes, pieces left out, repeated, of another message."""
    raw = bytearray(raw)
    for _ in range(rnd.choice((1, 1, 1, 2, 3, 8))):
        at = rnd.randrange(len(raw) + 1)
        even = at & ~3
        what = rnd.randrange(7)
        if what == 0 and at < len(raw):
            raw[at] ^= 1 << rnd.randrange(8)
        elif what == 1:
            size = rnd.choice((1, 2, 4, 8))
            raw[at:at + size] = edge(size)
        elif what == 2:
            raw[even:even + 2] = edge(2)
        elif what == 3:
            del raw[even:even + 4 * rnd.randrange(1, 9)]
        elif what == 4:
            raw[even:even] = raw[even:even + 4 * rnd.randrange(1, 40)]
        elif what == 5:
            start = rnd.randrange(len(other) + 1) & ~3
            raw[even:even] = other[start:start + 4 * rnd.randrange(1, 40)]
        else:
            del raw[at:]
    return bytes(raw)


def any_attrs(depth=0):
    """Attributes of any type, nest and length."""
    found = []
    for _ in range(rnd.randrange(4)):
        kind = rnd.randrange(14) if rnd.random() < 0.95 else rnd.randrange(1 << 14)
        if depth < 5 and rnd.random() < 0.6:
            found.append(Attr(kind, any_attrs(depth + 1), nested=rnd.random() < 0.95))
        else:
            found.append(Attr(kind, rnd.choice((b"", edge(1), edge(2), edge(4), edge(8), b"p1\0", rnd.randbytes(rnd.randrange(300)))),
                              nested=rnd.random() < 0.05))
    return found


def message(right):
    cmd, flags, raw = rnd.choice(right)
    what = rnd.random()
    if what < 0.1:
        return rnd.choice(COMMANDS), rnd.choice((NLM_F_ACK, NLM_F_ACK, NLM_F_DUMP)), rnd.randbytes(rnd.randrange(200))
    if what < 0.25:
        return rnd.choice(COMMANDS), NLM_F_ACK, encode(any_attrs(), 20, [])
    if what < 0.85:
        raw = damaged(raw, rnd.choice(right)[2])
    if what < 0.3:
        cmd = rnd.randrange(256)
    return cmd, flags, raw


def send_all(s, messages):
    """In one datagram, read in turn: each is answered, once."""
    whole, waiting, codes = b"", set(), {}
    for cmd, flags, raw in messages:
        s.seq += 1
        waiting.add(s.seq)
        body = struct.pack("=BBH", cmd, 1 if rnd.random() < 0.99 else rnd.randrange(256), 0) + raw
        whole += struct.pack("=IHHII", 16 + len(body), s.family, NLM_F_REQUEST | NLM_F_ACK | flags, s.seq, 0) + body
        whole += bytes(-len(whole) % 4)
    s.sock.send(whole)
    while waiting:
        m = s.receive()
        if m.kind not in (NLMSG_DONE, NLMSG_ERROR):
            continue
        assert m.seq in waiting, f"message {m.seq} was answered twice, or never sent"
        waiting.remove(m.seq)
        code = -struct.unpack_from("=i", m.body)[0] if len(m.body) >= 4 else 0
        codes[code] = codes.get(code, 0) + 1
    return codes


#
# Whether it is still right.
#
KEPT = ("NAME", "SLOT", "DESCRIPTION", "FLAGS", "VERBS", "LOG_LEVEL", "LOG_GROUP")


def dumped(s):
    """Policies by name: attributes as they came, and rules without their counts."""
    found = {}
    for m in s.dump(ESMTP_CMD_POLICY_GET):
        inner = dict(parse(dict(m.attrs)[ESMTP_A_POLICY]))
        attrs, many = found.setdefault(inner[ESMTP_A_POLICY_NAME], ({}, []))
        if not attrs:
            attrs.update({k: inner[k] for k in (globals()["ESMTP_A_POLICY_" + x] for x in KEPT) if k in inner})
        many += [[(k, v) for k, v in parse(r) if k not in (ESMTP_A_RULE_COUNT, ESMTP_A_RULE_PAD)]
                 for _, r in parse(inner[ESMTP_A_POLICY_RULES])]
    return found


def given(p):
    attrs, many = p
    def as_sent(k, v):
        if k == ESMTP_A_RULE_CONDS:
            # Where a u64 must be aligned there is something in front of it that nobody may send.
            return Attr(k, [Attr(kk, [Attr(*field) for field in parse(vv) if field[0] != ESMTP_A_COND_PAD], nested=True)
                            for kk, vv in parse(v)])
        return Attr(k, v)
    return policy(*(Attr(k, v) for k, v in attrs.items() if k != ESMTP_A_POLICY_SLOT),
                  rules(*(rule(*(as_sent(k, v) for k, v in r)) for r in many)))


def is_right(s):
    """A random configuration is taken, dumped, and loaded from the dump: it is the same."""
    ids = rnd.sample(range(1, 1 << 31), rnd.randrange(1, 4))
    try:
        s.request(ESMTP_CMD_STAGE_ABORT)
    except Refusal:
        pass
    begin(s)
    for n in ids:
        stage_table(s, Table(rnd.randrange(5, 40)).blob(), b"source %d" % n, n=n)
    many = rnd.randrange(1, 5)
    for called in ("default", "q1", "q2", "q3")[:many]:
        # Rules of one text against more than eight tables are none here: there are three.
        s.request(ESMTP_CMD_STAGE_POLICY, [a_policy(called, ids)])
    commit(s, rnd.randrange(1, 1 << 63))
    before, texts = dumped(s), sources(s)
    assert len(before) == many and len(texts) == len(ids), (before, texts)
    numbers = {}
    for m in s.dump(ESMTP_CMD_TABLE_GET):
        inner = dict(parse(dict(m.attrs)[ESMTP_A_TABLE]))
        numbers[inner[ESMTP_A_TABLE_NAME].rstrip(b"\0").decode()] = number(inner[ESMTP_A_TABLE_ID])
    begin(s)
    for called, n in numbers.items():
        stage_table(s, GOOD, texts[called], n=n, called=called)
    for p in before.values():
        s.request(ESMTP_CMD_STAGE_POLICY, [given(p)])
    commit(s, rnd.randrange(1, 1 << 63))
    assert dumped(s) == before, "the dump of what was loaded from a dump is another"
    assert sources(s) == texts


def mail(v6):
    """A dialogue; it may end at any place."""
    with lab.listen(v6=v6) as listener:
        c, s = lab.joined(listener, lab.SERVER[v6])
        try:
            for side, raw in STEPS:
                sender, receiver = (c, s) if side == "C" else (s, c)
                sender.sendall(raw)
                if select.select([receiver], [], [], 0.1)[0] and not receiver.recv(65536):
                    break
        except ConnectionError:
            pass
        finally:
            c.close()
            s.close()


def fuzz():
    """each message has one answer, and the module is as it was"""
    print(f"# ESMTP_SEED={SEED}", flush=True)
    lab.rules(lab.inspect())
    mail(False)
    total, met, free = {}, 0, available()
    with lab.ns("router"):
        s = Socket()
        right = corpus()
    for n in range(ROUNDS):
        for _ in range(DATAGRAMS):
            for code, count in send_all(s, [message(right) for _ in range(MESSAGES)]).items():
                total[code] = total.get(code, 0) + count
        # What they have committed, if anything, meets mail; so does what is right.
        mail(bool(n % 2))
        is_right(s)
        mail(not n % 2)
        # The table of nft knows slot 0 alone, which may be nobody's.
        met += sum(p.counters[ESMTP_PC_CONNECTIONS] for p in policies(s).values() if p.slot == 0)
        # A connection that ended well keeps its configuration for two minutes yet. 16 may be kept, a round leaves two.
        if n % 6 == 5:
            lab.run("router", "conntrack", "-D", "-p", "tcp", check=False)
    s.close()
    assert met > ROUNDS / 2, f"{met} connections have met a random policy"
    assert sum(total.values()) == ROUNDS * DATAGRAMS * MESSAGES
    said = ", ".join(f"{errno.errorcode.get(code, code or 'done')} {total[code]}" for code in sorted(total))
    print(f"# {sum(total.values())} messages: {said}", flush=True)
    assert total[0] > 1000 and total[errno.EINVAL] > 5000 and total[errno.ENOENT], "they do not reach what they should"
    lost = free - available()
    assert lost < 48, f"{lost} MiB are gone"


def unload():
    """nothing keeps the module"""
    lab.run("router", "nft", "flush", "ruleset")
    lab.run("router", "conntrack", "-D", check=False)
    end = time.monotonic() + 20
    while lab.counters()["live"]:
        assert time.monotonic() < end, "connections stay"
        time.sleep(0.2)
    lab.run("router", "rmmod", "nf_conntrack_esmtp")


lab.sh("lab_up; modprobe nfnetlink_log")
lab.tests(fuzz, unload)
