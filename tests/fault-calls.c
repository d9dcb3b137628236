/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "fault-errors.h"
#include "fault-scenes.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "support/duo.h"
#include "support/fault.h"
#include "support/handshake_child.h"
#include "support/oracle.h"
#include "support/process.h"

/*
 * Every system call of the library fails, in every way that is plausible for it, once and for good, in every scene that passes it.
 * After each: it returned in time, the error says what failed, nothing ran twice, the child is gone, and nothing is left.
 */

#define HANG_S 20
#define SLOW_MS (HANDSHAKE_BUDGET + HANDSHAKE_GRACE + 1000)
#define PATIENT 5               /* the second time */
#define NAMESPACES_EVERY 64     /* runs; the kernel takes its time to clear namespaces away */

struct sweep {
        char told[8192];
        int wrong, slow;        /* @slow of it may be the machine's fault */
        struct handshake handshake;
};
static struct sweep *sweep;
static int all;                 /* INITSYNC_LONG */
static unsigned runs, fired;
static unsigned char failed[FAULT_SITES][2];    /* once, for good */
static int expected[FAULT_ROLES];                /* what the scene ends with, without a fault */
static unsigned char swept[FAULT_ROLES][FAULT_SITES];

static void to_child(void) {
        fault_role = FAULT_CHILD;
}

static void run_scene(const struct fault_scene *scene, struct oracle *before) {
        int64_t start;
        int i;

        alarm(HANG_S + 5);
        oracle_group();
        if (scene->no_stdio) {
                close(0);
                close(1);
                close(2);
        }
        oracle_take(before);
        start = duo_now();
        if (scene->run)
                scene->run(&sweep->handshake);
        else
                handshake_run(&sweep->handshake);
        sweep->handshake.took_ms = (int)(duo_now() - start);
        for (i = 0; i < 100 && initsync_abandoned(); i++)
                usleep(1000);
        fault->site = -1;
        fault_allow();
        sweep->wrong = oracle_check(before, sweep->told, sizeof(sweep->told));
        _exit(0);
}

static void prepare(const struct fault_scene *scene) {
        const struct fault_denial *one;
        int i;

        fault_allow();
        for (i = 0; i < FAULT_DENIALS && scene->denials[i].call; i++) {
                one = &scene->denials[i];
                assert(fault_deny(one->call, one->function, one->error, one->from, one->times ? one->times : FAULT_EVER) > 0);
        }
        memset(sweep, 0, sizeof(*sweep));
        sweep->handshake.flags = scene->flags;
}

/* In a process and a process group of its own; 0 when it ended by itself. */
static int run(const struct fault_scene *scene) {
        static struct oracle before;
        int pid, pidfd, status, hung;

        prepare(scene);
        runs++;
        fflush(NULL);
        pid = process_copy();
        if (pid == 0)
                run_scene(scene, &before);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        hung = !process_gone(pidfd, HANG_S * 1000);
        close(pidfd);
        if (hung)
                process_signal_group(pid, SIGKILL);
        assert(waitpid(pid, &status, 0) == pid);
        if (oracle_group_left(pid)) {
                snprintf(sweep->told + strlen(sweep->told), 32, "left: a process\n");
                sweep->wrong++;
                process_signal_group(pid, SIGKILL);
        }
        if (hung || status != 0) {
                snprintf(sweep->told, sizeof(sweep->told), hung ? "it hangs\n" : "it ends with status %x\n", (unsigned)status);
                sweep->wrong = 1;
        }
        return hung ? -1 : status;
}

/*
 * A descriptor that the child gave may hang whoever closes it: where the task for that cannot be had, or is killed before it ran,
 * the descriptor is left open. It is the one leak that is meant.
 */
static int is_meant(const struct fault_scene *scene, int site) {
        const char *function = site < 0 ? "" : __start_fault_sites[site].function;

        return scene->flags & HANDSHAKE_STRANGE_FD && sweep->wrong == 1 && strstr(sweep->told, "/null\n") &&
               (strcmp(function, "close_elsewhere") == 0 || strcmp(function, "process_wait") == 0 ||
                strcmp(function, "task_start") == 0 || strcmp(function, "closer_run") == 0);
}

/* What is told in other words, and why. */
static int has_words(const struct fault_site *site, int error, const struct handshake_side *side) {
        static const int words[] = { FAULT_SHORT, EAGAIN, EINTR, EPIPE, ECONNRESET, ESRCH };
        static const char *const functions[] = {
                "is_listener",          /* "expected a seccomp listener" */
                "view_compare", "open_in", "open_seen", "identify",     /* "something else was mounted" */
                "procfs_open_pid", "open_namespace",    /* "the helper was killed" */
                "resolve_in_root",      /* "the root file system that it lies in" */
                "is_procfs_root", "shows_our_pids", "open_root", "procfs_open", "procfs_keeps_pids", /* no usable /proc, or not our pids */
                "stat_mount", "mount_id",       /* of a diagnosis, which then says less */
                "is_detached_directory", "is_detached_file",    /* "is no detached mount" */
                "wait_for_room",        /* a part of the send */
                "hold",                 /* in a task that then ends */
                "process_wait",         /* as if the time were over */
                "become", "make_place", /* of taking credentials, of attaching */
                "fd_dup",               /* "RLIMIT_NOFILE" */
        };
        size_t i;

        /* Silence, end-of-file, a process that has died; half a packet is one that is wrong. */
        for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
                if (error == words[i])
                        return 1;
        for (i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
                if (strcmp(site->function, functions[i]) == 0)
                        return 1;
        /* Sealing names its steps: "by an overlay: ...; in memory: ..." */
        return strcmp(side->error.path, "/proc") == 0 || side->error.stage == INITSYNC_STAGE_SEAL;
}

/* A failure in the very process whose call failed says which call that was, unless the scene fails so anyway. */
static int names_the_call(const struct handshake_side *side, int role, int site) {
        const char *call = __start_fault_sites[site].call;

        if (side->result == -EREMOTEIO || side->result == -ECONNRESET)
                return 1;               /* what failed was the other's affair in the end, or both failed */
        return side->result >= 0 || side->result == expected[role] || strcmp(side->error.call, call) == 0 ||
               strstr(side->error.text, call) || strcmp(side->call, "initsync_pair") == 0 ||
               has_words(&__start_fault_sites[site], fault->error, side);
}

/* From prepare on it is all that the child writes with. */
static int is_mute(int site, int role) {
        return site >= 0 && role == FAULT_CHILD && fault->times > 1 && fault->fired &&
               strcmp(__start_fault_sites[site].call, "write") == 0 &&
               strcmp(__start_fault_sites[site].function, "child_write") == 0;
}

static int judge(const struct fault_scene *scene, int site, int role) {
        const struct handshake *handshake = &sweep->handshake;
        const struct handshake_side *side = role == FAULT_PARENT ? &handshake->parent : &handshake->child;
        size_t used;
        int r = run(scene);

        if (is_meant(scene, site))
                sweep->wrong = 0;
        if (r == 0 && handshake->took_ms > SLOW_MS * handshake_patience + (handshake->kills ? 1000 : 0)) {
                used = strlen(sweep->told);
                snprintf(sweep->told + used, sizeof(sweep->told) - used, "it took %d ms\n", handshake->took_ms);
                sweep->wrong++;
                sweep->slow++;
        }
        sweep->handshake.mute = is_mute(site, role);
        used = strlen(sweep->told);
        if (r == 0)
                sweep->wrong += handshake_judge(handshake, sweep->told + used, (unsigned)(sizeof(sweep->told) - used));
        if (r == 0 && site >= 0 && fault->fired && side->call && !names_the_call(side, role, site)) {
                used = strlen(sweep->told);
                snprintf(sweep->told + used, sizeof(sweep->told) - used, "\"%s\" (%d) does not name the call\n", side->error.text,
                         side->result);
                sweep->wrong++;
                sweep->slow += side->result == -ETIMEDOUT;
        }
        if (sweep->wrong && (site < 0 || fault->error != EAGAIN) && handshake_busy(handshake))
                sweep->slow = sweep->wrong;
        return sweep->wrong;
}

static void tell(const struct fault_scene *scene, int site, int role, unsigned from, unsigned times, int error) {
        const char *at, *end;

        printf("# %s: %s of the %s, from pass %u on %s: %s: parent %d, child %d\n", scene->name, fault_name(site),
               role == FAULT_PARENT ? "parent" : "child", from, times == 1 ? "once" : times == FAULT_EVER ? "for good" : "often",
               error == FAULT_SHORT ? "short" : strerror(error), sweep->handshake.parent.result, sweep->handshake.child.result);
        for (at = sweep->told; (end = strchr(at, '\n')); at = end + 1)
                printf("#     %.*s\n", (int)(end - at), at);
}

/* What stands for a repeated failure: a call that is interrupted for ever would be repeated for ever. */
static unsigned many(int error) {
        return error == EINTR ? 50 : FAULT_EVER;
}

static int fault_one(const struct fault_scene *scene, int site, int role, unsigned from, int error, int for_good) {
        unsigned times = for_good ? many(error) : 1;
        int wrong, tries = 0;

        /* A task may be killed before it comes that far. */
        do {
                fault_plan(site, role, from, times, error);
                wrong = judge(scene, site, role);
                handshake_patience = wrong && wrong == sweep->slow ? PATIENT : 1;
        } while ((wrong ? wrong == sweep->slow && tries < 5 : !fault->fired) && ++tries < 10);
        handshake_patience = 1;
        fired += fault->fired != 0;
        failed[site][for_good] |= fault->fired != 0;
        swept[role][site] |= (unsigned char)(fault->fired ? 1 + for_good : 0);
        if (wrong || (getenv("SHOW") && sweep->handshake.took_ms > 300))
                tell(scene, site, role, from, times, error);
        fault->site = -1;
        return wrong;
}

static int check_namespaces(const struct fault_scene *scene) {
        char text[256];

        if (!oracle_namespaces(text, sizeof(text)))
                return 0;
        printf("# %s: within the last %d runs: %s", scene->name, NAMESPACES_EVERY, text);
        return 1;
}

/* A task that has just begun, for whose pidfd there is no room, and that nobody can kill: nothing is left to be done. */
static int is_hopeless(const struct fault_scene *scene, int site) {
        return scene->denials[0].call && strcmp(scene->denials[0].call, "fcntl") == 0 &&
               strcmp(__start_fault_sites[site].call, "pidfd_send_signal") == 0;
}

/* A share: what an earlier scene has swept fails but once more here. */
static int sweep_site(const struct fault_scene *scene, int site, int role, unsigned passes) {
        const int *error;
        unsigned from, last = all && passes > 1 ? (passes < 12 ? passes : 12) : 1;
        int wrong = 0, first = swept[role][site] != 3;

        if (!first && !all && scene->slow)
                return 0;
        for (from = 1; from <= last; from++)
                for (error = fault_errors(site); *error; error++) {
                        wrong += fault_one(scene, site, role, from, *error, 0);
                        if ((first || all) && !is_hopeless(scene, site))
                                wrong += fault_one(scene, site, role, from, *error, 1);
                        else if (error != fault_errors(site))
                                break;
                        if (runs % NAMESPACES_EVERY == 0)
                                wrong += check_namespaces(scene);
                }
        return wrong;
}

static int sweep_scene(const struct fault_scene *scene) {
        unsigned passes[FAULT_ROLES][FAULT_SITES];
        int wrong, site, role;

        fault_plan(-1, 0, 0, 0, 0);
        wrong = judge(scene, -1, FAULT_PARENT);
        if (wrong)
                printf("# %s, without any fault: %s\n", scene->name, sweep->told);
        memcpy(passes, fault->passes, sizeof(passes));
        expected[FAULT_PARENT] = sweep->handshake.parent.result;
        expected[FAULT_CHILD] = sweep->handshake.child.result;
        for (role = 0; role < FAULT_ROLES; role++)
                for (site = 0; site < fault_n_sites(); site++) {
                        prepare(scene);
                        if (passes[role][site] && !(fault->denied[site] && fault->denied_times[site] == FAULT_EVER))
                                wrong += sweep_site(scene, site, role, passes[role][site]);
                }
        return wrong + check_namespaces(scene);
}

static void test_scene(void **state) {
        int64_t start = duo_now();
        unsigned before = runs;
        const struct fault_scene *scene = *state;
        int wrong = sweep_scene(scene);

        printf("# %s: %u runs in %d ms\n", scene->name, runs - before, (int)(duo_now() - start));
        assert_int_equal(wrong, 0);
}

static void test_every_site(void **state) {
        int i, never = 0;

        (void)state;
        for (i = 0; i < fault_n_sites(); i++)
                if (!failed[i][0] || !failed[i][1]) {
                        printf("# never failed%s: %s\n", failed[i][0] ? " for good" : "", fault_name(i));
                        never++;
                }
        printf("# %d call sites, %d failed at least once and for good, in %u runs (%u of which met their fault)\n",
               fault_n_sites(), fault_n_sites() - never, runs, fired);
        assert_int_equal(never, 0);
}

int main(int argc, char **argv) {
        static struct CMUnitTest tests[64];
        const char *only = argc > 1 ? argv[1] : NULL;
        char path[256];
        size_t n = 0;
        int i, fd;

        setvbuf(stdout, NULL, _IOLBF, 0);
        all = getenv("INITSYNC_LONG") != NULL;
        fault_setup();
        if (!oracle_enter()) {
                printf("1..0 # SKIP %s\n", oracle_why());
                return 0;
        }
        handshake_in_child = to_child;
        oracle_adopt();
        handshake_places(oracle_dir());
        oracle_settle();
        snprintf(path, sizeof(path), "%s/file", handshake_path[HANDSHAKE_ELSEWHERE]);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        close(fd);
        snprintf(path, sizeof(path), "%s/upper", handshake_path[HANDSHAKE_SUB]);
        assert(mkdir(path, 0755) == 0);
        snprintf(path, sizeof(path), "%s/work", handshake_path[HANDSHAKE_SUB]);
        assert(mkdir(path, 0755) == 0);
        sweep = mmap(NULL, sizeof(*sweep), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert(sweep != MAP_FAILED && fault_n_scenes < 63);
        for (i = 0; i < fault_n_scenes; i++)
                if (!only || strstr(fault_scenes[i].name, only))
                        tests[n++] = (struct CMUnitTest){ fault_scenes[i].name, test_scene, NULL, NULL, (void *)&fault_scenes[i] };
        if (!only)
                tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_every_site);
        return _cmocka_run_group_tests("fault-calls", tests, n, NULL, NULL);
}
