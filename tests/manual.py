# SPDX-License-Identifier: MIT
"""The manual's pages against the public header: functions, prototypes, structs, constants, errnos, and more.

What is compared must also be able to differ: in each of SPOILT something is taken out, and the test named must find it.
tests/tool-manual.py does the same with syncdemo(1) and the program. Prints TAP.
"""
import datetime
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from pages import FOLDER, SOURCE, Header, Manual, flat, ok, read, same

BUILD = os.path.abspath(os.environ.get("top_builddir", "."))


class Skip(Exception):
    """Why a test cannot run here."""


def run(*command, text=None, **kwargs):
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False,
                          universal_newlines=True, **kwargs)


def lint(manual, _):
    """mandoc has nothing to warn of"""
    if not shutil.which("mandoc"):
        ok(not os.environ.get("CI"), "mandoc is missing")
        raise Skip("mandoc is not installed")
    for page in manual.pages:
        done = run("mandoc", "-Tlint", "-W", "warning", text=page.text)
        ok(done.returncode == 0 and not done.stdout, "%s: %s" % (page.name, done.stdout))


def heads(manual, _):
    """each has its title, a date, and the version of the package"""
    version = re.search(r"AC_INIT\(\[libinitsync\], \[(.*?)\]\)", read(os.path.join(SOURCE, "configure.ac"))).group(1)
    for page in manual.pages:
        head = page.text.split("\n")[:4]
        ok(head[0] == '.\\" SPDX-License-Identifier: MIT', "%s: no license" % page.name)
        date = datetime.datetime.strptime(head[1], ".Dd %B %d, %Y").date()
        ok(datetime.date(2026, 1, 1) <= date, "%s: %s" % (page.name, head[1]))
        # a page newer than its own file, by a clock that is no earlier than that, has a date that was mistyped
        written = datetime.date.fromtimestamp(os.path.getmtime(os.path.join(FOLDER, page.name)))
        ok(date <= max(written, datetime.date.today()) + datetime.timedelta(days=1) or written.year < 2026,
           "%s: %s is to come" % (page.name, head[1]))
        ok(head[2:] == [".Dt %s %s" % (page.title.upper(), page.number), ".Os libinitsync " + version],
           "%s: begins with %s" % (page.name, head))
        ok(page.names()[0] == page.title, "%s: the first name is %s" % (page.name, page.names()[0]))
        ok(all(len(line) <= 125 for line in page.text.split("\n") if not line.startswith(".It Fn")),
           "%s: a line longer than 125 columns" % page.name)


def names(manual, header):
    """each function is in the NAME of one page"""
    found = [name for page in manual.pages for name in page.names() if name in header.prototypes or name != page.title]
    ok(len(found) == len(set(found)), "in two pages: %s" % sorted(name for name in found if found.count(name) > 1))
    same("functions", header.prototypes, found)


def prototypes(manual, header):
    """each prototype is the header's, and in the page that has its name"""
    found = {}
    for page in manual.pages:
        own = dict(page.prototypes())
        ok(list(own) == [name for name in page.names() if name in header.prototypes],
           "%s: NAME and SYNOPSIS differ" % page.name)
        found.update(own)
    same("prototypes", header.prototypes.values(), found.values())


def structs(manual, header):
    """each struct is the header's, and its fields are described"""
    found = {}
    for page in manual.pages:
        for text in page.literals("SYNOPSIS"):
            for name, body in re.findall(r"^struct (\w+) (\{.*?^\});", text, re.M | re.S):
                ok(name not in found, "struct %s is in two pages" % name)
                found[name] = page
                ok(flat(body) == header.structs.get(name), "%s: struct %s differs" % (page.name, name))
    same("structs", header.structs, found)
    for name, fields in header.fields().items():
        ok(fields, "no fields in the comment of struct %s" % name)
        page = found[name]
        missing = {field for field in fields - page.fields()
                   if not (field.startswith("n_") and re.search(r"^\.Fa %s\b" % field, page.text, re.M))}
        ok(not missing, "%s: struct %s: not described: %s" % (page.name, name, sorted(missing)))
    for page in set(found.values()):
        known = set().union(*(set(re.findall(r"\w+", header.structs[name])) for name in found if found[name] is page))
        ok(page.fields() <= known, "%s: no such fields: %s" % (page.name, sorted(page.fields() - known)))


def constants(manual, header):
    """each constant is in a page, and no other is"""
    same("constants", header.constants,
         {name for page in manual.pages for name in re.findall(r"\bINITSYNC_[A-Z0-9_]+", page.text)
          if name != page.title.upper()})


def errnos(manual, header):
    """each errno of a function is in the ERRORS of its page, and no other is"""
    pages = {}
    for page in manual.pages:
        pages.update(page.errnos())
    wanted = header.errnos()
    ok(sum(len(own) for own, _ in wanted.values()) > 80, "the header's comments were not understood")
    for name, (own, others) in wanted.items():
        got, mentioned = pages.get(name, (set(), set()))
        more = set().union(*(wanted[other][0] for other in others))
        ok(own <= got, "%s(): not in ERRORS: %s" % (name, sorted(own - got)))
        ok(got <= own | more, "%s(): in ERRORS alone: %s" % (name, sorted(got - own - more)))
        for other in others - mentioned:
            ok(wanted[other][0] <= got, "%s(): ERRORS does not mention those of %s()" % (name, other))
    ok(set(pages) <= set(wanted), "ERRORS of no function: %s" % sorted(set(pages) - set(wanted)))


def references(manual, header):
    """what one page refers to is there"""
    there = {(name, page.number) for page in manual.pages for name in [page.title] + page.names()}
    for page in manual.pages:
        missing = {name for name in page.references() if re.match("initsync|syncdemo", name[0])} - there
        ok(not missing, "%s: no such page: %s" % (page.name, sorted(missing)))
        unknown = set(re.findall(r"\bFn (initsync_\w+)", page.text)) - set(header.prototypes)
        ok(not unknown, "%s: no such function: %s" % (page.name, sorted(unknown)))


def examples(manual, _):
    """the examples in C compile"""
    compiler = shlex.split(os.environ.get("CC") or "cc")
    blocks = [(page.name, text) for page in manual.pages for text in page.literals("EXAMPLES") if text.startswith("#")]
    ok(len(blocks) >= 6, "only %d examples" % len(blocks))
    for name, text in blocks:
        done = run(*compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                   "-I" + os.path.join(SOURCE, "include"), "-x", "c", "-", text=text)
        ok(done.returncode == 0, "%s: %s" % (name, done.stdout))


def installed(manual, header):
    """as make install has it: each function's page is found by its name; nothing is left of it by make uninstall"""
    del manual
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
    with tempfile.TemporaryDirectory() as directory:
        for target in (("install-man", "install-data-hook"), ("uninstall-man", "uninstall-hook")):
            done = run("make", "-C", BUILD, *target, "DESTDIR=" + directory, "mandir=/man", env=environment)
            ok(done.returncode == 0, "%s: %s" % (target, done.stdout))
            if target[0] == "uninstall-man":
                break
            for name in header.prototypes:
                path = os.path.join(directory, "man", "man3", name + ".3")
                ok(os.path.exists(path), "no page %s(3)" % name)
                link = re.fullmatch(r"\.so (man3/\w+\.3)\n", read(path))
                text = read(os.path.join(directory, "man", link.group(1))) if link else read(path)
                ok(re.search(r"^\.Nm %s\b" % name, text, re.M), "%s(3) leads to another page" % name)
        left = [file for _, _, files in os.walk(directory) for file in files]
        ok(not left, "make uninstall leaves %s" % left)


TESTS = (lint, heads, names, prototypes, structs, constants, errnos, references, examples, installed)

# Test, page (or None for the header), what is replaced, by what.
SPOILT = (
    (lint, "initsync_error.3", r"^\.Bl -tag -width request$", ".Bl -tag -width request -unknown"),
    (heads, "initsync_error.3", r"^\.Dd .*", ".Dd November 31, 2026"),
    (heads, "initsync_error.3", r"^\.Dd .*", ".Dd November 22, 2126"),
    (heads, "initsync_error.3", r"^\.Os .*", ".Os libinitsync 0.0.9"),
    (names, "initsync_child.3", r"^\.Nm initsync_child_ready ,\n", ""),
    (names, "initsync_child.3", r"^\.Nm initsync_child_ready ,", ".Nm initsync_child_ready ,\n.Nm initsync_child_steady ,"),
    (names, "initsync_child.3", r"^\.Nm initsync_child_ready ,", ".Nm initsync_child_ready ,\n.Nm initsync_pair ,"),
    (names, None, r"int initsync_child_ready\(struct initsync_child \*child, .*\n", ""),
    (prototypes, "initsync_child.3", r'^\.Fa "size_t n"\n', ""),
    (prototypes, None, r"unsigned initsync_abandoned\(void\)", "long initsync_abandoned(void)"),
    (structs, "initsync_error.3", r"char path\[256\];", "char path[128];"),
    (structs, "initsync_parent.3", r"^\.It Fa grace_ms\n", ""),
    (structs, "initsync_parent.3", r"^\.It Fa grace_ms\n", ".It Fa grace_ms , patience_ms\n"),
    (structs, None, r"(?s)struct initsync_userns_cache \*userns_cache;", "void *userns_cache;"),
    (constants, "initsync_parent.3", r"^\.It Dv INITSYNC_PARENT_NO_KILL\n", ""),
    (constants, None, r"INITSYNC_STEP_FAILED    = 8", "INITSYNC_STEP_FAILED    = 8, INITSYNC_STEP_OTHER = 9"),
    (errnos, "initsync_child.3", r"^\.It Bq Er EBUSY\n", ""),
    (errnos, "initsync_child.3", r"^\.It Bq Er EILSEQ$", ".It Bq Er EILSEQ , ENOENT"),
    (errnos, "initsync_idmap_parse.3", r"^\.It Bq Er ERANGE\n", ""),
    (errnos, "initsync_parent.3", r"^\.It Fn initsync_parent_run\nAs\n\.Fn initsync_parent_dispatch ,\n",
     ".It Fn initsync_parent_run\n"),
    (errnos, None, r"-EALREADY when no callback waits", "-EALREADY or -EAGAIN when no callback waits"),
    (errnos, None, r"-EXDEV for @upper", "it fails for @upper"),
    (references, "initsync.7", r"^\.Xr initsync_child 3 ,\n", ".Xr initsync_son 3 ,\n"),
    (references, "initsync_error.3", r"^\.Fn initsync_step_name\n", ".Fn initsync_stage_name\n"),
    (examples, "initsync_feature.3", r"initsync_feature_name\(i\)", "initsync_feature_name()"),
)


def found(test, name, old, new):
    """Spoils one text, and has the test look at it."""
    manual, header = Manual(), Header()
    if name:
        manual = manual.spoilt(name, old, new)
    else:
        header = header.spoilt(old, new)
    try:
        test(manual, header)
    except (AssertionError, ValueError):
        return
    raise AssertionError("%s does not see that %r became %r" % (test.__name__, old, new))


def attempt(number, name, test, *args):
    verdict, remark, why = "ok", "", ""
    try:
        test(*args)
    except Skip as skip:
        remark = " # SKIP %s" % skip
    except Exception as error:  # pylint: disable=broad-except
        verdict, why = "not ok", "%s: %s" % (type(error).__name__, error)
    print("%s %d - %s%s" % (verdict, number, name, remark))
    for line in why.split("\n") if why else ():
        print("#", line)
    return verdict == "ok"


def main():
    manual, header = Manual(), Header()
    attempts = [(test.__doc__, test, manual, header) for test in TESTS]
    attempts += [("found: %s: %s in %s" % (test.__name__, flat(old).strip("^$"), name or "the header"), found,
                  test, name, old, new)
                 for test, name, old, new in SPOILT]
    failed = sum(not attempt(number, *args) for number, args in enumerate(attempts, 1))
    print("1..%d" % len(attempts))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
