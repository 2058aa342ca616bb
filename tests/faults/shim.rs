//! Libraries in C that stand before the system's, so that a process sees a full disk or a stepped clock.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// While the file `FULL_FLAG` exists, no file grows: what is in it can be written over, as on a full disk.
const FULL_DISK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
static int full(int fd, off_t end) {
    const char *flag = getenv("FULL_FLAG");
    struct stat s;
    if (!flag || access(flag, F_OK) || fstat(fd, &s) || !S_ISREG(s.st_mode) || end <= s.st_size) return 0;
    errno = ENOSPC;
    return 1;
}
#define WRAP(name) \
    ssize_t name(int fd, const void *buffer, size_t count, off_t at) { \
        static ssize_t (*real)(int, const void *, size_t, off_t); \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        return full(fd, at + (off_t)count) ? -1 : real(fd, buffer, count, at); \
    }
WRAP(pwrite)
WRAP(pwrite64)
#define WRAPV(name) \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t at) { \
        static ssize_t (*real)(int, const struct iovec *, int, off_t); \
        off_t end = at; \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        for (int i = 0; i < count; i++) end += parts[i].iov_len; \
        return full(fd, end) ? -1 : real(fd, parts, count, at); \
    }
WRAPV(pwritev)
WRAPV(pwritev64)
#define WRAPF(name) \
    int name(int fd, off_t at, off_t length) { \
        static int (*real)(int, off_t, off_t); \
        if (!real) real = dlsym(RTLD_NEXT, #name); \
        return full(fd, at + length) ? ENOSPC : real(fd, at, length); \
    }
WRAPF(posix_fallocate)
WRAPF(posix_fallocate64)
"#;

/// Adds the seconds in the file `CLOCK_OFFSET`, a 64-bit number, to the time of day.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
static volatile int64_t *offset;
__attribute__((constructor)) static void open_offset(void) {
    const char *file = getenv("CLOCK_OFFSET");
    int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
    if (map != MAP_FAILED) offset = map;
    close(fd);
}
int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (!result && clock == CLOCK_REALTIME && offset) time->tv_sec += *offset;
    return result;
}
"#;

/// A compiled library, and a file with which it is told what to do.
pub struct Shim {
    folder: TempDir,
}

impl Shim {
    pub fn full_disk() -> Shim {
        Shim::compile(FULL_DISK)
    }

    pub fn clock() -> Shim {
        let shim = Shim::compile(CLOCK);
        fs::write(shim.file(), 0i64.to_ne_bytes()).unwrap();
        shim
    }

    fn compile(source: &str) -> Shim {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL may run under another account.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("shim.c"), source).unwrap();
        let shim = Shim { folder };
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-w", "-o"]).arg(shim.library());
        let compiled = compiler.arg(shim.folder.path().join("shim.c")).arg("-ldl").output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        shim
    }

    pub fn library(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }

    /// The file that tells it what to do.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("told")
    }

    /// A folder with `postgres` and `initdb` that run these with the library before them.
    pub fn around(&self, bin: &Path) -> PathBuf {
        let wrapped = self.folder.path().join("bin");
        fs::create_dir(&wrapped).unwrap();
        for program in ["postgres", "initdb"] {
            let script = format!(
                "#!/bin/sh\nexec env LD_PRELOAD={} FULL_FLAG={} {} \"$@\"\n",
                self.library().display(),
                self.file().display(),
                bin.join(program).display()
            );
            let path = wrapped.join(program);
            fs::write(&path, script).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        wrapped
    }
}
