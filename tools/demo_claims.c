/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include "demo_look.h"
#include "demo_story.h"

static void append_owner(char *list, size_t size, const struct owner *owner) {
        size_t used = strlen(list);
        char text[64];

        snprintf(list + used, size - used, "%s%s", used ? " " : "", owner_text(owner, text));
}

static void show_owners(const struct story *story) {
        const struct scene *scene = &story->scene;
        char path[PATH_MAX], inside[PATH_MAX], outside_text[64], inside_text[64];

        claims_say(story->claims, "     %-30s %14s %14s", "stat of", "inside", "outside");
        for (size_t i = 0; i < SCENE_N_PLACES; i++)
                for (size_t k = 0; k < scene->n_files; k++) {
                        const char *name = scene_files[k].name;
                        struct owner outside = look_owner(scene_path(scene, path, "%s/%s", scene_places[i].outside, name));

                        snprintf(inside, sizeof(inside), "%s/%s", scene_places[i].inside, name);
                        claims_say(story->claims, "     %-30s %14s %14s", inside,
                                   owner_text(&story->container.facts->owners[i][k], inside_text),
                                   owner_text(&outside, outside_text));
                }
        claims_say(story->claims, "%s", "");
}

/* The file itself, seen through the mount, and who owns it there; out here nothing of it has changed. */
static void claim_files(struct story *story, size_t place) {
        const struct scene_place *at = &scene_places[place];
        const struct child_facts *facts = story->container.facts;
        char path[PATH_MAX], expected_text[160] = "", found_text[160] = "";
        struct stat st;
        bool same;

        scene_path(&story->scene, path, "%s/%s", at->outside, scene_files[0].name);
        same = lstat(path, &st) == 0 && st.st_ino == facts->inodes[place];
        claim(story->claims, "the same file", same ? "the same file" : "another, or none", "%s: %s/%s and %s are", at->title,
              at->inside, scene_files[0].name, path);
        for (size_t k = 0; k < story->scene.n_files; k++) {
                struct owner expected = scene_expected(&story->scene, at->mount, &scene_files[k].owner), outside;

                claim_owner(story->claims, &expected, &facts->owners[place][k], "%s shows uid:gid of %s/%s as", at->title,
                            at->inside, scene_files[k].name);
                outside = look_owner(scene_path(&story->scene, path, "%s/%s", at->outside, scene_files[k].name));
                append_owner(expected_text, sizeof(expected_text), &scene_files[k].owner);
                append_owner(found_text, sizeof(found_text), &outside);
        }
        claim(story->claims, expected_text, found_text, "%s leaves uid:gid out here at", at->title);
}

static const char *mount_text(const struct look_mount *mount, const char *root, char text[static 512]) {
        size_t n = strlen(mount->root), tail = strlen(root);

        /* on disk, the root of a mount is a path from the root of that file system */
        snprintf(text, 512, "%s, %s%s, %s", n >= tail && strcmp(mount->root + n - tail, root) == 0 ? root : mount->root,
                 mount->read_only ? "read-only" : "read-write", mount->id_mapped ? ", id-mapped" : "",
                 mount->shared ? "shared" : mount->slave ? "slave" : "private");
        return text;
}

static void claim_mountinfo(struct story *story, size_t place) {
        const struct scene_place *at = &scene_places[place];
        const struct initsync_mount *mount = &story->scene.mounts[at->mount];
        struct look_mount expected = {
                .read_only = mount->attr_set != 0,
                .id_mapped = mount->n_uids > 0,
                .shared = mount->propagation == MS_SHARED,
        }, found;
        char root[64], expected_text[512], found_text[512];

        snprintf(root, sizeof(root), "/%s", at->outside);
        strcpy(expected.root, root);
        /* a clone stays in the peer group of its source */
        if (at->mount == SCENE_INNER)
                expected.shared = story->scene.mounts[SCENE_PLAIN].propagation == MS_SHARED;
        if (!story->inside || !look_mount(story->inside, at->inside, &found))
                strcpy(found_text, "no mount");
        else
                mount_text(&found, root, found_text);
        claim(story->claims, mount_text(&expected, root, expected_text), found_text, "%s: mountinfo has at %s", at->title,
              at->inside);
}

static void claim_statmount(struct story *story, size_t place) {
        const struct scene_place *at = &scene_places[place];
        const struct look_statmount *found = &story->container.facts->mounts[place];
        bool mapped = story->scene.mounts[at->mount].n_uids > 0;
        char uids[128] = "none", gids[128] = "none", expected_text[512], found_text[512];
        struct look_statmount source;

        look_statmount(story->scene.directory, &source);
        if (source.error < 0 || found->error < 0) {
                claim_left_out(story->claims, code_text(source.error < 0 ? source.error : found->error, uids),
                               "%s: statmount(2) of %s (Linux 6.8, or a filter hides it)", at->title, at->inside);
                return;
        }
        if (found->no_maps) {
                claim_left_out(story->claims, "statmount(2) does not tell it before Linux 6.15", "%s: id map of %s",
                               at->title, at->inside);
                claim(story->claims, source.type, found->type, "%s: statmount has at %s", at->title, at->inside);
                return;
        }
        if (mapped) {
                scene_map_text(&story->scene, at->mount, false, uids);
                scene_map_text(&story->scene, at->mount, true, gids);
        }
        snprintf(expected_text, sizeof(expected_text), "%s, uids %s, gids %s", source.type, uids, gids);
        snprintf(found_text, sizeof(found_text), "%s, uids %s, gids %s", found->type, found->uids, found->gids);
        claim(story->claims, expected_text, found_text, "%s: statmount has at %s", at->title, at->inside);
}

/* What the container's root makes in an id-mapped mount belongs on disk to whom the map turns into that root. */
static void claim_new_files(struct story *story) {
        const struct child_facts *facts = story->container.facts;
        struct owner expected = scene_on_disk(&story->scene, SCENE_MAPPED), found;
        char path[PATH_MAX], text[64];

        if (story->scene.mounts[SCENE_TREE].attr_set)
                claim(story->claims, "EROFS", code_text(facts->wrote_tree, text),
                      "recursive bind: a new file in its read-only submount gives");
        if (story->scene.mounts[SCENE_MAPPED].n_uids == 0) {
                claim_left_out(story->claims, "there is no id-mapped bind", "a new file gets the right owner on disk");
                return;
        }
        found = look_owner(scene_path(&story->scene, path, "%s/new-file", scene_places[SCENE_MAPPED].outside));
        if (facts->created < 0)
                found = (struct owner){ .error = facts->created };
        claim_owner(story->claims, &expected, &found,
                    "id-mapped bind: a file that the container's root makes belongs on disk to");
}

/* The five, and beside them only what the container mounts by itself: nothing of the host is left to see. */
static void claim_number_of_mounts(struct story *story) {
        const char *cursor = story->inside ? story->inside : "";
        struct look_mount mount;
        long asked = 0, foreign = 0;

        while (look_next(&cursor, &mount)) {
                bool known = strcmp(mount.point, "/") == 0 || strcmp(mount.point, "/proc") == 0;

                for (const char *const *name = scene_host_directories; *name && !known; name++)
                        known = strncmp(mount.point + 1, *name, strlen(*name)) == 0 &&
                                (mount.point[strlen(*name) + 1] == '\0' || mount.point[strlen(*name) + 1] == '/');
                if (strncmp(mount.point, "/srv/", 5) == 0)
                        asked++;
                else if (!known)
                        foreign++;
        }
        claim_number(story->claims, SCENE_N_PLACES, asked, "mounts below /srv in the container");
        claim_number(story->claims, 0, foreign, "mounts in the container that it did not make or ask for");
}

static void claim_inner(struct story *story) {
        const struct owner missing = { .error = -ENOENT };
        struct owner outside = look_owner(story->scene.sources[SCENE_INNER]);

        claim_owner(story->claims, &missing, &outside, "bind from inside: out here its source %s is",
                    story->scene.sources[SCENE_INNER]);
}

/* Lines as one, so that a second line where there should be one is seen. */
static char *one_line(char *text) {
        for (char *at = text; *at; at++)
                if (*at == '\n')
                        *at = at[1] ? ' ' : '\0';
        return text;
}

static void claim_hooks(struct story *story) {
        char path[PATH_MAX], *text = NULL;
        int r = look_get(scene_path(&story->scene, path, "hooks"), &text);

        claim(story->claims, "root is the host's", r == 0 ? one_line(text) : "no file",
              "hooks ran once, before pivot_root: they wrote");
        claim(story->claims, "the container's", story->root_when_ready,
              "ready came after pivot_root: the container's root was");
        claim_number(story->claims, STORY_CORE_LIMIT, (long)story->container.facts->core_limit,
                     "the limit that the parent set between ready and run is in force, in bytes");
        free(text);
}

static void claim_process(struct story *story) {
        const struct child_facts *facts = story->container.facts;
        struct utsname host;
        char reason[64];

        claim_number(story->claims, 1, facts->pid, "the container's init is process");
        claim(story->claims, CHILD_HOSTNAME, facts->hostname, "the host name inside is");
        claim(story->claims, "another", uname(&host) == 0 && strcmp(host.nodename, CHILD_HOSTNAME) != 0 ? "another" : "the same",
              "the host name outside is");
        if (facts->proc < 0)
                claim_left_out(story->claims, code_text(facts->proc, reason),
                               "/proc in the container (refused where parts of the host's are masked)");
}

/* The same owners once more, as a program sees them that the container became by exec. */
static void claim_program(struct story *story) {
        char expected[1024] = "";

        if (!*story->scene.stat_program) {
                claim_left_out(story->claims, "there is no stat program in /usr/bin and /bin",
                               "exec of a program in the container");
                return;
        }
        for (size_t i = 0; i < SCENE_N_PLACES; i++)
                for (size_t k = 0; k < story->scene.n_files; k++) {
                        struct owner owner = scene_expected(&story->scene, scene_places[i].mount, &scene_files[k].owner);

                        append_owner(expected, sizeof(expected), &owner);
                }
        claim(story->claims, expected, one_line(story->output), "%s, by exec in the container, prints",
              story->scene.stat_program);
}

void claims_of_container(struct story *story) {
        char result[64 + sizeof(story->error.text)], code[64];

        snprintf(result, sizeof(result), "%s%s%s", code_text(story->result, code), story->result < 0 ? ", " : "",
                 story->result < 0 ? story->error.text : "");
        claim(story->claims, "0", result, "the conversation ends well");
        if (story->result < 0) {
                claim_left_out(story->claims, "the conversation failed", "what must be true of a container that came up");
                return;
        }
        show_owners(story);
        claim_number(story->claims, SCENE_N_MOUNTS, story->n_asked, "mount requests");
        claim_number(story->claims, SCENE_N_MOUNTS, story->n_answered, "mount requests answered with a descriptor");
        claim(story->claims, "procHooks procHooksDone procReady procRun", story->messages, "the other messages, in order");
        claim_process(story);
        for (size_t i = 0; i < SCENE_N_PLACES; i++)
                claim_files(story, i);
        claim_new_files(story);
        for (size_t i = 0; i < SCENE_N_PLACES; i++) {
                claim_mountinfo(story, i);
                claim_statmount(story, i);
        }
        claim_inner(story);
        claim_number_of_mounts(story);
        claim_hooks(story);
        claim_program(story);
        story_compare_hosts(story->stage, story->host_before, story->host_during, "while the container is up");
}
