/* SPDX-License-Identifier: MIT */
/*
 * A runtime that leaves the host's file before any container can see it: it executes itself anew from a sealed copy, once. An
 * image's program that gets at /proc/PID/exe of it then finds nothing to write to.
 */
#define _GNU_SOURCE 1
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <initsync.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

static void leave_the_hosts_file(char **argv, char **envp) {
        struct initsync_error error;
        int fd;

        if (initsync_exe_is_sealed() == 1)
                return;                 /* we have been here, or whoever started us has */
        if (initsync_exe_seal(INITSYNC_SEAL_AUTO, &fd, &error) < 0)
                errx(1, "%s", error.text);      /* to go on as we are would be unsafe */
        syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
        err(1, "execveat");
}

int main(int argc, char **argv, char **envp) {
        char name[64] = "";

        (void)argc;
        leave_the_hosts_file(argv, envp);
        if (readlink("/proc/self/exe", name, sizeof(name) - 1) < 0)
                err(1, "/proc/self/exe");
        printf("the runtime is executed from %s\n", name);
        if (open("/proc/self/exe", O_RDWR | O_CLOEXEC) >= 0)
                errx(1, "and that could be written to");
        printf("who opens that for writing is told: %m\n");
        return 0;
}
