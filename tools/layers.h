/* SPDX-License-Identifier: MIT */
#ifndef LAYERS_H
#define LAYERS_H

/*
 * A root file system of layers, which annotations of the bundle name:
 *
 *      org.libinitsync.rootfs.lower    directories, the uppermost first, with ':' between them ("\:" is a ':' in a name)
 *      org.libinitsync.rootfs.upper    the directory that takes what the container writes, and
 *      org.libinitsync.rootfs.work     overlayfs's own, an empty one beside it; without both the root is read-only
 *      org.libinitsync.rootfs.options  of overlayfs, with ',' between them
 *
 * Relative ones lie in the bundle. With a user namespace the container's own mapping is put on all of them, so that an
 * image needs no chown. root.path is the directory that the root file system is mounted on, and nothing else of it is used.
 */

#include "bundle.h"

struct layers {
        char **lower;
        size_t n_lower;
        char *upper, *work;             /* both or neither */
        char **options;
        size_t n_options;
};

/* bundle_layers() - fill in bundle->layers, from "annotations"; NULL where there are none of these */
int bundle_layers(struct bundle *bundle, const struct node *config, struct initsync_error *reterr);

struct layers *layers_free(struct layers *layers);

/* layers_refuse() - for who has no process outside of the container that could make it */
int layers_refuse(const struct bundle *bundle, struct initsync_error *reterr);

/* layers_open() - make it, as the runtime, before the container exists; without layers *@ret_fd is left alone */
int layers_open(const struct bundle *bundle, int *ret_fd, struct initsync_error *reterr);

#endif /* LAYERS_H */
