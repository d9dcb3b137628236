/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include "cleanup.h"
#include "kernel.h"
#include "mount_type.h"
#include "program.h"
#include "say.h"

#define PASSWD "/etc/passwd"
#define PASSWD_MAX ((size_t)1024 * 1024)        /* what follows is not looked at: a file of a hundred thousand users is no image's */
#define DEFAULT_PATH "/bin:/usr/bin"    /* as execvp() has it */

/*
 * The image's file: anything at all. Neither a device or pipe, which answers when it likes, nor a file of the kernel's own,
 * such as /proc/kmsg, from which reading takes away.
 */
static int open_passwd(void) {
        _cleanup_fd_ int path = kernel_openat2(AT_FDCWD, PASSWD, O_PATH, RESOLVE_NO_MAGICLINKS), fd = -1;
        struct stat found, opened;

        if (path < 0 || fstat(path, &found) < 0 || !S_ISREG(found.st_mode) || mount_type_hidden(path))
                return -ENOENT;
        fd = kernel_openat2(AT_FDCWD, PASSWD, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_NO_MAGICLINKS);
        if (fd < 0 || fstat(fd, &opened) < 0 || opened.st_dev != found.st_dev || opened.st_ino != found.st_ino)
                return -ENOENT;
        return take_fd(&fd);
}

static char *read_passwd(size_t *ret_size) {
        _cleanup_fd_ int fd = open_passwd();
        _cleanup_free_ char *text = fd < 0 ? NULL : malloc(PASSWD_MAX);
        size_t size = 0;
        ssize_t n;

        while (text && size < PASSWD_MAX && (n = read(fd, text + size, PASSWD_MAX - size)) > 0)
                size += (size_t)n;
        *ret_size = size;
        return take_ptr(text);
}

/* "name:password:uid:gid:comment:home:shell": the home, where the uid is spelled as @uid. */
static const char *home_in(const char *line, size_t size, const char *uid, size_t *ret_size) {
        const char *field = line, *end = line + size, *next;
        int number;

        for (number = 0; field && number < 5; number++) {
                next = memchr(field, ':', (size_t)(end - field));
                if (number == 2 && next && ((size_t)(next - field) != strlen(uid) || memcmp(field, uid, strlen(uid)) != 0))
                        return NULL;
                field = next ? next + 1 : NULL;
        }
        if (!field)
                return NULL;
        next = memchr(field, ':', (size_t)(end - field));
        *ret_size = (size_t)((next ? next : end) - field);
        if (*ret_size >= PATH_MAX || memchr(field, '\0', *ret_size) || (*ret_size > 0 && field[0] != '/'))
                return NULL;
        return field;
}

/* "HOME=..." of the user, or of none in particular. */
static char *make_home(uid_t uid) {
        const char *home = "/", *line, *end, *found;
        _cleanup_free_ char *text = NULL;
        size_t size, length = 1, n;
        char wanted[16], *made;

        snprintf(wanted, sizeof(wanted), "%u", uid);
        text = read_passwd(&size);
        for (line = text; line && line < text + size; line = end + 1) {
                end = memchr(line, '\n', (size_t)(text + size - line));
                if (!end)
                        end = text + size;
                found = home_in(line, (size_t)(end - line), wanted, &n);
                if (found) {
                        if (n > 0) {
                                home = found;
                                length = n;
                        }
                        break;
                }
        }
        return asprintf(&made, "HOME=%.*s", (int)length, home) < 0 ? NULL : made;
}

int program_environment(const struct process *process, char ***ret_env, struct initsync_error *reterr) {
        size_t n = 0, used = 0, i;
        char **env;

        while (process->env[n]) {
                if (strncmp(process->env[n], "HOME=", 5) == 0 && process->env[n][5]) {
                        *ret_env = process->env;
                        return 0;
                }
                n++;
        }
        env = calloc(n + 2, sizeof(*env));
        if (!env)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        for (i = 0; i < n; i++)
                if (strcmp(process->env[i], "HOME=") != 0)
                        env[used++] = process->env[i];
        env[used] = make_home(process->uid);
        *ret_env = env;
        return env[used] ? 0 : fault_call(reterr, -ENOMEM, "asprintf", NULL);
}

static const char *search_path(char *const env[]) {
        size_t i;

        for (i = 0; env[i]; i++)
                if (strncmp(env[i], "PATH=", 5) == 0)
                        return env[i] + 5;
        return DEFAULT_PATH;
}

/* Whether something else in PATH may be meant. */
static bool is_elsewhere(int code) {
        return code == -ENOENT || code == -ENOTDIR || code == -EACCES || code == -ENAMETOOLONG || code == -ELOOP;
}

int program_execute(char *const args[], char *const env[]) {
        const char *part, *end, *name = args[0];
        int r, result = -ENOENT;
        char file[PATH_MAX];

        if (strchr(name, '/')) {
                execve(name, args, env);
                return -errno;
        }
        for (part = name[0] ? search_path(env) : NULL; part; part = *end ? end + 1 : NULL) {
                end = strchrnul(part, ':');
                /* An empty one stands for the working directory. */
                r = snprintf(file, sizeof(file), "%.*s%s%s", (int)(end - part), part, end > part ? "/" : "", name);
                if (r < 0 || (size_t)r >= sizeof(file))
                        continue;
                execve(file, args, env);
                r = -errno;
                if (!is_elsewhere(r))
                        return r;
                if (r == -EACCES)
                        result = r;
        }
        return result;
}
