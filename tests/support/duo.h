/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_DUO_H
#define SUPPORT_DUO_H

/* A conversation: the library's parent in the test, a child in a process of its own, and what was seen of both. */

#include <initsync.h>

#define DUO_EVENTS 64

enum duo_callback {
        DUO_NONE,
        DUO_ALLOW,
        DUO_HOOKS,
        DUO_READY,
        DUO_SECCOMP,
        DUO_KILL,
        DUO_CALLBACKS,
};

struct duo_event {
        uint64_t time_ns;
        int outgoing, has_fd;
        char type[24], arg[200];
};

struct duo {
        /* for duo_start() */
        struct initsync_parent_options options; /* duo_init() puts all callbacks and short times in */
        int keep[4], n_keep;                    /* descriptors that the child keeps, beside its socket */

        /* what callbacks do */
        int answers[DUO_CALLBACKS];             /* what they return */
        const char *why;                        /* the text of a refusal, or NULL */
        enum duo_callback later;                /* it answers later: duo_loop() gives its answer after LATER_MS */
        int (*on_allow)(const struct initsync_mount *asked, struct initsync_mount *ret_serve);
        int (*on_kill)(struct duo *duo);
        int (*on_seccomp)(struct duo *duo, int fd);

        /* what became of it */
        int pid, pidfd, socket;                 /* the socket's number: the library's, to be looked at only */
        struct initsync_parent *parent;
        int calls[DUO_CALLBACKS];
        struct duo_event events[DUO_EVENTS];
        size_t n_events;
        int result, status;
        struct initsync_error error;
        int64_t took_ms;
};

/* duo_init() - times: 5 s for a request, 20 s in all, 100 ms of grace */
void duo_init(struct duo *duo);

/* duo_fork() - a child that has no descriptor but @keep, dies with the test, and exits with what @run returns */
int duo_fork(int (*run)(int socket, void *arg), int socket, void *arg, const int *keep, int n_keep);

/* duo_start() - the child and the parent's object */
void duo_start(struct duo *duo, int (*run)(int socket, void *arg), void *arg);

/* duo_run() - to the end, by initsync_parent_run(); returns the result */
int duo_run(struct duo *duo);

/* duo_loop() - the same by an own loop around poll(2); what answers later gets its answer */
int duo_loop(struct duo *duo);

/* duo_all() - several at once in one loop, to the end of the last */
void duo_all(struct duo *duos, size_t n);

/* duo_end() - free the object, kill what lives, reap it: duo->status */
void duo_end(struct duo *duo);

/* duo_trace() - "> procHooks, < procHooksDone, ..." ('>' came in); static memory */
const char *duo_trace(const struct duo *duo);

/* duo_now() - milliseconds of CLOCK_MONOTONIC */
int64_t duo_now(void);

/*
 * duo_failed() - the conversation has failed so, for good: further calls say the same, no callback is called again
 *
 * @text is in the error's text; NULL for any. The child is dead, unless INITSYNC_PARENT_NO_KILL says otherwise.
 */
#define duo_failed(...) duo_failed_at(__FILE__, __LINE__, __VA_ARGS__)    /* duo, code, stage, step, text */
void duo_failed_at(const char *file, int line, struct duo *duo, int code, int stage, int step, const char *text);

/* duo_good() - the conversation has succeeded, and stays so */
#define duo_good(duo) duo_good_at(duo, __FILE__, __LINE__)
void duo_good_at(struct duo *duo, const char *file, int line);

#endif /* SUPPORT_DUO_H */
