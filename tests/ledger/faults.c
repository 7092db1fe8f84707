/* Makes chosen writes and syncs of a process fail. Loaded before libc, and driven over ctypes.
 *
 * Calls on files whose path contains a text are counted, writes and syncs apart, and those from
 * the nth on fail, as many as asked for, after a while if asked for. Every counted call is noted,
 * with what came of it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE, SYNC };
enum {
    ERROR,   /* nothing is written */
    SHORT,   /* half of it is, and the call says so */
    PARTIAL, /* half of it is, and the call fails all the same */
    FULL     /* what would make the file longer fails */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char wanted[1024];
static int kind, first, times, number, mode, delay;
static int calls[2];
static int fired;
static char notes[1 << 20];
static size_t noted;

void faults_arm(const char *path, int kind_, int first_, int times_, int number_, int mode_) {
    pthread_mutex_lock(&lock);
    snprintf(wanted, sizeof wanted, "%s", path);
    kind = kind_, first = first_, times = times_, number = number_, mode = mode_;
    calls[WRITE] = calls[SYNC] = fired = 0;
    noted = 0, notes[0] = 0;
    pthread_mutex_unlock(&lock);
}

/* Milliseconds that a call which fails takes: others come to wait for it. */
void faults_delay(int milliseconds) { delay = milliseconds; }

void faults_disarm(void) { times = 0; }
int faults_fired(void) { return fired; }
int faults_calls(int which) { return calls[which]; }
const char *faults_notes(void) { return notes; }

static int longer(int file, size_t size) {
    struct stat found;
    if (fstat(file, &found) || !S_ISREG(found.st_mode)) return 0;
    if (fcntl(file, F_GETFL) & O_APPEND) return 1;
    return lseek(file, 0, SEEK_CUR) + (off_t)size > found.st_size;
}

/* Whether this call is to fail. Notes it where its file is one of those that are looked at. */
static int fails(int which, int file, size_t size) {
    char link[64], path[1024];
    int failing = 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0 || !wanted[0]) return 0;
    path[length] = 0;
    pthread_mutex_lock(&lock);
    if (strstr(path, wanted)) {
        int nth = ++calls[which];
        failing = which == kind && nth >= first && nth < first + times &&
                  (mode != FULL || longer(file, size));
        const char *name = strrchr(path, '/');
        struct stat found = {0};
        fstat(file, &found);
        if (noted + 300 < sizeof notes)
            noted += snprintf(notes + noted, 300, "%s %s %llu %s\n",
                              which == WRITE ? "write" : "sync", failing ? mode == SHORT ? "short" : "failed" : "done",
                              (unsigned long long)found.st_ino, name ? name + 1 : path);
    }
    pthread_mutex_unlock(&lock);
    if (failing && delay) usleep(1000 * delay);
    if (failing) __atomic_add_fetch(&fired, 1, __ATOMIC_SEQ_CST);
    return failing;
}

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void find(void) {
    real_write = dlsym(RTLD_NEXT, "write");
    real_pwrite = dlsym(RTLD_NEXT, "pwrite");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

ssize_t write(int file, const void *data, size_t size) {
    if (!real_write) find();
    if (!fails(WRITE, file, size)) return real_write(file, data, size);
    if (mode == SHORT || mode == PARTIAL) {
        ssize_t done = real_write(file, data, size / 2);
        if (mode == SHORT) return done;
    }
    errno = number;
    return -1;
}

ssize_t pwrite(int file, const void *data, size_t size, off_t at) {
    if (!fails(WRITE, file, size)) return real_pwrite(file, data, size, at);
    if (mode == SHORT || mode == PARTIAL) {
        ssize_t done = real_pwrite(file, data, size / 2, at);
        if (mode == SHORT) return done;
    }
    errno = number;
    return -1;
}

int fsync(int file) {
    if (!fails(SYNC, file, 0)) return real_fsync(file);
    errno = number;
    return -1;
}

int fdatasync(int file) {
    if (!fails(SYNC, file, 0)) return real_fdatasync(file);
    errno = number;
    return -1;
}
