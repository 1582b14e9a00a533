#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
"""Recorded dialogues through the router: under a policy that only looks every byte arrives as it was sent;
under the default policy exactly what it masks is different."""
import lab
import replay
from lab import CLIENT, SERVER, counters, grows, inspect, listen, rules, same

OWN = replay.load("/job/dialogues")
OTHERS = replay.load("/job/transcripts")
# All that policy default looks for, with its actions.
LOOKING = lab.POLICY.replace("policy default {", "policy default {\n\tmode monitor\n\tverbs asa")
SMALL = [d for d in OWN + OTHERS if sum(len(data) for _, data in d.events) < 900]


def paths():
    """Both address families, client on either side."""
    for v6 in False, True:
        yield SERVER[v6], "server", "client", v6
        yield CLIENT[v6], "client", "server", v6


def unchanged(dialogues, turn=None):
    wrong = []
    for n, (to, at, name, v6) in enumerate(paths()):
        if turn is not None and n != turn:
            continue
        with listen(at, v6) as lst:
            for p in replay.play(dialogues, to, lst, name=name):
                for side, word in ("C", "client"), ("S", "server"):
                    other = "S" if side == "C" else "C"
                    try:
                        same(bytes(p.got[other]), p.dialogue.bytes(side), f"{to}: {p.dialogue.name}: from the {word}")
                    except AssertionError as e:
                        wrong.append(f"{e} ({p.error})")
    assert not wrong, "\n".join(wrong)


def test_monitor():
    """a policy that only looks: every dialogue arrives byte for byte, both ways, both families"""
    rules(inspect(lab.MONITOR))
    unchanged(OWN + OTHERS)
    found = counters()
    assert found["connections"] == 4 * len(OWN + OTHERS) and found["closed"] == found["drop"] == found["held"] == 0, found
    assert not found["conflict"] and not found["no-memory"], found


def test_monitor_bytes():
    """the same in single bytes"""
    rules(inspect(lab.MONITOR))
    unchanged([d.cut() for d in SMALL[::2]], 0)
    unchanged([d.cut() for d in SMALL[1::2]], 3)


def test_monitor_joined():
    """the same with what one side sends in a row in one piece"""
    rules(inspect(lab.MONITOR))
    unchanged([d.joined() for d in OWN + OTHERS], 1)


def test_monitor_torn():
    """the same in pieces of chance sizes"""
    rules(inspect(lab.MONITOR))
    unchanged([d.torn(1) for d in OWN + OTHERS if len(d.bytes("C")) < 100000], 2)


def test_monitor_rules():
    """policy default with all its rules, in mode monitor: the same"""
    rules(inspect(LOOKING))
    with grows(connections=4 * len(OWN + OTHERS), closed=0, drop=0, reset_drop=0, held=0, no_memory=0):
        unchanged(OWN + OTHERS)
    # It has looked: there is much in the dialogues that it would have masked.
    found = counters()
    assert found["event.banner-masked"] > 0 and found["rules"][-1] > 0, found


def masked(dialogues, turn, typed=False):
    wrong = []
    to, at, name, v6 = list(paths())[turn]
    with listen(at, v6) as lst:
        for p in replay.play(dialogues, to, lst, name=name):
            want = replay.Expected(p.dialogue, typed)
            for side, other in ("C", "S"), ("S", "C"):
                try:
                    same(bytes(p.got[other]), bytes(want.out[side]), f"{p.dialogue.name}: what {side} has sent:")
                    assert want.closed or len(p.got[other]) == len(p.dialogue.bytes(side)), p.dialogue.name
                    assert bool(p.error[other]) == want.closed, f"{p.dialogue.name}: {p.error}"
                except AssertionError as e:
                    wrong.append(str(e))
    assert not wrong, "\n".join(wrong)


def test_default():
    """policy default: only greeting, EHLO keywords and refused commands differ"""
    rules(inspect())
    for turn in range(4):
        masked(OWN, turn)


def test_default_joined():
    """the same with what one side sends in a row in one piece"""
    rules(inspect())
    masked([d.joined() for d in OWN], 2)


def test_default_bytes():
    """policy default, in single bytes: what is masked is masked from the byte on that decides it"""
    rules(inspect())
    masked([d.cut() for d in SMALL if d in OWN], 1, typed=True)


if __name__ == "__main__":
    assert len(OWN) >= 10, "where are the dialogues?"
    print(f"# {len(OWN)} dialogues of ours, {len(OTHERS)} from elsewhere", flush=True)
    lab.up()
    lab.tests(test_monitor, test_monitor_bytes, test_monitor_joined, test_monitor_torn, test_monitor_rules, test_default,
              test_default_joined, test_default_bytes)
