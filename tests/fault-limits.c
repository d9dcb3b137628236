/* SPDX-License-Identifier: MIT */
/* Too few descriptors, too little memory, some more each time: an error that says why, in the end a whole conversation. */
#include "support/support.h"
#include "support/converse.h"
#include "support/handshake_child.h"

#include <sys/mman.h>
#include <sys/resource.h>

static rlim_t limit;
static int resource;

static void set_limit(void) {
        struct rlimit all;

        assert(getrlimit((__rlimit_resource_t)resource, &all) == 0);
        all.rlim_cur = limit;
        assert(setrlimit((__rlimit_resource_t)resource, &all) == 0);
}

static void no_limit(void) {
        struct rlimit all;

        assert(getrlimit((__rlimit_resource_t)resource, &all) == 0);
        all.rlim_cur = all.rlim_max;
        assert(setrlimit((__rlimit_resource_t)resource, &all) == 0);
}

static int sweep_limit(rlim_t from, rlim_t step, int most, int in_child) {
        struct handshake *handshake = handshake_new();
        int wrong = 0, n, good = 0, bad = 0;

        if (in_child)
                handshake_in_child = set_limit;
        else
                handshake_in_parent = set_limit;
        for (n = 0, limit = from; n < most && good < 3; n++, limit += step) {
                wrong += converse(handshake, 0, 1);
                no_limit();
                if (handshake->parent.result == 0)
                        good++;
                else
                        bad++;
        }
        handshake_in_child = handshake_in_parent = NULL;
        munmap(handshake, sizeof(*handshake));
        printf("# %d failed in order, %d went well\n", bad, good);
        return wrong + (good == 0) + (bad == 0);
}

static int lowest_free(void) {
        int fd = dup(0);

        close(fd);
        return fd;
}

static int body_descriptors(void) {
        resource = RLIMIT_NOFILE;
        return sweep_limit((rlim_t)lowest_free(), 1, 64, 0) + sweep_limit(4, 1, 64, 1);
}

static rlim_t in_use(void) {
        unsigned long pages = 0;
        FILE *file = fopen("/proc/self/statm", "re");

        assert(file && fscanf(file, "%lu", &pages) == 1);
        fclose(file);
        return (rlim_t)pages * 4096;
}

static int body_memory(void) {
        resource = RLIMIT_AS;
        return sweep_limit(in_use() - 65536, 16384, 200, 0);
}

static void test_memory(void **state) {
        if (SANITIZED) {
                printf("# skipped: sanitizers cannot live with RLIMIT_AS\n");
                skip();
        }
        converse_test(state);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                CONVERSE(body_descriptors),
                { "body_memory", test_memory, NULL, NULL, (void *)body_memory },
        };

        return converse_main("fault-limits", tests, sizeof(tests) / sizeof(tests[0]));
}
