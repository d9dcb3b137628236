/* SPDX-License-Identifier: MIT */
#ifndef HOOK_H
#define HOOK_H

/*
 * One hook: a program that config.json wants run at some point of a container's life.
 *
 * It runs under a keeper, a process of our own between it and us, which feeds it, keeps the end of its output, knows its
 * deadline, and adopts whatever it leaves behind, so that all of that can be killed. We wait for the keeper alone: one
 * descriptor to poll. When this process ends, however that comes, the keeper kills the hook.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <initsync.h>

struct hook {
        const char *path;               /* absolute */
        char **args, **env;             /* NULL-terminated */
        int timeout;                    /* seconds; 0: none */
};

struct hook_run {
        pid_t keeper;                   /* 0: nothing runs */
        int lifeline;                   /* the keeper sees it close */
        int report;                     /* readable when the hook has ended */
};
#define HOOK_RUN_NONE { 0, -1, -1 }

/*
 * hook_start() - run @hook, in a session of its own, with default signals and no descriptor but its standard ones
 * @state:     what it gets on its standard input, whether it reads that or not
 * @directory: where it runs; -1: where this process is
 */
int hook_start(struct hook_run *run, const struct hook *hook, const char *state, int directory,
               struct initsync_error *reterr);

/*
 * hook_result() - when run->report is readable: how it ended
 *
 * What a hook leaves behind that ended well goes on; of any other nothing is left.
 *
 * Return: 0; -ETIME when its time was over; -ECANCELED for a bad exit status or a signal; what execve() said. The end of its
 * output is part of the error.
 */
int hook_result(struct hook_run *run, const struct hook *hook, struct initsync_error *reterr);

/* hook_kill() - end it, with all that it started; also of one that does not run */
void hook_kill(struct hook_run *run);

/*
 * Between hook.c and the keeper.
 */

#define HOOK_OUTPUT_MAX 320             /* bytes at the end of its output that are kept: an error's text has 704 */

enum hook_end {
        HOOK_EXITED,                    /* value: exit status */
        HOOK_KILLED,                    /* value: signal */
        HOOK_LATE,
        HOOK_NOT_RUN                    /* value: errno of @call */
};

enum hook_call {
        HOOK_PIPE,
        HOOK_FORK,
        HOOK_PIDFD_OPEN,
        HOOK_FCHDIR,
        HOOK_EXECVE
};

/* Written in one piece, which a pipe promises up to 4,096 bytes. */
struct hook_report {
        enum hook_end end;
        enum hook_call call;
        int value;
        uint8_t stuck;                  /* it was killed, and does not end */
        uint8_t cut;                    /* there was more output than this: */
        size_t n;
        char output[HOOK_OUTPUT_MAX];
};

/* hook_keep() - be the keeper: a forked process that has no other descriptors than these, and the standard ones */
_Noreturn void hook_keep(const struct hook *hook, const char *state, int directory, int lifeline, int report);

#endif /* HOOK_H */
