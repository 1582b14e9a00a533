#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
"""Postfix as the sender judges from outside: it knows a masked greeting when it sees one."""
from mta import *

POLICY = conf()
assert "banner mask" in POLICY


def send(user, relay, name="client"):
    """Hand a mail to Postfix in that namespace; returns what its log says until it is delivered."""
    behind = len(maillog(name))
    # All the headers that it would add.
    sent = (f"Message-Id: <{user}@{name}.test>\r\nDate: Sun, 1 Nov 2026 00:00:00 +0000\r\nFrom: s@{name}.test\r\n"
            f"To: {user}@server.test\r\nSubject: to {user}\r\n\r\n.\r\n..two\r\nSTARTTLS\r\n")
    p = subprocess.run(["sendmail", "-C", "/etc/postfix-" + name, "-oi", "-f", f"s@{name}.test", user + "@server.test"],
                       input=sent.replace("\r", ""), text=True, capture_output=True, check=False)
    assert not p.returncode, p.stderr
    got = arrived(user, 1)
    assert got.endswith(sent.encode()), got[-200:]
    wait_for(10, lambda: f"<{user}@server.test>" in maillog(name)[behind:])
    log = maillog(name)[behind:]
    assert f"relay={relay}" in log and "status=sent" in log, log
    return log


def workarounds(log):
    """Their names; newer ones put commas between them."""
    m = re.search(r"enabling PIX workarounds: (.*) for", log)
    return m.group(1).replace(",", "").split() if m else None


users("masked", "kept", "secret", "local", "here")
shell("""lab_up; postfix_relay client $server4; postfix_relay router $server6
    postfix_up server & postfix_up client & postfix_up router & wait""")
rules()
counted = Counted()
MASKED = {"default.connections": 1, "default.events.banner-masked": 1}

with check("banner mask: the mail arrives, and the sender sees a PIX"):
    log = send("masked", SERVER4)
    same(["disable_esmtp", "delay_dotcrlf"], workarounds(log), f"log:\n{log}\nworkarounds")
# HELO has no keywords to mask.
counted.exactly("banner mask: counted", MASKED)

with check("Postfix on the router as the sender"):
    log = send("local", SERVER6, "router")
    same(["disable_esmtp", "delay_dotcrlf"], workarounds(log), f"log:\n{log}\nworkarounds")
counted.exactly("Postfix on the router as the sender: counted", MASKED)

with check("Postfix on the router as the receiver"), Client(ROUTER4) as c:
    same("220 " + "*" * len("router.test ESMTP"), c.expect(220))
    assert "XXXXXXXA" in c.expect(250, "EHLO client.test")
    c.expect(50, "STARTTLS")
    c.mail(b"Subject: router\r\n\r\n.here\r\n", to=["here@router.test"])
    c.quit()
    assert arrived("here", 1, name="router").endswith(b"Subject: router\r\n\r\n.here\r\n")
counted.exactly("Postfix on the router as the receiver: counted",
                {**MASKED, "default.rule.7": 3, "default.events.command-masked": 1})

with check("banner keep: the mail arrives, and the sender sees no PIX"):
    rules(POLICY.replace("banner mask", "banner keep"))
    counted = Counted()
    log = send("kept", SERVER4)
    same(None, workarounds(log), f"log:\n{log}\nworkarounds")
    # STARTTLS was masked and so not tried.
    assert "TLS connection established" not in log, log
diff = counted.moved()
equal("banner keep: counted", (1, None, True),
      (diff.get("default.connections"), diff.get("default.events.banner-masked"), diff.get("default.rule.7", 0) > 0))

with check("tls allow: the mail arrives encrypted"):
    rules(POLICY.replace("banner mask", "banner keep").replace("tls deny", "tls allow"))
    counted = Counted()
    run("client", "postconf", "-c", "/etc/postfix-client", "-e", "smtp_tls_loglevel=1")
    shell("postfix_reload client")
    log = send("secret", SERVER4)
    assert "TLS connection established to" in log, log
diff = counted.moved()
equal("tls allow: counted", (1, 1), (diff.get("default.connections"), diff.get("default.events.tls-started")))
finish()
