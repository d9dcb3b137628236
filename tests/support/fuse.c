/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "fuse.h"

/* Headers older than Linux 6.12 lack it; with FUSE_INIT_EXT (bit 30) the high half of the flags is in flags2. */
#define INIT_EXT (1u << 30)
#define ALLOW_IDMAP_HIGH (1u << (40 - 32))

/* The answer to INIT from protocol 7.36 on, 64 bytes. */
struct init_answer {
        uint32_t major, minor, max_readahead, flags;
        uint16_t max_background, congestion_threshold;
        uint32_t max_write, time_gran;
        uint16_t max_pages, map_alignment;
        uint32_t flags2, unused[7];
};

int fuse_mount(const char *at, int flags) {
        char options[128];
        int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0%s", fd,
                 flags & FUSE_MAPS ? ",default_permissions" : "");
        if (mount("test", at, "fuse", 0, options) == 0)
                return fd;
        r = -errno;
        close(fd);
        return r;
}

static void answer_init(int fd, const struct fuse_in_header *request, int flags) {
        const struct fuse_init_in *init = (const void *)(request + 1);
        struct {
                struct fuse_out_header header;
                struct init_answer init;
        } answer = {
                .header = { .len = sizeof(answer), .unique = request->unique },
                .init = { .major = 7, .minor = init->minor, .max_write = 4096, .max_readahead = 4096 },
        };

        if (flags & FUSE_MAPS) {
                answer.init.flags = INIT_EXT;
                answer.init.flags2 = ALLOW_IDMAP_HIGH;
        }
        assert(write(fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer));
}

volatile unsigned *fuse_heard;
static volatile sig_atomic_t quiet;

static void be_quiet(int number) {
        (void)number;
        quiet = 1;
}

static void answer_directory(int fd, const struct fuse_in_header *request) {
        const struct fuse_attr attr = { .ino = 2, .mode = S_IFDIR | 0755, .nlink = 2, .blksize = 4096 };
        struct {
                struct fuse_out_header header;
                union {
                        struct fuse_entry_out entry;
                        struct fuse_attr_out attr;
                } body;
        } out = { .header = { .unique = request->unique } };
        size_t n = 0;

        if (request->opcode == FUSE_LOOKUP) {
                out.body.entry = (struct fuse_entry_out){ .nodeid = 2, .attr = attr };
                n = sizeof(out.body.entry);
        } else if (request->opcode == FUSE_GETATTR) {
                out.body.attr = (struct fuse_attr_out){ .attr = attr };
                n = sizeof(out.body.attr);
        } else {
                out.header.error = -ENOSYS;
        }
        out.header.len = (uint32_t)(sizeof(out.header) + n);
        if (write(fd, &out, out.header.len) < 0)
                return;                 /* FORGET takes no answer */
}

void fuse_serve(int fd, int flags) {
        static _Alignas(8) char buffer[1 << 17];
        const struct fuse_in_header *request = (const void *)buffer;

        signal(SIGUSR1, be_quiet);
        for (;;) {
                ssize_t n = read(fd, buffer, sizeof(buffer));

                if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
                        continue;
                if (n < (ssize_t)sizeof(*request))
                        return;         /* ENODEV: unmounted */
                if (request->opcode == FUSE_INIT)
                        answer_init(fd, request, flags);
                else if (flags & FUSE_DIRECTORIES && !quiet)
                        answer_directory(fd, request);
                else if (fuse_heard)
                        ++*fuse_heard;
        }
}
