/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/capability.h>
#include "support/probe.h"

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_IS_SET 1
#endif

void put_uids(void) {
        uid_t ids[3] = { 0 };

        if (getresuid(&ids[0], &ids[1], &ids[2]) < 0)
                put_error("getresuid");
        else
                printf("[%u, %u, %u]", ids[0], ids[1], ids[2]);
}

void put_gids(void) {
        gid_t ids[3] = { 0 };

        if (getresgid(&ids[0], &ids[1], &ids[2]) < 0)
                put_error("getresgid");
        else
                printf("[%u, %u, %u]", ids[0], ids[1], ids[2]);
}

void put_groups(void) {
        static gid_t groups[65536];
        int n = getgroups(65536, groups), i;

        putchar('[');
        for (i = 0; i < n; i++)
                printf("%s%u", i ? ", " : "", groups[i]);
        putchar(']');
}

static void put_set(const char *name, uint64_t set, const char *end) {
        printf("\"%s\": \"%016llx\"%s", name, (unsigned long long)set, end);
}

static uint64_t prctl_set(int option, int what) {
        uint64_t set = 0;
        int i;

        for (i = 0; i < 64; i++)
                if (prctl(option, what < 0 ? i : what, what < 0 ? 0 : i, 0, 0) == 1)
                        set |= UINT64_C(1) << i;
        return set;
}

void put_caps(void) {
        struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct __user_cap_data_struct data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

        if (syscall(SYS_capget, &header, data) < 0) {
                put_error("capget");
                return;
        }
        putchar('{');
        put_set("effective", data[0].effective | (uint64_t)data[1].effective << 32, ", ");
        put_set("permitted", data[0].permitted | (uint64_t)data[1].permitted << 32, ", ");
        put_set("inheritable", data[0].inheritable | (uint64_t)data[1].inheritable << 32, ", ");
        put_set("bounding", prctl_set(PR_CAPBSET_READ, -1), ", ");
        put_set("ambient", prctl_set(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET), "}");
}

static void put_prctl(int option) {
        int r = prctl(option, 0, 0, 0, 0);

        if (r < 0)
                put_error("prctl");
        else
                printf("%d", r);
}

void put_no_new_privs(void) {
        put_prctl(PR_GET_NO_NEW_PRIVS);
}

void put_securebits(void) {
        put_prctl(PR_GET_SECUREBITS);
}

void put_dumpable(void) {
        put_prctl(PR_GET_DUMPABLE);
}

void put_keepcaps(void) {
        put_prctl(PR_GET_KEEPCAPS);
}
