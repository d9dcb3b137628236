/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include "cleanup.h"
#include "kernel.h"
#include "say.h"
#include "filter.h"

/* From Linux 5.19 and 6.3 on, later than some headers. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define ARCHITECTURE "SCMP_ARCH_"

static void release(void **context) {
        if (*context)
                seccomp_release(*context);
}

void filter_clear(struct filter *filter) {
        free(filter->code);
        filter->code = NULL;
}

/* libseccomp's names are those of its constants, in lower case; 0 for none of them. */
static uint32_t architecture(const char *text) {
        char name[32];
        size_t n, i;

        if (strncmp(text, ARCHITECTURE, strlen(ARCHITECTURE)) != 0)
                return 0;
        text += strlen(ARCHITECTURE);
        n = strlen(text);
        if (n == 0 || n >= sizeof(name) || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != n)
                return 0;
        for (i = 0; i <= n; i++)
                name[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
        return seccomp_arch_resolve_name(name);
}

/* The native one is in it anyway, and none but those that are listed. */
static int read_architectures(struct filter_rules *rules, const struct node *node, struct initsync_error *reterr) {
        struct node array, element;
        uint32_t token;
        size_t i;
        int r;

        filter_newer_add(rules, seccomp_arch_native());
        r = node_member(node, "architectures", json_type_array, &array, reterr);
        for (i = 0; r > 0 && i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_string, &element, reterr);
                if (r < 0)
                        return r;
                token = architecture(node_string(&element));
                if (token == 0)
                        return node_refuse(&element, reterr, -EINVAL, "%s: expected SCMP_ARCH_X86_64 or another that libseccomp "
                                           "knows", node_string(&element));
                r = seccomp_arch_add(rules->context, token);
                if (r < 0 && r != -EEXIST)
                        return node_refuse(&element, reterr, r, "%s: libseccomp refuses it beside this machine's own: %s",
                                           node_string(&element), strerror(-r));
                if (filter_newer_add(rules, token) < 0)
                        return node_refuse(&array, reterr, -E2BIG, "more than %d", FILTER_ARCHITECTURES);
                r = 1;
        }
        return r < 0 ? r : 0;
}

static int read_flags(struct filter *filter, const struct node *node, struct initsync_error *reterr) {
        static const struct {
                const char *name;
                unsigned flag;
        } known[] = {
                { "SECCOMP_FILTER_FLAG_TSYNC", 0 },     /* there is one thread when it is loaded */
                { "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
                { "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
                { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV },
        };
        struct node array, element;
        size_t i, j;
        int r;

        r = node_member(node, "flags", json_type_array, &array, reterr);
        /* As runc has it: a filter alone is no reason for a slower program, where the kernel takes it for one. */
        if (r == 0)
                filter->flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
        for (i = 0; r > 0 && i < node_length(&array); i++) {
                r = node_element(&array, i, json_type_string, &element, reterr);
                if (r < 0)
                        return r;
                for (j = 0; j < sizeof(known) / sizeof(known[0]) && strcmp(known[j].name, node_string(&element)) != 0; j++)
                        ;
                if (j == sizeof(known) / sizeof(known[0]))
                        return node_refuse(&element, reterr, -EINVAL, "%s: expected SECCOMP_FILTER_FLAG_LOG, SPEC_ALLOW, TSYNC or "
                                           "WAIT_KILLABLE_RECV", node_string(&element));
                filter->flags |= known[j].flag;
                r = 1;
        }
        return r < 0 ? r : 0;
}

/* What has no meaning without notified calls is left out without them: the kernel would refuse it. */
static void set_listener_flags(struct filter *filter) {
        if (!filter->notify)
                filter->flags &= ~(unsigned)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
        else
                filter->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
}

static int read_listener(struct filter *filter, const struct node *node, struct initsync_error *reterr) {
        struct node path, metadata;
        struct sockaddr_un address;
        int has_path, has_metadata;

        has_path = node_member(node, "listenerPath", json_type_string, &path, reterr);
        if (has_path < 0)
                return has_path;
        has_metadata = node_member(node, "listenerMetadata", json_type_string, &metadata, reterr);
        if (has_metadata < 0)
                return has_metadata;
        if (!has_path || !node_string(&path)[0]) {
                if (has_metadata && node_string(&metadata)[0])
                        return node_refuse(&metadata, reterr, -EINVAL, "expected only with listenerPath");
                return filter->notify ? node_refuse(&path, reterr, -EINVAL, "is missing, expected the socket of an agent for "
                                                     "SCMP_ACT_NOTIFY") : 0;
        }
        if (!filter->notify)
                return 0;               /* "this value is ignored" */
        if (node_string(&path)[0] != '/')
                return node_refuse(&path, reterr, -EINVAL, "expected an absolute path");
        if (strlen(node_string(&path)) >= sizeof(address.sun_path))
                return node_refuse(&path, reterr, -ENAMETOOLONG, "expected at most %zu bytes", sizeof(address.sun_path) - 1);
        filter->listener_path = node_string(&path);
        filter->metadata = has_metadata ? node_string(&metadata) : NULL;
        return 0;
}

/* In a file: a pipe, which libseccomp is often shown to write to, holds as little as a page where the user has many. */
static int compile(struct filter *filter, const struct filter_rules *rules, const struct node *node, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = memfd_create("seccomp", MFD_CLOEXEC | MFD_NOEXEC_SEAL);
        struct sock_filter newer[FILTER_NEWER_MAX];
        size_t n_newer = filter_newer_code(rules, newer), size;
        struct stat st;
        ssize_t n;
        int r;

        if (fd < 0 && errno == EINVAL)
                fd = memfd_create("seccomp", MFD_CLOEXEC);
        if (fd < 0)
                return fault_call(reterr, -errno, "memfd_create", "config.json: linux.seccomp");
        r = seccomp_export_bpf(rules->context, fd);
        if (r < 0)
                return node_refuse(node, reterr, r, "libseccomp cannot compile it: %s", strerror(-r));
        if (fstat(fd, &st) < 0)
                return fault_call(reterr, -errno, "fstat", "config.json: linux.seccomp");
        size = (size_t)st.st_size / sizeof(*newer) + n_newer;
        if (size > BPF_MAXINSNS)
                return node_refuse(node, reterr, -E2BIG, "makes %zu instructions, more than the kernel's limit of %d", size,
                                   BPF_MAXINSNS);
        filter->code = calloc(size, sizeof(*newer));
        if (!filter->code)
                return fault_call(reterr, -ENOMEM, "calloc", NULL);
        memcpy(filter->code, newer, n_newer * sizeof(*newer));
        n = pread(fd, filter->code + n_newer, (size_t)st.st_size, 0);
        if (n != st.st_size)
                return fault_call(reterr, n < 0 ? -errno : -EIO, "pread", "config.json: linux.seccomp");
        filter->n_code = (unsigned short)size;
        return 0;
}

int filter_read(struct filter *filter, const struct node *linux_, struct initsync_error *reterr) {
        struct filter_rules rules = { .context = NULL };
        _cleanup_(release) void *context = NULL;
        struct node node, action;
        int r;

        r = node_member(linux_, "seccomp", json_type_object, &node, reterr);
        if (r <= 0)
                return r;
        r = filter_action(&node, "defaultAction", "defaultErrnoRet", &rules.default_action, reterr);
        if (r < 0)
                return r;
        if (rules.default_action == SCMP_ACT_NOTIFY) {
                node_member(&node, "defaultAction", json_type_string, &action, NULL);
                return node_refuse(&action, reterr, -EINVAL, "SCMP_ACT_NOTIFY: init itself needs calls that are let through");
        }
        context = rules.context = seccomp_init(rules.default_action);
        if (!context)
                return node_refuse(&node, reterr, -EINVAL, "libseccomp cannot make a filter: this kernel may lack its defaultAction");
        r = read_architectures(&rules, &node, reterr);
        if (r == 0)
                r = read_flags(filter, &node, reterr);
        if (r == 0)
                r = filter_rules(&rules, &node, reterr);
        if (r < 0)
                return r;
        filter->notify = rules.notify;
        set_listener_flags(filter);
        r = read_listener(filter, &node, reterr);
        if (r == 0)
                r = compile(filter, &rules, &node, reterr);
        if (r == 0 && rules.n_unknown)
                say("warning: %s%s", rules.unknown.text, rules.n_unknown > 1 ? ", nor are others" : "");
        return r;
}
