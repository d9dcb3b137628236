/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/filter.h"
#include "support/left.h"
#include "support/place.h"
#include "support/steps.h"

#include <sys/socket.h>
#include <sys/wait.h>

/*
 * Recorded conversations, played against both halves of the library: the recorded child's packets against our parent, the
 * recorded parent's against our child. INITSYNC_GOLDEN names a folder with recordings of a runtime.
 */

static int may_mount;
static int detached = -1;
static struct steps steps;
static const char *path;
static size_t played;

static int fails_by(const char *what) {
        return strstr(path, what) != NULL;
}

/* ---- against our parent ---- */

/* The number that procSeccomp names must be a listener. */
static int give_listener(const char *packet) {
        int number = (int)steps_decode(packet).number, listener = filter_listener();

        if (listener < 0 || listener == number)
                return listener;
        return dup2(listener, number);
}

static int is_same_answer(const char *got, const struct step *step) {
        if (step->is_descriptor || step->type != MESSAGE_MOUNT_FD)
                return strcmp(got, step->text) == 0;
        /* Where runc opens, ours clones: the child takes both. */
        return strcmp(got, BARE_MOUNT_FD) == 0;
}

static int recorded_child(int socket, void *arg) {
        static const char *const ends[] = { "<eof", NULL }, *const error[] = { "<...\"procError\"", NULL };
        char packet[16384];
        size_t i;
        int fd;

        (void)arg;
        socket = fcntl(socket, F_DUPFD_CLOEXEC, 200);           /* out of the way of recorded numbers */
        initsync_child_only(&socket, 1);
        for (i = 0; i < steps.n; i++) {
                const struct step *step = &steps.at[i];

                if (step->from_child) {
                        if (step->type == MESSAGE_SECCOMP)
                                BARE_CHECK(give_listener(step->text) >= 0);
                        /* one procError more than was recorded */
                        if (step->type == MESSAGE_ERROR && steps.parent_said_nothing &&
                            fails_by("-fails") + fails_by("missing"))
                                BARE_CHECK(bare_play(socket, error) == 0);
                        BARE_CHECK(bare_send(socket, step->text) == 0);
                } else if (step->type == MESSAGE_ERROR && !step->is_descriptor) {
                        BARE_CHECK(bare_play(socket, error) == 0);
                } else {
                        BARE_CHECK(bare_receive(socket, packet, sizeof(packet), &fd) > 0);
                        if (!is_same_answer(packet, step)) {
                                fprintf(stderr, "# %s: got %s, expected %s\n", path, packet, step->text);
                                return 1;
                        }
                        BARE_CHECK(step->is_descriptor == (fd >= 0));
                        BARE_CHECK(fd < 0 || place_has(fd, "proof"));
                        close(fd);
                }
        }
        return steps_has(&steps, 1, MESSAGE_ERROR) || steps_has(&steps, 0, MESSAGE_ERROR) ? bare_play(socket, ends) < 0 : 0;
}

static int requests;

static int serve(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        const char *source = asked->source;
        int missing = fails_by("missing-source") || fails_by("sent-ahead-fails");

        *ret_serve = (struct initsync_mount)INITSYNC_MOUNT_INIT;
        ret_serve->source = missing && requests == 0 ? "/nonexistent/source" : source;
        ret_serve->source_fd = missing && requests == 0 ? -1 : detached;
        requests++;
        return 0;
}

static int expected_result(void) {
        if (fails_by("hook-fails"))
                return -EIO;
        if (fails_by("missing-source") || fails_by("sent-ahead-fails"))
                return -ENOENT;
        if (fails_by("not-a-bind"))
                return -EPROTO;
        return steps_has(&steps, 1, MESSAGE_ERROR) ? -EREMOTEIO : 0;
}

static void against_parent(const struct recording *recording, void *to) {
        struct duo duo;

        (void)to;
        path = recording->path;
        steps_read(&steps, recording);
        requests = 0;
        duo_init(&duo);
        duo.on_allow = serve;
        duo.options.grace_ms = 5000;
        duo.options.flags = INITSYNC_PARENT_NO_KILL;
        duo.answers[DUO_HOOKS] = fails_by("hook-fails") ? -EIO : 0;
        duo_start(&duo, recorded_child, NULL);
        duo_run(&duo);
        if (duo.result != expected_result())
                fail_msg("%s: %d, expected %d: %s", path, duo.result, expected_result(), duo.result ? duo.error.text : "");
        assert_int_equal(duo.calls[DUO_HOOKS], steps_has(&steps, 1, MESSAGE_HOOKS));
        assert_int_equal(duo.calls[DUO_READY], steps_has(&steps, 1, MESSAGE_READY));
        assert_int_equal(duo.calls[DUO_SECCOMP], steps_has(&steps, 1, MESSAGE_SECCOMP));
        duo_end(&duo);
        if (duo.status)
                fail_msg("%s: the recorded child ended with %d", path, duo.status);
        steps_free(&steps);
        played++;
}

/* ---- against our child ---- */

/* What our child asks for is the recorded request in its own words: the same bytes where these are the newer runc's. */
static int is_same_request(const char *got, const char *recorded) {
        struct message a, b;

        if (strcmp(got, recorded) == 0)
                return 1;
        a = steps_decode(got);
        b = steps_decode(recorded);
        if (a.type != b.type)
                return 0;
        if (a.type == MESSAGE_ERROR)
                return a.text.length && b.text.length ? strncmp(a.text.data, b.text.data, 20) == 0 : 1;
        if (a.type != MESSAGE_MOUNT_PLEASE)
                return 0;
        return strcmp(a.mount->source, b.mount->source) == 0 && strcmp(a.mount->destination, b.mount->destination) == 0 &&
               a.mount->flags == (b.mount->flags & (MESSAGE_MS_BIND | MESSAGE_MS_REC)) &&
               a.mount->idmap_recursive == b.mount->idmap_recursive && a.mount->n_uids == b.mount->n_uids &&
               a.mount->n_gids == b.mount->n_gids && strcmp(a.mount->userns_path, b.mount->userns_path) == 0 &&
               memcmp(a.mount->uids, b.mount->uids, a.mount->n_uids * sizeof(*a.mount->uids)) == 0 &&
               memcmp(a.mount->gids, b.mount->gids, a.mount->n_gids * sizeof(*a.mount->gids)) == 0;
}

static int recorded_parent(int socket, void *arg) {
        static const char *const ends[] = { "<eof", NULL };
        char packet[16384];
        size_t i;

        (void)arg;
        for (i = 0; i < steps.n; i++) {
                const struct step *step = &steps.at[i];

                if (!step->from_child) {
                        BARE_CHECK(bare_send_fds(socket, step->text, strlen(step->text), detached, step->is_descriptor ? 1
                                                 : 0) == 0);
                        continue;
                }
                if (step->type == MESSAGE_ERROR && steps.parent_said_nothing)
                        shutdown(socket, SHUT_WR);
                BARE_CHECK(bare_receive(socket, packet, sizeof(packet), NULL) > 0);
                if (!is_same_request(packet, step->text)) {
                        fprintf(stderr, "# %s: got %s, expected %s\n", path, packet, step->text);
                        return 1;
                }
        }
        return bare_play(socket, ends) < 0;
}

static struct initsync_mount to_mount(const struct message_mount *asked) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = strdup(asked->source);
        mount.destination = strdup(asked->destination);
        mount.n_uids = asked->n_uids;
        mount.n_gids = asked->n_gids;
        mount.uids = memcpy(malloc(sizeof(asked->uids)), asked->uids, sizeof(asked->uids));
        mount.gids = memcpy(malloc(sizeof(asked->gids)), asked->gids, sizeof(asked->gids));
        mount.userns_path = asked->userns_path[0] ? strdup(asked->userns_path) : NULL;
        mount.flags = (asked->flags & MESSAGE_MS_REC ? INITSYNC_MOUNT_RECURSIVE : 0) |
                      (asked->idmap_recursive ? INITSYNC_MOUNT_IDMAP_RECURSIVE : 0);
        return mount;
}

static void free_mount(struct initsync_mount *mount) {
        free((char *)mount->source);
        free((char *)mount->destination);
        free((char *)mount->userns_path);
        free((struct initsync_idmap *)mount->uids);
        free((struct initsync_idmap *)mount->gids);
}

/* Requests that follow each other without an answer are sent ahead, in one call. */
static int ask_mounts(struct initsync_child *child, size_t *at) {
        struct initsync_mount mounts[32] = { INITSYNC_MOUNT_INIT };
        int fds[32] = { -1 }, r;
        size_t n = 0, i;

        for (; *at < steps.n && steps.at[*at].from_child && steps.at[*at].type == MESSAGE_MOUNT_PLEASE; ++*at)
                mounts[n++] = to_mount(steps_decode(steps.at[*at].text).mount);
        r = initsync_child_mounts(child, mounts, n, fds, NULL);
        for (i = 0; i < n; i++) {
                if (r == 0)
                        close(fds[i]);
                free_mount(&mounts[i]);
        }
        --*at;
        return r;
}

static int tell(struct initsync_child *child, const struct step *step) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        struct message message = steps_decode(step->text);

        error.code = -EIO;
        snprintf(error.text, sizeof(error.text), "%.*s", (int)message.text.length, message.text.data);
        return initsync_child_fail(child, &error);
}

static int our_child(struct initsync_child *child) {
        int r = 0;
        size_t i;

        for (i = 0; i < steps.n; i++) {
                const struct step *step = &steps.at[i];

                if (!step->from_child)
                        continue;
                if (step->type == MESSAGE_ERROR) {
                        assert_int_equal(tell(child, step), 0);
                        continue;
                }
                if (r < 0)
                        fail_msg("%s: the conversation goes on after a failure, %d", path, r);
                if (step->type == MESSAGE_MOUNT_PLEASE)
                        r = ask_mounts(child, &i);
                else if (step->type == MESSAGE_HOOKS)
                        r = initsync_child_hooks(child, NULL);
                else if (step->type == MESSAGE_READY)
                        r = initsync_child_ready(child, NULL);
                else if (step->type == MESSAGE_SECCOMP && (r = initsync_child_prepare_seccomp(child, NULL)) == 0)
                        r = initsync_child_seccomp(child, (int)steps_decode(step->text).number, NULL);
        }
        return r;
}

/* One that our child would never send: the source of a tmpfs is no path. */
static int is_foreign(void) {
        return steps_has(&steps, 1, MESSAGE_MOUNT_PLEASE) && steps_decode(steps.at[0].text).type == MESSAGE_EOF;
}

static void against_child(const struct recording *recording, void *to) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;
        int ours, theirs, pid, status, r, expected;

        (void)to;
        path = recording->path;
        steps_read(&steps, recording);
        if (!is_foreign()) {
                assert_int_equal(initsync_pair(&ours, &theirs), 0);
                pid = duo_fork(recorded_parent, ours, NULL, &detached, 1);
                options.parent_fd = ours;
                assert_int_equal(initsync_child_new(&child, theirs, &options, NULL), 0);
                r = our_child(child);
                initsync_child_free(child);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                expected = steps_has(&steps, 0, MESSAGE_ERROR) ? -EREMOTEIO : 0;
                if (steps.parent_said_nothing && steps.n > 1 && steps.at[steps.n - 2].type != MESSAGE_ERROR)
                        expected = -ECONNRESET;
                if (r != expected || status)
                        fail_msg("%s: %d, expected %d; the recorded parent ended with %d", path, r, expected, status);
                played++;
        }
        steps_free(&steps);
}

static void play_all(void (*play)(const struct recording *, void *)) {
        const char *golden = getenv("INITSYNC_GOLDEN");
        size_t n;

        played = 0;
        n = recording_each(recording_folder(), play, NULL);
        assert_true(n >= 40);
        if (golden)
                assert_true(recording_each(golden, play, NULL) > 0);
        assert_true(played + 4 >= n);
        print_message("# %zu conversations\n", played);
}

static void test_recorded_children(void **state) {
        (void)state;
        if (!may_mount)
                skip();
        play_all(against_parent);
}

static void test_recorded_parents(void **state) {
        (void)state;
        if (!may_mount)
                skip();
        play_all(against_child);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_recorded_children),
                left_test(test_recorded_parents),
        };

        may_mount = place_enter() &&
                initsync_feature("open_tree_attr") == 1;   /* the clone of a detached mount: Linux 6.15 */
        if (may_mount)
                detached = place_tmpfs("proof");
        may_mount = detached >= 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
