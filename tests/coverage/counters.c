/* SPDX-License-Identifier: MIT */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Linked to every program of a coverage build. gcov writes its counters when a process calls exit(3), and what was counted in one
 * that ends by _exit(2), by SIGKILL, by execve(2), or in a task with a copy of our memory, is lost: which here is most of what
 * is of interest. So the counters become memory that is shared with whatever is forked, and the program's first process writes
 * them for all.
 */

extern char coverage_counters_start[], coverage_counters_end[];

static char *written;           /* what of the counters is in the files, in the same order */

void coverage_share(void);

static void *shared(void *at, size_t n) {
        void *area = mmap(at, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

        if (area == MAP_FAILED)
                abort();
        return area;
}

__attribute__((constructor(101))) void coverage_share(void) {
        size_t n = (size_t)(coverage_counters_end - coverage_counters_start);
        void *kept;

        if (!n)
                return;
        kept = malloc(n);
        if (!kept)
                abort();
        memcpy(kept, coverage_counters_start, n);
        memcpy(shared(coverage_counters_start, n), kept, n);
        free(kept);
        written = shared(NULL, n);
}

/* Of libgcov's inside, which is linked statically. */
int64_t __gcov_read_counter(void);
void __gcov_merge_add(int64_t *counters, unsigned n);

/*
 * In libgcov's place, which adds what is in a file to what is in memory and writes the sum there. Each child that calls exit(3)
 * does that to the same memory: what it has put into the file already must not be added once more. The file is locked meanwhile.
 */
void __gcov_merge_add(int64_t *counters, unsigned n) {
        int64_t *before = (int64_t *)(void *)(written + ((char *)counters - coverage_counters_start));
        unsigned i;

        for (i = 0; i < n; i++)
                before[i] = __atomic_add_fetch(&counters[i], __gcov_read_counter() - before[i], __ATOMIC_SEQ_CST);
}
