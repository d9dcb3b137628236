# SPDX-License-Identifier: MIT
"""`syncdemo` with command lines and bundles that are wrong: one line that says what, and nothing has happened.

Prints TAP.
"""
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tool
from tool import bind, contains, equal, need_root, ok, one_line

MAP = tool.extents("0:100000:65536")
HOOK = {"path": "/bin/true"}
KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
HOOKS = (
    ("/bin/true", ": expected an object, not a string"),
    ({}, ".path: is missing, expected a string"),
    ({"path": 1}, ".path: expected a string, not an integer"),
    ({"path": ""}, ".path: expected an absolute path"),
    ({"path": "bin/true"}, ".path: expected an absolute path"),
    ({**HOOK, "args": "x"}, ".args: expected an array, not a string"),
    ({**HOOK, "args": ["x", None]}, r".args\[1\]: expected a string, not null"),
    ({**HOOK, "env": {"A": "b"}}, ".env: expected an array, not an object"),
    ({**HOOK, "env": [1]}, r".env\[0\]: expected a string, not an integer"),
    ({**HOOK, "timeout": 0}, ".timeout: expected 1 to 2147483647 seconds"),
    ({**HOOK, "timeout": -1}, ".timeout: expected 1 to 2147483647 seconds"),
    ({**HOOK, "timeout": 1 << 31}, ".timeout: expected 1 to 2147483647 seconds"),
    ({**HOOK, "timeout": 1 << 70}, ".timeout: expected 1 to 2147483647 seconds"),
    ({**HOOK, "timeout": 1.5}, ".timeout: expected an integer, not a fraction"),
    ({**HOOK, "timeout": "1"}, ".timeout: expected an integer, not a string"),
)
MAX = 4 << 20


# ---- command lines -------------------------------------------------------------

USAGE = (
    (["benches"], "benches: unknown command"),
    (["bench", "nothing"], "bench: no bench has this name: nothing"),
    (["bench", "plain", "request"], "bench: more than one name: request"),
    (["bench", "--rounds"], "bench: unknown option --rounds"),
    (["ini"], "ini: unknown command"),
    (["--bundle"], "--bundle: unknown command"),
    (["\x1b[31m"], r"\\x1b\[31m: unknown command"),
    (["help", "benches"], "benches: unknown command"),
    (["run"], "run: too few arguments"),
    (["run", "a", "b"], "run: too many arguments"),
    (["run", "--sync-fd", "3", "a"], "run: unknown option --sync-fd"),
    (["run", "--pid-file", "", "a"], "run: bad value of --pid-file"),
    *((["run", "--", name], "run: bad ID") for name in ("", ".", "..", "a/b", "a b", "\u00e4", "a" * 1025)),
    (["help", "init", "more"], "help: too many arguments"),
    (["parent"], "parent: missing --sync-fd"),
    (["parent", "--sync-fd", "3"], "parent: missing --pid"),
    (["parent", "--sync-fd"], "parent: missing value of --sync-fd"),
    (["parent", "--sync", "3"], "parent: unknown option --sync"),
    (["parent", "--sync-fd", "3", "--pid", "1", "more"], "parent: too many arguments"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--bundle", "x", "--allow-any-mount"], "exclude each other"),
    (["parent", "--sync-fd", "3", "--sync-fd", "3", "--pid", "1"], "parent: given twice: --sync-fd"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--bundle", ""], "parent: bad value of --bundle"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--trace="], "parent: bad value of --trace"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--allow-any-mount=yes"], "parent: unknown option --allow-any-mount=yes"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--recursive"], "parent: unknown option --recursive"),
    (["parent", "-x"], "parent: unknown option -x"),
    (["init", "--sync-fd", "3"], "init: missing --bundle"),
    (["init", "--bundle", "x"], "init: missing --sync-fd"),
    (["init", "--sync-fd", "3", "--bundle", "x", "--pid", "1"], "init: unknown option --pid"),
    (["init", "--sync-fd", "3", "--bundle", "x", "--allow-any-mount"], "init: unknown option --allow-any-mount"),
    (["idmap", "a", "b"], "idmap: missing --map-uids"),
    (["idmap", "--map-uids", "0:1:1", "a", "b"], "idmap: missing --map-gids"),
    (["idmap", "--map-uids", "0:1:1", "--map-gids", "0:1:1", "a"], "idmap: too few arguments"),
    (["idmap", "--map-uids", "0:1:1", "--map-gids", "0:1:1", "a", "b", "c"], "idmap: too many arguments"),
    (["features", "more"], "features: too many arguments"),
    (["features", "--json"], "features: unknown option --json"),
)

BAD_NUMBERS = ("", " 3", "3 ", "+3", "-3", "0x3", "3.0", "3e0", "three", "99999999999", "9" * 40, "\uff13", "2", "0")


def usage(place):
    """command lines: exit status 2"""
    for args, pattern in USAGE:
        result = tool.run(*args)
        equal((args, result.code, result.out), (args, 2, ""))
        ok(re.search(pattern, one_line(result.err)), "%r: %r" % (args, result.err))


def numbers(place):
    """numbers: digits only, in range"""
    for text in BAD_NUMBERS:
        for option, allowed in (("--sync-fd", ()), ("--pid", ("2",)), ("--timeout", ("2",))):
            if text in allowed:
                continue
            args = {"--sync-fd": "3", "--pid": "1", "--timeout": "1", option: text}
            result = tool.run("parent", *[part for pair in args.items() for part in pair])
            equal((option, text, result.code, result.out), (option, text, 2, ""))
            contains(one_line(result.err), "parent: bad value of " + option)


def nobody_reads(place):
    """standard error that nobody reads is no reason to be killed"""
    for args in (["parent", "--sync-fd", "99", "--pid", "1"], ["init", "--sync-fd", "99", "--bundle", "/none"],
                 ["run", "--bundle", place.path + "/none", "test"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = subprocess.Popen([tool.TOOL, *args], stderr=write_end, stdin=subprocess.DEVNULL)
        os.close(write_end)
        equal((args, process.wait(tool.TIMEOUT)), (args, 1))


def help_texts(place):
    """help, for all and for each; the version"""
    text = tool.run("--help")
    equal((text.code, text.err), (0, ""))
    equal(tool.run("help"), text)
    for name in ("demo", "run", "parent", "init", "idmap", "features", "bench", "help"):
        contains(text.out, "syncdemo " + name)
        one = tool.run("help", name)
        equal((one.code, one.err), (0, ""))
        contains(one.out, "usage: syncdemo " + name)
        if name not in ("demo", "help"):
            equal(tool.run(name, "--help"), one)
    version = tool.run("--version")
    ok(version.code == 0 and re.fullmatch(r"syncdemo \d+\.\d+\.\d+\n", version.out), version)


def features(place):
    """features: one JSON object"""
    result = tool.run("features")
    equal((result.code, result.err), (0, ""))
    value = json.loads(result.out)
    equal(value["kernel"], os.uname().release)
    ok(value["features"], "no features")
    for name, answer in value["features"].items():
        ok(answer in (True, False, "not permitted"), "%s: %r" % (name, answer))


def full_output(place):
    """output that cannot be written"""
    if not os.path.exists("/dev/full"):
        raise tool.Skip("no /dev/full")
    for args in (["features"], ["--help"], ["--version"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            process = tool.subprocess.Popen([tool.TOOL, *args], stdout=full, stderr=tool.subprocess.PIPE, text=True)
        _, err = process.communicate(timeout=tool.TIMEOUT)
        equal((process.returncode, err), (1, "syncdemo: standard output: No space left on device\n"))


# ---- bundles ---------------------------------------------------------------------

class Holder:
    """A mount namespace in which the inits run, so that their mounts could be seen."""

    def __enter__(self):
        self.stop = os.pipe()
        ready = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.stop[1])
            try:
                tool.unshare()
                os.write(ready[1], b"1")
                os.read(self.stop[0], 1)
            finally:
                os._exit(0)
        os.close(ready[1])
        os.read(ready[0], 1)
        os.close(ready[0])
        self.namespace = os.open("/proc/%d/ns/mnt" % self.pid, os.O_RDONLY)
        self.before = tool.mounts(self.pid)
        return self

    def __exit__(self, *_):
        for fd in (*self.stop, self.namespace):
            os.close(fd)
        os.waitpid(self.pid, 0)

    def init(self, bundle):
        """Runs init there; its result, and what it told the parent."""
        with tool.pair() as (ours, theirs):
            result = tool.finish(tool.start(
                [part.format(fd=theirs.fileno()) for part in tool.OUR_INIT] + ["--bundle", bundle],
                [theirs.fileno()], preexec_fn=lambda: tool.setns(self.namespace)))
            theirs.close()
            told = ours.recv(1 << 17)
        equal(tool.mounts(self.pid), self.before)
        return result, told


def refuses(holder, bundle, what, pattern):
    result, told = holder.init(bundle)
    equal((what, result.code, result.out), (what, 1, ""))
    line = one_line(result.err)
    ok(re.search(pattern, line), "%s: %r does not match %r" % (what, line, pattern))
    message = json.loads(told)
    equal(message["type"], "procError")
    ok(re.search(pattern, message["arg"]["message"]), "the parent was told %r" % message)
    # The same bundle by `run`, which shares what reads it: refused in the same words, before any process is made.
    result = tool.run("run", "--bundle", bundle, "box")
    equal((what, result.code, result.out), (what, 1, ""))
    ok(re.search(pattern, one_line(result.err)), "%s: run says %r, which does not match %r" % (what, result.err, pattern))


# What stands in config.json instead of a configuration.
TEXTS = (
    (b"", "config.json: expected an object"),
    (b"[]", "expected an object"),
    (b"12", "expected an object"),
    (b"null", "expected an object"),
    (b'{"ociVersion":"1.2.0"', "ends too early"),
    (b'{"ociVersion":"1.2.0"}}', "config.json:1: "),
    (b'{"ociVersion":"1.2.0"}{}', "config.json:1: "),
    (b'{"ociVersion":"1.2.0"}\0', "config.json:1: not JSON"),
    (b'{\n"ociVersion":"1.2.0",\n}', "config.json:3: "),
    (b"{\n\n'ociVersion':\"1.2.0\"}", "config.json:3: not JSON"),
    (b'{"ociVersion":NaN}', "not JSON"),
    (b'{"ociVersion":"1.2.0"/**/}', "not JSON"),
    (b'{"ociVersion":"1.2.0","ociVersion":"1.2.0"}', "same key twice"),
    (b'{"ociVersion":"1.2.0","x":{"a":[{"b":1,"b":1}]}}', "same key twice"),
    (b'{"ociVersion":"1.2\\u00000"}', "NUL in a string"),
    (b'{"ociVersion":"1.2\n0"}', "config.json:1: a control character"),
    (b'{"ociVersion":"1.2\xff"}', "(?i)utf-?8|config.json:1"),
    (b"{" + b" " * MAX + b"}", "longer than"),
    (b'{"x":' + b"[" * 40 + b"]" * 40 + b"}", "nesting"),
    (b'{"\\u001b[31m":1,"ociVersion":"\\u001b[31m"}', "ociVersion: expected a version"),
)

def limit(kind, soft=0, hard=1):
    return {"type": kind, "soft": soft, "hard": hard}


def device(**changes):
    return {"path": "/dev/x", "type": "c", "major": 1, "minor": 3, **changes}


TERMINAL = {"args": ["/bin/true"], "cwd": "/", "terminal": True}
DEVICES = (
    ({}, ".path: is missing"),
    (device(path="dev/x"), ".path: expected an absolute path"),
    (device(path="/dev/"), ".path: expected the path of a file"),
    (device(path="/dev/.."), ".path: expected the path of a file"),
    (device(type="x"), r'.type: x: expected one of "c"'),
    (device(type=None), ".type: is missing"),
    (device(major=None), ".major: is missing"),
    (device(minor=-1), ".minor: expected 0 to 4294967295"),
    (device(fileMode="0666"), ".fileMode: expected an integer"),
    (device(fileMode=0o100666), ": fileMode 33206: not the mode of such a file"),
    (device(uid=1 << 32), ".uid: expected 0 to 4294967295"),
)

# A path in the configuration, what stands there, and what is said of it.
DELETE = object()
CHANGES = (
    ("ociVersion", DELETE, "config.json: ociVersion: is missing"),
    ("ociVersion", 1, "ociVersion: expected a string, not an integer"),
    ("ociVersion", "1.2", "ociVersion: expected a version"),
    ("ociVersion", "2.0.0", "ociVersion: 2.0.0: only 1.x"),
    ("ociVersion", "1.2.0x", "ociVersion: expected a version"),
    ("root", DELETE, "config.json: root: is missing"),
    ("root", [], "root: expected an object, not an array"),
    ("root.path", DELETE, "root.path: is missing"),
    ("root.path", 1.5, "root.path: expected a string, not a fraction"),
    ("root.path", "/", "root.path: the host's root directory"),
    ("root.path", "../../../../../../..", "root.path: the host's root directory"),
    ("root.readonly", "yes", "root.readonly: expected true or false"),
    ("process", DELETE, "process: is missing"),
    ("process.args", DELETE, "process.args: is missing"),
    ("process.args", [], "process.args: expected at least one"),
    ("process.args", ["a", 1], r"process.args\[1\]: expected a string, not an integer"),
    ("process.args", "sh", "process.args: expected an array, not a string"),
    ("process.env", [None], r"process.env\[0\]: expected a string, not null"),
    ("process.cwd", DELETE, "process.cwd: is missing"),
    ("process.cwd", "tmp", "process.cwd: expected an absolute path"),
    ("process.terminal", True, "process.terminal: true: (without --console-fd|standard input is no)"),
    ("process", {**TERMINAL, "consoleSize": {}}, "process.consoleSize.height: is missing, expected an integer"),
    ("process", {**TERMINAL, "consoleSize": {"height": "1", "width": 1}}, "consoleSize.height: expected an integer"),
    ("process", {**TERMINAL, "consoleSize": {"height": -1, "width": 1}}, "process.consoleSize.height: expected 0 to"),
    ("process", {**TERMINAL, "consoleSize": {"height": 1, "width": 65536}}, "consoleSize.width: expected 0 to 65535"),
    ("process.consoleSize", [], "process.consoleSize: expected an object, not an array"),
    ("process.terminal", "false", "process.terminal: expected true or false, not a string"),
    ("process.user.uid", "0", "process.user.uid: expected an integer"),
    ("process.user.uid", -1, "process.user.uid: expected 0 to 4294967295"),
    ("process.user.gid", 4294967295, "process.user.gid: expected 0 to 4294967294"),
    ("process.user.umask", 0o1000, "process.user.umask: expected 0 to 511"),
    ("process.user.additionalGids", [1, -1], r"process.user.additionalGids\[1\]: expected 0 to 4294967294"),
    ("process.user.additionalGids", [0] * 65537, "process.user.additionalGids: more than 65536"),
    ("process.capabilities", [], "process.capabilities: expected an object"),
    ("process.capabilities", {"bounding": ["CAP_KILL", "KILL"]},
     r"process.capabilities.bounding\[1\]: KILL: unknown capability"),
    ("process.capabilities", {"ambient": ["cap_kill"]}, r"process.capabilities.ambient\[0\]: cap_kill: unknown capability"),
    ("process.capabilities", {"permitted": ["CAP_12 "]}, r"process.capabilities.permitted\[0\]: CAP_12 : unknown capability"),
    ("process.capabilities", {"effective": [12]}, r"process.capabilities.effective\[0\]: expected a string"),
    ("process.noNewPrivileges", 1, "process.noNewPrivileges: expected true or false"),
    ("process.rlimits", [{}], r"process.rlimits\[0\].type: is missing"),
    ("process.rlimits", [limit("RLIMIT_NONE")], r"process.rlimits\[0\].type: RLIMIT_NONE: unknown limit"),
    ("process.rlimits", [limit("RLIMIT_CORE")] * 2, r"process.rlimits\[1\].type: RLIMIT_CORE: given twice"),
    ("process.rlimits", [limit("RLIMIT_CORE", 2, 1)], r"process.rlimits\[0\]: soft is above hard"),
    ("process.rlimits", [limit("RLIMIT_CORE", -1)], r"process.rlimits\[0\].soft: expected 0 to 18446744073709551615"),
    ("process.rlimits", [limit("RLIMIT_CORE", 1, 99999999999999999999)],
     r"process.rlimits\[0\].hard: expected 0 to 18446744073709551615"),
    ("process.oomScoreAdj", 1001, "process.oomScoreAdj: expected -1000 to 1000"),
    ("process.oomScoreAdj", 1.5, "process.oomScoreAdj: expected an integer, not a fraction"),
    ("process.apparmorProfile", "x", "process.apparmorProfile: not supported yet"),
    ("process.selinuxLabel", "x", "process.selinuxLabel: not supported yet"),
    ("hostname", "x", "hostname: without a uts namespace"),
    ("domainname", "x", "domainname: without a uts namespace"),
    ("annotations", [], "annotations: expected an object"),
    ("annotations", {"a": "b", "c": 1}, "annotations.c: expected a string, not an integer"),
    ("annotations", {"a": None}, "annotations.a: is missing, expected a string"),
    ("annotations", {"": "b"}, "annotations: an empty key"),
    ("hooks", [], "hooks: expected an object, not an array"),
    *(("hooks." + kind, [HOOK, wrong], r"hooks.%s\[1\]%s" % (kind, pattern)) for kind in KINDS for wrong, pattern in HOOKS),
    *(("hooks." + kind, HOOK, "hooks.%s: expected an array, not an object" % kind) for kind in KINDS),
    *(("linux.devices", [device(path="/ok"), wrong], r"linux.devices\[1\]" + pattern) for wrong, pattern in DEVICES),
    ("linux.devices", ["/dev/null"], r"linux.devices\[0\]: expected an object, not a string"),
    ("linux.devices", [device()] * 4097, "linux.devices: more than 4096"),
    ("linux.seccomp", {"defaultAction": "x"}, "linux.seccomp.defaultAction: x: expected SCMP_ACT_ALLOW"),
    ("linux.sysctl", {"a": "b"}, "linux.sysctl.a: no namespace has it for itself"),
    ("linux.maskedPaths", ["/x", "proc"], r"linux.maskedPaths\[1\]: expected an absolute path"),
    ("linux.maskedPaths", [""], r"linux.maskedPaths\[0\]: expected an absolute path"),
    ("linux.maskedPaths", "/x", "linux.maskedPaths: expected an array"),
    ("linux.readonlyPaths", [1], r"linux.readonlyPaths\[0\]: expected a string, not an integer"),
    ("linux.readonlyPaths", ["x"], r"linux.readonlyPaths\[0\]: expected an absolute path"),
    ("linux.mountLabel", "x", "linux.mountLabel: not supported yet"),
    ("linux.intelRdt", {"closID": "x"}, "linux.intelRdt: not supported yet"),
    ("linux.personality", {"domain": "x"}, "linux.personality.domain: x: expected LINUX or LINUX32"),
    ("linux.timeOffsets", {"boottime": {}}, "linux.timeOffsets: without a new time namespace"),
    ("linux.rootfsPropagation", "both", "linux.rootfsPropagation: both: no kind of propagation"),
    ("linux.namespaces", [{"type": "mnt"}], r"linux.namespaces\[0\].type: mnt: unknown namespace type"),
    ("linux.namespaces", [{"type": "pid"}] * 2, r"linux.namespaces\[1\].type: pid: given twice"),
    ("linux.namespaces", [{}], r"linux.namespaces\[0\].type: is missing"),
    ("linux.uidMappings", MAP, "linux: uidMappings and gidMappings"),
    ("mounts", {}, "mounts: expected an array"),
    ("mounts", ["/"], r"mounts\[0\]: expected an object, not a string"),
    ("mounts", [bind("/", "/x")] * 1025, "mounts: more than 1024"),
)

# What is wrong with the second of two mounts.
MOUNTS = (
    ({"destination": DELETE}, "destination: is missing"),
    ({"destination": ""}, "destination: expected a path"),
    ({"destination": "/" + "x" * 4095}, "destination: expected a path of 1 to 4095 bytes"),
    ({"destination": 1}, "destination: expected a string"),
    ({"source": DELETE}, "source: is missing"),
    ({"type": DELETE}, "type: neither the type of a file system nor", []),
    ({"type": "none"}, "type: neither the type of a file system nor", ["ro"]),
    ({"type": ""}, "type: neither the type of a file system nor", ["ro"]),
    ({"type": "tmpfs"}, "idmap without uidMappings and gidMappings", ["idmap"]),
    ({"type": "cgroup", "uidMappings": MAP, "gidMappings": MAP}, "idmap: control groups take no id mapping", []),
    ({"type": "tmpfs", "uidMappings": MAP}, "uidMappings and gidMappings: one without the other", []),
    ({"type": "tmpfs", "uidMappings": MAP, "gidMappings": MAP}, "remount with idmap or tmpcopyup", ["remount"]),
    ({"type": "tmpfs", "destination": DELETE}, "destination: is missing", []),
    ({"type": "tmpfs", "source": 1}, "source: expected a string", []),
    ({"type": "tmpfs"}, "remount: no mount before it has the destination /wrong", ["ro", "remount"]),
    ({"type": "ramfs"}, "tmpcopyup, which is an option of tmpfs alone", ["tmpcopyup"]),
    ({"options": ["bind", "tmpcopyup"]}, "tmpcopyup, which is an option of tmpfs alone"),
    ({"source": ""}, "source: expected a path"),
    ({"source": "/" + "x" * 4095}, "source: a path longer than 4095 bytes"),
    ({"type": 1}, "type: expected a string"),
    ({"options": "bind"}, "options: expected an array"),
    ({"options": ["bind", 1]}, r"options\[1\]: expected a string"),
    ({"options": ["bind", "rrw", "rrro"]}, r"options\[2\]: rrro: no option of a bind mount"),
    ({"options": ["bind", "sync"]}, r"options\[1\]: sync: no option of a bind mount"),
    ({"options": ["bind", "\x1b]0;x\x07"]}, r"options\[1\]: \\x1b\]0;x\\x07: no option of a bind mount"),
    ({"options": ["bind", "mode=755"]}, r"options\[1\]: mode=755: no option of a bind mount"),
    ({"options": ["bind", "idmap"]}, "idmap without uidMappings and gidMappings"),
    ({"uidMappings": MAP}, "uidMappings and gidMappings: one without the other"),
    ({"uidMappings": [1], "gidMappings": MAP}, r"uidMappings\[0\]: expected an object"),
    ({"uidMappings": [{"containerID": 0, "hostID": 1}], "gidMappings": MAP}, r"uidMappings\[0\].size: is missing"),
    ({"uidMappings": [{"containerID": "0", "hostID": 1, "size": 1}], "gidMappings": MAP},
     r"uidMappings\[0\].containerID: expected an integer"),
    ({"uidMappings": [{"containerID": 0, "hostID": 1 << 32, "size": 1}], "gidMappings": MAP},
     r"uidMappings\[0\].hostID: expected 0 to 4294967295"),
    ({"uidMappings": [{"containerID": 0, "hostID": 1 << 64, "size": 1}], "gidMappings": MAP},
     r"uidMappings\[0\].hostID: expected 0 to 4294967295"),
    ({"uidMappings": MAP, "gidMappings": [{"containerID": 0, "hostID": -1, "size": 1}]},
     r"gidMappings\[0\].hostID: expected 0 to 4294967295"),
    ({"uidMappings": [{"containerID": 0, "hostID": 1, "size": 0}], "gidMappings": MAP}, "uidMappings: "),
    ({"uidMappings": MAP * 2, "gidMappings": MAP}, "uidMappings: "),
    ({"uidMappings": [{"containerID": 0, "hostID": 4294967295, "size": 2}], "gidMappings": MAP}, "uidMappings: "),
    ({"uidMappings": tool.extents(",".join("%d:%d:1" % (i, i) for i in range(341))), "gidMappings": MAP},
     "uidMappings: more than 340 extents"),
    ({"uidMappings": tool.extents(",".join(2 * ("%d:" % (i * 2 + 10**9)) + "1" for i in range(340))),
      "gidMappings": MAP}, "uidMappings: "),
)


def change(config, path, value):
    *way, last = path.split(".")
    at = config
    for key in way:
        at = at.setdefault(key, {})
    if value is DELETE:
        del at[last]
    else:
        at[last] = value


def need_namespace():
    need_root("make a mount namespace")


def bad_texts(place):
    """config.json that is no configuration at all"""
    need_namespace()
    with Holder() as holder:
        for text, pattern in TEXTS:
            refuses(holder, place.write(text), text[:60], pattern)
        os.remove(place.bundle + "/config.json")
        refuses(holder, place.bundle, "no file", "config.json: open: No such file")
        os.mkfifo(place.bundle + "/config.json")
        refuses(holder, place.bundle, "a FIFO", "config.json: not a regular file")
        os.remove(place.bundle + "/config.json")
        os.mkdir(place.bundle + "/config.json")
        refuses(holder, place.bundle, "a directory", "config.json: not a regular file")
        refuses(holder, place.path + "/none", "no bundle", "/none: realpath: No such file")


def bad_configurations(place):
    """wrong types, missing members, and what is not supported yet, by path"""
    need_namespace()
    with Holder() as holder:
        for path, value, pattern in CHANGES:
            config = place.config("echo started")
            change(config, path, value)
            refuses(holder, place.write(config), (path, value), pattern)


def bad_mounts(place):
    """mounts and id maps that are wrong, before the right one in front is mounted"""
    need_namespace()
    with Holder() as holder:
        for changes, pattern, *options in MOUNTS:
            entry = bind(place.data, "/wrong")
            if options:
                entry["options"] = options[0]
            for key, value in changes.items():
                change(entry, key, value)
            config = place.config("echo started")
            config["mounts"] = [bind(place.data, "/right"), entry]
            refuses(holder, place.write(config), changes, r"config.json: mounts\[1\].*" + pattern)


def ignored(place):
    """what is to be ignored, and empty values that ask for nothing"""
    need_namespace()
    config = place.config("echo started")
    for path, value in (("unknown", {"a": [1.5, None]}), ("process.unknown", 1), ("linux.unknown", []),
                        ("windows", {"x": 1}), ("annotations", {"a": "b"}), ("hooks", {}), ("hooks.prestart", []),
                        ("hostname", ""), ("process.rlimits", []), ("process.noNewPrivileges", False),
                        ("process.terminal", None), ("process.consoleSize", {"height": 1, "width": 2}),
                        ("linux.seccomp", None), ("linux.devices", []),
                        ("linux.resources", {}), ("linux.maskedPaths", []), ("linux.rootfsPropagation", "")):
        change(config, path, value)
    child, parent = tool.converse([*tool.OUR_INIT, "--bundle", place.write(config)], tool.PEER_PARENT)
    equal((child, parent), ((0, "started\n", ""), (0, "", "")))


def no_root_directory(place):
    """a root file system that is not there"""
    need_namespace()
    config = place.config("echo started", root={"path": "none"})
    child, parent = tool.converse([*tool.OUR_INIT, "--bundle", place.write(config)], tool.PEER_PARENT)
    equal((child.code, child.out, parent.code), (1, "", 1))
    contains(one_line(child.err), "config.json: root.path: ", "/none: open: No such file")
    contains(parent.err, "config.json: root.path: ")


def bad_descriptors(place):
    """--sync-fd of init that is no socket, or not open"""
    need_namespace()
    bundle = place.write(place.config("echo started"))
    with open(place.data + "/file", encoding="utf-8") as file:
        for fd, text in ((77, "--sync-fd 77"), (file.fileno(), "socket")):
            fds = [file.fileno()] if fd == file.fileno() else []
            result = tool.finish(tool.start([tool.TOOL, "init", "--sync-fd", str(fd), "--bundle", bundle], fds))
            equal((result.code, result.out), (1, ""))
            contains(one_line(result.err), text)


TESTS = [usage, numbers, nobody_reads, help_texts, features, full_output, bad_texts, bad_configurations, bad_mounts, ignored,
         no_root_directory, bad_descriptors]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
