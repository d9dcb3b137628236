/* SPDX-License-Identifier: MIT */
#ifndef SESSION_TRACE_H
#define SESSION_TRACE_H

/* Telling the embedder of messages. Costs nothing where nobody asked. */

#include "wire/message.h"

struct trace {
        void (*callback)(const struct initsync_trace_event *event, void *userdata);
        void *userdata;
};

/* trace_packet() - a packet as it is on the wire: before it is decoded, or when it is sent */
void trace_packet(const struct trace *trace, uint64_t time_ns, int outgoing, const char *packet, size_t n);

#endif /* SESSION_TRACE_H */
