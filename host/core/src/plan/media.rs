//! Files that Meta takes, by its table of supported media types.

use std::fmt;

const MB: u64 = 1024 * 1024;

/// File name extensions, each with the kind of file and its MIME type.
const TYPES: [(&str, MediaKind, &str); 13] = [
    ("jpg", MediaKind::Image, "image/jpeg"),
    ("jpeg", MediaKind::Image, "image/jpeg"),
    ("png", MediaKind::Image, "image/png"),
    ("mp4", MediaKind::Video, "video/mp4"),
    ("3gp", MediaKind::Video, "video/3gpp"),
    ("pdf", MediaKind::Document, "application/pdf"),
    ("txt", MediaKind::Document, "text/plain"),
    ("doc", MediaKind::Document, "application/msword"),
    ("docx", MediaKind::Document, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xls", MediaKind::Document, "application/vnd.ms-excel"),
    ("xlsx", MediaKind::Document, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt", MediaKind::Document, "application/vnd.ms-powerpoint"),
    (
        "pptx",
        MediaKind::Document,
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ),
];

/// The MIME type of a file, by the end of its name.
pub fn media_type(path: &str) -> Option<&'static str> {
    let (_, end) = path.rsplit_once('.')?;
    TYPES.iter().find(|(known, ..)| known.eq_ignore_ascii_case(end)).map(|(.., mime_type)| *mime_type)
}

/// The kind of a file in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// JPEG or PNG, at most 5 MiB.
    Image,
    /// MP4 or 3GP, at most 16 MiB.
    Video,
    /// PDF, text or an office document, at most 100 MiB.
    Document,
}

impl MediaKind {
    /// The word for it, as in the front matter.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaKind::Image => "image",
            MediaKind::Video => "video",
            MediaKind::Document => "document",
        }
    }

    /// Maximum size at Meta, in bytes.
    fn limit(self) -> u64 {
        match self {
            MediaKind::Image => 5 * MB,
            MediaKind::Video => 16 * MB,
            MediaKind::Document => 100 * MB,
        }
    }

    /// The MIME type of a file of this kind and size, by the end of its name. `head` is the beginning of its content, or all.
    ///
    /// # Errors
    /// That it is of another kind, too large or empty, or that its content is not what its name says.
    pub fn mime_type(self, path: &str, size: u64, head: &[u8]) -> Result<&'static str, String> {
        let end = path.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default();
        let known = TYPES.iter().find(|(known, kind, _)| *known == end && *kind == self);
        let Some((_, _, mime_type)) = known else {
            let ends: Vec<&str> =
                TYPES.iter().filter(|(_, kind, _)| *kind == self).map(|(end, ..)| *end).collect();
            return Err(format!(
                "{path} is not a file that Meta takes as {self}: expected {}",
                ends.join(", ")
            ));
        };
        match size {
            0 => Err(format!("{path} is empty")),
            size if size > self.limit() => {
                Err(format!("{path} is larger than the {} MiB that Meta allows", self.limit() / MB))
            }
            _ if !is_content_of(mime_type, head, size > head.len() as u64) => {
                Err(format!("the content of {path} is not that of a file of the type {mime_type}"))
            }
            _ => Ok(mime_type),
        }
    }
}

/// Whether a file begins as files of this type do.
fn is_content_of(mime_type: &str, content: &[u8], is_cut: bool) -> bool {
    match mime_type {
        "image/jpeg" => content.starts_with(b"\xff\xd8\xff"),
        "image/png" => content.starts_with(b"\x89PNG\r\n\x1a\n"),
        // The type of an ISO base media file, after the length of its first box.
        "video/mp4" | "video/3gpp" => content.get(4..8) == Some(b"ftyp"),
        "application/pdf" => content.starts_with(b"%PDF-"),
        "text/plain" => {
            let text = std::str::from_utf8(content);
            // Where it is cut, the last character may be, too.
            let is_text = text.is_ok() || is_cut && text.is_err_and(|error| error.error_len().is_none());
            is_text && !content.contains(&0)
        }
        // The container of Microsoft's older formats, and that of the newer ones, which is a ZIP file.
        "application/msword" | "application/vnd.ms-excel" | "application/vnd.ms-powerpoint" => {
            content.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
        }
        _ => content.starts_with(b"PK\x03\x04"),
    }
}

impl fmt::Display for MediaKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(kind: MediaKind, path: &str, content: &[u8]) -> Result<&'static str, String> {
        kind.mime_type(path, content.len() as u64, content)
    }

    #[test]
    fn a_file_is_taken_by_its_name_and_size() {
        let jpeg = b"\xff\xd8\xff\xe0";
        assert_eq!(whole(MediaKind::Image, "a/files/x.JPG", jpeg), Ok("image/jpeg"));
        assert!(whole(MediaKind::Image, "x.pdf", b"%PDF-1.7").is_err());
        assert!(whole(MediaKind::Document, "x.pdf", b"").is_err());
        let large = |kind: MediaKind, path: &str, head: &[u8], size: u64| {
            kind.mime_type(path, size, head).err().unwrap_or_default()
        };
        assert!(large(MediaKind::Image, "x.png", b"\x89PNG\r\n\x1a\n", 5 * MB + 1).contains("the 5 MiB"));
        assert!(large(MediaKind::Video, "x.mp4", b"\0\0\0\x18ftypmp42", 16 * MB + 1).contains("the 16 MiB"));
        assert_eq!(large(MediaKind::Document, "x.pdf", b"%PDF-1.7", 100 * MB), "");
        assert!(large(MediaKind::Document, "x.pdf", b"%PDF-1.7", 100 * MB + 1).contains("the 100 MiB"));
        // A character that is cut at the end of the beginning.
        assert_eq!(large(MediaKind::Document, "x.txt", b"n\xc3", 20 * MB), "");
        assert!(whole(MediaKind::Document, "x.txt", b"n\xc3").is_err());
    }

    #[test]
    fn a_file_is_what_its_name_says() {
        let zip: &[u8] = b"PK\x03\x04";
        for (path, content) in [
            ("x.png", b"\x89PNG\r\n\x1a\n".as_slice()),
            ("x.mp4", b"\0\0\0\x18ftypmp42"),
            ("x.pdf", b"%PDF-1.7"),
            ("x.txt", "né".as_bytes()),
            ("x.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
            ("x.docx", zip),
        ] {
            let end = path.split('.').next_back().unwrap_or_default();
            let kind = TYPES.iter().find(|(known, ..)| *known == end).map(|(_, kind, _)| *kind);
            assert!(kind.is_some_and(|kind| whole(kind, path, content).is_ok()), "{path}");
            assert!(kind.is_some_and(|kind| whole(kind, path, b"<html>\0").is_err()), "{path}");
        }
    }
}
