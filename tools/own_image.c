/* SPDX-License-Identifier: MIT */
#include <elf.h>
#include <link.h>
#include <linux/prctl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include "cleanup.h"
#include "kernel.h"
#include "own_image.h"

/* The linker's name for where the executable begins in memory. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

struct piece {
        uintptr_t start, end;
        off_t offset;
        int protection;
};

/* What the kernel mapped of the file for a segment; the rest of one that can be written is memory already. */
static struct piece piece_of(uintptr_t base, const ElfW(Phdr) *segment, uintptr_t page) {
        return (struct piece){
                .start = (base + segment->p_vaddr) & ~(page - 1),
                .end = (base + segment->p_vaddr + segment->p_filesz + page - 1) & ~(page - 1),
                .offset = (off_t)(segment->p_offset & ~(page - 1)),
                .protection = (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
                              (segment->p_flags & PF_X ? PROT_EXEC : 0),
        };
}

static int map_copy(const struct piece *piece, int fd) {
        return mmap((void *)piece->start, piece->end - piece->start, piece->protection, MAP_PRIVATE | MAP_FIXED, fd,
                    piece->offset) == MAP_FAILED ? -errno : 0;
}

/*
 * What was written since the start is nowhere else: the pages change places with a copy. By the kernel, in one call each: no
 * instruction of ours writes a variable between the two, and no function that somebody may have replaced looks at them.
 */
static int move_copy(const struct piece *piece) {
        size_t size = piece->end - piece->start;
        struct iovec from = { .iov_base = (void *)piece->start, .iov_len = size }, to = from;
        const pid_t pid = getpid();
        long r;

        to.iov_base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (to.iov_base == MAP_FAILED)
                return -errno;
        r = syscall(SYS_process_vm_readv, pid, &to, 1UL, &from, 1UL, 0UL);
        if (r == (long)size && mremap(to.iov_base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, from.iov_base) != MAP_FAILED)
                return 0;
        r = r < 0 || r == (long)size ? -errno : -EFAULT;
        munmap(to.iov_base, size);
        return (int)r;
}

/*
 * The process may have been started as the argument of another program, by the dynamic linker say: then that is its executable, and
 * not what runs here.
 */
static int is_copy(int fd) {
        char header[sizeof(ElfW(Ehdr)) + 32 * sizeof(ElfW(Phdr))];
        size_t size = __ehdr_start.e_phoff + __ehdr_start.e_phnum * sizeof(ElfW(Phdr));

        size = size < sizeof(header) ? size : sizeof(header);
        return pread(fd, header, size, 0) == (ssize_t)size &&
               memcmp(header, &__ehdr_start, size) == 0;
}

static int replace_pieces(int fd) {
        const ElfW(Phdr) *segment = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
        const ElfW(Phdr) *end = segment + __ehdr_start.e_phnum, *at;
        const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        uintptr_t base = (uintptr_t)&__ehdr_start;
        int r = 0;

        for (at = segment; at < end && at->p_type != PT_LOAD; at++)
                continue;
        /* The first one has the header. */
        if (at == end || at->p_offset != 0)
                return -ENOTSUP;
        base -= at->p_vaddr;
        for (at = segment; r == 0 && at < end; at++) {
                struct piece piece = piece_of(base, at, page);

                if (at->p_type == PT_LOAD && piece.start < piece.end)
                        r = at->p_flags & PF_W ? move_copy(&piece) : map_copy(&piece, fd);
        }
        /* What may not be written once the program is linked is among what was moved. */
        for (at = segment; r == 0 && at < end; at++) {
                uintptr_t start = (base + at->p_vaddr) & ~(page - 1);
                uintptr_t stop = (base + at->p_vaddr + at->p_memsz) & ~(page - 1);

                if (at->p_type == PT_GNU_RELRO && start < stop)
                        r = mprotect((void *)start, stop - start, PROT_READ) < 0 ? -errno : 0;
        }
        return r;
}

/* The kernel takes all of them or none: those that it has. */
static int get_map(struct prctl_mm_map *map) {
        _cleanup_fd_ int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
        char text[2048], *at;
        unsigned long long field[53] = { 0 };
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
        int i;

        if (n <= 0)
                return n < 0 ? -errno : -ENODATA;
        text[n] = '\0';
        /* Behind the second, whose parentheses may have anything in them, and the third, a letter. */
        at = strrchr(text, ')');
        at = at && strlen(at) > 3 ? at + 3 : text + n;
        for (i = 4; i < 53; i++)
                field[i] = strtoull(at, &at, 10);
        *map = (struct prctl_mm_map){
                .start_code = field[26], .end_code = field[27], .start_stack = field[28], .start_data = field[45],
                .end_data = field[46], .start_brk = field[47], .brk = (uintptr_t)sbrk(0), .arg_start = field[48],
                .arg_end = field[49], .env_start = field[50], .env_end = field[51],
        };
        return map->env_end ? 0 : -ENODATA;
}

int own_image_replace(int fd) {
        _cleanup_fd_ int readable = -1;
        struct prctl_mm_map map;
        char path[64];
        int r = get_map(&map);

        if (r < 0)
                return r;
        /* @fd may be good for nothing but to be executed. */
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        readable = open(path, O_RDONLY | O_CLOEXEC);
        if (readable < 0)
                return -errno;
        r = is_copy(readable) ? replace_pieces(readable) : -ENOEXEC;
        if (r < 0)
                return r;
        map.exe_fd = (uint32_t)readable;
        return prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0) < 0 ? -errno : 0;
}
