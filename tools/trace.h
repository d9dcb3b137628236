/* SPDX-License-Identifier: MIT */
#ifndef TRACE_H
#define TRACE_H

/*
 * What a conversation looked like: a sequence diagram for people, JSON lines for machines.
 */

#include <stdio.h>
#include <initsync.h>

struct trace;

/*
 * trace_new() - where trace events go. With @file NULL a diagram is written to @stream as the events come; otherwise
 * JSON lines are written to the file of that name. @here is the lane of this process: "parent" or "child".
 */
int trace_new(struct trace **ret_trace, const char *file, FILE *stream, const char *here);
struct trace *trace_free(struct trace *trace);

/* trace_event() - for the trace member of the library's options, with the trace as userdata */
void trace_event(const struct initsync_trace_event *event, void *userdata);

/* trace_note() - one line of text between the messages (what a check found, which hook runs) */
void trace_note(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif /* TRACE_H */
