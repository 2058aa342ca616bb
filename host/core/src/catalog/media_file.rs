//! Files that templates send, and examples for Meta's reviewers.
//!
//! Small ones are in memory, as all that belongs to a release. Of a large one only its hash and its beginning are: it is read
//! from the folder when it is uploaded, and whoever reads it compares the hash.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::files::{Root, Unread};

/// Maximum size of a file that is in memory, in bytes.
const IN_MEMORY: u64 = 16 * 1024 * 1024;
/// Maximum size of a file, in bytes: that of a document at Meta.
const LARGEST: u64 = 100 * 1024 * 1024;
/// Beginning of a large file, by which its type is checked, in bytes.
const HEAD: usize = 64 * 1024;

/// A file in a folder `files`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFile {
    /// Where its content is.
    pub content: MediaContent,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
    /// Its size, in bytes.
    pub size: u64,
}

/// Where the content of a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaContent {
    /// In memory.
    Memory(Arc<[u8]>),
    /// In the folder, and only its beginning in memory.
    Folder(FolderFile),
}

/// A file in the rules folder. It may have changed since its hash was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFile {
    folder: PathBuf,
    path: PathBuf,
    head: Arc<[u8]>,
}

impl FolderFile {
    /// Opens it.
    ///
    /// # Errors
    /// If it is not there any more, or not within the folder.
    pub fn open(&self) -> Result<File, Unread> {
        Root::of(&self.folder)?.open(&self.path)
    }
}

impl MediaFile {
    /// Reads a file of the rules folder.
    ///
    /// # Errors
    /// If it is not a regular file within the folder, or larger than any file at Meta.
    pub(super) fn read(root: &Root, path: &Path) -> Result<MediaFile, Unread> {
        let mut file = root.open(path)?;
        if file.metadata()?.len() <= IN_MEMORY {
            let bytes = root.read(path, IN_MEMORY)?;
            return Ok(MediaFile::of(&bytes));
        }
        let (mut hash, mut head, mut size) = (Sha256::new(), Vec::new(), 0_u64);
        let mut chunk = vec![0; HEAD];
        loop {
            let read = match file.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            size += read as u64;
            if size > LARGEST {
                return Err(Unread::TooLarge(LARGEST));
            }
            let bytes = &chunk[..read];
            hash.update(bytes);
            head.extend(&bytes[..bytes.len().min(HEAD - head.len())]);
        }
        let (folder, path) = (root.folder().to_owned(), path.to_owned());
        Ok(MediaFile {
            content: MediaContent::Folder(FolderFile { folder, path, head: head.into() }),
            sha256: hex::encode(hash.finalize()),
            size,
        })
    }

    /// A file with this content.
    pub fn of(bytes: &[u8]) -> MediaFile {
        MediaFile {
            content: MediaContent::Memory(bytes.into()),
            sha256: hex::encode(Sha256::digest(bytes)),
            size: bytes.len() as u64,
        }
    }

    /// The whole content of a small file, the beginning of a large one.
    pub fn head(&self) -> &[u8] {
        match &self.content {
            MediaContent::Memory(bytes) => bytes,
            MediaContent::Folder(file) => &file.head,
        }
    }

    /// Bytes of it that are in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.head().len()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{
        fs::{self, OpenOptions},
        io::Read as _,
    };

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn of_a_large_file_only_the_beginning_is_in_memory() {
        let folder = TempDir::new().unwrap();
        let root = Root::of(folder.path()).unwrap();
        let path = folder.path().join("a.pdf");
        fs::write(&path, "%PDF-1.7").unwrap();
        assert_eq!(MediaFile::read(&root, &path).unwrap(), MediaFile::of(b"%PDF-1.7"));

        let length =
            |length: u64| OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        length(IN_MEMORY + 7);
        let large = MediaFile::read(&root, &path).unwrap();
        assert_eq!((large.size, large.in_memory()), (IN_MEMORY + 7, HEAD));
        assert!(large.head().starts_with(b"%PDF-1.7\0"));
        let MediaContent::Folder(file) = &large.content else { panic!("{large:?}") };
        let mut content = Vec::new();
        file.open().unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(MediaFile::of(&content).sha256, large.sha256);

        length(LARGEST);
        assert_eq!(MediaFile::read(&root, &path).unwrap().size, LARGEST);
        length(LARGEST + 1);
        assert!(matches!(MediaFile::read(&root, &path), Err(Unread::TooLarge(LARGEST))));
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(matches!(file.open(), Err(Unread::Outside)));
    }
}
