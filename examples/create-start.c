/* SPDX-License-Identifier: MIT */
/*
 * `create` and `start` as two commands: what `runc create` and `runc start` are to podman or containerd.
 *
 * create makes init, holds the handshake with it, writes the pid file and leaves. init goes on waiting on a fifo until start
 * opens its other end, however long that takes, and only then becomes the container's program. Two things differ from a
 * `run`:
 *  - init closes the socket by hand as soon as it may run. Kept until execve(), as elsewhere, it would keep create waiting.
 *    The price is that a failure of execve() no longer reaches create; start learns of it from the wait status.
 *  - init must survive create, so it asks for no parent death signal. Whoever called create owns it (conmon, a shim; here
 *    main(), a child subreaper), and that one kills and reaps.
 */
#include "scratch.h"

#include <initsync.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define FIFO "/mnt/exec.fifo"
#define PID_FILE "/mnt/pid"
#define PATIENCE_MS 5000

static int say(const char *what, const char *why) {
        fprintf(stderr, "create-start: %s: %s\n", what, why);
        return 1;
}

static int fail(struct initsync_error *reterr, const char *call, const char *path) {
        *reterr = (struct initsync_error)INITSYNC_ERROR_INIT;
        reterr->code = -errno;
        snprintf(reterr->text, sizeof(reterr->text), "%s(%s): %s", call, path, strerror(errno));
        return reterr->code;
}

/* ---- init ---- */

static int open_fifo(int *ret_fd, struct initsync_error *reterr) {
        /*
         * O_PATH: the fifo is found now, while the host's paths are still in sight, and opened for writing later, which is
         * what blocks. After pivot_root() nothing in the container could be mistaken for it.
         */
        int fd = open(FIFO, O_PATH | O_CLOEXEC | O_NOFOLLOW);

        if (fd < 0)
                return fail(reterr, "open", FIFO);
        *ret_fd = fd;
        return 0;
}

static void wait_for_start(int fifo_fd) {
        char path[32];
        int fd;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fifo_fd);
        fd = open(path, O_WRONLY | O_CLOEXEC);          /* returns when somebody opens the other end */
        if (fd < 0 || write(fd, "0", 1) != 1)
                _exit(1);
        close(fd);
}

static void init_main(int socket_fd) {
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fifo_fd = -1, r;

        alarm(PATIENCE_MS / 1000);      /* for an example only, which must not stay: a real init waits for ever */
        initsync_child_only(&socket_fd, 1);
        r = initsync_child_new(&child, socket_fd, NULL, &error);
        if (r < 0)
                _exit(1);
        r = open_fifo(&fifo_fd, &error);
        if (r == 0)
                r = initsync_child_hooks(child, &error);
        if (r == 0)
                r = initsync_child_ready(child, &error);
        if (r < 0) {
                initsync_child_fail(child, &error);
                _exit(1);
        }
        initsync_child_free(child);     /* end-of-file: create may leave */
        wait_for_start(fifo_fd);
        execl("/bin/true", "true", (char *)NULL);
        _exit(127);
}

/* ---- create ---- */

static int run_hooks(void *userdata, struct initsync_error *reterr) {
        (void)userdata, (void)reterr;   /* prestart, then createRuntime: init waits for them without limit */
        return 0;
}

/* Between procReady and procRun, so that there is never an init that waits and that nobody has on record. */
static int store_state(void *userdata, struct initsync_error *reterr) {
        FILE *file = fopen(PID_FILE, "we");

        if (!file)
                return fail(reterr, "open", PID_FILE);
        fprintf(file, "%d\n", *(const int *)userdata);
        return fclose(file) == 0 ? 0 : fail(reterr, "write", PID_FILE);
}

static int create_main(void) {
        int parent_fd, child_fd, pidfd, r;
        pid_t pid;
        /* work_ms: an init that lives but does not get on is given up, too. Without it create waits as long as init does. */
        const struct initsync_parent_options options = { .size = sizeof(options), .work_ms = PATIENCE_MS, .hooks = run_hooks,
                                                         .ready = store_state, .userdata = &pid };
        struct initsync_parent *parent = NULL;
        struct initsync_error error;

        if (mkfifo(FIFO, 0600) < 0)
                return say("mkfifo", strerror(errno));
        r = initsync_pair(&parent_fd, &child_fd);
        if (r < 0)
                return say("initsync_pair", strerror(-r));
        pid = scratch_clone(CLONE_NEWNS, &pidfd);
        if (pid < 0)
                return say("clone3", strerror(errno));
        if (pid == 0)
                init_main(child_fd);
        close(child_fd);
        r = initsync_parent_new(&parent, parent_fd, pidfd, &options, &error);
        if (r == 0)
                r = initsync_parent_run(parent, &error);
        initsync_parent_free(parent);
        close(pidfd);
        /* Nobody is reaped: init is not ours any more after a success, and an orphan's zombie goes to the owner anyhow. */
        return r < 0 ? say("create", error.text) : 0;
}

/* ---- start ---- */

static int read_pid(pid_t *ret_pid) {
        FILE *file = fopen(PID_FILE, "re");
        int n;

        if (!file)
                return -1;
        n = fscanf(file, "%d", ret_pid);
        fclose(file);
        return n == 1 ? 0 : -1;
}

static int start_main(pid_t pid) {
        char byte;
        int r;
        /*
         * One poll() on both. A reader that just opened the fifo would wait for ever for an init that is dead; one that
         * asked first whether init lives would have a race between the two.
         */
        struct pollfd fds[2] = {
                { .fd = open(FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC), .events = POLLIN },
                { .fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN },
        };

        if (fds[0].fd < 0 || fds[1].fd < 0)
                r = say("start", strerror(errno));
        else if (poll(fds, 2, PATIENCE_MS) <= 0)
                r = say("start", "init does not answer");
        else if (!(fds[0].revents & POLLIN) || read(fds[0].fd, &byte, 1) != 1)
                r = say("start", "init is dead");
        else
                r = 0;
        close(fds[0].fd);
        close(fds[1].fd);
        return r;
}

/* ---- the owner ---- */

static int create(void) {
        int status = -1;
        pid_t pid = fork();

        if (pid == 0)
                exit(create_main());
        return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0 ? 0 : -1;
}

static int start(void) {
        int status = -1, r;
        pid_t pid;

        if (read_pid(&pid) < 0)
                return say("start", "no pid file");
        r = start_main(pid);
        if (r != 0)
                kill(pid, SIGKILL);     /* safe: it is our child by now, and not reaped */
        if (waitpid(pid, &status, 0) != pid || status != 0)
                return say("the container", "did not end well");
        return r;
}

int main(void) {
        scratch_host("create-start");
        if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
                return say("prctl", strerror(errno));
        if (create() < 0 || start() != 0)
                return 1;
        puts("create-start: create left after end-of-file, init waited on its fifo, start let it run /bin/true");
        return 0;
}
