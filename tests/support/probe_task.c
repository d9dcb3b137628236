/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>
#include <linux/keyctl.h>
#include "support/probe.h"

void put_ids(void) {
        printf("{\"pid\": %d, \"ppid\": %d, \"pgid\": %d, \"sid\": %d}", getpid(), getppid(), getpgrp(), getsid(0));
}

void put_cwd(void) {
        char path[4096];

        /* The system call itself: the C library hides a directory outside of the root. */
        if (syscall(SYS_getcwd, path, sizeof(path)) < 0)
                put_error("getcwd");
        else
                put_string(path);
}

void put_umask(void) {
        mode_t mask = umask(0);

        printf("%u", (unsigned)mask);
        umask(mask);
}

/* Numbers of the signals that are blocked and ignored. */
void put_signals(void) {
        const char *comma = "";
        struct sigaction action;
        sigset_t blocked;
        int i;

        sigprocmask(SIG_SETMASK, NULL, &blocked);
        printf("{\"blocked\": [");
        for (i = 1; i < 65; i++) {
                if (sigismember(&blocked, i) == 1) {
                        printf("%s%d", comma, i);
                        comma = ", ";
                }
        }
        printf("], \"ignored\": [");
        for (i = 1, comma = ""; i < 65; i++) {
                if (sigaction(i, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
                        printf("%s%d", comma, i);
                        comma = ", ";
                }
        }
        printf("]}");
}

void put_pdeathsig(void) {
        int number = 0;

        prctl(PR_GET_PDEATHSIG, &number);
        printf("%d", number);
}

/* Number and target of each descriptor; without /proc the target is "". */
void put_descriptors(void) {
        char link[64], target[4096];
        const char *comma = "";
        ssize_t n;
        int fd;

        putchar('{');
        for (fd = 0; fd < 4096; fd++) {
                if (fcntl(fd, F_GETFD) < 0)
                        continue;
                snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                n = readlink(link, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = '\0';
                printf("%s\"%d\": ", comma, fd);
                put_string(target);
                comma = ", ";
        }
        putchar('}');
}

/* Its mode and how many filters, and what a filter of ours lets through: the error of a call that does nothing. */
void put_seccomp(void) {
        char line[256], value[2][32] = { "", "" };
        FILE *file = fopen("/proc/self/status", "re");

        while (file && fgets(line, sizeof(line), file)) {
                sscanf(line, "Seccomp: %31s", value[0]);
                sscanf(line, "Seccomp_filters: %31s", value[1]);
        }
        if (file)
                fclose(file);
        printf("{\"mode\": \"%s\", \"filters\": \"%s\", \"nice\": \"", value[0], value[1]);
        errno = 0;
        (void)!nice(0);
        printf("%s\"}", strerror(errno));
}

void put_personality(void) {
        printf("%d", personality(0xffffffff));
}

/* How many processors, and the first of them. */
void put_affinity(void) {
        cpu_set_t set;
        int first = 0;

        CPU_ZERO(&set);
        if (sched_getaffinity(0, sizeof(set), &set) < 0) {
                put_error("sched_getaffinity");
                return;
        }
        while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, &set))
                first++;
        printf("[%d, %d]", CPU_COUNT(&set), first);
}

/* Its name, its size, whether it is the controlling one and we are in its foreground. */
void put_terminal(void) {
        struct winsize size = { 0 };
        char name[256] = "";

        if (!isatty(0)) {
                fputs("null", stdout);
                return;
        }
        ioctl(0, TIOCGWINSZ, &size);
        (void)!ttyname_r(0, name, sizeof(name));
        printf("{\"size\": [%d, %d], \"session\": %d, \"foreground\": %d, \"name\": ", size.ws_row, size.ws_col,
               tcgetsid(0) == getsid(0), tcgetpgrp(0) == getpgrp());
        put_string(name);
        putchar('}');
}

/* What a runtime may have set for itself and forgotten. */
void put_attributes(void) {
        int subreaper = 0;

        prctl(PR_GET_CHILD_SUBREAPER, &subreaper, 0, 0, 0);
        printf("{\"timer slack\": %d, \"subreaper\": %d, \"no huge pages\": %d}", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0),
               subreaper, prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
}

/* The session's keys: their serial number, and what the kernel says of it. */
void put_keyring(void) {
        long number = syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
        char text[256] = "";

        if (number < 0 || syscall(SYS_keyctl, KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING, text, sizeof(text)) < 0) {
                put_error("keyctl");
                return;
        }
        printf("[%ld, ", number);
        put_string(text);
        putchar(']');
}
