/* Loaded before the C library: while a file says so, no file grows, as on a disk that is full. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile int64_t *full;

__attribute__((constructor)) static void look(void)
{
    int file = open(SWITCH, O_RDONLY | O_CLOEXEC);
    void *page = file < 0 ? MAP_FAILED : mmap(0, sizeof *full, PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED)
        full = page;
    if (file >= 0)
        close(file);
}

/* Whether so many bytes at `at`, or where the file stands if that is negative, would make a file grow. */
static int refused(int file, off_t at, size_t length)
{
    struct stat found;
    if (!full || !*full || fstat(file, &found) != 0 || !S_ISREG(found.st_mode))
        return 0;
    if (at < 0)
        at = fcntl(file, F_GETFL) & O_APPEND ? found.st_size : lseek(file, 0, SEEK_CUR);
    if (at + (off_t)length <= found.st_size)
        return 0;
    errno = ENOSPC;
    return 1;
}

static size_t total(const struct iovec *parts, int count)
{
    size_t length = 0;
    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    return length;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void *bytes, size_t length)
{
    return refused(file, -1, length) ? -1 : REAL(write)(file, bytes, length);
}

ssize_t writev(int file, const struct iovec *parts, int count)
{
    return refused(file, -1, total(parts, count)) ? -1 : REAL(writev)(file, parts, count);
}

ssize_t pwrite(int file, const void *bytes, size_t length, off_t at)
{
    return refused(file, at, length) ? -1 : REAL(pwrite)(file, bytes, length, at);
}

ssize_t pwrite64(int file, const void *bytes, size_t length, off64_t at)
{
    return refused(file, at, length) ? -1 : REAL(pwrite64)(file, bytes, length, at);
}

ssize_t pwritev(int file, const struct iovec *parts, int count, off_t at)
{
    return refused(file, at, total(parts, count)) ? -1 : REAL(pwritev)(file, parts, count, at);
}

ssize_t pwritev64(int file, const struct iovec *parts, int count, off64_t at)
{
    return refused(file, at, total(parts, count)) ? -1 : REAL(pwritev64)(file, parts, count, at);
}

int posix_fallocate(int file, off_t at, off_t length)
{
    return refused(file, at, length) ? ENOSPC : REAL(posix_fallocate)(file, at, length);
}

int posix_fallocate64(int file, off64_t at, off64_t length)
{
    return refused(file, at, length) ? ENOSPC : REAL(posix_fallocate64)(file, at, length);
}
