# SPDX-License-Identifier: MIT
"""`syncdemo run`: what the process finds itself in: arguments, environment, streams, limits, working directory,
namespaces; each told by tests/support/probe.c from inside. Prints TAP.
"""
import os
import resource
import signal
import stat
import sys

sys.dont_write_bytecode = True  # the source tree may be read-only
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import tap
import tool
from box import NAMESPACES, configuration, fails, fine, namespace_numbers, prepared, read, run, seen, shell
from tool import bind, contains, equal, ok, one_line


# ---- what it is given ---------------------------------------------------------------

def plain(place):
    """args, env, cwd; descriptors 0, 1, 2 and no more; nothing of the caller's signals, session and mask but what is kept"""
    def careless():
        os.umask(0o027)
        os.dup2(1, 77)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD])
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_IGN)

    config = configuration(env=["PATH=/bin", "A=1 2", "EMPTY="])
    inside = seen(place, config, "args", "env", "ids", "cwd", "descriptors", "signals", "umask", "groups", "keepcaps",
                  preexec_fn=careless, restore_signals=False, close_fds=False)
    equal(inside["args"][0], "/bin/probe")
    equal(inside["env"], ["PATH=/bin", "A=1 2", "EMPTY=", "HOME=/"])
    equal(inside["ids"], {"pid": 1, "ppid": 0, "pgid": 1, "sid": 1})
    equal(sorted(inside["descriptors"]), ["0", "1", "2"])
    equal(inside["signals"], {"blocked": [], "ignored": []})
    equal((inside["cwd"], inside["umask"], inside["groups"], inside["keepcaps"]), ("/", 0o027, [], 0))


def program_by_path(place):
    """a program is looked for in the container's own PATH"""
    config = shell("echo $0 $1")
    config["process"].update(args=["there", "x"], env=["PATH=/none:/opt:/bin"])
    prepared(place, config)
    os.chmod(place.file("bundle/rootfs/opt/there", "#!/bin/sh\necho \"$0\" $1\n"), 0o755)
    equal(fine(place, config), "/opt/there x\n")


def closed_streams(place):
    """started without standard streams"""
    def close():
        for fd in range(3):
            os.close(fd)

    config = shell("for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done >/tmp/out")
    equal(run(place, config, preexec_fn=close), (0, "", ""))
    # In the first line, 1 is the file itself.
    equal([line.rsplit("/", 1)[-1] for line in read(place.rootfs + "/tmp/out").splitlines()], ["null", "out", "null"])


def masked_null(place):
    """a masked file shows the host's null device, whose owner and mode are not the container's"""
    before = os.stat("/dev/null")
    config = shell("chmod 0600 /etc/masked 2>/dev/null || echo refused; echo x >/etc/masked; cat /etc/masked")
    config["linux"]["maskedPaths"] = ["/etc/masked"]
    prepared(place, config)
    place.file("bundle/rootfs/etc/masked", "secret")
    equal(tool.run("run", "--bundle", place.bundle, "test"), (0, "refused\n", ""))
    after = os.stat("/dev/null")
    equal((before.st_mode, before.st_uid, before.st_gid), (after.st_mode, after.st_uid, after.st_gid))


def limits(place):
    """rlimits, for root, for a user, and in a user namespace"""
    most = min(128, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    core = {"type": "RLIMIT_CORE", "soft": 0, "hard": 0}
    for mapped in (False, True):
        for uid in (0, 1000):
            config = configuration(mapped=mapped, user={"uid": uid, "gid": uid},
                                   rlimits=[{"type": "RLIMIT_NOFILE", "soft": 64, "hard": most}, core])
            inside = seen(place, config, "rlimits")["rlimits"]
            equal((inside["RLIMIT_NOFILE"], inside["RLIMIT_CORE"]), ([64, most], [0, 0]))
    same = resource.getrlimit(resource.RLIMIT_SIGPENDING)
    config = configuration(rlimits=[{"type": "RLIMIT_SIGPENDING", "soft": 1, "hard": same[1] & (1 << 64) - 1}])
    equal(seen(place, config, "rlimits")["rlimits"]["RLIMIT_SIGPENDING"], [1, same[1] & (1 << 64) - 1])
    fails(place, configuration("true", rlimits=[core, {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 1 << 40}]),
          "config.json: process.rlimits[1]: prlimit: Operation not permitted")


def oom_score(place):
    """oomScoreAdj"""
    for mapped in (False, True):
        equal(seen(place, configuration(mapped=mapped, oomScoreAdj=17), "oom_score_adj"), {"oom_score_adj": "17\n"})
    result = run(place, configuration("cat", "/proc/self/oom_score_adj", oomScoreAdj=-3))
    if result.code != 0:        # by a root that has no CAP_SYS_RESOURCE
        contains(one_line(result.err), "config.json: process.oomScoreAdj: ", "Permission denied")
    else:
        equal(result, (0, "-3\n", ""))


def directory(place):
    """a working directory that is missing is made, also in a root file system that is read-only then; one only for root"""
    config = configuration(cwd="/new//other/below/", user={"uid": 1000, "gid": 1000})
    config["root"]["readonly"] = True
    equal(seen(place, config, "cwd"), {"cwd": "/new/other/below"})
    status = os.stat(place.rootfs + "/new/other/below")
    equal((stat.S_IMODE(status.st_mode), status.st_uid), (0o755, 0))
    os.chmod(place.file("bundle/rootfs/secret/"), 0o700)
    equal(seen(place, configuration(cwd="/secret", user={"uid": 1000, "gid": 1000}), "cwd"), {"cwd": "/secret"})
    os.symlink("/tmp", place.rootfs + "/link")
    equal(seen(place, configuration(cwd="/link"), "cwd"), {"cwd": "/tmp"})


# ---- its namespaces -----------------------------------------------------------------

def namespaces(place):
    """each namespace alone, beside the mount namespace"""
    own = namespace_numbers()
    for kind, name in NAMESPACES.items():
        config = configuration()
        # A procfs shows one PID namespace, so that there it is the host's.
        config["mounts"] = [bind("/proc", "/proc", "rbind")]
        config["linux"]["namespaces"] = [{"type": "mount"}] + ([{"type": kind, "path": ""}] if kind != "mount" else [])
        inside = seen(place, config, "namespaces")["namespaces"]
        equal({other for other in inside if inside[other] != own[other]}, {"mnt", name})


def loopback(place):
    """a network namespace has its loopback interface up"""
    for mapped in (False, True):
        contains(fine(place, shell("ip link show lo", mapped=mapped)), "LOOPBACK,UP")


def names(place):
    """hostname and domainname"""
    config = configuration()
    config.update(hostname="box", domainname="example.org")
    inside = seen(place, config, "hostname", "domainname")
    equal(inside, {"hostname": "box", "domainname": "example.org"})
    ok(os.uname().nodename != "box", "the host's name changed")


TESTS = [plain, program_by_path, closed_streams, masked_null, limits, oom_score, directory, namespaces, loopback, names]

if __name__ == "__main__":
    sys.exit(tap.main(TESTS))
