/* SPDX-License-Identifier: MIT */
#ifndef SUPPORT_FAULT_H
#define SUPPORT_FAULT_H

/*
 * The library once more, in which every system call can be made to fail: each place in its source that makes one is a site, and
 * one plan says which of them fails, in which process, from which pass on, how often and with what.
 *
 * The sources are compiled with support/fault_calls.h in front of them, and are otherwise what is shipped.
 */

#include <sys/types.h>

#define FAULT_SITES 512
#define FAULT_SHORT 10000       /* instead of an errno: half of what was asked for */
#define FAULT_ZERO 10001        /* it answers 0 instead: ppoll(2) whose time is over */
#define FAULT_EVER 1000000

struct fault_site {
        const char *call, *file, *function;
        int line, pad;
} __attribute__((aligned(32)));

/* Of the two processes of a conversation. Tasks are part of the one that made them. */
enum fault_role {
        FAULT_PARENT,
        FAULT_CHILD,
        FAULT_ROLES,
};

/* Shared by all processes of a test. */
struct fault {
        int site, role, error;                          /* the plan; no site: -1 */
        unsigned from, times;                           /* the pass it starts with, counted from 1 */
        unsigned passes[FAULT_ROLES][FAULT_SITES], fired;
        short denied[FAULT_SITES];                      /* what a site answers anyway: an older kernel */
        unsigned denied_from[FAULT_SITES], denied_times[FAULT_SITES];
};

extern struct fault *fault;
extern enum fault_role fault_role;

extern struct fault_site __start_fault_sites[], __stop_fault_sites[];

/* fault_setup() - before anything else; no plan */
void fault_setup(void);

int fault_n_sites(void);
const char *fault_name(int site);               /* "openat2 in open_path, src/mount/source.c:23"; static memory */

/* fault_plan() - passes are counted anew */
void fault_plan(int site, int role, unsigned from, unsigned times, int error);

/*
 * fault_deny() - this call answers @error anyway, in both processes, from pass @from on, @times times
 * @function:   in this function only, or NULL
 *
 * Return: how many sites that are.
 */
int fault_deny(const char *call, const char *function, int error, unsigned from, unsigned times);

/* fault_allow() - as before the first fault_deny() */
void fault_allow(void);

#endif /* SUPPORT_FAULT_H */
