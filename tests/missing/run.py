# SPDX-License-Identifier: MIT
"""The tests, without each of the newer system calls: `make check-missing`.

Calls that others can stand in for are taken away one at a time and then all at once, answered as an older kernel does and with EPERM, as
a container's filter does: each test given (a file below the build directory, or with .py or .sh below the source) must pass
or skip itself. Which of the calls a test makes is seen first, in a run with all of them there (tests/support/watch-syscall): without
one that it does not make it would run as it does with it, and is not run. One that fails while it is watched is taken to make
all. Several run at a time; what fails is run once more, at the end and alone.

Calls that safety stands on are taken from `syncdemo run`: it either works or ends with one line that names the call, and
leaves nothing. Prints TAP, a line for each test without each call. tests/fault-kernel does the same to a conversation of the library.

What a test may fail at is in tests/missing/refused. MISSING='statmount openat2' chooses calls; "all" is those of the first kind together.
"""
import concurrent.futures
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
SOURCE = os.path.abspath(os.environ.get("top_srcdir", os.path.join(HERE, "..", "..")))
DENY = os.path.join(BUILD, "tests", "support", "deny-syscall")
WATCH = os.path.join(BUILD, "tests", "support", "watch-syscall")
IOCTL, SETSOCKOPT, MEMFD_CREATE, CLONE3 = 16, 54, 319, 435      # of x86_64; the others are everywhere the same

# What has a fallback: (name, what is denied, what an older kernel says)
FALLBACK = (
    ("open_tree_attr", ("467",), "ENOSYS"),
    ("statmount", ("457",), "ENOSYS"),
    ("listmount", ("458",), "ENOSYS"),
    ("close_range", ("436",), "ENOSYS"),
    ("PIDFD_GET_NAMESPACE", tuple("%d/1=%d" % (IOCTL, 0xFF01 + n) for n in range(10)), "ENOTTY"),
    ("PIDFD_GET_INFO", ("%d/1=%d" % (IOCTL, 0xC040FF0B),), "ENOTTY"),
    ("SO_PASSRIGHTS", ("%d/2=83" % SETSOCKOPT,), "ENOPROTOOPT"),
    ("MFD_EXEC", ("%d/1=%d" % (MEMFD_CREATE, 0x13), "%d/1=%d" % (MEMFD_CREATE, 0x11)), "EINVAL"),
)
# Filters see the flags of memfd_create(2) and none looks at them: without the whole call, sealing refuses, as it should.
ONE_ANSWER = ("MFD_EXEC",)
# What has none, for safety's sake, or because the C library's threads have none either (clone3 answered by EPERM).
REFUSED = (("clone3", CLONE3), ("openat2", 437), ("open_tree", 428), ("move_mount", 429), ("fsopen", 430), ("fsconfig", 431), ("fsmount", 432),
           ("mount_setattr", 442), ("pidfd_open", 434), ("pidfd_send_signal", 424), ("pidfd_getfd", 438))


class Report:
    def __init__(self):
        self.number = self.failed = self.passed = self.skipped = 0
        with open(os.path.join(HERE, "refused"), encoding="utf-8") as file:
            lines = [re.split(r"\s\s+", line.strip(), maxsplit=3) for line in file if line.strip() and line[0] != "#"]
        self.rows = [(calls.split(","), test, name) for calls, test, name, _ in lines]

    def may_fail(self, call, test, line):
        name = re.sub(r"^not ok \d+ -? ?", "", line)
        return any(call in row[0] and test == row[1] and fnmatch.fnmatchcase(name, row[2] + "*") for row in self.rows)

    def __call__(self, problems, what, notes=()):
        self.number += 1
        self.failed += bool(problems)
        print("%s %d - %s" % ("not ok" if problems else "ok", self.number, what))
        for line in [*problems, *notes]:
            print("#   " + line)
        sys.stdout.flush()


def run(command, prefix, timeout, env=None):
    process = subprocess.Popen([*prefix, "--", *command], cwd=BUILD, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, errors="replace", env=env)
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def run_test(test, prefix):
    source = os.path.join(SOURCE, test)
    command = {".py": [sys.executable, source], ".sh": ["sh", source]}.get(test[-3:], [os.path.join(BUILD, test)])
    return run(["sh", os.path.join(SOURCE, "tests", "run-tap.sh"), *command], prefix, 1200)


def watched(test):
    """(seconds, the names of FALLBACK that @test makes, why it could not be seen or None)"""
    specs = [part for _, parts, _ in FALLBACK for part in parts]
    start = time.monotonic()
    with tempfile.NamedTemporaryFile("r", prefix="missing-") as made:
        code, out, _ = run_test(test, [WATCH, "--but", os.path.realpath("/proc/self/exe"), made.name, ",".join(specs)])
        found = set(made.read().split())
    wrong = re.findall(r"^not ok.*|.*# ?SKIP.*", out, re.MULTILINE) or (code != 0 and ["status %d" % code])
    calls = {name for name, parts, _ in FALLBACK if wrong or found & set(parts)}
    return time.monotonic() - start, calls, wrong[0] if wrong else None


class Attempt:
    """One test without some calls."""

    def __init__(self, test, name, error, calls):
        self.test = test
        self.name = name
        self.answer = error or "older kernel"
        self.denied = ",".join("%s:%s" % (part, older if name in ONE_ANSWER else error or older)
                               for name, parts, older in calls for part in parts)
        self.wrong = self.skips = ()
        self.passed = 0

    def run(self, report):
        start = time.monotonic()
        code, out, err = run_test(self.test, [DENY, self.denied])
        bad = [line for line in out.splitlines() if line.startswith("not ok")]
        self.wrong = [line for line in bad if not report.may_fail(self.name, self.test, line)]
        self.skips = [line for line in out.splitlines() if re.match(r"(ok \d+|1\.\.0) .*# ?SKIP", line)]
        self.passed = len(re.findall(r"^ok \d+", out, re.MULTILINE)) - len(self.skips)
        if code != 0 and not bad:
            self.wrong.append("status %d" % code)
        if self.wrong:
            self.wrong += (out + err).splitlines()[-60:]
        self.seconds = time.monotonic() - start
        return self

    def tell(self, report, again):
        report.passed += self.passed
        report.skipped += len(self.skips)
        what = "without %s (%s): %s (%.0f s%s)" % (self.name, self.answer, self.test, self.seconds, again)
        report(self.wrong, what, self.skips)


def attempts(made, wanted):
    """
    What is to be run, first that which says most, and of that the longest.

    The tool's tests take long, and what one answer means is decided in the library, whose tests get both: of calls that are
    missing alone they get one, by turns, of all together both. MISSING='statmount' gives them both.
    """
    todo = []
    for turn, test in enumerate(made):
        calls = [call for call in FALLBACK if call[0] in made[test][1]]
        of_tool = os.path.basename(test).startswith("tool-")
        sets = [(call[0], [call]) for call in calls if not wanted or call[0] in wanted]
        if calls and (not wanted or "all" in wanted):
            sets.append(("all", FALLBACK))
        for name, denied in sets:
            for which, error in enumerate((None, "EPERM")):
                if error and name in ONE_ANSWER:
                    continue
                if wanted or not of_tool or name in ("all", *ONE_ANSWER) or (turn + FALLBACK.index(denied[0])) % 2 == which:
                    todo.append(((name != "all", of_tool, -made[test][0]), Attempt(test, name, error, denied)))
    return [one for _, one in sorted(todo, key=lambda entry: entry[0])]


def with_fallback(report, tests, wanted):
    failed = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        made = dict(zip(tests, pool.map(watched, tests)))
        for test, (seconds, calls, why) in made.items():
            print("# %s (%.0f s) makes %s" % (test, seconds, why and "all, as it failed: " + why or " ".join(sorted(calls)) or "none"))
        todo = attempts(made, wanted)
        print("# %d runs" % len(todo), flush=True)
        for done in concurrent.futures.as_completed([pool.submit(one.run, report) for one in todo]):
            one = done.result()
            if one.wrong:
                failed.append(one)
            else:
                one.tell(report, "")
    for one in failed:
        print("# once more: without %s (%s): %s: %s" % (one.name, one.answer, one.test, one.wrong[0]))
        one.run(report).tell(report, ", alone")
    for name, _, _ in FALLBACK:
        if not wanted or name in wanted:
            users = [test for test in made if name in made[test][1] and not made[test][2]]
            report([] if users else ["watch-syscall saw nobody"], "%s is made by %d tests" % (name, len(users)))


# ---- what has no fallback ---------------------------------------------------------

def make_bundle(place):
    busybox = shutil.which("busybox")
    rootfs = os.path.join(place, "rootfs")
    for name in ("bin", "mnt", "proc"):
        os.makedirs(os.path.join(rootfs, name))
    os.makedirs(os.path.join(place, "data"))
    shutil.copy(busybox, os.path.join(rootfs, "bin", "sh"))
    ids = [{"containerID": 0, "hostID": 100000, "size": 1}]
    config = {"ociVersion": "1.0.2", "root": {"path": "rootfs"},
              "process": {"args": ["/bin/sh", "-c", "echo started"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
              "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                         {"destination": "/mnt", "type": "bind", "source": place + "/data", "options": ["bind"],
                          "uidMappings": ids, "gidMappings": ids}],
              "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}}
    with open(os.path.join(place, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file)


def outside():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return file.read(), sorted(os.listdir("/tmp"))


def refuses(report, place, name, number, answer):
    libs = os.path.join(BUILD, ".libs")
    tool = os.path.join(libs, "syncdemo") if os.path.exists(os.path.join(libs, "syncdemo")) else os.path.join(BUILD, "syncdemo")
    before = outside()[0]
    code, out, err = run([tool, "run", "--bundle", place, "missing"], [DENY, "%d:%s" % (number, answer)], 30,
                         dict(os.environ, LD_LIBRARY_PATH=libs))
    problems = []
    if code == 0:
        if (out, err) != ("started\n", ""):
            problems.append("status 0, and %r %r" % (out, err))
    elif code != 1 or out or err.count("\n") != 1 or not err.startswith("syncdemo: ") or name not in err:
        problems.append("status %d, %r, expected one line that names the call: %r" % (code, out, err))
    if outside()[0] != before:
        problems.append("a mount is left")
    report(problems, "without %s (%s): syncdemo run %s" % (name, answer, "works" if code == 0 else "refuses"),
           err.splitlines())


def without_fallback(report, wanted):
    place = tempfile.mkdtemp(prefix="missing-")
    os.chmod(place, 0o755)
    try:
        make_bundle(place)
        for name, number in REFUSED:
            for answer in ("ENOSYS", "EPERM"):
                if not wanted or name in wanted:
                    refuses(report, place, name, number, answer)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main(tests):
    if os.uname().machine != "x86_64" or os.geteuid() != 0 or not shutil.which("busybox"):
        print("1..0 # SKIP needs root, busybox and x86_64")
        return 0
    report, wanted = Report(), os.environ.get("MISSING", "").split()
    without_fallback(report, wanted)
    with_fallback(report, tests, wanted)
    print("1..%d" % report.number)
    print("# %d results passed, %d skipped; %d of %d runs failed" % (report.passed, report.skipped, report.failed, report.number))
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
