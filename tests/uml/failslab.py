# SPDX-License-Identifier: GPL-2.0-only
"""Allocations of the kernel that fail (Documentation/fault-injection): of which functions of the module, and how many."""
import contextlib
import pathlib
import re
import subprocess

FAILSLAB = "/sys/kernel/debug/failslab/"
FAIL_PAGES = "/sys/kernel/debug/fail_page_alloc/"
MODULE = "[nf_conntrack_esmtp]"
# What asks for memory and is compiled into another function, which the kernel knows (scripts/allocations).
INLINED = {"make_bytes": "esmtp_answer_begin", "add": "esmtp_embryonic_packet", "note_new": "esmtp_event_note",
           "print_note": "esmtp_event_send", "event_multicast": "esmtp_netlink_event", "table_new": "esmtp_table_piece",
           "reply_parse": "esmtp_rules_parse", "rules_alloc": "rules_grow",
           "session_alloc": "esmtp_session_find", "stage_open": "esmtp_stage_begin",
           "piece_put": "esmtp_stage_table", "take_lines": "esmtp_stream_packet", "fired_new": "esmtp_fired_alloc"}


def functions():
    """Where the module's functions begin and end, by name."""
    found = []
    with open("/proc/kallsyms", encoding="ascii") as f:
        for line in f:
            words = line.split()
            if words[-1] == MODULE and words[1] in "tT":
                found.append((int(words[0], 16), words[2]))
    found.sort()
    assert found, "the module is not there"
    # What of a function is unlikely stands elsewhere, by nearly the same name.
    return {re.sub(r"\..*", "", name): (start, end)
            for (start, name), (end, _) in zip(found, found[1:] + [(found[-1][0] + 4096, "")]) if ".cold" not in name}


def of_kernel(name):
    """Where a function of the kernel itself begins and ends."""
    with open("/proc/kallsyms", encoding="ascii") as f:
        found = sorted((int(words[0], 16), words[2]) for words in map(str.split, f) if words[1] in "tT")
    start = next(address for address, called in found if called == name)
    return start, next(address for address, _ in found if address > start)


@contextlib.contextmanager
def warnings_allowed():
    """What a test is about makes the kernel warn; it does not end there. The log is looked at by the test."""
    path = pathlib.Path("/proc/sys/kernel/panic_on_warn")
    before = path.read_text(encoding="ascii")
    path.write_text("0", encoding="ascii")
    try:
        yield
    finally:
        path.write_text(before, encoding="ascii")


def put(**settings):
    for name, value in settings.items():
        with open(FAILSLAB + name.replace("_", "-"), "w", encoding="ascii") as f:
            f.write(str(value))


def every_kind():
    """Also those that may sleep. The log is not told."""
    put(ignore_gfp_wait="N", verbose=0)
    for name, value in ("ignore-gfp-wait", "N"), ("verbose", "0"):
        with open(FAIL_PAGES + name, "w", encoding="ascii") as f:
            f.write(value)


def left():
    with open(FAILSLAB + "times", encoding="ascii") as f:
        return int(f.read())


def short(site, times):
    """What a function of the module, or those that it calls, asks for fails, so many times; None: what any of them asks for. A
    function that tells how often it has failed."""
    found = functions()
    start, end = found[site] if site else (min(a for a, _ in found.values()), max(b for _, b in found.values()))
    return within(start, end, times)


@contextlib.contextmanager
def within(start, end, times, probability=100):
    """The same for what is asked for by code between two addresses, or what that calls."""
    put(task_filter="N", ignore_gfp_wait="N", interval=1, space=0, verbose=0, stacktrace_depth=32,
        require_start=hex(start), require_end=hex(end), times=times, probability=probability)
    try:
        yield lambda: times - left()
    finally:
        put(probability=0, require_start=0, require_end=(1 << 64) - 1)


def forget_log(but=None):
    """The kernel says with a trace that it has no memory, could not make a cache or name an object. More than that it must not have
    said, but for lines of one pattern."""
    log = subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE, text=True).stdout
    bad = [line for line in log.splitlines() if re.search("KASAN|UBSAN|kmemleak: .*disabled|BUG|WARNING|INFO:|possible|refcount_t", line)
           and not (but and re.search(but, line))]
    assert not bad, "\n".join(bad)
    subprocess.run(["dmesg", "--clear"], check=True)
