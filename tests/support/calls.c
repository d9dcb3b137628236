/* SPDX-License-Identifier: MIT */

/*
 * Makes system calls inside of containers and tells what came of each: `calls NAME[:ARG[,ARG...]]...` prints "NAME: result" or
 * "NAME: error", a line each, or "NAME: trapped" for one that raised SIGSYS. An ARG is a number, or text. NAME is from
 * the table below, or a number; "i386-getpid" and "i386-NUMBER" are made as a program of 32 bits would. Statically linked.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
        const char *name;
        long number;
} known[] = {
        { "mkdirat", SYS_mkdirat }, { "personality", SYS_personality }, { "sched_yield", SYS_sched_yield },
        { "getppid", SYS_getppid }, { "prctl", SYS_prctl }, { "umask", SYS_umask }, { "socket", SYS_socket },
        { "sendto", SYS_sendto }, { "openat", SYS_openat }, { "fcntl", SYS_fcntl }, { "ppoll", SYS_ppoll },
};

static sigjmp_buf back;

static void trapped(int number) {
        (void)number;
        siglongjmp(back, 1);
}

static long i386_call(long number) {
#ifdef __x86_64__
        long result;

        __asm__ volatile("int $0x80" : "=a"(result) : "a"(number) : "memory", "r8", "r9", "r10", "r11");
        if (result < 0 && result > -4096) {
                errno = (int)-result;
                return -1;
        }
        return result;
#else
        (void)number;
        errno = ENOSYS;
        return -1;
#endif
}

static long call(const char *name, const long *args) {
        size_t i;

        if (strcmp(name, "i386-getpid") == 0)
                return i386_call(20);
        if (strncmp(name, "i386-", 5) == 0)
                return i386_call(strtol(name + 5, NULL, 10));
        if (name[0] >= '0' && name[0] <= '9')
                return syscall(strtol(name, NULL, 10), args[0], args[1], args[2], args[3], args[4], args[5]);
        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (strcmp(known[i].name, name) == 0)
                        return syscall(known[i].number, args[0], args[1], args[2], args[3], args[4], args[5]);
        fprintf(stderr, "calls: %s: not in the table\n", name);
        exit(2);
}

static void make(char *text) {
        char *arg = strchr(text, ':'), *end;
        long args[6] = { 0 }, result;
        int i;

        if (arg)
                *arg++ = '\0';
        for (i = 0; arg && i < 6; i++) {
                char *word = strsep(&arg, ",");

                args[i] = (long)strtoull(word, &end, 0);
                if (*end)
                        args[i] = (long)word;
        }
        if (sigsetjmp(back, 1)) {
                printf("%s: trapped\n", text);
                return;
        }
        result = call(text, args);
        if (result < 0)
                printf("%s: %s\n", text, strerror(errno));
        else
                printf("%s: %ld\n", text, result);
}

int main(int argc, char **argv) {
        int i;

        signal(SIGSYS, trapped);
        if (argc > 1 && strcmp(argv[1], "--default") == 0) {
                signal(SIGSYS, SIG_DFL);
                argv++, argc--;
        }
        for (i = 1; i < argc; i++)
                make(argv[i]);
        return fflush(stdout) != 0;
}
