# SPDX-License-Identifier: GPL-2.0-only
"""The main job, side by side: the same dialogues with Postfix, first without inspection, then with the shipped rules,
then from a host that is exempt from them. Ends with an error when it did not see what it should."""
import os
import re
import sys
import textwrap

from mta import CLIENT4B, SERVER4, Client, rules, run, sha256, wait_for

LABEL, COLUMN = 12, 50
MAILBOX = "/var/mail-server/user1"
MAIL = ("From: a@client.test\r\nTo: user1@server.test\r\nSubject: a mail\r\n"
        "DKIM-Signature: v=1; a=rsa-sha256; d=client.test; s=x;\r\n\th=from:to:subject; b=dGVzdA==\r\n\r\n"
        "STARTTLS and | and <<>> are content here, and 220 too.\r\n.a dot\r\n"
        + "".join(f"line {n} Grüße\r\n" for n in range(200))).encode()
LONG = ("From: a@client.test\r\nSubject: " + "s" * 1200 + "\r\n\r\nhello\r\n").encode()


def delivered(before):
    """What has come into the mailbox since, without the lines that Postfix puts in front of it."""
    size = os.path.getsize(MAILBOX) if os.path.exists(MAILBOX) else 0
    if size <= before:
        return None
    with open(MAILBOX, "rb") as f:
        f.seek(before)
        got = f.read()
    at = got.find(b"\nFrom: ") + 1
    return got[at:-1].replace(b"\n", b"\r\n") if got.endswith(b"\n\n") and at else None


def lost():
    """What Postfix says of a connection that was taken from it."""
    with open("/var/log/mail-server.log", encoding="utf-8") as f:
        return "".join(re.findall(r"lost connection after DATA.*", f.read())[-1:])


def see(source=None):
    """The dialogues: {row: what the client sees}."""
    seen = {}
    with Client(SERVER4, source=source) as c:
        seen["greeting"] = c.reply()
        seen["EHLO"] = c.say("EHLO client.test")
        seen["XCLIENT"] = c.say("XCLIENT NAME=client")
        before = os.path.getsize(MAILBOX) if os.path.exists(MAILBOX) else 0
        c.mail(MAIL)
        got = wait_for(30, delivered, before)
        seen["a mail"] = "delivered byte for byte" if got == MAIL else "delivered, but CHANGED"
        seen["a mail"] += f"\nsent      {sha256(MAIL)[:16]}…\ndelivered {sha256(got)[:16]}…"
        c.quit()
    with Client(SERVER4, source=source) as c:
        c.hello()
        seen["STARTTLS"] = c.say("STARTTLS")
    with Client(SERVER4, source=source) as c:
        c.hello()
        c.expect(250, "MAIL FROM:<a@client.test>")
        c.expect(250, "RCPT TO:<user2@server.test>")
        c.expect(354, "DATA")
        c.send(LONG + b".\r\n")
        end = c.ending(4)
        seen["long header"] = end.strip("b'").replace("\\r\\n", "") if "250" in end else \
            f"closed. The client sees {end}, the server:\n" + wait_for(10, lost)
    return seen


def row(label, *columns):
    cells = [[part for line in c.split("\n") for part in textwrap.wrap(line, COLUMN - 2) or [""]] for c in columns]
    for n in range(max(map(len, cells))):
        print((label if n == 0 else "").ljust(LABEL) +
              "".join((c[n] if n < len(c) else "").ljust(COLUMN) for c in cells).rstrip())
    print(flush=True)


plain = see()
print("\n# esmtpctl -f /etc/esmtp.conf")
print(rules(), end="")
masked = see()
print("# esmtpctl add exempt " + CLIENT4B + "\n")
run("router", "esmtpctl", "add", "exempt", CLIENT4B)
exempt = see(CLIENT4B)

row("", "WITHOUT INSPECTION\n" + "-" * (COLUMN - 2), "WITH INSPECTION\n" + "-" * (COLUMN - 2))
for key in plain:
    row(key, plain[key], masked[key])

# What has an identifier of its own is compared without it.
differs = [k for k in plain if plain[k].split(" queued as ")[0] != exempt[k].split(" queued as ")[0]]
print(f"The exempt host {CLIENT4B} sees " +
      ("the same as without inspection, in every row." if not differs else f"other things: {differs}\n{exempt}"))

print("\n# esmtpctl list counters")
print(run("router", "esmtpctl", "list", "counters"))

wrong = [what for what, holds in (
    ("the greeting is masked", masked["greeting"] == "220 " + "*" * (len(plain["greeting"]) - 4)),
    ("STARTTLS is hidden", "STARTTLS" in plain["EHLO"] and "STARTTLS" not in masked["EHLO"]
     and "XXXXXXXA" in masked["EHLO"]),
    ("STARTTLS is refused", plain["STARTTLS"].startswith("220") and masked["STARTTLS"].startswith("50")),
    ("the unknown verb is refused", masked["XCLIENT"].startswith("50")),
    ("the mail is delivered unchanged", all("byte for byte" in s["a mail"] for s in (plain, masked, exempt))),
    ("the long header line closes", "250" in plain["long header"] and "closed" in masked["long header"]),
    ("the exempt host is left alone", not differs)) if not holds]
for what in wrong:
    print("NOT SEEN: " + what)
sys.exit(1 if wrong else 0)
