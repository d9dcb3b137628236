/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include "process.h"

int process_none(void) {
        siginfo_t info;

        return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno == ECHILD;
}

int process_gone(int pidfd, int ms) {
        struct pollfd poll_one = { .fd = pidfd, .events = POLLIN };

        return poll(&poll_one, 1, ms) == 1;
}

#define NO_ROOM_MS 60000

int process_copy(void) {
        long end = milliseconds() + NO_ROOM_MS;
        int pid;

        while ((pid = fork()) < 0 && errno == EAGAIN && milliseconds() < end)
                usleep(10000);
        assert(pid >= 0);
        return pid;
}

int process_signal(int pid, int number) {
        assert(pid > 1);
        return kill(pid, number);
}

int process_signal_group(int pid, int number) {
        assert(pid > 1);
        return kill(-pid, number);
}

int process_fork(void) {
        int parent = getpid(), pid = process_copy();

        if (pid != 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        return 0;
}

void process_end(int pid) {
        process_signal(pid, SIGKILL);
        assert(waitpid(pid, NULL, __WALL) == pid);
}

int descriptors(int pid, char *to, size_t size) {
        char name[64], target[256];
        struct dirent *entry;
        size_t used = 0;
        int count = 0;
        ssize_t n;
        DIR *dir;

        snprintf(name, sizeof(name), "/proc/%d/fd", pid ? pid : getpid());
        dir = opendir(name);
        assert(dir);
        to[0] = '\0';
        while ((entry = readdir(dir))) {
                if (entry->d_name[0] == '.' || (pid == 0 && atoi(entry->d_name) == dirfd(dir)))
                        continue;
                n = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = '\0';
                count++;
                if (used < size)
                        used += (size_t)snprintf(to + used, size - used, "%s %s\n", entry->d_name, target);
        }
        closedir(dir);
        return count;
}

long milliseconds(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int process_trace(int pid) {
        int status, tracer = process_fork();

        if (tracer == 0) {
                if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
                        _exit(1);
                raise(SIGSTOP);
                _exit(0);
        }
        assert(waitpid(tracer, &status, WUNTRACED) == tracer && WIFSTOPPED(status));
        return tracer;
}
