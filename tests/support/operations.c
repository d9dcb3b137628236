/* SPDX-License-Identifier: MIT */
/*
 * Does one operation of the library several times, each between two system calls that nobody else makes, so that a tracer can count
 * what lies in between. Prints nothing.
 *
 *      operations userns | cached | plain | mapped | tree | session
 */
#include <err.h>
#include <errno.h>
#include <initsync.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMES 9
#define MARK (-7000)            /* no process group: the call fails, and changes nothing */

static const struct initsync_idmap map[2] = { { 0, 100000, 1000 }, { 1000, 200000, 1000 } };

static void mark(void) {
        syscall(SYS_getpgid, MARK);
}

/* Until whoever served the last one waits again: what they do after the answer belongs to it. */
static void settle(void) {
        const struct timespec time = { .tv_nsec = 20 * 1000000 };

        nanosleep(&time, NULL);
}

static void check(int r, const struct initsync_error *error) {
        if (r < 0)
                errx(1, "%s", error->text);
}

static void userns(struct initsync_userns_cache *cache) {
        struct initsync_error error;
        int i, fd;

        for (i = 0; i < TIMES; i++) {
                mark();
                if (cache)
                        check(initsync_userns_cache_get(cache, map, 2, map, 2, &fd, &error), &error);
                else
                        check(initsync_userns_open(map, 2, map, 2, &fd, &error), &error);
                mark();
                close(fd);
        }
}

enum request { REQUEST_NONE, REQUEST_PLAIN, REQUEST_MAPPED, REQUEST_TREE };

static struct initsync_mount source(enum request request) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = "/mnt";
        mount.uids = mount.gids = map;
        mount.n_uids = mount.n_gids = request == REQUEST_PLAIN ? 0 : 2;
        if (request == REQUEST_TREE)
                mount.flags = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE;
        return mount;
}

static void request_child(int socket, enum request request) {
        const struct initsync_mount mount = source(request);
        struct initsync_child *child;
        struct initsync_error error;
        int i, fd;

        check(initsync_child_new(&child, socket, NULL, &error), &error);
        check(initsync_child_mount(child, &mount, &fd, &error), &error);        /* the first starts the mount task */
        settle();
        for (i = 0; i < TIMES; i++) {
                mark();
                check(initsync_child_mount(child, &mount, &fd, &error), &error);
                settle();
                mark();
        }
        check(initsync_child_ready(child, &error), &error);
        initsync_child_free(child);
}

static void session_child(int socket) {
        struct initsync_child *child;
        struct initsync_error error;

        check(initsync_child_new(&child, socket, NULL, &error), &error);
        check(initsync_child_hooks(child, &error), &error);
        check(initsync_child_ready(child, &error), &error);
        initsync_child_free(child);
}

static int agree(void *userdata, struct initsync_error *reterr) {
        (void)userdata, (void)reterr;
        return 0;
}

/* With REQUEST_NONE only hooks and ready. */
static void converse(enum request request) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        struct initsync_mount mounts[TIMES + 1];
        struct initsync_parent *parent;
        struct initsync_error error;
        int ours, theirs, pidfd, status, i;
        pid_t pid;

        for (i = 0; i <= TIMES; i++)
                mounts[i] = source(request);
        if (request == REQUEST_NONE)
                mark();
        check(initsync_pair(&ours, &theirs), &(struct initsync_error){ .text = "socketpair" });
        pid = fork();
        if (pid == 0) {
                close(ours);
                if (request == REQUEST_NONE)
                        session_child(theirs);
                else if (unshare(CLONE_NEWNS) == 0)
                        request_child(theirs, request);
                _exit(0);
        }
        close(theirs);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        options.hooks = agree;
        options.mounts = mounts;
        options.n_mounts = request == REQUEST_NONE ? 0 : TIMES + 1;
        if (request != REQUEST_NONE)
                settle();               /* the child is in its mount namespace */
        check(initsync_parent_new(&parent, ours, pidfd, &options, &error), &error);
        check(initsync_parent_run(parent, &error), &error);
        initsync_parent_free(parent);
        close(pidfd);
        if (waitpid(pid, &status, 0) != pid || status != 0)
                errx(1, "the child failed");
        if (request == REQUEST_NONE)
                mark();
}

static void cached(void) {
        struct initsync_userns_cache *cache;
        struct initsync_error error;
        int fd;

        if (initsync_userns_cache_new(&cache, 4) < 0)
                errx(1, "initsync_userns_cache_new");
        check(initsync_userns_cache_get(cache, map, 2, map, 2, &fd, &error), &error);
        userns(cache);
        initsync_userns_cache_free(cache);
}

int main(int argc, char **argv) {
        const char *what = argc == 2 ? argv[1] : "";
        int i;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("operations", "/mnt", "tmpfs", 0, NULL) < 0)
                err(1, "a mount namespace with a tmpfs at /mnt");
        if (strcmp(what, "userns") == 0)
                userns(NULL);
        else if (strcmp(what, "cached") == 0)
                cached();
        else if (strcmp(what, "plain") == 0)
                converse(REQUEST_PLAIN);
        else if (strcmp(what, "mapped") == 0)
                converse(REQUEST_MAPPED);
        else if (strcmp(what, "tree") == 0)
                converse(REQUEST_TREE);
        else if (strcmp(what, "session") == 0)
                for (i = 0; i < TIMES; i++)
                        converse(REQUEST_NONE);
        else
                errx(2, "usage: operations userns | cached | plain | mapped | tree | session");
        return 0;
}
