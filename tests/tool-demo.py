# SPDX-License-Identifier: MIT
"""`syncdemo demo`: what it shows as root and as an ordinary user, and that it does not believe a kernel that lies.

Prints TAP.  What cannot run here is skipped by name.
"""
import contextlib
import ctypes
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.environ.get("top_builddir", "."))
DENY = os.path.join(TOP, "tests/support/deny-syscall")
ORDINARY = 65533
TIMEOUT = 60            # a demo takes a fraction of a second: only for one that hangs
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
PR_SET_CHILD_SUBREAPER = 36
MOVE_MOUNT, MOUNT_SETATTR, STATMOUNT, OPEN_TREE_ATTR = 429, 442, 457, 467

libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """Why a test cannot run here."""


def can_unshare(flags, uid):
    """Whether a process of this user may make such namespaces."""
    pid = os.fork()
    if pid == 0:
        if uid is not None:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        os._exit(0 if libc.unshare(flags) == 0 else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def find_program():
    """What libtool's wrapper executes, where there is one."""
    program = os.path.join(TOP, "syncdemo")
    with open(program, "rb") as file:
        return program if file.read(4) == b"\x7fELF" else os.path.join(TOP, ".libs/syncdemo")


class Demo:
    """A copy of the tool that every user can execute, and that can be told from all other processes."""

    def __init__(self, directory):
        self.program = os.path.join(directory, "syncdemo")
        shutil.copy(find_program(), self.program)
        for library in glob.glob(os.path.join(TOP, ".libs/libinitsync.so.*")):
            shutil.copy(library, directory)
        with open(self.program, "rb") as file:
            self.has_thread = b"__tsan_init" in file.read()
        os.chmod(directory, 0o755)
        if os.path.exists(DENY):
            shutil.copy(DENY, directory)
        self.deny = os.path.join(directory, "deny-syscall")
        self.directory = directory

    def run(self, *args, ordinary=False, deny=None, environ=None, shell=None):
        """The demo, with the claims it made; stdout and stderr are text."""
        if os.geteuid() != 0 and not ordinary:
            raise Skip("needs root")
        if ordinary and self.has_thread:
            raise Skip("ThreadSanitizer has a thread of its own in the demo, which then may not unshare a user namespace")
        uid = ORDINARY if os.geteuid() == 0 and ordinary else None
        if not can_unshare(CLONE_NEWNS | (CLONE_NEWUSER if ordinary else 0), uid):
            raise Skip("no namespaces can be made here")
        command = [self.program, "demo", *args]
        if deny:
            if not os.path.exists(self.deny):
                raise Skip("tests/support/deny-syscall is not built")
            command = [self.deny, deny, "--", *command]
        if uid is not None:
            if not shutil.which("setpriv"):
                raise Skip("no setpriv program")
            command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *command]
        if shell:
            command = ["sh", "-c", shell, "sh", *command]
        env = {**os.environ, "LD_LIBRARY_PATH": self.directory, "LC_ALL": "C.UTF-8", **(environ or {})}
        result = subprocess.run(command, env=env, capture_output=True, timeout=TIMEOUT, cwd="/")
        result.stdout = result.stdout.decode()
        result.stderr = result.stderr.decode()
        return result

    def processes(self):
        """All that still run this copy, also tasks that only share its memory."""
        found = []
        for link in glob.glob("/proc/[0-9]*/exe"):
            with contextlib.suppress(OSError):
                if os.readlink(link).startswith(self.directory):
                    found.append(link)
        return found


def expect(condition, what, result):
    assert condition, f"{what}; exit status {result.returncode}\n{result.stdout}{result.stderr}"


def expect_success(result, *claims):
    expect(result.returncode == 0, "it must succeed", result)
    expect("DIFFERS" not in result.stdout, "no claim differs", result)
    for pattern in claims:
        expect(re.search(pattern, result.stdout, re.M), f"/{pattern}/ is missing", result)
    expect(re.fullmatch(r"all \d+ claims hold, \d+ left out", result.stdout.splitlines()[-1]), "the last line", result)


def expect_difference(result, pattern):
    """It failed, and the last line names the first claim that differs."""
    expect(result.returncode != 0, "it must fail", result)
    differing = [line for line in result.stdout.splitlines() if line.startswith("DIFFERS ")]
    expect(differing and re.search(pattern, differing[0]), f"/{pattern}/ is not the first to differ", result)
    last = result.stdout.splitlines()[-1]
    expect("claims differ" in last and differing[0].removeprefix("DIFFERS ")[:60] in last, "the last line", result)


def test_root(demo):
    """as root it shows all of the scenario"""
    result = demo.run()
    expect_success(
        result,
        r"^ok   the conversation ends well: 0$",
        r"^ok   plain bind: mountinfo has at /srv/plain: /data/plain, read-write, shared$",
        r"^ok   bind from inside: out here its source \S+/rootfs/srv/plain/inner is: ENOENT$",
        r"^ok   hooks ran once, before pivot_root: they wrote: root is the host's$",
        r"^ok   /usr/bin/stat, by exec in the container, prints: |^left out exec of a program",
        r"^ok   a mount that is not listed is refused with: EACCES$",
        r"^ok   the child is told which mount: /etc/shadow$",
        r"^ok   the child's reason reaches the parent: /etc/demo.conf$",
        r"^ok   the hook's reason reaches the child: ",
        r"^ok   mounts of the demo in the host's mountinfo afterwards: 0$",
        r"^ok   processes left: 0$")
    if "left out id-mapped mounts" not in result.stdout:
        expect_success(
            result,
            r"^ok   id-mapped bind shows uid:gid of /srv/mapped/root-file as: 5000:6000$",
            r"^ok   id-mapped bind: mountinfo has at /srv/mapped: /data/mapped, read-write, id-mapped, private$",
            r"^ok   recursive bind, its submount shows uid:gid of /srv/tree/sub/user-file as: 8000:8000$",
            r"^ok   id-mapped bind: a file that the container's root makes belongs on disk to: 1000:1000$")


def test_diagram(demo):
    """the messages are a sequence diagram with times"""
    lines = demo.run(ordinary=os.geteuid() != 0).stdout.splitlines()
    arrows = [line for line in lines if re.match(r" *\d+\.\d{3} ms  child ", line)]
    asked = [line for line in arrows if "── procMountPlease " in line]
    answered = [line for line in arrows if "◀── procMountFd open_tree + fd ─" in line]
    assert len(asked) == 5 and len(answered) == 4, "\n".join(lines)
    assert all(line.endswith("▶ parent") for line in asked), "\n".join(lines)
    assert all(re.search(r" parent   [\d.]+ (us|ms|s)$", line) for line in answered), "\n".join(lines)
    assert len({line.index("parent") for line in arrows}) == 1, "\n".join(lines)
    assert any("procError" in line for line in arrows), "\n".join(lines)


def test_ascii(demo):
    """without UTF-8 the diagram is plain ASCII"""
    result = demo.run(ordinary=os.geteuid() != 0, environ={"LC_ALL": "C"})
    expect(result.stdout.isascii() and re.search(r" ms  child -- procMountPlease .* -+> parent$", result.stdout, re.M),
           "ASCII", result)


def test_ordinary(demo):
    """as an ordinary user it shows what is possible there, and names the rest"""
    expect_success(
        demo.run(ordinary=True),
        r"as an ordinary user",
        r"^ok   the conversation ends well: 0$",
        r"^ok   plain bind shows uid:gid of /srv/plain/root-file as: 0:0$",
        r"^ok   id-mapped bind: mountinfo has at /srv/mapped: .* id-mapped|^left out id-mapped mounts: ",
        r"^ok   id-mapped bind: statmount has at /srv/mapped: tmpfs, uids 0 |^left out ",
        r"^left out id-mapped mounts: |^left out id maps that change an id: |"
        r"^ok   id-mapped bind shows uid:gid of /srv/mapped/root-file as: 5000:6000$")


def test_quiet(demo):
    """--quiet prints the claims and a last line"""
    result = demo.run("--quiet", ordinary=os.geteuid() != 0)
    expect_success(result)
    lines = result.stdout.splitlines()[:-1]
    expect(lines and all(line.startswith(("ok   ", "left out ")) for line in lines), "only claims", result)


def test_json(demo):
    """--json prints an object a claim"""
    result = demo.run("--json", ordinary=os.geteuid() != 0)
    expect(result.returncode == 0, "it must succeed", result)
    claims = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(claims) > 40 and all(claim["result"] in ("ok", "left out") for claim in claims), result.stdout
    assert all(claim["expected"] == claim["found"] for claim in claims if claim["result"] == "ok"), result.stdout


def test_lie(demo):
    """a mount_setattr that does nothing and says it did is found out"""
    expect_difference(demo.run(deny=f"{OPEN_TREE_ATTR}:ENOSYS,{MOUNT_SETATTR}:ok"),
                      r"^DIFFERS id-mapped bind shows uid:gid of /srv/mapped/root-file as: expected 5000:6000, found ")


def test_lie_ordinary(demo):
    """an ordinary user finds it out too"""
    expect_difference(demo.run(ordinary=True, deny=f"{OPEN_TREE_ATTR}:ENOSYS,{MOUNT_SETATTR}:ok"),
                      r"a new file in its read-only submount|mountinfo has at")


def test_lie_move(demo):
    """so is a move_mount that does not move"""
    expect_difference(demo.run(deny=f"{MOVE_MOUNT}:ok"), r".")


def test_old_kernel(demo):
    """what the kernel lacks is left out by name, and is no failure"""
    result = demo.run(deny=f"{OPEN_TREE_ATTR}:ENOSYS,{MOUNT_SETATTR}:ENOSYS,{STATMOUNT}:ENOSYS")
    expect_success(result, r"^left out id-mapped mounts: there are no id-mapped mounts here",
                   r"^left out mounts with attributes", r"^left out plain bind: statmount")


def test_no_open_tree_attr(demo):
    """without open_tree_attr(2) nothing is missing"""
    expect_success(demo.run(deny=f"{OPEN_TREE_ATTR}:ENOSYS"))


def test_usage(demo):
    """a wrong argument is refused with one line"""
    result = demo.run("--unknown", ordinary=os.geteuid() != 0)
    expect(result.returncode == 2 and result.stdout == "" and re.fullmatch(r"syncdemo: .*--unknown.*\n", result.stderr),
           "usage", result)


def test_pipe(demo):
    """it ends when its reader does, and its reader when it does"""
    ordinary = os.geteuid() != 0
    expect_success(demo.run(ordinary=ordinary, shell='"$@" | cat'))
    result = demo.run(ordinary=ordinary, shell='"$@" | head -n 1')
    expect(result.returncode == 0 and result.stderr == "", "no complaint", result)


def test_full(demo):
    """output that cannot be written is a failure"""
    result = demo.run(ordinary=os.geteuid() != 0, shell='"$@" >/dev/full')
    expect(result.returncode == 1 and "syncdemo: " in result.stderr, "it must fail", result)


def test_nothing_left(demo):
    """afterwards there is no process, mount or file of it, also not of one that was killed"""
    command = [demo.program, "demo"]
    env = dict(os.environ, LD_LIBRARY_PATH=demo.directory)
    for delay in (0.002, 0.005, 0.01, 0.02, 0.05):
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
    deadline = time.monotonic() + 5
    while demo.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not demo.processes(), demo.processes()
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        assert "syncdemo-" not in file.read()
    places = {"/tmp", "/var/tmp", os.environ.get("TMPDIR", "/tmp")}
    left = [name for place in places for name in glob.glob(f"{place}/syncdemo-*-*")]
    if "on a tmpfs" not in demo.run(ordinary=os.geteuid() != 0).stdout:
        # Before Linux 6.3 its files are on the disk, and who is killed there cannot remove them.
        for name in left:
            shutil.rmtree(name)
        left = left[5:]
    assert not left, left


def main():
    tests = [function for name, function in globals().items() if name.startswith("test_")]
    tests.sort(key=lambda function: function is test_nothing_left)
    failed = False
    print(f"1..{len(tests)}")
    if not os.path.exists(os.path.join(TOP, "syncdemo")):
        for number, function in enumerate(tests, 1):
            print(f"ok {number} - {function.__doc__} # SKIP syncdemo is not built")
        return 0
    # what a killed demo leaves to its next ancestor is reaped here, also where process 1 reaps nothing
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as directory:
        demo = Demo(directory)
        for number, function in enumerate(tests, 1):
            try:
                function(demo)
                print(f"ok {number} - {function.__doc__}")
            except Skip as skip:
                print(f"ok {number} - {function.__doc__} # SKIP {skip}")
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed = True
                print("".join(f"# {line}\n" for line in str(error).splitlines()), end="")
                print(f"not ok {number} - {function.__doc__}")
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
