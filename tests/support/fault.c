/* SPDX-License-Identifier: MIT */
#include "support.h"
#include "fault.h"

#include <sys/mman.h>

struct fault *fault;
enum fault_role fault_role;

void fault_setup(void) {
        fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert(fault != MAP_FAILED && fault_n_sites() <= FAULT_SITES);
        fault->site = -1;
}

int fault_n_sites(void) {
        return (int)(__stop_fault_sites - __start_fault_sites);
}

const char *fault_name(int site) {
        static char name[256];
        const struct fault_site *one = &__start_fault_sites[site];
        const char *file = strstr(one->file, "src/");

        snprintf(name, sizeof(name), "%s in %s, %s:%d", one->call, one->function, file ? file : one->file, one->line);
        return name;
}

void fault_plan(int site, int role, unsigned from, unsigned times, int error) {
        memset(fault->passes, 0, sizeof(fault->passes));
        fault->fired = 0;
        fault->site = site;
        fault->role = role;
        fault->from = from;
        fault->times = times;
        fault->error = error;
}

int fault_deny(const char *call, const char *function, int error, unsigned from, unsigned times) {
        const struct fault_site *site;
        int i, n = 0;

        for (i = 0; i < fault_n_sites(); i++) {
                site = &__start_fault_sites[i];
                if (strcmp(site->call, call) != 0 || (function && strcmp(site->function, function) != 0))
                        continue;
                fault->denied[i] = (short)error;
                fault->denied_from[i] = from;
                fault->denied_times[i] = times;
                n++;
        }
        return n;
}

void fault_allow(void) {
        memset(fault->denied, 0, sizeof(fault->denied));
}
