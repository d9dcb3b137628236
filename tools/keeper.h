/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_H
#define KEEPER_H

/*
 * A process between this one and a container that has no PID namespace: the parent of all that is orphaned in there, so that
 * nothing of the container is left when it ends, or when this process is killed.
 *
 * What it does not hold against is a container that may kill the keeper itself: root, or the user who started it, without a
 * user namespace of other ids.
 */

#include <sys/types.h>
#include <initsync.h>

struct keeper {
        pid_t pid;                      /* a child of this process; 0: there is none */
        int fd;                         /* closed with this process, which ends the container */
};
#define KEEPER_NONE { 0, -1 }

typedef int keeper_make(void *userdata, int *ret_pidfd, struct initsync_error *reterr);

/*
 * keeper_start() - fork the keeper
 * @make:    what makes the child, there: its number, and a descriptor of it; or a negative errno, and why
 * @ret_pid: a grandchild of this process, as long as nobody has asked keeper_status()
 */
int keeper_start(struct keeper *keeper, keeper_make *make, void *userdata, pid_t *ret_pid,
                 int *ret_pidfd, struct initsync_error *reterr);

/* keeper_status() - reap the child, which has ended: its exit status or 128 + a signal */
int keeper_status(const struct keeper *keeper);

/* keeper_end() - kill all that is left; also of none. Return: 0, or -ETIME if something does not end */
int keeper_end(struct keeper *keeper);

#endif /* KEEPER_H */
