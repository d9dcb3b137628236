# SPDX-License-Identifier: MIT
"""`syncdemo` with bundles that are wrong: one line that says what, and nothing has happened. tool-bad-mounts.py has their
mounts. Prints TAP.
"""
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from hooks import KINDS
from refusals import DELETE, Holder, change, need_namespace, refuses
from tool import bind, contains, equal, one_line

MAP = tool.extents("0:100000:65536")
HOOK = {"path": "/bin/true"}
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
    ("process.capabilities", {"permitted": ["CAP_12 "]},
     r"process.capabilities.permitted\[0\]: CAP_12 : unknown capability"),
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


TESTS = [bad_texts, bad_configurations, ignored, no_root_directory, bad_descriptors]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
