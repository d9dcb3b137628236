/* SPDX-License-Identifier: MIT */
#ifndef BUNDLE_H
#define BUNDLE_H

/*
 * An OCI bundle as plain data, checked as a whole before anything is done with it. Each half of the conversation takes what
 * is its own, and refuses by name what it should do and cannot.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <initsync.h>
#include "filter.h"
#include "hook.h"
#include "node.h"
#include "io_priority.h"
#include "memory_policy.h"
#include "personality.h"
#include "process.h"
#include "scheduler.h"
#include "sysctl.h"
#include "time_offsets.h"

#define BUNDLE_NAMESPACES 8             /* kinds of them, none of which may come twice */
#define BUNDLE_MOUNTS_MAX 1024          /* what initsync_parent_new() takes */

enum bundle_half {
        BUNDLE_PARENT,                  /* serves the child: an allow-list of mount sources */
        BUNDLE_CHILD                    /* becomes the container: all the rest */
};

struct bundle_map {
        struct initsync_idmap *extents;
        size_t n;
};

enum bundle_mount_kind {
        MOUNT_BIND,
        MOUNT_FILE_SYSTEM,              /* a new one, of any type that the kernel knows */
        MOUNT_CGROUP,                   /* whatever control groups the host has */
        MOUNT_REMOUNT                   /* other options for what an earlier entry has mounted at the same place */
};

struct bundle_mount {
        size_t index;                   /* in config.json */
        enum bundle_mount_kind kind;
        const char *type;               /* of the file system, also of MOUNT_CGROUP; NULL for a bind */
        const char **data;              /* the file system's own options, @n_data of them: "key" or "key=value" */
        size_t n_data;
        struct initsync_mount want;     /* as it is asked for, or allowed; its propagation is unset */
        uint64_t tree_set, tree_clr;    /* attributes of all mounts in it; want has those of the one on top */
        struct bundle_map uids, gids;   /* of its own; want may point to the container's instead */
        bool maps_container;            /* it does */
        bool remount, copy_up;          /* the options "remount" and "tmpcopyup" */
        bool kept;                      /* a later entry remounts it */
        size_t remounted;               /* of MOUNT_REMOUNT: which of the mounts it is about */
        char *in_root;                  /* where in the root file system the source lies, or NULL */
        bool above_root;                /* the root file system lies in the source */
        uint64_t propagation;           /* MS_PRIVATE, ..., or 0 */
        bool propagation_recursive;
};

/* One that exists already. */
struct bundle_namespace {
        size_t index;                   /* in linux.namespaces */
        int flag;                       /* CLONE_NEW* */
        const char *path;
};

struct bundle_device {
        size_t index;                   /* in config.json */
        const char *path;
        mode_t mode;                    /* with its type */
        uint32_t major, minor;
        uid_t uid;
        gid_t gid;
};

/* In the order of a container's life. */
enum hook_kind {
        HOOK_PRESTART,                  /* the first two in the parent, before pivot_root */
        HOOK_CREATE_RUNTIME,
        HOOK_CREATE_CONTAINER,          /* in the child, before pivot_root */
        HOOK_START_CONTAINER,           /* in the child, before the program */
        HOOK_POSTSTART,                 /* the last two in the parent */
        HOOK_POSTSTOP,
        N_HOOK_KINDS
};

struct hook_list {
        struct hook *hooks;
        size_t n;
};

struct bundle {
        struct json_object *config;     /* strings below lie in here */
        char *path;                     /* of the bundle: absolute, without symlinks */
        const char *id;                 /* of the container: the last part of @path, unless somebody knows better */
        struct json_object *annotations;        /* key to string, or NULL */
        struct layers *layers;          /* that the root file system is made of, or NULL; see layers.h */
        char *root;                     /* absolute */
        bool root_readonly;
        uint64_t root_propagation;      /* MS_PRIVATE, ..., also with MS_REC; 0 when linux does not say */
        struct bundle_mount *mounts;    /* for the parent binds only */
        size_t n_mounts;
        struct bundle_device *devices;  /* of linux.devices */
        size_t n_devices;
        char **masked, **readonly;      /* paths, NULL-terminated; or NULL */
        struct bundle_map uids, gids;   /* of the container's user namespace */
        int namespaces;                 /* CLONE_NEW* of all in linux.namespaces */
        struct bundle_namespace joined[BUNDLE_NAMESPACES];      /* those among them that have a path */
        size_t n_joined;
        bool new_time;                  /* among them is a time namespace without a path */
        struct time_offsets time_offsets;
        struct sysctls sysctls;
        struct personality personality;
        struct memory_policy memory_policy;
        struct scheduler scheduler;     /* for the parent, with the limits */
        struct io_priority io_priority;
        const char *hostname, *domainname;      /* or NULL */
        struct filter filter;
        struct process process;         /* for the parent its limits only */
        struct hook_list hooks[N_HOOK_KINDS];
};

int bundle_load(struct bundle **ret_bundle, const char *path, enum bundle_half half, struct initsync_error *reterr);
struct bundle *bundle_free(struct bundle *bundle);
static inline void bundle_freep(struct bundle **bundle) {
        *bundle = bundle_free(*bundle);
}

/* bundle_startable() - refuse namespaces that spawn() does not make; where they are taken as done, they need not be */
int bundle_startable(const struct bundle *bundle, struct initsync_error *reterr);

/* bundle_namespace_name() - what "type" calls it: "pid", ... */
const char *bundle_namespace_name(int flag);

/* bundle_namespace_path() - of the namespace of that kind which the container joins, or NULL */
const char *bundle_namespace_path(const struct bundle *bundle, int flag);

/* bundle_new_namespaces() - those without a path */
int bundle_new_namespaces(const struct bundle *bundle);

/*
 * bundle_from_parent() - where on the host the new file system @mount would be, if its like is there to be asked for; or NULL
 *
 * A sysfs shows a network namespace, a procfs a PID namespace. In a user namespace that does not own it the container's
 * process may make neither, so that the parent, in the same network or PID namespace, makes one and sends it.
 */
const char *bundle_from_parent(const struct bundle *bundle, const struct bundle_mount *mount);

/* bundle_absolute() - @path as it is, or below the bundle and cleaned of "." and "..", as runc has it; NULL: no memory */
char *bundle_absolute(const struct bundle *bundle, const char *path);

/*
 * bundle_below() - 1 and where @path lies below @directory, as an absolute path there; 0 and NULL when it does not; -ENOMEM
 *
 * Both are cleaned and compared as text. Good for deciding what a path means; it is opened as it was written.
 */
int bundle_below(const char *path, const char *directory, char **ret_below);

/*
 * The parts of bundle_load() that have files of their own.
 */

/* bundle_keys() - types of all that the specification names, and a refusal of what @half should do and cannot */
int bundle_keys(const struct node *config, enum bundle_half half, struct initsync_error *reterr);

/* bundle_warn() - a line each on stderr for what @half leaves undone */
void bundle_warn(const struct bundle *bundle, const struct node *config, enum bundle_half half);

/* bundle_namespaces() - fill in bundle->namespaces and joined, from "linux" */
int bundle_namespaces(struct bundle *bundle, const struct node *linux_, struct initsync_error *reterr);

/* bundle_mounts() - fill in bundle->mounts, from "mounts" */
int bundle_mounts(struct bundle *bundle, const struct node *config, enum bundle_half half, struct initsync_error *reterr);

/* bundle_devices() - fill in bundle->devices, masked and readonly, from "linux"; for the child */
int bundle_devices(struct bundle *bundle, const struct node *linux_, struct initsync_error *reterr);

/* hook_kind_name() - as config.json has it */
const char *hook_kind_name(enum hook_kind kind);

/* bundle_hooks() - fill in bundle->hooks, from "hooks": all kinds, since one process may be both halves */
int bundle_hooks(struct bundle *bundle, const struct node *config, struct initsync_error *reterr);
void bundle_hooks_clear(struct bundle *bundle);

/*
 * mount_options() - read "options" of @entry into @mount; what is no option of every mount goes to mount->data
 * @ret_bind, @ret_idmap: set if they say so, and otherwise left alone
 */
int mount_options(struct bundle_mount *mount, const struct node *entry, bool *ret_bind, bool *ret_idmap,
                  struct initsync_error *reterr);

/* bundle_maps() - read uidMappings and gidMappings of @object: both or, with 0 extents, neither */
int bundle_maps(const struct node *object, struct bundle_map *uids, struct bundle_map *gids, struct initsync_error *reterr);

#endif /* BUNDLE_H */
