/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/handshake_child.h"
#include "support/oracle.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include "support/duo.h"
#include "support/process.h"

/*
 * SIGKILL of the runtime, of the child, of the mount task and of the helper of a user namespace: after each system call of theirs, one
 * by one, and at random times. Whoever lives is told, whoever depends on the dead ends, and nothing is left.
 */

enum victim { RUNTIME, CHILD, FIRST_TASK, SECOND_TASK, VICTIMS };
static const char *const names[VICTIMS] = { "the runtime", "the child", "its mount task", "the helper of its user namespace" };

#define END_MS 10000            /* for what the death of another ends */
#define SHARE 300               /* of the random kills; all with INITSYNC_LONG */
#define ALL 20000
#define LATEST_US 3000

struct round {
        struct handshake handshake;
        int over, wrong;        /* the runtime has come to the end of its conversation, and what it found left */
        char told[4096];
};
static struct round *round_;

static void runtime(int traced) {
        static struct oracle before;

        alarm(60);
        oracle_group();
        oracle_take(&before);
        if (traced) {
                assert(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
                raise(SIGSTOP);
        }
        handshake_run(&round_->handshake);
        __atomic_store_n(&round_->over, 1, __ATOMIC_SEQ_CST);
        getppid();              /* here who traces lets go */
        round_->wrong = oracle_check(&before, round_->told, sizeof(round_->told));
        _exit(0);
}

static int begin(unsigned flags, int traced) {
        int pid;

        memset(round_, 0, sizeof(*round_));
        round_->handshake.flags = flags;
        fflush(NULL);
        pid = process_copy();
        if (pid == 0)
                runtime(traced);
        setpgid(pid, pid);      /* as it does itself: who comes first */
        return pid;
}

/* Everybody of the runtime's group ends and is reaped here, where orphans come to. */
static int end(int pid) {
        int64_t start = duo_now();

        while (duo_now() - start < END_MS) {
                while (waitpid(-1, NULL, __WALL | WNOHANG) > 0)
                        ;
                if (process_signal_group(pid, 0) < 0)
                        return 0;
                usleep(500);
        }
        process_signal_group(pid, SIGKILL);
        while (waitpid(-1, NULL, __WALL) > 0)
                ;
        return 1;
}

static int tell(enum victim victim, const char *when, unsigned n, const char *what) {
        printf("# %s killed %s %u, conversation %u: %s: parent %d (%s), child %d (%s)\n", names[victim], when, n,
               round_->handshake.flags, what,
               round_->handshake.parent.result, round_->handshake.parent.error.text, round_->handshake.child.result,
               round_->handshake.child.error.text);
        return 1;
}

static int judge(enum victim victim, const char *when, unsigned n, int left) {
        struct handshake *handshake = &round_->handshake;
        char text[2048];
        int wrong = left ? tell(victim, when, n, "a process is left") : 0;

        handshake->has_status = 0;      /* killed when all was said is a success, too */
        if (victim == RUNTIME && !round_->over)
                return wrong;
        if (!round_->over)
                return wrong + tell(victim, when, n, "the runtime did not get to its end");
        if (round_->wrong)
                wrong += tell(victim, when, n, round_->told);
        if (handshake_judge(handshake, text, sizeof(text)))
                wrong += tell(victim, when, n, text);
        return wrong;
}

/* Tracing ------------------------------------------------------------------------------------------------------------------ */

struct tracee {
        int pid, inside;
        enum victim role;
};

struct trace {
        struct tracee at[8];
        int n, tasks;
        unsigned calls[VICTIMS];
        enum victim victim;
        unsigned kill_at;       /* 0: never */
};

static struct tracee *find(struct trace *trace, int pid) {
        int i;

        for (i = 0; i < trace->n; i++)
                if (trace->at[i].pid == pid)
                        return &trace->at[i];
        return NULL;
}

static void adopt(struct trace *trace, int pid, enum victim role) {
        assert(trace->n < 8);
        trace->at[trace->n++] = (struct tracee){ pid, 0, role };
}

static void on_event(struct trace *trace, int pid, int event) {
        unsigned long made = 0;

        if (event != PTRACE_EVENT_FORK && event != PTRACE_EVENT_CLONE && event != PTRACE_EVENT_VFORK)
                return;
        if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &made) == 0)
                adopt(trace, (int)made, event == PTRACE_EVENT_FORK ? CHILD : trace->tasks++ ? SECOND_TASK : FIRST_TASK);
}

/* At the end of a system call. */
static void on_call(struct trace *trace, struct tracee *tracee) {
        tracee->inside = !tracee->inside;
        if (tracee->inside)
                return;
        if (++trace->calls[tracee->role] == trace->kill_at && tracee->role == trace->victim)
                process_signal(tracee->pid, SIGKILL);
}

static void on_stop(struct trace *trace, int pid, int status) {
        struct tracee *tracee = find(trace, pid);
        int signal = WSTOPSIG(status), deliver = 0;

        if (__atomic_load_n(&round_->over, __ATOMIC_SEQ_CST)) {
                ptrace(PTRACE_DETACH, pid, NULL, NULL);
                return;
        }
        if (status >> 16)
                on_event(trace, pid, status >> 16);
        else if (signal == (SIGTRAP | 0x80) && tracee)
                on_call(trace, tracee);
        else if (signal != SIGSTOP && signal != (SIGTRAP | 0x80))
                deliver = signal;
        ptrace(PTRACE_SYSCALL, pid, NULL, (void *)(long)deliver);
}

/* Until the runtime has ended. */
static void follow(struct trace *trace, int runtime_pid) {
        const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE |
                             PTRACE_O_EXITKILL;
        int status, pid;

        assert(waitpid(runtime_pid, &status, __WALL) == runtime_pid && WIFSTOPPED(status));
        assert(ptrace(PTRACE_SETOPTIONS, runtime_pid, NULL, (void *)options) == 0);
        adopt(trace, runtime_pid, RUNTIME);
        ptrace(PTRACE_SYSCALL, runtime_pid, NULL, NULL);
        while ((pid = waitpid(-1, &status, __WALL)) > 0) {
                if (WIFSTOPPED(status))
                        on_stop(trace, pid, status);
                else if (pid == runtime_pid)
                        break;
        }
        /* Who it left is still traced, and must go on to end by itself. */
        for (pid = 0; pid < trace->n; pid++)
                ptrace(PTRACE_DETACH, trace->at[pid].pid, NULL, NULL);
}

/* The dead runtime's heirs may be in the middle of a stop. */
static int follow_heirs(int runtime_pid) {
        int64_t start = duo_now();
        int status, pid;

        while (duo_now() - start < END_MS) {
                while ((pid = waitpid(-1, &status, __WALL | WNOHANG)) > 0)
                        if (WIFSTOPPED(status))
                                ptrace(PTRACE_DETACH, pid, NULL, NULL);
                if (process_signal_group(runtime_pid, 0) < 0)
                        return 0;
                usleep(200);
        }
        return end(runtime_pid);
}

static int kill_at(unsigned flags, enum victim victim, unsigned n, unsigned ret_calls[VICTIMS]) {
        struct trace trace = { .victim = victim, .kill_at = n };
        int pid = begin(flags, 1);

        follow(&trace, pid);
        if (ret_calls)
                memcpy(ret_calls, trace.calls, sizeof(trace.calls));
        return judge(victim, "after its call number", n, follow_heirs(pid));
}

static int namespaces(void) {
        char text[256];

        if (!oracle_namespaces(text, sizeof(text)))
                return 0;
        printf("# %s", text);
        return 1;
}

static void test_every_call(void **state) {
        unsigned flags = (unsigned)(uintptr_t)*state, calls[VICTIMS], n, kills = 0;
        int wrong = 0, tries = 0, victim;
        int64_t start = duo_now();

        /* The helper may have served before it has made a call. */
        do
                wrong += kill_at(flags, RUNTIME, 0, calls);
        while ((!calls[SECOND_TASK] || round_->handshake.parent.result == -EAGAIN) && ++tries < 50);

        assert_int_equal(round_->handshake.parent.result, 0);
        for (victim = RUNTIME; victim < VICTIMS; victim++) {
                assert_true(calls[victim] > 0);
                for (n = 1; n <= calls[victim]; n++, kills++)
                        wrong += kill_at(flags, (enum victim)victim, n, NULL);
                wrong += namespaces();
        }
        printf("# %u, %u, %u and %u calls of the runtime, the child, the mount task, the helper: %u kills in %d ms\n",
               calls[RUNTIME], calls[CHILD], calls[FIRST_TASK], calls[SECOND_TASK], kills, (int)(duo_now() - start));
        assert_int_equal(wrong, 0);
}

/* At random ---------------------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static unsigned next_random(unsigned below) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (unsigned)(seed >> 20) % below;
}

/* A task of the runtime's: which of the two is not told here. */
static int task_of(int runtime_pid) {
        char path[64], text[256] = "", *at = text, *next;
        FILE *file;
        int pid;

        snprintf(path, sizeof(path), "/proc/%d/task/%d/children", runtime_pid, runtime_pid);
        file = fopen(path, "re");
        if (!file)
                return -1;
        if (!fgets(text, sizeof(text), file))
                text[0] = '\0';
        fclose(file);
        for (; (pid = (int)strtol(at, &next, 10)) > 0; at = next)
                if (pid != __atomic_load_n(&round_->handshake.child_pid, __ATOMIC_SEQ_CST))
                        return pid;
        return -1;
}

static void wait_us(unsigned us) {
        struct timespec from, now;

        clock_gettime(CLOCK_MONOTONIC, &from);
        do
                clock_gettime(CLOCK_MONOTONIC, &now);
        while ((now.tv_sec - from.tv_sec) * 1000000 + (now.tv_nsec - from.tv_nsec) / 1000 < us);
}

static int kill_somebody(unsigned i, int *ret_killed) {
        static const unsigned flags[] = { 0, HANDSHAKE_BY_FD | HANDSHAKE_TRACE, HANDSHAKE_CHILD_FAILS, HANDSHAKE_HOSTILE };
        enum victim victim = (enum victim)next_random(3);
        unsigned after = next_random(LATEST_US);
        int pid = begin(flags[next_random(4)], 0), target, wrong;

        wait_us(after);
        target = victim == RUNTIME ? pid : victim == CHILD ? round_->handshake.child_pid : task_of(pid);
        if (__atomic_load_n(&round_->over, __ATOMIC_SEQ_CST))
                target = -1;
        *ret_killed = target > 0 && process_signal(target, SIGKILL) == 0;
        wrong = judge(victim, "at random in round", i, end(pid));
        if (victim == CHILD && *ret_killed && round_->handshake.parent.result == -ECONNRESET && round_->over &&
            round_->handshake.parent.error.status != SIGKILL && !strstr(round_->handshake.parent.error.text, "signal 9"))
                wrong += tell(victim, "at random in round", i, "the reason is not told");
        return wrong;
}

static void test_at_random(void **state) {
        unsigned i, n = getenv("INITSYNC_LONG") ? ALL : SHARE, killed = 0;
        const char *given = getenv("INITSYNC_SEED");
        int64_t start = duo_now();
        int wrong = 0, one;

        (void)state;
        seed = given && *given >= '0' && *given <= '9' ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
        printf("# INITSYNC_SEED=%llu\n", (unsigned long long)seed);
        /* Some come too late, for whom there is nobody any more. */
        for (i = 0; killed < n && i < 8 * n; i++) {
                wrong += kill_somebody(i, &one);
                killed += (unsigned)one;
                if (i % 256 == 255)
                        wrong += namespaces();
        }
        wrong += namespaces();
        printf("# %u rounds, %u kills, in %d ms\n", i, killed, (int)(duo_now() - start));
        assert_int_equal(killed, n);
        assert_int_equal(wrong, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                { "after every call", test_every_call, NULL, NULL, NULL },
                { "after every call, by descriptor, traced", test_every_call, NULL, NULL,
                  (void *)(uintptr_t)(HANDSHAKE_BY_FD | HANDSHAKE_TRACE) },
                { "at random", test_at_random, NULL, NULL, NULL },
        };

        if (SANITIZED) {
                printf("1..0 # SKIP sanitizers make system calls of their own and cannot be traced\n");
                return 0;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (!oracle_enter()) {
                printf("1..0 # SKIP %s\n", oracle_why());
                return 0;
        }
        handshake_patience = 10;        /* nothing here ends by a deadline */
        oracle_adopt();
        handshake_places(oracle_dir());
        oracle_settle();
        round_ = mmap(NULL, sizeof(*round_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert(round_ != MAP_FAILED);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
