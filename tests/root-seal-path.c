/* SPDX-License-Identifier: MIT */
/* Sealing by an overlay: where the executable is, or no longer is. */
#include "support/support.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include "kernel/syscalls.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/seal_task.h"
#include "support/sealing.h"

static void in_place(const char *path) {
        int before = mount_count();

        seal_works_by_overlay(path);
        seal_works(INITSYNC_SEAL_MEMFD, path);
        seal_works(INITSYNC_SEAL_AUTO, path);
        assert(mount_count() == before);
}

/* Names that a list of options would take apart, that look like another kernel's answer, and the longest. */
static void names(void) {
        static const char *const plain[] = { "a", "a:b,c\\d", "a (deleted)", "lowerdir+=x", " ", "\n" };
        char longest[256];
        size_t i;

        for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
                seal_execute(seal_copy(SEAL_OWN, path_of("%s", plain[i]), SEAL_SMALL), "in place");
        memset(longest, 'x', 255);
        longest[255] = '\0';
        seal_execute(seal_copy(SEAL_OWN, path_of("%s", longest), SEAL_SMALL), "in place");
        seal_execute(seal_copy(SEAL_OWN, path_of("large"), SEAL_LARGE), "in place");
}

static void stale(const char *call) {
        seal_fails(INITSYNC_SEAL_OVERLAY, -ESTALE, call, "not the one at its path");
        seal_works(INITSYNC_SEAL_AUTO, SEAL_OWN);
}

static void is_deleted(const char *path) {
        assert(unlink(path) == 0);
        stale("statx");
}

static void is_replaced(const char *path) {
        assert(rename(seal_copy(SEAL_OWN, path_of("another"), SEAL_SMALL), path) == 0);
        stale("statx");
}

static void without_directory(const char *path) {
        assert(unlink(path) == 0 && rmdir(path_of("dir")) == 0);
        stale("open");
}

/* The overlay shows what is below the mount: another program. */
static void is_mounted_over(const char *path) {
        (void)path;
        stale("statx");
}

static void moved_away(void) {
        seal_need_overlay();
        seal_execute(seal_copy(SEAL_OWN, path_of("deleted"), SEAL_SMALL), "is deleted");
        seal_execute(seal_copy(SEAL_OWN, path_of("replaced"), SEAL_SMALL), "is replaced");
        make_dir(path_of("dir"));
        seal_execute(seal_copy(SEAL_OWN, path_of("dir/below"), SEAL_SMALL), "without directory");
        seal_copy(SEAL_OWN, path_of("above"), SEAL_SMALL);
        seal_copy(SEAL_OWN, path_of("below"), SEAL_SMALL);
        assert(mount(path_of("above"), path_of("below"), NULL, MS_BIND, NULL) == 0);
        seal_execute(path_of("below"), "is mounted over");
}

/* A user namespace of one's own may look below no mount that was there before. */
static void above_a_mount(const char *path) {
        unsigned uid = geteuid(), gid = getegid();

        seal_works(INITSYNC_SEAL_OVERLAY, path);
        assert(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
        namespace_map(uid, gid);
        seal_fails(INITSYNC_SEAL_OVERLAY, -EINVAL, "fsconfig", "by an overlay: fsconfig: Invalid argument");
        seal_works(INITSYNC_SEAL_AUTO, path);
}

static void submount(void) {
        seal_need_overlay();
        seal_copy(SEAL_OWN, path_of("program"), SEAL_SMALL);
        make_tmpfs(path_of("mounted"));
        seal_execute(path_of("program"), "above a mount");
}

static int on_tmpfs(const char *path) {
        struct statfs fs;

        return statfs(path, &fs) == 0 && fs.f_type == SYS_TMPFS_MAGIC;
}

static void is_unreadable(const char *path) {
        namespace_ordinary();
        seal_fails(INITSYNC_SEAL_MEMFD, -EACCES, "open", "in memory: open: Permission denied");
        /* Only what is on a tmpfs can be a sealed copy in memory, and must be read to know. */
        assert(initsync_exe_is_sealed() == (on_tmpfs(path) ? -EACCES : 0));
}

static void unreadable(void) {
        assert(chmod(namespace_dir(), 0755) == 0);
        assert(chmod(seal_copy(SEAL_OWN, path_of("program"), SEAL_SMALL), 0711) == 0);
        seal_execute(path_of("program"), "is unreadable");
}

static const struct seal_task tasks[] = {
        { "in place", in_place },
        { "is deleted", is_deleted },
        { "is replaced", is_replaced },
        { "without directory", without_directory },
        { "is mounted over", is_mounted_over },
        { "above a mount", above_a_mount },
        { "is unreadable", is_unreadable },
};

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(names, 0),
                FORKED(moved_away, 0),
                FORKED(submount, 0),
                FORKED(unreadable, FORKED_ROOT),
        };

        seal_main(argc, argv);
        seal_tasks(argc, argv, tasks, sizeof(tasks) / sizeof(tasks[0]));
        return forked_main(argc, argv, "root-seal-path", tests, sizeof(tests) / sizeof(tests[0]));
}
