/* SPDX-License-Identifier: MIT */
#include "kernel/closer.h"
#include "kernel/syscalls.h"

RAW int closer_run(void *arg) {
        struct closer *closer = arg;

        __atomic_store_n(&closer->begun, 1, __ATOMIC_RELEASE);
        return sys_close(closer->fd);
}
