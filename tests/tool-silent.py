# SPDX-License-Identifier: MIT
"""A container whose image, init or helper processes never answer: `run` ends in time when it is told to, another container starts
meanwhile, and nothing is left when what hung is let go. doc/security.md has the table of all such tests. Prints TAP.
"""
import contextlib
import os
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import need_container
from hooks import configuration, hook, order, run, start, unique, sleepers
from processes import children, state, wait_for
from tool import Skip, bind, contains, equal, ok, one_line

OPCODES = ("lookup", "statfs", "open", "read", "flush")
KILLED = 5              # seconds, as in tools/spawned.c: for a killed process that hangs in the kernel
# And the one that is allowed for the rest, on a busy machine.
SLACK = (3 if os.environ.get("SANITIZERS", "no") == "no" else 8) * tool.PATIENCE


@contextlib.contextmanager
def silent(directory, opcode):
    """A file system at @directory whose server never answers @opcode."""
    if not os.path.exists("/dev/fuse"):
        raise Skip("no /dev/fuse")
    server = tool.start([*tool.peer("silent_fuse.py"), directory, opcode])
    try:
        if server.stdout.readline() != "ready\n":
            raise Skip("no FUSE here: " + server.communicate()[1].strip())
        yield server
    finally:
        server.kill()
        server.communicate()
        tool.libc.umount2(directory.encode(), 2)


def left():
    """Who came to this process when its parent ended; the dead are reaped."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return children(os.getpid())


def bundle(place, name):
    """A bundle in which init looks for the home of its user in /etc/passwd."""
    other = tool.Place(place.file(name + "/"))
    config = configuration(other, "true")
    config["process"]["env"] = ["PATH=/bin"]
    etc = other.file("bundle/rootfs/etc/")
    other.file("bundle/rootfs/etc/passwd")
    return other, config, etc


def image(place):
    """SIGTERM of `run` whose init hangs in the image's file server: lookup, statfs, open, read, flush"""
    need_container()
    with contextlib.ExitStack() as stack:
        processes = []
        for opcode in OPCODES:
            other, config, etc = bundle(place, opcode)
            server = stack.enter_context(silent(etc, opcode))
            processes.append((opcode, start(other, config, name=opcode)))
            equal(server.stdout.readline(), "asked\n")
        equal([process.poll() for _, process in processes], [None] * len(OPCODES))
        other, config, _ = bundle(place, "other")
        equal(run(other, config), (0, "", ""))
        began = time.monotonic()
        for _, process in processes:
            process.terminate()
        for opcode, process in processes:
            process.wait(timeout=tool.TIMEOUT)
            took = time.monotonic() - began
            ok(took < KILLED + SLACK, "%s: the end took %.1f s" % (opcode, took))
        equal([process.returncode for _, process in processes], [128 + signal.SIGTERM] * len(OPCODES))
        ok(any(state(pid) == "D" for pid in left()), "nobody hangs: this test tests nothing")
    for _, process in processes:
        contains(one_line(process.communicate(timeout=tool.TIMEOUT)[1]), "hangs in the kernel")
    wait_for(lambda: not left(), "end of what hung, whose server is dead")


def freed(place):
    """the server dies: what hung goes on, and so does the container"""
    need_container()
    for opcode in ("open", "flush"):
        other, config, etc = bundle(place, opcode)
        with silent(etc, opcode) as server:
            process = start(other, config)
            equal(server.stdout.readline(), "asked\n")
            server.kill()
            result = tool.finish(process)
        equal((result.code, result.err), (0, ""))


def fifos(place):
    """a FIFO as the source of a mount, as the program, as a hook, as the console's socket: nobody opens it"""
    need_container()
    fifo = os.path.join(place.path, "fifo")
    os.mkfifo(fifo, 0o755)
    config = configuration(place, "stat -c %F /pipe; cat /pipe & kill $!", createRuntime=[hook(place, "createRuntime", "true")])
    place.file("bundle/rootfs/pipe")
    config["mounts"].append(bind(fifo, "/pipe", "bind"))
    began = time.monotonic()
    result = run(place, config)
    equal((result.code, result.out), (0, "fifo\n"))
    os.mkfifo(place.rootfs + "/program", 0o755)
    config["process"]["args"] = ["/program"]
    contains(one_line(run(place, config).err), "/program", "Permission denied")
    config["hooks"] = {"createRuntime": [{"path": fifo}]}
    contains(one_line(run(place, config).err), fifo, "Permission denied")
    config["hooks"] = {}
    config["process"]["terminal"] = True
    contains(one_line(run(place, config, "--console-socket", fifo).err), "--console-socket", fifo)
    ok(time.monotonic() - began < 4 * SLACK, "it took %.1f s" % (time.monotonic() - began))


def hook_stopped(place):
    """a hook that stops itself and heeds no signal: its timeout"""
    need_container()
    for kind in ("createRuntime", "createContainer", "startContainer"):
        number = unique()
        script = "trap '' TERM HUP INT; sleep %d & kill -STOP $$" % number
        began = time.monotonic()
        result = run(place, configuration(place, **{kind: [hook(place, kind, script, timeout=1)]}))
        took = time.monotonic() - began
        equal((result.code, result.out, sleepers(number)), (1, "", []))
        contains(one_line(result.err), "hooks.%s[0]" % kind, "killed after its timeout of 1 s")
        ok(took < 2 + SLACK, "%s: it took %.1f s" % (kind, took))


def waiting(place, **kwargs):
    """A run that waits in a hook of the runtime's; init, and the other process that `run` has."""
    go = os.path.join(place.path, "go")
    script = "echo $0 >>$LOG/order; until [ -e %s ]; do sleep 0.01; done" % go
    process = start(place, configuration(place, "true", createRuntime=[hook(place, "createRuntime", script)], **kwargs))
    wait_for(lambda: "hook" in order(place), "hook")
    own = os.stat("/proc/%d/ns/mnt" % process.pid).st_ino
    inside = [pid for pid in children(process.pid) if os.stat("/proc/%d/ns/mnt" % pid).st_ino != own]
    helpers = [pid for pid in children(process.pid) if pid not in inside]
    return process, inside[0], helpers, lambda: open(go, "w", encoding="ascii").close()


def everybody_stopped(place):
    """SIGSTOP of init, of the hook's keeper, of the watchdog, and then SIGTERM of `run`"""
    need_container()
    process, init, helpers, _ = waiting(place)
    ok(len(helpers) == 2, "expected a watchdog and a hook's keeper: %s" % helpers)
    for pid in [init, *helpers]:
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: all(state(pid) == "T" for pid in [init, *helpers]), "end of all")
    began = time.monotonic()
    process.terminate()
    result = tool.finish(process)
    took = time.monotonic() - began
    equal((result.code, result.err), (128 + signal.SIGTERM, ""))
    ok(took < 3 + SLACK, "it took %.1f s" % took)
    wait_for(lambda: not left(), "end of all")


def run_stopped(place):
    """SIGSTOP of `run` while init waits for it: it waits on, and goes on with it; killed, `run` takes it along"""
    need_container()
    process, _, _, go = waiting(place)
    process.send_signal(signal.SIGSTOP)
    go()
    time.sleep(0.3)
    process.send_signal(signal.SIGCONT)
    result = tool.finish(process)
    equal((result.code, result.err), (0, ""))
    other = tool.Place(place.file("other/"))
    process, init, _, _ = waiting(other)
    process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    process.kill()
    process.communicate()
    wait_for(lambda: not left(), "end of all")
    ok(not os.path.exists("/proc/%d" % init), "init lives")
    ok(time.monotonic() - began < 1 + SLACK, "it took %.1f s" % (time.monotonic() - began))


TESTS = [image, freed, fifos, hook_stopped, everybody_stopped, run_stopped]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
