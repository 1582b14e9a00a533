#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 600
"""No memory while the module begins: it is refused, nothing is left behind, the next try succeeds. With MINUTES=N each allocation
fails in turn, else some 150 of them, others each time."""
import ctypes
import errno
import glob
import os
import random
import subprocess

import failslab
import lab

NR_FINIT_MODULE = 313
MANY = 1 << 20
FAIL_NTH = "/proc/thread-self/fail-nth"
libc = ctypes.CDLL(None, use_errno=True)


def loaded():
    return os.path.exists("/sys/module/nf_conntrack_esmtp")


def remove():
    if loaded():
        subprocess.run(["rmmod", "nf_conntrack_esmtp"], check=True)


def insert(fd, nth=0):
    """Its error, and how many more allocations there would have had to be for the Nth to fail."""
    f = os.open(FAIL_NTH, os.O_RDWR)
    os.pwrite(f, str(nth).encode(), 0)
    code = ctypes.get_errno() if libc.syscall(NR_FINIT_MODULE, fd, b"", 0) < 0 else 0
    more = int(os.pread(f, 16, 0))
    os.pwrite(f, b"0", 0)
    os.close(f)
    return code, more


def allocations(fd):
    """How many the module's beginning makes."""
    code, more = insert(fd, MANY)
    assert code == 0 and 0 < more < MANY, os.strerror(code)
    remove()
    return MANY - more


def test_load():
    """the module begins, or an error says why not, whichever allocation of that fails"""
    with failslab.warnings_allowed(), open(glob.glob("/lib/modules/*/extra/nf_conntrack_esmtp.ko")[0], "rb") as f:
        load(f.fileno())


def load(fd):
    remove()
    count, refused = allocations(fd), 0
    step = 1 if os.environ.get("MINUTES") else max(1, count // 150)
    for nth in range(random.randrange(step) + 1, count + 1, step):
        code, more = insert(fd, nth)
        assert code in (0, errno.ENOMEM), f"allocation {nth}: {os.strerror(code)}"
        assert code == 0 or more == 0, f"{os.strerror(code)}, although no allocation has failed"
        assert loaded() == (not code), f"allocation {nth}: {os.strerror(code)}"
        remove()
        refused += code != 0
    print(f"    every {step}th of {count} allocations has failed; {refused} times the module was not loaded", flush=True)
    assert refused > 20 and insert(fd)[0] == 0
    # Of a tracepoint that cannot be described it warns.
    failslab.forget_log(but=r"WARNING: .*kernel/trace/trace_events\.c")


if __name__ == "__main__":
    failslab.every_kind()
    lab.tests(test_load)
