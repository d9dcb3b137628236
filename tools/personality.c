/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/personality.h>
#include "personality.h"
#include "say.h"

int personality_read(struct personality *ret, const struct node *linux_, struct initsync_error *reterr) {
        struct node object, domain, flags;
        int r;

        *ret = (struct personality){ .set = false };
        r = node_member(linux_, "personality", json_type_object, &object, reterr);
        if (r <= 0 || json_object_object_length(object.value) == 0)
                return r < 0 ? r : 0;
        r = node_required(&object, "domain", json_type_string, &domain, reterr);
        if (r == 0)
                r = node_member(&object, "flags", json_type_array, &flags, reterr);
        if (r < 0)
                return r;
        if (r > 0 && node_length(&flags) > 0)
                return node_refuse(&flags, reterr, -EOPNOTSUPP, "not supported: the specification has no value for it");
        if (strcmp(node_string(&domain), "LINUX32") == 0)
                ret->domain = PER_LINUX32;
        else if (strcmp(node_string(&domain), "LINUX") == 0)
                ret->domain = PER_LINUX;
        else
                return node_refuse(&domain, reterr, -EINVAL, "%s: expected LINUX or LINUX32", node_string(&domain));
        ret->set = true;
        return 0;
}

int personality_apply(const struct personality *wanted, struct initsync_error *reterr) {
        if (wanted->set && personality(wanted->domain) < 0)
                return fault_call(reterr, -errno, "personality", "config.json: linux.personality");
        return 0;
}
