/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "bytes.h"

char *bytes_exact(const void *data, size_t n) {
        char *copy = malloc(n ? n : 1);

        assert(copy);
        memcpy(copy, data, n);
        return copy;
}

char *bytes_format(const char *format, ...) {
        va_list args;
        char *text;
        int r;

        va_start(args, format);
        r = vasprintf(&text, format, args);
        va_end(args);
        assert(r >= 0);
        return text;
}

char *bytes_repeat(const char *unit, size_t n) {
        size_t length = strlen(unit), i;
        char *text = malloc(length * n + 1);

        assert(text);
        for (i = 0; i < n; i++)
                memcpy(text + i * length, unit, length);
        text[length * n] = '\0';
        return text;
}

void bytes_contain_at(const char *text, const char *part, const char *file, int line) {
        if (strstr(text, part))
                return;
        print_error("\"%s\"\nhas no \"%s\"\n", text, part);
        _fail(file, line);
}
