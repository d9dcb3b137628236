/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "mount/userns.h"
#include "namespace.h"
#include "userns.h"

#define POISON (-77)

struct initsync_idmap userns_own_map(void) {
        return (struct initsync_idmap){ 0, namespace_root() ? 100000 : geteuid(), namespace_root() ? 65536 : 1 };
}

int userns_open_own(struct initsync_error *reterr) {
        struct initsync_idmap map = userns_own_map();
        int fd = POISON, r = initsync_userns_open(&map, 1, &map, 1, &fd, reterr);

        assert(r <= 0 && (r < 0) == (fd == POISON));
        return r < 0 ? r : fd;
}

void userns_fails(int code, const char *word) {
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int r = userns_open_own(&error);

        if (r != code || error.code != code || !strstr(error.text, word))
                fprintf(stderr, "%d, %d: %s\n", r, error.code, error.text);
        assert(r == code && error.code == code && error.stage == INITSYNC_STAGE_USERNS);
        assert(strstr(error.text, word));
}

void userns_works(void) {
        int fd = userns_open_own(NULL);

        assert(fd >= 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC && userns_check(fd) == 0);
        close(fd);
}
