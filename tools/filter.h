/* SPDX-License-Identifier: MIT */
#ifndef FILTER_H
#define FILTER_H

/*
 * "linux.seccomp" of config.json: a filter of system calls, compiled before anything is started, so that loading it is one
 * system call and what the container's process does between that and its execution needs none that a filter may deny.
 */

#include <stdbool.h>
#include <stdint.h>
#include <initsync.h>
#include "node.h"

struct sock_filter;

struct filter {
        struct sock_filter *code;       /* for the kernel; NULL: no filter is asked for */
        unsigned short n_code;
        unsigned flags;                 /* SECCOMP_FILTER_FLAG_* */
        bool notify;                    /* some calls are decided by an agent, at @listener_path */
        const char *listener_path;      /* absolute */
        const char *metadata;           /* for the agent; or NULL */
};

/* filter_read() - "seccomp" of @linux_; @filter is zeroed, and for filter_clear() also after a failure */
int filter_read(struct filter *filter, const struct node *linux_, struct initsync_error *reterr);
void filter_clear(struct filter *filter);

/*
 * filter_load() - put the filter onto this process, and hand its listener, if there is one, to the parent
 *
 * The last thing before the execution: after it the profile decides which calls there are. Made here are write(2) and read(2),
 * and those only with a listener. Does nothing without a filter.
 */
int filter_load(const struct filter *filter, struct initsync_child *child, struct initsync_error *reterr);

/*
 * filter_privileged() - the capabilities that filter_load() needs without no_new_privs, as a set; 0 without a filter
 *
 * The process keeps them until its execution, which takes them from it: what is left after execve(2) depends on the
 * inheritable, the ambient and the bounding set alone. So no call is needed after the load to drop them.
 */
uint64_t filter_privileged(const struct filter *filter, bool no_new_privileges);

/*
 * The parts of filter_read() that have a file of their own.
 */

#define FILTER_ARCHITECTURES 32
#define FILTER_NEWER_MAX (7 * FILTER_ARCHITECTURES)

/* struct filter_rules - a filter that is being made */
struct filter_rules {
        void *context;                  /* libseccomp's */
        uint32_t default_action;
        bool notify;
        struct filter_need {
                bool some;              /* a rule for some arguments */
                bool every;             /* a rule for all of its calls, ... */
                bool passes;            /* ... which lets them through */
        } needs[2];                     /* of the calls that init itself makes under the filter */
        struct filter_last {
                uint32_t architecture;  /* libseccomp's token */
                int number;             /* of the last system call that the profile names */
        } last[FILTER_ARCHITECTURES];
        size_t n_last;
        size_t n_unknown;               /* names that libseccomp does not know, whose calls thus are not restricted */
        struct initsync_error unknown;  /* the text is about the first of them */
};

/* filter_action() - "@key" and "@errno_key" of @object as an action of libseccomp's */
int filter_action(const struct node *object, const char *key, const char *errno_key, uint32_t *ret,
                   struct initsync_error *reterr);

/*
 * filter_newer_add(), filter_newer_name() - another architecture; and then a name that the profile has
 *
 * A system call with a higher number than all of them came after the profile was written. A C library that tries it first falls
 * back to an older one where it hears ENOSYS, and not at the profile's default.
 */
int filter_newer_add(struct filter_rules *rules, uint32_t architecture);
void filter_newer_name(struct filter_rules *rules, const char *name);

/* filter_newer_code() - what stands in front of the filter so that it does: at most FILTER_NEWER_MAX instructions, often none */
size_t filter_newer_code(const struct filter_rules *rules, struct sock_filter *code);

/* filter_rules() - "syscalls" of @node */
int filter_rules(struct filter_rules *rules, const struct node *node, struct initsync_error *reterr);

#endif /* FILTER_H */
