# SPDX-License-Identifier: MIT
"""`syncdemo run`: the file that is executed, HOME, the standard streams, the root file system's identity, the PID file.

Prints TAP.
"""
import os
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import DEV, PROC, configure, need_container
from tool import MS_BIND, bind, checked, contains, equal, libc, mount, ok, one_line, strace


def box(place, script, entries=(PROC,), **process):
    """All namespaces but the user's and the control groups'; "process" in keywords."""
    config = configure(place, script, entries, "pid mount ipc uts network")
    config["process"].update(process)
    return config


def run(place, config, *options, command=(), **kwargs):
    return tool.finish(tool.start([*command, tool.TOOL, "run", "--bundle", place.write(config), *options, "test"], **kwargs))


def fails(place, config, *parts):
    result = run(place, config)
    line = one_line(result.err)
    equal((result.code, result.out), (1, ""))
    contains(line, *parts)


# ---- what is executed --------------------------------------------------------------

def no_shell(place):
    """a file that the kernel cannot execute is not handed to a shell"""
    need_container()
    config = box(place, "")
    for name, content in (("script", "echo started\n"), ("garbage", "\1\2\3\4")):
        os.chmod(place.file("bundle/rootfs/opt/" + name, content), 0o755)
        for args in (["/opt/" + name], [name]):
            config["process"].update(args=args, env=["PATH=/none:/opt:/bin"])
            fails(place, config, "config.json: process.args[0]: %s: execve: Exec format error" % args[0])


def search_path(place):
    """the first file of PATH that can be executed; what cannot is passed over, and named if there is no other"""
    need_container()
    config = box(place, "")
    for directory in "abc":
        path = place.file("bundle/rootfs/%s/tool" % directory, "#!/bin/sh\necho %s $0\n" % directory)
        os.chmod(path, 0o644 if directory == "a" else 0o755)
    place.file("bundle/rootfs/d/tool/")
    place.file("bundle/rootfs/bundle")
    for path, wanted in (("/a:/b:/c", "b /b/tool"), ("/none:/d:/bundle:%s:/c:/b" % ("/x" * 3000), "c /c/tool"),
                         (":/c", "c /c/tool"), ("c", "c c/tool"), ("/none:", "b tool"), ("/b:/none", "b /b/tool")):
        config["process"].update(args=["tool"], env=["PATH=" + path], cwd="/b" if path == "/none:" else "/")
        equal(run(place, config), (0, wanted + "\n", ""))
    for path, text in (("/a:/none", "execve: Permission denied"), ("/d", "execve: Permission denied"),
                       ("/none", "not in the container's PATH: No such file or directory"),
                       ("", "not in the container's PATH: No such file or directory")):
        config["process"].update(env=["PATH=" + path])
        fails(place, config, "config.json: process.args[0]: tool: " + text)
    config["process"].update(args=["sh", "-c", "echo default"], env=[])
    equal(run(place, config), (0, "default\n", ""))
    config["process"].update(args=[""])
    fails(place, config, "process.args[0]")


# ---- HOME ----------------------------------------------------------------------------

def home(place, passwd=None, env=(), uid=0, **process):
    if passwd is not None:
        path = os.path.join(place.rootfs, "etc/passwd")
        if os.path.lexists(path):
            os.remove(path)
        place.file("bundle/rootfs/etc/passwd")
        with open(path, "wb") as file:
            file.write(passwd)
    config = box(place, "", env=["PATH=/bin", *env], user={"uid": uid, "gid": 0}, args=["env"], **process)
    result = run(place, config)
    equal((result.code, result.err), (0, ""))
    return [line[5:] for line in result.out.splitlines() if line.startswith("HOME=")]


ROOT_LINE = b"root:x:0:0:root:/root:/bin/sh\n"


def home_is_set(place):
    """HOME is the user's of the image's /etc/passwd where process.env has none or an empty one"""
    need_container()
    equal(home(place), ["/"])
    users = ROOT_LINE + b"a:x:1000:0::/home/a:/bin/sh\nb:x:1000:0::/home/b:/bin/sh\nc:x:7:0::/home/c"
    for uid, wanted in ((0, "/root"), (1000, "/home/a"), (7, "/home/c"), (100, "/"), (10000, "/")):
        equal(home(place, users, uid=uid), [wanted])
    equal(home(place, users, ["HOME="]), ["/root"])
    equal(home(place, users, ["HOME=/mine"]), ["/mine"])
    equal(home(place, users, ["HOME=", "HOME=/mine"]), ["", "/mine"])
    # The program's limits are not for whoever reads the file.
    equal(home(place, users, rlimits=[{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}]), ["/root"])


def home_of_garbage(place):
    """whatever an image has as /etc/passwd, the container starts, with a HOME"""
    need_container()
    for passwd, wanted in (
            (b"", "/"), (b"\n\n\n", "/"), (b":::::::\n" * 9 + ROOT_LINE, "/root"), (b"root:x:0:0:root", "/"),
            (b"root:x:0:0:root:", "/"), (b"x:x:00:0::/wrong:\n" + ROOT_LINE, "/root"),
            (b"x:x:0:0::/a\0b:\n" + ROOT_LINE, "/root"),
            (b"x:x:0:0::relative:\n" + ROOT_LINE, "/root"), (b"x:x:0:0::/" + b"x" * 5000 + b":\n" + ROOT_LINE, "/root"),
            (b"x" * 1000000 + b"\n" + ROOT_LINE, "/root"), (b"x" * (1 << 20) + b"\n" + ROOT_LINE, "/"),
            (b"x:x:0:0::" + b"/x" * 2000, "/x" * 2000), (os.urandom(9999), None)):
        got = home(place, passwd)
        ok(len(got) == 1 if wanted is None else got == [wanted], (got, wanted))
    for make in (os.mkfifo, os.mkdir, lambda path: os.symlink("passwd", path), lambda path: os.symlink("/proc/kmsg", path),
                 lambda path: os.mknod(path, 0o20644, os.makedev(1, 5)), lambda path: os.symlink("/proc/self/fd/0", path)):
        path = os.path.join(place.rootfs, "etc/passwd")
        if os.path.lexists(path):
            os.remove(path)
        make(path)
        equal(home(place), ["/"])
        (os.rmdir if os.path.isdir(path) and not os.path.islink(path) else os.remove)(path)
    # One of the kernel's own is not read, whatever it says: reading can take away.
    text = place.file("text", ROOT_LINE.decode())
    os.symlink("/proc/version", os.path.join(place.rootfs, "etc/passwd"))
    config = box(place, "echo $HOME", [PROC, bind(text, "/proc/version")])
    equal(run(place, config).out, "/root\n")


# ---- the standard streams --------------------------------------------------------------

def streams(place):
    """a container's user may open its standard streams once more; the null device stays whose it is"""
    need_container()
    config = box(place, "echo out >/dev/stdout; echo err >/dev/stderr; cat /dev/stdin", [PROC, DEV],
                 user={"uid": 1000, "gid": 1000})
    process = tool.start([tool.TOOL, "run", "--bundle", place.write(config), "test"], stdin=subprocess.PIPE)
    process.stdin.write("in\n")
    process.stdin.close()
    process.stdin = None
    equal(tool.finish(process), (0, "out\nin\n", "err\n"))
    before = [os.stat(path) for path in ("/dev/null", "/dev/zero")]
    with open("/dev/null", "r+b", buffering=0) as null, open("/dev/zero", "rb") as zero:
        command = [tool.TOOL, "run", "--bundle", place.write(box(place, "true", user={"uid": 1000, "gid": 1000})), "test"]
        equal(subprocess.run(command, stdin=zero, stdout=null, stderr=null, check=False, timeout=tool.TIMEOUT).returncode, 0)
    after = [os.stat(path) for path in ("/dev/null", "/dev/zero")]
    equal([(info.st_uid, info.st_mode) for info in after], [(info.st_uid, info.st_mode) for info in before])
    # A file of a file system that cannot be written to is no reason to fail.
    mount("tmpfs", place.data, "tmpfs")
    try:
        path = place.file("data/stream", "text")
        mount(None, place.data, flags=tool.MS_RDONLY | 32)
        with open(path, "rb") as stdin:
            equal(run(place, box(place, "cat", user={"uid": 1000, "gid": 1000}), stdin=stdin), (0, "text", ""))
    finally:
        checked(libc.umount2(place.data.encode(), 2))


# ---- root.path ------------------------------------------------------------------------

def host_root(place):
    """the host's root directory is refused, however it is spelled, linked or mounted"""
    need_container()
    other = place.file("other/")
    os.symlink("/", place.path + "/link")
    os.symlink("/proc/self/root", place.path + "/magic")
    config = box(place, "echo started", [])
    mount("/", other, flags=MS_BIND)
    try:
        before = tool.mounts()
        for path in ("/", "///", "/.", "/./", "/usr/..", "../../../../../../../..", "/proc/self/root", place.path + "/link",
                     place.path + "/link/.", place.path + "/magic", other, other + "/.", other + "/usr/.."):
            config["root"]["path"] = path
            fails(place, config, "config.json: root.path: ", "the host's root directory")
        equal(tool.mounts(), before)
    finally:
        checked(libc.umount2(other.encode(), 2))


# ---- --pid-file -----------------------------------------------------------------------

def pid_file_left(place):
    """a run that is killed while it writes its PID file leaves nothing beside it that the next one does not take away"""
    need_container()
    config = box(place, "true")
    path = os.path.join(place.file("pids/"), "pid")
    command = strace()
    for old in ("", "an old one\n"):
        for call in ("linkat", "rename", "unlink"):
            if old:
                place.file("pids/pid", old)
            elif os.path.exists(path):
                os.remove(path)
            killed = run(place, config, "--pid-file", path, command=[*command, "-e", "inject=%s:signal=KILL" % call])
            # Without one that is to be replaced, there is but one call.
            equal(killed.code != 0, call == "linkat" or bool(old))
            equal(run(place, config, "--pid-file", path), (0, "", ""))
            equal(os.listdir(place.path + "/pids"), ["pid"])
            with open(path, encoding="ascii") as file:
                ok(int(file.read()) > 1, "no number")


def pid_file_many(place):
    """many runs with one PID file at a time: a whole number, and nothing beside it"""
    need_container()
    path = os.path.join(place.file("pids/"), "pid")
    config = box(place, "true")
    command = [tool.TOOL, "run", "--bundle", place.write(config), "--pid-file", path, "test"]
    for result in [tool.finish(process) for process in [tool.start(command) for _ in range(20)]]:
        equal(result, (0, "", ""))
    equal(os.listdir(place.path + "/pids"), ["pid"])
    with open(path, encoding="ascii") as file:
        ok(int(file.read()) > 1, "no number")


TESTS = [no_shell, search_path, home_is_set, home_of_garbage, streams, host_root, pid_file_left, pid_file_many]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
