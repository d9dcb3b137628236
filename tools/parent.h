/* SPDX-License-Identifier: MIT */
#ifndef PARENT_H
#define PARENT_H

/*
 * The parent half: what the runtime does for the container of a bundle.
 */

#include <stdbool.h>
#include <sys/types.h>
#include <initsync.h>
#include "bundle.h"
#include "hooks.h"
#include "trace.h"

struct parent_job {
        const struct bundle *bundle;    /* its binds are allowed, hooks run, limits set; NULL: no mount is allowed */
        bool allow_any_mount;           /* instead of a bundle */
        bool seccomp_fd;                /* the child sends its listener, instead of that it is taken from it */
        int timeout_ms;                 /* 0: the library's own */
        int stop_fd;                    /* readable when there is no point in waiting for anybody; or -1 */
        struct trace *trace;            /* or NULL */
        pid_t pid;                      /* the child */
        int pidfd;                      /* of it; stays the caller's */
        int score_fd;                   /* limits_open_score()'s; the caller's; or -1 */
        int user_fd;                    /* the user namespace that linux.namespaces names by a path; the caller's; or -1 */
        const char *pid_file;           /* written before the program starts; or NULL */
        struct hooks hooks;             /* HOOKS_NONE to begin with */
        struct initsync_userns_cache *maps;     /* parent_maps(), or NULL */
};

/*
 * parent_maps() - room for the maps of @bundle's mounts, which parent_new() fills while the child has other things to do;
 * NULL where there are none, and where memory is short. To be freed after the object.
 */
struct initsync_userns_cache *parent_maps(const struct bundle *bundle);

/*
 * parent_new() - begin to serve a child
 * @job:       must live as long as the object
 * @socket_fd: the parent's end; consumes it, also on failure
 */
int parent_new(struct initsync_parent **ret_parent, struct parent_job *job, int socket_fd,
               struct initsync_error *reterr);

/*
 * parent_dispatch() - initsync_parent_dispatch(), and what the hooks of @job need: poll hooks_fd(&job->hooks) as well, anew
 * each time
 */
int parent_dispatch(struct initsync_parent *parent, struct parent_job *job, struct initsync_error *reterr);

/* parent_blame() - name the mount of config.json in an error that the library returned for @job; returns its code */
int parent_blame(const struct parent_job *job, struct initsync_error *reterr);

static inline void parent_freep(struct initsync_parent **parent) {
        *parent = initsync_parent_free(*parent);
}

static inline void parent_maps_freep(struct initsync_userns_cache **maps) {
        *maps = initsync_userns_cache_free(*maps);
}

#endif /* PARENT_H */
