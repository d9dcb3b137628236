/* SPDX-License-Identifier: MIT */
#include "support/support.h"

#include "base/attr.h"
#include "session/policy.h"
#include "support/bytes.h"

static struct initsync_error error;

/* Two extents in each map, no two numbers alike. */
static const struct initsync_idmap uids[] = { { 0, 100000, 1000 }, { 2000, 300000, 500 } };
static const struct initsync_idmap gids[] = { { 10, 200000, 1001 }, { 3000, 400000, 501 } };

static struct initsync_mount listed(const char *source, int mapped) {
        struct initsync_mount mount = INITSYNC_MOUNT_INIT;

        mount.source = source;
        mount.destination = "/mnt";
        if (mapped) {
                mount.uids = uids;
                mount.gids = gids;
                mount.n_uids = mount.n_gids = 2;
        }
        return mount;
}

/* As a child asks for it, and as message_read() leaves it. */
static struct message_mount *asked_for(const struct initsync_mount *mount) {
        struct message_mount *asked = calloc(1, sizeof(*asked));

        assert(asked);
        asked->source = mount->source;
        asked->destination = asked->device = asked->data = "";
        asked->userns_path = mount->userns_path ? mount->userns_path : "";
        asked->flags = MESSAGE_MS_BIND | (mount->flags & INITSYNC_MOUNT_RECURSIVE ? MESSAGE_MS_REC : 0);
        asked->has_id_mapping = mount->n_uids || mount->userns_path;
        asked->idmap_recursive = !!(mount->flags & INITSYNC_MOUNT_IDMAP_RECURSIVE);
        asked->n_uids = mount->n_uids;
        asked->n_gids = mount->n_gids;
        if (mount->n_uids) {
                memcpy(asked->uids, mount->uids, mount->n_uids * sizeof(*mount->uids));
                memcpy(asked->gids, mount->gids, mount->n_gids * sizeof(*mount->gids));
        }
        return asked;
}

static int take_one(const struct initsync_mount *list, size_t n, struct message_mount *asked) {
        struct policy policy;
        int r;

        assert_int_equal(policy_init(&policy, NULL, list, n, &error), 0);
        memset(&error, 0xab, sizeof(error));
        r = policy_take(&policy, asked, &error);
        if (r < 0) {
                assert_int_equal(error.code, r);
                assert_int_equal(error.stage, INITSYNC_STAGE_POLICY);
        }
        policy_free(&policy);
        return r;
}

static void test_not_listed(void **state) {
        static const char *const others[] = { "/etc",           "/dev/sda",    "/root/.ssh", "/srv/data/",
                                              "/srv//data",     "/srv/./data", "/srv/dat",   "/srv/data/x",
                                              "/srv/x/../data", "/srv/Data",   "/",          "/srv/data\x01" };
        struct initsync_mount mount = listed("/srv/data", 1);
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(others); i++) {
                struct message_mount *asked = asked_for(&mount);

                asked->source = others[i];
                assert_int_equal(take_one(&mount, 1, asked), -EACCES);
                bytes_contain(error.text, "not listed by the runtime");
                assert_int_equal(take_one(NULL, 0, asked), -EACCES);
                free(asked);
        }
}

static void test_random_paths(void **state) {
        struct initsync_mount list[] = { listed("/srv/data", 1), listed("/srv/more", 0) };
        uint64_t seed = 99;
        int i;

        (void)state;
        for (i = 0; i < 1000; i++) {
                struct message_mount *asked = asked_for(&list[i % 2]);
                char path[32];

                snprintf(path, sizeof(path), "/%x/%x", bytes_random(&seed), bytes_random(&seed));
                asked->source = path;
                assert_int_equal(take_one(list, 2, asked), -EACCES);
                free(asked);
        }
}

/* Each of the numbers of each extent, one more and one less. */
static void test_every_number(void **state) {
        struct initsync_mount mount = listed("/srv/data", 1);
        size_t i, field;
        int by, gid;

        (void)state;
        for (gid = 0; gid < 2; gid++) {
                for (i = 0; i < 2; i++) {
                        for (field = 0; field < 3; field++) {
                                for (by = -1; by <= 1; by++) {
                                        struct message_mount *asked = asked_for(&mount);
                                        struct initsync_idmap *e = gid ? &asked->gids[i] : &asked->uids[i];
                                        uint32_t *numbers[] = { &e->inside, &e->outside, &e->count };

                                        *numbers[field] += (uint32_t)by;
                                        assert_int_equal(take_one(&mount, 1, asked), by ? -EACCES : 0);
                                        if (by)
                                                bytes_contain(error.text,
                                                              gid ? "the gid map differs" : "the uid map differs");
                                        free(asked);
                                }
                        }
                }
        }
}

static void refused(const struct initsync_mount *mount, struct message_mount *asked, const char *text) {
        assert_int_equal(take_one(mount, 1, asked), -EACCES);
        bytes_contain(error.text, text);
        bytes_contain(error.path, mount->source);
        free(asked);
}

static void test_every_difference(void **state) {
        struct initsync_mount mount = listed("/srv/data", 1), plain = listed("/srv/data", 0);
        struct message_mount *asked;

        (void)state;
        asked = asked_for(&mount);
        asked->flags |= MESSAGE_MS_REC;
        refused(&mount, asked, "recursion of the bind");
        asked = asked_for(&mount);
        asked->idmap_recursive = 1;
        refused(&mount, asked, "recursion of the id mapping");
        asked = asked_for(&mount);
        asked->n_uids = 1;
        refused(&mount, asked, "the uid map");
        asked = asked_for(&mount);
        asked->uids[asked->n_uids++] = (struct initsync_idmap){ 4000, 500000, 1 };
        refused(&mount, asked, "the uid map");
        asked = asked_for(&mount);
        asked->n_gids = 1;
        refused(&mount, asked, "the gid map");
        asked = asked_for(&mount);
        memcpy(asked->uids, gids, sizeof(gids));
        memcpy(asked->gids, uids, sizeof(uids));
        refused(&mount, asked, "the uid map");
        asked = asked_for(&mount);
        asked->userns_path = "/proc/1/ns/user";
        refused(&mount, asked, "the path of the user namespace");
        refused(&mount, asked_for(&plain), "the uid map");      /* unmapped, where a mapping is listed */
        refused(&plain, asked_for(&mount), "the uid map");      /* and the reverse */
        mount.flags = INITSYNC_MOUNT_RECURSIVE | INITSYNC_MOUNT_IDMAP_RECURSIVE;
        asked = asked_for(&mount);
        asked->flags = MESSAGE_MS_BIND;
        refused(&mount, asked, "recursion of the bind");
        asked = asked_for(&mount);
        asked->idmap_recursive = 0;
        refused(&mount, asked, "recursion of the id mapping");
}

/* The kernel does not mind the order of extents; but extents that would only mean the same are others. */
static void test_order_of_extents(void **state) {
        static const struct initsync_idmap halves[] = { { 0, 100000, 400 }, { 400, 100400, 600 }, { 2000, 300000, 500 } };
        struct initsync_mount mount = listed("/srv/data", 1), turned = mount;
        const struct initsync_idmap other_uids[] = { uids[1], uids[0] }, other_gids[] = { gids[1], gids[0] };
        struct message_mount *asked = asked_for(&mount);

        (void)state;
        turned.uids = other_uids;
        turned.gids = other_gids;
        assert_int_equal(take_one(&turned, 1, asked), 0);
        free(asked);
        asked = asked_for(&turned);
        assert_int_equal(take_one(&mount, 1, asked), 0);
        free(asked);
        asked = asked_for(&mount);
        memcpy(asked->uids, halves, sizeof(halves));
        asked->n_uids = 3;
        refused(&mount, asked, "the uid map");
}

static void test_each_once(void **state) {
        struct initsync_mount list[] = { listed("/a", 1), listed("/b", 0), listed("/a", 1), listed("/a", 0) };
        static const int wanted[] = { 3, 0, 1, 0 };             /* asked for as ... */
        static const int expected[] = { 3, 0, 1, 2 };           /* served as ... */
        struct message_mount *asked;
        struct policy policy;
        size_t i;

        (void)state;
        assert_int_equal(policy_init(&policy, NULL, list, 4, &error), 0);
        for (i = 0; i < ARRAY_SIZE(wanted); i++) {
                asked = asked_for(&list[wanted[i]]);
                assert_int_equal(policy_take(&policy, asked, &error), expected[i]);
                free(asked);
        }
        for (i = 0; i < ARRAY_SIZE(list); i++) {
                asked = asked_for(&list[i]);
                assert_int_equal(policy_take(&policy, asked, &error), -EPROTO);
                bytes_contain(error.text, "asked for again, each listed mount is served once");
                free(asked);
        }
        asked = asked_for(&list[0]);
        asked->flags |= MESSAGE_MS_REC;
        assert_int_equal(policy_take(&policy, asked, &error), -EACCES);
        assert_int_equal(policy_take(&policy, asked, NULL), -EACCES);
        free(asked);
        policy_free(&policy);
}

/* The most that can be listed, in the order of the list and against it; a list in order is searched without looking back. */
static void test_many(void **state) {
        struct initsync_mount *list = calloc(LIMIT_MOUNTS, sizeof(*list));
        struct policy policy;
        size_t i;
        int backwards;

        (void)state;
        assert(list);
        for (i = 0; i < LIMIT_MOUNTS; i++)
                list[i] = listed(bytes_format("/srv/%zu", i), 1);
        for (backwards = 0; backwards < 2; backwards++) {
                assert_int_equal(policy_init(&policy, NULL, list, LIMIT_MOUNTS, &error), 0);
                for (i = 0; i < LIMIT_MOUNTS; i++) {
                        size_t k = backwards ? LIMIT_MOUNTS - 1 - i : i;
                        struct message_mount *asked = asked_for(&list[k]);

                        assert_int_equal(policy_take(&policy, asked, &error), k);
                        free(asked);
                }
                policy_free(&policy);
        }
        for (i = 0; i < LIMIT_MOUNTS; i++)
                free((char *)list[i].source);
        free(list);
}

/* The list is copied: what the caller does to its own afterwards has no effect. */
static void test_copied(void **state) {
        char source[] = "/srv/data";
        struct initsync_idmap extents[] = { uids[0], uids[1] };
        struct initsync_mount mount = listed(source, 1), same = listed("/srv/data", 1);
        struct message_mount *asked = asked_for(&same);
        struct policy policy;

        (void)state;
        mount.uids = extents;
        assert_int_equal(policy_init(&policy, NULL, &mount, 1, &error), 0);
        memset(source, 'x', 9);
        memset(extents, 0, sizeof(extents));
        memset(&mount, 0, sizeof(mount));
        assert_int_equal(policy_take(&policy, asked, &error), 0);
        assert_string_equal(policy.entries[0].mount.source, "/srv/data");
        free(asked);
        policy_free(&policy);
        policy_free(&policy);
}

static void test_wrong_entries(void **state) {
        static const struct initsync_idmap zero = { 0, 0, 0 }, over = { 0, 1, UINT32_MAX };
        struct initsync_mount good = listed("/a", 1), list[6];
        const char *const fields[] = { "size", "flags", "source", "uids and gids", "count of 0", "passes the last id" };
        struct policy policy;
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(list); i++)
                list[i] = good;
        list[0].size--;
        list[1].flags = UINT64_C(1) << 63;
        list[2].source = "a";
        list[3].n_gids = 0;
        list[4].uids = &zero;
        list[4].n_uids = 1;
        list[5].gids = &over;
        list[5].n_gids = 1;
        for (i = 0; i < ARRAY_SIZE(list); i++) {
                const struct initsync_mount both[] = { good, list[i] };

                assert_true(policy_init(&policy, "/rootfs", both, 2, &error) < 0);
                bytes_contain(error.text, "options: entry 1: mount: ");
                bytes_contain(error.text, fields[i]);
                assert_int_equal(error.mount, 1);
                assert_true(policy.n == 0 && !policy.entries && !policy.rootfs);
        }
}

static void test_places(void **state) {
        static const struct {
                const char *rootfs, *source, *rest;     /* NULL: in the whole namespace */
        } cases[] = {
                { "/r", "/r/data", "/data" },
                { "/r/", "/r/data", "/data" },
                { "/r", "/r//data/", "/data" },
                { "/r", "/r/../r/data", "/data" },
                { "/r", "/x/../r/data", "/data" },
                { "/r/../q", "/q/data", "/data" },
                { "/r", "/r/../etc", NULL },
                { "/r", "/r/a/../../etc", NULL },
                { "/r", "/rdata", NULL },
                { "/r", "/srv/data", NULL },
                { "/r", "/r/a/../../../r/b", "/b" },
                { "/r", "/r", "" },
                { "/r", "/r/.", "" },
                { "/", "/data", "/data" },
                { NULL, "/r/data", NULL },
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                struct source_request request = { .path = cases[i].source };
                struct initsync_mount mount = listed(cases[i].source, 0);
                struct policy policy;
                char *clean;

                assert_int_equal(policy_init(&policy, cases[i].rootfs, &mount, 1, &error), 0);
                assert_int_equal(policy_place(&policy, cases[i].source, &request, &clean), 0);
                assert_string_equal(request.path, cases[i].rest ? cases[i].rest : cases[i].source);
                assert_int_equal(!request.rootfs, !cases[i].rest);
                assert_int_equal(!policy.entries[0].rest, !cases[i].rest);
                if (cases[i].rest) {
                        assert_string_equal(policy.entries[0].rest, cases[i].rest);
                        assert_ptr_equal(request.rootfs, policy.rootfs);
                }
                free(clean);
                policy_free(&policy);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_not_listed),
                cmocka_unit_test(test_random_paths),
                cmocka_unit_test(test_every_number),
                cmocka_unit_test(test_every_difference),
                cmocka_unit_test(test_order_of_extents),
                cmocka_unit_test(test_each_once),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_copied),
                cmocka_unit_test(test_wrong_entries),
                cmocka_unit_test(test_places),
        };

        return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
