/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"
#include "support/place.h"

#include <sys/socket.h>

/*
 * Every sequence of four messages, each sent when the one before was answered (A20). What must come of it is worked out here
 * once more, by hand, from the protocol's description: not with the library's table.
 */

enum { MOUNT, HOOKS, READY, SECCOMP, ERROR, END, TYPES };

#define LENGTH 4

struct outcome {
        int code, step, mounts, hooks, ready, seccomp;
};

static int may_mount;
static int detached = -1;

/* The child: sends, and takes what comes for it. Ends at the first sign of failure. */
static int speak(int socket, void *arg) {
        static const char *const packets[] = {
                [MOUNT] = BARE_MOUNT("/"), [HOOKS] = BARE_HOOKS, [READY] = BARE_READY, [ERROR] = BARE_ERROR("enough"),
        };
        const char *sequence = arg;
        char packet[4096];
        int i, n, listener = -1;

        for (i = 0; i < LENGTH && sequence[i] != END; i++) {
                if (sequence[i] == SECCOMP) {
                        listener = listener < 0 ? filter_listener() : listener;
                        snprintf(packet, sizeof(packet), "{\"type\":\"procSeccomp\",\"flags\":0,\"arg\":%d}", listener < 0
                                 ? 3 : listener);
                } else {
                        snprintf(packet, sizeof(packet), "%s", packets[(int)sequence[i]]);
                }
                if (bare_send(socket, packet) < 0 || sequence[i] == ERROR)
                        continue;
                n = bare_receive(socket, packet, sizeof(packet), NULL);
                if (n <= 0 || strstr(packet, "procError"))
                        return 0;
                if (sequence[i] == MOUNT)
                        bare_receive(socket, packet, sizeof(packet), NULL);
        }
        return 0;
}

static void fail_at(struct outcome *outcome, int code) {
        outcome->code = code;
}

static struct outcome foretell(const char *sequence) {
        struct outcome o = { 0 };
        int i, prepared = 0;            /* 0 mounts, 1 pivot, 2 run, 3 exec */
        static const int steps[] = { INITSYNC_STEP_MOUNTS, INITSYNC_STEP_PIVOT, INITSYNC_STEP_RUN, INITSYNC_STEP_EXEC };

        for (i = 0; i < LENGTH && !o.code && sequence[i] != END; i++) {
                o.step = steps[prepared];
                if (sequence[i] == ERROR)
                        fail_at(&o, -EREMOTEIO);
                else if (sequence[i] == MOUNT && prepared == 0)
                        o.mounts++;
                else if (sequence[i] == HOOKS && prepared == 0)
                        o.hooks++, prepared = 1;
                else if (sequence[i] == READY && prepared < 2)
                        o.ready++, prepared = 2;
                else if (sequence[i] == SECCOMP && prepared == 2)
                        o.seccomp++, prepared = 3;
                else
                        fail_at(&o, -EPROTO);
        }
        if (!o.code) {
                o.step = steps[prepared];
                fail_at(&o, prepared < 2 ? -ECONNRESET : 0);
        }
        return o;
}

static int serve_tmpfs(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        (void)asked;
        ret_serve->source_fd = detached;
        return 0;
}

static int has(const char *sequence, int type) {
        return memchr(sequence, type, LENGTH) != NULL;
}

static void one(const char *sequence) {
        struct outcome o = foretell(sequence);
        struct duo duo;

        duo_init(&duo);
        duo.on_allow = serve_tmpfs;
        duo.options.grace_ms = 3000;
        duo_start(&duo, speak, (void *)sequence);
        duo_run(&duo);
        if (duo.result != o.code || duo.calls[DUO_ALLOW] != o.mounts || duo.calls[DUO_HOOKS] != o.hooks ||
            duo.calls[DUO_READY] != o.ready || duo.calls[DUO_SECCOMP] != o.seccomp)
                fail_msg("sequence %d%d%d%d: %d, expected %d: %s", sequence[0], sequence[1], sequence[2], sequence[3],
                         duo.result,
                         o.code, duo.error.text);
        if (o.code)
                duo_failed(&duo, o.code, o.code == -EPROTO ? INITSYNC_STAGE_PROTOCOL : INITSYNC_STAGE_PEER, o.step, NULL);
        else
                duo_good(&duo);
        duo_end(&duo);
}

static void test_all_sequences(void **state) {
        char sequence[LENGTH];
        int n, i, rest;

        (void)state;
        for (n = 0; n < TYPES * TYPES * TYPES * TYPES; n++) {
                for (i = 0, rest = n; i < LENGTH; i++, rest /= TYPES)
                        sequence[i] = (char)(rest % TYPES);
                if (!may_mount && has(sequence, MOUNT))
                        continue;
                /* what follows an end is the same sequence again */
                for (i = 0; i < LENGTH - 1 && (sequence[i] != END || sequence[i + 1] == END); i++)
                        ;
                if (i == LENGTH - 1)
                        one(sequence);
        }
}

/*
 * Sent at once, without waiting for a single answer: nothing but mounts may be ahead of its turn. There is no room for all
 * the answers, so that some are still due when procHooks is looked at.
 */
static void test_blind_sequence(void **state) {
        static const char *const blind[] = {
                BARE_MOUNT("/"), BARE_MOUNT("/"), BARE_MOUNT("/"), BARE_MOUNT("/"), BARE_MOUNT("/"), BARE_MOUNT("/"),
                BARE_MOUNT("/"), BARE_MOUNT("/"), BARE_MOUNT("/"), BARE_MOUNT("/"), BARE_HOOKS, ".", NULL,
        };
        struct duo duo;
        int small = 0;

        (void)state;
        if (!may_mount)
                skip();
        duo_init(&duo);
        duo.on_allow = serve_tmpfs;
        duo.options.timeout_ms = 2000;
        duo_start(&duo, bare_child, (void *)blind);
        assert_int_equal(setsockopt(duo.socket, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
        duo_run(&duo);
        duo_failed(&duo, -EPROTO, INITSYNC_STAGE_PROTOCOL, INITSYNC_STEP_MOUNTS,
                   "silence until all mount requests are answered");
        assert_int_equal(duo.calls[DUO_HOOKS], 0);
        duo_end(&duo);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_all_sequences),
                left_test(test_blind_sequence),
        };

        may_mount = place_enter() &&
                initsync_feature("open_tree_attr") == 1;   /* the clone of a detached mount: Linux 6.15 */
        if (may_mount)
                detached = place_tmpfs("proof");
        may_mount = detached >= 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
