/* SPDX-License-Identifier: MIT */
/* initsync_mount_open(): attributes and propagation of a source, alone and together with an id mapping. */
#include "support/support.h"

#include <initsync.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/source.h"

/* From <linux/mount.h>, which does not go together with <sys/mount.h> everywhere. */
#define ATTR_RDONLY 0x1
#define ATTR_NOSUID 0x2
#define ATTR_NODEV 0x4
#define ATTR_NOEXEC 0x8
#define ATTR__ATIME 0x70
#define ATTR_NOATIME 0x10
#define ATTR_STRICTATIME 0x20
#define ATTR_IDMAP 0x100000

static unsigned long flags_at(int fd, const char *name) {
        struct statvfs st;
        int at = openat(fd, name, O_PATH | O_CLOEXEC);

        assert(at >= 0 && fstatvfs(at, &st) == 0);
        close(at);
        return st.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME | ST_RELATIME);
}

static int open_with(const char *path, uint64_t flags, uint64_t set, uint64_t clear, uint64_t propagation) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int fd, r;

        mount.source = path;
        mount.flags = flags;
        mount.attr_set = set;
        mount.attr_clr = clear;
        mount.propagation = propagation;
        r = initsync_mount_open(&mount, &fd, &error);
        if (r < 0)
                fprintf(stderr, "%s\n", error.text);
        assert(r == 0);
        return fd;
}

static void each_attribute(void) {
        const struct {
                uint64_t set, clear;
                unsigned long flags;
        } cases[] = {
                { ATTR_RDONLY, 0, ST_RDONLY | ST_RELATIME },
                { ATTR_NOSUID, 0, ST_NOSUID | ST_RELATIME },
                { ATTR_NODEV, 0, ST_NODEV | ST_RELATIME },
                { ATTR_NOEXEC, 0, ST_NOEXEC | ST_RELATIME },
                { ATTR_NOATIME, ATTR__ATIME, ST_NOATIME },
                { ATTR_STRICTATIME, ATTR__ATIME, 0 },
                { 0, ATTR__ATIME, ST_RELATIME },
                { ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC | ATTR_NOATIME, ATTR__ATIME,
                  ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC | ST_NOATIME },
        };
        const char *at = make_tmpfs(path_of("source"));
        size_t i;
        int fd;

        for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                fd = open_with(at, 0, cases[i].set, cases[i].clear, 0);
                assert(flags_at(fd, ".") == cases[i].flags);
                close(fd);
        }
        assert(flags_at(AT_FDCWD, at) == ST_RELATIME);          /* the source itself is what it was */
}

static void cleared(void) {
        const char *at = make_tmpfs(path_of("source"));
        int fd;

        assert(mount(NULL, at, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC | MS_NOATIME, NULL) == 0);
        fd = open_with(at, 0, 0, 0, 0);
        assert(flags_at(fd, ".") == (ST_RDONLY | ST_NOEXEC | ST_NOATIME));
        close(fd);
        fd = open_with(at, 0, ATTR_NOSUID, ATTR_RDONLY, 0);
        assert(flags_at(fd, ".") == (ST_NOSUID | ST_NOEXEC | ST_NOATIME));
        assert(mkdirat(fd, "made", 0755) == 0);
        close(fd);
}

static const char *two_mounts(void) {
        const char *at = make_tmpfs(path_of("tree"));

        make_tmpfs(path_of("tree/sub"));
        make_file(path_of("tree/sub/file"), 0);
        make_file(path_of("tree/file"), 0);
        return at;
}

static void recursive_or_not(void) {
        const uint64_t tree = INITSYNC_MOUNT_RECURSIVE, all = INITSYNC_MOUNT_ATTR_RECURSIVE;
        const char *at = two_mounts();
        int fd;

        fd = open_with(at, tree, ATTR_RDONLY, 0, 0);
        assert(flags_at(fd, ".") & ST_RDONLY && !(flags_at(fd, "sub") & ST_RDONLY));
        close(fd);
        fd = open_with(at, tree | all, ATTR_RDONLY, 0, 0);
        assert(flags_at(fd, ".") & ST_RDONLY && flags_at(fd, "sub") & ST_RDONLY);
        close(fd);
        fd = open_with(at, all, ATTR_RDONLY, 0, 0);
        assert(flags_at(fd, ".") & ST_RDONLY && owner(fd, "sub/file") == -1);
        close(fd);
}

/* Each of the two may go for the top only, or for all. */
static void with_id_mapping(void) {
        const uint64_t map = INITSYNC_MOUNT_IDMAP_RECURSIVE, attr = INITSYNC_MOUNT_ATTR_RECURSIVE;
        const uint64_t cases[] = { 0, map, attr, map | attr };
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        size_t i;
        int fd;

        mount.source = two_mounts();
        mount.uids = mount.gids = source_map(100000, 65536);
        mount.n_uids = mount.n_gids = 1;
        mount.attr_set = ATTR_RDONLY | ATTR_NOEXEC;
        for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                mount.flags = INITSYNC_MOUNT_RECURSIVE | cases[i];
                assert(initsync_mount_open(&mount, &fd, NULL) == 0);
                assert(flags_at(fd, ".") == (ST_RDONLY | ST_NOEXEC | ST_RELATIME));
                assert(flags_at(fd, "sub") == ((cases[i] & attr ? ST_RDONLY | ST_NOEXEC : 0) | ST_RELATIME));
                assert(owner(fd, "file") == 100000);
                assert(owner(fd, "sub/file") == (cases[i] & map ? 100000 : 0));
                close(fd);
        }
}

/* The optional fields of mountinfo: "shared:1 master:2 ", "unbindable ", or nothing. */
static void fields_of(int fd, char *to) {
        static int number;
        const char *at = make_dir(path_of("at%d", number++));
        char line[8192], *from, *end;

        assert(mount("test", at, "tmpfs", 0, NULL) == 0);       /* private, so that nothing is added by where it goes */
        make_dir(path_of("at%d/x", number - 1));
        source_put(fd, path_of("at%d/x", number - 1));
        assert(mount_line(path_of("at%d/x", number - 1), line, sizeof(line)) == 0);
        end = strstr(line, " - ");
        *end = '\0';
        from = line;
        for (int i = 0; i < 6 && from; i++)
                from = strchr(from + 1, ' ');
        strcpy(to, from ? from + 1 : "");
        close(fd);
}

static void propagation(void) {
        const char *at = make_tmpfs(path_of("source"));
        char line[8192], fields[256], group[64];

        assert(mount(NULL, at, NULL, MS_SHARED, NULL) == 0);
        assert(mount_line(at, line, sizeof(line)) == 0 && sscanf(strstr(line, "shared:"), "shared:%63[0-9]", group) == 1);
        /* A40: nothing asked for, and the clone has what the source has, peer group and all. */
        fields_of(open_with(at, 0, 0, 0, 0), fields);
        assert(strncmp(fields, "shared:", 7) == 0 && strcmp(fields + 7, group) == 0);
        fields_of(open_with(at, 0, 0, 0, MS_PRIVATE), fields);
        assert(strcmp(fields, "") == 0);
        fields_of(open_with(at, 0, 0, 0, MS_SLAVE), fields);
        assert(strncmp(fields, "master:", 7) == 0 && strcmp(fields + 7, group) == 0);
        fields_of(open_with(at, 0, 0, 0, MS_UNBINDABLE), fields);
        assert(strcmp(fields, "unbindable") == 0);
        assert(mount(NULL, at, NULL, MS_PRIVATE, NULL) == 0);
        fields_of(open_with(at, 0, 0, 0, MS_SHARED), fields);
        assert(strncmp(fields, "shared:", 7) == 0);
        fields_of(open_with(at, 0, 0, 0, 0), fields);
        assert(strcmp(fields, "") == 0);
        umount(at);
}

static void unbindable(void) {
        const char *at = make_tmpfs(path_of("source"));

        assert(mount(NULL, at, NULL, MS_UNBINDABLE, NULL) == 0);
        source_fails(at, NULL, 0, -EINVAL, "open_tree", "unbindable");
        source_fails(at, NULL, INITSYNC_MOUNT_RECURSIVE, -EINVAL, "open_tree", NULL);
}

static void wrong(void) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_error error;

        mount.source = make_tmpfs(path_of("source"));
        mount.attr_set = ATTR_NOATIME;                          /* one value of several, without its mask cleared */
        source_fails_as(&mount, -EINVAL, NULL, mount.source, &error);
        mount.attr_set = UINT64_C(1) << 40;
        source_fails_as(&mount, -EINVAL, NULL, mount.source, &error);
        mount.attr_set = ATTR_IDMAP;                            /* a map is not asked for this way */
        source_fails_as(&mount, -EINVAL, NULL, mount.source, &error);
        mount.attr_set = 0;
        mount.propagation = MS_SHARED | MS_SLAVE;
        source_fails_as(&mount, -EINVAL, NULL, mount.source, &error);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED_BOTH(each_attribute, 0),
                FORKED_BOTH(cleared, 0),
                FORKED_BOTH(recursive_or_not, 0),
                FORKED_BOTH(with_id_mapping, FORKED_ROOT),
                FORKED_BOTH(propagation, 0),
                FORKED_BOTH(unbindable, 0),
                FORKED_BOTH(wrong, 0),
        };

        return forked_main(argc, argv, "root-source-attr", tests, sizeof(tests) / sizeof(tests[0]));
}
