/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <initsync.h>
#include "cleanup.h"
#include "demo_look.h"
#include "demo_story.h"
#include "say.h"

void story_root(const struct story *story, pid_t pid, char text[static 32]) {
        struct stat root, host, container;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
        if (stat(path, &root) < 0 || stat("/", &host) < 0 || stat(story->scene.rootfs, &container) < 0)
                snprintf(text, 32, "unknown (errno %d)", errno);
        else if (root.st_dev == host.st_dev && root.st_ino == host.st_ino)
                strcpy(text, "the host's");
        else if (root.st_dev == container.st_dev && root.st_ino == container.st_ino)
                strcpy(text, "the container's");
        else
                strcpy(text, "neither");
}

static void on_message(const struct initsync_trace_event *event, void *userdata) {
        struct story *story = userdata;
        size_t used = strlen(story->messages);

        if (strcmp(event->type, "procMountPlease") == 0)
                story->n_asked++;
        else if (strcmp(event->type, "procMountFd") == 0)
                story->n_answered++;
        else
                snprintf(story->messages + used, sizeof(story->messages) - used, "%s%s", used ? " " : "", event->type);
        if (story->trace)
                trace_event(event, story->trace);
}

/* A hook that leaves a trace on disk: how often it ran, and where the container's root was then. */
static int on_hooks(void *userdata, struct initsync_error *reterr) {
        struct story *story = userdata;
        char path[PATH_MAX], root[32];
        _cleanup_fd_ int fd = -1;

        if (story->hooks_fail) {
                snprintf(reterr->text, sizeof(reterr->text), "%s", STORY_HOOK_ERROR);
                return -EDQUOT;
        }
        fd = open(scene_path(&story->scene, path, "hooks"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        story_root(story, story->container.pid, root);
        if (fd < 0 || dprintf(fd, "root is %s\n", root) < 0)
                return -errno;
        if (story->trace)
                trace_note(story->trace, "the parent runs the hooks, which write a file; the container's root is %s", root);
        return 0;
}

/* The container has pivoted and waits: the moment to look at it from outside. */
static int on_ready(void *userdata, struct initsync_error *reterr) {
        const struct rlimit limit = { STORY_CORE_LIMIT, STORY_CORE_LIMIT };
        struct story *story = userdata;

        (void)reterr;
        story_root(story, story->container.pid, story->root_when_ready);
        look_mountinfo(story->container.pid, &story->inside);
        look_mountinfo(story->stage->host_pid, &story->host_during);
        if (prlimit(story->container.pid, RLIMIT_CORE, &limit, NULL) < 0)
                return -errno;
        if (story->trace)
                trace_note(story->trace, "the parent sets a limit; the container's root is %s", story->root_when_ready);
        return 0;
}

static int serve(struct story *story, struct initsync_error *reterr) {
        const struct initsync_parent_options options = {
                .size = sizeof(options),
                .work_ms = 30000,       /* the demo ends, whatever happens to its container */
                .rootfs = story->scene.rootfs,
                .mounts = story->scene.mounts,
                .n_mounts = SCENE_N_MOUNTS,
                .hooks = on_hooks,
                .ready = on_ready,
                .trace = on_message,
                .userdata = story,
        };
        struct initsync_parent *parent = NULL;
        int r = initsync_parent_new(&parent, take_fd(&story->container.socket_fd), story->container.pidfd, &options, reterr);

        if (r < 0)
                return r;
        r = container_go(&story->container);
        if (r < 0)
                fault_call(reterr, r, "write", NULL);
        else
                r = initsync_parent_run(parent, reterr);
        initsync_parent_free(parent);
        return r;
}

/* Start a container, serve it to its end; @judge makes the claims while its facts are still there. */
static int converse(struct story *story, enum child_role role, void (*judge)(struct story *story),
                    struct initsync_error *reterr) {
        int before = look_descriptors(), r;

        story->messages[0] = '\0';
        story->n_asked = story->n_answered = 0;
        story->hooks_fail = role == CHILD_RUNS_HOOKS;
        if (story->claims->output == CLAIMS_STORY) {
                r = trace_new(&story->trace, NULL, stdout, "parent");
                if (r < 0)
                        return fault_call(reterr, r, "trace_new", NULL);
        }
        r = container_start(&story->container, &story->scene, role, reterr);
        if (r == 0) {
                claims_say(story->claims, "%s", "");
                story->result = serve(story, &story->error);
                container_output(&story->container, story->output, sizeof(story->output));
                claims_say(story->claims, "%s", "");
                judge(story);
        }
        story->status = container_end(&story->container);
        story->trace = trace_free(story->trace);
        if (r < 0)
                return r;
        claim_number(story->claims, before, look_descriptors(), "open descriptors of the parent afterwards, as before");
        claim_number(story->claims, 0, look_children(), "children of the parent left");
        return 0;
}

static void judge_refusal(struct story *story) {
        const struct child_facts *facts = story->container.facts;
        char result[64], told[64];

        claims_say(story->claims, "     parent: %s", story->error.text);
        claims_say(story->claims, "     child:  %s", facts->error.text);
        claim(story->claims, "EACCES", code_text(story->result, result), "a mount that is not listed is refused with");
        claim(story->claims, "EREMOTEIO", code_text(facts->told, told), "the child's request fails with");
        claim_contains(story->claims, CHILD_ASKS_FOR, facts->error.text, "the child is told which mount");
        claim_number(story->claims, facts->n_before, facts->n_after, "the child got no descriptor: as many as before");
}

static void judge_giving_up(struct story *story) {
        char result[64];

        claims_say(story->claims, "     parent: %s", story->error.text);
        claim(story->claims, "EREMOTEIO", code_text(story->result, result),
              "a child that gives up ends the conversation with");
        claim_contains(story->claims, "/etc/demo.conf", story->error.text, "the child's reason reaches the parent");
        claim(story->claims, "none", strpbrk(story->error.text, "\033\n\r") ? "some" : "none",
              "control characters in it that a terminal would obey");
}

static void judge_hooks(struct story *story) {
        const struct child_facts *facts = story->container.facts;
        char result[64], told[64];

        claims_say(story->claims, "     parent: %s", story->error.text);
        claims_say(story->claims, "     child:  %s", facts->error.text);
        claim(story->claims, "EDQUOT", code_text(story->result, result), "a hook that fails ends the conversation with");
        claim(story->claims, "EREMOTEIO", code_text(facts->told, told), "the child's wait for its hooks fails with");
        claim_contains(story->claims, STORY_HOOK_ERROR, facts->error.text, "the hook's reason reaches the child");
}

static void tell_scene(const struct story *story) {
        const struct scene *scene = &story->scene;
        struct claims *claims = story->claims;
        const char *why = story->stage->why_no_ranges;

        claims_say(claims, "The files of the demo are on %s at %s, in a mount namespace of its own.",
                   scene->on_disk ? "disk" : "a tmpfs", scene->directory);
        if (scene->userns)
                claims_say(claims, "The container's ids 0-%u are %u-%u out here.", SCENE_IDS - 1, scene->base,
                           scene->base + SCENE_IDS - 1);
        else
                claims_say(claims, "The container has the ids of the demo itself.");
        if (!scene->userns && !story->stage->ordinary)
                claim_left_out(claims, scene->why_no_userns, "a container with a user namespace of its own");
        if (!scene->setattr)
                claim_left_out(claims, "there is no mount_setattr here (Linux 5.12, or a filter hides it)",
                               "mounts with attributes and propagation");
        if (!scene->idmap)
                claim_left_out(claims, scene->why_no_idmap, "id-mapped mounts");
        else if (!scene->ranges)
                claim_left_out(claims, *why ? why : "too few ids are mapped here", "id maps that change an id");
}

static int tell(struct story *story, struct initsync_error *reterr) {
        static const struct {
                enum child_role role;
                void (*judge)(struct story *story);
                const char *title;
        } conversations[] = {
                { CHILD_STARTS, claims_of_container, "1. A container comes up: four mounts, hooks, pivot_root, exec" },
                { CHILD_ASKS_TOO_MUCH, judge_refusal, "2. A container asks for " CHILD_ASKS_FOR ", which is not listed" },
                { CHILD_GIVES_UP, judge_giving_up, "3. A container gives up and says why" },
                { CHILD_RUNS_HOOKS, judge_hooks, "4. A hook of the parent's fails" },
        };
        int r = 0;

        tell_scene(story);
        for (size_t i = 0; r == 0 && i < sizeof(conversations) / sizeof(conversations[0]); i++) {
                claims_say(story->claims, "\n%s", conversations[i].title);
                r = converse(story, conversations[i].role, conversations[i].judge, reterr);
        }
        return r;
}

int story_run(struct stage *stage, struct initsync_error *reterr) {
        struct story *story = calloc(1, sizeof(*story));
        int r;

        if (!story)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        story->stage = stage;
        story->claims = &stage->claims;
        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                r = fault_call(reterr, -errno, "mount", "/");
        else
                r = scene_build(&story->scene, stage->mark, reterr);
        stage->on_disk = story->scene.on_disk;
        strcpy(stage->directory, story->scene.directory);
        if (r == 0)
                r = look_mountinfo(stage->host_pid, &story->host_before);
        if (r == 0)
                r = tell(story, reterr);
        free(story->host_before);
        free(story->host_during);
        free(story->inside);
        free(story);
        return r;
}
