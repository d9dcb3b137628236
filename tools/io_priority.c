/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "io_priority.h"
#include "kernel.h"
#include "say.h"

#define WHO_PROCESS 1           /* IOPRIO_WHO_PROCESS */
#define CLASS_SHIFT 13

int io_priority_read(struct io_priority *priority, const struct node *process, struct initsync_error *reterr) {
        static const char *const classes[] = { NULL, "IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE" };
        struct node object, node, level;
        int64_t number;
        int i, r;

        *priority = (struct io_priority){ .set = false };
        r = node_member(process, "ioPriority", json_type_object, &object, reterr);
        if (r <= 0 || json_object_object_length(object.value) == 0)
                return r < 0 ? r : 0;
        r = node_required(&object, "class", json_type_string, &node, reterr);
        if (r == 0)
                r = node_required(&object, "priority", json_type_int, &level, reterr);
        if (r != 0)
                return r;
        for (i = 3; i > 0 && strcmp(classes[i], node_string(&node)) != 0; i--)
                ;
        if (i == 0)
                return node_refuse(&node, reterr, -EINVAL,
                                   "%s: expected IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE", node_string(&node));
        number = json_object_get_int64(level.value);
        if (number < 0 || number > 7)
                return node_refuse(&level, reterr, -ERANGE, "expected 0 to 7");
        priority->set = true;
        priority->value = i << CLASS_SHIFT | (int)number;
        return 0;
}

int io_priority_apply(const struct io_priority *priority, pid_t pid, int pidfd, struct initsync_error *reterr) {
        int r;

        if (!priority->set)
                return 0;
        r = kernel_pidfd_send_signal(pidfd, 0);
        if (r < 0 && r != -EPERM)
                return fault_call(reterr, r, "pidfd_send_signal", NULL);
        if (syscall(SYS_ioprio_set, WHO_PROCESS, pid, priority->value) < 0)
                return fault_call(reterr, -errno, "ioprio_set", "config.json: process.ioPriority");
        return 0;
}
