/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include "base/error.h"
#include "base/idmap.h"
#include "base/number.h"

#define ID_MAX UINT32_MAX       /* (uid_t)-1 is nobody's: the last id is one below */

static uint32_t key(const struct initsync_idmap *e, int outside) {
        return outside ? e->outside : e->inside;
}

/* Shell sort: no allocation (qsort() may), and 340 extents in reverse cost a few microseconds. */
static void sort(struct initsync_idmap *e, size_t n, int outside) {
        size_t gap, i, k;

        for (gap = n / 2; gap; gap /= 2) {
                for (i = gap; i < n; i++) {
                        struct initsync_idmap one = e[i];

                        for (k = i; k >= gap && key(&e[k - gap], outside) > key(&one, outside); k -= gap)
                                e[k] = e[k - gap];
                        e[k] = one;
                }
        }
}

/* Each begins where the one before it has ended, or later. */
static int ascends(const struct initsync_idmap *e, size_t n, int outside) {
        size_t i;

        for (i = 1; i < n; i++)
                if (key(&e[i], outside) < key(&e[i - 1], outside) ||
                    key(&e[i], outside) - key(&e[i - 1], outside) < e[i - 1].count)
                        return 0;
        return 1;
}

/* Most maps are in order already; a request is checked on both sides. */
static int overlap(const struct initsync_idmap *extents, size_t n, int outside) {
        struct initsync_idmap sorted[INITSYNC_IDMAP_MAX];

        if (ascends(extents, n, outside))
                return 0;
        memcpy(sorted, extents, n * sizeof(*extents));
        sort(sorted, n, outside);
        return !ascends(sorted, n, outside);
}

static size_t digits(uint32_t number) {
        size_t n = 1;

        while (number /= 10)
                n++;
        return n;
}

/* The length of a map's text, without its NUL. */
static size_t text_length(const struct initsync_idmap *e, size_t n) {
        size_t i, length = 0;

        for (i = 0; i < n; i++)
                length += digits(e[i].inside) + digits(e[i].outside) + digits(e[i].count) + 3;
        return length;
}

static int check_extent(const struct initsync_idmap *e, size_t i, const char *name, struct initsync_error *reterr) {
        if (e->count == 0)
                return error_say(reterr, -EINVAL, INITSYNC_STAGE_WIRE, NULL, NULL,
                                 "%s: extent %zu has a count of 0, at least 1 is expected", name, i);
        if (e->count > ID_MAX - e->inside || e->count > ID_MAX - e->outside)
                return error_say(reterr, -ERANGE, INITSYNC_STAGE_WIRE, NULL, NULL,
                                 "%s: extent %zu (%u:%u:%u) passes the last id 4294967294", name, i, e->inside, e->outside,
                                 e->count);
        return 0;
}

int idmap_check(const struct initsync_idmap *extents, size_t n, const char *name, struct initsync_error *reterr) {
        size_t i;
        int r, outside;

        if (n == 0)
                return error_say(reterr, -EINVAL, INITSYNC_STAGE_WIRE, NULL, NULL, "%s: no extent, at least 1 is expected", name);
        if (n > INITSYNC_IDMAP_MAX)
                return error_say(reterr, -E2BIG, INITSYNC_STAGE_WIRE, NULL, NULL, "%s: %zu extents, at most %d are expected", name,
                                 n, INITSYNC_IDMAP_MAX);
        for (i = 0; i < n; i++) {
                r = check_extent(&extents[i], i, name, reterr);
                if (r < 0)
                        return r;
        }
        for (outside = 0; outside < 2; outside++)
                if (overlap(extents, n, outside))
                        return error_say(reterr, -EINVAL, INITSYNC_STAGE_WIRE, NULL, NULL, "%s: extents overlap %s", name,
                                         outside ? "outside" : "inside");
        if (text_length(extents, n) >= IDMAP_TEXT_MAX)
                return error_say(reterr, -E2BIG, INITSYNC_STAGE_WIRE, NULL, NULL,
                                 "%s: %zu extents are more than the 4095 bytes that a map file takes", name, n);
        return 0;
}

void idmap_sort(struct initsync_idmap *extents, size_t n) {
        sort(extents, n, 0);
}

int idmap_equal(const struct initsync_idmap *a, size_t n_a, const struct initsync_idmap *b, size_t n_b) {
        return n_a == n_b && (n_a == 0 || memcmp(a, b, n_a * sizeof(*a)) == 0);
}

static char *put_number(char *to, uint32_t number, char after) {
        size_t n = digits(number), i;

        for (i = n; i > 0; i--, number /= 10)
                to[i - 1] = (char)('0' + number % 10);
        to[n] = after;
        return to + n + 1;
}

int idmap_text(const struct initsync_idmap *extents, size_t n, char text[static IDMAP_TEXT_MAX]) {
        char *to = text;
        size_t i;

        if (text_length(extents, n) >= IDMAP_TEXT_MAX)
                return -E2BIG;
        for (i = 0; i < n; i++) {
                to = put_number(to, extents[i].inside, ' ');
                to = put_number(to, extents[i].outside, ' ');
                to = put_number(to, extents[i].count, '\n');
        }
        *to = '\0';
        return (int)(to - text);
}

static int parse_extent(const char **text, struct initsync_idmap *ret) {
        uint32_t *to[] = { &ret->inside, &ret->outside, &ret->count };
        int i, r, over = 0;

        for (i = 0; i < 3; i++) {
                uint64_t value = 0;

                if (i && *(*text)++ != ':')
                        return -EINVAL;
                r = number_read(text, UINT32_MAX, &value);
                if (r == -EINVAL)
                        return r;
                over |= r == -ERANGE;
                *to[i] = (uint32_t)value;
        }
        return over ? -ERANGE : 0;
}

PUBLIC int initsync_idmap_parse(const char *text, struct initsync_idmap *ret_extents, size_t max, size_t *ret_n,
                                struct initsync_error *reterr) {
        struct initsync_idmap extents[INITSYNC_IDMAP_MAX];
        const char *s = text;
        size_t n = 0;
        int r;

        for (;;) {
                if (n == ARRAY_SIZE(extents) || n == max)
                        return error_say(reterr, -E2BIG, INITSYNC_STAGE_WIRE, NULL, NULL, "id map: more than %zu extents", n);
                r = parse_extent(&s, &extents[n]);
                if (r == -ERANGE)
                        return error_say(reterr, r, INITSYNC_STAGE_WIRE, NULL, NULL,
                                         "id map: extent %zu has a number above 4294967295", n);
                if (r < 0 || (*s && *s != ','))
                        return error_say(reterr, -EINVAL, INITSYNC_STAGE_WIRE, NULL, NULL,
                                         "id map \"%.100s\": extent %zu is not inside:outside:count", text, n);
                n++;
                if (*s++ == '\0')
                        break;
        }
        r = idmap_check(extents, n, "id map", reterr);
        if (r < 0)
                return r;
        memcpy(ret_extents, extents, n * sizeof(*extents));
        *ret_n = n;
        return 0;
}
