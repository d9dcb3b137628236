/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "kernel.h"
#include "say.h"
#include "filter.h"

#define SECCOMP "config.json: linux.seccomp"

uint64_t filter_privileged(const struct filter *filter, bool no_new_privileges) {
        return filter->code && !no_new_privileges ? UINT64_C(1) << CAP_SYS_ADMIN : 0;
}

static int refused(int r, struct initsync_error *reterr) {
        switch (r) {
        case -EACCES:
                return fault(reterr, r, SECCOMP ": seccomp: without process.noNewPrivileges, loading a filter needs CAP_SYS_ADMIN");
        case -EBUSY:
                return fault(reterr, r, SECCOMP ": seccomp: a filter with a listener is loaded already, around this container");
        case -EINVAL:
                return fault(reterr, r, SECCOMP ": seccomp: this kernel lacks one of its flags or actions");
        default:
                return fault_call(reterr, r, "seccomp", SECCOMP);
        }
}

int filter_load(const struct filter *filter, struct initsync_child *child, struct initsync_error *reterr) {
        struct sock_fprog program = { .len = filter->n_code, .filter = filter->code };
        int r;

        if (!filter->code)
                return 0;
        /* Also without a listener: the failure of the execution is to be told by what the filter lets through. */
        r = initsync_child_prepare_seccomp(child, reterr);
        if (r < 0)
                return fault_in(reterr, "procSeccomp");
        r = kernel_seccomp_filter(filter->flags, &program);
        if (r < 0)
                return refused(r, reterr);
        if (!filter->notify)
                return 0;
        r = initsync_child_seccomp(child, r, reterr);
        return r < 0 ? fault_in(reterr, "procSeccomp") : 0;
}
