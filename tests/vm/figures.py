# SPDX-License-Identifier: GPL-2.0-only
"""Figures of cost against a baseline: a file whose first line tells what they were measured with, then a name and a
number a line. Used in the VM and, for what is measured natively, by tests/bench/run."""
import re

WORSE = 0.02
# Another compiler, or another build of the kernel, moves figures that far and no further.
OTHER_BUILD = 0.15


def compiler(path):
    """The one that an object was built with, by its own word."""
    with open(path, "rb") as f:
        found = re.search(rb"(?:GCC: |clang version )[ -~]+", f.read())
    return found.group().decode() if found else "an unknown compiler"


def shown(number):
    return "-" if number is None else f"{number:,.0f}" if number >= 1000 else f"{number:.2f}"


def load(path):
    """What they were measured with, and {name: number}."""
    with open(path, encoding="utf-8") as f:
        head, *lines = f.read().splitlines()
    return head.removeprefix("# "), {name: float(number) for name, number in (line.split("\t") for line in lines)}


def save(path, head, found):
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"# {head}\n" + "".join(f"{name}\t{number:.6g}\n" for name, number in found.items()))


def judge(name, base, got, bound):
    """One result, and whether the baseline should be written anew."""
    change = got / base - 1
    percent = f"{round(100 * change, 2) + 0.0:+.2f} %"
    if change > bound:
        return f"not ok cost: {name} # {percent}, more than {100 * bound:.0f} % worse", False
    return f"ok cost: {name} # {percent}", change < -bound


def series(head):
    """Of the kernel that it was measured with, like 6.1; None where there was none."""
    found = re.search(r"Linux (\d+\.\d+)", head)
    return found[1] if found else None


def print_table(baseline, found):
    width = max(map(len, found))
    print(f"      {'':{width}} {'baseline':>12} {'now':>12}   instructions")
    for name, got in found.items():
        print(f"      {name:{width}} {shown(baseline.get(name)):>12} {shown(got):>12}")


def compare(path, head, found, bounds=None):
    """Prints a table and results: "not ok" for each figure that is more than 2 % worse, or its own bound. A baseline of another
    build tells less, one of another kernel nothing."""
    known, baseline = load(path)
    least, better = WORSE if known == head else OTHER_BUILD, False
    print_table(baseline, found)
    if series(known) != series(head):
        print(f"ok cost: not compared, the baseline is of another kernel # {known}; here: {head}")
        return True
    if known != head:
        print(f"      The baseline is of another build: {known}; here: {head}")
    results = [f"not ok cost: {name} # not in the baseline" for name in found if name not in baseline]
    results += [f"not ok cost: {name} # not measured" for name in baseline if name not in found]
    for name in (name for name in found if name in baseline):
        result, down = judge(name, baseline[name], found[name], max(least, (bounds or {}).get(name, WORSE)))
        results.append(result)
        better |= down
    print("\n".join(results), flush=True)
    if better:
        print("      Some of it costs less than it did. Write the baseline anew: make bench WRITE=1", flush=True)
    return not any(r.startswith("not ok") for r in results)
