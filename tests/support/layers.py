# SPDX-License-Identifier: MIT
"""Images of layers, and containers on them."""
import os
import shutil

import box
import tool
from tool import Skip, equal, need_root

PREFIX = "org.libinitsync.rootfs."
DENY = os.path.join(tool.BUILD, "tests", "support", "deny-syscall")
NO_DESCRIPTORS = "431/1=5:EBADF"        # fsconfig(FSCONFIG_SET_FD): Linux 6.12
RIGHTS = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER"]


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


def older():
    """A command in front, under which the kernel takes no layers by descriptor."""
    if not os.path.exists(DENY):
        raise Skip("tests/support/deny-syscall is not built")
    return [DENY, NO_DESCRIPTORS, "--"]
