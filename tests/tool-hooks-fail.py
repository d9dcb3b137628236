# SPDX-License-Identifier: MIT
"""Hooks that fail, hang, flood, and those whose caller or container ends: one line says so, the container does not start,
and nothing is left.

Prints TAP.
"""
import os
import resource
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tool
from container import need_container
from hooks import KINDS, PROGRAM, configuration, forget, hook, order, run, sleepers, start, unique, wait_for
from tool import OUR_INIT, OUR_PARENT, PEER_CHILD, PEER_PARENT, contains, converse, equal, ok, one_line

LASTING = PROGRAM + "; sleep 5"
SAY = "echo $0 >>$LOG/order; "
# Those behind which nothing of the container comes any more: but a failed one, the poststop hooks.
BEFORE = KINDS[:4]
WITHOUT_PID = "mount ipc uts network"   # where the end of the container's process ends no other


def path_of(place, kind):
    return ("" if kind == "startContainer" else place.rootfs) + "/bin/busybox"


def one_fails(place, kind, script, **more):
    """A bundle whose second hook of that kind fails, of three; and others all around."""
    hooks = {other: [hook(place, other, SAY, other)] for other in KINDS}
    hooks[kind] = [hook(place, kind, SAY, kind + "0"), hook(place, kind, SAY + script, kind + "1", **more),
                   hook(place, kind, SAY, kind + "2")]
    return configuration(place, LASTING if kind == "poststart" else PROGRAM, **hooks)


def ran_before(kind):
    """What has run when the second of that kind has failed, and then the last kind."""
    return [*KINDS[:KINDS.index(kind)], kind + "0", kind + "1", "poststop"]


def failed(place, kind, result, text):
    """The end of such a run."""
    line = "config.json: hooks.%s[1]: %s" % (kind, text)
    if kind == "poststop":
        equal((result.code, result.out), (0, "started\n"))
        equal(one_line(result.err), "warning: " + line)
        equal([name for name in order(place) if name != "program"], [*KINDS[:5], "poststop0", "poststop1", "poststop2"])
        return
    equal(result.code, 1)
    ok(one_line(result.err).endswith(line), "%r does not end in %r" % (result.err, line))
    equal([name for name in order(place) if name != "program"], ran_before(kind))
    if kind in BEFORE:
        equal((result.out, "program" in order(place)), ("", False))


def exit_status(place):
    """a bad exit status, for each kind: kind, index, status, output; no hook after it but poststop, and no program"""
    need_container()
    for kind in KINDS:
        config = one_fails(place, kind, "echo why; echo because >&2; exit 7")
        failed(place, kind, run(place, config, "--pid-file", place.path + "/pid"),
               path_of(place, kind) + ": exit status 7: why\\x0abecause")
        equal(os.path.exists(place.path + "/pid"), kind == "poststop")
        forget(place)


def killed_by_signal(place):
    """a hook that a signal kills, also before it was ever a program"""
    need_container()
    for kind in KINDS:
        failed(place, kind, run(place, one_fails(place, kind, "kill -9 $$")),
               path_of(place, kind) + ": killed by signal 9 (Killed)")
        forget(place)


def not_run(place):
    """a path that is missing, a directory, not executable, no program"""
    need_container()
    for kind in KINDS:
        root = "" if kind == "startContainer" else place.rootfs
        place.file("bundle/rootfs/tmp/text", "no program\n")
        os.chmod(place.file("bundle/rootfs/tmp/binary", "no program\n"), 0o755)
        os.chmod(place.file("bundle/rootfs/tmp/script", "#!/none/at/all\n"), 0o755)
        for name, cause in (("/none", "No such file or directory"), ("/tmp", "Permission denied"),
                            ("/tmp/text", "Permission denied"), ("/tmp/binary", "Exec format error"),
                            ("/tmp/script", "No such file or directory")):
            config = one_fails(place, kind, "true")
            config["hooks"][kind][1]["path"] = root + name
            result = run(place, config)
            contains(one_line(result.err), "config.json: hooks.%s[1]: " % kind, "%s: execve: %s" % (name, cause))
            equal(result.code, 0 if kind == "poststop" else 1)
            equal(kind + "2" in order(place), kind == "poststop")
            forget(place)


def output(place):
    """output: escaped, its end when there is much, in a line that is no longer for it, of a caller that is no larger"""
    need_container()

    def says(script, *parts, limit=8):
        result = run(place, configuration(place, createRuntime=[hook(place, "createRuntime", script, timeout=limit)]))
        equal((result.code, result.out), (1, ""))
        contains(one_line(result.err), "config.json: hooks.createRuntime[0]: ", *parts)
        return result.err

    says("printf 'a\\033[2J\\000b\\377\\303\\251\\n \\n'; exit 1", ": exit status 1: a\\x1b[2J\\x00b\\xff\u00e9")
    ok(says("printf '\\n\\n'; exit 1").endswith(": exit status 1\n"), "something behind the status")
    # Long, and of characters that are cut apart wherever it is cut.
    for front in ("", "x", "xx"):
        text = says("printf '%s%%0500d' 1; i=0; while [ $i -lt 400 ]; do printf '\u4e2d'; i=$((i+1)); done; exit 1" % front,
                    "exit status 1: \u2026\u4e2d\u4e2d")
        ok("\\x" not in text and text.endswith("\u4e2d\n") and len(text.encode()) < 700, repr(text))
    began = time.monotonic()
    contains(says("yes 0123456789 & yes 0123456789", "timeout of 1 s", limit=1), "0123456789")
    says("yes flood & exit 3", "exit status 3")
    says("head -c 30000000 /dev/zero | tr '\\0' x; exit 3", "exit status 3", "xxxxxxxx")
    ok(time.monotonic() - began < 6, "took %.1f s" % (time.monotonic() - began))
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    ok(largest < 200000, "%d kB of memory" % largest)


def grandchildren(number):
    """A tree that waits for ever, in the hook's group and out of it, with the hook's streams and without."""
    return ("trap '' TERM INT HUP; sleep {0} & setsid sleep {0} & (setsid sh -c 'sleep {0} & sleep {0}' &) ; "
            "(setsid sleep {0} </dev/null >/dev/null 2>&1 &); ").format(number)


def timeout(place):
    """a timeout ends the hook with all it started, in time, whoever holds its output"""
    need_container()
    for namespaces in (WITHOUT_PID, "pid " + WITHOUT_PID):
        for kind in KINDS:
            number = unique()
            script = grandchildren(number) + "echo hanging; while true; do sleep %d; done" % number
            config = one_fails(place, kind, script, timeout=1)
            config["linux"]["namespaces"] = [{"type": name} for name in namespaces.split()]
            os.makedirs(place.rootfs + "/dev", exist_ok=True)
            place.file("bundle/rootfs/dev/null")
            began = time.monotonic()
            result = run(place, config)
            took = time.monotonic() - began
            ok(1 <= took < 2, "%s took %.1f s" % (kind, took))
            equal(sleepers(number), [])
            failed(place, kind, result, path_of(place, kind) + ": killed after its timeout of 1 s: hanging")
            forget(place)


def without_proc(place):
    """a timeout in a container without /proc: the process group ends; one with a /proc of its own making: nobody else does"""
    need_container()
    number = unique()
    script = "sleep {0} & sleep {0} & sleep {0}".format(number)
    config = configuration(place, namespaces=WITHOUT_PID, startContainer=[hook(place, "startContainer", script, timeout=1)])
    config["mounts"] = []
    place.file("bundle/rootfs/dev/null")
    result = run(place, config)
    contains(one_line(result.err), "timeout of 1 s")
    equal(sleepers(number), [])
    victim = tool.start(["sleep", str(number)])
    fake = place.file("fake/thread-self/children", "%d %d 1 -1 0 x " % (victim.pid, os.getpid()))
    config["mounts"] = [tool.bind(os.path.dirname(os.path.dirname(fake)), "/proc")]
    contains(one_line(run(place, config).err), "timeout of 1 s")
    equal((sleepers(number), victim.poll()), ([victim.pid], None))
    victim.kill()
    victim.communicate()


def long_enough(place):
    """a hook within its timeout, and the largest timeout"""
    need_container()
    for limit in (2, 2147483647):
        for kind in ("createRuntime", "createContainer"):
            config = configuration(place, **{kind: [hook(place, kind, "sleep 0.3", timeout=limit)]})
            equal(run(place, config), (0, "started\n", ""))


def failed_tree(place):
    """what a failed hook has left running is ended too"""
    need_container()
    for kind in KINDS:
        number = unique()
        config = one_fails(place, kind, grandchildren(number) + "sleep 0.1; exit 1")
        config["linux"]["namespaces"] = [{"type": name} for name in WITHOUT_PID.split()]
        place.file("bundle/rootfs/dev/null")
        failed(place, kind, run(place, config), path_of(place, kind) + ": exit status 1")
        equal(sleepers(number), [])
        forget(place)


def hanging(place, kind, namespaces=WITHOUT_PID):
    """A run whose hook of that kind has begun to hang; the number by which its tree is known."""
    number = unique()
    config = configuration(place, LASTING if kind == "poststart" else PROGRAM,
                           **{kind: [hook(place, kind, grandchildren(number) + "echo $$ >$LOG/pid; %s sleep %d" % (SAY, number))]})
    config["linux"]["namespaces"] = [{"type": name} for name in namespaces.split()]
    place.file("bundle/rootfs/dev/null")
    process = start(place, config)
    wait_for(lambda: "hook" in order(place) and len(sleepers(number)) == 6, "hanging hook of kind " + kind)
    return process, number


def terminated(place):
    """SIGTERM to run ends a hook that has no timeout, and what is there of the container; so it does for poststop"""
    need_container()
    for kind in KINDS:
        process, number = hanging(place, kind)
        began = time.monotonic()
        process.terminate()
        if kind == "poststart":         # the program's shell waits for its own sleep
            equal(process.poll(), None)
        result = tool.finish(process)
        ok(time.monotonic() - began < 7, "%s took %.1f s" % (kind, time.monotonic() - began))
        wait_for(lambda: not sleepers(number), "end of the tree", 2)
        if kind == "poststop":
            equal((result.code, result.out), (0, "started\n"))
            equal(one_line(result.err), "warning: config.json: hooks.poststop[0]: killed: signal 15")
        else:
            equal((result.code, result.err), (128 + signal.SIGTERM, ""))


def caller_killed(place):
    """SIGKILL of run ends the hook of each kind, with its tree"""
    need_container()
    for kind in KINDS:
        for namespaces in (WITHOUT_PID, "pid " + WITHOUT_PID):
            process, number = hanging(place, kind, namespaces=namespaces)
            process.kill()
            process.communicate(timeout=tool.TIMEOUT)
            wait_for(lambda some=number: not sleepers(some), "end of the tree of " + kind, 2)


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid), encoding="ascii") as file:
        return list(map(int, file.read().split()))


def tree(pid):
    """The seconds that somebody below @pid sleeps."""
    with open("/proc/%d/cmdline" % pid, "rb") as file:
        words = file.read().split(b"\0")
    return {int(words[1])} if words[0] == b"sleep" else set().union(*map(tree, children(pid)))


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def keeper_killed(place):
    """whoever kills the process between us and the hook has made the hook fail"""
    need_container()
    for kind in ("createRuntime", "createContainer", "poststart"):
        process, number = hanging(place, kind)
        if kind == "createContainer":
            above = next(pid for pid in children(process.pid) if children(pid))
        else:
            above = process.pid
        keeper = [pid for pid in children(above) if number in tree(pid)]
        equal(len(keeper), 1)
        for harmless in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
            os.kill(keeper[0], harmless)
        time.sleep(0.1)
        equal((process.poll(), len(sleepers(number))), (None, 6))
        with open(place.rootfs + "/log/pid", encoding="ascii") as file:
            leader = int(file.read())
        os.kill(keeper[0], signal.SIGKILL)
        result = tool.finish(process)
        equal(result.code, 1)
        contains(one_line(result.err), "hooks.%s[0]: " % kind, "the process that watches over it was killed")
        wait_for(lambda pid=leader: not alive(pid), "end of the hook")
        for pid in sleepers(number):    # nobody knows of them any more
            os.kill(pid, signal.SIGKILL)


def signals_for_the_container(place):
    """what ended the container, twice at once, is not for its poststop hooks"""
    need_container()
    process = start(place, configuration(place, createRuntime=[hook(place, "createRuntime", SAY + "sleep 30")],
                                         poststop=[hook(place, "poststop", "sleep 0.3;" + SAY, "poststop")]))
    wait_for(lambda: "hook" in order(place), "hook")
    for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGINT, signal.SIGCONT):
        process.send_signal(number)
    result = tool.finish(process)
    equal((result.code in (130, 143), result.err, order(place)), (True, "", ["hook", "poststop"]))


def container_dies(place):
    """the container's process dies while a hook of the parent's runs: the hook ends, and it is said how the process died"""
    need_container()
    for kind in ("prestart", "createRuntime"):
        number = unique()
        script = "sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' | xargs kill -9; %s exec sleep %d" % (SAY, number)
        began = time.monotonic()
        result = run(place, configuration(place, **{kind: [hook(place, kind, script), hook(place, kind, SAY, "second")],
                                                    "poststop": [hook(place, "poststop", SAY, "poststop")]}))
        ok(time.monotonic() - began < 3, "took %.1f s" % (time.monotonic() - began))
        equal((result.code, result.out), (1, ""))
        contains(one_line(result.err), "procHooks", "signal 9")
        equal((sleepers(number), "second" in order(place), order(place)[-1]), ([], False, "poststop"))
        forget(place)


def program_ends(place):
    """a program that ends before its poststart hook has: its status counts, and its number is its own until then"""
    need_container()
    script = "cat >$LOG/told; sleep 0.5; ls -d /proc/$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' $LOG/told); echo $? >>$LOG/order"
    config = configuration(place, "exit 9", poststart=[hook(place, "poststart", script), hook(place, "poststart", SAY, "second")])
    equal((run(place, config), order(place)), ((9, "", ""), ["0", "second"]))


def parent_alone(place):
    """`syncdemo parent`: a hook that fails reaches the child; a poststart hook that fails ends it; SIGKILL ends the hook"""
    need_container()
    for kind in ("prestart", "createRuntime"):
        bundle = place.write(one_fails(place, kind, "echo no; exit 2"))
        child, served = converse(PEER_CHILD, [*OUR_PARENT, "--bundle", bundle])
        text = "config.json: hooks.%s[1]: %s: exit status 2: no" % (kind, path_of(place, kind))
        equal((child.code, served.code), (3, 1))
        contains(one_line(served.err), text)
        contains(child.err, text)
        equal(order(place), ran_before(kind))
        forget(place)
    bundle = place.write(one_fails(place, "poststart", "exit 2"))
    child, served = converse([*PEER_CHILD, "--script", place.file("script", "hooks\nready\nexec sleep 30\n")],
                             [*OUR_PARENT, "--bundle", bundle])
    equal((child.code, served.code), (-signal.SIGKILL, 1))
    equal(one_line(served.err), "config.json: hooks.poststart[1]: %s: exit status 2" % path_of(place, "poststart"))
    equal(order(place), ["prestart", "createRuntime", "poststart0", "poststart1", "poststop"])


def parent_killed(place):
    """`syncdemo parent` killed, and its child killed, while a hook runs"""
    need_container()
    for victim in range(2):
        number = unique()
        bundle = place.write(configuration(place, createRuntime=[hook(place, "createRuntime", SAY + "sleep %d" % number)]))
        with tool.pair() as (ours, theirs):
            kid = tool.start([part.format(fd=theirs.fileno()) for part in PEER_CHILD], [theirs.fileno()],
                             preexec_fn=tool.unshare)
            server = tool.start([*(part.format(fd=ours.fileno(), pid=kid.pid) for part in OUR_PARENT), "--bundle", bundle],
                                [ours.fileno()])
        wait_for(lambda some=number: sleepers(some), "hook")
        (server, kid)[victim].kill()
        results = [tool.finish(server), tool.finish(kid)]
        wait_for(lambda some=number: not sleepers(some), "end of the hook", 2)
        equal([result.code for result in results], [1, -9] if victim else [-9, 4])


def init_loses_parent(place):
    """`syncdemo init` whose parent ends, or says so, while its hook runs: the hook ends, the program does not start"""
    need_container()
    for kind in ("createContainer", "startContainer"):
        number = unique()
        bundle = place.write(configuration(place, **{kind: [hook(place, kind, SAY + "sleep %d" % number)]}))
        with tool.pair() as (ours, theirs):
            kid = tool.start([part.format(fd=theirs.fileno()) for part in [*OUR_INIT, "--bundle", bundle]], [theirs.fileno()],
                             preexec_fn=tool.unshare)
            server = tool.start([part.format(fd=ours.fileno(), pid=kid.pid) for part in PEER_PARENT], [ours.fileno()])
        wait_for(lambda some=number: sleepers(some), "hook")
        server.kill()
        tool.finish(server)
        result = tool.finish(kid)
        equal((result.code, result.out, sleepers(number)), (1, "", []))
        contains(one_line(result.err), "hooks.%s[0]: killed: the runtime has ended the conversation" % kind)


def ordinary_user(place):
    """as an ordinary user: a failed hook of each kind, and one whose time is over"""
    uid = 65533 if tool.ROOT else os.getuid()
    gid = 65533 if tool.ROOT else os.getgid()
    program, environment = tool.copy_tool(place)
    for kind in KINDS:
        for script, more, text in (("exit 5", {}, ": exit status 5"),
                                   ("sleep 30", {"timeout": 1}, ": killed after its timeout of 1 s")):
            config = one_fails(place, kind, script, **more)
            config["linux"].update(uidMappings=tool.extents("0:%d:1" % uid), gidMappings=tool.extents("0:%d:1" % gid),
                                   namespaces=config["linux"]["namespaces"] + [{"type": "user"}])
            for path, _, _ in os.walk(place.bundle):
                os.chown(path, uid, gid)
            result = run(place, config, command=program, preexec_fn=tool.ordinary_user, env=environment)
            if "clone3: Operation not permitted" in result.err:
                raise tool.Skip("no user namespaces here: " + one_line(result.err))
            failed(place, kind, result, path_of(place, kind) + text)
            forget(place)


TESTS = [exit_status, killed_by_signal, not_run, output, timeout, long_enough, failed_tree, terminated, caller_killed,
         keeper_killed, without_proc, signals_for_the_container, container_dies, program_ends, parent_alone, parent_killed, init_loses_parent, ordinary_user]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
