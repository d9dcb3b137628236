/* SPDX-License-Identifier: MIT */
/* Descriptors that a child would like its parent to have, beside packets that bring none. */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"

struct gift {
        const char *before[6];          /* sent first */
        const char *packet;
        size_t n_fds;
        int socket_itself;
};

/* What a child can hold of itself: a pipe whose other end tells when the last copy is gone, or its own socket (A16). */
static int give(int socket, void *arg) {
        const struct gift *gift = arg;
        int pipes[2], fd, r;
        char packet[4096], byte;

        BARE_CHECK(pipe2(pipes, O_CLOEXEC) == 0);
        usleep(20000);                  /* the parent is there by now, and has refused them */
        if (bare_play(socket, gift->before) < 0)
                return 1;
        fd = gift->socket_itself ? socket : pipes[1];
        r = bare_send_fds(socket, gift->packet, strlen(gift->packet), fd, gift->n_fds);
        if (r == -EPERM)
                return 3;               /* the kernel refused it for the parent */
        BARE_CHECK(r == 0);
        while (bare_receive(socket, packet, sizeof(packet), NULL) > 0)
                ;
        /* The parent has let go of the socket: if it held a copy of ours we would wait here. */
        close(pipes[1]);
        return read(pipes[0], &byte, 1) == 0 ? 0 : 4;
}

static const struct gift gifts[] = {
        { { NULL }, BARE_HOOKS, 1, 0 },
        { { NULL }, BARE_HOOKS, 2, 0 },
        { { NULL }, BARE_READY, 253, 0 },
        { { NULL }, "", 1, 0 },
        { { NULL }, "{", 253, 0 },
        { { NULL }, BARE_ERROR("take this"), 1, 0 },
        { { NULL }, BARE_MOUNT("/"), 17, 0 },
        { { NULL }, BARE_HOOKS, 1, 1 },
        { { BARE_HOOKS, "<" BARE_HOOKS_DONE }, BARE_READY, 1, 0 },
        { { BARE_READY, "<" BARE_RUN }, BARE_SECCOMP("3"), 1, 0 },
        { { BARE_READY, "<" BARE_RUN }, "seccomp", 253, 0 },
};

/* Where the kernel does not refuse them: by allowing them again, behind the library's back. */
static void take(const struct gift *gift, int refused) {
        int on = 1, fds = support_fd_count();
        struct duo duo;

        duo_init(&duo);
        duo.options.flags = INITSYNC_PARENT_NO_KILL;
        duo.options.grace_ms = 3000;
        duo_start(&duo, give, (void *)gift);
        if (!refused)
                setsockopt(duo.socket, SOL_SOCKET, SYS_SO_PASSRIGHTS, &on, sizeof(on));
        duo_run(&duo);
        if (duo.result == -EPROTO)
                duo_failed(&duo, -EPROTO, INITSYNC_STAGE_WIRE, duo.error.step, "the child sent a packet with a descriptor");
        else
                duo_failed(&duo, -ECONNRESET, INITSYNC_STAGE_PEER, duo.error.step, "exit status 3");
        assert_int_equal(duo.result, refused ? -ECONNRESET : -EPROTO);
        duo_end(&duo);
        assert_int_equal(WEXITSTATUS(duo.status), duo.result == -EPROTO ? 0 : 3);
        assert_int_equal(support_fd_count(), fds);
}

static void test_any_packet(void **state) {
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(gifts) / sizeof(gifts[0]); i++) {
                /* Refused after procRun it ends itself, which is a success for the parent. */
                if (initsync_feature("so_passrights") == 1 && !gifts[i].before[0])
                        take(&gifts[i], 1);
                take(&gifts[i], 0);
        }
}

/* The queue of a parent that does not come to read must not hold them either: they are gone with the packet. */
static int many_packets(int socket, void *arg) {
        int i, fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        (void)arg;
        for (i = 0; i < 50; i++)
                if (bare_send_fds(socket, BARE_MOUNT("/"), strlen(BARE_MOUNT("/")), fd, 253) < 0)
                        return 3;
        return 0;
}

static void test_sent_before_we_refuse(void **state) {
        int ours, theirs, pid, pidfd, status, fds = support_fd_count();
        struct initsync_error error;
        struct duo duo;

        (void)state;
        duo_init(&duo);
        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        pid = duo_fork(many_packets, theirs, NULL, NULL, 0);
        close(theirs);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        usleep(20000);
        assert_int_equal(initsync_parent_new(&duo.parent, ours, pidfd, &duo.options, &error), 0);
        duo.result = initsync_parent_run(duo.parent, &duo.error);
        assert_int_equal(duo.result, -EPROTO);
        assert_non_null(strstr(duo.error.text, "a packet with a descriptor"));
        initsync_parent_free(duo.parent);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        close(pidfd);
        assert_int_equal(support_fd_count(), fds);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_any_packet),
                left_test(test_sent_before_we_refuse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
