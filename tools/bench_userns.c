/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include "bench_kernel.h"
#include "bench_userns_bare.h"
#include "bench_worker.h"
#include "cleanup.h"
#include "say.h"

#define THREADS 10

/* What an embedder may be like. */
struct embedder {
        size_t resident;                /* bytes */
        int descriptors;
        struct worker worker;
};

static int become(void *data, struct initsync_error *reterr) {
        const struct embedder *embedder = data;
        char *memory = mmap(NULL, embedder->resident, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        int i;

        if (memory == MAP_FAILED)
                return fault_call(reterr, -errno, "mmap", NULL);
        madvise(memory, embedder->resident, MADV_NOHUGEPAGE);   /* as memory is that was allocated in small pieces */
        memset(memory, 1, embedder->resident);
        for (i = 0; i < embedder->descriptors; i++)
                if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0)
                        return fault_call(reterr, -errno, "open", "/dev/null");
        return 0;
}

static int ours(const struct bench_maps *maps, struct initsync_error *reterr) {
        int fd, r = initsync_userns_open(maps->extents, maps->n, maps->extents, maps->n, &fd, reterr);

        return r < 0 ? r : fd;
}

static int64_t timed(int (*make)(const struct bench_maps *maps, struct initsync_error *reterr), struct initsync_error *reterr) {
        int64_t start = clock_ns(), took;
        int fd = make(bench_maps(), reterr);

        if (fd < 0)
                return fd;
        took = clock_ns() - start;
        close(fd);
        return took;
}

static int64_t do_ours(void *data, struct initsync_error *reterr) {
        (void)data;
        return timed(ours, reterr);
}

static int64_t do_bare(void *data, struct initsync_error *reterr) {
        (void)data;
        return timed(bare_userns, reterr);
}

static int64_t do_traced(void *data, struct initsync_error *reterr) {
        (void)data;
        return timed(traced_userns, reterr);
}

/* ---- ten threads at once ---- */

struct crowd {
        pthread_barrier_t barrier;
        int (*make)(const struct bench_maps *maps, struct initsync_error *reterr);
        int failed;
        struct initsync_error error;
};

static void *one_of_ten(void *data) {
        struct crowd *crowd = data;
        struct initsync_error error;
        int fd;

        pthread_barrier_wait(&crowd->barrier);
        fd = crowd->make(bench_maps(), &error);
        if (fd >= 0)
                close(fd);
        else if (__atomic_exchange_n(&crowd->failed, fd, __ATOMIC_RELAXED) == 0)
                crowd->error = error;
        pthread_barrier_wait(&crowd->barrier);
        return NULL;
}

static int64_t ten_at_once(int (*make)(const struct bench_maps *maps, struct initsync_error *reterr),
                           struct initsync_error *reterr) {
        struct crowd crowd = { .make = make };
        pthread_t threads[THREADS];
        int64_t start, took;
        int i;

        pthread_barrier_init(&crowd.barrier, NULL, THREADS + 1);
        for (i = 0; i < THREADS; i++)
                if (pthread_create(&threads[i], NULL, one_of_ten, &crowd) != 0)
                        return fault(reterr, -EAGAIN, "pthread_create");
        start = clock_ns();
        pthread_barrier_wait(&crowd.barrier);
        pthread_barrier_wait(&crowd.barrier);
        took = clock_ns() - start;
        for (i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&crowd.barrier);
        if (crowd.failed < 0)
                *reterr = crowd.error;
        return crowd.failed < 0 ? crowd.failed : took;
}

static int64_t do_ten(void *data, struct initsync_error *reterr) {
        (void)data;
        return ten_at_once(ours, reterr);
}

static int64_t do_ten_bare(void *data, struct initsync_error *reterr) {
        (void)data;
        return ten_at_once(bare_userns, reterr);
}

enum { SMALL, LARGE, MANY, N_EMBEDDERS };

static int compare_embedders(struct report *report, struct embedder *embedders, struct initsync_error *reterr) {
        struct worker *small = &embedders[SMALL].worker, *large = &embedders[LARGE].worker, *many = &embedders[MANY].worker;
        struct series *mine = report_series(report, "us", "ours, 10 MiB resident, 10 descriptors"),
                      *floor = report_series(report, "us", "floor: bare clone, two writes, descriptor, kill, wait"),
                      *traced = report_series(report, "us", "fork + ptrace + exec, 10 MiB"),
                      *mine_large = report_series(report, "us", "ours, 1 GiB"),
                      *traced_large = report_series(report, "us", "fork + ptrace + exec, 1 GiB"),
                      *mine_many = report_series(report, "us", "ours, 10,000 descriptors"),
                      *ten = report_series(report, "us", "ours, ten from ten threads"),
                      *ten_floor = report_series(report, "us", "floor, ten from ten threads");
        const struct contender contenders[] = {
                { mine, do_ours, NULL, small, 20, 0, 0 },
                { floor, do_bare, NULL, small, 20, 0, 0 },
                { traced, do_traced, NULL, small, 5, 0, 0 },
                { mine_large, do_ours, NULL, large, 20, 0, 0 },
                { traced_large, do_traced, NULL, large, 1, 4, 0 },
                { mine_many, do_ours, NULL, many, 20, 0, 0 },
                { ten, do_ten, NULL, small, 5, 0, 0 },
                { ten_floor, do_ten_bare, NULL, small, 5, 0, 0 },
        };

        report_ratio(report, mine, floor, AT_MOST, 1.3, "ours / floor");
        report_ratio(report, traced, mine, AT_LEAST, 2, "fork + ptrace + exec / ours, 10 MiB resident");
        report_ratio(report, traced_large, mine_large, AT_LEAST, 50, "fork + ptrace + exec / ours, 1 GiB resident");
        report_ratio(report, mine_large, mine, AT_MOST, 1.5, "ours with 1 GiB / with 10 MiB");
        report_ratio(report, mine_many, mine, AT_MOST, 1.2, "ours with 10,000 descriptors / with 10");
        report_ratio(report, ten, mine, AT_MOST, 1.2 * THREADS / cpus(), "ten from ten threads / one");
        report_ratio(report, ten_floor, floor, NO_BOUND, 0, "the same of the floor");
        return measure(report->name, contenders, sizeof(contenders) / sizeof(contenders[0]), report_rounds(report, 60), reterr);
}

static int run(struct report *report, struct initsync_error *reterr) {
        struct embedder embedders[N_EMBEDDERS] = {
                { 10UL << 20, 10, WORKER_NONE },
                { (report->quick ? 64UL : 1024UL) << 20, 10, WORKER_NONE },
                { 10UL << 20, 10000, WORKER_NONE },
        };
        int i, r = 0;

        for (i = 0; i < N_EMBEDDERS && r == 0; i++)
                r = worker_start(&embedders[i].worker, become, &embedders[i], reterr);
        if (r == 0)
                r = compare_embedders(report, embedders, reterr);
        for (i = 0; i < N_EMBEDDERS; i++)
                worker_end(&embedders[i].worker);
        if (report->quick)
                report_note(report, "--quick: 64 MiB in place of 1 GiB");
        return r;
}

const struct bench bench_userns = { "userns", "a user namespace descriptor with 5+5 extents", false, run };

/* ---- the same map again ---- */

struct cached {
        struct initsync_userns_cache *cache;
        int fd;
};

/* So short that many are timed at once; closing them is not part of it. */
#define REPEATED 500

static int64_t do_cached(void *data, struct initsync_error *reterr) {
        const struct bench_maps *maps = bench_maps();
        struct cached *cached = data;
        int64_t start = clock_ns(), took;
        int i, fds[REPEATED], r = 0;

        for (i = 0; i < REPEATED && r == 0; i++)
                r = initsync_userns_cache_get(cached->cache, maps->extents, maps->n, maps->extents, maps->n, &fds[i], reterr);
        took = clock_ns() - start;
        for (i -= r < 0; i > 0; i--)
                close(fds[i - 1]);
        return r < 0 ? r : took;
}

static int64_t do_dup(void *data, struct initsync_error *reterr) {
        const struct cached *cached = data;
        int64_t start = clock_ns(), took;
        int i, fds[REPEATED], failed = 0;

        for (i = 0; i < REPEATED; i++) {
                fds[i] = fcntl(cached->fd, F_DUPFD_CLOEXEC, 3);
                failed |= fds[i] < 0;
        }
        took = clock_ns() - start;
        while (i > 0)
                close(fds[--i]);
        return failed ? fault_call(reterr, -EMFILE, "fcntl", NULL) : took;
}

static int run_cached(struct report *report, struct initsync_error *reterr) {
        const struct bench_maps *maps = bench_maps();
        struct cached cached = { NULL, -1 };
        struct series *mine = report_series(report, "ns", "ours, from the cache"),
                      *floor = report_series(report, "ns", "floor: one fcntl(F_DUPFD_CLOEXEC)");
        const struct contender contenders[] = {
                { mine, do_cached, &cached, NULL, 1, 0, REPEATED },
                { floor, do_dup, &cached, NULL, 1, 0, REPEATED },
        };
        int r;

        report_ratio(report, mine, floor, AT_MOST, 3, "ours / floor");
        r = initsync_userns_cache_new(&cached.cache, 16);
        if (r < 0)
                return fault_call(reterr, r, "malloc", NULL);
        r = initsync_userns_cache_get(cached.cache, maps->extents, maps->n, maps->extents, maps->n, &cached.fd, reterr);
        if (r == 0)
                r = measure(report->name, contenders, 2, report_rounds(report, 100), reterr);
        fd_closep(&cached.fd);
        initsync_userns_cache_free(cached.cache);
        return r;
}

const struct bench bench_userns_cached = { "userns-cached", "the same map again, from the cache", false, run_cached };
