/* SPDX-License-Identifier: MIT */
#ifndef PROGRAM_H
#define PROGRAM_H

/*
 * Which file is executed, and with what environment.
 */

#include <initsync.h>
#include "process.h"

/*
 * program_environment() - that of @process, with HOME where it has none: from /etc/passwd, or "/"
 *
 * After pivot_root(). An array of its own, with strings of @process in it; the process is about to execute another program,
 * and does not free it.
 */
int program_environment(const struct process *process, char ***ret_env, struct initsync_error *reterr);

/*
 * program_execute() - the first file of the name @args[0] in the PATH of @env, unless it is a path itself
 *
 * Not execvp(), which hands a file that no kernel can execute to a shell. Return: a negative errno.
 */
int program_execute(char *const args[], char *const env[]);

#endif /* PROGRAM_H */
