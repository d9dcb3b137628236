/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <linux/capability.h>
#include "bundle.h"
#include "say.h"

/* What a half of the conversation does with a key. */
enum action {
        READ,           /* what it says is done */
        OTHER,          /* the other half's part, or nothing to be done on this system */
        WARNED,         /* left undone, with a word about it */
        REFUSED,        /* refused if it asks for anything: not with null, false, 0, "" or an empty array or object */
        REFUSED_EVER    /* refused unless null or not there: the empty value asks for something too */
};

/* Keys of the OCI runtime specification 1.3. One that is not here is ignored, as the specification wants it. */
static const struct {
        const char *path;
        enum json_type type;
        enum action child, parent;
} keys[] = {
        { "ociVersion",                 json_type_string,       READ,           READ },
        { "root",                       json_type_object,       READ,           READ },
        { "root.path",                  json_type_string,       READ,           READ },
        { "root.readonly",              json_type_boolean,      READ,           OTHER },
        { "mounts",                     json_type_array,        READ,           READ },
        { "hostname",                   json_type_string,       READ,           OTHER },
        { "domainname",                 json_type_string,       READ,           OTHER },
        { "annotations",                json_type_object,       READ,           READ },

        { "process",                    json_type_object,       READ,           OTHER },
        { "process.args",               json_type_array,        READ,           OTHER },
        { "process.env",                json_type_array,        READ,           OTHER },
        { "process.cwd",                json_type_string,       READ,           OTHER },
        { "process.terminal",           json_type_boolean,      READ,           OTHER },
        { "process.consoleSize",        json_type_object,       READ,           OTHER },
        { "process.user",               json_type_object,       READ,           OTHER },
        { "process.user.uid",           json_type_int,          READ,           OTHER },
        { "process.user.gid",           json_type_int,          READ,           OTHER },
        { "process.user.umask",         json_type_int,          READ,           OTHER },
        { "process.user.additionalGids", json_type_array,       READ,           OTHER },
        { "process.capabilities",       json_type_object,       READ,           OTHER },
        { "process.noNewPrivileges",    json_type_boolean,      READ,           OTHER },
        { "process.rlimits",            json_type_array,        OTHER,          READ },
        { "process.oomScoreAdj",        json_type_int,          OTHER,          READ },
        { "process.scheduler",          json_type_object,       OTHER,          READ },
        { "process.ioPriority",         json_type_object,       OTHER,          READ },
        { "process.execCPUAffinity",    json_type_object,       OTHER,          OTHER },
        { "process.apparmorProfile",    json_type_string,       REFUSED,        OTHER },
        { "process.selinuxLabel",       json_type_string,       REFUSED,        OTHER },

        { "hooks",                      json_type_object,       READ,           READ },
        { "hooks.prestart",             json_type_array,        READ,           READ },
        { "hooks.createRuntime",        json_type_array,        READ,           READ },
        { "hooks.createContainer",      json_type_array,        READ,           READ },
        { "hooks.startContainer",       json_type_array,        READ,           READ },
        { "hooks.poststart",            json_type_array,        READ,           READ },
        { "hooks.poststop",             json_type_array,        READ,           READ },

        { "linux",                      json_type_object,       READ,           READ },
        { "linux.namespaces",           json_type_array,        READ,           READ },
        { "linux.uidMappings",          json_type_array,        READ,           READ },
        { "linux.gidMappings",          json_type_array,        READ,           READ },
        { "linux.rootfsPropagation",    json_type_string,       READ,           OTHER },
        { "linux.devices",              json_type_array,        READ,           OTHER },
        { "linux.netDevices",           json_type_object,       REFUSED,        OTHER },
        { "linux.resources",            json_type_object,       WARNED,         OTHER },
        { "linux.cgroupsPath",          json_type_string,       WARNED,         OTHER },
        { "linux.sysctl",               json_type_object,       READ,           OTHER },
        { "linux.seccomp",              json_type_object,       READ,           READ },
        { "linux.maskedPaths",          json_type_array,        READ,           OTHER },
        { "linux.readonlyPaths",        json_type_array,        READ,           OTHER },
        { "linux.mountLabel",           json_type_string,       REFUSED,        OTHER },
        { "linux.intelRdt",             json_type_object,       REFUSED,        OTHER },
        { "linux.memoryPolicy",         json_type_object,       READ,        OTHER },
        { "linux.personality",          json_type_object,       READ,        OTHER },
        { "linux.timeOffsets",          json_type_object,       READ,        OTHER },
};

static bool asks(struct json_object *value) {
        switch (json_object_get_type(value)) {
        case json_type_boolean: return json_object_get_boolean(value);
        case json_type_int: return json_object_get_int64(value) != 0;
        case json_type_string: return json_object_get_string_len(value) != 0;
        case json_type_array: return json_object_array_length(value) != 0;
        case json_type_object: return json_object_object_length(value) != 0;
        default: return true;
        }
}

static int refuse(const struct node *node, struct initsync_error *reterr) {
        if (json_object_is_type(node->value, json_type_boolean) || json_object_is_type(node->value, json_type_int))
                return node_refuse(node, reterr, -EOPNOTSUPP, "%s: not supported yet",
                                   json_object_to_json_string_ext(node->value, JSON_C_TO_STRING_PLAIN));
        return node_refuse(node, reterr, -EOPNOTSUPP, "not supported yet");
}

/* Walks down @path from @at; the last step finds the value that @type and @action are about. */
static int check(const struct node *at, const char *path, enum json_type type, enum action action,
                 struct initsync_error *reterr) {
        const char *dot = strchr(path, '.');
        char key[32];
        struct node node;
        int r;

        if (!dot) {
                r = node_member(at, path, type, &node, reterr);
                if (r > 0 && (action == REFUSED_EVER || (action == REFUSED && asks(node.value))))
                        return refuse(&node, reterr);
                return r < 0 ? r : 0;
        }
        memcpy(key, path, (size_t)(dot - path));
        key[dot - path] = '\0';
        r = node_member(at, key, json_type_object, &node, reterr);
        return r > 0 ? check(&node, dot + 1, type, action, reterr) : r;
}

int bundle_keys(const struct node *config, enum bundle_half half, struct initsync_error *reterr) {
        size_t i;
        int r;

        for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                r = check(config, keys[i].path, keys[i].type, half == BUNDLE_CHILD ? keys[i].child : keys[i].parent, reterr);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Of control groups: one line does for both of their keys. */
static void warn_cgroups(const struct node *config) {
        struct node linux_, node;
        const char *key;
        size_t i;

        if (node_member(config, "linux", json_type_object, &linux_, NULL) <= 0)
                return;
        for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                key = keys[i].path + strlen("linux.");
                if (keys[i].child == WARNED && node_member(&linux_, key, keys[i].type, &node, NULL) > 0 && asks(node.value)) {
                        say("warning: config.json: %s: cgroups are not managed", keys[i].path);
                        return;
                }
        }
}

void bundle_warn(const struct bundle *bundle, const struct node *config, enum bundle_half half) {
        const uint64_t mknod = UINT64_C(1) << CAP_MKNOD;

        if (half != BUNDLE_CHILD)
                return;
        warn_cgroups(config);
        if (bundle->process.not_granted[0])
                say("warning: config.json: process.capabilities: not granted here: %s", bundle->process.not_granted);
        /* In a user namespace the kernel lets nobody make a device. */
        if (!(bundle->namespaces & CLONE_NEWUSER) && (bundle->process.capabilities[CAPABILITY_BOUNDING] & mknod))
                say("warning: config.json: process.capabilities.bounding: CAP_MKNOD: the container can make and open any device "
                    "of the host, its disks too: linux.resources.devices is left undone");
}
