//! Files that Meta takes, by its table of supported media types.

use std::fmt;

const MB: usize = 1024 * 1024;

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
    fn limit(self) -> usize {
        match self {
            MediaKind::Image => 5 * MB,
            MediaKind::Video => 16 * MB,
            MediaKind::Document => 100 * MB,
        }
    }

    /// The MIME type of a file of this kind, by the end of its name.
    ///
    /// # Errors
    /// That it is of another kind, too large or empty.
    pub fn mime_type(self, path: &str, size: usize) -> Result<&'static str, String> {
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
            _ => Ok(mime_type),
        }
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

    #[test]
    fn a_file_is_taken_by_its_name_and_size() {
        assert_eq!(MediaKind::Image.mime_type("a/files/x.JPG", 1), Ok("image/jpeg"));
        assert!(MediaKind::Image.mime_type("x.pdf", 1).is_err());
        assert!(MediaKind::Image.mime_type("x.png", 5 * MB + 1).is_err());
        assert!(MediaKind::Document.mime_type("x.pdf", 0).is_err());
    }
}
