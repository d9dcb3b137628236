/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "privileges.h"
#include "say.h"

#define USER "config.json: process.user"
#define CAPABILITIES "config.json: process.capabilities"

#define KEYCTL_JOIN_SESSION_KEYRING 1

/* From Linux 4.3 on, later than some headers. */
#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_RAISE 2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif

/* What the kernel forgets whenever ids or capabilities change; whom it lets trace us then is up to fs.suid_dumpable. */
struct forgotten {
        int signal;     /* at the parent's death */
        bool hidden;    /* as dumpable_end() leaves us */
};

static struct forgotten remember(void) {
        struct forgotten forgotten = { .hidden = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 };

        prctl(PR_GET_PDEATHSIG, &forgotten.signal, 0, 0, 0);
        return forgotten;
}

static int remind(const struct forgotten *forgotten, struct initsync_error *reterr) {
        if (forgotten->hidden && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return fault_call(reterr, -errno, "prctl", "PR_SET_DUMPABLE");
        return prctl(PR_SET_PDEATHSIG, forgotten->signal, 0, 0, 0) < 0 ? fault_call(reterr, -errno, "prctl", NULL) : 0;
}

static int set_ids(uid_t uid, gid_t gid, const gid_t *groups, size_t n_groups, struct initsync_error *reterr) {
        /* A user namespace may deny setgroups(): where there are none to set, there is nothing to do. */
        if (setgroups(n_groups, groups) < 0 && !(errno == EPERM && n_groups == 0))
                return fault_call(reterr, -errno, "setgroups", USER ".additionalGids");
        if (setresgid(gid, gid, gid) < 0)
                return fault_call(reterr, -errno, "setresgid", USER ".gid");
        if (setresuid(uid, uid, uid) < 0)
                return fault_call(reterr, -errno, "setresuid", USER ".uid");
        return 0;
}

int privileges_root(struct initsync_error *reterr) {
        const struct forgotten forgotten = remember();
        int r;

        if (setgroups(0, NULL) < 0 && errno != EPERM)
                return fault_call(reterr, -errno, "setgroups", NULL);
        if (setresgid(0, 0, 0) < 0)
                r = fault_call(reterr, -errno, "setresgid", "config.json: linux.gidMappings");
        else if (setresuid(0, 0, 0) < 0)
                r = fault_call(reterr, -errno, "setresuid", "config.json: linux.uidMappings");
        else
                r = remind(&forgotten, reterr);
        return r;
}

static int drop_bounding(uint64_t keep, struct initsync_error *reterr) {
        cap_value_t value;

        /* The last one is what this kernel knows. */
        for (value = 0; value < 64 && prctl(PR_CAPBSET_READ, value, 0, 0, 0) >= 0; value++) {
                if (keep & (UINT64_C(1) << value))
                        continue;
                if (prctl(PR_CAPBSET_READ, value, 0, 0, 0) > 0 && prctl(PR_CAPBSET_DROP, value, 0, 0, 0) < 0)
                        return fault_call(reterr, -errno, "prctl", CAPABILITIES ".bounding");
        }
        return 0;
}

static int fill(cap_t caps, cap_flag_t flag, uint64_t set) {
        cap_value_t value;

        for (value = 0; value < 64; value++)
                if ((set & (UINT64_C(1) << value)) && cap_set_flag(caps, flag, 1, &value, CAP_SET) < 0)
                        return -errno;
        return 0;
}

static int set_capabilities(const uint64_t sets[static N_CAPABILITY_SETS], uint64_t still, uint64_t can,
                            struct initsync_error *reterr) {
        cap_t caps = cap_init();
        int r;

        if (!caps)
                return fault_call(reterr, -errno, "cap_init", NULL);
        r = fill(caps, CAP_PERMITTED, (sets[CAPABILITY_PERMITTED] | still) & can);
        if (r == 0)
                r = fill(caps, CAP_EFFECTIVE, (sets[CAPABILITY_EFFECTIVE] | still) & can);
        if (r == 0)
                r = fill(caps, CAP_INHERITABLE, sets[CAPABILITY_INHERITABLE] & can);
        if (r == 0 && cap_set_proc(caps) < 0)
                r = -errno;
        cap_free(caps);
        return r < 0 ? fault_call(reterr, r, "capset", CAPABILITIES) : 0;
}

static int set_ambient(uint64_t set, struct initsync_error *reterr) {
        cap_value_t value;

        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                return fault_call(reterr, -errno, "prctl", CAPABILITIES ".ambient");
        for (value = 0; value < 64; value++)
                if ((set & (UINT64_C(1) << value)) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, value, 0, 0) < 0)
                        return fault_call(reterr, -errno, "prctl", CAPABILITIES ".ambient");
        return 0;
}

/*
 * The bounding set while there is CAP_SETPCAP to drop from it; then the ids, across which the permitted set is kept, not the
 * effective one; then the rest.
 */
static int enter(const struct process *process, uint64_t still, struct initsync_error *reterr) {
        const uint64_t *sets = process->capabilities;
        uint64_t can = capabilities_permitted();
        int r;

        r = drop_bounding(sets[CAPABILITY_BOUNDING], reterr);
        if (r == 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                r = fault_call(reterr, -errno, "prctl", NULL);
        if (r == 0)
                r = set_ids(process->uid, process->gid, process->groups, process->n_groups, reterr);
        if (r == 0)
                r = set_capabilities(sets, still, can, reterr);
        if (r == 0 && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0)
                r = fault_call(reterr, -errno, "prctl", NULL);
        /*
         * `runc spec` asks for ambient ones that are not inheritable, which the kernel grants to nobody: they are left out,
         * as runc and crun do.
         */
        if (r == 0)
                r = set_ambient(sets[CAPABILITY_AMBIENT] & sets[CAPABILITY_INHERITABLE] & sets[CAPABILITY_PERMITTED] & can,
                                reterr);
        return r;
}

/*
 * getppid() tells nothing in a PID namespace. A process that dies closes its files before it signals its children, so that
 * one whose socket is open has the signal yet to send.
 */
static bool orphaned(int lifeline) {
        struct pollfd look = { .fd = lifeline, .events = 0 };

        return poll(&look, 1, 0) > 0 && (look.revents & POLLHUP);
}

int privileges_new_keyring(struct initsync_error *reterr) {
        /* Else the session keyring of whoever started us is the container's, too; no namespace covers it. */
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL, 0, 0, 0) >= 0 || errno == ENOSYS)
                return 0;
        /* The filter of a container around us, as Docker's profile is: it has the container use no keys either. */
        if (errno == EPERM) {
                say("warning: session keyring: keyctl: %s: the container keeps the one of its runtime", strerror(EPERM));
                return 0;
        }
        if (errno == EDQUOT) {
                fault_call(reterr, -EDQUOT, "keyctl", "session keyring");
                return fault_in(reterr, "the user has all the keys that kernel.keys.maxkeys allows, or maxbytes; "
                                "root_maxkeys for root");
        }
        return fault_call(reterr, -errno, "keyctl", "session keyring");
}

int privileges_enter(const struct process *process, uint64_t still, int lifeline, struct initsync_error *reterr) {
        const struct forgotten forgotten = remember();
        int r;

        if (process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return fault_call(reterr, -errno, "prctl", "config.json: process.noNewPrivileges");
        r = enter(process, still, reterr);
        if (r == 0)
                r = remind(&forgotten, reterr);
        if (r == 0 && forgotten.signal && orphaned(lifeline))
                r = fault(reterr, -ECONNRESET, "the parent died");
        return r;
}
