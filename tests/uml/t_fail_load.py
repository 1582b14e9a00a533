#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 600
"""No memory while the module begins: it is refused, nothing is left behind, the next try succeeds."""
import ctypes
import errno
import glob
import os
import subprocess

import failslab
import lab

NR_FINIT_MODULE = 313
TRIES = 25
libc = ctypes.CDLL(None, use_errno=True)


def initcall():
    """Where the function of the kernel is that calls a module's beginning."""
    with open("/proc/kallsyms", encoding="ascii") as f:
        symbols = sorted((int(line.split()[0], 16), line.split()[2]) for line in f)
    at = next(i for i, symbol in enumerate(symbols) if symbol[1] == "do_one_initcall")
    return symbols[at][0], symbols[at + 1][0]


def loaded():
    return os.path.exists("/sys/module/nf_conntrack_esmtp")


def remove():
    if loaded():
        subprocess.run(["rmmod", "nf_conntrack_esmtp"], check=True)


def insert(fd):
    return ctypes.get_errno() if libc.syscall(NR_FINIT_MODULE, fd, b"", 0) < 0 else 0


def test_load():
    """the module begins, or an error says why not, whichever allocation of its beginning fails"""
    remove()
    fd = os.open(glob.glob("/lib/modules/*/extra/nf_conntrack_esmtp.ko")[0], os.O_RDONLY)
    start, end = initcall()
    refused = 0
    for _ in range(TRIES):
        with failslab.within(start, end, 1, probability=10) as failed:
            code = insert(fd)
            n = failed()
        assert code in (0, errno.ENOMEM), f"{os.strerror(code)}, {n} allocations have failed"
        assert n or not code, f"{os.strerror(code)}, although no allocation has failed"
        assert loaded() == (not code), os.strerror(code)
        remove()
        refused += code != 0
    print(f"    {refused} of {TRIES} times the module was not loaded", flush=True)
    assert refused and insert(fd) == 0
    os.close(fd)
    failslab.forget_log()


if __name__ == "__main__":
    failslab.every_kind()
    lab.tests(test_load)
