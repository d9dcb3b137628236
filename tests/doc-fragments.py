# SPDX-License-Identifier: MIT
"""What the documentation shows as C is what an example says, which is compiled and run.

Prints TAP.
"""
import glob
import os
import sys
import textwrap

SOURCE = os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def fragments(text):
    """The ```c blocks, each without what all its lines are indented by."""
    lines, block = text.splitlines(), None
    for line in lines:
        if block is None and line.strip() in ("```c", "```cpp"):
            block = []
        elif block is not None and line.strip() == "```":
            yield "\n".join(block)
            block = None
        elif block is not None:
            block.append(line)


def plain(text):
    """Indentation does not count: a fragment may stand deeper in its example."""
    return "\n".join(line.strip() for line in textwrap.dedent(text).strip("\n").splitlines())


def main():
    paths = sorted(glob.glob(os.path.join(SOURCE, "examples", "*.c*")) + glob.glob(os.path.join(SOURCE, "examples", "*.h")))
    examples = [plain(read(path)) for path in paths]
    number = failed = 0
    for document in ("README.md", "doc/embedding.md"):
        for fragment in fragments(read(os.path.join(SOURCE, document))):
            number += 1
            found = any(plain(fragment) in example for example in examples)
            failed += not found
            print("%s %d - %s: %s" % ("ok" if found else "not ok", number, document, fragment.strip().split("\n")[0].strip()))
    print("1..%d" % number)
    return 1 if failed or not number else 0


if __name__ == "__main__":
    sys.exit(main())
