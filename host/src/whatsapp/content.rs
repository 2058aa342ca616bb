//! The content of a file as the body of a request.

use std::io::{self, Read};

use futures_util::stream::unfold;
use hookswitch_core::catalog::{FolderFile, MediaContent, MediaFile};
use reqwest::Body;
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc::{Sender, channel},
    task::spawn_blocking,
};

/// Bytes that are read at a time.
const CHUNK: usize = 64 * 1024;
/// Chunks that are read ahead.
const AHEAD: usize = 4;

/// A body of this content between `before` and `after`. A large file is read while it is sent; if it is not the one of the
/// release any more, the body ends with an error, and the request fails.
pub fn body(file: &MediaFile, before: Vec<u8>, after: Vec<u8>) -> Body {
    match &file.content {
        MediaContent::Memory(bytes) => Body::from([&before[..], bytes, &after].concat()),
        MediaContent::Folder(large) => {
            let (sender, receiver) = channel(AHEAD);
            let (large, sha256) = (large.clone(), file.sha256.clone());
            spawn_blocking(move || {
                if let Err(error) = read(&large, &sha256, before, after, &sender) {
                    // Nobody waits for it where the request has ended.
                    let _ = sender.blocking_send(Err(error));
                }
            });
            Body::wrap_stream(unfold(receiver, async |mut receiver| {
                receiver.recv().await.map(|chunk| (chunk, receiver))
            }))
        }
    }
}

fn read(
    large: &FolderFile,
    sha256: &str,
    before: Vec<u8>,
    after: Vec<u8>,
    sender: &Sender<io::Result<Vec<u8>>>,
) -> io::Result<()> {
    let send = |chunk: Vec<u8>| sender.blocking_send(Ok(chunk)).map_err(|_| io::Error::other("not sent"));
    let mut file = large.open().map_err(io::Error::other)?;
    send(before)?;
    let mut hash = Sha256::new();
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        if (&mut file).take(CHUNK as u64).read_to_end(&mut chunk)? == 0 {
            break;
        }
        hash.update(&chunk);
        send(chunk)?;
    }
    if hex::encode(hash.finalize()) != sha256 {
        return Err(io::Error::other("the file has changed and its rules are not live yet"));
    }
    send(after)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::{
        fs::{self, OpenOptions},
        os::unix::fs::FileExt as _,
        thread,
    };

    use hookswitch_core::catalog::load;
    use tempfile::TempDir;

    use super::*;

    const SIZE: u64 = 17 * 1024 * 1024;

    #[test]
    fn a_large_file_is_read_while_it_is_sent_and_must_be_that_of_the_release() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a/files/list.pdf");
        fs::create_dir_all(folder.path().join("a/files")).unwrap();
        fs::write(folder.path().join("groups.yaml"), "- {name: Ops, description: Operations}\n").unwrap();
        fs::write(&path, "%PDF-1.7").unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(SIZE).unwrap();
        let catalog = load(&folder.path().into()).unwrap();
        let list = &catalog.files["a/files/list.pdf"];
        assert_eq!(list.size, SIZE);
        let MediaContent::Folder(large) = &list.content else { panic!("{list:?}") };
        let sent = || {
            let (sender, mut receiver) = channel(1);
            let (large, sha256) = (large.clone(), list.sha256.clone());
            let reading =
                thread::spawn(move || read(&large, &sha256, b"before".to_vec(), b"after".to_vec(), &sender));
            let mut content = Vec::new();
            while let Some(chunk) = receiver.blocking_recv() {
                let chunk = chunk.unwrap();
                assert!(chunk.len() <= CHUNK);
                content.extend(chunk);
            }
            reading.join().unwrap().map(|()| content)
        };
        let content = sent().unwrap();
        assert_eq!(content.len() as u64, SIZE + 11);
        assert!(content.starts_with(b"before%PDF-1.7") && content.ends_with(b"\0after"));
        file.write_at(b"x", SIZE / 2).unwrap();
        assert!(sent().unwrap_err().to_string().contains("has changed"));
    }
}
