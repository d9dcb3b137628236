/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <initsync.h>
#include "cleanup.h"
#include "demo.h"
#include "demo_look.h"
#include "demo_story.h"
#include "demo_user.h"
#include "say.h"

/*
 * Two processes. The first stays in the host's mount namespace, so that it can say in the end what the host has kept of
 * all this: nothing. The second, made here, leaves it, builds the scene and is the parent in every conversation.
 */

static int parse(int argc, char **argv, enum claims_output *ret_output) {
        *ret_output = CLAIMS_STORY;
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--quiet") == 0) {
                        *ret_output = CLAIMS_QUIET;
                } else if (strcmp(argv[i], "--json") == 0) {
                        *ret_output = CLAIMS_JSON;
                } else {
                        say("demo: unknown argument %s; usage: syncdemo demo [--quiet | --json]", argv[i]);
                        return -EINVAL;
                }
        }
        return 0;
}

/* The process that tells the story. */
static _Noreturn void second(struct stage *stage, int ask_fd, int answer_fd, const sigset_t *signals) {
        struct initsync_error error;
        struct utsname kernel;
        int r;

        sigprocmask(SIG_SETMASK, signals, NULL);
        r = user_enter(ask_fd, answer_fd, &stage->ordinary, &error);
        /* after the new ids, which clear it */
        if (r == 0 && (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != stage->host_pid))
                r = fault(&error, -ECHILD, "the process that started the demo is gone");
        if (r == 0) {
                close(ask_fd);
                close(answer_fd);
                uname(&kernel);
                claims_say(&stage->claims, "libinitsync %s on Linux %s, as %s", initsync_version(), kernel.release,
                           stage->ordinary ? "an ordinary user, who is root in a user namespace of the demo's" : "root");
                r = story_run(stage, &error);
        }
        if (r < 0)
                say("demo: %s", error.text);
        exit(r < 0 ? 1 : 0);
}

static int wait_for(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        if (WIFEXITED(status))
                return WEXITSTATUS(status);
        if (WTERMSIG(status) != SIGPIPE && WTERMSIG(status) != SIGINT)  /* the user had enough: nothing to complain of */
                say("demo: killed by signal %d", WTERMSIG(status));
        return 128 + WTERMSIG(status);
}

static int run_second(struct stage *stage, const sigset_t *signals, struct initsync_error *reterr) {
        _cleanup_fd_ int ask_read = -1, ask_write = -1, answer_read = -1, answer_write = -1;
        int ask[2], answer[2];
        pid_t pid;

        if (pipe2(ask, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", NULL);
        ask_read = ask[0];
        ask_write = ask[1];
        if (pipe2(answer, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", NULL);
        answer_read = answer[0];
        answer_write = answer[1];
        pid = fork();
        if (pid < 0)
                return fault_call(reterr, -errno, "fork", NULL);
        if (pid == 0) {
                close(take_fd(&ask_read));
                close(take_fd(&answer_write));
                second(stage, ask_write, answer_read, signals);
        }
        /* or a second process that is dead would be waited for */
        fd_closep(&ask_write);
        fd_closep(&answer_read);
        user_serve(pid, ask_read, answer_write, stage->why_no_ranges, sizeof(stage->why_no_ranges));
        return wait_for(pid);
}

/* Stage, story, and what is left of them. */
static int run(struct stage *stage, const sigset_t *signals, struct initsync_error *reterr) {
        _cleanup_free_ char *before = NULL, *after = NULL;
        int n_before = look_descriptors(), n_after, r, status;
        bool left;

        r = look_mountinfo(stage->host_pid, &before);
        if (r < 0)
                return fault_call(reterr, r, "open", "/proc/self/mountinfo");
        status = run_second(stage, signals, reterr);
        if (stage->on_disk)
                scene_remove(stage->directory);
        if (status != 0) {
                if (stage->claims.n_differ > 0)
                        claims_verdict(&stage->claims);
                return status;
        }
        n_after = look_descriptors();
        claims_say(&stage->claims, "\nAfterwards, on the host");
        look_mountinfo(stage->host_pid, &after);
        story_compare_hosts(stage, before, after, "afterwards");
        claim_number(&stage->claims, n_before, n_after, "open descriptors, as before");
        claim_number(&stage->claims, 0, look_children(), "processes left");
        left = stage->on_disk && access(stage->directory, F_OK) == 0;
        claim(&stage->claims, "none", left ? stage->directory : "none", "files left");
        return claims_verdict(&stage->claims);
}

int demo_main(int argc, char **argv) {
        struct initsync_error error = { .text = "" };
        enum claims_output output;
        sigset_t fatal, signals;
        struct stage *stage;
        int r;

        if (parse(argc, argv, &output) < 0)
                return 2;
        stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (stage == MAP_FAILED) {
                say("demo: mmap: %s", strerror(errno));
                return 1;
        }
        stage->claims.output = output;
        stage->host_pid = getpid();
        snprintf(stage->mark, sizeof(stage->mark), "syncdemo-%d", (int)stage->host_pid);
        fflush(stdout);
        /* A user's ^C reaches the second process too; this one stays to take away what is on disk, and then obeys. */
        sigemptyset(&fatal);
        sigaddset(&fatal, SIGINT);
        sigaddset(&fatal, SIGTERM);
        sigaddset(&fatal, SIGHUP);
        sigprocmask(SIG_BLOCK, &fatal, &signals);
        r = run(stage, &signals, &error);
        sigprocmask(SIG_SETMASK, &signals, NULL);
        if (r < 0)
                say("demo: %s", error.text);
        munmap(stage, sizeof(*stage));
        return r < 0 ? 1 : r;
}
