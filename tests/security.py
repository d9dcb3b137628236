# SPDX-License-Identifier: MIT
"""doc/security.md and tests/mutations say the same, every patch still applies, and what has no patch is looked at here.

The patches themselves are tried by `make check-mutations`. Prints TAP.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import mutation

SOURCE = os.path.abspath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "..")))
BUILD = os.path.abspath(os.environ.get("top_builddir", "."))
PATCHES = os.path.join(SOURCE, "tests", "mutations")
ATTACKS, LIMITS = 58, 14


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def equal(got, wanted, what):
    if got != wanted:
        raise AssertionError("%s: got %r, wanted %r" % (what, got, wanted))


def rows():
    """{id: last column} of the tables of attacks and limits."""
    found = re.findall(r"^\| ([ALT]\d\d[a-z]?) \|.*\| ([^|]*) \|$", read("doc", "security.md"), re.MULTILINE)
    equal(len(found), len(dict(found)), "a row is there twice")
    return dict(found)


def table():
    """each attack and each limit has a row, and each row its patch, with the same test, or a reason why there is none"""
    known = rows()
    patches = {one.name: one for one in mutation.read_all(PATCHES)}
    for letter, count in (("A", ATTACKS), ("L", LIMITS)):
        for number in range(1, count + 1):
            name = "%s%02d" % (letter, number)
            if name not in known:
                raise AssertionError("no row of %s" % name)
    equal(sorted(set(patches) - set(known)), [], "patches without a row")
    for name, last in known.items():
        if name in patches:
            one = patches[name]
            equal(last, " ".join("`%s`" % part for part in (one.test, one.function) if part), "the test of " + name)
        elif not re.match(r"no patch: .{20}", last):
            raise AssertionError("%s: neither a patch nor a reason: %r" % (name, last))


def apply():
    """each patch applies, at one place"""
    broken = []
    for one in mutation.read_all(PATCHES):
        try:
            one.changed(SOURCE)
        except (mutation.Broken, OSError) as error:
            broken.append(str(error))
    equal(broken, [], "patches")


def stale():
    """a patch whose text is there no more, or twice, is found"""
    head = "Test: tests/x test_x\n\nNothing.\n\n--- a/file\n+++ b/file\n@@ -1,2 +1,2 @@\n one\n-%s\n+other\n"
    with tempfile.TemporaryDirectory() as directory:
        mutation.write(os.path.join(directory, "file"), "one\ntwo\none\ntwo\none\nthree\n")
        for text, found in (("three", 1), ("two", 2), ("four", 0)):
            mutation.write(os.path.join(directory, "A01.patch"), head % text)
            one = mutation.Mutation(directory, "A01")
            try:
                equal(one.changed(directory), {os.path.join(directory, "file"): "one\ntwo\none\ntwo\none\nother\n"}, "the file")
                equal(found, 1, "places")
            except mutation.Broken as error:
                if found == 1 or "%d times" % found not in str(error):
                    raise
        mutation.write(os.path.join(directory, "A01.patch"), "Tset: tests/x test_x\n\n--- a/file\n")
        try:
            mutation.Mutation(directory, "A01")
        except mutation.Broken:
            return
    raise AssertionError("a patch without a test is taken")


def tests_exist():
    """each test that a patch names is there"""
    for one in mutation.read_all(PATCHES):
        script = one.test.endswith((".py", ".sh"))
        text = read(one.test if script else one.test + ".c")
        name = re.escape(one.function)
        pattern = r"^def %s\(" % name if script else r"^static void %s\(" % re.sub(r"\\ .*", "", name)
        if one.function and not re.search(pattern, text, re.MULTILINE):
            raise AssertionError("%s.patch: %s has no %s" % (one.name, one.test, one.function))
        if not one.function and script != one.test.endswith(".sh"):
            raise AssertionError("%s.patch: which test of %s" % (one.name, one.test))


def sources():
    for directory, _, names in os.walk(os.path.join(SOURCE, "src")):
        for name in names:
            if name.endswith((".c", ".h")):
                yield os.path.relpath(os.path.join(directory, name), SOURCE)


def no_named_sockets():
    """the library makes socket pairs and no other sockets: there is none to connect to, or to squat"""
    calls = "socket|bind|connect|listen|accept|accept4"
    for path in sources():
        found = re.findall(r"\b(?:SYS_|NR_|sys_)?(?:%s)\(|\b(?:SYS|NR)_(?:%s)\b" % (calls, calls), strip(read(path)))
        equal(found, [], path)
    core = os.path.join(BUILD, ".libs", "libcore.a")
    if os.path.exists(core):
        names = subprocess.run([*os.environ.get("NM", "nm").split(), "-P", core], stdout=subprocess.PIPE, text=True, check=True).stdout
        if not re.search(r"^initsync_pair T ", names, re.MULTILINE):
            raise AssertionError("no symbols of the library in " + core)
        equal(re.findall(r"^(?:%s) U" % calls, names, re.MULTILINE), [], "functions that are called")


def strip(text):
    """Without comments and strings."""
    return re.sub(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', "", text, flags=re.DOTALL)


def linked():
    """SECURITY.md says where to report, and whoever looks for it finds it"""
    for path, link in (("README.md", "SECURITY.md"), ("README.md", "doc/security.md"), ("HACKING.md", "doc/security.md"),
                       ("SECURITY.md", "doc/security.md")):
        if "(%s)" % link not in read(path):
            raise AssertionError("%s does not link %s" % (path, link))


TESTS = [table, apply, stale, tests_exist, no_named_sockets, linked]


def main():
    wanted = os.environ.get("INITSYNC_TEST")
    tests = [test for test in TESTS if not wanted or test.__name__ == wanted]
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, test.__doc__), flush=True)
        except (AssertionError, mutation.Broken, OSError) as error:
            failed += 1
            print("not ok %d - %s" % (number, test.__doc__))
            print("\n".join("# " + line for line in str(error).split("\n")), flush=True)
    print("1..%d" % len(tests))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
