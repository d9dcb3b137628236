/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <sys/mman.h>
#include "base/error.h"
#include "kernel/clock.h"
#include "kernel/origin.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "session/parent.h"

/* What is kept of the receive buffer: an ordinary request has 300 bytes, one with twenty extents 4,000. */
#define PACKET_KEPT 4096

#define EVENTS 4                /* socket, pidfd, timer, mount task */

/* Level-triggered, so that what cannot be read now must not be watched: it would wake the embedder again and again. */
int parent_watch(struct initsync_parent *parent) {
        unsigned wanted = 0;
        int r;

        if (!parent->eof && parent->phase != PARENT_ENDED) {
                if (parent_can_read(parent))
                        wanted |= EPOLLIN;
                if (parent->unsent >= 0)
                        wanted |= EPOLLOUT;
        }
        if (wanted == parent->watched)
                return 0;
        r = sys_epoll_ctl(parent->epoll, !wanted ? EPOLL_CTL_DEL : parent->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
                          parent->socket, wanted);
        if (r < 0)
                return r;
        parent->watched = wanted;
        return 0;
}

/*
 * A long request is rare, and its conversation may stay open: what it took of the receive buffer goes back to the system, all but
 * the pages of an ordinary one. A callback that answers later still reads its strings there.
 */
static void release_packet(struct initsync_parent *parent) {
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), start = (uintptr_t)parent->packet + PACKET_KEPT,
                  end = (uintptr_t)parent->packet + parent->touched;

        if (parent->touched <= PACKET_KEPT || parent->waiting == WAITING_ALLOW)
                return;
        start = (start + page - 1) / page * page;
        end = end / page * page;
        if (start < end)
                sys_madvise((void *)start, end - start, MADV_DONTNEED);
        parent->touched = 0;
}

/* What the embedder's next wait shall wake it for. */
static void prepare_wait(struct initsync_parent *parent) {
        int r = parent_watch(parent);

        release_packet(parent);

        if (r < 0)
                parent_abort(parent, r, "epoll_ctl");
        parent_arm(parent);
}

/* The timer is moved only when something is due before it: most deadlines pass away unused. */
void parent_arm(struct initsync_parent *parent) {
        /* An ended conversation stays readable until it is freed: whoever polls shall come and hear of it. */
        uint64_t next = parent->phase == PARENT_ENDED ? 1 : deadline_next(&parent->deadlines);
        struct itimerspec at = { .it_value = { .tv_sec = (time_t)(next / 1000000000u), .tv_nsec = (long)(next % 1000000000u) } };

        if (!next || (parent->armed && parent->armed <= next))
                return;
        sys_timerfd_settime(parent->timer, &at);
        parent->armed = next;
}

static void on_timer(struct initsync_parent *parent) {
        enum deadline_kind kind;
        uint64_t count;

        sys_read(parent->timer, &count, sizeof(count));
        parent->armed = 0;
        while (parent->phase != PARENT_ENDED && (kind = deadline_due(&parent->deadlines, clock_now())) != DEADLINES)
                parent_due(parent, kind);
}

static void on_socket(struct initsync_parent *parent, unsigned events) {
        if (events & EPOLLOUT)
                parent_flush(parent);
        if (parent->phase == PARENT_TALKING)
                parent_receive(parent);
        else
                parent_discard(parent);
}

static void on_event(struct initsync_parent *parent, const struct epoll_event *event) {
        if (parent->phase == PARENT_ENDED)
                return;
        if (event->data.fd == parent->socket)
                on_socket(parent, event->events);
        else if (event->data.fd == parent->timer)
                on_timer(parent);
        else if (event->data.fd == parent->broker.control && parent->broker.control >= 0)
                parent_mount_task(parent);
        else if (event->data.fd == parent->pidfd && !parent->child_dead)
                parent_died(parent);
}

/* What the child said comes before the news of its death: the last words of a child explain it. */
static void order(struct initsync_parent *parent, struct epoll_event *events, int n) {
        int i;

        for (i = 0; i + 1 < n; i++) {
                if (events[i].data.fd == parent->pidfd) {
                        struct epoll_event last = events[i];

                        memmove(&events[i], &events[i + 1], (size_t)(n - i - 1) * sizeof(*events));
                        events[n - 1] = last;
                        return;
                }
        }
}

static int step(struct initsync_parent *parent, int timeout_ms) {
        struct epoll_event events[EVENTS];
        int i, n = sys_epoll_wait(parent->epoll, events, EVENTS, timeout_ms);

        if (n < 0 && n != -EINTR)
                parent_abort(parent, n, "epoll_wait");
        if (n > 1)
                order(parent, events, n);
        for (i = 0; i < n; i++)
                on_event(parent, &events[i]);
        prepare_wait(parent);
        return parent->phase == PARENT_ENDED ? parent->result : 1;
}

static int ended(struct initsync_parent *parent, int r, struct initsync_error *reterr) {
        if (r < 0 && reterr)
                *reterr = parent->error;
        return r;
}

static int check_owner(const struct initsync_parent *parent, struct initsync_error *reterr) {
        if (parent->owner == origin())
                return 0;
        return error_say(reterr, -ECHILD, INITSYNC_STAGE_WIRE, NULL, NULL, "this conversation belongs to another process");
}

PUBLIC int initsync_parent_dispatch(struct initsync_parent *parent, struct initsync_error *reterr) {
        int kept = errno, r = check_owner(parent, reterr);

        if (r < 0)
                return r;
        r = parent->phase == PARENT_ENDED ? parent->result : step(parent, 0);
        errno = kept;
        return ended(parent, r, reterr);
}

PUBLIC int initsync_parent_run(struct initsync_parent *parent, struct initsync_error *reterr) {
        int kept = errno, r = check_owner(parent, reterr);

        if (r < 0)
                return r;
        parent_arm(parent);
        r = parent->phase == PARENT_ENDED ? parent->result : 1;
        while (r == 1) {
                if (parent->waiting && parent->phase == PARENT_TALKING)
                        return error_say(reterr, -EDEADLK, INITSYNC_STAGE_CALLBACK, NULL, NULL,
                                         "a callback that answers later needs initsync_parent_dispatch()");
                r = step(parent, -1);
        }
        errno = kept;
        return ended(parent, r, reterr);
}

PUBLIC int initsync_parent_resume(struct initsync_parent *parent, int result, const struct initsync_error *why) {
        enum parent_waiting what = parent->waiting;
        struct initsync_error error;

        if (parent->owner != origin())
                return -ECHILD;
        if (result > 0)
                return -EINVAL;
        if (!what || parent->phase != PARENT_TALKING)
                return -EALREADY;
        memset(&error, 0, sizeof(error));
        if (why)
                error = *why;
        parent->waiting = WAITING_NO;
        deadline_resume(&parent->deadlines, clock_now());
        parent_answer(parent, what, result, &error);
        prepare_wait(parent);
        return 0;
}
