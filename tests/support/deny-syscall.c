/* SPDX-License-Identifier: MIT */
/*
 * deny-syscall NUMBER[/ARGUMENT=VALUE]:ACTION[,...] -- COMMAND...
 *
 * Runs COMMAND under a seccomp filter in which these system calls, by number, do nothing; with "/ARGUMENT=VALUE" only where
 * the low half of that argument (0 to 5) is VALUE. ACTION is what they answer: the name or the number of an errno, or "ok":
 * the call lies, it reports success. A kernel that is older, a container's filter, and one that is broken can so be had on
 * any machine.
 */
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MAX_CALLS 64
#define MOST 5                  /* instructions a call */

static const struct {
        const char *name;
        unsigned value;
} actions[] = {
        { "ok", 0 }, { "EACCES", EACCES }, { "EAGAIN", EAGAIN }, { "EBADF", EBADF }, { "EBUSY", EBUSY }, { "EINTR", EINTR },
        { "EINVAL", EINVAL }, { "EIO", EIO }, { "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "ENOENT", ENOENT },
        { "ENOMEM", ENOMEM }, { "ENOSPC", ENOSPC }, { "ENOSYS", ENOSYS }, { "ENOTTY", ENOTTY },
        { "ENOPROTOOPT", ENOPROTOOPT }, { "EOPNOTSUPP", EOPNOTSUPP }, { "EPERM", EPERM }, { "ESRCH", ESRCH },
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

static unsigned parse_number(const char **text, const char *all) {
        unsigned long number;
        char *end;

        number = strtoul(*text, &end, 10);
        if (**text < '0' || **text > '9' || number > UINT_MAX)
                errx(2, "%s is not NUMBER[/ARGUMENT=VALUE]:ACTION", all);
        *text = end;
        return (unsigned)number;
}

static unsigned low_half(unsigned argument) {
        return (unsigned)offsetof(struct seccomp_data, args) + argument * 8 + (__BYTE_ORDER == __BIG_ENDIAN ? 4 : 0);
}

/* The comparisons and the answer of one call. The architecture does not count: the filter is for tests. */
static size_t compile_one(const char *text, struct sock_filter *program) {
        const char *all = text;
        unsigned number = parse_number(&text, all), argument, value, n = 0, with_argument = *text == '/';

        program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, with_argument ? 3 : 1);
        if (with_argument) {
                text++;
                argument = parse_number(&text, all);
                if (argument > 5 || *text++ != '=')
                        errx(2, "%s is not NUMBER[/ARGUMENT=VALUE]:ACTION", all);
                value = parse_number(&text, all);
                program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, low_half(argument));
                program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
        }
        if (*text++ != ':')
                errx(2, "%s is not NUMBER[/ARGUMENT=VALUE]:ACTION", all);
        program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | parse_action(text));
        return n;
}

static size_t compile(char *text, struct sock_filter *program) {
        size_t n = 0;

        for (char *one; (one = strsep(&text, ","));) {
                if (n > MOST * (MAX_CALLS - 1))
                        errx(2, "more than %d system calls", MAX_CALLS);
                n += compile_one(one, program + n);
        }
        program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        return n;
}

int main(int argc, char **argv) {
        struct sock_filter filter[MOST * MAX_CALLS + 1];
        struct sock_fprog program = { .filter = filter };

        if (argc < 4 || strcmp(argv[2], "--") != 0)
                errx(2, "usage: deny-syscall NUMBER[/ARGUMENT=VALUE]:ACTION[,...] -- COMMAND...");
        program.len = (unsigned short)compile(argv[1], filter);
        /* Root needs no no_new_privs, which would take newuidmap(1) and its like from the command. */
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 &&
            (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0))
                err(1, "seccomp");
        execvp(argv[3], argv + 3);
        err(127, "%s", argv[3]);
}
