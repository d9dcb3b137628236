/* SPDX-License-Identifier: MIT */
/* initsync_overlay_open(): what a container reads and writes through id-mapped layers, and what is on disk afterwards. */
#include "support/support.h"

#include <initsync.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/layers.h"
#include "support/loop.h"
#include "support/namespace.h"

/* The container: root of a user namespace with the same map. */
static int inside(int root, void (*body)(int root)) {
        int status, userns;
        pid_t pid;

        if (SANITIZED_THREADS)
                forked_skip("a forked process has a thread of the sanitizer's, and cannot enter a user namespace");
        assert(initsync_userns_open(&layers_map, 1, &layers_map, 1, &userns, NULL) == 0);
        pid = fork();
        assert(pid >= 0);
        if (pid == 0) {
                assert(setns(userns, CLONE_NEWUSER) == 0);
                assert(setgid(0) == 0 && setuid(0) == 0);
                body(root);
                _exit(0);
        }
        close(userns);
        assert(waitpid(pid, &status, 0) == pid);
        return status;
}

static void append(int root, const char *name) {
        int fd = openat(root, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);

        assert(fd >= 0 && write(fd, "more", 4) == 4);
        close(fd);
}

static void work_as_a_container(int root) {
        assert(owner(root, "of-0-0") == 0 && owner(root, "of-1000-0") == 1000 && owner(root, "of-1000-1") == 1000);
        append(root, "of-0-0");                         /* copies up */
        append(root, "of-1000-1");
        append(root, "new");
        assert(mkdirat(root, "directory", 0755) == 0);
        assert(mkdirat(root, "directory/inner", 0755) == 0 && fchownat(root, "directory/inner", 1000, 1000, 0) == 0);
        assert(unlinkat(root, "of-0-1", 0) == 0);       /* a whiteout */
        assert(symlinkat("new", root, "link") == 0);
        assert(owner(root, "new") == 0 && owner(root, "directory/inner") == 1000 && owner(root, "of-1000-1") == 1000);
        assert(mkdirat(root, "of-0-1", 0755) == 0);     /* opaque, over the whiteout */
}

static void check_on_disk(void) {
        struct stat st;

        assert(owner(AT_FDCWD, path_of("fs/up/of-0-0")) == 0 && owner(AT_FDCWD, path_of("fs/up/of-1000-1")) == 1000);
        assert(owner(AT_FDCWD, path_of("fs/up/new")) == 0 && owner(AT_FDCWD, path_of("fs/up/directory/inner")) == 1000);
        assert(owner(AT_FDCWD, path_of("fs/up")) == 0 && owner(AT_FDCWD, path_of("fs/work/work")) == 0);
        assert(lstat(path_of("fs/up/link"), &st) == 0 && S_ISLNK(st.st_mode) && st.st_uid == 0);
        assert(stat(path_of("fs/0/of-0-0"), &st) == 0 && st.st_size == 0);     /* the layers stay as they are */
}

static void container(void) {
        struct initsync_overlay overlay = layers(2);
        int fd = layers_open(&overlay);

        assert(owner(fd, "of-0-0") == 100000 && owner(fd, "of-1000-1") == 101000);
        assert(inside(fd, work_as_a_container) == 0);
        close(fd);
        check_on_disk();
}

static void on(const char *type) {
        const char *why = loop_mount(type, make_dir(path_of("fs")));

        if (why)
                forked_skip("%s: %s", type, why);
        container();
        umount2(path_of("fs"), MNT_DETACH);
}

static void on_tmpfs(void) {
        make_tmpfs(path_of("fs"));
        container();
}

static void on_ext4(void) {
        on("ext4");
}

static void on_xfs(void) {
        on("xfs");
}

/* A kernel that takes no detached layers: 6.12 says EBADF, 6.1 EOPNOTSUPP. */
static void without_descriptors(int error_of_kernel) {
        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, error_of_kernel);
        make_tmpfs(path_of("fs"));
        container();
}

static void like_6_12(void) {
        without_descriptors(EBADF);
}

static void like_6_1(void) {
        without_descriptors(EOPNOTSUPP);
}

static void look_like_root_alone(int root) {
        (void)root;
}

static void many(size_t n) {
        struct initsync_overlay overlay;
        char last[32];
        int before, fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(n);
        before = mount_count();
        fd = layers_open(&overlay);
        assert(mount_count() == before);
        assert(owner(fd, "of-1000-0") == 101000);
        snprintf(last, sizeof(last), "of-1000-%zu", n - 1);
        assert(owner(fd, last) == 101000);
        assert(inside(fd, look_like_root_alone) == 0);
        close(fd);
}

static void most_layers(void) {
        many(INITSYNC_OVERLAY_LAYERS_MAX);
}

static void most_layers_like_6_12(void) {
        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF);
        many(INITSYNC_OVERLAY_LAYERS_MAX);
}

/* The uppermost layer is the first. */
static void order(void) {
        struct initsync_overlay overlay;
        char text[16];
        int fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        assert(file_write(make_file(path_of("fs/0/same"), 0), "zero") == 0);
        assert(file_write(make_file(path_of("fs/1/same"), 0), "one") == 0);
        overlay.upper = overlay.work = NULL;
        fd = layers_open(&overlay);
        assert(fchdir(fd) == 0 && file_read("same", text, sizeof(text)) == 0 && strcmp(text, "zero") == 0);
        assert(mkdirat(fd, "directory", 0755) < 0 && errno == EROFS);
        assert(chdir("/") == 0);
        close(fd);
        overlay.uids = overlay.gids = NULL;
        overlay.n_uids = overlay.n_gids = 0;
        overlay.attr_set = SYS_MOUNT_ATTR_RDONLY;
        fd = layers_open(&overlay);
        assert(owner(fd, "of-1000-0") == 1000);
        close(fd);
}

static void unmapped(void) {
        struct initsync_overlay overlay;
        int fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(1);
        overlay.uids = overlay.gids = NULL;
        overlay.n_uids = overlay.n_gids = 0;
        fd = layers_open(&overlay);
        append(fd, "of-1000-0");
        assert(owner(AT_FDCWD, path_of("fs/up/of-1000-0")) == 1000);
        close(fd);
}

/* A map without root: any of its ids does. */
static void map_without_root(void) {
        static const struct initsync_idmap people = { 1000, 101000, 1000 };
        struct initsync_overlay overlay;
        int fd;

        make_tmpfs(path_of("fs"));
        overlay = layers(1);
        assert(chown(overlay.upper, 1000, 1000) == 0 && chown(overlay.work, 1000, 1000) == 0);
        overlay.uids = overlay.gids = &people;
        fd = layers_open(&overlay);
        assert(owner(fd, "of-1000-0") == 101000 && owner(fd, "of-0-0") == 65534);
        close(fd);
}

static void options_and_attributes(void) {
        static const char *const options[] = { "userxattr", "index=off" };
        char line[4096];
        struct initsync_overlay overlay;
        int fd, old;

        make_tmpfs(path_of("fs"));
        overlay = layers(2);
        overlay.options = options;
        overlay.n_options = 2;
        overlay.attr_set = 2 | 8;       /* MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOEXEC */
        make_dir(path_of("merged"));
        for (old = 0; old < 2; old++) {
                if (old)
                        deny_call_if(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF);
                fd = layers_open(&overlay);
                assert(sys_move_mount(fd, "", AT_FDCWD, path_of("merged"), SYS_MOVE_MOUNT_F_EMPTY_PATH) == 0);
                close(fd);
                assert(mount_line(path_of("merged"), line, sizeof(line)) == 0);
                assert(strstr(line, "nosuid") && strstr(line, "noexec") && strstr(line, "userxattr"));
                assert(!strstr(line, namespace_dir()) || strstr(line, namespace_dir()) == strstr(line, path_of("merged")));
                assert(umount2(path_of("merged"), 0) == 0);
        }
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(on_tmpfs, FORKED_ROOT),
                FORKED(on_ext4, FORKED_ROOT),
                FORKED(on_xfs, FORKED_ROOT),
                FORKED(like_6_12, FORKED_ROOT),
                FORKED(like_6_1, FORKED_ROOT),
                FORKED(most_layers, FORKED_ROOT),
                FORKED(most_layers_like_6_12, FORKED_ROOT),
                FORKED(order, FORKED_ROOT),
                FORKED(unmapped, FORKED_ROOT),
                FORKED(map_without_root, FORKED_ROOT),
                FORKED(options_and_attributes, FORKED_ROOT),
        };

        return forked_main(argc, argv, "root-overlay", tests, sizeof(tests) / sizeof(tests[0]));
}
