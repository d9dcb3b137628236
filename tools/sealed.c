/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "cleanup.h"
#include "say.h"
#include "sealed.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U          /* since 6.3; EINVAL before */
#endif

#define EXE "/proc/self/exe"

/* More seals than these are as good. */
static bool is_sealed(int fd) {
        int seals = fcntl(fd, F_GET_SEALS);

        return seals >= 0 && (seals & SEALS) == SEALS;
}

static int make_memory(void) {
        int fd = memfd_create("syncdemo", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

        return fd < 0 && errno == EINVAL ? memfd_create("syncdemo", MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

/* All of it: a file that is cut short while it is copied would be executed so. */
static int copy(int from, int to) {
        struct stat st;
        off_t done = 0;

        if (fstat(from, &st) < 0)
                return -errno;
        while (done < st.st_size) {
                ssize_t n = sendfile(to, from, NULL, (size_t)(st.st_size - done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
                done += n;
        }
        return 0;
}

int sealed_restart(char **argv, struct initsync_error *reterr) {
        _cleanup_fd_ int from = open(EXE, O_RDONLY | O_CLOEXEC), to = -1;
        int r;

        if (from < 0)
                return fault_call(reterr, -errno, "open", EXE);
        if (is_sealed(from)) {
                prctl(PR_SET_NAME, "syncdemo", 0, 0, 0);        /* it would be the number of a descriptor */
                return 0;
        }
        to = make_memory();
        if (to < 0)
                return fault_call(reterr, -errno, "memfd_create", EXE);
        r = copy(from, to);
        if (r < 0)
                return fault_call(reterr, r, "sendfile", EXE);
        if (fcntl(to, F_ADD_SEALS, SEALS) < 0)
                return fault_call(reterr, -errno, "fcntl", EXE);
        if (!is_sealed(to))
                return fault(reterr, -EIO, EXE ": its copy is not sealed");
        syscall(SYS_execveat, to, "", argv, environ, AT_EMPTY_PATH);
        return fault_call(reterr, -errno, "execveat", EXE);
}
