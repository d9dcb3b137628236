/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "trace.h"

#define TIME_COLUMNS 14         /* "     0.054 ms  " without its last space */
#define LANE_COLUMNS 62         /* between the two names */
#define LABEL_COLUMNS (LANE_COLUMNS - 7)        /* without the arrow's head, its shaft of two, and the spaces */
#define ASKED_MAX 1024          /* questions without an answer; a child of ours has 32 of them at most */

struct trace {
        FILE *stream;
        bool owned, json, utf8, colour;
        const char *here, *there;
        uint64_t start_ns;      /* the first event's time, 0 before it */
        uint64_t asked_ns[ASKED_MAX];   /* a ring: when the questions without an answer were asked, oldest first */
        size_t first, n_asked;
        bool lost;              /* more questions than the ring holds: there are no durations from then on */
};

/* What a terminal or a file is ready for: by the locale's name, since the locale itself may not be installed here. */
static bool locale_is_utf8(void) {
        static const char *const variables[] = { "LC_ALL", "LC_CTYPE", "LANG" };
        const char *locale = NULL;
        size_t i;

        for (i = 0; i < 3 && !(locale && *locale); i++)
                locale = getenv(variables[i]);
        return locale && (strcasestr(locale, ".utf-8") || strcasestr(locale, ".utf8"));
}

static bool wants_colour(FILE *stream) {
        const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

        return !(no && *no) && !(term && strcmp(term, "dumb") == 0) && isatty(fileno(stream)) > 0;
}

int trace_new(struct trace **ret_trace, const char *file, FILE *stream, const char *here) {
        struct trace *trace = calloc(1, sizeof(*trace));

        if (!trace)
                return -ENOMEM;
        trace->stream = stream;
        trace->here = here;
        trace->there = strcmp(here, "parent") == 0 ? "child" : "parent";
        if (file) {
                trace->stream = fopen(file, "we");
                if (!trace->stream) {
                        int r = -errno;

                        free(trace);
                        return r;
                }
                trace->owned = trace->json = true;
                /* whole lines, so that what a killed process leaves behind can be read */
                setvbuf(trace->stream, NULL, _IOLBF, 0);
        } else {
                trace->utf8 = locale_is_utf8();
                trace->colour = wants_colour(stream);
        }
        *ret_trace = trace;
        return 0;
}

struct trace *trace_free(struct trace *trace) {
        int saved = errno;

        if (trace && trace->owned)
                fclose(trace->stream);
        free(trace);
        errno = saved;
        return NULL;
}

/*
 * How long an answer took. Answers come in the order of the questions, which only the child asks, so one queue does for
 * all of them. 0 for what is no answer.
 */
static uint64_t take_duration(struct trace *trace, const struct initsync_trace_event *event, bool from_child) {
        uint64_t asked_ns;

        if (trace->lost)
                return 0;
        if (from_child) {
                if (strcmp(event->type, "procError") == 0)
                        return 0;
                if (trace->n_asked == ASKED_MAX)
                        trace->lost = true;
                else
                        trace->asked_ns[(trace->first + trace->n_asked++) % ASKED_MAX] = event->time_ns;
                return 0;
        }
        if (trace->n_asked == 0)
                return 0;
        asked_ns = trace->asked_ns[trace->first];
        trace->first = (trace->first + 1) % ASKED_MAX;
        trace->n_asked--;
        return event->time_ns > asked_ns ? event->time_ns - asked_ns : 0;
}

/* The length of the UTF-8 character at @text, 0 for what is none; its code point in *@ret_point. */
static size_t decode(const char *text, uint32_t *ret_point) {
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        unsigned char lead = (unsigned char)text[0];
        size_t i, n = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
        uint32_t point = n == 1 ? lead : lead & (0xffu >> (n + 1));

        if ((lead >= 0x80 && lead < 0xc2) || lead > 0xf4)
                return 0;
        for (i = 1; i < n; i++) {
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
                point = point << 6 | (text[i] & 0x3f);
        }
        if (point < least[n] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
                return 0;
        *ret_point = point;
        return n;
}

/* Controls, and what turns the direction of a line or joins words invisibly: names must not be able to redraw a diagram. */
static bool is_hidden(uint32_t point) {
        return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x200b && point <= 0x200f) ||
               (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) || point == 0xfeff;
}

/* One character of @text in a form that can be printed, into @out; how many bytes of @text it is. */
static size_t glyph(const struct trace *trace, const char *text, char out[static 24], size_t *ret_columns) {
        uint32_t point = 0;
        size_t i, n = decode(text, &point);

        if (n == 1 ? !is_hidden(point) : n > 1 && trace->utf8 && !is_hidden(point)) {
                memcpy(out, text, n);
                out[n] = '\0';
                *ret_columns = 1;
                return n;
        }
        n = n ? n : 1;
        for (i = 0; i < n; i++)
                snprintf(out + 4 * i, 5, "\\x%02X", (unsigned char)text[i]);
        *ret_columns = 4 * n;
        return n;
}

static size_t columns(const struct trace *trace, const char *text) {
        size_t one, sum = 0;
        char out[24];

        while (*text) {
                text += glyph(trace, text, out, &one);
                sum += one;
        }
        return sum;
}

/* @text in at most @room columns: the end of a path says more than its start, of a sentence the start does. Columns used. */
static size_t put_text(const struct trace *trace, const char *text, size_t room, bool keep_end) {
        const char *ellipsis = trace->utf8 ? "…" : "...";
        size_t left = columns(trace, text), used = 0, one;
        bool cut = left > room;
        char out[24];

        if (cut) {
                room -= trace->utf8 ? 1 : 3;
                used = trace->utf8 ? 1 : 3;
        }
        if (cut && keep_end) {
                fputs(ellipsis, trace->stream);
                while (left > room) {
                        text += glyph(trace, text, out, &one);
                        left -= one;
                }
        }
        while (*text) {
                text += glyph(trace, text, out, &one);
                if (one > room)
                        break;
                fputs(out, trace->stream);
                room -= one;
                used += one;
        }
        if (cut && !keep_end)
                fputs(ellipsis, trace->stream);
        return used;
}

/* What of the argument belongs into the diagram: the path, or the cause. @arg owns what is returned. */
static const char *summary(const struct initsync_trace_event *event, struct json_object *arg, bool *ret_keep_end) {
        struct json_object *member;

        *ret_keep_end = true;
        if (json_object_is_type(arg, json_type_object)) {
                if (json_object_object_get_ex(arg, "source", &member) || json_object_object_get_ex(arg, "type", &member))
                        return json_object_get_string(member);
                *ret_keep_end = false;
                if (json_object_object_get_ex(arg, "message", &member))
                        return json_object_get_string(member);
                return "";
        }
        return arg ? json_object_get_string(arg) : event->arg ? event->arg : "";
}

static void put_duration(const struct trace *trace, uint64_t ns) {
        double us = (double)ns / 1000;

        fprintf(trace->stream, us < 10000 ? "   %.0f us" : us < 1e7 ? "   %.1f ms" : "   %.1f s",
                us < 10000 ? us : us < 1e7 ? us / 1e3 : us / 1e6);
}

static void put_arrow(const struct trace *trace, const struct initsync_trace_event *event, struct json_object *arg,
                      bool from_child) {
        const char *shaft = trace->utf8 ? "─" : "-";
        size_t used, room = LABEL_COLUMNS;
        bool keep_end;
        const char *text = summary(event, arg, &keep_end);

        fprintf(trace->stream, from_child ? "%s%s " : trace->utf8 ? "◀%s%s " : "<%s%s ", shaft, shaft);
        used = put_text(trace, event->type, 20, false);
        room -= used + (event->has_fd ? 5 : 0);
        if (*text) {
                fputc(' ', trace->stream);
                used += 1 + put_text(trace, text, room - 1, keep_end);
        }
        if (event->has_fd) {
                fputs(" + fd", trace->stream);
                used += 5;
        }
        fputc(' ', trace->stream);
        for (; used <= LABEL_COLUMNS; used++)
                fputs(shaft, trace->stream);
        if (from_child)
                fputs(trace->utf8 ? "▶" : ">", trace->stream);
}

static void draw(struct trace *trace, const struct initsync_trace_event *event, struct json_object *arg, bool from_child,
                 uint64_t duration_ns) {
        bool red = trace->colour && strcmp(event->type, "procError") == 0;
        uint64_t since = event->time_ns > trace->start_ns ? event->time_ns - trace->start_ns : 0;

        fprintf(trace->stream, "%*.3f ms  child %s", TIME_COLUMNS - 5, (double)since / 1e6, red ? "\033[31m" : "");
        put_arrow(trace, event, arg, from_child);
        fputs(red ? "\033[0m parent" : " parent", trace->stream);
        if (duration_ns)
                put_duration(trace, duration_ns);
        fputc('\n', trace->stream);
        fflush(trace->stream);
}

static void put_json(struct trace *trace, struct json_object *line) {
        const char *text = json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

        if (text)
                fprintf(trace->stream, "%s\n", text);
        json_object_put(line);
}

void trace_event(const struct initsync_trace_event *event, void *userdata) {
        struct trace *trace = userdata;
        const char *from = event->outgoing ? trace->here : trace->there;
        bool from_child = strcmp(from, "child") == 0;
        uint64_t duration_ns = take_duration(trace, event, from_child);
        /* parsed and written anew: the text of a message may hold line breaks between its values */
        struct json_object *arg = event->arg ? json_tokener_parse(event->arg) : NULL, *line;

        if (trace->start_ns == 0)
                trace->start_ns = event->time_ns;
        if (!trace->json) {
                draw(trace, event, arg, from_child, duration_ns);
                json_object_put(arg);
                return;
        }
        if (!arg && event->arg && strcmp(event->arg, "null") != 0)
                arg = json_object_new_string(event->arg);
        line = json_object_new_object();
        json_object_object_add(line, "time_ns", json_object_new_uint64(event->time_ns));
        json_object_object_add(line, "from", json_object_new_string(from));
        json_object_object_add(line, "to", json_object_new_string(from_child ? "parent" : "child"));
        json_object_object_add(line, "type", json_object_new_string(event->type));
        json_object_object_add(line, "arg", arg);
        json_object_object_add(line, "fd", json_object_new_boolean(event->has_fd));
        json_object_object_add(line, "duration_ns", duration_ns ? json_object_new_uint64(duration_ns) : NULL);
        put_json(trace, line);
}

void trace_note(struct trace *trace, const char *format, ...) {
        char text[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        if (trace->json) {
                struct timespec now;
                struct json_object *line = json_object_new_object();

                clock_gettime(CLOCK_MONOTONIC, &now);
                json_object_object_add(line, "time_ns",
                                       json_object_new_uint64((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec));
                json_object_object_add(line, "note", json_object_new_string(text));
                put_json(trace, line);
                return;
        }
        fprintf(trace->stream, "%*s", TIME_COLUMNS, "");
        fputs(trace->utf8 ? "· " : "- ", trace->stream);
        put_text(trace, text, sizeof(text) * 4, false);
        fputc('\n', trace->stream);
        fflush(trace->stream);
}
