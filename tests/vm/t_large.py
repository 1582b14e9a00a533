#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
"""10 MB through the router into Postfix: the sums on both sides are equal, with offloads and without."""
import base64
import random

from mta import *


def message():
    rnd = random.Random(10)
    raw = rnd.randbytes(7500000)
    body = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    # Dots at line starts, and lines as long as they may be.
    body = body.replace(b"\r\nA", b"\r\n.A") + b"\r\n.\r\n..\r\n" + (b"z" * 998 + b"\r\n") * 200
    return b"Subject: large\r\nContent-Type: application/octet-stream\r\n\r\n" + body


MAIL = message()
users("large")
shell("lab_up; postfix_up server")
rules()
counted = Counted()
for n, (state, server) in enumerate((("on", SERVER4), ("off", SERVER6)), 1):
    shell("offloads " + state)
    before = csum_errors("server")
    with check(f"offloads {state}: {len(MAIL)} bytes are sent"), Client(server, timeout=100) as c:
        c.hello()
        start = time.monotonic()
        c.mail(MAIL, to=["large@server.test"])
        print(f"    {len(MAIL) / (time.monotonic() - start) / 1e6:.1f} MB/s", flush=True)
        c.quit()
    with check(f"offloads {state}: and arrive with the same sum"):
        got = arrived("large", n, seconds=60)
        got = got[got.index(b"Subject: large"):]
        same((len(MAIL), sha256(MAIL)), (len(got), sha256(got)))
    diff = counted.moved()
    equal(f"offloads {state}: nothing of it was counted", (1, {}),
          (diff.pop("default.connections"), {k: v for k, v in diff.items() if ".rule." in k and k != "default.rule.7"}))
    equal(f"offloads {state}: no wrong checksum", before, csum_errors("server"))
finish()
