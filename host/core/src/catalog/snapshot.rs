//! The files of a release, as they were read: what a catalog is compiled from, and nothing else.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    Catalog, Findings, FolderFile, Folders, MediaContent,
    files::Unread,
    load::{self, compile_to_try},
    tree::{self, PLUGINS, Tree},
};

/// The files of a release.
pub struct Snapshot {
    /// The id of the release: the SHA-256 over all paths and contents, in hexadecimal digits.
    pub id: String,
    /// The files, by their paths: `rules/…` and `plugins/…`.
    pub files: BTreeMap<String, SnapshotFile>,
}

/// A file of a release.
pub struct SnapshotFile {
    /// The SHA-256 of its content.
    pub sha256: [u8; 32],
    /// Its size, in bytes.
    pub size: u64,
    /// Its content.
    pub content: Content,
}

/// The content of a file of a release.
pub enum Content {
    /// In memory.
    Memory(Arc<[u8]>),
    /// In the folder; it may have changed since it was read.
    Folder(FolderFile),
}

impl SnapshotFile {
    fn of(bytes: &[u8]) -> SnapshotFile {
        SnapshotFile {
            sha256: Sha256::digest(bytes).into(),
            size: bytes.len() as u64,
            content: Content::Memory(bytes.into()),
        }
    }

    /// Its content. Blocks.
    ///
    /// # Errors
    /// If it was changed or removed since it was read.
    pub fn bytes(&self) -> Result<Arc<[u8]>, Unread> {
        match &self.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::Folder(file) => {
                let mut bytes = Vec::new();
                file.open()?.take(self.size + 1).read_to_end(&mut bytes)?;
                match Sha256::digest(&bytes)[..] == self.sha256 {
                    true => Ok(bytes.into()),
                    false => Err(io::Error::other("it was changed meanwhile").into()),
                }
            }
        }
    }
}

/// Reads the files of the folders. Blocks.
///
/// # Errors
/// Returns the problems of the folders if not all of their files could be read.
pub fn snapshot(folders: &Folders) -> Result<Snapshot, Findings> {
    let mut tree = read(folders)?;
    let files = files(&mut tree);
    Ok(Snapshot { id: tree.id, files })
}

/// Reads the folders once: their files, and what became of compiling them and of running their cases. Blocks.
///
/// # Errors
/// Returns the problems of the folders if not all of their files could be read.
pub fn take(folders: &Folders) -> Result<(Snapshot, Result<Catalog, Findings>), Findings> {
    let mut tree = read(folders)?;
    let loaded = compile_to_try(folders, &tree, Vec::new());
    let files = files(&mut tree);
    Ok((Snapshot { id: tree.id, files }, loaded))
}

fn read(folders: &Folders) -> Result<Tree, Findings> {
    let mut findings = Vec::new();
    let tree = tree::read(folders, &mut findings);
    if findings.is_empty() {
        return Ok(tree);
    }
    load::finish(&mut findings, &tree);
    Err(Findings { folder: folders.rules.display().to_string(), findings })
}

fn files(tree: &mut Tree) -> BTreeMap<String, SnapshotFile> {
    let texts = std::mem::take(&mut tree.files).into_iter();
    let texts = texts.map(|(path, text)| (within(&path), SnapshotFile::of(text.as_bytes())));
    let components = std::mem::take(&mut tree.components).into_iter();
    let components = components.map(|(path, bytes)| (within(&path), SnapshotFile::of(&bytes)));
    let media = tree.media.iter().map(|(path, file)| {
        let (content, sha256) = match &file.content {
            MediaContent::Memory(bytes) => (Content::Memory(bytes.clone()), Sha256::digest(bytes).into()),
            MediaContent::Folder(of) => {
                let mut sha256 = [0; 32];
                // It was written by us.
                let _ = hex::decode_to_slice(&file.sha256, &mut sha256);
                (Content::Folder(of.clone()), sha256)
            }
        };
        (within(path), SnapshotFile { sha256, size: file.size, content })
    });
    texts.chain(components).chain(media).collect()
}

/// The path of a file in a release.
fn within(path: &str) -> String {
    let is_of_plugin = path.strip_prefix(PLUGINS).is_some_and(|rest| rest.starts_with('/'));
    if is_of_plugin { path.to_owned() } else { format!("rules/{path}") }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{
        super::tests::{rules, write},
        *,
    };
    use crate::catalog;

    #[test]
    fn a_snapshot_has_what_the_catalog_reads_and_nothing_else() {
        let folder = rules();
        write(folder.path(), &[("README.md", "for people"), ("orders/files/a.txt", "words")]);
        let (snapshot, loaded) = take(&folder.path().into()).unwrap();
        assert_eq!(snapshot.id, loaded.unwrap().id);
        assert_eq!(catalog::load(&folder.path().into()).unwrap().release, snapshot.id[..12]);
        assert!(!snapshot.files.contains_key("rules/README.md"));
        let words = &snapshot.files["rules/orders/files/a.txt"];
        assert_eq!((&*words.bytes().unwrap(), words.size), (&b"words"[..], 5));
        assert_eq!(words.sha256[..], Sha256::digest("words")[..]);
        let of_route = snapshot.files["rules/orders/routes.yaml"].bytes().unwrap();
        assert_eq!(*of_route, *std::fs::read(folder.path().join("orders/routes.yaml")).unwrap());
    }

    #[test]
    fn what_cannot_be_read_is_no_release() {
        let folder = rules();
        write(folder.path(), &[("orders/what.txt", "?")]);
        assert!(take(&folder.path().into()).err().unwrap().to_string().contains("orders/what.txt"));
    }

    #[test]
    fn rules_that_do_not_compile_have_a_snapshot_all_the_same() {
        let folder = rules();
        write(folder.path(), &[("orders/routes.yaml", "- on: [")]);
        let (snapshot, loaded) = take(&folder.path().into()).unwrap();
        assert!(loaded.is_err() && snapshot.files.contains_key("rules/orders/routes.yaml"));
    }
}
