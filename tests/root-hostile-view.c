/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/loop.h"
#include "support/namespace.h"
#include "support/place.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

/*
 * The runtime lists a path; the child, root of its own user and mount namespaces, lays something else over it, then asks.
 * What only the runtime may read must not be cloned for it, least of all with an id mapping that makes it the owner.
 */

#define PLACE "/tmp"            /* a tmpfs of the test's own lies on it */
#define SECRET PLACE "/secret"
#define VOLUME PLACE "/dir/volume"
#define CONFIG PLACE "/dir/config"
#define MISSING PLACE "/dir/missing"
#define ROOTFS PLACE "/rootfs"
#define TREE PLACE "/tree"      /* with a file system of the runtime's on "honest" */
#define ALL (INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE)

static const struct initsync_idmap map[] = { { 0, 100000, 65536 } };
static int userns = -1;

static int nothing(void) {
        return 0;
}

static int bind_over(void) {
        return mount(SECRET, VOLUME, NULL, MS_BIND, NULL);
}

static int bind_above(void) {
        return mount(PLACE "/other", PLACE "/dir", NULL, MS_BIND, NULL);
}

static int bind_file(void) {
        return mount(SECRET "/shadow", CONFIG, NULL, MS_BIND, NULL);
}

static int link_instead(void) {
        return mount("none", PLACE "/dir", "tmpfs", 0, NULL) < 0 ? -1 : symlink("../secret", VOLUME);
}

static int link_twice(void) {
        return link_instead() < 0 || rename(VOLUME, PLACE "/dir/a") < 0 ? -1 : symlink("a", VOLUME);
}

static int link_of_file(void) {
        return mount("none", PLACE "/dir", "tmpfs", 0, NULL) < 0 ? -1 : symlink(SECRET "/shadow", CONFIG);
}

static int make_missing(void) {
        return mount("none", PLACE "/dir", "tmpfs", 0, NULL) < 0 ? -1 : mkdir(MISSING, 0755);
}

static int own_tmpfs(void) {
        return mount("none", VOLUME, "tmpfs", 0, NULL);
}

static int over_in_rootfs(void) {
        return mount(PLACE "/other", ROOTFS "/volume", NULL, MS_BIND, NULL);
}

static int over_rootfs(void) {
        return mount(PLACE "/other", ROOTFS, NULL, MS_BIND, NULL);
}

static int bind_below(void) {
        return mount(SECRET, TREE "/sub", NULL, MS_BIND, NULL) < 0 ? -1 : mount(SECRET, TREE "/honest", NULL, MS_BIND, NULL);
}

static int bind_below_in_rootfs(void) {
        return mount(SECRET, ROOTFS "/volume/sub", NULL, MS_BIND, NULL);
}

/* What was moved there is no more below it than what was mounted there: a path says nothing about a tree. */
static int move_below(void) {
        return mount("none", PLACE "/dir", "tmpfs", 0, NULL) < 0 || mkdir(PLACE "/dir/secret", 0755) < 0 ||
               mount(SECRET, PLACE "/dir/secret", NULL, MS_BIND, NULL) < 0
                       ? -1 : mount(PLACE "/dir", TREE "/sub", NULL, MS_MOVE, NULL);
}

struct row {
        const char *source;
        int (*swap)(void);
        const char *file;               /* it is served, with this in it; NULL: refused */
        uint64_t flags;                 /* of the listed entry */
        uint64_t parent_flags;
        int unmapped;
        const char *rootfs;             /* NULL: ROOTFS */
        const char *mapped, *absent;    /* below it: a file that is root's, and one that is not to be there */
};

static const struct row rows[] = {
        { VOLUME, bind_over, NULL, 0, 0, .unmapped = 0 },
        { VOLUME, bind_over, NULL, 0, 0, .unmapped = 1 },
        { VOLUME, bind_over, NULL, INITSYNC_MOUNT_RECURSIVE, 0, .unmapped = 1 },
        { VOLUME, bind_above, NULL, 0, 0, .unmapped = 0 },
        { CONFIG, bind_file, NULL, 0, 0, .unmapped = 0 },
        { VOLUME, link_instead, NULL, 0, 0, .unmapped = 0 },
        { VOLUME, link_instead, NULL, 0, 0, .unmapped = 1 },
        { VOLUME, link_twice, NULL, 0, 0, .unmapped = 0 },
        { CONFIG, link_of_file, NULL, 0, 0, .unmapped = 0 },
        { MISSING, make_missing, NULL, 0, 0, .unmapped = 1 },
        { VOLUME, own_tmpfs, NULL, 0, 0, .unmapped = 1 },
        { ROOTFS "/volume", over_in_rootfs, NULL, 0, 0, .unmapped = 0 },
        { ROOTFS "/volume", over_in_rootfs, NULL, ALL, 0, .unmapped = 0 },
        { ROOTFS "/volume", over_rootfs, NULL, 0, 0, .unmapped = 0 },
        { VOLUME, bind_over, NULL, 0, 0, .unmapped = 0, .rootfs = "/" },
        { VOLUME, bind_over, NULL, 0, 0, .unmapped = 1, .rootfs = "/" },
        /* what is as the runtime sees it, and what need not be */
        { VOLUME, nothing, "harmless", 0, 0, .unmapped = 0 },
        { PLACE "/dir/link", nothing, "harmless", 0, 0, .unmapped = 0 },
        { VOLUME, bind_above, "other", INITSYNC_MOUNT_CHILD_VIEW, 0, .unmapped = 0 },
        { VOLUME, bind_over, "shadow", INITSYNC_MOUNT_CHILD_VIEW, 0, .unmapped = 1 },
        { VOLUME, link_instead, "shadow", INITSYNC_MOUNT_CHILD_VIEW, 0, .unmapped = 1 },
        { VOLUME, bind_over, "shadow", 0, INITSYNC_PARENT_ALLOW_ANY_MOUNT, .unmapped = 1 },
        { ROOTFS "/volume", over_in_rootfs, "volume", 0, 0, .unmapped = 1 },
        { ROOTFS "/volume", over_in_rootfs, "volume", INITSYNC_MOUNT_CHILD_VIEW, 0, .unmapped = 0 },
        { ROOTFS "/volume", nothing, "inside", 0, 0, .unmapped = 0, .mapped = "inside" },
        { VOLUME, nothing, "harmless", 0, 0, .unmapped = 0, .rootfs = "/" },
        /* what the child has mounted below is not there, and what the runtime has is */
        { TREE, nothing, "sub", ALL, 0, .unmapped = 0, .mapped = "honest/file" },
        { TREE, bind_below, "sub", ALL, 0, .unmapped = 0, .mapped = "honest/file", .absent = "sub/shadow" },
        { TREE, move_below, "sub", ALL, 0, .unmapped = 0, .mapped = "honest/file", .absent = "sub/secret/shadow" },
        { ROOTFS "/volume", bind_below_in_rootfs, "inside", ALL, 0, .unmapped = 0, .mapped = "inside", .absent = "sub/shadow" },
        { TREE, bind_below, "sub/shadow", ALL | INITSYNC_MOUNT_CHILD_VIEW, 0, .unmapped = 1 },
        { TREE, bind_below, "sub/shadow", ALL, 0, .unmapped = 1 },
        { CONFIG, nothing, "", ALL, 0, .unmapped = 0 },
        /* in the root file system by another spelling, where what the image's symlink says is meant in there */
        { PLACE "/alias/data", nothing, "inner", 0, 0, .unmapped = 0 },
        { PLACE "/alias/data", nothing, "inner", 0, 0, .unmapped = 1 },
        { PLACE "/alias//./data/", nothing, "inner", INITSYNC_MOUNT_RECURSIVE, 0, .unmapped = 0 },
        { PLACE "/dir/../alias/data", nothing, "inner", 0, 0, .unmapped = 1 },
        { PLACE "/alias/only", nothing, "inner", 0, 0, .unmapped = 1 },
        { PLACE "/alias/../dir/link", nothing, "harmless", 0, 0, .unmapped = 1 },
};

static struct initsync_mount bind_of(const struct row *row) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = row->source;
        mount.destination = "/mnt";
        mount.flags = row->flags;
        if (!row->unmapped) {
                mount.uids = mount.gids = map;
                mount.n_uids = mount.n_gids = 1;
        }
        return mount;
}

static int owner_of(int fd, const char *file) {
        struct stat st;

        return fstatat(fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1 : (int)st.st_uid;
}

/* In the container's user namespace, as its root, who on the outside is an ordinary user. */
static int asks(int socket, void *arg) {
        const struct row *row = arg;
        struct initsync_mount mounts = bind_of(row);
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fd = -1, r;

        BARE_CHECK(setns(userns, CLONE_NEWUSER) == 0 && setgroups(0, NULL) == 0 && setresgid(0, 0, 0) == 0 &&
                   setresuid(0, 0, 0) == 0 && unshare(CLONE_NEWNS) == 0);
        BARE_CHECK(open(SECRET "/shadow", O_RDONLY) < 0);
        BARE_CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 && row->swap() == 0);
        BARE_CHECK(initsync_child_new(&child, socket, NULL, &error) == 0);
        r = initsync_child_mounts(child, &mounts, 1, &fd, &error);
        if (!row->file) {
                BARE_CHECK(r == -EREMOTEIO && fd == -1 && strstr(error.text, "is not what the runtime sees there"));
                return 0;
        }
        BARE_CHECK(r == 0 && (!row->file[0] || place_has(fd, row->file)));
        BARE_CHECK(!row->absent || !place_has(fd, row->absent));
        BARE_CHECK(!row->mapped || owner_of(fd, row->mapped) == 0);
        BARE_CHECK(initsync_child_ready(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static void ask(const struct row *row) {
        struct initsync_mount mount = bind_of(row);
        struct duo duo;

        duo_init(&duo);
        duo.options.allow = NULL;
        duo.options.rootfs = row->rootfs ? row->rootfs : ROOTFS;
        duo.options.mounts = &mount;
        duo.options.n_mounts = !row->parent_flags;
        duo.options.flags = row->parent_flags;
        duo.options.grace_ms = 3000;
        duo.keep[0] = userns;
        duo.n_keep = 1;
        duo_start(&duo, asks, (void *)row);
        duo_run(&duo);
        if (row->file) {
                duo_good(&duo);
        } else {
                duo_failed(&duo, -EACCES, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS, row->source);
                assert_string_equal(duo_trace(&duo), "> procMountPlease, < procError");
                assert_int_equal(duo.error.request, 0);
        }
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

static void test_refused(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                if (!rows[i].file)
                        ask(&rows[i]);
}

static void test_served(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                if (rows[i].file)
                        ask(&rows[i]);
}

static int touch(const char *path, mode_t mode) {
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, mode);

        return fd < 0 ? -1 : close(fd);
}

static int prepare(void) {
        static const char *const dirs[] = { SECRET, PLACE "/dir", VOLUME, PLACE "/other", PLACE "/other/volume",
                                            ROOTFS, ROOTFS "/volume", ROOTFS PLACE, ROOTFS PLACE "/dir", ROOTFS VOLUME,
                                            ROOTFS "/inner", ROOTFS "/volume/sub", TREE, TREE "/sub", TREE "/honest" };
        size_t i;

        if (scratch_mount(PLACE) < 0)
                return 0;
        for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
                if (mkdir(dirs[i], 0755) < 0)
                        return 0;
        if (scratch_mount(TREE "/honest") < 0 || touch(TREE "/honest/file", 0600) < 0 ||
            touch(ROOTFS "/volume/inside", 0600) < 0)
                return 0;
        return touch(SECRET "/shadow", 0600) == 0 && touch(CONFIG, 0644) == 0 && touch(VOLUME "/harmless", 0644) == 0 &&
               touch(PLACE "/other/volume/other", 0644) == 0 && symlink("volume", PLACE "/dir/link") == 0 &&
               touch(ROOTFS VOLUME "/inner", 0644) == 0 && symlink(VOLUME, ROOTFS "/data") == 0 &&
               touch(ROOTFS "/inner/inner", 0644) == 0 && symlink("/inner", ROOTFS "/only") == 0 &&
               symlink("rootfs", PLACE "/alias") == 0 &&
               initsync_userns_open(map, 1, map, 1, &userns, NULL) == 0;
}

int main(void) {
#ifdef __SANITIZE_THREAD__
        /* Its thread of its own forbids the forked children here what they are about: namespaces, and closing what hangs. */
        puts("1..0 # SKIP ThreadSanitizer's own thread forbids what the children here do");
        return 0;
#endif
        const struct CMUnitTest tests[] = {
                left_test(test_refused),
                left_test(test_served),
        };

        if (!namespace_root() || !place_enter() || !prepare()) {
                printf("1..0 # SKIP needs root\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
