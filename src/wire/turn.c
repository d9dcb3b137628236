/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include "base/attr.h"
#include "wire/turn.h"

/*
 *      MOUNTS ──procHooks──▶ HOOKS ──procHooksDone──▶ PIVOT
 *        │                                              │
 *        └────────────────procReady───────▶ READY ◀─────┘
 *                                             │ procRun
 *                                             ▼
 *       DONE ◀──────────end-of-file───────── RUN ──procSeccomp──▶ SECCOMP
 *         ▲                                                          │ procSeccompDone
 *         └─────────────end-of-file───────────────────── EXEC ◀──────┘
 *
 * procError leads from everywhere to FAILED, whoever sends it; nothing leads out of DONE and FAILED.
 *
 * runc's parent has no such table: a child may send procHooks to it twice, and its hooks run twice, as root.
 */
static const struct {
        unsigned char step, from, type, next;
} turns[] = {
        { INITSYNC_STEP_MOUNTS, TURN_CHILD, MESSAGE_MOUNT_PLEASE, INITSYNC_STEP_MOUNTS },
        { INITSYNC_STEP_MOUNTS, TURN_PARENT, MESSAGE_MOUNT_FD, INITSYNC_STEP_MOUNTS },
        { INITSYNC_STEP_MOUNTS, TURN_CHILD, MESSAGE_HOOKS, INITSYNC_STEP_HOOKS },
        { INITSYNC_STEP_MOUNTS, TURN_CHILD, MESSAGE_READY, INITSYNC_STEP_READY },
        { INITSYNC_STEP_HOOKS, TURN_PARENT, MESSAGE_HOOKS_DONE, INITSYNC_STEP_PIVOT },
        { INITSYNC_STEP_PIVOT, TURN_CHILD, MESSAGE_READY, INITSYNC_STEP_READY },
        { INITSYNC_STEP_READY, TURN_PARENT, MESSAGE_RUN, INITSYNC_STEP_RUN },
        { INITSYNC_STEP_RUN, TURN_CHILD, MESSAGE_SECCOMP, INITSYNC_STEP_SECCOMP },
        { INITSYNC_STEP_RUN, TURN_CHILD, MESSAGE_EOF, INITSYNC_STEP_DONE },
        { INITSYNC_STEP_SECCOMP, TURN_PARENT, MESSAGE_SECCOMP_DONE, INITSYNC_STEP_EXEC },
        { INITSYNC_STEP_EXEC, TURN_CHILD, MESSAGE_EOF, INITSYNC_STEP_DONE },
};

int turn_next(int step, enum turn_from from, enum message_type type) {
        size_t i;

        if (type == MESSAGE_ERROR)
                return step >= INITSYNC_STEP_MOUNTS && step < INITSYNC_STEP_DONE ? INITSYNC_STEP_FAILED : -EPROTO;
        for (i = 0; i < ARRAY_SIZE(turns); i++)
                if (turns[i].step == step && turns[i].from == from && turns[i].type == type)
                        return turns[i].next;
        return -EPROTO;
}

void turn_expected(int step, enum turn_from from, char *to, size_t size) {
        size_t i, used = 0;

        to[0] = '\0';
        for (i = 0; i < ARRAY_SIZE(turns) && used < size; i++)
                if (turns[i].step == step && turns[i].from == from)
                        used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "",
                                                 message_name((enum message_type)turns[i].type));
        if (!used)
                snprintf(to, size, "nothing");
}

PUBLIC const char *initsync_step_name(int step) {
        static const char *const names[] = {
                [INITSYNC_STEP_MOUNTS] = "mounts",
                [INITSYNC_STEP_HOOKS] = "procHooks",
                [INITSYNC_STEP_PIVOT] = "pivot",
                [INITSYNC_STEP_READY] = "procReady",
                [INITSYNC_STEP_RUN] = "procRun",
                [INITSYNC_STEP_SECCOMP] = "procSeccomp",
                [INITSYNC_STEP_EXEC] = "exec",
                [INITSYNC_STEP_DONE] = "done",
                [INITSYNC_STEP_FAILED] = "failed",
        };

        return step >= 0 && (size_t)step < ARRAY_SIZE(names) ? names[step] : "unknown step";
}
