/* SPDX-License-Identifier: MIT */
/*
 * The smallest embedder: a child in a mount namespace of its own gets one mount from its parent, hooks run, it execs.
 * A tmpfs at /mnt in a private mount namespace plays the host, so nothing is left behind. Root gets the mount id-mapped; an
 * ordinary user becomes root of a user namespace first, and gets a plain bind.
 */
#define _GNU_SOURCE 1
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <initsync.h>

static int put(const char *path, const char *line) {
        FILE *file = fopen(path, "we");

        return file && fputs(line, file) >= 0 && fclose(file) == 0 ? 0 : -1;
}

static int make_host(int user) {
        char uids[32], gids[32];

        snprintf(uids, sizeof(uids), "0 %u 1", geteuid());
        snprintf(gids, sizeof(gids), "0 %u 1", getegid());
        if (unshare(user ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) < 0)
                return -1;
        if (user && (put("/proc/self/setgroups", "deny") < 0 || put("/proc/self/uid_map", uids) < 0 ||
                     put("/proc/self/gid_map", gids) < 0))
                return -1;
        return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? -1 : mount("tmpfs", "/mnt", "tmpfs", 0, NULL);
}

/* The container's side. Whatever fails reaches the parent as one line of text, also when it is execve(). */
static void child_main(int socket_fd, const struct initsync_mount *volume) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        struct initsync_child *child;
        int source_fd;

        prctl(PR_SET_PDEATHSIG, SIGKILL);       /* a container must not outlive its runtime */
        initsync_child_only(&socket_fd, 1);     /* forked without exec: the parent's end must not stay open here */
        if (initsync_child_new(&child, socket_fd, NULL, &error) < 0)
                errx(1, "%s", error.text);
        if (initsync_child_mount(child, volume, &source_fd, &error) == 0 &&
            initsync_attach(source_fd, open("/tmp", O_PATH | O_CLOEXEC), &error) == 0 &&
            initsync_child_hooks(child, &error) == 0 &&         /* then comes pivot_root(), and all that needs privileges */
            initsync_child_ready(child, &error) == 0) {
                execl("/bin/true", "true", (char *)NULL);
                error.code = -errno;
                snprintf(error.text, sizeof(error.text), "execve(/bin/true): %m");
        }
        initsync_child_fail(child, &error);
        _exit(1);
}

static int run_hooks(void *userdata, struct initsync_error *reterr) {
        (void)userdata, (void)reterr;           /* one that fails puts its story into reterr->text, and returns -EIO */
        return puts("minimal: the hooks run here") < 0 ? -EIO : 0;
}

int main(void) {
        const struct initsync_idmap ids = { .inside = 0, .outside = 100000, .count = 65536 };
        struct initsync_mount volume = INITSYNC_MOUNT_INIT;
        struct initsync_parent_options options = { .size = sizeof(options), .mounts = &volume, .n_mounts = 1,
                                                   .hooks = run_hooks };
        struct initsync_parent *parent = NULL;
        struct initsync_error error;
        int parent_fd, child_fd, pidfd, pid, status = 0, r, user = geteuid() != 0;
        struct clone_args args = { .flags = CLONE_NEWNS | CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD };

        volume.source = "/mnt";
        if (!user)
                volume.uids = volume.gids = &ids, volume.n_uids = volume.n_gids = 1;
        if (make_host(user) < 0)
                err(77, "skipped, no namespaces for this user here");
        errno = -initsync_pair(&parent_fd, &child_fd);          /* the library leaves errno alone: its results are codes */
        if (errno != 0 || (pid = (int)syscall(SYS_clone3, &args, sizeof(args))) < 0)
                err(1, "cannot make a child");
        if (pid == 0)
                child_main(child_fd, &volume);
        close(child_fd);                        /* or end-of-file would never be seen */
        r = initsync_parent_new(&parent, parent_fd, pidfd, &options, &error);
        if (r == 0)
                r = initsync_parent_run(parent, &error);
        initsync_parent_free(parent);
        if (waitpid(pid, &status, 0) < 0 || (r == 0 && status != 0))    /* the library kills, but never reaps */
                errx(1, "the container ended with wait status %#x", (unsigned)status);
        if (r < 0)                              /* 77 where the ids are not ours to map, or a tmpfs below Linux 6.3 */
                errx(error.stage == INITSYNC_STAGE_USERNS || (r == -EINVAL && error.stage == INITSYNC_STAGE_MOUNT) ? 77 : 1, "%s",
                     error.text);
        return puts("minimal: one mount served, hooks and ready answered, /bin/true is done") < 0;
}
