/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "source.h"

#define POISON (-77)

const struct initsync_idmap *source_map(unsigned outside, unsigned count) {
        static struct initsync_idmap map;

        map = (struct initsync_idmap){ 0, outside, count };
        return &map;
}

static struct initsync_mount mount_of(const char *path, const struct initsync_idmap *map, uint64_t flags) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = path;
        mount.flags = flags;
        mount.uids = mount.gids = map;
        mount.n_uids = mount.n_gids = map ? 1 : 0;
        return mount;
}

int source_open(const char *path, const struct initsync_idmap *map, uint64_t flags) {
        struct initsync_mount mount = mount_of(path, map, flags);
        struct initsync_error error = INITSYNC_ERROR_INIT;
        int fd = POISON, r = initsync_mount_open(&mount, &fd, &error);

        if (r != 0)
                fprintf(stderr, "%s\n", error.text);
        assert(r == 0 && fd >= 3 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
        assert(error.code == 0 && error.text[0] == '\0');       /* written on failure only */
        return fd;
}

void source_fails_as(const struct initsync_mount *mount, int code, const char *call, const char *word,
                     struct initsync_error *error) {
        int fd = POISON, before = support_fd_count(), r;

        *error = (struct initsync_error)INITSYNC_ERROR_INIT;
        r = initsync_mount_open(mount, &fd, error);
        if (r != code || (call && strcmp(error->call, call) != 0) || (word && !strstr(error->text, word)))
                fprintf(stderr, "%d, %d (%s): %s\n", r, error->code, error->call, error->text);
        assert(r == code && fd == POISON && support_fd_count() == before);
        assert(error->code == code && error->step == -1 && error->mount == -1);
        assert(error->request == -1 && error->status == -1);
        assert(!call || strcmp(error->call, call) == 0);
        assert(!word || strstr(error->text, word));
        assert(!strchr(error->text, '\n'));
        assert(initsync_mount_open(mount, &fd, NULL) == code && fd == POISON);
}

void source_fails(const char *path, const struct initsync_idmap *map, uint64_t flags, int code, const char *call,
                  const char *word) {
        struct initsync_mount mount = mount_of(path, map, flags);
        struct initsync_error error;

        source_fails_as(&mount, code, call, word, &error);
        assert(error.stage == INITSYNC_STAGE_MOUNT);
        assert(strcmp(error.path, path) == 0 && strstr(error.text, path));
}

const char *source_mapped_by(void) {
        return initsync_feature("open_tree_attr") == 1 ? "open_tree_attr" : "mount_setattr";
}

void source_put(int fd, const char *at) {
        int target = open(at, O_PATH | O_CLOEXEC);

        assert(target >= 0);
        assert(initsync_attach(fd, target, NULL) == 0);
        close(target);
}
