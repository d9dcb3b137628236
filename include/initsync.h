/* SPDX-License-Identifier: MIT */
#ifndef INITSYNC_H
#define INITSYNC_H

/*
 * libinitsync - the conversation between a container runtime and its init
 *
 * The runtime (parent) and the process that becomes the container's init (child) share one SOCK_SEQPACKET pair.
 * The child asks, the parent answers:
 *
 *      child                             parent
 *      procMountPlease + mount     -->   opens it in the child's mount namespace
 *                                  <--   procMountFd + 1 descriptor        (any number; may be sent ahead)
 *      procHooks                   -->   runs the hooks             <--  procHooksDone   (at most once)
 *      procReady                   -->   finishes the set-up        <--  procRun
 *      procSeccomp + fd number     -->   takes it by pidfd          <--  procSeccompDone (at most once)
 *      end-of-file
 *      either side, at any time: procError + message; nothing follows it.
 *
 * The wire is that of runc >= 1.2; either half can face runc's own.
 *
 * Rules that hold for every function:
 *  - The return value is >= 0 on success, a negative errno on failure. Four codes have a meaning of their own:
 *      -EPROTO      the peer broke the protocol
 *      -ECONNRESET  the peer closed the socket, or died, before the conversation was complete
 *      -EREMOTEIO   the peer sent procError
 *      -ETIMEDOUT   a deadline passed
 *    A system call that fails for a reason not listed at a function gives that call's own negative errno; the call is
 *    named in struct initsync_error.
 *  - ret_* is written on success only, reterr on failure only; reterr may be NULL.
 *  - A descriptor given out is close-on-exec, at least 3, and the caller's; one passed in stays the caller's, unless the
 *    text says "consumes".
 *  - free functions take NULL, keep errno and return NULL: `p = initsync_parent_free(p);`
 *  - A struct that a caller fills in starts with its size; fields it does not know of are zero. A size or flag bit that
 *    this library does not know is -EINVAL.
 *  - An object belongs to one thread at a time; different objects may be used by different threads at once. The user
 *    namespace cache alone is shared freely. The library never prints, exits, changes signal handling or dumpability, and
 *    never reaps a process that it did not make.
 *  - A thread that has called unshare(CLONE_NEWPID), or joined a pid namespace for its children, makes no user namespaces
 *    and serves no mounts (-EINVAL): the first process it makes would be the init of that namespace.
 *  - In a forked process a parent object is dead: calls give -ECHILD, free releases memory and descriptors only.
 *  - errno is no part of the interface; the return value is.
 *
 * Linux 5.10 at least, 5.12 for id-mapped mounts. initsync_feature() tells what newer kernels add.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define INITSYNC_NO_LIMIT (-1)

enum initsync_stage {
        INITSYNC_STAGE_WIRE     = 1,    /* packet, JSON, or an argument of the caller's */
        INITSYNC_STAGE_PROTOCOL = 2,    /* a well-formed message at the wrong moment */
        INITSYNC_STAGE_POLICY   = 3,    /* a mount that the runtime did not allow */
        INITSYNC_STAGE_USERNS   = 4,    /* making the user namespace of an id-mapped mount */
        INITSYNC_STAGE_MOUNT    = 5,    /* openat2, open_tree, mount_setattr, move_mount */
        INITSYNC_STAGE_CALLBACK = 6,    /* hooks, seccomp, ready: the runtime's own part */
        INITSYNC_STAGE_PEER     = 7,    /* reported by the other side in procError, or the other side died or is silent */
        INITSYNC_STAGE_SEAL     = 8     /* sealing the executable */
};

/* Where a conversation stands: the states of its turn table. */
enum initsync_step {
        INITSYNC_STEP_MOUNTS    = 0,    /* the child mounts, and asks for what it cannot open */
        INITSYNC_STEP_HOOKS     = 1,    /* procHooks came, procHooksDone is owed */
        INITSYNC_STEP_PIVOT     = 2,    /* hooks are done, procReady is to come */
        INITSYNC_STEP_READY     = 3,    /* procReady came, procRun is owed */
        INITSYNC_STEP_RUN       = 4,    /* procRun was sent; procSeccomp or end-of-file is to come */
        INITSYNC_STEP_SECCOMP   = 5,    /* procSeccomp came, procSeccompDone is owed */
        INITSYNC_STEP_EXEC      = 6,    /* end-of-file is to come */
        INITSYNC_STEP_DONE      = 7,
        INITSYNC_STEP_FAILED    = 8
};

/** initsync_step_name() - "mounts", "procHooks", "pivot", "procReady", "procRun", "procSeccomp", "exec", "done", "failed" */
const char *initsync_step_name(int step);

/**
 * struct initsync_error - what went wrong, for programs and in words
 * @code:       the negative errno that was also returned
 * @stage:      enum initsync_stage
 * @step:       enum initsync_step, or -1 outside a conversation
 * @mount:      index in options.mounts, in the child in what initsync_child_mounts() was given; or -1
 * @request:    number of the mount request concerned, counted from 0, or -1
 * @status:     wait status of a child that died (as waitpid() gives it), or -1 where it is not known
 * @call:       the system call that failed, or ""
 * @path:       the path concerned, or ""; cut in front with an ellipsis
 * @text:       one line, NUL-terminated, naming step, call, path and cause; cut to fit. Bytes that came from the other side
 *              are printable: control characters and invalid UTF-8 appear escaped as \xNN. A backslash is not, so that a text
 *              which passed through both sides is escaped once; who writes \xNN itself is not told apart.
 *
 * Holds no allocation: it can be filled when memory is gone. The layout is frozen at 1,024 bytes.
 */
struct initsync_error {
        int32_t code, stage, step, mount, request, status, reserved[2];
        char call[32];
        char path[256];
        char text[704];
};
/* Nothing is known yet: for an error that the caller fills in itself (initsync_child_fail(), initsync_parent_resume()). */
#define INITSYNC_ERROR_INIT { 0, 0, -1, -1, -1, -1, { 0, 0 }, "", "", "" }

/**
 * struct initsync_idmap - one extent of an id map, as a line of /proc/PID/uid_map
 * @inside:     first id in the container
 * @outside:    first id on the host
 * @count:      how many; at least 1, and neither range passes 4294967295 (user_namespaces(7))
 */
struct initsync_idmap {
        uint32_t inside, outside, count;
};

#define INITSYNC_IDMAP_MAX 340          /* extents of one map, the kernel's own limit */

#define INITSYNC_MOUNT_RECURSIVE        (UINT64_C(1) << 0)      /* clone the whole tree */
#define INITSYNC_MOUNT_IDMAP_RECURSIVE  (UINT64_C(1) << 1)      /* map ids in all of it */
#define INITSYNC_MOUNT_ATTR_RECURSIVE   (UINT64_C(1) << 2)      /* attributes on all of it */
#define INITSYNC_MOUNT_MAGICLINK        (UINT64_C(1) << 3)      /* the source may pass through a /proc magic link */
#define INITSYNC_MOUNT_AUTOMOUNT        (UINT64_C(1) << 4)      /* trigger an automount at the source, a directory */
#define INITSYNC_MOUNT_CHILD_VIEW       (UINT64_C(1) << 5)      /* the source may be what only the child sees there */

/**
 * struct initsync_mount - a mount source that a child wants, or may have
 * @size:       set by INITSYNC_MOUNT_INIT
 * @flags:      INITSYNC_MOUNT_*
 * @source:     absolute path in the child's mount namespace, before it pivots; 1 to 4,095 bytes of UTF-8. Outside of
 *              options.rootfs ("/" counts as none), and inside of it with an id mapping, it must be the same file that the
 *              runtime sees at that path, or -EACCES: a child that may mount could lay anything over it. With
 *              INITSYNC_MOUNT_RECURSIVE the mounts below the source are those of the child; with an id mapping and
 *              INITSYNC_MOUNT_IDMAP_RECURSIVE, too, they are the runtime's, locked, and receive what is mounted there. All
 *              that is not so with INITSYNC_MOUNT_CHILD_VIEW, INITSYNC_MOUNT_MAGICLINK and INITSYNC_PARENT_ALLOW_ANY_MOUNT
 * @destination: where it will go, for the wire and for error texts; NULL for ""
 * @uids, @gids: extents from ids on disk (inside) to those that the mount shows on the host (outside), @n_uids and @n_gids of
 *              them (1 to INITSYNC_IDMAP_MAX); both or neither
 * @userns_fd:  a user namespace with the map, or -1; the runtime opens it, a packet never does. @uids and @gids beside it are
 *              only compared with the packet's; without them the packet may have any map, or none. Not for the child
 * @source_fd:  a detached mount to send as it is instead of opening @source, or -1; each use sends a clone, which needs
 *              Linux 6.15 (open_tree() of a detached mount). Not for initsync_mount_open() and the child.
 * @userns_path: what the packet will call the user namespace; only compared, never opened. In the runtime's with @userns_fd only
 * @attr_set, @attr_clr, @propagation: as in struct mount_attr of mount_setattr(2); 0 leaves what the source has. MOUNT_ATTR_* and
 *              MS_* are in <sys/mount.h>, the former in <linux/mount.h> for a C library that does not have them
 */
struct initsync_mount {
        size_t size;
        uint64_t flags;
        const char *source, *destination;
        const struct initsync_idmap *uids, *gids;
        size_t n_uids, n_gids;
        int userns_fd, source_fd;
        const char *userns_path;
        uint64_t attr_set, attr_clr, propagation;
};
#define INITSYNC_MOUNT_INIT { sizeof(struct initsync_mount), 0, NULL, NULL, NULL, NULL, 0, 0, -1, -1, NULL, 0, 0, 0 }

/**
 * initsync_pair() - create the socket pair of one conversation
 * @ret_parent_fd: the runtime's end
 * @ret_child_fd:  the child's end
 *
 * Return: 0; -EMFILE or -ENFILE without room for descriptors; -ENOMEM. There is no @reterr: strerror() has the words.
 */
int initsync_pair(int *ret_parent_fd, int *ret_child_fd);

/**
 * struct initsync_trace_event - one message, valid during the callback
 * @time_ns:    CLOCK_MONOTONIC, nanoseconds: when it was received, or just before it was sent
 * @outgoing:   1 sent, 0 received
 * @type:       "procMountPlease", ...
 * @arg:        its JSON, or NULL
 * @has_fd:     1 when a descriptor packet belongs to it
 */
struct initsync_trace_event {
        uint64_t time_ns;
        int outgoing;
        const char *type;
        const char *arg;
        int has_fd;
};

struct initsync_userns_cache;           /* a bounded cache of user namespaces by canonical map */
struct initsync_parent;                 /* the runtime's side of a conversation */
struct initsync_child;                  /* the container's side */

/*
 * ---- The runtime's side ----
 */

#define INITSYNC_PARENT_ALLOW_ANY_MOUNT (UINT64_C(1) << 0)      /* serve whatever the child names: no policy at all */
#define INITSYNC_PARENT_NO_KILL         (UINT64_C(1) << 1)      /* a failed conversation leaves the child alive */
#define INITSYNC_PARENT_EXPECT_HOOKS    (UINT64_C(1) << 2)      /* procReady before procHooks is an error */
#define INITSYNC_PARENT_SECCOMP_FD      (UINT64_C(1) << 3)      /* procSeccomp carries the descriptor; both are told so */

#define INITSYNC_LATER 1                /* a callback's answer that initsync_parent_resume() will give */

/**
 * struct initsync_parent_options - how to serve a child, and what only the runtime can do
 * @size:       sizeof(struct initsync_parent_options)
 * @flags:      INITSYNC_PARENT_*
 * @timeout_ms: one mount request, one send, the first message; 0 for 10 s, INITSYNC_NO_LIMIT for none
 * @work_ms:    silence of a live child in its own work: procHooksDone to procReady, procRun to end-of-file; 0 for no limit
 * @budget_ms:  the whole conversation without callbacks and those two spans, not reset by packets; 0 for 60 s,
 *              INITSYNC_NO_LIMIT for none. It runs while a callback of another session keeps the same thread
 * @grace_ms:   from procError to the kill of a child that may still read it; 0 for 500; INITSYNC_NO_LIMIT is -EINVAL
 * @rootfs:     absolute path of the root file system in the child's mount namespace, or NULL: sources below it are
 *              resolved inside it, at the time of the request; also those that get to it by a symlink of the host's or another
 *              mount, as the runtime sees it, but not those with INITSYNC_MOUNT_CHILD_VIEW or INITSYNC_MOUNT_MAGICLINK, or
 *              under INITSYNC_PARENT_ALLOW_ANY_MOUNT: these are compared as text alone. A symlink or mount of the host's that
 *              leads to a directory within it is not seen to: from there the image's symlinks are followed as the host's are
 * @mounts:     the mounts that the child may ask for, each once; what is mounted is this entry, not the packet
 * @n_mounts:   how many; at most 1,024
 * @userns_cache: shared cache, which must outlive the parent, or NULL for one of the session's own
 * @allow:      asked for a mount that is not listed; what is served is *@ret_serve (a copy of @asked to begin with). @asked
 *              and what it points to stay valid until the callback returns, or until initsync_parent_resume() after
 *              INITSYNC_LATER; what @ret_serve points to is copied then
 * @hooks:      run the hooks that must precede pivot_root
 * @ready:      last set-up before the child execs (rlimits, stored state)
 * @seccomp:    forward the seccomp listener @fd; consumes it. With it the child may put a descriptor of anything into this
 *              process's table, where it stays until initsync_parent_free(): of a file whose server does not answer, each
 *              process that copies the table and closes its descriptors hangs in that close
 * @kill:       called once when the pidfd kill has not ended the child after 1 s (write to cgroup.kill); its result is not
 *              looked at
 * @trace:      told of every message, both ways, in the order of the conversation
 * @userdata:   passed to all of them
 *
 * A callback runs on the thread that dispatches, without a lock held, and must not free or dispatch its own parent. It
 * returns 0, a negative errno that ends the conversation and reaches the child as procError with the text of @reterr
 * (zeroed before the call; only @text, @call and @path of it are taken), or INITSYNC_LATER. A NULL callback refuses the
 * request with -EOPNOTSUPP (@allow: -EACCES), except @ready, @kill and @trace.
 */
struct initsync_parent_options {
        size_t size;
        uint64_t flags;
        int timeout_ms, work_ms, budget_ms, grace_ms;
        const char *rootfs;
        const struct initsync_mount *mounts;
        size_t n_mounts;
        struct initsync_userns_cache *userns_cache;
        int (*allow)(const struct initsync_mount *asked, struct initsync_mount *ret_serve, void *userdata,
                     struct initsync_error *reterr);
        int (*hooks)(void *userdata, struct initsync_error *reterr);
        int (*ready)(void *userdata, struct initsync_error *reterr);
        int (*seccomp)(int fd, void *userdata, struct initsync_error *reterr);
        int (*kill)(void *userdata);
        void (*trace)(const struct initsync_trace_event *event, void *userdata);
        void *userdata;
};

#define INITSYNC_PARENT_OPTIONS_INIT \
        { sizeof(struct initsync_parent_options), 0, 0, 0, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
          NULL }

/**
 * initsync_parent_new() - start serving a child
 * @ret_parent: the new object, to be released with initsync_parent_free()
 * @socket_fd:  the parent's end; consumes it, also on failure, and makes it close-on-exec
 * @pidfd:      the child, already inside its mount namespace; duplicated (an epoll set of the caller's that watches @pidfd
 *              keeps it until EPOLL_CTL_DEL, not until close())
 * @options:    copied, with all that it points to except @userns_cache and @userdata; descriptors are duplicated
 * @reterr:     details of a failure, or NULL
 *
 * Nothing is started: what works in the child's mount namespace starts with the first mount request, is no thread of this
 * process, and no thread's namespace changes. Only a child whose mount namespace belongs to a user namespace in which the
 * runtime has CAP_SYS_ADMIN can be served mounts: an ordinary user's runtime enters a user namespace of its own first.
 * Descriptors from the child are refused from here on (SO_PASSRIGHTS where the kernel has it), and SO_PASSCRED, SO_PASSSEC,
 * SO_PASSPIDFD and SO_TIMESTAMP are cleared: whoever else has the same open socket shares these options, and leaves them
 * alone.
 *
 * Return: 0; -EINVAL, -ERANGE, -E2BIG for options that are wrong, in @reterr which; -ENOTSOCK or -EPROTOTYPE for a
 * @socket_fd that is no SOCK_SEQPACKET socket; -EBADF for a @pidfd that is none, or a @socket_fd that is no descriptor;
 * -EMFILE; -ENOMEM.
 */
int initsync_parent_new(struct initsync_parent **ret_parent, int socket_fd, int pidfd,
                        const struct initsync_parent_options *options, struct initsync_error *reterr);

/**
 * initsync_parent_get_fd() - descriptor to poll for POLLIN (socket, mount requests, child, deadline); stays @parent's
 *
 * Return: the descriptor; -ECHILD in a forked process.
 */
int initsync_parent_get_fd(const struct initsync_parent *parent);

/**
 * initsync_parent_timeout_ms() - time to the next deadline, for loops with timers of their own; -1 for none
 *
 * Return: milliseconds; -1; -ECHILD in a forked process.
 */
int initsync_parent_timeout_ms(const struct initsync_parent *parent);

/**
 * initsync_parent_dispatch() - do what is due, without waiting for anything
 * @parent:     parent to operate on
 * @reterr:     details of a failure, or NULL
 *
 * After a failure every further call returns the same error, without any further effect. A failed conversation first tells
 * the child why (procError), gives it @grace_ms to read that and leave, kills it by its pidfd, and only then reports;
 * until then 1 is returned. A child that broke the protocol gets no grace.
 *
 * Return: 1 while the conversation goes on (its clean-up included); 0 once the child has closed the socket after procRun;
 * -EPROTO, -ECONNRESET, -EREMOTEIO, -ETIMEDOUT; -EACCES for a mount that is not allowed, or whose source is not what the
 * runtime sees at its path; -EOPNOTSUPP for a request that no callback serves; what a callback returned; -ECHILD in a forked
 * process; -EMSGSIZE for a packet longer than 131,072 bytes; -ESRCH when what makes mount sources was killed from outside;
 * the errno of the system call that could not make a mount source (-ENOENT, -EINVAL for a file system that takes no id
 * mapping, -ELOOP, -EXDEV, -EPERM, ...).
 */
int initsync_parent_dispatch(struct initsync_parent *parent, struct initsync_error *reterr);

/**
 * initsync_parent_resume() - give the answer of a callback that returned INITSYNC_LATER
 * @parent:     parent to operate on
 * @result:     0, or a negative errno that ends the conversation
 * @why:        with a negative @result: the cause, or NULL
 *
 * Return: 0; -EALREADY when no callback waits (also when the conversation has failed meanwhile); -EINVAL for a positive
 * @result; -ECHILD in a forked process.
 */
int initsync_parent_resume(struct initsync_parent *parent, int result, const struct initsync_error *why);

/**
 * initsync_parent_run() - wait and dispatch until the conversation ends
 *
 * Return: as initsync_parent_dispatch(), never 1. -EDEADLK when a callback returned INITSYNC_LATER, since nobody can
 * resume it; the conversation then goes on under initsync_parent_dispatch().
 */
int initsync_parent_run(struct initsync_parent *parent, struct initsync_error *reterr);

/**
 * initsync_parent_child_status() - the wait status of a child that is dead already
 *
 * Return: 1 and the status in *@ret_status; 0 while the child lives, or where nobody can tell any more (it was reaped on a
 * kernel below 6.15); -ECHILD in a forked process. The child is not reaped.
 */
int initsync_parent_child_status(const struct initsync_parent *parent, int *ret_status);

/**
 * initsync_parent_free() - end the conversation and release all it holds
 *
 * Closes the socket; kills nobody. Does not wait for a mount request that hangs in a dead file server: such a request
 * is killed, cannot hold up the process's exit or exec, and is counted by initsync_abandoned().
 */
struct initsync_parent *initsync_parent_free(struct initsync_parent *parent);

/**
 * initsync_abandoned() - how many tasks of this process hang now, of a mount request say, after their parent was freed
 *
 * So are counted tasks that have ended while a process that is stopped traces them: until that goes on, only it is told.
 */
unsigned initsync_abandoned(void);

/*
 * ---- The container's side ----
 */

#define INITSYNC_CHILD_SECCOMP_FD       (UINT64_C(1) << 0)      /* procSeccomp carries the descriptor; both are told so */

/**
 * struct initsync_child_options
 * @size:       sizeof(struct initsync_child_options)
 * @flags:      INITSYNC_CHILD_*
 * @parent_fd:  the parent's end, closed by initsync_child_new(), or -1 (a child that was forked without exec holds it,
 *              and then nobody sees end-of-file)
 * @timeout_ms: for each send and each answer except procHooksDone and procRun; 0 for 10 s, INITSYNC_NO_LIMIT for none
 * @trace:      told of every message, both ways; not after initsync_child_prepare_seccomp()
 * @userdata:   passed to it
 */
struct initsync_child_options {
        size_t size;
        uint64_t flags;
        int parent_fd, timeout_ms;
        void (*trace)(const struct initsync_trace_event *event, void *userdata);
        void *userdata;
};
#define INITSYNC_CHILD_OPTIONS_INIT { sizeof(struct initsync_child_options), 0, -1, 0, NULL, NULL }

/**
 * initsync_child_new() - begin a conversation
 * @ret_child:  the new object, to be released with initsync_child_free()
 * @socket_fd:  the child's end; consumes it, also on failure, and makes it close-on-exec
 * @options:    copied; NULL for the defaults
 * @reterr:     details of a failure, or NULL
 *
 * SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD and SO_TIMESTAMP of the socket are cleared, as initsync_parent_new() does.
 *
 * Return: 0; -EINVAL for options that are wrong, in @reterr which; -ENOTSOCK or -EPROTOTYPE for a @socket_fd that is no
 * SOCK_SEQPACKET socket, -EBADF for one that is no descriptor; -EMFILE for one below 3 that has no room elsewhere; -ENOMEM.
 */
int initsync_child_new(struct initsync_child **ret_child, int socket_fd, const struct initsync_child_options *options,
                       struct initsync_error *reterr);

/**
 * initsync_child_only() - in a forked process: close every descriptor above 2 but @keep
 * @keep:       descriptors to keep, in any order
 * @n:          how many, at most 64
 *
 * Async-signal-safe. A process forked without exec holds the descriptors of all the runtime's sessions, and those
 * sessions then see no end-of-file: this is the first thing it does. Without close_range(2), and without a /proc to list
 * them, descriptors from 65,536 on stay open.
 *
 * Return: 0; -EINVAL for more than 64.
 */
int initsync_child_only(const int *keep, size_t n);

/*
 * What the next six calls have in common.
 *
 * Return: 0; -EREMOTEIO when the parent sent procError, its text in @reterr; -ECONNRESET when it closed or died; -ETIMEDOUT;
 * -EPROTO for an answer that is none to the question; -EMSGSIZE for one longer than 8,192 bytes; -EBUSY for a call out of
 * order (the step is in @reterr). After a failure every further call but initsync_child_fail() returns the same error,
 * except where nothing was sent yet: -EBUSY, what is wrong with an argument, and -ENOMEM before the first request of a
 * call.
 */

/**
 * initsync_child_mount() - ask for a mount source
 * @mount:      what is wanted. @mount->attr_set, attr_clr and propagation are set here on what arrives, so that the result
 *              is the same with any parent
 * @ret_fd:     always a detached mount, ready for initsync_attach(), whatever form the answer had
 *
 * Return: as above; -EINVAL, -ERANGE, -E2BIG for a wrong @mount, in @reterr which field; -EILSEQ for a path that is not
 * UTF-8; -EMFILE when the descriptor did not fit (RLIMIT_NOFILE); -ENOMEM.
 */
int initsync_child_mount(struct initsync_child *child, const struct initsync_mount *mount, int *ret_fd,
                         struct initsync_error *reterr);

/**
 * initsync_child_mounts() - ask for several at once
 * @mounts:     @n of them; none may depend on another being attached first
 * @ret_fds:    @n descriptors in the order of @mounts; all or none
 *
 * Requests are sent ahead, at most 32 unanswered; any parent answers in order.
 *
 * Return: as initsync_child_mount().
 */
int initsync_child_mounts(struct initsync_child *child, const struct initsync_mount *mounts, size_t n, int *ret_fds,
                          struct initsync_error *reterr);

/** initsync_child_hooks() - have the parent run its hooks; waits without limit for a parent that lives. Return: as above. */
int initsync_child_hooks(struct initsync_child *child, struct initsync_error *reterr);

/** initsync_child_ready() - say that all is set up; waits without limit for a parent that lives. Return: as above. */
int initsync_child_ready(struct initsync_child *child, struct initsync_error *reterr);

/**
 * initsync_child_prepare_seccomp() - get ready for a filter of system calls, before it is loaded
 *
 * After initsync_child_ready(), also for a filter without a listener. From here on the child calls nothing but
 * initsync_child_seccomp(), initsync_child_fail() when the filter cannot be loaded or the execution fails, and
 * initsync_child_free(); of these the first two make no system call but write(2) and read(2), and do not allocate. For these
 * to wait as long as @timeout_ms says O_NONBLOCK of the socket is cleared, also for whoever else has the same open socket.
 * Where signals interrupt them they may take up to three times as long.
 *
 * With INITSYNC_CHILD_SECCOMP_FD another process is started, which shares this one's memory and descriptors, and sends the
 * listener: sendmsg(2) may be denied here then. It ends with that, with this process, or soon after its execve(2), for which the
 * address of set_tid_address(2) is used, and is not to be reaped; for that, SIGCHLD gets its default action with SA_NOCLDWAIT,
 * which execve(2) clears. When initsync_child_seccomp() succeeds it has ended; where a program is executed without that, it may
 * be left to that program as a zombie. Where no process can be made (RLIMIT_NPROC; after unshare(CLONE_NEWPID); in another thread
 * than the first) initsync_child_seccomp() makes one sendmsg(2) itself.
 *
 * Return: as above.
 */
int initsync_child_prepare_seccomp(struct initsync_child *child, struct initsync_error *reterr);

/**
 * initsync_child_seccomp() - hand the seccomp listener to the parent, after the filter is loaded
 * @listener_fd: stays the caller's
 *
 * Makes no system call but write(2) and read(2), and does not allocate. A parent that is gone is -ECONNRESET: a socket of
 * this type raises no SIGPIPE.
 *
 * Return: as above; -EBADF for a @listener_fd that is no descriptor: a negative one is found before anything is sent.
 */
int initsync_child_seccomp(struct initsync_child *child, int listener_fd, struct initsync_error *reterr);

/**
 * initsync_child_fail() - tell the parent why the child gives up; the last thing it says
 * @error:      what to tell; its text, code, step, path and mount index are sent
 *
 * Does nothing when procError went either way already, or the socket is gone.
 *
 * Return: 0, or a negative errno of the send.
 */
int initsync_child_fail(struct initsync_child *child, const struct initsync_error *error);

/** initsync_child_free() - close the socket (the parent sees end-of-file) and release memory */
struct initsync_child *initsync_child_free(struct initsync_child *child);

/**
 * initsync_attach() - put a mount source in place
 * @source_fd:  a detached mount
 * @target_fd:  O_PATH descriptor of the mount point, resolved by the caller inside the root file system
 * @reterr:     details of a failure, or NULL
 *
 * Return: 0; -EINVAL for a @source_fd that is no detached mount, before anything is moved; -EBADF; -ENOTDIR for a file onto
 * a directory or the reverse; -EPERM without the right to mount here.
 */
int initsync_attach(int source_fd, int target_fd, struct initsync_error *reterr);

/*
 * ---- The parts, for a runtime that needs one without the conversation ----
 */

/**
 * initsync_mount_open() - make the source of @mount here, in the caller's mount namespace
 * @mount:      @mount->source_fd must be -1
 * @ret_fd:     a detached mount
 * @reterr:     details of a failure, or NULL
 *
 * Return: 0; -EINVAL for a wrong @mount (call ""), for a file system that takes no id mapping (call "open_tree_attr" or
 * "mount_setattr"), in @reterr which, for attributes that the kernel does not take (the same calls), or for a mount that
 * cannot be cloned so (call "open_tree"); -ENOENT, -ELOOP
 * (a magic link without INITSYNC_MOUNT_MAGICLINK, too), -EACCES, -ENOTDIR for the path; -EPERM without the right; -EOPNOTSUPP
 * for what only open_tree_attr(2) can do (a source that is id-mapped already: below Linux 6.15, or recursively without
 * INITSYNC_MOUNT_IDMAP_RECURSIVE); -E2BIG for more than 10,000 mounts in one recursive clone; the errors of
 * initsync_userns_open().
 */
int initsync_mount_open(const struct initsync_mount *mount, int *ret_fd, struct initsync_error *reterr);

#define INITSYNC_OVERLAY_LAYERS_MAX 500 /* the kernel's own limit: OVL_MAX_STACK */

/**
 * struct initsync_overlay - a root file system of layers
 * @size:       set by INITSYNC_OVERLAY_INIT
 * @lower:      @n_lower absolute paths of directories, the uppermost layer first; 1 to INITSYNC_OVERLAY_LAYERS_MAX, 2 at
 *              least without @upper
 * @upper, @work: absolute paths of directories on one mount of one file system, for what is written; both NULL for an
 *              overlay that is read-only. @work is overlayfs's own, and empty to begin with
 * @uids, @gids: extents from ids on disk (inside) to those that processes of the container have on the host (outside),
 *              @n_uids and @n_gids of them (1 to INITSYNC_IDMAP_MAX); both or neither
 * @options:    @n_options of overlayfs, "KEY" or "KEY=VALUE": "volatile", "userxattr", "metacopy=on"
 * @attr_set:   MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, ... of fsmount(2)
 */
struct initsync_overlay {
        size_t size;
        const char *const *lower;
        size_t n_lower;
        const char *upper, *work;
        const struct initsync_idmap *uids, *gids;
        size_t n_uids, n_gids;
        const char *const *options;
        size_t n_options;
        uint64_t attr_set;
};
#define INITSYNC_OVERLAY_INIT { sizeof(struct initsync_overlay), NULL, 0, NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0 }

/**
 * initsync_overlay_open() - an overlay of id-mapped layers, as a detached mount
 * @overlay:    the layers
 * @ret_fd:     a detached mount, for initsync_attach() or the child that inherits it
 * @reterr:     details of a failure, or NULL
 *
 * With it a container with a user namespace needs no chown of its image: files keep the ids on disk that they have, those
 * that the container writes included. The layers are passed by descriptor; no mount appears in anybody's mountinfo but the
 * one that @ret_fd becomes. Where the kernel takes no detached layers by descriptor (6.12 does not) they are attached in the
 * mount namespace of a helper process. A mapped overlay with @upper is created by a helper process in any case, since
 * overlayfs writes with the credentials of its creator; that costs as much as fork(2) of the caller does. The caller's own
 * credentials and its dumpability stay as they are. Each layer is a descriptor until the overlay is there. The call may take
 * as long as the file servers of the layers do, the helper process 10 s: if it hangs then, initsync_abandoned() counts it.
 *
 * Return: 0; -EINVAL, -ERANGE, -E2BIG for a wrong @overlay, in @reterr which field; the errors of initsync_mount_open() for
 * a layer, and of initsync_userns_open(); -EXDEV for @upper and @work that are not on one mount; -EROFS for an upper layer
 * that the kernel cannot write to; -ESRCH when the helper process was killed from outside; -ETIMEDOUT when it hung; -EMFILE;
 * -EPERM without the right to mount; else what the kernel says to fsopen(2), fsconfig(2), fsmount(2) or mount(2), with its own
 * words in @reterr.
 */
int initsync_overlay_open(const struct initsync_overlay *overlay, int *ret_fd, struct initsync_error *reterr);

/**
 * initsync_idmap_parse() - "inside:outside:count[,...]" to at most @max extents
 * @text:       decimal digits, ':' and ',' only
 * @ret_extents: written on success only
 * @max:        room in @ret_extents
 * @ret_n:      how many there are
 *
 * Return: 0; -EINVAL for anything but that grammar, an empty text, a count of 0, extents that overlap inside or outside;
 * -ERANGE for a number or a range past 4294967295 (uid_map itself wraps modulo 2^32); -E2BIG for more than @max or
 * INITSYNC_IDMAP_MAX extents, or a text of 4,096 bytes and more in /proc/PID/uid_map.
 */
int initsync_idmap_parse(const char *text, struct initsync_idmap *ret_extents, size_t max, size_t *ret_n,
                         struct initsync_error *reterr);

/**
 * initsync_userns_open() - a new user namespace with these maps, as a descriptor
 * @uids, @gids: @n_uids and @n_gids extents, 1 to INITSYNC_IDMAP_MAX each
 * @ret_fd:     the user namespace, which lives as long as somebody has it open
 * @reterr:     details of a failure, or NULL
 *
 * No process is left behind, SIGCHLD is not raised, and waitpid(-1) of another thread cannot interfere. The cost does not
 * depend on the caller's memory, threads or descriptors.
 *
 * Return: 0; -EINVAL, -ERANGE, -E2BIG as initsync_idmap_parse(); -ESRCH when the helper process was killed from outside
 * before the maps were written (a second call may succeed); -EPERM where the caller may not map these ids or make user
 * namespaces; -EACCES for an ordinary caller that is not dumpable (prctl(2): after a change of its ids; its files in /proc
 * are root's then); -ENOSPC at the limit of user namespaces; -EAGAIN at that of processes; -EMFILE; -ENOSYS without a usable
 * /proc.
 */
int initsync_userns_open(const struct initsync_idmap *uids, size_t n_uids, const struct initsync_idmap *gids,
                         size_t n_gids, int *ret_fd, struct initsync_error *reterr);

/**
 * initsync_userns_cache_new() - a cache of user namespaces, shared between threads and sessions
 * @max:        how many it keeps (1 to 1,024); past that the one unused for longest goes
 *
 * Return: 0; -EINVAL for another @max; -ENOMEM.
 */
int initsync_userns_cache_new(struct initsync_userns_cache **ret_cache, size_t max);

/**
 * initsync_userns_cache_get() - the user namespace of these maps, made at the first call
 * @ret_fd:     a duplicate, the caller's
 *
 * The order of extents does not matter. A failure is not kept.
 *
 * Return: as initsync_userns_open(); -ENOMEM.
 */
int initsync_userns_cache_get(struct initsync_userns_cache *cache, const struct initsync_idmap *uids, size_t n_uids,
                              const struct initsync_idmap *gids, size_t n_gids, int *ret_fd, struct initsync_error *reterr);

/** initsync_userns_cache_free() - close what it keeps; descriptors handed out stay good */
struct initsync_userns_cache *initsync_userns_cache_free(struct initsync_userns_cache *cache);

enum initsync_seal {
        INITSYNC_SEAL_AUTO      = 0,    /* an overlay, else a memfd */
        INITSYNC_SEAL_OVERLAY   = 1,    /* the file itself, its pages shared, seen through an overlay without upper layer */
        INITSYNC_SEAL_MEMFD     = 2     /* a copy in memory of its own, with all seals */
};

/**
 * initsync_exe_seal() - the running executable as a file that no container can write to, to be executed in its place
 * @how:        enum initsync_seal
 * @ret_fd:     for execveat(fd, "", argv, envp, AT_EMPTY_PATH): its only name. O_PATH from an overlay
 * @reterr:     details of a failure, or NULL; of both ways where both were tried
 *
 * A container's process that gets at /proc/PID/exe of a runtime must not find the host's file there (CVE-2019-5736). A
 * runtime executes itself anew from this descriptor before a container can see it, unless initsync_exe_is_sealed().
 *
 * The overlay takes no path, leaves no mount in any mount namespace, and costs the same for executables of all sizes; it
 * needs Linux 6.15, and CAP_SYS_ADMIN in the user namespace that owns the mount namespace. The copy in memory needs neither,
 * but time and memory by size; it is the only one whose pages are not the host file's own. Neither has file capabilities or
 * a set-user-ID bit that counts.
 *
 * What is executed so no longer knows where it came from: /proc/self/exe reads "/NAME" or "/memfd:NAME (deleted)", and
 * $ORIGIN, programs that look for files beside themselves and libtool's wrappers go wrong. Scripts cannot be executed so.
 *
 * Return: 0; -EINVAL for another @how; -ENOSYS without a /proc that shows this process, -EXDEV with something mounted over
 * the process in it; -EMFILE.
 * With INITSYNC_SEAL_OVERLAY: -EPERM without the right; -ESTALE for an executable that its path no longer leads to (deleted,
 * replaced, or mounted over); -ENODEV without overlayfs, -ENOSYS without fsopen(2); -EINVAL, -EBADF or -EOPNOTSUPP (call
 * "fsconfig") for a kernel below 6.15, or a directory that overlayfs does not take (in a user namespace: with a mount below
 * it that is older than that); -EIO when the result does not prove to be sealed, where a filter denies statmount(2).
 * With INITSYNC_SEAL_MEMFD, and with INITSYNC_SEAL_AUTO when both ways failed: -EACCES for an executable that cannot be read
 * (call "open"), or where executable memory is forbidden (call "memfd_create": the sysctl vm.memfd_noexec); -ETXTBSY for a
 * file that was written to while it was copied; -ENOMEM; -EIO when the result does not prove to be sealed.
 */
int initsync_exe_seal(enum initsync_seal how, int *ret_fd, struct initsync_error *reterr);

/**
 * initsync_exe_is_sealed() - is the running executable the result of initsync_exe_seal(), or as good as that
 *
 * The kernel is asked for what the file is: nothing that a caller could set is looked at, no environment, argument or
 * descriptor. A memfd counts with all seals or more; a file of an overlay when its mount is read-only, nosuid and nodev,
 * and not in the mount namespace.
 *
 * Return: 1 yes; 0 no; -ENOSYS or -EXDEV as initsync_exe_seal(); -EACCES for a file on a tmpfs that cannot be read, whose
 * seals cannot be either; -EMFILE.
 */
int initsync_exe_is_sealed(void);

/**
 * initsync_feature() - what this kernel offers beyond the least
 * @name:       one of initsync_feature_name()
 *
 * Return: 1 yes; 0 this kernel lacks @name; -EPERM not with these privileges, or behind a filter that hides the answer;
 * -ENOENT unknown name.
 */
int initsync_feature(const char *name);

/** initsync_feature_name() - the names, from 0 on; NULL past the last */
const char *initsync_feature_name(size_t i);

/** initsync_version() - the library's own version, "0.1.0" */
const char *initsync_version(void);

#ifdef __cplusplus
}
#endif
#endif /* INITSYNC_H */
