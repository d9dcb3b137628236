/* SPDX-License-Identifier: MIT */
/* config.json: taken or refused, with one line that names the file, and nothing is left open. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bundle.h"
#include "peer.h"

const char fuzz_name[] = "config";

static char directory[] = "/tmp/initsync-fuzz-XXXXXX";

static void remove_bundle(void) {
        char path[64];

        snprintf(path, sizeof(path), "%s/rootfs", directory);
        rmdir(path);
        snprintf(path, sizeof(path), "%s/config.json", directory);
        unlink(path);
        rmdir(directory);
}

static void make_bundle(void) {
        char path[64];

        FUZZ_CHECK(mkdtemp(directory));
        atexit(remove_bundle);
        snprintf(path, sizeof(path), "%s/rootfs", directory);
        FUZZ_CHECK(mkdir(path, 0755) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static int made;
        struct initsync_error error;
        struct bundle *bundle = NULL;
        int half, before, fd, r;
        char path[64];

        if (!made)
                make_bundle();
        made = 1;
        snprintf(path, sizeof(path), "%s/config.json", directory);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
        close(fd);
        before = peer_fds();
        for (half = BUNDLE_PARENT; half <= BUNDLE_CHILD; half++) {
                error.text[0] = '\0';
                r = bundle_load(&bundle, directory, (enum bundle_half)half, &error);
                FUZZ_CHECK(r <= 0);
                if (r < 0) {
                        FUZZ_CHECK(error.code == r && memchr(error.text, '\0', sizeof(error.text)));
                        FUZZ_CHECK(strstr(error.text, "config.json") && !strchr(error.text, '\n'));
                } else {
                        FUZZ_CHECK(bundle);
                        bundle_startable(bundle, &error);
                        bundle = bundle_free(bundle);
                }
        }
        FUZZ_CHECK(peer_fds() == before);
        return 0;
}
