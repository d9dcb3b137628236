# SPDX-License-Identifier: MIT
"""`syncdemo parent`: our parent half with the child half in Python.

Prints TAP.
"""
import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from tool import (OUR_PARENT, PEER_CHILD, bind, contains, converse, equal, mount, need_idmap,
                  need_root, ok, one_line)

MAP = "0:100000:65536"


def request(source, flags=4096, maps=None, recursive=False, destination="/mnt"):
    """procMountPlease's arg."""
    mount_please = {"source": source, "destination": destination, "device": "bind", "flags": flags}
    if maps:
        extents = [dict(zip(("container_id", "host_id", "size"), map(int, extent.split(":"))))
                   for extent in maps.split(",")]
        mount_please["id_mapping"] = {"uid_mappings": extents, "gid_mappings": extents}
        if recursive:
            mount_please["id_mapping"]["recursive"] = True
    return "mount " + json.dumps(mount_please, separators=(",", ":"))


def serve(place, script, *parent, child=(), preexec=None, watch=()):
    """The child plays the script; results of both."""
    if preexec is None and tool.ROOT:
        preexec = tool.unshare
    file = place.file("script", "\n".join(script) + "\n")
    return converse([*PEER_CHILD, "--script", file, *child], [*watch, *OUR_PARENT, *parent], preexec=preexec)


def both_fine(result):
    child, parent = result
    equal((child.code, child.err), (0, ""))
    equal(parent, (0, "", ""))
    return child.out


def refused(result, *parts):
    """The conversation ended with the same cause on both sides."""
    child, parent = result
    equal((parent.code, parent.out), (1, ""))
    contains(one_line(parent.err), *parts)
    # A child that broke the protocol may be dead before it could read why.
    if child.code != -signal.SIGKILL:
        equal(child.code, 3)
        contains(child.err, *parts)


def answer(source, owner, form="open_tree"):
    return "mount %s type=%s st_uid=%d st_gid=%d\n" % (source, form, *owner)


def bundle(place, *entries, **changes):
    """A bundle with these mounts as allow-list."""
    place.write(dict({"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "mounts": list(entries)}, **changes))
    return ["--bundle", place.bundle]


# ---- what is served ----------------------------------------------------------

def no_mounts(place):
    """hooks and ready need no bundle and no root"""
    equal(both_fine(serve(place, ["hooks", "ready"])), "")
    equal(both_fine(serve(place, ["ready"])), "")


def any_mount(place):
    """--allow-any-mount, plain and id-mapped, both generations of the wire"""
    need_idmap(place)
    for generation in ("1.2", "1.4"):
        out = both_fine(serve(place, ["mount " + place.data, request(place.data, maps=MAP), "hooks", "ready"],
                              "--allow-any-mount", child=["--generation", generation]))
        equal(out, answer(place.data, (0, 0)) + answer(place.data, (100000, 100000)))


def listed(place):
    """a bundle's binds, each once"""
    need_idmap(place)
    entries = [bind("../data", "/a"), bind(place.data, "/b", "bind", "idmap", uids=MAP),
               bind(place.data, "/c", "rbind", "ridmap", uids="0:200000:65536"),
               bind(place.data, "/d", "bind", "idmap", uids=MAP), {"destination": "/proc", "type": "proc", "source": "proc"},
               bind(place.data, "/e", "rbind", "nosymfollow", "rro")]
    script = [request(place.data), request(place.data, maps=MAP), request(place.data, maps=MAP),
              request(place.data, 4096 + 16384, "0:200000:65536", True), request(place.data, 4096 + 16384),
              "hooks", "ready"]
    out = both_fine(serve(place, script, *bundle(place, *entries)))
    equal(out, answer(place.data, (0, 0)) + 2 * answer(place.data, (100000, 100000)) +
          answer(place.data, (200000, 200000)) + answer(place.data, (0, 0)))


def not_listed(place):
    """what the bundle does not have is refused: source, map, recursion, a second time"""
    need_idmap(place)
    other = place.file("other/")
    parent = bundle(place, bind(place.data, "/a", "bind", "idmap", uids=MAP), bind(place.data, "/b"))
    for script in ([request(other)], [request(place.data + "/")], [request("/etc")], [request(place.data, 4096 + 16384)],
                   [request(place.data, maps="0:100001:65536")], [request(place.data, maps="0:100000:65535")],
                   [request(place.data, maps="1:100000:65535")], [request(place.data, maps="0:0:1")],
                   [request(place.data, maps=MAP, recursive=True)], [request(place.data, 4096 + 16384, MAP)],
                   [request(place.data), request(place.data)], [request(place.data, maps=MAP)] * 2):
        refused(serve(place, script + ["ready"], *parent), place.data if "data" in script[-1] else "")
    # Nothing was listed at all.
    refused(serve(place, [request(place.data), "ready"]), place.data)


def in_root(place):
    """a source below the root file system is looked for inside it"""
    need_root("join a mount namespace")
    outside = place.file("outside/", owner=(1, 1))
    os.symlink(outside, place.rootfs + "/link")
    image = place.file("bundle/rootfs" + outside + "/", owner=(5, 6))
    ok(image.startswith(place.rootfs), image)
    source = place.rootfs + "/link"
    equal(both_fine(serve(place, [request(source), "ready"], *bundle(place, bind("rootfs/link", "/a")))),
          answer(source, (5, 6)))


def container_namespace(place):
    """a source over which the child has mounted something else"""
    need_root("join a mount namespace")
    own = place.file("own/")

    def own_mount():
        tool.unshare()
        mount("tmpfs", own, "tmpfs")
        os.chown(own, 11, 12)

    refused(serve(place, [request(own), "ready"], *bundle(place, bind(own, "/a")), preexec=own_mount),
            own + " is not what the runtime sees there")
    equal(both_fine(serve(place, [request(own), "ready"], "--allow-any-mount", preexec=own_mount)), answer(own, (11, 12)))
    equal(os.stat(own).st_uid, 0)


def sent_ahead(place):
    """many requests at once, small buffers, a slow child"""
    need_root("join a mount namespace")
    script = ["mounts 64 " + request(place.data)[len("mount "):], "hooks", "ready"]
    for child in ([], ["--sndbuf-min"]):
        equal(both_fine(serve(place, script, "--allow-any-mount", child=child)), 64 * answer(place.data, (0, 0)))
    equal(both_fine(serve(place, [request(place.data), "hooks", "ready"], "--allow-any-mount", child=["--delay", "100"])),
          answer(place.data, (0, 0)))


def traced(place):
    """under strace"""
    need_root("join a mount namespace")
    watch = tool.strace("-o", place.path + "/strace.out")
    equal(both_fine(serve(place, [request(place.data), "hooks", "ready"], "--allow-any-mount", watch=watch)),
          answer(place.data, (0, 0)))


def no_waiting(place):
    """ends when the child executes its program, and leaves that alone"""
    file = place.file("script", "hooks\nready\nexec sleep 60\n")
    with tool.pair() as (ours, theirs):
        child = tool.start([part.format(fd=theirs.fileno()) for part in [*PEER_CHILD, "--script", file]],
                           [theirs.fileno()])
        parent = tool.start([part.format(fd=ours.fileno(), pid=child.pid) for part in OUR_PARENT], [ours.fileno()])
    try:
        equal(tool.finish(parent), (0, "", ""))
        equal(child.poll(), None)
    finally:
        child.kill()
        child.communicate()


# ---- what is not --------------------------------------------------------------

def seccomp(place):
    """procSeccomp"""
    refused(serve(place, ["ready", "seccomp 8"]), "procSeccomp")


def child_error(place):
    """the child's words, fit for a terminal"""
    _, parent = serve(place, ["error it \x1b[31mbroke", "sleep 0.1"])
    equal((parent.code, parent.out), (1, ""))
    contains(one_line(parent.err), "it \\x1b[31mbroke")


def wrong_order(place):
    """messages out of order, and what is no message"""
    for script in (["hooks", "hooks"], ["ready", "hooks"], ["ready", request("/etc")], ["raw b'nonsense'"],
                   ["raw b''", "expect procRun"]):
        _, parent = serve(place, script)
        equal((parent.code, parent.out), (1, ""))
        one_line(parent.err)


def dead_child(place):
    """a child that dies, or goes without a word"""
    with tool.pair() as (ours, theirs):
        child = tool.start(["sleep", "60"], [theirs.fileno()])
        theirs.close()
        parent = tool.start([part.format(fd=ours.fileno(), pid=child.pid) for part in OUR_PARENT], [ours.fileno()])
        time.sleep(0.1)
        child.kill()
    result = tool.finish(parent)
    child.communicate()
    equal((result.code, result.out), (1, ""))
    # From Linux 6.15 on the status of another's child is known, too.
    contains(one_line(result.err), "child")
    _, parent = serve(place, ["hooks", "exit 7"])
    equal((parent.code, parent.out), (1, ""))
    contains(one_line(parent.err), "child")


def time_limit(place):
    """--timeout"""
    begin = time.monotonic()
    _, parent = serve(place, ["sleep 30"], "--timeout", "1")
    took = time.monotonic() - begin
    equal((parent.code, parent.out), (1, ""))
    one_line(parent.err)
    ok(1 <= took < 1 + 3 * tool.PATIENCE, "took %.1f s" % took)


def bad_bundles(place):
    """what is wrong in the parent's half of a bundle, or not supported yet"""
    for changes, line in (({"hooks": {"poststart": [{"path": "/bin/true", "timeout": 0}]}},
                           "hooks.poststart[0].timeout: expected 1 to 2147483647 seconds"),
                          ({"annotations": {"a": 1}}, "annotations.a: expected a string, not an integer"),
                          ({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": 1}}},
                           "linux.seccomp.listenerPath: expected a string, not an integer")):
        _, parent = serve(place, ["hooks", "ready"], *bundle(place, **changes))
        equal(parent, (1, "", "syncdemo: config.json: %s\n" % line))
    _, parent = serve(place, ["hooks", "ready"], *bundle(place, linux={"resources": {"memory": {}}}, hooks={"prestart": []}))
    equal(parent, (0, "", ""))


def alone(fd, pid):
    """The parent without a child."""
    fds = [fd] if os.path.exists("/proc/self/fd/%d" % fd) else []
    return tool.finish(tool.start([part.format(fd=fd, pid=pid) for part in OUR_PARENT], fds))


def no_such_child(place):
    """a PID that is none, a descriptor that is none"""
    process = subprocess.Popen(["true"])
    process.wait()
    with tool.pair() as (ours, _):
        result = alone(ours.fileno(), process.pid)
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "--pid %d" % process.pid, "pidfd_open", "No such process")
    result = alone(77, os.getpid())
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "--sync-fd 77", "Bad file descriptor")
    with open(place.data + "/file", encoding="utf-8") as file:
        result = alone(file.fileno(), os.getpid())
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "socket")


# ---- how it tells --------------------------------------------------------------

def trace(place):
    """--trace and --trace=FILE"""
    child, parent = serve(place, ["hooks", "ready"], "--trace")
    equal((child.code, parent.code, parent.out), (0, 0, ""))
    contains(parent.err, "procHooks", "procHooksDone", "procReady", "procRun")
    file = place.path + "/trace"
    equal(both_fine(serve(place, ["hooks", "ready"], "--trace=" + file)), "")
    with open(file, encoding="utf-8") as lines:
        types = [json.loads(line).get("type") for line in lines]
    equal([name for name in types if name], ["procHooks", "procHooksDone", "procReady", "procRun"])
    _, parent = serve(place, ["hooks", "ready"], "--trace=" + place.path + "/none/trace")
    equal((parent.code, parent.err), (1, "syncdemo: %s/none/trace: open: No such file or directory\n" % place.path))


def closed_streams(place):
    """without standard streams"""
    need_root("join a mount namespace")
    close = ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"]
    equal(both_fine(serve(place, [request(place.data), "hooks", "ready"], "--allow-any-mount", watch=close)),
          answer(place.data, (0, 0)))


TESTS = [no_mounts, any_mount, listed, not_listed, in_root, container_namespace, sent_ahead, traced, no_waiting, seccomp,
         child_error, wrong_order, dead_child, time_limit, bad_bundles, no_such_child, trace, closed_streams]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
