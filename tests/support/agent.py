# SPDX-License-Identifier: MIT
"""A seccomp agent as in the OCI specification: takes a listener from a Unix socket, and decides system calls. And what tests
of the agent's side need: listeners without a container.
"""
import array
import contextlib
import ctypes
import fcntl
import json
import os
import select
import socket
import struct
import threading

import tool

RECV, SEND, ID_VALID = 0xc0502100, 0xc0182101, 0x40082102      # SECCOMP_IOCTL_NOTIF_*
CONTINUE = 1                                                    # SECCOMP_USER_NOTIF_FLAG_CONTINUE
PR_SET_NO_NEW_PRIVS, SET_MODE_FILTER, NEW_LISTENER = 38, 1, 8
SYS_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(os.uname().machine)


class Agent:
    """Serves one container, in a thread: @decide gets (agent, notification) and returns (value, errno, flags)."""

    def __init__(self, place, decide, name="agent"):
        self.path = os.path.join(place.path, name)
        self.decide = decide
        self.state, self.fds, self.calls, self.failure = None, [], [], None
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(self.path)
        os.chmod(self.path, 0o777)
        self.listening.listen()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)   # which ends an accept(), as a close() would not
        self.thread.join(tool.TIMEOUT)
        self.listening.close()
        tool.ok(not self.thread.is_alive(), "the agent does not end")
        for fd in self.fds:
            os.close(fd)
        if self.failure:
            raise self.failure

    def run(self):
        try:
            if not select.select([self.listening], [], [], tool.TIMEOUT)[0]:
                return
            try:
                connection, _ = self.listening.accept()
            except OSError:                             # nobody came, and we are to end
                return
            with connection:
                text = self.receive(connection)
            self.state = json.loads(text)
            self.serve(self.fds[0])
        except (OSError, ValueError, IndexError, AssertionError) as error:
            self.failure = error

    def receive(self, connection):
        """Everything up to the end, and the descriptors that came with the first part."""
        text = b""
        while True:
            part, control, flags, _ = connection.recvmsg(65536, socket.CMSG_SPACE(64), socket.MSG_CMSG_CLOEXEC)
            tool.equal(flags & socket.MSG_CTRUNC, 0)
            for level, kind, data in control:
                tool.equal((level, kind, text), (socket.SOL_SOCKET, socket.SCM_RIGHTS, b""))
                fds = array.array("i")
                fds.frombytes(data)
                self.fds.extend(fds)
            if not part:
                return text.decode()
            text += part

    def serve(self, listener):
        """Until nobody has the filter any more."""
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        while True:
            events = poll.poll(tool.TIMEOUT * 1000)
            if not events or events[0][1] & select.POLLHUP and not events[0][1] & select.POLLIN:
                return
            notification = bytearray(80)
            try:
                fcntl.ioctl(listener, RECV, notification)
            except FileNotFoundError:           # it died meanwhile
                continue
            call = Call(notification)
            self.calls.append(call)
            value, error, flags = self.decide(self, call)
            try:
                fcntl.ioctl(listener, SEND, struct.pack("=QqiI", call.id, value, -error, flags))
            except FileNotFoundError:
                pass


class Call:
    def __init__(self, notification):
        self.id, self.pid, _, self.number, self.arch, _, *self.args = struct.unpack("=QIIiIQ6Q", notification)

    def text(self, address):
        """What the caller's memory has there, as a path."""
        with open("/proc/%d/mem" % self.pid, "rb", buffering=0) as memory:
            memory.seek(address)
            return memory.read(256).split(b"\0")[0].decode()


def listener():
    """A listener, of a process that has ended."""
    if not SYS_SECCOMP:
        raise tool.Skip("no number of seccomp(2) here")
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = os.fork()
        if pid == 0:
            code = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0x7fff0000), 8)
            program = struct.pack("@HP", 1, ctypes.addressof(code))
            tool.libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            fd = tool.libc.syscall(SYS_SECCOMP, SET_MODE_FILTER, NEW_LISTENER, program)
            if fd >= 0:
                socket.send_fds(theirs, [b"x"], [fd])
            os._exit(0)
        os.waitpid(pid, 0)
        theirs.close()
        fds = socket.recv_fds(ours, 1, 1)[1]
    if not fds:
        raise tool.Skip("no seccomp listener here")
    return fds[0]
