# SPDX-License-Identifier: MIT
"""Command lines of `syncdemo`: those that are wrong, in one line, and what help, version and features print. Prints TAP."""
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from tool import contains, equal, ok, one_line


# ---- command lines -------------------------------------------------------------

USAGE = (
    (["benches"], "benches: unknown command"),
    (["bench", "nothing"], "bench: no bench has this name: nothing"),
    (["bench", "plain", "request"], "bench: more than one name: request"),
    (["bench", "--rounds"], "bench: unknown option --rounds"),
    (["ini"], "ini: unknown command"),
    (["--bundle"], "--bundle: unknown command"),
    (["\x1b[31m"], r"\\x1b\[31m: unknown command"),
    (["help", "benches"], "benches: unknown command"),
    (["run"], "run: too few arguments"),
    (["run", "a", "b"], "run: too many arguments"),
    (["run", "--sync-fd", "3", "a"], "run: unknown option --sync-fd"),
    (["run", "--pid-file", "", "a"], "run: bad value of --pid-file"),
    *((["run", "--", name], "run: bad ID") for name in ("", ".", "..", "a/b", "a b", "\u00e4", "a" * 1025)),
    (["help", "init", "more"], "help: too many arguments"),
    (["parent"], "parent: missing --sync-fd"),
    (["parent", "--sync-fd", "3"], "parent: missing --pid"),
    (["parent", "--sync-fd"], "parent: missing value of --sync-fd"),
    (["parent", "--sync", "3"], "parent: unknown option --sync"),
    (["parent", "--sync-fd", "3", "--pid", "1", "more"], "parent: too many arguments"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--bundle", "x", "--allow-any-mount"], "exclude each other"),
    (["parent", "--sync-fd", "3", "--sync-fd", "3", "--pid", "1"], "parent: given twice: --sync-fd"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--bundle", ""], "parent: bad value of --bundle"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--trace="], "parent: bad value of --trace"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--allow-any-mount=yes"], "parent: unknown option --allow-any-mount=yes"),
    (["parent", "--sync-fd", "3", "--pid", "1", "--recursive"], "parent: unknown option --recursive"),
    (["parent", "-x"], "parent: unknown option -x"),
    (["init", "--sync-fd", "3"], "init: missing --bundle"),
    (["init", "--bundle", "x"], "init: missing --sync-fd"),
    (["init", "--sync-fd", "3", "--bundle", "x", "--pid", "1"], "init: unknown option --pid"),
    (["init", "--sync-fd", "3", "--bundle", "x", "--allow-any-mount"], "init: unknown option --allow-any-mount"),
    (["idmap", "a", "b"], "idmap: missing --map-uids"),
    (["idmap", "--map-uids", "0:1:1", "a", "b"], "idmap: missing --map-gids"),
    (["idmap", "--map-uids", "0:1:1", "--map-gids", "0:1:1", "a"], "idmap: too few arguments"),
    (["idmap", "--map-uids", "0:1:1", "--map-gids", "0:1:1", "a", "b", "c"], "idmap: too many arguments"),
    (["features", "more"], "features: too many arguments"),
    (["features", "--json"], "features: unknown option --json"),
)

BAD_NUMBERS = ("", " 3", "3 ", "+3", "-3", "0x3", "3.0", "3e0", "three", "99999999999", "9" * 40, "\uff13", "2", "0")


def usage(place):
    """command lines: exit status 2"""
    for args, pattern in USAGE:
        result = tool.run(*args)
        equal((args, result.code, result.out), (args, 2, ""))
        ok(re.search(pattern, one_line(result.err)), "%r: %r" % (args, result.err))


def numbers(place):
    """numbers: digits only, in range"""
    for text in BAD_NUMBERS:
        for option, allowed in (("--sync-fd", ()), ("--pid", ("2",)), ("--timeout", ("2",))):
            if text in allowed:
                continue
            args = {"--sync-fd": "3", "--pid": "1", "--timeout": "1", option: text}
            result = tool.run("parent", *[part for pair in args.items() for part in pair])
            equal((option, text, result.code, result.out), (option, text, 2, ""))
            contains(one_line(result.err), "parent: bad value of " + option)


# ---- what they print -----------------------------------------------------------

def nobody_reads(place):
    """standard error that nobody reads is no reason to be killed"""
    for args in (["parent", "--sync-fd", "99", "--pid", "1"], ["init", "--sync-fd", "99", "--bundle", "/none"],
                 ["run", "--bundle", place.path + "/none", "test"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        process = subprocess.Popen([tool.TOOL, *args], stderr=write_end, stdin=subprocess.DEVNULL)
        os.close(write_end)
        equal((args, process.wait(tool.TIMEOUT)), (args, 1))


def help_texts(place):
    """help, for all and for each; the version"""
    text = tool.run("--help")
    equal((text.code, text.err), (0, ""))
    equal(tool.run("help"), text)
    for name in ("demo", "run", "parent", "init", "idmap", "features", "bench", "help"):
        contains(text.out, "syncdemo " + name)
        one = tool.run("help", name)
        equal((one.code, one.err), (0, ""))
        contains(one.out, "usage: syncdemo " + name)
        if name not in ("demo", "help"):
            equal(tool.run(name, "--help"), one)
    version = tool.run("--version")
    ok(version.code == 0 and re.fullmatch(r"syncdemo \d+\.\d+\.\d+\n", version.out), version)


def features(place):
    """features: one JSON object"""
    result = tool.run("features")
    equal((result.code, result.err), (0, ""))
    value = json.loads(result.out)
    equal(value["kernel"], os.uname().release)
    ok(value["features"], "no features")
    for name, answer in value["features"].items():
        ok(answer in (True, False, "not permitted"), "%s: %r" % (name, answer))


def full_output(place):
    """output that cannot be written"""
    if not os.path.exists("/dev/full"):
        raise tool.Skip("no /dev/full")
    for args in (["features"], ["--help"], ["--version"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            process = subprocess.Popen([tool.TOOL, *args], stdout=full, stderr=subprocess.PIPE, text=True)
        _, err = process.communicate(timeout=tool.TIMEOUT)
        equal((process.returncode, err), (1, "syncdemo: standard output: No space left on device\n"))


TESTS = [usage, numbers, nobody_reads, help_texts, features, full_output]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
