/* SPDX-License-Identifier: MIT */
/* Sealing where the kernel lacks what it takes: overlays of descriptors, executable memory, a /proc that is one. */
#include "support/support.h"

#include <sys/mount.h>
#include <sys/wait.h>
#include "kernel/syscalls.h"
#include "support/deny.h"
#include "support/file.h"
#include "support/forked.h"
#include "support/namespace.h"
#include "support/process.h"
#include "support/sealing.h"

/* ---- what the kernel lacks -------------------------------------------------- */

static void no_overlay(int call, int arg, unsigned value, int code, const char *name) {
        int status;
        pid_t pid = process_fork();

        if (pid == 0) {
                if (arg < 0)
                        deny_call(call, code);
                else
                        deny_call_if(call, arg, value, code);
                seal_fails(INITSYNC_SEAL_OVERLAY, -code, name, strerror(code));
                seal_works(INITSYNC_SEAL_AUTO, SEAL_OWN);
                _exit(0);
        }
        assert(waitpid(pid, &status, 0) == pid && status == 0);
}

static void lacks(void) {
        no_overlay(NR_fsopen, -1, 0, ENOSYS, "fsopen");
        no_overlay(NR_fsopen, -1, 0, EPERM, "fsopen");
        no_overlay(NR_fsopen, -1, 0, ENODEV, "fsopen");
        no_overlay(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EOPNOTSUPP, "fsconfig");
        no_overlay(NR_fsconfig, 1, SYS_FSCONFIG_SET_FD, EBADF, "fsconfig");
        no_overlay(NR_fsconfig, 1, SYS_FSCONFIG_CMD_CREATE, EINVAL, "fsconfig");
        no_overlay(NR_fsmount, -1, 0, EPERM, "fsmount");
}

/* What cannot be known to be sealed afterwards is not given out: it would be sealed again and again. */
static void no_proof(void) {
        seal_need_overlay();
        deny_call(NR_statmount, ENOSYS);
        seal_fails(INITSYNC_SEAL_OVERLAY, -EIO, "", "does not prove to be sealed");
        seal_works(INITSYNC_SEAL_AUTO, SEAL_OWN);
}

/* The sysctl is that of a pid namespace. */
static void with_noexec(void) {
        assert(mount("proc", "/proc", "proc", 0, NULL) == 0);
        assert(file_write("/proc/sys/vm/memfd_noexec", "1") == 0);
        seal_works(INITSYNC_SEAL_MEMFD, SEAL_OWN);
        assert(file_write("/proc/sys/vm/memfd_noexec", "2") == 0);
        assert(initsync_feature("memfd_exec") == -EPERM);
        seal_fails(INITSYNC_SEAL_MEMFD, -EACCES, "memfd_create", "in memory: memfd_create: executable memory is forbidden");
        seal_works_by_overlay(SEAL_OWN);
        if (seal_has_overlay())
                seal_works(INITSYNC_SEAL_AUTO, SEAL_OWN);
        else
                seal_fails(INITSYNC_SEAL_AUTO, -EACCES, "memfd_create", "by an overlay: ");
        deny_call(NR_fsopen, EPERM);
        seal_fails(INITSYNC_SEAL_AUTO, -EACCES, "memfd_create",
                   "by an overlay: fsopen: Operation not permitted; in memory: ");
        assert(umount2("/proc", MNT_DETACH) == 0);
}

static void memfd_noexec(void) {
        if (access("/proc/sys/vm/memfd_noexec", F_OK) < 0)
                forked_skip("no vm.memfd_noexec before Linux 6.3");
        if (initsync_feature("memfd_exec") == 0)
                forked_skip("no MFD_EXEC before Linux 6.3");
        namespace_pids(with_noexec);
}

/* ---- /proc ------------------------------------------------------------------ */

static void no_proc(int code) {
        seal_fails(INITSYNC_SEAL_AUTO, code, "open", "/proc/self/exe");
        assert(initsync_exe_is_sealed() == code);
}

static void replaced_proc(void) {
        assert(mount("tmpfs", "/proc", "tmpfs", 0, NULL) == 0);
        make_dir("/proc/self");
        assert(symlink("/bin/sh", "/proc/self/exe") == 0);
        no_proc(-ENOSYS);
}

/* A directory of a true procfs. */
static void part_of_proc(void) {
        assert(mount("/proc/self/task", "/proc", NULL, MS_BIND, NULL) == 0);
        no_proc(-ENOSYS);
}

static void covered_process(void) {
        assert(mount("tmpfs", "/proc/self", "tmpfs", 0, NULL) == 0);
        assert(symlink("/bin/sh", "/proc/self/exe") == 0);
        no_proc(-EXDEV);
}

/* Which only the newer calls can do: they need not follow the link. */
static void covered_link(void) {
        int from = sys_open_tree(AT_FDCWD, "/bin/sh", SYS_OPEN_TREE_CLONE | SYS_OPEN_TREE_CLOEXEC);
        int to = open("/proc/self/exe", O_PATH | O_NOFOLLOW | O_CLOEXEC), r;

        assert(from >= 0 && to >= 0);
        r = sys_move_mount(from, "", to, "", SYS_MOVE_MOUNT_F_EMPTY_PATH | SYS_MOVE_MOUNT_T_EMPTY_PATH);
        close(from);
        close(to);
        if (r < 0)
                forked_skip("move_mount: %s: no mounts over links here", strerror(-r));
        no_proc(-EXDEV);
}

/* Another pid namespace's procfs shows this process under another number, or not at all. */
static void with_proc_of_parent(void) {
        seal_works_by_overlay(SEAL_OWN);
        seal_works(INITSYNC_SEAL_MEMFD, SEAL_OWN);
}

static void proc_of_parent(void) {
        namespace_pids(with_proc_of_parent);
}

static void mounts_proc(void) {
        assert(mount("proc", "/proc", "proc", 0, NULL) == 0);
}

static void proc_of_child(void) {
        namespace_pids(mounts_proc);
        no_proc(-ENOSYS);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                FORKED(lacks, 0),
                FORKED(no_proof, 0),
                FORKED(memfd_noexec, FORKED_ROOT),
                FORKED(replaced_proc, FORKED_KEEPS),
                FORKED(part_of_proc, FORKED_KEEPS),
                FORKED(covered_process, FORKED_KEEPS),
                FORKED(covered_link, FORKED_KEEPS),
                FORKED(proc_of_parent, 0),
                FORKED(proc_of_child, FORKED_KEEPS),
        };

        seal_main(argc, argv);
        return forked_main(argc, argv, "root-seal-kernel", tests, sizeof(tests) / sizeof(tests[0]));
}
