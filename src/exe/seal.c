/* SPDX-License-Identifier: MIT */
#include "base/error.h"
#include "exe/exe.h"
#include "exe/memfd.h"
#include "exe/overlay.h"
#include "kernel/fd.h"

/* Whatever was done for it: what is given out is looked at. */
static int checked(int result, int *fd, struct initsync_error *reterr) {
        int r = result < 0 ? result : exe_sealed(*fd);

        if (r > 0)
                return 0;
        if (result == 0)
                r = error_say(reterr, r < 0 ? r : -EIO, INITSYNC_STAGE_SEAL, "", NULL,
                              "the copy was made, but does not prove to be sealed");
        *fd = fd_close(*fd);
        return r;
}

static int refuse(struct initsync_error *reterr, struct initsync_error *why, const struct exe *exe) {
        error_path(why, exe->path);
        error_prefix(why, "cannot seal %s", exe->path);
        if (reterr)
                *reterr = *why;
        return why->code;
}

static int seal(const struct exe *exe, enum initsync_seal how, int *ret_fd, struct initsync_error *reterr) {
        struct initsync_error overlay = INITSYNC_ERROR_INIT, memory = INITSYNC_ERROR_INIT;
        int r;

        if (how != INITSYNC_SEAL_MEMFD) {
                r = checked(overlay_seal(exe, ret_fd, &overlay), ret_fd, &overlay);
                error_prefix(&overlay, "by an overlay");
                if (r == 0 || how == INITSYNC_SEAL_OVERLAY)
                        return r < 0 ? refuse(reterr, &overlay, exe) : 0;
        }
        r = checked(memfd_seal(exe, ret_fd, &memory), ret_fd, &memory);
        error_prefix(&memory, how == INITSYNC_SEAL_MEMFD ? "in memory" : "%s; in memory", overlay.text);
        return r < 0 ? refuse(reterr, &memory, exe) : 0;
}

PUBLIC int initsync_exe_seal(enum initsync_seal how, int *ret_fd, struct initsync_error *reterr) {
        struct exe exe = EXE_INIT;
        int fd = -1, r;

        if ((unsigned)how > INITSYNC_SEAL_MEMFD)
                return error_say(reterr, -EINVAL, INITSYNC_STAGE_SEAL, "", NULL, "%d is no way to seal an executable",
                                 (int)how);
        r = exe_open(&exe, reterr);
        if (r == 0)
                r = seal(&exe, how, &fd, reterr);
        exe_close(&exe);
        if (r == 0)
                *ret_fd = fd;
        return r;
}
