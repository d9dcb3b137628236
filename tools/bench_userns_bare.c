/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include "bench_kernel.h"
#include "bench_userns_bare.h"
#include "cleanup.h"
#include "say.h"

#ifdef __GLIBC__
/* The name that sanitizers do not intercept: what they do there breaks a task that shares our memory. */
extern int __clone(int (*)(void *), void *, int, void *, ...);
#define bare_clone __clone
#else
#define bare_clone clone
#endif

#if defined(__clang__)
__attribute__((disable_sanitizer_instrumentation))
#else
__attribute__((no_sanitize("address", "thread", "undefined")))
#endif
static int wait_for_ever(void *unused) {
        (void)unused;
        for (;;)
                syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
        return 0;
}

static int write_map(pid_t pid, const char *name, const char *text, size_t n) {
        char path[64];
        int fd, r;

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = write(fd, text, n) == (ssize_t)n ? 0 : -errno;
        close(fd);
        return r;
}

static size_t map_text(const struct bench_maps *maps, char *to, size_t size) {
        size_t i, used = 0;

        for (i = 0; i < maps->n; i++)
                used += (size_t)snprintf(to + used, size - used, "%u %u %u\n", maps->extents[i].inside, maps->extents[i].outside,
                                         maps->extents[i].count);
        return used;
}

static int write_maps(pid_t pid, const struct bench_maps *maps, struct initsync_error *reterr) {
        char text[512];
        size_t n = map_text(maps, text, sizeof(text));
        int r;

        r = write_map(pid, "uid_map", text, n);
        if (r == 0 && !bench_is_root())
                r = write_map(pid, "setgroups", "deny", 4);
        if (r == 0)
                r = write_map(pid, "gid_map", text, n);
        return r < 0 ? fault_call(reterr, r, "write", "the map of a user namespace") : 0;
}

int bare_userns(const struct bench_maps *maps, struct initsync_error *reterr) {
        _Alignas(16) char stack[16384];
        int pidfd = -1, fd, r;
        pid_t pid = bare_clone(wait_for_ever, stack + sizeof(stack), CLONE_VM | CLONE_FILES | CLONE_NEWUSER | KERNEL_CLONE_PIDFD,
                               NULL, &pidfd);

        if (pid < 0)
                return fault_call(reterr, -errno, "clone", "user namespace");
        r = write_maps(pid, maps, reterr);
        fd = ioctl(pidfd, PIDFD_GET_USER_NAMESPACE, 0);
        if (fd < 0 && r == 0)
                r = fault_call(reterr, -errno, "ioctl", "PIDFD_GET_USER_NAMESPACE");
        kernel_pidfd_send_signal(pidfd, SIGKILL);
        kernel_wait_pidfd(pidfd);
        close(pidfd);
        return r < 0 ? r : fd;
}

/* In the forked process: once its map is there, it stops itself at its first instruction. */
static _Noreturn void be_traced(int ready) {
        char self[] = "/proc/self/exe", *argv[] = { self, NULL };
        char byte;

        if (read(ready, &byte, 1) != 1 || ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                _exit(1);
        execv(self, argv);
        _exit(1);
}

static int open_namespace(pid_t pid, struct initsync_error *reterr) {
        char path[64];
        int fd, status;

        if (waitpid(pid, &status, 0) < 0 || !WIFSTOPPED(status))
                return fault(reterr, -ECHILD, "a traced process did not stop at its execve");
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? fault_call(reterr, -errno, "open", path) : fd;
}

int traced_userns(const struct bench_maps *maps, struct initsync_error *reterr) {
        struct kernel_clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
        _cleanup_fd_ int ready = -1, go = -1;
        int pipes[2], r, status;
        pid_t pid;

        if (pipe2(pipes, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", NULL);
        ready = pipes[0];
        go = pipes[1];
        pid = kernel_clone3(&args);
        if (pid == 0) {
                close(go);
                be_traced(ready);
        }
        if (pid < 0)
                return fault_call(reterr, pid, "clone3", "user namespace");
        r = write_maps(pid, maps, reterr);
        if (r == 0 && write(go, "", 1) == 1)
                r = open_namespace(pid, reterr);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        return r;
}
