#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What configure calls hardening is in what was built: read out of the library, the tool and their objects, not out of flags."""

import os
import re
import shutil
import subprocess
import sys

BUILD = os.environ.get("top_builddir", ".")
FLAGS = os.environ.get("HARDENING_FLAGS", "").split()
LIBRARY = os.path.join(BUILD, ".libs", "libinitsync.so")
TOOL = next((path for path in (os.path.join(BUILD, ".libs", "syncdemo"), os.path.join(BUILD, "syncdemo"))
             if os.path.exists(path)), None)
# A canary needs an array, and a check of sizes a function that has one.
FORTIFIED, CANARY = re.compile(r"\b__\w+_chk\b"), re.compile(r"\b__stack_chk_fail\b")
# The loop that touches each page of a large frame, and the single touch of one that is not so large.
PROBE = re.compile(r"\b(?:or|mov)[ql]?\s+\$0x0,(0x[0-9a-f]+)?\(%[re]sp\)|\bstr\s+xzr, \[sp(, #1024)?\]")

count = 0
failed = False


def report(name, wrong):
    global count, failed
    count += 1
    failed |= bool(wrong)
    print("%sok %d - %s" % ("not " if wrong else "", count, name))
    for line in wrong[:10]:
        print("# " + line)


def skip(name, why):
    global count
    count += 1
    print("ok %d - %s # SKIP %s" % (count, name, why))


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True,
                          env=dict(os.environ, LC_ALL="C")).stdout


def readelf(path, *options):
    return output("readelf", "-W", *options, path)


def segments(path):
    """{type: flags} of the program headers; PT_LOAD's are a list."""
    found = {"LOAD": []}
    for line in readelf(path, "-l").splitlines():
        match = re.match(r"\s+([A-Z_]+)\s+0x\S+ 0x\S+ 0x\S+ 0x\S+ 0x\S+ ([R ][W ][E ])", line)
        if match and match[1] == "LOAD":
            found["LOAD"].append(match[2])
        elif match:
            found[match[1]] = match[2]
    return found


def objects(variable):
    """Those that a .lo file of libtool's stands for, or the objects themselves."""
    for name in os.environ.get(variable, "").split():
        path = os.path.join(BUILD, name)
        if not name.endswith(".lo"):
            yield path
            continue
        with open(path) as file:
            for inner in re.findall(r"^(?:non_)?pic_object='(?!none)(.*)'", file.read(), re.M):
                yield os.path.join(os.path.dirname(path), inner)


def stack(path):
    return [] if segments(path).get("GNU_STACK") == "RW " else ["%s: its stack is executable, or nothing says that it is not" % path]


def relro(path):
    return [] if "GNU_RELRO" in segments(path) else [path + ": no segment GNU_RELRO"]


def bound_now(path):
    return [] if re.search(r"\(FLAGS(_1)?\).*\bNOW\b", readelf(path, "-d")) else [path + ": symbols are bound when they are used"]


def layout(path):
    wrong = [path + ": a segment that is writable and executable" for flags in segments(path)["LOAD"] if "W" in flags and "E" in flags]
    if "TEXTREL" in readelf(path, "-d"):
        wrong.append(path + ": relocations in its code")
    return wrong


def position(path):
    return [] if re.search(r"\(FLAGS_1\).*\bPIE\b", readelf(path, "-d")) else [path + ": not position-independent"]


def names(part, pattern, what):
    return [] if pattern.search(output("readelf", "-W", "-s", *part)) else ["%s and so on: %s" % (part[0], what)]


def probed(part):
    code = output("objdump", "-d", "--no-show-raw-insn", *part)
    return [] if PROBE.search(code) else [part[0] + " and so on: no frame is probed page by page"]


def control_flow(path):
    return [] if re.search(r"x86 feature:.*IBT.*SHSTK|AArch64 feature:.*BTI", readelf(path, "-n")) else \
        [path + ": not marked for indirect branch tracking and shadow stacks"]


def note(path):
    """Without this section the linker has to assume that the object wants an executable stack."""
    sections = readelf(path, "-S")
    match = re.search(r"\.note\.GNU-stack\s+PROGBITS\s+\S+ \S+ \S+ \S+\s+(\w*)\s+\d", sections)
    return [] if match and "X" not in match[1] else [path + ": wants an executable stack"]


def each(paths, look):
    return [line for path in paths for line in look(path)]


def check(name, flag, paths, look):
    if flag and flag not in FLAGS:
        skip(name, "%s is not among what %s takes" % (flag, os.environ.get("CC", "the compiler")))
    elif not paths:
        skip(name, "not built")
    else:
        report(name, each(paths, look))


def main():
    if os.environ.get("HARDENING", "yes") == "no":
        print("1..0 # SKIP configured with --disable-hardening")
        return 0
    if not shutil.which("readelf") or not shutil.which("objdump"):
        print("1..0 # SKIP readelf or objdump is missing: install binutils")
        return 0
    library, tool = [path for path in [LIBRARY] if os.path.exists(path)], [TOOL] if TOOL else []
    ours, tools = list(objects("LIBRARY_OBJECTS")), list(objects("TOOL_OBJECTS")) if tool else []
    built, all_objects = library + tool, ours + tools
    # A tool that is linked statically has the C library's own canaries, whatever ours has.
    parts = [part for part in (library or ours, tools) if part]
    check("no stack is executable", "-Wl,-z,noexecstack", built, stack)
    check("no object asks for one that is", None, all_objects, note)
    check("what the dynamic linker is done with is read-only", "-Wl,-z,relro", built, relro)
    check("and it is done at once", "-Wl,-z,now", built, bound_now)
    check("nothing is writable and executable", None, built, layout)
    check("the tool is position-independent", "-pie", tool, position)
    check("stacks have canaries", "-fstack-protector-strong", parts, lambda part: names(part, CANARY, "no canaries"))
    check("large frames are probed", "-fstack-clash-protection", parts, probed)
    if os.environ.get("SANITIZERS", "no") != "no":
        skip("functions of the C library check sizes", "sanitizers have their own")
    elif os.environ.get("COVERAGE", "no") != "no":
        skip("functions of the C library check sizes", "only an optimising compiler lets them")
    else:
        check("functions of the C library check sizes", "-D_FORTIFY_SOURCE=3", parts,
              lambda part: names(part, FORTIFIED, "no function of the C library checks sizes"))
    check("indirect branches are marked", "-fcf-protection" if os.uname().machine == "x86_64" else "-mbranch-protection=standard",
          all_objects, control_flow)
    print("1..%d" % count)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
