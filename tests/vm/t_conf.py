#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 240
"""The examples of esmtp.conf(5): each is taken by the module and the nft table, and listed as what it is."""
from examples import examples
from mta import *

shell("lab_up; modprobe nfnetlink_log")
with open("/job/esmtp.conf.5", encoding="utf-8") as page:
    found = examples(page.read())
with check("there are examples"):
    assert len(found) > 30, found
for title, text in found:
    with check(title):
        rules(text)
        listed = run("router", "esmtpctl", "list", "ruleset")
        # What the module and the table say is what a reader of the file understands.
        same(run("router", "esmtpctl", "-p", "-f", "-", stdin=text), listed)
        rules(listed)
        same(listed, run("router", "esmtpctl", "list", "ruleset"))
        run("router", "esmtpctl", "check")
        run("router", "esmtpctl", "flush", "ruleset")
finish()
