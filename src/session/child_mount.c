/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "kernel/fd.h"
#include "kernel/syscalls.h"
#include "mount/request.h"
#include "session/child.h"
#include "wire/encode.h"

/* Requests sent and answers awaited, in the order of the caller's list. */
struct batch {
        struct initsync_child *child;
        const struct initsync_mount *mounts;
        int *fds;
        size_t n, sent, answered;
        char *packet;                   /* the next to send, encoded */
        int n_packet;
};

static int is_utf8(const char *text) {
        size_t n = text ? strlen(text) : 0, i, length;

        for (i = 0; i < n; i += length) {
                length = text_utf8((const unsigned char *)text + i, n - i);
                if (!length)
                        return 0;
        }
        return 1;
}

/* All that is known before anything is sent: the conversation goes on after that. */
static int check_one(const struct initsync_mount *mount, struct initsync_error *reterr) {
        int r = request_check(mount, REQUEST_CHILD, reterr);

        if (r < 0)
                return r;
        if (!is_utf8(mount->source) || !is_utf8(mount->destination) || !is_utf8(mount->userns_path))
                return error_set(reterr, -EILSEQ, INITSYNC_STAGE_WIRE, NULL, mount->source,
                                 "%s: its paths must be UTF-8 to go over the wire", mount->source);
        return 0;
}

static int check_all(const struct initsync_child *child, const struct initsync_mount *mounts, size_t n,
                     struct initsync_error *reterr) {
        int r = child_check(child, MESSAGE_MOUNT_PLEASE, reterr);
        size_t i;

        for (i = 0; r == 0 && i < n; i++) {
                r = check_one(&mounts[i], reterr);
                if (r < 0 && reterr) {
                        error_prefix(reterr, "mount %zu", i);
                        reterr->mount = (int)i;
                }
        }
        return r;
}

static int encode(struct batch *batch, struct initsync_error *reterr) {
        const struct initsync_mount *mount = &batch->mounts[batch->sent];

        batch->n_packet = encode_mount(mount, &batch->packet);
        if (batch->n_packet < 0)
                return error_set(reterr, batch->n_packet, INITSYNC_STAGE_WIRE, NULL, mount->source, "mount %s: encoding it",
                                 mount->source);
        return 0;
}

/*
 * 1 when there is no room for it now, while answers are due: these are read then. A child that waited to send meanwhile would at
 * last stop a parent that waits to send, too, and with it itself.
 */
static int send_next(struct batch *batch, struct initsync_error *reterr) {
        int ahead = batch->sent > batch->answered, r = batch->packet ? 0 : encode(batch, reterr);

        if (r < 0)
                return r;
        r = (ahead ? child_send_ahead : child_send)(batch->child, MESSAGE_MOUNT_PLEASE, batch->packet, (size_t)batch->n_packet,
                                                    reterr);
        if (r > 0)
                return r;
        free(batch->packet);
        batch->packet = NULL;
        if (r == 0)
                batch->sent++;
        return r;
}

/* An answer in the form of open(2): runc's parent gives it for a plain bind. Here it becomes what the others are. */
static int detach(int fd, const struct initsync_mount *mount) {
        unsigned flags = SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC | SYS_AT_EMPTY_PATH | SYS_AT_NO_AUTOMOUNT;

        return sys_open_tree(fd, "", flags | (mount->flags & INITSYNC_MOUNT_RECURSIVE ? SYS_AT_RECURSIVE : 0));
}

static int set_attributes(int tree, const struct initsync_mount *mount) {
        struct sys_mount_attr attr = { mount->attr_set, mount->attr_clr, mount->propagation, 0 };

        if (!attr.attr_set && !attr.attr_clr && !attr.propagation)
                return 0;
        return sys_mount_setattr(tree, "", SYS_AT_EMPTY_PATH | (mount->flags & INITSYNC_MOUNT_ATTR_RECURSIVE ? SYS_AT_RECURSIVE : 0),
                                 &attr);
}

static int failed(struct batch *batch, int r, const char *call, const struct initsync_mount *mount, const char *what,
                  struct initsync_error *reterr) {
        struct initsync_error error;

        error_set(&error, r, INITSYNC_STAGE_MOUNT, call, mount->source, "mount %s: %s", mount->source, what);
        error.mount = (int)batch->answered;
        return child_fail(batch->child, &error, reterr);
}

/* What arrived, as the mount that was asked for; consumes @fd. */
static int finish(struct batch *batch, int fd, const struct message *answer, struct initsync_error *reterr) {
        const struct initsync_mount *mount = &batch->mounts[batch->answered];
        const struct channel *channel = &batch->child->channel;
        _cleanup_fd_ int tree = fd;
        int r;

        if (channel->n_name != strlen(mount->source) || memcmp(channel->name, mount->source, channel->n_name) != 0)
                return failed(batch, -EPROTO, NULL, mount, "the descriptor that arrived has another name", reterr);
        if (answer->plain_open && (mount->n_uids || mount->userns_path))
                return failed(batch, -EPROTO, NULL, mount, "the answer is no detached mount, so that its ids cannot be mapped", reterr);
        if (answer->plain_open) {
                r = fd_above_stdio(detach(tree, mount));
                if (r < 0)
                        return failed(batch, r, "open_tree", mount, "cloning what arrived", reterr);
                fd_close(tree);
                tree = r;
        }
        r = set_attributes(tree, mount);
        if (r < 0)
                return failed(batch, r, "mount_setattr", mount, "attributes", reterr);
        batch->fds[batch->answered++] = fd_take(&tree);
        return 0;
}

static int receive_next(struct batch *batch, struct initsync_error *reterr) {
        const struct initsync_mount *mount = &batch->mounts[batch->answered];
        struct message answer;
        int fd = -1, r = child_receive(batch->child, MESSAGE_MOUNT_FD, batch->child->timeout_ms, &answer, &fd, reterr);

        if (r < 0) {
                /* Which mount it was about, for a caller that sees only the error. */
                if (reterr && reterr->mount < 0) {
                        reterr->mount = (int)batch->answered;
                        error_path(reterr, mount->source);
                        error_prefix(reterr, "mount %s", mount->source);
                        batch->child->error = *reterr;
                }
                return r;
        }
        return finish(batch, fd, &answer, reterr);
}

static int run(struct batch *batch, struct initsync_error *reterr) {
        int r;

        while (batch->answered < batch->n) {
                r = batch->sent < batch->n && batch->sent - batch->answered < LIMIT_AHEAD ? send_next(batch, reterr) : 1;
                if (r > 0)
                        r = receive_next(batch, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* An encoding that failed after others were sent: their answers would be taken for those of a later call. */
static int give_up(struct batch *batch, int r, struct initsync_error *error, struct initsync_error *reterr) {
        if (batch->child->result == 0 && batch->sent > batch->answered)
                return child_fail(batch->child, error, reterr);
        if (reterr)
                *reterr = *error;
        return r;
}

PUBLIC int initsync_child_mounts(struct initsync_child *child, const struct initsync_mount *mounts, size_t n, int *ret_fds,
                                 struct initsync_error *reterr) {
        struct batch batch = { .child = child, .mounts = mounts, .n = n };
        struct initsync_error error;
        int r = check_all(child, mounts, n, reterr);

        if (r < 0 || n == 0)
                return r;
        batch.fds = calloc(n, sizeof(*batch.fds));
        if (!batch.fds)
                return error_set(reterr, -ENOMEM, INITSYNC_STAGE_WIRE, "malloc", NULL, "mounts");
        error_clear(&error);
        r = run(&batch, &error);
        if (r == 0) {
                memcpy(ret_fds, batch.fds, n * sizeof(*ret_fds));
        } else {
                while (batch.answered)
                        fd_close(batch.fds[--batch.answered]);
                r = give_up(&batch, r, &error, reterr);
        }
        free(batch.packet);
        free(batch.fds);
        return r;
}

PUBLIC int initsync_child_mount(struct initsync_child *child, const struct initsync_mount *mount, int *ret_fd,
                                struct initsync_error *reterr) {
        return initsync_child_mounts(child, mount, 1, ret_fd, reterr);
}
