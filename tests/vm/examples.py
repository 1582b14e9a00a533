# SPDX-License-Identifier: GPL-2.0-only
"""The examples of esmtp.conf(5): each is a file by itself."""
import re

# What troff needs escaped, as the page writes it.
SIGNS = {"\\e": "\\", "\\-": "-", "\\(aq": "'", "\\[:u]": "\u00fc"}


def examples(page):
    """Title and text of each."""
    section = page.split("\n.SH EXAMPLES\n")[1].split("\n.SH ")[0]
    found = []
    for part in section.split("\n.SS ")[1:]:
        title, _, body = part.partition("\n")
        text = re.fullmatch(r"\.nf\n(.*?\n)\.fi\n?", body, re.S)[1]
        text = re.sub(r"\\(?:e|-|\(aq|\[:u\])", lambda m: SIGNS[m[0]], text)
        assert not re.search(r"(?m)^\.", text), f"{title}: a request of troff is in it"
        found.append((title.replace("\\-", "-"), text))
    return found
