/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "duo.h"
#include "process.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define LATER_MS 20

int64_t duo_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int answer(struct duo *duo, enum duo_callback which, struct initsync_error *reterr) {
        duo->calls[which]++;
        if (duo->later == which)
                return INITSYNC_LATER;
        if (duo->answers[which] < 0 && duo->why)
                snprintf(reterr->text, sizeof(reterr->text), "%s", duo->why);
        return duo->answers[which];
}

static int on_allow(const struct initsync_mount *asked, struct initsync_mount *ret_serve, void *userdata,
                    struct initsync_error *reterr) {
        struct duo *duo = userdata;
        int r = answer(duo, DUO_ALLOW, reterr);

        return r >= 0 && duo->on_allow && duo->on_allow(asked, ret_serve) < 0 ? -EACCES : r;
}

static int on_hooks(void *userdata, struct initsync_error *reterr) {
        return answer(userdata, DUO_HOOKS, reterr);
}

static int on_ready(void *userdata, struct initsync_error *reterr) {
        return answer(userdata, DUO_READY, reterr);
}

static int on_seccomp(int fd, void *userdata, struct initsync_error *reterr) {
        struct duo *duo = userdata;

        if (duo->on_seccomp)
                assert_int_equal(duo->on_seccomp(duo, fd), 0);
        close(fd);
        return answer(duo, DUO_SECCOMP, reterr);
}

static int on_kill(void *userdata) {
        struct duo *duo = userdata;

        duo->calls[DUO_KILL]++;
        return duo->on_kill ? duo->on_kill(duo) : 0;
}

static void on_trace(const struct initsync_trace_event *event, void *userdata) {
        struct duo *duo = userdata;
        struct duo_event *to = &duo->events[duo->n_events % DUO_EVENTS];

        to->time_ns = event->time_ns;
        to->outgoing = event->outgoing;
        to->has_fd = event->has_fd;
        snprintf(to->type, sizeof(to->type), "%s", event->type);
        snprintf(to->arg, sizeof(to->arg), "%s", event->arg ? event->arg : "");
        duo->n_events++;
}

void duo_init(struct duo *duo) {
        memset(duo, 0, sizeof(*duo));
        duo->pid = duo->pidfd = -1;
        duo->options = (struct initsync_parent_options){
                .size = sizeof(duo->options),
                .timeout_ms = 5000,
                .budget_ms = 20000,
                .grace_ms = 100,
                .allow = on_allow,
                .hooks = on_hooks,
                .ready = on_ready,
                .seccomp = on_seccomp,
                .kill = on_kill,
                .trace = on_trace,
                .userdata = duo,
        };
}

int duo_fork(int (*run)(int socket, void *arg), int socket, void *arg, const int *keep, int n_keep) {
        int pid = fork(), fds[8] = { socket }, i;

        assert(pid >= 0);
        if (pid > 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        for (i = 0; i < n_keep; i++)
                fds[1 + i] = keep[i];
        initsync_child_only(fds, (size_t)n_keep + 1);
        _exit(run(socket, arg));
}

void duo_start(struct duo *duo, int (*run)(int socket, void *arg), void *arg) {
        int child = -1;

        assert_int_equal(initsync_pair(&duo->socket, &child), 0);
        duo->pid = duo_fork(run, child, arg, duo->keep, duo->n_keep);
        close(child);
        duo->pidfd = (int)syscall(SYS_pidfd_open, duo->pid, 0);
        assert_true(duo->pidfd >= 0);
        assert_int_equal(initsync_parent_new(&duo->parent, duo->socket, duo->pidfd, &duo->options, &duo->error), 0);
}

/* What is written on failure only keeps its poison on success. */
static void poison(struct duo *duo) {
        memset(&duo->error, 0x5a, sizeof(duo->error));
}

int duo_run(struct duo *duo) {
        int64_t start = duo_now();

        poison(duo);
        duo->result = initsync_parent_run(duo->parent, &duo->error);
        duo->took_ms = duo_now() - start;
        return duo->result;
}

static int give_answer(struct duo *duo) {
        struct initsync_error why = INITSYNC_ERROR_INIT;
        enum duo_callback which = duo->later;

        duo->later = DUO_NONE;
        snprintf(why.text, sizeof(why.text), "%s", duo->why ? duo->why : "");
        return initsync_parent_resume(duo->parent, duo->answers[which], duo->why ? &why : NULL);
}

int duo_loop(struct duo *duo) {
        struct pollfd one = { .fd = initsync_parent_get_fd(duo->parent), .events = POLLIN };
        int64_t start = duo_now(), later = 0;
        int r;

        poison(duo);
        while ((r = initsync_parent_dispatch(duo->parent, &duo->error)) == 1) {
                if (!later && duo->later && duo->calls[duo->later])
                        later = duo_now() + LATER_MS;
                if (later && duo->later && duo_now() >= later)
                        assert_int_equal(give_answer(duo), 0);
                poll(&one, 1, duo->later && later ? LATER_MS : initsync_parent_timeout_ms(duo->parent));
        }
        duo->result = r;
        duo->took_ms = duo_now() - start;
        return r;
}

void duo_all(struct duo *duos, size_t n) {
        struct pollfd polls[128];
        int64_t start = duo_now();
        size_t i, open = n;

        assert(n <= 128);
        for (i = 0; i < n; i++) {
                poison(&duos[i]);
                polls[i] = (struct pollfd){ .fd = initsync_parent_get_fd(duos[i].parent), .events = POLLIN };
        }
        while (open) {
                assert_true(poll(polls, n, 10000) > 0);
                for (i = 0; i < n; i++) {
                        if (!polls[i].revents)
                                continue;
                        duos[i].result = initsync_parent_dispatch(duos[i].parent, &duos[i].error);
                        if (duos[i].result == 1)
                                continue;
                        duos[i].took_ms = duo_now() - start;
                        polls[i] = (struct pollfd){ .fd = -1 };
                        open--;
                }
        }
}

void duo_end(struct duo *duo) {
        duo->parent = initsync_parent_free(duo->parent);
        process_signal(duo->pid, SIGCONT);
        if (waitpid(duo->pid, &duo->status, WNOHANG) == 0) {
                int i;

                /* One that was let go ends by itself within a moment; who hangs is killed. */
                for (i = 0; i < 200 && waitpid(duo->pid, &duo->status, WNOHANG) == 0; i++)
                        usleep(5000);
                if (i == 200) {
                        process_signal(duo->pid, SIGKILL);
                        waitpid(duo->pid, &duo->status, 0);
                }
        }
        close(duo->pidfd);
        duo->pid = duo->pidfd = -1;
}

const char *duo_trace(const struct duo *duo) {
        static char text[DUO_EVENTS * 32];
        size_t i, used = 0;

        text[0] = '\0';
        for (i = 0; i < duo->n_events && i < DUO_EVENTS; i++)
                used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%c %s", i ? ", " : "",
                                         duo->events[i].outgoing ? '<' : '>', duo->events[i].type);
        return text;
}

static void same_again(struct duo *duo, const char *file, int line) {
        struct pollfd one = { .fd = initsync_parent_get_fd(duo->parent), .events = POLLIN };
        struct initsync_error again;
        int calls[DUO_CALLBACKS], i;

        /* Whoever only comes when there is something to do shall come: by a timer, which an emulated processor hears late. */
        _assert_int_equal((unsigned long)poll(&one, 1, 1000), 1, file, line);
        memcpy(calls, duo->calls, sizeof(calls));
        for (i = 0; i < 2; i++) {
                memset(&again, 0x5a, sizeof(again));
                _assert_int_equal((unsigned long)initsync_parent_dispatch(duo->parent, &again), (unsigned long)duo->result,
                                  file, line);
                _assert_memory_equal(&again, &duo->error, sizeof(again), file, line);
                _assert_int_equal((unsigned long)initsync_parent_run(duo->parent, &again), (unsigned long)duo->result, file,
                                  line);
        }
        _assert_int_equal((unsigned long)initsync_parent_resume(duo->parent, 0, NULL), (unsigned long)-EALREADY, file, line);
        _assert_int_equal((unsigned long)initsync_parent_timeout_ms(duo->parent), 0, file, line);
        _assert_memory_equal(calls, duo->calls, sizeof(calls), file, line);
}

static int is_printable(const char *text) {
        for (; *text; text++)
                if ((unsigned char)*text < 0x20 || *text == 0x7f)
                        return 0;
        return 1;
}

void duo_failed_at(const char *file, int line, struct duo *duo, int code, int stage, int step, const char *text) {
        struct pollfd one = { .fd = duo->pidfd, .events = POLLIN };
        int dead = poll(&one, 1, 0) > 0;

        if (duo->result != code || duo->error.stage != stage || duo->error.step != step ||
            (text && !strstr(duo->error.text, text)) || !is_printable(duo->error.text)) {
                fprintf(stderr, "# got %d (%s), stage %d, step %d: %.704s\n", duo->result, strerror(-duo->result),
                        duo->error.stage, duo->error.step, duo->error.text);
                fprintf(stderr, "# expected %d, stage %d, step %d: %s\n", code, stage, step, text ? text : "");
                _fail(file, line);
        }
        _assert_int_equal((unsigned long)duo->error.code, (unsigned long)code, file, line);
        same_again(duo, file, line);
        if (!(duo->options.flags & INITSYNC_PARENT_NO_KILL) && !dead) {
                fprintf(stderr, "# the child lives: %s\n", duo->error.text);
                _fail(file, line);
        }
}

void duo_good_at(struct duo *duo, const char *file, int line) {
        struct initsync_error untouched;

        memset(&untouched, 0x5a, sizeof(untouched));
        if (duo->result != 0) {
                fprintf(stderr, "# got %d: %.704s\n", duo->result, duo->error.text);
                _fail(file, line);
        }
        _assert_memory_equal(&duo->error, &untouched, sizeof(untouched), file, line);
        same_again(duo, file, line);
}
