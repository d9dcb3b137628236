#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What of the library ran in a build with --enable-coverage: report.py BUILD [SOURCE]

Prints a table of the files of src/ and the total, and with -v every line and branch that is missing. Fails when the total is
under the bounds below. It reads gcov's own output, since an object's counters say more than what tools for reports make of them:

- A source is compiled twice, for the library and for the tests in which each system call can fail (tests/support/fault_calls.h).
  What is counted is the union, by function, line and branch.
- A function in a header exists once per object; the union again.
- A branch that only a bug can take is none: those of a line with assert() or static_assert(). They are counted, and the sum printed.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys

LINES, BRANCHES = 95.0, 90.0
ASSERTION = re.compile(r"\bassert\(")


def gcov(build, notes):
    """The object's report; one that never ran has counters of zero."""
    data = notes[: -len(".gcno")] + ".gcda"
    command = [os.environ.get("GCOV", "gcov"), "--json-format", "--stdout", "--branch-probabilities",
               data if os.path.exists(os.path.join(build, data)) else notes]
    result = subprocess.run(command, cwd=build, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return notes, json.loads(result.stdout)


def objects(build):
    for folder, _, names in os.walk(build):
        for name in names:
            if name.endswith(".gcno"):
                yield os.path.relpath(os.path.join(folder, name), build)


class Source:
    """One file: lines by number, and the branches of each function's share of a line."""

    def __init__(self, path):
        with open(path) as file:
            self.text = file.read().splitlines()
        self.lines = collections.Counter()
        self.branches = {}

    def add(self, line, is_library):
        number = line["line_number"]
        self.lines[number] += line["count"]
        taken = [branch["count"] for branch in line["branches"]]
        key = number, line.get("function_name", "")
        if not taken or key[1].startswith("fault_pick_"):
            return
        known = self.branches.setdefault(key, [is_library, taken])
        if known[1] is taken:
            return
        if len(known[1]) == len(taken):
            known[1] = [one + other for one, other in zip(known[1], taken)]
        elif is_library:        # whose branches are those of the source
            known[1] = taken
        known[0] |= is_library

    def assertions(self):
        """Lines of a statement that begins with assert()."""
        found, depth = set(), 0
        for number, text in enumerate(self.text, 1):
            at = ASSERTION.search(text)
            if depth or at:
                part = text if depth else text[at.start():]
                depth += part.count("(") - part.count(")")
                found.add(number)
        return found


def read(build, source):
    """Of all files below src/: {path: Source}"""
    sources = {}
    top = os.path.join(os.path.realpath(source), "src", "")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        reports = sorted(pool.map(lambda notes: gcov(build, notes), sorted(objects(build))), key=lambda r: "libfault" in r[0])
    for notes, report in reports:
        for file in report["files"]:
            # Relative to the source, as the compiler was told to name it.
            path = os.path.realpath(os.path.join(source, file["file"]))
            if not path.startswith(top):
                continue
            one = sources.setdefault(path[len(top):], None) or Source(path)
            sources[path[len(top):]] = one
            for line in file["lines"]:
                one.add(line, "libfault" not in notes)
    return sources


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


class Sum:
    def __init__(self):
        self.lines = self.ran = self.branches = self.taken = self.asserted = 0
        self.missing = []

    def add(self, other):
        for name in ("lines", "ran", "branches", "taken", "asserted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def row(self, name):
        return "%-28s %6d %6.1f %%   %6d %6.1f %%" % (name, self.lines, percent(self.ran, self.lines), self.branches,
                                                    percent(self.taken, self.branches))


def measure(source):
    total, assertions = Sum(), source.assertions()
    total.lines, total.ran = len(source.lines), sum(count > 0 for count in source.lines.values())
    total.missing = [(number, "never") for number, count in source.lines.items() if not count]
    for (number, function), (_, taken) in source.branches.items():
        if number in assertions:
            total.asserted += len(taken)
            continue
        total.branches += len(taken)
        total.taken += sum(count > 0 for count in taken)
        if source.lines[number] and not all(taken):
            total.missing.append((number, "branches " + " ".join("+" if count else "-" for count in taken) + " in " + function))
    return total


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", action="store_true", dest="verbose", help="name each line and branch that is missing")
    parser.add_argument("build")
    parser.add_argument("source", nargs="?", default=os.path.join(os.path.dirname(__file__), "..", ".."))
    options = parser.parse_args()
    total = Sum()
    print("%-28s %6s %8s   %6s %8s" % ("file of src/", "lines", "ran", "branch", "taken"))
    for path, source in sorted(read(options.build, options.source).items()):
        one = measure(source)
        total.add(one)
        print(one.row(path))
        for number, why in sorted(one.missing) if options.verbose else []:
            print("    %s:%d: %s: %s" % (path, number, why, source.text[number - 1].strip()))
    print(total.row("total"))
    print("not among them: %d branches of assertions" % total.asserted)
    wrong = ["%.1f %% of the %s, expected at least %.0f %%" % (is_now, what, least)
             for what, is_now, least in (("lines", percent(total.ran, total.lines), LINES),
                                         ("branches", percent(total.taken, total.branches), BRANCHES)) if is_now < least]
    if not total.lines:
        wrong = ["no counters in %s: is it a build with --enable-coverage?" % options.build]
    for sentence in wrong:
        print("coverage: " + sentence, file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
