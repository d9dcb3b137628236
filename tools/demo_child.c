/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "cleanup.h"
#include "demo_child.h"
#include "demo_kernel.h"
#include "say.h"

/* The process's own state: it makes only one conversation, and ends with it. */
struct child {
        const struct scene *scene;
        struct child_facts *facts;
        struct initsync_child *talk;
        int rootfs_fd, output_fd;
        struct initsync_error error;
};

static int failed(struct child *child, const char *call, const char *path) {
        return fault_call(&child->error, -errno, call, path);
}

static int become_root(struct child *child) {
        if (child->scene->userns &&
            (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
                return failed(child, "setresuid", NULL);
        /* New ids clear these two: the parent must be able to open what /proc has of us, and we are not to outlive it. */
        if (prctl(PR_SET_DUMPABLE, 1) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
                return failed(child, "prctl", NULL);
        return 0;
}

/* The host's programs, where the host has them: a container mounts by itself what it can reach by itself. */
static int bind_host_directories(struct child *child) {
        char from[16], to[PATH_MAX];
        struct stat st;

        for (const char *const *name = scene_host_directories; *name; name++) {
                snprintf(from, sizeof(from), "/%s", *name);
                if (lstat(from, &st) < 0 || !S_ISDIR(st.st_mode))
                        continue;
                if (mount(from, scene_path(child->scene, to, "rootfs/%s", *name), NULL, MS_BIND | MS_REC, NULL) < 0)
                        return failed(child, "mount", to);
        }
        return 0;
}

static int set_up(struct child *child) {
        const struct scene *scene = child->scene;
        char proc[PATH_MAX];
        int r;

        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return failed(child, "mount", "/");
        if (sethostname(CHILD_HOSTNAME, strlen(CHILD_HOSTNAME)) < 0)
                return failed(child, "sethostname", NULL);
        if (mount(scene->rootfs, scene->rootfs, NULL, MS_BIND | MS_REC, NULL) < 0)
                return failed(child, "mount", scene->rootfs);
        r = bind_host_directories(child);
        if (r < 0)
                return r;
        child->facts->proc = mount("proc", scene_path(scene, proc, "rootfs/proc"), "proc", 0, NULL) < 0 ? -errno : 0;
        child->rootfs_fd = open(scene->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
        return child->rootfs_fd < 0 ? failed(child, "open", scene->rootfs) : 0;
}

static int attach(struct child *child, int source_fd, const char *destination) {
        /* a link in the image must not lead the mount out of it */
        _cleanup_fd_ int target_fd = kernel_openat2(child->rootfs_fd, destination, O_PATH, RESOLVE_IN_ROOT);

        if (target_fd < 0)
                return fault_call(&child->error, target_fd, "openat2", destination);
        return initsync_attach(source_fd, target_fd, &child->error);
}

/* One mount alone, two sent ahead, and one whose source does not exist before the first is attached. */
static int take_mounts(struct child *child) {
        static const enum scene_mount order[] = { SCENE_PLAIN, SCENE_MAPPED, SCENE_TREE, SCENE_INNER };
        const struct initsync_mount *mounts = child->scene->mounts;
        int fds[SCENE_N_MOUNTS] = { -1, -1, -1, -1 }, r;

        _Static_assert(SCENE_TREE == SCENE_MAPPED + 1, "these two are sent ahead together");
        for (size_t i = 0; i < SCENE_N_MOUNTS; i++) {
                enum scene_mount at = order[i];

                if (at == SCENE_MAPPED)
                        r = initsync_child_mounts(child->talk, &mounts[at], 2, &fds[at], &child->error);
                else
                        r = at == SCENE_TREE ? 0 : initsync_child_mount(child->talk, &mounts[at], &fds[at], &child->error);
                if (r == 0)
                        r = attach(child, fds[at], mounts[at].destination);
                if (r < 0)
                        return r;
                fd_closep(&fds[at]);
        }
        return 0;
}

static int pivot(struct child *child) {
        int r;

        if (fchdir(child->rootfs_fd) < 0)
                return failed(child, "fchdir", child->scene->rootfs);
        r = kernel_pivot_root(".", ".");
        if (r < 0)
                return fault_call(&child->error, r, "pivot_root", child->scene->rootfs);
        /* the old root lies over the new one now */
        if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
                return failed(child, "umount2", "/");
        fd_closep(&child->rootfs_fd);
        return 0;
}

static int create(const char *path) {
        _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

        return fd < 0 ? -errno : 0;
}

static void look_around(struct child *child) {
        struct child_facts *facts = child->facts;
        char path[PATH_MAX];
        struct stat st;

        facts->pid = getpid();
        gethostname(facts->hostname, sizeof(facts->hostname) - 1);
        for (size_t i = 0; i < SCENE_N_PLACES; i++) {
                const char *place = scene_places[i].inside;

                look_statmount(place, &facts->mounts[i]);
                for (size_t k = 0; k < child->scene->n_files; k++) {
                        snprintf(path, sizeof(path), "%s/%s", place, scene_files[k].name);
                        facts->owners[i][k] = look_owner(path);
                        if (k == 0)
                                facts->inodes[i] = lstat(path, &st) == 0 ? st.st_ino : 0;
                }
        }
        /* only where the demo's own files are: if pivot_root did nothing, this is the host's root */
        if (facts->owners[SCENE_MAPPED][0].error == 0)
                facts->created = create("/srv/mapped/new-file");
        if (facts->owners[SCENE_TREE][0].error == 0)
                facts->wrote_tree = create("/srv/tree/sub/new-file");
}

/* What the parent did between procReady and procRun. */
static void look_at_limit(struct child *child) {
        struct rlimit limit;

        child->facts->core_limit = getrlimit(RLIMIT_CORE, &limit) < 0 ? -errno : (int64_t)limit.rlim_max;
}

/* The conversation ends with the end-of-file that a successful exec makes of its socket. */
static int exec_stat(struct child *child) {
        static char paths[SCENE_N_PLACES * SCENE_N_FILES][64];
        char *argv[4 + SCENE_N_PLACES * SCENE_N_FILES] = { (char *)"stat", (char *)"-c", (char *)"%u:%g" };
        char *envp[] = { (char *)"LC_ALL=C", NULL };
        size_t n = 0;

        if (!*child->scene->stat_program)
                return 0;
        for (size_t i = 0; i < SCENE_N_PLACES; i++)
                for (size_t k = 0; k < child->scene->n_files; k++, n++) {
                        snprintf(paths[n], sizeof(paths[n]), "%s/%s", scene_places[i].inside, scene_files[k].name);
                        argv[3 + n] = paths[n];
                }
        if (dup2(child->output_fd, STDOUT_FILENO) < 0)
                return failed(child, "dup2", NULL);
        execve(child->scene->stat_program, argv, envp);
        return failed(child, "execve", child->scene->stat_program);
}

static int start(struct child *child) {
        int r = set_up(child);

        if (r == 0)
                r = take_mounts(child);
        if (r == 0)
                r = initsync_child_hooks(child->talk, &child->error);
        if (r == 0)
                r = pivot(child);
        if (r < 0)
                return r;
        look_around(child);
        r = initsync_child_ready(child->talk, &child->error);
        if (r < 0)
                return r;
        look_at_limit(child);
        return exec_stat(child);
}

/* Calls that must fail: what they say is all that is wanted of them. */
static int ask_too_much(struct child *child) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct child_facts *facts = child->facts;
        int fd = -1;

        mount.source = CHILD_ASKS_FOR;
        mount.destination = "/srv/plain";
        facts->n_before = look_descriptors();
        facts->told = initsync_child_mount(child->talk, &mount, &fd, &facts->error);
        facts->n_after = look_descriptors();
        return 0;
}

static int give_up(struct child *child) {
        return fault(&child->error, -ENOENT, "%s", CHILD_GAVE_UP);
}

static int run_hooks(struct child *child) {
        child->facts->told = initsync_child_hooks(child->talk, &child->facts->error);
        return 0;
}

_Noreturn void child_main(const struct scene *scene, enum child_role role, struct child_facts *facts, int socket_fd,
                          int go_fd, int output_fd) {
        static int (*const roles[])(struct child *child) = {
                [CHILD_STARTS] = start,
                [CHILD_ASKS_TOO_MUCH] = ask_too_much,
                [CHILD_GIVES_UP] = give_up,
                [CHILD_RUNS_HOOKS] = run_hooks,
        };
        struct child child = { .scene = scene, .facts = facts, .rootfs_fd = -1, .output_fd = output_fd };
        const int keep[] = { socket_fd, go_fd, output_fd };
        char go;
        int r;

        /* forked without exec: whatever else is open here belongs to the demo */
        if (initsync_child_only(keep, 3) < 0 || read(go_fd, &go, 1) != 1)
                _exit(1);
        r = initsync_child_new(&child.talk, socket_fd, NULL, &child.error);
        if (r < 0)
                _exit(1);
        r = become_root(&child);
        if (r == 0)
                r = roles[role](&child);
        if (r < 0)
                initsync_child_fail(child.talk, &child.error);
        initsync_child_free(child.talk);
        _exit(r < 0 ? 1 : 0);
}
