# SPDX-License-Identifier: MIT
"""A FUSE server of a small tree in memory that takes id mappings, if it is told to (FUSE_ALLOW_IDMAP, Linux 6.12).

Usage: mapping_fuse.py DIRECTORY plain|mapping. Prints "ready" when INIT is answered, and serves until it is killed or the
file system is gone. In the tree are source/ and other/, both with the files of-0 and of-1000, and source/below/.
"""
import ctypes
import errno
import os
import stat
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, UNLINK, OPEN, WRITE, STATFS, RELEASE, FLUSH, INIT, OPENDIR, RELEASEDIR, CREATE = (
    1, 2, 3, 4, 10, 14, 16, 17, 18, 25, 26, 27, 29, 35)
BATCH_FORGET = 42
INIT_EXT = 1 << 30
ALLOW_IDMAP_HIGH = 1 << (40 - 32)
VALID = 60              # seconds: what is mounted below is looked for among the names that the kernel knows
SILENT = (FORGET, BATCH_FORGET)


class Node:
    def __init__(self, mode, uid=0, gid=0):
        self.mode, self.uid, self.gid, self.size, self.entries = mode, uid, gid, 0, {}


class Server:
    def __init__(self, device, mapping):
        self.device, self.mapping, self.nodes = device, mapping, [None]
        root = self.add(None, "", Node(stat.S_IFDIR | 0o755))
        for name in ("source", "other"):
            at = self.add(root, name, Node(stat.S_IFDIR | 0o755))
            for owner in (0, 1000):
                self.add(at, "of-%d" % owner, Node(stat.S_IFREG | 0o644, owner, owner))
            if name == "source":
                self.add(at, "below", Node(stat.S_IFDIR | 0o755))

    def add(self, parent, name, node):
        self.nodes.append(node)
        number = len(self.nodes) - 1
        if parent:
            self.nodes[parent].entries[name] = number
        return number

    def attributes(self, number):
        node = self.nodes[number]
        return struct.pack("<QQQQQQIIIIIIIIII", number, node.size, 0, 0, 0, 0, 0, 0, 0, node.mode,
                           2 if stat.S_ISDIR(node.mode) else 1, node.uid, node.gid, 0, 4096, 0)

    def entry(self, number):
        return struct.pack("<QQQQII", number, 0, VALID, VALID, 0, 0) + self.attributes(number)

    def init(self, body):
        major, minor, readahead = struct.unpack_from("<III", body)
        flags, more = (INIT_EXT, ALLOW_IDMAP_HIGH) if self.mapping else (0, 0)
        return struct.pack("<IIIIHHIIHHI", major, minor, readahead, flags, 12, 10, 4096, 1, 0, 0, more).ljust(64, b"\0")

    def create(self, number, body, uid, gid):
        """Owned by whom the kernel says: with a mapping it has translated that."""
        _, mode, _, _ = struct.unpack_from("<IIII", body)
        name = body[16:].rstrip(b"\0").decode()
        made = self.add(number, name, Node(stat.S_IFREG | mode & 0o7777, uid, gid))
        return self.entry(made) + struct.pack("<QII", 0, 0, 0)

    def set_attributes(self, number, body):
        valid, = struct.unpack_from("<I", body)
        size, = struct.unpack_from("<Q", body, 16)
        if valid & 8:
            self.nodes[number].size = size
        return struct.pack("<QII", VALID, 0, 0) + self.attributes(number)

    def write(self, number, body):
        _, offset, size = struct.unpack_from("<QQI", body)
        self.nodes[number].size = max(self.nodes[number].size, offset + size)
        return struct.pack("<II", size, 0)

    def answer(self, opcode, number, body, uid, gid):
        """Bytes, or a negative errno."""
        entries = self.nodes[number].entries if number else {}
        name = body.rstrip(b"\0").decode("utf-8", "replace")
        if opcode == INIT:
            return self.init(body)
        if opcode == LOOKUP:
            return self.entry(entries[name]) if name in entries else -errno.ENOENT
        if opcode == UNLINK:
            return b"" if entries.pop(name, None) else -errno.ENOENT
        if opcode == GETATTR:
            return struct.pack("<QII", VALID, 0, 0) + self.attributes(number)
        if opcode == SETATTR:
            return self.set_attributes(number, body)
        if opcode == CREATE:
            return self.create(number, body, uid, gid)
        if opcode == WRITE:
            return self.write(number, body)
        if opcode in (OPEN, OPENDIR):
            return struct.pack("<QII", 0, 0, 0)
        if opcode == STATFS:
            return struct.pack("<QQQQQIIII", 0, 0, 0, 0, 0, 4096, 255, 4096, 0).ljust(80, b"\0")
        return b"" if opcode in (RELEASE, RELEASEDIR, FLUSH) else -errno.ENOSYS

    def serve(self):
        while True:
            try:
                request = os.read(self.device, 1 << 17)
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                    continue
                return          # ENODEV: unmounted
            _, opcode, unique, number, uid, gid = struct.unpack_from("<IIQQII", request)
            if opcode in SILENT:
                continue
            result = self.answer(opcode, number, request[40:], uid, gid)
            data = result if isinstance(result, bytes) else b""
            os.write(self.device, struct.pack("<IiQ", 16 + len(data), 0 if data is result else result, unique) + data)
            if opcode == INIT:
                print("ready", flush=True)


def main():
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR)
    data = "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions" % device
    if libc.mount(b"mapping", sys.argv[1].encode(), b"fuse", ctypes.c_ulong(0), data.encode()) != 0:
        error = ctypes.get_errno()
        sys.exit("mount: " + os.strerror(error))
    Server(device, sys.argv[2] == "mapping").serve()


if __name__ == "__main__":
    main()
