/* SPDX-License-Identifier: MIT */
#include <string.h>
#include "kernel/fd.h"
#include "kernel/features.h"
#include "kernel/overlay.h"
#include "kernel/syscalls.h"

/*
 * Each probe is a call that must fail, or that changes nothing, and tells a kernel that knows the call from one that does not.
 * It returns 1, 0 or -EPERM: a filter around us may answer EPERM to what the kernel has.
 */

static int verdict(long r) {
        if (r == -ENOSYS)
                return 0;
        return r == -EPERM ? -EPERM : 1;
}

static int has_openat2(void) {
        struct sys_open_how how = { .flags = O_PATH | O_CLOEXEC };
        int fd = sys_openat2(AT_FDCWD, "/", &how);

        fd_close(fd);
        return verdict(fd);
}

static int has_open_tree(void) {
        return verdict(sys_open_tree(-1, "", 0));
}

static int has_move_mount(void) {
        return verdict(sys_move_mount(-1, "", -1, "", 0));
}

static int has_mount_setattr(void) {
        return verdict(sys_mount_setattr(-1, "", 0, NULL));
}

static int has_open_tree_attr(void) {
        return verdict(sys_open_tree_attr(-1, "", 0, NULL));
}

static int has_statmount(void) {
        return verdict(sys_statmount(NULL, NULL, 0));
}

static int has_listmount(void) {
        return verdict(sys_listmount(NULL, NULL, 0));
}

static int has_close_range(void) {
        return verdict(sys_close_range(1, 0, 0));
}

static int has_pidfd_getfd(void) {
        return verdict(sys_pidfd_getfd(-1, 0));
}

/* The ioctls answer ENOTTY (or EINVAL) where they are unknown. */
static int has_pidfd_ioctl(unsigned long command, void *arg) {
        _cleanup_fd_ int pidfd = sys_pidfd_open(sys_getpid());
        _cleanup_fd_ int got = -1;
        int r;

        if (pidfd < 0)
                return verdict(pidfd);
        r = sys_ioctl(pidfd, command, arg);
        if (command == SYS_PIDFD_GET_USER_NAMESPACE)
                got = r;
        return r >= 0 ? 1 : r == -EPERM || r == -EACCES ? -EPERM : 0;
}

static int has_pidfd_namespaces(void) {
        return has_pidfd_ioctl(SYS_PIDFD_GET_USER_NAMESPACE, NULL);
}

static int has_pidfd_info(void) {
        struct sys_pidfd_info info = { .mask = SYS_PIDFD_INFO_PID };

        return has_pidfd_ioctl(SYS_PIDFD_GET_INFO, &info);
}

static int has_passrights(void) {
        int off = 0, pair[2], r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);

        if (r < 0)
                return -EPERM;
        r = sys_setsockopt(pair[0], SOL_SOCKET, SYS_SO_PASSRIGHTS, &off, sizeof(off));
        fd_close(pair[0]);
        fd_close(pair[1]);
        return r == 0;
}

static int has_id_mapped_mounts(void) {
        return has_mount_setattr();     /* the two came in one release */
}

/* Over another empty file system, so that nothing of the host's can be the reason. */
static int has_overlay_layer_fd(void) {
        const char *call;
        _cleanup_fd_ int lower = overlay_tmpfs(SYS_MOUNT_ATTR_RDONLY, &call);
        _cleanup_fd_ int mount = lower < 0 ? lower : overlay_over(lower, &call);

        return mount >= 0 ? 1 : mount == -EPERM ? -EPERM : 0;
}

/* EACCES: the kernel has it, and vm.memfd_noexec forbids it. */
static int has_memfd_exec(void) {
        _cleanup_fd_ int fd = sys_memfd_create("", SYS_MFD_CLOEXEC | SYS_MFD_EXEC);

        return fd >= 0 ? 1 : fd == -EPERM || fd == -EACCES ? -EPERM : 0;
}

static const struct {
        const char *name;
        int (*probe)(void);
} features[] = {
        { "openat2", has_openat2 },
        { "open_tree", has_open_tree },
        { "move_mount", has_move_mount },
        { "mount_setattr", has_mount_setattr },
        { "id_mapped_mounts", has_id_mapped_mounts },
        { "open_tree_attr", has_open_tree_attr },
        { "statmount", has_statmount },
        { "listmount", has_listmount },
        { "close_range", has_close_range },
        { "pidfd_getfd", has_pidfd_getfd },
        { "pidfd_namespaces", has_pidfd_namespaces },
        { "pidfd_info", has_pidfd_info },
        { "so_passrights", has_passrights },
        { "overlay_layer_fd", has_overlay_layer_fd },
        { "memfd_exec", has_memfd_exec },
};

PUBLIC int initsync_feature(const char *name) {
        size_t i;

        for (i = 0; i < ARRAY_SIZE(features); i++)
                if (strcmp(features[i].name, name) == 0)
                        return features[i].probe();
        return -ENOENT;
}

PUBLIC const char *initsync_feature_name(size_t i) {
        return i < ARRAY_SIZE(features) ? features[i].name : NULL;
}

PUBLIC const char *initsync_version(void) {
        return PACKAGE_VERSION;
}
