/* SPDX-License-Identifier: MIT */
#ifndef MOUNT_OVERLAY_LAYERS_H
#define MOUNT_OVERLAY_LAYERS_H

/* The layers of an overlay: detached clones, id-mapped, which nobody else sees. */

#include <stddef.h>
#include <initsync.h>

struct layers {
        const struct initsync_overlay *overlay;
        int userns;                     /* -1: no id mapping */
        int writable, upper, work;      /* one clone, and both directories in it */
        int *lower;                     /* all at once: a detached mount ends with its descriptor, if it is not in use yet */
};

/* overlay_layers_open() - those of @overlay, which has been checked; overlay_layers_clear() - close them, also after a failure */
int overlay_layers_open(struct layers *layers, const struct initsync_overlay *overlay, struct initsync_error *reterr);
void overlay_layers_clear(struct layers *layers);

/* overlay_layers_common() - how much of the paths of upper and work is the path of the clone that has both */
size_t overlay_layers_common(const struct initsync_overlay *overlay);

/* overlay_layers_failed() - what a system call said, of @path or NULL; returns @r */
int overlay_layers_failed(int r, const char *call, const char *path, struct initsync_error *reterr);

#endif /* MOUNT_OVERLAY_LAYERS_H */
