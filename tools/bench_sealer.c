/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "bench_sealer.h"
#include "bench_sealer_bare.h"
#include "cleanup.h"
#include "demo_kernel.h"
#include "say.h"

struct answer {
        int64_t result;
        struct initsync_error error;
};

/* ---- in the copy ---- */

/* What is executed: as it is, and sealed either way. */
struct files {
        int plain, overlay, memfd;
};

/* From before the call to after it: the close of what came is not in it. */
static int64_t set_up(enum initsync_seal how, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = -1;
        int64_t start = clock_ns();
        int r = initsync_exe_seal(how, &fd, reterr);

        return r < 0 ? r : clock_ns() - start;
}

static int64_t bare(int (*seal)(void), struct initsync_error *reterr) {
        int64_t start = clock_ns(), took;
        _cleanup_fd_ int fd = seal();

        took = clock_ns() - start;
        return fd < 0 ? fault_call(reterr, fd, "a bare call", "/proc/self/exe") : took;
}

static _Noreturn void execute(int fd) {
        char *const argv[] = { (char *)"syncdemo", (char *)"--version", NULL };

        syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH);
        _exit(127);
}

static int sealed(enum initsync_seal how) {
        int fd;

        return initsync_exe_seal(how, &fd, NULL) < 0 ? -1 : fd;
}

static int sealed_by_overlay(void) {
        return sealed(INITSYNC_SEAL_OVERLAY);
}

static int sealed_in_memory(void) {
        return sealed(INITSYNC_SEAL_MEMFD);
}

/* What @seal gives in the child; without, @fd. */
static int64_t run_once(int fd, int (*seal)(void), struct initsync_error *reterr) {
        int64_t start = clock_ns();
        pid_t pid = fork();
        int status;

        if (pid < 0)
                return fault_call(reterr, -errno, "fork", NULL);
        if (pid == 0) {
                execute(seal ? seal() : fd);
        }
        if (waitpid(pid, &status, 0) < 0)
                return fault_call(reterr, -errno, "waitpid", NULL);
        return status ? fault(reterr, -ECHILD, "the executable ended with status 0x%x", status) : clock_ns() - start;
}

static int64_t carry_out(enum sealer_order order, const struct files *files, struct initsync_error *reterr) {
        switch (order) {
        case SEALER_OVERLAY: return set_up(INITSYNC_SEAL_OVERLAY, reterr);
        case SEALER_BARE_OVERLAY: return bare(bare_overlay, reterr);
        case SEALER_MEMFD: return set_up(INITSYNC_SEAL_MEMFD, reterr);
        case SEALER_BARE_MEMFD: return bare(bare_memfd, reterr);
        case SEALER_EXEC: return run_once(files->plain, NULL, reterr);
        case SEALER_EXEC_OVERLAY: return run_once(files->overlay, NULL, reterr);
        case SEALER_EXEC_MEMFD: return run_once(files->memfd, NULL, reterr);
        case SEALER_BOTH_OVERLAY: return run_once(-1, sealed_by_overlay, reterr);
        case SEALER_BOTH_BARE_OVERLAY: return run_once(-1, bare_overlay, reterr);
        case SEALER_BOTH_MEMFD: return run_once(-1, sealed_in_memory, reterr);
        case SEALER_N_ORDERS: break;
        }
        return fault(reterr, -EINVAL, "no such order");
}

static int open_files(struct files *files, struct initsync_error *reterr) {
        int r;

        files->plain = open("/proc/self/exe", O_PATH | O_CLOEXEC);
        if (files->plain < 0)
                return fault_call(reterr, -errno, "open", "/proc/self/exe");
        r = initsync_exe_seal(INITSYNC_SEAL_OVERLAY, &files->overlay, reterr);
        return r < 0 ? r : initsync_exe_seal(INITSYNC_SEAL_MEMFD, &files->memfd, reterr);
}

int sealer_main(void) {
        struct answer answer = { .result = 0 };
        struct files files = { -1, -1, -1 };
        char order;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        answer.result = open_files(&files, &answer.error);
        while (write(0, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) && answer.result >= 0 && read(0, &order, 1) == 1) {
                memset(&answer, 0, sizeof(answer));
                answer.result = carry_out((enum sealer_order)order, &files, &answer.error);
        }
        return answer.result < 0;
}

/* ---- its owner ---- */

static int copy_program(const char *path, size_t more, struct initsync_error *reterr) {
        _cleanup_fd_ int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), to = -1;
        struct stat file;
        ssize_t n;

        if (from < 0 || fstat(from, &file) < 0)
                return fault_call(reterr, -errno, "open", "/proc/self/exe");
        to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
        if (to < 0)
                return fault_call(reterr, -errno, "open", path);
        do
                n = sendfile(to, from, NULL, (size_t)file.st_size);
        while (n > 0);
        if (n == 0)
                n = more ? posix_fallocate(to, file.st_size, (off_t)more) : 0;
        return n ? fault_call(reterr, n < 0 ? -errno : -(int)n, "write", path) : 0;
}

static int64_t receive(struct sealer *sealer, struct initsync_error *reterr) {
        struct answer answer;

        if (read(sealer->socket, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
                return fault(reterr, -ECHILD, "%s died", sealer->path);
        if (answer.result < 0)
                *reterr = answer.error;
        return answer.result;
}

int sealer_start(struct sealer *sealer, size_t more, struct initsync_error *reterr) {
        char *const argv[] = { sealer->path, (char *)"bench", (char *)SEALER_OPTION, NULL };
        posix_spawn_file_actions_t files;
        int pair[2], r = copy_program(sealer->path, more, reterr);

        if (r < 0)
                return r;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return fault_call(reterr, -errno, "socketpair", NULL);
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_adddup2(&files, pair[1], 0);
        posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
        r = -posix_spawn(&sealer->pid, sealer->path, &files, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&files);
        close(pair[1]);
        sealer->socket = pair[0];
        if (r < 0) {
                sealer->pid = 0;
                return fault_call(reterr, r, "posix_spawn", sealer->path);
        }
        return (int)receive(sealer, reterr);
}

int64_t sealer_do(struct sealer *sealer, enum sealer_order order, struct initsync_error *reterr) {
        char byte = (char)order;

        if (write(sealer->socket, &byte, 1) != 1)
                return fault(reterr, -ECHILD, "%s died", sealer->path);
        return receive(sealer, reterr);
}

void sealer_end(struct sealer *sealer) {
        fd_closep(&sealer->socket);
        if (sealer->pid > 0) {
                kill(sealer->pid, SIGKILL);
                waitpid(sealer->pid, NULL, 0);
        }
        *sealer = (struct sealer)SEALER_NONE;
}
