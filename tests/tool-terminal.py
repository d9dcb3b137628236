# SPDX-License-Identifier: MIT
"""`syncdemo run` with process.terminal: somebody at a terminal, and programs in a container on one of its own. Prints TAP."""
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import container
import tool
from container import DEV, PROC, PTS
from terminal import modes, set_size, terminal
from tool import Skip, bind, contains, equal, need_root, ok

BUNDLES = os.path.join(tool.SOURCE, "tests", "bundles")
FIRST = 100000          # what the user namespaces of the tests begin with
LARGE = 1 << 20


# ---- bundles ---------------------------------------------------------------------

def configuration(place, script, entries=(PROC, DEV, PTS), namespaces="pid mount ipc uts network", **process):
    """A shell script on a terminal; "process" in keywords."""
    need_root("start containers")
    config = container.configure(place, script, entries, namespaces)
    config["process"].update(terminal=True, **process)
    return config


def mapped(place, config, count=65536):
    config["linux"]["namespaces"].append({"type": "user"})
    for key in ("uidMappings", "gidMappings"):
        config["linux"][key] = [{"containerID": 0, "hostID": FIRST, "size": count}]
    os.chmod(place.path, 0o755)
    os.chown(place.rootfs, FIRST, FIRST)
    return config


def command(place, config, *options):
    return [tool.TOOL, "run", "--bundle", place.write(config), *options, "test"]


@contextlib.contextmanager
def shown(place, config, *options, **kwargs):
    """A container on a terminal of 24 rows and 80 columns."""
    with terminal() as here:
        here.start(command(place, config, *options), **kwargs)
        yield here


def output(place, script, status=0, **kwargs):
    """What the script shows, whose terminal then is as it was."""
    with shown(place, configuration(place, script, **kwargs)) as here:
        equal((here.wait(), here.process.args[0]), (status, tool.TOOL))
        here.restored()
        return here.rest().replace("\r\n", "\n")


def refuses(place, config, *parts, options=(), timeout=tool.TIMEOUT):
    """One line, exit status 1, and a terminal that is as it was."""
    with shown(place, config, *options) as here:
        equal(here.wait(timeout), 1)
        text = here.rest()
        ok(text.count("\n") == 1 and text.startswith("syncdemo: "), "not one line: %r" % text)
        contains(text, *parts)
        here.restored()


# ---- in the foreground -------------------------------------------------------------

def written_by_others(place):
    """bundles exactly as `runc spec` and `crun spec` write them give a shell, with job control"""
    need_root("start containers")
    container.fill(place)
    for name in ("crun-v1", "crun-v2", "runc-v1", "runc-v2"):
        with open(os.path.join(BUNDLES, name + ".json"), encoding="utf-8") as file:
            config = json.load(file)
        equal((config["process"]["terminal"], config["process"]["args"]), (True, ["sh"]))
        with shown(place, config) as here:
            contains(here.expect("/ # "), "cgroups are not managed\r\n")
            here.type("echo $((6 * 7)) $(tty) $(stat -c %t:%T:%u:%g:%a /dev/console)\r")
            text = here.expect("42 ", "/ # ")
            contains(text, "42 /dev/pts/0 88:0:0:5:620\r\n")
            here.type("ls -l /proc/self/fd; stty size; hostname\r")
            text = here.expect("24 80", config["hostname"], "/ # ")
            equal([fd for fd in range(3) if "%d -> /dev/pts/0\r\n" % fd in text], [0, 1, 2])
            here.type("sleep 100\r")
            here.expect("sleep 100")
            time.sleep(0.2)
            here.type("\x1a")
            here.expect("Stopped", "/ # ")
            here.type("jobs\r")
            here.expect("[1]+  Stopped", "sleep 100", "/ # ")
            here.type("fg\r")
            here.expect("sleep 100")
            time.sleep(0.2)
            here.type("\x03")
            here.expect("/ # ")
            ok(here.raw() and here.process.poll() is None, "^C went to run")
            here.type("exit 3\r")
            equal(here.wait(), 3)
            contains(here.rest(), "exit 3")
            here.restored()


def no_warning(place):
    """the shell has a controlling terminal, in a session of its own"""
    text = output(place, "sh -i -c 'echo $0'; ps -o pid,pgid,sid,tty,args; echo direct >/dev/tty")
    ok("can't access tty" not in text, text)
    contains(text, "direct\n")
    line = next(line for line in text.splitlines() if "sh -c" in line)
    equal(line.split()[:4], ["1", "1", "1", "136,0"])


def exit_status(place):
    """its exit status, and 128 + n for a signal, as without a terminal"""
    equal(output(place, "exit 7", 7), "")
    config = configuration(place, "trap 'exit 9' USR1; echo ready; while :; do sleep 0.05; done")
    for number, status in ((signal.SIGUSR1, 9), (signal.SIGKILL, 137)):
        with shown(place, config) as here:
            here.expect("ready")
            if number == signal.SIGKILL:
                with open("/proc/%d/task/%d/children" % (here.process.pid, here.process.pid), encoding="ascii") as file:
                    os.kill(int(file.read().split()[0]), number)
            else:
                os.kill(here.process.pid, number)
            equal(here.wait(), status)
            here.restored()


def window(place):
    """the size is the terminal's and follows it; consoleSize counts where that has none"""
    script = "trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.05; done"
    with terminal(50, 132) as here:
        config = configuration(place, script, consoleSize={"height": 10, "width": 20})
        here.start(command(place, config))
        here.expect("50 132", "ready")
        for rows, columns in ((20, 30), (3, 999)):
            set_size(here.user, rows, columns)
            here.expect("%d %d" % (rows, columns))
        here.process.kill()
    for wanted, process in (("10 20", {"consoleSize": {"height": 10, "width": 20}}),,
                            ("65535 1", {"consoleSize": {"height": 65535, "width": 1}})):
        with terminal(0, 0) as here:
            here.start(command(place, configuration(place, "stty size", **process)))
            here.expect(wanted)
            equal(here.wait(), 0)


def signals_typed(place):
    """^C, ^\\ and ^Z are the container's; run is not touched"""
    script = "trap 'echo got INT' INT; trap 'echo got QUIT' QUIT; echo ready; while :; do read line && echo line $line; done"
    with shown(place, configuration(place, script)) as here:
        here.expect("ready")
        here.wait_raw()
        for key, text in (("\x03", "got INT"), ("\x1c", "got QUIT"), ("a\x7fb\r", "line b")):
            here.type(key)
            here.expect(text)
        equal(here.process.poll(), None)


def restored(place):
    """the terminal's modes come back: after a failure to start, SIGTERM, SIGHUP, and SIGKILL of run"""
    config = configuration(place, "trap 'exit 5' TERM HUP; echo ready; while :; do sleep 0.05; done")
    for number, status in ((signal.SIGTERM, 5), (signal.SIGHUP, 5), (signal.SIGKILL, -9), (signal.SIGSEGV, -11)):
        with shown(place, config) as here:
            here.expect("ready")
            here.wait_raw()
            os.kill(here.process.pid, number)
            equal(here.wait(), status)
            here.restored()
    config["process"]["args"] = ["/bin/none"]
    refuses(place, config, "config.json: process.args[0]: /bin/none: execve: No such file")


def others_modes(place):
    """when run is killed, modes that somebody has set meanwhile are left alone"""
    with shown(place, configuration(place, "echo ready; sleep 30")) as here:
        here.expect("ready")
        here.wait_raw()
        state = termios.tcgetattr(here.tty)
        state[3] |= termios.ECHO
        os.kill(here.process.pid, signal.SIGSTOP)
        termios.tcsetattr(here.tty, termios.TCSANOW, state)
        wanted = modes(here.tty)
        here.process.kill()
        here.wait()
        time.sleep(0.3)
        equal(modes(here.tty), wanted)


def hung_up(place):
    """when the terminal goes, the container's is hung up: one that ignores SIGHUP reads the end"""
    script = "trap '' HUP; echo ready; cat; echo $? >/end; exit 4"
    with shown(place, configuration(place, script)) as here:
        here.expect("ready")
        here.wait_raw()
        os.close(here.user)
        os.close(here.tty)
        equal(here.process.wait(tool.TIMEOUT), 4)
    ok(os.path.exists(place.rootfs + "/end"), "killed")


# ---- jobs of a shell ---------------------------------------------------------------

def stopped(place):
    """SIGTSTP stops run, with the terminal restored; continued, it is raw again, also after SIGSTOP"""
    with terminal() as here:
        pid = here.start_job(command(place, configuration(place, "echo ready; while read x; do echo got $x; done")), "fg")
        here.expect("ready")
        for number in (signal.SIGTSTP, signal.SIGSTOP):
            here.wait_raw()
            os.kill(pid, number)
            status = here.job("wt")
            ok(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == number, "status %x" % status)
            if number == signal.SIGTSTP:
                here.restored()
            else:
                state = termios.tcgetattr(here.tty)
                state[:4], state[6] = here.before
                termios.tcsetattr(here.tty, termios.TCSANOW, state)     # as a shell does
            here.job("bg")
            here.job("fg")
            os.kill(pid, signal.SIGCONT)
            here.wait_raw()
            here.type("again\r")
            here.expect("got again")
        here.type("\x04")
        equal(here.job("wt"), 0)
        here.restored()


def background(place):
    """in the background the terminal is neither set nor read, and output is shown; in the foreground it goes on"""
    with terminal() as here:
        pid = here.start_job(command(place, configuration(place, "echo ready; while read x; do echo got $x; done")), "bg")
        here.expect("ready")
        equal(modes(here.tty), here.before)
        here.type("not for it\n")
        time.sleep(0.7)
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            contains("SR", file.read().rpartition(")")[2].split()[0])
        equal(os.read(here.tty, 100), b"not for it\n")
        here.job("fg")          # and no SIGCONT
        here.wait_raw()
        here.rest()
        here.type("for it\r")
        here.expect("got for it")
        here.type("\x04")
        equal(here.job("wt"), 0)
        here.restored()


# ---- what goes through ---------------------------------------------------------------

def collect(fd, size=65536, pause=0.0):
    """All of a pipe, in pieces of a size."""
    parts = []
    while True:
        part = os.read(fd, size)
        if not part:
            return b"".join(parts)
        parts.append(part)
        time.sleep(pause)


def large_output(place):
    """a megabyte of any bytes comes through as it is, to a fast reader and to a slow one, and after the container's end"""
    data = os.urandom(LARGE)
    config = configuration(place, "stty raw; cat /large; exit 6")
    with open(place.rootfs + "/large", "wb") as file:
        file.write(data)
    for size, pause in ((65536, 0), (16384, 0.005), (1 << 20, 0.2)):
        ours, theirs = os.pipe()
        with shown(place, config, stdout=theirs) as here:
            os.close(theirs)
            got = collect(ours, size, pause)
            os.close(ours)
            equal(here.wait(), 6)
            ok(got == data, "%d of %d bytes, or others" % (len(got), len(data)))
            equal(here.rest(), "")


def large_input(place):
    """a megabyte that is typed comes through, while the container shows as much"""
    config = configuration(place, "stty raw -echo; echo ready; head -c %d | tee /copy; exit 8" % LARGE)
    data = "".join(chr(33 + (i * i) % 90) for i in range(LARGE))
    with shown(place, config) as here:
        here.expect("ready")
        here.wait_raw()
        here.seen = b""
        thread = threading.Thread(target=here.type, args=(data,))
        thread.start()
        equal(here.wait(60), 8)
        thread.join()
        shown_here = here.rest().strip()
    with open(place.rootfs + "/copy", encoding="ascii") as file:
        ok(file.read() == data, "what came in is not what was typed")
    ok(shown_here == data, "what was shown is not what was typed: %d bytes" % len(shown_here))


def stalled(place, where):
    """The container fills what nobody reads; signals are passed on, its end is seen, and run ends in time."""
    script = "trap 'exit 5' TERM; echo ready; (while :; do echo 0123456789012345678901234567890123456789; done) & wait"
    ours, theirs = os.pipe()
    with shown(place, configuration(place, script), **where(theirs)) as here:
        os.close(theirs)
        time.sleep(1)
        began = time.monotonic()
        here.process.terminate()
        equal(here.process.wait(tool.TIMEOUT), 5)
        took = time.monotonic() - began
        os.close(ours)
        ok(4 < took < 8, "it took %.1f s" % took)
        here.restored()
        if "stdout" in where(1):
            contains(here.rest(), "syncdemo: warning: standard output did not take the container's last ")


def stalled_pipe(place):
    """a pipe that nobody reads holds up neither signals nor the end"""
    stalled(place, lambda pipe: {"stdout": pipe})


def stalled_terminal(place):
    """nor does a terminal that takes nothing"""
    stalled(place, lambda pipe: {"stderr": pipe})


def impatient(place):
    """a second signal ends the wait for a standard output that takes nothing"""
    ours, theirs = os.pipe()
    script = "trap 'exit 5' TERM; (while :; do echo 01234567890123456789012345678901234567890; done) & wait"
    with shown(place, configuration(place, script), stdout=theirs) as here:
        os.close(theirs)
        time.sleep(0.5)
        here.process.terminate()
        time.sleep(1)
        began = time.monotonic()
        here.process.terminate()
        equal(here.process.wait(tool.TIMEOUT), 5)
        ok(time.monotonic() - began < 1, "it waited")
        os.close(ours)


def closed_output(place):
    """without a reader of the output, the container still runs to its end"""
    ours, theirs = os.pipe()
    os.close(ours)
    with shown(place, configuration(place, "stty raw; cat /bin/busybox; exit 3"), stdout=theirs) as here:
        os.close(theirs)
        equal(here.wait(), 3)


def left_over(place):
    """what stays behind with the terminal, and writes to it for ever, does not hold up the end"""
    script = "(trap '' HUP; while :; do echo 0123456789; done) & echo $!; sleep 0.3; exit 2"
    config = configuration(place, script, namespaces="mount uts")
    config["mounts"][0] = bind("/proc", "/proc", "rbind")
    with shown(place, config) as here:
        pid = int(here.expect("\r\n"))
        try:
            began = time.monotonic()
            equal(here.wait(), 2)
            ok(time.monotonic() - began < 5, "it took %.1f s" % (time.monotonic() - began))
        finally:
            os.kill(pid, signal.SIGKILL)


def reopened(place):
    """while nobody has the terminal open, run sleeps; what opens it again is shown"""
    script = "exec <&- >/dev/null 2>&1; sleep 1; echo again >/dev/console; sleep 0.1; exit 3"
    with shown(place, configuration(place, script)) as here:
        time.sleep(0.9)
        with open("/proc/%d/stat" % here.process.pid, encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        ok(int(fields[11]) + int(fields[12]) < 30, "it does not sleep")         # ticks of 10 ms
        here.expect("again\r\n")
        equal(here.wait(), 3)


def not_a_terminal(place):
    """without a terminal and a console socket, nothing is started"""
    config = configuration(place, "touch /started")
    result = tool.run("run", "--bundle", place.write(config), "test")
    equal((result.code, result.out), (1, ""))
    contains(tool.one_line(result.err), "config.json: process.terminal: true: standard input is no terminal")
    ok(not os.path.exists(place.rootfs + "/started"), "it was started")


# ---- the container's terminal ---------------------------------------------------------

def owner(place):
    """the terminal is the user's, of the group tty where there is one, and he can open it again"""
    script = "stat -c %u:%g:%a /dev/pts/0 /dev/console; echo a >/dev/pts/0; echo b >/dev/console; echo c >/dev/tty; id -u"
    wanted = "1000:5:620\n" * 2 + "a\nb\nc\n1000\n"
    equal(output(place, script, user={"uid": 1000, "gid": 1000}), wanted)
    for count, group in ((65536, "5:620"), (5, "0:600")):
        pts = dict(PTS, options=[option for option in PTS["options"] if count > 5 or option != "gid=5"])
        config = mapped(place, configuration(place, script, entries=[PROC, DEV, pts]), count)
        with shown(place, config) as here:
            equal(here.wait(), 0)
            equal(here.rest().replace("\r\n", "\n"), ("0:%s\n" % group) * 2 + "a\nb\nc\n0\n")


def descriptors(place):
    """nothing but its terminal is open in the container"""
    text = output(place, "ls /proc/$$/fd | tr '\\n' ' '")
    # busybox's shell keeps the terminal as 10 when it is interactive, which this one is not.
    equal(text.split(), ["0", "1", "2"])


def image_dev(place):
    """a /dev of the image: its console is covered; one that is a symlink, or a directory, is refused"""
    config = configuration(place, "tty; echo out >/dev/console", entries=[PROC, PTS])
    place.file("bundle/rootfs/dev/pts/")
    place.file("secret", "host's")
    console = place.rootfs + "/dev/console"
    with shown(place, config) as here:
        equal(here.wait(), 0)
        contains(here.rest(), "out\r\n")
    equal(os.stat(console).st_size, 0)
    for target in ("/dev/null", "../secret", place.path + "/secret"):
        os.unlink(console)
        os.symlink(target, console)
        refuses(place, config, "config.json: process.terminal: /dev/console: openat2: Too many levels of symbolic links")
    os.unlink(console)
    os.mkdir(console)
    refuses(place, config, "config.json: process.terminal: /dev/console: ", "Not a directory")


def no_devpts(place):
    """without a devpts in the container, or with something over it, there is no terminal"""
    refuses(place, configuration(place, "true", entries=[PROC, DEV]),
            "config.json: process.terminal: /dev/pts: openat2: No such file")
    tmpfs = container.entry("/dev/pts", "tmpfs")
    refuses(place, configuration(place, "true", entries=[PROC, DEV, tmpfs]),
            "config.json: process.terminal: /dev/pts: expected a devpts file system in mounts")
    over = bind(place.file("ptmx"), "/dev/pts/ptmx")
    refuses(place, configuration(place, "true", entries=[PROC, DEV, PTS, over]),
            "config.json: process.terminal: /dev/pts/ptmx: openat2: Invalid cross-device link")


def bound_dev(place):
    """in a /dev that is bound nothing is made; its console, if there is one, is covered in the container alone"""
    need_root("make a devpts")
    dev = place.file("dev/")
    place.file("dev/pts/")
    tool.mount("devpts", dev + "/pts", "devpts", data="newinstance,ptmxmode=0666,gid=5,mode=620")
    try:
        config = configuration(place, "tty; ls /dev", entries=[PROC, bind(dev, "/dev", "rbind")])
        with shown(place, config) as here:
            equal((here.wait(), here.rest()), (0, "/dev/pts/0\r\npts\r\n"))
        console = place.file("dev/console", "mine")
        config = configuration(place, "echo out >/dev/console; exit 3", entries=[PROC, bind(dev, "/dev", "rbind")])
        with shown(place, config) as here:
            equal((here.wait(), here.rest()), (3, "out\r\n"))
        with open(console, encoding="ascii") as file:
            equal(file.read(), "mine")
    finally:
        tool.checked(tool.libc.umount2((dev + "/pts").encode(), 2))


# ---- as somebody else -------------------------------------------------------------------

def ordinary_user(place):
    """somebody without rights, in a user namespace of his own"""
    container.fill(place)
    with open(os.path.join(BUNDLES, "runc-rootless-v2.json"), encoding="utf-8") as file:
        config = json.load(file)
    user = 65533 if tool.ROOT else os.getuid()
    config["linux"]["uidMappings"][0]["hostID"] = user
    config["linux"]["gidMappings"][0]["hostID"] = 65533 if tool.ROOT else os.getgid()
    if tool.ROOT:
        shutil.chown(place.rootfs, user, user)
    program, environment = tool.copy_tool(place)
    os.chmod(place.path, 0o755)
    bundle = place.write(config)
    with terminal() as here:
        def become():
            os.setsid()
            fcntl.ioctl(here.tty, termios.TIOCSCTTY, 0)
            tool.ordinary_user()

        here.process = subprocess.Popen([program, "run", "--bundle", bundle, "test"], stdin=here.tty, stdout=here.tty,
                                        stderr=here.tty, preexec_fn=become, env=environment, pass_fds=[here.tty])
        try:
            here.expect("/ # ")
        except AssertionError:
            text = here.rest() + here.seen.decode()
            if "Operation not permitted" in text or "clone3" in text:
                raise Skip("no user namespaces here: " + text.strip())
            raise
        here.type("tty; stty size; stat -c %u:%g:%a /dev/console; exit 4\r")
        here.expect("/dev/pts/0\r\n24 80\r\n0:0:600\r\n")
        equal(here.wait(), 4)
        here.restored()


TESTS = [written_by_others, no_warning, exit_status, window, signals_typed, restored, others_modes, hung_up, stopped,
         background, large_output, large_input, stalled_pipe, stalled_terminal, impatient, closed_output, left_over, reopened,
         not_a_terminal, owner, descriptors, image_dev, no_devpts, bound_dev, ordinary_user]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
