/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bench_bundle.h"
#include "cleanup.h"
#include "say.h"

/* exit(0), in the machine's own words. */
#if defined(__x86_64__)
static const unsigned char code[] = { 0xb8, 0x3c, 0, 0, 0,              /* mov $60, %eax */
                                      0x31, 0xff,                       /* xor %edi, %edi */
                                      0x0f, 0x05 };                     /* syscall */
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
static const unsigned char code[] = { 0x00, 0x00, 0x80, 0xd2,           /* mov x0, #0 */
                                      0xa8, 0x0b, 0x80, 0xd2,           /* mov x8, #93 */
                                      0x01, 0x00, 0x00, 0xd4 };         /* svc #0 */
#define MACHINE EM_AARCH64
#else
static const unsigned char code[] = { 0 };
#define MACHINE EM_NONE
#endif

#define LOADED_AT 0x400000

static int write_file(const char *path, const void *data, size_t n, mode_t mode, struct initsync_error *reterr) {
        _cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

        if (fd < 0)
                return fault_call(reterr, -errno, "open", path);
        return write(fd, data, n) == (ssize_t)n ? 0 : fault_call(reterr, -errno, "write", path);
}

int bundle_program(const char *path, struct initsync_error *reterr) {
        struct {
                Elf64_Ehdr header;
                Elf64_Phdr segment;
                unsigned char code[sizeof(code)];
        } program = {
                .header = {
                        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_NONE },
                        .e_type = ET_EXEC, .e_machine = MACHINE, .e_version = EV_CURRENT,
                        .e_entry = LOADED_AT + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr),
                        .e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
                        .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
                },
                .segment = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = LOADED_AT, .p_paddr = LOADED_AT,
                             .p_filesz = sizeof(program), .p_memsz = sizeof(program), .p_align = 0x1000 },
        };

        if (MACHINE == EM_NONE)
                return fault(reterr, -EOPNOTSUPP, "no program for the container on this architecture");
        memcpy(program.code, code, sizeof(code));
        return write_file(path, &program, sizeof(program), 0755, reterr);
}

#define MOUNT(at, type, source, options)                                                                                \
        "{\"destination\":\"" at "\",\"type\":\"" type "\",\"source\":\"" source "\",\"options\":[" options "]}"

static const char configuration[] =
        "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\",\"readonly\":false},\"hostname\":\"bench\","
        "\"process\":{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/true\"],\"env\":[\"PATH=/\"],\"cwd\":\"/\","
        "\"noNewPrivileges\":true,\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],"
        "\"permitted\":[\"CAP_KILL\"]}},\"mounts\":["
        MOUNT("/proc", "proc", "proc", "") ","
        MOUNT("/dev", "tmpfs", "tmpfs", "\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"") ","
        MOUNT("/dev/pts", "devpts", "devpts", "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=5\"") ","
        MOUNT("/dev/shm", "tmpfs", "shm", "\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"") ","
        MOUNT("/dev/mqueue", "mqueue", "mqueue", "\"nosuid\",\"noexec\",\"nodev\"") ","
        MOUNT("/sys", "sysfs", "sysfs", "\"nosuid\",\"noexec\",\"nodev\",\"ro\"")
        "%s],"
        "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
        "{\"type\":\"mount\"}],"
        "\"maskedPaths\":[\"/proc/acpi\",\"/proc/kcore\",\"/proc/keys\",\"/proc/latency_stats\",\"/proc/timer_list\","
        "\"/proc/timer_stats\",\"/proc/sched_debug\",\"/sys/firmware\",\"/proc/scsi\"],"
        "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\",\"/proc/sysrq-trigger\"]}}\n";

#define MAP "[{\"containerID\":0,\"hostID\":100000,\"size\":1000}]"

static int make_directories(const char *path, struct initsync_error *reterr) {
        static const char *const names[] = { "", "/rootfs", "/rootfs/proc", "/rootfs/dev", "/rootfs/sys", "/rootfs/data" };
        char name[256];
        size_t i;

        for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                snprintf(name, sizeof(name), "%s%s", path, names[i]);
                if (mkdir(name, 0755) < 0 && errno != EEXIST)
                        return fault_call(reterr, -errno, "mkdir", name);
        }
        return 0;
}

int bundle_make(const char *path, const char *mapped, struct initsync_error *reterr) {
        char text[sizeof(configuration) + 512], bind[384] = "", name[256];
        int n, r = make_directories(path, reterr);

        if (r < 0)
                return r;
        if (mapped)
                snprintf(bind, sizeof(bind),
                         ",{\"destination\":\"/data\",\"type\":\"bind\",\"source\":\"%s\",\"options\":[\"bind\"],"
                         "\"uidMappings\":" MAP ",\"gidMappings\":" MAP "}", mapped);
        n = snprintf(text, sizeof(text), configuration, bind);
        snprintf(name, sizeof(name), "%s/config.json", path);
        r = write_file(name, text, (size_t)n, 0644, reterr);
        snprintf(name, sizeof(name), "%s/rootfs/true", path);
        return r < 0 ? r : bundle_program(name, reterr);
}
