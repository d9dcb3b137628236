/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <initsync.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "file.h"
#include "loop.h"

#define SCRATCH_MIB 600         /* of memory that is taken when it is written */

/* A new file system in the file @fd, which @image names. */
static int make_image(const char *type, const char *image, int fd, long size) {
        const char *quiet = strcmp(type, "ext4") == 0 ? "-FqO^has_journal" : "-q";
        char program[32];
        int status;
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
                return 0;
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

/* Consumes @fd. */
static const char *mount_image(const char *type, const char *image, int fd, long size, const char *at) {
        int loop, r = make_image(type, image, fd, size);
        const char *why = NULL;
        char device[32];

        loop = r < 0 ? -1 : attach(fd, device, sizeof(device));
        close(fd);
        if (r < 0)
                return r == -ENOENT ? "its mkfs is not installed" : "its mkfs fails";
        if (loop < 0)
                return "no loop device";
        if (mount(device, at, type, 0, NULL) < 0)
                why = errno == ENODEV ? "not in this kernel" : strerror(errno);
        close(loop);
        return why;
}

const char *loop_mount(const char *type, const char *at) {
        long size = strcmp(type, "ext4") == 0 ? 16 : strcmp(type, "btrfs") == 0 ? 128 : 320;
        const char *image = path_of("%s.image", type), *why;

        why = mount_image(type, image, open(image, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600), size, at);
        unlink(image);
        return why;
}

int scratch_takes_maps(const char *at) {
        const struct initsync_idmap map = { 0, geteuid(), 1 };
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        int fd, r;

        mount.source = at;
        mount.uids = mount.gids = &map;
        mount.n_uids = mount.n_gids = 1;
        r = initsync_mount_open(&mount, &fd, NULL);
        if (r == 0)
                close(fd);
        return r != -EINVAL;    /* whatever else is wrong is not the file system's fault */
}

int scratch_mount(const char *at) {
        static int disk;        /* what the first try showed */
        char image[64], lost[512];
        int fd;

        if (!disk) {
                if (mount("test", at, "tmpfs", 0, "mode=755") < 0)
                        return -1;
                if (geteuid() != 0 || scratch_takes_maps(at))
                        return 0;
                assert(umount2(at, MNT_DETACH) == 0);
                disk = 1;
        }
        fd = memfd_create("scratch", 0);      /* mkfs inherits it */
        snprintf(image, sizeof(image), "/proc/self/fd/%d", fd);
        if (mount_image("ext4", image, fd, SCRATCH_MIB, at))
                return mount("test", at, "tmpfs", 0, "mode=755");
        snprintf(lost, sizeof(lost), "%s/lost+found", at);
        return rmdir(lost);
}
