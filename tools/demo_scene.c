/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "demo_look.h"
#include "demo_probe.h"
#include "demo_scene.h"
#include "say.h"

const struct scene_place scene_places[SCENE_N_PLACES] = {
        { SCENE_PLAIN,  "/srv/plain",    "data/plain",       "plain bind" },
        { SCENE_MAPPED, "/srv/mapped",   "data/mapped",      "id-mapped bind" },
        { SCENE_TREE,   "/srv/tree",     "data/tree",        "recursive bind" },
        { SCENE_TREE,   "/srv/tree/sub", "data/other",       "recursive bind, its submount" },
        { SCENE_INNER,  "/srv/inner",    "data/plain/inner", "bind from inside" },
};

const struct scene_file scene_files[SCENE_N_FILES] = {
        { "root-file", { 0, 0, 0 } },
        { "user-file", { 0, 1000, 1000 } },
};

const char *const scene_host_directories[] = { "bin", "lib", "lib32", "lib64", "libx32", "sbin", "usr", NULL };

const char *scene_path(const struct scene *scene, char path[static PATH_MAX], const char *format, ...) {
        int n = snprintf(path, PATH_MAX, "%s/", scene->directory);
        va_list args;

        va_start(args, format);
        if (n > 0 && n < PATH_MAX)
                vsnprintf(path + n, PATH_MAX - (size_t)n, format, args);
        va_end(args);
        return path;
}

static int make_directory(const struct scene *scene, const char *name, struct initsync_error *reterr) {
        char path[PATH_MAX];

        if (mkdir(scene_path(scene, path, "%s", name), 0755) < 0 && errno != EEXIST)
                return fault_call(reterr, -errno, "mkdir", path);
        return 0;
}

static int make_file(const struct scene *scene, const char *directory, const struct scene_file *file,
                     struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        char path[PATH_MAX];

        fd = open(scene_path(scene, path, "%s/%s", directory, file->name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
                return fault_call(reterr, -errno, "open", path);
        if (fchown(fd, file->owner.uid, file->owner.gid) < 0)
                return fault_call(reterr, -errno, "fchown", path);
        return 0;
}

static int make_files(struct scene *scene, struct initsync_error *reterr) {
        static const char *const directories[] = {
                "data", "data/plain", "data/plain/inner", "data/mapped", "data/tree", "data/tree/sub", "data/other",
                "rootfs", "rootfs/proc", "rootfs/srv", "rootfs/srv/plain", "rootfs/srv/mapped", "rootfs/srv/tree",
                "rootfs/srv/inner",
        };
        char path[PATH_MAX], target[PATH_MAX];
        int r = 0;

        for (size_t i = 0; r == 0 && i < sizeof(directories) / sizeof(directories[0]); i++)
                r = make_directory(scene, directories[i], reterr);
        for (size_t i = 0; r == 0 && i < SCENE_N_PLACES; i++)
                for (size_t k = 0; r == 0 && k < scene->n_files; k++)
                        r = make_file(scene, scene_places[i].outside, &scene_files[k], reterr);
        if (r < 0)
                return r;
        /* A bind of the same file system: it takes id maps wherever the tree around it does. */
        scene_path(scene, path, "data/other");
        if (mount(path, scene_path(scene, target, "data/tree/sub"), NULL, MS_BIND, NULL) < 0)
                return fault_call(reterr, -errno, "mount", target);
        return 0;
}

/* The container execs a program of the host, so it sees the host's programs and libraries where the host has them. */
static int make_host_directories(struct scene *scene, struct initsync_error *reterr) {
        for (const char *const *name = scene_host_directories; *name; name++) {
                char host[16], path[PATH_MAX], link[PATH_MAX];
                struct stat st;
                ssize_t n;

                snprintf(host, sizeof(host), "/%s", *name);
                scene_path(scene, path, "rootfs/%s", *name);
                if (lstat(host, &st) < 0)
                        continue;
                if (S_ISLNK(st.st_mode)) {
                        n = readlink(host, link, sizeof(link) - 1);
                        link[n < 0 ? 0 : n] = '\0';
                        if (n < 0 || symlink(link, path) < 0)
                                return fault_call(reterr, -errno, "symlink", path);
                } else if (S_ISDIR(st.st_mode) && mkdir(path, 0755) < 0) {
                        return fault_call(reterr, -errno, "mkdir", path);
                }
        }
        if (access("/usr/bin/stat", X_OK) == 0)
                strcpy(scene->stat_program, "/usr/bin/stat");
        else if (access("/bin/stat", X_OK) == 0)
                strcpy(scene->stat_program, "/bin/stat");
        return 0;
}

/* Files must not be made on the host's disk, should a mount be none. */
static bool is_mounted(const char *directory, const char *mark) {
        _cleanup_free_ char *text = NULL;
        char point[64], source[64];

        snprintf(point, sizeof(point), " / %s ", directory);
        snprintf(source, sizeof(source), " - tmpfs %s ", mark);
        if (look_mountinfo(getpid(), &text) < 0)
                return false;
        for (const char *line = text; *line; line = strchrnul(line, '\n'), line += *line == '\n') {
                size_t n = strcspn(line, "\n");

                if (memmem(line, n, point, strlen(point)) && memmem(line, n, source, strlen(source)))
                        return true;
        }
        return false;
}

/* Over a directory that every system has: nobody else sees this mount, and there is nothing to remove afterwards. */
static int mount_stage(struct scene *scene, const char *mark, struct initsync_error *reterr) {
        static const char *const directories[] = { "/mnt", "/media", "/srv", "/tmp" };
        struct stat st;

        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++) {
                if (lstat(directories[i], &st) < 0 || !S_ISDIR(st.st_mode))
                        continue;
                if (mount(mark, directories[i], "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
                        return fault_call(reterr, -errno, "mount of a tmpfs", directories[i]);
                if (!is_mounted(directories[i], mark))
                        return fault(reterr, -EIO, "mount of a tmpfs at %s succeeded, but there is none", directories[i]);
                strcpy(scene->directory, directories[i]);
                return 0;
        }
        return fault(reterr, -ENOENT, "there is none of the directories /mnt, /media, /srv, /tmp");
}

static int make_disk_stage(struct scene *scene, const char *mark, struct initsync_error *reterr) {
        const char *temporary = getenv("TMPDIR");

        if (!temporary || temporary[0] != '/' || strlen(temporary) > PATH_MAX / 2)
                temporary = "/var/tmp";
        snprintf(scene->directory, sizeof(scene->directory), "%s/%s-XXXXXX", temporary, mark);
        if (!mkdtemp(scene->directory))
                return fault_call(reterr, -errno, "mkdtemp", scene->directory);
        scene->on_disk = true;
        /* the container's root is nobody out here */
        if (chmod(scene->directory, 0755) < 0)
                return fault_call(reterr, -errno, "chmod", scene->directory);
        return 0;
}

/* tmpfs takes id maps since Linux 6.3, the usual disk file systems since 5.12. */
static int choose_stage(struct scene *scene, const char *mark, struct initsync_error *reterr) {
        struct scene disk = { .n_files = 0 };
        char why[sizeof(scene->why_no_idmap)];
        int r = mount_stage(scene, mark, reterr);

        if (r < 0)
                return r;
        scene->setattr = probe_setattr();
        scene->userns = probe_userns(scene->why_no_userns, sizeof(scene->why_no_userns));
        scene->idmap = probe_idmap(scene->directory, scene->why_no_idmap, sizeof(scene->why_no_idmap));
        if (scene->idmap || !scene->userns || !look_owns_ids(SCENE_IDS) || make_disk_stage(&disk, mark, reterr) < 0)
                return 0;
        if (!probe_idmap(disk.directory, why, sizeof(why))) {
                scene_remove(disk.directory);
                return 0;
        }
        if (umount2(scene->directory, MNT_DETACH) < 0)
                return fault_call(reterr, -errno, "umount2", scene->directory);
        strcpy(scene->directory, disk.directory);
        scene->on_disk = scene->idmap = true;
        return 0;
}

/* Whose ids there are decides what can be shown: see demo_map.c. */
static void choose_ids(struct scene *scene) {
        scene->overflow.uid = look_number("/proc/sys/kernel/overflowuid", 65534);
        scene->overflow.gid = look_number("/proc/sys/kernel/overflowgid", 65534);
        if (scene->userns && !look_owns_ids(SCENE_BASE + SCENE_IDS)) {
                scene->userns = false;
                snprintf(scene->why_no_userns, sizeof(scene->why_no_userns), "too few ids are mapped here");
        }
        scene->base = scene->userns ? SCENE_BASE : 0;
        scene->ranges = look_owns_ids(SCENE_RANGE);
        scene->n_files = scene->ranges ? SCENE_N_FILES : 1;
}

int scene_build(struct scene *scene, const char *mark, struct initsync_error *reterr) {
        int r;

        umask(022);
        r = choose_stage(scene, mark, reterr);
        if (r < 0)
                return r;
        snprintf(scene->rootfs, sizeof(scene->rootfs), "%.4000s/rootfs", scene->directory);
        choose_ids(scene);
        r = make_files(scene, reterr);
        if (r == 0)
                r = make_host_directories(scene, reterr);
        if (r == 0)
                scene_map(scene);
        return r;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
        (void)st, (void)type, (void)ftw;
        return remove(path);
}

void scene_remove(const char *directory) {
        /* FTW_MOUNT: whatever is mounted below, which nothing should be, is none of ours to empty */
        nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
