/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include "kernel/syscalls.h"

#define KEEP_MAX 64

/* Below Linux 5.9, or behind a filter: one by one. */
static void close_each(unsigned first, unsigned last) {
        unsigned fd, most = 65536;      /* what an ordinary RLIMIT_NOFILE ends at, since nobody can be asked here */

        for (fd = first; fd <= last && fd < most; fd++)
                sys_close((int)fd);
}

static void close_between(unsigned first, unsigned last) {
        if (first <= last && sys_close_range(first, last, 0) < 0)
                close_each(first, last);
}

PUBLIC int initsync_child_only(const int *keep, size_t n) {
        unsigned from = 3, next;
        size_t i;

        if (n > KEEP_MAX)
                return -EINVAL;
        for (;;) {
                next = ~0u;
                for (i = 0; i < n; i++)         /* the lowest one kept from here on: no sorting, no memory */
                        if (keep[i] >= 0 && (unsigned)keep[i] >= from && (unsigned)keep[i] < next)
                                next = (unsigned)keep[i];
                if (next == ~0u)
                        break;
                if (next > from)
                        close_between(from, next - 1);
                from = next + 1;
        }
        close_between(from, ~0u);
        return 0;
}
