# SPDX-License-Identifier: MIT
"""doc/compatibility.md says what the program does: its keys against tools/bundle_keys.c, its options against what the
tests try.

Prints TAP.
"""
import os
import re
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "support"))
import tap
import tool
from tool import equal, ok

# The table "Linux mount options" of the OCI runtime specification 1.3, config.md.
SPECIFIED = """async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec
    noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime relatime remount
    rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro rprivate rrelatime rro rrw rshared
    rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave strictatime suid symfollow sync tmpcopyup unbindable
    idmap ridmap rnodev""".split()


def source(*parts):
    with open(os.path.join(tool.SOURCE, *parts), encoding="utf-8") as file:
        return file.read()


def rows(heading):
    """{the first column: the second} of the table behind a heading."""
    text = source("doc", "compatibility.md").split("\n%s\n" % heading)[1]
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            break
        match = re.match(r"\| (`.*?`) \| (.*?) \|", line)
        if match:
            name = match[1].strip("`")
            ok(name not in found, "twice: " + name)
            found[name] = match[2]
    return found


def word_for(child, parent):
    """What the two halves together do."""
    actions = {child, parent}
    if "REFUSED" in actions or "REFUSED_EVER" in actions:
        return "refused"
    if "WARNED" in actions:
        return "warned"
    return "done" if "READ" in actions else "nothing to do"


def keys(place):
    """every key that the program knows has a row that says what it does, and there is no row without a key"""
    pattern = r'\{ "([A-Za-z.]+)",\s*json_type_\w+,\s*(\w+),\s*(\w+) \}'
    known = {path: word_for(child, parent) for path, child, parent in re.findall(pattern, source("tools", "bundle_keys.c"))}
    ok(len(known) > 50, known)
    lines = source("tools", "bundle_keys.c").split("} keys[] = {")[1].split("\n};")[0].splitlines()
    equal(len(known), len([line for line in lines if line.strip()]))
    documented = rows("## Keys")
    equal(sorted(set(documented.items()) ^ set(known.items())), [])


def options(place):
    """every option of the specification's table has a row; what a row calls done is tried in a container"""
    documented = rows("### Options")
    equal(sorted(documented), sorted(SPECIFIED))
    tested = {}
    text = source("tests", "tool-mount-options.py")
    tested["table"] = set(re.findall(r'"([a-z]+)": \("', text.split("OPTIONS = {")[1].split("\n}\n")[0]))
    tested["elsewhere"] = set(re.findall(r'"([a-z]+)"', text.split("ELSEWHERE = {")[1].split("}")[0]))
    equal(sorted(tested["table"] | tested["elsewhere"]), sorted(SPECIFIED))
    for name, word in documented.items():
        ok(word in ("done", "refused"), name)
        ok(word == "done" or name in tested["elsewhere"], name)


TESTS = [keys, options]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
