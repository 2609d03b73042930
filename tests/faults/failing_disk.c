/* Fails what a process writes to files under $FAILING_DIR, or has synced, while it is told to.

   Loaded with LD_PRELOAD. $FAILING_CONTROL is a file of three numbers (int32): the error of every write and
   truncate, the error of every sync, 0 for none, and how many calls were failed so far. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

enum { WRITES, SYNCS, FAILED };

static _Atomic int32_t *control;

__attribute__((constructor)) static void open_control(void) {
    const char *path = getenv("FAILING_CONTROL");
    int fd = path == NULL ? -1 : syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *shared = mmap(NULL, 3 * sizeof(int32_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED) control = shared;
    syscall(SYS_close, fd);
}

static int inside(int fd) {
    const char *dir = getenv("FAILING_DIR");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (dir == NULL || length < 0) return 0;
    path[length] = 0;
    return strncmp(path, dir, strlen(dir)) == 0;
}

/* Whether this call has to fail; then errno is set. */
static int fails(int kind, int fd) {
    int error = control == NULL ? 0 : control[kind];
    if (error == 0 || !inside(fd)) return 0;
    control[FAILED]++;
    errno = error;
    return 1;
}

ssize_t write(int fd, const void *data, size_t length) {
    return fails(WRITES, fd) ? -1 : syscall(SYS_write, fd, data, length);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    return fails(WRITES, fd) ? -1 : syscall(SYS_pwrite64, fd, data, length, offset);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

int ftruncate64(int fd, off64_t size) { return fails(WRITES, fd) ? -1 : syscall(SYS_ftruncate, fd, size); }

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) { return fails(SYNCS, fd) ? -1 : syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return fails(SYNCS, fd) ? -1 : syscall(SYS_fdatasync, fd); }

/* Redis starts to write out what it has before it syncs (rio.c, aof.c). */
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned int flags) {
    return fails(SYNCS, fd) ? -1 : syscall(SYS_sync_file_range, fd, offset, length, flags);
}
