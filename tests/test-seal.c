/* SPDX-License-Identifier: MIT */
/* Sealing the executable in memory, and as whoever runs this; each thing that can go wrong with it. */
#include "support/support.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "exe/exe.h"
#include "exe/memfd.h"
#include "kernel/fd.h"
#include "kernel/procfs.h"
#include "support/deny.h"
#include "support/namespace.h"
#include "support/sealing.h"
#include "support/supervised.h"

#define ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* In a process of its own, which a filter or a limit does not outlive. */
static void apart(void (*body)(void)) {
        int status = -1;
        pid_t pid;

        fflush(NULL);
        pid = fork();
        if (pid == 0) {
                body();
                exit(0);
        }
        assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
        assert_int_equal(status, 0);
}

#define APART(name) \
        static void test_##name(void **state) { \
                (void)state; \
                apart(name); \
        }

static void how(void) {
        seal_fails((enum initsync_seal)3, -EINVAL, "", "3 is no way");
        seal_fails((enum initsync_seal)-1, -EINVAL, "", "-1 is no way");
        assert(initsync_exe_is_sealed() == 0);
}
APART(how)

static void memory(void) {
        int fd = seal(INITSYNC_SEAL_MEMFD, NULL), seals;

        assert(fd >= 0);
        seals = fcntl(fd, F_GET_SEALS);
        assert((seals & ALL) == ALL);
        assert(initsync_feature("memfd_exec") != 1 || (seals & SYS_F_SEAL_EXEC));
        close(fd);
        seal_works(INITSYNC_SEAL_MEMFD, SEAL_OWN);
        seal_works(INITSYNC_SEAL_AUTO, SEAL_OWN);
}
APART(memory)

/* All the library's descriptors stay clear of 0, 1 and 2. */
static void closed_streams(void) {
        int fd = -1;

        close(0);
        close(1);
        assert(initsync_exe_seal(INITSYNC_SEAL_MEMFD, &fd, NULL) == 0 && fd >= 3 && fcntl(0, F_GETFD) < 0);
}
APART(closed_streams)

/* Outside of a user namespace of his own nobody but root may make an overlay. */
static void ordinary(void) {
        struct initsync_error error;

        if (geteuid() == 0) {
                namespace_ordinary();
                assert(prctl(PR_SET_DUMPABLE, 1) == 0);
        }
        assert(initsync_feature("overlay_layer_fd") == -EPERM);
        assert(initsync_feature("memfd_exec") != -EPERM);
        if (seal(INITSYNC_SEAL_MEMFD, &error) == -EACCES)
                exit(fprintf(stderr, "%s\n", error.text) < 0);  /* the build directory is root's alone */
        seal_works(INITSYNC_SEAL_MEMFD, SEAL_OWN);
        seal_works(INITSYNC_SEAL_AUTO, SEAL_OWN);
        seal_fails(INITSYNC_SEAL_OVERLAY, -EPERM, "fsopen", "by an overlay: fsopen: Operation not permitted");
}
APART(ordinary)

/* One with fewer seals is not sealed, one with more is. */
static void test_seals(void **state) {
        static const struct {
                int seals, sealed;
        } cases[] = {
                { 0, 0 }, { ALL & ~F_SEAL_SEAL, 0 }, { ALL & ~F_SEAL_SHRINK, 0 }, { ALL & ~F_SEAL_GROW, 0 },
                { ALL & ~F_SEAL_WRITE, 0 }, { (ALL & ~F_SEAL_WRITE) | F_SEAL_FUTURE_WRITE, 0 }, { ALL, 1 },
                { ALL | F_SEAL_FUTURE_WRITE, 1 },
        };
        int pair[2], file;
        size_t i;

        (void)state;
        for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                int fd = memfd_create("seals", MFD_CLOEXEC | MFD_ALLOW_SEALING);

                assert_true(fd >= 0 && fcntl(fd, F_ADD_SEALS, cases[i].seals) == 0);
                assert_int_equal(exe_sealed(fd), cases[i].sealed);
                close(fd);
        }
        assert_int_equal(pipe(pair), 0);
        file = open(SEAL_OWN, O_RDONLY | O_CLOEXEC);
        assert_int_equal(memfd_sealed(pair[0]), 0);
        assert_int_equal(memfd_sealed(file), 0);
        assert_int_equal(exe_sealed(file), 0);
        assert_int_equal(exe_sealed(-1), -EBADF);
        close(file);
        close(pair[0]);
        close(pair[1]);
}

/* ---- kernels that are older, or in a filter --------------------------------- */

static void no_mfd_exec(void) {
        deny_call_if(SYS_memfd_create, 1, MFD_CLOEXEC | MFD_ALLOW_SEALING | SYS_MFD_EXEC, EINVAL);
        deny_call_if(SYS_fcntl, 2, ALL | SYS_F_SEAL_EXEC, EINVAL);
        seal_works(INITSYNC_SEAL_MEMFD, SEAL_OWN);
}
APART(no_mfd_exec)

static void no_sendfile(void) {
        deny_call(SYS_sendfile, ENOSYS);
        seal_works(INITSYNC_SEAL_MEMFD, SEAL_OWN);
}
APART(no_sendfile)

static void unreadable(void) {
        deny_call(SYS_sendfile, EIO);
        seal_fails(INITSYNC_SEAL_MEMFD, -EIO, "sendfile", "in memory: sendfile: Input/output error");
}
APART(unreadable)

static void no_memory(void) {
        deny_call(SYS_memfd_create, ENOMEM);
        seal_fails(INITSYNC_SEAL_MEMFD, -ENOMEM, "memfd_create", "in memory: memfd_create: Cannot allocate memory");
        assert(initsync_feature("memfd_exec") == 0);
}
APART(no_memory)

static void forbidden(void) {
        deny_call(SYS_memfd_create, EACCES);
        seal_fails(INITSYNC_SEAL_MEMFD, -EACCES, "memfd_create", "vm.memfd_noexec");
        assert(initsync_feature("memfd_exec") == -EPERM);
}
APART(forbidden)

static void neither(void) {
        struct initsync_error error;

        deny_call(SYS_memfd_create, EACCES);
        deny_call(NR_fsopen, ENODEV);
        seal_fails(INITSYNC_SEAL_OVERLAY, -ENODEV, "fsopen", "by an overlay: fsopen: No such device");
        seal_fails(INITSYNC_SEAL_AUTO, -EACCES, "memfd_create",
                   "by an overlay: fsopen: No such device; in memory: memfd_create: ");
        assert(seal(INITSYNC_SEAL_AUTO, &error) == -EACCES);
        assert(strncmp(error.text, "cannot seal /", 13) == 0 && error.path[0] == '/');
        assert(initsync_feature("overlay_layer_fd") == 0);
}
APART(neither)

static void no_seals(void) {
        deny_call_if(SYS_fcntl, 1, F_ADD_SEALS, EPERM);
        seal_fails(INITSYNC_SEAL_MEMFD, -EPERM, "fcntl", "in memory: fcntl: Operation not permitted");
}
APART(no_seals)

/* What says that it sealed, and did not. */
static void lies(void) {
        deny_call_if(SYS_fcntl, 1, F_ADD_SEALS, 0);
        seal_fails(INITSYNC_SEAL_MEMFD, -EIO, "", "does not prove to be sealed");
}
APART(lies)

static void full_table(void) {
        struct rlimit limit = { 0, 0 }, before;
        int fd;

        assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        before = limit;
        limit.rlim_cur = (rlim_t)open("/", O_RDONLY | O_CLOEXEC);
        assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        assert(initsync_exe_seal(INITSYNC_SEAL_AUTO, &fd, NULL) == -EMFILE);
        assert(initsync_exe_seal(INITSYNC_SEAL_MEMFD, &fd, NULL) == -EMFILE);
        assert(initsync_exe_is_sealed() == -EMFILE);
        assert(setrlimit(RLIMIT_NOFILE, &before) == 0);
}
APART(full_table)

/* ---- copying ---------------------------------------------------------------- */

#define SIZE 3000000L

static int source = -1, target = -1;

/* A file that has a byte of its own at each place, near enough. */
static void make_files(void) {
        long i;
        static char data[SIZE];

        for (i = 0; i < SIZE; i++)
                data[i] = (char)(i % 251);
        source = memfd_create("source", MFD_CLOEXEC);
        target = memfd_create("target", MFD_CLOEXEC);
        assert(write(source, data, SIZE) == SIZE && lseek(source, 0, SEEK_SET) == 0);
}

static int same_files(void) {
        char names[2][32];

        snprintf(names[0], sizeof(names[0]), "/proc/self/fd/%d", source);
        snprintf(names[1], sizeof(names[1]), "/proc/self/fd/%d", target);
        return seal_same(names[0], names[1]);
}

static int copied(struct initsync_error *error) {
        return memfd_copy(source, target, error);
}

static ssize_t part(size_t n) {
        return sendfile_of_supervisor(target, source, n);
}

/* Short copies, one byte of them, and an interruption. */
static long short_copies(int call) {
        static const size_t sizes[] = { 1, 4095, 0, 1000000 };

        if (call >= 4)
                return SUPERVISED_GO_ON;
        return sizes[call] ? part(sizes[call]) : -EINTR;
}

static void copy_short(void) {
        make_files();
        supervised(SYS_sendfile, short_copies);
        assert(copied(NULL) == 0 && same_files());
        assert(supervised_calls() == 5);
}
APART(copy_short)

/* The rest by read and write. */
static long gives_up(int call) {
        return call == 0 ? part(12345) : -EINVAL;
}

static void copy_both_ways(void) {
        make_files();
        supervised(SYS_sendfile, gives_up);
        assert(copied(NULL) == 0 && same_files());
        assert(supervised_calls() == 2);
}
APART(copy_both_ways)

static int change;              /* of size; 0: of contents alone */

static long changes(int call) {
        struct timespec times[2];
        struct stat st;

        if (call == 0)
                return part(100000);
        assert(fstat(source, &st) == 0);
        usleep(20000);          /* the clock of file times moves in steps of 10 ms at most */
        if (change) {
                /* The size alone must tell. */
                times[0] = st.st_atim;
                times[1] = st.st_mtim;
                assert(ftruncate(source, SIZE + change) == 0 && futimens(source, times) == 0);
        } else {
                assert(pwrite(source, "x", 1, 0) == 1);
        }
        return SUPERVISED_GO_ON;
}

static void copy_changing(void) {
        struct initsync_error error = INITSYNC_ERROR_INIT;

        make_files();
        supervised(SYS_sendfile, changes);
        assert(copied(&error) == -ETXTBSY && error.code == -ETXTBSY && strstr(error.text, "written to while it was copied"));
}

#define CHANGING(name, by) \
        static void test_##name(void **state) { \
                (void)state; \
                change = by; \
                apart(copy_changing); \
        }
CHANGING(copy_written, 0)
CHANGING(copy_cut, -1000000)
CHANGING(copy_longer, 4096)

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_how),
                cmocka_unit_test(test_memory),
                cmocka_unit_test(test_closed_streams),
                cmocka_unit_test(test_ordinary),
                cmocka_unit_test(test_seals),
                cmocka_unit_test(test_no_mfd_exec),
                cmocka_unit_test(test_no_sendfile),
                cmocka_unit_test(test_unreadable),
                cmocka_unit_test(test_no_memory),
                cmocka_unit_test(test_forbidden),
                cmocka_unit_test(test_neither),
                cmocka_unit_test(test_no_seals),
                cmocka_unit_test(test_lies),
                cmocka_unit_test(test_full_table),
                cmocka_unit_test(test_copy_short),
                cmocka_unit_test(test_copy_both_ways),
                cmocka_unit_test(test_copy_written),
                cmocka_unit_test(test_copy_cut),
                cmocka_unit_test(test_copy_longer),
        };

        seal_main(argc, argv);
        return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
