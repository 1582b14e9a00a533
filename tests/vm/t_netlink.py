#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""The netlink language: every refusal and what it says, stages, two sockets, dumps, events."""
import ctypes
import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import traceback

from genl import (NLM_F_ACK, NLM_F_DUMP_INTR, Attr, Refusal, Socket, header_enums, number, parse,
                  text, u8, u32, u64)

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = next((p for p in (os.path.join(HERE, d, "nf_conntrack_esmtp.h") for d in
                           ("..", "../../include/uapi/linux/netfilter")) if os.path.exists(p)), None)
if not HEADER:
    sys.exit("nf_conntrack_esmtp.h, whose numbers are needed, was not brought along")
globals().update(header_enums(HEADER))
POLICY_FLAGS = 0x3f
ASA = (1 << ESMTP_VERB_STARTTLS) - (1 << ESMTP_VERB_AUTH)
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
BUSY = "another process is loading a configuration; try again"
BETWEEN = ("a reply stands between commands: all conditions of its rule are about what the client's commands say or "
           "come to")


# Policies as attributes

def name(value="p", **kw):
    return text(ESMTP_A_POLICY_NAME, value, **kw)


def verbs(value=ASA, **kw):
    return u64(ESMTP_A_POLICY_VERBS, value, **kw)


def policy(*attrs, **kw):
    return Attr(ESMTP_A_POLICY, attrs, **kw)


def rules(*attrs, **kw):
    return Attr(ESMTP_A_POLICY_RULES, attrs, **kw)


def rule(*attrs, **kw):
    return Attr(ESMTP_A_RULE, attrs, **kw)


def conds(*attrs, **kw):
    return Attr(ESMTP_A_RULE_CONDS, attrs, **kw)


def cond(*attrs, **kw):
    return Attr(ESMTP_A_COND, attrs, **kw)


def match(value, **kw):
    return u8(ESMTP_A_COND_MATCH, value, **kw)


def limit(value, **kw):
    return u32(ESMTP_A_COND_LIMIT, value, **kw)


def members(value, **kw):
    return u64(ESMTP_A_COND_SET, value, **kw)


def one(*attrs, **kw):
    """A rule's only condition."""
    return conds(cond(*attrs, **kw))


def action(value, **kw):
    return u8(ESMTP_A_RULE_ACTION, value, **kw)


def code(value, **kw):
    return Attr(ESMTP_A_RULE_CODE, struct.pack("<H", value), **kw)


def words(value, **kw):
    return Attr(ESMTP_A_RULE_TEXT, value, **kw)


def rate(events, seconds, burst):
    return [u32(ESMTP_A_RULE_RATE, events), u32(ESMTP_A_RULE_RATE_SECONDS, seconds),
            u32(ESMTP_A_RULE_RATE_BURST, burst)]


def line_rule(n, act=None, log=False, **kw):
    attrs = [one(match(ESMTP_MATCH_CMD_LINE_LENGTH), limit(n)),
             action(ESMTP_ACTION_COUNT if act is None else act)]
    return rule(*attrs, *([Attr(ESMTP_A_RULE_LOG)] if log else []), **kw)


def commit(s, generation=1):
    return s.request(ESMTP_CMD_STAGE_COMMIT, [u64(ESMTP_A_GENERATION, generation)])


def check_only(s):
    return s.request(ESMTP_CMD_STAGE_COMMIT, [Attr(ESMTP_A_CHECK_ONLY)])


def begin(s):
    return s.request(ESMTP_CMD_STAGE_BEGIN)


def stage(s, *attrs):
    """Stages a policy; returns its slot."""
    answers = s.request(ESMTP_CMD_STAGE_POLICY, [policy(*attrs)])
    assert len(answers) == 1, answers
    inner = dict(parse(dict(answers[0].attrs)[ESMTP_A_POLICY]))
    wanted = attrs[0].value.rstrip(b"\0")
    assert inner[ESMTP_A_POLICY_NAME].rstrip(b"\0") == wanted, inner
    return number(inner[ESMTP_A_POLICY_SLOT])


def status(s):
    attrs = dict(s.request(ESMTP_CMD_STATUS_GET)[0].attrs)
    counters = {k: number(v) for k, v in parse(attrs[ESMTP_A_COUNTERS]) if k}
    return attrs, counters


class Policy:
    """What a dump says of a policy, its parts joined."""

    def __init__(self):
        self.rules, self.parts = [], 0


def policies(s):
    found, answers = {}, s.dump(ESMTP_CMD_POLICY_GET)
    for m in answers:
        inner = dict(parse(dict(m.attrs)[ESMTP_A_POLICY]))
        p = found.setdefault(inner[ESMTP_A_POLICY_NAME].rstrip(b"\0").decode(), Policy())
        p.parts += 1
        p.slot = number(inner[ESMTP_A_POLICY_SLOT])
        p.generation = number(dict(m.attrs)[ESMTP_A_GENERATION])
        p.rules += [dict(parse(r)) for _, r in parse(inner[ESMTP_A_POLICY_RULES])]
        if p.parts == 1:
            p.flags = number(inner[ESMTP_A_POLICY_FLAGS])
            p.verbs = number(inner[ESMTP_A_POLICY_VERBS])
            p.description = inner[ESMTP_A_POLICY_DESCRIPTION].rstrip(b"\0").decode()
            p.counters = {k: number(v) for k, v in parse(inner[ESMTP_A_POLICY_COUNTERS]) if k}
            p.events = {k: number(v) for k, v in parse(inner[ESMTP_A_POLICY_EVENTS]) if k}
    return found


def slots(s):
    return {n: p.slot for n, p in policies(s).items()}


def refused(call, code, words=None):
    try:
        call()
    except Refusal as r:
        assert r.errno == code, f"{r}, not {errno.errorcode[code]}"
        if words is not None:
            assert words in r.sentence, f"{r}, not {words!r}"
        return r
    raise AssertionError("was not refused")


# Refusals: what is sent, errno, words of the sentence, type of a missing attribute.
# The attribute with bad=True is the one to be pointed at.

def policy_refusals():
    bad = {"bad": True}
    yield "no policy", [], errno.EINVAL, "a policy is missing", ESMTP_A_POLICY
    yield "unknown attribute", [u8(99, 0, **bad)], errno.EINVAL, "", None
    yield ("attribute of another command", [policy(name(), verbs()), u64(ESMTP_A_GENERATION, 1, **bad)],
           errno.EINVAL, "", None)
    yield "no nest", [Attr(ESMTP_A_POLICY, b"", nested=False, **bad)], errno.EINVAL, "NESTED", None
    yield "no name", [policy(verbs(), **bad)], errno.EINVAL, "a policy needs a name", ESMTP_A_POLICY_NAME
    yield "empty name", [policy(name("", **bad), verbs())], errno.EINVAL, "the name is empty", None
    yield "long name", [policy(name("x" * 41, **bad), verbs())], errno.ERANGE, "", None
    for n in ("a b", "a/b", "ä", "a\n", "a\0b", "{"):
        yield (f"name {n!r}", [policy(name(n, **bad), verbs())],
               errno.EINVAL, "a name has only letters, digits, '_', '.' and '-'", None)
    yield "no verbs", [policy(name(), **bad)], errno.EINVAL, "a policy needs the verbs that pass", ESMTP_A_POLICY_VERBS
    yield ("unknown verb", [policy(name(), verbs(1 << __ESMTP_VERB_MAX, **bad))],
           errno.EINVAL, "", None)
    yield "high verb", [policy(name(), verbs(1 << 40, **bad))], errno.EINVAL, "", None
    yield "short verbs", [policy(name(), u32(ESMTP_A_POLICY_VERBS, 1, **bad))], errno.EINVAL, "", None
    yield "unknown flag", [policy(name(), verbs(), u32(ESMTP_A_POLICY_FLAGS, 64, **bad))], errno.EINVAL, "", None
    yield "slot 8", [policy(name(), verbs(), u8(ESMTP_A_POLICY_SLOT, 8, **bad))], errno.ERANGE, "", None
    yield ("slot of 32 bits", [policy(name(), verbs(), u32(ESMTP_A_POLICY_SLOT, 1, **bad))],
           errno.EINVAL, "", None)
    yield ("long description",
           [policy(name(), verbs(), text(ESMTP_A_POLICY_DESCRIPTION, "x" * 201, **bad))], errno.ERANGE, "", None)
    yield ("control character",
           [policy(name(), verbs(), text(ESMTP_A_POLICY_DESCRIPTION, "a\x1bb", **bad))],
           errno.EINVAL, "a description has no control characters", None)
    for answer in (ESMTP_A_POLICY_COUNTERS, ESMTP_A_POLICY_EVENTS):
        yield "answer's attribute", [policy(name(), verbs(), Attr(answer, **bad))], errno.EINVAL, "only answers", None
    yield "unknown in policy", [policy(name(), verbs(), u8(60, 1, **bad))], errno.EINVAL, "", None
    yield "unknown in rules", [policy(name(), verbs(), rules(Attr(7, [], **bad)))], errno.EINVAL, "", None


def rule_refusals():
    bad = {"bad": True}
    length, kw, count = ESMTP_MATCH_CMD_LINE_LENGTH, ESMTP_MATCH_EHLO_KEYWORD, ESMTP_ACTION_COUNT
    yield "no condition", rule(action(count), **bad), errno.EINVAL, "a rule needs a condition", ESMTP_A_RULE_CONDS
    yield "empty conditions", rule(conds(), action(count), **bad), errno.EINVAL, "a rule needs a condition", None
    yield ("nine conditions", rule(conds(*(cond(match(length), limit(n), bad=n == 8) for n in range(9))), action(count)),
           errno.EINVAL, "a rule has at most 8 conditions", None)
    yield ("no match", rule(one(limit(5), **bad), action(count)),
           errno.EINVAL, "a condition needs a match", ESMTP_A_COND_MATCH)
    yield "match 0", rule(one(match(0, **bad), limit(5)), action(count)), errno.ERANGE, "", None
    yield "high match", rule(one(match(__ESMTP_MATCH_MAX, **bad), limit(5)), action(count)), errno.ERANGE, "", None
    yield ("a field of a line", rule(one(match(length), limit(5), text(ESMTP_A_COND_FIELD, "To")), action(count), **bad),
           errno.EINVAL, "this match is not about a field", None)
    yield ("long field", rule(one(match(length), limit(5), text(ESMTP_A_COND_FIELD, "x" * 65, **bad)), action(count)),
           errno.ERANGE, "", None)
    yield ("no action", rule(one(match(length), limit(5)), **bad), errno.EINVAL, "a rule needs an action",
           ESMTP_A_RULE_ACTION)
    yield ("high action", rule(one(match(length), limit(5)), action(__ESMTP_ACTION_MAX, **bad)), errno.ERANGE, "",
           None)
    yield ("no limit", rule(one(match(length), **bad), action(count)), errno.EINVAL, "this match needs a limit",
           ESMTP_A_COND_LIMIT)
    yield ("endless limit", rule(one(match(length), limit(0xffffffff)), action(count), **bad),
           errno.EINVAL, "limit can never be exceeded",
           None)
    yield ("mask a line", rule(one(match(length), limit(5)), action(ESMTP_ACTION_MASK), **bad), errno.EINVAL,
           "only ehlo-reply-parameter and cmd verb can be masked", None)
    yield ("mask with two", rule(conds(cond(match(kw), members(1)), cond(match(length), limit(5))),
                                 action(ESMTP_ACTION_MASK), **bad),
                                 errno.EINVAL, "a rule that masks has one condition", None)
    yield ("set of a line", rule(one(match(length), limit(5), members(1, **bad)), action(count)),
           errno.EINVAL, "this match has no set", None)
    yield "no set", rule(one(match(kw), **bad), action(count)), errno.EINVAL, "this match needs a set", ESMTP_A_COND_SET
    yield "empty set", rule(one(match(kw), members(0)), action(count), **bad), errno.EINVAL, "the set is empty", None
    yield ("unknown member", rule(one(match(kw), members(1 << __ESMTP_KW_MAX)), action(count), **bad),
           errno.EINVAL, "the set has a member that is not known", None)
    yield ("limit of a set", rule(one(match(kw), members(1), limit(1, **bad)), action(count)),
           errno.EINVAL, "this match has no limit", None)
    text_match = match(ESMTP_MATCH_SENDER_TEXT)
    table = u32(ESMTP_A_COND_TABLE, 1)
    yield ("no table", rule(one(text_match, **bad), action(count)),
           errno.EINVAL, "this match needs a table", ESMTP_A_COND_TABLE)
    yield ("table that is not there", rule(one(text_match, u32(ESMTP_A_COND_TABLE, 1, **bad)), action(count)),
           errno.EINVAL, "no complete table with this number is staged", None)
    yield ("limit of a text", rule(one(text_match, table, limit(1, **bad)), action(count)), errno.EINVAL,
           "this match has a table, not a limit", None)
    yield ("set of a text", rule(one(text_match, table, members(1, **bad)), action(count)), errno.EINVAL,
           "this match has a table, not a set", None)
    yield ("table of a line", rule(one(match(length), limit(5), u32(ESMTP_A_COND_TABLE, 1, **bad)), action(count)),
           errno.EINVAL, "this match has no table", None)
    yield ("table of a set", rule(one(match(kw), members(1), u32(ESMTP_A_COND_TABLE, 1, **bad)), action(count)),
           errno.EINVAL, "this match has no table", None)
    yield ("not with a value", rule(one(match(kw), members(1), u8(ESMTP_A_COND_NOT, 1, **bad)), action(count)),
           errno.ERANGE, "", None)
    yield ("unknown in condition", rule(one(match(length), limit(5), u8(44, 1, **bad)), action(count)),
           errno.EINVAL, "", None)
    yield ("count in a request", rule(one(match(length), limit(5)), action(count), u64(ESMTP_A_RULE_COUNT, 1, **bad)),
           errno.EINVAL, "only answers", None)
    yield "unknown in rule", rule(one(match(length), limit(5)), action(count), u8(33, 1, **bad)), errno.EINVAL, "", None
    yield ("flag with a value", rule(one(match(length), limit(5)), action(count), u8(ESMTP_A_RULE_LOG, 1, **bad)),
           errno.ERANGE, "", None)


def reply_refusals():
    bad = {"bad": True}
    length = one(match(ESMTP_MATCH_CMD_LINE_LENGTH), limit(5))
    reply, limited = action(ESMTP_ACTION_REPLY), action(ESMTP_ACTION_RATE_LIMIT)
    yield ("code 0", rule(length, reply, code(0, **bad)),
           errno.EINVAL, "the code of a reply is 400 to 459 or 500 to 559", None)
    for n in 1, 250, 354, 399, 460, 499, 560, 65535:
        yield (f"code {n}", rule(length, reply, code(n), **bad),
               errno.EINVAL, "the code of a reply is 400 to 459 or 500 to 559", None)
    yield "short code", rule(length, reply, u8(ESMTP_A_RULE_CODE, 1, **bad)), errno.EINVAL, "", None
    yield "no text", rule(length, reply, words(b"", **bad)), errno.ERANGE, "", None
    yield "empty text", rule(length, reply, words(b"\0", **bad)), errno.EINVAL, "the text of a reply is empty", None
    for text in b"a\r\n", b"a\0b", b"\x7f", b"\xc3\xa4", b'"':
        yield (f"text {text}", rule(length, reply, words(text), **bad),
               errno.EINVAL, "the text of a reply is 1 to 200 printable ASCII characters without quotes", None)
    yield "long text", rule(length, reply, words(b"x" * 201, **bad)), errno.ERANGE, "", None
    yield ("code of a drop", rule(length, action(ESMTP_ACTION_DROP), code(554), **bad),
           errno.EINVAL, "only a reply has a code and a text", None)
    yield ("text of a drop", rule(length, action(ESMTP_ACTION_DROP), words(b"x"), **bad),
           errno.EINVAL, "only a reply has a code and a text", None)
    body = cond(match(ESMTP_MATCH_BODY_LINE_LENGTH), limit(5))
    yield "reply in content", rule(conds(body), reply, **bad), errno.EINVAL, BETWEEN, None
    yield ("reply to a keyword", rule(one(match(ESMTP_MATCH_EHLO_KEYWORD), members(1)), reply, **bad), errno.EINVAL,
           BETWEEN, None)
    yield ("reply to a command and content", rule(conds(cond(match(ESMTP_MATCH_CMD_LINE_LENGTH), limit(5)), body), reply,
                                                  **bad), errno.EINVAL, BETWEEN, None)
    yield "no rate", rule(length, limited, **bad), errno.EINVAL, "a rate is for a second or for a minute", None
    yield ("rate for an hour", rule(length, limited, *rate(1, 3600, 1), **bad),
           errno.EINVAL, "a rate is for a second or for a minute", None)
    yield "no burst", rule(length, limited, *rate(1, 60, 1)[:2], **bad), errno.EINVAL, "a burst is 1 to 10000", None
    for n in 0, 10001, 0xffffffff:
        yield (f"rate {n}", rule(length, limited, u32(ESMTP_A_RULE_RATE, n, **bad), *rate(1, 60, 1)[1:]), errno.ERANGE,
               "", None)
    yield ("rate of a drop", rule(length, action(ESMTP_ACTION_DROP), *rate(1, 1, 1), **bad),
           errno.EINVAL, "only rate-limit has a rate", None)
    yield "rate in content", rule(conds(body), limited, *rate(1, 1, 1), **bad), errno.EINVAL, BETWEEN, None


def one_refusal(s, cmd, title, attrs, code, words, miss):
    r = refused(lambda: s.request(cmd, attrs), code, words)
    assert r.sentence, f"{title}: no sentence"
    want = s.marks[0] if s.marks else None
    assert r.offset == want, f"{title}: points at {r.offset}, not {want} ({r})"
    if miss is not None:
        assert r.miss_type == miss, f"{title}: {r.miss_type} is missing, not {miss}"
        assert r.miss_nest == want, f"{title}: missing in {r.miss_nest}, not {want}"


def test_refused_policies(s):
    begin(s)
    for title, attrs, code, words, miss in policy_refusals():
        one_refusal(s, ESMTP_CMD_STAGE_POLICY, title, attrs, code, words, miss)
    good = line_rule(512)
    for title, bad_rule, code, words, miss in [*rule_refusals(), *reply_refusals()]:
        attrs = [policy(name(), verbs(), rules(good, bad_rule, good))]
        one_refusal(s, ESMTP_CMD_STAGE_POLICY, title, attrs, code, words, miss)
    # Nothing of all this has stayed.
    assert stage(s, name("left"), verbs()) == 0
    commit(s)
    assert slots(s) == {"left": 0}


def test_refused_messages(s):
    one_refusal(s, ESMTP_CMD_STAGE_BEGIN, "begin with an attribute", [u8(1, 1, bad=True)], errno.EINVAL, "", None)
    one_refusal(s, ESMTP_CMD_STATUS_GET, "status with an attribute",
                [Attr(ESMTP_A_CHECK_ONLY, bad=True)], errno.EINVAL, "", None)
    refused(lambda: s.dump(ESMTP_CMD_POLICY_GET, [Attr(ESMTP_A_CHECK_ONLY)]), errno.EINVAL)
    refused(lambda: s.request(77), errno.EOPNOTSUPP)
    refused(lambda: s.request(ESMTP_CMD_EVENT), errno.EOPNOTSUPP)
    refused(lambda: s.request(ESMTP_CMD_POLICY_GET), errno.EOPNOTSUPP)
    refused(lambda: s.request(ESMTP_CMD_STATUS_GET, reserved=1), errno.EINVAL, "reserved")
    refused(lambda: s.request(ESMTP_CMD_STATUS_GET, flags=NLM_F_ACK | 0x400), errno.EINVAL, "nlmsg_flags")
    refused(lambda: s.request(ESMTP_CMD_STAGE_BEGIN, tail=b"\0\0"), errno.EINVAL, "bytes leftover")


def test_unknown_attributes(s):
    """Every command refuses every attribute that it does not know; a kernel may die of one that it lets through."""
    known = {ESMTP_CMD_STAGE_POLICY: {ESMTP_A_POLICY}, ESMTP_CMD_COUNTERS_RESET: {ESMTP_A_POLICY},
             ESMTP_CMD_STAGE_TABLE: {ESMTP_A_TABLE},
             ESMTP_CMD_STAGE_COMMIT: {ESMTP_A_GENERATION, ESMTP_A_CHECK_ONLY}}
    known[ESMTP_CMD_STATUS_GET] = known[ESMTP_CMD_POLICY_GET] = {ESMTP_A_ABSOLUTE}
    for kind in (*range(__ESMTP_A_MAX + 3), 100, 0x3fff):
        for cmd in range(ESMTP_CMD_STATUS_GET, __ESMTP_CMD_MAX):
            if kind in known.get(cmd, ()) or cmd == ESMTP_CMD_EVENT:
                continue
            dumps = (ESMTP_CMD_POLICY_GET, ESMTP_CMD_TABLE_GET, ESMTP_CMD_SESSION_GET)
            call = s.dump if cmd in dumps else s.request
            r = refused(lambda call=call, cmd=cmd, kind=kind: call(cmd, [u8(kind, 1)]), errno.EINVAL)
            assert r.offset == 20 and r.sentence, f"command {cmd}, attribute {kind}: {r}"


def test_refused_resets(s):
    cmd = ESMTP_CMD_COUNTERS_RESET
    one_refusal(s, cmd, "no name", [policy(bad=True)],
                errno.EINVAL, "the policy's name is missing", ESMTP_A_POLICY_NAME)
    one_refusal(s, cmd, "unknown name", [policy(name("nobody", bad=True))],
                errno.ENOENT, "no policy of this name is running", None)
    one_refusal(s, cmd, "slot", [policy(name("x"), u8(ESMTP_A_POLICY_SLOT, 0, bad=True))], errno.EINVAL, "", None)


def test_stage_order(s):
    for cmd, attrs in ((ESMTP_CMD_STAGE_POLICY, [policy(name(), verbs())]),
                       (ESMTP_CMD_STAGE_COMMIT, [u64(ESMTP_A_GENERATION, 1)]),
                       (ESMTP_CMD_STAGE_COMMIT, [Attr(ESMTP_A_CHECK_ONLY)]),
                       (ESMTP_CMD_STAGE_ABORT, [])):
        refused(lambda cmd=cmd, attrs=attrs: s.request(cmd, attrs), errno.ENOENT, "this socket has not begun a stage")
    begin(s)
    stage(s, name("gone"), verbs())
    begin(s)                                    # empties it
    stage(s, name("stays"), verbs())
    commit(s, 41)
    assert slots(s) == {"stays": 0}
    refused(lambda: commit(s), errno.ENOENT)    # a commit ends the stage
    begin(s)
    stage(s, name("aborted"), verbs())
    s.request(ESMTP_CMD_STAGE_ABORT)
    refused(lambda: commit(s), errno.ENOENT)
    begin(s)
    stage(s, name("checked"), verbs())
    check_only(s)
    refused(lambda: commit(s), errno.ENOENT)
    assert slots(s) == {"stays": 0}
    assert number(status(s)[0][ESMTP_A_GENERATION]) == 41


def test_generations(s):
    begin(s)
    stage(s, name(), verbs())
    r = refused(lambda: s.request(ESMTP_CMD_STAGE_COMMIT), errno.EINVAL, "a commit needs a generation")
    assert r.miss_type == ESMTP_A_GENERATION
    one_refusal(s, ESMTP_CMD_STAGE_COMMIT, "generation 0",
                [u64(ESMTP_A_GENERATION, 0, bad=True)],
                errno.EINVAL, "generation 0 means that there is no configuration", None)
    commit(s, (1 << 64) - 1)                    # the stage survived both
    assert policies(s)["p"].generation == (1 << 64) - 1
    begin(s)
    commit(s, 0)                                # the empty configuration
    assert policies(s) == {}
    assert number(status(s)[0][ESMTP_A_GENERATION]) == 0


def test_slots(s):
    begin(s)
    assert stage(s, name("a"), verbs()) == 0
    assert stage(s, name("b"), verbs()) == 1
    assert stage(s, name("seven"), verbs(), u8(ESMTP_A_POLICY_SLOT, 7)) == 7
    one_refusal(s, ESMTP_CMD_STAGE_POLICY, "slot taken",
                [policy(name("c"), verbs(), u8(ESMTP_A_POLICY_SLOT, 7, bad=True))],
                errno.EEXIST, "another policy has this slot", None)
    commit(s)
    begin(s)
    assert stage(s, name("new"), verbs()) == 2          # 0 and 1 wait for their policies
    assert stage(s, name("b"), verbs()) == 1
    assert stage(s, name("seven"), verbs(), u8(ESMTP_A_POLICY_SLOT, 3)) == 3
    assert stage(s, name("a"), verbs()) == 0
    commit(s)
    assert slots(s) == {"a": 0, "b": 1, "new": 2, "seven": 3}
    begin(s)
    assert [stage(s, name(f"n{i}"), verbs()) for i in range(8)] == [4, 5, 6, 7, 0, 1, 2, 3]
    one_refusal(s, ESMTP_CMD_STAGE_POLICY, "ninth", [policy(name("n8", bad=True), verbs())],
                errno.ENOSPC, "all 8 slots are taken", None)
    assert stage(s, name("n0"), rules(line_rule(1))) == 4   # more of one that is there
    commit(s)
    assert len(policies(s)["n0"].rules) == 1


def test_parts(s):
    begin(s)
    stage(s, name("big"), verbs(), rules(*(line_rule(n) for n in range(600))),
          text(ESMTP_A_POLICY_DESCRIPTION, "many rules"), u32(ESMTP_A_POLICY_FLAGS, POLICY_FLAGS))
    for attr in (u8(ESMTP_A_POLICY_SLOT, 0, bad=True), verbs(bad=True),
                 u32(ESMTP_A_POLICY_FLAGS, 0, bad=True), text(ESMTP_A_POLICY_DESCRIPTION, "x", bad=True)):
        one_refusal(s, ESMTP_CMD_STAGE_POLICY, "parameter in a part",
                    [policy(name("big"), attr)],
                    errno.EEXIST, "a policy of this name is staged already: only rules can be added", None)
    # The engine's word on the whole policy points into the part.
    one_refusal(s, ESMTP_CMD_STAGE_POLICY, "endless limit in a part",
                [policy(name("big"), rules(line_rule(1000), line_rule(7), line_rule(0xffffffff, bad=True)))],
                errno.EINVAL, "limit can never be exceeded", None)
    stage(s, name("big"), rules(*(line_rule(n) for n in range(600, 1023))))
    one_refusal(s, ESMTP_CMD_STAGE_POLICY, "1025 rules",
                [policy(name("big"), rules(line_rule(1023), line_rule(1024), bad=True))],
                errno.E2BIG, "a policy has at most 1024 rules", None)
    stage(s, name("big"), rules(line_rule(1023, log=True)))
    stage(s, name("big"))
    stage(s, name("small"), verbs(1))
    commit(s)
    both = policies(s)
    big = both["big"]
    assert [number(c[ESMTP_A_COND_LIMIT]) for r in big.rules for c in conditions(r)] == list(range(1024))
    assert [ESMTP_A_RULE_LOG in r for r in big.rules] == [False] * 1023 + [True]
    assert big.description == "many rules" and big.flags == POLICY_FLAGS and big.verbs == ASA
    assert big.parts > 1, big.parts
    assert both["small"].rules == [] and both["small"].verbs == 1 and both["small"].parts == 1


def conditions(r):
    return [dict(parse(c)) for _, c in parse(r[ESMTP_A_RULE_CONDS])]


def said(c):
    """A condition of a dump: match, limit, set, not."""
    return (number(c[ESMTP_A_COND_MATCH]), *(number(c[k]) if k in c else None for k in (ESMTP_A_COND_LIMIT, ESMTP_A_COND_SET)),
            ESMTP_A_COND_NOT in c)


def condition(m, n, k, negate):
    return cond(match(m), *([] if n is None else [limit(n)]), *([] if k is None else [members(k)]), *([Attr(ESMTP_A_COND_NOT)] if negate else []))


def test_every_rule(s):
    sets = {ESMTP_MATCH_EHLO_KEYWORD: __ESMTP_KW_MAX, ESMTP_MATCH_CMD_VERB: __ESMTP_VERB_MAX}
    others = {ESMTP_MATCH_MIME_ENCODING: __ESMTP_ENC_MAX, ESMTP_MATCH_ANOMALY: __ESMTP_ANOMALY_MAX}  # not to be masked
    texts = (ESMTP_MATCH_SENDER_TEXT, ESMTP_MATCH_RECIPIENT_TEXT, ESMTP_MATCH_MIME_TYPE_TEXT,
             ESMTP_MATCH_HEADER_TEXT, ESMTP_MATCH_MAIL_RELAY, ESMTP_MATCH_MIME_FILENAME_TEXT)   # with tables: t_tables.py
    facts = (ESMTP_MATCH_DECLARED_SIZE, ESMTP_MATCH_SPECIAL_CHARACTER)
    no_limit = (*sets, *others, *texts, *facts)
    simple = [(m, n, None, bool(n)) for m in range(1, __ESMTP_MATCH_MAX) if m not in no_limit for n in (0, 0xfffffffe)]
    simple += [(m, None, 1 << k, m != ESMTP_MATCH_ANOMALY) for m, n in others.items() for k in range(n)]
    simple += [(m, None, None, negate) for m in facts for negate in (False, True)]
    words = [(m, None, 1 << k, bool(k % 2)) for m, n in sets.items() for k in range(n)]
    want = [([c], a, log) for c in simple for a, log in ((ESMTP_ACTION_COUNT, True), (ESMTP_ACTION_RESET, False))]
    want += [([c], ESMTP_ACTION_MASK, k % 2) for k, c in enumerate(words)]
    want += [(simple[n:n + 8], ESMTP_ACTION_DROP, True) for n in range(4)] + [(words[:8], ESMTP_ACTION_COUNT, False)]
    begin(s)
    stage(s, name(), verbs((1 << __ESMTP_VERB_MAX) - 1),
          rules(*(rule(conds(*(condition(*c) for c in cs)), action(a), *([Attr(ESMTP_A_RULE_LOG)] if log else []))
                  for cs, a, log in want)))
    commit(s)
    p = policies(s)["p"]
    for (cs, a, log), r in zip(want, p.rules, strict=True):
        assert [said(c) for c in conditions(r)] == cs and number(r[ESMTP_A_RULE_ACTION]) == a
        assert (ESMTP_A_RULE_LOG in r) == bool(log) and number(r[ESMTP_A_RULE_COUNT]) == 0
    assert sorted(p.counters) == list(range(1, __ESMTP_PC_MAX))
    assert sorted(p.events) == list(range(1, __ESMTP_EVENT_MAX))


def test_reply_rules(s):
    """Codes, texts and rates come back as they were sent, also where a later part was refused."""
    length = one(match(ESMTP_MATCH_CMD_LINE_LENGTH), limit(5))
    reply, limited = action(ESMTP_ACTION_REPLY), action(ESMTP_ACTION_RATE_LIMIT)
    first = [[reply], [reply, code(400)], [reply, code(559), words(b"x" * 200)], [reply, words(b"~ !")],
             [limited, *rate(10000, 1, 1)], [limited, *rate(1, 60, 10000)]]
    many = [[reply, code(450), words(b"%d " % n + b"y" * 190)] for n in range(300)]
    begin(s)
    stage(s, name(), verbs(), rules(*(rule(length, *attrs) for attrs in first)))
    for n in range(0, len(many), 100):
        refused(lambda n=n: stage(s, name(), rules(*(rule(length, *attrs) for attrs in many[n:n + 100]),
                                                   rule(length, reply, code(1)))),
                                                   errno.EINVAL, "the code of a reply is 400 to 459 or 500 to 559")
        stage(s, name(), rules(*(rule(length, *attrs) for attrs in many[n:n + 100])))
    commit(s)
    kinds = {ESMTP_A_RULE_CODE, ESMTP_A_RULE_TEXT, ESMTP_A_RULE_RATE, ESMTP_A_RULE_RATE_SECONDS, ESMTP_A_RULE_RATE_BURST}
    for attrs, r in zip(first + many, policies(s)["p"].rules, strict=True):
        assert {k: v for k, v in r.items() if k in kinds} == {a.kind: a.value for a in attrs[1:]}, r


def test_two_sockets(s):
    other = Socket()
    begin(s)
    stage(s, name("first"), verbs())
    for call in (lambda: begin(other), lambda: stage(other, name(), verbs()), lambda: commit(other),
                 lambda: check_only(other), lambda: other.request(ESMTP_CMD_STAGE_ABORT)):
        refused(call, errno.EBUSY, BUSY)
    assert policies(other) is not None                  # reading goes on
    commit(s)
    begin(other)
    stage(other, name("second"), verbs())
    refused(lambda: begin(s), errno.EBUSY)
    other.close()                                       # and its stage is gone
    begin(s)
    commit(s)
    assert policies(s) == {}


def test_killed_owner(s):
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        mine = Socket()
        begin(mine)
        stage(mine, name("killed"), verbs())
        os.write(tell, b"x")
        signal.pause()
    os.read(ready, 1)
    refused(lambda: begin(s), errno.EBUSY)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    begin(s)
    s.request(ESMTP_CMD_STAGE_ABORT)


def test_dump_and_commit(s):
    for generation in (1, 2):
        begin(s)
        for part in range(4):
            for p in range(4):
                stage(s, name(f"big{p}"), *([verbs()] if not part else []),
                      rules(*(line_rule(part * 256 + n) for n in range(256))))
        if generation == 1:
            commit(s, generation)
    reader = Socket(bufsize=16384)
    reader.send(ESMTP_CMD_POLICY_GET, flags=0x300)
    first = reader.receive()
    assert not first.flags & NLM_F_DUMP_INTR
    commit(s, 2)
    rest = reader.collect(dump=True)
    assert any(m.flags & NLM_F_DUMP_INTR for m in rest), "a commit in mid-dump is not told"
    assert all(not m.flags & NLM_F_DUMP_INTR for m in reader.dump(ESMTP_CMD_POLICY_GET))
    # A dump whose policies vanish ends.
    reader.send(ESMTP_CMD_POLICY_GET, flags=0x300)
    reader.receive()
    begin(s)
    commit(s, 0)
    rest = reader.collect(dump=True)
    assert reader.done_flags & NLM_F_DUMP_INTR or any(m.flags & NLM_F_DUMP_INTR for m in rest)


def in_child(work):
    """Runs work() in a child; its exception is ours."""
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        code = 0
        try:
            work()
        except BaseException as e:              # pylint: disable=broad-except
            lines = " → ".join(str(f.lineno) for f in traceback.extract_tb(e.__traceback__))
            os.write(tell, f"lines {lines}: {type(e).__name__}: {e}".encode()[:4000])
            code = 1
        os._exit(code)
    os.close(tell)
    said = os.read(ready, 4096).decode()
    os.close(ready)
    _, code = os.waitpid(child, 0)
    assert not code, said or f"child ended with {code}"


def unshare(flags):
    if libc.unshare(flags):
        raise OSError(ctypes.get_errno(), "unshare")


def become_nobody():
    os.setgroups([])
    os.setresgid(65534, 65534, 65534)
    os.setresuid(65534, 65534, 65534)


def without_rights():
    become_nobody()
    s = Socket()
    assert ESMTP_A_VERSION in status(s)[0]
    assert "seen" in policies(s)
    for cmd, attrs in ((ESMTP_CMD_STAGE_BEGIN, []), (ESMTP_CMD_STAGE_POLICY, [policy(name(), verbs())]),
                       (ESMTP_CMD_STAGE_COMMIT, [u64(ESMTP_A_GENERATION, 1)]), (ESMTP_CMD_STAGE_ABORT, []),
                       (ESMTP_CMD_COUNTERS_RESET, [])):
        refused(lambda cmd=cmd, attrs=attrs: s.request(cmd, attrs), errno.EPERM)
    refused(lambda: s.dump(ESMTP_CMD_SESSION_GET), errno.EPERM)
    try:
        s.join("events")
    except PermissionError:
        return
    raise AssertionError("anybody may listen to events")


def in_own_namespace():
    become_nobody()
    unshare(CLONE_NEWUSER | CLONE_NEWNET)
    s = Socket()
    s.join("events")
    assert policies(s) == {} and s.dump(ESMTP_CMD_SESSION_GET) == []
    begin(s)                                            # although the first namespace has a stage
    stage(s, name("mine"), verbs())
    commit(s, 7)
    assert slots(s) == {"mine": 0}
    begin(s)
    stage(s, name("left"), verbs())                     # the namespace dies with a stage


def test_permission(s):
    begin(s)
    stage(s, name("seen"), verbs())
    commit(s)
    begin(s)
    in_child(without_rights)
    in_child(in_own_namespace)
    assert slots(s) == {"seen": 0}
    s.request(ESMTP_CMD_STAGE_ABORT)


# Events: a client in a namespace of its own, the server in another, inspected on its way in.

TABLE = """
table inet t_netlink {
	ct helper h { type "esmtp" protocol tcp; }
	chain in {
		type filter hook input priority 0;
		tcp dport 25 ct state new ct helper set "h" ct label set 127
	}
}
"""


def run(*words, **kw):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, **kw)


def enter(netns):
    with open(f"/run/netns/{netns}", encoding="ascii") as f:
        if libc.setns(f.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")


def topology():
    for n in ("nlc", "nls"):
        run("ip", "netns", "add", n)
        run("ip", "-n", n, "link", "set", "lo", "up")
    run("ip", "link", "add", "nl0", "netns", "nlc", "type", "veth", "peer", "name", "nl0", "netns", "nls")
    for i, n in enumerate(("nlc", "nls"), 1):
        run("ip", "-n", n, "address", "add", f"10.99.0.{i}/24", "dev", "nl0")
        run("ip", "-n", n, "address", "add", f"fd99::{i}/64", "dev", "nl0", "nodad")
        run("ip", "-n", n, "link", "set", "nl0", "up")
    run("ip", "netns", "exec", "nls", "nft", "-f", "-", input=TABLE.encode())


def dialogue(server, family, address, lines):
    """A client of the other namespace says these lines; the server answers each with 500."""
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        enter("nlc")
        c = socket.create_connection((address, 25), 10) if family == socket.AF_INET else None
        if c is None:
            c = socket.socket(family, socket.SOCK_STREAM)
            c.settimeout(10)
            c.connect((address, 25))
        os.write(tell, struct.pack("=H", c.getsockname()[1]))
        try:
            c.recv(1000)
            for line in lines:
                c.send(line)
                c.recv(1000)
        except OSError:
            pass
        os._exit(0)
    conn, _ = server.accept()
    port = struct.unpack("=H", os.read(ready, 2))[0]
    conn.settimeout(5)
    try:
        conn.send(b"220 mail.example.org ready\r\n")
        for _ in lines:
            if not conn.recv(4000):
                break
            conn.send(b"500 what\r\n")
    except OSError:
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    conn.close()
    return port


def listen(family, address):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 25))
    s.listen()
    s.settimeout(10)
    return s


def events(s, wanted):
    found = []
    while len(found) < wanted:
        m = s.receive()
        assert m.cmd == ESMTP_CMD_EVENT, m.cmd
        found.append(dict(parse(dict(m.attrs)[ESMTP_A_EVENT])))
        found[-1]["seq"] = m.seq
    return found


def log_lines(since):
    out = subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE).stdout.decode()
    return [x.split("nf_conntrack_esmtp: ", 1)[1] for x in out.splitlines()[since:]
            if "nf_conntrack_esmtp: %" in x]


def check_connection(e, family, client, server, port):
    assert number(e[ESMTP_A_EVENT_FAMILY]) == family
    assert e[ESMTP_A_EVENT_SADDR] == socket.inet_pton(family, client)
    assert e[ESMTP_A_EVENT_DADDR] == socket.inet_pton(family, server)
    assert struct.unpack(">H", e[ESMTP_A_EVENT_SPORT])[0] == port
    assert struct.unpack(">H", e[ESMTP_A_EVENT_DPORT])[0] == 25


def events_of_a_rule(ctl, listener, family, client, server):
    """NOOP of 30 characters over a limit of 10 that logs, then an unknown verb that is masked."""
    sock = listen(family, server)
    since = len(subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE).stdout.splitlines())
    before = time.time_ns()
    port = dialogue(sock, family, server, [b"NOOP " + b"x" * 25 + b"\r\n", b"XYZZ \x01\"\xff\r\n"])
    first, second = events(listener, 2)
    for e in (first, second):
        check_connection(e, family, client, server, port)
        assert e[ESMTP_A_EVENT_POLICY] == b"watch\0"
        assert ESMTP_A_EVENT_FROM_SERVER not in e
        assert before <= number(e[ESMTP_A_EVENT_TIME]) <= time.time_ns()
        assert number(e[ESMTP_A_EVENT_LOST]) == 0
    assert number(first[ESMTP_A_EVENT_TYPE]) == ESMTP_EVENT_RULE
    assert number(first[ESMTP_A_EVENT_RULE]) == 2 and number(first[ESMTP_A_EVENT_LIMIT]) == 10
    cond = dict(parse(first[ESMTP_A_EVENT_COND]))
    assert number(cond[ESMTP_A_COND_MATCH]) == ESMTP_MATCH_CMD_LINE_LENGTH and number(cond[ESMTP_A_COND_LIMIT]) == 10
    assert ESMTP_A_COND_NOT not in cond and ESMTP_A_EVENT_MONITOR not in first
    assert number(first[ESMTP_A_EVENT_VALUE]) > 10
    assert number(first[ESMTP_A_EVENT_ACTION]) == ESMTP_ACTION_COUNT
    assert number(second[ESMTP_A_EVENT_TYPE]) == ESMTP_EVENT_CMD_MASKED
    assert number(second[ESMTP_A_EVENT_ACTION]) == ESMTP_ACTION_MASK
    assert ESMTP_A_EVENT_RULE not in second
    assert second["seq"] == first["seq"] + 1
    p = policies(ctl)["watch"]
    assert [number(r[ESMTP_A_RULE_COUNT]) for r in p.rules] == [0, 1]
    assert p.events[ESMTP_EVENT_RULE] == 1 and p.events[ESMTP_EVENT_CMD_MASKED] == 1
    assert p.counters[ESMTP_PC_CONNECTIONS] == 1 and p.counters[ESMTP_PC_PACKETS] >= 3
    return port, log_lines(since)


def log_all_netns(value):
    """The first namespace's setting; call it there."""
    with open("/proc/sys/net/netfilter/nf_log_all_netns", "w", encoding="ascii") as f:
        f.write(str(value))


def test_events(s):
    topology()
    log_all_netns(0)
    enter("nls")
    ctl, listener = Socket(), Socket()
    listener.join("events")
    begin(ctl)
    stage(ctl, name("watch"), verbs(), rules(line_rule(1000), line_rule(10, log=True)))
    commit(ctl)
    _, lines = events_of_a_rule(ctl, listener, socket.AF_INET, "10.99.0.1", "10.99.0.2")
    assert not lines, lines                             # not the first namespace's affair
    ctl.request(ESMTP_CMD_COUNTERS_RESET, [policy(name("watch"))])
    p = policies(ctl)["watch"]
    assert not any(p.counters.values()) and not any(p.events.values())
    assert number(p.rules[1][ESMTP_A_RULE_COUNT]) == 0


def test_kernel_log(s):
    log_all_netns(1)
    enter("nls")
    ctl, listener = Socket(), Socket()
    listener.join("events")
    begin(ctl)
    stage(ctl, name("watch"), verbs(), rules(line_rule(1000), line_rule(10, log=True)))
    commit(ctl)
    port, lines = events_of_a_rule(ctl, listener, socket.AF_INET6, "fd99::1", "fd99::2")
    assert len(lines) == 2, lines
    assert lines[0].startswith(f"%ASA-6-108005: ESMTP Classification: Received ESMTP Request from fd99::1/{port} "
                               "to fd99::2/25; matched Class 2: cmd line length gt 10 (policy watch, seen "), lines
    assert lines[1].startswith(f"%ASA-4-108004: ESMTP Parameter: Masked command for ESMTP Request "
                               f"from fd99::1/{port} to fd99::2/25; "), lines
    assert all(0x20 <= ord(c) < 0x7f for line in lines for c in line), lines


def test_listener_gone(s):
    log_all_netns(0)
    enter("nls")
    ctl = Socket()
    begin(ctl)
    commit(ctl, 0)                                      # no counters of a policy of this name before it
    begin(ctl)
    stage(ctl, name("watch"), verbs(), rules(line_rule(10, log=True)))
    commit(ctl)
    dialogue(listen(socket.AF_INET, "10.99.0.2"), socket.AF_INET, "10.99.0.2", [b"NOOP " + b"x" * 25 + b"\r\n"])
    assert policies(ctl)["watch"].events[ESMTP_EVENT_RULE] == 1
    assert status(ctl)[1][ESMTP_NC_EVENTS_LOST] == 0
    ctl.request(ESMTP_CMD_COUNTERS_RESET)
    assert not any(policies(ctl)["watch"].counters.values())


def test_status(s):
    attrs, counters = status(s)
    assert attrs[ESMTP_A_VERSION].endswith(b"\0") and len(attrs[ESMTP_A_VERSION]) > 3
    assert sorted(counters) == list(range(1, __ESMTP_NC_MAX))
    assert len(attrs[ESMTP_A_SESSIONS]) == 4



def committer(until):
    enter("nls")
    s = Socket()
    for n in range(1, 1 << 30):
        if time.time() > until:
            return
        begin(s)
        stage(s, name("watch"), verbs(), rules(*(line_rule(i, log=True) for i in range(1, 20))))
        stage(s, name(f"p{n % 5}"), verbs(), rules(*(line_rule(i) for i in range(n % 300))))
        commit(s, n)


def reader(until):
    enter("nls")
    become_nobody()
    s = Socket()
    while time.time() < until:
        policies(s)
        status(s)


def opener(until):
    """Begins stages and leaves them to the end of the socket; most find another's."""
    enter("nls")
    while time.time() < until:
        s = Socket()
        try:
            begin(s)
            stage(s, name("left"), verbs(), rules(line_rule(1)))
        except Refusal as r:
            assert r.errno in (errno.EBUSY, errno.ENOENT), r
        s.close()


def test_stress(s):
    """Commits, readers, stages left behind, traffic and resets at the same time."""
    log_all_netns(0)
    until = time.time() + 5
    children = []
    for work in (reader, opener):
        child = os.fork()
        if not child:
            work(until)
            os._exit(0)
        children.append(child)
    child = os.fork()
    if not child:
        while time.time() < until:
            try:
                in_child(lambda: committer(until))
            except AssertionError as e:
                assert "EBUSY" in str(e), e
        os._exit(0)
    children.append(child)
    enter("nls")
    ctl, listener = Socket(), Socket()
    listener.join("events")
    sock = listen(socket.AF_INET, "10.99.0.2")
    while time.time() < until:
        dialogue(sock, socket.AF_INET, "10.99.0.2", [b"NOOP " + b"x" * 25 + b"\r\n"])
        ctl.request(ESMTP_CMD_COUNTERS_RESET)
    for child in children:
        assert not os.waitpid(child, 0)[1], "a child failed; see above"


def fresh(test):
    """A test in a process of its own, on a socket of its own, with the empty configuration before it."""
    s = Socket()
    begin(s)
    commit(s, 0)
    test(s)
    s.close()


def held():
    """What keeps the module: who uses it, namespaces, and where the kernel is in ending one; orphaned sockets of any
    namespace keep that too."""
    said = []
    for path, start in ("/proc/modules", "nf_conntrack_esmtp "), ("/proc/net/sockstat", "TCP"):
        with open(path, encoding="ascii") as f:
            said += [x.strip() for x in f if x.startswith(start)]
    said += [subprocess.run(words, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode()
             for words in (["ip", "netns"], ["lsns", "-t", "net"])]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stack", encoding="ascii") as f:
                stack = f.read()
        except OSError:
            continue
        if "cleanup_net" in stack or "rmmod" in stack:
            said.append(stack)
    return "\n".join(said)


def unload():
    """Once the table of a dead namespace is gone: that takes a moment, and longer on a busy machine."""
    start, seen = time.monotonic(), ""
    while subprocess.run(["rmmod", "nf_conntrack_esmtp"], check=False, stderr=subprocess.DEVNULL).returncode:
        took = time.monotonic() - start
        if took > 10 and not seen:
            seen = held()
            print(f"    after {took:.1f} s:\n{seen}", flush=True)
        assert took < 60, f"the module cannot be unloaded within {took:.0f} s\n{held()}"
        time.sleep(0.1)
    print(f"    unloaded after {time.monotonic() - start:.1f} s", flush=True)


def test_unload(s):
    """With a configuration in force, a stage open and a listener; the next use loads the module again."""
    listener = Socket()
    listener.join("events")
    begin(s)
    stage(s, name("runs"), verbs(), rules(line_rule(5)))
    commit(s)
    begin(s)
    stage(s, name("waits"), verbs(), rules(line_rule(5)))
    unload()
    s.close()
    listener.close()
    again = Socket()
    assert policies(again) == {}
    assert number(status(again)[0][ESMTP_A_GENERATION]) == 0


TESTS = (test_status, test_refused_messages, test_unknown_attributes, test_refused_policies, test_refused_resets,
         test_stage_order, test_generations, test_slots, test_parts, test_every_rule, test_reply_rules, test_two_sockets,
         test_killed_owner, test_dump_and_commit, test_permission, test_events, test_kernel_log, test_listener_gone,
         test_stress, test_unload)


def main():
    failed = 0
    for test in TESTS:
        what = "netlink: " + test.__name__.removeprefix("test_").replace("_", " ")
        try:
            in_child(lambda test=test: fresh(test))
            print(f"ok {what}", flush=True)
        except AssertionError as e:
            failed += 1
            print(f"not ok {what}\n    {e}", flush=True)
        if test is test_stress:
            for n in ("nlc", "nls"):
                subprocess.run(["ip", "netns", "del", n], check=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
