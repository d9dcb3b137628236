/* SPDX-License-Identifier: MIT */
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "cleanup.h"
#include "init.h"
#include "kernel.h"
#include "launch.h"
#include "privileges.h"
#include "say.h"
#include "spawned.h"

#define KILLED_MS 5000          /* a killed process that takes longer hangs in a system call, of a dead file server say */

/* A network namespace is born with its loopback interface down. */
static int loopback_up(struct initsync_error *reterr) {
        struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        _cleanup_fd_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0)
                return fault_call(reterr, -errno, "socket", "lo");
        return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? fault_call(reterr, -errno, "ioctl", "lo") : 0;
}

static bool maps(const struct bundle_map *map, uint32_t id) {
        size_t i;

        for (i = 0; i < map->n; i++)
                if (id >= map->extents[i].inside && id - map->extents[i].inside < map->extents[i].count)
                        return true;
        return false;
}

/*
 * What is made by root of the user namespace, not with it: the root directory of message queues belongs to whoever makes their
 * namespace, and before that is somebody who has no id in there.
 */
static int late_namespaces(const struct bundle *bundle) {
        return bundle->namespaces & CLONE_NEWUSER ? bundle_new_namespaces(bundle) & CLONE_NEWIPC : 0;
}

/* An ordinary user without further ids may be somebody else inside than root, and has all rights there as he is. */
static int become(const struct bundle *bundle, struct initsync_child *child, const struct spawn_how *how, int lifeline,
                  bool late_time, struct initsync_error *reterr) {
        /* Before our ids change, which makes the files of ours in /proc root's. */
        int r = late_time ? launch_late_time(bundle, reterr) : 0;

        if (r == 0 && (bundle->namespaces & CLONE_NEWUSER) && (maps(&bundle->uids, 0) || !maps(&bundle->uids, geteuid())))
                r = privileges_root(reterr);
        if (r == 0 && late_namespaces(bundle) && unshare(late_namespaces(bundle)) < 0) {
                r = fault_call(reterr, -errno, "unshare", "ipc");
                fault_in(reterr, "config.json: linux.namespaces");
        }
        if (r == 0 && (bundle_new_namespaces(bundle) & CLONE_NEWNET)) {
                r = loopback_up(reterr);
                if (r < 0)
                        fault_in(reterr, "config.json: linux.namespaces");
        }
        return r < 0 ? r : init_run(bundle, child, how->console, how->tree, lifeline, reterr);
}

static _Noreturn void child_main(const struct bundle *bundle, const struct spawn_how *how, int socket_fd, int go_fd,
                                 bool late_time) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int keep[4] = { socket_fd, go_fd }, n = 2, lifeline;
        char byte;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                _exit(1);
        /* The other sessions of this process, its log, and our copies of the parent's ends. */
        if (how->console >= 0)
                keep[n++] = how->console;
        if (how->tree >= 0)
                keep[n++] = how->tree;
        if (initsync_child_only(keep, (size_t)n) < 0)
                _exit(1);
        /* A terminal that the caller has is not the container's, whose signals are those that are passed on. */
        setsid();
        /* Nothing comes from a parent that gave up. One that died before the signal was set shows here, or at procHooks. */
        if (read(go_fd, &byte, 1) != 1)
                _exit(1);
        close(go_fd);
        lifeline = fcntl(socket_fd, F_DUPFD_CLOEXEC, 3);
        /* Whoever sends a listener is there until it is sent: none is needed where there is none. */
        options.flags = bundle->filter.notify ? how->child_flags : 0;
        if (initsync_child_new(&child, socket_fd, &options, &error) < 0)
                _exit(1);
        become(bundle, child, how, lifeline, late_time, &error);
        initsync_child_fail(child, &error);
        _exit(1);
}

static int put(pid_t pid, const char *file, const char *text) {
        _cleanup_fd_ int fd = -1;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int put_map(pid_t pid, const char *file, const struct bundle_map *map) {
        _cleanup_free_ char *text = malloc(map->n * sizeof("4294967295 4294967295 4294967295"));
        size_t i, used = 0;

        if (!text)
                return -ENOMEM;
        for (i = 0; i < map->n; i++)
                used += (size_t)sprintf(text + used, "%u %u %u\n", map->extents[i].inside, map->extents[i].outside,
                                        map->extents[i].count);
        return put(pid, file, text);
}

static int map_ids(pid_t pid, const struct bundle *bundle, struct initsync_error *reterr) {
        int r;

        r = put_map(pid, "uid_map", &bundle->uids);
        if (r < 0)
                return fault_call(reterr, r, "write", "config.json: linux.uidMappings: uid_map");
        r = put_map(pid, "gid_map", &bundle->gids);
        /* Without the right to map any group, one may map one's own, and give up the right to leave groups for it. */
        if (r == -EPERM) {
                r = put(pid, "setgroups", "deny");
                r = r < 0 ? -EPERM : put_map(pid, "gid_map", &bundle->gids);
        }
        return r < 0 ? fault_call(reterr, r, "write", "config.json: linux.gidMappings: gid_map") : 0;
}

struct birth {
        const struct bundle *bundle;
        const struct spawn_how *how;
        const struct joined *joined;
        int socket_fd, go_fd;
};

static int make(void *userdata, int *ret_pidfd, struct initsync_error *reterr) {
        const struct birth *birth = userdata;
        struct kernel_clone_args args = {
                .flags = KERNEL_CLONE_PIDFD,
                .pidfd = (uintptr_t)ret_pidfd,
                .exit_signal = SIGCHLD,
        };
        bool late_time;
        int r;

        args.flags |= (uint64_t)(bundle_new_namespaces(birth->bundle) & ~CLONE_NEWTIME & ~late_namespaces(birth->bundle));
        fflush(NULL);
        r = launch(birth->bundle, birth->joined, &args, &late_time, reterr);
        if (r == 0)
                child_main(birth->bundle, birth->how, birth->socket_fd, birth->go_fd, late_time);
        return r;
}

/* The end of a PID namespace's first process is that of all in there; without one, somebody else has to see to it. */
static int give_birth(struct spawned *spawned, struct birth *birth, struct initsync_error *reterr) {
        int r;

        if (bundle_new_namespaces(birth->bundle) & CLONE_NEWPID) {
                r = make(birth, &spawned->pidfd, reterr);
                spawned->pid = r > 0 ? r : 0;
                return r < 0 ? r : 0;
        }
        return keeper_start(&spawned->keeper, make, birth, &spawned->pid, &spawned->pidfd, reterr);
}

int spawn(struct spawned *spawned, const struct bundle *bundle, const struct spawn_how *how, struct initsync_error *reterr) {
        struct birth birth = { .bundle = bundle, .how = how, .joined = &spawned->joined };
        _cleanup_fd_ int child_fd = -1, go_read = -1, go_write = -1;
        int go[2], r;

        r = joined_open(&spawned->joined, bundle, reterr);
        if (r < 0)
                return r;
        r = initsync_pair(&spawned->socket_fd, &child_fd);
        if (r < 0)
                return fault_call(reterr, r, "initsync_pair", NULL);
        if (pipe2(go, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", NULL);
        go_read = go[0];
        go_write = go[1];
        birth.socket_fd = child_fd;
        birth.go_fd = go_read;
        r = give_birth(spawned, &birth, reterr);
        if (r < 0)
                return r;
        if (bundle_new_namespaces(bundle) & CLONE_NEWUSER) {
                r = map_ids(spawned->pid, bundle, reterr);
                if (r < 0)
                        return r;
        }
        /* From its first step on, it may no longer be ours to trace, and its files not ours to open. */
        r = limits_open_score(&bundle->process.limits, spawned->pid, spawned->pidfd, &spawned->score_fd, reterr);
        if (r < 0)
                return r;
        /* Our end of it must be open: otherwise a child that is dead already would kill us. */
        return write(go_write, "", 1) == 1 ? 0 : fault_call(reterr, -errno, "write", NULL);
}

void spawn_signal(const struct spawned *spawned, int number) {
        if (spawned->pidfd >= 0)
                kernel_pidfd_send_signal(spawned->pidfd, number);
}

int spawn_wait(struct spawned *spawned, int timeout_ms, int *ret_status) {
        struct pollfd wait = { .fd = spawned->pidfd, .events = POLLIN };
        siginfo_t info = { .si_pid = 0 };

        if (poll(&wait, 1, timeout_ms) <= 0)
                return 0;
        if (spawned->keeper.pid > 0) {
                *ret_status = keeper_status(&spawned->keeper);
                spawned->pid = 0;
                return 1;
        }
        if (waitid(KERNEL_P_PIDFD, (id_t)spawned->pidfd, &info, WEXITED) < 0)
                return 0;
        spawned->pid = 0;
        *ret_status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        return 1;
}

void spawn_end(struct spawned *spawned) {
        int status;

        if (spawned->pid > 0) {
                spawn_signal(spawned, SIGKILL);
                if (spawn_wait(spawned, KILLED_MS, &status) == 0)
                        say("warning: process %d was killed, and does not end: it hangs in the kernel", (int)spawned->pid);
                spawned->pid = 0;       /* once is enough: the next that calls this does not wait for it */
        }
        if (keeper_end(&spawned->keeper) < 0)
                say("warning: processes of the container were killed, and do not end: they hang in the kernel");
        joined_close(&spawned->joined);
        fd_closep(&spawned->pidfd);
        fd_closep(&spawned->score_fd);
        fd_closep(&spawned->socket_fd);
}
