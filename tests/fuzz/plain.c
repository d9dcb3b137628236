/* SPDX-License-Identifier: MIT */
/*
 * A fuzzer without libFuzzer: its corpus, then for a while mutations of that, from INITSYNC_SEED. Prints TAP. With files as arguments:
 * these, once, for looking into a crash.
 */
#include "peer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "../support/bytes.h"

#define INPUTS 4096
#define MOST (1 << 17)
#define MUTATE_MS 700

static struct {
        uint8_t *data;
        size_t n;
} inputs[INPUTS];
static size_t n_inputs;

static uint64_t state;
static uint32_t random_number(void) {
        return bytes_random(&state);
}

static int load(int directory, const char *name) {
        static uint8_t data[MOST];
        int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
        size_t used = 0;
        ssize_t n;

        if (fd < 0)
                return -errno;
        while (used < sizeof(data) && (n = read(fd, data + used, sizeof(data) - used)) > 0)
                used += (size_t)n;
        close(fd);
        if (n_inputs < INPUTS && (inputs[n_inputs].data = malloc(used ? used : 1))) {
                memcpy(inputs[n_inputs].data, data, used);
                inputs[n_inputs++].n = used;
        }
        return 0;
}

static void load_corpus(void) {
        const char *top = getenv("top_srcdir");
        struct dirent *entry;
        char path[4096];
        DIR *directory;

        snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s", top ? top : ".", fuzz_name);
        directory = opendir(path);
        if (!directory)
                return;
        while ((entry = readdir(directory)))
                if (entry->d_name[0] != '.')
                        load(dirfd(directory), entry->d_name);
        closedir(directory);
}

/* A copy that ends where it ends, so that a sanitizer sees the first byte too many. */
static void run(const uint8_t *data, size_t n) {
        uint8_t *copy = malloc(n ? n : 1);

        FUZZ_CHECK(copy);
        memcpy(copy, data, n);
        LLVMFuzzerTestOneInput(copy, n);
        free(copy);
}

/* Bytes changed, taken out, doubled, or the rest that of another input. */
static void mutate(void) {
        static uint8_t data[2 * MOST];
        size_t which = random_number() % n_inputs, n = inputs[which].n, at, more;
        uint32_t times = 1 + random_number() % 4;

        memcpy(data, inputs[which].data, n);
        while (times--) {
                at = n ? random_number() % n : 0;
                switch (random_number() % 5) {
                case 0:
                        if (n)
                                data[at] = (uint8_t)random_number();
                        break;
                case 1:
                        if (n)
                                data[at] ^= (uint8_t)(1u << random_number() % 8);
                        break;
                case 2:
                        more = random_number() % 8;
                        more = more < n - at ? more : n - at;
                        memmove(data + at, data + at + more, n - at - more);
                        n -= more;
                        break;
                case 3:
                        more = random_number() % 16;
                        more = more < n - at ? more : n - at;
                        if (n + more <= MOST) {
                                memmove(data + at + more, data + at, n - at);
                                n += more;
                        }
                        break;
                default:
                        which = random_number() % n_inputs;
                        more = inputs[which].n ? random_number() % inputs[which].n : 0;
                        memcpy(data + at, inputs[which].data + more, inputs[which].n - more);
                        n = at + inputs[which].n - more;
                        n = n < MOST ? n : MOST;
                }
        }
        run(data, n);
}

int main(int argc, char **argv) {
        int64_t end = peer_now() + (getenv("INITSYNC_LONG") ? 60000 : MUTATE_MS);
        FILE *tap = fdopen(dup(STDOUT_FILENO), "w");    /* a fuzzer may silence stdout */
        unsigned long runs = 0;
        size_t i;

        FUZZ_CHECK(tap);
        if (argc > 1) {
                for (i = 1; i < (size_t)argc; i++)
                        FUZZ_CHECK(load(AT_FDCWD, argv[i]) == 0);
        } else {
                load_corpus();
        }
        state = bytes_seed();
        fprintf(tap, "1..2\n");
        fflush(tap);
        run((const uint8_t *)"", 0);
        for (i = 0; i < n_inputs; i++)
                run(inputs[i].data, inputs[i].n);
        fprintf(tap, "%s 1 - %s: %zu inputs\n", n_inputs ? "ok" : "not ok", fuzz_name, n_inputs);
        fflush(tap);
        while (argc == 1 && n_inputs && peer_now() < end) {
                mutate();
                runs++;
        }
        fprintf(tap, "%s 2 - %s: mutations of them\n# %lu\n", n_inputs ? "ok" : "not ok", fuzz_name, runs);
        return n_inputs ? 0 : 1;
}
