# SPDX-License-Identifier: MIT
"""`syncdemo run`: the clocks of a new time namespace. Prints TAP."""
import json
import os
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
from box import configuration, fails, namespace_numbers, ordinary, seen
from tool import need_root, ok


def offsets(place):
    """a time namespace and linux.timeOffsets, also with a user namespace"""
    need_root("make namespaces")
    for mapped in (False, True):
        config = configuration(mapped=mapped)
        config["linux"]["namespaces"].append({"type": "time"})
        config["linux"]["timeOffsets"] = {"monotonic": {"secs": 86400, "nanosecs": 5}, "boottime": {"secs": 864000}}
        inside = seen(place, config, "clocks", "namespaces")
        for clock, number, offset in (("monotonic", time.CLOCK_MONOTONIC, 86400), ("boottime", time.CLOCK_BOOTTIME, 864000)):
            difference = inside["clocks"][clock] - time.clock_gettime(number)
            ok(abs(difference - offset) < 10, (clock, difference))
        ok(inside["namespaces"]["time"] != namespace_numbers()["time"], "the same time namespace")
        del config["linux"]["timeOffsets"]
        inside = seen(place, config, "clocks", "namespaces")
        ok(abs(inside["clocks"]["monotonic"] - time.clock_gettime(time.CLOCK_MONOTONIC)) < 10, inside)
        ok(inside["namespaces"]["time"] != namespace_numbers()["time"], "the same time namespace")


def ordinary_user(place):
    """as an ordinary user: the clocks of a time namespace that belongs to the new user namespace"""
    config = configuration("/bin/probe", "clocks", kinds=("mount", "pid", "user", "time"))
    config["linux"]["timeOffsets"] = {"monotonic": {"secs": 7200}}
    inside = json.loads(ordinary(place, config))
    difference = inside["clocks"]["monotonic"] - time.clock_gettime(time.CLOCK_MONOTONIC)
    ok(abs(difference - 7200) < 10, difference)


def offsets_refused(place):
    """linux.timeOffsets: without a namespace of its own, for other clocks, out of range"""
    need_root("make namespaces")
    for namespaces, value, text in (
            ((), {"monotonic": {"secs": 1}}, "linux.timeOffsets: without a new time namespace"),
            (({"type": "time", "path": "/proc/self/ns/time"},), {"monotonic": {"secs": 1}}, "without a new time namespace"),
            (({"type": "time"},), {"realtime": {"secs": 1}},
             "linux.timeOffsets.realtime: no clock that a time namespace has"),
            (({"type": "time"},), {"boottime": {"nanosecs": 1000000000}},
             "timeOffsets.boottime.nanosecs: expected 0 to 999999999"),
            (({"type": "time"},), {"boottime": {"secs": -(1 << 60)}},
             "linux.timeOffsets.boottime: /proc/self/timens_offsets: write")):
        config = configuration("echo", "started")
        config["linux"]["namespaces"] += namespaces
        config["linux"]["timeOffsets"] = value
        fails(place, config, "config.json: ", text)


TESTS = [offsets, ordinary_user, offsets_refused]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
