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

void close_elsewhere(int fd) {
        void *area = NULL;
        int task, r;

        if (fd < 0 || sys_mmap(STACK, MAP_PRIVATE | MAP_STACK, &area) < 0)
                return;                 /* a descriptor left open is better than a runtime that hangs */
        r = task_start(CLONE_FILES, area, STACK, closer_run, (void *)(long)fd, &task, NULL);
        if (r >= 0 && !process_wait(task, WAIT_MS)) {
                sys_pidfd_send_signal(task, SIGKILL);
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
