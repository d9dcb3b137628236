/* SPDX-License-Identifier: MIT */
/* initsync_overlay_open(): what it refuses, with which error, and what the error names. */
#include "support/support.h"

#include <initsync.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/layers.h"
#include "support/source.h"

static struct initsync_error error;

static void refused(const struct initsync_overlay *overlay, int code, const char *call, const char *part) {
        int fd = -7, r = initsync_overlay_open(overlay, &fd, &error);

        if (r != code || !strstr(error.text, part) || strcmp(error.call, call) != 0)
                fprintf(stderr, "# %d, call %s, %s\n", r, error.call, error.text);
        assert(r == code && fd == -7 && error.code == code);
        assert(strcmp(error.call, call) == 0 && strstr(error.text, part));
}

static void too_many_layers(void) {
        struct initsync_overlay overlay;

        make_tmpfs(path_of("fs"));
        overlay = layers(INITSYNC_OVERLAY_LAYERS_MAX + 1);
        refused(&overlay, -E2BIG, "", "at most 500 layers, not 501");
}

/* overlayfs that cannot empty its work directory mounts read-only, and returns success. */
static void silently_read_only(void) {
        struct initsync_overlay overlay;
        int fd, flags = FS_IMMUTABLE_FL;

        make_tmpfs(path_of("fs"));
        overlay = layers(1);
        fd = open(make_dir(path_of("fs/work/work")), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_file(path_of("fs/work/work/left"), 0);
        if (ioctl(fd, FS_IOC_SETFLAGS, &flags) < 0)
                forked_skip("FS_IOC_SETFLAGS on tmpfs: %s", strerror(errno));
        refused(&overlay, -EROFS, "fsconfig", "read-only");
        flags = 0;
        assert(ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0);
        close(fd);
        close(layers_open(&overlay));
}

static void upper_and_work_apart(void) {
        struct initsync_overlay overlay;

        make_tmpfs(path_of("fs"));
        overlay = layers(1);
        assert(mount("other", overlay.work, "tmpfs", 0, NULL) == 0);
        refused(&overlay, -EXDEV, "statx", "work: ");
        assert(umount2(overlay.work, 0) == 0);
        assert(rmdir(overlay.work) == 0);
        refused(&overlay, -ENOENT, "openat2", "/fs/work");
}

static int linux_is_at_least(int major, int minor) {
        struct utsname name;
        int has[2];

        assert(uname(&name) == 0 && sscanf(name.release, "%d.%d", &has[0], &has[1]) == 2);
        return has[0] > major || (has[0] == major && has[1] >= minor);
}

static void bad_layers(void) {
        struct initsync_overlay overlay;
        const char *good;

        make_tmpfs(path_of("fs"));
        overlay = layers(3);
        good = layers_lower[1];
        layers_lower[1] = "/does/not/exist";
        refused(&overlay, -ENOENT, "openat2", "overlay: lower[1]: openat2 /does/not/exist");
        layers_lower[1] = "/proc/sys";
        refused(&overlay, -EINVAL, source_mapped_by(), "overlay: lower[1]: ");
        assert(strstr(error.text, "proc"));
        layers_lower[1] = make_file(path_of("fs/file"), 0);
        if (initsync_feature("overlay_layer_fd") == 1)
                refused(&overlay, -EINVAL, "fsconfig", "overlay: fsconfig of ");
        else
                refused(&overlay, -EINVAL, "move_mount", "overlay: move_mount of ");
        layers_lower[1] = good;
        overlay.options = (const char *[]){ "no_such_option" };
        overlay.n_options = 1;
        /* mount(2), which is in its place on older kernels than Linux 6.5, does not say which. */
        if (linux_is_at_least(6, 5))
                refused(&overlay, -EINVAL, "fsconfig", "no_such_option");
        else
                refused(&overlay, -EINVAL, "mount", "overlay: mount: ");
}

static void wrong(struct initsync_overlay overlay, const char *part) {
        refused(&overlay, -EINVAL, "", part);
}

#define WRONG(change, part) wrong((copy = overlay, change, copy), part)

static void wrong_arguments(void) {
        static const char *const layer[] = { "lowerdir+=/" }, *const comma[] = { "volatile,upperdir=/" };
        static const struct initsync_idmap past = { 0, 4294967295u, 2 };
        struct initsync_overlay overlay, copy;
        const char *good;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        good = layers_lower[1];
        WRONG(copy.size = 1, "size");
        WRONG(copy.n_lower = 0, "lower");
        WRONG(copy.lower = NULL, "lower");
        WRONG(copy.upper = NULL, "upper and work");
        WRONG((copy.upper = copy.work = NULL, copy.n_lower = 1), "two layers");
        WRONG(copy.upper = "up", "upper");
        WRONG(copy.upper = "/fs/../up", "upper");
        WRONG(copy.work = "/fs/./work", "work");
        WRONG(copy.work = "/fs//work", "work");
        WRONG(copy.n_uids = 0, "uids and gids");
        WRONG(copy.uids = NULL, "uids and gids");
        WRONG((copy.options = layer, copy.n_options = 1), "options[0]");
        WRONG((copy.options = comma, copy.n_options = 1), "options[0]");
        WRONG(copy.n_options = 1, "options");
        WRONG(copy.attr_set = 0x00100000, "attr_set");
        layers_lower[1] = "relative";
        WRONG((void)0, "lower[1]");
        layers_lower[1] = good;
        overlay.uids = &past;
        refused(&overlay, -ERANGE, "", "uids");
}

static void not_permitted(void) {
        struct initsync_overlay overlay;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        deny_call(NR_fsopen, EPERM);
        refused(&overlay, -EPERM, "fsopen", "overlay: fsopen");
        overlay.uids = overlay.gids = NULL;
        overlay.n_uids = overlay.n_gids = 0;
        refused(&overlay, -EPERM, "fsopen", "overlay: fsopen");
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(too_many_layers, FORKED_ROOT),
                FORKED(silently_read_only, FORKED_ROOT),
                FORKED(upper_and_work_apart, FORKED_ROOT),
                FORKED(bad_layers, FORKED_ROOT),
                FORKED(wrong_arguments, FORKED_ROOT),
                FORKED(not_permitted, FORKED_ROOT),
        };

        return forked_main(argc, argv, "root-overlay-refused", tests, sizeof(tests) / sizeof(tests[0]));
}
