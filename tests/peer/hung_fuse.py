# SPDX-License-Identifier: MIT
"""A FUSE server that answers nothing but the first message: who looks something up below it hangs, beyond SIGKILL.

Usage: hung_fuse.py DIRECTORY. Prints "ready" when it is mounted, and serves until it is killed.
"""
import ctypes
import os
import struct
import sys

FUSE_INIT = 26


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    data = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other" % device
    if libc.mount(b"hung", sys.argv[1].encode(), b"fuse", ctypes.c_ulong(0), data.encode()) != 0:
        error = ctypes.get_errno()
        sys.exit("mount: " + os.strerror(error))
    request = os.read(device, 1 << 17)
    _, opcode, unique = struct.unpack_from("<IIQ", request)
    assert opcode == FUSE_INIT
    # Before INIT is answered a lookup could still be killed.
    major, minor, readahead = struct.unpack_from("<III", request, 40)
    answer = struct.pack("<IIIIHHIIHHI", major, min(minor, 31), readahead, 0, 12, 10, 4096, 1, 0, 0, 0).ljust(64, b"\0")
    os.write(device, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
    print("ready", flush=True)
    while True:
        os.read(device, 1 << 17)        # taken, and never answered


if __name__ == "__main__":
    main()
