/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include "cleanup.h"
#include "console.h"
#include "dev.h"
#include "kernel.h"
#include "rootfs.h"
#include "say.h"
#include "tree.h"

#define TERMINAL "config.json: process.terminal"
#define NAME "/dev/ptmx"        /* what the master is called in the message, as with runc */
#define SEND_S 5                /* for a socket that others have filled */
#define TTY_GROUP 5             /* of terminals, by convention; its members may write to them, as wall(1) does */
#define DEVPTS_MAGIC 0x1cd1

/* Its root directory and no other: whatever lies in there was made by the kernel. */
static int open_devpts(int root, int own, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = own >= 0 ? rootfs_resolve(own, "/pts") : rootfs_resolve(root, "/dev/pts");
        struct statfs fs;
        struct statx st;

        if (fd < 0)
                return fault_call(reterr, fd, "openat2", "/dev/pts");
        if (fstatfs(fd, &fs) < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_INO, &st) < 0)
                return fault_call(reterr, -errno, "statfs", "/dev/pts");
        if (fs.f_type != DEVPTS_MAGIC || !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT))
                return fault(reterr, -ENODEV, "/dev/pts: expected a devpts file system in mounts");
        *ret_fd = take_fd(&fd);
        return 0;
}

static int allocate(int root, int own, int *ret_master, int *ret_slave, struct initsync_error *reterr) {
        _cleanup_fd_ int devpts = -1, master = -1, slave = -1;
        int r, locked = 0;

        r = open_devpts(root, own, &devpts, reterr);
        if (r < 0)
                return r;
        /* Nothing may be mounted over it. */
        master = kernel_openat2(devpts, "ptmx", O_RDWR | O_NOCTTY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
        if (master < 0)
                return fault_call(reterr, master, "openat2", "/dev/pts/ptmx");
        if (ioctl(master, TIOCSPTLCK, &locked) < 0)
                return fault_call(reterr, -errno, "ioctl", "/dev/pts/ptmx");
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (slave < 0)
                return fault_call(reterr, -errno, "ioctl", "/dev/pts/ptmx");
        *ret_master = take_fd(&master);
        *ret_slave = take_fd(&slave);
        return 0;
}

/* The user's, who can then open it again. Where the group of terminals is not mapped, no other may write to it. */
static int give(const struct process *process, int slave, struct initsync_error *reterr) {
        mode_t mode = 0620;
        int r;

        r = fchown(slave, process->uid, TTY_GROUP) < 0 ? -errno : 0;
        if (r == -EINVAL || r == -EPERM) {
                mode = 0600;
                r = fchown(slave, process->uid, (gid_t)-1) < 0 ? -errno : 0;
        }
        if (r < 0)
                return fault_call(reterr, r, "fchown", "terminal");
        return fchmod(slave, mode) < 0 ? fault_call(reterr, -errno, "fchmod", "terminal") : 0;
}

/*
 * Return: 0; 1 where there is no place for it in somebody else's /dev. What mounts on a bind that is shared with the host
 * would appear there.
 */
static int open_place(const struct bundle *bundle, int root, int own, int *ret_fd, struct initsync_error *reterr) {
        _cleanup_fd_ int dev = -1, made = -1, fd = -1;
        bool bound;
        int r;

        r = dev_is_bound(bundle, &bound);
        if (r < 0)
                return fault_call(reterr, r, "malloc", NULL);
        if (bound && (bundle->root_propagation & MS_SHARED))
                return 1;
        r = own >= 0 ? rootfs_make(own, "/", true, &dev, reterr) : rootfs_make(root, "/dev", true, &dev, reterr);
        if (r < 0)
                return r;
        if (!bound) {
                made = openat(dev, "console", O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, 0600);
                if (made < 0 && errno != EEXIST)
                        return fault_call(reterr, -errno, "openat", "/dev/console");
        }
        /* A symlink would put the terminal over a file of the image's choice. */
        fd = kernel_openat2(dev, "console", O_PATH, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
        if (fd == -ENOENT && bound)
                return 1;
        if (fd < 0)
                return fault_call(reterr, fd, "openat2", "/dev/console");
        *ret_fd = take_fd(&fd);
        return 0;
}

static int mount_console(const struct bundle *bundle, int root, int own, int slave, struct initsync_error *reterr) {
        _cleanup_fd_ int place = -1, tree = -1;
        int r;

        r = open_place(bundle, root, own, &place, reterr);
        if (r != 0)
                return r < 0 ? r : 0;
        r = tree_clone(slave, false, "terminal", &tree, reterr);
        if (r < 0)
                return r;
        r = tree_attach(tree, place, reterr);
        return r < 0 ? fault_in(reterr, "/dev/console") : 0;
}

static int send_master(int socket_fd, int master, struct initsync_error *reterr) {
        const struct timeval limit = { .tv_sec = SEND_S };
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
        struct iovec data = { (void *)(uintptr_t)NAME, strlen(NAME) };
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.space),
        };
        int r;

        memcpy(CMSG_DATA(&control.header), &master, sizeof(master));
        if (setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
                return fault_call(reterr, -errno, "setsockopt", "console socket");
        r = sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
        if (r == -EAGAIN)
                return fault(reterr, -ETIMEDOUT, "console socket: sendmsg: not taken within %d s", SEND_S);
        return r < 0 ? fault_call(reterr, r, "sendmsg", "console socket") : 0;
}

int console_make(const struct bundle *bundle, int root, int own, int socket_fd, int *ret_slave,
                 struct initsync_error *reterr) {
        _cleanup_fd_ int master = -1, slave = -1;
        bool bound;
        int r;

        r = dev_is_bound(bundle, &bound);
        if (r < 0)
                return fault_call(reterr, r, "malloc", NULL);
        own = bound ? -1 : own;
        r = allocate(root, own, &master, &slave, reterr);
        if (r == 0)
                r = give(&bundle->process, slave, reterr);
        if (r == 0 && ioctl(slave, TIOCSWINSZ, &bundle->process.console_size) < 0)
                r = fault_call(reterr, -errno, "ioctl", "terminal");
        if (r == 0)
                r = mount_console(bundle, root, own, slave, reterr);
        if (r == 0)
                r = send_master(socket_fd, master, reterr);
        if (r < 0)
                return fault_in(reterr, TERMINAL);
        *ret_slave = take_fd(&slave);
        return 0;
}

int console_enter(int slave, struct initsync_error *reterr) {
        int fd;

        /* Whoever leads a session already may have done so on purpose, and without a terminal. */
        if (setsid() < 0 && getsid(0) != getpid()) {
                fault_call(reterr, -errno, "setsid", NULL);
                return fault_in(reterr, TERMINAL ": this process leads a process group");
        }
        if (ioctl(slave, TIOCSCTTY, 0) < 0) {
                fault_call(reterr, -errno, "ioctl", "TIOCSCTTY");
                return fault_in(reterr, TERMINAL);
        }
        for (fd = 0; fd < 3; fd++)
                if (dup2(slave, fd) < 0)
                        return fault_call(reterr, -errno, "dup2", "terminal");
        return 0;
}
