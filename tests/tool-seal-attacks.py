# SPDX-License-Identifier: MIT
"""What a container can reach of the runtime is a sealed copy, and nothing that it can do there reaches the host's file,
which a copy of the tool plays. Prints TAP.
"""
import os
import shutil
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from sealing import HOSTILE, NO_OVERLAY, Host, best, configuration, shell
from tool import Skip, equal, extents, need_root, ok

FIRST = 100000

# Loaded by the dynamic linker into the runtime's own program, when an image has that executed.
PRELOADED = """
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((constructor)) static void begin(void) {
        char exe[64], pid[16];
        int status = 0;

        unsetenv("LD_PRELOAD");
        snprintf(pid, sizeof(pid), "%d", getpid());
        snprintf(exe, sizeof(exe), "/proc/%d/exe", getpid());
        if (fork() == 0) {
                execl("/own/hostile", "hostile", exe, "/own/scratch", pid, (char *)0);
                _exit(127);
        }
        wait(&status);
        _exit(status >> 8);
}
"""


def need_hostile():
    if not os.path.exists(HOSTILE):
        raise Skip("tests/support/hostile is not built: no static C library")


def wait_for(path, text):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                found = file.read()
            if text in found:
                return found
        time.sleep(0.01)
    raise AssertionError("no %r in %s" % (text, path))


COPY_ONLY = {"mode", "owner", "times", "attribute", "immutable"}     # of memory that is a copy, such things may change
WRITING = {"read-write", "write-only", "open-truncate", "truncate", "held-open", "bind-remount", "open_tree", "link"}


def verdicts(text):
    """{way: cause of its failure, or "ok"}"""
    ok(text.endswith("done\n"), text)
    return dict(line.split(": ") for line in text.splitlines() if ": " in line)


def succeeded(text):
    return {way for way, verdict in verdicts(text).items() if verdict == "ok"} - {"(trace)"}


def each_way(place, attack, owner=0, dynamic=False):
    """Runs @attack for both ways of sealing; what it returns are the ways of the attacker that worked."""
    need_root("start containers")
    need_hostile()
    host = Host(place, dynamic)
    os.chown(host.program, owner, owner)
    host.before = host.look()
    found = attack(host, None)
    ok(not found or best() == "memfd" and found <= COPY_ONLY, found)
    host.unchanged()
    found = attack(host, NO_OVERLAY)
    ok(found <= COPY_ONLY, found)
    host.unchanged()


def preload(place):
    """The attacker as a library."""
    compiler = (os.environ.get("CC") or "cc").split()
    if not shutil.which(compiler[0]):
        raise Skip("no " + compiler[0])
    source = place.file("preloaded.c", PRELOADED)
    target = place.file("bundle/rootfs/own/") + "/preloaded.so"
    subprocess.run([*compiler, "-shared", "-fPIC", "-o", target, source], check=True)


def from_image(place, program, **changes):
    """A container whose program is the runtime's own once more, with a library of the image in it."""
    own = place.file("bundle/rootfs/own/")
    preload(place)
    for name in os.listdir(place.path + "/bin"):
        if name.startswith("libinitsync"):
            tool.install(place.path + "/bin/" + name, own + "/" + name)
    env = ["LD_PRELOAD=/own/preloaded.so", "LD_LIBRARY_PATH=/own", "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"]
    return configuration(place, program, env=env, **changes)


# ---- the attacks -----------------------------------------------------------------

def control(place):
    """the same attacks on a file that is not sealed do work"""
    need_hostile()
    config = shell(place, "cp /own/hostile /own/plain; exec /own/hostile /own/plain /own/scratch")
    found = succeeded(tool.run("run", "--bundle", place.write(config), "test").out)
    ok(found >= WRITING | COPY_ONLY, "of the attacks only these work on a plain file: %s" % found)


def interpreter(place):
    """an image's program `#!/proc/self/exe` with a library of its own: writing, holding, remounting, tracing, stealing"""
    def attack(host, denied):
        os.chmod(place.file("bundle/rootfs/own/again", "#!/proc/self/exe\n"), 0o755)
        result = host.run(place, from_image(place, "/own/again"), denied=denied)
        equal((result.code, result.err), (0, ""))
        ok("(trace): ok" in result.out, result.out)
        return succeeded(result.out)
    each_way(place, attack, dynamic=True)


def link(place):
    """an image's program that is a link to /proc/self/exe, in a user namespace"""
    def attack(host, denied):
        config = from_image(place, "/own/link", namespaces=("mount", "pid", "user"))
        if not os.path.islink(place.rootfs + "/own/link"):
            os.symlink("/proc/self/exe", place.rootfs + "/own/link")
        config["linux"].update(uidMappings=extents("0:%d:65536" % FIRST), gidMappings=extents("0:%d:65536" % FIRST))
        for path, _, files in os.walk(place.rootfs):
            for name in [path, *(os.path.join(path, name) for name in files)]:
                os.lchown(name, FIRST, FIRST)
        result = host.run(place, config, denied=denied)
        equal((result.code, result.err), (0, ""))
        return succeeded(result.out)
    each_way(place, attack, FIRST, dynamic=True)        # who is root in there may do more to what is his


def neighbour(place):
    """a container without a PID namespace, which sees the runtime, and traces it"""
    def attack(host, denied):
        config = shell(place, "exec /own/hostile /proc/$PPID/exe /own/scratch $PPID", namespaces=["mount"])
        result = host.run(place, config, denied=denied)
        equal((result.code, result.err), (0, ""))
        ok("(trace): ok" in result.out, result.out)
        return succeeded(result.out)
    each_way(place, attack)


def survivor(place):
    """... and one process of it that held the runtime's executable open until that had ended, and was no longer busy"""
    def attack(host, denied):
        # Without a PID namespace a keeper ends what is left of a container: root of the host can kill that one first.
        script = ("exec 9</proc/$PPID/exe >/own/result 2>&1 </dev/null; keeper=$PPID; "
                  "run=$(cut -d' ' -f4 /proc/$keeper/stat);"
                  "(sleep 0.2; [ $keeper -gt 1 ] && kill -9 $keeper; while kill -0 $run; do sleep 0.02; done 2>/dev/null;"
                  " exec /own/hostile /proc/self/fd/9 /own/scratch) & wait")
        equal(host.run(place, shell(place, script, namespaces=["mount"]), denied=denied), (128 + signal.SIGKILL, "", ""))
        return succeeded(wait_for(place.rootfs + "/own/result", "done\n"))
    each_way(place, attack)


TESTS = [control, interpreter, link, neighbour, survivor]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
