/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "kernel.h"
#include "say.h"
#include "time_offsets.h"

static const char *const names[N_TIME_CLOCKS] = { [TIME_MONOTONIC] = "monotonic", [TIME_BOOTTIME] = "boottime" };

static int read_clock(struct time_offsets *offsets, const struct node *object, const char *name,
                      struct initsync_error *reterr) {
        struct node clock, node;
        int i, r;

        r = node_required(object, name, json_type_object, &clock, reterr);
        if (r < 0)
                return r;
        for (i = 0; i < N_TIME_CLOCKS && strcmp(names[i], name) != 0; i++)
                ;
        if (i == N_TIME_CLOCKS)
                return node_refuse(&clock, reterr, -EINVAL, "no clock that a time namespace has");
        offsets->clocks[i].set = true;
        r = node_member(&clock, "secs", json_type_int, &node, reterr);
        if (r > 0)
                offsets->clocks[i].seconds = json_object_get_int64(node.value);
        if (r >= 0)
                r = node_member(&clock, "nanosecs", json_type_int, &node, reterr);
        if (r <= 0)
                return r;
        r = node_u32(&clock, "nanosecs", &offsets->clocks[i].nanoseconds, reterr);
        if (r == 0 && offsets->clocks[i].nanoseconds > 999999999)
                r = node_refuse(&node, reterr, -ERANGE, "expected 0 to 999999999");
        return r;
}

int time_offsets_read(struct time_offsets *offsets, const struct node *linux_, bool new, struct initsync_error *reterr) {
        struct node object;
        int r;

        r = node_member(linux_, "timeOffsets", json_type_object, &object, reterr);
        if (r <= 0 || json_object_object_length(object.value) == 0)
                return r < 0 ? r : 0;
        if (!new)
                return node_refuse(&object, reterr, -EINVAL, "without a new time namespace in linux.namespaces");
        r = 0;
        json_object_object_foreach(object.value, key, value) {
                (void)value;
                if (r == 0)     /* ANALYZED(knownConditionTrueFalse): in a loop that it takes for none */
                        r = read_clock(offsets, &object, key, reterr);
        }
        return r;
}

int time_offsets_write(const struct time_offsets *offsets, struct initsync_error *reterr) {
        char text[128];
        int i, n;

        for (i = 0; i < N_TIME_CLOCKS; i++) {
                _cleanup_fd_ int fd = -1;

                if (!offsets->clocks[i].set)
                        continue;
                fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
                if (fd < 0)
                        return fault_call(reterr, -errno, "open", "/proc/self/timens_offsets");
                n = snprintf(text, sizeof(text), "%s %" PRId64 " %u\n", names[i], offsets->clocks[i].seconds,
                             offsets->clocks[i].nanoseconds);
                if (write(fd, text, (size_t)n) < 0) {
                        fault_call(reterr, -errno, "write", "/proc/self/timens_offsets");
                        return fault_in(reterr, "config.json: linux.timeOffsets.%s", names[i]);
                }
        }
        return 0;
}
