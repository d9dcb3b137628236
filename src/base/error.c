/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"

/* Embedders compile this layout into their own binaries. */
static_assert(sizeof(struct initsync_error) == 1024, "the layout is frozen");

const char *error_words(int code) {
#ifdef __GLIBC__
        const char *words = strerrordesc_np(-code);     /* not localised, no buffer */

        return words ? words : "unknown error";
#else
        return strerror(-code);
#endif
}

void error_clear(struct initsync_error *error) {
        memset(error, 0, sizeof(*error));
        error->step = error->mount = error->request = error->status = -1;
}

void error_path(struct initsync_error *error, const char *path) {
        static const char ellipsis[] = "\xe2\x80\xa6";
        char clean[sizeof(error->path) * 64];            /* the longest path, each byte as \xNN */
        size_t n, room = sizeof(error->path) - sizeof(ellipsis);

        n = text_escape(clean, sizeof(clean), path, strlen(path));
        if (n < sizeof(error->path)) {
                memcpy(error->path, clean, n + 1);
                return;
        }
        snprintf(error->path, sizeof(error->path), "%s%s", ellipsis, clean + text_cut_front(clean, n, n - room));
}

PRINTF(7, 0)
static void error_fill(struct initsync_error *error, int code, int stage, const char *call, const char *path,
                       const char *tail, const char *format, va_list args) {
        char text[8192];
        int n;

        error_clear(error);
        error->code = code;
        error->stage = stage;
        if (call)
                snprintf(error->call, sizeof(error->call), "%s", call);
        if (path)
                error_path(error, path);
        n = vsnprintf(text, sizeof(text), format, args);
        if (n < 0)
                n = 0;
        if ((size_t)n >= sizeof(text))
                n = sizeof(text) - 1;
        if (tail) {
                /* The cause must survive a long path: the sentence is cut before it, not the cause. */
                size_t cause = strlen(tail) + 2, most = sizeof(error->text) - 1 - cause;
                size_t used = text_escape(error->text, most + 1, text, (size_t)n);

                snprintf(error->text + used, sizeof(error->text) - used, ": %s", tail);
        } else {
                text_escape(error->text, sizeof(error->text), text, (size_t)n);
        }
}

int error_set(struct initsync_error *error, int code, int stage, const char *call, const char *path, const char *format, ...) {
        va_list args;

        if (error) {
                va_start(args, format);
                error_fill(error, code, stage, call, path, error_words(code), format, args);
                va_end(args);
        }
        return code;
}

int error_say(struct initsync_error *error, int code, int stage, const char *call, const char *path, const char *format, ...) {
        va_list args;

        if (error) {
                va_start(args, format);
                error_fill(error, code, stage, call, path, NULL, format, args);
                va_end(args);
        }
        return code;
}

void error_prefix(struct initsync_error *error, const char *format, ...) {
        static const char dots[] = "\xe2\x80\xa6";
        char text[sizeof(error->text)], prefix[8192];
        size_t n, length, room, head;
        const char *tail;
        va_list args;

        if (!error)
                return;
        memcpy(text, error->text, sizeof(text));
        va_start(args, format);
        vsnprintf(prefix, sizeof(prefix), format, args);
        va_end(args);
        /* Half of the line at most, and of the rest the middle is cut: who speaks stands at its beginning, the cause at its end. */
        n = text_escape(error->text, sizeof(error->text) / 2, prefix, strlen(prefix));
        length = strlen(text);
        room = sizeof(error->text) - 1 - n - strlen(": ");
        if (length <= room) {
                snprintf(error->text + n, sizeof(error->text) - n, ": %s", text);
                return;
        }
        room -= strlen(dots);
        head = text_cut(text, length, room / 3);
        tail = text + text_cut_front(text, length, length - (room - room / 3));
        snprintf(error->text + n, sizeof(error->text) - n, ": %.*s%s%s", (int)head, text, dots, tail);
}

size_t text_utf8(const unsigned char *s, size_t n) {
        size_t need, i;
        unsigned char low = 0x80, high = 0xbf;

        if (n == 0)
                return 0;
        if (s[0] < 0x80)
                return 1;
        if (s[0] >= 0xc2 && s[0] <= 0xdf)
                need = 2;
        else if ((s[0] & 0xf0) == 0xe0)
                need = 3;
        else if (s[0] >= 0xf0 && s[0] <= 0xf4)
                need = 4;
        else
                return 0;
        if (s[0] == 0xe0)
                low = 0xa0;             /* no overlong forms */
        if (s[0] == 0xed)
                high = 0x9f;            /* no surrogates */
        if (s[0] == 0xf0)
                low = 0x90;
        if (s[0] == 0xf4)
                high = 0x8f;            /* not past U+10FFFF */
        if (n < need || s[1] < low || s[1] > high)
                return 0;
        for (i = 2; i < need; i++)
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
        return need;
}

static int is_hex(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static int is_escape(const char *s, size_t n) {
        return n >= 4 && s[0] == '\\' && s[1] == 'x' && is_hex(s[2]) && is_hex(s[3]);
}

size_t text_cut(const char *s, size_t n, size_t at) {
        size_t back;

        for (back = 1; back < 4 && back <= at; back++) {
                const char *start = s + at - back;
                size_t left = n - (at - back);

                if (text_utf8((const unsigned char *)start, left) > back || is_escape(start, left))
                        return at - back;
        }
        return at;
}

size_t text_cut_front(const char *s, size_t n, size_t at) {
        while (at < n && text_cut(s, n, at) != at)
                at++;
        return at;
}

size_t text_escape(char *to, size_t size, const char *from, size_t n) {
        static const char hex[] = "0123456789abcdef";
        const unsigned char *s = (const unsigned char *)from;
        size_t i = 0, used = 0;

        while (i < n) {
                size_t len = text_utf8(s + i, n - i);
                int control = len == 1 ? s[i] < 0x20 || s[i] == 0x7f : len == 2 && s[i] == 0xc2 && s[i + 1] < 0xa0;

                if (len && !control) {
                        if (used + len >= size)
                                break;
                        memcpy(to + used, from + i, len);
                        used += len;
                        i += len;
                } else {
                        if (used + 4 >= size)
                                break;
                        to[used++] = '\\';
                        to[used++] = 'x';
                        to[used++] = hex[s[i] >> 4];
                        to[used++] = hex[s[i] & 15];
                        i++;
                }
        }
        if (i < n)
                used -= i - text_cut(from, n, i);       /* what it cut was an escape already */
        to[used] = '\0';
        return used;
}
