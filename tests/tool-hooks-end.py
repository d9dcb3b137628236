# SPDX-License-Identifier: MIT
"""Hooks whose caller, container or peer ends, or gets a signal, while they run. Prints TAP."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import need_container
from hooks import (KINDS, LASTING, PROGRAM, SAY, WITHOUT_PID, configuration, forget, grandchildren, hook, order, run,
                   sleepers, start, unique)
from processes import alive, children, wait_for
from tool import OUR_INIT, OUR_PARENT, PEER_CHILD, PEER_PARENT, contains, equal, one_line

PID = "sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/'"     # out of the state
AFTER = SAY + "kill -0 $(cat $LOG/pid) && echo before >>$LOG/order; true"       # of a poststop hook: no other still runs


def hanging(place, kind, namespaces=WITHOUT_PID):
    """A run whose hook of that kind has begun to hang; the number by which its tree is known."""
    number = unique()
    script = "%s echo $$ >$LOG/pid; %s sleep %d" % (grandchildren(number), SAY, number)
    config = configuration(place, LASTING if kind == "poststart" else PROGRAM, **{kind: [hook(place, kind, script)]})
    config["linux"]["namespaces"] = [{"type": name} for name in namespaces.split()]
    place.file("bundle/rootfs/dev/null")
    process = start(place, config, start_new_session=True)
    wait_for(lambda: "hook" in order(place) and len(sleepers(number)) == 6, "hanging hook of kind " + kind)
    return process, number


def terminated(place):
    """SIGTERM to run ends a hook that has no timeout, and what is there of the container; so it does for poststop"""
    need_container()
    for kind in KINDS:
        process, number = hanging(place, kind)
        process.terminate()
        result = tool.finish(process)
        wait_for(lambda: not sleepers(number), "end of the tree")
        if kind == "poststop":
            equal((result.code, result.out), (0, "started\n"))
            equal(one_line(result.err), "warning: config.json: hooks.poststop[0]: killed: signal 15")
        else:
            equal((result.code, result.err), (128 + signal.SIGTERM, ""))


def caller_killed(place):
    """SIGKILL of run, or of its whole process group, ends the hook of each kind, with its tree"""
    need_container()
    for kind in KINDS:
        for namespaces, kill in ((WITHOUT_PID, os.killpg), (WITHOUT_PID, os.kill), ("pid " + WITHOUT_PID, os.kill)):
            process, number = hanging(place, kind, namespaces=namespaces)
            kill(process.pid, signal.SIGKILL)
            process.communicate(timeout=tool.TIMEOUT)
            wait_for(lambda some=number: not sleepers(some), "end of the tree of " + kind)


def tree(pid):
    """The seconds that somebody below @pid sleeps."""
    with open("/proc/%d/cmdline" % pid, "rb") as file:
        words = file.read().split(b"\0")
    return {int(words[1])} if words[0] == b"sleep" else set().union(*map(tree, children(pid)))


def keeper_killed(place):
    """whoever kills the process between us and the hook has made the hook fail"""
    need_container()
    for kind in ("createRuntime", "createContainer", "poststart"):
        process, number = hanging(place, kind)
        above = process.pid
        if kind == "createContainer":   # without a PID namespace somebody else stands between run and the container
            for _ in range(2):
                above = next(pid for pid in children(above) if children(pid))
        keeper = [pid for pid in children(above) if number in tree(pid)]
        equal(len(keeper), 1)
        for harmless in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE, signal.SIGIO):
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
        script = "echo $$ >$LOG/pid; %s | xargs kill -9; %s exec sleep %d" % (PID, SAY, number)
        result = run(place, configuration(place, **{kind: [hook(place, kind, script), hook(place, kind, SAY, "second")],
                                                    "poststop": [hook(place, "poststop", AFTER, "poststop")]}))
        equal((result.code, result.out), (1, ""))
        contains(one_line(result.err), "procHooks", "signal 9")
        equal((sleepers(number), "second" in order(place), order(place)[-1]), ([], False, "poststop"))
        forget(place)


def program_ends(place):
    """a program that ends before its poststart hook has: its status counts, and its number is its own until then"""
    need_container()
    script = "cat >$LOG/told; sleep 0.5; ls -d /proc/$(%s $LOG/told); echo $? >>$LOG/order" % PID
    config = configuration(place, "exit 9",
                           poststart=[hook(place, "poststart", script), hook(place, "poststart", SAY, "second")])
    equal((run(place, config), order(place)), ((9, "", ""), ["0", "second"]))


def parent_killed(place):
    """`syncdemo parent` killed, and its child killed, while a hook runs"""
    need_container()
    for victim in range(2):
        number = unique()
        script = "echo $$ >$LOG/pid; exec sleep %d" % number
        bundle = place.write(configuration(place, createRuntime=[hook(place, "createRuntime", script)],
                                           poststop=[hook(place, "poststop", AFTER, "poststop")]))
        with tool.pair() as (ours, theirs):
            kid = tool.start([part.format(fd=theirs.fileno()) for part in PEER_CHILD], [theirs.fileno()],
                             preexec_fn=tool.unshare)
            server = tool.start([*(part.format(fd=ours.fileno(), pid=kid.pid) for part in OUR_PARENT), "--bundle", bundle],
                                [ours.fileno()])
        wait_for(lambda some=number: sleepers(some), "hook")
        (server, kid)[victim].kill()
        results = [tool.finish(server), tool.finish(kid)]
        wait_for(lambda some=number: not sleepers(some), "end of the hook")
        equal([result.code for result in results], [1, -9] if victim else [-9, 4])
        equal(order(place), ["poststop"] if victim else [])


def init_loses_parent(place):
    """`syncdemo init` whose parent ends, or says so, while its hook runs: the hook ends, the program does not start"""
    need_container()
    for kind in ("createContainer", "startContainer"):
        number = unique()
        bundle = place.write(configuration(place, **{kind: [hook(place, kind, SAY + "sleep %d" % number)]}))
        with tool.pair() as (ours, theirs):
            kid = tool.start([part.format(fd=theirs.fileno()) for part in [*OUR_INIT, "--bundle", bundle]],
                             [theirs.fileno()], preexec_fn=tool.unshare)
            server = tool.start([part.format(fd=ours.fileno(), pid=kid.pid) for part in PEER_PARENT], [ours.fileno()])
        wait_for(lambda some=number: sleepers(some), "hook")
        server.kill()
        tool.finish(server)
        result = tool.finish(kid)
        equal((result.code, result.out, sleepers(number)), (1, "", []))
        contains(one_line(result.err), "hooks.%s[0]: killed: the runtime has ended the conversation" % kind)


TESTS = [terminated, caller_killed, keeper_killed, signals_for_the_container, container_dies, program_ends, parent_killed,
         init_loses_parent]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
