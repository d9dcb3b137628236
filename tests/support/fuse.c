/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <linux/fuse.h>
#include <sys/mount.h>
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

void fuse_serve(int fd, int flags) {
        static _Alignas(8) char buffer[1 << 17];
        const struct fuse_in_header *request = (const void *)buffer;

        for (;;) {
                ssize_t n = read(fd, buffer, sizeof(buffer));

                if (n < 0 && (errno == EINTR || errno == ENOENT || errno == EAGAIN))
                        continue;
                if (n < (ssize_t)sizeof(*request))
                        return;         /* ENODEV: unmounted */
                if (request->opcode == FUSE_INIT)
                        answer_init(fd, request, flags);
        }
}
