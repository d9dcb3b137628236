/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_OVERLAY_HELPER_H
#define MOUNT_OVERLAY_HELPER_H

/*
 * What of an overlay a process of its own must do, in a copy of the embedder's memory.
 *
 * overlayfs keeps the credentials of whoever creates it, and writes to the upper layer with them. Where that layer is id-mapped,
 * these must be ids that the mapping knows, or it comes up read-only without a word. And a kernel that takes no descriptors of
 * layers needs them attached somewhere, which is a mount namespace that ends with the process.
 */

#include <stddef.h>
#include <stdint.h>

enum overlay_call {
        OVERLAY_SETFSUID,
        OVERLAY_CAPSET,
        OVERLAY_FSCONFIG,
        OVERLAY_MOUNT_SETATTR,
        OVERLAY_MOVE_MOUNT,
        OVERLAY_FCHDIR,
        OVERLAY_MKDIR,
        OVERLAY_MOUNT,
        OVERLAY_OPEN_TREE,
        OVERLAY_SENDMSG,
};

struct overlay_job {
        int fs;                         /* a configured context to create; or -1: attach what follows, and mount(2) */
        int place;                      /* an empty, detached tmpfs to attach it in */
        int mapped;                     /* the credentials to have are these, on the host */
        uint32_t uid, gid;
        const int *layers;              /* detached mounts, to be attached as "0", "1", ... */
        size_t n_layers;
        int writable;                   /* one more, as "rw", or -1 */
        const char *data;               /* the options that name them so */
        int answer;                     /* a socket that takes the overlay then, detached: nothing hangs in the descriptors that we have */
        int done, error;                /* what came of it */
        enum overlay_call call;
        size_t layer;                   /* that it was about, from 1 on; 0: none */
};

/* overlay_help() - runs in task_start_apart(), with a table of descriptors of its own; with CLONE_NEWNS where it is to attach */
int overlay_help(void *arg);

#endif /* MOUNT_OVERLAY_HELPER_H */
