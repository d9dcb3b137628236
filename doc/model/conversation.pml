/* SPDX-License-Identifier: MIT */
/*
 * The conversation of a parent and a child, as a model for spin: src/wire/turn.c's table and src/session/'s deadlines.
 * tests/model.py keeps the table below equal to the one in C, and has spin check what is claimed at the end.
 *
 *      -DHONEST        the child keeps to the protocol, and may fail, die, or close at any time
 *      (without)       it sends anything at any time, reads or not, goes silent, hangs in the kernel when it is killed
 *
 * Time is the process Clock: whatever deadline is armed comes due some time, at any moment relative to everything else. The
 * embedder is assumed to have set work_ms; without it a child may take for its own work as long as it likes.
 */

#define QUEUE 2                 /* packets that a socket holds: small, so that full ones are met */
#define LIMIT_MOUNTS 3          /* requests in a conversation; LIMIT_MOUNTS of src/wire/limits.h */

mtype:message = { procMountPlease, procMountFd, procHooks, procHooksDone, procReady, procRun, procSeccomp, procSeccompDone,
                  procError, eof, none };
mtype:step = { MOUNTS, HOOKS, PIVOT, READY, RUN, SECCOMP, EXEC, DONE, FAILED, NOWHERE };
mtype:from = { CHILD, PARENT };
mtype:phase = { TALKING, GRACE, KILLED, ENDED };

chan to_parent = [QUEUE] of { mtype:message };
chan to_child = [QUEUE] of { mtype:message };

mtype:phase phase = TALKING;
mtype:step step = MOUNTS;
mtype:message unsent = none;    /* the parent's answer that the socket had no room for */
bool waiting;                   /* for the embedder's callback */
bool heard;                     /* a first message */
bool due;                       /* a deadline is past */
bool second;                    /* SIGKILL did not help for the first time */
byte requests, owed;            /* mount requests, and those of them that the mount task has not answered */
bool task_failed;

bool dead, closed, killed;      /* the child */
bool parent_closed;             /* its end, at the latest when the parent has ended */

byte hooks_run, runs_sent;      /* ghosts: for the claims alone */
bool has_failed, run_after_failure, hook_after_failure, task_after_failure;

inline turn(by, what, next)
{
        if
        :: what == procError && step != DONE && step != FAILED -> next = FAILED
        /* The table of src/wire/turn.c */
        :: step == MOUNTS && by == CHILD && what == procMountPlease -> next = MOUNTS
        :: step == MOUNTS && by == PARENT && what == procMountFd -> next = MOUNTS
        :: step == MOUNTS && by == CHILD && what == procHooks -> next = HOOKS
        :: step == MOUNTS && by == CHILD && what == procReady -> next = READY
        :: step == HOOKS && by == PARENT && what == procHooksDone -> next = PIVOT
        :: step == PIVOT && by == CHILD && what == procReady -> next = READY
        :: step == READY && by == PARENT && what == procRun -> next = RUN
        :: step == RUN && by == CHILD && what == procSeccomp -> next = SECCOMP
        :: step == RUN && by == CHILD && what == eof -> next = DONE
        :: step == SECCOMP && by == PARENT && what == procSeccompDone -> next = EXEC
        :: step == EXEC && by == CHILD && what == eof -> next = DONE
        /* End of the table */
        :: else -> next = NOWHERE
        fi
}

inline finish()
{
        phase = ENDED;
        parent_closed = true
}

/* As parent_fail(): `tell` the child, unless it knows; `grace` for it, unless only hostility explains what it did. */
inline fail(tell, grace)
{
        has_failed = true;
        step = FAILED;
        waiting = false;
        unsent = none;
        owed = 0;               /* the mount task is killed */
        due = false;
        if
        :: !tell || full(to_child)
        :: tell && nfull(to_child) -> to_child!procError
        fi;
        if
        :: dead -> finish()
        :: !dead && grace -> phase = GRACE
        :: !dead && !grace -> killed = true; phase = KILLED
        fi
}

inline answer(what)
{
        mtype:step after;

        turn(PARENT, what, after);
        assert(after != NOWHERE);
        if
        :: what == procRun -> runs_sent++; run_after_failure = run_after_failure || has_failed
        :: else
        fi;
        step = after;
        if
        :: nfull(to_child) -> to_child!what
        :: full(to_child) -> unsent = what
        fi
}

inline receive(what)
{
        mtype:step next;

        heard = true;
        due = false;
        turn(CHILD, what, next);
        if
        :: what == procError && next != NOWHERE -> fail(false, true)
        :: next == NOWHERE || unsent != none || (what != procMountPlease && what != procError && owed > 0) ->
                fail(true, false)
        :: what == procMountPlease && next != NOWHERE && unsent == none ->
                if
                :: requests == LIMIT_MOUNTS -> fail(true, false)
                :: requests < LIMIT_MOUNTS -> requests++; owed++        /* allowed */
                :: requests < LIMIT_MOUNTS -> fail(true, true)          /* not allowed */
                fi
        :: else ->
                step = next;
                waiting = true;
                if
                :: what == procHooks -> hooks_run++; hook_after_failure = hook_after_failure || has_failed
                :: else
                fi
        fi
}

/* The embedder's callback of the present step has ended, well or not. */
inline called_back()
{
        waiting = false;
        due = false;
        if
        :: step == HOOKS -> answer(procHooksDone)
        :: step == READY -> answer(procRun)
        :: step == SECCOMP -> answer(procSeccompDone)
        :: fail(true, true)
        fi
}

inline gone()
{
        mtype:step last;

        turn(CHILD, eof, last);
        if
        :: !waiting && unsent == none && last != NOWHERE -> step = last; finish()
        :: else -> fail(false, true)
        fi
}

active proctype Parent()
{
        mtype:message got;

        do
        :: phase == TALKING && unsent == none && nempty(to_parent) -> atomic { to_parent?got; receive(got) }
        :: atomic { phase == TALKING && unsent != none && nfull(to_child) -> to_child!unsent; unsent = none; due = false }
        :: atomic { phase == TALKING && waiting -> called_back() }
        :: atomic { phase == TALKING && task_failed -> task_failed = false; fail(true, true) }
        :: atomic { phase == TALKING && (closed || dead) && empty(to_parent) -> gone() }
        :: atomic { phase == TALKING && dead && unsent != none -> gone() }
        :: atomic { phase == TALKING && due -> fail(true, true) }
        /* A burst at a time: a child that never stops sending cannot keep the deadline from being looked at. */
        :: atomic { phase == GRACE && nempty(to_parent) && !due -> to_parent?got }
        :: atomic { (phase == GRACE || phase == KILLED) && dead -> finish() }
        :: atomic { phase == GRACE && due -> due = false; killed = true; phase = KILLED }
        :: atomic { phase == KILLED && due && !second -> due = false; second = true }
        :: atomic { phase == KILLED && due && second -> finish() }
        :: phase == ENDED -> break
        od
}

/* What src/session/deadline.h lists: first message, request, send, work, the end's. A callback has none: it is the embedder's. */
#define ARMED (phase == GRACE || phase == KILLED || (phase == TALKING && (!heard || owed > 0 || unsent != none || !waiting)))

active proctype Clock()
{
        do
        :: atomic { ARMED && !due -> due = true }
        :: phase == ENDED -> break
        od
}

/* The task in the container's mount namespace: answers by itself, fails, or hangs. */
active proctype MountTask()
{
end:
        do
        :: atomic { owed > 0 && nfull(to_child) -> task_after_failure = task_after_failure || has_failed;
                    to_child!procMountFd; owed--; due = false }
        :: atomic { owed > 0 -> task_failed = true; break }
        :: owed > 0 -> break    /* hangs in a file server */
        :: phase == ENDED -> break
        od
}

#ifdef HONEST

#define LOST (killed || parent_closed)

inline ask(what, reply)
{
        if
        :: to_parent!what
        :: LOST -> goto died
        :: goto failed          /* something of its own went wrong */
        :: goto died
        fi;
        do
        :: to_child?heard_back ->
                if
                :: heard_back == reply -> break
                :: heard_back != reply -> assert(heard_back == procError); goto died
                fi
        :: LOST && empty(to_child) -> goto died
        od
}

active proctype Child()
{
        mtype:message heard_back;
        byte asked;

        do
        :: asked < LIMIT_MOUNTS -> asked++; ask(procMountPlease, procMountFd)
        :: break
        od;
        if
        :: ask(procHooks, procHooksDone)
        :: skip                 /* `runc exec` has none */
        fi;
        ask(procReady, procRun);
        if
        :: ask(procSeccomp, procSeccompDone)
        :: skip
        fi;
        closed = true;          /* execve() */
        assert(runs_sent == 1);
        goto out;
failed:
        if
        :: to_parent!procError
        :: LOST
        fi;
died:
        dead = true;
        closed = true;
out:
        skip
}

#else

active proctype Child()
{
        mtype:message ignored;
        bool stuck;

        do
        :: !closed && nfull(to_parent) ->
                if
                :: to_parent!procMountPlease
                :: to_parent!procMountFd
                :: to_parent!procHooks
                :: to_parent!procHooksDone
                :: to_parent!procReady
                :: to_parent!procRun
                :: to_parent!procSeccomp
                :: to_parent!procSeccompDone
                :: to_parent!procError
                fi
        :: nempty(to_child) -> to_child?ignored
        :: !closed -> closed = true
        :: killed -> break
        :: break                                        /* of its own */
        :: killed || phase == ENDED -> stuck = true; break   /* in the kernel, whence nothing fetches it */
        :: goto silent
        od;
        goto over;
silent:
end_silent:
        (killed || phase == ENDED);
        if
        :: skip
        :: stuck = true
        fi;
over:
        if
        :: !stuck -> atomic { dead = true; closed = true }
        :: stuck
        fi
}

#endif

/* What is claimed. */
ltl ends { <>(phase == ENDED) }
ltl safe { [](hooks_run <= 1 && runs_sent <= 1 && !run_after_failure && !hook_after_failure && !task_after_failure &&
              (step == DONE -> !has_failed)) }
