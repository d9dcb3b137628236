/* SPDX-License-Identifier: MIT */
/*
 * watch-syscall [--exchange PATH PATH] [--but PROGRAM] FILE NUMBER[/ARGUMENT=VALUE][,...] -- COMMAND...
 *
 * Runs COMMAND and writes to FILE which of these system calls it made, it or anybody that it started: a line each, as they
 * were given (see deny-syscall); "mount" is that call's number. Each call is held, noted, and let go on; to COMMAND nothing else
 * is different, but that it cannot have a seccomp listener of its own. Exits with COMMAND's status.
 *
 * With --exchange the files at these paths are exchanged while a call is held: an attacker who always comes at the right
 * moment. What the executable PROGRAM makes is not noted.
 */
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)       /* Linux 5.19 */
#endif

#define MAX_CALLS 64
#define ONE 5                   /* instructions a call */

struct call {
        const char *text;
        unsigned number, argument, value;
        int with_argument, made;
};

static struct call calls[MAX_CALLS];
static unsigned n_calls;
static char **exchanged;        /* two paths, or NULL */
static const char *but;         /* a path, or NULL */

static void parse(char *all) {
        for (char *text; (text = strsep(&all, ","));) {
                struct call *call = &calls[n_calls++];
                int n, length = 0;

                if (n_calls > MAX_CALLS)
                        errx(2, "more than %d system calls", MAX_CALLS);
                call->text = text;
                call->number = SYS_mount;
                if (strcmp(text, "mount") == 0)
                        continue;
                n = sscanf(text, "%u%n/%u=%u%n", &call->number, &length, &call->argument, &call->value, &length);
                call->with_argument = n == 3;
                if ((n != 1 && n != 3) || text[length] || call->argument > 5)
                        errx(2, "%s is not NUMBER[/ARGUMENT=VALUE]", text);
        }
}

static unsigned short compile(struct sock_filter *program) {
        unsigned short n = 0;

        for (unsigned i = 0; i < n_calls; i++) {
                const struct call *call = &calls[i];
                unsigned low = (unsigned)offsetof(struct seccomp_data, args) + call->argument * 8 +
                               (__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0);

                program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
                program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->number, 0,
                                                            call->with_argument ? 3 : 1);
                if (call->with_argument) {
                        program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low);
                        program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call->value, 0, 1);
                }
                program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
        }
        program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        return n;
}

/* The listener is the parent's, who takes it by its number. */
static void run(int socket, char **command) {
        struct sock_filter filter[ONE * MAX_CALLS + 1];
        struct sock_fprog program = { .len = compile(filter), .filter = filter };
        int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                              SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
        char taken;

        if (fd < 0)
                err(127, "seccomp");
        if (write(socket, &fd, sizeof(fd)) != sizeof(fd) || read(socket, &taken, 1) != 1)
                exit(127);
        close(fd);
        close(socket);
        execvp(command[0], command);
        err(127, "%s", command[0]);
}

static int take_listener(int pidfd, int socket) {
        int number, fd;

        if (read(socket, &number, sizeof(number)) != sizeof(number))
                exit(127);
        fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
        if (fd < 0 || write(socket, "", 1) != 1)
                err(127, "the filter's listener");
        close(socket);
        return fd;
}

static int is(const struct call *call, const struct seccomp_data *data) {
        return (unsigned)data->nr == call->number &&
               (!call->with_argument || (unsigned)data->args[call->argument] == call->value);
}

static int counts(unsigned pid) {
        char name[32], path[4096];
        ssize_t n;

        if (!but)
                return 1;
        snprintf(name, sizeof(name), "/proc/%u/exe", pid);
        n = readlink(name, path, sizeof(path) - 1);
        path[n < 0 ? 0 : n] = '\0';
        return strcmp(path, but) != 0;
}

static void note_one(int listener) {
        struct seccomp_notif made = { .id = 0 };
        struct seccomp_notif_resp answer = { .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE };

        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &made) < 0)
                return;         /* it was killed meanwhile */
        for (unsigned i = 0; counts(made.pid) && i < n_calls; i++)
                calls[i].made |= is(&calls[i], &made.data);
        if (exchanged && renameat2(AT_FDCWD, exchanged[0], AT_FDCWD, exchanged[1], RENAME_EXCHANGE) < 0)
                err(127, "%s, %s", exchanged[0], exchanged[1]);
        answer.id = made.id;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/* To the command's end; whoever it left behind goes on without these calls. */
static void note_all(int listener, int pidfd) {
        struct pollfd polls[] = { { .fd = listener, .events = POLLIN }, { .fd = pidfd, .events = POLLIN } };

        for (;;) {
                if (poll(polls, 2, -1) < 0 && errno != EINTR)
                        err(127, "poll");
                if (polls[0].revents & POLLIN)
                        note_one(listener);
                else if (polls[0].revents || polls[1].revents)
                        return;
        }
}

static void write_made(const char *path) {
        FILE *file = fopen(path, "we");

        if (!file)
                err(127, "%s", path);
        for (unsigned i = 0; i < n_calls; i++)
                if (calls[i].made)
                        fprintf(file, "%s\n", calls[i].text);
        if (fclose(file) != 0)
                err(127, "%s", path);
}

int main(int argc, char **argv) {
        int ends[2], pid, pidfd, status;

        if (argc > 3 && strcmp(argv[1], "--exchange") == 0) {
                exchanged = argv + 2;
                argc -= 3;
                argv += 3;
        }
        if (argc > 2 && strcmp(argv[1], "--but") == 0) {
                but = argv[2];
                argc -= 2;
                argv += 2;
        }
        if (argc < 5 || strcmp(argv[3], "--") != 0)
                errx(2, "usage: watch-syscall [--exchange PATH PATH] [--but PROGRAM] FILE NUMBER[/ARGUMENT=VALUE][,...] -- "
                     "COMMAND...");
        parse(argv[2]);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                err(127, "socketpair");
        pid = fork();
        if (pid == 0) {
                close(ends[0]);
                run(ends[1], argv + 4);
        }
        close(ends[1]);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        if (pid < 0 || pidfd < 0)
                err(127, "fork");
        note_all(take_listener(pidfd, ends[0]), pidfd);
        if (waitpid(pid, &status, 0) != pid)
                err(127, "waitpid");
        write_made(argv[1]);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
