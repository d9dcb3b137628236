/* SPDX-License-Identifier: MIT */
#include <initsync.h>
#include "kernel/fd.h"
#include "kernel/process.h"
#include "kernel/procfs.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "kernel/abandoned.h"
#include "mount/broker.h"

/*
 * One mapping: a guard page, the task's stack, the struct server. Only what is touched costs memory. The deepest stack is that of
 * the search for a culprit, below 24 KiB.
 */
#define GUARD ((size_t)64 * 1024)       /* a page of the largest size there is */
#define STACK ((size_t)128 * 1024)
#define SIZE (GUARD + STACK + sizeof(struct server))

void broker_init(struct broker *broker) {
        *broker = (struct broker){ .control = -1, .task = -1 };
}

static void *mapping_of(struct server *server) {
        return (char *)server - STACK - GUARD;
}

static int map(struct broker *broker, struct server **ret) {
        void *area = NULL;
        int r;

        broker->failed = "mmap";
        r = sys_mmap(SIZE, MAP_PRIVATE | MAP_NORESERVE | MAP_STACK, &area);
        if (r < 0)
                return r;
        broker->failed = "mprotect";
        r = sys_mprotect(area, GUARD, PROT_NONE);
        if (r < 0) {
                sys_munmap(area, SIZE);
                return r;
        }
        *ret = (struct server *)(void *)((char *)area + GUARD + STACK);
        return 0;
}

static void unmap(struct server *server) {
        sys_munmap(mapping_of(server), SIZE);
}

/* See procfs_keeps_pids(). Where there is no /proc to ask, the task finds out by itself, and ends. */
static int check_pids(void) {
        _cleanup_fd_ int procfs = procfs_open();

        return procfs < 0 ? 0 : procfs_keeps_pids(procfs);
}

int broker_start(struct broker *broker, int socket, int pidfd, const char *answer, size_t n_answer) {
        struct server *server = NULL;
        _cleanup_fd_ int ours = -1, theirs = -1;
        int pair[2], r;

        broker->failed = "readlinkat";
        r = check_pids();
        if (r >= 0)
                r = map(broker, &server);
        if (r < 0)
                return r;
        broker->failed = "socketpair";
        r = sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, pair);
        if (r >= 0) {
                broker->failed = "fcntl";
                ours = fd_above_stdio(pair[0]);
                theirs = fd_above_stdio(pair[1]);
                r = ours < 0 ? ours : theirs < 0 ? theirs : 0;
        }
        if (r < 0) {
                unmap(server);
                return r;
        }
        /* The mapping is all zeros; to write them again would take memory for slots that most sessions never use. */
        server->control = theirs;
        server->socket = socket;
        server->pidfd = pidfd;
        server->embedder = sys_getpid();
        server->answer = answer;
        server->n_answer = n_answer;
        r = task_start(0, (char *)mapping_of(server) + GUARD, STACK, server_run, server, &broker->task, &broker->failed);
        if (r < 0) {
                unmap(server);
                return r;
        }
        broker->server = server;
        broker->userns_mark = 0;
        broker->control = fd_take(&ours);
        return 0;
}

static uint32_t state_of(const struct broker *broker, unsigned order) {
        return __atomic_load_n(&broker->server->slots[order % SERVER_SLOTS].state, __ATOMIC_SEQ_CST);
}

int broker_room(const struct broker *broker) {
        uint32_t next = state_of(broker, broker->posted);

        return broker->posted - broker->collected < SERVER_SLOTS && (next == SERVER_FREE || next == SERVER_DONE);
}

static int send_order(struct broker *broker, uint32_t slot, const struct source_request *request) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(2 * sizeof(int))];
        } control;
        struct server_order order = { slot, request->userns_mark, 0 };
        struct iovec part = { &order, sizeof(order) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        int *fds = (int *)(void *)CMSG_DATA(&control.header), n = 0;
        ssize_t r;

        if (request->userns_fd >= 0 && (!request->userns_mark || request->userns_mark != broker->userns_mark)) {
                order.has_userns = 1;
                fds[n++] = request->userns_fd;
        }
        if (request->source_fd >= 0)
                fds[n++] = request->source_fd;
        if (n) {
                control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN((size_t)n * sizeof(int)), .cmsg_level = SOL_SOCKET,
                                                   .cmsg_type = SCM_RIGHTS };
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
        }
        do
                r = sys_sendmsg(broker->control, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        while (r == -EINTR);
        if (r < 0)
                return (int)r;
        if (order.has_userns && order.userns_mark)
                broker->userns_mark = order.userns_mark;
        return 0;
}

int broker_post(struct broker *broker, const struct source_request *request, const char *name, size_t n_name) {
        struct server_slot *slot = &broker->server->slots[broker->posted % SERVER_SLOTS];
        int r;

        if (!broker_room(broker))
                return -EAGAIN;
        slot->request = *request;
        slot->name = name;
        slot->n_name = n_name;
        slot->result = (struct source_result){ .error = 0 };
        __atomic_store_n(&slot->state, SERVER_POSTED, __ATOMIC_RELEASE);
        r = send_order(broker, broker->posted % SERVER_SLOTS, request);
        if (r == 0)
                broker->posted++;
        return r;
}

unsigned broker_pending(const struct broker *broker) {
        unsigned order = broker->collected;

        while (order != broker->posted && state_of(broker, order) >= SERVER_ANSWERED)
                order++;
        return broker->posted - order;
}

const struct server_slot *broker_collect(struct broker *broker) {
        if (broker->collected == broker->posted || state_of(broker, broker->collected) < SERVER_ANSWERED)
                return NULL;
        return &broker->server->slots[broker->collected++ % SERVER_SLOTS];
}

/*
 * The task looks at `wake` after it has set a slot's state, and whoever calls this looks at the states afterwards: as all four are
 * sequentially consistent, one of the two sees what the other did, and nobody waits for a word that never comes.
 */
void broker_wake(struct broker *broker, int every) {
        __atomic_store_n(&broker->server->wake, (uint32_t)every, __ATOMIC_SEQ_CST);
}

const struct server_slot *broker_busy(const struct broker *broker, unsigned *ret_order) {
        unsigned order = broker->posted > SERVER_SLOTS ? broker->posted - SERVER_SLOTS : 0;

        for (; order != broker->posted; order++) {
                uint32_t state = state_of(broker, order);

                if (state == SERVER_POSTED || state == SERVER_ANSWERED) {
                        *ret_order = order;
                        return &broker->server->slots[order % SERVER_SLOTS];
                }
        }
        return NULL;
}

const struct server_slot *broker_failed(const struct broker *broker) {
        unsigned i;

        for (i = 0; i < SERVER_SLOTS; i++)
                if (state_of(broker, i) == SERVER_FAILED)
                        return &broker->server->slots[i];
        return NULL;
}

int broker_ended(const struct broker *broker, const char **ret_call) {
        *ret_call = broker->server->ended_by;
        return broker->server->ended;
}

int broker_drain(struct broker *broker) {
        char wake;
        ssize_t r;

        do {
                struct iovec part = { &wake, 1 };
                struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

                r = sys_recvmsg(broker->control, &message, MSG_DONTWAIT);
        } while (r > 0 || r == -EINTR);
        return r == -EAGAIN ? 0 : r == 0 || r == -ECONNRESET ? -ESRCH : (int)r;
}

/* A copy that a fork made keeps the socket open: its end is said, not left to the last close. */
void broker_quit(struct broker *broker) {
        if (broker->control >= 0)
                sys_shutdown(broker->control, SHUT_RDWR);
        broker->control = fd_close(broker->control);
}

void broker_kill(struct broker *broker) {
        if (broker->task >= 0)
                process_kill(broker->task);
}

void broker_stop(struct broker *broker, int timeout_ms) {
        broker->control = fd_close(broker->control);
        if (!broker->server)
                return;
        if (task_end(broker->task, timeout_ms) < 0) {
                abandoned_add(fd_take(&broker->task), mapping_of(broker->server), SIZE, (char *)mapping_of(broker->server) + GUARD);
        } else {
                broker->task = fd_close(broker->task);
                unmap(broker->server);
        }
        broker->server = NULL;
}

void broker_release(struct broker *broker) {
        broker->control = fd_close(broker->control);
        broker->task = fd_close(broker->task);
        if (broker->server)
                unmap(broker->server);
        broker->server = NULL;
}
