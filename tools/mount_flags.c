/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "kernel.h"
#include "mount_flags.h"
#include "say.h"

#define TABLE "/proc/thread-self/mountinfo"

#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1UL << 25)
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256UL
#endif

/* What /proc calls them, too. */
static const struct {
        const char *word;
        uint64_t attribute;
        unsigned long flag;
} known[] = {
        { "ro",          MOUNT_ATTR_RDONLY,      MS_RDONLY },
        { "nosuid",      MOUNT_ATTR_NOSUID,      MS_NOSUID },
        { "nodev",       MOUNT_ATTR_NODEV,       MS_NODEV },
        { "noexec",      MOUNT_ATTR_NOEXEC,      MS_NOEXEC },
        { "nodiratime",  MOUNT_ATTR_NODIRATIME,  MS_NODIRATIME },
        { "nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW },
};

static const struct {
        const char *word;
        unsigned long set, clear;
} super[] = {
        { "ro",         MS_RDONLY,      0 },
        { "sync",       MS_SYNCHRONOUS, 0 },
        { "async",      0,              MS_SYNCHRONOUS },
        { "dirsync",    MS_DIRSYNC,     0 },
        { "lazytime",   MS_LAZYTIME,    0 },
        { "nolazytime", 0,              MS_LAZYTIME },
};

unsigned long mount_flags(uint64_t attributes) {
        const uint64_t times = attributes & MOUNT_ATTR__ATIME;
        unsigned long flags = times == MOUNT_ATTR_NOATIME ? MS_NOATIME :
                              times == MOUNT_ATTR_STRICTATIME ? MS_STRICTATIME : MS_RELATIME;
        size_t i;

        for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (attributes & known[i].attribute)
                        flags |= known[i].flag;
        return flags;
}

bool mount_flags_word(const char *option, unsigned long *flags) {
        size_t i;

        for (i = 0; i < sizeof(super) / sizeof(super[0]); i++) {
                if (strcmp(option, super[i].word) != 0)
                        continue;
                *flags = (*flags | super[i].set) & ~super[i].clear;
                return true;
        }
        return false;
}

static uint64_t attributes_of(char *words) {
        uint64_t attributes = MOUNT_ATTR_STRICTATIME;
        char *word, *rest;
        size_t i;

        for (word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
                if (strcmp(word, "relatime") == 0 || strcmp(word, "noatime") == 0)
                        attributes = (attributes & ~(uint64_t)MOUNT_ATTR__ATIME) |
                                     (word[0] == 'r' ? MOUNT_ATTR_RELATIME : MOUNT_ATTR_NOATIME);
                for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                        if (strcmp(word, known[i].word) == 0)
                                attributes |= known[i].attribute;
        }
        return attributes;
}

static unsigned long super_of(char *words) {
        unsigned long flags = 0;
        char *word, *rest;

        for (word = strtok_r(words, ",\n", &rest); word; word = strtok_r(NULL, ",\n", &rest))
                mount_flags_word(word, &flags);
        return flags;
}

/* The line about the mount that @fd is of: "ID PARENT DEVICE ROOT POINT ATTRIBUTES [...] - TYPE SOURCE SUPER". */
static int find_line(int fd, const char *path, char **ret_line, struct initsync_error *reterr) {
        _cleanup_free_ char *line = NULL;
        struct statx st;
        bool found = false;
        size_t size = 0;
        FILE *file;

        if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0)
                return fault_call(reterr, -errno, "statx", path);
        file = fopen(TABLE, "re");
        if (!file)
                return fault_call(reterr, -errno, "fopen", TABLE);
        while (!found && getline(&line, &size, file) > 0)
                found = strtoull(line, NULL, 10) == st.stx_mnt_id;
        fclose(file);
        if (!found)
                return fault(reterr, -ENOENT, "%s: is not in " TABLE, path);
        *ret_line = take_ptr(line);
        return 0;
}

static bool parse(char *line, uint64_t *ret_attributes, unsigned long *ret_super) {
        /* ANALYZED(null-argument): find_line() has found it */
        char *dash = strstr(line, " - "), *field, *rest;
        unsigned i;

        if (!dash)
                return false;
        *dash = '\0';
        field = strtok_r(line, " ", &rest);
        for (i = 0; field && i < 5; i++)
                field = strtok_r(NULL, " ", &rest);
        dash = strrchr(dash + 1, ' ');
        if (!field || !dash)
                return false;
        *ret_attributes = attributes_of(field);
        *ret_super = super_of(dash + 1);
        return true;
}

int mount_flags_read(int fd, const char *path, uint64_t *ret_attributes, unsigned long *ret_super,
                     struct initsync_error *reterr) {
        _cleanup_free_ char *line = NULL;
        int r = find_line(fd, path, &line, reterr);

        if (r < 0)
                return r;
        return parse(line, ret_attributes, ret_super) ? 0 : fault(reterr, -EPROTO, TABLE ": a line that no kernel writes");
}

int mount_flags_tmpfs(int fd, const char *path, const char *source, struct initsync_error *reterr) {
        _cleanup_free_ char *line = NULL, *wanted = NULL;
        int r = find_line(fd, path, &line, reterr);

        if (r == 0 && asprintf(&wanted, " - tmpfs %s ", source) < 0) {
                wanted = NULL;
                r = fault_call(reterr, -ENOMEM, "asprintf", NULL);
        }
        return r < 0 || !line || !wanted ? r : strstr(line, wanted) != NULL;
}
