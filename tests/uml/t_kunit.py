#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 600
"""Tests in the kernel (tests/uml/kunit) of what touches packets: its results as lines of ours."""
import re
import subprocess
import sys

import failslab

MODULE = "/job/esmtp_kunit.ko"
# Bytes behind the end of a packet are refused with a warning, once at each place.
WARNS = ["esmtp_packet_cut", "esmtp_packet_write"]


def results(log):
    """Suite, case, whether it is good, and what is said of it; a case that is planned and has no result,
    or was skipped, is none of the good ones."""
    suite, planned, found, said = None, 0, [], []
    for line in log:
        if begun := re.match(r"\s*# Subtest: (\S+)", line):
            suite = begun[1]
        elif plan := re.match(r"\s+1\.\.(\d+)", line):
            planned += int(plan[1])
        elif case := re.match(r"\s+(ok|not ok) \d+ (?:- )?(?:test_)?(\w+)", line):
            found.append((suite, case[2], case[1] == "ok" and "# SKIP" not in line, said))
            said = []
        elif suite and not re.match(r"(not )?ok ", line):
            said.append(line.strip())
    if not found or len(found) != planned:
        found.append(("all", "planned", False, [f"{planned} planned, {len(found)} results", *log]))
    return found


def kernel_log():
    return subprocess.run(["dmesg", "-t"], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()


def warnings(log):
    """(functions that have warned; whether there is more to complain of)"""
    bad = [line for line in log if re.search(r"WARNING|BUG|KASAN|UBSAN|INFO:|possible|refcount_t|unreferenced", line)]
    places = [re.search(r"WARNING: .* at \S+ (\w+)\+", line) for line in bad]
    return sorted(place[1] for place in places if place), not all(places)


def main():
    subprocess.run(["dmesg", "--clear"], check=True)
    with failslab.warnings_allowed():
        subprocess.run(["insmod", MODULE], check=True)
        subprocess.run(["rmmod", "esmtp_kunit"], check=True)
    log = kernel_log()
    failed = 0
    for suite, case, good, said in results(log):
        failed += not good
        print(("ok" if good else "not ok") + f" in the kernel: {suite}: {case.replace('_', ' ')}", flush=True)
        if not good:
            print("\n".join("    " + line for line in said), flush=True)
    places, more = warnings(log)
    if more or places != WARNS:
        failed += 1
        print(f"not ok in the kernel: warnings of {places}, expected {WARNS}", *log, sep="\n    ", flush=True)
    else:
        subprocess.run(["dmesg", "--clear"], check=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
