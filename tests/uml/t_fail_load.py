#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 1800
"""No memory while the module is loaded, and while a namespace is made: it is refused, nothing is left behind, the next try succeeds."""
import ctypes
import errno
import glob
import os
import subprocess

import failslab
import lab

FAIL_NTH = "/proc/thread-self/fail-nth"
NR_FINIT_MODULE, CLONE_NEWNET = 313, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def failing(nth, call):
    """A system call with one allocation failing: its errno, 0 for none; and how many more there would have had to be."""
    fd = os.open(FAIL_NTH, os.O_RDWR)
    os.write(fd, str(nth).encode())
    code = ctypes.get_errno() if call() < 0 else 0
    more = int(os.pread(fd, 16, 0))
    os.write(fd, b"0")
    os.close(fd)
    return code, more


def loaded():
    return os.path.exists("/sys/module/nf_conntrack_esmtp")


def insert(fd):
    return libc.syscall(NR_FINIT_MODULE, fd, b"", 0)


def remove():
    if loaded():
        subprocess.run(["rmmod", "nf_conntrack_esmtp"], check=True)


def test_load():
    """the module is loaded, or ENOMEM says why not"""
    fd = os.open(glob.glob("/lib/modules/*/extra/nf_conntrack_esmtp.ko")[0], os.O_RDONLY)
    remove()
    nth = refused = 0
    while True:
        nth += 1
        code, more = failing(nth, lambda: insert(fd))
        assert code in (0, errno.ENOMEM), f"allocation {nth}: {os.strerror(code)}"
        assert loaded() == (code == 0), f"allocation {nth}: {os.strerror(code)}, but the module is{' not' if not code else ''} there"
        remove()
        if more:
            break
        refused += code != 0
    print(f"    {nth - 1} allocations have failed, {refused} times the module was not loaded", flush=True)
    assert refused > 10 and insert(fd) == 0
    os.close(fd)


def test_namespace():
    """a network namespace is made with the module there, or refused"""
    nth = refused = 0
    while True:
        nth += 1
        pid = os.fork()
        if not pid:
            code, more = failing(nth, lambda: libc.unshare(CLONE_NEWNET))
            os._exit(2 if more else 3 if code else 4)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert code in (2, 3, 4), f"allocation {nth}: {code}"
        if code == 2:
            break
        refused += code == 3
    print(f"    {nth - 1} allocations have failed, {refused} times there was no namespace", flush=True)
    assert refused > 10


if __name__ == "__main__":
    failslab.every_kind()
    lab.tests(test_load, test_namespace)
