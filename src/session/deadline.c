/* SPDX-License-Identifier: MIT */
#include "session/deadline.h"

void deadline_set(struct deadlines *deadlines, enum deadline_kind kind, int ms, uint64_t now) {
        deadlines->at[kind] = ms < 0 ? 0 : now + (uint64_t)ms * 1000000u;
}

void deadline_clear(struct deadlines *deadlines, enum deadline_kind kind) {
        deadlines->at[kind] = 0;
}

void deadline_pause(struct deadlines *deadlines, uint64_t now) {
        uint64_t at = deadlines->at[DEADLINE_BUDGET];

        if (!at)
                return;
        deadlines->budget_left = at > now ? at - now : 1;
        deadlines->at[DEADLINE_BUDGET] = 0;
}

void deadline_resume(struct deadlines *deadlines, uint64_t now) {
        if (!deadlines->budget_left)
                return;
        deadlines->at[DEADLINE_BUDGET] = now + deadlines->budget_left;
        deadlines->budget_left = 0;
}

uint64_t deadline_next(const struct deadlines *deadlines) {
        uint64_t next = 0;
        int i;

        for (i = 0; i < DEADLINES; i++)
                if (deadlines->at[i] && (!next || deadlines->at[i] < next))
                        next = deadlines->at[i];
        return next;
}

enum deadline_kind deadline_due(const struct deadlines *deadlines, uint64_t now) {
        int i;

        for (i = 0; i < DEADLINES; i++)
                if (deadlines->at[i] && deadlines->at[i] <= now)
                        break;
        return (enum deadline_kind)i;
}
