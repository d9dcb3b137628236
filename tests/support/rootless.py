# SPDX-License-Identifier: MIT
"""An ordinary user, with subordinate ids and without, and containers that he runs: see tests/tool-user.py."""
import contextlib
import os
import pwd

import tool
from container import PROC, configure
from tool import MS_BIND, Skip, checked, contains, equal, extents, libc, mount, one_line

UID, GID = (65533, 65533) if tool.ROOT else (os.getuid(), os.getgid())
FIRST = 2000000         # the subordinate ids of root's tests
PASSWD = "root:x:0:0:root:/root:/bin/sh\nsomebody:x:%d:%d::/:/bin/sh\n" % (UID, GID)
NAMESPACES = "pid mount ipc uts network cgroup user"
OWN = "0:%d:1" % UID


# ---- the user ------------------------------------------------------------------------

@contextlib.contextmanager
def files(place, passwd=PASSWD, subuid="somebody:%d:65536\n" % FIRST, subgid=None, others=()):
    """The files of /etc; with None the one that is there. @others: path and content, executable."""
    if not tool.ROOT:
        raise Skip("needs root to change /etc/passwd and /etc/subuid")
    done = []
    try:
        for path, content, mode in (("/etc/passwd", passwd, 0o644), ("/etc/subuid", subuid, 0o644),
                                    ("/etc/subgid", subuid if subgid is None else subgid, 0o644), *others):
            source = place.file("etc/" + os.path.basename(path), content)
            os.chmod(source, mode)
            mount(source, path, flags=MS_BIND)
            done.append(path)
        yield
    finally:
        for path in reversed(done):
            checked(libc.umount2(path.encode(), 2))


@contextlib.contextmanager
def ranges(place):
    """The first range of subordinate ids."""
    if tool.ROOT:
        need_helpers()
        with files(place):
            yield FIRST
        return
    need_helpers()
    first = []
    for path in ("/etc/subuid", "/etc/subgid"):
        with contextlib.suppress(OSError, KeyError), open(path, encoding="ascii") as file:
            names = (pwd.getpwuid(UID).pw_name, str(UID))
            lines = [line.split(":") for line in file]
            first += [int(start) for name, start, count in lines if name in names and int(count) > 999][:1]
    if len(first) < 2 or first[0] != first[1] or pwd.getpwuid(UID).pw_gid != GID:
        raise Skip("user %d has no subordinate ids in /etc/subuid and /etc/subgid, from one number on" % UID)
    if libc.prctl(39, 0, 0, 0, 0) == 1:
        raise Skip("newuidmap cannot work under no_new_privs")
    yield first[0]


def need_helpers():
    if not os.path.exists("/usr/bin/newuidmap") or not os.path.exists("/usr/bin/newgidmap"):
        raise Skip("no newuidmap and newgidmap in /usr/bin")


def need_namespaces():
    pid = os.fork()
    if pid == 0:
        tool.ordinary_user()
        os._exit(libc.unshare(tool.CLONE_NEWUSER) and 1)
    if os.waitpid(pid, 0)[1] != 0:
        raise Skip("no user namespaces for an ordinary user here")


# ---- containers of his ---------------------------------------------------------------

def box(place, script, entries=(PROC,), uids=None, gids=None, namespaces=NAMESPACES, **process):
    config = configure(place, script, entries, namespaces)
    config["process"].update(process)
    if uids is not None:
        config["linux"].update(uidMappings=extents(uids), gidMappings=extents(gids or uids.replace(str(UID), str(GID))))
    return config


def start(place, config, before=lambda: None, options=(), **kwargs):
    def drop():
        tool.ordinary_user()
        before()

    need_namespaces()
    place.write(config)
    program, environment = tool.copy_tool(place)
    if tool.ROOT:
        for path, directories, names in os.walk(place.bundle):
            for name in [".", *directories, *names]:
                os.lchown(os.path.join(path, name), UID, GID)
    os.chmod(place.path, 0o755)
    command = [program, "run", "--bundle", place.bundle, *options, "test"]
    return tool.start(command, preexec_fn=drop, env=environment, **kwargs)


def run(place, config, before=lambda: None, timeout=tool.TIMEOUT, **kwargs):
    return tool.finish(start(place, config, before, **kwargs), timeout)


def fails(place, config, *parts, **kwargs):
    result = run(place, config, **kwargs)
    line = one_line(result.err)
    equal((line, result.code, result.out), (line, 1, ""))
    contains(line, *parts)
