/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include "cleanup.h"
#include "clock.h"
#include "kernel.h"
#include "sweep.h"

#define ROUND_MS 5      /* a killed process that lasts longer is asked for again */
#define LIST_MAX 1024   /* in one look; that many numbers go through a pipe at once */
#define LIST_MS 200     /* for a look where /proc may be a file server that never answers */
#define REAP_MAX 4096   /* before the next look: there may be no end of them */

/* Only a child that is not reaped yet has its number for certain; it may be a zombie. */
static bool kill_child(pid_t pid) {
        siginfo_t info = { .si_pid = 0 };

        if (pid <= 0 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | KERNEL_WALL) < 0)
                return false;
        return info.si_pid == 0 && kill(pid, SIGKILL) == 0;
}

/* Those of @pid, which is a child that is not reaped yet, or 0 for this process. False: Linux was built without the list. */
static bool list_children(pid_t pid, pid_t *list, size_t *n) {
        _cleanup_fd_ int fd = -1;
        char path[64], text[8 * LIST_MAX], *at = text, *end;
        ssize_t size;
        long number;

        if (pid == 0)
                snprintf(path, sizeof(path), "/proc/thread-self/children");
        else
                snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
        *n = 0;
        /* Whatever may be in its place: a FIFO, or what has no end, must not stop us. */
        fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        size = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
        if (size < 0)
                return false;
        text[size] = '\0';
        /* A number that is cut off at the end of the buffer waits for the next round. */
        while (*n < LIST_MAX && (number = strtol(at, &end, 10)) > 0 && end != at && *end) {
                list[(*n)++] = (pid_t)number;
                at = end;
        }
        return true;
}

static bool listed(pid_t pid, const pid_t *list, size_t n) {
        while (n > 0)
                if (list[--n] == pid)
                        return true;
        return false;
}

/*
 * One that starts another and ends is a child of ours only when it is too late. Its number is its own if it is still in the
 * list once there is a descriptor.
 */
static void kill_grandchildren(pid_t child) {
        pid_t list[LIST_MAX], again[LIST_MAX];
        size_t n, n_again, i;

        if (!list_children(child, list, &n))
                return;
        for (i = 0; i < n; i++) {
                _cleanup_fd_ int pidfd = kernel_pidfd_open(list[i]);

                if (pidfd >= 0 && list_children(child, again, &n_again) && listed(list[i], again, n_again))
                        kernel_pidfd_send_signal(pidfd, SIGKILL);
        }
}

static bool kill_listed(void) {
        pid_t list[LIST_MAX];
        size_t n, i;

        if (!list_children(0, list, &n))
                return false;
        for (i = 0; i < n; i++) {
                /* In this order: nobody sees a child of his being killed. */
                kill_child(list[i]);
                kill_grandchildren(list[i]);
        }
        return true;
}

/*
 * Where /proc is the container's: another process looks, which can be killed while it waits for a file server, and of what is
 * listed only children are killed. False: no answer in time.
 */
static bool kill_claimed(void) {
        pid_t self = getpid(), list[LIST_MAX], looks;
        ssize_t size = 0;
        size_t n = 0, i;
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC) < 0)
                return false;
        looks = fork();
        if (looks == 0) {
                if (list_children(self, list, &n) && n > 0)
                        size = write(ends[1], list, n * sizeof(list[0]));
                _exit(size < 0);
        }
        close(ends[1]);
        r = looks < 0 ? 0 : poll(&(struct pollfd){ .fd = ends[0], .events = POLLIN }, 1, LIST_MS);
        if (r > 0)
                size = read(ends[0], list, sizeof(list));
        close(ends[0]);
        if (looks > 0)
                kill(looks, SIGKILL);
        /* It is a child as well: as long as it ends, there is another round. */
        for (i = 0; looks > 0 && i < LIST_MS && waitpid(looks, NULL, WNOHANG | KERNEL_WALL) == 0; i++)
                poll(NULL, 0, 1);
        for (i = 0; size > 0 && i < (size_t)size / sizeof(list[0]); i++)
                kill_child(list[i]);
        return r > 0;
}

/* Each process that /proc shows is asked for whether it is a child. */
static void kill_found(void) {
        DIR *directory = opendir("/proc");
        struct dirent *entry;

        while (directory && (entry = readdir(directory)))
                if (isdigit((unsigned char)entry->d_name[0]))
                        kill_child(atoi(entry->d_name));
        if (directory)
                closedir(directory);
}

static bool sweep_all(pid_t leader, int timeout_ms) {
        const struct timespec round = { .tv_nsec = ROUND_MS * 1000000L };
        int64_t end = clock_ms() + timeout_ms;
        const bool believe = leader == 0;
        bool gone = false, claims = !believe;
        sigset_t set;
        pid_t pid;
        int n;

        /* Many that start each other want the processor as much as we do. */
        setpriority(PRIO_PROCESS, 0, PRIO_MIN);
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        while (clock_ms() < end) {
                if (believe && !kill_listed())
                        kill_found();
                claims = claims && kill_claimed();
                /* Their own children are ours from then on. */
                for (n = 0; n < REAP_MAX && (pid = waitpid(-1, NULL, WNOHANG | KERNEL_WALL)) > 0; n++)
                        gone |= pid == leader;
                if (pid < 0)
                        return true;
                if (pid == 0)
                        sigtimedwait(&set, NULL, &round);
        }
        return gone;
}

bool sweep(int timeout_ms) {
        return sweep_all(0, timeout_ms);
}

bool sweep_group(pid_t leader, int timeout_ms) {
        /* What it starts until then is in its group, or orphaned by its death. */
        kill(leader, SIGKILL);
        kill(-leader, SIGKILL);
        return sweep_all(leader, timeout_ms);
}
