/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include "cleanup.h"
#include "kernel.h"
#include "sweep.h"

#define ROUND_MS 5      /* a killed process that lasts longer is asked for again */
#define LIST_MAX 1024   /* in one look */
#define REAP_MAX 4096   /* before the next look: there may be no end of them */

static int64_t now_ms(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Only a child that is not reaped yet has its number for certain; it may be a zombie. */
static bool kill_child(pid_t pid) {
        siginfo_t info = { .si_pid = 0 };

        if (pid <= 0 || waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT | KERNEL_WALL) < 0)
                return false;
        return info.si_pid == 0 && kill(pid, SIGKILL) == 0;
}

/* Those of @pid, which is a child that is not reaped yet, or 0 for this process. False: Linux was built without the list. */
static bool list_children(pid_t pid, pid_t *list, size_t *n) {
        char path[64];
        FILE *file;

        if (pid == 0)
                snprintf(path, sizeof(path), "/proc/thread-self/children");
        else
                snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
        *n = 0;
        file = fopen(path, "re");
        if (!file)
                return false;
        while (*n < LIST_MAX && fscanf(file, "%d", &list[*n]) == 1)
                (*n)++;
        fclose(file);
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

bool sweep(int timeout_ms) {
        const struct timespec round = { .tv_nsec = ROUND_MS * 1000000L };
        int64_t end = now_ms() + timeout_ms;
        sigset_t set;
        pid_t pid;
        int n;

        /* Many that start each other want the processor as much as we do. */
        setpriority(PRIO_PROCESS, 0, PRIO_MIN);
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        while (now_ms() < end) {
                if (!kill_listed())
                        kill_found();
                /* Their own children are ours from then on. */
                for (n = 0; n < REAP_MAX && (pid = waitpid(-1, NULL, WNOHANG | KERNEL_WALL)) > 0; n++)
                        continue;
                if (pid < 0)
                        return true;
                if (pid == 0)
                        sigtimedwait(&set, NULL, &round);
        }
        return false;
}
