# SPDX-License-Identifier: MIT
"""The wire between the two halves, in Python.

Written from the description of the protocol alone, so that a misreading in
the C code meets a second opinion.  Stricter than runc where that costs
nothing: what the C library sends has to be right, not just acceptable.
"""
import array
import collections
import json
import os
import select
import socket

FLAG_FD = 1             # bit 0 of "flags": a descriptor packet follows
MAX_PACKET = 1 << 18    # above what the kernel lets through by default (212,960)
MAX_FDS = 253           # SCM_MAX_FD: a surplus descriptor is counted, never cut off
MAX_NAME = 4096         # a descriptor's name is shorter than this
MAX_EXTENTS = 340       # the kernel's limits for one id map
MAX_MAP_TEXT = 4095
MAX_ID = 4294967294

MS_BIND = 4096
MS_REC = 16384

Message = collections.namedtuple("Message", "type flags arg text")


class WireError(Exception):
    """The peer sent something that the protocol does not allow."""


# ---- JSON ------------------------------------------------------------------

def go_json(value):
    """The text that Go's encoder writes for value."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Outside of strings none of these can occur.
    for char in "<>&\u2028\u2029":
        text = text.replace(char, "\\u%04x" % ord(char))
    return text


def encode(kind, flags=0, arg_text=None):
    """One message as bytes; arg_text goes out exactly as given."""
    arg = "" if arg_text is None else ',"arg":' + arg_text
    return ('{"type":%s,"flags":%d%s}' % (go_json(kind), flags, arg)).encode()


def encode_error(text):
    # Go leaves an empty message out, but not the object around it.
    return encode("procError", arg_text=go_json({"message": text} if text else {}))


def _unique(pairs):
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is there twice")
    return result


def _no_constant(name):
    raise ValueError(name + " is not JSON")


def load_json(data):
    """Bytes -> value.  Python alone would take NaN, UTF-16 and lone surrogates."""
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_no_constant,
                           object_pairs_hook=_unique)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise WireError("bad JSON: %s" % error)
    return value


def decode(data):
    """Bytes of one packet -> Message; raises WireError."""
    if not data:
        raise WireError("an empty packet")
    if data[:1] != b"{" or data[-1:] != b"}":
        raise WireError("a packet that is not exactly one object")
    envelope = load_json(data)
    kind, flags = envelope.get("type"), envelope.get("flags")
    if not isinstance(kind, str) or kind not in ARGS:
        raise WireError("unknown message type %r" % (kind,))
    if not _is_int(flags):
        raise WireError("%s: flags is not a number" % kind)
    arg = envelope.get("arg")   # null means absent
    ARGS[kind](kind, arg)
    _check_fd_flag(kind, flags)
    return Message(kind, flags, arg, data.decode("utf-8"))


def _check_fd_flag(kind, flags):
    # procSeccomp with a descriptor needs an agreement that is not ours.
    wanted = FLAG_FD if kind == "procMountFd" else 0
    if flags & FLAG_FD != wanted:
        raise WireError("%s with flags %d" % (kind, flags))


# ---- arguments -------------------------------------------------------------

def _is_int(value, low=0, high=2 ** 63 - 1):
    return type(value) is int and low <= value <= high      # bool is an int too


def _optional(arg, key, default):
    """arg[key], or default where it is null or absent; the type must be default's."""
    value = arg.get(key)
    _need(value is None or type(value) is type(default), "bad " + key)
    return default if value is None else value


def _need(condition, what):
    if not condition:
        raise WireError(what)


def _no_arg(kind, arg):
    _need(arg is None, "%s with an arg" % kind)


def _error_arg(kind, arg):
    # Whoever fails is heard, even without an arg.
    _need(arg is None or isinstance(arg, dict), "%s: bad arg" % kind)
    _optional(arg or {}, "message", "")


def _listener_arg(kind, arg):
    _need(_is_int(arg, 0, 2 ** 31 - 1), "%s: arg is no descriptor number" % kind)


def _mount_fd_arg(kind, arg):
    form = arg.get("type") if isinstance(arg, dict) else None
    _need(form in ("open_tree", "plain-open"), "%s: unknown form %r" % (kind, form))


def _mount_arg(kind, arg):
    _need(isinstance(arg, dict), "%s: arg is no object" % kind)
    for key in ("source", "destination", "device"):
        _need(isinstance(arg.get(key), str), "%s: no string %s" % (kind, key))
    _check_name(arg["source"])
    for key in ("flags", "cleared_flags", "extensions"):
        _need(_is_int(_optional(arg, key, 0)), "bad " + key)
    _optional(arg, "data", "")
    _need(all(map(_is_int, _optional(arg, "propagation_flags", []))),
          "bad propagation_flags")
    _check_rec_attr(arg.get("rec_attr"))
    _check_id_mapping(arg.get("id_mapping"))


def _check_name(name):
    _need(0 < len(name.encode()) < MAX_NAME and "\0" not in name,
          "a source that no descriptor packet can carry")


def _check_rec_attr(attr):
    if attr is None:
        return
    keys = ("Attr_set", "Attr_clr", "Propagation", "Userns_fd")
    _need(isinstance(attr, dict) and
          all(_is_int(attr.get(key), 0, 2 ** 64 - 1) for key in keys), "bad rec_attr")


def _check_id_mapping(mapping):
    if mapping is None:
        return
    _need(isinstance(mapping, dict), "bad id_mapping")
    _optional(mapping, "recursive", False)
    path = _optional(mapping, "userns_path", "")
    _need("\0" not in path, "bad userns_path")
    for key in ("uid_mappings", "gid_mappings"):
        extents = _optional(mapping, key, [])
        _check_extents(key, extents)
        _need(path or extents, "id_mapping without %s" % key)


def _check_extents(key, extents):
    _need(len(extents) <= MAX_EXTENTS, "too many extents in %s" % key)
    for extent in extents:
        _need(isinstance(extent, dict), "bad extent in %s" % key)
        size = extent.get("size")
        _need(_is_int(size, 1, MAX_ID + 1), "bad size in %s" % key)
        for side in ("container_id", "host_id"):
            start = extent.get(side)
            _need(_is_int(start, 0, MAX_ID) and start + size <= MAX_ID + 1,
                  "bad %s in %s" % (side, key))
    for side in ("container_id", "host_id"):
        _check_overlap(key, sorted((e[side], e[side] + e["size"]) for e in extents))
    _need(len(map_text(extents)) <= MAX_MAP_TEXT, "%s is too long" % key)


def _check_overlap(key, ranges):
    for (_, end), (start, _) in zip(ranges, ranges[1:]):
        _need(end <= start, "extents overlap in %s" % key)


def map_text(extents):
    """What is written to uid_map or gid_map."""
    return "".join("%(container_id)d %(host_id)d %(size)d\n" % e for e in extents)


ARGS = {
    "procMountPlease": _mount_arg,
    "procMountFd": _mount_fd_arg,
    "procHooks": _no_arg,
    "procHooksDone": _no_arg,
    "procReady": _no_arg,
    "procRun": _no_arg,
    "procSeccomp": _listener_arg,
    "procSeccompDone": _no_arg,
    "procError": _error_arg,
}


# ---- packets ---------------------------------------------------------------

class Conn:
    """One end of the socket.  Blocks, unless timeout (seconds) is set."""

    def __init__(self, fd, log=None, sndbuf_min=False):
        os.set_inheritable(fd, False)   # execve() is the end of the conversation
        self.sock = socket.socket(fileno=fd)
        if self.sock.type != socket.SOCK_SEQPACKET:
            raise WireError("descriptor %d is no SOCK_SEQPACKET socket" % fd)
        self.sock.setblocking(True)
        self.timeout = None
        self.log_fd = None
        if log:
            # Appending, so that both halves may share one log.
            self.log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        if sndbuf_min:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0)

    def log(self, word, data):
        if self.log_fd is not None:
            text = data.decode("utf-8", "backslashreplace").replace("\n", "\\n")
            os.write(self.log_fd, ("%s %s\n" % (word, text)).encode())

    def wait(self, events):
        """poll() for events; returns what there is."""
        poller = select.poll()
        poller.register(self.sock, events)
        ready = poller.poll(None if self.timeout is None else self.timeout * 1000)
        if not ready:
            raise TimeoutError("the peer is silent")
        return ready[0][1]

    def send(self, data, fds=()):
        """One packet that is a message."""
        # Before, so that in a shared log no message is read before it is written.
        self.log("write", data)
        self._send(data, fds)

    def send_fd(self, name, fd):
        """The descriptor packet, which is not logged."""
        self._send(name.encode(), [fd])

    def _send(self, data, fds):
        if self.timeout is not None:
            self.wait(select.POLLOUT)
        control = []
        if fds:
            control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
        self.sock.sendmsg([data], control, socket.MSG_NOSIGNAL)

    def recv(self):
        """One packet as (bytes, descriptors), or None at the end."""
        while True:
            # An empty packet and the end both read as 0 bytes.  Without
            # RDHUP there was a packet; an empty one that lies unread when
            # the peer is already gone is taken for the end, which it precedes.
            events = self.wait(select.POLLIN | select.POLLRDHUP)
            try:
                data, control, flags, _ = self.sock.recvmsg(
                    MAX_PACKET, socket.CMSG_SPACE(MAX_FDS * 4), socket.MSG_CMSG_CLOEXEC)
                break
            except ConnectionResetError:
                # Once only: the peer closed with packets of ours unread.
                # What it had sent before is still there.
                pass
        fds = take_fds(control)
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            close_all(fds)
            raise WireError("a packet or its descriptors were cut off")
        if not data and not fds and events & (select.POLLRDHUP | select.POLLHUP):
            return None
        return data, fds

    def recv_message(self):
        """The next message, or None at the end."""
        packet = self.recv()
        if packet is None:
            return None
        data, fds = packet
        self.log("read", data)
        if fds:
            close_all(fds)
            raise WireError("%d descriptors beside a message" % len(fds))
        return decode(data)

    def recv_fd(self, name=None):
        """The descriptor packet; exactly one descriptor, and the right name."""
        packet = self.recv()
        if packet is None:
            raise WireError("the end instead of a descriptor packet")
        data, fds = packet
        if len(fds) != 1 or not 0 < len(data) < MAX_NAME:
            close_all(fds)
            raise WireError("descriptor packet of %d bytes with %d descriptors"
                            % (len(data), len(fds)))
        if name is not None and data != name.encode():
            close_all(fds)
            raise WireError("descriptor for %r instead of %r" % (data, name))
        return data, fds[0]

    def last_words(self):
        """What a peer that does not listen any more had said: a text or None."""
        while True:
            message = self.recv_message()
            if message is None:
                return None
            if message.type == "procError":
                return error_text(message)
            if message.flags & FLAG_FD:
                os.close(self.recv_fd()[1])


def take_fds(control):
    """The descriptors of all control messages, counted from their lengths."""
    fds = array.array("i")
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
    return list(fds)


def close_all(fds):
    for fd in fds:
        os.close(fd)


def error_text(message):
    """The text of a procError, on one line."""
    text = (message.arg or {}).get("message") or "(no message)"
    return " ".join(text.splitlines())
