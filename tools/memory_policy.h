/* SPDX-License-Identifier: MIT */
#ifndef MEMORY_POLICY_H
#define MEMORY_POLICY_H

/*
 * linux.memoryPolicy: from which memory nodes of the machine the process is served.
 */

#include <stdbool.h>
#include <initsync.h>
#include "node.h"

#define MEMORY_NODES 1024               /* as many as any kernel is built for */

struct memory_policy {
        bool set;
        int mode;                       /* with its flags, as set_mempolicy(2) takes them */
        unsigned long nodes[MEMORY_NODES / (8 * sizeof(unsigned long))];
        bool any_node;
};

/* memory_policy_read() - "memoryPolicy" of @linux_ */
int memory_policy_read(struct memory_policy *policy, const struct node *linux_, struct initsync_error *reterr);

/* memory_policy_apply() - to this process; before its filter of system calls is there */
int memory_policy_apply(const struct memory_policy *policy, struct initsync_error *reterr);

#endif /* MEMORY_POLICY_H */
