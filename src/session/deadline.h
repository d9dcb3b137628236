/* SPDX-License-Identifier: MIT */
#ifndef SESSION_DEADLINE_H
#define SESSION_DEADLINE_H

/* What may take how long. Times are those of kernel/clock.h; 0 is "none". */

#include <stdint.h>

enum deadline_kind {
        DEADLINE_FIRST,         /* the child's first message */
        DEADLINE_REQUEST,       /* the oldest mount request */
        DEADLINE_SEND,          /* a packet the child does not take */
        DEADLINE_WORK,          /* the child's own work */
        DEADLINE_BUDGET,        /* the whole conversation without callbacks and the child's own work */
        DEADLINE_END,           /* the present state of a conversation that is being ended */
        DEADLINE_LOOK,          /* the next look at whether the child still lives */
        DEADLINES,
};

struct deadlines {
        uint64_t at[DEADLINES];
        uint64_t budget_left;   /* while the budget is paused */
};

/* deadline_set() - @kind is due @ms from @now; negative for none */
void deadline_set(struct deadlines *deadlines, enum deadline_kind kind, int ms, uint64_t now);
void deadline_clear(struct deadlines *deadlines, enum deadline_kind kind);

/* The budget stands still while it is paused; both may be called twice. */
void deadline_pause(struct deadlines *deadlines, uint64_t now);
void deadline_resume(struct deadlines *deadlines, uint64_t now);

/* deadline_next() - when the earliest is due, 0 for never */
uint64_t deadline_next(const struct deadlines *deadlines);

/* deadline_due() - the first kind, in the order above, that is past; DEADLINES for none */
enum deadline_kind deadline_due(const struct deadlines *deadlines, uint64_t now);

#endif /* SESSION_DEADLINE_H */
