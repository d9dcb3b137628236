/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "kernel.h"
#include "say.h"
#include "scheduler.h"
#include "words.h"

enum { OTHER = 0, FIFO = 1, RR = 2, BATCH = 3, ISO = 4, IDLE = 5, DEADLINE = 6 };

/* The kernel's struct sched_attr, version 0, which C libraries do not declare. */
struct attributes {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
};

static const struct word policies[] = {
        { "SCHED_OTHER", OTHER }, { "SCHED_FIFO", FIFO }, { "SCHED_RR", RR }, { "SCHED_BATCH", BATCH }, { "SCHED_ISO", ISO },
        { "SCHED_IDLE", IDLE }, { "SCHED_DEADLINE", DEADLINE }, { NULL, 0 },
};

static const struct word flags[] = {
        { "SCHED_FLAG_RESET_ON_FORK", 0x01 }, { "SCHED_FLAG_RECLAIM", 0x02 }, { "SCHED_FLAG_DL_OVERRUN", 0x04 },
        { "SCHED_FLAG_KEEP_POLICY", 0x08 }, { "SCHED_FLAG_KEEP_PARAMS", 0x10 },
        { "SCHED_FLAG_UTIL_CLAMP_MIN", WORD_WITHOUT_KEY }, { "SCHED_FLAG_UTIL_CLAMP_MAX", WORD_WITHOUT_KEY }, { NULL, 0 },
};

static int read_policy(struct scheduler *scheduler, const struct node *object, struct initsync_error *reterr) {
        const struct word *word;
        struct node node;
        int r;

        r = node_required(object, "policy", json_type_string, &node, reterr);
        if (r < 0)
                return r;
        word = words_find(policies, node_string(&node));
        if (!word)
                return node_refuse(&node, reterr, -EINVAL, "%s: no scheduling policy", node_string(&node));
        /* A number that was given to a patch of long ago. */
        if (word->value == ISO)
                return node_refuse(&node, reterr, -EOPNOTSUPP, "SCHED_ISO: Linux has no such policy");
        scheduler->policy = (uint32_t)word->value;
        return 0;
}

/* A number that means something to some policies only. */
static int read_number(const struct node *object, const char *key, bool meant, int64_t least, int64_t most, int64_t *ret,
                       struct initsync_error *reterr) {
        struct node node;
        int r;

        r = node_member(object, key, json_type_int, &node, reterr);
        if (r <= 0)
                return r;
        *ret = json_object_get_int64(node.value);
        if (*ret < least || *ret > most)
                return node_refuse(&node, reterr, -ERANGE, "expected %lld to %lld", (long long)least, (long long)most);
        return meant || *ret == 0 ? 0 : node_refuse(&node, reterr, -EINVAL, "means nothing to this policy");
}

static int read_numbers(struct scheduler *scheduler, const struct node *object, struct initsync_error *reterr) {
        const bool real_time = scheduler->policy == FIFO || scheduler->policy == RR;
        const bool deadline = scheduler->policy == DEADLINE;
        int64_t nice = 0, priority = 0, times[3] = { 0, 0, 0 };
        static const char *const names[3] = { "runtime", "deadline", "period" };
        int i, r;

        r = read_number(object, "nice", true, -20, 19, &nice, reterr);
        if (r == 0)
                r = read_number(object, "priority", real_time, 0, 99, &priority, reterr);
        for (i = 0; r == 0 && i < 3; i++)
                r = read_number(object, names[i], deadline, 0, INT64_MAX, &times[i], reterr);
        scheduler->nice = (int32_t)nice;
        scheduler->priority = (uint32_t)priority;
        scheduler->runtime = (uint64_t)times[0];
        scheduler->deadline = (uint64_t)times[1];
        scheduler->period = (uint64_t)times[2];
        return r;
}

int scheduler_read(struct scheduler *scheduler, const struct node *process, struct initsync_error *reterr) {
        struct node object;
        int r;

        *scheduler = (struct scheduler){ .set = false };
        r = node_member(process, "scheduler", json_type_object, &object, reterr);
        if (r <= 0 || json_object_object_length(object.value) == 0)
                return r < 0 ? r : 0;
        scheduler->set = true;
        r = read_policy(scheduler, &object, reterr);
        if (r == 0)
                r = words_flags(flags, &object, "flags", "a scheduler", &scheduler->flags, reterr);
        return r < 0 ? r : read_numbers(scheduler, &object, reterr);
}

int scheduler_apply(const struct scheduler *scheduler, pid_t pid, int pidfd, struct initsync_error *reterr) {
        struct attributes attributes = {
                .size = sizeof(attributes),
                .policy = scheduler->policy,
                .flags = scheduler->flags,
                .nice = scheduler->nice,
                .priority = scheduler->priority,
                .runtime = scheduler->runtime,
                .deadline = scheduler->deadline,
                .period = scheduler->period,
        };
        int r;

        if (!scheduler->set)
                return 0;
        r = kernel_pidfd_send_signal(pidfd, 0);
        if (r < 0 && r != -EPERM)
                return fault_call(reterr, r, "pidfd_send_signal", NULL);
        if (syscall(SYS_sched_setattr, pid, &attributes, 0) < 0)
                return fault_call(reterr, -errno, "sched_setattr", "config.json: process.scheduler");
        return 0;
}
