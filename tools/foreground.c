/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <time.h>
#include <sys/signalfd.h>
#include "cleanup.h"
#include "foreground.h"
#include "kernel.h"
#include "relay.h"
#include "say.h"
#include "signals.h"

#define BACKGROUND_MS 500       /* a shell that brings a running job to the foreground does not always tell it */
#define STALL_MS 5000           /* for standard output to take something, once the container has ended */
#define LAST_MS 60000           /* for all that is left then */

enum {
        WAIT_JOB = N_RELAY,
        WAIT_ATTEND,
        N_WAIT = WAIT_ATTEND + N_ATTEND
};

struct foreground {
        struct terminal *terminal;
        int master, slave;              /* both of the container's terminal */
        int job_fd;                     /* signals of window size and job control */
        struct relay relay;
};

static void foreground_end(struct foreground *foreground) {
        terminal_restore(foreground->terminal);
        relay_end(&foreground->relay);
        fd_closep(&foreground->slave);
        fd_closep(&foreground->master);
        fd_closep(&foreground->job_fd);
}

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Blocked, so that none is lost between a look and the next. Resuming a stopped process works all the same. */
static int open_job_signals(int *ret_fd, struct initsync_error *reterr) {
        sigset_t set;
        int fd;

        sigemptyset(&set);
        sigaddset(&set, SIGWINCH);
        sigaddset(&set, SIGTSTP);
        sigaddset(&set, SIGCONT);
        if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
                return fault_call(reterr, -errno, "sigprocmask", NULL);
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        if (fd < 0)
                return fault_call(reterr, -errno, "signalfd", NULL);
        *ret_fd = fd;
        return 0;
}

/* The kernel tells the container's processes if it has changed. */
static void resize(const struct foreground *foreground) {
        struct winsize size;

        if (foreground->master >= 0 && terminal_size(foreground->terminal, &size) == 0)
                ioctl(foreground->master, TIOCSWINSZ, &size);
}

/* As any program that did not ask for the signal, and the kernel's rules about who can be stopped hold. */
static void stop(struct foreground *foreground) {
        sigset_t set;

        terminal_restore(foreground->terminal);
        sigemptyset(&set);
        sigaddset(&set, SIGTSTP);
        raise(SIGTSTP);         /* ANALYZED(unreachableCode): until SIGCONT */
        sigprocmask(SIG_UNBLOCK, &set, NULL);
        sigprocmask(SIG_BLOCK, &set, NULL);
}

static void handle_job_signals(struct foreground *foreground) {
        int number;

        while ((number = signals_next(foreground->job_fd)) > 0) {
                if (number == SIGTSTP)
                        stop(foreground);
                else if (number == SIGCONT)
                        foreground->terminal->raw = false;      /* a shell had it meanwhile */
                else
                        resize(foreground);
        }
}

/* Return: whether the terminal is ours to read. Whoever sets it, or reads from it, in the background is stopped. */
static bool take_terminal(struct foreground *foreground) {
        struct terminal *terminal = foreground->terminal;

        if (!terminal_foreground(terminal))
                return terminal->raw = false;
        if (!terminal->raw) {
                if (terminal_raw(terminal) < 0)
                        foreground->relay.in.ended = true;
                resize(foreground);
        }
        return true;
}

/* The terminal is gone, or whoever sat there; the container's goes too, which is what its processes expect then. */
static void hang_up(struct foreground *foreground) {
        foreground->relay.master = -1;
        fd_closep(&foreground->slave);
        fd_closep(&foreground->master);
}

/* Return: 0 when the program has ended, or a negative errno. */
static int copy(struct foreground *foreground, struct attend *attend, struct initsync_error *reterr) {
        struct pollfd waits[N_WAIT] = { [WAIT_JOB] = { .fd = foreground->job_fd, .events = POLLIN } };
        bool input;
        int r = 1;

        while (r > 0) {
                input = take_terminal(foreground);
                if (foreground->master >= 0 && relay_hung_up(&foreground->relay))
                        hang_up(foreground);
                relay_poll(&foreground->relay, input, waits);
                attend_poll(attend, waits + WAIT_ATTEND);
                if (poll(waits, N_WAIT, input ? -1 : BACKGROUND_MS) < 0)
                        continue;
                if (waits[WAIT_JOB].revents)
                        handle_job_signals(foreground);
                relay_move(&foreground->relay, waits);
                r = attend_next(attend, waits + WAIT_ATTEND, reterr);
        }
        return r;
}

/* What the container wrote before it ended. Whoever does not want to wait for it sends a signal. */
static void copy_last(struct foreground *foreground, int signal_fd) {
        struct relay *relay = &foreground->relay;
        struct pollfd waits[N_RELAY + 1] = { [N_RELAY] = { .fd = signal_fd, .events = POLLIN } };
        int64_t began = now_ms(), moved = began, now;
        size_t before;
        int n;

        fd_closep(&foreground->slave);
        relay_last(relay);
        do {
                relay_poll(relay, false, waits);
                before = relay_pending(relay);
                n = poll(waits, N_RELAY + 1, before > 0 ? STALL_MS : 0);
                if (n == 0 || signals_next(signal_fd) > 0)
                        break;
                if (n > 0)
                        relay_move(relay, waits);
                now = now_ms();
                if (relay_pending(relay) != before)
                        moved = now;
        } while (now - moved < STALL_MS && now - began < LAST_MS);
}

int foreground_attend(struct attend *attend, struct terminal *terminal, int master, struct initsync_error *reterr) {
        _cleanup_(foreground_end) struct foreground foreground = {
                .terminal = terminal, .master = master, .slave = -1, .job_fd = -1,
        };
        size_t left;
        int r;

        relay_begin(&foreground.relay, terminal->fd, STDOUT_FILENO, master);
        /* While nobody in the container has its terminal open, reading from the master would fail without an end. */
        foreground.slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (foreground.slave < 0)
                return fault_call(reterr, -errno, "ioctl", "the container's terminal");
        r = open_job_signals(&foreground.job_fd, reterr);
        if (r < 0)
                return r;
        resize(&foreground);
        r = attend_begin(attend, reterr);
        if (r == 0)
                r = copy(&foreground, attend, reterr);
        attend_end(attend);
        if (r < 0)
                return r;
        copy_last(&foreground, attend->signal_fd);
        terminal_restore(terminal);
        left = relay_pending(&foreground.relay);
        if (left > 0)
                say("warning: standard output did not take the container's last %zu bytes", left);
        return attend->status;
}
