/* SPDX-License-Identifier: MIT */
#ifndef OPTIONS_H
#define OPTIONS_H

/*
 * The command line. Exact, since other programs write it: no abbreviations, nothing given twice, plain numbers.
 */

#include <stdbool.h>
#include <sys/types.h>

/* Which commands know an option, and which must have it. */
enum {
        COMMAND_PARENT  = 1 << 0,
        COMMAND_INIT    = 1 << 1,
        COMMAND_IDMAP   = 1 << 2,
        COMMAND_FEATURES = 1 << 3,
        COMMAND_RUN     = 1 << 4
};

struct options {
        int sync_fd, pid;
        int console_fd;                 /* -1 when not given */
        int timeout;                    /* seconds; 0 when not given */
        const char *bundle, *pid_file, *console_socket;
        const char *map_uids, *map_gids;
        bool allow_any_mount, recursive, help;
        bool trace;
        const char *trace_file;         /* NULL for a diagram */
        char **args;                    /* what is no option; NULL-terminated */
};

/*
 * options_parse() - read @argv behind its first word, the command's name
 * @command: one of COMMAND_*
 * @n_args:  how many arguments it takes that are no options
 *
 * Return: 0; -EINVAL when the usage is wrong, which has been said on stderr.
 */
int options_parse(struct options *ret_options, unsigned command, int n_args, int argc, char **argv);

#endif /* OPTIONS_H */
