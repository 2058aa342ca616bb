//! The only place that reads authors' files.
//!
//! A folder of rules may come out of a repository, and a repository may hold links. What a link leads to outside of the
//! folder is not the author's to read: it would stand in findings and logs, and could be sent to a phone. And a file is
//! read up to its limit and no further, whatever length it claims to have.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

/// A folder of authors' files, by its real path: the folder itself may be a link or a mount.
pub struct Root(PathBuf);

/// Why a file was not read. Never contains any of its content.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// A link leads out of the folder.
    #[error("links that lead outside the folder are not followed")]
    Outside,
    /// A device, a pipe or a socket.
    #[error("not a regular file")]
    NoFile,
    /// The file is larger than this limit, in bytes.
    #[error("the file is larger than {} MiB", .0 / 1024 / 1024)]
    TooLarge(u64),
    /// Reason given by the operating system.
    #[error("cannot read the file: {0}")]
    Io(#[from] io::Error),
}

impl Root {
    /// Opens the folder at a path.
    ///
    /// # Errors
    /// If the path cannot be resolved.
    pub fn of(folder: &Path) -> io::Result<Root> {
        Ok(Root(fs::canonicalize(folder)?))
    }

    /// Whether a path, with all links followed, is within the folder.
    ///
    /// # Errors
    /// If nothing exists at the path.
    pub fn holds(&self, path: &Path) -> io::Result<bool> {
        Ok(fs::canonicalize(path)?.starts_with(&self.0))
    }

    /// The folder's real path.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Opens a regular file within the folder.
    ///
    /// # Errors
    /// If it is not a regular file within the folder.
    pub fn open(&self, path: &Path) -> Result<File, Unread> {
        let path = fs::canonicalize(path)?;
        if !path.starts_with(&self.0) {
            return Err(Unread::Outside);
        }
        // Looked at before it is opened, because opening alone may do something to a device.
        if !fs::symlink_metadata(&path)?.is_file() {
            return Err(Unread::NoFile);
        }
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(&path)?;
        if !file.metadata()?.is_file() {
            return Err(Unread::NoFile);
        }
        // A folder on the way may have become a link since.
        if !where_it_is(&file, &path)?.starts_with(&self.0) {
            return Err(Unread::Outside);
        }
        Ok(file)
    }

    /// Reads a regular file within the folder, of at most `limit` bytes.
    ///
    /// # Errors
    /// If it is not a regular file within the folder, or larger.
    pub fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
        let mut bytes = Vec::new();
        self.open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit { Err(Unread::TooLarge(limit)) } else { Ok(bytes) }
    }
}

/// The real path of an open file, according to the kernel; if `/proc` is missing, where the path leads now.
fn where_it_is(file: &File, path: &Path) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).or_else(|_| fs::canonicalize(path))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{fs, os::unix::fs::symlink};

    use tempfile::TempDir;

    use super::{Root, Unread};

    #[test]
    fn only_regular_files_within_the_folder_are_read_up_to_their_limit() {
        let (inside, outside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let at = |name: &str| inside.path().join(name);
        fs::write(at("a"), "words").unwrap();
        fs::write(outside.path().join("secret"), "secret").unwrap();
        symlink("a", at("within")).unwrap();
        symlink(outside.path().join("secret"), at("out")).unwrap();
        symlink(outside.path(), at("folder")).unwrap();
        symlink("/proc/self/environ", at("environ")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        nix::unistd::mkfifo(&at("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        fs::File::create(at("sparse")).unwrap().set_len(1 << 40).unwrap();
        let linked = outside.path().join("rules");
        symlink(inside.path(), &linked).unwrap();
        for folder in [inside.path(), linked.as_path()] {
            let root = Root::of(folder).unwrap();
            let read = |name: &str, limit| root.read(&folder.join(name), limit);
            assert_eq!(read("a", 5).unwrap(), b"words");
            assert_eq!(read("within", 5).unwrap(), b"words");
            assert!(matches!(read("a", 4), Err(Unread::TooLarge(4))));
            assert!(matches!(read("sparse", 1024), Err(Unread::TooLarge(1024))));
            for name in ["out", "folder/secret", "environ", "zero"] {
                assert!(matches!(read(name, 1024), Err(Unread::Outside)), "{name}");
            }
            assert!(matches!(read("pipe", 1024), Err(Unread::NoFile)));
            assert!(matches!(read("gone", 1024), Err(Unread::Io(_))));
        }
    }
}
