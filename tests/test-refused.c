/* SPDX-License-Identifier: MIT */
#include "support/support.h"
#include "support/bare.h"
#include "support/bytes.h"
#include "support/duo.h"

#include "base/attr.h"
#include "mount/overlay_options.h"
#include "mount/request.h"

/* What an embedder gets wrong about a mount or an overlay: each field is named, and nothing is done. */

static const struct initsync_idmap map[] = { { 0, 100000, 65536 } };

static char *path_of(size_t n) {
        char *path = malloc(n + 1);

        assert(path);
        memset(path, 'x', n);
        path[0] = '/';
        path[n] = '\0';
        return path;
}

static struct initsync_mount good_mount(void) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = "/s";
        mount.destination = "/d";
        return mount;
}

static void refused(const struct initsync_mount *mount, enum request_for use, const char *field) {
        struct initsync_error error;

        memset(&error, 0xab, sizeof(error));
        assert_int_equal(request_check(mount, use, &error), -EINVAL);
        assert_int_equal(error.stage, INITSYNC_STAGE_WIRE);
        bytes_contain(error.text, field);
}

static void test_mount_paths(void **state) {
        char *most = path_of(4095), *more = path_of(4096);
        struct initsync_mount mount = good_mount();

        (void)state;
        mount.source = mount.destination = mount.userns_path = most;
        assert_int_equal(request_check(&mount, REQUEST_CHILD, NULL), 0);
        mount.destination = more;
        refused(&mount, REQUEST_CHILD, "mount: destination: expected");
        mount = good_mount();
        mount.userns_path = more;
        refused(&mount, REQUEST_CHILD, "mount: userns_path: expected a path");
        mount = good_mount();
        mount.source = more;
        refused(&mount, REQUEST_CHILD, "mount: source: expected");
        /* The child's request names it; who serves it needs to have it. */
        mount = good_mount();
        mount.userns_path = "/proc/7/ns/user";
        refused(&mount, REQUEST_LIST, "mount: userns_path: expected a userns_fd with it");
        mount.userns_fd = 0;
        assert_int_equal(request_check(&mount, REQUEST_LIST, NULL), 0);
        refused(&mount, REQUEST_CHILD, "mount: userns_fd: expected -1");
        free(most);
        free(more);
}

static void test_mount_maps(void **state) {
        struct initsync_mount mount = good_mount();

        (void)state;
        mount.n_uids = mount.n_gids = 1;
        refused(&mount, REQUEST_LIST, "uids and gids: expected as many extents");
        mount.uids = map;
        refused(&mount, REQUEST_LIST, "uids and gids: expected as many extents");
        mount.uids = NULL;
        mount.gids = map;
        refused(&mount, REQUEST_LIST, "uids and gids: expected as many extents");
        mount.uids = map;
        assert_int_equal(request_check(&mount, REQUEST_LIST, NULL), 0);
        mount.n_gids = 0;
        refused(&mount, REQUEST_LIST, "uids and gids: expected both or neither");
}

static const char *const layers[] = { "/l0", "/l1" };

static struct initsync_overlay good_overlay(void) {
        struct initsync_overlay overlay = INITSYNC_OVERLAY_INIT;

        overlay.lower = layers;
        overlay.n_lower = ARRAY_SIZE(layers);
        overlay.upper = "/rw/upper";
        overlay.work = "/rw/work";
        return overlay;
}

static void overlay_refused(const struct initsync_overlay *overlay, const char *text) {
        struct initsync_error error;

        memset(&error, 0xab, sizeof(error));
        assert_int_equal(overlay_check(overlay, &error), -EINVAL);
        assert_int_equal(error.stage, INITSYNC_STAGE_WIRE);
        bytes_contain(error.text, text);
}

/* What is compared as text must mean what it says; what only looks like "." and ".." is a name as any other. */
static void test_overlay_paths(void **state) {
        static const char *const wrong[] = { "", "rw", "/.", "/..", "/a/./b", "/a/../b", "/a/.", "/a/..", "//a", "/a//b", "/.x/.." };
        static const char *const right[] = { "/a", "/.a", "/..a", "/...", "/a/.b/..c", "/a/" };
        char *more = path_of(4096);
        struct initsync_overlay overlay;
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(wrong); i++) {
                overlay = good_overlay();
                overlay.upper = wrong[i];
                overlay_refused(&overlay, "overlay: upper: expected");
                overlay = good_overlay();
                overlay.work = wrong[i];
                overlay_refused(&overlay, "overlay: work: expected");
        }
        for (i = 0; i < ARRAY_SIZE(right); i++) {
                overlay = good_overlay();
                overlay.upper = overlay.work = right[i];
                assert_int_equal(overlay_check(&overlay, NULL), 0);
        }
        overlay = good_overlay();
        overlay.upper = more;
        overlay_refused(&overlay, "overlay: upper: expected an absolute path of at most 4095 bytes");
        overlay = good_overlay();
        overlay.lower = (const char *const[]){ "/l", NULL };
        overlay_refused(&overlay, "overlay: lower[1]: expected");
        overlay.lower = (const char *const[]){ "/l", more };
        overlay_refused(&overlay, "overlay: lower[1]: expected");
        free(more);
}

static void test_overlay_maps_and_options(void **state) {
        char *longest = path_of(256);
        const char *options[] = { NULL };
        struct initsync_overlay overlay = good_overlay();

        (void)state;
        overlay.n_uids = overlay.n_gids = 1;
        overlay.uids = map;
        overlay_refused(&overlay, "overlay: uids and gids: expected as many extents");
        overlay.uids = NULL;
        overlay.gids = map;
        overlay_refused(&overlay, "overlay: uids and gids: expected as many extents");
        overlay.uids = map;
        assert_int_equal(overlay_check(&overlay, NULL), 0);
        overlay = good_overlay();
        overlay.options = options;
        overlay.n_options = 1;
        overlay_refused(&overlay, "option");
        options[0] = "=on";
        overlay_refused(&overlay, "option");
        options[0] = longest;
        overlay_refused(&overlay, "option");
        longest[255] = '\0';
        assert_int_equal(overlay_check(&overlay, NULL), 0);
        free(longest);
}

/* Where the options are a text that mount(2) reads, a comma ends one of them, and a page is all there is. */
static void test_overlay_text(void **state) {
        static const char *const special[] = { "/rw/a,b", "/rw/a:b", "/rw/a\\b" };
        char text[OVERLAY_DATA_MAX], *option = path_of(250);
        const char *options[OVERLAY_DATA_MAX / 250 + 1];
        struct initsync_overlay overlay = good_overlay();
        struct initsync_error error;
        size_t i;

        (void)state;
        assert_int_equal(overlay_data(&overlay, strlen("/rw"), text, &error), 0);
        assert_string_equal(text, "lowerdir=0:1,upperdir=rw/upper,workdir=rw/work");
        for (i = 0; i < ARRAY_SIZE(special); i++) {
                overlay = good_overlay();
                overlay.upper = special[i];
                assert_int_equal(overlay_data(&overlay, strlen("/rw"), text, &error), -EINVAL);
                bytes_contain(error.text, "expected names without");
                overlay = good_overlay();
                overlay.work = special[i];
                assert_int_equal(overlay_data(&overlay, strlen("/rw"), text, &error), -EINVAL);
        }
        for (i = 0; i < ARRAY_SIZE(options); i++)
                options[i] = option;
        overlay = good_overlay();
        overlay.options = options;
        overlay.n_options = ARRAY_SIZE(options) - 2;
        assert_int_equal(overlay_data(&overlay, strlen("/rw"), text, &error), 0);
        overlay.n_options = ARRAY_SIZE(options);
        assert_int_equal(overlay_data(&overlay, strlen("/rw"), text, &error), -E2BIG);
        bytes_contain(error.text, "are more than a page");
        assert_true(strnlen(text, sizeof(text)) < sizeof(text));
        free(option);
}

/* ---- what @allow says to serve ---- */

static int ask(int socket, void *arg) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;
        struct initsync_child *child = NULL;
        struct initsync_error error;
        int fd = -1;

        (void)arg;
        mount.source = "/";
        BARE_CHECK(initsync_child_new(&child, socket, NULL, &error) == 0);
        BARE_CHECK(initsync_child_mount(child, &mount, &fd, &error) < 0);
        BARE_CHECK(fd == -1);
        initsync_child_free(child);
        return 0;
}

static int serve_another_size(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        (void)asked;
        ret_serve->size--;
        return 0;
}

static int serve_relative(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        (void)asked;
        ret_serve->source = "relative";
        return 0;
}

static int no_namespace = -1;

static int serve_mapped_by_a_file(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        (void)asked;
        ret_serve->userns_fd = no_namespace;
        return 0;
}

static int serve_one_map(const struct initsync_mount *asked, struct initsync_mount *ret_serve) {
        (void)asked;
        ret_serve->uids = map;
        ret_serve->n_uids = 1;
        return 0;
}

static void test_served_wrongly(void **state) {
        static const struct {
                int (*serve)(const struct initsync_mount *asked, struct initsync_mount *ret_serve);
                int stage;
                const char *text;
        } cases[] = {
                { serve_another_size, INITSYNC_STAGE_WIRE, "mount: size: expected" },
                { serve_relative, INITSYNC_STAGE_WIRE, "mount: source: expected" },
                { serve_one_map, INITSYNC_STAGE_WIRE, "mount: uids and gids: expected both or neither" },
                { serve_mapped_by_a_file, INITSYNC_STAGE_USERNS, "mount: userns_fd: expected a user namespace" },
        };
        struct duo duo;
        size_t i;

        (void)state;
        no_namespace = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_true(no_namespace >= 0);
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                duo_init(&duo);
                duo.on_allow = cases[i].serve;
                duo_start(&duo, ask, NULL);
                duo_run(&duo);
                assert_int_equal(duo.result, -EINVAL);
                assert_int_equal(duo.error.stage, cases[i].stage);
                bytes_contain(duo.error.text, cases[i].text);
                assert_int_equal(duo.calls[DUO_ALLOW], 1);
                duo_end(&duo);
        }
        close(no_namespace);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mount_paths),
                cmocka_unit_test(test_mount_maps),
                cmocka_unit_test(test_overlay_paths),
                cmocka_unit_test(test_overlay_maps_and_options),
                cmocka_unit_test(test_overlay_text),
                cmocka_unit_test(test_served_wrongly),
        };

        return cmocka_run_group_tests_name("refused", tests, NULL, NULL);
}
