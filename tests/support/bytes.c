/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "bytes.h"

#include <time.h>

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

/* splitmix64 */
uint32_t bytes_random(uint64_t *state) {
        uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return (uint32_t)(z >> 32);
}

uint64_t bytes_seed(void) {
        const char *text = getenv("INITSYNC_SEED");
        struct timespec now;
        uint64_t seed = 1;

        if (text && strcmp(text, "random") == 0) {
                clock_gettime(CLOCK_REALTIME, &now);
                seed = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
        } else if (text) {
                seed = strtoull(text, NULL, 0);
        }
        fprintf(stdout, "# INITSYNC_SEED=%llu\n", (unsigned long long)seed);
        fflush(stdout);
        return seed;
}
