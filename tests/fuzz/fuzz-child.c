/* SPDX-License-Identifier: MIT */
/* The real child against a parent that says what it likes: it ends, says why, keeps no descriptor, and fails the same way again. */
#include "fuzz.h"

#include <errno.h>
#include <initsync.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "peer.h"

const char fuzz_name[] = "child";

static void check(int r, const struct initsync_error *error) {
        FUZZ_CHECK(r <= 0);
        if (r < 0)
                FUZZ_CHECK(error->code == r && error->text[0] && memchr(error->text, '\0', sizeof(error->text)));
}

static int ask_for_mounts(struct initsync_child *child, unsigned n, struct initsync_error *error) {
        struct initsync_mount mounts[3] = { INITSYNC_MOUNT_INIT, INITSYNC_MOUNT_INIT, INITSYNC_MOUNT_INIT };
        static const struct initsync_idmap map = { 0, 1000, 1 };
        int fds[3] = { -1, -1, -1 }, r;
        unsigned i;

        mounts[0].source = mounts[2].source = "/etc";
        mounts[1].source = "/nowhere";
        mounts[2].uids = mounts[2].gids = &map;
        mounts[2].n_uids = mounts[2].n_gids = 1;
        r = initsync_child_mounts(child, mounts, n, fds, error);
        for (i = 0; i < 3; i++) {
                FUZZ_CHECK((fds[i] >= 0) == (r == 0 && i < n));
                if (fds[i] >= 0)
                        close(fds[i]);
        }
        return r;
}

static void go_on(struct initsync_child *child, uint8_t how) {
        struct initsync_error error, second;
        int r = how & 3 ? ask_for_mounts(child, how & 3, &error) : 0;

        check(r, &error);
        if (r == 0 && how & 4)
                check(r = initsync_child_hooks(child, &error), &error);
        if (r == 0)
                check(r = initsync_child_ready(child, &error), &error);
        if (r == 0 && how & 8) {
                check(r = initsync_child_prepare_seccomp(child, &error), &error);
                if (r == 0)
                        check(r = initsync_child_seccomp(child, 0, &error), &error);
        } else if (r < 0) {
                FUZZ_CHECK(initsync_child_ready(child, &second) == r);
        }
        if (r < 0)
                initsync_child_fail(child, &error);
}

/* The process that would have sent the listener closes its own last, soon after it has heard that there will be none. */
static int fds_return_to(int before) {
        int64_t end = peer_now() + 2000;

        while (peer_fds() != before && peer_now() < end)
                usleep(1000);
        return peer_fds() == before;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct fuzz_input input = { data, size };
        uint8_t how = fuzz_byte(&input);
        int before = peer_fds(), parent_fd, child_fd;
        struct initsync_child *child;
        struct initsync_error error;

        options.timeout_ms = 5;
        options.flags = how & 16 ? INITSYNC_CHILD_SECCOMP_FD : 0;
        FUZZ_CHECK(initsync_pair(&parent_fd, &child_fd) == 0);
        FUZZ_CHECK(initsync_child_new(&child, child_fd, &options, &error) == 0);
        /* All that the parent will ever say is there before the child says a word. */
        while (input.left) {
                uint8_t kind = fuzz_byte(&input);
                const char *message = peer_message(kind >> 3);
                size_t n;
                const uint8_t *bytes;

                if ((kind & 7) == 7) {
                        bytes = fuzz_bytes(&input, fuzz_byte(&input), &n);
                        peer_send(parent_fd, bytes, n, 0, 0);
                } else {
                        peer_send(parent_fd, message, strlen(message), kind & 3, kind & 4);
                }
        }
        if (how & 32)
                shutdown(parent_fd, SHUT_WR);
        else
                close(parent_fd);
        go_on(child, how);
        initsync_child_free(child);
        if (how & 32)
                close(parent_fd);
        FUZZ_CHECK(fds_return_to(before));
        return 0;
}
