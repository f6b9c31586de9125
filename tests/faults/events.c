/*
 * Counts what a process and its children do to the world, and kills them at the event asked for.
 *
 * Preloaded into a program that knows nothing of it.  An event is a write to a file (what is printed is none), a rename, a
 * link, an unlink, a truncation, or bytes sent to or received from an internet socket.  The page
 * that the variable KILL_PAGE names is shared with the test, which sets the target and reads the
 * count; `after` says whether the event at the target still takes effect.  The processes of a
 * git remote on this machine are left alone, as those of a remote elsewhere are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct page {
    volatile long armed, count, target, after, victim;
};

static struct page *page;

/* Whether this is git's other side, which a network would keep out of reach of a kill. */
static int is_server(void) {
    char line[256] = {0};
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? 0 : read(file, line, sizeof line - 1);
    close(file);
    for (ssize_t at = 0; at < size; at++)
        if (!line[at]) line[at] = ' ';
    return strstr(line, "receive-pack") || strstr(line, "upload-pack");
}

__attribute__((constructor)) static void find_page(void) {
    const char *path = getenv("KILL_PAGE");
    if (path && is_server()) {
        unsetenv("KILL_PAGE");
        return;
    }
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *mapped = mmap(0, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    page = mapped == MAP_FAILED ? 0 : mapped;
    close(file);
}

static void end(void) {
    kill((pid_t)page->victim, SIGKILL);
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

/* Whether the event about to happen is the last; `before` ends here already. */
static int is_last(void) {
    if (!page || !page->armed) return 0;
    if (__sync_add_and_fetch(&page->count, 1) != page->target) return 0;
    if (!page->after) end();
    return 1;
}

static int is_file(int fd) {
    struct stat about;
    return fd > 2 && page && page->armed && !fstat(fd, &about) && S_ISREG(about.st_mode);
}

static int is_remote(int fd) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    return page && page->armed && !getsockname(fd, (struct sockaddr *)&address, &size) &&
           (address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

#define EVENT(type, name, condition, parameters, arguments)                   \
    type name parameters {                                                    \
        static type(*real) parameters;                                        \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);        \
        int last = (condition) && is_last();                                  \
        type result = real arguments;                                         \
        if (last) end();                                                      \
        return result;                                                        \
    }

EVENT(ssize_t, write, is_file(fd) || is_remote(fd), (int fd, const void *data, size_t size), (fd, data, size))
EVENT(ssize_t, pwrite, is_file(fd), (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
EVENT(ssize_t, writev, is_file(fd) || is_remote(fd), (int fd, const struct iovec *parts, int count), (fd, parts, count))
EVENT(ssize_t, read, is_remote(fd), (int fd, void *data, size_t size), (fd, data, size))
EVENT(ssize_t, send, is_remote(fd), (int fd, const void *data, size_t size, int flags), (fd, data, size, flags))
EVENT(ssize_t, sendto, is_remote(fd), (int fd, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length), (fd, data, size, flags, to, length))
EVENT(ssize_t, sendmsg, is_remote(fd), (int fd, const struct msghdr *message, int flags), (fd, message, flags))
EVENT(ssize_t, recv, is_remote(fd), (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
EVENT(ssize_t, recvfrom, is_remote(fd), (int fd, void *data, size_t size, int flags, struct sockaddr *from, socklen_t *length), (fd, data, size, flags, from, length))
EVENT(ssize_t, recvmsg, is_remote(fd), (int fd, struct msghdr *message, int flags), (fd, message, flags))
EVENT(int, rename, 1, (const char *from, const char *to), (from, to))
EVENT(int, renameat, 1, (int a, const char *from, int b, const char *to), (a, from, b, to))
EVENT(int, link, 1, (const char *from, const char *to), (from, to))
EVENT(int, linkat, 1, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
EVENT(int, unlink, 1, (const char *path), (path))
EVENT(int, unlinkat, 1, (int fd, const char *path, int flags), (fd, path, flags))
EVENT(int, ftruncate, 1, (int fd, off_t size), (fd, size))
EVENT(int, fsync, 1, (int fd), (fd))
