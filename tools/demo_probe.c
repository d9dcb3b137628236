/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "demo_kernel.h"
#include "demo_look.h"
#include "demo_probe.h"

bool probe_setattr(void) {
        struct mount_attributes attr = { 0 };

        /* nothing to set: answered before the descriptor is looked at */
        return kernel_mount_setattr(-1, 0, &attr) == 0;
}

/* A user namespace that maps 0 to 0, as a descriptor; its only process is gone when this returns. */
static int open_userns(void) {
        struct kernel_clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
        const pid_t parent = getpid();
        pid_t pid = kernel_clone3(&args);
        char path[64];
        int r, fd = -1;

        if (pid < 0)
                return pid;
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                while (getppid() == parent)
                        pause();
                _exit(1);
        }
        snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
        r = look_put(path, "0 0 1");
        snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
        if (r == 0)
                r = look_put(path, "0 0 1");
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        if (r == 0) {
                fd = open(path, O_RDONLY | O_CLOEXEC);
                r = fd < 0 ? -errno : fd;
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return r;
}

bool probe_userns(char *why, size_t size) {
        _cleanup_fd_ int fd = open_userns();

        if (fd < 0)
                snprintf(why, size, "no user namespace can be made here (%s)", strerror(-fd));
        return fd >= 0;
}

static int map_ids(const char *directory, int userns_fd) {
        struct mount_attributes attr = { .attr_set = KERNEL_MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns_fd };
        _cleanup_fd_ int source = -1, tree = -1, other = -1;
        int r;

        source = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (source < 0)
                return -errno;
        tree = kernel_clone_tree(source, 0);
        if (tree < 0)
                return tree;
        r = kernel_mount_setattr(tree, 0, &attr);
        if (r != -ENOSYS)
                return r;
        other = kernel_open_tree_attr(source, &attr);
        return other < 0 ? other : 0;
}

bool probe_idmap(const char *directory, char *why, size_t size) {
        _cleanup_fd_ int userns = open_userns();
        int r = userns < 0 ? userns : map_ids(directory, userns);

        if (r == 0)
                return true;
        if (userns < 0)
                snprintf(why, size, "an id map needs a user namespace, which cannot be made here (%s)", strerror(-r));
        else if (r == -ENOSYS)
                snprintf(why, size, "there are no id-mapped mounts here (mount_setattr: Linux 5.12, or a filter hides it)");
        else if (r == -EINVAL)
                snprintf(why, size, "the file system of %.60s takes no id map (tmpfs does since Linux 6.3)", directory);
        else
                snprintf(why, size, "an id-mapped mount is refused (%s)", strerror(-r));
        return false;
}
