/* SPDX-License-Identifier: MIT */
#ifndef CLEANUP_H
#define CLEANUP_H

/*
 * What is owned is released where its variable ends. Variables start at -1 or NULL; take_fd() and take_ptr() hand over.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_fd_ _cleanup_(fd_closep)
#define _cleanup_free_ _cleanup_(freep)

static inline void fd_closep(int *fd) {
        int saved = errno;

        if (*fd >= 0)
                close(*fd);
        *fd = -1;
        errno = saved;
}

static inline void freep(void *p) {
        void *block;

        memcpy(&block, p, sizeof(block));       /* whatever type of pointer it is */
        free(block);
}

static inline int take_fd(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}

#define take_ptr(p) ({ __typeof__(p) taken_ = (p); (p) = NULL; taken_; })

#endif /* CLEANUP_H */
