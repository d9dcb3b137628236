/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "cleanup.h"
#include "container.h"
#include "kernel.h"
#include "program.h"
#include "rootfs.h"
#include "say.h"
#include "signals.h"

int container_names(const struct bundle *bundle, struct initsync_error *reterr) {
        if (bundle->hostname && sethostname(bundle->hostname, strlen(bundle->hostname)) < 0)
                return fault_call(reterr, -errno, "sethostname", "config.json: hostname");
        if (bundle->domainname && setdomainname(bundle->domainname, strlen(bundle->domainname)) < 0)
                return fault_call(reterr, -errno, "setdomainname", "config.json: domainname");
        return 0;
}

/* Before the root file system may become read-only. */
int container_directory(const struct bundle *bundle, int root, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        int r;

        r = rootfs_make(root, bundle->process.cwd, true, &fd, reterr);
        return r < 0 ? fault_in(reterr, "config.json: process.cwd") : 0;
}

int container_enter(const struct bundle *bundle, struct initsync_error *reterr) {
        const char *cwd = bundle->process.cwd;
        char where[PATH_MAX];

        if (chdir(cwd) < 0) {
                fault_call(reterr, -errno, "chdir", cwd);
                return fault_in(reterr, "config.json: process.cwd");
        }
        /* A way out by a descriptor that someone left open, as in CVE-2024-21626; the C library may hide it. */
        if (syscall(SYS_getcwd, where, sizeof(where)) < 0 || where[0] != '/')
                return fault(reterr, -EXDEV, "config.json: process.cwd: %s: outside of the root file system", cwd);
        return 0;
}

/* One that is not the container's alone, as the null device; a terminal is. */
static bool is_public(int fd, const struct stat *st) {
        return S_ISCHR(st->st_mode) && !isatty(fd);
}

int container_streams(const struct bundle *bundle, struct initsync_error *reterr) {
        struct stat st;
        int fd;

        for (fd = 0; fd < 3; fd++) {
                if (fstat(fd, &st) < 0)
                        return fault_call(reterr, -errno, "fstat", "standard stream");
                if (st.st_uid == bundle->process.uid || is_public(fd, &st))
                        continue;
                /* The last three: of a user namespace, whose ids the owner has not; and read-only. It works all the same. */
                if (fchown(fd, bundle->process.uid, (gid_t)-1) < 0 && errno != EPERM && errno != EINVAL && errno != EROFS)
                        return fault_call(reterr, -errno, "fchown", "standard stream");
        }
        return 0;
}

int container_exec(const struct bundle *bundle, struct initsync_child *child, char *const env[], mode_t mask,
                   struct initsync_error *reterr) {
        int r;

        r = kernel_close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC);
        /*
         * EINVAL: before Linux 5.11; EPERM: a filter around us. All that is ours was opened close-on-exec, and what was
         * inherited is closed.
         */
        if (r < 0 && r != -EINVAL && r != -ENOSYS && r != -EPERM)
                return fault_call(reterr, r, "close_range", NULL);
        signals_reset();
        umask(bundle->process.has_umask ? bundle->process.umask : mask);
        r = filter_load(&bundle->filter, child, reterr);
        if (r < 0)
                return r;
        r = program_execute(bundle->process.args, env);
        if (r == -ENOENT && !strchr(bundle->process.args[0], '/'))
                fault(reterr, r, "%s: not in the container's PATH: %s", bundle->process.args[0], strerror(ENOENT));
        else
                fault_call(reterr, r, "execve", bundle->process.args[0]);
        return fault_in(reterr, "config.json: process.args[0]");
}
