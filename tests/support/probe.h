/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of the probe have in common: one value of its JSON object is printed by each function. */

void put_string(const char *text);
/* A failure, as a string that no value looks like. */
void put_error(const char *what);
/* All of a file, as a string. */
void put_file(const char *path);

/* probe_path.c: what there is at a path, and what may be done with it. */
void put_path(const char *path);

/* probe_credentials.c: who a process is, and what it may. */
void put_uids(void);
void put_gids(void);
void put_groups(void);
void put_caps(void);
void put_no_new_privs(void);
void put_securebits(void);
void put_keepcaps(void);
void put_dumpable(void);

/* probe_resources.c: how much of the machine it gets. */
void put_rlimits(void);
void put_scheduler(void);
void put_memory_policy(void);
void put_io_priority(void);
void put_oom_score_adj(void);

/* probe_namespace.c: what its namespaces let it see. */
void put_namespaces(void);
void put_hostname(void);
void put_domainname(void);
void put_machine(void);
void put_clocks(void);
void put_uid_map(void);
void put_gid_map(void);
void put_setgroups(void);
void put_cgroup(void);
void put_mountinfo(void);
void put_devices(void);

/* probe_task.c: what it has besides. */
void put_ids(void);
void put_cwd(void);
void put_umask(void);
void put_signals(void);
void put_pdeathsig(void);
void put_descriptors(void);
void put_seccomp(void);
void put_personality(void);
void put_affinity(void);
void put_terminal(void);
void put_attributes(void);
void put_keyring(void);
