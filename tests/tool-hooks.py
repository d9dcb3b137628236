# SPDX-License-Identifier: MIT
"""Hooks: when they run and what they see, in real containers.

tool-hooks-fail.py has those that fail or hang, tool-hooks-end.py those that lose who started them. Prints TAP.
"""
import json
import os
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import terminal
import tool
from container import DEV, PTS, need_container
from hooks import (CHILD, KINDS, PROGRAM, configuration, forget, hook, log, order, record, recorded, run, sleepers, start,
                   unique)
from processes import wait_for
from tool import OUR_INIT, OUR_PARENT, PEER_CHILD, PEER_PARENT, Skip, contains, converse, equal, ok

STATUS = dict(zip(KINDS, ("creating", "creating", "creating", "created", "running", "stopped")))
# The program lives until the hooks that run beside it have.
PATIENT = PROGRAM + "; until grep -q poststart /log/order; do sleep 0.01; done; sleep 0.1"


def own(kind):
    return os.stat("/proc/self/ns/" + kind).st_ino


def all_kinds(place):
    """all six kinds, two of each: their order, once each; before and after the program; the state that each is told"""
    need_container()
    config = configuration(place, PATIENT.replace("poststart", "poststart2"), annotations=None,
                           **{kind: [record(place, kind, kind + "1"), record(place, kind, kind + "2")] for kind in KINDS})
    del config["hooks"]["annotations"]
    config["annotations"] = {"org.example/slash": "a/b", "empty": "", "unicode": "\u00e9\u4e2d\"\\\n<&>"}
    pid_file = place.path + "/pid"
    equal(run(place, config, "--pid-file", pid_file, name="box-1"), (0, "started\n", ""))
    ran = order(place)
    equal([name for name in ran if name != "program"], [kind + number for kind in KINDS for number in "12"])
    ok(ran.index("startContainer2") < ran.index("program") < ran.index("poststop1"), "the program's place: %r" % ran)
    with open(pid_file, encoding="ascii") as file:
        pid = int(file.read())
    for kind in KINDS:
        for number in "12":
            state, _ = recorded(place, kind + number)
            process = 1 if kind in CHILD else pid
            equal(state, {"ociVersion": "1.3.0", "id": "box-1", "status": STATUS[kind],
                          "bundle": os.path.realpath(place.bundle), "annotations": config["annotations"],
                          **({"pid": process} if kind != "poststop" else {})})
    with open(log(place) + "/prestart1.state", encoding="utf-8") as file:
        contains(file.read(), '"org.example/slash":"a/b"')


def surroundings(place):
    """namespaces, directory, session, signals, descriptors, environment, umask of each kind, whatever the caller left us"""
    need_container()

    def careless():
        os.umask(0o027)
        os.dup2(1, 77)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1, signal.SIGCHLD, signal.SIGALRM])
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)

    config = configuration(place, PATIENT, **{kind: [record(place, kind)] for kind in KINDS})
    config["process"]["cwd"] = "/log"
    equal(run(place, config, preexec_fn=careless, restore_signals=False, close_fds=False).code, 0)
    for kind in KINDS:
        _, said = recorded(place, kind)
        inside = {name for name, number in said["namespaces"].items() if number != own(name)}
        equal(inside, {"pid", "mnt", "ipc", "uts", "net"} if kind in CHILD else set())
        where = {"createContainer": place.rootfs, "startContainer": "/log"}
        equal(said["cwd"], where.get(kind, os.path.realpath(place.bundle)))
        equal(said["signals"], {"blocked": [], "ignored": []})
        # Its last step is an exec of the shell that leads session and group.
        equal((said["ids"]["sid"], said["ids"]["pgid"]), (said["ids"]["pid"],) * 2)
        equal(sorted(said["descriptors"]), ["0", "1", "2"])
        equal([entry for entry in said["env"] if not entry.startswith(("PWD=", "SHLVL=", "OLDPWD="))],
              config["hooks"][kind][0]["env"])
        equal(said["umask"], 0o022 if kind == "createContainer" else 0o027)


def rights(place):
    """createContainer as root of the container's user namespace; startContainer as the program's user, with its rights"""
    need_container()
    for namespaces in ("pid mount ipc uts network", "pid mount ipc uts network user"):
        config = configuration(place, namespaces=namespaces, user=1000, **{kind: [record(place, kind)] for kind in CHILD})
        config["process"]["noNewPrivileges"] = True
        equal(run(place, config), (0, "started\n", ""))
        outer, inner = (recorded(place, kind)[1] for kind in CHILD)
        equal((outer["uids"], outer["no_new_privs"]), ([0] * 3, 0))
        ok(int(outer["caps"]["effective"], 16), "no capabilities before pivot_root")
        equal((inner["uids"], inner["no_new_privs"]), ([1000] * 3, 1))
        equal({int(some, 16) for some in inner["caps"].values()}, {0})
        forget(place)


def before_pivot(place):
    """createContainer sees the host and the container's mounts: one that it makes in the root file system is there later"""
    need_container()
    script = 'grep -q " $PWD/proc " /proc/self/mountinfo && mount -t tmpfs made $PWD/log'
    config = configuration(place, "grep -c ' /log .* made' /proc/self/mountinfo",
                           createContainer=[hook(place, "createContainer", script)])
    equal(run(place, config), (0, "1\n", ""))


def show(place):
    """A hook that writes down its environment and command line, as they are, and where."""
    seen = place.data + "/seen"
    program = place.file("show", "#!%s\nimport sys\nsys.stdin.read()\nwith open(%r, 'wb') as to:\n"
                         "    for name in 'environ', 'cmdline':\n"
                         "        to.write(open('/proc/self/' + name, 'rb').read() + b'|')\n"
                         % (sys.executable, seen))
    os.chmod(program, 0o755)
    return program, seen


def strings(place):
    """args and env as given: each byte, the order, doubles, what is no assignment; without env there is none"""
    need_container()
    program, seen = show(place)
    nothing = {"args": [program], "env": []}
    given = {"args": ["x y", "", "\u00e9\n"], "env": ["A=1 2", "B=", "A=3", "bare", "", "C=\u4e2d"]}
    for more, wanted in ((given, given), ({}, nothing), ({"args": [], "env": []}, nothing),
                         ({"args": None, "env": None, "timeout": None}, nothing)):
        config = configuration(place, createRuntime=[{"path": program, **more}], poststart=None)
        equal(run(place, config), (0, "started\n", ""))
        with open(seen, "rb") as file:
            environ, cmdline, _ = file.read().decode().split("|")
        equal(environ, "".join(text + "\0" for text in wanted["env"]))
        # For a script, the kernel puts the interpreter and the path in the place of args[0].
        equal(cmdline.split("\0")[2:-1], wanted["args"][1:])
        os.remove(seen)
    # The very first is its own as well: this program is what it is called.
    config = configuration(place, createRuntime=[{"path": place.rootfs + "/bin/busybox", "args": ["true"]}])
    equal(run(place, config), (0, "started\n", ""))


def large_state(place):
    """a state larger than any pipe: for a hook that reads it, for one that reads a part, for one that never does"""
    need_container()
    config = configuration(place, createRuntime=[hook(place, "createRuntime", "sleep 30", timeout=1)])
    config["annotations"] = {"large": "x" * 300000}
    contains(run(place, config).err, "timeout of 1 s")
    for script in ("cat >$LOG/$0.state", "head -c 10 >$LOG/part", "true", "sleep 0.2", "exec <&-; sleep 0.1"):
        for kind in KINDS:
            config = configuration(place, PATIENT if kind == "poststart" else PROGRAM,
                                   **{kind: [hook(place, kind, script + "; echo poststart >>$LOG/order", timeout=5)]})
            config["annotations"] = {"large": "x" * 300000}
            equal(run(place, config), (0, "started\n", ""))
            if script.startswith("cat"):
                with open(log(place) + "/hook.state", encoding="utf-8") as file:
                    equal(json.load(file)["annotations"], config["annotations"])
            forget(place)


def daemon(place):
    """what a hook leaves behind that ended well goes on, and holds up nothing, though it has the hook's output"""
    need_container()
    number = unique()
    config = configuration(place, createRuntime=[hook(place, "createRuntime", "sleep %d & exit 0" % number)])
    equal(run(place, config), (0, "started\n", ""))
    # On a busy machine the container can be over before the shell's child is the program.
    end = time.monotonic() + tool.TIMEOUT
    while not sleepers(number) and time.monotonic() < end:
        time.sleep(0.01)
    left = sleepers(number)
    equal(len(left), 1)
    os.kill(left[0], signal.SIGKILL)


def closed_streams(place):
    """a hook that closes its streams, and is waited for all the same"""
    need_container()
    script = "exec <&- >&- 2>&-; sleep 0.2; echo late >>$LOG/order"
    for kind in KINDS:
        config = configuration(place, "cat /log/order; echo poststart >>/log/order; sleep 0.3",
                               **{kind: [hook(place, kind, script)]})
        result = run(place, config)
        equal((result.code, result.err, "late" in order(place)), (0, "", True))
        if kind not in ("poststart", "poststop"):
            equal(result.out, "late\n")
        forget(place)


def parent_alone(place):
    """`syncdemo parent` runs its kinds, each once, and no poststop; a child that asks for them twice gets nothing by it"""
    need_container()
    config = configuration(place, **{kind: [record(place, kind)] for kind in KINDS})
    parent = [*OUR_PARENT, "--bundle", place.write(config)]
    warning = "syncdemo: warning: config.json: hooks.poststop: left to whoever sees the container's end\n"
    child, served = converse([*PEER_CHILD], parent)
    equal((child.code, served), (0, (0, "", warning)))
    equal(order(place), ["prestart", "createRuntime", "poststart"])
    equal({recorded(place, kind)[0]["id"] for kind in order(place)}, {"bundle"})
    forget(place)
    child, served = converse([*PEER_CHILD, "--script", place.file("script", "hooks\nhooks\nready\n")], parent)
    equal((served.code, order(place)), (1, ["prestart", "createRuntime", "poststop"]))
    contains(tool.one_line(served.err), "procHooks out of order")
    forget(place)
    script = place.file("script", "raw b'{\"type\":\"procHooks\",\"flags\":0}'\n" * 9)
    child, served = converse([*PEER_CHILD, "--script", script], parent)
    # The second may be read while a hook runs, and ends it then.
    ran = [name for name in order(place) if name != "poststop"]
    equal((served.code, ran), (1, ["prestart", "createRuntime"][:len(ran)]))


def ignored_children(place):
    """both halves alone, by a caller that ignores SIGCHLD: a hook's end is seen all the same"""
    need_container()
    ignoring = [sys.executable, "-c", "import os, signal, sys\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
                "os.execvp(sys.argv[1], sys.argv[1:])"]
    kinds = ("createRuntime", "startContainer")
    bundle = place.write(configuration(place, **{kind: [record(place, kind)] for kind in kinds}))
    child, served = converse([*ignoring, *OUR_INIT, "--bundle", bundle], [*ignoring, *OUR_PARENT, "--bundle", bundle])
    equal((child, served, order(place)), ((0, "started\n", ""), (0, "", ""), [*kinds, "program"]))


def strange_path(place):
    """a bundle whose path is no UTF-8: without hooks it runs, with one the state could not be told"""
    need_container()
    strange = os.fsencode(place.path) + b"/\xff"
    config = configuration(place)
    place.write(config)
    os.rename(place.bundle, strange)
    where = os.fsdecode(strange)
    equal(tool.run("run", "--bundle", where, "box"), (0, "started\n", ""))
    config["hooks"] = {"createRuntime": [{"path": "/bin/true"}]}
    with open(where + "/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    result = tool.run("run", "--bundle", where, "box")
    equal((result.code, result.out), (1, ""))
    contains(tool.one_line(result.err), "hooks.createRuntime[0]: ", "/\\xff: no UTF-8")


def init_alone(place):
    """`syncdemo init` runs its kinds, with another's parent"""
    need_container()
    config = configuration(place, **{kind: [record(place, kind)] for kind in KINDS})
    child, served = converse([*OUR_INIT, "--bundle", place.write(config)], [*PEER_PARENT])
    equal((child, served.code), ((0, "started\n", ""), 0))
    equal(order(place), [*CHILD, "program"])
    state, _ = recorded(place, "startContainer")
    ok(state["pid"] > 1, "no PID namespace, and yet %r" % state)
    equal((state["id"], state["status"]), ("bundle", "created"))


# Whose descriptors above these are the program's, are init's.
REACH = "reach() { for fd in /proc/1/fd/[3-9]; do (echo reached $fd >$fd) 2>/dev/null && echo $fd; done; }; "


def image_reaches_nothing(place):
    """a program of the image has neither the runtime's terminal nor the conversation: as a hook, nor left behind by one"""
    need_container()
    later = ("(while [ $(cut -c 3-10 /proc/1/stat) = '(syncdem' ]; do reach; done) >>$LOG/left 2>/dev/null &"
             " while [ ! -e $LOG/left ]; do sleep 0.01; done")
    config = configuration(place, "echo program", startContainer=[
        hook(place, "startContainer", REACH + "reach >$LOG/reached; " + later)])
    config["mounts"] += [DEV, PTS]
    config["process"]["terminal"] = True
    with terminal.terminal() as here:
        here.start([tool.TOOL, "run", "--bundle", place.write(config), "box"])
        equal(here.wait(), 0)
        equal(here.rest(), "program\r\n")
    for name in ("reached", "left"):
        with open(log(place) + "/" + name, encoding="ascii") as file:
            equal((name, file.read()), (name, ""))


def ordinary_user(place):
    """as an ordinary user, all six kinds"""
    config = configuration(place, PATIENT, **{kind: [record(place, kind)] for kind in KINDS})
    uid, gid = (65533, 65533) if tool.ROOT else (os.getuid(), os.getgid())
    config["linux"]["namespaces"].append({"type": "user"})
    config["linux"].update(uidMappings=tool.extents("0:%d:1" % uid), gidMappings=tool.extents("0:%d:1" % gid))
    program, environment = tool.copy_tool(place)
    for path, _, _ in os.walk(place.bundle):
        os.chown(path, uid, gid)
    result = run(place, config, command=program, preexec_fn=tool.ordinary_user, env=environment)
    if "clone3: Operation not permitted" in result.err:
        raise Skip("no user namespaces here: " + tool.one_line(result.err))
    equal(result, (0, "started\n", ""))
    equal(sorted(order(place)), sorted([*KINDS, "program"]))
    for kind in KINDS:
        equal(recorded(place, kind)[1]["uids"], [0 if kind in CHILD else uid] * 3)


def waits(place):
    """the container waits for a slow hook"""
    need_container()
    script = "echo slow >>$LOG/order; sleep 1; echo done >>$LOG/order"
    process = start(place, configuration(place, createRuntime=[hook(place, "createRuntime", script)]))
    wait_for(lambda: order(place) == ["slow"], "hook")
    equal(process.poll(), None)
    equal((tool.finish(process), order(place)), ((0, "started\n", ""), ["slow", "done", "program"]))


TESTS = [all_kinds, surroundings, rights, before_pivot, strings, large_state, daemon, closed_streams, parent_alone,
         ignored_children, strange_path, init_alone, image_reaches_nothing,
         ordinary_user, waits]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
