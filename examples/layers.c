/* SPDX-License-Identifier: MIT */
/*
 * A root file system of two layers and what is written, for a container whose root is user 100000 of the host. Nothing is
 * chowned: on disk all of it belongs to user 0. An ordinary user has a single id, and so gets the same without maps.
 */
#include "scratch.h"
#include <err.h>
#include <initsync.h>
#include <sys/fsuid.h>

#define FIRST 100000

static int open_rootfs(int mapped, int *ret_fd, struct initsync_error *reterr) {
        static const struct initsync_idmap ids = { .inside = 0, .outside = FIRST, .count = 65536 };
        static const char *const lower[] = { "/mnt/volume/app", "/mnt/volume/base" }, *const options[] = { "userxattr" };
        struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;

        overlay.lower = lower;                  /* the uppermost first */
        overlay.n_lower = 2;
        overlay.upper = "/mnt/volume/upper";
        overlay.work = "/mnt/volume/work";
        if (mapped)
                overlay.uids = overlay.gids = &ids, overlay.n_uids = overlay.n_gids = 1;
        else
                overlay.options = options, overlay.n_options = 1;       /* in a user namespace nothing else is permitted */
        return initsync_overlay_open(&overlay, ret_fd, reterr);
}

static uid_t owner(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                err(1, "%s", path);
        return st.st_uid;
}

static void write_file(const char *path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        if (fd < 0)
                err(1, "%s", path);
        close(fd);
}

int main(void) {
        static const char *const directories[] = { "app", "base", "upper", "work" };
        struct initsync_error error;
        int mapped = geteuid() == 0, fd;
        uid_t inside = mapped ? FIRST : 0;
        char path[64];
        size_t i;

        scratch_host("layers");
        for (i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
                snprintf(path, sizeof(path), "/mnt/volume/%s", directories[i]);
                if (mkdir(path, 0755) < 0)
                        err(1, "%s", path);
        }
        write_file("/mnt/volume/app/program");
        write_file("/mnt/volume/base/library");

        /* 77: no id-mapped tmpfs below Linux 6.3, no overlay for users below 5.11 */
        if (open_rootfs(mapped, &fd, &error) < 0)
                errx(error.stage == INITSYNC_STAGE_MOUNT || error.stage == INITSYNC_STAGE_USERNS ? SCRATCH_SKIP : 1,
                     "skipped, %s", error.text);
        if (initsync_attach(fd, open("/mnt/rootfs", O_PATH | O_CLOEXEC), &error) < 0)
                errx(1, "%s", error.text);
        setfsuid(inside);                               /* as the container's root writes */
        setfsgid(inside);
        write_file("/mnt/rootfs/written");
        if (owner("/mnt/rootfs/program") != inside || owner("/mnt/rootfs/library") != inside ||
            owner("/mnt/rootfs/written") != inside || owner("/mnt/volume/upper/written") != 0)
                errx(1, "the files do not belong to whom they should");
        printf("layers: program, library and written belong to %u here, and to 0 on disk\n", inside);
        return 0;
}
