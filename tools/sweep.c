/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include "cleanup.h"
#include "kernel.h"
#include "sweep.h"

#define ROUND_MS 5      /* a killed process that lasts longer is asked for again */

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

/* Linux tells them only where it was built so (CONFIG_PROC_CHILDREN). */
static bool kill_listed(void) {
        FILE *file = fopen("/proc/thread-self/children", "re");
        int pid;

        if (!file)
                return false;
        while (fscanf(file, "%d", &pid) == 1)
                kill_child(pid);
        fclose(file);
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

        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        while (now_ms() < end) {
                if (!kill_listed())
                        kill_found();
                /* Their own children are ours from then on. */
                while ((pid = waitpid(-1, NULL, WNOHANG | KERNEL_WALL)) > 0)
                        continue;
                if (pid < 0)
                        return true;
                sigtimedwait(&set, NULL, &round);
        }
        return false;
}
