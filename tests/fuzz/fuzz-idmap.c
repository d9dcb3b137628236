/* SPDX-License-Identifier: MIT */
/* Id maps as text: what is taken is what the kernel would take, and means the same there. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include "base/idmap.h"

const char fuzz_name[] = "idmap";

static int overlap(uint32_t a, uint32_t n_a, uint32_t b, uint32_t n_b) {
        return (uint64_t)a < (uint64_t)b + n_b && (uint64_t)b < (uint64_t)a + n_a;
}

static void check(const struct initsync_idmap *extents, size_t n) {
        size_t i, k;

        FUZZ_CHECK(n >= 1 && n <= INITSYNC_IDMAP_MAX);
        for (i = 0; i < n; i++) {
                FUZZ_CHECK(extents[i].count >= 1);
                FUZZ_CHECK((uint64_t)extents[i].inside + extents[i].count <= (uint64_t)UINT32_MAX + 1);
                FUZZ_CHECK((uint64_t)extents[i].outside + extents[i].count <= (uint64_t)UINT32_MAX + 1);
                for (k = 0; k < i; k++) {
                        FUZZ_CHECK(!overlap(extents[i].inside, extents[i].count, extents[k].inside, extents[k].count));
                        FUZZ_CHECK(!overlap(extents[i].outside, extents[i].count, extents[k].outside, extents[k].count));
                }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct initsync_idmap extents[INITSYNC_IDMAP_MAX], sorted[INITSYNC_IDMAP_MAX], back[INITSYNC_IDMAP_MAX];
        char *text = malloc(size + 1), lines[IDMAP_TEXT_MAX];
        struct initsync_error error;
        size_t n = 77, k;
        int r, length;

        FUZZ_CHECK(text);
        memcpy(text, data, size);
        text[size] = '\0';
        r = initsync_idmap_parse(text, extents, INITSYNC_IDMAP_MAX, &n, &error);
        FUZZ_CHECK(r == 0 || ((r == -EINVAL || r == -ERANGE || r == -E2BIG) && n == 77 && error.code == r));
        if (r == 0) {
                check(extents, n);
                FUZZ_CHECK(idmap_check(extents, n, "map", &error) == 0);
                length = idmap_text(extents, n, lines);
                FUZZ_CHECK(length > 0 && length < IDMAP_TEXT_MAX);
                /* "a b c\n" is "a:b:c,", and reads as it was written. */
                for (k = 0; k < (size_t)length; k++)
                        lines[k] = lines[k] == ' ' ? ':' : lines[k] == '\n' ? ',' : lines[k];
                lines[length - 1] = '\0';
                FUZZ_CHECK(initsync_idmap_parse(lines, back, INITSYNC_IDMAP_MAX, &k, &error) == 0 && k == n);
                memcpy(sorted, extents, n * sizeof(*sorted));
                idmap_sort(sorted, n);
                idmap_sort(back, n);
                FUZZ_CHECK(idmap_equal(sorted, n, back, n));
        }
        free(text);
        return 0;
}
