/* SPDX-License-Identifier: MIT */
/*
 * deny-syscall NUMBER:ACTION[,...] -- COMMAND...
 *
 * Runs COMMAND under a seccomp filter in which these system calls, by number, do nothing. ACTION is what they answer: the
 * name or the number of an errno, or "ok": the call lies, it reports success. A kernel that is older, a container's
 * filter, and one that is broken can so be had on any machine.
 */
#include <err.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MAX_CALLS 64

static const struct {
        const char *name;
        unsigned value;
} actions[] = {
        { "ok", 0 }, { "EACCES", EACCES }, { "EAGAIN", EAGAIN }, { "EBADF", EBADF }, { "EBUSY", EBUSY }, { "EINTR", EINTR },
        { "EINVAL", EINVAL }, { "EIO", EIO }, { "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "ENOENT", ENOENT },
        { "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "ENOSYS", ENOSYS }, { "ENOTTY", ENOTTY },
        { "EOPNOTSUPP", EOPNOTSUPP }, { "EPERM", EPERM }, { "ESRCH", ESRCH },
};

static unsigned parse_action(const char *text) {
        unsigned long value;
        char *end;

        for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
                if (strcmp(text, actions[i].name) == 0)
                        return actions[i].value;
        value = strtoul(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || value > 4095)
                errx(2, "%s is neither \"ok\" nor an errno", text);
        return (unsigned)value;
}

/* One comparison and one answer a call, in front of "allow". The number alone decides: the filter is for tests. */
static size_t compile(char *text, struct sock_filter *program) {
        size_t n = 0;

        program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        for (char *one; (one = strsep(&text, ","));) {
                char *colon = strchr(one, ':'), *end;
                unsigned long number = strtoul(one, &end, 10);

                if (!colon || end != colon || end == one || *one < '0' || *one > '9')
                        errx(2, "%s is not NUMBER:ACTION", one);
                if (n > 2 * MAX_CALLS)
                        errx(2, "more than %d system calls", MAX_CALLS);
                program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
                program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | parse_action(colon + 1));
        }
        program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        return n;
}

int main(int argc, char **argv) {
        struct sock_filter filter[2 * MAX_CALLS + 2];
        struct sock_fprog program = { .filter = filter };

        if (argc < 4 || strcmp(argv[2], "--") != 0)
                errx(2, "usage: deny-syscall NUMBER:ACTION[,...] -- COMMAND...");
        program.len = (unsigned short)compile(argv[1], filter);
        /* Root needs no no_new_privs, which would take newuidmap(1) and its like from the command. */
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 &&
            (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0))
                err(1, "seccomp");
        execvp(argv[3], argv + 3);
        err(127, "%s", argv[3]);
}
