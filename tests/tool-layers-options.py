# SPDX-License-Identifier: MIT
"""`syncdemo run` on a root file system of layers: who may write there, names, options, bind mounts and hooks beside it, and
its next container. Prints TAP.
"""
import json
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import box
import tap
import tool
from layers import Image, older, run
from sources import file_system
from tool import contains, equal, mount, ok


def from_inside(place):
    """the container has one mount at /, an overlay, and no descriptor of the set-up"""
    image = Image(place, place.path, 3)
    config = image.config("exec probe descriptors")
    inside = json.loads(run(place, config))
    equal(sorted(inside["descriptors"]), ["0", "1", "2"] if isinstance(inside["descriptors"], dict) else [0, 1, 2])
    lines = run(place, image.config("cat /proc/self/mountinfo")).splitlines()
    roots = [line for line in lines if line.split()[4] == "/"]
    equal(len(roots), 1)
    contains(roots[0], " - overlay overlay rw")


def somebody(place):
    """a program that is user 1000 writes what is its own, and nothing else"""
    image = Image(place, place.path, 2)
    config = image.config("exec 2>&1; echo more >> of-1000-1; echo more >> of-0-1; id -u")
    config["process"]["user"] = {"uid": 1000, "gid": 1000}
    del config["process"]["capabilities"]
    equal(run(place, config), "sh: can't create of-0-1: Permission denied\n1000\n")
    equal(image.owner("of-1000-1"), 1000)
    ok(not os.path.exists(image.upper + "/of-0-1"), "written")


def read_only(place):
    """without upper and work nothing can be written, be it one layer or three"""
    for n in (1, 3):
        image = Image(place, place.file("of-%d/" % n), n)
        for mapped in (True, False):
            config = image.config("touch new || stat -c %%u:%%g of-1000-%d" % (n - 1), mapped, upper=None, work=None)
            for front in ([], older()):
                result = tool.finish(tool.start([*front, tool.TOOL, "run", "--bundle", place.write(config), "test"]))
                equal((result.code, result.out, result.err), (0, "1000:1000\n", "touch: new: Read-only file system\n"))
        equal(image.contents(), image.before)


def root_readonly(place):
    """root.readonly: the mount points that are missing are made, and then nothing can be written"""
    image = Image(place, place.path, 2)
    config = image.config("touch /new 2>&1 || ls -d /made", mounts=[
        {"destination": "/made", "type": "tmpfs", "source": "tmpfs"}])
    config["root"]["readonly"] = True
    equal(run(place, config), "touch: /new: Read-only file system\n/made\n")
    equal(image.owner("made"), 0)


def names(place):
    """a ':' and a '\\' in a name, escaped; relative ones lie in the bundle; options of overlayfs"""
    image = Image(place, place.file("bundle/"), 2)
    os.rename(image.lower[0], place.bundle + "/with:colon")
    os.rename(image.lower[1], place.bundle + "/with\\back,slash")
    config = image.config("cat same; grep -o ' / .* - overlay.*' /proc/self/mountinfo", upper="upper", work="work",
                          lower="with\\:colon:./with\\\\back,slash", options="index=off,metacopy=off,userxattr")
    for front in ([], older()):
        out = run(place, config, *front)
        ok(out.startswith("layer 0\n"), out)
        contains(out, "userxattr")
    ok("userxattr" not in run(place, {**config, "annotations": {
        key: value for key, value in config["annotations"].items() if not key.endswith("options")}}), "always there")


def with_binds(place):
    """id-mapped bind mounts of the host beside it, and one of what lies in the root file system"""
    image = Image(place, place.path, 2)
    os.chown(place.data + "/file", 1000, 1000)
    entries = [tool.bind(place.data, "/data", "bind", "idmap"),
               tool.bind(place.rootfs + "/kept", "/again", "bind")]
    out = run(place, image.config("stat -c %u:%g /data/file /again/of-1000; echo x > /data/new; stat -c %u /data/new",
                                  mounts=entries))
    equal(out.splitlines(), ["1000:1000", "1000:1000", "0"])
    equal(os.stat(place.data + "/new").st_uid, 0)


def hooks(place):
    """createContainer hooks see it at root.path, the parent's hooks do not"""
    image = Image(place, place.path, 2)
    config = image.config("cat /from-hook")
    log = place.file("log")
    script = "ls %s | grep -c same >> %s" % (place.rootfs, log)
    config["hooks"] = {
        "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script + "; true"], "env": ["PATH=" + tool.PATH]}],
        "createContainer": [{"path": "/bin/sh", "env": ["PATH=" + tool.PATH], "args": [
            "sh", "-c", "ls %s | grep same > from-hook && stat -c %%u from-hook >> from-hook" % place.rootfs]}],
    }
    equal(run(place, config).splitlines(), ["same", "0"])
    with open(log, encoding="ascii") as file:
        equal(file.read(), "0\n")
    equal(image.owner("from-hook"), 0)


# The device goes with the last of who uses the file system, wherever it is mounted.
FREE = """umount $1
for i in 1 2 3 4 5 6 7 8 9 10; do
    cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -qF $2/ || exit 0
    sleep 0.1
done
echo still in use
exit 1
"""


def nothing_held(place):
    """the layers' file system is free when poststop hooks run, also without a PID namespace"""
    for kinds in (box.NAMESPACES, [kind for kind in box.NAMESPACES if kind != "pid"]):
        with file_system(place, "ext4") as at:
            image = Image(place, at, 3)
            config = image.config("echo x >> same")
            config["linux"]["namespaces"] = [{"type": kind} for kind in [*kinds, "user"]]
            if "pid" not in kinds:
                config["mounts"] = []
            config["hooks"] = {"poststop": [{"path": "/bin/sh", "args": ["sh", "-c", FREE, "sh", at, place.path],
                                             "env": ["PATH=" + tool.PATH]}]}
            run(place, config)
            mount("for the next umount", at, "tmpfs")


def again(place):
    """a second container on the same upper goes on where the first one ended"""
    image = Image(place, place.path, 2)
    run(place, image.config("echo one > new; busybox chown 1000 new"))
    equal(run(place, image.config("cat new; stat -c %u new; echo two > new")), "one\n1000\n")
    # As another one, too: on disk nothing tells of the first one's mapping.
    config = image.config("cat new; stat -c %u new")
    config["linux"].update(uidMappings=tool.extents("0:300000:65536"), gidMappings=tool.extents("0:300000:65536"))
    equal(run(place, config), "two\n1000\n")


TESTS = [from_inside, somebody, read_only, root_readonly, names, with_binds, hooks, nothing_held, again]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
