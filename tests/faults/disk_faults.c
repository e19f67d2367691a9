/* Faults from below, for one process: loaded before libc (LD_PRELOAD), steered through a mapped file by
 * `injector.py`, also in mid-run. Every write, sync, creation, rename, truncation and removal below the folder
 * `counted` is a step; the process can be killed at a chosen one, or half-way through its write. Operations
 * below `failing_under` can fail with a chosen errno or take as long as is wished. CLOCK_REALTIME can be moved;
 * CLOCK_MONOTONIC and timeouts stay true.
 *   cc -shared -fPIC -O2 -Wall -o disk_faults.so disk_faults.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* `injector.Control` has the same layout. */
struct control {
    double clock_offset_s;
    int64_t steps;     /* taken so far */
    int64_t kill_at;   /* die at this step, counted from 1; 0: live */
    int64_t killed_ns; /* CLOCK_MONOTONIC of that */
    int32_t torn;      /* 1: the step that kills is half done, where it is a write */
    int32_t failing;   /* operations that fail, as a mask of the kinds below */
    int32_t error;     /* with this errno */
    int32_t delay_ms;  /* each sync takes so long; looked at again while it waits */
    int32_t clock;     /* 1: the kernel calls its clock synchronised, 2: it does not, 0: as it is */
    int32_t unused;
    char counted[512];
    char failing_under[512];
};

enum { WRITE = 1, SYNC = 2, FOLDER_SYNC = 4, CREATE = 8, NAME = 16, TRUNCATE = 32, READ = 64 };

static struct control *control;

/* Called by a forked child, too, which is then steered by a file of its own. */
void steer(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    control = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (control == MAP_FAILED) abort();
    close(fd);
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DISK_FAULTS_CONTROL");
    if (path) steer(path);
}

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name); real; })

static int lies_under(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return length && !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

static void die(void) {
    struct timespec t;
    REAL(clock_gettime)(CLOCK_MONOTONIC, &t);
    control->killed_ns = t.tv_sec * 1000000000LL + t.tv_nsec;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

static void wait_as_told(void) {
    const struct timespec slice = {0, 5000000};
    for (int waited = 0; waited < control->delay_ms; waited += 5) nanosleep(&slice, NULL);
}

/* Takes the step; 0 to go on, -1 with errno when it is to fail, 1 to die after half of it. */
static int step(const char *path, int kind) {
    if (!control) return 0;
    if (kind != READ && lies_under(path, control->counted)) {
        int64_t number = __atomic_add_fetch(&control->steps, 1, __ATOMIC_SEQ_CST);
        if (control->kill_at && number >= control->kill_at) {
            if (kind == WRITE && control->torn) return 1;
            die();
        }
    }
    if (!lies_under(path, control->failing_under)) return 0;
    if (kind == SYNC || kind == FOLDER_SYNC) wait_as_told();
    if (!(control->failing & kind)) return 0;
    errno = control->error;
    return -1;
}

static int step_of(int fd, int kind) {
    char link[40], path[1024];
    if (!control || fd <= 2) return 0; /* its log is no step */
    int saved = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (length <= 0) return 0;
    path[length] = 0;
    return step(path, kind);
}

static int step_at(const char *path, int kind) {
    char whole[1024];
    if (!control || path[0] == '/') return step(path, kind);
    if (!getcwd(whole, sizeof whole - strlen(path) - 2)) return 0;
    return step(strcat(strcat(whole, "/"), path), kind);
}

#define WRITING(call, half)                                    \
    do {                                                       \
        int told = step_of(fd, WRITE);                         \
        if (told < 0) return -1;                               \
        if (told > 0) { if (half) {} die(); }                  \
        return call;                                           \
    } while (0)

ssize_t write(int fd, const void *data, size_t n) {
    WRITING(REAL(write)(fd, data, n), REAL(write)(fd, data, n / 2));
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    WRITING(REAL(pwrite)(fd, data, n, at), REAL(pwrite)(fd, data, n / 2, at));
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    WRITING(REAL(pwrite64)(fd, data, n, at), REAL(pwrite64)(fd, data, n / 2, at));
}
ssize_t read(int fd, void *data, size_t n) {
    return step_of(fd, READ) < 0 ? -1 : REAL(read)(fd, data, n);
}
ssize_t pread64(int fd, void *data, size_t n, off64_t at) {
    return step_of(fd, READ) < 0 ? -1 : REAL(pread64)(fd, data, n, at);
}
int fdatasync(int fd) { return step_of(fd, SYNC) < 0 ? -1 : REAL(fdatasync)(fd); }
int fsync(int fd) {
    struct stat about;
    int kind = !fstat(fd, &about) && S_ISDIR(about.st_mode) ? FOLDER_SYNC : SYNC;
    return step_of(fd, kind) < 0 ? -1 : REAL(fsync)(fd);
}
int ftruncate64(int fd, off64_t n) { return step_of(fd, TRUNCATE) < 0 ? -1 : REAL(ftruncate64)(fd, n); }
int rename(const char *from, const char *to) {
    return step_at(to, NAME) < 0 ? -1 : REAL(rename)(from, to);
}
int unlink(const char *path) { return step_at(path, NAME) < 0 ? -1 : REAL(unlink)(path); }
int mkdir(const char *path, mode_t mode) { return step_at(path, CREATE) < 0 ? -1 : REAL(mkdir)(path, mode); }
int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_CREAT) && step_at(path, CREATE) < 0) return -1;
    return REAL(open64)(path, flags, mode);
}

int clock_gettime(clockid_t clock, struct timespec *t) {
    int result = REAL(clock_gettime)(clock, t);
    if (!result && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        long long ns = t->tv_nsec + (long long)(control->clock_offset_s * 1e9);
        long long seconds = ns / 1000000000LL, rest = ns % 1000000000LL;
        if (rest < 0) { rest += 1000000000LL; seconds--; }
        t->tv_sec += seconds;
        t->tv_nsec = rest;
    }
    return result;
}
time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}
int gettimeofday(struct timeval *restrict tv, void *restrict zone) {
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    tv->tv_sec = t.tv_sec;
    tv->tv_usec = t.tv_nsec / 1000;
    return 0;
}

int adjtimex(struct timex *about) {
    int state = REAL(adjtimex)(about);
    if (!control || !control->clock) return state;
    about->status = control->clock == 1 ? about->status & ~STA_UNSYNC : about->status | STA_UNSYNC;
    return control->clock == 1 ? TIME_OK : TIME_ERROR;
}
