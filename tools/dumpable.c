/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <unistd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include "cleanup.h"
#include "dumpable.h"
#include "say.h"

static void caps_freep(cap_t *caps) {
        if (*caps)
                cap_free(*caps);
}

static bool may_trace(void) {
        _cleanup_(caps_freep) cap_t caps = cap_get_proc();
        cap_flag_value_t value = CAP_CLEAR;

        return caps && cap_get_flag(caps, CAP_SYS_PTRACE, CAP_EFFECTIVE, &value) == 0 && value == CAP_SET;
}

bool dumpable_hide(void) {
        if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                return false;
        /* The file belongs to root of the user namespace that our memory is of, as those of the other one will. */
        if (may_trace() && faccessat(AT_FDCWD, "/proc/self/uid_map", W_OK, AT_EACCESS) == 0)
                return true;
        dumpable_show(true);
        return false;
}

void dumpable_show(bool hidden) {
        if (hidden)
                prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

bool dumpable_reached(void) {
        bool hidden = dumpable_hide();

        dumpable_show(hidden);
        return hidden;
}

int dumpable_end(struct initsync_error *reterr) {
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? fault_call(reterr, -errno, "prctl", "PR_SET_DUMPABLE") : 0;
}
