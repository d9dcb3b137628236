/* SPDX-License-Identifier: MIT */
#ifndef DEMO_STORY_H
#define DEMO_STORY_H

/* The four conversations of the demo, and what is claimed of them. */

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include "demo_check.h"
#include "demo_child.h"
#include "demo_scene.h"
#include "trace.h"

/* Shared by the process that tells the story and the one that started it and outlives it. */
struct stage {
        struct claims claims;
        pid_t host_pid;                 /* a process in the host's mount namespace */
        bool ordinary;                  /* the story happens in a user namespace */
        char why_no_ranges[160];        /* why that maps one id only, or "" */
        char mark[32];                  /* part of every line of mountinfo that is the demo's */
        char directory[PATH_MAX];       /* where the scene is, below it rootfs/ and data/ */
        bool on_disk;                   /* and has to be removed */
};

/* One conversation, and what was seen while it went on. */
struct story {
        struct stage *stage;
        struct claims *claims;
        struct scene scene;
        struct trace *trace;            /* NULL: no diagram */
        char *host_before;              /* mountinfo of the host */

        struct container container;
        int result;                     /* of initsync_parent_run() */
        struct initsync_error error;
        int status;                     /* the container's exit status */
        unsigned n_asked, n_answered;   /* mounts */
        char messages[256];             /* the types of the others, in order */
        bool hooks_fail;
        char *inside, *host_during;     /* mountinfo of the container after it pivoted, of the host then */
        char root_when_ready[32];
        char output[2048];              /* what the program in the container printed */
};

#define STORY_CORE_LIMIT 4096           /* what the ready callback sets RLIMIT_CORE to */
#define STORY_HOOK_ERROR "quota exceeded for the network of this container"

/* story_run() - all of it, in a mount namespace of its own */
int story_run(struct stage *stage, struct initsync_error *reterr);

/* story_is_ours() - whether a line of mountinfo is the demo's */
bool story_is_ours(const struct stage *stage, const char *line, size_t n);

/* story_compare_hosts() - claim that the host's mountinfo @when ("afterwards") is what it was (demo_host.c) */
void story_compare_hosts(struct stage *stage, const char *before, const char *after, const char *when);

/* claims_of_container() - what must be true of the container of the first conversation (demo_claims.c) */
void claims_of_container(struct story *story);

/* story_root() - "the host's" or "the container's": the root directory of a process, as a kernel object */
void story_root(const struct story *story, pid_t pid, char text[static 32]);

#endif /* DEMO_STORY_H */
