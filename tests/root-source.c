/* SPDX-License-Identifier: MIT */
/* initsync_mount_open(): the ids that are seen through a source, by file system, by map, and by what of a tree is mapped. */
#include "support/support.h"

#include <initsync.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "support/file.h"
#include "support/forked.h"
#include "support/loop.h"
#include "support/namespace.h"
#include "support/source.h"

static void on(const char *type) {
        const char *at = make_dir(path_of("%s-mount", type)), *why = loop_mount(type, at);
        int fd;

        if (why)
                forked_skip("%s: %s", type, why);
        make_file(path_of("%s-mount/of-0", type), 0);
        make_file(path_of("%s-mount/of-1000", type), 1000);
        make_file(path_of("%s-mount/of-70000", type), 70000);
        fd = source_open(at, source_map(100000, 65536), 0);
        assert(owner(fd, "of-0") == 100000 && owner(fd, "of-1000") == 101000);
        assert(owner(fd, "of-70000") == 65534);         /* outside of the map: nobody's */
        assert(owner(AT_FDCWD, path_of("%s-mount/of-0", type)) == 0);
        close(fd);
        fd = source_open(at, NULL, 0);
        assert(owner(fd, "of-1000") == 1000);
        close(fd);
        umount2(at, MNT_DETACH);
}

static void on_ext4(void) {
        on("ext4");
}

static void on_xfs(void) {
        on("xfs");
}

static void on_btrfs(void) {
        on("btrfs");
}

static void on_tmpfs(void) {
        const char *at = make_tmpfs(path_of("source"));
        int fd;

        make_file(path_of("source/file"), 5);
        fd = source_open(at, source_map(100000, 65536), 0);
        assert(owner(fd, "file") == 100005);
        close(fd);
        /* What is made through it belongs, in the file system, to the id that the map leads back to. */
        fd = source_open(at, source_map(0, 1), 0);
        assert(mkdirat(fd, "made", 0755) == 0);
        assert(owner(fd, "made") == 0 && owner(fd, "file") == 65534);
        close(fd);
}

static void on_a_file(void) {
        int fd;

        make_tmpfs(path_of("source"));
        make_file(path_of("source/file"), 5);
        fd = source_open(path_of("source/file"), source_map(100000, 65536), 0);
        assert(owner(fd, "") == 100005);
        close(fd);
}

static void as_overlay_layers(void) {
        int fd;

        make_tmpfs(path_of("layers"));
        make_dir(path_of("layers/low"));
        make_file(path_of("layers/low/file"), 3);
        make_dir(path_of("layers/low2"));
        make_dir(path_of("mapped"));
        make_dir(path_of("merged"));
        fd = source_open(path_of("layers/low"), source_map(100000, 65536), 0);
        source_put(fd, path_of("mapped"));
        close(fd);
        assert(chdir(namespace_dir()) == 0);
        assert(mount("test", "merged", "overlay", 0, "lowerdir=mapped:layers/low2") == 0);
        assert(owner(AT_FDCWD, "merged/file") == 100003);
        assert(chdir("/") == 0);
}

/* A tree of two mounts, with a file of 0 in each. */
static const char *two_mounts(void) {
        const char *at = make_tmpfs(path_of("tree"));

        make_file(path_of("tree/file"), 0);
        make_tmpfs(path_of("tree/sub"));
        make_file(path_of("tree/sub/file"), 0);
        return at;
}

static void recursive_or_not(void) {
        const uint64_t tree = INITSYNC_MOUNT_RECURSIVE, map = INITSYNC_MOUNT_IDMAP_RECURSIVE;
        const struct {
                uint64_t flags;
                long sub;               /* owner of the file in the submount, -1 where there is none */
        } cases[] = { { 0, -1 }, { map, -1 }, { tree, 0 }, { tree | map, 100000 } };
        const char *at = two_mounts();
        size_t i;
        int fd;

        for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                fd = source_open(at, source_map(100000, 65536), cases[i].flags);
                assert(owner(fd, "file") == 100000);
                assert(owner(fd, "sub/file") == cases[i].sub);
                close(fd);
                fd = source_open(at, NULL, cases[i].flags);
                assert(owner(fd, "file") == 0);
                assert(owner(fd, "sub/file") == (cases[i].sub < 0 ? -1 : 0));
                close(fd);
        }
}

static void two_maps_of_one(void) {
        const char *at = make_tmpfs(path_of("source"));
        int one, other;

        make_file(path_of("source/file"), 1);
        one = source_open(at, source_map(100000, 65536), 0);
        other = source_open(at, source_map(200000, 65536), 0);
        assert(owner(one, "file") == 100001 && owner(other, "file") == 200001);
        close(one);
        close(other);
}

static void uids_unlike_gids(void) {
        const struct initsync_idmap uids = { 0, 100000, 10 }, gids = { 0, 300000, 10 };
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct stat st;
        int fd;

        make_tmpfs(path_of("source"));
        make_file(path_of("source/file"), 4);
        mount.source = path_of("source");
        mount.uids = &uids;
        mount.gids = &gids;
        mount.n_uids = mount.n_gids = 1;
        assert(initsync_mount_open(&mount, &fd, NULL) == 0);
        assert(fstatat(fd, "file", &st, 0) == 0 && st.st_uid == 100004 && st.st_gid == 300004);
        close(fd);
}

static void most_extents(void) {
        struct initsync_idmap map[INITSYNC_IDMAP_MAX];
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        unsigned i;
        int fd;

        make_tmpfs(path_of("source"));
        for (i = 0; i < INITSYNC_IDMAP_MAX; i++) {
                map[i] = (struct initsync_idmap){ 2 * i, 1000 + 3 * i, 1 };
                make_file(path_of("source/%u", 2 * i), 2 * i);
        }
        make_file(path_of("source/odd"), 1);
        mount.source = path_of("source");
        mount.uids = mount.gids = map;
        mount.n_uids = mount.n_gids = INITSYNC_IDMAP_MAX;
        assert(initsync_mount_open(&mount, &fd, NULL) == 0);
        for (i = 0; i < INITSYNC_IDMAP_MAX; i++)
                assert(owner(fd, strrchr(path_of("%u", 2 * i), '/') + 1) == (long)(1000 + 3 * i));
        assert(owner(fd, "odd") == 65534);
        close(fd);
}

/* The kernel wants a user namespace by descriptor; the runtime may bring its own. */
static void given_namespace(void) {
        const struct initsync_idmap *map = source_map(100000, 65536);
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        int fd;

        make_tmpfs(path_of("source"));
        make_file(path_of("source/file"), 7);
        mount.source = path_of("source");
        assert(initsync_userns_open(map, 1, map, 1, &mount.userns_fd, NULL) == 0);
        assert(initsync_mount_open(&mount, &fd, NULL) == 0);
        assert(owner(fd, "file") == 100007);
        close(fd);
        close(mount.userns_fd);
}

/* Mapped once, attached, and asked for again with another map, or with none. */
static void mapped_already(int anew) {
        const char *at = make_dir(path_of("attached"));
        int fd, refused;

        make_tmpfs(path_of("source"));
        make_file(path_of("source/file"), 9);
        fd = source_open(path_of("source"), source_map(100000, 65536), 0);
        source_put(fd, at);
        close(fd);
        fd = source_open(at, NULL, 0);
        assert(owner(fd, "file") == 100009);
        close(fd);
        if (anew) {
                fd = source_open(at, source_map(200000, 65536), 0);
                assert(owner(fd, "file") == 200009);
                close(fd);
                return;
        }
        /* Before Linux 6.8 nothing says whether it is: then that is one of two reasons. */
        refused = initsync_feature("statmount") == 1 ? -EOPNOTSUPP : -EPERM;
        source_fails(at, source_map(200000, 65536), 0, refused, "mount_setattr", "id-mapped already");
        source_fails(at, source_map(200000, 65536), INITSYNC_MOUNT_RECURSIVE, refused, "mount_setattr", "id-mapped");
}

static void mapped_anew(void) {
        if (initsync_feature("open_tree_attr") != 1)
                forked_skip("open_tree_attr(2) is not in this kernel");
        mapped_already(1);
}

static void not_mapped_anew(void) {
        mapped_already(0);
}

/* An ordinary user in a user namespace of his own may map what was mounted in there. */
static void as_ordinary_user(void) {
        struct initsync_idmap own = { 5, 0, 1 };
        int fd;

        if (namespace_root()) {
                namespace_ordinary();
                assert(unshare(CLONE_NEWUSER) == 0);
                namespace_map(NAMESPACE_ORDINARY, NAMESPACE_ORDINARY);
                namespace_again();
        }
        make_tmpfs(path_of("source"));
        make_file(path_of("source/file"), 0);
        fd = source_open(path_of("source"), NULL, 0);
        assert(owner(fd, "file") == 0);
        close(fd);
        source_fails("/etc", &own, 0, -EPERM, NULL, "id mapping");
        if (!scratch_takes_maps(path_of("source")))
                forked_skip("a tmpfs takes no id maps before Linux 6.3");
        fd = source_open(path_of("source"), &own, 0);
        assert(owner(fd, "file") == 65534);
        close(fd);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED_BOTH(on_ext4, FORKED_ROOT),
                FORKED_BOTH(on_xfs, FORKED_ROOT),
                FORKED_BOTH(on_btrfs, FORKED_ROOT),
                FORKED_BOTH(on_tmpfs, FORKED_ROOT),
                FORKED_BOTH(on_a_file, FORKED_ROOT),
                FORKED_BOTH(as_overlay_layers, FORKED_ROOT),
                FORKED_BOTH(recursive_or_not, FORKED_ROOT),
                FORKED_BOTH(two_maps_of_one, FORKED_ROOT),
                FORKED_BOTH(uids_unlike_gids, FORKED_ROOT),
                FORKED_BOTH(most_extents, FORKED_ROOT),
                FORKED_BOTH(given_namespace, FORKED_ROOT),
                FORKED(mapped_anew, FORKED_ROOT),
                FORKED(not_mapped_anew, FORKED_ROOT | FORKED_OLD),
                FORKED_BOTH(as_ordinary_user, FORKED_EXEC),
        };

        return forked_main(argc, argv, "root-source", tests, sizeof(tests) / sizeof(tests[0]));
}
