/* SPDX-License-Identifier: MIT */
/* initsync_mount_open(): what takes no id mapping, and how the mount that is to blame is named; too many mounts. */
#include "support/support.h"

#include <initsync.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/fuse.h"
#include "support/namespace.h"
#include "support/process.h"
#include "support/source.h"

#define MAP source_map(100000, 65536)
#define ALL (INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE)

static const char *make_mount(const char *type, const char *at) {
        make_dir(at);
        assert(mount("test", at, type, 0, NULL) == 0);
        return at;
}

/* "ramfs mounted at /where takes no id mapping" */
static const char *blame(const char *type, const char *at) {
        static char text[5000];

        if (initsync_feature("statmount") != 1)
                return "its file system, or one mounted below it, takes no id mapping";         /* before Linux 6.8 */
        snprintf(text, sizeof(text), "%s mounted at %s takes no id mapping", type, at);
        return text;
}

/* What is mounted below a mount is found by both calls. */
static int can_list(void) {
        return initsync_feature("statmount") == 1 && initsync_feature("listmount") == 1;
}

/* The same of a mount below the source. */
static const char *blame_below(const char *type, const char *at) {
        return can_list() ? blame(type, at) : "its file system, or one mounted below it, takes no id mapping";
}

static void by_type(const char *call) {
        const char *const types[] = { "ramfs", "proc", "sysfs" };
        const char *at;
        size_t i;
        int fd;

        for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
                at = make_mount(types[i], path_of("%s", types[i]));
                source_fails(at, MAP, 0, -EINVAL, call, blame(types[i], at));
                source_fails(at, MAP, ALL, -EINVAL, call, blame(types[i], at));
                fd = source_open(at, NULL, 0);
                close(fd);
        }
}

static void types(void) {
        by_type(source_mapped_by());
}

static void types_old(void) {
        by_type("mount_setattr");
}

static void merged_overlay(void) {
        make_tmpfs(path_of("layers"));
        make_dir(path_of("layers/a"));
        make_dir(path_of("layers/b"));
        make_dir(path_of("merged"));
        assert(chdir(namespace_dir()) == 0);
        assert(mount("test", "merged", "overlay", 0, "lowerdir=layers/a:layers/b") == 0);
        assert(chdir("/") == 0);
        source_fails(path_of("merged"), MAP, 0, -EINVAL, NULL, blame("overlay", path_of("merged")));
}

/* Ten levels down, between others that are not to blame. */
static void deep_below(void) {
        char name[512] = "tree";
        const char *culprit;
        int i, fd;

        make_tmpfs(path_of("tree"));
        for (i = 0; i < 10; i++) {
                strcat(name, "/sub");
                make_tmpfs(path_of("%s", name));
                make_tmpfs(path_of("%s/beside", name));
        }
        culprit = make_mount("ramfs", path_of("%s/culprit", name));
        source_fails(path_of("tree"), MAP, ALL, -EINVAL, NULL, blame_below("ramfs", culprit));
        source_fails(path_of("tree/sub/sub"), MAP, ALL, -EINVAL, NULL, blame_below("ramfs", culprit));
        /* Cloned with it, but not mapped: nothing is wrong. */
        fd = source_open(path_of("tree"), MAP, INITSYNC_MOUNT_RECURSIVE);
        close(fd);
        assert(umount(culprit) == 0);
        fd = source_open(path_of("tree"), MAP, ALL);
        close(fd);
}

/* The mount that a source lies in has others below it, which are not part of the source. */
static void outside_is_innocent(void) {
        const char *culprit;
        int fd;

        make_tmpfs(path_of("tree"));
        make_mount("ramfs", path_of("tree/before"));
        make_mount("ramfs", path_of("tree/wanted2"));   /* the name begins alike */
        make_dir(path_of("tree/wanted"));
        make_tmpfs(path_of("tree/wanted/good"));
        fd = source_open(path_of("tree/wanted"), MAP, ALL);
        close(fd);
        culprit = make_mount("ramfs", path_of("tree/wanted/bad"));
        make_mount("ramfs", path_of("tree/xafter"));
        source_fails(path_of("tree/wanted"), MAP, ALL, -EINVAL, NULL, blame_below("ramfs", culprit));
}

/* Below Linux 6.8, or behind a filter, nobody can tell which one it is; then nobody is named. */
static void cannot_be_named(void) {
        deny_call(NR_statmount, ENOSYS);
        make_mount("ramfs", path_of("ramfs"));
        source_fails(path_of("ramfs"), MAP, 0, -EINVAL, NULL, "its file system, or one mounted below it");
        deny_call(NR_listmount, ENOSYS);
        make_tmpfs(path_of("tree"));
        make_mount("ramfs", path_of("tree/sub"));
        source_fails(path_of("tree"), MAP, ALL, -EINVAL, NULL, "its file system, or one mounted below it");
}

/* A mapping that would be taken must not get the blame for an attribute that is not. */
static void attributes_are_to_blame(void) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_error error;

        mount.source = make_tmpfs(path_of("source"));
        mount.uids = mount.gids = MAP;
        mount.n_uids = mount.n_gids = 1;
        mount.attr_set = 0x10;          /* noatime, without the other values cleared */
        source_fails_as(&mount, -EINVAL, NULL, mount.source, &error);
        assert(!strstr(error.text, "id mapping"));
}

static pid_t serve(const char *at, int flags) {
        int fd = fuse_mount(at, flags);
        pid_t server;

        if (fd < 0)
                forked_skip("fuse: %s", strerror(-fd));
        server = process_fork();
        if (server == 0) {
                fuse_serve(fd, flags);
                _exit(0);
        }
        close(fd);
        return server;
}

/* Neither the clone nor the search for the culprit asks the server, who would not answer. */
static void fuse_without_mapping(void) {
        const char *at = make_dir(path_of("fuse"));
        pid_t server = serve(at, 0);

        source_fails(at, MAP, 0, -EINVAL, NULL, blame("fuse", at));
        source_fails(namespace_dir(), MAP, ALL, -EINVAL, NULL, blame_below("fuse", at));
        close(source_open(at, NULL, 0));
        process_end(server);
}

static void fuse_with_mapping(void) {
        const char *at = make_dir(path_of("fuse")), *culprit;
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        pid_t server = serve(at, FUSE_MAPS);
        int i, fd = -1;

        mount.source = at;
        mount.uids = mount.gids = MAP;
        mount.n_uids = mount.n_gids = 1;
        for (i = 0; i < 100 && initsync_mount_open(&mount, &fd, NULL) < 0; i++)
                usleep(10000);          /* INIT is under way */
        if (fd < 0) {
                process_end(server);
                forked_skip("FUSE takes no id mapping in this kernel");
        }
        close(fd);
        culprit = make_mount("ramfs", path_of("ramfs"));
        source_fails(namespace_dir(), MAP, ALL, -EINVAL, NULL, blame_below("ramfs", culprit));
        process_end(server);
}

/* The variable of the same name hides the call. */
static int mount_at(const char *source, const char *at, const char *type) {
        return mount(source, at, type, 0, NULL);
}

/*
 * A server that hangs after a mount was made below its file system: the way to that mount leads through it, and must not be
 * walked by asking.
 */
static void below_hung_fuse(void) {
        const char *at = make_dir(path_of("fuse")), *below = path_of("fuse/below");
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_error error;
        int i, fd = -1, r = -1;
        pid_t server;

        fuse_heard = mmap(NULL, sizeof(*fuse_heard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert(fuse_heard != MAP_FAILED);
        server = serve(at, FUSE_MAPS | FUSE_DIRECTORIES);
        mount.source = at;
        mount.uids = mount.gids = MAP;
        mount.n_uids = mount.n_gids = 1;
        for (i = 0; i < 100 && initsync_mount_open(&mount, &fd, NULL) < 0; i++)
                usleep(10000);
        for (i = 0; i < 1000 && r < 0; i++) {
                r = mount_at("test", below, "ramfs");
                usleep(r < 0 ? 1000 : 0);
        }
        if (fd < 0 || r < 0) {
                process_end(server);
                forked_skip("FUSE takes no id mapping in this kernel");
        }
        close(fd);
        assert(process_signal(server, SIGUSR1) == 0);
        usleep(20000);
        alarm(8);
        mount.flags = ALL;
        mount.source = namespace_dir();
        assert(initsync_mount_open(&mount, &fd, &error) == -EINVAL);
        assert(strstr(error.text, "takes no id mapping"));
        assert(*fuse_heard == 0);
        process_end(server);
        munmap((void *)(uintptr_t)fuse_heard, sizeof(*fuse_heard));
}

static void wrong_namespaces(void) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_error error;
        int mnt = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), user = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        const int wrong[] = { mnt, null, 12345 };
        size_t i;

        mount.source = make_tmpfs(path_of("source"));
        for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                mount.userns_fd = wrong[i];
                source_fails_as(&mount, -EINVAL, "ioctl", "userns_fd", &error);
                assert(error.stage == INITSYNC_STAGE_USERNS);
        }
        mount.userns_fd = user;         /* of the host: the kernel's own rule */
        source_fails_as(&mount, -EPERM, NULL, mount.source, &error);
        close(mnt);
        close(user);
        close(null);
}

static void too_many(void) {
        long start;
        int fd;

        if (!can_list())
                forked_skip("no listmount(2) before Linux 6.8");
        make_mounts(path_of("many"), 10000);
        fd = source_open(path_of("many"), NULL, INITSYNC_MOUNT_RECURSIVE);
        close(fd);
        assert(mount("test", path_of("many/last"), "tmpfs", 0, NULL) == 0);
        start = milliseconds();
        source_fails(path_of("many"), NULL, INITSYNC_MOUNT_RECURSIVE, -E2BIG, "listmount", "10001 mounts");
        source_fails(path_of("many"), MAP, ALL, -E2BIG, "listmount", "at most 10000");
        assert(milliseconds() - start < 5000 || getenv("INITSYNC_PATIENCE"));
        fd = source_open(path_of("many"), MAP, 0);              /* not recursive: it is one */
        close(fd);
}

/* What counts is what would be cloned, not what the mount around the source has elsewhere. */
static void many_elsewhere(void) {
        int fd;

        /* A kernel has neither or both, and a filter that hides one of them makes all mounts count. */
        if (initsync_feature("statmount") != initsync_feature("listmount"))
                forked_skip("no statmount(2) where there is a listmount(2)");
        make_mounts(path_of("many"), 10001);
        make_tmpfs(path_of("wanted"));
        fd = source_open(path_of("wanted"), NULL, INITSYNC_MOUNT_RECURSIVE);
        close(fd);
        make_dir(path_of("dir"));
        make_tmpfs(path_of("dir/sub"));
        make_file(path_of("dir/sub/file"), 0);
        fd = source_open(path_of("dir"), NULL, INITSYNC_MOUNT_RECURSIVE);
        assert(owner(fd, "sub/file") == 0);
        close(fd);
}

/* What cannot be cloned at all has nothing to do with maps. */
static void unbindable(void) {
        make_tmpfs(path_of("fs"));
        assert(mount(NULL, path_of("fs"), NULL, MS_UNBINDABLE, NULL) == 0);
        source_fails(path_of("fs"), MAP, 0, -EINVAL, "open_tree", "unbindable");
        source_fails(path_of("fs"), MAP, ALL, -EINVAL, "open_tree", "an unbindable mount");
        source_fails(path_of("fs"), NULL, 0, -EINVAL, "open_tree", "unbindable");
}

/* Into the mount namespace of a user namespace, where what comes from outside cannot be looked below of. */
static void enter_lesser(void) {
        int ready[2], fd;
        pid_t pid;
        char byte, name[64];

        assert(pipe(ready) == 0);
        pid = fork();
        assert(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                assert(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write(ready[1], "", 1) == 1);
                pause();
        }
        assert(read(ready[0], &byte, 1) == 1);
        snprintf(name, sizeof(name), "/proc/%d/ns/mnt", (int)pid);
        fd = open(name, O_RDONLY | O_CLOEXEC);
        assert(fd >= 0 && setns(fd, CLONE_NEWNS) == 0);
        close(fd);
        close(ready[0]);
        close(ready[1]);
        assert(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
}

static void locked(void) {
        int i;

        if (SANITIZED_THREADS)
                forked_skip("a forked process has a thread of the sanitizer's, and cannot make a user namespace");
        make_tmpfs(path_of("fs"));
        make_tmpfs(path_of("fs/a"));
        make_tmpfs(path_of("fs/a/b"));
        make_mount("ramfs", path_of("fs/a/b/culprit"));
        make_tmpfs(path_of("whole"));
        make_tmpfs(path_of("whole/a"));
        make_mount("ramfs", path_of("few"));
        make_mount("ramfs", path_of("many"));
        for (i = 0; i < 70; i++) {
                make_tmpfs(path_of("many/%d", i));
                if (i < 60)
                        make_tmpfs(path_of("few/%d", i));
        }
        enter_lesser();
        source_fails(path_of("fs"), MAP, 0, -EINVAL, "open_tree", "must be cloned recursively");
        source_fails(path_of("fs"), MAP, ALL, -EINVAL, NULL, blame_below("ramfs", path_of("fs/a/b/culprit")));
        source_fails(path_of("few"), MAP, ALL, -EINVAL, NULL, blame("ramfs", path_of("few")));
        /* Where their number can be asked for. */
        source_fails(path_of("many"), MAP, ALL, -EINVAL, NULL,
                     can_list() ? "its file system, or one mounted below it" : blame("ramfs", path_of("many")));
        close(source_open(path_of("whole"), MAP, ALL));
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(types, FORKED_ROOT),
                FORKED(types_old, FORKED_ROOT | FORKED_OLD),
                FORKED_BOTH(merged_overlay, FORKED_ROOT),
                FORKED_BOTH(deep_below, FORKED_ROOT),
                FORKED_BOTH(outside_is_innocent, FORKED_ROOT),
                FORKED_BOTH(cannot_be_named, FORKED_ROOT),
                FORKED_BOTH(attributes_are_to_blame, FORKED_ROOT),
                FORKED_BOTH(fuse_without_mapping, FORKED_ROOT),
                FORKED_BOTH(fuse_with_mapping, FORKED_ROOT),
                FORKED(below_hung_fuse, FORKED_ROOT),
                FORKED_BOTH(wrong_namespaces, FORKED_ROOT),
                FORKED_BOTH(unbindable, FORKED_ROOT),
                FORKED_BOTH(locked, FORKED_ROOT),
                FORKED(too_many, FORKED_ROOT),
                FORKED(many_elsewhere, FORKED_ROOT),
        };

        return forked_main(argc, argv, "root-source-refused", tests, sizeof(tests) / sizeof(tests[0]));
}
