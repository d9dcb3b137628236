/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "account.h"
#include "cleanup.h"
#include "demo_look.h"
#include "demo_scene.h"
#include "demo_user.h"
#include "say.h"

/* What the two say to each other, a byte each. */
#define ASK_NOTHING 'n'
#define ASK_MAPS 'm'
#define ANSWER_MAPPED 'm'
#define ANSWER_UIDS_ONLY 'u'
#define ANSWER_NOTHING 'n'

static int map_one(const char *path, unsigned id, struct initsync_error *reterr) {
        char line[64];
        int r;

        snprintf(line, sizeof(line), "0 %u 1", id);
        r = look_put(path, line);
        return r < 0 ? fault_call(reterr, r, "write", path) : 0;
}

/* Without newuidmap: the own id, which is root in here. */
static int map_self(char answer, uid_t uid, gid_t gid, struct initsync_error *reterr) {
        int r = 0;

        if (answer == ANSWER_NOTHING)
                r = map_one("/proc/self/uid_map", uid, reterr);
        if (r == 0 && answer != ANSWER_MAPPED) {
                r = look_put("/proc/self/setgroups", "deny");
                if (r < 0)
                        return fault_call(reterr, r, "write", "/proc/self/setgroups");
                r = map_one("/proc/self/gid_map", gid, reterr);
        }
        return r;
}

int user_enter(int ask_fd, int answer_fd, bool *ret_ordinary, struct initsync_error *reterr) {
        const uid_t uid = geteuid();
        const gid_t gid = getegid();
        char ask, answer, before[64] = "", after[64] = "";
        bool ordinary;

        look_link("/proc/self/ns/mnt", before, sizeof(before));
        ordinary = unshare(CLONE_NEWNS) < 0;

        if (ordinary && errno != EPERM)
                return fault_call(reterr, -errno, "unshare of a mount namespace", NULL);
        if (ordinary && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                return fault(reterr, -errno, "this user may make no namespaces here, and without there is nothing to show: "
                             "unshare: %s (user.max_user_namespaces, kernel.unprivileged_userns_clone, or a filter)",
                             strerror(errno));
        /* from here on the demo mounts: not without having seen that it is not in the host's mount namespace */
        look_link("/proc/self/ns/mnt", after, sizeof(after));
        if (!*before || !*after || strcmp(before, after) == 0)
                return fault(reterr, -EIO, "unshare made no mount namespace: /proc/self/ns/mnt is %s as before", after);
        ask = ordinary ? ASK_MAPS : ASK_NOTHING;
        if (write(ask_fd, &ask, 1) != 1 || read(answer_fd, &answer, 1) != 1)
                return fault(reterr, -ECHILD, "the process that started the demo is gone");
        if (ordinary) {
                int r = map_self(answer, uid, gid, reterr);

                if (r < 0)
                        return r;
        }
        *ret_ordinary = ordinary;
        return 0;
}

/* A line "user:first:count" of /etc/subuid or /etc/subgid; the user by name or by number. */
static bool find_range(const char *path, const char *user, uid_t uid, unsigned *ret_first, unsigned *ret_count) {
        _cleanup_free_ char *text = NULL;
        char *rest, name[64], number[16];

        snprintf(number, sizeof(number), "%u", uid);
        if (look_get(path, &text) < 0)
                return false;
        rest = text;
        for (const char *line; (line = strsep(&rest, "\n"));)
                if (sscanf(line, "%63[^:]:%10u:%10u", name, ret_first, ret_count) == 3 &&
                    (strcmp(name, user) == 0 || strcmp(name, number) == 0))
                        return true;
        return false;
}

static int run(const char *const argv[]) {
        posix_spawn_file_actions_t actions;
        int status = 0, r;
        pid_t pid;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
        if (r == 0)
                r = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        if (r != 0)
                return -r;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static bool map_range(const char *program, pid_t pid, unsigned own, unsigned first, unsigned count, char *why, size_t size) {
        char pid_text[16], own_text[16], first_text[16], count_text[16];
        const char *argv[] = { program, pid_text, "0", own_text, "1", "1", first_text, count_text, NULL };
        int r;

        snprintf(pid_text, sizeof(pid_text), "%d", (int)pid);
        snprintf(own_text, sizeof(own_text), "%u", own);
        snprintf(first_text, sizeof(first_text), "%u", first);
        snprintf(count_text, sizeof(count_text), "%u", count);
        r = run(argv);
        if (r == -ENOENT)
                snprintf(why, size, "one id only is mapped here: %s is not installed", program);
        else if (r < 0)
                snprintf(why, size, "one id only is mapped here: %s: %s", program, strerror(-r));
        else if (r > 0)
                snprintf(why, size, "one id only is mapped here: %s refused, exit status %d", program, r);
        return r == 0;
}

static char map_ranges(pid_t pid, char *why, size_t size) {
        unsigned first_uid, n_uids, first_gid, n_gids;
        struct account account;

        if (!account_find(getuid(), &account))
                snprintf(why, size, "one id only is mapped here: newuidmap needs a passwd entry for user %u", getuid());
        else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
                snprintf(why, size, "one id only is mapped here: newuidmap cannot work under no_new_privs");
        else if (!find_range("/etc/subuid", account.name, account.uid, &first_uid, &n_uids) ||
                 !find_range("/etc/subgid", account.name, account.uid, &first_gid, &n_gids))
                snprintf(why, size, "one id only is mapped here: /etc/subuid and /etc/subgid have none for %.32s",
                         account.name);
        else if (n_uids < SCENE_RANGE || n_gids < SCENE_RANGE)
                snprintf(why, size, "one id only is mapped here: the demo needs %u subordinate ids", SCENE_RANGE);
        else if (!map_range("newuidmap", pid, getuid(), first_uid, n_uids, why, size))
                return ANSWER_NOTHING;
        else
                return map_range("newgidmap", pid, getgid(), first_gid, n_gids, why, size) ? ANSWER_MAPPED :
                       ANSWER_UIDS_ONLY;
        return ANSWER_NOTHING;
}

void user_serve(pid_t pid, int ask_fd, int answer_fd, char *why, size_t size) {
        char ask, answer = ANSWER_NOTHING;

        why[0] = '\0';
        if (read(ask_fd, &ask, 1) != 1)
                return;         /* it failed, and says so itself */
        if (ask == ASK_MAPS)
                answer = map_ranges(pid, why, size);
        if (write(answer_fd, &answer, 1) != 1)
                return;
}
