# SPDX-License-Identifier: MIT
"""`syncdemo init`: devices, masked and read-only paths, each seen from inside.

Prints TAP.
"""
import os
import shutil
import stat
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
from container import (DEV, NODES, PROC, PTS, SYS, UNSHARE, configure, devices, entry, fails, fill, fine, need_container,
                       output, over, seen)
from tool import OUR_INIT, OUR_PARENT, Skip, bind, contains, converse, equal, ok


# ---- /dev --------------------------------------------------------------------

LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
         "ptmx": "pts/ptmx"}


def default_devices(place):
    """default devices and links in /dev"""
    need_container()
    got = devices(place)
    wanted = {name: "c %s 0666 0:0" % number for name, number in NODES.items()}
    wanted.update({name: "l " + target for name, target in LINKS.items()})
    if os.path.exists("/proc/kcore"):
        wanted["core"] = "l /proc/kcore"
    equal(got, dict(wanted, pts="d 0755 0:0"))
    equal(output(place, "head -c3 /dev/zero | wc -c; echo x > /dev/null; echo x 2>/dev/null > /dev/full || echo full; "
                 "head -c9 /dev/urandom | wc -c; head -c9 /dev/random | wc -c; echo out > /dev/stdout; cat < /dev/null; "
                 "echo in | cat /dev/stdin; ls /dev/pts",
                 [PROC, DEV, PTS]), "3\nfull\n9\n9\nout\nin\nptmx\n")


def no_devices(place):
    """no devices where the bundle mounts nothing on /dev, or binds there"""
    need_container()
    place.file("bundle/rootfs/dev/x")
    equal(devices(place, [PROC]), {"x": "- 0644 0:0"})
    there = place.file("there/")
    os.mknod(there + "/null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.chmod(there + "/null", 0o604)
    equal(devices(place, [PROC, bind(there, "/dev")]), {"null": "c 1:3 0604 0:0"})
    null = {"path": "/dev/null", "type": "c", "major": 1, "minor": 3}
    equal(devices(place, [PROC, bind(there, "/dev")], devices=[null]), {"null": "c 1:3 0604 0:0"})
    fails(place, [bind(there, "/dev")], "config.json: linux.devices[0]: ", "/dev/zero", "bind mount",
          devices=[dict(null, path="/dev/zero")])
    fails(place, [bind(there, "/dev")], "config.json: linux.devices[0]: /dev/null: exists", devices=[dict(null, minor=5)])
    equal(os.listdir(there), ["null"])


def more_devices(place):
    """linux.devices: types, numbers, modes, owners, missing directories, a default one changed"""
    need_container()
    listed = [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 3, "gid": 4},
              {"path": "/dev/block", "type": "b", "major": 7, "minor": 200, "fileMode": 0o600},
              {"path": "/dev/pipe", "type": "p", "fileMode": 0o4622},
              {"path": "/dev/u", "type": "u", "major": 1, "minor": 5},
              {"path": "/dev/tty", "type": "c", "major": 5, "minor": 0, "fileMode": 0o600},
              {"path": "/dev/net/tun", "type": "c", "major": 10, "minor": 200}]
    got = devices(place, devices=listed)
    equal([got[name] for name in ("fuse", "block", "pipe", "u", "tty", "net", "null")],
          ["c 10:229 0640 3:4", "b 7:200 0600 0:0", "p 4622 0:0", "c 1:5 0666 0:0", "c 5:0 0600 0:0", "d 0755 0:0",
           "c 1:3 0666 0:0"])
    equal(output(place, "stat -c '%F %t %T' /dev/net/tun /other/place/null",
                 [DEV], devices=[*listed, {"path": "/other/place/null", "type": "c", "major": 1, "minor": 3}]),
          "character special file a c8\ncharacter special file 1 3\n")


def no_mknod(place):
    """devices are bound from the host where none can be made"""
    need_container()
    if not shutil.which("setpriv"):
        raise Skip("no setpriv(1)")

    def without_mknod(place, config):
        return converse([*UNSHARE, "setpriv", "--bounding-set", "-mknod", *OUR_INIT, "--bundle", place.write(config)],
                        [*OUR_PARENT, "--bundle", place.bundle])

    found = seen(place, [PROC, DEV], start=without_mknod, script="echo > /dev/null; head -c1 /dev/zero > /dev/null && ")
    for name in NODES:
        ok("/dev/" + name in found, name)
    for path, minor, text in (("/dev/none", 3, "No such file"), ("/dev/null", 5, "on the host it is another file")):
        fails(place, [DEV], "config.json: linux.devices[0]: ", path, "mknodat: Operation not permitted, and", text,
              start=without_mknod, devices=[{"path": path, "type": "c", "major": 1, "minor": minor}])


# ---- what is taken away ----------------------------------------------------------

def masked_paths(place):
    """masked paths: files are the null device, directories empty and read-only, missing ones skipped"""
    need_container()
    secret, below = place.file("bundle/rootfs/secret", "hidden\n"), place.file("bundle/rootfs/dir/file", "hidden\n")
    place.file("bundle/rootfs/other/file", "hidden\n")
    os.symlink("/secret", place.rootfs + "/link")
    paths = ["/secret", "/dir", "/other", "/missing", "/secret/below", "/proc/keys", "/link", "/data"]
    script = """cat /secret /link /proc/keys; ls /dir /other /data; stat -c '%F %t %T' /secret
        for d in /dir /other /data; do touch $d/x 2>&1 | grep -c Read-only; stat -c '%a %u' $d; done; echo x > /secret"""
    equal(output(place, script, [PROC, bind(place.data, "/data")], maskedPaths=paths),
          "/data:\n\n/dir:\n\n/other:\ncharacter special file 1 3\n" + 3 * "1\n555 0\n")
    with open(secret, encoding="ascii") as one, open(below, encoding="ascii") as other:
        equal(one.read() + other.read(), "hidden\nhidden\n")
    found = seen(place, [PROC], maskedPaths=["/dir", "/other", "/secret"])
    equal(found["/dir"][0], {"ro", "nosuid", "nodev", "noexec"})
    equal(found["/dir"][2:], found["/other"][2:])
    equal(len({line.split()[2] for line in output(place, "grep -E ' /(dir|other) ' /proc/self/mountinfo", [PROC],
                                                  maskedPaths=["/dir", "/other"]).splitlines()}), 1)


def read_only_paths(place):
    """read-only paths: the one mount, not what is mounted below"""
    need_container()
    place.file("bundle/rootfs/file", "x\n")
    place.file("bundle/rootfs/top/plain/")
    script = """echo 1 > /proc/sys/kernel/hostname; echo x > /file; touch /top/plain/x; touch /top/below/x && echo yes
        cat /file; cat /proc/sys/kernel/ostype"""
    got = output(place, "exec 2>&1; " + script, [PROC, entry("/top/below", "tmpfs")],
                 readonlyPaths=["/proc/sys", "/file", "/top", "/missing", "/file/below"])
    equal(got.count("Read-only file system"), 3)
    contains(got, "yes\nx\nLinux\n")
    found = seen(place, [PROC, entry("/top/below", "tmpfs", "nosuid")], readonlyPaths=["/top", "/proc/sys"])
    equal([found[path][0] for path in ("/top", "/top/below", "/proc/sys")], [{"ro"}, {"rw", "nosuid"}, {"ro"}])


def masks_stay_inside(place):
    """an image's symlinks lead a mask nowhere but into the image"""
    need_container()
    outside, fresh = place.file("outside/file", "host\n"), place.file("bundle/rootfs/inside" , "image\n")
    place.file("bundle/rootfs" + os.path.dirname(outside) + "/")
    shutil.copy(fresh, place.rootfs + outside)
    os.symlink("../../../../../.." + outside, place.rootfs + "/relative")
    os.symlink(outside, place.rootfs + "/absolute")
    equal(output(place, "cat %s; cat /inside" % outside, [PROC], maskedPaths=["/relative"], readonlyPaths=["/absolute"]),
          "image\n")
    with open(outside, encoding="ascii") as file:
        equal(file.read(), "host\n")


def false_null(place):
    """what the image or a mount calls /dev/null covers nothing"""
    need_container()
    place.file("bundle/rootfs/secret", "hidden\n")
    place.file("bundle/rootfs/dev/null", "false\n")
    equal(output(place, "cat /secret", [], maskedPaths=["/secret"]), "")
    with over("/dev", "tmpfs", "mode=755"):
        with open("/dev/null", "w", encoding="ascii"):
            pass
        fails(place, [], "config.json: linux.maskedPaths[0]: /dev/null: is not the null device", maskedPaths=["/secret"])


def no_mode(place):
    """a device that is bound from the host keeps its mode and owner, whatever the container wants; it takes writes"""
    need_container()
    if not shutil.which("setpriv"):
        raise Skip("no setpriv(1)")

    def without_mknod(place, config):
        return converse([*UNSHARE, "setpriv", "--bounding-set", "-mknod", *OUR_INIT, "--bundle", place.write(config)],
                        [*OUR_PARENT, "--bundle", place.bundle])

    sets = {name: ["CAP_CHOWN", "CAP_FOWNER"] for name in ("bounding", "effective", "permitted")}
    script = "exec 2>&1; chmod 0600 /dev/null; chown 7 /dev/null; echo x >/dev/null && echo x <>/dev/null && echo written"
    with over("/dev", "tmpfs", "mode=755"):
        for name, number in NODES.items():
            os.mknod("/dev/" + name, stat.S_IFCHR | 0o666, os.makedev(*map(int, number.split(":"))))
            os.chmod("/dev/" + name, 0o666)
        config = configure(place, script, [PROC, DEV])
        config["process"]["capabilities"] = sets
        out = fine(without_mknod(place, config))
        equal((out.count("Read-only file system"), out.splitlines()[-1]), (2, "written"))
        info = os.stat("/dev/null")
        equal((info.st_mode & 0o7777, info.st_uid), (0o666, 0))


def hidden_dev(place):
    """a mount that an image's symlink brings over /dev gets no devices"""
    need_container()
    there = place.file("there/")
    fill(place)
    os.symlink("/dev", place.rootfs + "/link")
    for mounts in ([DEV, bind(there, "/link")], [DEV, entry("/link", "tmpfs")],
                   [entry("/dev/", "tmpfs"), bind(there, "/link")]):
        fails(place, mounts, "/dev: another mount hides")
    # What the configuration itself says is meant so.
    equal(output(place, "ls /dev", [DEV, bind(there, "/dev")]), "")
    contains(output(place, "ls /dev", [bind(there, "/dev"), DEV]), "null")
    contains(output(place, "ls /dev", [bind(there, "/link"), DEV]), "null")
    os.rename(place.rootfs + "/dev", place.rootfs + "/other")
    os.symlink("other", place.rootfs + "/dev")
    contains(output(place, "ls /other", [DEV]), "null")
    equal(os.listdir(there), [])


def hidden_proc(place):
    """nothing comes over /proc or /sys, or into them, by an image's symlink, so that masks would miss what they are for"""
    need_container()
    there = place.file("there/")
    fill(place)
    for name, target in (("proc-link", "/proc"), ("sys-link", "../sys"), ("into", "/proc/sys"), ("deep", "into/kernel")):
        os.symlink(target, place.rootfs + "/" + name)
    for name in ("proc-link", "proc-link/sys", "into", "deep", "sys-link/kernel", "bin/../sys-link"):
        for mount in (bind(there, "/" + name), entry("/" + name, "tmpfs"), bind(there, "/" + name, "rbind", uids="0:0:9")):
            fails(place, [PROC, SYS, mount], "config.json: mounts[2]: ",
                  "leads by a symlink into a file system of the kernel's")
    file = place.file("file", "mine\n")
    # What the configuration itself says is meant so, and a link elsewhere leads nowhere bad.
    os.symlink("there", place.rootfs + "/elsewhere")
    place.file("bundle/rootfs/there/")
    mounts = [PROC, bind(file, "/proc/version"), bind(place.data, "/elsewhere")]
    equal(output(place, "cat /proc/version /there/file", mounts),
          "mine\ncontent\n")


TESTS = [no_mode, hidden_dev, hidden_proc, default_devices, no_devices, more_devices, no_mknod, masked_paths,
         read_only_paths, masks_stay_inside, false_null]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
