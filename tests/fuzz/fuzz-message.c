/* SPDX-License-Identifier: MIT */
/* A packet as a message: whatever the bytes are, and what was read is inside of them; a mount says the same when it is written again. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include "wire/encode.h"
#include "wire/message.h"

const char fuzz_name[] = "message";

static void check_string(const char *packet, size_t n, const char *text) {
        /* What is absent is a constant. */
        if (!text || !*text)
                return;
        FUZZ_CHECK(text >= packet && text < packet + n && memchr(text, '\0', (size_t)(packet + n - text)));
}

static void check_extents(const struct initsync_idmap *extents, size_t n) {
        size_t i, k;

        FUZZ_CHECK(n <= INITSYNC_IDMAP_MAX);
        for (i = 0; i < n; i++) {
                FUZZ_CHECK(extents[i].count && extents[i].inside + (extents[i].count - 1) >= extents[i].inside &&
                           extents[i].outside + (extents[i].count - 1) >= extents[i].outside);
                for (k = 0; k < i; k++)
                        FUZZ_CHECK(extents[i].inside > extents[k].inside + (extents[k].count - 1) ||
                                   extents[k].inside > extents[i].inside + (extents[i].count - 1));
        }
}

static void again(const struct message_mount *mount) {
        static struct message_mount second;
        struct initsync_mount wanted = INITSYNC_MOUNT_INIT;
        struct initsync_error error;
        struct message message;
        char *text;
        int n;

        wanted.source = mount->source;
        wanted.destination = mount->destination;
        wanted.flags = (mount->flags & MESSAGE_MS_REC ? INITSYNC_MOUNT_RECURSIVE : 0) |
                       (mount->idmap_recursive ? INITSYNC_MOUNT_IDMAP_RECURSIVE : 0);
        wanted.uids = mount->uids;
        wanted.gids = mount->gids;
        wanted.n_uids = mount->n_uids;
        wanted.n_gids = mount->n_gids;
        n = encode_mount(&wanted, &text);
        FUZZ_CHECK(n > 0);
        FUZZ_CHECK(message_read(text, (size_t)n, &second, &message, &error) == 0);
        FUZZ_CHECK(message.type == MESSAGE_MOUNT_PLEASE && strcmp(second.source, mount->source) == 0);
        FUZZ_CHECK(strcmp(second.destination, mount->destination) == 0);
        FUZZ_CHECK(second.n_uids == mount->n_uids && second.n_gids == mount->n_gids);
        FUZZ_CHECK(memcmp(second.uids, mount->uids, mount->n_uids * sizeof(mount->uids[0])) == 0);
        FUZZ_CHECK(memcmp(second.gids, mount->gids, mount->n_gids * sizeof(mount->gids[0])) == 0);
        free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct message_mount mount;
        struct message message;
        struct initsync_error error;
        char *packet = malloc(size ? size : 1);
        size_t length;
        int r;

        FUZZ_CHECK(packet);
        memcpy(packet, data, size);
        message_arg(packet, size, &length);
        FUZZ_CHECK(memcmp(packet, data, size) == 0);
        error.text[0] = '\0';
        r = message_read(packet, size, &mount, &message, &error);
        FUZZ_CHECK(r == 0 || r == -EPROTO);
        if (r < 0) {
                FUZZ_CHECK(error.code == -EPROTO && error.text[0] && memchr(error.text, '\0', sizeof(error.text)));
                for (length = 0; error.text[length]; length++)
                        FUZZ_CHECK((unsigned char)error.text[length] >= 0x20 && error.text[length] != 0x7f);
        } else if (message.type == MESSAGE_ERROR && message.text.length) {
                FUZZ_CHECK(message.text.data >= packet && message.text.data + message.text.length <= packet + size);
        } else if (message.type == MESSAGE_MOUNT_PLEASE) {
                check_string(packet, size, mount.source);
                check_string(packet, size, mount.destination);
                check_string(packet, size, mount.device);
                check_string(packet, size, mount.data);
                check_string(packet, size, mount.userns_path);
                check_extents(mount.uids, mount.n_uids);
                check_extents(mount.gids, mount.n_gids);
                FUZZ_CHECK(mount.source[0] == '/' && !mount.n_uids == !mount.n_gids);
                again(&mount);
        }
        free(packet);
        return 0;
}
