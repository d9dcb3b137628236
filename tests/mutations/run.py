# SPDX-License-Identifier: MIT
"""Takes every defence out, one at a time, and looks whether the test of it fails: `make check-mutations`.

In copies of the source tree, one for each processor: the tests that are named must pass there; then each patch is applied, what
its test needs is built, and that test alone is run. It must fail, in the way that the patch says (tests/support/mutation.py);
a crash is no failure. Arguments are names of patches; none means all. Prints TAP.
"""
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import queue

sys.dont_write_bytecode = True  # the source tree may be read-only
HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "tests", "support"))
import mutation

LIMIT = 60              # seconds for one test, of which most take less than one
HANG_LIMIT = 15         # where the patch says that the test hangs
LEFT_OUT = (".git", ".libs", ".deps", "autom4te.cache", "__pycache__", "config.status", "config.h", "Makefile", "libtool",
            "*.o", "*.lo", "*.la", "*.log", "*.trs", "stamp-h1")
# What a script among the tests needs beside itself.
TOOLS = ["syncdemo", "tests/support/calls", "tests/support/deny-syscall", "tests/support/hostile", "tests/support/probe",
         "tests/support/watch-syscall"]
CRASHES = re.compile(r"Test failed with exception: |killed by signal (4|5|6|7|8|11)\b|Sanitizer: ")


class Tree:
    """A copy of the source, built without optimisation and shared libraries, in which nothing is locked to its place."""

    def __init__(self, path):
        self.path = path
        self.build = os.path.join(path, "mutants")
        self.scratch = os.path.join(path, "mutants", "tmp")     # for what tests leave that are killed

    def copy_source(self):
        patterns = shutil.ignore_patterns(*LEFT_OUT)

        def left_out(where, names):
            built = {name for name in names if os.path.exists(os.path.join(where, name, "config.status"))}
            return patterns(where, names) | (built if where == SOURCE else set())

        shutil.copytree(SOURCE, self.path, symlinks=True, ignore=left_out)
        if not os.path.exists(os.path.join(self.path, "configure")):
            self.run("autoreconf", "-fi", cwd=self.path)
        os.makedirs(self.scratch)
        os.chmod(self.scratch, 0o1777)
        self.run("../configure", "--disable-shared", "--enable-tests", "--enable-tools", "CFLAGS=-O0 -g")

    def run(self, *command, cwd=None):
        done = subprocess.run(command, cwd=cwd or self.build, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        if done.returncode:
            raise mutation.Broken("%s:\n%s" % (" ".join(command), done.stdout[-3000:]))

    def targets(self, test):
        if test.endswith(".py"):
            return [target for target in TOOLS if target == "syncdemo" or self.has(target)]
        return ["libraw.la"] if test.endswith(".sh") else [test]

    def has(self, target):
        """Is it built in this configuration?"""
        return subprocess.run(["make", "-n", target], cwd=self.build, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0

    def make(self, targets, jobs=1):
        self.run("make", "-j%d" % jobs, *targets)

    def command(self, test):
        source = os.path.join(self.path, test)
        command = {".py": [sys.executable, source], ".sh": ["sh", source]}.get(test[-3:], [os.path.join(self.build, test)])
        # Whatever a test that fails leaves behind dies with its namespace. The shell is process 1 there: the test must not be.
        if os.geteuid() == 0:
            command = ["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh",
                       *command]
        return command

    def environment(self, function):
        objects = " ".join(sorted(name for folder in ("kernel", "mount", "base") for name in self.raw_objects(folder)))
        return dict(os.environ, top_builddir=self.build, top_srcdir=self.path, RAW_OBJECTS=objects, INITSYNC_TEST=function,
                    CMOCKA_MESSAGE_OUTPUT="TAP", PYTHONDONTWRITEBYTECODE="1", TMPDIR=self.scratch)

    def raw_objects(self, folder):
        path = os.path.join(self.build, "src", folder)
        if not os.path.isdir(path):
            return []
        return ["src/%s/%s" % (folder, name) for name in os.listdir(path) if re.fullmatch(r"libraw_la-.*\.lo", name)]

    def test(self, test, function, limit):
        """(exit status or None after @limit, what it printed)"""
        process = subprocess.Popen(self.command(test), cwd=self.build, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
                                   env=self.environment(function))
        try:
            out, _ = process.communicate(timeout=limit)
            return process.returncode, out
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            return None, out


def results(output):
    """Verdicts of TAP: of cmocka with the name behind the number, of cmocka 1.1.5 a skip looks like a failure."""
    found = re.findall(r"^(not ok|ok) \d+( # SKIP| - .*# SKIP)?", output, re.MULTILINE)
    return ["skip" if skip else verdict for verdict, skip in found]


def judge_intact(status, output):
    """Why a mutation cannot be judged by this test, None when it can."""
    verdicts = results(output)
    if "not ok" in verdicts or status != 0:
        return "fails without any change: status %s\n%s" % (status, output[-1000:])
    if "skip" in verdicts or "# SKIP" in output:
        return "SKIP"
    return None if verdicts else "there is no such test"


def died_of(status):
    """The signal's name; unshare(1) passes it on, a shell adds it to 128."""
    number = -status if status < 0 else status - 128
    return signal.Signals(number).name if 0 < number < 64 else None


def judge(one, status, output):
    """What is wrong with how the test took the loss of the defence; None for nothing."""
    if status is None:
        return None if one.hangs else "hangs"
    if one.dies:
        return None if died_of(status) == one.dies else "does not die of %s: status %d" % (one.dies, status)
    if status < 0 or status > 128 or CRASHES.search(output):
        return "crashes: status %d" % status
    # The second is what cmocka says of the group, when the text of a failure was too long for it.
    if "not ok" not in results(output) and not re.search(r"^(?:# )+not ok - ", output, re.MULTILINE):
        return "DOES NOT FAIL"
    return None


def reason(output):
    """The line that says most of a failure."""
    for pattern in (r"Assertion .* failed", r"^(?:# +)*(AssertionError.*|.*Error: .*)$", r"^# (got .*)$", r"^.*(?:!=|: error:).*$",
                    r"^not ok .*$"):
        match = re.search(pattern, output, re.MULTILINE)
        if match:
            return match.group(0).strip("# ")[:150]
    return ""


class Report:
    def __init__(self, total):
        self.lock = threading.Lock()
        self.number = self.failed = self.skipped = 0
        self.total = total

    def __call__(self, one, verdict, seconds, text=""):
        with self.lock:
            self.number += 1
            self.failed += verdict == "not ok"
            self.skipped += text.startswith("# SKIP")
            print("%s %d - %s %s %s (%.1f s)" % (verdict, self.number, one.name, one.test, one.function, seconds), end="")
            print(" " + text if text.startswith("# SKIP") else "\n# " + text.replace("\n", "\n# ") if text else "", flush=True)


def attempt(tree, one, intact, features):
    """(verdict, text)"""
    key = (one.test, one.function)
    if one.needs and not features.get(one.needs):
        return "ok", "# SKIP this kernel has no " + one.needs
    if key not in intact:
        tree.make(tree.targets(one.test))
        intact[key] = judge_intact(*tree.test(*key, LIMIT))
        if intact[key] not in (None, "SKIP"):   # on a busy machine
            intact[key] = judge_intact(*tree.test(*key, LIMIT))
    if intact[key] == "SKIP":
        return "ok", "# SKIP the test skips itself here"
    if intact[key]:
        return "not ok", "the test " + intact[key]
    before = one.apply(tree.path)
    try:
        tree.make(tree.targets(one.test))
        status, output = tree.test(*key, HANG_LIMIT if one.hangs else LIMIT)
    finally:
        mutation.undo(before)
    wrong = judge(one, status, output)
    return ("not ok", "the test %s\n%s" % (wrong, output[-2000:])) if wrong else ("ok", reason(output) if status is not None else "")


def insist(*args):
    """Once more, when somebody else had all the processes that there may be."""
    for _ in range(10):
        try:
            return attempt(*args)
        except (mutation.Broken, OSError) as error:
            if os.strerror(errno.EAGAIN) not in str(error):
                return "not ok", str(error)
            time.sleep(3)
    return "not ok", "no processes to be had"


def work(tree, tasks, report, features):
    intact = {}
    while True:
        try:
            test = tasks.get_nowait()
        except queue.Empty:
            return
        for one in test:
            start = time.monotonic()
            verdict, text = insist(tree, one, intact, features)
            report(one, verdict, time.monotonic() - start, text)


def read_features(tree):
    done = subprocess.run([os.path.join(tree.build, "syncdemo"), "features"], stdout=subprocess.PIPE, text=True, check=False)
    return {name: value == "true" for name, value in re.findall(r'"(\w+)": *(true|false)', done.stdout)}


def prepare(scratch, mutations):
    jobs = os.cpu_count() or 1
    tree = Tree(os.path.join(scratch, "1"))
    tree.copy_source()
    targets = {target for one in mutations for target in tree.targets(one.test)} | {"syncdemo"}
    tree.make(sorted(targets), jobs)
    trees = [tree]
    for number in range(2, min(jobs, len(mutations)) + 1):
        path = os.path.join(scratch, str(number))
        subprocess.run(["cp", "-a", tree.path, path], check=True)
        trees.append(Tree(path))
    return trees


def by_test(mutations):
    """Those of one test program after each other, so that it is built in one tree only."""
    tests = {}
    for one in mutations:
        tests.setdefault(one.test, []).append(one)
    tasks = queue.Queue()
    for group in sorted(tests.values(), key=len, reverse=True):
        tasks.put(group)
    return tasks


def main(wanted):
    mutations = [one for one in mutation.read_all(HERE) if not wanted or one.name in wanted]
    scratch = tempfile.mkdtemp(prefix="mutations-")
    os.chmod(scratch, 0o755)
    report = Report(len(mutations))
    try:
        print("1..%d" % len(mutations), flush=True)
        print("# building in " + scratch, flush=True)
        trees = prepare(scratch, mutations)
        features = read_features(trees[0])
        tasks = by_test(mutations)
        threads = [threading.Thread(target=work, args=(tree, tasks, report, features)) for tree in trees]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("# %d defences taken out, %d not noticed as they should be, %d not to be judged here" %
          (report.number - report.skipped, report.failed, report.skipped))
    return 1 if report.failed or report.number != len(mutations) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
