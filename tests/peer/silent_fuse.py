# SPDX-License-Identifier: MIT
"""A FUSE server that answers everything but one kind of request: whoever makes that hangs, beyond SIGKILL.

Usage: silent_fuse.py DIRECTORY lookup|getattr|open|read|statfs|flush. Its directory has one empty file, by any name. Prints "ready"
when it is mounted, and "asked" when it is asked for what it never answers; serves until it is killed.
"""
import ctypes
import errno
import os
import struct
import sys

OPCODES = {"lookup": 1, "getattr": 3, "open": 14, "read": 15, "statfs": 17, "flush": 25}
LOOKUP, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR = 1, 3, 14, 15, 17, 18, 25, 26, 27, 29
NO_ANSWER = (2, 36, 42)         # FORGET, INTERRUPT, BATCH_FORGET
ROOT, FILE = 1, 2


def attributes(node):
    mode = 0o40755 if node == ROOT else 0o100644
    return struct.pack("<QQQQQQIIIIIIIIII", node, 10, 1, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body):
    """What it answers, or a negative errno."""
    if opcode == INIT:
        major, minor, readahead = struct.unpack_from("<III", body)
        return struct.pack("<IIIIHHIIHHI", major, min(minor, 31), readahead, 0, 12, 10, 4096, 1, 0, 0, 0).ljust(64, b"\0")
    if opcode == LOOKUP:
        return struct.pack("<QQQQII", FILE, 0, 0, 0, 0, 0) + attributes(FILE)
    if opcode == GETATTR:
        return struct.pack("<QII", 0, 0, 0) + attributes(node)
    if opcode in (OPEN, OPENDIR):
        return struct.pack("<QII", 0, 1, 0)     # FOPEN_DIRECT_IO: it is asked for what is read
    if opcode == STATFS:
        return struct.pack("<QQQQQIII", 0, 0, 0, 0, 0, 4096, 255, 4096).ljust(80, b"\0")
    if opcode in (READ, FLUSH, RELEASE, RELEASEDIR):
        return b""
    return -errno.ENOSYS


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    silent = OPCODES[sys.argv[2]]
    device = os.open("/dev/fuse", os.O_RDWR)
    data = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % device
    if libc.mount(b"silent", sys.argv[1].encode(), b"fuse", ctypes.c_ulong(0), data.encode()) != 0:
        sys.exit("mount: " + os.strerror(ctypes.get_errno()))
    while True:
        try:
            request = os.read(device, 1 << 17)
        except (InterruptedError, FileNotFoundError):
            continue            # who asked is gone
        _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
        if opcode == silent:
            print("asked", flush=True)
            continue
        if opcode in NO_ANSWER:
            continue
        said = answer(opcode, node, request[40:])
        error, said = (said, b"") if isinstance(said, int) else (0, said)
        try:
            os.write(device, struct.pack("<IiQ", 16 + len(said), error, unique) + said)
        except FileNotFoundError:
            pass
        if opcode == INIT:
            print("ready", flush=True)


if __name__ == "__main__":
    main()
