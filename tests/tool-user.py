# SPDX-License-Identifier: MIT
"""`syncdemo run` as an ordinary user: what works, with subordinate ids and without, and what only root can have.
tool-user-maps.py has the maps that are refused and the helpers that write them.

As root, the tests become user 65533, with files of their own in place of /etc/passwd, /etc/subuid and /etc/subgid. An
ordinary user has those that are there. Prints TAP.
"""
import json
import os
import signal
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from container import DEV, PROC, PTS, entry
from processes import alive, wait_for
from rootless import GID, OWN, UID, box, fails, files, ranges, run, start
from tool import bind, contains, equal, libc, ok, one_line

BUNDLES = os.path.join(tool.SOURCE, "tests", "bundles")
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
    wait_for(lambda: not alive(pid), "end of it")


# ---- what does not -------------------------------------------------------------------

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


TESTS = [single, written_by_runc, written_by_crun, default_maps, default_map_single, several_ids, mapped_mount, oom_score,
         signalled, root_alone]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
