/* SPDX-License-Identifier: MIT */
#ifndef DEMO_SCENE_H
#define DEMO_SCENE_H

/*
 * What the demo's container is made of: files with owners, the mounts it asks for, and what must be seen of them inside.
 * All of it lies in a mount namespace of the demo's own, on a tmpfs there, so that the host's mounts never change.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <initsync.h>
#include "demo_check.h"

/* The mounts that the container asks for. */
enum scene_mount {
        SCENE_PLAIN,
        SCENE_MAPPED,
        SCENE_TREE,
        SCENE_INNER,            /* its source exists only below SCENE_PLAIN, inside the container */
        SCENE_N_MOUNTS,
};

/* The mount points that come of them: one a mount, two for the tree. */
enum { SCENE_N_PLACES = SCENE_N_MOUNTS + 1 };

struct scene_place {
        enum scene_mount mount;
        const char *inside;     /* where it is in the container */
        const char *outside;    /* where its files are, below scene.directory; the end of its root in mountinfo */
        const char *title;
};
extern const struct scene_place scene_places[SCENE_N_PLACES];

/* The files in each of them. An ordinary user without subordinate ids owns nothing but the first. */
enum { SCENE_N_FILES = 2 };

struct scene_file {
        const char *name;
        struct owner owner;
};
extern const struct scene_file scene_files[SCENE_N_FILES];

struct scene {
        char directory[PATH_MAX];
        char rootfs[PATH_MAX];
        bool on_disk;           /* the directory is a real one, since tmpfs takes no id maps here */
        bool setattr;           /* mount_setattr(2) is there */
        bool idmap;             /* the file system takes id maps */
        bool userns;            /* the container has a user namespace, whose id 0 is scene.base out here */
        bool ranges;            /* there are ids enough for a map that changes something */
        char why_no_idmap[160], why_no_userns[160];
        uint32_t base;
        struct owner overflow;  /* what the kernel shows for an owner without a number */
        size_t n_files;

        struct initsync_mount mounts[SCENE_N_MOUNTS];
        char sources[SCENE_N_MOUNTS][PATH_MAX];
        struct initsync_idmap uids[SCENE_N_MOUNTS][2], gids[SCENE_N_MOUNTS][2];
        char stat_program[PATH_MAX];    /* a program to exec in the container, or "" */
};

#define SCENE_BASE 100000u      /* the container's first id out here, in a user namespace of its own */
#define SCENE_IDS 65536u        /* how many of them */
#define SCENE_RANGE 10000u      /* ids that maps which change something need */

/*
 * scene_build() - make it, in the mount namespace of the caller, which must not be the host's. @mark is found in every
 * mountinfo line of its file system.
 *
 * Return: 0, or a negative errno.
 */
int scene_build(struct scene *scene, const char *mark, struct initsync_error *reterr);

/* scene_remove() - the directory of scene_build(), if it made a real one */
void scene_remove(const char *directory);

/* scene_map() - the mounts and their id maps (demo_map.c); part of scene_build() */
void scene_map(struct scene *scene);

/* scene_expected() - the owner that @on_disk must have inside the container, at a place of @mount */
struct owner scene_expected(const struct scene *scene, enum scene_mount i, const struct owner *on_disk);

/* scene_on_disk() - the owner that a file of the container's root must get on disk, at a place of @mount */
struct owner scene_on_disk(const struct scene *scene, enum scene_mount i);

/* scene_map_text() - the map of @mount as statmount(2) prints it inside the container: "0 5000 1000, 1000 0 1" */
const char *scene_map_text(const struct scene *scene, enum scene_mount i, bool gids, char text[static 128]);

/* scene_host_directories() - directories of the host that hold programs and libraries; ends with NULL */
extern const char *const scene_host_directories[];

/* scene_path() - "@scene->directory/FORMAT..." */
const char *scene_path(const struct scene *scene, char path[static PATH_MAX], const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif /* DEMO_SCENE_H */
