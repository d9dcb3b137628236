/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "cleanup.h"
#include "own_image.h"
#include "say.h"
#include "sealed.h"

int sealed_restart(char **argv, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        int r;

        /* Where that cannot be told, sealing fails as well, and says why. */
        if (initsync_exe_is_sealed() > 0) {
                prctl(PR_SET_NAME, "syncdemo", 0, 0, 0);        /* it would be the number of a descriptor */
                return 0;
        }
        r = initsync_exe_seal(INITSYNC_SEAL_AUTO, &fd, reterr);
        if (r < 0)
                return r;
        r = own_image_replace(fd);
        if (r == -ENOEXEC)
                return fault(reterr, r, "/proc/self/exe: cannot be sealed: it is not syncdemo, but what it was started by");
        /* What it says is believed for what it is worth: one look costs nothing. */
        if (r == 0 && initsync_exe_is_sealed() > 0)
                return 0;
        syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
        return fault_call(reterr, -errno, "execveat", "/proc/self/exe");
}
