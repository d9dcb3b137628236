/* SPDX-License-Identifier: MIT */
#include <pwd.h>
#include <stdio.h>
#include "account.h"

/* A name that is longer is nobody's: one cut short could be another's. */
static bool read_account(FILE *file, uid_t uid, struct account *ret) {
        const struct passwd *entry;

        while ((entry = fgetpwent(file)))
                if (entry->pw_uid == uid && snprintf(ret->name, sizeof(ret->name), "%s", entry->pw_name) < (int)sizeof(ret->name)) {
                        ret->uid = uid;
                        ret->gid = entry->pw_gid;
                        return true;
                }
        return false;
}

bool account_find(uid_t uid, struct account *ret) {
        FILE *file = fopen("/etc/passwd", "re");
        bool found = file && read_account(file, uid, ret);
        char command[64];

        if (file)
                fclose(file);
        if (found)
                return true;
        snprintf(command, sizeof(command), "timeout 5 getent passwd %u 2>&-", uid);
        file = popen(command, "re");            /* NOLINT(cert-env33-c): nothing in it is anybody's but a number */
        found = file && read_account(file, uid, ret);
        if (file)
                pclose(file);
        return found;
}
