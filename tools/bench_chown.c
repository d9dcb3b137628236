/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "bench_kernel.h"
#include "bench_userns_bare.h"
#include "cleanup.h"
#include "say.h"

/* A tree of files that a container shall own: an id-mapped mount of it, or a chown of each. */

#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif

#define TARGET BENCH_PLACE "/target"
#define UPPER BENCH_PLACE "/upper"
#define WORK BENCH_PLACE "/work"
#define A_DIRECTORY 100         /* files in each */

struct tree {
        char path[64];
        unsigned files;
        uid_t owner;            /* at present */
};

static int make_directory(const struct tree *tree, unsigned number, struct initsync_error *reterr) {
        char path[256];
        unsigned i;

        snprintf(path, sizeof(path), "%s/%u", tree->path, number);
        if (mkdir(path, 0755) < 0)
                return fault_call(reterr, -errno, "mkdir", path);
        for (i = 0; i < A_DIRECTORY; i++) {
                int fd;

                snprintf(path, sizeof(path), "%s/%u/%u", tree->path, number, i);
                fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
                if (fd < 0)
                        return fault_call(reterr, -errno, "open", path);
                close(fd);
        }
        return 0;
}

static int make_tree(struct tree *tree, unsigned files, struct initsync_error *reterr) {
        unsigned i;
        int r = 0;

        tree->files = files;
        snprintf(tree->path, sizeof(tree->path), BENCH_PLACE "/tree-%u", files);
        if (mkdir(tree->path, 0755) < 0)
                return fault_call(reterr, -errno, "mkdir", tree->path);
        for (i = 0; i < files / A_DIRECTORY && r == 0; i++)
                r = make_directory(tree, i, reterr);
        return r;
}

/* Attached, and not closed in between: the last close of a detached mount costs 2 or 50 us. */
static int64_t end_mount(int64_t start, int tree, struct initsync_error *reterr) {
        int64_t took = clock_ns() - start;

        close(tree);
        return umount2(TARGET, MNT_DETACH) < 0 ? fault_call(reterr, -errno, "umount2", TARGET) : took;
}

/* Consumes @fd. */
static int64_t attach(int64_t start, int fd, struct initsync_error *reterr) {
        _cleanup_fd_ int target = open(TARGET, O_PATH | O_CLOEXEC);
        int r = initsync_attach(fd, target, reterr);

        if (r < 0)
                close(fd);
        return r < 0 ? r : end_mount(start, fd, reterr);
}

static int64_t do_ours(void *data, struct initsync_error *reterr) {
        const struct bench_maps *maps = bench_maps();
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        int64_t start = clock_ns();
        int fd, r;

        mount.source = ((const struct tree *)data)->path;
        mount.uids = mount.gids = maps->extents;
        mount.n_uids = mount.n_gids = maps->n;
        r = initsync_mount_open(&mount, &fd, reterr);
        if (r < 0)
                return r;
        return attach(start, fd, reterr);
}

/* The root file system of a container: the tree below a layer that is written to, all of it under the map. */
static int64_t do_root(void *data, struct initsync_error *reterr) {
        const struct bench_maps *maps = bench_maps();
        const char *const lower[] = { ((const struct tree *)data)->path };
        struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;
        int64_t start = clock_ns();
        int fd, r;

        overlay.lower = lower;
        overlay.n_lower = 1;
        overlay.upper = UPPER;
        overlay.work = WORK;
        overlay.uids = overlay.gids = maps->extents;
        overlay.n_uids = overlay.n_gids = maps->n;
        r = initsync_overlay_open(&overlay, &fd, reterr);
        if (r < 0)
                return r;
        return attach(start, fd, reterr);
}

static int64_t do_bare(void *data, struct initsync_error *reterr) {
        int64_t start = clock_ns();
        _cleanup_fd_ int userns = bare_userns(bench_maps(), reterr), target = -1;
        int fd;

        if (userns < 0)
                return userns;
        fd = kernel_open_mapped(((const struct tree *)data)->path, userns);
        if (fd < 0)
                return fault_call(reterr, fd, "open_tree_attr", NULL);
        target = open(TARGET, O_PATH | O_CLOEXEC);
        if (syscall(SYS_move_mount, fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | 0x40) < 0) {
                close(fd);
                return fault_call(reterr, -errno, "move_mount", TARGET);
        }
        return end_mount(start, fd, reterr);
}

/* To another owner each time. */
static int64_t do_chown(void *data, struct initsync_error *reterr) {
        struct tree *tree = data;
        char *const paths[] = { tree->path, NULL };
        int64_t start = clock_ns();
        FTSENT *entry;
        FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOSTAT, NULL);

        if (!walk)
                return fault_call(reterr, -errno, "fts_open", tree->path);
        tree->owner = tree->owner ? 0 : 100000;
        while ((entry = fts_read(walk))) {
                if (entry->fts_info == FTS_D)
                        continue;               /* again when its files are done */
                if (fchownat(AT_FDCWD, entry->fts_accpath, tree->owner, tree->owner, AT_SYMLINK_NOFOLLOW) < 0) {
                        fts_close(walk);
                        return fault_call(reterr, -errno, "fchownat", entry->fts_path);
                }
        }
        fts_close(walk);
        return clock_ns() - start;
}

static int make_directories(struct initsync_error *reterr) {
        static const char *const paths[] = { TARGET, UPPER, WORK };
        size_t i;

        for (i = 0; i < 3; i++)
                if (mkdir(paths[i], 0755) < 0)
                        return fault_call(reterr, -errno, "mkdir", paths[i]);
        return 0;
}

static int run(struct report *report, struct initsync_error *reterr) {
        static const unsigned sizes[] = { 1000, 10000, 100000 };
        unsigned n_sizes = report->quick ? 1 : 3, i, n = 0;
        struct tree trees[3];
        struct contender contenders[12];
        struct series *first = NULL, *first_root = NULL;
        int r = make_directories(reterr);

        memset(trees, 0, sizeof(trees));
        for (i = 0; i < n_sizes && r == 0; i++) {
                struct series *mine = report_series(report, "us", "ours, %u files", sizes[i]),
                              *floor = report_series(report, "us", "floor: bare user namespace and calls, %u files", sizes[i]),
                              *root = report_series(report, "us", "ours, as a root file system, %u files", sizes[i]),
                              *rival = report_series(report, "us", "recursive chown, %u files", sizes[i]);

                first = first ? first : mine;
                first_root = first_root ? first_root : root;
                r = make_tree(&trees[i], sizes[i], reterr);
                contenders[n++] = (struct contender){ mine, do_ours, &trees[i], NULL, 10, 0, 0 };
                contenders[n++] = (struct contender){ floor, do_bare, &trees[i], NULL, 10, 0, 0 };
                contenders[n++] = (struct contender){ root, do_root, &trees[i], NULL, 3, 0, 0 };
                contenders[n++] = (struct contender){ rival, do_chown, &trees[i], NULL, 1, i == 2 ? 10 : 0, 0 };
                report_ratio(report, rival, mine, NO_BOUND, 0, "recursive chown / ours, %u files", sizes[i]);
                report_ratio(report, mine, floor, AT_MOST, 1.3, "ours / floor, %u files", sizes[i]);
                report_ratio(report, rival, root, NO_BOUND, 0, "recursive chown / root file system, %u files", sizes[i]);
                if (mine == first)
                        continue;
                report_ratio(report, mine, first, AT_MOST, 1.2, "ours with %u files / with %u", sizes[i], sizes[0]);
                report_ratio(report, root, first_root, AT_MOST, 1.2, "root file system with %u files / with %u", sizes[i],
                             sizes[0]);
        }
        if (r == 0)
                r = measure(report->name, contenders, n, report_rounds(report, 30), reterr);
        report_note(report, "on tmpfs; a chown costs more where it must reach a disk");
        return r;
}

const struct bench bench_chown = { "chown", "a tree of files made usable under an id map", true, run };
