/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include "cleanup.h"
#include "kernel.h"
#include "keeper.h"
#include "reap.h"
#include "say.h"
#include "sweep.h"

#define SWEEP_MS 5000           /* what is killed and takes longer hangs in a system call, of a dead file server say */
#define END_MS 8000             /* for it to sweep, on a busy machine */
#define ANSWER_S 5
#define START_MS 10000
#define ROUND_MS 50
#define STUCK 1                 /* exit status */

struct made {
        int pid;                        /* or a negative errno, and then why */
        struct initsync_error error;
};

/* The number, and with it the descriptor if there is one. */
static int send_made(int fd, struct made *made, int pidfd) {
        char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr)))) = { 0 };
        struct iovec data = { .iov_base = made, .iov_len = sizeof(*made) };
        struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
        struct cmsghdr *header;

        if (pidfd >= 0) {
                message.msg_control = control;
                message.msg_controllen = sizeof(control);
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(header), &pidfd, sizeof(int));
        }
        return sendmsg(fd, &message, MSG_NOSIGNAL) == sizeof(*made) ? 0 : -EPIPE;
}

static int receive_made(int fd, int *ret_pidfd, struct initsync_error *reterr) {
        char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr))));
        struct made made = { .pid = -1 };
        struct iovec data = { .iov_base = &made, .iov_len = sizeof(made) };
        struct msghdr message = {
                .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
        };
        struct cmsghdr *header;
        ssize_t n;

        do
                n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        if (n != sizeof(made))
                return fault_call(reterr, n < 0 ? -errno : -ECHILD, "clone3", NULL);
        header = CMSG_FIRSTHDR(&message);
        if (header && header->cmsg_type == SCM_RIGHTS)
                memcpy(ret_pidfd, CMSG_DATA(header), sizeof(int));
        if (made.pid < 0)
                *reterr = made.error;
        return made.pid > 0 && *ret_pidfd < 0 ? fault_call(reterr, -EMFILE, "clone3", NULL) : made.pid;
}

#define REAP_MAX 256            /* at once: who makes more meanwhile is not to keep us from everything else */

static void answer(int fd, int pidfd) {
        siginfo_t info = { .si_pid = 0 };
        int status;

        /* Whoever asks waits for an answer, and has seen the end. One whom another process traces is shown to that one only. */
        if (waitid(KERNEL_P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | KERNEL_WALL) < 0 || info.si_pid == 0)
                info = (siginfo_t){ .si_code = CLD_KILLED, .si_status = SIGKILL };
        status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
        if (send(fd, &status, sizeof(status), MSG_NOSIGNAL) < 0)
                return;
}

/* Orphans that ended, while the container goes on: its first process stays until somebody asks how it ended. */
static void reap_orphans(pid_t first) {
        siginfo_t info;
        int n;

        for (n = 0; n < REAP_MAX; n++) {
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | KERNEL_WALL) < 0 || info.si_pid == 0 ||
                    info.si_pid == first)
                        return;
                waitpid(info.si_pid, NULL, WNOHANG | KERNEL_WALL);
        }
}

/* Until there is nobody to ask any more. */
static void attend(int fd, int pidfd, pid_t first) {
        struct signalfd_siginfo info;
        _cleanup_fd_ int ended = -1;
        sigset_t set;
        char byte;

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        ended = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        for (;;) {
                struct pollfd wait[] = { { .fd = fd, .events = POLLIN }, { .fd = ended, .events = POLLIN } };

                if (poll(wait, 2, -1) < 0)
                        continue;
                if (wait[0].revents) {
                        if (read(fd, &byte, 1) != 1)
                                return;
                        answer(fd, pidfd);
                }
                if (wait[1].revents && read(ended, &info, sizeof(info)) > 0)
                        reap_orphans(first);
        }
}

static _Noreturn void keep(int fd, keeper_make *make, void *userdata) {
        int kept[2] = { fd, -1 }, i;
        struct made made;
        sigset_t all;

        /* What is sent to a whole session or process group is not for it. */
        setsid();
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                made.pid = fault_call(&made.error, -errno, "prctl", NULL);
        else
                made.pid = make(userdata, &kept[1], &made.error);
        sigfillset(&all);
        sigprocmask(SIG_SETMASK, &all, NULL);
        if (send_made(fd, &made, kept[1]) < 0)
                _exit(sweep(SWEEP_MS) ? 0 : STUCK);     /* nobody would ever ask */
        /* Whoever waits for the end of our output, or of the conversation, waits for nothing else. */
        initsync_child_only(kept, made.pid < 0 ? 1 : 2);
        for (i = 0; i < 3; i++)
                close(i);
        attend(fd, kept[1], made.pid);
        _exit(sweep(SWEEP_MS) ? 0 : STUCK);
}

/* Until it has something to say. Others of the same user may stop it. */
static int await(const struct keeper *keeper, struct initsync_error *reterr) {
        struct pollfd wait = { .fd = keeper->fd, .events = POLLIN };
        int left;

        for (left = START_MS; left > 0; left -= ROUND_MS) {
                if (poll(&wait, 1, ROUND_MS) > 0)
                        return 0;
                kill(keeper->pid, SIGCONT);
        }
        return fault(reterr, -ETIME, "clone3: no answer from a process of ours");
}

int keeper_start(struct keeper *keeper, keeper_make *make, void *userdata, pid_t *ret_pid,
                 int *ret_pidfd, struct initsync_error *reterr) {
        _cleanup_fd_ int theirs = -1;
        int ends[2], r;
        pid_t pid;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
                return fault_call(reterr, -errno, "socketpair", NULL);
        keeper->fd = ends[0];
        theirs = ends[1];
        fflush(NULL);
        pid = fork();
        if (pid < 0)
                return fault_call(reterr, -errno, "fork", NULL);
        if (pid == 0) {
                close(keeper->fd);
                keep(theirs, make, userdata);
        }
        keeper->pid = pid;
        fd_closep(&theirs);
        r = await(keeper, reterr);
        if (r < 0)
                return r;
        r = receive_made(keeper->fd, ret_pidfd, reterr);
        if (r < 0)
                return r;
        *ret_pid = r;
        return 0;
}

int keeper_status(const struct keeper *keeper) {
        const struct timeval limit = { .tv_sec = ANSWER_S };
        int status;

        setsockopt(keeper->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        kill(keeper->pid, SIGCONT);
        if (send(keeper->fd, "", 1, MSG_NOSIGNAL) == 1 && recv(keeper->fd, &status, sizeof(status), 0) == sizeof(status))
                return status;
        return 128 + SIGKILL;           /* and so was the keeper */
}

int keeper_end(struct keeper *keeper) {
        int status = 0;

        fd_closep(&keeper->fd);
        if (keeper->pid > 0 && !reap(keeper->pid, END_MS, &status))
                status = STUCK << 8;
        keeper->pid = 0;
        return WIFEXITED(status) && WEXITSTATUS(status) == STUCK ? -ETIME : 0;
}
