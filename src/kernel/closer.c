/* SPDX-License-Identifier: MIT */
#include "kernel/closer.h"
#include "kernel/syscalls.h"

RAW int closer_run(void *fd) {
        return sys_close((int)(long)fd);
}
