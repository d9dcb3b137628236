/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include "kernel/closing.h"
#include "kernel/syscalls.h"

#define KEEP_MAX 64

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
                        closing_range(from, next - 1);
                from = next + 1;
        }
        closing_range(from, ~0u);
        return 0;
}
