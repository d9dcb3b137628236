/* SPDX-License-Identifier: MIT */
/*
 * One more process in a container that runs already, as `runc exec` does it.
 *
 * The conversation is short: procReady, procRun, and here procSeccomp and procSeccompDone, since the new process gets a
 * seccomp filter with a listener. There are no mounts and no hooks: the namespaces are there, the child joins them by the
 * container's pidfd.
 */
#include "scratch.h"

#include <initsync.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS)

/* True in the container only: its host name, and a directory on a mount of its own. */
#define PROOF "read name </proc/sys/kernel/hostname && test \"$name\" = box -a -d /mnt/volume/inside"

static int say(const char *what, const char *why) {
        fprintf(stderr, "exec: %s: %s\n", what, why);
        return 1;
}

static int fail(struct initsync_error *reterr, const char *call) {
        *reterr = (struct initsync_error)INITSYNC_ERROR_INIT;
        reterr->code = -errno;
        snprintf(reterr->text, sizeof(reterr->text), "%s: %s", call, strerror(errno));
        return reterr->code;
}

/* ---- the container that is there already ---- */

static void container_main(int alive_fd) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sethostname("box", 3) < 0 || mount("tmpfs", "/mnt/volume", "tmpfs", 0, NULL) < 0 ||
            mkdir("/mnt/volume/inside", 0755) < 0 || write(alive_fd, "", 1) != 1)
                _exit(1);
        for (;;)
                pause();
}

static pid_t run_container(int *ret_pidfd) {
        int alive[2];
        char byte;
        pid_t pid;

        if (pipe2(alive, O_CLOEXEC) < 0)
                return -1;
        pid = scratch_clone(NAMESPACES, ret_pidfd);
        if (pid == 0)
                container_main(alive[1]);
        close(alive[1]);
        if (read(alive[0], &byte, 1) != 1)
                errno = ECHILD, pid = -1;
        close(alive[0]);
        return pid;
}

/* ---- the process that joins it ---- */

/* By hand, to stay without a dependency. A runtime takes libseccomp: seccomp_load(), then seccomp_notify_fd(). */
static int load_filter(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

        return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

static int join(int container_pidfd, struct initsync_error *reterr) {
        /* All namespaces in one call, from a descriptor: no /proc path, and no pid that may be another process by now. */
        if (setns(container_pidfd, NAMESPACES) < 0)
                return fail(reterr, "setns");
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fail(reterr, "prctl(PR_SET_NO_NEW_PRIVS)");
        return 0;
}

/*
 * Everything that the hand-over needs is made before the filter is loaded: from then on any system call may be one that the
 * filter denies, or holds until the agent answers, and the agent has no listener yet.
 */
static int hand_over_filter(struct initsync_child *child, struct initsync_error *reterr) {
        int listener_fd, r;

        r = initsync_child_prepare_seccomp(child, reterr);
        if (r < 0)
                return r;
        listener_fd = load_filter();
        if (listener_fd < 0)
                return fail(reterr, "seccomp");
        r = initsync_child_seccomp(child, listener_fd, reterr);
        close(listener_fd);
        return r;
}

static void child_main(int socket_fd, int container_pidfd) {
        const int keep[] = { socket_fd, container_pidfd };
        struct initsync_child *child;
        struct initsync_error error;
        int r;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        initsync_child_only(keep, 2);
        if (initsync_child_new(&child, socket_fd, NULL, &error) < 0)
                _exit(1);
        r = join(container_pidfd, &error);
        if (r == 0)
                r = initsync_child_ready(child, &error);
        if (r == 0)
                r = hand_over_filter(child, &error);
        if (r == 0) {
                execl("/bin/sh", "sh", "-c", PROOF, (char *)NULL);
                fail(&error, "execve(/bin/sh)");
        }
        initsync_child_fail(child, &error);
        _exit(1);
}

/* ---- the runtime ---- */

struct exec {
        pid_t pid;
        int listener_fd;
};

/* What only somebody outside can do, while the child waits for procRun. */
static int set_limits(void *userdata, struct initsync_error *reterr) {
        const struct exec *exec = userdata;
        const struct rlimit no_core = { .rlim_cur = 0, .rlim_max = 0 };

        return prlimit(exec->pid, RLIMIT_CORE, &no_core, NULL) < 0 ? fail(reterr, "prlimit") : 0;
}

static int take_listener(int fd, void *userdata, struct initsync_error *reterr) {
        struct exec *exec = userdata;

        (void)reterr;
        exec->listener_fd = fd;         /* ours now: a runtime sends it to the agent at linux.seccomp.listenerPath */
        return 0;
}

static int handshake(int socket_fd, int pidfd, struct exec *exec, struct initsync_error *reterr) {
        /* No mounts and no hooks: a child that asks for either is refused, and killed. */
        const struct initsync_parent_options options = { .size = sizeof(options), .ready = set_limits,
                                                         .seccomp = take_listener, .userdata = exec };
        struct initsync_parent *parent;
        int r;

        r = initsync_parent_new(&parent, socket_fd, pidfd, &options, reterr);
        if (r < 0)
                return r;
        r = initsync_parent_run(parent, reterr);
        initsync_parent_free(parent);
        return r;
}

static int exec_in(int container_pidfd) {
        struct exec exec = { .listener_fd = -1 };
        struct initsync_error error;
        int parent_fd, child_fd, pidfd, status = -1, r;

        r = initsync_pair(&parent_fd, &child_fd);
        if (r < 0)
                return say("initsync_pair", strerror(-r));
        exec.pid = scratch_clone(0, &pidfd);
        if (exec.pid < 0)
                return say("clone3", strerror(errno));
        if (exec.pid == 0)
                child_main(child_fd, container_pidfd);
        close(child_fd);
        r = handshake(parent_fd, pidfd, &exec, &error);
        waitpid(exec.pid, &status, 0);
        close(pidfd);
        if (exec.listener_fd >= 0)
                close(exec.listener_fd);
        if (r < 0)
                return say("handshake", error.text);
        if (exec.listener_fd < 0 || status != 0)
                return say("/bin/sh", "did not find itself in the container");
        puts("exec: joined the container by its pidfd, handed over a seccomp listener, ran /bin/sh in there");
        return 0;
}

int main(void) {
        int pidfd, r;
        pid_t pid;

        scratch_host("exec");
        pid = run_container(&pidfd);
        if (pid < 0)
                return say("cannot start a container", strerror(errno));
        r = exec_in(pidfd);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(pidfd);
        return r;
}
