/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "options.h"
#include "say.h"

enum kind {
        FLAG,
        TEXT,
        NUMBER,
        TRACE           /* a flag, and with "=FILE" a text too */
};

static const struct row {
        const char *name;
        enum kind kind;
        size_t offset;                  /* in struct options */
        unsigned commands, required;
        int min, max;
} rows[] = {
        { "help",            FLAG,   offsetof(struct options, help),            ~0U, 0, 0, 0 },
        { "sync-fd",         NUMBER, offsetof(struct options, sync_fd),         COMMAND_PARENT | COMMAND_INIT,
                                                                                COMMAND_PARENT | COMMAND_INIT, 3, INT_MAX },
        { "pid",             NUMBER, offsetof(struct options, pid),             COMMAND_PARENT, COMMAND_PARENT, 1, INT_MAX },
        { "bundle",          TEXT,   offsetof(struct options, bundle),          COMMAND_PARENT | COMMAND_INIT | COMMAND_RUN,
                                                                                COMMAND_INIT, 0, 0 },
        { "console-fd",      NUMBER, offsetof(struct options, console_fd),      COMMAND_INIT, 0, 3, INT_MAX },
        { "console-socket",  TEXT,   offsetof(struct options, console_socket),  COMMAND_RUN, 0, 0, 0 },
        { "pid-file",        TEXT,   offsetof(struct options, pid_file),        COMMAND_RUN, 0, 0, 0 },
        { "allow-any-mount", FLAG,   offsetof(struct options, allow_any_mount), COMMAND_PARENT, 0, 0, 0 },
        { "timeout",         NUMBER, offsetof(struct options, timeout),         COMMAND_PARENT, 0, 1, INT_MAX / 1000 },
        { "trace",           TRACE,  offsetof(struct options, trace),           COMMAND_PARENT | COMMAND_INIT | COMMAND_RUN,
                                                                                0, 0, 0 },
        { "recursive",       FLAG,   offsetof(struct options, recursive),       COMMAND_IDMAP, 0, 0, 0 },
        { "map-uids",        TEXT,   offsetof(struct options, map_uids),        COMMAND_IDMAP, COMMAND_IDMAP, 0, 0 },
        { "map-gids",        TEXT,   offsetof(struct options, map_gids),        COMMAND_IDMAP, COMMAND_IDMAP, 0, 0 },
};
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

static int wrong(const char *command, const char *what, const char *why) {
        say("%s: %s%s; see 'syncdemo help %s'", command, what, why, command);
        return -EINVAL;
}

static int parse_number(const char *text, int min, int max, int *ret) {
        int64_t number = 0;
        const char *p;

        for (p = text; *p >= '0' && *p <= '9' && number <= max; p++)
                number = number * 10 + (*p - '0');
        if (p == text || *p || number < min || number > max)
                return -EINVAL;
        *ret = (int)number;
        return 0;
}

static int set(struct options *options, const struct row *row, const char *value) {
        void *field = (char *)options + row->offset;

        switch (row->kind) {
        case TEXT:
                *(const char **)field = value;
                return value[0] ? 0 : -EINVAL;
        case NUMBER:
                return parse_number(value, row->min, row->max, field);
        case TRACE:
                options->trace_file = value;
                *(bool *)field = true;
                return value && !value[0] ? -EINVAL : 0;
        case FLAG:
                *(bool *)field = true;
                break;
        }
        return 0;
}

/* getopt_long() takes any beginning of a name that is unique so far, and the next release could break it. */
static bool written_out(char *const *argv, int at, const char *name) {
        size_t n = strlen(name);

        return strncmp(argv[at], "--", 2) == 0 && strncmp(argv[at] + 2, name, n) == 0 &&
               (argv[at][2 + n] == '\0' || argv[at][2 + n] == '=');
}

static int check_given(const char *name, unsigned command, uint32_t given, int n_args, int args) {
        size_t i;

        for (i = 0; i < N_ROWS; i++)
                if ((rows[i].required & command) && !(given & (1U << i)))
                        return wrong(name, "missing --", rows[i].name);
        if (args != n_args)
                return wrong(name, args < n_args ? "too few arguments" : "too many arguments", "");
        return 0;
}

int options_parse(struct options *ret_options, unsigned command, int n_args, int argc, char **argv) {
        struct option longs[N_ROWS + 1] = { { NULL, 0, NULL, 0 } };
        const struct row *known[N_ROWS];
        struct options options = { .sync_fd = -1, .console_fd = -1 };
        int i, n = 0, at, found;
        uint32_t given = 0, bit;

        for (i = 0; i < N_ROWS; i++) {
                if (!(rows[i].commands & command))
                        continue;
                longs[n].name = rows[i].name;
                longs[n].has_arg = rows[i].kind == FLAG ? no_argument : rows[i].kind == TRACE ? optional_argument :
                                   required_argument;
                longs[n].val = 256 + n;
                known[n++] = &rows[i];
        }
        opterr = 0;
        for (optind = 1;;) {
                at = optind;
                found = getopt_long(argc, argv, "+:h", longs, NULL);
                if (found < 0)
                        break;
                if (found == 'h') {
                        options.help = true;
                        continue;
                }
                if (found == ':')
                        return wrong(argv[0], "missing value of ", argv[at]);
                if (found < 256 || !written_out(argv, at, known[found - 256]->name))
                        return wrong(argv[0], "unknown option ", argv[at]);
                bit = 1U << (known[found - 256] - rows);
                if (given & bit)
                        return wrong(argv[0], "given twice: --", known[found - 256]->name);
                given |= bit;
                if (set(&options, known[found - 256], optarg) < 0)
                        return wrong(argv[0], "bad value of --", known[found - 256]->name);
        }
        options.args = argv + optind;
        *ret_options = options;
        return options.help ? 0 : check_given(argv[0], command, given, n_args, argc - optind);
}
