# SPDX-License-Identifier: MIT
"""Patches that each take one defence out, tests/mutations/*.patch.

Before the diff stands what is taken out, and in lines of `Key: value`

    Test:   the test that must fail without it: a file below tests/, and the name of a test in there
    Hangs:  "yes" where the test cannot end without the defence, and the time limit stands for its failure
    Dies:   the signal that ends the whole test program without the defence
    Needs:  a feature of the kernel without which the test would not notice (see `syncdemo features`)

Each hunk applies where its old text is, which must be one place of the file: line numbers do not matter.
"""
import glob
import os
import re

KEYS = ("Test", "Hangs", "Dies", "Needs")


class Broken(Exception):
    """What is wrong with a patch."""


def names(directory):
    return sorted(os.path.basename(path)[:-len(".patch")] for path in glob.glob(os.path.join(directory, "*.patch")))


class Mutation:
    def __init__(self, directory, name):
        self.name = name
        head, sep, diff = read(os.path.join(directory, name + ".patch")).partition("\n--- a/")
        fields = dict(re.findall(r"^(\w+): +(.+)$", head, re.MULTILINE))
        if not sep or "Test" not in fields or not set(fields) <= set(KEYS):
            raise Broken("%s.patch: expected lines of %s, then a unified diff" % (name, ", ".join(KEYS)))
        self.test, _, self.function = fields["Test"].partition(" ")
        self.hangs = fields.get("Hangs") == "yes"
        self.dies = fields.get("Dies")
        self.needs = fields.get("Needs")
        self.what = "\n".join(line for line in head.split("\n") if line and not re.match(r"\w+: ", line))
        self.changes = [change for part in ("\n" + diff).split("\n--- a/") if part for change in self.hunks(part)]

    def hunks(self, part):
        """(path, old text, new text) of each hunk."""
        path, _, rest = part.lstrip("\n").partition("\n+++ b/")
        for hunk in re.split(r"^@@.*@@.*\n", rest, flags=re.MULTILINE)[1:]:
            lines = hunk.rstrip("\n").split("\n")
            if any(line[:1] not in ("", " ", "-", "+") for line in lines):
                raise Broken("%s.patch: %s: a line that is none of a diff" % (self.name, path))
            old, new = ("".join(line[1:] + "\n" for line in lines if line[:1] != sign) for sign in "+-")
            yield path, old, new

    def changed(self, root):
        """{path: text} of what the patch changes below @root."""
        texts = {}
        for path, old, new in self.changes:
            full = os.path.join(root, path)
            if full not in texts:
                texts[full] = read(full)
            found = len(re.findall("(?=%s)" % re.escape("\n" + old), "\n" + texts[full]))
            if found != 1:
                raise Broken("%s.patch: %s: the old text of a hunk is there %d times:\n%s" % (self.name, path, found, old))
            texts[full] = ("\n" + texts[full]).replace("\n" + old, "\n" + new)[1:]
        return texts

    def apply(self, root):
        """Changes the files below @root; returns what they were, for undo()."""
        after = self.changed(root)
        before = {path: read(path) for path in after}
        for path, text in after.items():
            write(path, text)
        return before


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def undo(before):
    for path, text in before.items():
        write(path, text)


def read_all(directory):
    return [Mutation(directory, name) for name in names(directory)]
