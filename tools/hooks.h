/* SPDX-License-Identifier: MIT */
#ifndef HOOKS_H
#define HOOKS_H

/*
 * The hooks of a bundle: those of one kind, or of several that follow each other, one after the other, each once.
 */

#include <sys/types.h>
#include <initsync.h>
#include "bundle.h"

struct hooks {
        const struct bundle *bundle;
        enum hook_kind kind, last;      /* where we are, and the last kind to run */
        size_t index;                   /* the hook of @kind that runs, or is next */
        pid_t pid;                      /* of the container as they see it; 0: gone */
        int directory;                  /* where hooks of the child run; or -1 */
        struct hook_run run;
};
#define HOOKS_NONE { NULL, HOOK_PRESTART, HOOK_PRESTART, 0, 0, -1, HOOK_RUN_NONE }

/*
 * hooks_start() - begin with the first hook of @first; hooks of the kinds up to @last follow it
 *
 * Hooks of the parent run in the bundle's directory.
 *
 * Return: 1: one runs; 0: there are none; a negative errno, kind and index in @reterr, when it cannot be started.
 */
int hooks_start(struct hooks *hooks, const struct bundle *bundle, enum hook_kind first, enum hook_kind last, pid_t pid,
                struct initsync_error *reterr);

/* hooks_fd() - readable when the hook that runs has ended; -1 while none does */
int hooks_fd(const struct hooks *hooks);

/*
 * hooks_next() - if the hook that runs has ended, go on to the next
 *
 * Return: 1: one runs; 0: all ended well; -ECANCELED, -ETIME, or what kept the hook from being run.
 */
int hooks_next(struct hooks *hooks, struct initsync_error *reterr);

/* hooks_stop() - kill what runs, and forget the rest */
void hooks_stop(struct hooks *hooks);

/*
 * hooks_wait() - run all hooks of @kind
 * @directory: where, for hooks of the child; -1: where this process is
 * @peer:      a socket, whose other end's death ends the hook and the wait; or -1
 */
int hooks_wait(const struct bundle *bundle, enum hook_kind kind, pid_t pid, int directory, int peer,
               struct initsync_error *reterr);

/*
 * hooks_poststop() - run these, each whatever became of the one before it; a failure is but warned of
 * @signal_fd: of signals_open(): a signal ends the hook that runs; or -1
 */
void hooks_poststop(const struct bundle *bundle, int signal_fd);

#endif /* HOOKS_H */
