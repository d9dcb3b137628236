/* SPDX-License-Identifier: MIT */
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "container.h"
#include "kernel.h"
#include "say.h"

int container_enter(const struct bundle *bundle, struct initsync_error *reterr) {
        char where[PATH_MAX];

        /* process.user is 0:0 without further groups. A user namespace may deny setgroups(): then there is nothing to do. */
        if (setgroups(0, NULL) < 0 && errno != EPERM)
                return fault_call(reterr, -errno, "setgroups", "config.json: process.user");
        if (setresgid(0, 0, 0) < 0)
                return fault_call(reterr, -errno, "setresgid", "config.json: process.user.gid");
        if (setresuid(0, 0, 0) < 0)
                return fault_call(reterr, -errno, "setresuid", "config.json: process.user.uid");
        if (chdir(bundle->cwd) < 0) {
                fault_call(reterr, -errno, "chdir", bundle->cwd);
                return fault_in(reterr, "config.json: process.cwd");
        }
        /* A way out by a descriptor that someone left open, as in CVE-2024-21626. */
        if (!getcwd(where, sizeof(where)) || where[0] != '/')
                return fault(reterr, -EXDEV, "config.json: process.cwd: %s: outside of the root file system", bundle->cwd);
        return 0;
}

/*
 * What was ignored or blocked stays so across execve(). By the system call, since the C library keeps the signals to itself
 * that it uses for threads; all zero is SIG_DFL in the kernel's struct sigaction of every architecture.
 */
static void reset_signals(void) {
        const unsigned long action[8] = { 0 };
        sigset_t none;
        int i;

        for (i = 1; i < _NSIG; i++)
                syscall(SYS_rt_sigaction, i, action, NULL, _NSIG / 8);  /* fails for two, which cannot be ignored either */
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
}

int container_exec(const struct bundle *bundle, mode_t mask, struct initsync_error *reterr) {
        int r;

        r = kernel_close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
        /* EINVAL: before Linux 5.11, where all that is ours was opened close-on-exec, and what was inherited is closed. */
        if (r < 0 && r != -EINVAL && r != -ENOSYS)
                return fault_call(reterr, r, "close_range", NULL);
        reset_signals();
        umask(mask);
        environ = bundle->env;          /* execvp() looks for PATH there */
        execvp(bundle->args[0], bundle->args);
        r = -errno;
        fault_call(reterr, r, "execve", bundle->args[0]);
        return fault_in(reterr, "config.json: process.args[0]");
}
