/* SPDX-License-Identifier: MIT */
/*
 * Recorded conversations: every message is one that the library reads, in an order that its turn table allows, and what the
 * library would write in its place is the same, byte for byte. INITSYNC_GOLDEN names a folder with recordings of a runtime.
 */
#include "support/support.h"

#include "base/attr.h"
#include "support/bytes.h"
#include "support/recording.h"
#include "wire/encode.h"
#include "wire/turn.h"

struct counts {
        size_t messages, same;
};

static const char *place;       /* of the line being looked at, for messages */

/* What Go writes for '<', '>' and '&', and U+2028 and U+2029, json-c leaves as it is: the same JSON, other bytes. */
static int has_go_escapes(const struct recording_line *line) {
        static const char *const escapes[] = { "\\u003c", "\\u003e", "\\u0026", "\\u2028", "\\u2029" };
        size_t i;

        for (i = 0; i < ARRAY_SIZE(escapes); i++)
                if (memmem(line->text, line->n, escapes[i], strlen(escapes[i])))
                        return 1;
        return 0;
}

/* Of what a request may hold the library's child writes all but what it does itself on what arrives. */
static int is_ours(const struct message_mount *mount) {
        return strcmp(mount->device, "bind") == 0 && !mount->n_propagation_flags && !mount->has_rec_attr &&
               !mount->data[0] && !mount->extensions && !(mount->flags & ~(uint64_t)(MESSAGE_MS_BIND | MESSAGE_MS_REC));
}

static char *write_mount(const struct message_mount *asked) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        char *packet = NULL;

        mount.source = asked->source;
        mount.destination = asked->destination;
        mount.uids = asked->uids;
        mount.gids = asked->gids;
        mount.n_uids = asked->n_uids;
        mount.n_gids = asked->n_gids;
        mount.userns_path = asked->userns_path[0] ? asked->userns_path : NULL;
        mount.flags = (asked->flags & MESSAGE_MS_REC ? INITSYNC_MOUNT_RECURSIVE : 0) |
                      (asked->idmap_recursive ? INITSYNC_MOUNT_IDMAP_RECURSIVE : 0);
        assert_true(encode_mount(&mount, &packet) > 0);
        return packet;
}

/* What the library writes for @message, or NULL for what it never does. */
static char *write_message(const struct message *message) {
        struct bytes bytes;
        char text[64];

        switch (message->type) {
        case MESSAGE_MOUNT_PLEASE:
                return is_ours(message->mount) ? write_mount(message->mount) : NULL;
        case MESSAGE_SECCOMP:
                encode_seccomp((int)message->number, message->has_fd, text, sizeof(text));
                return bytes_format("%s", text);
        case MESSAGE_ERROR:
                return NULL;            /* has keys of its own */
        default:
                if (message->plain_open)
                        return NULL;
                bytes = encode_plain(message->type);
                return bytes_format("%.*s", (int)bytes.n, bytes.data);
        }
}

static void look_at_message(const struct recording_line *line, int is_new, int *step, struct counts *counts) {
        static struct message_mount mount;
        struct initsync_error error;
        struct message message;
        char *packet = bytes_exact(line->text, line->n), *written;
        enum turn_from from;

        if (message_read(packet, line->n, &mount, &message, &error) < 0)
                fail_msg("%s: %s", place, error.text);
        counts->messages++;
        from = message.type == MESSAGE_MOUNT_FD || message.type == MESSAGE_HOOKS_DONE || message.type == MESSAGE_RUN ||
               message.type == MESSAGE_SECCOMP_DONE ? TURN_PARENT : TURN_CHILD;
        if (message.type == MESSAGE_ERROR && line->word[0] == 'p')
                from = TURN_PARENT;
        if (line->word[0] == 'c' || line->word[0] == 'p')
                assert_int_equal(from == TURN_PARENT, line->word[0] == 'p');
        *step = turn_next(*step, from, message.type);
        if (*step < 0)
                fail_msg("%s: has no place", place);
        written = write_message(&message);
        if (written && !has_go_escapes(line) && (is_new || message.type != MESSAGE_MOUNT_PLEASE)) {
                if (strlen(written) != line->n || memcmp(written, line->text, line->n) != 0)
                        fail_msg("%s: ours is %s", place, written);
                counts->same++;
        }
        free(written);
        free(packet);
}

/* A message that one half wrote and the other read stands there twice. */
static int is_echo(const struct recording *recording, size_t i) {
        const struct recording_line *line = &recording->lines[i], *last = i ? line - 1 : NULL;

        return last && strcmp(line->word, "read") == 0 && strcmp(last->word, "write") == 0 && line->n == last->n &&
               memcmp(line->text, last->text, line->n) == 0;
}

/* What is no bind has no absolute source, and does not get past the reader. */
static void look_at_no_bind(const struct recording *recording) {
        static struct message_mount mount;
        struct initsync_error error;
        struct message message;
        char *packet = bytes_exact(recording->lines[0].text, recording->lines[0].n);

        assert_int_equal(message_read(packet, recording->lines[0].n, &mount, &message, &error), -EPROTO);
        bytes_contain(error.text, "procMountPlease: arg.source: expected an absolute path");
        free(packet);
}

static void look(const struct recording *recording, void *to) {
        const char *name = strrchr(recording->path, '/') + 1;
        int step = INITSYNC_STEP_MOUNTS;
        char *here;
        size_t i;

        if (strstr(name, "-not-a-bind")) {
                look_at_no_bind(recording);
                return;
        }
        for (i = 0; i < recording->n; i++) {
                if (strcmp(recording->lines[i].word, "p+fd") == 0 || is_echo(recording, i))
                        continue;
                here = bytes_format("%s, message %zu", name, i);
                place = here;
                look_at_message(&recording->lines[i], strncmp(name, "1.2", 3) != 0, &step, to);
                free(here);
        }
}

static void test_conversations(void **state) {
        struct counts counts = { 0, 0 };
        size_t n = recording_each(recording_folder(), look, &counts);

        (void)state;
        printf("# %zu conversations, %zu messages, %zu of which are ours byte for byte\n", n, counts.messages, counts.same);
        assert_true(n >= 40 && counts.messages > 200 && counts.same > 150);
}

static void test_recordings(void **state) {
        const char *folder = getenv("INITSYNC_GOLDEN");
        struct counts counts = { 0, 0 };
        size_t n;

        (void)state;
        n = recording_each(folder, look, &counts);
        printf("# %zu recordings, %zu messages, %zu of which are ours byte for byte\n", n, counts.messages, counts.same);
        assert_true(n > 0 && counts.messages > 0 && counts.same > 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_conversations),
                cmocka_unit_test(test_recordings),
        }, only[] = {
                cmocka_unit_test(test_conversations),
        };

        /* Recordings are nobody's duty to have: without a folder there is no test of them, rather than one that is skipped. */
        if (!getenv("INITSYNC_GOLDEN"))
                return cmocka_run_group_tests_name("conversations", only, NULL, NULL);
        return cmocka_run_group_tests_name("conversations", tests, NULL, NULL);
}
