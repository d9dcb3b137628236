/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include "kernel/abandoned.h"
#include "kernel/closer.h"
#include "kernel/elsewhere.h"
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"

#define STACK 16384
#define WAIT_MS 100
#define AT 1024                 /* in the area, above what abandoned_add() writes there, below what the stack takes */

void close_elsewhere(int fd) {
        struct closer *closer;
        void *area = NULL;
        int task, r;

        if (fd < 0 || sys_mmap(STACK, MAP_PRIVATE | MAP_STACK, &area) < 0)
                return;                 /* a descriptor left open is better than a runtime that hangs */
        closer = (struct closer *)((char *)area + AT);
        closer->fd = fd;
        r = task_start(CLONE_FILES, area, STACK, closer_run, closer, &task, NULL);
        if (r >= 0 && !process_wait(task, WAIT_MS)) {
                /* On a busy machine it may still wait for a processor: then it is left to close what nobody else will. */
                sys_pidfd_send_signal(task, __atomic_load_n(&closer->begun, __ATOMIC_ACQUIRE) ? SIGKILL : 0);
                abandoned_add(task, area, STACK, area);
                return;
        }
        if (r >= 0 && task_reap(task) < 0) {
                abandoned_add(task, area, STACK, area);
                return;
        }
        if (r >= 0)
                fd_close(task);
        sys_munmap(area, STACK);
}
