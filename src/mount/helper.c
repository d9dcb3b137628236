/* SPDX-License-Identifier: MIT */
#include <sys/prctl.h>
#include "kernel/syscalls.h"
#include "mount/helper.h"

RAW int helper_wait(void *embedder) {
        /* A parent that is killed between our birth and our death would leave us, and our namespace, behind for ever. */
        sys_prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sys_getppid() != (int)(long)embedder)
                return 0;
        for (;;)
                sys_poll(NULL, 0, NULL);
}
