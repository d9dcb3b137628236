# SPDX-License-Identifier: MIT
"""What the manual's pages say, and what the public header says, as values that can be compared.

Both are read from texts in memory, so that a test can spoil one and see that this is found.
"""
import glob
import os
import re

SOURCE = os.path.abspath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")))
FOLDER = os.path.join(SOURCE, "doc", "man")
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def ok(condition, what):
    if not condition:
        raise AssertionError(what)


def same(what, one, other):
    """Two collections, one of the header or the program and one of the pages, of the same things."""
    one, other = set(one), set(other)
    ok(one == other, "%s: not in the pages: %s; in the pages alone: %s" % (what, sorted(one - other), sorted(other - one)))


def flat(text):
    return " ".join(text.split())


class Page:
    """One page in mdoc(7)."""

    def __init__(self, name, text):
        self.name, self.text = name, text.replace("\\\n", "")
        self.title, self.number = name.rsplit(".", 1)

    def section(self, name):
        found = re.search(r"^\.Sh %s\n(.*?)(?=^\.Sh |\Z)" % re.escape(name), self.text, re.M | re.S)
        return found.group(1) if found else ""

    def names(self):
        """Of the NAME section, but for a title that is no function's."""
        return re.findall(r"^\.Nm (\w+)", self.section("NAME"), re.M)

    def prototypes(self):
        for result, body in re.findall(r"^\.Ft ([^\n]*)\n\.Fo (.*?)^\.Fc", self.section("SYNOPSIS"), re.M | re.S):
            name, *arguments = body.strip().split("\n")
            result = result.strip('"')
            arguments = ", ".join(line[len(".Fa "):].strip('"') for line in arguments)
            yield name, "%s%s%s(%s)" % (result, "" if result.endswith("*") else " ", name, arguments)

    def literals(self, section):
        for text in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", self.section(section), re.M | re.S):
            yield text.replace("\\&", "").replace("\\e", "\\")

    def errnos(self):
        """{function: ({errnos}, {functions whose errors it has as well})}, from the section ERRORS."""
        found, about, of_errno = {}, [], False
        text = self.section("ERRORS")
        if text and ".It Fn " not in text:
            about = [name for name, _ in self.prototypes()][:1]         # a page of one function
        for line in text.split("\n"):
            functions = re.findall(r"\bFn (initsync_\w+)", line)
            if line.startswith(".It Fn "):
                about = functions
            of_errno = line.startswith(".It Bq Er ") or (of_errno and not line.startswith((".It", ".El")))
            for name in about:
                errnos, others = found.setdefault(name, (set(), set()))
                if line.startswith(".It Bq Er "):
                    errnos.update(re.findall(r"\bE[A-Z0-9]+", line))
                elif not of_errno and not line.startswith(".It"):
                    others.update(functions)
        return found

    def fields(self):
        return set(re.findall(r"\w+", " ".join(re.findall(r"^\.It Fa (.*)$", self.text, re.M))))

    def references(self):
        return set(re.findall(r"\bXr (\S+) ([1-9])", self.text))

    def parts(self, section):
        """{heading: text} of the subsections."""
        return {name: text for name, text in
                re.findall(r"^\.Ss (.*?)\n(.*?)(?=^\.Ss |\Z)", self.section(section), re.M | re.S)}


class Manual:
    def __init__(self, texts=None):
        paths = sorted(glob.glob(os.path.join(FOLDER, "*.[1-9]")))
        self.texts = texts or {os.path.basename(path): read(path) for path in paths}
        self.pages = [Page(name, text) for name, text in self.texts.items()]

    def spoilt(self, name, old, new):
        text, n = re.subn(old, new, self.texts[name], count=1, flags=re.M)
        ok(n == 1, "no %r in %s" % (old, name))
        return Manual(dict(self.texts, **{name: text}))


class Header:
    def __init__(self, text=None):
        self.text = text or read(os.path.join(SOURCE, "include", "initsync.h"))
        code = re.sub(r"/\*.*?\*/", "", self.text, flags=re.S)
        self.constants = set(re.findall(r"\b(INITSYNC_[A-Z0-9_]+)\b", code)) - {"INITSYNC_H"}
        self.structs = {name: flat(body) for name, body in re.findall(r"^struct (\w+) (\{.*?^\});", code, re.M | re.S)}
        lines = re.sub(r"^#.*?(?<!\\)$", "", code, flags=re.M | re.S)
        self.prototypes = {name: flat("%s%s(%s)" % (result, name, arguments)) for result, name, arguments in
                           re.findall(r"^([a-z][\w *]*?)(initsync_\w+)\(([^;]*)\);", lines, re.M)}
        self.comments = list(self.read_comments())

    def spoilt(self, old, new):
        text, n = re.subn(old, new, self.text, count=1)
        ok(n == 1, "no %r in the header" % old)
        return Header(text)

    def read_comments(self):
        """What each comment is about, and its text on one line."""
        for text in re.findall(r"/\*(.*?)\*/", self.text, re.S):
            text = flat(re.sub(r"^ ?\*+ ?", "", text, flags=re.M)).lstrip("* ")
            about = re.match(r"(initsync_\w+)\(\) - |struct (\w+)|What the next (\w+) calls have in common\.", text)
            if about:
                yield about.group(1) or about.group(2) or NUMBERS[about.group(3)], text

    def fields(self):
        """{struct: the names with an @ that stand before a ':' in its comment}."""
        return {name: set(re.findall(r"@(\w+)(?=(?:, @\w+)*:)", text))
                for name, text in self.comments if name in self.structs}

    def errnos(self):
        """As of the pages."""
        found, common, left = {}, set(), 0
        for about, text in self.comments:
            if isinstance(about, int):
                # what follows its first sentence tells of failures in general
                common, left = set(re.findall(r"-(E[A-Z0-9]+)", re.search(r"Return: .*?\. ", text).group(0))), about
            elif about in self.prototypes:
                errnos = set(re.findall(r"-(E[A-Z0-9]+)", text))
                others = set(re.findall(r"(?:Return: as|; as|errors of|and of) (initsync_\w+)\(\)", text))
                found[about] = (errnos | (common if left > 0 else set()), others)
                left -= 1
        return found
