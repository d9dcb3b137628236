# SPDX-License-Identifier: MIT
"""syncdemo(1) against the program: its commands, their options, the features of the library, the examples.

What is compared must also be able to differ: in each of SPOILT something is taken out, and the test named must find it.
Prints TAP.
"""
import json
import os
import re
import sys
import tempfile

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from pages import Manual, Page, read, same, FOLDER
from tool import Skip, equal, need_idmap, ok

OPTION = re.compile(r"--[a-z][a-z-]*")
PAGE = "syncdemo.1"


def asked(*command):
    result = tool.run(*command)
    equal((result.code, result.err), (0, ""))
    return result.out


def commands_of_program():
    """{command: (the options of its usage line, those of all that is said)}; None: without a command."""
    text = asked("help")
    found = {}
    for name in re.findall(r"^(?:usage:|      ) syncdemo ([a-z]+)", text, re.M):
        help_text = asked("help", name)
        usage = re.match(r"usage: syncdemo .*?\n\n", help_text, re.S).group(0)
        found[name] = set(OPTION.findall(usage)), set(OPTION.findall(help_text))
    found[None] = (set(OPTION.findall(re.search(r"^       syncdemo (--.*)$", text, re.M).group(1))), set())
    return found


def options(text):
    return {"--" + name for name in re.findall(r"(?:\bFl|\|) -([a-z-]+)", text)}


def commands_of_page(page):
    described = {name: options("\n".join(re.findall(r"^\.It Fl .*$", text, re.M)))
                 for name, text in page.parts("DESCRIPTION").items()}
    found = {}
    for text in re.split(r"^\.Nm\n", page.section("SYNOPSIS"), flags=re.M)[1:]:
        name = re.search(r"\bCm ([a-z]+)", text)
        name = name.group(1) if name else None
        usage, known = found.get(name, (set(), described.pop(name, set())))     # one may be there twice
        found[name] = usage | options(text), known
    ok(not described, "not in the SYNOPSIS: %s" % sorted(described))
    return found


def compare_commands(manual):
    ours, theirs = commands_of_page(page_of(manual, PAGE)), commands_of_program()
    ok(len(theirs) >= 7, "only %s" % theirs)
    same("commands", [str(name) for name in theirs], [str(name) for name in ours])
    for name, (usage, all_of_it) in theirs.items():
        same("%s: SYNOPSIS" % name, usage, ours[name][0])
        if name:
            same("%s: DESCRIPTION" % name, all_of_it, ours[name][1])


def compare_features(manual):
    there = json.loads(asked("features"))["features"]
    text = page_of(manual, "initsync_feature.3").section("DESCRIPTION")
    same("features", there, re.findall(r"^\.It Cm (\w+)$", text, re.M))


def compare_annotations(manual):
    """By what the program says that it expects."""
    with tempfile.TemporaryDirectory() as directory:
        place = tool.Place(directory)
        place.write(place.config(annotations={"org.libinitsync.rootfs.": "x"}))
        said = tool.run("run", "--bundle", place.bundle, "test").err
    words = re.search(r"expected (.*) behind (org\.libinitsync\.rootfs\.)", said)
    ok(words, said)
    text = page_of(manual, PAGE).section("CONFIGURATION")
    same("annotations", [words.group(2) + word for word in re.findall(r"\w+", words.group(1).replace(" or ", ", "))],
         re.findall(r"^\.It Va (org\.libinitsync\.\S+)$", text, re.M))


def page_of(manual, name):
    return next(page for page in manual.pages if page.name == name)


def commands(_):
    """the commands and options of the program are in the page, and no others"""
    compare_commands(Manual())


def features(_):
    """so are the features of the library"""
    compare_features(Manual())


def annotations(_):
    """and the annotations that mean something to it"""
    compare_annotations(Manual())


SPOILT = (
    (compare_annotations, PAGE, r"^\.It Va org.libinitsync.rootfs.work\n", ""),
    (compare_annotations, PAGE, r"^\.It Va org.libinitsync.rootfs.work\n", ".It Va org.libinitsync.rootfs.works\n"),
    (compare_commands, PAGE, r"^\.It Fl -pid-file Ar FILE\n", ""),
    (compare_commands, PAGE, r"^\.It Fl -pid-file Ar FILE\n", ".It Fl -pid-file Ar FILE\n.It Fl -pid-fd Ar N\n"),
    (compare_commands, PAGE, r"^\.Op Fl -seccomp-fd\n", ""),
    (compare_commands, PAGE, r"^\.Cm features\n", ".Cm future\n"),
    (compare_commands, PAGE, r"^\.Ss idmap\n", ".Ss mapid\n"),
    (compare_commands, PAGE, r"^\.Fl -help \| -version\n", ".Fl -help\n"),
    (compare_features, "initsync_feature.3", r"^\.It Cm statmount\n", ""),
    (compare_features, "initsync_feature.3", r"^\.It Cm statmount\n", ".It Cm statmount\n.It Cm statmounts\n"),
)


def differences(_):
    """what is taken out is missed"""
    for test, name, old, new in SPOILT:
        spoilt = Manual().spoilt(name, old, new)
        try:
            test(spoilt)
        except AssertionError:
            continue
        raise AssertionError("%s does not see that %r became %r" % (test.__name__, old, new))


def example(place, number, **kwargs):
    """Runs one of the page as a shell script, with the program in its PATH."""
    script = list(Page(PAGE, read(os.path.join(FOLDER, PAGE))).literals("EXAMPLES"))[number]
    program, environment = tool.copy_tool(place)
    path = os.path.dirname(program) + ":" + os.environ.get("PATH", tool.PATH)
    return tool.finish(tool.start(["sh", "-euc", script], umask=0o022,
                                  env=dict(environment, PATH=path, ASAN_OPTIONS="detect_leaks=0"), **kwargs))


def diagram(result):
    if "clone3: Operation not permitted" in result.err or "unshare: Operation not permitted" in result.err:
        raise Skip("no user namespaces here: " + result.err.strip())
    if "is masked or read-only here" in result.err:
        raise Skip("no procfs of one's own here: " + result.err.strip())
    equal((result.code, result.out), (0, "box\n3\n"))
    ok(result.err.count("\n") == 4 and "procReady" in result.err and "syncdemo:" not in result.err, result.err)


def example_of_run(place):
    """the example of run, as who runs this and as an ordinary user"""
    if not os.path.exists("/bin/busybox"):
        raise Skip("no /bin/busybox")
    diagram(example(place, 0, cwd=place.file("example/")))
    diagram(example(place, 0, cwd=place.file("user/", owner=(65533, 65533)), preexec_fn=tool.ordinary_user))


def example_of_idmap(place):
    """the example of idmap"""
    need_idmap(place)
    equal(example(place, 1, cwd=place.file("example/")), (0, "0:0\n", ""))


if __name__ == "__main__":
    sys.exit(tap.main([commands, features, annotations, differences, example_of_run, example_of_idmap]))
