/* SPDX-License-Identifier: MIT */
#ifndef PID_FILE_H
#define PID_FILE_H

#include <sys/types.h>
#include <initsync.h>

/* pid_file_write() - @pid into the file @path, which is either not there or complete at any time; nothing with NULL */
int pid_file_write(const char *path, pid_t pid, struct initsync_error *reterr);

/* pid_file_remove() - if it is the one that has @pid; of a start that failed the number is nobody's soon */
void pid_file_remove(const char *path, pid_t pid);

#endif /* PID_FILE_H */
