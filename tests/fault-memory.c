/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/handshake_child.h"
#include "support/oracle.h"
#include "support/process.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * Every allocation fails, the library's and json-c's, once and from there on for good, in each of the two processes. Whoever asks
 * gets -ENOMEM, or does without; nothing is left, in memory neither.
 */

#if SANITIZED || !defined(__GLIBC__)
int main(void) {
        printf("1..0 # SKIP takes the place of malloc, which sanitizers have taken (or a C library other than glibc)\n");
        return 0;
}
#else

struct plan {
        int role;
        unsigned from, times, passes[2], failed;
        int wrong;
        char told[4096];
        struct handshake handshake;
};
static struct plan *plan;
static int armed, role;         /* of this process: 0 the parent, 1 the child */
static long alive;              /* blocks of this process's */

/* Seen by the shared libraries, too. */
#define INSTEAD __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static int fails(void) {
        unsigned pass;

        if (!armed)
                return 0;
        pass = __atomic_add_fetch(&plan->passes[role], 1, __ATOMIC_SEQ_CST);
        if (role != plan->role || pass < plan->from || pass - plan->from >= plan->times)
                return 0;
        plan->failed++;
        errno = ENOMEM;
        return 1;
}

static void *given(void *block) {
        alive += block != NULL;
        return block;
}

INSTEAD void *malloc(size_t size) {
        return fails() ? NULL : given(__libc_malloc(size));
}

INSTEAD void *calloc(size_t n, size_t size) {
        return fails() ? NULL : given(__libc_calloc(n, size));
}

INSTEAD void *realloc(void *block, size_t size) {
        void *moved = fails() ? NULL : __libc_realloc(block, size);

        alive += moved && !block;
        return moved;
}

INSTEAD void free(void *block) {
        alive -= block != NULL;
        __libc_free(block);
}

static void in_child(void) {
        role = 1;
}

/* What fails before there is a conversation. */
static void constructors(struct handshake *handshake) {
        struct initsync_userns_cache *cache = NULL;
        struct initsync_parent *parent = NULL;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int pair[2], pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0), r;

        r = initsync_userns_cache_new(&cache, 4);
        if (r < 0 && r != -ENOMEM)
                handshake->unlike = 1;
        initsync_userns_cache_free(cache);
        assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
        memset(&error, 0x5a, sizeof(error));
        r = initsync_parent_new(&parent, pair[0], pidfd, &(struct initsync_parent_options)INITSYNC_PARENT_OPTIONS_INIT, &error);
        if (r < 0)
                handshake->parent = (struct handshake_side){ "initsync_parent_new", r, error };
        memset(&error, 0x5a, sizeof(error));
        r = initsync_child_new(&child, pair[1], NULL, &error);
        if (r < 0)
                handshake->child = (struct handshake_side){ "initsync_child_new", r, error };
        initsync_parent_free(parent);
        initsync_child_free(child);
        handshake->no_parent = 1;
        close(pidfd);
}

static const struct scene {
        const char *name;
        unsigned flags;
        void (*run)(struct handshake *handshake);
        int parent, child;      /* what it ends with when nothing fails */
} scenes[] = {
        { "whole", HANDSHAKE_TRACE, handshake_run, 0, 0 },
        { "by descriptor", HANDSHAKE_BY_FD, handshake_run, 0, 0 },
        { "the child fails", HANDSHAKE_CHILD_FAILS, handshake_run, -EREMOTEIO, -EIO },
        { "a hook fails", HANDSHAKE_HOOKS_FAIL | HANDSHAKE_TRACE, handshake_run, -EIO, -EREMOTEIO },
        { "a submount takes no map", HANDSHAKE_CULPRIT, handshake_run, -EINVAL, -EREMOTEIO },
        { "constructors", 0, constructors, 0, 0 },
};

static void run_in_process(const struct scene *scene) {
        static struct oracle before;
        long blocks = alive;

        alarm(60);
        oracle_group();
        oracle_take(&before);
        armed = 1;
        scene->run(&plan->handshake);
        armed = 0;
        plan->wrong = oracle_check(&before, plan->told, sizeof(plan->told));
        if (alive != blocks) {
                snprintf(plan->told + strlen(plan->told), 64, "%ld blocks of memory are left\n", alive - blocks);
                plan->wrong++;
        }
        _exit(0);
}

/* Only the one whose memory is gone may say so, and nothing but that. */
static int judge_code(const struct scene *scene) {
        const struct handshake *handshake = &plan->handshake;
        const struct handshake_side *side = plan->role ? &handshake->child : &handshake->parent;
        int expected = plan->role ? scene->child : scene->parent;

        /* Want of memory is no reason to send what is wrong, nor to find it wrong. */
        if (handshake->parent.result == -EPROTO || handshake->child.result == -EPROTO) {
                snprintf(plan->told + strlen(plan->told), 1600, "%.700s | %.700s\n", handshake->parent.error.text, handshake->child.error.text);
                return 1;
        }
        if (side->result == -ENOMEM || side->result == expected)
                return 0;
        /* The other one gave up, being told or left alone. */
        if (side->result == -EREMOTEIO || side->result == -ECONNRESET)
                return 0;
        snprintf(plan->told + strlen(plan->told), 900, "%d: %s\n", side->result, side->error.text);
        return 1;
}

static int run(const struct scene *scene, int who, unsigned from, unsigned times) {
        int pid, status, wrong, tries = 0;
        size_t used;

        do {
                memset(plan, 0, sizeof(*plan));
                plan->role = who;
                plan->from = from;
                plan->times = times;
                plan->handshake.flags = scene->flags;
                fflush(NULL);
                pid = process_copy();
                if (pid == 0)
                        run_in_process(scene);
                assert(waitpid(pid, &status, 0) == pid);
        } while (handshake_busy(&plan->handshake) && ++tries < 50);
        wrong = plan->wrong + (status != 0) + oracle_group_left(pid);
        used = strlen(plan->told);
        wrong += handshake_judge(&plan->handshake, plan->told + used, (unsigned)(sizeof(plan->told) - used)) + judge_code(scene);
        if (wrong)
                printf("# %s: allocation %u of the %s%s: status %x: child %x %s, parent %d %s: %s", scene->name, from, who ? "child" : "parent",
                       times == 1 ? "" : ", for good", (unsigned)status, (unsigned)plan->handshake.child_status, plan->handshake.child.call, plan->handshake.parent.result, plan->handshake.parent.error.text, plan->told);
        return wrong;
}

static void test_scene(void **state) {
        const struct scene *scene = *state;
        unsigned passes[2], n, step, tried = 0, failed = 0;
        int wrong, who;

        wrong = run(scene, 0, 1, 0);
        memcpy(passes, plan->passes, sizeof(passes));
        assert_true(passes[0] > 0);
        for (who = 0; who < 2; who++)
                for (n = 1; n <= passes[who]; n++)
                        /* In a share the end of everything comes at every fourth. */
                        for (step = 0; step < (n % 4 == 1 || getenv("INITSYNC_LONG") ? 2 : 1); step++) {
                                wrong += run(scene, who, n, step ? 1000000 : 1);
                                tried++;
                                failed += plan->failed != 0;
                        }
        printf("# %s: %u and %u allocations, %u runs, %u of them met their failure\n", scene->name, passes[0], passes[1], tried,
               failed);
        assert_true(failed >= passes[0]);
        assert_int_equal(wrong, 0);
}

int main(void) {
        static struct CMUnitTest tests[sizeof(scenes) / sizeof(scenes[0])];
        size_t i;

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (!oracle_enter()) {
                printf("1..0 # SKIP %s\n", oracle_why());
                return 0;
        }
        handshake_in_child = in_child;
        handshake_patience = 10;        /* nothing here ends by a deadline */
        oracle_adopt();
        handshake_places(oracle_dir());
        plan = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert(plan != MAP_FAILED);
        for (i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++)
                tests[i] = (struct CMUnitTest){ scenes[i].name, test_scene, NULL, NULL, (void *)&scenes[i] };
        return _cmocka_run_group_tests("fault-memory", tests, sizeof(tests) / sizeof(tests[0]), NULL, NULL);
}
#endif
