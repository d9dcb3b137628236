# SPDX-License-Identifier: MIT
"""Hooks that fail, hang, flood: one line says so, the container does not start, and nothing is left. Prints TAP."""
import os
import resource
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import need_container
from hooks import (KINDS, LASTING, PROGRAM, SAY, WITHOUT_PID, configuration, forget, grandchildren, hook, order, run,
                   sleepers, unique)
from tool import OUR_PARENT, PEER_CHILD, contains, converse, equal, ok, one_line

# Those behind which nothing of the container comes any more: but a failed one, the poststop hooks.
BEFORE = KINDS[:4]


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

    def says(script, *parts, limit=8 * tool.PATIENCE):
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
    ok(time.monotonic() - began < 2 * tool.TIMEOUT, "took %.1f s" % (time.monotonic() - began))
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    ok(largest < 200000, "%d kB of memory" % largest)


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
            # Two seconds on an idle machine.
            ok(1 <= took < 5, "%s took %.1f s" % (kind, took))
            equal(sleepers(number), [])
            failed(place, kind, result, path_of(place, kind) + ": killed after its timeout of 1 s: hanging")
            forget(place)


def without_proc(place):
    """a timeout without a /proc: the process group ends; with one of the container's making: nobody else does"""
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
    # Children of everybody, and so of whoever asks.
    everybody = os.path.dirname(place.file("fake/everybody/children", "%d %d 1 -1 0 x " % (victim.pid, os.getpid())))
    os.symlink(".", everybody + "/task")
    fake = os.path.dirname(everybody)
    for pid in range(victim.pid + 1, victim.pid + 5000):
        os.symlink(".", "%s/%d" % (everybody, pid))
        os.symlink("everybody", "%s/%d" % (fake, pid))
    os.symlink("everybody", fake + "/thread-self")
    # Nor who is told to be a child of a child of its own.
    place.file("fake/%d/task/%d/children" % (victim.pid, victim.pid), "%d " % victim.pid)
    config["mounts"] = [tool.bind(fake, "/proc")]
    contains(one_line(run(place, config).err), "timeout of 1 s")
    equal((sleepers(number), victim.poll()), ([victim.pid], None))
    victim.kill()
    victim.communicate()


def silent_proc(place):
    """a timeout where the hook has mounted a file server on /proc that never answers"""
    need_container()
    number = unique()
    script = ("(setsid sh -c 'mkfifo $LOG/fifo; exec 7<>/dev/fuse; "
              "mount -i -t fuse -o fd=7,rootmode=40000,user_id=0,group_id=0 none /proc; echo $? >$LOG/mounted; read x <>$LOG/fifo'"
              " </dev/null >/dev/null 2>&1 &); exec sleep %d") % number
    config = configuration(place, startContainer=[hook(place, "startContainer", script, timeout=1)])
    config["linux"]["devices"] = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}]
    config["process"]["capabilities"] = {name: ["CAP_SYS_ADMIN"] for name in ("bounding", "permitted", "effective")}
    place.file("bundle/rootfs/dev/null")
    began = time.monotonic()
    result = run(place, config)
    took = time.monotonic() - began
    contains(one_line(result.err), "hooks.startContainer[0]: ", "killed after its timeout of 1 s")
    ok(1 <= took < 5, "it took %.1f s" % took)
    equal(sleepers(number), [])
    with open(place.rootfs + "/log/mounted", encoding="ascii") as file:
        equal(file.read(), "0\n")


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


def parent_alone(place):
    """`syncdemo parent`: a hook that fails reaches the child; a poststart hook that fails ends it"""
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


TESTS = [exit_status, killed_by_signal, not_run, output, timeout, without_proc, silent_proc, long_enough, failed_tree, parent_alone,
         ordinary_user]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
