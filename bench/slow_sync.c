// A disk that takes its time: loaded before a server, it makes each sync take SLOW_SYNC_US microseconds at least.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static long least_us(void) {
    const char *us = getenv("SLOW_SYNC_US");
    return us ? atol(us) : 0;
}

static long now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int slowly(const char *name, int file) {
    int (*sync)(int) = dlsym(RTLD_NEXT, name);
    long end = now_us() + least_us();
    int result = sync(file);
    long left = end - now_us();
    if (left > 0) {
        struct timespec rest = {left / 1000000, left % 1000000 * 1000};
        nanosleep(&rest, NULL);
    }
    return result;
}

int fdatasync(int file) { return slowly("fdatasync", file); }

int fsync(int file) { return slowly("fsync", file); }
