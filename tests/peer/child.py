# SPDX-License-Identifier: MIT
"""The child half: a second implementation, to test a parent half against.

child.py --sync-fd N [--generation 1.2|1.4] [--script FILE] [--delay MS]
         [--sndbuf-min] [--log FILE]

A script has one step a line; empty lines and lines with '#' in front are
skipped; '-' is standard input.  Without a script: hooks, ready.

  mount {json}      procMountPlease with exactly this text as arg, then its
                    answer; prints `mount SOURCE type=FORM st_uid=U st_gid=G`
  mount PATH        the same for a plain bind in the form of --generation
  mounts N {json}   N such requests sent ahead, at most 32 of them unanswered
  hooks             procHooks, procHooksDone
  ready             procReady, procRun
  seccomp FDNUM     procSeccomp, procSeccompDone; write() and read() from here on
  error TEXT        procError
  raw LITERAL       one packet of any bytes, as a Python literal: raw b'{"x":1}'
  fds N TEXT        one packet with this text and N descriptors beside it
  expect TYPE       waits for that message and prints it; a descriptor that
                    follows is printed as `fd NAME`
  expect-eof        waits for the end
  sleep SECONDS
  stop              SIGSTOP to itself
  exec ARGV...      execvp; if that fails procError, exit status 1
  exit CODE

--delay sleeps that long before each packet.

Exit status: 0 at the end of the script, 2 bad usage or script, 3 procError
received (`procError: TEXT` on stderr), 4 the end came too early, 5 the
parent broke the protocol.
"""
import argparse
import ast
import os
import select
import shlex
import signal
import sys
import time

sys.dont_write_bytecode = True  # the source tree may be read-only
import wire

WINDOW = 32     # requests that may wait for their answer

PLAIN_BIND = {
    "1.2": '{"source":%s,"destination":"/mnt/data","device":"bind","flags":4096,'
           '"cleared_flags":0,"propagation_flags":null,"data":"","relabel":"",'
           '"rec_attr":null,"extensions":0}',
    "1.4": '{"source":%s,"destination":"/mnt/data","device":"bind","flags":4096}',
}


class Stop(Exception):
    """The end of the script: an exit status and a line for stderr."""

    def __init__(self, code, text=None):
        super().__init__(code, text)
        self.code = code
        self.text = text


def say(text):
    print(text.encode("ascii", "backslashreplace").decode(), flush=True)


class Child:
    """Plays one script."""

    def __init__(self, options):
        self.options = options
        self.conn = wire.Conn(options.sync_fd, options.log, options.sndbuf_min)
        self.filtered = False

    def play(self, lines):
        for line in lines:
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            name, _, rest = line.partition(" ")
            if name not in self.STEPS:
                raise Stop(2, "child: no such step: " + line)
            try:
                self.STEPS[name](self, rest)
            except (ValueError, SyntaxError, KeyError, TypeError) as error:
                raise Stop(2, "child: bad step: %s: %s" % (line, error))
            except ConnectionError:
                self.unsendable()

    # -- packets

    def send(self, data, fds=()):
        time.sleep(self.options.delay / 1000)
        if self.filtered and not fds:
            # Behind a filter that denies sendmsg: one write, nothing else.
            self.conn.log("write", data)
            os.write(self.conn.sock.fileno(), data)
        else:
            self.conn.send(data, fds)

    def message(self):
        """The next message, or None at the end."""
        return self.read_message() if self.filtered else self.conn.recv_message()

    def read_message(self):
        while True:
            try:
                data = os.read(self.conn.sock.fileno(), wire.MAX_PACKET)
                break
            except ConnectionResetError:
                pass    # once only; what the parent had sent comes next
        if not data:
            return None
        self.conn.log("read", data)
        return wire.decode(data)

    def receive(self, wanted):
        message = self.message()
        if message is None:
            raise Stop(4, "child: the end instead of " + wanted)
        if message.type == wanted:
            return message
        if message.type == "procError":
            raise Stop(3, "procError: " + wire.error_text(message))
        raise wire.WireError("%s instead of %s" % (message.type, wanted))

    def unsendable(self):
        """The parent does not listen any more, but may have said why."""
        text = self.conn.last_words()
        if text:
            raise Stop(3, "procError: " + text)
        raise Stop(4, "child: the parent closed its end")

    # -- mounts

    def request(self, text):
        """(message, source) of one mount request."""
        if not text.startswith("{"):
            text = PLAIN_BIND[self.options.generation] % wire.go_json(text)
        source = wire.load_json(text.encode())["source"]
        return wire.encode("procMountPlease", arg_text=text), source

    def collect(self, source):
        form = self.receive("procMountFd").arg["type"]
        _, fd = self.conn.recv_fd(source)
        info = os.fstat(fd)
        os.close(fd)
        say("mount %s type=%s st_uid=%d st_gid=%d"
            % (source, form, info.st_uid, info.st_gid))

    def mount(self, rest):
        data, source = self.request(rest)
        self.send(data)
        self.collect(source)

    def mounts(self, rest):
        number, _, text = rest.partition(" ")
        data, source = self.request(text)
        sent = got = 0
        while got < int(number):
            room = sent < int(number) and sent - got < WINDOW
            # Answers first: a child that only sends would end up waiting
            # for a parent that waits to be read.
            events = self.conn.wait(select.POLLIN | (select.POLLOUT if room else 0))
            if events & ~select.POLLOUT:
                self.collect(source)
                got += 1
            else:
                self.send(data)     # POLLOUT: this cannot block
                sent += 1

    # -- the other messages

    def hooks(self, rest):
        self.send(wire.encode("procHooks"))
        self.receive("procHooksDone")

    def ready(self, rest):
        self.send(wire.encode("procReady"))
        self.receive("procRun")

    def seccomp(self, rest):
        data = wire.encode("procSeccomp", arg_text=str(int(rest)))
        self.filtered = True
        self.send(data)
        self.receive("procSeccompDone")

    def error(self, rest):
        self.send(wire.encode_error(rest))

    # -- anything else

    def raw(self, rest):
        data = ast.literal_eval(rest)
        self.send(data.encode() if isinstance(data, str) else data)

    def fds(self, rest):
        number, _, text = rest.partition(" ")
        null = os.open("/dev/null", os.O_RDONLY)
        try:
            self.send(text.encode(), [null] * int(number))
        finally:
            os.close(null)

    def expect(self, rest):
        message = self.receive(rest.strip())
        say(message.text)
        if message.flags & wire.FLAG_FD:
            name, fd = self.conn.recv_fd()
            os.close(fd)
            say("fd " + name.decode("utf-8", "backslashreplace"))

    def expect_eof(self, rest):
        message = self.message()
        if message is None:
            return
        if message.type == "procError":
            raise Stop(3, "procError: " + wire.error_text(message))
        raise wire.WireError("%s instead of the end" % message.type)

    def sleep(self, rest):
        time.sleep(float(rest))

    def stop(self, rest):
        os.kill(os.getpid(), signal.SIGSTOP)

    def exec(self, rest):
        argv = shlex.split(rest)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)   # Python ignores it
        try:
            os.execvp(argv[0], argv)
        except OSError as error:
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            text = "exec %s: %s" % (argv[0], error.strerror)
            self.send(wire.encode_error(text))
            raise Stop(1, "child: " + text)

    def exit(self, rest):
        raise Stop(int(rest))

    STEPS = {
        "mount": mount, "mounts": mounts, "hooks": hooks, "ready": ready,
        "seccomp": seccomp, "error": error, "raw": raw, "fds": fds,
        "expect": expect, "expect-eof": expect_eof, "sleep": sleep,
        "stop": stop, "exec": exec, "exit": exit,
    }


def read_script(path):
    if path is None:
        return ["hooks", "ready"]
    if path == "-":
        return sys.stdin.readlines()
    with open(path, encoding="utf-8", newline="\n") as file:
        return file.readlines()


def parse(argv):
    parser = argparse.ArgumentParser(description="the child half")
    parser.add_argument("--sync-fd", type=int, required=True)
    parser.add_argument("--generation", choices=("1.2", "1.4"), default="1.4")
    parser.add_argument("--script", metavar="FILE")
    parser.add_argument("--delay", type=int, default=0, metavar="MS")
    parser.add_argument("--sndbuf-min", action="store_true")
    parser.add_argument("--log", metavar="FILE")
    return parser.parse_args(argv)


def main(argv=None):
    options = parse(argv)
    try:
        Child(options).play(read_script(options.script))
    except Stop as end:
        code, text = end.code, end.text
    except OSError as error:
        code, text = 2, "child: %s" % error
    except wire.WireError as error:
        code, text = 5, "child: protocol error: %s" % error
    else:
        return 0
    if text:
        print(text.encode("ascii", "backslashreplace").decode(), file=sys.stderr,
              flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
