#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# limit: 900
"""Refusals: what the tool says, word for word, where the kernel, the module, a right or memory is missing."""
import errno
import shutil
import signal

from lab import *
from t_netlink import Socket, begin, commit, name, stage, verbs

MODULE = "nf_conntrack_esmtp"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
NEEDS_ROOT = "this needs root, or CAP_NET_ADMIN in this network namespace"
NOT_PERMITTED = "not permitted: this needs root, or CAP_NET_ADMIN in this network namespace"
FILE = "policy default {\n}\ninspect {\n\tdefault policy default\n}\n"


def said(*command, text=None, before=(), failing=()):
    """What a command says that must end with 1. failing: calls that fail, as strace has it: CALL:error=NAME:when=N."""
    trace = ("strace", "-f", "-qq", "-o", "/tmp/trace", "-e", "trace=" + ",".join(f.split(":")[0] for f in failing),
             *(word for f in failing for word in ("-e", "inject=" + f))) if failing else ()
    with ns("router"):
        done = subprocess.run([*before, *trace, "esmtpctl", *command], input=text, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert done.returncode == 1, f"exit code {done.returncode}\n{done.stdout}"
    return done.stdout


def refuses(sentence, *command, **kw):
    same(said(*command, **kw), f"Error: {sentence}\n", " ".join(command))


def fails_somewhere(sentence, call, *command):
    """One of the command's calls is the one whose failure is told so."""
    told = []
    for n in range(1, 30):
        try:
            told.append(said(*command, failing=[f"{call}:error=ENOBUFS:when={n}"]))
        except AssertionError as e:                     # it has got over it
            told.append(str(e))
        if told[-1] == f"Error: {sentence}\n":
            return
    raise AssertionError(f"{sentence}: is not among {set(told)}")


def unload():
    if os.path.exists(f"/sys/module/{MODULE}"):
        run("router", "esmtpctl", "unload")


@contextlib.contextmanager
def no_loader():
    """The kernel loads no modules by itself."""
    with open("/proc/sys/kernel/modprobe", "r+", encoding="ascii") as f:
        before = f.read()
    with open("/proc/sys/kernel/modprobe", "w", encoding="ascii") as f:
        f.write("/bin/false")
    try:
        yield
    finally:
        with open("/proc/sys/kernel/modprobe", "w", encoding="ascii") as f:
            f.write(before)


def netlink():
    """no netlink, to the module and to netfilter"""
    rules(FILE)
    refuses(f"netlink does not work here: {os.strerror(errno.EAFNOSUPPORT)}", "list", "sessions",
            failing=["socket:error=EAFNOSUPPORT:when=1"])
    fails_somewhere(f"netlink to netfilter does not work here: {os.strerror(errno.ENOBUFS)}", "socket", "add", "exempt",
                    "192.0.2.1")
    fails_somewhere(f"table inet esmtp cannot be read: {os.strerror(errno.ENOBUFS)}", "sendto", "list", "exempt")


def cannot(code):
    return f"{MODULE} cannot be loaded: {os.strerror(code)}; the kernel's log may say more"


def not_loaded():
    """the module is not loaded and cannot be: not root, not installed, no modules, refused"""
    unload()
    with no_loader():
        refuses(f"{MODULE} is not loaded, and only root can load it: run 'modprobe {MODULE}' as root", "-f", "-",
                text=FILE, before=NOBODY)
        refuses(f"{MODULE} is not installed for this kernel: run 'make install' in its sources, then 'modprobe "
                f"{MODULE}'", "-f", "-", text=FILE, before=("unshare", "-m", "sh", "-c", "mount -t tmpfs none "
                                                            '/lib/modules && exec "$@"', "sh"))
        for code, words in (("ENOSYS", f"{MODULE} is not loaded, and this kernel loads no modules"),
                            ("EPERM", cannot(errno.EPERM)),
                            # The library takes this one for a module that is loaded already.
                            ("EEXIST", cannot(errno.EEXIST))):
            refuses(words, "-f", "-", text=FILE,
                    failing=[f"finit_module:error={code}", f"init_module:error={code}"])


def attr(kind, data):
    data = b"".join(data) if isinstance(data, list) else data
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def cthelper(kind, *attrs):
    """A message to nfnetlink_cthelper: 0 makes a helper of user space, 2 deletes it."""
    body = struct.pack(">BBH", socket.AF_INET, 0, 0) + b"".join(attrs)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
        s.bind((0, 0))
        s.send(struct.pack("=IHHII", 16 + len(body), 9 << 8 | kind, 0x405 if kind == 0 else 5, 1, 0) + body)
        code = -struct.unpack_from("=i", s.recv(8192), 16)[0]
    assert not code, f"nfnetlink_cthelper: {os.strerror(code)}"


def name_taken():
    """another helper has the module's name"""
    unload()
    subprocess.run(["modprobe", "nfnetlink_cthelper"], check=True)
    number = struct.Struct(">I").pack
    what = attr(1, b"esmtp\0"), attr(2 | 1 << 15, [attr(1, struct.pack(">H", socket.AF_INET)), attr(2, b"\6")])
    sets = [attr(1, number(1)), attr(2 | 1 << 15, [attr(1, b"esmtp\0"), attr(2, number(1)), attr(3, number(60))])]
    cthelper(0, *what, attr(3, number(0)), attr(4 | 1 << 15, sets), attr(5, number(0)), attr(6, number(1)))
    with no_loader():
        out = said("-f", "-", text=FILE)
    cthelper(2, *what)
    subprocess.run(["rmmod", "nfnetlink_cthelper"], check=True)
    # Which of them it is, is the kernel's affair.
    assert out in [f"Error: {cannot(code)}\n" for code in (errno.EEXIST, errno.EBUSY)], out
    log = subprocess.run(["dmesg"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert re.search(rf"{MODULE}: helper esmtp cannot be registered: -1[67]\n", log), log[-2000:]
    subprocess.run(["dmesg", "--clear"], check=True)     # no fault here


def first_load():
    """the first file says what is inspected from now on"""
    run("router", "esmtpctl", "flush", "ruleset")
    out = run("router", "esmtpctl", "-f", "-", text="""policy default { }
set guests { 203.0.113.0/24 }
class one { host 192.0.2.1 }
class two { host 192.0.2.2; dport { 25, 2525 } }
exempt @guests
exempt 192.0.2.9
inspect {
	class one exempt
	class two policy default connections 5 embryonic 7
	default policy default embryonic 9 refuse
}
""")
    same(out, """Never inspected are the hosts of set guests.
Never inspected are the hosts 192.0.2.9.
Connections of class one are never inspected.
Connections of class two to port 25, 2525 are inspected by policy default from now on, at most 5 at a time to one \
server, at most 7 half-open at one server before cookies are asked for.
All other connections to port 25 are inspected by policy default from now on, at most 9 half-open at one server.
""")
    run("router", "esmtpctl", "flush", "ruleset")
    same(run("router", "esmtpctl", "-f", "-", text="policy default { }\n"),
         "There is no inspect list: only connections that a table of your own gives a helper are inspected, see "
         "'esmtpctl list policies'.\n")


def without_rights():
    """a user without rights"""
    rules(FILE)
    refuses(NOT_PERMITTED, "flush", "ruleset", before=NOBODY)
    refuses(f"the sessions cannot be read: {NOT_PERMITTED}", "list", "sessions", before=NOBODY)
    refuses(f"reading table inet esmtp is {NOT_PERMITTED}", "list", "exempt", before=NOBODY)
    refuses(f"cannot listen to events: {NEEDS_ROOT}", "monitor", before=NOBODY)
    shutil.copy("/usr/sbin/esmtpctl", "/tmp/esmtpctl")
    os.chmod("/tmp/esmtpctl", 0o4755)
    done = subprocess.run([*NOBODY, "/tmp/esmtpctl", "--help"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    same((done.returncode, done.stdout), (1, "esmtpctl: not with set-user-ID or set-group-ID\n"))


def questions():
    """questions to the module that fail"""
    rules(FILE)
    why = os.strerror(errno.ENOBUFS)
    refuses(f"{MODULE} is loaded but does not answer: {why}", "list", "sessions",
            failing=["sendto:error=ENOBUFS:when=1..2"])
    fails_somewhere(f"the tables cannot be read: {why}", "sendto", "list", "policies")
    fails_somewhere(f"the policies cannot be read: {why}", "sendto", "list", "policies")
    fails_somewhere(f"the module's state cannot be read: {why}", "sendto", "list", "counters")
    # The third option makes it a listener; behind two answers come events.
    refuses(f"cannot listen to events: {why}", "monitor", failing=["setsockopt:error=ENOBUFS:when=3"])
    refuses(f"events cannot be read: {os.strerror(errno.EIO)}", "monitor", failing=["recvmsg:error=EIO:when=3+"])


def busy():
    """somebody else has a stage"""
    rules(FILE)
    with ns("router"):
        s = Socket()
    begin(s)
    refuses("somebody else is changing the configuration for more than 10 seconds; nothing was changed here", "flush",
            "ruleset")
    s.close()


def half_way():
    """the commit fails behind the nft table, which is put back, or cannot be"""
    rules(FILE)
    run("router", "strace", "-qq", "-o", "/tmp/trace", "-e", "trace=sendto", "esmtpctl", "-cf", "-", text=FILE)
    with open("/tmp/trace", encoding="utf-8", errors="replace") as f:
        last = len(re.findall(r"(?m)^sendto\(", f.read()))
    why = os.strerror(errno.ENOBUFS)
    commit_fails = f"sendto:error=ENOBUFS:when={last}"
    same(said("-f", "-", text=FILE, failing=[commit_fails]),
         f"Error: {why}\nError: the module has kept its policies, and table inet esmtp is again what it was: nothing "
         "has changed\n")
    same(said("-f", "-", text=FILE, failing=[commit_fails, "sendmsg:error=ENOBUFS:when=2+"]),
         f"Error: {why}\nError: nf_tables: {why}\nError: table inet esmtp is new but the module has kept its policies: "
         "load again, 'esmtpctl check' says what differs\n")
    rules(FILE)


def exempt():
    """hosts that are to be exempt where nothing is loaded, or in a table that is not ours"""
    run("router", "esmtpctl", "flush", "ruleset")
    refuses("nothing is loaded, so nothing is inspected: load a file first, 'esmtpctl -f FILE'", "add", "exempt",
            "192.0.2.1")
    nft("table inet esmtp { }")
    why = os.strerror(errno.ENOENT)
    refuses(f"nf_tables refuses set exempt4: {why}\nError: nf_tables refuses elements of set exempt4: {why}",
            "add", "exempt", "192.0.2.1")
    nft("delete table inet esmtp")


def put(generation, *policies):
    """Another configuration in the module, behind the tool's back."""
    with ns("router"):
        s = Socket()
    begin(s)
    for p in policies:
        stage(s, name(p), verbs())
    commit(s, generation)
    s.close()


def checked():
    """check says what differs"""
    rules(FILE)
    table = int(re.search(r"generation (\d+)", run("router", "esmtpctl", "list", "counters"))[1])
    differs = f"Table inet esmtp is of generation {table}, the module's policies of 5.\n"
    put(5, "default", "other")
    same(said("check"), differs + "Policy other in slot 1 has no ct helper in table inet esmtp.\n")
    put(0)
    nowhere = "The inspect list names policy default, which the module does not have.\n"
    same(said("check"), "There is a table inet esmtp but the module has no configuration: the connections that it "
         "chooses are dropped.\nct helper default in table inet esmtp is slot 0, which has no policy: its connections "
         "are dropped.\n" + nowhere)
    put(5, "other")
    same(said("check"), differs + "Slot 0 has policy other, but its ct helper in table inet esmtp is named default.\n" +
         nowhere)
    nft("delete table inet esmtp")
    same(said("check"), "The module has a configuration but there is no table inet esmtp: nothing is chosen for "
         "inspection here.\n")
    rules(FILE)
    run("router", "esmtpctl", "check")


def no_logger():
    """a log group, and no nfnetlink_log"""
    subprocess.run(["modprobe", "-r", "nfnetlink_log"], check=True)
    with no_loader():
        out = said("-f", "-", text=FILE.replace("{\n}", "{\n\tlog group 7\n}"))
    same(out.split("\n")[0],
         "<stdin>:1:8-14: Error: policy default: the kernel has no nfnetlink_log, which a log group needs")


def memory():
    """no memory for the file, no process for a regex"""
    with open("/tmp/large.conf", "w", encoding="ascii") as f:
        f.write("# large\n" * (5 << 20))
    same(said("-p", "-f", "/tmp/large.conf", before=("prlimit", f"--as={40 << 20}")), "esmtpctl: out of memory\n")
    os.unlink("/tmp/large.conf")
    out = said("-p", "-f", "-", text='regex r "a"\n', failing=["clone:error=EAGAIN", "fork:error=EAGAIN"])
    same(out.split("\n")[0], "<stdin>:1:9-11: Error: no process can be started that makes the table")


def talked(c, s, lines):
    """So many commands that are too long, in one packet, and their answers."""
    c.sendall(b"NOOP x\r\n" * lines)
    read(s, 8 * lines)
    s.sendall(b"250 ok\r\n" * lines)
    read(c, 8 * lines)


def events_lost():
    """events that monitor is not told: more in a packet than are noted, more at a time than its socket takes"""
    rules(FILE.replace("{\n}", "{\n\tmatch cmd line length > 5 log\n}"))
    # Without the large buffer, which is the fifth option that it sets, or the sixth.
    with ns("router"):
        p = subprocess.Popen(["strace", "-f", "-qq", "-o", "/tmp/trace", "-e", "trace=setsockopt", "-e",
                              "inject=setsockopt:error=EPERM:when=5..6", "esmtpctl", "monitor"], text=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(3)
    tool = int(run("router", "pgrep", "-P", str(p.pid)))
    before = counters()["events-lost"]
    with listen() as lst:
        c, s = joined(lst, SERVER[False])
        talked(c, s, 1)
        talked(c, s, 90)
        lost = counters()["events-lost"] - before
        assert 0 < lost < 90, lost
        time.sleep(1)
        os.kill(tool, signal.SIGSTOP)
        for _ in range(60):
            talked(c, s, 20)
        os.kill(tool, signal.SIGCONT)
        time.sleep(2)
        c.close()
        s.close()
    os.kill(tool, signal.SIGTERM)
    same(p.communicate(timeout=20)[1], f"esmtpctl: {lost} events lost in the kernel\n"
         "esmtpctl: events lost: they came faster than they could be printed\n")


def not_unloaded():
    """the module is in use, or cannot go"""
    rules(FILE)
    refuses(f"{MODULE} cannot be removed: {os.strerror(errno.ENOSYS)}", "unload",
            failing=["delete_module:error=ENOSYS"])
    nft('table inet mine { ct helper h { type "esmtp-7" protocol tcp; }; }')
    refuses(f"{MODULE} is still in use: another table or network namespace names one of its helpers ('nft list "
            "ruleset' shows 'type \"esmtp')", "unload")
    nft("delete table inet mine")
    unload()


up()
tests(netlink, not_loaded, name_taken, first_load, without_rights, questions, busy, half_way, exempt, checked,
      no_logger, memory, events_lost, not_unloaded)
