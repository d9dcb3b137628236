/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "handshake.h"

#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "duo.h"
#include "filter.h"
#include "handshake_child.h"
#include "place.h"
#include "process.h"

char handshake_path[HANDSHAKE_PATHS][128];
const struct initsync_idmap handshake_map[2] = { { 0, 0, 1 }, { 1, 0, 1 } };
#define BUSY_US 200000

int handshake_patience = 1;
static int tree = -1, userns = -1;

void (*handshake_in_child)(void), (*handshake_in_parent)(void);
int (*handshake_fork)(struct handshake *handshake, int socket);

struct handshake *handshake_new(void) {
        struct handshake *handshake = mmap(NULL, sizeof(*handshake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert(handshake != MAP_FAILED);
        return handshake;
}

static void make_remapped(const char *at) {
        struct initsync_mount mount = handshake_mount(HANDSHAKE_SOURCE, 1);
        struct initsync_error error;
        int fd, target;

        mount.flags = 0;
        if (initsync_mount_open(&mount, &fd, &error) < 0) {
                fprintf(stderr, "# %s\n", error.text);
                abort();
        }
        target = open(at, O_PATH | O_CLOEXEC);
        assert(initsync_attach(fd, target, &error) == 0);
        close(target);
        close(fd);
}

void handshake_places(const char *dir) {
        static const char *const names[HANDSHAKE_PATHS] = {
                [HANDSHAKE_SOURCE] = "source", [HANDSHAKE_TREE] = "tree", [HANDSHAKE_SUB] = "tree/sub",
                [HANDSHAKE_BAD] = "bad", [HANDSHAKE_BAD_SUB] = "bad/sub", [HANDSHAKE_ROOTFS] = "rootfs",
                [HANDSHAKE_INNER] = "rootfs/inner", [HANDSHAKE_TARGET] = "rootfs/target", [HANDSHAKE_MAPPED] = "mapped",
                [HANDSHAKE_ELSEWHERE] = "elsewhere", [HANDSHAKE_ALIAS] = "alias/inner",
        };
        char alias[128];
        static const int tmpfs[] = { HANDSHAKE_TREE, HANDSHAKE_SUB, HANDSHAKE_BAD };
        size_t i, k;

        for (i = 0; i < HANDSHAKE_PATHS; i++) {
                snprintf(handshake_path[i], sizeof(handshake_path[i]), "%s/%s", dir, names[i]);
                if (i == HANDSHAKE_ALIAS)
                        continue;
                assert(mkdir(handshake_path[i], 0755) == 0);
                for (k = 0; k < sizeof(tmpfs) / sizeof(tmpfs[0]); k++)
                        if (tmpfs[k] == (int)i)
                                assert(mount("test", handshake_path[i], "tmpfs", 0, NULL) == 0);
        }
        snprintf(alias, sizeof(alias), "%s/alias", dir);
        assert(symlink("rootfs", alias) == 0);
        assert(mount("test", handshake_path[HANDSHAKE_BAD_SUB], "ramfs", 0, NULL) == 0);
        make_remapped(handshake_path[HANDSHAKE_MAPPED]);
        tree = place_tmpfs("proof");
        assert(tree >= 0);
        assert(initsync_userns_open(handshake_map, 1, handshake_map, 1, &userns, NULL) == 0);
}

struct initsync_mount handshake_mount(int path, int mapped) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = handshake_path[path];
        mount.destination = "/mnt";
        mount.uids = mount.gids = mapped ? handshake_map : NULL;
        mount.n_uids = mount.n_gids = mapped ? 1 : 0;
        return mount;
}

static size_t list_mounts(unsigned flags, struct initsync_mount mounts[HANDSHAKE_MOUNTS]) {
        size_t n = handshake_requests(flags, mounts), i;

        for (i = 0; i < n; i++)
                if (mounts[i].userns_path)
                        mounts[i].userns_fd = userns;
        /* The last of the usual ones is for the callback. */
        return n == HANDSHAKE_MOUNTS ? n - 1 : n;
}

static int on_allow(const struct initsync_mount *asked, struct initsync_mount *ret_serve, void *userdata,
                    struct initsync_error *reterr) {
        (void)asked, (void)userdata, (void)reterr;
        if (initsync_feature("open_tree_attr") == 1)
                ret_serve->source_fd = tree;
        return 0;
}

static int on_hooks(void *userdata, struct initsync_error *reterr) {
        struct handshake *handshake = userdata;

        handshake->hooks++;
        snprintf(reterr->text, sizeof(reterr->text), "the hook said no");
        return handshake->flags & HANDSHAKE_HOOKS_FAIL ? -EIO : 0;
}

static int on_ready(void *userdata, struct initsync_error *reterr) {
        (void)reterr;
        ((struct handshake *)userdata)->ready++;
        return 0;
}

static int on_seccomp(int fd, void *userdata, struct initsync_error *reterr) {
        (void)reterr;
        ((struct handshake *)userdata)->seccomp++;
        close(fd);
        return 0;
}

/* By what cannot mean somebody else, as its number could once a thread of the embedder's has reaped it; or where that is denied. */
static int kill_child(const struct handshake *handshake) {
        if (syscall(SYS_pidfd_send_signal, handshake->pidfd, SIGKILL, NULL, 0) == 0 || errno == ESRCH)
                return 0;
        return process_signal(handshake->child_pid, SIGKILL);
}

static int on_kill(void *userdata) {
        struct handshake *handshake = userdata;

        handshake->kills++;
        return kill_child(handshake);
}

static void on_trace(const struct initsync_trace_event *event, void *userdata) {
        (void)event, (void)userdata;
}

/* As the pidfd has it: of a child that is traced, waitid(2) tells its parent only after the tracer. */
static int is_dead(const struct handshake *handshake, int ms) {
        int64_t end = duo_now() + ms;

        while (!process_gone(handshake->pidfd, ms)) {
                ms = (int)(end - duo_now());
                if (ms <= 0)
                        return 0;       /* else a signal came */
        }
        return 1;
}

static void talk(struct handshake *handshake, struct initsync_parent *parent) {
        struct initsync_error error, again;
        int r, kept_hooks;

        memset(&error, 0x5a, sizeof(error));
        r = initsync_parent_run(parent, &error);
        if (r < 0) {
                handshake->parent = (struct handshake_side){ "initsync_parent_run", r, error };
                handshake->alive = !is_dead(handshake, 0);
        }
        kept_hooks = handshake->hooks + handshake->ready + handshake->seccomp;
        memset(&again, 0x5a, sizeof(again));
        if (initsync_parent_run(parent, &again) != r || initsync_parent_dispatch(parent, NULL) != r ||
            memcmp(&again, &error, sizeof(again)) != 0 || initsync_parent_timeout_ms(parent) != 0 ||
            kept_hooks != handshake->hooks + handshake->ready + handshake->seccomp)
                handshake->unlike = 1;
}

static void parent_side(struct handshake *handshake, int socket, int pidfd) {
        struct initsync_mount mounts[HANDSHAKE_MOUNTS];
        struct initsync_parent *parent = NULL;
        struct initsync_error error;
        struct initsync_parent_options options = {
                .size = sizeof(options),
                .flags = handshake->flags & HANDSHAKE_BY_FD ? INITSYNC_PARENT_SECCOMP_FD : 0,
                .timeout_ms = HANDSHAKE_TIMEOUT * handshake_patience, .budget_ms = HANDSHAKE_BUDGET * handshake_patience,
                .grace_ms = HANDSHAKE_GRACE * handshake_patience, .work_ms = 2 * HANDSHAKE_TIMEOUT * handshake_patience,
                .rootfs = handshake_path[HANDSHAKE_ROOTFS],
                .mounts = mounts, .n_mounts = list_mounts(handshake->flags, mounts),
                .allow = on_allow, .hooks = on_hooks, .ready = on_ready, .seccomp = on_seccomp, .kill = on_kill,
                .trace = handshake->flags & HANDSHAKE_TRACE ? on_trace : NULL,
                .userdata = handshake,
        };
        int r;

        memset(&error, 0x5a, sizeof(error));
        r = initsync_parent_new(&parent, socket, pidfd, &options, &error);
        if (r < 0) {
                handshake->parent = (struct handshake_side){ "initsync_parent_new", r, error };
                handshake->no_parent = 1;
                return;
        }
        talk(handshake, parent);
        if (!handshake->parent.call && is_dead(handshake, 1000 * handshake_patience))
                handshake->knows = initsync_parent_child_status(parent, &handshake->known_status);
        initsync_parent_free(parent);
}

/* The owner of the child kills what nobody else did: that its conversation was over is another question. */
static void reap(struct handshake *handshake) {
        int r;

        if (!is_dead(handshake, 1000 * handshake_patience)) {
                kill_child(handshake);
                handshake->alive = 2;
        }
        do
                r = waitpid(handshake->child_pid, &handshake->child_status, __WALL);
        while (r < 0 && errno == EINTR);
        handshake->has_status = r > 0;
}

void handshake_run(struct handshake *handshake) {
        int ours = -1, theirs = -1, pid, pidfd, r;
        int64_t start = duo_now();

        r = initsync_pair(&ours, &theirs);
        if (r < 0) {
                handshake->parent = (struct handshake_side){ "initsync_pair", r, INITSYNC_ERROR_INIT };
                handshake->no_parent = 1;
                return;
        }
        handshake->parent_pid = getpid();
        pid = handshake_fork ? handshake_fork(handshake, theirs) : process_copy();
        if (pid == 0) {
                if (handshake_in_child)
                        handshake_in_child();
                handshake_child(handshake, theirs, ours);
        }
        handshake->child_pid = pid;
        close(theirs);
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
        assert(pidfd >= 0);
        if (handshake_in_parent)
                handshake_in_parent();
        handshake->pidfd = pidfd;
        parent_side(handshake, ours, pidfd);
        handshake->took_ms = (int)(duo_now() - start);
        reap(handshake);
        close(pidfd);
}

int handshake_busy(const struct handshake *handshake) {
        if (handshake->parent.result != -EAGAIN && handshake->child.result != -EAGAIN)
                return 0;
        usleep(BUSY_US);
        return 1;
}

static int wrong(char *to, unsigned size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int wrong(char *to, unsigned size, const char *format, ...) {
        size_t used = strlen(to);
        va_list args;

        va_start(args, format);
        vsnprintf(to + used, size - used, format, args);
        va_end(args);
        return 1;
}

static int judge_error(const struct handshake_side *side, const char *who, char *to, unsigned size) {
        const char *at;
        int n = 0;

        if (side->result >= 0 || !side->call)
                return side->result > 0 ? wrong(to, size, "%s: result %d\n", who, side->result) : 0;
        if (strcmp(side->call, "initsync_pair") == 0)
                return 0;
        if (side->error.code != side->result)
                n += wrong(to, size, "%s: %s returned %d, and its error is %d\n", who, side->call, side->result, side->error.code);
        if (!memchr(side->error.text, 0, sizeof(side->error.text)) || !side->error.text[0])
                return n + wrong(to, size, "%s: %s: no text\n", who, side->call);
        for (at = side->error.text; *at; at++)
                if ((unsigned char)*at < 0x20 || *at == 0x7f)
                        return n + wrong(to, size, "%s: unprintable\n", who);
        return n;
}

/*
 * A child that cannot write any more ends, and its end is end-of-file, which is in order there: its status is what remains to tell
 * the parent. That one must know it.
 */
static int could_not_tell(const struct handshake *handshake) {
        return handshake->mute && handshake->child.call && handshake->child.result < 0 && handshake->knows == 1 &&
               handshake->known_status == handshake->child_status;
}

int handshake_judge(const struct handshake *handshake, char *to, unsigned size) {
        int n, success = !handshake->parent.call;

        to[0] = '\0';
        n = judge_error(&handshake->parent, "parent", to, size) + judge_error(&handshake->child, "child", to, size);
        if (handshake->unlike)
                n += wrong(to, size, "parent: another answer the second time\n");
        if (handshake->hooks > 1 || handshake->ready > 1 || handshake->seccomp > 1)
                n += wrong(to, size, "parent: %d hooks, %d ready, %d seccomp\n", handshake->hooks, handshake->ready,
                           handshake->seccomp);
        if (handshake->alive == 1 && !handshake->no_parent)
                n += wrong(to, size, "parent: its child is alive after %s: %s\n", handshake->parent.call,
                           handshake->parent.error.text);
        if (handshake->alive == 2)
                n += wrong(to, size, "child: alive a second after its conversation\n");
        if (success && handshake->has_status && handshake->child_status != 0 && !could_not_tell(handshake))
                n += wrong(to, size, "parent: success, of a child with status %x\n", handshake->child_status);
        if (handshake->has_status && WIFSIGNALED(handshake->child_status) && WTERMSIG(handshake->child_status) != SIGKILL)
                n += wrong(to, size, "child: signal %d\n", WTERMSIG(handshake->child_status));
        if (handshake->has_status && WIFEXITED(handshake->child_status) && WEXITSTATUS(handshake->child_status) > 1)
                n += wrong(to, size, "child: exit status %d\n", WEXITSTATUS(handshake->child_status));
        return n;
}
