# SPDX-License-Identifier: MIT
"""The model in doc/model: its table is that of src/wire/turn.c; with INITSYNC_LONG set, spin checks what it claims.

What is claimed must also be able to fail: in each of MUTANTS a line of the model is spoilt, and spin must find it.
Prints TAP.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.abspath(os.environ.get("top_srcdir", os.path.join(os.path.dirname(__file__), "..")))
MODEL = os.path.join(SOURCE, "doc", "model", "conversation.pml")

# What, the claim that must fail, the text that is replaced, its replacement.
MUTANTS = (
    ("hooks may be asked for twice", "safe", "by == PARENT && what == procHooksDone -> next = PIVOT",
     "by == PARENT && what == procHooksDone -> next = MOUNTS"),
    ("requests are served after the end", "safe", "owed = 0;               /* the mount task is killed */", "skip;"),
    ("no deadline for the end", "ends", "#define ARMED (phase == GRACE || phase == KILLED || ", "#define ARMED ("),
    ("a child that hangs is waited for", "ends", ":: atomic { phase == KILLED && due && second -> finish() }\n", ""),
    ("a child that sends for ever holds up the end", "ends", "phase == GRACE && nempty(to_parent) && !due",
     "phase == GRACE && nempty(to_parent)"),
)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def table_of_c():
    rows = re.findall(r"\{ INITSYNC_STEP_(\w+), TURN_(\w+), MESSAGE_(\w+), INITSYNC_STEP_(\w+) \}",
                      read(os.path.join(SOURCE, "src", "wire", "turn.c")))
    names = {"EOF": "eof"}
    for step, by, message, following in rows:
        name = names.get(message, "proc" + "".join(part.capitalize() for part in message.split("_")))
        yield step, by, name, following


def table_of_model():
    text = read(MODEL)
    table = text[text.index("/* The table of src/wire/turn.c */"):text.index("/* End of the table */")]
    return re.findall(r":: step == (\w+) && by == (\w+) && what == (\w+) -> next = (\w+)\n", table), table.count("::")


def test_table():
    wanted = list(table_of_c())
    got, lines = table_of_model()
    if len(wanted) < 10 or got != wanted or lines != len(got):
        raise AssertionError("src/wire/turn.c has %r\nthe model %r" % (wanted, got))


def run(directory, *command):
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, check=False,
                          universal_newlines=True)
    if done.returncode:
        raise AssertionError("%s: status %d: %s" % (" ".join(command), done.returncode, done.stdout[-2000:]))
    return done.stdout


def errors(text, claim, *options):
    """How many errors spin finds in the model @text; claim None: states from which nothing goes on."""
    build = ["-DNFAIR=4"] if claim else ["-DNOCLAIM", "-DSAFETY"]
    look = ["-a", "-f", "-N", claim] if claim else []
    with tempfile.TemporaryDirectory() as directory:
        with open(os.path.join(directory, "model.pml"), "w", encoding="utf-8") as file:
            file.write(text)
        run(directory, "spin", *options, "-a", "model.pml")
        run(directory, os.environ.get("CC", "cc"), "-O2", "-w", *build, "-o", "pan", "pan.c")
        said = run(directory, "./pan", "-m2000000", *look)
    if "max search depth too small" in said:
        raise AssertionError(said)
    return int(re.search(r"errors: (\d+)", said).group(1))


def test_claims(*options):
    text = read(MODEL)
    for claim in (None, "safe", "ends"):
        if errors(text, claim, *options) != 0:
            raise AssertionError("%s does not hold" % (claim or "freedom from deadlock"))


def test_mutant(mutant):
    what, claim, old, new = mutant
    text = read(MODEL)
    if text.count(old) != 1:
        raise AssertionError("the line to be spoilt is not there: " + old)
    if errors(text.replace(old, new), claim) == 0:
        raise AssertionError("nothing is found although " + what)


def tests():
    yield "the table of src/wire/turn.c", test_table
    if not os.environ.get("INITSYNC_LONG"):
        return
    yield "an honest child", lambda: test_claims("-DHONEST")
    yield "a hostile child", test_claims
    for mutant in MUTANTS:
        yield "found: " + mutant[0], lambda mutant=mutant: test_mutant(mutant)


def main():
    number = failed = 0
    for name, test in tests():
        number += 1
        if number > 1 and not shutil.which("spin"):
            print("ok %d - %s # SKIP spin is not installed" % (number, name))
            continue
        try:
            test()
            print("ok %d - %s" % (number, name), flush=True)
        except AssertionError as error:
            failed += 1
            print("not ok %d - %s" % (number, name))
            print("\n".join("# " + line for line in str(error).split("\n")), flush=True)
    print("1..%d" % number)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
