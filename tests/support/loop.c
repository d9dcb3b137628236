/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "file.h"
#include "loop.h"

static int make_image(const char *type, const char *image) {
        long size = strcmp(type, "ext4") == 0 ? 16 : strcmp(type, "btrfs") == 0 ? 128 : 320;
        char program[32];
        const char *quiet = strcmp(type, "ext4") == 0 ? "-Fq" : "-q";
        int status, fd = open(image, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        pid_t pid;

        assert(fd >= 0 && ftruncate(fd, size << 20) == 0);
        snprintf(program, sizeof(program), "mkfs.%s", type);
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                dup2(open("/dev/null", O_RDWR | O_CLOEXEC), 1);
                setenv("PATH", "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin", 1);
                execlp(program, program, quiet, image, NULL);
                _exit(127);
        }
        assert(waitpid(pid, &status, 0) == pid);
        if (status == 0)
                return fd;
        close(fd);
        return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : -EIO;
}

/* Others take devices, too: one that is taken meanwhile is EBUSY. */
static int attach(int image, char *name, size_t size) {
        struct loop_config config = { .fd = (unsigned)image, .info = { .lo_flags = LO_FLAGS_AUTOCLEAR } };
        int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number, fd, tries;

        if (control < 0)
                return -errno;
        for (tries = 0; tries < 50; tries++) {
                number = ioctl(control, LOOP_CTL_GET_FREE);
                snprintf(name, size, "/dev/loop%d", number);
                fd = number < 0 ? -1 : open(name, O_RDWR | O_CLOEXEC);
                if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) == 0) {
                        close(control);
                        return fd;
                }
                if (fd >= 0)
                        close(fd);
                usleep(10000);
        }
        close(control);
        return -EBUSY;
}

const char *loop_mount(const char *type, const char *at) {
        const char *image = path_of("%s.image", type), *why = NULL;
        char device[32];
        int loop, fd = make_image(type, image);

        unlink(image);
        if (fd < 0)
                return fd == -ENOENT ? "its mkfs is not installed" : "its mkfs fails";
        loop = attach(fd, device, sizeof(device));
        close(fd);
        if (loop < 0)
                return "no loop device";
        if (mount(device, at, type, 0, NULL) < 0)
                why = errno == ENODEV ? "not in this kernel" : strerror(errno);
        close(loop);
        return why;
}
