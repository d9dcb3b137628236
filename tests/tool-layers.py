# SPDX-License-Identifier: MIT
"""`syncdemo run` on a root file system of layers, which annotations name: what the container reads and writes, and what
is on disk when it is gone.

Prints TAP.
"""
import contextlib
import json
import os
import select
import shutil
import stat
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import box
import tool
from box import FIRST
from tool import MS_PRIVATE, MS_REC, MS_SHARED, Skip, checked, contains, equal, libc, mount, need_root, ok, one_line

PREFIX = "org.libinitsync.rootfs."
DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
NO_DESCRIPTORS = "431/1=5:EBADF"        # fsconfig(FSCONFIG_SET_FD): Linux 6.12
RIGHTS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"]
SIZES = {"ext4": 32, "xfs": 320}        # MiB, of sparse files


class Image:
    """Layers that each have a file of 0 and one of 1000; busybox in the lowest."""

    def __init__(self, place, at, n):
        need_root("mount layers")
        box.fill(place)
        self.at = at
        self.lower = [self.directory("layer-%d" % i) for i in range(n)]
        for i, layer in enumerate(self.lower):
            self.file(layer, "of-0-%d" % i, 0)
            self.file(layer, "of-1000-%d" % i, 1000)
            self.file(layer, "same", 0, "layer %d\n" % i)
        self.directory("layer-%d/kept" % (n - 1))
        self.file(self.lower[-1], "kept/of-1000", 1000)
        shutil.copytree(place.rootfs, self.lower[-1], symlinks=True, dirs_exist_ok=True)
        # What is there is mounted over, and need not be anybody's in the container.
        shutil.rmtree(place.rootfs)
        os.mkdir(place.rootfs, 0o700)
        os.chmod(place.path, 0o755)
        self.upper, self.work = self.directory("upper"), self.directory("work")
        self.before = self.contents()

    def directory(self, name):
        path = os.path.join(self.at, name)
        os.makedirs(path, 0o755, exist_ok=True)
        return path

    @staticmethod
    def file(layer, name, owner, text="content\n"):
        path = os.path.join(layer, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chown(path, owner, owner)

    def contents(self):
        """All that can be told of the layers."""
        found = {}
        for layer in self.lower:
            for path, directories, files in os.walk(layer):
                for name in [path, *(os.path.join(path, one) for one in directories + files)]:
                    st = os.lstat(name)
                    found[name] = (st.st_mode, st.st_uid, st.st_gid, st.st_size, st.st_mtime_ns, st.st_ctime_ns,
                                   os.listxattr(name, follow_symlinks=False))
        return found

    def annotations(self, **changes):
        values = {"lower": ":".join(self.lower), "upper": self.upper, "work": self.work, **changes}
        return {PREFIX + key: value for key, value in values.items() if value is not None}

    def config(self, script, mapped=True, mounts=(), **changes):
        config = box.shell(script, mapped=mapped, mounts=mounts)
        config["process"]["capabilities"] = dict.fromkeys(("bounding", "permitted", "effective"), RIGHTS)
        config["annotations"] = self.annotations(**changes)
        return config

    def owner(self, name):
        st = os.lstat(os.path.join(self.upper, name))
        equal(st.st_uid, st.st_gid)
        return st.st_uid


def run(place, config, *front, **kwargs):
    result = tool.finish(tool.start([*front, tool.TOOL, "run", "--bundle", place.write(config), "test"], **kwargs))
    equal((result.code, result.err), (0, ""))
    return result.out


def fails(place, config, *parts, front=()):
    result = tool.finish(tool.start([*front, tool.TOOL, "run", "--bundle", place.write(config), "test"]))
    line = one_line(result.err)
    equal((line, result.code, result.out), (line, 1, ""))
    contains(line, *parts)
    return line


def older():
    """A command in front, under which the kernel takes no layers by descriptor."""
    if not os.path.exists(DENY):
        raise Skip("tests/support/deny-syscall is not built")
    return [DENY, NO_DESCRIPTORS, "--"]


@contextlib.contextmanager
def file_system(place, kind):
    """A new one, on a loop device that goes away with it; in the mount namespace of the test alone."""
    need_root("mount layers")
    at = place.file("fs/")
    if kind == "tmpfs":
        mount("layers", at, "tmpfs", data="mode=0755")
    else:
        image = place.file("image")
        os.truncate(image, SIZES[kind] << 20)
        make = shutil.which("mkfs." + kind, path=tool.PATH)
        if not make:
            raise Skip("no mkfs." + kind)
        subprocess.run([make, "-Fq" if kind == "ext4" else "-q", image], check=True, stdout=subprocess.DEVNULL)
        result = subprocess.run(["mount", "-t", kind, "-o", "loop", image, at], stderr=subprocess.PIPE, text=True,
                                check=False)
        os.unlink(image)
        if result.returncode:
            raise Skip("no %s on a loop device here: %s" % (kind, result.stderr.strip()))
    try:
        yield at
    finally:
        checked(libc.umount2(at.encode(), 0))


WORK = """
stat -c '%n %u:%g' of-0-0 of-1000-0 of-1000-{last} bin/busybox kept kept/of-1000
cat same
echo more >> of-0-0                     # copied up
echo more >> of-1000-{last}
echo new > new
mkdir directory
echo inner > directory/inner
busybox chown 1000:1000 directory/inner
busybox chown 1000:1000 kept            # a directory of the lowest layer
busybox ln -s new link
busybox rm -r of-0-{last} bin/grep
mkdir of-0-{last}                       # opaque, over what was there
stat -c '%n %u:%g' of-0-0 of-1000-{last} new directory directory/inner kept link of-0-{last}
cat of-1000-{last}
"""


def expect_work(out, last):
    """The ids inside are those on disk."""
    equal(out.splitlines(),
          ["of-0-0 0:0", "of-1000-0 1000:1000", "of-1000-%d 1000:1000" % last, "bin/busybox 0:0", "kept 0:0",
           "kept/of-1000 1000:1000", "layer 0",
           "of-0-0 0:0", "of-1000-%d 1000:1000" % last, "new 0:0", "directory 0:0", "directory/inner 1000:1000",
           "kept 1000:1000", "link 0:0", "of-0-%d 0:0" % last, "content", "more"])


def expect_on_disk(image, last):
    """Unshifted, and the layers as they were."""
    names = {"of-0-0": 0, "of-1000-%d" % last: 1000, "new": 0, "directory": 0, "directory/inner": 1000, "kept": 1000,
             "link": 0}
    # With one layer what is rewritten and what is deleted are the same file.
    if last == 0:
        del names["of-0-0"]
    equal({name: image.owner(name) for name in names}, names)
    whiteout = os.lstat(os.path.join(image.upper, "bin", "grep"))
    ok(stat.S_ISCHR(whiteout.st_mode) and whiteout.st_rdev == 0, "no whiteout")
    equal(whiteout.st_uid, 0)
    with open(os.path.join(image.upper, "of-1000-%d" % last), encoding="ascii") as file:
        equal(file.read(), "content\nmore\n")
    equal((image.owner("."), os.lstat(image.work).st_uid, os.lstat(image.work + "/work").st_uid), (0, 0, 0))
    equal(image.contents(), image.before)


def all_sizes(place, kind, mapped=True, front=()):
    with file_system(place, kind) as at:
        for n in (1, 3, 400, 500):
            image = Image(place, os.path.join(at, "of-%d" % n), n)
            expect_work(run(place, image.config("set -e\n" + WORK.format(last=n - 1), mapped), *front), n - 1)
            expect_on_disk(image, n - 1)


def on_tmpfs(place):
    """1, 3, 400 and 500 layers on tmpfs: ids inside are those on disk, before and after"""
    tool.need_mapped_tmpfs(place)
    all_sizes(place, "tmpfs")


def on_ext4(place):
    """the same on ext4"""
    all_sizes(place, "ext4")


def on_xfs(place):
    """the same on xfs"""
    all_sizes(place, "xfs")


def unmapped(place):
    """the same without a user namespace"""
    all_sizes(place, "tmpfs", mapped=False)


def old_kernel(place):
    """the same where the kernel takes no layers by descriptor"""
    tool.need_mapped_tmpfs(place)
    all_sizes(place, "tmpfs", front=older())


def shifted_for_the_host(place):
    """what the container writes as its root is its root's for the host, and other processes see the image as it is"""
    image = Image(place, place.path, 2)
    config = image.config("set -e; echo x > new; stat -c %u new; read -r line")
    with tool.start([tool.TOOL, "run", "--bundle", place.write(config), "test"], stdin=subprocess.PIPE) as process:
        equal(process.stdout.readline(), "0\n")
        pid = int(open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="ascii").read().split()[0])
        equal(os.stat("/proc/%d/root/new" % pid).st_uid, FIRST)
        equal(os.stat("/proc/%d/root/of-1000-0" % pid).st_uid, FIRST + 1000)
        equal(os.listdir(place.rootfs), [])
        out, err = process.communicate("go\n", timeout=tool.TIMEOUT)
    equal((process.returncode, out, err, image.owner("new")), (0, "", "", 0))


def no_mount(place):
    """nothing of it appears in the host's table of mounts, not for a moment, also on an older kernel"""
    image = Image(place, place.path, 3)
    # As it is on most hosts: what is mounted elsewhere would arrive here.
    mount(None, "/", flags=MS_REC | MS_SHARED)
    try:
        with open("/proc/self/mountinfo", encoding="ascii") as table:
            poll = select.poll()
            poll.register(table, select.POLLPRI)
            poll.poll(0)
            for front in ([], older()):
                run(place, image.config("echo x >> of-0-1"), *front)
                equal(poll.poll(0), [])
            mount("seen", place.data, "tmpfs")
            equal(len(poll.poll(0)), 1)
            checked(libc.umount2(place.data.encode(), 0))
    finally:
        mount(None, "/", flags=MS_REC | MS_PRIVATE)


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


def refused(place):
    """layers that cannot be, each in one line that names it"""
    image = Image(place, place.path, 2)
    lower = ":".join(image.lower)
    for changes, parts in (
            ({"lower": ":".join((image.lower * 251)[:501])}, [
                "config.json: annotations.org.libinitsync.rootfs.lower: expected at most 500 layers, not 501"]),
            ({"lower": ""}, ["annotations.org.libinitsync.rootfs.lower: ", "without a name"]),
            ({"lower": lower + ":"}, ["annotations.org.libinitsync.rootfs.lower: ", "without a name"]),
            ({"lower": None}, ["annotations.org.libinitsync.rootfs.lower: is missing"]),
            ({"lower": 3}, ["annotations.org.libinitsync.rootfs.lower: expected a string"]),
            ({"lower": lower + ":/does/not/exist"},
             ["annotations.org.libinitsync.rootfs: overlay: lower[2]: ", "/does/not/exist"]),
            ({"lower": "/does/not/exist", "upper": None, "work": None},
             ["annotations.org.libinitsync.rootfs: lower[0]: ", "/does/not/exist"]),
            ({"lower": lower + ":/proc/sys"}, ["annotations.org.libinitsync.rootfs: overlay: lower[2]: ", "proc"]),
            ({"lower": image.lower[0] + "/same", "upper": None, "work": None}, ["lower[0]: ", "expected a directory"]),
            ({"upper": None}, ["config.json: annotations: expected both or neither", "rootfs.upper", "rootfs.work"]),
            ({"work": None}, ["config.json: annotations: expected both or neither", "rootfs.upper", "rootfs.work"]),
            ({"upper": ""}, ["annotations.org.libinitsync.rootfs.upper: expected a directory"]),
            ({"upper": "/does/not/exist"}, ["annotations.org.libinitsync.rootfs: overlay: ", "/does/not/exist"]),
            # mount(2), which is in the place of fsconfig(2) before Linux 6.5, does not say which.
            ({"options": "no_such=1"}, ["annotations.org.libinitsync.rootfs: overlay: ",
                                        "no_such" if tool.linux_is_at_least(6, 5) else "mount: Invalid argument"]),
            ({"options": "lowerdir=/"}, ["annotations.org.libinitsync.rootfs: overlay: options[0]"]),
            ({"options": "a,,b"}, ["annotations.org.libinitsync.rootfs.options: ", "without a name"]),
            ({"options": "xino=off", "lower": image.lower[1], "upper": None, "work": None},
             ["annotations.org.libinitsync.rootfs.options: one layer"]),
            ({"uper": "/x"}, ["annotations.org.libinitsync.rootfs.uper: expected lower, upper, work or options"])):
        fails(place, image.config("echo started", **changes), *parts)
    config = image.config("echo started")
    config["linux"]["namespaces"][-1]["path"] = "/proc/self/ns/user"
    del config["linux"]["uidMappings"], config["linux"]["gidMappings"]
    fails(place, config, "config.json: linux.uidMappings: expected the maps of the user namespace")
    equal(os.listdir(image.upper), [])


def apart(place):
    """upper and work on two mounts"""
    image = Image(place, place.path, 2)
    mount("other", image.work, "tmpfs")
    try:
        fails(place, image.config("echo started"), "annotations.org.libinitsync.rootfs: overlay: ", "on one mount")
    finally:
        checked(libc.umount2(image.work.encode(), 0))


def halves(place):
    """init and parent refuse it by name, each alone: neither could make it"""
    image = Image(place, place.path, 2)
    bundle = place.write(image.config("echo started", mapped=False))
    child, parent = tool.converse([*tool.OUR_INIT, "--bundle", bundle], [*tool.OUR_PARENT, "--bundle", bundle])
    said = "config.json: annotations.org.libinitsync.rootfs.lower: a root file system of layers is made by"
    contains(one_line(child.err), said)
    equal((child.code, child.out, parent.code), (1, "", 1))
    # It was told of it; of itself it says the same before anybody says anything.
    _, parent = tool.converse(["sleep", "0.1"], [*tool.OUR_PARENT, "--bundle", bundle])
    ok(one_line(parent.err).startswith(said), parent.err)
    equal((parent.code, parent.out), (1, ""))


def ordinary(place):
    """an ordinary user may not map the host's files, and is told so"""
    image = Image(place, place.path, 2)
    config = image.config("echo started")
    config["linux"].update(uidMappings=tool.extents("0:65533:1"), gidMappings=tool.extents("0:65533:1"))
    place.write(config)
    program, environment = tool.copy_tool(place)
    result = tool.finish(tool.start([program, "run", "--bundle", place.bundle, "test"], preexec_fn=tool.ordinary_user,
                                    env=environment))
    equal((result.code, result.out), (1, ""))
    contains(one_line(result.err), "annotations.org.libinitsync.rootfs: overlay: lower[0]: ", "Operation not permitted")


TESTS = [on_tmpfs, on_ext4, on_xfs, unmapped, old_kernel, shifted_for_the_host, no_mount, from_inside, somebody, read_only,
         root_readonly, names, with_binds, hooks, nothing_held, again, refused, apart, halves, ordinary]

if __name__ == "__main__":
    sys.exit(tool.main(TESTS))
