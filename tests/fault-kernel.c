/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/handshake_child.h"
#include "support/oracle.h"
#include "support/process.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/filter.h"
#include "support/loop.h"

/*
 * A kernel, or a filter around us, without one of the newer calls, without all of them that can be done without, and without any: a
 * call that safety depends on is missed by its name, every other one has something in its place.
 */

static const struct missing {
        const char *call;
        int number, arg;        /* @arg: denied where that argument is @value; -1: always */
        unsigned value;
        int enosys;             /* what a kernel without it answers */
        unsigned fails;         /* of the conversations below, by bit; the rest succeeds as ever */
} missing[] = {
        /* 0: by number  1: by descriptor  2: no mounts, by number */
        { "openat2", NR_openat2, -1, 0, ENOSYS, 3 },
        { "open_tree", NR_open_tree, -1, 0, ENOSYS, 3 },
        { "mount_setattr", NR_mount_setattr, -1, 0, ENOSYS, 3 },
        { "move_mount", NR_move_mount, -1, 0, ENOSYS, 3 },
        { "pidfd_open", NR_pidfd_open, -1, 0, ENOSYS, 3 },
        { "pidfd_send_signal", NR_pidfd_send_signal, -1, 0, ENOSYS, 3 },
        { "pidfd_getfd", NR_pidfd_getfd, -1, 0, ENOSYS, 5 },
        { "open_tree_attr", NR_open_tree_attr, -1, 0, ENOSYS, 0 },
        { "statmount", NR_statmount, -1, 0, ENOSYS, 0 },
        { "listmount", NR_listmount, -1, 0, ENOSYS, 0 },
        { "close_range", NR_close_range, -1, 0, ENOSYS, 0 },
        { "PIDFD_GET_USER_NAMESPACE", SYS_ioctl, 1, SYS_PIDFD_GET_USER_NAMESPACE, ENOTTY, 0 },
        { "PIDFD_GET_INFO", SYS_ioctl, 1, SYS_PIDFD_GET_INFO, ENOTTY, 0 },
        { "SO_PASSRIGHTS", SYS_setsockopt, 2, SYS_SO_PASSRIGHTS, ENOPROTOOPT, 0 },
};
#define N_MISSING (sizeof(missing) / sizeof(missing[0]))

static const unsigned conversations[] = { 0, HANDSHAKE_BY_FD | HANDSHAKE_TRACE, HANDSHAKE_NO_MOUNTS };

enum which { ONE, UNNEEDED, EVERY, LOUD_SENDS };
static struct denied {
        enum which which;
        size_t one;
        int error;              /* 0: that of an older kernel */
} denied;

struct round {
        struct handshake handshake;
        int wrong;
        char told[4096];
};
static struct round *round_;

static void deny(void) {
        size_t i;

        if (denied.which == LOUD_SENDS) {
                assert(filter_loud_sends() == 0);
                return;
        }
        for (i = 0; i < N_MISSING; i++) {
                const struct missing *one = &missing[i];
                int error = denied.error ? denied.error : one->enosys;

                if (denied.which == ONE ? i != denied.one : denied.which == UNNEEDED && one->fails)
                        continue;
                if (one->arg < 0)
                        deny_call(one->number, error);
                else
                        deny_call_if(one->number, one->arg, one->value, error);
        }
}

static void in_process(void) {
        static struct oracle before;

        alarm(60);
        oracle_group();
        oracle_take(&before);
        handshake_run(&round_->handshake);
        round_->wrong = oracle_check(&before, round_->told, sizeof(round_->told));
        _exit(0);
}

static const struct handshake_side *failed_side(void) {
        const struct handshake *handshake = &round_->handshake;

        /* Whoever was only told is not the one. */
        return handshake->child.call && handshake->child.result != -EREMOTEIO && handshake->child.result != -ECONNRESET
                       ? &handshake->child : &handshake->parent;
}

static int run(const char *name, unsigned flags, int fails) {
        const struct handshake_side *side;
        char text[1024];
        int pid, status, wrong, tries = 0;

        do {
                memset(round_, 0, sizeof(*round_));
                round_->handshake.flags = flags;
                fflush(NULL);
                pid = process_copy();
                if (pid == 0)
                        in_process();
                assert(waitpid(pid, &status, 0) == pid);
        } while (handshake_busy(&round_->handshake) && ++tries < 50);
        wrong = (status != 0) + round_->wrong + handshake_judge(&round_->handshake, text, sizeof(text)) + oracle_group_left(pid);
        side = failed_side();
        if (!fails && (round_->handshake.parent.call || round_->handshake.child.call))
                wrong++;
        if (fails && (!side->call || (name && strcmp(side->error.call, name) != 0) ||
                      (denied.error && side->result != -denied.error && side->result != -EPERM) ||
                      (!denied.error && side->result != -ENOSYS)))
                wrong++;
        if (wrong)
                printf("# without %s (%s), conversation %u: status %x, %s%s parent: %s | child: %s\n", name ? name : "several",
                       denied.error ? strerror(denied.error) : "an older kernel", flags, (unsigned)status, round_->told, text,
                       round_->handshake.parent.error.text, round_->handshake.child.error.text);
        return wrong;
}

static int all_conversations(const char *name, unsigned fails) {
        static const int errors[] = { 0, EPERM };
        size_t i, k;
        int wrong = 0;

        for (i = 0; i < 2; i++)
                for (k = 0; k < sizeof(conversations) / sizeof(conversations[0]); k++) {
                        denied.error = errors[i];
                        wrong += run(name, conversations[k], fails >> k & 1);
                }
        return wrong;
}

static void test_one(void **state) {
        denied.which = ONE;
        denied.one = (size_t)((const struct missing *)*state - missing);
        assert_int_equal(all_conversations(missing[denied.one].call, missing[denied.one].fails), 0);
}

static void test_all_unneeded(void **state) {
        (void)state;
        denied.which = UNNEEDED;
        assert_int_equal(all_conversations(NULL, 0), 0);
}

static void test_all(void **state) {
        (void)state;
        denied.which = EVERY;
        assert_int_equal(all_conversations(NULL, 7), 0);
}

/* A54: no send can end the embedder, neither side's and no task's. */
static void test_sends_without_signal(void **state) {
        size_t k;
        int wrong = 0;

        (void)state;
        denied.which = LOUD_SENDS;
        denied.error = 0;
        for (k = 0; k < sizeof(conversations) / sizeof(conversations[0]); k++)
                wrong += run("MSG_NOSIGNAL", conversations[k], 0);
        assert_int_equal(wrong, 0);
}

int main(void) {
        static struct CMUnitTest tests[N_MISSING + 3];
        size_t i;

        setvbuf(stdout, NULL, _IOLBF, 0);
        if (!oracle_enter()) {
                printf("1..0 # SKIP %s\n", oracle_why());
                return 0;
        }
        if (!scratch_takes_maps(oracle_dir())) {
                printf("1..0 # SKIP no file system of a user namespace's own takes id maps: tmpfs does from Linux 6.3 on\n");
                return 0;
        }
        handshake_patience = 10;        /* nothing here ends by a deadline */
        oracle_adopt();
        handshake_places(oracle_dir());
        handshake_in_child = handshake_in_parent = deny;
        round_ = mmap(NULL, sizeof(*round_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert(round_ != MAP_FAILED);
        for (i = 0; i < N_MISSING; i++)
                tests[i] = (struct CMUnitTest){ missing[i].call, test_one, NULL, NULL, (void *)&missing[i] };
        tests[i++] = (struct CMUnitTest)cmocka_unit_test(test_all_unneeded);
        tests[i++] = (struct CMUnitTest)cmocka_unit_test(test_all);
        tests[i++] = (struct CMUnitTest)cmocka_unit_test(test_sends_without_signal);
        return _cmocka_run_group_tests("fault-kernel", tests, i, NULL, NULL);
}
