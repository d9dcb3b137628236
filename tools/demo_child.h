/* SPDX-License-Identifier: MIT */
#ifndef DEMO_CHILD_H
#define DEMO_CHILD_H

/* The container's side of the demo, and the process that it is. */

#include <sys/types.h>
#include "demo_look.h"
#include "demo_scene.h"

enum child_role {
        CHILD_STARTS,           /* comes up, looks around, execs a program */
        CHILD_ASKS_TOO_MUCH,    /* for a mount that is not on the list */
        CHILD_GIVES_UP,         /* and says why */
        CHILD_RUNS_HOOKS,       /* which fail */
};

#define CHILD_HOSTNAME "initsync-demo"
#define CHILD_ASKS_FOR "/etc/shadow"
#define CHILD_GAVE_UP "cannot read \033[31m/etc/demo.conf\033[0m"   /* with bytes that a terminal would obey */

/* What the container found, in memory that it shares with the demo. Set to -ENODATA throughout before it starts. */
struct child_facts {
        int told;                       /* what a call returned that had to fail */
        struct initsync_error error;    /* and why */
        int n_before, n_after;          /* open descriptors, before and after that call */
        int pid, proc;                  /* its own number; whether /proc could be mounted: 0, or a negative errno */
        char hostname[64];
        struct owner owners[SCENE_N_PLACES][SCENE_N_FILES];
        uint64_t inodes[SCENE_N_PLACES];        /* of the first file in each place */
        struct look_statmount mounts[SCENE_N_PLACES];
        int created;                    /* a new file in the id-mapped bind: 0, or a negative errno */
        int wrote_tree;                 /* one in the tree, which is read-only: a negative errno */
        int64_t core_limit;             /* after procRun */
};

struct container {
        pid_t pid;
        int pidfd;
        int go_fd;                      /* a byte here, and it starts */
        int output_fd;                  /* what the program it execs prints */
        int socket_fd;                  /* the parent's end */
        struct child_facts *facts;
};

/*
 * container_start() - make the process, in its namespaces, with its ids mapped; it waits for container_go()
 *
 * Return: 0, or a negative errno; container_end() is for both.
 */
int container_start(struct container *container, const struct scene *scene, enum child_role role,
                    struct initsync_error *reterr);
int container_go(struct container *container);

/* container_output() - what was printed, until the last writer is gone, for 10 s at most */
void container_output(struct container *container, char *text, size_t size);

/* container_end() - reap it, having killed it if it does not end by itself. Return: the exit status, 128 + a signal. */
int container_end(struct container *container);

/* child_main() - the process itself */
_Noreturn void child_main(const struct scene *scene, enum child_role role, struct child_facts *facts, int socket_fd,
                          int go_fd, int output_fd);

#endif /* DEMO_CHILD_H */
