/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include "bench_kernel.h"
#include "bench_sealer_bare.h"
#include "cleanup.h"
#include "kernel.h"

enum { SET_STRING = 1, SET_FD = 5, CREATE = 6 };        /* fsconfig(2) */
#define CLOEXEC 1
#define ATTRIBUTES (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static int made(int context) {
        if (syscall(SYS_fsconfig, context, CREATE, NULL, NULL, 0) < 0)
                return -errno;
        return kernel_result(syscall(SYS_fsmount, context, CLOEXEC, ATTRIBUTES));
}

static int empty(void) {
        _cleanup_fd_ int context = (int)syscall(SYS_fsopen, "tmpfs", CLOEXEC);

        return context < 0 ? -errno : made(context);
}

static int over(int directory) {
        _cleanup_fd_ int second = empty(), context = -1;

        if (second < 0)
                return second;
        context = (int)syscall(SYS_fsopen, "overlay", CLOEXEC);
        if (context < 0 || syscall(SYS_fsconfig, context, SET_STRING, "xino", "off", 0) < 0 ||
            syscall(SYS_fsconfig, context, SET_FD, "lowerdir+", NULL, directory) < 0 ||
            syscall(SYS_fsconfig, context, SET_FD, "lowerdir+", NULL, second) < 0)
                return -errno;
        return made(context);
}

int bare_overlay(void) {
        _cleanup_fd_ int directory = -1, mount = -1;
        char path[PATH_MAX], *name;
        ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

        if (n < 0)
                return -errno;
        path[n] = '\0';
        name = strrchr(path, '/');
        *name++ = '\0';
        directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (directory < 0)
                return -errno;
        mount = over(directory);
        return mount < 0 ? mount : kernel_result(openat(mount, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
}

int bare_memfd(void) {
        _cleanup_fd_ int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = -1;
        struct stat file;
        ssize_t n;

        if (from < 0 || fstat(from, &file) < 0)
                return -errno;
        to = memfd_create("syncdemo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (to < 0)
                return -errno;
        do
                n = sendfile(to, from, NULL, (size_t)file.st_size);
        while (n > 0);
        if (n < 0 || fcntl(to, F_ADD_SEALS, SEALS) < 0)
                return -errno;
        return take_fd(&to);
}
