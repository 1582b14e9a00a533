#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 300
"""Records dialogues between the VM's own mail programs, for t_replay.py. No test; run it by name:

    scripts/vm-test -o DIR record.py && cp DIR/dialogues/*.json tests/dialogues/

A relay stands between client and server and writes down what each of them sends, in order."""
import base64
import hashlib
import json
import os
import select
import socket
import smtplib
import subprocess
import threading
import time

import lab

OUT = "/job/out/dialogues"
RELAY, PORT = "10.0.2.2", 2525


class Recorder(threading.Thread):
    """Takes one connection, passes it on to a server and keeps the events."""

    def __init__(self, to=25):
        super().__init__(daemon=True)
        self.listener = lab.listen("server", port=PORT)
        self.listener.settimeout(60)
        with lab.ns("server"):
            self.server = socket.create_connection(("127.0.0.1", to))
        self.events = []
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        self.listener.close()
        ends = {client: ("C", self.server), self.server: ("S", client)}
        begin = None
        while ends:
            for sock in select.select(list(ends), [], [], 60)[0]:
                side, other = ends[sock]
                data = sock.recv(65536)
                if not data:
                    del ends[sock]
                    try:
                        other.shutdown(socket.SHUT_WR)
                    except OSError:
                        pass
                    continue
                now = time.monotonic()
                begin = begin or now
                self.events.append({"dir": side, "t": round(now - begin, 3), "hex": data.hex()})
                other.sendall(data)

    def save(self, name, about):
        self.join(60)
        record = {"name": name, "about": about, "licence": "GPL-2.0-only", "port": 25, "sides": "both",
                  "kind": "ordinary"}
        for side, word in ("C", "client"), ("S", "server"):
            data = b"".join(bytes.fromhex(e["hex"]) for e in self.events if e["dir"] == side)
            assert data, f"{word} has sent nothing"
            record[word + "_bytes"] = len(data)
            record[word + "_sha256"] = hashlib.sha256(data).hexdigest()
        record["events"] = self.events
        with open(f"{OUT}/{name}.json", "w", encoding="ascii") as f:
            json.dump(record, f, indent=1)
            f.write("\n")


def in_client(*command, text=None):
    return lab.run("client", *command, text=text, check=False)


def postfix(*recipients, name="client", text="Subject: hello\n\nhello\n.\n..two\n"):
    subprocess.run(["sendmail", "-C", f"/etc/postfix-{name}", "-oi", "-f", "a@client.test", *recipients], input=text,
                   text=True, check=True)


def smtp_lines(*lines):
    """A client that waits for each reply. A tuple is sent in one go and earns so many replies."""
    with lab.ns("client"):
        s = socket.create_connection((RELAY, PORT))
    f = s.makefile("rb")

    def reply():
        while f.readline()[3:4] == b"-":
            pass
    reply()
    for line in lines:
        data, replies = line if isinstance(line, tuple) else (line, 1)
        s.sendall(data)
        for _ in range(replies):
            reply()
    s.close()


def mail():
    return smtplib.SMTP(RELAY, PORT, local_hostname="client.test")


MIME = """Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b=_1"

--b=_1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

grüße
.
-- 
--b=_1
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64
Content-Disposition: attachment;
 filename*0*=utf-8''gr%C3%BC%C3%9Fe%20und;
 filename*1="eine lange Liste.pdf"

{}
--b=_1--
"""


def with_smtplib():
    with lab.ns("client"):
        m = mail()
        m.ehlo()
        m.sendmail("a@client.test", ["user1@server.test", "user2@server.test"],
                   MIME.format(base64.encodebytes(bytes(range(256)) * 40).decode()).encode())
        m.noop()
        m.rset()
        m.verify("user1@server.test")
        m.docmd("HELP")
        m.docmd("EXPN", "staff")
        m.quit()


def refused_mails():
    with lab.ns("client"):
        m = mail()
        m.ehlo()
        m.docmd("MAIL", "FROM:<a@client.test> SIZE=99999999")
        m.docmd("RCPT", "TO:<user1@server.test>")
        m.docmd("DATA")
        m.docmd("MAIL", "FROM:<a@client.test>")
        m.docmd("RCPT", "TO:<bad@server.test>")
        m.docmd("RCPT", "TO:<>")
        m.docmd("DATA")
        m.docmd("NONSENSE", "a b c")
        m.docmd("QUIT")


def helo():
    with lab.ns("client"):
        m = mail()
        m.helo()
        m.docmd("MAIL FROM:<a@client.test>")
        m.docmd("RCPT TO:<user1@server.test>")
        m.data(b"Subject: plain\r\n\r\n.\r\n..\r\n. \r\nline\r\n")
        m.quit()


def auth():
    with lab.ns("client"):
        m = mail()
        m.ehlo()
        m.docmd("AUTH", "PLAIN AGEAYg==")
        m.docmd("AUTH", "LOGIN")
        m.quit()


def bdat():
    smtp_lines(b"EHLO client.test\r\n", b"MAIL FROM:<a@client.test>\r\n", b"RCPT TO:<user1@server.test>\r\n",
               b"BDAT 29\r\nSubject: chunks\r\n\r\n.\r\nhello\r\n", b"BDAT 5 LAST\r\nbye\r\n", b"QUIT\r\n")


def pipelined():
    smtp_lines(b"EHLO client.test\r\n",
               (b"MAIL FROM:<a@client.test>\r\nRCPT TO:<user1@server.test>\r\nRCPT TO:<bad@server.test>\r\n"
                b"RCPT TO:<user2@server.test>\r\nDATA\r\n", 5),
               (b"Subject: one\r\n\r\none\r\n.\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<bad@server.test>\r\nDATA\r\n", 5),
               (b"MAIL FROM:<>\r\nRCPT TO:<user1@server.test>\r\nDATA\r\n", 3),
               (b"Subject: two\r\n\r\ntwo\r\n.\r\nQUIT\r\n", 2))


def starttls():
    smtp_lines(b"EHLO client.test\r\n", b"STARTTLS\r\n")


def relayed(*recipients, **kw):
    lab.sh(f"postfix_set client 'relayhost=[{RELAY}]:{PORT}' default_transport=smtp; postfix_up client")
    try:
        postfix(*recipients, **kw)
        end = time.monotonic() + 60
        while time.monotonic() < end and "removed" not in open("/var/log/mail-client.log", encoding="utf-8").read():
            time.sleep(0.2)
    finally:
        lab.sh("postfix_down client; : >/var/log/mail-client.log")


def take(name, about, f, *args, to=25):
    recorder = Recorder(to)
    f(*args)
    recorder.save(name, about)
    print(f"ok {name}", flush=True)


def main():
    os.makedirs(OUT)
    lab.up()
    lab.sh("postfix_set server 'smtpd_recipient_restrictions = check_recipient_access "
           "inline:{{bad@server.test=REJECT no such user}}, permit_mynetworks, reject' "
           "'smtpd_authorized_xclient_hosts = 127.0.0.1' 'smtpd_authorized_xforward_hosts = 127.0.0.1' "
           "'smtpd_discard_ehlo_keywords ='; postfix_up server; "
           "postfix_set client smtp_tls_security_level=none smtp_host_lookup=native")
    take("postfix-helo", "smtplib without EHLO; lines that begin with dots", helo)
    take("postfix-smtplib", "smtplib: two recipients, a MIME message with an attachment, VRFY, HELP, EXPN", with_smtplib)
    take("postfix-refused", "refused: size, recipient, DATA, an unknown verb", refused_mails)
    take("postfix-auth", "AUTH to a server that does not offer it", auth)
    take("postfix-bdat", "a message in two chunks, one with what looks like its end", bdat)
    take("postfix-pipelined", "two mails, pipelined as far as it is allowed, between them one that is refused", pipelined)
    take("postfix-starttls", "STARTTLS up to its 220", starttls)
    take("postfix-postfix", "Postfix to Postfix, pipelined", relayed, "user1@server.test")
    take("postfix-postfix-some", "Postfix to Postfix, one of three recipients refused", relayed,
         "user1@server.test", "bad@server.test", "user2@server.test")
    take("postfix-postfix-none", "Postfix to Postfix, all recipients refused, DATA pipelined behind them", relayed,
         "bad@server.test")
    take("postfix-source", "smtp-source, three mails", in_client, "smtp-source", "-d", "-m", "3", "-l", "2000", "-f",
         "a@client.test", "-t", "user1@server.test", f"{RELAY}:{PORT}")
    with lab.ns("server"):
        sink = subprocess.Popen(["smtp-sink", "-u", "nobody", "127.0.0.1:2626", "10"])
    lab.sh("wait_for 10 listening server 2626")
    take("sink-swaks", "swaks to smtp-sink, with an attachment", in_client, "swaks", "--server", RELAY, "--port", str(PORT),
         "--helo", "client.test", "--from", "a@client.test", "--to", "user1@server.test,user2@server.test",
         "--attach", "@/job/tests/lab.py", to=2626)
    take("sink-postfix", "Postfix to smtp-sink", relayed, "user1@server.test", to=2626)
    sink.kill()


if __name__ == "__main__":
    main()
