/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "support/probe.h"

void put_rlimits(void) {
        static const struct {
                const char *name;
                int resource;
        } known[] = {
                { "AS", RLIMIT_AS }, { "CORE", RLIMIT_CORE }, { "CPU", RLIMIT_CPU }, { "DATA", RLIMIT_DATA },
                { "FSIZE", RLIMIT_FSIZE }, { "LOCKS", RLIMIT_LOCKS }, { "MEMLOCK", RLIMIT_MEMLOCK },
                { "MSGQUEUE", RLIMIT_MSGQUEUE }, { "NICE", RLIMIT_NICE }, { "NOFILE", RLIMIT_NOFILE },
                { "NPROC", RLIMIT_NPROC }, { "RSS", RLIMIT_RSS }, { "RTPRIO", RLIMIT_RTPRIO },
                { "RTTIME", RLIMIT_RTTIME }, { "SIGPENDING", RLIMIT_SIGPENDING }, { "STACK", RLIMIT_STACK },
        };
        struct rlimit limit;
        size_t i;

        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
                getrlimit(known[i].resource, &limit);
                printf("%s\"RLIMIT_%s\": [%llu, %llu]", i ? ", " : "{", known[i].name,
                       (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
        }
        putchar('}');
}

/* The kernel's struct sched_attr, version 0. */
void put_scheduler(void) {
        struct {
                uint32_t size, policy;
                uint64_t flags;
                int32_t nice;
                uint32_t priority;
                uint64_t runtime, deadline, period;
        } attributes = { .size = sizeof(attributes) };

        if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) < 0)
                put_error("sched_getattr");
        else
                printf("{\"policy\": %u, \"flags\": %llu, \"nice\": %d, \"priority\": %u, \"runtime\": %llu, "
                       "\"deadline\": %llu, \"period\": %llu}", attributes.policy, (unsigned long long)attributes.flags,
                       attributes.nice, attributes.priority, (unsigned long long)attributes.runtime,
                       (unsigned long long)attributes.deadline, (unsigned long long)attributes.period);
}

/* Its mode with the flags, and the first 64 nodes. */
void put_memory_policy(void) {
        unsigned long nodes[1024 / (8 * sizeof(unsigned long))] = { 0 };
        int mode = 0;

        if (syscall(SYS_get_mempolicy, &mode, nodes, 1024UL, NULL, 0UL) < 0)
                put_error("get_mempolicy");
        else
                printf("[%d, %lu]", mode, nodes[0]);
}

/* Class, and the level in it. */
void put_io_priority(void) {
        long priority = syscall(SYS_ioprio_get, 1, 0);

        if (priority < 0)
                put_error("ioprio_get");
        else
                printf("[%ld, %ld]", priority >> 13, priority & 0x1fff);
}

void put_oom_score_adj(void) {
        put_file("/proc/self/oom_score_adj");
}
