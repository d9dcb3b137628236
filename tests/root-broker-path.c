/* SPDX-License-Identifier: MIT */
/* The mount task: what a hostile image or child can put in the way of a path. */
#include "support/support.h"

#include <initsync.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "kernel/syscalls.h"
#include "mount/source.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/joined.h"
#include "support/namespace.h"
#include "support/process.h"

/* An image with everything that could lead out of it. On the outside the same directory has another file: "host". */
static void image(void) {
        make_dir(path_of("etc"));
        make_file(path_of("etc/host"), 0);
        make_dir(path_of("rootfs"));
        make_dir(path_of("rootfs/etc"));
        make_file(path_of("rootfs/etc/image"), 0);
        make_dir(path_of("rootfs/a"));
        make_dir(path_of("rootfs/a/b"));
        make_dir(path_of("rootfs/proc"));
        assert(mount("/proc", path_of("rootfs/proc"), NULL, MS_BIND | MS_REC, NULL) == 0);
        assert(symlink("/etc", path_of("rootfs/absolute")) == 0);
        assert(symlink("../../../../../../etc", path_of("rootfs/a/b/relative")) == 0);
        assert(symlink("absolute", path_of("rootfs/twice")) == 0);
        assert(symlink("/proc/self/root/etc", path_of("rootfs/magic")) == 0);
        assert(symlink("/proc/1/root", path_of("rootfs/proc-link")) == 0);
        assert(symlink("self", path_of("rootfs/self")) == 0);
}

static void inside(struct joined *joined, const char *path, const char *file) {
        char name[256];
        int fd;

        assert(joined_post(joined, path_of("rootfs"), path) == 0);
        fd = joined_receive(joined, name, sizeof(name));
        if (owner(fd, file) != 0)
                fprintf(stderr, "%s has no %s\n", path, file);
        assert(owner(fd, file) == 0 && owner(fd, "host") == -1);
        close(fd);
        while (broker_collect(&joined->broker))
                ;
}

/* A32 */
static void symlinks_stay_inside(void) {
        struct joined joined;

        joined_start(&joined, image);
        inside(&joined, "etc", "image");
        inside(&joined, "/etc", "image");
        inside(&joined, "absolute", "image");
        inside(&joined, "a/b/relative", "image");
        inside(&joined, "twice", "image");
        inside(&joined, "../../../etc", "image");
        inside(&joined, "a/b/../../../../etc", "image");
        inside(&joined, "", "a");
        inside(&joined, "/", "a");
        inside(&joined, "..", "a");
        joined_stop(&joined, -1);
}

static void fails(const char *rootfs, const char *path, int error, enum source_call call) {
        const struct server_slot *slot;
        struct joined joined;

        joined_start(&joined, image);
        assert(joined_post(&joined, rootfs, path) == 0);
        slot = joined_failed(&joined);
        if (slot->result.error != error)
                fprintf(stderr, "%s in %s: %d\n", path, rootfs ? rootfs : "/", slot->result.error);
        assert(slot->result.error == error && slot->result.call == call);
        joined_stop(&joined, -1);
}

/* A33 */
static void magic_links_are_refused(void) {
        const char *rootfs = path_of("rootfs");

        fails(rootfs, "magic", -ELOOP, SOURCE_OPENAT2);
        fails(rootfs, "proc/self/root", -ELOOP, SOURCE_OPENAT2);
        fails(rootfs, "proc/self/exe", -ELOOP, SOURCE_OPENAT2);
        fails(rootfs, "proc/self/cwd", -ELOOP, SOURCE_OPENAT2);
        fails(NULL, "/proc/self/root", -ELOOP, SOURCE_OPENAT2);
        fails(NULL, "/proc/self/exe", -ELOOP, SOURCE_OPENAT2);
        fails("/proc/self/root", "etc", -ELOOP, SOURCE_OPEN_ROOT);
        fails(rootfs, "self", -ELOOP, SOURCE_OPENAT2);
}

/* The flag is for the whole namespace only: in an image nothing the runtime wants is behind one. */
static void magic_links_stay_refused_in_images(void) {
        struct source_request request = { .path = "proc/self/root", .flags = INITSYNC_MOUNT_MAGICLINK, .userns_fd = -1,
                                          .source_fd = -1, .any_view = 1 };
        struct source_result result = { .error = 0 };
        int fd;

        image();
        request.rootfs = path_of("rootfs");
        assert(source_resolve(&request, &result) == -ELOOP);
        request.rootfs = NULL;
        request.path = "/proc/self/root";
        fd = source_resolve(&request, &result);
        assert(fd >= 0);
        close(fd);
}

static void wrong_roots(void) {
        fails(path_of("nowhere"), "etc", -ENOENT, SOURCE_OPEN_ROOT);
        fails(path_of("rootfs/etc/image"), "etc", -ENOTDIR, SOURCE_OPEN_ROOT);
        fails(path_of("rootfs"), "missing", -ENOENT, SOURCE_OPENAT2);
}

static void farm(void) {
        char target[64];
        int i;

        image();
        make_dir(path_of("rootfs/farm"));
        for (i = 0; i < 5000; i++) {
                snprintf(target, sizeof(target), i % 3 ? "%.*s/etc" : "/etc/../%.*setc", i % 3 ? 3 * (i % 13) - 1 : 0,
                         "../../../../../../../../../../../../..");
                if (i % 3 && i % 13 == 0)
                        strcpy(target, "../etc");
                assert(symlink(target, path_of("rootfs/farm/%d", i)) == 0);
        }
}

static void five_thousand_links(void) {
        static char paths[5000][16];
        struct joined joined;
        int i;

        joined_start(&joined, farm);
        for (i = 0; i < 5000; i++) {
                snprintf(paths[i], sizeof(paths[i]), "farm/%d", i);
                inside(&joined, paths[i], "image");
        }
        joined_stop(&joined, -1);
}

/* A34: a directory and a symlink out of the image change places as fast as they can. */
static void swapped_all_the_time(void) {
        struct source_request request = { .path = "swap/etc", .userns_fd = -1, .source_fd = -1, .any_view = 1 };
        struct source_result result;
        int fd, tree, good = 0, i;
        pid_t swapper;
        long end;

        image();
        make_dir(path_of("rootfs/swap"));
        make_dir(path_of("rootfs/swap/etc"));
        make_file(path_of("rootfs/swap/etc/image"), 0);
        assert(symlink("../../../../../../../..", path_of("rootfs/up")) == 0);
        make_dir(path_of("rootfs/up2"));
        swapper = process_fork();
        if (swapper == 0)
                for (;;)
                        renameat2(AT_FDCWD, path_of("rootfs/swap"), AT_FDCWD, path_of("rootfs/up"), RENAME_EXCHANGE);
        request.rootfs = path_of("rootfs");
        if (getenv("INITSYNC_LONG"))
                alarm(120);
        end = milliseconds() + 60000;
        for (i = 0; getenv("INITSYNC_LONG") ? milliseconds() < end : i < 20000; i++) {
                fd = source_resolve(&request, &result);
                if (fd < 0) {
                        assert(fd == -EAGAIN);
                        continue;
                }
                tree = source_clone(fd, &request, &result);
                assert(tree >= 0);
                assert(owner(tree, "image") == 0 && owner(tree, "host") == -1);
                good++;
                close(tree);
                close(fd);
        }
        process_end(swapper);
        assert(good > 0);
}

static void covers_proc(void) {
        assert(mount(namespace_dir(), "/proc", NULL, MS_BIND, NULL) == 0);
        make_dir(path_of("source"));
        make_file(path_of("source/file"), 0);
        make_dir(path_of("bad"));
        assert(mount("test", path_of("bad"), "ramfs", 0, NULL) == 0);
}

/* A35: the task has no use for the /proc of the namespace that it is in. */
static void proc_is_covered(void) {
        const struct initsync_idmap map = { 0, 100000, 65536 };
        const uint64_t all = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE;
        struct source_request request = { .flags = all, .source_fd = -1, .any_view = 1 };
        const struct server_slot *slot;
        struct joined joined;
        char name[256];
        int fd;

        joined_start(&joined, covers_proc);
        assert(joined_post(&joined, namespace_dir(), "source") == 0);
        fd = joined_receive(&joined, name, sizeof(name));
        assert(owner(fd, "file") == 0);
        close(fd);
        /* Not even to find out which mount refuses. */
        assert(initsync_userns_open(&map, 1, &map, 1, &request.userns_fd, NULL) == 0);
        request.path = namespace_dir();
        assert(broker_post(&joined.broker, &request, "", 0) == 0);
        slot = joined_failed(&joined);
        assert(slot->result.error == -EINVAL);
        if (initsync_feature("statmount") == 1 && initsync_feature("listmount") == 1) {
                assert(strcmp(slot->result.type, "ramfs") == 0);
                assert(strcmp(slot->result.point, path_of("bad")) == 0);
        }
        close(request.userns_fd);
        joined_stop(&joined, -1);
}

static void many(void) {
        make_mounts(path_of("many"), 10001);
        make_dir(path_of("dir"));
        make_tmpfs(path_of("dir/sub"));
        make_file(path_of("dir/sub/file"), 0);
}

/* L13: what counts is what would be cloned, not what the mount around the source has elsewhere. */
static void many_mounts(void) {
        struct source_request request = { .flags = INITSYNC_MOUNT_RECURSIVE, .userns_fd = -1, .source_fd = -1,
                                          .any_view = 1 };
        const struct server_slot *slot;
        struct joined joined;
        char name[256], path[256], all[256];
        int fd;

        if (initsync_feature("listmount") != 1 || initsync_feature("statmount") != 1)
                forked_skip("no listmount(2) and statmount(2) before Linux 6.8");
        snprintf(path, sizeof(path), "%.200s", path_of("dir"));
        snprintf(all, sizeof(all), "%.200s", path_of("many"));
        joined_start(&joined, many);
        request.path = path;
        assert(broker_post(&joined.broker, &request, path, strlen(path)) == 0);
        fd = joined_receive(&joined, name, sizeof(name));
        assert(owner(fd, "sub/file") == 0);
        close(fd);
        request.path = all;
        assert(broker_post(&joined.broker, &request, all, strlen(all)) == 0);
        slot = joined_failed(&joined);
        assert(slot->result.error == -E2BIG && slot->result.call == SOURCE_LISTMOUNT && slot->result.mounts > 10000);
        joined_stop(&joined, -1);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(symlinks_stay_inside, 0),
                FORKED(magic_links_are_refused, 0),
                FORKED(magic_links_stay_refused_in_images, 0),
                FORKED(wrong_roots, 0),
                FORKED(five_thousand_links, 0),
                FORKED(swapped_all_the_time, 0),
                FORKED(proc_is_covered, FORKED_ROOT),
                FORKED(many_mounts, 0),
        };

        return forked_main(argc, argv, "root-broker-path", tests, sizeof(tests) / sizeof(tests[0]));
}
