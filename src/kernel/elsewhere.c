/* SPDX-License-Identifier: MIT */
#include <sched.h>
#include <sys/mman.h>
#include "kernel/abandoned.h"
#include "kernel/clock.h"
#include "kernel/closer.h"
#include "kernel/elsewhere.h"
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"

#define STACK 16384
#define WAIT_MS 100

static int wait_dead(int task) {
        struct pollfd poll = { .fd = task, .events = POLLIN };
        uint64_t deadline = clock_deadline(WAIT_MS);
        struct timespec left;
        int r;

        do {
                clock_left(deadline, &left);
                r = sys_poll(&poll, 1, &left);
        } while (r == -EINTR);
        return r > 0;
}

void close_elsewhere(int fd) {
        int kept = errno, task, r;
        char *area;

        if (fd < 0)
                return;
        area = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        errno = kept;
        if (area == MAP_FAILED)
                return;                 /* a descriptor left open is better than a runtime that hangs */
        r = task_start(CLONE_FILES, area, STACK, closer_run, (void *)(long)fd, &task);
        if (r >= 0 && !wait_dead(task)) {
                sys_pidfd_send_signal(task, SIGKILL);
                abandoned_add(task, area, STACK, area);
                return;
        }
        if (r >= 0) {
                task_end(task, -1);
                fd_close(task);
        }
        munmap(area, STACK);
        errno = kept;
}
