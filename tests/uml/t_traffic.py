#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ordinary mail: masked, inspected, closed; what other tests here watch the kernel do."""
import lab
from lab import SERVER, inspect, listen, mailed, opened, rules, said

MESSAGE = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 5000 + b".\r\n"


def test_mails():
    """mails of 60 kB arrive, by IPv4 and IPv6"""
    rules(inspect())
    for v6 in False, True:
        with listen(v6=v6) as lst:
            for _ in range(3):
                c, s = opened(lst, SERVER[v6])
                said(c, b"STARTTLS\r\n", s, b"XXXXXXXX\r\n")
                said(s, b"500 what\r\n", c)
                mailed(c, s, MESSAGE)
                c.close()
                s.close()


if __name__ == "__main__":
    lab.up()
    lab.tests(test_mails)
