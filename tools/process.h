/* SPDX-License-Identifier: MIT */
#ifndef PROCESS_H
#define PROCESS_H

/*
 * "process" of config.json as plain data: the program, whom it runs as, and what it may do.
 */

#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <initsync.h>
#include "node.h"

enum capability_set {
        CAPABILITY_BOUNDING,
        CAPABILITY_EFFECTIVE,
        CAPABILITY_INHERITABLE,
        CAPABILITY_PERMITTED,
        CAPABILITY_AMBIENT,
        N_CAPABILITY_SETS
};
#define CAPABILITIES_TEXT 512

/* The parent's part of it: what is set on a process from outside. */
struct limits {
        struct limit {
                int resource;
                struct rlimit values;
        } limits[RLIM_NLIMITS];         /* in the order of process.rlimits */
        size_t n_limits;
        bool has_oom_score_adj;
        int oom_score_adj;
};

struct process {
        char **args, **env;             /* NULL-terminated */
        const char *cwd;
        bool terminal;
        struct winsize console_size;    /* of it; 0 rows and columns when that is left open */
        uid_t uid;
        gid_t gid;
        gid_t *groups;
        size_t n_groups;
        bool has_umask;
        mode_t umask;
        uint64_t capabilities[N_CAPABILITY_SETS];       /* bit n is capability n; without the key there are none */
        char not_granted[CAPABILITIES_TEXT];    /* of what config.json has, for a warning */
        bool no_new_privileges;
        struct limits limits;
};

/*
 * process_read() - all but the limits; @process is zeroed, and for process_clear() also after a failure
 * @user_namespace: it will be in another one, where it has all capabilities to begin with
 */
int process_read(struct process *process, const struct node *config, bool user_namespace, struct initsync_error *reterr);
void process_clear(struct process *process);

/* capabilities_read() - "capabilities" of @node into @process, as far as they can be granted */
int capabilities_read(struct process *process, const struct node *node, bool user_namespace, struct initsync_error *reterr);

/* capabilities_permitted() - what this process can hand on at all */
uint64_t capabilities_permitted(void);

/* limits_read() - "rlimits" and "oomScoreAdj" of "process", which need not be there */
int limits_read(struct limits *limits, const struct node *config, struct initsync_error *reterr);

/*
 * limits_open_score() - what limits_set() writes the OOM score to; -1 in *@ret_fd where there is none to set
 *
 * For whoever made the process: the file is an ordinary user's own until the process is no longer to be traced.
 */
int limits_open_score(const struct limits *limits, pid_t pid, int pidfd, int *ret_fd, struct initsync_error *reterr);

/* limits_set() - on the process @pid, which @pidfd is a descriptor of; @score_fd: limits_open_score()'s, or -1 */
int limits_set(const struct limits *limits, pid_t pid, int pidfd, int score_fd, struct initsync_error *reterr);

#endif /* PROCESS_H */
