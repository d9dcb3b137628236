/* SPDX-License-Identifier: MIT */
#ifndef PID_FILE_H
#define PID_FILE_H

#include <sys/types.h>
#include <initsync.h>

/* pid_file_write() - @pid into the file @path, which is either not there or complete at any time; nothing with NULL */
int pid_file_write(const char *path, pid_t pid, struct initsync_error *reterr);

#endif /* PID_FILE_H */
