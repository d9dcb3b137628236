#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Static analysis of src/ and tools/ with four programs: analyze.py [TOOL...]; each finding is a line, and any fails.

    gcc         -fanalyzer
    scan-build  clang's analyser
    clang-tidy  the checks of .clang-tidy
    cppcheck

A finding is a bug, or the code is written so that the program sees that it is none. Where neither is to be had, the line says so:

    code;       /* ANALYZED(ID): why it is none */

(clang-tidy has NOLINT(ID) for that.) Each program must find the bugs of planted.c. What is off for all files is in the tables below, with its reason. In the environment: top_srcdir, top_builddir, and what make knows of flags.
"""

import concurrent.futures
import glob
import os
import plistlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.abspath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "..", "..")))
BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
MARK = re.compile(r"ANALYZED\(([^)]*)\): \S")
PLANTED = "tests/analysis/planted.c"
os.environ.update(top_srcdir=TOP, top_builddir=BUILD)    # for this program below scan-build
JOBS = len(os.sched_getaffinity(0))

# Checkers of clang's that are off.
CLANG_OFF = [
    "deadcode.DeadStores",      # what is stored for the cleanup attribute, which it does not know, is dead to it
]
# A leak, to whom does not know the cleanup attribute. gcc does, and looks for leaks as well.
CLANG_LEAK = re.compile(r"^Potential (memory )?leak of memory pointed to by")

CPPCHECK_OFF = [
    "resourceLeak", "memleak", "deallocret", "leakReturnValNotUsed", "unreadVariable",      # the cleanup attribute again
    "variableScope",            # declarations stand at the beginning of a block here
    "clarifyCalculation",       # "a & b ? c : d"
    "redundantContinue",        # "while (...)\n continue;"
    "unusedStructMember",       # of unions that give a buffer its alignment
    "shadowFunction", "shadowVariable",     # "parent", "child"; of variables -Wshadow has the truth
    "invalidFunctionArgBool",   # _exit(failed != 0)
    "readdirCalled", "getpwuidCalled", "fgetpwentCalled",      # of a directory stream, and in a program, of one thread's own
]


class Finding:
    def __init__(self, tool, path, line, name, text):
        self.tool, self.line, self.name, self.text = tool, line, name, text
        self.path = os.path.relpath(os.path.join(TOP, path), TOP)

    def key(self):
        return self.path, self.line, self.name, self.tool

    def __str__(self):
        return "%s:%d: %s [%s, %s]" % (self.path, self.line, self.text, self.tool, self.name)


def sources():
    return sorted(os.path.relpath(path, TOP) for path in glob.glob(TOP + "/src/*/*.c") + glob.glob(TOP + "/tools/*.c")) + [PLANTED]


def flags(path):
    """As the build has them, without warnings: these are the compiler's."""
    common = ["-std=gnu11", "-pthread", "-include", os.path.join(BUILD, "config.h"), "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64",
              "-D_TIME_BITS=64", "-Iinclude", "-Isrc" if path.startswith("src/") else "-Itools"]
    return common + os.environ.get("LIBRARY_CFLAGS", "").split()


def run(command, **how):
    return subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **how)


def in_parallel(function, paths):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return [finding for found in pool.map(function, paths) for finding in found]


def diagnostics(tool, output):
    """Of the compilers' form, "FILE:LINE:COLUMN: warning: TEXT [ID]". What gcc 12 says of no place, about nothing, is left out."""
    found = []
    for line in output.splitlines():
        match = re.match(r"(.+?):(\d+):(?:\d+:)? (?:warning|error|fatal error): (.*?)(?: \[([^\]]*)\])?$", line)
        if match:
            found.append(Finding(tool, match[1], int(match[2]), (match[4] or "error").replace("-Wanalyzer-", ""), match[3]))
    return found


def gcc():
    def one(path):
        result = run([os.environ.get("ANALYZE_GCC", "gcc"), *flags(path), "-O0", "-fanalyzer", "-D__clang_analyzer__", "-fdiagnostics-plain-output",
                      "-fdiagnostics-path-format=none", "-c", path, "-o", os.devnull])
        found = diagnostics("gcc", result.stdout)
        return found or ([] if result.returncode == 0 else [Finding("gcc", path, 0, "status", result.stdout[-300:])])
    return in_parallel(one, sources())


def clang_tidy():
    def one(path):
        result = run(["clang-tidy", "--quiet", path, "--", *flags(path)])
        return diagnostics("clang-tidy", result.stdout)
    return in_parallel(one, sources())


def scan_build():
    """It gives $CC a compiler that calls clang's analyser as well, for as long as a command runs: this program once more."""
    found = []
    with tempfile.TemporaryDirectory() as directory:
        off = [word for checker in CLANG_OFF for word in ("-disable-checker", checker)]
        result = run(["scan-build", "-plist", "-o", directory, *off, sys.executable, os.path.abspath(__file__), "--compile"])
        if result.returncode != 0:
            return [Finding("scan-build", "nowhere", 0, "status", result.stdout[-600:])]
        reports = glob.glob(directory + "/*/*.plist")
        if not reports:
            return [Finding("scan-build", "nowhere", 0, "status", "no reports: " + result.stdout[-600:])]
        for report in reports:
            with open(report, "rb") as file:
                content = plistlib.load(file)
            for one in content["diagnostics"]:
                if not CLANG_LEAK.match(one["description"]):
                    found.append(Finding("scan-build", content["files"][one["location"]["file"]], one["location"]["line"],
                                         one["check_name"], one["description"]))
    return found


def compile_all():
    """What runs below scan-build."""
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        codes = list(pool.map(lambda path: subprocess.call([os.environ["CC"], *flags(path), "-O0", "-c", path, "-o", os.devnull],
                                                           cwd=TOP, stdin=subprocess.DEVNULL), sources()))
    return int(any(codes))


def cppcheck():
    found = []
    for folder in "src", "tools", PLANTED:
        result = run(["cppcheck", "-j%d" % JOBS, "--quiet", "--enable=warning,performance,portability,style", "--std=c11",
                      "--library=posix,gnu", "-D__x86_64__", "-D__clang_analyzer__", "-D__GNUC__=12", "-D_GNU_SOURCE",
                      '-DPACKAGE_VERSION=""', "-UINITSYNC_COVERAGE", "-Iinclude", "-I" + folder, folder,
                      "--template={file}:{line}: warning: {message} [{id}]", *("--suppress=" + name for name in CPPCHECK_OFF)])
        found += diagnostics("cppcheck", result.stdout)
        if result.returncode != 0:
            found.append(Finding("cppcheck", folder, 0, "status", result.stdout[-300:]))
    return found


TOOLS = {"gcc": (gcc, "gcc"), "scan-build": (scan_build, "scan-build"), "clang-tidy": (clang_tidy, "clang-tidy"),
         "cppcheck": (cppcheck, "cppcheck")}


def marks():
    """{(path, line): [ID...]} of every comment that judges a finding."""
    found = {}
    for path in glob.glob(TOP + "/src/*/*.[ch]") + glob.glob(TOP + "/tools/*.[ch]"):
        with open(path) as file:
            for number, line in enumerate(file, 1):
                for match in MARK.finditer(line):
                    found.setdefault((os.path.relpath(path, TOP), number), []).append(match[1])
    return found


def judge(found, all_tools):
    """Those that no comment on the line, or on one of the two before, is about. Of comments that no finding needs it says so: another
    version of the program may need them."""
    judged, used, left = marks(), set(), {}
    for finding in found:
        for line in finding.line, finding.line - 1, finding.line - 2:
            if finding.name in judged.get((finding.path, line), []):
                used.add((finding.path, line, finding.name))
                break
        else:
            left[finding.key()] = finding
    if all_tools:
        for (path, line), names in judged.items():
            for name in names:
                if (path, line, name) not in used:
                    print("analyze: %s:%d: nobody finds %s here any more" % (path, line, name))
    return sorted(left.values(), key=Finding.key)


def main(arguments):
    if arguments == ["--compile"]:
        return compile_all()
    tools = arguments or list(TOOLS)
    missing = [TOOLS[tool][1] for tool in tools if not shutil.which(TOOLS[tool][1])]
    if missing:
        print("analyze: missing: %s; `./quickstart deps analyze` installs them" % " ".join(missing), file=sys.stderr)
        return 2
    found = []
    for tool in tools:
        mine = TOOLS[tool][0]()
        print("analyze: %s: %d findings, planted and judged ones too" % (tool, len(mine)))
        sys.stdout.flush()
        if not any(finding.path == PLANTED for finding in mine):
            found.append(Finding("analyze", PLANTED, 0, tool, "it finds no bug in here: it has not looked"))
        found += [finding for finding in mine if finding.path != PLANTED]
    left = judge(found, len(tools) == len(TOOLS))
    for finding in left:
        print(finding)
    print("analyze: %d files, %s" % (len(sources()) - 1, "%d findings" % len(left) if left else "clean"))
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
