# SPDX-License-Identifier: MIT
"""The terminal that a container gets: whose it is, where it is, and what an image cannot do with it. Prints TAP."""
import fcntl
import json
import os
import shutil
import subprocess
import sys
import termios

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import container
import tap
import tool
from container import DEV, PROC, PTS
from terminal import configuration, mapped, output, refuses, shown, terminal
from tool import Skip, bind, contains, equal, need_root

BUNDLES = os.path.join(tool.SOURCE, "tests", "bundles")


def owner(place):
    """the terminal is the user's, of the group tty where there is one, and he can open it again"""
    script = "stat -c %u:%g:%a /dev/pts/0 /dev/console; echo a >/dev/pts/0; echo b >/dev/console; echo c >/dev/tty; id -u"
    wanted = "1000:5:620\n" * 2 + "a\nb\nc\n1000\n"
    equal(output(place, script, user={"uid": 1000, "gid": 1000}), wanted)
    for count, group in ((65536, "5:620"), (5, "0:600")):
        pts = dict(PTS, options=[option for option in PTS["options"] if count > 5 or option != "gid=5"])
        config = mapped(place, configuration(place, script, entries=[PROC, DEV, pts]), count)
        with shown(place, config) as here:
            equal(here.wait(), 0)
            equal(here.rest().replace("\r\n", "\n"), ("0:%s\n" % group) * 2 + "a\nb\nc\n0\n")


def descriptors(place):
    """nothing but its terminal is open in the container"""
    inside = json.loads(output(place, "exec probe descriptors"))["descriptors"]
    equal(sorted(inside), ["0", "1", "2"])


def image_dev(place):
    """a /dev of the image: its console is covered; one that is a symlink, or a directory, is refused"""
    config = configuration(place, "tty; echo out >/dev/console", entries=[PROC, PTS])
    place.file("bundle/rootfs/dev/pts/")
    place.file("secret", "host's")
    console = place.rootfs + "/dev/console"
    with shown(place, config) as here:
        equal(here.wait(), 0)
        contains(here.rest(), "out\r\n")
    equal(os.stat(console).st_size, 0)
    place.file("bundle/rootfs/dev/other")
    for target in ("other", "pts/ptmx", "/dev/null", "../secret", place.path + "/secret"):
        os.unlink(console)
        os.symlink(target, console)
        refuses(place, config, "config.json: process.terminal: /dev/console: openat2: Too many levels of symbolic links")
    os.unlink(console)
    os.mkdir(console)
    refuses(place, config, "config.json: process.terminal: /dev/console: ", "Not a directory")


def no_devpts(place):
    """without a devpts in the container, or with something over it, there is no terminal"""
    refuses(place, configuration(place, "true", entries=[PROC, DEV]),
            "config.json: process.terminal: /dev/pts: openat2: No such file")
    tmpfs = container.entry("/dev/pts", "tmpfs")
    refuses(place, configuration(place, "true", entries=[PROC, DEV, tmpfs]),
            "config.json: process.terminal: /dev/pts: expected a devpts file system in mounts")
    over = bind(place.file("ptmx"), "/dev/pts/ptmx")
    refuses(place, configuration(place, "true", entries=[PROC, DEV, PTS, over]),
            "config.json: process.terminal: /dev/pts/ptmx: openat2: Invalid cross-device link")


def bound_dev(place):
    """in a /dev that is bound nothing is made; its console, if there is one, is covered in the container alone"""
    # That nothing appears out here when mounts are shared is looked at after the test.
    need_root("make a devpts")
    dev = place.file("dev/")
    tool.mount("tmpfs", dev, "tmpfs")
    tool.mount(None, dev, flags=tool.MS_SHARED)
    place.file("dev/pts/")
    tool.mount("devpts", dev + "/pts", "devpts", data="newinstance,ptmxmode=0666,gid=5,mode=620")
    before = tool.mounts()
    try:
        config = configuration(place, "tty; ls /dev", entries=[PROC, bind(dev, "/dev", "rbind")])
        with shown(place, config) as here:
            equal((here.wait(), here.rest()), (0, "/dev/pts/0\r\npts\r\n"))
        console = place.file("dev/console", "mine")
        config = configuration(place, "echo out >/dev/console; exit 3", entries=[PROC, bind(dev, "/dev", "rbind")])
        with shown(place, config) as here:
            equal((here.wait(), here.rest()), (3, "out\r\n"))
        config = configuration(place, "tty; exit 3", entries=[PROC, bind(dev, "/dev", "rbind")])
        config["linux"]["rootfsPropagation"] = "shared"
        with shown(place, config) as here:
            equal((here.wait(), here.rest()), (3, "/dev/pts/0\r\n"))
        equal(tool.mounts(), before)
        with open(console, encoding="ascii") as file:
            equal(file.read(), "mine")
    finally:
        tool.checked(tool.libc.umount2(dev.encode(), 2))


def exchanged_dev(place):
    """the image's directory /dev becomes a symlink to a bind of the host's once the container's own is mounted"""
    need_root("run hooks")
    outside = place.file("outside/")
    place.file("outside/pts/")
    entries = [PROC, DEV, PTS, bind(outside, "/host"), container.entry("/host/pts", "devpts", *PTS["options"])]
    config = configuration(place, "true", entries=entries)
    config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cd '%s' && mv dev old && ln -s host dev" %
                                                                      place.rootfs]}]}
    with shown(place, config) as here:
        here.wait()
    equal((os.listdir(outside), os.readlink(place.rootfs + "/dev")), (["pts"], "host"))


# ---- as somebody else -------------------------------------------------------------------

def ordinary_user(place):
    """somebody without rights, in a user namespace of his own"""
    container.fill(place)
    with open(os.path.join(BUNDLES, "runc-rootless-v2.json"), encoding="utf-8") as file:
        config = json.load(file)
    user = 65533 if tool.ROOT else os.getuid()
    config["linux"]["uidMappings"][0]["hostID"] = user
    config["linux"]["gidMappings"][0]["hostID"] = 65533 if tool.ROOT else os.getgid()
    if tool.ROOT:
        shutil.chown(place.rootfs, user, user)
    program, environment = tool.copy_tool(place)
    os.chmod(place.path, 0o755)
    bundle = place.write(config)
    with terminal() as here:
        def become():
            os.setsid()
            fcntl.ioctl(here.tty, termios.TIOCSCTTY, 0)
            tool.ordinary_user()

        here.process = subprocess.Popen([program, "run", "--bundle", bundle, "test"], stdin=here.tty, stdout=here.tty,
                                        stderr=here.tty, preexec_fn=become, env=environment, pass_fds=[here.tty])
        try:
            here.expect("/ # ")
        except AssertionError:
            text = here.rest() + here.seen.decode()
            if "Operation not permitted" in text or "clone3" in text:
                raise Skip("no user namespaces here: " + text.strip())
            raise
        here.type("tty; stty size; stat -c %u:%g:%a /dev/console; exit 4\r")
        here.expect("/dev/pts/0\r\n24 80\r\n0:0:600\r\n")
        equal(here.wait(), 4)
        here.restored()


TESTS = [owner, descriptors, image_dev, no_devpts, bound_dev, exchanged_dev, ordinary_user]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
