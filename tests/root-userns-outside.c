/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/duo.h"
#include "support/left.h"
#include "support/namespace.h"

#include <dirent.h>
#include <sched.h>
#include <sys/prctl.h>

/*
 * An ordinary user's runtime outside of the child's user namespace. A task of it that entered there would share the
 * runtime's memory while the child's root may trace it: mounts are refused instead, in words, and no task ever does.
 */

#define LOOK_MS 300

static volatile char secret[] = "untouched";

/* A child of the same user and with all capabilities of its namespace reaches the memory of no process but of one within. */
static int reaches(int pid) {
        char name[64];
        int fd;

        snprintf(name, sizeof(name), "/proc/%d/mem", pid);
        fd = open(name, O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return 0;
        fprintf(stderr, "# the memory of process %d can be opened\n", pid);
        if (pwrite(fd, "overwrote", 9, (off_t)(uintptr_t)secret) < 0)
                fprintf(stderr, "# but not written: %s\n", strerror(errno));
        close(fd);
        return 1;
}

static int reaches_any(void) {
        struct dirent *entry;
        DIR *dir = opendir("/proc");
        int found = 0;

        if (!dir)
                return 1;
        while ((entry = readdir(dir)))
                if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid())
                        found |= reaches(atoi(entry->d_name));
        closedir(dir);
        return found;
}

static int asks(int socket, void *arg) {
        unsigned uid = geteuid(), gid = getegid();
        int64_t start = duo_now();
        char packet[4096];
        int fd = -1;

        (void)arg;
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                return 77;
        namespace_map(uid, gid);
        BARE_CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
        BARE_CHECK(bare_send(socket, BARE_MOUNT("/")) == 0);
        do
                BARE_CHECK(!reaches_any());
        while (duo_now() - start < LOOK_MS);
        BARE_CHECK(bare_receive(socket, packet, sizeof(packet), &fd) > 0 && fd == -1);
        BARE_CHECK(strstr(packet, "procError") && strstr(packet, "CAP_SYS_ADMIN"));
        BARE_CHECK(bare_receive(socket, packet, sizeof(packet), &fd) == 0 && fd == -1);
        return 0;
}

static void test_refused(void **state) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct duo duo;

        (void)state;
        mount.source = "/";
        duo_init(&duo);
        duo.options.allow = NULL;
        duo.options.mounts = &mount;
        duo.options.n_mounts = 1;
        duo.options.grace_ms = 5000;
        duo_start(&duo, asks, NULL);
        duo_run(&duo);
        assert_string_equal((const char *)secret, "untouched");
        if (duo.result == -ECONNRESET && duo.error.status == 77 << 8) {
                duo_end(&duo);
                skip();                 /* no user namespaces for ordinary users */
        }
        duo_failed(&duo, -EPERM, INITSYNC_STAGE_MOUNT, INITSYNC_STEP_MOUNTS,
                    "CAP_SYS_ADMIN in the user namespace that owns it");
        assert_string_equal(duo.error.call, "setns");
        assert_int_equal(duo.error.request, 0);
        assert_string_equal(duo_trace(&duo), "> procMountPlease, < procError");
        duo_end(&duo);
        assert_int_equal(duo.status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                left_test(test_refused),
        };

        /* An ordinary user can try it, too; who is in a user namespace of his own may join the child's. */
        if (geteuid() == 0 && !namespace_root()) {
                printf("1..0 # SKIP needs root, or an ordinary user\n");
                return 0;
        }
        if (geteuid() == 0)
                namespace_ordinary();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
