# SPDX-License-Identifier: MIT
"""A container of `syncdemo run` is, from inside, what the same bundle is under crun and runc: compared by all that a program
in it reports. What differs is listed in doc/compatibility.md with the sentence that allows it: what is not listed fails,
what is listed and does not occur fails too. And each key and option that is called done there makes a difference to the
report.

Prints TAP.
"""
import os
import re
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
import variations
from container import need_container
from runtimes import Runtime, differences, report, scene
from tool import contains, equal, ok
from variations import CHANGES_NOTHING, GROUPS

MOST = 10               # differences


# ---- the differences that doc/compatibility.md lists -------------------------------

def masks(runtime, case, key, ours, theirs):
    """Other attributes, another empty directory, another null device; and crun covers before it makes read-only."""
    masked = case.config()["linux"].get("maskedPaths", ())
    path = key.split(" ")[1 if key.startswith("mount ") else 0]
    if key == "mounts":
        return runtime == "crun" and sorted(ours.split()) == sorted(theirs.split())
    return path in masked and re.search(r" (attributes|data|type|source|mode)$", key)


def core(runtime, _, key, ours, theirs):
    if key == "/dev holds":
        return runtime == "crun" and theirs == sorted([*ours, "core"])
    return runtime == "crun" and (key.startswith("/dev/core") or (key == "devices core" and theirs == "l /proc/kcore"))


def control_groups(runtime, _, key, ours, theirs):
    if key == "cgroup":
        return runtime == "runc" and re.sub(r"/equal-\d+-\d+", "/", theirs) == ours
    return key == "mount /sys/fs/cgroup source"


def devices(runtime, case, key, ours, theirs):
    linux = case.config()["linux"]
    mapped = "uidMappings" in linux or any("user" == entry["type"] for entry in linux["namespaces"])
    if key == "mounts":
        return mapped and runtime == "runc" and sorted(ours.split()) == sorted(theirs.split())
    return key == "mount /dev/console attributes" or mapped and \
        re.match(r"(mount /dev/(null|zero|full|random|urandom|tty|fuse) |devices fuse$)", key)


def queues(runtime, case, key, *_):
    return runtime == "runc" and "uidMappings" in case.config()["linux"] and key in ("/dev/mqueue owner", "devices mqueue")


def tmpfs_mode(_, case, key, ours, theirs):
    """crun gives none where none is wanted; runc gives that of the directory even where another is wanted."""
    entry = case.config()["mounts"][-1]
    at = "/etc/directory" if entry["destination"] == "/link" else entry["destination"]
    if entry["type"] != "tmpfs":
        return False
    if key == "mount %s data" % at:
        return re.sub(r"mode=\d+ ?", "", ours) == re.sub(r"mode=\d+ ?", "", theirs)
    return key == at + " mode" or (key == at + " holds" and theirs == [] and "Permission denied" in ours)


def read_only(runtime, _, key, ours, theirs):
    if runtime != "runc" or not key.endswith(" data"):
        return False
    return theirs.split()[0] == "ro" and ours == theirs.replace("ro", "rw", 1)


def hooks(_, __, key, *___):
    return re.match(r"hook \w+ (ociVersion|status|pid|root|bundle)$|hooks$", key)


def propagation(runtime, case, key, ours, theirs):
    """What is mounted later outside comes into a tree that is shared there, but not with crun."""
    if not key.endswith(" propagation"):
        return False
    return "rootfsPropagation" in case.config()["linux"] or (runtime, ours, theirs) == ("crun", "master", "")


LISTED = {
    "masks": masks,
    "death signal": lambda _, __, key, ours, theirs: (key, ours, theirs) == ("pdeathsig", 9, 0),
    "/dev/core": core,
    "control groups": control_groups,
    "device files": devices,
    "message queues": queues,
    "mode of a tmpfs": tmpfs_mode,
    "read-only file systems": read_only,
    "hooks": hooks,
    "propagation": propagation,
}
OCCURRED = {}           # those that did: under which runtimes
OURS = {}               # reports by the names of bundles


def unlisted(runtime, case, ours, theirs):
    """What no listed difference accounts for. Only two of them are about what one side does not have at all."""
    left = []
    for key, mine, other in differences(ours, theirs):
        known = LISTED if mine is not None and other is not None else {name: LISTED[name] for name in ("/dev/core", "hooks")}
        names = [name for name, holds in known.items() if holds(runtime.name, case, key, mine, other)]
        if not names:
            left.append((key, mine, other))
        for name in names[:1]:
            OCCURRED.setdefault(name, set()).add(runtime.name)
    return left


def own(place, case):
    if case.name not in OURS:
        found, said = report(place, Runtime("syncdemo"), case.config(), case.size)
        equal((case.name, found is not None, said), (case.name, True, ""))
        OURS[case.name] = found
    return OURS[case.name]


def compare(place, group, name):
    """All that is wrong, at once."""
    need_container()
    runtime, wrong = Runtime(name), []
    with scene(place):
        for case in GROUPS[group]:
            found, said = report(place, runtime, case.config(), case.size)
            left = None if found is None else unlisted(runtime, case, own(place, case), found)
            if name in case.lacks and left == [] and not case.lacks[name].startswith(variations.SOMETIMES):
                wrong.append("%s: %s can do it after all" % (case.name, name))
            elif name not in case.lacks and left != []:
                wrong.append("%s: %s" % (case.name, said if left is None else left))
    ok(not wrong, "as under %s, but:\n%s" % (name, "\n".join(wrong)))


def comparison(group, name):
    def test(place):
        compare(place, group, name)
    test.__doc__ = "%s: as under %s" % (group, name)
    return test


# ---- doc/compatibility.md -----------------------------------------------------------

def table(heading):
    """{each name in the first column: the other columns}"""
    with open(os.path.join(tool.SOURCE, "doc", "compatibility.md"), encoding="utf-8") as file:
        text = file.read().split("\n%s\n" % heading)[1]
    found = {}
    for line in re.split(r"\n#", text)[0].splitlines():
        columns = [column.strip() for column in line.strip("|").split("|")]
        for name in re.findall("`(.*?)`", columns[0]) if line.startswith("| `") else ():
            found[name] = columns[1:]
    return found


def listed(_):
    """each difference that is listed occurs, and there are no more than ten; each has its sentence"""
    need_container()
    for name in ("crun", "runc"):
        Runtime(name)                   # or they did not run
    documented = table("## From inside, beside crun and runc")
    equal(sorted(documented), sorted(LISTED))
    ok(len(documented) <= MOST, documented)
    for name, (who, _, sentence) in documented.items():
        equal((name, sorted(who.split(", "))), (name, sorted(OCCURRED.get(name, ()))))
        ok(re.search('".{30,}"', sentence), "no sentence for " + name)


def enough(_):
    """there are 60 bundles and more, each key and option that is called done stands in one, and each runtime can do most"""
    cases = variations.CASES
    ok(len({case.name for case in cases}) == len(cases) >= 60, len(cases))
    done = {name for name, (word, *_) in table("## Keys").items() if word == "done"}
    done |= {"mounts.*." + name for name, (word, *_) in table("## Mounts").items() if word == "done"}
    done |= {name for name, (word, *_) in table("### Options").items() if word == "done"} - set(CHANGES_NOTHING)
    equal(sorted(done ^ {key for case in cases for key in case.keys}), [])
    for name in ("crun", "runc"):
        able = [case for case in cases if name not in case.lacks]
        ok(len(able) >= 100, (name, len(able)))


# ---- each key makes a difference -------------------------------------------------------

# Without them there is no container, or not with the rest of the bundle.
NEEDED = {
    "ociVersion": "ociVersion", "root": "root", "root.path": "root.path", "process": "process",
    "process.args": "process.args", "process.cwd": "process.cwd", "linux": "linux",
    "linux.namespaces": "without a uts namespace", "linux.uidMappings": "uidMappings", "linux.gidMappings": "gidMappings",
    "mounts.*.destination": "mounts[7].destination", "mounts.*.type": "mounts[7]",
    "mounts.*.source": "mounts[7]", "mounts.*.uidMappings": "idMappings", "mounts.*.gidMappings": "idMappings",
}


def removed(case, key):
    config = case.config()
    if key in case.config()["mounts"][-1].get("options", ()) and case.name == "option " + key:
        config["mounts"][-1]["options"].remove(key)
    else:
        variations.without(config, key)
    return config


def each_removed(place, groups, needed):
    need_container()
    wrong, kept = [], dict(needed)
    with scene(place):
        for case, key in ((case, key) for group in groups for case in GROUPS[group] for key in case.keys):
            found, said = report(place, Runtime("syncdemo"), removed(case, key), case.size)
            if found is None and key in kept:
                contains(said, "syncdemo: ", kept.pop(key))
            elif found is None:
                wrong.append("%s: without %s: %s" % (case.name, key, said))
            elif not differences(own(place, case), found):
                wrong.append("%s: without %s all is the same" % (case.name, key))
    ok(not wrong, "\n".join(wrong))
    equal(kept, {})


def keys_removed(place):
    """each key that is called done: what is reported changes when it is removed, or there is no container without"""
    each_removed(place, ("process", "surroundings", "hooks", "mounts"), NEEDED)


def options_removed(place):
    """each option that is called done: the same"""
    each_removed(place, ("options",), {"bind": "", "rbind": ""})


# Those of which only the whole is looked at: their parts are keys of the table themselves.
WHOLE = ("root", "mounts", "process", "linux", "linux.namespaces")
# Without these parts nothing changes, since execve(2) computes the set anew, and the probe is of the native architecture.
SILENT = {"process.capabilities": "effective", "linux.seccomp": "architectures"}


def parts(value, way=()):
    """The ways to all keys and elements below."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*way, key)
        yield from parts(part, (*way, key))


def follow(config, way):
    for key in way:
        config = config[-1 if key == "*" else key]
    return config


def silent(key, way, value):
    """Parts that cannot make a difference: also paths that are not there."""
    if key in ("linux.maskedPaths", "linux.readonlyPaths"):
        return not os.path.exists(value[way[0]])
    return way[0] == SILENT.get(key)


def parts_removed(place):
    """each part of a key's value: what is reported changes without it, or the bundle is refused"""
    need_container()
    wrong, count = [], 0
    with scene(place):
        for case, key in ((case, key) for group in ("process", "surroundings", "mounts") for case in GROUPS[group]
                          for key in case.keys if key not in WHOLE):
            value = follow(case.config(), key.split("."))
            for way in parts(value):
                if silent(key, way, value):
                    continue
                config = case.config()
                del follow(config, (*key.split("."), *way[:-1]))[way[-1]]
                count += 1
                found, said = report(place, Runtime("syncdemo"), config, case.size)
                if found is None:
                    contains(said, "syncdemo: ")
                elif not differences(own(place, case), found):
                    wrong.append("%s: without %s of %s all is the same" % (case.name, way, key))
    ok(not wrong, "\n".join(wrong))
    ok(count >= 150, count)


def repeated(place):
    """the same bundle twice: the same report"""
    need_container()
    with scene(place):
        for case in GROUPS["process"][:4] + GROUPS["surroundings"]:
            found, _ = report(place, Runtime("syncdemo"), case.config(), case.size)
            equal((case.name, differences(own(place, case), found)), (case.name, []))


TESTS = [comparison(group, name) for group in GROUPS for name in ("crun", "runc")]
TESTS += [listed, enough, keys_removed, parts_removed, options_removed, repeated]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
