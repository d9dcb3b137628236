# SPDX-License-Identifier: MIT
"""`syncdemo run` as an ordinary user: what works, with subordinate ids and without, and what is refused by name.

As root, the tests become user 65533, with files of their own in place of /etc/passwd, /etc/subuid and /etc/subgid. An
ordinary user has those that are there. Prints TAP.
"""
import contextlib
import json
import os
import pwd
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tool
from container import DEV, PROC, PTS, configure, entry
from tool import MS_BIND, Skip, bind, checked, contains, equal, extents, libc, mount, ok, one_line

BUNDLES = os.path.join(tool.SOURCE, "tests", "bundles")
UID, GID = (65533, 65533) if tool.ROOT else (os.getuid(), os.getgid())
FIRST = 2000000         # the subordinate ids of root's tests
PASSWD = "root:x:0:0:root:/root:/bin/sh\nsomebody:x:%d:%d::/:/bin/sh\n" % (UID, GID)
NAMESPACES = "pid mount ipc uts network cgroup user"


# ---- the user ------------------------------------------------------------------------

@contextlib.contextmanager
def files(place, passwd=PASSWD, subuid="somebody:%d:65536\n" % FIRST, subgid=None, others=()):
    """The files of /etc; with None the one that is there. @others: path and content, executable."""
    if not tool.ROOT:
        raise Skip("needs root to change /etc/passwd and /etc/subuid")
    done = []
    try:
        for path, content, mode in (("/etc/passwd", passwd, 0o644), ("/etc/subuid", subuid, 0o644),
                                    ("/etc/subgid", subuid if subgid is None else subgid, 0o644), *others):
            source = place.file("etc/" + os.path.basename(path), content)
            os.chmod(source, mode)
            mount(source, path, flags=MS_BIND)
            done.append(path)
        yield
    finally:
        for path in reversed(done):
            checked(libc.umount2(path.encode(), 2))


@contextlib.contextmanager
def ranges(place):
    """The first range of subordinate ids."""
    if tool.ROOT:
        need_helpers()
        with files(place):
            yield FIRST
        return
    need_helpers()
    first = []
    for path in ("/etc/subuid", "/etc/subgid"):
        with contextlib.suppress(OSError, KeyError), open(path, encoding="ascii") as file:
            names = (pwd.getpwuid(UID).pw_name, str(UID))
            lines = [line.split(":") for line in file]
            first += [int(start) for name, start, count in lines if name in names and int(count) > 999][:1]
    if len(first) < 2 or first[0] != first[1] or pwd.getpwuid(UID).pw_gid != GID:
        raise Skip("user %d has no subordinate ids in /etc/subuid and /etc/subgid, from one number on" % UID)
    if libc.prctl(39, 0, 0, 0, 0) == 1:
        raise Skip("newuidmap cannot work under no_new_privs")
    yield first[0]


def need_helpers():
    if not os.path.exists("/usr/bin/newuidmap") or not os.path.exists("/usr/bin/newgidmap"):
        raise Skip("no newuidmap and newgidmap in /usr/bin")


def need_namespaces():
    pid = os.fork()
    if pid == 0:
        tool.ordinary_user()
        os._exit(libc.unshare(tool.CLONE_NEWUSER) and 1)
    if os.waitpid(pid, 0)[1] != 0:
        raise Skip("no user namespaces for an ordinary user here")


def box(place, script, entries=(PROC,), uids=None, gids=None, namespaces=NAMESPACES, **process):
    config = configure(place, script, entries, namespaces)
    config["process"].update(process)
    if uids is not None:
        config["linux"].update(uidMappings=extents(uids), gidMappings=extents(gids or uids.replace(str(UID), str(GID))))
    return config


def start(place, config, before=lambda: None, options=(), **kwargs):
    def drop():
        tool.ordinary_user()
        before()

    need_namespaces()
    place.write(config)
    program, environment = tool.copy_tool(place)
    if tool.ROOT:
        for path, directories, names in os.walk(place.bundle):
            for name in [".", *directories, *names]:
                os.lchown(os.path.join(path, name), UID, GID)
    os.chmod(place.path, 0o755)
    command = [program, "run", "--bundle", place.bundle, *options, "test"]
    return tool.start(command, preexec_fn=drop, env=environment, **kwargs)


def run(place, config, before=lambda: None, timeout=tool.TIMEOUT, **kwargs):
    return tool.finish(start(place, config, before, **kwargs), timeout)


def fails(place, config, *parts, **kwargs):
    result = run(place, config, **kwargs)
    line = one_line(result.err)
    equal((line, result.code, result.out), (line, 1, ""))
    contains(line, *parts)


OWN = "0:%d:1" % UID
IDS = "id -u; id -g; cat /proc/self/uid_map /proc/self/gid_map"


def table(*parts):
    """uid_map or gid_map, with blanks as the kernel has them."""
    return "".join("%10d %10d %10d\n" % part for part in parts)


# ---- what works ----------------------------------------------------------------------

def single(place):
    """one id, and no helper for it: with a passwd entry or without, under no_new_privs"""
    def no_new_privs():
        libc.prctl(38, 1, 0, 0, 0)

    config = box(place, IDS + "; cat /mnt/file; hostname; touch /made", [PROC, bind(place.data, "/mnt", "rbind", "ro")], OWN)
    config["hostname"] = "mine"
    wanted = "0\n0\n" + table((0, UID, 1)) + table((0, GID, 1)) + "content\nmine\n"
    equal(run(place, config), (0, wanted, ""))
    equal(run(place, config, no_new_privs), (0, wanted, ""))
    info = os.stat(place.rootfs + "/made")
    equal((info.st_uid, info.st_gid), (UID, GID))


def written_by_runc(place):
    """what `runc spec --rootless` writes, as it is but for the terminal, the program and the user"""
    with open(BUNDLES + "/runc-rootless-v2.json", encoding="utf-8") as file:
        config = json.load(file)
    script = "id -u; hostname; ls /dev; echo x >/dev/null; ls -d /sys/kernel; cat /proc/1/comm; true"
    config["process"].update(box(place, script)["process"] | {"terminal": False, "args": ["/bin/sh", "-c", script]})
    for key, number in (("uidMappings", UID), ("gidMappings", GID)):
        config["linux"][key][0]["hostID"] = number
    result = run(place, config)
    equal((result.code, result.err), (0, ""))
    contains(result.out, "0\n%s\n" % config["hostname"], "\nnull\n", "\nzero\n", "\n/sys/kernel\nsh\n")


def written_by_crun(place):
    """what `crun spec --rootless` writes, which has no maps: root inside is the user, the others are the subordinate ids"""
    with open(BUNDLES + "/rootless/crun-v2.json", encoding="utf-8") as file:
        config = json.load(file)
    config["process"].update(terminal=False, args=["/bin/sh", "-c", IDS + "; cat /proc/1/comm; ls /dev/null"],
                             env=["PATH=/bin"])
    box(place, "")
    with ranges(place) as first:
        result = run(place, config)
        equal((result.code, "".join(result.err.splitlines()[1:])), (0, ""))
        contains(result.err, "linux.resources: cgroups are not managed\n")
        lines = [line.split() for line in result.out.splitlines()]
        equal(lines[:4], [["0"], ["0"], ["0", str(UID), "1"], ["1", str(first), lines[3][2]]])
        equal(lines[-2:], [["sh"], ["/dev/null"]])


def default_maps(place):
    """without maps: process.user is the user, whoever that is, and the others are the subordinate ids"""
    with ranges(place) as first:
        for uid in (0, 1, 1000):
            config = box(place, IDS + "; touch /made-%d" % uid, user={"uid": uid, "gid": uid + 1})
            result = run(place, config)
            equal((result.code, result.err), (0, ""))
            lines = [line.split() for line in result.out.splitlines()]
            ok([str(uid), str(UID), "1"] in lines and [str(uid + 1), str(GID), "1"] in lines, lines)
            ok(uid == 0 or ["0", str(first), str(uid)] in lines, lines)
            info = os.stat(place.rootfs + "/made-%d" % uid)
            equal((info.st_uid, info.st_gid), (UID, GID))


def default_map_single(place):
    """the same without subordinate ids: one id alone, and a word about it"""
    with files(place, subuid=""):
        for uid in (0, 1000):
            config = box(place, IDS + "; touch /mine-%d; echo x >/dev/null" % uid, [PROC, DEV],
                         user={"uid": uid, "gid": uid})
            equal(run(place, config), (0, "%d\n%d\n" % (uid, uid) + table((uid, UID, 1)) + table((uid, GID, 1)),
                                       "syncdemo: warning: the container has one user and one group: "
                                       "/etc/subuid has no ids for somebody\n"))


def several_ids(place):
    """subordinate ids as config.json has them; a user of the container; what it makes belongs to it outside, too"""
    with ranges(place) as first:
        script = "id -u; id -g; id -G; cat /proc/self/uid_map; touch /tmp/made; stat -c %u:%g /tmp/made"
        config = box(place, script, uids="0:%d:1,1:%d:500,1000:%d:9" % (UID, first, first + 500),
                     user={"uid": 1003, "gid": 7, "additionalGids": [1001]})
        os.chmod(place.file("bundle/rootfs/tmp/"), 0o777)
        equal(run(place, config), (0, "1003\n7\n7 1001\n" + table((0, UID, 1), (1, first, 500), (1000, first + 500, 9)) +
                                   "1003:7\n", ""))
        info = os.stat(place.rootfs + "/tmp/made")
        equal((info.st_uid, info.st_gid), (first + 503, first + 6))


def mapped_mount(place):
    """an id-mapped bind of a tmpfs, as far as the kernel goes; of the host's file system it is refused"""
    with ranges(place) as first:
        uids = "0:%d:1,1:%d:500" % (UID, first)
        mapped = bind(place.rootfs + "/there", "/mapped", "bind", "idmap", uids="0:%d:1,1:%d:1" % (first + 4, first + 5))
        config = box(place, "stat -c %u:%g /there /mapped; touch /mapped/x && stat -c %u:%g /there/x /mapped/x",
                     user={"uid": 5, "gid": 5}, entries=[PROC, entry("/there", "tmpfs", "mode=0755"), mapped], uids=uids)
        result = run(place, config)
        if tool.linux_is_at_least(6, 3):
            equal((result.code, result.err), (0, ""))
            equal(result.out.splitlines(), ["0:0", "5:5", "0:0", "5:5"])
        else:
            equal((result.code, result.out), (1, ""))
            contains(one_line(result.err), "mounts[2]", place.rootfs + "/there", "takes no id mapping")
        config["mounts"] = [PROC, bind(place.data, "/mapped", "bind", "idmap", uids="0:%d:1" % (first + 4))]
        if tool.ROOT:
            fails(place, config, "config.json: mounts[1]: ", place.data, "Operation not permitted")


def oom_score(place):
    """oomScoreAdj, which is made worse: with one id and with more"""
    config = box(place, "cat /proc/self/oom_score_adj", uids=OWN, oomScoreAdj=500)
    equal(run(place, config), (0, "500\n", ""))
    with ranges(place) as first:
        config = box(place, "cat /proc/self/oom_score_adj", uids="0:%d:1,1:%d:500" % (UID, first), oomScoreAdj=500)
        equal(run(place, config), (0, "500\n", ""))


def signalled(place):
    """signals, the exit status, the PID file, SIGKILL: as for root"""
    config = box(place, "trap 'exit 9' TERM; echo ready; while true; do sleep 0.02; done", uids=OWN)
    process = start(place, config)
    equal(process.stdout.readline(), "ready\n")
    process.send_signal(signal.SIGTERM)
    equal(tool.finish(process), (9, "", ""))
    os.chmod(place.file("pids/"), 0o777)
    process = start(place, config, options=["--pid-file", place.path + "/pids/pid"])
    equal(process.stdout.readline(), "ready\n")
    with open(place.path + "/pids/pid", encoding="ascii") as file:
        pid = int(file.read())
    process.kill()
    process.communicate()
    end = time.monotonic() + tool.TIMEOUT
    while os.path.exists("/proc/%d" % pid) and open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] != "Z":
        ok(time.monotonic() < end, "it lives")
        time.sleep(0.01)


# ---- what does not ---------------------------------------------------------------------

def maps_refused(place):
    """maps that cannot be: which, by its path, and why; before anything is started"""
    need_helpers()

    def no_new_privs():
        libc.prctl(38, 1, 0, 0, 0)

    def other_group():
        os.setresgid(65532, 65532, 65532)

    def change_group():
        os.setgroups([])
        os.setresgid(65532, 65532, 65532)
        os.setresuid(UID, UID, UID)

    more = box(place, "echo started", uids="0:%d:1,1:%d:100" % (UID, FIRST))
    path = "config.json: linux.uidMappings[1]: 100 ids from %d on: " % FIRST
    alone = path + "only %d, the own one, can be mapped here: " % UID
    for changed, text in (
            ({"subuid": "somebody:%d:99\n" % FIRST}, path + "neither the own one nor in /etc/subuid for user %d" % UID),
            ({"subuid": "other:%d:200\n%d:%d:9\n" % (FIRST, UID, FIRST)}, path + "neither"),
            ({"subuid": "somebody:%d:-1\nsomebody\nsomebody:%d\n:::\nsomebody: %d:100\n\0\n" % (FIRST, FIRST, FIRST)},
             alone + "/etc/subuid has no ids for somebody"),
            ({"subgid": "\n"}, alone + "/etc/subgid has no ids for somebody"),
            ({"subgid": "somebody:%d:1\n" % FIRST}, path.replace("uid", "gid") + "neither the own one nor in /etc/subgid"),
            ({"passwd": "root:x:0:0::/:/bin/sh\n"}, alone + "newuidmap needs an entry of user %d in /etc/passwd" % UID)):
        with files(place, **changed):
            fails(place, more, text)
    with files(place):
        fails(place, more, alone + "newuidmap cannot work under no_new_privs", before=no_new_privs)
        mapped = box(place, "echo started", [PROC, bind(place.data, "/mnt", uids="0:1:1")], uids=OWN)
        fails(place, mapped, "config.json: mounts[1].uidMappings[0]: 1 ids from 1 on: neither")
    with files(place, passwd=PASSWD.replace(":%d::" % GID, ":7::")):
        fails(place, more, alone + "newuidmap needs the group that /etc/passwd has for somebody, 7, not %d" % GID)
    with files(place, subuid="%d:%d:60\nsomebody:%d:40\n" % (UID, FIRST + 40, FIRST)):
        equal(run(place, more), (0, "started\n", ""))


def adjacent(place):
    """the own id between two ranges of subordinate ones: newuidmap takes it alone only"""
    need_helpers()
    below = "somebody:%d:100\n" % (UID - 100)
    for lines in (below, "somebody:%d:100\n" % (UID + 1), below + "somebody:%d:100\n" % (UID + 1)):
        with files(place, subuid=lines):
            equal(run(place, box(place, "id -u")), (0, "0\n", ""))


def helper_fails(place):
    """a newuidmap that is not there, fails, or does not end"""
    need_helpers()
    config = box(place, "echo started", uids="0:%d:1,1:%d:100" % (UID, FIRST))
    script = "#!/bin/sh\n"
    for content, text in (("echo some words >&2; echo more >&2; exit 3\n", "/usr/bin/newuidmap: exit status 3: some words"),
                          ("kill -TERM $$\n", "/usr/bin/newuidmap: signal 15"), ("exit 0\n", "Operation not permitted"),
                          ("i=0; while [ $i -lt 999 ]; do echo 0123456789; i=$((i+1)); done >&2; exit 1\n",
                           "exit status 1: 0123"),
                          ("exec sleep 60\n", "/usr/bin/newuidmap: no end after 5 seconds")):
        with files(place, others=[("/usr/bin/newuidmap", script + content, 0o755)]):
            fails(place, config, text, timeout=2 * tool.TIMEOUT)
    # Neither our environment nor our descriptors: it is another user's program that has root's rights.
    out = place.file("helper-output")
    os.chmod(out, 0o666)
    content = "env >%s; ls /proc/$$/fd >>%s; pwd >>%s; exit 1\n" % (out, out, out)
    with files(place, others=[("/usr/bin/newuidmap", script + content, 0o755)]):
        fails(place, config, "exit status 1")
    with open(out, encoding="utf-8") as file:
        lines = file.read().split()
    # The shell's own: some variables, and the script.
    equal(sorted(line for line in lines if not line.startswith(("PWD=", "_=", "OLDPWD=", "SHLVL=")) and
                 line not in ("3", "10", "11", "255")), ["/", "0", "1", "2", "LC_ALL=C"])


def processes(text):
    """Those with @text in their arguments."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/cmdline" % name, "rb") as file:
            if text.encode() in file.read():
                found.append(int(name))
    return found


def killed_with_helper(place):
    """SIGKILL while newuidmap runs leaves nothing, nor does it while the namespace is entered"""
    need_helpers()
    config = box(place, "sleep 30", uids="0:%d:1,1:%d:100" % (UID, FIRST))
    for content in ("exec sleep 60\n", None):
        with files(place, others=[("/usr/bin/newuidmap", "#!/bin/sh\n" + content, 0o755)] if content else []):
            for moment in range(2 if content else 40):
                process = start(place, config)
                end = time.monotonic() + tool.TIMEOUT
                while content and len(processes(place.bundle)) < 2:
                    ok(time.monotonic() < end, "no namespace")
                    time.sleep(0.01)
                time.sleep(moment / 2000)
                process.kill()
                process.communicate(timeout=tool.TIMEOUT)
                while processes(place.bundle):
                    ok(time.monotonic() < end, "left: %r" % processes(place.bundle))
                    time.sleep(0.01)


def helper_missing(place):
    """newuidmap is looked for in the system's directories, not in PATH"""
    need_helpers()
    config = box(place, "echo started", uids="0:%d:1,1:%d:100" % (UID, FIRST))
    bins = place.file("usr-bin/")
    with files(place):
        mount(bins, "/usr/bin", flags=MS_BIND)
        try:
            fails(place, config, "can be mapped here: newuidmap and newgidmap are not installed")
        finally:
            checked(libc.umount2(b"/usr/bin", 2))


def root_alone(place):
    """what only root can have is refused by its path in config.json, with the reason"""
    def limited(**changes):
        return box(place, "echo started", uids=OWN, **changes)

    devpts = dict(PTS, destination="/dev/pts")
    none = dict(limited())
    none["linux"] = {"namespaces": [{"type": "mount"}, {"type": "pid"}]}
    for config, *parts in (
            (none, "linux.namespaces: expected one of type user, as `runc spec --rootless`", ": only root can"),
            (limited(oomScoreAdj=-1000), "process.oomScoreAdj", "Permission denied"),
            (limited(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1 << 40}]), "process.rlimits[0]", "prlimit",
             "Operation not permitted"),
            (limited(user={"uid": 0, "gid": 0, "additionalGids": [5]}), "process.user.additionalGids", "setgroups"),
            (limited(user={"uid": 1, "gid": 0}), "process.user.uid", "setresuid", "Invalid argument"),
            (limited(entries=[PROC, devpts]), "mounts[1]", "gid=5", "an id that this user namespace does not have"),
            (limited(entries=[PROC, entry("/x", "ext4", source="/dev/none")]), "mounts[1]", "ext4"),
            (limited(entries=[entry("/x", "sysfs")], namespaces="pid mount user"), "mounts[0]", "network namespace"),
            (limited(entries=[bind("/root/none", "/x")]), "mounts[0]", "/root/none")):
        fails(place, config, "config.json: ", *parts)


TESTS = [single, written_by_runc, written_by_crun, default_maps, default_map_single, several_ids, mapped_mount, oom_score, signalled,
         maps_refused, adjacent, helper_fails, killed_with_helper, helper_missing, root_alone]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
