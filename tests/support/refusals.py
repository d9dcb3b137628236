# SPDX-License-Identifier: MIT
"""Bundles that init and run must refuse before anything has happened."""
import json
import os
import re

import tool
from tool import equal, need_root, ok, one_line

DELETE = object()


def change(config, path, value):
    """Puts @value where the members' names in @path lead, or takes away what is there."""
    *way, last = path.split(".")
    at = config
    for key in way:
        at = at.setdefault(key, {})
    if value is DELETE:
        del at[last]
    else:
        at[last] = value


class Holder:
    """A mount namespace in which the inits run, so that their mounts could be seen."""

    def __enter__(self):
        self.stop = os.pipe()
        ready = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.stop[1])
            try:
                tool.unshare()
                os.write(ready[1], b"1")
                os.read(self.stop[0], 1)
            finally:
                os._exit(0)
        os.close(ready[1])
        os.read(ready[0], 1)
        os.close(ready[0])
        self.namespace = os.open("/proc/%d/ns/mnt" % self.pid, os.O_RDONLY)
        self.before = tool.mounts(self.pid)
        return self

    def __exit__(self, *_):
        for fd in (*self.stop, self.namespace):
            os.close(fd)
        os.waitpid(self.pid, 0)

    def init(self, bundle):
        """Runs init there; its result, and what it told the parent."""
        with tool.pair() as (ours, theirs):
            result = tool.finish(tool.start(
                [part.format(fd=theirs.fileno()) for part in tool.OUR_INIT] + ["--bundle", bundle],
                [theirs.fileno()], preexec_fn=lambda: tool.setns(self.namespace)))
            theirs.close()
            told = ours.recv(1 << 17)
        equal(tool.mounts(self.pid), self.before)
        return result, told


def refuses(holder, bundle, what, pattern):
    result, told = holder.init(bundle)
    equal((what, result.code, result.out), (what, 1, ""))
    line = one_line(result.err)
    ok(re.search(pattern, line), "%s: %r does not match %r" % (what, line, pattern))
    message = json.loads(told)
    equal(message["type"], "procError")
    ok(re.search(pattern, message["arg"]["message"]), "the parent was told %r" % message)
    # The same bundle by `run`, which shares what reads it: refused in the same words, before any process is made.
    result = tool.run("run", "--bundle", bundle, "box")
    equal((what, result.code, result.out), (what, 1, ""))
    ok(re.search(pattern, one_line(result.err)), "%s: run says %r, which does not match %r" % (what, result.err, pattern))


def need_namespace():
    need_root("make a mount namespace")
