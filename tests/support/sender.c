/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <sys/wait.h>
#include <time.h>
#include "bare.h"
#include "duo.h"
#include "sender.h"

const char *const sender_good[] = { "<" BARE_READY, BARE_RUN, SENDER_MESSAGE, "<fd", BARE_SECCOMP_DONE, "<eof", NULL };

struct initsync_child *sender_begin(int socket) {
        struct initsync_child_options options = INITSYNC_CHILD_OPTIONS_INIT;
        struct initsync_child *child = NULL;

        options.flags = INITSYNC_CHILD_SECCOMP_FD;
        options.timeout_ms = 5000;
        if (initsync_child_new(&child, socket, &options, NULL) < 0 || initsync_child_ready(child, NULL) < 0 ||
            initsync_child_prepare_seccomp(child, NULL) < 0)
                return NULL;
        return child;
}

int sender_play(int (*child)(int socket, void *arg), const char *const *script, int64_t *ret_ms) {
        struct timespec before, after;
        int ours, theirs, status, pid;

        assert_int_equal(initsync_pair(&ours, &theirs), 0);
        pid = duo_fork(child, theirs, NULL, NULL, 0);
        close(theirs);
        clock_gettime(CLOCK_MONOTONIC, &before);
        assert_int_equal(bare_play(ours, script), 0);
        clock_gettime(CLOCK_MONOTONIC, &after);
        close(ours);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        *ret_ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
        return status;
}

int sender_pid(void) {
        char text[32] = "";
        FILE *file = fopen("/proc/thread-self/children", "re");
        int n = file ? fscanf(file, "%31s", text) : 0;

        if (file)
                fclose(file);
        return n == 1 ? atoi(text) : 0;
}
