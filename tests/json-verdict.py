# SPDX-License-Identifier: MIT
"""What Python takes for JSON: hexadecimal documents, one a line, on stdin; "1" or "0" for each on stdout.

tests/test-json-differential compares this with the library's own reader.
Python's laxities are closed here: NaN and Infinity, and more than eight
levels; a lone surrogate is taken by both.
"""
import json
import sys

MAX_DEPTH = 8


def no_constant(name):
    raise ValueError(name + " is not JSON")


def depth(value):
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return 0
    return 1 + max(map(depth, value), default=0)


def pairs(members):
    # A dict would hide the nesting of a member whose key comes again.
    return [value for _, value in members]


def verdict(document):
    try:
        value = json.loads(document.decode("utf-8"), parse_constant=no_constant, object_pairs_hook=pairs)
    except (ValueError, RecursionError):
        return False
    return depth(value) <= MAX_DEPTH


for line in sys.stdin:
    print(int(verdict(bytes.fromhex(line.strip()))))
