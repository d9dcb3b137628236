/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <initsync.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "process.h"
#include "slowfs.h"

#define SECONDS 8
#define ROOT 1                  /* node ids: the protocol's own for the top, then ours */
#define FILE_NODE 2
#define DIR_NODE 3

static void answer(int fd, const struct fuse_in_header *request, int error, const void *data, size_t n) {
        struct {
                struct fuse_out_header header;
                char data[512];
        } out = { .header = { .len = (uint32_t)(sizeof(out.header) + n), .error = error, .unique = request->unique } };

        assert(n <= sizeof(out.data));
        if (n)
                memcpy(out.data, data, n);
        if (write(fd, &out, out.header.len) < 0)
                return;                 /* who asked was killed meanwhile */
}

static struct fuse_attr attr_of(uint64_t node) {
        return (struct fuse_attr){ .ino = node, .mode = node == FILE_NODE ? S_IFREG | 0666 : S_IFDIR | 0755, .nlink = 1,
                                   .blksize = 4096 };
}

static void look_up(int fd, const struct fuse_in_header *request, int lookup_ms) {
        const char *name = (const char *)(request + 1);
        struct fuse_entry_out entry = { .nodeid = strcmp(name, "file") == 0 ? FILE_NODE : DIR_NODE };

        if (lookup_ms < 0)
                return;
        usleep((useconds_t)lookup_ms * 1000);
        entry.attr = attr_of(entry.nodeid);
        answer(fd, request, 0, &entry, sizeof(entry));
}

static void serve_one(int fd, const struct fuse_in_header *request, int lookup_ms) {
        struct fuse_init_out init = { .major = 7, .minor = 31, .max_write = 4096, .max_readahead = 4096 };
        struct fuse_attr_out attr = { .attr = attr_of(request->nodeid) };
        struct fuse_open_out opened = { .fh = 0 };

        switch (request->opcode) {
        case FUSE_INIT:
                answer(fd, request, 0, &init, sizeof(init));
                break;
        case FUSE_LOOKUP:
                look_up(fd, request, lookup_ms);
                break;
        case FUSE_GETATTR:
                answer(fd, request, 0, &attr, sizeof(attr));
                break;
        case FUSE_OPEN:
        case FUSE_OPENDIR:
                answer(fd, request, 0, &opened, sizeof(opened));
                break;
        case FUSE_FLUSH:
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
                break;
        case FUSE_RELEASE:
        case FUSE_RELEASEDIR:
                answer(fd, request, 0, NULL, 0);
                break;
        default:
                answer(fd, request, -ENOSYS, NULL, 0);
        }
}

static void serve(int fd, int lookup_ms) {
        static _Alignas(8) char buffer[1 << 17];
        ssize_t n;

        for (;;) {
                n = read(fd, buffer, sizeof(buffer));
                if (n >= (ssize_t)sizeof(struct fuse_in_header))
                        serve_one(fd, (const void *)buffer, lookup_ms);
                else if (n >= 0 || (errno != EINTR && errno != ENOENT && errno != EAGAIN))
                        return;
        }
}

int slowfs_start(const char *at, int lookup_ms) {
        int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), pid, r;
        char options[128];

        if (fd < 0)
                return -errno;
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
        if (mount("test", at, "fuse", 0, options) < 0) {
                r = -errno;
                close(fd);
                return r;
        }
        pid = process_fork();
        assert(pid >= 0);
        if (pid == 0) {
                signal(SIGALRM, SIG_DFL);
                alarm(SECONDS);
                initsync_child_only(&fd, 1);
                serve(fd, lookup_ms);
                _exit(0);
        }
        close(fd);
        return pid;
}

void slowfs_stop(int server, const char *at) {
        process_end(server);
        umount2(at, MNT_DETACH);
}
