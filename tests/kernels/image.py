# SPDX-License-Identifier: MIT
"""What a guest boots into: an initramfs with the modules, and a disk with what the tests need of this machine.

The disk has the build and the source at the paths that they have here, and of the system the commands below with their
libraries, no more: what a test misses there, it misses by a skip that says so.
"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
COMMANDS = """
    sh bash env cat cp mv rm ln ls mkdir rmdir mknod chmod chown touch true false echo printf test [ sleep timeout sort head tail tr wc
    cut uniq seq id stat readlink realpath dirname basename mktemp date uname nproc tee dd expr sed grep awk mawk gawk find xargs diff
    cmp tar mount umount losetup unshare nsenter setpriv chroot ip strace ps kill hostname sha256sum od stty sync truncate tty
    mkfs.ext4 mke2fs mkfs.xfs mkfs.btrfs mkfs.erofs mksquashfs mount.fuse busybox crun runc newuidmap newgidmap findmnt lsns prlimit
    chrt ionice taskset mountpoint script setsid capsh getpcaps nice
""".split()
FILES = ["/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/nsswitch.conf", "/usr/lib/locale/C.utf8", "/etc/mke2fs.conf", "/etc/login.defs"]
# The one that containers have, too, whose /usr is the host's.
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
# Of Python's library what no test imports, and is large.
NOT_OF_PYTHON = ("test", "idlelib", "tkinter", "ensurepip", "lib2to3", "pydoc_data", "dist-packages", "site-packages", "config-*", "turtledemo")
NOT_OF_THE_BUILD = (".git", "*.o", "*.lo", "*.la", "*.a", "*.log", "*.trs", ".deps", "autom4te.cache", "kernels", "config.status",
                    "core", "core.*")
FREE = 2500 << 20       # sparse: what the tests may write


def needed_by(program):
    """The shared libraries of an ELF file, the loader among them; none of anything else."""
    done = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", done.stdout, re.MULTILINE)


class Stage:
    """The files of the disk, gathered in a directory."""

    def __init__(self, root):
        self.root = root
        self.done = set()
        for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
            if os.path.islink("/" + name):
                os.makedirs(os.path.join(root, "usr", name), exist_ok=True)
                os.symlink(os.readlink("/" + name), os.path.join(root, name))
        for name in ("dev", "proc", "sys", "tmp", "var/tmp", "run", "root", "etc", "mnt", "home"):
            os.makedirs(os.path.join(root, name), exist_ok=True)
        os.chmod(os.path.join(root, "tmp"), 0o1777)
        os.chmod(os.path.join(root, "var/tmp"), 0o1777)

    def inside(self, path):
        """Where @path is in here; no link that the system has among its directories leads out."""
        full = self.root + os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def file(self, path):
        """The file, what it links to, and the libraries that it needs."""
        if path in self.done or not os.path.lexists(path):
            return
        self.done.add(path)
        to = self.inside(path)
        if os.path.isdir(path):
            shutil.copytree(path, to, symlinks=True, dirs_exist_ok=True)
        elif os.path.islink(path):
            if not os.path.lexists(to):
                os.symlink(os.readlink(path), to)
            self.file(os.path.join(os.path.dirname(path), os.readlink(path)))
        else:
            shutil.copy2(path, to)
            for library in needed_by(path):
                self.file(library)

    def tree(self, path, left_out, but=None):
        """A directory but for what matches, and for the directory @but, at its own place, with the libraries of what is in it."""
        to, matching = self.inside(path), shutil.ignore_patterns(*left_out)
        shutil.copytree(path, to, symlinks=True, dirs_exist_ok=True, ignore=lambda folder, names: matching(folder, names) | {
            name for name in names if os.path.join(folder, name) == but})
        for folder, _, names in os.walk(to):
            for name in names:
                if os.access(os.path.join(folder, name), os.X_OK) or ".so" in name:
                    for library in needed_by(os.path.join(folder, name)):
                        if not library.startswith(path):
                            self.file(library)

    def text(self, path, text, mode=0o644):
        with open(self.inside(path), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.inside(path), mode)


def stage_system(stage):
    for name in COMMANDS:
        path = shutil.which(name, path=PATH)
        if path:
            stage.file(path)
    for path in FILES:
        stage.file(path)
    stage.file(PYTHON)
    library = subprocess.run([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"], check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
    stage.tree(library, NOT_OF_PYTHON)
    stage.text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n"
               "initsync-ci:x:65533:65533::/nonexistent:/bin/sh\n")
    stage.text("/etc/group", "root:x:0:\nnogroup:x:65534:\ninitsync-ci:x:65533:\n")
    for name in ("subuid", "subgid"):
        stage.text("/etc/" + name, "initsync-ci:1000000:65536\n")
    stage.text("/etc/hostname", "guest\n")


def make_disk(path, scratch, source, build, tests):
    """An ext4 image at @path; @tests: lines for guest.sh."""
    root = os.path.join(scratch, "disk")
    os.makedirs(root)
    stage = Stage(root)
    stage_system(stage)
    # One is often inside the other, or the same.
    stage.tree(source, NOT_OF_THE_BUILD, but=build)
    if build != source:
        stage.tree(build, NOT_OF_THE_BUILD, but=source)
    shutil.copy(os.path.join(HERE, "guest.sh"), stage.inside("/guest.sh"))
    stage.text("/tests", "".join(line + "\n" for line in tests))
    stage.text("/environment", "top_srcdir='%s'\ntop_builddir='%s'\nPYTHON3='%s'\n" % (source, build, PYTHON))
    size = sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for folder, _, names in os.walk(root) for name in names)
    with open(path, "wb") as file:
        file.truncate(size * 5 // 4 + FREE)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "root_owner=0:0,lazy_itable_init=1", "-d", root, path], check=True,
                   stdin=subprocess.DEVNULL)
    shutil.rmtree(root)


def make_initramfs(path, scratch, kernel):
    root = os.path.join(scratch, "initramfs-" + kernel.version)
    os.makedirs(os.path.join(root, "modules"))
    shutil.copy(shutil.which("busybox", path=PATH), os.path.join(root, "busybox"))
    names = []
    for module in kernel.modules():
        name = os.path.basename(module)
        shutil.copy(module, os.path.join(root, "modules", name))
        if name.endswith(".xz"):
            subprocess.run(["xz", "-d", os.path.join(root, "modules", name)], check=True)
            name = name[:-len(".xz")]
        names.append(name)
    with open(os.path.join(root, "modules", "order"), "w", encoding="ascii") as file:
        file.write("".join(name + "\n" for name in names))
    shutil.copy(os.path.join(HERE, "init.sh"), os.path.join(root, "init"))
    os.chmod(os.path.join(root, "init"), 0o755)
    for name in ("dev", "proc", "root"):
        os.mkdir(os.path.join(root, name))
    with open(path, "wb") as file:
        find = subprocess.Popen(["find", "."], cwd=root, stdout=subprocess.PIPE)
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root, stdin=find.stdout, stdout=file, check=True)
        find.wait()
    shutil.rmtree(root)
