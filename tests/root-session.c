/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/loop.h"
#include "support/place.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/*
 * Whole conversations on real mounts. The child has a mount namespace of its own in which everything below PLACE differs
 * from what the test sees: there is a root file system, and a source that only it has.
 */

#define PLACE "/tmp"            /* a tmpfs of the test's own lies on it */
#define ROOTFS PLACE "/rootfs"
#define SOURCE PLACE "/source"

static const struct initsync_idmap container[] = { { 0, 100000, 65536 } };
static const struct initsync_idmap odd[] = { { 0, 5000, 10 }, { 1000, 300000, 1 } };

static struct initsync_mount bind_of(const char *source, const struct initsync_idmap *map, size_t n) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.flags = INITSYNC_MOUNT_CHILD_VIEW;        /* its source is a tmpfs that only the child has */
        mount.source = source;
        mount.destination = "/mnt";
        mount.uids = mount.gids = n ? map : NULL;
        mount.n_uids = mount.n_gids = n;
        return mount;
}

static int attach_at(int fd, const char *path) {
        int target = open(path, O_PATH | O_CLOEXEC), r = initsync_attach(fd, target, NULL);

        close(target);
        return r;
}

/* The namespace of the child: SOURCE is a tmpfs in it whose file has the ids 7:1000 on disk. */
static int own_namespace(void) {
        int fd;

        if (unshare(CLONE_NEWNS) < 0 || scratch_mount(SOURCE) < 0)
                return -1;
        fd = open(SOURCE "/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        return mkdir(SOURCE "/inner", 0755) < 0 || fchown(fd, 7, 1000) < 0 ? -1 : close(fd);
}

static int owned(int fd, const char *name, uid_t uid, gid_t gid) {
        struct stat st;

        if (fstatat(fd, name, &st, 0) < 0)
                return 0;
        if (st.st_uid != uid || st.st_gid != gid)
                fprintf(stderr, "# %s: %u:%u\n", name, st.st_uid, st.st_gid);
        return st.st_uid == uid && st.st_gid == gid;
}

/* One source with two maps, neither of them this process's; then what exists only thanks to the first mount. */
static int mapped(int socket, void *arg) {
        struct initsync_mount mounts[2] = { bind_of(SOURCE, container, 1), bind_of(SOURCE, odd, 2) }, inner;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fds[2], fd = -1;

        (void)arg;
        BARE_CHECK(own_namespace() == 0);
        BARE_CHECK(initsync_child_new(&child, socket, NULL, &error) == 0);
        BARE_CHECK(initsync_child_mounts(child, mounts, 2, fds, &error) == 0);
        BARE_CHECK(owned(fds[0], "file", 100007, 101000));
        BARE_CHECK(owned(fds[1], "file", 5007, 300000));
        BARE_CHECK(attach_at(fds[0], ROOTFS "/mnt") == 0);
        inner = bind_of(ROOTFS "/mnt/inner", NULL, 0);
        BARE_CHECK(initsync_child_mount(child, &inner, &fd, &error) == 0);
        BARE_CHECK(attach_at(fd, ROOTFS "/other") == 0);
        BARE_CHECK(access(SOURCE "/inner", F_OK) == 0 && owned(AT_FDCWD, SOURCE "/file", 7, 1000));
        BARE_CHECK(initsync_child_hooks(child, &error) == 0 && initsync_child_ready(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static void test_listed(void **state) {
        struct initsync_mount mounts[] = {
                bind_of(SOURCE, container, 1), bind_of(SOURCE, odd, 2), bind_of(ROOTFS "/mnt/inner", NULL, 0),
        };
        struct duo duo;

        (void)state;
        duo_init(&duo);
        duo.options.mounts = mounts;
        duo.options.n_mounts = 3;
        duo.options.rootfs = ROOTFS;
        duo.options.allow = NULL;
        duo_start(&duo, mapped, NULL);
        duo_run(&duo);
        duo_good(&duo);
        assert_non_null(strstr(duo_trace(&duo), "< procMountFd, > procHooks, < procHooksDone, > procReady, < procRun"));
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
        assert_int_equal(access(SOURCE "/file", F_OK), -1);     /* not in our namespace */
}

static int many(int socket, void *arg) {
        struct initsync_mount *mounts = calloc(1000, sizeof(*mounts));
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fds[1000], i;

        (void)arg;
        BARE_CHECK(own_namespace() == 0);
        for (i = 0; i < 1000; i++)
                mounts[i] = bind_of(SOURCE, container, (size_t)(i % 2));
        BARE_CHECK(initsync_child_new(&child, socket, NULL, &error) == 0);
        BARE_CHECK(initsync_child_mounts(child, mounts, 1000, fds, &error) == 0);
        for (i = 0; i < 1000; i++)
                BARE_CHECK(i % 2 ? owned(fds[i], "file", 100007, 101000) : owned(fds[i], "file", 7, 1000));
        BARE_CHECK(initsync_child_ready(child, &error) == 0);
        initsync_child_free(child);
        free(mounts);
        return 0;
}

static void test_a_thousand_ahead(void **state) {
        struct initsync_mount *mounts = calloc(1000, sizeof(*mounts));
        struct duo duo;
        int i;

        (void)state;
        for (i = 0; i < 1000; i++)
                mounts[i] = bind_of(SOURCE, container, (size_t)(i % 2));
        duo_init(&duo);
        duo.options.mounts = mounts;
        duo.options.n_mounts = 1000;
        duo.options.allow = NULL;
        duo_start(&duo, many, NULL);
        duo_run(&duo);
        duo_good(&duo);
        assert_int_equal(duo.n_events, 2002);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
        free(mounts);
}

/* No policy at all still has a limit (L8): 1,024 requests, not one more. */
static int asks(int socket, void *arg) {
        static const char *const script[] = { BARE_MOUNT(SOURCE), "<" BARE_MOUNT_FD, "<fd", NULL };
        int i, n = *(int *)arg;

        BARE_CHECK(own_namespace() == 0);
        for (i = 0; i < n; i++)
                BARE_CHECK(bare_play(socket, script) == 0);
        return bare_send(socket, BARE_READY) < 0 || bare_expect(socket, BARE_RUN) < 0;
}

static void test_any_mount(void **state) {
        static const int counts[] = { 1024, 1025 };
        struct duo duo;
        int i;

        (void)state;
        for (i = 0; i < 2; i++) {
                duo_init(&duo);
                duo.options.flags = INITSYNC_PARENT_ALLOW_ANY_MOUNT;
                duo.options.allow = NULL;
                duo_start(&duo, asks, (void *)&counts[i]);
                duo_run(&duo);
                if (i == 0)
                        duo_good(&duo);
                else
                        duo_failed(&duo, -EPROTO, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_MOUNTS,
                                   "expected at most 1024 requests");
                duo_end(&duo);
        }
}

/* Each listed once; a source twice in the list may be had twice. */
static void test_once(void **state) {
        struct initsync_mount mounts[] = { bind_of(SOURCE, NULL, 0), bind_of(SOURCE, NULL, 0) };
        static const int counts[] = { 2, 3 };
        struct duo duo;
        int i;

        (void)state;
        for (i = 0; i < 2; i++) {
                duo_init(&duo);
                duo.options.mounts = mounts;
                duo.options.n_mounts = 2;
                duo_start(&duo, asks, (void *)&counts[i]);
                duo_run(&duo);
                if (i == 0)
                        duo_good(&duo);
                else
                        duo_failed(&duo, -EPROTO, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS, "asked for again");
                assert_int_equal(duo.calls[DUO_ALLOW], 0);
                duo_end(&duo);
        }
}

/* What the callback writes is what is served: another path, or a mount of its own making. */
static int tree = -1;

static int serve_other(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        if (strcmp(asked->source, "/elsewhere") == 0)
                ret_serve->source = SOURCE, ret_serve->flags |= INITSYNC_MOUNT_CHILD_VIEW;
        else
                ret_serve->source_fd = tree;
        return 0;
}

static int asks_elsewhere(int socket, void *arg) {
        struct initsync_mount mounts[] = { bind_of("/elsewhere", NULL, 0), bind_of("/a/tree", NULL, 0), bind_of("/a/tree",
                                                                                                                NULL, 0) };
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fds[3];

        (void)arg;
        BARE_CHECK(own_namespace() == 0);
        BARE_CHECK(initsync_child_new(&child, socket, NULL, &error) == 0);
        BARE_CHECK(initsync_child_mounts(child, mounts, 3, fds, &error) == 0);
        BARE_CHECK(place_has(fds[0], "inner") && place_has(fds[1], "proof") && place_has(fds[2], "proof"));
        BARE_CHECK(attach_at(fds[1], ROOTFS "/mnt") == 0 && attach_at(fds[2], ROOTFS "/other") == 0);
        BARE_CHECK(initsync_child_ready(child, &error) == 0);
        initsync_child_free(child);
        return 0;
}

static void test_served_otherwise(void **state) {
        struct duo duo;

        (void)state;
        if (initsync_feature("open_tree_attr") != 1)
                skip();                 /* the clone of a detached mount: Linux 6.15 */
        tree = place_tmpfs("proof");
        duo_init(&duo);
        duo.on_allow = serve_other;
        duo_start(&duo, asks_elsewhere, NULL);
        duo_run(&duo);
        duo_good(&duo);
        assert_int_equal(duo.calls[DUO_ALLOW], 3);
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
        assert_true(place_has(tree, "proof"));  /* still the embedder's */
        close(tree);
}

/* The packet's path of a user namespace is compared and nothing else: what it names would hang whoever opened it (A04). */
static int names_userns(int socket, void *arg) {
        char packet[512];

        BARE_CHECK(own_namespace() == 0);
        snprintf(packet, sizeof(packet),
                 "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":{\"source\":\"%s\",\"destination\":\"/mnt\","
                 "\"device\":\"bind\",\"flags\":4096,\"id_mapping\":{\"userns_path\":\"%s\"}}}", SOURCE, (const char *)arg);
        BARE_CHECK(bare_send(socket, packet) == 0);
        if (bare_receive(socket, packet, sizeof(packet), NULL) <= 0 || strstr(packet, "procError"))
                return 4;
        return bare_play(socket, (const char *const[]){ "<fd", BARE_READY, "<" BARE_RUN, NULL }) < 0;
}

static void test_userns_path(void **state) {
        static const char *const paths[] = { PLACE "/fifo", "/dev/tty", "/proc/self/ns/user", "/dev/null", "/etc/passwd",
                                             PLACE "/loop" };
        struct initsync_mount mount = bind_of(SOURCE, NULL, 0);
        size_t i;

        (void)state;
        assert_int_equal(initsync_userns_open(container, 1, container, 1, &mount.userns_fd, NULL), 0);
        for (i = 0; i < 2 * sizeof(paths) / sizeof(paths[0]); i++) {
                struct duo duo;

                mount.userns_path = i % 2 ? "/not/this" : paths[i / 2];
                duo_init(&duo);
                duo.options.allow = NULL;
                duo.options.mounts = &mount;
                duo.options.n_mounts = 1;
                duo.options.grace_ms = 3000;
                duo_start(&duo, names_userns, (void *)paths[i / 2]);
                duo_run(&duo);
                if (i % 2)
                        duo_failed(&duo, -EACCES, INITSYNC_STAGE_POLICY, INITSYNC_STEP_MOUNTS,
                                   "the path of the user namespace differs");
                else
                        duo_good(&duo);
                assert_true(duo.took_ms < 3000);         /* the limits are 10 s and more */
                duo_end(&duo);
        }
        close(mount.userns_fd);
}

static int prepare(void) {
        static const char *const dirs[] = { ROOTFS, ROOTFS "/mnt", ROOTFS "/other", SOURCE };
        struct rlimit limit = { 4096, 4096 };
        size_t i;

        if (scratch_mount(PLACE) < 0 || setrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 0;
        for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
                if (mkdir(dirs[i], 0755) < 0)
                        return 0;
        return mkfifo(PLACE "/fifo", 0600) == 0 && symlink("loop", PLACE "/loop") == 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_listed),
                left_test(test_a_thousand_ahead),
                left_test(test_any_mount),
                left_test(test_once),
                left_test(test_served_otherwise),
                left_test(test_userns_path),
        };

        if (geteuid() != 0 || !place_enter() || !prepare()) {
                printf("1..0 # SKIP needs root\n");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
