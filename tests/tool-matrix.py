# SPDX-License-Identifier: MIT
"""Id-mapped mounts across file systems: what comes out in containers, and that doc/idmap-matrix.md says so.

tool-matrix.py --print prints the tables for the documentation; otherwise TAP.
"""
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import box
import sources
import tap
import tool
from box import FIRST
from tool import Skip, contains, equal, need_root, one_line

DOCUMENT = os.path.join(tool.SOURCE, "doc", "idmap-matrix.md")
LEAST = (6, 15)         # what is documented is of that and later
BELOW = {"nothing": "nothing", "same": "the same", "ramfs": "ramfs"}
COLUMNS = [(bind, mapping) for bind in ("bind", "rbind") for mapping in ("", "idmap", "ridmap")]
# What the container's user sees of files of 0 and 1000, with a user namespace and without.
SEEN = {True: {"0:0 1000:1000": "M", "65534:65534 65534:65534": "U"},
        False: {"100000:100000 101000:101000": "M", "0:0 1000:1000": "U"}}
ENDS = {("M", "0:0"): "M", ("M", "Read-only file system"): "Mr", ("U", "Permission denied"): "U",
        ("U", "Read-only file system"): "Ur"}
LOOK = """
look() {
    if [ -e $1/of-0 ]; then
        echo "$(stat -c %u:%g $1/of-0) $(stat -c %u:%g $1/of-1000),$( (echo x > $1/new) 2>&1 )"
    else
        echo -
    fi
}
"""


def container(place, script, userns, entries=()):
    """A program that is the container's root, or who that would be without a user namespace; it has no rights beside."""
    config = box.shell(script, mapped=userns, mounts=entries)
    if not userns:
        config["process"]["user"] = {"uid": FIRST, "gid": FIRST}
    return config


def verdict(text, directory, userns):
    """What a line of look() means: a letter, or when it is none of those that are documented, the line itself."""
    if text == "-":
        return text
    ids, _, said = text.partition(",")
    new = os.path.join(directory, "new")
    if os.path.exists(new):
        st = os.lstat(new)
        os.unlink(new)
        said = said or "%d:%d" % (st.st_uid, st.st_gid)
    return ENDS.get((SEEN[userns].get(ids), said.rpartition(": ")[2] if ": " in said else said), text)


def expect_reason(line, kind, at, what, userns, bind):
    """Which mount is to blame, in words."""
    contains(line, "config.json: mounts[1]: ")
    if userns and bind == "bind" and what != "nothing":
        contains(line, "open_tree" if "open_tree " in line else "rbind only", at + "/source")
        contains(line, "must be cloned recursively" if "open_tree " in line else "others below")
    elif not tool.feature("statmount" if kind in sources.UNMAPPABLE else "listmount") or not tool.feature("statmount"):
        contains(line, "its file system, or one mounted below it, takes no id mapping")
    elif kind in sources.UNMAPPABLE:
        contains(line, "%s mounted at %s takes no id mapping" % (kind.lower(), at))
    else:
        contains(line, "ramfs mounted at %s/source/below takes no id mapping" % at)


def cell(place, kind, at, what, userns, bind, mapping):
    entry = {"destination": "/m", "type": "bind", "source": at + "/source", "options": [bind] + [mapping] * bool(mapping)}
    if mapping and not userns:
        entry["uidMappings"] = entry["gidMappings"] = box.MAP
    with sources.below(at, what) as below:
        result = box.run(place, container(place, LOOK + "look /m; look /m/below", userns, [entry]))
        if result.code == 1:
            line = one_line(result.err)
            equal(result.out, "")
            expect_reason(line, kind, at, what, userns, bind)
            return "no"
        equal((result.code, result.err), (0, ""))
        top, under = result.out.splitlines()
        top, under = verdict(top, at + "/source", userns), verdict(under, below, userns)
    return top if what == "nothing" and under == "-" else top + "+" + under


def rows(place, kind):
    """The lines of the first table for a file system."""
    lines = []
    with sources.file_system(place, kind) as at:
        for what, words in BELOW.items():
            for userns in (True, False):
                cells = [cell(place, kind, at, what, userns, *column) for column in COLUMNS]
                lines.append("| %s | %s | %s | %s |" % (kind, words, "yes" if userns else "no", " | ".join(cells)))
    return lines


# ---- layers ----------------------------------------------------------------------

LAYER = LOOK + "look /; echo more >> /of-0 && stat -c '%u:%g' /of-0"


def layer(place, at, role, userns):
    """The directory as a layer of the root file system: @role is "lower" or "upper"; the others are on a tmpfs."""
    here = place.file("layers-%s-%s/" % (role, userns))
    base, upper, work = [os.path.join(here, name) for name in ("base", "upper", "work")]
    lower = [at + "/source", base]
    if role == "upper":
        lower, upper, work = [base], at + "/source", at + "/work"
    for path in (base + "/proc", upper, work):
        try:
            os.makedirs(path, exist_ok=True)
        except OSError:
            return "-"          # a file system that nobody writes to
    config = box.shell(LAYER, mapped=userns)
    config["annotations"] = {"org.libinitsync.rootfs.lower": ":".join(lower), "org.libinitsync.rootfs.upper": upper,
                             "org.libinitsync.rootfs.work": work}
    os.rename(place.rootfs + "/bin", base + "/bin")
    os.chmod(place.path, 0o755)
    result = tool.run("run", "--bundle", place.write(config), "test")
    os.rename(base + "/bin", place.rootfs + "/bin")
    if result.code == 1 and result.err.startswith("syncdemo: "):
        contains(one_line(result.err), "config.json: annotations.org.libinitsync.rootfs: overlay: ")
        return "no"
    equal((result.code, result.out, result.err), (0, "0:0 1000:1000,\n0:0\n", ""))
    for name in ("of-0", "new"):
        st = os.lstat(os.path.join(upper, name))
        equal((name, st.st_uid, st.st_gid), (name, 0, 0))
    return "yes"


def layer_row(place, kind):
    """Its line of the second table."""
    with sources.file_system(place, kind) as at:
        cells = [layer(place, at, role, userns) for role in ("lower", "upper") for userns in (True, False)]
    return "| %s | %s |" % (kind, " | ".join(cells))


# ---- the documentation -----------------------------------------------------------

def documented():
    """{file system: its rows} of both tables, in their order."""
    with open(DOCUMENT, encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.startswith("| ") and not line.startswith(("| |", "| `"))]
    found = {kind: [line for line in lines if line.startswith("| %s |" % kind)] for kind in sources.KINDS}
    heads = [line for line in lines if line.startswith("| file system |")]
    equal((len(heads), sum(map(len, found.values())) + 2), (2, len(lines)))
    return found


def blamed(place):
    """a mount that refuses is named through another that does not"""
    tool.need_feature("statmount", "6.8")
    tool.need_feature("listmount", "6.8")
    with sources.file_system(place, "tmpfs") as at:
        deeper = place.file("tmpfs/other/deeper/")
        for userns in (True, False):
            entry = {"destination": "/m", "type": "bind", "source": at + "/source", "options": ["rbind", "ridmap"],
                     "uidMappings": box.MAP, "gidMappings": box.MAP}
            with sources.below(at, "same") as below:
                tool.mount("ramfs", below + "/deeper", "ramfs")
                box.fails(place, container(place, "true", userns, [entry]),
                          "ramfs mounted at %s/deeper takes no id mapping" % below)
                sources.umount(below + "/deeper")
        os.rmdir(deeper)


def test_of(kind):
    def test(place):
        need_root("mount file systems")
        if not tool.linux_is_at_least(*LEAST):
            raise Skip("the document is of Linux %d.%d and later" % LEAST)
        box.fill(place)
        equal("\n".join([*rows(place, kind), layer_row(place, kind)]), "\n".join(documented()[kind]))
    test.__doc__ = "%s: the containers see and write what the document says" % kind
    return test


def complete(_place):
    """the document has every combination, once"""
    for kind, lines in documented().items():
        equal(len(lines), len(set(lines)))
        equal((kind, len(lines)), (kind, 2 * len(BELOW) + 1))
        for line in lines[:-1]:
            equal((line, line.count("|")), (line, 4 + len(COLUMNS)))


def print_tables(place):
    """not a test: prints what is to be documented"""
    box.fill(place)
    for kind in sources.KINDS:
        print("\n".join(rows(place, kind)), flush=True)
    for kind in sources.KINDS:
        print(layer_row(place, kind), flush=True)


TESTS = [complete, blamed, *map(test_of, sources.KINDS)]

if __name__ == "__main__":
    sys.exit(tap.main([print_tables] if sys.argv[1:] == ["--print"] else TESTS))
