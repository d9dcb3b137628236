/* SPDX-License-Identifier: MIT */
/*
 * Fifty containers come up at once, driven by one thread and one epoll loop, as in a daemon or a containerd-like shim.
 *
 * Each session has three descriptors in the loop: its conversation, a timer, and its child. The timer stands for a hook
 * program that takes a while: the hooks callback starts it and returns INITSYNC_LATER, so that nobody waits for it but its
 * own container. One hook fails on purpose: the other sessions must not notice.
 */
#include "scratch.h"

#include <initsync.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#define SESSIONS 50
#define UNLUCKY 13      /* the session whose hook fails */
#define HOOK_MS 20

struct session;

/* What epoll gives back: whose descriptor it is, and what to do. */
struct watch {
        void (*on_event)(struct session *session);
        struct session *session;
};

struct session {
        int number, epoll_fd, pidfd, timer_fd, result, status;
        pid_t pid;
        struct initsync_parent *parent;
        struct initsync_error error;
        struct watch conversation, timer, child;
};

static int die(const char *what) {
        printf("many-sessions: %s: %s\n", what, strerror(errno));
        exit(1);
}

/* ---- the containers ---- */

static int exec_true(struct initsync_error *reterr) {
        execl("/bin/true", "true", (char *)NULL);
        *reterr = (struct initsync_error)INITSYNC_ERROR_INIT;
        reterr->code = -errno;
        snprintf(reterr->text, sizeof(reterr->text), "execve(/bin/true): %s", strerror(errno));
        return reterr->code;
}

static int set_up(struct initsync_child *child, const struct initsync_mount *volume, struct initsync_error *reterr) {
        int source_fd, target_fd, r;

        r = initsync_child_mount(child, volume, &source_fd, reterr);
        if (r < 0)
                return r;
        target_fd = open("/mnt/rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = initsync_attach(source_fd, target_fd, reterr);
        close(target_fd);
        close(source_fd);
        if (r < 0)
                return r;
        r = initsync_child_hooks(child, reterr);
        if (r < 0)
                return r;
        return initsync_child_ready(child, reterr);
}

static void child_main(int socket_fd, const struct initsync_mount *volume) {
        struct initsync_error error;
        struct initsync_child *child;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        /*
         * Forked without exec, this process has the sockets of all sessions that were made before it. As long as it had,
         * none of those could see the end-of-file of its peer.
         */
        initsync_child_only(&socket_fd, 1);
        if (initsync_child_new(&child, socket_fd, NULL, &error) < 0)
                _exit(1);
        /* Does nothing when it was the parent that failed: it knows. */
        if (set_up(child, volume, &error) < 0 || exec_true(&error) < 0)
                initsync_child_fail(child, &error);
        _exit(1);
}

/* ---- the runtime ---- */

static int start_hook(void *userdata, struct initsync_error *reterr) {
        struct session *session = userdata;
        struct itimerspec when = { .it_value.tv_nsec = HOOK_MS * 1000000L };

        if (timerfd_settime(session->timer_fd, 0, &when, NULL) < 0) {
                snprintf(reterr->text, sizeof(reterr->text), "cannot start the hook: %s", strerror(errno));
                return -EIO;
        }
        return INITSYNC_LATER;
}

static void on_timer(struct session *session) {
        struct initsync_error why = INITSYNC_ERROR_INIT;
        uint64_t expirations;

        if (read(session->timer_fd, &expirations, sizeof(expirations)) < 0 || !session->parent)
                return;
        snprintf(why.text, sizeof(why.text), "hook /opt/unlucky: exit status 1");
        /* -EALREADY when the conversation failed while the hook ran: dispatch tells that better. */
        initsync_parent_resume(session->parent, session->number == UNLUCKY ? -EIO : 0, &why);
}

static void watch(struct session *session, int fd, struct watch *watch, void (*on_event)(struct session *)) {
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = watch };

        *watch = (struct watch){ .on_event = on_event, .session = session };
        if (epoll_ctl(session->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
                die("epoll_ctl");
}

/*
 * By hand, and before the close: epoll forgets a descriptor by itself only when its last duplicate is closed. The library
 * has one of the pidfd, and each child has all of them until it comes to initsync_child_only().
 */
static void unwatch(struct session *session, int fd) {
        if (epoll_ctl(session->epoll_fd, EPOLL_CTL_DEL, fd, NULL) < 0)
                die("epoll_ctl");
}

static void on_conversation(struct session *session) {
        int r = initsync_parent_dispatch(session->parent, &session->error);

        /*
         * Also a conversation that failed stays at 1 for a while: the child is told why and given time to read that, then it
         * is killed. All of it is driven by this loop, and needs no case of its own.
         */
        if (r == 1)
                return;
        session->result = r;
        unwatch(session, initsync_parent_get_fd(session->parent));
        session->parent = initsync_parent_free(session->parent);
}

static void on_child(struct session *session) {
        /* By pid, never by -1: another part of the program may have children, too. */
        if (waitpid(session->pid, &session->status, WNOHANG) != session->pid)
                return;
        unwatch(session, session->pidfd);
        close(session->pidfd);
        session->pidfd = -1;
}

static void start(struct session *session, const struct initsync_parent_options *common) {
        struct initsync_parent_options options = *common;
        int parent_fd, child_fd;

        errno = -initsync_pair(&parent_fd, &child_fd);  /* the library leaves errno alone: its results are codes */
        if (errno != 0)
                die("initsync_pair");
        session->pid = scratch_clone(CLONE_NEWNS, &session->pidfd);
        if (session->pid < 0)
                die("clone3");
        if (session->pid == 0)
                child_main(child_fd, common->mounts);
        close(child_fd);

        options.userdata = session;
        if (initsync_parent_new(&session->parent, parent_fd, session->pidfd, &options, &session->error) < 0) {
                printf("many-sessions: %s\n", session->error.text);
                exit(1);
        }
        session->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        if (session->timer_fd < 0)
                die("timerfd_create");
        watch(session, initsync_parent_get_fd(session->parent), &session->conversation, on_conversation);
        watch(session, session->timer_fd, &session->timer, on_timer);
        watch(session, session->pidfd, &session->child, on_child);
}

static int still_busy(const struct session *sessions) {
        int n = 0;

        for (int i = 0; i < SESSIONS; i++)
                n += sessions[i].parent || sessions[i].pidfd >= 0;
        return n;
}

static void loop(const struct session *sessions, int epoll_fd) {
        struct epoll_event events[32];
        int n;

        /* No timeout here: the deadlines of a session make its descriptor readable. */
        while (still_busy(sessions)) {
                n = epoll_wait(epoll_fd, events, 32, -1);
                if (n < 0 && errno != EINTR)
                        die("epoll_wait");
                for (int i = 0; i < n; i++) {
                        struct watch *watch = events[i].data.ptr;

                        watch->on_event(watch->session);
                }
        }
}

/* Everything must have gone well but the one hook; and its story must be the one that the hook told. */
static int count_failures(struct session *sessions) {
        int failures = 0;

        for (int i = 0; i < SESSIONS; i++) {
                struct session *session = &sessions[i];

                close(session->timer_fd);
                if (i == UNLUCKY ? session->result == -EIO && session->status != 0 :
                                   session->result == 0 && session->status == 0)
                        continue;
                failures++;
                printf("many-sessions: session %d: result %d, wait status %#x: %s\n", i, session->result,
                       (unsigned)session->status, session->result < 0 ? session->error.text : "no error");
        }
        return failures;
}

int main(void) {
        static struct session sessions[SESSIONS];
        struct initsync_mount volume = INITSYNC_MOUNT_INIT;
        struct initsync_parent_options options = { .size = sizeof(options), .rootfs = "/mnt/rootfs", .mounts = &volume,
                                                   .n_mounts = 1, .hooks = start_hook };
        struct timespec before, after;
        int epoll_fd, failures;

        scratch_host("many-sessions");
        volume.source = "/mnt/volume";
        volume.destination = "/volume";
        epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (epoll_fd < 0)
                die("epoll_create1");

        clock_gettime(CLOCK_MONOTONIC, &before);
        for (int i = 0; i < SESSIONS; i++) {
                sessions[i].number = i;
                sessions[i].epoll_fd = epoll_fd;
                start(&sessions[i], &options);
        }
        loop(sessions, epoll_fd);
        clock_gettime(CLOCK_MONOTONIC, &after);
        close(epoll_fd);

        failures = count_failures(sessions);
        if (failures == 0)
                printf("many-sessions: %d containers in %ld ms, each with a hook of %d ms; the one that was to fail: %s\n",
                       SESSIONS, (long)((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000),
                       HOOK_MS, sessions[UNLUCKY].error.text);
        return failures != 0;
}
