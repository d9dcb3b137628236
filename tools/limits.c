/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cleanup.h"
#include "kernel.h"
#include "process.h"
#include "say.h"

static const struct {
        const char *name;
        int resource;
} known[] = {
        { "RLIMIT_AS",          RLIMIT_AS },
        { "RLIMIT_CORE",        RLIMIT_CORE },
        { "RLIMIT_CPU",         RLIMIT_CPU },
        { "RLIMIT_DATA",        RLIMIT_DATA },
        { "RLIMIT_FSIZE",       RLIMIT_FSIZE },
        { "RLIMIT_LOCKS",       RLIMIT_LOCKS },
        { "RLIMIT_MEMLOCK",     RLIMIT_MEMLOCK },
        { "RLIMIT_MSGQUEUE",    RLIMIT_MSGQUEUE },
        { "RLIMIT_NICE",        RLIMIT_NICE },
        { "RLIMIT_NOFILE",      RLIMIT_NOFILE },
        { "RLIMIT_NPROC",       RLIMIT_NPROC },
        { "RLIMIT_RSS",         RLIMIT_RSS },
        { "RLIMIT_RTPRIO",      RLIMIT_RTPRIO },
        { "RLIMIT_RTTIME",      RLIMIT_RTTIME },
        { "RLIMIT_SIGPENDING",  RLIMIT_SIGPENDING },
        { "RLIMIT_STACK",       RLIMIT_STACK },
};
enum { N_KNOWN = sizeof(known) / sizeof(known[0]) };

static int read_limit(struct limits *limits, const struct node *entry, struct initsync_error *reterr) {
        struct limit *limit = &limits->limits[limits->n_limits];
        struct node type;
        uint64_t soft = 0, hard = 0;
        size_t i, k;
        int r;

        r = node_required(entry, "type", json_type_string, &type, reterr);
        if (r < 0)
                return r;
        for (i = 0; i < N_KNOWN && strcmp(known[i].name, node_string(&type)) != 0; i++)
                ;
        if (i == N_KNOWN)
                return node_refuse(&type, reterr, -EINVAL, "%s: unknown limit", node_string(&type));
        for (k = 0; k < limits->n_limits; k++)
                if (limits->limits[k].resource == known[i].resource)
                        return node_refuse(&type, reterr, -EINVAL, "%s: given twice", node_string(&type));
        limit->resource = known[i].resource;
        r = node_u64(entry, "soft", true, &soft, reterr);
        if (r == 0)
                r = node_u64(entry, "hard", true, &hard, reterr);
        if (r < 0)
                return r;
        /* 18446744073709551615 is RLIM_INFINITY. */
        limit->values = (struct rlimit){ .rlim_cur = soft, .rlim_max = hard };
        if (limit->values.rlim_cur > limit->values.rlim_max)
                return node_refuse(entry, reterr, -EINVAL, "soft is above hard");
        limits->n_limits++;
        return 0;
}

static int read_oom_score_adj(struct limits *limits, const struct node *process, struct initsync_error *reterr) {
        struct node node;
        int64_t number;
        int r;

        r = node_member(process, "oomScoreAdj", json_type_int, &node, reterr);
        if (r <= 0)
                return r;
        number = json_object_get_int64(node.value);
        if (number < -1000 || number > 1000)
                return node_refuse(&node, reterr, -ERANGE, "expected -1000 to 1000");
        limits->has_oom_score_adj = true;
        limits->oom_score_adj = (int)number;
        return 0;
}

int limits_read(struct limits *limits, const struct node *config, struct initsync_error *reterr) {
        struct node process, array, entry;
        size_t i;
        int r;

        r = node_member(config, "process", json_type_object, &process, reterr);
        if (r <= 0)
                return r;
        r = node_member(&process, "rlimits", json_type_array, &array, reterr);
        /* No more than there are types, since none may come twice. */
        for (i = 0; r > 0 && i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_object, &entry, reterr);
                if (r == 0)
                        r = read_limit(limits, &entry, reterr);
                if (r < 0)
                        return r;
                r = 1;
        }
        return r < 0 ? r : read_oom_score_adj(limits, &process, reterr);
}

/*
 * From outside, for two reasons: the right to lower the score is one of the first user namespace, where the container's process
 * may not be; and its own /proc may be anything by now.
 */
static int open_score(pid_t pid, int pidfd, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int directory = -1, file = -1;
        char path[32];
        int r;

        snprintf(path, sizeof(path), "/proc/%d", (int)pid);
        directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return fault_call(reterr, -errno, "open", path);
        /* If the process lives, the number was its own, and the directory is. */
        r = kernel_pidfd_send_signal(pidfd, 0);
        if (r < 0 && r != -EPERM)
                return fault_call(reterr, r, "pidfd_send_signal", NULL);
        file = openat(directory, "oom_score_adj", O_WRONLY | O_CLOEXEC);
        if (file < 0)
                return fault_call(reterr, -errno, "open", "oom_score_adj");
        *ret_fd = take_fd(&file);
        return 0;
}

int limits_open_score(const struct limits *limits, pid_t pid, int pidfd, int *ret_fd, struct initsync_error *reterr) {
        int r;

        *ret_fd = -1;
        r = limits->has_oom_score_adj ? open_score(pid, pidfd, ret_fd, reterr) : 0;
        return r < 0 ? fault_in(reterr, "config.json: process.oomScoreAdj") : 0;
}

static int set_score(int score, pid_t pid, int pidfd, int given, struct initsync_error *reterr) {
        _cleanup_fd_ int own = -1;
        char text[32];
        int r;

        r = given < 0 ? open_score(pid, pidfd, &own, reterr) : 0;
        if (r < 0)
                return r;
        snprintf(text, sizeof(text), "%d", score);
        return write(given < 0 ? own : given, text, strlen(text)) < 0 ? fault_call(reterr, -errno, "write", "oom_score_adj") : 0;
}

int limits_set(const struct limits *limits, pid_t pid, int pidfd, int score_fd, struct initsync_error *reterr) {
        size_t i;
        int r;

        for (i = 0; i < limits->n_limits; i++) {
                r = kernel_pidfd_send_signal(pidfd, 0);
                if (r < 0 && r != -EPERM)
                        return fault_call(reterr, r, "pidfd_send_signal", NULL);
                if (prlimit(pid, limits->limits[i].resource, &limits->limits[i].values, NULL) < 0) {
                        fault_call(reterr, -errno, "prlimit", NULL);
                        return fault_in(reterr, "config.json: process.rlimits[%zu]", i);
                }
        }
        if (limits->has_oom_score_adj) {
                r = set_score(limits->oom_score_adj, pid, pidfd, score_fd, reterr);
                if (r < 0)
                        return fault_in(reterr, "config.json: process.oomScoreAdj");
        }
        return 0;
}
