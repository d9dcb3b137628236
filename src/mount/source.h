/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_SOURCE_H
#define MOUNT_SOURCE_H

/*
 * Making a mount source: a path is resolved once, to a descriptor, and a detached mount is cloned from that. All of it is RAW,
 * since it runs in the mount task as well as in the caller's thread.
 */

#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

enum source_call {
        SOURCE_NONE,
        SOURCE_SETNS,
        SOURCE_OPEN_ROOT,               /* openat2 of the root file system itself */
        SOURCE_OPENAT2,
        SOURCE_FCNTL,                   /* a descriptor instead of a path */
        SOURCE_COMPARE,                 /* statx: not what the embedder sees */
        SOURCE_PPOLL,
        SOURCE_FCHDIR,                  /* these three: a copy of the embedder's mounts */
        SOURCE_SOCKETPAIR,
        SOURCE_CLONE,
        SOURCE_LISTMOUNT,
        SOURCE_OPEN_TREE,
        SOURCE_OPEN_TREE_ATTR,
        SOURCE_MOUNT_SETATTR,
        SOURCE_SENDMSG,
};

struct source_request {
        const char *rootfs;             /* resolve @path inside this directory; NULL: in the whole namespace */
        const char *beside;             /* without it: the root file system, if @path leads there by another spelling; or NULL */
        const char *path;
        uint64_t flags;                 /* INITSYNC_MOUNT_* */
        uint64_t attr_set, attr_clr, propagation;
        int userns_fd, source_fd;       /* -1 for none */
        unsigned userns_mark;           /* the same number for the same user namespace; 0: it will not be asked for again */
        int counted;                    /* its mounts are not too many: culprit_count_below() said so */
        int any_view;                   /* what the child sees at @path need not be what the embedder sees there */
};

struct source_result {
        int error;                      /* 0, or a negative errno */
        enum source_call call;
        unsigned mounts;                /* with -E2BIG: how many there are */
        int mapping;                    /* it is the id mapping that was refused */
        char type[32];                  /* the file system that refuses, where that is known */
        char point[256];                /* and where it is mounted */
};

/* source_resolve() - an O_PATH descriptor of what is to be cloned, or a negative errno with @result filled */
int source_resolve(const struct source_request *request, struct source_result *result);

/* source_clone() - a detached mount of what @fd names, with its id mapping and attributes; likewise */
int source_clone(int fd, const struct source_request *request, struct source_result *result);

/* A clone of more mounts than this is refused: the parent would pay for it in time and in the kernel's fs.mount-max. */
#define MOUNTS_MAX 10000

/*
 * source_recount() - after -E2BIG of source_clone(): may it be tried again, with request->counted set here
 * @path:       where @fd is, seen from the root directory of the calling task, or NULL
 *
 * What is counted at first is all below the mount that @fd lies on; @fd may be a directory deep inside of it.
 */
int source_recount(int fd, const char *path, struct source_request *request, struct source_result *result);

/* source_can_clone() - can what @fd names be cloned as the flags of @request say, attributes and mapping apart */
int source_can_clone(int fd, const struct source_request *request);

/*
 * source_try_map() - does the single mount that @fd lies on take this id mapping
 *
 * Return: 0; -EINVAL: it does not; -ENOENT: it cannot be cloned alone, so that nothing can be said; another negative errno.
 */
int source_try_map(int fd, int userns_fd);

/* source_fail() - note which call failed; returns @error */
RAW static inline int source_fail(struct source_result *result, int error, enum source_call call) {
        result->error = error;
        result->call = call;
        return error;
}

#endif /* MOUNT_SOURCE_H */
