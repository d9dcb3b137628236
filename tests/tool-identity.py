# SPDX-License-Identifier: MIT
"""`syncdemo run`: who the process is and what it may: ids, groups, capabilities, privileges, a user namespace's maps.

Prints TAP.
"""
import json
import os
import shutil
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import FIRST, NAMESPACES, configuration, fine, mask, namespace_numbers, ordinary, run, seen, shell
from tool import Skip, bind, contains, equal, extents, ok

CHOWN, KILL, SETGID, BIND = ("CAP_CHOWN", 0), ("CAP_KILL", 5), ("CAP_SETGID", 6), ("CAP_NET_BIND_SERVICE", 10)


def user(place):
    """ids, groups, umask"""
    inside = seen(place, configuration(user={"uid": 1000, "gid": 1001, "umask": 0o057, "additionalGids": [7, 5, 1001]}),
                  "uids", "gids", "groups", "umask")
    equal(inside, {"uids": [1000] * 3, "gids": [1001] * 3, "groups": [5, 7, 1001], "umask": 0o057})
    inside = seen(place, configuration(user={}), "uids", "gids", "groups")
    equal(inside, {"uids": [0] * 3, "gids": [0] * 3, "groups": []})


def capabilities(place):
    """the five sets, for root and for a user; none without the key; ambient ones that the kernel cannot grant"""
    def got(sets, uid=0):
        config = configuration(user={"uid": uid, "gid": uid})
        if sets is not None:
            config["process"]["capabilities"] = {name: [capability[0] for capability in some] for name, some in sets.items()}
        return seen(place, config, "caps", "securebits")

    def wanted(**sets):
        return {"caps": {name: mask(*(number for _, number in sets.get(name, ()))) for name in
                         ("effective", "permitted", "inheritable", "bounding", "ambient")}, "securebits": 0}

    for uid in (0, 1000):
        equal(got(None, uid), wanted())
        equal(got({}, uid), wanted())
    everything = {name: [CHOWN, KILL, BIND] for name in wanted()["caps"]}
    for uid in (0, 1000):
        equal(got(everything, uid), wanted(**everything))
    # Root gets at its execution what is in the bounding set, a user what is ambient.
    some = {"bounding": [CHOWN, KILL, SETGID], "permitted": [CHOWN, KILL], "effective": [KILL], "inheritable": [CHOWN]}
    equal(got(some), wanted(bounding=some["bounding"], permitted=some["bounding"], effective=some["bounding"],
                            inheritable=[CHOWN]))
    equal(got(some, 1000), wanted(bounding=some["bounding"], inheritable=[CHOWN]))
    # As `runc spec` writes it.
    some = {name: [CHOWN, KILL] for name in ("bounding", "permitted", "effective", "ambient")}
    equal(got(some, 1000), wanted(bounding=[CHOWN, KILL]))


def capabilities_not_granted(place):
    """what nobody will be granted is left out, in one line: unknown here, beyond another set, what the runtime has not"""
    def told(sets, mapped=False, front=(), granted=None):
        config = configuration("/bin/probe", "caps", mapped=mapped, capabilities=sets)
        result = run(place, config, command=(*front, tool.TOOL))
        equal((result.code, len(result.err.splitlines()) < 2), (0, True))
        if granted is not None:
            equal(json.loads(result.out)["caps"]["bounding"], mask(granted))
        return result.err[len("syncdemo: warning: config.json: process.capabilities"):-1]

    sets = {"bounding": ["CAP_CHOWN", "CAP_OF_2099"], "effective": ["CAP_KILL", "CAP_CHOWN"], "permitted": ["CAP_CHOWN"],
            "inheritable": ["CAP_SETUID"], "ambient": ["CAP_CHOWN", "CAP_NONE"]}
    wanted = ": not granted here: bounding[1] CAP_OF_2099, effective[0] CAP_KILL, inheritable[0] CAP_SETUID, " \
             "ambient[1] CAP_NONE"
    for mapped in (False, True):
        equal(told(sets, mapped, granted=0), wanted)
    many = told({"bounding": ["CAP_" + "A" * 500] * 1000})
    contains(many, "bounding[0] CAP_AAAA", ", and others")
    ok(len(many) < 600, many)
    # The kernel lets whoever has CAP_MKNOD make and open any device: there is no group of devices to forbid it.
    every = {name: ["CAP_MKNOD"] for name in ("bounding", "effective", "permitted", "inheritable")}
    text = told(every, granted=27)
    contains(text, ".bounding: CAP_MKNOD: ", "linux.resources.devices")
    equal(told(every, True, granted=27), "")
    equal(told(dict(every, bounding=[], inheritable=[])), "")
    if not shutil.which("setpriv"):
        raise Skip("no setpriv(1)")
    front = ["setpriv", "--bounding-set=-mknod"]
    equal(told(every, front=front, granted=None), ": not granted here: bounding[0] CAP_MKNOD, effective[0] CAP_MKNOD, "
          "inheritable[0] CAP_MKNOD, permitted[0] CAP_MKNOD")
    equal(told(every, True, front, granted=27), "")


def no_new_privileges(place):
    """noNewPrivileges"""
    equal(seen(place, configuration(noNewPrivileges=True), "no_new_privs"), {"no_new_privs": 1})
    equal(seen(place, configuration(noNewPrivileges=False), "no_new_privs"), {"no_new_privs": 0})


# ---- in a user namespace ----------------------------------------------------------------

def user_namespace(place):
    """in a user namespace: maps, ids inside and outside, groups, capabilities"""
    own = namespace_numbers()
    config = configuration(mapped=True, user={"uid": 5, "gid": 6, "additionalGids": [7]})
    inside = seen(place, config, "uids", "gids", "groups", "uid_map", "gid_map", "setgroups", "namespaces")
    equal((inside["uids"], inside["gids"], inside["groups"]), ([5] * 3, [6] * 3, [7]))
    equal((inside["uid_map"].split(), inside["gid_map"].split()), (["0", str(FIRST), "65536"],) * 2)
    equal(inside["setgroups"], "allow\n")
    equal({name for name in own if inside["namespaces"][name] != own[name]}, {*NAMESPACES.values(), "user"})
    config = configuration(mapped=True)
    sets = {name: ["CAP_SYS_ADMIN"] for name in ("bounding", "permitted", "effective")}
    config["process"]["capabilities"] = sets
    equal(seen(place, config, "caps")["caps"]["effective"], mask(21))
    config = shell("touch /tmp/mine; stat -c %u:%g /tmp/mine", mapped=True)
    os.chmod(place.rootfs + "/tmp", 0o777)
    equal(fine(place, config), "0:0\n")
    status = os.stat(place.rootfs + "/tmp/mine")
    equal((status.st_uid, status.st_gid), (FIRST, FIRST))


def several_extents(place):
    """a user namespace of several extents"""
    config = configuration(mapped=True, user={"uid": 1000, "gid": 1000})
    several = extents("0:%d:10,1000:%d:1,2000:%d:5" % (FIRST, 5, FIRST + 10))
    config["linux"].update(uidMappings=several, gidMappings=several)
    inside = seen(place, config, "uids", "uid_map")
    equal(inside["uids"], [1000] * 3)
    equal(inside["uid_map"].split(), ["0", str(FIRST), "10", "1000", "5", "1", "2000", str(FIRST + 10), "5"])


def ordinary_user(place):
    """as an ordinary user, in a user namespace with a single id"""
    config = shell("id -u; id -g; cat /mnt/file; hostname")
    config["mounts"] = [bind(place.data, "/mnt", "rbind", "ro")]
    config["hostname"] = "mine"
    equal(ordinary(place, config), "0\n0\ncontent\nmine\n")


TESTS = [user, capabilities, capabilities_not_granted, no_new_privileges, user_namespace, several_extents, ordinary_user]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
