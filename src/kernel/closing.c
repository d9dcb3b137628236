/* SPDX-License-Identifier: MIT */
#include "kernel/closing.h"
#include "kernel/syscalls.h"

#define MOST 65536              /* what an ordinary RLIMIT_NOFILE ends at */

struct entry {
        uint64_t inode, offset;
        uint16_t length;
        uint8_t type;
        char name[];
};

/* The number that a name is; of "." and "..", which are none, one that no descriptor has. */
RAW static unsigned number(const char *name) {
        unsigned n = 0;

        for (; *name >= '0' && *name <= '9'; name++)
                n = n * 10 + (unsigned)(*name - '0');
        return *name ? ~0u : n;
}

RAW static int open_list(void) {
        struct statfs fs;
        int fd = sys_openat(AT_FDCWD, "/proc/thread-self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd >= 0 && (sys_fstatfs(fd, &fs) < 0 || fs.f_type != SYS_PROC_SUPER_MAGIC)) {
                sys_close(fd);
                return -ENOSYS;
        }
        return fd;
}

/* What is closed meanwhile does not disturb the list, which goes by numbers. */
RAW static int close_listed(int list, unsigned first, unsigned last) {
        _Alignas(8) char buffer[2048];
        ssize_t n, at;

        while ((n = sys_getdents(list, buffer, sizeof(buffer))) > 0)
                for (at = 0; at < n; at += ((struct entry *)(void *)(buffer + at))->length) {
                        unsigned fd = number(((struct entry *)(void *)(buffer + at))->name);

                        if (fd >= first && fd <= last && fd != ~0u && fd != (unsigned)list)
                                sys_close((int)fd);
                }
        return (int)n;
}

RAW void closing_range(unsigned first, unsigned last) {
        int list, r;

        if (first > last || sys_close_range(first, last, 0) == 0)
                return;
        list = open_list();
        r = list < 0 ? list : close_listed(list, first, last);
        if (list >= 0)
                sys_close(list);
        for (; r < 0 && first <= last && first < MOST; first++)
                sys_close((int)first);
}
