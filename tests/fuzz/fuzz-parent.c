/* SPDX-License-Identifier: MIT */
/*
 * The real parent against a child that does what the bytes say: messages, descriptors, silence, death, at any moment. It ends in
 * time, what it answers is in the protocol's order, callbacks are called at most once each, and nothing is left.
 */
#include "fuzz.h"

#include <errno.h>
#include <initsync.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/attr.h"
#include "peer.h"

#define LIMIT_MS 20000          /* for a whole conversation, all of whose deadlines are a few milliseconds, on a busy machine */

const char fuzz_name[] = "parent";

static struct {
        int hooks, ready, seccomp, later, fails;
        int stage;                      /* of what was sent: see on_trace() */
        struct initsync_parent *parent;
} seen;

static int answer(void) {
        return seen.later ? INITSYNC_LATER : seen.fails ? -EPERM : 0;
}

static int on_hooks(void *userdata, struct initsync_error *reterr) {
        (void)userdata, (void)reterr;
        seen.hooks++;
        return answer();
}

static int on_ready(void *userdata, struct initsync_error *reterr) {
        (void)userdata, (void)reterr;
        seen.ready++;
        return answer();
}

static int on_seccomp(int fd, void *userdata, struct initsync_error *reterr) {
        (void)userdata, (void)reterr;
        close(fd);
        seen.seccomp++;
        return answer();
}

static int on_allow(const struct initsync_mount *asked, struct initsync_mount *ret_serve, void *userdata,
                    struct initsync_error *reterr) {
        (void)userdata, (void)ret_serve, (void)reterr;
        FUZZ_CHECK(asked->source[0] == '/');
        return answer();
}

/* What may be said: procMountFd any number of times, then at most one of each, in this order; nothing after procError. */
static void on_trace(const struct initsync_trace_event *event, void *userdata) {
        static const char *const order[] = { "procMountFd", "procHooksDone", "procRun", "procSeccompDone", "procError" };
        int i;

        (void)userdata;
        if (!event->outgoing)
                return;
        for (i = 0; i < (int)ARRAY_SIZE(order); i++)
                if (strcmp(event->type, order[i]) == 0)
                        break;
        FUZZ_CHECK(i < (int)ARRAY_SIZE(order));
        FUZZ_CHECK(i == 0 ? seen.stage == 0 : i > seen.stage);
        FUZZ_CHECK(i != 3 || seen.stage == 2);
        seen.stage = i;
}

static pid_t start_child(const int *fds, int *ret_pidfd) {
        pid_t pid = fork();

        FUZZ_CHECK(pid >= 0);
        if (pid == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                close(fds[0]);
                close(fds[1]);
                for (;;)
                        pause();
        }
        *ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        FUZZ_CHECK(*ret_pidfd >= 0);
        return pid;
}

/* A sanitizer may have a symbolizer as a child of ours. */
static int has_children(void) {
        siginfo_t info = { .si_pid = 0 };

        return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

static void act(struct fuzz_input *input, int *socket, pid_t pid) {
        uint8_t op = fuzz_byte(input), how = op >> 4;
        struct timespec nap = { 0, 1000000 };
        const char *message;
        const uint8_t *bytes;
        size_t n;
        int i;

        switch (op & 15) {
        case 0 ... 5:
                message = peer_message(fuzz_byte(input));
                peer_send(*socket, message, strlen(message), 0, how == 15);
                break;
        case 6:
                message = peer_message(fuzz_byte(input));
                peer_send(*socket, message, strlen(message), how, 0);
                break;
        case 7:
                bytes = fuzz_bytes(input, fuzz_byte(input), &n);
                peer_send(*socket, bytes, n, 0, 0);
                break;
        case 8:
                peer_receive(*socket);
                break;
        case 9 ... 10:
                for (i = 0; i <= how; i++)
                        initsync_parent_dispatch(seen.parent, NULL);
                break;
        case 11:
                initsync_parent_resume(seen.parent, how & 1 ? -EPERM : 0, NULL);
                break;
        case 12:
                shutdown(*socket, how & 1 ? SHUT_WR : SHUT_RD);
                break;
        case 13:
                close(*socket);
                *socket = -1;
                break;
        case 14:
                kill(pid, how & 1 ? SIGKILL : SIGSTOP);
                break;
        default:
                nanosleep(&nap, NULL);
        }
}

static void to_the_end(int socket) {
        struct pollfd wait = { .fd = initsync_parent_get_fd(seen.parent), .events = POLLIN };
        int64_t start = peer_now();
        struct initsync_error error, second;
        int r;

        for (;;) {
                r = initsync_parent_dispatch(seen.parent, &error);
                if (r <= 0)
                        break;
                initsync_parent_resume(seen.parent, seen.fails ? -EPERM : 0, NULL);
                if (socket >= 0)
                        peer_receive(socket);
                poll(&wait, 1, 10);
                FUZZ_CHECK(peer_now() - start < LIMIT_MS);
        }
        if (r < 0)
                FUZZ_CHECK(error.code == r && error.text[0] && memchr(error.text, '\0', sizeof(error.text)));
        FUZZ_CHECK(initsync_parent_dispatch(seen.parent, &second) == r);
        FUZZ_CHECK(r != 0 || seen.stage >= 2);
        FUZZ_CHECK(seen.hooks <= 1 && seen.ready <= 1 && seen.seccomp <= 1);
}

/* A task that did not die in those few milliseconds is counted as abandoned until it does. */
static void nothing_left(int fds) {
        int64_t start = peer_now();

        while (initsync_abandoned() > 0 && peer_now() - start < LIMIT_MS)
                usleep(1000);
        FUZZ_CHECK(initsync_abandoned() == 0);
        FUZZ_CHECK(peer_fds() == fds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct initsync_parent_options options = INITSYNC_PARENT_OPTIONS_INIT;
        struct fuzz_input input = { data, size };
        uint8_t how = fuzz_byte(&input);
        int before = peer_fds(), children = has_children(), fds[2], pidfd, status;
        struct initsync_error error;
        pid_t pid;

        memset(&seen, 0, sizeof(seen));
        seen.later = how & 1;
        seen.fails = how & 2;
        options.flags = (how & 4 ? INITSYNC_PARENT_ALLOW_ANY_MOUNT : 0) | (how & 8 ? INITSYNC_PARENT_EXPECT_HOOKS : 0) |
                        (how & 16 ? INITSYNC_PARENT_SECCOMP_FD : 0) | (how & 32 ? INITSYNC_PARENT_NO_KILL : 0);
        options.timeout_ms = options.work_ms = 6;
        options.budget_ms = 30;
        options.grace_ms = 2;
        options.allow = on_allow;
        options.hooks = on_hooks;
        options.ready = on_ready;
        options.seccomp = on_seccomp;
        options.trace = on_trace;
        FUZZ_CHECK(initsync_pair(&fds[0], &fds[1]) == 0);
        pid = start_child(fds, &pidfd);
        FUZZ_CHECK(initsync_parent_new(&seen.parent, fds[0], pidfd, &options, &error) == 0);
        while (input.left && fds[1] >= 0)
                act(&input, &fds[1], pid);
        to_the_end(fds[1]);
        initsync_parent_free(seen.parent);
        if (fds[1] >= 0)
                close(fds[1]);
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0)
                FUZZ_CHECK(errno == EINTR);     /* libFuzzer has a timer */
        close(pidfd);
        nothing_left(before);
        FUZZ_CHECK(children || !has_children());
        return 0;
}
