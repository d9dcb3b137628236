# SPDX-License-Identifier: MIT
"""Runs tests on Debian's kernels under qemu: `make check-kernels`.

    run.py [--kernels "6.1 6.12"] [--timeout SECONDS] [--jobs GUESTS] TEST...

A test is a file below the build directory, or with .py or .sh below the source. Prints TAP, a line for each test on each kernel and
the results of a test that fails behind it. A test fails by a failure, by an end that is none, and by a skip that is not in
tests/kernels/skips. Kernels run side by side, as many as there are processors.

INITSYNC_KERNELS, INITSYNC_KERNEL_CACHE (where kernels are kept), INITSYNC_ACCEL (tcg or kvm) and INITSYNC_MIRROR (Debian's) change
what their names say.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import image
import packages

BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
SOURCE = os.path.abspath(os.environ.get("top_srcdir", os.path.join(HERE, "..", "..")))
QEMU = "qemu-system-x86_64"
# Emulated cmpxchg16b of qemu 7.2 crashes kernels that use it.
TCG = ["-accel", "tcg,thread=multi", "-cpu", "max,-cx16"]
KVM = ["-accel", "kvm", "-cpu", "host"]
KVM_TRIAL = 25          # seconds in which a guest says something, or KVM does not work here (nested, it may hang)
QUIET = 180             # seconds beyond a test's limit without a word from the guest

Result = collections.namedtuple("Result", "name status seconds lines")


class Guest:
    """A virtual machine, and what comes from its second serial line."""

    def __init__(self, kernel, accel, initramfs, disk, scratch, timeout):
        self.tap = os.path.join(scratch, "tap")
        self.console = os.path.join(scratch, "console")
        open(self.tap, "wb").close()
        command = [QEMU, *accel, "-smp", "2", "-m", "2048", "-nic", "none", "-vga", "none", "-display", "none", "-monitor", "none",
                   "-no-reboot", "-kernel", kernel.image, "-initrd", initramfs,
                   "-append", "console=ttyS0 quiet panic=-1 initsync.timeout=%d" % timeout,
                   "-drive", "file=%s,if=virtio,format=raw,cache=unsafe" % disk,
                   "-serial", "file:" + self.console, "-serial", "file:" + self.tap]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def lines(self, quiet):
        """Whole lines as they come, until the machine is off, or has said nothing for @quiet seconds."""
        rest, last = b"", time.monotonic()
        with open(self.tap, "rb") as file:
            while True:
                ended = self.process.poll() is not None
                data = file.read()
                if data:
                    last = time.monotonic()
                    *whole, rest = (rest + data).split(b"\n")
                    for line in whole:
                        yield line.decode(errors="replace").rstrip("\r")
                elif ended:
                    return
                elif time.monotonic() - last > quiet:
                    yield "@@ silent"
                    return
                else:
                    time.sleep(0.2)

    def end(self):
        self.process.kill()
        self.process.wait()

    def last_words(self):
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]


def results(lines):
    """What the guest says, test by test; at last one without a name, whose lines are those of no test, and how it ended."""
    name, start, gathered, how, before = None, time.monotonic(), [], "off", 0.0
    for line in lines:
        if line.startswith("@@ begin "):
            name, start, gathered = line[9:], time.monotonic(), []
        elif line.startswith("@@ end "):
            yield Result(name, int(line.split()[2]), time.monotonic() - start, gathered)
            name, gathered = None, []
        elif line in ("@@ done", "@@ silent"):
            how = line[3:]
        elif line.startswith("@@ kernel "):
            yield Result("", 0, 0, [line[10:]])
        else:
            gathered.append(line)
    if name:
        yield Result(name, None, time.monotonic() - start, gathered)
    yield Result(None, how, 0, gathered)


def read_skips():
    """[(kernels, test, name, reason)] of what an older kernel cannot do."""
    with open(os.path.join(HERE, "skips"), encoding="utf-8") as file:
        lines = [re.split(r"\s\s+", line.strip(), maxsplit=3) for line in file if line.strip() and not line.startswith("#")]
    return [(tuple(kernels.split(",")), test, name, reason) for kernels, test, name, reason in lines]


class Judge:
    """Counts, and prints; one for all kernels."""

    def __init__(self, skips):
        self.skips = skips
        self.counts = collections.defaultdict(collections.Counter)
        self.number = 0
        self.lock = threading.Lock()

    def figures(self, version):
        return ", ".join("%d %s" % (self.counts[version][what], what) for what in ("passed", "failed", "skipped"))

    def failed(self):
        return any(counts["failed"] for counts in self.counts.values())

    def may_skip(self, version, test, name):
        for row in self.skips:
            if version in row[0] and test == row[1] and fnmatch.fnmatchcase(name, row[2]):
                return True
        return False

    def wrong(self, version, result):
        """What speaks against a test's result, and counts what is in there."""
        problems, seen, counts = [], 0, self.counts[version]
        for at, line in enumerate(result.lines):
            skip = re.match(r"(?:ok \d+ - |1\.\.0 )(.*?) *# ?SKIP", line)
            if re.match(r"not ok \d+", line):
                counts["failed"] += 1
                problems.append(line)
            elif skip:
                counts["skipped"] += 1
                if not self.may_skip(version, result.name, skip.group(1)):
                    # cmocka 1.1.5 says why on a line of its own, in front.
                    problems.append("not in tests/kernels/skips: " + " ".join(result.lines[max(0, at - 1):at + 1]))
            elif re.match(r"ok \d+", line):
                counts["passed"] += 1
            else:
                continue
            seen += 1
        if result.status != 0:
            problems.append("no end" if result.status is None else "status %d" % result.status)
        return problems + ([] if seen else ["no results"])

    def tell(self, version, result):
        with self.lock:
            self.tell_one(version, result)

    def remark(self, text):
        with self.lock:
            print("# " + text.replace("\n", "\n# "), flush=True)

    def tell_one(self, version, result):
        problems = self.wrong(version, result)
        self.number += 1
        if problems and not any(line.startswith("not ok") for line in problems):
            self.counts[version]["failed"] += 1
        print("%s %d - %s: %s (%.0f s)" % ("not ok" if problems else "ok", self.number, version, result.name, result.seconds))
        for line in problems + (["---"] + result.lines[-150:] if problems else
                                [line for line in result.lines if "# SKIP" in line]):
            print("#   " + line)
        sys.stdout.flush()


def kvm_works(kernel, initramfs, disk, scratch):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    guest = Guest(kernel, KVM, initramfs, disk, scratch, 1)
    try:
        return any(line.startswith("@@ kernel ") for line in guest.lines(KVM_TRIAL))
    finally:
        guest.end()


def accelerator(*guest):
    wanted = os.environ.get("INITSYNC_ACCEL")
    if wanted not in (None, "", "tcg", "kvm"):
        raise packages.Missing("INITSYNC_ACCEL: tcg or kvm")
    return KVM if wanted == "kvm" or not wanted and kvm_works(*guest) else TCG


def copy_of(disk, scratch):
    path = os.path.join(scratch, "run.img")
    subprocess.run(["cp", "--sparse=always", disk, path], check=True)
    return path


def left_out(version, tests, judge):
    """Tests that are not run on this kernel, told by name; returns the others."""
    rest = []
    for test in tests:
        reasons = [row[3] for row in judge.skips if version in row[0] and test == row[1] and row[2] == "-"]
        if reasons:
            with judge.lock:
                judge.number += 1
                judge.counts[version]["skipped"] += 1
                print("ok %d - %s: %s # SKIP %s" % (judge.number, version, test, reasons[0]), flush=True)
        else:
            rest.append(test)
    return rest


def on_kernel(version, kernel, scratch, tests, timeout, judge):
    disk, initramfs = os.path.join(scratch, "disk.img"), os.path.join(scratch, "initramfs.cpio")
    image.make_disk(disk, scratch, SOURCE, BUILD, kinds(tests))
    image.make_initramfs(initramfs, scratch, kernel)
    accel = accelerator(kernel, initramfs, copy_of(disk, scratch), scratch)
    guest = Guest(kernel, accel, initramfs, copy_of(disk, scratch), scratch, timeout)
    start, told = time.monotonic(), set()
    try:
        for result in results(guest.lines(timeout + QUIET)):
            if result.name is None:
                how = result.status
            elif result.name == "":
                judge.remark("Debian's %s under qemu, %s" % (result.lines[0], accel[1].split(",")[0]))
            else:
                judge.tell(version, result)
                told.add(result.name)
        for name in tests:
            if name not in told:
                judge.tell(version, Result(name, None, 0, ["never begun: the guest ended, %s" % how]))
        if how != "done":
            judge.remark("%s: %s" % (version, guest.last_words()))
    finally:
        guest.end()
    judge.remark("%s: %s in %.0f min" % (version, judge.figures(version), (time.monotonic() - start) / 60))


def kinds(tests):
    return [(test[-2:] if test.endswith((".py", ".sh")) else "program") + " " + test for test in tests]


def needed():
    for name in (QEMU, "cpio", "mkfs.ext4", "busybox", *packages.TOOLS):
        if not shutil.which(name, path=image.PATH):
            raise packages.Missing("no " + name)
    if os.uname().machine != "x86_64":
        raise packages.Missing("the kernels are for x86_64")


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernels", default=os.environ.get("INITSYNC_KERNELS") or " ".join(packages.SUITES))
    parser.add_argument("--timeout", type=int, default=1800)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="guests at once")
    parser.add_argument("tests", nargs="+")
    return parser.parse_args()


def main():
    args = parse()
    judge = Judge(read_skips())
    cache = os.path.abspath(os.environ.get("INITSYNC_KERNEL_CACHE") or os.path.join(BUILD, "kernels"))
    try:
        needed()
        os.makedirs(cache, exist_ok=True)
        kernels = {version: packages.get(version, cache) for version in args.kernels.split()}
    except packages.Missing as why:
        print("1..0 # SKIP %s" % why)
        return 0
    print("1..%d" % (len(kernels) * len(args.tests)), flush=True)
    scratch = tempfile.mkdtemp(prefix="kernels-")
    try:
        with concurrent.futures.ThreadPoolExecutor(max(1, args.jobs)) as pool:
            guests = []
            for version, kernel in kernels.items():
                place = os.path.join(scratch, version)
                os.mkdir(place)
                guests.append(pool.submit(on_kernel, version, kernel, place, left_out(version, args.tests, judge), args.timeout,
                                          judge))
        for guest in guests:
            guest.result()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return 1 if judge.failed() else 0


if __name__ == "__main__":
    sys.exit(main())
