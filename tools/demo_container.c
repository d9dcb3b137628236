/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "cleanup.h"
#include "demo_child.h"
#include "demo_kernel.h"
#include "say.h"

#define PATIENCE_MS 10000

static void clear_facts(struct child_facts *facts) {
        memset(facts, 0, sizeof(*facts));
        facts->told = facts->n_before = facts->n_after = facts->pid = facts->proc = -ENODATA;
        facts->created = facts->wrote_tree = -ENODATA;
        facts->core_limit = -ENODATA;
        for (size_t i = 0; i < SCENE_N_PLACES; i++) {
                facts->mounts[i].error = -ENODATA;
                for (size_t k = 0; k < SCENE_N_FILES; k++)
                        facts->owners[i][k].error = -ENODATA;
        }
}

static int map_ids(pid_t pid, struct initsync_error *reterr) {
        char path[64], line[64];
        int r;

        snprintf(line, sizeof(line), "0 %u %u", SCENE_BASE, SCENE_IDS);
        snprintf(path, sizeof(path), "/proc/%d/uid_map", (int)pid);
        r = look_put(path, line);
        if (r == 0) {
                snprintf(path, sizeof(path), "/proc/%d/gid_map", (int)pid);
                r = look_put(path, line);
        }
        return r < 0 ? fault_call(reterr, r, "write", path) : 0;
}

static int open_pipes(int go[2], int output[2], struct initsync_error *reterr) {
        if (pipe2(go, O_CLOEXEC) < 0 || pipe2(output, O_CLOEXEC) < 0)
                return fault_call(reterr, -errno, "pipe2", NULL);
        return 0;
}

int container_start(struct container *container, const struct scene *scene, enum child_role role,
                    struct initsync_error *reterr) {
        struct kernel_clone_args args = {
                .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | KERNEL_CLONE_PIDFD |
                         (scene->userns ? CLONE_NEWUSER : 0),
                .pidfd = (uintptr_t)&container->pidfd,
                .exit_signal = SIGCHLD,
        };
        _cleanup_fd_ int child_fd = -1, go_read = -1, output_write = -1;
        int go[2] = { -1, -1 }, output[2] = { -1, -1 }, r;

        *container = (struct container){ .pid = -1, .pidfd = -1, .go_fd = -1, .output_fd = -1, .socket_fd = -1 };
        container->facts = mmap(NULL, sizeof(*container->facts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (container->facts == MAP_FAILED) {
                container->facts = NULL;
                return fault_call(reterr, -errno, "mmap", NULL);
        }
        clear_facts(container->facts);
        r = initsync_pair(&container->socket_fd, &child_fd);
        if (r < 0)
                return fault_call(reterr, r, "initsync_pair", NULL);
        r = open_pipes(go, output, reterr);
        container->go_fd = go[1];
        container->output_fd = output[0];
        go_read = go[0];
        output_write = output[1];
        if (r < 0)
                return r;
        container->pid = kernel_clone3(&args);
        if (container->pid < 0)
                return fault_call(reterr, container->pid, "clone3", NULL);
        if (container->pid == 0)
                child_main(scene, role, container->facts, child_fd, go_read, output_write);
        return scene->userns ? map_ids(container->pid, reterr) : 0;
}

int container_go(struct container *container) {
        ssize_t n = write(container->go_fd, "", 1);

        return n == 1 ? 0 : -errno;
}

void container_output(struct container *container, char *text, size_t size) {
        struct pollfd wait = { .fd = container->output_fd, .events = POLLIN };
        size_t used = 0;
        ssize_t n = 0;

        do {
                if (poll(&wait, 1, PATIENCE_MS) <= 0)
                        break;
                n = read(container->output_fd, text + used, size - used - 1);
                used += n > 0 ? (size_t)n : 0;
        } while (n > 0 && used < size - 1);
        text[used] = '\0';
}

int container_end(struct container *container) {
        struct pollfd wait = { .fd = container->pidfd, .events = POLLIN };
        int status = 0;

        fd_closep(&container->go_fd);           /* one that still waits for it ends now */
        if (container->pid > 0) {
                /* unreaped, so that the number is still its own */
                if (poll(&wait, 1, PATIENCE_MS) <= 0)
                        kill(container->pid, SIGKILL);
                while (waitpid(container->pid, &status, 0) < 0 && errno == EINTR)
                        continue;
        }
        fd_closep(&container->pidfd);
        fd_closep(&container->output_fd);
        fd_closep(&container->socket_fd);
        if (container->facts)
                munmap(container->facts, sizeof(*container->facts));
        container->facts = NULL;
        container->pid = -1;
        return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
