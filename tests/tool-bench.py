# SPDX-License-Identifier: MIT
"""`syncdemo bench`: every bench runs, its JSON is what it should be, and nothing is left. Its figures are not looked at.

Prints TAP.
"""
import json
import os
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from tool import Skip, contains, equal, ok

PATIENCE = 120          # seconds for one bench of a few rounds, on a busy machine under a sanitizer
BENCHES = ["userns", "userns-cached", "request", "requests-32", "plain", "session", "seal", "chown", "run", "run-many",
           "sessions-1000", "mounts-1000"]
BY_ROOT = {"seal", "chown", "run", "run-many"}


def bench(place, *args, **kwargs):
    program, environment = tool.copy_tool(place)
    os.chmod(place.path, 0o755)
    return tool.finish(tool.start([program, "bench", *args], env=environment, cwd="/", **kwargs), timeout=PATIENCE)


def fields(result, name):
    """What one object of "ratios" or "figures" must have."""
    for key in ("median", "p10", "p90"):
        ok(isinstance(result[key], float) and result[key] >= 0, (name, result))
    ok(result["p10"] <= result["median"] <= result["p90"] and result["n"] >= 1 and result["what"], (name, result))


def looks_right(one, name, by_root):
    equal(one["name"], name)
    if name in BY_ROOT and not by_root:
        equal((one["left_out"], one["figures"]), ("only root can do this", []))
        return
    ok("left_out" not in one and one["figures"], one)
    for figure in one["figures"]:
        fields(figure, name)
        ok(figure["unit"] in ("ns", "us", "ms", "KiB") and figure["median"] > 0, figure)
    for ratio in one["ratios"]:
        fields(ratio, name)
        bounds = [key for key in ("at_most", "at_least") if key in ratio]
        equal("pass" in ratio, len(bounds) == 1)
        if bounds == ["at_most"]:
            equal(ratio["pass"], ratio["median"] <= ratio["at_most"])
        elif bounds:
            equal(ratio["pass"], ratio["median"] >= ratio["at_least"])


def one_by_one(place, by_root, **kwargs):
    if "thread" in os.environ.get("SANITIZERS", ""):
        raise Skip("ThreadSanitizer does not let a forked process make threads or enter a user namespace")
    before = tool.mounts()
    for name in BENCHES:
        result = bench(place, name, "--quick", "--json", **kwargs)
        equal((name, result.code, result.err), (name, 0, ""))
        found = json.loads(result.out)
        equal(found["root"], by_root)
        equal([one["name"] for one in found["benches"]], [name])
        looks_right(found["benches"][0], name, by_root)
    equal(tool.mounts(), before)


def as_root(place):
    """each bench, in few rounds, as root: JSON with figures and ratios"""
    tool.need_root("have all benches run")
    one_by_one(place, True)


def as_ordinary_user(place):
    """each bench as an ordinary user: what only root can do is left out by name"""
    one_by_one(place, False, preexec_fn=tool.ordinary_user)


def table(place):
    """a table for people, and --check"""
    result = bench(place, "userns-cached", "--quick", preexec_fn=tool.ordinary_user)
    equal((result.code, result.err), (0, ""))
    contains(result.out, "libinitsync ", "ours / floor", "<= 3.00")
    checked = bench(place, "userns-cached", "--quick", "--check", preexec_fn=tool.ordinary_user)
    equal(checked.code, 1 if "MISS" in checked.out else 0)


def listed(place):
    """--list names them all"""
    result = tool.run("bench", "--list")
    equal((result.code, result.err), (0, ""))
    equal([line.split()[0] for line in result.out.splitlines()], BENCHES)


if __name__ == "__main__":
    sys.exit(tap.main([as_root, as_ordinary_user, table, listed]))
