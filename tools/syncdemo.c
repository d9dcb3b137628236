/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <initsync.h>
#include "bench.h"
#include "commands.h"
#include "demo.h"
#include "options.h"
#include "say.h"
#include "sealed.h"

enum {
        EXIT_OK = 0,
        EXIT_FAILED = 1,
        EXIT_USAGE = 2
};

static int help_main(int argc, char **argv);

static const struct command {
        const char *name, *usage, *text;
        int (*main)(int argc, char **argv);             /* reads its own command line, or */
        int (*run)(const struct options *options);      /* has it read: */
        unsigned options;
        int n_args;
} commands[] = {
        { "demo", "[--quiet | --json]",
          "The built-in scenario, told step by step and checked; needs no bundle and no root. The default.",
          demo_main, NULL, 0, 0 },
        { "run", "[--bundle DIR] [--console-socket PATH] [--trace[=FILE]] [--pid-file FILE] [--seccomp-fd] ID",
          "Runs the container of DIR/config.json from start to exit, with both halves of the conversation.\n"
          "\n"
          "  --bundle DIR         an OCI bundle; the working directory without it\n"
          "  --trace              every message as a sequence diagram on stderr\n"
          "  --trace=FILE         the same as JSON lines\n"
          "  --pid-file FILE      gets the number of the process before the program starts, and is left behind\n"
          "  --console-socket PATH  an AF_UNIX stream socket that gets the master of the container's terminal\n"
          "  --seccomp-fd         the child sends the listener of its seccomp filter, which needs no right to trace it\n"
          "\n"
          "With process.terminal the program has a terminal of its own. It is shown on this one, which standard input must\n"
          "be, in raw mode: also ^C and ^Z are the program's. The size is this terminal's, and follows it; process.consoleSize\n"
          "counts where this one has none, and with --console-socket, where nothing is shown here. In the background nothing\n"
          "is read. Once the program has ended, standard output has 5 seconds to take each piece of what is left.\n"
          "\n"
          "The exit status is that of the container's process, or 128 + n when signal n ended it; 1 for a failure of our\n"
          "own, with one line on stderr. SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed on; before the\n"
          "program has started, they end the container. When this process is killed, or the container's ends, so are all\n"
          "of its processes.\n"
          "An ordinary user's containers need a user namespace, whose maps have the user's own id, and others by newuidmap(1);\n"
          "where the configuration leaves the maps out, they are made of what there is.\n"
          "Nothing is stored anywhere: ID is checked, but two runs may have the same. Control groups are not managed.\n"
          "\n"
          "The annotations org.libinitsync.rootfs.lower (directories, the uppermost first, with ':' between them), .upper, .work\n"
          "and .options make the root file system an overlay, on root.path. With a user namespace its layers are id-mapped.\n"
          "\n"
          "Hooks run in the bundle's directory, createContainer in the root file system, startContainer where, as whom and with\n"
          "what rights the program will be. Each has the environment that it is given and no other, and the container's state\n"
          "on its standard input; nobody waits for what one leaves running that ended well. A signal ends the hook that runs.\n"
          "One that fails, or whose timeout is over, is killed with all it started and ends the container; poststop hooks run\n"
          "whenever there was a process, and are only warned of.",
          NULL, run_main, COMMAND_RUN, 1 },
        { "parent", "--sync-fd N --pid PID [--bundle DIR | --allow-any-mount] [--timeout SECONDS] [--seccomp-fd]\n"
          "                       [--trace[=FILE]]",
          "The parent half alone, on an inherited SOCK_SEQPACKET socket, for any child that speaks the wire.\n"
          "\n"
          "  --sync-fd N          the parent's end of the socket pair\n"
          "  --pid PID            the child, in its mount namespace before it asks for the first mount\n"
          "  --bundle DIR         the child may have the bind mounts of DIR/config.json, each once, and gets its limits\n"
          "  --allow-any-mount    the child may have whatever it names: for tests and children that you trust\n"
          "  --timeout SECONDS    for one mount request, and for the conversation without the child's own work; the agent at\n"
          "                       linux.seccomp.listenerPath has no more than that, and than 8\n"
          "  --seccomp-fd         the child sends its seccomp listener; otherwise it is taken by its number (pidfd_getfd)\n"
          "  --trace              every message as a sequence diagram on stderr\n"
          "  --trace=FILE         the same as JSON lines\n"
          "\n"
          "Without --bundle and --allow-any-mount no mount is allowed. Without --bundle there are no hooks; with one those of\n"
          "prestart, createRuntime and poststart run, the container's id in their state being the name of DIR. Ends with the\n"
          "conversation, when the child executes its program, or after poststart; it does not wait for the child. So it runs\n"
          "poststop hooks only when it has ended the child itself, and otherwise warns that they are left to somebody else.",
          NULL, parent_main, COMMAND_PARENT, 0 },
        { "init", "--sync-fd N --bundle DIR [--console-fd N] [--seccomp-fd] [--trace[=FILE]]",
          "The child half alone: becomes the container of DIR/config.json in the namespaces it was started in.\n"
          "\n"
          "  --sync-fd N          the child's end of the socket pair\n"
          "  --bundle DIR         an OCI bundle\n"
          "  --console-fd N       a connected AF_UNIX socket, for the master of the terminal that process.terminal asks for\n"
          "  --seccomp-fd         send the listener of a seccomp filter; the parent must have been told so, too\n"
          "  --trace, --trace=FILE  as with parent\n"
          "\n"
          "The mount namespace must be another one than the parent's. What the configuration asks for and this version\n"
          "does not do is refused by name before anything is mounted. Of the hooks, createContainer and startContainer run; the\n"
          "container's id in their state is the name of DIR.",
          NULL, init_main, COMMAND_INIT, 0 },
        { "idmap", "[--recursive] --map-uids C:H:S[,...] --map-gids C:H:S[,...] SOURCE TARGET",
          "Mounts SOURCE at TARGET as an id-mapped bind mount: S ids from C on, on disk, appear as those from H on.\n"
          "\n"
          "  --recursive          with all mounts below SOURCE, each of them id-mapped",
          NULL, idmap_main, COMMAND_IDMAP, 2 },
        { "features", "",
          "Prints what this kernel offers, as a JSON object: each feature is true, false or \"not permitted\".",
          NULL, features_main, COMMAND_FEATURES, 0 },
        { "bench", BENCH_USAGE, BENCH_HELP, bench_main, NULL, 0, 0 },
        { "help", "[COMMAND]", "This text, or that of COMMAND.", help_main, NULL, 0, 0 },
};
enum { N_COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static const struct command *find_command(const char *name) {
        size_t i;

        for (i = 0; i < N_COMMANDS; i++)
                if (strcmp(commands[i].name, name) == 0)
                        return &commands[i];
        return NULL;
}

static int help_command(const struct command *command) {
        printf("usage: syncdemo %s%s%s\n\n%s\n", command->name, command->usage[0] ? " " : "", command->usage, command->text);
        return EXIT_OK;
}

static int help_all(void) {
        size_t i;

        printf("Runs the conversation between a container runtime and its init, with libinitsync.\n\n");
        for (i = 0; i < N_COMMANDS; i++)
                printf("%s%s%s%s\n", i ? "       syncdemo " : "usage: syncdemo ", commands[i].name,
                       commands[i].usage[0] ? " " : "", commands[i].usage);
        printf("       syncdemo --help | --version\n\n"
               "'syncdemo help COMMAND' tells more. Exit status: 0, 1 for a failure, 2 for a wrong command line.\n");
        return EXIT_OK;
}

static int unknown(const char *name) {
        say("%s: unknown command; see 'syncdemo --help'", name);
        return EXIT_USAGE;
}

static int help_main(int argc, char **argv) {
        const struct command *command;

        if (argc == 1)
                return help_all();
        command = find_command(argv[1]);
        if (!command)
                return unknown(argv[1]);
        if (argc > 2) {
                say("help: too many arguments; see 'syncdemo help help'");
                return EXIT_USAGE;
        }
        return help_command(command);
}

static int run(int argc, char **argv) {
        static char demo[] = "demo", *demo_argv[] = { demo, NULL };
        const struct command *command;
        struct initsync_error error;
        struct options options;

        if (argc < 2)
                return demo_main(1, demo_argv);
        if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
                return help_all();
        if (strcmp(argv[1], "--version") == 0) {
                printf("syncdemo %s\n", initsync_version());
                return EXIT_OK;
        }
        command = find_command(argv[1]);
        if (!command)
                return unknown(argv[1]);
        if (command->main)
                return command->main(argc - 1, argv + 1);
        if (options_parse(&options, command->options, command->n_args, argc - 1, argv + 1) < 0)
                return EXIT_USAGE;
        if (options.help)
                return help_command(command);
        if (command->run == run_main || command->run == init_main) {
                if (sealed_restart(argv, &error) < 0) {
                        say("%s", error.text);
                        return EXIT_FAILED;
                }
        }
        return command->run(&options);
}

/* A descriptor opened as 0, 1 or 2 would get what is printed. */
static int open_standard(void) {
        int fd = 0;

        while (fd >= 0 && fd < 3)
                fd = open("/dev/null", O_RDWR);
        if (fd < 0)
                return -errno;
        close(fd);
        return 0;
}

int main(int argc, char **argv) {
        int status;

        if (open_standard() < 0)
                return EXIT_FAILED;
        status = run(argc, argv);
        if (fflush(stdout) != 0 || ferror(stdout)) {
                say("standard output: %s", strerror(errno));
                return status ? status : EXIT_FAILED;
        }
        return status;
}
