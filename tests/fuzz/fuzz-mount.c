/* SPDX-License-Identifier: MIT */
/* The argument of procMountPlease alone, in an envelope that is right: the same checks as those of fuzz-message.c get deeper. */
#include "fuzz.h"

#include <errno.h>
#include <string.h>
#include "base/attr.h"
#include "wire/message.h"

const char fuzz_name[] = "mount";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char before[] = "{\"type\":\"procMountPlease\",\"flags\":0,\"arg\":";
        size_t n = sizeof(before) - 1 + size + 1;
        static struct message_mount first, second;
        struct message message;
        struct initsync_error error;
        char *packet = malloc(n), *copy = malloc(n);
        int r;

        FUZZ_CHECK(packet && copy);
        memcpy(packet, before, sizeof(before) - 1);
        memcpy(packet + sizeof(before) - 1, data, size);
        packet[n - 1] = '}';
        memcpy(copy, packet, n);
        r = message_read(packet, n, &first, &message, &error);
        FUZZ_CHECK(r == 0 || (r == -EPROTO && strstr(error.text, "expected")) || (r == -EPROTO && error.text[0]));
        /* The same bytes mean the same, whatever was read into the struct before. */
        memset(&second, 0xa5, sizeof(second));
        FUZZ_CHECK(message_read(copy, n, &second, &message, &error) == r);
        if (r == 0) {
                FUZZ_CHECK(message.type == MESSAGE_MOUNT_PLEASE);
                FUZZ_CHECK(first.flags == second.flags && first.n_uids == second.n_uids && first.n_gids == second.n_gids);
                FUZZ_CHECK(first.has_id_mapping == second.has_id_mapping && first.idmap_recursive == second.idmap_recursive);
                FUZZ_CHECK(strcmp(first.source, second.source) == 0 && strcmp(first.destination, second.destination) == 0);
                FUZZ_CHECK(first.n_propagation_flags == second.n_propagation_flags && first.has_rec_attr == second.has_rec_attr);
        }
        free(packet);
        free(copy);
        return 0;
}
