/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "say.h"

/* Length of the UTF-8 sequence at @s that a terminal only prints, 0 if it is none. */
static size_t printable(const unsigned char *s) {
        size_t need = s[0] < 0x80 ? 1 : s[0] >= 0xc2 && s[0] <= 0xdf ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 :
                      s[0] >= 0xf0 && s[0] <= 0xf4 ? 4 : 0;
        size_t i;

        if (need == 1 && (s[0] < 0x20 || s[0] == 0x7f))
                return 0;
        if (s[0] == 0xc2 && s[1] < 0xa0)        /* U+0080 to U+009F are control characters too */
                return 0;
        if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
            (s[0] == 0xf4 && s[1] > 0x8f))      /* overlong, surrogate, past U+10FFFF */
                return 0;
        for (i = 1; i < need; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        return need;
}

/* Not terminated; leaves room for that. Returns the length. */
static size_t escape(char *to, size_t size, const char *from) {
        size_t used = 0, n;

        for (; *from && used + 5 <= size; from += n ? n : 1) {
                n = printable((const unsigned char *)from);
                if (n) {
                        memcpy(to + used, from, n);
                        used += n;
                } else {
                        used += (size_t)sprintf(to + used, "\\x%02x", (unsigned)(unsigned char)*from);
                }
        }
        return used;
}

static int say_fd = STDERR_FILENO;

void say_to(int fd) {
        if (fd >= 0)
                say_fd = fd;
}

void say(const char *format, ...) {
        char text[2048], line[4096] = "syncdemo: ";
        size_t used = strlen(line);
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        used += escape(line + used, sizeof(line) - used - 1, text);
        line[used++] = '\n';
        /* One write, so that the lines of two processes that share a stderr stay whole. */
        if (write(say_fd, line, used) < 0)
                return;         /* nobody left to tell */
}

static void fill(struct initsync_error *error, int code, int stage, const char *text) {
        error->code = code;
        error->stage = stage;
        error->step = error->mount = error->request = error->status = -1;
        error->text[escape(error->text, sizeof(error->text), text)] = '\0';
}

int fault(struct initsync_error *reterr, int code, const char *format, ...) {
        char text[2048];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        memset(reterr, 0, sizeof(*reterr));
        fill(reterr, code, INITSYNC_STAGE_WIRE, text);
        return code;
}

int fault_call(struct initsync_error *reterr, int code, const char *call, const char *path) {
        size_t n = path ? strlen(path) : 0, room = 200;
        char text[512], tail[256] = "";

        /* The end of a path says more than its beginning. */
        if (path)
                snprintf(tail, sizeof(tail), "%s%s", n > room ? "\xe2\x80\xa6" : "", n > room ? path + n - room : path);
        snprintf(text, sizeof(text), "%s%s%s: %s", tail, path ? ": " : "", call, strerror(-code));
        memset(reterr, 0, sizeof(*reterr));
        fill(reterr, code, INITSYNC_STAGE_MOUNT, text);
        snprintf(reterr->call, sizeof(reterr->call), "%s", call);
        reterr->path[escape(reterr->path, sizeof(reterr->path), tail)] = '\0';
        return code;
}

int fault_in(struct initsync_error *reterr, const char *format, ...) {
        char text[sizeof(reterr->text) + 512];
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(text, 512, format, args);
        va_end(args);
        n = n < 0 ? 0 : n < 512 ? n : 511;
        snprintf(text + n, sizeof(text) - (size_t)n, ": %s", reterr->text);
        /* Cut at its end, if it must be: what stands there first is nearest to the user. */
        reterr->text[escape(reterr->text, sizeof(reterr->text), text)] = '\0';
        return reterr->code;
}
