# SPDX-License-Identifier: MIT
"""`syncdemo` with bundles whose mounts or id maps are wrong: one line that says what, and nothing has happened.

Prints TAP.
"""
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from refusals import DELETE, Holder, change, need_namespace, refuses
from tool import bind

MAP = tool.extents("0:100000:65536")

# What is wrong with the second of two mounts.
MOUNTS = (
    ({"destination": DELETE}, "destination: is missing"),
    ({"destination": ""}, "destination: expected a path"),
    ({"destination": "/" + "x" * 4095}, "destination: expected a path of 1 to 4095 bytes"),
    ({"destination": 1}, "destination: expected a string"),
    ({"source": DELETE}, "source: is missing"),
    ({"type": DELETE}, "type: neither the type of a file system nor", []),
    ({"type": "none"}, "type: neither the type of a file system nor", ["ro"]),
    ({"type": ""}, "type: neither the type of a file system nor", ["ro"]),
    ({"type": "tmpfs"}, "idmap without uidMappings and gidMappings", ["idmap"]),
    ({"type": "cgroup", "uidMappings": MAP, "gidMappings": MAP}, "idmap: control groups take no id mapping", []),
    ({"type": "tmpfs", "uidMappings": MAP}, "uidMappings and gidMappings: one without the other", []),
    ({"type": "tmpfs", "uidMappings": MAP, "gidMappings": MAP}, "remount with idmap or tmpcopyup", ["remount"]),
    ({"type": "tmpfs", "destination": DELETE}, "destination: is missing", []),
    ({"type": "tmpfs", "source": 1}, "source: expected a string", []),
    ({"type": "tmpfs"}, "remount: no mount before it has the destination /wrong", ["ro", "remount"]),
    ({"type": "ramfs"}, "tmpcopyup, which is an option of tmpfs alone", ["tmpcopyup"]),
    ({"options": ["bind", "tmpcopyup"]}, "tmpcopyup, which is an option of tmpfs alone"),
    ({"source": ""}, "source: expected a path"),
    ({"source": "/" + "x" * 4095}, "source: a path longer than 4095 bytes"),
    ({"type": 1}, "type: expected a string"),
    ({"options": "bind"}, "options: expected an array"),
    ({"options": ["bind", 1]}, r"options\[1\]: expected a string"),
    ({"options": ["bind", "rrw", "rrro"]}, r"options\[2\]: rrro: no option of a bind mount"),
    ({"options": ["bind", "sync"]}, r"options\[1\]: sync: no option of a bind mount"),
    ({"options": ["bind", "\x1b]0;x\x07"]}, r"options\[1\]: \\x1b\]0;x\\x07: no option of a bind mount"),
    ({"options": ["bind", "mode=755"]}, r"options\[1\]: mode=755: no option of a bind mount"),
    ({"options": ["bind", "idmap"]}, "idmap without uidMappings and gidMappings"),
    ({"uidMappings": MAP}, "uidMappings and gidMappings: one without the other"),
    ({"uidMappings": [1], "gidMappings": MAP}, r"uidMappings\[0\]: expected an object"),
    ({"uidMappings": [{"containerID": 0, "hostID": 1}], "gidMappings": MAP}, r"uidMappings\[0\].size: is missing"),
    ({"uidMappings": [{"containerID": "0", "hostID": 1, "size": 1}], "gidMappings": MAP},
     r"uidMappings\[0\].containerID: expected an integer"),
    ({"uidMappings": [{"containerID": 0, "hostID": 1 << 32, "size": 1}], "gidMappings": MAP},
     r"uidMappings\[0\].hostID: expected 0 to 4294967295"),
    ({"uidMappings": [{"containerID": 0, "hostID": 1 << 64, "size": 1}], "gidMappings": MAP},
     r"uidMappings\[0\].hostID: expected 0 to 4294967295"),
    ({"uidMappings": MAP, "gidMappings": [{"containerID": 0, "hostID": -1, "size": 1}]},
     r"gidMappings\[0\].hostID: expected 0 to 4294967295"),
    ({"uidMappings": [{"containerID": 0, "hostID": 1, "size": 0}], "gidMappings": MAP}, "uidMappings: "),
    ({"uidMappings": MAP * 2, "gidMappings": MAP}, "uidMappings: "),
    ({"uidMappings": [{"containerID": 0, "hostID": 4294967295, "size": 2}], "gidMappings": MAP}, "uidMappings: "),
    ({"uidMappings": tool.extents(",".join("%d:%d:1" % (i, i) for i in range(341))), "gidMappings": MAP},
     "uidMappings: more than 340 extents"),
    ({"uidMappings": tool.extents(",".join(2 * ("%d:" % (i * 2 + 10**9)) + "1" for i in range(340))),
      "gidMappings": MAP}, "uidMappings: "),
)


def bad_mounts(place):
    """mounts and id maps that are wrong, before the right one in front is mounted"""
    need_namespace()
    with Holder() as holder:
        for changes, pattern, *options in MOUNTS:
            entry = bind(place.data, "/wrong")
            if options:
                entry["options"] = options[0]
            for key, value in changes.items():
                change(entry, key, value)
            config = place.config("echo started")
            config["mounts"] = [bind(place.data, "/right"), entry]
            refuses(holder, place.write(config), changes, r"config.json: mounts\[1\].*" + pattern)


TESTS = [bad_mounts]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
