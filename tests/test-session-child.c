/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/bytes.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/place.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* The library's child before a parent that speaks by hand. */

static int may_mount;

struct talk {
        int pid;
        struct initsync_child *child;
        struct initsync_error error;
        int64_t start;
};

static void begin(struct talk *talk, int (*parent)(int, void *), void *arg, int timeout_ms, uint64_t flags) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        int ours, theirs;

        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        talk->pid = duo_fork(parent, ours, arg, &bare_gift, 1);
        options.parent_fd = ours;
        options.timeout_ms = timeout_ms;
        options.flags = flags;
        assert_int_equal(initsync_child_new(&talk->child, theirs, &options, NULL), 0);
        talk->start = duo_now();
}

/* The parent's exit status says whether it got what it expected; ANY of a child that fails in the middle. */
#define ANY (-1)

static void finish(struct talk *talk, int status) {
        int got;

        initsync_child_free(talk->child);
        assert_int_equal(waitpid(talk->pid, &got, 0), talk->pid);
        if (status != ANY)
                assert_int_equal(got, status);
}

enum question { ASK_MOUNT, ASK_HOOKS, ASK_READY, ASK_SECCOMP };

static int ask(struct talk *talk, enum question question) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        int fd = -7, r = 0;

        memset(&talk->error, 0x5a, sizeof(talk->error));
        switch (question) {
        case ASK_MOUNT:
                mount.source = "/src";
                mount.destination = "/dst";
                r = initsync_child_mount(talk->child, &mount, &fd, &talk->error);
                assert_true(r < 0 ? fd == -7 : fd >= 3 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
                if (fd >= 0)
                        close(fd);
                return r;
        case ASK_HOOKS:
                return initsync_child_hooks(talk->child, &talk->error);
        case ASK_READY:
                return initsync_child_ready(talk->child, &talk->error);
        default:
                r = initsync_child_ready(talk->child, &talk->error);
                r = r < 0 ? r : initsync_child_prepare_seccomp(talk->child, &talk->error);
                return r < 0 ? r : initsync_child_seccomp(talk->child, 3, &talk->error);
        }
}

#define PLEASE "<...procMountPlease"
#define ANSWER PLEASE, BARE_MOUNT_FD
#define LISTENER "<" BARE_READY, BARE_RUN, "<" BARE_SECCOMP("3")

static const struct {
        enum question question;
        const char *parent[8];
        int code, stage;
        const char *text;
} rows[] = {
        { ASK_MOUNT, { ANSWER, "@/src", "<eof" }, 0, 0, NULL },
        { ASK_MOUNT, { ANSWER, "~200", "@/src", "<eof" }, 0, 0, NULL },
        { ASK_MOUNT, { ANSWER, "@/srcs" }, -EPROTO, INITSYNC_STAGE_MOUNT, "another name" },
        { ASK_MOUNT, { ANSWER, "@/sr" }, -EPROTO, INITSYNC_STAGE_MOUNT, "another name" },
        { ASK_MOUNT, { ANSWER, "@/srd" }, -EPROTO, INITSYNC_STAGE_MOUNT, "another name" },
        { ASK_MOUNT, { ANSWER, "/src" }, -EPROTO, INITSYNC_STAGE_WIRE, "exactly one is expected" },
        { ASK_MOUNT, { ANSWER, "@@/src" }, -EPROTO, INITSYNC_STAGE_WIRE, "a packet with several descriptors" },
        { ASK_MOUNT, { PLEASE, "@" BARE_MOUNT_FD, "@/src" }, -EPROTO, INITSYNC_STAGE_WIRE,
          "a descriptor in its own packet" },
        { ASK_MOUNT, { PLEASE, "{\"type\":\"procMountFd\",\"flags\":0,\"arg\":{\"type\":\"open_tree\"}}" }, -EPROTO,
          INITSYNC_STAGE_PROTOCOL, "procMountFd without a descriptor: expected procMountFd with one" },
        { ASK_MOUNT, { PLEASE, "{\"type\":\"procMountFd\",\"flags\":1,\"arg\":{\"type\":\"a gift\"}}", "@/src" }, -EPROTO,
          INITSYNC_STAGE_WIRE, "procMountFd: arg.type: expected \"open_tree\" or \"plain-open\"" },
        { ASK_MOUNT, { PLEASE, "{\"type\":\"procMountFd\",\"flags\":1}", "@/src" }, -EPROTO, INITSYNC_STAGE_WIRE,
          "procMountFd: arg is missing" },
        { ASK_MOUNT, { PLEASE, BARE_HOOKS_DONE }, -EPROTO, INITSYNC_STAGE_PROTOCOL,
          "procHooksDone without a descriptor: expected procMountFd" },
        { ASK_MOUNT, { PLEASE, "nonsense" }, -EPROTO, INITSYNC_STAGE_WIRE, "message: expected" },
        { ASK_MOUNT, { PLEASE, BARE_ERROR("no \\u001b[2J") }, -EREMOTEIO, INITSYNC_STAGE_PEER, "parent: no \\x1b[2J" },
        { ASK_MOUNT, { PLEASE, BARE_ERROR("") }, -EREMOTEIO, INITSYNC_STAGE_PEER, "parent: it failed and did not say why" },
        { ASK_MOUNT, { ANSWER, BARE_ERROR("in between") }, -EREMOTEIO, INITSYNC_STAGE_PEER, "parent: in between" },
        { ASK_MOUNT, { ANSWER, BARE_HOOKS_DONE }, -EPROTO, INITSYNC_STAGE_WIRE, "exactly one is expected" },
        { ASK_MOUNT, { PLEASE }, -ECONNRESET, INITSYNC_STAGE_PEER, "the parent closed the socket, or died" },
        { ASK_MOUNT, { ANSWER }, -ECONNRESET, INITSYNC_STAGE_PEER, "the parent closed the socket, or died" },
        { ASK_MOUNT, { PLEASE, "<eof" }, -ETIMEDOUT, INITSYNC_STAGE_PEER, "the parent did not answer in time" },
        { ASK_MOUNT, { ANSWER, "<eof" }, -ETIMEDOUT, INITSYNC_STAGE_PEER, "the parent did not answer in time" },
        { ASK_MOUNT, { BARE_ERROR("before you asked"), "~60" }, -EREMOTEIO, INITSYNC_STAGE_PEER,
          "parent: before you asked" },
        { ASK_HOOKS, { "<" BARE_HOOKS, "~700", BARE_HOOKS_DONE, "<eof" }, 0, 0, NULL },         /* no limit there */
        { ASK_HOOKS, { "<" BARE_HOOKS, BARE_RUN }, -EPROTO, INITSYNC_STAGE_PROTOCOL,
          "the parent sent procRun without a descriptor: expected procHooksDone" },
        { ASK_HOOKS, { "<" BARE_HOOKS, "{\"type\":\"procHooksDone\",\"flags\":1}", "@x" }, -EPROTO, INITSYNC_STAGE_PROTOCOL,
          "procHooksDone with a descriptor: expected procHooksDone without" },
        { ASK_HOOKS, { "<" BARE_HOOKS, BARE_HOOKS }, -EPROTO, INITSYNC_STAGE_PROTOCOL, "the parent sent procHooks" },
        { ASK_HOOKS, { "<" BARE_HOOKS, BARE_ERROR("hook 3") }, -EREMOTEIO, INITSYNC_STAGE_PEER, "parent: hook 3" },
        { ASK_HOOKS, { "<" BARE_HOOKS }, -ECONNRESET, INITSYNC_STAGE_PEER, "the parent closed the socket, or died" },
        { ASK_READY, { "<" BARE_READY, "~700", BARE_RUN, "<eof" }, 0, 0, NULL },
        { ASK_READY, { "<" BARE_READY, BARE_HOOKS_DONE }, -EPROTO, INITSYNC_STAGE_PROTOCOL, "expected procRun" },
        { ASK_READY, { "<" BARE_READY, BARE_ERROR("not ready") }, -EREMOTEIO, INITSYNC_STAGE_PEER, "parent: not ready" },
        { ASK_READY, { "<" BARE_READY }, -ECONNRESET, INITSYNC_STAGE_PEER, "the parent closed" },
        { ASK_SECCOMP, { LISTENER, BARE_SECCOMP_DONE, "<eof" }, 0, 0, NULL },
        { ASK_SECCOMP, { LISTENER, BARE_RUN }, -EPROTO, INITSYNC_STAGE_PROTOCOL,
          "the parent sent procRun: expected procSeccompDone" },
        { ASK_SECCOMP, { LISTENER, BARE_ERROR("no agent") }, -EREMOTEIO, INITSYNC_STAGE_PEER, "parent: no agent" },
        { ASK_SECCOMP, { LISTENER, BARE_ERROR("") }, -EREMOTEIO, INITSYNC_STAGE_PEER,
          "parent: it failed and did not say why" },
        { ASK_SECCOMP, { LISTENER }, -ECONNRESET, INITSYNC_STAGE_PEER, "the parent closed" },
        { ASK_SECCOMP, { LISTENER, "<eof" }, -ETIMEDOUT, INITSYNC_STAGE_PEER, "the parent did not answer in time" },
};

static void one(size_t i) {
        int r;
        struct initsync_error first, again;
        struct talk talk;

        /* A short limit only where it is the matter, by passing or by not being one. */
        begin(&talk, bare_child, (void *)rows[i].parent,
              rows[i].code == -ETIMEDOUT || (rows[i].parent[1] && strcmp(rows[i].parent[1], "~700") == 0) ? 300 : 8000, 0);
        r = ask(&talk, rows[i].question);
        if (r != rows[i].code || (r < 0 && (talk.error.stage != rows[i].stage || !strstr(talk.error.text, rows[i].text)))) {
                fail_msg("row %zu: %d, stage %d: %s; expected %d, stage %d: %s", i, r, talk.error.stage, r ? talk.error.text
                         : "",
                         rows[i].code, rows[i].stage, rows[i].text);
        }
        assert_true(duo_now() - talk.start < 1300);
        if (r < 0) {
                first = talk.error;
                assert_int_equal(first.code, r);
                assert_int_equal(first.mount, rows[i].question == ASK_MOUNT ? 0 : -1);
                /* the same again, whatever is asked */
                assert_int_equal(initsync_child_hooks(talk.child, &again), r);
                assert_memory_equal(&again, &first, sizeof(again));
                assert_int_equal(initsync_child_ready(talk.child, NULL), r);
                assert_int_equal(initsync_child_seccomp(talk.child, 3, NULL), r);
        } else {
                memset(&first, 0x5a, sizeof(first));
                assert_memory_equal(&talk.error, &first, sizeof(first));
        }
        finish(&talk, r < 0 ? ANY : 0);
}

static void test_answers(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
                one(i);
}

/* What no script can say: packets without a byte, and with too many. */
static int odd_packet(int socket, void *arg) {
        static const char *const first[] = { PLEASE, NULL }, *const last[] = { "<eof", NULL };
        size_t n = *(size_t *)arg;
        char *data = bytes_repeat(" ", n);

        if (bare_play(socket, first) < 0)
                return 1;
        memcpy(data, BARE_MOUNT_FD, n < strlen(BARE_MOUNT_FD) ? n : strlen(BARE_MOUNT_FD));
        if (bare_send_fds(socket, data, n, -1, 0) < 0 || (n && bare_send_fds(socket, "/src", 4, bare_gift, 1) < 0))
                return 1;
        return bare_play(socket, last) < 0;     /* closed at once, an empty packet would pass for end-of-file */
}

static void test_packet_sizes(void **state) {
        static const size_t sizes[] = { 0, 8192, 8193, 100000 };
        static const int codes[] = { -EPROTO, 0, -EMSGSIZE, -EMSGSIZE };
        int i;

        (void)state;
        for (i = 0; i < 4; i++) {
                struct talk talk;

                begin(&talk, odd_packet, (void *)&sizes[i], 300, 0);
                assert_int_equal(ask(&talk, ASK_MOUNT), codes[i]);
                finish(&talk, codes[i] < 0 ? ANY : 0);
        }
}

/* Killed while its child waits without limit: that ends within a second. */
static int is_killed(int socket, void *arg) {
        static const char *const first[] = { "<...proc", "~100", NULL };

        (void)arg;
        bare_play(socket, first);
        return kill(getpid(), SIGKILL);
}

static void test_parent_killed(void **state) {
        enum question question;

        (void)state;
        for (question = ASK_MOUNT; question <= ASK_READY; question++) {
                struct talk talk;

                begin(&talk, is_killed, NULL, INITSYNC_NO_LIMIT, 0);
                assert_int_equal(ask(&talk, question), -ECONNRESET);
                assert_true(duo_now() - talk.start >= 100 && duo_now() - talk.start < 1100);
                finish(&talk, SIGKILL);
        }
}

/* After the parent's procError the child has nothing to add. */
static void test_no_answer_to_an_error(void **state) {
        static const char *const script[] = { PLEASE, BARE_ERROR("you know why"), "<eof", NULL };
        struct talk talk;

        (void)state;
        begin(&talk, bare_child, (void *)script, 1000, 0);
        assert_int_equal(ask(&talk, ASK_MOUNT), -EREMOTEIO);
        assert_int_equal(initsync_child_fail(talk.child, &talk.error), 0);
        finish(&talk, 0);
}

/*
 * A plain open(2) of the parent's becomes what the other answer is: a detached mount, with the attributes that were asked
 * for.
 */
static void test_plain_open(void **state) {
        static const char *const script[] = { PLEASE, BARE_PLAIN_OPEN, "@/src", "<eof", NULL };
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct talk talk;
        int tree, fd = -1, kept_fd, kept = bare_gift;

        (void)state;
        if (!may_mount)
                skip();
        tree = place_tmpfs("proof");
        bare_gift = openat(tree, ".", O_PATH | O_CLOEXEC);
        mount.source = "/src";
        mount.attr_set = 1;             /* MOUNT_ATTR_RDONLY */
        begin(&talk, bare_child, (void *)script, 1000, 0);
        assert_int_equal(initsync_child_mount(talk.child, &mount, &fd, &talk.error), 0);
        assert_true(place_has(fd, "proof"));
        assert_int_equal(openat(fd, "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
        assert_int_equal(errno, EROFS);
        assert_false(place_has(fd, "../etc"));
        kept_fd = openat(tree, "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(kept_fd >= 0);      /* it is a clone: what the parent opened is as it was */
        close(kept_fd);
        finish(&talk, 0);
        close(fd);
        close(tree);
        close(bare_gift);
        bare_gift = kept;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_answers),
                left_test(test_packet_sizes),
                left_test(test_parent_killed),
                left_test(test_no_answer_to_an_error),
                left_test(test_plain_open),
        };

        may_mount = place_enter() &&
                initsync_feature("open_tree_attr") == 1;   /* the clone of a detached mount: Linux 6.15 */
        bare_gift = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
