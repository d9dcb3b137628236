/* SPDX-License-Identifier: MIT */
#include <sys/prctl.h>
#include "kernel/syscalls.h"
#include "mount/helper.h"

RAW int helper_wait(void *arg) {
        static const struct timespec moment = { .tv_nsec = 100000000 };
        const struct helper_life *life = arg;

        /* A parent that is killed between our birth and our death would leave us, and our namespace, behind for ever. */
        sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sys_getppid() != life->embedder)
                return 0;
        while (!__atomic_load_n(&life->over, __ATOMIC_ACQUIRE))
                sys_poll(NULL, 0, &moment);
        return 0;
}
