/* Records what a process writes to files under $RECORD_DIR, and when it has them synced, into $RECORD_LOG.

   Loaded with LD_PRELOAD. Each record: kind, path length (2), offset (8), data length (4), path, data.
   Kinds: W write, T truncate (offset is the size), U unlink, B a sync begins, E it has ended.
   The directory itself is called ".": its sync makes unlinks last. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_fd = -1;

/* Cuts `path` down to what follows the directory; 0 when it lies elsewhere. */
static int inside(const char *dir, char *path) {
    size_t prefix = strlen(dir);
    if (strncmp(path, dir, prefix) != 0) return 0;
    if (path[prefix] == 0) {
        strcpy(path, ".");
        return 1;
    }
    if (path[prefix] != '/') return 0;
    memmove(path, path + prefix + 1, strlen(path + prefix));
    return 1;
}

static int name_of(int fd, char *path, size_t size) {
    const char *dir = getenv("RECORD_DIR");
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (dir == NULL || length < 0) return 0;
    path[length] = 0;
    return inside(dir, path);
}

static void record(char kind, const char *path, int64_t offset, const void *data, uint32_t length) {
    char head[15];
    uint16_t path_length = strlen(path);
    head[0] = kind;
    memcpy(head + 1, &path_length, 2);
    memcpy(head + 3, &offset, 8);
    memcpy(head + 11, &length, 4);
    struct iovec parts[3] = {{head, 15}, {(void *)path, path_length}, {(void *)data, length}};
    pthread_mutex_lock(&lock);
    if (log_fd < 0) log_fd = syscall(SYS_openat, AT_FDCWD, getenv("RECORD_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    syscall(SYS_writev, log_fd, parts, 3);
    pthread_mutex_unlock(&lock);
}

static int64_t next_offset(int fd) {
    if (fcntl(fd, F_GETFL) & O_APPEND) {
        struct stat st;
        return fstat(fd, &st) == 0 ? st.st_size : 0;
    }
    return lseek(fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[4096];
    if (name_of(fd, path, sizeof path)) record('W', path, next_offset(fd), data, length);
    return syscall(SYS_write, fd, data, length);
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
    char path[4096];
    if (name_of(fd, path, sizeof path)) record('W', path, offset, data, length);
    return syscall(SYS_pwrite64, fd, data, length, offset);
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

int unlink(const char *name) {
    char path[4096];
    const char *dir = getenv("RECORD_DIR");
    int result = syscall(SYS_unlinkat, AT_FDCWD, name, 0);
    snprintf(path, sizeof path, "%s", name);
    if (result == 0 && dir != NULL && inside(dir, path)) record('U', path, 0, NULL, 0);
    return result;
}

int ftruncate64(int fd, off64_t size) {
    char path[4096];
    if (name_of(fd, path, sizeof path)) record('T', path, size, NULL, 0);
    return syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

static int synced(int number, int fd) {
    char path[4096];
    int ours = name_of(fd, path, sizeof path);
    if (ours) record('B', path, 0, NULL, 0);
    int result = syscall(number, fd);
    if (ours && result == 0) record('E', path, 0, NULL, 0);
    return result;
}

int fsync(int fd) { return synced(SYS_fsync, fd); }

int fdatasync(int fd) { return synced(SYS_fdatasync, fd); }
