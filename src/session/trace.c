/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include "session/trace.h"

/*
 * The packet is decoded a second time, from a copy, since decoding changes it. One that cannot be decoded is shown whole, with
 * the type "?".
 */
void trace_packet(const struct trace *trace, uint64_t time_ns, int outgoing, const char *packet, size_t n) {
        struct initsync_trace_event event = { .time_ns = time_ns, .outgoing = outgoing, .type = "?" };
        struct message_mount *mount;
        struct message message;
        const char *found;
        char *copy, *arg;
        size_t length;

        if (!trace->callback)
                return;
        copy = malloc(n + 1);
        arg = malloc(n + 1);
        mount = malloc(sizeof(*mount));
        if (copy && arg && mount) {
                memcpy(copy, packet, n);
                found = message_arg(copy, n, &length);
                if (found) {
                        memcpy(arg, found, length);
                        arg[length] = '\0';
                        event.arg = arg;
                }
                if (message_read(copy, n, mount, &message, NULL) == 0) {
                        event.type = message_name(message.type);
                        event.has_fd = message.has_fd;
                } else if (!event.arg) {
                        memcpy(arg, packet, n);
                        arg[n] = '\0';
                        event.arg = arg;
                }
                trace->callback(&event, trace->userdata);
        }
        free(mount);
        free(arg);
        free(copy);
}
