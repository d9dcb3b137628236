# SPDX-License-Identifier: MIT
"""Debian's kernels, as they are in its packages: fetched and unpacked, never installed.

The package lists are of our own, in the cache: neither what is installed here nor what sources are configured matters.
"""
import glob
import os
import re
import subprocess

MIRROR = os.environ.get("INITSYNC_MIRROR", "http://deb.debian.org/debian")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# Which release has which kernel; of the cloud flavour, which is the smaller, and configured alike where we look.
SUITES = {"6.1": "bookworm", "6.12": "bookworm-backports"}
PACKAGE = "linux-image-cloud-amd64"
TOOLS = ("apt-get", "apt-cache", "dpkg-deb", "depmod", "modprobe", "xz")

# All that the tests have a use for: the root disk, file systems, an automount point, network devices.
MODULES = ("virtio_pci", "virtio_blk", "ext4", "overlay", "fuse", "loop", "xfs", "btrfs", "erofs", "squashfs", "autofs4", "veth",
           "dummy", "tun")


class Missing(Exception):
    """What is not to be had here."""


def run(*command, cwd=None):
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    if done.returncode:
        raise Missing("%s: %s" % (" ".join(command[:3]), done.stdout.strip()[-500:]))
    return done.stdout


class Kernel:
    def __init__(self, version, place):
        self.version = version
        self.place = place
        self.release = os.path.basename(glob.glob(os.path.join(place, "lib/modules/*"))[0])
        self.image = os.path.join(place, "boot", "vmlinuz-" + self.release)

    def modules(self):
        """The files, each after those that it needs; what is built in has none."""
        found = []
        for name in MODULES:
            try:
                text = run("modprobe", "-S", self.release, "-d", self.place, "--show-depends", name)
            except Missing:
                continue
            for path in re.findall(r"^insmod (\S+)", text, re.MULTILINE):
                if path not in found:
                    found.append(path)
        return found


class Archive:
    """apt with a state of its own, for one suite."""

    def __init__(self, suite, directory):
        self.directory = directory
        for name in ("lists/partial", "cache/archives/partial"):
            os.makedirs(os.path.join(directory, name), exist_ok=True)
        with open(os.path.join(directory, "sources.list"), "w", encoding="ascii") as file:
            file.write("deb [signed-by=%s] %s %s main\n" % (KEYRING, MIRROR, suite))
        open(os.path.join(directory, "status"), "w", encoding="ascii").close()
        self.options = ["-o", "Dir::Etc::sourcelist=%s/sources.list" % directory, "-o", "Dir::Etc::sourceparts=-",
                        "-o", "Dir::State::lists=%s/lists" % directory, "-o", "Dir::State::status=%s/status" % directory,
                        "-o", "Dir::Cache=%s/cache" % directory, "-o", "APT::Sandbox::User=root",
                        "-o", "APT::Architecture=amd64", "-o", "APT::Architectures=amd64"]

    def kernel_package(self):
        """The newest that the meta package stands for, the one to be found by name."""
        run("apt-get", *self.options, "update")
        text = run("apt-cache", *self.options, "show", "--no-all-versions", PACKAGE)
        match = re.search(r"^Depends: (linux-image-\S+)", text, re.MULTILINE)
        if not match:
            raise Missing("no kernel in " + text[:200])
        return match.group(1)

    def fetch(self, package):
        run("apt-get", *self.options, "download", package, cwd=self.directory)
        return glob.glob(os.path.join(self.directory, package + "_*.deb"))[0]


def unpacked(version, cache):
    """What an earlier call left."""
    place = os.path.join(cache, version)
    return Kernel(version, place) if os.path.exists(os.path.join(place, "complete")) else None


def get(version, cache):
    """The kernel of series @version, from the cache or from Debian."""
    kernel = unpacked(version, cache)
    if kernel:
        return kernel
    archive = Archive(SUITES[version], os.path.join(cache, "apt-" + version))
    place = os.path.join(cache, version)
    run("dpkg-deb", "-x", archive.fetch(archive.kernel_package()), place)
    for part in ("lib", "usr/lib"):
        if os.path.isdir(os.path.join(place, part, "modules")) and part != "lib":
            os.symlink("usr/lib", os.path.join(place, "lib"))
    kernel = Kernel(version, place)
    run("depmod", "-b", place, kernel.release)
    open(os.path.join(place, "complete"), "w", encoding="ascii").close()
    return kernel
